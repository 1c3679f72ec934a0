"""Pictures to test with, drawn on the spot."""

from __future__ import annotations

import io
import random
from typing import Any

from PIL import Image


def photograph(width: int = 320, height: int = 200, seed: int = 1) -> Image.Image:
    """Soft blobs of colour with grain, as a camera would see them: what JPEG and WebP are made for."""
    dice = random.Random(seed)
    small = Image.new("RGB", (8, 5))
    small.putdata([tuple(dice.randrange(256) for _ in range(3)) for _ in range(40)])
    grain = Image.effect_noise((width, height), 12).convert("RGB")
    return Image.blend(small.resize((width, height), Image.Resampling.BICUBIC), grain, 0.15)


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def jpeg(width: int = 320, height: int = 200, **options: Any) -> bytes:
    return saved(photograph(width, height), "JPEG", **{"quality": 92, **options})


def png(width: int = 64, height: int = 64) -> bytes:
    """A drawing: flat colours and a transparent ground."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    for i in range(6):
        colour = (40 * i, 255 - 40 * i, 90, 255)
        image.paste(colour, (i * 5, i * 7, width - i * 3, height - i * 4))
    return saved(image, "PNG", compress_level=1)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
