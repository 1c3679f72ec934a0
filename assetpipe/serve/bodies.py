"""The bytes of representations: out of a bounded memory where they are small, out of their file otherwise."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from assetpipe.paths import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from assetpipe.serve.resource import Representation

MEMORY = 16 * 1024 * 1024  # bytes, in each process
_SMALL = 256 * 1024  # bytes; what is larger goes from the file to the socket without being held
_SHARE = 8  # and no body may take more than this part of the memory


class Held(Struct, frozen=True):
    """What the memory holds: bodies and their bytes now; the files read into it and the bodies dropped, ever."""

    bodies: int
    bytes: int
    limit: int
    reads: int
    evictions: int


class _Body:
    """One body, and whether it was asked for since the last look."""

    __slots__ = ("data", "used")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.used = False


class Bodies:
    """Reads representations. Small ones stay in a memory that all threads share, ``limit`` bytes of them at most.

    A body is known by its ETag, so that it is held once for all releases. What was not asked for lately goes first
    (CLOCK): reading takes no lock.
    """

    def __init__(self, dist: Path, limit: int = MEMORY) -> None:
        self._dist = str(dist)
        self._limit = limit
        self._largest = min(_SMALL, limit // _SHARE)
        self._held: dict[str, _Body] = {}
        self._lock = threading.Lock()
        self._bytes = self._reads = self._evictions = 0

    def recall(self, of: Representation) -> bytes | None:
        """The bytes, if they are at hand without the disk."""
        body = self._held.get(of.etag)
        if body is None:
            return of.data
        body.used = True
        return body.data

    def is_small(self, of: Representation) -> bool:
        """Whether ``read`` keeps it."""
        return of.size <= self._largest

    def path(self, of: Representation) -> str:
        """The file of a representation. It is the manifest's word, never the request's."""
        return self._dist + of.file

    def read(self, of: Representation) -> bytes:
        """The bytes, from now on held in memory. Raises OSError where the file is not what was published."""
        with self.open(of) as file:
            data = file.read()
        if Digest.of(data).etag != of.etag:
            raise OSError(f"{file.name} has not the bytes that were published")
        with self._lock:
            self._reads += 1
            if of.etag not in self._held:
                self._held[of.etag] = _Body(data)
                self._bytes += len(data)
                self._evict()
        return data

    def open(self, of: Representation) -> BinaryIO:
        """The file, open. Raises OSError where it is not of the size that was published."""
        file = open(self.path(of), "rb")  # noqa: PTH123, SIM115 (whoever sends it closes it; half of pathlib's time)
        if os.fstat(file.fileno()).st_size != of.size:
            file.close()
            raise OSError(f"{file.name} is not of the size that was published")
        return file

    def held(self) -> Held:
        """What is in memory now."""
        with self._lock:
            return Held(len(self._held), self._bytes, self._limit, self._reads, self._evictions)

    def _evict(self) -> None:
        while self._bytes > self._limit:
            etag = next(iter(self._held))
            body = self._held.pop(etag)
            if body.used:
                body.used = False
                self._held[etag] = body
            else:
                self._bytes -= len(body.data)
                self._evictions += 1
