"""Processes that are ended at a chosen instant: when they are about to change something in ``dist`` the n-th time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.utime", "os.chmod", "os.link"}
# A server that has imported what is run, and forks from there.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.conftest", "assetpipe.releases", "assetpipe.cli"])


def ended_at(at: int, end: signal.Signals, function: Callable[..., object], *arguments: Any) -> int:
    """Call a function in a process of its own, which sends itself ``end`` at its ``at``-th change; its exit code."""
    process = _CONTEXT.Process(target=_run, args=(at, end, function, arguments))
    process.start()
    process.join(60)
    code = process.exitcode
    assert code is not None, "it still runs"
    process.close()
    return code


def _run(at: int, end: signal.Signals, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    left = at

    def watch(event: str, details: tuple[Any, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(details[1], str) and set(details[1]) & set("wxa+")
        if (event in _CHANGES or writes) and f"{os.sep}dist" in str(details[0]):
            left -= 1
            if not left:
                os.kill(os.getpid(), end)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.addaudithook(watch)
    function(*arguments)
