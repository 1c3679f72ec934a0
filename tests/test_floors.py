"""The house stands: imports go down only, and a server loads nothing that builds."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import assetpipe
from tests.conftest import Project

PACKAGE = Path(assetpipe.__file__).parent
# docs/design.md draws them. A folder is one room: within it, modules may import each other.
FLOORS = {
    "asgi": 6,
    "uploads": 6,
    "cli": 6,
    "serve": 5,
    "watch": 5,
    "explain": 5,
    "report": 5,
    "stats": 5,
    "build": 4,
    "publish": 4,
    "releases": 4,
    "verify": 4,
    "jobs": 3,
    "link": 3,
    "plan": 3,
    "store": 3,
    "change": 3,
    "missing": 2,
    "sources": 2,
    "dist": 2,
    "references": 2,
    "transforms": 2,
    "workers": 2,
    "config": 1,
    "hints": 1,
    "manifest": 1,
    "patterns": 1,
    "errors": 0,
    "files": 0,
    "inotify": 0,
    "locks": 0,
    "media": 0,
    "paths": 0,
    "progress": 0,
    "unchanged": 0,
    "units": 0,
}
# Where each heavy package may be imported, function-level imports included.
HOMES = {
    "flask": {"serve/extension.py", "serve/views.py", "serve/folders.py", "cli/context.py"},
    "werkzeug": {"serve/extension.py"},
    "markupsafe": {"serve/markup.py", "report/page.py", "uploads/upload.py"},
    "jinja2": {"report/page.py"},
    "click": {"cli/"},
    "watchdog": {"hints.py"},
    "PIL": {"transforms/"},
    "numpy": {"transforms/likeness.py"},
    "brotli": {"transforms/encodings.py"},
    "oxipng": {"transforms/optimize.py"},
    "pathspec": {"patterns.py"},
    "obstore": {"uploads/objects.py"},
    "prometheus_client": {"serve/metrics.py"},
}
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py") or path.parent != PACKAGE
)


def imports(module: Path) -> set[str]:
    """Every module that is imported anywhere in a file, in functions and for type checking, too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            assert node.module is not None
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_imports_go_down_only(module: Path) -> None:
    for name in imports(module):
        parts = name.split(".")
        if parts[0] == "assetpipe" and parts[1] != "__version__" and parts[1] != room(module):
            assert FLOORS[parts[1]] < FLOORS[room(module)], f"{module.name} imports {name}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_heavy_packages_stay_in_their_homes(module: Path) -> None:
    here = str(module.relative_to(PACKAGE))
    for name in imports(module):
        homes = HOMES.get(name.split(".")[0], {here})
        assert any(here.startswith(home) for home in homes), f"{here} imports {name}"


def test_serving_needs_only_the_two_lowest_floors() -> None:
    for module in (PACKAGE / "serve").glob("*.py"):
        for name in imports(module):
            parts = name.split(".")
            # What a view makes in memory is compressed, if it makes any: then, and no sooner.
            compresses = (module.name, name) == ("generated.py", "assetpipe.transforms.encodings")
            if parts[0] == "assetpipe" and parts[1] != "serve" and not compresses:
                assert FLOORS[parts[1]] <= 1, f"{module.name} imports {name}"


def test_every_module_has_a_floor() -> None:
    assert {room(module) for module in MODULES} == set(FLOORS)


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_process_that_serves_an_asset_has_loaded_nothing_that_builds(project: Project) -> None:
    project.write({"a.css": "a{color:red}" * 30})
    url = project.publish().manifest.assets["/static/a.css"].url
    loaded = run(
        """
        import sys
        from flask import Flask
        from assetpipe import AssetPipe
        app = Flask("app")
        app.register_blueprint(AssetPipe(dist=sys.argv[1]))
        reply = app.test_client().get(sys.argv[2], headers={"Accept-Encoding": "br"})
        assert (reply.status_code, reply.headers["Content-Encoding"]) == (200, "br")
        print(*sys.modules)
        """,
        str(project.dist),
        url,
    ).split()
    assert "assetpipe.serve.respond" in loaded
    for heavy in ("PIL", "brotli", "_brotli", "watchdog", "pathspec", "compression", "backports"):
        assert heavy not in loaded
    floors = {name.split(".")[1] for name in loaded if name.startswith("assetpipe.")}
    assert floors <= {"serve", "config", "manifest", "patterns", "errors", "locks", "media", "paths"}


def test_a_build_with_nothing_to_do_loads_no_flask_and_no_image_library(project: Project) -> None:
    project.write({"a.css": "a{color:red}" * 30, "b.txt": "x"})
    script = """
        import os, sys
        from click.testing import CliRunner
        from assetpipe.cli import main
        os.chdir(sys.argv[1])
        assert CliRunner().invoke(main, ["build"]).exit_code == 0
        print(*sys.modules)
    """
    loaded = run(script, str(project.folder)).split()
    for heavy in ("flask", "werkzeug", "watchdog", "PIL.Image"):
        assert heavy not in loaded
