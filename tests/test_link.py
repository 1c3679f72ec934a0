from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.link import Linked, Node, components, link
from assetpipe.paths import Digest, LogicalPath
from assetpipe.references import css, js

Sources = dict[str, str]


def nodes(sources: Sources, prefix: str = "/static/", **named: str) -> dict[LogicalPath, Node]:
    made = {}
    for name, text in sources.items():
        path = LogicalPath(prefix + name)
        if name.endswith((".css", ".js")):
            scan = css.scan if name.endswith(".css") else js.scan
            made[path] = Node(path=path, shown=name, draft=scan(text.encode(), False))
        else:
            made[path] = Node(path=path, shown=name, digest=Digest.of(text.encode()))
    return made


def linked(sources: Sources) -> dict[str, Linked]:
    done, problems = link(nodes(sources), ["/static/"])
    assert problems == []
    return {path.removeprefix("/static/"): one for path, one in done.items()}


def filled(one: Linked) -> str:
    assert one.data is not None
    return one.data.decode()


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
        if done[name].data is not None:
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
    bare = link(made, ["/static/"])[0][path].url
    made[path] = Node(path=path, shown="p.png", digest=Digest.of(b"p"), covers=(Digest.of(b"webp"),))
    assert link(made, ["/static/"])[0][path].url != bare


def test_a_file_that_keeps_its_name_lends_no_tag_and_is_rewritten_all_the_same() -> None:
    made = nodes({"sw.js": "import './a.js'", "a.js": "import './sw.js'; 1"})
    path = LogicalPath("/static/sw.js")
    made[path] = Node(path=path, shown="sw.js", draft=made[path].draft, named=path, movable=True)
    done, _ = link(made, ["/static/"])
    a = done[LogicalPath("/static/a.js")]
    assert filled(a) == "import './sw.js'; 1"
    assert done[path].url == path
    assert filled(done[path]) == f"import './{a.url.name}'"
    assert done[path].file == path.tagged(Digest.of(filled(done[path]).encode()).tag)


def test_references_across_prefixes_are_resolved_as_urls() -> None:
    made = nodes({"a.css": "i{j:url(../admin/static/p.png) url(/admin/static/p.png)}"})
    made |= nodes({"p.png": "p"}, prefix="/admin/static/")
    done, problems = link(made, ["/admin/static/", "/static/"])
    tag = Digest.of(b"p").tag
    expected = f"i{{j:url(../admin/static/p.{tag}.png) url(/admin/static/p.{tag}.png)}}"
    assert filled(done[LogicalPath("/static/a.css")]) == expected
    assert problems == []


@pytest.mark.parametrize(
    ("reference", "text", "hint"),
    [
        ("img/logo.png", "looked for /static/css/img/logo.png", "The nearest there is: /static/img/logo.png"),
        ("../img/Logo.png", "looked for /static/img/Logo.png", "/static/img/logo.png differs only in case"),
        ("../img/lgoo.png", "looked for /static/img/lgoo.png", "The nearest there is: /static/img/logo.png"),
        ("../zzz.ttf", "looked for /static/zzz.ttf", "Add the file"),
        ("/static/none.png", "looked for /static/none.png", "Add the file"),
        ("../img//logo.png", "can be no file", "without an empty segment"),
    ],
)
def test_a_reference_to_nothing_says_where_and_what_was_probably_meant(reference: str, text: str, hint: str) -> None:
    _, problems = link(nodes({"css/a.css": f"\n a{{b:url({reference}?x)}}", "img/logo.png": "p"}), ["/static/"])
    (problem,) = problems
    assert (problem.file, problem.line, problem.column) == ("css/a.css", 2, 10)
    assert f"{reference}?x" in problem.text
    assert text in problem.text
    assert hint in problem.hint


def test_a_specifier_without_its_suffix_is_told_so() -> None:
    made = nodes({"a.js": "import './b'; import './c'", "b.js": "", "c/index.js": ""})
    hints = [problem.hint for problem in link(made, ["/static/"])[1]]
    assert hints == [
        "Browsers add no suffix. Write it out: /static/b.js",
        "Browsers add no suffix. Write it out: /static/c/index.js",
    ]


def test_a_reference_to_nothing_stays_as_it_was_written() -> None:
    done, problems = link(nodes({"a.css": "a{b:url('n\\6f ne.png?x#y')}"}), ["/static/"])
    assert filled(done[LogicalPath("/static/a.css")]) == "a{b:url('n\\6f ne.png?x#y')}"
    assert len(problems) == 1


def test_a_path_outside_of_all_prefixes_is_the_applications_own() -> None:
    assert link(nodes({"a.css": "a{b:url(/api/picture)}"}), ["/static/"])[1] == []
    assert link(nodes({"a.css": "a{b:url(/api/picture/)}"}, prefix="/"), ["/"])[1] == []


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
    first, _ = link(made, ["/static/"])
    second, _ = link({key: made[key] for key in keys}, ["/static/"])
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
