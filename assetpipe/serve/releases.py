"""The releases of a dist folder, as they are published."""

from __future__ import annotations

import errno
import logging
import threading
import time
from typing import TYPE_CHECKING

from assetpipe import locks, manifest
from assetpipe.errors import ManifestError
from assetpipe.serve.table import Table

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("assetpipe")
_CHECK_EVERY = 0.5  # seconds; a new release is to be served within one


class Releases:
    """The table of the current release in ``dist``, read anew when another one is published."""

    def __init__(self, dist: Path, *, cors: bool = False) -> None:
        self.dist = dist
        self.cors = cors
        self._manifest = dist / manifest.MANIFEST
        # What was read last, for those who may not wait for the disk.
        self.latest: Table | None = None
        self._stamp: tuple[int, int, int] | None = None
        self._watched = False
        self._next_check = self._next_look = 0.0
        self._checking = threading.Lock()

    def table(self) -> Table | None:
        """The table to answer from now; None where nothing was published yet."""
        if self.is_due():
            self._check(wait=self.latest is None)
        return self.latest

    def is_due(self) -> bool:
        """Whether ``table`` would look at the disk: no more than twice a second."""
        return time.monotonic() >= self._next_check

    def newer(self, than: Table) -> Table | None:
        """The table of a release that was published since ``than`` was current; None where there is none.

        For a URL that ``than`` does not know: another worker may have seen the release before us and named it.
        """
        latest = self.fresh()
        return latest if latest is not than else None

    def fresh(self) -> Table | None:
        """The table of what is published at this moment; None where nothing was."""
        self._check(wait=True)
        return self.latest

    def watched(self) -> bool:
        """Whether ``assetpipe watch`` keeps this folder up to date with its sources."""
        if time.monotonic() >= self._next_look:
            self._watched = locks.is_held(self.dist / manifest.WATCH)
            self._next_look = time.monotonic() + _CHECK_EVERY
        return self._watched

    def _check(self, *, wait: bool) -> None:
        """Look for a new release, in one thread; the others go on with what they have."""
        if self._checking.acquire(blocking=wait):
            try:
                self._reload()
                self._next_check = time.monotonic() + _CHECK_EVERY
            finally:
                self._checking.release()

    def _reload(self) -> None:
        try:
            found = self._manifest.stat()
        except OSError:
            return
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            current = manifest.load(self._manifest)
        except ManifestError as error:
            self._retry(error)
            logger.error("%s%s", error, " The release before is still served." if self.latest else "")
            return
        retained = []
        for release in current.retained:
            try:
                retained.append(manifest.load(self.dist / manifest.RELEASES / f"{release}.json"))
            except ManifestError as error:
                self._retry(error)
                logger.warning("An older release is not served: %s", error)
        self.latest = Table(current, retained, cors=self.cors)

    def _retry(self, error: ManifestError) -> None:
        """Read again at the next look what could not be opened because clients had too many files open."""
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.EMFILE, errno.ENFILE):
            self._stamp = None
