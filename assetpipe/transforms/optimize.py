"""Originals made smaller without loss: the same pixels and metadata, better packed (extra ``optimize``)."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

from assetpipe.errors import ConfigError
from assetpipe.transforms import containers, memory
from assetpipe.transforms.containers.container import ImageError

# What packs each media type: the module, and the package that has it.
_PACKERS = {
    "image/jpeg": ("mozjpeg_lossless_optimization", "mozjpeg-lossless-optimization"),
    "image/png": ("oxipng", "oxipng-pybind"),
}
# From 0 to 6; what the levels above save is a hundredth, for five times the work.
_LEVEL = 2
_MOZJPEG = """
import sys
from mozjpeg_lossless_optimization import COPY_MARKERS, optimize
sys.stdout.buffer.write(optimize(sys.stdin.buffer.read(), COPY_MARKERS.ALL))
"""
# Both packers hold the whole picture in memory, and go over it again and again.
_MAX_PIXELS, _MAX_PASSES = 50_000_000, 10
_PIXEL = 12  # bytes that each takes
# Where a file goes on after its picture, its index of what is there would point to the wrong places; signatures hold
# for the bytes as they are.
_BOUND = {"pictures", "gain map", "credentials"}


def optimize(data: bytes, media_type: str) -> bytes:
    """Pack a PNG or a JPEG better; what is anything else, damaged, or not to be had smaller, comes back as it is.

    The same bytes for the same input and versions. Animations and huge pictures are left alone.
    """
    if media_type not in _PACKERS:
        return data
    try:
        container = containers.read(data, media_type)
    except ImageError:
        return data
    pixels = container.width * container.height
    if (
        pixels > _MAX_PIXELS
        or pixels * container.passes > _MAX_PIXELS * _MAX_PASSES
        or container.frames
        or container.metadata & _BOUND
    ):
        return data
    with memory.room.held(pixels * _PIXEL):
        packed = _packed_jpeg(data, container.stripped) if media_type == "image/jpeg" else _packed_png(data)
    return packed if len(packed) < len(data) else data


def check() -> None:
    """Raise ConfigError where a library is missing."""
    if any(find_spec(module) is None for module, _ in _PACKERS.values()):
        raise ConfigError('images.optimize needs the extra: pip install "assetpipe[optimize]"')


def version() -> str:
    """Tell all that the packed bytes depend on beside the picture."""
    return f"level {_LEVEL}, " + ", ".join(f"{name} {_number(name)}" for _, name in _PACKERS.values())


def _number(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # another one has a module of the same name
        return "unknown"


def _packed_jpeg(data: bytes, stripped: bytes) -> bytes:
    """Pack a JPEG, in a process of its own: the library ends its process over some damaged files."""
    if not data.endswith(b"\xff\xd9") or not stripped.endswith(b"\xff\xd9"):
        return data  # cut off, which the library would hide, or with something behind it, which it would drop
    command = [sys.executable, "-P", "-c", _MOZJPEG]  # with no module of the working folder in place of another
    done = subprocess.run(command, input=data, capture_output=True, check=False)  # noqa: S603 - our own lines
    return data if done.returncode or not done.stdout else done.stdout


def _packed_png(data: bytes) -> bytes:
    import oxipng

    try:
        return bytes(oxipng.optimize_from_memory(data, level=_LEVEL))
    except (oxipng.PngError, ValueError):
        return data
