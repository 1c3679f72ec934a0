"""What building costs: cold, with nothing or one file changed, in memory; beside the codecs alone and others.

``python bench/build.py [--quick] [--files 10000] [cold] [rivals] [unchanged] [change] [watch] [memory] [again]`` prints
Markdown; README.md, beside this file, says what it means.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import brotli
import msgspec
import pytest
from PIL import Image
from serving import aligned, is_there, judged, say, show

sys.path.insert(0, str(Path(__file__).parent.parent))

from assetpipe import media
from assetpipe.manifest import MANIFEST, PUBLIC, Asset, Manifest
from assetpipe.transforms.codecs import encode
from tests import npm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from serving import ROWS

PARTS = ("cold", "rivals", "unchanged", "change", "watch", "memory", "again")
HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0))
VITE = "vite@8.3.8"
# What of each package a site would publish; monaco is too much for those who compress on one core.
PACKAGES = {
    "bootstrap@5.3.8": ("dist",),
    "katex@0.16.25": ("dist",),
    "lit@3.3.3": ("",),
    "three@0.187.0": ("build", "examples/jsm"),
    "monaco-editor@0.57.0": ("min",),
}
RIVALS_PACKAGES = ("bootstrap@5.3.8", "katex@0.16.25", "lit@3.3.3")
LONGEST = 900.0  # seconds for one process
CALM = 0.5  # seconds between one change and the next, at least
PATIENCE = 60.0  # seconds for a change to arrive

# In a process of its own, since what a process forks and executes starts with the peak memory of its parent.
LAUNCH = """
import json, resource, subprocess, sys, time
with open(sys.argv[1], "wb") as log:
    began = time.perf_counter()
    code = subprocess.call(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    clock = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([clock, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, code]))
"""


class Run(NamedTuple):
    """One process and those that it started: seconds of the clock and of CPU, bytes of memory at the peak.

    ``peak`` is of the largest of the processes, ``together`` of all of them (sampled; 0 where nobody asked).
    """

    clock: float
    cpu: float
    peak: int
    code: int
    together: int = 0
    said: str = ""


class Compressed(msgspec.Struct):
    """What the codecs alone took, in seconds, and the bytes that they made, by coding or format."""

    clock: float
    cpu: float
    sizes: dict[str, int]


class Contender(NamedTuple):
    """Someone who builds: the command, what is prepared for a first run, and where the outcome lies."""

    title: str
    command: list[str]
    folder: Path
    reset: Callable[[], None]
    output: Path
    lacking: str = ""


# Processes


def run(command: Sequence[str], folder: Path, *, memory: bool = False) -> Run:
    """Run a command in a folder, to its end."""
    with tempfile.NamedTemporaryFile(prefix="assetpipe-bench-log-") as log:
        launched = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", "-c", LAUNCH, log.name, *command], cwd=folder, stdout=subprocess.PIPE
        )
        sampled = [0]
        sampler = threading.Thread(target=sample, args=(launched, sampled))
        if memory:
            sampler.start()
        told, _ = launched.communicate(timeout=LONGEST)
        if memory:
            sampler.join()
        clock, cpu, peak, code = msgspec.json.decode(told, type=tuple[float, float, int, int])
        said = Path(log.name).read_text(errors="replace")
    return Run(clock, cpu, peak, code, sampled[0], said)


def sample(launched: subprocess.Popen[bytes], most: list[int]) -> None:
    """Keep the largest sum of what a process's descendants hold, a page that several share being divided by them."""
    while launched.poll() is None:
        found = [launched.pid]
        for pid in found:
            with suppress(OSError):  # it has ended
                for task in Path(f"/proc/{pid}/task").iterdir():
                    found += [int(child) for child in (task / "children").read_text().split()]
        held = 0
        for pid in found[1:]:
            with suppress(OSError):
                told = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
                held += int(told[1]) * 1024 if told else 0
        most[0] = max(most[0], held)
        time.sleep(0.02)


def assetpipe(*words: str) -> list[str]:
    """A command of ours, as one types it."""
    script = Path(sys.executable).with_name("assetpipe")
    return [str(script), *words] if script.exists() else [sys.executable, "-m", "assetpipe", *words]


def build(project: Path, *words: str, memory: bool = False) -> Run:
    """Run ``assetpipe build``; ends all if it fails."""
    done = run(assetpipe("build", *words), project, memory=memory)
    if done.code:
        raise SystemExit(f"assetpipe build failed in {project}:\n{done.said[-3000:]}")
    return done


def best(runs: Sequence[Run]) -> Run:
    """The run that took the least time."""
    return min(runs, key=lambda one: one.clock)


GONE = Path(tempfile.gettempdir(), f"assetpipe-bench-gone-{os.getpid()}")


def wipe(*folders: Path) -> None:
    """Take folders away. They are deleted in the end: for half a minute after many files were deleted, ext4 takes ten
    times as long to make one, which would be measured in the one that makes files and not in the other.
    """
    for folder in folders:
        if folder.exists():
            GONE.mkdir(exist_ok=True)
            folder.rename(GONE / str(time.monotonic_ns()))


