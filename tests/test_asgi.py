"""The ASGI middleware: driven in process, and over sockets in front of Starlette, FastAPI and Quart."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import io
import random
import re
import socket
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

import brotli
import pytest

from assetpipe.asgi import ASGIApplication, AssetMiddleware, Assets, Message, Receive, Scope, Send
from assetpipe.errors import ManifestError
from assetpipe.paths import Digest
from assetpipe.publish import current
from assetpipe.serve.server import Opened, Server
from assetpipe.serve.wsgi import AssetMiddleware as WSGIMiddleware
from tests.conftest import Project, write
from tests.servers import ASGI, PROC, Process, needs, serving
from tests.test_wsgi import Answer, Client, eventually, open_below

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CSS = b"body { color: teal; background: white }\n" * 200
BIG = random.Random(5).randbytes(5_000_000)
SOURCES = {
    "css/app.css": CSS,
    "js/app.js": b"export default 1;\n" * 100,
    "big.bin": BIG,
    "middling.bin": BIG[:300_000],
    "empty.txt": b"",
    "söß ☃.txt": "schön".encode() * 30,
    "a b#c?d%41&e.txt": b"odd" * 30,
    "\ufffd.txt": b"a name with a replacement character",
}
FOREVER = "public, max-age=31536000, immutable"

COMMON = """
from assetpipe.asgi import AssetMiddleware, Assets
assets = Assets(DIST)
begun = []
"""
FRAMEWORKS = {
    "starlette": """
        from contextlib import asynccontextmanager
        import jinja2
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Mount, Route, WebSocketRoute
        from starlette.templating import Jinja2Templates

        env = jinja2.Environment(loader=jinja2.DictLoader({"page.html": PAGE}), autoescape=True)
        templates = Jinja2Templates(
            env=env, context_processors=[lambda request: {"asset": assets.page(request.scope)}]
        )

        async def page(request):
            return templates.TemplateResponse(request, "page.html")

        async def echo(request):
            return PlainTextResponse(request.method + " " + (await request.body()).decode() + " " + " ".join(begun))

        async def talk(websocket):
            await websocket.accept()
            await websocket.send_text("heard " + await websocket.receive_text())
            await websocket.close()

        @asynccontextmanager
        async def lifespan(app):
            begun.append("begun")
            yield

        routes = [
            Route("/page", page),
            Route("/echo", echo, methods=["GET", "POST", "PUT"]),
            WebSocketRoute("/talk", talk),
        ]
        app = Starlette(routes=[*routes, Mount("/inner", routes=routes)], lifespan=lifespan)
        app = AssetMiddleware(app, assets)
    """,
    "fastapi": """
        from contextlib import asynccontextmanager
        import jinja2
        from fastapi import FastAPI, Request, WebSocket
        from fastapi.responses import HTMLResponse, PlainTextResponse

        @asynccontextmanager
        async def lifespan(app):
            begun.append("begun")
            yield

        app = FastAPI(lifespan=lifespan)
        app.add_middleware(AssetMiddleware, assets=assets)
        template = jinja2.Environment(autoescape=True).from_string(PAGE)

        @app.get("/page", response_class=HTMLResponse)
        @app.get("/inner/page", response_class=HTMLResponse)
        async def page(request: Request):
            return template.render(asset=assets.page(request.scope))

        @app.api_route("/echo", methods=["GET", "POST", "PUT"], response_class=PlainTextResponse)
        async def echo(request: Request):
            return request.method + " " + (await request.body()).decode() + " " + " ".join(begun)

        @app.websocket("/talk")
        async def talk(websocket: WebSocket):
            await websocket.accept()
            await websocket.send_text("heard " + await websocket.receive_text())
            await websocket.close()
    """,
    "quart": """
        from quart import Quart, render_template_string, request, websocket

        app = Quart(__name__)
        app.asgi_app = AssetMiddleware(app.asgi_app, assets)

        @app.context_processor
        def tags():
            return {"asset": assets.page(request.scope)}

        @app.get("/page")
        @app.get("/inner/page")
        async def page():
            return await render_template_string(PAGE)

        @app.route("/echo", methods=["GET", "POST", "PUT"])
        async def echo():
            return request.method + " " + (await request.get_data()).decode() + " " + " ".join(begun)

        @app.websocket("/talk")
        async def talk():
            await websocket.send("heard " + await websocket.receive())

        @app.before_serving
        async def begin():
            begun.append("begun")
    """,
}
PAGE = (
    """{{ asset.stylesheet("css/app.css") }} {{ asset.script("js/app.js", defer=True) }} {{ asset.url("big.bin") }}"""
)
PAIRS = [("uvicorn", "starlette"), ("hypercorn", "quart"), ("granian", "fastapi")]
OTHER_PAIRS = [(server, framework) for server in ASGI for framework in FRAMEWORKS if (server, framework) not in PAIRS]
Fields = list[tuple[str, str]]


def url(project: Project, name: str) -> str:
    """The tagged URL of a source, as it is written in a request."""
    found = current(project.dist)
    assert found is not None
    return quote(found.assets[f"/static/{name}"].url)


@contextmanager
def running(project: Project, server: str, framework: str, *options: str) -> Iterator[Process]:
    """A server with the app of a framework, and the middleware around that."""
    needs(framework, "wsproto")
    code = f"PAGE, DIST = {PAGE!r}, {str(project.dist)!r}\n" + COMMON + textwrap.dedent(FRAMEWORKS[framework])
    write(project.folder, {f"{framework}_app.py": code})
    with serving(" ".join((ASGI[server], *options)), f"{framework}_app:app", project.folder) as process:
        yield process


def new_project(folder: Path) -> Project:
    (folder / "static").mkdir(parents=True)
    project = Project(folder)
    project.write(SOURCES)
    project.publish()
    return project


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a release, which no test changes."""
    return new_project(tmp_path_factory.mktemp("published") / "project")


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def process(request: pytest.FixtureRequest, published: Project) -> Iterator[Process]:
    with running(published, *request.param) as process:
        yield process


