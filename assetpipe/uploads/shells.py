"""How uploads are sent: in front of a WSGI (PEP 3333) or an ASGI application, which gets every other request."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from assetpipe.serve.respond import FIELDS
from assetpipe.serve.server import Opened
from assetpipe.serve.wsgi import start

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from assetpipe.uploads.serving import Desk

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_THREADS = 64
_FIELDS = {field.lower().replace("_", "-").encode(): f"HTTP_{field}" for field in FIELDS}


class WsgiUploads:
    """Answers for the uploads in front of a WSGI application."""

    def __init__(self, app: WSGIApplication, desk: Desk) -> None:
        self.app = app
        self.desk = desk

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer for an upload, or pass the request on."""
        answered = self.desk.answer(environ.get("PATH_INFO", ""), environ)
        if answered is None:
            return self.app(environ, start_response)
        return start(*answered, environ, start_response)


class AsgiUploads:
    """Answers for the uploads in front of an ASGI application, whose loop is asyncio's.

    What may have to wait for a picture does so in threads of our own: the loop's are few, and the application's, too.
    """

    def __init__(self, app: ASGIApplication, desk: Desk) -> None:
        self.app = app
        self.desk = desk
        self._threads = ThreadPoolExecutor(_THREADS, "assetpipe-uploads")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for an upload, or pass the request on."""
        path = _path(scope) if scope["type"] == "http" else ""
        if not self.desk.covers(path):
            return await self.app(scope, receive, send)
        loop = asyncio.get_running_loop()
        reply, body = await loop.run_in_executor(self._threads, self._answer, path, scope)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
        start = {"type": "http.response.start", "status": int(reply.status[:3]), "headers": headers}
        if not isinstance(body, Opened):
            await send(start)
            return await send({"type": "http.response.body", "body": body})
        with closing(body):
            await send(start)
            chunks = iter(body)
            # Where somebody has gone, sending raises OSError (ASGI 2.4), or does nothing.
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            return await send({"type": "http.response.body", "body": b""})

    def _answer(self, path: str, scope: Scope) -> Any:
        request = {"REQUEST_METHOD": scope["method"]}
        for name, value in scope["headers"]:
            if (variable := _FIELDS.get(name)) is not None:
                told = value.decode("latin-1")
                # RFC 9110 section 5.3: several lines are one list.
                request[variable] = f"{request[variable]}, {told}" if variable in request else told
        return self.desk.answer(path, request)


def _path(scope: Scope) -> str:
    """The path below the mount point, which is a prefix of ``path`` since ASGI 2.3."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path
