"""GIF blocks (GIF89a). Every GIF is a canvas with pictures on it: one or more."""

from __future__ import annotations

import struct

from assetpipe.transforms.containers import exif
from assetpipe.transforms.containers.container import Container, Frame, broken, count, one_more

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_TEXT, _CONTROL, _COMMENT, _APPLICATION = 0x01, 0xF9, 0xFE, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_ICC = b"ICCRGBG1012"  # which browsers do not follow
# What is done with the canvas after a frame (section 23c.iv); other values are taken for nothing.
_AFTER = {2: "clear", 3: "restore"}


def read(data: bytes) -> Container:
    """Take a GIF apart."""
    if data[:6] not in (b"GIF87a", b"GIF89a"):
        raise broken("it does not begin as a GIF does")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _table(flags)
    header, shared = data[:at], data[13:at] if flags & 0x80 else b""
    stripped = [header]
    metadata: set[str] = set()
    frames: list[Frame] = []
    loop, control, alpha, part = 1, bytes(4), False, 0
    while at < len(data) and data[at] != _TRAILER:
        start = at
        count(part := part + 1)
        if data[at] == _EXTENSION:
            label = data[at + 1]
            at, blocks = _blocks(data, at + 2)
            if label == _CONTROL and blocks and len(blocks[0]) >= 4:
                control = blocks[0]
                stripped.append(data[start:at])
            elif label == _APPLICATION and blocks and blocks[0] in _LOOPS:
                # The count is of the rounds after the first; 0 goes on for ever.
                if len(blocks) > 1 and len(blocks[1]) >= 3 and blocks[1][0] & 7 == 1:
                    (repeats,) = struct.unpack_from("<H", blocks[1], 1)
                    loop = repeats + 1 if repeats else 0
                stripped.append(data[start:at])
            elif label == _APPLICATION and blocks and blocks[0] == _ICC:
                stripped.append(data[start:at])
            elif label == _APPLICATION and blocks and blocks[0] == b"XMP DataXMP":
                metadata.add("xmp")
                # The packet is not in blocks but among them: its text passes for their lengths.
                if exif.has_position(data[start:at]):
                    metadata.add("position")
            else:
                metadata.add("comment" if label in (_COMMENT, _TEXT) else "other")
        elif data[at] == _IMAGE:
            x, y, w, h, local = struct.unpack_from("<HHHHB", data, at + 1)
            table = at + 10
            at, _ = _blocks(data, table + _table(local) + 1)
            stripped.append(data[start:at])
            if not w or not h:
                raise broken(f"a frame of it is {w} x {h} pixels")
            if not frames:
                # Browsers make room for the first, and cut the others to the canvas.
                width, height = max(width, x + w), max(height, y + h)
            palette = data[table : table + _table(local)] if local & 0x80 else shared
            (delay,) = struct.unpack_from("<H", control, 1)
            after = _AFTER.get(control[0] >> 2 & 7, "keep")
            # Over what is opaque already, holes in a frame are none in the picture.
            alpha = alpha or (not frames and (bool(control[0] & 1) or (w, h) != (width, height))) or after == "clear"
            one_more(
                frames,
                Frame(
                    _still(w, h, local, palette, control, data[table + _table(local) : at]),
                    x,
                    y,
                    w,
                    h,
                    10 * delay,
                    after,  # type: ignore[arg-type]
                ),
            )
            control = bytes(4)
        else:
            break
    if not frames:
        raise broken("there is no picture in it")
    if data[at + 1 :].strip(b"\0"):
        metadata.add("other")
    whole = b"".join((*stripped, b";"))
    return Container(
        width=width,
        height=height,
        stripped=whole,
        bare=whole,
        lossless=True,
        alpha=alpha,
        metadata=frozenset(metadata),
        frames=tuple(frames),
        loop=loop if len(frames) > 1 else 1,
    )


def _table(flags: int) -> int:
    """How many bytes of colours follow."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks(data: bytes, at: int) -> tuple[int, list[bytes]]:
    """Go to the end of a chain of blocks, and collect the first two."""
    blocks: list[bytes] = []
    while length := data[at]:
        if len(blocks) < 2:
            blocks.append(data[at + 1 : at + 1 + length])
        at += 1 + length
    return at + 1, blocks


def _still(width: int, height: int, local: int, palette: bytes, control: bytes, coded: bytes) -> bytes:
    """Make one frame a GIF of its own, as large as itself."""
    if not palette:
        raise broken("it has no colours")
    bits = (len(palette) // 3 - 1).bit_length() - 1
    return b"".join(
        (
            struct.pack("<6sHHBBB", b"GIF89a", width, height, 0x80 | bits, 0, 0),
            palette,
            struct.pack("<BBBBHBB", _EXTENSION, _CONTROL, 4, control[0] & 1, 0, control[3], 0),
            struct.pack("<BHHHHB", _IMAGE, 0, 0, width, height, local & 0x40),
            coded,
            b";",
        )
    )
