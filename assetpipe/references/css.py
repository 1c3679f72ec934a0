r"""CSS (CSS Syntax Level 3): every URL that a style sheet names, found by tokenizing.

The scanner goes from one thing that can matter to the next, and what lies between is kept:

1. Comments (a ``sourceMappingURL`` within is a reference), strings and escapes, which are skipped whole.
2. An opening parenthesis: the name before it says whether a URL follows (``url``, ``src``) or strings that are URLs
   (``image-set``, CSS Images 4 section 2.4).
3. ``@import`` and its string; ``@namespace`` and ``@document``, whose URLs name no files.
4. A custom property. A URL in its value is resolved where ``var()`` puts it, in whatever style sheet that is: it is
   spelt from the site's root. When minifying, the value stays as it is, since scripts can read it, and so does the
   fallback in a ``var()``.

Brackets are counted in the values of custom properties and in ``image-set()`` alone. Every branch of the patterns
begins with a byte of its own, which lets the search skip ahead, and repeats possessively, which keeps it linear.
"""

from __future__ import annotations

import re
import string

from assetpipe.references.draft import SOURCE_MAPPING_URL, Draft, Manner, Referrer, Writer
from assetpipe.references.squeeze import BROKEN, EDGE, KEPT, Run, Squeezer

_COMMENT = rb"/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
_HEX = rb"[0-9a-fA-F]{1,6}+(?:\r\n|[ \t\n\r\f])?"
_DOUBLE = rb'"(?:[^"\\\n\r\f]++|\\(?:' + _HEX + rb'|\r\n|.)?)*+"?'
_SINGLE = rb"'(?:[^'\\\n\r\f]++|\\(?:" + _HEX + rb"|\r\n|.)?)*+'?"
_ESCAPE = rb"\\(?:" + _HEX + rb"|[^\n\r\f])"
_NAME = rb"(?:[\w\-\x80-\xff]++|" + _ESCAPE + rb")"
_SPACE = rb"[ \t\n\r\f]*+"
_GAP = rb"(?:[ \t\n\r\f]++|" + _COMMENT + rb")*+"
# A value in which nothing can refer: no comment or escape, nor a function that ends like url, src or image-set; calls
# within calls up to a depth that values have.
_REFERRING = rb"(?<=[uUsS][rReE][lLcCtT]\()"
_WORDS = rb"""[^;{}()\[\]"'/\\]++|/(?!\*)|"[^"\\\n\r\f]*+"|'[^'\\\n\r\f]*+'"""


def _call(depth: int) -> bytes:
    """A pattern for a parenthesis in which nothing can refer, with so many within."""
    within = rb"|" + _call(depth - 1) if depth else b""
    return rb"\((?!" + _REFERRING + rb")(?:" + _WORDS + within + rb")*+\)"


