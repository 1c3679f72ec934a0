from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from assetpipe.errors import ConfigError, Severity
from assetpipe.sources import Walk, find
from tests.conftest import Project, write


def paths(walk: Walk) -> list[str]:
    return sorted(walk.sources)


def kinds(walk: Walk) -> list[tuple[str, str, Severity]]:
    return [(problem.kind, problem.file, problem.severity) for problem in walk.problems]


def test_dotfiles_are_left_out_but_for_well_known(project: Project) -> None:
    project.write({".x": "", ".git/a": "", "a/.b": "", ".well-known/security.txt": "", "a/c.txt": ""})
    assert paths(find(project.config)) == ["/static/.well-known/security.txt", "/static/a/c.txt"]


def test_ignore_rules_are_those_of_gitignore(project: Project) -> None:
    project.write(
        {"a.psd": "", "b/a.psd": "", "keep.psd": "", "drafts/x": "", "b/drafts/y/z": "", "top": "", "b/top": ""}
    )
    project.configure(ignore=("*.psd", "!keep.psd", "drafts/", "/top"))
    assert paths(find(project.config)) == ["/static/b/top", "/static/keep.psd"]


def test_an_allow_list_goes_into_folders_as_git_does(project: Project) -> None:
    project.write({"a.css": "", "a.txt": "", "o/b.css": "", "o/b.txt": "", "o/p/c.css": ""})
    project.configure(ignore=("*", "!*/", "!*.css"))
    assert paths(find(project.config)) == ["/static/a.css", "/static/o/b.css", "/static/o/p/c.css"]


def test_a_pattern_that_spares_a_folder_does_not_let_a_link_out(project: Project) -> None:
    write(project.folder / "outside", {"secret.css": ""})
    (project.folder / "static/css").symlink_to(project.folder / "outside")
    project.configure(ignore=("/*", "!/css/"))
    walk = find(project.config)
    assert (paths(walk), [kind for kind, _, _ in kinds(walk)]) == ([], ["link-out"])


def test_a_pattern_that_is_none_is_an_error_of_the_configuration(project: Project) -> None:
    project.configure(ignore=("!",))
    with pytest.raises(ConfigError, match="none of gitignore's"):
        find(project.config)


def test_what_we_write_is_no_root_and_no_link_leads_there(project: Project) -> None:
    project.write({"a.txt": ""})
    project.configure(roots={"/static/": "static", "/x/": "dist/public"})
    write(project.folder, {"dist/public/b.txt": "", "dist/public/c/d.txt": ""})
    assert kinds(find(project.config)) == [("root-in-dist", "", Severity.ERROR)]
    project.configure(roots={"/": "."})
    (project.folder / "static/pub").symlink_to("../dist/public/c")
    assert paths(find(project.config)) == ["/static/a.txt"]


def test_dist_and_the_cache_are_never_sources(project: Project) -> None:
    project.write({"a.txt": "", "dist/b.txt": "", "cache/c.txt": ""})
    project.configure(dist="static/dist", cache="static/cache")
    assert paths(find(project.config)) == ["/static/a.txt"]


def test_a_link_within_the_root_counts_as_what_it_points_to(project: Project) -> None:
    project.write({"real/a.txt": "a"})
    static = project.folder / "static"
    (static / "b.txt").symlink_to("real/a.txt")
    (static / "alias").symlink_to("real")
    walk = find(project.config)
    assert paths(walk) == ["/static/alias/a.txt", "/static/b.txt", "/static/real/a.txt"]
    assert walk.problems == ()


def test_links_that_loop_lead_out_or_lead_nowhere_are_reported_and_not_followed(project: Project) -> None:
    outside = write(project.folder / "secret", {"key": "x"})
    project.write({"a/b/c.txt": ""})
    static = project.folder / "static"
    (static / "a/b/up").symlink_to("../..")
    (static / "self").symlink_to("self")
    (static / "out").symlink_to(outside)
    (static / "passwd").symlink_to("/etc/passwd")
    (static / "gone").symlink_to("nothing")
    walk = find(project.config)
    assert paths(walk) == ["/static/a/b/c.txt"]
    assert sorted(kinds(walk)) == [
        ("bad-link", "static/gone", Severity.WARNING),
        ("bad-link", "static/self", Severity.WARNING),
        ("link-loop", "static/a/b/up", Severity.WARNING),
        ("link-out", "static/out", Severity.WARNING),
        ("link-out", "static/passwd", Severity.WARNING),
    ]


