"""From what a stranger sent to what may be published.

1. ``receive``: read it, counting, and never more than is accepted.
2. ``kinds.sniff``: what it is, by its bytes; whether that is allowed, and what its name says.
3. A picture: its size from its headers, before anything is decoded; its metadata, and all that stands behind its end,
   taken out of its container. That it can be decoded to its end is seen when its renditions are made.
4. A drawing is written anew, a PDF looked at from outside.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from assetpipe import units
from assetpipe.uploads import kinds, svg
from assetpipe.uploads.errors import UploadError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 64 * 1024
_DAMAGED = "This file is damaged, or was cut off on the way. Open it, save it again, and send that."
# ISO 32000-1 section 7.5.5; readers look for it in the last kilobyte (its appendix H.3).
_PDF_END = re.compile(rb"%%EOF")
# What must not be left in a picture once it was cleaned.
_TELLING = ("position", "exif", "xmp", "iptc")


class Limits(Struct, frozen=True):
    """What is taken: the media types, and of each file no more than so many bytes and pixels."""

    allow: tuple[str, ...]
    max_bytes: int
    max_pixels: int


class Taken(Struct, frozen=True):
    """What may be published, and its size in pixels as displayed (0 where it has none)."""

    media_type: str
    data: bytes
    width: int
    height: int


def receive(stream: Any, limits: Limits) -> bytes:
    """Read a file-like object, or the chunks of an iterable, to its end. Raises UploadError: too-large or empty."""
    held = io.BytesIO()
    for chunk in _chunks(stream, limits.max_bytes):
        held.write(chunk)
        if held.tell() > limits.max_bytes:
            raise UploadError(
                "too-large",
                f"This file is too large. At most {units.size(limits.max_bytes)} are accepted; make it smaller first.",
            )
    if not held.tell():
        raise UploadError("empty", "This file is empty. Choose another.")
    return held.getvalue()


def examine(data: bytes, filename: str | None, limits: Limits) -> Taken:
    """Say what it is, and take out of it what nobody needs to know. Raises UploadError."""
    media_type = kinds.sniff(data)
    if media_type not in limits.allow:
        told = kinds.spoken(media_type) if media_type else kinds.guess(data)
        listed = [kinds.spoken(one).partition(" ")[2].rpartition(" ")[0] for one in limits.allow]
        accepted = f"{', '.join(listed[:-1])} or {listed[-1]}" if len(listed) > 1 else "".join(listed)
        what = f"This is {told}, which is not accepted." if told else "This kind of file is not accepted."
        raise UploadError("not-allowed", f"{what} Send {accepted}.")
    if kinds.contradicts(filename, media_type):
        raise UploadError(
            "mismatch",
            f"This is {kinds.spoken(media_type)}, but its name says that it is something else. "
            f'Give it a name that ends with "{kinds.SUFFIXES[media_type]}".',
        )
    if media_type == kinds.SVG:
        drawing = svg.clean(data)
        return Taken(media_type, drawing.data, drawing.width, drawing.height)
    if media_type == kinds.PDF:
        if not _PDF_END.search(data, max(0, len(data) - 1024)):
            raise UploadError("broken", _DAMAGED)
        return Taken(media_type, data, 0, 0)
    return _picture(data, media_type, limits.max_pixels)


def refused(error: Exception, max_pixels: int) -> UploadError:
    """What to tell of an ImageError to the person who sent the picture."""
    if getattr(error, "kind", "") == "huge-image":
        most = f"{max_pixels / 1_000_000:g} megapixels"
        return UploadError(
            "too-many-pixels", f"This picture has too many pixels. At most {most} are accepted; make it smaller first."
        )
    return UploadError("broken", _DAMAGED)


def _picture(data: bytes, media_type: str, max_pixels: int) -> Taken:
    from assetpipe.transforms import metadata, rasters

    try:
        rasters.look(data, media_type, max_pixels)
        stripped = metadata.strip(data, media_type)
        facts = rasters.look(stripped, media_type, max_pixels)
    except rasters.ImageError as error:
        raise refused(error, max_pixels) from error
    if not facts.convertible:
        raise UploadError(
            "not-allowed",
            "Pictures of this kind cannot be looked through here. Save it as JPEG, PNG or WebP, and send that.",
        )
    if set(facts.metadata) & set(_TELLING):
        raise UploadError(
            "private",
            "This picture says when and where it was taken, in a place that cannot be cleaned. Save it as JPEG or PNG, "
            "and send that.",
        )
    return Taken(media_type, stripped, facts.width, facts.height)


def _chunks(stream: Any, most: int) -> Iterator[bytes]:
    if isinstance(stream, bytes | bytearray | memoryview):
        yield bytes(stream)
        return
    read = getattr(stream, "read", None)
    if read is None:
        yield from stream
        return
    left = most + 1
    while left > 0 and (chunk := read(min(_CHUNK, left))):
        if not isinstance(chunk, bytes | bytearray):
            raise TypeError(
                f"{type(stream).__name__}.read() gives {type(chunk).__name__}, not bytes. "
                "Give a file that is open for reading bytes; of Starlette's UploadFile, its .file."
            )
        left -= len(chunk)
        yield bytes(chunk)
