"""Whether anything that a build came of has changed since, and if not, what there is to say: without building.

A build writes down which files and folders it looked at, and what ``stat`` said of each, once that can tell every later
change (see ``sources.is_racy``). A folder's mtime tells what came and went in it. What else the result depends on is
among the files, too: the configuration or its absence, our own modules, the folders that packages are installed in, and
the folders of the release, which deleting a file there changes. What stat cannot see, `assetpipe verify` can.

This is what a deploy that changes nothing waits for, so it imports next to nothing.
"""

from __future__ import annotations

import os
import sys
import zlib
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# In the cache's folder.
NAME = "unchanged"
_MAGIC = b"assetpipe unchanged 1"
_CONFIGS = ("assetpipe.toml", "pyproject.toml")


def recall(cache: str, arguments: Sequence[str]) -> tuple[str, str] | None:
    """What the last build with these arguments would print again, to stdout and to stderr; None where it may not."""
    try:
        with open(os.path.join(cache, NAME), "rb") as file:
            data = file.read()
    except OSError:
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
        _look(path, seen)
    for folder, inside in zip(_split(folders), names.split(b"\0\0"), strict=True):
        _look(folder, seen)
        for name in _split(inside):
            _look(f"{folder}/{name}", seen)
    return (out.decode(), err.decode()) if seen == known else None


def note(
    cache: str,
    arguments: Sequence[str],
    single: Iterable[str],
    inside: Mapping[str, Iterable[str]],
    said: tuple[str, str],
) -> None:
    """Write down how things are now: the paths ``single``, and folders with the names of the files ``inside``.

    ``said`` is what is to be printed if nothing changes. Raises OSError.
    """
    configs = [os.path.join(folder, name) for folder in _upward(os.getcwd()) for name in _CONFIGS]
    paths = [*dict.fromkeys((*configs, *_ours(), *filter(os.path.exists, sys.path), *single))]
    stamps = array("q")
    for path in paths:
        _look(path, stamps)
    for folder, names in inside.items():
        _look(folder, stamps)
        for name in names:
            _look(f"{folder}/{name}", stamps)
    parts = [
        _key(arguments),
        _joined(paths),
        _joined(inside),
        b"\0\0".join(map(_joined, inside.values())),
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
    for folder in _upward(os.getcwd()):
        yield os.path.join(folder, ".assetpipe")


def _look(path: str, into: array[int]) -> None:
    try:
        found = os.stat(path)
        into.extend((found.st_mtime_ns, found.st_size, found.st_ino))
    except (OSError, ValueError):
        into.extend((-1, -1, -1))


def _key(arguments: Sequence[str]) -> bytes:
    return _joined([os.getcwd(), sys.version, sys.executable, zlib.ZLIB_RUNTIME_VERSION, *sys.path, *arguments])


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
