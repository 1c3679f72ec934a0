"""Locks between processes that the system itself takes back, however their holder ends."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def holding(file: Path) -> Iterator[bool]:
    """Hold the lock of ``file`` (made if need be) in the body; yields False where another process holds it.

    Raises OSError where the file cannot be made.
    """
    with file.open("ab") as handle:
        mine = _take(handle)
        for _ in range(20):
            if mine:
                break
            time.sleep(0.005)  # whoever only asks lets go at once
            mine = _take(handle)
        yield mine


def is_held(file: Path) -> bool:
    """Whether a process holds the lock of ``file`` now."""
    try:
        with file.open("rb") as handle:
            return not _take(handle, shared=True)
    except OSError:
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
