from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from assetpipe.config import Gravity
from assetpipe.transforms import scaling
from tests import pictures

SIDES = st.integers(1, 3000)


def checked(size: int, *colours: tuple[int, int, int]) -> Image.Image:
    """A chessboard of single pixels."""
    image = Image.new("RGB", (size, size), colours[0])
    for y in range(size):
        for x in range(y % 2, size, 2):
            image.putpixel((x, y), colours[1])
    return image


def test_what_is_half_black_and_half_white_gives_half_the_light() -> None:
    """Which is sRGB's 188 and not 128, as a screen seen from afar shows (IEC 61966-2-1)."""
    small = scaled(checked(64, (0, 0, 0), (255, 255, 255)), 16)
    assert small.getpixel((8, 8)) == (188, 188, 188)


def scaled(image: Image.Image, width: int) -> Image.Image:
    size = scaling.within(image.size, width)
    return scaling.scaled(image, [size])[size]


@pytest.mark.parametrize("colour", [(0, 0, 0), (1, 2, 3), (5, 128, 250), (255, 255, 255)])
def test_a_flat_colour_stays_what_it_is(colour: tuple[int, int, int]) -> None:
    small = scaled(Image.new("RGB", (97, 61), colour), 31)
    assert small.getcolors() == [(31 * 19, colour)]


def test_no_colour_of_what_is_transparent_is_seen() -> None:
    """A red disc on a ground that is transparent, and green where nobody sees it."""
    image = Image.new("RGBA", (128, 128), (0, 255, 0, 0))
    ImageDraw.Draw(image).ellipse((16, 16, 112, 112), fill=(255, 0, 0, 255))
    small = scaled(image, 32)
    assert small.mode == "RGBA"
    over_white = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    _, green, blue, _ = over_white.split()
    assert max(ImageChops.subtract(green, blue).tobytes()) <= 2
    alphas = small.getchannel("A")
    assert alphas.getpixel((0, 0)) == 0
    assert alphas.getpixel((16, 16)) == 255
    assert 0 < alphas.getpixel((4, 16)) < 255  # type: ignore[operator]


def test_all_sizes_are_made_of_the_picture_itself() -> None:
    photograph = pictures.photograph(300, 200)
    both = scaling.scaled(photograph, [(300, 200), (150, 100), (60, 40), (60, 40)])
    assert list(both) == [(300, 200), (150, 100), (60, 40)]
    assert both[300, 200] is photograph
    assert ImageChops.difference(both[60, 40], scaled(photograph, 60)).getbbox() is None


@given(SIDES, SIDES, st.integers(1, 40), st.integers(1, 40))
def test_a_window_is_the_largest_of_its_proportions(width: int, height: int, across: int, down: int) -> None:
    wide, high = scaling.window(width, height, f"{across}:{down}")
    assert 1 <= wide <= width
    assert 1 <= high <= height
    assert wide == width or high == height
    # Right to the pixel that it is rounded to.
    assert abs(wide - high * across / down) <= 0.5 * max(1, across / down) or min(wide, high) == 1


@pytest.mark.parametrize(
    ("gravity", "box"),
    [
        ("center", (50, 0, 150, 100)),
        ("west", (0, 0, 100, 100)),
        ("northeast", (100, 0, 200, 100)),
        ("south", (50, 0, 150, 100)),
    ],
)
def test_gravity_says_what_is_left(gravity: Gravity, box: tuple[int, int, int, int]) -> None:
    assert scaling.place(Image.new("RGB", (200, 100)), "1:1", gravity) == box


def test_a_tall_picture_keeps_its_top_under_north() -> None:
    assert scaling.place(Image.new("RGB", (100, 200)), "1:1", "north") == (0, 0, 100, 100)
    assert scaling.place(Image.new("RGB", (100, 200)), "1:1", "southwest") == (0, 100, 100, 200)


@pytest.mark.parametrize("left", [0, 60, 200, 290])
@pytest.mark.parametrize("turned", [False, True])
def test_detail_is_found_where_it_is(left: int, turned: bool) -> None:
    image = Image.new("RGB", (400, 100), (200, 200, 200))
    image.paste(checked(80, (0, 0, 0), (255, 255, 0)).resize((100, 100), Image.Resampling.NEAREST), (left, 0))
    if turned:
        image = image.transpose(Image.Transpose.TRANSPOSE)
    x, y, right, bottom = scaling.place(image, "1:1", "detail")
    assert (right - x, bottom - y) == (100, 100)
    assert abs((y if turned else x) - left) <= 12


def test_nothing_to_see_is_cut_about_the_middle() -> None:
    assert scaling.place(Image.new("RGB", (400, 100), "navy"), "1:1", "detail") == (150, 0, 250, 100)


def test_an_average_is_one_of_light() -> None:
    assert scaling.average(checked(32, (0, 0, 0), (255, 255, 255))).tobytes() == b"\xbc\xbc\xbc"
    assert scaling.average(Image.new("RGB", (5, 4), (18, 52, 86))).tobytes() == b"\x12\x34\x56"


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 3)])
def test_the_thinnest_pictures_scale(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 20, 30))
    small = scaling.within(size, 1)
    assert scaling.scaled(image, [small])[small].size == small
    assert len(scaling.place(image, "16:9", "detail")) == 4
