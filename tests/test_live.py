"""Live reload: what pages are told, and what a browser makes of it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, make_response, render_template_string, request
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

from assetpipe import AssetPipe, locks, publish
from assetpipe.serve.live import LiveReload
from tests import browser, servers
from tests.browser import Browser
from tests.conftest import Project, write
from tests.watching import Watching, eventually, watching

DOCUMENT = {"Sec-Fetch-Dest": "document", "Accept": "text/html"}
SCRIPT = b'<script src="/_assetpipe/live.js"'


@pytest.fixture
def shop(project: Project) -> Project:
    project.write({"a.css": "a{color:red}", "b.css": "@import 'a.css';", "c.js": "c()"})
    project.publish()
    return project


@contextmanager
def watched(project: Project) -> Iterator[None]:
    """As if a watch ran."""
    with locks.holding(project.dist / ".watch") as mine:
        assert mine
        yield


def make_app(project: Project, *, debug: bool = True, cdn: str = "") -> Flask:
    app = Flask("shop", root_path=str(project.folder))
    app.config["ASSETPIPE_CDN"] = cdn
    assets = AssetPipe(dist=project.dist)
    app.register_blueprint(assets)
    app.debug = debug

    @app.route("/", methods=["GET", "POST"])
    def home() -> Response:
        response = make_response(render_template_string(request.args.get("text", "<h1>Pots</h1>")))
        for name in request.args:
            if name.startswith("header-"):
                response.headers[name.removeprefix("header-")] = request.args[name]
        response.status_code = int(request.args.get("status", 200))
        return response

    @app.get("/stream")
    def stream() -> Response:
        return Response(iter(["<h1>", "Pots", "</h1>"]), mimetype="text/html")

    @app.get("/plain")
    def plain() -> Response:
        return Response("text", mimetype="text/plain")

    return app


def get(app: Any, path: str = "/", headers: dict[str, str] = DOCUMENT, method: str = "GET") -> TestResponse:
    return Client(app).open(path, method=method, headers=headers)


# The script


def test_documents_end_with_the_script_and_say_which_release_they_are_of(shop: Project) -> None:
    app = make_app(shop)
    current = publish.current(shop.dist)
    assert current is not None
    with watched(shop):
        for path in ("/", "/stream", "/nowhere", "/?status=500"):
            reply = get(app, path)
            before, script, after = reply.data.partition(SCRIPT)
            assert before.rstrip()
            assert script
            assert f' data-release="{current.release}" '.encode() in after
            assert after.endswith(b" async></script>")
            if "Content-Length" in reply.headers:
                assert int(reply.headers["Content-Length"]) == len(reply.data)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"Sec-Fetch-Dest": "empty", "Accept": "text/html"}),
        ("/", {"Accept": "*/*"}),
        ("/", {"Accept": "text/html", "HX-Request": "true"}),
        ("/", {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"}),
        ("/plain", DOCUMENT),
        ("/?header-Content-Encoding=gzip", DOCUMENT),
        ("/?header-Content-Disposition=attachment", DOCUMENT),
        ("/?header-Content-Type=application/json", DOCUMENT),
        ("/?status=304", DOCUMENT),
        ("/?status=204", DOCUMENT),
        ("/static/a.css", DOCUMENT),
    ],
)
def test_whatever_is_no_document_is_left_as_it_is(shop: Project, path: str, headers: dict[str, str]) -> None:
    app = make_app(shop)
    expected = get(make_app(shop, debug=False), path, headers)
    with watched(shop):
        reply = get(app, path, headers)
        head = get(app, "/", DOCUMENT, "HEAD")
    assert (reply.data, reply.status, list(reply.headers)) == (expected.data, expected.status, list(expected.headers))
    assert head.headers["Content-Length"] == str(len(b"<h1>Pots</h1>"))


def test_older_browsers_and_other_machines_are_known_by_what_they_accept(shop: Project) -> None:
    with watched(shop):
        assert SCRIPT in get(make_app(shop), "/", {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}).data


def test_the_nonce_of_the_policy_is_the_scripts_too(shop: Project) -> None:
    policy = "default-src 'self'; script-src 'nonce-r4nd0m+/=' 'strict-dynamic'"
    with watched(shop):
        reply = get(make_app(shop), f"/?header-Content-Security-Policy={policy.replace('+', '%2B')}")
    assert b' nonce="r4nd0m+/=" async></script>' in reply.data


def test_an_app_that_compresses_or_revalidates_its_pages_has_live_ones_all_the_same(shop: Project) -> None:
    app = make_app(shop)

    @app.after_request
    def by_what_is_asked(response: Response) -> Response:
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.headers["Content-Encoding"] = "gzip"
        response.set_etag("same")
        response.make_conditional(request)
        return response

    with watched(shop):
        reply = get(app, "/", {**DOCUMENT, "Accept-Encoding": "gzip", "If-None-Match": '"same"'})
    assert reply.status_code == 200
    assert SCRIPT in reply.data


@pytest.mark.parametrize("debug", [True, False])
def test_nothing_of_it_is_there_without_a_watch_or_without_debug_mode(shop: Project, debug: bool) -> None:
    app = make_app(shop, debug=debug)
    bare = Flask("bare")
    plain = b"<h1>Pots</h1>"
    before = app.wsgi_app.app  # type: ignore[attr-defined]
    if debug:
        replies = [get(app, path) for path in ("/", "/_assetpipe/live.js", "/_assetpipe/live")]
    else:
        with watched(shop):
            replies = [get(app, path) for path in ("/", "/_assetpipe/live.js", "/_assetpipe/live")]
    assert [reply.status_code for reply in replies] == [200, 404, 404]
    assert replies[0].data == plain
    assert replies[1].data == get(bare, "/_assetpipe/live.js").data
    assert app.wsgi_app.app == before  # type: ignore[attr-defined]
    assert not [rule for rule in app.url_map.iter_rules() if "_assetpipe" in rule.rule]


def test_a_production_process_does_not_even_load_it(shop: Project) -> None:
    code = """
        import sys
        from flask import Flask
        from assetpipe import AssetPipe
        app = Flask("app")
        app.register_blueprint(AssetPipe(dist=sys.argv[1]))
        app.add_url_rule("/", view_func=lambda: "<h1>x</h1>")
        assert app.test_client().get("/", headers={"Accept": "text/html"}).data == b"<h1>x</h1>"
        assert "assetpipe.serve.live" not in sys.modules
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    with watched(shop):
        subprocess.run([sys.executable, "-c", code, str(shop.dist)], check=True)


