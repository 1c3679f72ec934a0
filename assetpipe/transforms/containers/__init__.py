"""The files of pictures, taken apart without decoding anything: one reader a format, and no library."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from assetpipe.transforms.containers import avif, bmp, gif, jpeg, png, tiff, webp
from assetpipe.transforms.containers.container import ImageError, broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetpipe.transforms.containers.container import Container

_READERS: dict[str, Callable[[bytes], Container]] = {
    "image/avif": avif.read,
    "image/bmp": bmp.read,
    "image/gif": gif.read,
    "image/jpeg": jpeg.read,
    "image/png": png.read,
    "image/tiff": tiff.read,
    "image/webp": webp.read,
}
_SPOKEN = {
    "image/avif": "an AVIF",
    "image/bmp": "a BMP",
    "image/gif": "a GIF",
    "image/jpeg": "a JPEG",
    "image/png": "a PNG",
    "image/tiff": "a TIFF",
    "image/webp": "a WebP",
}


def read(data: bytes, media_type: str) -> Container:
    """Take a picture's file apart, in time linear in its length. Raises ImageError where it is damaged."""
    if not data:
        raise broken("the file is empty")
    found = sniff(data)
    if found and found != media_type:
        raise ImageError("misnamed-image", f"it is {_SPOKEN[found]}, whatever its name says")
    if not found:
        raise broken(f"it is not {_SPOKEN[media_type]}")
    try:
        return _READERS[media_type](data)
    except (struct.error, IndexError) as error:
        raise broken("it is cut off, or a length in it is wrong") from error


def sniff(data: bytes) -> str:
    """Tell the media type of a picture from how its file begins; empty where it is none of those that are read here."""
    if data.startswith(png.SIGNATURE):
        return "image/png"
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "image/tiff"
    if data[4:8] == b"ftyp" and {data[8:12], *_brands(data)} & {b"avif", b"avis"}:
        return "image/avif"
    if data.startswith(b"BM"):
        return "image/bmp"
    return ""


def _brands(data: bytes) -> list[bytes]:
    """Read the brands that the file is compatible with (ISO/IEC 14496-12 section 4.3)."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    return [data[at : at + 4] for at in range(16, end, 4)]