@pytest.fixture
def client(process: Process) -> Client:
    return Client(process.port)


# Over a socket


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_asset_comes_over_the_wire_as_it_was_published(client: Client, published: Project, name: str) -> None:
    data = published.public(f"/static/{name}")
    for target, caching in ((url(published, name), FOREVER), (quote(f"/static/{name}"), "no-cache")):
        answer = client.get(target)
        assert (answer.status, answer.body) == (200, data)
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["cache-control"] == caching
        assert answer.headers["x-content-type-options"] == "nosniff"
        head = client.get(target, "HEAD")
        assert head.body == b""
        assert {**head.headers, "date": ""} == {**answer.headers, "date": ""}


@pytest.mark.parametrize(("coding", "decode"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_an_encoded_body_decodes_to_what_was_published(
    client: Client, published: Project, coding: str, decode: Callable[[bytes], bytes]
) -> None:
    answer = client.get(url(published, "css/app.css"), Accept_Encoding=coding)
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == (coding, "Accept-Encoding")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert decode(answer.body) == published.public("/static/css/app.css")


def test_what_a_client_has_is_not_sent_again(client: Client, published: Project) -> None:
    target = url(published, "css/app.css")
    first = client.get(target, Accept_Encoding="br")
    again = client.get(target, Accept_Encoding="br", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert (again.headers["etag"], again.headers["vary"]) == (first.headers["etag"], "Accept-Encoding")
    assert client.get(target, Accept_Encoding="gzip", If_None_Match=first.headers["etag"]).status == 200


def test_ranges_of_a_large_file_join_to_the_whole(client: Client, published: Project) -> None:
    target = url(published, "big.bin")
    etag = client.get(target, "HEAD").headers["etag"]
    joined = b""
    for start in range(0, len(BIG), 1_300_000):
        answer = client.get(target, Range=f"bytes={start}-{start + 1_299_999}", If_Range=etag)
        assert answer.status == 206
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(answer.body) - 1}/{len(BIG)}"
        assert answer.headers["content-length"] == str(len(answer.body))
        joined += answer.body
    assert joined == BIG
    all_of_it = client.get(target, Range="bytes=0-")
    assert (all_of_it.status, all_of_it.headers["content-range"]) == (206, f"bytes 0-{len(BIG) - 1}/{len(BIG)}")
    assert all_of_it.body == BIG


def test_several_ranges_come_in_parts(client: Client, published: Project) -> None:
    answer = client.get(url(published, "big.bin"), Range="bytes=0-9,1000000-1999999,-5")
    assert answer.status == 206
    assert answer.headers["content-length"] == str(len(answer.body))
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    before, *parts, after = re.split(rb"\r\n--" + boundary.encode(), b"\r\n" + answer.body)
    assert (before, after) == (b"", b"--\r\n")
    told = [part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in parts]
    assert [body for _, _, body in told] == [BIG[:10], BIG[1_000_000:2_000_000], BIG[-5:]]
    assert b"Content-Range: bytes 0-9/5000000" in told[0][0]


def test_what_is_refused(client: Client, published: Project) -> None:
    for name in ("nothing.css", "css/app.0123456789ab.css", "%ff.css", "../secret"):
        missing = client.get(f"/static/{name}")
        assert (missing.status, missing.headers["cache-control"]) == (404, "no-store"), name
    target = url(published, "css/app.css")
    options, post = client.get(target, "OPTIONS"), client.get(target, "POST")
    assert (options.status, options.body, options.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS")
    assert (post.status, post.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert client.get(target, Range="bytes=99999999-").headers["content-range"].startswith("bytes */")
    assert client.get(target, If_Match='"another"').status == 412
    assert client.get(target, Accept_Encoding="*;q=0").status == 406


def test_all_else_reaches_the_app(client: Client, process: Process) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)) as connection:
        connection.request("PUT", "/echo", body=b"x" * 200_000)
        # Its lifespan has begun, too.
        assert connection.getresponse().read() == b"PUT " + b"x" * 200_000 + b" begun"
    assert client.get("/nothing").status == 404
    assert "cache-control" not in client.get("/nothing").headers
    assert talk(process.port, "/talk", "this") == "heard this"


def test_a_page_names_what_is_then_served(client: Client, published: Project) -> None:
    for page in ("/page", "/inner/page"):
        told = client.get(page).body.decode()
        named = re.findall(r'(?:href|src)="([^"]*)"', told) + [told.split()[-1]]
        assert named == [url(published, name) for name in ("css/app.css", "js/app.js", "big.bin")]
        for target in named:
            assert (client.get(target).status, client.get(target).headers["cache-control"]) == (200, FOREVER)
        assert 'integrity="sha256-' in told


def test_lines_of_one_field_are_one_list(client: Client, published: Project) -> None:
    target = url(published, "css/app.css").encode()
    _, told, _ = client.raw(target, b"Accept-Encoding: deflate", b"ACCEPT-ENCODING: gzip;q=0.5, br")
    assert told["content-encoding"] == "br"
    status, _, _ = client.raw(target, b'If-None-Match: "x"', b"If-None-Match: " + told["etag"].encode())
    assert status == 200, "that is the ETag of another coding"
    status, _, _ = client.raw(
        target, b"Accept-Encoding: br", b'If-None-Match: "x"', b"If-None-Match: " + told["etag"].encode()
    )
    assert status == 304


def test_bytes_that_are_no_text_are_read_without_harm(client: Client, published: Project) -> None:
    target = url(published, "middling.bin").encode()
    for line in (b'If-None-Match: "\xff\xfe"', b"Accept-Encoding: \xff, br;q=\xb2", b"Accept: image/\xe9"):
        status, _, body = client.raw(target, line)
        assert (status, body) == (200, BIG[:300_000]), line
    for odd in (b"/static/%ff%fe.css", b"/static/%c3%28", b"/static/%00", b"/static/%e9"):
        status, told, _ = client.raw(odd)
        assert (status, told["cache-control"]) == (404, "no-store"), odd


@pytest.mark.skipif(not (PROC / "self" / "fd").is_dir(), reason="needs /proc")
def test_clients_that_leave_midway_leave_no_file_open(process: Process, published: Project) -> None:
    client, target = Client(process.port), url(published, "big.bin")

    def leave(*fields: bytes) -> None:
        with socket.socket() as leaver:
            leaver.settimeout(30)
            leaver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            leaver.connect(("127.0.0.1", process.port))
            leaver.sendall(b"\r\n".join((b"GET " + target.encode() + b" HTTP/1.1", b"Host: x", *fields, b"", b"")))
            assert leaver.recv(9) == b"HTTP/1.1 "

    def some() -> None:
        leave()
        leave(b"Range: bytes=1-4900000")
        leave(b"Range: bytes=1-2000000,2100000-4900000")
        assert client.get(target, Range="bytes=1-400000").status == 206

    some()
    assert eventually(lambda: not process.open_below(published.dist), seconds=20)
    before = process.open_files()
    for _ in range(30):
        some()
    assert eventually(lambda: not process.open_below(published.dist), seconds=20), process.open_below(published.dist)
    assert eventually(lambda: process.open_files() <= before + 2, seconds=20), (before, process.open_files())
    assert client.get(target).body == BIG
    assert "Traceback" not in process.said


@pytest.mark.parametrize(("server", "framework"), OTHER_PAIRS)
def test_every_framework_works_in_every_server(tmp_path: Path, server: str, framework: str) -> None:
    project = Project(tmp_path)
    project.write({name: SOURCES[name] for name in ("css/app.css", "js/app.js")} | {"big.bin": BIG[:400_000]})
    project.publish()
    with running(project, server, framework) as process:
        client = Client(process.port)
        assert talk(process.port, "/talk", "this") == "heard this"
        assert client.get("/echo").body == b"GET  begun"
        told = client.get("/inner/page").body.decode()
        sheet = re.findall(r'href="([^"]*)"', told)
        assert sheet == [url(project, "css/app.css")]
        answer = client.get(sheet[0], Accept_Encoding="br")
        assert brotli.decompress(answer.body) == project.public("/static/css/app.css")
        assert client.get(url(project, "big.bin")).body == BIG[:400_000]
        assert client.get(url(project, "big.bin"), "POST").status == 405


def talk(port: int, target: str, text: str) -> str:
    """Say something over a WebSocket, and hear what is said."""
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, Request, TextMessage

    speaker = WSConnection(ConnectionType.CLIENT)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(speaker.send(Request(host="127.0.0.1", target=target)))
        while data := connection.recv(65536):
            speaker.receive_data(data)
            for event in speaker.events():
                if isinstance(event, AcceptConnection):
                    connection.sendall(speaker.send(TextMessage(text)))
                elif isinstance(event, TextMessage):
                    return event.data
    return "closed"


# Releases


@pytest.mark.parametrize(("server", "framework"), PAIRS)
def test_releases_are_served_as_they_are_published(tmp_path: Path, server: str, framework: str) -> None:
    project = Project(tmp_path)
    with running(project, server, framework) as process:
        client = Client(process.port)
        # There is none: all is the application's.
        assert client.get("/static/css/app.css").status == 404
        assert "cache-control" not in client.get("/static/css/app.css").headers
        assert client.get("/echo").body == b"GET  begun"
        project.write({"css/app.css": CSS, "big.bin": BIG[:400_000]})
        project.publish()
        assert eventually(lambda: client.get(url(project, "css/app.css")).status == 200, seconds=10)

        wrong: list[str] = []
        enough = threading.Event()

        def ask() -> None:
            with closing(http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)) as connection:
                while not enough.wait(0.002):
                    for target in ("/static/big.bin", "/static/css/app.css", "/echo"):
                        connection.request("GET", target)
                        answer = Answer(connection.getresponse())
                        if answer.status != 200 or len(answer.body) != int(answer.headers["content-length"]):
                            wrong.append(f"{target}: {answer.status} {answer.headers}")

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for number in range(5):
                data = random.Random(number).randbytes(400_000 + number)
                before = url(project, "big.bin")
                project.write({"css/app.css": f"p {{ margin: {number}px }}", "big.bin": data})
                project.publish()
                # At once, whether or not the server has looked at the disk since; and the one before still is.
                assert client.get(url(project, "big.bin")).body == data
                assert client.get(before).status == 200
                assert eventually(lambda data=data: client.get("/static/big.bin").body == data, seconds=10)  # type: ignore[misc]
        finally:
            enough.set()
            for thread in threads:
                thread.join()
        assert wrong == []


# Mount points


@pytest.mark.parametrize(
    ("server", "framework", "option", "outside"),
    [
        # What a proxy takes away, uvicorn puts back.
        ("uvicorn", "starlette", "--root-path /shop", ""),
        ("uvicorn", "fastapi", "--root-path /shop", ""),
        # These leave the path as it came: some proxies take the prefix away, some do not.
        ("hypercorn", "quart", "--root-path /shop", "/shop"),
        ("granian", "starlette", "--url-path-prefix /shop", "/shop"),
    ],
)
def test_below_a_root_path_pages_name_what_is_served_there(
    published: Project, server: str, framework: str, option: str, outside: str
) -> None:
    with running(published, server, framework, option) as process:
        client = Client(process.port)
        for page in ("/page", "/inner/page"):
            told = client.get(outside + page).body.decode()
            assert re.findall(r'href="([^"]*)"', told) == ["/shop" + url(published, "css/app.css")], told
        assert client.get(outside + url(published, "css/app.css")).body == published.public("/static/css/app.css")
        # Of a proxy that takes the prefix away.
        assert client.get(url(published, "css/app.css")).body == published.public("/static/css/app.css")
        assert client.get(outside + "/static/nothing").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("root_path", "path", "status"),
    [
        ("", "/static/css/app.css", 200),
        ("/shop", "/shop/static/css/app.css", 200),
        ("/a/b", "/a/b/static/css/app.css", 200),
        ("/shop", "/static/css/app.css", 200),
        ("/static", "/static/static/css/app.css", 200),
        ("/söß", "/söß/static/css/app.css", 200),
        # Some servers are told a mount point with a slash at its end, and put it before the path as it is.
        ("/shop/", "/shop//static/css/app.css", 200),
        ("/shop", "/shop/static/nothing.css", 404),
        ("/shop", "/shop", 299),
        ("/shop", "/shop/", 299),
        ("/shop", "/shopping/static/css/app.css", 299),
        ("/shop", "/shop/shop/static/css/app.css", 299),
        ("", "/shop/static/css/app.css", 299),
    ],
)
def test_the_mount_point_is_no_part_of_an_assets_path(
    published: Project, root_path: str, path: str, status: int
) -> None:
    assets = Assets(published.dist)
    assert ask(AssetMiddleware(application, assets), path, root_path=root_path).status == status


