from __future__ import annotations

from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.references.svg import scan
from tests.drafts import marked, whole


def paths(source: str) -> list[str]:
    return [ref.path for ref in scan(source.encode(), True).refs]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<image href='a.png'/>", "<image href='<a.png|>'/>"),
        ('<image\n xlink:href = "a.png" />', '<image\n xlink:href = "<a.png|>" />'),
        ("<use href='a.svg?x#y'/>", "<use href='<a.svg|?x#y>'/>"),
        ("<svg:use href='a.svg'/>", "<svg:use href='<a.svg|>'/>"),
        (
            "<s xmlns:l='http://www.w3.org/1999/xlink'><use l:href='a.svg'/></s>",
            "<s xmlns:l='http://www.w3.org/1999/xlink'><use l:href='<a.svg|>'/></s>",
        ),
        ("<image href=' a.png '/>", "<image href=' <a.png|> '/>"),
        ("<image title='>' href='a.png'/>", "<image title='>' href='<a.png|>'/>"),
        ("<image href='a&amp;b.png?x&amp;y'/>", "<image href='<a&b.png|?x&amp;y>'/>"),
        ("<image href='&#x61;&#98;&copy;&apos;.png'/>", "<image href='<ab&copy;'.png|>'/>"),
        ("<link rel='stylesheet' href='a.css'/>", "<link rel='stylesheet' href='<a.css|>'/>"),
        ("<rect style='fill:url(a.svg#b)'/>", "<rect style='fill:url(<a.svg|#b>)'/>"),
        ("<rect style='fill:url(&quot;a.svg#b&quot;)'/>", "<rect style='fill:url(&quot;<a.svg|#b>&quot;)'/>"),
        ("<rect fill='URL(a.svg#b) red'/>", "<rect fill='URL(<a.svg|#b>) red'/>"),
        ("<rect cursor='url(&apos;a.cur&apos;), auto'/>", "<rect cursor='url(&apos;<a.cur|>&apos;), auto'/>"),
        ("<style>@import 'a.css';</style>", "<style>@import '<a.css|>';</style>"),
        (
            "<style type='text/css'>@import &apos;a.css&apos;</style>",
            "<style type='text/css'>@import &apos;<a.css|>&apos;</style>",
        ),
        (
            "<style>\n<![CDATA[@import 'a&amp;.css']]>\n</style>",
            "<style>\n<![CDATA[@import '<a&amp;.css|>']]>\n</style>",
        ),
        (
            "<s:style>a{b:url(x<!-- ) -->y.png)}@import 'a.css';</s:style>",
            "<s:style>a{b:url(x<!-- ) -->y.png)}@import '<a.css|>';</s:style>",
        ),
        ("<script href='a.js'>import('./b.js')</script>", "<script href='<a.js|>'>import('./b.js')</script>"),
        ("<script><![CDATA[import('./b.js')]]></script>", "<script><![CDATA[import('<./b.js|>')]]></script>"),
        ("<script>1 &lt; 2; import('./b.js')</script>", "<script>1 &lt; 2; import('<./b.js|>')</script>"),
        ("<?xml-stylesheet type='text/css' href='a.css'?>", "<?xml-stylesheet type='text/css' href='<a.css|>'?>"),
        (
            "<foreignObject><h:img src='a.png'/></foreignObject>",
            "<foreignObject><h:img src='<a.png|>'/></foreignObject>",
        ),
        ("<img src='a.png' srcset='b.png 2x, c.png 3x'/>", "<img src='<a.png|>' srcset='<b.png|> 2x, <c.png|> 3x'/>"),
        ("\ufeff<image href='ä.png'/>", "\ufeff<image href='<ä.png|>'/>"),
    ],
)
def test_references_become_holes(source: str, expected: str) -> None:
    assert marked(scan(source.encode(), True)) == expected


