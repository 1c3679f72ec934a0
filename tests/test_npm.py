"""Real trees: packages from npm built whole, and our tokenizers held against npm's own parsers on them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from assetpipe import references
from assetpipe.config import Compress
from assetpipe.errors import Severity
from assetpipe.manifest import Manifest
from assetpipe.paths import LogicalPath, resolve
from assetpipe.references.draft import Draft, Ref
from assetpipe.verify import verify
from tests import npm
from tests.conftest import Project, write

PACKAGES = [
    "bootstrap@5.3.8",
    "@fortawesome/fontawesome-free@7.1.0",
    "katex@0.16.25",
    "@material/web@2.5.0",
    "lit@3.3.3",
]
JUDGED = (".css", ".js", ".mjs")


@pytest.mark.parametrize("spec", PACKAGES)
def test_a_package_builds_and_every_reference_leads_to_a_file(project: Project, spec: str) -> None:
    # What is compressed, and how, is another matter.
    project.configure(roots={"/static/": str(npm.package(spec))}, compress=Compress(encodings=("gzip",)))
    built = project.build()
    assert not built.failed
    assert all(problem.severity is not Severity.ERROR for problem in built.problems)
    missing = [problem for problem in built.problems if problem.kind.startswith("missing-")]
    for problem in missing:
        assert problem.line > 0
        assert problem.hint
    manifest = project.publish().manifest
    assert verify(project.dist).faults == ()
    urls = {asset.url for asset in manifest.assets.values()}
    told = 0
    for path, asset in manifest.assets.items():
        scan = references.scanner(path)
        if scan is None:
            continue
        for ref in scan((project.dist / f"public{asset.url}").read_bytes(), False).refs:
            if ref.manner == "module" and not ref.path.startswith(("/", "./", "../")):
                continue  # a bare specifier, which nothing is configured for
            led = resolve(LogicalPath(asset.url), ref.path)
            if led in urls:
                told += 1
            elif led is not None and led.startswith("/static/"):
                assert any(unquote(ref.path) in unquote(problem.text) for problem in missing), (path, ref)
    assert told >= sum(len(asset.refs) for asset in manifest.assets.values()) > 0
    _check_known(spec, manifest)


def _check_known(spec: str, manifest: Manifest) -> None:
    """What anyone can read in the package itself."""
    if spec.startswith("katex"):
        fonts = [ref for ref in manifest.assets["/static/dist/katex.min.css"].refs if "/fonts/" in ref]
        assert len(fonts) == 60
    if spec.startswith("@fortawesome"):
        refs = manifest.assets["/static/css/all.min.css"].refs
        assert "/static/webfonts/fa-solid-900.woff2" in refs
    if spec.startswith("bootstrap"):
        assert "/static/dist/css/bootstrap.min.css.map" in manifest.assets["/static/dist/css/bootstrap.min.css"].refs
        assert "/static/js/src/base-component.js" in manifest.assets["/static/js/src/alert.js"].refs


@pytest.mark.parametrize("spec", PACKAGES)
def test_the_tokenizers_agree_with_npms_parsers(spec: str) -> None:
    """No reference missed or invented, each in its place; minified text has the syntax tree of its source."""
    verdicts = list(
        npm.judge(file for file in sorted(npm.package(spec).rglob("*")) if file.suffix in JUDGED and file.is_file())
    )
    assert {str(verdict.file): verdict.faults for verdict in verdicts if verdict.faults} == {}
    assert sum(verdict.refs for verdict in verdicts) > 0
    for verdict in verdicts:
        assert verdict.parsed or b"@flow" in verdict.file.read_bytes(), "what is no JavaScript is Flow's types"
        assert verdict.lexer == "", verdict.file


@pytest.mark.parametrize(
    ("name", "text"), [("a.js", b"import 'a.js'\nlet b\nc()"), ("a.css", b"a b { background: url(x.png) }")]
)
def test_the_oracle_finds_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: bytes
) -> None:
    """A scanner that misses all, invents one, loses a byte, and leaves out blanks that mean something."""
    file = write(tmp_path, {name: text}) / name
    (right,) = npm.judge([file])
    assert right.faults == []
    invented = Ref("y.png", b"", b" ", "css", 1, 1)
    monkeypatch.setattr(
        references,
        "scanner",
        lambda _name: lambda text, minify: Draft((re.sub(rb"\s", b"", text),) if minify else (b"#", invented, b"")),
    )
    (wrong,) = npm.judge([file])
    assert len(wrong.missed) == len(wrong.invented) == 1
    assert not wrong.identical
    assert wrong.tree == "different"