# The stream


class Listening:
    """A page that listens, without a browser."""

    def __init__(self, app: Any, since: str, mount: str = "", *, threads: bool = True, **told: str) -> None:
        environ: dict[str, Any] = {"wsgi.multithread": threads, **told}
        self.reply = Client(app).get(
            f"{mount}/_assetpipe/live?since={since}", environ_overrides=environ, buffered=False
        )
        self.chunks = self.reply.iter_encoded()

    def next(self) -> dict[str, Any]:
        """The next event."""
        for chunk in self.chunks:
            for line in chunk.decode().splitlines():
                if line.startswith("data: "):
                    told: dict[str, Any] = json.loads(line[6:])
                    return told
        raise AssertionError("the stream has ended")

    def close(self) -> None:
        self.reply.close()


def release(project: Project) -> str:
    current = publish.current(project.dist)
    assert current is not None
    return current.release


def test_a_page_is_told_what_has_changed_since_it_was_made(shop: Project) -> None:
    app = make_app(shop)
    old = publish.current(shop.dist)
    with watched(shop):
        get(app)
        page = Listening(app, release(shop))
        assert page.reply.headers["Content-Type"] == "text/event-stream"
        assert page.reply.headers["Cache-Control"] == "no-store"
        first = page.next()
        assert first["release"] == release(shop)
        assert (first["problems"], "changes" in first) == ([], False)
        shop.write({"a.css": "a{color:blue}", "d.svg": "<svg/>"})
        (shop.folder / "static/c.js").unlink()
        new = shop.publish().manifest
        told = page.next()
        page.close()
    assert old is not None
    a, b = new.assets["/static/a.css"].url, new.assets["/static/b.css"].url
    assert told["release"] == new.release
    assert told["bases"] == [""]
    assert told["changes"] == {
        "/static/a.css": [a, "css"],
        old.assets["/static/a.css"].url: [a, "css"],
        "/static/b.css": [b, "css"],
        old.assets["/static/b.css"].url: [b, "css"],
        "/static/c.js": [None, "text"],
        old.assets["/static/c.js"].url: [None, "text"],
        "/static/d.svg": [new.assets["/static/d.svg"].url, "image"],
    }


