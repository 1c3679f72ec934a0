"""``assetpipe report``: what a release weighs, what could weigh less, what changed, where the time went."""

from __future__ import annotations

import html.parser
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from assetpipe import AssetPipe
from assetpipe.build import Work
from assetpipe.config import Compress, Folders
from assetpipe.errors import ConfigError, ManifestError
from assetpipe.manifest import Asset, Encoding, Manifest, Rendition
from assetpipe.media import TYPES
from assetpipe.paths import LogicalPath
from assetpipe.report import facts, history, page, pictures, tables
from assetpipe.report.facts import Entry, Report
from assetpipe.report.history import Done, LastBuild
from tests import browser
from tests.browser import Browser
from tests.conftest import Command, Project
from tests.pictures import jpeg, png

CSS = "a{color:red}" * 300
SOURCES: dict[str, bytes | str] = {
    "css/app.css": CSS,
    "js/app.js": "export const a = 'b';\n" * 90,
    "img/photo.jpg": jpeg(),
    "img/drawing.png": png(),
    "notes.txt": "short",
}


def reported(project: Project, since: str = "") -> Report:
    return facts.gather(facts.read(project.dist, project.config.cache_folder, since))


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def entry(report: Report, path: str) -> Entry:
    return next(one for one in report.assets if one.path == path)


# What is downloaded


@pytest.mark.parametrize(
    ("way", "headers"),
    [
        ("", {}),
        ("gzip", {"Accept-Encoding": "gzip"}),
        ("br", {"Accept-Encoding": "br"}),
        ("webp", {"Accept": "image/webp,*/*"}),
        ("sent", {"Accept-Encoding": "gzip, br", "Accept": "image/webp,*/*"}),
    ],
)
def test_what_clients_are_said_to_download_is_what_the_server_sends_them(
    project: Project, way: str, headers: dict[str, str]
) -> None:
    project.write(SOURCES)
    release = project.publish().manifest
    app = Flask("app")
    app.register_blueprint(AssetPipe(dist=project.dist))
    client = app.test_client()
    downloaded = sum(len(client.get(asset.url, headers=headers).data) for asset in release.assets.values())
    total = reported(project).total
    assert downloaded == {"": total.bytes, "sent": total.sent, **total.ways}[way]


def test_the_sums_by_media_type_and_by_coding_are_those_of_the_assets(project: Project) -> None:
    project.write(SOURCES)
    project.publish()
    report = reported(project)
    assert report.total.files == len(report.assets) == 5
    for name in ("files", "bytes", "sent"):
        assert sum(getattr(sizes, name) for sizes in report.types) == getattr(report.total, name)
    assert [way.name for way in report.ways] == ["gzip", "br", "webp"]
    for way in report.ways:
        held = [one for one in report.assets if way.name in one.ways]
        assert (way.files, way.before) == (len(held), sum(one.bytes for one in held))
        assert way.after == sum(one.ways[way.name] for one in held)
        assert report.total.ways[way.name] == report.total.bytes - way.before + way.after
    files = [file for file in (project.dist / "public").rglob("*") if file.is_file()]
    assert report.stored == sum(file.stat().st_size for file in files)
    assert [one.sent for one in report.assets] == sorted((one.sent for one in report.assets), reverse=True)


def test_private_assets_and_plain_copies_are_counted_too(project: Project) -> None:
    project.write({"robots.txt": "User-agent: *\n" * 200})
    (project.folder / "reports").mkdir()
    (project.folder / "reports/2026.csv").write_text("a;b\n" * 500)
    project.configure(
        plain=("robots.txt",), roots={"/static/": "static", "/reports/": Folders(folder="reports", private=True)}
    )
    project.publish()
    report = reported(project)
    assert {one.path: one.private for one in report.assets} == {"/reports/2026.csv": True, "/static/robots.txt": False}
    files = [file for area in ("public", "private") for file in (project.dist / area).rglob("*") if file.is_file()]
    assert report.stored == sum(file.stat().st_size for file in files)


# What could be smaller


