from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.references.js import scan, unescape
from tests.drafts import whole


def refs(source: str, *, minify: bool = False) -> list[str]:
    return [ref.path for ref in scan(source.encode(), minify).refs]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import './a.js'", ["./a.js"]),
        ('import"../a.js"', ["../a.js"]),
        ("import a from '/static/a.js'", ["/static/a.js"]),
        ("import a, {b as c, d} from './a.js'", ["./a.js"]),
        ("import a, * as b from './a.js'", ["./a.js"]),
        ("import * as a from './a.js'", ["./a.js"]),
        ("import {\n  a, // the a\n  b,\n} from\n  './a.js'", ["./a.js"]),
        ("import {} from './a.js' with { type: 'json' }", ["./a.js"]),
        ("import defer * as a from './a.js'", ["./a.js"]),
        ("import from from './a.js'", ["./a.js"]),
        ("import $ä from './a.js'", ["./a.js"]),
        ("import/**/a/**/from/**/'./a.js'", ["./a.js"]),
        ("import {'a b' as c} from './a.js'", ["./a.js"]),
        ("import { a, /** {b} */ c } from './a.js'", ["./a.js"]),
        ("export { a as '}' /* } */ } from './a.js'", ["./a.js"]),
        ("export * from './a.js'", ["./a.js"]),
        ("export * as a from './a.js'", ["./a.js"]),
        ("export {a, b as default} from './a.js'", ["./a.js"]),
        ("export{a}from'./a.js';export{b}from'./b.js'", ["./a.js", "./b.js"]),
        ("import('./a.js')", ["./a.js"]),
        ("await import ( /* webpackIgnore: true */ './a.js' , {})", ["./a.js"]),
        ("import(`./a.js`)", ["./a.js"]),
        ("[...await import('./a.js')]", ["./a.js"]),
        ("[...import('./a.js')]", ["./a.js"]),
        ("`${import('./a.js')}`", ["./a.js"]),
        ("`a${`b${import('./a.js')}`}` + import('./b.js')", ["./a.js", "./b.js"]),
        ("x = {a: () => import('./a.js')}", ["./a.js"]),
        ("import './\\u0061.js'", ["./a.js"]),
        ("import './a%20b.js?x#y'", ["./a%20b.js"]),
        ("\ufeffimport './a.js'", ["./a.js"]),
        ("\u00a0import './a.js'", ["./a.js"]),
        ("#!/usr/bin/env node\nimport './a.js'", ["./a.js"]),
        ("if (x) /import '.\\/n.js'/.test(y); import './a.js'", ["./a.js"]),
        ("a = b / c; import('./a.js'); d = e / f", ["./a.js"]),
        ("a = (b) / c; import('./a.js') / 1", ["./a.js"]),
        ("a = b[0] / import('./a.js') / 2", ["./a.js"]),
        ("a++ / import('./a.js') / 2", ["./a.js"]),
        ("return /[/'\"`]/.test(import('./a.js'))", ["./a.js"]),
        ("x = y ? /'/ : /\"/; import './a.js'", ["./a.js"]),
        ("for await (x of y) /'/.test(x); import './a.js'", ["./a.js"]),
        ("({a: 1} / import('./a.js') / 2)", ["./a.js"]),
        ("}\n/'/.test(x); import './a.js'", ["./a.js"]),
        ("import 'lit'; export * from '@scope/x'; import('lit/y.js')", ["lit", "@scope/x", "lit/y.js"]),
        ("import sheet from './a.css' with { type: 'css' }; import j from './a.json' assert {type:'json'}",)
        + (["./a.css", "./a.json"],),
        ("import.meta.resolve('./a.js')", ["./a.js"]),
        ("import . meta /**/ . resolve ( `./a.js` )", ["./a.js"]),
        ("new URL('a.png', import.meta.url)", ["a.png"]),
        ("new Worker(new URL(\"./w.js\", import.meta.url), {type: 'module'})", ["./w.js"]),
        ("new Worker(import.meta.resolve('./w.js'))", ["./w.js"]),
        ("new/**/URL(\n`a.png`, // why\n import.meta.url,\n)", ["a.png"]),
        ("x=new URL('../a.wasm',import.meta.url).href", ["../a.wasm"]),
        ("importScripts('a.js')", ["a.js"]),
        ("importScripts('a.js', \"b.js\", `c.js`, d, 'e.js')", ["a.js", "b.js", "c.js"]),
        ("self.importScripts('a.js'); globalThis . importScripts('b.js')", ["a.js", "b.js"]),
        ("self.addEventListener('x', () => { importScripts('/a.js?v=1') })", ["/a.js"]),
        ("// so says x.\nexport * from './a.js'", ["./a.js"]),
        ("x = {}/* . */\nimport('./a.js')", ["./a.js"]),
        ("x++ / 2; import('./a.js'); /'/", ["./a.js"]),
        ("x\n++/'/.lastIndex; import('./a.js')", ["./a.js"]),
        ("x = y +++/'/.lastIndex; import('./a.js')", ["./a.js"]),
        ("if (a) break x\n/import('.\\/c')/.test(b); import('./a.js')", ["./a.js"]),
        ("x: for (;;) continue /* y */ x\r\n/'/.test(b); import('./a.js')", ["./a.js"]),
        ("a.break.x\n/ 2; import('./a.js') / 3", ["./a.js"]),
        ("a.return / 2; import('./a.js') / 2", ["./a.js"]),
        ("a . return / import('./a.js') / 2", ["./a.js"]),
        ("a.return /* x */ / import('./a.js') / 2", ["./a.js"]),
        ("a.if /* x */ (b) / import('./a.js') / 2", ["./a.js"]),
        ("self./**/importScripts('./a.js')", ["./a.js"]),
        ("import './a.js'\n/'/.test(import('./b.js'))", ["./a.js", "./b.js"]),
        ("debugger\n/'/.test(import('./a.js'))", ["./a.js"]),
        ("x = 1. in/'/.test(import('./a.js'))", ["./a.js"]),
        ("if (x) ++/'/.lastIndex; import('./a.js')", ["./a.js"]),
        ("import\u00a0x\u3000from\ufeff'./a.js'", ["./a.js"]),
        ("\u3000import './a.js'; \u00a0return\u2003/'/.test(import('./b.js'))", ["./a.js", "./b.js"]),
        ("import {a as \\u{61}} from './a.js'", ["./a.js"]),
        ("a /* x */ / import('./a.js') / 2", ["./a.js"]),
        ("if (a) /* x */ /'/.test(b); import('./a.js')", ["./a.js"]),
        ("`${/'/.test(a)}${import('./a.js')}`", ["./a.js"]),
        ("`${{a: `}`}.a}` + import('./a.js')", ["./a.js"]),
        ("(a, function () { return '(' }(b)) / import('./a.js') / 2", ["./a.js"]),
        ("while (a(')') /* ( */) /'/.test(b), import('./a.js')", ["./a.js"]),
        ("//# sourceMappingURL=a.js.map", ["a.js.map"]),
        ("/*\n//@ sourceMappingURL=a.js.map\n*/", ["a.js.map"]),
        ("x\n/*# sourceMappingURL=a.js.map */\n", ["a.js.map"]),
        ("//# sourceMappingURL=a.map\nx\n//# sourceMappingURL=b.map", ["b.map"]),
    ],
)
def test_imports_are_found(source: str, expected: list[str]) -> None:
    assert refs(source) == expected
    assert refs(source, minify=True) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import 'b'; import a, {c} from './a.js'; import * as d from '/d.js'", ["b", "./a.js", "/d.js"]),
        ("export * from './a.js'; export {b} from './b.js'; export {c}", ["./a.js", "./b.js"]),
        ("import defer * as a from './a.js'; import s from './s.css' with {type: 'css'}", ["./a.js", "./s.css"]),
        ("import('./a.js'); import(`./b.js`); import.meta.resolve('./c.js'); import './d.js'", ["./d.js"]),
        ("new URL('a.js', import.meta.url); importScripts('b.js')", []),
        ("x\n//# sourceMappingURL=a.js.map", []),
    ],
)
def test_what_a_module_needs_before_it_runs_is_told(source: str, expected: list[str]) -> None:
    for minify in (False, True):
        assert [ref.path for ref in scan(source.encode(), minify).refs if ref.eager] == expected


