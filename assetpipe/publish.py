"""The only writer of ``dist``.

To publish a release:

1. Take the lock, which dies with its process, and clear away what a killed build left half written.
2. Look at what lies where the release wants its files: equal bytes stay; an encoding that a kept release states with
   other bytes stays, too (another build of the codec made it), and is stated by this release in its place; a file that
   no release ever named is somebody else's, and ends the publishing before it has begun.
3. Write ``releases/<id>.json``. From here on whatever is written is named by a release on disk, so that if the process
   is killed the next one knows what may be pruned.
4. Write the files: to a temporary name, fsync, rename.
5. Write ``manifest.json``, by one rename. This is the moment of the release.
6. Write the copies under plain names, which only other servers read, and prune: releases beyond those that are kept,
   and of their files those that no kept release names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from assetpipe import locks
from assetpipe import manifest as manifests
from assetpipe.errors import ManifestError, PublishError
from assetpipe.manifest import CODING_SUFFIXES, MANIFEST, PUBLIC, RELEASES, Encoding, Manifest
from assetpipe.paths import Digest
from assetpipe.progress import Observer, Silence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from assetpipe.store import Blob

_LOCK = ".lock"
_TEMPORARY = ".new"


class Published(Struct, frozen=True):
    """What publishing did: the manifest as published, the one before it, the files written and those pruned."""

    manifest: Manifest
    previous: Manifest | None
    written: int
    pruned: int


def publish(
    release: Manifest, files: Mapping[str, Blob], dist: Path, keep: int, observer: Observer | None = None
) -> Published:
    """Make ``release`` the current one of the folder ``dist``; ``keep`` releases are kept, this one included.

    Raises PublishError (the release before stays as it was), and SourceError where a source has changed since it was
    built from.
    """
    untouched = "nothing was published, and the release before is untouched"
    with _explained(dist, untouched), _locked(dist):
        publisher = _Publisher(dist, observer or Silence())
        release, written = publisher.publish(release, files, keep)
        with _explained(dist, "the release is published, but not all that comes after is done"):
            copied, pruned = publisher.finish(release)
        return Published(release, publisher.previous, written + copied, pruned)


def current(dist: Path) -> Manifest | None:
    """The current release of ``dist``; None where there is none that can be read."""
    return _readable(dist / MANIFEST)


class _Publisher:
    """The state of one publishing, under the lock."""

    def __init__(self, dist: Path, observer: Observer) -> None:
        self.dist = dist
        self.public = dist / PUBLIC
        self.observer = observer
        self.previous = _readable(dist / MANIFEST)
        self.known = {
            file.stem: release
            for file in sorted((dist / RELEASES).glob("*.json"))
            if (release := _readable(file)) is not None
        }
        if self.previous is not None:
            self.known.setdefault(self.previous.release, self.previous)

    def publish(self, release: Manifest, files: Mapping[str, Blob], keep: int) -> tuple[Manifest, int]:
        """Steps 2 to 5: the release as it is stated, and how many files were written."""
        shutil.rmtree(self.dist / _TEMPORARY, ignore_errors=True)
        (self.dist / _TEMPORARY).mkdir(parents=True)
        release = replace(release, retained=self._retained(release, keep))
        release, missing = self._compare(release, files)
        self._write(f"{RELEASES}/{release.release}.json", replace(release, retained=()).dump())
        self.observer.begin("publishing", len(missing))
        for path in missing:
            self._write(PUBLIC + path, files[path].read())
            self.observer.step()
        # Renames are on disk when their folders are; the manifest must not be there before what it names.
        for folder in {(self.public / path[1:]).parent for path in missing}:
            _sync(folder)
        self._write(MANIFEST, release.dump())
        _sync(self.dist)
        return release, len(missing)

    def finish(self, release: Manifest) -> tuple[int, int]:
        """Step 6: how many copies were written, and how many files pruned."""
        copied = sum(self._copy(plain, file) for plain, file in manifests.plain_copies(release).items())
        pruned = self._prune(release)
        shutil.rmtree(self.dist / _TEMPORARY, ignore_errors=True)
        return copied, pruned

    def _retained(self, release: Manifest, keep: int) -> tuple[str, ...]:
        if self.previous is None:
            return ()
        before = (self.previous.release, *self.previous.retained)
        return tuple(i for i in before if i != release.release and i in self.known)[: keep - 1]

    def _compare(self, release: Manifest, files: Mapping[str, Blob]) -> tuple[Manifest, list[str]]:
        """The release with the encodings that are on disk already, and the files that must be written."""
        kept = [self.known[i] for i in release.retained]
        if self.previous is not None:
            kept.append(self.previous)
        stated: dict[str, Encoding] = {}
        for other in kept:
            stated.update(manifests.files(other))
        named = set(stated).union(*(manifests.files(other) for other in self.known.values()))
        named.update(*(manifests.plain_copies(other) for other in self.known.values()))
        missing = []
        adopted: dict[str, Encoding] = {}
        codings = {a.stored + CODING_SUFFIXES[c] for a in release.assets.values() for c in a.encodings}
        for path, wanted in manifests.files(release).items():
            held = stated.get(path)
            on_disk = self._on_disk(path, held, wanted)
            if on_disk is None:
                missing.append(path)
            elif on_disk.sha256 == wanted.sha256:
                continue
            elif held is not None and on_disk == held:
                if path not in codings:
                    raise PublishError(
                        f"{path}: its bytes have changed, but `tagged` says that they never do, and a kept release "
                        "still answers with the old ones. Take its pattern out of `tagged`, or rename the file."
                    )
                adopted[path] = held
            elif path in named:
                missing.append(path)
            else:
                self._refuse(path)
        for plain in manifests.plain_copies(release):
            if plain not in named and (self.public / plain[1:]).exists():
                same = (self.public / plain[1:]).read_bytes() == files[manifests.plain_copies(release)[plain]].read()
                if not same:
                    self._refuse(plain)
        return _with_encodings(release, adopted), missing

    def _refuse(self, path: str) -> None:
        raise PublishError(
            f"{self.public}{path}: a file that assetpipe did not put there is in the way. Move it, then build again."
        )

    def _on_disk(self, path: str, held: Encoding | None, wanted: Encoding) -> Encoding | None:
        """What lies at ``path``. Its bytes are read only where its size leaves in doubt that it is what is stated."""
        file = self.public / path[1:]
        try:
            size = file.stat().st_size
        except FileNotFoundError:
            return None
        if held is not None and held.size == size and held.sha256 == wanted.sha256:
            return held
        return Encoding(size, Digest.of(file.read_bytes()))

    def _write(self, path: str, data: bytes) -> None:
        target = self.dist / path
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.dist / _TEMPORARY)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        # mkstemp's mode is for secrets; these files are for a web server that may run as somebody else.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)

    def _copy(self, plain: str, file: str) -> bool:
        """Bring the copy under a plain name up to date; where a file name has no room for a coding, there is none."""
        data = (self.public / file[1:]).read_bytes()
        target = self.public / plain[1:]
        try:
            if target.is_file() and target.read_bytes() == data:
                return False
            self._write(PUBLIC + plain, data)
        except OSError as error:
            if len(target.name.encode()) > 255:
                return False
            raise error from None
        return True

    def _prune(self, release: Manifest) -> int:
        kept = [release, *(self.known[i] for i in release.retained)]
        keep = set().union(*(manifests.files(one) for one in kept), manifests.plain_copies(release))
        pruned = 0
        for identity, old in self.known.items():
            if identity == release.release or identity in release.retained:
                continue
            for path in {**manifests.files(old), **manifests.plain_copies(old)}:
                if path not in keep:
                    file = self.public / path[1:]
                    with contextlib.suppress(FileNotFoundError):
                        file.unlink()
                        pruned += 1
                    self._remove_empty(file.parent)
            (self.dist / RELEASES / f"{identity}.json").unlink(missing_ok=True)
        return pruned

    def _remove_empty(self, folder: Path) -> None:
        with contextlib.suppress(OSError):
            while folder != self.public:
                folder.rmdir()
                folder = folder.parent


def _with_encodings(release: Manifest, adopted: Mapping[str, Encoding]) -> Manifest:
    """State the adopted encodings in place of the built ones."""
    if not adopted:
        return release
    assets = {
        path: replace(
            asset,
            encodings={
                coding: adopted.get(asset.stored + CODING_SUFFIXES[coding], encoding)
                for coding, encoding in asset.encodings.items()
            },
        )
        for path, asset in release.assets.items()
    }
    return replace(release, assets=assets)


def _readable(file: Path) -> Manifest | None:
    """A manifest of dist, or None: publishing mends what is damaged or missing."""
    try:
        return manifests.load(file)
    except ManifestError:
        return None


def _sync(folder: Path) -> None:
    if sys.platform != "win32":  # where folders cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _explained(dist: Path, state: str) -> Iterator[None]:
    """Turn an OSError into words: what failed, how things stand, and what to do."""
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"{error.filename or dist}: {error.strerror or error}: {state}. "
            f"Make room in {dist} or make it writable for this user, then build again."
        ) from error


@contextlib.contextmanager
def _locked(dist: Path) -> Iterator[None]:
    dist.mkdir(parents=True, exist_ok=True)
    with locks.holding(dist / _LOCK) as mine:
        if not mine:
            raise PublishError(f"{dist}: another build is publishing there. Wait for it, then build again.")
        yield
