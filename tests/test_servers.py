"""Production servers with a Flask app, under many clients, releases, aborted downloads, and behind nginx."""

from __future__ import annotations

import getpass
import http.client
import os
import random
import re
import socket
import subprocess
import textwrap
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from assetpipe import publish
from assetpipe.config import Keep
from assetpipe.manifest import CODING_SUFFIXES, PUBLIC, Manifest
from assetpipe.paths import Digest
from tests.conftest import Project, write
from tests.servers import PROC, WSGI, Process, listening, program, serving
from tests.test_wsgi import Answer, Client, eventually

KEEP = 3
APP = """
from flask import Flask, url_for
from assetpipe import AssetPipe

app = Flask(__name__, static_folder="static"{options})
app.config.update({config})
assets = AssetPipe(dist={dist!r})
app.register_blueprint(assets)

@app.get("/page")
def page():
    return "\\n".join(url_for("static", filename=name) for name in ("css/app.css", "js/app.js", "big.bin"))

@app.get("/hinted")
def hinted():
    return str(assets.early_hints("css/app.css"))
"""


def sources(number: int) -> dict[str, bytes]:
    """What the site has at the release of this number: some files change each time, some now and then, some never."""
    return {
        "css/app.css": f"body {{ color: #{number:06x} }}\n".encode() * 300,
        "css/rare.css": f"p {{ margin: {number // 4}px }}\n".encode() * 200,
        "js/app.js": f"export const release = {number};\n".encode() * 100,
        # Larger than what is kept in memory.
        "big.bin": random.Random(number).randbytes(400_000),
        "always.txt": b"the same for ever\n" * 50,
        f"only/{number}.txt": f"of release {number} alone\n".encode() * 40,
    }


class Site:
    """A Flask app, its releases, and every body that any of them answers with."""

    def __init__(self, folder: Path, *, options: str = "", config: str = "") -> None:
        self.project = Project(folder)
        self.prefix = "/" if "static_url_path" in options else "/static/"
        self.project.configure(roots={self.prefix: ("static",)})
        self.begun = 0
        self.releases: list[Manifest] = []
        # By URL path and ETag: the coding and the bytes.
        self.answers: dict[str, dict[str, tuple[str, bytes]]] = {}
        app = APP.format(dist=str(self.project.dist), options=options, config=config)
        write(folder, {"site_app.py": app})

    def release(self) -> Manifest:
        """Publish the next release; what it is going to answer is noted before."""
        for old in (self.project.folder / "static" / "only").glob("*"):
            old.unlink()
        self.project.write(sources(self.begun))
        built = self.project.build()
        assert not built.failed, built.problems
        for path, asset in built.manifest.assets.items():
            for coding in ("identity", *asset.encodings):
                data = built.files[f"/{PUBLIC}" + asset.stored + CODING_SUFFIXES.get(coding, "")].read()
                for target in (path, asset.url):
                    self.answers.setdefault(target, {})[Digest.of(data).etag] = coding, data
        self.begun += 1
        done = publish.publish(built.manifest, built.files, self.project.dist, Keep(KEEP))
        self.releases.append(done.manifest)
        return done.manifest

    @contextmanager
    def serve(self, server: str) -> Iterator[Process]:
        with serving(WSGI[server], "site_app:app", self.project.folder) as process:
            yield process


