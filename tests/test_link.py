from __future__ import annotations

import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from assetpipe.errors import Problem, Severity
from assetpipe.link import Linked, Linker, Node, Site, components
from assetpipe.missing import Policy
from assetpipe.paths import Digest, LogicalPath, resolve
from assetpipe.references import scanner
from assetpipe.references.draft import Outline

Sources = dict[str, str]
# The texts of all nodes made here, and the final bytes of all that was filled: both by their digests.
TEXTS: dict[Digest, bytes] = {}


class Texts:
    def fill(self, node: Node, holes: Sequence[bytes]) -> tuple[Digest, int]:
        digest = self.digest(node, holes)
        return digest, len(TEXTS[digest])

    def digest(self, node: Node, holes: Sequence[bytes]) -> Digest:
        assert node.outline is not None
        data = b"".join(node.outline.filled(TEXTS[node.digest], holes))
        TEXTS[Digest.of(data)] = data
        return Digest.of(data)


def link(nodes: dict[LogicalPath, Node], site: Site) -> tuple[dict[LogicalPath, Linked], list[Problem]]:
    linker = Linker(Texts())
    linker.link(nodes, site)
    return linker.linked, linker.problems


def nodes(sources: Sources, prefix: str = "/static/") -> dict[LogicalPath, Node]:
    made = {}
    for name, text in sources.items():
        path, data, outline = LogicalPath(prefix + name), text.encode(), None
        if scan := scanner(name):
            outline, data = Outline.of(scan(data, False))
            outline = outline if outline.refs else None
        digest = Digest.of(data)
        TEXTS[digest] = data
        made[path] = Node(path, name, digest, len(data), outline)
    return made


def linked(sources: Sources) -> dict[str, Linked]:
    done, problems = link(nodes(sources), Site(["/static/"]))
    assert problems == []
    return {path.removeprefix("/static/"): one for path, one in done.items()}


def filled(one: Linked) -> str:
    return TEXTS[one.digest].decode()


def test_outside_of_cycles_the_tag_is_that_of_the_final_bytes() -> None:
    done = linked({"a.css": "@import 'b.css';", "b.css": "i{j:url(c.png)}", "c.png": "png"})
    assert done["c.png"].url == f"/static/c.{Digest.of(b'png').tag}.png"
    assert filled(done["b.css"]) == f"i{{j:url(c.{Digest.of(b'png').tag}.png)}}"
    for name in ("a.css", "b.css"):
        assert done[name].url == f"/static/{name[0]}.{Digest.of(filled(done[name]).encode()).tag}.css"
    assert done["a.css"].refs == ("/static/b.css",)


@pytest.mark.parametrize(
    "sources",
    [
        {"a.js": "import './a.js'"},
        {"a.css": "@import 'a.css';"},
        {"a.js": "import './b.js'", "b.js": "import './a.js'"},
        {"a.js": "import './b.js'; import './c.js'", "b.js": "import './c.js'", "c.js": "import './a.js'; 'c'"},
        {"a.css": "@import 'b.css';", "b.css": "@import 'a.css'; x{y:url(p.png)}", "p.png": "p"},
    ],
)
def test_cycles_are_named_and_every_hole_is_filled(sources: Sources) -> None:
    done = linked(sources)
    urls = {one.url.rpartition("/")[2] for one in done.values()}
    for name in sources:
        if done[name].holes:
            told = re.findall(r"[\w.]+\.(?:css|js|png)", filled(done[name]))
            assert told
            assert set(told) <= urls


def test_members_of_a_cycle_with_equal_text_and_other_places_get_urls_of_their_own() -> None:
    done = linked({"a.js": "import './b.js'", "b.js": "import './a.js'"})
    assert len({one.url for one in done.values()}) == 2


def test_a_change_in_a_cycle_renames_all_its_members_and_all_that_lead_there_but_nothing_else() -> None:
    sources = {
        "top.js": "import './a.js'",
        "a.js": "import './b.js'",
        "b.js": "import './a.js'; import './leaf.js'",
        "leaf.js": "1",
        "other.js": "2",
    }
    before = linked(sources)
    after = linked({**sources, "b.js": "import './a.js'; import './leaf.js'; 3"})
    renamed = {name for name in sources if before[name].url != after[name].url}
    assert renamed == {"top.js", "a.js", "b.js"}


