"""``assetpipe`` and ``python -m assetpipe``."""

from __future__ import annotations

import gc
import os
import sys
import time


def main() -> None:
    """Run the command line; where a build has nothing to do, say so before anything is loaded that it would need."""
    began = time.monotonic()
    if sys.argv[1:2] == ["build"]:
        from assetpipe import unchanged

        for cache in unchanged.caches():
            if (said := unchanged.recall(cache, sys.argv[1:])) is not None:
                _print(*said, f"{time.monotonic() - began:.1f}")
                return
    # A build makes hundreds of thousands of objects that stay, and hardly a cycle of them: looking for these takes a
    # quarter of its time, and in a watch it comes at the wrong moment.
    gc.set_threshold(50_000, 20, 100)
    from assetpipe.cli import main as commands

    commands(prog_name="assetpipe")


def _print(out: str, err: str, seconds: str) -> None:
    for stream, text in ((sys.stderr, err), (sys.stdout, out.replace("\1", seconds))):
        if text:
            try:
                stream.write(text if stream.isatty() else _without_colours(text))
                stream.flush()
            except BrokenPipeError:
                # Whoever read this has seen enough; the interpreter is not to try again at its end.
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
                sys.exit(1)


def _without_colours(text: str) -> str:
    if "\x1b" not in text:
        return text
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


if __name__ == "__main__":
    main()