@pytest.mark.parametrize(
    "source",
    [
        "<!-- <image href='a.png'/> -->",
        "<!-- --!><image href='a.png'/>",
        "<!--><image href='a.png'/>",
        "<![CDATA[<image href='a.png'/>]]>",
        "<?x <image href='a.png'/>?>",
        "<?xml-stylesheets href='a.css'?>",
        "<!DOCTYPE svg SYSTEM '><image href=\"a.png\"/>'>",
        "<!DOCTYPE svg [<!ENTITY a \"<image href='a.png'/>]>\"> <!-- ]> <image href='a.png'/> -->]>",
        "<!DOCTYPE svg [<?x ]> ?><image href='a.png'/>]>",
        "<image HREF='a.png' Xlink:href='b.png' y:href='c.png'/>",
        "<image href=a.png/>",
        "<image href='a.png'",
        "<image href='a.png/>",
        "<use href='#a'/><use href=''/><image href='data:,x'/><image href='https://h/a.png'/>",
        "<rect fill='url(#a)' filter='blur(a.png)'/>",
        "<rect src='a.png'/>",
        "<STYLE>@import 'a.css'</STYLE>",
        "<style/>@import 'a.css'",
        "<style type='x'>@import 'a.css'</style>",
        "<style>/* url(a.png) */</style>",
        "<script type='x'>import('./a.js')</script>",
        "<text>href='a.png' url(b.png)</text>",
        "</image href='a.png'>",
    ],
)
def test_what_refers_to_no_file_stays(source: str) -> None:
    assert scan(source.encode(), True).pieces == (source.encode(),)


@pytest.mark.parametrize(
    "before",
    [
        *(
            "<!---->",
            "<!-- > -->",
            "<![CDATA[>]]>",
            "<?x > ?>",
            "<!DOCTYPE svg>",
            "<!DOCTYPE svg []>",
            "<!DOCTYPE a[>]  >",
        ),
        "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' \"http://h/>\">",
        "<!DOCTYPE svg [<!ENTITY a \"]>'\"> <!-- it's ]> --> <?p '?> <!ELEMENT b ANY>]>",
        *("<a b='>'>", "<a></a >", "<style>a{}</style>", "<script>'<![CDATA[</script>]]>'</script>", "<!ELEMENT a>"),
    ],
)
def test_a_tag_is_found_behind_whatever_ends_before_it(before: str) -> None:
    assert paths(f"{before}<image href='a.png'/>") == ["a.png"]


def test_links_that_are_followed_may_lead_to_pages() -> None:
    refs = scan(b"<a href='a.pdf'/><svg:a xlink:href='b.pdf'/><x:iframe src='/c'/><use href='d.svg'/>", True).refs
    assert [(ref.path, ref.manner) for ref in refs] == [
        ("a.pdf", "page"), ("b.pdf", "page"), ("/c", "page"), ("d.svg", "url")
    ]  # fmt: skip


def test_holes_know_their_place_and_language() -> None:
    source = "<svg>ü<use href='a.svg'/>\n<rect style='b:url(b.png)'/>\n<script>import('./c.js')</script></svg>"
    refs = scan(source.encode(), True).refs
    assert [(ref.line, ref.column, ref.kind) for ref in refs] == [(1, 18, "svg"), (2, 20, "css"), (3, 17, "js")]


def test_text_that_is_not_utf8_says_where_unless_it_names_its_encoding() -> None:
    for rest in (b"<svg>\xe4</svg>", b"<image href='a.png'/>\xe4"):
        for utf8 in (b"", b"<?xml version='1.0'?>", b"<?xml version='1.0' encoding='UTF-8'?>"):
            assert scan(utf8 + rest, True).not_utf8 == (1, len(utf8 + rest.partition(b"\xe4")[0]) + 1)
        for other in (b"<?xml version='1.0' encoding='ISO-8859-1'?>", b'<?xml version="1.0" encoding = "latin1"?>'):
            assert scan(other + rest, True).not_utf8 is None
    assert scan("<svg href='a'/>".encode("utf-16"), True).not_utf8 is None


