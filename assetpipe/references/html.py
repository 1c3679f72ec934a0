r"""HTML: the URLs of elements that load, link or embed, and the CSS and JavaScript within, found by tokenizing.

The scanner goes from one piece of markup to the next (HTML section 13.2.5), and what lies between is text:

1. Comments, bogus comments, the document type: skipped. CDATA sections are comments, too, but within ``svg`` and
   ``math``, for which their open elements are kept on a stack (section 13.2.6.5).
2. A tag, with its attributes to their end. One that the end of the text cuts off is none, and ends the scan.
3. What its attributes refer to: a URL, a ``srcset``, CSS. The first ``base`` says what all of them start from; if that
   is another site, there is nothing of ours.
4. Behind ``style``, ``script`` and the other elements whose content is no markup: their end tag. What is CSS,
   JavaScript or an import map is read as that.

Nothing is ever left out: blanks in HTML mean something, and a content security policy may hold a script's hash.
"""

from __future__ import annotations

import re
from functools import partial
from html.entities import html5
from typing import TYPE_CHECKING

from assetpipe.paths import split_reference
from assetpipe.references.draft import Draft, Writer, whole
from assetpipe.references.json import strings
from assetpipe.references.json import unescape as json_unescape
from assetpipe.references.tags import BLANK, JAVASCRIPT, TAG, Values, attributes, content, unescape

if TYPE_CHECKING:
    from assetpipe.references.draft import Manner
    from assetpipe.references.tags import Attributes, Span

_CANDIDATE = re.compile(rb"href|src|poster|data|background|content|\(|import|&#|sourceMappingURL", re.IGNORECASE)
_MARKUP = (
    rb"""<(?:!--(?:-?>|.*?(?:--!?>|\Z))%s|(?:[!?]|/(?![a-zA-Z]))[^>]*+>?|(?P<end>/?)(?P<name>[a-zA-Z][^%s/>]*+))"""
)
_IN_HTML = re.compile(_MARKUP % (b"", BLANK), re.DOTALL)
_IN_SVG = re.compile(_MARKUP % (rb"|!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)", BLANK), re.DOTALL)
_RAW = {
    name: re.compile(rb"</%s(?=[%s/>])" % (name, BLANK), re.IGNORECASE)
    for name in b"iframe noembed noframes script style textarea title xmp".split()
}
_SCRIPT = re.compile(rb"<!--|-->|<(/?)script(?=[%s/>])" % BLANK, re.IGNORECASE)

# The roots of other languages, with the elements in them whose content is HTML again; and those that end them.
_FOREIGN = {
    b"svg": frozenset((b"desc", b"foreignobject", b"title")),
    b"math": frozenset((b"mi", b"mn", b"mo", b"ms", b"mtext")),
}
_BREAKOUT = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    b"nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
# Browsers nest no deeper than 512.
_DEEPEST = 100

# Which attributes of which elements are URLs (HTML, "Attributes", and section 15.3 for the obsolete ones).
_URLS: dict[bytes, dict[bytes, Manner]] = {
    b"src": {
        **dict.fromkeys(b"audio embed image img input script source track video".split(), "url"),
        **dict.fromkeys((b"frame", b"iframe"), "page"),
    },
    b"href": {b"a": "page", b"area": "page"},
    b"poster": {b"video": "url"},
    b"data": {b"object": "url"},
    b"background": dict.fromkeys(b"body table tbody td tfoot th thead tr".split(), "url"),
}
_SRCSETS = frozenset(((b"img", b"srcset"), (b"source", b"srcset"), (b"link", b"imagesrcset")))
# The bytes of these must have the digest that their element states (Subresource Integrity).
_CHECKED = {b"script": b"src", b"link": b"href"}
# Other links name pages, as far as they name anything; and what is fetched ahead may be a page.
_LOADED = re.compile(
    r"apple-touch-(?:icon(?:-precomposed)?|startup-image)|compression-dictionary|(?:fluid-|mask-)?icon|image_src|manifest"
    r"|modulepreload|preload|stylesheet"
)
# What crawlers and launchers show of a page, by ``property`` (Open Graph), ``name`` or ``itemprop`` (schema.org).
_META = re.compile(
    r"og:(?:image|video|audio)(?::(?:secure_)?url)?|twitter:image(?::src)?"
    r"|msapplication-(?:tileimage|(?:square|wide)\d+x\d+logo)|image|thumbnailurl",
    re.IGNORECASE,
)
_ENCODED = re.compile(
    rb"""\A(?:\xff\xfe|\xfe\xff)|<meta[^>]{0,200}?[%(b)s;"']charset[%(b)s]*+=[%(b)s]*+["']?(?!utf-?8)\w"""
    % {b"b": BLANK},
    re.IGNORECASE,
)
# Where the URLs of an import map are: {"imports": {name: URL}, "scopes": {prefix: {name: URL}}}.
_URLS_AT_DEPTH: dict[str | None, int] = {"imports": 2, "scopes": 3}

_unescape = partial(unescape, names=html5)


def scan(text: bytes, minify: bool) -> Draft:
    """Find the references of a document. It is not minified."""
    draft = _Scanner(text).run() if _CANDIDATE.search(text) else whole(text)
    # Another encoding is no mistake, and wherever it matters it is ASCII all the same.
    return Draft(draft.pieces) if draft.not_utf8 and _ENCODED.search(text, 0, 1024) else draft


