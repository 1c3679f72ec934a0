from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.references.css import scan, unescape
from tests.drafts import marked, whole


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a{b:url(x.png)}", "a{b:url(<x.png|>)}"),
        ("a{b:URL( 'x.png' )}", "a{b:URL( '<x.png|>' )}"),
        ('a{b:url("f.eot?#iefix")}', 'a{b:url("<f.eot|?#iefix>")}'),
        ("a{b:url(s.svg#icon)}", "a{b:url(<s.svg|#icon>)}"),
        ("a{b:url( x.png )}", "a{b:url( <x.png|> )}"),
        ("a{b:url(a\\ b.png)}", "a{b:url(<a b.png|>)}"),
        ("a{b:url(a\\20 b.png)}", "a{b:url(<a b.png|>)}"),
        ('a{b:url("a\\"b.png")}', 'a{b:url("<a"b.png|>")}'),
        ('a{b:url("a\\\nb.png")}', 'a{b:url("<ab.png|>")}'),
        ("a{b:url(x.png),url(y.png)}", "a{b:url(<x.png|>),url(<y.png|>)}"),
        ("a{b:url(x.png", "a{b:url(<x.png|>"),
        ('@import "b.css";', '@import "<b.css|>";'),
        ("@IMPORT'b.css'screen;", "@IMPORT'<b.css|>'screen;"),
        ("@import/**/url(b.css) layer(x);", "@import/**/url(<b.css|>) layer(x);"),
        ('@import\n"b.css" supports(a:b);', '@import\n"<b.css|>" supports(a:b);'),
        ("--x: url(a.png)", "--x: url(<a.png|>)"),
        ("a{b:\\75rl(x.png)}", "a{b:\\75rl(<x.png|>)}"),
        ("a{b:u\\r\\l('x.png')}", "a{b:u\\r\\l('<x.png|>')}"),
        ("a{b:\\000075\\000072\\00006c(x.png)}", "a{b:\\000075\\000072\\00006c(<x.png|>)}"),
        ("a{b:\\url(x.png)}", "a{b:\\url(<x.png|>)}"),
        ("a{b:src('x.png')}", "a{b:src('<x.png|>')}"),
        ("a{b:src(/* c */'x.png')}", "a{b:src(/* c */'<x.png|>')}"),
        ("a{b:u\\72\nl(x.png)}", "a{b:u\\72\nl(<x.png|>)}"),
        ("@import 'a\\62\n.css';", "@import '<ab.css|>';"),
        ('a{b:SRC( "x.png" format(woff) )}', 'a{b:SRC( "<x.png|>" format(woff) )}'),
        ("a{b:url('x.png' crossorigin(anonymous))}", "a{b:url('<x.png|>' crossorigin(anonymous))}"),
        ("a{b:image-set('x.png' 1x, 'y.png' type('image/png') 2x)}",)
        + ("a{b:image-set('<x.png|>' 1x, '<y.png|>' type('image/png') 2x)}",),
        ("a{b:-webkit-image-set(url(x.png) 1x, 'y.png')}", "a{b:-webkit-image-set(url(<x.png|>) 1x, '<y.png|>')}"),
        ("a{b:image-set('x.png' 1x) 'y.png'}", "a{b:image-set('<x.png|>' 1x) 'y.png'}"),
        (
            "a{b:image-set(linear-gradient(red, blue) 1x, 'y.png' 2x",
            "a{b:image-set(linear-gradient(red, blue) 1x, '<y.png|>' 2x",
        ),
        ("@\\69mport 'b.css';", "@\\69mport '<b.css|>';"),
        (
            '@import url("b.css") layer(x) supports(a: url(c)) screen;',
            '@import url("<b.css|>") layer(x) supports(a: url(<c|>)) screen;',
        ),
        (
            "@layer a { @container (width > 1px) { b { c: url(d) } } }",
            "@layer a { @container (width > 1px) { b { c: url(<d|>) } } }",
        ),
        (
            "@font-face{src:url(a.woff2) format('woff2'),url(a.eot?#iefix)}",
            "@font-face{src:url(<a.woff2|>) format('woff2'),url(<a.eot|?#iefix>)}",
        ),
        ("<!-- a{b:url(x.png)} --> <!--url(y)", "<!-- a{b:url(<x.png|>)} --> <!--url(<y|>)"),
        ("a{b:url(x\\3f y.png?z)}", "a{b:url(<x|\\3f y.png?z>)}"),
        ("a{b:url('x.png?a\\26 b')}", "a{b:url('<x.png|?a\\26 b>')}"),
        ("@import 'b.css", "@import '<b.css|>"),
        ("a{b:url('x.png", "a{b:url('<x.png|>"),
        ("a{b:url('x.png\\", "a{b:url('<x.png|>\\"),
        ("a{b:url('x\\'", "a{b:url('<x'|>"),
        ("a{b:image-set('x.png' 1x, 'y.png", "a{b:image-set('<x.png|>' 1x, '<y.png|>"),
        ("a{b:url( ' x.png ' )}", "a{b:url( '<x.png|>' )}"),
        ("a{}\n/*# sourceMappingURL=a.css.map */", "a{}\n/*# sourceMappingURL=<a.css.map|> */"),
        ("\ufeff@import 'b.css';", "\ufeff@import '<b.css|>';"),
        ("a{b:url(x.png)}\r\nc{d:url(y.png)}", "a{b:url(<x.png|>)}\r\nc{d:url(<y.png|>)}"),
    ],
)
def test_references_become_holes(source: str, expected: str) -> None:
    assert marked(scan(source.encode(), False)) == expected
    assert [r.path for r in scan(source.encode(), True).refs] == [r.path for r in scan(source.encode(), False).refs]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("@import 'a.css';@import url(b.css) print;a{b:url(c.png)}", ["a.css", "b.css"]),
        ("@import/* x */url( 'a.css' ) supports(b:url(c.png)) layer(d);", ["a.css"]),
        ("@\\69mport/**/\\75 rl( a.css );@IMPORT\n/* b */ src( /**/ 'b.css' );", ["a.css", "b.css"]),
        ('@import url("a.css");@import "b.css" (width > 1px)', ["a.css", "b.css"]),
        ("@import foo 'a.css';@import foo(url(b.css));@import;'c.css'", []),
        ("a{b:image-set('x.png' 1x);--c:url(d.png)}/*# sourceMappingURL=e.map */", []),
        ("@import '", []),
    ],
)
def test_the_sheets_that_one_imports_are_told(source: str, expected: list[str]) -> None:
    for minify in (False, True):
        assert [ref.path for ref in scan(source.encode(), minify).refs if ref.eager] == expected


