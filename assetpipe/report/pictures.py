"""The pictures whose originals and renditions are worth looking at side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.manifest import PUBLIC
from assetpipe.paths import LogicalPath

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from assetpipe.manifest import Asset, Manifest, Rendition

MOST = 24  # pairs
BUDGET = 8_000_000  # bytes of all of them, as base64
# Of the budget, for one pair: so that a few posters do not leave out all the others.
_PART = 4


class Picture(Struct, frozen=True):
    """Bytes and their media type."""

    type: str
    data: bytes


class Pair(Struct, frozen=True):
    """An image and the rendition of it that most clients get; ``width`` and ``height`` in pixels, as displayed."""

    path: str
    width: int
    height: int
    before: Picture
    after: Picture


def choose(release: Manifest, dist: Path) -> list[Pair]:
    """The pairs that save the most bytes, as far as they fit. What is not in ``dist`` as stated is left out."""
    pairs: list[Pair] = []
    left = BUDGET
    for _, path, asset, after in sorted(_converted(release), key=lambda one: one[:2]):
        need = _as_base64(asset.size) + _as_base64(after.size)
        if len(pairs) == MOST or need > min(left, BUDGET // _PART):
            continue
        one, other = (_read(dist, file, size) for file, size in ((asset.stored, asset.size), (after.url, after.size)))
        if one is not None and other is not None:
            before = Picture(asset.type, one)
            pairs.append(Pair(path, after.width, after.height, before, Picture(after.type, other)))
            left -= need
    return pairs


def _converted(release: Manifest) -> Iterable[tuple[int, str, Asset, Rendition]]:
    """What is saved, as a number below 0, for each public image with a rendition; of several the smallest."""
    for path, asset in release.assets.items():
        smaller = [rendition for rendition in asset.renditions if rendition.negotiated and rendition.width]
        if smaller:
            best = min(smaller, key=lambda rendition: rendition.size)
            yield best.size - asset.size, path, asset, best


def _as_base64(size: int) -> int:
    return (size + 2) // 3 * 4


def _read(dist: Path, url: str, size: int) -> bytes | None:
    try:
        data = (dist / PUBLIC / LogicalPath(url)[1:]).read_bytes()
    except (OSError, ValueError):
        return None
    return data if len(data) == size else None