def test_two_folders_that_link_to_each_other_end(project: Project) -> None:
    project.write({"a/x.txt": "", "b/y.txt": ""})
    (project.folder / "static/a/b").symlink_to("../b")
    (project.folder / "static/b/a").symlink_to("../a")
    walk = find(project.config)
    assert "/static/a/b/y.txt" in walk.sources
    assert {kind for kind, _, _ in kinds(walk)} == {"link-loop"}


def test_a_root_that_is_itself_a_link_is_walked(project: Project) -> None:
    write(project.folder / "real", {"a.txt": ""})
    (project.folder / "link").symlink_to("real")
    project.configure(roots={"/static/": "link"})
    assert paths(find(project.config)) == ["/static/a.txt"]


def test_of_the_folders_of_a_prefix_the_first_wins_and_the_shadowed_is_noted(project: Project) -> None:
    write(project.folder, {"one/a.txt": "1", "two/a.txt": "2", "two/b.txt": ""})
    project.configure(roots={"/static/": ("one", "two")})
    walk = find(project.config)
    assert Path(walk.sources[next(p for p in walk.sources if p.endswith("a.txt"))].file).read_bytes() == b"1"
    assert kinds(walk) == [("shadowed", "two/a.txt", Severity.NOTE)]


def test_two_sources_at_one_path_under_different_prefixes_are_an_error(project: Project) -> None:
    write(project.folder, {"one/bp/a.txt": "1", "two/a.txt": "2"})
    project.configure(roots={"/static/": "one", "/static/bp/": "two"})
    assert kinds(find(project.config)) == [("two-sources", "two/a.txt", Severity.ERROR)]


def test_one_file_reached_by_two_roots_is_no_problem(project: Project) -> None:
    write(project.folder, {"one/bp/a.txt": "1"})
    project.configure(roots={"/static/": "one", "/static/bp/": "one/bp"})
    walk = find(project.config)
    assert (paths(walk), walk.problems) == (["/static/bp/a.txt"], ())


def test_names_that_differ_only_in_case_are_a_warning(project: Project) -> None:
    project.write({"Logo.png": "a", "logo.png": "b"})
    assert kinds(find(project.config)) == [("case-clash", "static/logo.png", Severity.WARNING)]


def test_names_that_are_one_in_nfc_are_an_error(project: Project) -> None:
    project.write({unicodedata.normalize("NFC", "ü.txt"): "a", unicodedata.normalize("NFD", "ü.txt"): "b"})
    if len(list((project.folder / "static").iterdir())) == 1:
        pytest.skip("this file system takes the two names for one")
    (problem,) = find(project.config).problems
    assert (problem.kind, problem.severity) == ("two-sources", Severity.ERROR)


def test_a_missing_root_is_named_with_what_to_do(project: Project) -> None:
    project.configure(roots={"/static/": "nowhere"})
    (problem,) = find(project.config).problems
    assert (problem.kind, problem.severity) == ("missing-root", Severity.ERROR)
    assert "the root of /static/ does not exist: nowhere" in problem.text
    assert "--source" in problem.hint


def test_a_root_that_is_a_file_is_told_so(project: Project) -> None:
    write(project.folder, {"file": ""})
    project.configure(roots={"/static/": "file"})
    assert "is not a folder" in find(project.config).problems[0].text


def test_a_pipe_is_not_waited_for(project: Project) -> None:
    os.mkfifo(project.folder / "static" / "pipe")
    assert kinds(find(project.config)) == [("special-file", "static/pipe", Severity.WARNING)]


def test_a_name_that_is_not_utf8_is_an_error(project: Project) -> None:
    name = os.fsencode(project.folder / "static") + b"/a\xff.txt"
    try:
        with open(name, "wb"):
            pass
    except OSError:
        pytest.skip("this file system takes no such name")
    os.mkdir(os.fsencode(project.folder / "static") + b"/d\xff")
    with open(os.fsencode(project.folder / "static") + b"/d\xff/x.txt", "wb"):
        pass
    os.symlink(b"nothing", os.fsencode(project.folder / "static") + b"/l\xff")
    walk = find(project.config)
    assert sorted(kinds(walk)) == [
        ("bad-link", "static/l\ufffd", Severity.WARNING),
        ("bad-name", "static/a\ufffd.txt", Severity.ERROR),
        ("bad-name", "static/d\ufffd/x.txt", Severity.ERROR),
    ]


def test_naming_is_by_pattern(project: Project) -> None:
    project.write({"sw.js": "", "a.js": "", "assets/x-12345678.js": ""})
    project.configure(plain=("sw.js",), tagged=("assets/*-????????.*",))
    found = {path: source.naming for path, source in find(project.config).sources.items()}
    assert found == {
        "/static/sw.js": "plain",
        "/static/a.js": "fingerprint",
        "/static/assets/x-12345678.js": "kept",
    }