def test_what_hardly_gets_smaller_is_told_with_the_cause(project: Project) -> None:
    half = noise(9000).hex().encode()[:2000] + noise(14000)
    project.write(
        {
            "noise.ttf": noise(5000),
            "half.ttf": half,
            "data.xyz": noise(3000),
            "photo.jpg": jpeg(),
            "app.css": CSS,
            "tiny.ttf": noise(900),
        }
    )
    project.publish()
    report = reported(project)
    told = {one.path: one.why for one in report.weak}
    assert told.pop("/static/noise.ttf") == "no coding saves 5 %"
    assert re.fullmatch(r"(br|gzip) saves only \d+ %", told.pop("/static/half.ttf"))
    assert told.pop("/static/data.xyz") == "its type is not known, so nothing is tried"
    assert told == {}
    assert [one.sent for one in report.weak] == sorted((one.sent for one in report.weak), reverse=True)


def test_an_image_without_a_rendition_is_told_only_where_others_have_one() -> None:
    photo = Asset(url="/p.1.jpg", type="image/jpeg", size=9000, sha256="1")
    small = Rendition(url="/q.webp", type="image/webp", size=8500, sha256="2", width=9, height=9, negotiated=True)
    other = Asset(url="/q.1.jpg", type="image/jpeg", size=9000, sha256="3", renditions=(small,))
    report = facts.gather(facts.Given(release({"/p.jpg": photo, "/q.jpg": other})))
    assert {one.path: one.why for one in report.weak} == {
        "/p.jpg": "it has no smaller rendition",
        "/q.jpg": "webp saves only 6 %",
    }
    report = facts.gather(facts.Given(release({"/p.jpg": photo})))
    assert report.weak == ()
    assert any("[tool.assetpipe.images]" in note for note in report.notes)


def test_a_release_without_any_encoding_says_so_once(project: Project) -> None:
    project.write({"a.css": CSS, "b.css": CSS + "b{}"})
    project.configure(compress=Compress(encodings=()))
    project.publish()
    report = reported(project)
    assert report.weak == ()
    assert sum("[tool.assetpipe.compress]" in note for note in report.notes) == 1
    assert report.total.sent == report.total.bytes


def test_equal_files_are_told_with_what_they_waste_and_empty_ones_are_not(project: Project) -> None:
    project.write({"a.css": CSS, "b/a.css": CSS, "c/a.css": CSS, "x.txt": "12345", "y.txt": "12345", "e": "", "f": ""})
    project.publish()
    size = entry(reported(project), "/static/a.css").bytes
    assert [(one.paths, one.bytes, one.wasted) for one in reported(project).duplicates] == [
        (("/static/a.css", "/static/b/a.css", "/static/c/a.css"), size, 2 * size),
        (("/static/x.txt", "/static/y.txt"), 5, 5),
    ]


# What changed


def test_changes_are_told_with_sizes_before_and_after(project: Project) -> None:
    project.write({"same.css": CSS, "more.txt": "a", "gone.txt": "12345"})
    first = project.publish().manifest.release
    project.write({"more.txt": "abc", "new.txt": "1234567"})
    (project.folder / "static/gone.txt").unlink()
    project.publish()
    changes = reported(project).changes
    assert changes is not None
    assert changes.since == first
    told = [[(c.path, c.before, c.after) for c in held] for held in (changes.added, changes.changed, changes.removed)]
    assert told == [[("/static/new.txt", 0, 7)], [("/static/more.txt", 1, 3)], [("/static/gone.txt", 5, 0)]]
    assert reported(project).total.bytes - changes.before.bytes == 7 + 2 - 5


def test_any_kept_release_can_be_compared_with(project: Project, assetpipe: Command) -> None:
    ids: list[str] = []
    for text in ("1", "22", "333"):
        project.write({"a.txt": text})
        ids.append(project.publish().manifest.release)
    changes = reported(project, ids[0][:8]).changes
    assert changes is not None
    assert (changes.since, changes.changed[0].before) == (ids[0], 1)
    changes = reported(project).changes
    assert changes is not None
    assert changes.since == ids[1]
    failed = assetpipe("report", "--since", "nothing")
    assert failed.code == 2
    assert f"no such release is kept. Kept are {ids[1]}, {ids[0]}." in failed.err
    current = release(retained=("ab1", "ab2"))
    (project.dist / "manifest.json").write_bytes(current.dump())
    with pytest.raises(ConfigError, match="that may be any of ab1, ab2"):
        facts.read(project.dist, project.folder, "ab")


