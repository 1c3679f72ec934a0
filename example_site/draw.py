"""Draw every picture of the example site: ``python -m example_site.draw [name ...]``.

Nothing here runs when the site runs; the results are committed under ``static/`` and ``journal_static/``.
Only Pillow and the standard library are used, and every random choice comes from a fixed seed,
so the same Pillow draws the same pictures again.

The "photographs" come from a little renderer. A pot is a profile turned about its axis, cut into
facets about two pixels wide. Each facet is lit by one tall window on the left (diffuse light, a shadow test
towards several points of the window, and the mirrored window in the glaze), and painted back to front.
The table and the wall are textures under soft shadows. The frame is drawn at twice its size,
scaled down, and printed with a little bloom, vignette and grain.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

HERE = Path(__file__).parent
IMAGES = HERE / "static" / "img"
ICONS = HERE / "static" / "icons"
JOURNAL = HERE / "journal_static"

Vec = tuple[float, float, float]
Rgb = tuple[float, float, float]
Point = tuple[float, float]
Facet = tuple[float, tuple[float, ...], tuple[int, int, int]]

SUPERSAMPLE = 2
FACET = 2.2  # the width of a facet, in pixels of the supersampled frame

INK = (38, 30, 46)
YOLK = (242, 187, 54)
COBALT = (43, 63, 160)
CHALK = (247, 245, 240)


# --- small mathematics ------------------------------------------------------------------------------------------


def unit(v: Vec) -> Vec:
    """Scale a vector to length one."""
    length = math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) or 1.0
    return (v[0] / length, v[1] / length, v[2] / length)


def cross(a: Vec, b: Vec) -> Vec:
    """Return the cross product of two vectors."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def smooth(edge0: float, edge1: float, x: float) -> float:
    """Step smoothly from 0 at ``edge0`` to 1 at ``edge1``."""
    t = (x - edge0) / (edge1 - edge0)
    if t <= 0.0:
        return 0.0
    if t >= 1.0:
        return 1.0
    return t * t * (3.0 - 2.0 * t)


