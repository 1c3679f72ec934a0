"""What the tests share: sources as ``dict[str, bytes]``, builds of them, and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from assetpipe import publish
from assetpipe.build import Build, Builder, build
from assetpipe.config import Config
from assetpipe.publish import Published

Files = Mapping[str, bytes | str]


def write(folder: Path, files: Files) -> Path:
    """Write a tree of files, given by their paths."""
    for name, data in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


class Project:
    """A project folder with ``static/``, and what one does with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = Config(base=folder)

    @property
    def dist(self) -> Path:
        return self.config.dist_folder

    def write(self, files: Files) -> None:
        """Write sources below ``static/``."""
        write(self.folder / "static", files)

    def configure(self, **changes: Any) -> None:
        self.config = replace(self.config, **changes)

    def build(self) -> Build:
        return build(self.config)

    def publish(self) -> Published:
        with Builder(self.config) as builder:
            built, published = builder.release(publish.Publisher(self.dist, self.config.keep).publish)
        assert published is not None, built.problems
        return published

    def public(self, path: str) -> bytes:
        """The published bytes of a logical path."""
        manifest = publish.current(self.dist)
        assert manifest is not None
        return (self.dist / "public" / manifest.assets[path].stored[1:]).read_bytes()

    def snapshot(self) -> dict[str, bytes]:
        """Every file of dist but the lock, by its path."""
        return {
            str(file.relative_to(self.dist)): file.read_bytes()
            for file in sorted(self.dist.rglob("*"))
            if file.is_file() and file.name != ".lock"
        }


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    (folder / "static").mkdir(parents=True)
    return Project(folder)


class Answer:
    """What a command printed, and its exit code."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        assert "Traceback" not in self.err, self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture
def assetpipe(project: Project) -> Command:
    """Run ``assetpipe …`` in the project's folder, as a process of its own."""

    def run(*arguments: str, cwd: Path | None = None, module: str = "assetpipe") -> Answer:
        command = [sys.executable, "-m", module, *arguments]
        return Answer(
            subprocess.run(command, cwd=cwd or project.folder, capture_output=True, text=True, timeout=120, check=False)
        )

    return run
