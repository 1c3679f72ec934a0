"""A text with holes where its references are, and the writer that tokenizers fill it with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assetpipe.config import Kind  # noqa: TC001 - msgspec reads what it decodes by
from assetpipe.paths import split_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


# A comment that holds nothing else (ECMA-426 section 11.1), or as was once written for old browsers; the last counts.
SOURCE_MAPPING_URL = re.compile(rb"/(?:[/*]|\*\s*+//)[@#][ \t]*+sourceMappingURL=([^\s'\"*]++)\s*+(?:\*/)?\Z")
# Licence comments and the pragmas that tools and browsers read stay in minified text.
_KEPT = re.compile(rb"/[/*]!|@license|@preserve|@cc_on|[@#][ \t]*source(?:Mapping)?URL=", re.IGNORECASE)
# No URL of a file is longer or has more escapes; its end is found by trying (see `_cut`).
_LONGEST_ESCAPED = 4000
_MOST_CUTS = 64
_CUT = re.compile(r"[?#&\\]")

# How a reference is resolved and spelt anew:
#   url     as a URL against its file; what was relative stays relative
#   rooted  the same, but spelt from the site's root, since where it will be resolved is not known here
#   module  as a module specifier: a URL if it begins with "/", "./" or "../", or else looked up among the imports
#   page    as a link that is followed, which may as well lead to a page of the application
#   digest  no reference itself, but what its element says the bytes of one digest to (Subresource Integrity)
Manner = Literal["url", "rooted", "module", "page", "digest"]


class Ref(Struct, frozen=True, array_like=True):
    """One hole: a reference to another file.

    ``path`` is its path, URL text with the language's own escapes undone; ``suffix`` its query and fragment as they
    are written, which survive; ``written`` the bytes of both, which stay where it names nothing. ``line`` and
    ``column`` count from 1 in the source, columns in characters. ``kind`` is the language that it is written in, and
    ``manner`` how it is resolved; ``base`` is what the document says its relative references start from. ``eager`` says
    that its file is needed before this one can run.
    """

    path: str
    suffix: bytes
    written: bytes
    kind: Kind
    line: int
    column: int
    manner: Manner = "url"
    base: str = ""
    eager: bool = False


class Draft(Struct, frozen=True):
    """A text as pieces: bytes to keep, and references to name.

    ``not_utf8`` is the place of the first wrong byte; ``broken`` says what else is wrong with a text that browsers will
    not read at all, and where.
    """

    pieces: tuple[bytes | Ref, ...]
    not_utf8: tuple[int, int] | None = None
    broken: tuple[str, int, int] | None = None

    @property
    def refs(self) -> list[Ref]:
        """The holes, in their order in the text."""
        return [piece for piece in self.pieces if isinstance(piece, Ref)]


class Outline(Struct, frozen=True, array_like=True):
    """A draft without its text: the holes, and at which byte of the text each stands as it was written.

    ``not_utf8`` and ``broken`` are the draft's.
    """

    refs: tuple[Ref, ...] = ()
    starts: tuple[int, ...] = ()
    not_utf8: tuple[int, int] | None = None
    broken: tuple[str, int, int] | None = None

    @classmethod
    def of(cls, draft: Draft) -> tuple[Outline, bytes]:
        """Take a draft apart: its outline, and its text with what was written in each hole."""
        chunks: list[bytes] = []
        starts: list[int] = []
        length = 0
        for piece in draft.pieces:
            chunk = piece
            if isinstance(chunk, Ref):
                starts.append(length)
                chunk = chunk.written
            chunks.append(chunk)
            length += len(chunk)
        return cls(tuple(draft.refs), tuple(starts), draft.not_utf8, draft.broken), b"".join(chunks)

    def dump(self) -> bytes:
        """Encode it, for ``load``."""
        try:
            return b"u" + msgspec.msgpack.encode(self)
        except UnicodeEncodeError:
            # What was no UTF-8 in the text is half a surrogate pair here, which no encoding takes.
            return b"l" + msgspec.msgpack.encode(_respelt(self, "utf-8", "latin-1"))

    @classmethod
    def load(cls, data: bytes) -> Outline:
        """Undo ``dump``."""
        outline = msgspec.msgpack.decode(data[1:], type=cls)
        return outline if data[:1] == b"u" else _respelt(outline, "latin-1", "utf-8")

    def filled(self, text: bytes, holes: Sequence[bytes]) -> Iterator[bytes]:
        """The text with ``holes`` in its holes, in pieces."""
        done = 0
        for ref, start, hole in zip(self.refs, self.starts, holes, strict=True):
            yield text[done:start]
            yield hole
            done = start + len(ref.written)
        yield text[done:]


def _respelt(outline: Outline, encoding: str, other: str) -> Outline:
    """The outline with its texts' bytes in ``encoding`` read as another one."""

    def spelt(text: str) -> str:
        data = text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        return data.decode(other, "surrogatepass" if other == "utf-8" else "strict")

    refs = tuple(replace(ref, path=spelt(ref.path), base=spelt(ref.base)) for ref in outline.refs)
    broken = None if outline.broken is None else (spelt(outline.broken[0]), *outline.broken[1:])
    return Outline(refs, outline.starts, outline.not_utf8, broken)


class Referrer(Protocol):
    """What a tokenizer tells of the references it finds, in their order: a Writer, or what stands before one."""

    def refer(
        self,
        start: int,
        end: int,
        kind: Kind,
        unescape: Callable[[str], str] | None = None,
        manner: Manner = "url",
        eager: bool = False,
    ) -> None:
        """Make a hole of the reference written at ``start:end``."""


