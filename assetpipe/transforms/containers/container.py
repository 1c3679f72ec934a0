"""What the file of a picture says of it before anything is decoded."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

_MAX_FRAMES = 10_000
_MAX_PARTS = 200_000


class ImageError(Exception):
    """The picture cannot be read; its text says why.

    ``kind`` is ``broken-image``, ``huge-image``, or ``misnamed-image`` for a picture of another type.
    """

    def __init__(self, kind: Literal["broken-image", "huge-image", "misnamed-image"], text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Frame(Struct, frozen=True):
    """One picture of an animation, as a file of its own, and where and how it goes on the canvas.

    ``duration`` is in milliseconds, as written. Then the canvas is kept as it is, cleared where the frame was, or
    restored to what was there before it. With ``over`` it is drawn over what is there, else it takes its place.
    """

    data: bytes
    x: int
    y: int
    width: int
    height: int
    duration: int
    after: Literal["keep", "clear", "restore"] = "keep"
    over: bool = True


class Container(Struct, frozen=True, kw_only=True):
    """A file taken apart: its picture, its metadata, and what both need.

    ``width`` and ``height`` are those of the coded picture, which ``orientation`` turns (EXIF's tag 0x0112 numbers the
    ways). ``profile`` is the ICC profile that browsers go by, also where the file says it in other words. ``stripped``
    is the file without what ``metadata`` names; ``bare`` is the picture alone, for the decoder: not turned, and with
    nothing beside it that could be a bomb. ``frames`` are to be drawn on a canvas, one after the other, for an
    animation and for every GIF; ``loop`` is how often that is played (0: for ever). ``convertible`` is false for what
    is right as it is, but would not be the same in eight bits of RGB. ``passes`` is how often the decoder goes over the
    pixels, ``key`` the colour that is transparent, as Pillow is to be told it.
    """

    width: int
    height: int
    stripped: bytes
    bare: bytes
    orientation: int = 1
    profile: bytes | None = None
    lossless: bool = False
    alpha: bool = False
    convertible: bool = True
    metadata: frozenset[str] = frozenset()
    frames: tuple[Frame, ...] = ()
    loop: int = 1
    passes: int = 1
    key: int | tuple[int, ...] | None = None


def one_more(frames: list[Frame], frame: Frame) -> None:
    """Add a frame to those of an animation: a film is none."""
    if len(frames) == _MAX_FRAMES:
        raise ImageError("huge-image", f"it has more than {_MAX_FRAMES:,} frames")
    frames.append(frame)


def count(part: int) -> None:
    """Refuse a file in more parts than any picture has: each costs memory, and some need four bytes."""
    if part > _MAX_PARTS:
        raise broken(f"it is in more than {_MAX_PARTS:,} parts")


def broken(text: str) -> ImageError:
    """Make the error for a file that is not what it should be."""
    return ImageError("broken-image", text)