def test_swapping_the_targets_within_a_cycle_renames_it() -> None:
    cycle = {"a.js": "import './b.js'; import './c.js'", "b.js": "import './a.js'", "c.js": "import './a.js'"}
    swapped = {**cycle, "a.js": "import './c.js'; import './b.js'"}
    assert linked(cycle)["a.js"].url != linked(swapped)["a.js"].url


def test_a_change_of_a_leaf_reaches_everything_that_leads_to_it() -> None:
    sources = {"a.css": "@import 'b.css';", "b.css": "i{j:url(c.png)}", "c.png": "1", "d.css": "x{}"}
    before, after = linked(sources), linked({**sources, "c.png": "2"})
    assert {name for name in sources if before[name].url != after[name].url} == {"a.css", "b.css", "c.png"}


def test_what_a_url_can_answer_beside_its_bytes_is_in_its_name() -> None:
    made = nodes({"p.png": "p"})
    path = LogicalPath("/static/p.png")
    bare = link(made, Site(["/static/"]))[0][path].url
    made[path] = replace(made[path], covers=(Digest.of(b"webp"),))
    assert link(made, Site(["/static/"]))[0][path].url != bare


def test_a_file_that_keeps_its_name_lends_no_tag_and_is_rewritten_all_the_same() -> None:
    made = nodes({"sw.js": "import './a.js'", "a.js": "import './sw.js'; 1"})
    path = LogicalPath("/static/sw.js")
    made[path] = replace(made[path], naming="plain")
    done, _ = link(made, Site(["/static/"]))
    a = done[LogicalPath("/static/a.js")]
    assert filled(a) == "import './sw.js'; 1"
    assert done[path].url == path
    assert filled(done[path]) == f"import './{a.url.name}'"
    assert done[path].file == path.tagged(Digest.of(filled(done[path]).encode()).tag)


def test_references_across_prefixes_are_resolved_as_urls() -> None:
    made = nodes({"a.html": "<img src=../admin/static/p.png><img src=/admin/static/p.png>"})
    made |= nodes({"p.png": "p"}, prefix="/admin/static/")
    done, problems = link(made, Site(["/admin/static/", "/static/"]))
    tag = Digest.of(b"p").tag
    expected = f"<img src=../admin/static/p.{tag}.png><img src=/admin/static/p.{tag}.png>"
    assert filled(done[LogicalPath("/static/a.html")]) == expected
    assert problems == []


@pytest.mark.parametrize(
    ("reference", "text", "hint"),
    [
        ("img/logo.png", "looked for /static/css/img/logo.png", "The nearest there is: /static/img/logo.png"),
        ("../img/Logo.png", "looked for /static/img/Logo.png", "/static/img/logo.png differs only in case"),
        ("../img/lgoo.png", "looked for /static/img/lgoo.png", "The nearest there is: /static/img/logo.png"),
        ("../img/logo.pgn", "looked for /static/img/logo.pgn", "The nearest there is: /static/img/logo.png"),
        ("../zzz.ttf", "looked for /static/zzz.ttf", "Add the file"),
        ("/static/none.png", "looked for /static/none.png", "Add the file"),
        ("../img//logo.png", "can be no file", "without an empty segment"),
    ],
)
def test_a_reference_to_nothing_says_where_and_what_was_probably_meant(reference: str, text: str, hint: str) -> None:
    _, problems = link(nodes({"css/a.css": f"\n a{{b:url({reference}?x)}}", "img/logo.png": "p"}), Site(["/static/"]))
    (problem,) = problems
    assert (problem.file, problem.line, problem.column) == ("css/a.css", 2, 10)
    assert f"{reference}?x" in problem.text
    assert text in problem.text
    assert hint in problem.hint


def test_a_folder_that_a_script_takes_names_to_is_no_mistake() -> None:
    text = "new URL('./', import.meta.url); new URL('..', import.meta.url); new URL('/static/x/', import.meta.url)"
    assert link(nodes({"a.js": text}), Site(["/static/"]))[1] == []
    (problem,) = link(nodes({"a.css": "a{b:url(/static//p.png)}"}), Site(["/static/"]))[1]
    assert "can be no file" in problem.text


