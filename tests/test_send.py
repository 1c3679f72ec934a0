"""Files and bytes that views hand out: private roots, and content made in memory."""

from __future__ import annotations

import gc
import gzip
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import brotli
import pytest
from flask import Flask, Response, abort, request
from werkzeug.test import TestResponse

from assetpipe import AssetPipe
from assetpipe.transforms import encodings
from tests.conftest import write
from tests.test_extension import make_app, release

if TYPE_CHECKING:
    from assetpipe.manifest import Manifest

REPORT = b"the numbers of this year, which are not for everybody\n" * 40
ROWS = b"id,name,price\n" + b"".join(b"%d,a pot of clay,%d\n" % (n, n * 7) for n in range(500))
CONFIG = """
[tool.assetpipe.roots]
"/reports/" = {folder = "reports", private = true}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write(
        tmp_path / "shop",
        {
            "pyproject.toml": CONFIG,
            "static/app.css": "body { color: teal }",
            "reports/2026.txt": REPORT,
            "reports/größe ☃.txt": REPORT,
            "reports/page.html": '<img src="/static/app.css"><a href="2026.txt">',
            "outside.txt": "not published",
        },
    )


def shop_app(folder: Path, **options: Any) -> tuple[Flask, AssetPipe]:
    assets = AssetPipe()
    app = make_app(folder, **options)
    app.register_blueprint(assets)

    @app.route("/file/<path:name>", methods=["GET", "POST"])
    def file(name: str) -> Response:
        if request.args.get("user") != "me":
            abort(403)
        return assets.send(name, as_attachment="save" in request.args, download_name=request.args.get("as"))

    @app.route("/rows", methods=["GET", "POST"])
    def rows() -> Response:
        return assets.send_bytes(ROWS, "pots.csv", as_attachment="save" in request.args)

    @app.route("/small")
    def small() -> Response:
        return assets.send_bytes(b"x", "x.bin", media_type="application/x-own")

    return app, assets


@pytest.fixture
def app(shop: Path) -> Flask:
    app, _ = shop_app(shop)
    release(app)
    return app


def get(app: Flask, path: str, method: str = "GET", **fields: str) -> TestResponse:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return app.test_client().open(path, method=method, headers=headers, buffered=True)


REPORT_URL, ROWS_URL = "/file/reports/2026.txt?user=me", "/rows"


def test_the_view_s_own_check_comes_first(app: Flask) -> None:
    assert get(app, "/file/reports/2026.txt").status_code == 403
    assert get(app, REPORT_URL).data == REPORT


def test_nothing_of_a_private_root_is_reachable_by_url(app: Flask, shop: Path) -> None:
    manifest: Manifest = app.extensions["assetpipe"].releases.table().manifest
    (stored,) = [a.stored for p, a in manifest.private.items() if p == "/reports/2026.txt"]
    for url in ("/reports/2026.txt", stored, f"/private{stored}", f"{stored}.br", "/static/../reports/2026.txt"):
        assert get(app, url).status_code == 404
    assert not [f for f in (shop / "dist/public").rglob("*") if "2026" in f.name or "reports" in f.parts]
    assert (shop / f"dist/private{stored}").read_bytes() == REPORT


@pytest.mark.parametrize(("url", "body"), [(REPORT_URL, REPORT), (ROWS_URL, ROWS)])
def test_both_are_negotiated_tagged_and_ranged_as_assets_are_but_kept_by_the_client_alone(
    app: Flask, url: str, body: bytes
) -> None:
    plain, coded, zipped = (
        get(app, url),
        get(app, url, Accept_Encoding="br, gzip"),
        get(app, url, Accept_Encoding="gzip"),
    )
    assert plain.data == body
    assert brotli.decompress(coded.data) == gzip.decompress(zipped.data) == body
    for reply in (plain, coded, zipped):
        assert reply.status_code == 200
        assert reply.headers["Cache-Control"] == "private, no-cache"
        assert reply.headers["Vary"] == "Accept-Encoding"
        assert reply.headers["Content-Length"] == str(len(reply.data))
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert len(reply.headers.getlist("Content-Type")) == 1
    assert len({reply.headers["ETag"] for reply in (plain, coded, zipped)}) == 3
    unmodified = get(app, url, Accept_Encoding="br", If_None_Match=coded.headers["ETag"])
    assert (unmodified.status_code, unmodified.data) == (304, b"")
    assert "Content-Type" not in unmodified.headers
    part = get(app, url, Range="bytes=4-9", If_Range=plain.headers["ETag"])
    assert (part.status_code, part.data) == (206, body[4:10])
    beyond = get(app, url, Range="bytes=999999-")
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(body)}")
    assert "Content-Type" not in beyond.headers
    head = get(app, url, "HEAD")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(body)))
    assert get(app, url, Accept_Encoding="*;q=0").status_code == 406


@pytest.mark.parametrize("url", [REPORT_URL, ROWS_URL])
def test_a_view_that_answers_a_post_sends_the_whole(app: Flask, url: str) -> None:
    reply = get(app, url, "POST", If_None_Match="*", Range="bytes=0-1")
    assert (reply.status_code, len(reply.data)) == (200, len(get(app, url).data))


@pytest.mark.parametrize(
    "name",
    [
        "nothing.txt",
        "reports/",
        "reports",
        "",
        "outside.txt",
        "static/app.css",
        "../outside.txt",
        "reports/../outside.txt",
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_what_is_no_private_file_is_404(app: Flask, name: str, debug: bool) -> None:
    app.debug = debug
    assets = AssetPipe()
    app.add_url_rule("/any", "any", lambda: assets.send(name))
    assert get(app, "/any").status_code == 404


def test_a_private_page_refers_to_public_assets_by_their_names(app: Flask) -> None:
    table = app.extensions["assetpipe"].releases.table()
    text = get(app, "/file/reports/page.html?user=me").text
    assert f'src="{table.url("/static/app.css")}"' in text
    assert 'href="2026.txt"' in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        ("save=1", 'attachment; filename="2026.txt"'),
        ("as=x.txt", 'inline; filename="x.txt"'),
        ("save=1&as=b%22ad%0d%0ax.txt", "attachment; filename=\"b_ad__x.txt\"; filename*=UTF-8''b%22ad%0D%0Ax.txt"),
        ("save=1&as=gr%C3%B6%C3%9Fe.txt", "attachment; filename=\"gr??e.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"),
    ],
)
def test_what_a_download_is_called(app: Flask, query: str, expected: str | None) -> None:
    assert get(app, f"{REPORT_URL}&{query}").headers.get("Content-Disposition") == expected


def test_a_name_beyond_ascii_is_found_in_either_normal_form(app: Flask) -> None:
    for name in ("größe ☃.txt", "gro\u0308ße ☃.txt"):
        assert get(app, f"/file/reports/{name}?user=me").data == REPORT


def test_in_debug_without_a_watch_the_file_is_the_source_as_it_is_now(app: Flask, shop: Path) -> None:
    app.debug = True
    (shop / "reports/2026.txt").write_bytes(b"new")
    (shop / "reports/draft.txt").write_bytes(b"draft")
    (shop / "reports/link.txt").symlink_to(shop / "outside.txt")
    reply = get(app, f"{REPORT_URL}&save=1")
    assert (reply.data, reply.headers["Cache-Control"]) == (b"new", "private, no-cache")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="2026.txt"'
    assert get(app, "/file/reports/draft.txt?user=me").data == b"draft"
    assert get(app, "/file/reports/link.txt?user=me").status_code == 404
    assert get(app, "/reports/2026.txt").status_code == 404


def test_bytes_have_the_media_type_given_or_that_of_their_name(app: Flask) -> None:
    assert get(app, "/rows?save=1").headers["Content-Type"] == "text/csv; charset=utf-8"
    assert get(app, "/rows?save=1").headers["Content-Disposition"] == 'attachment; filename="pots.csv"'
    reply = get(app, "/small", Accept_Encoding="br")
    assert (reply.headers["Content-Type"], reply.data) == ("application/x-own", b"x")
    assert "Content-Encoding" not in reply.headers


def test_bytes_are_compressed_once_however_many_ask(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    encode = encodings.encode

    def counted(coding: str, data: bytes, *, quick: bool = False) -> bytes | None:
        calls.append(coding)
        return encode(coding, data, quick=quick)

    monkeypatch.setattr(encodings, "encode", counted)
    bodies: list[bytes] = []
    ready = threading.Barrier(8)

    def ask() -> None:
        ready.wait()
        bodies.append(get(app, ROWS_URL, Accept_Encoding="br").data)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == ["br"]
    assert len(bodies) == 8
    assert {brotli.decompress(body) for body in bodies} == {ROWS}


def test_private_replies_are_counted_as_such(app: Flask) -> None:
    _, assets = app, next(b for b in app.blueprints.values() if isinstance(b, AssetPipe))
    get(app, REPORT_URL, Accept_Encoding="br")
    get(app, ROWS_URL)
    with app.app_context():
        told = assets.snapshot()
    assert told.assets == {("/reports/2026.txt", "private"): 1, ("pots.csv", "generated"): 1}
    assert told.replies == {("br", 200): 1, ("identity", 200): 1}


def test_an_app_s_own_tests_need_no_build(shop: Path) -> None:
    app, _ = shop_app(shop)
    app.testing = True
    assert get(app, REPORT_URL).data == REPORT
    assert get(app, "/file/reports/nothing.txt?user=me").status_code == 404


def test_bytes_are_let_go_when_they_are_sent(app: Flask) -> None:
    """Neither a count that waits nor a cycle of references may hold what can be many megabytes."""
    data = bytes(1000) + b"an export, made for one request"
    assets = AssetPipe()
    app.add_url_rule("/export", "export", lambda: assets.send_bytes(data, "export.bin"))
    gc.disable()
    try:
        before = sys.getrefcount(data)
        assert get(app, "/export").data == data
        assert sys.getrefcount(data) == before
    finally:
        gc.enable()


def test_a_404_of_a_view_is_not_stored_either(app: Flask) -> None:
    reply = get(app, "/file/reports/nothing.txt?user=me")
    assert (reply.status_code, reply.headers["Cache-Control"]) == (404, "no-store")


def test_private_fonts_are_not_for_other_origins(shop: Path) -> None:
    write(shop, {"reports/a.woff2": b"wOF2"})
    app, _ = shop_app(shop)
    release(app)
    assert "Access-Control-Allow-Origin" not in get(app, "/file/reports/a.woff2?user=me").headers


def test_the_field_for_apache_and_lighttpd_is_encoded(shop: Path) -> None:
    """They decode it, and what is not Latin-1 is in no field."""
    app = make_app(shop)
    app.config.update(USE_X_SENDFILE=True, ASSETPIPE_MEMORY=0)
    assets = AssetPipe()
    app.register_blueprint(assets)
    app.add_url_rule("/report", "report", lambda: assets.send("reports/größe ☃.txt"))
    told = release(app).private["/reports/größe ☃.txt"]
    reply = get(app, "/report")
    assert reply.headers["X-Sendfile"] == quote(f"{shop}/dist/private{told.stored}")


def test_in_debug_a_public_root_around_a_private_one_does_not_give_its_files_away(shop: Path) -> None:
    roots = '"/w/" = "."\n"/" = "."\n"/reports/" = {folder = "reports", private = true}\n'
    write(shop, {"pyproject.toml": f"[tool.assetpipe.roots]\n{roots}"})
    app, _ = shop_app(shop)
    app.debug = True
    assert get(app, "/w/outside.txt").status_code == 200
    for path in ("/w/reports/2026.txt", "/reports/2026.txt"):
        assert get(app, path).status_code == 404
    assert get(app, REPORT_URL).data == REPORT


def test_an_app_may_have_private_files_alone(tmp_path: Path) -> None:
    folder = write(tmp_path / "alone", {"pyproject.toml": CONFIG, "reports/2026.txt": REPORT})
    app, _ = shop_app(folder, static_folder=None)
    assert release(app).assets == {}
    assert get(app, REPORT_URL).data == REPORT
