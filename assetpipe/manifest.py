"""What a release is, as one value: the only thing that passes from the build to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Struct

from assetpipe.errors import ManifestError
from assetpipe.paths import Digest, LogicalPath, rooted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
MANIFEST = "manifest.json"
RELEASES = "releases"
PUBLIC = "public"
PRIVATE = "private"
# Held by `assetpipe watch` (a lock, see ``locks``) as long as it keeps dist up to date with the sources.
WATCH = ".watch"
# Written by it while errors are in the way of the next release, for whoever shows them.
PROBLEMS = ".problems.json"
# The suffix that the file of an encoding has on disk: those that nginx and Caddy look for.
CODING_SUFFIXES = {"br": ".br", "gzip": ".gz", "zstd": ".zst"}
# What file systems allow, in bytes.
_NAME_MAX = 255


# It becomes a file name.
ReleaseId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]+$")]


class Encoding(Struct, frozen=True):
    """The same bytes in a content-coding. ``size`` in bytes."""

    size: int
    sha256: str


class Rendition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another picture made from an image; ``negotiated`` ones also answer on the image's own URL, through Accept.

    ``thumbnail`` names the set that it belongs to where that is not the image's own: it may show less of it.
    """

    url: str
    type: str
    size: int
    sha256: str
    width: int
    height: int
    negotiated: bool = False
    thumbnail: str = ""


