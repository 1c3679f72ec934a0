"""Drawings of strangers: what is refused, what is left out, and that what is left looks the same."""

from __future__ import annotations

import codecs
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.uploads import UploadError, svg

NS = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def drawing(content: str, attributes: str = "") -> bytes:
    return f"<svg {NS} {attributes}>{content}</svg>".encode()


HOSTILE = {
    "script": "<script>alert(1)</script>",
    "script by reference": '<script xlink:href="https://evil.example/x.js"/>',
    "script under a prefix": '<s:script xmlns:s="http://www.w3.org/2000/svg">alert(1)</s:script>',
    "script of XHTML": '<script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script>',
    "handler": '<rect onclick="alert(1)"/>',
    "handler in capitals": '<rect ONLOAD="alert(1)"/>',
    "handler nobody knows yet": '<rect onsomething="alert(1)"/>',
    "handler of an animation": '<rect><animate onbegin="alert(1)" attributeName="x"/></rect>',
    "handler element": "<handler>alert(1)</handler>",
    "foreignObject": "<foreignObject><p/></foreignObject>",
    "iframe": '<iframe xmlns="http://www.w3.org/1999/xhtml" src="javascript:alert(1)"/>',
    "MathML": '<math xmlns="http://www.w3.org/1998/Math/MathML" href="javascript:alert(1)"/>',
    "XSLT": '<t xmlns="http://www.w3.org/1999/XSL/Transform"/>',
    "link": '<a href="https://evil.example/"><rect/></a>',
    "link that runs": '<a xlink:href="javascript:alert(1)"><rect/></a>',
    "use of another document": '<use href="https://evil.example/x.svg#a"/>',
    "use of this site": '<use href="/admin.svg#a"/>',
    "use of data": '<use href="data:image/svg+xml;base64,PHN2Zy8+#a"/>',
    "javascript:": '<use href="javascript:alert(1)"/>',
    "javascript: in capitals, with blanks": '<use href=" \tJaVaScRiPt:alert(1)"/>',
    "javascript: with a newline in it": '<use href="java&#10;script:alert(1)"/>',
    "javascript: in character references": '<use href="&#x6a;avascript&#58;alert(1)"/>',
    "javascript: with a null in it": '<use href="java\x00script:alert(1)"/>',
    "image": '<image href="https://evil.example/x.png"/>',
    "image of data": '<image href="data:image/png;base64,AAAA"/>',
    "feImage": '<filter id="f"><feImage href="https://evil.example/x.png"/></filter>',
    "url() in an attribute": '<rect fill="url(https://evil.example/x.svg#a)"/>',
    "url() in capitals": '<rect fill="URL(https://evil.example/x.svg#a)"/>',
    "url() in a style attribute": '<rect style="background:url(//evil.example/x)"/>',
    "url() in a sheet": "<style>rect{fill:url(https://evil.example/x)}</style>",
    "url() of data in a sheet": "<style>rect{fill:url(data:image/svg+xml,x)}</style>",
    "url() in escapes": r"<style>rect{fill:\75rl(https://evil.example/x)}</style>",
    "url() in an escaped attribute": r'<rect style="fill:u\72l(https://evil.example/x)"/>',
    "url() behind a comment": "<style>a{fill:url(#a)}/**/b{fill:url(https://evil.example/)}</style>",
    "url() behind an open comment": "<style>a{fill:url(#a/*)}b{fill:url(//evil.example/)*/)}</style>",
    "url() behind what looks like a comment": '<style>a{content:"/*"}b{fill:url(//e/)}c{content:"*/"}</style>',
    "url() that does not end": "<style>a{fill:url(#a</style>",
    "comment that does not end": "<style>a{fill:red}/*</style>",
    "string that does not end": "<style>a{content:'x</style>",
    "url() in a CDATA section": "<style><![CDATA[rect{fill:url(https://evil.example/x)}]]></style>",
    "url() in pieces": "<style>rect{fill:ur<!-- -->l(https://evil.example/x)}</style>",
    "a fragment with a URL behind it": '<rect fill="url(#a), url(https://evil.example/x)"/>',
    "@import": "<style>@import 'https://evil.example/x.css';</style>",
    "@import in capitals": "<style>@IMPORT url(x.css);</style>",
    "@font-face": "<style>@font-face{font-family:x;src:url(x.woff)}</style>",
    "src()": '<style>rect{fill:src("https://evil.example/x")}</style>',
    "image-set()": "<style>rect{background:image-set('https://evil.example/x' 1x)}</style>",
    "expression()": "<style>rect{width:expression(alert(1))}</style>",
    "binding": "<style>rect{-moz-binding:url(https://evil.example/x.xml#x)}</style>",
    "animation of a link": '<rect><animate attributeName="href" values="javascript:alert(1)"/></rect>',
    "animation of a prefixed link": '<use href="#a"><set attributeName="xlink:href" to="//evil.example/#a"/></use>',
    "animation of a handler": '<rect><set attributeName="onclick" to="alert(1)"/></rect>',
    "animation of a style": '<rect><set attributeName="style" to="fill:red"/></rect>',
    "animation to a URL": '<rect><set attributeName="fill" to="url(//evil.example/x#a)"/></rect>',
    "animation of another document": '<animate href="https://evil.example/#a" attributeName="x"/>',
    "element nobody knows": "<blob/>",
    "font of its own": "<font><glyph/></font>",
    "element in its style": "<style>a{}<rect/></style>",
    "reference to itself": '<g id="a"><use href="#a"/></g>',
    "references in a circle": '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>',
    "pattern in itself": '<pattern id="p"><rect fill="url(#p)"/></pattern>',
    "a billion rectangles": '<g id="a0"><rect/></g>'
    + "".join(f'<g id="a{n + 1}">' + f'<use href="#a{n}"/>' * 10 + "</g>" for n in range(9)),
    "a billion rectangles by names in other letters": '<g id="a0"><rect/></g>'
    + "".join(f'<g id="a{n + 1}">' + f'<use href="#%61{n}"/>' * 10 + "</g>" for n in range(9)),
    "a billion rectangles behind names that come again": '<g id="a0"><rect/></g>'
    + "".join(f'<g id="a{n + 1}">' + f'<use href="#a{n}"/>' * 10 + "</g>" for n in range(9))
    + "".join(f'<g id="a{n}"/>' for n in range(10)),
    "a billion masks by a sheet": "<style>"
    + "".join(f"rect.c{n}, .d{n} > i{{mask:url(#m{n})}}" for n in range(9))
    + "</style>"
    + "".join(f'<mask id="m{n}">' + f'<rect class="b c{n + 1}"/>' * 10 + "</mask>" for n in range(9))
    + '<rect class="c0"/>',
    "a billion masks by the steps of an animation": "<style>"
    + "".join(f"@keyframes k{n}{{from{{mask:url(#m{n})}}}}.c{n}{{animation:k{n} 1s}}" for n in range(9))
    + "</style>"
    + "".join(f'<mask id="m{n}">' + f'<rect class="c{n + 1}"/>' * 10 + "</mask>" for n in range(9))
    + '<rect class="c0"/>',
    "a billion patterns by animations": "".join(
        f'<pattern id="p{n}">' + f'<rect><set attributeName="fill" to="url(#p{n + 1})"/></rect>' * 10 + "</pattern>"
        for n in range(9)
    )
    + '<rect fill="url(#p0)"/>',
    "a marker at each of many vertices": '<marker id="m">' + "<rect/>" * 1000 + "</marker>"
    '<g marker-mid="url(#m)"><path d="M0 0' + "h1" * 1000 + '"/></g>',
    "a billion masks of a class with a wide blank in it": "<style>"
    + "".join(f".c\xa0{n}{{mask:url(#m{n})}}" for n in range(9))
    + "</style>"
    + "".join(f'<mask id="m{n}">' + f'<rect class="c\xa0{n + 1}"/>' * 10 + "</mask>" for n in range(9))
    + '<rect class="c\xa00"/>',
    "animation of another's reference": '<rect id="a"/><set href="#a" attributeName="mask" to="url(#m)"/>',
    "blocks in brackets": "<style>.a{x:(});mask:url(#m)}</style>",
    "too deep": "<g>" * 200 + "</g>" * 200,
}
HOSTILE_WHOLE = {
    "entity": f'<!DOCTYPE svg [<!ENTITY x "y">]><svg {NS}>&x;</svg>',
    "external entity": f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg {NS}><text>&x;</text></svg>',
    "a billion laughs": '<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    f"<svg {NS}><text>&b;</text></svg>",
    "document type": f'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://evil.example/x.dtd"><svg {NS}/>',
    "style sheet of XSL": f'<?xml-stylesheet type="text/xsl" href="x.xsl"?><svg {NS}/>',
    "style sheet within": f'<svg {NS}><?xml-stylesheet href="x.css"?></svg>',
    "page": "<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_drawing_that_could_do_something_is_refused(name: str) -> None:
    with pytest.raises(UploadError) as caught:
        svg.clean(drawing(HOSTILE[name]))
    assert caught.value.kind == ("broken" if "null" in name else "unsafe")
    assert "Export it as a plain SVG" in str(caught.value)


@pytest.mark.parametrize("name", HOSTILE_WHOLE)
def test_a_document_that_could_do_something_is_refused(name: str) -> None:
    with pytest.raises(UploadError) as caught:
        svg.clean(HOSTILE_WHOLE[name].encode())
    assert caught.value.kind == "unsafe"


@pytest.mark.parametrize(
    "data",
    [
        b"<svg",
        b'<svg xmlns="http://www.w3.org/2000/svg"><g></svg>',
        b'<svg xmlns="http://www.w3.org/2000/svg"/>junk',
        b'<g xmlns="http://www.w3.org/2000/svg"/>',
        drawing("<x:rect/>"),
        drawing("\ud800".encode("utf-8", "surrogatepass").decode("latin-1")).replace(b"\xc3", b"\xff"),
        # What one parser takes for UTF-7, and another for harmless text.
        b'<?xml version="1.0" encoding="utf-7"?><svg xmlns="http://www.w3.org/2000/svg">+ADw-script+AD4-\xff</svg>',
    ],
)
def test_what_is_no_drawing_is_refused(data: bytes) -> None:
    with pytest.raises(UploadError) as caught:
        svg.clean(data)
    assert caught.value.kind == "broken"


@pytest.mark.parametrize(
    "content",
    [
        '<linearGradient id="g"><stop/></linearGradient><style>*{fill:url(#g)} path:hover{fill:url(#g)}</style><path/>',
        '<clipPath id="c"><use href="#r"/></clipPath><style>.a{clip-path:url(#c)}</style><rect id="r" class="b"/>',
        '<mask id="m"><rect/></mask><style>@media (min-width:1px){g > .a, #b{mask:url("#m")}}</style><rect class="a"/>',
        '<linearGradient id="g"/><rect><animate attributeName="fill" values="url(#g);red" dur="1s"/></rect>',
        '<marker id="m"><path d="M0 0L9 5L0 9z"/></marker><path d="M0 0L99 99" marker-end="url(#m)"/>',
        '<g id="a b"/><use href="#a%20b"/>',
    ],
)
def test_what_drawing_programs_refer_to_is_taken(content: str) -> None:
    assert svg.clean(drawing(content)).data.count(b"<") == content.count("<") + 2


@pytest.mark.parametrize(
    "content", ["<g/>" * 100_000, "<style>" + ";" * 2_000_001 + "</style>", f'<g style="{";" * 2_000_001}"/>']
)
def test_no_more_is_looked_at_than_a_browser_can_draw(content: str) -> None:
    with pytest.raises(UploadError, match="too complicated") as caught:
        svg.clean(drawing(content + "<script/>"))  # which it does not come to
    assert caught.value.kind == "unsafe"


def test_a_drawing_is_written_anew_without_what_no_viewer_shows() -> None:
    data = f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
    <!-- Created with Inkscape by Jane Roe, /home/jane/secret.svg -->
    <svg {NS} xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" viewBox="0 0 200 100" width="50"
         inkscape:export-filename="/home/jane/secret.png" data-name="secret" aria-label="A &lt;boat&gt;">
      <metadata><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">secret</rdf:RDF></metadata>
      <inkscape:path-effect effect="secret"><rect/></inkscape:path-effect>
      <title>Boat &amp; sea</title>
      <defs><linearGradient id="a"><stop offset="0" stop-color="#f00"/></linearGradient></defs>
      <style>.b {{ fill: url(#a); transform: rotate(3deg) }}
        @media (min-width: 3px) {{ g:not(.b) {{ opacity: .5 }} }}</style>
      <g transform="translate(1,2)"><path class="b" d="M0 0L9 9"/><use xlink:href="#c" x="3"/></g>
      <text id="c" xml:space="preserve">A  <tspan style="fill:rgb(1, 2, 3)">b</tspan></text>
      <circle r="3"><animate attributeName="r" values="3;4;3" dur="1s" repeatCount="indefinite"/></circle>
    </svg>""".encode()
    clean = svg.clean(data)
    assert (clean.width, clean.height) == (50, 25)
    assert not re.search(rb"secret|Inkscape|inkscape|jane|metadata|<!--|<\?", clean.data)
    root = ElementTree.fromstring(clean.data)
    kept = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert " ".join(kept) == "svg title defs linearGradient stop style g path use text tspan circle animate"
    assert root.get("aria-label") == "A <boat>"
    assert root.find(".//{*}title").text == "Boat & sea"  # type: ignore[union-attr]
    assert "".join(root.find(".//{*}text").itertext()) == "A  b"  # type: ignore[union-attr]
    assert root.find(".//{*}use").get("{http://www.w3.org/1999/xlink}href") == "#c"  # type: ignore[union-attr]
    assert "url(#a)" in (root.find(".//{*}style").text or "")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="20" height="10"', (20, 10)),
        ('width="20.4px" height="10"', (20, 10)),
        ('viewBox="0 0 30 20"', (30, 20)),
        ('viewBox="-5,-5,30,20"', (30, 20)),
        ('viewBox="0 0 30 20" height="40"', (60, 40)),
        ('viewBox="0 0 30 20" width="100%" height="100%"', (30, 20)),
        ('width="2em" height="3em"', (0, 0)),
        ('viewBox="0 0 0 0"', (0, 0)),
        ('viewBox="a b c d"', (0, 0)),
        ("", (0, 0)),
    ],
)
def test_the_size_is_that_which_a_browser_gives_it(attributes: str, size: tuple[int, int]) -> None:
    clean = svg.clean(drawing("", attributes))
    assert (clean.width, clean.height) == size


def test_a_drawing_that_was_copied_out_of_a_page_becomes_one_that_browsers_show() -> None:
    clean = svg.clean(b'<svg viewBox="0 0 2 1"><rect width="1" height="1"/></svg>')
    assert clean.data == b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 2 1"><rect width="1" height="1"/></svg>'
    with pytest.raises(UploadError, match="scripts"):
        svg.clean(b"<svg><script/></svg>")


def test_what_was_cleaned_is_clean() -> None:
    data = codecs.BOM_UTF8 + drawing('<g id="ä"><use href="#b"/></g><rect id="b" fill="url( \'#c\' )"/>&#x1F600;')
    once = svg.clean(data)
    assert svg.clean(once.data) == once


NAMES = st.sampled_from(["g", "rect", "use", "style", "text", "script", "a", "x:y", "set", "image", "filter"])
KEYS = st.sampled_from(["id", "href", "xlink:href", "fill", "style", "onload", "attributeName", "x", "xml:base"])
VALUES = st.one_of(
    st.sampled_from(["#a", "a", "url(#a)", "url(//e)", "javascript:x", "fill", "href", r"u\72l(x)", "/*", "*/url(x"]),
    st.text("ab#:/()'\\*@ ", max_size=12),
)


@st.composite
def trees(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(NAMES)
    attributes = "".join(f' {key}="{value}"' for key, value in draw(st.dictionaries(KEYS, VALUES, max_size=3)).items())
    inner = "".join(draw(st.lists(trees(depth + 1), max_size=2))) if depth < 3 else draw(VALUES)
    return f"<{name}{attributes}>{inner}</{name}>"


@given(st.lists(trees(), max_size=4))
def test_whatever_comes_through_holds_nothing_that_runs_or_fetches(content: list[str]) -> None:
    try:
        clean = svg.clean(drawing("".join(content), 'xmlns:x="urn:x"'))
    except UploadError:
        return
    for element in ElementTree.fromstring(clean.data).iter():
        assert element.tag.rpartition("}")[2] not in ("script", "a", "image", "y")
        for key, value in element.attrib.items():
            assert not key.startswith("on")
            assert not key.endswith("href") or value.startswith("#")
        written = [value for value in element.attrib.values() if "(" in value]
        if element.tag.endswith("style"):
            written.append(element.text or "")
        for text in written:
            assert not re.search(r"url\((?!\s*['\"]?#)|@import|\\", text), text
