"""Publishing: what a build made becomes the current release.

1. See what lies where the release wants its files: equal bytes stay; an encoding that a kept release states with other
   bytes stays, too (another build of the codec made it), and is stated by this release in its place; a file that no
   release ever named is somebody else's, and ends the publishing before it has begun. So does nothing to do.
2. Announce the release, write its files, make it the current one, and tidy up, as ``change`` tells.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from assetpipe.change import PATIENCE, Change, changing
from assetpipe.dist import Dist, Told
from assetpipe.errors import PublishError
from assetpipe.manifest import CODING_SUFFIXES, PUBLIC, Asset, Encoding, Manifest
from assetpipe.progress import Observer, Silence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from assetpipe.config import Keep
    from assetpipe.store import Blob

# Waiting for the disk is what takes its time: it can do so for several files at once.
_WRITERS = 16
# In bytes. Of larger files, only one at a time is in memory.
_LARGE = 1_000_000


class Published(Struct, frozen=True):
    """What publishing did: the manifest as published, the one before it, the files written and those pruned."""

    manifest: Manifest
    previous: Manifest | None
    written: int
    pruned: int


def publish(
    release: Manifest, files: Mapping[str, Blob], dist: Path, keep: Keep, observer: Observer | None = None
) -> Published:
    """Make ``release`` the current one of the folder ``dist``, once; raises as ``Publisher.publish`` does."""
    return Publisher(dist, keep, observer).publish(release, files)


def current(dist: Path) -> Manifest | None:
    """The current release of ``dist``; None where there is none that can be read."""
    found = Dist(dist)
    found.look()
    return found.current


class Publisher:
    """Publishes to one folder, once or time and again.

    It remembers what it left there, so that what an asset has in common with the release before (the very same object,
    at best) is neither looked at nor written again, as long as nobody else publishes there. Where not ``durable``, it
    does not wait for the disk: if the computer loses its power, a release may be in pieces.
    """

    def __init__(
        self,
        dist: Path,
        keep: Keep,
        observer: Observer | None = None,
        *,
        durable: bool = True,
        patience: float = PATIENCE,
    ) -> None:
        self._dist = Dist(dist)
        self._keep = keep
        self._observer = observer or Silence()
        self._durable = durable
        self._patience = patience

    @property
    def stamp(self) -> tuple[int, ...]:
        """What ``stat`` said of the manifest when the last publishing was done: mtime, size, inode."""
        return self._dist.stamp

    def publish(self, release: Manifest, files: Mapping[str, Blob]) -> Published:
        """Make ``release`` the current one; ``files`` are its bytes, by their paths below ``dist`` ("/public/…").

        Raises PublishError (the release before stays as it was), and SourceError where a source has changed since it
        was built from.
        """
        dist = self._dist
        with changing(dist, self._observer, durable=self._durable, patience=self._patience) as change:
            previous = dist.current
            told, missing = self._compare(dist.keep(release, self._keep), files)
            copies_are_right = next(dist.stale_copies(told), None) is None
            if told.release == previous and dist.is_settled and not missing and copies_are_right:
                dist.learn(told)
                return Published(told.release, previous, 0, 0)
            change.begin()
            change.announce(told)
            self._write(change, missing, files)
            change.switch(told)
            copied, pruned = change.finish(told)
            return Published(told.release, previous, len(missing) + copied, pruned)

    def _compare(self, release: Manifest, files: Mapping[str, Blob]) -> tuple[Told, list[str]]:
        """The release with the encodings that are on disk already, and the files that must be written."""
        dist = self._dist
        told = dist.tell(release)
        missing: list[str] = []
        adopted: dict[str, Encoding] = {}
        for path in dist.unseen(told):
            wanted = told.files[path]
            held = self._stated(path, release)
            on_disk = dist.on_disk(path, held, wanted)
            if on_disk is None:
                missing.append(path)
            elif on_disk.sha256 == wanted.sha256:
                continue
            elif held is not None and on_disk == held:
                if not _is_encoding(path, release):
                    self._refuse_change(path)
                adopted[path] = held
            elif self._is_named(path):
                missing.append(path)
            else:
                self._refuse(path)
        for copy, file in told.copies.items():
            if copy in dist.told_now.copies:
                continue
            retained = (dist.told(name) for name in release.retained)
            if any(other is not None and copy in other.files for other in retained):
                self._refuse_change(copy)
            if not self._is_named(copy) and dist.size(copy) is not None and dist.read(copy) != files[file].read():
                self._refuse(copy)
        if adopted:
            told = dist.tell(_with_encodings(release, adopted))
        return told, missing

    def _stated(self, path: str, release: Manifest) -> Encoding | None:
        """What the releases that are kept state of a file."""
        if (stated := self._dist.told_now.files.get(path)) is not None:
            return stated
        kept = (self._dist.told(name) for name in release.retained)
        return next((told.files[path] for told in kept if told is not None and path in told.files), None)

    def _is_named(self, path: str) -> bool:
        return any(path in told.files or path in told.copies for told in self._dist.all_told())

    def _refuse_change(self, path: str) -> None:
        raise PublishError(
            f"{path.removeprefix(f'/{PUBLIC}')}: its bytes change, but a kept release has promised, by `tagged`, that "
            "they never do. Rename the file, or build with its old bytes until that release is no longer kept."
        )

    def _refuse(self, path: str) -> None:
        raise PublishError(
            f"{self._dist.folder}{path}: a file that assetpipe did not put there is in the way. "
            "Move it, then build again."
        )

    def _write(self, change: Change, missing: list[str], files: Mapping[str, Blob]) -> None:
        self._observer.begin("publishing", len(missing))
        folders = change.make_folders(missing)
        one_large = threading.Lock()
        stopped = threading.Event()

        def write(path: str) -> None:
            if files[path].size < _LARGE:
                change.write(path, files[path].read())
                return
            with one_large:
                if not stopped.is_set():
                    change.write(path, files[path].read())

        if change.gather(len(missing)):
            for path in missing:
                write(path)
                self._observer.step()
            change.settle(folders)
            return
        with ThreadPoolExecutor(_WRITERS) as threads:
            try:
                for written in as_completed([threads.submit(write, path) for path in missing]):
                    written.result()
                    self._observer.step()
                # Renames are on disk when their folders are; the manifest must not be there before what it names.
                list(threads.map(change.sync, folders))
            except BaseException:
                stopped.set()
                threads.shutdown(cancel_futures=True)
                raise


def _is_encoding(path: str, release: Manifest) -> bool:
    """Whether a file of the release is an asset in a coding: the same bytes, however a codec writes them."""
    stem, dot, suffix = path.rpartition(".")
    return any(
        CODING_SUFFIXES.get(coding) == dot + suffix
        for area, assets in release.areas
        for asset in assets.values()
        if area + asset.stored == stem
        for coding in asset.encodings
    )


def _with_encodings(release: Manifest, adopted: Mapping[str, Encoding]) -> Manifest:
    """State the adopted encodings in place of the built ones."""

    def adopt(area: str, asset: Asset) -> Asset:
        codings = {coding: area + asset.stored + CODING_SUFFIXES.get(coding, "") for coding in asset.encodings}
        if adopted.keys().isdisjoint(codings.values()):
            return asset
        told = {coding: adopted.get(codings[coding], encoding) for coding, encoding in asset.encodings.items()}
        return replace(asset, encodings=told)

    assets, private = ({path: adopt(area, asset) for path, asset in held.items()} for area, held in release.areas)
    return replace(release, assets=assets, private=private)
