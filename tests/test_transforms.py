from __future__ import annotations

import contextlib
import gzip
import io
import struct
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageStat

from assetpipe.transforms import encodings, images
from tests import pictures

TEXT = b"a{color:red;background:url(x.png)}\n" * 40


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
def test_an_encoding_decodes_to_its_input(coding: str) -> None:
    encoded = encodings.encode(coding, TEXT)
    assert encoded is not None
    assert len(encoded) < len(TEXT)
    assert encodings.decode(coding, encoded) == TEXT


def test_the_codings_are_what_others_read() -> None:
    assert brotli.decompress(encodings.encode("br", TEXT)) == TEXT
    encoded = encodings.encode("gzip", TEXT)
    assert encoded is not None
    assert gzip.decompress(encoded) == TEXT
    assert encoded[4:8] == bytes(4), "no time in the header"


@given(st.binary(max_size=2000))
def test_an_encoding_that_saves_less_than_a_twentieth_is_not_made(data: bytes) -> None:
    for coding in ("br", "gzip", "zstd"):
        encoded = encodings.encode(coding, data)
        if encoded is None:
            assert coding != "gzip" or len(zlib.compress(data, 9)) + 6 > 0.95 * len(data)
        else:
            assert len(encoded) <= 0.95 * len(data)
            assert encodings.decode(coding, encoded) == data


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
@pytest.mark.parametrize("harm", ["cut", "changed", "longer", "empty"])
def test_damage_is_noticed(coding: str, harm: str) -> None:
    encoded = encodings.encode(coding, TEXT)
    assert encoded is not None
    harmed = {
        "cut": encoded[:-5],
        "changed": encoded[:12] + bytes((encoded[12] ^ 0xFF,)) + encoded[13:],
        "longer": encoded + b"tail",
        "empty": b"",
    }[harm]
    with contextlib.suppress(ValueError):
        assert encodings.decode(coding, harmed) != TEXT


def render(data: bytes, media_type: str, *widths: int, formats: tuple[str, ...] = ("webp",)) -> images.Renditions:
    return images.render(data, media_type, [(name, width) for width in (0, *widths) for name in formats])


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, of 255."""
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGBA"), other.convert("RGBA"))).mean)


def test_a_photograph_becomes_a_smaller_webp_that_looks_the_same() -> None:
    data = pictures.jpeg()
    (picture,) = render(data, "image/jpeg").pictures
    assert len(picture.data) < len(data)
    webp = pictures.opened(picture.data)
    assert (webp.format, webp.size) == ("WEBP", (320, 200))
    assert difference(webp, pictures.opened(data)) < 6


def test_a_drawing_becomes_a_lossless_webp() -> None:
    data = pictures.png()
    (picture,) = render(data, "image/png").pictures
    original, webp = pictures.opened(data), pictures.opened(picture.data)
    for ground in ("white", "black"):
        shown = [Image.alpha_composite(Image.new("RGBA", i.size, ground), i.convert("RGBA")) for i in (original, webp)]
        assert difference(*shown) == 0


def test_a_rendition_that_is_not_smaller_is_not_kept() -> None:
    data = pictures.jpeg(quality=5)
    assert render(data, "image/jpeg").pictures == ()


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_a_transparent_colour_stays_transparent(mode: str) -> None:
    image = Image.new("RGB", (64, 64), (255, 0, 0))
    image.paste((0, 0, 255), (16, 16, 48, 48))
    if mode == "P":
        image = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
        key: int | tuple[int, int, int] = image.getpixel((0, 0))  # type: ignore[assignment]
    else:
        key = (255, 0, 0)
    data = pictures.saved(image, "PNG", transparency=key, compress_level=0)
    (picture,) = render(data, "image/png").pictures
    webp = pictures.opened(picture.data).convert("RGBA")
    assert webp.getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert webp.getpixel((32, 32)) == (0, 0, 255, 255)


def test_the_orientation_of_a_camera_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    rendered = render(pictures.jpeg(exif=exif), "image/jpeg")
    assert (rendered.width, rendered.height) == (200, 320)
    webp = pictures.opened(rendered.pictures[0].data)
    assert webp.size == (200, 320)
    assert 0x0112 not in webp.getexif()


def test_the_colour_profile_is_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    (picture,) = render(pictures.jpeg(icc_profile=profile), "image/jpeg").pictures
    assert pictures.opened(picture.data).info["icc_profile"] == profile


def test_what_webp_cannot_hold_is_left_alone() -> None:
    cmyk = pictures.saved(pictures.photograph().convert("CMYK"), "JPEG")
    sixteen = pictures.saved(Image.new("I;16", (64, 64), 30_000), "PNG")
    deep = _png(64, 64, 16, 6, bytes(range(256)) * 128)
    assert pictures.opened(deep).mode == "RGBA"
    assert render(deep, "image/png") == images.Renditions(64, 64, ())
    frames = [Image.new("RGB", (64, 64), c) for c in ("red", "blue")]
    animation = pictures.saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert render(cmyk, "image/jpeg") == images.Renditions(320, 200, ())
    assert render(sixteen, "image/png") == images.Renditions(64, 64, ())
    assert render(animation, "image/png") == images.Renditions(64, 64, ())
    wide = pictures.saved(Image.new("RGB", (17_000, 2)), "PNG", compress_level=0)
    assert render(wide, "image/png").pictures == ()


def test_widths_are_made_below_the_image_s_own() -> None:
    rendered = render(pictures.jpeg(), "image/jpeg", 100, 320, 640, formats=("webp", "avif"))
    made = [(picture.format, picture.width, picture.height) for picture in rendered.pictures]
    assert made == [("webp", 320, 200), ("avif", 320, 200), ("webp", 100, 62), ("avif", 100, 62)]
    for picture in rendered.pictures:
        assert pictures.opened(picture.data).size == (picture.width, picture.height)


def test_the_same_picture_gives_the_same_bytes() -> None:
    data = pictures.jpeg()
    assert render(data, "image/jpeg", 90, formats=("webp", "avif")) == render(
        data, "image/jpeg", 90, formats=("webp", "avif")
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a JPEG file"),
        (pictures.png(), "not a JPEG file"),
        (pictures.jpeg()[:2000], "truncated"),
    ],
)
def test_a_picture_that_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(images.ImageError, match=why) as error:
        render(data, "image/jpeg")
    assert error.value.kind == "broken-image"


def _png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG by hand (its specification, section 5), of rows without filter bytes."""
    length = len(rows) // height
    lines = b"".join(b"\0" + rows[i * length : (i + 1) * length] for i in range(height if rows else 0))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 0)), (b"IEND", b"")):
        png += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    """A PNG header that claims 30,000 by 30,000 pixels, with hardly any there."""
    bomb = _png(30_000, 30_000, 8, 2, b"")
    with pytest.raises(images.ImageError) as error:
        render(bomb, "image/png")
    assert error.value.kind == "huge-image"


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_picture_ends_in_anything_but_a_problem(at: int, harm: bytes) -> None:
    data = bytearray(pictures.png(20, 20))
    at %= len(data)
    data[at : at + len(harm)] = harm
    try:
        rendered = render(bytes(data), "image/png")
    except images.ImageError:
        return
    for picture in rendered.pictures:
        Image.open(io.BytesIO(picture.data)).load()