def test_the_nearest_is_first_looked_for_in_the_same_folder_and_then_in_the_nearest() -> None:
    made = nodes(
        {"a.css": "a{b:url(v/lit/indx.js);c:url(v/x/logo.svg)}", "v/lit/index.js": "", "v/lit/dev/index.js": ""}
    )
    made |= nodes({"logo.svg": "", "v/logo.svg": ""})
    hints = [problem.hint for problem in link(made, Site(["/static/"]))[1]]
    assert hints == ["The nearest there is: /static/v/lit/index.js", "The nearest there is: /static/v/logo.svg"]


def test_a_specifier_without_its_suffix_is_told_so() -> None:
    made = nodes({"a.js": "import './b'; import './c'", "b.js": "", "c/index.js": ""})
    hints = [problem.hint for problem in link(made, Site(["/static/"]))[1]]
    assert hints == [
        "Browsers add no suffix. Write it out: /static/b.js",
        "Browsers add no suffix. Write it out: /static/c/index.js",
    ]


def test_a_reference_to_nothing_stays_as_it_was_written() -> None:
    done, problems = link(nodes({"a.css": "a{b:url('n\\6f ne.png?x#y')}"}), Site(["/static/"]))
    assert filled(done[LogicalPath("/static/a.css")]) == "a{b:url('n\\6f ne.png?x#y')}"
    assert len(problems) == 1


def test_a_path_outside_of_all_prefixes_is_the_applications_own() -> None:
    assert link(nodes({"a.css": "a{b:url(/api/picture)}"}), Site(["/static/"]))[1] == []
    assert link(nodes({"a.css": "a{b:url(/api/picture/)}"}, prefix="/"), Site(["/"]))[1] == []


@pytest.mark.parametrize(
    ("sheet", "written", "spelt"),
    [
        ("css/a.css", "url(/static/img/p.png?q#f)", "url(../img/{p}?q#f)"),
        ("css/a.css", "url( '/static/css/p.png' )", "url( './{p}' )"),
        ("a.css", "url(/static/img/p.png)", "url(./img/{p})"),
        ("css/a.css", "url(/static/../static//p.png)", "url(/static/../static//p.png)"),
        ("css/a.css", "url(/static/plain.png)", "url(../plain.png)"),
        ("css/a.css", "url(/admin/a%20b.png)", "url(../../admin/{a})"),
        ("css/a.css", "url(/api/picture)", "url(/api/picture)"),
        ("css/a.css", "url(../img/p.png)", "url(../img/{p})"),
        ("css/a.css", "image-set('/static/img/p.png' 1x)", "image-set('../img/{p}' 1x)"),
        ("css/a.css", "x}/*# sourceMappingURL=/static/img/p.png */", "x}/*# sourceMappingURL=../img/{p} */"),
        # A custom property is resolved elsewhere, and so is what is no sheet of its own.
        ("css/a.css", "b;--x:url(/static/img/p.png)", "b;--x:url(/static/img/{p})"),
        ("css/a.html", "<style>x{y:url(/static/img/p.png)}</style>", "<style>x{y:url(/static/img/{p})}</style>"),
        ("css/a.html", "<img src=/static/img/p.png>", "<img src=/static/img/{p}>"),
        ("css/a.svg", "<a style='x:url(/static/img/p.png)'/>", "<a style='x:url(/static/img/{p})'/>"),
        ("css/a.js", "import '/static/img/p.png'", "import '/static/img/{p}'"),
        ("css/plain.css", "url(/static/img/p.png)", "url(/static/img/{p})"),
    ],
)
def test_what_starts_from_the_root_in_a_sheet_is_spelt_relative_to_it(sheet: str, written: str, spelt: str) -> None:
    """It is loaded from its own URL alone, whatever the mount point or the path on a CDN."""

    def text(value: str) -> str:
        return f"a{{b:{value}}}" if sheet.endswith(".css") else value

    names = ["img/p.png", "css/p.png", "plain.png"]
    made = nodes({sheet: text(written), **dict.fromkeys(names, "p")}) | nodes({"a b.png": "p"}, prefix="/admin/")
    made = {path: replace(node, naming="plain") if "plain" in path else node for path, node in made.items()}
    done, _ = link(made, Site(["/static/", "/admin/"]))
    tag = Digest.of(b"p").tag
    expected = spelt.replace("{p}", f"p.{tag}.png").replace("{a}", f"a%20b.{tag}.png")
    assert filled(done[LogicalPath(f"/static/{sheet}")]) == text(expected)