@pytest.mark.parametrize(
    "source",
    [
        "/* url(x.png) @import 'b.css' */",
        "a{content:'url(x.png)'}",
        'a{content:"@import \\"b.css\\""}',
        '@namespace svg url(http://x); @namespace "y.css"; @namespace url(z.css);',
        "a{b:url(data:image/png;base64,AA==)}",
        "a{b:url(#f) url(?q) url() url('') url(//h/x) url(https://h/x)}",
        "a{b:my-url(x.png)}",
        "a{b:\\url (x.png)}",
        "a{b:url (x.png)}",
        'a{b:url(x"y.png)}',
        "a{b:url(x y.png)}",
        "@import foo 'b.css';",
        "@important 'b.css';",
        "@import 'b.css\\'\n;",
        "a{b:'x\n';c:d}",
        "/* url(x.png)",
        "a{content:'\\",
        "a{b:src(x.png)}",
        "a{b:#url(x.png)}",
        "a{b:format('x.woff') type('x.png') local('x')}",
        "a{b:my-image-set('x.png')}",
        "a{b:image-set(type('x.png'))}",
        "@-moz-document url(x.html) {} @document url-prefix('x') {}",
        "a{b:\\\\url(x.png)}",
    ],
)
def test_what_refers_to_no_file_stays(source: str) -> None:
    draft = scan(source.encode(), False)
    assert draft.refs == []
    assert whole(draft) == source.encode()
    assert scan(source.encode(), True).refs == []


