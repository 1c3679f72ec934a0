"""Whole builds: what the sources become, and what bad ones do."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from assetpipe import build as building
from assetpipe import publish, sources
from assetpipe.config import Command, Compress, Images, Keep
from assetpipe.errors import AssetpipeError, ConfigError, Severity
from assetpipe.paths import Digest
from assetpipe.verify import verify
from assetpipe.workers import Workers
from tests import pictures
from tests.conftest import Project

CSS = "a { color : red }\n" * 30


def kinds(built: building.Build) -> list[tuple[str, str, Severity]]:
    return [(problem.kind, problem.file, problem.severity) for problem in built.problems]


def test_a_build_is_a_value_and_publishes_nothing(project: Project) -> None:
    project.write({"a.css": CSS})
    built = project.build()
    assert not project.dist.exists()
    assert not built.failed
    asset = built.manifest.assets["/static/a.css"]
    assert asset.type == "text/css; charset=utf-8"
    assert set(asset.encodings) == {"br", "gzip"}
    file = f"/public{asset.url}"
    assert set(built.files) == {file, f"{file}.br", f"{file}.gz"}
    assert built.files[file].read() == b"a{color : red}" * 30


def test_images_get_a_negotiated_rendition_that_their_name_covers(project: Project) -> None:
    project.write({"p.jpg": pictures.jpeg(), "a.css": "a{b:url(p.jpg)}"})
    asset = project.build().manifest.assets["/static/p.jpg"]
    (rendition,) = asset.renditions
    assert (asset.width, asset.height, rendition.width, rendition.height) == (320, 200, 320, 200)
    assert rendition.negotiated
    assert rendition.url == f"/static/p.{rendition.sha256[:12]}.webp"
    assert asset.url != f"/static/p.{asset.sha256[:12]}.jpg"
    project.configure(images=Images(formats=()))
    bare = project.build().manifest.assets["/static/p.jpg"]
    assert bare.url == f"/static/p.{asset.sha256[:12]}.jpg"
    assert bare.renditions == ()


def test_widths_are_renditions_that_are_not_negotiated(project: Project) -> None:
    project.write({"p.jpg": pictures.jpeg()})
    project.configure(images=Images(widths=(100, 5000)))
    renditions = project.build().manifest.assets["/static/p.jpg"].renditions
    assert [(r.width, r.negotiated) for r in renditions] == [(320, True), (100, False)]


def test_a_plain_file_keeps_its_url_and_a_tagged_one_is_immutable(project: Project) -> None:
    project.write({"sw.js": "import './a.js'", "a.js": "1", "x-12345678.js": "import './a.js'"})
    project.configure(plain=("sw.js",), tagged=("x-*.js",))
    assets = project.publish().manifest.assets
    sw, kept = assets["/static/sw.js"], assets["/static/x-12345678.js"]
    assert (sw.url, sw.immutable) == ("/static/sw.js", False)
    assert (kept.url, kept.immutable) == ("/static/x-12345678.js", True)
    name = assets["/static/a.js"].url.rpartition("/")[2]
    assert (project.dist / "public/static/sw.js").read_text() == f"import'./{name}'"
    assert (project.dist / "public/static/x-12345678.js").read_text() == "import './a.js'"


def test_the_manifest_tells_what_a_module_or_a_sheet_needs_before_it_can_run(project: Project) -> None:
    project.configure(
        imports={"lit": "/static/z.js", "v/": "/static/v/"}, command=(Command("*.ts", "cat"),), plain=("sw.js",)
    )
    module = "import './t.ts'; import 'lit'; export * from './a.js'; import 'v/v.js'; import './a.js?again'"
    project.write(
        {
            "m.js": module
            + "; import('./later.js'); new URL('p.png', import.meta.url); import './gone.js'; import 'x'",
            "t.ts": "",
            "z.js": "import './m.js'",
            "a.js": "import './a.js'",
            "v/v.js": "",
            "later.js": "",
            "p.png": b"p",
            "sw.js": "import './z.js'",
            "a.css": "@import url(sub/b.css) screen; @import '/static/sub/b.css'; @import 'c.css'; d{e:url(p.png)}",
            "sub/b.css": "",
            "c.css": "",
            "page.html": "<style>@import 'c.css';</style><script type=module>import './a.js'</script>",
        }
    )
    assets = project.build().manifest.assets
    told = {path.removeprefix("/static/"): asset.imports for path, asset in assets.items() if asset.imports}
    assert told == {
        "m.js": ("/static/t.js", "/static/z.js", "/static/a.js", "/static/v/v.js"),
        "z.js": ("/static/m.js",),
        "a.js": ("/static/a.js",),
        "sw.js": ("/static/z.js",),
        "a.css": ("/static/sub/b.css", "/static/c.css"),
    }


def test_minified_files_and_files_with_a_source_map_are_left_alone(project: Project) -> None:
    mapped = "a  =  1\n//# sourceMappingURL=b.js.map"
    project.write({"a.min.css": CSS, "b.js": mapped, "b.js.map": "{}", "c.js": mapped.replace("b.js", "gone")})
    built = project.publish()
    assert project.public("/static/a.min.css").decode() == CSS
    assert project.public("/static/b.js").startswith(b"a  =  1\n")
    assert project.public("/static/c.js").startswith(b"a=1\n")
    assert built.manifest.assets["/static/b.js"].refs == ("/static/b.js.map",)


@pytest.mark.parametrize("name", ["a.js", "a.css"])
def test_text_of_another_encoding_is_published_as_it_is(project: Project, name: str) -> None:
    text = 'var s = "\u2020";  var t = 1;\n'.encode("utf-16")
    project.write({name: text})
    built = project.publish()
    assert project.public(f"/static/{name}") == text
    assert [kind for kind, _, _ in kinds(project.build())] == ["not-utf8"]
    assert built.manifest.assets[f"/static/{name}"].size == len(text)


def test_a_file_that_another_bundler_named_keeps_its_bytes_whatever_it_refers_to(project: Project) -> None:
    css = "a { background: url(../logo.svg) }"
    project.configure(tagged=("assets/*-????????.*",))
    for logo in ("<svg/>", "<svg></svg>"):
        project.write({"assets/i-abcd1234.css": css, "logo.svg": logo})
        project.publish()
        assert project.public("/static/assets/i-abcd1234.css").decode() == css


def test_how_formats_and_widths_are_listed_changes_no_name(project: Project) -> None:
    project.write({"p.jpg": pictures.jpeg()})
    project.configure(images=Images(formats=("webp", "avif"), widths=(100, 200)))
    first = project.build().manifest
    project.configure(images=Images(formats=("avif", "webp", "avif"), widths=(200, 100, 200)))
    assert project.build().manifest == first


def test_two_outputs_at_the_name_of_a_plain_copy_are_an_error(project: Project) -> None:
    project.configure(plain=("s.js",), tagged=("s.js.gz",))
    project.write({"s.js": "let a=1;" * 40, "s.js.gz": "mine"})
    assert [kind for kind, _, _ in kinds(project.build())] == ["two-outputs"]


def test_a_tagged_file_with_a_name_of_255_bytes_is_published(project: Project) -> None:
    name = "x" * 251 + ".css"
    project.configure(tagged=("*.css",))
    project.write({name: CSS})
    project.publish()
    assert verify(project.dist).faults == ()


def test_nothing_to_build_is_said(project: Project) -> None:
    assert kinds(project.build()) == [("empty", "", Severity.NOTE)]


def test_minifying_can_be_switched_off(project: Project) -> None:
    project.write({"a.css": CSS})
    project.configure(minify=False)
    project.publish()
    assert project.public("/static/a.css").decode() == CSS


def test_a_second_build_does_no_work_and_another_option_only_its_own(project: Project) -> None:
    project.write({"a.css": CSS, "p.jpg": pictures.jpeg()})
    assert sorted(work.tool for work in project.build().work) == ["br", "draft", "gzip", "image"]
    assert project.build().work == ()
    project.configure(compress=Compress(encodings=("br", "gzip", "zstd")))
    assert [work.tool for work in project.build().work] == ["zstd"]
    project.write({"a.css": CSS + "b{}"})
    assert sorted(work.tool for work in project.build().work) == ["br", "draft", "gzip", "zstd"]


def test_a_damaged_or_deleted_cache_is_made_again(project: Project) -> None:
    project.write({"a.css": CSS, "p.jpg": pictures.jpeg()})
    first = project.build().manifest
    for blob in (project.config.cache_folder / "blobs").rglob("*"):
        if blob.is_file():
            blob.write_bytes(b"X" * blob.stat().st_size)
    assert project.build().manifest == first
    project.publish()
    assert verify(project.dist).faults == ()
    shutil.rmtree(project.config.cache_folder)
    assert project.build().manifest == first


def test_two_checkouts_give_the_same_dist(project: Project, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.css": "@import 'b.css';" + CSS,
        "b.css": "@import 'a.css';",
        "p.jpg": pictures.jpeg(),
        "sw.js": "importScripts('m.js')",
        "m.js": "import './n.js'; import 'm'; new URL('p.jpg', import.meta.url)",
        "n.js": "export * from './m.js'",
        "page.html": "<base href='/static/'><img srcset='p.jpg 1x, s.svg 2x'><style>a{--x:url(p.jpg)}</style>",
        "s.svg": "<svg xmlns='http://www.w3.org/2000/svg'><image href='p.jpg'/><a href='page.html'/></svg>",
    }
    other = Project(tmp_path / "elsewhere" / "deep")
    for one, names in ((project, sorted(files)), (other, sorted(files, reverse=True))):
        one.configure(plain=("sw.js",), imports={"m": "/static/m.js"})
        for name in names:
            one.write({name: files[name]})
        one.publish()
    os.utime(other.folder / "static" / "a.css", (1, 1))
    shutil.rmtree(other.config.cache_folder)
    with Workers(1) as workers:
        built = building.build(other.config, workers=workers)
    assert built.problems == ()
    publish.publish(built.manifest, built.files, other.dist, other.config.keep)
    assert project.snapshot() == other.snapshot()


def test_touching_a_file_changes_nothing_and_changing_it_does(project: Project) -> None:
    project.write({"a.txt": "one"})
    file = project.folder / "static" / "a.txt"
    os.utime(file, (1_000_000_000, 1_000_000_000))
    first = project.build().manifest
    os.utime(file, (1_100_000_000, 1_100_000_000))
    assert project.build().manifest == first
    file.write_text("two")
    os.utime(file, (1_100_000_000, 1_100_000_001))
    assert project.build().manifest.assets["/static/a.txt"].sha256 == Digest.of(b"two")


def test_a_change_of_equal_size_within_the_clock_s_grain_is_noticed(project: Project) -> None:
    file = project.folder / "static" / "a.txt"
    project.write({"a.txt": "one"})
    stamp = file.stat().st_mtime_ns
    project.build()
    file.write_text("two")
    os.utime(file, ns=(stamp, stamp))
    assert project.build().manifest.assets["/static/a.txt"].sha256 == Digest.of(b"two")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.css": b""}, []),
        ({"a.js": b"", "b.txt": b""}, []),
        ({"a.css": "@import 'a.css';"}, []),
        ({"a.css": "@import 'b.css';", "b.css": "@import 'c.css';", "c.css": "@import 'a.css';"}, []),
        ({"a.js": "import './a.js'"}, []),
        ({"a.css": b"a{content:'\xff'}"}, [("not-utf8", "static/a.css", Severity.WARNING)]),
        ({"a.png": b""}, [("broken-image", "static/a.png", Severity.WARNING)]),
        ({"a.jpg": pictures.jpeg()[:999]}, [("broken-image", "static/a.jpg", Severity.WARNING)]),
        ({"a.png": b"GIF89a"}, [("misnamed-image", "static/a.png", Severity.WARNING)]),
        ({"a.css": "a{b:url(x.png)}"}, [("missing-css", "static/a.css", Severity.WARNING)]),
        ({"a.js": "import './x.js'"}, [("missing-js", "static/a.js", Severity.WARNING)]),
        ({"a.js": "//# sourceMappingURL=x.map"}, [("missing-map", "static/a.js", Severity.WARNING)]),
        ({"a.webmanifest": '{"icons": [],}'}, [("broken", "static/a.webmanifest", Severity.WARNING)]),
        ({"a.html": "<img src=\"{{ url_for('x') }}\">"}, [("missing-html", "static/a.html", Severity.WARNING)]),
        ({"A.css": "", "a.css": ""}, [("case-clash", "static/a.css", Severity.WARNING)]),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_bad_sources_work_or_are_clear_problems(
    project: Project, files: dict[str, bytes | str], expected: list[Any]
) -> None:
    project.write(files)
    built = project.build()
    assert kinds(built) == expected
    assert len(built.manifest.assets) == len(files)
    for problem in built.problems:
        assert problem.hint
    project.publish()
    assert verify(project.dist).faults == ()


NAMES = [
    "a b.css",
    "a#b.css",
    "a?b.css",
    "100%.css",
    "%41.css",
    "süß 猫 👍.css",
    "it's (1) [x] {y}.css",
    'say "hi".css',
    "a\\b.css",
    "a&b<c>.css",
    "new\nline.css",
    "x" * 251 + ".css",
    "猫" * 83 + ".css",
    "k." + "c" * 253,
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_can_be_built_referred_to_and_published(project: Project, name: str) -> None:
    from urllib.parse import quote

    project.write({name: CSS, "top.css": f"@import '{quote(name)}';", "m.js": f"//# sourceMappingURL={quote(name)}"})
    manifest = project.publish().manifest
    assert verify(project.dist).faults == ()
    asset = manifest.assets[f"/static/{name}"]
    assert manifest.assets["/static/top.css"].refs == (f"/static/{name}",)
    assert project.public("/static/top.css").decode() == f"@import '{quote(asset.url[8:], safe='~!$*+,;=:@')}';"
    assert len(os.fsencode(asset.url.rpartition("/")[2])) <= 251


def test_a_plain_file_with_a_name_of_255_bytes_is_published(project: Project) -> None:
    name = "x" * 251 + ".css"
    project.write({name: CSS})
    project.configure(plain=(name,))
    project.publish()
    assert verify(project.dist).faults == ()
    assert (project.dist / "public" / "static" / name).is_file()


def test_a_file_that_vanishes_during_the_build_is_an_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write({"a.css": CSS, "b.txt": "b"})
    found = sources.find(project.config)
    (project.folder / "static" / "a.css").unlink()
    (project.folder / "static" / "b.txt").unlink()
    monkeypatch.setattr(sources, "find", lambda *_: found)
    built = project.build()
    assert kinds(built) == [
        ("unreadable", "static/a.css", Severity.ERROR),
        ("unreadable", "static/b.txt", Severity.ERROR),
    ]
    assert "vanished during the build" in built.problems[0].text


def test_a_file_that_changes_between_build_and_publish_ends_the_publishing(project: Project) -> None:
    project.write({"a.txt": "one"})
    first = project.publish().manifest
    before = project.snapshot()
    project.write({"a.txt": "two"})
    built = project.build()
    project.write({"a.txt": "six"})
    with pytest.raises(AssetpipeError, match="changed during the build"):
        publish.publish(built.manifest, built.files, project.dist, Keep())
    after = project.snapshot()
    assert {path: after[path] for path in before} == before
    assert publish.current(project.dist) == first


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Give up root's right to read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that any user may work in."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "static").mkdir()
        for path in (folder, folder / "static"):
            path.chmod(0o777)
        yield Project(folder)


def test_an_unreadable_file_and_folder_are_errors(open_project: Project) -> None:
    open_project.write({"a.css": CSS, "p.jpg": pictures.jpeg(), "d/x.txt": ""})
    with nobody():
        open_project.publish()
    before = open_project.snapshot()
    open_project.write({"b.css": CSS, "c.bin": "c"})
    for name in ("b.css", "c.bin", "d"):
        (open_project.folder / "static" / name).chmod(0)
    with nobody():
        built = open_project.build()
    (open_project.folder / "static" / "d").chmod(0o755)
    assert kinds(built) == [
        ("unreadable", "static/b.css", Severity.ERROR),
        ("unreadable", "static/c.bin", Severity.ERROR),
        ("unreadable", "static/d", Severity.ERROR),
    ]
    assert "Permission denied" in built.problems[0].text
    assert open_project.snapshot() == before


def test_a_read_only_dist_publishes_nothing_and_says_what_to_do(open_project: Project) -> None:
    open_project.write({"a.css": CSS})
    with nobody():
        open_project.publish()
    before = open_project.snapshot()
    open_project.write({"a.css": CSS + "b{}"})
    folders = [open_project.dist, *(p for p in open_project.dist.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    with nobody():
        built = open_project.build()
        with pytest.raises(AssetpipeError, match=r"Permission denied: nothing was published.*writable"):
            publish.publish(built.manifest, built.files, open_project.dist, Keep())
    for folder in folders:
        folder.chmod(0o755)
    assert open_project.snapshot() == before


def test_a_cache_that_cannot_be_written_says_so(project: Project) -> None:
    project.write({"a.css": CSS})
    project.config.cache_folder.write_text("a file in the way")
    with pytest.raises(AssetpipeError, match="the cache cannot be written"):
        project.build()


def test_strict_makes_every_warning_an_error_and_no_note(project: Project) -> None:
    (project.folder / "more").mkdir()
    (project.folder / "more" / "a.css").write_text("x{}")
    project.write({"a.css": "a{b:url(x.png)}"})
    project.configure(strict=True, roots={"/static/": ("static", "more")})
    built = project.build()
    assert built.failed
    assert sorted(p.severity for p in built.problems) == [Severity.ERROR, Severity.NOTE]


def test_two_plain_copies_at_one_path_are_an_error(project: Project) -> None:
    """Another server would send the one as an encoding of the other."""
    project.configure(plain=("a.*",))
    project.write({"a.txt": "text " * 100, "a.txt.br": "no encoding"})
    assert [kind for kind, _, _ in kinds(project.build())] == ["two-outputs"]


def test_two_outputs_at_one_path_are_an_error(project: Project) -> None:
    project.write({"a.txt": "a"})
    (tagged,) = (asset.url for asset in project.build().manifest.assets.values())
    project.write({tagged.rpartition("/")[2]: "somebody else's"})
    project.configure(tagged=("a.*.txt",))
    built = project.build()
    assert [kind for kind, _, _ in kinds(built)] == ["two-outputs"]
    assert built.failed


def test_zstd_without_a_codec_names_the_extra(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "backports", None)
    monkeypatch.setitem(sys.modules, "compression", None)
    project.configure(compress=replace(project.config.compress, encodings=("zstd",)))
    with pytest.raises(ConfigError, match=r'pip install "assetpipe\[zstd\]"'):
        project.build()


def test_ten_thousand_files_build(project: Project) -> None:
    project.write({f"d{i % 100}/f{i}.txt": str(i) for i in range(10_000)})
    assert len(project.build().manifest.assets) == 10_000
