"""The cache: blobs by their content, results by what was read to make them, digests by what ``stat`` says.

    <cache>/blobs/<2 hex>/<sha256>      bytes
    <cache>/results/<2 hex>/<key>       which blobs a job made
    <cache>/index                       file -> (mtime, size, inode, SHA-256)

Every write is a rename of a whole file, so a killed build or a second one at the same time leaves nothing half written.
Deleting any of it only costs the work again.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from assetpipe.errors import AssetpipeError, Problem, Severity, SourceError
from assetpipe.paths import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assetpipe.sources import Source

# A file changed within this time before it was read may change again without its mtime moving ("racily clean", as git
# calls it): its digest is not remembered.
_RACY_NS = 2_000_000_000


Facts = dict[str, str | int]


class Blob(Struct, frozen=True):
    """Bytes known by digest, and the file that they lie in."""

    digest: Digest
    size: int
    file: str
    shown: str = ""

    def read(self) -> bytes:
        """The bytes. Raises SourceError where the file no longer holds them."""
        try:
            data = Path(self.file).read_bytes()
        except OSError as error:
            raise SourceError(self._changed("vanished or became unreadable during the build")) from error
        if len(data) != self.size or Digest.of(data) != self.digest:
            raise SourceError(self._changed("changed during the build"))
        return data

    def _changed(self, what: str) -> Problem:
        return Problem(
            kind="changed",
            severity=Severity.ERROR,
            text=f"the file {what}",
            file=self.shown or self.file,
            hint="Nothing was published. Run the build again.",
        )


class Job(Struct, frozen=True, array_like=True):
    """What a result is made of: the tool with its version, its options, and the digests of what it reads."""

    tool: str
    version: str
    options: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def key(self) -> Digest:
        """The name of the result."""
        return Digest.of(msgspec.json.encode(self, enc_hook=str))


class Made(Struct, frozen=True, array_like=True):
    """One thing that a job made: a blob, and what else there is to know of it."""

    digest: str
    size: int
    facts: Facts = {}


class Result(Struct, frozen=True, array_like=True):
    """All that a job made; ``facts`` are of its input."""

    made: tuple[Made, ...]
    facts: Facts = {}


class _Stamp(Struct, frozen=True, array_like=True):
    mtime_ns: int
    size: int
    inode: int
    digest: str


class Store:
    """The cache in one folder; made when first written to. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = self._load_index()
        self._seen: dict[str, _Stamp] = {}

    def put(self, data: bytes) -> Blob:
        """Keep ``data``. Raises AssetpipeError where the folder cannot be written."""
        digest = Digest.of(data)
        file = self._path("blobs", digest)
        if not _holds(file, data):
            self._write(file, data)
        return Blob(digest, len(data), str(file))

    def blob(self, made: Made) -> Blob:
        """Where a made thing lies."""
        return Blob(Digest(made.digest), made.size, str(self._path("blobs", made.digest)))

    def recall(self, job: Job) -> Result | None:
        """The result of ``job``, if it was made before and all of it is still there and whole."""
        try:
            result = msgspec.json.decode(self._path("results", job.key).read_bytes(), type=Result)
            for made in result.made:
                self.blob(made).read()
        except (OSError, msgspec.DecodeError, SourceError):
            return None
        return result

    def remember(self, job: Job, made: Iterable[tuple[bytes, Facts]], **facts: str | int) -> Result:
        """Keep what ``job`` made. Raises AssetpipeError where the folder cannot be written."""
        things = []
        for data, about in made:
            blob = self.put(data)
            things.append(Made(blob.digest, blob.size, about))
        result = Result(tuple(things), facts)
        self._write(self._path("results", job.key), msgspec.json.encode(result, enc_hook=str))
        return result

    def known_digest(self, source: Source) -> Digest | None:
        """The digest of a source that has not changed since it was last read, by what ``stat`` says."""
        stamp = self._index.get(source.file)
        if stamp is None or (stamp.mtime_ns, stamp.size, stamp.inode) != (source.mtime_ns, source.size, source.inode):
            return None
        self._seen[source.file] = stamp
        return Digest(stamp.digest)

    def learn_digest(self, source: Source, digest: Digest) -> None:
        """Remember what a source's bytes digest to, unless it is too young for its mtime to tell a later change."""
        if time.time_ns() - source.mtime_ns > _RACY_NS:
            self._seen[source.file] = _Stamp(source.mtime_ns, source.size, source.inode, digest)

    def save_index(self) -> None:
        """Write the digests of all sources met since the store was opened, if they differ from what is on disk."""
        if self._seen != self._index:
            self._write(self._folder / "index", msgspec.json.encode(self._seen, enc_hook=str))
            self._index = dict(self._seen)

    def _load_index(self) -> dict[str, _Stamp]:
        try:
            return msgspec.json.decode((self._folder / "index").read_bytes(), type=dict[str, _Stamp])
        except (OSError, msgspec.DecodeError):
            return {}

    def _path(self, room: str, digest: str) -> Path:
        return self._folder / room / digest[:2] / digest

    def _write(self, file: Path, data: bytes) -> None:
        try:
            if not file.parent.is_dir():
                file.parent.mkdir(parents=True, exist_ok=True)
                ignore = self._folder / ".gitignore"
                if not ignore.exists():
                    ignore.write_text("*\n")
            handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as out:
                    out.write(data)
                Path(temporary).replace(file)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise AssetpipeError(
                f"{self._folder}: the cache cannot be written: {error.strerror or error}. "
                "Free some space, or set another folder: [tool.assetpipe] cache = …"
            ) from error


def _holds(file: Path, data: bytes) -> bool:
    try:
        return file.stat().st_size == len(data) and file.read_bytes() == data
    except OSError:
        return False
