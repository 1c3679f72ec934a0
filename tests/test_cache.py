"""The cache spares work, and never decides what is published."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from assetpipe.config import Compress, Images
from assetpipe.errors import AssetpipeError
from assetpipe.store import DamageError, Job, Store
from assetpipe.verify import verify
from tests import pictures
from tests.conftest import Command, Project

CSS = "a { color : red }\n" * 40
FILES: dict[str, str | bytes] = {
    "a.css": "@import 'b.css';" + CSS,
    "b.css": CSS + "b{c:url(p.png)}",
    "p.png": pictures.png(),
    "p.jpg": pictures.jpeg(),
    "x.js": "import './y.js'; /* note */ x = 1;" * 30,
    "y.js": "import './x.js'; y = 1;" * 30,
    "t.txt": "text " * 200,
    "large.txt": "".join(f"{n * n} " for n in range(40_000)),
}


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def blobs(project: Project) -> list[Path]:
    """The files that blobs lie in."""
    files = [file for file in (project.config.cache_folder / "blobs").rglob("*") if file.is_file()]
    return [*files, project.config.cache_folder / "small"]


def test_a_wiped_dist_is_published_again_without_any_work(project: Project, assetpipe: Command) -> None:
    project.write(FILES)
    assert assetpipe("build").code == 0
    before = project.snapshot()
    shutil.rmtree(project.dist)
    assert assetpipe("build", "--json").json["jobs"] == 0
    assert project.snapshot() == before


@pytest.mark.parametrize(
    ("change", "tools"),
    [
        ({"compress": Compress(("br", "gzip", "zstd"))}, {"zstd"}),
        ({"compress": Compress(("gzip",))}, set()),
        ({"images": Images(formats=("webp", "avif"))}, {"image"}),
        ({"minify": False}, {"draft", "br", "gzip"}),
        ({"plain": ("t.txt",)}, set()),
        ({"strict": True}, set()),
    ],
)
def test_another_option_does_only_its_own_work_again(
    project: Project, change: dict[str, object], tools: set[str]
) -> None:
    project.write(FILES)
    project.build()
    project.configure(**change)
    assert {work.tool for work in project.build().work} == tools


def test_another_width_or_format_leaves_the_other_renditions_alone(project: Project) -> None:
    project.write({"p.jpg": pictures.jpeg()})

    def renditions() -> dict[str, str]:
        asset = project.publish().manifest.assets["/static/p.jpg"]
        return {f"{one.type} {one.width}": one.sha256 for one in asset.renditions}

    project.configure(images=Images(formats=("webp",), widths=(100,)))
    first = renditions()
    assert first.keys() == {"image/webp 320", "image/webp 100"}
    # So that whatever is made once more is seen: it would not be this.
    shutil.copytree(project.config.cache_folder, project.folder / "before")
    project.configure(images=Images(formats=("avif", "webp"), widths=(50, 100, 9999)))
    second = renditions()
    assert first.items() <= second.items()
    assert second.keys() >= {"image/webp 50", "image/avif 320"}
    log = (project.config.cache_folder / "results").read_bytes()
    old = (project.folder / "before/results").read_bytes()
    assert log.startswith(old)
    webp = [line for line in log[len(old) :].splitlines() if rb"\"format\":\"webp\"" in line]
    assert len(webp) == 1


def test_touched_files_are_read_and_no_more(project: Project) -> None:
    project.write(FILES)
    first = project.build()
    for file in (project.folder / "static").iterdir():
        os.utime(file, (1, 1))
    second = project.build()
    assert (second.manifest, second.work) == (first.manifest, ())


def test_equal_bytes_are_compressed_once(project: Project) -> None:
    project.write({f"{n}.txt": "text " * 200 for n in range(5)})
    assert sorted(work.tool for work in project.build().work) == ["br", "gzip"]


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_bit_anywhere_changes_nothing_that_is_published(project: Project, seed: int) -> None:
    project.write(FILES)
    project.publish()
    before = project.snapshot()
    shutil.rmtree(project.dist)
    results = project.config.cache_folder / "results"
    for place in range(seed, results.stat().st_size, 97):
        flip(results, place)
    assert len(blobs(project)) > 1
    for blob in blobs(project):
        for place in range(seed, blob.stat().st_size, 501):
            flip(blob, place)
    project.publish()
    assert project.snapshot() == before
    assert verify(project.dist).faults == ()


def test_what_is_deleted_or_cut_off_is_made_again(project: Project) -> None:
    project.write(FILES)
    project.publish()
    before = project.snapshot()
    first, *others, small = blobs(project)
    first.unlink()
    for blob in (*others, small):
        os.truncate(blob, blob.stat().st_size // 2)
    results = project.config.cache_folder / "results"
    os.truncate(results, results.stat().st_size - 20)
    (project.config.cache_folder / "index").write_text('{"')
    shutil.rmtree(project.dist)
    project.publish()
    assert project.snapshot() == before
    shutil.rmtree(project.dist)
    assert project.build().work == ()


def test_two_builds_at_once_with_one_cache_come_to_the_same(project: Project) -> None:
    project.write(FILES | {f"{n}.css": f"{CSS} x{{y:{n}}}" for n in range(150)})
    command = [sys.executable, "-m", "assetpipe", "build", "--dist"]
    both = [subprocess.Popen([*command, name], cwd=project.folder, stdout=subprocess.PIPE) for name in ("one", "two")]
    for process in both:
        process.communicate(timeout=120)
        assert process.returncode == 0
    one, two = (
        {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (project.folder / "one", project.folder / "two")
    )
    assert one == two
    assert project.build().work == ()


def test_a_line_that_a_killed_build_left_half_written_is_none(tmp_path: Path) -> None:
    job = Job("tool", "1", ("option",), ("input",))
    store = Store(tmp_path)
    store.remember(job, ([(b"made", {"n": 1})], {}))
    store.flush()
    with (tmp_path / "results").open("ab") as log:
        log.write(b'["abc",20')
    again = Store(tmp_path)
    result = again.recall(job)
    assert result is not None
    assert again.blob(result.made[0]).read() == b"made"
    other = Job("tool", "2", (), ())
    again.remember(other, ([], {"said": "nothing"}))
    again.flush()
    assert Store(tmp_path).recall(other) is not None


def test_jobs_that_differ_in_anything_have_keys_of_their_own() -> None:
    jobs = [
        Job("a", "b", ("c",), ("d",)),
        Job("a", "b", (), ("c", "d")),
        Job("a", "b", ("c", "d"), ()),
        Job("ab", "", ("c",), ("d",)),
        Job("a", "b", ("c\0d",), ()),
        Job("a", "b", ("c", ""), ("d",)),
        Job("a", "b", ("c",), ("", "d")),
        Job("a", "b", ("c\0d", "e"), ()),
        Job("a", "b", ("c", "d\0e"), ()),
    ]
    assert len({job.key for job in jobs}) == len(jobs)


def aged(folder: Path, days: int) -> None:
    """Make all results of the cache ``days`` older."""
    results = folder / "results"
    lines = [json.loads(line) for line in results.read_bytes().split(b"\n") if line]
    for line in lines:
        line[1] -= days
    results.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_what_was_not_of_use_for_longest_goes_first(tmp_path: Path) -> None:
    jobs = [Job("tool", str(n), (), ()) for n in range(4)]
    for n, job in enumerate(jobs):
        store = Store(tmp_path)
        store.remember(job, ([(bytes([n]) * 1000, {})], {}))
        store.flush()
        aged(tmp_path, 1)
    store = Store(tmp_path)
    assert store.recall(jobs[0]) is not None
    store.flush()
    gone = Store(tmp_path).evict(2000)
    assert (gone.results, gone.blobs, gone.bytes, gone.left) == (2, 2, 2000, 2000)
    left = Store(tmp_path)
    assert [left.recall(job) is not None for job in jobs] == [True, False, False, True]
    kept = left.recall(jobs[3])
    assert kept is not None
    assert left.blob(kept.made[0]).read() == b"\x03" * 1000


def test_that_a_result_was_of_use_need_not_be_written_down(tmp_path: Path) -> None:
    """A cache that nobody may write to spares work all the same, on the day after, too."""
    job = Job("tool", "1", (), ())
    store = Store(tmp_path)
    store.remember(job, ([(b"made", {})], {}))
    store.flush()
    aged(tmp_path, 1)
    store = Store(tmp_path)
    (tmp_path / "results").unlink()
    (tmp_path / "results").mkdir()  # which root may not write to either
    assert store.recall(job) is not None
    store.flush()
    store.remember(Job("tool", "2", (), ()), ([(b"made", {})], {}))
    with pytest.raises(AssetpipeError, match="the cache cannot be written"):
        store.flush()


def test_a_blob_that_another_result_names_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = Job("tool", "1", (), ()), Job("tool", "2", (), ())
    store.remember(old, ([(b"x" * 1000, {}), (b"y" * 1000, {})], {}))
    store.flush()
    aged(tmp_path, 2)
    store = Store(tmp_path)
    store.remember(new, ([(b"x" * 1000, {})], {}))
    store.evict(1000)
    left = Store(tmp_path)
    assert left.recall(old) is None
    result = left.recall(new)
    assert result is not None
    assert left.blob(result.made[0]).read() == b"x" * 1000


def test_a_build_keeps_its_cache_within_the_limit_and_publishes_all_the_same(
    project: Project, assetpipe: Command
) -> None:
    (project.folder / "assetpipe.toml").write_text("cache_mb = 1\n")
    for n in range(4):
        project.write({f"{n}.txt": os.urandom(300_000).hex()})
        assert assetpipe("build").code == 0
        assert verify(project.dist).faults == ()
    assert sum(blob.stat().st_size for blob in blobs(project)) <= 1_000_000


def test_clean_empties_the_cache_and_says_so(project: Project, assetpipe: Command) -> None:
    project.write(FILES)
    assetpipe("build")
    assert assetpipe("clean").code == 2
    assert " stay in " in assetpipe("clean", "--cache").out
    assert sum(blob.stat().st_size for blob in blobs(project)) > 0
    told = assetpipe("clean", "--cache", "--to", "0", "--json").json
    assert (told["blobs"] > 0, told["left"]) == (True, 0)
    assert sum(blob.stat().st_size for blob in blobs(project)) == 0
    assert assetpipe("build", "--json").json["jobs"] > 0
    assert verify(project.dist).faults == ()


def test_small_blobs_that_are_nobodys_are_left_behind_when_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assetpipe.store._WASTE", 10_000)
    store = Store(tmp_path)
    for n in range(50):
        store.put(bytes([n]) * 1000)
    job = Job("tool", "1", (), ())
    store.remember(job, ([(b"made" * 10, {})], {}))
    store.close(10**9)
    assert (tmp_path / "small").stat().st_size == 40
    again = Store(tmp_path)
    for one in (store, again):
        result = one.recall(job)
        assert result is not None
        assert one.blob(result.made[0]).read() == b"made" * 10


def test_small_blobs_are_written_anew_one_by_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for n in range(200):
        store.remember(Job("tool", str(n), (), ()), ([(os.urandom(60_000), {})], {}))
    tracemalloc.start()
    try:
        assert store.evict(10_000_000).results > 0
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [4, 100_000])
def test_a_cache_that_is_deleted_meanwhile_is_made_again(tmp_path: Path, size: int) -> None:
    store = Store(tmp_path / "cache")
    store.remember(Job("tool", "1", (), ()), ([(b"a" * size, {})], {}))
    store.flush()
    shutil.rmtree(tmp_path / "cache")
    result = store.remember(Job("tool", "2", (), ()), ([(b"b" * size, {})], {}))
    store.flush()
    assert store.blob(result.made[0]).read() == b"b" * size
    assert Store(tmp_path / "cache").recall(Job("tool", "2", (), ())) == result


def test_a_damaged_blob_is_told_apart_from_a_changed_source(tmp_path: Path) -> None:
    blob = Store(tmp_path).put(b"bytes")
    flip(Path(blob.file), blob.at)
    with pytest.raises(DamageError, match="in the cache changed"):
        blob.read()
