"""AVIF's boxes (ISO/IEC 14496-12, HEIF 23008-12): the first item of the file, and how it is turned and coloured."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.transforms.containers import exif, profiles
from assetpipe.transforms.containers.container import Container, broken

if TYPE_CHECKING:
    from collections.abc import Iterator

# The orientation by EXIF of a rotation (anti-clockwise, in quarters) and of a mirroring after it (none, top and bottom
# swapped, left and right swapped): HEIF sections 6.5.10 and 6.5.12.
_TURNED = {
    (0, -1): 1, (1, -1): 8, (2, -1): 3, (3, -1): 6,
    (0, 0): 4, (1, 0): 5, (2, 0): 2, (3, 0): 7,
    (0, 1): 2, (1, 1): 7, (2, 1): 4, (3, 1): 5,
}  # fmt: skip
_BT709_LIKE = (1, 6, 14, 15)
_XMP = b"application/rdf+xml"
# What makes up a file; another box is for somebody who knows it, which no decoder does.
_STRUCTURE = (b"ftyp", b"meta", b"mdat", b"moov")
_IDLE = (b"free", b"skip", b"uuid", b"xml ", b"bxml")
# What takes the place of metadata: nothing, in a form that those who look for it can read.
_NO_EXIF = struct.pack(">I4sIHI", 0, b"MM\0*", 8, 0, 0)
_NO_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


class _Item(Struct):
    """One item: its type, what a ``mime`` item is, and the pieces of the file that hold it."""

    kind: bytes
    content: bytes = b""
    pieces: list[tuple[int, int]] = []


def read(data: bytes) -> Container:
    """Take an AVIF apart. What EXIF says of the orientation does not count here, ``irot`` and ``imir`` do.

    Metadata are overwritten: to take them out would move all that the file points to.
    """
    if data[4:8] != b"ftyp":
        raise broken("it does not begin as an AVIF does")
    boxes = list(_boxes(data, 0, len(data)))
    meta = next((span for name, *span in boxes if name == b"meta"), None)
    if meta is None:
        raise broken("there is no picture in it")
    within = list(_boxes(data, meta[0] + 4, meta[1]))
    inner = {name: (start, end) for name, start, end in within}
    if not {b"pitm", b"iinf", b"iloc", b"iprp"} <= inner.keys():
        raise broken("it does not say where its picture is")
    items = _items(data, inner)
    primary = _primary(data, inner[b"pitm"][0])
    properties = _properties(data, inner[b"iprp"])
    shown = properties.get(primary, {})
    width, height = _size(shown)
    if not width or not height:
        raise broken(f"it says that it is {width} x {height} pixels")
    # The decoder makes room for what is coded: the picture or its tiles, and the same again for transparency.
    sizes = [_coded(data, items[number], properties.get(number, {})) for number in items]
    if sum(wide * high for wide, high in sizes) > 4 * width * height + (1 << 20):
        raise broken(f"it says {width} x {height} pixels, and holds more")
    angle = (shown[b"irot"][0][0] & 3) if b"irot" in shown else 0
    axis = (shown[b"imir"][0][0] & 1) if b"imir" in shown else -1
    profile, is_plain = _profile(shown.get(b"colr", []))
    stripped, metadata = _stripped(data, items, boxes, within)
    types = [body[4:].partition(b"\0")[0] for body in _all(data, inner[b"iprp"], b"auxC")]
    return Container(
        width=width,
        height=height,
        stripped=stripped,
        bare=stripped,
        orientation=_TURNED[angle, axis],
        profile=profile,
        alpha=any(kind.endswith(b"alpha") or kind == b"urn:mpeg:hevc:2015:auxid:1" for kind in types),
        # Those that move, and those of which a part is shown, are right as they are.
        convertible=is_plain and b"clap" not in shown and all(name != b"moov" for name, *_ in boxes),
        metadata=frozenset(metadata),
    )


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each box, and where its content begins and ends (14496-12 section 4.2)."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        elif size == 0:
            size = end - at
        if size < start - at or at + size > end:
            raise broken("it is cut off, or a length in it is wrong")
        yield name, start, at + size
        at += size


def _primary(data: bytes, at: int) -> int:
    number: int = struct.unpack_from(">I" if data[at] else ">H", data, at + 4)[0]
    return number


def _items(data: bytes, inner: dict[bytes, tuple[int, int]]) -> dict[int, _Item]:
    """Read which items there are, and where (14496-12 sections 8.11.3 and 8.11.6)."""
    start, end = inner[b"iinf"]
    items: dict[int, _Item] = {}
    for name, at, stop in _boxes(data, start + (8 if data[start] else 6), end):
        if name != b"infe" or data[at] < 2:
            continue
        number, _, kind = struct.unpack_from(">IH4s" if data[at] == 3 else ">HH4s", data, at + 4)
        texts = data[at + (14 if data[at] == 3 else 12) : stop].split(b"\0")
        items[number] = _Item(kind, texts[1] if len(texts) > 1 else b"", [])
    at, end = inner[b"iloc"]
    version = data[at]
    offset_size, length_size = data[at + 4] >> 4, data[at + 4] & 15
    base_size, index_size = data[at + 5] >> 4, data[at + 5] & 15 if version else 0
    wide = 4 if version == 2 else 2
    at += 6

    def take(size: int) -> int:
        nonlocal at
        if at + size > end:
            raise broken("it is cut off")
        at += size
        return int.from_bytes(data[at - size : at], "big")

    for _ in range(take(wide)):
        number = take(wide)
        method = take(2) & 15 if version else 0
        take(2)
        base = take(base_size)
        pieces = items[number].pieces if number in items else []
        for _ in range(take(2)):
            take(index_size)
            offset, length = base + take(offset_size), take(length_size)
            if not offset_size + length_size:
                raise broken("it does not say where its picture is")
            if method == 1 and b"idat" in inner:
                offset += inner[b"idat"][0]
            if method < 2:
                pieces.append((offset, length or len(data) - offset))
    return items


def _size(properties: dict[bytes, list[bytes]]) -> tuple[int, int]:
    """Tell the width and height that an item is said to have; nothing, where that is not said."""
    told = properties.get(b"ispe")
    return struct.unpack_from(">II", told[0], 4) if told else (0, 0)


def _coded(data: bytes, item: _Item, properties: dict[bytes, list[bytes]]) -> tuple[int, int]:
    """Tell the size of what is coded in an item, by its AV1 sequence header, which is among the first of its units."""
    if item.kind != b"av01" or not item.pieces:
        return 0, 0
    start, size = item.pieces[0]
    at, end = start, min(start + size, len(data))
    for _ in range(8):
        if at >= end:
            break
        header, at = data[at], at + 1
        kind, at = header >> 3 & 15, at + (header >> 2 & 1)
        length = end - at
        if header & 2:
            length, at = _leb128(data, at)
        if kind == 1:
            return _sequence(data[at : min(at + min(length, 64), end)])
        at += length
    return _size(properties)


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 56, 7):
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, at


def _sequence(body: bytes) -> tuple[int, int]:
    """Read the size from an AV1 sequence header (AV1 section 5.5)."""
    bits, left = int.from_bytes(body, "big"), 8 * len(body)

    def take(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise broken("it is cut off")
        return bits >> left & (1 << count) - 1

    take(4)  # profile, still picture
    if take(1):  # the short form
        take(5)
    else:
        model = 0
        if take(1):  # timing
            take(64)
            if take(1):  # equal intervals: a number by its leading zeros
                zeros = 0
                while not take(1):
                    zeros += 1
                take(zeros)
            if take(1):  # decoder model
                model = take(5) + 1
                take(32 + 5 + 5)
        has_delay = take(1)
        for _ in range(take(5) + 1):
            take(12)
            if take(5) > 7:
                take(1)
            if model and take(1):
                take(2 * model + 1)
            if has_delay and take(1):
                take(4)
    wide, high = take(4) + 1, take(4) + 1
    return take(wide) + 1, take(high) + 1


def _properties(data: bytes, span: tuple[int, int]) -> dict[int, dict[bytes, list[bytes]]]:
    """Collect the properties of each item, by their types (23008-12 section 9.3)."""
    properties: list[tuple[bytes, bytes]] = []
    chosen: dict[int, dict[bytes, list[bytes]]] = {}
    for name, start, end in _boxes(data, *span):
        if name == b"ipco":
            properties = [(kind, data[at:stop]) for kind, at, stop in _boxes(data, start, end)]
        elif name == b"ipma":
            version, is_wide = data[start], data[start + 3] & 1
            (count,) = struct.unpack_from(">I", data, start + 4)
            at = start + 8
            for _ in range(count):
                (number,) = struct.unpack_from(">I" if version else ">H", data, at)
                at += 4 if version else 2
                links, at = data[at], at + 1
                for _ in range(links):
                    index = struct.unpack_from(">H", data, at)[0] & 0x7FFF if is_wide else data[at] & 0x7F
                    at += 2 if is_wide else 1
                    if 0 < index <= len(properties):
                        kind, body = properties[index - 1]
                        if not body:
                            raise broken("it is cut off")
                        chosen.setdefault(number, {}).setdefault(kind, []).append(body)
                if at > end:
                    raise broken("it is cut off")
    return chosen


def _all(data: bytes, span: tuple[int, int], wanted: bytes) -> Iterator[bytes]:
    for name, start, end in _boxes(data, *span):
        if name == b"ipco":
            yield from (data[at:stop] for kind, at, stop in _boxes(data, start, end) if kind == wanted)


def _profile(told: list[bytes]) -> tuple[bytes | None, bool]:
    """Read what the colours mean, and whether eight bits can hold it. A profile says more than code points."""
    for body in told:
        if body[:4] in (b"prof", b"rICC"):
            return body[4:], True
    for body in told:
        if body[:4] == b"nclx" and len(body) >= 8:
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            # Browsers take the curve of video for that of sRGB here (and not in PNG).
            return profiles.coded(primaries, 13 if transfer in _BT709_LIKE else transfer), transfer not in profiles.HDR
    return None, True


def _stripped(
    data: bytes, items: dict[int, _Item], boxes: list[tuple[bytes, int, int]], within: list[tuple[bytes, int, int]]
) -> tuple[bytes, set[str]]:
    """Overwrite what is metadata, or nobody's, with as many bytes: decoders refuse a file whose EXIF is no EXIF."""
    metadata: set[str] = set()
    out = bytearray(data)
    spans = [("other", start, end, b"") for name, start, end in boxes if name not in _STRUCTURE]
    spans += [("other", start, end, b"") for name, start, end in within if name in _IDLE]
    if all(name != b"moov" for name, *_ in boxes):
        spans += [("other", start, end, b"") for start, end in _unclaimed(items, boxes)]
    for item in items.values():
        if item.kind not in (b"Exif", b"mime", b"uri "):
            continue
        name = "exif" if item.kind == b"Exif" else "xmp" if item.content == _XMP else "other"
        nothing = {"exif": _NO_EXIF, "xmp": _NO_XMP}.get(name, b"")
        for at, size in item.pieces:
            spans.append((name, at, at + size, nothing if at == item.pieces[0][0] else b""))
    if sum(end - start for _, start, end, _ in spans) > len(data):
        raise broken("parts of it run into each other")
    done = 0
    # Writers that find the one in the other keep both there: of these the outer one says what is written.
    for name, start, end, nothing in sorted(spans, key=lambda span: (span[1], -span[2])):
        if end > len(data):
            raise broken("it is cut off")
        body = data[start:end]
        blank = nothing.ljust(len(body), b" " if name == "xmp" else b"\0")[: len(body)]
        if body in (blank, bytes(len(body))):
            done = max(done, end)
            continue
        metadata.add(name)
        # Four bytes say where EXIF's own begin (23008-12 annex A.2.1).
        if exif.has_position(body) or (name == "exif" and exif.read(body[4:].removeprefix(b"Exif\0\0")).position):
            metadata.add("position")
        if end > done:
            begin = max(start, done)
            out[begin:end] = blank if begin == start else bytes(end - begin)
            done = end
    return bytes(out), metadata


def _unclaimed(items: dict[int, _Item], boxes: list[tuple[bytes, int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what of the media data belongs to no item: from where to where."""
    pieces = sorted((at, at + size) for item in items.values() for at, size in item.pieces)
    for name, at, end in boxes:
        if name != b"mdat":
            continue
        for start, stop in pieces:
            if start >= end:
                break
            if start > at:
                yield at, start
            at = max(at, stop)
        if at < end:
            yield at, end
