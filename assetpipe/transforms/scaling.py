"""Says what is cut of pictures, and scales them: in linear light, since an average of sRGB's numbers is too dark.

Pillow scales 32-bit floats as well as bytes, so each channel goes through a table into light, is scaled there, and goes
through another one back: no more is held at once that way than one channel of the picture, and the results.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import Image

    from assetpipe.config import Gravity

_LIGHT = 65_535  # of white
# Where the rest lies, as shares of what is cut off: left and above.
_PLACES: dict[str, tuple[float, float]] = {
    "center": (0.5, 0.5),
    "north": (0.5, 0),
    "northeast": (1, 0),
    "east": (1, 0.5),
    "southeast": (1, 1),
    "south": (0.5, 1),
    "southwest": (0, 1),
    "west": (0, 0.5),
    "northwest": (0, 0),
}


def window(width: int, height: int, crop: str) -> tuple[int, int]:
    """The largest size of the proportions ``crop`` ("16:9"; none: all of it) within a picture, in pixels."""
    if not crop:
        return width, height
    across, _, down = crop.partition(":")
    a, d = int(across), int(down)
    return min(width, max(1, round(height * a / d))), min(height, max(1, round(width * d / a)))


def within(size: tuple[int, int], width: int) -> tuple[int, int]:
    """The size of a picture that is scaled to a width."""
    return width, max(1, round(size[1] * width / size[0]))


def place(image: Image.Image, crop: str, gravity: Gravity) -> tuple[int, int, int, int]:
    """Where that lies: left, top, right and bottom, in pixels."""
    width, height = window(image.width, image.height, crop)
    across, down = image.width - width, image.height - height
    if gravity == "detail" and across + down:
        left, top = _busiest(image, width, height)
    else:
        shares = _PLACES.get(gravity, _PLACES["center"])
        left, top = round(shares[0] * across), round(shares[1] * down)
    return left, top, left + width, top + height


def scaled(image: Image.Image, sizes: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Image.Image]:
    """Scale a picture, of mode RGB or RGBA, down to each of the sizes, by Lanczos' filter."""
    from PIL import Image

    wanted = [size for size in dict.fromkeys(sizes) if size != image.size]
    made = {image.size: image}
    bands: dict[tuple[int, int], list[Image.Image]] = {size: [] for size in wanted}
    alpha = image.getchannel("A").convert("F") if wanted and image.mode == "RGBA" else None
    alphas = {size: alpha.resize(size, Image.Resampling.LANCZOS) for size in wanted} if alpha is not None else {}
    for name in "RGB" if wanted else "":
        light = image.getchannel(name).point(_to_light(), "F")
        if alpha is not None:
            # What is transparent has no part in the color of its surroundings.
            light = _calculated(lambda of: of["light"] * of["alpha"] / 255, light=light, alpha=alpha)
        for size in wanted:
            band = light.resize(size, Image.Resampling.LANCZOS)
            if alpha is not None:
                band = _calculated(
                    lambda of: of["light"] * 255 / of["max"](of["alpha"], 0.5), light=band, alpha=alphas[size]
                )
            # Lanczos' filter goes beyond black and white beside an edge: the table ends there.
            bands[size].append(band.convert("I").point(_from_light(), "L"))
        del light
    for size in wanted:
        if alpha is None:
            made[size] = Image.merge("RGB", bands.pop(size))
        else:
            rounded = alphas[size].point(lambda value: value + 0.5).convert("L")
            made[size] = Image.merge("RGBA", [*bands.pop(size), rounded])
    return made


def cut(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """What lies at that place; Pillow's ``crop`` has a limit of its own for what is left."""
    from PIL import Image

    return image.transform((box[2] - box[0], box[3] - box[1]), Image.Transform.EXTENT, box)


def average(image: Image.Image) -> Image.Image:
    """The color of all of a picture together, as its one pixel."""
    from PIL import Image

    bands = []
    for name in "RGB":
        light = image.getchannel(name).point(_to_light(), "F").resize((1, 1), Image.Resampling.BOX)
        bands.append(light.convert("I").point(_from_light(), "L"))
    return Image.merge("RGB", bands)


def _busiest(image: Image.Image, width: int, height: int) -> tuple[int, int]:
    """Where a window of a size has most edges in it; of the same, the middle. Only one of its sides is shorter."""
    from PIL import Image, ImageFilter

    small = image.convert("L")
    small.thumbnail((128, 128), Image.Resampling.BOX, reducing_gap=None)
    edges = small.filter(ImageFilter.FIND_EDGES)
    # The filter leaves the outermost pixels as they are: they are no edges.
    edges.paste(0, (0, 0, edges.width, 1))
    edges.paste(0, (0, edges.height - 1, edges.width, edges.height))
    edges.paste(0, (0, 0, 1, edges.height))
    edges.paste(0, (edges.width - 1, 0, edges.width, edges.height))
    is_across = width < image.width
    line = (edges.width, 1) if is_across else (1, edges.height)
    sums = array("f", edges.convert("F").resize(line, Image.Resampling.BOX).tobytes())
    long, kept = (image.width, width) if is_across else (image.height, height)
    count = max(1, round(len(sums) * kept / long))
    middle = (len(sums) - count) / 2
    start = max(range(len(sums) - count + 1), key=lambda at: (sum(sums[at : at + count]), -abs(at - middle)))
    place = min(long - kept, round(start * long / len(sums)))
    return (place, 0) if is_across else (0, place)


def _calculated(function: object, **images: Image.Image) -> Image.Image:
    from PIL import ImageMath

    made: Image.Image = ImageMath.lambda_eval(function, **images)  # type: ignore[arg-type]
    return made


@lru_cache(maxsize=1)
def _to_light() -> tuple[float, ...]:
    """The light of each of sRGB's numbers (IEC 61966-2-1)."""
    values = (number / 255 for number in range(256))
    return tuple(_LIGHT * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for v in values)


@lru_cache(maxsize=1)
def _from_light() -> tuple[int, ...]:
    values = (light / _LIGHT for light in range(_LIGHT + 1))
    return tuple(round(255 * (v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)) for v in values)
