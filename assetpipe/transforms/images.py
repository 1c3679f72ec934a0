"""Renditions of PNG and JPEG images. Pillow is imported where there is work for it: it takes its time.

Each pitfall of Pillow that turns a picture wrong is met here: the EXIF orientation is applied, the colour profile kept,
a transparent palette or colour key becomes an alpha channel. Pictures that WebP or AVIF cannot hold as they are (CMYK,
16 bits a channel, animations, above the formats' sizes) get no rendition.
"""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import PIL
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from PIL import Image

# The media types that renditions are made of, and what Pillow calls them.
SOURCES = {"image/png": "PNG", "image/jpeg": "JPEG"}
# What Pillow is asked for; change this with it.
_SETTINGS = "webp 80 method 4, lossless for png; avif 60 speed 6, one thread"
MAX_PIXELS = 80_000_000
_MAX_SIDE = 16_383  # of WebP (RFC 9649 section 2.7.1.1)


class ImageError(Exception):
    """The picture cannot be read; its text says why. ``kind`` is ``broken-image`` or ``huge-image``."""

    def __init__(self, kind: Literal["broken-image", "huge-image"], text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Picture(Struct, frozen=True):
    """Encoded bytes, their format, and their size in pixels as displayed."""

    format: str
    data: bytes
    width: int
    height: int


class Renditions(Struct, frozen=True):
    """What was made of one image: its own size as displayed, and the pictures that are smaller in bytes than it."""

    width: int
    height: int
    pictures: tuple[Picture, ...]


def render(data: bytes, media_type: str, sizes: Iterable[tuple[str, int]]) -> Renditions:
    """Make a rendition for each of the ``sizes``, a format and a width: 0 is the image's own, and none is above that.

    Deterministic: the same bytes for the same input and version of Pillow. Raises ImageError for a picture that is
    damaged, or has more than MAX_PIXELS.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    # Between Pillow's warning and its error lie pictures of a gigabyte: refuse them at the warning. Its others
    # ("corrupt EXIF data") name no file and change no pixel.
    warnings.filterwarnings("ignore", module="PIL")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    if not data:
        raise ImageError("broken-image", "the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=(SOURCES[media_type],)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
            if getattr(image, "is_animated", False) or not _is_representable(image, data):
                # Turned by a quarter, the picture is displayed with its sides swapped.
                turned = image.getexif().get(0x0112, 1) >= 5
                width, height = (image.height, image.width) if turned else image.size
                return Renditions(width, height, ())
            profile = image.info.get("icc_profile")
            picture = _with_alpha(ImageOps.exif_transpose(image))
            pictures = list(_pictures(picture, sizes, profile, lossless=media_type == "image/png"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("huge-image", f"more pixels than are safe to decode: {error}") from error
    except UnidentifiedImageError as error:
        raise ImageError("broken-image", f"not a {SOURCES[media_type]} file, whatever its name says") from error
    except Exception as error:  # Pillow's codecs raise OSError, SyntaxError, ValueError, struct.error, EOFError …
        raise ImageError("broken-image", str(error) or type(error).__name__) from error
    smaller = tuple(one for one in pictures if len(one.data) < len(data))
    return Renditions(picture.width, picture.height, smaller)


def version(name: str) -> str:
    """What is asked of Pillow, its version and those of what reads a picture and writes it in the format ``name``: with
    the picture and the width, all that the bytes depend on.
    """
    needed = {"Pillow", "libjpeg", f"lib{name}"}
    told = ", ".join(f"{library} {number}" for library, number in libraries().items() if library in needed)
    return f"{told}: {_SETTINGS}"


def libraries() -> dict[str, str]:
    """The versions of Pillow and of the libraries that it calls, which need not have come with it.

    They are asked where ``PIL.features`` asks them, which would import ten times as much for it.
    """
    from PIL import _imaging

    found = {"Pillow": PIL.__version__, "libjpeg": _imaging.jpeglib_version}
    if _imaging.HAVE_LIBJPEGTURBO:
        found["libjpeg"] = f"turbo {_imaging.libjpeg_turbo_version}"
    with suppress(ImportError):
        from PIL import _webp

        found["libwebp"] = _webp.webpdecoder_version
    with suppress(ImportError):
        from PIL import _avif

        found["libavif"] = f"{_avif.libavif_version} ({_avif.codec_versions()})"
    return found


def _pictures(
    picture: Image.Image, sizes: Iterable[tuple[str, int]], profile: bytes | None, *, lossless: bool
) -> Iterator[Picture]:
    from PIL import Image

    # The widest first, which needs the picture as it is; each width is made once, for all its formats.
    by_width: dict[int, list[str]] = {}
    for name, width in sizes:
        if width < picture.width:
            by_width.setdefault(width or picture.width, []).append(name)
    for width in sorted(by_width, reverse=True):
        height = max(1, round(picture.height * width / picture.width))
        if max(width, height) > _MAX_SIDE:
            continue
        sized = picture if width == picture.width else picture.resize((width, height), Image.Resampling.LANCZOS)
        for name in by_width[width]:
            yield Picture(name, _encode(sized, name, profile, lossless=lossless), width, height)


def _is_representable(image: Image.Image, data: bytes) -> bool:
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        return False
    # Pillow opens 16 bits a channel as 8; the depth is in the header (PNG section 11.2.1).
    if image.format == "PNG" and data[24:25] == b"\x10":
        return False
    # A profile of greys says nothing of the three channels that the rendition would have (ICC.1 section 7.2.6).
    return bytes(image.info.get("icc_profile") or b"")[16:20] != b"GRAY"


def _with_alpha(image: Image.Image) -> Image.Image:
    """Bring a picture into a mode that scales and saves without loss: RGBA where anything of it is transparent."""
    transparent = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA")
    return image.convert("RGBA" if transparent else "RGB")


def _encode(image: Image.Image, name: str, profile: bytes | None, *, lossless: bool) -> bytes:
    out = io.BytesIO()
    if name == "webp":
        image.save(out, "WEBP", quality=80, method=4, lossless=lossless, exact=False, icc_profile=profile, exif=b"")
    else:
        image.save(out, "AVIF", quality=60, speed=6, max_threads=1, icc_profile=profile, exif=b"")
    return out.getvalue()
