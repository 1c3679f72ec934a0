"""What every URL of the kept releases answers, ready to be looked up. Pure: it reads no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.manifest import CODING_SUFFIXES, Asset, Encoding, Manifest, Rendition
from assetpipe.paths import Digest

if TYPE_CHECKING:
    from collections.abc import Sequence

Headers = list[tuple[str, str]]
_IMMUTABLE = "public, max-age=31536000, immutable"  # RFC 8246
_REVALIDATE = "no-cache"


class Representation(Struct, frozen=True):
    """One body that a URL can answer with, and the headers that go with it.

    ``coding`` is ``identity`` for none. ``file`` is its path below ``dist/public``, ``size`` its length in bytes.
    ``validators`` are the headers of a 304; ``headers`` those of a 200, Content-Length included.
    """

    media_type: str
    coding: str
    file: str
    size: int
    etag: str
    validators: Headers
    headers: Headers


class Resource(Struct, frozen=True):
    """What one URL names: its representations, the original first, and whether type or coding are negotiated."""

    representations: tuple[Representation, ...]
    negotiates_type: bool
    negotiates_coding: bool
    vary: str


class Table:
    """Maps the URL paths of a release, and of the older ones that it retains, to resources.

    A resource is put together when it is first asked for, so that a start costs little more than reading the manifest;
    two threads that do so at once make the same.
    """

    def __init__(self, manifest: Manifest, retained: Sequence[Manifest] = ()) -> None:
        self.manifest = manifest
        # "/" is shared with the application: a URL there that names nothing is the application's to answer.
        self.prefixes = tuple(prefix for prefix in manifest.prefixes if prefix != "/")
        self._immutable: dict[str, Asset | Rendition] = {}
        for release in (*reversed(retained), manifest):
            assets = release.assets
            self._immutable.update({a.url: a for path, a in assets.items() if a.url != path or a.immutable})
            self._immutable.update({r.url: r for a in assets.values() if a.renditions for r in a.renditions})
        self._resources: dict[str, Resource] = {}

    def url(self, path: str) -> str | None:
        """The URL path of the asset at a logical path."""
        asset = self.manifest.assets.get(path)
        return None if asset is None else asset.url

    def lookup(self, path: str) -> Resource | None:
        """The resource at a decoded URL path."""
        resource = self._resources.get(path)
        if resource is None:
            asset = self.manifest.assets.get(path)
            named = self._immutable.get(path)
            # What the current release calls plain is plain, whatever an older one promised.
            if asset is not None and (named is None or (asset.url == path and not asset.immutable)):
                resource = _resource(asset, _REVALIDATE)
            elif named is not None:
                resource = _resource(named, _IMMUTABLE)
            else:
                return None
            self._resources[path] = resource
        return resource

    def covers(self, path: str) -> bool:
        """Whether nobody else answers below this path, so that a name unknown there is a 404."""
        return path.startswith(self.prefixes)


def _resource(named: Asset | Rendition, cache_control: str) -> Resource:
    renditions = [r for r in named.renditions if r.negotiated] if isinstance(named, Asset) else []
    encodings = {c: e for c, e in named.encodings.items() if c in CODING_SUFFIXES} if isinstance(named, Asset) else {}
    vary = ", ".join(field for field, needed in (("Accept", renditions), ("Accept-Encoding", encodings)) if needed)
    stored = named.stored if isinstance(named, Asset) else named.url
    identity = Encoding(named.size, named.sha256)
    representations = [
        _representation(named.type, "identity", stored, identity, cache_control, vary),
        *(
            _representation(named.type, coding, stored + CODING_SUFFIXES[coding], encoding, cache_control, vary)
            for coding, encoding in encodings.items()
        ),
        *(
            _representation(r.type, "identity", r.url, Encoding(r.size, r.sha256), cache_control, vary)
            for r in renditions
        ),
    ]
    return Resource(tuple(representations), bool(renditions), bool(encodings), vary)


def _representation(
    media_type: str, coding: str, file: str, encoding: Encoding, cache_control: str, vary: str
) -> Representation:
    etag = Digest(encoding.sha256).etag
    validators = [("Cache-Control", cache_control), ("ETag", etag), ("X-Content-Type-Options", "nosniff")]
    if vary:
        validators.append(("Vary", vary))
    if media_type.startswith("font/") or media_type == "application/vnd.ms-fontobject":
        # Fonts are fetched in CORS mode (CSS Fonts section 4.9), from a CDN's host across origins.
        validators.append(("Access-Control-Allow-Origin", "*"))
    headers = [*validators, ("Content-Type", media_type), ("Accept-Ranges", "bytes")]
    if coding != "identity":
        headers.append(("Content-Encoding", coding))
    headers.append(("Content-Length", str(encoding.size)))
    return Representation(media_type, coding, file, encoding.size, etag, validators, headers)
