"""``assetpipe watch`` as a process, held against a fresh build of the same tree."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from assetpipe import build, locks, publish
from assetpipe import config as configuration
from assetpipe.hints import Told, listen, remote
from assetpipe.inotify import Event, Inotify
from assetpipe.watch import Burst, Watch
from tests.conftest import Command, Project, write
from tests.servers import needs, program
from tests.watching import Watching, eventually, watching


@pytest.fixture
def shop(project: Project) -> Project:
    project.write({"a.css": "a{color:red}", "b.css": "@import 'a.css';"})
    return project


@pytest.fixture
def watch(shop: Project) -> Iterator[Watching]:
    with watching(shop.folder) as one:
        yield one


def served(project: Project, path: str) -> str:
    return project.public(path).decode()


def says(project: Project, path: str, text: str) -> Callable[[], bool]:
    """Whether the release has that text there. A release may be replaced while it is looked at."""

    def ask() -> bool:
        with suppress(KeyError, FileNotFoundError):
            return publish.current(project.dist) is not None and served(project, path) == text
        return False

    return ask


def holds(project: Project, *paths: str) -> Callable[[], bool]:
    """Whether the release has these files, and no others."""

    def ask() -> bool:
        current = publish.current(project.dist)
        return current is not None and set(current.assets) == set(paths)

    return ask


def as_built_anew(project: Project, tmp_path: Path) -> Callable[[], bool]:
    """Whether the release is what a build of the same tree would make, that knows nothing of before."""
    config = configuration.load(project.folder).for_profile("dev")
    anew = build.build(replace(config, cache=str(tmp_path / "another cache")))
    assert not anew.failed, anew.problems

    def ask() -> bool:
        current = publish.current(project.dist)
        return current is not None and current.release == anew.manifest.release

    def checked() -> bool:
        if not ask():
            return False
        current = publish.current(project.dist)
        assert current is not None
        assert (current.assets, current.private) == (anew.manifest.assets, anew.manifest.private)
        assert {path: (project.dist / path[1:]).read_bytes() for path in anew.files} == {
            path: blob.read() for path, blob in anew.files.items()
        }
        return True

    return checked


# What becomes of a save


def test_every_save_becomes_a_release(shop: Project, watch: Watching) -> None:
    assert served(shop, "/static/a.css") == "a{color:red}"
    shop.write({"a.css": "a{color:blue}"})
    assert "0 added, 2 changed, 0 gone" in watch.until("release")
    assert served(shop, "/static/a.css") == "a{color:blue}"
    shop.write({"new/deep/c.txt": "c"})
    watch.until("1 added")
    (shop.folder / "static/b.css").unlink()
    watch.until("1 gone")
    assert watch.end() == 0


def in_place(file: Path, text: str) -> None:
    file.write_text(text)


def beside_and_renamed(file: Path, text: str) -> None:
    new = file.with_name(f"{file.name}.tmp.1")
    with new.open("w") as out:
        out.write(text)
        os.fsync(out.fileno())
    os.replace(new, file)


def with_a_backup(file: Path, text: str) -> None:
    """As vim does, which first tries whether it may write there at all."""
    trial = file.with_name("4913")
    trial.touch()
    trial.unlink()
    backup = file.with_name(f"{file.name}~")
    os.rename(file, backup)
    with file.open("w") as out:
        out.write(text)
        os.fsync(out.fileno())
    backup.unlink()


def from_another_folder(file: Path, text: str) -> None:
    new = file.parents[2] / "elsewhere"
    new.write_text(text)
    os.replace(new, file)


def deleted_and_written(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text)


def piecemeal(file: Path, text: str) -> None:
    with file.open("w") as out:
        for letter in text:
            out.write(letter)
            out.flush()
            time.sleep(0.002)


@pytest.mark.parametrize(
    "save", [in_place, beside_and_renamed, with_a_backup, from_another_folder, deleted_and_written, piecemeal]
)
def test_however_an_editor_saves_one_save_is_one_release(
    shop: Project, watch: Watching, save: Callable[[Path, str], None]
) -> None:
    save(shop.folder / "static/a.css", "a{color:green}")
    assert "0 added, 2 changed, 0 gone" in watch.until("release")
    assert served(shop, "/static/a.css") == "a{color:green}"
    assert watch.rest() == []


def test_folders_may_come_filled_move_and_go(shop: Project, watch: Watching, tmp_path: Path) -> None:
    static = shop.folder / "static"
    both = "/static/a.css", "/static/b.css"
    write(static, {"one/two/three/c.txt": "c", "one/two/d.txt": "d"})
    eventually(holds(shop, *both, "/static/one/two/three/c.txt", "/static/one/two/d.txt"))
    os.rename(static / "one", static / "uno")
    eventually(holds(shop, *both, "/static/uno/two/three/c.txt", "/static/uno/two/d.txt"))
    # What moved is watched where it is now.
    write(static, {"uno/two/three/c.txt": "changed"})
    eventually(says(shop, "/static/uno/two/three/c.txt", "changed"))
    os.rename(static / "uno/two", tmp_path / "out")
    eventually(holds(shop, *both))
    write(tmp_path / "out", {"three/c.txt": "changed again"})
    os.rename(tmp_path / "out", static / "in")
    eventually(says(shop, "/static/in/three/c.txt", "changed again"))
    write(static, {"in/three/c.txt": "and again"})
    eventually(says(shop, "/static/in/three/c.txt", "and again"))
    shutil.rmtree(static / "in")
    eventually(holds(shop, *both))


def test_a_checkout_of_500_files_ends_in_its_last_state(shop: Project, tmp_path: Path) -> None:
    git = [program("git", "git"), "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "gc.auto=0"]

    def run(*arguments: str) -> None:
        subprocess.run([*git, *arguments], cwd=shop.folder, check=True, capture_output=True)

    run("init", "--quiet", "--initial-branch=one")
    (shop.folder / ".gitignore").write_text("dist\n.assetpipe\n")
    shop.write({f"{n % 20}/{n}.css": f"a{{order:{n}}}" for n in range(500)})
    run("add", ".")
    run("commit", "-qm", "one")
    run("checkout", "-qb", "two")
    shop.write({f"{n % 20}/{n}.css": f"@import '{n + 1}.css';b{{order:{n}}}" for n in range(480)})
    for n in range(480, 500):
        (shop.folder / f"static/{n % 20}/{n}.css").unlink()
    shop.write({f"new/{n}.css": "c{}" for n in range(20)})
    run("add", ".")
    run("commit", "-qm", "two")
    with watching(shop.folder) as one:
        for branch in ("one", "two", "one"):
            run("checkout", "-q", branch)
            eventually(as_built_anew(shop, tmp_path))
        # Nothing that was only half there was told of.
        assert not [line for line in one.rest() if "error" in line]


def test_what_is_saved_while_a_build_runs_is_in_the_last_release(project: Project) -> None:
    """The command takes its time, and the file is saved again in that time: the build before has read what is gone."""
    command = "sh -c 'cat {input}; sleep 0.4; cat {input}'"
    (project.folder / "assetpipe.toml").write_text(f'[[command]]\nmatch = "*.scss"\nrun = "{command}"\n')
    project.write({"a.scss": "0"})
    with watching(project.folder) as one:
        for n in range(1, 4):
            project.write({"a.scss": str(n)})
            time.sleep(0.3)
        eventually(says(project, "/static/a.css", "33"))
        assert not [line for line in one.rest() if "error" in line or "in the way" in line]


def test_what_a_command_reads_is_watched_too(project: Project) -> None:
    config = """