class Load:
    """Clients that ask for whatever the site has, each over a connection of its own that it keeps."""

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.port = port
        self.wrong: list[str] = []
        self.statuses: list[int] = []
        self._enough = threading.Event()

    @contextmanager
    def clients(self, number: int) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask, args=(random.Random(seed),)) for seed in range(number)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._enough.set()
            for thread in threads:
                thread.join()

    def more(self, requests: int) -> None:
        """Wait until so many more have been answered."""
        goal = len(self.statuses) + requests
        assert eventually(lambda: len(self.statuses) >= goal or bool(self.wrong), seconds=60), len(self.statuses)

    def _ask(self, chance: random.Random) -> None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
                # A little slower than they could, since the releases are built in this process, too.
                while not self._enough.wait(chance.uniform(0, 0.04)) and not self.wrong:
                    self._one(connection, chance)
        except Exception as error:  # a thread's own would be lost
            self.wrong.append(f"{type(error).__name__}: {error}")

    def _one(self, connection: http.client.HTTPConnection, chance: random.Random) -> None:
        published = len(self.site.releases)
        release = self.site.releases[max(published - chance.choice((1, 1, 1, 2, 2, 3, 5)), 0)]
        path = chance.choice([path for path, asset in release.assets.items() if asset.size < 2_000_000])
        target = chance.choice((release.assets[path].url,) * 3 + (path,))
        known, size = self.site.answers[target], release.assets[path].size
        fields = {"Accept-Encoding": chance.choice(("br", "gzip, br;q=0.5", "gzip", "identity"))}
        kind = chance.random()
        if kind < 0.2:
            fields["If-None-Match"] = chance.choice([*known])
        elif kind < 0.4:
            start = chance.randrange(size)
            fields["Range"] = f"bytes={start}-{start + chance.randrange(size)}"
            if kind < 0.3:
                fields["If-Range"] = chance.choice([*known])
        method = "HEAD" if kind > 0.95 else "GET"
        connection.request(method, quote(target), headers=fields)
        answer = Answer(connection.getresponse())
        self.statuses.append(answer.status)
        problem = self._problem(method, target, fields, answer)
        # A plain name that every release has, and the tagged URLs of those that were kept all the while.
        promised = path == target and "/only/" not in path
        for kept in self.site.releases[max(self.site.begun - KEEP, 0) : published]:
            promised = promised or any(asset.url == target for asset in kept.assets.values())
        if answer.status == 404 and promised:
            problem = "it is of the current release or of one that is kept"
        if problem:
            self.wrong.append(f"{method} {target} {fields}: {answer.status} {answer.headers}: {problem}")

    def _problem(self, method: str, target: str, fields: dict[str, str], answer: Answer) -> str:
        headers = answer.headers
        if answer.status == 404:
            return "" if headers.get("cache-control") == "no-store" else "a cache may keep it"
        if answer.status == 416:
            return "" if "Range" in fields else "nobody asked for a range"
        if answer.status not in (200, 206, 304):
            return "no such answer was asked for"
        known = self.site.answers[target].get(headers["etag"])
        if known is None:
            return "no release has this ETag at this URL"
        coding, data = known
        if answer.status == 304:
            return "" if headers["etag"] == fields["If-None-Match"] else "it has another ETag"
        if headers.get("content-encoding", "identity") != coding:
            return "the coding is another's"
        if answer.status == 206:
            match = re.fullmatch(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)", headers["content-range"])
            if match is None or int(match[3]) != len(data):
                return "the range is of something else"
            data = data[int(match[1]) : int(match[2]) + 1]
        if int(headers["content-length"]) != len(data):
            return "the length is another's"
        return "" if answer.body == (b"" if method == "HEAD" else data) else "these are other bytes"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(tmp_path_factory.mktemp("site"))
    made.release()
    return made


@pytest.fixture(scope="module", params=list(WSGI))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Process]]:
    """Each of the servers, with a site of its own."""
    site = Site(tmp_path_factory.mktemp(request.param))
    site.release()
    with site.serve(request.param) as process:
        yield site, process


# Releases


def test_every_body_is_of_a_release_while_ten_of_them_are_published(server: tuple[Site, Process]) -> None:
    site, process = server
    load = Load(site, process.port)
    with load.clients(64):
        load.more(100)
        for _ in range(10):
            site.release()
            load.more(100)
    assert load.wrong == []
    assert len(site.releases) == 11
    # All of it was asked for: wholes, parts, and whether anything has changed.
    assert {200, 206, 304} <= {*load.statuses}


def test_what_a_pruned_release_had_is_a_404_that_is_not_stored(server: tuple[Site, Process]) -> None:
    site, process = server
    client = Client(process.port)
    client.get("/static/big.bin")
    for _ in range(KEEP):
        site.release()
    # At once: to a worker that has not looked at the disk since, this is a file that is pruned.
    for _ in range(4):
        assert client.get("/static/big.bin").status == 200
    pruned, current = site.releases[-1 - KEEP].assets, site.releases[-1].assets
    assert eventually(lambda: client.get(pruned["/static/big.bin"].url).status == 404, seconds=10)
    gone = client.get(pruned["/static/big.bin"].url)
    assert (gone.headers["cache-control"], "etag" in gone.headers) == ("no-store", False)
    assert client.get(current["/static/big.bin"].url).body == sources(site.begun - 1)["big.bin"]


