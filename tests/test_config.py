from __future__ import annotations

from pathlib import Path

import pytest

from assetpipe.config import Config, load
from assetpipe.errors import ConfigError
from tests.conftest import write


def configured(folder: Path, text: str) -> Config:
    write(folder, {"pyproject.toml": f"[tool.assetpipe]\n{text}"})
    return load(folder)


def test_the_table_s_own_header_has_no_place_in_a_file_of_ours(tmp_path: Path) -> None:
    write(tmp_path, {"assetpipe.toml": "[tool.assetpipe]\ndist = 'out'\n"})
    with pytest.raises(ConfigError, match=r"In assetpipe\.toml the keys stand without \[tool\.assetpipe\]"):
        load(tmp_path)


def test_without_a_file_static_is_built_for_static_into_dist(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert [(root.prefix, root.folder) for root in config.folders()] == [("/static/", tmp_path / "static")]
    assert config.dist_folder == tmp_path / "dist"
    assert config.compress.encodings == ("br", "gzip")
    assert config.images.formats == ("webp",)
    assert config.minify
    assert not config.strict


def test_the_design_s_own_example_is_read(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        """
        dist = "out"
        cache = ".assetpipe"
        ignore = ["*.psd", "drafts/"]
        plain = ["robots.txt", "sw.js"]
        tagged = ["assets/*-????????.*"]
        strict = true
        minify = false
        [tool.assetpipe.roots]
        "/static/" = ["shop/static", "theme"]
        "/admin/" = "flask:sansio"
        [tool.assetpipe.compress]
        encodings = ["br", "gzip", "zstd"]
        [tool.assetpipe.images]
        formats = ["webp", "avif"]
        widths = [480, 960]
        [tool.assetpipe.keep]
        releases = 5
        """,
    )
    folders = [(root.prefix, root.folder) for root in config.folders()]
    assert folders[:2] == [("/static/", tmp_path / "shop/static"), ("/static/", tmp_path / "theme")]
    assert folders[2][1].parts[-2:] == ("flask", "sansio")
    assert config.dist_folder == tmp_path / "out"
    assert (config.keep.releases, config.images.widths, config.strict, config.minify) == (5, (480, 960), True, False)


def test_a_root_is_a_folder_several_or_a_table(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        """
        [tool.assetpipe.roots]
        "/" = "site"
        "/static/" = {folder = "static"}
        "/reports/" = {folder = ["var/reports", "more"], private = true}
        "/reports/old/" = {folder = "old", private = true}
        """,
    )
    assert config.has_public_roots
    assert [(root.prefix, root.folder, root.private) for root in config.folders()] == [
        ("/", tmp_path / "site", False),
        ("/static/", tmp_path / "static", False),
        ("/reports/", tmp_path / "var/reports", True),
        ("/reports/", tmp_path / "more", True),
        ("/reports/old/", tmp_path / "old", True),
    ]


def test_the_file_is_found_upward_and_folders_are_relative_to_it(tmp_path: Path) -> None:
    write(tmp_path, {"assetpipe.toml": "dist = 'out'", "a/b/x": ""})
    assert load(tmp_path / "a" / "b").dist_folder == tmp_path / "out"


def test_a_pyproject_without_our_table_is_passed_by(tmp_path: Path) -> None:
    write(tmp_path, {"assetpipe.toml": "dist = 'out'", "a/pyproject.toml": "[project]\nname = 'x'"})
    assert load(tmp_path / "a").dist_folder == tmp_path / "out"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dst = 'x'", ['unknown key "dst"', 'Did you mean "dist"?']),
        ("[tool.assetpipe.compress]\nencoding = []", ['unknown key "compress.encoding"', '"encodings"']),
        ("releases = 3", ['unknown key "releases"', 'Did you mean "keep.releases"?']),
        ("qqqq = 1", ['unknown key "qqqq"', "Known are: cache, cache_mb, command"]),
        ("base = '/'", ['unknown key "base"']),
        ("dist = 5", ["dist: ", "a string", "a whole number"]),
        ("strict = 'yes'", ["strict: ", "true or false"]),
        ("ignore = '*.psd'", ["ignore: ", "a list"]),
        ("roots = 'static'", ["roots: ", "a table"]),
        ("roots = {'/s/' = 5}", ["roots: ", "a string, a list or a table"]),
        ("roots = {'/s/' = {folder = 's', privat = true}}", ['unknown key "roots.privat"', 'Did you mean "private"?']),
        ("roots = {'/s/' = {private = true}}", ["roots: ", "missing required field `folder`"]),
        ("roots = {'/s/' = {folder = 5}}", ["roots.folder: ", "a string or a list"]),
        ("roots = {'/s/' = {folder = 's', private = 'yes'}}", ["roots.private: ", "true or false"]),
        ("roots = {'s/' = {folder = 's', private = true}}", ['"s/" must begin and end with one slash']),
        (
            "roots = {'/s/' = 's', '/s/x/' = {folder = 'x', private = true}}",
            ['"/s/x/" is private and "/s/" is not', "could be taken for both"],
        ),
        (
            "roots = {'/s/x/' = 's', '/s/' = {folder = 'x', private = true}}",
            ['"/s/" is private and "/s/x/" is not', "a prefix of its own"],
        ),
        ("roots = {'/s/' = 's', '/' = {folder = 'x', private = true}}", ['"/" is private and "/s/" is not']),
        ("compress.encodings = ['brotli']", ['compress.encodings: "brotli" is not known', 'Did you mean "br"?']),
        ("images.formats = ['jpeg']", ['images.formats: "jpeg" is not known', "avif, webp"]),
        ("images.widths = ['480']", ["images.widths: ", "a whole number"]),
        ("images.quality = {wepb = 80}", ['images.quality: "wepb" is not known', 'Did you mean "webp"?']),
        ("images.quality = {webp = 'hihg'}", ['images.quality: "hihg" is not known', 'Did you mean "high"?']),
        ("images.quality = 1.5", ["images.quality: ", "a number from 1 to 100"]),
        ("[tool.assetpipe.images.rule]\nmatch = '*'", ["[[tool.assetpipe.images.rule]]"]),
        ("[tool.assetpipe.command]\nmatch = '*'", ["[[tool.assetpipe.command]]"]),
        ("images.widths = [0]", ["images.widths: "]),
        ("keep.releases = 0", ["keep.releases: "]),
        ("roots = {static = 'static'}", ['"static" must begin and end with one slash', '"/static/"']),
        ("roots = {'/s' = 's'}", ['Write "/s/"']),
        ("roots = {'/a/../b/' = 's'}", ["has a segment that no URL path keeps"]),
        ('dist = "a\\u0000b"', ["NUL"]),
        ("dist = @", ["not a TOML file", "line 2"]),
        ("missing = {csss = 'error'}", ['missing: "csss" is no kind of reference', 'Did you mean "css"?']),
        ("missing = {css = 'eror'}", ['missing: "eror" is not known', 'Did you mean "error"?']),
        ("missing = {'!x.css' = 'warn'}", ['missing."!x.css"', 'without "!"']),
        ("missing = {css = 1}", ["missing: ", "a string"]),
        ("imports = {lit = 'lit.js'}", ['imports."lit": "lit.js" must be the path of a file from the site\'s root']),
        ("imports = {lit = '//cdn/lit.js'}", ['"//cdn/lit.js" must be the path']),
        ("imports = {'./a.js' = '/b.js'}", ['"./a.js" is a path', 'such as "lit"']),
        ("imports = {'lit/' = '/static/lit'}", ['imports."lit/"', "both end in a slash"]),
        ("[[tool.assetpipe.command]]\nmach = '*'\nrun = 'x'", ['unknown key "command.mach"', '"match"']),
        ("[[tool.assetpipe.command]]\nmatch = '*'", ["command: ", "missing required field `run`"]),
        ("[[tool.assetpipe.command]]\nmatch = 1\nrun = 'x'", ["command.match: ", "a string or a list"]),
        ("[[tool.assetpipe.command]]\nmatch = '*'\nrun = ''", ["command: ", "must not be empty"]),
        ("[[tool.assetpipe.command]]\nmatch = '*'\nrun = 'x'\nsuffix = 'css'", ['"css" must begin with a dot']),
        ("[[tool.assetpipe.command]]\nmatch = '*'\nrun = 'x'\nreads = 'y'", ["command.reads: ", "a list"]),
    ],
)
def test_what_is_wrong_is_named_with_file_key_and_nearest_right_name(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        configured(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / 'pyproject.toml'}: ")
    for part in told:
        assert part in str(error.value)


def test_the_project_s_own_package_is_found_without_being_imported(tmp_path: Path) -> None:
    write(tmp_path, {"shop/__init__.py": "raise RuntimeError", "shop/sub/static/a.css": ""})
    (root,) = configured(tmp_path, "roots = {'/s/' = 'shop.sub:static'}").folders()
    assert root.folder == tmp_path / "shop" / "sub" / "static"


def test_a_folder_with_a_colon_is_no_package(tmp_path: Path) -> None:
    (root,) = configured(tmp_path, "roots = {'/s/' = 'a/c:d'}").folders()
    assert root.folder == tmp_path / "a" / "c:d"


def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='there is no package "no_such_package"'):
        configured(tmp_path, "roots = {'/s/' = 'no_such_package:static'}").folders()