ignore = ["_*.scss"]
[[command]]
match = "*.scss"
run = "sh -c 'cat static/_vars.scss lib/more.txt lib/*/*.md'"
reads = ["static/*.scss", "lib/*.txt", "lib/**/*.md"]
"""
    write(project.folder, {"assetpipe.toml": config, "lib/more.txt": "1", "lib/x/y.md": ""})
    project.write({"a.scss": "", "_vars.scss": "a"})
    with watching(project.folder) as one:
        assert served(project, "/static/a.css") == "a1"
        project.write({"_vars.scss": "b"})
        one.until("1 changed")
        assert served(project, "/static/a.css") == "b1"
        write(project.folder, {"lib/more.txt": "2"})
        one.until("1 changed")
        assert served(project, "/static/a.css") == "b2"
        write(project.folder, {"lib/new/z.md": "3"})
        one.until("1 changed")
        assert served(project, "/static/a.css") == "b23"


def test_links_within_a_root_follow_what_they_lead_to(shop: Project) -> None:
    static = shop.folder / "static"
    shop.write({"real/deep/c.css": "c{}", "real/deep/d.css": "d{}"})
    (static / "linked").symlink_to("real")
    with watching(shop.folder) as one:
        write(static, {"real/deep/c.css": "c{order:1}"})
        assert "0 added, 2 changed, 0 gone" in one.until("release")
        assert served(shop, "/static/linked/deep/c.css") == "c{order:1}"
        (static / "one.css").symlink_to("real/deep/d.css")
        assert "1 added" in one.until("release")
        write(static, {"real/deep/d.css": "d{order:2}"})
        assert "0 added, 3 changed, 0 gone" in one.until("release")
        (static / "linked").unlink()
        assert "2 gone" in one.until("release")


def test_a_root_that_is_a_link_is_watched_where_it_leads(project: Project, tmp_path: Path) -> None:
    static = project.folder / "static"
    static.rmdir()
    write(tmp_path / "far", {"a.txt": "a"})
    static.symlink_to(tmp_path / "far")
    with watching(project.folder):
        write(tmp_path / "far", {"a.txt": "b"})
        eventually(says(project, "/static/a.txt", "b"))


def test_a_root_may_go_and_come_back(shop: Project, watch: Watching, tmp_path: Path) -> None:
    before = publish.current(shop.dist)
    os.rename(shop.folder / "static", tmp_path / "away")
    watch.until("does not exist")
    assert publish.current(shop.dist) == before
    write(tmp_path / "away", {"a.css": "a{color:tan}"})
    os.rename(tmp_path / "away", shop.folder / "static")
    watch.until("mended")
    eventually(says(shop, "/static/a.css", "a{color:tan}"))
    shop.write({"a.css": "a{color:pink}"})
    eventually(says(shop, "/static/a.css", "a{color:pink}"))
    shutil.rmtree(shop.folder / "static")
    watch.until("does not exist")
    shop.write({"c.txt": "c"})
    eventually(holds(shop, "/static/c.txt"))


def test_a_watch_waits_for_a_root_that_is_not_there_yet(project: Project) -> None:
    (project.folder / "static").rmdir()
    with watching(project.folder) as one:
        assert any("does not exist" in line for line in one.said)
        project.write({"c.txt": "c"})
        eventually(holds(project, "/static/c.txt"))


def test_a_dist_that_is_deleted_is_published_again(shop: Project, watch: Watching) -> None:
    shutil.rmtree(shop.dist)
    eventually(says(shop, "/static/a.css", "a{color:red}"))
    eventually(lambda: locks.is_held(shop.dist / ".watch"))
    (shop.dist / "manifest.json").unlink()
    eventually(says(shop, "/static/a.css", "a{color:red}"))


def test_what_the_cache_lost_meanwhile_is_made_again(shop: Project, watch: Watching, assetpipe: Command) -> None:
    file = shop.folder / "static/a.css"
    for colour in ("blue", "green"):
        file.write_text(f"a {{ color: {colour} }}")
        eventually(says(shop, "/static/a.css", f"a{{color:{colour}}}"))
    assert assetpipe("clean", "--cache", "--to", "0").code == 0
    shutil.rmtree(shop.dist / "public/static")
    file.write_text("a { color: blue }")
    eventually(says(shop, "/static/a.css", "a{color:blue}"))


# Problems


def test_a_broken_state_is_told_and_the_release_before_stays(shop: Project, watch: Watching) -> None:
    before = publish.current(shop.dist)
    twin = shop.folder / "static" / "A.css"
    twin.symlink_to("/etc/hostname")
    watch.until("out of its root")
    name = os.fsencode(shop.folder / "static") + b"/\xff.txt"
    with open(name, "wb"):
        pass
    assert "static/�.txt" in watch.until("nothing published")
    assert publish.current(shop.dist) == before
    shop.write({"c.txt": "c"})
    watch.until("nothing published")
    os.unlink(name)
    watch.until("mended")
    eventually(holds(shop, "/static/a.css", "/static/b.css", "/static/c.txt"))


def test_a_problem_is_told_when_it_is_new_and_when_it_is_gone(shop: Project, watch: Watching) -> None:
    shop.write({"old.css": "a{background:url(gone.png)}"})
    assert "static/old.css:1:18: warning" in watch.until("gone.png")
    watch.until("release")
    shop.write({"a.css": "a{color:blue}"})
    assert [line.split()[1] for line in watch.rest()] == ["release"]
    # Neither is it news that it has moved.
    shop.write({"old.css": "\n\na{background:url(gone.png)}b{background:url(lost.png)}"})
    told = watch.rest()
    assert [line for line in told if "lost.png" in line]
    assert not [line for line in told if "gone.png" in line]
    shop.write({"old.css": "b{background:url(lost.png)}"})
    assert "static/old.css: a reference to nothing: gone.png" in watch.until("mended")


def test_errors_are_told_to_the_application_while_they_last(shop: Project, watch: Watching) -> None:
    file = shop.dist / ".problems.json"
    assert not file.exists()
    (shop.folder / "static/x\ny.css").write_text("a{}")
    (shop.folder / "assetpipe.toml").write_text("strict = true")
    shop.write({"a.css": "a{background:url(gone.png)}"})
    eventually(file.exists)
    told = json.loads(file.read_bytes())
    assert told["errors"] == 1
    assert told["problems"][0] | {"text": "", "hint": ""} == {
        "kind": "missing-css",
        "severity": "error",
        "text": "",
        "file": "static/a.css",
        "line": 1,
        "column": 18,
        "hint": "",
    }
    shop.write({"a.css": "a{}"})
    eventually(lambda: not file.exists())
    shop.write({"a.css": "a{background:url(gone.png)}"})
    eventually(file.exists)
    assert watch.end() == 0
    assert not file.exists()


# The configuration


def test_a_changed_configuration_is_taken_up(shop: Project, watch: Watching) -> None:
    file = shop.folder / "assetpipe.toml"
    write(shop.folder, {"more/c.txt": "c"})
    file.write_text('[roots]\n"/static/" = ["static", "more"]\n')
    assert str(shop.folder / "more") in watch.until("The configuration has changed")
    eventually(holds(shop, "/static/a.css", "/static/b.css", "/static/c.txt"))
    write(shop.folder, {"more/c.txt": "d"})
    eventually(says(shop, "/static/c.txt", "d"))
    file.write_text('rots = 1\n[roots]\n"/static/" = "static"\n')
    assert "rots" in watch.until('unknown key "rots"')
    assert "the configuration before" in watch.until("Until it is mended")
    write(shop.folder, {"more/c.txt": "e"})
    eventually(says(shop, "/static/c.txt", "e"))
    assert not [line for line in watch.rest() if "nothing published" in line]
    file.write_text('dist = "elsewhere"\n[roots]\n"/static/" = "static"\n')
    watch.until("mended")
    elsewhere = shop.folder / "elsewhere"
    eventually(lambda: (elsewhere / "manifest.json").exists())
    assert set(publish.current(elsewhere).assets) == {"/static/a.css", "/static/b.css"}  # type: ignore[union-attr]
    assert locks.is_held(elsewhere / ".watch")
    assert not locks.is_held(shop.dist / ".watch")
    file.unlink()
    watch.until("The configuration has changed")
    eventually(lambda: locks.is_held(shop.dist / ".watch"))


def test_the_profile_dev_compresses_what_it_is_told_to_and_release_everything(shop: Project) -> None:
    shop.write({"a.css": "a{color:red}" * 99})

    def codings() -> set[str]:
        current = publish.current(shop.dist)
        assert current is not None
        return set(current.assets["/static/a.css"].encodings)

    with watching(shop.folder):
        assert codings() == set()
        (shop.folder / "assetpipe.toml").write_text('[dev]\nencodings = ["gzip"]\n')
        eventually(lambda: codings() == {"gzip"})
    with watching(shop.folder, "--profile", "release"):
        assert codings() == {"br", "gzip"}


# How it begins and ends


def test_a_running_watch_can_be_told_and_is_the_only_one(shop: Project, watch: Watching) -> None:
    assert locks.is_held(shop.dist / ".watch")
    second = Watching(shop.folder)
    second.until("another watch is running")
    assert second.wait() == 1
    watch.end()
    assert not locks.is_held(shop.dist / ".watch")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_it_it_ends_in_order(shop: Project, watch: Watching, number: int) -> None:
    assert watch.end(number) == 0
    assert watch.said[-1] == "No longer watching.\n"
    assert not locks.is_held(shop.dist / ".watch")


def test_ended_in_the_middle_of_a_build_it_ends_at_once(project: Project) -> None:
    (project.folder / "assetpipe.toml").write_text('[[command]]\nmatch = "*.scss"\nrun = "sleep 600"\n')
    with watching(project.folder) as one:
        project.write({"a.scss": "a"})
        eventually(lambda: b"sleep" in _commands(one.process.pid))
        assert one.end() == 0
    eventually(lambda: b"sleep" not in _commands(one.process.pid))


def _commands(pid: int) -> bytes:
    """The command lines of a process's children."""
    found = b""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += Path(f"/proc/{child}/cmdline").read_bytes()
    return found


