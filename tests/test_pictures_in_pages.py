"""Pictures in pages: which files a page names, and which of them a real browser then takes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from flask import Flask, Response, make_response, render_template_string
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from assetpipe import AssetPipe
from assetpipe.config import Images, Rule
from assetpipe.errors import TagError
from assetpipe.manifest import Asset, Manifest, Rendition
from assetpipe.paths import LogicalPath, rooted
from assetpipe.serve.markup import Page, View
from tests.browser import Browser, Loaded, chromium
from tests.conftest import Project
from tests.pictures import jpeg, photograph, saved
from tests.test_browser_cdn import listening
from tests.test_markup import elements

Made = tuple[str, int, int]  # format, width, bytes


def made(name: str, *files: Made, height: int = 0, thumbnail: str = "", own: int = 1600) -> tuple[Rendition, ...]:
    return tuple(
        Rendition(
            url=f"/static/{name}.{thumbnail}{width}.{kind}",
            type=f"image/{kind}",
            size=size,
            sha256="0" * 64,
            width=width,
            height=height or round(width * 9 / 16),
            negotiated=width == own and not thumbnail,
            thumbnail=thumbnail,
        )
        for kind, width, size in files
    )


def image(name: str, size: int, renditions: Sequence[Rendition] = (), **more: Any) -> Asset:
    stem, _, suffix = name.rpartition(".")
    told = {"type": f"image/{suffix.replace('jpg', 'jpeg')}", "width": 1600, "height": 900, **more}
    return Asset(url=f"/static/{stem}.0.{suffix}", size=size, sha256="0" * 64, renditions=tuple(renditions), **told)


SQUARES = made("hero", ("webp", 200, 5_000), ("avif", 200, 3_000), height=200, thumbnail="square") + made(
    "hero", ("webp", 400, 15_000), ("avif", 400, 9_000), height=400, thumbnail="square"
)
BLUR = "data:image/webp;base64,UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
ASSETS = {
    f"/static/{name}": asset
    for name, asset in {
        "hero.jpg": image(
            "hero.jpg", 400_000,
            [
                *made("hero", ("webp", 1600, 200_000), ("webp", 480, 30_000), ("webp", 960, 80_000)),
                *made("hero", ("avif", 480, 20_000), ("avif", 960, 60_000), ("avif", 1600, 150_000)),
                *SQUARES,
            ],
        ),
        "one.jpg": image("one.jpg", 400_000, made("one", ("webp", 1600, 200_000)), placeholder="#a1b2c3"),
        "part.png": image(
            "part.png", 50_000, made("part", ("webp", 480, 20_000), ("avif", 480, 12_000)), placeholder=BLUR
        ),
        # Flat drawings: they get larger when they are scaled down, and AVIF is not for them.
        "flat.png": image(
            "flat.png", 9_000,
            made("flat", ("webp", 1600, 4_000), ("webp", 960, 5_000), ("webp", 480, 3_000), ("avif", 480, 8_000)),
        ),
        "small.jpg": image(
            "small.jpg", 60_000, made("small", ("webp", 700, 40_000), ("webp", 480, 30_000), own=700),
            width=700, height=394,
        ),
        "own.webp": image("own.webp", 90_000, made("own", ("webp", 480, 10_000), ("webp", 960, 40_000))),
        "lone.gif": image("lone.gif", 500, width=20, height=10),
        "logo.svg": image("logo.svg", 900, type="image/svg+xml", width=0, height=0),
        "a, b.jpg": image("a, b.jpg", 400_000, made("a, b", ("webp", 480, 30_000), ("webp", 1600, 90_000))),
    }.items()
}  # fmt: skip
MANIFEST = Manifest(format=1, release="0" * 12, prefixes=("/static/",), assets=ASSETS)


def page(base: str = "", source: str = "'self'") -> Page:
    return Page(View(MANIFEST, base, source, "/static/", lambda _: b""))


def unbuilt() -> Page:
    return Page(View(None, "/mount", "'self'", "/static/", lambda _: b"", thumbnails={"square"}))


def sources(html: str) -> list[dict[str, str | None]]:
    return [attributes for tag, attributes in elements(html) if tag == "source"]


def img(html: str) -> dict[str, str | None]:
    (found,) = [attributes for tag, attributes in elements(html) if tag == "img"]
    return found


# What is named


def test_a_picture_names_every_format_and_width_the_smaller_format_first() -> None:
    html = page().picture(
        "hero.jpg", alt='A "boat" & more', sizes="50vw", loading="lazy", class_="wide", data_n=1, fetchpriority="low"
    )
    assert elements(html) == [
        ("picture", {}),
        (
            "source",
            {
                "type": "image/avif",
                "srcset": "/static/hero.480.avif 480w, /static/hero.960.avif 960w, /static/hero.1600.avif 1600w",
                "sizes": "50vw",
            },
        ),
        (
            "source",
            {
                "type": "image/webp",
                "srcset": "/static/hero.480.webp 480w, /static/hero.960.webp 960w, /static/hero.1600.webp 1600w",
                "sizes": "50vw",
            },
        ),
        (
            "img",
            {
                "src": "/static/hero.0.jpg", "alt": 'A "boat" & more', "width": "1600", "height": "900",
                "decoding": "async", "loading": "lazy", "class": "wide", "data-n": "1", "fetchpriority": "low",
            },
        ),
    ]  # fmt: skip


def test_one_width_needs_no_descriptors_and_no_sizes() -> None:
    html = page().picture("one.jpg", alt="", sizes="50vw")
    assert sources(html) == [{"type": "image/webp", "srcset": "/static/one.1600.webp"}]
    assert "sizes" not in img(html)


def test_a_format_of_which_the_full_size_was_not_kept_has_the_original_for_large_screens() -> None:
    told = [one["srcset"] for one in sources(page().picture("part.png", alt=""))]
    assert told == [
        "/static/part.480.avif 480w, /static/part.0.png 1600w",
        "/static/part.480.webp 480w, /static/part.0.png 1600w",
    ]


def test_a_narrower_file_that_has_more_bytes_than_a_wider_one_is_not_named_nor_a_format_that_saves_nothing() -> None:
    told = sources(page().picture("flat.png", alt=""))
    assert [(one["type"], one["srcset"]) for one in told] == [
        ("image/webp", "/static/flat.480.webp 480w, /static/flat.1600.webp 1600w")
    ]


def test_other_widths_of_the_original_s_own_format_need_no_source() -> None:
    html = page().picture("own.webp", alt="", sizes="50vw")
    assert sources(html) == []
    told = img(html)
    assert told["src"] == "/static/own.0.webp"
    assert told["srcset"] == "/static/own.480.webp 480w, /static/own.960.webp 960w, /static/own.0.webp 1600w"
    assert told["sizes"] == "50vw"


@pytest.mark.parametrize("name", ["lone.gif", "logo.svg"])
def test_a_picture_of_which_nothing_was_made_is_a_plain_image(name: str) -> None:
    ((tag, told),) = elements(page().picture(name, alt="", sizes="50vw", widths=[480]))
    size = {"width": "20", "height": "10"} if name == "lone.gif" else {}
    assert (tag, told) == ("img", {"src": ASSETS[f"/static/{name}"].url, "alt": "", "decoding": "async", **size})


def test_without_a_build_it_is_the_source_itself() -> None:
    told = {"src": "/mount/static/hero.jpg", "alt": "x", "decoding": "async", "class": "a"}
    assert elements(unbuilt().picture("hero.jpg", alt="x", widths=[7], thumbnail="square", class_="a")) == [
        ("img", told)
    ]
    assert unbuilt().srcset("hero.jpg", format="avif") == "/mount/static/hero.jpg"
    ((_, link),) = elements(unbuilt().preload("hero.jpg", sizes="50vw"))
    assert link == {"rel": "preload", "as": "image", "imagesrcset": "/mount/static/hero.jpg"}


def test_a_misspelt_thumbnail_is_an_error_before_anything_is_built_too() -> None:
    with pytest.raises(TagError, match='has no thumbnail "sqare": there is square'):
        unbuilt().picture("hero.jpg", alt="", thumbnail="sqare")


@pytest.mark.parametrize(("wrong", "right"), [({"size": "50vw"}, "sizes="), ({"lazy": True}, 'loading="lazy"')])
def test_what_html_calls_otherwise_is_an_error_that_says_how(wrong: dict[str, Any], right: str) -> None:
    with pytest.raises(TagError, match=right):
        page().picture("hero.jpg", alt="", **wrong)


def test_a_name_that_would_end_a_candidate_is_encoded() -> None:
    shown = page("https://cdn.example/a", "https://cdn.example")
    told = sources(shown.picture("a, b.jpg", alt=""))[0]["srcset"]
    base = "https://cdn.example/a/static/a%2C%20b"
    assert told == f"{base}.480.webp 480w, {base}.1600.webp 1600w"
    assert shown.srcset("a, b.jpg") == told


# Widths


def test_of_the_widths_those_that_are_asked_for_are_named() -> None:
    html = page().picture("hero.jpg", alt="", widths=[960, 480])
    assert [one["srcset"] for one in sources(html)] == [
        f"/static/hero.480.{kind} 480w, /static/hero.960.{kind} 960w" for kind in ("avif", "webp")
    ]
    # The proportions are those of the picture, and so is what is for browsers that know no such format.
    assert (img(html)["src"], img(html)["width"]) == ("/static/hero.0.jpg", "1600")
    assert [one["srcset"] for one in sources(page().picture("hero.jpg", alt="", widths=[480]))] == [
        "/static/hero.480.avif",
        "/static/hero.480.webp",
    ]


def test_a_picture_that_is_narrower_than_a_width_is_named_as_it_is() -> None:
    (told,) = sources(page().picture("small.jpg", alt="", widths=[480, 960, 1440]))
    assert told["srcset"] == "/static/small.480.webp 480w, /static/small.700.webp 700w"


def test_where_a_width_was_not_kept_the_next_wider_file_stands_in() -> None:
    """In production, a picture that got no smaller must not be the end of its page."""
    (told, _) = sources(page().picture("part.png", alt="", widths=[480, 960]))
    assert told["srcset"] == "/static/part.480.avif 480w, /static/part.0.png 1600w"


def test_a_width_that_was_never_made_is_an_error_that_names_those_that_were() -> None:
    with pytest.raises(TagError) as caught:
        page().picture("hero.jpg", alt="", widths=[500])
    assert "hero.jpg was not made 500 pixels wide: there are 480, 960 and 1600" in str(caught.value)
    assert "add 500 to `widths`" in str(caught.value)
    with pytest.raises(TagError, match='in the rule of the thumbnail "square"'):
        page().picture("hero.jpg", alt="", widths=[300], thumbnail="square")


@pytest.mark.parametrize("widths", [480, ["480"], [0], [True], "480"])
def test_what_are_no_widths_is_an_error(widths: Any) -> None:
    with pytest.raises(TagError, match="no widths in pixels"):
        page().picture("hero.jpg", alt="", widths=widths)


# Thumbnails


def test_a_thumbnail_names_its_set_alone_with_its_proportions() -> None:
    html = page().picture("hero.jpg", alt="", thumbnail="square", sizes="200px")
    assert [(one["type"], one["srcset"]) for one in sources(html)] == [
        ("image/avif", "/static/hero.square200.avif 200w, /static/hero.square400.avif 400w")
    ]
    assert img(html) == {
        "src": "/static/hero.square400.webp",
        "srcset": "/static/hero.square200.webp 200w, /static/hero.square400.webp 400w",
        "sizes": "200px", "alt": "", "width": "400", "height": "400", "decoding": "async",
    }  # fmt: skip


def test_a_thumbnail_that_there_is_not_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(TagError) as caught:
        page().picture("hero.jpg", alt="", thumbnail="sqare")
    assert 'hero.jpg has no thumbnail "sqare": there is square.' in str(caught.value)
    assert "[[tool.assetpipe.images.rule]]" in str(caught.value)
    with pytest.raises(TagError, match="make one by a rule"):
        page().picture("one.jpg", alt="", thumbnail="square")
    with pytest.raises(TagError, match="no thumbnail"):
        page().srcset("hero.jpg", thumbnail="sqare")


def test_what_no_thumbnail_can_be_made_of_is_shown_as_it_is() -> None:
    assert img(page().picture("logo.svg", alt="", thumbnail="square"))["src"] == "/static/logo.0.svg"


# Attributes


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, ("1600", "900")),
        ({"width": 400}, ("400", "225")),
        ({"height": "90"}, ("160", "90")),
        ({"width": 300, "height": 300}, ("300", "300")),
        ({"width": "50%"}, ("50%", None)),
        ({"width": False}, (None, None)),
    ],
)
def test_a_size_of_the_caller_s_own_wins_and_one_side_alone_keeps_the_proportions(given: Any, told: Any) -> None:
    shown = img(page().picture("hero.jpg", alt="", **given))
    assert (shown.get("width"), shown.get("height")) == told


def test_only_what_is_said_to_be_lazy_is() -> None:
    """The largest picture of the first screen must not wait for the layout: only the page knows which that is."""
    assert "loading" not in img(page().picture("hero.jpg", alt=""))
    assert img(page().picture("hero.jpg", alt="", loading="lazy"))["loading"] == "lazy"
    assert img(page().picture("hero.jpg", alt="", decoding="sync"))["decoding"] == "sync"
    assert "decoding" not in img(page().picture("hero.jpg", alt="", decoding=None))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "100vw"),
        ({"loading": "eager"}, "100vw"),
        ({"loading": "lazy"}, "100vw"),
        ({"loading": "lazy", "sizes": "auto"}, "auto, 100vw"),
        ({"loading": "lazy", "sizes": "auto,50vw"}, "auto, 50vw"),
        ({"loading": "lazy", "sizes": "50vw"}, "50vw"),
    ],
)
def test_the_width_of_a_lazy_picture_is_left_to_the_browser_on_request(given: Any, told: str) -> None:
    html = page().picture("hero.jpg", alt="", **given)
    assert {one["sizes"] for one in sources(html)} == {told}
    assert img(html).get("sizes") == (told if told.startswith("auto") else None)


def test_a_width_that_no_browser_can_find_out_in_time_is_an_error() -> None:
    with pytest.raises(TagError, match='sizes="auto" needs loading="lazy"'):
        page().picture("hero.jpg", alt="", sizes="auto")


class Unread:
    """A translation that is made when it is written."""

    def __str__(self) -> str:
        return "Ein Boot"


def test_a_picture_without_a_text_for_those_who_do_not_see_it_is_an_error_that_says_why() -> None:
    for forgotten in ({}, {"alt": None}, {"alt": True}):
        with pytest.raises(TagError, match="screen reader"):
            page().picture("hero.jpg", **forgotten)
    with pytest.raises(TagError, match="screen reader"):
        Environment(autoescape=True).from_string("{{ a.picture('hero.jpg', alt=pot.alt) }}").render(a=page(), pot={})
    translated: Any = Unread()
    assert img(page().picture("hero.jpg", alt=translated))["alt"] == "Ein Boot"


def test_what_is_no_image_is_no_picture() -> None:
    with pytest.raises(TagError, match="no picture"):
        page().picture("app.css", alt="")
    with pytest.raises(TagError, match="no picture"):
        page().srcset("app.css")


@given(value=st.text())
def test_no_value_breaks_out_of_a_picture(value: str) -> None:
    try:
        html = page().picture("one.jpg", alt=value, sizes=value, class_=value, style=value)
        html += page().picture("hero.jpg", alt=value, sizes=value, loading="lazy")
    except ValueError:  # "auto", where the picture is not lazy
        assert value.strip().lower().startswith("auto")
        return
    told = elements(html)
    assert [tag for tag, _ in told] == ["picture", "source", "img", "picture", "source", "source", "img"]
    if "\0" not in value:  # which no parser keeps
        assert told[2][1]["alt"] == told[2][1]["class"] == value
        assert told[2][1]["style"] == (f"{COLOR};{value}" if value else COLOR)


# For markup of one's own


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"name": "hero.jpg", "format": "avif", "widths": [480, 960]},
            "/static/hero.480.avif 480w, /static/hero.960.avif 960w",
        ),
        ({"name": "hero.jpg", "widths": [480]}, "/static/hero.480.webp 480w"),
        ({"name": "part.png", "format": "webp"}, "/static/part.480.webp 480w, /static/part.0.png 1600w"),
        ({"name": "one.jpg", "format": "avif"}, "/static/one.0.jpg 1600w"),
        ({"name": "lone.gif"}, "/static/lone.0.gif 20w"),
        ({"name": "logo.svg"}, "/static/logo.0.svg"),
        (
            {"name": "hero.jpg", "thumbnail": "square"},
            "/static/hero.square200.webp 200w, /static/hero.square400.webp 400w",
        ),
    ],
)  # fmt: skip
def test_a_srcset_names_the_files_of_one_format(given: dict[str, Any], told: str) -> None:
    assert page().srcset(**given) == told


def test_a_format_that_was_never_made_is_an_error_that_names_those_that_were() -> None:
    with pytest.raises(TagError, match=r'not made in format="jxl": there is avif and webp\. .*formats = '):
        page().srcset("hero.jpg", format="jxl")


def test_a_preload_of_a_picture_is_that_of_the_source_a_browser_takes_first() -> None:
    (_, told), (_, lone) = elements(
        page().preload("hero.jpg", sizes="50vw", widths=[480, 960], fetchpriority="high")
        + page().preload("one.jpg", sizes="50vw")
    )
    assert told == {
        "rel": "preload", "as": "image", "type": "image/avif", "imagesizes": "50vw", "fetchpriority": "high",
        "imagesrcset": "/static/hero.480.avif 480w, /static/hero.960.avif 960w",
    }  # fmt: skip
    assert lone == {"rel": "preload", "as": "image", "type": "image/webp", "imagesrcset": "/static/one.1600.webp"}
    ((_, plain),) = elements(page().preload("hero.jpg"))
    assert plain == {"rel": "preload", "as": "image", "type": "image/jpeg", "href": "/static/hero.0.jpg"}


# Placeholders, and the policy that lets them


def allowed(style: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


COLOR = "background:#a1b2c3 content-box"


def test_a_placeholder_is_behind_the_image_and_the_caller_s_own_style_comes_after_it() -> None:
    assert img(page().picture("one.jpg", alt=""))["style"] == COLOR
    assert img(page().picture("one.jpg", alt="", style="color:red"))["style"] == f"{COLOR};color:red"
    blur = img(page().picture("part.png", alt=""))["style"]
    assert blur == f"background:url({BLUR}) center/cover no-repeat content-box"
    assert "style" not in img(page().picture("one.jpg", alt="", placeholder=False))
    assert img(page().picture("one.jpg", alt="", placeholder=False, style="color:red"))["style"] == "color:red"


@pytest.mark.parametrize("held", ["red", "#a1b2c3;color:red", "data:image/webp;base64,A) url(http://x", "#a1b2c3\n"])
def test_a_manifest_cannot_style_a_page_by_what_is_no_placeholder(held: str) -> None:
    assets = {"/static/x.jpg": image("x.jpg", 9, placeholder=held)}
    release = Manifest(format=1, release="0" * 12, assets=assets)
    shown = Page(View(release, "", "'self'", "/static/", lambda _: b""))
    assert "style" not in img(shown.picture("x.jpg", alt=""))
    assert shown.content_security_policy() == "img-src 'self'"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "img-src 'self'; style-src-attr 'unsafe-hashes' {color}"),
        ({"default-src": "'none'"}, "default-src 'none'; img-src 'self'; style-src-attr 'unsafe-hashes' {color}"),
        (
            {"style-src": "'self' 'sha256-eA=='"},
            "style-src 'self' 'sha256-eA=='; img-src 'self'; style-src-attr 'sha256-eA==' 'unsafe-hashes' {color}",
        ),
        # Whoever allows all of them would allow fewer with a hash.
        ({"style-src": "'Unsafe-Inline'"}, "style-src 'Unsafe-Inline'; img-src 'self'"),
        ({"style-src-attr": "'unsafe-inline'"}, "style-src-attr 'unsafe-inline'; img-src 'self'"),
        ({"style-src-attr": "'none'"}, "style-src-attr 'unsafe-hashes' {color}; img-src 'self'"),
    ],
)
def test_the_policy_allows_the_placeholder_s_style_and_no_others_than_before(given: dict[str, str], told: str) -> None:
    shown = page()
    shown.picture("one.jpg", alt="")
    assert shown.content_security_policy(given) == told.format(color=allowed(COLOR))


def test_the_policy_allows_a_blur_and_what_the_nonce_makes_of_it() -> None:
    shown = page()
    style = img(shown.picture("part.png", alt="", style="a:\r\nb"))["style"]
    assert style is not None
    told = shown.content_security_policy({"default-src": "'self'", "style-src": "'unsafe-inline'"}, nonce="ab")
    assert told == (
        "default-src 'self'; style-src 'unsafe-inline' 'nonce-ab'; img-src 'self' data:; script-src 'self' 'nonce-ab'; "
        f"style-src-attr 'unsafe-inline' 'unsafe-hashes' {allowed(style.replace(chr(13), ''))}"
    )


# In a real browser


SOURCES: dict[str, bytes | str] = {
    "hero.jpg": jpeg(1600, 900),
    # So well converted that nothing is saved at the full size, nor at two thirds of it.
    "poor.jpg": jpeg(1600, 900, quality=70),
    "a, b.jpg": jpeg(1600, 900),
    "both.jpg": jpeg(400, 225),
    # Not one picture in many formats: their renditions would be one file.
    "old.gif": saved(photograph(200, 100, seed=2).quantize(64), "GIF"),
    "old.bmp": saved(photograph(200, 100, seed=3), "BMP"),
    "old.tif": saved(photograph(200, 100, seed=4), "TIFF"),
    "old.png": saved(photograph(200, 100, seed=5), "PNG"),
    "old.jpeg": jpeg(200, 100, quality=95),
    "back.css": "".join(f".{kind} {{ background: url(old.{kind}) }}" for kind in ("gif", "bmp", "tif", "png", "jpeg")),
    "flow.css": "body { margin: 0 } .fluid { width: 100%; height: auto } .held { max-width: 100%; height: auto }"
    ".box { width: 300px } .cut { width: 300px; height: 300px; object-fit: cover }",
}
TEMPLATES = {
    "sizes": """
        <style>.wide { width: 100%; height: auto }</style>
        {{ asset.picture("hero.jpg", alt="", id="hero", sizes="100vw", class_="wide") }}
        {{ asset.picture("poor.jpg", alt="", id="poor", sizes="100vw", class_="wide") }}
        {{ asset.picture("hero.jpg", alt="", id="few", sizes="100vw", widths=[480], class_="wide") }}
        {{ asset.picture("a, b.jpg", alt="", id="comma", sizes="100vw", class_="wide") }}
        {{ asset.picture("hero.jpg", alt="", id="square", sizes="200px", thumbnail="square", width=200) }}
        {{ asset.picture("both.jpg", alt="", id="both", sizes="100vw", class_="wide") }}
        <img id="own" alt="" class="wide" sizes="100vw" srcset="{{ asset.srcset("a, b.jpg", widths=[480, 960]) }}">
    """,
    "auto": """
        {{ asset.stylesheet("flow.css") }}
        {% set lazy = {"alt": "", "loading": "lazy", "sizes": "auto"} %}
        <div class="box">{{ asset.picture("hero.jpg", id="fluid", class_="fluid", **lazy) }}</div>
        <div class="box">{{ asset.picture("hero.jpg", id="held", class_="held", **lazy) }}</div>
        {{ asset.picture("a, b.jpg", id="cut", class_="cut", **lazy) }}
        {{ asset.picture("a, b.jpg", id="bare", **lazy) }}
    """,
    "preload": """
        {{ asset.preload("hero.jpg", sizes="50vw") }}
        {{ asset.preload("old.png", sizes="100vw") }}
        {{ asset.picture("hero.jpg", alt="", sizes="50vw") }}
        {{ asset.picture("old.png", alt="") }}
    """,
    "policy": """
        {{ asset.picture("hero.jpg", alt="", id="blur", style="color: rgb(1, 2, 3)") }}
        {{ asset.picture("old.jpeg", alt="", id="color") }}
        <p id="other" style="color: rgb(9, 9, 9)">not ours</p>
    """,
    "plain": """<img src="{{ url_for("static", filename="old." ~ request.args.kind) }}" alt="">""",
    "background": """{{ asset.stylesheet("back.css") }}<p class="{{ request.args.kind }}">text</p>""",
}
FRAME = '<!doctype html><html lang="en"><title>t</title><link rel="icon" href="data:,">'


class Site(NamedTuple):
    """A site that is served, what it serves, and a browser that is at it."""

    url: str
    release: Manifest
    browser: Browser

    def visit(self, page: str, width: int = 1280, ratio: float = 1) -> list[Loaded]:
        """Open a page in an empty window of a width in CSS pixels, on a screen of a pixel ratio."""
        run = self.browser.driver.execute_cdp_cmd
        run("Network.clearBrowserCache", {})
        screen = {"width": width, "height": 2400, "deviceScaleFactor": ratio, "mobile": False}
        run("Emulation.setDeviceMetricsOverride", screen)
        self.browser.driver.get("about:blank")
        return self.browser.visit(f"{self.url}/{page}")

    def ask(self, script: str) -> Any:
        """What a script returns; ``shown(id)`` is the path of the file that an image shows."""
        shown = "const at = (id) => document.getElementById(id), shown = (id) => new URL(at(id).currentSrc).pathname;"
        return self.browser.driver.execute_script(f"{shown} return {script}")  # type: ignore[no-untyped-call, unused-ignore]

    def name(self, url: str) -> str:
        """A rendition by its asset's name, width and format; an original by its name."""
        for path, asset in self.release.assets.items():
            for one in asset.renditions:
                if rooted(LogicalPath(one.url)) == url:
                    return f"{path.rpartition('/')[2]} {one.thumbnail}{one.width} {one.type.rpartition('/')[2]}"
            if rooted(LogicalPath(asset.url)) == url:
                return path.rpartition("/")[2]
        return url


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pictures")
    project = Project(folder)
    project.write(SOURCES)
    rules = (
        Rule(match="hero.jpg", thumbnail="square", crop="1:1", widths=(200, 400)),
        Rule(match="old.*", widths=(), placeholder="color"),
        Rule(match="hero.jpg", placeholder="blur"),
        Rule(match="poor.jpg", quality=100),
        Rule(match="both.jpg", formats=("webp", "avif")),
    )
    project.configure(images=Images(widths=(480, 960), rule=rules))
    release = project.publish().manifest
    assets = AssetPipe(dist=project.dist)
    app = Flask("pictures", root_path=str(folder))
    app.register_blueprint(assets)

    @app.get("/<name>")
    def page(name: str) -> Response:
        response = make_response(render_template_string(FRAME + TEMPLATES[name]))
        if name == "policy":
            told = assets.page().content_security_policy({"default-src": "'none'", "style-src": "'self'"})
            response.headers["Content-Security-Policy"] = told
        return response

    with listening(app) as (port, _), chromium(folder / "profile") as browser:
        yield Site(f"http://127.0.0.1:{port}", release, browser)


