"""From linked sources to a manifest: an asset each, and where the bytes of its files lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetpipe import manifest, media
from assetpipe.errors import Problem, Severity
from assetpipe.manifest import Asset, Encoding, Manifest, Rendition
from assetpipe.paths import Digest, LogicalPath, resolve

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from assetpipe.config import Config
    from assetpipe.link import Linked
    from assetpipe.sources import Source
    from assetpipe.store import Blob, Result, Store


class Folder:
    """Folds what was made of each source into the manifest; an asset that stays as it was stays the same object."""

    def __init__(self, config: Config, store: Store, prefixes: tuple[str, ...]) -> None:
        self.config = config
        self.store = store
        self.prefixes = prefixes
        self.assets: dict[str, Asset] = {}
        self.private: dict[str, Asset] = {}
        self.files: dict[str, Blob] = {}
        self.problems: list[Problem] = []
        # What the release's id was made of; and the files of each asset, below dist.
        self._told: dict[str, tuple[Asset, bytes]] = {}
        self._files: dict[LogicalPath, dict[str, Blob]] = {}

    def remove(self, path: LogicalPath) -> None:
        """Forget an asset."""
        self._files.pop(path, None)
        self.assets.pop(path, None)
        self.private.pop(path, None)

    def put(
        self, source: Source, linked: Linked, final: Blob, encoded: Mapping[str, Blob], rendered: Result | None
    ) -> None:
        """Tell one asset for the manifest, and its files for the publisher."""
        path = source.path
        area = f"/{manifest.PRIVATE if source.private else manifest.PUBLIC}"
        files = {area + linked.file: final}
        for coding, blob in encoded.items():
            files[area + linked.file + manifest.CODING_SUFFIXES[coding]] = blob
        renditions = []
        for made in rendered.made if rendered else ():
            url = path.tagged(Digest(made.digest).tag, suffix=f".{made.facts['format']}")
            files[area + url] = self.store.blob(made)
            renditions.append(
                Rendition(
                    url=url,
                    type=media.media_type(url),
                    size=made.size,
                    sha256=made.digest,
                    width=int(made.facts["width"]),
                    height=int(made.facts["height"]),
                    negotiated=bool(made.facts["negotiated"]),
                    thumbnail=str(made.facts["thumbnail"]),
                )
            )
        media_type = media.media_type(path.name)
        seen = rendered.facts if rendered else {}
        asset = Asset(
            url=linked.url,
            type=media_type,
            size=final.size,
            sha256=final.digest,
            encodings={coding: Encoding(blob.size, blob.digest) for coding, blob in encoded.items()},
            renditions=tuple(renditions),
            refs=linked.refs,
            imports=linked.imports if media_type.startswith(("text/css", "text/javascript")) else (),
            width=int(seen.get("width", 0)),
            height=int(seen.get("height", 0)),
            placeholder=str(seen.get("placeholder", "")),
            metadata=tuple(str(seen.get("metadata", "")).split()),
            immutable=source.naming == "kept",
            file="" if linked.file == linked.url else linked.file,
        )
        self._files[path] = files
        name = str(path)
        held, other = (self.private, self.assets) if source.private else (self.assets, self.private)
        other.pop(name, None)
        if held.get(name) != asset:
            held[name] = asset

    def manifest(self, sources: Mapping[LogicalPath, Source], aliases: Mapping[LogicalPath, LogicalPath]) -> Manifest:
        """The manifest of all that was put; what is wrong with it as a whole is in ``problems``."""
        self.problems = []
        self.files = {}
        for path, files in self._files.items():
            for file, blob in files.items():
                if self.files.setdefault(file, blob).digest != blob.digest:
                    self.problems.append(_two_outputs(file, sources[path].shown))
        imports = self._imports(aliases, self.assets)
        told = Manifest(
            format=manifest.FORMAT,
            release=manifest.release_id(self.assets, self.prefixes, imports, self.private, self._told),
            prefixes=self.prefixes,
            imports=imports,
            assets=dict(self.assets),
            private=dict(self.private),
        )
        copied: dict[str, Blob] = {}
        for asset in told.assets.values():
            for copy, file in manifest.asset_copies(asset).items():
                blob = self.files[file]
                if any(held.get(copy, blob).digest != blob.digest for held in (self.files, copied)):
                    self.problems.append(_two_outputs(copy))
                copied[copy] = blob
        return told

    def _imports(self, aliases: Mapping[LogicalPath, LogicalPath], assets: Collection[str]) -> dict[str, str]:
        """The configured imports in logical paths of assets, or of folders; one that leads nowhere is a warning."""
        told = {}
        for specifier, path in self.config.imports.items():
            if path.endswith("/"):
                told[specifier] = (resolve(LogicalPath("/x"), path + "x") or path + "x")[:-1]
            else:
                meant = resolve(LogicalPath("/x"), path)
                told[specifier] = path if meant is None else aliases.get(meant, meant)
            path = told[specifier]
            if not any(asset.startswith(path) if path.endswith("/") else asset == path for asset in assets):
                self.problems.append(
                    Problem(
                        kind="missing-import",
                        severity=Severity.WARNING,
                        text=f'imports."{specifier}": there is no file {path}{"…" if path.endswith("/") else ""}',
                        file=self.config.origin.name if self.config.origin else "",
                        hint="Name a file of one of the public roots, or take the entry out.",
                    )
                )
        return told


def _two_outputs(path: str, file: str = "") -> Problem:
    return Problem(
        kind="two-outputs",
        severity=Severity.ERROR,
        text=f"two outputs at one path: {path[path.index('/', 1) :]}",
        file=file,
        hint="Rename the file: it has the name that another file is published under.",
    )
