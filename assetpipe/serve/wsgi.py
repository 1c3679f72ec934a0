"""The WSGI shell (PEP 3333): answers for the assets in front of an application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetpipe.serve.respond import respond
from assetpipe.serve.server import Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from assetpipe.serve.resource import Headers, Reply, Representation
    from assetpipe.serve.server import Server

_CHUNK = 64 * 1024


class AssetMiddleware:
    """Answers for the assets in front of a WSGI application, which gets every other request.

    While ``active`` says no, all requests are the application's. With ``handover``, large files are sent by the server
    before us: it makes the header field that asks for that.
    """

    def __init__(
        self,
        app: WSGIApplication,
        server: Server,
        active: Callable[[], bool],
        handover: Callable[[Representation], tuple[str, str]] | None = None,
    ) -> None:
        self.app = app
        self.server = server
        self.active = active
        self.handover = handover

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer for an asset, or pass the request on."""
        server = self.server
        table = server.releases.table() if self.active() else None
        if table is None:
            return self.app(environ, start_response)
        path: str = environ.get("PATH_INFO", "")
        if not path.isascii():
            # PEP 3333: bytes, told as Latin-1.
            path = path.encode("latin-1").decode(errors="replace")
        reply = server.reply(table, path, environ)
        if reply is None:
            return self.app(environ, start_response)
        body = server.recall(reply)
        if body is not None:
            server.counters.add(reply, path)
            start_response(reply.status, reply.headers.copy())
            return (body,)
        reply, loaded = server.load(reply, table, lambda newer: respond(newer, path, environ))
        server.counters.add(reply, path)
        return start(reply, loaded, environ, start_response, self.handover)


def start(
    reply: Reply,
    body: bytes | Opened,
    environ: dict[str, Any],
    start_response: StartResponse,
    handover: Callable[[Representation], tuple[str, str]] | None = None,
) -> Iterable[bytes]:
    """Start a reply with this body, and give the server what it is to send."""
    headers, iterable = send(reply.headers, body, environ, handover)
    try:
        start_response(reply.status, headers)
    except BaseException:
        if isinstance(body, Opened):
            body.close()  # nobody else will: the server has got nothing to close
        raise
    return iterable


def send(
    headers: Headers,
    body: bytes | Opened,
    environ: dict[str, Any],
    handover: Callable[[Representation], tuple[str, str]] | None = None,
) -> tuple[Headers, Iterable[bytes]]:
    """The header fields and the iterable for a server to send: a file by the fastest way that it has."""
    if not isinstance(body, Opened):
        return headers.copy(), (body,)
    # Another server would judge these fields by its own lights.
    if handover is not None and body.whole and not {"HTTP_RANGE", "HTTP_IF_MATCH"} & environ.keys():
        body.close()
        kept = [field for field in headers if field[0] != "Content-Length"]
        return [*kept, ("Content-Length", "0"), handover(body.of)], ()
    if body.whole and "wsgi.file_wrapper" in environ:
        return headers.copy(), environ["wsgi.file_wrapper"](body.file, _CHUNK)
    return headers.copy(), body
