r"""CSS (CSS Syntax Level 3): ``url()``, ``@import`` and ``sourceMappingURL``, found by tokenizing.

The scanner looks for the next thing that can matter and keeps what lies before it:

1. A run of comments and blanks: kept, or when minifying left out or squeezed to what the grammar needs.
2. ``url(`` with its unquoted contents or its string: a hole. ``@import`` makes the string after it a hole.
3. Any other string, an escape, ``@namespace`` with its whole prelude (its URL names no file): kept.
4. When minifying, the start of a custom property's value, or of the fallback in a ``var()``: text that scripts can
   read, so its blanks stay.

Every pattern is possessive or a single class, so time is linear in the input whatever it is.
"""

from __future__ import annotations

import re

from assetpipe.references.draft import SOURCE_MAPPING_URL, Draft, Writer, is_kept

_COMMENT = rb"/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
_STRING = rb""""(?:[^"\\\n\r\f]++|\\(?:\r\n|.)?)*+"?|'(?:[^'\\\n\r\f]++|\\(?:\r\n|.)?)*+'?"""
_ESCAPE = rb"\\(?:[0-9a-f]{1,6}+(?:\r\n|[ \t\n\r\f])?|[^\n\r\f])"
_NOT_IN_NAME = rb"(?<![\w\-\x80-\xff\\])"
_PATTERN = rb"""
    (?P<blank>%(blank)s)
  | (?P<string>%(string)s)
  | (?P<escape>%(escape)s)
  | %(not_in_name)surl\((?P<space>[ \t\n\r\f]*+)
      (?: (?=["']) (?P<quoted>) | (?P<bare>(?:[^"'()\\ \t\n\r\f\x00-\x08\x0b\x0e-\x1f\x7f]++|%(escape)s)*+)
          (?P<bare_end>[ \t\n\r\f]*+(?:\)|\Z))? )
  | (?P<import>@import(?![\w\-\x80-\xff\\]))
  | (?P<namespace>@namespace(?![\w\-\x80-\xff\\])(?:[^;{}"'/\\]++|%(string)s|%(comment)s|/|%(escape)s)*+)
"""
_CUSTOM = rb"| %(not_in_name)s(?P<custom>--(?:[\w\-\x80-\xff]|\\.)*+[ \t\n\r\f]*+[:,])"
_PARTS = {b"string": _STRING, b"escape": _ESCAPE, b"comment": _COMMENT, b"not_in_name": _NOT_IN_NAME}
_FLAGS = re.IGNORECASE | re.DOTALL | re.VERBOSE


_SCAN = re.compile(_PATTERN % {**_PARTS, b"blank": rb"(?:" + _COMMENT + rb")++"}, _FLAGS)
_SCAN_ALL = re.compile(
    _PATTERN % {**_PARTS, b"blank": rb"(?:[ \t\n\r\f]++|" + _COMMENT + rb")++"} + _CUSTOM % _PARTS, _FLAGS
)
_CANDIDATE = re.compile(rb"url\(|@import|sourceMappingURL=", re.IGNORECASE)
_COMMENTS = re.compile(_COMMENT, re.DOTALL)
_BAD_URL_END = re.compile(rb"(?:[^)\\]++|\\.)*+\)?", re.DOTALL)
_UNESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|[\n\r\f])|(.))", re.DOTALL)
# Around these a blank means nothing, wherever they stand as punctuation.
_TIGHT = frozenset(b"{};,")
_ESCAPED = -2
_SPACE = b" \t\n\r\f"


