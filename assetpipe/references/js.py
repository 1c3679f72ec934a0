r"""JavaScript (ECMA-262): every URL and module specifier that the language gives a meaning, found by tokenizing.

The scanner goes from one token that can matter to the next, and what lies between is kept:

1. Strings, templates, comments (a ``sourceMappingURL`` within is a reference) and regular expressions, which are
   skipped whole; the code in a template's substitutions is code.
2. ``import``, ``export``, ``importScripts`` and ``URL``: a pattern of the grammar finds the string that is the
   reference, and the scanner makes it a hole when it comes to it.
3. A slash, which divides or begins a regular expression by what stands before it (section 12.1). Where that is a
   closing bracket, what was opened decides: brackets are paired only then, and only up to there.

A text that does not tokenize (an unterminated string, comment, template or bracket), or that holds HTML-like comments
(annex B) or U+2028 or U+2029, is not minified. Every branch of the patterns begins with a byte of its own, which lets
the search skip ahead, and repeats possessively or by the grammar, which keeps it linear.
"""

from __future__ import annotations

import re
import string

from assetpipe.references.draft import SOURCE_MAPPING_URL, Draft, Manner, Referrer, Writer
from assetpipe.references.squeeze import EDGE, KEPT, Run, Squeezer

_COMMENT = rb"//(?:[^\n\r\xe2]++|\xe2(?!\x80[\xa8\xa9]))*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
# Blanks beyond ASCII (section 12.2): U+00A0, then those of three bytes.
_WIDE_BLANK = rb"(?:\xef\xbb\xbf|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)"
_BLANKS = rb"[ \t\v\f\r\n]++|\xc2\xa0|" + _WIDE_BLANK
_DOUBLE = rb'"(?:[^"\\\n\r]++|\\(?:\r\n|.))*+"'
_SINGLE = rb"'(?:[^'\\\n\r]++|\\(?:\r\n|.))*+'"
_STRING = _DOUBLE + rb"|" + _SINGLE
_NAME_PART = rb"(?:[\w$\\]|(?!\xc2\xa0|" + _WIDE_BLANK + rb")[\x80-\xff])"
_NAME = rb"(?:\\u\{[^{}]*+\}|" + _NAME_PART + rb")++"
_GAP = rb"(?:" + _BLANKS + rb"|" + _COMMENT + rb")*+"


def _starts_name(name: bytes) -> bytes:
    """A pattern that looks behind ``name``: no other name ends there."""
    before = (rb"(?<![\w$#\\\x80-\xff]", rb"(?<=\xc2\xa0", rb"(?<=" + _WIDE_BLANK)
    return rb"(?:" + rb"|".join(one + name + rb")" for one in before) + rb")"


def _word(word: bytes, more: bytes = b"") -> bytes:
    """A pattern for a whole word: no name goes on before or after it."""
    return word + _starts_name(word) + more + rb"(?!" + _NAME_PART + rb")"


_TOKENS = (
    _DOUBLE + rb"?",
    _SINGLE + rb"?",
    rb"`",
    _COMMENT,
    rb"/",
    _word(b"import", rb"(?:Scripts)?+"),
    _word(b"export"),
    _word(b"URL"),
)
_CODE = re.compile(b"|".join(_TOKENS), re.DOTALL)
_SUBSTITUTION = re.compile(b"|".join((*_TOKENS, rb"\{", rb"\}")), re.DOTALL)

_SPECIFIER = rb"(?P<specifier>" + _STRING + rb")"
# A template without substitutions is as good as a string where an expression is wanted.
_LITERAL = rb"(?P<specifier>" + _STRING + rb"|`(?:[^`$\\]++|\$(?!\{)|\\.)*+`)"
_FROM = rb"from" + _GAP + _SPECIFIER
# Comments and string names within may hold braces.
_BRACES = rb"\{(?:\\u\{[^{}]*+\}|[^{}/\"'\\]++|\\|" + _COMMENT + rb"|" + _STRING + rb")*+\}"


def _grammar(*parts: bytes) -> re.Pattern[bytes]:
    """A pattern of tokens with blanks and comments between them."""
    return re.compile(_GAP.join(parts), re.DOTALL)


