"""Request targets and header fields that no client means well, over real sockets, behind four WSGI servers.

What is asked: no status of 500 or more, and no byte of a file that is not in the manifest.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec import Struct

from assetpipe.manifest import Manifest, files
from assetpipe.publish import current
from assetpipe.serve.server import Server
from assetpipe.serve.wsgi import AssetMiddleware
from tests import servers
from tests.conftest import Project
from tests.test_wsgi import OWN, application, werkzeug_server, wsgiref_server

SECRET = b"not for the web"
SOURCES: dict[str, bytes | str] = {
    "css/app.css": b"body { color: teal; background: white }\n" * 100,
    "a.txt": b"first",
    "söß ☃.txt": "schön".encode() * 30,
    "a b#c?d%41&e.txt": b"odd",
    "%2e%2e/%2f.txt": b"a name that looks encoded",
    "dots../a...b": b"dots that lead nowhere",
    "\\..\\secret.txt": b"a name with backslashes",
    "\ufffd.txt": b"a name with a replacement character",
}


class Site(Struct):
    """A published project with secrets all around, and every body that may come of it."""

    project: Project
    manifest: Manifest
    bodies: set[bytes]

    @property
    def dist(self) -> Path:
        return self.project.dist


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    project = Project(tmp_path_factory.mktemp("targets") / "project")
    (project.folder / "static").mkdir(parents=True)
    project.write(SOURCES)
    project.publish()
    manifest = current(project.dist)
    assert manifest is not None
    public = project.dist / "public"
    bodies = {(public / file.lstrip("/")).read_bytes() for file in files_of(manifest)}
    around = [project.folder, project.folder.parent, project.dist, project.dist / "private", public, public / "static"]
    for folder in (*around, project.dist / "releases", public / "static" / "css"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.txt").write_bytes(SECRET)
    (public / "static" / "link.txt").symlink_to(project.folder / "secret.txt")
    (public / "static" / "up").symlink_to(project.folder, target_is_directory=True)
    (public / "static" / "index.html").write_bytes(SECRET)
    return Site(project, manifest, bodies)


def files_of(manifest: Manifest) -> list[str]:
    """The files below ``dist/public`` that the manifest names."""
    return [file.removeprefix("/public") for file in files(manifest)]


# Servers

CHILD = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from assetpipe.serve.server import Server
from assetpipe.serve.wsgi import AssetMiddleware
from tests.test_wsgi import application

app = AssetMiddleware(application, Server(Path({dist!r})), lambda: True)
"""
COMMANDS = {
    "gunicorn": "gunicorn --bind 127.0.0.1:{port} --worker-class gthread --threads 4 --graceful-timeout 1",
    "waitress": "waitress --listen 127.0.0.1:{port} --threads 4",
}


@contextmanager
def serving(name: str, folder: Path, dist: Path) -> Iterator[int]:
    """A server of that name, and its port; skips the test where it is not installed."""
    if name in COMMANDS:
        root = Path(__file__).parent.parent
        (folder / "served.py").write_text(CHILD.format(root=str(root), dist=str(dist)))
        with servers.serving(COMMANDS[name], "served:app", folder) as process:
            yield process.port
    else:
        server = werkzeug_server if name == "werkzeug" else wsgiref_server
        with server(AssetMiddleware(application, Server(dist), lambda: True)) as port:
            yield port


SERVERS = ["wsgiref", "werkzeug", "gunicorn", "waitress"]


