"""Pictures are opened as browsers show them, and nothing that is damaged or huge does harm."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import textwrap
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageStat

from assetpipe.transforms import rasters
from assetpipe.transforms.containers import profiles
from assetpipe.transforms.rasters import ImageError
from tests import pictures

EVERYTHING = pictures.everything()
JPEG, PNG, GIF, WEBP, TIFF, BMP = (f"image/{name}" for name in ("jpeg", "png", "gif", "webp", "tiff", "bmp"))
ADOBE_RGB = profiles.made((0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06), (2.2,))


def pixels(image: Image.Image) -> list[Any]:
    return [image.getpixel((x, y)) for y in range(image.height) for x in range(image.width)]


def difference(one: Image.Image, other: Image.Image) -> float:
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGBA"), other.convert("RGBA"))).mean)


# What a picture is


@pytest.mark.parametrize("kind", EVERYTHING)
def test_the_headers_tell_what_decoding_confirms(kind: str) -> None:
    media_type, data = EVERYTHING[kind]
    facts = rasters.look(data, media_type)
    raster = rasters.decode(data, media_type)
    assert facts.media_type == media_type
    assert raster.image.size == (facts.width, facts.height)
    assert raster.image.mode in ("RGB", "RGBA")
    assert facts.alpha or raster.image.convert("RGBA").getchannel("A").getextrema() == (255, 255)
    assert facts.lossless == (media_type not in (JPEG, "image/avif") and kind not in ("webp", "tiff by JPEG"))
    assert facts.frames == (3 if kind.startswith("animated") else 1)
    assert facts.convertible


def test_to_look_at_a_picture_loads_no_library_and_decodes_nothing() -> None:
    script = """
        import sys, zlib, struct
        from assetpipe.transforms import rasters
        def chunk(name, body):
            return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        header = struct.pack(">IIBBBBB", 7000, 7000, 8, 2, 0, 0, 0)
        png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"no zlib") + chunk(b"IEND", b"")
        print(rasters.look(png, "image/png").width, "PIL.Image" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7000", "False"]


def test_a_phone_s_second_picture_makes_no_animation() -> None:
    image = pictures.photograph()
    out = io.BytesIO()
    image.save(out, "MPO", save_all=True, append_images=[pictures.photograph(seed=2)])
    facts = rasters.look(out.getvalue(), JPEG)
    assert (facts.frames, facts.metadata, facts.convertible) == (1, ("pictures",), True)
    assert difference(rasters.decode(out.getvalue(), JPEG).image, image) < 6


@pytest.mark.parametrize(
    ("lossless", "data", "media_type"),
    [
        (True, pictures.saved(pictures.photograph(), "WEBP", lossless=True), WEBP),
        (False, pictures.saved(pictures.photograph(), "WEBP"), WEBP),
        (True, pictures.saved(pictures.photograph(), "WEBP", lossless=True, icc_profile=ADOBE_RGB), WEBP),
        (True, pictures.saved(pictures.photograph(), "TIFF", compression="tiff_lzw"), TIFF),
        (False, pictures.saved(pictures.photograph(), "TIFF", compression="jpeg"), TIFF),
    ],
)
def test_whether_its_coding_lost_something_is_known(lossless: bool, data: bytes, media_type: str) -> None:
    assert rasters.look(data, media_type).lossless is lossless


def test_what_eight_bits_of_rgb_cannot_hold_is_to_be_left_alone() -> None:
    floats = pictures.saved(Image.new("F", (8, 8), 0.5), "TIFF")
    integers = pictures.saved(Image.new("I", (8, 8), 70_000), "TIFF")
    lab = pictures.saved(Image.new("LAB", (8, 8)), "TIFF")
    perceptual = pictures.with_chunks(pictures.png(), pictures.chunk(b"cICP", b"\x09\x10\0\1"))
    narrow = pictures.with_chunks(pictures.png(), pictures.chunk(b"cICP", b"\x01\x0d\0\0"))
    avif = pictures.saved(pictures.photograph(), "AVIF")
    hlg = avif.replace(b"nclx\0\x01\0\x0d", b"nclx\0\x09\0\x12")
    assert hlg != avif
    for data, media_type in ((floats, TIFF), (integers, TIFF), (lab, TIFF), (perceptual, PNG), (narrow, PNG)):
        assert not rasters.look(data, media_type).convertible
    assert not rasters.look(hlg, "image/avif").convertible
    with pytest.raises(ImageError, match="eight bits"):
        rasters.decode(floats, TIFF)


# Colours (test_colours has the proof in a browser)


def rgb_of(profile: bytes) -> bytes | None:
    return rasters.decode(pictures.saved(pictures.photograph(), "PNG", icc_profile=profile), PNG).profile


@pytest.mark.parametrize("curve", [(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)])
def test_a_profile_that_does_what_srgb_does_is_dropped_whatever_it_is_called(curve: tuple[float, ...]) -> None:
    assert profiles.made(profiles.SRGB, curve) is not None
    assert rgb_of(profiles.made(profiles.SRGB, curve) or b"") is None
    assert rgb_of(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()) is None


def test_a_profile_that_is_called_srgb_and_is_not_is_kept() -> None:
    impostor = profiles.made(profiles.SRGB, (1.8,))
    assert impostor is not None
    impostor = impostor.replace("RGB".encode("utf-16-be"), "sRG".encode("utf-16-be"))
    assert rgb_of(impostor) == impostor


def test_the_inks_of_cmyk_are_mixed_by_their_profile() -> None:
    profile = pictures.table_profile(b"CMYK")
    for inks in ((0, 0, 0, 128), (200, 30, 60, 0), (90, 90, 90, 90), (0, 255, 255, 0), (10, 20, 30, 240)):
        data = pictures.saved(
            Image.new("CMYK", (16, 16), inks), "JPEG", quality=100, subsampling=0, icc_profile=profile
        )
        raster = rasters.decode(data, JPEG)
        wanted = [round(255 * part) for part in pictures.inked(*(ink / 255 for ink in inks))]
        assert raster.profile is None
        assert max(abs(a - b) for a, b in zip(raster.image.getpixel((8, 8)), wanted, strict=True)) <= 5  # type: ignore[arg-type]


def test_a_profile_that_unpacks_to_a_bomb_is_ignored() -> None:
    bomb = pictures.chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000_000), 9))
    raster = rasters.decode(pictures.with_chunks(pictures.png(), bomb), PNG)
    assert raster.profile is None


