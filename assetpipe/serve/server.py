"""What every shell does with a request, whatever protocol it came by: WSGI, ASGI, or a Flask view.

1. ``reply``: decide, by the table alone.
2. ``recall``: take the body out of memory. Where it is not there,
3. ``load``: read or open its file; a file that went with its release is looked for in the next one.
4. ``counters``: count what is sent.
"""

from __future__ import annotations

import errno
import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from assetpipe.errors import TagError
from assetpipe.serve.bodies import MEMORY, Bodies
from assetpipe.serve.counters import Counters, Snapshot
from assetpipe.serve.markup import Page, View
from assetpipe.serve.releases import Releases
from assetpipe.serve.resource import NOSNIFF, Reply, Span
from assetpipe.serve.respond import respond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from assetpipe.serve.resource import Representation
    from assetpipe.serve.table import Table

logger = logging.getLogger("assetpipe")
_CHUNK = 256 * 1024  # bytes; under ASGI each costs a change of threads
_TAGGED = re.compile(r"\.[0-9a-f]{12}(?:\.[^./]*)?\Z")
BUSY = Reply(
    "503 Service Unavailable",
    [("Cache-Control", "no-store"), NOSNIFF, ("Retry-After", "1"), ("Content-Length", "0")],
)
GONE = Reply("404 Not Found", [("Cache-Control", "no-store"), NOSNIFF, ("Content-Length", "0")])


class Opened:
    """The body of a reply that comes from an open file, in chunks; to be closed whether or not it was all sent."""

    def __init__(self, of: Representation, file: BinaryIO, body: Span | tuple[bytes | Span, ...]) -> None:
        self.of = of
        self.file = file
        self.whole = isinstance(body, Span) and body.whole
        self._pieces = body if not isinstance(body, Span) else (body,)

    def __iter__(self) -> Iterator[bytes]:
        """Read it."""
        for piece in self._pieces:
            if not isinstance(piece, Span):
                yield piece
                continue
            self.file.seek(piece.start)
            left = piece.length
            while left and (data := self.file.read(min(_CHUNK, left))):
                left -= len(data)
                yield data

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class Sender:
    """Gets the bodies of replies, wherever they lie, and counts what was answered."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.counters = Counters()

    def snapshot(self) -> Snapshot:
        """Count what was answered so far."""
        return self.counters.snapshot(self.bodies.held())

    def recall(self, reply: Reply) -> bytes | None:
        """The body of a reply, if it is at hand without the disk."""
        body = reply.body
        if isinstance(body, bytes):
            return body
        assert reply.chosen is not None
        data = self.bodies.recall(reply.chosen)
        if data is None:
            return None
        if isinstance(body, Span):
            return data if body.length == len(data) else _cut(data, body)
        return b"".join(_cut(data, piece) if isinstance(piece, Span) else piece for piece in body)

    def read(self, reply: Reply) -> bytes | Opened:
        """The body of a reply from the disk. Raises OSError where it is not what was published."""
        body, chosen = reply.body, reply.chosen
        if isinstance(body, bytes) or chosen is None:
            return self.recall(reply) or b""
        if self.bodies.is_small(chosen):
            self.bodies.read(chosen)
            if (data := self.recall(reply)) is not None:
                return data
        return Opened(chosen, self.bodies.open(chosen), body)


class Server(Sender):
    """The releases of one dist folder, their bytes, and the count of what was answered from them.

    ``memory`` bounds the bytes of small bodies that are held. ``cdn`` is the URL of a host that hands the assets on: it
    is where pages name them, and so every origin may read them.
    """

    def __init__(self, dist: Path, *, memory: int = MEMORY, cdn: str = "") -> None:
        super().__init__(Bodies(dist, memory))
        self.cdn = cdn.rstrip("/")
        self.releases = Releases(dist, cors=bool(cdn))

    def reply(self, table: Table, path: str, request: Mapping[str, Any]) -> Reply | None:
        """Answer from the table, or from that of a release published meanwhile; None where it is the application's."""
        reply = respond(table, path, request)
        if (reply is None or reply.chosen is None) and self._may_be_newer(table, path):
            reply = respond(self.releases.newer(table) or table, path, request)
        return reply

    def load(self, reply: Reply, table: Table, decide: Callable[[Table], Reply | None]) -> tuple[Reply, bytes | Opened]:
        """The body of a reply from the disk; where it is not there, what ``decide`` says of a newer release.

        Never raises: in the end there is a 404, or a 503 where no more files can be opened, that no cache may keep.
        """
        try:
            return reply, self.read(reply)
        except OSError as error:
            # Pruned with its release, while a newer one was published?
            newer = self.releases.newer(table)
            again = decide(newer) if newer is not None else None
            try:
                if again is not None:
                    return again, self.read(again)
            except OSError:
                pass
            if error.errno in (errno.EMFILE, errno.ENFILE):
                logger.error("%s: this process may open no more files.", error)
                return BUSY, b""
            logger.error("%s: run `assetpipe verify`, then build again.", error)
            return GONE, b""

    def tags(self, table: Table, mount: str, prefix: str, missing: Callable[[str], None] = lambda _: None) -> Page:
        """The tags of one page of an application that is mounted at ``mount``; names are below ``prefix``."""
        source = "{0.scheme}://{0.netloc}".format(urlsplit(self.cdn)) if self.cdn else "'self'"
        base = self.cdn + quote(mount.rstrip("/"))
        return Page(View(table.manifest, base, source, prefix, partial(self._bytes_of, table), missing=missing))

    def _bytes_of(self, table: Table, path: str) -> bytes:
        """The bytes of the original at a logical path, for a page that holds them.

        Raises TagError where there is none, and OSError where its file is not what was published.
        """
        found = table.lookup(path)
        if found is None:
            raise TagError(f"there is no asset {path} in the release")
        return self.bodies.recall(found.original) or self.bodies.read(found.original)

    def _may_be_newer(self, table: Table, path: str) -> bool:
        """Whether a path that is not known may be one of a release that another worker has seen before us."""
        if table.lookup(path) is not None:
            return False
        return table.covers(path) or ("/" in table.manifest.prefixes and _TAGGED.search(path) is not None)


def _cut(data: bytes, span: Span) -> bytes:
    return data[span.start : span.start + span.length]
