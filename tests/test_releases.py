"""Listing the releases, going back and forth between them, and letting go of those that are not kept."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assetpipe import locks, manifest, publish, releases
from assetpipe.build import Build
from assetpipe.config import Folders, Keep
from assetpipe.errors import ManifestError, PublishError
from assetpipe.verify import verify
from tests.conftest import Command, Project, write
from tests.kills import ended_at

DAY = 86_400


def release(project: Project, text: str) -> str:
    project.write({"a.css": f"a{{color:{text}}}", "robots.txt": f"# {text}\n"})
    return project.publish().manifest.release


@pytest.fixture
def four(project: Project) -> tuple[str, ...]:
    """The ids of four releases, of which three are kept."""
    project.configure(plain=("robots.txt",))
    return tuple(release(project, text) for text in ("red", "blue", "green", "gold"))


def days_pass(project: Project, days: float) -> None:
    """Every release became the current one so much longer ago."""
    for file in (project.dist / "releases").iterdir():
        since = file.stat().st_mtime - days * DAY
        os.utime(file, (since, since))


def current(project: Project) -> manifest.Manifest:
    return manifest.load(project.dist / "manifest.json")


# Which are kept


def test_a_release_is_kept_for_some_days_after_it_was_replaced_however_long_it_was_the_current_one(
    project: Project,
) -> None:
    """A site that is deployed once a quarter does not lose yesterday's release on the day of a new one."""
    project.configure(keep=Keep(releases=3, days=30))
    first = release(project, "red")
    days_pass(project, 90)
    second = release(project, "blue")
    assert current(project).retained == (first,)
    days_pass(project, 29)
    assert project.publish().manifest.retained == (first,)
    days_pass(project, 2)
    assert project.publish().manifest.retained == ()
    days_pass(project, 200)
    third = release(project, "green")
    assert current(project).retained == (second,)
    assert [one.release for one in releases.kept(project.dist)] == [third, second]
    assert verify(project.dist).faults == ()


def test_no_days_keep_the_current_release_alone(project: Project) -> None:
    project.configure(keep=Keep(releases=3, days=0))
    release(project, "red")
    release(project, "blue")
    assert current(project).retained == ()


def test_publishing_the_current_release_again_makes_nothing_younger(project: Project) -> None:
    release(project, "red")
    release(project, "blue")
    days_pass(project, 31)
    before = releases.kept(project.dist)[0].since
    project.publish()
    (only,) = releases.kept(project.dist)
    assert only.since == before


def test_a_copy_without_times_keeps_its_releases_and_their_order(project: Project, four: tuple[str, ...]) -> None:
    """Copied in any order, and with the times that image builders and archives give to files."""
    for when in (0, 1, 315_532_800):
        for file in (project.dist / "releases").iterdir():
            os.utime(file, (when, when))
        assert project.publish().manifest.retained == (four[2], four[1])
        assert [one.since for one in releases.kept(project.dist)] == [None, None, None]
    for n, name in enumerate((four[3], four[1], four[2])):
        now = time.time() - n
        os.utime(project.dist / f"releases/{name}.json", (now, now))
    fifth = release(project, "black")
    assert (current(project).release, current(project).retained) == (fifth, (four[3], four[2]))


# Going back and forth


def test_a_rollback_makes_the_release_before_the_current_one_with_all_that_belongs_to_it(
    project: Project, four: tuple[str, ...]
) -> None:
    done = releases.rollback(project.dist)
    assert (done.manifest.release, done.previous.release) == (four[2], four[3])
    assert current(project) == done.manifest
    assert done.manifest.retained == (four[3], four[1])
    assert (project.dist / "public/static/robots.txt").read_text() == "# green\n"
    assert verify(project.dist).faults == ()


def test_rolling_back_again_goes_further_back_and_an_id_goes_forward(project: Project, four: tuple[str, ...]) -> None:
    assert releases.rollback(project.dist).manifest.release == four[2]
    assert releases.rollback(project.dist).manifest.release == four[1]
    with pytest.raises(PublishError, match=rf"no release before {four[1]} is kept(.|\n)*{four[3]}  \(rolled back from"):
        releases.rollback(project.dist)
    assert releases.rollback(project.dist, four[3][:8]).manifest.release == four[3]
    assert set(current(project).retained) == {four[1], four[2]}
    assert (project.dist / "public/static/robots.txt").read_text() == "# gold\n"
    assert verify(project.dist).faults == ()


