"""Watching: an iterator of the moments at which the sources may have changed.

Events are hints. Which files differ is found out by the next build, by ``stat``; here a burst of events (an editor's
save, a checkout) becomes one moment.
"""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING

from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_MODIFIED,
    EVENT_TYPE_MOVED,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

# Reading is an event, too: counting those, a build would wake itself for ever.
_CHANGES = frozenset((EVENT_TYPE_CLOSED, EVENT_TYPE_CREATED, EVENT_TYPE_DELETED, EVENT_TYPE_MODIFIED, EVENT_TYPE_MOVED))
_QUIET = 0.05  # seconds without an event that end a burst
_LONGEST = 0.5  # seconds after which a burst counts as ended all the same


def changes(folders: Iterable[Path], ours: Iterable[Path], stop: Callable[[], bool]) -> Iterator[frozenset[str]]:
    """The files that events speak of from now on, a burst at a time, until ``stop()`` says so (asked twice a second).

    Watching has begun when this returns, so that what changes before the first burst is asked for is not lost. The
    folders ``ours`` are those that we write to ourselves. Raises OSError where a folder cannot be watched.
    """
    events: queue.SimpleQueue[str] = queue.SimpleQueue()
    handler = _Handler(events, tuple(f"{folder}/" for folder in ours))
    observer = Observer()
    for folder in dict.fromkeys(folders):
        observer.schedule(handler, str(folder), recursive=True)
    observer.start()
    return _bursts(events, observer, stop)


def _bursts(
    events: queue.SimpleQueue[str], observer: BaseObserver, stop: Callable[[], bool]
) -> Iterator[frozenset[str]]:
    try:
        while not stop():
            if burst := _burst(events):
                yield burst
    finally:
        observer.stop()
        observer.join()


def _burst(events: queue.SimpleQueue[str]) -> frozenset[str]:
    """The files of the next burst; nothing where none begins within half a second."""
    files: set[str] = set()
    try:
        files.add(events.get(timeout=0.5))
        deadline = time.monotonic() + _LONGEST
        while (left := deadline - time.monotonic()) > 0:
            files.add(events.get(timeout=min(_QUIET, left)))
    except queue.Empty:
        pass
    return frozenset(files)


class _Handler(FileSystemEventHandler):
    """Puts the paths of changes into a queue, from the observer's thread."""

    def __init__(self, events: queue.SimpleQueue[str], ours: tuple[str, ...]) -> None:
        self._events = events
        self._ours = ours

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Pass on what changes a file; a folder's own mtime says nothing that its files' events do not."""
        if event.event_type not in _CHANGES or (event.is_directory and event.event_type == EVENT_TYPE_MODIFIED):
            return
        for path in (event.src_path, event.dest_path):
            text = path.decode(errors="replace") if isinstance(path, bytes) else path
            if text and not f"{text}/".startswith(self._ours):
                self._events.put(text)