def test_a_page_that_slept_through_releases_is_told_of_all_or_that_it_is_too_old(shop: Project) -> None:
    app = make_app(shop)
    before = release(shop)
    shop.write({"a.css": "a{color:blue}"})
    shop.publish()
    with watched(shop):
        get(app)
        one = Listening(app, before)
        assert set(one.next()["changes"]) >= {"/static/a.css", "/static/b.css"}
        again = Listening(app, before, HTTP_LAST_EVENT_ID=release(shop))
        assert "changes" not in again.next()
        for unknown in ("0123456789ab", "", "../manifest", "%00", "a%0Adata: b", "..%2F..%2Fetc%2Fpasswd"):
            other = Listening(app, unknown)
            assert other.next()["changes"] is None
            other.close()
        one.close()
        again.close()


def test_a_plain_file_is_asked_for_anew_by_another_query(shop: Project) -> None:
    shop.configure(plain=("plain.css",))
    shop.write({"plain.css": "p{}"})
    shop.publish()
    app = make_app(shop)
    with watched(shop):
        get(app)
        page = Listening(app, release(shop))
        page.next()
        shop.write({"plain.css": "p{color:red}"})
        url, kind = {**shop_changes(shop, page)}["/static/plain.css"]
        page.close()
        assert url.startswith("/static/plain.css?")
        assert get(app, url).data == b"p{color:red}"
        assert kind == "css"


def shop_changes(shop: Project, page: Listening) -> dict[str, tuple[str, str]]:
    shop.publish()
    told: dict[str, tuple[str, str]] = page.next()["changes"]
    return told


def test_under_a_mount_point_and_on_a_cdn_urls_are_those_of_the_page(shop: Project) -> None:
    app = make_app(shop)
    below = DispatcherMiddleware(NotFound(), {"/shop ü".encode().decode("latin-1"): app})
    with watched(shop):
        reply = get(below, "/shop ü/")
        assert b'<script src="/shop%20%C3%BC/_assetpipe/live.js"' in reply.data
        page = Listening(below, "", mount="/shop%20%C3%BC")
        assert page.next()["bases"] == ["/shop%20%C3%BC"]
        page.close()
        far = make_app(shop, cdn="https://cdn.example.com")
        get(far)
        page = Listening(far, "")
        assert page.next()["bases"] == ["", "https://cdn.example.com"]
        page.close()


def test_problems_are_told_while_they_last(shop: Project) -> None:
    app = make_app(shop)
    file = shop.dist / ".problems.json"
    with watched(shop):
        get(app)
        page = Listening(app, release(shop))
        assert page.next()["problems"] == []
        file.write_text(json.dumps({"errors": 7, "problems": [{"text": "</script>", "severity": "error"}]}))
        told = page.next()
        assert (told["errors"], told["problems"][0]["text"]) == (7, "</script>")
        file.unlink()
        assert page.next()["problems"] == []
        # Half a file is none.
        file.write_text('{"errors": 7, "prob')
        page.close()
        again = Listening(app, release(shop))
        assert again.next()["problems"] == []
        again.close()
    # What a watch that was killed has left is of no interest when none runs.
    file.write_text(json.dumps({"errors": 7, "problems": [{"text": "x", "severity": "error"}]}))
    live = LiveReload(app.wsgi_app.app, app.extensions["assetpipe"].releases, "", [])  # type: ignore[attr-defined]
    eventually(lambda: not app.extensions["assetpipe"].releases.watched())
    last = Listening(live, release(shop))
    assert last.next()["problems"] == []
    last.close()