# import "x" | import a, {b} from "x" | import * as a from "x" | import defer * as a from "x" …
_IMPORT = _grammar(
    rb"import",
    rb"(?:" + _SPECIFIER.replace(b"specifier", b"bare") + rb"|"
    rb"(?:(?!from" + _GAP + rb"[\"'])" + _NAME + _GAP + rb"){0,2}+(?:," + _GAP + rb")?+"
    rb"(?:" + _GAP.join((rb"\*", rb"as", _NAME, rb"|")) + _BRACES + _GAP + rb")?+" + _FROM + rb")",
)
_EXPORT = _grammar(
    rb"export",
    rb"(?:" + _GAP.join((rb"\*", rb"(?:as", rb"(?:" + _NAME + rb"|" + _STRING + rb")", rb")?+|"))
    + _BRACES + _GAP + rb")" + _FROM,
)  # fmt: skip
_DYNAMIC = _grammar(rb"import", rb"(?:\." + _GAP + rb"(?:defer|source)" + _GAP + rb")?+\(", _LITERAL, rb"[,)]")
_RESOLVE = _grammar(rb"import", rb"\.", rb"meta", rb"\.", rb"resolve", rb"\(", _LITERAL, rb"[,)]")
_NEW_URL = _grammar(
    rb"URL",
    rb"\(",
    _LITERAL,
    rb",",
    rb"import",
    rb"\.",
    rb"meta",
    rb"\.",
    rb"url(?!" + _NAME_PART + rb")",
    rb"(?:,|)",
    rb"\)",
)
_SCRIPTS = _grammar(rb"importScripts", rb"\(")
_ARGUMENT = _grammar(b"", _LITERAL, rb"(?P<more>,|\))")
_TEMPLATE = re.compile(rb"(?:[^`\\$]++|\\.|\$(?!\{))*+(`|\$\{)", re.DOTALL)
_REGEX = re.compile(rb"/(?![*/])(?:[^\\/\[\n\r]++|\\[^\n\r]|\[(?:[^\]\\\n\r]++|\\[^\n\r])*+\])++/[\w$]*+")
# So many slashes that begin no regular expression are no JavaScript: the rest is not tried.
_MOST_STRAY_SLASHES = 50
_HASHBANG = re.compile(rb"(?:\xef\xbb\xbf)?#![^\n\r]*+")
_EXPORT_CANDIDATE = re.compile(rb"export(?<![\w$.]export)(?![\w$])")
_NOT_MINIFIED = re.compile(rb"<!--|-->|\xe2\x80[\xa8\xa9]")
_UNESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|[\n\r\u2028\u2029])|(.))", re.DOTALL
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}

