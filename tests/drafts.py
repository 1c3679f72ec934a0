"""What the tests of the scanners ask of a draft."""

from __future__ import annotations

from assetpipe.references.draft import Draft


def whole(draft: Draft) -> bytes:
    """The text with what was written in each hole: the source, if nothing was left out."""
    return b"".join(p if isinstance(p, bytes) else p.written for p in draft.pieces)


def marked(draft: Draft) -> str:
    """The text with ``<path|suffix>`` for each hole."""
    return b"".join(
        piece if isinstance(piece, bytes) else f"<{piece.path}|{piece.suffix.decode()}>".encode()
        for piece in draft.pieces
    ).decode()