@pytest.mark.parametrize(
    ("source", "rooted"),
    [
        ("a{--x:url(a.png);b:url(c.png)}", ["a.png"]),
        ("a{b:url(c.png);--x: 1px url('a.png'), image-set('d.png' 1x)}", ["a.png", "d.png"]),
        ("a{--x:{b:url(a.png);c:d}url(e.png);f:url(g.png)}", ["a.png", "e.png"]),
        ("a{--x:';}' \\; /* ;} */ url(a.png)}b{c:url(d.png)}", ["a.png"]),
        ("a{--\\78 :url(a.png)}", ["a.png"]),
        ("a{--x:calc(1px;url(a.png));b:url(c.png)}", ["a.png"]),
        ("@container style(--x: url(a.png)){b{c:url(d.png)}}", ["a.png"]),
        ("a{b:var(--x, url(a.png));c:url(d.png)}", []),
        (".a--x:hover{b:url(a.png)} .a:not(--y){c:url(d.png)}", []),
        ("a{--x/* c */:url(a.png)}", ["a.png"]),
        (".--x:hover{b:url(a.png)} #--x:hover{b:url(a.png)} .a\\+--x:hover{b:url(a.png)}", []),
        (".--x, .--y{--z:url(a.png)}", ["a.png"]),
        ("a{--x:rgb(1 2 3);--y:var(--x);b:url(c.png)}", []),
    ],
)
def test_urls_in_custom_properties_are_told_apart(source: str, rooted: list[str]) -> None:
    for minify in (False, True):
        assert [ref.path for ref in scan(source.encode(), minify).refs if ref.manner == "rooted"] == rooted


def test_a_bad_url_ends_where_the_specification_ends_it() -> None:
    draft = scan(b'a{b:url(x"y.png) c; d:url(ok.png)}', False)
    assert [ref.path for ref in draft.refs] == ["ok.png"]


def test_only_the_last_source_map_counts() -> None:
    draft = scan(b"/*# sourceMappingURL=a.map */ a{} /*# sourceMappingURL=b.map */", False)
    assert [ref.path for ref in draft.refs] == ["b.map"]


def test_holes_know_their_place() -> None:
    draft = scan("a{}\n/* ü */ b{c:url(ü.png)}\n\n  d{e:url('f.png')}".encode(), True)
    assert [(ref.line, ref.column) for ref in draft.refs] == [(2, 17), (4, 12)]
    assert [(r.line, r.column) for r in scan(b"a{}\r\rb{c:url(d)}\re{f:url(g)}\r\n@import 'h'", False).refs] == [
        (3, 9),
        (4, 9),
        (5, 10),
    ]


@pytest.mark.parametrize(
    ("source", "minified"),
    [
        ("a { color : red ; }\n\nb { x : y }", "a{color : red;}b{x : y}"),
        ("/* c */ a /* d */ b { }", "a b{}"),
        ("a/**/b{}", "a/**/b{}"),
        (".\\31/**/ .b{}", ".\\31/**/ .b{}"),
        ("a: hover{}", "a: hover{}"),
        ("/*! licence */\na{}", "/*! licence */\na{}"),
        ("/* @license MIT */a{}", "/* @license MIT */a{}"),
        ("a > b , c + d { }", "a > b,c + d{}"),
        (".a\\} b{}", ".a\\} b{}"),
        (".a\\31  b{}", ".a\\31  b{}"),
        ("a{--x:  1   2 ;color: red}", "a{--x:  1   2 ;color:red}"),
        ("a{--x: ;--y:;}", "a{--x: ;--y:;}"),
        ("a{b:var(--x, 1px)}", "a{b:var(--x, 1px)}"),
        ("a{content:'  /* x */  '}", "a{content:'  /* x */  '}"),
        ("a{width:calc( 1px + 2px )}", "a{width:calc( 1px + 2px )}"),
        ("@media screen and (min-width: 1px) { a { b: c } }", "@media screen and (min-width: 1px){a{b:c}}"),
        ('@charset "utf-8";\na{}', '@charset "utf-8";a{}'),
        ("a:not( .b ) :hover { }", "a:not( .b ) :hover{}"),
        ("a { &: hover { b: c } d: e }", "a{&: hover{b:c}d:e}"),
        ("a{b: c d, e: f;g: h\n}", "a{b: c d,e:f;g:h}"),
        ("a{b:url( x.png ) , url( y.png )}", "a{b:url( x.png ),url( y.png )}"),
        ("@import  /* x */  'b.css'  layer ;", "@import 'b.css' layer;"),
        ("a{--x: { b : url( c ) ; d }  ;e : f}", "a{--x: { b : url( c ) ; d }  ;e : f}"),
        ("a{b:image-set( 'x.png'  1x ,\n 'y.png' 2x )  ; }", "a{b:image-set( 'x.png' 1x,'y.png' 2x );}"),
        ("a{}\r\n\r\nb\r\n{}", "a{}b{}"),
        ("a{}/* x */\n/*! y */\n/* z */\nb{}", "a{}/*! y */\nb{}"),
        ("a{b:'x\n; c:d}", "a{b:'x\n;c:d}"),
        ("a{b:\\\n c}", "a{b:\\\nc}"),
        ("a \v{}", "a \v{}"),
        ("@x-\\{ /* c */ a;", "@x-\\{ a;"),
        (".--a , .b { c: d }", ".--a,.b{c:d}"),
    ],
)
def test_minifying_leaves_out_what_changes_no_token(source: str, minified: str) -> None:
    assert whole(scan(source.encode(), True)).decode() == minified


