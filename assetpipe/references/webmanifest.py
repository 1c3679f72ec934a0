"""Web app manifests (W3C): the pictures of ``icons``, ``screenshots`` and ``shortcuts``. Other URLs are not files."""

from __future__ import annotations

import json
import re

from assetpipe.references.draft import Draft, Writer
from assetpipe.references.json import strings, unescape

_STRING_OR_BLANK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[ \t\r\n]++')
_LISTS = frozenset(("icons", "screenshots"))


def scan(text: bytes, minify: bool) -> Draft:
    """Find the references of a manifest; when minifying one that has any, leave out the blanks between tokens."""
    writer = Writer(text)
    try:
        # The ``src`` of a member of one of the lists: ``icons`` > array > ``src``.
        pictures = {
            start: end
            for way, start, end in strings(text, 0, len(text))
            if len(way) >= 3 and way[-1] == "src" and way[-2] is None and way[-3] in _LISTS
        }
    except json.JSONDecodeError as error:
        return Draft(writer.draft().pieces, broken=(f"not JSON: {error.msg}", error.lineno, error.colno))
    except ValueError:  # no UTF-8, which the draft says itself
        return writer.draft()
    for token in _STRING_OR_BLANK.finditer(text) if pictures else ():
        start, end = token.span()
        if start + 1 in pictures:
            writer.refer(start + 1, end - 1, "manifest", unescape)
        elif minify and text[start] != 0x22:
            writer.replace(start, end)
    return writer.draft()
