r"""JavaScript (ECMA-262): the specifiers of static and dynamic imports, and ``sourceMappingURL``, by tokenizing.

The scanner looks for the next token that can matter and keeps what lies before it:

1. A run of comments and blanks: kept, or when minifying squeezed to a blank, a newline (where one may end a
   statement) or nothing.
2. ``import`` and ``export``: a pattern of the grammar's import clause finds the specifier, which becomes a hole when
   the scanner comes to it. Only specifiers that begin with ``/``, ``./`` or ``../`` name files.
3. Strings, templates, regular expressions: kept. Whether a slash divides or begins a regular expression is decided by
   the token before it (section 12.1), for which brackets are kept on a stack.

A text that does not tokenize (unterminated string, comment, template or bracket), or that holds HTML-like comments
(annex B) or U+2028 or U+2029, is not minified. Patterns are possessive or follow the grammar, and what is unterminated
is consumed or given up, so that time is linear in the input.
"""

from __future__ import annotations

import re
import string

from assetpipe.references.draft import SOURCE_MAPPING_URL, Draft, Writer, is_kept

_COMMENT = rb"//(?:[^\n\r\xe2]++|\xe2(?!\x80[\xa8\xa9]))*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
_BLANKS = rb"[ \t\v\f\r\n]++|\xc2\xa0|\xef\xbb\xbf|\xe2\x80[\xa8\xa9]"
_STRING = rb""""(?:[^"\\\n\r]++|\\(?:\r\n|.))*+"|'(?:[^'\\\n\r]++|\\(?:\r\n|.))*+'"""
_NAME = rb"[\w$\\\x80-\xff]++"
_GAP = rb"(?:" + _BLANKS + rb"|" + _COMMENT + rb")*+"
_TOKENS = rb"""
  | (?P<string>%(string)s)
  | (?P<bracket>[(){}\[\]])
  | (?P<slash>/)
  | (?P<template>`)
  | (?P<module>(?:(?<![\w$#\\\x80-\xff])|(?<=\xc2\xa0)|(?<=\xef\xbb\xbf))(?:import|export)(?![\w$\\\x80-\xff]))
  | (?P<stray>"(?:[^"\\\n\r]++|\\(?:\r\n|.))*+|'(?:[^'\\\n\r]++|\\(?:\r\n|.))*+)
""" % {b"string": _STRING}
_FLAGS = re.DOTALL | re.VERBOSE
_SCAN = re.compile(rb"(?P<blank>(?:" + _COMMENT + rb")++)" + _TOKENS, _FLAGS)
_SCAN_ALL = re.compile(rb"(?P<blank>(?:" + _BLANKS + rb"|" + _COMMENT + rb")++)" + _TOKENS, _FLAGS)

