"""Web app manifests (W3C): the pictures of ``icons``, ``screenshots`` and ``shortcuts``. Other URLs are not files.

The scanner goes over JSON's tokens (RFC 8259) with the way down to the current value on a stack: the key of each object
that is open, and nothing for an array. A text that is no JSON is kept as it is.
"""

from __future__ import annotations

import json
import re

from assetpipe.references.draft import Draft, Writer

_TOKEN = re.compile(
    rb'(?P<blank>[ \t\r\n]++)|(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<open>[{\[])|(?P<close>[}\]])|(?P<comma>,)'
    rb'|(?P<other>:|[^ \t\r\n"{}\[\]:,]++)'
)
_LISTS = frozenset(("icons", "screenshots"))


def scan(text: bytes, minify: bool) -> Draft:
    """Find the references of a manifest; when minifying, leave out the blanks between tokens."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return Writer.whole(text)
    writer = Writer(text)
    # One entry for each open bracket: the current key of an object, "" for an array.
    way: list[str] = []
    is_object: list[bool] = []
    expects_key = False
    for token in _TOKEN.finditer(text):
        kind, written = token.lastgroup, token[0]
        if kind == "blank" and minify:
            continue
        if kind == "string" and not expects_key and _is_picture(way):
            writer.keep(b'"')
            writer.refer(token.start() + 1, token.end() - 1, json.loads(written), "url")
            writer.keep(b'"')
            continue
        writer.keep(written)
        if kind == "string" and expects_key:
            way[-1] = json.loads(written)
            expects_key = False
        elif kind == "open":
            way.append("")
            expects_key = written == b"{"
            is_object.append(expects_key)
        elif kind == "close":
            way.pop()
            is_object.pop()
            expects_key = False
        elif kind == "comma":
            expects_key = is_object[-1]
    return writer.draft()


def _is_picture(way: list[str]) -> bool:
    """Whether a value is the ``src`` of a member of one of the lists: ``icons`` > array > ``src``."""
    return len(way) >= 3 and way[-1] == "src" and way[-2] == "" and way[-3] in _LISTS
