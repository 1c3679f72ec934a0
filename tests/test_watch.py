from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assetpipe import locks, publish
from assetpipe.watch import changes
from tests.conftest import Project, write


class Watching:
    """``assetpipe watch`` as a process, and the lines it prints."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "assetpipe", "watch"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self.process.stdout.close()

    def until(self, text: str) -> str:
        """The first line from here on that holds ``text``."""
        while text not in (line := self._lines.get(timeout=20)):
            pass
        return line

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=20)
        self._reader.join()
        return code


@pytest.fixture
def watching(project: Project) -> Iterator[Watching]:
    project.write({"a.css": "a{color:red}", "b.css": "@import 'a.css';"})
    process = Watching(project.folder)
    process.until("Watching")
    yield process
    if process.process.poll() is None:
        process.end()


def served(project: Project, path: str) -> str:
    return project.public(path).decode()


def test_every_save_becomes_a_release(project: Project, watching: Watching) -> None:
    assert served(project, "/static/a.css") == "a{color:red}"
    project.write({"a.css": "a{color:blue}"})
    assert "0 added, 2 changed, 0 gone" in watching.until("release")
    assert served(project, "/static/a.css") == "a{color:blue}"
    # as editors save: another file, renamed into place
    project.write({"a.css~": "a{color:green}"})
    watching.until("1 added")
    os.replace(project.folder / "static/a.css~", project.folder / "static/a.css")
    watching.until("release")
    assert served(project, "/static/a.css") == "a{color:green}"
    project.write({"new/deep/c.txt": "c"})
    watching.until("1 added")
    (project.folder / "static/b.css").unlink()
    watching.until("1 gone")
    assert watching.end() == 0


def test_a_broken_state_is_told_and_the_release_before_stays(project: Project, watching: Watching) -> None:
    before = publish.current(project.dist)
    twin = project.folder / "static" / "A.css"
    twin.symlink_to("/etc/hostname")
    watching.until("out of its root")
    os.mkdir(project.folder / "static" / "x")
    name = os.fsencode(project.folder / "static") + b"/\xff.txt"
    with open(name, "wb"):
        pass
    watching.until("nothing published")
    assert publish.current(project.dist) == before
    os.unlink(name)
    watching.until("mended")
    project.write({"c.txt": "c"})
    watching.until("1 added")


def test_what_a_command_reads_is_watched_too(project: Project) -> None:
    config = """
ignore = ["_*.scss"]
[[command]]
match = "*.scss"
run = "sh -c 'cat static/_vars.scss lib/more.txt'"
reads = ["static/*.scss", "lib/*.txt"]
"""
    write(project.folder, {"assetpipe.toml": config, "lib/more.txt": "1"})
    project.write({"a.scss": "", "_vars.scss": "a"})
    watching = Watching(project.folder)
    try:
        watching.until("Watching")
        assert served(project, "/static/a.css") == "a1"
        project.write({"_vars.scss": "b"})
        watching.until("1 changed")
        assert served(project, "/static/a.css") == "b1"
        write(project.folder, {"lib/more.txt": "2"})
        watching.until("1 changed")
        assert served(project, "/static/a.css") == "b2"
    finally:
        watching.end()


def test_a_running_watch_can_be_told_and_is_the_only_one(project: Project, watching: Watching) -> None:
    assert locks.is_held(project.dist / ".watch")
    second = Watching(project.folder)
    second.until("another watch is running")
    assert second.process.wait(timeout=20) == 1
    second._reader.join()
    watching.end()
    assert not locks.is_held(project.dist / ".watch")


def test_a_burst_of_events_is_one_moment_and_reading_is_none(tmp_path: Path) -> None:
    stop = threading.Event()
    moments: queue.SimpleQueue[frozenset[str]] = queue.SimpleQueue()
    bursts = changes([tmp_path], [tmp_path / "dist"], stop=stop.is_set)

    def consume() -> None:
        for burst in bursts:
            moments.put(burst)

    thread = threading.Thread(target=consume)
    thread.start()
    for n in range(50):
        (tmp_path / f"{n}.txt").write_text("x")
    burst = moments.get(timeout=10)
    assert burst == {str(tmp_path / f"{n}.txt") for n in range(50)}
    (tmp_path / "1.txt").read_text()
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "x").write_text("x")
    with pytest.raises(queue.Empty):
        moments.get(timeout=1)
    stop.set()
    thread.join()
