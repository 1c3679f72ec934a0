"""Linux tells of changes: inotify(7), by way of the C library.

Only what a watch needs of it, but that without holes: an overflow of the kernel's queue and an exhausted number of
watches are said, and a folder is watched before it is looked into. No thread: events wait in the kernel until read.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED, _IS_FOLDER = 0x2000, 0x4000, 0x8000, 0x4000_0000
_ONLY_FOLDERS, _EXCEPT_UNLINKED = 0x0100_0000, 0x0400_0000
# Reading is no change, so opening and closing what was only read are not asked for.
_WANTED = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
)  # fmt: skip
_HEAD = struct.Struct("iIII")  # watch descriptor, mask, cookie, length of the name
_BUFFER = 256 * 1024  # bytes read at once: several thousand events


class Event(NamedTuple):
    """What has happened to a file; ``whole`` says that more than one file may have changed, so that all are to be
    looked at.
    """

    path: str
    gone: bool = False
    whole: bool = False


class Inotify:
    """Watches folders, and all folders below them; those that ``skip`` names are not gone into.

    Raises OSError with ENOSPC or EMFILE where the system grants no more, from ``add`` and ``read`` alike.
    """

    def __init__(self, skip: Callable[[str], bool]) -> None:
        self._skip = skip
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle: int = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._handle < 0:
            raise _error("")
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLIN)
        self._tops: list[str] = []
        self._flat: set[str] = set()
        # One folder may be known by several paths, where roots overlap.
        self._paths: dict[int, set[str]] = {}
        self._links: set[str] = set()
        self._targets: set[str] = set()

    def add(self, top: str, *, deep: bool) -> None:
        """Watch a folder from now on, ``deep`` with all below it."""
        self._tops.append(top)
        if not deep:
            self._flat.add(top)
        self._watch(top)

    def read(self, timeout: float) -> list[Event]:
        """What has happened; waits up to ``timeout`` seconds for anything to happen."""
        if not self._poll.poll(timeout * 1000):
            return []
        try:
            data = os.read(self._handle, _BUFFER)
        except BlockingIOError:
            return []
        return [event for told in _parse(data) for event in self._understand(*told)]

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._handle)

    def _understand(self, watch: int, mask: int, name: str) -> Iterator[Event]:
        if mask & _OVERFLOW:
            # Folders were made that nobody told us of.
            for top in self._tops:
                self._watch(top)
            yield Event("", whole=True)
        if mask & _IGNORED:
            self._paths.pop(watch, None)
        if mask & (_DELETE_SELF | _MOVE_SELF | _UNMOUNT):
            yield Event("", whole=True)
        if not name:
            return
        for folder in tuple(self._paths.get(watch, ())):
            path = f"{folder}/{name}"
            if self._skip(path):
                continue
            gone = bool(mask & (_MOVED_FROM | _DELETE))
            if mask & _IS_FOLDER:
                if folder in self._flat:
                    continue
                if mask & (_CREATE | _MOVED_TO):
                    self._watch(path)
                elif gone:
                    self._forget(path)
                yield Event(path, gone, whole=True)
            else:
                yield Event(path, gone, whole=self._is_linked(path))

    def _watch(self, top: str) -> None:
        pending = [top]
        while pending:
            folder = pending.pop()
            watch = self._libc.inotify_add_watch(
                self._handle, os.fsencode(folder), _WANTED | _ONLY_FOLDERS | _EXCEPT_UNLINKED
            )
            if watch < 0:
                error = _error(folder)
                if error.errno in (errno.ENOSPC, errno.EMFILE, errno.ENOMEM):
                    raise error
                continue  # it went, or may not be read: a build will say so
            self._paths.setdefault(watch, set()).add(folder)
            if folder in self._flat:
                continue
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if self._skip(entry.path):
                            continue
                        if entry.is_symlink():
                            self._note_link(entry.path)
                        elif entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
            except OSError:
                continue

    def _forget(self, path: str) -> None:
        """Take back the watches of a folder that went, wherever it is now."""
        below = path + "/"
        for watch, folders in list(self._paths.items()):
            folders -= {folder for folder in folders if folder == path or folder.startswith(below)}
            if not folders:
                del self._paths[watch]
                self._libc.inotify_rm_watch(self._handle, watch)

    def _note_link(self, path: str) -> None:
        self._links.add(path)
        self._targets.add(os.path.realpath(path))

    def _is_linked(self, path: str) -> bool:
        """Whether the file is a symbolic link, or known by other paths through one."""
        if os.path.islink(path):  # noqa: PTH114 (strings, as the kernel tells them)
            self._note_link(path)
        if path in self._links:
            return True
        if not self._targets:
            return False
        real = os.path.realpath(path)
        while real not in self._targets:
            above = os.path.dirname(real)  # noqa: PTH120
            if above == real:
                return False
            real = above
        return True


def _parse(data: bytes) -> Iterator[tuple[int, int, str]]:
    place = 0
    while place < len(data):
        watch, mask, _, length = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        yield watch, mask, os.fsdecode(data[place : place + length].rstrip(b"\0"))
        place += length


def _error(path: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