def test_where_threads_are_few_pages_ask_again_instead_of_waiting(shop: Project) -> None:
    app = make_app(shop)
    with watched(shop):
        get(app)
        short = Listening(app, release(shop), threads=False)
        text = b"".join(short.chunks)
        assert text.startswith(b"retry: ")
        assert text.count(b"data: ") == 1
        pages = [Listening(app, release(shop)) for _ in range(3)]
        for page in pages:
            page.next()
        fourth = Listening(app, release(shop))
        assert b"".join(fourth.chunks).count(b"data: ") == 1
        pages[0].close()
        fifth = Listening(app, release(shop))
        fifth.next()
        shop.write({"a.css": "a{}"})
        shop.publish()
        assert fifth.next()["release"] == release(shop)
        for page in (*pages, fifth):
            page.close()


def test_other_methods_are_refused(shop: Project) -> None:
    app = make_app(shop)
    with watched(shop):
        get(app)
        for path in ("/_assetpipe/live", "/_assetpipe/live.js"):
            reply = get(app, path, method="POST")
            assert (reply.status_code, reply.headers["Allow"]) == (405, "GET")


APP = """
from flask import Flask, render_template
from assetpipe import AssetPipe

app = Flask(__name__)
app.debug = True
app.register_blueprint(AssetPipe())


@app.get("/")
def home():
    return render_template("home.html")


@app.post("/")
def order():
    return render_template("home.html")
"""
PAGE = """<!doctype html>
<html lang="en">
<title>Pots</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{{ url_for('static', filename='app.css') }}">
{{ asset.script("app.js", module=True) }}
{{ asset.inline("critical.css") }}
<h1>Pots</h1>
<p>text</p>
<h2>more</h2>
<img src="{{ url_for('static', filename='pot.svg') }}" alt="a pot"
 srcset="{{ url_for('static', filename='pot.svg') }} 1x, {{ url_for('static', filename='large.svg') }} 2x">
<div style="background: url({{ url_for('static', filename='pot.svg') }})">styled</div>
<form method="post"><button>order</button></form>
"""


def square(colour: str, side: int = 40) -> str:
    path = f'<path fill="{colour}" d="M0 0h99v99H0z"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}">{path}</svg>'


SOURCES = {
    "app.css": "@import 'base.css'; h1 { color: rgb(1, 2, 3) }",
    "base.css": "p { color: rgb(4, 5, 6); background: url(back.svg) }",
    "critical.css": "h2 { color: rgb(7, 8, 9) }",
    "app.js": "import { n } from './dom.js'; document.documentElement.dataset.ran = n",
    "dom.js": "export const n = 1",
    "pot.svg": square("teal"),
    "large.svg": square("teal", 80),
    "back.svg": square("pink"),
    "unused.txt": "nobody asks for it",
}


@pytest.fixture
def site(project: Project) -> Project:
    project.write(SOURCES)
    write(
        project.folder,
        {"app.py": APP, "templates/home.html": PAGE, "pyproject.toml": "[tool.assetpipe]\nstrict = true\n"},
    )
    return project


def test_under_gunicorn_a_page_is_told_soon_and_the_others_are_answered(site: Project) -> None:
    with watching(site.folder) as one, servers.serving(servers.WSGI["gunicorn"], "app:app", site.folder) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)

        def ask(path: str) -> bytes:
            other = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            other.request("GET", path, headers=DOCUMENT)
            try:
                return other.getresponse().read()
            finally:
                other.close()

        for _ in range(8):  # both workers
            assert SCRIPT in ask("/")
        connection.request("GET", f"/_assetpipe/live?since={release(site)}")
        reply = connection.getresponse()

        def event() -> dict[str, Any]:
            while not (line := reply.readline()).startswith(b"data: "):
                assert line
            told: dict[str, Any] = json.loads(line[6:])
            return told

        assert event()["release"] == release(site)
        site.write({"app.css": "h1 { color: red }"})
        told = event()
        assert told["release"] == release(site)
        assert "/static/app.css" in told["changes"]
        assert b"color:red" in ask(told["changes"]["/static/app.css"][0])
        connection.close()
        one.end()


