"""What the last build did, kept beside the cache for the report.

    <cache>/last-build.json

A manifest has no clock and no reasons in it, so that equal sources are equal bytes; what a build took lies here.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from assetpipe.build import Build

FILE = "last-build.json"


class Done(Struct, frozen=True):
    """One job that the cache could not spare: which tool worked on which asset, and for how many seconds."""

    tool: str
    path: str
    seconds: float


class LastBuild(Struct, frozen=True):
    """What the build of ``release`` did.

    ``at`` is when it ended, in seconds since 1970 (UTC); ``seconds`` how long it took by the clock, 0 where that is not
    known; ``work`` all its jobs; ``reasons`` say why each asset is not as in the build before.
    """

    release: str
    at: int
    seconds: float
    work: tuple[Done, ...]
    reasons: dict[str, str]


def keep(cache: Path, build: Build, seconds: float = 0.0) -> None:
    """Keep what ``build`` did, in place of what an earlier one did. ``seconds`` is how long it took by the clock.

    Never fails: a release must not be lost for want of its report, which says itself when this file is not there.
    """
    done = LastBuild(
        release=build.manifest.release,
        at=int(time.time()),
        seconds=round(seconds, 4),
        work=tuple(Done(one.tool, str(one.path), round(one.seconds, 6)) for one in build.work),
        reasons={str(path): why for path, why in build.reasons.items()},
    )
    with contextlib.suppress(OSError):
        handle, temporary = tempfile.mkstemp(dir=cache, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(msgspec.json.encode(done))
            Path(temporary).replace(cache / FILE)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def recall(cache: Path) -> LastBuild | None:
    """What the last build did; None where that was not kept, or by a version that kept something else."""
    try:
        return msgspec.json.decode((cache / FILE).read_bytes(), type=LastBuild)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
