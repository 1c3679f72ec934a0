"""The same sources give the same dist, whoever builds them and wherever; and a newer codec does its own work again."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import brotli
import pytest
from msgspec import Struct

from tests import pictures
from tests.conftest import write

# How the number of workers is told.
JOBS = "--jobs"
RULES = "".join(f".rule-{n} {{ color: #{n:06x}; margin: {n}px }}\n" for n in range(200))
TOOL = """
import sys
text = open(sys.argv[1], encoding="utf-8").read()
open(sys.argv[2], "w", encoding="utf-8").write(text.replace("$ink", "#123456"))
"""
SOURCES: dict[str, bytes | str] = {
    "assetpipe.toml": f"""
        [imports]
        "lib/" = "/static/js/"
        [images]
        widths = [40]
        [[command]]
        match = "*.scss"
        run = ['{sys.executable}', "tools/fill.py", "{{input}}", "{{output}}"]
    """,
    "tools/fill.py": TOOL,
    "static/css/app.css": '@import "base.css";\n.a { background: url(../img/photo.jpg) }\n' + RULES,
    "static/css/base.css": ":root { --logo: url(../img/logo.png) }\n" + RULES,
    "static/css/ink.scss": ".ink { color: $ink; background: url(../img/müller.svg) }\n" + RULES,
    "static/js/a.js": 'import { b } from "./b.js";\nexport const a = () => b; // a and b import each other\n',
    "static/js/b.js": 'import { a } from "./a.js";\nimport { c } from "lib/c.js";\nexport const b = () => a(c);\n',
    "static/js/c.js": 'export const c = new URL("../img/photo.jpg", import.meta.url);\n',
    "static/js/d.js": 'import "./d.js";\nexport const d = 1;\n',
    "static/img/photo.jpg": pictures.jpeg(120, 80),
    "static/img/logo.png": pictures.png(),
    "static/img/broken.png": b"\x89PNG\r\n\x1a\n and no more",
    "static/img/müller.svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="photo.jpg"/></svg>',
    "static/index.html": '<link rel=stylesheet href=css/app.css><script type=module src="js/a.js"></script>',
    "static/site.webmanifest": '{"icons": [{"src": "img/logo.png"}]}',
    "static/same.txt": RULES,
    "static/same-again.txt": RULES,
    "static/data.bin": random.Random(1).randbytes(3000),
    "static/robots.txt": "User-agent: *\nDisallow:\n",
}
# Put before everything else by Python itself, in every process that it starts.
SHUFFLED = """
import os, random

class Shuffled:
    def __init__(self, entries):
        with entries:
            self.entries = sorted(entries, key=lambda entry: entry.name)
        random.Random(9).shuffle(self.entries)
        self.rest = iter(self.entries)
    def __iter__(self):
        return self
    def __next__(self):
        return next(self.rest)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        pass
    def close(self):
        pass

scandir = os.scandir
os.scandir = lambda *folder: Shuffled(scandir(*folder))
listdir = os.listdir
os.listdir = lambda *folder: random.Random(9).sample(names := sorted(listdir(*folder)), len(names))
"""
COUNTED = """
import os
import brotli, zlib
from PIL import Image, _webp

def counted(name, function):
    def call(*arguments, **named):
        with open(os.environ["CALLS"], "a") as log:
            log.write(name + "\\n")
        return function(*arguments, **named)
    return call

brotli.compress = counted("br", brotli.compress)
zlib.compressobj = counted("gzip", zlib.compressobj)
Image.Image.save = counted("webp", Image.Image.save)
"""
UPGRADES = {
    "br": 'brotli.__version__ = "999.1"\n',
    "gzip": 'zlib.ZLIB_RUNTIME_VERSION = "999.2"\n',
    "webp": '_webp.webpdecoder_version = "999.3"\n',
}


class Circumstances(Struct):
    """What is to make no difference."""

    folder: str = "home"
    mtime: int = 1_700_000_000
    reverse: bool = False
    umask: int = 0o022
    environment: dict[str, str] = {}
    startup: str = ""
    options: tuple[str, ...] = ()


HOME = Circumstances(environment={"LC_ALL": "C.UTF-8", "TZ": "UTC0", "PYTHONHASHSEED": "0"}, options=(JOBS, "2"))
OTHERWISE: dict[str, dict[str, Any]] = {
    "another folder": {"folder": "away/from it/änd much deeper"},
    "other times": {"mtime": 1_234_567_890},
    "files in the future": {"mtime": 4_000_000_000},
    "another order on disk": {"reverse": True, "startup": SHUFFLED},
    "the locale C": {"environment": {"LC_ALL": "C"}},
    "no locale": {"environment": {"LC_ALL": ""}},
    "another time zone": {"environment": {"TZ": "XYZ-13:45"}},
    "another hash seed": {"environment": {"PYTHONHASHSEED": "4711"}},
    "one worker": {"options": (JOBS, "1")},
    "four workers": {"options": (JOBS, "4")},
    "another umask": {"umask": 0o077},
    "optimized bytecode": {"environment": {"PYTHONOPTIMIZE": "2"}},
}  # fmt: skip
OTHERWISE["all of it"] = {
    **{key: value for one in OTHERWISE.values() for key, value in one.items() if key != "environment"},
    "environment": {key: value for one in OTHERWISE.values() for key, value in one.get("environment", {}).items()},
}


def checkout(folder: Path, seen: Circumstances) -> Path:
    """Lay the sources out."""
    project = folder / seen.folder
    for name in sorted(SOURCES, reverse=seen.reverse):
        write(project, {name: SOURCES[name]})
    for n, file in enumerate(sorted(project.rglob("*"))):
        os.utime(file, (seen.mtime + 7 * n, seen.mtime + 7 * n))
    return project


def startup_of(project: Path) -> Path:
    """The folder that Python looks into first, in the processes that build a project."""
    return project.parent / f"{project.name}-startup"


def assetpipe(project: Path, seen: Circumstances, *words: str, **environment: str) -> str:
    """Run a command of assetpipe in a process of its own; what it prints."""
    startup = write(startup_of(project), {"sitecustomize.py": seen.startup})
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "TZ", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-m", "assetpipe", *words],
        cwd=project,
        env={**kept, "PYTHONPATH": str(startup), **seen.environment, **environment},
        umask=seen.umask,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def snapshot(project: Path) -> dict[str, bytes]:
    """Every file of dist but the locks, by its path."""
    dist = project / "dist"
    return {
        str(file.relative_to(dist)): file.read_bytes()
        for file in sorted(dist.rglob("*"))
        if file.is_file() and not file.name.endswith(".lock")
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What comes out at home."""
    project = checkout(tmp_path_factory.mktemp("reproducible"), HOME)
    assetpipe(project, HOME, "build", *HOME.options)
    return snapshot(project)