def scan(text: bytes, minify: bool) -> Draft:
    """Find the references of a style sheet; when minifying, leave out comments and blanks that change no token."""
    if not minify and not _CANDIDATE.search(text):
        return Writer.whole(text)
    writer = Writer(text)
    find = (_SCAN_ALL if minify else _SCAN).search
    end = len(text)
    position = 0
    importing = verbatim = escaped = False
    while match := find(text, position):
        start = match.start()
        gap = text[position:start]
        if gap:
            writer.keep(gap)
            importing = importing and not gap.strip(_SPACE)
            if verbatim and (b";" in gap or b"}" in gap or b"{" in gap):
                verbatim = False
        position = match.end()
        kind = match.lastgroup
        if kind == "blank":
            before = gap[-1] if gap else -1 if start == 0 else _ESCAPED if escaped else 0
            after = text[position] if position < end else -1
            _blank(writer, match, minify and not verbatim, before, after)
            continue
        if kind == "string":
            if importing:
                _refer_string(writer, text, start, position, "import")
            else:
                writer.keep(match[0])
        elif kind == "quoted":
            writer.keep(match[0])
            string = find(text, position)
            assert string is not None
            position = string.end()
            _refer_string(writer, text, string.start(), position, "import" if importing else "url")
        elif kind == "bare_end":
            writer.keep(text[start : match.start("bare")])
            reference = unescape(match["bare"].decode(errors="surrogateescape"))
            writer.refer(*match.span("bare"), reference, "import" if importing else "url")
            writer.keep(match["bare_end"])
        elif kind == "bare":
            # A bad url token: all up to the next parenthesis belongs to it (CSS Syntax section 4.3.14).
            remnants = _BAD_URL_END.match(text, position)
            assert remnants is not None
            position = remnants.end()
            writer.keep(text[start:position])
        else:
            writer.keep(match[0])
            verbatim = verbatim or kind == "custom"
        importing = kind == "import"
        escaped = kind == "escape"
    writer.keep(text[position:])
    return writer.draft()


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


def _refer_string(writer: Writer, text: bytes, start: int, end: int, kind: str) -> None:
    """Put out a string token whose contents are a reference; a bad string (no closing quote) refers to nothing."""
    quote = text[start : start + 1]
    if end - start < 2 or text[end - 1 : end] != quote:
        writer.keep(text[start:end])
        return
    writer.keep(quote)
    inside = text[start + 1 : end - 1]
    writer.refer(start + 1, end - 1, unescape(inside.decode(errors="surrogateescape")), kind)
    writer.keep(quote)


def _blank(writer: Writer, match: re.Match[bytes], minify: bool, before: int, after: int) -> None:
    """Put out a run of blanks and comments that stands between the bytes ``before`` and ``after``.

    ``before`` is 0 where the run follows a token whose last byte is no punctuation, _ESCAPED where that is an escape;
    either is -1 at the text's ends.
    """
    blank = match[0]
    if not minify:
        _keep_comments(writer, match.start(), blank, squeeze=False)
        return
    if b"/*" in blank and is_kept(blank):
        _keep_comments(writer, match.start(), blank, squeeze=True)
        return
    if before in _TIGHT or after in _TIGHT or -1 in (before, after):
        return
    # Without a blank among them, comments separate tokens but are no combinator: "a/**/b" is not "a b". And behind an
    # escape, a first blank would be part of it.
    blanks = _COMMENTS.sub(b"", blank)
    writer.keep(b"/**/ " if blanks and blank.startswith(b"/*") and before == _ESCAPED else b" " if blanks else b"/**/")


def _keep_comments(writer: Writer, offset: int, blank: bytes, *, squeeze: bool) -> None:
    """Put out a run with the comments that stay (all, unless squeezing); a source map's URL in them is a hole."""
    position = 0
    for comment in _COMMENTS.finditer(blank):
        between = blank[position : comment.start()]
        position = comment.end()
        writer.keep(between[:1] if squeeze else between)
        if squeeze and not is_kept(comment[0]):
            continue
        if url := SOURCE_MAPPING_URL.search(comment[0]):
            start = offset + comment.start()
            writer.keep(comment[0][: url.start(1)])
            writer.refer(start + url.start(1), start + url.end(1), url[1].decode(errors="surrogateescape"), "map")
            writer.keep(comment[0][url.end(1) :])
        else:
            writer.keep(comment[0])
    writer.keep(blank[position:][:1] if squeeze else blank[position:])
