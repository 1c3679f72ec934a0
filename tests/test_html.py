from __future__ import annotations

import json
import random
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.paths import split_reference
from assetpipe.references import css
from assetpipe.references.draft import Manner
from assetpipe.references.html import scan
from tests import npm
from tests.drafts import marked, whole


def paths(source: str) -> list[str]:
    return [ref.path for ref in scan(source.encode(), True).refs]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<img src=a.png>", "<img src=<a.png|>>"),
        ("<img src='a.png'>", "<img src='<a.png|>'>"),
        ('<IMG ALT="" SRC = "a.png?x#y" >', '<IMG ALT="" SRC = "<a.png|?x#y>" >'),
        ('<img src=" \n a.png\t">', '<img src=" \n <a.png|>\t">'),
        ("<img src=a.png/>", "<img src=<a.png/|>>"),
        ("<img/src=a.png />", "<img/src=<a.png|> />"),
        ("<img/ src='a.png'/>", "<img/ src='<a.png|>'/>"),
        ("<img alt='>'src=a.png>", "<img alt='>'src=<a.png|>>"),
        ("<img a b c='d'e=\"f\"src=a.png>", "<img a b c='d'e=\"f\"src=<a.png|>>"),
        ("<img =x src=a.png>", "<img =x src=<a.png|>>"),
        ("<img b\"c='d' src=a.png>", "<img b\"c='d' src=<a.png|>>"),
        ("<img src=a.png src=b.png SRC=c.png>", "<img src=<a.png|> src=b.png SRC=c.png>"),
        ("<img alt=<a src=a.png>", "<img alt=<a src=<a.png|>>"),
        ("<img\nsrc\n=\n'a.png'>", "<img\nsrc\n=\n'<a.png|>'>"),
        ("<script src=a.js></script>", "<script src=<a.js|>></script>"),
        ("<embed src=a.svg><input type=image src=b.png>", "<embed src=<a.svg|>><input type=image src=<b.png|>>"),
        ("<audio src=a.mp3></audio><track src=a.vtt>", "<audio src=<a.mp3|>></audio><track src=<a.vtt|>>"),
        ("<video src=a.mp4 poster=a.jpg>", "<video src=<a.mp4|> poster=<a.jpg|>>"),
        ("<source src=a.webm>", "<source src=<a.webm|>>"),
        ("<object data=a.svg></object>", "<object data=<a.svg|>></object>"),
        ("<body background=a.png><table background=b.png>", "<body background=<a.png|>><table background=<b.png|>>"),
        ("<template><img src=a.png></template>", "<template><img src=<a.png|>></template>"),
        ("<noscript><img src=a.png></noscript>", "<noscript><img src=<a.png|>></noscript>"),
        ("<x-y><img src=a.png></x-y>", "<x-y><img src=<a.png|>></x-y>"),
        ("\ufeff<img src=ä.png>", "\ufeff<img src=<ä.png|>>"),
    ],
)
def test_attributes_that_are_urls_become_holes(source: str, expected: str) -> None:
    assert marked(scan(source.encode(), True)) == expected


@pytest.mark.parametrize(
    "source",
    [
        "<!-- <img src=a.png> -->",
        "<!--><!-- <img src=a.png>",
        "<!-- -- > <img src=a.png> -->",
        "<!--!> <img src=a.png> -->",
        "<!---!> <img src=a.png> -->",
        "<? <img src=a.png",
        "<!x <img src=a.png",
        "</ <img src=a.png",
        "<!doctype html public '<img src=a.png",
        "<![CDATA[ <img src=a.png ]]",
        "< img src=a.png>",
        "<img src=a.png",
        "<img src='a.png>",
        "<img src=a.png alt='>",
        "<img src><img src=><img src=''>",
        "<img data-src=a.png xsrc=b.png src_=c.png>",
        "<p src=a.png href=b.png data=c.png poster=d.png background=e.png srcset=f.png>",
        "<img src=#a><img src=?a><img src=//h/a><img src=https://h/a><img src=data:,a>",
        "</img src=a.png>",
        "<form action=a.html><q cite=b.html><iframe srcdoc='<img src=a.png>'></iframe>",
        "<textarea><img src=a.png></textarea>",
        "<title><img src=a.png></title>",
        "<xmp><img src=a.png></xmp>",
        "<iframe><img src=a.png></iframe>",
        "<noembed><img src=a.png></noembed>",
        "<noframes><img src=a.png></noframes>",
        "<plaintext><img src=a.png></plaintext><img src=a.png>",
        "<style><img src=a.png></style>",
        "<script><img src=a.png></script>",
        "<script></scripty><img src=a.png></script>",
        "<textarea></textarea",
        "<title></ title></titles><img src=a.png>",
        "<a b='</script><script src=a.js>'>",
        "<meta name=description content=a.png>",
        "<meta property=og:image:width content=100>",
        "<meta property=og:video:type content=video/mp4>",
        "<meta content=a.png>",
    ],
)
def test_what_refers_to_no_file_stays(source: str) -> None:
    draft = scan(source.encode(), True)
    assert draft.refs == []
    assert draft.pieces == (source.encode(),)


