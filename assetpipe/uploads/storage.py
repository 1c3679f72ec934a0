"""Where the bytes of uploads lie: one small protocol, and a folder that keeps to it.

A key is a path such as ``files/<id>.<generation>/<name>``, made of our own letters and digits alone. What was once put
under a key never changes; it is there whole, or not at all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from msgspec import Struct

from assetpipe import files

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kept(Struct, frozen=True):
    """What lies under a key: its size in bytes, and its age in seconds."""

    key: str
    size: int
    age: float


class Storage(Protocol):
    """Keeps bytes by keys. Every method may raise OSError."""

    @property
    def locks(self) -> Path | None:
        """A folder of this machine for the locks of its processes; None where they cannot agree with each other."""

    def put(self, key: str, data: bytes) -> bool:
        """Keep ``data``, durably, unless there is something under the key: whether it was kept."""

    def open(self, key: str) -> BinaryIO:
        """Open what is under a key, to be read and sought in. Raises FileNotFoundError where there is nothing."""

    def delete(self, key: str) -> None:
        """Let go of what is under a key, if anything is."""

    def list(self, prefix: str) -> Iterator[Kept]:
        """What there is below a prefix, which ends where a segment does."""


class Folder:
    """Keeps bytes in a folder, which several processes may share.

    A file is written under another name, waited for until it is on disk, and then linked to its own: that takes one
    instant, and fails where there is one, on every file system that has hard links.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root)

    @property
    def locks(self) -> Path:
        """Beside what is kept."""
        return self._root / "locks"

    def put(self, key: str, data: bytes) -> bool:
        """Write a file."""
        target = self._root / key
        self._make(target.parent)
        temporary = target.with_name(f"{target.name}.{secrets.token_hex(8)}.new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | files.BINARY, 0o644)
        try:
            try:
                files.write(handle, data)
                os.fsync(handle)
            finally:
                os.close(handle)
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            return True
        finally:
            # Killed before this, it is what ``Uploads.sweep`` finds.
            temporary.unlink(missing_ok=True)
            _sync(target.parent)

    def open(self, key: str) -> BinaryIO:
        """Open a file."""
        return open(self._root / key, "rb")  # noqa: PTH123 (whoever sends it closes it)

    def delete(self, key: str) -> None:
        """Delete a file, and its folder with the last one."""
        target = self._root / key
        if key.endswith("/"):
            with contextlib.suppress(OSError):  # no longer empty
                target.rmdir()
            return
        target.unlink(missing_ok=True)
        _sync(target.parent)
        if target.parent.parent != self._root:
            with contextlib.suppress(OSError):
                target.parent.rmdir()

    def list(self, prefix: str) -> Iterator[Kept]:
        """Walk a folder. One that is empty, left by who was killed there, is told of with a slash at its end."""
        now = time.time()
        waiting = [self._root / prefix]
        while waiting:
            folder = waiting.pop()
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                entries = sorted(os.scandir(folder), key=lambda one: one.name)
                if not entries and folder.parent.parent == self._root:
                    yield Kept(f"{folder.relative_to(self._root).as_posix()}/", 0, now - folder.stat().st_mtime)
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(folder / entry.name)
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        stat = entry.stat(follow_symlinks=False)
                        key = (folder / entry.name).relative_to(self._root).as_posix()
                        yield Kept(key, stat.st_size, now - stat.st_mtime)

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    if sys.platform == "win32":  # where folders cannot be opened
        return
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
