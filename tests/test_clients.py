"""Clients that people use, curl and requests, get from a real server what they ask for: the source's bytes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec import Struct

from assetpipe.manifest import Asset
from assetpipe.publish import current
from tests.conftest import Project
from tests.pictures import jpeg
from tests.test_targets import serving

INSTALL = "apt-get install curl"
CSS = b"body { color: teal; background: white }\n" * 500
BINARY = bytes(range(256)) * 4000  # a megabyte: larger than what is held in memory
PHOTO = jpeg()


class Site(Struct):
    """A project that is served, built without minifying: what comes out is what went in."""

    port: int
    project: Project

    def asset(self, name: str) -> Asset:
        manifest = current(self.project.dist)
        assert manifest is not None
        return manifest.assets[f"/static/{name}"]

    def url(self, name: str, *, tagged: bool = True) -> str:
        path = self.asset(name).url if tagged else f"/static/{name}"
        return f"http://127.0.0.1:{self.port}{quote(path)}"


NAMES = {"app.css": CSS, "big.bin": BINARY, "hero.jpg": PHOTO, "empty.txt": b"", "söß ☃.txt": b"odd" * 99}
SERVERS = ["gunicorn", "werkzeug", "waitress"]


@contextmanager
def published(server: str, folder: Path) -> Iterator[Site]:
    project = Project(folder / "project")
    (project.folder / "static").mkdir(parents=True)
    project.write(NAMES)
    project.configure(minify=False)
    project.publish()
    with serving(server, folder, project.dist) as port:
        yield Site(port, project)


@pytest.fixture(scope="module", params=SERVERS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with published(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.fixture(params=SERVERS)
def changing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site for one test alone, which publishes another release."""
    with published(request.param, tmp_path) as found:
        yield found


# curl


class Curl:
    """The ``curl`` command, in a folder for its files; skips the test where there is none."""

    def __init__(self, folder: Path) -> None:
        command = shutil.which("curl")
        if command is None:
            pytest.skip(f"needs curl: {INSTALL}")
        self.command = command
        self.folder = folder

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [self.command, "--disable", "--silent", "--show-error", "--max-time", "20", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, timeout=60, check=False)

    def get(self, *arguments: str) -> bytes:
        """What is written to stdout by a curl that succeeds."""
        done = self.run("--fail", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def told(self, *arguments: str) -> tuple[int, dict[str, str], bytes]:
        """The status, the header fields and the body (decoded, if curl was asked to), whatever the status is."""
        body = self.folder / "body"
        body.unlink(missing_ok=True)
        done = self.run("--dump-header", "-", "--output", str(body), *arguments)
        assert done.returncode == 0, done.stderr
        first, *rest = done.stdout.decode().strip().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        return int(first.split(" ")[1]), fields, body.read_bytes() if body.exists() else b""


@pytest.fixture
def curl(tmp_path: Path) -> Curl:
    folder = tmp_path / "curl"
    folder.mkdir()
    return Curl(folder)


@pytest.mark.parametrize("name", list(NAMES))
@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "plain"])
def test_curl_gets_every_asset(site: Site, curl: Curl, name: str, *, tagged: bool) -> None:
    url = site.url(name, tagged=tagged)
    assert curl.get(url) == NAMES[name]
    assert curl.get("--compressed", url) == NAMES[name]
    assert curl.get("--http1.0", url) == NAMES[name]


def test_curl_decodes_what_it_asked_to_have_compressed(site: Site, curl: Curl) -> None:
    status, fields, body = curl.told("--compressed", site.url("app.css"))
    assert status == 200
    assert fields["content-encoding"] in ("br", "gzip")
    assert int(fields["content-length"]) < len(CSS) // 10
    assert body == CSS


@pytest.mark.parametrize("coding", ["br", "gzip", "x-gzip", "deflate, gzip;q=0.5, *;q=0"])
def test_curl_decodes_each_coding(site: Site, curl: Curl, coding: str) -> None:
    status, fields, body = curl.told("--compressed", "--header", f"Accept-Encoding: {coding}", site.url("app.css"))
    assert (status, body) == (200, CSS)
    assert fields["content-encoding"] == ("br" if coding == "br" else "gzip")


