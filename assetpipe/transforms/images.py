"""Renditions of PNG and JPEG images. Pillow is imported with this module, so import it where there is work for it.

Each pitfall of Pillow that turns a picture wrong is met here: the EXIF orientation is applied, the colour profile kept,
a transparent palette or colour key becomes an alpha channel. Pictures that WebP or AVIF cannot hold as they are (CMYK,
16 bits a channel, animations, above the formats' sizes) get no rendition.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES = {"webp": ".webp", "avif": ".avif"}
# What Pillow is asked for; with its version, all that the bytes depend on beside the picture.
SETTINGS = "webp 80 method 4, lossless for png; avif 60 speed 6, one thread"
MAX_PIXELS = 80_000_000
_MAX_SIDE = 16_383  # of WebP (RFC 9649 section 2.7.1.1)
_SOURCES = {"image/png": "PNG", "image/jpeg": "JPEG"}

# Between Pillow's warning and its error lie pictures of a gigabyte: refuse them at the warning.
warnings.simplefilter("error", Image.DecompressionBombWarning)


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


def render(data: bytes, media_type: str, formats: Sequence[str], widths: Sequence[int]) -> Renditions:
    """Make the full-size rendition in each format, and one for each width below the image's own.

    Deterministic: the same bytes for the same input and version of Pillow. Raises ImageError for a picture that is
    damaged, or has more than MAX_PIXELS.
    """
    if not data:
        raise ImageError("broken-image", "the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=(_SOURCES[media_type],)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
            animated = getattr(image, "is_animated", False)
            if animated or not _is_representable(image):
                # Turned by a quarter, the picture is displayed with its sides swapped.
                turned = image.getexif().get(0x0112, 1) >= 5
                width, height = (image.height, image.width) if turned else image.size
                return Renditions(width, height, ())
            profile = image.info.get("icc_profile")
            picture = _with_alpha(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("huge-image", f"more pixels than are safe to decode: {error}") from error
    except UnidentifiedImageError as error:
        raise ImageError("broken-image", f"not a {_SOURCES[media_type]} file, whatever its name says") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError …
        raise ImageError("broken-image", str(error) or type(error).__name__) from error
    lossless = media_type == "image/png"
    pictures = []
    for width in (picture.width, *sorted({w for w in widths if w < picture.width}, reverse=True)):
        height = max(1, round(picture.height * width / picture.width))
        if max(width, height) > _MAX_SIDE:
            continue
        sized = picture if width == picture.width else picture.resize((width, height), Image.Resampling.LANCZOS)
        for name in formats:
            encoded = _encode(sized, name, profile, lossless=lossless)
            if len(encoded) < len(data):
                pictures.append(Picture(name, encoded, width, height))
    return Renditions(picture.width, picture.height, tuple(pictures))


def _is_representable(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA")


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