@pytest.mark.parametrize(
    "before",
    [
        "<!---->",
        "<!-->",
        "<!--->",
        "<!----!>",
        "<!-- --!>",
        "<!-- <!-->",
        "<!-- <!-- -->",
        "<!-- - -- --->",
        "<?x?>",
        "<!x>",
        "</>",
        "</ x='>",
        "<!doctype html>",
        "<!doctype html public '>",
        "<![CDATA[>",
        "<svg/><![CDATA[>",
        "< <<",
        "a < b",
        "</p a='>'>",
        "<textarea></TextArea\n>",
        "<title></title/>",
        "<script></script a='>'>",
        "<script><!-- </script>",
        "<script><!-- <script> </script> --></script>",
        "<script><!-- <script> --></script>",
        "<script><!--><script></script>",
        "<script><!---><script></script>",
        "<script><!-- <scripty></script>",
        "<script><script></script>",
        "<style><!-- </style>",
        "<svg><style><!-- </style> --></style></svg>",
        "<svg><title></svg><p></title>",
        "<svg><foreignObject><p><style></p></style></foreignObject></svg>",
        "<svg><g><p><style></p></style>",
        "<svg><font size=1><style></p></style>",
        "<svg><textarea>",
        "<math><mi><style></p></style></mi></math>",
        "<math><style><![CDATA[</p>]]></style></math>",
    ],
)
def test_a_tag_is_found_behind_whatever_ends_before_it(before: str) -> None:
    assert paths(f"{before}<img src=a.png>") == ["a.png"]


@pytest.mark.parametrize(
    "source", ["<script><!-- <script> </script> <img src=a.png>", "<script><!-- <script></script><!-- <img src=a.png>"]
)
def test_within_a_comment_of_a_script_end_tags_belong_to_start_tags(source: str) -> None:
    assert paths(source) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<a href=a.pdf>", [("a.pdf", "page")]),
        ("<area href=a.pdf>", [("a.pdf", "page")]),
        ("<iframe src=/x></iframe><frame src=/y>", [("/x", "page"), ("/y", "page")]),
        ("<link rel=stylesheet href=a.css>", [("a.css", "url")]),
        ("<link rel='alternate STYLESHEET' href=a.css>", [("a.css", "url")]),
        ("<link href=a.ico rel='shortcut\nicon'>", [("a.ico", "url")]),
        ("<link rel=&#105;con href=a.ico>", [("a.ico", "url")]),
        ("<link rel=apple-touch-icon href=a.png>", [("a.png", "url")]),
        ("<link rel=mask-icon href=a.svg>", [("a.svg", "url")]),
        ("<link rel=preload as=font href=a.woff2>", [("a.woff2", "url")]),
        ("<link rel=modulepreload href=a.js>", [("a.js", "url")]),
        ("<link rel=manifest href=a.webmanifest>", [("a.webmanifest", "url")]),
        ("<link rel=canonical href=/x>", [("/x", "page")]),
        ("<link rel=alternate type=application/rss+xml href=/feed>", [("/feed", "page")]),
        ("<link rel=next href=2.html><link href=x>", [("2.html", "page"), ("x", "page")]),
        ("<svg><a href=a.pdf><a xlink:href=b.pdf>", [("a.pdf", "page"), ("b.pdf", "page")]),
        ("<svg><use href=a.svg#b>", [("a.svg", "url")]),
    ],
)
def test_links_that_are_followed_may_lead_to_pages(source: str, found: list[tuple[str, Manner]]) -> None:
    refs = scan(source.encode(), True).refs
    assert [(ref.path, ref.manner) for ref in refs] == found
    assert {ref.kind for ref in refs} == {"html"}