@pytest.fixture(scope="module", params=SERVERS)
def port(request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(request.param, tmp_path_factory.mktemp(request.param), site.dist) as found:
        yield found


def ask(port: int, request: bytes, *, over: bool = False) -> bytes:
    """All that comes back until the server closes; also where it does so before it has read everything.

    ``over`` says that nothing more will be asked: for what is no whole request.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        with suppress(OSError):
            connection.sendall(request)
            if over:
                connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    return received


def ask_for(port: int, target: bytes, *lines: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    head = [method + b" " + target + b" " + version, b"Host: x", b"Connection: close", *lines]
    return ask(port, b"\r\n".join(head) + b"\r\n\r\n")


class Answer(Struct):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def read(received: bytes) -> Answer | None:
    """The one response that there is; None where the server took the request for HTTP/0.9, or hung up."""
    if not received.startswith(b"HTTP/1."):
        return None
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in rest)]
    return Answer(int(first.split(" ")[1]), fields, body)


def checked(site: Site, received: bytes, *, head: bool = False) -> Answer | None:
    """The answer, which is harmless: an asset, the application's, or a refusal that tells nothing."""
    assert SECRET not in received
    assert b'"sha256":' not in received
    assert b"Traceback" not in received
    answer = read(received)
    if answer is None:
        return None
    names = [name for name, _ in answer.headers]
    assert answer.status < 500, received[:300]
    assert "x-injected" not in names
    assert names.count("content-length") <= 1
    if answer.status == 206:
        stretches = parts(dict(answer.headers)["content-type"], answer.body)
        assert all(any(stretch in body for body in site.bodies) for stretch in stretches), received[:300]
    elif answer.status == 200:
        assert answer.body == OWN or (head and answer.body == b"") or answer.body in site.bodies, received[:300]
    else:
        assert 300 <= answer.status < 500
    return answer


def parts(content_type: str, body: bytes) -> list[bytes]:
    """The stretches of a 206."""
    if not content_type.startswith("multipart/byteranges"):
        return [body]
    _, *found, _ = body.split(b"--" + content_type.partition("boundary=")[2].encode())
    return [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in found]


CSS = b"/static/css/app.css"
TARGETS = [
    # Dot segments, plain and encoded once and twice
    *[b"/static/../secret.txt", b"/static/../../secret.txt", b"/static/../../manifest.json"],
    *[b"/static/.", b"/static/.."],
    *[b"/static/%2e%2e/secret.txt", b"/static/%2E%2E/%2e%2e/manifest.json", b"/static/.%2e/secret.txt"],
    *[b"/static/%252e%252e/secret.txt", b"/static/%252e%252e%252fsecret.txt", b"/static/%25252e%25252e/secret.txt"],
    *[b"/static/css/../css/app.css", b"/static/css/%2e/app.css", b"/static/./css/app.css", b"/static/css/%2e%2e/a.txt"],
    *[b"/../static/css/app.css", b"/static/../static/css/app.css", b"/..", b"/../../../../../../etc/passwd"],
    *[b"/static/" + b"../" * 2500 + b"etc/passwd", b"/static/" + b"%2e%2e%2f" * 800 + b"etc/passwd"],
    *[b"/static/...", b"/static/dots../a...b", b"/static/..%00/secret.txt", b"/static/..;/secret.txt", b"/static/..."],
    *[b"/static/%u002e%u002e/secret.txt", b"/static/%2e%2e%5csecret.txt"],
    # Slashes
    *[b"/static%2fcss%2fapp.css", b"/static/css%2fapp.css", b"/static/css%252fapp.css", b"/static/..%2fsecret.txt"],
    *[b"//static/css/app.css", b"/static//css/app.css", b"/static/css//app.css"],
    *[b"///etc/passwd", b"/static//etc/passwd"],
    *[b"/static/css/app.css/", b"/static/css/app.css/.", b"/static/", b"/static", b"/static/css/", b"/", b"//", b"///"],
    *[b"//127.0.0.1/static/css/app.css", b"/static/%2fetc%2fpasswd", b"/%2e%2e/static/css/app.css"],
    # Backslashes
    *[b"\\static\\css\\app.css", b"/static\\css\\app.css", b"/static/css%5capp.css", b"/static/..\\secret.txt"],
    *[b"/static/..%5csecret.txt", b"/static/%5c..%5csecret.txt", b"/static/\\..\\secret.txt"],
    *[b"/static/C:\\secret.txt"],
    # NUL and other controls
    *[b"/static/css/app.css%00", b"/static/css/app.css%00.png", b"/static/secret.txt%00.css", b"/static/%00", b"/%00"],
    *[b"/static/css/app.css\0", b"/static/\x01", b"/static/\x7f", b"/static/\x1b[2J"],
    *[b"/static/a.txt%0a", b"/static/%09"],
    # What is no UTF-8: raw and encoded
    *[b"/static/%ff", b"/static/css/app%ff.css", b"/static/\xff\xfe", b"/static/css/app.css\xff", b"/static/\xc3"],
    *[b"/static/%c3%28.txt", b"/static/%80", b"/\xff", b"/%ff", b"/static/%fe%fe%ff%ff", b"/static/\xff.txt"],
    # Overlong UTF-8 for ".", "/" and NUL; surrogates; beyond U+10FFFF
    *[b"/static/%c0%ae%c0%ae/secret.txt", b"/static/%c0%ae%c0%ae%c0%afsecret.txt"],
    *[b"/static/%e0%80%ae%e0%80%ae/secret.txt"],
    *[b"/static/\xc0\xae\xc0\xae/secret.txt", b"/static/css%c0%afapp.css", b"/static/a.txt%c0%80"],
    *[b"/static/%f0%80%80%af"],
    *[b"/static/%ed%a0%80", b"/static/%ed%b3%bf", b"/static/\xed\xb3\xbf.txt"],
    *[b"/static/%f4%90%80%80", b"/static/%ef%bf%bd"],
    # Percent signs that encode nothing
    *[b"/static/%", b"/static/%2", b"/static/%zz", b"/static/%%32%65%%32%65/secret.txt", b"/static/%2%65/secret.txt"],
    # Names of what lies about
    *[b"/static/secret.txt", b"/static/link.txt", b"/static/up/secret.txt", b"/static/index.html", b"/secret.txt"],
    *[b"/manifest.json", b"/static/manifest.json", b"/public/static/secret.txt", b"/private/secret.txt", b"/releases/"],
    *[b"/static/.lock", b"/static/.watch", b"/static/css/secret.txt", b"/static/~root", b"/static/css", b"/static/up"],
    *[CSS + b".br", CSS + b".gz", CSS.upper(), b"/STATIC/css/app.css", b"/static/css/app.css;v=1"],
    *[b"/static/css/app.css."],
    # Queries and fragments
    *[CSS + b"?", CSS + b"?v=1", CSS + b"?../../secret.txt", CSS + b"%3fv=1", CSS + b"#x", CSS + b"%23x", b"?", b"#"],
    *[CSS + b"?\xff%00\\", CSS + b"??#?#", b"/static/?/../secret.txt"],
    # The other forms (RFC 9112 section 3.2), and what is none
    *[b"http://x" + CSS, b"http://x/static/../secret.txt", b"http://x/static/%2e%2e/secret.txt", b"HTTP://x" + CSS],
    *[b"http://" + CSS, b"http:" + CSS, b"http://[::1" + CSS, b"http://x:99999" + CSS],
    *[b"http://x", b"http://u:p@x" + CSS],
    *[b"https://x" + CSS, b"file:///etc/passwd", b"file://" + CSS, b"javascript:alert(1)", b"x:80", b"127.0.0.1:80"],
    *[b"*", b"static/css/app.css", b"secret.txt", b"../secret.txt", b".", b"..", b"%2fstatic%2fcss%2fapp.css", b"%"],
    # Long ones
    *[b"/static/" + b"x" * 8000, b"/" + b"x" * 8000, b"/static/" + b"x/" * 4000, b"/static/" + b"%41" * 2600],
    *[b"/static/a.txt?" + b"x" * 8000, b"/static/" + b"/" * 8000],
    # Far longer
    *[b"/static/" + b"x" * 60_000, b"/static/" + b"x" * 200_000, b"/" + b"%2e" * 40_000],
    *[b"http://x/" + b"../" * 30_000],
    # Line breaks that would end the line or begin another, encoded
    *[b"/static/%0d%0aX-Injected:%201", b"/static/a.txt%0d%0a%0d%0aHTTP/1.1%20200%20OK", b"/%0d%0aX-Injected:1"],
]


@pytest.mark.parametrize("target", dict.fromkeys(TARGETS), ids=lambda target: f"{target[:40]!r} of {len(target)}")
def test_a_target_gets_an_asset_a_refusal_or_the_application(port: int, site: Site, target: bytes) -> None:
    checked(site, ask_for(port, target))
    checked(site, ask_for(port, target, b"Range: bytes=0-9", b"Accept-Encoding: br, gzip"))
    head = checked(site, ask_for(port, target, method=b"HEAD"), head=True)
    assert head is None or head.body in (b"", OWN) or head.status >= 400


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_asset_is_there_for_whoever_spells_it_right(port: int, site: Site, name: str) -> None:
    # So that all the others do not pass because nothing is served.
    asset = site.manifest.assets[f"/static/{name}"]
    data = (site.dist / "public" / asset.stored[1:]).read_bytes()
    for path in (asset.url, f"/static/{name}"):
        answer = checked(site, ask_for(port, quote(path).encode()))
        assert answer is not None
        assert (answer.status, answer.body) == (200, data)


@pytest.mark.parametrize(
    "target",
    [b"/static/secret.txt", b"/static/link.txt", b"/static/up/secret.txt", b"/static/%2e%2e/manifest.json"]
    + [b"/static/\xff", b"/static/%ff", b"/static/%c0%ae", b"/static/%ed%a0%80", b"/static/css/app.css%00"],
)
def test_what_is_on_the_disk_and_not_in_the_manifest_is_a_404_of_ours(port: int, site: Site, target: bytes) -> None:
    answer = checked(site, ask_for(port, target))
    assert answer is not None
    assert answer.status in (400, 404)
    if answer.status == 404:
        assert dict(answer.headers)["cache-control"] == "no-store"
        assert dict(answer.headers)["x-content-type-options"] == "nosniff"
        assert answer.body == b"404 Not Found\n"


REQUEST = b"GET " + CSS + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
RAW = {
    "a tab for a blank": b"GET\t" + CSS + b"\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "many blanks": b"GET  " + CSS + b"   HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a blank in the target": b"GET /static/a .txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "no version": b"GET " + CSS + b"\r\n\r\n",
    "a carriage return in the target": REQUEST.replace(b" HTTP", b"\rX-Injected: 1 HTTP") + b"\r\n",
    "a line feed in the target": REQUEST.replace(b" HTTP", b"\nX-Injected: 1 HTTP") + b"\r\n",
    "bare line feeds": REQUEST.replace(b"\r\n", b"\n") + b"\n",
    "empty lines before it": b"\r\n\r\n" + REQUEST + b"\r\n",
    "lower-case method": REQUEST.replace(b"GET", b"get") + b"\r\n",
    "an empty method": REQUEST.replace(b"GET", b"") + b"\r\n",
    "a method of two kilobytes": REQUEST.replace(b"GET", b"X" * 2000) + b"\r\n",
    "a method that is no token": REQUEST.replace(b"GET", b"G{}T") + b"\r\n",
    "a method of other characters": REQUEST.replace(b"GET", b"G\xc9T") + b"\r\n",
    "TRACE": REQUEST.replace(b"GET", b"TRACE") + b"X-Secret: 1\r\n\r\n",
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\nConnection: close\r\n\r\n",
    "OPTIONS of everything": b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "POST with a body": REQUEST.replace(b"GET", b"POST") + b"Content-Length: 5\r\n\r\nabcde",
    "POST in chunks": REQUEST.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    "GET with a body": REQUEST + b"Content-Length: 5\r\n\r\nabcde",
    "a negative length": REQUEST + b"Content-Length: -5\r\n\r\n",
    "no host": b"GET " + CSS + b" HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": REQUEST + b"Host: y\r\n\r\n",
    "HTTP/1.0": b"GET " + CSS + b" HTTP/1.0\r\n\r\n",
    "a header without a colon": REQUEST + b"nonsense\r\n\r\n",
    "a header without a name": REQUEST + b": x\r\n\r\n",
    "a folded header": REQUEST + b"Accept-Encoding:\r\n br\r\n\r\n",
    "a header that looks like a variable": REQUEST + b"Path_Info: /static/secret.txt\r\nRange_: bytes=0-1\r\n\r\n",
    "a path in other headers": REQUEST + b"X-Original-URL: /secret.txt\r\nX-Rewrite-URL: /secret.txt\r\n\r\n",
    "a prefix in other headers": REQUEST + b"X-Script-Name: /static\r\nX-Forwarded-Prefix: /static\r\n\r\n",
    "a thousand headers": REQUEST + b"".join(b"X-%d: 1\r\n" % n for n in range(1000)) + b"\r\n",
    "a thousand times one header": REQUEST + b"Range: bytes=0-0\r\n" * 1000 + b"\r\n",
    "ninety times one header": REQUEST + b"If-None-Match: W/\r\n" * 90 + b"\r\n",
    "a header of a megabyte": REQUEST + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + b"\r\n\r\n",
    "nothing but line feeds": b"\r\n" * 40,
}


@pytest.mark.parametrize("name", list(RAW))
def test_a_request_that_is_hardly_one_gets_nothing_it_should_not(port: int, site: Site, name: str) -> None:
    received = ask(port, RAW[name], over=True)
    assert b"X-Secret" not in received
    assert b"\nx-injected" not in received.lower()
    checked(site, received)


FIELDS = [b"Accept", b"Accept-Encoding", b"If-Match", b"If-None-Match", b"If-Range", b"Range"]
VALUES: dict[str, bytes] = {
    "empty": b"",
    "NUL": b"a\0b",
    "only NULs": b"\0" * 100,
    "controls": bytes(range(1, 10)) + b"\x0b\x0c" + bytes(range(14, 32)) + b"\x7f",
    "not ASCII": "é☃, br;q=½".encode(),
    "not UTF-8": b"\xff\xfe\x80",
    "every byte above ASCII": bytes(range(0x80, 0x100)),
    "sixty kilobytes": b"x" * 60_000,
    "thousands of commas": b"," * 5000,
    "thousands of commas and blanks": b", " * 3000,
    "thousands of semicolons": b"br" + b";" * 5000,
    "thousands of weights": b"gzip;q=0." * 700,
    "thousands of members": b",".join(b"x%d" % n for n in range(1200)),
    "thousands of tags": b'W/"x", ' * 900,
    "thousands of quotes": b'"' * 6000,
    "thousands of backslashes": b'text/x;v="' + b"\\" * 6000,
    "an unclosed tag": b'"' + b"\xff" * 7000,
    "blanks without end": b"bytes=" + b" " * 6000 + b"0-1",
    "blanks before a quote": b" \t" * 3000 + b'"',
    "many ranges": b"bytes=" + b"0-," * 2000,
    "ranges of one byte": b"bytes=" + b",".join(b"%d-%d" % (n * 2, n * 2) for n in range(1000)),
    "a huge number": b"bytes=0-" + b"9" * 6000,
    "a huge suffix": b"bytes=-" + b"9" * 6000,
    "from a huge number": b"bytes=" + b"9" * 400 + b"-",
    "a huge weight": b"br;q=" + b"1" * 6000,
    "a weight of many decimals": b"br;q=0." + b"0" * 6000,
    "digits of another kind": b"bytes=\xb2-\xb3",
    "a format string": b"%s%n%d {0.__class__} ${jndi:ldap://x}",
    "a star": b"*",
}


@pytest.mark.parametrize("value", list(VALUES))
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.decode())
def test_a_hostile_value_is_never_an_error_of_ours(port: int, site: Site, field: bytes, value: str) -> None:
    lines = [field + b": " + VALUES[value]]
    if field == b"If-Range":
        lines.append(b"Range: bytes=0-1")
    answer = checked(site, ask_for(port, CSS, *lines))
    assert answer is None or answer.status in (200, 206, 304, 400, 406, 412, 413, 414, 416, 431)
    if answer is not None and answer.status in (406, 412, 416):
        assert dict(answer.headers)["cache-control"] == "no-store"


def test_all_hostile_fields_at_once_are_answered(port: int, site: Site) -> None:
    for value in ("NUL", "not UTF-8", "thousands of commas", "a huge number"):
        lines = [field + b": " + VALUES[value] for field in FIELDS]
        checked(site, ask_for(port, CSS, *lines))
        checked(site, ask_for(port, b"/static/nothing", *lines))


def test_after_all_that_the_server_still_serves(port: int, site: Site) -> None:
    answer = checked(site, ask_for(port, CSS))
    assert answer is not None
    assert answer.status == 200
    assert answer.body != OWN
