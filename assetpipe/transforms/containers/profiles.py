"""ICC profiles made of what a file says in other words (PNG's gAMA and cHRM; code points of ITU-T H.273)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
# x and y of white, red, green and blue, in PNG's order.
SRGB = (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
# Colour primaries by H.273 table 2. What is missing is unspecified or reserved.
_PRIMARIES = {
    1: SRGB,
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
# A curve is ICC's parametric type 0 (an exponent) or 3 (g, a, b, c, d: linear below d).
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_VIDEO_CURVE = (2.4,)  # of BT.1886: how screens show what BT.709 and its kin have coded
# Transfer characteristics by H.273 table 3.
_CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((1, 6, 11, 14, 15), _VIDEO_CURVE),
    4: (2.2,),
    5: (2.8,),
    7: (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4.0, 0.0912),
    8: (1.0,),
    13: _SRGB_CURVE,
}
# Perceptual quantizer, SMPTE ST 428 and hybrid log-gamma: brighter than white, or than eight bits can grade.
HDR = frozenset({16, 17, 18})
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))

_Matrix = tuple[tuple[float, ...], ...]


def coded(primaries: int, transfer: int) -> bytes | None:
    """Make the profile for two code points of H.273, which say nothing where either is not known."""
    if primaries not in _PRIMARIES or transfer not in _CURVES:
        return None
    return made(_PRIMARIES[primaries], _CURVES[transfer])


def made(points: Sequence[float], curve: Sequence[float]) -> bytes | None:
    """Make an RGB profile (ICC.1:2010) of the chromaticities of white, red, green and blue, and of a curve.

    The columns are adapted to the profile's D50 as Bradford has it (annex E). None where the points make no sense.
    """
    try:
        white, *corners = (_XYZ(*points[at : at + 2]) for at in range(0, 8, 2))
        matrix = _transposed(corners)
        scale = _apply(_inverse(matrix), white)
        seen, meant = _apply(_BRADFORD, white), _apply(_BRADFORD, _D50)
        adapted = _product(
            _inverse(_BRADFORD),
            tuple(tuple(x * meant[i] / seen[i] for x in _BRADFORD[i]) for i in range(3)),
        )
        columns = [_apply(adapted, [x * s for x in corner]) for corner, s in zip(corners, scale, strict=True)]
        kind = {1: 0, 5: 3}[len(curve)]
        parametric = b"para" + struct.pack(">IHH", 0, kind, 0) + _numbers(curve)
        tags = {
            b"desc": _text("RGB"),
            b"cprt": _text("CC0"),
            b"wtpt": b"XYZ \0\0\0\0" + _numbers(_D50),
            b"chad": b"sf32\0\0\0\0" + _numbers(x for row in adapted for x in row),
            **{b"%cXYZ" % c: b"XYZ \0\0\0\0" + _numbers(column) for c, column in zip(b"rgb", columns, strict=True)},
            **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), parametric),
        }
    except (ZeroDivisionError, OverflowError, struct.error):
        return None
    return _written(tags)


def _written(tags: dict[bytes, bytes]) -> bytes:
    table, body = [struct.pack(">I", len(tags))], b""
    start = 128 + 4 + 12 * len(tags)
    offsets: dict[bytes, int] = {}
    for name, value in tags.items():
        if value not in offsets:
            offsets[value] = start + len(body)
            body += value + bytes(-len(value) % 4)
        table.append(struct.pack(">4sII", name, offsets[value], len(value)))
    # Version 4.3, display, RGB, XYZ; made on no day, on no platform; perceptual (section 7.2).
    header = struct.pack(">I4xI4s4s4s", start + len(body), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2000, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _numbers(_D50)
    return header.ljust(128, b"\0") + b"".join(table) + body


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">III2s2sII", 0, 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _numbers(values: Iterable[float]) -> bytes:
    """Write s15Fixed16 numbers."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _XYZ(x: float, y: float) -> tuple[float, float, float]:  # noqa: N802 - the name of the colour space
    return x / y, 1.0, (1 - x - y) / y


def _apply(matrix: _Matrix, vector: Sequence[float]) -> tuple[float, ...]:
    return tuple(sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix)


def _product(one: _Matrix, other: _Matrix) -> _Matrix:
    return _transposed([_apply(one, column) for column in _transposed(other)])


def _transposed(matrix: Sequence[Sequence[float]]) -> _Matrix:
    return tuple(zip(*matrix, strict=True))


def _inverse(matrix: _Matrix) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return tuple(tuple(x / determinant for x in row) for row in cofactors)
