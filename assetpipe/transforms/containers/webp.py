"""WebP's RIFF chunks (RFC 9649 section 2), of animations too. Browsers do not follow an orientation in its EXIF."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.transforms.containers import exif
from assetpipe.transforms.containers.container import Container, Frame, broken, count, one_more

if TYPE_CHECKING:
    from collections.abc import Iterator

_ICC, _ALPHA, _ANIMATION = 0x20, 0x10, 0x02  # of VP8X's flags; those of EXIF and XMP are never kept
_STREAMS = {b"VP8 ", b"VP8L"}
_NAMES = {b"EXIF": "exif", b"XMP ": "xmp"}


class _Stream(Struct, frozen=True):
    """One coded picture: its chunks and what their headers say."""

    chunks: tuple[bytes, ...]
    width: int
    height: int
    lossless: bool
    alpha: bool


def read(data: bytes) -> Container:
    """Take a WebP apart."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise broken("it does not begin as a WebP does")
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise broken("it is cut off")
    metadata = {"other"} if data[end + (end & 1) :].strip(b"\0") else set()
    chunks = list(_chunks(data, 12, end))
    header = dict(chunks[:1]).get(b"VP8X")
    if header is None:
        stream = _stream(chunks)
        metadata |= {"other" for name, _ in chunks if name not in _STREAMS}
        whole = _written(stream.chunks)
        return Container(
            width=stream.width,
            height=stream.height,
            stripped=whole,
            bare=whole,
            lossless=stream.lossless,
            alpha=stream.alpha,
            metadata=frozenset(metadata),
        )
    if len(header) < 10:
        raise broken("its header is cut off")
    width, height = 1 + _u24(header, 4), 1 + _u24(header, 7)
    profile = next((body for name, body in chunks if name == b"ICCP"), None)
    for name, body in chunks[1:]:
        if name in _NAMES or name not in (b"ICCP", b"ANIM", b"ANMF", b"ALPH", *_STREAMS):
            metadata.add(_NAMES.get(name, "other"))
        if name == b"EXIF" and exif.read(body.removeprefix(b"Exif\0\0")).position:
            metadata.add("position")
        if name == b"XMP " and exif.has_position(body):
            metadata.add("position")
    colours = [_chunk(b"ICCP", profile)] if profile is not None else []
    flags = header[0] & (_ALPHA | _ANIMATION) | (_ICC if colours else 0)
    if not header[0] & _ANIMATION:
        stream = _stream(chunks)
        if (stream.width, stream.height) != (width, height):
            raise broken(f"it says {width} x {height} pixels, and holds {stream.width} x {stream.height}")
        return Container(
            width=width,
            height=height,
            stripped=_written([_extended(flags, header), *colours, *stream.chunks]),
            bare=_written([_extended(flags & ~_ICC, header), *stream.chunks]),
            profile=profile,
            lossless=stream.lossless,
            alpha=stream.alpha,
            metadata=frozenset(metadata),
        )
    animation = next((body for name, body in chunks if name == b"ANIM"), b"")
    if len(animation) < 6:
        raise broken("it says that it moves, but not how")
    streams = [(body, _stream(list(_chunks(body, 16, len(body))))) for name, body in chunks if name == b"ANMF"]
    frames: list[Frame] = []
    for body, stream in streams:
        one_more(frames, _frame(body, stream, width, height))
    if not frames:
        raise broken("there is no picture in it")
    kept = [_chunk(b"ANMF", body[:16] + b"".join(stream.chunks)) for body, stream in streams]
    whole = _written([_extended(flags, header), *colours, _chunk(b"ANIM", animation), *kept])
    return Container(
        width=width,
        height=height,
        stripped=whole,
        bare=whole,
        profile=profile,
        lossless=all(stream.lossless for _, stream in streams),
        alpha=bool(header[0] & _ALPHA)
        or (frames[0].width, frames[0].height) != (width, height)
        or any(frame.after == "clear" for frame in frames),
        metadata=frozenset(metadata),
        frames=tuple(frames),
        loop=struct.unpack_from("<H", animation, 4)[0],
    )


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    part = 0
    while at + 8 <= end:
        count(part := part + 1)
        name, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise broken("it is cut off, or a length in it is wrong")
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) & 1)


def _extended(flags: int, header: bytes) -> bytes:
    return _chunk(b"VP8X", bytes((flags, 0, 0, 0)) + header[4:10])


def _written(chunks: list[bytes] | tuple[bytes, ...]) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _u24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def _stream(chunks: list[tuple[bytes, bytes]]) -> _Stream:
    """Find the coded picture among ``chunks`` and read its size (RFC 6386 section 9.1, RFC 9649 section 3.4)."""
    alpha: tuple[bytes, ...] = ()
    for name, body in chunks:
        if name == b"ALPH" and not alpha:
            alpha = (_chunk(name, body),)
        elif name == b"VP8 ":
            if body[3:6] != b"\x9d\x01\x2a":
                raise broken("there is no picture in it")
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
            if not width or not height:
                raise broken(f"it says that it is {width} x {height} pixels")
            return _Stream((*alpha, _chunk(name, body)), width, height, False, bool(alpha))
        elif name == b"VP8L":
            if body[:1] != b"\x2f":
                raise broken("there is no picture in it")
            (bits,) = struct.unpack_from("<I", body, 1)
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            return _Stream((_chunk(name, body),), width, height, True, bool(bits >> 28 & 1))
    raise broken("there is no picture in it")


def _frame(body: bytes, stream: _Stream, width: int, height: int) -> Frame:
    """Make one frame a WebP of its own."""
    x, y = 2 * _u24(body, 0), 2 * _u24(body, 3)
    size = (1 + _u24(body, 6), 1 + _u24(body, 9))
    if size != (stream.width, stream.height) or x + size[0] > width or y + size[1] > height:
        raise broken("a frame of it is larger than it may be")
    chunks = stream.chunks
    if len(chunks) > 1:  # with an alpha channel of its own it needs the long form
        chunks = (_chunk(b"VP8X", bytes((_ALPHA, 0, 0, 0)) + body[6:12]), *chunks)
    return Frame(
        _written(chunks),
        x,
        y,
        *size,
        _u24(body, 12),
        "clear" if body[15] & 1 else "keep",
        over=not body[15] & 2,
    )
