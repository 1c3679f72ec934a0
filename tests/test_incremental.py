"""A builder that goes on from what it built before comes to what a build from nothing comes to."""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from assetpipe import publish, sources
from assetpipe.build import Build, Builder, build
from assetpipe.config import Command, Compress, Folders, Images
from assetpipe.errors import SourceError
from assetpipe.store import Blob
from tests import pictures
from tests.conftest import Project

NAMES = ["a.css", "b.css", "sub/c.css", "a.js", "b.js", "sub/c.js", "sub/d.js", "p.html", "q.html", "sw.js"]
OTHERS = ["p.png", "sub/p.png", "a.js.map", "sub/data.json", "s.svg", "x.tpl", "kept-12345678.css", "readme.txt"]


def text(name: str, chance: random.Random) -> str:
    """A text of its kind that refers to some of the others, or to nothing."""

    def other() -> str:
        target = chance.choice([*NAMES, *OTHERS, "none.png", "x.css"])
        return os.path.relpath(target, os.path.dirname(name) or ".")

    def module() -> str:
        path = other()
        return path if path.startswith(".") else f"./{path}"

    count = chance.randrange(4)
    salt = chance.randrange(3)
    suffix = name.rpartition(".")[2]
    if suffix == "css":
        return (
            "".join(f"a{{b:url({other()})}} " for _ in range(count))
            + f"@import '{other()}'; /* {salt} */ i{{j:{salt}}}"
        )
    if suffix == "js":
        lines = [f"import '{module()}';" for _ in range(count)]
        tail = chance.choice(["", "\n//# sourceMappingURL=a.js.map", "\nimport 'bare'"])
        return "\n".join(lines) + f"\n/* {salt} */ x = {salt}{tail}"
    if suffix == "html":
        digest = chance.choice(["", " integrity=x"])
        return f"<a href='{other()}'>{salt}</a><script src='{other()}'{digest}></script><img src='{other()}'>"
    if suffix == "svg":
        return f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{other()}'/></svg>"
    if suffix == "tpl":
        return f"b{{c:url({other()})}}"
    return f"{salt} " * 40


def data(name: str, chance: random.Random) -> bytes:
    if name.endswith(".png"):
        return pictures.png(8, 8 + chance.randrange(3)) if chance.random() < 0.7 else b"broken"
    return text(name, chance).encode()


def change(static: Path, chance: random.Random) -> set[str]:
    """Change something below ``static``; the files that a watcher would speak of."""
    file = static / chance.choice(NAMES + OTHERS)
    what = chance.randrange(10)
    if what < 6 or not file.exists():
        if file.parent.is_file():
            file.parent.unlink()
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(data(str(file.relative_to(static)), chance))
    elif what < 8:
        file.unlink()
    elif what == 8:
        target = static / chance.choice(NAMES + OTHERS)
        if target.parent.is_dir():
            os.replace(file, target)
            return {str(file), str(target)}
    elif (folder := static / "sub").is_dir():
        shutil.rmtree(folder)
        return {str(folder)}
    return {str(file)}


def told(built: Build) -> tuple[object, ...]:
    files = {path: (blob.digest, blob.size, blob.read()) for path, blob in built.files.items()}
    return built.manifest.dump(), files, built.problems


@pytest.mark.parametrize("seed", range(12))
def test_after_any_changes_it_comes_to_what_a_fresh_build_comes_to(project: Project, seed: int) -> None:
    chance = random.Random(seed)
    tool = project.folder / "tool.py"
    tool.write_text("import sys; data = sys.stdin.read(); sys.exit('fails') if 'fail' in data else print(data)")
    project.configure(
        plain=("sw.js", *(("a.js",) if seed % 2 else ())),
        tagged=("kept-*",),
        imports={"bare": "/static/b.js", "sub/": "/static/sub/"} if seed % 3 == 0 else {},
        images=Images(formats=("webp",), widths=(4,)),
        compress=Compress(("gzip",)),
        command=(Command(match="*.tpl", run=(sys.executable, str(tool)), suffix=".css"),) if seed % 4 == 0 else (),
        roots={"/static/": ("static", "more"), "/private/": Folders("hidden", private=True)} if seed % 5 == 0 else {},
    )
    for folder in ("more", "hidden"):
        (project.folder / folder).mkdir()
    static = project.folder / "static"
    other = replace(project.config, cache="other-cache")
    with Builder(project.config) as builder:
        builder.run()
        for step in range(40):
            hints: set[str] = set()
            for _ in range(chance.choice([1, 1, 1, 3, 8])):
                hints |= change(static if seed % 5 or chance.random() < 0.8 else project.folder / "more", chance)
            built = builder.run(hints if chance.random() < 0.8 else None)
            fresh = build(other)
            assert built.problems == fresh.problems, f"step {step}"
            assert built.manifest == fresh.manifest, f"step {step}"
            assert told(built) == told(fresh), f"step {step}"


