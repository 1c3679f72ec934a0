"""How alike two pictures look: the scores of the original measure, and what follows from what they are for."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from assetpipe.transforms import likeness
from assetpipe.transforms.likeness import Original
from tests.pictures import photograph

MARGIN = 48  # left as it is, since others end a picture in another way


def landscape(width: int = 480, height: int = 320) -> Image.Image:
    dice = random.Random(7)
    image = Image.new("RGB", (width, height), (120, 160, 220))
    brush = ImageDraw.Draw(image)
    for _ in range(width * height // 384):
        x, y, side = dice.randrange(width), dice.randrange(height), dice.randrange(4, 60)
        colour = (dice.randrange(256), dice.randrange(256), dice.randrange(256))
        brush.ellipse((x, y, x + side, y + side // 2), fill=colour)
    return image


def halved_colour(image: Image.Image) -> Image.Image:
    light, *colours = image.convert("YCbCr").split()
    return Image.merge("YCbCr", [light, *(one.reduce(2).resize(one.size) for one in colours)]).convert("RGB")


def shifted(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return Image.merge("RGB", [ImageChops.offset(red, 1, 0), green, blue])


def inside(image: Image.Image, change: Callable[[Image.Image], Image.Image]) -> Image.Image:
    box = (MARGIN, MARGIN, image.width - MARGIN, image.height - MARGIN)
    changed = image.copy()
    changed.paste(change(image.crop(box)), box[:2])
    return changed


# By the package ssimulacra2 0.3.0, which others have written.
@pytest.mark.parametrize(
    ("change", "drawn", "photographed"),
    [
        (lambda image: image.filter(ImageFilter.BoxBlur(0.3)), 63.75, 93.48),
        (lambda image: image.filter(ImageFilter.BoxBlur(1)), 46.87, 90.89),
        (lambda image: ImageOps.posterize(image, 5), 73.42, 76.92),
        (halved_colour, 68.21, 93.1),
        (shifted, 56.64, 73.78),
        (lambda image: image.reduce(2).resize(image.size, Image.Resampling.NEAREST), 56.3, 91.85),
    ],
)  # fmt: skip
def test_the_score_is_that_of_ssimulacra_2(
    change: Callable[[Image.Image], Image.Image], drawn: float, photographed: float
) -> None:
    for image, expected in ((landscape(), drawn), (photograph(480, 320), photographed)):
        assert Original(image).score(inside(image, change)) == pytest.approx(expected, abs=0.5)


def test_a_picture_is_like_itself_and_less_so_the_more_it_is_blurred() -> None:
    image = landscape()
    original = Original(image)
    scores = [original.score(image.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 0.4, 0.8, 1.6)]
    assert scores[0] > 99.9
    assert scores == sorted(scores, reverse=True)
    assert scores[3] < 40


def test_damage_that_only_a_white_ground_shows_counts() -> None:
    """A shadow that has gone is nothing on black."""
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((60, 60, 140, 140), fill=(0, 0, 0, 160))
    gone = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    assert Original(image.convert("RGB")).score(gone.convert("RGB")) > 99.9
    assert Original(image).score(gone) < 70


def test_colours_that_nobody_sees_do_not_count() -> None:
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((60, 60, 140, 140), fill=(200, 30, 30, 255))
    hidden = Image.new("RGBA", (200, 200), (90, 200, 10, 0))
    hidden.paste(image, (0, 0), image)
    assert Original(image).score(hidden) > 99.9


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (16, 16), (127, 129)])
def test_small_pictures_have_a_score_too(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (200, 30, 30))
    assert Original(image).score(image) > 99.9
    assert Original(image).score(Image.new("RGB", size, (30, 30, 200))) < 0


def test_an_icon_is_judged_as_the_same_picture_repeated_is() -> None:
    """The original measure forgets the lightness of what has fewer than 256 pixels a side."""
    icon = landscape(64, 64)
    blurred = icon.filter(ImageFilter.GaussianBlur(0.8))
    mirrored = [Image.new("RGB", (256, 256)) for _ in range(2)]
    for sheet, one in zip(mirrored, (icon, blurred), strict=True):
        for n in range(16):
            turned = ImageOps.mirror(one) if n % 2 else one
            sheet.paste(ImageOps.flip(turned) if n // 4 % 2 else turned, (n % 4 * 64, n // 4 * 64))
    assert Original(icon).score(blurred) == pytest.approx(Original(mirrored[0]).score(mirrored[1]), abs=1)


@pytest.mark.parametrize("size", [(1800, 1300), (20_000, 110), (40, 60_000)])
def test_of_a_large_picture_tiles_are_compared_in_their_own_scale(size: tuple[int, int]) -> None:
    """However wide or tall it is; and what is wrong in every place is found, as wrong as it is."""
    image = landscape(600, 600)
    large = Image.new("RGB", size)
    for left in range(0, size[0], 600):
        for top in range(0, size[1], 600):
            large.paste(image, (left, top))
    blurred = large.filter(ImageFilter.BoxBlur(0.4))
    part = (0, 0, min(size[0], 1200), min(size[1], 1200))
    whole = Original(large.crop(part)).score(blurred.crop(part))
    assert whole < 70
    assert Original(large).score(blurred) == pytest.approx(whole, abs=4)


def test_a_large_picture_is_not_scaled_down_which_would_hide_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = landscape(900, 900)
    other = inside(fine, lambda image: image.filter(ImageFilter.BoxBlur(0.5)))
    whole = Original(fine).score(other)
    monkeypatch.setattr(likeness, "WHOLE", 400_000)
    assert Original(fine).score(other) == pytest.approx(whole, abs=4)
