"""SVG drawings of strangers, written anew of what is known to be harmless.

1. Expat reads the text. A DOCTYPE, and so any entity, ends it.
2. Whatever is not on the lists below is refused where it does something (scripts, handlers, links, embedded and
   external content), and otherwise left out: metadata, comments, the notes that drawing programs make for themselves.
3. References may lead to fragments of the drawing only, and not unfold into more than a browser can draw.
4. What is left is written anew. So no other parser gets to see what this one did not: the bytes that are published are
   ours, and hold nothing but elements and attributes of these lists.

The lists say what may be there (SVG 2, CSS modules), since nobody can list all that may not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from assetpipe.uploads.errors import UploadError

if TYPE_CHECKING:
    from collections.abc import Iterator


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_XML = "http://www.w3.org/XML/1998/namespace"
# Elements of these do something in a browser; those of all other vocabularies are a program's notes to itself.
_ACTIVE = (
    "http://www.w3.org/1999/xhtml",
    "http://www.w3.org/1998/Math/MathML",
    "http://www.w3.org/1999/XSL/Transform",
    "http://www.w3.org/2001/XInclude",
    "http://www.w3.org/2001/xml-events",
    "http://www.mozilla.org/xbl",
    "http://www.w3.org/ns/xbl",
)
_TEXTS = {"text", "tspan", "textPath", "title", "desc", "style"}
_REFERRING = {"use", "linearGradient", "radialGradient", "pattern", "textPath", "mpath", "filter"}
_ANIMATING = {"animate", "animateMotion", "animateTransform", "set"}
_ELEMENTS = (
    _TEXTS
    | _REFERRING
    | _ANIMATING
    | _words(
        """
    circle clipPath defs ellipse g line marker mask path polygon polyline rect stop svg switch symbol view
    feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap
    feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode
    feMorphology feOffset fePointLight feSpecularLighting feSpotLight feTile feTurbulence
    """
    )
)
# Left out with all that is in them.
_SILENT = {"metadata"}
_DRAWN = _words(
    """
    alignment-baseline baseline-shift clip clip-path clip-rule color color-interpolation
    color-interpolation-filters cx cy d direction display dominant-baseline fill fill-opacity fill-rule filter
    flood-color flood-opacity font-family font-size font-size-adjust font-stretch font-style font-variant
    font-weight height image-rendering isolation letter-spacing lighting-color marker-end marker-mid
    marker-start mask mask-type mix-blend-mode opacity overflow paint-order points r rx ry shape-rendering
    stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin
    stroke-miterlimit stroke-opacity stroke-width text-anchor text-decoration text-overflow text-rendering
    transform transform-origin unicode-bidi vector-effect visibility white-space width word-spacing writing-mode
    x x1 x2 y y1 y2 amplitude azimuth baseFrequency bias diffuseConstant divisor dx dy edgeMode elevation
    exponent fr fx fy gradientTransform gradientUnits in in2 intercept k1 k2 k3 k4 kernelMatrix kernelUnitLength
    lengthAdjust limitingConeAngle markerHeight markerUnits markerWidth maskContentUnits maskUnits mode
    numOctaves offset operator order orient pathLength patternContentUnits patternTransform patternUnits
    pointsAtX pointsAtY pointsAtZ preserveAlpha preserveAspectRatio primitiveUnits radius refX refY result
    rotate scale seed slope spacing specularConstant specularExponent spreadMethod startOffset stdDeviation
    stitchTiles surfaceScale tableValues targetX targetY textLength viewBox xChannelSelector yChannelSelector z
    """
)
_ATTRIBUTES = _DRAWN | _words(
    """
    accumulate additive attributeName attributeType baseProfile begin by calcMode class clipPathUnits dur end
    filterUnits from id keyPoints keySplines keyTimes lang max media method min path repeatCount repeatDur
    restart role side style to type values version
    """
)
# CSS Values and Units, Color, Transforms, Shapes, Filter Effects, Selectors: what fetches nothing.
_FUNCTIONS = _words(
    """
    rgb rgba hsl hsla hwb lab lch oklab oklch color color-mix calc min max clamp var env matrix matrix3d
    translate translatex translatey scale scalex scaley rotate skew skewx skewy perspective cubic-bezier steps
    linear path polygon circle ellipse inset blur brightness contrast drop-shadow grayscale hue-rotate invert
    opacity saturate sepia and or not is where has nth-child nth-last-child nth-of-type nth-last-of-type lang
    """
)
_RULES = {"@media", "@keyframes", "@-webkit-keyframes", "@supports"}
_FRAGMENT = re.compile(r"#([^\s#()'\"<>\\]+)\Z")
# CSS Syntax section 4.3, as far as it matters: nothing is a comment in a string or an unquoted URL. An escape could
# spell anything, and what is open at the end could hold anything.
_TOKEN = re.compile(
    r"/\*.*?\*/"
    r"|\"[^\"\\\n\r\f]*+\"|'[^'\\\n\r\f]*+'"
    r"|(?i:url)\(\s*+(?:#(?P<plain>[^\s#()'\"<>\\]++)|(?P<mark>['\"])#(?P<quoted>[^\s#()'\"<>\\]++)(?P=mark))\s*+\)"
    r"|(?P<rule>@[-\w]*+)"
    r"|(?P<name>[-\w\u0080-\U0010ffff]++)(?P<call>\()?"
    r"|(?P<stray>[\"'\\]|/\*)"
    r"|.",
    re.DOTALL,
)
# A selector list whose every name says plainly whom it speaks of.
_PLAIN = re.compile(r"[-\w\u0080-\U0010ffff.#, \t\n\r\f>+~]*\Z")
_SUBJECT = re.compile(r"[.#]?[-\w\u0080-\U0010ffff]+")
_ANYBODY = "*"
_BLANKS = " \t\n\r\f"
# At least one for each vertex of a path.
_VERTEX = re.compile(r"\.?[0-9]+|[zZ]")
# What the references of a sheet do not show in.
_UNPAINTED = re.compile(r"stop|(?:linear|radial)Gradient|filter|fe[A-Z]\w*|style|title|desc|animate\w*|set|mpath")
_LENGTH = re.compile(r"\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)(?:px)?\s*\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{0,6}\.?[0-9]{1,6}\Z", re.ASCII)
_DEPTH = 128
_MOST_ELEMENTS = 100_000  # when all references are unfolded
_MOST_STYLES = 2_000_000  # characters, since each is looked at
_HIDDEN = "styles in a spelling that hides what they do"
_AGAIN = "Export it as a plain SVG, and send that; or send it as a PNG."


class Drawing(Struct, frozen=True):
    """A drawing that is safe to publish, and its size in pixels (0 where it has none)."""

    data: bytes
    width: int
    height: int


class _Element:
    __slots__ = ("attributes", "children", "name", "references", "vertices", "weight")

    def __init__(self, name: str) -> None:
        self.name = name
        self.attributes: list[tuple[str, str]] = []
        self.children: list[_Element | str] = []
        self.references: list[str] = []
        # Elements that a browser meets when it draws this one; None while that is not known, -1 while it is counted.
        self.weight: int | None = None
        self.vertices = 0  # of paths in it


def clean(data: bytes) -> Drawing:
    """Write a drawing anew. Raises UploadError: ``unsafe`` or ``broken``."""
    reader = _Reader()
    root = reader.read(data)
    _weigh(root, reader.sheet)
    out = [f'<svg xmlns="{_SVG}"']
    if any(key.startswith("xlink:") for one in _all(root) for key, _ in one.attributes):
        out.append(f' xmlns:xlink="{_XLINK}"')
    _write(root, out)
    return Drawing("".join(out).encode(), *_size(dict(root.attributes)))


class _Reader:
    """Reads the elements that may be there."""

    def __init__(self) -> None:
        self._open: list[_Element] = []
        self._root: _Element | None = None
        self._space = _SVG
        # How deep we are in what is left out.
        self._silent = 0
        self._count = self._styles = 0
        # What the style sheets refer to, and for whom: ".class", "#id", an element's name, or _ANYBODY.
        self.sheet: dict[str, dict[str, None]] = {}

    def read(self, data: bytes) -> _Element:
        from xml.parsers import expat

        parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise UploadError("broken", f"This drawing is damaged: {error}. {_AGAIN}") from error
        assert self._root is not None
        return self._root

    def _doctype(self, *_: object) -> None:
        raise _unsafe("a document type, which can hold anything")

    def _instruction(self, target: str, _: str) -> None:
        if target.lower() == "xml-stylesheet":
            raise _unsafe("a style sheet of its own")

    def _start(self, name: str, attributes: list[str]) -> None:
        space, _, local = name.rpartition(" ")
        if len(self._open) + self._silent >= _DEPTH:
            raise UploadError("unsafe", f"This drawing has elements in each other more than {_DEPTH} deep. {_AGAIN}")
        if space in _ACTIVE:
            raise _unsafe("content of a web page")
        if self._root is None:
            if local != "svg" or space not in ("", _SVG):
                raise UploadError("broken", f"This is no SVG drawing: its first element is another. {_AGAIN}")
            self._space = space  # none, where it was copied out of a page: browsers show it only as we write it
        if self._silent or space != self._space or local in _SILENT:
            self._silent += 1
            return
        if local not in _ELEMENTS:
            raise _unsafe(_named(local))
        self._count += 1
        if self._count > _MOST_ELEMENTS:
            raise _complicated()  # before they fill the memory
        element = _Element(local)
        for key, value in zip(attributes[::2], attributes[1::2], strict=True):
            self._attribute(element, key, value)
        if self._open:
            self._open[-1].children.append(element)
        elif self._root is None:
            self._root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        if self._silent:
            self._silent -= 1
            return
        element = self._open.pop()
        if element.name == "style":
            if not all(isinstance(child, str) for child in element.children):
                raise _unsafe("elements within its style")
            for name, fragments in _ruled(self._styled("".join(map(str, element.children)))).items():
                self.sheet.setdefault(name, {}).update(fragments)
        elif (
            element.name in _ANIMATING
            and element.references
            and any(key.endswith("href") for key, _ in element.attributes)
        ):
            raise _unsafe("an animation of another element's references")

    def _text(self, text: str) -> None:
        if not self._silent and self._open and self._open[-1].name in _TEXTS:
            self._open[-1].children.append(text)

    def _attribute(self, element: _Element, key: str, value: str) -> None:
        space, _, local = key.rpartition(" ")
        if local == "href" and space in ("", _XLINK):
            if element.name not in _REFERRING | _ANIMATING:
                raise _unsafe("links")
            fragment = _FRAGMENT.match(value)
            if fragment is None:
                raise _unsafe("references to something outside of it")
            # An animation refers to what it changes: drawn is that only once.
            if element.name not in _ANIMATING:
                element.references.append(fragment[1])
            element.attributes.append(("xlink:href" if space else "href", value))
        elif space == _XML and local in ("lang", "space"):
            element.attributes.append((f"xml:{local}", value))
        elif space:
            return  # a program's note to itself
        elif local.lower().startswith("on"):
            raise _unsafe("scripts")
        elif local == "attributeName" and value.strip() not in _DRAWN:
            raise _unsafe(f'an animation of "{value[:40]}"')
        elif local in _ATTRIBUTES:
            if local == "style" or "(" in value or "\\" in value:
                element.references += [one for _, one in _tokens(self._styled(value)) if one]
            element.attributes.append((local, value))
        elif local.startswith("aria-") and re.fullmatch(r"[a-z-]+", local):
            element.attributes.append((local, value))

    def _styled(self, text: str) -> str:
        self._styles += len(text)
        if self._styles > _MOST_STYLES:
            raise _complicated()
        return text


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """The tokens of a piece of CSS, each with the fragment that it refers to, if it does.

    Raises UploadError where it could fetch or run anything.
    """
    for token in _TOKEN.finditer(text):
        fragment = token["plain"] or token["quoted"] or ""
        if fragment:
            pass
        elif token["rule"] and token["rule"].lower() not in _RULES:
            raise _unsafe(f'the style rule "{token["rule"][:40]}"')
        elif token["call"]:
            name = token["name"].lower()
            if name == "url":
                raise _unsafe("references to something outside of it")
            if name not in _FUNCTIONS:
                raise _unsafe(f'the style function "{name[:40]}"')
        elif token["stray"]:
            raise _unsafe(_HIDDEN)
        yield token[0], fragment


def _ruled(text: str) -> dict[str, dict[str, None]]:
    """The fragments that a style sheet refers to, by the names of those it may do it for. Raises UploadError."""
    found: dict[str, dict[str, None]] = {}
    blocks: list[set[str]] = []
    prelude: list[str] = []
    brackets = 0
    for piece, fragment in _tokens(text):
        if piece in ("{", "}", ";"):
            if brackets:
                raise _unsafe(_HIDDEN)
            if piece == "{":
                if len(blocks) == _DEPTH:
                    raise _complicated()
                blocks.append(_subjects("".join(prelude)))
                if len(blocks) > 1 and "keyframes" in blocks[-2]:
                    blocks[-1] |= blocks[-2]  # the steps of an animation: anybody may be moved by it
            elif piece == "}" and blocks:
                blocks.pop()
            prelude = []
        else:
            brackets = max(0, brackets + (piece[-1] in "([") - (piece in ")]"))
            prelude.append(" " if piece.startswith("/*") else piece)
        for name in (blocks[-1] if blocks else {_ANYBODY}) if fragment else ():
            found.setdefault(name, {})[fragment] = None
    return found


def _subjects(selectors: str) -> set[str]:
    """Names of which an element must have one, for a list of selectors to speak of it."""
    if not _PLAIN.match(selectors):
        return {_ANYBODY, "keyframes"} if "keyframes" in selectors.lower() else {_ANYBODY}
    found = set()
    for selector in selectors.split(","):
        compound = re.split(r"[ \t\n\r\f>+~]+", selector.strip(_BLANKS))[-1]
        found.update(_SUBJECT.findall(compound) or [_ANYBODY])
    return found


def _weigh(root: _Element, sheet: dict[str, dict[str, None]]) -> None:
    """Refuse what unfolds into more than a browser can draw, or refers to itself."""
    named: dict[str, _Element] = {}
    # Of equal ids the first counts, as in browsers.
    for element in _all(root):
        for key, value in element.attributes:
            if key == "id":
                named.setdefault(value, element)
    is_marked = any(element.name == "marker" for element in named.values())
    waiting = [root]
    met = 0
    while waiting:
        element = waiting[-1]
        if element.weight is not None and element.weight >= 0:
            waiting.pop()
            continue
        parts = [child for child in element.children if isinstance(child, _Element)]
        # In a URL any letter may be percent-encoded.
        names = [told for name in _referred(element, sheet) for told in {name, unquote(name)}]
        referred = [named[name] for name in names if name in named]
        parts += referred
        met += len(parts)
        if met > 10 * _MOST_ELEMENTS:
            raise _complicated()
        if element.weight is None:
            element.weight = -1
            for part in parts:
                if part.weight is None:
                    waiting.append(part)
                elif part.weight < 0:
                    raise _unsafe("references to itself")
            continue
        if any(part.weight is None or part.weight < 0 for part in parts):
            raise _unsafe("references to itself")
        element.vertices = sum(part.vertices for part in parts)
        if is_marked:
            element.vertices += sum(len(_VERTEX.findall(v)) for k, v in element.attributes if k in ("d", "points"))
        # A marker is drawn at each vertex, of what is within the element, too.
        again = sum(part.weight or 0 for part in referred if part.name == "marker") * element.vertices
        element.weight = 1 + sum(part.weight or 0 for part in parts) + again
        waiting.pop()
        if element.weight > _MOST_ELEMENTS:
            raise _complicated()


def _referred(element: _Element, sheet: dict[str, dict[str, None]]) -> list[str]:
    """The fragments that an element refers to, by itself or by a style sheet."""
    found = element.references.copy()
    if sheet and not _UNPAINTED.fullmatch(element.name):
        told = dict(element.attributes)
        names = [
            _ANYBODY,
            element.name,
            f"#{told.get('id', '')}",
            *(f".{one}" for one in re.split(f"[{_BLANKS}]+", told.get("class", ""))),
        ]
        found += [fragment for name in dict.fromkeys(names) for fragment in sheet.get(name, ())]
    return found


def _all(root: _Element) -> Iterator[_Element]:
    """All elements, in the order of the document."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        yield element
        waiting += [child for child in reversed(element.children) if isinstance(child, _Element)]