class Writer:
    """Collects the pieces of one text as its tokenizer goes over it, from its start to its end.

    What the tokenizer says nothing of is kept as it is.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._pieces: list[bytes | Ref] = []
        # Up to here the text is in the pieces.
        self._done = 0
        self._map_at = -1
        # The place that was located last: locating all references of a text reads it once, however long its lines.
        self._offset, self._line, self._column = 0, 1, 1

    def replace(self, start: int, end: int, instead: bytes = b"") -> None:
        """Put out ``instead`` for what stands at ``start:end`` of the text."""
        if start > self._done:
            self._pieces.append(self._text[self._done : start])
        if instead:
            self._pieces.append(instead)
        self._done = end

    def refer(
        self,
        start: int,
        end: int,
        kind: Kind,
        unescape: Callable[[str], str] | None = None,
        manner: Manner = "url",
        eager: bool = False,
    ) -> None:
        """Make a hole of the reference written at ``start:end`` of the text, if it has a path of this site.

        ``unescape`` undoes the escapes of the language that it is written in.
        """
        text = self._text
        if unescape is None:
            # Blanks around a URL are no part of it (URL standard, section 4.4).
            while start < end and text[start] in b" \t\r\n\f":
                start += 1
            while start < end and text[end - 1] in b" \t\r\n\f":
                end -= 1
        written = text[start:end]
        raw = written.decode(errors="surrogateescape")
        meant = raw if unescape is None else unescape(raw).strip(" \t\r\n\f")
        split = split_reference(meant)
        if is_bare(meant, manner) and (split is not None or meant.startswith("#")):
            # A name and no URL: it has no query or fragment.
            split = meant, ""
        if split is None:
            return
        path, rest = split
        cut = len(raw) - len(rest) if unescape is None or raw == path + rest else _cut(raw, path, rest, unescape)
        if cut is None:
            return
        if kind == "map":
            if self._map_at >= 0:
                earlier = self._pieces[self._map_at]
                assert isinstance(earlier, Ref)
                self._pieces[self._map_at] = earlier.written
            self._map_at = len(self._pieces) + 1
        suffix = raw[cut:].encode(errors="surrogateescape")
        self._hole(start, end, Ref(path, suffix, written, kind, *self.locate(start), manner, eager=eager))

    def digest(self, start: int, end: int, reference: str, kind: Kind) -> None:
        """Make a hole of the digests at ``start:end`` that ``reference`` is to have, if it has a path of this site."""
        if split := split_reference(reference):
            self._hole(start, end, Ref(split[0], b"", self._text[start:end], kind, *self.locate(start), "digest"))

    def end_text(self) -> None:
        """End a text within the text: each has a last source map of its own."""
        self._map_at = -1

    def _hole(self, start: int, end: int, ref: Ref) -> None:
        self._pieces.append(self._text[self._done : start])
        self._pieces.append(ref)
        self._done = end

    def locate(self, offset: int) -> tuple[int, int]:
        """Line and column (from 1, in characters) of a byte of the text; offsets must not go down."""
        between = self._text[self._offset : offset]
        if b"\r" in between:
            between = between.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if newlines := between.count(b"\n"):
            self._line += newlines
            self._column = 1
            between = between[between.rindex(b"\n") + 1 :]
        self._column += len(between.decode(errors="replace"))
        self._offset = offset
        return self._line, self._column

    def draft(self, base: str = "") -> Draft:
        """The whole text; ``base`` is what its relative references start from."""
        self._pieces.append(self._text[self._done :])
        self._done = len(self._text)
        pieces = tuple(_joined(self._pieces, base))
        try:
            self._text.decode()
        except UnicodeDecodeError as error:
            self._offset, self._line, self._column = 0, 1, 1
            return Draft(pieces, self.locate(error.start))
        return Draft(pieces)


def is_bare(path: str, manner: Manner) -> bool:
    """Whether a reference is a bare module specifier: a name to look up among the imports."""
    return manner == "module" and not path.startswith(("/", "./", "../"))


def whole(text: bytes) -> Draft:
    """The draft of a text without references."""
    return Writer(text).draft()


def is_kept(comment: bytes) -> bool:
    """Whether a comment stays when comments are left out."""
    return _KEPT.search(comment) is not None


def _cut(raw: str, path: str, rest: str, unescape: Callable[[str], str]) -> int | None:
    """Where in ``raw``, which is written with escapes, the path ends and the query or fragment begins."""
    if not rest:
        return len(raw)
    lead = len(raw) - len(raw.lstrip(" \t\r\n\f"))
    if raw.startswith(path, lead) and raw.startswith(rest[0], lead + len(path)):
        return lead + len(path)
    if len(raw) > _LONGEST_ESCAPED:
        return None
    # It may be written as an escape itself.
    tried = [match.start() for match in _CUT.finditer(raw, lead + len(path))]
    for cut in tried[:_MOST_CUTS]:
        if unescape(raw[lead:cut]) == path and unescape(raw[cut:]).strip(" \t\r\n\f") == rest:
            return cut
    return None


def _joined(pieces: Iterable[bytes | Ref], base: str) -> Iterator[bytes | Ref]:
    """The pieces with neighbouring bytes in one: what stays of a text is not its tokens."""
    run: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            run.append(piece)
        else:
            yield b"".join(run)
            run.clear()
            yield replace(piece, base=base) if base else piece
    yield b"".join(run)
