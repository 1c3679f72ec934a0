"""What every URL of the kept releases answers, ready to be looked up. Pure: it reads no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetpipe.manifest import CODING_SUFFIXES, PRIVATE, PUBLIC, Asset, Manifest, Rendition
from assetpipe.paths import Digest
from assetpipe.serve import resource
from assetpipe.serve.resource import Resource, Source, Terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Table:
    """Maps the URL paths of a release, and of the older ones that it retains, to resources.

    A resource is put together when it is first asked for, so that a start costs little more than reading the manifest;
    two threads that do so at once make the same. With ``cors``, other origins' scripts may read every asset: what a
    CDN hands on must say so.
    """

    def __init__(self, manifest: Manifest, retained: Sequence[Manifest] = (), *, cors: bool = False) -> None:
        self.manifest = manifest
        self.cors = cors
        # "/" is shared with the application: a URL there that names nothing is the application's to answer.
        self.prefixes = tuple(prefix for prefix in manifest.prefixes if prefix != "/")
        # By URL: the logical path, and what lies there.
        self._immutable: dict[str, tuple[str, Asset | Rendition]] = {}
        # What became private is so for all older releases, too, even when it is gone by now; unless it is public again.
        hidden: set[str] = set()
        for release in (manifest, *retained):
            hidden |= release.private.keys() - manifest.assets.keys()
            for path, asset in release.assets.items():
                if path in hidden:
                    continue
                if asset.url != path or asset.immutable:
                    self._immutable.setdefault(asset.url, (path, asset))
                for rendition in asset.renditions:
                    self._immutable.setdefault(rendition.url, (path, rendition))
        self._resources: dict[str, Resource] = {}
        self._private: dict[str, Resource] = {}

    def url(self, path: str) -> str | None:
        """The URL path of the asset at a logical path."""
        asset = self.manifest.assets.get(path)
        return None if asset is None else asset.url

    def lookup(self, path: str) -> Resource | None:
        """The resource at a decoded URL path."""
        return self._resources.get(path) or self._find(path)

    def private(self, path: str) -> Resource | None:
        """The private resource at a logical path: no URL leads to it, the application hands it out."""
        found = self._private.get(path)
        if found is None:
            asset = self.manifest.private.get(path)
            if asset is None:
                return None
            terms = Terms(path, asset.type, "private", resource.PRIVATE)
            found = self._private[path] = Resource(_representations(asset, PRIVATE), terms)
        return found

    def covers(self, path: str) -> bool:
        """Whether nobody else answers below this path, so that a name unknown there is a 404."""
        return path.startswith(self.prefixes)

    def _find(self, path: str) -> Resource | None:
        asset = self.manifest.assets.get(path)
        logical, named = self._immutable.get(path, ("", None))
        # What the current release calls plain is plain, whatever an older one promised.
        if asset is not None and (named is None or (asset.url == path and not asset.immutable)):
            named, terms = asset, Terms(path, asset.type, "plain", resource.REVALIDATE, self.cors)
        elif named is not None:
            form: resource.Form = "tagged" if self._is_current(logical, path) else "stale"
            terms = Terms(logical, named.type, form, resource.IMMUTABLE, self.cors)
        else:
            return None
        found = self._resources[path] = Resource(_representations(named, PUBLIC), terms)
        return found

    def _is_current(self, logical: str, url: str) -> bool:
        asset = self.manifest.assets.get(logical)
        return asset is not None and (asset.url == url or any(r.url == url for r in asset.renditions))


def _representations(named: Asset | Rendition, area: str) -> Iterator[tuple[Source, str, str]]:
    """The bytes, media type and coding of each representation, the original's first."""
    stored = f"/{area}{named.stored if isinstance(named, Asset) else named.url}"
    yield _source(named.size, named.sha256, stored), named.type, "identity"
    if isinstance(named, Rendition):
        return
    for coding, encoding in named.encodings.items():
        if coding in CODING_SUFFIXES:
            yield _source(encoding.size, encoding.sha256, stored + CODING_SUFFIXES[coding]), named.type, coding
    for rendition in named.renditions:
        if rendition.negotiated:
            source = _source(rendition.size, rendition.sha256, f"/{area}{rendition.url}")
            yield source, rendition.type, "identity"


def _source(size: int, sha256: str, file: str) -> Source:
    return Source(size, Digest(sha256).etag, file)