def _write(element: _Element, out: list[str]) -> None:
    """Write the rest of a start tag, the content and the end tag; no deeper than _DEPTH."""
    out += [f" {key}={quoteattr(value)}" for key, value in element.attributes]
    if not element.children:
        out.append("/>")
        return
    out.append(">")
    for child in element.children:
        if isinstance(child, str):
            out.append(escape(child))
        else:
            out.append(f"<{child.name}")
            _write(child, out)
    out.append(f"</{element.name}>")


def _size(attributes: dict[str, str]) -> tuple[int, int]:
    """Width and height in pixels: as told, or those of the view box."""
    box = attributes.get("viewBox", "").replace(",", " ").split()
    numbers = [float(one) for one in box if _NUMBER.match(one)]
    inner = numbers[2:] if len(numbers) == 4 else [0.0, 0.0]
    told = [_LENGTH.match(attributes.get(key, "")) for key in ("width", "height")]
    width, height = (float(match[1]) if match else 0.0 for match in told)
    if inner[0] > 0 and inner[1] > 0:
        # One alone keeps the proportions of the view box.
        if not width:
            width = height * inner[0] / inner[1] if height else inner[0]
        height = height or width * inner[1] / inner[0]
    return (round(width), round(height)) if width >= 1 and height >= 1 else (0, 0)


def _named(local: str) -> str:
    told = {"script": "scripts", "handler": "scripts", "a": "links", "foreignObject": "content of a web page"}
    told |= {"image": "a picture of another kind", "feImage": "a picture of another kind"}
    return told.get(local, f'the element "{local[:40]}"')


def _complicated() -> UploadError:
    return UploadError("unsafe", f"This drawing is too complicated to be shown. {_AGAIN}")


def _unsafe(what: str) -> UploadError:
    return UploadError("unsafe", f"This drawing holds {what}, which is not accepted. {_AGAIN}")