@pytest.mark.parametrize(
    "key",
    [
        *("property=og:image", "property='og:image:url'", "property=og:image:secure_url", "property=og:video"),
        *("property=og:audio:url", "name=og:image", "name=twitter:image", "name=TWITTER:IMAGE:SRC"),
        *("name=msapplication-TileImage", "name=msapplication-square70x70logo", "name=msapplication-wide310x150logo"),
        *("itemprop=image", "itemprop='thumbnailUrl image'"),
    ],
)
def test_meta_elements_show_pictures(key: str) -> None:
    assert paths(f"<meta content=a.png {key}>") == ["a.png"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a.png", ["a.png"]),
        ("a.png 1x, b.png 2x", ["a.png", "b.png"]),
        ("a.png,b.png 2x", ["a.png,b.png"]),
        ("a.png, b.png", ["a.png", "b.png"]),
        ("a.png,, ,b.png", ["a.png", "b.png"]),
        (" ,\n a.png 100w 50h\n,b.png\t200w ", ["a.png", "b.png"]),
        ("a.png 1x,b.png 2x", ["a.png", "b.png"]),
        ("a.png x(1, 2 c.png, b.png", ["a.png"]),
        ("a.png x(1, (2) 1x, b.png", ["a.png", "b.png"]),
        ("data:image/png;base64,AA== 1x, b.png 2x", ["b.png"]),
        ("https://h/a,b.png 1x, b.png 2x", ["b.png"]),
        ("a.png?x,y 1x", ["a.png"]),
        (",", []),
        ("", []),
    ],
)
def test_a_srcset_is_a_list_of_candidates(source: str, expected: list[str]) -> None:
    assert paths(f'<img srcset="{source}">') == expected
    assert paths(f'<source srcset="{source}">') == expected
    assert paths(f'<link rel=preload as=image imagesrcset="{source}">') == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a&amp;b.png", "a&b.png|"),
        ("a&ampb.png", "a&ampb.png|"),
        ("a&amp/b.png", "a&/b.png|"),
        ("a.png?b&copy=1", "a.png|?b&copy=1"),
        ("a.png?b&copy;1", "a.png|?b&copy;1"),
        ("&notit;.png", "&notit;.png|"),
        ("&notin;.png", "∉.png|"),
        ("&nope;.png", "&nope;.png|"),
        ("&#97;&#x62;&#X63.png", "abc.png|"),
        ("&#x96;&#150.png", "––.png|"),
        ("&#129;.png", "\x81.png|"),
        ("&#;&#x;.png", "&|#;&#x;.png"),
        ("a.png?x=1&amp;y=2#z", "a.png|?x=1&amp;y=2#z"),
        ("a.png&#63;x", "a.png|&#63;x"),
        ("a.png&quest;x&num;y", "a.png|&quest;x&num;y"),
        ("&#32;a.png&NewLine;", "a.png|"),
        ("&#104;ttps://h/a.png", None),
        ("&sol;&sol;h/a.png", None),
        ("&#0;&#xd800;&#1114112;&#99999999999999999999.png", "\ufffd\ufffd\ufffd\ufffd.png|"),
        ("&#x00000000000061;.png", "a.png|"),
    ],
)
def test_character_references_are_undone_as_in_attributes(source: str, expected: str | None) -> None:
    assert (
        marked(scan(f'<img src="{source}">'.encode(), True))
        == f'<img src="{source if expected is None else f"<{expected}>"}">'
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p style='b:url(a.png)'>", "<p style='b:url(<a.png|>)'>"),
        ('<p style="b:url(&quot;a.png&quot;)">', '<p style="b:url(&quot;<a.png|>&quot;)">'),
        ("<p style=b:url(a.png)>", "<p style=b:url(<a.png|>)>"),
        (
            '<p style="--ä&auml;:1;b:url(x&amp;y.png?z&amp;),url(z.png)">',
            '<p style="--ä&auml;:1;b:url(<x&y.png|?z&amp;>),url(<z.png|>)">',
        ),
        ('<p style="b:url(a&#92;62 c.png)">', '<p style="b:url(<abc.png|>)">'),
        ('<p style="b&#58;u&#114;l&lpar;a.png&#41;">', '<p style="b&#58;u&#114;l&lpar;<a.png|>&#41;">'),
        ("<p style='/* url(a.png) */'>", "<p style='/* url(a.png) */'>"),
        ("<style>a{b:url(a.png)}</style>", "<style>a{b:url(<a.png|>)}</style>"),
        ("<style type=''>@import 'a.css'</style>", "<style type=''>@import '<a.css|>'</style>"),
        ("<style type='Text/CSS'>@import 'a.css'", "<style type='Text/CSS'>@import '<a.css|>'"),
        ("<style type=x>@import 'a.css'</style>", "<style type=x>@import 'a.css'</style>"),
        ("<style>b{c:url(a&amp;b.png)}</style>", "<style>b{c:url(<a&amp;b.png|>)}</style>"),
        ("<style>a{b:url(a.png</style>)}", "<style>a{b:url(<a.png|></style>)}"),
        ("<svg><style>b{c:url(a&amp;b.png)}</style></svg>", "<svg><style>b{c:url(<a&b.png|>)}</style></svg>"),
        (
            "<svg><style>/*&lt;*/<![CDATA[b{c:url(a&amp;b.png)}]]> d{e:url(f.png)}<!--url(g.png)--></style>",
            "<svg><style>/*&lt;*/<![CDATA[b{c:url(<a&amp;b.png|>)}]]> d{e:url(<f.png|>)}<!--url(g.png)--></style>",
        ),
        (
            "<svg><style>b{c:url(a<![CDATA[b.png)}]]>d{e:url(f.png)}</style>",
            "<svg><style>b{c:url(a<![CDATA[b.png)}]]>d{e:url(<f.png|>)}</style>",
        ),
        (
            "<svg fill='url(a.svg#b)'><rect CLIP-PATH=URL(c.svg#d)>",
            "<svg fill='url(<a.svg|#b>)'><rect CLIP-PATH=URL(<c.svg|#d>)>",
        ),
        (
            "<svg><rect mask='url(#b)'/></svg><p mask='url(c.svg#d)'>",
            "<svg><rect mask='url(#b)'/></svg><p mask='url(c.svg#d)'>",
        ),
        (
            "<svg><image xlink:href=a.png><feImage href=b.png /></svg>",
            "<svg><image xlink:href=<a.png|>><feImage href=<b.png|> /></svg>",
        ),
        ("<svg><script href=a.js>import('./b.js')</script>", "<svg><script href=<a.js|>>import('./b.js')</script>"),
        ("<svg><script>import('./b.js')</script>", "<svg><script>import('<./b.js|>')</script>"),
        ("<svg><script/></svg><img src=a.png>", "<svg><script/></svg><img src=<a.png|>>"),
        (
            "<svg><foreignObject><img src=a.png></foreignObject><image href=b.png>",
            "<svg><foreignObject><img src=<a.png|>></foreignObject><image href=<b.png|>>",
        ),
        ("<svg><title>x</title><image href=b.png>", "<svg><title>x</title><image href=<b.png|>>"),
        ("<svg></svg><image href=b.png>", "<svg></svg><image href=b.png>"),
    ],
)
def test_style_sheets_and_drawings_within_are_read(source: str, expected: str) -> None:
    assert marked(scan(source.encode(), True)) == expected