def test_curl_gets_a_picture_in_the_type_that_it_names(site: Site, curl: Curl) -> None:
    (webp,) = (rendition for rendition in site.asset("hero.jpg").renditions if rendition.negotiated)
    data = (site.project.dist / "public" / webp.url[1:]).read_bytes()
    assert data[8:12] == b"WEBP"
    assert curl.get("--header", "Accept: image/webp,*/*;q=0.8", site.url("hero.jpg")) == data
    assert curl.get("--header", "Accept: image/*", site.url("hero.jpg")) == PHOTO


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("0-0", BINARY[:1]),
        ("100-200099", BINARY[100:200_100]),
        ("1000000-", BINARY[1_000_000:]),
        ("-5", BINARY[-5:]),
        ("-99999999", BINARY),
        ("1023990-99999999", BINARY[1_023_990:]),
        ("0-99,100-199", BINARY[:200]),
    ],
)
def test_curl_gets_the_range_that_it_asks_for(site: Site, curl: Curl, asked: str, wanted: bytes) -> None:
    status, fields, body = curl.told("--range", asked, site.url("big.bin"))
    assert (status, body) == (206, wanted)
    assert fields["content-length"] == str(len(wanted))


def test_curl_is_told_of_a_range_beyond_the_end(site: Site, curl: Curl) -> None:
    status, fields, body = curl.told("--range", f"{len(BINARY)}-", site.url("big.bin"))
    assert (status, body) == (416, b"")
    assert fields["content-range"] == f"bytes */{len(BINARY)}"
    # With -f, exit code 22 says that it was an error.
    assert curl.run("--fail", "--range", f"{len(BINARY)}-", site.url("big.bin")).returncode == 22


@pytest.mark.parametrize("name", list(NAMES))
def test_curl_head_tells_of_the_same_as_get(site: Site, curl: Curl, name: str) -> None:
    for more in ([], ["--compressed"]):
        got = curl.told(*more, site.url(name))
        # Not waiting for a body: --head.
        head = curl.run("--head", *more, site.url(name))
        assert head.returncode == 0, head.stderr
        lines = [line for line in head.stdout.decode().strip().split("\r\n")[1:] if not line.startswith("Date:")]
        assert {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)} == {
            name: value for name, value in got[1].items() if name != "date"
        }


@pytest.mark.parametrize("since", ["2000-01-01", "2100-01-01", "-2000-01-01", "-2100-01-01"])
def test_curl_gets_the_whole_whatever_date_it_asks_about(site: Site, curl: Curl, since: str) -> None:
    # RFC 9110 section 13.1.3: a recipient without a modification date ignores If-Modified-Since.
    assert curl.get("--time-cond", since, site.url("app.css", tagged=False)) == CSS


def test_curl_asks_again_with_the_tag_that_it_kept(site: Site, curl: Curl) -> None:
    url, kept = site.url("app.css", tagged=False), "etag.txt"
    assert curl.get("--etag-save", kept, url) == CSS
    status, fields, body = curl.told("--etag-compare", kept, url)
    assert (status, body) == (304, b"")
    assert fields["etag"] == (curl.folder / kept).read_text().strip()
    # The tag of identity is not that of the compressed form, which curl does not have.
    assert curl.told("--compressed", "--etag-compare", kept, url)[0] == 200


def test_curl_resumes_a_download_of_a_tagged_url_over_a_release(changing: Site, curl: Curl) -> None:
    # curl sends Range without If-Range, so only a URL whose bytes never change can be resumed: a tagged one.
    url, file = changing.url("big.bin"), curl.folder / "big.bin"
    file.write_bytes(BINARY[:300_001])
    changing.project.write({"big.bin": BINARY[::-1]})
    changing.project.publish()
    assert changing.url("big.bin") != url
    curl.get("--continue-at", "-", "--output", str(file), url)
    assert file.read_bytes() == BINARY
    assert curl.get(changing.url("big.bin")) == BINARY[::-1]