_PLAIN = rb"(?:" + _WORDS + rb"|" + _call(4) + rb")*+((?=[;})])|\Z)?"
# Up to 64 escapes: behind the blank of one, "--" goes on with the name, and is where the search begins again.
# What stands before makes it another name, a hash (#--x), a class (.--x), or a selector (:--x, &--x).
_CUSTOM = rb"--(?<![\w\-\x80-\xff\\#.:!&]--)" + _NAME + rb"{0,64}+" + _GAP
_TOKEN = rb"|".join((_COMMENT, _DOUBLE, _SINGLE, rb"\\(?:" + _ESCAPE[2:] + rb")?", rb"@" + _NAME + rb"*+"))
_VALUE = _CUSTOM + rb"[:,]" + _PLAIN
# The parenthesis of a function whose name ends like url, src or image-set; of any function; and any bracket.
_TOKENS = re.compile(rb"|".join((_TOKEN, _VALUE, rb"\(" + _REFERRING)), re.DOTALL)
_ESCAPED_TOKENS = re.compile(rb"|".join((_TOKEN, _VALUE, rb"\(")), re.DOTALL)
_NESTED = re.compile(rb"|".join((_TOKEN, rb"\(", rb"\)", rb"\[", rb"\]", rb"\{", rb"\}", rb";")), re.DOTALL)
_DECLARATION = re.compile(_CUSTOM + rb":", re.DOTALL)
_SPACED_COMMENT = re.compile(_SPACE + rb"(" + _COMMENT + rb")", re.DOTALL)
# What an @import names begins where this ends, whether it is a string or within url() or src().
_IMPORTED = re.compile(_GAP + rb"(?:" + _NAME + rb"++\(" + _GAP + rb")?+[\"']?+", re.DOTALL)
_PRELUDE = re.compile(
    rb"(?:[^;{}\"'/\\]++|" + rb"|".join((_DOUBLE, _SINGLE, _COMMENT, rb"/", _ESCAPE)) + rb")*+", re.DOTALL
)
_QUOTED = re.compile(_SPACE + rb"(" + _DOUBLE + rb"|" + _SINGLE + rb")", re.DOTALL)
_BARE = re.compile(
    _SPACE + rb"((?:[^\"'()\\ \t\n\r\f\x00-\x08\x0b\x0e-\x1f\x7f]++|" + _ESCAPE + rb")*+)" + _SPACE + rb"(?:\)|\Z)",
    re.DOTALL,
)
_BAD_URL = re.compile(rb"(?:[^)\\]++|\\.?)*+\)?", re.DOTALL)
_NAME_BEFORE = re.compile(_NAME + rb"++\Z", re.DOTALL)
# A name is looked for in so many bytes before its parenthesis: `\000075 \000072 \00006c ` is 24.
_LONGEST_NAME = 64
# Before "url(" one of these makes another token of it, or another name.
_NOT_BEFORE_URL = frozenset(b"-\\#@_" + (string.digits + string.ascii_letters).encode() + bytes(range(128, 256)))
_ESCAPED_NAME = re.compile(rb"\\[^(\"';{}]{1,64}\(|@[\w\-]{0,20}\\")
_CANDIDATES = (b"url(", b"src(", b"image-set(", b"@import", b"sourcemappingurl=")
_UNESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|[\n\r\f])|(.))", re.DOTALL)
_CLOSING = {ord("("): ord(")"), ord("["): ord("]"), ord("{"): ord("}")}
# Closes an image-set(), whose strings are URLs.
_SET_END = 256 + ord(")")
_ESCAPED = -3
# Around these a blank means nothing, wherever they stand as punctuation.
_TIGHT = frozenset(b"{};,")
_BLANK_TO_SPACE = bytes.maketrans(b"\t\n\r\f", b"    ")
_BLANK_RUNS = re.compile(rb"  ++")
_TIGHT_BLANKS = re.compile(rb" (?:(?=[{};,])|(?<=[{};,] ))")
# In a declaration, that is where a semicolon or the end of the block comes before any other brace.
_AFTER_COLON = re.compile(rb": (?<=[\w\-\x80-\xff]: )(?=[^{};:]*+[;}])")


def scan(text: bytes, minify: bool) -> Draft:
    """Find the references of a style sheet; when minifying, leave out comments and blanks that change no token."""
    writer = Writer(text)
    if minify:
        squeezer = _Squeezer(text, writer)
        _Scanner(text, 0, len(text), writer, squeezer).run(len(text))
        squeezer.finish()
    elif (last := _last_candidate(text)) >= 0:
        _Scanner(text, 0, len(text), writer).run(last)
    return writer.draft()


def read(text: bytes, start: int, end: int, writer: Referrer) -> None:
    """Tell ``writer`` of the references in the style sheet, or the value of a ``style`` attribute, at ``start:end``."""
    _Scanner(text, start, end, writer).run(end)


def unescape(text: str) -> str:
    """Undo the escapes of a string or a url (CSS Syntax section 4.3.7); an escaped newline is nothing."""
    if "\\" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            code = int(match[1], 16)
            return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\N{REPLACEMENT CHARACTER}"
        return match[3] or ""

    return _UNESCAPE.sub(replace, text)


