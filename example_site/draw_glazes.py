"""Draw the hundred glazes: ``python -m example_site.draw_glazes [bucket ...]``.

They are some twenty megabytes, so they are not committed: this makes them, in seconds, with nothing but Pillow. Every
random choice comes from a fixed seed, so the same Pillow draws the same pictures again.

A tile is seen from above, under the studio's one window. Its glaze is noise in several sizes, coloured by a map from
thin to thick; the same noise makes the bumps that the light falls on. What takes a function of each pixel (the form of
a dish under the light) is worked out small, and enlarged.
"""

from __future__ import annotations

import functools
import math
import sys
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from example_site.glazes import BUCKETS, CHANGES, FOLDER, Bucket, Change

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 1200  # pixels of a tile's photograph
LEAD = (1500, 1000)
QUALITY = 88
LIGHT = (-0.52, -0.58, 0.63)  # from where the window is: left, above, and over the table
BICUBIC = Image.Resampling.BICUBIC

# A shape is its outline and its height: how far it slopes at a distance from its middle.
Shading = tuple[Image.Image, Image.Image]


def rgb8(code: str) -> tuple[int, int, int]:
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def blend(a: str, b: str, t: float) -> tuple[int, int, int]:
    """Go from one colour to another; ``t`` below 0 or above 1 stays at the end."""
    t = min(1.0, max(0.0, t))
    one, other = rgb8(a), rgb8(b)
    return (
        round(one[0] + (other[0] - one[0]) * t),
        round(one[1] + (other[1] - one[1]) * t),
        round(one[2] + (other[2] - one[2]) * t),
    )


def ramp(low: float, high: float, top: int = 255) -> list[int]:
    """Return a table that rises from 0 at ``low`` to ``top`` at ``high``, smoothly; or falls, the other way round."""
    table = []
    for value in range(256):
        t = min(1.0, max(0.0, (value - low) / (high - low)))
        table.append(round(top * t * t * (3 - 2 * t)))
    return table


def clouds(rng: Random, size: tuple[int, int], cells: tuple[int, int]) -> Image.Image:
    """Return smooth grey noise: a small random picture, enlarged."""
    return Image.frombytes("L", cells, rng.randbytes(cells[0] * cells[1])).resize(size, BICUBIC)


def layered(rng: Random, size: tuple[int, int], *layers: tuple[tuple[int, int], float]) -> Image.Image:
    """Add up noise of several sizes, each with its weight, about a middle grey."""
    result = Image.new("L", size, 128)
    for cells, weight in layers:
        layer = clouds(rng, size, cells).point([round(128 + (v - 128) * weight) for v in range(256)])
        result = ImageChops.add(result, layer, 1, -128)
    return result


@functools.cache
def form(shape: str, small: int = 180) -> Shading:
    """Return how light a shape is at each spot, and where the window is mirrored in it."""
    light, mirror = Image.new("L", (small, small)), Image.new("L", (small, small))
    shades: list[int] = []
    gleams: list[int] = []
    for j in range(small):
        for i in range(small):
            x, y = (i + 0.5) / small * 2 - 1, (j + 0.5) / small * 2 - 1
            distance = math.hypot(x, y) if shape != "square" else max(abs(x), abs(y))
            across = (x / (distance or 1), y / (distance or 1))
            if shape == "square":
                across = (math.copysign(1.0, x), 0.0) if abs(x) > abs(y) else (0.0, math.copysign(1.0, y))
            # Each falls off at its edge, a disc a little all the way; a dish rises towards it.
            slope = 2.6 * max(0.0, (distance - 0.90) / 0.10) ** 2 + 0.72 * distance**2 * (shape == "disc")
            if shape == "dish":
                slope = -1.15 * max(0.0, min(1.0, (distance - 0.30) / 0.52)) if distance < 0.86 else 2.2
                slope *= 1.0 - 0.9 * math.exp(-(((distance - 0.85) / 0.035) ** 2))
            length = math.sqrt(slope * slope + 1)
            normal = (across[0] * slope / length, across[1] * slope / length, 1 / length)
            facing = max(0.0, sum(n * d for n, d in zip(normal, LIGHT, strict=True)))
            shades.append(min(255, round(255 * (0.24 + 0.62 * facing / LIGHT[2] * 0.78))))
            # The eye is above: what it sees mirrored is the direction with the normal half way.
            seen = (2 * normal[2] * normal[0], 2 * normal[2] * normal[1], 2 * normal[2] * normal[2] - 1)
            aside, above = seen[0] - LIGHT[0] + 0.10 * (x + 0.3), seen[1] - LIGHT[1] + 0.10 * (y + 0.3)
            pane = math.exp(-((max(abs(aside), abs(above)) / 0.27) ** 8))
            bar = 1 - 0.75 * math.exp(-((min(abs(aside), abs(above)) / 0.035) ** 2))
            gleams.append(round(255 * pane * bar))
    light.putdata(shades)
    mirror.putdata(gleams)
    return light, mirror.filter(ImageFilter.GaussianBlur(1.2))


