"""Private roots: files that are built, published and kept as all others are, and that no URL leads to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assetpipe import build as building
from assetpipe import explain, manifest, publish
from assetpipe.build import Build
from assetpipe.config import Command, Folders, Images, Keep, load
from assetpipe.errors import ConfigError, PublishError, Severity
from assetpipe.manifest import Manifest, import_map
from assetpipe.paths import Digest, LogicalPath
from assetpipe.serve.releases import Releases
from assetpipe.sources import find
from assetpipe.transforms import encodings
from assetpipe.verify import verify
from tests import pictures
from tests.conftest import Command as Run
from tests.conftest import Files, Project, write

TEXT = "a,b\n" * 400
PRIVATE = {"/reports/": Folders("var/reports", private=True)}
SOURCES: dict[str, str | bytes] = {
    "2026.csv": TEXT,
    "page.html": '<link rel="stylesheet" href="/static/app.css"><img src="p.jpg">',
    "p.jpg": pictures.jpeg(),
}


@pytest.fixture
def reports(project: Project) -> Project:
    project.configure(roots=PRIVATE)
    project.write({"app.css": "a{color:red}" * 30})
    write(project.folder / "var/reports", SOURCES)
    return project


def below(project: Project, area: str) -> list[str]:
    return sorted(name for name in project.snapshot() if name.startswith(f"{area}/"))


def kinds(built: Build) -> list[tuple[str, str, Severity]]:
    return [(problem.kind, problem.file, problem.severity) for problem in built.problems]


def test_no_url_leads_to_them(reports: Project) -> None:
    reports.configure(imports={"app/": "/"})
    told = reports.publish().manifest
    assert list(told.assets) == ["/static/app.css"]
    assert told.prefixes == ("/static/",)
    assert sorted(told.private) == ["/reports/2026.csv", "/reports/p.jpg", "/reports/page.html"]
    public = [file for file in (reports.dist / "public").rglob("*") if file.is_file()]
    assert {file.name.partition(".")[0] for file in public} == {"app"}
    assert import_map(told) == {"imports": {}}
    assert not any(path.startswith("/reports/") for asset in told.assets.values() for path in asset.refs)


def test_they_lie_under_tagged_names_in_an_area_of_their_own_with_all_that_others_get(reports: Project) -> None:
    told = reports.publish().manifest
    report = told.private["/reports/2026.csv"]
    assert report.url == "/reports/2026.csv"
    assert report.file == f"/reports/2026.{report.sha256[:12]}.csv"
    assert set(report.encodings) == {"br", "gzip"}
    assert (reports.dist / f"private{report.stored}").read_text() == TEXT
    picture = told.private["/reports/p.jpg"]
    assert [(r.type, r.negotiated) for r in picture.renditions] == [("image/webp", True)]
    assert below(reports, "private") == sorted(
        f"private{path}"
        for asset in told.private.values()
        for path in (
            asset.file,
            *(asset.file + s for s in manifest.suffixes(asset)),
            *(r.url for r in asset.renditions),
        )
    )
    checked = verify(reports.dist)
    assert (checked.faults, checked.files) == ((), len(below(reports, "private")) + len(below(reports, "public")))


def test_each_kept_release_keeps_its_own_and_what_none_names_is_pruned(reports: Project) -> None:
    reports.configure(keep=Keep(releases=2))
    files, folder = [], reports.folder / "var/reports"
    write(folder, {"old/a.txt": "1"})
    for n in range(3):
        write(folder, {"2026.csv": TEXT + str(n)})
        files.append(f"private{reports.publish().manifest.private['/reports/2026.csv'].file}")
        (folder / "old/a.txt").unlink(missing_ok=True)
    assert [(reports.dist / file).is_file() for file in files] == [False, True, True]
    assert [(reports.dist / f"{file}.br").is_file() for file in files] == [False, True, True]
    assert not (reports.dist / "private/reports/old").exists()
    assert verify(reports.dist).faults == ()


def test_a_file_of_somebody_else_survives_there_and_one_in_the_way_ends_the_publishing(reports: Project) -> None:
    reports.configure(keep=Keep(releases=1))
    report = reports.publish().manifest.private["/reports/2026.csv"]
    mine = write(reports.dist / "private/reports", {"mine.txt": "mine", "2026.csv": "mine, too"})
    write(reports.folder / "var/reports", {"2026.csv": TEXT + "c"})
    after = reports.publish().manifest.private["/reports/2026.csv"]
    assert [(mine / name).read_text() for name in ("mine.txt", "2026.csv")] == ["mine", "mine, too"]
    assert not (reports.dist / f"private{report.file}").exists()
    (reports.dist / f"private{report.file}").write_text("in the way")
    write(reports.folder / "var/reports", {"2026.csv": TEXT})
    with pytest.raises(PublishError, match=rf"/private{report.file}: a file that assetpipe did not put there"):
        reports.publish()
    current = publish.current(reports.dist)
    assert current is not None
    assert current.private["/reports/2026.csv"] == after


def test_every_fault_of_their_files_is_named(reports: Project) -> None:
    told = reports.publish().manifest
    report = told.private["/reports/2026.csv"]
    for name in (report.file, f"{report.file}.br"):
        file = reports.dist / f"private{name}"
        before = file.read_bytes()
        file.write_bytes(before[:-1])
        (fault,) = verify(reports.dist).faults
        assert (fault.kind, fault.file) == ("fault-size", str(file))
        file.unlink()
        (fault,) = verify(reports.dist).faults
        assert (fault.kind, fault.file) == ("fault-missing", str(file))
        assert f"/reports/2026.csv of release {told.release} needs it" in fault.text
        reports.publish()
        assert file.read_bytes() == before
    state = json.loads((reports.dist / "manifest.json").read_bytes())
    state["private"]["/reports/2026.csv"]["sha256"] = state["private"]["/reports/p.jpg"]["sha256"]
    (reports.dist / "manifest.json").write_text(json.dumps(state))
    assert "fault-release" in {fault.kind for fault in verify(reports.dist).faults}


def test_another_codec_makes_no_other_release(reports: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    first = reports.publish().manifest
    real = encodings.encode
    monkeypatch.setattr(encodings, "version", lambda coding: "another build")
    monkeypatch.setattr(
        encodings,
        "encode",
        lambda coding, data: (e := real(coding, data)) and (e[:9] + b"\x03" + e[10:] if coding == "gzip" else e),
    )
    assert reports.publish().manifest == first
    assert verify(reports.dist).faults == ()


@pytest.mark.parametrize("path", ["/../victim.txt", "/reports/../../victim.txt", "victim.txt", "../victim.txt"])
@pytest.mark.parametrize("member", ["url", "file"])
def test_a_manifest_written_by_hand_reaches_no_file_outside(reports: Project, path: str, member: str) -> None:
    reports.publish()
    (file,) = (reports.dist / "releases").iterdir()
    told = json.loads(file.read_text())
    told["private"]["/reports/2026.csv"][member] = path
    (reports.dist / "releases" / "0.json").write_text(json.dumps({**told, "release": "0"}))
    victims = [reports.dist / "victim.txt", reports.dist / "privatevictim.txt", reports.folder / "victim.txt"]
    for victim in victims:
        victim.write_text("x")
    write(reports.folder / "var/reports", {"2026.csv": "another"})
    reports.publish()
    assert all(victim.exists() for victim in victims)


def test_the_release_covers_them_and_without_them_its_id_is_as_ever(reports: Project) -> None:
    first = reports.build().manifest
    bare = manifest.release_id(first.assets, first.prefixes, first.imports)
    assert first.release != bare
    write(reports.folder / "var/reports", {"2026.csv": "x"})
    second = reports.build().manifest
    assert second.release not in (first.release, bare)
    assert manifest.diff(first, second).changed == ("/reports/2026.csv",)
    reports.configure(roots={})
    assert reports.build().manifest.release == bare
    assert manifest.diff(second, reports.build().manifest).removed == tuple(sorted(second.private))


def test_a_file_that_becomes_private_has_changed(project: Project) -> None:
    project.configure(plain=("a.txt",), roots={"/r/": "static"})
    project.write({"a.txt": "1"})
    before = project.build().manifest
    project.configure(roots={"/r/": Folders("static", private=True), "/static/": ()})
    after = project.build().manifest
    assert manifest.diff(before, after) == manifest.Diff(added=(), changed=("/r/a.txt",), removed=())


def filled(built: Build, path: str) -> str:
    asset = built.manifest.private.get(path) or built.manifest.assets[path]
    area = "private" if path in built.manifest.private else "public"
    return built.files[f"/{area}{asset.stored}"].read().decode()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("r.css", "a{b:url(../static/p.png?q#f)}", "a{b:url({p}?q#f)}"),
        ("r.css", "a{b:url(/static/p.png)}", "a{b:url({p})}"),
        ("r.css", "a{--x:url(../static/p.png)}", "a{--x:url({p})}"),
        ("r.js", "import '../static/m.js'", "import'{m}'"),
        ("r.js", "import 'm'", "import'{m}'"),
        ("r.html", "<base href=/static/><img src=p.png>", "<base href=/static/><img src={p}>"),
        ("r.html", "<a href=../static/page.html></a>", "<a href=/static/page.html></a>"),
        ("r.html", "<img src=../static/robots.png>", "<img src=/static/robots.png>"),
        ("r.css", "a{b:url(own.png?q)}", "a{b:url(own.png?q)}"),
        ("r.css", "a{b:url(/reports/own.png)}", "a{b:url(/reports/own.png)}"),
        ("r.css", "a{--x:url(own.png)}", "a{--x:url(own.png)}"),
        ("r.js", "import './own.js'", "import'./own.js'"),
        ("r.html", "<a href=own.png></a>", "<a href=own.png></a>"),
    ],
)
def test_what_they_refer_to_is_spelt_from_the_root_and_each_other_stay_as_written(
    project: Project, name: str, text: str, expected: str
) -> None:
    project.configure(roots=PRIVATE, imports={"m": "/static/m.js"}, plain=("robots.png",), images=Images(formats=()))
    project.write({"p.png": "p", "robots.png": "r", "m.js": "1", "page.html": ""})
    write(project.folder / "var/reports", {name: text, "own.png": "o", "own.js": "1"})
    built = project.build()
    assert built.problems == ()
    urls = {key: built.manifest.assets[f"/static/{file}"].url for key, file in (("{p}", "p.png"), ("{m}", "m.js"))}
    for key, url in urls.items():
        expected = expected.replace(key, url)
    assert filled(built, f"/reports/{name}") == expected
    refs = built.manifest.private[f"/reports/{name}"].refs
    assert len(refs) == (0 if "page.html" in text else 1)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.css", "a{b:url(../reports/p.jpg)}", (1, 9)),
        ("a.css", "a{b:url(/reports/p.jpg)}", (1, 9)),
        ("a.js", "import '../reports/m.js'", (1, 9)),
        ("a.js", "import '../reports/m.ts'", (1, 9)),
        ("a.html", "<img src=../reports/p.jpg>", (1, 10)),
    ],
)
def test_a_public_file_that_refers_to_one_is_warned_of_and_stays_as_written(
    project: Project, name: str, text: str, place: tuple[int, int]
) -> None:
    project.configure(roots=PRIVATE, minify=False, command=(Command("*.ts", "cat"),))
    project.write({name: text})
    write(project.folder / "var/reports", {"p.jpg": pictures.jpeg(), "m.ts": "1"})
    built = project.build()
    assert kinds(built) == [("private-reference", f"static/{name}", Severity.WARNING)]
    (problem,) = built.problems
    assert (problem.line, problem.column) == place
    assert "no URL leads to /reports/" in problem.text
    assert filled(built, f"/static/{name}") == text
    assert built.manifest.assets[f"/static/{name}"].refs == ()
    assert built.manifest.assets[f"/static/{name}"].imports == ()
    write(project.folder / "var/reports", {"p.jpg": pictures.jpeg(90, 90), "m.ts": "2"})
    assert project.build().manifest.assets == built.manifest.assets


def test_a_link_to_one_may_lead_to_the_view_that_hands_it_out(reports: Project) -> None:
    page = '<a href="/reports/2026.csv">2026</a><script integrity="x" src="https://cdn.example/x.js"></script>'
    reports.write({"page.html": page})
    built = reports.build()
    assert built.problems == ()
    assert filled(built, "/static/page.html") == page
    assert built.manifest.assets["/static/page.html"].refs == ()


def test_no_import_leads_to_one(reports: Project) -> None:
    write(reports.folder / "var/reports", {"m.js": "1", "n.js": "import 'm'"})
    reports.write({"a.js": "import 'm'"})
    reports.configure(imports={"m": "/reports/m.js", "r/": "/reports/"})
    built = reports.build()
    assert [(problem.kind, problem.text.partition(":")[0]) for problem in built.problems] == [
        ("missing-import", 'imports."m"'),
        ("missing-import", 'imports."r/"'),
        ("private-reference", "no URL leads to /reports/m.js, which is private"),
        ("private-reference", "no URL leads to /reports/m.js, which is private"),
    ]
    assert filled(built, "/reports/n.js") == "import'm'"


def test_integrity_of_one_is_that_of_its_published_bytes(project: Project) -> None:
    project.configure(roots=PRIVATE)
    project.write({"a.js": "1"})
    page = "<script src=/static/a.js integrity=x></script>"
    write(project.folder / "var/reports", {"r.html": page})
    built = project.build()
    asset = built.manifest.assets["/static/a.js"]
    integrity = Digest(asset.sha256).integrity
    assert filled(built, "/reports/r.html") == f"<script src={asset.url} integrity={integrity}></script>"


def test_plain_and_tagged_patterns_and_commands_name_nothing_there(project: Project) -> None:
    project.configure(roots=PRIVATE, plain=("a.css", "b.css"), tagged=("c.txt",), command=(Command("*.scss", "cat"),))
    project.write({"x.txt": ""})
    write(project.folder / "var/reports", {"a.css": "a{}", "b.scss": "b{}", "c.txt": "c"})
    told = project.publish().manifest
    for path in ("/reports/a.css", "/reports/b.css", "/reports/c.txt"):
        asset = told.private[path]
        assert (asset.url, asset.immutable) == (path, False)
        assert asset.file == LogicalPath(path).tagged(asset.sha256[:12])
    assert all(Path(name).name.count(".") > 1 for name in below(project, "private"))


def test_the_two_areas_do_not_clash(project: Project) -> None:
    project.configure(roots={"/": "static", **PRIVATE})
    project.write({"Reports/2026.csv": "1", "index.html": ""})
    write(project.folder / "var/reports", {"2026.csv": "2"})
    assert project.build().problems == ()
    write(project.folder / "var/reports", {"2026.CSV": "3"})
    assert kinds(project.build()) == [("case-clash", "var/reports/2026.csv", Severity.WARNING)]


@pytest.mark.parametrize(
    ("roots", "files", "expected"),
    [
        # A public file below a private prefix: only "/" can have one.
        ({"/": "static", **PRIVATE}, {"static/reports/x.txt": "", "static/a.txt": ""}, ["static/reports/x.txt"]),
        # The folder of a private root within a public one, or the other way about.
        ({"/static/": "var", **PRIVATE}, {"var/a.txt": "", "var/reports/x.txt": ""}, ["var/reports"]),
        ({"/static/": "var/reports/open", **PRIVATE}, {"var/reports/open/x.txt": ""}, ["var/reports/open"]),
        ({"/static/": "var/reports", **PRIVATE}, {"var/reports/x.txt": ""}, ["var/reports"]),
    ],
)
def test_a_file_that_would_be_both_is_an_error(
    project: Project, roots: dict[str, str | tuple[str, ...] | Folders], files: Files, expected: list[str]
) -> None:
    write(project.folder, {"var/reports/r.txt": "", **files})
    project.configure(roots=roots)
    walk = find(project.config)
    assert [(p.kind, p.file, p.severity) for p in walk.problems] == [
        ("private-source", file, Severity.ERROR) for file in expected
    ]
    assert not any(not source.private and "/reports/" in source.file for source in walk.sources.values())


def test_a_link_to_one_within_a_public_root_is_an_error_and_an_ignored_folder_is_none(project: Project) -> None:
    write(project.folder, {"var/reports/r.txt": "", "var/a.txt": ""})
    (project.folder / "var/link.txt").symlink_to("reports/r.txt")
    project.configure(roots={"/static/": "var", **PRIVATE}, ignore=("reports/",))
    assert [(p.kind, p.file) for p in find(project.config).problems] == [("private-source", "var/link.txt")]
    project.configure(ignore=("reports/", "link.txt"))
    walk = find(project.config)
    assert (sorted(walk.sources), walk.problems) == (["/reports/r.txt", "/static/a.txt"], ())


def test_without_public_roots_the_usual_ones_are_taken_beside_them(tmp_path: Path) -> None:
    text = "[tool.assetpipe.roots]\n'/reports/' = {folder = ['a', 'b'], private = true}"
    config = load(write(tmp_path, {"pyproject.toml": text, "static/a.txt": "a"}))
    assert not config.has_public_roots
    private = [("/reports/", tmp_path / "a", True), ("/reports/", tmp_path / "b", True)]
    for one, public in ((config, "static"), (config.with_roots({"/static/": [tmp_path / "own"]}), "own")):
        folders = [(root.prefix, root.folder, root.private) for root in one.folders()]
        assert folders == [("/static/", tmp_path / public, False), *private]
    with pytest.raises(ConfigError, match='"/reports/" is private and "/reports/x/" is not'):
        config.with_roots({"/reports/x/": [tmp_path]})
    with pytest.raises(ConfigError, match="Give the private one a prefix of its own"):
        config.with_roots({"/reports/": [tmp_path]})


def test_explain_says_that_they_are_private(reports: Project, assetpipe: Run) -> None:
    told = explain.explain(building.trace(reports.config), LogicalPath("/reports/page.html"))
    assert (told.naming, told.url, told.named_by) == ("private", "", ())
    assert [(mention.path, bool(mention.url)) for mention in told.refers_to] == [
        ("/static/app.css", True),
        ("/reports/p.jpg", True),
    ]
    write(reports.folder, {"assetpipe.toml": "[roots]\n'/reports/' = {folder = 'var/reports', private = true}"})
    done = assetpipe("explain", "var/reports/page.html")
    assert done.code == 0
    assert "nothing: it keeps its name (private)" in done.out
    assert "none: an application hands it out" in done.out
    assert assetpipe("build", "--json").json["files"] == 4
    assert assetpipe("verify").code == 0


def test_manifests_without_them_are_as_before(project: Project) -> None:
    project.write({"a.txt": "1"})
    project.publish()
    assert "private" not in json.loads((project.dist / "manifest.json").read_bytes())
    assert isinstance(publish.current(project.dist), Manifest)
    assert not (project.dist / "private").exists()


def test_what_became_private_stays_so_for_older_releases_when_it_is_gone(project: Project) -> None:
    """A name that was hidden must not come back because its file was deleted."""
    write(project.folder / "var/reports", {"2026.csv": TEXT})
    project.write({"app.css": "a{}"})
    project.configure(roots={"/static/": "static", "/reports/": "var/reports"})
    url = project.publish().manifest.assets["/reports/2026.csv"].url
    project.configure(roots={"/static/": "static", **PRIVATE})
    project.publish()
    (project.folder / "var/reports/2026.csv").unlink()
    assert len(project.publish().manifest.retained) == 2
    table = Releases(project.dist).table()
    assert table is not None
    assert table.lookup(url) is None