@pytest.mark.parametrize(
    "source",
    [
        "new URL('a.png', document.baseURI); new URL('a.png'); URL('a.png', import.meta.url)",
        "new URL(a, import.meta.url); new URL('a' + b, import.meta.url); new URL(`${a}`, import.meta.url)",
        "new x.URL('a.png', import.meta.url); new URLs('a.png', import.meta.url); new URL('a', import.meta.urls)",
        "x.importScripts('a.js'); importScripts(a); importScriptsLater('a.js')",
        "import.meta.resolves('./a.js'); import.meta.env.resolve('./a.js')",
        "// import './a.js'",
        "/* import './a.js' */",
        "'import \"./a.js\"'",
        "`import './a.js'`",
        "x.import('./a.js'); x?.import('./a.js'); x . import('./a.js')",
        "this.#import('./a.js')",
        "/import('.\\/a.js')/",
        'x = /\'import(".\\/a.js")/',
        "import.meta.url('./a.js')",
        "import('./a' + x + '.js')",
        "import(`./${x}.js`)",
        "import('https://h/a.js'); import('//h/a.js'); import('data:text/javascript,1')",
        "({import: './a.js', export: './b.js'})",
        "export const a = './a.js'",
        "export default './a.js'",
        "imports('./a.js'); $import('./a.js'); import_('./a.js')",
        "'sourceMappingURL=a.map'",
        "// as in //# sourceMappingURL=a.map",
        "/* write # sourceMappingURL=a.map */ //# sourceMappingURL=a.map it says",
        "//# sourceMappingURL=data:application/json;base64,AA==",
    ],
)
def test_what_imports_no_file_of_ours_stays(source: str) -> None:
    draft = scan(source.encode(), False)
    assert draft.refs == []
    assert whole(draft).decode() == source
    assert refs(source, minify=True) == []