# Depths, keys and palettes


@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_sixteen_bits_in_a_tiff_is_scaled_not_clipped(order: str) -> None:
    values = [0, 255, 256, 0x1234, 0x7FFF, 0x8000, 0xFF00, 0xFFFF]
    fields: dict[int, tuple[int, ...] | bytes] = {
        256: (8,),
        257: (1,),
        258: (16,),
        259: (1,),
        262: (1,),
        277: (1,),
        278: (1,),
    }
    data = pictures.tiff(fields, [struct.pack(f"{order}8H", *values)], order)
    assert [r for r, _, _ in pixels(rasters.decode(data, TIFF).image)] == [value >> 8 for value in values]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [1, 2])
def test_a_tiff_of_rgb_is_read_in_either_order_and_layout(order: str, planar: int) -> None:
    image = pictures.photograph(16, 8)
    fields: dict[int, tuple[int, ...] | bytes] = {
        256: (16,),
        257: (8,),
        258: (8, 8, 8),
        259: (1,),
        262: (2,),
        277: (3,),
        278: (8,),
        284: (planar,),
    }
    strips = [image.tobytes()] if planar == 1 else [band.tobytes() for band in image.split()]
    assert difference(rasters.decode(pictures.tiff(fields, strips, order), TIFF).image, image) == 0


def test_a_tiff_of_tiles_is_put_together() -> None:
    image = pictures.photograph(32, 32)
    tiles = [image.crop((x, y, x + 16, y + 16)).tobytes() for y in (0, 16) for x in (0, 16)]
    fields: dict[int, tuple[int, ...] | bytes] = {
        256: (32,),
        257: (32,),
        258: (8, 8, 8),
        259: (1,),
        262: (2,),
        277: (3,),
        322: (16,),
        323: (16,),
    }
    data = pictures.tiff(fields, tiles, places=(324, 325))
    assert difference(rasters.decode(data, TIFF).image, image) == 0