def mix(a: Rgb, b: Rgb, t: float) -> Rgb:
    """Blend two colours."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


def colour(code: str) -> Rgb:
    """Turn ``rrggbb`` into linear light."""
    r, g, b = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return (r**2.2, g**2.2, b**2.2)


def rgb8(code: str) -> tuple[int, int, int]:
    """Turn ``rrggbb`` into the three bytes it names."""
    return (int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16))


class Noise:
    """Smooth value noise on a lattice that wraps round in both directions."""

    def __init__(self, rng: Random, across: int, up: int) -> None:
        self.across = across
        self.up = up
        self.values = [[rng.random() for _ in range(across)] for _ in range(up)]

    def at(self, u: float, v: float) -> float:
        """Return a value from 0 to 1; ``u`` and ``v`` have period 1."""
        x = u * self.across
        y = v * self.up
        i = math.floor(x)
        j = math.floor(y)
        fx = x - i
        fy = y - j
        fx = fx * fx * (3.0 - 2.0 * fx)
        fy = fy * fy * (3.0 - 2.0 * fy)
        row0 = self.values[j % self.up]
        row1 = self.values[(j + 1) % self.up]
        i0 = i % self.across
        i1 = (i + 1) % self.across
        a = row0[i0] + (row0[i1] - row0[i0]) * fx
        b = row1[i0] + (row1[i1] - row1[i0]) * fx
        return a + (b - a) * fy


class Speckles:
    """Round iron spots, at most one in each cell of a lattice."""

    def __init__(self, rng: Random, across: int, up: int, density: float, size: float) -> None:
        self.across = across
        self.up = up
        self.cells: list[tuple[float, float, float, float] | None] = []
        for _ in range(across * up):
            if rng.random() < density:
                radius = size * (0.35 + 0.65 * rng.random() ** 2.5)
                spot = (0.3 + 0.4 * rng.random(), 0.3 + 0.4 * rng.random(), radius, 0.35 + 0.65 * rng.random())
                self.cells.append(spot)
            else:
                self.cells.append(None)

    def at(self, u: float, v: float) -> float:
        """Return how much of a spot lies here, from 0 to 1."""
        x = (u % 1.0) * self.across
        y = (v % 1.0) * self.up
        i = int(x)
        j = int(y)
        cell = self.cells[(j % self.up) * self.across + i % self.across]
        if cell is None:
            return 0.0
        cx, cy, radius, strength = cell
        distance = math.hypot(x - i - cx, y - j - cy)
        return strength * (1.0 - smooth(radius * 0.55, radius, distance))


# --- shapes -----------------------------------------------------------------------------------------------------


def curve(points: Sequence[Point], per_span: int = 20) -> list[Point]:
    """Run a Catmull-Rom curve through the points; a point given twice makes a corner."""
    result: list[Point] = []
    count = len(points)
    for k in range(count - 1):
        p0, p1, p2, p3 = points[max(k - 1, 0)], points[k], points[k + 1], points[min(k + 2, count - 1)]
        if p1 == p2:
            continue
        for step in range(per_span):
            t = step / per_span
            t2, t3 = t * t, t * t * t
            a, b, c, d = -t3 + 2 * t2 - t, 3 * t3 - 5 * t2 + 2, -3 * t3 + 4 * t2 + t, t3 - t2
            result.append(
                (
                    0.5 * (a * p0[0] + b * p1[0] + c * p2[0] + d * p3[0]),
                    0.5 * (a * p0[1] + b * p1[1] + c * p2[1] + d * p3[1]),
                )
            )
    result.append(points[-1])
    return result


def resample(points: Sequence[Point], step: float) -> list[Point]:
    """Walk along a line and drop a point every ``step``."""
    result = [points[0]]
    carried = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length = math.hypot(x1 - x0, y1 - y0)
        if length == 0.0:
            continue
        at = step - carried
        while at <= length:
            result.append((x0 + (x1 - x0) * at / length, y0 + (y1 - y0) * at / length))
            at += step
        carried = (carried + length) % step
    result.append(points[-1])
    return result


@dataclass(frozen=True)
class Surface:
    """What one spot of a pot is made of."""

    colour: Rgb
    gloss: float  # how much of the room the glaze mirrors
    rough: float  # how soft the mirrored window is


# (turn 0..1, height above the table, radius, is it the inside?) -> surface
Paint = Callable[[float, float, float, bool], Surface]


@dataclass
class Pot:
    """A profile turned about an upright axis that stands on the table."""

    profile: Sequence[Point]  # the outside, from the foot to the lip
    paint: Paint
    at: Point = (0.0, 0.0)
    lift: float = 0.0
    wall: float = 0.05
    rings: float = 0.0  # how deep the throwing rings are
    handle: Sequence[Point] | None = None  # centre line of a handle: (distance from the axis, height)
    handle_turn: float = 0.0  # where the handle points, in radians from the viewer
    handle_size: float = 0.075
    blocks: bool = True  # does it keep the light from other pots?
    seed: int = 1
    outline: list[Point] = field(init=False)
    inner: list[Point] = field(init=False)
    height: float = field(init=False)
    rim: float = field(init=False)
    widest: float = field(init=False)
    table: list[float] = field(init=False)  # outer radius by height, for the shadow test
    wobble: Noise = field(init=False)

    def __post_init__(self) -> None:
        outline = curve(self.profile)
        self.outline = outline
        self.height = max(y for _, y in outline)
        self.rim = outline[-1][0] - self.wall * 0.5
        self.widest = max(r for r, _ in outline)
        floor = self.wall * 1.5
        inner: list[Point] = []
        for k in range(len(outline) - 1, 0, -1):
            (r0, y0), (r1, y1) = outline[k - 1], outline[k]
            length = math.hypot(r1 - r0, y1 - y0) or 1.0
            r = r1 - self.wall * (y1 - y0) / length
            y = y1 + self.wall * (r1 - r0) / length
            if y > floor and r > 0.02 and (not inner or y < inner[-1][1] + 0.001):
                inner.append((r, y))
        last = inner[-1][0]
        inner += [(last * (1 - t / 8), floor - 0.25 * self.wall * math.sin(math.pi * t / 16)) for t in range(1, 9)]
        self.inner = inner
        samples = 64
        self.table = [0.0] * (samples + 1)
        for r, y in resample(outline, self.height / 400):
            k = min(samples, max(0, round(y / self.height * samples)))
            self.table[k] = max(self.table[k], r)
        for k in range(1, samples + 1):
            self.table[k] = self.table[k] or self.table[k - 1]
        self.wobble = Noise(Random(self.seed), 3, 40)

    def radius(self, y: float) -> float:
        """Return the outer radius at a height above the foot."""
        return self.table[min(64, max(0, int(y / self.height * 64)))]

    def shades(self, p: Vec, light: Vec) -> float:
        """Return how far the pot stands between a point and the light (0: not at all, 1: fully)."""
        px, py, pz = p[0] - self.at[0], p[1] - self.lift, p[2] - self.at[1]
        if py >= self.height:
            return 0.0
        flat = light[0] * light[0] + light[2] * light[2]
        nearest = max(0.0, -(px * light[0] + pz * light[2]) / flat)
        if math.hypot(px + light[0] * nearest, pz + light[2] * nearest) > self.widest:
            return 0.0
        start = max(py, 0.0)
        depth = -1.0
        for k in range(1, 15):
            y = start + (self.height - start) * k / 14
            t = (y - py) / light[1]
            depth = max(depth, self.radius(y) - math.hypot(px + light[0] * t, pz + light[2] * t))
        return smooth(-0.02, 0.05, depth)


# --- camera and light -------------------------------------------------------------------------------------------


class Camera:
    """A camera that looks straight ahead and a little down."""

    def __init__(self, size: tuple[int, int], eye: Vec, look: Vec, frame: float) -> None:
        self.size = size
        self.eye = eye
        self.forward = unit((look[0] - eye[0], look[1] - eye[1], look[2] - eye[2]))
        self.right = unit(cross(self.forward, (0.0, 1.0, 0.0)))
        self.up = cross(self.right, self.forward)
        distance = math.dist(eye, look)
        self.focal = distance * size[1] / frame  # ``frame``: how many units of height fill the frame at ``look``
        self.scale = size[1] / frame

    def project(self, p: Vec) -> tuple[float, float, float]:
        """Return where a point falls in the frame, and how far away it is."""
        x, y, z = p[0] - self.eye[0], p[1] - self.eye[1], p[2] - self.eye[2]
        depth = x * self.forward[0] + y * self.forward[1] + z * self.forward[2]
        k = self.focal / depth
        sx = self.size[0] / 2 + k * (x * self.right[0] + y * self.right[1] + z * self.right[2])
        sy = self.size[1] / 2 - k * (x * self.up[0] + y * self.up[1] + z * self.up[2])
        return sx, sy, depth

    def plane(self, reach: float, texture: int) -> tuple[float, ...]:
        """Return the perspective coefficients that lay a square texture on the table."""
        coefficients: list[float] = []
        across = [c / self.focal for c in self.right]
        down = [-c / self.focal for c in self.up]
        corner = [self.forward[i] - self.size[0] / 2 * across[i] - self.size[1] / 2 * down[i] for i in range(3)]
        for axis, middle in ((0, self.eye[0]), (2, 0.0)):
            offset = self.eye[axis] - middle
            a, b, c = (
                (offset * w[1] - self.eye[1] * w[axis]) * texture / (2 * reach) + texture / 2 * w[1]
                for w in (across, down, corner)
            )
            coefficients += [a, b, c]
        coefficients += [across[1], down[1]]
        return tuple(value / corner[1] for value in coefficients)


@dataclass(frozen=True)
class Light:
    """One tall window."""

    towards: Vec
    wide: float = 0.34
    tall: float = 0.46
    strength: Rgb = (2.55, 2.34, 2.02)

    def axes(self) -> tuple[Vec, Vec, Vec]:
        """Return the direction of the window and its two sides."""
        ahead = unit(self.towards)
        side = unit(cross((0.0, 1.0, 0.0), ahead))
        return ahead, side, cross(ahead, side)

    def samples(self, across: int, up: int) -> list[Vec]:
        """Return directions towards points spread over the window."""
        ahead, side, rise = self.axes()
        result: list[Vec] = []
        for i in range(across):
            for j in range(up):
                a = ((i + 0.5) / across * 2 - 1) * self.wide
                b = ((j + 0.5) / up * 2 - 1) * self.tall
                result.append(
                    unit(
                        (
                            ahead[0] + a * side[0] + b * rise[0],
                            ahead[1] + a * side[1] + b * rise[1],
                            ahead[2] + a * side[2] + b * rise[2],
                        )
                    )
                )
        return result


def tone(value: float) -> int:
    """Turn linear light into a byte, with a soft shoulder like film."""
    if value <= 0.0:
        return 0
    value *= 0.92
    if value > 0.5:
        value = 0.5 + 0.5 * (1.0 - math.exp(-(value - 0.5) / 0.62))
    return min(255, round(255 * math.pow(value, 1 / 2.2)))


# --- textures ---------------------------------------------------------------------------------------------------


def clouds(rng: Random, size: tuple[int, int], cells: tuple[int, int]) -> Image.Image:
    """Return smooth grey noise: a small random picture, enlarged."""
    small = Image.frombytes("L", cells, rng.randbytes(cells[0] * cells[1]))
    return small.resize(size, Image.Resampling.BICUBIC)


def layered(rng: Random, size: tuple[int, int], layers: Sequence[tuple[tuple[int, int], float]]) -> Image.Image:
    """Add up layers of noise, each with its own fineness and weight, about a middle grey."""
    result = Image.new("L", size, 128)
    for cells, weight in layers:
        layer = clouds(rng, size, cells).point([round(128 + (v - 128) * weight) for v in range(256)])
        result = ImageChops.add(result, layer, 1, -128)
    return result


def stone(rng: Random, side: int, dark: str, pale: str) -> Image.Image:
    """Return limewashed plaster, seen from above."""
    grey = layered(
        rng,
        (side, side),
        [((7, 7), 0.12), ((26, 26), 0.09), ((90, 90), 0.09), ((400, 400), 0.12), ((side, side), 0.16)],
    )
    return ImageOps.colorize(grey, rgb8(dark), rgb8(pale))


def oak(rng: Random, side: int, dark: str, pale: str) -> Image.Image:
    """Return planed oak boards, seen from above, with the grain from side to side."""
    board = Image.new("L", (side, side), 128)
    planks = 9
    depth = side // planks + 1
    for k in range(planks):
        grain = layered(
            rng,
            (side, depth),
            [((3, 4), 0.20), ((5, 16), 0.18), ((9, 60), 0.18), ((24, depth), 0.20), ((160, depth), 0.12)],
        )
        shift = rng.randint(-14, 14)
        grain = grain.point([max(0, min(255, v + shift)) for v in range(256)])
        ImageDraw.Draw(grain).line([(0, 0), (side, 0)], fill=70, width=3)
        board.paste(grain, (0, k * depth))
    return ImageOps.colorize(board, rgb8(dark), rgb8(pale))


# --- glazes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Glaze:
    """A recipe; ``recipe(seed)`` mixes it into something to paint a pot with."""

    body: str
    thin: str  # where the glaze runs thin: the lip, the throwing rings
    thick: str  # where it pools
    clay: str
    lip: float  # height of the lip
    dip: float = 0.0  # the glaze ends at this height; below it is bare clay
    run: float = 0.0  # how far the edge of the glaze wanders
    gloss: float = 0.8
    rough: float = 0.10
    speckle: float = 0.3
    spot: str = "3a2a20"
    inside: str | None = None
    band: tuple[float, float, str] | None = None  # a brushed ring on the inside: radius from, to, colour
    lip_band: float = 0.05

    def recipe(self, seed: int) -> Paint:
        rng = Random(seed)
        broad, fine, edge, brush = Noise(rng, 5, 6), Noise(rng, 60, 70), Noise(rng, 9, 1), Noise(rng, 16, 34)
        edge_fine = Noise(rng, 26, 1)
        spots = Speckles(rng, 92, 40, self.speckle, 0.30)
        dots = Speckles(rng, 210, 95, self.speckle * 1.2, 0.30)
        body, thin, thick, clay = (colour(code) for code in (self.body, self.thin, self.thick, self.clay))
        inner = colour(self.inside) if self.inside else body
        spot = colour(self.spot)
        band_colour = colour(self.band[2]) if self.band else body

        def paint(turn: float, y: float, radius: float, inside: bool) -> Surface:
            v = (y + (radius if inside else 0.0)) * 0.31 + (0.37 if inside else 0.0)
            b = broad.at(turn, v)
            f = fine.at(turn, v)
            speck = max(spots.at(turn, v), dots.at(turn + 0.013, v + 0.007) * 0.8)
            line = self.dip + self.run * (edge.at(turn, 0.0) - 0.5) + self.run * 0.35 * (edge_fine.at(turn, 0.0) - 0.5)
            if not inside and y < line:
                grit = mix(clay, (clay[0] * 0.55, clay[1] * 0.5, clay[2] * 0.48), 0.35 * f + 0.3 * b)
                grit = mix(grit, spot, speck * 0.55)
                return Surface(mix(grit, thick, 0.35 * smooth(0.03, 0.0, line - y)), 0.05, 0.9)
            base = mix(inner if inside else body, thick, (0.42 * b + 0.1 * f) * 0.75)
            if not inside and self.dip > 0:
                base = mix(base, thick, 0.75 * smooth(0.13, 0.0, y - line))
                base = mix(base, thin, 0.5 * smooth(0.022, 0.004, y - line))
            base = mix(base, thin, 0.9 * smooth(self.lip_band, 0.0, self.lip - y - 0.014 * (f - 0.5)))
            if inside and self.band is not None:
                low, high, _ = self.band
                wander = 0.05 * (edge.at(turn, 0.0) - 0.5) + 0.018 * (edge_fine.at(turn, 0.0) - 0.5)
                stroke = smooth(low - 0.012, low + 0.012, radius + wander)
                stroke *= 1 - smooth(high - 0.012, high + 0.012, radius + wander * 0.6)
                hairs = 0.55 + 0.45 * brush.at(turn * 0.5, radius * 1.9)
                base = mix(base, band_colour, stroke * hairs)
            base = mix(base, spot, speck * 0.85)
            return Surface(base, self.gloss, self.rough * (0.85 + 0.3 * b))

        return paint


# --- a scene ----------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """Everything in front of the camera, and how to print it."""

    size: tuple[int, int]
    pots: list[Pot]
    eye: Vec
    look: Vec
    frame: float
    wall_colours: tuple[str, str]  # in the light, in the shade
    table: Callable[[Random], Image.Image]
    bounce: str  # the colour that the table throws back
    back: float = -3.2  # where the table ends
    light: Light = field(default_factory=lambda: Light((-0.80, 0.62, 0.42)))
    panes: bool = False  # does the sun draw the window on the wall?
    branch: tuple[Vec, int] | None = None
    seed: int = 1
    shade: float = 0.66

    def __post_init__(self) -> None:
        full = (self.size[0] * SUPERSAMPLE, self.size[1] * SUPERSAMPLE)
        self.camera = Camera(full, self.eye, self.look, self.frame)
        self.full = full
        self.rng = Random(self.seed)

    # The room ---------------------------------------------------------------------------------------------------

    def room(self) -> Image.Image:
        """Paint the wall and the table with the shadows on them."""
        width, height = self.full
        horizon = round(self.camera.project((0.0, 0.0, self.back))[1])
        top = max(0, min(height, horizon))
        picture = Image.new("RGB", self.full)
        if top > 0:
            picture.paste(self.wall(top).crop((0, 0, width, top)), (0, 0))
        side = 2400
        reach = 9.0
        table = self.table(self.rng).transform(
            self.full, Image.Transform.PERSPECTIVE, self.camera.plane(reach, side), Image.Resampling.BICUBIC
        )
        glow = Image.new("L", (80, 80))
        pixels: list[int] = []
        for j in range(80):
            for i in range(80):
                x, y = i / 79, j / 79
                pool = math.hypot((x - 0.36) * 1.05, (y - 0.66) * 1.15)
                pixels.append(round(255 * (1.0 - 0.30 * smooth(0.12, 0.98, pool))))
        glow.putdata(pixels)
        table = ImageChops.multiply(table, Image.merge("RGB", [glow.resize(self.full, Image.Resampling.BICUBIC)] * 3))
        table = ImageChops.multiply(table, self.shadows())
        far = Image.new("L", (1, height), 0)
        for j in range(height):
            far.putpixel((0, j), round(255 * (1 - smooth(horizon, horizon + height * 0.30, j))))
        table = Image.composite(table.filter(ImageFilter.GaussianBlur(9)), table, far.resize(self.full))
        near = Image.new("L", (1, height), 0)
        for j in range(height):
            near.putpixel((0, j), round(255 * smooth(height * 0.86, height * 1.04, j)))
        table = Image.composite(table.filter(ImageFilter.GaussianBlur(10)), table, near.resize(self.full))
        if top < height:
            picture.paste(table.crop((0, top, width, height)), (0, top))
        if 0 < top < height:
            seam = picture.crop((0, max(0, top - 40), width, min(height, top + 40)))
            dark = Image.new("L", seam.size, 255)
            ImageDraw.Draw(dark).rectangle([0, 22, width, 41], fill=176)
            dark = dark.filter(ImageFilter.GaussianBlur(9))
            seam = ImageChops.multiply(seam.filter(ImageFilter.GaussianBlur(5)), Image.merge("RGB", [dark] * 3))
            mask = Image.new("L", seam.size, 0)
            ImageDraw.Draw(mask).rectangle([0, 14, width, 66], fill=255)
            picture.paste(seam, (0, max(0, top - 40)), mask.filter(ImageFilter.GaussianBlur(5)))
        return picture

    def wall(self, horizon: int) -> Image.Image:
        """Paint a plastered wall in falling light."""
        _width, height = self.full
        pixels: list[int] = []
        for j in range(90):
            for i in range(90):
                x, y = i / 89, j / 89
                slope = 0.62 * x + 0.30 * (1 - y * height / max(horizon, 1)) + 0.10 * math.sin(x * 3.1 + y * 2.0)
                pixels.append(round(255 * (1.0 - smooth(0.0, 1.0, slope))))
        light = Image.new("L", (90, 90))
        light.putdata(pixels)
        light = light.resize(self.full, Image.Resampling.BICUBIC)
        wall = ImageOps.colorize(light, rgb8(self.wall_colours[1]), rgb8(self.wall_colours[0]))
        grey = layered(
            self.rng, self.full, [((5, 4), 0.05), ((18, 14), 0.028), ((70, 50), 0.018), ((300, 220), 0.014)]
        ).filter(ImageFilter.GaussianBlur(3))
        wall = ImageChops.add(wall, Image.merge("RGB", [grey] * 3), 1, -128)
        if self.panes:
            wall = self.window_on(wall, horizon)
        return wall

    def window_on(self, wall: Image.Image, horizon: int) -> Image.Image:
        """Let the low sun draw the panes of the window, and the tree outside it, on the wall."""
        width, _ = self.full
        mask = Image.new("L", self.full, 0)
        draw = ImageDraw.Draw(mask)
        left, pane, gap = width * 0.335, width * 0.098, width * 0.010
        rise = width * 0.118
        for column in range(4):
            for row in range(4):
                x0 = left + column * (pane + gap)
                y0 = horizon * 0.95 - (row + 1) * (rise + gap) - column * width * 0.018
                lean = width * 0.018 * pane / (pane + gap)
                slip = -width * 0.022 * (row + 1)
                draw.polygon(
                    [
                        (x0 + slip, y0),
                        (x0 + pane + slip, y0 - lean),
                        (x0 + pane + slip + width * 0.020, y0 + rise - lean),
                        (x0 + slip + width * 0.020, y0 + rise),
                    ],
                    fill=255,
                )
        mask = mask.filter(ImageFilter.GaussianBlur(width * 0.0034))
        leaves = Image.new("L", self.full, 255)
        draw = ImageDraw.Draw(leaves)
        rng = Random(self.seed + 77)
        for _ in range(9):
            x, y = width * rng.uniform(0.30, 0.86), -width * 0.02
            angle = rng.uniform(1.1, 2.0)
            for step in range(46):
                nx, ny = x + math.cos(angle) * width * 0.008, y + math.sin(angle) * width * 0.008
                draw.line([(x, y), (nx, ny)], fill=40, width=max(2, 9 - step // 7))
                x, y = nx, ny
                angle += rng.uniform(-0.09, 0.09)
                if step > 4 and step % 2 == 0:
                    turn = angle + rng.choice((-1, 1)) * rng.uniform(0.4, 1.0)
                    leaf_shape(draw, (x, y), turn, width * rng.uniform(0.015, 0.026), 0.34, 30)
        leaves = leaves.filter(ImageFilter.GaussianBlur(width * 0.0042))
        fade = Image.linear_gradient("L").rotate(90).resize(self.full).point([255 - v // 3 for v in range(256)])
        mask = ImageChops.multiply(ImageChops.multiply(mask, leaves), fade)
        lit = ImageChops.multiply(
            wall.point(lambda v: min(255, round(v * 1.10 + 10))), Image.new("RGB", self.full, (255, 246, 226))
        )
        dim = ImageChops.multiply(wall, Image.new("RGB", self.full, (226, 220, 219)))
        return Image.composite(lit, dim, mask)

    def shadows(self) -> Image.Image:
        """Return the light that reaches the table: shadows of the pots, soft and hard."""
        half = (self.full[0] // 2, self.full[1] // 2)
        samples = self.light.samples(8, 6)
        total = Image.new("L", half, 0)
        for towards in samples:
            once = Image.new("L", half, 0)
            draw = ImageDraw.Draw(once)
            for pot in self.pots:
                for quad in self.silhouette(pot):
                    flat: list[Point] = []
                    for x, y, z in quad:
                        t = y / towards[1]
                        sx, sy, _ = self.camera.project((x - towards[0] * t, 0.0, z - towards[2] * t))
                        flat.append((sx / 2, sy / 2))
                    draw.polygon(flat, fill=5)
            total = ImageChops.add(total, once)
        total = total.filter(ImageFilter.GaussianBlur(3)).resize(self.full, Image.Resampling.BICUBIC)
        strengths = (self.shade + 0.03, self.shade, self.shade - 0.05)
        cast = Image.merge(
            "RGB", [total.point([round(255 - v * 255 / 240 * k) for v in range(256)]) for k in strengths]
        )
        for spread, blur, depth in ((1.30, 70, 0.22), (1.05, 9, 0.60)):
            contact = Image.new("L", half, 255)
            draw = ImageDraw.Draw(contact)
            for pot in self.pots:
                if pot.lift > 0.2:
                    continue
                foot = max(r for r, y in pot.outline if y < pot.height * (0.35 if spread > 1.3 else 0.05))
                ring: list[Point] = []
                for k in range(72):
                    a = k / 72 * math.tau
                    x = pot.at[0] + foot * spread * math.sin(a)
                    z = pot.at[1] + foot * spread * math.cos(a)
                    sx, sy, _ = self.camera.project((x, 0.0, z))
                    ring.append((sx / 2, sy / 2))
                draw.polygon(ring, fill=round(255 * (1 - depth)))
            contact = contact.filter(ImageFilter.GaussianBlur(blur * self.full[1] / 4000)).resize(self.full)
            cast = ImageChops.multiply(cast, Image.merge("RGB", [contact] * 3))
        return cast

    def silhouette(self, pot: Pot) -> list[list[Vec]]:
        """Return a coarse mesh of a pot, good enough to cast a shadow."""
        quads: list[list[Vec]] = []
        line = [*pot.outline[:: max(1, len(pot.outline) // 40)], pot.outline[-1]]
        turns = [(math.sin(k / 44 * math.tau), math.cos(k / 44 * math.tau)) for k in range(45)]
        cx, cz = pot.at
        for (r0, y0), (r1, y1) in itertools.pairwise(line):
            for (s0, c0), (s1, c1) in itertools.pairwise(turns):
                quads.append(
                    [
                        (cx + r0 * s0, pot.lift + y0, cz + r0 * c0),
                        (cx + r0 * s1, pot.lift + y0, cz + r0 * c1),
                        (cx + r1 * s1, pot.lift + y1, cz + r1 * c1),
                        (cx + r1 * s0, pot.lift + y1, cz + r1 * c0),
                    ]
                )
        if pot.handle is not None:
            path = curve(pot.handle, 8)
            s, c = math.sin(pot.handle_turn), math.cos(pot.handle_turn)
            for (r0, y0), (r1, y1) in itertools.pairwise(path):
                w = pot.handle_size
                for dx, dy in ((w, 0.0), (0.0, w), (w * 0.7, w * 0.7)):
                    quads.append(
                        [
                            (cx + (r0 - dx) * s, pot.lift + y0 - dy, cz + (r0 - dx) * c),
                            (cx + (r0 + dx) * s, pot.lift + y0 + dy, cz + (r0 + dx) * c),
                            (cx + (r1 + dx) * s, pot.lift + y1 + dy, cz + (r1 + dx) * c),
                            (cx + (r1 - dx) * s, pot.lift + y1 - dy, cz + (r1 - dx) * c),
                        ]
                    )
        return quads

    # The pots ---------------------------------------------------------------------------------------------------

    def lit(self, p: Vec, n: Vec, surface: Surface, pot: Pot, inside: bool, on_handle: bool) -> tuple[int, int, int]:
        """Shade one spot of one pot."""
        ahead, side, rise = self.window_axes
        view = unit((self.eye[0] - p[0], self.eye[1] - p[1], self.eye[2] - p[2]))
        open_sky = 1.0
        lambert = n[0] * ahead[0] + n[1] * ahead[1] + n[2] * ahead[2]
        soft = max(0.0, (lambert + 0.22) / 1.22)
        key = soft**1.15
        local_y = p[1] - pot.lift
        px, pz = p[0] - pot.at[0], p[2] - pot.at[1]
        if inside:
            below = max(0.0, pot.height - local_y)
            open_sky = 1.0 / (1.0 + 1.15 * (below / max(pot.rim, 0.05)) ** 1.5)
            shade = 0.0
            for towards in self.few:
                t = below / towards[1]
                reach = math.hypot(px + towards[0] * t, pz + towards[2] * t)
                shade += smooth(pot.rim * 0.95, pot.rim * 1.06, reach)
            shade /= len(self.few)
            key *= 1.0 - 0.93 * shade
        if key > 0.002:
            lifted = (p[0] + n[0] * 0.05, p[1] + n[1] * 0.05, p[2] + n[2] * 0.05)
            for other in self.pots:
                if other is not pot and not other.blocks:
                    continue
                if other is pot and (inside or (not on_handle and lambert < 0.0)):
                    continue
                shade = 0.0
                for towards in self.few:
                    shade += other.shades(lifted, towards)
                key *= 1.0 - 0.90 * shade / len(self.few)
        near_table = smooth(-0.05, 0.55, p[1]) if n[1] < 0.5 else 1.0
        ambient = 0.30 * open_sky * (0.62 + 0.38 * n[1]) * (0.45 + 0.55 * near_table)
        ambient_right = 0.10 * open_sky * max(0.0, n[0] * 0.8 + n[2] * 0.4 + 0.2)
        under = 0.36 * max(0.0, 0.45 - 0.55 * n[1]) * open_sky * (0.35 + 0.65 * near_table)
        if inside:
            under *= 0.4
        room, table = self.room_light, self.table_light
        k = self.light.strength
        light = (
            key * k[0] * 0.42 + ambient * room[0] + ambient_right * 0.95 + under * table[0],
            key * k[1] * 0.42 + ambient * room[1] + ambient_right * 0.98 + under * table[1],
            key * k[2] * 0.42 + ambient * room[2] + ambient_right * 1.05 + under * table[2],
        )
        if inside:  # light that has bounced about in the bowl takes the colour of the glaze
            glow = 0.15 * open_sky
            light = (
                light[0] + glow * surface.colour[0],
                light[1] + glow * surface.colour[1],
                light[2] + glow * surface.colour[2],
            )
        facing = max(0.0, view[0] * n[0] + view[1] * n[1] + view[2] * n[2])
        mirror = (
            2 * facing * n[0] - view[0],
            2 * facing * n[1] - view[1],
            2 * facing * n[2] - view[2],
        )
        fresnel = 0.045 + 0.955 * (1.0 - facing) ** 5
        towards_window = mirror[0] * ahead[0] + mirror[1] * ahead[1] + mirror[2] * ahead[2]
        shine = 0.0
        if towards_window > 0.05:
            a = (mirror[0] * side[0] + mirror[1] * side[1] + mirror[2] * side[2]) / towards_window
            b = (mirror[0] * rise[0] + mirror[1] * rise[1] + mirror[2] * rise[2]) / towards_window
            e = surface.rough
            w, h = self.light.wide, self.light.tall
            shine = (1 - smooth(w - e, w + e, abs(a))) * (1 - smooth(h - e, h + e, abs(b)))
            if e < 0.16:  # only a sharp glaze shows the glazing bars
                shine *= 1 - 0.75 * (1 - smooth(0.012, 0.012 + e * 0.5, abs(a)))
                shine *= 1 - 0.75 * (1 - smooth(0.012, 0.012 + e * 0.5, abs(b - 0.12)))
            shine *= min(1.0, 0.14 / (e + 0.04)) * (1.0 - (0.9 * shade if inside else 0.0))
        sky = smooth(-0.25, 0.35, mirror[1])
        gleam = surface.gloss * fresnel
        mirrored = mix(self.table_light, self.room_light, sky)
        left = 0.55 + 0.45 * smooth(0.6, -0.9, mirror[0])
        dull = 0.55 * open_sky * left * (1.0 if not inside else 0.5)
        window = 13.0 * shine * surface.gloss * (0.045 + 0.5 * (1.0 - facing) ** 5)
        c = surface.colour
        return (
            tone(c[0] * light[0] + gleam * mirrored[0] * dull + window),
            tone(c[1] * light[1] + gleam * mirrored[1] * dull + window * 0.96),
            tone(c[2] * light[2] + gleam * mirrored[2] * dull + window * 0.88),
        )

    def facets(self, pot: Pot) -> list[Facet]:
        """Cut a pot into small lit facets."""
        step = FACET / self.camera.scale
        outer = resample(pot.outline, step)
        (lip_r, lip_y), (next_r, next_y) = pot.outline[-1], pot.inner[0]
        bend: list[Point] = []
        middle_r, middle_y = (lip_r + next_r) / 2, (lip_y + next_y) / 2
        start = math.atan2(lip_y - middle_y, lip_r - middle_r)
        radius = math.hypot(lip_r - next_r, lip_y - next_y) / 2
        for k in range(1, 12):
            a = start + math.pi * k / 12
            bend.append((middle_r + radius * math.cos(a), middle_y + radius * math.sin(a)))
        turned_in = resample([*bend, *pot.inner], step)
        line = outer + turned_in
        first_inside = len(outer) + 8
        count = max(120, int(math.tau * pot.widest / step))
        turns = [k / count * math.tau for k in range(count + 1)]
        trig = [(math.sin(a), math.cos(a)) for a in turns]
        mid = [(math.sin(a + math.pi / count), math.cos(a + math.pi / count)) for a in turns]
        cx, cz = pot.at
        project = self.camera.project
        facets: list[Facet] = []
        previous = [project((cx + line[0][0] * s, pot.lift + line[0][1], cz + line[0][0] * c)) for s, c in trig]
        for k in range(1, len(line)):
            (r0, y0), (r1, y1) = line[k - 1], line[k]
            dr, dy = r1 - r0, y1 - y0
            length = math.hypot(dr, dy)
            if length < 1e-9:
                continue
            current = [project((cx + r1 * s, pot.lift + y1, cz + r1 * c)) for s, c in trig]
            out, lift = dy / length, -dr / length
            inside = k >= first_inside
            rm, ym = (r0 + r1) / 2, (y0 + y1) / 2
            for j in range(count):
                s, c = mid[j]
                p = (cx + rm * s, pot.lift + ym, cz + rm * c)
                n = (out * s, lift, out * c)
                if (n[0] * (self.eye[0] - p[0]) + n[1] * (self.eye[1] - p[1]) + n[2] * (self.eye[2] - p[2])) <= 0.0:
                    continue
                if pot.rings:
                    turn = j / count
                    ripple = (pot.wobble.at(turn + ym * 0.35, ym * 0.62) - 0.5) * pot.rings
                    ripple += math.sin(ym * 58 + 2.2 * pot.wobble.at(turn, ym * 0.2)) * pot.rings * 0.22
                    n = unit((n[0] - lift * ripple * s, n[1] + out * ripple, n[2] - lift * ripple * c))
                q0, q1, q2, q3 = previous[j], previous[j + 1], current[j + 1], current[j]
                surface = pot.paint(j / count, ym, rm, inside)
                shade = self.lit(p, n, surface, pot, inside, False)
                facets.append((q0[2] + q2[2], (q0[0], q0[1], q1[0], q1[1], q2[0], q2[1], q3[0], q3[1]), shade))
            previous = current
        if pot.handle is not None:
            facets += self.handle_facets(pot, pot.handle, step)
        return facets

    def handle_facets(self, pot: Pot, path: Sequence[Point], step: float) -> list[Facet]:
        """Cut the strap of a handle into facets."""
        line = resample(curve(path), step)
        sway, ahead = math.sin(pot.handle_turn), math.cos(pot.handle_turn)
        around = max(24, int(math.tau * pot.handle_size * 1.3 / step))
        cx, cz = pot.at
        rows: list[list[tuple[Vec, Vec, tuple[float, float, float]]]] = []
        for k, (r, y) in enumerate(line):
            r0, y0 = line[max(0, k - 1)]
            r1, y1 = line[min(len(line) - 1, k + 1)]
            length = math.hypot(r1 - r0, y1 - y0) or 1.0
            normal_r, normal_y = (y1 - y0) / length, -(r1 - r0) / length
            along = k / max(1, len(line) - 1)
            flare = 1.0 + 0.70 * smooth(0.20, 0.0, along) + 0.45 * smooth(0.84, 1.0, along)
            row: list[tuple[Vec, Vec, tuple[float, float, float]]] = []
            for j in range(around + 1):
                a = j / around * math.tau
                thick, wide = pot.handle_size * 0.62 * math.cos(a), pot.handle_size * 1.25 * flare * math.sin(a)
                radial, height = r + normal_r * thick, y + normal_y * thick
                p = (cx + radial * sway + wide * ahead, pot.lift + height, cz + radial * ahead - wide * sway)
                nr, nw = math.cos(a) / 0.62, math.sin(a) / 1.25
                n = unit((normal_r * nr * sway + nw * ahead, normal_y * nr, normal_r * nr * ahead - nw * sway))
                row.append((p, n, self.camera.project(p)))
            rows.append(row)
        facets: list[Facet] = []
        for k in range(len(rows) - 1):
            for j in range(around):
                p, n, q0 = rows[k][j]
                if n[0] * (self.eye[0] - p[0]) + n[1] * (self.eye[1] - p[1]) + n[2] * (self.eye[2] - p[2]) <= -0.05:
                    continue
                q1, q2, q3 = rows[k][j + 1][2], rows[k + 1][j + 1][2], rows[k + 1][j][2]
                surface = pot.paint(0.21 + 0.1 * j / around, p[1] - pot.lift, line[k][0], False)
                shade = self.lit(p, n, surface, pot, False, True)
                facets.append((q0[2] + q2[2], (q0[0], q0[1], q1[0], q1[1], q2[0], q2[1], q3[0], q3[1]), shade))
        return facets

    def render(self) -> Image.Image:
        """Draw the scene and print it."""
        self.window_axes = self.light.axes()
        self.few = self.light.samples(2, 3)
        self.table_light = tuple_mul(colour(self.bounce), 1.5)
        self.room_light = mix((1.0, 1.0, 1.0), tuple_mul(colour(self.wall_colours[0]), 1.25), 0.55)
        picture = self.room()
        order = sorted(self.pots, key=lambda pot: -self.camera.project((pot.at[0], pot.lift, pot.at[1]))[2])
        cut = {id(pot): self.facets(pot) for pot in order}
        draw = ImageDraw.Draw(picture)
        if self.branch is not None:
            self.draw_branch(picture, *self.branch)
        for pot in order:
            for _, corners, shade in sorted(cut[id(pot)], key=lambda facet: -facet[0]):
                draw.polygon(corners, fill=shade)
        return develop(picture, self.size, Random(self.seed + 5))

    def draw_branch(self, picture: Image.Image, root: Vec, seed: int) -> None:
        """Stand dried honesty (stems with papery discs) in a vase."""
        rng = Random(seed)
        layer = Image.new("RGBA", picture.size, (120, 92, 62, 0))
        draw = ImageDraw.Draw(layer)
        discs: list[tuple[float, float, float, float, float]] = []
        unit_px = self.camera.scale
        for lean in (-0.42, -0.12, 0.20, 0.52):
            x, y, _ = self.camera.project(root)
            x += lean * 30
            angle = -math.pi / 2 + lean * 0.42
            bend = lean * 0.022 + rng.uniform(-0.004, 0.004)
            steps = rng.randint(34, 44)
            for step in range(steps):
                length = unit_px * 0.038
                nx, ny = x + math.cos(angle) * length, y + math.sin(angle) * length
                draw.line([(x, y), (nx, ny)], fill=(122, 92, 60, 255), width=max(3, 9 - step // 6))
                draw.line([(x - 2, y), (nx - 2, ny)], fill=(176, 142, 98, 255), width=2)
                x, y, angle = nx, ny, angle + bend
                if step > 9 and step % 2 == 0:
                    turn = angle + rng.choice((-1, 1)) * rng.uniform(0.5, 1.15)
                    tip = unit_px * rng.uniform(0.10, 0.20)
                    tx, ty = x + math.cos(turn) * tip, y + math.sin(turn) * tip
                    draw.line([(x, y), (tx, ty)], fill=(134, 102, 66, 255), width=3)
                    discs.append((tx, ty, turn, unit_px * rng.uniform(0.07, 0.115), rng.random()))
        picture.paste(layer, (0, 0), layer)
        for x, y, turn, size, luck in discs:
            half = math.ceil(size * 1.3)
            tile = Image.new("RGBA", (half * 4, half * 4), (0, 0, 0, 0))
            pen = ImageDraw.Draw(tile)
            glow = 0.78 + 0.22 * luck
            squash = 0.62 + 0.34 * abs(math.sin(luck * 37))
            box = [
                half * 2 - size * 1.6,
                half * 2 - size * 1.6 * squash,
                half * 2 + size * 1.6,
                half * 2 + size * 1.6 * squash,
            ]
            pen.ellipse(box, fill=(round(250 * glow), round(238 * glow), round(210 * glow), 150))
            pen.ellipse(box, outline=(round(206 * glow), round(180 * glow), round(136 * glow), 235), width=4)
            for k in range(2):
                seed_x = half * 2 + size * (0.7 * rng.random() - 0.35)
                seed_y = half * 2 + size * squash * (0.7 * rng.random() - 0.35)
                r = size * 0.13
                pen.ellipse([seed_x - r, seed_y - r, seed_x + r, seed_y + r * 0.8], fill=(186, 154, 110, 70 + 20 * k))
            tile = tile.rotate(-math.degrees(turn), Image.Resampling.BICUBIC).resize(
                (half * 2, half * 2), Image.Resampling.LANCZOS
            )
            shift = size * 0.8
            where = (round(x + math.cos(turn) * shift) - half, round(y + math.sin(turn) * shift) - half)
            picture.paste(tile, where, tile)


def tuple_mul(a: Rgb, k: float) -> Rgb:
    """Scale a colour."""
    return (a[0] * k, a[1] * k, a[2] * k)


def leaf_shape(draw: ImageDraw.ImageDraw, at: Point, angle: float, length: float, slim: float, fill: int) -> None:
    """Draw one pointed leaf."""
    spine: list[Point] = []
    for side in (1, -1):
        for k in range(9) if side == 1 else range(8, -1, -1):
            t = k / 8
            w = side * math.sin(math.pi * t) * length * slim * 0.5
            spine.append(
                (
                    at[0] + math.cos(angle) * length * t - math.sin(angle) * w,
                    at[1] + math.sin(angle) * length * t + math.cos(angle) * w,
                )
            )
    draw.polygon(spine, fill=fill)


def develop(picture: Image.Image, size: tuple[int, int], rng: Random) -> Image.Image:
    """Print a drawn frame: scale it down, add bloom, warmth, vignette and grain."""
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    bright = picture.point([max(0, round((v - 178) * 1.6)) if v > 178 else 0 for v in range(256)] * 3)
    bloom = bright.filter(ImageFilter.GaussianBlur(size[1] / 60)).point([round(v * 0.30) for v in range(256)] * 3)
    picture = ImageChops.screen(picture, bloom)
    picture = ImageEnhance.Color(picture).enhance(0.84)
    edge = Image.radial_gradient("L").resize(size, Image.Resampling.BICUBIC)
    edge = edge.point([round(255 - 30 * smooth(90, 255, v)) for v in range(256)])
    picture = ImageChops.multiply(picture, Image.merge("RGB", [edge] * 3))
    bands = picture.split()
    curves = []
    for low, gain in ((7, 1.012), (5, 1.0), (8, 0.968)):
        table: list[int] = []
        for v in range(256):
            x = v / 255
            s = x + 0.030 * math.sin((x - 0.5) * math.tau) * 0.9
            table.append(max(0, min(255, round(low + (255 - low) * s * gain))))
        curves.append(table)
    picture = Image.merge("RGB", [band.point(curves[k]) for k, band in enumerate(bands)])
    pixels = size[0] * size[1]
    grain = Image.frombytes("L", size, rng.randbytes(pixels)).filter(ImageFilter.GaussianBlur(0.75))
    grain = grain.point([max(0, min(255, round(128 + (v - 128) * 0.085))) for v in range(256)])
    return ImageChops.add(picture, Image.merge("RGB", [grain] * 3), 1, -128)


# --- the shelf --------------------------------------------------------------------------------------------------


def plaster(dark: str, pale: str) -> Callable[[Random], Image.Image]:
    """Return a maker of plastered table tops."""
    return lambda rng: stone(rng, 2400, dark, pale)


def boards(dark: str, pale: str) -> Callable[[Random], Image.Image]:
    """Return a maker of oak table tops."""
    return lambda rng: oak(rng, 2400, dark, pale)


BOTTLE: list[Point] = [
    (0.40, 0.0),
    (0.40, 0.0),
    (0.45, 0.05),
    (0.62, 0.42),
    (0.70, 0.86),
    (0.62, 1.22),
    (0.36, 1.50),
    (0.185, 1.74),
    (0.155, 2.02),
    (0.17, 2.24),
    (0.245, 2.38),
]
BOWL: list[Point] = [
    (0.36, 0.0),
    (0.36, 0.0),
    (0.37, 0.10),
    (0.37, 0.10),
    (0.62, 0.22),
    (0.92, 0.46),
    (1.09, 0.74),
    (1.15, 0.98),
]
MUG: list[Point] = [
    (0.50, 0.0),
    (0.50, 0.0),
    (0.56, 0.05),
    (0.61, 0.26),
    (0.615, 0.62),
    (0.585, 0.98),
    (0.60, 1.16),
]
MUG_HANDLE: list[Point] = [
    (0.56, 0.98),
    (0.74, 1.00),
    (0.93, 0.90),
    (0.97, 0.68),
    (0.88, 0.46),
    (0.72, 0.34),
    (0.58, 0.30),
]
PLATE: list[Point] = [
    (0.78, 0.0),
    (0.78, 0.0),
    (0.80, 0.05),
    (0.80, 0.05),
    (1.02, 0.085),
    (1.30, 0.15),
    (1.48, 0.24),
    (1.53, 0.285),
]
MOON: list[Point] = [
    (0.44, 0.0),
    (0.44, 0.0),
    (0.47, 0.07),
    (0.47, 0.07),
    (0.80, 0.28),
    (1.03, 0.66),
    (1.08, 1.03),
    (0.97, 1.42),
    (0.70, 1.74),
    (0.44, 1.88),
    (0.42, 1.97),
    (0.47, 2.06),
]
BEAKER: list[Point] = [
    (0.33, 0.0),
    (0.33, 0.0),
    (0.37, 0.05),
    (0.42, 0.20),
    (0.46, 0.44),
    (0.475, 0.66),
    (0.485, 0.76),
]

COBALT_GLAZE = Glaze(
    "33467f", "8c7a63", "1f2b5c", "b98d6a", 2.38, 0.20, 0.10, 0.95, 0.09, 0.10, "10153a", lip_band=0.06
)
YOLK_GLAZE = Glaze("dfae52", "a06a3c", "bf8130", "b58a6c", 0.98, 0.30, 0.08, 1.0, 0.08, 0.22, "54300f", lip_band=0.045)
SEA_GLAZE = Glaze("adc0ae", "b3906f", "84a091", "c19a7a", 1.16, 0.40, 0.07, 0.95, 0.10, 0.30, "4a3526", lip_band=0.045)
CHALK_GLAZE = Glaze("efe9dc", "c39b76", "ded3c0", "b98a66", 2.06, 0.0, 0.0, 0.55, 0.28, 0.42, "4b3425", lip_band=0.05)
PLATE_GLAZE = Glaze(
    "ebe5d8",
    "b98e66",
    "d5ccba",
    "b98a66",
    0.285,
    0.0,
    0.0,
    0.8,
    0.13,
    0.30,
    "4b3425",
    band=(1.02, 1.30, "2c3f96"),
    lip_band=0.03,
)
ROSE_GLAZE = Glaze(
    "c89a92", "8f5a45", "a96f69", "a96f4f", 0.76, 0.16, 0.05, 0.9, 0.12, 0.22, "4b2320", inside="ead9cb", lip_band=0.03
)
DARK_GLAZE = Glaze(
    "3b3440", "8a5a3c", "1e1a26", "a06c4b", 0.76, 0.14, 0.06, 0.9, 0.12, 0.10, "15121b", inside="e3d8c8", lip_band=0.03
)


def photograph(name: str) -> Image.Image:
    """Set up one of the scenes by name, and take its picture."""
    square = (1000, 1000)
    low: Vec = (0.0, 2.75, 9.4)
    if name == "longshadow-vase":
        pot = Pot(BOTTLE, COBALT_GLAZE.recipe(11), (-0.16, 0.0), wall=0.045, rings=0.06, seed=11)
        return Scene(
            square,
            [pot],
            low,
            (0.0, 1.08, 0.0),
            3.35,
            ("f6e3d4", "dcb9a5"),
            plaster("cfa991", "fbe6d6"),
            "e6c9b4",
            seed=11,
        ).render()
    if name == "meridian-bowl":
        pot = Pot(BOWL, YOLK_GLAZE.recipe(12), (-0.06, 0.0), wall=0.055, rings=0.07, seed=12)
        return Scene(
            square,
            [pot],
            (0.0, 4.6, 8.6),
            (0.0, 0.46, 0.0),
            3.25,
            ("e6ecec", "b9c6ca"),
            plaster("b3c1c6", "f0f4f4"),
            "cfd9dc",
            back=-2.6,
            seed=12,
        ).render()
    if name == "half-past-mug":
        pot = Pot(
            MUG,
            SEA_GLAZE.recipe(13),
            (-0.16, 0.0),
            wall=0.05,
            rings=0.07,
            handle=MUG_HANDLE,
            handle_turn=1.25,
            seed=13,
        )
        return Scene(
            square,
            [pot],
            (0.0, 3.3, 9.0),
            (0.0, 0.56, 0.0),
            2.35,
            ("f5ecd8", "d8c6a4"),
            plaster("cdb992", "faf0da"),
            "e4d4b4",
            seed=13,
        ).render()
    if name == "noonday-plate":
        under = Pot(PLATE, PLATE_GLAZE.recipe(24), (0.0, 0.0), wall=0.06, rings=0.03, blocks=False, seed=24)
        pot = Pot(PLATE, PLATE_GLAZE.recipe(14), (0.015, 0.02), lift=0.115, wall=0.06, rings=0.03, seed=14)
        return Scene(
            square,
            [under, pot],
            (0.0, 7.4, 7.6),
            (0.0, 0.1, 0.0),
            4.1,
            ("f0d3bc", "c9987a"),
            plaster("e0b092", "ffe8d6"),
            "ecc8ae",
            back=-4.4,
            seed=14,
        ).render()
    if name == "siesta-jar":
        pot = Pot(MOON, CHALK_GLAZE.recipe(15), (-0.12, 0.0), wall=0.05, rings=0.06, seed=15)
        return Scene(
            square,
            [pot],
            low,
            (0.0, 0.92, 0.0),
            3.3,
            ("cfd6c4", "98a58f"),
            plaster("93a189", "d9dfcd"),
            "b3bda5",
            seed=15,
        ).render()
    if name == "small-hours-cups":
        pots = [
            Pot(BEAKER, ROSE_GLAZE.recipe(16), (-0.52, 0.12), wall=0.04, rings=0.05, seed=16),
            Pot(BEAKER, DARK_GLAZE.recipe(17), (0.56, -0.22), wall=0.04, rings=0.05, seed=17),
        ]
        return Scene(
            square,
            pots,
            (0.0, 3.7, 8.4),
            (0.0, 0.34, 0.0),
            2.45,
            ("ebe4ee", "c2b6cb"),
            plaster("bdb0c6", "f2ebf4"),
            "d9cfdf",
            seed=16,
        ).render()
    if name == "hero":
        cup = [(r * 0.82, y * 0.82) for r, y in BEAKER]
        pots = [
            Pot(BOTTLE, COBALT_GLAZE.recipe(21), (-1.62, -0.75), wall=0.045, rings=0.06, seed=21),
            Pot(MOON, CHALK_GLAZE.recipe(22), (0.22, -1.05), wall=0.05, rings=0.06, seed=22),
            Pot(BOWL, YOLK_GLAZE.recipe(23), (1.48, 0.42), wall=0.055, rings=0.07, seed=23),
            Pot(cup, ROSE_GLAZE.recipe(25), (-0.72, 0.92), wall=0.036, rings=0.05, seed=25),
            Pot(
                MUG,
                SEA_GLAZE.recipe(26),
                (3.05, -0.55),
                wall=0.05,
                rings=0.07,
                handle=MUG_HANDLE,
                handle_turn=1.0,
                seed=26,
            ),
        ]
        return Scene(
            (1600, 900),
            pots,
            (0.42, 2.9, 11.4),
            (0.42, 1.52, 0.0),
            5.1,
            ("f3e6d4", "cdb6a2"),
            boards("8f6a4a", "ecc69c"),
            "cfa67c",
            back=-2.9,
            light=Light((-0.86, 0.56, 0.40), 0.26, 0.36),
            panes=True,
            branch=((-1.62, 2.34, -0.75), 8),
            seed=21,
        ).render()
    if name == "kiln-shelf":
        rng = Random(31)
        glazes = (ROSE_GLAZE, SEA_GLAZE, DARK_GLAZE, CHALK_GLAZE, YOLK_GLAZE, COBALT_GLAZE)
        pots = []
        for row, z in enumerate((-1.5, -0.35, 0.85)):
            for k in range(5):
                scale = rng.uniform(0.84, 1.0)
                shape = [(r * scale, y * scale) for r, y in BEAKER]
                glaze = glazes[(k * 2 + row * 3) % len(glazes)]
                glaze = Glaze(
                    glaze.body,
                    glaze.thin,
                    glaze.thick,
                    glaze.clay,
                    0.76 * scale,
                    0.17,
                    0.06,
                    glaze.gloss,
                    glaze.rough,
                    glaze.speckle,
                    glaze.spot,
                    lip_band=0.03,
                )
                x = (k - 2) * 1.22 + (0.5 if row % 2 else 0.0) + rng.uniform(-0.08, 0.08)
                pots.append(
                    Pot(shape, glaze.recipe(40 + row * 5 + k), (x, z), wall=0.038, rings=0.05, seed=row * 5 + k)
                )
        return Scene(
            (1400, 900),
            pots,
            (0.0, 3.9, 8.8),
            (0.1, 0.30, -0.2),
            3.5,
            ("efe2d2", "c4ad99"),
            plaster("bfaa97", "f2e6d8"),
            "d8c8b6",
            back=-2.7,
            seed=31,
        ).render()
    if name == "wall":
        return Scene(
            (1400, 800), [], (0.0, 3.0, 10.0), (0.0, 4.2, 0.0), 3.2, ("f6e4cf", "d9bda4"),
            plaster("d9bda4", "f6e4cf"), "e8d0b8", panes=True, seed=51,
        ).render()  # fmt: skip
    raise SystemExit(f"no picture is called {name!r}")


# --- flat drawings ----------------------------------------------------------------------------------------------


def flat_pot(draw: ImageDraw.ImageDraw, shape: Sequence[Point], at: Point, scale: float, fill: tuple[int, ...]) -> None:
    """Draw the silhouette of a pot."""
    line = curve(shape)
    right = [(at[0] + r * scale, at[1] - y * scale) for r, y in line]
    left = [(at[0] - r * scale, at[1] - y * scale) for r, y in reversed(line)]
    draw.polygon(right + left, fill=fill)


def workshop_drawing() -> Image.Image:
    """Draw the studio at noon as a flat, transparent picture: a sun, a shelf, three pots and a wheel."""
    k = 4
    picture = Image.new("RGBA", (720 * k, 640 * k), (*CHALK, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse([190 * k, 40 * k, 610 * k, 460 * k], fill=(*YOLK, 255))
    for turn in range(0, 360, 15):
        a = math.radians(turn)
        x, y = 400 * k, 250 * k
        draw.line(
            [
                (x + math.cos(a) * 226 * k, y + math.sin(a) * 226 * k),
                (x + math.cos(a) * 244 * k, y + math.sin(a) * 244 * k),
            ],
            fill=(*YOLK, 255),
            width=3 * k,
        )
    floor = 500 * k
    flat_pot(draw, MOON, (420 * k, floor), 118 * k, (*CHALK, 255))
    flat_pot(draw, BOTTLE, (232 * k, floor), 132 * k, (*COBALT, 255))
    flat_pot(draw, BOWL, (580 * k, floor), 96 * k, (198, 124, 92, 255))
    flat_pot(draw, BEAKER, (330 * k, floor), 92 * k, (208, 150, 142, 255))
    rng = Random(5)
    for _ in range(90):
        a, r = rng.random() * math.tau, 108 * k * math.sqrt(rng.random())
        fx, fy, s = 420 * k + math.cos(a) * r, floor - 124 * k + math.sin(a) * r * 0.92, rng.uniform(0.8, 2.0) * k
        draw.ellipse([fx - s, fy - s, fx + s, fy + s], fill=(176, 150, 124, 255))
    draw.rounded_rectangle([70 * k, floor, 690 * k, floor + 16 * k], 8 * k, fill=(*CHALK, 255))
    for x in (150, 600):
        draw.polygon(
            [
                (x * k, floor + 16 * k),
                ((x + 22) * k, floor + 16 * k),
                ((x + 6) * k, floor + 96 * k),
                (x * k, floor + 96 * k),
            ],
            fill=(*CHALK, 255),
        )
    return picture.resize((720, 640), Image.Resampling.LANCZOS)


def shards_drawing() -> Image.Image:
    """Draw a bowl that has come in two, for the page that is not there."""
    k = 4
    side = (640 * k, 420 * k)
    bowl = Image.new("RGBA", side, (*COBALT, 0))
    flat_pot(ImageDraw.Draw(bowl), BOWL, (320 * k, 350 * k), 200 * k, (*COBALT, 255))
    crack = [(322, 120), (296, 176), (338, 214), (300, 262), (332, 310), (312, 400)]
    halves: list[Image.Image] = []
    for edge in (0, 640):
        keep = Image.new("L", side, 0)
        outline = [(edge, 0), (322, 0), *crack, (312, 420), (edge, 420)]
        ImageDraw.Draw(keep).polygon([(x * k, y * k) for x, y in outline], fill=255)
        half = Image.new("RGBA", side, (*COBALT, 0))
        half.paste(bowl, (0, 0), ImageChops.multiply(keep, bowl.getchannel("A")))
        halves.append(half)
    picture = Image.new("RGBA", side, (*COBALT, 0))
    ImageDraw.Draw(picture).ellipse([226 * k, 24 * k, 414 * k, 212 * k], fill=(*YOLK, 255))
    lean = Image.Resampling.BICUBIC
    for half, angle, shift in ((halves[0], 7, -26), (halves[1], -9, 28)):
        turned = half.rotate(angle, lean, center=(320 * k, 350 * k), translate=(shift * k, 0))
        picture.alpha_composite(turned)
    return picture.resize((640, 420), Image.Resampling.LANCZOS)


def clay_texture() -> Image.Image:
    """Draw a small transparent tile of flecks that repeats as a background."""
    k, side = 4, 280
    picture = Image.new("RGBA", (side * k, side * k), (*INK, 0))
    draw = ImageDraw.Draw(picture)
    rng = Random(9)
    for _ in range(80):
        x, y, s = rng.uniform(4, side - 4) * k, rng.uniform(4, side - 4) * k, rng.choice((0.5, 0.6, 0.8, 1.1, 1.5)) * k
        shade = rng.choice(((255, 240, 220), (242, 187, 54), (214, 160, 140)))
        draw.ellipse([x - s, y - s * 0.8, x + s, y + s * 0.8], fill=(*shade, rng.randint(22, 72)))
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def icon(side: int) -> Image.Image:
    """Draw the mark of the studio: a bowl under the noon sun."""
    k = 4
    u = side * k / 64
    picture = Image.new("RGB", (side * k, side * k), INK)
    draw = ImageDraw.Draw(picture)
    draw.ellipse([22 * u, 11 * u, 42 * u, 31 * u], fill=YOLK)
    draw.pieslice([13 * u, 16 * u, 51 * u, 54 * u], 0, 180, fill=CHALK)
    draw.rectangle([25 * u, 52 * u, 39 * u, 55.5 * u], fill=CHALK)
    return picture.resize((side, side), Image.Resampling.LANCZOS)


# --- by hand ----------------------------------------------------------------------------------------------------

PHOTOGRAPHS: dict[str, Path] = {
    "hero": IMAGES / "hero.jpg",
    "wall": IMAGES / "wall.jpg",
    "kiln-shelf": JOURNAL / "kiln-shelf.jpg",
    **{
        name: IMAGES / f"{name}.jpg"
        for name in (
            "noonday-plate",
            "longshadow-vase",
            "meridian-bowl",
            "half-past-mug",
            "siesta-jar",
            "small-hours-cups",
        )
    },
}


def take(name: str) -> str:
    """Take one photograph and keep it."""
    target = PHOTOGRAPHS[name]
    photograph(name).save(target, quality=86, optimize=True, progressive=True, subsampling=0 if name == "hero" else 2)
    return f"{target.relative_to(HERE)}: {target.stat().st_size // 1024} KB"


def main(names: Sequence[str]) -> None:
    """Draw the pictures named, or all of them."""
    for folder in (IMAGES, ICONS, JOURNAL):
        folder.mkdir(parents=True, exist_ok=True)
    if not names:
        workshop_drawing().save(IMAGES / "workshop.png", optimize=True)
        shards_drawing().save(IMAGES / "shards.png", optimize=True)
        clay_texture().save(IMAGES / "flecks.png", optimize=True)
        for side in (32, 192, 512):
            icon(side).quantize(64).save(ICONS / f"icon-{side}.png", optimize=True)
    with ProcessPoolExecutor() as pool:
        for line in pool.map(take, names or list(PHOTOGRAPHS)):
            print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