@pytest.mark.parametrize("root_path", ["", "/shop"])
def test_mounts_inside_the_middleware_do_not_change_what_pages_name(published: Project, root_path: str) -> None:
    assets = Assets(published.dist)
    inner = starlette_with(assets)
    for app in (
        AssetMiddleware(mounted("/deep", mounted("/deeper", inner)), assets),
        mounted("/deep", mounted("/deeper", inner), middleware=assets),
    ):
        page = ask(app, f"{root_path}/deep/deeper/page", root_path=root_path)
        assert page.body.decode() == root_path + url(published, "css/app.css")
        assert ask(app, unquote(page.body.decode()), root_path=root_path).status == 200


@pytest.mark.parametrize("root_path", ["", "/shop"])
def test_pages_of_an_app_that_is_mounted_with_its_middleware_name_what_is_served_there(
    published: Project, root_path: str
) -> None:
    assets = Assets(published.dist)
    app = mounted("/outer", AssetMiddleware(mounted("/inner", starlette_with(assets)), assets))
    page = ask(app, f"{root_path}/outer/inner/page", root_path=root_path)
    assert page.body.decode() == f"{root_path}/outer" + url(published, "css/app.css")
    assert ask(app, unquote(page.body.decode()), root_path=root_path).status == 200
    assert ask(app, f"{root_path}/static/css/app.css", root_path=root_path).status == 404


