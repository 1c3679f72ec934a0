"""A page whose assets come from another host, under an enforced content security policy, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from flask import Flask, Response, make_response, render_template_string
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from assetpipe import AssetPipe
from tests import browser
from tests.browser import Loaded
from tests.conftest import Project

PAGE = """<!doctype html>
<html lang="en">
<title>Far assets</title>
<link rel="icon" href="data:,">
{{ asset.importmap(nonce="r4nd0m") }}
{{ asset.preload("font.woff2") }}
{{ asset.stylesheet("css/app.css") }}
{{ asset.inline("critical.css") }}
{{ asset.script("js/app.js", module=True) }}
{{ asset.script("js/classic.js", defer=True) }}
{{ asset.picture("photo.svg", alt="a square", id="photo") }}
<p>text</p><h1>title</h1>
<script nonce="r4nd0m">document.documentElement.dataset.own = "yes"</script>
<script>document.documentElement.dataset.hostile = "yes"</script>
"""
SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><path fill="teal" d="M0 0h40v40H0z"/></svg>'
FONT = Path(__file__).parents[1] / "example_site/static/fonts/gnomon.woff2"
SOURCES = {
    "css/app.css": "@import 'base.css'; p { background: url(/static/bg.svg); color: rgb(1, 2, 3) }",
    "css/base.css": "@font-face { font-family: F; src: url(../font.woff2) } p { font: 20px F }",
    "critical.css": "h1 { color: rgb(4, 5, 6) }",
    "js/app.js": "import {a} from './dom.js'; import {c} from 'bare'; import('./late.js').then(m => {"
    "document.documentElement.dataset.sum = a + m.b + c })",
    "js/dom.js": "export const a = 1",
    "js/late.js": "export const b = 20",
    "js/bare.js": "export const c = 300",
    "js/classic.js": "document.documentElement.dataset.classic = 'yes'",
    "bg.svg": SQUARE,
    "photo.svg": SQUARE,
}


@contextmanager
def listening(app: Any) -> Iterator[tuple[int, list[Any]]]:
    """A server whose application is what the list holds, so that it can be made when the port is known."""
    held = [app]
    server = make_server("127.0.0.1", 0, lambda environ, start: held[0](environ, start), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.port, held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_app(project: Project, cdn: str) -> Flask:
    assets = AssetPipe(dist=project.dist)
    app = Flask("far", root_path=str(project.folder))
    app.config["ASSETPIPE_CDN"] = cdn
    app.register_blueprint(assets)

    @app.get("/")
    def page() -> Response:
        response = make_response(render_template_string(PAGE))
        policy = assets.page().content_security_policy({"default-src": "'none'", "img-src": "data:"}, nonce="r4nd0m")
        response.headers["Content-Security-Policy"] = policy
        return response

    return app


def test_all_assets_of_a_page_come_from_the_cdn_and_the_policy_lets_them(project: Project, tmp_path: Path) -> None:
    """The CDN has a path, too: there it asks this app. What refers to what leads to where it came from."""
    project.write({**SOURCES, "font.woff2": FONT.read_bytes()})
    project.configure(imports={"bare": "/static/js/bare.js"})
    project.publish()
    with listening(None) as (far, far_app), listening(None) as (near, near_app):
        app = make_app(project, f"http://127.0.0.1:{far}/pull")
        near_app[0] = app
        far_app[0] = DispatcherMiddleware(NotFound(), {"/pull": app})
        with browser.chromium(tmp_path / "profile") as one:
            loaded = one.visit(f"http://127.0.0.1:{near}/")
            state: dict[str, str] = one.driver.execute_script(  # type: ignore[no-untyped-call, unused-ignore]
                """
                const of = (name) => getComputedStyle(document.querySelector(name));
                return {...document.documentElement.dataset, p: of("p").color, h1: of("h1").color,
                        font: String(document.fonts.check("20px F") && [...document.fonts][0].status),
                        photo: String(document.querySelector("#photo").naturalWidth)};
                """
            )
            console = one.console()
    check(loaded, f"http://127.0.0.1:{near}/", f"http://127.0.0.1:{far}/pull/static/")
    assert state == {
        "own": "yes",
        "classic": "yes",
        "sum": "321",
        "p": "rgb(1, 2, 3)",
        "h1": "rgb(4, 5, 6)",
        "font": "loaded",
        "photo": "40",
    }
    # The one script that the policy does not know, and nothing else.
    assert len(console) == 1, console
    assert "Content Security Policy" in console[0]


def check(loaded: list[Loaded], page: str, assets: str) -> None:
    assert {one.url for one in loaded} >= {page}
    names = []
    for one in loaded:
        assert not one.failed, one
        assert one.status == 200, one
        if one.url != page:
            assert one.url.startswith(assets), one
            names.append(one.url.removeprefix(assets).split(".")[0])
    # Each is fetched once: the preloads are those of the fetches that follow.
    assert sorted(names) == sorted(
        name.split(".")[0] for name in {**SOURCES, "font.woff2": ""} if name != "critical.css"
    )
