"""From an image to the renditions that are wanted of it.

1. ``rasters.look``: what it is, from its headers.
2. ``plan``: which of the orders are to be met, and the size of each. Nothing is scaled up.
3. ``rasters.decode``, once: upright, in a mode that scales.
4. ``scaling``: cut and scaled, each size once for all its formats.
5. ``codecs``: encoded. What has no fewer bytes than the image itself is left out.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.config import Gravity, ImageFormat, Quality  # noqa: TC001 - msgspec reads what it decodes by
from assetpipe.transforms import codecs, colours, likeness, memory, rasters, scaling

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from PIL import Image

    from assetpipe.transforms.rasters import Facts

# The longest side that a format has room for, in pixels: WebP's of RFC 9649 section 2.7.1.1, AVIF's of libavif.
MAX_SIDE = {"webp": 16_383, "avif": 32_768}
_OWN = {"webp": "image/webp", "avif": "image/avif"}
# A placeholder is this long, and may as well be blurred: it is shown at the size of the picture.
_BLUR_SIDE, _BLUR_QUALITY = 16, 40
# What a pixel takes until it is encoded, in bytes; what each of the largest AVIF takes beside that; and each of those
# that are compared by eye.
_LOSSY_PIXEL, _LOSSLESS_PIXEL = 14, 38
_AVIF_PIXEL = 26
_SEEN_PIXEL = 75


class Order(Struct, frozen=True, omit_defaults=True):
    """One rendition that is wanted, by its format and width in pixels (0: the image's own).

    A ``thumbnail`` is kept whatever its bytes are, since the image itself cannot stand in for it: it is cut to the
    proportions ``crop``, and as wide as the image where that is narrower.
    """

    format: ImageFormat
    quality: Quality
    width: int = 0
    thumbnail: bool = False
    crop: str = ""
    gravity: Gravity = "center"


class Size(Struct, frozen=True):
    """What a picture is cut and scaled to, in pixels."""

    crop: str
    gravity: Gravity
    width: int
    height: int


class Picture(Struct, frozen=True):
    """What was made for an order, and its size in pixels as displayed."""

    order: Order
    data: bytes
    width: int
    height: int


class Rendered(Struct, frozen=True):
    """What an image is, and what was made of it. ``placeholder`` is empty where none was wanted or none is right."""

    facts: Facts
    pictures: tuple[Picture, ...]
    placeholder: str = ""


def plan(facts: Facts, orders: Iterable[Order]) -> dict[Order, Size]:
    """Say which of the orders are to be met for such an image, and how large each picture will be."""
    planned = {}
    for order in orders:
        size = scaling.window(facts.width, facts.height, order.crop)
        if order.width and order.width < size[0]:
            size = scaling.within(size, order.width)
        elif not order.thumbnail and (order.width or facts.media_type == _OWN[order.format]):
            continue  # wider than it is; or what it is already
        is_moving = facts.frames > 1 and order.format != "webp"
        if facts.convertible and not is_moving and max(size) <= MAX_SIDE[order.format]:
            planned[order] = Size(order.crop, order.gravity, *size)
    return planned


def holds_place(facts: Facts, placeholder: str) -> bool:
    """Say whether such an image is to have a placeholder."""
    return placeholder != "none" and facts.convertible and not facts.alpha


def render(
    data: bytes,
    media_type: str,
    orders: Sequence[Order],
    max_pixels: int = rasters.MAX_PIXELS,
    placeholder: str = "none",
) -> Rendered:
    """Make what is wanted of an image, and a ``placeholder`` ("color" or "blur", where nothing of it is transparent).

    Deterministic: the same bytes for the same input and libraries. Raises ImageError for what is damaged, is no image
    of that type, or has more than ``max_pixels``.
    """
    facts = rasters.look(data, media_type, max_pixels)
    planned = plan(facts, orders)
    held = holds_place(facts, placeholder)
    if not planned and not held:
        return Rendered(facts, ())
    with memory.room.held(_memory(facts, planned)):
        if facts.frames > 1:
            moving = rasters.frames(data, media_type, max_pixels)
            frames, profile = moving.frames, moving.profile
        else:
            raster = rasters.decode(data, media_type, max_pixels)
            moving, frames, profile = None, [raster.image], raster.profile
        pictures = []
        for order, sized in _sized(frames, planned):
            if moving is not None:
                made = codecs.animate(
                    sized,
                    moving.durations,
                    moving.loop,
                    order.format,
                    order.quality,
                    profile=profile,
                    lossless_source=facts.lossless,
                )
            else:
                made = codecs.encode(
                    sized[0], order.format, order.quality, profile=profile, lossless_source=facts.lossless
                )
            if order.thumbnail or len(made) < len(data):
                pictures.append(Picture(order, made, *sized[0].size))
        shown = _placeholder(frames[0], profile, placeholder) if held and frames[0].mode == "RGB" else ""
    return Rendered(facts, tuple(pictures), shown)


def version(order: Order | None) -> str:
    """All that the bytes made for an order depend on, beside the image and the order; for none, what is said of it."""
    name, quality = ("webp", _BLUR_QUALITY) if order is None else (order.format, order.quality)
    return f"{rasters.version()}; {codecs.version(name, quality)}; Lanczos in linear light"


def _memory(facts: Facts, planned: dict[Order, Size]) -> int:
    """How many bytes it takes to make what is planned, about."""
    pixels = facts.width * facts.height
    needed = pixels * facts.frames * (_LOSSLESS_PIXEL if facts.lossless else _LOSSY_PIXEL)
    needed += _AVIF_PIXEL * max(
        (s.width * s.height for order, s in planned.items() if order.format == "avif"), default=0
    )
    if any(isinstance(order.quality, str) for order in planned):
        needed += _SEEN_PIXEL * min(pixels, likeness.WHOLE) * (2 if facts.alpha else 1)
    return needed


def _sized(frames: Sequence[Image.Image], planned: dict[Order, Size]) -> Iterable[tuple[Order, list[Image.Image]]]:
    """Each order with the frames for it; what is cut alike is scaled together."""
    for crop, gravity in dict.fromkeys((size.crop, size.gravity) for size in planned.values()):
        orders = {o: (s.width, s.height) for o, s in planned.items() if (s.crop, s.gravity) == (crop, gravity)}
        # All frames are cut where the first is, or what is seen would jump about.
        box = scaling.place(frames[0], crop, gravity)
        whole = (0, 0, *frames[0].size)
        sizes = [
            scaling.scaled(frame if box == whole else scaling.cut(frame, box), orders.values()) for frame in frames
        ]
        for order, size in orders.items():
            yield order, [made[size] for made in sizes]


def _placeholder(image: Image.Image, profile: bytes | None, kind: str) -> str:
    """Make what pages show until the image is there: in sRGB, since a profile would be several times as large."""
    if kind == "color":
        return "#" + colours.in_srgb(scaling.average(image), profile).tobytes().hex()
    share = min(1.0, _BLUR_SIDE / max(image.size))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    small = colours.in_srgb(scaling.scaled(image, [size])[size], profile)
    data = codecs.encode(small, "webp", _BLUR_QUALITY, profile=None, lossless_source=False)
    return "data:image/webp;base64," + base64.b64encode(data).decode()