@pytest.mark.parametrize(
    "start",
    [
        *("<script>", "<script type=''>", "<script type=module>", "<SCRIPT TYPE=' Text/JavaScript '>"),
        *("<script type=application/ecmascript>", "<script type=text/javascript1.5 async>"),
    ],
)
def test_scripts_within_are_read(start: str) -> None:
    assert paths(f"{start}import('./a.js')</script>") == ["./a.js"]


@pytest.mark.parametrize(
    "start",
    ["<script src=//h/x.js>", "<script type=text/plain>", "<script type=application/json>", "<script type=x/y>"],
)
def test_other_scripts_are_data(start: str) -> None:
    assert paths(f"{start}import('./a.js')</script>") == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{"imports": {"a": "./a.js", "b": "/b.js?x"}}', ["./a.js", "/b.js"]),
        (
            '{"imports": {"a/": "./a/", "b": "b.js", "c": null, "d": "https://h/d.js", "./e.js": "../e.js"}}',
            ["../e.js"],
        ),
        ('{"scopes": {"/x/": {"a": "./a.js"}, "./y.js": {}}, "imports": {"b":"./b.js"}}', ["./a.js", "./b.js"]),
        ('{"integrity": {"./a.js": "sha384-x"}, "other": {"a": "./a.js"}, "imports": {}}', []),
        ('{"imports": {"a": ["./a.js"], "b": {"c": "./c.js"}}, "scopes": {"a": "./a.js"}}', []),
        ('["imports", {"a": "./a.js"}]', []),
        ('{"scopes": [{"a": "./a.js"}]}', []),
        ('{"imports": {"\\u0061": ".\\/\\u0061.js"}}', ["./a.js"]),
        ('{"imports": {"a": "./a.js",}}', []),
        ('"x"', []),
        ("[" * 5000, []),
    ],
)
def test_import_maps_are_read(source: str, expected: list[str]) -> None:
    assert paths(f"<script type=importmap>{source}</script>") == expected


