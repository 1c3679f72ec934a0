r"""SVG: links, pictures, and the CSS and JavaScript within, found by tokenizing its XML.

The scanner goes from one piece of markup to the next (XML 1.0), and what lies between is text:

1. Comments, and the document type with its internal subset: skipped. Entities declared there are not expanded.
2. ``<?xml-stylesheet?>``, whose ``href`` is a style sheet. Other processing instructions are skipped.
3. A tag, with its attributes: ``href`` by itself or in XLink's namespace, ``style``, whatever else holds ``url()``, and
   ``src`` and ``srcset`` of the XHTML in a ``foreignObject``.
4. The text of ``style`` and ``script``, CDATA sections and all.

Where XML would be refused, tags are read as HTML's are, so that nothing is ever missed or found twice.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from assetpipe.references.draft import Draft, Writer, whole
from assetpipe.references.tags import BLANK, JAVASCRIPT, TAG, Values, attributes, content, unescape

if TYPE_CHECKING:
    from assetpipe.references.tags import Attributes

_CANDIDATE = re.compile(rb"href|src|url\(|import|image-set\(|\\|&|sourceMappingURL", re.IGNORECASE)
_SUBSET = rb"""\[(?:[^\]"'<]++|"[^"]*+"?|'[^']*+'?|<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|<)*+\]?"""
_MARKUP = re.compile(
    rb"<(?:!--.*?(?:-->|\Z)|!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|\?xml-stylesheet(?P<sheet>[%s].*?)(?:\?>|\Z)"
    rb"""|\?.*?(?:\?>|\Z)|!DOCTYPE(?:[^\[>"']++|"[^"]*+"?|'[^']*+'?)*+(?:%s[^>]*+)?>?"""
    rb"|(?P<end>/?)(?P<name>[a-zA-Z_:\x80-\xff][^%s/>]*+))" % (BLANK, _SUBSET, BLANK),
    re.DOTALL,
)
_XLINK = re.compile(
    rb"""xmlns:([^%(b)s=]{1,50}+)[%(b)s]*+=[%(b)s]*+["']http://www\.w3\.org/1999/xlink["']""" % {b"b": BLANK}
)
_ENCODED = re.compile(
    rb"""\xff\xfe|\xfe\xff|<\?xml[^>]{1,200}?[%(b)s]encoding[%(b)s]*+=[%(b)s]*+["'](?!utf-?8["'])""" % {b"b": BLANK},
    re.IGNORECASE,
)
_NAMES = {"amp;": "&", "lt;": "<", "gt;": ">", "quot;": '"', "apos;": "'"}
_SOURCES = frozenset(b"audio embed iframe img input script source track video".split())

_unescape = partial(unescape, names=_NAMES)


def scan(text: bytes, minify: bool) -> Draft:
    """Find the references of a drawing. It is not minified."""
    if not _CANDIDATE.search(text):
        draft = whole(text)
    else:
        writer = Writer(text)
        _read(text, writer)
        draft = writer.draft()
    # Another encoding is no mistake, and wherever it matters it is ASCII all the same.
    return Draft(draft.pieces) if draft.not_utf8 and _ENCODED.match(text) else draft


def _read(text: bytes, writer: Writer) -> None:
    values = Values(text, writer, "svg", _unescape)
    links = {b"href", b"xlink:href", *(prefix + b":href" for prefix in _XLINK.findall(text))}
    position = 0
    while markup := _MARKUP.search(text, position):
        position = markup.end()
        if markup.lastgroup == "sheet":
            sheet = attributes(text, *markup.span("sheet"), fold=False)
            if b"href" in sheet:
                values.url(*sheet[b"href"])
        elif markup.lastgroup == "name":
            tag = TAG.match(text, position)
            if tag is None:
                return
            start, position = position, tag.end()
            if not markup["end"]:
                name = markup["name"].rpartition(b":")[2]
                found = attributes(text, start, position, fold=False)
                for attribute, span in found.items():
                    if text[span[0] - 1] in b"\"'":
                        _attribute(values, name, attribute, span, links)
                if not tag[1]:
                    _content(values, name, found, position)
                    writer.end_text()


def _attribute(values: Values, name: bytes, attribute: bytes, span: tuple[int, int], links: set[bytes]) -> None:
    if attribute in links:
        values.url(*span, "page" if name == b"a" else "url")
    elif attribute == b"style":
        values.style(*span)
    elif attribute == b"src" and name in _SOURCES:
        values.url(*span, "page" if name == b"iframe" else "url")
    elif attribute == b"srcset" and name in (b"img", b"source"):
        values.srcset(*span)
    else:
        values.presentation(*span)


def _content(values: Values, name: bytes, found: Attributes, position: int) -> None:
    kind = values.decoded(found.get(b"type")).lower()
    if name == b"style" and kind in ("", "text/css"):
        values.css(*content(values.text, position, _MARKUP))
    elif name == b"script" and JAVASCRIPT.fullmatch(kind) and not found.keys() & {b"href", b"xlink:href", b"src"}:
        values.js(*content(values.text, position, _MARKUP))
