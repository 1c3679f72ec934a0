"""The real thing over a socket: a published dist, two WSGI servers, and clients that send what they like."""

from __future__ import annotations

import errno
import gzip
import http.client
import json
import logging
import os
import resource
import socket
import socketserver
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import brotli
import pytest
import werkzeug.serving
import werkzeug.test

from assetpipe import locks
from assetpipe.publish import current
from assetpipe.serve.releases import Releases
from assetpipe.serve.server import Server
from assetpipe.serve.wsgi import AssetMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from assetpipe.manifest import Asset, Manifest
    from tests.conftest import Project

CSS = b"body { color: teal; background: white }\n" * 200
BIG = bytes(range(256)) * 2000
SOURCES = {
    "css/app.css": CSS,
    "big.bin": BIG,
    "empty.txt": b"",
    "söß ☃.txt": "schön".encode() * 30,
    "a b#c?d%41&e.txt": b"odd" * 30,
    "\ufffd.txt": b"a name with a replacement character",
}
OWN = b"the application's own answer"
OPEN_FILES = Path("/proc/self/fd")


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers everything that reaches it, so that it is told apart from every asset."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(OWN)))])
    return [OWN]


class QuietHandler(WSGIRequestHandler):
    """The standard library's handler without its log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


class ThreadedServer(socketserver.ThreadingMixIn, WSGIServer):
    """One thread a connection, all of them joined at the end."""

    daemon_threads = False


class QuietWerkzeugHandler(werkzeug.serving.WSGIRequestHandler):
    """Werkzeug's handler without its log."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


