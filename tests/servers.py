"""Starts real servers, each a process of its own, and ends them."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

PROC = Path("/proc")

# Each by its module, with which it is started, and the arguments; ``{port}`` is put in, the application comes last.
WSGI = {
    # Connections are kept for longer than a slow machine can pause: one that the server closes is no defect of ours.
    "gunicorn": "gunicorn --bind 127.0.0.1:{port} --worker-class gthread --workers 2 --threads 4 --keep-alive 60",
    "waitress": "waitress --listen 127.0.0.1:{port} --threads 8",
    "granian": "granian --interface wsgi --host 127.0.0.1 --port {port} --workers 2 --blocking-threads 4",
}
ASGI = {
    "uvicorn": "uvicorn --host 127.0.0.1 --port {port} --ws wsproto --no-access-log",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port}",
    "granian": "granian --interface asgi --host 127.0.0.1 --port {port}",
}


class Process:
    """A server that runs, the port it listens on, and what it has printed."""

    def __init__(self, running: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.running = running
        self.port = port
        self.log = log

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def processes(self) -> list[int]:
        """It and its workers, by their ids."""
        found = [self.running.pid]
        for pid in found:
            for task in (PROC / str(pid) / "task").iterdir():
                with suppress(OSError):  # a thread that has ended meanwhile
                    found += [int(child) for child in (task / "children").read_text().split()]
        return found

    def open_below(self, folder: Path) -> list[str]:
        """The files below a folder that are open in any of its processes."""
        return [target for target in self._open() if target.startswith(f"{folder}{os.sep}")]

    def open_files(self) -> int:
        """The number of open files of all its processes."""
        return len(self._open())

    def _open(self) -> list[str]:
        found = []
        for pid in self.processes():
            for handle in (PROC / str(pid) / "fd").iterdir():
                try:
                    found.append(str(handle.readlink()))
                except OSError:
                    continue  # closed meanwhile
        return found


def needs(*modules: str) -> None:
    """Skip the test where a package is not installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install {' '.join(missing)}")


def program(name: str, package: str) -> str:
    """The path of a program; skips the test where there is none."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"needs {name}: apt-get install {package}")
    return found


@contextmanager
def serving(command: str, application: str, folder: Path) -> Iterator[Process]:
    """Run a Python server with an application, ``module:name`` in ``folder``, until it is no longer needed."""
    needs(command.split()[0])

    def arguments(port: int) -> list[str]:
        return [sys.executable, "-m", *command.format(port=port).split(), application]

    with listening(arguments, folder) as process:
        yield process


@contextmanager
def listening(arguments: Callable[[int], list[str]], folder: Path) -> Iterator[Process]:
    """Run what ``arguments`` makes of a free port, from when it listens there until it is no longer needed."""
    for _ in range(3):  # somebody else may be faster to take the port
        port = _free_port()
        log = folder / f"{port}.log"
        with log.open("wb") as out:
            running = subprocess.Popen(arguments(port), cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        try:
            if _listens(running, port):
                yield Process(running, port, log)
                return
        finally:
            running.terminate()
            try:
                running.wait(15)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
    pytest.fail(f"{arguments(port)} does not start:\n{log.read_text(errors='replace')}")


def _free_port() -> int:
    """A port that nothing listens on, outside of those that clients are given."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _listens(running: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and running.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            # Not another one, that took the port before it.
            return running.poll() is None
    return False