@pytest.mark.parametrize(
    ("href", "base"),
    [
        *(("a/", "a/"), ("a/b", "a/"), ("/a/b.html?c/d#e/f", "/a/"), ("/", "/"), ("b.html", ""), ("", ""), ("#x", "")),
        *(("..", "../"), ("../", "../"), (".", "./"), ("a\\b", "a/"), (" &#47;a/ ", "/a/"), ("?x/y", "")),
    ],
)
def test_relative_references_start_from_the_base(href: str, base: str) -> None:
    draft = scan(f"<img src=a.png><base href='{href}'><base href=/z/><img src=b.png>".encode(), True)
    assert [(ref.path, ref.base) for ref in draft.refs] == [("a.png", base), ("b.png", base)]


@pytest.mark.parametrize("href", ["https://h/", "//h/", "http:", "data:,"])
def test_a_base_on_another_site_leaves_no_reference(href: str) -> None:
    source = f"<img src=/a.png><base target=x><base href={href}><base href=/>"
    assert scan(source.encode(), True).pieces == (source.encode(),)


def test_a_base_without_href_or_in_a_drawing_is_none() -> None:
    assert scan(b"<svg><base href=/a/></svg><base><base href=/b/><img src=a.png>", True).refs[0].base == "/b/"


def test_each_script_and_style_has_a_source_map_of_its_own() -> None:
    script = "<script>//# sourceMappingURL=a.map\n//# sourceMappingURL=b.map\n</script>"
    assert paths(script + script.replace("b.map", "c.map")) == ["b.map", "c.map"]
    assert paths("<style>/*# sourceMappingURL=a.map */</style><style>/*# sourceMappingURL=b.map */</style>") == [
        "a.map",
        "b.map",
    ]


def test_holes_know_their_place_and_language() -> None:
    source = "<p>ü<img src=a.png>\n<p style='b:url(b.png)'>\n<script>import('./c.js')</script>"
    refs = scan(source.encode(), True).refs
    assert [(ref.line, ref.column, ref.kind) for ref in refs] == [(1, 14, "html"), (2, 17, "css"), (3, 17, "js")]


