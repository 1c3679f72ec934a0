"""Runs ``assetpipe watch`` as a process of its own, and ends it."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class Watching:
    """A watch that runs, and the lines it prints."""

    def __init__(self, folder: Path, *arguments: str, before: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*before, sys.executable, "-u", "-m", "assetpipe", "watch", *arguments],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            self._lines.put(line)
        self.process.stdout.close()

    def until(self, text: str) -> str:
        """The first line from here on that holds ``text``."""
        try:
            while text not in (line := self._lines.get(timeout=30)):
                pass
        except queue.Empty:
            raise AssertionError(f"no line with {text!r}:\n{''.join(self.said)}") from None
        return line

    def rest(self, quiet: float = 2.0) -> list[str]:
        """The lines from here on, once nothing more has been printed for so many seconds."""
        found: list[str] = []
        try:
            while True:
                found.append(self._lines.get(timeout=quiet))
        except queue.Empty:
            return found

    def end(self, number: int = signal.SIGINT) -> int:
        """End it by a signal; its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, when it ends by itself."""
        try:
            return self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self._reader.join()


@contextmanager
def watching(folder: Path, *arguments: str, before: Sequence[str] = ()) -> Iterator[Watching]:
    """A watch of the project in a folder, from when it watches until it is no longer needed."""
    watch = Watching(folder, *arguments, before=before)
    try:
        watch.until("Watching")
        yield watch
    finally:
        if watch.process.poll() is None:
            watch.end()
        else:
            watch.wait()
        assert not [line for line in watch.said if "Traceback" in line], "".join(watch.said)


def eventually(what: object, *, seconds: float = 30.0) -> None:
    """Wait until a function says yes."""
    assert callable(what)
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
