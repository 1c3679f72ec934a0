"""Real packages from npm, fetched once into ``.cache/npm`` when a test asks for them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / ".cache" / "npm"
INSTALL = "apt-get install nodejs npm"


def node() -> str:
    """The ``node`` command; skips the test where there is none."""
    command = shutil.which("node")
    if command is None or shutil.which("npm") is None:
        pytest.skip(f"needs node and npm: {INSTALL}")
    return command


def package(spec: str) -> Path:
    """The folder of the package ``name@version``; fetched if it is not there yet."""
    node()
    name, _, _ = spec.rpartition("@")
    prefix = FOLDER / spec.strip("@").replace("/", "-")
    folder = prefix / "node_modules" / name
    if not (prefix / "complete").exists():
        prefix.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]
        done = subprocess.run(
            [*command, "--prefix", str(prefix), spec], capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            pytest.fail(f"npm install {spec}: {done.stderr}")
        (prefix / "complete").touch()
    return folder