def test_a_release_that_was_rolled_back_from_is_not_what_a_later_rollback_goes_to(
    project: Project, four: tuple[str, ...]
) -> None:
    releases.rollback(project.dist)  # gold was bad
    fifth = release(project, "black")
    assert current(project).retained == (four[2], four[3])
    assert current(project).withdrawn == (four[3],)
    assert releases.rollback(project.dist).manifest.release == four[2]
    with pytest.raises(PublishError, match="no release before"):
        releases.rollback(project.dist)
    assert releases.rollback(project.dist, fifth).manifest.withdrawn == (four[3],)
    project.write({"a.css": "a{color:gold}", "robots.txt": "# gold\n"})
    assert project.publish().manifest.withdrawn == ()


def test_a_rollback_deletes_nothing_but_copies_that_are_not_of_that_release(
    project: Project, four: tuple[str, ...]
) -> None:
    (project.folder / "static/robots.txt").unlink()
    project.write({"sw.js": "1;"})
    project.configure(plain=("robots.txt", "sw.js"), keep=Keep(releases=9))
    project.publish()
    project.configure(keep=Keep(releases=1))
    before = project.snapshot()
    releases.rollback(project.dist, four[1])
    after = project.snapshot()
    assert before.keys() - after.keys() == {"public/static/sw.js"}
    assert after.keys() - before.keys() == {"public/static/robots.txt"}
    assert after["public/static/robots.txt"] == b"# blue\n"
    assert verify(project.dist).faults == ()


def test_the_current_release_is_kept_though_it_was_replaced_long_ago(project: Project, four: tuple[str, ...]) -> None:
    days_pass(project, 31)
    done = releases.rollback(project.dist, four[1])
    days_pass(project, 29)
    assert releases.prune(project.dist, Keep()).releases == (four[2],)
    assert current(project).release == done.manifest.release == four[1]
    assert current(project).retained == (four[3],), "it was replaced by the rollback, 29 days ago"
    assert verify(project.dist).faults == ()


def test_an_id_that_is_none_or_of_several_releases_ends_with_those_there_are(
    project: Project, four: tuple[str, ...]
) -> None:
    before = project.snapshot()
    with pytest.raises(PublishError, match=rf"^{four[0]} is no release that is kept(.|\n)*{four[1]}"):
        releases.rollback(project.dist, four[0])
    with pytest.raises(PublishError, match="nothing is no release"):
        releases.rollback(project.dist, "nothing")
    project.configure(keep=Keep(releases=20))
    names = list(four[1:])
    while len({name[0] for name in names}) == len(names):
        names.append(release(project, f"#{len(names)}"))
    with pytest.raises(PublishError, match=f"{names[-1][0]} is the beginning of several releases"):
        releases.rollback(project.dist, names[-1][0])
    assert before.keys() <= project.snapshot().keys()


def test_a_release_that_is_not_whole_does_not_become_the_current_one(project: Project, four: tuple[str, ...]) -> None:
    older = manifest.load(project.dist / f"releases/{four[2]}.json")
    file = project.dist / f"public{older.assets['/static/a.css'].url}"
    file.write_bytes(file.read_bytes()[:-1])
    before = project.snapshot()
    with pytest.raises(PublishError, match=r"missing or cut short(.|\n)*Nothing was changed"):
        releases.rollback(project.dist)
    assert project.snapshot() == before
    assert releases.rollback(project.dist, four[1]).manifest.release == four[1]


def test_a_rollback_waits_for_a_build_that_publishes(project: Project, four: tuple[str, ...]) -> None:
    with locks.holding(project.dist / ".lock"), pytest.raises(PublishError, match="another build is publishing"):
        releases.rollback(project.dist, patience=0.2)
    with locks.holding(project.dist / ".lock"), pytest.raises(PublishError, match="another build is publishing"):
        releases.prune(project.dist, Keep(), patience=0.2)
    assert current(project).release == four[3]


def test_without_a_release_there_is_nothing_to_go_back_to_or_to_prune(project: Project) -> None:
    for act in (releases.rollback, releases.kept, lambda dist: releases.prune(dist, Keep())):
        with pytest.raises(ManifestError, match="Run `assetpipe build`"):
            act(project.dist)
    assert not project.dist.exists()


# What is private


def private(project: Project, *names: str) -> None:
    roots = {"/static/": "static", "/var/": Folders("var", private=True)}
    for name in names:
        file = project.folder / "static" / name
        write(project.folder / "var", {name: file.read_bytes()})
        file.unlink()
    project.configure(roots=roots)


def test_a_rollback_publishes_no_bytes_that_became_private_since(project: Project) -> None:
    """Under another path: only the digest tells."""
    project.write({"list.txt": "names", "a.css": "a{}"})
    project.publish()
    private(project, "list.txt")
    project.publish()
    before = project.snapshot()
    with pytest.raises(PublishError, match=r"would make public what is private now:\n    /static/list\.txt\n"):
        releases.rollback(project.dist)
    assert project.snapshot() == before