def test_a_tiff_of_several_pages_is_its_first() -> None:
    image = pictures.photograph(32, 32)
    data = pictures.saved(image, "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    assert rasters.look(data, TIFF).frames == 1
    assert difference(rasters.decode(data, TIFF).image, image) == 0


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"])
@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L", "1", "P"])
def test_a_tiff_is_read_however_it_is_packed(mode: str, compression: str) -> None:
    if (compression == "group4") != (mode == "1") or (compression == "jpeg" and mode == "P"):
        return
    image = pictures.photograph(48, 32).convert(mode)
    data = pictures.saved(image, "TIFF", compression=compression)
    assert difference(rasters.decode(data, TIFF).image, image.convert("RGB")) < (6 if compression == "jpeg" else 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_upright_once(orientation: int) -> None:
    image = Image.new("RGB", (4, 2), "white")
    image.putpixel((0, 0), (255, 0, 0))
    data = pictures.saved(image, "TIFF", compression="tiff_lzw", tiffinfo={274: orientation})
    upright = rasters.decode(data, TIFF).image
    corner = {1: (0, 0), 2: (3, 0), 3: (3, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 3), 8: (0, 3)}[orientation]
    assert upright.getpixel(corner) == (255, 0, 0)
    facts = rasters.look(data, TIFF)
    assert upright.size == (facts.width, facts.height) == ((2, 4) if orientation >= 5 else (4, 2))


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_with_alpha_keeps_both(depth: int) -> None:
    row = {8: b"\x10\xff\x20\x80\x30\0", 16: b"\x10\0\xff\xff\x20\0\x80\0\x30\0\0\0"}[depth]
    image = rasters.decode(pictures.written_png(3, 1, depth, 4, row), PNG).image
    assert pixels(image) == [(16, 16, 16, 255), (32, 32, 32, 128), (48, 48, 48, 0)]


def test_a_palette_with_alpha_for_each_colour_becomes_an_alpha_channel() -> None:
    palette = pictures.chunk(b"PLTE", bytes((255, 0, 0, 0, 255, 0, 0, 0, 255)))
    alpha = pictures.chunk(b"tRNS", b"\0\x80")
    image = rasters.decode(pictures.written_png(3, 1, 8, 3, b"\0\1\2", palette, alpha), PNG).image
    assert pixels(image) == [(255, 0, 0, 0), (0, 255, 0, 128), (0, 0, 255, 255)]


def test_a_key_of_sixteen_bits_in_colours_is_left_alone() -> None:
    data = pictures.written_png(1, 1, 16, 2, b"\x80\x01" * 3, pictures.chunk(b"tRNS", b"\x80\x01" * 3))
    assert not rasters.look(data, PNG).convertible


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("name", ["BMP", "PNG", "TIFF", "GIF"])
def test_every_mode_of_every_format_shows_what_was_saved(name: str, mode: str) -> None:
    image = pictures.photograph(33, 7).convert(mode)
    if name == "GIF":
        image = image.quantize(256) if mode == "RGB" else image
    raster = rasters.decode(pictures.saved(image, name), f"image/{name.lower()}")
    assert raster.image.mode == "RGB"
    assert difference(raster.image, image.convert("RGB")) == 0


@pytest.mark.parametrize("header", [40, 52, 56, 108, 124])
@pytest.mark.parametrize("height", [2, -2])
def test_a_bmp_is_read_from_the_bottom_or_the_top(header: int, height: int) -> None:
    rows = b"\x01\x02\x03\x04\x05\x06\0\0" + b"\x07\x08\x09\x0a\x0b\x0c\0\0"
    image = rasters.decode(pictures.bmp(2, height, 24, rows, header=header), BMP).image
    shown = [(3, 2, 1), (6, 5, 4), (9, 8, 7), (12, 11, 10)]
    assert pixels(image) == (shown if height < 0 else shown[2:] + shown[:2])


def test_an_os2_bmp_is_read() -> None:
    rows = b"\x01\x02\x03\0"
    data = b"BM" + struct.pack("<IHHI", 30, 0, 0, 26) + struct.pack("<IHHHH", 12, 1, 1, 1, 24) + rows
    assert pixels(rasters.decode(data, BMP).image) == [(3, 2, 1)]


def test_a_run_length_coded_bmp_is_left_alone() -> None:
    data = pictures.bmp(2, 2, 8, b"\0\1", compression=1)
    assert not rasters.look(data, BMP).convertible


# Animations

RED, GREEN, BLUE, CLEAR = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)


def gif_frames(data: bytes) -> list[list[Any]]:
    return [pixels(image.convert("RGBA")) for image in rasters.frames(data, GIF).frames]


@pytest.mark.parametrize(
    ("after", "third"),
    [
        (0, [RED, BLUE, RED, RED]),
        (1, [RED, BLUE, RED, RED]),
        (2, [CLEAR, BLUE, CLEAR, CLEAR]),
        (3, [CLEAR, BLUE, CLEAR, CLEAR]),
    ],
)
def test_a_gif_disposes_of_its_frames_as_it_says(after: int, third: list[Any]) -> None:
    data = pictures.gif(4, 1, [(0, 0, 4, 1, [0, 0, 0, 0]), (1, 0, 1, 1, [2])], after=after)
    assert gif_frames(data) == [[RED] * 4, third]


def test_the_transparent_pixels_of_a_gif_s_frame_show_what_was_there() -> None:
    data = pictures.gif(2, 1, [(0, 0, 2, 1, [0, 0]), (0, 0, 2, 1, [2, 1])], transparent=1)
    assert gif_frames(data) == [[RED, RED], [BLUE, RED]]


def test_a_later_frame_is_cut_to_the_canvas() -> None:
    data = pictures.gif(2, 1, [(0, 0, 2, 1, [0, 0]), (1, 0, 2, 1, [2, 2])])
    assert gif_frames(data) == [[RED, RED], [RED, BLUE]]


@pytest.mark.parametrize(("written", "plays"), [(None, 1), (0, 0), (1, 2), (9, 10)])
def test_a_gif_s_count_is_of_the_rounds_after_the_first(written: int | None, plays: int) -> None:
    frames = [(0, 0, 1, 1, [0]), (0, 0, 1, 1, [1])]
    assert rasters.frames(pictures.gif(1, 1, frames, loop=written), GIF).loop == plays


def test_the_duration_of_nothing_is_kept() -> None:
    data = pictures.gif(1, 1, [(0, 0, 1, 1, [0]), (0, 0, 1, 1, [1])], delay=0)
    assert rasters.frames(data, GIF).durations == [0, 0]


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP"])
def test_an_animation_keeps_its_frames_durations_and_rounds(name: str) -> None:
    media_type = f"image/{name.lower()}"
    data = pictures.animation(name)
    made = rasters.frames(data, media_type)
    assert (made.durations, made.loop, rasters.look(data, media_type).frames) == ([40, 120, 80], 2, 3)
    for at, frame in enumerate(made.frames):
        still = pictures.photograph(24, 16)
        still.paste((255, 0, 0), (2 + 5 * at, 3, 8 + 5 * at, 9))
        assert difference(frame, still) < (20 if name == "GIF" else 0.01)
    assert {frame.mode for frame in made.frames} == {"RGB"}, "nothing of it is transparent"
    assert difference(rasters.decode(data, media_type).image, made.frames[0]) == 0


def apng(*parts: bytes, frames: int = 2, plays: int = 0) -> bytes:
    header = pictures.chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 6, 0, 0, 0))
    control = pictures.chunk(b"acTL", struct.pack(">II", frames, plays))
    return b"\x89PNG\r\n\x1a\n" + header + control + b"".join(parts) + pictures.chunk(b"IEND", b"")


