"""What a Flask app's pages get: the tags by the name ``asset``, the CDN's host, the Link field, the policy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Blueprint, Flask, Response, g, make_response, render_template_string, url_for
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from assetpipe import AssetPipe
from assetpipe.errors import ConfigError, TagError
from assetpipe.serve.markup import Page
from tests.conftest import write
from tests.test_extension import blog, make_app, release, tagged

if TYPE_CHECKING:
    from assetpipe.manifest import Manifest

CDN = "https://cdn.example/shop"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write(
        tmp_path / "shop",
        {
            "static/css/app.css": "@import 'base.css'; body { background: url(../bg.png) }",
            "static/css/base.css": "p { color: teal; --shadow: url(/static/bg.png) }",
            "static/css/rooted.css": "p { background: url(/static/bg.png) }",
            "static/js/app.js": "import './dom.js'; import('./late.js')",
            "static/js/dom.js": "export const a = 1",
            "static/js/late.js": "export const b = 1",
            "static/font.woff2": b"wOF2",
            "static/critical.css": "h1 { color: teal }",
            "static/bg.png": b"not a picture",
            "blog_static/blog.css": "p { color: teal }",
        },
    )


def with_assets(folder: Path, *blueprints: Blueprint, **config: object) -> tuple[Flask, Manifest]:
    app = make_app(folder)
    app.config.update(config)
    app.register_blueprint(AssetPipe())
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    return app, release(app)


def page(app: Flask, template: str, mount: str = "") -> str:
    """What a view answers with this template, mounted there."""
    app.add_url_rule("/page", "page", lambda: render_template_string(template))
    mounted = DispatcherMiddleware(app, {mount: app}) if mount else app
    return Client(mounted).get(f"{mount}/page").text


def test_every_template_knows_the_tags(shop: Path) -> None:
    app, manifest = with_assets(shop)
    told = page(app, '{% macro m() %}{{ asset.stylesheet("css/app.css") }}{% endmacro %}{{ m() }}')
    assert f'href="{tagged(manifest, "/static/css/app.css")}"' in told
    assert 'integrity="sha256-' in told


def test_the_app_s_own_jinja_environment_is_not_made_before_its_time(shop: Path) -> None:
    app, _ = with_assets(shop)
    app.jinja_options = {"trim_blocks": True}
    assert app.jinja_env.trim_blocks
    early = make_app(shop)
    early.jinja_env.globals["own"] = 1
    early.register_blueprint(AssetPipe())
    assert "css/app" in page(early, '{{ asset.url("css/app.css") }}')


def test_tags_and_url_for_name_the_same_under_a_mount_point(shop: Path) -> None:
    app, manifest = with_assets(shop, blog(shop))
    told = page(
        app,
        '{{ asset.url("js/app.js") }} {{ url_for("static", filename="js/app.js") }} '
        '{{ asset.url("/blog/assets/blog.css") }} {{ url_for("blog.static", filename="blog.css") }}',
        "/mount",
    ).split()
    assert told[0] == told[1] == "/mount" + tagged(manifest, "/static/js/app.js")
    assert told[2] == told[3] == "/mount" + tagged(manifest, "/blog/assets/blog.css")


def test_a_module_is_preceded_by_what_it_imports_but_not_by_what_it_may_import_later(shop: Path) -> None:
    app, manifest = with_assets(shop)
    told = page(app, '{{ asset.script("js/app.js", module=True) }}')
    preloads = re.findall(r'<link rel="modulepreload" href="([^"]+)"', told)
    assert preloads == [tagged(manifest, "/static/js/dom.js")]


def test_with_a_cdn_every_name_of_the_release_is_there_and_nothing_else(shop: Path) -> None:
    app, manifest = with_assets(shop, blog(shop), ASSETPIPE_CDN=f"{CDN}/")
    app.add_url_rule("/about", "about", lambda: "about")
    told = page(
        app,
        """
        {{ url_for("static", filename="css/app.css") }}
        {{ url_for("static", filename="css/app.css", _external=True, v="1", _anchor="x") }}
        {{ url_for("blog.static", filename="blog.css") }}
        {{ asset.url("css/app.css") }}
        {{ url_for("static", filename="nothing.css") }}
        {{ url_for("about") }}
        """,
    ).split()
    css = tagged(manifest, "/static/css/app.css")
    assert told == [
        CDN + css,
        f"{CDN}{css}?v=1#x",
        CDN + tagged(manifest, "/blog/assets/blog.css"),
        CDN + css,
        "/static/nothing.css",
        "/about",
    ]
    with app.test_request_context():
        assert url_for("static", filename="css/app.css") == CDN + css
    reply = app.test_client().get(tagged(manifest, "/static/js/app.js"), buffered=True)
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_without_a_cdn_other_origins_may_read_fonts_alone(shop: Path) -> None:
    app, manifest = with_assets(shop)
    for name, cors in (("font.woff2", "*"), ("js/app.js", None)):
        reply = app.test_client().get(tagged(manifest, f"/static/{name}"), buffered=True)
        assert reply.headers.get("Access-Control-Allow-Origin") == cors


def test_references_of_style_sheets_lead_to_where_the_sheet_came_from(shop: Path) -> None:
    """Relative ones do by themselves, so those from the root are made relative."""
    app, manifest = with_assets(shop, ASSETPIPE_CDN=CDN)
    sheet = app.test_client().get(tagged(manifest, "/static/css/rooted.css"), buffered=True).text
    assert f"url(../{tagged(manifest, '/static/bg.png').rpartition('/')[2]})" in sheet


@pytest.mark.parametrize(
    "cdn",
    [
        "cdn.example",
        "//cdn.example",
        "ftp://c",
        "https://",
        "https://x/?y",
        "https://x ; y",
        "https://*.x",
        "https://u@x",
        7,
    ],
)
def test_a_cdn_that_is_no_host_is_an_error_that_says_so(shop: Path, cdn: object) -> None:
    app = make_app(shop)
    app.config["ASSETPIPE_CDN"] = cdn
    with pytest.raises(ConfigError, match="ASSETPIPE_CDN"):
        app.register_blueprint(AssetPipe())


def test_a_second_one_in_an_app_is_an_error(shop: Path) -> None:
    app = make_app(shop, AssetPipe())
    with pytest.raises(ConfigError, match="has an AssetPipe already"):
        app.register_blueprint(AssetPipe(name="other"))


def test_in_debug_without_a_watch_pages_name_the_sources_here(shop: Path) -> None:
    app, _ = with_assets(shop, ASSETPIPE_CDN=CDN)
    app.debug = True
    told = page(
        app,
        '{{ asset.script("js/app.js", module=True) }} {{ asset.inline("critical.css") }} '
        '{{ url_for("static", filename="js/app.js") }}',
    )
    assert told == (
        '<script type="module" src="/static/js/app.js"></script> <style>h1 { color: teal }</style> /static/js/app.js'
    )


def test_a_small_sheet_is_inlined_as_it_is_published(shop: Path) -> None:
    app, _ = with_assets(shop)
    assert page(app, '{{ asset.inline("critical.css", nonce="n") }}') == '<style nonce="n">h1{color:teal}</style>'


def test_a_page_s_policy_and_link_field_name_its_assets(shop: Path) -> None:
    assets = AssetPipe()
    app = make_app(shop)
    app.register_blueprint(assets)
    manifest = release(app)

    @app.get("/")
    def home() -> Response:
        html = render_template_string('{{ asset.stylesheet("css/app.css") }}{{ asset.inline("critical.css") }}')
        response = assets.preload(make_response(html), "css/app.css", "font.woff2")
        response.headers["Content-Security-Policy"] = assets.page().content_security_policy({"default-src": "'self'"})
        return response

    reply = app.test_client().get("/")
    assert reply.headers["Link"].startswith(f'<{tagged(manifest, "/static/css/app.css")}>; rel="preload"; as="style"')
    assert f'<{tagged(manifest, "/static/font.woff2")}>; rel="preload"; as="font"' in reply.headers["Link"]
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; font-src 'self'; img-src 'self'; style-src 'self' 'sha256-")
    # The next page begins anew.
    assert app.test_client().get("/").headers["Content-Security-Policy"] == policy


@pytest.mark.parametrize(("debug", "told"), [(False, "is not in the release"), (True, "there is no such file")])
def test_a_tag_for_nothing_is_warned_of_once_wherever_the_app_runs(
    shop: Path, caplog: pytest.LogCaptureFixture, debug: bool, told: str
) -> None:
    app, _ = with_assets(shop)
    app.debug = debug
    app.add_url_rule("/page", "page", lambda: render_template_string('{{ asset.stylesheet("css/ap.css") }}'))
    for _ in range(3):
        assert 'href="/static/css/ap.css"' in app.test_client().get("/page").text
    warned = [record.getMessage() for record in caplog.records]
    assert len(warned) == 1
    assert "/static/css/ap.css" in warned[0]
    assert told in warned[0]


def test_what_before_request_makes_is_there_for_after_request_whoever_answers(shop: Path) -> None:
    write(
        shop,
        {"pyproject.toml": '[tool.assetpipe.roots]\n"/static/" = "static"\n"/more/" = "more"\n', "more/a.txt": "a"},
    )
    app, _ = with_assets(shop)

    @app.before_request
    def before() -> None:
        g.nonce = "made"

    @app.after_request
    def after(response: Response) -> Response:
        response.headers["X-Nonce"] = g.nonce
        return response

    app.debug = True
    for path in ("/more/a.txt", "/static/css/app.css"):
        reply = app.test_client().get(path, buffered=True)
        assert (reply.status_code, reply.headers["X-Nonce"]) == (200, "made")


def test_in_debug_a_folder_that_the_configuration_leaves_out_is_told_of(
    shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(shop, {"pyproject.toml": '[tool.assetpipe.roots]\n"/static/" = "static"\n'})
    app = make_app(shop, AssetPipe(), blog(shop))
    app.debug = True
    with app.test_request_context():
        url_for("blog.static", filename="blog.css")
    (warned,) = [record.getMessage() for record in caplog.records]
    assert "/blog/assets/blog.css" in warned
    assert "no release will have it" in warned


def test_outside_of_a_request_pages_can_be_made_too(shop: Path) -> None:
    assets = AssetPipe()
    app = make_app(shop)
    app.register_blueprint(assets)
    manifest = release(app)
    with app.app_context():
        assert assets.page().url("css/app.css") == tagged(manifest, "/static/css/app.css")
        assert tagged(manifest, "/static/css/app.css") in render_template_string(
            '{{ asset.stylesheet("css/app.css") }}'
        )


def test_a_server_without_early_hints_is_no_error(shop: Path) -> None:
    assets = AssetPipe()
    app = make_app(shop)
    app.register_blueprint(assets)
    release(app)
    told: list[object] = []
    with app.test_request_context():
        assert not assets.early_hints("css/app.css")
    with app.test_request_context(environ_overrides={"wsgi.early_hints": told.append}):
        assert assets.early_hints("css/app.css")
    ((name, value),) = told[0]  # type: ignore[misc]
    assert name == "Link"  # type: ignore[has-type]
    assert 'rel="preload"; as="style"' in value  # type: ignore[has-type]


def test_templates_name_the_cdn_also_where_their_environment_was_made_early(shop: Path) -> None:
    app = make_app(shop)
    app.config["ASSETPIPE_CDN"] = CDN
    app.add_template_filter(str.upper, "up")
    app.register_blueprint(AssetPipe())
    manifest = release(app)
    told = page(app, '{{ url_for("static", filename="css/app.css") }}')
    assert told == CDN + tagged(manifest, "/static/css/app.css")


def test_two_requests_within_one_app_context_have_pages_of_their_own(shop: Path) -> None:
    app, _ = with_assets(shop)
    app.add_url_rule("/one", "one", lambda: render_template_string('{{ asset.stylesheet("css/app.css") }}'))
    app.add_url_rule("/two", "two", lambda: render_template_string("{{ asset.content_security_policy() }}"))
    with app.app_context():
        client = app.test_client()
        first, second, policy = (client.get(path).text for path in ("/one", "/one", "/two"))
    assert first == second
    assert not policy


def test_outside_of_requests_the_tags_name_the_application_root_as_url_for_does(shop: Path) -> None:
    app, _ = with_assets(shop, SERVER_NAME="shop.example", APPLICATION_ROOT="/app")
    with app.app_context():
        assert url_for("static", filename="css/app.css", _external=False) == current_page(app).url("css/app.css")


def test_a_fault_in_the_configuration_file_is_in_no_page_s_way(shop: Path) -> None:
    app, _ = with_assets(shop)
    app.debug = True
    write(shop, {"pyproject.toml": "[tool.assetpipe"})
    told = page(app, '{{ url_for("static", filename="css/app.css") }} {{ asset.url("css/app.css") }}')
    assert told == "/static/css/app.css /static/css/app.css"


def current_page(app: Flask) -> Page:
    return next(blueprint for blueprint in app.blueprints.values() if isinstance(blueprint, AssetPipe)).page()


def test_what_is_too_large_to_be_inlined_is_not_read(shop: Path) -> None:
    write(shop, {"static/big.css": "p { color: teal }" * 4000})
    app, _ = with_assets(shop)
    with app.test_request_context(), pytest.raises(TagError, match="cannot be inlined: it has"):
        current_page(app).inline("big.css")
    assert app.extensions["assetpipe"].server.snapshot().memory.reads == 0