class _Scanner:
    """One pass over one style sheet; ``squeezer`` is there when it is minified."""

    def __init__(self, text: bytes, start: int, end: int, writer: Referrer, squeezer: _Squeezer | None = None) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.writer = writer
        self.squeezer = squeezer
        self.position = start
        self.search = self.find = (_ESCAPED_TOKENS if _has_escaped_names(text) else _TOKENS).search
        self.escaped = -1  # where the last escape ends
        self.imported = -1  # where what the last @import names begins
        # What closes each bracket that is open, within a value that stays as it is or an image-set().
        self.closing: list[int] = []
        self.value_start = -1
        self.manner: Manner = "url"
        self.tokens = {
            **dict.fromkeys(b"\"'", self._string),
            **dict.fromkeys(b"[{", self._open),
            **dict.fromkeys(b")]};", self._close),
            ord("("): self._function,
            ord("/"): self._comment,
            ord("\\"): self._escape,
            ord("@"): self._at_rule,
            ord("-"): self._custom,
        }

    def run(self, last: int) -> None:
        """Go over the text up to its end, or the first token after ``last``."""
        text, end, tokens = self.text, self.end, self.tokens
        while match := self.find(text, self.position, end):
            start = match.start()
            if start > last and self.find == self.search:
                return
            self.position = match.end()
            first = text[start]
            if match.lastindex and start != self.escaped:
                # A custom property, and a value in which nothing can refer.
                self._token(start)
            else:
                tokens[first](start)
        if self.value_start >= 0:
            self._end_value(end)

    def _token(self, start: int, before: int | None = None) -> None:
        if self.squeezer is not None and self.value_start < 0:
            self.squeezer.token(start, self.position, before)

    def _function(self, start: int) -> None:
        name = self._name_before(start)
        if name == "url" and (string := _QUOTED.match(self.text, self.position, self.end)):
            self._nest(0x29)
            self._quoted(string)
        elif name == "src":
            self._nest(0x29)
            self._token(start)
            self._first_string()
        elif name == "url":
            bare = _BARE.match(self.text, self.position, self.end)
            # A bad url token: all up to the next parenthesis belongs to it (CSS Syntax section 4.3.14).
            contents = bare or _BAD_URL.match(self.text, self.position, self.end)
            assert contents is not None
            self.position = contents.end()
            self._token(start + 1)
            if bare is not None:
                self._refer(*bare.span(1))
        elif name in ("image-set", "-webkit-image-set"):
            self.closing.append(_SET_END)
            self.find = _NESTED.search
        else:
            self._nest(0x29)

    def _name_before(self, start: int) -> str:
        """The name of the function that opens at ``start``, in lower case; empty where there is none."""
        if self.text[start - 3 : start].lower() == b"url" and self.text[start - 4] not in _NOT_BEFORE_URL:
            return "url"
        match = _NAME_BEFORE.search(self.text, max(self.start, start - _LONGEST_NAME), start)
        if match is None or (match.start() > self.start and self.text[match.start() - 1] in b"#@"):
            return ""
        name = match[0].removeprefix(b"--") if self.text.endswith(b"<!", 0, match.start()) else match[0]
        return unescape(name.decode(errors="replace")).lower()

    def _string(self, start: int) -> None:
        self._string_token(start)
        if self.closing and self.closing[-1] == _SET_END:
            self._refer_string(start, self.position)

    def _string_token(self, start: int) -> None:
        self._token(start, None if self._is_closed(start, self.position) else BROKEN)

    def _quoted(self, string: re.Match[bytes]) -> None:
        self.position = string.end()
        self._string_token(string.start(1))
        self._refer_string(*string.span(1))

    def _first_string(self) -> None:
        """Refer to the string that comes next, but for comments."""
        while comment := _SPACED_COMMENT.match(self.text, self.position, self.end):
            self.position = comment.end()
            self._comment(comment.start(1))
        if string := _QUOTED.match(self.text, self.position, self.end):
            self._quoted(string)

    def _is_closed(self, start: int, end: int) -> bool:
        """Whether a string token has its closing quote; a bad string has none."""
        contents = self.text[start + 1 : end - 1]
        escapes = len(contents) - len(contents.rstrip(b"\\"))
        return end - start > 1 and self.text[end - 1] == self.text[start] and escapes % 2 == 0

    def _refer_string(self, start: int, end: int) -> None:
        """Refer to what a string token names; the text's end closes it, but a bad string names nothing."""
        if self._is_closed(start, end):
            self._refer(start + 1, end - 1)
        elif end == self.end:
            # A backslash that ends the text is nothing, too (CSS Syntax section 4.3.5).
            escapes = self.text[start:end].rstrip(b"\\")
            self._refer(start + 1, end - (end - start - len(escapes)) % 2)

    def _refer(self, start: int, end: int) -> None:
        self.writer.refer(start, end, "css", unescape, self.manner, start == self.imported)

    def _comment(self, start: int) -> None:
        stays = True
        if self.squeezer is not None and self.value_start < 0:
            stays = self.squeezer.comment(start, self.position)
        if stays and (url := SOURCE_MAPPING_URL.match(self.text, start, self.position)):
            self.writer.refer(*url.span(1), "map")

    def _escape(self, start: int) -> None:
        self.escaped = self.position
        self._token(start, _ESCAPED if self.position - start > 1 else BROKEN)

    def _at_rule(self, start: int) -> None:
        written = self.text[start + 1 : self.position]
        rule = unescape(written.decode(errors="replace")).lower()
        if rule in ("namespace", "document", "-moz-document"):
            prelude = _PRELUDE.match(self.text, self.position, self.end)
            assert prelude is not None
            self.position = prelude.end()
            self._token(start)
        elif rule == "import":
            imported = _IMPORTED.match(self.text, self.position, self.end)
            assert imported is not None
            self.imported = imported.end()
            self._token(start)
            self._first_string()
        elif b"\\" in written:
            self._token(start, _ESCAPED)

    def _custom(self, start: int) -> None:
        """Go over the beginning of a custom property, or of the fallback in a ``var()``."""
        is_declaration = start != self.escaped and _DECLARATION.match(self.text, start, self.end)
        self._token(start)
        if is_declaration:
            self.manner = "rooted"
        elif start == self.escaped or self.text[start - 1 : start] != b"(":
            return
        self.value_start = self.position
        self.find = _NESTED.search

    def _nest(self, closing: int) -> None:
        if self.find != self.search:
            self.closing.append(closing)

    def _open(self, start: int) -> None:
        self.closing.append(_CLOSING[self.text[start]])

    def _close(self, start: int) -> None:
        """Go over a closing bracket or a semicolon, which may end a value or an image-set()."""
        if self.closing:
            if self.closing[-1] & 0xFF == self.text[start]:
                self.closing.pop()
            if not self.closing and self.value_start < 0:
                self.find = self.search
        elif self.text[start] != 0x5D:
            self._end_value(start)

    def _end_value(self, end: int) -> None:
        if self.squeezer is not None:
            self.squeezer.token(self.value_start, end)
        self.position = end
        self.value_start = -1
        self.manner = "url"
        self.find = self.search
        self.closing.clear()


