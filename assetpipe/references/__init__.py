"""From text to a draft: one tokenizer a language finds the references and leaves out what need not be sent."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from assetpipe.references import css, html, js, svg, webmanifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetpipe.references.draft import Draft

_SCANNERS: dict[str, Callable[[bytes, bool], Draft]] = {
    ".css": css.scan,
    ".js": js.scan,
    ".mjs": js.scan,
    ".html": html.scan,
    ".htm": html.scan,
    ".svg": svg.scan,
    ".webmanifest": webmanifest.scan,
}


def scanner(name: str) -> Callable[[bytes, bool], Draft] | None:
    """The function ``(text, minify) -> Draft`` for a file of that name, or None where it holds no references."""
    return _SCANNERS.get(os.path.splitext(name)[1].lower())
