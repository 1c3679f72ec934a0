"""Locks between processes that the system itself takes back, however their holder ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MOMENT = 0.1  # seconds for which somebody may hold a lock who only asks whether it is held
_PAUSE = 0.005


@contextlib.contextmanager
def holding(file: Path, patience: float = 0.0, waiting: Callable[[], None] | None = None) -> Iterator[bool]:
    """Hold the lock of ``file`` (made if need be) in the body; yields False where another process holds it.

    That is, where it goes on holding it for ``patience`` seconds; ``waiting`` is called when that begins to take time.
    Raises OSError where the file cannot be made.
    """
    began = time.monotonic()
    told = False
    while True:
        with file.open("ab") as handle:
            # The lock is its file's: where that was deleted meanwhile, others will not meet ours.
            if _take(handle) and _lies_at(handle, file):
                yield True
                return
        waited = time.monotonic() - began
        if waited >= max(patience, _MOMENT):
            break
        if waited >= _MOMENT and waiting is not None and not told:
            told = True
            waiting()
        time.sleep(_PAUSE)
    yield False


def is_held(file: Path) -> bool:
    """Whether a process holds the lock of ``file`` now."""
    try:
        with file.open("rb") as handle:
            return not _take(handle, shared=True)
    except OSError:
        return False


def _lies_at(handle: BinaryIO, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), file.stat())
    except FileNotFoundError:
        return False


def _take(handle: BinaryIO, *, shared: bool = False) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
