"""What httplint, the linter behind REDbot, says of replies of every kind, as they come over a socket.

``Date`` and ``Server`` are the server's, so each is asked for behind two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec import Struct

from assetpipe.manifest import Asset, Manifest
from assetpipe.publish import current
from tests.conftest import Project
from tests.pictures import jpeg
from tests.test_targets import ask_for, serving

httplint = pytest.importorskip("httplint", reason="needs httplint: pip install httplint")

CSS = b"body { color: teal; background: white }\n" * 200
BINARY = bytes(range(256)) * 40


class Site(Struct):
    port: int
    manifest: Manifest

    def asset(self, name: str) -> Asset:
        return self.manifest.assets[f"/static/{name}"]

    def url(self, name: str) -> str:
        return quote(self.asset(name).url)


@pytest.fixture(scope="module", params=["gunicorn", "werkzeug"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("httplint")
    project = Project(folder / "project")
    (project.folder / "static").mkdir(parents=True)
    project.write({"app.css": CSS, "data.bin": BINARY, "hero.jpg": jpeg(), "robots.txt": b"User-agent: *\n"})
    project.publish()
    manifest = current(project.dist)
    assert manifest is not None
    with serving(request.param, folder, project.dist) as port:
        yield Site(port, manifest)


class Case(Struct):
    """A request for an asset (by its tagged URL, or else by its path), and the reply that is meant."""

    name: str
    status: int
    fields: dict[str, str] = {}
    method: str = "GET"
    tagged: bool = True
    etag: str = ""


CASES = {
    "200 identity, tagged": Case("app.css", 200),
    "200 br, tagged": Case("app.css", 200, {"Accept-Encoding": "br"}),
    "200 gzip, tagged": Case("app.css", 200, {"Accept-Encoding": "gzip"}),
    "200 plain": Case("app.css", 200, {"Accept-Encoding": "br"}, tagged=False),
    "200 plain, identity": Case("robots.txt", 200, tagged=False),
    "200 binary": Case("data.bin", 200),
    "200 JPEG": Case("hero.jpg", 200),
    "200 WebP": Case("hero.jpg", 200, {"Accept": "image/webp,*/*"}),
    "200 WebP, plain": Case("hero.jpg", 200, {"Accept": "image/webp,*/*"}, tagged=False),
    "HEAD": Case("app.css", 200, {"Accept-Encoding": "br"}, "HEAD"),
    "HEAD, plain": Case("app.css", 200, {}, "HEAD", tagged=False),
    "206": Case("data.bin", 206, {"Range": "bytes=10-19"}),
    "206 of br": Case("app.css", 206, {"Range": "bytes=0-9", "Accept-Encoding": "br"}),
    "206 of text": Case("app.css", 206, {"Range": "bytes=0-9"}, tagged=False),
    "206 multipart": Case("data.bin", 206, {"Range": "bytes=0-9,100-109"}),
    "304": Case("app.css", 304, {"If-None-Match": "*"}),
    "304 of br": Case("app.css", 304, {"If-None-Match": "*", "Accept-Encoding": "br"}, tagged=False),
    "404": Case("nothing.css", 404, tagged=False),
    "404 to HEAD": Case("nothing.css", 404, {}, "HEAD", tagged=False),
    "405": Case("app.css", 405, {}, "POST"),
    "406": Case("app.css", 406, {"Accept-Encoding": "*;q=0"}),
    "412": Case("app.css", 412, {"If-Match": '"x"'}),
    "416": Case("data.bin", 416, {"Range": "bytes=99999-"}),
    "OPTIONS": Case("app.css", 204, {}, "OPTIONS"),
}

# Notes that are no fault: the beginnings of the names of cases that they may stand at, and why.
ALLOWED: dict[str, tuple[tuple[str, ...], str]] = {
    "INFO STORE_STORABLE": (("200", "HEAD", "206", "304"), "what the replies are for"),
    "INFO STALE_SERVABLE": (("200", "HEAD", "206", "304"), "a tagged URL has the same bytes when it is stale"),
    "INFO FRESHNESS_NO_CACHE": (("200 plain", "200 WebP, plain", "HEAD, plain", "206 of text"), "`no-cache` is meant"),
    "INFO STORE_UNSTORABLE": (("304 of br",), "a 304 is not stored by itself, it freshens what is"),
    "INFO STORE_NO_STORE": (("404", "406", "412", "416"), "`no-store` is meant"),
    "INFO STATUS_NOT_FOUND": (("404",), "it says what the status says"),
    "INFO STATUS_METHOD_NOT_ALLOWED": (("405",), "it says what the status says"),
    "INFO STATUS_NOT_ACCEPTABLE": (("406",), "it says what the status says"),
    "INFO STATUS_PRECONDITION_FAILED": (("412",), "it says what the status says"),
    # Not needed beside max-age, but for requests with Authorization (RFC 9111 section 3.5): a site behind a password.
    "WARN STORE_PUBLIC_UNNECESSARY": (("200", "HEAD", "206", "304"), "`public` is for requests with Authorization"),
    # RFC 9110 section 15.3.7.2: there "a server MUST NOT generate a Content-Range header field".
    "BAD PARTIAL_WITHOUT_RANGE": (("206 multipart",), "each part has its own"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_linter_has_nothing_to_say_that_is_not_meant(site: Site, name: str) -> None:
    notes = lint(site, CASES[name])
    allowed = [note for note, (cases, _) in ALLOWED.items() if name.startswith(cases)]
    assert [said for note, said in notes if note not in allowed and not note.startswith("GOOD")] == []
    # It has read what it was given.
    assert "GOOD CONTENT_TYPE_OPTIONS" in dict(notes)
    assert ("GOOD CL_CORRECT" in dict(notes)) == (not name.startswith(("HEAD", "404 to HEAD", "304", "OPTIONS")))


def date(head: bytes) -> float:
    """When the reply was made, by its own word: what the linter says must not hang on the clock."""
    (told,) = (line for line in head.decode("latin-1").split("\r\n") if line.lower().startswith("date:"))
    return parsedate_to_datetime(told.partition(":")[2].strip()).timestamp()


def lint(site: Site, case: Case) -> list[tuple[str, str]]:
    """What the linter says of the reply: the level and name of each note, and its sentence."""
    # Not at the top, so that the module is skipped where there is none.
    from httplint.message import HttpRequestLinter, HttpResponseLinter

    target = site.url(case.name) if case.tagged else quote(f"/static/{case.name}")
    lines = {**case.fields, "User-Agent": "test", **({"Content-Length": "0"} if case.method == "POST" else {})}
    received = ask_for(
        site.port, target.encode(), *(f"{n}: {v}".encode() for n, v in lines.items()), method=case.method.encode()
    )
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    version, status, phrase = first.split(b" ", 2)
    assert int(status) == case.status

    request = HttpRequestLinter()
    request.process_request_topline(case.method.encode(), f"http://x{target}".encode(), b"1.1")
    request.process_headers([(n.encode(), v.encode()) for n, v in [("Host", "x"), *lines.items()]])
    request.finish_content(True)
    response = HttpResponseLinter(start_time=date(head))
    response.base_uri = f"http://x{target}"
    response.request = request
    response.is_head_response = case.method == "HEAD"
    response.process_response_topline(version.removeprefix(b"HTTP/"), status, phrase)
    response.process_headers([(n, v.strip()) for n, _, v in (line.partition(b":") for line in rest)])
    if body:
        response.feed_content(body)
    response.finish_content(True)
    found = [*response.notes, *(child for note in response.notes for child in note.subnotes)]
    return [(f"{note.level.name} {type(note).__name__}", f"{note.level.name}: {note.summary}") for note in found]