@pytest.mark.parametrize("options", ["", ", static_url_path=''"], ids=["static", "at the root"])
def test_pages_of_either_release_work_at_either_server_of_a_rolling_deploy(tmp_path: Path, options: str) -> None:
    site = Site(tmp_path, options=options)
    site.release()
    with ExitStack() as stack:
        before = stack.enter_context(site.serve("gunicorn"))
        old_page = Client(before.port).get("/page").body.decode().split()
        for _ in range(KEEP - 1):
            Client(before.port).get(old_page[0])
            site.release()
            # At once: the server before has not looked at the disk since.
            new_url = site.releases[-1].assets[f"{site.prefix}css/app.css"].url
            assert Client(before.port).get(new_url).status == 200
        after = stack.enter_context(site.serve("gunicorn"))
        clients = [Client(before.port), Client(after.port)]
        new_page = clients[1].get("/page").body.decode().split()
        assert {*old_page}.isdisjoint(new_page)
        for client in clients:
            for target in old_page + new_page:
                answer = client.get(target)
                assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
                assert answer.body in [data for _, data in site.answers[target].values()]
        site.release()
        for client in clients:
            for target in (f"{site.prefix}nothing.css", f"{site.prefix}css/app.0123456789ab.css"):
                answer = client.get(target)
                assert (answer.status, answer.headers.get("cache-control")) == (404, "no-store"), target
            # Its release is pruned; each of the workers comes to know of that.
            gone = _Gone(client, old_page[2])
            assert eventually(gone, seconds=20)
            assert gone.caching == {"no-store"}


class _Gone:
    """Whether a URL is a 404 at all workers, as far as ten questions tell, and what caches were told with any 404."""

    def __init__(self, client: Client, target: str) -> None:
        self.client = client
        self.target = target
        self.caching: set[str] = set()

    def __call__(self) -> bool:
        answers = [self.client.get(self.target) for _ in range(10)]
        gone = [answer for answer in answers if answer.status == 404]
        self.caching.update(answer.headers.get("cache-control", "") for answer in gone)
        return len(gone) == len(answers)


# Resources


