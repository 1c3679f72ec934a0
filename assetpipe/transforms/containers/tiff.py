"""TIFF directories (TIFF 6.0, and BigTIFF): what of a file belongs to its pictures, byte by byte."""

from __future__ import annotations

import struct
from typing import Any

from msgspec import Struct

from assetpipe.transforms.containers import exif
from assetpipe.transforms.containers.container import Container, broken

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL = 256, 257, 258, 259, 262, 266
_STRIPS, _ORIENTATION, _SAMPLES, _STRIP_SIZES, _PLANAR = 273, 274, 277, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES = 322, 323, 324, 325
_EXTRA, _FORMAT, _GPS, _PROFILE = 338, 339, 34853, 34675
# What the picture is made of, and how large it is meant to be: all else tells of something else.
_KEPT = {
    254, 255, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, 263, _FILL, _STRIPS, _ORIENTATION, _SAMPLES,
    278, _STRIP_SIZES, 280, 281, 282, 283, _PLANAR, 290, 291, 292, 293, 296, 301, 317, 318, 319, 320, 321,
    _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_SIZES, 332, 334, 336, _EXTRA, _FORMAT, 340, 341, 342, 347,
    512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, _PROFILE,
}  # fmt: skip
_NAMES = {700: "xmp", 33723: "iptc", 34377: "iptc", 34665: "exif", 270: "comment", 330: "pictures"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_JPEG = 7
# Compressions that lose nothing or are JPEG, and that browsers that show TIFF know as well: none, CCITT, LZW, deflate,
# packed bits.
_COMPRESSIONS = {1, 2, 3, 4, 5, _JPEG, 8, 32773, 32946}
# Bits a sample and numbers of samples that eight bits of RGB can hold, for each photometric interpretation.
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_SHOWN = {
    _WHITE_IS_ZERO: {(1, 1), (4, 1), (8, 1)},
    _BLACK_IS_ZERO: {(1, 1), (4, 1), (8, 1), (16, 1), (8, 2)},
    _RGB: {(8, 3), (8, 4), (16, 3), (16, 4)},
    _PALETTE: {(1, 1), (4, 1), (8, 1)},
    _CMYK: {(8, 4), (16, 4)},
    _YCBCR: {(8, 3)},
}
_MAX_PAGES = 10_000


class _Entry(Struct, frozen=True):
    """One field: where its twelve bytes are (twenty in BigTIFF), and where its value."""

    tag: int
    kind: int
    count: int
    raw: bytes
    at: int
    size: int


class _Page(Struct, frozen=True):
    """One directory."""

    at: int
    entries: tuple[_Entry, ...]


class _Layout(Struct, frozen=True):
    """How numbers are written: the byte order, and the formats of a directory's count and of an offset."""

    order: str
    count: str
    offset: str

    @property
    def entry(self) -> int:
        return 4 + 2 * struct.calcsize(self.order + self.offset)


def read(data: bytes) -> Container:
    """Take a TIFF apart. Its first page is the picture; the others stay in the stripped file, stripped as well."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise broken("it does not begin as a TIFF does")
    (magic,) = struct.unpack_from(order + "H", data, 2)
    if magic not in (42, 43):
        raise broken("it does not begin as a TIFF does")
    layout = _Layout(order, "H", "I") if magic == 42 else _Layout(order, "Q", "Q")
    pages, metadata = _pages(data, layout, 4 if magic == 42 else 8)
    first = {entry.tag: entry for entry in pages[0].entries}

    def numbers(tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        return _numbers(data, layout, first[tag]) if tag in first else default

    def number(tag: int, default: int) -> int:
        return (numbers(tag) or (default,))[0]

    width, height = number(_WIDTH, 0), number(_HEIGHT, 0)
    if not width or not height:
        raise broken(f"it says that it is {width} x {height} pixels")
    if not first.keys() & {_STRIPS, _TILES}:
        raise broken("it does not say where its picture is")
    tile = (number(_TILE_WIDTH, 1), number(_TILE_HEIGHT, 1))
    # The decoder makes room for a whole tile, however small the picture is.
    if tile[0] * tile[1] > 16 * width * height + (1 << 20):
        raise broken(f"its tiles are {tile[0]} x {tile[1]} pixels")
    samples = number(_SAMPLES, 1)
    bits = numbers(_BITS, (1,))
    photometric, compression, planar = number(_PHOTOMETRIC, -1), number(_COMPRESSION, 1), number(_PLANAR, 1)
    extra = numbers(_EXTRA)
    is_known = (
        len(set(bits)) == 1
        and (bits[0], samples) in _SHOWN.get(photometric, ())
        and compression in _COMPRESSIONS
        and set(numbers(_FORMAT, (1,))) == {1}
        and (planar == 1 or (planar == 2 and bits[0] == 8 and photometric in (_RGB, _CMYK)))
        and (number(_FILL, 1) == 1 or bits[0] == 1)
        and extra in ((), (0,), (1,), (2,))
        and (photometric != _YCBCR or compression == _JPEG)
        and (samples not in (2, 4) or photometric == _CMYK or len(extra) == 1)
    )
    profile = first.get(_PROFILE)
    orientation = number(_ORIENTATION, 1)
    return Container(
        width=width,
        height=height,
        stripped=_kept(data, layout, pages, _KEPT),
        bare=_kept(data, layout, pages[:1], _KEPT - {_ORIENTATION, _PROFILE}),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        profile=data[profile.at : profile.at + profile.size] if profile else None,
        lossless=compression != _JPEG,
        alpha=extra in ((1,), (2,)),
        convertible=is_known,
        metadata=frozenset(metadata),
    )


def _pages(data: bytes, layout: _Layout, at: int) -> tuple[list[_Page], set[str]]:
    """Follow the chain of directories; one that was there before ends it."""
    pages: list[_Page] = []
    metadata: set[str] = set()
    seen: set[int] = set()
    (following,) = struct.unpack_from(layout.order + layout.offset, data, at)
    total = 0
    while following and following not in seen and len(pages) < _MAX_PAGES:
        seen.add(following)
        (count,) = struct.unpack_from(layout.order + layout.count, data, following)
        start = following + struct.calcsize(layout.order + layout.count)
        total += count
        if start + count * layout.entry > len(data) or total * layout.entry > 2 * len(data):
            raise broken("it is cut off, or its directories run into each other")
        entries = []
        for place in range(start, start + count * layout.entry, layout.entry):
            entry = _read_entry(data, layout, place)
            if entry.tag not in _KEPT:
                metadata |= _names(data, layout, entry)
            elif entry.at + entry.size > len(data):
                raise broken(f"it is cut off: what its field {entry.tag} needs lies behind its end")
            else:
                entries.append(entry)
        pages.append(_Page(following, tuple(entries)))
        (following,) = struct.unpack_from(layout.order + layout.offset, data, start + count * layout.entry)
    if not pages:
        raise broken("there is no picture in it")
    return pages, metadata


def _read_entry(data: bytes, layout: _Layout, place: int) -> _Entry:
    tag, kind, count = struct.unpack_from(layout.order + "HH" + layout.offset, data, place)
    size = _SIZES.get(kind, 1) * count
    room = struct.calcsize(layout.order + layout.offset)
    at = place + 4 + room
    if size > room:
        (at,) = struct.unpack_from(layout.order + layout.offset, data, at)
    return _Entry(tag, kind, count, data[place : place + layout.entry], at, size)


def _names(data: bytes, layout: _Layout, entry: _Entry) -> set[str]:
    found = {_NAMES.get(entry.tag, "other")}
    if entry.tag == _GPS or (entry.tag == 700 and exif.has_position(data[entry.at : entry.at + entry.size])):
        found.add("position")
    return found


def _numbers(data: bytes, layout: _Layout, entry: _Entry) -> tuple[int, ...]:
    if entry.kind not in _INTEGERS:
        raise broken(f"its field {entry.tag} holds no whole numbers")
    values: tuple[Any, ...] = struct.unpack_from(f"{layout.order}{entry.count}{_INTEGERS[entry.kind]}", data, entry.at)
    return values


def _kept(data: bytes, layout: _Layout, pages: list[_Page], tags: set[int]) -> bytes:
    """Write the file anew, as long as it was: what ``tags`` of ``pages`` name lies where it lay, all else is zero."""
    out = bytearray(len(data))
    copied = 0

    def keep(at: int, size: int) -> None:
        nonlocal copied
        copied += size
        if at + size > len(data) or copied > 4 * len(data):
            raise broken("it is cut off, or parts of it run into each other")
        out[at : at + size] = data[at : at + size]

    kept = [[entry for entry in page.entries if entry.tag in tags] for page in pages]
    for entries in kept:
        fields = {entry.tag: entry for entry in entries}
        for places, sizes in ((_STRIPS, _STRIP_SIZES), (_TILES, _TILE_SIZES), (513, 514)):
            if places not in fields:
                continue
            if sizes not in fields:
                raise broken(f"it has a field {places}, and none that says how long that is")
            where, long = (_numbers(data, layout, fields[name]) for name in (places, sizes))
            for at, size in zip(where, long, strict=False):
                keep(at, size)
    keep(0, 8 if layout.count == "H" else 16)
    for index, (page, entries) in enumerate(zip(pages, kept, strict=True)):
        following = pages[index + 1].at if index + 1 < len(pages) else 0
        directory = b"".join(
            (
                struct.pack(layout.order + layout.count, len(entries)),
                *(entry.raw for entry in entries),
                struct.pack(layout.order + layout.offset, following),
            )
        )
        out[page.at : page.at + len(directory)] = directory
        for entry in entries:
            if entry.size > struct.calcsize(layout.order + layout.offset):
                keep(entry.at, entry.size)
    return bytes(out)
