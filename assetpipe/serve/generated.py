"""Content that the application makes in memory, answered like an asset: negotiated, tagged, in ranges.

A body is compressed once for each coding that a client chooses, in a bounded memory; never on the way of an asset. It
is the one place of ``serve`` that loads a compressor.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from assetpipe import media
from assetpipe.paths import Digest
from assetpipe.serve import resource
from assetpipe.serve.negotiate import coding_weight
from assetpipe.serve.resource import Resource, Source, Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY = 16 * 1024 * 1024  # bytes, in each process
_MOST = 4096  # results, that of "not worth it" among them
_LEAST = 256  # bytes; less is sent in one packet either way


class Generated:
    """Makes resources of bytes, and remembers what they compress to: ``limit`` bytes at most, the oldest go first."""

    def __init__(self, codings: Sequence[str], limit: int = MEMORY) -> None:
        # As a client that ranks them equal would have them: by what they usually save.
        self._codings = sorted(codings, key=("br", "zstd", "gzip").index)
        self._limit = limit
        self._encoded: dict[tuple[str, str], bytes | None] = {}
        self._working: dict[tuple[str, str], threading.Lock] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def resource(self, data: bytes, name: str, media_type: str, accept_encoding: str | None) -> Resource:
        """The resource of ``data`` for a client: as it is, and in the coding that this client wants most."""
        digest = Digest.of(data)
        told = [(Source(len(data), digest.etag, data=data), media_type, "identity")]
        terms = Terms(name, media_type, "generated", resource.PRIVATE)
        compressible = len(data) >= _LEAST and media.is_compressible(media_type)
        if compressible and (coding := self._wanted(accept_encoding)):
            encoded = self._encode(coding, digest, data)
            if encoded is not None:
                told.append((Source(len(encoded), Digest.of(encoded).etag, data=encoded), media_type, coding))
        return Resource(told, terms, vary="Accept-Encoding" if compressible and self._codings else "")

    def _wanted(self, accept_encoding: str | None) -> str | None:
        weights = {coding: coding_weight(coding, accept_encoding) for coding in self._codings}
        best = max(self._codings, key=lambda coding: weights[coding], default=None)
        return best if best is not None and weights[best] else None

    def _encode(self, coding: str, digest: Digest, data: bytes) -> bytes | None:
        """Encode once: whoever asks for the same meanwhile waits for it."""
        key = (digest, coding)
        with self._lock:
            if key in self._encoded:
                return self._encoded[key]
            working = self._working.setdefault(key, threading.Lock())
        with working:
            with self._lock:
                if key in self._encoded:
                    return self._encoded[key]
            from assetpipe.transforms import encodings

            try:
                encoded = encodings.encode(coding, data, quick=True)
            except BaseException:
                with self._lock:
                    self._working.pop(key, None)
                raise
            with self._lock:
                self._working.pop(key, None)
                self._remember(key, encoded)
        return encoded

    def _remember(self, key: tuple[str, str], encoded: bytes | None) -> None:
        # It may be there: what was forgotten at once is made again by each who waited for it.
        self._bytes += len(encoded or b"") - len(self._encoded.pop(key, None) or b"")
        self._encoded[key] = encoded
        while self._bytes > self._limit or len(self._encoded) > _MOST:
            self._bytes -= len(self._encoded.pop(next(iter(self._encoded))) or b"")