def test_a_path_that_became_private_stays_so_even_when_it_is_gone_by_now(project: Project) -> None:
    project.configure(roots={"/static/": "static"})
    write(project.folder / "static/var", {"list.txt": "names"})
    project.write({"a.css": "a{}"})
    project.publish()
    shutil.move(project.folder / "static/var", project.folder / "var")
    project.configure(roots={"/static/": "static", "/static/var/": Folders("var", private=True)})
    (project.folder / "var/list.txt").write_text("other names")
    project.publish()
    (project.folder / "var/list.txt").unlink()
    last = project.publish().manifest
    assert not last.private
    before = project.snapshot()
    with pytest.raises(PublishError, match=r"/static/var/list\.txt"):
        releases.rollback(project.dist, last.retained[1])
    assert project.snapshot() == before
    assert releases.rollback(project.dist, last.retained[0]).manifest.private, "from private to private is no matter"


def test_a_file_that_became_public_since_is_private_again(project: Project) -> None:
    project.write({"a.css": "a{}"})
    write(project.folder / "var", {"list.txt": "names"})
    project.configure(roots={"/static/": "static", "/var/": Folders("var", private=True)})
    project.publish()
    (project.folder / "var/list.txt").rename(project.folder / "static/list.txt")
    project.publish()
    assert releases.rollback(project.dist).manifest.private.keys() == {"/var/list.txt"}
    assert verify(project.dist).faults == ()


# Pruning


def test_pruning_deletes_what_is_kept_no_longer_and_nothing_of_somebody_else(
    project: Project, four: tuple[str, ...]
) -> None:
    theirs = write(project.dist, {"public/mine.txt": "1", "public/static/b.css": "2", "releases/notes.txt": "3"})
    before = project.snapshot()
    planned = releases.prune(theirs, Keep(releases=1), dry_run=True)
    assert project.snapshot() == before
    done = releases.prune(project.dist, Keep(releases=1))
    assert done == planned
    assert done.foreign == ("public/mine.txt", "public/static/b.css", "releases/notes.txt")
    assert done.releases == tuple(sorted(four[1:3]))
    gone = before.keys() - project.snapshot().keys()
    assert gone == {*done.files, *(f"releases/{name}.json" for name in done.releases)}
    assert done.bytes == sum(len(before[name]) for name in done.files)
    assert len(done.files) == 4
    assert verify(project.dist).faults == ()
    again = releases.prune(project.dist, Keep(releases=1))
    assert (again.releases, again.files, again.foreign) == ((), (), done.foreign)


def test_pruning_ends_what_a_killed_build_left(project: Project, four: tuple[str, ...]) -> None:
    before = project.snapshot()
    project.write({"a.css": "a{color:black}", "c.txt": "c" * 1000})
    built = project.build()
    arguments = (built.manifest, built.files, project.dist, Keep())
    assert ended_at(11, signal.SIGKILL, publish.publish, *arguments) == -signal.SIGKILL
    assert project.snapshot().keys() > before.keys()
    assert releases.prune(project.dist, Keep()).releases == (built.manifest.release,)
    assert project.snapshot() == before


# The commands


def test_the_commands_list_go_back_and_prune(project: Project, four: tuple[str, ...], assetpipe: Command) -> None:
    (project.folder / "assetpipe.toml").write_text('plain = ["robots.txt"]\n')
    listed = assetpipe("releases")
    rows = [line for line in listed.out.splitlines() if line[:1] in "* " and line]
    assert [row[:1] for row in rows] == ["*", " ", " "]
    assert [row.split()[-1 * (n < 2) :] and row[2:14] for n, row in enumerate(rows)] == [four[3], four[2], four[1]]
    assert "2 files" in rows[0]
    assert "2 changed" in rows[0]
    told = assetpipe("releases", "--json").json
    assert [one["release"] for one in told] == [four[3], four[2], four[1]]
    assert told[0]["current"] is True
    assert told[0]["changes"] == {"added": [], "changed": ["/static/a.css", "/static/robots.txt"], "removed": []}
    assert told[0]["since"] == told[1]["until"]
    answer = assetpipe("rollback")
    assert f"Release {four[2]} is the current one now." in answer.out
    assert f"assetpipe rollback {four[3]}" in answer.out
    assert "(rolled back from)" in assetpipe("releases").out
    assert assetpipe("rollback", four[1], "--json").json == {"release": four[1], "previous": four[2]}
    assert "already" in assetpipe("rollback", four[1]).out
    wrong = assetpipe("rollback", "zzz")
    assert wrong.code == 1
    assert all(name in wrong.err for name in four[1:])
    (project.folder / "assetpipe.toml").write_text('plain = ["robots.txt"]\nkeep.releases = 2\n')
    (project.dist / "public/mine.txt").write_text("mine")
    planned = assetpipe("prune", "--dry-run")
    assert "would be deleted" in planned.out
    assert "public/mine.txt" in planned.err
    assert assetpipe("releases", "--json").json[0]["release"] == four[1]
    assert len(assetpipe("releases", "--json").json) == 3
    pruned = assetpipe("prune", "--json").json
    assert (pruned["releases"], pruned["foreign"], pruned["dry_run"]) == ([four[3]], ["public/mine.txt"], False)
    assert "nothing to prune" in assetpipe("prune").out
    assert assetpipe("verify").code == 0


