"""Tags for templates, safe by construction: every value is escaped, every attribute name checked.

Of each asset that a page names, the page also remembers what a content security policy must allow for it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import normalize

from markupsafe import Markup, escape

from assetpipe import media
from assetpipe.errors import TagError
from assetpipe.manifest import import_map
from assetpipe.paths import Digest, LogicalPath, rooted
from assetpipe.serve import pictures
from assetpipe.serve.policy import Policy, hash_of, nonce_source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from assetpipe.manifest import Asset, Manifest
    from assetpipe.serve.pictures import Candidate, Picture

Attribute = str | int | float | bool | None
_ATTRIBUTE = re.compile(r"[A-Za-z_:@][A-Za-z0-9_:.@-]*\Z")
_INLINE_LIMIT = 32 * 1024  # bytes; more than that is better fetched once than sent with every page
# What people write of a picture, and what HTML has.
_MEANT = {"size": 'sizes="50vw"', "lazy": 'loading="lazy"', "srcset": "widths=[480, 960]", "class": 'class_="card"'}
# Preload's destinations (Fetch section 2.2.7) by media type; anything else is fetched by script.
_DESTINATIONS = {"text/css": "style", "text/javascript": "script", "text/vtt": "track"}
# The directives of a policy (CSP level 3) by destination.
_DIRECTIVES = {
    "style": "style-src",
    "script": "script-src",
    "font": "font-src",
    "image": "img-src",
    "audio": "media-src",
    "video": "media-src",
    "track": "media-src",
    "fetch": "connect-src",
    "manifest": "manifest-src",
}
# Ends the element that the text is in, or begins what changes how it ends (HTML section 13.2.5.4).
_ENDS = {"style": re.compile(r"</style", re.I), "script": re.compile(r"</script|<!--", re.I)}


class View(NamedTuple):
    """What is served now, and where to.

    ``manifest`` is None where the sources are served as they are. ``base`` is what comes before each URL path: the
    mount point, or the host of a CDN, which ``source`` then names for a content security policy. Names that do not
    begin with a slash are below ``prefix``. ``read`` gives the bytes of the asset at a logical path; ``imports`` are
    the bare specifiers where there is no manifest, ``thumbnails`` the sets of images that there will be. ``missing`` is
    told of paths that no asset has.
    """

    manifest: Manifest | None
    base: str
    source: str
    prefix: str
    read: Callable[[str], bytes]
    imports: Mapping[str, str] = {}
    missing: Callable[[str], None] = lambda _: None
    thumbnails: Collection[str] = ()


class Page:
    """The assets of one page: their tags, and what the page needs for them."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._used: dict[str, None] = {}
        self._allowed: dict[str, dict[str, None]] = {}
        self._styles: dict[str, None] = {}
        self._preloaded: set[str] = set()

    def url(self, name: str) -> str:
        """The URL of an asset; that of the source itself where nothing is built."""
        path = self._path(name)
        asset = self._asset(path)
        if asset is None and path not in self._used:
            self._view.missing(path)
        self._used[path] = None
        return self._view.base + rooted(LogicalPath(asset.url if asset else path))

    def stylesheet(self, name: str, **attributes: Attribute) -> Markup:
        """Write ``<link rel="stylesheet">`` with its digest, and preloads of the sheets that it imports."""
        # What a sheet imports is fetched without a digest, and in no CORS mode: so must its preload be.
        ahead = [_tag("link", {"rel": "preload", "as": "style", "href": self.url(p)}) for p in self._ahead(name)]
        own = {"rel": "stylesheet", "href": self.url(name), **self._checked(name, attributes)}
        return Markup("\n").join([*ahead, _tag("link", own)])

    def script(self, name: str, *, module: bool = False, **attributes: Attribute) -> Markup:
        """Write ``<script src>`` with its digest; of a module also ``modulepreload`` links of what it imports."""
        kind = {"type": "module"} if module or name.endswith(".mjs") else {}
        ahead = self._modules_ahead(name, attributes) if kind else []
        own = {**kind, "src": self.url(name), **self._checked(name, attributes)}
        return Markup("\n").join([*ahead, _tag("script", own, "")])

    def preload(
        self, name: str, *, sizes: str = "", widths: Sequence[int] = (), thumbnail: str = "", **attributes: Attribute
    ) -> Markup:
        """Write ``<link rel="preload">`` for what the page is going to need (HTML section 4.6.7.20).

        With ``sizes``, ``widths`` or ``thumbnail`` for what ``picture`` shows with the same.
        """
        told = self._preloading(name)
        if sizes or widths or thumbnail:
            # Of the format that comes first there alone: browsers pass over a type that they do not know.
            picture = self._picture(name, widths, thumbnail)
            kind, candidates = next(iter((*picture.sources, *picture.formats.items())))
            told = {"as": "image", "type": kind or None, **self._srcset(candidates, sizes or "100vw", "image")}
        return _tag("link", {"rel": "preload", **told, **_named(attributes)})

    def modulepreload(self, name: str, **attributes: Attribute) -> Markup:
        """Write ``<link rel="modulepreload">`` for a module and for what it imports."""
        own = {"rel": "modulepreload", "href": self.url(name), **self._checked(name, attributes)}
        return Markup("\n").join([*self._modules_ahead(name, attributes), _tag("link", own)])

    def importmap(self, **attributes: Attribute) -> Markup:
        """Write ``<script type="importmap">`` of the configured imports (HTML section 8.1.5.2), before any module."""
        manifest, base = self._view.manifest, self._view.base
        told = import_map(manifest)["imports"] if manifest is not None else self._view.imports
        text = _json({"imports": {specifier: base + url for specifier, url in told.items()}})
        return self._inlined("script", text, {"type": "importmap", **_named(attributes)})

    def inline(self, name: str, **attributes: Attribute) -> Markup:
        """Write a small style sheet, script, JSON or SVG into the page itself.

        Raises TagError for what cannot be: too large, other types, files that refer to others by paths that would not
        hold in the page, and text that would end its own element.
        """
        path = self._path(name)
        kind = media.media_type(path.rpartition("/")[2]).partition(";")[0]
        asset = self._asset(path)
        if asset is not None and asset.refs:
            raise TagError(f"{path} cannot be inlined: it refers to {asset.refs[0]}. Link it instead.")
        # Known before it is read: what is too large must not drive all else out of the memory.
        data = self._view.read(path) if asset is None or asset.size <= _INLINE_LIMIT else b""
        if (size := asset.size if asset is not None else len(data)) > _INLINE_LIMIT:
            raise TagError(
                f"{path} cannot be inlined: it has {size:,} bytes, and every page would carry more than "
                f"{_INLINE_LIMIT:,}. Link it instead: browsers keep it."
            )
        text = _parsed(data.decode("utf-8-sig", errors="replace"))
        if kind == "text/css":
            return self._inlined("style", text, _named(attributes))
        if kind == "text/javascript":
            return self._inlined("script", text, _named(attributes))
        if kind.endswith("json"):
            return self._inlined("script", _unended(text), {"type": kind, **_named(attributes)})
        if kind == "image/svg+xml":
            # What comes before the root is XML's alone.
            return Markup(text[max(0, text.find("<svg")) :])  # noqa: S704 (the developer's own file, as a linked one is)
        raise TagError(f"{path} cannot be inlined: it is {kind}. Style sheets, scripts, JSON and SVG can.")

    def picture(
        self,
        name: str,
        *,
        alt: str | None = None,
        sizes: str = "",
        widths: Sequence[int] = (),
        thumbnail: str = "",
        placeholder: bool = True,
        **attributes: Attribute,
    ) -> Markup:
        """Write ``<picture>`` with a source for each format worth one, and its size in pixels, so that nothing moves.

        ``widths`` and ``thumbnail`` choose from what was made. ``sizes`` says how wide it is shown; ``auto`` leaves
        that to the browser, where the picture is lazy. Lazy it is only on request: the largest picture that one sees
        first must not wait for the layout, and only the page knows which that is. Raises TagError without ``alt``, and
        for what was not made.
        """
        path = self._path(name)
        # What is undefined in a template is neither None nor a text, and yet written as nothing.
        if alt is None or isinstance(alt, bool) or not (isinstance(alt, str) or str(alt)):
            raise TagError(
                f"{path} has no `alt`, for those who do not see it: by a screen reader, or when it does not load. "
                'Say what it shows, as in alt="A red boat in the harbour"; of mere decoration, alt="".'
            )
        if wrong := attributes.keys() & _MEANT.keys():
            raise TagError(f"{path}: an image has no attribute `{min(wrong)}`. Write {_MEANT[min(wrong)]}.")
        picture = self._picture(name, widths, thumbnail)
        shown = picture.fallback[-1]
        told: dict[str, Attribute] = {"decoding": "async", **_named(attributes)}
        image = {"src": self._at(shown), "alt": alt, **pictures.dimensions(shown.width, shown.height, told), **told}
        sizes = pictures.shown_width(path, sizes or "", image)
        sources = [{"type": kind, **self._srcset(each, sizes)} for kind, each in picture.sources]
        if len(picture.fallback) > 1:
            image |= self._srcset(picture.fallback, sizes)
        elif sizes.startswith("auto") and any("sizes" in source for source in sources):
            image["sizes"] = sizes  # only then does it count for the sources (HTML section 4.8.3: "allows auto-sizes")
        if placeholder:
            image |= self._placeholder(path, str(image.get("style") or ""), is_cut=bool(thumbnail))
        tag = _tag("img", image)
        if not sources:
            return tag
        return Markup("<picture>") + Markup().join(_tag("source", one) for one in sources) + tag + Markup("</picture>")

    def srcset(self, name: str, *, format: str = "", widths: Sequence[int] = (), thumbnail: str = "") -> str:  # noqa: A002
        """The value of a ``srcset`` or ``imagesrcset`` in markup of your own, which needs ``sizes``, too.

        ``format`` is one that was made, as in ``"avif"``; without it WebP, which all browsers know. What was not kept
        of a format because it was no smaller, the original stands in for.
        """
        picture = self._picture(name, widths, thumbnail)
        kind = f"image/{format or 'webp'}"
        if format and kind not in picture.formats:
            pictures.check_format(self._path(name), self._release(), format)
        return ", ".join(
            f"{self._at(one)} {one.width}w" if one.width else self._at(one)
            for one in picture.formats.get(kind, picture.fallback)
        )

    def link_header(self, *names: str) -> str:
        """Spell preloads as the value of a Link field (RFC 8288), for a response or for 103 Early Hints."""
        links = []
        for name in names:
            told = self._preloading(name)
            url = str(told.pop("href")).replace(">", "%3E")
            parameters = "".join(f'; {key}="{value}"' for key, value in {"rel": "preload", **told}.items())
            links.append(f"<{url}>{parameters}")
        return ", ".join(links)

    def content_security_policy(
        self, policy: Mapping[str, str | Sequence[str]] | None = None, *, nonce: str = ""
    ) -> str:
        """Spell a policy that allows the assets named so far in this page, and all that they refer to.

        ``policy`` has the directives that the page needs beside. A directive that it lacks begins as its
        ``default-src``, which would no longer count for it. ``nonce`` is allowed for scripts and styles.
        Raises TagError for what would end a directive.
        """
        told = Policy(policy or {})
        for directive, sources in self._needed(nonce):
            told.allow(directive, sources)
        if self._styles:
            told.allow_styles(self._styles)
        return told.spell()

    def _needed(self, nonce: str) -> Iterator[tuple[str, Iterable[str]]]:
        """What the assets used need: directives, and the sources that these must allow."""
        reached = dict(self._used)
        waiting = list(reached)
        while waiting:
            asset = self._asset(waiting.pop())
            for path in asset.refs if asset is not None else ():
                # Source maps are for the browser's tools, which no policy holds back.
                if path not in reached and not path.endswith(".map"):
                    reached[path] = None
                    waiting.append(path)
        for directive in sorted({_DIRECTIVES[_destination(path)] for path in reached}):
            yield directive, [self._view.source]
        yield from self._allowed.items()
        if nonce:
            yield from ((directive, [nonce_source(nonce)]) for directive in ("script-src", "style-src"))

    def _path(self, name: str) -> str:
        try:
            return LogicalPath(normalize("NFC", name if name.startswith("/") else self._view.prefix + name))
        except ValueError as error:
            raise TagError(f"{name!r} is not the name of a file") from error

    def _asset(self, path: str) -> Asset | None:
        return self._view.manifest.assets.get(path) if self._view.manifest is not None else None

    def _release(self) -> Iterable[Asset]:
        return self._view.manifest.assets.values() if self._view.manifest is not None else ()

    def _picture(self, name: str, widths: Sequence[int], thumbnail: str) -> Picture:
        path = self._path(name)
        if _destination(path) != "image":
            raise TagError(f"{path} is no picture, but {media.media_type(path.rpartition('/')[2])}.")
        self.url(name)
        asset = self._asset(path)
        if asset is None:
            if thumbnail and self._view.manifest is None:
                pictures.check_name(path, thumbnail, self._view.thumbnails)
            return pictures.unbuilt(path)
        return pictures.choose(path, asset, self._release(), widths or (), thumbnail)

    def _at(self, candidate: Candidate) -> str:
        return self._view.base + rooted(LogicalPath(candidate.url))

    def _srcset(self, candidates: Sequence[Candidate], sizes: str, prefix: str = "") -> dict[str, Attribute]:
        """The two attributes by which a browser chooses (HTML section 4.8.4.2.1); where there is no choice, the one.

        Percent-encoded as it is, no URL has the blanks and commas that would end it.
        """
        if len(candidates) == 1:
            return {f"{prefix}srcset": self._at(candidates[0])}
        srcset = ", ".join(f"{self._at(one)} {one.width}w" for one in candidates)
        return {f"{prefix}srcset": srcset, f"{prefix}sizes": sizes}

    def _placeholder(self, path: str, style: str, *, is_cut: bool) -> dict[str, Attribute]:
        """The style of an image until it is there, which the page's policy then allows.

        Of what may be cut, a blur of the whole would show other parts at other places.
        """
        asset = self._asset(path)
        if asset is None or (is_cut and asset.placeholder.startswith("data:")):
            return {}
        if not (style := pictures.placeholder_style(asset.placeholder, style)):
            return {}
        self._styles[hash_of(_parsed(style))] = None
        if asset.placeholder.startswith("data:"):
            self._allowed.setdefault("img-src", {})["data:"] = None
        return {"style": style}

    def _checked(self, name: str, attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
        """The attributes of an element that fetches, with those by which the browser checks what it gets."""
        told = _named(attributes)
        asset = self._asset(self._path(name))
        # A URL that can come to mean other bytes has no digest.
        fixed = asset is not None and (asset.immutable or asset.url != self._path(name))
        digest = Digest(asset.sha256).integrity if asset is not None and fixed else None
        if self._view.source != "'self'":
            # Without it, a digest cannot be checked across origins (Subresource Integrity section 3.5).
            told.setdefault("crossorigin", "anonymous")
        if told.get("integrity") is True:
            del told["integrity"]
        return {"integrity": digest, **told}

    def _preloading(self, name: str) -> dict[str, Attribute]:
        """The attributes of a preload: they must be those of the fetch that will use it."""
        path = self._path(name)
        kind = media.media_type(path.rpartition("/")[2]).partition(";")[0]
        destination = _destination(path)
        told: dict[str, Attribute] = {"href": self.url(name), "as": destination, "type": kind}
        if destination in ("style", "script"):
            told |= {key: value for key, value in self._checked(name, {}).items() if value is not None}
        elif destination in ("font", "fetch"):
            told["crossorigin"] = "anonymous"
        return told

    def _modules_ahead(self, name: str, attributes: Mapping[str, Attribute]) -> list[Markup]:
        shared = {key: value for key, value in attributes.items() if key in ("crossorigin", "nonce")}
        # A module can import JSON and style sheets, too: those are no modules to preload (HTML section 4.6.7.10).
        return [
            _tag("link", {"rel": "modulepreload", "href": self.url(path), **self._checked(path, shared)})
            for path in self._ahead(name)
            if _destination(path) == "script"
        ]

    def _ahead(self, name: str) -> Iterator[str]:
        """What an asset imports, and what that imports, each once a page: a browser would learn of it too late."""
        path = self._path(name)
        seen = {path}
        waiting = [path]
        for path in waiting:
            asset = self._asset(path)
            for imported in asset.imports if asset is not None else ():
                if imported not in seen and self._asset(imported) is not None:
                    seen.add(imported)
                    waiting.append(imported)
        for path in waiting[1:]:
            if path not in self._preloaded:
                self._preloaded.add(path)
                yield path

    def _inlined(self, element: str, text: str, attributes: Mapping[str, Attribute]) -> Markup:
        if found := _ENDS[element].search(text):
            raise TagError(f'a {element} element cannot hold the text "{found[0]}": it would end there. Link the file.')
        self._allowed.setdefault(f"{element}-src", {})[hash_of(text)] = None
        return _tag(element, attributes, text)


def _destination(path: str) -> str:
    kind = media.media_type(path.rpartition("/")[2]).partition(";")[0]
    if kind == "application/vnd.ms-fontobject":
        return "font"
    if kind == "application/manifest+json":
        return "manifest"
    family = kind.partition("/")[0]
    return _DESTINATIONS.get(kind) or (family if family in ("font", "image", "audio", "video") else "fetch")


def _parsed(text: str) -> str:
    """What a browser's parser makes of text before it is digested for a policy (HTML section 13.2.3.5)."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


def _named(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Attributes as HTML names them: ``class_`` is class, ``data_size`` is data-size."""
    return {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}


def _tag(name: str, attributes: Mapping[str, Attribute], text: str | None = None) -> Markup:
    """Write an element; attributes that are None or False are left out, those that are True have no value."""
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if not _ATTRIBUTE.match(key):
            raise TagError(f"not the name of an attribute: {key!r}")
        if value is True:
            parts.append(f" {key}")
        elif value is not None and value is not False:
            parts.append(f' {key}="{escape(str(value))}"')
    parts.append(">" if text is None else f">{text}</{name}>")
    return Markup("".join(parts))  # noqa: S704 (escaped above; the text was checked to stay in its element)


def _json(value: object) -> str:
    return _unended(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _unended(text: str) -> str:
    """JSON that cannot end its element: a "<" is only ever within a string."""
    return text.replace("<", "\\u003c")