# In a browser


def arguments(port: int) -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "app", "run", "--debug", "--no-reload", "--port", str(port)]


class Window:
    """The page in a browser, and what can be seen of it."""

    def __init__(self, one: Browser, url: str) -> None:
        self.browser = one
        self.url = url

    def run(self, script: str) -> Any:
        return self.browser.driver.execute_script(script)  # type: ignore[no-untyped-call, unused-ignore]

    def open(self) -> None:
        """Open the page, and leave a mark there that is gone when it is loaded again."""
        self.browser.visit(self.url)
        self.mark()

    def mark(self) -> None:
        eventually(lambda: self.run("return document.readyState === 'complete' && !!window.assetpipe_live"))
        time.sleep(0.3)  # for the stream to begin
        self.run("window.mark = true")

    @property
    def is_the_same(self) -> bool:
        return bool(self.run("return window.mark === true"))

    def shows(self, selector: str, key: str, value: str) -> None:
        """Wait until an element has a computed style."""
        script = f"const e = document.querySelector({selector!r}); return e && getComputedStyle(e)[{key!r}]"
        eventually(lambda: value in (self.run(script) or ""))

    def overlay(self) -> str:
        return str(self.run("return document.querySelector('assetpipe-problems')?.shadowRoot.textContent ?? ''"))


@pytest.fixture
def window(site: Project, tmp_path: Path) -> Iterator[Window]:
    with (
        watching(site.folder),
        servers.listening(arguments, site.folder) as server,
        browser.chromium(tmp_path / "profile") as one,
    ):
        page = Window(one, f"http://127.0.0.1:{server.port}/")
        page.open()
        yield page
        assert "Traceback" not in server.said, server.said


def test_style_sheets_are_swapped_and_the_page_stays(site: Project, window: Window) -> None:
    window.shows("h1", "color", "rgb(1, 2, 3)")
    # The page is never without the sheet, not even for a moment.
    window.run(
        """
        window.seen = new Set();
        const look = () => {
            seen.add(getComputedStyle(document.querySelector("h1")).color);
            requestAnimationFrame(look);
        };
        look();
        """
    )
    site.write({"app.css": "@import 'base.css'; h1 { color: rgb(10, 20, 30) }"})
    window.shows("h1", "color", "rgb(10, 20, 30)")
    # What is imported, what that refers to, and back again.
    site.write({"base.css": "p { color: rgb(40, 50, 60); background: url(back.svg) }"})
    window.shows("p", "color", "rgb(40, 50, 60)")
    site.write({"back.svg": square("gold")})
    new = site_url(site, "/static/back.svg", "pink")
    window.shows("p", "backgroundImage", new)
    site.write({"app.css": SOURCES["app.css"]})
    window.shows("h1", "color", "rgb(1, 2, 3)")
    assert set(window.run("return [...seen]")) == {"rgb(1, 2, 3)", "rgb(10, 20, 30)"}
    assert window.is_the_same
    eventually(lambda: window.run("return document.querySelectorAll('link[rel=stylesheet]').length") == 1)
    assert window.browser.console() == []


def site_url(site: Project, path: str, but_not: str) -> str:
    """The URL of an asset whose bytes no longer hold that text."""
    eventually(lambda: but_not not in site.public(path).decode())
    current = publish.current(site.dist)
    assert current is not None
    return current.assets[path].url


def test_images_are_swapped_wherever_the_page_names_them(site: Project, window: Window) -> None:
    site.write({"pot.svg": square("navy")})
    new = site_url(site, "/static/pot.svg", "teal")
    eventually(lambda: new in window.run("return document.images[0].src"))
    large = publish.current(site.dist).assets["/static/large.svg"].url  # type: ignore[union-attr]
    origin = window.url.removesuffix("/")
    assert window.run("return document.images[0].srcset") == f"{origin}{new} 1x, {large} 2x"
    window.shows("div", "backgroundImage", new)
    assert window.is_the_same