def test_without_an_earlier_release_the_report_says_so(project: Project) -> None:
    project.write({"a.txt": "1"})
    project.publish()
    report = reported(project)
    assert report.changes is None
    assert any("no earlier release" in note for note in report.notes)
    project.write({"a.txt": "2"})
    project.publish()
    for file in (project.dist / "releases").iterdir():
        if file.stem == report.release:
            file.write_text("{}")
    again = reported(project)
    assert again.changes is None
    assert any(f"since release {report.release} is not known" in note for note in again.notes)


# What the last build did


def test_what_a_build_did_is_kept_and_told(project: Project) -> None:
    project.write({"a.css": CSS, "b.css": CSS + "b{}"})
    built = project.build()
    work = (
        Work("br", LogicalPath("/static/a.css"), 0.5),
        Work("gzip", LogicalPath("/static/a.css"), 0.01),
        Work("br", LogicalPath("/static/b.css"), 2.0),
    )
    reasons = {LogicalPath("/static/a.css"): "its bytes changed", LogicalPath("/static/b.css"): "it is new"}
    project.publish()
    history.keep(project.config.cache_folder, msgspec.structs.replace(built, work=work, reasons=reasons), 1.75)
    report = reported(project)
    assert report.build is not None
    assert (report.build.release, report.build.seconds) == (built.manifest.release, 1.75)
    assert [(one.tool, one.path) for one in report.build.work] == [
        ("br", "/static/b.css"),
        ("br", "/static/a.css"),
        ("gzip", "/static/a.css"),
    ]
    assert [(one.tool, one.jobs, one.seconds) for one in report.tools] == [("br", 2, 2.5), ("gzip", 1, 0.01)]
    assert report.build.reasons == {"/static/a.css": "its bytes changed", "/static/b.css": "it is new"}
    assert [file.name for file in project.config.cache_folder.iterdir() if ".new" in file.name] == []


def test_every_asset_of_a_first_build_is_worked_on_for_a_reason(project: Project) -> None:
    """The whole way, from a real build's own account."""
    project.write(SOURCES)
    built = project.build()
    project.publish()
    history.keep(project.config.cache_folder, built)
    report = reported(project)
    assert report.build is not None
    assert report.build.reasons.keys() == built.manifest.assets.keys()
    assert {one.tool for one in report.tools} >= {"br", "gzip", "image"}
    assert sum(one.jobs for one in report.tools) == len(built.work) == len(report.build.work)


@pytest.mark.parametrize("lost", ["the file", "the folder", "its meaning", "its release"])
def test_a_report_without_the_last_build_works_and_says_so(project: Project, assetpipe: Command, lost: str) -> None:
    project.write({"a.css": CSS})
    built = project.build()
    project.publish()
    history.keep(project.config.cache_folder, built)
    assert reported(project).build is not None
    file = project.config.cache_folder / history.FILE
    if lost == "the folder":
        project.config.cache_folder.rename(project.folder / "elsewhere")
    elif lost == "the file":
        file.unlink()
    elif lost == "its meaning":
        file.write_bytes(b'{"release": 1}')
    else:
        file.write_bytes(file.read_bytes().replace(built.manifest.release.encode(), b"another"))
    done = assetpipe("report")
    assert done.code == 0
    assert "By media type" in done.out
    assert "Slowest jobs" not in done.out
    assert "How long the build took and why is not known: " in done.err
    assert ("of release another" in done.err) is (lost == "its release")


def test_what_cannot_be_kept_does_not_fail_a_build(project: Project) -> None:
    project.write({"a.css": CSS})
    history.keep(project.folder / "no such folder", project.build())
    assert history.recall(project.folder / "no such folder") is None


# On the terminal, and for machines


def test_the_terminal_gets_aligned_tables(project: Project, assetpipe: Command) -> None:
    project.write({**SOURCES, "css/copy.css": CSS})
    project.publish()
    done = assetpipe("report")
    assert done.code == 0
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    start = lines.index("By media type")
    head, *rows = lines[start + 1 : lines.index("", start)]
    assert head.split() == ["type", "files", "as", "they", "are", "gzip", "br", "webp", "sent", "less"]
    assert rows[-1].split()[:2] == ["all", "6"]
    assert {len(row) for row in (head, *rows)} == {len(head)}
    report = reported(project)
    assert f"Release {report.release}: 6 files, " in lines[0]
    for title in ("By coding and image format", "Largest assets", "Duplicates"):
        assert title in lines
    assert "Worst compressed: all that can get smaller does" in lines
    assert lines[lines.index("Duplicates") + 2].endswith("/static/css/app.css, /static/css/copy.css")