def test_in_a_cycle_of_sheets_how_they_were_written_makes_no_other_names() -> None:
    """What is published is the same, and so are the isolated digests."""
    relative = linked({"c/a.css": "@import './b.css';", "c/b.css": "@import './a.css';x{}"})
    rooted = linked({"c/a.css": "@import '/static/c/b.css';", "c/b.css": "@import '/static/c/a.css';x{}"})
    assert relative["c/a.css"].cycle == ("/static/c/a.css", "/static/c/b.css")
    for name, one in relative.items():
        assert (one.url, one.digest, one.isolated) == (rooted[name].url, rooted[name].digest, rooted[name].isolated)
    assert filled(rooted["c/a.css"]) == f"@import './{rooted['c/b.css'].url.name}';"


def test_urls_in_custom_properties_start_from_the_root() -> None:
    """Where they are resolved is up to the style sheet that uses them."""
    done = linked({"css/a.css": "a{--x:url(../p.png?q#f);b:url(../p.png)}", "p.png": "p"})
    tag = Digest.of(b"p").tag
    assert filled(done["css/a.css"]) == f"a{{--x:url(/static/p.{tag}.png?q#f);b:url(../p.{tag}.png)}}"
    made = nodes({"css/a.css": "a{--x:url(../p.png)}", "p.png": "p"})
    path = LogicalPath("/static/p.png")
    made[path] = replace(made[path], naming="plain")
    css_path = LogicalPath("/static/css/a.css")
    assert filled(link(made, Site(["/static/"]))[0][css_path]) == "a{--x:url(/static/p.png)}"


IMPORTS = {
    "lit": "/static/v/lit/index.js",
    "lit/": "/static/v/lit/",
    "lit/x/": "/static/x/",
    "äh": "/static/v/%C3%A4.js",
}


@pytest.mark.parametrize(
    ("specifier", "target"),
    [
        ("lit", "v/lit/index.js"),
        ("lit/decorators.js", "v/lit/decorators.js"),
        ("lit/x/y.js", "x/y.js"),
        ("äh", "v/ä.js"),
        ("./lit.js", "js/lit.js"),
        ("lite", ""),
        ("@lit/task", ""),
    ],
)
def test_bare_specifiers_are_looked_up_among_the_imports(specifier: str, target: str) -> None:
    names = ["v/lit/index.js", "v/lit/decorators.js", "x/y.js", "v/ä.js", "js/lit.js"]
    sources = {"js/a.js": f"import '{specifier}'", **{name: f"'{name}'" for name in names}}
    done, problems = link(nodes(sources), Site(["/static/"], IMPORTS))
    assert problems == []
    a = done[LogicalPath("/static/js/a.js")]
    if not target:
        assert filled(a) == sources["js/a.js"]
        return
    url = done[LogicalPath(f"/static/{target}")].url
    written = filled(a).split("'")[1]
    assert written.startswith(("./", "../"))
    assert resolve(a.url, written) == url


def test_an_import_that_leads_nowhere_is_a_reference_to_nothing() -> None:
    (problem,) = link(nodes({"a.js": "import 'lit/no.js'"}), Site(["/static/"], IMPORTS))[1]
    assert "lit/no.js (looked for /static/v/lit/no.js)" in problem.text


def test_moving_what_an_import_of_a_cycle_stands_for_renames_the_cycle() -> None:
    sources = {"a.js": "import 'b'", "b.js": "import './a.js'", "c.js": "import './a.js'"}
    one = link(nodes(sources), Site(["/static/"], {"b": "/static/b.js"}))[0]
    other = link(nodes(sources), Site(["/static/"], {"b": "/static/c.js"}))[0]
    a = LogicalPath("/static/a.js")
    assert filled(one[a]) != filled(other[a])
    assert one[a].url != other[a].url


