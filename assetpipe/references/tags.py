r"""What HTML and SVG have in common: tags, character references, and other languages within the markup.

1. ``TAG`` matches a tag behind its name (HTML section 13.2.5.32 and on; what is well-formed in XML is read the same).
   ``attributes`` gives the spans of its values.
2. ``content`` gives the character data of an element as spans, up to the next tag.
3. ``Values`` reads those spans as URLs, ``srcset``, CSS or JavaScript. Where they hold character references or come in
   several pieces, the language is read from a decoded copy, and ``_Decoded`` takes what is found back to the source.

Every pattern is possessive, or goes on to the end of the text rather than fail, so time is linear in the input.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from assetpipe.references import css, js

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from assetpipe.config import Kind
    from assetpipe.references.draft import Manner, Referrer

BLANK = b" \t\n\f\r"
# An unfinished value goes on to the end of the text, where no tag ends any more. The groups: name, and its value
# within double quotes, single quotes, or none.
_ATTRIBUTE = (
    rb"([^%(blank)s/>][^%(blank)s/>=]*+)"
    rb"""(?:[%(blank)s]*+=[%(blank)s]*+(?:"([^"]*+)"?|'([^']*+)'?|([^%(blank)s>"'][^%(blank)s>]*+)|(?=>)))?"""
) % {b"blank": BLANK}
_ATTRIBUTES = re.compile(_ATTRIBUTE)
# Group 1 is the slash of an empty-element tag.
TAG = re.compile(rb"(?:[%s]++|/(?!>)|%s)*+(/?)>" % (BLANK, re.sub(rb"\((?!\?)", rb"(?:", _ATTRIBUTE)))
# A name without its semicolon is none before "=" (HTML section 13.2.5.73); before a letter it is another name.
_REFERENCE = r"&(?:#[xX]([0-9a-fA-F]++);?|#([0-9]++);?|([a-zA-Z][a-zA-Z0-9]*+(?:;|(?!=))))"
_REFERENCES = re.compile(_REFERENCE)
_REFERENCES_IN_BYTES = re.compile(_REFERENCE.encode())
_CANDIDATE = re.compile(rb"[%s,]*+([^%s]++)" % (BLANK, BLANK))
_DESCRIPTORS = re.compile(rb"(?:[^,(]++|\([^)]*+\)?)*+")
_URL_FUNCTION = re.compile(rb"url(?:\(|&)|&#", re.IGNORECASE)
# The types of scripts that run (MIME Sniffing section 4.6; HTML section 4.12.1).
JAVASCRIPT = re.compile(
    r"(?:module|(?:application|text)/(?:x-)?(?:java|ecma)script|text/(?:javascript1\.[0-5]|jscript|livescript))?",
    re.IGNORECASE,
)

# From a byte of the source to another; whether character references are decoded between them.
Span = tuple[int, int, bool]
Attributes = dict[bytes, tuple[int, int]]


def attributes(text: bytes, start: int, end: int, *, fold: bool) -> Attributes:
    """The values of a tag's attributes, in their order; of several with one name the first counts."""
    found: Attributes = {}
    for match in _ATTRIBUTES.finditer(text, start, end):
        index = match.lastindex or 1
        found.setdefault(
            match[1].lower() if fold else match[1], match.span(index) if index > 1 else (match.end(), match.end())
        )
    return found


def content(text: bytes, position: int, markup: re.Pattern[bytes]) -> list[Span]:
    """The character data from ``position`` to the next tag: what is between the comments, and CDATA sections."""
    spans: list[Span] = []
    for match in markup.finditer(text, position):
        spans.append((position, match.start(), True))
        position = match.end()
        if match.lastgroup == "cdata":
            spans.append((*match.span("cdata"), False))
        elif match.lastgroup == "name":
            return spans
    return [*spans, (position, len(text), True)]


def unescape(text: str, names: Mapping[str, str]) -> str:
    """Undo the character references in an attribute; ``names`` with their semicolon, if they need one."""
    if "&" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        if match[3]:
            return names.get(match[3], match[0])
        digits = (match[1] or match[2]).lstrip("0")
        code = int(digits or "0", 16 if match[1] else 10) if len(digits) < 8 else 0
        if "copy" in names and 0x80 <= code < 0xA0:  # HTML section 13.2.5.80
            return bytes((code,)).decode("cp1252", errors="ignore") or chr(code)
        return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\N{REPLACEMENT CHARACTER}"

    return _REFERENCES.sub(replace, text)


