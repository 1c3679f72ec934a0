"""Whether anything that a build came of has changed since, and if not, what there is to say: without building.

A build writes down which files and folders it looked at, and what ``stat`` said of each before they were read, once
that can tell every later change (see ``sources.is_racy``). A folder's mtime tells what came and went in it. What else
the result depends on is among the files, too: the configuration or its absence, our own modules, the folders that
packages are installed in, and the folders of the release, which deleting a file there changes. What stat cannot see,
`assetpipe verify` can. And it depends on the clock which releases are kept: a record is good for a day.

This is what a deploy that changes nothing waits for, so it imports next to nothing.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    # What ``stat`` says of a file: mtime in ns, size, inode; of a folder: mtime, inode.
    Stamp = tuple[int, ...]

# In the cache's folder.
NAME = "unchanged"
_MAGIC = b"assetpipe unchanged 2"
_GOOD_FOR = 86_400  # seconds
# What says in a folder, or by its absence, where the sources are.
_SIGNS = ("assetpipe.toml", "pyproject.toml", "static")
_ABSENT = (-1, -1, -1)


def recall(cache: str, arguments: Sequence[str]) -> tuple[str, str] | None:
    """What the last build with these arguments would print again, to stdout and to stderr; None where it may not."""
    try:
        with open(os.path.join(cache, NAME), "rb") as file:
            age = time.time() - os.fstat(file.fileno()).st_mtime
            data = file.read()
    except OSError:
        return None
    if not 0 <= age < _GOOD_FOR:
        return None
    head, _, body = data.partition(b"\n")
    try:
        check, *lengths = map(int, head.removeprefix(_MAGIC).split())
    except ValueError:
        return None
    if not head.startswith(_MAGIC) or len(lengths) != 7 or zlib.crc32(body) != check:
        return None
    parts = []
    for length in lengths:
        parts.append(body[:length])
        body = body[length:]
    key, single, folders, names, stamps, out, err = parts
    if key != _key(arguments):
        return None
    known = array("q", stamps)
    seen = array("q")
    for path in _split(single):
        seen.extend(look(path))
    for folder, inside in zip(_split(folders), names.split(b"\0\0"), strict=True):
        mtime_ns, _, inode = look(folder)
        seen.extend((mtime_ns, inode))
        for name in _split(inside):
            seen.extend(look(f"{folder}/{name}"))
    return (out.decode(), err.decode()) if seen == known else None


def begin(arguments: Sequence[str]) -> tuple[bytes, dict[str, Stamp]]:
    """How things are around a build that begins, for ``note``: to be asked before anything of it is read."""
    signs = [os.path.join(folder, name) for folder in _upward(_here()) for name in _SIGNS]
    return _key(arguments), {path: look(path) for path in (*signs, *_ours(), *filter(os.path.exists, sys.path))}


def note(
    cache: str,
    begun: tuple[bytes, dict[str, Stamp]],
    single: Mapping[str, Stamp],
    inside: Mapping[str, tuple[Stamp, Mapping[str, Stamp]]],
    said: tuple[str, str],
) -> None:
    """Write down what the build that had ``begun`` so came of: the paths ``single``; and folders, each with its own
    stamp and those of the files in it.

    ``said`` is what is to be printed if nothing changes. Raises OSError.
    """
    key, around = begun
    single = {**single, **around}
    stamps = array("q")
    for stamp in single.values():
        stamps.extend(stamp)
    for own, files in inside.values():
        stamps.extend(own)
        for stamp in files.values():
            stamps.extend(stamp)
    parts = [
        key,
        _joined(single),
        _joined(inside),
        b"\0\0".join(_joined(files) for _, files in inside.values()),
        stamps.tobytes(),
        *(text.encode() for text in said),
    ]
    body = b"".join(parts)
    head = b"%b %d %b\n" % (_MAGIC, zlib.crc32(body), b" ".join(b"%d" % len(part) for part in parts))
    temporary = os.path.join(cache, f".new-{os.getpid()}")
    with open(temporary, "wb") as file:
        file.write(head + body)
    os.replace(temporary, os.path.join(cache, NAME))


def caches() -> Iterable[str]:
    """Where a build from the working folder has its cache, as long as it is called as by default."""
    for folder in _upward(_here()):
        yield os.path.join(folder, ".assetpipe")


def look(path: str) -> Stamp:
    """What ``stat`` says of a path: mtime, size and inode."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return _ABSENT
    return found.st_mtime_ns, found.st_size, found.st_ino


def _key(arguments: Sequence[str]) -> bytes:
    return _joined([_here(), sys.version, sys.executable, zlib.ZLIB_RUNTIME_VERSION, *sys.path, *arguments])


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # it is gone, as the build will say
        return ""


def _upward(folder: str) -> Iterable[str]:
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def _ours() -> Iterable[str]:
    """Our own modules."""
    for folder, folders, names in os.walk(os.path.dirname(__file__)):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            yield os.path.join(folder, name)


def _joined(paths: Iterable[str]) -> bytes:
    return b"\0".join(os.fsencode(path) for path in paths)


def _split(joined: bytes) -> list[str]:
    return os.fsdecode(joined).split("\0") if joined else []
