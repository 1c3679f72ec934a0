"""The Flask blueprint: what ``url_for`` says, in code and in templates, and what the app then answers."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
import unicodedata
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from flask import Blueprint, Flask, render_template_string, request, url_for
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, TestResponse

from assetpipe import AssetPipe, locks, publish
from assetpipe.build import build
from assetpipe.config import Config
from assetpipe.errors import ConfigError, ManifestError
from assetpipe.serve.extension import app_config
from assetpipe.serve.folders import static_folders
from tests.conftest import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from assetpipe.manifest import Manifest

FOREVER = "public, max-age=31536000, immutable"

ODD_NAMES = [
    "söß ☃.txt",
    "a b.txt",
    "a#b.txt",
    "a?b.txt",
    "a%b.txt",
    "a%20b.txt",
    "a+b&c=d;e.txt",
    "ünter ordner/a'b\"c.txt",
    "no-suffix",
    "two.dots.tar.gz",
    ".well-known/security.txt",
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The folder of an app, with a static folder of its own and two for blueprints."""
    return write(
        tmp_path / "shop",
        {
            "static/css/app.css": "body { background: url(../bg.png) }",
            "static/bg.png": b"not a picture",
            "blog_static/blog.css": "p { color: teal }",
            "admin_static/admin.js": "go()",
            **{f"static/{name}": f"{name} as it was" for name in ODD_NAMES},
        },
    )


def make_app(folder: Path, *blueprints: Blueprint, **options: Any) -> Flask:
    """An app in a folder, with these blueprints in this order."""
    app = Flask("shop", root_path=str(folder), **options)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    return app


def blog(folder: Path) -> Blueprint:
    return Blueprint(
        "blog",
        "blog",
        root_path=str(folder),
        static_folder="blog_static",
        static_url_path="/assets",
        url_prefix="/blog",
    )


def admin(folder: Path) -> Blueprint:
    """Nested in whatever it is registered with."""
    return Blueprint("admin", "admin", root_path=str(folder), static_folder="admin_static", url_prefix="/admin")


def release(app: Flask, **changes: Any) -> Manifest:
    """Build and publish what ``flask assets build`` would."""
    config = app_config(app)
    config = Config(**{**{name: getattr(config, name) for name in config.__struct_fields__}, **changes})
    built = build(config)
    assert not built.failed, built.problems
    return publish.publish(built.manifest, built.files, config.dist_folder, config.keep).manifest


def tagged(manifest: Manifest, path: str) -> str:
    """The tagged URL of a logical path, as it is written in a page."""
    url = manifest.assets[path].url
    assert url != path
    return url


def url_in_code(app: Flask, endpoint: str, **values: Any) -> str:
    with app.test_request_context():
        return url_for(endpoint, **values)


def url_in_template(app: Flask, endpoint: str, **values: Any) -> str:
    with app.test_request_context():
        return render_template_string("{{ url_for(endpoint, **values)|safe }}", endpoint=endpoint, values=values)


def get(app: Flask, url: str, method: str = "GET") -> TestResponse:
    # Buffered: read at once, and closed.
    return app.test_client().open(url, method=method, buffered=True)


def cache_control(response: TestResponse) -> str:
    return response.headers.get("Cache-Control", "")


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true within a second; it is asked once more when that is over."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@contextmanager
def watching(dist: Path) -> Iterator[None]:
    """Hold the lock of a watch in a process of its own."""
    code = (
        "import sys, pathlib; from assetpipe import locks\n"
        "with locks.holding(pathlib.Path(sys.argv[1])) as mine:\n"
        "    print(mine, flush=True); sys.stdin.read()"
    )
    dist.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(dist / ".watch")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "True\n"
            yield
        finally:
            process.communicate("")


# Tagged URLs, in code and in templates