def test_long_tables_are_cut_unless_all_is_asked_for(project: Project, assetpipe: Command) -> None:
    project.write({f"{i}.txt": f"{i}" * 50 for i in range(13)})
    project.publish()
    done = assetpipe("report").out
    assert "  … and 3 more: --all tells them\n" in done
    everything = assetpipe("report", "--all").out
    assert "more: --all" not in everything
    assert all(f"/static/{i}.txt" in everything for i in range(13))


def test_a_file_name_cannot_act_on_the_terminal(project: Project, assetpipe: Command) -> None:
    project.write({"a\x1b[2J\n.css": CSS})
    project.publish()
    done = assetpipe("report")
    assert "\x1b" not in done.out
    assert "/static/a\\x1b[2J\\n.css" in done.out


def test_machines_get_everything_under_stable_names(project: Project, assetpipe: Command) -> None:
    project.write(SOURCES)
    project.publish()
    project.write({"notes.txt": "longer"})
    history.keep(project.config.cache_folder, project.build())
    project.publish()
    told = assetpipe("report", "--json").json
    assert told.keys() == {
        *("release", "stored", "total", "types", "ways", "assets", "weak", "duplicates", "telling"),
        *("changes", "build", "tools", "notes"),
    }
    assert told["assets"][0].keys() == {"path", "type", "bytes", "ways", "sent", "way", "private"}
    assert told["total"].keys() == told["types"][0].keys() == {"name", "files", "bytes", "ways", "sent"}
    assert told["changes"]["changed"][0]["path"] == "/static/notes.txt"
    assert told["build"].keys() == {"release", "at", "seconds", "work", "reasons"}
    assert msgspec.convert(told, Report) == reported(project)


def test_without_a_release_it_says_what_to_run(project: Project, assetpipe: Command) -> None:
    failed = assetpipe("report")
    assert failed.code == 1
    assert "there is no manifest. Run `assetpipe build`" in failed.err


def test_a_manifest_that_leads_out_of_dist_is_refused() -> None:
    asset = Asset(url="/../../etc/passwd", type="text/plain", size=1, sha256="1")
    with pytest.raises(ManifestError, match="outside of dist"):
        facts.gather(facts.Given(release({"/a.txt": asset})))


