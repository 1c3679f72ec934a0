"""``assetpipe explain``: what an asset refers to, what refers to it, its cycle, and what its name is made of."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from assetpipe import build as building
from assetpipe import explain
from assetpipe.config import Command
from assetpipe.errors import ConfigError
from assetpipe.paths import Digest, LogicalPath
from tests import conftest, pictures
from tests.conftest import Project

SOURCES: dict[str, bytes | str] = {
    "css/app.css": "@import 'base.css';\na{b:url(../img/p.jpg#x)}\nc{d:url(../no.png)}",
    "css/base.css": "e{f:g}",
    "img/p.jpg": pictures.jpeg(),
    "js/a.js": "import './b.js'; import 'bare'",
    "js/b.js": "import './a.js'; import './c.js'",
    "js/c.js": "1",
    "page.html": '<link rel="stylesheet" href="css/app.css">',
}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def trace(project: Project) -> building.Trace:
    project.write(SOURCES)
    return building.trace(project.config)


def explained(trace: building.Trace, path: str) -> explain.Explanation:
    return explain.explain(trace, LogicalPath(path))


def test_it_tells_references_on_both_sides_with_their_places(trace: building.Trace) -> None:
    told = explained(trace, "/static/css/app.css")
    assert [(m.line, m.column, m.written, m.path, bool(m.url)) for m in told.refers_to] == [
        (1, 10, "base.css", "/static/css/base.css", True),
        (2, 9, "../img/p.jpg#x", "/static/img/p.jpg", True),
        (3, 9, "../no.png", "/static/no.png", False),
    ]
    assert [(m.file, m.line, m.column) for m in told.referred_to_by] == [("static/page.html", 1, 30)]


def test_the_ingredients_make_the_name(trace: building.Trace) -> None:
    plain = explained(trace, "/static/css/base.css")
    assert [i.what for i in plain.named_by] == ["its final bytes"]
    assert plain.url == f"/static/css/base.{plain.named_by[0].sha256[:12]}.css"
    picture = explained(trace, "/static/img/p.jpg")
    digests = [Digest(i.sha256) for i in picture.named_by]
    assert len(digests) == 2
    assert picture.url == f"/static/img/p.{Digest.of(*(d.raw for d in digests)).tag}.jpg"
    member = explained(trace, "/static/js/a.js")
    own, other = (Digest(i.sha256) for i in member.named_by)
    assert member.url == f"/static/js/a.{Digest.of(own.raw, Digest.of(own.raw, other.raw).raw).tag}.js"
    assert member.cycle == ("/static/js/a.js", "/static/js/b.js")
    assert explained(trace, "/static/js/c.js").cycle == ()


def test_what_a_command_makes_says_so(project: Project) -> None:
    project.write({"a.scss": "b{}"})
    project.configure(command=(Command("*.scss", "cat"),))
    told = explained(building.trace(project.config), "/static/a.css")
    assert (told.file, told.tool) == ("static/a.scss", "cat")


def test_what_keeps_its_name_says_why(project: Project) -> None:
    project.write({"sw.js": "1"})
    project.configure(plain=("sw.js",))
    told = explained(building.trace(project.config), "/static/sw.js")
    assert (told.naming, told.named_by) == ("plain", ())


@pytest.mark.parametrize(
    "name",
    ["/static/css/app.css", "css/app.css", "app.css", "static/css/app.css", "{url}", "https://shop.example{url}?x#y"],
)
def test_an_asset_goes_by_many_names(trace: building.Trace, project: Project, name: str) -> None:
    url = trace.linked[LogicalPath("/static/css/app.css")].url
    assert explain.find(trace, name.format(url=url), str(project.folder)) == "/static/css/app.css"


def test_a_name_of_none_or_of_several_is_said_so(trace: building.Trace, project: Project) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean /static/css/app\.css"):
        explain.find(trace, "css/ap.css", str(project.folder))
    project.write({"x/c.js": ""})
    with pytest.raises(ConfigError, match=r"any of /static/js/c\.js, /static/x/c\.js"):
        explain.find(building.trace(project.config), "c.js", str(project.folder))


def test_the_graph_goes_both_ways(trace: building.Trace) -> None:
    graph = explain.graph(trace, LogicalPath("/static/css/app.css"))
    assert graph.columns == {
        "/static/page.html": -1,
        "/static/css/app.css": 0,
        "/static/css/base.css": 1,
        "/static/img/p.jpg": 1,
    }
    assert ("/static/page.html", "/static/css/app.css") in graph.edges
    assert graph.left_out == 0


def test_a_drawing_has_a_box_for_each_file_and_an_arrow_for_each_edge(trace: building.Trace) -> None:
    graph = explain.graph(trace, LogicalPath("/static/js/a.js"))
    drawing = ElementTree.fromstring(explain.svg(graph))
    titles = [title.text for title in drawing.iterfind(f"{SVG}g/{SVG}title")]
    assert sorted(map(str, titles)) == ["/static/js/a.js", "/static/js/b.js", "/static/js/c.js"]
    assert len(drawing.findall(f"{SVG}path")) == len(graph.edges) == 3
    assert len(drawing.findall(f"{SVG}path[@class='cycle']")) == 2
    dot = explain.dot(graph)
    assert '"/static/js/b.js" -> "/static/js/c.js";' in dot
    assert dot.startswith("digraph assets {")


def test_a_graph_of_thousands_is_cut_to_what_is_near(project: Project) -> None:
    project.write({"a.js": "".join(f"import './m{n}.js';" for n in range(300))})
    project.write({f"m{n}.js": "" for n in range(300)})
    graph = explain.graph(building.trace(project.config), LogicalPath("/static/a.js"))
    assert len(graph.columns) + graph.left_out == 301
    assert f"… and {graph.left_out} more" in explain.svg(graph)
    assert f"… and {graph.left_out} more" in explain.dot(graph)


def test_on_the_command_line(project: Project, assetpipe: conftest.Command) -> None:
    project.write(SOURCES)
    done = assetpipe("explain", "css/app.css")
    assert done.code == 0
    assert "1:10  css  base.css        →  /static/css/base." in done.out
    assert "left as it is: no asset /static/no.png" in done.out
    assert "static/page.html:1:30  html  css/app.css" in done.out
    assert "looked for /static/no.png" in done.err
    told = assetpipe("explain", "js/a.js", "--json").json
    assert told["cycle"] == ["/static/js/a.js", "/static/js/b.js"]
    assert [(m["written"], m.get("url", "")) for m in told["refers_to"]][1] == ("bare", "")
    assert ElementTree.fromstring(assetpipe("explain", "static/js/a.js", "--svg").out).tag == f"{SVG}svg"
    assert assetpipe("explain", "nothing.css").code == 2
    assert assetpipe("explain", "js/a.js", "--svg", "--dot").code == 2
    assert not Path(project.dist).exists()


def test_it_works_where_the_build_fails(project: Project, assetpipe: conftest.Command) -> None:
    conftest.write(project.folder, {"assetpipe.toml": "strict = true"})
    project.write({"a.css": "a{b:url(no.png)}"})
    assert assetpipe("build").code == 1
    done = assetpipe("explain", "a.css")
    assert done.code == 0
    assert "left as it is: no asset /static/no.png" in done.out


def test_a_digest_is_no_reference_of_its_own(project: Project) -> None:
    project.write({"a.js": "1", "p.html": "<script src=a.js integrity=x></script>"})
    trace = building.trace(project.config)
    assert [m.written for m in explained(trace, "/static/p.html").refers_to] == ["a.js"]
    assert len(explained(trace, "/static/a.js").referred_to_by) == 1
