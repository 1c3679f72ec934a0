"""JPEG segments (ITU-T T.81 annex B), JFIF, EXIF, ICC and Adobe's, and what phones put behind the picture."""

from __future__ import annotations

import re
import struct

from assetpipe.transforms.containers import exif
from assetpipe.transforms.containers.container import Container, broken, count

# A marker ends a scan. A stuffed zero, a restart or a fill byte does not (T.81 sections B.1.1.5 and F.1.2.3).
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])", re.DOTALL)
_SOI, _EOI, _SOS, _COM, _APP0, _APP1, _APP2, _APP14 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xE1, 0xE2, 0xEE
# Start of frame: all of C0 to CF but the tables of Huffman and arithmetic coding and the reserved one.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Those of 8 bits that every browser shows: baseline, extended and progressive, Huffman or arithmetic.
_SHOWN = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_XMP = (b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0")
_GAIN_MAP = re.compile(rb"hdrgm:|urn:iso:std:iso:ts:21496:-1")
# What the other application segments hold, as far as people have a word for it.
_NAMES = {0xED: "iptc", 0xEB: "credentials", _COM: "comment"}


def read(data: bytes) -> Container:
    """Take a JPEG apart. Further pictures behind the first (MPO, Ultra HDR's gain map) count as metadata."""
    if data[:2] != b"\xff\xd8":
        raise broken("it does not begin as a JPEG does")
    stripped, bare = [b"\xff\xd8"], [b"\xff\xd8"]
    metadata: set[str] = set()
    parts: dict[int, bytes] = {}
    told: exif.Exif | None = None
    frame: tuple[int, int, int, int, int] | None = None
    at, part, passes, profile_parts, has_jfif = 2, 0, 0, 0, False
    while (found := _MARKER.search(data, at)) is not None:
        marker, at, part = found[1][0], found.end(), part + 1
        count(part)
        if marker == _EOI:
            stripped.append(b"\xff\xd9")
            bare.append(b"\xff\xd9")
            break
        if marker == _SOI:
            raise broken("a second picture begins within the first")
        (length,) = struct.unpack_from(">H", data, at)
        end = at + length
        if length < 2 or end > len(data):
            raise broken("it is cut off, or a length in it is wrong")
        body = data[at + 2 : end]
        segment = data[at - 2 : end]
        if marker == _SOS:
            following = _MARKER.search(data, end)
            end = len(data) if following is None else following.start()
            segment = data[at - 2 : end]
            passes += 1
        elif marker in _FRAMES and frame is None:
            depth, height, width, components = struct.unpack_from(">BHHB", body)
            frame = (marker, depth, width, height, components)
        at = end
        if marker == _APP0 and body[:5] == b"JFIF\0" and len(body) >= 14:
            if has_jfif:
                continue
            has_jfif = True
            if len(body) > 14:
                metadata.add("thumbnail")
            segment = b"\xff\xe0\0\x10" + body[:12] + b"\0\0"
        elif marker == _APP0:
            metadata.add("thumbnail" if body[:5] == b"JFXX\0" else "other")
            continue
        elif marker == _APP1 and body[:6] == b"Exif\0\0":
            held = exif.read(body[6:])
            if held.position:
                metadata.add("position")
            if told is None:  # browsers go by the first
                told = held
                small = exif.minimal(held.orientation)
                if small:
                    stripped.append(struct.pack(">HH", 0xFFE1, len(small) + 8) + b"Exif\0\0" + small)
                if body[6:] == small:
                    continue
            metadata.add("exif")
            continue
        elif marker == _APP1:
            metadata.add("xmp" if body.startswith(_XMP) else "other")
            if exif.has_position(body):
                metadata.add("position")
            if _GAIN_MAP.search(body):
                metadata.add("gain map")
            continue
        elif marker == _APP2 and body[:12] == b"ICC_PROFILE\0" and len(body) > 14:
            parts[body[12]], profile_parts = body[14:], body[13]
            stripped.append(segment)
            continue
        elif marker == _APP2:
            is_gain_map = _GAIN_MAP.match(body) is not None
            metadata.add("gain map" if is_gain_map else "pictures" if body[:4] == b"MPF\0" else "other")
            continue
        elif marker == _COM or (0xE0 <= marker <= 0xEF and not (marker == _APP14 and body[:5] == b"Adobe")):
            metadata.add(_NAMES.get(marker, "other"))
            continue
        stripped.append(segment)
        bare.append(segment)
    else:
        at = len(data)
    if frame is None:
        raise broken("it is cut off before it says how large it is")
    if data[at:].strip(b"\0"):
        metadata.add("pictures" if b"\xff\xd8\xff" in data[at:] else "other")
    marker, depth, width, height, components = frame
    if not width or not height:
        raise broken(f"it says that it is {width} x {height} pixels")
    complete = sorted(parts) == list(range(1, profile_parts + 1))
    return Container(
        width=width,
        height=height,
        stripped=b"".join(stripped),
        bare=b"".join(bare),
        orientation=told.orientation if told else 1,
        profile=b"".join(parts[number] for number in sorted(parts)) if parts and complete else None,
        convertible=marker in _SHOWN and depth == 8 and components in (1, 3, 4),
        metadata=frozenset(metadata),
        passes=passes,
    )
