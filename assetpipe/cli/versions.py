"""``assetpipe --version``: the versions of all that the bytes of a release depend on."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from assetpipe import __version__
from assetpipe.errors import ConfigError
from assetpipe.transforms import codecs, encodings

if TYPE_CHECKING:
    from collections.abc import Iterator


def versions() -> Iterator[str]:
    """One line for each."""
    yield f"assetpipe {__version__}"
    yield f"Python {platform.python_version()}"
    for coding in ("br", "gzip", "zstd"):
        try:
            yield encodings.library(coding)
        except ConfigError:
            yield f"{coding}: not installed"
    for name, number in codecs.libraries().items():
        yield f"{name} {number}"
