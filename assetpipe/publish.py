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
import errno
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
from assetpipe.manifest import CODING_SUFFIXES, MANIFEST, PUBLIC, RELEASES, Asset, Encoding, Manifest
from assetpipe.paths import Digest, LogicalPath
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
        self.observer = observer
        self.previous = _readable(dist / MANIFEST)
        self.known = {
            file.stem: release
            for file in sorted((dist / RELEASES).glob("*.json"))
            if (release := _readable(file)) is not None
        }
        # Whatever may have put files there: also what a killed publishing announced, or was about to replace.
        self.traces = dict(self.known)
        if self.previous is not None:
            self.traces[""] = self.previous
            self.known[self.previous.release] = self.previous
        self.copies = set().union(*(manifests.plain_copies(one) for one in self.traces.values()))
        self.named = self.copies.union(*(manifests.files(one) for one in self.traces.values()))

    def publish(self, release: Manifest, files: Mapping[str, Blob], keep: int) -> tuple[Manifest, int]:
        """Steps 2 to 5: the release as it is stated, and how many files were written."""
        shutil.rmtree(self.dist / _TEMPORARY, ignore_errors=True)
        (self.dist / _TEMPORARY).mkdir(parents=True)
        release = replace(release, retained=self._retained(release, keep))
        release, missing = self._compare(release, files)
        old = self.known.get(release.release)
        if old is None or manifests.files(old) == manifests.files(release):
            self._record(release.release, release)
        else:
            # The same answers in other codings: until this is the current release, the record that its URLs are
            # answered by stays; the files of both are named by records that are pruned with what they alone name.
            for one in (old, release):
                name = f"{release.release}.{Digest.of(one.dump()).tag}"
                self._record(name, one)
                self.traces[name] = one
        self.observer.begin("publishing", len(missing))
        for path in missing:
            self._write(path, files[path].read())
            self.observer.step()
        # Renames are on disk when their folders are; the manifest must not be there before what it names.
        for folder in {self.dist / RELEASES, *((self.dist / path[1:]).parent for path in missing)}:
            _sync(folder)
        self._write(f"/{MANIFEST}", release.dump())
        _sync(self.dist)
        return release, len(missing)

    def finish(self, release: Manifest) -> tuple[int, int]:
        """Step 6: how many copies were written, and how many files pruned."""
        self._record(release.release, release)
        copied = sum(self._copy(asset) for asset in release.assets.values() if asset.file)
        pruned = self._prune(release)
        shutil.rmtree(self.dist / _TEMPORARY, ignore_errors=True)
        return copied, pruned

    def _record(self, name: str, release: Manifest) -> None:
        self._write(f"/{RELEASES}/{name}.json", replace(release, retained=()).dump())

    def _retained(self, release: Manifest, keep: int) -> tuple[str, ...]:
        if self.previous is not None:
            before = [self.previous.release, *self.previous.retained]
        else:
            # The manifest is lost or damaged: the newest of the releases that are still told of.
            files = [file for file in (self.dist / RELEASES).glob("*.json") if file.stem in self.known]
            before = [file.stem for file in sorted(files, key=lambda file: (-file.stat().st_mtime_ns, file.stem))]
            before = [identity for identity in before if self.known[identity].release == identity]
        return tuple(i for i in before if i != release.release and i in self.known)[: keep - 1]

    def _compare(self, release: Manifest, files: Mapping[str, Blob]) -> tuple[Manifest, list[str]]:
        """The release with the encodings that are on disk already, and the files that must be written."""
        kept = [self.known[i] for i in release.retained]
        if self.previous is not None:
            kept.append(self.previous)
        stated: dict[str, Encoding] = {}
        for other in kept:
            stated.update(manifests.files(other))
        missing = []
        adopted: dict[str, Encoding] = {}
        codings = {
            area + asset.stored + suffix
            for area, assets in release.areas
            for asset in assets.values()
            for suffix in manifests.suffixes(asset)
        }
        for path, wanted in manifests.files(release).items():
            held = stated.get(path)
            on_disk = self._on_disk(path, held, wanted)
            if on_disk is None:
                missing.append(path)
            elif on_disk.sha256 == wanted.sha256:
                continue
            elif held is not None and on_disk == held:
                if path not in codings:
                    self._refuse_change(path)
                adopted[path] = held
            elif path in self.named:
                missing.append(path)
            else:
                self._refuse(path)
        for plain, file in manifests.plain_copies(release).items():
            theirs = self.dist / plain[1:]
            if any(plain in manifests.files(self.known[i]) for i in release.retained):
                self._refuse_change(plain)
            if plain not in self.named and theirs.exists() and theirs.read_bytes() != files[file].read():
                self._refuse(plain)
        return _with_encodings(release, adopted), missing

    def _refuse_change(self, path: str) -> None:
        raise PublishError(
            f"{path.removeprefix(f'/{PUBLIC}')}: its bytes change, but a kept release has promised, by `tagged`, that "
            "they never do. Rename the file, or build with its old bytes until that release is no longer kept."
        )

    def _refuse(self, path: str) -> None:
        raise PublishError(
            f"{self.dist}{path}: a file that assetpipe did not put there is in the way. Move it, then build again."
        )

    def _on_disk(self, path: str, held: Encoding | None, wanted: Encoding) -> Encoding | None:
        """What lies at ``path``. Its bytes are read only where its size leaves in doubt that it is what is stated."""
        file = self.dist / path[1:]
        try:
            size = file.stat().st_size
        except FileNotFoundError:
            return None
        if held is not None and held.size == size and held.sha256 == wanted.sha256:
            return held
        return Encoding(size, Digest.of(file.read_bytes()))

    def _write(self, path: str, data: bytes) -> None:
        target = self.dist / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.dist / _TEMPORARY)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        # mkstemp's mode is for secrets; these files are for a web server that may run as somebody else.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)

    def _copy(self, asset: Asset) -> int:
        """Bring the copies under a plain name up to date; the number written.

        Encodings of other bytes go first, so that whatever other server looks, and whenever we are killed, no encoding
        is there that is not the file's. Where a file name has no room for a coding's suffix, there is no such copy.
        """
        file, copy = (f"/{PUBLIC}{path}" for path in (asset.file, asset.url))
        wanted = {suffix: self._bytes(file + suffix) for suffix in ("", *manifests.suffixes(asset))}
        there = {suffix: self._bytes(copy + suffix) for suffix in ("", *CODING_SUFFIXES.values())}
        for suffix in CODING_SUFFIXES.values():
            stale = there[suffix] is not None and there[suffix] != wanted.get(suffix)
            if stale and copy + suffix in self.copies:
                (self.dist / f"{copy}{suffix}"[1:]).unlink()
        written = 0
        for suffix, data in wanted.items():
            fits = len(LogicalPath(copy + suffix).name.encode()) <= 255
            if data is not None and data != there[suffix] and fits:
                self._write(copy + suffix, data)
                written += 1
        return written

    def _bytes(self, path: str) -> bytes | None:
        try:
            return (self.dist / path[1:]).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise

    def _prune(self, release: Manifest) -> int:
        kept = [release, *(self.known[i] for i in release.retained)]
        keep = set().union(*(manifests.files(one) for one in kept), manifests.plain_copies(release))
        pruned = 0
        for identity, old in self.traces.items():
            # Kept releases, too: the copies under plain names are the current release's alone.
            for path in {**manifests.files(old), **manifests.plain_copies(old)}:
                if path not in keep:
                    file = self.dist / path[1:]
                    with contextlib.suppress(FileNotFoundError):
                        file.unlink()
                        pruned += 1
                    self._remove_empty(file.parent)
            if identity and identity != release.release and identity not in release.retained:
                (self.dist / RELEASES / f"{identity}.json").unlink(missing_ok=True)
        return pruned

    def _remove_empty(self, folder: Path) -> None:
        with contextlib.suppress(OSError):
            while folder.parent != self.dist:
                folder.rmdir()
                folder = folder.parent


def _with_encodings(release: Manifest, adopted: Mapping[str, Encoding]) -> Manifest:
    """State the adopted encodings in place of the built ones."""
    if not adopted:
        return release
    assets, private = (
        {
            path: replace(
                asset,
                encodings={
                    coding: adopted.get(area + asset.stored + CODING_SUFFIXES[coding], encoding)
                    for coding, encoding in asset.encodings.items()
                },
            )
            for path, asset in held.items()
        }
        for area, held in release.areas
    )
    return replace(release, assets=assets, private=private)


def _readable(file: Path) -> Manifest | None:
    """A manifest of dist, or None where it is none of ours: publishing mends what is damaged or missing."""
    try:
        release = manifests.load(file)
        manifests.files(release)
    except ManifestError:
        return None
    return release


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