def test_a_killed_watch_leaves_nothing_that_keeps_the_next_one_out(shop: Project) -> None:
    one = Watching(shop.folder)
    one.until("Watching")
    (shop.folder / "assetpipe.toml").write_text("rots = 1")
    eventually((shop.dist / ".problems.json").exists)
    assert one.end(signal.SIGKILL) == -signal.SIGKILL
    (shop.folder / "assetpipe.toml").unlink()
    with watching(shop.folder):
        assert not (shop.dist / ".problems.json").exists()


# Where hints come from, or do not


def test_what_no_event_tells_of_is_found_after_the_next_save(shop: Project, watch: Watching, tmp_path: Path) -> None:
    """A file that is written to by another of its names, which is in no folder that is watched."""
    os.link(shop.folder / "static/b.css", tmp_path / "b")
    watch.rest()
    (tmp_path / "b").write_text("b{}")
    shop.write({"a.css": "a{color:blue}"})
    eventually(says(shop, "/static/b.css", "b{}"))


def test_more_events_than_the_system_keeps_are_no_loss(shop: Project, watch: Watching, tmp_path: Path) -> None:
    """The watch is stopped meanwhile, so that nobody reads them."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    watch.process.send_signal(signal.SIGSTOP)
    for n in range(limit // 2 + 1000):
        file = shop.folder / f"static/{n % 2}.txt"
        file.touch()
        file.unlink()
    shop.write({"late/deep/c.txt": "c", "a.css": "a{color:blue}"})
    watch.process.send_signal(signal.SIGCONT)
    eventually(as_built_anew(shop, tmp_path))
    shop.write({"late/deep/c.txt": "d"})
    eventually(says(shop, "/static/late/deep/c.txt", "d"))


def test_by_the_clock_the_same_is_found(shop: Project, tmp_path: Path) -> None:
    with watching(shop.folder, "--poll") as one:
        shop.write({"a.css": "a{color:blue}", "new/deep/c.txt": "c"})
        eventually(as_built_anew(shop, tmp_path))
        shutil.rmtree(shop.folder / "static/new")
        eventually(as_built_anew(shop, tmp_path))
        shop.write({"old.css": "a{background:url(gone.png)}"})
        one.until("gone.png")
        assert not [line for line in one.rest(4) if "gone.png" in line]


def allowance(watches: int, instances: int = 100) -> list[str]:
    """The words before a command that let it have no more watches than that: of a user namespace of its own."""
    unshare = [program("unshare", "util-linux"), "--user", "--map-root-user", "sh", "-c"]
    limits = f"echo {watches} > /proc/sys/user/max_inotify_watches"
    limits += f" && echo {instances} > /proc/sys/user/max_inotify_instances"
    if subprocess.run([*unshare, limits], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces: sysctl kernel.unprivileged_userns_clone=1")
    return [*unshare, f'{limits} && exec "$@"', "sh"]


def test_where_the_system_grants_no_more_watches_the_clock_takes_over(shop: Project, tmp_path: Path) -> None:
    shop.write({f"{n}/{n}.txt": "x" for n in range(20)})
    with watching(shop.folder, before=allowance(10)) as one:
        assert [line for line in one.said + one.rest(1) if "fs.inotify.max_user_watches" in line]
        shop.write({"19/19.txt": "y"})
        eventually(as_built_anew(shop, tmp_path))
        # Said once.
        assert not [line for line in one.rest(3) if "inotify" in line]


def test_where_watches_run_out_later_the_clock_takes_over(shop: Project, tmp_path: Path) -> None:
    with watching(shop.folder, before=allowance(10)) as one:
        shop.write({f"{n}/{n}.txt": "x" for n in range(20)})
        assert "sudo sysctl" in one.until("fs.inotify.max_user_watches")
        shop.write({"19/19.txt": "y"})
        eventually(as_built_anew(shop, tmp_path))


def test_where_no_more_programs_may_watch_the_clock_takes_over(shop: Project, tmp_path: Path) -> None:
    with watching(shop.folder, before=allowance(10, instances=0)) as one:
        assert [line for line in one.said + one.rest(1) if "fs.inotify.max_user_instances" in line]
        shop.write({"a.css": "b{}"})
        eventually(as_built_anew(shop, tmp_path))


MOUNTS = r"""
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /mnt/home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /mnt/home/local xfs rw 0 0
//box/share /mnt/with\040blank cifs rw 0 0
drivers /mnt/c 9p rw,aname=drvfs 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
/dev/sdc1 /mnt/usb fuseblk rw 0 0
overlay /mnt/box overlay rw 0 0
server:/x /mnt/twice nfs rw 0 0
tmpfs /mnt/twice tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/shop", ""),
        ("/mnt/home/me/shop", "nfs4"),
        ("/mnt/home", "nfs4"),
        ("/mnt/homely", ""),
        ("/mnt/home/local/shop", ""),
        ("/mnt/with blank/shop", "cifs"),
        ("/mnt/c/Users/me", "9p"),
        ("/mnt/far/shop", "fuse.sshfs"),
        ("/mnt/usb/shop", ""),
        ("/mnt/box/shop", ""),
        ("/mnt/twice/shop", ""),
    ],
)
def test_drives_that_others_write_to_are_known_by_their_kind(folder: str, kind: str) -> None:
    assert remote(Path(folder), MOUNTS) == kind


