"""BMP headers, from OS/2's of 1988 to version 5; a BMP has no metadata."""

from __future__ import annotations

import struct

from assetpipe.transforms.containers.container import Container, broken

_RAW, _FIELDS = 0, 3
_EMBEDDED = 0x4D424544  # "MBED"
_USUAL = (0xFF0000, 0xFF00, 0xFF)  # the masks of red, green and blue where none are given, of 32 bits
# The masks that Pillow knows, for each number of bits; alpha is looked at by itself.
_MASKS = {
    16: {(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)},
    24: {_USUAL},
    32: {_USUAL, (0xFF, 0xFF00, 0xFF0000)},
}


def read(data: bytes) -> Container:
    """Take a BMP apart. Run-length coding is left alone: what it leaves out is transparent to some, black to others."""
    if data[:2] != b"BM":
        raise broken("it does not begin as a BMP does")
    (length,) = struct.unpack_from("<I", data, 14)
    if length == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = _RAW
    elif length in (40, 52, 56, 64, 108, 124):
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    else:
        raise broken(f"it has a header of {length} bytes, which none of the versions of BMP has")
    if width <= 0 or not height:
        raise broken(f"it says that it is {width} x {abs(height)} pixels")
    masks = struct.unpack_from("<3I", data, 54) if length >= 40 and compression == _FIELDS else _USUAL
    (alpha,) = struct.unpack_from("<I", data, 66) if length >= 56 and bits == 32 else (0,)
    bare = data
    if compression == _RAW and bits == 32 and alpha:
        # Browsers follow the masks of the longer headers in any case, and Pillow where it is told to.
        masks = struct.unpack_from("<3I", data, 54)
        bare = data[:30] + struct.pack("<I", _FIELDS) + data[34:]
    is_known = bits in (1, 4, 8, 16, 24, 32) if compression == _RAW else compression == _FIELDS
    if compression == _FIELDS or bits == 32:
        is_known = is_known and masks in _MASKS.get(bits, ()) and alpha in (0, 0xFF000000)
        is_known = is_known and not (alpha == 0 and masks != _USUAL and bits == 32)
    return Container(
        width=width,
        height=abs(height),
        stripped=data,
        bare=bare,
        profile=_profile(data, length),
        lossless=True,
        alpha=bool(alpha),
        convertible=is_known and (length != 64 or compression == _RAW),
    )


def _profile(data: bytes, length: int) -> bytes | None:
    """Read the profile of a version 5 header; the calibrated colours of version 4 no browser follows."""
    if length < 124 or struct.unpack_from("<I", data, 70)[0] != _EMBEDDED:
        return None
    offset, size = struct.unpack_from("<II", data, 14 + 112)
    profile = data[14 + offset : 14 + offset + size]
    return profile if len(profile) == size else None