_SPECIFIER = rb"(?P<specifier>" + _STRING + rb")"
_FROM = rb"from" + _GAP + _SPECIFIER
# Comments and string names within may hold braces.
_BRACES = rb"\{(?:[^{}/\"']++|" + _COMMENT + rb"|" + _STRING + rb")*+\}"
# import "x" | import a, {b} from "x" | import * as a from "x" | import defer * as a from "x" …
_IMPORT = re.compile(
    rb"import" + _GAP + rb"(?:" + _SPECIFIER + rb"|"
    rb"(?:(?!" + rb"from" + _GAP + rb"[\"'])" + _NAME + _GAP + rb"){0,2}+"
    rb"(?:," + _GAP + rb")?+"
    rb"(?:\*"
    + _GAP
    + rb"as"
    + _GAP
    + _NAME
    + _GAP
    + rb"|"
    + _BRACES
    + _GAP
    + rb")?+"
    + _FROM.replace(b"<specifier>", b"<after_from>")
    + rb")",
    re.DOTALL,
)
_EXPORT = re.compile(
    rb"export" + _GAP + rb"(?:\*" + _GAP + rb"(?:as" + _GAP + rb"(?:" + _NAME + rb"|" + _STRING + rb")" + _GAP + rb")?+"
    rb"|" + _BRACES + _GAP + rb")" + _FROM,
    re.DOTALL,
)
_DYNAMIC = re.compile(
    rb"import" + _GAP + rb"(?:\." + _GAP + rb"(?:defer|source)" + _GAP + rb")?+\(" + _GAP
    + rb"(?P<specifier>" + _STRING + rb"|`(?:[^`$\\]++|\$(?!\{))*+`)" + _GAP + rb"[,)]",
    re.DOTALL,
)  # fmt: skip
_TEMPLATE = re.compile(rb"(?:[^`\\$]++|\\.|\$(?!\{))*+(`|\$\{)", re.DOTALL)
_REGEX = re.compile(rb"/(?![*/])(?:[^\\/\[\n\r]++|\\[^\n\r]|\[(?:[^\]\\\n\r]++|\\[^\n\r])*+\])++/[\w$]*+")
_WORD = re.compile(rb"(?<![\w$\x80-\xff])(#|(?<!\.\.)\.|)([a-z]++)\Z")
_FOR = re.compile(rb"\bfor\s*+\Z")
# After these words an expression begins, so a slash begins a regular expression.
_BEFORE_EXPRESSION = frozenset(
    b"await break case continue default delete do else extends in instanceof".split()
    + b"new of return throw typeof void yield".split()
)
# Names in some places, operators in others.
_AMBIGUOUS = frozenset((b"await", b"of", b"yield"))
_BEFORE_HEAD = frozenset((b"if", b"while", b"for", b"with"))
_COMMENTS = re.compile(_COMMENT, re.DOTALL)
_UNTERMINATED = re.compile(rb"(?:" + _BLANKS + rb"|//[^\n\r]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+/\*", re.DOTALL)
_HASHBANG = re.compile(rb"(?:\xef\xbb\xbf)?#![^\n\r]*+[\n\r]?")
_NEWLINES = re.compile(rb"[\n\r]|\xe2\x80[\xa8\xa9]")
_CANDIDATE = re.compile(rb"\b(?:import|export)\b|sourceMappingURL=")
_NOT_MINIFIED = re.compile(rb"<!--|-->|\xe2\x80[\xa8\xa9]")
_UNESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|[\n\r\u2028\u2029])|(.))", re.DOTALL
)
# So many slashes that begin no regular expression are no JavaScript: the rest is not tried.
_MOST_STRAY_SLASHES = 50
_SINGLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}

_NAME_BYTES = frozenset((string.ascii_letters + string.digits + "_$\\#@").encode()) | frozenset(range(128, 256))
# A newline after or before these ends no statement (automatic semicolon insertion, section 12.10).
_NO_NEWLINE_AFTER = frozenset(b"{;,([")
_NO_NEWLINE_BEFORE = frozenset(b"});,]")
# Beside these a blank separates nothing.
_TIGHT = frozenset(b"{}()[];,:?=&|^~%\"'`")
# Pairs that would grow together into another token: "+ +", "- -", "/ /" and "/ *" (comments), "<!--", "-->".
_APART = frozenset((b"++", b"--", b"//", b"/*", b"<!", b"!-", b"->"))


class _UnscannableError(Exception):
    """The text does not tokenize."""


def scan(text: bytes, minify: bool) -> Draft:
    """Find the references of a script or module; when minifying, leave out what the syntax tree does not hold."""
    if not minify and not _CANDIDATE.search(text):
        return Writer.whole(text)
    if minify and not _NOT_MINIFIED.search(text):
        try:
            return _Scanner(text, minify=True).run()
        except _UnscannableError:
            pass
    return _Scanner(text, minify=False).run()


def unescape(text: str) -> str:
    """Undo the escapes of a string literal (section 12.9.4)."""
    if "\\" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code:
            value = int(code, 16)
            return chr(value) if value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else "\N{REPLACEMENT CHARACTER}"
        return "" if match[4] else _SINGLE.get(match[5], match[5])

    return _UNESCAPE.sub(replace, text)


