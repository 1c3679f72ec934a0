"""The jobs of a build, as functions over bytes: they can run in a thread, in a process, or on another machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from assetpipe import references
from assetpipe.paths import Digest
from assetpipe.references.draft import Outline
from assetpipe.transforms import encodings, images

if TYPE_CHECKING:
    from assetpipe.workers import Facts, Output

# Seconds that a byte takes, roughly: what takes longest is to begin first.
WEIGHTS = {"br": 1.3e-6, "gzip": 3e-8, "zstd": 2.4e-7, "image": 1e-6, "draft": 6e-8}


def draft(data: bytes, options: tuple[str, ...]) -> Output:
    """Read a text's references, by its suffix and whether to ``minify``: its outline, and its text if that is another.

    Neither is made where there is nothing to say.
    """
    suffix, minify = options
    scan = references.scanner(f"x{suffix}")
    assert scan is not None
    outline, text = Outline.of(scan(data, minify == "minify"))
    made: list[tuple[bytes, Facts]] = []
    if text != data:
        made.append((text, {"is": "text"}))
    if outline != Outline():
        made.append((outline.dump(), {"is": "outline"}))
    return made, {}


def encode(data: bytes, options: tuple[str, ...]) -> Output:
    """Encode in a coding; nothing is made where that is not worth it."""
    encoded = encodings.encode(options[0], data)
    return ([] if encoded is None else [(encoded, {})]), {}


def render(data: bytes, options: tuple[str, ...]) -> Output:
    """Make the renditions of an image, by its media type and their sizes ("webp 480"); or say what is wrong with it."""
    media_type, *sizes = options
    try:
        rendered = images.render(data, media_type, [(name, int(width)) for name, width in map(str.split, sizes)])
    except images.ImageError as error:
        return [], {"problem": error.kind, "text": str(error)}
    made: list[tuple[bytes, Facts]] = []
    for picture in rendered.pictures:
        full = int(picture.width == rendered.width)
        about: Facts = {"format": picture.format, "width": picture.width, "height": picture.height, "negotiated": full}
        made.append((picture.data, about))
    return made, {"width": rendered.width, "height": rendered.height}


def draft_version() -> str:
    """What tells one version of the tokenizers from another: the digest of their modules, and of this one."""
    folder = Path(references.__file__).parent
    modules = [*sorted(folder.glob("*.py")), folder.parent / "paths.py", Path(__file__)]
    return Digest.of(*(module.read_bytes() for module in modules)).tag


def suffix(name: str) -> str:
    """The suffix that says how a text is read, in lower case."""
    return os.path.splitext(name)[1].lower()
