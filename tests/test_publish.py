from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assetpipe import locks, manifest, publish
from assetpipe import releases as releases_
from assetpipe.build import Build
from assetpipe.cli import main
from assetpipe.config import Compress, Folders, Keep
from assetpipe.errors import PublishError
from assetpipe.transforms import encodings
from assetpipe.verify import verify
from tests import pictures
from tests.conftest import Project, write
from tests.kills import ended_at

CSS = "a{color:red}" * 30
AREAS = {"/static/": "static", "/secret/": Folders("secret", private=True)}


def releases(project: Project) -> list[str]:
    return sorted(file.stem for file in (project.dist / "releases").iterdir())


def assert_only_what_is_kept(project: Project) -> None:
    """All files are named by releases that are kept, and these have all of their files."""
    current = publish.current(project.dist)
    assert current is not None
    named = {"/manifest.json", *manifest.files(current), *manifest.plain_copies(current)}
    for release in (current.release, *current.retained):
        record = f"releases/{release}.json"
        named |= {f"/{record}", *manifest.files(manifest.load(project.dist / record))}
    assert {f"/{name}" for name in project.snapshot()} == named
    assert not (project.dist / ".new").exists()


def test_a_release_lies_where_the_design_says(project: Project) -> None:
    project.write({"css/a.css": CSS})
    done = project.publish()
    (asset,) = done.manifest.assets.values()
    assert sorted(project.snapshot()) == sorted(
        [
            "manifest.json",
            f"releases/{done.manifest.release}.json",
            f"public{asset.url}",
            f"public{asset.url}.br",
            f"public{asset.url}.gz",
        ]
    )
    assert manifest.load(project.dist / "manifest.json") == done.manifest
    assert (project.dist / f"public{asset.url}").stat().st_mode & 0o777 == 0o644


def test_the_manifest_has_no_clock_no_machine_and_sorted_keys(project: Project) -> None:
    import json

    project.write({"b.css": CSS, "a.txt": "x"})
    project.publish()
    text = (project.dist / "manifest.json").read_text()
    read = json.loads(text)
    assert json.dumps(read, sort_keys=True, separators=(",", ":")) + "\n" == text
    assert str(project.folder) not in text
    assert read["format"] == 1
    assert read["assets"]["/static/a.txt"] == {
        "url": read["assets"]["/static/a.txt"]["url"],
        "type": "text/plain; charset=utf-8",
        "size": 1,
        "sha256": read["assets"]["/static/a.txt"]["sha256"],
    }


def test_publishing_the_same_again_writes_nothing(project: Project) -> None:
    project.write({"a.css": CSS})
    first, second = project.publish(), project.publish()
    assert (first.written, second.written, second.pruned) == (3, 0, 0)
    assert second.manifest == first.manifest


def test_as_many_releases_are_kept_as_configured_and_the_rest_is_pruned(project: Project) -> None:
    ids, urls = [], []
    for n in range(5):
        project.write({"a.css": CSS + f"b{{c:{n}}}", "same.txt": "x"})
        done = project.publish()
        ids.append(done.manifest.release)
        urls.append(done.manifest.assets["/static/a.css"].url)
    current = publish.current(project.dist)
    assert current is not None
    assert (current.release, current.retained) == (ids[4], (ids[3], ids[2]))
    assert releases(project) == sorted(ids[2:])
    there = [(project.dist / f"public{url}").exists() for url in urls]
    assert there == [False, False, True, True, True]
    assert verify(project.dist).faults == ()


def test_a_release_published_again_is_the_current_one_once(project: Project) -> None:
    ids = []
    for text in ("1", "2", "1"):
        project.write({"a.txt": text})
        ids.append(project.publish().manifest.release)
    current = publish.current(project.dist)
    assert current is not None
    assert ids[0] == ids[2] == current.release
    assert current.retained == (ids[1],)


