"""The cache: blobs by their content, results by what was read to make them, digests by what ``stat`` says.

    <cache>/blobs/<2 hex>/<sha256>      bytes
    <cache>/small                       blobs of few bytes, one after the other
    <cache>/results                     a log: one line a result, which blobs a job made, and where the small ones are
    <cache>/index                       file -> (mtime, size, inode, SHA-256)

A killed build, or a second one at the same time, leaves nothing that is taken for more than it is: a line of the log
has a checksum of its own, blobs are checked against their digest by whoever reads them. Deleting any of it only costs
the work again.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assetpipe import files
from assetpipe.errors import AssetpipeError, Problem, Severity, SourceError
from assetpipe.paths import Digest
from assetpipe.sources import is_racy
from assetpipe.workers import Facts  # noqa: TC001 - msgspec reads what it decodes by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from assetpipe.sources import Source
    from assetpipe.workers import Output

_DAY = 86_400
# The log is written anew when it has this many lines for each result.
_LINES_EACH = 3
_NEW = ".new-"
# To make a file takes as long as to compress these many bytes, a little: smaller blobs share one.
_SMALL = 65_536
# The file of small blobs is written anew when so many bytes of it are nobody's, and more than there are others.
_WASTE = 16_000_000
_ABANDONED = 3600  # seconds after which what no result names is nobody's


class DamageError(AssetpipeError):
    """A blob of the cache is gone or damaged: what made it has to be done again."""


class Blob(Struct, frozen=True):
    """Bytes known by digest, and the file that they lie in, ``at`` its byte. ``shown`` is a source's, for people."""

    digest: Digest
    size: int
    file: str
    shown: str = ""
    at: int = 0

    def read(self) -> bytes:
        """The bytes. Raises SourceError where a source no longer holds them, DamageError where the cache does not."""
        try:
            data = files.read(self.file, self.at, -1 if self.shown else self.size)
        except OSError as error:
            raise self._changed("vanished or became unreadable during the build") from error
        if len(data) != self.size or Digest.of(data) != self.digest:
            raise self._changed("changed during the build")
        return data

    def _changed(self, what: str) -> AssetpipeError:
        if not self.shown:
            return DamageError(f"{self.file}: a result in the cache {what}. Run the build again.")
        problem = Problem(
            kind="changed",
            severity=Severity.ERROR,
            text=f"the file {what}",
            file=self.shown,
            hint="Nothing was published. Run the build again.",
        )
        return SourceError(problem)


class Job(Struct, frozen=True, array_like=True):
    """What a result is made of: the tool with its version, its options, and the digests of what it reads."""

    tool: str
    version: str
    options: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def key(self) -> Digest:
        """The name of the result."""
        parts = (self.tool, self.version, *self.options, "", *self.inputs)
        # With their lengths, since a part may hold any character.
        told = "".join(f"{len(part)} {part}" for part in parts)
        return Digest.of(f"{len(parts)} {len(self.inputs)} {told}".encode(errors="surrogateescape"))


class Made(Struct, frozen=True, array_like=True):
    """One thing that a job made: a blob, and what else there is to know of it. A small one lies ``at`` that byte."""

    digest: str
    size: int
    facts: Facts = {}
    at: int = -1


class Result(Struct, frozen=True, array_like=True):
    """All that a job made; ``facts`` are of its input."""

    made: tuple[Made, ...]
    facts: Facts = {}


class _Line(Struct, array_like=True):
    """One result in the log, the day (since 1970) on which it was last of use, and a checksum of the rest."""

    key: str
    day: int
    result: Result
    check: int


class _Stamp(Struct, frozen=True, array_like=True):
    mtime_ns: int
    size: int
    inode: int
    digest: str


class Evicted(Struct, frozen=True):
    """What was taken out of the cache: results, blobs and their bytes; and the bytes that stay."""

    results: int
    blobs: int
    bytes: int
    left: int


