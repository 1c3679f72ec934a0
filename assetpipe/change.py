"""The only ways in which the folder of releases changes, so that whoever is killed leaves a whole release there.

Under the lock, which dies with its process:

1. ``begin``: what a killed process left half written is cleared away. From here on there is a folder ``.new``, and as
   long as it is there, nothing is taken for granted that was not looked at.
2. ``announce`` a release as ``releases/<id>.json``: whatever is written from here on is named by a release on disk, so
   that if the process is killed the next one knows what may be pruned.
3. ``write`` its files: to a temporary name, fsync, rename; of many, ``settle`` waits for the disk once.
4. ``switch``: write ``manifest.json``, by one rename. This is the moment of the release.
5. ``finish``: write the copies under plain names, which only other servers read, and prune: the releases that are kept
   no longer, and the files that no kept release names.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assetpipe import files, locks
from assetpipe.dist import UNFINISHED, Dist, Doomed, Told
from assetpipe.errors import PublishError
from assetpipe.manifest import CODING_SUFFIXES, MANIFEST, RELEASES
from assetpipe.paths import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from assetpipe.progress import Observer

_LOCK = ".lock"
# In seconds. Others publish within a few, if they or their disk are not stuck.
PATIENCE = 30.0
# Of so many files and more, it is quicker to wait for the file system once than for each.
_MANY = 100
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_IN_THE_WAY = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY)


@contextlib.contextmanager
def changing(dist: Dist, observer: Observer, *, durable: bool = True, patience: float = PATIENCE) -> Iterator[Change]:
    """Hold the lock of ``dist`` in the body, which changes it; others wait for ``patience`` seconds at most.

    What is written before a failure in the body is deleted, unless the moment of the release has passed. Raises
    PublishError, which says how things stand.
    """
    change = Change(dist, durable=durable)
    try:
        dist.folder.mkdir(parents=True, exist_ok=True)
        with locks.holding(
            dist.folder / _LOCK, patience, lambda: observer.begin("waiting for another build", 1)
        ) as mine:
            if not mine:
                raise PublishError(
                    f"{dist.folder}: another build is publishing there, and has not ended within {patience:.0f} "
                    "seconds. Wait for it, then build again."
                )
            dist.look()
            try:
                yield change
            except Exception:
                change.undo()
                raise
    except BaseException as error:
        dist.forget()
        if isinstance(error, OSError):
            raise PublishError(_explained(error, dist, switched=change.has_switched())) from error
        raise


class Change:
    """One change of a folder of releases, from its beginning to its end."""

    def __init__(self, dist: Dist, *, durable: bool) -> None:
        self._dist = dist
        self._durable = durable
        self._numbers = itertools.count()
        self._begun = False
        self._gathers = False
        # The names of the records that were not there before.
        self._announced: set[str] = set()
        # The temporary file of the manifest, from the instant at which only the rename is left to do.
        self._moment = ""

    def begin(self) -> None:
        """Clear away what a killed process left half written, and leave a sign that work is under way."""
        folder = self._dist.folder / UNFINISHED
        folder.mkdir(exist_ok=True)
        self._begun = True
        for file in folder.iterdir():
            file.unlink()

    def announce(self, told: Told) -> None:
        """Write the record of a release.

        One that is there in other codings stays until the new one is the current release, since URLs are answered by
        it: the files of both are then named by records of other names, which are pruned with what they alone name.
        """
        (self._dist.folder / RELEASES).mkdir(exist_ok=True)
        name = told.release.release
        old = self._dist.told(name)
        if old is None or old.files == told.files:
            self._record(name, told)
        else:
            for one in (old, told):
                self._record(f"{name}.{Digest.of(one.dump(alone=True)).tag}", one)

    def make_folders(self, paths: Iterable[str]) -> set[str]:
        """Make the folders of these files; the folders to ``sync`` once the files are there."""
        touched: set[str] = set()
        for folder in {path.rpartition("/")[0] for path in paths}:
            touched.add(folder)
            if not Path(self._dist.root + folder).is_dir():
                Path(self._dist.root + folder).mkdir(parents=True, exist_ok=True)
                while folder := folder.rpartition("/")[0]:
                    touched.add(folder)
                touched.add("")
        return touched

    def gather(self, count: int) -> bool:
        """Say how many files come until ``settle``; whether no ``write`` waits for the disk, but ``settle`` at most.

        To wait for all of them at once takes an eighth of the time, where the system has a way to.
        """
        self._gathers = self._durable and count >= _MANY and _syncfs() is not None
        return self._gathers or not self._durable

    def settle(self, folders: Iterable[str]) -> None:
        """Wait until what was written into these folders is on disk, and found there by its name."""
        if not self._gathers:
            for folder in folders:
                self.sync(folder)
            return
        self._gathers = False
        handle = os.open(self._dist.folder, os.O_RDONLY)
        try:
            sync = _syncfs()
            assert sync is not None
            sync(handle)
        finally:
            os.close(handle)

    def write(self, path: str, data: bytes) -> None:
        """Write a file, whose folder is there. Safe to call from several threads."""
        os.replace(self._put(data), self._dist.root + path)

    def sync(self, folder: str) -> None:
        """Wait until what was renamed in a folder is on disk."""
        if self._durable and sys.platform != "win32":  # where folders cannot be opened
            handle = os.open(self._dist.root + folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def switch(self, told: Told) -> None:
        """Make a release the current one. Its record and its files are there."""
        current = self._dist.current
        if current is None or current.release != told.release.release:
            # If we are killed before the rename, others stay longer than they had to; later, they would go too soon.
            os.utime(self._dist.record(told.release.release))
        self.sync(f"/{RELEASES}")
        self._moment = self._put(told.dump())
        Path(self._moment).replace(self._dist.folder / MANIFEST)
        self.sync("")

    def has_switched(self) -> bool:
        """Whether the moment of the release has passed. It is the disk that knows: a signal may come right after."""
        return self._moment != "" and not Path(self._moment).exists()

    def finish(self, told: Told) -> tuple[int, int]:
        """Do what comes after the moment: how many copies were written, and how many files deleted."""
        self._record(told.release.release, told)
        copied = self._copy(told)
        pruned = self._delete(self._dist.doomed(told))
        shutil.rmtree(self._dist.folder / UNFINISHED, ignore_errors=True)
        self._dist.learn(told)
        return copied, pruned

    def undo(self) -> None:
        """Delete what was written for a release that does not come: a full disk should not stay full for nothing.

        The sign of unfinished work stays, for files that were damaged may have been replaced.
        """
        if self._begun and not self.has_switched():
            with contextlib.suppress(OSError):
                self.begin()
                paths = {path for name in self._announced for path in _files(self._dist.told(name))}
                for name in self._announced:
                    self._dist.learn_record(name, None)
                for other in self._dist.all_told():
                    paths -= other.files.keys() | other.copies.keys()
                self._delete(Doomed(tuple(sorted(paths)), tuple(sorted(self._announced))))

    def _record(self, name: str, told: Told) -> None:
        if self._dist.told(name) is told:
            return
        path = f"/{RELEASES}/{name}.json"
        text = told.dump(alone=True)
        if self._dist.size(path) is None:
            self._announced.add(name)
            self.write(path, text)
        elif self._dist.read(path) != text:
            since = self._dist.since(name)
            self.write(path, text)
            if since is not None:  # the release that it tells of is no younger
                os.utime(self._dist.record(name), ns=(since, since))
        self._dist.learn_record(name, told)

    def _copy(self, told: Told) -> int:
        """Bring the copies under plain names up to date; the number written.

        Encodings go before their file changes, so that whatever other server looks, and whenever we are killed, no
        encoding is there that is not the file's.
        """
        written = 0
        for copies, stale in self._dist.stale_copies(told):
            plain = next(iter(copies))
            if plain in stale:
                for suffix in CODING_SUFFIXES.values():
                    if any(plain + suffix in other.copies for other in self._dist.all_told()):
                        self._unlink(plain + suffix)
                stale = list(copies)
            self.make_folders([plain])
            for copy in stale:
                self.write(copy, self._dist.read(copies[copy]))
                written += 1
        return written

    def _delete(self, doomed: Doomed) -> int:
        """Delete the files, folders that are empty then, and last the records that told of them."""
        deleted = 0
        for path in doomed.files:
            deleted += self._unlink(path)
            folder = Path(self._dist.root + path).parent
            with contextlib.suppress(OSError):
                while folder.parent != self._dist.folder:
                    folder.rmdir()
                    folder = folder.parent
        for name in doomed.records:
            self._dist.record(name).unlink(missing_ok=True)
            self._dist.learn_record(name, None)
        return deleted

    def _unlink(self, path: str) -> bool:
        try:
            Path(self._dist.root + path).unlink()
        except FileNotFoundError:
            return False
        return True

    def _put(self, data: bytes) -> str:
        """A new file of these bytes in our own folder, on disk if it is to be; its path."""
        temporary = f"{self._dist.root}/{UNFINISHED}/{next(self._numbers)}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | files.BINARY, 0o644)
        try:
            files.write(handle, data)
            if self._durable and not self._gathers:
                os.fsync(handle)
            if sys.platform != "win32":  # where a file has no such mode
                # A web server may run as somebody else, whatever this user's mask is.
                os.fchmod(handle, 0o644)
        finally:
            os.close(handle)
        return temporary


def _syncfs() -> Callable[[int], None] | None:
    """Linux's syncfs(2), which Python has no name for; None where there is none."""
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        function = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return None

    def syncfs(handle: int) -> None:
        if function(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return syncfs


def _files(told: Told | None) -> Iterable[str]:
    return () if told is None else told.files


def _explained(error: OSError, dist: Dist, *, switched: bool) -> str:
    """An OSError in words: what failed, how things stand, and what to do."""
    state = "nothing was published, and the release before is untouched"
    if switched:
        state = "the release is published, but not all that comes after is done"
    advice = f"Make room in {dist.folder} or make it writable for this user, then build again."
    if error.errno in _FULL:
        advice = f"Make room in {dist.folder}, then build again."
    elif error.errno in _IN_THE_WAY:
        advice = "Something that assetpipe did not put there is in the way. Move it, then build again."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = f"Make {dist.folder} and all in it writable for this user, then build again."
    return f"{error.filename2 or error.filename or dist.folder}: {error.strerror or error}: {state}. {advice}"
