"""Uploads in a real browser: which file it takes, what a drawing may not do there, and that it looks as it did."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from assetpipe.paths import Digest
from assetpipe.uploads import Folder, Uploads, svg
from assetpipe.uploads.records import FORMAT, Record, Stored, dump, record_key
from tests import browser, pictures

HOSTILE = b"""<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"
  onload="document.documentElement.id='handler'">
<script>document.documentElement.setAttribute('class', 'script')</script>
<image href="/stolen.png"/><style>@import "/stolen.css";</style>
<foreignObject width="9" height="9"><iframe xmlns="http://www.w3.org/1999/xhtml" src="/stolen.html"/></foreignObject>
</svg>"""
# Written by a drawing program: notes to itself, styles, gradients, clips, texts, uses.
DRAWING = b"""<?xml version="1.0" encoding="UTF-8"?><!-- Generator: a program -->
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:p="http://program.example/"
  viewBox="0 0 64 64" width="64" height="64" p:zoom="3" data-name="Layer 1"><metadata><p:a/></metadata>
<p:view><rect width="64" height="64"/></p:view>
<defs><linearGradient id="g" gradientTransform="rotate(20)"><stop offset="0" stop-color="#c33"/>
<stop offset="1" style="stop-color:hsl(200 50% 50%)"/></linearGradient>
<clipPath id="c"><circle cx="32" cy="32" r="28"/></clipPath><filter id="f"><feGaussianBlur stdDeviation="1"/></filter>
<symbol id="s" viewBox="0 0 4 4"><path d="M0 0h4L2 4z"/></symbol></defs>
<style><![CDATA[.a{fill:url(#g)} @media (min-width:1px){.b:not(.c){stroke:#063;stroke-width:3}}]]></style>
<g clip-path="url('#c')"><rect class="a" width="64" height="64"/><path class="b" d="M5 50L60 9" filter="url(#f)"/>
<use xlink:href="#s" x="20" y="20" width="16" height="16" fill="#fff" fill-opacity=".6"/>
<text x="8" y="40" font-size="14" xml:space="preserve">A  <tspan fill="#fe0" dy="3">b</tspan></text></g></svg>"""
COMPARE = """
const [originals, cleaned, done] = arguments;
const draw = async source => {
  const image = new Image(64, 64), canvas = new OffscreenCanvas(64, 64), context = canvas.getContext('2d');
  image.src = 'data:image/svg+xml;base64,' + source;
  await image.decode();
  context.drawImage(image, 0, 0, 64, 64);
  return context.getImageData(0, 0, 64, 64).data;
};
(async () => {
  const results = [];
  for (const [n, source] of originals.entries()) {
    try {
      const [a, b] = [await draw(source), await draw(cleaned[n])];
      results.push([Math.max(...a.map((value, at) => Math.abs(value - b[at]))), a.some(value => value)]);
    } catch (error) { results.push([String(error), true]); }
  }
  done(results);
})();
"""


class Shop:
    """A site with uploads, its address, and the paths that it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Uploads(folder, widths=[300, 600], allow=["image/jpeg", "image/svg+xml"], secret="s" * 32)
        self.asked: list[str] = []
        self.page = ""
        app = Flask(__name__)
        app.add_url_rule("/", view_func=lambda: self.page)
        self.store.init_app(app)
        inner = app.wsgi_app

        def noting(environ: Any, start_response: Any) -> Any:
            self.asked.append(environ["PATH_INFO"])
            return inner(environ, start_response)

        self.app = noting
        self.address = ""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "uploads")
    server = make_server("127.0.0.1", 0, shop.app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    shop.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield shop
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_page_shows_the_rendition_that_fits(shop: Shop, tmp_path: Path) -> None:
    upload = shop.store.add(pictures.jpeg(1200, 800), "a.jpg")
    shop.page = (
        "<!doctype html><title>Shop</title><link rel=icon href='data:,'>"
        + str(upload.picture(alt="A boat", sizes="250px", id="boat"))
        + f'<img id="signed" src="{shop.store.url(upload, width=64, crop="1:1", format="avif")}" alt="">'
    )
    with browser.chromium(tmp_path / "profile", "force-device-scale-factor=1") as window:
        loaded = window.visit(f"{shop.address}/")
        run: Any = window.driver.execute_script
        taken, natural, box, signed = run(
            "const b = document.getElementById('boat'), s = document.getElementById('signed');"
            "return [b.currentSrc, b.naturalWidth, [b.width, b.height], [s.naturalWidth, s.naturalHeight]]"
        )
    narrow = next(one for one in upload.renditions if one.width == 300)
    assert taken == shop.address + narrow.url
    assert natural == 250  # in the pixels of the page, as `sizes` says
    assert box == [1200, 800]
    assert signed == [64, 64]
    assert {one.status for one in loaded} == {200}


def test_what_should_ever_get_past_the_cleaning_can_do_nothing(shop: Shop, tmp_path: Path) -> None:
    """A script in a drawing, put into the storage by hand: the policy that it is served with holds it."""
    identity, generation = Digest.of(HOSTILE)[:32], "0" * 16
    stored = Stored("original.svg", "image/svg+xml", len(HOSTILE), str(Digest.of(HOSTILE)), 9, 9)
    record = Record(FORMAT, identity, generation, stored)
    storage = Folder(shop.folder)
    storage.put(record.key("original.svg"), HOSTILE)
    storage.put(record_key(identity), dump(record))
    url = f"/uploads/{identity}.svg"
    with browser.chromium(tmp_path / "profile") as window:
        window.driver.get(shop.address + url)  # a drawing has no body to scroll
        window.settled()
        run: Any = window.driver.execute_script
        root = "const root = document.documentElement;"
        assert run(f"{root} return [root.localName, root.id, root.getAttribute('class')]") == ["svg", "", None]
        said = " ".join(window.console())
    assert "sandboxed" in said or "Content Security Policy" in said
    assert url in shop.asked
    assert not [path for path in shop.asked if "stolen" in path]


def test_a_cleaned_drawing_looks_as_it_did(shop: Shop, tmp_path: Path) -> None:
    clean = svg.clean(DRAWING).data
    assert b"program" not in clean
    with browser.chromium(tmp_path / "profile") as window:
        window.visit(f"{shop.address}/")
        run: Any = window.driver.execute_async_script
        told = run(COMPARE, [base64.b64encode(DRAWING).decode()], [base64.b64encode(clean).decode()])
    assert told == [[0, True]]
