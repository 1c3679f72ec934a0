"""The tags of a page, from a release and from unbuilt sources: what is written, and that nothing can break out."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.errors import TagError
from assetpipe.manifest import Asset, Manifest, Rendition
from assetpipe.paths import Digest, LogicalPath
from assetpipe.serve.markup import Page, View

JS, CSS = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
TEXTS = {
    "/static/app.css": b"body{color:teal}",
    "/static/base.css": b"p{}",
    "/static/deep.css": b"q{}",
    "/static/app.js": b"import './a.js'",
    "/static/a.js": b"import './b.js'",
    "/static/b.js": b"import './a.js'",
    "/static/mixed.js": b"import d from './data.json' with {type: 'json'}",
    "/static/lone.js": b"go(1 < 2)",
    "/static/plain.js": b"sw()",
    "/static/kept-1234abcd.js": b"kept()",
    "/static/font.woff2": b"wOF2",
    "/static/data.json": b'{"a": "</script><b>"}',
    "/static/bad.css": b"/* </STYLE><script> */",
    "/static/bad.js": b"'<!--<script>'",
    "/static/big.css": b"x" * 40_000,
    "/static/logo.svg": b'<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg xmlns="http://www.w3.org/2000/svg"><path/></svg>',
    "/static/photo.jpg": b"jpeg",
    "/static/odd \"'&<>.css": b"",
    "/static/doc.pdf": b"%PDF",
}
IMPORTS = {
    "/static/app.css": ("/static/base.css",),
    "/static/base.css": ("/static/deep.css",),
    "/static/app.js": ("/static/a.js",),
    "/static/a.js": ("/static/b.js",),
    "/static/b.js": ("/static/a.js",),
    "/static/mixed.js": ("/static/data.json",),
}
REFS = {
    **IMPORTS,
    "/static/plain.js": ("/static/plain.js.map",),
    "/static/deep.css": ("/static/font.woff2", "/static/photo.jpg"),
}


def _asset(path: str, data: bytes) -> Asset:
    suffix = path.rpartition(".")[2]
    types = {"js": JS, "css": CSS, "woff2": "font/woff2", "svg": "image/svg+xml", "jpg": "image/jpeg"}
    kept = path in ("/static/plain.js", "/static/kept-1234abcd.js")
    return Asset(
        url=path if kept else LogicalPath(path).tagged(Digest.of(data).tag),
        type=types.get(suffix, "application/json"),
        size=len(data),
        sha256=Digest.of(data),
        immutable=path == "/static/kept-1234abcd.js",
        refs=REFS.get(path, ()),
        imports=IMPORTS.get(path, ()),
        width=1600 if suffix == "jpg" else 0,
        height=900 if suffix == "jpg" else 0,
        renditions=tuple(
            Rendition(
                url=f"/static/photo.{width}.webp", type="image/webp", size=1, sha256="0" * 64, width=width, height=9
            )
            for width in (1600, 480)
        )
        if suffix == "jpg"
        else (),
    )


ASSETS = {path: _asset(path, data) for path, data in TEXTS.items()}
MANIFEST = Manifest(
    format=1,
    release="0" * 12,
    prefixes=("/static/",),
    imports={"lit": "/static/lone.js", "own/": "/static/"},
    assets=ASSETS,
)


def page(base: str = "", source: str = "'self'") -> Page:
    return Page(View(MANIFEST, base, source, "/static/", TEXTS.__getitem__))


def unbuilt() -> Page:
    return Page(
        View(None, "/mount", "'self'", "/static/", TEXTS.__getitem__, {"lit": "/static/lone.js", "own/": "/o/"})
    )


class Reader(HTMLParser):
    """Reads elements as a browser would: names, attributes with references resolved, and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    return Reader(html).elements


def integrity(path: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(TEXTS[path]).digest()).decode()


def url(path: str) -> str:
    return ASSETS[path].url


def test_a_script_has_its_tagged_url_and_its_digest() -> None:
    assert elements(page().script("lone.js", defer=True)) == [
        ("script", {"src": url("/static/lone.js"), "integrity": integrity("/static/lone.js"), "defer": None})
    ]


def test_a_stylesheet_comes_after_preloads_of_all_that_it_imports() -> None:
    told = elements(page().stylesheet("app.css", media="print"))
    assert [(tag, e["rel"], e["href"]) for tag, e in told] == [
        ("link", "preload", url("/static/base.css")),
        ("link", "preload", url("/static/deep.css")),
        ("link", "stylesheet", url("/static/app.css")),
    ]
    assert [e.get("as") for _, e in told] == ["style", "style", None]
    # As they will be fetched: an import has no digest, nor is it fetched in CORS mode.
    assert [e.get("integrity") for _, e in told] == [None, None, integrity("/static/app.css")]
    assert told[-1][1]["media"] == "print"


