"""Draw the display face of the example site: ``python -m example_site.draw_font``.

The face is called Gnomon: wide capitals after the compass and the chisel, with stems that flare
a little towards their ends. The lower case is small capitals. The result is committed as
``static/fonts/gnomon.woff2``; nothing here runs when the site runs, and only this script needs fontTools.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent / "static" / "fonts" / "gnomon.woff2"

Point = tuple[float, float]
Contour = list[tuple[Point, bool]]  # points in order, each with: is it on the curve?

UNITS = 1000
CAP = 700
SMALL = 556
NEEDS = "draw_font needs fontTools and brotli: pip install fonttools brotli"


class Letter:
    """Collects the strokes of one glyph. Lengths are in units of the letter's height; y runs upwards."""

    def __init__(self, height: int, stem: float, hair: float) -> None:
        self.height = height
        self.s = stem / height
        self.t = hair / height
        self.contours: list[Contour] = []
        self.width = 0.0

    def add(self, contour: Contour) -> None:
        """Keep a contour, wound clockwise as TrueType likes the outside of a shape."""
        area = 0.0
        for (p, _), (q, _) in zip(contour, contour[1:] + contour[:1], strict=True):
            area += p[0] * q[1] - q[0] * p[1]
        self.contours.append(contour if area < 0 else contour[::-1])

    def line(
        self,
        a: Point,
        b: Point,
        weight: float | None = None,
        flare: tuple[float, float] = (1.26, 1.26),
        lean: bool = False,
    ) -> None:
        """Draw a straight stroke with hollow sides, cut level with the baseline (or upright, if it lies down)."""
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = math.hypot(dx, dy)
        upright = abs(dy) >= abs(dx) * 0.55 and not lean
        w = weight if weight is not None else (self.s if upright else self.t)
        half = w / 2 * length / (abs(dy) if upright else abs(dx))
        hollow = half * (2 - (flare[0] + flare[1]) / 2)
        mx, my = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2

        def off(p: Point, amount: float) -> Point:
            return (p[0] + amount, p[1]) if upright else (p[0], p[1] + amount)

        self.add(
            [
                (off(a, -half * flare[0]), True),
                (off((mx, my), -hollow), False),
                (off(b, -half * flare[1]), True),
                (off(b, half * flare[1]), True),
                (off((mx, my), hollow), False),
                (off(a, half * flare[0]), True),
            ]
        )

    def ring(self, centre: Point, rx: float, ry: float, heavy: float = 1.0) -> None:
        """Draw a full bowl, thick at its sides and thin above and below."""
        self.add(oval(centre, rx, ry))
        inner = oval(centre, rx - self.s * heavy, ry - self.t)
        self.contours.append(inner[::-1] if self.contours[-1] != inner else inner)
        self.contours[-1] = wound(self.contours[-1], clockwise=False)

    def disc(self, centre: Point, radius: float) -> None:
        """Draw a dot."""
        self.add(oval(centre, radius, radius))

    def arc(
        self, centre: Point, rx: float, ry: float, start: float, end: float, ends: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        """Draw part of a bowl from one angle to another, in degrees; ``ends`` swells its two terminals."""
        steps = max(4, round(abs(end - start) / 12))
        outside: list[Point] = []
        inside: list[Point] = []
        for k in range(steps + 1):
            a = math.radians(start + (end - start) * k / steps)
            along = k / steps
            swell = (
                1 + (ends[0] - 1) * max(0.0, 1 - along * 4) ** 2 + (ends[1] - 1) * max(0.0, 1 - (1 - along) * 4) ** 2
            )
            outside.append((centre[0] + rx * math.cos(a), centre[1] + ry * math.sin(a)))
            inside.append(
                (centre[0] + (rx - self.s * swell) * math.cos(a), centre[1] + (ry - self.t * swell) * math.sin(a))
            )
        self.add(soft(outside) + soft(inside[::-1]))

    def stroke(self, spine: Sequence[tuple[float, float, float]]) -> None:
        """Draw a brush stroke through points (x, y, how wide: 0 is a hair, 1 is a stem)."""
        dense: list[tuple[float, float, float]] = []
        count = len(spine)
        for k in range(count - 1):
            p = [spine[max(k - 1, 0)], spine[k], spine[k + 1], spine[min(k + 2, count - 1)]]
            for step in range(4):
                t = step / 4
                c = (-t * t * t + 2 * t * t - t, 3 * t**3 - 5 * t * t + 2, -3 * t**3 + 4 * t * t + t, t**3 - t * t)
                x, y, w = (0.5 * sum(c[i] * p[i][axis] for i in range(4)) for axis in range(3))
                dense.append((x, y, w))
        dense.append(spine[-1])
        left: list[Point] = []
        right: list[Point] = []
        for k, (x, y, w) in enumerate(dense):
            x0, y0, _ = dense[max(0, k - 1)]
            x1, y1, _ = dense[min(len(dense) - 1, k + 1)]
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            half = (self.t + (self.s - self.t) * w) / 2
            nx, ny = -(y1 - y0) / length * half, (x1 - x0) / length * half
            left.append((x + nx, y + ny))
            right.append((x - nx, y - ny))
        self.add(soft(left) + soft(right[::-1]))


def wound(contour: Contour, *, clockwise: bool) -> Contour:
    """Return the contour wound the way asked for."""
    area = sum(p[0] * q[1] - q[0] * p[1] for (p, _), (q, _) in zip(contour, contour[1:] + contour[:1], strict=True))
    return contour if (area < 0) == clockwise else contour[::-1]


def soft(points: Sequence[Point]) -> Contour:
    """Keep the two ends of a line, and bend everything between them smoothly through the points.

    The control point of each span is where the tangents of its two ends meet, or nearly.
    """
    result: Contour = [(points[0], True)]
    for k in range(len(points) - 1):
        p, q = points[k], points[k + 1]
        before, after = points[max(0, k - 1)], points[min(len(points) - 1, k + 2)]
        tx, ty = (q[0] - before[0], q[1] - before[1])
        ux, uy = (after[0] - p[0], after[1] - p[1])
        if k == 0:  # mirror the tangent of the far end in the chord
            tx, ty = mirrored((ux, uy), (q[0] - p[0], q[1] - p[1]))
        if k == len(points) - 2:
            ux, uy = mirrored((tx, ty), (q[0] - p[0], q[1] - p[1]))
        det = tx * uy - ty * ux
        control = ((p[0] + q[0]) / 2, (p[1] + q[1]) / 2)
        if abs(det) > 1e-7:
            along = ((q[0] - p[0]) * uy - (q[1] - p[1]) * ux) / det
            met = (p[0] + tx * along, p[1] + ty * along)
            if math.dist(met, control) < math.dist(p, q):
                control = met
        result += [(control, False), (q, True)]
    return result


def mirrored(direction: Point, chord: Point) -> Point:
    """Mirror a direction in a chord."""
    square = chord[0] ** 2 + chord[1] ** 2 or 1.0
    k = 2 * (direction[0] * chord[0] + direction[1] * chord[1]) / square
    return (k * chord[0] - direction[0], k * chord[1] - direction[1])


def oval(centre: Point, rx: float, ry: float) -> Contour:
    """Return an ellipse of sixteen spans."""
    result: Contour = []
    for k in range(16):
        a, b = k * math.tau / 16, (k + 0.5) * math.tau / 16
        stretch = 1 / math.cos(math.tau / 32)
        result.append(((centre[0] + rx * math.cos(a), centre[1] + ry * math.sin(a)), True))
        result.append(((centre[0] + rx * stretch * math.cos(b), centre[1] + ry * stretch * math.sin(b)), False))
    return result


# --- the letters ------------------------------------------------------------------------------------------------
# Each draws itself from x = 0 and returns its side bearings, in units of the height: upright sides
# want room (STRAIGHT), round sides less (ROUND), slanted sides almost none (OPEN).

STRAIGHT, ROUND, OPEN = 0.105, 0.065, 0.018
Bearings = tuple[float, float]
OVER = 0.012  # round letters reach past the lines


Spine = list[tuple[float, float, float]]


def turn(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Spine:
    """Return the spine of a bend: part of an ellipse, full at its sides and a hair above and below."""
    count = max(3, round(abs(end - start) / 20))
    spine: Spine = []
    for k in range(count + 1):
        a = math.radians(start + (end - start) * k / count)
        spine.append((x + rx * math.cos(a), y + ry * math.sin(a), abs(math.cos(a)) ** 1.4))
    return spine


def upright(g: Letter, x: float, low: float = 0.0, high: float = 1.0) -> None:
    g.line((x, low), (x, high))


def arm(g: Letter, x0: float, x1: float, y: float, swell: float = 1.45) -> None:
    g.line((x0, y), (x1, y), g.t, (1.0, swell), lean=True)


def bar(g: Letter, x0: float, x1: float, y: float) -> None:
    g.line((x0, y), (x1, y), g.t, (1.0, 1.0), lean=True)


def letter_a(g: Letter) -> Bearings:
    g.line((0.06, 0), (0.47, 1), g.t * 1.08, (1.3, 1.0))
    g.line((0.45, 1), (0.86, 0), g.s, (1.0, 1.2))
    bar(g, 0.16, 0.76, 0.29)
    g.width = 0.92
    return OPEN, OPEN


def letter_b(g: Letter) -> Bearings:
    s, t = g.s, g.t
    upright(g, s / 2)
    bar(g, s / 2, 0.26, 1 - t / 2)
    bar(g, s / 2, 0.30, 0.53)
    bar(g, s / 2, 0.28, t / 2)
    g.arc((0.26, (1.53 - t / 2) / 2), 0.25, (0.47 + t / 2) / 2, -90, 90)
    g.arc((0.28, (0.53 + t / 2) / 2), 0.30, (0.53 + t / 2) / 2, -90, 90)
    g.width = 0.58
    return STRAIGHT, ROUND


def letter_c(g: Letter) -> Bearings:
    g.arc((0.5, 0.5), 0.5, 0.5 + OVER, 44, 316, (1.7, 1.5))
    g.width = 0.88
    return ROUND, OPEN


def letter_d(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    bar(g, g.s / 2, 0.33, 1 - g.t / 2)
    bar(g, g.s / 2, 0.33, g.t / 2)
    g.arc((0.32, 0.5), 0.52, 0.5, -90, 90)
    g.width = 0.84
    return STRAIGHT, ROUND


def letter_e(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    arm(g, g.s / 2, 0.50, 1 - g.t / 2)
    arm(g, g.s / 2, 0.43, 0.52)
    arm(g, g.s / 2, 0.52, g.t / 2)
    g.width = 0.52
    return STRAIGHT, 0.05


def letter_f(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    arm(g, g.s / 2, 0.49, 1 - g.t / 2)
    arm(g, g.s / 2, 0.42, 0.49)
    g.width = 0.48
    return STRAIGHT, 0.02


def letter_g(g: Letter) -> Bearings:
    g.arc((0.5, 0.5), 0.5, 0.5 + OVER, 44, 312, (1.7, 1.0))
    g.line((0.86 - g.s / 2, 0.125), (0.86 - g.s / 2, 0.47), g.s, (1.0, 1.0))
    g.line((0.62, 0.47 - g.t / 2), (0.86 + g.s * 0.1, 0.47 - g.t / 2), g.t, (1.2, 1.0), lean=True)
    g.width = 0.88
    return ROUND, 0.07


def letter_h(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    upright(g, 0.76 - g.s / 2)
    bar(g, g.s / 2, 0.76 - g.s / 2, 0.52)
    g.width = 0.76
    return STRAIGHT, STRAIGHT


def letter_i(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    g.width = g.s
    return STRAIGHT, STRAIGHT


def letter_j(g: Letter) -> Bearings:
    x, low = 0.36 - g.s / 2, 0.25
    bend = turn(x - 0.21, low, 0.21, low - g.t / 2 + OVER, 0, -112)
    bend[-1] = (*bend[-1][:2], 0.9)
    g.stroke([(x, 1.0, 1.5), (x, 0.75, 1.0), (x, 0.5, 0.9), (x, 0.36, 1.0), *bend])
    g.width = 0.36
    return 0.02, STRAIGHT


def letter_k(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    g.line((g.s * 0.7, 0.40), (0.58, 1), g.t * 1.08, (0.9, 1.3))
    g.line((0.20, 0.565), (0.62, 0), g.s, (0.8, 1.25))
    g.width = 0.66
    return STRAIGHT, 0.0


def letter_l(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    arm(g, g.s / 2, 0.50, g.t / 2)
    g.width = 0.50
    return STRAIGHT, 0.02


def letter_m(g: Letter) -> Bearings:
    g.line((0.055, 0), (0.13, 1), g.t * 1.1, (1.3, 1.0))
    g.line((0.13, 1), (0.50, 0.03), g.s, (1.0, 0.8))
    g.line((0.50, 0.03), (0.87, 1), g.t * 1.1, (0.9, 1.0))
    g.line((0.87, 1), (0.945, 0), g.s, (1.0, 1.2))
    g.width = 1.0
    return 0.06, 0.06


def letter_n(g: Letter) -> Bearings:
    g.line((g.t / 2 + 0.01, 0), (g.t / 2 + 0.01, 1), g.t * 1.1, (1.3, 1.0))
    g.line((g.s * 0.5, 1), (0.78 - g.s * 0.45, 0), g.s, (1.0, 0.95))
    g.line((0.78 - g.t / 2 - 0.01, 0), (0.78 - g.t / 2 - 0.01, 1), g.t * 1.1, (1.0, 1.3))
    g.width = 0.78
    return STRAIGHT, STRAIGHT


def letter_o(g: Letter) -> Bearings:
    g.ring((0.5, 0.5), 0.5, 0.5 + OVER)
    g.width = 1.0
    return ROUND, ROUND


def letter_p(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    bar(g, g.s / 2, 0.27, 1 - g.t / 2)
    bar(g, g.s / 2, 0.27, 0.455)
    g.arc((0.26, 0.5 * (1 + 0.455 - g.t / 2)), 0.28, 0.5 * (1 - 0.455 + g.t / 2), -90, 90)
    g.width = 0.54
    return STRAIGHT, 0.04


def letter_q(g: Letter) -> Bearings:
    g.ring((0.5, 0.5), 0.5, 0.5 + OVER)
    g.stroke([(0.50, 0.20, 0.2), (0.68, 0.09, 0.8), (0.86, -0.06, 1.0), (1.04, -0.16, 0.6)])
    g.width = 1.0
    return ROUND, ROUND


def letter_r(g: Letter) -> Bearings:
    upright(g, g.s / 2)
    bar(g, g.s / 2, 0.26, 1 - g.t / 2)
    bar(g, g.s / 2, 0.30, 0.49)
    g.arc((0.26, 0.5 * (1 + 0.49 - g.t / 2)), 0.26, 0.5 * (1 - 0.49 + g.t / 2), -90, 90)
    g.line((0.265, 0.50), (0.60, 0), g.s, (0.85, 1.25))
    g.width = 0.62
    return STRAIGHT, 0.0


def letter_s(g: Letter) -> Bearings:
    h = g.t / 2
    top = turn(0.262, 0.752, 0.182, 0.248 - h + OVER, 28, 205)
    low = turn(0.240, 0.262, 0.202, 0.262 - h + OVER, 25, -152)
    top[0] = (*top[0][:2], 1.3)
    low[-1] = (*low[-1][:2], 1.4)
    g.stroke([*top, (0.250, 0.520, 1.15), *low])
    g.width = 0.49
    return 0.05, 0.055


def letter_t(g: Letter) -> Bearings:
    g.line((0.33, 0), (0.33, 1 - g.t / 2), g.s, (1.26, 1.0))
    g.line((0.0, 1 - g.t / 2), (0.66, 1 - g.t / 2), g.t, (1.4, 1.4), lean=True)
    g.width = 0.66
    return 0.025, 0.025


def letter_u(g: Letter) -> Bearings:
    left, right, low = g.s / 2, 0.74 - g.t * 0.55, 0.36
    bend = turn((left + right) / 2, low, (right - left) / 2, low - g.t / 2 + OVER, 180, 360)
    thick = [(x, y, w if x < 0.37 else 0.12 * w) for x, y, w in bend]
    down = [(left, 1.0, 1.6), (left, 0.75, 1.05), (left, 0.5, 0.95)]
    up = [(right, 0.5, 0.1), (right, 0.75, 0.2), (right, 1.0, 0.6)]
    g.stroke([*down, *thick, *up])
    g.width = 0.74
    return 0.095, 0.095


def letter_v(g: Letter) -> Bearings:
    g.line((0.06, 1), (0.465, 0), g.s, (1.2, 1.0))
    g.line((0.445, 0), (0.84, 1), g.t * 1.08, (1.0, 1.3))
    g.width = 0.90
    return OPEN, OPEN


def letter_w(g: Letter) -> Bearings:
    g.line((0.06, 1), (0.37, 0), g.s, (1.2, 1.0))
    g.line((0.355, 0), (0.655, 1), g.t * 1.08, (1.0, 1.0))
    g.line((0.64, 1), (0.95, 0), g.s, (1.0, 1.0))
    g.line((0.935, 0), (1.23, 1), g.t * 1.08, (1.0, 1.3))
    g.width = 1.29
    return OPEN, OPEN


def letter_x(g: Letter) -> Bearings:
    g.line((0.06, 1), (0.70, 0), g.s, (1.2, 1.2))
    g.line((0.05, 0), (0.68, 1), g.t * 1.08, (1.3, 1.3))
    g.width = 0.76
    return OPEN, OPEN


def letter_y(g: Letter) -> Bearings:
    g.line((0.06, 1), (0.39, 0.44), g.s, (1.2, 0.95))
    g.line((0.36, 0.44), (0.72, 1), g.t * 1.08, (1.0, 1.3))
    g.line((0.385, 0), (0.385, 0.50), g.s, (1.26, 0.9))
    g.width = 0.77
    return OPEN, OPEN


def letter_z(g: Letter) -> Bearings:
    g.line((0.09, 0.03), (0.57, 0.97), g.s, (1.0, 1.0))
    g.line((0.04, 1 - g.t / 2), (0.62, 1 - g.t / 2), g.t, (1.4, 1.0), lean=True)
    arm(g, 0.04, 0.66, g.t / 2)
    g.width = 0.66
    return 0.04, 0.045


def digit_0(g: Letter) -> Bearings:
    g.ring((0.33, 0.5), 0.33, 0.5 + OVER)
    g.width = 0.66
    return ROUND, ROUND


def digit_1(g: Letter) -> Bearings:
    g.line((0.24, 0), (0.24, 1), g.s, (1.26, 1.0))
    g.line((0.03, 0.82), (0.24, 1 - g.t * 0.4), g.t, (1.2, 1.0), lean=True)
    g.width = 0.30
    return 0.07, 0.12


def digit_2(g: Letter) -> Bearings:
    h = g.t / 2
    top = turn(0.255, 0.735, 0.205, 0.265 - h + OVER, 160, -28)
    top[0] = (*top[0][:2], 1.3)
    g.stroke([*top, (0.32, 0.40, 0.85), (0.19, 0.20, 0.55), (0.06, h, 0.3)])
    arm(g, 0.03, 0.56, h)
    g.width = 0.56
    return 0.06, 0.05


def digit_3(g: Letter) -> Bearings:
    h = g.t / 2
    top = turn(0.215, 0.775, 0.185, 0.225 - h + OVER, 150, -75)
    low = turn(0.210, 0.285, 0.230, 0.285 - h + OVER, 80, -150)
    top[0], low[-1] = (*top[0][:2], 1.2), (*low[-1][:2], 1.3)
    g.stroke([*top, (0.16, 0.555, 0.0)])
    g.stroke([(0.16, 0.555, 0.0), *low])
    g.width = 0.46
    return 0.05, ROUND


def digit_4(g: Letter) -> Bearings:
    g.line((0.43, 0), (0.43, 1), g.s, (1.2, 1.0))
    g.line((0.045, 0.27), (0.42, 0.985), g.t * 1.05, (1.0, 1.0))
    bar(g, 0.02, 0.60, 0.27)
    g.width = 0.60
    return 0.04, 0.04


def digit_5(g: Letter) -> Bearings:
    h = g.t / 2
    g.line((0.105, 0.535), (0.135, 1), g.t, (1.0, 1.0))
    arm(g, 0.115, 0.46, 1 - h)
    low = turn(0.230, 0.315, 0.235, 0.315 - h + OVER, 122, -150)
    low[0], low[-1] = (*low[0][:2], 0.1), (*low[-1][:2], 1.3)
    g.stroke(low)
    g.width = 0.49
    return 0.06, ROUND


def six(g: Letter, flip: Callable[[float, float], Point]) -> None:
    centre = flip(0.30, 0.31)
    g.ring(centre, 0.30, 0.31 + OVER)
    spine = [
        (g.s / 2, 0.31, 1.0), (g.s / 2 + 0.012, 0.45, 1.0), (0.11, 0.64, 0.85), (0.21, 0.815, 0.6), (0.34, 0.93, 0.4),
        (0.47, 0.985, 0.3),
    ]  # fmt: skip
    g.stroke([(*flip(x, y), w) for x, y, w in spine])
    g.width = 0.60


def digit_6(g: Letter) -> Bearings:
    six(g, lambda x, y: (x, y))
    return ROUND, 0.055


def digit_7(g: Letter) -> Bearings:
    g.line((0.16, 0), (0.50, 0.97), g.s, (1.2, 1.0))
    g.line((0.0, 1 - g.t / 2), (0.55, 1 - g.t / 2), g.t, (1.4, 1.0), lean=True)
    g.width = 0.55
    return 0.04, 0.02


def digit_8(g: Letter) -> Bearings:
    g.ring((0.29, 0.27 - OVER / 2), 0.29, 0.27 + OVER / 2)
    top = (1 + OVER - (0.54 - g.t)) / 2
    g.ring((0.29, 0.54 - g.t + top), 0.245, top)
    g.width = 0.58
    return ROUND, ROUND


def digit_9(g: Letter) -> Bearings:
    six(g, lambda x, y: (0.60 - x, 1 - y))
    return 0.055, ROUND


def dot_radius(g: Letter) -> float:
    return g.s * 0.68


def period(g: Letter) -> Bearings:
    r = dot_radius(g)
    g.disc((r, r - OVER), r)
    g.width = 2 * r
    return 0.07, 0.08


def comma(g: Letter) -> Bearings:
    r = dot_radius(g)
    g.disc((r, r - OVER), r)
    g.stroke([(r * 1.55, r * 0.7, 0.4), (r * 1.5, -r * 0.3, 0.1), (r * 0.55, -r * 1.7, -0.7)])
    g.width = 2 * r
    return 0.07, 0.08


def quote(g: Letter) -> Bearings:
    r = dot_radius(g) * 0.9
    top = 1 - r * 1.1
    g.disc((r, top), r)
    g.stroke([(r * 1.55, top, 0.4), (r * 1.5, top - r, 0.1), (r * 0.55, top - r * 2.4, -0.7)])
    g.width = 2 * r
    return 0.05, 0.05


def open_quote(g: Letter) -> Bearings:
    r = dot_radius(g) * 0.9
    low = 1 - r * 2.6
    g.disc((r, low), r)
    g.stroke([(r * 0.45, low, 0.4), (r * 0.5, low + r, 0.1), (r * 1.45, low + r * 2.4, -0.7)])
    g.width = 2 * r
    return 0.05, 0.05


def colon(g: Letter) -> Bearings:
    r = dot_radius(g)
    g.disc((r, r - OVER), r)
    g.disc((r, 0.60), r)
    g.width = 2 * r
    return 0.08, 0.08


def middle_dot(g: Letter) -> Bearings:
    r = dot_radius(g)
    g.disc((r, 0.5), r)
    g.width = 2 * r
    return 0.10, 0.10


def hyphen(g: Letter) -> Bearings:
    g.line((0, 0.44), (0.30, 0.44), g.t * 1.1, (1.2, 1.2), lean=True)
    g.width = 0.30
    return 0.07, 0.07


def dash(g: Letter) -> Bearings:
    g.line((0, 0.44), (0.62, 0.44), g.t, (1.2, 1.2), lean=True)
    g.width = 0.62
    return 0.08, 0.08


def exclamation(g: Letter) -> Bearings:
    r = dot_radius(g)
    g.disc((r, r - OVER), r)
    g.line((r, 0.27), (r, 1), g.s, (0.55, 1.5))
    g.width = 2 * r
    return 0.09, 0.09


def question(g: Letter) -> Bearings:
    r, h = dot_radius(g), g.t / 2
    g.disc((0.23, r - OVER), r)
    top = turn(0.225, 0.775, 0.185, 0.225 - h + OVER, 160, -50)
    top[0] = (*top[0][:2], 1.3)
    g.stroke([*top, (0.245, 0.46, 0.5), (0.23, 0.27, 0.1)])
    g.width = 0.44
    return 0.06, 0.06


def slash(g: Letter) -> Bearings:
    g.line((0.03, -0.10), (0.42, 1.10), g.t, (1.0, 1.0))
    g.width = 0.45
    return 0.03, 0.03


def pound(g: Letter) -> Bearings:
    h = g.t / 2
    top = turn(0.345, 0.775, 0.165, 0.225 - h + OVER, 25, 185)
    top[0] = (*top[0][:2], 1.3)
    g.stroke([*top, (0.20, 0.56, 1.0), (0.215, 0.34, 0.9), (0.17, 0.15, 0.5), (0.06, h, 0.1)])
    arm(g, 0.03, 0.56, h)
    bar(g, 0.06, 0.42, 0.47)
    g.width = 0.56
    return 0.05, 0.05


def ampersand(g: Letter) -> Bearings:
    h = g.t / 2
    g.stroke(
        [
            (0.76, 0.0, 1.2), (0.62, 0.15, 1.0), (0.42, 0.42, 1.0), (0.22, 0.68, 0.8), (0.19, 0.82, 0.6),
            (0.25, 0.95, 0.3), (0.36, 1 - h + OVER, 0.1), (0.47, 0.93, 0.4), (0.50, 0.80, 0.7), (0.42, 0.66, 0.4),
            (0.24, 0.54, 0.2), (0.08, 0.40, 0.8), (0.05, 0.22, 1.0), (0.14, 0.06, 0.5), (0.30, h - OVER, 0.1),
            (0.47, 0.07, 0.1), (0.60, 0.25, 0.1), (0.66, 0.46, 0.5),
        ]
    )  # fmt: skip
    g.width = 0.80
    return 0.06, 0.03


def times(g: Letter) -> Bearings:
    g.line((0.02, 0.22), (0.40, 0.66), g.t, (1.1, 1.1))
    g.line((0.02, 0.66), (0.40, 0.22), g.t, (1.1, 1.1))
    g.width = 0.42
    return 0.07, 0.07


Draw = Callable[[Letter], Bearings]
LETTERS: dict[str, Draw] = {
    "a": letter_a, "b": letter_b, "c": letter_c, "d": letter_d, "e": letter_e, "f": letter_f, "g": letter_g,
    "h": letter_h, "i": letter_i, "j": letter_j, "k": letter_k, "l": letter_l, "m": letter_m, "n": letter_n,
    "o": letter_o, "p": letter_p, "q": letter_q, "r": letter_r, "s": letter_s, "t": letter_t, "u": letter_u,
    "v": letter_v, "w": letter_w, "x": letter_x, "y": letter_y, "z": letter_z,
}  # fmt: skip
OTHERS: dict[str, tuple[str, Draw]] = {
    "zero": ("0", digit_0), "one": ("1", digit_1), "two": ("2", digit_2), "three": ("3", digit_3),
    "four": ("4", digit_4), "five": ("5", digit_5), "six": ("6", digit_6), "seven": ("7", digit_7),
    "eight": ("8", digit_8), "nine": ("9", digit_9), "period": (".", period), "comma": (",", comma),
    "quoteright": ("\u2019'", quote), "quoteleft": ("\u2018", open_quote), "colon": (":", colon),
    "periodcentered": ("\u00b7", middle_dot), "hyphen": ("-\u2010\u2011", hyphen), "endash": ("\u2013\u2014", dash),
    "exclam": ("!", exclamation), "question": ("?", question), "slash": ("/", slash), "sterling": ("\u00a3", pound),
    "ampersand": ("&", ampersand), "multiply": ("\u00d7", times),
}  # fmt: skip

# How much closer two letters stand, in thousandths of the height.
KERNING: dict[str, int] = {
    "AV": -130, "VA": -130, "AT": -110, "TA": -110, "AW": -90, "WA": -90, "AY": -120, "YA": -120, "LT": -130,
    "LV": -130, "LY": -140, "LO": -50, "TO": -60, "OT": -45, "TC": -55, "OV": -50, "VO": -55, "OA": -45, "AO": -55,
    "OY": -60, "YO": -75, "PA": -110, "FA": -100, "FO": -35, "RT": -30, "RV": -40, "RY": -45, "KO": -60, "AC": -50,
    "AG": -50, "CA": -20, "DA": -40, "AU": -20, "OX": -40, "XO": -45, "WO": -40, "OW": -40, "TR": -5, "TS": -20,
    "LU": -15, "DV": -35, "DY": -45, "OJ": -20, "AQ": -50, "LC": -45, "LG": -45,
}  # fmt: skip
BEFORE_POINT = {"T": -110, "V": -130, "Y": -140, "W": -90, "P": -150, "F": -140}


def features(names: dict[tuple[str, bool], str]) -> str:
    """Write the kerning as an OpenType feature file."""
    lines: list[str] = []
    for (first, second), amount in ((tuple(pair), amount) for pair, amount in KERNING.items()):
        for left_small, right_small in ((False, False), (False, True), (True, True)):
            scale = SMALL if right_small else CAP
            if left_small is False and right_small is True and first in "ACDGOKRLX" and second in "TVWY":
                continue
            lines.append(f"pos {names[first, left_small]} {names[second, right_small]} {round(amount * scale / 1000)};")
    for first, amount in BEFORE_POINT.items():
        for small in (False, True):
            kern = round(amount * (SMALL if small else CAP) / 1000)
            lines += [f"pos {names[first, small]} {mark} {kern};" for mark in ("period", "comma")]
    return "feature kern {\n" + "\n".join(lines) + "\n} kern;\n"


def drawn(pens: Any, draw: Draw, height: int, stem: float, hair: float) -> tuple[Any, int]:
    """Run one letter and return its TrueType glyph and its advance."""
    letter = Letter(height, stem, hair)
    left, right = draw(letter)
    pen = pens.TTGlyphPen(None)
    for contour in letter.contours:
        placed = [((round((x + left) * height), round(y * height)), on) for (x, y), on in contour]
        first = next(k for k, (_, on) in enumerate(placed) if on)
        placed = placed[first:] + placed[:first]
        pen.moveTo(placed[0][0])
        off: list[tuple[int, int]] = []
        for point, on in placed[1:]:
            if not on:
                off.append(point)
            elif off:
                pen.qCurveTo(*off, point)
                off = []
            else:
                pen.lineTo(point)
        if off:
            pen.qCurveTo(*off, placed[0][0])
        pen.closePath()
    glyph = pen.glyph()
    return glyph, round((left + letter.width + right) * height)


def main() -> None:
    """Build the font and write it where the site expects it."""
    try:
        builder_module = importlib.import_module("fontTools.fontBuilder")
        pens = importlib.import_module("fontTools.pens.ttGlyphPen")
        importlib.import_module("brotli")
    except ModuleNotFoundError:
        sys.exit(NEEDS)

    glyphs: dict[str, Any] = {}
    advances: dict[str, int] = {}
    characters: dict[int, str] = {}
    names: dict[tuple[str, bool], str] = {}

    def keep(name: str, draw: Draw, height: int, stem: float, hair: float, where: str) -> None:
        glyphs[name], advances[name] = drawn(pens, draw, height, stem, hair)
        characters.update({ord(character): name for character in where})

    keep(".notdef", digit_0, CAP, 78, 52, "")
    for character, draw in LETTERS.items():
        upper, small = character.upper(), f"{character}.sc"
        keep(upper, draw, CAP, 80, 52, upper)
        keep(small, draw, SMALL, 72, 49, character)
        names[upper, False], names[upper, True] = upper, small
    for name, (where, draw) in OTHERS.items():
        keep(name, draw, CAP, 80, 52, where)
    glyphs["space"], advances["space"] = pens.TTGlyphPen(None).glyph(), 250
    characters.update({0x20: "space", 0xA0: "space"})

    builder = builder_module.FontBuilder(UNITS, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(characters)
    builder.setupGlyf(glyphs)
    table = builder.font["glyf"]
    for name in glyphs:
        glyph = table[name]
        if glyph.numberOfContours > 0:
            glyph.flags[0] |= 0x40  # the strokes of a letter overlap
    builder.setupHorizontalMetrics({name: (advances[name], getattr(table[name], "xMin", 0)) for name in glyphs})
    builder.setupHorizontalHeader(ascent=900, descent=-220)
    builder.setupNameTable({"familyName": "Gnomon", "styleName": "Regular", "psName": "Gnomon-Regular"})
    builder.setupOS2(
        sTypoAscender=900, sTypoDescender=-220, sTypoLineGap=0, usWinAscent=900, usWinDescent=220,
        sCapHeight=CAP, sxHeight=SMALL, usWeightClass=400, fsType=0,
    )  # fmt: skip
    builder.setupPost(underlinePosition=-120, underlineThickness=52)
    builder.addOpenTypeFeatures(features(names))
    builder.font["head"].created = builder.font["head"].modified = 3_800_000_000
    builder.font.recalcTimestamp = False
    builder.font.flavor = "woff2"
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    builder.save(TARGET)
    print(f"{TARGET.name}: {len(glyphs)} glyphs, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