def test_text_that_is_not_utf8_says_where_unless_it_names_its_encoding() -> None:
    assert scan(b"<p>\n\xe4<img src=a.png>", True).not_utf8 == (2, 1)
    assert scan(b"<p>\n\xe4", True).not_utf8 == (2, 1)
    assert scan(b"<meta charset=utf-8>\xe4<img src=a.png>", True).not_utf8 == (1, 21)
    for meta in (b"<meta charset=latin1>", b"<meta http-equiv=x content='text/html; charset=windows-1252'>"):
        assert scan(meta + b"\xe4<img src=a.png>", True).not_utf8 is None
    assert scan("<img src=a.png>".encode("utf-16"), True).not_utf8 is None


HOSTILE = [
    *("<", "<a ", "<a href='", '<a href="', "<a href=", "<!--", "<!-", "<style>", "<script>", "<svg>", "<svg><desc>"),
    *("<svg><style>", "<svg><style>&amp;", "<svg><style><!---->", "<svg><style><![CDATA[", "<title>", "<plaintext>"),
    *("&amp;", "<script><!--", "<script><!--<script", "</script", "</", "<a/", "<a=", "<p a>", "<p a=b c", "<a b\n"),
    *("<base href=/>", "<base href>", "<base href=x ", "<!doctype [>", "<?", "<![CDATA[", "<img src=a srcset='a("),
    *("</svg>", "<svg></p>", "<svg><p>", "<link rel=icon ", "<script type=importmap>[", '<meta charset="', "a=", "(("),
]


