"""PNG chunks (PNG, third edition), of animations too, and the colours that they declare in four ways."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.transforms.containers import exif, profiles
from assetpipe.transforms.containers.container import Container, Frame, broken, count, one_more

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Bits a sample that each colour type allows (section 11.2.1).
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_LOOKS = {b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"pHYs", b"sPLT", b"hIST"}
_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_NAMES = {b"eXIf": "exif", b"tIME": "time", b"caBX": "credentials"}
# No profile of a camera or a screen comes near it; a bomb does.
_MAX_PROFILE = 4 << 20


class _Control(Struct, frozen=True):
    width: int
    height: int
    x: int
    y: int
    duration: int
    after: int
    blend: int


def read(data: bytes) -> Container:
    """Take a PNG apart. A chunk that is not needed and has a wrong checksum is taken for absent, as browsers do."""
    if not data.startswith(SIGNATURE):
        raise broken("it does not begin as a PNG does")
    stripped, bare = [SIGNATURE], [SIGNATURE]
    metadata: set[str] = set()
    first: dict[bytes, bytes] = {}  # of each chunk of which there is one
    orientation = 1
    controls: list[tuple[_Control, list[bytes]]] = []
    for name, body, chunk in _chunks(data):
        if not first and (name != b"IHDR" or len(body) != 13):
            raise broken("it does not begin with its header")
        is_first = name not in first
        if name in _PICTURE or name in _ANIMATION or name in _LOOKS:
            stripped.append(chunk)
        elif name in _TEXTS:
            kind = _kind_of_text(body)
            metadata.add(kind)
            if kind == "xmp" and exif.has_position(body):
                metadata.add("position")
        else:
            metadata.add(_NAMES.get(name, "other"))
        if name in _PICTURE and (is_first or name == b"IDAT"):
            bare.append(chunk)
        if name == b"IDAT" and controls:
            controls[0][1].append(body)
        elif name == b"fcTL":
            controls.append((_Control(*_control(body)), []))
        elif name == b"fdAT" and controls:
            controls[-1][1].append(body[4:])
        elif name == b"eXIf":
            told = exif.read(body)
            if told.position:
                metadata.add("position")
            # Browsers turn the picture only if they hear of it before its data.
            if is_first and b"IDAT" not in first:
                orientation = told.orientation
                if small := exif.minimal(orientation):
                    stripped.append(_chunk(b"eXIf", small))
                    if small == body:
                        metadata.discard("exif")
        if is_first:
            first[name] = b"" if name in (b"IDAT", b"fdAT") else body
    if b"IDAT" not in first:
        raise broken("there is no picture in it")
    width, height, depth, colour = struct.unpack_from(">IIBB", first[b"IHDR"])
    if depth not in _DEPTHS.get(colour, ()) or (colour == 3 and b"PLTE" not in first):
        raise broken(f"{depth} bits of colour type {colour} are no PNG")
    if not width or not height:
        raise broken(f"it says that it is {width} x {height} pixels")
    profile, is_plain = _profile(first)
    frames: list[Frame] = []
    for frame in _frames(first, controls) if b"acTL" in first else ():
        one_more(frames, frame)
    is_sound = all(frame.x + frame.width <= width and frame.y + frame.height <= height for frame in frames)
    declared = struct.unpack_from(">II", first.get(b"acTL", bytes(8)).ljust(8, b"\0"))
    key = first.get(b"tRNS") if colour in (0, 2) else None
    return Container(
        width=width,
        height=height,
        stripped=b"".join(stripped),
        bare=b"".join(bare),
        orientation=orientation,
        profile=profile,
        lossless=True,
        alpha=colour >= 4 or b"tRNS" in first,
        # Pillow reads the upper eight bits of a colour, and the key needs the lower ones.
        convertible=is_plain and is_sound and declared[0] == len(frames) and not (key and colour == 2 and depth == 16),
        metadata=frozenset(metadata),
        frames=tuple(frames),
        loop=declared[1] if frames else 1,
        key=_key(key, depth) if key is not None else None,
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    at, part = len(SIGNATURE), 0
    while at + 12 <= len(data):
        count(part := part + 1)
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if struct.unpack_from(">I", data, end - 4)[0] == zlib.crc32(memoryview(data)[at + 4 : end - 4]):
            yield name, data[at + 8 : end - 4], data[at:end]
        elif not name[0] & 0x20:  # an upper-case letter: the picture needs it (section 5.4)
            raise broken(f"its chunk {name.decode('latin-1')!r} is damaged")
        at = end
        if name == b"IEND":
            return
    raise broken("it is cut off")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _kind_of_text(body: bytes) -> str:
    keyword = body[:80].partition(b"\0")[0]
    if keyword == b"XML:com.adobe.xmp" or keyword == b"Raw profile type xmp":
        return "xmp"
    if keyword.startswith(b"Raw profile type "):
        return "iptc" if keyword.endswith((b"iptc", b"8bim")) else "exif"
    return "comment"


def _control(body: bytes) -> tuple[int, int, int, int, int, int, int]:
    """Read one fcTL; a delay's denominator of 0 stands for 100 (section 11.3.6.2)."""
    _, width, height, x, y, numerator, denominator, after, blend = struct.unpack_from(">IIIIIHHBB", body)
    return width, height, x, y, round(1000 * numerator / (denominator or 100)), after, blend


