"""Reading and writing whole files with no more system calls than it takes: a build does so some ten thousand times."""

from __future__ import annotations

import os

BINARY: int = getattr(os, "O_BINARY", 0)
_MOST = 1 << 30  # bytes that a system takes at once


def read(file: str, at: int = 0, size: int = -1) -> bytes:
    """Read ``size`` bytes of a file (-1: all that come) from byte ``at``. Raises OSError."""
    handle = os.open(file, os.O_RDONLY | BINARY)
    try:
        if at:
            os.lseek(handle, at, os.SEEK_SET)
        left = os.fstat(handle).st_size + 1 if size < 0 else size
        chunks = []
        while left > 0 and (chunk := os.read(handle, min(left, _MOST))):
            chunks.append(chunk)
            left -= len(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    finally:
        os.close(handle)


def write(handle: int, data: bytes) -> None:
    """Write all of ``data`` to a descriptor. Raises OSError."""
    written = os.write(handle, data)
    while written < len(data):
        data = data[written:]
        written = os.write(handle, data)
