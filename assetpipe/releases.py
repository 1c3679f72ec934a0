"""The releases that are kept: which they are, going back to one of them, and letting go of what is not kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe import manifest as manifests
from assetpipe.change import PATIENCE, changing
from assetpipe.dist import Dist, Doomed, Told, retaining
from assetpipe.errors import ManifestError, PublishError
from assetpipe.manifest import MANIFEST, PRIVATE, PUBLIC, RELEASES, Diff, Manifest
from assetpipe.progress import Observer, Silence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assetpipe.config import Keep

_SHOWN = 10


class Release(Struct, frozen=True, kw_only=True):
    """One release that is kept.

    ``since`` is when it last became the current one, ``until`` when it was replaced: UTC, to the second, and None where
    the folder was copied without its times. ``bytes`` are those of its assets, ``changes`` what changed against the
    one before it in the list. ``withdrawn`` says that it was rolled back from.
    """

    release: str
    current: bool
    withdrawn: bool
    since: datetime | None
    until: datetime | None
    files: int
    bytes: int
    changes: Diff | None


class RolledBack(Struct, frozen=True):
    """The release that is the current one now, and the one that was."""

    manifest: Manifest
    previous: Manifest


class Pruned(Struct, frozen=True):
    """What was pruned, or would be: releases, and files with their bytes; ``foreign`` files are somebody else's.

    All files by their paths below dist ("public/…").
    """

    releases: tuple[str, ...]
    files: tuple[str, ...]
    bytes: int
    foreign: tuple[str, ...]


def kept(folder: Path) -> list[Release]:
    """The current release of ``folder``, then the others that are kept, that which was current last first.

    Raises ManifestError where there is no current one. A release whose record is lost or damaged is left out.
    """
    dist = Dist(folder)
    current = manifests.load(folder / MANIFEST)
    chain: list[tuple[Manifest, datetime | None]] = []
    for name in (current.release, *current.retained):
        try:
            chain.append((manifests.load(dist.record(name)), _time(dist.since(name))))
        except ManifestError:
            if name == current.release:
                chain.append((current, None))
    told = []
    until = None
    for n, (release, since) in enumerate(chain):
        before = chain[n + 1][0] if n + 1 < len(chain) else None
        assets = [asset for _, held in release.areas for asset in held.values()]
        told.append(
            Release(
                release=release.release,
                current=n == 0,
                withdrawn=release.release in current.withdrawn,
                since=since,
                until=until,
                files=len(assets),
                bytes=sum(asset.size for asset in assets),
                changes=manifests.diff(before, release) if before is not None else None,
            )
        )
        until = since
    return told


def rollback(
    folder: Path, wanted: str = "", observer: Observer | None = None, *, patience: float = PATIENCE
) -> RolledBack:
    """Make a kept release the current one again, by one rename; all that are kept stay so.

    ``wanted`` is the beginning of its id. Without it, that is the one that was current before this one and was not
    itself rolled back from, so that two times go two back.

    A release in which a file was public that is private now is refused: a rollback would publish it once more. Raises
    PublishError, and ManifestError where there is no current release.
    """
    dist = Dist(folder)
    manifests.load(folder / MANIFEST)
    with changing(dist, observer or Silence(), patience=patience) as change:
        current = _current(dist)
        name = _find(dist, current, wanted)
        if name == current.release:
            if not dist.is_settled:  # somebody was killed on this very way
                change.begin()
                change.finish(dist.told_now)
            return RolledBack(current, current)
        target = manifests.load(dist.record(name))
        _refuse_exposure(dist, current, target)
        told = dist.tell(_rolled_back(current, target))
        _refuse_broken(dist, told)
        change.begin()
        change.switch(told)
        change.finish(told)
        return RolledBack(told.release, current)


def prune(
    folder: Path, keep: Keep, observer: Observer | None = None, *, dry_run: bool = False, patience: float = PATIENCE
) -> Pruned:
    """Let go of the releases that ``keep`` does not keep, of what killed builds left, and of the files of both.

    Files that no release names are nobody's of ours; they stay, and are told. Raises PublishError, and ManifestError
    where there is no current release: without it, nothing says what is kept.
    """
    dist = Dist(folder)
    manifests.load(folder / MANIFEST)
    if dry_run:
        dist.look()
        told = dist.tell(dist.keep(_current(dist), keep))
        return _pruned(dist, told, dist.doomed(told))
    with changing(dist, observer or Silence(), patience=patience) as change:
        current = _current(dist)
        told = dist.tell(dist.keep(current, keep))
        pruned = _pruned(dist, told, dist.doomed(told))
        change.begin()
        if told.release != current:
            change.announce(told)
            change.switch(told)
        change.finish(told)
        return pruned


def _current(dist: Dist) -> Manifest:
    if dist.current is None:
        raise ManifestError(f"{dist.folder / MANIFEST}: there is no release that can be read. Run `assetpipe build`.")
    return dist.current


def _find(dist: Dist, current: Manifest, wanted: str) -> str:
    """The name of the release that is meant."""
    names = dist.chain()
    marks = {current.release: "  (the current one)", **dict.fromkeys(current.withdrawn, "  (rolled back from)")}
    known = "".join(f"\n    {name}{marks.get(name, '')}" for name in names)
    if not wanted:
        before = [name for name in current.retained if name in names and name not in current.withdrawn]
        if not before:
            told = f" Those that are kept:{known}" if len(names) > 1 else ""
            raise PublishError(f"no release before {current.release} is kept, to go back to.{told}")
        return before[0]
    found = [name for name in names if name == wanted] or [name for name in names if name.startswith(wanted)]
    if len(found) != 1:
        problem = "is the beginning of several releases" if found else "is no release that is kept"
        raise PublishError(f"{wanted} {problem}. Those that are kept:{known}")
    return found[0]


def _rolled_back(current: Manifest, target: Manifest) -> Manifest:
    """``target`` with what it retains; those that were current after it are withdrawn, if this is a way back."""
    others = [name for name in (current.release, *current.retained) if name != target.release]
    withdrawn = set(current.withdrawn)
    if target.release not in withdrawn:
        withdrawn.update(others[: 1 + current.retained.index(target.release)])
    return retaining(target, others, withdrawn)


def _refuse_exposure(dist: Dist, current: Manifest, target: Manifest) -> None:
    """Refuse to make public again what became private since, whether its path tells or its bytes do."""
    exposed: list[str] = []
    judged: set[str] = set()
    public = {asset.sha256 for asset in current.assets.values()}
    secret = {asset.sha256 for asset in current.private.values()} - public
    names = current.retained[: current.retained.index(target.release)]
    for release in (current, *(manifests.load(dist.record(name)) for name in names)):
        # The latest word on a path counts.
        exposed += [path for path in release.private if path in target.assets and path not in judged]
        judged |= release.private.keys() | release.assets.keys()
    exposed += [path for path, asset in target.assets.items() if asset.sha256 in secret and path not in exposed]
    if exposed:
        shown = "".join(f"\n    {path}" for path in exposed[:_SHOWN])
        more = f"\n    … and {len(exposed) - _SHOWN} more" if len(exposed) > _SHOWN else ""
        raise PublishError(
            f"release {target.release} would make public what is private now:{shown}{more}\n"
            "Nothing was changed. Build the sources of then with the private roots of now instead."
        )


def _refuse_broken(dist: Dist, told: Told) -> None:
    name = told.release.release
    if (missing := dist.lacks(name)) is not None:
        raise PublishError(
            f"{dist.folder}{missing}: the file is missing or cut short, so release {name} is not whole. Nothing was "
            "changed. Restore it from a copy, or choose another release (`assetpipe releases` lists them)."
        )
    for copy, file in told.copies.items():
        for other in told.release.retained:
            held = (dist.told(other) or told).files.get(copy)
            if held is not None and held.sha256 != told.files[file].sha256:
                raise PublishError(
                    f"{copy.removeprefix(f'/{PUBLIC}')}: release {other} has promised, by `tagged`, that its bytes "
                    f"never change, but release {name} has others. Nothing was changed. Build the sources of then."
                )


def _pruned(dist: Dist, told: Told, doomed: Doomed) -> Pruned:
    sizes = {path: size for path in doomed.files if (size := dist.size(path)) is not None}
    named = {*told.files, *told.copies}
    for other in dist.all_told():
        named.update(other.files, other.copies)
    foreign = (path for path in _files_in(dist.folder) if path not in named and not _is_record(dist, path))
    return Pruned(
        tuple(name for name in doomed.records if "." not in name),
        tuple(path[1:] for path in sizes),
        sum(sizes.values()),
        tuple(sorted(path[1:] for path in foreign)),
    )


def _is_record(dist: Dist, path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder == f"/{RELEASES}" and name.endswith(".json") and dist.told(name.removesuffix(".json")) is not None


def _files_in(folder: Path) -> Iterator[str]:
    """All files of the areas, by their path below ``folder`` with a slash before."""
    for area in (PUBLIC, PRIVATE, RELEASES):
        for parent, _, names in os.walk(folder / area):
            below = Path(parent).relative_to(folder).as_posix()
            yield from (f"/{below}/{name}" for name in names)


def _time(nanoseconds: int | None) -> datetime | None:
    return None if nanoseconds is None else datetime.fromtimestamp(nanoseconds // 10**9, UTC)