def test_references_to_either_name_of_a_compiled_file_lead_to_what_it_became() -> None:
    made = nodes({"a.js": "import './b.ts'; import './b.js'", "b.js": "1"})
    aliases = {LogicalPath("/static/b.ts"): LogicalPath("/static/b.js")}
    done, problems = link(made, Site(["/static/"], aliases=aliases))
    name = done[LogicalPath("/static/b.js")].url.name
    assert filled(done[LogicalPath("/static/a.js")]) == f"import './{name}'; import './{name}'"
    assert problems == []
    path = LogicalPath("/static/b.js")
    made[path] = replace(made[path], naming="plain")
    done, _ = link(made, Site(["/static/"], aliases=aliases))
    assert filled(done[LogicalPath("/static/a.js")]) == "import './b.js'; import './b.js'"


@pytest.mark.parametrize(
    ("policy", "severity"),
    [
        ({}, Severity.WARNING),
        ({"css": "error"}, Severity.ERROR),
        ({"js": "error"}, Severity.WARNING),
        ({"css": "ignore"}, None),
        ({"*.png": "ignore"}, None),
        ({"static/css/": "error"}, Severity.ERROR),
        ({"/css/": "error"}, Severity.WARNING),
        ({"a.css": "error", "*.png": "ignore"}, None),
        ({"*.png": "ignore", "a.css": "error"}, Severity.ERROR),
        ({"*.png": "warn", "css": "error"}, Severity.WARNING),
    ],
)
def test_the_policy_says_how_bad_a_reference_to_nothing_is(policy: dict[str, str], severity: Severity | None) -> None:
    made = nodes({"css/a.css": "a{b:url(no.png)}"})
    problems = link(made, Site(["/static/"], policy=Policy(policy)))[1]
    assert [problem.severity for problem in problems] == ([] if severity is None else [severity])


PAGES = {
    "a.html": '<a href="b.html">b</a><a href="c.pdf">c</a><a href="no">d</a>'
    '<iframe src="b.html"></iframe><img src="e.png">',
    "b.html": '<link rel="canonical" href="a.html"><base target="_top">',
    "c.pdf": "c",
}


def test_a_page_keeps_its_address_in_links_that_are_followed() -> None:
    done, problems = link(nodes(PAGES), Site(["/static/"]))
    urls = {path.name: one.url.name for path, one in done.items()}
    text = filled(done[LogicalPath("/static/a.html")])
    assert f'<a href="b.html">b</a><a href="{urls["c.pdf"]}">c</a><a href="no">d</a>' in text
    assert '<iframe src="b.html">' in text
    assert filled(done[LogicalPath("/static/b.html")]) == PAGES["b.html"]
    assert [problem.kind for problem in problems] == ["missing-html"]


def test_a_base_moves_what_relative_references_start_from() -> None:
    page = '<base href="/static/app/"><script type="module">import "./m.js"; import "lit"</script><img src="p.png">'
    made = nodes({"index.html": page, "app/m.js": "1", "app/p.png": "p"})
    done, problems = link(made, Site(["/static/"], {"lit": "/static/app/m.js"}))
    assert problems == []
    script, picture = (done[LogicalPath(f"/static/app/{name}")].url for name in ("m.js", "p.png"))
    assert filled(done[LogicalPath("/static/index.html")]) == page.replace("./m.js", f"./{script.name}").replace(
        "lit", script
    ).replace("p.png", picture.name)


def test_integrity_is_that_of_the_published_bytes() -> None:
    page = (
        '<script integrity="sha384-old sha256-older" src="a.js"></script><link href=a.css rel=stylesheet integrity=x>'
    )
    made = nodes({"p.html": page, "a.js": "import './b.js'", "b.js": "1", "a.css": "a{}"})
    done, problems = link(made, Site(["/static/"]))
    assert problems == []
    script, sheet = (done[LogicalPath(f"/static/{name}")] for name in ("a.js", "a.css"))
    assert filled(done[LogicalPath("/static/p.html")]) == (
        f'<script integrity="{Digest.of(filled(script).encode()).integrity}" src="{script.url.name}"></script>'
        f"<link href={sheet.url.name} rel=stylesheet integrity={Digest.of(filled(sheet).encode()).integrity}>"
    )
    elsewhere = '<script integrity="sha384-old" src="https://cdn.example/a.js"></script>'
    assert filled(link(nodes({"p.html": elsewhere}), Site(["/static/"]))[0][LogicalPath("/static/p.html")]) == elsewhere


