"""What there is to say of a release, as one value.

1. ``read`` the current release, the one to compare it with, and what the last build did.
2. ``gather`` a Report of these: a pure function.

``tables`` and ``page`` only lay a Report out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from assetpipe import manifest as manifests
from assetpipe import media
from assetpipe.errors import ConfigError, ManifestError
from assetpipe.manifest import MANIFEST, RELEASES, Manifest
from assetpipe.report import history

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from assetpipe.manifest import Asset

# What saves less than this part of its bytes is told among the worst compressed.
LITTLE = 0.2
# What fits into one packet of a network (an Ethernet frame without its headers) is as fast whatever is saved of it.
PACKET = 1400
# The order in which codings are told, before image formats.
_CODINGS = ("gzip", "br", "zstd")
# What renditions of the same size are made of, whatever the formats are.
_CONVERTIBLE = ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff")


class Entry(Struct, frozen=True):
    """One asset. ``bytes`` are those of its file as it is published, uncoded.

    ``ways`` are the others in which its URL answers, with their bytes: by coding (``br``), or by image format
    (``webp``). A client that takes all of them is ``sent`` the fewest bytes, in the way ``way`` (empty: as it is).
    """

    path: str
    type: str
    bytes: int
    ways: dict[str, int]
    sent: int
    way: str
    private: bool

    @property
    def less(self) -> float:
        """The part of its bytes that need not be sent."""
        return less(self.bytes, self.sent)


class Sizes(Struct, frozen=True):
    """Several assets of one kind, which ``name`` says.

    ``ways`` say what a client downloads of them all that takes this one coding or image format and no other; ``sent``
    what one does that takes all.
    """

    name: str
    files: int
    bytes: int
    ways: dict[str, int]
    sent: int


class Way(Struct, frozen=True):
    """A coding or image format: how many files there are in it, and their bytes before and after."""

    name: str
    files: int
    before: int
    after: int


class Weak(Struct, frozen=True):
    """An asset that hardly gets smaller although its type should, and what is known of the cause."""

    path: str
    type: str
    bytes: int
    sent: int
    why: str


class Duplicate(Struct, frozen=True):
    """Equal bytes under several paths: those of one of them, and those that the others waste."""

    paths: tuple[str, ...]
    bytes: int
    wasted: int


class Telling(Struct, frozen=True):
    """An image that is published with more than the picture in it: ``metadata`` are "position", "exif" and so on."""

    path: str
    type: str
    metadata: tuple[str, ...]


class Change(Struct, frozen=True):
    """What became of one asset. Before it was there, and after it is gone, it has 0 bytes."""

    path: str
    before: int
    after: int
    sent_before: int
    sent_after: int


class Changes(Struct, frozen=True):
    """What differs from the release ``since``, each list with the largest differences in what is sent first."""

    since: str
    before: Sizes
    added: tuple[Change, ...]
    changed: tuple[Change, ...]
    removed: tuple[Change, ...]


class Spent(Struct, frozen=True):
    """All the jobs of one tool, and their seconds together (of which several may run at once)."""

    tool: str
    jobs: int
    seconds: float


class Report(Struct, frozen=True):
    """All there is to say of a release: what ``assetpipe report --json`` prints. More members may come; these stay.

    ``release`` is its id; ``stored`` the bytes of all its files in dist, encodings and renditions included. ``total``
    is the sum of its assets, ``types`` the sums by media type, ``ways`` the codings and image formats. ``assets`` are
    all of them, those that most bytes are sent of first. ``weak`` are those that hardly get smaller (the most bytes
    first), ``duplicates`` those with equal bytes (the most wasteful first), ``telling`` the images with metadata (those
    that tell where they were taken first). ``changes`` is null where there is no
    release to compare with, ``build`` where what the last build did is not known or was of another release: its jobs,
    slowest first, and its reasons; ``tools`` are the sums of these jobs. ``notes`` say what is missing here, and why.
    """

    release: str
    stored: int
    total: Sizes
    types: tuple[Sizes, ...]
    ways: tuple[Way, ...]
    assets: tuple[Entry, ...]
    weak: tuple[Weak, ...]
    duplicates: tuple[Duplicate, ...]
    telling: tuple[Telling, ...]
    changes: Changes | None
    build: history.LastBuild | None
    tools: tuple[Spent, ...]
    notes: tuple[str, ...]


class Given(Struct, frozen=True):
    """What a report is made of; ``notes`` say what of it could not be had."""

    current: Manifest
    previous: Manifest | None = None
    build: history.LastBuild | None = None
    notes: tuple[str, ...] = ()


def read(dist: Path, cache: Path, since: str = "") -> Given:
    """The current release of ``dist``, the one before it (or the kept one whose id begins with ``since``), the build.

    Raises ManifestError where there is no current release, ConfigError where no kept one is called ``since``.
    """
    current = manifests.load(dist / MANIFEST)
    notes = []
    previous = None
    if since or current.retained:
        identity = _kept(current, since) if since else current.retained[0]
        try:
            previous = manifests.load(dist / RELEASES / f"{identity}.json")
        except ManifestError as error:
            if since:
                raise
            notes.append(f"What changed since release {identity} is not known. {error}")
    else:
        notes.append("There is no earlier release to compare with: the next one will be compared with this one.")
    build = history.recall(cache)
    if build is None:
        notes.append(
            f"How long the build took and why is not known: there is no {cache / history.FILE}. "
            "The next build that has something to do writes it."
        )
    elif build.release != current.release:
        notes.append(
            f"How long the build took and why is not known: the last build here was of release {build.release}."
        )
        build = None
    return Given(current, previous, build, tuple(notes))


def _kept(current: Manifest, since: str) -> str:
    kept = current.retained
    found = [since] if since in kept else [identity for identity in kept if identity.startswith(since)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"--since {since}: that may be any of {', '.join(found)}. Write more of the id.")
    told = f"Kept are {', '.join(kept)}" if kept else "None is kept beside the current one"
    raise ConfigError(f"--since {since}: no such release is kept. {told}.")


def gather(given: Given) -> Report:
    """Make the report. Raises ManifestError where a manifest names files outside of dist."""
    current = given.current
    stored = {**manifests.files(current), **_copies(current)}
    entries = sorted(_entries(current), key=lambda entry: (-entry.sent, entry.path))
    ways = _ways(entries)
    names = [way.name for way in ways]
    by_type: dict[str, list[Entry]] = {}
    for entry in entries:
        by_type.setdefault(entry.type, []).append(entry)
    types = [_sizes(name, held, names) for name, held in by_type.items()]
    build = given.build
    if build is not None:
        build = replace(build, work=tuple(sorted(build.work, key=lambda job: (-job.seconds, job.path, job.tool))))
    return Report(
        release=current.release,
        stored=sum(encoding.size for encoding in stored.values()),
        total=_sizes("all", entries, names),
        types=tuple(sorted(types, key=lambda sizes: (-sizes.sent, sizes.name))),
        ways=tuple(ways),
        assets=tuple(entries),
        weak=tuple(_weak(entries, names)),
        duplicates=tuple(_duplicates(current)),
        telling=tuple(_telling(current)),
        changes=None if given.previous is None else _changes(given.previous, current, names),
        build=build,
        tools=tuple(_tools(build)),
        notes=(*given.notes, *_unused(entries, names)),
    )


def less(before: int, after: int) -> float:
    """The part of ``before`` that is saved; below 0 where ``after`` is more."""
    return (before - after) / before if before else 0.0


def image_format(media_type: str) -> str:
    """What an image's media type is called among the ways: ``webp``."""
    return media_type.removeprefix("image/")


