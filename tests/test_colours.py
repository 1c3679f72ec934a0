"""Colours, in a real browser: what it shows of an original and of the picture that is made of it is the same."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from PIL import Image, ImageChops, ImageStat

from assetpipe.transforms import images, metadata, rasters
from assetpipe.transforms.containers import profiles
from tests import pictures
from tests.browser import chromium
from tests.test_metadata import TELLING

# Draws a picture on a canvas in sRGB, as it is displayed, and tells its size and pixels.
DRAW = """
const [url, done] = arguments;
const image = new Image();
image.src = url;
image.decode().then(() => {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext('2d', {colorSpace: 'srgb', willReadFrequently: true});
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = '';
  for (let at = 0; at < pixels.length; at += 8192)
    text += String.fromCharCode(...pixels.subarray(at, at + 8192));
  done([canvas.width, canvas.height, btoa(text)]);
}, error => done(String(error)));
"""
Show = Callable[[bytes, str], Image.Image]


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Show]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        browser.driver.get("about:blank")

        def shown(data: bytes, media_type: str) -> Image.Image:
            url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
            told: Any = browser.driver.execute_async_script(DRAW, url)  # type: ignore[no-untyped-call, unused-ignore]
            assert not isinstance(told, str), told
            return Image.frombytes("RGBA", (told[0], told[1]), base64.b64decode(told[2]))

        yield shown


DISPLAY_P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE_RGB = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
PROPHOTO = (0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)


def photograph(mode: str = "RGB") -> Image.Image:
    return pictures.photograph(160, 100).convert(mode)


def printed() -> Image.Image:
    """A photograph in four inks, black among them."""
    inks = photograph("CMYK").split()
    return Image.merge("CMYK", (*inks[:3], photograph("L").point([value // 3 for value in range(256)])))


def ramp(depth: int, colour: int) -> bytes:
    """All the sixteen-bit values there are, in steps of 37, forth and back: grey, or as red, green and blue."""
    rows = bytearray()
    for at in range(160 * 100):
        value = at * 37 % 65536
        rows += value.to_bytes(2, "big")
        if colour == 2:
            rows += (65535 - value).to_bytes(2, "big") + (value * 3 % 65536).to_bytes(2, "big")
    return pictures.written_png(160, 100, depth, colour, bytes(rows))


def matrix(points: tuple[float, ...], *curve: float) -> bytes:
    profile = profiles.made(points, curve or (2.2,))
    assert profile is not None
    return profile


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    return pictures.saved(photograph(mode), "JPEG", quality=92, **options)


def png(mode: str = "RGB", *chunks: bytes, **options: Any) -> bytes:
    return pictures.with_chunks(pictures.saved(photograph(mode), "PNG", **options), *chunks)


def cicp(*points: int) -> bytes:
    return pictures.chunk(b"cICP", bytes(points))


def avif(primaries: int, transfer: int) -> bytes:
    data = pictures.saved(photograph(), "AVIF", quality=80, subsampling="4:4:4")
    at = data.index(b"nclx") + 4
    return data[:at] + primaries.to_bytes(2, "big") + transfer.to_bytes(2, "big") + data[at + 4 :]


def deep_bmp(**options: Any) -> bytes:
    r, g, b = photograph().split()
    rows = Image.merge("RGBA", (b, g, r, ImageChops.add(r, g, 2))).tobytes()
    return pictures.bmp(160, -100, 32, rows, header=124, **options)


# By how many levels of 255 what is shown may differ, on average and anywhere. Measured: up to 0.05 and 1 where nothing
# is lost by decoding; 0.5 and 1 where it is, with another version of a library; tables are interpolated in more ways.
EXACT, DECODED, TABLES = (0.06, 1), (0.6, 2), (1.2, 8)
CASES: dict[str, tuple[bytes, str, tuple[float, int]]] = {
    "a photograph in Display P3": (jpeg(icc_profile=matrix(DISPLAY_P3)), "image/jpeg", DECODED),
    "a photograph in Adobe RGB": (jpeg(icc_profile=matrix(ADOBE_RGB)), "image/jpeg", DECODED),
    "a photograph in ProPhoto": (jpeg(icc_profile=matrix(PROPHOTO, 1.8)), "image/jpeg", DECODED),
    "CMYK with a profile": (jpeg("CMYK", icc_profile=pictures.table_profile(b"CMYK")), "image/jpeg", TABLES),
    "CMYK without one": (pictures.saved(printed(), "JPEG", quality=92), "image/jpeg", DECODED),
    "CMYK with a profile of RGB": (jpeg("CMYK", icc_profile=matrix(ADOBE_RGB)), "image/jpeg", DECODED),
    "RGB by tables": (png(icc_profile=pictures.table_profile(b"RGB ")), "image/png", TABLES),
    "a grey JPEG with a profile of greys": (jpeg("L", icc_profile=pictures.grey_profile(1.0)), "image/jpeg", DECODED),
    "a grey PNG with a profile of greys": (png("L", icc_profile=pictures.grey_profile(1.4)), "image/png", EXACT),
    "grey and alpha with a profile of greys": (png("LA", icc_profile=pictures.grey_profile(1.4)), "image/png", EXACT),
    "a grey JPEG with a profile of RGB": (jpeg("L", icc_profile=matrix(ADOBE_RGB, 1.0)), "image/jpeg", DECODED),
    "RGB with a profile of greys": (png(icc_profile=pictures.grey_profile(1.0)), "image/png", EXACT),
    "a damaged profile": (png(icc_profile=matrix(ADOBE_RGB, 1.0)[:200]), "image/png", EXACT),
    "a palette in Display P3": (
        pictures.saved(photograph().quantize(64), "PNG", icc_profile=matrix(DISPLAY_P3)),
        "image/png",
        EXACT,
    ),
    "grey of sixteen bits": (ramp(16, 0), "image/png", EXACT),
    "RGB of sixteen bits": (ramp(16, 2), "image/png", EXACT),
    "gAMA alone, as sRGB has it": (png("RGB", pictures.gamma(0.45455)), "image/png", EXACT),
    "gAMA alone": (png("RGB", pictures.gamma(1.0)), "image/png", EXACT),
    "gAMA of a grey one": (png("L", pictures.gamma(0.6)), "image/png", EXACT),
    "gAMA and cHRM": (
        png("RGB", pictures.gamma(0.45455), pictures.chromaticities(DISPLAY_P3)),
        "image/png",
        EXACT,
    ),
    "cHRM alone": (png("RGB", pictures.chromaticities(DISPLAY_P3)), "image/png", EXACT),
    "cHRM of zeros": (png("RGB", pictures.gamma(0.5), pictures.chromaticities((0.0,) * 8)), "image/png", EXACT),
    "sRGB before gAMA": (png("RGB", pictures.chunk(b"sRGB", b"\0"), pictures.gamma(1.0)), "image/png", EXACT),
    "gAMA with a wrong checksum": (png("RGB", pictures.gamma(1.0)[:-1] + b"!"), "image/png", EXACT),
    **{
        f"cICP {primaries}, {transfer}": (png("RGB", cicp(primaries, transfer, 0, 1)), "image/png", EXACT)
        for primaries, transfer in (
            *((12, curve) for curve in (1, 2, 4, 5, 7, 8, 9, 11, 13, 14)),
            *((points, 13) for points in (1, 2, 4, 5, 6, 7, 8, 9, 11, 22)),
        )
    },
    "cICP before iCCP": (
        png("RGB", cicp(1, 13, 0, 1), icc_profile=matrix(ADOBE_RGB, 1.0)),
        "image/png",
        EXACT,
    ),
    "a WebP in Display P3": (
        pictures.saved(photograph(), "WEBP", quality=90, icc_profile=matrix(DISPLAY_P3)),
        "image/webp",
        DECODED,
    ),
    "a WebP by tables": (
        pictures.saved(photograph(), "WEBP", lossless=True, icc_profile=pictures.table_profile(b"RGB ")),
        "image/webp",
        TABLES,
    ),
    "an AVIF that says Display P3": (avif(12, 13), "image/avif", DECODED),
    "an AVIF that says BT.709": (avif(1, 1), "image/avif", DECODED),
    "an AVIF that says linear": (avif(1, 8), "image/avif", DECODED),
    "a BMP with a profile": (
        deep_bmp(masks=(0xFF0000, 0xFF00, 0xFF, 0), compression=3, profile=matrix(DISPLAY_P3)),
        "image/bmp",
        EXACT,
    ),
    "a BMP with alpha": (deep_bmp(masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), compression=3), "image/bmp", DECODED),
    "a BMP with alpha, by its header alone": (
        deep_bmp(masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
        "image/bmp",
        DECODED,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rendition_shows_the_colours_of_its_original(name: str, show: Show) -> None:
    data, media_type, (mean, most) = CASES[name]
    raster = rasters.decode(data, media_type)
    rendition = pictures.saved(raster.image, "WEBP", lossless=True, exact=True, icc_profile=raster.profile)
    differs = ImageChops.difference(*(flat(show(*one)) for one in ((data, media_type), (rendition, "image/webp"))))
    worst = max(high for _, high in differs.getextrema())  # type: ignore[misc]
    assert worst <= most, f"{worst} of 255 somewhere"
    assert max(ImageStat.Stat(differs).mean) <= mean


def flat(image: Image.Image) -> Image.Image:
    """The colours as they are seen on grey: of what is nearly transparent, a canvas does not keep them."""
    return Image.alpha_composite(Image.new("RGBA", image.size, (128, 128, 128)), image).convert("RGB")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_rendition_is_as_upright_as_its_original(name: str, orientation: int, show: Show) -> None:
    image = Image.new("RGB", (48, 32), "white")
    image.paste("red", (0, 0, 16, 16))
    image.paste("blue", (32, 0, 48, 32))
    media_type = f"image/{name.lower()}"
    data = pictures.saved(image, name, quality=95, exif=pictures.exif(orientation))
    seen = show(data, media_type).convert("RGB")
    raster = rasters.decode(data, media_type)
    facts = rasters.look(data, media_type)
    assert raster.image.size == seen.size == (facts.width, facts.height)
    assert max(ImageStat.Stat(ImageChops.difference(raster.image, seen)).mean) < 3


FRAMES = {
    "the first smaller than its canvas": pictures.gif(4, 4, [(1, 1, 2, 2, [0, 1, 2, 0])]),
    "the first beyond its canvas": pictures.gif(2, 2, [(1, 1, 2, 2, [0, 1, 2, 0])]),
    "a canvas of nothing": pictures.gif(0, 0, [(1, 1, 2, 2, [0, 1, 2, 0])]),
    "a transparent colour": pictures.gif(2, 2, [(0, 0, 2, 2, [0, 1, 2, 0])], transparent=1),
    "a palette of its own": pictures.gif(2, 2, [(0, 0, 2, 2, [0, 1, 2, 0])], local=((9, 8, 7), (200, 0, 200)) * 2),
    "greys in order": pictures.gif(2, 2, [(0, 0, 2, 2, [0, 1, 2, 3])], palette=tuple((i, i, i) for i in range(4))),
    "no trailer": pictures.gif(2, 2, [(0, 0, 2, 2, [0, 1, 2, 3])])[:-1],
}
KEYED = {
    "a grey of sixteen bits": (16, 0, b"\x80\xff\x80\x00\x7f\xff\x80\xff", b"\x80\xff"),
    "a grey of four bits": (4, 0, b"\x0f\x7f", b"\0\x0f"),
    "a grey of two bits": (2, 0, b"\x1b", b"\0\x02"),
    "a grey of one bit": (1, 0, b"\x50", b"\0\1"),
    "a grey of eight bits": (8, 0, b"\1\2\3\4", b"\0\3"),
    "a colour": (8, 2, b"\1\2\3" + b"\4\5\6" * 2 + b"\7\x08\x09", b"\0\4\0\5\0\6"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_gif_is_what_a_browser_shows_of_it(name: str, show: Show) -> None:
    data = FRAMES[name]
    seen = show(data, "image/gif")
    image = rasters.decode(data, "image/gif").image
    assert flat(image.convert("RGBA")).tobytes() == flat(seen).tobytes()
    assert image.size == seen.size


@pytest.mark.parametrize("name", KEYED)
def test_a_colour_key_is_what_a_browser_makes_of_it(name: str, show: Show) -> None:
    depth, colour, row, key = KEYED[name]
    data = pictures.written_png(4, 1, depth, colour, row, pictures.chunk(b"tRNS", key))
    seen = show(data, "image/png")
    assert seen.getchannel("A").getextrema() == (0, 255)
    assert flat(rasters.decode(data, "image/png").image).tobytes() == flat(seen).tobytes()


@pytest.mark.parametrize("kind", [kind for kind in TELLING if not kind.startswith("tiff")])
def test_a_stripped_original_is_shown_as_it_was(kind: str, show: Show) -> None:
    media_type, data, _ = TELLING[kind]
    stripped = metadata.strip(data, media_type)
    assert stripped != data
    assert show(stripped, media_type).tobytes() == show(data, media_type).tobytes()
    assert show(stripped, media_type).size == show(data, media_type).size


# The pictures that are most often turned wrong, and by how many levels of 255 their lossy renditions may be off what is
# shown of the original, on average (measured: 2.4, 1.9, 0.9, 0 and 0 for WebP; 1.6, 1.2, 0.6, 0.3 and 1.9 for AVIF).
@pytest.mark.parametrize("output", ["webp", "avif"])
@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("a photograph in Display P3", 3),
        ("CMYK with a profile", 4),
        ("a grey JPEG with a profile of greys", 3),
        ("grey of sixteen bits", 3),
        ("RGB of sixteen bits", 3),
    ],
)
def test_what_is_published_shows_the_colours_of_its_original(
    name: str, mean: float, output: Literal["webp", "avif"], show: Show
) -> None:
    data, media_type, _ = CASES[name]
    order = images.Order(output, 90, thumbnail=True)
    (picture,) = images.render(data, media_type, [order]).pictures
    original, rendition = show(data, media_type), show(picture.data, f"image/{output}")
    assert original.size == rendition.size
    differs = ImageChops.difference(flat(original), flat(rendition))
    assert max(ImageStat.Stat(differs).mean) <= mean