def test_a_module_comes_after_its_imports_each_once_in_a_page_though_they_are_a_cycle() -> None:
    shown = page()
    told = elements(shown.script("app.js", module=True))
    assert [(tag, e.get("rel", e.get("type"))) for tag, e in told] == [
        ("link", "modulepreload"),
        ("link", "modulepreload"),
        ("script", "module"),
    ]
    assert [e.get("href", e.get("src")) for _, e in told] == [url(f"/static/{n}.js") for n in ("a", "b", "app")]
    assert [tag for tag, _ in elements(shown.script("app.js", module=True))] == ["script"]
    assert [e["href"] for _, e in elements(page().modulepreload("a.js"))] == [url("/static/b.js"), url("/static/a.js")]


def test_a_classic_script_preloads_nothing() -> None:
    assert [tag for tag, _ in elements(page().script("app.js"))] == ["script"]


def test_a_url_whose_bytes_may_change_has_no_digest_and_one_that_another_bundler_named_has() -> None:
    assert "integrity" not in elements(page().script("plain.js"))[0][1]
    assert elements(page().script("kept-1234abcd.js"))[0][1]["integrity"] == integrity("/static/kept-1234abcd.js")


def test_a_digest_can_be_left_out_or_given() -> None:
    assert "integrity" not in elements(page().script("lone.js", integrity=False))[0][1]
    assert elements(page().script("lone.js", integrity="sha384-x"))[0][1]["integrity"] == "sha384-x"
    assert elements(page().script("lone.js", integrity=True))[0][1]["integrity"] == integrity("/static/lone.js")


def test_from_a_cdn_what_is_checked_is_fetched_in_cors_mode() -> None:
    shown = page("https://cdn.example/shop", "https://cdn.example")
    for tag, element in elements(shown.script("app.js", module=True) + shown.stylesheet("deep.css")):
        address = element.get("href") or element.get("src") or ""
        assert address.startswith("https://cdn.example/shop/static/"), tag
        assert element["crossorigin"] == "anonymous"
    assert elements(shown.script("lone.js", crossorigin="use-credentials"))[0][1]["crossorigin"] == "use-credentials"


@pytest.mark.parametrize(
    ("name", "destination", "cors"),
    [
        ("font.woff2", "font", True),
        ("photo.jpg", "image", False),
        ("app.css", "style", False),
        ("lone.js", "script", False),
        ("data.json", "fetch", True),
    ],
)
def test_a_preload_names_its_destination_and_is_fetched_in_the_mode_of_its_use(
    name: str, destination: str, cors: bool
) -> None:
    ((tag, element),) = elements(page().preload(name))
    assert (tag, element["rel"], element["as"]) == ("link", "preload", destination)
    assert element["href"] == url(f"/static/{name}")
    assert ("crossorigin" in element) == cors


def test_a_link_field_names_the_same_as_the_tag() -> None:
    told = page().link_header("app.css", "font.woff2")
    first, second = told.split(", ")
    assert first == (
        f'<{url("/static/app.css")}>; rel="preload"; as="style"; type="text/css"; '
        f'integrity="{integrity("/static/app.css")}"'
    )
    assert second == (
        f'<{url("/static/font.woff2")}>; rel="preload"; as="font"; type="font/woff2"; crossorigin="anonymous"'
    )
    assert "\n" not in page().link_header("x>y\n.css")
    assert page().link_header("x>y.css").count(">") == 1


def test_an_import_map_names_the_modules_where_they_are() -> None:
    told = Reader(page("https://cdn.example", "https://cdn.example").importmap(nonce="abc"))
    assert told.elements == [("script", {"type": "importmap", "nonce": "abc"})]
    imports = json.loads(told.text)["imports"]
    assert imports["lit"] == "https://cdn.example" + url("/static/lone.js")
    assert imports["own/a.js"] == "https://cdn.example" + url("/static/a.js")
    assert "own/app.css" not in imports
    assert json.loads(Reader(unbuilt().importmap()).text) == {
        "imports": {"lit": "/mount/static/lone.js", "own/": "/mount/o/"}
    }


def test_a_small_file_is_written_into_the_page() -> None:
    assert page().inline("lone.js") == "<script>go(1 < 2)</script>"
    assert page().inline("logo.svg").startswith("<svg xmlns=")
    told = Reader(page().inline("data.json", id="d"))
    assert told.elements == [("script", {"type": "application/json", "id": "d"})]
    assert json.loads(told.text) == {"a": "</script><b>"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("app.css", "it refers to /static/base.css"),
        ("bad.css", '"</STYLE"'),
        ("bad.js", '"<!--"'),
        ("big.css", "40,000 bytes"),
        ("doc.pdf", "it is application/pdf"),
    ],
)
def test_what_cannot_be_inlined_is_an_error_that_says_why(name: str, why: str) -> None:
    with pytest.raises(TagError) as caught:
        page().inline(name)
    assert why in str(caught.value)


