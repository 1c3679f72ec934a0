"""From pixels to bytes: WebP and AVIF, lossy or lossless.

1. Lossy at the number that was asked for, or at the least that reaches what the eye is to see.
2. WebP only, where nothing was lost so far: lossless, too, if a quick try says that it may be worth it.
3. Of both the smaller; but where a number damages the picture, lossless is worth several times the bytes.

AVIF keeps the colour of every pixel (4:4:4): at an equal score photographs are as small as with halved colours, and
drawings far smaller. It has no lossless mode that is exact, so there WebP is what drawings are for.
"""

from __future__ import annotations

import io
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import PIL

from assetpipe.errors import ConfigError
from assetpipe.transforms.containers.container import broken
from assetpipe.transforms.likeness import Original

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from assetpipe.config import ImageFormat, Quality

# Least scores of SSIMULACRA 2, by the scale of its authors (github.com/cloudinary/ssimulacra2): 50 "medium quality",
# slightly annoying; 70 "high quality", hardly noticed side by side; 90 "visually lossless", not even seen in a flicker.
TARGETS = {"medium": 50, "high": 70, "visually-lossless": 90}
# Change this with what is asked of the codecs, or how the search goes.
_SETTINGS = {"webp": "1: method 6, 5 with alpha", "avif": "1: speed 6, 4:4:4, one thread"}
# Where the search begins: what a photograph usually needs.
_STARTS = {
    "webp": {"medium": 36, "high": 76, "visually-lossless": 99},
    "avif": {"medium": 34, "high": 50, "visually-lossless": 90},
}
_ENOUGH = 0.5  # above the target: the search for less has nothing to gain
# Of 42 photographs saved as PNG, WebP at 80 errs by 1.1 to 7.1 (of 255, root mean square) and lossless takes 5.5 to 43
# times its bytes; of 101 drawings, all that look damaged (a score under 65) err by more than 8, which is 30 dB, but one
# dark wallpaper. So from 30 to 95 no photograph goes lossless, and each drawing does that is worse off than they are.
_DAMAGED = 8.0
_WORTH = 5
# The quick try is at most so many times as large as lossless WebP will be in the end (measured: 1.67).
_QUICK = 1.7
_REPRESENTATIVE = 3  # frames of an animation
_MOST_LOOPS = 0xFFFF  # RFC 9649 section 2.7.1.1: 16 bits
# In milliseconds: 24 bits for a frame (RFC 9649 section 2.7.1.1), and what libwebp counts in.
_LONGEST, _LONGEST_IN_ALL = 0xFF_FFFF, 0x7FFF_FFFF


def encode(
    image: Image.Image, name: ImageFormat, quality: Quality, *, profile: bytes | None, lossless_source: bool
) -> bytes:
    """Encode a picture, RGB or RGBA, without any metadata but the ``profile``. Deterministic.

    Of a ``lossless_source``, lossless WebP is taken where that is smaller, or a number as the quality damages the
    picture. With a name as the quality, the picture reaches that score (TARGETS) when it is decoded again; one of more
    than two megapixels to within two points. Where lossy WebP cannot reach it (90, for most photographs), the picture
    is lossless whatever its source was: exact, and often larger than what it was made of, which is the caller's to
    compare. AVIF reaches 90 with every picture that was tried (143), and is at its best where it does not.
    """
    if isinstance(quality, int):
        lossy = _written(image, name, quality, profile)
    elif (sought := _sought(image, name, quality, profile)[1]) is not None:
        lossy = sought
    elif name == "avif":
        lossy = _written(image, name, 100, profile)
    else:
        return _lossless([image], profile=profile)
    if name == "avif" or not lossless_source:
        return lossy
    most = len(lossy)
    if isinstance(quality, int) and _error(image, lossy) > _DAMAGED:
        most *= _WORTH
    return _exact_within(most, [image], profile=profile) or lossy