def test_integrity_is_known_in_a_cycle_and_warned_of_where_it_is_not() -> None:
    made = nodes({"a.html": "<script src=b.js integrity=x></script>", "b.js": "new URL('a.html', import.meta.url)"})
    page, script = map(LogicalPath, ("/static/a.html", "/static/b.js"))
    done, problems = link(made, Site(["/static/"]))
    assert problems == []
    assert f"integrity={done[script].digest.integrity}>" in filled(done[page])
    made[script] = replace(made[script], naming="plain")
    done, problems = link(made, Site(["/static/"]))
    assert [(problem.kind, problem.column) for problem in problems] == [("integrity", 28)]
    assert "integrity=x>" in filled(done[page])


_NAMES = [f"{c}.js" for c in "abcdef"]


@given(
    st.dictionaries(st.sampled_from(_NAMES), st.lists(st.sampled_from(_NAMES), max_size=4), min_size=1), st.randoms()
)
def test_names_do_not_depend_on_order_and_every_hole_is_filled(
    graph: dict[str, list[str]], shuffle: random.Random
) -> None:
    sources = {name: "".join(f"import './{t}'\n" for t in targets) for name, targets in graph.items()}
    made = nodes(sources)
    keys = list(made)
    shuffle.shuffle(keys)
    first, _ = link(made, Site(["/static/"]))
    second, _ = link({key: made[key] for key in keys}, Site(["/static/"]))
    assert first == second
    urls = {one.url.name for one in first.values()}
    assert len(urls) == len(sources)
    for name, targets in graph.items():
        data = filled(first[LogicalPath(f"/static/{name}")])
        for target, written in zip(targets, re.findall(r"'\./(.*)'", data), strict=True):
            assert (written in urls) if target in graph else (written == target)


@given(st.dictionaries(st.sampled_from(_NAMES), st.lists(st.sampled_from(_NAMES)), min_size=1))
def test_components_come_after_what_they_lead_to(graph: dict[str, list[str]]) -> None:
    edges = {LogicalPath("/" + n): [LogicalPath("/" + t) for t in ts if t in graph] for n, ts in graph.items()}

    def reachable(start: LogicalPath) -> set[LogicalPath]:
        seen: set[LogicalPath] = set()
        todo = [start]
        while todo:
            for target in edges[todo.pop()]:
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        return seen

    found = list(components(edges))
    assert sorted(path for component in found for path in component) == sorted(edges)
    done: set[LogicalPath] = set()
    for component in found:
        done.update(component)
        for path in component:
            assert reachable(path) <= done
            together = {other for other in reachable(path) if path in reachable(other)} | {path}
            assert together == set(component)


def test_a_chain_of_ten_thousand_imports_needs_no_deep_stack() -> None:
    sources = {f"m{i}.js": f"import './m{i + 1}.js'" for i in range(10_000)} | {"m10000.js": "1"}
    assert len(linked(sources)) == 10_001


def test_what_is_not_utf8_is_told_and_spelt() -> None:
    made = nodes({"b.png": "p"})
    path = LogicalPath("/static/a.css")
    scan = scanner("a.css")
    assert scan is not None
    outline, text = Outline.of(scan(b"a{b:url(\xe4/../b.png) url(%ff.png)}", False))
    TEXTS[Digest.of(text)] = text
    made[path] = Node(path, "a.css", Digest.of(text), len(text), outline)
    done, (problem,) = link(made, Site(["/static/"]))
    assert f"url(%E4/../{done[LogicalPath('/static/b.png')].url.name}) url(%ff.png)" in filled(done[path])
    problem.text.encode()


def test_a_comma_at_the_end_of_a_name_is_none_of_a_srcset() -> None:
    done = linked({"a.html": "<img srcset='b.png%2C 2x'>", "b.png,": "p"})
    assert "%2C 2x" in filled(done["a.html"])