class Asset(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one source became.

    ``url`` is decoded, as logical paths are. ``immutable`` says that a URL equal to the logical path never changes its
    bytes either (another bundler named it). ``file`` is where the bytes lie below ``dist/public`` when that is not the
    URL itself: a plain file's bytes change under one URL, and older releases must keep theirs. No URL leads to a
    private asset: its ``url`` is its logical path, and its files lie below ``dist/private``.
    ``refs`` are the logical paths of all that it refers to; ``imports`` of the modules that a module imports
    statically, or the sheets that a sheet imports, in their order there: what it needs before it can run.
    ``width`` and ``height`` are in pixels as displayed. ``placeholder`` is for pages to show until the image is there:
    a color (``#a1b2c3``), or a few pixels as a ``data:`` URL. ``metadata`` is what else its bytes tell: "position"
    (where it was taken), "exif" and so on.
    """

    url: str
    type: str
    size: int
    sha256: str
    encodings: dict[str, Encoding] = {}
    renditions: tuple[Rendition, ...] = ()
    refs: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    placeholder: str = ""
    metadata: tuple[str, ...] = ()
    immutable: bool = False
    file: str = ""

    @property
    def stored(self) -> str:
        """Where the bytes lie below the folder of its area."""
        return self.file or self.url


class Manifest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One release: every asset by its logical path.

    ``prefixes`` are the URL prefixes that it answers for; ``retained`` the ids of the other releases whose URLs are
    still served, the one that was current last first; ``withdrawn`` those of them that were rolled back from.
    ``imports`` says what bare module specifiers stand for, in logical paths. ``private`` are the assets that no URL
    leads to, by logical path: an application hands them out.
    """

    format: int
    release: ReleaseId
    retained: tuple[ReleaseId, ...] = ()
    prefixes: tuple[str, ...] = ()
    imports: dict[str, str] = {}
    assets: dict[str, Asset]
    private: dict[str, Asset] = {}
    withdrawn: tuple[ReleaseId, ...] = ()

    @property
    def areas(self) -> tuple[tuple[str, dict[str, Asset]], ...]:
        """The folders below ``dist``, with a slash before, and the assets whose files lie there."""
        return (f"/{PUBLIC}", self.assets), (f"/{PRIVATE}", self.private)

    def dump(self) -> bytes:
        """Encode as UTF-8 JSON with sorted keys: equal manifests are equal bytes."""
        return msgspec.json.encode(self, order="sorted", enc_hook=str) + b"\n"


class Diff(Struct, frozen=True):
    """What differs between two releases, as logical paths in order."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def release_id(
    assets: Mapping[str, Asset],
    prefixes: tuple[str, ...],
    imports: Mapping[str, str] | None = None,
    private: Mapping[str, Asset] | None = None,
    known: dict[str, tuple[Asset, bytes]] | None = None,
) -> str:
    """Digest what is answered, content-codings aside: another build of zlib must not make another release.

    ``known`` spares telling an asset again that is the same object as the last time.
    """
    known = {} if known is None else known
    parts = [msgspec.json.encode(prefixes), _answers(assets, known)]
    if imports:
        parts.append(msgspec.json.encode(sorted(imports.items()), enc_hook=str))
    if private:
        parts.append(b'{"%b":%b}' % (PRIVATE.encode(), _answers(private, known)))
    return Digest.of(b"[%b]" % b",".join(parts)).tag


def _answers(assets: Mapping[str, Asset], known: dict[str, tuple[Asset, bytes]]) -> bytes:
    told = []
    for path in sorted(assets):
        asset = assets[path]
        held = known.get(path)
        if held is None or held[0] is not asset:
            held = known[path] = asset, _answer(path, asset)
        told.append(held[1])
    return b"[%b]" % b",".join(told)


def _answer(path: str, a: Asset) -> bytes:
    renditions = [
        (r.url, r.type, r.sha256, r.negotiated, *((r.thumbnail,) if r.thumbnail else ())) for r in a.renditions
    ]
    told = (path, a.url, a.type, a.sha256, a.immutable, renditions)
    # What pages hold is told, too, where there is any: it is a part of what a release shows.
    return msgspec.json.encode((*told, a.placeholder) if a.placeholder else told, enc_hook=str)


def import_map(manifest: Manifest) -> dict[str, dict[str, str]]:
    """The release's imports as a page's import map (HTML section 8.1.5.2), ready to be written as JSON.

    A prefix names each module below it, since each has a tag of its own.
    """
    told: dict[str, str] = {}
    for specifier, path in sorted(manifest.imports.items(), key=lambda entry: len(entry[0])):
        if not specifier.endswith("/"):
            if path in manifest.assets:
                told[specifier] = rooted(LogicalPath(manifest.assets[path].url))
            continue
        for name, asset in manifest.assets.items():
            if name.startswith(path) and asset.type.startswith("text/javascript"):
                told[specifier + name[len(path) :]] = rooted(LogicalPath(asset.url))
    exact = {specifier: told[specifier] for specifier in manifest.imports if specifier in told}
    return {"imports": dict(sorted({**told, **exact}.items()))}


def diff(old: Manifest | None, new: Manifest) -> Diff:
    """Compare what two releases answer; codings aside."""
    before, after = ({} if one is None else _by_path(one) for one in (old, new))
    return Diff(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(path for path in after if path in before and _differ(before[path], after[path]))),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


def _by_path(release: Manifest) -> dict[str, tuple[str, Asset]]:
    return {path: (area, asset) for area, assets in release.areas for path, asset in assets.items()}


def _differ(one: tuple[str, Asset], other: tuple[str, Asset]) -> bool:
    """What tells the assets of one release from those of another; a file that becomes private changes."""
    (area, old), (other_area, new) = one, other
    return area != other_area or (old is not new and (old.url, old.sha256) != (new.url, new.sha256))


def load(file: Path) -> Manifest:
    """Read a manifest.

    Raises ManifestError where it is missing, damaged, or of a format that this version does not know.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise ManifestError(
            f"{file}: there is no manifest. Run `assetpipe build`, or `flask assets build` for a Flask app."
        ) from error
    except OSError as error:
        raise ManifestError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(f"{file}: not a manifest: {error}. Run the build again.") from error
    if manifest.format != FORMAT:
        raise ManifestError(
            f"{file}: format {manifest.format} is not known to this version (it knows {FORMAT}). "
            "Build with the version of assetpipe that serves."
        )
    return manifest


def files(manifest: Manifest) -> dict[str, Encoding]:
    """Every file that the release is answered from, by its path below ``dist`` ("/public/…"): its size and SHA-256.

    Raises ManifestError where a path could lead out of its area: such a manifest is not ours.
    """
    told: dict[str, Encoding] = {}
    try:
        for area, assets in manifest.areas:
            for asset in assets.values():
                told.update(asset_files(area, asset))
    except ValueError as error:
        raise ManifestError(
            f"the manifest of release {manifest.release} names a file outside of dist: {error}"
        ) from error
    return told


def asset_files(area: str, asset: Asset) -> dict[str, Encoding]:
    """The files of one asset of an area, as ``files`` tells them. Raises ValueError where a path could lead out."""
    if asset.file:
        LogicalPath(asset.url)
    stored = area + LogicalPath(asset.stored)
    told = {stored: Encoding(asset.size, asset.sha256)}
    for coding, encoding in asset.encodings.items():
        if coding in CODING_SUFFIXES:
            told[stored + CODING_SUFFIXES[coding]] = encoding
    for rendition in asset.renditions:
        told[area + LogicalPath(rendition.url)] = Encoding(rendition.size, rendition.sha256)
    return told


def plain_copies(manifest: Manifest) -> dict[str, str]:
    """The files that exist for other servers only: the path of a plain URL's file, and the file it is a copy of.

    Both as paths below ``dist``. A private file has no such copy: no server may find it.
    """
    told: dict[str, str] = {}
    for asset in manifest.assets.values():
        told.update(asset_copies(asset))
    return told


def asset_copies(asset: Asset) -> dict[str, str]:
    """The plain copies of one public asset, as ``plain_copies`` tells them: that of the file itself first.

    Where a file name has no room for a coding's suffix, there is no such copy.
    """
    if not asset.file:
        return {}
    copies = {f"/{PUBLIC}{asset.url}{suffix}": f"/{PUBLIC}{asset.file}{suffix}" for suffix in ("", *suffixes(asset))}
    return {copy: file for copy, file in copies.items() if len(copy.rpartition("/")[2].encode()) <= _NAME_MAX}


def suffixes(asset: Asset) -> list[str]:
    """The suffixes of an asset's encodings on disk; codings that this version does not know have none."""
    return [CODING_SUFFIXES[coding] for coding in asset.encodings if coding in CODING_SUFFIXES]
