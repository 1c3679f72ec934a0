"""Other projects' own test inputs, fetched when the tests run: our tokenizers must read each as the oracle does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assetpipe import references
from tests import npm
from tests.conftest import write
from tests.drafts import whole

CACHE = npm.FOLDER.parent
POSTCSS = "postcss-parser-tests@8.10.0"
TEST262 = "test262-parser-tests@0.0.5"
# css-tree began as its parser, and no package has css-tree's own fixtures: the last release that came with its tests.
CSSO = "csso@1.3.12"
# The source package of tinycss2 holds css-parsing-tests, which says for each input what its tokens are.
TINYCSS2 = "tinycss2==1.4.0"
LEXER = "node-es-module-lexer"
# Inputs of css-parsing-tests whose URLs hold U+FFFD, for an escape that the text ends in or for U+0000 (CSS Syntax
# sections 4.3.7 and 3.3): no name of a file holds it.
NAMELESS = re.compile(r"url\(a\\\Z|\Aurl\(\0")


def differences(files: list[Path]) -> dict[str, list[str]]:
    """What the oracle finds wrong in these files, by name."""
    verdicts = list(npm.judge(files))
    assert len(verdicts) == len(files) > 0
    return {verdict.file.name: verdict.faults for verdict in verdicts if verdict.faults}


def cases(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(file for file in folder.rglob(pattern) if references.scanner(file.name))


@pytest.mark.parametrize(("spec", "folder"), [(POSTCSS, "cases"), (CSSO, "test/data")])
def test_style_sheets_are_read_as_css_tree_reads_them(spec: str, folder: str) -> None:
    files = cases(npm.package(spec) / folder, "*.css")
    assert differences(files) == {}


@pytest.mark.parametrize("folder", ["pass", "pass-explicit"])
def test_the_programs_of_test262_are_read_as_acorn_reads_them(folder: str) -> None:
    assert differences(cases(npm.package(TEST262) / folder)) == {}


@pytest.mark.parametrize("folder", ["fail", "early"])
def test_what_is_no_program_stays_whole(folder: str) -> None:
    files = cases(npm.package(TEST262) / folder)
    assert len(files) > 100
    for file in files:
        scan = references.scanner(file.name)
        assert scan is not None
        text = file.read_bytes()
        assert whole(scan(text, False)) == text
        # Whatever is left out, nothing is put in, and the order stays.
        kept = iter(re.sub(rb"\s", b"", text))
        assert all(byte in kept for byte in re.sub(rb"\s", b"", whole(scan(text, True)))), file


def test_the_inputs_of_es_module_lexer_are_read_as_acorn_reads_them(tmp_path: Path) -> None:
    """Where acorn does not read them, since they are no programs, the lexer itself is the truth."""
    folder = debian_source(LEXER)
    tests = folder / "_unit.cjs"
    listed = tmp_path / "files.json"
    listed.write_text(json.dumps([str(tests)]))
    (sources,) = npm.oracle(listed, "--inputs")
    assert len(sources) > 50
    write(tmp_path, {f"unit/{n:03}.js": source for n, source in enumerate(sources)})
    assert differences([*cases(tmp_path / "unit"), *cases(folder / "samples")]) == {}


def debian_source(name: str) -> Path:
    """The tests in a source package, fetched from where apt fetches, with lists of our own."""
    folder = CACHE / "debian" / name
    command = f"apt-get source --download-only {name}"
    if (folder / "complete").exists():
        return folder
    if shutil.which("apt-get") is None:
        pytest.skip(f"needs Debian's apt: {command}")
    for part in ("lists/partial", "cache/archives/partial", "parts"):
        (folder / "apt" / part).mkdir(parents=True, exist_ok=True)
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    for n, file in enumerate(sources):
        if file.suffix in (".list", ".sources") and file.is_file():
            text = re.sub(r"(?m)^(deb|Types: *deb)(?=\s)", r"\1-src", file.read_text())
            (folder / "apt" / "parts" / f"{n}{file.suffix}").write_text(text)
    options = [
        "Dir::Etc::SourceList=/dev/null",
        f"Dir::Etc::SourceParts={folder}/apt/parts",
        f"Dir::State::Lists={folder}/apt/lists",
        f"Dir::Cache={folder}/apt/cache",
    ]
    apt = ["apt-get", "--quiet", *(word for option in options for word in ("--option", option))]
    subprocess.run([*apt, "update"], cwd=folder, capture_output=True, timeout=300, check=False)
    done = subprocess.run(
        [*apt, "source", "--download-only", name], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        pytest.fail(f"{command}: {done.stderr}")
    (archive,) = folder.glob("*.orig.tar.*")
    with tarfile.open(archive) as tar:
        for member in tar:
            _, slash, name = member.name.partition("/test/")
            if slash and (test := tar.extractfile(member)):
                write(folder, {name: test.read()})
    shutil.rmtree(folder / "apt")
    (folder / "complete").touch()
    return folder


def parsing_tests(name: str) -> list[tuple[Any, Any]]:
    """The pairs of input and parsed result of one file of css-parsing-tests."""
    folder = CACHE / "pypi"
    stem = TINYCSS2.replace("==", "-")
    archive = folder / f"{stem}.tar.gz"
    if not archive.exists():
        command = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
        done = subprocess.run(
            [sys.executable, *command, TINYCSS2], capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            pytest.fail(f"pip download {TINYCSS2}: {done.stderr}")
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"{stem}/tests/css-parsing-tests/{name}.json")
        assert member is not None
        listed = json.load(member)
    return list(zip(listed[::2], listed[1::2], strict=True))


def urls(parsed: Any) -> Iterator[str]:
    """The URLs in a list of component values, as css-parsing-tests writes them down."""
    if not isinstance(parsed, list):
        return
    match parsed:
        case ["url", str(url), *_]:
            yield url
            return
        case ["function", str(name), *arguments] if name.lower() in ("url", "src"):
            match [one for one in arguments if one != " "]:
                case [["string", str(url)], *_]:
                    yield url
        case ["at-rule", str(name), list(prelude), *_] if name.lower() == "import":
            match [one for one in prelude if one != " "]:
                case [["string", str(url)], *_]:
                    yield url
    for one in parsed:
        yield from urls(one)


def path_of(url: str) -> str:
    """What the URL says of a file of this site; empty where nothing."""
    url = url.strip(" \t\r\n\f")
    return "" if re.match(r"[a-zA-Z][\w+.-]*:|[/\\]{2}", url) else re.split("[?#]", url, maxsplit=1)[0]


@pytest.mark.parametrize(
    "name",
    ["component_value_list", "one_component_value", "declaration_list", "blocks_contents", "rule_list", "stylesheet"],
)
def test_the_urls_of_css_parsing_tests_are_found(name: str) -> None:
    scan = references.scanner("x.css")
    assert scan is not None
    pairs = parsing_tests(name)
    assert len(pairs) > 5
    differ = {}
    for text, parsed in pairs:
        draft = scan(text.encode(), False)
        assert whole(draft) == text.encode()
        found = [ref.path for ref in draft.refs]
        expected = [path for url in urls(parsed) if (path := path_of(url))]
        if NAMELESS.search(text):
            assert found == expected[:-1], "read alike, now"
        elif found != expected:
            differ[text] = (found, expected)
    assert differ == {}