_NEWLINE = re.compile(rb"[\n\r]|\xe2\x80[\xa8\xa9]")
_SPACES = b" \t\v\f\r\n"
_NAME_BYTES = frozenset((string.ascii_letters + string.digits + "_$\\#@").encode()) | frozenset(range(128, 256))
_LAST_WORD = re.compile(_starts_name(b"") + rb"[a-zA-Z]++\Z")
_LAST_BLANK = re.compile(rb"(?:\xc2\xa0|" + _WIDE_BLANK + rb")\Z")
_LAST_NAME = re.compile(_NAME + rb"\Z")
_LONGEST_WORD, _LONGEST_LABEL = 12, 100
# Its dot is its own: "1. in x".
_NUMBER = re.compile(rb"(?<![\w$.\\\x80-\xff])[0-9]++\.\Z")
# After these words an expression begins, so a slash begins a regular expression.
_BEFORE_EXPRESSION = frozenset(
    b"await break case continue debugger default delete do else extends in instanceof".split()
    + b"new of return throw typeof void yield".split()
)
# Names in some places, operators in others.
_AMBIGUOUS = frozenset((b"await", b"of", b"yield"))
_BEFORE_HEAD = frozenset((b"if", b"while", b"for", b"with"))
_BEFORE_OBJECT = frozenset(b"return typeof in of new void throw yield await".split())
_BRACKET = re.compile(rb"[(){}\[\]]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"(){}[]"))
_OPENED = {ord(")"): ord("("), ord("]"): ord("["), ord("}"): ord("{")}

# A regular expression without flags, before which a name must stay apart.
_REGEX_END = 256
# A newline after or before these ends no statement (automatic semicolon insertion, section 12.10).
_NO_NEWLINE_AFTER = frozenset(b"{;,([")
_NO_NEWLINE_BEFORE = frozenset(b"});,]")
# Pairs that would grow together into another token: "+ +", "- -", "/ /" and "/ *" (comments), "<!--", "-->".
_APART = frozenset((b"++", b"--", b"//", b"/*", b"<!", b"!-", b"->"))
_TO_NEWLINE_OR_SPACE = bytes.maketrans(b"\t\v\f\r", b"   \n")
_LINE_STARTS = re.compile(rb"\n[ \n]++")
_SPACE_RUNS = re.compile(rb"  ++")
_LINES = re.compile(rb"\n(?:(?=[});,\]])|(?<=[{;,(\[]\n))")
# The blanks of a text that keep nothing apart: as `_apart` says of two bytes, but on the safe side of signs and dots.
_N = rb"\w$\\#@\x80-\xff"
_GAPS = re.compile(
    rb" (?:(?=[^%(n)s.+\-*/!>])|(?<=[^%(n)s.+\-/<!] )|(?<=[%(n)s] )(?=[+\-*!>])|(?<=[+\-<!] )(?=[%(n)s]))"
    % {b"n": _N}
)  # fmt: skip


class _UnscannableError(Exception):
    """The text does not tokenize."""


def scan(text: bytes, minify: bool) -> Draft:
    """Find the references of a script or module; when minifying, leave out what the syntax tree does not hold."""
    if minify and not _NOT_MINIFIED.search(text):
        writer = Writer(text)
        squeezer = _Squeezer(text, writer)
        try:
            _Scanner(text, 0, len(text), writer, squeezer).run(len(text))
            squeezer.finish()
        except _UnscannableError:
            pass
        else:
            return writer.draft()
    writer = Writer(text)
    if (last := _last_candidate(text)) >= 0:
        _Scanner(text, 0, len(text), writer).run(last)
    return writer.draft()


def read(text: bytes, start: int, end: int, writer: Referrer) -> None:
    """Tell ``writer`` of the references in the script or module at ``start:end``."""
    _Scanner(text, start, end, writer).run(end)


def unescape(text: str) -> str:
    """Undo the escapes of a string literal (section 12.9.4)."""
    if "\\" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code:
            value = int(code, 16)
            return chr(value) if value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else "\N{REPLACEMENT CHARACTER}"
        return "" if match[4] else _ESCAPED.get(match[5], match[5])

    return _UNESCAPE.sub(replace, text)


class _Scanner:
    """One pass over one text; ``squeezer`` is there when it is minified."""

    def __init__(self, text: bytes, start: int, end: int, writer: Referrer, squeezer: _Squeezer | None = None) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.writer = writer
        self.squeezer = squeezer
        self.position = start
        self.find = _CODE.search
        # Strings and templates to come that are references, and whether the text cannot run before it has them.
        self.wanted: dict[int, tuple[Manner, bool]] = {}
        # Where the last of them ended: what a slash behind it divides is nothing ("import 'x'" and a newline).
        self.wanted_end = -1
        # What is no code, in order: (start, end, whether it is a comment).
        self.spans: list[tuple[int, int, bool]] = [(start, start, True)]
        # Of each template that is open, how many braces are open in its substitution.
        self.templates: list[int] = []
        self.brackets = _Brackets(self)
        self.stray_slashes = 0

    def run(self, last: int) -> None:
        """Go over the text up to its end, or the first token after ``last`` that no reference needs."""
        text, end, wanted, spans = self.text, self.end, self.wanted, self.spans
        if self.start == 0 and (hashbang := _HASHBANG.match(text)):
            self.position = hashbang.end()
            self._span(0, comment=True, before=KEPT)
        while match := self.find(text, self.position, end):
            start = match.start()
            if start > last and not wanted:
                return
            self.position = position = match.end()
            first = text[start]
            if first in b"\"'":
                if text[position - 1] != first or position - start < 2:
                    self._broken()
                if self.squeezer is not None:
                    self.squeezer.token(start, position)
                if start in wanted:
                    self.writer.refer(start + 1, position - 1, "js", unescape, *wanted.pop(start))
                    self.wanted_end = position
                spans.append((start, position, False))
            elif first == 0x2F:
                if position - start > 1:
                    self._comment(start)
                else:
                    self._slash(start)
            elif first == 0x60:
                self._template(start)
            elif first == 0x7B:
                self.templates[-1] += 1
            elif first == 0x7D:
                self._close_brace(start)
            else:
                self._word(start, match[0])
        if self.templates:
            self._broken()
        if self.squeezer is not None and not self.brackets.are_paired():
            self._broken()

    def _broken(self) -> None:
        """Without minifying a text that does not tokenize is read on as well as may be, as a browser reports it."""
        if self.squeezer is not None:
            raise _UnscannableError

    def _span(self, start: int, *, comment: bool = False, before: int | None = None) -> None:
        self.spans.append((start, self.position, comment))
        if self.squeezer is not None:
            self.squeezer.token(start, self.position, before)

    def _comment(self, start: int) -> None:
        if self.text[start + 1] == 0x2A and (
            self.position - start < 4 or self.text[self.position - 2 : self.position] != b"*/"
        ):
            self._broken()
        self.spans.append((start, self.position, True))
        if self.squeezer is not None and not self.squeezer.comment(start, self.position):
            return
        if url := SOURCE_MAPPING_URL.match(self.text, start, self.position):
            self.writer.refer(*url.span(1), "map")

    def _template(self, start: int) -> None:
        if start in self.wanted:
            end = _TEMPLATE.match(self.text, self.position, self.end)
            assert end is not None
            self.position = end.end()
            self._span(start)
            self.writer.refer(start + 1, self.position - 1, "js", unescape, *self.wanted.pop(start))
            return
        self._template_text(start)

    def _template_text(self, start: int) -> None:
        """Go over the text of a template, which begins at ``start``, to its end or its next substitution."""
        match = _TEMPLATE.match(self.text, self.position, self.end)
        if match is None:
            self._broken()
            self.position = self.end
            return
        self.position = match.end()
        self._span(start)
        if match[1] != b"`":
            self.templates.append(0)
        self.find = _SUBSTITUTION.search if self.templates else _CODE.search

    def _close_brace(self, start: int) -> None:
        if self.templates[-1]:
            self.templates[-1] -= 1
        else:
            self.templates.pop()
            self._template_text(start)

    def before(self, start: int, span: int | None = None) -> tuple[int, bool]:
        """Where the last significant token before ``start`` ends, and whether that is a string or the like.

        ``span`` is the index of the last span before ``start``, if that is not the last of all.
        """
        place = len(self.spans) - 1 if span is None else span
        while place >= 0:
            first, last, is_comment = self.spans[place]
            place -= 1
            if last > start:
                continue
            if end := self._code_before(last, start):
                return end, False
            if not is_comment:
                return last, True
            start = first
        return self.start, False

    def _code_before(self, start: int, end: int) -> int:
        """Where the last token between the two ends; 0 where all is blank. Long blanks are looked at piece by piece."""
        while start < end:
            code = self.text[max(start, end - 64) : end]
            bare = code.rstrip(_SPACES)
            if blank := _LAST_BLANK.search(bare, max(0, len(bare) - 3)):
                bare = bare[: blank.start()]
            elif bare:
                return end - len(code) + len(bare)
            end -= len(code) - len(bare)
        return 0

    def word_before(self, end: int, span: int | None = None) -> bytes:
        """The word that ends at ``end``; empty where it is a property's name, or none."""
        match = _LAST_WORD.search(self.text, max(self.start, end - _LONGEST_WORD), end)
        return match[0] if match is not None and not self.is_property(match.start(), span) else b""

    def is_property(self, start: int, span: int | None = None) -> bool:
        """Whether the name that begins at ``start`` stands after a dot (three dots spread)."""
        end, solid = self.before(start, span)
        if solid or self.text[end - 1 : end] != b"." or self.text[end - 3 : end] == b"...":
            return False
        return not _NUMBER.search(self.text, max(self.start, end - _LONGEST_WORD), end)

    def _slash(self, start: int) -> None:
        if self._divides(start):
            if self.squeezer is not None:
                self.squeezer.token(start, self.position)
            return
        regex = _REGEX.match(self.text, start, self.end) if self.stray_slashes < _MOST_STRAY_SLASHES else None
        if regex is None:
            self._broken()
            self.stray_slashes += 1
            return
        self.position = regex.end()
        self._span(start, before=_REGEX_END if regex[0].endswith(b"/") else None)

    def _divides(self, start: int) -> bool:
        """Whether a slash divides; what only a parser can tell is broken."""
        end, solid = self.before(start)
        if solid:
            # Unless it is the text of a template, up to the beginning of a substitution.
            return self.text[end - 2 : end] != b"${" and end != self.wanted_end
        if end == self.start:
            return False
        text, last = self.text, self.text[end - 1]
        if last in _NAME_BYTES:
            return not self._is_operator(end) and not self._is_label(end, start)
        if last in b")}":
            if last == 0x7D:
                # Which it is depends on what brace that was: a function's as a statement's, a class's, an object's.
                self._broken()
            return self.brackets.closes_operand(start)
        if last in b"+-":
            first = end
            while first > self.start and text[first - 1] == last:
                first -= 1
            return (end - first) % 2 == 0 and self._is_operand(first)
        return last == 0x5D or (last == 0x2E and text[end - 3 : end] != b"...")

    def _is_label(self, end: int, slash: int) -> bool:
        """Whether a name is what ``break`` or ``continue`` leads to, and its line ends before the slash."""
        if not _NEWLINE.search(self.text, end, slash):
            return False
        name = _LAST_NAME.search(self.text, max(self.start, end - _LONGEST_LABEL), end)
        if name is None:
            return False
        before, solid = self.before(name.start())
        return not solid and self.word_before(before) in (b"break", b"continue")

    def _is_operator(self, end: int) -> bool:
        """Whether what ends at ``end`` is a word that an expression follows, and no name."""
        word = self.word_before(end)
        if word in _AMBIGUOUS:
            self._broken()
        return word in _BEFORE_EXPRESSION

    def _is_operand(self, start: int) -> bool:
        """Whether what stands before ``++`` or ``--`` can be raised: then these come after it, and on its line."""
        end, solid = self.before(start)
        if solid or end == self.start or _NEWLINE.search(self.text, end, start):
            return False
        last = self.text[end - 1]
        if last == 0x29:
            return self.brackets.closes_operand(start)
        return last == 0x5D or (last in _NAME_BYTES and not self._is_operator(end))

    def _word(self, start: int, word: bytes) -> None:
        """Look ahead for the references of what begins with ``word``."""
        text, end = self.text, self.end
        if word == b"importScripts":
            dot = self.before(start)[0] - 1
            if not self.is_property(start) or self.word_before(self.before(dot)[0]) in (b"self", b"globalThis"):
                self._want_arguments(start)
        elif word == b"URL":
            match = None
            if self.word_before(self.before(start)[0]) == b"new" and (match := _NEW_URL.match(text, start, end)):
                self.wanted[match.start("specifier")] = "url", False
        elif self.is_property(start):
            pass
        elif word == b"export":
            if match := _EXPORT.match(text, start, end):
                self.wanted[match.start("specifier")] = "module", True
        elif match := _DYNAMIC.match(text, start, end) or _RESOLVE.match(text, start, end):
            self.wanted[match.start("specifier")] = "module", False
        elif match := _IMPORT.match(text, start, end):
            self.wanted[match.start(match.lastgroup or 0)] = "module", True

    def _want_arguments(self, start: int) -> None:
        call = _SCRIPTS.match(self.text, start, self.end)
        position = call.end() if call else self.end
        while match := _ARGUMENT.match(self.text, position, self.end):
            self.wanted[match.start("specifier")] = "url", False
            position = match.end() if match["more"] == b"," else self.end


class _Brackets:
    """Pairs a script's brackets, as far as a slash after one asks for it."""

    def __init__(self, scanner: _Scanner) -> None:
        self.scanner = scanner
        self.span = 0  # up to here the spans and the code between them have been gone over
        self.position = scanner.start
        # Where a bracket is, and the last span before it.
        self.opened: list[tuple[int, int]] = []
        self.last: tuple[int, int] | None = None

    def closes_operand(self, end: int) -> bool:
        """Whether the last closing bracket before ``end`` ends a value, and not the head of a statement or a block."""
        text, spans, opened = self.scanner.text, self.scanner.spans, self.opened
        while self.position < end:
            following = spans[self.span + 1] if self.span + 1 < len(spans) else (end, end, True)
            for match in _BRACKET.finditer(text, self.position, following[0]):
                if match[0] in b"([{":
                    opened.append((match.start(), self.span))
                else:
                    self.last = opened.pop() if opened else None
            self.position = following[1]
            if self.span + 1 < len(spans):
                self.span += 1
        if self.last is None:
            return False
        start, span = self.last
        return self._groups(start, span) if text[start] == 0x28 else self._is_object(start, span)

    def are_paired(self) -> bool:
        """Whether all brackets of the text are closed by their own kind."""
        text, position, code = self.scanner.text, self.scanner.start, []
        for start, end, _ in self.scanner.spans:
            code.append(text[position:start])
            position = end
        code.append(text[position : self.scanner.end])
        opened: list[int] = []
        for bracket in b"".join(code).translate(None, _NOT_BRACKETS):
            if bracket not in _OPENED:
                opened.append(bracket)
            elif not opened or opened.pop() != _OPENED[bracket]:
                return False
        return not opened

    def _groups(self, start: int, span: int) -> bool:
        """Whether a parenthesis opens a group or a call's arguments, and not a statement's head."""
        end, solid = self.scanner.before(start, span)
        word = b"" if solid else self.scanner.word_before(end, span)
        if word == b"await":
            word = self.scanner.word_before(self.scanner.before(end - len(word), span)[0], span)
        return word not in _BEFORE_HEAD

    def _is_object(self, start: int, span: int) -> bool:
        """Whether a brace opens an object, and not a block."""
        end, solid = self.scanner.before(start, span)
        if solid or end == self.scanner.start:
            return False
        return self.scanner.text[end - 1] in b"=([,?&|^%*<!~+-" or self.scanner.word_before(end, span) in _BEFORE_OBJECT


class _Squeezer(Squeezer):
    """What blanks and newlines mean in JavaScript."""

    def least(self, run: Run, after: int) -> bytes:
        before = self.before
        if before == EDGE:
            return b""
        if KEPT in (before, after):
            return b"\n" if run.newline else b" " if run.blank else b""
        if run.newline:
            return b"" if before in _NO_NEWLINE_AFTER or after in _NO_NEWLINE_BEFORE else b"\n"
        return b" " if _apart(before, after) else b""

    def squeezed(self, code: bytes) -> bytes:
        if b"\\u{" in code:
            # A name that may end with a brace, which the patterns for blanks do not know.
            raise _UnscannableError
        code = code.translate(_TO_NEWLINE_OR_SPACE)
        if b"\n" in code:
            code = _LINE_STARTS.sub(b"\n", code)
            code = _SPACE_RUNS.sub(b" ", code)
            code = _LINES.sub(b"", code.replace(b" \n", b"\n"))
        elif b"  " in code:
            code = _SPACE_RUNS.sub(b" ", code)
        return _GAPS.sub(b"", code) if b" " in code else code


def _apart(before: int, after: int) -> bool:
    """Whether a blank keeps two tokens apart that end and begin so."""
    if before in _NAME_BYTES:
        return after in _NAME_BYTES or after == 0x2E
    if before == _REGEX_END:
        # Its flags would swallow a word.
        return after in _NAME_BYTES or after == 0x2F
    if before == 0x2E:
        # "1. in x": a number may not touch a name.
        return after in _NAME_BYTES or after == 0x2E
    return bytes((before, after)) in _APART


def _last_candidate(text: bytes) -> int:
    """Where the last thing begins that may refer; -1 where there is none."""
    # Looking from the start is much the faster way to find that there is none.
    last = max(text.rfind(word) if word in text else -1 for word in (b"import", b"sourceMappingURL="))
    for match in _EXPORT_CANDIDATE.finditer(text, last + 1):
        last = match.start()
    return last