def starlette_with(assets: Assets) -> ASGIApplication:
    """An application with one page, which names one asset."""
    needs("starlette")
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(assets.page(request.scope).url("css/app.css"))

    return Starlette(routes=[Route("/page", page)])


def mounted(path: str, app: ASGIApplication, middleware: Assets | None = None) -> ASGIApplication:
    """An application that has another one below a path, and possibly our middleware in the way of Starlette."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount

    stack = [Middleware(AssetMiddleware, assets=middleware)] if middleware is not None else []
    return Starlette(routes=[Mount(path, app)], middleware=stack)


# In process


class Told(NamedTuple):
    """A whole reply, its header fields by their names in lower case."""

    status: int
    headers: Fields
    body: bytes
    messages: list[Message]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything that reaches it, so that it is told apart from every asset."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"the application's own answer"})


def scope_of(path: str, method: str = "GET", fields: Fields | None = None, **more: Any) -> Scope:
    """What a server makes of a request."""
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields or []]
    asgi = {"version": "3.0", "spec_version": "2.3"}
    told = {"type": "http", "asgi": asgi, "http_version": "1.1", "scheme": "http", "query_string": b"", "root_path": ""}
    return {**told, "method": method, "path": path, "raw_path": quote(path).encode(), "headers": headers, **more}


class Connection:
    """One request's: notes what is sent, and says that the client is gone once it is."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.gone = asyncio.Event()
        self._asked = False

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def told(self) -> Told:
        start, *rest = self.messages
        assert start["type"] == "http.response.start"
        assert [part.get("more_body", False) for part in rest] == [True] * (len(rest) - 1) + [False]
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return Told(start["status"], headers, b"".join(part.get("body", b"") for part in rest), self.messages)