def control(width: int, x: int, after: int = 0, over: int = 0, delay: tuple[int, int] = (1, 10)) -> bytes:
    return pictures.chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, width, 1, x, 0, *delay, after, over))


def row(*colours: tuple[int, ...], later: bool = False) -> bytes:
    packed = zlib.compress(b"\0" + b"".join(map(bytes, colours)))
    return pictures.chunk(b"fdAT", bytes(4) + packed) if later else pictures.chunk(b"IDAT", packed)


def test_the_default_image_of_an_animated_png_need_not_be_a_frame() -> None:
    data = apng(
        row(GREEN, GREEN),
        control(2, 0, delay=(0, 0)),
        row(RED, RED, later=True),
        control(1, 1, delay=(1, 0)),
        row(BLUE, later=True),
        plays=3,
    )
    made = rasters.frames(data, PNG)
    assert [pixels(frame.convert("RGBA")) for frame in made.frames] == [[RED, RED], [RED, BLUE]]
    assert (made.durations, made.loop) == ([0, 10], 3)
    assert pixels(rasters.decode(data, PNG).image.convert("RGBA")) == [RED, RED]


def test_an_animated_png_blends_and_disposes_as_it_says() -> None:
    half = (0, 0, 255, 128)
    over = apng(control(2, 0), row(RED, RED), control(1, 1, over=1), row(half, later=True))
    instead = apng(control(2, 0), row(RED, RED), control(1, 1, over=0), row(half, later=True))
    cleared = apng(control(2, 0, after=1), row(RED, RED), control(1, 1), row(BLUE, later=True))
    restored = apng(
        control(2, 0),
        row(RED, RED),
        control(1, 0, after=2),
        row(BLUE, later=True),
        control(1, 1),
        row(GREEN, later=True),
        frames=3,
    )
    last = [pixels(rasters.frames(data, PNG).frames[-1].convert("RGBA")) for data in (over, instead, cleared, restored)]
    assert last == [[RED, (127, 0, 128, 255)], [RED, half], [CLEAR, BLUE], [RED, GREEN]]


