"""Pictures without what is told beside them."""

from __future__ import annotations

from assetpipe.transforms import containers


def strip(data: bytes, media_type: str) -> bytes:
    """Leave out of a picture's file all that does not change how it looks, with nothing decoded or encoded.

    Gone are EXIF (and with it the position), XMP, IPTC, comments, thumbnails, times, content credentials, and what lies
    behind the picture: a phone's further pictures, and the gain map that Ultra HDR brightens it with, which without
    them is the photograph that other screens show. Orientation, colours, resolution and animation stay, a TIFF's
    further pages and a BMP as a whole as well. TIFF and AVIF keep their length, with nothing where that was. What is
    stripped already stays as it is. Raises ImageError where the file is damaged.
    """
    return containers.read(data, media_type).stripped