class Values:
    """The values and contents of one text's markup, read for what they refer to."""

    def __init__(self, text: bytes, writer: Referrer, kind: Kind, unescape: Callable[[str], str]) -> None:
        self.text = text
        self.writer = writer
        self.kind = kind
        self.unescape = unescape

    def decoded(self, span: tuple[int, int] | None) -> str:
        """What is written in ``span``, without blanks around it; nothing where there is no such attribute."""
        if span is None:
            return ""
        return self.unescape(self.text[span[0] : span[1]].decode(errors="surrogateescape")).strip(" \t\n\f\r")

    def url(self, start: int, end: int, manner: Manner = "url") -> None:
        """A URL, "potentially surrounded by spaces"."""
        written = self.text[start:end]
        end -= len(written) - len(written.rstrip(BLANK))
        start += len(written) - len(written.lstrip(BLANK))
        if start < end:
            self.writer.refer(start, end, self.kind, self.unescape if b"&" in written else None, manner)

    def srcset(self, start: int, end: int) -> None:
        """Candidates with descriptors (HTML section 4.8.4.3.10)."""
        self._embedded(self._candidates, [(start, end, True)])

    def css(self, *spans: Span) -> None:
        """A style sheet or declarations."""
        self._embedded(css.read, spans)

    def style(self, start: int, end: int) -> None:
        """The value of a ``style`` attribute; without a function it refers to nothing."""
        if self.text.find(b"(", start, end) >= 0 or self.text.find(b"&", start, end) >= 0:
            self.css((start, end, True))

    def presentation(self, start: int, end: int) -> None:
        """The value of any other attribute in SVG, which may hold ``url()`` (SVG 2 section 6.6)."""
        if _URL_FUNCTION.search(self.text, start, end):
            self.css((start, end, True))

    def js(self, *spans: Span) -> None:
        """A script or module."""
        self._embedded(js.read, spans)

    def _embedded(self, read: Callable[[bytes, int, int, Referrer], None], spans: Sequence[Span]) -> None:
        spans = [span for span in spans if span[0] < span[1]]
        if len(spans) == 1 and not (spans[0][2] and b"&" in self.text[spans[0][0] : spans[0][1]]):
            read(self.text, spans[0][0], spans[0][1], self.writer)
        elif spans:
            decoded = _Decoded(self, spans)
            read(decoded.text, 0, len(decoded.text), decoded)

    def _candidates(self, text: bytes, start: int, end: int, writer: Referrer) -> None:
        while candidate := _CANDIDATE.match(text, start, end):
            url = candidate[1].rstrip(b",")
            start = candidate.end()
            writer.refer(candidate.start(1), candidate.start(1) + len(url), self.kind)
            if url == candidate[1]:
                descriptors = _DESCRIPTORS.match(text, start, end)
                assert descriptors is not None
                start = descriptors.end()


class _Decoded:
    """A copy of pieces of the source with their character references undone; what is found goes to the source's writer.

    What begins in one piece and ends in another is no reference: there is no one place to write a new name to.
    """

    def __init__(self, values: Values, spans: Sequence[Span]) -> None:
        self.values = values
        # The runs that the copy is made of: where each begins in it; its span in the source, whether that is written
        # differently, and the number of its piece.
        self.offsets: list[int] = []
        self.runs: list[tuple[int, int, bool, int]] = []
        self.escaped = [escaped for _, _, escaped in spans]
        parts: list[bytes] = []
        length = 0
        for piece, (start, end, escaped) in enumerate(spans):
            found = _REFERENCES_IN_BYTES.finditer(values.text, start, end) if escaped else ()
            for match in (*found, None):
                stop = match.start() if match else end
                runs = [(start, stop, values.text[start:stop])]
                if match:
                    runs.append((*match.span(), values.unescape(match[0].decode()).encode()))
                    start = match.end()
                for number, (begin, stop, part) in enumerate(runs):
                    self.offsets.append(length)
                    self.runs.append((begin, stop, number == 1 and part != match[0], piece))
                    parts.append(part)
                    length += len(part)
        self.text = b"".join(parts)

    def refer(
        self,
        start: int,
        end: int,
        kind: Kind,
        unescape: Callable[[str], str] | None = None,
        manner: Manner = "url",
        eager: bool = False,
    ) -> None:
        """Make a hole in the source of what is at ``start:end`` of the copy."""
        first, last = (bisect_right(self.offsets, offset) - 1 for offset in (start, end - 1))
        begin, _, decoded, piece = self.runs[first]
        begin += 0 if decoded else start - self.offsets[first]
        stop, closing, decoded, last_piece = self.runs[last]
        stop = closing if decoded else stop + end - self.offsets[last]
        if start >= end or piece != last_piece:
            return
        if self.escaped[piece] and b"&" in self.values.text[begin:stop]:
            unescape = _both(self.values.unescape, unescape)
        self.values.writer.refer(begin, stop, kind, unescape, manner, eager)


def _both(first: Callable[[str], str], then: Callable[[str], str] | None) -> Callable[[str], str]:
    return first if then is None else lambda text: then(first(text))
