"""What a file is, by its bytes alone; and what its name says that it is.

Neither a name nor a client's Content-Type is ever believed: both are what the sender wrote. The signatures stand at the
first byte, as the formats want them, so that nothing can come before them.
"""

from __future__ import annotations

import os.path
import re

from assetpipe import media

PDF, SVG = "application/pdf", "image/svg+xml"
# The pictures that every browser shows, and the suffix that each is published with.
RASTERS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
}
SUFFIXES = {**RASTERS, SVG: ".svg", PDF: ".pdf"}
_SPOKEN = {
    "image/jpeg": "a JPEG picture",
    "image/png": "a PNG picture",
    "image/webp": "a WebP picture",
    "image/gif": "a GIF picture",
    "image/avif": "an AVIF picture",
    SVG: "an SVG drawing",
    PDF: "a PDF document",
}
# Other names that cameras and systems give to these.
_ALIASES = {
    ".jpe": "image/jpeg",
    ".jfif": "image/jpeg",
    ".pjpeg": "image/jpeg",
    ".pjp": "image/jpeg",
    ".mpo": "image/jpeg",
    ".apng": "image/png",
}
_SIGNATURES = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-[12]\.[0-9]"), PDF),
)
# An ISO base media file begins with its brands (ISO/IEC 14496-12 section 4.3): the box's length, "ftyp", the brands.
_BRANDS = re.compile(rb"(\0\0..)ftyp", re.DOTALL)
_AVIF = (b"avif", b"avis")
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
# A document element named svg, after what XML lets come before it; whether it is one is for the parser to say.
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+"
    # Each taken once, however the rest goes on: a stranger's file must not make us look for long.
    rb"(?:(?><\?.{0,1024}?\?>|<!--.{0,8192}?-->|<!DOCTYPE\s[^>\[]{0,1024}+(?:\[.{0,8192}?\]\s*+)?>)\s*+){0,16}+"
    rb"<(?:[A-Za-z_][\w.-]{0,64}:)?svg[\s/>]",
    re.DOTALL,
)
# Only said to the person who sent it: none of these is ever accepted.
_OTHERS = (
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|script|iframe|title)\b", re.I), "a web page"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?php|%)", re.I), "a program"),
    (re.compile(rb"#!|MZ|\x7fELF|\xca\xfe\xba\xbe|\xfe\xed\xfa|\xcf\xfa\xed\xfe"), "a program"),
    (re.compile(rb"PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b|\xfd7zXZ|BZh"), "an archive or an office document"),
    (re.compile(rb"\xd0\xcf\x11\xe0"), "an office document"),
    (re.compile(rb"II\*\0|MM\0\*"), "a TIFF picture"),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL), "a BMP picture"),
    (re.compile(rb"8BPS"), "a Photoshop file"),
    (re.compile(rb"\x00\x00\x01\x00"), "an icon"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), "a JPEG XL picture"),
    (re.compile(rb"ID3|OggS|fLaC|\x1a\x45\xdf\xa3|RIFF....(?:WAVE|AVI )", re.DOTALL), "sound or a film"),
)


def sniff(data: bytes) -> str:
    """The media type that the bytes are of, if it is one of SUFFIXES; otherwise nothing."""
    for signature, media_type in _SIGNATURES:
        if signature.match(data):
            return media_type
    if any(brand in _AVIF for brand in _brands(data)):
        return "image/avif"
    return SVG if _SVG.match(data) else ""


def claimed(filename: str | None) -> str:
    """The media type that a file's name claims; nothing where it has no suffix, or none that is known."""
    suffix = os.path.splitext(filename or "")[1].lower()
    return _ALIASES.get(suffix) or media.TYPES.get(suffix, "").partition(";")[0]


def contradicts(filename: str | None, media_type: str) -> bool:
    """Whether a file's name lies about it.

    A picture under the name of another kind of picture does not count: phones and messengers send WebP as ``.jpg`` by
    the million, and it is published under a name and a type of ours. A document or a drawing under a picture's name, or
    a picture under that of a page or an archive, is what people do not do by mistake.
    """
    told = claimed(filename)
    is_alike = media_type in RASTERS and told.startswith("image/") and told != SVG
    return bool(told) and told != media_type and not is_alike


def spoken(media_type: str) -> str:
    """Name a type as people do."""
    return _SPOKEN[media_type]


def guess(data: bytes) -> str:
    """Name what is none of ours, for the person who sent it; empty where it is nothing known."""
    brands = _brands(data)
    if brands:
        return "a HEIC picture" if any(brand in _HEIC for brand in brands) else "a film"
    return next((name for signature, name in _OTHERS if signature.match(data)), "")


def _brands(data: bytes) -> list[bytes]:
    """The brands that an ISO base media file is compatible with, its own first."""
    if not (match := _BRANDS.match(data)):
        return []
    end = min(int.from_bytes(match[1], "big"), 256)
    return [data[at : at + 4] for at in (8, *range(16, end, 4))]
