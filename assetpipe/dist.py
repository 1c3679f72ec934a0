"""What lies in the folder of releases, as far as it must be known to change it. Nothing is written here.

No file there has a clock in it. The mtime of ``releases/<id>.json`` is when that release last became the current one;
the one after it in the manifest's order (the current release, then ``retained``) was replaced at that time. A copy of
dist that keeps no times counts from the moment of copying, so that releases stay longer than they would have; a time
before 2001 (image builders write such) is none, and counts as now. The order is the manifest's, and needs no times.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assetpipe import manifest as manifests
from assetpipe.errors import ManifestError
from assetpipe.manifest import FORMAT, MANIFEST, PUBLIC, RELEASES, Asset, Encoding, Manifest
from assetpipe.paths import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from assetpipe.config import Keep

_PUBLIC = f"/{PUBLIC}"
# There from the first file of a change to its last: as long as it is, somebody has work unfinished.
UNFINISHED = ".new"
_DAY = 86_400 * 10**9
_FIRST_TIME = 10**18


class _Entry(Struct):
    """What one asset says, so that it is asked once: its files, its plain copies and, where wanted, its JSON."""

    files: dict[str, Encoding]
    copies: dict[str, str]
    text: bytes = b""


class Told:
    """What a release says of the folder: its ``files``, and the ``copies`` under plain names of which of them.

    It is worked out from what it has in common with another one, ``base``. That costs next to nothing where the assets
    of both are the very same objects. Raises ManifestError where the release names a file outside of its area: such a
    manifest is not ours.
    """

    def __init__(self, release: Manifest, base: Told | None = None) -> None:
        self.release = release
        self.files: dict[str, Encoding] = dict(base.files) if base else {}
        # By the logical path of its asset.
        self.copies_of: dict[str, dict[str, str]] = dict(base.copies_of) if base else {}
        # Files that are those of several assets, and of how many.
        self.shared: dict[str, int] = dict(base.shared) if base else {}
        self.entries: list[dict[str, _Entry]] = [dict(entries) for entries in base.entries] if base else [{}, {}]
        self._texts: list[msgspec.Raw] = []
        before = base.release.areas if base else (("", {}), ("", {}))
        try:
            for (area, assets), (_, known), entries in zip(release.areas, before, self.entries, strict=True):
                changed = [p for p, asset in assets.items() if (old := known.get(p)) is not asset and old != asset]
                for path in (*(known.keys() - assets.keys()), *filter(known.__contains__, changed)):
                    self._remove(path, entries.pop(path))
                for path in changed:
                    entries[path] = self._add(area, path, assets[path])
        except ValueError as error:
            raise ManifestError(f"release {release.release} names a file outside of dist: {error}") from error
        self.copies = {copy: file for copies in self.copies_of.values() for copy, file in copies.items()}

    def dump(self, *, alone: bool = False) -> bytes:
        """The bytes of the manifest, as it dumps itself; ``alone``, as it is when it is not the current one."""
        release = retaining(self.release, (), ()) if alone else self.release
        told = msgspec.to_builtins(replace(release, assets={}, private={}), enc_hook=str)
        if not self._texts:
            self._texts = [
                _joined(assets, entries) for (_, assets), entries in zip(release.areas, self.entries, strict=True)
            ]
        told["assets"], private = self._texts
        if release.private:
            told["private"] = private
        return msgspec.json.encode(told, order="sorted", enc_hook=str) + b"\n"

    def _add(self, area: str, path: str, asset: Asset) -> _Entry:
        entry = _Entry(manifests.asset_files(area, asset), {} if area != _PUBLIC else manifests.asset_copies(asset))
        for file in entry.files.keys() & self.files.keys():
            self.shared[file] = self.shared.get(file, 1) + 1
        self.files.update(entry.files)
        if entry.copies:
            self.copies_of[path] = entry.copies
        return entry

    def _remove(self, path: str, entry: _Entry) -> None:
        for file in entry.files:
            others = self.shared.pop(file, 1) - 1
            if not others:
                del self.files[file]
            elif others > 1:
                self.shared[file] = others
        if entry.copies:
            del self.copies_of[path]


_NOTHING = Told(Manifest(format=FORMAT, release="none", assets={}))


class Doomed(Struct, frozen=True):
    """What pruning deletes: files, by their path below dist, and the records of releases, by their name."""

    files: tuple[str, ...]
    records: tuple[str, ...]


class Dist:
    """One folder of releases.

    What was once seen there holds until somebody else publishes: as long as ``manifest.json`` is the very file that was
    there after our own last change, and no work is unfinished. Where the manifest is lost or damaged, ``current`` is
    None.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = str(folder)
        self.forget()

    def forget(self) -> None:
        """Know nothing."""
        self.current: Manifest | None = None
        self.records: frozenset[str] = frozenset()
        # What ``stat`` said of the manifest: mtime, size, inode; nothing where there is none.
        self.stamp: tuple[int, ...] = ()
        # By the name of the record; None for one that is none of ours.
        self._told: dict[str, Told | None] = {}
        self.told_now = _NOTHING
        self._latest: Told | None = None
        self._seen: Mapping[str, Encoding] = {}

    def look(self) -> None:
        """Find out what lies there, where that is not known."""
        stamp = self._stamp_now()
        records = frozenset(file.stem for file in (self.folder / RELEASES).glob("*.json"))
        if not stamp or stamp != self.stamp or records != self.records or self.is_unfinished:
            self.forget()
            self.records = records
            self.stamp = stamp
            if (told := self._read_told(self.folder / MANIFEST)) is not None:
                self.current, self.told_now = told.release, told

    def learn(self, told: Told) -> None:
        """Know that the release of ``told`` is the current one, and that all its files and copies are right."""
        self.current = told.release
        self.stamp = self._stamp_now()
        self.told_now = self._latest = told
        self._seen = {**told.files, **{copy: told.files[file] for copy, file in told.copies.items()}}

    def learn_record(self, name: str, told: Told | None) -> None:
        """Know that there is a record of that name, and what it tells; or that there is none, any more."""
        self.records = self.records | {name} if told else self.records - {name}
        self._told[name] = told

    @property
    def is_unfinished(self) -> bool:
        """Whether somebody was killed in the midst of a change."""
        return (self.folder / UNFINISHED).exists()

    @property
    def is_settled(self) -> bool:
        """Whether there are the records of the current release and those that it retains, and nothing is left to do."""
        if self.current is None or self.is_unfinished:
            return False
        named = {self.current.release, *self.current.retained}
        return named <= self.records and all(self.told(name) is None for name in self.records - named)

    def chain(self) -> list[str]:
        """The releases that are kept: the current one, then the others, that which was current last first.

        Without a manifest, they are those of which every file is there.
        """
        if self.current is not None:
            return [name for name in (self.current.release, *self.current.retained) if name in self.records]
        whole = [
            name
            for name in self.records
            if (told := self.told(name)) and told.release.release == name and self.lacks(name) is None
        ]
        return sorted(whole, key=lambda name: (-(self.since(name) or 0), name))

    def record(self, name: str) -> Path:
        """The file of the record of that name: a release's id, or one of its own while a release changes codings."""
        return self.folder / RELEASES / f"{name}.json"

    def since(self, name: str) -> int | None:
        """When a release last became the current one, in nanoseconds since 1970; None where no time was kept."""
        try:
            found = self.record(name).stat().st_mtime_ns
        except OSError:
            return None
        return found if found >= _FIRST_TIME else None

    def told(self, name: str) -> Told | None:
        """What the record of that name tells; None where it is none of ours."""
        if name not in self._told:
            self._told[name] = self._read_told(self.record(name))
        return self._told[name]

    def tell(self, release: Manifest) -> Told:
        """What a release says; what it shares with the latest one that is known (or else the first) is not worked out.

        Raises ManifestError, as ``Told`` does.
        """
        told = Told(release, self._latest)
        if self._latest is None:
            self._latest = told
        return told

    def all_told(self) -> Iterator[Told]:
        """What the current release says, and then every record, also of what was begun and never finished."""
        yield self.told_now
        for name in self.records:
            if (told := self.told(name)) is not None:
                yield told

    def on_disk(self, path: str, held: Encoding | None, wanted: Encoding) -> Encoding | None:
        """What lies at ``path``; None where nothing does.

        Its bytes are read only where its size leaves in doubt that it is what is wanted, and ``held`` states.
        """
        if (seen := self._seen.get(path)) is not None:
            return seen
        size = self.size(path)
        if size is None:
            return None
        if held is not None and held.size == size and held.sha256 == wanted.sha256:
            return held
        return Encoding(size, Digest.of(self.read(path)))

    def unseen(self, told: Told) -> list[str]:
        """The files of a release that must be looked at: all but those of which it is known that they are there."""
        return [path for path, wanted in told.files.items() if self._seen.get(path) is not wanted]

    def size(self, path: str) -> int | None:
        """The size of a file in bytes; None where there is none."""
        try:
            # pathlib takes twice as long, and this is asked of every file.
            return os.stat(self.root + path).st_size  # noqa: PTH116
        except FileNotFoundError:
            return None

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        return Path(self.root + path).read_bytes()

    def lacks(self, name: str) -> str | None:
        """A file of a release that is not there, or has another size than is stated."""
        for path, stated in (self.told(name) or _NOTHING).files.items():
            if self.size(path) != stated.size:
                return path
        return None

    def stale_copies(self, told: Told) -> Iterator[tuple[dict[str, str], list[str]]]:
        """For each asset of which any copy under its plain name is not there or not right: its copies, and which.

        Where no work is unfinished, a copy that the current release has, too, is right if its size is.
        """
        settled = _NOTHING if self.is_unfinished else self.told_now
        for copies in told.copies_of.values():
            if stale := [copy for copy in copies if not self._is_right(copy, told, settled)]:
                yield copies, stale

    def _is_right(self, copy: str, told: Told, settled: Told) -> bool:
        wanted = told.files[told.copies[copy]]
        try:
            found = self.on_disk(copy, settled.files.get(settled.copies.get(copy, "")), wanted)
        except OSError:
            return False
        return found is not None and found.sha256 == wanted.sha256

    def keep(self, release: Manifest, keep: Keep) -> Manifest:
        """``release`` as it is stated once it is the current one: which others it retains.

        They are as many as ``keep`` says, and none that was replaced longer ago than it says.
        """
        now = time.time_ns()
        again = self.current is not None and self.current.release == release.release
        became = (self.since(release.release) if again else None) or now
        retained: list[str] = []
        for name in self.chain():
            if name == release.release:
                continue
            replaced, became = became, self.since(name) or now
            young = now - replaced < keep.days * _DAY
            # With nothing new, the records of old are not read, either.
            ours = (again and self.is_settled) or self.told(name) is not None
            if len(retained) < keep.releases - 1 and young and ours:
                retained.append(name)
        return retaining(release, retained, self.current.withdrawn if self.current else ())

    def doomed(self, told: Told) -> Doomed:
        """What may go once that release is the current one: what no kept release names, and some release named."""
        release = told.release
        keep = {*told.files, *told.copies}
        for name in release.retained:
            keep.update((self.told(name) or _NOTHING).files)
        files: set[str] = set()
        for other in self.all_told():
            # Of kept releases, too: the copies under plain names are the current release's alone.
            files.update(other.files.keys() - keep, other.copies.keys() - keep)
        records = self.records - {release.release, *release.retained}
        return Doomed(tuple(sorted(files)), tuple(sorted(name for name in records if self.told(name) is not None)))

    def _read_told(self, file: Path) -> Told | None:
        """What a manifest of dist says; None where it is none of ours: publishing mends what is damaged or missing."""
        try:
            return self.tell(manifests.load(file))
        except ManifestError:
            return None

    def _stamp_now(self) -> tuple[int, ...]:
        try:
            found = (self.folder / MANIFEST).stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino


def retaining(release: Manifest, retained: Iterable[str], withdrawn: Iterable[str]) -> Manifest:
    """``release`` with the others that it retains, and those of them that were rolled back from."""
    kept = tuple(retained)
    return replace(release, retained=kept, withdrawn=tuple(name for name in kept if name in set(withdrawn)))


def _joined(assets: Mapping[str, Asset], entries: Mapping[str, _Entry]) -> msgspec.Raw:
    texts = []
    for path in sorted(assets):
        entry = entries[path]
        if not entry.text:
            entry.text = b":".join(msgspec.json.encode(x, order="sorted", enc_hook=str) for x in (path, assets[path]))
        texts.append(entry.text)
    return msgspec.Raw(b"{%b}" % b",".join(texts))