@pytest.mark.parametrize("command", ["releases", "rollback", "prune"])
def test_without_a_release_the_commands_say_which_one_makes_it(assetpipe: Command, command: str) -> None:
    answer = assetpipe(command, "--json")
    assert answer.code == 1
    assert "assetpipe build" in answer.json["error"]


# Anything in any order


class Shop:
    """A folder of releases, what was put there by somebody else, and five builds to publish."""

    def __init__(self, folder: Path, builds: list[Build]) -> None:
        self.dist = folder / "dist"
        self.builds = builds
        write(self.dist, {"public/static/theirs.txt": "theirs"})

    def act(self, step: tuple[str, int, int, int]) -> None:
        """One step, killed at one of its changes if that is not 0."""
        what, n, releases_kept, at = step
        keep = Keep(releases=releases_kept)
        built = self.builds[n]
        if what == "publish":
            ended = ended_at(at, signal.SIGKILL, publish.publish, built.manifest, built.files, self.dist, keep)
        elif not (self.dist / "manifest.json").exists():
            return
        elif what == "prune":
            ended = ended_at(at, signal.SIGKILL, releases.prune, self.dist, keep)
        else:
            kept = releases.kept(self.dist)
            wanted = kept[n % len(kept)].release
            ended = ended_at(at, signal.SIGKILL, releases.rollback, self.dist, wanted)
        self.check(whole=ended == 0)

    def check(self, *, whole: bool) -> None:
        assert (self.dist / "public/static/theirs.txt").read_text() == "theirs"
        if not (self.dist / "manifest.json").exists():
            assert not whole
            return
        faults = verify(self.dist).faults
        # After a kill, what only other servers read may lag behind.
        assert [fault for fault in faults if whole or fault.kind != "fault-copy"] == []
        if not whole:
            return
        now = manifest.load(self.dist / "manifest.json")
        kept = [manifest.load(self.dist / f"releases/{name}.json") for name in (now.release, *now.retained)]
        named = {"/manifest.json", "/.lock", "/public/static/theirs.txt", *manifest.plain_copies(now)}
        named |= {f"/releases/{name}.json" for name in (now.release, *now.retained)}
        named = named.union(*map(manifest.files, kept))
        assert {f"/{f.relative_to(self.dist)}" for f in self.dist.rglob("*") if f.is_file()} == named
        assert {asset.stored for asset in kept[0].assets.values()} == {asset.stored for asset in now.assets.values()}
        assert not (self.dist / ".new").exists()


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> list[Build]:
    """Plain files that change, come and go; private ones; folders that come and go; one release in two codings."""
    made = []
    for n in range(5):
        project = Project(tmp_path_factory.mktemp("state"))
        same = min(n, 3)
        css = f"a{{color:red}}b{{c:{same}}}" * 20
        project.write({f"dir{same % 2}/a.css": css, "same.txt": "x", **({} if n == 1 else {"sw.js": f"{same};" * 99})})
        write(project.folder / "secret", {f"{same % 2}.txt": f"{same}\n" * 40})
        roots = {"/static/": "static", "/secret/": Folders("secret", private=True)}
        project.configure(plain=("sw.js",), roots=roots)
        if n == 4:
            project.configure(compress=type(project.config.compress)(encodings=("gzip",)))
        made.append(project.build())
    return made


steps = st.tuples(
    st.sampled_from(["publish", "publish", "rollback", "rollback", "prune"]),
    st.integers(0, 4),
    st.integers(1, 4),
    st.one_of(st.just(0), st.integers(1, 40)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(steps, min_size=3, max_size=12))
def test_after_any_steps_each_killed_or_not_every_kept_release_has_all_of_its_files(
    builds: list[Build], tmp_path_factory: pytest.TempPathFactory, sequence: list[tuple[str, int, int, int]]
) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"), builds)
    for step in sequence:
        shop.act(step)
    shop.act(("publish", 0, 3, 0))
