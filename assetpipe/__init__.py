"""The static files of a Flask app: named by content, compressed ahead of time, served from a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assetpipe.serve.extension import AssetPipe

__version__ = "0.1.0"
__all__ = ["AssetPipe", "__version__"]


def __getattr__(name: str) -> object:
    """Import the Flask blueprint when it is asked for: the command line must not pay for Flask."""
    if name == "AssetPipe":
        from assetpipe.serve.extension import AssetPipe

        return AssetPipe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
