"""A content security policy (CSP level 3) as a value: what a page allows, by directive."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from assetpipe.errors import TagError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DIRECTIVE = re.compile(r"[a-z]+(?:-[a-z]+)*\Z")
_NONCE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}\Z")


class Policy:
    """A policy that more can be added to; each directive has its sources in the order in which they came."""

    def __init__(self, told: Mapping[str, str | Sequence[str]]) -> None:
        """Begin with the directives of the page's author. Raises TagError for what is none."""
        if not isinstance(told, Mapping) or not all(map(_DIRECTIVE.match, told)):
            raise TagError(f"not a content security policy: {told!r}. Name directives and their sources in a dict.")
        self._told = {
            directive: dict.fromkeys(sources.split() if isinstance(sources, str) else sources)
            for directive, sources in told.items()
        }

    def allow(self, directive: str, sources: Iterable[str]) -> None:
        """Allow more. A new directive begins as the default, which no longer counts for it."""
        if directive not in self._told:
            self._told[directive] = dict(self._told.get("default-src", {}))
        self._told[directive].pop("'none'", None)
        self._told[directive].update(dict.fromkeys(sources))

    def allow_styles(self, hashes: Iterable[str]) -> None:
        """Allow the style attributes of these hashes (sections 6.7.3.3 and 8.3), and no others than before."""
        behind = ("style-src-attr", "style-src", "default-src")
        allowed = next((self._told[directive] for directive in behind if directive in self._told), {})
        words = {source: source.lower() for source in allowed}
        is_listed = any(word.startswith(("'nonce-", "'sha")) for word in words.values())
        if "'unsafe-inline'" in words.values() and not is_listed:
            return  # all are, and a hash would forbid the others
        # Of what it would begin as, only these speak of attributes.
        kept = [source for source, word in words.items() if word.startswith(("'unsafe-", "'sha", "'report-"))]
        self._told["style-src-attr"] = dict.fromkeys([*kept, "'unsafe-hashes'", *hashes])

    def spell(self) -> str:
        """Write it as the value of its field. Raises TagError for sources that would end their directive."""
        text = "; ".join(" ".join((directive, *sources)) for directive, sources in self._told.items())
        if (
            text.count(";") != max(0, len(self._told) - 1)
            or not text.isascii()
            or not text.isprintable()
            or "," in text
        ):
            raise TagError(f"not a content security policy: {text!r}. Name each directive and source by itself.")
        return text


def hash_of(text: str) -> str:
    """The source that allows what is inline by its digest (section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def nonce_source(nonce: str) -> str:
    """The source that allows what has this nonce. Raises TagError for what is none."""
    if not _NONCE.match(nonce):
        raise TagError(f"not a nonce: {nonce!r}. It is base64 (CSP section 2.3.1).")
    return f"'nonce-{nonce}'"
