from __future__ import annotations

import base64
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from assetpipe.config import ImageFormat
from assetpipe.transforms import images
from assetpipe.transforms.containers import profiles
from assetpipe.transforms.images import Order
from assetpipe.transforms.rasters import Facts, ImageError
from tests import pictures

KINDS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "AVIF")
BOTH: tuple[ImageFormat, ...] = ("webp", "avif")
QUALITY: dict[ImageFormat, int] = {"webp": 80, "avif": 55}


def orders(*widths: int, formats: tuple[ImageFormat, ...] = ("webp",)) -> list[Order]:
    return [Order(name, QUALITY[name], width) for width in (0, *widths) for name in formats]


def thumbnail(width: int, crop: str = "1:1", **more: object) -> Order:
    return Order("webp", 80, width, thumbnail=True, crop=crop, **more)  # type: ignore[arg-type]


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, of 255."""
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGBA"), other.convert("RGBA"))).mean)


def sizes(facts: Facts, wanted: list[Order]) -> list[tuple[str, int, int]]:
    return [(order.format, size.width, size.height) for order, size in images.plan(facts, wanted).items()]


@pytest.mark.parametrize(
    ("facts", "wanted", "planned"),
    [
        (Facts("image/jpeg", 300, 200), orders(100), [("webp", 300, 200), ("webp", 100, 67)]),
        (Facts("image/jpeg", 300, 200), orders(300, 301, 9999), [("webp", 300, 200)]),
        (Facts("image/jpeg", 300, 200), [thumbnail(100), thumbnail(5000)], [("webp", 100, 100), ("webp", 200, 200)]),
        (Facts("image/jpeg", 300, 200), [thumbnail(100, "")], [("webp", 100, 67)]),
        # Made of itself once more, a picture only loses; but others are made of it.
        (
            Facts("image/webp", 300, 200),
            orders(100, formats=BOTH),
            [("avif", 300, 200), ("webp", 100, 67), ("avif", 100, 67)],
        ),
        (Facts("image/webp", 300, 200), [thumbnail(900)], [("webp", 200, 200)]),
        # WebP has 14 bits for a side (RFC 9649 section 2.7.1.1).
        (
            Facts("image/png", 20_000, 9),
            orders(100, formats=BOTH),
            [("avif", 20_000, 9), ("webp", 100, 1), ("avif", 100, 1)],
        ),
        (Facts("image/png", 30_000, 1), orders(10), [("webp", 10, 1)]),
        (Facts("image/png", 1, 30_000), orders(1), []),
        (Facts("image/png", 1, 1), orders(480), [("webp", 1, 1)]),
        # What moves, moves on: only WebP is sure to be shown moving.
        (Facts("image/gif", 300, 200, frames=4), orders(formats=BOTH), [("webp", 300, 200)]),
        (Facts("image/tiff", 300, 200, convertible=False), [*orders(100), thumbnail(10)], []),
    ],
)
def test_what_is_made_is_known_from_the_headers(
    facts: Facts, wanted: list[Order], planned: list[tuple[str, int, int]]
) -> None:
    assert sizes(facts, wanted) == planned


@given(st.integers(1, 40_000), st.integers(1, 40_000), st.lists(st.integers(1, 50_000), max_size=5))
def test_nothing_is_ever_scaled_up_and_proportions_stay(width: int, height: int, widths: list[int]) -> None:
    facts = Facts("image/jpeg", width, height)
    for _, wide, high in sizes(facts, orders(*widths, formats=BOTH)):
        assert wide <= width
        assert high <= height
        assert abs(high - wide * height / width) <= 0.5 or high == 1
    for _, wide, high in sizes(facts, [thumbnail(one, "3:2") for one in widths]):
        assert wide <= width
        assert high <= height


def test_a_photograph_becomes_a_smaller_webp_that_looks_the_same() -> None:
    data = pictures.jpeg()
    (picture,) = images.render(data, "image/jpeg", orders()).pictures
    assert len(picture.data) < len(data)
    webp = pictures.opened(picture.data)
    assert (webp.format, webp.size) == ("WEBP", (320, 200))
    assert difference(webp, pictures.opened(data)) < 6


def test_a_drawing_becomes_a_lossless_webp() -> None:
    data = pictures.png()
    (picture,) = images.render(data, "image/png", orders()).pictures
    original, webp = pictures.opened(data), pictures.opened(picture.data)
    for ground in ("white", "black"):
        shown = [Image.alpha_composite(Image.new("RGBA", i.size, ground), i.convert("RGBA")) for i in (original, webp)]
        assert difference(*shown) == 0


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_image_has_renditions(name: str) -> None:
    data = pictures.saved(pictures.photograph(), name)
    made = images.render(data, f"image/{name.lower()}", [*orders(100, formats=BOTH), thumbnail(50)])
    assert (made.facts.width, made.facts.height) == (320, 200)
    told = {(picture.order.format, picture.width) for picture in made.pictures}
    assert {("webp", 50), ("webp", 100)} <= told
    for picture in made.pictures:
        webp = pictures.opened(picture.data)
        assert (webp.format, webp.size) == (picture.order.format.upper(), (picture.width, picture.height))


def test_a_rendition_that_is_not_smaller_is_not_kept_unless_nothing_else_will_do() -> None:
    data = pictures.jpeg(quality=5)
    assert images.render(data, "image/jpeg", orders()).pictures == ()
    (cut,) = images.render(data, "image/jpeg", [thumbnail(300, "3:2")]).pictures
    assert len(cut.data) > len(data)


def test_widths_and_cuts_are_of_the_picture_itself() -> None:
    """Four fields of colour: what is left is the field in the corner that the gravity names."""
    image = Image.new("RGB", (200, 200))
    fields = {"northwest": "red", "northeast": "lime", "southwest": "blue", "southeast": "white"}
    for index, colour in enumerate(fields.values()):
        image.paste(colour, (index % 2 * 100, index // 2 * 100, index % 2 * 100 + 100, index // 2 * 100 + 100))
    data = pictures.saved(image.resize((800, 200)), "PNG")
    for gravity, colour in (("west", "red"), ("east", "lime")):
        (picture,) = images.render(data, "image/png", [thumbnail(50, gravity=gravity)]).pictures
        shown = pictures.opened(picture.data).convert("RGB")
        assert shown.size == (50, 50)
        assert difference(shown.crop((0, 0, 50, 20)), Image.new("RGB", (50, 20), colour)) < 1


def test_what_moves_moves_on_with_its_durations_and_for_as_often() -> None:
    frames = [Image.new("RGB", (120, 80), "white") for _ in range(5)]
    for index, frame in enumerate(frames):
        frame.paste("red", (index * 20, 10, index * 20 + 20, 70))
    durations = [40, 80, 120, 160, 200]
    data = pictures.saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    rendered = images.render(data + bytes(4000), "image/gif", [*orders(), thumbnail(40)])
    assert {picture.width for picture in rendered.pictures} == {120, 40}
    for picture in rendered.pictures:
        moving = Image.open(io.BytesIO(picture.data))
        assert moving.n_frames == 5  # type: ignore[attr-defined]
        assert moving.info["loop"] == 0
        told = []
        for index in range(5):
            moving.seek(index)
            moving.load()
            told.append(moving.info["duration"])
            across = (index * 20 + 10) if picture.width == 120 else (index * 20 + 10 - 20) / 2
            if 0 < across < picture.width:
                red, green, _ = moving.convert("RGB").getpixel((int(across), moving.height // 2))  # type: ignore[misc]
                assert red > 200 > 60 > green
        assert told == durations


def test_all_frames_are_cut_alike() -> None:
    """Where there is most to see in the first one, and not where that has gone to in the next."""
    frames = [Image.new("RGB", (400, 100), "white") for _ in range(2)]
    for index, frame in enumerate(frames):
        for stripe in range(0, 100, 10):
            frame.paste("black", (index * 300 + stripe, 0, index * 300 + stripe + 5, 100))
    data = pictures.saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    (picture,) = images.render(data, "image/gif", [thumbnail(100, gravity="detail")]).pictures
    moving = Image.open(io.BytesIO(picture.data))
    assert ImageStat.Stat(moving.convert("L")).mean[0] < 160
    moving.seek(1)
    assert ImageStat.Stat(moving.convert("L")).mean[0] > 240


@pytest.mark.parametrize("kind", ["color", "blur"])
def test_a_placeholder_is_what_the_picture_is_from_afar(kind: str) -> None:
    image = Image.new("RGB", (300, 200), (200, 30, 30))
    image.paste((30, 30, 200), (150, 0, 300, 200))
    told = images.render(pictures.saved(image, "JPEG"), "image/jpeg", [], placeholder=kind).placeholder
    if kind == "color":
        assert re.fullmatch("#[0-9a-f]{6}", told)
        assert all(abs(int(told[at : at + 2], 16) - wanted) < 8 for at, wanted in ((1, 147), (3, 30), (5, 147)))
        return
    head, _, data = told.partition(",")
    assert head == "data:image/webp;base64"
    small = pictures.opened(base64.b64decode(data)).convert("RGB")
    assert max(small.size) == 16
    assert len(told) < 300
    red, _, blue = small.getpixel((2, 4))  # type: ignore[misc]
    assert red > blue + 80
    red, _, blue = small.getpixel((13, 4))  # type: ignore[misc]
    assert blue > red + 80


@pytest.mark.parametrize("kind", ["color", "blur"])
def test_a_placeholder_is_in_the_colors_of_the_page_and_not_in_those_of_a_profile(kind: str) -> None:
    """ProPhoto's green of these numbers is one that sRGB has no numbers for but its own strongest."""
    prophoto = profiles.made((0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001), (1.8,))
    data = pictures.saved(Image.new("RGB", (90, 60), (120, 200, 90)), "PNG", icc_profile=prophoto)
    told = images.render(data, "image/png", [], placeholder=kind).placeholder
    if kind == "blur":
        shown = pictures.opened(base64.b64decode(told.partition(",")[2])).convert("RGB").getpixel((4, 4))
    else:
        shown = tuple(bytes.fromhex(told[1:]))
    assert isinstance(shown, tuple)
    assert shown[0] < 40
    assert shown[1] > 215