@pytest.mark.parametrize("bit", HOSTILE)
@pytest.mark.parametrize("frame", ["%s", "<img src=x><!--%s", "<img src=x alt='%s'>", "<svg><style>%s", "<svg>%s"])
def test_hostile_input_is_read_in_linear_time(bit: str, frame: str) -> None:
    """Not a timing: quadratic work on this input would take minutes, and the run would be ended."""
    text = (frame % (bit * (400_000 // len(bit)))).encode()
    assert whole(scan(text, True)) == text


@pytest.mark.parametrize(
    "frame",
    [
        *('<p style="%s">', '<img srcset="%s">', '<link rel="%s" href=a>', "<script type=importmap>%s</script>"),
        *('<img srcset="&amp;%s">', '<p style="&amp;(%s">'),
    ],
)
@pytest.mark.parametrize(
    "bit", ["&amp;", "url(a&amp;b) ", "a&amp;b, ", "(", ",", " ", "a, ", "[", '{"', '"', "\\", "&"]
)
def test_hostile_values_are_read_in_linear_time(bit: str, frame: str) -> None:
    text = (frame % (bit * (100_000 // len(bit)))).encode()
    assert whole(scan(text, True)) == text


_PIECES = st.sampled_from(
    [
        "<",
        ">",
        "</",
        "/>",
        "/",
        "=",
        "'",
        '"',
        " ",
        "\n",
        "&",
        "&amp;",
        "&quot;",
        ";",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
    ]
    + [
        "<img ",
        "<link rel=icon ",
        "<a ",
        "<svg>",
        "</svg>",
        "<style>",
        "</style>",
        "<script>",
        "</script>",
        "<p>",
        "--",
    ]
    + [
        "src=",
        "href=",
        "srcset=",
        "style=",
        "a.png",
        "b.js",
        "url(",
        ")",
        ",",
        " 1x",
        "import('./c.js')",
        "?q",
        "#f",
        "ü",
    ]
    + [
        "<base href=",
        "<title>",
        "</title>",
        "!",
        "<?",
        "<foreignObject>",
        "<script type=importmap>",
        '{"imports":{"a":"./a"}}',
    ]
)
_MESSES = st.lists(_PIECES, max_size=40).map("".join)


@given(_MESSES)
def test_every_byte_stays(source: str) -> None:
    assert whole(scan(source.encode(), True)) == source.encode()


@given(st.binary(max_size=60))
def test_bytes_that_are_no_text_stay(text: bytes) -> None:
    text = b"<img src=a.png>" + text
    assert whole(scan(text, True)) == text


# For each document on the standard input, what parse5 sees in it: the offsets and values of attributes that are URLs,
# and the texts of style elements.
_PARSE5 = """
const {parse} = await import(process.argv[1] + "/dist/index.js");
const seen = (source) => {
  const found = new Map();
  const walk = (node) => {
    for (const {name, prefix, value} of node.attrs ?? []) {
      const attribute = prefix ? `${prefix}:${name}` : name;
      const place = node.sourceCodeLocation?.attrs?.[attribute];
      const element = node.namespaceURI.endsWith("xhtml") ? node.tagName : "";
      if (place) found.set(place.startOffset, [attribute, element, value]);
    }
    if (node.tagName === "style" && node.sourceCodeLocation) {
      const element = node.childNodes.findIndex((child) => child.tagName);
      const children = element < 0 ? node.childNodes : node.childNodes.slice(0, element);
      const text = children.map((child) => child.nodeName === "#text" ? child.value : "").join("");
      found.set(node.sourceCodeLocation.startTag.endOffset, ["", "", text]);
    }
    for (const child of node.childNodes ?? []) walk(child);
    if (node.content) walk(node.content);
  };
  walk(parse(source, {sourceCodeLocationInfo: true, scriptingEnabled: false}));
  return [...found].sort(([one], [other]) => one - other).map(([, what]) => what);
};
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
process.stdout.write(JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()).map(seen)));
"""
_REFER = {("img", "src"), ("video", "src"), ("video", "poster"), ("link", "href"), ("", "href"), ("", "xlink:href")}
# HTML elements that stay open keep the end tags of what they are in from having effect, which is not modelled: islands
# of HTML in SVG and MathML are whole.
_BITS = [
    *("<p>", "</p>", "<div a='>'>", "<!--", "-->", "--!>", "<!-->", "<?x", ">", "<", "</", "<!x", " ", "x", "\n", "-"),
    *(
        "<![CDATA[",
        "]]>",
        "<style>",
        "</style>",
        "<script>",
        "</script>",
        "</title>",
        "<textarea>",
        "'",
        "=",
        "/>",
        "/",
    ),
    *("</textarea\t", "<noscript>", "<template>", "</style ", "<xmp>", "</xmp>", "b{c:url(s.png)}", "<title>x</title>"),
    *("b{c:url(t&amp;.png)}", "<img src=i.png>", "<IMG\nSRC='j.png'/>", "<link rel=icon href=l.ico>", "<g>", "</g>"),
    *(
        "<video poster=v.jpg src=v.mp4>",
        "<img alt=",
        "<img ",
        "src=",
        "src = ",
        '"k.png"',
        "'m&amp;.png'",
        "n&ampx.png?y",
    ),
    *("&#112;.png", "<use href=u.svg />", "<image xlink:href=w.png />", "<script><!--", "<script>", "<", ">", "<p>"),
]
_BITS_OF_HTML = ["<title>", "<iframe>", "</iframe >", "<noembed>", "</NOEMBED/>", "<!doctype html '>"]
_BITS_OF_SVG = [
    "<svg>",
    "</svg>",
    "<svg/>",
    "<desc><style><p></style></desc>",
    "<foreignObject><xmp><p></xmp></foreignObject>",
]
_BITS_OF_MATH = ["<math>", "</math>", "<math/>", "<mrow>", "</mrow>", "<mi><style><p></style></mi>", "<desc></desc>"]


def test_references_are_those_that_parse5_sees() -> None:
    chance = random.Random(5)
    bits = [_BITS + _BITS_OF_HTML, _BITS + _BITS_OF_SVG * 2, _BITS + _BITS_OF_MATH * 2]
    documents = ["".join(chance.choices(bits[i % 3], k=chance.randrange(40))) for i in range(6000)]
    command = [npm.node(), "--input-type=module", "-e", _PARSE5, str(npm.package("parse5@7.2.1"))]
    done = subprocess.run(command, input=json.dumps(documents).encode(), capture_output=True, timeout=300, check=True)
    wrong = []
    for document, seen in zip(documents, json.loads(done.stdout), strict=True):
        expected = []
        for attribute, element, value in seen:
            if not attribute:
                expected += [ref.path for ref in css.scan(value.encode(), False).refs]
            elif (element, attribute) in _REFER and (split := split_reference(value.strip())):
                expected.append(split[0])
        if (found := paths(document)) != expected:
            wrong.append((document, found, expected))
    assert wrong == []