def test_what_is_compared_has_all_that_a_release_can_have(home: dict[str, bytes]) -> None:
    suffixes = Counter(Path(name).suffix for name in home)
    assert min(suffixes[".br"], suffixes[".gz"]) >= 5
    assert suffixes[".webp"] >= 2
    assert suffixes[".js"] >= 4
    assert any("m%C3%BCller" in name or "müller" in name for name in home)
    assert any(name.startswith("releases/") for name in home)
    ink = next(data for name, data in home.items() if "/ink." in name and name.endswith(".css"))
    assert b"#123456" in ink


@pytest.mark.parametrize("other", OTHERWISE.values(), ids=OTHERWISE)
def test_another_checkout_gives_the_same_dist_byte_for_byte(
    other: dict[str, Any], home: dict[str, bytes], tmp_path: Path
) -> None:
    environment = {**HOME.environment, **other.get("environment", {})}
    seen = Circumstances(**{"options": HOME.options, **other, "environment": environment})
    project = checkout(tmp_path, seen)
    assetpipe(project, seen, "build", *seen.options)
    away = snapshot(project)
    assert away.keys() == home.keys()
    assert [name for name in home if away[name] != home[name]] == []


def test_a_build_from_a_cache_gives_the_same_dist(home: dict[str, bytes], tmp_path: Path) -> None:
    project = checkout(tmp_path, HOME)
    static = project / "static"
    # What was built before must not show: other texts, another file, and the results of all of them in the cache.
    write(static, {"css/base.css": "a{}", "js/b.js": 'import "./a.js"', "gone.css": RULES})
    assetpipe(project, HOME, "build")
    (static / "gone.css").unlink()
    for name in ("css/base.css", "js/b.js"):
        write(static, {name: SOURCES[f"static/{name}"]})
    assetpipe(project, HOME, "build", "--dist", "again")
    (project / "again").rename(tmp_path / "dist")
    assert snapshot(tmp_path) == home


def test_gzip_headers_say_nothing_of_the_machine(home: dict[str, bytes]) -> None:
    headers = {name: data[:10] for name, data in home.items() if name.endswith(".gz")}
    assert headers
    # RFC 1952 section 2.3: deflate, no flags (and so no name), no time, best compression, unknown system.
    told = struct.pack("<BBBBLBB", 0x1F, 0x8B, 8, 0, 0, 2, 255)
    assert set(headers.values()) == {told}


@pytest.mark.parametrize("codec", UPGRADES)
def test_a_newer_codec_does_its_own_work_again_and_no_other(codec: str, tmp_path: Path) -> None:
    project = checkout(tmp_path, HOME)
    (project / "assetpipe.toml").unlink()
    log = tmp_path / "calls"

    def calls(version: str, startup: str) -> Counter[str]:
        # As pip leaves it: other code, and another folder beside it that tells the version.
        write(startup_of(project), {f"codecs-{version}.dist-info/METADATA": f"Version: {version}"})
        log.write_text("")
        assetpipe(project, Circumstances(environment=HOME.environment, startup=startup), "build", CALLS=str(log))
        return Counter(log.read_text().split())

    cold = calls("1", COUNTED)
    assert cold.keys() == UPGRADES.keys()
    built = snapshot(project)
    assert not calls("1", COUNTED)
    assert calls("2", COUNTED + UPGRADES[codec]) == {codec: cold[codec]}
    assert not calls("2", COUNTED + UPGRADES[codec])
    # The older one's results are there yet.
    assert not calls("3", COUNTED)
    assert snapshot(project) == built


def test_the_versions_that_matter_are_those_of_what_is_loaded(tmp_path: Path) -> None:
    startup = COUNTED + "".join(UPGRADES.values())
    told = assetpipe(checkout(tmp_path, HOME), Circumstances(startup=startup), "--version").splitlines()
    assert {"brotli 999.1", "zlib 999.2", "libwebp 999.3"} <= set(told)
    assert f"brotli {brotli.__version__}" not in told
    assert f"Python {sys.version.split()[0]}" in told