def test_a_file_that_somebody_else_put_there_survives_and_empty_folders_go(project: Project) -> None:
    project.configure(keep=Keep(releases=1))
    project.write({"old/a.txt": "1", "kept/b.txt": "1"})
    project.publish()
    mine = project.dist / "public/static/kept/mine.txt"
    mine.write_text("mine")
    shutil.rmtree(project.folder / "static")
    project.write({"c.txt": "1"})
    assert project.publish().pruned == 2
    assert mine.read_text() == "mine"
    assert not (project.dist / "public/static/old").exists()


def test_a_file_of_somebody_else_in_the_way_ends_the_publishing_before_it_begins(project: Project) -> None:
    project.write({"a.txt": "1", "sw.js": "1"})
    project.configure(plain=("sw.js",))
    built = project.build()
    for path in (built.manifest.assets["/static/a.txt"].url, "/static/sw.js"):
        theirs = project.dist / f"public{path}"
        theirs.parent.mkdir(parents=True, exist_ok=True)
        theirs.write_text("theirs")
        with pytest.raises(PublishError, match="did not put there"):
            project.publish()
        assert theirs.read_text() == "theirs"
        assert not (project.dist / "manifest.json").exists()
        theirs.unlink()
    project.publish()


def test_a_plain_file_changes_under_its_name_and_older_releases_keep_theirs(project: Project) -> None:
    project.configure(plain=("sw.js",))
    for n in range(3):
        project.write({"sw.js": f"let version={n};" * 50})
        project.publish()
        assert verify(project.dist).faults == ()
        plain = project.dist / "public/static/sw.js"
        assert plain.read_text() == f"let version={n};" * 50
        assert encodings.decode("br", Path(f"{plain}.br").read_bytes()) == plain.read_bytes()


def test_a_plain_file_that_is_gone_from_the_release_is_gone_from_disk(project: Project) -> None:
    project.configure(plain=("sw.js",), keep=Keep(releases=1))
    project.write({"sw.js": "1", "a.txt": "1"})
    project.publish()
    (project.folder / "static/sw.js").unlink()
    project.publish()
    assert not (project.dist / "public/static/sw.js").exists()


def test_bytes_that_change_under_a_name_that_promised_not_to_are_refused(project: Project) -> None:
    project.configure(tagged=("x-*",))
    project.write({"x-1.txt": "1"})
    project.publish()
    before = project.snapshot()
    project.write({"x-1.txt": "2"})
    with pytest.raises(PublishError, match=r"/static/x-1\.txt: its bytes change, but a kept release has promised"):
        project.publish()
    assert project.snapshot() == before
    project.configure(tagged=(), plain=("x-1.txt",))
    with pytest.raises(PublishError, match="its bytes change"):
        project.publish()
    assert {path: data for path, data in project.snapshot().items() if path in before} == before


def test_other_codings_make_the_same_release_and_leave_no_file_behind(project: Project) -> None:
    """The copies of a plain file are the ones that would lie: an old ``.gz`` beside a new file."""
    project.configure(plain=("robots.txt",), keep=Keep(releases=1))
    project.write({"robots.txt": "x y\n" * 200, "a.css": CSS})
    ids = set()
    for codings in (("gzip",), ("br",), ("gzip", "zstd")):
        project.configure(compress=Compress(encodings=codings))
        ids.add(project.publish().manifest.release)
        suffixes = {"br": ".br", "gzip": ".gz", "zstd": ".zst"}
        found = {Path(name).suffix for name in project.snapshot() if name.startswith("public/")}
        assert found == {".css", ".txt", *(suffixes[coding] for coding in codings)}
        assert verify(project.dist).faults == ()
    assert len(ids) == 1
    assert releases(project) == sorted(ids)
    project.write({"robots.txt": "z y\n" * 300})
    project.configure(compress=Compress(encodings=("br",)))
    project.publish()
    assert not (project.dist / "public/static/robots.txt.gz").exists()