def outline(rng: Random, shape: str, side: int) -> Image.Image:
    """Return the mask of a shape as a hand makes it, a little uneven, and smooth at its edge."""
    big = side * 2
    mask = Image.new("L", (big, big), 0)
    pen = ImageDraw.Draw(mask)
    if shape == "square":
        pen.rounded_rectangle([8, 8, big - 9, big - 9], radius=big // 18, fill=255)
        hole = big // 44
        pen.ellipse([big // 2 - hole, big // 12 - hole, big // 2 + hole, big // 12 + hole], fill=0)
        turn = rng.uniform(-1.2, 1.2)
    else:
        waves = [(n, rng.uniform(-1, 1) * 0.011 / n, rng.uniform(0, math.tau)) for n in (2, 3, 5)]
        points = []
        for k in range(240):
            angle = k / 240 * math.tau
            radius = big / 2 * (0.985 + sum(size * math.sin(n * angle + start) for n, size, start in waves))
            points.append((big / 2 + radius * math.cos(angle), big / 2 + radius * math.sin(angle)))
        pen.polygon(points, fill=255)
        turn = 0.0
    return mask.rotate(turn, BICUBIC).resize((side, side), Image.Resampling.LANCZOS)


def glazed(rng: Random, bucket: Bucket, change: Change, side: int) -> Image.Image:
    """Return one tile from above, cut out."""
    size = (side, side)
    runs = min(1.0, bucket.runs + change.runs)
    gloss = max(0.1, min(1.0, bucket.gloss + change.gloss))
    spots = max(0.0, min(1.0, bucket.spots + change.spots))
    tall = max(2, round(9 - 7 * runs))
    depth = layered(
        rng, size,
        ((4, 4), 0.46), ((12, tall), 0.44), ((34, max(4, tall * 3)), 0.30), ((110, 110), 0.13), ((300, 300), 0.05),
    )  # fmt: skip
    thick = blend(bucket.body, bucket.thick, 0.75 + change.thickness)
    thin = blend(bucket.body, bucket.thin, 0.55 - change.thickness * 0.6)
    body = blend(bucket.body, bucket.thick if change.thickness > 0 else bucket.thin, abs(change.thickness) * 0.35)
    tile = ImageOps.colorize(depth, thin, thick, mid=body, blackpoint=44, whitepoint=212, midpoint=128)
    # At its edge the glaze breaks: first to what it is when thin, then to the clay.
    if change.shape == "square":
        edge = Image.new("L", (64, 64), 255)
        ImageDraw.Draw(edge).rounded_rectangle([2, 2, 61, 61], radius=4, fill=0)
        edge = edge.resize(size, BICUBIC).filter(ImageFilter.GaussianBlur(side / 60))
    else:
        edge = Image.radial_gradient("L").resize(size, BICUBIC).point(ramp(162, 184))
    edge = ImageChops.add(edge, depth.point([round((v - 128) * 0.55) + 96 for v in range(256)]), 1, -96)
    clay = change.clay or bucket.clay
    tile.paste(blend(bucket.thin, clay, 0.25), None, edge.point(ramp(60, 170, 235)))
    tile.paste(rgb8(clay), None, edge.point(ramp(190, 236, 240)))
    if spots:
        for cells, few, strength in ((170, 250 - 34 * spots, 200), (330, 252 - 26 * spots, 150)):
            iron = clouds(rng, size, (cells, cells)).point(ramp(few, few + 10, strength))
            tile.paste(blend(clay, "241812", 0.72), None, iron)
    if bucket.crackle:
        for cells in (15, 27):
            line = layered(rng, size, ((cells, cells), 0.9), ((cells * 4, cells * 4), 0.08))
            line = line.point([max(0, 120 - 44 * abs(v - 128)) for v in range(256)])
            tile.paste(blend(bucket.thin, "3a2c22", 0.6), None, line)
    # The light: the form, and the bumps of what it is covered with.
    shade, gleam = form(change.shape)
    slopes = ImageChops.subtract(ImageChops.offset(depth, 4, 4), depth, 1, 128).filter(ImageFilter.BoxBlur(2))
    bumps = slopes.point([round(128 + (v - 128) * (1.5 - 0.9 * gloss)) for v in range(256)])
    lit = ImageChops.multiply(tile, Image.merge("RGB", [shade.resize(size, BICUBIC)] * 3))
    lit = ImageChops.overlay(lit, Image.merge("RGB", [bumps] * 3))
    broken = ImageChops.add(gleam.resize(size, BICUBIC), bumps, 1, -128)
    mirrored = broken.point(ramp(110 - 80 * gloss, 236 - 30 * gloss, round(40 + 170 * gloss**2)))
    lit = ImageChops.screen(lit, Image.merge("RGB", [mirrored] * 3))
    lit.putalpha(outline(rng, change.shape, side))
    return lit


def table(rng: Random, size: tuple[int, int], code: str) -> Image.Image:
    """Return limewashed boards in falling light."""
    grain = layered(rng, size, ((6, 5), 0.10), ((24, 90), 0.06), ((90, 400), 0.06), ((400, 300), 0.05))
    top = ImageOps.colorize(grain, blend(code, "5a5048", 0.62), blend(code, "ffffff", 0.66), mid=rgb8(code))
    falling = Image.new("L", (32, 32))
    falling.putdata([round(255 - 66 * (0.6 * i + 0.4 * j) / 31) for j in range(32) for i in range(32)])
    return ImageChops.multiply(top, Image.merge("RGB", [falling.resize(size, BICUBIC)] * 3))


def put(picture: Image.Image, tile: Image.Image, at: tuple[int, int]) -> None:
    """Lay a tile on the table, with its shadow: a sharp one where it stands, a soft one farther off."""
    mask = tile.getchannel("A")
    for reach, soft, strength in ((0.012, 0.006, 120), (0.05, 0.030, 84)):
        # Worked out small: what is blurred has no detail to lose.
        part = 6
        side = tile.width
        room = round(side * 0.14 / part)
        small = Image.new("L", (side // part + 2 * room,) * 2, 0)
        small.paste(mask.resize((side // part,) * 2, Image.Resampling.BOX), (room, room))
        small = small.filter(ImageFilter.GaussianBlur(max(1.0, side * soft / part)))
        shadow = small.resize((small.width * part,) * 2, BICUBIC).point([round(v * strength / 255) for v in range(256)])
        step = round(side * reach)
        picture.paste((38, 28, 34), (at[0] - room * part + step, at[1] - room * part + step), shadow)
    picture.paste(tile, at, tile)


def developed(rng: Random, picture: Image.Image) -> Image.Image:
    """Print it: darker corners, and the grain of the film."""
    corners = Image.radial_gradient("L").resize(picture.size, BICUBIC).point([255 - v for v in ramp(60, 290, 60)])
    picture = ImageChops.multiply(picture, Image.merge("RGB", [corners] * 3))
    grain = Image.frombytes("L", picture.size, rng.randbytes(picture.width * picture.height))
    grain = grain.filter(ImageFilter.BoxBlur(1)).point([round(128 + (v - 128) * 0.12) for v in range(256)])
    return ImageChops.add(picture, Image.merge("RGB", [grain] * 3), 1, -128)


def photograph(bucket: Bucket, change: Change) -> Image.Image:
    """Take one tile on its table."""
    rng = Random(f"{bucket.slug}/{change.slug}")
    picture = table(rng, (SIDE, SIDE), bucket.table)
    side = round(SIDE * (0.74 if change.shape == "square" else 0.80))
    place = (SIDE - side) // 2
    put(picture, glazed(rng, bucket, change, side), (place + rng.randint(-20, 20), place + rng.randint(-24, 12)))
    return developed(rng, picture)


def shelf(bucket: Bucket) -> Image.Image:
    """Take three dishes of one bucket side by side, the outer ones cut off by the frame."""
    rng = Random(bucket.slug)
    picture = table(rng, LEAD, bucket.table)
    for number, (across, down, part) in enumerate(((0.08, 0.62, 0.60), (0.90, 0.40, 0.66), (0.47, 0.55, 0.76))):
        side = round(LEAD[1] * part)
        change = (CHANGES[5], CHANGES[0], CHANGES[2])[number]
        where = (round(LEAD[0] * across - side / 2), round(LEAD[1] * down - side / 2))
        put(picture, glazed(rng, bucket, change, side), where)
    return developed(rng, picture)


def firing(bucket: Bucket) -> Image.Image:
    """Draw how hot the kiln was: flat colours and clean lines, for which JPEG was not made."""
    rng = Random(f"firing {bucket.slug}")
    side = 960
    picture = Image.new("RGB", (side * 2, side * 2), blend(bucket.body, "f7f5f0", 0.78))
    pen = ImageDraw.Draw(picture)
    left, right, top, bottom = 200, side * 2 - 160, 240, side * 2 - 240
    for k in range(7):
        y = bottom - (bottom - top) * k // 6
        pen.line([(left, y), (right, y)], fill=blend(bucket.body, "ffffff", 0.5), width=6)
    peak = rng.uniform(0.52, 0.66)
    hold = peak + rng.uniform(0.04, 0.12)
    heat = rng.uniform(0.88, 0.98)
    points = []
    for k in range(121):
        t = k / 120
        if t < peak:
            height = heat * (1 - (1 - t / peak) ** 1.7)
        elif t < hold:
            height = heat
        else:
            height = heat * math.exp(-3.1 * (t - hold) / (1 - hold))
        points.append((left + (right - left) * t, bottom - (bottom - top) * height))
    pen.polygon([(left, bottom), *points, (right, bottom)], fill=rgb8(bucket.body))
    pen.polygon(
        [(left, bottom), *[(x, bottom - (bottom - y) * 0.42) for x, y in points], (right, bottom)],
        fill=rgb8(bucket.thick),
    )
    pen.line(points, fill=rgb8("261e2e"), width=14, joint="curve")
    pen.line([(left, bottom), (right, bottom)], fill=rgb8("261e2e"), width=14)
    # Three cones stand at the peak: one has fallen, one bows, one waits for the next firing.
    for number, lean in enumerate((1.35, 0.7, 0.06)):
        foot = (right - 220 + number * 105, top + 160)
        tip = (foot[0] + 190 * math.sin(lean), foot[1] - 190 * math.cos(lean))
        pen.polygon([(foot[0] - 32, foot[1]), tip, (foot[0] + 32, foot[1])], fill=rgb8("a85c3c"))
    pen.line([(right - 290, top + 164), (right + 60, top + 164)], fill=rgb8("261e2e"), width=14)
    return picture.resize((side, side), Image.Resampling.LANCZOS).quantize(64, dither=Image.Dither.NONE)


def draw(slug: str) -> str:
    """Draw all pictures of one bucket."""
    bucket = next(one for one in BUCKETS if one.slug == slug)
    folder = FOLDER / slug
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in {"shelf": shelf(bucket), **{c.slug: photograph(bucket, c) for c in CHANGES}}.items():
        picture.save(folder / f"{name}.jpg", quality=QUALITY, optimize=True, progressive=True)
    firing(bucket).save(folder / "firing.png", optimize=True)
    drawn = sorted(folder.iterdir())
    return f"{folder.name}: {len(drawn)} pictures, {sum(one.stat().st_size for one in drawn) // 1024:,} KB"


def main(slugs: Sequence[str]) -> None:
    """Draw the buckets named, or all of them."""
    known = [bucket.slug for bucket in BUCKETS]
    if unknown := [slug for slug in slugs if slug not in known]:
        sys.exit(f"There is no bucket {unknown[0]}; there are {', '.join(known)}.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Made, not written: they are no part of the repository.
    (FOLDER / ".gitignore").write_text("*\n")
    with ProcessPoolExecutor() as pool:
        for line in pool.map(draw, slugs or known):
            print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