@pytest.mark.parametrize("name", ["", "css/", "//x", "../x.css", "a//b", "\0"])
def test_what_names_no_file_is_an_error(name: str) -> None:
    with pytest.raises(TagError, match="not the name of a file"):
        page().url(name)


@pytest.mark.parametrize("policy", ["default-src 'self'", {"script_src": "'self'"}, {"script-src;": "'self'"}])
def test_a_policy_that_is_none_is_an_error(policy: Any) -> None:
    with pytest.raises(TagError, match="policy"):
        page().content_security_policy(policy)


def test_unbuilt_sources_have_plain_urls_below_the_mount_point_and_no_digests() -> None:
    assert elements(unbuilt().script("app.js", module=True)) == [
        ("script", {"type": "module", "src": "/mount/static/app.js"})
    ]
    assert elements(unbuilt().stylesheet("/other/x y.css"))[0][1]["href"] == "/mount/other/x%20y.css"


def test_attributes_are_named_as_in_html() -> None:
    told = elements(page().script("lone.js", data_page_id=7, class_="a", async_=True, nomodule=None, hidden=False))
    assert {k: v for k, v in told[0][1].items() if k not in ("src", "integrity")} == {
        "data-page-id": "7",
        "class": "a",
        "async": None,
    }


@pytest.mark.parametrize("name", ["a b", "a>", 'x"', "on'", "a=b", "", "a/", "é"])
def test_what_is_no_name_of_an_attribute_is_an_error(name: str) -> None:
    attributes: dict[str, Any] = {name: "x"}
    with pytest.raises(TagError, match="attribute"):
        page().script("lone.js", **attributes)


@given(name=st.text(min_size=1), value=st.text())
def test_no_name_and_no_value_breaks_out_of_its_attribute(name: str, value: str) -> None:
    shown = page()
    try:
        html = shown.script(name, data_x=value) + shown.picture(name, alt=value, sizes=value)
    except ValueError:  # what can be no path: an empty segment, half a surrogate pair
        return
    told = elements(html)
    assert told[0][0] == "script"
    assert {tag for tag, _ in told} <= {"script", "img", "picture", "source"}
    assert set(told[0][1]) <= {"src", "integrity", "data-x", "type"}
    if "\0" not in value:  # which no parser keeps
        assert told[0][1]["data-x"] == value


# Content security policy


def test_a_policy_allows_what_the_page_named_and_what_that_refers_to() -> None:
    shown = page("https://cdn.example", "https://cdn.example")
    shown.stylesheet("app.css")
    shown.script("lone.js")
    shown.script("plain.js")
    assert shown.content_security_policy() == (
        "font-src https://cdn.example; img-src https://cdn.example; "
        "script-src https://cdn.example; style-src https://cdn.example"
    )


def test_a_policy_has_the_digests_of_what_is_inline() -> None:
    shown = page()
    html = Reader(shown.importmap())
    digest = base64.b64encode(hashlib.sha256(html.text.encode()).digest()).decode()
    assert shown.content_security_policy() == f"script-src 'sha256-{digest}'"


def test_a_policy_keeps_what_it_is_given_and_begins_what_that_lacks_as_the_default() -> None:
    shown = page()
    shown.script("lone.js")
    shown.url("photo.jpg")
    told = shown.content_security_policy(
        {"default-src": "'none'", "img-src": ["data:"], "frame-ancestors": "'none'"}, nonce="r4nd0m=="
    )
    assert told == (
        "default-src 'none'; img-src data: 'self'; frame-ancestors 'none'; "
        "script-src 'self' 'nonce-r4nd0m=='; style-src 'nonce-r4nd0m=='"
    )
    assert page().content_security_policy({"default-src": "https:"}, nonce="ab") == (
        "default-src https:; script-src https: 'nonce-ab'; style-src https: 'nonce-ab'"
    )


@pytest.mark.parametrize("nonce", ["a b", "x'; script-src *", "é", "=", "a\n"])
def test_a_nonce_that_is_none_is_an_error(nonce: str) -> None:
    with pytest.raises(TagError, match="nonce"):
        page().content_security_policy(nonce=nonce)


@pytest.mark.parametrize("sources", ["'self'; script-src *", "a, b", "a\nb\x00", "é"])
def test_a_source_that_would_end_its_directive_is_an_error(sources: str) -> None:
    with pytest.raises(TagError, match="policy"):
        page().content_security_policy({"img-src": [sources]})


def test_what_a_module_imports_that_is_no_module_is_not_preloaded_as_one() -> None:
    assert [e.get("href") for _, e in elements(page().modulepreload("mixed.js"))] == [url("/static/mixed.js")]