def _copies(release: Manifest) -> dict[str, manifests.Encoding]:
    """The files under plain names that only other servers read."""
    stated = manifests.files(release)
    return {copy: stated[file] for copy, file in manifests.plain_copies(release).items()}


def _entries(release: Manifest) -> Iterable[Entry]:
    for area, assets in release.areas:
        for path, asset in assets.items():
            yield _entry(path, asset, private=area == f"/{manifests.PRIVATE}")


def _entry(path: str, asset: Asset, *, private: bool) -> Entry:
    ways = {coding: encoding.size for coding, encoding in asset.encodings.items()}
    for rendition in asset.renditions:
        if rendition.negotiated:
            ways[image_format(rendition.type)] = rendition.size
    sent, way = min([(asset.size, ""), *((count, way) for way, count in ways.items())])
    return Entry(path, asset.type.partition(";")[0], asset.size, ways, sent, way, private)


def _ways(entries: Iterable[Entry]) -> list[Way]:
    sums: dict[str, list[int]] = {}
    for entry in entries:
        for way, after in entry.ways.items():
            held = sums.setdefault(way, [0, 0, 0])
            held[0] += 1
            held[1] += entry.bytes
            held[2] += after
    order = [*_CODINGS, *sorted(sums.keys() - set(_CODINGS))]
    return [Way(name, *sums[name]) for name in order if name in sums]