def test_copies_that_the_current_release_has_not_are_gone_though_older_releases_stay(project: Project) -> None:
    project.configure(plain=("robots.txt",))
    project.write({"robots.txt": "Disallow: /a\n" * 200, "a.css": CSS})
    project.publish()
    project.write({"robots.txt": "Allow: /\n"})
    project.publish()
    copies = sorted(file.name for file in (project.dist / "public/static").glob("robots.txt*"))
    assert copies == ["robots.txt"]
    (project.folder / "static/robots.txt").unlink()
    project.publish()
    assert not (project.dist / "public/static/robots.txt").exists()
    assert verify(project.dist).faults == ()


def test_another_prefix_is_another_release(project: Project) -> None:
    project.write({"a.css": CSS})
    first = project.publish().manifest
    (project.folder / "empty").mkdir()
    project.configure(roots={"/static/": "static", "/api/": "empty"})
    assert project.publish().manifest.release != first.release


def test_a_lost_manifest_ends_no_kept_release(project: Project) -> None:
    ids = []
    for n in range(3):
        project.write({"a.txt": str(n)})
        ids.append(project.publish().manifest.release)
        time.sleep(0.01)
    (project.dist / "manifest.json").write_text("{")
    project.write({"a.txt": "4"})
    assert project.publish().manifest.retained == (ids[2], ids[1])
    assert verify(project.dist).faults == ()


@pytest.mark.parametrize("path", ["../../victim.txt", "/../victim.txt", "/static/../../../victim.txt"])
def test_a_manifest_written_by_hand_reaches_no_file_outside(project: Project, path: str) -> None:
    import json

    project.configure(keep=Keep(releases=1))
    project.write({"a.txt": "1"})
    project.publish()
    (file,) = (project.dist / "releases").iterdir()
    told = json.loads(file.read_text())
    told["assets"]["/static/a.txt"]["url"] = path
    told["release"] = path
    victims = [project.folder / "victim.txt", project.dist / "victim.txt", project.folder.parent / "victim.txt"]
    for victim in victims:
        victim.write_text("x")
        victim.with_suffix(".txt.json").write_text("x")
    (project.dist / "releases" / "0.json").write_text(json.dumps(told))
    told["release"] = "0"
    (project.dist / "releases" / "1.json").write_text(json.dumps(told))
    project.write({"a.txt": "2"})
    project.publish()
    assert verify(project.dist).faults == ()
    for victim in victims:
        assert victim.read_text() == victim.with_suffix(".txt.json").read_text() == "x"


