"""Where hints of changes come from: from the system, where it tells of them, or else from the clock.

Linux is asked itself (``inotify``), other systems through watchdog. Neither knows of what other machines change on a
network's drive, and Linux grants so many watches and no more: there the clock says once a second that everything may
have changed. That is no worse a hint: what has changed is found out by ``stat`` alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from assetpipe.inotify import Event, Inotify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from watchdog.events import FileSystemEvent

_EVERY = 1.0  # seconds between two looks at everything
_SHARE = 10  # and ten times as long as the look takes, if that is more
# Filesystems that other machines (or the host of a virtual one) write to without this kernel knowing.
_REMOTE = re.compile(
    r"9p|afs|ceph|cifs|drvfs|fakeowner|gfs2|glusterfs|lustre|ncpfs|nfs4?|ocfs2|osxfs|prl_fs|smb3|smbfs|vboxsf|virtiofs"
    r"|vmhgfs|fuse\.(?:davfs2?|gcsfuse|glusterfs|grpcfuse|osxfs|prl_fsd|rclone|s3fs|sshfs|vmhgfs-fuse)"
)
_MOUNTS = Path("/proc/self/mounts")


class Hints(Protocol):
    """Whoever tells that files may have changed."""

    def read(self, timeout: float) -> list[Event]:
        """What may have changed; waits up to ``timeout`` seconds for anything to change.

        Raises OSError where the system tells no longer.
        """

    def close(self) -> None:
        """Listen no longer."""


class Clock:
    """Says once a second, or after ten times what the last look took, that everything may have changed."""

    def __init__(self) -> None:
        self._told = self._left = time.monotonic()
        self._busy = 0.0

    def read(self, timeout: float) -> list[Event]:
        """Wait until it is time."""
        now = time.monotonic()
        self._busy = max(self._busy, now - self._left)
        wait = self._told + max(_EVERY, _SHARE * self._busy) - now
        time.sleep(max(0.0, min(wait, timeout)))
        self._left = time.monotonic()
        if wait > timeout:
            return []
        self._told, self._busy = self._left, 0.0
        return [Event("", whole=True)]

    def close(self) -> None:
        """Nothing is held."""


class Told:
    """What watchdog tells, on systems other than Linux."""

    def __init__(self, skip: Callable[[str], bool]) -> None:
        from watchdog.observers import Observer

        self._skip = skip
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._observer = Observer()
        self._observer.start()

    def add(self, top: str, *, deep: bool) -> None:
        """Watch a folder from now on, ``deep`` with all below it. Raises OSError where it cannot be watched."""
        from watchdog.events import FileSystemEventHandler

        events, understand = self._events, self._understand

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                for told in understand(event, top):
                    events.put(told)

        self._observer.schedule(Handler(), top, recursive=deep)

    def read(self, timeout: float) -> list[Event]:
        """What has happened; waits up to ``timeout`` seconds for anything to happen."""
        found: list[Event] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._events.get(timeout=timeout))
            while True:
                found.append(self._events.get_nowait())
        return found

    def close(self) -> None:
        """End its threads."""
        self._observer.stop()
        self._observer.join()

    def _understand(self, event: FileSystemEvent, top: str) -> list[Event]:
        # Reading is an event there, too: counting those, a build would wake itself for ever. And that a folder is
        # modified says nothing that its files' events do not.
        if event.event_type in ("opened", "closed_no_write") or (event.is_directory and event.event_type == "modified"):
            return []
        gone = event.event_type in ("moved", "deleted")
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        told = [Event(source, gone, event.is_directory), *([Event(target, whole=event.is_directory)] if target else [])]
        return [one for one in told if not self._is_skipped(one.path, top)]

    def _is_skipped(self, path: str, top: str) -> bool:
        while len(path) > len(top):
            if self._skip(path):
                return True
            path = os.path.dirname(path)  # noqa: PTH120 (strings, as they are told)
        return False


def listen(folders: Mapping[Path, bool], skip: Callable[[str], bool], *, poll: bool = False) -> tuple[Hints, str]:
    """Listen for changes in folders, and in all below those of which that is said; and why by the clock, if it is so.

    What ``skip`` names is left out. What happens after this returns is not missed.
    """
    folders = {folder: deep for folder, deep in folders.items() if folder.is_dir()}
    if poll:
        return Clock(), ""
    for folder in folders:
        if kind := remote(folder):
            return Clock(), (
                f"{folder} is on a drive of the kind {kind}, of which the system does not tell all changes: "
                "all files are looked at once a second instead."
            )
    hints: Inotify | Told | None = None
    try:
        hints = Inotify(skip) if sys.platform == "linux" else Told(skip)
        for folder, deep in folders.items():
            hints.add(str(folder), deep=deep)
    except (OSError, ImportError) as error:
        if hints is not None:
            hints.close()
        return Clock(), exhausted(error)
    return hints, ""


def exhausted(error: OSError | ImportError) -> str:
    """Say why the system does not tell of changes, and what to do about it."""
    instead = "all files are looked at once a second instead."
    if not isinstance(error, OSError):
        return f"watchdog is not installed, so {instead} To be told sooner: pip install watchdog"
    if error.errno == errno.ENOSPC:
        limit = "fs.inotify.max_user_watches"
        return (
            f"the system grants no more watches (one for each folder; {limit} is {_sysctl(limit)}), so {instead} "
            f"To be told sooner: sudo sysctl {limit}=524288, and start the watch again."
        )
    if error.errno == errno.EMFILE:
        limit = "fs.inotify.max_user_instances"
        return (
            f"the system lets no more programs watch ({limit} is {_sysctl(limit)}), so {instead} "
            f"To be told sooner: end other watches, or sudo sysctl {limit}=1024, and start the watch again."
        )
    return f"{error.filename or 'the folders'} cannot be watched ({error.strerror}), so {instead}"


def remote(folder: Path, mounts: str | None = None) -> str:
    """The kind of the filesystem that a folder is on, where others may change it unheard; "" where they may not.

    ``mounts`` is the table that Linux has at /proc/self/mounts (fstab(5)).
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(errors="surrogateescape")
        except OSError:
            return ""
    path = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118 (it keeps the slash)
    deepest, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = os.path.join(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[1]), "")  # noqa: PTH118
        # Of two on one place, the later one hides the other.
        if path.startswith(point) and len(point) >= len(deepest):
            deepest, kind = point, fields[2]
    return kind if _REMOTE.fullmatch(kind) else ""


def _sysctl(name: str) -> str:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return "unknown"