def test_up_to_what_pillow_can_decode_the_one_limit_for_pixels_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """It warns of pictures half as large, and that is an error here."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90 * 60 // 2)
    data = pictures.saved(pictures.photograph(90, 60), "PNG")
    made = images.render(data, "image/png", [*orders(formats=BOTH), thumbnail(40)], 90 * 60).pictures
    assert [picture.width for picture in made] == [90, 90, 40]


def test_what_is_shown_for_longer_than_webp_can_say_is_left_alone_and_named() -> None:
    def shown(*delays: tuple[int, int]) -> bytes:
        return pictures.apng(8, 6, [(at * 60, 90, 200 - at * 40) for at in range(len(delays))], list(delays))

    (picture,) = images.render(shown((16_777, 1), (1, 10)), "image/png", [thumbnail(6)]).pictures
    assert pictures.opened(picture.data).info["duration"] == 16_777_000
    with pytest.raises(ImageError, match="longer than WebP"):
        images.render(shown((16_778, 1), (1, 10)), "image/png", [thumbnail(6)])


def test_what_can_be_seen_through_has_no_placeholder() -> None:
    assert images.render(pictures.png(), "image/png", [], placeholder="color").placeholder == ""


def test_the_same_picture_gives_the_same_bytes() -> None:
    data, wanted = pictures.jpeg(), orders(90, formats=BOTH)
    assert images.render(data, "image/jpeg", wanted) == images.render(data, "image/jpeg", wanted)


def test_a_width_is_the_same_whatever_else_is_made_with_it() -> None:
    data = pictures.jpeg()
    alone = images.render(data, "image/jpeg", orders(90)[1:]).pictures
    assert alone[0] in images.render(data, "image/jpeg", [*orders(90, 70), thumbnail(30)]).pictures


@pytest.mark.parametrize(
    ("data", "why", "kind"),
    [
        (b"", "empty", "broken-image"),
        (b"hello", "JPEG", "broken-image"),
        (pictures.png(), "PNG", "misnamed-image"),
        (pictures.jpeg()[:2000], "truncated|cut", "broken-image"),
    ],
)
def test_a_picture_that_cannot_be_read_says_why(data: bytes, why: str, kind: str) -> None:
    with pytest.raises(ImageError, match=why) as error:
        images.render(data, "image/jpeg", orders())
    assert error.value.kind == kind


def test_a_picture_of_more_pixels_than_are_allowed_is_not_decoded() -> None:
    data = pictures.jpeg()
    with pytest.raises(ImageError) as error:
        images.render(data, "image/jpeg", orders(), max_pixels=320 * 200 - 1)
    assert error.value.kind == "huge-image"
    assert images.render(data, "image/jpeg", orders(), max_pixels=320 * 200).pictures


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 9999), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_picture_ends_in_anything_but_a_problem(name: str, at: int, harm: bytes) -> None:
    data = bytearray(pictures.saved(pictures.photograph(20, 20), name))
    at %= len(data)
    data[at : at + len(harm)] = harm
    try:
        rendered = images.render(bytes(data), f"image/{name.lower()}", [*orders(5), thumbnail(7)], 1_000_000)
    except ImageError:
        return
    for picture in rendered.pictures:
        assert pictures.opened(picture.data).size == (picture.width, picture.height)
