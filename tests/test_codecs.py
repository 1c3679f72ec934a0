"""From pixels to bytes: what is lossy and what is not, what the eye is promised, and what is in the files."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from assetpipe.config import ImageFormat, Quality
from assetpipe.errors import ConfigError
from assetpipe.transforms import codecs
from assetpipe.transforms.likeness import Original
from tests.pictures import opened, photograph, saved
from tests.test_likeness import landscape

FORMATS: tuple[ImageFormat, ...] = ("webp", "avif")
NAMES: tuple[Quality, ...] = ("medium", "high", "visually-lossless")


def interface(width: int = 300, height: int = 200) -> Image.Image:
    """Coloured text and rules on a flat ground: what halved colours and ringing ruin."""
    image = Image.new("RGB", (width, height), (250, 250, 245))
    brush = ImageDraw.Draw(image)
    for row in range(5, height - 10, 14):
        brush.text((8, row), "Save as … Cancel Apply Help  0123456789", fill=(220, 0, 0) if row % 4 else (0, 0, 200))
        brush.line((5, row + 12, width - 5, row + 12), fill=(60, 160, 60))
    return image


def encode(image: Image.Image, name: ImageFormat, quality: Quality, *, drawn: bool = True) -> bytes:
    return codecs.encode(image, name, quality, profile=None, lossless_source=drawn)


def is_same(image: Image.Image, data: bytes) -> bool:
    return ImageChops.difference(image, opened(data).convert(image.mode)).getbbox(alpha_only=False) is None


# Lossy or lossless


def test_a_photograph_is_lossy_and_a_drawing_is_lossless() -> None:
    camera, screen = photograph(400, 300), interface()
    assert not is_same(camera, encode(camera, "webp", 80))
    assert is_same(screen, encode(screen, "webp", 80))
    assert len(encode(camera, "webp", 80)) < len(saved(camera, "WEBP", lossless=True)) / 4


@pytest.mark.parametrize("quality", [30, 50, 80, 95])
def test_no_number_makes_photographs_lossless_or_ruins_drawings(quality: int) -> None:
    assert not is_same(photograph(400, 300), encode(photograph(400, 300), "webp", quality))
    assert is_same(interface(), encode(interface(), "webp", quality))


def test_what_was_lossy_before_stays_so() -> None:
    """Its losses are in it; to keep them exactly is worth nothing."""
    assert not is_same(interface(), encode(interface(), "webp", 80, drawn=False))


def test_a_soft_drawing_is_lossy_where_that_hurts_nothing() -> None:
    soft = Image.linear_gradient("L").resize((400, 300)).convert("RGB")
    noise = photograph(400, 300, seed=3)
    soft = Image.blend(soft, noise, 0.3)
    data = encode(soft, "webp", 80)
    assert len(data) < len(saved(soft, "WEBP", lossless=True)) / 3
    assert Original(soft).score(opened(data)) > 70


@pytest.mark.parametrize("quality", NAMES)
def test_of_a_drawing_the_smaller_of_both_is_taken_at_the_wanted_quality(quality: Quality) -> None:
    for image in (interface(), landscape(300, 200)):
        data = encode(image, "webp", quality)
        # Pillow's own lossless mode, at its default effort, is what there is at least to beat.
        assert len(data) <= len(saved(image, "WEBP", lossless=True)) * 1.02


def test_avif_keeps_the_colour_of_thin_lines() -> None:
    """Halved in colour, red and blue text would be a smear."""
    screen = interface()
    halved = saved(screen, "AVIF", quality=60, subsampling="4:2:0", max_threads=1)
    original = Original(screen)
    assert original.score(opened(encode(screen, "avif", 60))) > original.score(opened(halved)) + 5


# Quality by eye


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("quality", NAMES)
@pytest.mark.parametrize("drawn", [True, False])
def test_the_picture_reaches_the_score_that_its_quality_names(name: ImageFormat, quality: Quality, drawn: bool) -> None:
    assert isinstance(quality, str)
    for image in (photograph(300, 200), landscape(300, 200), interface()):
        data = encode(image, name, quality, drawn=drawn)
        assert Original(image).score(opened(data).convert("RGB")) >= codecs.TARGETS[quality]


@pytest.mark.parametrize("name", FORMATS)
def test_no_number_a_little_lower_would_do(name: ImageFormat) -> None:
    image = photograph(400, 300)
    original = Original(image)
    data = encode(image, name, "high", drawn=False)
    numbered = {
        number: codecs.encode(image, name, number, profile=None, lossless_source=False) for number in range(101)
    }
    number = next(number for number, made in numbered.items() if made == data)
    assert original.score(opened(numbered[max(0, number - 3)])) < 70.5


def test_a_better_name_is_a_larger_picture() -> None:
    sizes = [len(encode(photograph(400, 300), "avif", name)) for name in NAMES]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("name", FORMATS)
def test_a_transparent_picture_is_judged_on_black_and_on_white(name: ImageFormat) -> None:
    image = photograph(300, 200).convert("RGBA")
    image.putalpha(Image.radial_gradient("L").resize(image.size))
    data = encode(image, name, "high")
    assert opened(data).mode == "RGBA"
    for ground in ("black", "white"):
        seen = []
        for one in (image, opened(data)):
            behind = Image.new("RGBA", image.size, ground)
            behind.alpha_composite(one)
            seen.append(behind.convert("RGB"))
        assert Original(seen[0]).score(seen[1]) >= 70


def test_webp_that_cannot_look_the_same_is_the_same() -> None:
    """Halved colours are seen: no number makes up for it."""
    screen = interface()
    best = saved(screen, "WEBP", quality=100, method=6)
    assert Original(screen).score(opened(best)) < 90
    assert is_same(screen, encode(screen, "webp", "visually-lossless", drawn=False))


def test_a_search_says_nothing_and_warns_of_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    encode(photograph(200, 100), "webp", "high")
    assert capfd.readouterr() == ("", "")


def test_without_the_extra_a_name_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for quality in (80, *NAMES):
        codecs.check(quality)
    # None in the table of modules is how Python itself writes that there is none.
    monkeypatch.setitem(sys.modules, "numpy", None)
    codecs.check(80)
    with pytest.raises(ConfigError, match=r'pip install "assetpipe\[perceptual\]"'):
        codecs.check("high")


def test_a_number_needs_no_numpy() -> None:
    script = (
        "import sys\n"
        "from PIL import Image\n"
        "from assetpipe.transforms import codecs\n"
        "assert 'PIL._webp' not in sys.modules\n"
        "codecs.version('webp', 'high')\n"
        "for name in ('webp', 'avif'):\n"
        "    codecs.encode(Image.new('RGB', (9, 9)), name, 80, profile=None, lossless_source=True)\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# What is in the files


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("quality", [80, "high"])
@pytest.mark.parametrize("make", [interface, photograph])
def test_the_same_picture_gives_the_same_bytes(name: ImageFormat, quality: Quality, make: Any) -> None:
    assert encode(make(), name, quality) == encode(make(), name, quality)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_but_the_profile_is_written_beside_the_pixels(name: ImageFormat) -> None:
    """Whatever the picture came with."""
    image = photograph()
    image.info = {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0", "xmp": b"<x:xmpmeta>", "icc_profile": b"stale"}
    bare = opened(encode(image, name, 80))
    assert not {"exif", "xmp", "icc_profile"} & bare.info.keys()
    kept = opened(codecs.encode(image, name, 80, profile=b"a profile", lossless_source=True))
    assert kept.info["icc_profile"] == b"a profile"
    assert not {"exif", "xmp"} & kept.info.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_grey_costs_no_colour(name: ImageFormat) -> None:
    image = photograph(400, 300)
    grey = image.convert("L")
    data = encode(grey.convert("RGB"), name, 60)
    # A picture of greys proper saves as much, within 5 % and some bytes of header.
    assert len(data) < len(saved(grey, name.upper(), quality=60, method=6, speed=6, max_threads=1)) * 1.05 + 100
    red, green, blue = opened(data).convert("RGB").split()
    for one in (red, blue):
        assert max(ImageStat.Stat(ImageChops.difference(one, green)).mean) < 1


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("quality", [80, *NAMES])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_single_pixel_is_a_picture(name: ImageFormat, quality: Quality, mode: str) -> None:
    made = opened(encode(Image.new(mode, (1, 1), (10, 200, 30)), name, quality))
    assert made.size == (1, 1)
    found = made.convert("RGB").getpixel((0, 0))
    assert isinstance(found, tuple)
    assert all(abs(a - b) < 12 for a, b in zip(found, (10, 200, 30), strict=True))


def test_alpha_is_kept_to_the_pixel() -> None:
    image = photograph(200, 100).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    assert opened(encode(image, "webp", 60)).getchannel("A").tobytes() == image.getchannel("A").tobytes()


def test_the_version_tells_what_the_bytes_depend_on() -> None:
    versions = {codecs.version(name, quality) for name in FORMATS for quality in (80, *NAMES)}
    assert len(versions) == 8  # a format, by number or by one of three names
    assert "libwebp" in codecs.version("webp", 80)
    assert "libavif" in codecs.version("avif", 80)
    assert codecs.version("webp", 80) == codecs.version("webp", 60)
    assert codecs.libraries()["Pillow"] in codecs.version("avif", "high")


# Animations


def moving(count: int = 9, size: tuple[int, int] = (90, 60), *, mode: str = "RGBA") -> list[Image.Image]:
    """A ball and a number, on nothing."""
    found = []
    for n in range(count):
        image = Image.new("RGBA", size, (0, 0, 0, 0) if mode == "RGBA" else (240, 240, 255, 255))
        brush = ImageDraw.Draw(image)
        brush.ellipse((n * 6, 20, n * 6 + 30, 50), fill=(200, 30 + n, 30, 255))
        brush.text((3, 3), f"{n}", fill=(0, 0, 0, 255))
        found.append(image.convert(mode))
    return found


def animate(frames: list[Image.Image], durations: list[int], loop: int = 0, quality: Quality = 80, **how: Any) -> bytes:
    return codecs.animate(frames, durations, loop, "webp", quality, **{"profile": None, "lossless_source": True, **how})


def played(data: bytes) -> list[tuple[Image.Image, int]]:
    """Every frame as it is shown, and for how many milliseconds."""
    found = []
    with Image.open(io.BytesIO(data)) as image:
        for n in range(getattr(image, "n_frames", 1)):
            image.seek(n)
            image.load()
            found.append((image.convert("RGBA"), image.info.get("duration", 0)))
    return found


@pytest.mark.parametrize("quality", [80, "high"])
@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_an_animation_keeps_its_frames_and_durations(quality: Quality, drawn: bool, mode: str) -> None:
    frames, durations = moving(mode=mode), [40, 50, 60, 1000, 70, 20, 30, 90, 2000]
    shown = played(animate(frames, durations, quality=quality, lossless_source=drawn))
    assert [duration for _, duration in shown] == durations
    for frame, (seen, _) in zip(frames, shown, strict=True):
        assert Original(frame).score(seen.convert(mode)) > 50


@pytest.mark.parametrize("loop", [0, 1, 3, 65_535])
def test_an_animation_is_played_as_often_as_before(loop: int) -> None:
    data = animate(moving(), [50] * 9, loop)
    assert opened(data).info["loop"] == loop


def test_more_plays_than_there_is_room_for_are_as_many_as_there_is() -> None:
    assert opened(animate(moving(), [50] * 9, 1_000_000)).info["loop"] == 65_535


def test_equal_frames_are_shown_as_long_as_all_of_them() -> None:
    frames = moving()
    frames[4] = frames[3].copy()
    shown = played(animate(frames, [100, 200, 300, 400, 500, 600, 700, 800, 900]))
    assert [duration for _, duration in shown] == [100, 200, 300, 900, 600, 700, 800, 900]


def test_a_drawn_animation_is_exact_and_smaller_than_its_gif() -> None:
    frames = [frame.quantize(16).convert("RGB") for frame in moving(mode="RGB")]
    data = animate(frames, [50] * 9)
    gif = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert len(data) < len(gif)
    for frame, (seen, _) in zip(frames, played(data), strict=True):
        assert ImageChops.difference(frame, seen.convert("RGB")).getbbox() is None


def test_a_filmed_animation_is_lossy() -> None:
    frames = [photograph(160, 120, seed=n) for n in range(4)]
    data = animate(frames, [50] * 4)
    exact = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50, lossless=True)
    assert len(data) < len(exact) / 3


def test_an_animation_has_the_profile_and_nothing_else() -> None:
    frames = moving(3)
    for frame in frames:
        frame.info = {"exif": b"Exif\0\0MM", "xmp": b"<x:xmpmeta>", "background": 7, "loop": 9, "duration": 3}
    made = opened(animate(frames, [50] * 3, profile=b"a profile"))
    assert made.info["icc_profile"] == b"a profile"
    assert made.info["loop"] == 0
    assert not {"exif", "xmp"} & made.info.keys()


def test_the_same_animation_gives_the_same_bytes() -> None:
    assert animate(moving(), [50] * 9, quality="high") == animate(moving(), [50] * 9, quality="high")