def _frames(first: dict[bytes, bytes], controls: list[tuple[_Control, list[bytes]]]) -> Iterator[Frame]:
    """Make each frame a PNG of its own, of the same kind of colours."""
    shared = b"".join(_chunk(name, first[name]) for name in (b"PLTE", b"tRNS") if name in first)
    for number, (control, parts) in enumerate(controls):
        if not parts or not control.width or not control.height:
            continue
        header = struct.pack(">II", control.width, control.height) + first[b"IHDR"][8:]
        # The first has nothing before it to be restored (section 11.3.6.2).
        after = ("keep", "clear", "restore" if number else "clear")[min(control.after, 2)]
        yield Frame(
            SIGNATURE
            + _chunk(b"IHDR", header)
            + shared
            + b"".join(_chunk(b"IDAT", part) for part in parts)
            + _chunk(b"IEND", b""),
            control.x,
            control.y,
            control.width,
            control.height,
            control.duration,
            after,  # type: ignore[arg-type]
            over=control.blend == 1,
        )


def _key(body: bytes, depth: int) -> int | tuple[int, ...]:
    """Read the transparent colour, as Pillow has it once the samples are spread over eight bits."""
    values = struct.unpack(f">{len(body) // 2}H", body[: len(body) // 2 * 2])
    if len(values) not in (1, 3):
        raise broken("its transparent colour is damaged")
    spread = tuple((value & (1 << depth) - 1) * (255 // ((1 << depth) - 1) or 1) for value in values)
    return spread if len(spread) == 3 else spread[0]


def _profile(first: dict[bytes, bytes]) -> tuple[bytes | None, bool]:
    """Read what the colours mean, and whether eight bits can hold it (section 4.3 has the precedence)."""
    if b"cICP" in first and len(first[b"cICP"]) == 4:
        primaries, transfer, matrix, is_full = first[b"cICP"]
        if matrix or not is_full or transfer in profiles.HDR:
            return None, False
        return profiles.coded(primaries, transfer), True
    if b"iCCP" in first:
        packed = first[b"iCCP"].partition(b"\0")[2][1:]
        try:
            unpacked = zlib.decompressobj().decompress(packed, _MAX_PROFILE + 1)
        except zlib.error:
            return None, True
        return unpacked if len(unpacked) <= _MAX_PROFILE else None, True
    if b"sRGB" not in first and len(first.get(b"gAMA", b"")) == 4:
        gamma = struct.unpack(">I", first[b"gAMA"])[0] / 100_000
        points = struct.unpack(">8I", first[b"cHRM"]) if len(first.get(b"cHRM", b"")) == 32 else None
        # 0.45455 says sRGB as well as one number can.
        if gamma and (points or abs(gamma * 2.2 - 1) > 0.05):
            return profiles.made([point / 100_000 for point in points] if points else profiles.SRGB, (1 / gamma,)), True
    return None, True
