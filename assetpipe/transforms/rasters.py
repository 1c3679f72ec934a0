"""Pictures opened: what their files say, then their pixels, upright and in eight bits of RGB.

1. ``containers`` takes the file apart: its size, orientation, profile and frames, with nothing decoded.
2. What is larger than the limit ends here: a decoder sees it no sooner.
3. Pillow decodes the bare picture: no metadata, no profile, no further pictures get to it, so none can do harm.
4. Frames are drawn on their canvas as browsers draw them.
5. ``colours`` settles what the numbers mean; the picture is turned upright.
"""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING, Any

import PIL
from msgspec import Struct

from assetpipe.transforms import colours, containers
from assetpipe.transforms.containers.container import Container, ImageError, broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

__all__ = ["MAX_PIXELS", "SOURCES", "Animation", "Facts", "ImageError", "Raster", "decode", "frames", "look", "version"]

# The media types that are read, and what Pillow calls them.
SOURCES: dict[str, tuple[str, ...]] = {
    "image/jpeg": ("JPEG", "MPO"),
    "image/png": ("PNG",),
    "image/gif": ("GIF",),
    "image/tiff": ("TIFF",),
    "image/bmp": ("BMP",),
    "image/webp": ("WEBP",),
    "image/avif": ("AVIF",),
}
# Pillow's modules; its own ``open`` warns of large pictures for the whole process, and would look at all formats.
_PLUGINS = {
    "image/jpeg": "Jpeg",
    "image/png": "Png",
    "image/gif": "Gif",
    "image/tiff": "Tiff",
    "image/bmp": "Bmp",
    "image/webp": "WebP",
    "image/avif": "Avif",
}
MAX_PIXELS = 50_000_000
# A progressive JPEG comes in some ten passes; a small file may ask for a hundred thousand over a large picture.
_MAX_PASSES = 50
# Change this where another picture comes out of the same file.
_REVISION = 1


class Facts(Struct, frozen=True):
    """What a picture is, by its headers.

    The size is in pixels, as displayed. ``frames`` is 1 for a still. ``lossless``: its coding has lost nothing.
    ``alpha``: parts of it may be transparent. ``metadata`` names what ``metadata.strip`` takes out: ``position`` (where
    it was taken), ``exif``, ``xmp``, ``iptc``, ``comment``, ``thumbnail``, ``pictures``, ``gain map``, ``credentials``,
    ``time``, ``other``. What is not ``convertible`` is right as it is, and to be left alone (floating point, HDR).
    """

    media_type: str
    width: int
    height: int
    frames: int = 1
    lossless: bool = False
    alpha: bool = False
    metadata: tuple[str, ...] = ()
    convertible: bool = True


class Raster(Struct, frozen=True):
    """A decoded picture: RGB or RGBA, eight bits, upright; its ICC profile, if that is not sRGB."""

    image: Image.Image
    profile: bytes | None = None


class Animation(Struct, frozen=True):
    """Decoded frames, each the whole canvas; milliseconds for each, and how often all are played (0: for ever)."""

    frames: list[Image.Image]
    durations: list[int]
    loop: int
    profile: bytes | None = None


def look(data: bytes, media_type: str, max_pixels: int = MAX_PIXELS) -> Facts:
    """Tell what a picture is; decodes nothing, and loads no library. Raises ImageError."""
    container = _read(data, media_type, max_pixels)
    turned = container.orientation >= 5
    return Facts(
        media_type,
        container.height if turned else container.width,
        container.width if turned else container.height,
        max(1, len(container.frames)),
        container.lossless,
        container.alpha,
        tuple(sorted(container.metadata)),
        container.convertible,
    )


def decode(data: bytes, media_type: str, max_pixels: int = MAX_PIXELS) -> Raster:
    """Decode a still, or the first picture of an animation. Raises ImageError."""
    container = _readable(data, media_type, max_pixels)
    if container.frames:
        image, profile = next(_drawn(container, media_type, max_pixels))
        image = image.convert("RGB") if _is_opaque(image) else image
    else:
        image, profile = _still(container, media_type)
    return Raster(_upright(image, container.orientation), profile)


def frames(data: bytes, media_type: str, max_pixels: int = MAX_PIXELS) -> Animation:
    """Decode every frame. Raises ImageError, also where all frames together have more than ``max_pixels``."""
    container = _readable(data, media_type, max_pixels)
    if not container.frames:
        raster = decode(data, media_type, max_pixels)
        return Animation([raster.image], [0], 1, raster.profile)
    pixels = container.width * container.height * len(container.frames)
    if pixels > max_pixels:
        raise ImageError(
            "huge-image",
            f"{len(container.frames)} frames of {container.width} x {container.height} pixels are more than the "
            f"{max_pixels:,} pixels that are decoded at most",
        )
    drawn = list(_drawn(container, media_type, max_pixels))
    upright = [_upright(image, container.orientation) for image, _ in drawn]
    if all(map(_is_opaque, upright)):
        upright = [image.convert("RGB") for image in upright]
    return Animation(upright, [frame.duration for frame in container.frames], container.loop, drawn[0][1])