@pytest.mark.parametrize("url_of", [url_in_code, url_in_template], ids=["code", "template"])
@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "between", "last"])
def test_every_static_url_is_tagged_whatever_the_order_of_registration(
    shop: Path, place: int, url_of: Callable[..., str]
) -> None:
    blueprints = [blog(shop), admin(shop)]
    blueprints.insert(place, AssetPipe())
    app = make_app(shop, *blueprints)
    manifest = release(app)
    for endpoint, filename, path in (
        ("static", "css/app.css", "/static/css/app.css"),
        ("blog.static", "blog.css", "/blog/assets/blog.css"),
        ("admin.static", "admin.js", "/admin/admin_static/admin.js"),
    ):
        url = url_of(app, endpoint, filename=filename)
        assert url == tagged(manifest, path)
        response = get(app, url)
        assert response.status_code == 200
        assert cache_control(response) == FOREVER
        assert cache_control(get(app, path)) == "no-cache"


def test_nested_blueprints_are_tagged_below_their_prefixes(shop: Path) -> None:
    outer = blog(shop)
    outer.register_blueprint(admin(shop))
    app = make_app(shop, AssetPipe(), outer)
    manifest = release(app)
    url = url_in_code(app, "blog.admin.static", filename="admin.js")
    assert url == tagged(manifest, "/blog/admin/admin_static/admin.js")
    assert get(app, url).data == manifest_bytes(app, manifest, "/blog/admin/admin_static/admin.js")


def manifest_bytes(app: Flask, manifest: Manifest, path: str) -> bytes:
    return (app_config(app).dist_folder / "public" / manifest.assets[path].stored[1:]).read_bytes()