class Store:
    """The cache in one folder; made when first written to. For one thread; other processes may use the same folder.

    With ``careful``, a result is recalled only if its blobs are there and whole: for when some turned out not to be.
    """

    def __init__(self, folder: Path, *, careful: bool = False) -> None:
        self._folder = folder
        self._root = str(folder)
        self._careful = careful
        self._today = int(time.time() // _DAY)
        self._index: dict[str, _Stamp] | None = None
        self._seen: dict[str, _Stamp] = {}
        self._lines: dict[str, _Line] = {}
        # Where small blobs are, by their digests.
        self._places: dict[str, int] = {}
        self._read = 0
        self._unwritten: list[_Line] = []
        # Of which nothing is new but the day.
        self._used: list[_Line] = []
        self._load_results()

    def put(self, data: bytes) -> Blob:
        """Keep ``data``. Raises AssetpipeError where the folder cannot be written."""
        digest = Digest.of(data)
        # One that is damaged is noticed by whoever reads it.
        if self._careful or not self._holds(digest, len(data)):
            with self._explained():
                if len(data) <= _SMALL:
                    self._places[digest] = self._append(data)
                else:
                    # In place: who writes it at the same time writes the same, and a part of it is no such blob.
                    with self._opened(self._path(digest)) as handle:
                        files.write(handle, data)
                        os.ftruncate(handle, len(data))
        return self.kept(digest, len(data))

    def blob(self, made: Made) -> Blob:
        """Where a made thing lies."""
        return self.kept(Digest(made.digest), made.size)

    def kept(self, digest: Digest, size: int) -> Blob:
        """The blob of that digest."""
        if (at := self._places.get(digest)) is not None:
            return Blob(digest, size, f"{self._root}/small", at=at)
        return Blob(digest, size, self._path(digest))

    def _holds(self, digest: str, size: int) -> bool:
        if size <= _SMALL:
            return digest in self._places
        try:
            return os.stat(self._path(digest)).st_size == size
        except OSError:
            return False

    def _append(self, data: bytes) -> int:
        """Append to the file of small blobs; where it lies there, whoever else appends at the same time."""
        with self._opened(f"{self._root}/small", os.O_APPEND) as handle:
            files.write(handle, data)
            return os.lseek(handle, 0, os.SEEK_CUR) - len(data)

    def recall(self, job: Job) -> Result | None:
        """The result of ``job``, if it was made before."""
        line = self._lines.get(job.key)
        if line is None or line.check != _check(line):
            return None
        if self._careful:
            try:
                for made in line.result.made:
                    self.blob(made).read()
            except DamageError:
                return None
        if line.day != self._today:
            self._used.append(self._enter(line.key, line.result))
        return line.result

    def remember(self, job: Job, output: Output) -> Result:
        """Keep what ``job`` made. Raises AssetpipeError where the folder cannot be written."""
        made, facts = output
        things = []
        for data, about in made:
            blob = self.put(data)
            things.append(Made(blob.digest, blob.size, about, self._places.get(blob.digest, -1)))
        result = Result(tuple(things), facts)
        self._unwritten.append(self._enter(job.key, result))
        if len(self._unwritten) >= 64:
            self.flush()
        return result

    def flush(self) -> None:
        """Write down what was remembered since the last time; only what is written is there for the next build."""
        try:
            self._log([*self._unwritten, *self._used])
        except AssetpipeError:
            if self._unwritten:
                raise
        self._unwritten.clear()
        self._used.clear()

    def _log(self, lines: Sequence[_Line]) -> None:
        if lines:
            data = b"".join(map(_encode, lines))
            # One write at the end of the file: lines of another build may come between these, but not within one.
            with self._explained(), self._opened(f"{self._root}/results", os.O_APPEND) as handle:
                files.write(handle, b"\n" + data)
            self._read += len(lines)

    def close(self, limit: int) -> None:
        """Write down what is not yet, and make the cache no larger than ``limit`` bytes: what was published may go."""
        self.flush()
        for file in _listed(self._root):
            if os.path.basename(file).startswith(_NEW) and _age(file) > _ABANDONED:
                _remove(file)
        if self._size() > limit:
            self.evict(limit * 4 // 5)  # so that not every build does
        elif self._read > _LINES_EACH * len(self._lines) + 1000 or self._wastes():
            self._compact()

    def evict(self, limit: int) -> Evicted:
        """Forget the results that were not of use for longest, until their blobs have no more than ``limit`` bytes."""
        self.flush()
        self._load_results()
        held: dict[str, int] = {}
        sizes = {made.digest: made.size for line in self._lines.values() for made in line.result.made}
        for line in self._lines.values():
            for made in line.result.made:
                held[made.digest] = held.get(made.digest, 0) + 1
        total, forgotten = sum(sizes.values()), []
        for line in sorted(self._lines.values(), key=lambda line: line.day):
            if total <= limit:
                break
            forgotten.append(line.key)
            for made in line.result.made:
                held[made.digest] -= 1
                if not held[made.digest]:
                    total -= made.size
        for key in forgotten:
            del self._lines[key]
        gone = [digest for digest, count in held.items() if not count and digest in self._places]
        blobs, freed = len(gone), sum(sizes[digest] for digest in gone)
        self._compact()
        for room in _listed(f"{self._root}/blobs"):
            for blob in _listed(room):
                # Those of builds that were killed, too; but one that runs now may have made it a moment ago.
                count = held.get(os.path.basename(blob))
                if count == 0 or (count is None and (limit == 0 or _age(blob) > _ABANDONED)):
                    freed += _remove(blob)
                    blobs += 1
        return Evicted(len(forgotten), blobs, freed, total)

    def _compact(self) -> None:
        """Write the small blobs and the results anew, without what is no longer of use."""
        if not os.path.isdir(self._root):
            return
        places: dict[str, int] = {}
        lines: list[_Line] = []
        self._write(f"{self._root}/small", self._compacted(places, lines))
        # Killed here, the results have other places than the blobs: that is damage, which is noticed and mended.
        self._write(f"{self._root}/results", map(_encode, lines))
        self._lines = {line.key: line for line in lines}
        self._places = places
        self._read = len(lines)

    def _compacted(self, places: dict[str, int], lines: list[_Line]) -> Iterator[bytes]:
        """The small blobs that are of use, one after the other; where they are then, and the results that have them."""
        size = 0
        for line in sorted(self._lines.values(), key=lambda line: (line.day, line.key)):
            things: list[Made] = []
            for made in line.result.made:
                if made.digest in self._places and made.digest not in places:
                    try:
                        data = self.blob(made).read()
                    except DamageError:
                        break
                    places[made.digest] = size
                    size += len(data)
                    yield data
                things.append(replace(made, at=places.get(made.digest, -1)))
            else:
                line.result = replace(line.result, made=tuple(things))
                line.check = _check(line)
                lines.append(line)

    def _wastes(self) -> bool:
        """Whether the file of small blobs holds more that is nobody's than what is somebody's."""
        try:
            size = os.stat(f"{self._root}/small").st_size
        except OSError:
            return False
        made = {one.digest: one.size for line in self._lines.values() for one in line.result.made if one.at >= 0}
        return size > max(2 * sum(made.values()), _WASTE)

    def known_digest(self, source: Source) -> Digest | None:
        """The digest of a source that has not changed since it was last read, by what ``stat`` says."""
        if self._index is None:
            self._index = self._load_index()
        stamp = self._index.get(source.file)
        if stamp is None or (stamp.mtime_ns, stamp.size, stamp.inode) != (source.mtime_ns, source.size, source.inode):
            return None
        self._seen[source.file] = stamp
        return Digest(stamp.digest)

    def digest_before(self, source: Source) -> Digest | None:
        """The digest that the file of a source had when it was last read, whatever has happened to it since."""
        stamp = (self._index or {}).get(source.file)
        return Digest(stamp.digest) if stamp else None

    def learn_digest(self, source: Source, digest: Digest, began_ns: int) -> None:
        """Remember what a source's bytes digest to, unless it was so young when reading them began that its mtime does
        not tell a later change.
        """
        if not is_racy(source.mtime_ns, began_ns):
            self._seen[source.file] = _Stamp(source.mtime_ns, source.size, source.inode, digest)

    def doubt_digests(self) -> None:
        """Forget the digests of all sources: the bytes of one were others than ``stat`` let expect."""
        self._index, self._seen = {}, {}
        _remove(f"{self._root}/index")

    def save_index(self) -> None:
        """Write the digests of all sources met since the store was opened, if they differ from what is on disk."""
        if self._seen != (self._index or {}):
            self._write(os.path.join(self._root, "index"), [msgspec.json.encode(self._seen, enc_hook=str)])
            self._index = dict(self._seen)

    def _load_index(self) -> dict[str, _Stamp]:
        try:
            return msgspec.json.decode((self._folder / "index").read_bytes(), type=dict[str, _Stamp])
        except (OSError, msgspec.DecodeError):
            return {}

    def _load_results(self) -> None:
        try:
            log = (self._folder / "results").read_bytes()
        except OSError:
            log = b""
        self._lines = {}
        self._read = 0
        self._places = {}
        for line in _decoded(log):
            self._lines[line.key] = line
            self._read += 1
            for made in line.result.made:
                if made.at >= 0:
                    self._places[made.digest] = made.at

    def _enter(self, key: str, result: Result) -> _Line:
        line = _Line(key, self._today, result, 0)
        line.check = _check(line)
        self._lines[key] = line
        return line

    def _size(self) -> int:
        sizes = {made.digest: made.size for line in self._lines.values() for made in line.result.made}
        return sum(sizes.values())

    def _path(self, digest: str) -> str:
        return f"{self._root}/blobs/{digest[:2]}/{digest}"

    def _write(self, file: str, pieces: Iterable[bytes]) -> None:
        with self._explained():
            folder = os.path.dirname(file)
            self._make(folder)
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=_NEW)
            try:
                with os.fdopen(handle, "wb") as out:
                    out.writelines(pieces)
                os.replace(temporary, file)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise

    @contextlib.contextmanager
    def _opened(self, file: str, flags: int = 0) -> Iterator[int]:
        flags |= os.O_WRONLY | os.O_CREAT | files.BINARY
        try:
            handle = os.open(file, flags, 0o666)
        except FileNotFoundError:  # its folder is not there, or not any more
            self._make(os.path.dirname(file))
            handle = os.open(file, flags, 0o666)
        try:
            yield handle
        finally:
            os.close(handle)

    def _make(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        ignore = os.path.join(self._root, ".gitignore")
        if not os.path.exists(ignore):
            Path(ignore).write_text("*\n")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise AssetpipeError(
                f"{self._folder}: the cache cannot be written: {error.strerror or error}. "
                "Free some space, or set another folder: [tool.assetpipe] cache = …"
            ) from error


def _encode(line: _Line) -> bytes:
    return msgspec.json.encode(line, enc_hook=str) + b"\n"


def _decoded(log: bytes) -> Iterable[_Line]:
    """The lines of a log; a line that was not written whole is none."""
    if not log:
        return
    decoder = msgspec.json.Decoder(_Line)
    try:
        yield from decoder.decode_lines(log)
        return
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    for line in log.split(b"\n"):
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            yield decoder.decode(line)


def _check(line: _Line) -> int:
    return zlib.crc32(line.key.encode(), zlib.crc32(repr(line.result).encode(errors="surrogatepass")))


def _age(file: str) -> float:
    try:
        return time.time() - os.stat(file).st_mtime
    except OSError:
        return 0


def _remove(file: str) -> int:
    """Remove a file; how many bytes it had."""
    with contextlib.suppress(OSError):
        size = os.stat(file).st_size
        os.unlink(file)
        return size
    return 0


def _listed(folder: str) -> Sequence[str]:
    try:
        return sorted(os.path.join(folder, name) for name in os.listdir(folder))
    except OSError:
        return ()