def test_an_animated_png_whose_frames_do_not_add_up_is_left_alone() -> None:
    missing = apng(control(2, 0), row(RED, RED), frames=2)
    beyond = apng(control(2, 0), row(RED, RED), control(1, 2), row(BLUE, later=True))
    assert not rasters.look(missing, PNG).convertible
    assert not rasters.look(beyond, PNG).convertible


def test_all_frames_together_stay_within_the_limit() -> None:
    data = pictures.gif(100, 100, [(0, 0, 1, 1, [0])] * 101)
    assert rasters.decode(data, GIF, 1_000_000).image.size == (100, 100)
    with pytest.raises(ImageError, match="101 frames of 100 x 100") as raised:
        rasters.frames(data, GIF, 1_000_000)
    assert raised.value.kind == "huge-image"


def test_a_frame_beyond_its_canvas_is_not_decoded_without_limit() -> None:
    data = pictures.gif(1, 1, [(0, 0, 1, 1, [0]), (0, 0, 65_535, 65_535, [0])])
    with pytest.raises(ImageError) as raised:
        rasters.frames(data, GIF)
    assert raised.value.kind == "huge-image"


# Damage and bombs


def refused(data: bytes, media_type: str, call: Callable[..., Any] = rasters.decode) -> ImageError:
    with pytest.raises(ImageError) as raised:
        call(data, media_type)
    return raised.value


@pytest.mark.parametrize("kind", EVERYTHING)
def test_a_picture_that_is_cut_off_is_broken(kind: str) -> None:
    media_type, data = EVERYTHING[kind]
    for part in (0.3, 0.6, 0.9):
        error = refused(data[: int(len(data) * part)], media_type)
        assert error.kind == "broken-image"
        assert str(error)


def test_what_has_another_s_name_is_called_by_its_own() -> None:
    assert str(refused(pictures.png(), JPEG)) == "it is a PNG, whatever its name says"
    assert str(refused(pictures.jpeg(), PNG, rasters.look)) == "it is a JPEG, whatever its name says"
    assert str(refused(b"<html>", WEBP, rasters.look)) == "it is not a WebP"
    assert str(refused(b"", WEBP, rasters.look)) == "the file is empty"


def jpeg_of(width: int, height: int) -> bytes:
    data = pictures.jpeg(16, 16)
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


