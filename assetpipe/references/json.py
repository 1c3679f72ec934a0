"""JSON (RFC 8259) in which some strings are URLs: what web app manifests and import maps share."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\],]')


def strings(text: bytes, start: int, end: int) -> Iterator[tuple[tuple[str | None, ...], int, int]]:
    """Every string at ``start:end`` that is a value: the way to it, and where it is written, without its quotes.

    The way has the key of each object that is open, and None for each array. Raises ValueError where the text is no
    JSON: a json.JSONDecodeError with the place, or a UnicodeDecodeError.
    """
    try:
        json.loads(text[start:end].decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    way: list[str | None] = []
    expects_key = False
    for token in _TOKEN.finditer(text, start, end):
        first = token[0][:1]
        if first in b"{[":
            way.append("" if first == b"{" else None)
        elif first in b"}]":
            way.pop()
        elif first == b'"' and expects_key:
            way[-1] = json.loads(token[0])
        elif first == b'"':
            yield tuple(way), token.start() + 1, token.end() - 1
        expects_key = first in b"{," and way[-1] is not None


def unescape(text: str) -> str:
    """Undo the escapes of a string (section 7)."""
    try:
        return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", json.loads(f'"{text}"'))
    except ValueError:  # a part of a string, that ends within an escape
        return "\0"
