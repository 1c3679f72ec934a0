"""The user's own tools: what they make is an asset like any other, and what goes wrong says so in their own words."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assetpipe.build import Build
from assetpipe.config import Command
from assetpipe.errors import ConfigError, Severity
from assetpipe.transforms.commands import suffix_of
from assetpipe.verify import verify
from tests import npm
from tests.conftest import Project, write

UPPER = """
import pathlib, sys
with open({log!r}, "a") as log: print(sys.argv[1], file=log)
text = pathlib.Path(sys.argv[1]).read_text()
if "fail" in text: sys.exit("\\x1b[31mno good:\\x1b[0m line 1")
pathlib.Path(sys.argv[2]).write_text(text.replace("@", "@import "))
"""
Tool = Callable[..., Command]


@pytest.fixture
def tool(project: Project) -> Tool:
    """A little compiler: ``@`` becomes ``@import ``. Its log has a line for each run."""
    script = project.folder / "tool.py"
    script.write_text(UPPER.format(log=str(project.folder / "log")))

    def command(match: str = "*.scss", **more: Any) -> Command:
        return Command(match=match, run=f"{sys.executable} {script} {{input}} {{output}}", **more)

    return command


def runs(project: Project) -> list[str]:
    log = project.folder / "log"
    return sorted(Path(line).name for line in log.read_text().splitlines()) if log.exists() else []


def told(built: Build) -> list[tuple[str, Severity]]:
    return [(problem.kind, problem.severity) for problem in built.problems]


def test_a_compiled_file_is_an_asset_under_its_new_suffix(project: Project, tool: Tool) -> None:
    project.configure(command=(tool(),))
    project.write({"a.scss": "@'b.css'; @'c.scss';", "b.css": "", "c.scss": "i{j:k}", "d.css": "@import 'a.scss';"})
    published = project.publish()
    assets = published.manifest.assets
    assert set(assets) == {"/static/a.css", "/static/b.css", "/static/c.css", "/static/d.css"}
    urls = {path: asset.url.rpartition("/")[2] for path, asset in assets.items()}
    assert (
        project.public("/static/a.css").decode()
        == f"@import '{urls['/static/b.css']}';@import '{urls['/static/c.css']}';"
    )
    assert project.public("/static/d.css").decode() == f"@import '{urls['/static/a.css']}';"
    assert assets["/static/a.css"].type == "text/css; charset=utf-8"
    assert verify(project.dist).faults == ()


def test_a_second_build_runs_nothing_and_a_change_of_what_it_may_read_runs_it_again(
    project: Project, tool: Tool
) -> None:
    project.configure(command=(tool(),), ignore=("_*.scss",))
    project.write({"a.scss": "a{}", "b.scss": "b{}", "_vars.scss": "1", "other.txt": "1"})
    project.build()
    assert runs(project) == ["a.scss", "b.scss"]
    project.build()
    project.write({"other.txt": "2"})
    project.build()
    assert len(runs(project)) == 2
    project.write({"_vars.scss": "2"})
    project.build()
    assert len(runs(project)) == 4


def test_what_it_reads_can_be_said(project: Project, tool: Tool) -> None:
    project.configure(command=(tool(reads=("lib/*.txt",)),))
    write(project.folder, {"lib/x.txt": "1"})
    project.write({"a.scss": "a{}", "b.scss": "b{}"})
    project.build()
    project.write({"a.scss": "a{c:d}"})
    project.build()
    assert runs(project) == ["a.scss", "a.scss", "b.scss"]
    write(project.folder, {"lib/x.txt": "2"})
    project.build()
    assert len(runs(project)) == 5


def test_another_version_of_the_tool_runs_again(project: Project) -> None:
    program = project.folder / "compiler"
    for version in ("1", "1", "2"):
        program.write_text(f"#!/bin/sh\necho run >> log\necho 'a{{b:{version}}}'\n")
        program.chmod(0o755)
        project.configure(command=(Command(match="*.less", run="./compiler"),))
        project.write({"a.less": ""})
        project.publish()
        assert project.public("/static/a.css") == f"a{{b:{version}}}".encode()
    assert (project.folder / "log").read_text() == "run\nrun\n"


def test_without_placeholders_it_reads_and_writes_its_standard_streams(project: Project) -> None:
    project.configure(command=(Command(match=("*.txt", "!b.txt"), run=("tr", "a-z", "A-Z")),))
    project.write({"a.txt": "shout", "b.txt": "quiet"})
    project.publish()
    assert (project.public("/static/a.txt"), project.public("/static/b.txt")) == (b"SHOUT", b"quiet")


def test_a_failure_publishes_nothing_and_is_told_in_the_tool_s_own_words(project: Project, tool: Tool) -> None:
    project.configure(command=(tool(),))
    project.write({"a.scss": "fail", "b.scss": "b{}", "c.css": "@import 'a.scss';"})
    built = project.build()
    assert built.failed
    (problem,) = built.problems
    assert (problem.kind, problem.file) == ("command", "static/a.scss")
    assert problem.text.endswith("no good: line 1")
    assert problem.hint


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("true {input} {output}", "wrote no {output}"),
        ("false {input}", "exit code 1"),
        ("sh -c 'exit 3'", "exit code 3"),
    ],
)
def test_a_tool_that_says_nothing_is_told_of_all_the_same(project: Project, run: str, said: str) -> None:
    project.configure(command=(Command(match="*.scss", run=run),))
    project.write({"a.scss": "a{}"})
    (problem,) = project.build().problems
    assert said in problem.text


@pytest.mark.parametrize("run", ["no-such-compiler {input}", "./no-such-compiler {input}", "cat {inptu}", "'unclosed"])
def test_a_program_that_is_not_there_is_named(project: Project, run: str) -> None:
    project.configure(command=(Command(match="*.scss", run=run),))
    project.write({"a.css": ""})
    assert not project.build().failed
    project.write({"b.scss": ""})
    with pytest.raises(ConfigError, match="command: "):
        project.build()


def test_two_sources_of_one_asset_are_an_error(project: Project, tool: Tool) -> None:
    project.configure(command=(tool(),))
    project.write({"a.scss": "a{}", "a.css": ""})
    assert told(project.build()) == [("two-sources", Severity.ERROR)]


def test_what_another_bundler_has_named_is_not_compiled(project: Project, tool: Tool) -> None:
    project.configure(command=(tool(),), tagged=("*-12345678.scss",))
    project.write({"a-12345678.scss": "fail"})
    assert not project.build().failed
    assert runs(project) == []


def test_missing_references_are_placed_where_the_source_has_them(project: Project, tool: Tool) -> None:
    project.configure(command=(tool(),))
    project.write({"a.scss": "@'b.css';\n\n  a{b:url( no.png )}"})
    (_, problem) = project.build().problems
    assert (problem.file, problem.line, problem.column) == ("static/a.scss", 3, 12)


def test_a_reference_that_its_output_has_lost_is_a_warning(project: Project) -> None:
    project.configure(command=(Command(match="*.css", run=("sed", "s/url(b.png)/none/")),))
    project.write({"a.css": "a{\nb:url(b.png);c:url(c.png)}", "b.png": "", "c.png": ""})
    lost = [problem for problem in project.build().problems if problem.kind == "lost-reference"]
    assert [(problem.line, problem.column) for problem in lost] == [(2, 7)]
    assert "b.png" in lost[0].text


def test_many_run_side_by_side(project: Project) -> None:
    """Each run waits until another has begun: one after the other, they would never end."""
    waits = (
        "import os, pathlib, sys, time\\n"
        "here = pathlib.Path(sys.argv[1]); here.with_suffix('.began').touch()\\n"
        "end = time.monotonic() + 60\\n"
        "while len(list(here.parent.glob('*.began'))) < 2 and time.monotonic() < end: time.sleep(0.01)\\n"
        "print(len(list(here.parent.glob('*.began'))))"
    ).replace("\\n", "\n")
    project.configure(command=(Command(match="*.scss", run=(sys.executable, "-c", waits, "{input}")),))
    project.write({"a.scss": "", "b.scss": ""})
    if (os.cpu_count() or 1) < 2:
        pytest.skip("needs two cores")
    project.publish()
    assert {project.public(f"/static/{name}.css").strip() for name in "ab"} == {b"2"}


@pytest.mark.parametrize(
    ("name", "suffix", "expected"),
    [
        ("a.ts", "", ".js"),
        ("a.d.mts", "", ".mjs"),
        ("a.SCSS", "", ".css"),
        ("a.css", "", ".css"),
        ("a.ts", ".mjs", ".mjs"),
        ("Makefile", "", ""),
    ],
)
def test_suffixes_become_what_browsers_read(name: str, suffix: str, expected: str) -> None:
    assert suffix_of(name, suffix) == expected


def test_esbuild_and_sass_from_npm(project: Project) -> None:
    # The program of esbuild is an optional package, one for each platform.
    bin_folders = [npm.package(spec, optional=True).parent / ".bin" for spec in ("esbuild@0.25.12", "sass@1.83.0")]
    project.configure(
        ignore=("_*.scss",),
        command=(
            Command("*.ts", f"{bin_folders[0]}/esbuild {{input}} --minify --outfile={{output}}", reads=()),
            Command("*.scss", f"{bin_folders[1]}/sass --no-source-map {{input}} {{output}}"),
        ),
    )
    project.write(
        {
            "app.ts": 'import { a } from "./a.ts";\nimport type { B } from "./b";\nconst u: URL = '
            'new URL("p.svg", import.meta.url);\nexport default (b: B): string => a + u;',
            "a.ts": "export const a: number = 1",
            "site.scss": '@use "colours";\n.a { .b { background: url("p.svg"); color: colours.$red } }',
            "_colours.scss": "$red: #f00;",
            "p.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "page.html": '<link rel="stylesheet" href="site.scss"><script type="module" src="app.js"></script>',
        }
    )
    assert project.build().problems == ()
    assets = project.publish().manifest.assets
    names = {path: asset.url.rpartition("/")[2].encode() for path, asset in assets.items()}
    assert names["/static/a.js"] in project.public("/static/app.js")
    assert names["/static/p.svg"] in project.public("/static/app.js")
    assert b"type" not in project.public("/static/app.js")
    assert b'.a .b{background:url("' + names["/static/p.svg"] + b'");color:' in project.public(
        "/static/site.css"
    ).replace(b": ", b":")
    page = project.public("/static/page.html")
    assert names["/static/site.css"] in page
    assert names["/static/app.js"] in page
    project.write({"app.ts": "const x: = 1"})
    (problem,) = project.build().problems
    assert 'esbuild: ✘ [ERROR] Unexpected "="' in problem.text


def test_a_script_on_the_command_line_is_part_of_the_tool(project: Project) -> None:
    project.write({"a.scss": ""})
    project.configure(command=(Command(match="*.scss", run=f"{sys.executable} tool.py {{input}}"),))
    for version in (b"1", b"2"):
        (project.folder / "tool.py").write_bytes(b"print(%s)" % version)
        project.publish()
        assert project.public("/static/a.css").strip() == version


def test_a_source_that_changes_while_a_command_runs_is_not_remembered(project: Project) -> None:
    project.write({"a.css": "a{}"})
    project.configure(command=(Command("*.css", ("sh", "-c", 'echo "b{}" >> "$1"; cat "$1"', "-", "{input}")),))
    assert told(project.build()) == [("changed", Severity.ERROR)]
    project.write({"a.css": "a{}"})
    assert told(project.build()) == [("changed", Severity.ERROR)]


def test_what_was_made_of_files_that_changed_meanwhile_is_not_remembered(project: Project) -> None:
    """They may be again what they were when the build began."""
    script = 'if test -e edit; then echo new > static/_v.scss; fi; cat "$1" static/_v.scss'
    project.configure(ignore=("_*",), minify=False, command=(Command("a.scss", ("sh", "-c", script, "-", "{input}")),))
    project.write({"a.scss": "a ", "_v.scss": "old\n"})
    (project.folder / "edit").touch()
    project.build()
    (project.folder / "edit").unlink()
    project.write({"_v.scss": "old\n"})
    project.publish()
    assert project.public("/static/a.css") == b"a old\n"


def test_an_asset_comes_before_an_alias_and_a_plain_pattern_may_name_the_output(project: Project) -> None:
    commands = (Command("*.ts", "cat"), Command("*.coffee", "cat", suffix=".ts"))
    project.configure(command=commands, plain=("sw.js",))
    project.write({"a.ts": "1", "a.coffee": "2", "sw.ts": "3", "b.html": "<script src=a.ts></script>"})
    assets = project.publish().manifest.assets
    assert assets["/static/a.ts"].url.rpartition("/")[2].encode() in project.public("/static/b.html")
    assert assets["/static/sw.js"].url == "/static/sw.js"


def test_a_link_to_the_source_of_a_page_leads_to_the_page(project: Project) -> None:
    project.configure(command=(Command("*.md", "cat", suffix=".html"),))
    project.write({"a.md": "a", "b.html": "<a href='a.md#x'>a</a>"})
    project.publish()
    assert project.public("/static/b.html") == b"<a href='a.html#x'>a</a>"


def test_what_a_bundler_takes_in_can_be_ignored(project: Project) -> None:
    project.configure(strict=True, ignore=("m.js",), command=(Command("app.js", "echo 1"),))
    project.write({"app.js": "import './m.js'", "m.js": ""})
    assert project.build().problems == ()


@pytest.mark.parametrize("reads", [("/etc/*",), ("",)])
def test_a_glob_that_is_none_is_named(project: Project, reads: tuple[str, ...]) -> None:
    project.configure(command=(Command("*.scss", "cat", reads=reads),))
    project.write({"a.scss": ""})
    with pytest.raises(ConfigError, match=r"command\.reads"):
        project.build()
