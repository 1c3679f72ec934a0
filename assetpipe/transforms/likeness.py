"""How alike two pictures look: the score of SSIMULACRA 2, in numpy.

1. Linear light, then XYB: what the cones of an eye answer, as lightness (Y) and two differences (X, B).
2. At each of five scales, every one half as wide: where the structure differs (SSIM), where edges are that were not
   there (ringing, blocks), where edges are lost (blur).
3. Of each such map the mean, or the 4-norm, in which the worst places count for most; weighted, summed, and bent into
   a scale on which 30 is low quality, 50 medium, 70 high, and at 90 hardly anybody tells the two apart.

The measure, its weights and its scale are those of libjxl, ``tools/ssimulacra2.cc`` (Copyright (c) the JPEG XL Project
Authors, BSD-3-Clause). Of its 108 weights those below 0.003 are left out: they do not move a score above 50 by 0.1, and
what is left needs one plane of three at the full scale, where the time goes. Two things are otherwise: outside its
edges the picture is mirrored, not black; and what is under 128 pixels is mirrored up to that, since with fewer scales
the original takes the weights of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    Plane = np.ndarray[Any, np.dtype[np.float32]]

_SCALES = 5
_LEAST = 8 << (_SCALES - 1)  # pixels a side, for all scales to be there
# By scale and plane (X, Y, B): what structure, edges that appeared and edges lost weigh, each as mean and as 4-norm.
_WEIGHTS: tuple[dict[int, tuple[tuple[float, float], ...]], ...] = (
    {1: ((0, 7.466890328078848), (0, 0), (0, 17.445833984131262))},
    {0: ((0, 1.1041726426657346), (0, 0), (0, 0)), 1: ((0, 6.683678146179332), (0, 0), (0, 1.027889937768264))},
    {
        0: ((0, 1.8422455520539298), (0, 11.441172603757666), (0, 0)),
        1: ((225.20515300849274, 19.213238186143016), (0, 0), (0, 0)),
    },
    {
        0: ((0, 1.8787594979546387), (0, 10.94906990605142), (0, 0)),
        1: ((176.39317598450694, 24.43300999870476), (0, 0.28520802612117757), (0, 0)),
        2: ((0, 8.826982764996862), (0, 23.19243343998926), (0, 0)),
    },
    {
        0: ((0, 0), (0.9677937080626833, 0.9981766977854967), (0, 0)),
        1: ((0, 34.77906344483772), (0, 44.835625328877896), (0, 0)),
        2: (
            (95.1080498811086, 0),
            (0.9863978034400682, 171.2667255897307),
            (0.9834382792465353, 0.9807858872435379),
        ),
    },
)
# Of a picture with more pixels than this, 32 tiles are compared, of so many pixels a side. Of 14 photographs with 4 to
# 9 megapixels that is 1.0 too kind in the mean, which is taken away, and off by 0.9 in deviation; a reduced copy is 13
# too kind.
WHOLE = 2_100_000
_TILE = 256
_KIND = 1.0
# What the cones take of red, green and blue light, and their answer to none.
_CONES = ((0.30, 0.622, 0.078), (0.23, 0.692, 0.078), (0.24342268924547819, 0.20476744424496821, 0.5518098665095536))
_BIAS = 0.0037930732552754493
# A Gaussian of 1.5 pixels.
_RADIUS = 5
_SIGMA = 1.5


class Original:
    """A picture that others of its size are held against; what is known of it alone is worked out once."""

    def __init__(self, image: Image.Image) -> None:
        # What is transparent shows what is behind it, which may be anything: the two extremes stand for all.
        self._grounds = ("#000", "#fff") if image.mode == "RGBA" else ("",)
        self._seen = [_scales(_over(_sample(image), ground)) for ground in self._grounds]

    def score(self, image: Image.Image) -> float:
        """100 for the same picture; less, without an end, the more it differs. Over black or white: the worse."""
        sample = _sample(image)
        worst = min(
            _score(seen, _planes(_over(sample, ground))) for seen, ground in zip(self._seen, self._grounds, strict=True)
        )
        return worst if sample is image else worst - _KIND


def _sample(image: Image.Image) -> Image.Image:
    """A large picture as a mosaic of tiles from all over it, in their own scale; any other as it is."""
    from PIL import Image

    if image.width * image.height <= WHOLE:
        return image
    width, height = min(image.width, _TILE), min(image.height, _TILE)
    most = WHOLE // (width * height)
    columns = min(most, max(1, round((most * image.width / image.height) ** 0.5)))
    rows = most // columns
    mosaic = Image.new(image.mode, (columns * width, rows * height))
    for row in range(rows):
        for column in range(columns):
            left = (image.width - width) * column // max(1, columns - 1)
            top = (image.height - height) * row // max(1, rows - 1)
            mosaic.paste(image.crop((left, top, left + width, top + height)), (column * width, row * height))
    return mosaic


def _over(image: Image.Image, ground: str) -> Image.Image:
    from PIL import Image

    if not ground:
        return image.convert("RGB")
    behind = Image.new("RGBA", image.size, ground)
    behind.alpha_composite(image.convert("RGBA"))
    return behind.convert("RGB")


def _planes(image: Image.Image) -> list[dict[int, Plane]]:
    """The planes that count, at each scale."""
    import numpy as np

    steps = np.arange(256) / 255
    # sRGB, IEC 61966-2-1
    linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4).astype(np.float32)
    missing = [max(0, _LEAST - side) for side in reversed(image.size)]
    pixels = np.pad(np.asarray(image), ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")
    light = [linear[pixels[..., channel]] for channel in range(3)]
    found: list[dict[int, Plane]] = []
    for weights in _WEIGHTS:
        if found:
            light = [_halved(channel) for channel in light]
        cones = [
            np.cbrt(np.float32(red) * light[0] + np.float32(green) * light[1] + np.float32(blue) * light[2] + _BIAS)
            for red, green, blue in _CONES[: 3 if 2 in weights else 2]
        ]
        rest = np.float32(_BIAS ** (1 / 3))
        lightness = (cones[0] + cones[1]) * np.float32(0.5) - rest
        planes = {1: lightness + np.float32(0.01)}
        if 0 in weights:
            planes[0] = (cones[0] - cones[1]) * np.float32(7) + np.float32(0.42)
        if 2 in weights:
            planes[2] = cones[2] - rest - lightness + np.float32(0.55)
        found.append(planes)
    return found


def _halved(plane: Plane) -> Plane:
    """Take the mean of every four; what is left over at an edge is averaged with itself."""
    import numpy as np

    height, width = plane.shape
    if height % 2 or width % 2:
        plane = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    return (plane[::2, ::2] + plane[1::2, ::2] + plane[::2, 1::2] + plane[1::2, 1::2]) * np.float32(0.25)


def _scales(image: Image.Image) -> list[dict[int, tuple[Plane, Plane, Plane]]]:
    """Each plane that counts with its blurred self and its blurred square."""
    return [
        {name: (plane, _blurred(plane), _blurred(plane * plane)) for name, plane in planes.items()}
        for planes in _planes(image)
    ]


def _score(original: list[dict[int, tuple[Plane, Plane, Plane]]], other: list[dict[int, Plane]]) -> float:
    import numpy as np

    total = 0.0
    for weights, firsts, seconds in zip(_WEIGHTS, original, other, strict=True):
        for name, (structure, appeared, lost) in weights.items():
            first, mean, square = firsts[name]
            second = seconds[name]
            its_mean, its_square, product = _blurred(second), _blurred(second * second), _blurred(first * second)
            if any(structure):
                means = mean * its_mean
                spread = square + its_square - mean * mean - its_mean * its_mean + np.float32(0.0009)
                alike = (1 - (mean - its_mean) ** 2) * (2 * (product - means) + np.float32(0.0009)) / spread
                total += _weighed(np.maximum(1 - alike, 0), *structure)
            if any(appeared) or any(lost):
                edges = (1 + np.abs(second - its_mean)) / (1 + np.abs(first - mean)) - 1
                total += _weighed(np.maximum(edges, 0), *appeared) + _weighed(np.maximum(-edges, 0), *lost)
    total *= 0.9562382616834844
    total = 2.326765642916932 * total - 0.020884521182843837 * total**2 + 6.248496625763138e-05 * total**3
    return float(100 - 10 * max(total, 0.0) ** 0.6276336467831387)


def _weighed(differences: Plane, mean: float, norm: float) -> float:
    import numpy as np

    total = mean * float(differences.mean(dtype=np.float64)) if mean else 0.0
    if norm:
        squares = differences * differences
        total += norm * float((squares * squares).mean(dtype=np.float64)) ** 0.25
    return total


def _blurred(plane: Plane) -> Plane:
    import numpy as np

    kernel = np.exp(-(np.arange(_RADIUS + 1) ** 2) / (2 * _SIGMA**2))
    kernel = (kernel / (kernel[0] + 2 * kernel[1:].sum())).astype(np.float32)
    height, width = plane.shape
    padded = np.pad(plane, _RADIUS, mode="symmetric")
    across = padded[:, _RADIUS : _RADIUS + width] * kernel[0]
    for n in range(1, _RADIUS + 1):
        across += (
            padded[:, _RADIUS - n : _RADIUS - n + width] + padded[:, _RADIUS + n : _RADIUS + n + width]
        ) * kernel[n]
    down: Plane = across[_RADIUS : _RADIUS + height] * kernel[0]
    for n in range(1, _RADIUS + 1):
        down += (across[_RADIUS - n : _RADIUS - n + height] + across[_RADIUS + n : _RADIUS + n + height]) * kernel[n]
    return down