def ask(app: ASGIApplication, path: str, method: str = "GET", fields: Fields | None = None, **more: Any) -> Told:
    connection = Connection()

    async def one() -> None:
        await app(scope_of(path, method, fields, **more), connection.receive, connection.send)

    asyncio.run(one())
    return connection.told


def ask_wsgi(app: WSGIApplication, target: str, method: str, fields: Fields) -> Told:
    """The same over WSGI; as PEP 3333 has it, the path is bytes told as Latin-1, and lines of one field are joined."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(target).decode("latin-1"),
        "wsgi.input": io.BytesIO(),
    }
    for name, value in fields:
        variable = f"HTTP_{name.upper().replace('-', '_')}"
        environ[variable] = f"{environ[variable]}, {value}" if variable in environ else value
    started: list[tuple[str, Fields]] = []

    def start_response(status: str, headers: Fields, _error: object = None) -> Callable[[bytes], object]:
        started.append((status, headers))
        return lambda _: None

    parts = app(environ, start_response)
    body = b"".join(parts)
    if isinstance(parts, Opened):
        parts.close()
    ((status, headers),) = started
    return Told(int(status[:3]), [(name.lower(), value) for name, value in headers], body, [])


def wsgi_application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("299 OK", [])
    return [b"the application's own answer"]


def table_of_requests(project: Project) -> Iterator[tuple[str, str, Fields]]:
    """Targets with methods and fields, of which each may matter to each."""
    css = project_etags(project, "css/app.css")
    fields: list[Fields] = [
        [],
        [("Accept-Encoding", "br")],
        [("Accept-Encoding", "gzip;q=1, br;q=0.5")],
        [("Accept-Encoding", "identity;q=0, *;q=0")],
        [("Accept-Encoding", "deflate"), ("Accept-Encoding", "gzip")],
        [("Accept-Encoding", "br"), ("If-None-Match", css["br"])],
        [("If-None-Match", '"x"'), ("If-None-Match", css["identity"])],
        [("If-None-Match", "*")],
        [("If-None-Match", '"\xe9\xff"')],
        [("If-Match", '"x"')],
        [("If-Match", css["identity"])],
        [("Range", "bytes=3-7")],
        [("Range", "bytes=-5")],
        [("Range", "bytes=0-")],
        [("Range", "bytes=0-4,8-9,20-")],
        [("Range", "bytes=0-0"), ("Range", "bytes=3-4")],
        [("Range", "bytes=99999999-")],
        [("Range", "bytes=\xb2-")],
        [("Range", "bytes=1-5"), ("If-Range", css["identity"])],
        [("Range", "bytes=1-5"), ("If-Range", '"x"')],
        [("Accept", "text/css"), ("User-Agent", "caf\xe9"), ("Cookie", "a=b")],
    ]
    targets = [quote(f"/static/{name}") for name in ("css/app.css", "empty.txt", "middling.bin", "söß ☃.txt")]
    targets += [url(project, "css/app.css"), url(project, "big.bin")]
    for target in targets:
        for some in fields:
            yield "GET", target, some
        for method in ("HEAD", "OPTIONS", "POST", "DELETE"):
            yield method, target, []
            yield method, target, [("Accept-Encoding", "br"), ("If-None-Match", css["br"]), ("Range", "bytes=1-2")]
    for odd in ("/", "/static", "/static/", "/static/%ff", "/static/%ff.txt", "/static/%c3%28", "/static/%00", "/%ff"):
        yield "GET", odd, []
        yield "HEAD", odd, []
    for odd in (
        "/static/../secret",
        "/static/%2e%2e/secret",
        "/static//css/app.css",
        "/static/a%20b%23c%3Fd%2541%26e.txt",
    ):
        yield "GET", odd, []


def project_etags(project: Project, name: str) -> dict[str, str]:
    found = current(project.dist)
    assert found is not None
    asset = found.assets[f"/static/{name}"]
    return {"identity": Digest(asset.sha256).etag, **{c: Digest(e.sha256).etag for c, e in asset.encodings.items()}}


def test_the_same_request_gets_the_same_answer_over_either_protocol(published: Project) -> None:
    over_asgi = AssetMiddleware(application, Assets(published.dist))
    over_wsgi = WSGIMiddleware(wsgi_application, Server(published.dist), lambda: True)
    seen = set()
    for method, target, fields in table_of_requests(published):
        expected = ask_wsgi(over_wsgi, target, method, fields)
        found = ask(over_asgi, unquote(target), method, fields)
        assert found[:3] == expected[:3], (method, target, fields)
        seen.add(found.status)
    assert seen == {200, 204, 206, 299, 304, 404, 405, 406, 412, 416}


def test_what_was_answered_is_counted(published: Project) -> None:
    assets = Assets(published.dist)
    app = AssetMiddleware(application, assets)
    ask(app, "/static/css/app.css", fields=[("Accept-Encoding", "br")])
    ask(app, unquote(url(published, "big.bin")))
    ask(app, "/static/nothing")
    ask(app, "/")
    told = assets.snapshot()
    assert told.replies == {("br", 200): 1, ("identity", 200): 1, ("none", 404): 1}
    assert told.assets == {("/static/css/app.css", "plain"): 1, ("/static/big.bin", "tagged"): 1}
    assert told.missing == {"/static/nothing": 1}


@pytest.mark.parametrize("fields", [[], [("Range", "bytes=0-")]])
def test_a_server_that_sends_files_itself_is_told_which(published: Project, fields: Fields) -> None:
    connection = Connection()
    scope = scope_of("/static/big.bin", fields=fields, extensions={"http.response.pathsend": {}})
    asyncio.run(AssetMiddleware(application, Assets(published.dist))(scope, connection.receive, connection.send))
    start, sent = connection.messages
    assert sent["type"] == "http.response.pathsend"
    assert Path(sent["path"]).is_absolute()
    assert Path(sent["path"]).read_bytes() == BIG
    assert (b"content-length", b"5000000") in start["headers"]
    assert open_below(published.dist) == []


def test_a_relative_dist_is_told_as_an_absolute_path(published: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(published.folder)
    connection = Connection()
    scope = scope_of("/static/big.bin", extensions={"http.response.pathsend": {}})
    asyncio.run(AssetMiddleware(application, Assets("dist"))(scope, connection.receive, connection.send))
    sent = Path(connection.messages[1]["path"])
    assert sent.is_absolute()
    assert sent.is_relative_to(published.dist.absolute())


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/static/big.bin", [("Range", "bytes=0-400000")]),
        ("/static/big.bin", [("Range", "bytes=0-9,20-29")]),
        ("/static/css/app.css", []),
        ("/static/empty.txt", []),
    ],
)
def test_what_is_no_whole_large_file_is_sent_in_messages(published: Project, path: str, fields: Fields) -> None:
    told = ask(
        AssetMiddleware(application, Assets(published.dist)),
        path,
        fields=fields,
        extensions={"http.response.pathsend": {}},
    )
    assert dict(told.headers)["content-length"] == str(len(told.body))
    assert told.messages[-1]["type"] == "http.response.body"


def test_other_kinds_of_connections_are_passed_on_as_they_are(published: Project) -> None:
    passed: list[Scope] = []

    async def notes(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope)

    app = AssetMiddleware(notes, Assets(published.dist))
    connection = Connection()
    for scope in ({"type": "lifespan"}, {"type": "websocket", "path": "/static/css/app.css"}, {"type": "later"}):
        asyncio.run(app(scope, connection.receive, connection.send))
        assert passed[-1] is scope
    assert connection.messages == []


class Noted(ThreadPoolExecutor):
    """The threads of a loop: counts what they are asked for, and can let the first of it wait."""

    def __init__(self) -> None:
        super().__init__(4)
        self.asked = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked += 1
        first = self.asked == 1

        def run() -> Any:
            if first:
                self.go_on.wait()
            return fn(*args, **kwargs)

        return super().submit(run)


def threads_for(assets: Assets, path: str, method: str = "GET", *fields: tuple[str, str]) -> int:
    """How often a request turned to a thread, when the release was looked at just before."""

    async def one() -> int:
        threads = Noted()
        asyncio.get_running_loop().set_default_executor(threads)
        assets.releases.table()
        connection = Connection()
        app = AssetMiddleware(application, assets)
        await app(scope_of(path, method, [*fields]), connection.receive, connection.send)
        return threads.asked

    # On a machine that pauses, it is time for another look already.
    return min(asyncio.run(one()) for _ in range(5))


def test_only_the_disk_is_worth_a_thread(published: Project) -> None:
    assets = Assets(published.dist)
    app = AssetMiddleware(application, assets)
    etag = dict(ask(app, "/static/css/app.css").headers)["etag"]
    ask(app, "/static/css/app.css", fields=[("Accept-Encoding", "br")])
    for path, method, *fields in (
        ("/static/css/app.css", "GET"),
        ("/static/css/app.css", "GET", ("Accept-Encoding", "br")),
        ("/static/css/app.css", "GET", ("Range", "bytes=1-5,9-12")),
        ("/static/css/app.css", "GET", ("If-None-Match", etag)),
        ("/static/css/app.css", "GET", ("Accept-Encoding", "*;q=0")),
        ("/static/css/app.css", "POST"),
        ("/static/css/app.css", "OPTIONS"),
        ("/static/big.bin", "HEAD"),
        ("/static/big.bin", "GET", ("If-None-Match", "*")),
        ("/static/big.bin", "GET", ("Range", "bytes=99999999-")),
        ("/", "GET"),
        ("/articles/7", "POST"),
    ):
        assert threads_for(assets, path, method, *fields) == 0, (path, method, fields)
    # Another worker may have named it, so the disk is asked.
    assert threads_for(assets, "/static/css/app.0123456789ab.css") == 1
    # Opened in one, and then read in pieces: never all of it at once, and never by the loop.
    assert threads_for(assets, "/static/big.bin") > len(BIG) / (1024 * 1024)


def test_while_a_disk_stands_still_others_are_answered(published: Project) -> None:
    assets = Assets(published.dist)
    app = AssetMiddleware(application, assets)
    ask(app, "/static/css/app.css")

    async def all_at_once() -> None:
        threads = Noted()
        asyncio.get_running_loop().set_default_executor(threads)
        threads.go_on.clear()
        slow, quick, own = Connection(), Connection(), Connection()
        waiting = asyncio.create_task(app(scope_of("/static/big.bin"), slow.receive, slow.send))
        try:
            while not threads.asked:
                await asyncio.sleep(0)
            await app(scope_of("/static/css/app.css"), quick.receive, quick.send)
            await app(scope_of("/"), own.receive, own.send)
            assert (quick.told.status, own.told.status, slow.messages) == (200, 299, [])
        finally:
            threads.go_on.set()
        await waiting
        assert slow.told.body == BIG

    asyncio.run(all_at_once())


# Clients that leave


def test_nothing_more_is_read_for_a_client_that_is_gone(published: Project) -> None:
    connection = Connection()

    async def leave() -> None:
        connection.gone.set()
        app = AssetMiddleware(application, Assets(published.dist))
        await app(scope_of("/static/big.bin"), connection.receive, connection.send)

    asyncio.run(leave())
    sent = sum(len(message.get("body", b"")) for message in connection.messages)
    assert sent < len(BIG) / 2
    assert open_below(published.dist) == []


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_file_is_closed_when_sending_fails(published: Project, after: int) -> None:
    connection = Connection()

    async def send(message: Message) -> None:
        # ASGI 2.4: of a client that is gone.
        if len(connection.messages) == after:
            raise BrokenPipeError
        await connection.send(message)

    app = AssetMiddleware(application, Assets(published.dist))
    with pytest.raises(BrokenPipeError):
        asyncio.run(app(scope_of("/static/big.bin"), connection.receive, send))
    assert open_below(published.dist) == []


def test_a_file_is_closed_when_the_request_is_cancelled(published: Project) -> None:
    connection = Connection()

    async def cancel() -> None:
        app = AssetMiddleware(application, Assets(published.dist))
        stalled = asyncio.Event()

        async def send(message: Message) -> None:
            await connection.send(message)
            if len(connection.messages) == 3:
                stalled.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(app(scope_of("/static/big.bin"), connection.receive, send))
        await stalled.wait()
        assert len(open_below(published.dist)) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert open_below(published.dist) == []


# Naming


def test_assets_are_named_outside_of_requests_too(published: Project) -> None:
    assets = Assets(published.dist)
    assert assets.url("css/app.css") == assets.url("/static/css/app.css") == url(published, "css/app.css")
    assert assets.url("css/app.css", "/shop/") == "/shop" + url(published, "css/app.css")
    assert Assets(published.dist, prefix="/static/css/").url("app.css") == url(published, "css/app.css")
    assert assets.url("nothing.css") == "/static/nothing.css"


def test_a_cdn_is_named_in_pages_and_may_be_read_from_everywhere(published: Project) -> None:
    assets = Assets(published.dist, cdn="https://cdn.example.com/site/")
    page = assets.page(scope_of("/"))
    assert page.url("css/app.css") == "https://cdn.example.com/site" + url(published, "css/app.css")
    told = ask(AssetMiddleware(application, assets), "/static/css/app.css")
    assert dict(told.headers)["access-control-allow-origin"] == "*"


def test_who_asks_again_in_a_request_gets_the_page_that_knows_what_was_named(published: Project) -> None:
    """So that a middleware of the application's can spell the policy for what its template has named."""
    assets = Assets(published.dist)

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        page = assets.page(scope)
        before = page.content_security_policy()
        page.stylesheet("css/app.css")
        after = assets.page(dict(scope)).content_security_policy()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"{before}|{after}".encode()})

    for _ in range(2):
        assert ask(AssetMiddleware(app, assets), "/").body == b"|style-src 'self'"


def test_without_a_release_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="Run `assetpipe build` first"):
        Assets(tmp_path / "dist").url("css/app.css")