def test_a_report_loads_nothing_that_serves_or_builds(project: Project) -> None:
    project.write({"a.css": CSS})
    project.publish()
    script = (
        "import sys; from click.testing import CliRunner; from assetpipe.cli import main;"
        "assert CliRunner().invoke(main, ['report']).exit_code == 0; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project.folder, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "assetpipe.report.facts" in loaded
    for heavy in ("flask", "werkzeug", "jinja2", "PIL", "brotli", "assetpipe.build", "assetpipe.transforms.images"):
        assert heavy not in loaded


# The page


class Reader(html.parser.HTMLParser):
    """Elements with their attributes, and the text of each, as long as every end tag meets its start tag."""

    VOID = frozenset({"meta", "link", "img", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def release(assets: dict[str, Asset] | None = None, **more: Any) -> Manifest:
    return Manifest(format=1, release="abc123", assets=assets or {}, **more)


def vast(count: int) -> Manifest:
    """A release of many files, with names as long as those of real trees."""
    dice = random.Random(2)
    kinds = [("js", "text/javascript; charset=utf-8"), ("css", "text/css; charset=utf-8"), ("png", "image/png")]
    assets = {}
    for i in range(count):
        suffix, media_type = kinds[i % 3]
        path = f"/static/vendor/package-{i // 200}/dist/components/part-{i // 20}/some-component-{i}.{suffix}"
        size = int(10 ** dice.uniform(1.5, 5.5))
        digest = f"{i:064x}"
        encodings = {"br": Encoding(size // 4, digest), "gzip": Encoding(size // 3, digest)} if i % 3 < 2 else {}
        url = f"{path[: -len(suffix)]}{i:012x}.{suffix}"
        assets[path] = Asset(url=url, type=media_type, size=size, sha256=digest, encodings=encodings)
    return release(assets)


def told(current: Manifest, previous: Manifest | None = None, *, work: bool = True) -> Report:
    jobs = tuple(Done("br", path, 0.001 * asset.size) for path, asset in current.assets.items() if asset.encodings)
    reasons = dict.fromkeys(current.assets, "it is new")
    build = LastBuild(current.release, 1_790_000_000, 4.2, jobs, reasons) if work else None
    return facts.gather(facts.Given(current, previous, build))


def test_the_page_needs_nothing_else_and_lets_nothing_in(project: Project, assetpipe: Command) -> None:
    project.write(SOURCES)
    project.publish()
    done = assetpipe("report", "--html", "report.html")
    assert (done.code, done.out) == (0, "")
    assert "report.html: " in done.err
    reader = read((project.folder / "report.html").read_text())
    for tag, attributes in reader.seen:
        assert tag not in ("iframe", "object", "embed", "base", "use")
        for name in ("src", "href", "action", "srcset"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), (tag, value)
    policy = next(a["content"] for tag, a in reader.seen if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "url(" not in "".join(reader.text["style"])


def test_a_page_that_cannot_be_written_is_an_error_that_says_so(project: Project, assetpipe: Command) -> None:
    project.write(SOURCES)
    project.publish()
    failed = assetpipe("report", "--html", "no/such/folder/report.html")
    assert failed.code == 1
    assert "report.html: cannot be written: No such file or directory. Name another file." in failed.err


def test_the_page_tells_every_table_without_scripts() -> None:
    report = told(vast(30), vast(20))
    reader = read(page.page(report))
    held = " ".join(reader.text["h3"])
    for table in tables.tables(report):
        assert table.title in held
    captions = sum(tag == "caption" for tag, _ in reader.seen)
    assert captions == sum(tag == "table" for tag, _ in reader.seen) > 5
    assert "/static/vendor/package-0/dist/components/part-1/some-component-29.png" in reader.text["th"]
    headings = [tag for tag, _ in reader.seen if tag in ("h1", "h2", "h3")]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    ids = [attributes["id"] for _, attributes in reader.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {(a["href"] or "")[1:] for tag, a in reader.seen if tag == "a"}
    assert links <= set(ids)


HOSTILE = (
    "/static/<script>alert(1)</script>.css",
    "/static/</script><img src=x onerror=alert(2)>.css",
    '/static/" onmouseover="alert(3).css',
    "/static/<!--<script>.css",
    "/static/{{ 7 * 7 }}{% raw %}.css",
    "/static/&lt;b&gt;.css",
    "/static/\x01\x1b\x85\ufffe.css",
    "/static/\u202egnp.css",
)


def hostile() -> Manifest:
    sizes = {path: 2000 + i for i, path in enumerate(HOSTILE)}
    return release(
        {
            p: Asset(url=p, type="text/css", size=n, sha256="1", encodings={"br": Encoding(n - 1, "2")})
            for p, n in sizes.items()
        }
    )


def test_hostile_file_names_stay_text() -> None:
    report = told(hostile(), release())
    reader = read(page.page(report))
    scripts = [attributes for tag, attributes in reader.seen if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    assert not any(name.startswith("on") for _, attributes in reader.seen for name in attributes)
    assert [a for tag, a in reader.seen if tag == "img"] == []
    data = json.loads(reader.text["script"][0])
    folders = [""]
    for parent, name in data["folders"][1:]:
        folders.append(f"{folders[parent]}/{name}")
    assert {f"{folders[file[0]]}/{file[1]}" for file in data["files"]} == set(HOSTILE)
    assert set(HOSTILE) - set(reader.text["th"]) == {HOSTILE[6]}
    assert "/static/\ufffd\ufffd\ufffd\ufffd.css" in reader.text["th"]


def test_ten_thousand_assets_make_a_page_of_less_than_two_megabytes() -> None:
    current = vast(10_000)
    assert len(page.page(told(current, vast(9_000))).encode()) < 2_000_000


def test_a_path_of_a_thousand_folders_is_no_matter() -> None:
    deep = f"/static/{'a/' * 1500}x.css"
    text = page.page(told(release({deep: Asset(url=deep, type="text/css", size=9, sha256="1")})))
    assert len(json.loads(read(text).text["script"][0])["folders"]) == 1502


# Before and after


def put_pictures(dist: Path, sizes: dict[str, tuple[int, int]]) -> Manifest:
    """A release whose images have these sizes before and after, with files as large in dist."""
    assets = {}
    for name, (before, after) in sizes.items():
        path, webp = f"/static/{name}.jpg", f"/static/{name}.webp"
        for url, size in ((path, before), (webp, after)):
            file = dist / "public" / url[1:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes(size))
        rendition = Rendition(url=webp, type="image/webp", size=after, sha256="2", width=9, height=9, negotiated=True)
        assets[path] = Asset(url=path, type="image/jpeg", size=before, sha256="1", renditions=(rendition,))
    return release(assets)


def test_the_pictures_that_most_is_saved_of_are_shown_as_far_as_they_fit(tmp_path: Path) -> None:
    current = put_pictures(tmp_path, {f"{i:02}": (2000 + 10 * i, 500) for i in range(30)})
    assert [pair.path for pair in pictures.choose(current, tmp_path)] == [
        f"/static/{i:02}.jpg" for i in range(29, 5, -1)
    ]
    large = put_pictures(tmp_path, {"poster": (3_000_000, 1_000_000), **{f"{i}": (900_000, 300_000) for i in range(9)}})
    chosen = pictures.choose(large, tmp_path)
    assert [pair.path for pair in chosen] == [f"/static/{i}.jpg" for i in range(5)]
    assert sum(len(p.before.data) + len(p.after.data) for p in chosen) * 4 / 3 <= pictures.BUDGET


def test_a_picture_that_is_not_as_stated_is_left_out(tmp_path: Path) -> None:
    current = put_pictures(tmp_path, {"a": (2000, 500), "b": (3000, 500), "c": (4000, 500)})
    (tmp_path / "public/static/b.jpg").write_bytes(b"other")
    (tmp_path / "public/static/c.webp").unlink()
    assert [pair.path for pair in pictures.choose(current, tmp_path)] == ["/static/a.jpg"]


# In a browser


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Browser]:
    with browser.chromium(tmp_path / "profile") as one:
        yield one


class Page:
    """A page of the report in a browser, and what one does with it."""

    def __init__(self, window: Browser, file: Path, text: str) -> None:
        file.write_text(text)
        self.driver = window.driver
        self.window = window
        assert window.visit(file.as_uri()) == []

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)  # type: ignore[no-untyped-call, unused-ignore]

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def choose(self, name: str, value: str) -> None:
        self.run("arguments[0].click()", self.find(f"[name={name}][value={value}]"))

    def boxes(self) -> dict[str, dict[str, Any]]:
        """Each box by its label, with where it is and whether it is an opened folder."""
        boxes: dict[str, dict[str, Any]] = self.run(
            """
            const map = document.getElementById("treemap").getBoundingClientRect();
            return Object.fromEntries([...document.querySelectorAll(".box")].map((box) => {
              const {x, y, width, height} = box.getBoundingClientRect();
              return [box.ariaLabel, {x: x - map.x, y: y - map.y, w: width, h: height, map: [map.width, map.height],
                      open: box.matches(".folder"), fill: box.className.match(/fill-(\\w+)/)?.[1]}];
            }));
            """
        )
        return boxes

    def rows(self) -> list[str]:
        cells = "return [...document.querySelectorAll('#largest tbody th')].map((cell) => cell.firstChild.data)"
        told: list[str] = self.run(cells)
        return told


def test_the_treemap_is_true(window: Browser, tmp_path: Path) -> None:
    """Every file has a box as large as its bytes, within that of its folder, and none covers another."""
    sizes = {
        "a/x.css": 40_000,
        "a/y.css": 20_000,
        "b/z.js": 60_000,
        "b/c/w.js": 30_000,
        "b/c/v.png": 10_000,
        "u.woff": 9_000,
    }
    types = {"css": "text/css", "js": "text/javascript", "png": "image/png", "woff": "font/woff"}
    current = release(
        {
            f"/s/{path}": Asset(url=f"/s/{path}", type=types[path.rpartition(".")[2]], size=size, sha256=path)
            for path, size in sizes.items()
        }
    )
    shown = Page(window, tmp_path / "report.html", page.page(told(current)))
    boxes = shown.boxes()
    assert window.console() == []
    leaves = {label: box for label, box in boxes.items() if not box["open"]}
    assert {label.split()[0]: box["fill"] for label, box in leaves.items()} == {
        "x.css": "style",
        "y.css": "style",
        "z.js": "script",
        "w.js": "script",
        "v.png": "picture",
        "u.woff": "font",
    }
    width, height = next(iter(boxes.values()))["map"]
    per_byte = []
    for label, box in leaves.items():
        assert -0.1 <= box["x"] <= box["x"] + box["w"] <= width + 0.1
        assert -0.1 <= box["y"] <= box["y"] + box["h"] <= height + 0.1
        for other, theirs in leaves.items():
            apart = (
                box["x"] + box["w"] <= theirs["x"] + 0.1
                or theirs["x"] + theirs["w"] <= box["x"] + 0.1
                or box["y"] + box["h"] <= theirs["y"] + 0.1
                or theirs["y"] + theirs["h"] <= box["y"] + 0.1
            )
            assert label == other or apart
        size = next(n for path, n in sizes.items() if path.endswith("/" + label.split()[0]) or path == label.split()[0])
        per_byte.append(box["w"] * box["h"] / size)
    # Frames and names of folders take some of it.
    assert max(per_byte) < 1.25 * min(per_byte)
    folder, inner = boxes["c 40.0 kB, in /s/b/"], boxes["w.js 30.0 kB, in /s/b/c/"]
    assert folder["open"]
    assert folder["x"] <= inner["x"]
    assert inner["x"] + inner["w"] <= folder["x"] + folder["w"] + 0.1


def test_the_page_answers_mouse_and_keyboard(window: Browser, tmp_path: Path, project: Project) -> None:
    project.write({**SOURCES, "css/more.css": CSS + "b{}", "js/late.js": "export const b = 'c';\n" * 60})
    before = project.publish().manifest
    project.write({"js/late.js": "export const b = 'cd';\n" * 60})
    current = project.publish().manifest
    report = told(current, before)
    shown = Page(window, tmp_path / "report.html", page.page(report, pictures.choose(current, project.dist)))
    driver, boxes = shown.driver, shown.boxes()
    photo = next(label for label in boxes if label.startswith("photo.jpg"))
    files = sum(not box["open"] for box in boxes.values())
    assert files >= 4

    # Sizes: sent, and the photo takes less of the map.
    shown.choose("measure", "sent")
    sent = next(box for label, box in shown.boxes().items() if label.startswith("photo.jpg"))
    assert sent["w"] * sent["h"] != boxes[photo]["w"] * boxes[photo]["h"]
    # Colours: how much is saved, and what changed.
    shown.choose("colour", "saved")
    assert {box["fill"] for box in shown.boxes().values()} - {None} <= {"s0", "s1", "s2", "s3", "s4"}
    shown.choose("colour", "state")
    fills = {label.split()[0]: box["fill"] for label, box in shown.boxes().items()}
    assert "changed" in {fills.get("late.js"), fills.get("js")}
    assert fills["photo.jpg"] == "same"
    shown.choose("colour", "kind")
    shown.choose("measure", "bytes")

    # Facts, beside the pointer.
    box = shown.find(".box[aria-label^='photo.jpg']")
    ActionChains(driver).scroll_to_element(box).pause(0.6).move_to_element(box).perform()
    facts_shown = shown.find("#facts").text
    assert "/static/img/photo.jpg" in facts_shown
    assert "webp" in facts_shown
    assert "rebuilt: it is new" in facts_shown

    # A click opens the folder; Escape goes up; arrows move.
    box.click()
    assert shown.find("#crumbs button:disabled").text == "img"
    assert {label.split()[0] for label in shown.boxes()} <= {"photo.jpg", "drawing.png", "1", "2"}
    shown.find(".box").send_keys(Keys.ESCAPE)
    assert shown.find("#crumbs button:disabled").text == "static"
    first = driver.switch_to.active_element
    assert "box" in str(first.get_attribute("class"))
    for key in (Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_UP):
        driver.switch_to.active_element.send_keys(key)
    assert shown.run("return document.querySelectorAll('.box[tabindex=\"0\"]').length") == 1
    shown.run("document.querySelector('.box.folder').focus()")
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert shown.find("#crumbs button:disabled").text == "img"
    shown.find("#crumbs button").click()

    # The filter counts for the map and the list.
    assert len(shown.rows()) == len(current.assets)
    shown.find("#filter").send_keys(".css static")
    assert sorted(shown.rows()) == ["/static/css/app.css", "/static/css/more.css"]
    assert {label.split()[0] for label in shown.boxes()} == {"app.css", "more.css"}
    assert shown.find("#found").text.startswith(f"2 files of {len(current.assets)}: ")
    shown.find("#filter").send_keys(Keys.CONTROL + "a", Keys.DELETE)
    shown.find("#filter").send_keys("changed")
    assert shown.rows() == ["/static/js/late.js"]
    shown.find("#filter").send_keys(Keys.CONTROL + "a", Keys.DELETE)
    # So does the legend.
    shown.run("arguments[0].click()", shown.find("#legend label:has(.fill-picture) input"))
    assert not any(path.startswith("/static/img/") for path in shown.rows())
    shown.run("arguments[0].click()", shown.find("#legend label:has(.fill-picture) input"))

    # Tables sort, by their figures or words.
    head = shown.find("#largest thead th:nth-child(1) button")
    shown.run("arguments[0].click()", head)
    assert shown.rows() == sorted(current.assets)
    shown.run("arguments[0].click()", head)
    assert shown.rows() == sorted(current.assets, reverse=True)
    shown.run("arguments[0].click()", shown.find("#types thead th:nth-child(2) button"))
    counts = shown.run("return [...document.querySelectorAll('#types tbody tr')].map((row) => +row.cells[1].dataset.v)")
    assert counts == sorted(counts, reverse=True)
    assert shown.find("#types thead th:nth-child(2)").get_attribute("aria-sort") == "descending"

    # The divider follows the mouse and the keyboard.
    compare, divider = shown.find(".compare"), shown.find(".compare input")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", compare)  # type: ignore[no-untyped-call, unused-ignore]
    quarter = -compare.size["width"] // 4
    ActionChains(driver).move_to_element(divider).click_and_hold().move_by_offset(quarter, 0).release().perform()
    at = "return parseFloat(getComputedStyle(arguments[0]).getPropertyValue('--at'))"
    assert 20 < shown.run(at, compare) < 30
    divider.send_keys(Keys.HOME)
    assert shown.run(at, compare) == 0
    assert shown.run("return [...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert window.console() == []


def test_hostile_names_do_nothing_in_a_browser(window: Browser, tmp_path: Path) -> None:
    shown = Page(window, tmp_path / "report.html", page.page(told(hostile(), release())))
    assert set(shown.rows()) == set(HOSTILE)
    assert shown.run("return document.scripts.length") == 2
    assert shown.run("return document.images.length") == 0
    assert window.console() == []


def test_ten_thousand_assets_are_usable_and_fit_a_phone(window: Browser, tmp_path: Path) -> None:
    shown = Page(window, tmp_path / "report.html", page.page(told(vast(10_000), vast(9_000))))
    assert 20 < len(shown.boxes()) < 3_000
    assert len(shown.rows()) == 25
    shown.run("arguments[0].click()", shown.find("#more button"))
    assert len(shown.rows()) == 525
    shown.find("#filter").send_keys("component-1234.")
    assert shown.rows() == ["/static/vendor/package-6/dist/components/part-61/some-component-1234.css"]
    assert len(shown.boxes()) == 1
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    shown.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)  # type: ignore[no-untyped-call, unused-ignore]
    assert shown.run("return document.documentElement.scrollWidth") <= 360
    assert window.console() == []


def test_an_empty_release_has_a_page_too(window: Browser, tmp_path: Path) -> None:
    shown = Page(window, tmp_path / "report.html", page.page(told(release(), work=False)))
    assert shown.boxes() == {}
    assert "0 files" in shown.find("header").text
    assert window.console() == []


def test_kinds_cover_every_media_type() -> None:
    kinds = {page.kind(media_type) for media_type in TYPES.values()}
    assert kinds == page.KINDS.keys()
    assert page.kind("image/svg+xml") == "picture"
    assert page.kind("application/manifest+json") == "data"


def test_images_that_tell_where_they_were_taken_come_first(tmp_path: Path) -> None:
    def asset(name: str, *metadata: str) -> Asset:
        return Asset(url=f"/static/{name}.1.jpg", type="image/jpeg", size=9, sha256=name, metadata=metadata)

    assets = {"/static/a.jpg": asset("a", "exif"), "/static/b.jpg": asset("b", "exif", "position")}
    private = {"/reports/c.jpg": asset("c", "position"), "/reports/d.jpg": asset("d")}
    release = Manifest(format=1, release="r", assets=assets, private=private)
    report = facts.gather(facts.Given(release))
    assert [one.path for one in report.telling] == ["/reports/c.jpg", "/static/b.jpg", "/static/a.jpg"]
    (table,) = (table for table in tables.tables(report) if table.name == "metadata")
    assert table.rows[1] == ("/static/b.jpg", "image/jpeg", "exif, position")
    assert "strip = true" in table.about
