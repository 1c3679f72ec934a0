"""The two things of EXIF that matter here: which way up a picture is, and whether it tells where it was taken."""

from __future__ import annotations

import re
import struct

from msgspec import Struct

_ORIENTATION, _GPS = 0x0112, 0x8825
_POSITION = re.compile(rb"GPS(?:Lat|Long)itude")


class Exif(Struct, frozen=True):
    """What an EXIF block says (CIPA DC-008); 1 is upright, and ``position`` is whether there is GPS data."""

    orientation: int = 1
    position: bool = False


def read(data: bytes) -> Exif:
    """Read what is asked of the TIFF structure in ``data``; what is damaged says nothing."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return Exif()
    orientation, position = 1, False
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, number, short = struct.unpack_from(order + "HHIH", data, entry)
            if tag == _ORIENTATION and kind == 3 and number == 1 and 1 <= short <= 8:
                orientation = short
            elif tag == _GPS:
                position = True
    except struct.error:
        pass
    return Exif(orientation, position)


def minimal(orientation: int) -> bytes:
    """An EXIF block that says the orientation alone; nothing where that is upright."""
    if orientation == 1:
        return b""
    return struct.pack(">4sIHHHIHHI", b"MM\0*", 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)


def has_position(xmp: bytes) -> bool:
    """Whether an XMP packet tells where the picture was taken (exif:GPSLatitude and its like)."""
    return _POSITION.search(xmp) is not None