class _Squeezer(Squeezer):
    """What blanks mean in CSS."""

    blanks = b" \t\n\r\f"

    def least(self, run: Run, after: int) -> bytes:
        before = self.before
        if before == BROKEN:
            return b"\n"
        if before in _TIGHT or after in _TIGHT or before == EDGE:
            return b""
        if KEPT in (before, after):
            return b"\n" if run.newline else b" " if run.blank else b""
        # Without a blank among them, comments separate tokens but are no combinator: "a/**/b" is not "a b". And behind
        # an escape, a first blank would be part of it.
        if not run.blank:
            return b"/**/"
        return b"/**/ " if run.comment_first and before == _ESCAPED else b" "

    def squeezed(self, code: bytes) -> bytes:
        code = code.translate(_BLANK_TO_SPACE)
        if b" " not in code:
            return code
        if b"  " in code:
            code = _BLANK_RUNS.sub(b" ", code)
        code = _TIGHT_BLANKS.sub(b"", code)
        return _AFTER_COLON.sub(b":", code) if b": " in code else code


def _has_escaped_names(text: bytes) -> bool:
    """Whether a function's or an at-rule's name may be written with escapes."""
    return b"\\" in text and _ESCAPED_NAME.search(text) is not None


def _last_candidate(text: bytes) -> int:
    """A place that no token begins after that may refer; -1 where there is none at all."""
    if _has_escaped_names(text):
        return len(text)
    lower = text.lower()
    # Looking from the start is much the faster way to find that there is none.
    return max(lower.rfind(name) + len(name) if name in lower else -1 for name in _CANDIDATES)