def version() -> str:
    """Tell all that the pixels depend on, beside the picture: this module and the libraries that decode.

    They are asked where ``PIL.features`` asks them, which would import ten times as much for it.
    """
    found = [f"rasters {_REVISION}", f"Pillow {PIL.__version__}"]
    for module, names in {
        "_imaging": ("libjpeg_turbo_version", "jpeglib_version"),
        "_imagingcms": ("littlecms_version",),
        "_webp": ("webpdecoder_version",),
        "_avif": ("libavif_version",),
    }.items():
        try:
            library = import_module(f"PIL.{module}")
        except ImportError:
            continue
        found += [
            f"{name.removesuffix('_version')} {getattr(library, name)}" for name in names if hasattr(library, name)
        ]
    return ", ".join(found)


def _read(data: bytes, media_type: str, max_pixels: int) -> Container:
    container = containers.read(data, media_type)
    pixels = container.width * container.height
    if pixels > max_pixels:
        raise ImageError(
            "huge-image",
            f"{container.width} x {container.height} pixels are more than the {max_pixels:,} that are decoded at most",
        )
    if pixels * container.passes > max_pixels * _MAX_PASSES:
        raise ImageError("huge-image", f"its {container.passes:,} scans make it a bomb, not a photograph")
    return container


def _readable(data: bytes, media_type: str, max_pixels: int) -> Container:
    container = _read(data, media_type, max_pixels)
    if not container.convertible:
        raise broken("it cannot be brought into eight bits of RGB")
    return container


def _still(container: Container, media_type: str) -> tuple[Image.Image, bytes | None]:
    image = _pixels(container.bare, media_type, (container.width, container.height), container.key)
    return colours.settle(image, container.profile)


def _drawn(container: Container, media_type: str, max_pixels: int) -> Iterator[tuple[Image.Image, bytes | None]]:
    """Draw the frames on their canvas, which is transparent at first whatever colour the file names for it."""
    from PIL import Image

    canvas = Image.new("RGBA", (container.width, container.height))
    pixels = 0
    for frame in container.frames:
        # What lies beyond the canvas is decoded, too.
        pixels += frame.width * frame.height
        if pixels > max_pixels:
            raise ImageError("huge-image", f"its frames have more than the {max_pixels:,} pixels decoded at most")
        still = _pixels(frame.data, media_type, (frame.width, frame.height), container.key)
        settled, profile = colours.settle(still, container.profile)
        before = canvas.copy() if frame.after == "restore" else canvas
        if frame.over and settled.mode == "RGBA":
            canvas.alpha_composite(settled, (frame.x, frame.y))
        else:
            canvas.paste(settled.convert("RGBA"), (frame.x, frame.y))
        yield canvas.copy(), profile
        canvas = before
        if frame.after == "clear":
            canvas.paste((0, 0, 0, 0), (frame.x, frame.y, frame.x + frame.width, frame.y + frame.height))


def _pixels(bare: bytes, media_type: str, size: tuple[int, int], key: int | tuple[int, ...] | None) -> Image.Image:
    """Decode one picture to L, LA, RGB, RGBA or CMYK."""
    name = _PLUGINS[media_type]
    try:
        plugin: Any = getattr(import_module(f"PIL.{name}ImagePlugin"), f"{name}ImageFile")
        with plugin(io.BytesIO(bare)) as image:
            if image.size != size:
                raise broken(f"it says {size[0]} x {size[1]} pixels, and holds {image.size[0]} x {image.size[1]}")
            image.load()
            if key is not None:
                image.info["transparency"] = key
            return _in_eight_bits(image)
    except (ImageError, MemoryError):  # another time there may be memory
        raise
    except Exception as error:  # Pillow's codecs raise OSError, SyntaxError, ValueError, struct.error, EOFError …
        raise broken(str(error) or type(error).__name__) from error


def _in_eight_bits(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I;16"):
        # The upper byte of each sample, which is what browsers take; Pillow would clip at 255.
        low_first = image.tobytes()
        upper = low_first[0::2] if image.mode == "I;16B" else low_first[1::2]
        grey = Image.frombytes("L", image.size, upper)
        key = image.info.get("transparency")
        if key is not None:
            lower = low_first[1::2] if image.mode == "I;16B" else low_first[0::2]
            grey.putalpha(_unlike(grey, Image.frombytes("L", image.size, lower), divmod(key, 256)))
        return grey
    if image.mode in ("LA", "RGB", "RGBA", "L", "CMYK") and "transparency" not in image.info:
        image.info = {}  # or the resolution, and more, would go where it is saved
        return image
    if image.mode in ("1", "L"):
        return image.convert("LA" if "transparency" in image.info else "L")
    if image.mode in ("La", "LA"):
        return image.convert("LA")
    alpha = "transparency" in image.info or image.mode in ("PA", "RGBa", "RGBA")
    return image.convert("RGBA" if alpha else "RGB")


def _unlike(upper: Image.Image, lower: Image.Image, key: tuple[int, int]) -> Image.Image:
    """An alpha channel that is 0 where both bytes of a sample are those of the key."""
    from PIL import ImageChops

    one, other = (
        band.point([255 * (value != wanted) for value in range(256)])
        for band, wanted in zip((upper, lower), key, strict=True)
    )
    return ImageChops.lighter(one, other)


def _is_opaque(image: Image.Image) -> bool:
    return image.getchannel("A").getextrema() == (255, 255)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture as EXIF has it (CIPA DC-008 section 4.6.5.1)."""
    from PIL import Image

    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)