def test_another_codec_makes_no_other_release_and_the_kept_encodings_stay_right(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer zlib on the machine: other bytes in ``.gz``, the same release, and nothing that is kept is broken."""
    project.configure(compress=Compress(encodings=("gzip",)))
    project.write({"a.css": CSS, "b.txt": "1"})
    first = project.publish().manifest
    real = encodings.encode
    monkeypatch.setattr(encodings, "version", lambda coding: "another zlib")
    monkeypatch.setattr(
        encodings, "encode", lambda coding, data: (e := real(coding, data)) and e[:9] + b"\x03" + e[10:]
    )
    assert project.publish().manifest == first
    project.write({"b.txt": "2"})
    second = project.publish().manifest
    assert second.release != first.release
    assert second.assets["/static/a.css"] == first.assets["/static/a.css"]
    assert verify(project.dist).faults == ()


def test_missing_and_cut_files_are_written_again(project: Project) -> None:
    project.write({"a.css": CSS, "p.jpg": pictures.jpeg()})
    project.publish()
    before = project.snapshot()
    files = [name for name in before if name.startswith("public/")]
    for n, name in enumerate(files):
        file = project.dist / name
        file.unlink() if n % 2 else file.write_bytes(file.read_bytes()[:5])
    assert len(verify(project.dist).faults) == len(files)
    project.publish()
    assert project.snapshot() == before
    (project.dist / "manifest.json").write_text("{")
    (project.dist / "releases" / "000000000000.json").write_text("not json")
    project.publish()
    assert verify(project.dist).faults == ()


def test_a_second_publisher_waits_for_the_first(project: Project) -> None:
    project.write({"a.txt": "1"})
    project.dist.mkdir()
    with locks.holding(project.dist / ".lock") as mine:
        assert mine
        waiting = threading.Thread(target=project.publish)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        assert not (project.dist / "manifest.json").exists()
    waiting.join()
    assert verify(project.dist).faults == ()


def test_a_publisher_that_waits_in_vain_says_so_and_changes_nothing(project: Project) -> None:
    project.write({"a.txt": "1"})
    project.publish()
    before = project.snapshot()
    project.write({"a.txt": "2"})
    built = project.build()
    patient = publish.Publisher(project.dist, Keep(), patience=0.2)
    with locks.holding(project.dist / ".lock"), pytest.raises(PublishError, match="another build is publishing"):
        patient.publish(built.manifest, built.files)
    assert project.snapshot() == before
    assert patient.publish(built.manifest, built.files).written == 1


def _publish_some(folder: str, name: str) -> None:
    project = Project(Path(folder))
    project.configure(cache=f".cache-{name}", roots={"/static/": name}, plain=("sw.js",), keep=Keep(releases=2))
    for n in range(8):
        write(project.folder / name, {"a.css": CSS + f"{name}{{c:{n}}}", "sw.js": f"{name}{n};"})
        project.publish()


def test_processes_that_publish_at_once_all_do_and_the_last_one_counts(project: Project) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_publish_some, args=(str(project.folder), name)) for name in "xyz"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert verify(project.dist).faults == ()
    assert_only_what_is_kept(project)


def test_a_deleted_lock_file_lets_nobody_in(project: Project) -> None:
    """Somebody deletes dist while a build publishes there: whoever comes then must not meet a lock of another file."""
    project.dist.mkdir()
    lock = project.dist / ".lock"
    with locks.holding(lock) as first:
        lock.unlink()
        with locks.holding(lock) as second, locks.holding(lock) as third:
            assert (first, second, third) == (True, True, False)


def test_a_full_disk_publishes_nothing_and_says_what_to_do(project: Project) -> None:
    """The system refuses to write past a file size, as it refuses to write to a full disk."""
    project.write({"a.css": CSS})
    project.publish()
    before = project.snapshot()
    project.write({"a.css": CSS + "x{}", "big.bin": os.urandom(200_000)})
    project.build()  # fills the cache, which has room
    script = """
        import resource, sys
        from pathlib import Path
        from assetpipe import publish
        from assetpipe.build import build
        from assetpipe.config import Config
        from assetpipe.errors import PublishError
        config = Config(base=Path(sys.argv[1]))
        built = build(config)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            publish.publish(built.manifest, built.files, config.dist_folder, config.keep)
        except PublishError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(project.folder)], capture_output=True, text=True, check=True
    )
    assert "nothing was published" in done.stdout
    assert "Make room" in done.stdout
    after = project.snapshot()
    assert {path: after[path] for path in before} == before
    project.publish()
    assert verify(project.dist).faults == ()
    assert not (project.dist / ".new").exists()


def _publish_for_ever(folder: str) -> None:
    """Publish two states in turn, as fast as it goes."""
    project = Project(Path(folder))
    n = 0
    while True:
        n += 1
        project.write({"a.css": CSS + f"b{{c:{n}}}", "sw.js": f"{n};" * 40})
        write(project.folder / "secret", {"b.txt": f"{n}\n" * 40})
        project.configure(plain=("sw.js",), keep=Keep(releases=2), roots=AREAS)
        project.publish()


