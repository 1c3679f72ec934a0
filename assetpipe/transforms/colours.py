"""What the numbers of a picture mean as colours: a profile is kept where WebP and AVIF can say the same, else applied.

1. Grey and RGB with no profile, and all that does what sRGB does: sRGB, with no profile.
2. RGB by a matrix and curves (Display P3, Adobe RGB, ProPhoto): the numbers as they are, with the profile.
3. RGB by tables, grey by a curve, CMYK by its profile: converted to sRGB.
4. CMYK without a profile: the plain formula, as browsers have it. A profile that is damaged, or is for another kind of
   picture: none.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

# A profile's header, its table of tags, and the tags that tell tables from a matrix (ICC.1:2010 sections 7.2, 8.3).
_SPACE, _CONNECTION, _MAGIC = slice(16, 20), slice(20, 24), slice(36, 40)
_TABLES = {b"A2B0", b"A2B1", b"A2B2", b"D2B0", b"D2B1", b"D2B2", b"D2B3"}
# The profiles that are for a picture in such a mode alone; one of RGB is for grey as well.
_OWN = {"L": b"GRAY", "LA": b"GRAY", "CMYK": b"CMYK"}


def settle(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Bring a picture in L, LA, RGB, RGBA or CMYK to RGB or RGBA, and tell the profile that it has (None: sRGB)."""
    space = _space(profile) if profile else b""
    if profile and space == _OWN.get(image.mode):
        return _applied(image, profile), None
    rgb = _in_rgb(image)
    if not profile or space != b"RGB " or image.mode == "CMYK" or _is_srgb(profile):
        return rgb, None
    if _TABLES & _tags(profile).keys():
        return _applied(rgb, profile), None
    return rgb, profile


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a settled picture, in RGB, with the profile that it was told to have."""
    return image if profile is None else _applied(image, profile)


def _applied(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert to sRGB, with alpha as it is; where the profile is damaged, as if there were none."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    plain = image.convert(image.mode[:-1]) if alpha else image
    converted = _converted(plain, profile) or plain.convert("RGB")
    if alpha:
        converted.putalpha(alpha)
    return converted


def _in_rgb(image: Image.Image) -> Image.Image:
    mode = "RGBA" if image.mode in ("LA", "RGBA") else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _space(profile: bytes) -> bytes:
    """Tell the kind of colours that a profile is for; empty where it is damaged, or of greys in a way none follows."""
    is_whole = profile[_MAGIC] == b"acsp" and int.from_bytes(profile[:4], "big") <= len(profile)
    is_followed = profile[_SPACE] != b"GRAY" or profile[_CONNECTION] == b"XYZ "
    return profile[_SPACE] if is_whole and is_followed else b""


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = min(int.from_bytes(profile[128:132], "big"), (len(profile) - 132) // 12)
    entries = (profile[at : at + 12] for at in range(132, 132 + 12 * count, 12))
    return {entry[:4]: entry[4:] for entry in entries}


def _is_srgb(profile: bytes) -> bool:
    """Whether it shows as sRGB does, to a step of 255: there are dozens of such profiles, with as many names.

    A damaged one counts: browsers ignore it.
    """
    from PIL import Image, ImageChops

    steps = (0, 16, 32, 64, 96, 128, 160, 192, 224, 255)
    colours = bytes(value for r in steps for g in steps for b in steps for value in (r, g, b))
    sample = Image.frombytes("RGB", (len(colours) // 3, 1), colours)
    shown = _converted(sample, profile)
    if shown is None:
        return True
    extremes = ImageChops.difference(sample, shown).getextrema()
    return max(high for _, high in extremes) <= 1  # type: ignore[misc]


def _converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert to sRGB, with white for white and black as it is; None where the profile is damaged."""
    from PIL import ImageCms

    try:
        return ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