LIARS: dict[str, tuple[str, bytes]] = {
    "jpeg": (JPEG, jpeg_of(65_000, 65_000)),
    "png": (PNG, pictures.written_png(60_000, 60_000, 8, 0, bytes(60_000))),
    "gif": (GIF, pictures.gif(65_535, 65_535, [(0, 0, 1, 1, [0])])),
    "webp": (WEBP, b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff"),
    "lossless webp": (WEBP, b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0\x2f\xff\xff\xff\x0f\0"),
    "tiff": (TIFF, pictures.tiff({256: (100_000,), 257: (100_000,), 258: (8,), 259: (1,), 262: (1,)}, [b"x"])),
    "bmp": (BMP, pictures.bmp(100_000, 100_000, 24, b"")),
}


@pytest.mark.parametrize("kind", LIARS)
def test_a_small_file_that_claims_to_be_huge_is_refused_before_it_is_decoded(kind: str) -> None:
    media_type, data = LIARS[kind]
    error = refused(data, media_type, rasters.look)
    assert error.kind in ("huge-image", "broken-image")
    assert refused(data, media_type).kind == error.kind


def test_a_picture_that_holds_less_than_it_says_is_broken() -> None:
    assert refused(pictures.written_png(20, 20, 8, 0, bytes(20)), PNG).kind == "broken-image"
    assert refused(pictures.bmp(20, 20, 24, bytes(60)), BMP).kind == "broken-image"
    webp = bytearray(pictures.saved(pictures.photograph(24, 16), "WEBP", icc_profile=ADOBE_RGB))
    webp[24] = 200  # the canvas is wider than the picture
    assert "200" not in str(refused(bytes(webp), WEBP))
    assert refused(bytes(webp), WEBP).kind == "broken-image"


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp", "bmp", "tiff", "avif"])
def test_a_picture_of_no_pixels_is_broken(kind: str) -> None:
    media_type, data = EVERYTHING[kind]
    size = {"<": struct.pack("<H", 24), ">": struct.pack(">H", 24)}
    at = {
        "jpeg": data.index(b"\xff\xc0") + 7 if b"\xff\xc0" in data else 0,
        "png": 18,
        "gif": data.index(b",\0\0\0\0") + 5 if b",\0\0\0\0" in data else 0,
        "bmp": 18,
        "avif": data.find(b"ispe") + 10,
    }.get(kind)
    if at is None:
        return
    assert data[at : at + 2] in size.values()
    error = refused(data[:at] + b"\0\0" + data[at + 2 :], media_type, rasters.look)
    assert error.kind == "broken-image"


def test_a_panorama_is_fine_below_the_limit() -> None:
    data = pictures.saved(Image.new("L", (30_000, 100), 7), "PNG")
    assert rasters.decode(data, PNG).image.size == (30_000, 100)
    assert refused(data, PNG, lambda d, m: rasters.look(d, m, 2_999_999)).kind == "huge-image"


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_a_picture_of_one_pixel_is_a_picture(name: str) -> None:
    data = pictures.saved(Image.new("RGB", (1, 1), (200, 100, 50)), name)
    image = rasters.decode(data, f"image/{name.lower()}").image
    assert image.size == (1, 1)
    assert max(abs(a - b) for a, b in zip(image.getpixel((0, 0)), (200, 100, 50), strict=True)) < 12  # type: ignore[arg-type]


def test_a_jpeg_of_endless_scans_is_a_bomb() -> None:
    data = pictures.jpeg(4000, 2000, quality=10, progressive=True)
    start = data.rindex(b"\xff\xda")
    scan = data[start : start + 10] + b"\x00"
    bomb = data[:-2] + scan * 20_000 + b"\xff\xd9"
    assert refused(bomb, JPEG, rasters.look).kind == "huge-image"


def test_a_picture_in_millions_of_parts_is_refused() -> None:
    jpeg, png = pictures.jpeg(16, 16), pictures.png()
    files = {
        JPEG: jpeg[:2] + b"\xff\xfe\0\2" * 300_000 + jpeg[2:],
        PNG: pictures.with_chunks(png, pictures.chunk(b"teXt", b"") * 300_000),
        GIF: pictures.gif(1, 1, [(0, 0, 1, 1, [0])], extensions=b"\x21\xfe\0" * 300_000),
    }
    for media_type, data in files.items():
        assert "200,000 parts" in str(refused(data, media_type, rasters.look))
    film = pictures.gif(1, 1, [(0, 0, 1, 1, [0])] * 10_001)
    assert refused(film, GIF, rasters.look).kind == "huge-image"


def test_directories_that_lead_in_circles_come_to_an_end() -> None:
    data = bytearray(EVERYTHING["tiff by LZW"][1])
    first = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    assert rasters.decode(bytes(data), TIFF).image.size == (24, 16)


def test_compressed_text_is_never_unpacked() -> None:
    bomb = zlib.compress(bytes(100_000_000), 9)
    texts = (
        pictures.chunk(b"zTXt", b"Comment\0\0" + bomb),
        pictures.chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb),
    )
    data = pictures.with_chunks(pictures.png(), *texts)
    assert rasters.look(data, PNG).metadata == ("comment",)
    assert rasters.decode(data, PNG).image.size == (64, 64)


@pytest.mark.parametrize("kind", EVERYTHING)
def test_what_is_damaged_is_a_picture_or_an_error_for_people(kind: str) -> None:
    media_type, data = EVERYTHING[kind]
    dice = random.Random(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(150):
            harmed = harm(data, dice)
            for call in (rasters.look, rasters.decode, rasters.frames):
                error = error_of(call, harmed, media_type)
                assert error is None or (error.kind in ("broken-image", "huge-image") and str(error))


def error_of(call: Callable[..., Any], data: bytes, media_type: str) -> ImageError | None:
    """What is raised, if it is what may be."""
    try:
        call(data, media_type, 1_000_000)
    except ImageError as error:
        return error
    return None


def harm(data: bytes, dice: random.Random) -> bytes:
    """Change some bytes of a file, cut it, or repeat a part; a PNG's checksums are made right again."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 3))):
        at = dice.randrange(min(len(out), dice.choice((64, 256, 1 << 20))))
        way = dice.randrange(5)
        if way == 0:
            out[at] ^= 1 << dice.randrange(8)
        elif way == 1:
            out[at : at + 4] = dice.choice((b"\xff" * 4, bytes(4), b"\x80\0\0\0", dice.randbytes(4)))
        elif way == 2:
            del out[at : at + dice.randrange(1, 64)]
        elif way == 3:
            out[at:at] = out[at : at + 64]
        else:
            del out[max(at, 16) :]
        if not out:
            return bytes(out)
    harmed = bytes(out)
    return mended(harmed) if harmed.startswith(b"\x89PNG") else harmed


def mended(data: bytes) -> bytes:
    out, at = data[:8], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            break
        out += pictures.chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return out + data[at:]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(rasters.SOURCES)), st.binary(max_size=200))
def test_what_begins_as_a_picture_and_goes_on_as_anything_is_refused(media_type: str, tail: bytes) -> None:
    begins = {
        JPEG: b"\xff\xd8\xff",
        PNG: b"\x89PNG\r\n\x1a\n",
        GIF: b"GIF89a",
        WEBP: b"RIFF\xff\0\0\0WEBP",
        TIFF: b"II*\0\x08\0\0\0",
        BMP: b"BM",
        "image/avif": b"\0\0\0\x10ftypavif\0\0\0\0",
    }[media_type]
    error = error_of(rasters.look, begins + tail, media_type)
    assert error is None or str(error)


def test_threads_read_side_by_side_and_leave_no_mark_on_the_process() -> None:
    before = (list(warnings.filters), Image.MAX_IMAGE_PIXELS)

    def read(at: int) -> bytes:
        media_type, data = EVERYTHING[sorted(EVERYTHING)[at % len(EVERYTHING)]]
        return rasters.decode(data, media_type).image.tobytes()

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(read, range(8 * len(EVERYTHING))))
    assert made == [read(at) for at in range(8 * len(EVERYTHING))]
    assert (list(warnings.filters), Image.MAX_IMAGE_PIXELS) == before


def test_the_version_names_what_decodes() -> None:
    assert {"Pillow", "libjpeg_turbo", "littlecms", "webpdecoder", "libavif"} <= set(rasters.version().split())
