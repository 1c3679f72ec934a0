"""The commands as a person or a script runs them: processes, their output and exit codes."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import assetpipe
from assetpipe.units import size
from tests import pictures
from tests.conftest import Command, Project, write

CSS = "a{color:red}" * 30
APP = """
from flask import Blueprint, Flask, url_for
from assetpipe import AssetPipe
app = Flask(__name__)
app.register_blueprint(AssetPipe())
news = Blueprint("news", __name__, url_prefix="/news", static_folder="news_static")
app.register_blueprint(news)
@app.get("/")
def home():
    return url_for("static", filename="a.css") + " " + url_for("news.static", filename="n.css")
"""


@pytest.fixture
def run(assetpipe: Command) -> Command:
    return assetpipe


def test_build_publishes_and_says_what_it_did(project: Project, run: Command) -> None:
    project.write({"a.css": CSS, "p.jpg": pictures.jpeg(), "b.txt": "x"})
    done = run("build")
    assert (done.code, done.err) == (0, "")
    assert "is published to dist" in done.out
    assert "3 files, " in done.out
    for row in ("br ", "gzip ", "webp "):
        assert any(line.strip().startswith(row) and "% smaller" in line for line in done.out.splitlines())
    assert run("verify").out == "All is as it should be. Files: 6. Releases kept: 1.\n"


def test_the_summary_says_what_is_new_since_the_last_release(project: Project, run: Command) -> None:
    project.write({"a.css": CSS, "b.txt": "x", "c.txt": "y"})
    first = run("build", "--json").json["release"]
    assert "is already in" in run("build").out
    (project.folder / "static/c.txt").unlink()
    project.write({"b.txt": "z", "new.txt": "n"})
    lines = [line.strip() for line in run("build").out.splitlines()]
    assert f"Since release {first}:" in lines
    assert [line for line in lines if line[:1] in "+~-" and line] == [
        "+ /static/new.txt",
        "~ /static/b.txt",
        "- /static/c.txt",
    ]


def test_problems_go_to_stderr_with_place_and_hint(project: Project, run: Command) -> None:
    project.write({"css/a.css": "a{}\n  b{c:url(../img/lgo.png)}", "img/logo.png": pictures.png()})
    done = run("build")
    assert done.code == 0
    assert done.err.splitlines() == [
        "static/css/a.css:2:11: warning: a reference to nothing: ../img/lgo.png (looked for /static/img/lgo.png)",
        "    The nearest there is: /static/img/logo.png",
    ]
    assert "1 warning" in done.out


def test_a_build_with_errors_publishes_nothing_and_exits_with_1(project: Project, run: Command) -> None:
    project.write({"a.css": CSS})
    assert run("build").code == 0
    before = project.snapshot()
    project.write({"a.css": "a{b:url(none.png)}"})
    done = run("build", "--strict")
    assert done.code == 1
    assert "error: a reference to nothing" in done.err
    assert "Nothing was published. The release before is as it was." in done.err
    assert done.out == ""
    told = run("build", "--strict", "--json")
    assert (told.code, told.json["published"], told.json["problems"][0]["severity"]) == (1, False, "error")
    assert project.snapshot() == before


def test_json_is_all_that_stdout_holds(project: Project, run: Command) -> None:
    project.write({"a.css": CSS + "b{c:url(x.png)}"})
    told = run("build", "--json").json
    assert told["published"] is True
    assert told["files"] == 1
    assert told["encodings"]["br"]["before"] == told["bytes"]
    assert told["new"] == {"added": ["/static/a.css"], "changed": [], "removed": []}
    assert [(p["kind"], p["line"]) for p in told["problems"]] == [("missing-css", 1)]
    assert run("verify", "--json").json == {"releases": 1, "files": 3, "faults": []}


def test_many_warnings_are_cut_and_equal_hints_said_once(project: Project, run: Command) -> None:
    project.write({"a.css": "".join(f"a{{b:url(n{n}.ttf)}}\n" for n in range(150)), "b.css": "a{b:url(x//y)}"})
    done = run("build")
    lines = done.err.splitlines()
    assert sum("static/a.css:" in line for line in lines) == 100
    assert sum("Add the file" in line for line in lines) == 1
    assert lines[-1] == "… and 51 more warnings and notes: --json has them all"
    assert "[tool.assetpipe.missing]" in done.out
    assert len(run("build", "--json").json["problems"]) == 151


def test_verify_names_each_fault_and_exits_with_1(project: Project, run: Command) -> None:
    assert "there is no manifest" in run("verify").err
    assert run("verify").code == 1
    project.write({"a.css": CSS})
    url = project.publish().manifest.assets["/static/a.css"].url
    (project.dist / f"public{url}.br").write_bytes(b"x")
    done = run("verify")
    assert done.code == 1
    assert f"{project.dist}/public{url}.br: error: it has 1 bytes" in done.err


@pytest.mark.parametrize(
    ("files", "arguments", "told"),
    [
        ({"pyproject.toml": "[tool.assetpipe]\ndst = 'x'"}, ["build"], 'unknown key "dst". Did you mean "dist"?'),
        ({"pyproject.toml": "[tool.assetpipe"}, ["build"], "not a TOML file"),
        ({}, ["build", "--nope"], "No such option"),
        ({}, ["biuld"], "No such command"),
        ({}, ["build", "--app", "no_such_module"], "Could not import 'no_such_module'"),
        ({"assetpipe.toml": "strict = 1"}, ["verify"], "strict: "),
        (
            {"assetpipe.toml": "[[command]]\nmatch = '*'\nrun = 'cat'\nreads = ['/*']"},
            ["watch"],
            "command.reads: /*: ",
        ),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_right(
    project: Project, run: Command, files: dict[str, str], arguments: list[str], told: str
) -> None:
    write(project.folder, files)
    done = run(*arguments)
    assert done.code == 2
    assert told in done.err
    assert done.out == ""
    if arguments == ["build"]:
        assert told in run(*arguments, "--json").json["error"]


def test_source_and_dist_override_the_configuration(project: Project, run: Command, tmp_path: Path) -> None:
    write(project.folder, {"assetpipe.toml": "dist = 'configured'\n[roots]\n'/x/' = 'nowhere'", "other/a.css": CSS})
    done = run("build", "--source", "other", "--dist", str(tmp_path / "out"), "--json")
    assert done.json["new"]["added"] == ["/static/a.css"]
    assert (tmp_path / "out" / "manifest.json").exists()
    assert run("verify", "--dist", str(tmp_path / "out")).code == 0


def test_a_missing_root_is_an_error_of_the_build(project: Project, run: Command) -> None:
    done = run("build", "--source", "nowhere")
    assert done.code == 1
    assert "the root of /static/ does not exist: nowhere" in done.err


def test_flask_assets_builds_the_folders_of_the_app_and_its_blueprints(project: Project, run: Command) -> None:
    write(project.folder, {"app.py": APP, "static/a.css": CSS, "news_static/n.css": CSS})
    done = run("assets", "build", "--json", module="flask")
    assert done.json["new"]["added"] == ["/news/news_static/n.css", "/static/a.css"]
    assert run("assets", "verify", module="flask").code == 0
    assert run("build", "--app", "app:app", "--json").json["release"] == done.json["release"]
    served = subprocess.run(
        [sys.executable, "-c", "from app import app; print(app.test_client().get('/').text)"],
        cwd=project.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for url in served.stdout.split():
        assert (project.dist / f"public{url}").is_file()


def test_flask_assets_build_takes_configured_roots_where_there_are_any(project: Project, run: Command) -> None:
    write(project.folder, {"app.py": APP, "static/a.css": CSS, "mine/b.css": CSS, "news_static/n.css": CSS})
    write(project.folder, {"assetpipe.toml": "dist = 'out'\n[roots]\n'/static/' = 'mine'"})
    assert run("assets", "build", "--json", module="flask").json["new"]["added"] == ["/static/b.css"]
    assert (project.folder / "out" / "manifest.json").exists()


def test_progress_is_drawn_on_a_terminal_and_wiped(project: Project) -> None:
    project.write({f"{n}.css": CSS + str(n) for n in range(30)})
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "assetpipe", "build"], cwd=project.folder, stdout=subprocess.PIPE, stderr=follower
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    os.close(leader)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"compressing  60 of 60" in seen
    assert seen.endswith(b"\r\x1b[2K")
    assert b"\x1b" not in out


def test_ctrl_c_ends_with_130_and_publishes_nothing(project: Project) -> None:
    project.write({f"{n}.js": f"let a{n}='{'x' * n}';" * 3000 for n in range(40)})
    process = subprocess.Popen(
        [sys.executable, "-m", "assetpipe", "build"],
        cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while not (project.folder / ".assetpipe/results").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Nothing was published" in err
    assert "Traceback" not in err
    assert not project.dist.exists()


def test_version_is_told(run: Command) -> None:
    told = run("--version").out.splitlines()
    assert told[0] == f"assetpipe {assetpipe.__version__}"
    names = [line.split()[0] for line in told]
    assert names[:7] == ["assetpipe", "Python", "brotli", "zlib", "zstd", "Pillow", "libjpeg"]
    assert "libwebp" in names


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (1244, "1.24 kB"), (18_249, "18.2 kB"), (999_499, "999 kB")]
    + [(999_500, "1.00 MB"), (182_400_000, "182 MB"), (5 * 10**12, "5000 GB")],
)
def test_sizes_are_told_with_three_digits(count: int, told: str) -> None:
    assert size(count) == told


def test_other_codings_of_the_same_release_are_told(project: Project, run: Command) -> None:
    project.write({"a.css": CSS})
    assert "is published to dist" in run("build").out
    assert "is already in dist" in run("build").out
    write(project.folder, {"assetpipe.toml": "compress.encodings = ['zstd']"})
    assert "is the current one, and 3 files changed, in dist" in run("build").out
