"""One line on a terminal that says how far the work is; nothing anywhere else."""

from __future__ import annotations

import shutil
import sys
import time

_EVERY = 0.05  # seconds between two drawings


class ProgressLine:
    """Draws ``compressing (br)  12 of 40`` on stderr, over and over on one line, if stderr is a terminal."""

    def __init__(self) -> None:
        self._drawn = sys.stderr.isatty()
        self._stage, self._total, self._done, self._last = "", 0, 0, 0.0

    def begin(self, stage: str, total: int) -> None:
        """Begin a stage of ``total`` steps."""
        self._stage, self._total, self._done, self._last = stage, total, 0, 0.0
        self._draw()

    def step(self) -> None:
        """Finish one step."""
        self._done += 1
        self._draw()

    def clear(self) -> None:
        """Wipe the line, so that what comes next has it to itself."""
        if self._drawn:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._drawn or not self._total or (now - self._last < _EVERY and self._done < self._total):
            return
        self._last = now
        line = f"{self._stage}  {self._done} of {self._total}"
        sys.stderr.write(f"\r\x1b[2K{line[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()
