"""Figures as a person reads them."""

from __future__ import annotations


def size(count: int) -> str:
    """Bytes in the unit that a person would use, with three digits: ``5 B``, ``1.24 kB``, ``18.2 MB``."""
    if count < 1000:
        return f"{count} B"
    value, units = count / 1000, ["kB", "MB", "GB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {units[0]}"


def difference(count: int) -> str:
    """Bytes more or less: ``+1.24 kB``, ``−5 B``, ``±0``."""
    return "±0" if not count else f"{'+' if count > 0 else '−'}{size(abs(count))}"


def share(part: float) -> str:
    """A part of one in percent: ``58 %``. What is not nothing is not called so, nor all what is not all."""
    percent = 100 * part
    if 0 < percent < 0.5:
        return "<1 %"
    return ">99 %" if 99.5 <= percent < 100 else f"{percent:.0f} %"


def duration(seconds: float) -> str:
    """Seconds, in milliseconds below one: ``320 ms``, ``1.25 s``, ``64 s``."""
    if 0 < seconds < 0.0005:
        return "<1 ms"
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.{2 if seconds < 9.995 else 0}f} s"


def count(number: int, noun: str) -> str:
    """A number of things: ``1 file``, ``10,400 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