def test_what_the_page_does_not_use_leaves_it_alone(site: Project, window: Window) -> None:
    before = release(site)
    site.write({"unused.txt": "still nobody", "other.js": "x()"})
    eventually(lambda: release(site) != before)
    site.write({"app.css": "h1 { color: rgb(10, 20, 30) }"})
    window.shows("h1", "color", "rgb(10, 20, 30)")
    assert window.is_the_same


@pytest.mark.parametrize(
    ("name", "text", "script", "value"),
    [
        ("dom.js", "export const n = 2", "return document.documentElement.dataset.ran", "2"),
        (
            "critical.css",
            "h2{color:rgb(9, 9, 9)}",
            "return getComputedStyle(document.querySelector('h2')).color",
            "rgb(9, 9, 9)",
        ),
    ],
)
def test_for_scripts_and_what_it_holds_itself_the_page_is_loaded_again(
    site: Project, window: Window, name: str, text: str, script: str, value: str
) -> None:
    site.write({name: text})
    eventually(lambda: window.run(script) == value)
    assert not window.is_the_same


def test_a_saved_template_loads_the_page_again(site: Project, window: Window) -> None:
    write(site.folder, {"templates/home.html": PAGE.replace("<h1>Pots", "<h1>Bowls")})
    eventually(lambda: window.run("return document.querySelector('h1').textContent") == "Bowls")


def test_a_page_that_answers_a_form_is_not_loaded_again_but_restyled(site: Project, window: Window) -> None:
    window.run("document.querySelector('button').click()")
    eventually(lambda: not window.is_the_same)
    window.mark()
    site.write({"dom.js": "export const n = 2"})
    eventually(lambda: [line for line in window.browser.console() if "answers a form" in line])
    site.write({"app.css": "h1 { color: rgb(10, 20, 30) }"})
    window.shows("h1", "color", "rgb(10, 20, 30)")
    assert window.is_the_same


def test_errors_are_shown_over_the_page_until_they_are_mended(site: Project, window: Window) -> None:
    site.write({"app.css": "h1 { color: rgb(9, 9, 9) }\np { background: url(lost.png) }"})
    eventually(window.overlay)
    told = window.overlay()
    for part in ("One error is in the way", "error", "static/app.css:2:21", "lost.png", "Add the file"):
        assert part in told
    window.shows("h1", "color", "rgb(1, 2, 3)")
    # Names are text, whatever they look like.
    site.write({"<img src=x onerror=alert(1)>.css": "a { background: url('<b>.png') }"})
    eventually(lambda: "2 errors are in the way" in window.overlay())
    assert "static/<img src=x onerror=alert(1)>.css:1:22" in window.overlay()
    assert window.run("return document.querySelector('assetpipe-problems').shadowRoot.querySelector('img, b')") is None
    (site.folder / "static/<img src=x onerror=alert(1)>.css").unlink()
    eventually(lambda: "One error" in window.overlay())
    site.write({"app.css": "h1 { color: rgb(9, 9, 9) }"})
    eventually(lambda: not window.overlay())
    window.shows("h1", "color", "rgb(9, 9, 9)")
    assert window.is_the_same
    assert window.browser.console() == []


def test_the_overlay_closes_by_its_key_and_comes_back_with_other_errors(site: Project, window: Window) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    site.write({"app.css": "h1 { background: url(lost.png) }"})
    eventually(window.overlay)
    ActionChains(window.browser.driver).send_keys(Keys.ESCAPE).perform()  # type: ignore[no-untyped-call, unused-ignore]
    eventually(lambda: not window.overlay())
    site.write({"base.css": "p { background: url(lost.svg) }"})
    eventually(lambda: "2 errors" in window.overlay())
    close = "return document.querySelector('assetpipe-problems').shadowRoot.querySelector('button')"
    window.run(f"{close}.click()".replace("return ", ""))
    eventually(lambda: not window.overlay())