def test_curl_that_says_what_it_resumes_gets_the_whole_of_another_release(changing: Site, curl: Curl) -> None:
    # RFC 9110 section 13.1.5: with If-Range the part counts only where the whole is still the same.
    url, half = changing.url("big.bin", tagged=False), f"{len(BINARY) // 2}-"
    _, fields, _ = curl.told(url)
    same = ("--header", f"If-Range: {fields['etag']}", "--range", half, url)
    assert curl.told(*same)[0] == 206
    changing.project.write({"big.bin": BINARY[::-1]})
    changing.project.publish()
    # A new release is served within a second; the URL that it alone has is looked for at once.
    assert curl.get(changing.url("big.bin")) == BINARY[::-1]
    status, fields, body = curl.told(*same)
    assert (status, body) == (200, BINARY[::-1])
    assert "content-range" not in fields


def test_curl_has_nothing_left_to_resume_of_a_file_that_it_has(site: Site, curl: Curl) -> None:
    file = curl.folder / "big.bin"
    file.write_bytes(BINARY)
    # The server answers 416 with the length, and curl takes that for an end.
    curl.run("--continue-at", "-", "--output", str(file), site.url("big.bin"))
    assert file.read_bytes() == BINARY


def test_curl_asks_for_many_assets_over_one_connection(site: Site, curl: Curl) -> None:
    urls = [site.url(name) for name in NAMES] * 3
    # Each URL's options are its own: after the last one, --next would begin again.
    done = curl.run("--write-out", "%{stderr}%{http_code} %{num_connects};", *urls)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"".join(NAMES.values()) * 3
    statuses = done.stderr.decode().strip(";").split(";")
    assert {status.split(" ")[0] for status in statuses} == {"200"}


def test_curl_is_told_what_is_allowed(site: Site, curl: Curl) -> None:
    status, fields, body = curl.told("--request", "OPTIONS", site.url("app.css"))
    assert (status, fields["allow"], body) == (204, "GET, HEAD, OPTIONS", b"")
    status, fields, _ = curl.told("--data", "x=1", site.url("app.css"))
    assert (status, fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    status, fields, _ = curl.told("--header", "Expect:", "--upload-file", __file__, site.url("app.css"))
    assert status == 405


@pytest.mark.parametrize("path", ["/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static/..%2fsecret.txt"])
def test_curl_gets_no_secret_with_its_path_as_it_is(site: Site, curl: Curl, path: str) -> None:
    (site.project.dist / "public" / "secret.txt").write_bytes(b"not for the web")
    status, _, body = curl.told("--path-as-is", f"http://127.0.0.1:{site.port}{path}")
    assert status in (200, 404)
    assert b"not for the web" not in body


# requests


@pytest.mark.parametrize("name", list(NAMES))
def test_requests_gets_every_asset(site: Site, name: str) -> None:
    requests = pytest.importorskip("requests", reason="needs requests: pip install requests")
    with requests.Session() as session:
        session.trust_env = False
        for tagged in (True, False):
            url = site.url(name, tagged=tagged)
            response = session.get(url, timeout=20)
            assert (response.status_code, response.content) == (200, NAMES[name])
            plain = session.get(url, headers={"Accept-Encoding": "identity"}, timeout=20)
            assert plain.content == NAMES[name]
            assert plain.headers["Content-Length"] == str(len(NAMES[name]))
            etag = response.headers["ETag"]
            again = session.get(url, headers={"If-None-Match": etag}, timeout=20)
            assert (again.status_code, again.content) == (304, b"")
            assert session.head(url, timeout=20).headers["ETag"] == etag
        assert session.post(site.url(name), data=b"x", timeout=20).status_code == 405


def test_requests_reads_text_as_utf_8(site: Site) -> None:
    requests = pytest.importorskip("requests", reason="needs requests: pip install requests")
    with requests.Session() as session:
        session.trust_env = False
        response = session.get(site.url("app.css"), timeout=20)
    assert response.encoding == "utf-8"
    assert response.text == CSS.decode()
    assert response.headers["Content-Encoding"] in ("br", "gzip")


def test_requests_puts_a_file_together_of_its_ranges(site: Site) -> None:
    requests = pytest.importorskip("requests", reason="needs requests: pip install requests")
    joined = b""
    with requests.Session() as session:
        session.trust_env = False
        etag = session.head(site.url("big.bin"), timeout=20).headers["ETag"]
        while len(joined) < len(BINARY):
            fields = {"Range": f"bytes={len(joined)}-{len(joined) + 299_999}", "If-Range": etag}
            response = session.get(site.url("big.bin"), headers=fields, timeout=20)
            assert response.status_code == 206
            joined += response.content
    assert joined == BINARY
