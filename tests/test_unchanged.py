"""A build that has nothing to do says so at once; one that has something to do is never taken for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command, Project, write

# Runs the command line, and says on its last line whether it came so far as to load what a build needs.
SCRIPT = """
import sys
from assetpipe.__main__ import main
sys.argv[0] = "assetpipe"
try:
    main()
finally:
    print("click" in sys.modules)
"""
FILES = {"a.css": "a{b:url(none.png)}" * 30, "sub/b.txt": "text " * 100, "sub/deep/c.js": "import './none.js'"}


class Run:
    """What one run printed, and whether it was spared the build."""

    def __init__(self, folder: Path, *arguments: str, path: str = "") -> None:
        command = [sys.executable, "-c", SCRIPT, *arguments]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.code, self.err = done.returncode, done.stderr
        self.out, _, loaded = done.stdout.rstrip("\n").rpartition("\n")
        self.spared = loaded == "False"


@pytest.fixture
def settled(project: Project) -> Project:
    """A project that was built, of files that are old enough for ``stat`` to tell every change."""
    project.write(FILES)
    settle(project)
    assert Run(project.folder, "build").code == 0
    return project


def settle(project: Project, root: str = "static") -> None:
    for folder, folders, names in os.walk(project.folder / root):
        for name in (*folders, *names):
            if Path(folder, name).exists():
                os.utime(Path(folder, name), (1_600_000_000.5, 1_600_000_000.5))
    os.utime(project.folder / root, (1_600_000_000.5, 1_600_000_000.5))


def without_seconds(text: str) -> str:
    return text.replace(text[text.index("(") : text.index(")")], "") if "(" in text else text


def test_a_second_build_says_what_the_first_would_say_again(settled: Project) -> None:
    shown = Run(settled.folder, "build")
    assert shown.spared
    assert "static/a.css:1:9: warning: a reference to nothing" in shown.err
    (settled.folder / ".assetpipe/unchanged").unlink()
    built = Run(settled.folder, "build")
    assert not built.spared
    assert (shown.err, without_seconds(shown.out)) == (built.err, without_seconds(built.out))
    assert "is already in dist" in shown.out


def test_a_machine_s_answer_is_the_same(settled: Project) -> None:
    first, second = Run(settled.folder, "build", "--json"), Run(settled.folder, "build", "--json")
    assert (first.spared, second.spared) == (False, True)
    assert json.loads(first.out) == json.loads(second.out)


def edited(project: Project) -> None:
    file = project.folder / "static/a.css"
    before = file.stat()
    file.write_text(file.read_text()[:-1] + " ")  # of the same size
    assert file.stat().st_size == before.st_size


def meddled(project: Project, what: str, function: str = "release_id", module: str = "assetpipe.manifest") -> None:
    """Build once more, and do something else right after that function was called."""
    (project.folder / ".assetpipe/unchanged").unlink()
    script = f"""
import os, subprocess, sys
import {module} as module
real = module.{function}
def meddling(*args, **kwargs):
    made = real(*args, **kwargs)
    {what}
    return made