def widths_of(release: Manifest, name: str) -> list[int]:
    return sorted(one.width for one in release.assets[f"/static/{name}"].renditions if not one.thumbnail)


@pytest.mark.parametrize(
    ("width", "ratio", "hero", "poor"),
    [
        (400, 1, "hero.jpg 480 webp", "poor.jpg 480 webp"),
        (400, 2, "hero.jpg 960 webp", "poor.jpg"),
        (900, 1, "hero.jpg 960 webp", "poor.jpg"),
        (1280, 1, "hero.jpg 1600 webp", "poor.jpg"),
        (800, 2, "hero.jpg 1600 webp", "poor.jpg"),
        (2000, 2, "hero.jpg 1600 webp", "poor.jpg"),
    ],
)
def test_a_browser_takes_the_file_that_fits_its_screen_and_no_picture_is_blurred(
    site: Site, width: int, ratio: float, hero: str, poor: str
) -> None:
    assert widths_of(site.release, "hero.jpg") == [480, 960, 1600]
    assert widths_of(site.release, "poor.jpg") == [480], "what the other sizes would be is more than the original"
    site.visit("sizes", width, ratio)
    told = {
        one: site.name(site.ask(f"shown('{one}')")) for one in ("hero", "poor", "few", "comma", "square", "both", "own")
    }
    assert told == {
        "hero": hero,
        "poor": poor,
        "few": "hero.jpg 480 webp",
        "comma": hero.replace("hero", "a, b"),
        "square": f"hero.jpg square{200 if ratio == 1 else 400} webp",
        "both": "both.jpg 400 avif",
        "own": hero.replace("hero", "a, b").replace("1600", "960"),
    }
    # All of them arrive, as large as they are said to be.
    assert site.ask("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    assert site.ask("[at('square').width, at('square').height]") == [200, 200]
    assert site.ask("Math.round(at('hero').width * 9 / 16) == at('hero').height")
    assert site.browser.console() == []


def test_a_lazy_picture_with_sizes_auto_is_as_wide_as_it_is_shown(site: Site) -> None:
    """``sizes="auto"``, for which a browser takes away the natural size of an image: the attributes must do."""
    site.visit("auto", 1280)
    told = {one: site.name(site.ask(f"shown('{one}')")) for one in ("fluid", "held", "cut", "bare")}
    assert told == {
        "fluid": "hero.jpg 480 webp",
        "held": "hero.jpg 480 webp",
        "cut": "a, b.jpg 480 webp",
        "bare": "a, b.jpg 1600 webp",
    }
    sizes = site.ask("['fluid', 'held', 'cut', 'bare'].map(at).map((i) => [i.width, i.height])")
    assert sizes == [[300, 169], [300, 169], [300, 300], [1600, 900]]


@pytest.mark.parametrize(("width", "ratio", "hero"), [(900, 1, "hero.jpg 480 webp"), (900, 2, "hero.jpg 960 webp")])
def test_a_picture_that_is_preloaded_is_loaded_once(site: Site, width: int, ratio: float, hero: str) -> None:
    loaded = site.visit("preload", width, ratio)
    assert sorted(site.name(urlsplit(one.url).path) for one in loaded if one.kind != "Document") == [
        hero,
        "old.png 200 webp",
    ]
    assert site.browser.console() == []


def test_placeholders_are_shown_under_the_policy_that_the_page_spells_and_no_other_style_is(site: Site) -> None:
    site.visit("policy")
    blur, color, other = site.ask(
        "['blur', 'color', 'other'].map((id) => getComputedStyle(at(id)))"
        ".map((style) => [style.backgroundImage, style.backgroundColor, style.color])"
    )
    held = [site.release.assets[f"/static/{name}"].placeholder for name in ("hero.jpg", "old.jpeg")]
    assert blur[0] == f'url("{held[0]}")'
    assert blur[2] == "rgb(1, 2, 3)"
    assert color[1] == f"rgb({', '.join(str(int(held[1][k : k + 2], 16)) for k in (1, 3, 5))})"
    assert other[2] == "rgb(0, 0, 0)"
    assert site.ask("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    console = site.browser.console()
    assert len(console) == 1, console
    assert "inline style" in console[0]


# A coding that a client names outweighs the want of one: so the original, which compresses, is chosen before its WebP.


@pytest.mark.parametrize("kind", ["gif", "bmp", "tif", "png", "jpeg"])
def test_without_a_change_in_any_template_each_format_is_answered_by_a_smaller_one(site: Site, kind: str) -> None:
    """``<img src>`` and backgrounds name the original; what comes is what the browser accepts."""
    loaded = [one for one in site.visit(f"plain?kind={kind}") if one.kind == "Image"]
    assert {urlsplit(one.url).path for one in loaded} == {site.release.assets[f"/static/old.{kind}"].url}
    for one in loaded:
        assert one.headers["content-type"] == "image/webp", one
        assert "Accept" in one.headers["vary"].split(", "), one
    assert site.ask("[document.images[0].naturalWidth, document.images[0].naturalHeight]") == [200, 100]
    assert site.browser.console() == []


@pytest.mark.parametrize("kind", ["gif", "bmp", "tif", "png", "jpeg"])
def test_a_background_is_answered_by_a_smaller_one_too(site: Site, kind: str) -> None:
    loaded = [one for one in site.visit(f"background?kind={kind}") if one.kind == "Image"]
    assert [(urlsplit(one.url).path, one.headers["content-type"]) for one in loaded] == [
        (site.release.assets[f"/static/old.{kind}"].url, "image/webp")
    ]


def test_a_blur_of_the_whole_is_not_shown_behind_a_part_of_it() -> None:
    square = Rendition(
        url="/static/p.1.webp", type="image/webp", size=9, sha256="1", width=9, height=9, thumbnail="square"
    )

    def shown(placeholder: str) -> str:
        asset = Asset(
            url="/static/p.2.jpg", type="image/jpeg", size=99, sha256="2", width=90, height=60,
            renditions=(square,), placeholder=placeholder,
        )  # fmt: skip
        release = Manifest(format=1, release="r", assets={"/static/p.jpg": asset})
        return Page(View(release, "", "'self'", "/static/", lambda _: b"")).picture("p.jpg", alt="", thumbnail="square")

    assert "style" not in img(shown("data:image/webp;base64,AAAA"))
    assert "#123456" in str(img(shown("#123456"))["style"])