def test_the_pages_own_styles_and_policy_do_not_touch_it(site: Project, window: Window) -> None:
    """Neither is the overlay unreadable in a page that styles everything, nor the page's policy broken by it."""
    write(
        site.folder,
        {
            "app.py": APP.replace("return render_template", "return policy(render_template", 1).replace(
                '"home.html")', '"home.html"))', 1
            )
            + """

def policy(text):
    headers = {"Content-Security-Policy": "default-src 'none'; script-src 'nonce-abc'; connect-src 'self';"
               " style-src 'self' 'nonce-abc'; img-src 'self'; require-trusted-types-for 'script'"}
    return text, headers
""",
            "templates/home.html": PAGE.replace('inline("critical.css")', 'inline("critical.css", nonce="abc")')
            .replace("module=True", 'module=True, nonce="abc"')
            .replace('<link rel="icon" href="data:,">', "")
            .replace(" style=\"background: url({{ url_for('static', filename='pot.svg') }})\"", ""),
        },
    )
    rules = "color: red !important; position: static !important; width: 9px !important; font: 1px x !important"
    site.write({"app.css": f"* {{ {rules} }}"})
    with servers.listening(arguments, site.folder) as server:
        page = Window(window.browser, f"http://127.0.0.1:{server.port}/")
        window.browser.console()
        page.open()
        site.write({"app.css": "h1 { background: url(lost.png) }"})
        eventually(page.overlay)
        seen = page.run(
            """
            const host = document.querySelector("assetpipe-problems"), code = host.shadowRoot.querySelector("code");
            const box = code.getBoundingClientRect();
            return [getComputedStyle(host).position, getComputedStyle(code).color, box.width > 0,
                    document.elementFromPoint(box.x + 2, box.y + 2) === host];
            """
        )
        assert seen[0] == "fixed"
        assert seen[1] != "rgb(255, 0, 0)"
        assert seen[2:] == [True, True]
        assert [line for line in window.browser.console() if "favicon" not in line] == []


def test_a_server_that_restarts_loads_the_page_again_and_ends_when_it_is_told_to(site: Project, tmp_path: Path) -> None:
    """Flask's own reloader, which starts a new process: neither it nor Ctrl-C waits for the pages that listen."""
    hidden = write(tmp_path / "hidden", {"watchdog/__init__.py": "raise ImportError"})
    environment = {**os.environ, "PYTHONPATH": str(hidden)}

    def reloading(port: int) -> list[str]:
        told = [f"{key}={value}" for key, value in environment.items() if key == "PYTHONPATH"]
        return ["env", *told, *(argument for argument in arguments(port) if argument != "--no-reload")]

    with (
        watching(site.folder),
        servers.listening(reloading, site.folder) as server,
        browser.chromium(tmp_path / "profile") as one,
    ):
        page = Window(one, f"http://127.0.0.1:{server.port}/")
        page.open()
        write(site.folder, {"app.py": APP + "\n("})
        # Until the page's own question has been answered so, which a browser never asks again by itself.
        eventually(lambda: re.search(r"/_assetpipe/live\?.* 500 ", server.said))
        write(site.folder, {"app.py": APP.replace('render_template("home.html")', '"<h1>Bowls</h1>"')})
        eventually(lambda: page.run("return document.querySelector('h1')?.textContent") == "Bowls")
        page.mark()
        server.running.send_signal(signal.SIGINT)
        assert server.running.wait(10) == 0


def test_a_watch_that_ends_and_begins_again_finds_its_pages(site: Project, tmp_path: Path) -> None:
    first = Watching(site.folder)
    first.until("Watching")
    with servers.listening(arguments, site.folder) as server, browser.chromium(tmp_path / "profile") as one:
        page = Window(one, f"http://127.0.0.1:{server.port}/")
        page.open()
        first.end()
        with watching(site.folder):
            site.write({"app.css": "h1 { color: rgb(10, 20, 30) }"})
            page.shows("h1", "color", "rgb(10, 20, 30)")
            assert page.is_the_same