def test_a_killed_build_leaves_a_whole_release_and_the_next_one_cleans_up(project: Project) -> None:
    """SIGKILL at thirty instants of a process that does nothing but publish."""
    context = multiprocessing.get_context("spawn")
    for attempt in range(30):
        process = context.Process(target=_publish_for_ever, args=(str(project.folder),))
        process.start()
        wait_until = time.monotonic() + 20
        seen = (project.dist / "manifest.json").stat().st_mtime_ns if (project.dist / "manifest.json").exists() else 0
        while time.monotonic() < wait_until:
            file = project.dist / "manifest.json"
            if file.exists() and file.stat().st_mtime_ns != seen:
                break
            time.sleep(0.001)
        time.sleep(attempt * 0.0007)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        process.close()
        # What only other servers read may lag behind until the next build; all that is served from must be whole.
        assert [f for f in verify(project.dist).faults if f.kind != "fault-copy"] == []
    project.configure(plain=("sw.js",), keep=Keep(releases=2), roots=AREAS)
    project.write({"a.css": CSS, "sw.js": "1"})
    current = project.publish().manifest
    assert verify(project.dist).faults == ()
    assert current.retained
    assert_only_what_is_kept(project)


def _state(project: Project, n: int) -> Build:
    """One of several states of a project with everything that publishing has to do with."""
    same = min(n, 3)  # the states 3 and 4 are one release in two codings
    folder = project.folder / f"state{same}"
    write(folder / "static", {f"dir{same}/a.css": CSS + f"b{{c:{same}}}", "same.txt": "x"})
    if n != 1:
        write(folder / "static", {"sw.js": f"let version={same};" * 40})
    write(folder / "secret", {"b.txt": f"{same}\n" * 40})
    roots = {"/static/": str(folder / "static"), "/secret/": Folders(str(folder / "secret"), private=True)}
    codings = Compress(encodings=("gzip",) if n == 4 else ("br", "gzip"))
    project.configure(plain=("sw.js",), keep=Keep(releases=2), roots=roots, compress=codings)
    return project.build()


def _publish_state(built: Build, dist: Path) -> None:
    publish.publish(built.manifest, built.files, dist, Keep(releases=2))


def _roll_back(dist: Path) -> None:
    releases_.rollback(dist)


def _prune(dist: Path) -> None:
    releases_.prune(dist, Keep(releases=1))


CHANGES: dict[str, Callable[[list[Build], Path], tuple[Callable[..., None], *tuple[Any, ...]]]] = {
    "a new release": lambda builds, dist: (_publish_state, builds[3], dist),
    "the same in other codings": lambda builds, dist: (_publish_state, builds[4], dist),
    "an older one again": lambda builds, dist: (_publish_state, builds[1], dist),
    "a rollback": lambda builds, dist: (_roll_back, dist),
    "pruning": lambda builds, dist: (_prune, dist),
}


@pytest.mark.parametrize("change", CHANGES)
def test_killed_before_any_change_of_any_file_it_leaves_a_whole_release_and_the_next_one_cleans_up(
    project: Project, change: str
) -> None:
    """SIGKILL at every single instant at which a file is about to be made, renamed or deleted."""
    builds = [_state(project, n) for n in range(5)]
    numbers = (0, 1, 3) if change == "the same in other codings" else (0, 1, 2)
    for n in numbers:
        publish.publish(builds[n].manifest, builds[n].files, project.dist, Keep(releases=2))
    saved = project.folder / "saved"
    shutil.copytree(project.dist, saved)
    before = publish.current(project.dist)
    assert before is not None
    at = 0
    found = set()
    while True:
        at += 1
        shutil.rmtree(project.dist)
        shutil.copytree(saved, project.dist)
        code = ended_at(at, signal.SIGKILL, *CHANGES[change](builds, project.dist))
        verified = verify(project.dist)
        assert [fault for fault in verified.faults if fault.kind != "fault-copy"] == []
        now = publish.current(project.dist)
        assert now is not None
        found.add(now == before)
        if code == 0:
            assert verified.faults == ()
            assert_only_what_is_kept(project)
            break
        assert code == -signal.SIGKILL
        _publish_state(builds[at % 3], project.dist)
        assert verify(project.dist).faults == ()
        assert_only_what_is_kept(project)
    assert at > 8
    assert found == {True, False}


