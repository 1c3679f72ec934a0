"""The jobs of a build, as functions over bytes: they can run in a thread, in a process, or on another machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from assetpipe import references
from assetpipe.paths import Digest
from assetpipe.references.draft import Outline
from assetpipe.transforms import containers, encodings, images, metadata, optimize, rasters

if TYPE_CHECKING:
    from assetpipe.workers import Facts, Output

# Seconds that a byte takes, roughly: what takes longest is to begin first.
WEIGHTS = {"br": 1.3e-6, "gzip": 3e-8, "zstd": 2.4e-7, "image": 1e-6, "original": 3e-7, "draft": 6e-8}


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
    """Make what is wanted of an image, by its media type, the most pixels, its placeholder's kind, and the orders as
    ``spelled``; or say what is wrong with it, and in ``spoiled``, a line each, which of those come to nothing by it.
    """
    media_type, most, placeholder, *orders = options
    wanted = [msgspec.json.decode(order, type=images.Order) for order in orders]
    try:
        rendered = images.render(data, media_type, wanted, int(most), placeholder)
    except rasters.ImageError as error:
        return [], {
            "problem": error.kind,
            "text": str(error),
            **_seen(data, media_type, wanted, int(most), placeholder),
        }
    made: list[tuple[bytes, Facts]] = []
    for picture in rendered.pictures:
        order = picture.order
        full = int(not order.width and not order.thumbnail)
        about: Facts = {"width": picture.width, "height": picture.height, "negotiated": full, "order": spelled(order)}
        made.append((picture.data, about))
    facts = _told(rendered.facts)
    if rendered.placeholder:
        facts["placeholder"] = rendered.placeholder
    return made, facts


def _seen(data: bytes, media_type: str, wanted: list[images.Order], max_pixels: int, placeholder: str) -> Facts:
    """Tell what the headers say of a damaged image, as of a sound one, and what is not made for the damage alone."""
    try:
        seen = rasters.look(data, media_type, max_pixels)
    except rasters.ImageError:
        return {**_measured(data), "spoiled": "\n".join((placeholder, *map(spelled, wanted)))}
    spoiled = [spelled(order) for order in images.plan(seen, wanted)]
    return {
        **_told(seen),
        "spoiled": "\n".join([placeholder, *spoiled] if images.holds_place(seen, placeholder) else spoiled),
    }


def _measured(data: bytes) -> Facts:
    """Tell the size of a picture that is too large, or called what it is not: a page that shows it needs that."""
    try:
        return _told(rasters.look(data, containers.sniff(data) or "image/png", sys.maxsize))
    except rasters.ImageError:
        return {}


def _told(seen: rasters.Facts) -> Facts:
    facts: Facts = {"width": seen.width, "height": seen.height}
    if seen.metadata:
        facts["metadata"] = " ".join(seen.metadata)
    return facts


def spelled(order: images.Order) -> str:
    """An order as an option of ``render``, and as a part of its result's name."""
    return msgspec.json.encode(order).decode()


def original(data: bytes, options: tuple[str, ...]) -> Output:
    """Make an image fit to be published, by whether to ``strip`` and whether to ``optimize`` it: its bytes, if they are
    others; or say what is wrong with it.
    """
    strip, optimized = options
    # By what it is, and not what it is called: a position is one under any name. What is no picture has none.
    media_type = containers.sniff(data)
    told = data
    try:
        if strip and media_type:
            told = metadata.strip(told, media_type)
        if optimized and media_type:
            told = optimize.optimize(told, media_type)
    except rasters.ImageError as error:
        return [], {"problem": error.kind, "text": str(error)}
    return ([] if told == data else [(told, {})]), {}


def draft_version() -> str:
    """What tells one version of the tokenizers from another: the digest of their modules, and of this one."""
    folder = Path(references.__file__).parent
    return _digest(*sorted(folder.glob("*.py")), folder.parent / "paths.py", Path(__file__))


def original_version(optimized: str) -> str:
    """All that the bytes of an ``original`` depend on, beside the image and whether to strip it."""
    folder = Path(containers.__file__).parent
    told = _digest(Path(metadata.__file__), Path(optimize.__file__), *sorted(folder.glob("*.py")))
    return f"{told} {optimize.version()}" if optimized else told


def _digest(*modules: Path) -> str:
    return Digest.of(*(module.read_bytes() for module in modules)).tag


def suffix(name: str) -> str:
    """The suffix that says how a text is read, in lower case."""
    return os.path.splitext(name)[1].lower()
