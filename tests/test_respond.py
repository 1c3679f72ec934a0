"""From request headers to status, headers and body span, on the pure ``respond`` (RFC 9110, 9111, 8246)."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assetpipe.manifest import Asset, Encoding, Manifest, Rendition, release_id
from assetpipe.paths import Digest, LogicalPath
from assetpipe.serve.negotiate import select
from assetpipe.serve.resource import Reply, Resource, Span
from assetpipe.serve.table import Table
from tests.requests import Request, Stretch, respond, stretch, told

FOREVER = "public, max-age=31536000, immutable"
CSS = b"body { color: teal }\n" * 50
CODED = {"br": b"b" * 300, "gzip": b"g" * 400}
SUFFIX = {"br": ".br", "gzip": ".gz"}
JPEG, WEBP = b"j" * 2000, b"w" * 900


def asset(path: str, data: bytes, media_type: str, encodings: dict[str, bytes] | None = None) -> Asset:
    """A fingerprinted asset with these bytes."""
    return Asset(
        url=LogicalPath(path).tagged(Digest.of(data).tag),
        type=media_type,
        size=len(data),
        sha256=Digest.of(data),
        encodings={c: Encoding(len(coded), Digest.of(coded)) for c, coded in (encodings or {}).items()},
    )


def plain(path: str, data: bytes, media_type: str) -> Asset:
    """An asset that keeps its name, its bytes lying under the tagged one."""
    tagged = LogicalPath(path).tagged(Digest.of(data).tag)
    return Asset(url=path, file=tagged, type=media_type, size=len(data), sha256=Digest.of(data))


def kept(path: str, data: bytes, media_type: str) -> Asset:
    """An asset that another bundler named by its content."""
    return Asset(url=path, type=media_type, size=len(data), sha256=Digest.of(data), immutable=True)


def photo(path: str, data: bytes, webp: bytes) -> Asset:
    """A JPEG with a negotiated WebP and a narrower one that is not negotiated."""
    stem = path.removesuffix(".jpg")
    return Asset(
        url=LogicalPath(path).tagged(Digest.of(data, webp).tag),
        type="image/jpeg",
        size=len(data),
        sha256=Digest.of(data),
        width=64,
        height=48,
        renditions=tuple(
            Rendition(
                url=f"{stem}.{Digest.of(made).tag}.webp",
                type="image/webp",
                size=len(made),
                sha256=Digest.of(made),
                width=width,
                height=48,
                negotiated=width == 64,
            )
            for made, width in ((webp, 64), (webp[:50], 32))
        ),
    )


def release(assets: dict[str, Asset], prefixes: tuple[str, ...] = ("/static/",)) -> Manifest:
    return Manifest(format=1, release=release_id(assets, prefixes), prefixes=prefixes, assets=assets)


ASSETS = {
    "/static/app.css": asset("/static/app.css", CSS, "text/css; charset=utf-8", CODED),
    "/static/hero.jpg": photo("/static/hero.jpg", JPEG, WEBP),
    "/static/empty.txt": asset("/static/empty.txt", b"", "text/plain; charset=utf-8"),
    "/static/tiny.bin": asset("/static/tiny.bin", b"0123456789", "application/octet-stream"),
    "/static/sw.js": plain("/static/sw.js", b"self.x = 1;", "text/javascript; charset=utf-8"),
    "/static/vendor-1a2b3c4d.js": kept("/static/vendor-1a2b3c4d.js", b"v()", "text/javascript; charset=utf-8"),
    "/static/a.woff2": asset("/static/a.woff2", b"wOF2", "font/woff2"),
    "/static/a.ttf": asset("/static/a.ttf", b"ttf" * 50, "font/ttf", {"br": b"t"}),
    "/static/a.eot": asset("/static/a.eot", b"eot", "application/vnd.ms-fontobject"),
    "/static/é #?%.txt": asset("/static/é #?%.txt", b"odd", "text/plain; charset=utf-8"),
}
TABLE = Table(release(ASSETS))
URL = {path: a.url for path, a in ASSETS.items()}
CSS_URL, JPG_URL, BIN_URL, EMPTY_URL = (
    URL[f"/static/{name}"] for name in ("app.css", "hero.jpg", "tiny.bin", "empty.txt")
)
CSS_ETAG, BIN_ETAG = Digest.of(CSS).etag, Digest.of(b"0123456789").etag


def reply_to(request: Request, table: Table = TABLE) -> Reply:
    reply = respond(table, request)
    assert reply is not None, f"{request.path} was left to the application"
    return reply


def get(path: str, **fields: str | None) -> Reply:
    return reply_to(Request("GET", path, **fields))


def headers(reply: Reply) -> dict[str, str]:
    """The header fields by name; each may be there once only."""
    found = dict(reply.headers)
    assert len(found) == len(reply.headers), reply.headers
    return found


def code(reply: Reply) -> int:
    return int(reply.status.split(" ")[0])


def tokens(field: str) -> set[str]:
    return {token.strip().lower() for token in field.split(",")} - {""}


# Caching: tagged, plain, kept, retained


@pytest.mark.parametrize("path", list(ASSETS))
def test_a_tagged_url_is_immutable_and_the_plain_one_is_revalidated(path: str) -> None:
    found = ASSETS[path]
    if found.url != path:
        assert headers(get(found.url))["Cache-Control"] == FOREVER
    assert headers(get(path))["Cache-Control"] == (FOREVER if found.immutable else "no-cache")


@pytest.mark.parametrize("path", list(ASSETS))
def test_both_urls_of_an_asset_send_its_bytes_and_type(path: str) -> None:
    found = ASSETS[path]
    for url in (path, found.url):
        reply = get(url)
        assert reply.status == "200 OK"
        assert stretch(reply) == Stretch(found.stored, 0, found.size, whole=True)
        assert headers(reply)["Content-Type"] == found.type
        assert headers(reply)["Content-Length"] == str(found.size)
        assert "Content-Encoding" not in headers(reply)


def test_a_plain_asset_is_sent_from_the_file_that_its_release_keeps() -> None:
    assert stretch(get("/static/sw.js")).file == LogicalPath("/static/sw.js").tagged(Digest.of(b"self.x = 1;").tag)


def test_the_file_of_a_plain_asset_is_no_url() -> None:
    assert get(ASSETS["/static/sw.js"].file).status == "404 Not Found"


@pytest.mark.parametrize("coding", list(CODED))
def test_an_encoding_is_sent_from_its_own_file_with_its_own_size(coding: str) -> None:
    reply = get(CSS_URL, accept_encoding=coding)
    assert stretch(reply) == Stretch(CSS_URL + SUFFIX[coding], 0, len(CODED[coding]), whole=True)
    assert headers(reply)["Content-Encoding"] == coding
    assert headers(reply)["Content-Length"] == str(len(CODED[coding]))
    assert headers(reply)["Content-Type"] == "text/css; charset=utf-8"


def test_the_file_of_an_encoding_is_no_url() -> None:
    for suffix in SUFFIX.values():
        assert get(CSS_URL + suffix).status == "404 Not Found"


def test_a_rendition_answers_on_its_own_url_and_on_the_originals_where_it_is_named() -> None:
    negotiated, narrow = ASSETS["/static/hero.jpg"].renditions
    for rendition in (negotiated, narrow):
        reply = get(rendition.url)
        assert stretch(reply) == Stretch(rendition.url, 0, rendition.size, whole=True)
        assert headers(reply)["Cache-Control"] == FOREVER
        assert headers(reply)["Content-Type"] == "image/webp"
        assert "Vary" not in headers(reply)
    for url in (JPG_URL, "/static/hero.jpg"):
        reply = get(url, accept="image/webp,*/*;q=0.8")
        assert stretch(reply) == Stretch(negotiated.url, 0, len(WEBP), whole=True)
        assert headers(reply)["Content-Type"] == "image/webp"
        assert headers(reply)["ETag"] == Digest.of(WEBP).etag


def test_a_retained_release_answers_its_tagged_urls_as_before() -> None:
    old = {
        "/static/app.css": asset("/static/app.css", b"old", "text/css; charset=utf-8", {"br": b"o"}),
        "/static/hero.jpg": photo("/static/hero.jpg", b"old", b"x" * 60),
        "/static/gone.js": asset("/static/gone.js", b"gone", "text/javascript; charset=utf-8"),
        "/static/chunk-9f8e7d6c.js": kept("/static/chunk-9f8e7d6c.js", b"c()", "text/javascript; charset=utf-8"),
    }
    table, alone = Table(release(ASSETS), [release(old)]), Table(release(old))
    urls = [*(a.url for a in old.values()), *(r.url for a in old.values() for r in a.renditions)]
    for url in urls:
        for request in (
            Request("GET", url),
            Request("GET", url, accept_encoding="br", accept="image/webp"),
            Request("GET", url, range="bytes=1-"),
        ):
            assert told(reply_to(request, table)) == told(reply_to(request, alone))
            assert headers(reply_to(request, table))["Cache-Control"] == FOREVER


def test_what_is_private_now_is_not_answered_for_older_releases_either() -> None:
    open_then = asset("/reports/a.txt", b"numbers", "text/plain; charset=utf-8")
    now = Manifest(
        format=1, release="1" * 12, prefixes=("/static/",), assets=ASSETS, private={"/reports/a.txt": open_then}
    )
    old = {"/reports/a.txt": open_then, "/static/b.txt": asset("/static/b.txt", b"b", "text/plain; charset=utf-8")}
    table = Table(now, [release(old)])
    for url in ("/reports/a.txt", open_then.url):
        assert respond(table, Request("GET", url)) is None
    assert reply_to(Request("GET", old["/static/b.txt"].url), table).status == "200 OK"


def test_the_plain_url_of_a_retained_release_is_not_answered_by_it() -> None:
    old = {
        "/static/gone.js": asset("/static/gone.js", b"gone", "text/javascript; charset=utf-8"),
        "/static/gone.txt": plain("/static/gone.txt", b"gone", "text/plain; charset=utf-8"),
        "/static/sw.js": plain("/static/sw.js", b"old", "text/javascript; charset=utf-8"),
        "/static/app.css": asset("/static/app.css", b"old", "text/css; charset=utf-8"),
    }
    table = Table(release(ASSETS), [release(old)])
    for path in ("/static/gone.js", "/static/gone.txt"):
        assert reply_to(Request("GET", path), table).status == "404 Not Found"
    for path in ("/static/sw.js", "/static/app.css"):
        assert told(reply_to(Request("GET", path), table)) == told(get(path))


def test_of_two_releases_the_newer_answers_a_url_that_both_have() -> None:
    # The same bytes, coded by another zlib meanwhile.
    before = asset("/static/app.css", CSS, "text/css; charset=utf-8", {"gzip": b"old" * 20})
    between = asset("/static/app.css", CSS, "text/css; charset=utf-8", {"gzip": b"between" * 20})
    table = Table(release({}), [release({"/static/app.css": between}), release({"/static/app.css": before})])
    reply = reply_to(Request("GET", before.url, accept_encoding="gzip"), table)
    assert headers(reply)["Content-Length"] == str(len(b"between" * 20))
    table = Table(release(ASSETS), [release({"/static/app.css": before})])
    reply = reply_to(Request("GET", before.url, accept_encoding="gzip"), table)
    assert headers(reply)["Content-Length"] == str(len(CODED["gzip"]))


def test_an_asset_of_the_current_release_is_not_hidden_by_one_that_was_immutable_under_its_name() -> None:
    # As when bytes have changed under a `tagged` name, and the file is made `plain` instead.
    path = "/static/lib-1a2b3c4d.js"
    old = release({path: kept(path, b"old", "text/javascript; charset=utf-8")})
    now = release({path: plain(path, b"new one", "text/javascript; charset=utf-8")})
    reply = reply_to(Request("GET", path), Table(now, [old]))
    assert headers(reply)["ETag"] == Digest.of(b"new one").etag
    assert headers(reply)["Cache-Control"] == "no-cache"


def test_a_coding_that_this_version_does_not_know_is_not_offered() -> None:
    # Design, manifest: "More members may come; these stay."
    found = asset("/static/x.css", CSS, "text/css; charset=utf-8", {"br": b"b", "dcz": b"d"})
    table = Table(release({"/static/x.css": found}))
    assert (
        headers(reply_to(Request("GET", found.url, accept_encoding="dcz, br;q=0.5"), table))["Content-Encoding"] == "br"
    )


# What names nothing


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/nothing.css",
        "/static/app.css/",
        "/static//app.css",
        "/static/./app.css",
        "/static/x/../app.css",
        "/static/../secret.txt",
        "/static/app.css\0",
        "/static/APP.CSS",
        "/static/app.000000000000.css",
        "/static/\ufffd",
        pytest.param("/static/\udcff", id="a lone surrogate"),
        "/static/" + "x" * 9000,
        "/static/manifest.json",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_an_unknown_name_below_a_prefix_is_a_404_that_is_not_stored(method: str, path: str) -> None:
    reply = reply_to(Request(method, path, accept_encoding="br", if_none_match="*", range="bytes=0-"))
    assert reply.status == "404 Not Found"
    assert headers(reply)["Cache-Control"] == "no-store"
    assert headers(reply)["X-Content-Type-Options"] == "nosniff"
    assert "ETag" not in headers(reply)
    assert not isinstance(reply.body, Span)
    assert (reply.body == b"") == (method == "HEAD")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "BREW"])
@pytest.mark.parametrize(
    "path", ["", "/", "*", "/static", "/statics/app.css", "/x", "//static/app.css", "static/app.css", "/Static/app.css"]
)
def test_what_lies_outside_the_prefixes_is_the_applications(method: str, path: str) -> None:
    assert respond(TABLE, Request(method, path)) is None


def test_every_prefix_answers_for_what_is_below_it() -> None:
    table = Table(release(ASSETS, ("/static/", "/blog/static/")))
    assert reply_to(Request("GET", "/blog/static/x"), table).status == "404 Not Found"
    assert respond(table, Request("GET", "/blog/x")) is None


def test_with_the_prefix_slash_an_unknown_name_is_the_applications() -> None:
    icon = asset("/favicon.ico", b"icon", "image/vnd.microsoft.icon")
    table = Table(release({"/favicon.ico": icon}, ("/",)))
    assert reply_to(Request("GET", "/favicon.ico"), table).status == "200 OK"
    assert reply_to(Request("GET", icon.url), table).status == "200 OK"
    for path in ("/", "/login", "/favicon.png", "/static/x", ""):
        assert respond(table, Request("GET", path)) is None


def test_the_prefix_slash_does_not_take_the_404_from_other_prefixes() -> None:
    table = Table(release(ASSETS, ("/", "/static/")))
    assert reply_to(Request("GET", "/static/x"), table).status == "404 Not Found"
    assert respond(table, Request("GET", "/x")) is None


def test_a_table_of_nothing_leaves_everything_to_the_application() -> None:
    assert respond(Table(release({}, ())), Request("GET", "/static/app.css")) is None


# Methods


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "get", "Head", ""]
)
@pytest.mark.parametrize("path", [CSS_URL, "/static/app.css"])
def test_other_methods_are_not_allowed_and_told_which_are(method: str, path: str) -> None:
    reply = reply_to(Request(method, path, if_none_match="*", range="bytes=0-0"))
    assert reply.status == "405 Method Not Allowed"
    assert tokens(headers(reply)["Allow"]) == {"get", "head", "options"}
    assert headers(reply)["Cache-Control"] == "no-store"
    assert reply.body == b"405 Method Not Allowed\n"


def test_options_is_answered_without_a_body() -> None:
    reply = reply_to(Request("OPTIONS", CSS_URL))
    assert reply.status == "204 No Content"
    assert tokens(headers(reply)["Allow"]) == {"get", "head", "options"}
    assert "Content-Length" not in headers(reply)  # section 8.6: not in a 204
    assert reply.body == b""


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Request("GET", CSS_URL), id="identity"),
        pytest.param(Request("GET", CSS_URL, accept_encoding="gzip"), id="coded"),
        pytest.param(Request("GET", JPG_URL, accept="image/webp"), id="rendition"),
        pytest.param(Request("GET", "/static/app.css"), id="plain URL"),
        pytest.param(Request("GET", EMPTY_URL), id="empty"),
        pytest.param(Request("GET", "/static/nothing"), id="404"),
        pytest.param(Request("GET", CSS_URL, accept_encoding="*;q=0"), id="406"),
        pytest.param(Request("GET", CSS_URL, if_none_match="*"), id="304"),
        pytest.param(Request("GET", CSS_URL, if_match='"x"'), id="412"),
    ],
)
def test_head_has_the_headers_of_get_and_no_body(request_: Request) -> None:
    with_get, with_head = reply_to(request_), reply_to(request_._replace(method="HEAD"))
    assert with_head.status == with_get.status
    assert with_head.headers == with_get.headers
    assert with_head.body == b""


@pytest.mark.parametrize("field", ["bytes=0-3", "bytes=999999-", "bytes=-1", "nonsense"])
def test_head_takes_no_range(field: str) -> None:
    # Section 14.2: Range is defined for GET alone.
    assert reply_to(Request("HEAD", BIN_URL, range=field)) == reply_to(Request("HEAD", BIN_URL))


# Vary, entity-tags and the headers that go with them


@pytest.mark.parametrize(
    ("path", "vary"),
    [
        ("/static/app.css", {"accept-encoding"}),
        ("/static/hero.jpg", {"accept"}),
        ("/static/tiny.bin", set()),
        ("/static/sw.js", set()),
        ("/static/a.ttf", {"accept-encoding"}),
    ],
)
@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "plain"])
def test_vary_names_what_was_negotiated_in_every_answer_alike(path: str, vary: set[str], *, tagged: bool) -> None:
    url = URL[path] if tagged else path
    wanted: list[dict[str, str | None]] = [{}, {"accept_encoding": "br, gzip", "accept": "image/webp"}]
    for fields in wanted:
        for status, more in (
            (200, {}),
            (206, {"range": "bytes=0-0"}),
            (304, {"if_none_match": "*"}),
            (412, {"if_match": '"x"'}),
            (416, {"range": "bytes=9999-"}),
        ):
            reply = get(url, **fields, **more)
            assert code(reply) == status
            assert tokens(headers(reply).get("Vary", "")) == vary, status


def test_vary_names_both_where_both_are_negotiated() -> None:
    both = photo("/static/x.jpg", b"j" * 500, b"w" * 100)
    both = Asset(
        url=both.url,
        type=both.type,
        size=both.size,
        sha256=both.sha256,
        encodings={"br": Encoding(400, Digest.of(b"br"))},
        renditions=both.renditions,
    )
    reply = reply_to(Request("GET", both.url), Table(release({"/static/x.jpg": both})))
    assert tokens(headers(reply)["Vary"]) == {"accept", "accept-encoding"}


@pytest.mark.parametrize("path", ["/static/app.css", "/static/tiny.bin", "/static/hero.jpg"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_406_is_not_stored_and_says_what_it_depends_on(method: str, path: str) -> None:
    reply = reply_to(Request(method, URL[path], accept_encoding="*;q=0"))
    assert reply.status == "406 Not Acceptable"
    assert headers(reply)["Cache-Control"] == "no-store"
    assert headers(reply)["Vary"]
    assert "ETag" not in headers(reply)
    assert not isinstance(reply.body, Span)


def test_every_representation_has_one_strong_etag_of_its_own() -> None:
    seen = {
        headers(get(CSS_URL))["ETag"]: CSS,
        headers(get(CSS_URL, accept_encoding="br"))["ETag"]: CODED["br"],
        headers(get(CSS_URL, accept_encoding="gzip"))["ETag"]: CODED["gzip"],
        headers(get(JPG_URL))["ETag"]: JPEG,
        headers(get(JPG_URL, accept="image/webp"))["ETag"]: WEBP,
    }
    assert len(seen) == 5
    for etag, data in seen.items():
        assert etag == Digest.of(data).etag
        assert etag.startswith('"')


def test_the_etag_is_the_same_for_both_urls_and_over_releases() -> None:
    later = Table(release({**ASSETS, "/static/new.js": asset("/static/new.js", b"n", "text/javascript")}))
    for request in (Request("GET", "/static/app.css"), Request("GET", CSS_URL), Request("HEAD", CSS_URL)):
        assert headers(reply_to(request))["ETag"] == headers(reply_to(request, later))["ETag"] == CSS_ETAG


@pytest.mark.parametrize("path", list(ASSETS))
def test_nosniff_is_on_every_answer_and_last_modified_on_none(path: str) -> None:
    for reply in (
        get(path),
        get(URL[path]),
        get(path, if_none_match="*"),
        get(path, if_match='"x"'),
        get(path, range="bytes=0-0"),
        get(path, range="bytes=99999-"),
        get(path, accept_encoding="*;q=0"),
        get(path + "x"),
        reply_to(Request("POST", path)),
        reply_to(Request("OPTIONS", path)),
    ):
        assert headers(reply)["X-Content-Type-Options"] == "nosniff"
        assert "Last-Modified" not in headers(reply)


@pytest.mark.parametrize("path", list(ASSETS))
def test_fonts_and_nothing_else_may_be_fetched_from_other_origins(path: str) -> None:
    is_font = path.endswith((".woff2", ".ttf", ".eot"))
    for reply in (get(URL[path]), get(path), get(path, if_none_match="*"), get(path, accept_encoding="br")):
        assert headers(reply).get("Access-Control-Allow-Origin") == ("*" if is_font else None)


def test_a_304_has_the_fields_that_a_cache_updates_and_none_of_the_body() -> None:
    # Section 15.4.5
    whole = headers(get(CSS_URL, accept_encoding="br"))
    found = headers(get(CSS_URL, accept_encoding="br", if_none_match="*"))
    assert {k: found[k] for k in ("Cache-Control", "ETag", "Vary")} == {
        k: whole[k] for k in ("Cache-Control", "ETag", "Vary")
    }
    assert not found.keys() & {"Content-Type", "Content-Encoding", "Content-Length", "Accept-Ranges", "Content-Range"}


# Preconditions


@pytest.mark.parametrize(
    ("field", "status"),
    [
        pytest.param(CSS_ETAG, 304, id="ours"),
        pytest.param(f"W/{CSS_ETAG}", 304, id="weak comparison"),
        pytest.param(f"  {CSS_ETAG}\t", 304, id="blanks"),
        pytest.param("*", 304, id="star"),
        pytest.param(" * ", 304, id="star with blanks"),
        pytest.param(f'"x", {CSS_ETAG}', 304, id="last of a list"),
        pytest.param(f'{CSS_ETAG}, "x"', 304, id="first of a list"),
        pytest.param(f'"x",W/"y",W/{CSS_ETAG},"z"', 304, id="weak in a list without blanks"),
        pytest.param(f'"x",, ,{CSS_ETAG}', 304, id="empty members are skipped"),
        pytest.param(f", {CSS_ETAG}", 304, id="an empty member at the start (section 5.6.1.2)"),
        pytest.param(f",,{CSS_ETAG},", 304, id="empty members all around"),
        pytest.param(f'"a,b", {CSS_ETAG}', 304, id="a comma within a tag"),
        pytest.param(f'"", {CSS_ETAG}', 304, id="an empty tag"),
        pytest.param(f'"\xe9\xff", {CSS_ETAG}', 304, id="obs-text within a tag"),
        pytest.param('"x"', 200, id="another"),
        pytest.param("", 200, id="empty"),
        pytest.param(",", 200, id="a list of nothing"),
        pytest.param(CSS_ETAG.strip('"'), 200, id="without its quotes"),
        pytest.param(CSS_ETAG[:-1], 200, id="without its last quote"),
        pytest.param(f"w/{CSS_ETAG}", 200, id="w/ in lower case is not the weak mark"),
        pytest.param(f"W/ {CSS_ETAG}", 200, id="a blank after W/"),
        pytest.param(CSS_ETAG.upper(), 200 if CSS_ETAG.upper() != CSS_ETAG else 304, id="upper case is another tag"),
        pytest.param(f'"{CSS_ETAG}"', 200, id="quoted twice"),
        pytest.param('"*"', 200, id="a quoted star"),
        pytest.param("**", 200, id="two stars"),
        pytest.param(f'"x {CSS_ETAG}', 200, id="a stray quote before it"),
        pytest.param(f'"x" {CSS_ETAG}', 200, id="no comma between"),
        pytest.param(f"junk, {CSS_ETAG}", 200, id="junk before it"),
        pytest.param("Sat, 01 Jan 2000 00:00:00 GMT", 200, id="a date"),
        pytest.param(Digest.of(CODED["br"]).etag, 200, id="the tag of another representation"),
        pytest.param('"' * 5001, 200, id="only quotes"),
        pytest.param('"x",' * 2000 + CSS_ETAG, 304, id="a long list is read to its end"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_none_match(method: str, field: str, status: int) -> None:
    for path in (CSS_URL, "/static/app.css"):
        reply = reply_to(Request(method, path, if_none_match=field))
        assert code(reply) == status
        assert headers(reply)["ETag"] == CSS_ETAG
        if status == 304:
            assert reply.body == b""


def test_if_none_match_is_asked_of_the_selected_representation() -> None:
    of_brotli = Digest.of(CODED["br"]).etag
    assert code(get(CSS_URL, accept_encoding="br", if_none_match=of_brotli)) == 304
    assert code(get(CSS_URL, accept_encoding="gzip", if_none_match=of_brotli)) == 200
    assert code(get(CSS_URL, accept_encoding="gzip", if_none_match=f"{of_brotli}, {CSS_ETAG}")) == 200


@pytest.mark.parametrize(
    ("field", "status"),
    [
        pytest.param(CSS_ETAG, 200, id="ours"),
        pytest.param("*", 200, id="star: there is one"),
        pytest.param(f'"x", {CSS_ETAG}', 200, id="in a list"),
        pytest.param(f", {CSS_ETAG}", 200, id="an empty member at the start (section 5.6.1.2)"),
        pytest.param(f"W/{CSS_ETAG}", 412, id="strong comparison: a weak tag matches nothing"),
        pytest.param(f"W/{CSS_ETAG}, {CSS_ETAG}", 200, id="weak, then strong"),
        pytest.param('"x"', 412, id="another"),
        pytest.param(Digest.of(CODED["br"]).etag, 412, id="the tag of another representation"),
        pytest.param("", 412, id="empty"),
        pytest.param("nonsense", 412, id="malformed"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_if_match(method: str, field: str, status: int) -> None:
    reply = reply_to(Request(method, CSS_URL, if_match=field))
    assert code(reply) == status
    if status == 412:
        assert reply.body == b""
        assert headers(reply)["Content-Length"] == "0"


@pytest.mark.parametrize("path", [CSS_URL, JPG_URL, "/static/vendor-1a2b3c4d.js", "/static/app.css"])
@pytest.mark.parametrize(
    "fields", [{"if_match": '"x"'}, {"range": "bytes=99999-"}, {"accept_encoding": "*;q=0"}], ids=["412", "416", "406"]
)
def test_a_failure_is_never_stored_as_the_answer_of_a_tagged_url(path: str, fields: dict[str, str]) -> None:
    # RFC 9111 section 3: `public` or `max-age` would let any cache keep a final status, a 412 for a year as well,
    # and answer other clients with it.
    reply = get(path, **fields)
    assert 400 <= code(reply) < 500
    assert headers(reply)["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"if_match": '"x"', "if_none_match": CSS_ETAG}, 412, id="If-Match first"),
        pytest.param({"if_match": CSS_ETAG, "if_none_match": CSS_ETAG}, 304, id="then If-None-Match"),
        pytest.param({"if_match": "*", "if_none_match": '"x"'}, 200, id="both agree to send"),
        pytest.param({"if_none_match": CSS_ETAG, "range": "bytes=0-0"}, 304, id="a condition before a range"),
        pytest.param({"if_none_match": CSS_ETAG, "range": "bytes=99999-"}, 304, id="a condition before a bad range"),
        pytest.param({"if_match": '"x"', "range": "bytes=0-0"}, 412, id="a failed condition before a range"),
        pytest.param({"if_none_match": '"x"', "range": "bytes=0-0"}, 206, id="a range after a condition"),
        pytest.param({"if_match": CSS_ETAG, "range": "bytes=0-0"}, 206, id="a range after If-Match"),
        pytest.param({"if_range": '"x"', "range": "bytes=0-0"}, 200, id="If-Range disagrees"),
        pytest.param({"if_range": '"x"', "range": "bytes=99999-"}, 200, id="If-Range disagrees: no 416"),
        pytest.param({"if_range": CSS_ETAG, "range": "bytes=99999-"}, 416, id="If-Range agrees: 416"),
        pytest.param({"if_range": '"x"', "if_none_match": CSS_ETAG, "range": "bytes=0-0"}, 304, id="before If-Range"),
        pytest.param({"accept_encoding": "*;q=0", "if_none_match": "*"}, 406, id="no representation, no condition"),
    ],
)
def test_preconditions_in_the_order_of_section_13_2_2(fields: dict[str, str], status: int) -> None:
    assert code(get(CSS_URL, **fields)) == status


@pytest.mark.parametrize(
    ("field", "status"),
    [
        pytest.param(BIN_ETAG, 206, id="strong"),
        pytest.param(f" {BIN_ETAG} ", 206, id="blanks"),
        pytest.param(f"W/{BIN_ETAG}", 200, id="weak"),
        pytest.param('"x"', 200, id="another"),
        pytest.param(f'{BIN_ETAG}, "x"', 200, id="a list is none"),
        pytest.param("*", 200, id="star means nothing here"),
        pytest.param("", 200, id="empty"),
        pytest.param("Sat, 01 Jan 2000 00:00:00 GMT", 200, id="a date, where there is no Last-Modified"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 200, id="a date to come"),
    ],
)
def test_if_range_agrees_with_the_strong_tag_alone(field: str, status: int) -> None:
    assert code(get(BIN_URL, range="bytes=2-3", if_range=field)) == status


def test_if_range_without_a_range_is_ignored() -> None:
    assert get(BIN_URL, if_range='"x"') == get(BIN_URL)


def test_if_range_is_asked_of_the_selected_representation() -> None:
    of_brotli = Digest.of(CODED["br"]).etag
    assert code(get(CSS_URL, accept_encoding="br", range="bytes=0-0", if_range=of_brotli)) == 206
    assert code(get(CSS_URL, accept_encoding="gzip", range="bytes=0-0", if_range=of_brotli)) == 200


# Ranges. The file has ten bytes, 0123456789.


@pytest.mark.parametrize(
    ("field", "first", "last"),
    [
        pytest.param("bytes=2-5", 2, 5, id="single"),
        pytest.param("bytes=0-0", 0, 0, id="the first byte"),
        pytest.param("bytes=9-9", 9, 9, id="the last byte"),
        pytest.param("bytes=4-", 4, 9, id="open"),
        pytest.param("bytes=0-", 0, 9, id="open from the start"),
        pytest.param("bytes=0-9", 0, 9, id="all of it"),
        pytest.param("bytes=5-10", 5, 9, id="one beyond the end is cut"),
        pytest.param("bytes=5-999999999999", 5, 9, id="far beyond the end is cut"),
        pytest.param("bytes=-3", 7, 9, id="suffix"),
        pytest.param("bytes=-10", 0, 9, id="suffix of the file's length"),
        pytest.param("bytes=-11", 0, 9, id="suffix longer than the file"),
        pytest.param("bytes=-999999999999", 0, 9, id="suffix far longer than the file"),
        pytest.param("bytes=002-0005", 2, 5, id="leading zeros"),
        pytest.param("BYTES=2-5", 2, 5, id="the unit in upper case (section 14.1)"),
        pytest.param(" bytes=2-5 ", 2, 5, id="blanks around"),
        pytest.param("bytes=99-,0-1", 0, 1, id="several, of which one can be satisfied"),
        pytest.param("bytes=,, 2-5 ,", 2, 5, id="empty members (section 5.6.1.2)"),
        pytest.param("bytes=1-2,3-4", 1, 4, id="two that touch"),
        pytest.param("bytes=3-6,1-4,2-", 1, 9, id="three that overlap"),
        pytest.param("bytes=0-0,8-,1-7", 0, 9, id="two that a third one joins"),
        pytest.param("bytes=" + ",".join(["4-4"] * 16), 4, 4, id="the same one again and again"),
    ],
)
def test_a_range_is_sent_as_asked(field: str, first: int, last: int) -> None:
    reply = get(BIN_URL, range=field)
    found, whole = headers(reply), headers(get(BIN_URL))
    assert reply.status == "206 Partial Content"
    assert found.pop("Content-Range") == f"bytes {first}-{last}/10"
    assert found.pop("Content-Length") == str(last - first + 1)
    assert stretch(reply) == Stretch(BIN_URL, first, last - first + 1, whole=first == 0 and last == 9)
    # Section 15.3.7: what a 200 would have said, too.
    whole.pop("Content-Length")
    assert found == whole


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("bytes", id="no ranges"),
        pytest.param("bytes=", id="empty"),
        pytest.param("bytes=-", id="a dash alone"),
        pytest.param("bytes=5", id="no dash"),
        pytest.param("bytes=a-b", id="letters"),
        pytest.param("bytes=1-b", id="a letter at the end"),
        pytest.param("bytes=0x1-0x2", id="hexadecimal"),
        pytest.param("bytes=+1-2", id="a plus"),
        pytest.param("bytes=--1", id="two dashes"),
        pytest.param("bytes=1--2", id="a negative end"),
        pytest.param("bytes=1-2-3", id="three numbers"),
        pytest.param("bytes=1 - 2", id="blanks within"),
        pytest.param("bytes=1_0-", id="an underscore, which Python's int allows"),
        pytest.param("bytes=1-2x", id="junk after it"),
        pytest.param("bytes=1-2\n", id="a line feed after it"),
        pytest.param("bytes=١-٢", id="digits of another script"),
        pytest.param("bytes=5-4", id="reversed"),
        pytest.param("bytes=99-98", id="reversed beyond the end"),
        pytest.param("bytes: 0-1", id="a colon"),
        pytest.param("bytes 0-1/10", id="in the form of Content-Range"),
        pytest.param("items=0-1", id="another unit"),
        pytest.param("byte=0-1", id="nearly the unit"),
        pytest.param("=0-1", id="no unit"),
        pytest.param("", id="empty field"),
        pytest.param("bytes=0-1,3-4", id="several, which would take more bytes than the whole"),
        pytest.param("bytes=" + ",".join(["0-"] * 1300), id="a thousand overlapping ones"),
        pytest.param("bytes=" + ",".join(["0-0"] * 17), id="more than any client means"),
        pytest.param("bytes=0-1,5-4", id="several, one of them reversed"),
        pytest.param("bytes=0-1,x", id="several, one of them malformed"),
        pytest.param("bytes=,", id="an empty list"),
        pytest.param("bytes=0-1;bytes=2-3", id="a semicolon"),
    ],
)
def test_a_range_that_is_malformed_unknown_or_too_much_gets_the_whole(field: str) -> None:
    assert get(BIN_URL, range=field) == get(BIN_URL)


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        pytest.param("bytes=0-9,20-29", [(0, 10), (20, 10)], id="two"),
        pytest.param("bytes=0-0,-1", [(0, 1), (1999, 1)], id="first and last byte"),
        pytest.param("bytes=500-509,0-9", [(500, 10), (0, 10)], id="in the order asked"),
        pytest.param("bytes=500-509,0-9,505-519", [(500, 20), (0, 10)], id="the earliest takes in what overlaps it"),
        pytest.param("bytes=0-9,9999-,20-29", [(0, 10), (20, 10)], id="without what cannot be satisfied"),
    ],
)
def test_several_ranges_are_the_parts_of_a_multipart_body(field: str, parts: list[tuple[int, int]]) -> None:
    reply = get(JPG_URL, range=field)
    found, whole = headers(reply), headers(get(JPG_URL))
    assert reply.status == "206 Partial Content"
    kind, _, boundary = found.pop("Content-Type").partition("; boundary=")
    assert kind == "multipart/byteranges"
    expected: list[bytes | Stretch] = []
    for start, length in parts:
        line = b"\r\n" if expected else b""
        head = f"--{boundary}\r\nContent-Type: image/jpeg\r\nContent-Range: bytes {start}-{start + length - 1}/2000"
        expected += [line + head.encode() + b"\r\n\r\n", Stretch(f"/public{JPG_URL}", start, length, whole=False)]
    expected.append(f"\r\n--{boundary}--\r\n".encode())
    assert told(reply)[2] == expected
    lengths = [len(piece) if isinstance(piece, bytes) else piece.length for piece in expected]
    assert found.pop("Content-Length") == str(sum(lengths))
    # Section 15.3.7.2: no Content-Range but in the parts.
    del whole["Content-Length"], whole["Content-Type"]
    assert found == whole


def test_several_ranges_of_an_encoded_body_get_the_whole() -> None:
    """Content-Encoding would be said of the multipart body, and clients would decode that."""
    assert get(CSS_URL, accept_encoding="br", range="bytes=0-0,9-9") == get(CSS_URL, accept_encoding="br")


@pytest.mark.parametrize("field", ["bytes=10-", "bytes=10-20", "bytes=999999999999-", "bytes=-0", "bytes=-000"])
def test_a_range_beyond_the_end_is_not_satisfiable(field: str) -> None:
    reply = get(BIN_URL, range=field)
    assert reply.status == "416 Range Not Satisfiable"
    assert headers(reply)["Content-Range"] == "bytes */10"
    assert headers(reply)["Content-Length"] == "0"
    assert headers(reply)["Cache-Control"] == "no-store"
    assert reply.body == b""


HUGE = "9" * 4000


@pytest.mark.parametrize(
    ("field", "statuses"),
    [
        # Section 14.2: a server may ignore Range, so for such numbers the whole is as right as what they mean.
        pytest.param(f"bytes=0-{HUGE}", {200, 206}, id="to a huge number"),
        pytest.param(f"bytes=-{HUGE}", {200, 206}, id="a huge suffix"),
        pytest.param(f"bytes={HUGE}-", {200, 416}, id="from a huge number"),
        pytest.param(f"bytes={HUGE}-{HUGE}", {200, 416}, id="from huge to huge"),
        pytest.param(f"bytes={'0' * 4000}2-{'0' * 4000}5", {200, 206}, id="thousands of zeros"),
        pytest.param(f"bytes=0-{'9' * 5000}", {200, 206}, id="more digits than Python's int reads"),
        pytest.param(f"bytes={'9' * 5000}-", {200, 416}, id="from more digits than Python's int reads"),
        pytest.param("bytes=0-18446744073709551616", {206}, id="two to the 64th"),
        pytest.param("bytes=18446744073709551616-", {416}, id="from two to the 64th"),
        pytest.param("bytes=-9223372036854775809", {206}, id="a suffix of more than 63 bits"),
    ],
)
def test_a_huge_number_is_no_error(field: str, statuses: set[int]) -> None:
    reply = get(BIN_URL, range=field)
    assert code(reply) in statuses
    if isinstance(reply.body, Span):
        assert (reply.body.start, reply.body.length) in ((0, 10), (2, 4))


def test_a_range_is_of_the_selected_representation() -> None:
    for coding, data in CODED.items():
        reply = get(CSS_URL, accept_encoding=coding, range="bytes=-10")
        assert stretch(reply) == Stretch(CSS_URL + SUFFIX[coding], len(data) - 10, 10, whole=False)
        assert headers(reply)["Content-Range"] == f"bytes {len(data) - 10}-{len(data) - 1}/{len(data)}"
        assert headers(reply)["Content-Encoding"] == coding
        assert headers(reply)["ETag"] == Digest.of(data).etag
        beyond = get(CSS_URL, accept_encoding=coding, range=f"bytes={len(data)}-")
        assert headers(beyond)["Content-Range"] == f"bytes */{len(data)}"
    reply = get(JPG_URL, accept="image/webp", range="bytes=0-9")
    assert headers(reply)["Content-Range"] == f"bytes 0-9/{len(WEBP)}"
    assert headers(reply)["Content-Type"] == "image/webp"


@pytest.mark.parametrize("field", ["bytes=0-", "bytes=0-0", "bytes=1-5", "bytes=-0"])
def test_no_byte_of_an_empty_file_can_be_asked_for(field: str) -> None:
    reply = get(EMPTY_URL, range=field)
    assert reply.status == "416 Range Not Satisfiable"
    assert headers(reply)["Content-Range"] == "bytes */0"


def test_a_suffix_of_an_empty_file_is_the_whole_of_it() -> None:
    # Section 14.1.2: a suffix longer than the representation is all of it, and only a suffix of 0 is unsatisfiable.
    # There is no Content-Range for no bytes, so it is a 200.
    assert get(EMPTY_URL, range="bytes=-5") == get(EMPTY_URL)


def test_an_empty_file_is_sent_whole() -> None:
    reply = get(EMPTY_URL)
    assert reply.status == "200 OK"
    assert stretch(reply) == Stretch(EMPTY_URL, 0, 0, whole=True)
    assert headers(reply)["Content-Length"] == "0"


# Properties

STATUSES = {200, 204, 206, 304, 404, 405, 406, 412, 416}
SIZES = {
    file: size
    for a in ASSETS.values()
    for file, size in (
        (a.stored, a.size),
        *((a.stored + SUFFIX[coding], encoding.size) for coding, encoding in a.encodings.items()),
        *((r.url, r.size) for r in a.renditions),
    )
}
# Text of the alphabets that the fields are written in, which gets further into a parser than any text does.
_like = {
    "accept": "image/webpjg*, ;q=01.5",
    "accept_encoding": "brgzipdentyx-*, ;q=01.5",
    "etag": 'W/"abc123*,é \t' + CSS_ETAG[:3],
    "range": "bytesBYTES=0123456789-, \t",
}
_etags = st.one_of(
    st.lists(st.sampled_from([CSS_ETAG, f"W/{CSS_ETAG}", BIN_ETAG, '"x"', "*", "", "junk", '"']), max_size=5).map(
        ", ".join
    ),
    st.text(_like["etag"]),
    st.text(),
)
_ranges = st.one_of(
    st.builds("bytes={}-{}".format, st.integers(0, 3000) | st.just(""), st.integers(0, 3000) | st.just("")),
    st.text(_like["range"]),
    st.text(string.digits, min_size=60).map("bytes=0-{}".format),
    st.text(),
)
requests = st.builds(
    Request,
    st.sampled_from(["GET", "GET", "GET", "HEAD", "OPTIONS", "POST"]) | st.text(max_size=8),
    st.sampled_from([*ASSETS, *URL.values(), *SIZES]) | st.text().map("/static/".__add__) | st.text(),
    st.none() | st.sampled_from(["image/webp", "*/*;q=0"]) | st.text(_like["accept"]) | st.text(),
    st.none() | st.sampled_from(["br", "gzip, br", "*;q=0"]) | st.text(_like["accept_encoding"]) | st.text(),
    st.none() | _etags,
    st.none() | _etags,
    st.none() | _etags,
    st.none() | _ranges,
)


@given(requests)
@example(Request("GET", BIN_URL, range=f"bytes=0-{'9' * 5000}"))
@example(Request("GET", EMPTY_URL, range="bytes=-1"))
def test_whatever_is_asked_the_answer_is_whole_and_within_its_file(request_: Request) -> None:
    reply = respond(TABLE, request_)
    if reply is None:
        assert not request_.path.startswith("/static/")
        return
    found = headers(reply)
    assert code(reply) in STATUSES
    assert all(name.isascii() and value.isascii() and "\n" not in value for name, value in reply.headers)
    if isinstance(reply.body, Span):
        assert request_.method == "GET"
        sent = stretch(reply)
        assert sent.start >= 0
        assert sent.start + sent.length <= SIZES[sent.file]
        assert sent.whole == (sent.length == SIZES[sent.file])
        assert found["Content-Length"] == str(sent.length)
    elif request_.method == "HEAD":
        assert reply.body == b""
    elif code(reply) in (204, 304):
        assert reply.body == b""
        assert "Content-Length" not in found
    else:
        assert found["Content-Length"] == str(len(reply.body))
    if code(reply) >= 400:
        assert found["Cache-Control"] == "no-store"


# The reference. From section 12.5.3, rule by rule, and from the grammar of sections 5.6.1, 12.4.2 and 12.5.3.


def reference_members(field: str) -> list[tuple[str, int]]:
    """The members of an Accept-Encoding field: coding and weight in thousandths. Fields here are well-formed."""
    members = []
    for text in field.split(","):
        text = text.strip(" \t")
        if not text:
            continue  # an empty member of a list
        coding, _, weight = text.partition(";")
        thousandths = 1000
        if weight:
            whole, _, decimals = weight.strip(" \t")[2:].partition(".")
            thousandths = int(whole) * 1000 + int((decimals + "000")[:3])
        coding = coding.strip(" \t").lower()
        members.append(("gzip" if coding == "x-gzip" else coding, thousandths))
    return members


def reference_choices(field: str | None, kept: dict[str, int]) -> set[str]:
    """The codings that may be sent, out of those kept (with their sizes, identity included); none for a 406."""
    if field is None:
        return {"identity"}  # the design: no promise is made where none was asked for
    stated = dict(reversed(reference_members(field)))  # of two for one coding, the first
    ranks: dict[str, tuple[int, int]] = {}
    for coding in kept:
        # "A content coding is acceptable if it is listed with a weight other than 0 …"
        if coding in stated:
            weight = stated[coding]
        # "The asterisk matches any available content coding not explicitly listed."
        elif "*" in stated:
            weight = stated["*"]
        # "If the representation has no content coding, it is acceptable by default unless specifically excluded by
        # identity;q=0 or *;q=0": below whatever was listed.
        elif coding == "identity":
            ranks[coding] = (0, 0)
            continue
        else:
            continue
        if weight > 0:
            ranks[coding] = (1, weight)
    if not ranks:
        return set()
    best = max(ranks.values())
    equals = {coding: kept[coding] for coding, rank in ranks.items() if rank == best}
    return {coding for coding, size in equals.items() if size == min(equals.values())}


_blank = st.text(" \t", max_size=2)
_weights = st.sampled_from(
    ["", "q=0", "q=0.", "q=0.0", "q=0.000", "q=0.001", "Q=0.5", "q=0.50", "q=0.999", "q=1", "q=1.000"]
)
_codings = st.sampled_from(
    ["br", "BR", "gzip", "x-gzip", "X-Gzip", "zstd", "identity", "Identity", "*", "deflate", "x-br"]
)
_members = st.builds(
    lambda coding, a, b, weight: f"{coding}{a};{b}{weight}" if weight else coding, _codings, _blank, _blank, _weights
)


@st.composite
def accept_encodings(draw: st.DrawFn) -> str:
    """A well-formed field in which no coding stands twice (of such, the RFC does not say which counts)."""
    members = draw(st.lists(_members, max_size=6, unique_by=lambda m: reference_members(m)[0][0]))
    blanks = [draw(_blank) + draw(st.sampled_from([",", ",,", ", ,"])) + draw(_blank) for _ in members]
    return "".join(part for pair in zip(members, blanks, strict=True) for part in pair)


@given(
    st.none() | accept_encodings(),
    st.dictionaries(st.sampled_from(["br", "gzip", "zstd"]), st.integers(100, 103), max_size=3),
    st.integers(100, 104),
)
@example("identity;q=0.5, *;q=0.7", {"br": 100, "gzip": 101}, 104)
@example("*;q=0", {"br": 100}, 104)
def test_codings_rank_as_in_a_plain_reading_of_section_12_5_3(
    field: str | None, encodings: dict[str, int], identity: int
) -> None:
    chosen = select(texts(identity, encodings), None, field)
    choices = reference_choices(field, {"identity": identity, **encodings})
    assert chosen.coding in choices if chosen else not choices


def texts(identity: int, encodings: dict[str, int]) -> Resource:
    found = Asset(
        url="/static/x.css",
        type="text/css",
        size=identity,
        sha256=Digest.of(b"identity"),
        encodings={coding: Encoding(size, Digest.of(coding.encode())) for coding, size in encodings.items()},
    )
    resource = Table(release({"/static/x.css": found})).lookup("/static/x.css")
    assert resource is not None
    return resource