def test_reading_is_no_event_and_neither_is_what_we_write_ourselves(shop: Project, watch: Watching) -> None:
    for file in (shop.folder / "static").iterdir():
        file.read_bytes()
    write(shop.folder / "static", {".hidden": "x", ".git/index": "x"})
    assert watch.rest(1) == []
    shop.write({"a.css": "a{color:blue}"})
    watch.until("release")
    assert watch.rest() == []


@pytest.mark.parametrize("make", [Inotify, Told])
def test_the_hints_of_both_ways_name_what_changed(
    make: Callable[[Callable[[str], bool]], Inotify | Told], tmp_path: Path
) -> None:
    if make is Told:
        needs("watchdog")
    top = tmp_path / "top"
    write(top, {"a.txt": "a", "b/c.txt": "c", "skipped/d.txt": "d"})
    hints = make(lambda path: path.endswith("/skipped"))
    try:
        hints.add(str(top), deep=True)

        def told() -> set[Event]:
            found: set[Event] = set()
            while events := hints.read(1.0):
                found.update(events)
            return found

        assert told() == set()
        (top / "b/c.txt").read_text()
        write(top, {"skipped/d.txt": "e"})
        assert told() == set()
        write(top, {"b/c.txt": "changed"})
        assert told() == {Event(f"{top}/b/c.txt")}
        (top / "a.txt").unlink()
        assert told() == {Event(f"{top}/a.txt", gone=True)}
        os.rename(top / "b/c.txt", top / "c.txt")
        assert told() == {Event(f"{top}/b/c.txt", gone=True), Event(f"{top}/c.txt")}
        os.rename(top / "b", top / "d")
        assert Event(f"{top}/d", whole=True) in told()
        write(top, {"d/e.txt": "new"})
        assert Event(f"{top}/d/e.txt") in told()
    finally:
        hints.close()


