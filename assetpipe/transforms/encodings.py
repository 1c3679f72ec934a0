"""The content-codings (RFC 9110 section 8.4.1): Brotli, gzip and Zstandard, at the levels of a release."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from assetpipe.errors import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

# An encoding is worth its place only where it saves a twentieth of the bytes.
WORTH = 0.95
# Change these with what ``encode`` asks for.
_LEVELS = {"br": "quality 11", "gzip": "level 9", "zstd": "level 19"}
# RFC 1952: deflate, no flags, no time, best compression, unknown system. Ours, because Python's own differs by version.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


def version(coding: str) -> str:
    """The codec with its version, and the level: with the bytes, all that its output depends on. Raises ConfigError."""
    return f"{library(coding)} {_LEVELS[coding]}"


def library(coding: str) -> str:
    """The codec's name and the version of the library that is loaded. Raises ConfigError where there is none."""
    if coding == "br":
        import brotli

        return f"brotli {brotli.__version__}"
    if coding == "gzip":
        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    return f"zstd {'.'.join(map(str, _zstd().zstd_version_info))}"


def encode(coding: str, data: bytes, *, quick: bool = False) -> bytes | None:
    """Encode ``data``; None where that does not save the twentieth of it that makes an encoding worth its place.

    ``quick`` is for what a client waits for: a tenth of the bytes more, in a fiftieth of the time.
    """
    if coding == "br":
        import brotli

        encoded: bytes = brotli.compress(data, quality=5 if quick else 11)
    elif coding == "gzip":
        deflate = zlib.compressobj(6 if quick else 9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
        footer = struct.pack("<LL", zlib.crc32(data), len(data) & 0xFFFFFFFF)
        encoded = b"".join((_GZIP_HEADER, deflate.compress(data), deflate.flush(), footer))
    else:
        encoded = _zstd().compress(data, level=3 if quick else 19)
    return encoded if len(encoded) <= WORTH * len(data) else None


def decode(coding: str, data: bytes) -> bytes:
    """Undo ``encode``. Raises ValueError where ``data`` is not in that coding, or not whole."""
    try:
        if coding == "br":
            import brotli

            decoded: bytes = brotli.decompress(data)
        elif coding == "gzip":
            inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            decoded = inflate.decompress(data) + inflate.flush()
            if not inflate.eof or inflate.unused_data:
                raise ValueError("incomplete or trailing data")
        else:
            decoded = _zstd().decompress(data)
    except (ConfigError, ValueError):
        raise
    except Exception as error:  # each codec has an exception class of its own
        raise ValueError(str(error)) from error
    return decoded


def _zstd() -> ModuleType:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            from backports import zstd
        except ImportError as error:
            raise ConfigError(
                'compress.encodings: "zstd" needs Python 3.14 or the extra: pip install "assetpipe[zstd]"'
            ) from error
    module: ModuleType = zstd
    return module
