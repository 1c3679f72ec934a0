"""Whether what lies in ``dist`` is what its manifests say: the proof that every URL can be answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe import manifest as manifests
from assetpipe.errors import ManifestError, Problem, Severity
from assetpipe.manifest import CODING_SUFFIXES, MANIFEST, RELEASES, Asset, Encoding, Manifest
from assetpipe.paths import Digest
from assetpipe.progress import Observer, Silence
from assetpipe.transforms import encodings

if TYPE_CHECKING:
    from pathlib import Path


_MENDED = "Delete the file if it is there, then build again: what is missing is written."
_LOST = (
    "It belongs to an older release, which a build cannot make again: restore the file from a copy. "
    "Newer releases will take that one's place."
)


class Verified(Struct, frozen=True):
    """How much was checked, and every fault found."""

    releases: int
    files: int
    faults: tuple[Problem, ...]

    @property
    def failed(self) -> bool:
        """Whether some URL cannot be answered rightly."""
        return any(fault.severity is Severity.ERROR for fault in self.faults)


def verify(dist: Path, observer: Observer | None = None) -> Verified:
    """Check every file of every kept release: there, of the stated size and SHA-256, each encoding whole and right.

    Where another release is published meanwhile, it is that one that counts. Raises ManifestError where there is no
    manifest to check against.
    """
    while True:
        verifier = _Verifier(dist)
        verified = verifier.run(observer or Silence())
        # What was pruned in the midst of the check is no fault.
        if not verified.faults or manifests.load(dist / MANIFEST) == verifier.current:
            return verified


class _Verifier:
    """The state of one check: the files seen, and the faults found."""

    def __init__(self, dist: Path) -> None:
        self.dist = dist
        self.current = manifests.load(dist / MANIFEST)
        self.seen: set[tuple[str, Encoding]] = set()
        self.faults: list[Problem] = []
        self.hint = _MENDED

    def run(self, observer: Observer) -> Verified:
        current = self.current
        kept = [current]
        self._check_identity(MANIFEST, current)
        for identity in (current.release, *current.retained):
            file = f"{RELEASES}/{identity}.json"
            try:
                kept.append(manifests.load(self.dist / file))
            except ManifestError as error:
                self._fault(f"/{file}", "release", str(error))
            else:
                self._check_identity(file, kept[-1])
        observer.begin("verifying", sum(len(assets) for release in kept for _, assets in release.areas))
        for release in kept:
            self.hint = _MENDED if release.release == current.release else _LOST
            for area, assets in release.areas:
                for path, asset in assets.items():
                    self._check_asset(f"{path} of release {release.release}", area, asset)
                    observer.step()
        self.hint = _MENDED
        stated = manifests.files(current)
        for copy, file in manifests.plain_copies(current).items():
            self._check_copy(copy, stated[file])
        return Verified(1 + len(current.retained), len({path for path, _ in self.seen}), tuple(self.faults))

    def _check_identity(self, file: str, release: Manifest) -> None:
        identity = manifests.release_id(release.assets, release.prefixes, release.imports, release.private)
        if identity != release.release:
            self._fault(f"/{file}", "release", f"its assets are not those of the release {release.release}")

    def _check_asset(self, path: str, area: str, asset: Asset) -> None:
        stored = area + asset.stored
        self._check_file(stored, Encoding(asset.size, asset.sha256), path)
        for coding, encoding in asset.encodings.items():
            if coding not in CODING_SUFFIXES:
                continue
            file = stored + CODING_SUFFIXES[coding]
            encoded = self._check_file(file, encoding, path)
            if encoded is None:
                continue
            try:
                if Digest.of(encodings.decode(coding, encoded)) != asset.sha256:
                    self._fault(file, "encoding", f"it decodes to other bytes than {stored[1:]}")
            except ValueError as error:
                self._fault(file, "encoding", f"it does not decode: {error}")
        for rendition in asset.renditions:
            self._check_file(area + rendition.url, Encoding(rendition.size, rendition.sha256), path)

    def _check_file(self, path: str, stated: Encoding, asset: str) -> bytes | None:
        """The bytes of a file that is as stated, the first time it comes up; or None, with a fault where it is not."""
        if (path, stated) in self.seen:
            return None
        self.seen.add((path, stated))
        try:
            data = (self.dist / path[1:]).read_bytes()
        except OSError as error:
            self._fault(path, "missing", f"it cannot be read ({error.strerror}); {asset} needs it")
            return None
        if len(data) != stated.size:
            self._fault(path, "size", f"it has {len(data)} bytes, but {stated.size} are stated")
        elif Digest.of(data) != stated.sha256:
            self._fault(path, "digest", "its bytes were changed: another SHA-256 is stated")
        else:
            return data
        return None

    def _check_copy(self, copy: str, stated: Encoding) -> None:
        target = self.dist / copy[1:]
        try:
            right = Digest.of(target.read_bytes()) == stated.sha256
        except OSError:
            right = False
        if not right:
            # Nothing is answered from it here, and a build that was killed at its very end leaves it behind.
            text = "it is not the copy under the plain name that other servers read"
            self._fault(copy, "copy", text, Severity.WARNING)

    def _fault(self, file: str, kind: str, text: str, severity: Severity = Severity.ERROR) -> None:
        self.faults.append(
            Problem(
                kind=f"fault-{kind}",
                severity=severity,
                text=text,
                file=str(self.dist / file[1:]),
                hint=self.hint,
            )
        )