def test_a_folder_is_known_by_every_name_that_it_is_watched_by(tmp_path: Path) -> None:
    write(tmp_path, {"site/static/a.txt": "a"})
    (tmp_path / "other").symlink_to("site/static")
    hints, notice = listen({tmp_path / "site": True, tmp_path / "other": True}, lambda _: False)
    try:
        assert notice == ""
        write(tmp_path, {"site/static/a.txt": "b"})
        assert {event.path for event in hints.read(5)} == {f"{tmp_path}/site/static/a.txt", f"{tmp_path}/other/a.txt"}
    finally:
        hints.close()


def test_what_an_editor_takes_away_again_does_not_keep_a_save_waiting() -> None:
    plain, backup, deletion = Burst(), Burst(), Burst()
    plain.add([Event("a.css"), Event("a.css~")])
    backup.add([Event("a.css", gone=True), Event("a.css~"), Event("a.css"), Event("a.css~", gone=True)])
    deletion.add([Event("a.css", gone=True), Event("a.css~")])
    assert plain.quiet == backup.quiet < deletion.quiet
    assert plain.files == backup.files == {"a.css", "a.css~"}


def test_a_watch_that_nobody_follows_any_more_lets_everything_go(shop: Project) -> None:
    class Quiet:
        def begin(self, stage: str, total: int) -> None: ...
        def step(self) -> None: ...

    before = threading.active_count()
    looks = Watch(lambda: shop.config, Quiet()).looks()
    next(looks)
    assert locks.is_held(shop.dist / ".watch")
    looks.close()
    assert not locks.is_held(shop.dist / ".watch")
    eventually(lambda: threading.active_count() == before)