def test_text_that_is_not_utf8_says_where() -> None:
    draft = scan("ä{}\nb{c:'\udcff'}".encode(errors="surrogateescape"), True)
    assert draft.not_utf8 == (2, 6)
    assert scan(b"a{}", True).not_utf8 is None


@pytest.mark.parametrize(("text", "value"), [("a\\62 c", "abc"), ("\\0", "\ufffd"), ("\\d800", "\ufffd"), ("\\\n", "")])
def test_escapes_are_undone(text: str, value: str) -> None:
    assert unescape(text) == value


_BITS = st.sampled_from(
    [
        "url(",
        "image-set(",
        "src(",
        "var(--y,",
        "]",
        "[",
        ")",
        "'",
        '"',
        "\\",
        "/*",
        "*/",
        "@import ",
        "@namespace",
        "\n",
        " ",
        "{",
        "}",
        ";",
        ":",
        ",",
        "--x:",
    ]
    + ["a", "b.png", "31 ", "\r\n", "ü", "#", "sourceMappingURL=", "/*#", "("]
)


@given(st.lists(_BITS, max_size=30).map("".join))
def test_without_minifying_every_byte_stays(source: str) -> None:
    text = source.encode()
    draft = scan(text, False)
    assert whole(draft) == text


@given(st.lists(_BITS, max_size=30).map("".join))
def test_minifying_loses_no_reference(source: str) -> None:
    def told(minify: bool) -> list[tuple[str, str]]:
        return [(ref.path, ref.manner) for ref in scan(source.encode(), minify).refs if ref.kind != "map"]

    assert told(True) == told(False)


@given(st.lists(_BITS, max_size=30).map("".join))
def test_minifying_never_makes_longer(source: str) -> None:
    once = whole(scan(source.encode(), True))
    twice = whole(scan(once, True))
    assert len(twice) <= len(once) <= len(source.encode())


@pytest.mark.parametrize(
    "bit",
    [b"url(", b"(", b"/*", b"'", b'url("', b"\\", b"@import ", b"@namespace ", b"--a", b"u"]
    + [
        b"image-set(",
        b"--a:{",
        b"--a:url(",
        b"a(",
        b"src('",
        b"\\75rl(",
        b"var(--a,",
        b"[(",
        b"/*#sourceMappingURL=a*/",
        b"--\\61 ",
    ],
)
def test_hostile_input_is_read_in_linear_time(bit: bytes) -> None:
    """Not a timing: quadratic work on this input would take minutes, and the run would be ended."""
    scan(bit * (400_000 // len(bit)), True)


def test_a_hole_covers_the_path_alone() -> None:
    (ref,) = scan(b"a{b:url(x.png?v=1#z)}", False).refs
    assert (ref.path, ref.suffix) == ("x.png", b"?v=1#z")
    assert re.fullmatch(rb"x\.png\?v=1#z", ref.written)
