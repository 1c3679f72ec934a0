"""A text with holes where its references are, and the writer that tokenizers fill it with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

from assetpipe.paths import split_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A reference in a comment that ends a file (ECMA-426 section 11.1): the last one counts.
SOURCE_MAPPING_URL = re.compile(rb"[@#][ \t]*sourceMappingURL=([^\s'\"*]+)")
# Licence comments and the pragmas that tools and browsers read stay in minified text.
_KEPT = re.compile(rb"/[/*]!|@license|@preserve|@cc_on|[@#][ \t]*source(?:Mapping)?URL=", re.IGNORECASE)


class Ref(Struct, frozen=True):
    """One hole: a reference to another file.

    ``path`` is its path, URL text with the language's own escapes undone; ``suffix`` its query and fragment, which
    survive; ``written`` the bytes that stay where it names nothing. ``line`` and ``column`` count from 1 in the source,
    columns in characters. ``kind`` says what wrote it: ``url``, ``import`` or ``map``.
    """

    path: str
    suffix: bytes
    written: bytes
    kind: str
    line: int
    column: int


class Draft(Struct, frozen=True):
    """A text as pieces: bytes to keep, and references to name. ``not_utf8`` is the place of the first wrong byte."""

    pieces: tuple[bytes | Ref, ...]
    not_utf8: tuple[int, int] | None = None

    @property
    def refs(self) -> list[Ref]:
        """The holes, in their order in the text."""
        return [piece for piece in self.pieces if isinstance(piece, Ref)]


class Writer:
    """Collects the pieces of one text as its tokenizer goes over it."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._pieces: list[bytes | Ref] = []
        self._map_at = -1
        # The place that was located last: locating all references of a text reads it once, however long its lines.
        self._offset, self._line, self._column = 0, 1, 1

    @classmethod
    def whole(cls, text: bytes) -> Draft:
        """The draft of a text without references."""
        writer = cls(text)
        writer.keep(text)
        return writer.draft()

    def keep(self, text: bytes) -> None:
        """Put ``text`` out as it is."""
        self._pieces.append(text)

    def refer(self, start: int, end: int, reference: str, kind: str) -> None:
        """Put out the reference written at ``start:end`` of the source; a hole where it has a path of this site."""
        written = self._text[start:end]
        reference = reference.strip(" \t\r\n\f")
        split = split_reference(reference)
        if split is None:
            self._pieces.append(written)
            return
        path, rest = split
        suffix = rest.encode(errors="surrogateescape")
        if not written.endswith(suffix):
            # It was written with escapes of the language: percent-encoding needs none.
            suffix = quote(rest, safe="-._~!$*+,;=:@/?#%", errors="surrogateescape").encode()
        if kind == "map":
            self._forget_map()
            self._map_at = len(self._pieces)
        self._pieces.append(Ref(path, suffix, written, kind, *self.locate(start)))

    def locate(self, offset: int) -> tuple[int, int]:
        """Line and column (from 1, in characters) of a byte of the source; offsets must not go down."""
        between = self._text[self._offset : offset]
        if newlines := between.count(b"\n"):
            self._line += newlines
            self._column = 1
            between = between[between.rindex(b"\n") + 1 :]
        self._column += len(between.decode(errors="replace"))
        self._offset = offset
        return self._line, self._column

    def draft(self) -> Draft:
        """The text so far."""
        pieces = tuple(_joined(self._pieces))
        try:
            self._text.decode()
        except UnicodeDecodeError as error:
            self._offset, self._line, self._column = 0, 1, 1
            return Draft(pieces, self.locate(error.start))
        return Draft(pieces)

    def _forget_map(self) -> None:
        if self._map_at >= 0:
            earlier = self._pieces[self._map_at]
            assert isinstance(earlier, Ref)
            self._pieces[self._map_at] = earlier.written


def _joined(pieces: Iterable[bytes | Ref]) -> Iterator[bytes | Ref]:
    """The pieces with neighbouring bytes in one: what stays of a text is not its tokens."""
    run: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            run.append(piece)
        else:
            yield b"".join(run)
            run.clear()
            yield piece
    yield b"".join(run)


def is_kept(comment: bytes) -> bool:
    """Whether a comment stays when comments are left out."""
    return _KEPT.search(comment) is not None