# All of it at once


class Vandal:
    """Edits a tree of sources at random, as many people at once would."""

    def __init__(self, static: Path) -> None:
        self.static = static
        self.chance = random.Random()
        self.count = 0

    def files(self) -> list[Path]:
        found = [file for file in self.static.rglob("*") if file.is_file() and not file.is_symlink()]
        return [file for file in found if file.name.isascii()]

    def folders(self) -> list[Path]:
        return [
            self.static,
            *(folder for folder in self.static.rglob("*") if folder.is_dir() and not folder.is_symlink()),
        ]

    def text(self, suffix: str) -> str:
        self.count += 1
        names = [file.name for file in self.files()] or ["none.css"]
        other = self.chance.choice(names)
        return {
            ".css": f"@import '{other}';\na{{order:{self.count};background:url({self.chance.choice(names)})}}",
            ".js": f"import './{other}';\nexport const n = {self.count} // comment",
            ".html": f"<!doctype html><img src='{other}'><p>{self.count}",
        }.get(suffix, f"text {self.count}")

    def name(self) -> str:
        return f"{self.chance.randrange(60)}{self.chance.choice(['.css', '.js', '.txt', '.html'])}"

    def act(self) -> None:
        chance, files, folders = self.chance, self.files(), self.folders()
        where = chance.choice(folders)
        file = chance.choice(files) if files else where / "first.txt"
        what = chance.randrange(20)
        if what < 7:
            save = chance.choice([in_place, beside_and_renamed, with_a_backup, deleted_and_written])
            save(file, self.text(file.suffix)) if files else file.write_text("x")
        elif what < 11:
            new = where / self.name()
            new.write_text(self.text(new.suffix))
        elif what == 11:
            file.unlink(missing_ok=True)
        elif what == 12 and files:
            os.replace(file, where / self.name())
        elif what == 13:
            folder = where / f"d{chance.randrange(9)}"
            write(folder, {f"e/{self.name()}": "deep", self.name(): "x"})
        elif what == 14 and where != self.static:
            shutil.rmtree(where)
        elif what == 15 and where != self.static:
            target = chance.choice(folders) / f"m{chance.randrange(9)}"
            if not target.exists() and not target.is_relative_to(where):
                os.rename(where, target)
        elif what == 16 and where != self.static:
            outside = self.static.parent / f"outside{self.count}"
            os.rename(where, outside)
            time.sleep(chance.random() / 20)
            with suppress(OSError):
                os.rename(outside, self.static / f"b{chance.randrange(9)}")
        elif what == 17:
            link = where / f"link{chance.randrange(3)}{chance.choice(['', '.css'])}"
            link.unlink(missing_ok=True) if link.is_symlink() else link.symlink_to(chance.choice([*files, *folders]))
        elif what == 18:
            with open(os.fsencode(where) + b"/\xff.css", "wb"):  # of which no release can be made
                pass
        else:
            self.mend()

    def mend(self) -> None:
        for folder, _, names in os.walk(os.fsencode(self.static)):
            for name in names:
                if name == b"\xff.css":
                    os.unlink(os.path.join(folder, name))


def test_whatever_happens_for_a_minute_the_last_release_is_that_of_the_last_state(
    project: Project, tmp_path: Path
) -> None:
    vandal = Vandal(project.folder / "static")
    project.write({f"{n}.css": f"a{{order:{n}}}" for n in range(30)})
    acts = 0
    with watching(project.folder) as one:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for _ in range(vandal.chance.randrange(1, 12)):
                with suppress(OSError):  # it has taken away what it wanted to edit
                    vandal.act()
                    acts += 1
            time.sleep(vandal.chance.choice([0, 0.005, 0.02, 0.1, 0.3]))
            # At any time there is a whole release.
            assert publish.current(project.dist) is not None
        vandal.mend()
        eventually(as_built_anew(project, tmp_path))
        assert one.process.poll() is None
        releases = sum("release" in line for line in one.said)
    assert acts > 500
    assert releases > 20
