"""Packages as they come from npm, built, served, and run by a real browser: what is rewritten must still work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, render_template_string
from werkzeug.serving import make_server

from assetpipe import AssetPipe
from assetpipe.config import Compress
from assetpipe.manifest import Manifest
from tests import browser, npm
from tests.browser import Browser, Loaded
from tests.conftest import Project, write

SHOELACE = "@shoelace-style/shoelace@2.20.1"
THREE = "three@0.187.0"

SHOELACE_PAGE = """<!doctype html>
<html lang="en" class="sl-theme-light">
<title>Shoelace</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{{ url_for('static', filename='themes/light.css') }}">
<script type="module" src="{{ url_for('static', filename='shoelace.js') }}" data-shoelace="/static/"></script>
<sl-button variant="primary">Press <sl-icon slot="suffix" name="gear" label="Settings"></sl-icon></sl-button>
<sl-rating value="3"></sl-rating>
<sl-details summary="More" open>Text</sl-details>
"""

THREE_PAGE = """<!doctype html>
<html lang="en">
<title>three.js</title>
<link rel="icon" href="data:,">
<canvas width="200" height="200"></canvas>
<script type="module" src="{{ url_for('static', filename='cube.js') }}"></script>
"""

CUBE = """
import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const canvas = document.querySelector("canvas");
const renderer = new THREE.WebGLRenderer({ canvas, preserveDrawingBuffer: true });
const scene = new THREE.Scene();
scene.background = new THREE.Color(0x0000ff);
const camera = new THREE.PerspectiveCamera(50, 1, 0.1, 100);
camera.position.set(1, 1, 3);
scene.add(new THREE.Mesh(new THREE.BoxGeometry(), new THREE.MeshBasicMaterial({ color: 0xff0000 })));
new OrbitControls(camera, canvas).update();
renderer.render(scene, camera);
"""

# The colours in the middle and in a corner of the canvas, as bytes of red, green, blue.
# WebGL without a graphics card.
WEBGL = ("use-angle=swiftshader", "enable-unsafe-swiftshader")
PIXELS = """
const flat = document.createElement("canvas").getContext("2d");
flat.drawImage(document.querySelector("canvas"), 0, 0);
return [[100, 100], [2, 2]].map(([x, y]) => [...flat.getImageData(x, y, 1, 1).data].slice(0, 3));
"""


@contextmanager
def served(project: Project, page: str) -> Iterator[str]:
    """The URL of an app that shows ``page`` and answers from the project's release."""
    app = Flask("packages", root_path=str(project.folder))
    app.register_blueprint(AssetPipe(dist=project.dist))
    app.add_url_rule("/", view_func=lambda: render_template_string(page), endpoint="page")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def check(manifest: Manifest, loaded: list[Loaded], url: str) -> None:
    """Everything was found, here; and every script and style sheet under the name that promises its bytes."""
    tagged = {asset.url for asset in manifest.assets.values() if asset.url not in manifest.assets}
    for one in loaded:
        assert not one.failed, one
        assert one.status in (200, 304), one
        assert one.url.startswith(url), one
        if one.kind in ("Script", "Stylesheet"):
            assert urlsplit(one.url).path in tagged, one


def run(one: Browser, script: str) -> Any:
    return one.driver.execute_script(script)  # type: ignore[no-untyped-call, unused-ignore]


def photograph(one: Browser, into: Path) -> None:
    assert one.driver.save_screenshot(str(into))
    assert into.stat().st_size > 1000


def test_shoelace_shows_its_components(project: Project, tmp_path: Path) -> None:
    """A theme, hundreds of modules that import each other, and icons that are fetched by URLs made up at run time."""
    project.configure(roots={"/static/": str(npm.package(SHOELACE) / "cdn")}, compress=Compress(encodings=("gzip",)))
    manifest = project.publish().manifest
    with served(project, SHOELACE_PAGE) as url, browser.chromium(tmp_path / "profile") as one:
        loaded = one.visit(url)
        assert one.console() == []
        check(manifest, loaded, url)
        assert sum(asset.kind == "Script" for asset in loaded) > 50
        assert [urlsplit(asset.url).path for asset in loaded if asset.kind == "Stylesheet"] == [
            manifest.assets["/static/themes/light.css"].url
        ]
        for name in ("sl-button", "sl-icon", "sl-rating", "sl-details"):
            assert run(one, f"return document.querySelector('{name}').shadowRoot.childElementCount") > 0
        assert any(urlsplit(asset.url).path == "/static/assets/icons/gear.svg" for asset in loaded)
        assert run(one, "return document.querySelector('sl-icon').shadowRoot.querySelector('svg path') !== null")
        # The theme is what colours the button.
        assert run(
            one,
            "const base = document.querySelector('sl-button').shadowRoot.querySelector('[part~=base]');"
            "return getComputedStyle(base).backgroundColor",
        ) not in ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)")
        photograph(one, tmp_path / "shoelace.png")


def test_three_draws_a_cube_out_of_bare_specifiers(project: Project, tmp_path: Path) -> None:
    """``three`` and ``three/addons/`` are what its own documentation puts into an import map."""
    write(tmp_path / "own", {"cube.js": CUBE})
    project.configure(
        roots={"/static/": (str(tmp_path / "own"), str(npm.package(THREE)))},
        ignore=("/src/", "/examples/fonts/", "/examples/jsm/*", "!/examples/jsm/controls/"),
        imports={"three": "/static/build/three.module.js", "three/addons/": "/static/examples/jsm/"},
        compress=Compress(encodings=("gzip",)),
    )
    manifest = project.publish().manifest
    assert set(manifest.assets["/static/cube.js"].refs) == {
        "/static/build/three.module.js",
        "/static/examples/jsm/controls/OrbitControls.js",
    }
    with served(project, THREE_PAGE) as url, browser.chromium(tmp_path / "profile", *WEBGL) as one:
        loaded = one.visit(url)
        # Without a graphics card the browser reads each frame back, and says of itself that this is slow.
        assert [line for line in one.console() if "GPU stall due to ReadPixels" not in line] == []
        check(manifest, loaded, url)
        assert {urlsplit(asset.url).path for asset in loaded if asset.kind == "Script"} == {
            manifest.assets[f"/static/{name}"].url
            for name in (
                "cube.js",
                "build/three.module.js",
                "build/three.core.js",
                "examples/jsm/controls/OrbitControls.js",
            )
        }
        (red, green, blue), corner = run(one, PIXELS)
        assert (red > 200, green, blue) == (True, 0, 0)
        assert corner == [0, 0, 255]
        photograph(one, tmp_path / "three.png")