@contextmanager
def deleting_what_is_gone() -> Iterator[None]:
    """Delete at the end of the body what ``wipe`` took away."""
    try:
        yield
    finally:
        shutil.rmtree(GONE, ignore_errors=True)


def manifest_of(dist: Path) -> Manifest:
    """The current release."""
    return msgspec.json.decode((dist / MANIFEST).read_bytes(), type=Manifest)


# Trees

WORDS = (
    "account", "alert", "badge", "bar", "body", "button", "card", "cart", "cell", "field", "foot", "form", "grid",
    "group", "head", "hero", "icon", "image", "input", "item", "label", "link", "list", "main", "menu", "modal", "nav",
    "order", "page",
    "panel", "price", "row", "search", "side", "tab", "table", "text", "title", "toast", "user", "wrap",
)  # fmt: skip
RULES = (
    "color:#{:06x}", "margin:{}px auto", "padding:{}px", "width:{}px", "max-width:{}rem", "font-size:{}px",
    "border:1px solid #{:06x}", "background-color:#{:06x}", "line-height:1.{}", "display:flex", "display:grid",
    "position:absolute", "transition:opacity .{}s ease-in-out", "grid-template-columns:repeat({},minmax(0,1fr))",
    "box-shadow:0 {}px 4px rgba(0,0,0,.2)", "transform:translate({}px,0)",
)  # fmt: skip
# Of a hundred files.
MIX = {".css": 30, ".js": 26, ".txt": 10, ".json": 5, ".svg": 4, ".bin": 21, ".png": 2, ".jpg": 2}


@cache
def kinds() -> tuple[str, ...]:
    """The suffixes of a hundred files, in the order that every hundred has."""
    every = [suffix for suffix, count in MIX.items() for _ in range(count)]
    random.Random(7).shuffle(every)  # noqa: S311 (that it repeats is the point)
    return tuple(every)


def place(number: int) -> str:
    """The path of a file of the generated tree; a hundred lie in four neighbouring folders."""
    return f"d{number // 500}/e{number // 25}/f{number}{kinds()[number % 100]}"


def neighbours(number: int, suffixes: tuple[str, ...]) -> list[int]:
    """Those of the same hundred that have one of the suffixes."""
    first = number - number % 100
    return [first + n for n, suffix in enumerate(kinds()) if suffix in suffixes]


def named(number: int) -> str:
    """A file as its neighbours refer to it."""
    return f"../e{number // 25}/f{number}{kinds()[number % 100]}" if number // 25 % 20 else f"/static/{place(number)}"


def sheet(chance: random.Random, number: int, size: int) -> str:
    """A style sheet: one in twenty imports the hub, most show a picture or two."""
    lines = ['@import "/static/hub.css";'] if number % 20 == kinds().index(".css") % 20 else []
    written = 0
    pictures = neighbours(number, (".png", ".jpg", ".svg"))
    while written < size:
        rules = [chance.choice(RULES).format(chance.randrange(1, 999)) for _ in range(chance.randrange(1, 6))]
        if chance.random() < 0.04:
            rules.append(f"background:url({named(chance.choice(pictures))}) no-repeat")
        selector = " ".join(f".{chance.choice(WORDS)}-{chance.choice(WORDS)}" for _ in range(chance.randrange(1, 3)))
        lines.append(f"/* {chance.choice(WORDS)} */\n{selector} {{\n  " + ";\n  ".join(rules) + ";\n}")
        written += len(lines[-1])
    return "\n".join(lines) + "\n"


def script(chance: random.Random, number: int, size: int) -> str:
    """A module: it imports from those of the same hundred that come later, three deep at most."""
    modules = neighbours(number, (".js",))
    level = modules.index(number) % 4
    below = [one for n, one in enumerate(modules) if n % 4 == level + 1]
    lines = [f'import {{ start as s{one} }} from "{named(one)}";' for one in chance.sample(below, min(2, len(below)))]
    lines.append("export function start(state) { return state; }")
    written = 0
    while written < size:
        a, b, c = (chance.choice(WORDS) for _ in range(3))
        lines.append(
            f"// {a} of the {b}\nexport function {a}{b.title()}{len(lines)}(state, {c}) {{\n"
            f"  if (!{c} || state.{b} > {chance.randrange(999)}) {{\n    return state.{a}Of({c}, '{b}-{a}');\n  }}\n"
            f"  const {a}Next = state.{b}.map((one) => one.{c} + {chance.randrange(99)});\n"
            f"  return {{ ...state, {b}: {a}Next, {c} }};\n}}"
        )
        written += len(lines[-1])
    return "\n".join(lines) + "\n"


def drawing(chance: random.Random, size: int) -> str:
    """An SVG of paths."""
    paths: list[str] = []
    while sum(map(len, paths)) < size:
        points = " ".join(f"{chance.randrange(2400) / 10:g} {chance.randrange(2400) / 10:g}" for _ in range(12))
        paths.append(f'<path fill="#{chance.randrange(16**6):06x}" d="M{points}z"/>')
    return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240">\n' + "\n".join(paths) + "\n</svg>\n"