class _Scanner:
    """One pass over one document.

    ``open`` are the elements that change how markup within is read: ``svg`` and ``math``, and those in them that hold
    HTML. ``bases`` are the folders that relative references may start from; None is one of another site.
    """

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.writer = Writer(text)
        self.values = Values(text, self.writer, "html", _unescape)
        self.open: list[bytes] = []
        self.bases: list[str | None] = []

    @property
    def foreign(self) -> bool:
        return bool(self.open) and self.open[-1] in _FOREIGN

    def run(self) -> Draft:
        self._read()
        # The first counts, and for what stands before it as well (HTML section 2.4.3).
        base = self.bases[0] if self.bases else ""
        return whole(self.text) if base is None else self.writer.draft(base)

    def _read(self) -> None:
        text, position = self.text, 0
        while markup := (_IN_SVG if self.foreign else _IN_HTML).search(text, position):
            position = markup.end()
            if markup.lastgroup != "name":
                continue
            name = markup["name"].lower()
            tag = TAG.match(text, position)
            if tag is None or (name == b"plaintext" and not self.foreign):
                return
            start, position = position, tag.end()
            if markup["end"]:
                self._leave(name)
                continue
            found = attributes(text, start, position, fold=True)
            foreign = self._enter(name, found, empty=bool(tag[1]))
            self._attributes(name, found, foreign)
            if foreign:
                if name in (b"script", b"style") and not tag[1]:
                    self._content(name, found, content(text, position, _IN_SVG))
            elif name in _RAW:
                end = self._end_of_raw(name, position)
                self._content(name, found, [(position, end, False)])
                position = end

    def _enter(self, name: bytes, found: Attributes, *, empty: bool) -> bool:
        """Keep ``open`` at a start tag; whether its element is one of SVG or MathML."""
        if self.foreign and (name in _BREAKOUT or (name == b"font" and found.keys() & {b"color", b"face", b"size"})):
            while self.foreign:
                self.open.pop()
        foreign = self.foreign or name in _FOREIGN
        opens = name in _FOREIGN or (self.foreign and name in _FOREIGN[self.open[-1]])
        if opens and not empty and len(self.open) < _DEEPEST:
            self.open.append(name)
        return foreign

    def _leave(self, name: bytes) -> None:
        if name in self.open:
            while self.open.pop() != name:
                pass
        elif name in (b"p", b"br"):
            while self.foreign:
                self.open.pop()

    def _end_of_raw(self, name: bytes, position: int) -> int:
        """Where the end tag of an element begins whose content is no markup."""
        if name != b"script":
            end = _RAW[name].search(self.text, position)
            return end.start() if end else len(self.text)
        # Between "<!--" and "-->", an end tag is matched with a start tag (HTML section 13.2.5.17 and on).
        commented = nested = False
        while token := _SCRIPT.search(self.text, position):
            position = token.end()
            if token[0] == b"<!--":
                commented = True
                position -= 2
            elif token[0] == b"-->":
                commented = nested = False
            elif token[1] and not nested:
                return token.start()
            else:
                nested = commented and not token[1]
        return len(self.text)

    def _attributes(self, name: bytes, found: Attributes, foreign: bool) -> None:
        values = self.values
        for attribute, (start, end) in found.items():
            if start == end:
                pass
            elif attribute == b"style":
                values.style(start, end)
            elif attribute == b"integrity" and name in _CHECKED:
                self.writer.digest(start, end, values.decoded(found.get(_CHECKED[name])), "html")
            elif foreign:
                if attribute in (b"href", b"xlink:href"):
                    values.url(start, end, "page" if name == b"a" else "url")
                else:
                    values.presentation(start, end)
            elif manner := _URLS.get(attribute, {}).get(name):
                values.url(start, end, manner)
            elif (name, attribute) in _SRCSETS:
                values.srcset(start, end)
            elif name == b"link" and attribute == b"href":
                rel = values.decoded(found.get(b"rel")).lower().split()
                values.url(start, end, "url" if any(map(_LOADED.fullmatch, rel)) else "page")
            elif name == b"meta" and attribute == b"content":
                keys = [values.decoded(found.get(key)) for key in (b"property", b"name", b"itemprop")]
                if any(_META.fullmatch(word) for key in keys for word in key.split()):
                    values.url(start, end)
        if name == b"base" and b"href" in found and not foreign:
            self.bases.append(_folder(values.decoded(found[b"href"])))

    def _content(self, name: bytes, found: Attributes, spans: list[Span]) -> None:
        kind = self.values.decoded(found.get(b"type")).lower()
        if name == b"style" and kind in ("", "text/css"):
            self.values.css(*spans)
        elif name == b"script" and not found.keys() & {b"src", b"href", b"xlink:href"}:
            if JAVASCRIPT.fullmatch(kind):
                self.values.js(*spans)
            elif kind == "importmap" and len(spans) == 1:
                self._import_map(*spans[0][:2])
        self.writer.end_text()

    def _import_map(self, start: int, end: int) -> None:
        """The URLs that names lead to (HTML section 8.1.6.2), but those of folders; other values are no URLs."""
        try:
            found = list(strings(self.text, start, end))
        except ValueError:
            return
        for way, first, last in found:
            if way and _URLS_AT_DEPTH.get(way[0]) == len(way) and None not in way:
                url = json_unescape(self.text[first:last].decode(errors="replace"))
                if url.startswith(("/", "./", "../")) and not url.endswith("/"):
                    self.writer.refer(first, last, "html", json_unescape)


def _folder(base: str) -> str | None:
    """What relative references start from, by the ``href`` of ``base``; None where that is another site."""
    split = split_reference(base)
    if split is None:
        return "" if base[:1] in ("", "?", "#") else None
    path = split[0].replace("\\", "/")
    folder, slash, last = path.rpartition("/")
    return f"{path}/" if last in (".", "..") else folder + slash
