"""The shell around ``respond`` that reads files: WSGI (PEP 3333), and the releases of a dist folder as they change."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from assetpipe import locks, manifest
from assetpipe.errors import ManifestError
from assetpipe.serve.respond import Request, Span, respond
from assetpipe.serve.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger("assetpipe")
_CHECK_EVERY = 0.5  # seconds; a new release is to be served within one
_CHUNK = 64 * 1024


class Releases:
    """The table of the current release in ``dist``, read anew when another one is published."""

    def __init__(self, dist: Path) -> None:
        self.dist = dist
        self._manifest = dist / manifest.MANIFEST
        self._table: Table | None = None
        self._stamp: tuple[int, int, int] | None = None
        self._watched = False
        self._next_check = self._next_look = 0.0
        self._checking = threading.Lock()

    def table(self) -> Table | None:
        """The table to answer from now; None where nothing was published yet."""
        self._check()
        return self._table

    def newer(self, than: Table) -> Table | None:
        """The table of a release that was published since ``than`` was current; None where there is none.

        For a URL that ``than`` does not know: another worker may have seen the release before us and named it.
        """
        self._check(now=True)
        return self._table if self._table is not than else None

    def watched(self) -> bool:
        """Whether ``assetpipe watch`` keeps this folder up to date with its sources."""
        if time.monotonic() >= self._next_look:
            self._watched = locks.is_held(self.dist / manifest.WATCH)
            self._next_look = time.monotonic() + _CHECK_EVERY
        return self._watched

    def _check(self, *, now: bool = False) -> None:
        """Look for a new release, twice a second at most and in one thread; the others go on with what they have."""
        due = now or time.monotonic() >= self._next_check
        if due and self._checking.acquire(blocking=now or self._table is None):
            try:
                self._reload()
                self._next_check = time.monotonic() + _CHECK_EVERY
            finally:
                self._checking.release()

    def _reload(self) -> None:
        try:
            found = self._manifest.stat()
        except OSError:
            return
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            current = manifest.load(self._manifest)
        except ManifestError as error:
            logger.error("%s%s", error, " The release before is still served." if self._table else "")
            return
        retained = []
        for release in current.retained:
            try:
                retained.append(manifest.load(self.dist / manifest.RELEASES / f"{release}.json"))
            except ManifestError as error:
                logger.warning("An older release is not served: %s", error)
        self._table = Table(current, retained)


class AssetMiddleware:
    """Answers for the assets in front of a WSGI application, which gets every other request.

    While ``active`` says no, all requests are the application's.
    """

    def __init__(self, app: WSGIApplication, releases: Releases, active: Callable[[], bool]) -> None:
        self.app = app
        self.releases = releases
        self.active = active
        self._public = str(releases.dist / manifest.PUBLIC)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer for an asset, or pass the request on."""
        table = self.releases.table() if self.active() else None
        if table is None:
            return self.app(environ, start_response)
        request = _request(environ)
        if table.lookup(request.path) is None and table.covers(request.path):
            table = self.releases.newer(table) or table
        reply = respond(table, request)
        if reply is None:
            return self.app(environ, start_response)
        if not isinstance(reply.body, Span):
            start_response(reply.status, list(reply.headers))
            return [reply.body] if reply.body else []
        try:
            # The path is the manifest's, never the request's.
            file = open(self._public + reply.body.file, "rb")  # noqa: PTH123, SIM115 (closed by the server)
            size = os.fstat(file.fileno()).st_size
            if size < reply.body.start + reply.body.length or (reply.body.whole and size != reply.body.length):
                file.close()
                raise OSError(f"{file.name} is not of the size that was published")
        except OSError as error:
            logger.error("%s: run `assetpipe verify`, then build again.", error)
            start_response("404 Not Found", [("Cache-Control", "no-store"), ("Content-Length", "0")])
            return []
        start_response(reply.status, list(reply.headers))
        return _send(environ, file, reply.body)


def _request(environ: WSGIEnvironment) -> Request:
    path = environ.get("PATH_INFO", "")
    if not path.isascii():
        # PEP 3333: bytes, told as Latin-1.
        path = path.encode("latin-1").decode(errors="replace")
    get = environ.get
    return Request(
        environ["REQUEST_METHOD"],
        path,
        get("HTTP_ACCEPT"),
        get("HTTP_ACCEPT_ENCODING"),
        get("HTTP_IF_MATCH"),
        get("HTTP_IF_NONE_MATCH"),
        get("HTTP_IF_RANGE"),
        get("HTTP_RANGE"),
    )


def _send(environ: dict[str, Any], file: BinaryIO, span: Span) -> Iterable[bytes]:
    if span.whole and "wsgi.file_wrapper" in environ:
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file, _CHUNK)
        return wrapped
    return _Part(file, span)


class _Part:
    """The bytes of a span, closed with its file by the server (PEP 3333) even when the client leaves early."""

    def __init__(self, file: BinaryIO, span: Span) -> None:
        self._file = file
        self._left = span.length
        file.seek(span.start)

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (data := self._file.read(min(_CHUNK, self._left))):
            self._left -= len(data)
            yield data

    def close(self) -> None:
        """Close the file."""
        self._file.close()