def picture(chance: random.Random, width: int, height: int, name: str) -> bytes:
    """A photograph's soft colours with grain (JPEG), or flat ones with sharp edges (PNG)."""
    small = Image.frombytes("RGB", (8, 5), chance.randbytes(120))
    out = io.BytesIO()
    if name == "PNG":
        image = small.resize((width, height), Image.Resampling.NEAREST)
        for _ in range(40):
            box = (chance.randrange(width), chance.randrange(height))
            image.paste(tuple(chance.randbytes(3)), (*box, box[0] + width // 8, box[1] + height // 9))
        image.save(out, "PNG")
    else:
        grain = Image.frombytes("L", (256, 256), chance.randbytes(1 << 16)).resize((width, height)).convert("RGB")
        Image.blend(small.resize((width, height), Image.Resampling.BICUBIC), grain, 0.12).save(out, "JPEG", quality=90)
    return out.getvalue()


def content(number: int, scale: float) -> bytes:
    """The bytes of one file of the generated tree: 500 to 9,000 of text, for ``scale`` 1."""
    chance = random.Random(number)  # noqa: S311
    suffix = kinds()[number % 100]
    size = int(chance.choice((500, 1500, 3000, 5000, 9000)) * scale)
    if suffix == ".css":
        return sheet(chance, number, size).encode()
    if suffix == ".js":
        return script(chance, number, size).encode()
    if suffix == ".txt":
        return " ".join(chance.choice(WORDS) + str(chance.randrange(99)) for _ in range(size // 7)).encode()
    if suffix == ".json":
        rows = [{"name": chance.choice(WORDS), "price": chance.randrange(9999)} for _ in range(size // 30)]
        return msgspec.json.encode(rows)
    if suffix == ".svg":
        return drawing(chance, size).encode()
    if suffix == ".bin":
        return chance.randbytes(size)
    return picture(chance, 240, 160, "PNG" if suffix == ".png" else "JPEG")


class Lab:
    """Where projects are laid out, each once."""

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick

    def generated(self, count: int, scale: float = 1) -> Path:
        """A project of ``count`` generated files, of which all but the pictures grow by ``scale``; and the hub."""
        project = self.folder / f"generated-{count}-{scale:g}"
        if not project.exists():
            say(f"generating {count:,} files")
            static = project / "static"
            for number in range(count):
                file = static / place(number)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content(number, scale))
            (static / "hub.css").write_bytes(hub(0))
            configure(project)
        return project

    def packages(self, specs: Sequence[str]) -> Path:
        """A project of packages from npm. Raises what ``tests.npm`` does where they cannot be had."""
        project = self.folder / f"packages-{len(specs)}"
        if not project.exists():
            for spec in specs:
                source = npm.package(spec)
                for part in PACKAGES[spec]:
                    into = project / "static" / "vendor" / source.name / part
                    shutil.copytree(source / part, into, ignore=shutil.ignore_patterns("node_modules", ".*"))
            configure(project)
        return project

    def bare(self, project: Path, name: str) -> Path:
        """A copy of a project's sources, for someone who leaves things beside them."""
        copy = self.folder / f"{project.name}-{name}"
        if not copy.exists():
            shutil.copytree(project / "static", copy / "static")
        return copy


def hub(edit: int) -> bytes:
    """The style sheet that one in twenty imports."""
    return f":root {{\n  --edit: {edit};\n  --ink: #222;\n}}\n".encode()


def configure(project: Path, text: str = "") -> None:
    """Write the configuration; without one, all is as it comes."""
    (project / "assetpipe.toml").write_text(text)


def size_of(folder: Path) -> tuple[int, int]:
    """The files in a folder, and their bytes."""
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return len(sizes), sum(sizes)


# Cold, and the codecs alone


def cold(project: Path, *, memory: bool = False) -> Run:
    """Build with neither cache nor releases."""
    wipe(project / "dist", project / ".assetpipe")
    return build(project, memory=memory)


def work_of(project: Path) -> Path:
    """What the codecs had to do for a release: each text as it was published, each picture, once each."""
    texts, images = {}, {}
    for path, asset in manifest_of(project / "dist").assets.items():
        if asset.size and media.is_compressible(asset.type):
            texts[asset.sha256] = (str(project / "dist" / PUBLIC / asset.stored[1:]), asset.size)
        elif asset.type in ("image/png", "image/jpeg"):
            images[asset.sha256] = (str(project / path[1:]), asset.size)
    file = project / "work.json"
    file.write_bytes(msgspec.json.encode((list(texts.values()), list(images.values()))))
    return file


def compress(file: str) -> dict[str, int]:
    """Both encodings of one text; their sizes, where they are worth it."""
    data = Path(file).read_bytes()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    sizes = {
        "br": len(brotli.compress(data, quality=11)),
        "gzip": 18 + len(deflate.compress(data)) + len(deflate.flush()),
    }
    return {coding: size for coding, size in sizes.items() if size <= 0.95 * len(data)}


def convert(file: str) -> dict[str, int]:
    """The WebP of one picture, if it is smaller; its size."""
    data = Path(file).read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        transparent = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA")
        lossless = image.format == "PNG"
        made = encode(
            image.convert("RGBA" if transparent else "RGB"), "webp", 80, profile=None, lossless_source=lossless
        )
    return {"webp": len(made)} if len(made) < len(data) else {}


def codecs(work: str) -> None:
    """Do that work and no other, in this process, over all cores, the largest first; print what it took."""
    texts, images = msgspec.json.decode(Path(work).read_bytes(), type=tuple[list[tuple[str, int]], ...])
    tasks = [(size, compress, file) for file, size in texts] + [(size, convert, file) for file, size in images]
    tasks.sort(key=lambda task: -task[0])
    Image.init()
    sizes: dict[str, int] = {}
    clock, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(CORES) as pool:
        for made in pool.map(lambda task: task[1](task[2]), tasks):
            for name, size in made.items():
                sizes[name] = sizes.get(name, 0) + size
    done = Compressed(time.perf_counter() - clock, time.process_time() - cpu, sizes)
    sys.stdout.buffer.write(msgspec.json.encode(done))


def codecs_alone(work: Path) -> Compressed:
    """What the codecs take in a fresh process, its start left out."""
    program = f"import sys; sys.path.insert(0, {str(HERE)!r}); import build; build.codecs(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", program, work], check=True, stdout=subprocess.PIPE)  # noqa: S603
    return msgspec.json.decode(done.stdout, type=Compressed)


def made_of(project: Path) -> dict[str, int]:
    """The bytes that a release has of each coding and format, each content counted once."""
    once: dict[tuple[str, str], int] = {}
    for asset in manifest_of(project / "dist").assets.values():
        once |= {(name, asset.sha256): one.size for name, one in asset.encodings.items()}
        once |= {(one.type.removeprefix("image/"), asset.sha256): one.size for one in asset.renditions}
    sizes: dict[str, int] = {}
    for (name, _), size in once.items():
        sizes[name] = sizes.get(name, 0) + size
    return sizes


def from_cold(lab: Lab, files: int, rounds: int) -> Iterator[str]:
    """Builds with neither cache nor dist, by turns with the codecs alone on the same bytes."""
    rows: list[ROWS] = []
    goals = []
    projects = {f"{files:,} generated files": lab.generated(files)}
    try:
        specs = list(PACKAGES)[:1] if lab.quick else list(PACKAGES)
        projects[", ".join(spec.rpartition("@")[0] for spec in specs)] = lab.packages(specs)
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        yield f"No packages from npm: {error}"
        yield ""
    for title, project in projects.items():
        ours, theirs = [], []
        for n in range(rounds):
            ours.append(cold(project))
            work = work_of(project)
            theirs.append(codecs_alone(work))
            say(f"cold: {title}: {n + 1} of {rounds}: {ours[-1].clock:.2f} s, codecs {theirs[-1].clock:.2f} s")
        clock, cpu = median(one.clock for one in ours), median(one.cpu for one in ours)
        alone, alone_cpu = median(one.clock for one in theirs), median(one.cpu for one in theirs)
        made, remade = made_of(project), theirs[-1].sizes
        configure(project, "compress.encodings = []\nimages.formats = []\n")
        rest = cold(project)
        configure(project)
        count, size = size_of(project / "static")
        told = {f"{title}: assetpipe build": (clock, cpu), "the codecs alone": (alone, alone_cpu)}
        told["assetpipe build without codecs"] = (rest.clock, rest.cpu)
        rows += [
            (name, f"{one:.2f}", f"{one / alone:.2f}", f"{used:.2f}", f"{used / alone_cpu:.2f}")
            for name, (one, used) in told.items()
        ]
        least, least_alone = min(one.clock for one in ours), min(one.clock for one in theirs)
        goals.append(judged(f"- goal: at most 1.15 times the codecs ({title}, medians)", clock / alone, 1.15))
        goals.append(judged(f"- goal: at most 1.15 times the codecs ({title}, least)", least / least_alone, 1.15))
        spread = f"builds of {least:.2f} to {max(one.clock for one in ours):.2f} s"
        same = "the same bytes came out" if made == remade else f"NOT the same bytes: {made} and {remade}"
        goals.append(f"- {title}: {count:,} files, {size / 1e6:.1f} MB; {spread}; {same}")
    yield f"Medians of {rounds}, by turns, {CORES} cores; of the build the whole process."
    yield ""
    yield from aligned(("", "clock, s", "to codecs", "CPU, s", "to codecs"), rows)
    yield ""
    yield from goals


# Others


def ours_as(lab: Lab, project: Path, title: str, name: str, text: str) -> Contender:
    """Ours, in a configuration."""
    folder = lab.bare(project, name)
    configure(folder, text)
    command = assetpipe("build")
    return Contender(title, command, folder, lambda: wipe(folder / "dist", folder / ".assetpipe"), folder / "dist")


def static_digest(lab: Lab, project: Path, title: str, name: str, left_out: Sequence[str]) -> Contender:
    """flask-static-digest: it writes beside the sources."""
    folder = lab.bare(project, name)
    (folder / "site_app.py").write_text(
        "from flask import Flask\n"
        "from flask_static_digest import FlaskStaticDigest\n"
        "app = Flask(__name__, static_folder='static')\n"
        "app.config['FLASK_STATIC_DIGEST_COMPRESSION'] = ['gzip', 'brotli']\n"
        f"app.config['FLASK_STATIC_DIGEST_BLACKLIST_FILTER'] = {list(left_out)!r}\n"
        "FlaskStaticDigest().init_app(app)\n"
    )
    lacking = "" if is_there("flask_static_digest") else "`pip install flask-static-digest`"

    def reset() -> None:
        wipe(folder / "static")
        shutil.copytree(project / "static", folder / "static")

    command = [sys.executable, "-m", "flask", "--app", "site_app", "digest", "compile"]
    return Contender(title, command, folder, reset, folder / "static", lacking)


def collectstatic(lab: Lab, project: Path, title: str) -> Contender:
    """Django's collectstatic with WhiteNoise's storage."""
    folder = lab.bare(project, "django")
    (folder / "site_settings.py").write_text(
        "SECRET_KEY = 'of a benchmark'\n"
        "INSTALLED_APPS = ['django.contrib.staticfiles']\n"
        f"STATIC_URL, STATIC_ROOT = '/static/', {str(folder / 'collected')!r}\n"
        f"STATICFILES_DIRS = [{str(folder / 'static')!r}]\n"
        "STORAGES = {'staticfiles': {'BACKEND': 'site_storage.Storage'}}\n"
        "WHITENOISE_KEEP_ONLY_HASHED_FILES = True\n"
        "from whitenoise.compress import Compressor\n"
        "WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, 'bin')\n"
    )
    (folder / "site_storage.py").write_text(
        "from whitenoise.storage import CompressedManifestStaticFilesStorage\n\n\n"
        "class Storage(CompressedManifestStaticFilesStorage):\n"
        "    support_js_module_import_aggregation = True\n"
        "    max_post_process_passes = 50\n\n"
        "    def hashed_name(self, name, content=None, filename=None):\n"
        "        try:\n"
        "            return super().hashed_name(name, content, filename)\n"
        "        except ValueError:  # a reference to nothing, which would end it\n"
        "            return name\n"
    )
    missing = [name for name in ("django", "whitenoise") if not is_there(name)]
    lacking = f"`pip install {' '.join(missing)}`" if missing else ""
    words = ("collectstatic", "--noinput", "--settings=site_settings", "--pythonpath=.")
    command = [sys.executable, "-m", "django", *words]
    return Contender(title, command, folder, lambda: wipe(folder / "collected"), folder / "collected", lacking)


def vite(lab: Lab, project: Path, title: str) -> Contender:
    """Vite: modules and style sheets are entries of their own, all else is taken as it is."""
    folder = lab.bare(project, "vite")
    lacking, program = "", ""
    try:
        package = npm.package(VITE, optional=True)
        program = str(package / "bin" / "vite.js")
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        lacking = str(error)
    (folder / "index.html").write_text('<!doctype html><title>x</title><script type="module" src="/main.js"></script>')
    (folder / "main.js").write_text(
        "window.code = import.meta.glob(['./static/**/*.{js,mjs}']);\n"
        "window.sheets = import.meta.glob('./static/**/*.css');\n"
        "window.rest = import.meta.glob(['./static/**/*', '!./static/**/*.{js,mjs,css}'],\n"
        "  {query: '?url', import: 'default', eager: true});\n"
    )
    (folder / "vite.config.mjs").write_text(
        "export default {\n"
        "  logLevel: 'error',\n"
        "  build: {outDir: 'built', assetsInlineLimit: 0, minify: false, cssMinify: false, manifest: true,\n"
        "    reportCompressedSize: false, modulePreload: false, target: 'esnext',\n"
        "    rollupOptions: {external: (id) => !/^[./\\0]|^vite|^[A-Z]:|main\\.js$/.test(id)}},\n"
        "};\n"
    )
    command = [shutil.which("node") or "node", program, "build"]
    return Contender(title, command, folder, lambda: wipe(folder / "built"), folder / "built", lacking)


def contenders(lab: Lab, project: Path) -> list[Contender]:
    """All who build the same tree; ours is set to what each of them does."""
    same = "minify = false\nimages.formats = []\n"
    binary = [".bin", ".png", ".jpg", ".woff", ".woff2"]
    return [
        ours_as(lab, project, "assetpipe, as it comes", "ours", ""),
        ours_as(lab, project, "assetpipe, no WebP, not minified", "same", same),
        ours_as(lab, project, "assetpipe, and no codings", "plain", same + "compress.encodings = []\n"),
        static_digest(lab, project, "flask-static-digest", "digest", []),
        static_digest(lab, project, "flask-static-digest, texts alone", "digest-texts", binary),
        collectstatic(lab, project, "collectstatic, WhiteNoise"),
        vite(lab, project, "Vite (compresses nothing)"),
    ]


def beside_rivals(lab: Lab, files: int, rounds: int) -> Iterator[str]:
    """First and second runs of all, on the same trees."""
    projects = {f"{files:,} generated files": lab.generated(files)}
    specs = RIVALS_PACKAGES[:1] if lab.quick else RIVALS_PACKAGES
    with suppress(pytest.skip.Exception, pytest.fail.Exception):
        projects[", ".join(spec.rpartition("@")[0] for spec in specs)] = lab.packages(specs)
    for title, project in projects.items():
        everyone = contenders(lab, project)
        first: dict[str, list[Run]] = {one.title: [] for one in everyone}
        second: dict[str, list[Run]] = {one.title: [] for one in everyone}
        for n in range(rounds):
            for one in everyone:
                if one.lacking or any(done.code for done in first[one.title]):
                    continue
                one.reset()
                first[one.title].append(run(one.command, one.folder))
                second[one.title].append(run(one.command, one.folder))
                times = f"{first[one.title][-1].clock:.2f} s, then {second[one.title][-1].clock:.2f} s"
                say(f"rivals: {title}: {n + 1} of {rounds}: {one.title}: {times}")
        yield f"{title}, the faster of {rounds} runs by turns:"
        yield ""
        rows: list[ROWS] = []
        remarks = []
        yardstick = best(first[everyone[1].title])
        for one in everyone:
            if one.lacking or best(first[one.title]).code:
                said = one.lacking or f"failed: {last_line(best(first[one.title]).said)}"
                remarks.append(f"- {one.title}: {said}")
                rows.append((one.title, *("–" * 7)))
                continue
            done, again = best(first[one.title]), best(second[one.title])
            count, size = size_of(one.output)
            rows.append(
                (
                    one.title,
                    f"{done.clock:.2f}",
                    f"{done.cpu:.2f}",
                    f"{done.clock / yardstick.clock:.2f}",
                    f"{again.clock:.2f}",
                    f"{done.peak / 1e6:.0f}",
                    f"{count:,}",
                    f"{size / 1e6:.1f}",
                )
            )
        head = ("", "clock, s", "CPU, s", "to ours", "second run, s", "peak, MB", "files then", "MB then")
        yield from aligned(head, rows)
        yield ""
        yield from remarks
        if remarks:
            yield ""


def last_line(said: str) -> str:
    """The end of what a program had to say."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"`{lines[-1][:200]}`" if lines else "without a word"


# Nothing changed


def git(project: Path, *words: str) -> None:
    """Run git in a project."""
    options = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "gc.auto=0")
    subprocess.run(["git", *options, *words], cwd=project, check=True, stdout=subprocess.DEVNULL)  # noqa: S603, S607


def built(lab: Lab, files: int) -> Path:
    """The generated project, built and settled: nothing is too young to be trusted."""
    project = lab.generated(files)
    if not (project / "dist" / MANIFEST).exists():
        say("building it")
        build(project)
        time.sleep(2.5)
        build(project)
    return project


def with_nothing_changed(lab: Lab, files: int, rounds: int) -> Iterator[str]:
    """``assetpipe build`` by turns with ``git status``."""
    project = built(lab, files)
    commands = {
        "assetpipe build": assetpipe("build"),
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    if shutil.which("git") is None:
        yield "git is missing: `apt-get install git`."
        yield ""
    else:
        (project / ".gitignore").write_text("dist*/\n.assetpipe/\nwork.json\n")
        git(project, "init", "--quiet")
        git(project, "add", "--all")
        git(project, "commit", "--quiet", "--message=All")
        commands = {"git status": ["git", "status"], **commands}
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for n in range(rounds + 2):
        for name, command in commands.items():
            done = run(command, project)
            if done.code:
                raise SystemExit(f"{name}: {done.said}")
            if n >= 2:  # the first ones settle the index
                runs[name].append(done)
    clocks = {name: median(one.clock for one in several) for name, several in runs.items()}
    least = {name: min(one.clock for one in several) for name, several in runs.items()}
    yardstick = "git status" if "git status" in runs else "python -c pass"
    rows = [
        (
            name,
            f"{clocks[name] * 1000:.0f}",
            f"{least[name] * 1000:.0f}",
            f"{median(one.cpu for one in several) * 1000:.0f}",
            f"{clocks[name] / clocks[yardstick]:.2f}",
            f"{least[name] / least[yardstick]:.2f}",
        )
        for name, several in runs.items()
    ]
    yield f"{files:,} files, whole processes, {rounds} of each by turns."
    yield ""
    head = ("", "median, ms", "least, ms", "CPU, ms", f"to {yardstick}, medians", "least")
    yield from aligned(head, rows)
    if yardstick == "git status":
        yield ""
        for kind, times in (("medians", clocks), ("least", least)):
            ratio = times["assetpipe build"] / times["git status"]
            yield judged(f"- goal: at most 4 times git status ({kind})", ratio, 4)
    say(f"unchanged: {', '.join(f'{name} {clock * 1000:.0f} ms' for name, clock in clocks.items())}")


# One file changed


class Edit:
    """Changes one style sheet again and again, and knows whether a release has the last change."""

    def __init__(self, project: Path, dist: Path, name: str) -> None:
        self.file = project / "static" / name
        self.path = f"/static/{name}"
        self.dist = dist
        self.text = self.file.read_bytes()
        self.number = 0

    def save(self) -> None:
        """Write the file anew, in place."""
        self.number += 1
        self.file.write_bytes(self.text + b".edit { --edit: %d }\n" % (1000 + self.number))

    def arrived(self) -> bool:
        """Whether the current release has the change, and whatever refers to the file its new name."""
        assets = manifest_of(self.dist).assets
        mine = assets[self.path]
        if b"--edit: %d" % (1000 + self.number) not in self.read(mine):
            return False
        referring = [asset for asset in assets.values() if self.path in asset.refs]
        name = mine.url.rpartition("/")[2].encode()
        return all(name in self.read(asset) for asset in (*referring[:1], *referring[-1:]))

    def read(self, asset: Asset) -> bytes:
        """What was published of an asset."""
        return (self.dist / PUBLIC / asset.stored[1:]).read_bytes()

    def restore(self) -> None:
        """Leave it as it was."""
        self.file.write_bytes(self.text)


def leaf(project: Path) -> str:
    """A style sheet that nothing refers to and that refers to pictures."""
    return next(
        place(n)
        for n in range(2000)
        if place(n).endswith(".css")
        and b"url(" in (data := (project / "static" / place(n)).read_bytes())
        and b"@import" not in data
    )


def importers(project: Path) -> int:
    """How many refer to the hub."""
    return sum("/static/hub.css" in asset.refs for asset in manifest_of(project / "dist").assets.values())


def with_one_changed(lab: Lab, files: int, rounds: int) -> Iterator[str]:
    """``assetpipe build`` in a fresh process after each change."""
    project = built(lab, files)
    rows: list[ROWS] = []
    titles = {
        leaf(project): "a style sheet that nothing refers to",
        "hub.css": f"one that {importers(project):,} others import",
    }
    for name, title in titles.items():
        edit = Edit(project, project / "dist", name)
        runs = []
        for _ in range(rounds):
            edit.save()
            runs.append(build(project))
            assert edit.arrived()
        edit.restore()
        build(project)
        clock, cpu = median(one.clock for one in runs), median(one.cpu for one in runs)
        least = min(one.clock for one in runs)
        rows.append((title, *(f"{one * 1000:,.0f}" for one in (clock, least, cpu))))
        say(f"change: {title}: {clock * 1000:.0f} ms")
    yield f"{files:,} files, a fresh process for each of {rounds} changes."
    yield ""
    yield from aligned(("", "median, ms", "least, ms", "CPU, ms"), rows)


@contextmanager
def watching(project: Path, dist: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``assetpipe watch`` until it is no longer needed."""
    with log.open("wb") as out:
        watch = subprocess.Popen(  # noqa: S603
            assetpipe("watch", "--dist", str(dist)), cwd=project, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    try:
        ends = time.monotonic() + 300
        while not (dist / MANIFEST).exists():
            if watch.poll() is not None or time.monotonic() > ends:
                raise SystemExit(f"assetpipe watch does not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
        time.sleep(2)
        yield watch
    finally:
        watch.send_signal(signal.SIGINT)
        try:
            watch.wait(15)
        except subprocess.TimeoutExpired:
            watch.kill()
            watch.wait()


def stamp(file: Path) -> tuple[int, int]:
    """What tells one manifest from the next."""
    told = file.stat()
    return told.st_ino, told.st_mtime_ns


def latency(edit: Edit) -> float:
    """Seconds from before a change is written until the release that has it is swapped in."""
    file = edit.dist / MANIFEST
    last = stamp(file)
    began = time.perf_counter()
    edit.save()
    while (now := time.perf_counter()) - began < PATIENCE:
        if (new := stamp(file)) != last:
            if edit.arrived():
                return now - began
            last = new
        time.sleep(0.0005)
    raise SystemExit(f"assetpipe watch has not published a change within {PATIENCE:.0f} s")


def under_watch(lab: Lab, files: int, rounds: int, seconds: float) -> Iterator[str]:
    """The time from the save to the swap, while watching."""
    project = built(lab, files)
    dist = project / "dist-watch"
    wipe(dist)
    rows: list[ROWS] = []
    goals = []
    titles = {
        leaf(project): "a style sheet that nothing refers to",
        "hub.css": f"one that {importers(project):,} others import",
    }
    log = lab.folder / "watch.log"
    chance = random.Random(3)  # noqa: S311
    with watching(project, dist, log) as watch:
        for name, title in titles.items():
            edit = Edit(project, dist, name)
            for _ in range(3):
                latency(edit)
                time.sleep(CALM)
            times: list[float] = []
            ends = time.monotonic() + seconds
            before = cpu_of(watch.pid)
            while len(times) < rounds and (len(times) < 5 or time.monotonic() < ends):
                times.append(latency(edit))
                time.sleep(CALM + chance.random() / 5)
            cpu = (cpu_of(watch.pid) - before) / len(times)
            edit.restore()
            time.sleep(CALM)
            times.sort()
            high = times[math.ceil(0.95 * len(times)) - 1]
            cells = (f"{1000 * one:,.0f}" for one in (median(times), high, times[-1], cpu))
            rows.append((title, f"{len(times)}", *cells))
            if name != "hub.css":
                goals.append(judged("- goal: swapped within 100 ms (median, ms)", 1000 * median(times), 100))
                goals.append(judged("- goal: swapped within 100 ms (p95, ms)", 1000 * high, 100))
            say(f"watch: {title}: {median(times) * 1000:.0f} ms, p95 {high * 1000:.0f}, most {times[-1] * 1000:.0f}")
    wipe(dist)
    yield f"{files:,} files; from before the file is written to the rename of `manifest.json`, with the change in it."
    yield ""
    yield from aligned(("", "changes", "median, ms", "p95, ms", "most, ms", "CPU of each, ms"), rows)
    yield ""
    yield from goals


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has taken, and those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


# Memory


def in_memory(lab: Lab, files: int) -> Iterator[str]:
    """The peak of cold builds of more and of larger files."""
    few = files // 10
    projects = {
        f"{few:,} files": lab.generated(few),
        f"{4 * few:,} files": lab.generated(4 * few),
        f"{files:,} files": lab.generated(files),
        f"{few:,} files, four times as large": lab.generated(few, 4),
    }
    photograph = lab.folder / "photograph"
    if not photograph.exists():
        shutil.copytree(projects[f"{few:,} files"] / "static", photograph / "static")
        side = (1200, 800) if lab.quick else (6000, 4000)
        (photograph / "static" / "large.jpg").write_bytes(picture(random.Random(5), *side, "JPEG"))  # noqa: S311
        configure(photograph)
    projects[f"{few:,} files and a photograph of {'1' if lab.quick else '24'} megapixels"] = photograph
    rows: list[ROWS] = []
    peaks, sizes = [], []
    for title, project in projects.items():
        done = cold(project, memory=True)
        count, size = size_of(project / "static")
        index = sum(file.stat().st_size for file in (project / ".assetpipe").iterdir() if file.is_file())
        peaks.append(max(done.together, done.peak))
        sizes.append(size)
        cells = (f"{one / 1e6:.1f}" for one in (size, done.peak, done.together, index))
        rows.append((title, f"{count:,}", *cells))
        say(f"memory: {title}: {done.peak / 1e6:.0f} MB, all {done.together / 1e6:.0f} MB")
    yield "Cold builds. Processes together are sampled 50 times a second, shared pages divided among them."
    yield ""
    head = ("", "files", "sources, MB", "largest process, MB", "together, MB", "log, index, small blobs, MB")
    yield from aligned(head, rows)
    yield ""
    each = (peaks[2] - peaks[0]) / (files - few)
    mean = sizes[2] / files
    yield f"- for each further file {each / 1000:.2f} kB more, of {mean / 1000:.1f} kB that it has on average"
    larger = (peaks[3] - peaks[0]) / (sizes[3] - sizes[0])
    yield f"- for each further byte in as many files {larger:.2f} bytes more"


# And again


def again(lab: Lab, files: int) -> Iterator[str]:
    """What is built again, and of it done again, after this and that."""
    project = built(lab, files)
    rows: list[ROWS] = []

    def measure(title: str) -> None:
        done = build(project, "--json")
        answer, _ = json.JSONDecoder().raw_decode(done.said[done.said.index("{") :])
        worked = answer.get("jobs", "–")
        shown = f"{worked:,}" if isinstance(worked, int) else str(worked)
        rows.append((title, f"{done.clock:.2f}", f"{done.cpu:.2f}", shown))
        say(f"again: {title}: {done.clock:.2f} s, {shown} results made")

    measure("nothing changed, asked in another way")
    measure("nothing changed")
    wipe(project / "dist")
    measure("`dist` deleted")
    for text in ('compress.encodings = ["br"]\n', "images.widths = [120]\n", "minify = false\n"):
        configure(project, text)
        measure(f"`{text.strip()}`")
    configure(project)
    measure("as it was")
    for file in (project / "static").rglob("*"):
        if file.is_file():
            os.utime(file)
    measure("every file touched")
    time.sleep(2.5)
    measure("and then")
    (project / "static" / place(0)).rename(project / "static" / f"renamed{kinds()[0]}")
    measure("one file renamed")
    (project / "static" / f"renamed{kinds()[0]}").rename(project / "static" / place(0))
    wipe(project / ".assetpipe")
    measure("`.assetpipe` deleted")
    yield f"{files:,} files, one after the other."
    yield ""
    yield from aligned(("", "clock, s", "CPU, s", "results made"), rows)


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few files and few rounds: to see that it works")
    parser.add_argument("--files", type=int, help="of the generated tree")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all without")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    quick = options.quick
    files = options.files or (1000 if quick else 10_000)
    if files < 1000 or files % 1000:
        parser.error("--files: a multiple of 1,000")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="assetpipe-bench-") as name, deleting_what_is_gone():
        lab = Lab(Path(name), quick=quick)
        parts: dict[str, tuple[str, Callable[[], Iterator[str]]]] = {
            "unchanged": ("With nothing changed", lambda: with_nothing_changed(lab, files, 3 if quick else 15)),
            "change": ("With one file changed", lambda: with_one_changed(lab, files, 2 if quick else 5)),
            "watch": ("Under watch", lambda: under_watch(lab, files, 5 if quick else 60, 10 if quick else 60)),
            "again": ("Again", lambda: again(lab, files)),
            "cold": ("Cold", lambda: from_cold(lab, files, 1 if quick else 3)),
            "rivals": ("Beside others", lambda: beside_rivals(lab, files // 5, 1 if quick else 2)),
            "memory": ("Memory", lambda: in_memory(lab, files)),
        }
        show([f"CPython {platform.python_version()} on {CORES} cores."])
        for part, (title, measure) in parts.items():
            if part in (options.parts or PARTS):
                show([f"### {title}", "", *measure()])
    say(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