module.{function} = meddling
sys.argv = ["assetpipe", "build"]
from assetpipe.__main__ import main
main()
"""
    # Called as ``Run`` does, so that the next run could be spared.
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONPATH": ""}
    subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, timeout=120, check=True)


def edited_during_the_build(project: Project) -> None:
    meddled(project, "open('static/a.css', 'w').write('x{y:z}'); os.utime('static/a.css', (1.6e9 + 0.5,) * 2)")


def added_during_the_build(project: Project) -> None:
    meddled(project, "open('static/b.css', 'w').write('x'); os.utime('static', (1.6e9 + 0.7,) * 2)")


def configured_during_the_build(project: Project) -> None:
    meddled(project, "open('assetpipe.toml', 'w').write('minify = false')")


def another_release_published_before_the_build_ends(project: Project) -> None:
    other = "subprocess.run([sys.executable, '-m', 'assetpipe', 'build', '--source', 'static/sub'])"
    meddled(project, other, "told_problems", "assetpipe.cli.printing")


def replaced(project: Project) -> None:
    """By a file of the same size and mtime, as ``cp -p`` and a rename would."""
    file = project.folder / "static/sub/b.txt"
    other = file.with_name("new")
    other.write_text(file.read_text().upper())
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)


def deleted(project: Project) -> None:
    (project.folder / "static/sub/deep/c.js").unlink()


def renamed(project: Project) -> None:
    (project.folder / "static/a.css").rename(project.folder / "static/z.css")


def added(project: Project) -> None:
    project.write({"sub/deep/new.txt": ""})


def added_in_a_new_folder(project: Project) -> None:
    project.write({"sub/deep/er/new.txt": ""})


def configured(project: Project) -> None:
    (project.folder / "assetpipe.toml").write_text("minify = false")


def configured_above(project: Project) -> None:
    (project.folder.parent / "pyproject.toml").write_text(
        '[tool.assetpipe]\nignore = ["a.css"]\ndist = "project/dist"\ncache = "project/.assetpipe"\n'
        '[tool.assetpipe.roots]\n"/static/" = "project/static"\n'
    )


def dist_wiped(project: Project) -> None:
    for file in sorted(project.dist.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()


def one_file_of_dist_deleted(project: Project) -> None:
    next((project.dist / "public/static/sub").glob("b.*.txt.br")).unlink()


def manifest_deleted(project: Project) -> None:
    (project.dist / "manifest.json").unlink()


@pytest.mark.parametrize(
    "change",
    [
        edited,
        edited_during_the_build,
        added_during_the_build,
        configured_during_the_build,
        another_release_published_before_the_build_ends,
        replaced,
        deleted,
        renamed,
        added,
        added_in_a_new_folder,
        configured,
        configured_above,
        dist_wiped,
        one_file_of_dist_deleted,
        manifest_deleted,
    ],
)
def test_after_any_change_it_builds(settled: Project, change: Callable[[Project], None], assetpipe: Command) -> None:
    assert Run(settled.folder, "build").spared
    change(settled)
    assert not Run(settled.folder, "build").spared
    assert assetpipe("verify").code == 0
    settled.configure(dist="fresh", cache="fresh-cache")
    fresh = assetpipe("build", "--dist", "fresh", "--json").json["release"]
    assert json.loads((settled.folder / "dist/manifest.json").read_bytes())["release"] == fresh


def test_a_folder_that_is_a_root_as_soon_as_it_is_there_is_noticed(project: Project) -> None:
    (project.folder / "static").rmdir()
    (project.folder / "assetpipe.toml").write_text('[roots]\n"/p/" = {folder = "hidden", private = true}\n')
    write(project.folder / "hidden", {"p.txt": "p"})
    settle(project, "hidden")
    assert [Run(project.folder, "build").spared for _ in range(2)] == [False, True]
    project.write({"a.txt": "a"})
    assert "2 files" in Run(project.folder, "build").out


def test_what_a_link_waits_for_may_come_to_where_nobody_looked(project: Project) -> None:
    project.write({".drawer/other.txt": "x", "b.txt": "b"})
    (project.folder / "static/a.txt").symlink_to(".drawer/a.txt")
    settle(project)
    assert Run(project.folder, "build").code == 0
    project.write({".drawer/a.txt": "a"})
    assert "2 files" in Run(project.folder, "build").out


def test_a_record_is_good_for_a_day_since_releases_of_old_are_to_be_let_go(settled: Project) -> None:
    record = settled.folder / ".assetpipe/unchanged"
    for age, spared in ((3600, True), (100_000, False), (-3600, False)):
        os.utime(record, (time.time() - age,) * 2)
        assert Run(settled.folder, "build").spared is spared


def test_an_executor_of_the_project_s_own_is_no_reason_to_build(settled: Project) -> None:
    (settled.folder / "assetpipe.toml").write_text('executor = "own:make"\n')
    write(settled.folder, {"own.py": "from concurrent.futures import ThreadPoolExecutor as make"})
    write(settled.folder / "static", {"sub/b.txt": "other " * 100})
    settle(settled)
    script = SCRIPT.replace("import sys\n", "import sys\nsys.path.remove('')\n", 1)
    runs = [
        subprocess.run([sys.executable, "-c", script, "build"], cwd=settled.folder, capture_output=True, check=True)
        for _ in range(2)
    ]
    assert [run.stdout.split()[-1] for run in runs] == [b"True", b"False"]


def test_a_reader_that_has_seen_enough_and_a_folder_that_is_gone_are_no_tracebacks(settled: Project) -> None:
    script = (
        "import os\nr, w = os.pipe()\nos.close(r)\nos.dup2(w, 1)\n" + SCRIPT.partition("finally")[0] + "finally: pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "build"], cwd=settled.folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr, "Exception ignored" in done.stderr) == (1, False, False)
    gone = settled.folder / "gone"
    gone.mkdir()
    script = "import os\nos.rmdir(os.getcwd())\n" + SCRIPT
    done = subprocess.run(
        [sys.executable, "-c", script, "build"], cwd=gone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "the working folder is gone" in done.stderr


def test_other_arguments_and_another_folder_are_another_build(settled: Project) -> None:
    assert not Run(settled.folder, "build", "--strict").spared
    assert Run(settled.folder, "build", "--strict").code == 1
    assert Run(settled.folder, "build").spared
    assert not Run(settled.folder / "static", "build", "--source", ".").spared


def test_a_package_that_is_installed_or_replaced_is_noticed(settled: Project, tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    Run(settled.folder, "build", path=str(site))
    assert Run(settled.folder, "build", path=str(site)).spared
    write(site, {"another-1.0.dist-info": ""})
    assert not Run(settled.folder, "build", path=str(site)).spared


def test_what_changed_just_before_the_build_is_looked_at_again(project: Project) -> None:
    """Its mtime could stay the same though it changes once more."""
    project.write(FILES)
    settle(project)
    os.utime(project.folder / "static/a.css", ns=(time.time_ns() + 10**9,) * 2)
    assert Run(project.folder, "build").code == 0
    assert not Run(project.folder, "build").spared


def test_a_failed_build_is_no_reason_to_say_that_all_is_well(settled: Project) -> None:
    other = settled.folder / "static/A.css"
    other.mkdir()
    os.chmod(settled.folder / "static", 0o755)
    (settled.folder / "static/bad.css").symlink_to("nowhere")
    assert Run(settled.folder, "build", "--strict").code == 1
    assert Run(settled.folder, "build", "--strict").code == 1


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_a_damaged_record_is_none(settled: Project, cut: int) -> None:
    record = settled.folder / ".assetpipe/unchanged"
    record.write_bytes(record.read_bytes()[:cut])
    run = Run(settled.folder, "build")
    assert (run.code, run.spared) == (0, False)
    data = bytearray(record.read_bytes())
    data[-30] ^= 1
    record.write_bytes(data)
    assert not Run(settled.folder, "build").spared
