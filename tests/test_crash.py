"""Builds that are killed at any instant, and what they leave behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assetpipe import publish
from assetpipe.verify import verify
from tests import pictures
from tests.conftest import Command, Project

KILLS = 100
COMMAND = [sys.executable, "-m", "assetpipe", "build"]


def version(n: int) -> dict[str, str | bytes]:
    """Sources of which every version has other bytes, other references, and a file of its own."""
    files: dict[str, str | bytes] = {
        f"{k}.css": f"@import '{k + 1}.css';\n" + f"a {{ color : #{n:06d} ; margin : {k}px }}\n" * 30 for k in range(20)
    }
    files |= {f"m{k}.js": f"import './m{(k + 1) % 9}.js'; /* {n} */ x = {n};\n" * 9 for k in range(9)}
    return {**files, "20.css": "b{}", "p.jpg": pictures.jpeg(64 + n % 7, 64), f"only-{n}.txt": f"{n} " * 50}


def test_a_hundred_builds_killed_at_random_instants_leave_whole_releases(project: Project, assetpipe: Command) -> None:
    """After each kill the release that was current, or the new one, is whole, and the next build goes on from there."""
    chance = random.Random(7)
    static = project.folder / "static"
    project.write(version(0))
    began = time.monotonic()
    assert assetpipe("build").code == 0
    longest = time.monotonic() - began
    before = publish.current(project.dist)
    assert before is not None
    killed = 0
    for n in range(1, KILLS + 1):
        shutil.rmtree(static)
        project.write(version(n))
        if chance.random() < 0.2:
            shutil.rmtree(project.config.cache_folder, ignore_errors=True)
        process = subprocess.Popen(COMMAND, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.02, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        checked = verify(project.dist)
        # A copy under a plain name may lag behind: a warning. There is none here.
        assert checked.faults == (), f"after kill {n}"
        now = publish.current(project.dist)
        assert now is not None
        newest = f"/static/only-{n}.txt" in now.assets
        assert newest or now.release == before.release, "neither the release before nor the new one"
        before = now
    assert killed > KILLS // 2
    # The next build cleans up: what is left is what a build that was never killed leaves.
    assert assetpipe("build").code == 0
    assert assetpipe("verify").code == 0
    assert not (project.dist / ".new").exists()
    current = publish.current(project.dist)
    assert current is not None
    kept = {current.release, *current.retained}
    assert {file.stem for file in (project.dist / "releases").iterdir()} <= kept
    fresh = project.folder / "fresh"
    assert assetpipe("build", "--dist", str(fresh)).code == 0
    # All that was made meanwhile is in the cache, and none of it is wrong.
    shutil.rmtree(project.config.cache_folder)
    other = project.folder / "other"
    assert assetpipe("build", "--dist", str(other)).code == 0
    assert files(fresh / "public") == files(other / "public")
    assert files(fresh / "public").items() <= files(project.dist / "public").items()


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_ctrl_c_ends_a_long_build_at_once_and_says_how_things_stand(project: Project, assetpipe: Command) -> None:
    project.write({"a.txt": "x"})
    assert assetpipe("build").code == 0
    before = project.snapshot()
    # Minutes of work for one thread, that nothing can interrupt.
    words = random.Random(1)
    project.write({f"{n}.txt": words.randbytes(12_000_000).hex() for n in range(3)})
    process = subprocess.Popen(COMMAND, cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted. Nothing was published" in err
    assert "Traceback" not in out + err
    assert project.snapshot() == before


def test_ctrl_c_ends_the_commands_of_a_build_too(project: Project) -> None:
    note = project.folder / "pid"
    tool = project.folder / "slow.py"
    tool.write_text(f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    (project.folder / "assetpipe.toml").write_text(
        f'[[command]]\nmatch = "*.scss"\nrun = ["{sys.executable}", "{tool}"]\n'
    )
    project.write({"a.scss": "a{}"})
    process = subprocess.Popen(COMMAND, cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (note.exists() and note.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, "Traceback" in err) == (130, False)
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
