"""What one URL can answer, put together once: every whole reply, with its header fields, before anybody asks."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = list[tuple[str, str]]
Form = Literal["tagged", "plain", "stale", "private", "generated"]

IMMUTABLE = "public, max-age=31536000, immutable"  # RFC 8246
REVALIDATE = "no-cache"
PRIVATE = "private, no-cache"
NOSNIFF = ("X-Content-Type-Options", "nosniff")
# CSS Fonts section 4.9: fonts are fetched in CORS mode; from a CDN's host module scripts are, too.
_CORS = ("Access-Control-Allow-Origin", "*")


class Span(NamedTuple):
    """A stretch of a representation's bytes: ``start`` and ``length`` in bytes."""

    of: Representation
    start: int
    length: int

    @property
    def whole(self) -> bool:
        """Whether it is all there is."""
        return self.length == self.of.size


class Reply(NamedTuple):
    """A status with its phrase, the header fields in order, the body, and the representation that it speaks of.

    The header fields are shared between replies: whoever hands them on copies them. A body in several pieces is a
    multipart one.
    """

    status: str
    headers: Headers
    body: bytes | Span | tuple[bytes | Span, ...] = b""
    chosen: Representation | None = None


class Source(NamedTuple):
    """The bytes of a representation: their file below ``dist`` (or, where there is none, themselves), size and tag."""

    size: int
    etag: str
    file: str = ""
    data: bytes | None = None


class Terms(NamedTuple):
    """What the representations of one URL share: how long they hold, for whom, and what they are counted as.

    ``path`` is the logical path of the asset, ``original`` the media type of what it is made of.
    """

    path: str
    original: str
    form: Form
    cache_control: str
    cors: bool = False


class Representation:
    """One body that a URL can answer with.

    ``coding`` is ``identity`` for none. ``validators`` are the header fields of a 304, ``headers`` those of a 200.
    ``saved`` are the bytes that it spares against the original. The replies to GET, HEAD and a matching If-None-Match
    are ready made.
    """

    __slots__ = (
        "coding",
        "data",
        "etag",
        "file",
        "head",
        "headers",
        "media_type",
        "saved",
        "size",
        "terms",
        "unmodified",
        "validators",
        "whole",
    )

    def __init__(self, source: Source, media_type: str, coding: str, terms: Terms, vary: str, original: int) -> None:
        self.size, self.etag, self.file, self.data = source
        self.media_type = media_type
        self.coding = coding
        self.terms = terms
        self.saved = original - self.size
        self.validators: Headers = [("Cache-Control", terms.cache_control), ("ETag", self.etag), NOSNIFF]
        if vary:
            self.validators.append(("Vary", vary))
        is_font = media_type.startswith("font/") or media_type == "application/vnd.ms-fontobject"
        if terms.cors or (is_font and terms.form not in ("private", "generated")):
            self.validators.append(_CORS)
        self.headers = [*self.validators, ("Content-Type", media_type), ("Accept-Ranges", "bytes")]
        if coding != "identity":
            self.headers.append(("Content-Encoding", coding))
        self.headers.append(("Content-Length", str(self.size)))
        self.whole = Reply("200 OK", self.headers, Span(self, 0, self.size), self)
        self.head = Reply("200 OK", self.headers, b"", self)
        self.unmodified = Reply("304 Not Modified", self.validators, b"", self)


class Shape:
    """What negotiation needs to know of a resource: the types and codings of its representations, smallest first.

    Equal shapes are one object (``shape``), so that what a client's fields choose can be remembered for all of them.
    """

    __slots__ = ("coded", "members", "original", "typed")

    def __init__(self, members: tuple[tuple[str, str], ...], original: str) -> None:
        self.members = members
        self.original = original
        self.typed = any(media_type != original for media_type, _ in members)
        self.coded = any(coding != "identity" for _, coding in members)


shape = lru_cache(maxsize=4096)(Shape)


class Resource:
    """What one URL names: its representations in the order of their sizes, and the field names that choose of them."""

    __slots__ = ("original", "representations", "shape", "vary")

    def __init__(self, told: Iterable[tuple[Source, str, str]], terms: Terms, vary: str = "") -> None:
        """Put together what ``told`` names by bytes, media type and coding; the original comes first there.

        ``vary`` is for what was chosen of before.
        """
        listed = list(told)
        # Of equal sizes the one that was told first stays first.
        ordered = sorted(listed, key=lambda one: one[0].size)
        members = tuple((kind.partition(";")[0], coding) for _, kind, coding in ordered)
        self.shape = shape(members, listed[0][1].partition(";")[0])
        fields = (("Accept", self.shape.typed), ("Accept-Encoding", self.shape.coded))
        self.vary = vary or ", ".join(field for field, needed in fields if needed)
        made = [Representation(*one, terms, self.vary, listed[0][0].size) for one in ordered]
        self.representations = tuple(made)
        self.original = made[ordered.index(listed[0])]