@pytest.mark.skipif(not (PROC / "self" / "fd").is_dir(), reason="needs /proc")
def test_no_file_stays_open_over_two_thousand_requests(server: tuple[Site, Process]) -> None:
    site, process = server
    # More than the buffers of a socket take, so that the server is in the midst of it when the client goes.
    site.project.write({"huge.bin": bytes(8_000_000)})
    assets = site.release().assets
    huge, big = assets["/static/huge.bin"].url, assets["/static/big.bin"].url

    def abort() -> None:
        with socket.socket() as leaver:
            leaver.settimeout(30)
            leaver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            leaver.connect(("127.0.0.1", process.port))
            leaver.sendall(f"GET {huge} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert leaver.recv(12) == b"HTTP/1.1 200"

    def some(rounds: int) -> None:
        client = Client(process.port)
        with closing(http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)) as connection:
            for _ in range(rounds):
                for target, fields in (
                    (big, {}),
                    (big, {"Range": "bytes=100-300000"}),
                    (big, {"Range": "bytes=0-9,20-29"}),
                    (assets["/static/css/app.css"].url, {"Accept-Encoding": "br"}),
                    ("/static/nothing", {}),
                    ("/page", {}),
                ):
                    connection.request("GET", target, headers=fields)
                    connection.getresponse().read()
                connection.request("HEAD", big)
                connection.getresponse().read()
                assert client.get("/page").status == 200
                abort()
                abort()

    some(5)
    assert eventually(lambda: not process.open_below(site.project.dist), seconds=20)
    before = process.open_files()
    threads = [threading.Thread(target=some, args=(25,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert eventually(lambda: not process.open_below(site.project.dist), seconds=20), process.open_below(
        site.project.dist
    )
    # Connections go when the server looks at them again.
    assert eventually(lambda: process.open_files() <= before + 4, seconds=20), (before, process.open_files())


@pytest.fixture(scope="module")
def gunicorn(site: Site) -> Iterator[Process]:
    with site.serve("gunicorn") as process:
        yield process


def test_two_threads_of_wrk_get_nothing_but_200(site: Site, gunicorn: Process) -> None:
    wrk = program("wrk", "wrk")
    assets = site.releases[-1].assets
    for name, field in (("css/app.css", "Accept-Encoding: br"), ("big.bin", "Accept-Encoding: identity")):
        target = f"http://127.0.0.1:{gunicorn.port}{assets[f'/static/{name}'].url}"
        done = subprocess.run(
            [wrk, "-t2", "-c64", "-d2s", "-H", field, target], capture_output=True, text=True, check=True, timeout=60
        )
        assert "requests in" in done.stdout
        assert "Socket errors" not in done.stdout, done.stdout
        assert "Non-2xx" not in done.stdout, done.stdout


def test_early_hints_come_before_the_answer(site: Site, gunicorn: Process) -> None:
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=30) as connection:
        connection.sendall(b"GET /hinted HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    hint, final, body = received.decode().split("\r\n\r\n")
    url = site.releases[-1].assets["/static/css/app.css"].url
    assert hint.startswith(f"HTTP/1.1 103 Early Hints\r\nLink: <{url}>; rel=")
    assert "preload" in hint
    assert final.startswith("HTTP/1.1 200 OK\r\n")
    assert body == "True"
    # HTTP/1.0 has no such answers.
    with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=30) as connection:
        connection.sendall(b"GET /hinted HTTP/1.0\r\n\r\n")
        assert connection.recv(65536).split(b" ")[1] == b"200"


# Behind nginx

NGINX = """
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ text/css css; }}
    default_type text/plain;
    sendfile on;
    gzip on;
    gzip_types text/css text/plain;
    gzip_min_length 1;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header Host $host;
        }}
        {internal}
    }}
}}
"""
# What is left to nginx is answered with the header fields of ours, and with no others; the conditions are ours, too.
INTERNAL = """
location /_dist/ {
    internal;
    alias DIST/;
    etag off;
    if_modified_since off;
    max_ranges 0;
    gzip off;
    add_header ETag $upstream_http_etag;
    add_header Last-Modified "";
    add_header Vary $upstream_http_vary;
    add_header Content-Encoding $upstream_http_content_encoding;
    add_header X-Content-Type-Options $upstream_http_x_content_type_options;
    add_header Access-Control-Allow-Origin $upstream_http_access_control_allow_origin;
}
"""
# Larger than what is kept in memory even when it is compressed.
LARGE_CSS = "".join(f".r{random.Random(n).randbytes(40).hex()} {{ color: teal }}\n" for n in range(9_000)).encode()
ODD = "söß 50%?#.bin"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Process, Process]]:
    """A site, its gunicorn, and the nginx in front of that."""
    nginx = program("nginx", "nginx")
    site = Site(tmp_path_factory.mktemp("proxied"), config="ASSETPIPE_X_ACCEL_REDIRECT='/_dist/'")
    large = random.Random(0).randbytes(1_000_000)
    site.project.write({"large.css": LARGE_CSS, ODD: large, "font.woff2": large[:500_000]})
    site.release()
    with site.serve("gunicorn") as upstream:

        def arguments(port: int) -> list[str]:
            told = NGINX.format(
                user=f"user {getpass.getuser()};" if os.geteuid() == 0 else "",
                folder=site.project.folder,
                port=port,
                upstream=upstream.port,
                internal=textwrap.indent(INTERNAL.replace("DIST", str(site.project.dist)), " " * 8),
            )
            write(site.project.folder, {"nginx.conf": told})
            return [nginx, "-p", str(site.project.folder), "-c", "nginx.conf", "-g", "daemon off;"]

        with listening(arguments, site.project.folder) as front:
            yield site, upstream, front