@pytest.mark.parametrize(
    ("source", "minified"),
    [
        ("a  =  b + c ;", "a=b+c;"),
        ("// c\na\n\n\n  b", "a\nb"),
        ("a /* x */ + /* y */ b", "a+b"),
        ("return /* \n */ 1", "return\n1"),
        ("a + +b; a - -b; a + ++b; a++ + b", "a+ +b;a- -b;a+ ++b;a++ +b"),
        ("a / /b/g", "a/ /b/g"),
        ("/a/ in b", "/a/ in b"),
        ("1 .toFixed()", "1 .toFixed()"),
        ("x = { a : 1 ,\n b : 2 }", "x={a:1,b:2}"),
        ("if (a) {\n b()\n}\nelse {\n c()\n}", "if(a){b()}\nelse{c()}"),
        ("`a  ${ b  +  c }  d`", "`a  ${b+c}  d`"),
        ("'a  b'", "'a  b'"),
        ("class A { x = 1\n y = 2\n static z }", "class A{x=1\ny=2\nstatic z}"),
        ("/*! licence */ a", "/*! licence */ a"),
        ("a\n// @license MIT\nb", "a\n// @license MIT\nb"),
        ("#!/usr/bin/env node\n a", "#!/usr/bin/env node\na"),
        ("#!/usr/bin/env node\n;a", "#!/usr/bin/env node\n;a"),
        ("#!x;\na", "#!x;\na"),
        ("typeof  x in y", "typeof x in y"),
        ("a = b\n(c)", "a=b\n(c)"),
        ("a\n++\nb", "a\n++\nb"),
        ("a<! --b", "a<! --b"),
        ("x = 1. in y", "x=1. in y"),
        ("[.../r  s/]", "[.../r  s/]"),
    ],
)
def test_minifying_leaves_out_what_the_tree_does_not_hold(source: str, minified: str) -> None:
    assert whole(scan(source.encode(), True)).decode() == minified


@pytest.mark.parametrize(
    "source",
    [
        "a  =  `b",
        "a  =  'b",
        "(a  ",
        "a  )",
        "<!-- a  b",
        "a\n-->  b",
        "a  \u2028  b",
        "a = /b  ",
        "x = function () {} / 2 + '/  // '",
        "c ? y : {} / 2",
        "of = 1; of / 2",
        "of++  / 2",
        "for (x\\u{61} of  y) ;",
        "a  \n/* never closed",
    ],
)
def test_what_does_not_tokenize_or_is_odd_is_not_minified(source: str) -> None:
    assert whole(scan(source.encode(), True)).decode() == source


def test_holes_know_their_place() -> None:
    draft = scan("/* ü\n */ import 'x'; import './ä.js'\n  export * from './b.js'".encode(), True)
    assert [(ref.line, ref.column) for ref in draft.refs] == [(2, 13), (2, 25), (3, 18)]


@pytest.mark.parametrize(("raw", "value"), [("\\x61\\u{62}\\u0063\\\n\\n\\'", "abc\n'"), ("\\ud800", "\ufffd")])
def test_escapes_are_undone(raw: str, value: str) -> None:
    assert unescape(raw) == value


_BITS = st.sampled_from(
    [
        "#",
        "@",
        "break ",
        "new URL(",
        ", import.meta.url)",
        "\u00a0",
        "import ",
        "export ",
        "from ",
        "'./a.js'",
        '"',
        "'",
        "`",
        "${",
        "}",
        "{",
        "(",
        ")",
        "[",
        "]",
        "/",
        "//",
        "/*",
        "*/",
    ]
    + ["\n", " ", "\\", "a", "1", ".", "+", "-", "=", ";", ",", "*", "as ", "return ", "if ", "ü", "#!", "<!--", "\r\n"]
)


@given(st.lists(_BITS, max_size=30).map("".join))
def test_without_minifying_every_byte_stays(source: str) -> None:
    assert whole(scan(source.encode(), False)).decode() == source


@given(st.lists(_BITS, max_size=30).map("".join))
def test_minifying_loses_no_reference(source: str) -> None:
    assert refs(source, minify=True) == refs(source)


@pytest.mark.parametrize(
    "bit",
    [
        b"import x ",
        b"import {",
        b"export {a,",
        b"(",
        b"`${",
        b"/",
        b"[/",
        b"/*",
        b"'",
        b"import/*",
        b"import(",
        b"if(a)/",
    ]
    + [b"import * as ", b"export * as ", b")/", b"<", b"\\", b"import from "],
)
def test_hostile_input_is_read_in_linear_time(bit: bytes) -> None:
    """Not a timing: quadratic work on this input would take minutes, and the run would be ended."""
    scan(bit * (400_000 // len(bit)), True)