class _Scanner:
    """One pass over one text.

    ``last`` is the last significant byte (0 at the start); ``last_end`` where it ends in the text; ``solid`` whether
    it ends a string, template or regular expression, which is no punctuation; ``divides`` overrides, after a bracket,
    whether a slash would divide.
    """

    def __init__(self, text: bytes, *, minify: bool) -> None:
        self.text = text
        self.minify = minify
        self.writer = Writer(text)
        self.specifiers: dict[int, str] = {}
        self.brackets: list[str] = []
        self.position = 0
        self.last = 0
        self.last_end = 0
        self.solid = False
        self.divides: bool | None = None
        self.stray_slashes = 0

    def run(self) -> Draft:
        text, find = self.text, (_SCAN_ALL if self.minify else _SCAN).search
        if hashbang := _HASHBANG.match(text):
            self.writer.keep(hashbang[0])
            self.position = hashbang.end()
        while match := find(text, self.position):
            start = match.start()
            if start > self.position:
                self._code(start)
            self.position = match.end()
            kind = match.lastgroup
            if kind == "blank":
                self._blank(start, match[0])
            elif kind == "string":
                self._literal(start, self.specifiers.pop(start, ""))
            elif kind == "bracket":
                self._bracket(start, match[0])
            elif kind == "template":
                self._template(start)
            elif kind == "slash":
                self._slash(start)
            elif kind == "module":
                self._module(start, match[0])
            else:
                self._broken()
                self._mark(start, match[0])
        if self.position < len(text):
            self._code(len(text))
        if self.brackets:
            self._broken()
        return self.writer.draft()

    def _broken(self) -> None:
        """Without minifying a text that does not tokenize is read on as well as may be, as a browser reports it."""
        if self.minify:
            raise _UnscannableError

    def _mark(self, start: int, token: bytes, *, solid: bool = False, divides: bool | None = None) -> None:
        self.writer.keep(token)
        self._seen(start + len(token), solid=solid, divides=divides)

    def _seen(self, end: int, *, solid: bool = False, divides: bool | None = None) -> None:
        self.last, self.last_end, self.solid, self.divides = self.text[end - 1], end, solid, divides

    def _code(self, end: int) -> None:
        """Keep the tokens that cannot matter, up to ``end``."""
        code = self.text[self.position : end]
        self.writer.keep(code)
        # Unless minifying, blanks are part of it.
        significant = len(code.rstrip(b" \t\v\f\r\n"))
        if significant:
            self._seen(self.position + significant)
        self.position = end

    def _word(self) -> bytes:
        """The word that ends with the last significant byte; empty where it is a property's name, or none."""
        match = _WORD.search(self.text, max(0, self.last_end - 12), self.last_end)
        return b"" if match is None or match[1] else match[2]

    def _literal(self, start: int, kind: str) -> None:
        token = self.text[start : self.position]
        inside = unescape(token[1:-1].decode(errors="surrogateescape"))
        if kind and inside.startswith(("/", "./", "../")):
            self.writer.keep(token[:1])
            self.writer.refer(start + 1, self.position - 1, inside, kind)
            self.writer.keep(token[-1:])
        else:
            self.writer.keep(token)
        self._seen(self.position, solid=True, divides=True)

    def _bracket(self, start: int, bracket: bytes) -> None:
        divides: bool | None = False
        if bracket == b"(":
            self.brackets.append("head" if self._word() in _BEFORE_HEAD or self._is_for_await() else "group")
        elif bracket == b"{":
            self.brackets.append("expression" if self._expects_expression() else "block")
        elif bracket == b"[":
            self.brackets.append("index")
        else:
            if not self.brackets:
                self._broken()
            opened = self.brackets.pop() if self.brackets else "block"
            divides = opened in ("group", "expression", "index")
            if opened == "substitution" and bracket == b"}":
                self.writer.keep(bracket)
                self._template_text()
                return
        self._mark(start, bracket, divides=divides)

    def _is_for_await(self) -> bool:
        return (
            self._word() == b"await"
            and _FOR.search(self.text, max(0, self.last_end - 40), self.last_end - 5) is not None
        )

    def _expects_expression(self) -> bool:
        """Whether an opening brace here begins an object, not a block."""
        if self.solid or not self.last:
            return False
        if self.last in b"=([,?&|^%*<!~+-":
            return True
        return self._word() in (b"return", b"typeof", b"in", b"of", b"new", b"void", b"throw", b"yield", b"await")

    def _slash(self, start: int) -> None:
        if (self.last == ord("}") and not self.solid) or self._word() in _AMBIGUOUS:
            # Which it is depends on more than the token before: what brace that was, whether the word is a name.
            self._broken()
        if self._slash_divides():
            self._mark(start, b"/")
            return
        regex = _REGEX.match(self.text, start) if self.stray_slashes < _MOST_STRAY_SLASHES else None
        if regex is None:
            self._broken()
            self.stray_slashes += 1
            self._mark(start, b"/")
            return
        self.position = regex.end()
        self._mark(start, regex[0], solid=True, divides=True)

    def _slash_divides(self) -> bool:
        if self.divides is not None:
            return self.divides
        if self.last in _NAME_BYTES:
            return self._word() not in _BEFORE_EXPRESSION
        if self.last in b"+-":
            return self.text[self.last_end - 2 : self.last_end] in (b"++", b"--")
        return self.last == ord(".") and self.text[self.last_end - 3 : self.last_end] != b"..."

    def _template(self, start: int) -> None:
        kind = self.specifiers.pop(start, "")
        end = self.text.find(b"`", self.position) + 1
        if kind and end:
            self.position = end
            self._literal(start, kind)
            return
        self.writer.keep(b"`")
        self._template_text()

    def _template_text(self) -> None:
        """Keep the text of a template from here to its end or its next substitution."""
        match = _TEMPLATE.match(self.text, self.position)
        if match is None:
            self._broken()
            self.writer.keep(self.text[self.position :])
            self.position = len(self.text)
            return
        self.writer.keep(match[0])
        self.position = match.end()
        if match[1] == b"`":
            self._seen(self.position, solid=True, divides=True)
        else:
            self.brackets.append("substitution")
            self._seen(self.position, divides=False)

    def _module(self, start: int, word: bytes) -> None:
        """Look ahead for the specifier of a declaration or call that begins here."""
        property_name = self.last == ord(".") and self.text[self.last_end - 3 : self.last_end] != b"..."
        if not property_name:
            if word == b"export":
                match = _EXPORT.match(self.text, start)
                if match:
                    self.specifiers[match.start("specifier")] = "import"
            elif match := _DYNAMIC.match(self.text, start):
                self.specifiers[match.start("specifier")] = "import"
            elif match := _IMPORT.match(self.text, start):
                self.specifiers[match.start(match.lastgroup or 0)] = "import"
        self._mark(start, word)

    def _blank(self, start: int, blank: bytes) -> None:
        """Put out a run of blanks and comments."""
        if self.position == len(self.text) and _UNTERMINATED.match(blank):
            self._broken()
        if b"/" not in blank or not is_kept(blank):
            self.writer.keep(self._squeezed(blank) if self.minify else blank)
            return
        position = 0
        for comment in _COMMENTS.finditer(blank):
            if self.minify and not is_kept(comment[0]):
                continue
            between = blank[position : comment.start()]
            self.writer.keep(_least(between) if self.minify else between)
            position = comment.end()
            if url := SOURCE_MAPPING_URL.search(comment[0]):
                at = start + comment.start()
                self.writer.keep(comment[0][: url.start(1)])
                self.writer.refer(at + url.start(1), at + url.end(1), url[1].decode(errors="surrogateescape"), "map")
                self.writer.keep(comment[0][url.end(1) :])
            else:
                self.writer.keep(comment[0])
        rest = blank[position:]
        self.writer.keep(_least(rest) if self.minify and rest else rest)

    def _squeezed(self, blank: bytes) -> bytes:
        """The least that keeps the tokens on its two sides apart, and the statements."""
        if self.position == len(self.text) or not self.last:
            return b""
        before, after = self.last, self.text[self.position]
        if _NEWLINES.search(blank):
            if (before in _NO_NEWLINE_AFTER and not self.solid) or after in _NO_NEWLINE_BEFORE:
                return b""
            return b"\n"
        if self.solid:
            # The flags of a regular expression would swallow a word.
            return b" " if before not in b"\"'`" and (after in _NAME_BYTES or after == ord("/")) else b""
        if before in _NAME_BYTES:
            apart = after in _NAME_BYTES or after == ord(".")
        elif before == ord("."):
            # "1. in x": a number may not touch a name.
            number = self.text[self.last_end - 2 : self.last_end - 1].isdigit()
            apart = after in b".0123456789" or (number and after in _NAME_BYTES)
        else:
            apart = bytes((before, after)) in _APART
        return b" " if apart else b""


def _least(blank: bytes) -> bytes:
    """A newline if there was one, or else a blank."""
    return b"\n" if _NEWLINES.search(blank) else blank[:1] and b" "