def _build_with_the_command(folder: str, told: str) -> None:
    os.chdir(folder)
    with open(told, "w") as out:
        os.dup2(out.fileno(), 2)
        main(["build"])


def test_what_an_interrupted_build_says_of_the_release_is_true(project: Project) -> None:
    """SIGINT at every instant at which a file is about to be changed."""
    (project.folder / "assetpipe.toml").write_text('plain = ["sw.js"]\nkeep.releases = 1\n')
    project.write({"a.css": CSS, "sw.js": "1;", "b.txt": "b"})
    here = (str(project.folder), str(project.folder / "told"))
    assert ended_at(0, signal.SIGINT, _build_with_the_command, *here) == 0
    saved = project.folder / "saved"
    shutil.copytree(project.dist, saved)
    before = project.snapshot()
    project.write({"a.css": CSS + "x{}", "sw.js": "2;"})
    said = set()
    at = 0
    while True:
        at += 1
        shutil.rmtree(project.dist)
        shutil.copytree(saved, project.dist)
        code = ended_at(at, signal.SIGINT, _build_with_the_command, *here)
        if code == 0:
            break
        assert code == 130
        text = (project.folder / "told").read_text()
        untouched = project.snapshot()["manifest.json"] == before["manifest.json"]
        assert ("Nothing was published" in text) == untouched
        assert ("the release is published" in text) == (not untouched)
        assert "Traceback" not in text
        said.add(untouched)
        assert [fault for fault in verify(project.dist).faults if fault.kind != "fault-copy"] == []
    assert said == {True, False}


SCRIPT = """
    import sys
    from pathlib import Path
    from assetpipe import publish
    from assetpipe.build import build
    from assetpipe.config import Config
    from assetpipe.errors import PublishError
    config = Config(base=Path(sys.argv[1]))
    built = build(config)
    try:
        publish.publish(built.manifest, built.files, config.dist_folder, config.keep)
    except PublishError as error:
        print(error)
"""


