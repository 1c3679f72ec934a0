"""``[tool.assetpipe.imports]``: one table for the specifiers in modules and for a page's import map."""

from __future__ import annotations

from assetpipe import config as configuration
from assetpipe import manifest
from assetpipe.verify import verify
from tests.conftest import Command, Project, write

IMPORTS = {"lit": "/static/v/lit/index.js", "lit/": "/static/v/lit/", "gone": "/static/no.js"}
SOURCES = {
    "app.js": "import { html } from 'lit'; import 'lit/task.js'; import 'other'",
    "v/lit/index.js": "export const html = 1",
    "v/lit/task.js": "import 'lit'",
    "v/lit/ä b.mjs": "",
    "v/lit/index.js.map": "",
    "v/lit/index.css": "",
    "v/lit/readme.txt": "",
}


def test_the_import_map_names_what_the_imports_stand_for(project: Project) -> None:
    project.configure(imports=IMPORTS)
    project.write(SOURCES)
    told = project.publish().manifest
    urls = {path: asset.url for path, asset in told.assets.items()}
    assert manifest.import_map(told)["imports"] == {
        "lit": urls["/static/v/lit/index.js"],
        "lit/index.js": urls["/static/v/lit/index.js"],
        "lit/task.js": urls["/static/v/lit/task.js"],
        "lit/ä b.mjs": urls["/static/v/lit/ä b.mjs"].replace("ä b", "%C3%A4%20b"),
    }
    app = project.public("/static/app.js").decode()
    assert f"./v/lit/{urls['/static/v/lit/index.js'].rpartition('/')[2]}" in app
    assert "import'other'" in app
    assert verify(project.dist).faults == ()


def test_an_entry_that_leads_nowhere_is_a_warning(project: Project) -> None:
    project.configure(imports={"a": "/static/gone.js", "b/": "/static/gone/", "c/": "/static/v/"})
    project.write({"v/x.js": ""})
    assert sorted(problem.text for problem in project.build().problems) == [
        'imports."a": there is no file /static/gone.js',
        'imports."b/": there is no file /static/gone/…',
    ]


def test_what_the_imports_lead_to_may_not_import_what_nothing_resolves(project: Project) -> None:
    """A module that no import leads to is left in peace: it may be meant for another place than browsers."""
    project.configure(imports={"lit": "/static/v/lit.js"})
    project.write(
        {
            "app.js": "import 'lit'; import 'lti'",
            "v/lit.js": "import './deep.js'",
            "v/deep.js": "import 'lit-html'",
            "v/node.js": "import 'fs'",
        }
    )
    problems = project.build().problems
    assert [(p.file, p.line, p.column, p.text.rpartition(" ")[2]) for p in problems] == [
        ("static/app.js", 1, 23, "lti"),
        ("static/v/deep.js", 1, 9, "lit-html"),
    ]
    project.configure(missing={"js": "ignore"})
    assert project.build().problems == ()


def test_other_imports_are_another_release(project: Project) -> None:
    project.write(SOURCES)
    releases = set()
    for imports in ({}, {"x": "/static/v/lit/index.js"}, {"x": "/static/app.js"}):
        project.configure(imports=imports)
        releases.add(project.publish().manifest.release)
    assert len(releases) == 3


def test_on_the_command_line(project: Project, assetpipe: Command) -> None:
    assert assetpipe("importmap").code == 1
    write(project.folder, {"assetpipe.toml": "[imports]\nlit = '/static/v/lit/index.js'\n"})
    project.write(SOURCES)
    assert assetpipe("build").code == 0
    told = assetpipe("importmap").json
    assert list(told["imports"]) == ["lit"]
    assert told["imports"]["lit"].startswith("/static/v/lit/index.")


def test_names_with_a_hash_and_imports_of_compiled_or_encoded_paths(project: Project) -> None:
    project.configure(
        imports={"#x": "/static/b.ts", "y": "/static/%C3%A4.js"}, command=(configuration.Command("*.ts", "cat"),)
    )
    project.write({"a.js": "import '#x'", "b.ts": "1", "ä.js": ""})
    told = project.publish().manifest
    assert set(manifest.import_map(told)["imports"]) == {"#x", "y"}
    assert told.assets["/static/b.js"].url.rpartition("/")[2].encode() in project.public("/static/a.js")