def _sizes(name: str, entries: Iterable[Entry], ways: Iterable[str]) -> Sizes:
    held = list(entries)
    return Sizes(
        name=name,
        files=len(held),
        bytes=sum(entry.bytes for entry in held),
        ways={way: sum(entry.ways.get(way, entry.bytes) for entry in held) for way in ways},
        sent=sum(entry.sent for entry in held),
    )


def _weak(entries: Iterable[Entry], ways: Iterable[str]) -> Iterable[Weak]:
    """What should get smaller and hardly does; in the order of the entries, so what is sent most of comes first."""
    codes = any(way in _CODINGS for way in ways)
    converts = any(way not in _CODINGS for way in ways)
    for entry in entries:
        convertible = entry.type in _CONVERTIBLE and converts
        unknown = entry.type == media.OCTET_STREAM and codes
        if entry.bytes <= PACKET or not (convertible or unknown or (media.is_compressible(entry.type) and codes)):
            continue
        if entry.less >= LITTLE:
            continue
        if entry.way:
            why = f"{entry.way} saves only {100 * entry.less:.0f} %"
        elif unknown:
            why = "its type is not known, so nothing is tried"
        else:
            why = "it has no smaller rendition" if convertible else "no coding saves 5 %"
        yield Weak(entry.path, entry.type, entry.bytes, entry.sent, why)


def _unused(entries: Iterable[Entry], ways: Iterable[str]) -> Iterable[str]:
    """What the configuration leaves undone, told once and not of every asset."""
    held = list(entries)
    if not any(way in _CODINGS for way in ways) and any(media.is_compressible(entry.type) for entry in held):
        yield "Nothing is compressed in this release: [tool.assetpipe.compress] encodings or the profile asks for none."
    if not any(way not in _CODINGS for way in ways) and any(entry.type in _CONVERTIBLE for entry in held):
        yield "No image has a rendition in this release: [tool.assetpipe.images] formats or the profile asks for none."


def _duplicates(release: Manifest) -> list[Duplicate]:
    by_digest: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    for _, assets in release.areas:
        for path, asset in assets.items():
            by_digest.setdefault(asset.sha256, []).append(path)
            sizes[asset.sha256] = asset.size
    found = [
        Duplicate(tuple(sorted(paths)), sizes[digest], sizes[digest] * (len(paths) - 1))
        for digest, paths in by_digest.items()
        if len(paths) > 1 and sizes[digest]
    ]
    return sorted(found, key=lambda one: (-one.wasted, one.paths))


def _telling(release: Manifest) -> list[Telling]:
    found = [
        Telling(path, asset.type, asset.metadata)
        for _, assets in release.areas
        for path, asset in assets.items()
        if asset.metadata
    ]
    return sorted(found, key=lambda one: ("position" not in one.metadata, one.path))


def _changes(previous: Manifest, current: Manifest, ways: Iterable[str]) -> Changes:
    before, after = ({entry.path: entry for entry in _entries(release)} for release in (previous, current))
    diff = manifests.diff(previous, current)

    def told(paths: Iterable[str]) -> tuple[Change, ...]:
        changes = []
        for path in paths:
            old, new = before.get(path), after.get(path)
            changes.append(
                Change(
                    path=path,
                    before=old.bytes if old else 0,
                    after=new.bytes if new else 0,
                    sent_before=old.sent if old else 0,
                    sent_after=new.sent if new else 0,
                )
            )
        return tuple(sorted(changes, key=lambda one: (-abs(one.sent_after - one.sent_before), one.path)))

    return Changes(
        since=previous.release,
        before=_sizes("all", before.values(), ways),
        added=told(diff.added),
        changed=told(diff.changed),
        removed=told(diff.removed),
    )


def _tools(build: history.LastBuild | None) -> list[Spent]:
    sums: dict[str, list[float]] = {}
    for job in build.work if build else ():
        sums.setdefault(job.tool, []).append(job.seconds)
    spent = [Spent(tool, len(seconds), sum(seconds)) for tool, seconds in sums.items()]
    return sorted(spent, key=lambda one: (-one.seconds, one.tool))