def publish_in_own_mounts(project: Project, mount: str) -> str:
    """What publishing says where something is mounted that no other process sees; ``dist`` comes after ``mount``."""
    unshare = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs unshare of util-linux, and leave to use it")
    script = f'{mount} "$0" && "$1" -c "$2" "$3" && cp -a "$0" "$4"'
    arguments = [str(project.dist), sys.executable, textwrap.dedent(SCRIPT), str(project.folder)]
    command = [*unshare, "sh", "-c", script, *arguments, str(project.folder / "after")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_disk_that_is_full_for_real_keeps_the_release_and_nothing_of_the_new_one(project: Project) -> None:
    project.write({"a.css": CSS})
    project.publish()
    before = project.snapshot()
    project.write({f"{n}.bin": os.urandom(100_000) for n in range(20)})
    project.build()
    shutil.copytree(project.dist, project.folder / "copy")
    told = publish_in_own_mounts(
        project, f"mount -t tmpfs -o size=1m none {project.dist} && cp -a {project.folder}/copy/."
    )
    assert "No space left on device: nothing was published, and the release before is untouched. Make room in" in told
    shutil.rmtree(project.dist)
    shutil.move(project.folder / "after", project.dist)
    assert project.snapshot() == before
    assert project.publish().written == 20
    assert_only_what_is_kept(project)


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(project: Project) -> None:
    project.write({"a.css": CSS})
    project.publish()
    before = project.snapshot()
    project.write({"a.css": CSS + "x{}"})
    project.build()
    told = publish_in_own_mounts(project, f"mount --bind -o ro {project.dist}")
    assert "Read-only file system: nothing was published, and the release before is untouched. Make " in told
    assert "writable for this user" in told
    assert project.snapshot() == before


@pytest.mark.parametrize("name", ["public/static", "public/static/css", ".new", "releases"])
def test_a_file_in_the_place_of_a_folder_ends_the_publishing_before_it_begins(project: Project, name: str) -> None:
    project.write({"css/a.css": CSS})
    write(project.dist, {name: "theirs"})
    with pytest.raises(PublishError, match=r"nothing was published.* did not put there is in the way\. Move it"):
        project.publish()
    assert {path: data for path, data in project.snapshot().items() if path != ".lock"} == {name: b"theirs"}


def test_a_publisher_leaves_what_single_publishings_leave(project: Project) -> None:
    once, often = project.folder / "once", project.folder / "often"
    publisher = publish.Publisher(often, Keep(releases=2), durable=False)
    for n in (0, 1, 2, 3, 4, 3, 1, 1, 0, 4, 2):
        built = _state(project, n)
        done = publisher.publish(built.manifest, built.files)
        assert publish.publish(built.manifest, built.files, once, Keep(releases=2)) == done
        left = [
            {file.relative_to(dist): file.read_bytes() for file in dist.rglob("*") if file.is_file()}
            for dist in (once, often)
        ]
        assert left[0] == left[1]
        assert verify(often).faults == ()
        text = (often / "manifest.json").read_bytes()
        assert text == manifest.load(often / "manifest.json").dump()


def _delete_all(project: Project) -> None:
    shutil.rmtree(project.dist)


def _let_another_publish(project: Project) -> None:
    _publish_state(_state(project, 1), project.dist)


def _let_another_be_killed(project: Project) -> None:
    built = _state(project, 3)
    assert ended_at(9, signal.SIGKILL, _publish_state, built, project.dist) == -signal.SIGKILL


def _let_another_roll_back(project: Project) -> None:
    releases_.rollback(project.dist)


@pytest.mark.parametrize("other", [_delete_all, _let_another_publish, _let_another_be_killed, _let_another_roll_back])
def test_a_publisher_notices_what_others_did_since(project: Project, other: Callable[[Project], None]) -> None:
    publisher = publish.Publisher(project.dist, Keep(releases=2), durable=False)
    for n in (0, 1, 2):
        built = _state(project, n)
        publisher.publish(built.manifest, built.files)
    other(project)
    built = _state(project, 2)
    assert publisher.publish(built.manifest, built.files).manifest.release == built.manifest.release
    assert verify(project.dist).faults == ()
    assert_only_what_is_kept(project)
    assert (project.dist / "public/static/sw.js").read_bytes() == project.public("/static/sw.js")


def _publish_and_fail_on_any_access(built: Build, dist: Path) -> None:
    def watch(event: str, details: tuple[object, ...]) -> None:
        if event == "open" and "/public/" in str(details[0]):
            os._exit(3)

    sys.addaudithook(watch)
    publish.publish(built.manifest, built.files, dist, Keep(releases=2))


def test_publishing_the_current_release_opens_none_of_its_files_and_changes_nothing(project: Project) -> None:
    built = _state(project, 2)
    publish.publish(built.manifest, built.files, project.dist, Keep(releases=2))

    def stamps() -> dict[str, tuple[int, int]]:
        every = [project.dist, *project.dist.rglob("*")]
        return {str(f): (f.stat().st_ino, f.stat().st_mtime_ns) for f in every if f.name != ".lock"}

    before = stamps()
    assert ended_at(0, signal.SIGKILL, _publish_and_fail_on_any_access, built, project.dist) == 0
    assert stamps() == before


def test_what_a_killed_build_announced_is_no_release_when_the_manifest_is_lost(project: Project) -> None:
    builds = [_state(project, n) for n in (0, 1, 2, 3)]
    for built in builds[:2]:
        _publish_state(built, project.dist)
        time.sleep(0.01)
    assert ended_at(9, signal.SIGKILL, _publish_state, builds[2], project.dist) == -signal.SIGKILL
    assert builds[2].manifest.release in releases(project)
    (project.dist / "manifest.json").unlink()
    _publish_state(builds[3], project.dist)
    current = publish.current(project.dist)
    assert current is not None
    assert current.retained == (builds[1].manifest.release,)
    assert verify(project.dist).faults == ()
    assert_only_what_is_kept(project)