def test_a_blueprint_registered_twice_has_two_static_folders(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    app.register_blueprint(blog(shop))
    app.register_blueprint(blog(shop), name="diary", url_prefix="/diary")
    manifest = release(app)
    assert url_in_code(app, "diary.static", filename="blog.css") == tagged(manifest, "/diary/assets/blog.css")
    assert url_in_code(app, "blog.static", filename="blog.css") == tagged(manifest, "/blog/assets/blog.css")


def test_a_relative_endpoint_is_the_current_blueprints(shop: Path) -> None:
    journal = blog(shop)

    @journal.get("/page")
    def page() -> str:
        return url_for(".static", filename="blog.css") + " " + url_for("static", filename="css/app.css")

    app = make_app(shop, journal, AssetPipe())
    manifest = release(app)
    told = get(app, "/blog/page").text.split(" ")
    assert told == [tagged(manifest, "/blog/assets/blog.css"), tagged(manifest, "/static/css/app.css")]


@pytest.mark.parametrize(
    ("static_url_path", "prefix"), [("", "/"), ("/assets", "/assets/"), ("/a/b/c", "/a/b/c/"), ("/ä", "/ä/")]
)
def test_a_custom_static_url_path_is_tagged(shop: Path, static_url_path: str, prefix: str) -> None:
    app = make_app(shop, AssetPipe(), static_url_path=static_url_path)
    manifest = release(app)
    url = url_in_code(app, "static", filename="css/app.css")
    assert unquote(url) == tagged(manifest, f"{prefix}css/app.css")
    assert cache_control(get(app, url)) == FOREVER


@pytest.mark.parametrize("url_of", [url_in_code, url_in_template], ids=["code", "template"])
@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_is_quoted_and_its_url_answers(shop: Path, name: str, url_of: Callable[..., str]) -> None:
    app = make_app(shop, AssetPipe())
    manifest = release(app)
    url = url_of(app, "static", filename=name)
    assert "#" not in url
    assert "?" not in url
    assert url.isascii()
    assert unquote(url) == tagged(manifest, f"/static/{name}")
    assert get(app, url).text == f"{name} as it was"
    assert cache_control(get(app, url)) == FOREVER
    assert get(app, "/static/" + quote(name)).text == f"{name} as it was"


def test_a_name_in_another_unicode_form_names_the_same_file(shop: Path) -> None:
    # Design, section 1: logical paths are in NFC. A template saved in NFD means the same file, as a style sheet does.
    app = make_app(shop, AssetPipe())
    manifest = release(app)
    decomposed = unicodedata.normalize("NFD", "söß ☃.txt")
    assert decomposed != "söß ☃.txt"
    assert unquote(url_in_code(app, "static", filename=decomposed)) == tagged(manifest, "/static/söß ☃.txt")


def test_a_name_may_be_anything_that_flask_takes_for_one(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    manifest = release(app)
    url = url_in_code(app, "static", filename=PurePosixPath("css/app.css"))
    assert url == tagged(manifest, "/static/css/app.css")


def test_external_urls_anchors_and_query_values_are_kept(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    url = tagged(release(app), "/static/css/app.css")
    assert url_in_code(app, "static", filename="css/app.css", _external=True) == f"http://localhost{url}"
    assert (
        url_in_code(app, "static", filename="css/app.css", _scheme="https", _external=True) == f"https://localhost{url}"
    )
    assert url_in_code(app, "static", filename="css/app.css", _anchor="top") == f"{url}#top"
    assert url_in_code(app, "static", filename="css/app.css", v="1", w="a b") == f"{url}?v=1&w=a+b"
    assert url_in_code(app, "static", filename="css/app.css", v="1", _anchor="top") == f"{url}?v=1#top"


def test_outside_of_a_request_a_url_is_external_and_tagged(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    url = tagged(release(app), "/static/css/app.css")
    app.config["SERVER_NAME"] = "shop.example"
    with app.app_context():
        assert url_for("static", filename="css/app.css") == f"http://shop.example{url}"


def test_other_endpoints_are_left_alone(shop: Path) -> None:
    app = make_app(shop, AssetPipe())

    @app.get("/download/<path:filename>")
    def download(filename: str) -> str:
        return filename

    @app.get("/mine/<path:filename>", endpoint="mine.static")
    def mine(filename: str) -> str:
        return filename

    release(app)
    for endpoint, prefix in (("download", "/download/"), ("mine.static", "/mine/")):
        url = url_in_code(app, endpoint, filename="css/app.css")
        assert url == f"{prefix}css/app.css"
        assert get(app, url).text == "css/app.css"


def test_a_blueprint_with_a_variable_in_its_prefix_keeps_its_plain_urls(shop: Path) -> None:
    many = Blueprint("many", "many", root_path=str(shop), static_folder="blog_static", url_prefix="/<lang>")

    @many.url_value_preprocessor
    def take(endpoint: str | None, values: dict[str, Any] | None) -> None:
        assert values is not None
        assert values.pop("lang") == "de"

    app = make_app(shop, AssetPipe(), many)
    release(app)
    url = url_in_code(app, "many.static", filename="blog.css", lang="de")
    assert url == "/de/blog_static/blog.css"
    response = get(app, url)
    assert response.text == "p { color: teal }"


def test_the_defaults_of_other_functions_are_kept(shop: Path) -> None:
    app = make_app(shop, AssetPipe())

    @app.url_defaults
    def version(endpoint: str, values: dict[str, Any]) -> None:
        values.setdefault("v", "7")

    url = tagged(release(app), "/static/css/app.css")
    assert url_in_code(app, "static", filename="css/app.css") == f"{url}?v=7"


# Where the app is mounted


def test_under_script_name_urls_have_it_and_are_answered(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    manifest = release(app)

    @app.get("/page")
    def page() -> str:
        return render_template_string("{{ url_for('static', filename='css/app.css') }}")

    told = app.test_client().get("/page", environ_overrides={"SCRIPT_NAME": "/app"}).text
    assert told == "/app" + tagged(manifest, "/static/css/app.css")


def test_mounted_by_a_dispatcher_the_app_serves_its_assets_there(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    manifest = release(app)

    @app.get("/page")
    def page() -> str:
        return url_for("static", filename="css/app.css")

    front = Flask("front", root_path=str(shop), static_folder=None)
    client = Client(DispatcherMiddleware(front, {"/app": app}))
    told = client.get("/app/page").text
    assert told == "/app" + tagged(manifest, "/static/css/app.css")
    response = client.get(told, buffered=True)
    assert cache_control(response) == FOREVER
    assert response.data == manifest_bytes(app, manifest, "/static/css/app.css")
    assert client.get("/app/static/nothing").status_code == 404
    assert client.get(tagged(manifest, "/static/css/app.css")).status_code == 404


def test_two_apps_in_one_process_serve_each_its_own(tmp_path: Path) -> None:
    pipe = AssetPipe()
    apps = {}
    for name in ("one", "two"):
        folder = write(tmp_path / name, {"static/a.txt": f"of {name}"})
        apps[name] = make_app(folder, pipe)
        release(apps[name])
    for name, app in apps.items():
        assert get(app, url_in_code(app, "static", filename="a.txt")).text == f"of {name}"


# What the release does not hold


def test_outside_of_debug_an_unknown_name_keeps_its_plain_url_in_silence(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(shop, AssetPipe())
    release(app)
    assert url_in_code(app, "static", filename="new.css") == "/static/new.css"
    assert caplog.records == []


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("built", [True, False])
def test_in_debug_a_name_that_no_folder_has_is_warned_of_once(
    shop: Path, caplog: pytest.LogCaptureFixture, built: bool
) -> None:
    app = make_app(shop, AssetPipe(), blog(shop))
    if built:
        release(app)
    write(shop, {"static/new.css": "not built yet, but there"})
    app.debug = True
    for _ in range(3):
        for name in ("new.css", "css/app.css", "typo.css", "100%.css"):
            assert url_in_code(app, "static", filename=name) == f"/static/{quote(name)}"
        url_in_code(app, "blog.static", filename="blog.css")
    told = warnings(caplog)
    assert len(told) == 2
    assert "/static/typo.css: there is no such file" in told[0]
    assert "/static/100%.css: there is no such file" in told[1]


def test_in_debug_with_a_watch_a_name_that_is_not_built_yet_is_warned_of(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(shop, AssetPipe())
    release(app)
    app.debug = True
    with locks.holding(shop / "dist/.watch"):
        assert url_in_code(app, "static", filename="new.css") == "/static/new.css"
    assert len(warnings(caplog)) == 1
    assert "/static/new.css is not in the release" in warnings(caplog)[0]


CONFIGURED = """
[tool.assetpipe]
ignore = ["drafts/"]
[tool.assetpipe.roots]
"/static/" = ["extra", "static"]
"/media/" = "uploads"
"/secret/" = {folder = "secret", private = true}
[tool.assetpipe.imports]
lit = "/static/lit.js"
"""


def test_in_debug_without_a_watch_folders_that_the_configuration_names_are_served_too(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(
        shop,
        {
            "pyproject.toml": CONFIGURED,
            "extra/css/app.css": "the first folder wins",
            "uploads/a.webmanifest": "{}",
            "secret/x.txt": "secret",
            "uploads/.env": "outside of what is published",
            "uploads/drafts/x.txt": "ignored",
        },
    )
    (shop / "uploads/link.txt").symlink_to(shop / "secret/x.txt")
    app = make_app(shop, AssetPipe())
    app.add_url_rule("/media/own", "own", lambda: "the app's own")
    app.debug = True
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    assert get(app, "/static/css/app.css").text == "the first folder wins"
    assert get(app, "/static/bg.png").data == b"not a picture"
    manifest = get(app, "/media/a.webmanifest")
    assert (manifest.text, manifest.mimetype) == ("{}", "application/manifest+json")
    for path in ("/static/css/app.css", "/static/bg.png", "/media/a.webmanifest"):
        assert cache_control(get(app, path)) == "no-cache"
    assert get(app, "/media/own").text == "the app's own"
    for path in (
        "/secret/x.txt",
        "/media/link.txt",
        "/media/../secret/x.txt",
        "/media/.env",
        "/media/drafts/x.txt",
        "/media/%2e%2e/secret/x.txt",
        "/media/",
    ):
        assert get(app, path).status_code == 404
    assert [text for text in warnings(caplog) if "imports" in text and "flask assets watch" in text] == warnings(caplog)
    assert len(warnings(caplog)) == 1
    app.debug = False
    release(app)
    assert cache_control(get(app, "/static/css/app.css")) == "no-cache"
    assert get(app, "/secret/x.txt").status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("name", ["late.css", "nothing.css", "../static/late.css", "%2e%2e/config.py"])
def test_in_production_no_static_name_beyond_the_release_reaches_the_disk(shop: Path, name: str, method: str) -> None:
    app = make_app(shop, AssetPipe(), blog(shop))
    release(app)
    write(shop, {"static/late.css": "not built", "blog_static/late.css": "not built", "config.py": "secret"})
    for prefix in ("/static/", "/blog/assets/"):
        response = get(app, prefix + name, method)
        assert response.status_code == 404
        assert cache_control(response) == "no-store"
        assert b"not built" not in response.data


def test_in_production_the_static_view_itself_is_never_run(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(shop, AssetPipe(), static_url_path="")
    release(app)
    asked: list[str] = []

    def view(filename: str) -> str:
        asked.append(filename)
        return "from the disk"

    monkeypatch.setitem(app.view_functions, "static", view)
    write(shop, {"static/late.css": "not built"})
    assert get(app, "/css/app.css").status_code == 200
    assert get(app, "/late.css").status_code == 404
    assert get(app, "/bg.png", "POST").status_code == 405
    assert asked == []


# A static folder at the root of the site


def test_with_the_prefix_slash_the_apps_own_routes_still_work(shop: Path) -> None:
    app = make_app(shop, AssetPipe(), static_url_path="")

    @app.route("/", methods=["GET", "POST"])
    def index() -> str:
        return f"{request.method} index"

    @app.get("/shop/<name>")
    def item(name: str) -> str:
        return name

    release(app)
    assert get(app, "/").text == "GET index"
    assert get(app, "/", "POST").text == "POST index"
    assert get(app, "/shop/mug").text == "mug"


def test_with_the_prefix_slash_only_what_was_built_is_served(shop: Path) -> None:
    write(shop, {"static/draft.psd": "ignored", "static/.env": "SECRET=1"})
    app = make_app(shop, AssetPipe(), static_url_path="")
    release(app, ignore=("*.psd",))
    assert get(app, "/css/app.css").status_code == 200
    for path in ("/draft.psd", "/.env", "/nothing", "/../shop.py", "/%2e%2e/shop.py"):
        response = get(app, path)
        assert response.status_code == 404
        assert b"SECRET" not in response.data
        assert b"ignored" not in response.data


def test_with_the_prefix_slash_an_unknown_name_is_not_stored_by_a_cache_either(shop: Path) -> None:
    # Design, HTTP. Or a CDN asked too early goes on with the 404 of a file that is there by now.
    app = make_app(shop, AssetPipe(), static_url_path="")
    release(app)
    response = get(app, "/nothing.css")
    assert response.status_code == 404
    assert cache_control(response) == "no-store"


def test_with_the_prefix_slash_a_404_is_the_apps_own_page(shop: Path) -> None:
    app = make_app(shop, AssetPipe(), static_url_path="")

    @app.errorhandler(404)
    def lost(error: Exception) -> tuple[str, int]:
        return "a page of our own", 404

    release(app)
    assert get(app, "/nothing").text == "a page of our own"


# No release


@pytest.mark.parametrize("damage", [None, b"", b"{"], ids=["missing", "empty", "damaged"])
def test_in_production_no_release_is_an_error_that_names_the_command(shop: Path, damage: bytes | None) -> None:
    app = make_app(shop, AssetPipe())
    if damage is not None:
        write(app_config(app).dist_folder, {"manifest.json": damage})
    with pytest.raises(ManifestError, match="flask assets build") as caught:
        url_in_code(app, "static", filename="css/app.css")
    assert str(app_config(app).dist_folder / "manifest.json") in str(caught.value)


def test_in_production_no_release_is_an_error_for_a_request_and_reads_no_source(shop: Path) -> None:
    app = make_app(shop, AssetPipe())

    @app.get("/page")
    def page() -> str:
        return "no asset is named here"

    response = get(app, "/static/css/app.css")
    assert response.status_code == 500
    assert b"background" not in response.data
    assert get(app, "/page").status_code == 200


@pytest.mark.parametrize("mode", ["debug", "testing"])
def test_in_debug_and_testing_no_release_is_no_error(shop: Path, mode: str) -> None:
    app = make_app(shop, AssetPipe())
    setattr(app, mode, True)
    assert url_in_code(app, "static", filename="css/app.css") == "/static/css/app.css"
    response = get(app, "/static/css/app.css")
    assert response.data == (shop / "static/css/app.css").read_bytes()


def test_in_testing_a_release_is_used_as_in_production(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    app.testing = True
    url = tagged(release(app), "/static/css/app.css")
    assert url_in_code(app, "static", filename="css/app.css") == url
    assert cache_control(get(app, url)) == FOREVER


# Debug mode


def test_in_debug_without_a_watch_the_sources_are_served_as_they_are(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    manifest = release(app)
    app.debug = True
    edited = "body { color: red } /* being edited */"
    write(shop, {"static/css/app.css": edited, "static/new.css": "new"})
    for name, text in (("css/app.css", edited), ("new.css", "new")):
        url = url_in_code(app, "static", filename=name)
        assert url == f"/static/{name}"
        response = get(app, url)
        assert response.text == text
        assert "immutable" not in cache_control(response)
        assert "max-age" not in cache_control(response)
        assert get(app, tagged(manifest, "/static/css/app.css")).status_code == 404


def test_in_debug_while_a_watch_runs_the_release_is_served(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    url = tagged(release(app), "/static/css/app.css")
    app.debug = True
    with watching(app_config(app).dist_folder):
        write(shop, {"static/css/app.css": "not built yet", "static/new.css": "not built yet"})
        assert url_in_code(app, "static", filename="css/app.css") == url
        assert url_in_template(app, "static", filename="css/app.css") == url
        response = get(app, url)
        assert response.status_code == 200
        assert cache_control(response) == FOREVER
        assert get(app, "/static/css/app.css").data == response.data
        assert get(app, "/static/new.css").status_code == 404


def test_in_debug_a_watch_that_ends_gives_the_sources_back(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    url = tagged(release(app), "/static/css/app.css")
    app.debug = True
    with watching(app_config(app).dist_folder):
        assert url_in_code(app, "static", filename="css/app.css") == url
    assert eventually(lambda: url_in_code(app, "static", filename="css/app.css") == "/static/css/app.css")
    with locks.holding(app_config(app).dist_folder / ".watch") as mine:
        assert mine
        assert eventually(lambda: url_in_code(app, "static", filename="css/app.css") == url)


def test_outside_of_debug_a_watch_makes_no_difference(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    url = tagged(release(app), "/static/css/app.css")
    with watching(app_config(app).dist_folder):
        assert url_in_code(app, "static", filename="css/app.css") == url


def test_a_release_published_meanwhile_changes_the_urls_within_a_second(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    before = tagged(release(app), "/static/css/app.css")
    assert url_in_code(app, "static", filename="css/app.css") == before
    write(shop, {"static/css/app.css": "body { color: red }"})
    after = tagged(release(app), "/static/css/app.css")
    assert after != before
    assert eventually(lambda: url_in_code(app, "static", filename="css/app.css") == after)
    assert get(app, before).status_code == 200


# Where dist is, and what is built


def test_dist_is_beside_the_app_unless_it_is_told(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    assert app_config(app).dist_folder == shop / "dist"


def test_dist_of_a_package_is_beside_the_package(shop: Path) -> None:
    write(shop, {"__init__.py": ""})
    app = make_app(shop, AssetPipe())
    assert app_config(app).dist_folder == shop.parent / "dist"


@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
@pytest.mark.parametrize("by", ["argument", "path argument", "app.config"])
def test_dist_can_be_told_by_argument_and_by_the_apps_configuration(shop: Path, by: str, *, absolute: bool) -> None:
    dist = str(shop / "else/where") if absolute else "else/where"
    app = make_app(shop)
    if by == "app.config":
        app.config["ASSETPIPE_DIST"] = dist
        app.register_blueprint(AssetPipe())
    else:
        app.register_blueprint(AssetPipe(dist=Path(dist) if by == "path argument" else dist))
    assert app_config(app).dist_folder == shop / "else/where"
    url = tagged(release(app), "/static/css/app.css")
    assert (shop / "else/where/public" / url[1:]).is_file()
    assert not (shop / "dist").exists()
    assert url_in_code(app, "static", filename="css/app.css") == url
    assert get(app, url).status_code == 200


def test_the_argument_counts_over_the_apps_configuration_and_that_over_the_file(shop: Path) -> None:
    write(shop, {"assetpipe.toml": 'dist = "by-file"'})
    app = make_app(shop, AssetPipe())
    assert app_config(app).dist_folder == shop / "by-file"
    app = make_app(shop)
    app.config["ASSETPIPE_DIST"] = "by-app"
    app.register_blueprint(AssetPipe())
    assert app_config(app).dist_folder == shop / "by-app"
    app = make_app(shop)
    app.config["ASSETPIPE_DIST"] = "by-app"
    app.register_blueprint(AssetPipe(dist="by-argument"))
    assert app_config(app).dist_folder == shop / "by-argument"


def test_a_wrong_configuration_file_is_told_when_the_blueprint_is_registered(shop: Path) -> None:
    write(shop, {"assetpipe.toml": 'dists = "x"'})
    with pytest.raises(ConfigError, match='Did you mean "dist"'):
        make_app(shop, AssetPipe())


def test_the_static_folders_are_those_of_the_app_and_of_every_blueprint(shop: Path) -> None:
    outer = blog(shop)
    outer.register_blueprint(admin(shop))
    app = make_app(shop, AssetPipe(), outer)
    assert static_folders(app) == {
        "/static/": [shop / "static"],
        "/blog/assets/": [shop / "blog_static"],
        "/blog/admin/admin_static/": [shop / "admin_static"],
    }


def test_static_folders_that_do_not_exist_or_have_no_prefix_are_left_out(shop: Path) -> None:
    absent = Blueprint("absent", "absent", root_path=str(shop), static_folder="absent", url_prefix="/absent")
    variable = Blueprint("many", "many", root_path=str(shop), static_folder="blog_static", url_prefix="/<lang>")
    app = make_app(shop, AssetPipe(), absent, variable)
    assert static_folders(app) == {"/static/": [shop / "static"]}
    assert static_folders(make_app(shop, static_folder=None)) == {}


def test_folders_that_share_a_prefix_are_built_in_the_order_flask_asks_them(shop: Path) -> None:
    # A blueprint without a prefix of its own: Flask only ever asks the app's folder, which was there first.
    write(shop, {"more/css/app.css": "shadowed", "more/only-here.css": "p{}"})
    shared = Blueprint("shared", "shared", root_path=str(shop), static_folder="more", static_url_path="/static")
    app = make_app(shop, AssetPipe(), shared)
    assert static_folders(app) == {"/static/": [shop / "static", shop / "more"]}
    manifest = release(app)
    assert b"shadowed" not in manifest_bytes(app, manifest, "/static/css/app.css")
    url = url_in_code(app, "shared.static", filename="only-here.css")
    assert url == tagged(manifest, "/static/only-here.css")
    assert get(app, url).text == "p{}"


def test_what_is_built_are_the_static_folders_unless_roots_are_configured(shop: Path) -> None:
    app = make_app(shop, AssetPipe(), blog(shop))
    assert {(root.prefix, root.folder) for root in app_config(app).folders()} == {
        ("/static/", shop / "static"),
        ("/blog/assets/", shop / "blog_static"),
    }
    write(shop, {"assetpipe.toml": '[roots]\n"/static/" = "admin_static"'})
    app = make_app(shop, AssetPipe(), blog(shop))
    assert [(root.prefix, root.folder) for root in app_config(app).folders()] == [("/static/", shop / "admin_static")]


def test_the_configuration_of_an_app_without_the_blueprint_can_be_asked_for(shop: Path) -> None:
    app = make_app(shop)
    assert [root.folder for root in app_config(app).folders()] == [shop / "static"]
    assert app_config(app).dist_folder == shop / "dist"


def test_a_page_and_its_style_sheet_lead_to_assets_that_answer(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    manifest = release(app)
    url = url_in_template(app, "static", filename="css/app.css")
    sheet = get(app, url).text
    picture = tagged(manifest, "/static/bg.png")
    assert f"../{picture.rpartition('/')[2]}" in sheet
    assert get(app, urlsplit(picture).path).data == b"not a picture"