@contextmanager
def wsgiref_server(app: WSGIApplication) -> Iterator[int]:
    with make_server("127.0.0.1", 0, app, ThreadedServer, QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def werkzeug_server(app: WSGIApplication) -> Iterator[int]:
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietWerkzeugHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


SERVERS = {"wsgiref": wsgiref_server, "werkzeug": werkzeug_server}


class Answer:
    """What came over the wire."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()


class Client:
    """Sends requests to one server, each over a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, target: str, method: str = "GET", **fields: str) -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in fields.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            return Answer(connection.getresponse())

    def raw(self, target: bytes, *lines: bytes, method: bytes = b"GET") -> tuple[int, dict[str, str], bytes]:
        """Send a target as it is, byte by byte, and read all that comes until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            head = b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: x", b"Connection: close", *lines])
            connection.sendall(head + b"\r\n\r\n")
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        told, _, body = received.partition(b"\r\n\r\n")
        first, *rest = told.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        return int(first.split(" ")[1]), fields, body


@pytest.fixture
def published(project: Project) -> Project:
    """A project with a release."""
    project.write(SOURCES)
    project.publish()
    return project


@pytest.fixture(params=list(SERVERS))
def client(request: pytest.FixtureRequest, published: Project) -> Iterator[Client]:
    """A client of a server for that release, with each of the servers in turn."""
    app = AssetMiddleware(application, Server(published.dist), lambda: True)
    with SERVERS[request.param](app) as port:
        yield Client(port)


def url(project: Project, name: str) -> str:
    """The tagged URL of a source, as it is written in a request."""
    return quote(asset(project, name).url)


def asset(project: Project, name: str) -> Asset:
    return manifest(project).assets[f"/static/{name}"]


def manifest(project: Project) -> Manifest:
    found = current(project.dist)
    assert found is not None
    return found


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition comes true in that time; it is asked once more when the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


# What is sent


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_asset_comes_over_the_wire_as_it_was_published(client: Client, published: Project, name: str) -> None:
    data = published.public(f"/static/{name}")
    for target, caching in (
        (url(published, name), "public, max-age=31536000, immutable"),
        (quote(f"/static/{name}"), "no-cache"),
    ):
        answer = client.get(target)
        assert answer.status == 200
        assert answer.body == data
        assert answer.headers["content-length"] == str(len(data))
        assert answer.headers["cache-control"] == caching
        head = client.get(target, "HEAD")
        assert head.body == b""
        # A server adds the time of its own.
        assert {**head.headers, "date": ""} == {**answer.headers, "date": ""}


@pytest.mark.parametrize(("coding", "decode"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_an_encoded_body_decodes_to_what_was_published(
    client: Client, published: Project, coding: str, decode: Callable[[bytes], bytes]
) -> None:
    answer = client.get(url(published, "css/app.css"), Accept_Encoding=coding)
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["content-length"] == str(len(answer.body))
    assert decode(answer.body) == published.public("/static/css/app.css")
    assert len(answer.body) < len(published.public("/static/css/app.css"))


def test_without_minifying_an_encoded_body_decodes_to_the_source(project: Project) -> None:
    project.write(SOURCES)
    project.configure(minify=False)
    project.publish()
    with wsgiref_server(AssetMiddleware(application, Server(project.dist), lambda: True)) as port:
        answer = Client(port).get(url(project, "css/app.css"), Accept_Encoding="br")
    assert brotli.decompress(answer.body) == CSS


@pytest.mark.parametrize("step", [1, 65536, 100_000, len(BIG) - 1, len(BIG)])
def test_ranges_join_to_the_whole(client: Client, published: Project, step: int) -> None:
    target = url(published, "big.bin")
    starts = range(0, len(BIG), step) if step > 1 else range(40)
    joined = b""
    for start in starts:
        answer = client.get(target, Range=f"bytes={start}-{start + step - 1}")
        assert answer.status == 206
        end = min(start + step, len(BIG))
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(BIG)}"
        assert answer.headers["content-length"] == str(len(answer.body))
        joined += answer.body
    assert joined == BIG[: len(joined)]
    assert len(joined) == (len(BIG) if step > 1 else 40)


def test_ranges_of_a_coded_body_join_to_what_decodes(client: Client, published: Project) -> None:
    target = url(published, "css/app.css")
    whole = client.get(target, Accept_Encoding="br")
    half = len(whole.body) // 2
    etag = whole.headers["etag"]
    first = client.get(target, Accept_Encoding="br", Range=f"bytes=0-{half - 1}", If_Range=etag)
    second = client.get(target, Accept_Encoding="br", Range=f"bytes={half}-", If_Range=etag)
    assert (first.status, second.status) == (206, 206)
    assert brotli.decompress(first.body + second.body) == published.public("/static/css/app.css")


def test_a_client_that_asks_again_is_told_that_nothing_has_changed(client: Client, published: Project) -> None:
    first = client.get("/static/css/app.css", Accept_Encoding="br")
    again = client.get("/static/css/app.css", Accept_Encoding="br", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["vary"] == first.headers["vary"]


def test_other_methods_and_what_is_not_ours(client: Client, published: Project) -> None:
    assert client.get(url(published, "big.bin"), "POST").status == 405
    assert client.get(url(published, "big.bin"), "OPTIONS").status == 204
    assert client.get("/", "POST").body == OWN


@pytest.mark.parametrize(
    ("method", "path", "line", "status"),
    [
        ("GET", "big.bin", b"", 200),
        ("HEAD", "big.bin", b"", 200),
        ("GET", "css/app.css", b"Accept-Encoding: br", 200),
        ("HEAD", "css/app.css", b"Accept-Encoding: br", 200),
        ("GET", "empty.txt", b"", 200),
        ("GET", "big.bin", b"Range: bytes=3-7", 206),
        ("GET", "big.bin", b"Range: bytes=0-", 206),
        ("HEAD", "big.bin", b"Range: bytes=3-7", 200),
        ("GET", "big.bin", b"Range: bytes=9999999-", 416),
        ("GET", "big.bin", b"If-None-Match: *", 304),
        ("HEAD", "big.bin", b"If-None-Match: *", 304),
        ("GET", "big.bin", b'If-Match: "x"', 412),
        ("GET", "big.bin", b"Accept-Encoding: *;q=0", 406),
        ("OPTIONS", "big.bin", b"", 204),
        ("PUT", "big.bin", b"", 405),
        ("GET", None, b"", 404),
        ("HEAD", None, b"", 404),
    ],
)
def test_an_answer_is_as_long_as_it_says(
    client: Client, published: Project, method: str, path: str | None, line: bytes, status: int
) -> None:
    # RFC 9110 section 8.6. What comes after the headers is read until the server closes the connection.
    target = url(published, path) if path else "/static/nothing"
    found, fields, body = client.raw(target.encode(), *([line] if line else []), method=method.encode())
    assert found == status
    if method == "HEAD" or status in (204, 304):
        assert body == b""
    else:
        assert fields["content-length"] == str(len(body))


# What is not sent

SECRET = b"not for the web"


@pytest.mark.parametrize(
    "target",
    [
        b"/static/%2e%2e/secret.txt",
        b"/static/../secret.txt",
        b"/static/..%2fsecret.txt",
        b"/static/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        b"/static/%2e%2e%2f%2e%2e%2fmanifest.json",
        b"/static/../../manifest.json",
        b"/static/../../../static/css/app.css",
        b"/static/..\\secret.txt",
        b"/static/css%5capp.css",
        b"/static/..%5c..%5csecret.txt",
        b"/static/%252e%252e/secret.txt",
        b"/static/css/app.css%00",
        b"/static/%00",
        b"/static/css/app.css%00.png",
        b"/static/%ff",
        b"/static/css/app%ff.css",
        b"/static/%c3%28.txt",
        b"/static/%c0%ae%c0%ae/secret.txt",
        b"/static/\xff\xfe",
        b"/static/css//app.css",
        b"/static//css/app.css",
        b"/static/./css/app.css",
        b"/static/css/./app.css",
        b"/static/css/app.css/",
        b"/static/css/",
        b"/static/",
        b"/static/css",
        b"/static/CSS/app.css",
        b"/static/css/app.css;x=1",
        b"/static/C:/secret.txt",
        b"/static//etc/passwd",
        b"/static/" + b"x" * 8192,
        b"/static/" + b"../" * 2700 + b"etc/passwd",
        b"/static/" + b"%2e%2e%2f" * 900 + b"etc/passwd",
        b"/static/css/app.css.br",
        b"/static/.watch",
        b"/static/.lock",
        b"/static/~root",
        b"/static/%20",
        b"/static/%0d%0aX-Injected:%201",
    ],
    ids=lambda target: repr(target[:50]),
)
def test_no_target_gets_anything_but_an_asset_or_a_404(client: Client, published: Project, target: bytes) -> None:
    for folder in (published.dist, published.dist / "public", published.dist / "public" / "static", published.folder):
        (folder / "secret.txt").write_bytes(SECRET)
    status, fields, body = client.raw(target)
    assert status == 404
    assert fields["cache-control"] == "no-store"
    assert "x-injected" not in fields
    assert body == b"404 Not Found\n"


@pytest.mark.parametrize(
    "target",
    [
        b"/%2e%2e/static/css/app.css",
        b"/../static/css/app.css",
        b"/./static/css/app.css",
        b"/%2fstatic/css/app.css",
        b"\\static\\css\\app.css",
        b"/static\\css\\app.css",
        b"/STATIC/css/app.css",
        b"/%00/static/css/app.css",
        b"/manifest.json",
        b"/static",
        b"/static%00/x",
        b"/%ff",
        b"/" + b"x" * 8192,
        b"*",
    ],
    ids=lambda target: repr(target[:50]),
)
def test_whatever_is_not_below_a_prefix_is_the_applications(published: Project, target: bytes) -> None:
    # Only here: Werkzeug's own server reads some of these as a host.
    with wsgiref_server(AssetMiddleware(application, Server(published.dist), lambda: True)) as port:
        status, _, body = Client(port).raw(target)
    assert (status, body) == (200, OWN)


@pytest.mark.parametrize(
    "target",
    [
        b"/static/%63ss/app.css",
        b"/%73tatic/css/%61pp.css",
        b"/static/css%2fapp.css",
        b"/static/css/app.css?v=1",
        b"/static/css/app.css?",
    ],
)
def test_an_encoded_spelling_of_an_assets_path_is_that_asset(client: Client, published: Project, target: bytes) -> None:
    status, fields, body = client.raw(target)
    assert (status, body) == (200, published.public("/static/css/app.css"))
    assert fields["cache-control"] == "no-cache"


def test_hostile_fields_are_read_without_harm(client: Client, published: Project) -> None:
    target = url(published, "big.bin").encode()
    for line in (
        b"Range: bytes=0-" + b"9" * 4000,
        b"Range: bytes=" + b"0-," * 2000,
        b'If-None-Match: "' + b"\xff" * 8000,
        b"If-None-Match: " + b"W/" * 4000,
        b"If-Match: *" + b"\r\nIf-Match: *",
        b"Accept-Encoding: " + b"gzip;q=0." * 800,
        b"Accept-Encoding: \xff\xfe, br;q=\xb2",
        b"Accept: " + b"," * 8000,
    ):
        status, _, body = client.raw(target, line)
        assert status in (200, 206, 412), line[:40]
        assert status == 412 or body == BIG


def test_a_file_missing_from_dist_is_a_404_that_is_not_stored(
    client: Client, published: Project, caplog: pytest.LogCaptureFixture
) -> None:
    (published.dist / "public" / asset(published, "big.bin").url[1:]).unlink()
    answer = client.get(url(published, "big.bin"))
    assert answer.status == 404
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    assert "assetpipe verify" in caplog.text
    assert client.get(url(published, "css/app.css")).status == 200


@pytest.mark.parametrize(
    "damage",
    [lambda data: data + b"HTTP/1.1 200 OK\r\n\r\nsmuggled", lambda data: data[:-1000], lambda _: b""],
    ids=["longer", "shorter", "empty"],
)
@pytest.mark.parametrize("fields", [(), (b"Range: bytes=-100",)], ids=["whole", "range"])
def test_a_file_of_another_size_than_published_never_breaks_the_framing(
    client: Client, published: Project, damage: Callable[[bytes], bytes], fields: tuple[bytes, ...]
) -> None:
    # RFC 9110 section 8.6: the Content-Length is that of the body, or the next answer of a kept connection is lost.
    file = published.dist / "public" / asset(published, "big.bin").url[1:]
    file.write_bytes(damage(BIG))
    _, told, body = client.raw(url(published, "big.bin").encode(), *fields)
    assert len(body) == int(told["content-length"])


# Releases


def test_a_release_published_while_the_server_runs_is_served_within_a_second(
    client: Client, published: Project
) -> None:
    before, old_body = url(published, "css/app.css"), published.public("/static/css/app.css")
    assert client.get(before).status == 200
    published.write({"css/app.css": b"body{color:red}"})
    published.publish()
    after = url(published, "css/app.css")
    assert after != before
    assert eventually(lambda: client.get(after).status == 200, seconds=1)
    assert client.get(after).body == b"body{color:red}"
    assert client.get("/static/css/app.css").body == b"body{color:red}"
    # The release before is retained.
    assert client.get(before).body == old_body


def test_the_first_release_is_served_within_a_second_of_its_publishing(project: Project) -> None:
    with wsgiref_server(AssetMiddleware(application, Server(project.dist), lambda: True)) as port:
        client = Client(port)
        assert client.get("/static/a.txt").body == OWN
        project.write({"a.txt": b"now"})
        project.publish()
        assert eventually(lambda: client.get("/static/a.txt").body == b"now", seconds=1)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "garbage": lambda _: b"\x00\x01\x02",
    "not UTF-8": lambda data: data.replace(b"/static/big.bin", b"/static/\xff.bin"),
    "another shape": lambda _: b"[]",
    "a member of another type": lambda data: data.replace(b'"size":', b'"size":"x","was":', 1),
    "a member missing": lambda data: data.replace(b'"sha256":', b'"sha":'),
    "a later format": lambda data: data.replace(b'"format":1', b'"format":2'),
    "nested without end": lambda _: b'{"x":' + b"[" * 100_000,
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_damaged_manifest_leaves_the_old_release_served(
    published: Project, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = published.dist / "manifest.json"
    data = file.read_bytes()
    damaged = DAMAGES[damage](data)
    assert damaged != data
    with wsgiref_server(AssetMiddleware(application, Server(published.dist), lambda: True)) as port:
        client = Client(port)
        target = url(published, "css/app.css")
        whole = client.get(target)
        assert whole.status == 200
        file.write_bytes(damaged)
        statuses = []

        def noticed() -> bool:
            statuses.append(client.get(target).status)
            return bool(caplog.records)

        assert eventually(noticed, seconds=1)
        assert set(statuses) == {200}
        assert client.get(target).body == whole.body
        file.write_bytes(data.replace(b"/static/empty.txt", b"/static/mended.txt"))
        assert eventually(lambda: client.get("/static/mended.txt").status == 200, seconds=1)
    assert [record.levelno for record in caplog.records] == [logging.ERROR], "a damage is told once, as an error"


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_manifest_damaged_from_the_start_leaves_the_application_answering(published: Project, damage: str) -> None:
    file = published.dist / "manifest.json"
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    with wsgiref_server(AssetMiddleware(application, Server(published.dist), lambda: True)) as port:
        assert Client(port).get("/").body == OWN


def test_a_damaged_retained_release_does_not_hinder_the_current_one(published: Project) -> None:
    published.write({"css/app.css": b"body{color:red}"})
    published.publish()
    (retained,) = manifest(published).retained
    (published.dist / "releases" / f"{retained}.json").write_bytes(b"{")
    with wsgiref_server(AssetMiddleware(application, Server(published.dist), lambda: True)) as port:
        assert Client(port).get(url(published, "css/app.css")).body == b"body{color:red}"


def test_a_manifest_that_vanishes_leaves_the_old_release_served(client: Client, published: Project) -> None:
    target = url(published, "css/app.css")
    assert client.get(target).status == 200
    (published.dist / "manifest.json").rename(published.dist / "aside.json")
    assert not eventually(lambda: client.get(target).status != 200, seconds=0.7)


def test_a_member_that_a_later_version_added_is_passed_over(published: Project) -> None:
    file = published.dist / "manifest.json"
    told = json.loads(file.read_bytes())
    told["later"] = {"anything": [1]}
    for one in told["assets"].values():
        one["later"] = True
    file.write_text(json.dumps(told))
    with wsgiref_server(AssetMiddleware(application, Server(published.dist), lambda: True)) as port:
        assert Client(port).get(url(published, "big.bin")).body == BIG


def test_while_it_is_not_active_every_request_is_the_applications(published: Project) -> None:
    active = False
    with wsgiref_server(AssetMiddleware(application, Server(published.dist), lambda: active)) as port:
        client = Client(port)
        assert client.get("/static/big.bin").body == OWN
        active = True
        assert client.get("/static/big.bin").body == BIG


# Resources


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="needs /proc")
def test_no_file_stays_open_over_three_hundred_requests(
    client: Client, published: Project, request: pytest.FixtureRequest
) -> None:
    # Werkzeug's server itself forgets to close what an application gave it when a client is suddenly gone.
    leaving = "wsgiref" in request.node.name
    big, css = url(published, "big.bin"), url(published, "css/app.css")

    def some() -> None:
        client.get(big)
        client.get(big, Range="bytes=100-200000")
        client.get(big, "HEAD")
        client.get(css, Accept_Encoding="br")
        client.get("/static/nothing")
        if leaving:
            with socket.create_connection(("127.0.0.1", client.port), timeout=10) as leaver:
                leaver.sendall(b"GET " + big.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                leaver.recv(10)
        else:
            client.get(big, Range="bytes=-1")

    some()
    assert eventually(lambda: not open_below(published.dist), seconds=5)
    before = open_files()
    for _ in range(50):
        some()
    assert eventually(lambda: not open_below(published.dist), seconds=5), open_below(published.dist)
    assert eventually(lambda: open_files() <= before + 2, seconds=5)


def open_files() -> int:
    return sum(1 for _ in OPEN_FILES.iterdir())


def open_below(folder: Path) -> list[str]:
    """The files of a folder that this process has open."""
    found = []
    for handle in OPEN_FILES.iterdir():
        try:
            target = str(handle.readlink())
        except OSError:
            continue  # closed meanwhile
        if target.startswith(f"{folder}{os.sep}"):
            found.append(target)
    return found


def test_many_clients_at_once_get_what_each_asked_for(client: Client, published: Project) -> None:
    wrong: list[str] = []
    targets = {quote(f"/static/{name}"): published.public(f"/static/{name}") for name in SOURCES}

    def ask(offset: int) -> None:
        order = [*targets][offset:] + [*targets][:offset]
        wrong.extend(target for target in order if client.get(target).body != targets[target])

    threads = [threading.Thread(target=ask, args=(number % len(targets),)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# The lock that tells whether a watch runs


def test_asking_for_a_lock_never_looks_like_holding_it(tmp_path: Path) -> None:
    # Every process that serves asks twice a second: one that asks must not be taken for a watch by another.
    file = tmp_path / ".watch"
    file.touch()
    seen: list[bool] = []

    def ask() -> None:
        seen.extend(locks.is_held(file) for _ in range(500))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 2000
    assert not any(seen)


def test_asking_for_a_lock_never_keeps_another_from_taking_it(tmp_path: Path) -> None:
    # A watch that begins while servers ask must not be told that another watch runs.
    file = tmp_path / ".watch"
    file.touch()
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.0005):
            locks.is_held(file)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken = []
    try:
        for _ in range(500):
            with locks.holding(file) as mine:
                taken.append(mine)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert taken.count(False) == 0


def test_a_lock_is_seen_while_it_is_held_and_no_longer(tmp_path: Path) -> None:
    file = tmp_path / ".watch"
    assert not locks.is_held(file)
    with locks.holding(file) as mine:
        assert mine
        assert locks.is_held(file)
        with locks.holding(file) as another:
            assert not another
        assert locks.is_held(file)
    assert not locks.is_held(file)


def test_a_release_that_could_not_be_opened_is_read_at_the_next_look(
    published: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = Releases(published.dist)
    first = releases.table()
    assert first is not None
    published.write({"css/app.css": b"body{color:red}"})
    published.publish()

    def exhausted(_: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", exhausted)
        assert releases.newer(first) is None
    assert releases.newer(first) is not None


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="needs /proc")
def test_a_server_that_takes_no_headers_leaves_no_file_open(published: Project) -> None:
    app = AssetMiddleware(application, Server(published.dist, memory=0), lambda: True)

    def broken(*_: object) -> Callable[[bytes], object]:
        raise RuntimeError("the connection went")

    before = len(list(OPEN_FILES.iterdir()))
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": asset(published, "big.bin").url}
    with pytest.raises(RuntimeError, match="went") as error:
        app(environ, broken)
    assert len(list(OPEN_FILES.iterdir())) == before, error


def test_where_no_more_files_can_be_opened_the_client_is_asked_to_come_again(
    published: Project, caplog: pytest.LogCaptureFixture
) -> None:
    client = werkzeug.test.Client(AssetMiddleware(application, Server(published.dist), lambda: True))
    assert client.get("/static/big.bin", buffered=True).data == BIG
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open() as last:  # it has the lowest number that was free
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno(), hard))
        try:
            reply = client.get("/static/big.bin", buffered=True)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (reply.status_code, reply.data) == (503, b"")
    assert (reply.headers["Cache-Control"], reply.headers["Retry-After"]) == ("no-store", "1")
    assert "no more files" in caplog.text
    assert client.get("/static/big.bin", buffered=True).data == BIG