@pytest.mark.parametrize("coding", ["identity", "br", "gzip"])
@pytest.mark.parametrize("name", ["large.css", "font.woff2", "css/app.css", ODD])
def test_nginx_answers_as_the_app_does(proxied: tuple[Site, Process, Process], name: str, coding: str) -> None:
    site, upstream, front = proxied
    url = site.releases[-1].assets[f"/static/{name}"].url
    target, answers = quote(url), site.answers[url]
    app, nginx = Client(upstream.port), Client(front.port)
    whole = nginx.get(target, Accept_Encoding=coding)
    etag = whole.headers["etag"]
    used, data = answers[etag]
    assert whole.body == data
    assert whole.headers.get("content-encoding", "identity") == used
    assert whole.headers["content-length"] == str(len(data))
    last = len(data) - 1
    for fields, status, body in (
        ({}, 200, data),
        ({"If_None_Match": '"another"'}, 200, data),
        ({"If_None_Match": etag}, 304, b""),
        ({"If_None_Match": f'"another", W/{etag}'}, 304, b""),
        ({"If_None_Match": "*"}, 304, b""),
        # There is no Last-Modified, so no date counts.
        ({"If_Modified_Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 200, data),
        ({"Range": f"bytes=10-{last - 10}"}, 206, data[10 : last - 9]),
        ({"Range": "bytes=0-9", "If_Range": '"another"'}, 200, data),
        ({"Range": "bytes=0-9", "If_Range": "Fri, 01 Jan 2100 00:00:00 GMT"}, 200, data),
        ({"Range": "bytes=-10"}, 206, data[-10:]),
        ({"Range": "bytes=999999999-"}, 416, b""),
        ({"Range": "lines=1-2"}, 200, data),
        ({"Range": "bytes=5-3"}, 200, data),
        ({"Range": "bytes=0-9,20-29"}, 200 if used != "identity" else 206, data if used != "identity" else None),
    ):
        told = nginx.get(target, Accept_Encoding=coding, **fields)
        assert told.status == status, fields
        assert body is None or told.body == body, fields
        expected = app.get(target, Accept_Encoding=coding, **fields)
        assert fields_of(told) == fields_of(expected), fields
    head = nginx.get(target, "HEAD", Accept_Encoding=coding)
    assert (head.status, head.body, fields_of(head)) == (200, b"", fields_of(whole))
    assert head.headers["content-length"] == str(len(data))
    for method, status in (("POST", 405), ("OPTIONS", 204)):
        assert nginx.get(target, method).status == status


@pytest.mark.parametrize(("field", "status"), [({"Range": "bytes=0-"}, 206), ({"If_Match": "*"}, 200)])
def test_conditions_are_not_left_to_nginx(
    proxied: tuple[Site, Process, Process], field: dict[str, str], status: int
) -> None:
    site, _, front = proxied
    target = site.releases[-1].assets["/static/large.css"].url
    etag = Client(front.port).get(target).headers["etag"]
    field = {name: value.replace("*", etag) for name, value in field.items()}
    assert Client(front.port).get(target, **field).status == status


def fields_of(answer: Answer) -> dict[str, str]:
    """The header fields but those that each server has of its own; lengths are compared with bodies."""
    own = ("connection", "content-length", "date", "server", "x-accel-redirect")
    return {name: value for name, value in answer.headers.items() if name not in own}


def test_what_is_left_to_nginx_is_said_once_and_for_large_files_only(proxied: tuple[Site, Process, Process]) -> None:
    site, upstream, front = proxied
    assets = site.releases[-1].assets
    for name in ("large.css", "css/app.css"):
        url = assets[f"/static/{name}"].url
        handed_over = "x-accel-redirect" in Client(upstream.port).get(url, Accept_Encoding="gzip").headers
        assert handed_over == (name == "large.css")
        with closing(http.client.HTTPConnection("127.0.0.1", front.port, timeout=30)) as connection:
            connection.request("GET", url, headers={"Accept-Encoding": "gzip"})
            response = connection.getresponse()
            response.read()
        names = [name.lower() for name, _ in response.getheaders()]
        assert len(names) == len({*names}), names
        told = {
            "cache-control",
            "etag",
            "vary",
            "content-type",
            "content-encoding",
            "content-length",
            "accept-ranges",
            "x-content-type-options",
        }
        assert {*names} - {"server", "date", "connection"} == told


def test_nobody_outside_reaches_the_internal_location_of_nginx(proxied: tuple[Site, Process, Process]) -> None:
    site, _, front = proxied
    client = Client(front.port)
    url = quote(site.releases[-1].assets["/static/large.css"].url)
    for target in (
        f"/_dist/public{url}",
        "/_dist/manifest.json",
        "/_dist/",
        "/_dist/releases/",
        "/%5fdist/manifest.json",
        "//_dist/manifest.json",
        "/x/../_dist/manifest.json",
        "/_dist/../_dist/manifest.json",
        "/static/../_dist/manifest.json",
    ):
        assert client.get(target).status == 404, target


def test_releases_are_published_behind_nginx_without_a_wrong_answer(proxied: tuple[Site, Process, Process]) -> None:
    site, _, front = proxied
    load = Load(site, front.port)
    with load.clients(16):
        for _ in range(4):
            load.more(100)
            site.release()
        load.more(100)
    assert load.wrong == []