HOSTILE = [
    *("<", "<a ", "<a href='", '<a href="', "<a href=", "<!--", "<![CDATA[", "<?", "<?xml-stylesheet ", "<!DOCTYPE ["),
    *("<!DOCTYPE [>", "<!DOCTYPE '", "<!DOCTYPE [<!--", "<!DOCTYPE [<!-- ]>", "<style>", "<style><!---->", "<script>"),
    *(
        "<style>&amp;<![CDATA[&]]>",
        "&amp;",
        "xmlns:",
        "<a b='url(&amp;'/>",
        "]]>",
        "<a/",
        "<style><![CDATA[",
        "<a=",
        "</",
    ),
    *("<?xml encoding", "<a b='c' ", "<style>x</style>", "<a href='&amp;?'/>"),
]


@pytest.mark.parametrize("bit", HOSTILE)
@pytest.mark.parametrize(
    "frame", ["%s", "<use href='a.svg'/><style>%s", "<use href='a.svg%s'/>", '<use style="b(%s"/>']
)
def test_hostile_input_is_read_in_linear_time(bit: str, frame: str) -> None:
    """Not a timing: quadratic work on this input would take minutes, and the run would be ended."""
    text = (frame % (bit * (400_000 // len(bit)))).encode()
    assert whole(scan(text, True)) == text


_BITS = st.sampled_from(
    [
        "<",
        ">",
        "</",
        "/>",
        "=",
        "'",
        '"',
        " ",
        "&",
        "&amp;",
        "&quot;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        "ü",
    ]
    + ["<use ", "<a ", "<style>", "</style>", "<script>", "</script>", "<!DOCTYPE ", "[", "]", "<?xml-stylesheet "]
    + ["href=", "style=", "fill=", "'a.png'", '"b.svg#c"', "url(", ")", "@import 'd.css';", "import('./e.js')"]
)


@given(st.lists(_BITS, max_size=40).map("".join))
def test_every_byte_stays(source: str) -> None:
    assert whole(scan(source.encode(), True)) == source.encode()


@given(st.binary(max_size=60))
def test_bytes_that_are_no_text_stay(text: bytes) -> None:
    text = b"<use href='a.svg'/>" + text
    assert whole(scan(text, True)) == text


_NAMES = st.sampled_from(["svg", "use", "s:image", "g"])
_VALUES = st.text("ab.&<'\"> \n;#", max_size=6)


@st.composite
def _documents(draw: st.DrawFn, depth: int = 0) -> str:
    def quoted(value: str) -> str:
        value = value.replace("&", "&amp;").replace("<", "&#60;")
        return (
            f"'{value.replace(chr(39), '&apos;')}'" if draw(st.booleans()) else f'"{value.replace(chr(34), "&quot;")}"'
        )

    name = draw(_NAMES)
    names = draw(st.lists(st.sampled_from(["href", "xlink:href", "x", "HREF"]), unique=True))
    written = "".join(
        f"{draw(st.sampled_from([' ', chr(10)]))}{a}{draw(st.sampled_from(['=', ' = ']))}{quoted(draw(_VALUES))}"
        for a in names
    )
    inside = st.sampled_from(
        ["", "<!-- <use href='n.svg'/> -->", "<![CDATA[<use href='n.svg'/>]]>", "<?p <use href='n'/>?>", "&gt;>"]
    )
    children = draw(st.lists(inside if depth > 2 else st.one_of(inside, _documents(depth + 1)), max_size=3))
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


@given(_documents())
def test_links_are_those_that_an_xml_parser_sees(document: str) -> None:
    seen: list[str] = []
    parser = expat.ParserCreate()
    parser.ordered_attributes = True

    def start(_name: str, attributes: list[str]) -> None:
        for name, value in zip(attributes[::2], attributes[1::2], strict=True):
            path = value.strip().replace("?", "#").partition("#")[0]
            if name in ("href", "xlink:href") and path:
                seen.append(path)

    parser.StartElementHandler = start
    parser.Parse(document, True)
    assert [ref.path.replace("\n", " ") for ref in scan(document.encode(), True).refs] == seen