def animate(
    frames: Sequence[Image.Image],
    durations: Sequence[int],
    loop: int,
    name: ImageFormat,
    quality: Quality,
    *,
    profile: bytes | None,
    lossless_source: bool,
) -> bytes:
    """Encode an animation of two frames or more as WebP: whole canvases, each shown for its milliseconds.

    It is played ``loop`` times, 0 being for ever (RFC 9649 section 2.7.1.1). Equal frames that follow each other become
    one, shown for as long as both. Lossy or lossless is decided as for a picture; lossy, each frame of a
    ``lossless_source`` may still be lossless where that is smaller. A quality by name is sought on three frames. Raises
    ImageError where a frame is shown for longer than WebP can say.
    """
    assert name == "webp", "AVIF sequences are not made"
    if max(durations) > _LONGEST or sum(durations) > _LONGEST_IN_ALL:
        raise broken("it is shown for longer than WebP can say: more than four hours for a picture, or 24 days in all")
    picked = [frames[n * (len(frames) - 1) // (_REPRESENTATIVE - 1)] for n in range(_REPRESENTATIVE)]
    moving: dict[str, Any] = {"durations": durations, "loop": loop, "profile": profile}
    if isinstance(quality, str):
        found = [_sought(frame, name, quality, None) for frame in picked]
        if any(data is None for _, data in found):
            return _lossless(frames, **moving)
        number = max(number for number, _ in found)
    else:
        number = quality
    lossy = _animated(frames, **moving, quality=number, allow_mixed=lossless_source, method=4)
    if not lossless_source:
        return lossy
    most = len(lossy)
    if isinstance(quality, int):
        stills = [_error(frame, _written(frame, name, number, None)) for frame in picked]
        if max(stills) > _DAMAGED:
            most *= _WORTH
    return _exact_within(most, frames, **moving) or lossy


def version(name: ImageFormat, quality: Quality) -> str:
    """What is asked of the codec for the format and the version of what writes it: all that the bytes depend on, beside
    the picture and the quality.
    """
    needed = {"Pillow", f"lib{name}"}
    told = ", ".join(f"{library} {number}" for library, number in libraries().items() if library in needed)
    sought = f"; SSIMULACRA 2 of {TARGETS[quality]}, 1" if isinstance(quality, str) else ""
    return f"{told}: {_SETTINGS[name]}{sought}"


def libraries() -> dict[str, str]:
    """The versions of Pillow and of the libraries that it calls, which need not have come with it.

    They are asked where ``PIL.features`` asks them, which would import ten times as much for it.
    """
    from PIL import _imaging

    found = {"Pillow": PIL.__version__, "libjpeg": _imaging.jpeglib_version}
    if _imaging.HAVE_LIBJPEGTURBO:
        found["libjpeg"] = f"turbo {_imaging.libjpeg_turbo_version}"
    with suppress(ImportError):
        from PIL import _webp

        found["libwebp"] = _webp.webpdecoder_version
    with suppress(ImportError):
        from PIL import _avif

        found["libavif"] = f"{_avif.libavif_version} ({_avif.codec_versions()})"
    return found


def check(quality: Quality) -> None:
    """Raise ConfigError where the quality is one by eye, and what judges it is not installed."""
    if isinstance(quality, str) and find_spec("numpy") is None:
        raise ConfigError(
            f'images.quality: "{quality}" is sought by comparing pictures, which takes an extra. '
            'Run: pip install "assetpipe[perceptual]", or give a number, 80 for example.'
        )


def _sought(image: Image.Image, name: ImageFormat, quality: str, profile: bytes | None) -> tuple[int, bytes | None]:
    """Find the least number that reaches a target, and the picture with it; 100 and None where none does.

    By the slope between the last two tries, and by halves where that does not settle it soon. The score hardly ever
    falls as the number grows, so that a try leaves only those on one side of it.
    """
    target = TARGETS[quality]
    original = Original(image)
    low, high, best = 0, 101, None
    number, slope = _STARTS[name][quality], 0.5
    before: tuple[int, float] | None = None
    for tries in range(1, 101):
        data = _written(image, name, number, profile)
        score = original.score(_read(data, image.mode))
        if score >= target:
            high, best = number, data
        else:
            low = number
        if high - low == 1 or target <= score < target + _ENOUGH:
            break
        if before is not None and number != before[0]:
            slope = min(3.0, max(0.1, (score - before[1]) / (number - before[0])))
        before = (number, score)
        number = (low + high) // 2 if tries > 4 else number + round((target + _ENOUGH / 2 - score) / slope)
        number = min(max(number, low + 1), high - 1)
    return min(high, 100), best


def _written(image: Image.Image, name: ImageFormat, number: int, profile: bytes | None) -> bytes:
    # The profile is named even where there is none, or Pillow would take the one that the picture came with.
    out = io.BytesIO()
    if name == "avif":
        image.save(
            out, "AVIF", quality=number, speed=6, subsampling="4:4:4", max_threads=1, icc_profile=profile, exif=b""
        )
    else:
        # The slowest method makes 4 % less than the usual one in twice the time, but takes 20 times as long for alpha.
        method = 6 if image.mode == "RGB" else 5
        image.save(out, "WEBP", quality=number, method=method, icc_profile=profile or b"", exif=b"", xmp=b"")
    return out.getvalue()


def _animated(
    frames: Sequence[Image.Image],
    durations: Sequence[int] = (0,),
    loop: int = 0,
    profile: bytes | None = None,
    **options: Any,
) -> bytes:
    """Write WebP of one frame or more."""
    out = io.BytesIO()
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:], "duration": list(durations), "minimize_size": True}
        options |= {"loop": min(loop, _MOST_LOOPS), "background": (0, 0, 0, 0)}
    frames[0].save(out, "WEBP", icc_profile=profile or b"", exif=b"", xmp=b"", **options)
    return out.getvalue()


def _lossless(frames: Sequence[Image.Image], **moving: Any) -> bytes:
    return _animated(frames, **moving, lossless=True, quality=80, method=6 if len(frames) == 1 else 4)


def _exact_within(most: int, frames: Sequence[Image.Image], **moving: Any) -> bytes | None:
    """Write lossless WebP, if that has fewer than ``most`` bytes; which is tried first, since for photographs it takes
    its time and has not.
    """
    if len(_animated(frames, **moving, lossless=True, quality=20, method=1)) > most * _QUICK:
        return None
    exact = _lossless(frames, **moving)
    return exact if len(exact) < most else None


def _read(data: bytes, mode: str) -> Image.Image:
    """Decode what was just written, by its own module: Pillow's ``open`` would warn of large pictures."""
    from PIL import AvifImagePlugin, WebPImagePlugin

    plugin = WebPImagePlugin.WebPImageFile if data.startswith(b"RIFF") else AvifImagePlugin.AvifImageFile
    with plugin(io.BytesIO(data)) as image:
        return image.convert(mode)


def _error(image: Image.Image, data: bytes) -> float:
    """How far the picture in ``data`` is off: root mean square, of the worst channel, over black or white."""
    from PIL import Image, ImageChops, ImageStat

    worst = 0.0
    other = _read(data, image.mode)
    for ground in ("#000", "#fff") if image.mode == "RGBA" else ("",):
        seen = []
        for one in (image, other):
            behind = Image.new("RGBA", image.size, ground) if ground else one
            if ground:
                behind.alpha_composite(one)
            seen.append(behind.convert("RGB"))
        worst = max(worst, *ImageStat.Stat(ImageChops.difference(*seen)).rms)
    return worst
