"""What views answer with, by the same HTTP core as the assets: private files, and bytes made in memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn
from unicodedata import normalize
from urllib.parse import quote

from flask import Response, abort, after_this_request, current_app, request
from flask import send_file as send_source

from assetpipe import media
from assetpipe.serve.generated import Generated
from assetpipe.serve.resource import NOSNIFF, PRIVATE
from assetpipe.serve.respond import answer
from assetpipe.serve.server import Opened
from assetpipe.serve.wsgi import send

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from assetpipe.serve.resource import Headers, Reply, Representation, Resource
    from assetpipe.serve.server import Server
    from assetpipe.serve.table import Table
    from assetpipe.serve.unbuilt import Sources


class Views:
    """Answers the current request, from within a view. ``extra`` are header fields that go with a body."""

    def __init__(
        self, server: Server, codings: Sequence[str], handover: Callable[[Representation], tuple[str, str]] | None
    ) -> None:
        self._server = server
        self._handover = handover
        self._generated = Generated(codings)

    def private(self, path: str, table: Table, extra: Headers) -> Response:
        """A private file of a release, by its logical path; 404 where there is none."""
        found = table.private(path)
        if found is None:
            table = self._server.releases.newer(table) or table
            found = table.private(path)
        if found is None:
            refuse()
        return self._response(found, table, path, extra)

    def generated(self, data: bytes, name: str, media_type: str, extra: Headers) -> Response:
        """Bytes made in memory."""
        found = self._generated.resource(data, name, media_type, request.environ.get("HTTP_ACCEPT_ENCODING"))
        response = self._response(found, None, name, extra)
        for one in found.representations:
            one.data = None  # it and its replies hold each other, and wait to be counted: the bytes must not
        return response

    def _response(self, found: Resource, table: Table | None, path: str, extra: Headers) -> Response:
        environ = request.environ
        if request.method not in ("GET", "HEAD"):
            # The view answers some other method with a file: no precondition on that file is meant.
            environ = {key: environ[key] for key in ("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING") if key in environ}
            environ["REQUEST_METHOD"] = "GET"
        reply = answer(found, environ)
        body: bytes | Opened | None = self._server.recall(reply)
        if body is None:
            assert table is not None

            def decide(newer: Table) -> Reply | None:
                again = newer.private(path)
                return answer(again, environ) if again is not None else None

            reply, body = self._server.load(reply, table, decide)
        self._server.counters.add(reply, path)
        headers, iterable = send(reply.headers, body, request.environ, self._handover)
        response = current_app.response_class(iterable, reply.status, direct_passthrough=isinstance(body, Opened))
        response.headers.clear()
        response.headers.extend(headers)
        if reply.status.startswith("2"):
            response.headers.extend(extra)
        return response


def logical(path: str) -> str:
    """The logical path of what a view names as ``"reports/2026.pdf"``."""
    return normalize("NFC", f"/{path.lstrip('/')}")


def source(file: Path) -> Response:
    """A source as it is now (debug mode), with our media type."""
    # Flask adds the charset by itself.
    media_type = media.media_type(file.name).partition(";")[0]
    response = send_source(file, mimetype=media_type, conditional=True, max_age=None)
    response.headers["Cache-Control"] = "no-cache"
    return response


def private_source(path: str, sources: Sources, extra: Headers) -> Response:
    """The source of a private file as it is now; 404 where there is none."""
    file = sources.find(path, private=True)
    if file is None:
        refuse()
    response = source(file)
    del response.headers["Content-Disposition"]
    for name, value in (NOSNIFF, ("Cache-Control", PRIVATE), *extra):
        response.headers[name] = value
    return response


def refuse() -> NoReturn:
    """Answer 404, which no cache may keep: another release may know the file."""
    after_this_request(_unstored)
    abort(404)


def _unstored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def disposition(path: str, name: str | None, *, as_attachment: bool) -> Headers:
    """The Content-Disposition field (RFC 6266) where one is wanted."""
    if not as_attachment and name is None:
        return []
    name = name or path.rpartition("/")[2]
    plain = name.encode("ascii", "replace").decode().replace("\\", "_").replace('"', "_")
    plain = re.sub(r"[\x00-\x1f\x7f]", "_", plain)
    value = f'{"attachment" if as_attachment else "inline"}; filename="{plain}"'
    if plain != name:
        value += f"; filename*=UTF-8''{quote(name, safe='')}"
    return [("Content-Disposition", value)]
