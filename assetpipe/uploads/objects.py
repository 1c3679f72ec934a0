"""Uploads in object storage (S3, Google Cloud Storage, Azure), by way of obstore.

What keeps two processes on two machines apart is the store's own conditional writing: ``If-None-Match: *`` of S3, and
what the others have for it.
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from assetpipe.errors import ConfigError
from assetpipe.uploads.storage import Kept

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from obstore.store import ObjectStore

_AHEAD = 2 * 1024 * 1024  # bytes fetched at once of what is sent in chunks: a request for each costs its latency


class Objects:
    """Keeps bytes in a store of obstore's, such as ``S3Store("bucket", region=…)``.

    ``locks`` is a folder of this machine, in which its processes agree on who makes a rendition; without it, each
    process may make one of its own, of which the first is kept.
    """

    def __init__(self, store: ObjectStore, locks: str | os.PathLike[str] | None = None) -> None:
        try:
            import obstore
        except ImportError as error:
            raise ConfigError('Object storage needs obstore: pip install "assetpipe[obstore]"') from error
        # The module itself: its functions are what there is.
        self._obstore = obstore
        self._store = store
        self._locks = None if locks is None else Path(locks)

    @property
    def locks(self) -> Path | None:
        """Where it was told."""
        return self._locks

    def put(self, key: str, data: bytes) -> bool:
        """Put an object, on the condition that there is none."""
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        try:
            # In one piece: the parts of several have no such condition.
            self._obstore.put(self._store, key, data, mode="create", use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return False
        except BaseError as error:
            raise _failed(key, error) from error
        return True

    def open(self, key: str) -> BinaryIO:
        """Open an object, whose bytes are fetched as they are read."""
        from obstore.exceptions import BaseError

        try:
            reader = self._obstore.open_reader(self._store, key, buffer_size=_AHEAD)
        except BaseError as error:
            raise _failed(key, error) from error
        return cast("BinaryIO", _Remote(reader, key))

    def delete(self, key: str) -> None:
        """Delete an object."""
        from obstore.exceptions import BaseError

        try:
            self._obstore.delete(self._store, key)
        except FileNotFoundError:
            pass
        except BaseError as error:
            raise _failed(key, error) from error

    def list(self, prefix: str) -> Iterator[Kept]:
        """List objects, a thousand at a time."""
        from obstore.exceptions import BaseError

        now = time.time()
        try:
            for batch in self._obstore.list(self._store, prefix):
                for meta in batch:
                    yield Kept(meta["path"], meta["size"], now - meta["last_modified"].timestamp())
        except BaseError as error:
            raise _failed(prefix, error) from error


class _Remote(io.RawIOBase):
    """An object as a file, for whatever reads files."""

    def __init__(self, reader: Any, name: str) -> None:
        self._reader = reader
        self.name = name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        from obstore.exceptions import BaseError

        try:
            if size is None or size < 0:
                size = self._reader.size - self._reader.tell()
            return bytes(self._reader.read(size)) if size else b""
        except BaseError as error:
            raise _failed(self.name, error) from error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._reader.seek(offset, whence))

    def tell(self) -> int:
        return int(self._reader.tell())


def _failed(key: str, error: Exception) -> OSError:
    # What comes behind the first line is for the library's own authors.
    return OSError(f"{key}: the object storage says: {str(error).partition(chr(10))[0]}")
