"""The ASGI shell: answers for the assets in front of a Quart, Starlette or FastAPI application.

    assets = Assets("dist")
    app = AssetMiddleware(app, assets)

and in a page ``assets.url("css/app.css")``, or the tags of ``assets.page(request.scope)``. All decisions are those of
``serve``; here they are only sent. The loop is asyncio's: the disk is read in its threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assetpipe.errors import ManifestError
from assetpipe.manifest import MANIFEST
from assetpipe.serve.bodies import MEMORY
from assetpipe.serve.respond import FIELDS, respond
from assetpipe.serve.server import Opened, Server

if TYPE_CHECKING:
    import os

    from assetpipe.serve.markup import Page
    from assetpipe.serve.resource import Headers, Reply
    from assetpipe.serve.table import Table

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_NAMES = {field.lower().replace("_", "-").encode(): f"HTTP_{field}" for field in FIELDS}
_PATHSEND = "http.response.pathsend"
# Where our URLs begin, said in the scope to the application inside.
_MOUNT = "assetpipe.root_path"
# The pages of the request, by their assets: those who ask again in the same request get the same page.
_PAGES = "assetpipe.pages"


class Assets(Server):
    """The releases of the folder ``dist``, to be served by ``AssetMiddleware`` and named in pages.

    Names that do not begin with a slash are below ``prefix``. ``cdn`` is the URL of a host that hands the assets on,
    ``memory`` bounds the bytes of small files held by each process.
    """

    def __init__(
        self, dist: str | os.PathLike[str], *, prefix: str = "/static/", cdn: str = "", memory: int = MEMORY
    ) -> None:
        super().__init__(Path(dist), memory=memory, cdn=cdn)
        self.prefix = prefix

    def url(self, name: str, root_path: str = "") -> str:
        """The URL of an asset. ``root_path`` is where the application is mounted."""
        return self.page({"root_path": root_path}).url(name)

    def page(self, scope: Scope) -> Page:
        """The tags of the page of a request: the same again for the same request.

        Raises ManifestError where nothing was published yet.
        """
        pages: dict[int, Page] = scope.get(_PAGES, {})
        if id(self) in pages:
            return pages[id(self)]
        table = self.releases.table()
        if table is None:
            raise ManifestError(
                f"{self.releases.dist / MANIFEST}: there is no release to serve. Run `assetpipe build` first."
            )
        # Starlette's Mount adds to root_path, and keeps in app_root_path what it was outside.
        mount: str = scope.get(_MOUNT, scope.get("app_root_path", scope.get("root_path", "")))
        return pages.setdefault(id(self), self.tags(table, mount, self.prefix))

    async def decide(self, table: Table, path: str, request: dict[str, str]) -> Reply | None:
        """Say what ``reply`` says: in a thread where that may take another look at the disk."""
        if self._may_be_newer(table, path):
            return await asyncio.to_thread(self.reply, table, path, request)
        return self.reply(table, path, request)


class AssetMiddleware:
    """Answers for the assets in front of an ASGI application, which gets everything else, and all before a release."""

    def __init__(self, app: ASGIApplication, assets: Assets) -> None:
        self.app = app
        self.assets = assets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for an asset, or pass the request on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        releases = self.assets.releases
        table = await asyncio.to_thread(releases.table) if releases.is_due() else releases.latest
        path, request = _path(scope), _request(scope)
        reply = await self.assets.decide(table, path, request) if table is not None else None
        if table is None or reply is None:
            if "app_root_path" in scope:
                # A Mount is around us, and what it tells of is outside of it.
                scope = {**scope, _MOUNT: scope["root_path"]}
            if _PAGES not in scope:
                scope = {**scope, _PAGES: {}}
            return await self.app(scope, receive, send)
        body = self.assets.recall(reply)
        if body is not None:
            return await self._send(reply, body, path, send)
        loaded, opened = await asyncio.to_thread(self.assets.load, reply, table, lambda t: respond(t, path, request))
        if not isinstance(opened, Opened):
            return await self._send(loaded, opened, path, send)
        with closing(opened):
            await self._send(loaded, None, path, send)
            return await _send_file(opened, scope, receive, send)

    async def _send(self, reply: Reply, body: bytes | None, path: str, send: Send) -> None:
        """Begin a reply, and end it where the body is at hand."""
        self.assets.counters.add(reply, path)
        await send({"type": "http.response.start", "status": int(reply.status[:3]), "headers": _encoded(reply.headers)})
        if body is not None:
            await send({"type": "http.response.body", "body": body})


def _path(scope: Scope) -> str:
    """The decoded path below the mount point, which is a prefix of ``path`` since ASGI 2.3."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _request(scope: Scope) -> dict[str, str]:
    request = {"REQUEST_METHOD": scope["method"]}
    for name, value in scope["headers"]:
        if (variable := _NAMES.get(name)) is not None:
            told = value.decode("latin-1")
            # RFC 9110 section 5.3: several lines are one list.
            request[variable] = f"{request[variable]}, {told}" if variable in request else told
    return request


async def _send_file(body: Opened, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a file: by its name where the server can, and otherwise in chunks, for as long as somebody is there."""
    if body.whole and _PATHSEND in (scope.get("extensions") or {}):
        await send({"type": _PATHSEND, "path": str(Path(body.file.name).absolute())})
        return
    # Before ASGI 2.4 no error of send tells of it.
    gone = asyncio.create_task(_disconnected(receive))
    try:
        chunks = iter(body)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
