"""What a build makes of images, by the configuration's rules."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from assetpipe.config import ImageFormat, Images, Rule
from assetpipe.errors import Severity
from assetpipe.manifest import Asset
from tests import pictures
from tests.conftest import Command, Project, write

BOTH: tuple[ImageFormat, ...] = ("avif", "webp")
SHOP = {"products/mug.jpg": pictures.jpeg(), "hero.jpg": pictures.jpeg(400, 250)}


def told(project: Project, name: str) -> Asset:
    return project.publish().manifest.assets[f"/static/{name}"]


def made(asset: Asset) -> list[tuple[str, str, int, int]]:
    return [(r.thumbnail, r.type.removeprefix("image/"), r.width, r.height) for r in asset.renditions]


def _located() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)}
    return pictures.jpeg(exif=exif)


# A photograph that says where it was taken, and by what.
LOCATED = _located()


def test_a_rule_says_what_other_pictures_do_not_get(project: Project) -> None:
    project.write(SHOP)
    rule = Rule(match="products/**", formats=("avif", "webp"), widths=(100, 200))
    project.configure(images=Images(widths=(300,), rule=(rule,)))
    assert {entry[1:3] for entry in made(told(project, "hero.jpg"))} == {("webp", 400), ("webp", 300)}
    expected = {(name, width) for name in ("avif", "webp") for width in (320, 200, 100)}
    assert {entry[1:3] for entry in made(told(project, "products/mug.jpg"))} == expected


def test_of_the_rules_that_match_the_last_one_counts_for_each_key(project: Project) -> None:
    project.write(SHOP)
    rules = (
        Rule(match="*.jpg", widths=(100,)),
        Rule(match=("products/", "!products/mug.jpg"), formats=()),
        Rule(match="/hero.*", formats=("avif",)),
    )
    project.configure(images=Images(rule=rules))
    assert [entry[1:3] for entry in made(told(project, "hero.jpg"))] == [("avif", 400), ("avif", 100)]
    assert [entry[1:3] for entry in made(told(project, "products/mug.jpg"))] == [("webp", 320), ("webp", 100)]


def test_a_rule_s_quality_counts_for_its_pictures_and_formats(project: Project) -> None:
    project.write(SHOP)

    def sizes(images: Images) -> dict[str, int]:
        project.configure(images=images)
        return {r.type: r.size for r in told(project, "hero.jpg").renditions}

    usual = sizes(Images(formats=BOTH))
    one = sizes(Images(formats=BOTH, quality={"webp": 20}))
    assert one["image/avif"] == usual["image/avif"]
    assert one["image/webp"] < usual["image/webp"] / 2
    ruled = sizes(Images(formats=BOTH, quality=20, rule=(Rule(match="hero.jpg", quality={"avif": 55}),)))
    assert ruled == {"image/avif": usual["image/avif"], "image/webp": one["image/webp"]}
    assert sizes(Images(formats=BOTH, quality=20, rule=(Rule(match="mug.jpg", quality=90),))) != ruled


def test_thumbnails_are_sets_beside_the_image_s_own(project: Project) -> None:
    project.write(SHOP)
    rules = (
        Rule(match="products/**", thumbnail="square", crop="1:1", widths=(64, 128)),
        Rule(match="products/**", thumbnail="banner", crop="4:1", gravity="north", widths=(160, 9999)),
    )
    project.configure(images=Images(rule=rules))
    mug = told(project, "products/mug.jpg")
    assert made(mug) == [
        ("", "webp", 320, 200),
        ("banner", "webp", 320, 80),
        ("banner", "webp", 160, 40),
        ("square", "webp", 128, 128),
        ("square", "webp", 64, 64),
    ]
    assert [r.negotiated for r in mug.renditions] == [True, False, False, False, False]
    assert made(told(project, "hero.jpg")) == [("", "webp", 400, 250)]


def test_a_thumbnail_changes_no_name_and_its_own_name_no_picture(project: Project) -> None:
    project.write(SHOP)
    plain = told(project, "products/mug.jpg")

    def with_thumbnail(*names: str) -> tuple[str, Asset, set[str]]:
        rules = (Rule(match="*", thumbnail=name, crop="1:1", widths=(64,)) for name in names)
        project.configure(images=Images(rule=tuple(rules)))
        published = project.publish()
        mug = published.manifest.assets["/static/products/mug.jpg"]
        return published.manifest.release, mug, {work.tool for work in project.build().work}

    release, mug, _ = with_thumbnail("square")
    assert mug.url == plain.url
    again, same, tools = with_thumbnail("icon")
    assert [r.url for r in same.renditions] == [r.url for r in mug.renditions]
    # What pages can ask for is another; nothing is made once more for it.
    assert again != release
    assert tools == set()
    both = with_thumbnail("square", "icon")[1]
    assert [r.thumbnail for r in both.renditions] == ["", "icon", "square"]
    assert both.renditions[1].url == both.renditions[2].url


def test_equal_images_are_converted_once_and_each_by_its_rules(project: Project) -> None:
    project.write({name: pictures.jpeg() for name in ("a.jpg", "b.jpg", "products/mug.jpg")})
    project.configure(images=Images(rule=(Rule(match="products/**", widths=(100,)),)))
    built = project.build()
    assert [work.tool for work in built.work].count("image") == 2
    widths = {path: [r.width for r in asset.renditions] for path, asset in built.manifest.assets.items()}
    assert widths == {"/static/a.jpg": [320], "/static/b.jpg": [320], "/static/products/mug.jpg": [320, 100]}


def test_a_narrower_picture_of_more_bytes_is_not_published(project: Project) -> None:
    """A chart of flat fields: scaled down, its edges are of many colours, and it takes more bytes than it had."""
    image = Image.new("RGB", (1200, 800), "white")
    draw = ImageDraw.Draw(image)
    for index in range(40):
        draw.line((index * 30, 0, 1200 - index * 30, 800), fill=(200, 0, 0))
    project.write({"chart.png": pictures.saved(image, "PNG", compress_level=0)})
    project.configure(images=Images(widths=(1100, 900, 60)))
    renditions = told(project, "chart.png").renditions
    assert renditions[0].width == 1200
    assert [r.width for r in renditions] != [1200, 1100, 900, 60]
    assert [r.size for r in renditions] == sorted((r.size for r in renditions), reverse=True)


def test_under_the_profile_dev_thumbnails_are_all_there_is(project: Project) -> None:
    project.write(SHOP)
    rules = (
        Rule(match="*", thumbnail="square", crop="1:1", widths=(64,), formats=("avif",), quality=90),
        Rule(match="products/", widths=(100,), formats=("avif",)),
    )
    project.configure(images=Images(formats=("avif",), placeholder="blur", rule=rules))
    project.config = project.config.for_profile("dev")
    mug = told(project, "products/mug.jpg")
    assert made(mug) == [("square", "webp", 64, 64)]
    assert (mug.width, mug.height, mug.placeholder) == (320, 200, "")


def test_a_placeholder_is_in_the_manifest_and_makes_a_release_of_its_own(project: Project) -> None:
    project.write(SHOP | {"clear.png": pictures.png()})
    plain = project.publish().manifest
    assert {asset.placeholder for asset in plain.assets.values()} == {""}
    project.configure(images=Images(placeholder="color", rule=(Rule(match="hero.jpg", placeholder="blur"),)))
    held = project.publish().manifest
    assert held.release != plain.release
    assert held.assets["/static/products/mug.jpg"].placeholder.startswith("#")
    assert held.assets["/static/hero.jpg"].placeholder.startswith("data:image/webp;base64,")
    assert held.assets["/static/clear.png"].placeholder == ""
    assert {a.url for a in held.assets.values()} == {a.url for a in plain.assets.values()}


def test_an_image_that_tells_where_it_was_taken_is_left_as_it_is_and_that_is_said(project: Project) -> None:
    project.write({"home.jpg": LOCATED, "other.jpg": pictures.jpeg(), "b.jpg": LOCATED + b"2"})
    built = project.build()
    (problem,) = built.problems
    assert (problem.kind, problem.severity, problem.file) == ("position", Severity.WARNING, "static/b.jpg")
    assert "1 more image" in problem.text
    assert "strip = true" in problem.hint
    home = project.publish().manifest.assets["/static/home.jpg"]
    assert set(home.metadata) >= {"position", "exif"}
    assert project.public("/static/home.jpg") == LOCATED
    assert b"Maker of cameras" not in b"".join(
        (project.dist / "public" / r.url[1:]).read_bytes() for r in home.renditions
    )


def test_stripped_nothing_published_tells_more_than_the_picture(project: Project) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker of cameras"
    project.write({"home.jpg": LOCATED, "turned.jpg": pictures.jpeg(exif=exif), "plain.png": pictures.png()})
    project.configure(images=Images(strip=True))
    published = project.publish()
    assert project.build().problems == ()
    for file in project.dist.rglob("*"):
        assert not file.is_file() or b"Maker of cameras" not in file.read_bytes()
    assets = published.manifest.assets
    assert {asset.metadata for asset in assets.values()} == {()}
    before, after = pictures.opened(LOCATED), pictures.opened(project.public("/static/home.jpg"))
    assert before.tobytes() == after.tobytes()
    # Which way is up is no secret, and is needed.
    turned = pictures.opened(project.public("/static/turned.jpg"))
    assert turned.getexif().get(0x0112) == 6
    assert (assets["/static/turned.jpg"].width, assets["/static/turned.jpg"].height) == (200, 320)
    # And what held nothing is published byte by byte.
    assert project.public("/static/plain.png") == pictures.png()
    assert not project.build().work


def test_what_cannot_be_stripped_is_not_published(project: Project) -> None:
    project.write({"home.jpg": LOCATED[:700]})
    project.configure(images=Images(strip=True))
    built = project.build()
    assert built.failed
    problem = next(p for p in built.problems if p.severity is Severity.ERROR)
    assert problem.file == "static/home.jpg"
    assert "metadata" in problem.text


def test_what_another_bundler_has_named_keeps_its_bytes(project: Project) -> None:
    project.write({"home-12345678.jpg": LOCATED})
    project.configure(images=Images(strip=True), tagged=("home-*",))
    assert told(project, "home-12345678.jpg").metadata
    assert project.public("/static/home-12345678.jpg") == LOCATED


def test_a_rule_that_cannot_be_met_is_an_error_that_says_so(assetpipe: Command, project: Project) -> None:
    project.write(SHOP)
    for text, words in {
        'match = "*"\ncrop = "1:1"': ["crop", "thumbnail ="],
        'match = "*"\nthumbnail = "square"\ncrop = "1:1"': ["square", "widths"],
        'match = "*"\nthumbnail = "square"\ncrop = "wide"\nwidths = [9]': ["images.rule.crop", '"wide"', "16:9"],
        'match = "*"\nwidths = [0]': ["images.rule.widths"],
        'match = "*"\nquality = 0': ["images.rule.quality", "between 1 and 100"],
        'match = "*"\nquality = "hihg"': ["images.rule.quality", "high"],
        'match = "*"\nwidth = [3]': ["images.rule.width", "widths"],
        'match = ""': ["match"],
        'match = "*"\nthumbnail = "a"\nwidths = [9]\ngravity = "centre"': ["center"],
    }.items():
        write(project.folder, {"assetpipe.toml": f"[[images.rule]]\n{text}\n"})
        answer = assetpipe("build")
        assert answer.code == 2, text
        for word in words:
            assert word in answer.err, text


@pytest.mark.parametrize(
    "key", ["max_pixels = 0", "max_pixels = 178_956_971", "quality = 101", "quality = {webp = 0}", "widths = [0]"]
)
def test_images_out_of_bounds_are_an_error(assetpipe: Command, project: Project, key: str) -> None:
    write(project.folder, {"assetpipe.toml": f"[images]\n{key}\n"})
    answer = assetpipe("build")
    assert answer.code == 2
    assert f"images.{key.partition(' ')[0]}" in answer.err


DAMAGED = {"home.jpg": LOCATED[: len(LOCATED) // 2], "moving.gif": pictures.animation("GIF")[:-90], "no.png": b"no"}


@pytest.mark.parametrize(
    ("images", "before"),
    [
        (Images(formats=()), Images()),
        (Images(), Images(formats=())),
        (Images(formats=("avif",)), Images()),
        (Images(formats=(), widths=(50,), placeholder="color"), Images(formats=())),
        (Images(formats=()), Images(placeholder="blur")),
        (Images(formats=("webp",), widths=(9999,)), Images(formats=("avif",), widths=(9999, 40))),
    ],
)
def test_what_is_said_of_a_damaged_image_is_the_same_whatever_was_asked_of_it_before(
    project: Project, images: Images, before: Images
) -> None:
    project.write(SHOP | DAMAGED)
    project.configure(images=before)
    project.build()
    project.configure(images=images)
    again = project.build()
    project.configure(images=images, cache="another")
    fresh = project.build()
    assert again.problems == fresh.problems
    assert again.manifest.dump() == fresh.manifest.dump()


def test_a_damaged_image_tells_its_size_and_where_it_was_taken_all_the_same(project: Project) -> None:
    project.write({"home.jpg": DAMAGED["home.jpg"]})
    built = project.build()
    home = built.manifest.assets["/static/home.jpg"]
    assert (home.width, home.height, home.renditions) == (320, 200, ())
    assert "position" in home.metadata
    assert {problem.kind for problem in built.problems} == {"broken-image", "position"}


def test_more_pixels_than_allowed_are_a_warning_with_the_file_s_name(project: Project) -> None:
    project.write(SHOP)
    project.configure(images=Images(max_pixels=320 * 200))
    built = project.build()
    (problem,) = built.problems
    assert (problem.kind, problem.file, problem.severity) == ("huge-image", "static/hero.jpg", Severity.WARNING)
    assert built.manifest.assets["/static/hero.jpg"].renditions == ()
    assert built.manifest.assets["/static/products/mug.jpg"].renditions


@pytest.mark.parametrize(
    ("match", "hint"),
    [
        ("prodcts/**", 'Did you mean "products/**"?'),
        ("/static/products/**", 'Patterns are relative to the root: write "products/**".'),
        # Nothing is known of what may come, or of what was meant.
        ("uploads/**", ""),
        ("products/*.png", ""),
        ("*.gif", ""),
    ],
)
def test_a_rule_that_matches_nothing_says_what_was_meant(project: Project, match: str, hint: str) -> None:
    project.write(SHOP)
    project.configure(images=Images(rule=(Rule(match=match, widths=(100,)), Rule(match="hero.jpg", widths=(9,)))))
    problems = project.build().problems
    assert [(problem.kind, problem.hint) for problem in problems] == ([("idle-rule", hint)] if hint else [])


def test_a_picture_under_another_s_name_is_published_and_stripped_as_what_it_is(project: Project) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker of cameras"
    project.write({"p.jpg": pictures.saved(pictures.photograph(), "WEBP", exif=exif), "page.jpg": "<!doctype html>"})
    project.configure(images=Images(strip=True))
    built = project.build()
    assert not built.failed
    assert [(p.kind, p.file) for p in built.problems] == [
        ("misnamed-image", "static/p.jpg"),
        ("broken-image", "static/page.jpg"),
    ]
    assert "Rename it" in built.problems[0].hint
    project.publish()
    assert b"Maker of cameras" not in project.public("/static/p.jpg")
    assert project.public("/static/page.jpg") == b"<!doctype html>"


def test_a_picture_that_is_cut_off_keeps_its_size_for_pages_and_says_how_to_leave_it_out(project: Project) -> None:
    project.write({"shop/cut.jpg": LOCATED[:-200]})
    built = project.build()
    asset = built.manifest.assets["/static/shop/cut.jpg"]
    assert (asset.width, asset.height, asset.renditions) == (320, 200, ())
    assert "position" in asset.metadata
    broken = next(problem for problem in built.problems if problem.kind == "broken-image")
    assert 'ignore = ["shop/cut.jpg"]' in broken.hint
    project.configure(ignore=("shop/cut.jpg",))
    assert [problem.kind for problem in project.build().problems] == ["empty"]


def test_what_nothing_is_to_be_made_of_may_be_anything(project: Project) -> None:
    project.write({"scans/p.png": "not yet", "scans/q.jpg": pictures.png()})
    assert len(project.build().problems) == 2
    for images in (Images(formats=()), Images(rule=(Rule(match="scans/", formats=()),))):
        project.configure(images=images)
        assert project.build().problems == ()


def test_a_panorama_that_is_too_long_for_webp_says_so(project: Project) -> None:
    """WebP has 14 bits for a side (RFC 9649 section 2.7.1.1)."""
    project.write({"wide.jpg": pictures.saved(pictures.photograph(20_000, 40), "JPEG")})
    project.configure(images=Images(widths=(1000,)))
    built = project.build()
    (problem,) = built.problems
    assert (problem.kind, problem.severity, problem.file) == ("long-image", Severity.NOTE, "static/wide.jpg")
    assert "16,383" in problem.text
    assert [r.width for r in built.manifest.assets["/static/wide.jpg"].renditions] == [1000]
    project.configure(images=Images(formats=(), widths=(1000,)))
    assert project.build().problems == ()