def test_assets_that_stay_are_the_same_objects(project: Project) -> None:
    project.write({"a.css": "@import 'b.css';", "b.css": "i{}", "c.css": "j{}", "p.txt": "p"})
    with Builder(project.config) as builder:
        first = builder.run()
        project.write({"b.css": "i{k:1}"})
        second = builder.run({str(project.folder / "static" / "b.css")})
    same = {path for path, asset in first.manifest.assets.items() if second.manifest.assets[path] is asset}
    assert same == {"/static/c.css", "/static/p.txt"}
    assert second.reasons == {
        "/static/b.css": "its bytes changed",
        "/static/a.css": "it refers to /static/b.css, which changed",
    }


def test_equal_output_stops_the_cascade(project: Project) -> None:
    project.write({"a.css": "@import 'b.css';" + "x{y:z}" * 20, "b.css": "i{}" * 40})
    with Builder(project.config) as builder:
        first = builder.run()
        project.write({"b.css": "/* only a comment */" + "i{}" * 40})
        second = builder.run()
    assert [work.tool for work in second.work] == ["draft"]
    assert second.manifest == first.manifest


def test_only_the_folders_of_hints_are_looked_at_and_everything_without(project: Project) -> None:
    project.write({"a/one.txt": "1", "b/two.txt": "2"})
    static = project.folder / "static"
    walk = sources.find(project.config)
    project.write({"a/one.txt": "11", "b/two.txt": "22", "b/three.txt": "3", "new/four.txt": "4"})
    hinted = sources.find(project.config, walk, {str(static / "a/one.txt")})
    assert {path: source.size for path, source in hinted.sources.items()} == {
        "/static/a/one.txt": 2,
        "/static/b/two.txt": 1,
    }
    assert sources.find(project.config, walk, set()).sources == walk.sources
    whole = sources.find(project.config, hinted)
    assert {path: source.size for path, source in whole.sources.items()} == {
        "/static/a/one.txt": 2,
        "/static/b/three.txt": 1,
        "/static/b/two.txt": 2,
        "/static/new/four.txt": 1,
    }


def test_a_file_that_changed_just_now_is_read_again_though_stat_says_nothing(project: Project) -> None:
    """Its mtime may stay the same for a few milliseconds ("racily clean")."""
    project.write({"a.txt": "one"})
    file = project.folder / "static" / "a.txt"
    with Builder(project.config) as builder:
        builder.run()
        stamp = os.stat(file).st_mtime_ns
        file.write_text("two")
        os.utime(file, ns=(stamp, stamp))
        assert (
            builder.run().files[builder.run().manifest.assets["/static/a.txt"].url.replace("/", "/public/", 1)].read()
            == b"two"
        )


def test_a_source_that_changes_during_the_build_is_a_problem_and_the_next_build_has_it(project: Project) -> None:
    project.write({"a.css": "x{y:z}" * 20, "b.css": "@import 'a.css';"})
    file = project.folder / "static" / "b.css"

    class Meddler:
        def begin(self, stage: str, total: int) -> None:
            if stage == "converting images":
                file.write_text("@import 'a.css';/*!*/")

        def step(self) -> None:
            pass

    project.configure(minify=False)
    with Builder(project.config, Meddler()) as builder:
        built = builder.run()
        assert [(problem.kind, problem.file) for problem in built.problems] == [("changed", "static/b.css")]
        assert built.failed
        assert not builder.run().failed


def settled(project: Project) -> None:
    """Make the sources old enough for ``stat`` to tell every change."""
    for file in (project.folder / "static").iterdir():
        os.utime(file, (1_600_000_000.5, 1_600_000_000.5))


def test_what_could_not_be_read_for_a_while_is_there_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in ``stat`` says so: an attempt that failed is no reason to leave a file out for ever."""
    project.write({"a.txt": "text " * 100, "b.txt": "other " * 100, "c.css": "x{y:z}" * 30})
    settled(project)
    read, read_blob = sources.read, Blob.read

    def unreadable(source: sources.Source) -> bytes:
        if source.path == "/static/a.txt":
            raise sources.unreadable(source.shown, PermissionError(13, "Permission denied"))
        return read(source)

    def vanished(blob: Blob) -> bytes:
        if blob.shown:
            raise sources.unreadable(blob.shown, FileNotFoundError())
        return read_blob(blob)

    with Builder(project.config) as builder:
        monkeypatch.setattr(sources, "read", unreadable)
        assert builder.run().failed
        monkeypatch.setattr(sources, "read", read)
        monkeypatch.setattr(Blob, "read", vanished)
        assert builder.run(set()).failed
        monkeypatch.setattr(Blob, "read", read_blob)
        built = builder.run(set())
    assert told(built) == told(build(replace(project.config, cache="other")))


def test_other_bytes_of_the_same_size_and_time_are_found_out_by_the_next_build(project: Project) -> None:
    project.write({"a.txt": "one"})
    settled(project)
    project.publish()
    file = project.folder / "static" / "a.txt"
    with file.open("r+") as out:
        out.write("two")
    settled(project)
    shutil.rmtree(project.dist)
    with pytest.raises(SourceError, match="Run the build again"):
        project.publish()
    project.publish()
    assert project.public("/static/a.txt") == b"two"
    with Builder(project.config) as builder:
        publisher = publish.Publisher(project.dist, project.config.keep)
        assert builder.release(publisher.publish)[1] is not None
