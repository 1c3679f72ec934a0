"""Media types by file suffix: the one table that says what a file is, what compresses and what is an image."""

from __future__ import annotations

import os.path

_UTF8 = "; charset=utf-8"
OCTET_STREAM = "application/octet-stream"
# Ours and not the machine's: the standard library reads the system's table, so the same file would get another type
# on another machine. Types as registered with IANA; JavaScript by RFC 9239, fonts by RFC 8081.
TYPES = {
    ".aac": "audio/aac",
    ".atom": "application/atom+xml",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".cjs": "text/javascript" + _UTF8,
    ".css": "text/css" + _UTF8,
    ".csv": "text/csv" + _UTF8,
    ".eot": "application/vnd.ms-fontobject",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".gif": "image/gif",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".htm": "text/html" + _UTF8,
    ".html": "text/html" + _UTF8,
    ".ico": "image/vnd.microsoft.icon",
    ".ics": "text/calendar" + _UTF8,
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript" + _UTF8,
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".md": "text/markdown" + _UTF8,
    ".mjs": "text/javascript" + _UTF8,
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".rss": "application/rss+xml",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".ttc": "font/collection",
    ".ttf": "font/ttf",
    ".txt": "text/plain" + _UTF8,
    ".vtt": "text/vtt" + _UTF8,
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xml": "text/xml" + _UTF8,
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
}
_COMPRESSIBLE = frozenset(
    {
        "application/json",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/yaml",
        "font/collection",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
        "model/gltf-binary",
    }
)


def media_type(name: str) -> str:
    """The media type of a file of that name, charset included; ``application/octet-stream`` where it is unknown."""
    return TYPES.get(os.path.splitext(name)[1].lower(), OCTET_STREAM)


def is_compressible(media_type: str) -> bool:
    """Whether a content-coding can be worth trying: text, and the binary formats that are not compressed already."""
    essence = media_type.partition(";")[0]
    return essence.startswith("text/") or essence.endswith(("+json", "+xml")) or essence in _COMPRESSIBLE
