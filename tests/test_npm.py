"""Real trees: three packages from npm built whole, and our tokenizers held against acorn and css-tree on them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from assetpipe import references
from assetpipe.errors import Severity
from assetpipe.manifest import Manifest
from assetpipe.paths import LogicalPath, resolve
from assetpipe.references.draft import Draft
from assetpipe.verify import verify
from tests import npm
from tests.conftest import Project

PACKAGES = ["bootstrap@5.3.8", "@fortawesome/fontawesome-free@7.1.0", "katex@0.16.25"]
ORACLE = Path(__file__).parent / "oracle.mjs"


def texts(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.is_file() and references.scanner(file.name)]


def whole(draft: Draft) -> bytes:
    return b"".join(p if isinstance(p, bytes) else p.written for p in draft.pieces)


@pytest.mark.parametrize("spec", PACKAGES)
def test_a_package_builds_and_every_reference_leads_to_a_file(project: Project, spec: str) -> None:
    project.configure(roots={"/static/": str(npm.package(spec))})
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
            led = resolve(LogicalPath(asset.url), ref.path)
            if led in urls:
                told += 1
            else:
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
def test_the_tokenizers_agree_with_acorn_and_css_tree(tmp_path: Path, spec: str) -> None:
    """No reference missed or invented; minified text has the syntax tree of its source."""
    for spec_of_oracle in ("acorn@8.15.0", "css-tree@3.1.0"):
        npm.package(spec_of_oracle)
    files, ours = [], []
    for n, file in enumerate(texts(npm.package(spec))):
        scan = references.scanner(file.name)
        assert scan is not None
        text = file.read_bytes()
        draft = scan(text, False)
        assert whole(draft) == text, file
        minified = tmp_path / f"{n}.min"
        minified.write_bytes(whole(scan(text, True)))
        files.append({"file": str(file), "minified": str(minified)})
        ours.append([ref.path + ref.suffix.decode() for ref in draft.refs if ref.kind != "map"])
    (tmp_path / "files.json").write_text(json.dumps(files))
    done = subprocess.run(
        [npm.node(), str(ORACLE), str(npm.FOLDER), str(tmp_path / "files.json")],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any] | None] = json.loads(done.stdout)
    assert sum(len(one["refs"]) for one in told if one) > 0
    for about, mine, truth in zip(files, ours, told, strict=True):
        if truth is None:
            assert b"@flow" in Path(about["file"]).read_bytes(), "what is no JavaScript is Flow's types"
            continue
        assert mine == truth["refs"], about["file"]
        assert truth["same"], about["file"]
