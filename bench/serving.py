"""What serving costs: in process, at the start and over the socket, beside others in the same run.

``python bench/serving.py [--seconds 5] [--connections 64] [--assets 20000] [process] [start] [socket] [soak]`` prints
Markdown; README.md, beside this file, says what it means.
"""

from __future__ import annotations

import argparse
import gc
import http.client
import importlib
import importlib.util
import io
import math
import os
import platform
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from flask import Flask
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from assetpipe import AssetPipe, asgi
from assetpipe.build import build
from assetpipe.config import Config, Keep
from assetpipe.manifest import CODING_SUFFIXES, MANIFEST, PUBLIC, RELEASES, Asset, Encoding, Manifest, Rendition
from assetpipe.paths import Digest
from assetpipe.publish import publish
from assetpipe.serve.releases import Releases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from _typeshed.wsgi import StartResponse, WSGIApplication

PARTS = ("process", "start", "socket", "soak")
# Whose files never change: what assetpipe has tagged.
IMMUTABLE = r"\.[0-9a-f]{12}\.[^./]+$"
KILO = 1024  # bytes of a range
BATCH = 0.06  # seconds of CPU between two looks at the clock: some rounds of our counters
TURNS = 2  # of the contenders on one server
STARTS = 7  # fresh processes of each contender
MARK = "/assetpipe-bench-mark"  # asked for around what strace is to count
ROWS = tuple[str, ...]


class Site(NamedTuple):
    """A published site. The members after ``folder`` are URLs; ``picture`` also answers with ``webp``."""

    folder: Path
    css: str
    picture: str
    webp: str
    video: str

    @property
    def dist(self) -> Path:
        """Where its releases are."""
        return self.folder / "dist"


class Case(NamedTuple):
    """A request. ``theirs`` is what those are asked for who do not negotiate by Accept."""

    title: str
    path: str
    fields: dict[str, str]
    sendfile: bool = True
    revalidates: bool = False
    theirs: str = ""


class Started(msgspec.Struct):
    """One start: seconds of CPU and of the clock, bytes of memory at the peak and afterwards."""

    cpu: float
    clock: float
    peak: int
    kept: int


class Load(NamedTuple):
    """What wrk and /proc say of one run: ``cpu`` are seconds of all the server's processes together."""

    requests: int
    rate: float
    cpu: float
    errors: int
    failed: int


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(text + "\n")


def show(lines: Iterable[str]) -> None:
    """Print a part."""
    sys.stdout.write("\n".join((*lines, "", "")))
    sys.stdout.flush()


def aligned(head: ROWS, rows: Sequence[ROWS]) -> Iterator[str]:
    """Lines of a table, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for number, row in enumerate((head, *rows)):
        first, *others = (
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield f"| {' | '.join((first, *others))} |"
        if not number:
            yield f"|{'-' * (widths[0] + 2)}|{'|'.join('-' * (width + 1) + ':' for width in widths[1:])}|"


def judged(goal: str, got: float, most: float) -> str:
    """Say whether a goal is met."""
    if got <= most:
        return f"{goal}: met ({got:.3f} of {most:.3f})"
    return f"{goal}: missed, by {got / most - 1:.0%} ({got:.3f} of {most:.3f})"


# The contenders


def is_there(package: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(package) is not None


def flask_app(site: Site, *, ours: bool) -> Flask:
    """An application as users have it. Its static folder holds what was published, for its own route."""
    app = Flask("site", root_path=str(site.folder), static_folder=str(site.dist / PUBLIC / "static"))
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 31536000

    @app.get("/")
    def hello() -> str:
        return "Hello"

    if ours:
        app.register_blueprint(AssetPipe(site.dist))
    return app


def empty(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Answer with one byte: what is left is the harness."""
    start_response("200 OK", [("Content-Length", "1")])
    return (b"x",)


def wsgi_app(name: str, site: Site) -> WSGIApplication:
    """The WSGI callable of a contender, as a whole."""
    if name == "harness":
        return empty
    app = flask_app(site, ours=name == "ours")
    if name in ("whitenoise", "servestatic"):
        made: WSGIApplication = front(name, app.wsgi_app, site.dist / PUBLIC)
        return made
    return app.wsgi_app


def front(name: str, app: WSGIApplication, root: Path) -> Any:
    """WhiteNoise or ServeStatic before an application, with the files that we have published."""
    maker = {"whitenoise": "WhiteNoise", "servestatic": "ServeStatic"}[name]
    return getattr(importlib.import_module(name), maker)(app, root=str(root), immutable_file_test=IMMUTABLE)


async def nothing(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
    """Answer all but assets with 404, in ASGI."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def asgi_app(name: str, site: Site) -> Any:
    """The ASGI callable of a contender."""
    if name == "ours":
        return asgi.AssetMiddleware(nothing, asgi.Assets(site.dist))
    root = str(site.dist / PUBLIC)
    return importlib.import_module("servestatic").ServeStaticASGI(nothing, root=root, immutable_file_test=IMMUTABLE)


def at(folder: str) -> Site:
    """The site that is in a folder."""
    told = msgspec.json.decode((Path(folder) / "site.json").read_bytes(), type=list[str])
    return Site(Path(folder), *told)


def make_site(folder: Path) -> Site:
    """Build and publish: a style sheet of 9 kB in Brotli, a picture of 40 kB in WebP, a video of 1 MB."""
    chance = random.Random(1)  # noqa: S311 (that it repeats is the point)
    static = folder / "static"
    static.mkdir(parents=True)
    rules = (f".c{chance.randrange(10**9)}{{color:#{chance.randrange(16**6):06x}}}\n" for _ in range(1150))
    (static / "app.css").write_text("".join(rules))
    (static / "film.mp4").write_bytes(chance.randbytes(1 << 20))
    noise = Image.frombytes("RGB", (56, 40), chance.randbytes(56 * 40 * 3))
    noise.resize((640, 440), Image.Resampling.BICUBIC).save(static / "picture.jpg", quality=92)
    built = build(Config(base=folder))
    publish(built.manifest, built.files, folder / "dist", Keep())
    assets = built.manifest.assets
    picture = assets["/static/picture.jpg"]
    site = Site(
        folder,
        assets["/static/app.css"].url,
        picture.url,
        next(r.url for r in picture.renditions if r.negotiated),
        assets["/static/film.mp4"].url,
    )
    (folder / "site.json").write_bytes(msgspec.json.encode(site[1:], enc_hook=str))
    return site


# In process


class FileWrapper:
    """What a server offers as ``wsgi.file_wrapper``: the file is handed to the kernel, where it is one."""

    def __init__(self, file: BinaryIO, size: int = 8192) -> None:
        self.file = file
        self.size = size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        """Read it."""
        while data := self.file.read(self.size):
            yield data


def ignore(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
    """Take a response's head."""
    return bytes


def consume(answer: Iterable[bytes], null: int) -> int:
    """Take a response's body as gunicorn does, the socket being ``/dev/null``; its length."""
    length = 0
    try:
        if isinstance(answer, FileWrapper):
            with suppress(OSError):  # a part of a file, which is no file to the kernel
                number = answer.file.fileno()
                position = answer.file.tell()
                left = os.fstat(number).st_size - position
                while left and (sent := os.sendfile(null, number, position, left)):
                    position, left, length = position + sent, left - sent, length + sent
                return length
        for chunk in answer:
            length += os.write(null, chunk)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return length


def environ_of(case: Case, name: str, etag: str) -> dict[str, Any]:
    """What a server behind nginx would say of the request."""
    environ: dict[str, Any] = {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.url_scheme": "http",
        "SERVER_SOFTWARE": "bench",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "PATH_INFO": case.path if name == "ours" else case.theirs or case.path,
        "HTTP_HOST": "www.example.com",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
        "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
        "HTTP_ACCEPT": "text/css,*/*;q=0.1",
        "HTTP_REFERER": "https://www.example.com/",
        "HTTP_CONNECTION": "keep-alive",
        **case.fields,
    }
    if case.sendfile:
        environ["wsgi.file_wrapper"] = FileWrapper
    if case.revalidates:
        environ["HTTP_IF_NONE_MATCH"] = etag
    return environ


class Caller:
    """Makes one request of one contender, again and again."""

    def __init__(self, name: str, app: WSGIApplication, case: Case, null: int) -> None:
        self.app = app
        self.null = null
        self.environ = environ_of(case._replace(revalidates=False), name, "")
        self.times: list[float] = []
        if case.revalidates:
            self.environ = environ_of(case, name, self.look().get("etag", ""))
        self.look()

    def look(self) -> dict[str, str]:
        """Make the request once, and remember what came; its header fields."""
        seen: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            seen.append((status, headers))

        answer = self.app({**self.environ, "wsgi.input": io.BytesIO()}, start_response)
        self.length = consume(answer, self.null)
        self.status = seen[0][0][:3]
        return {name.lower(): value for name, value in seen[0][1]}

    def run(self, count: int) -> float:
        """Make the request ``count`` times; seconds of CPU for each."""
        app, environ, null = self.app, self.environ, self.null
        started = time.process_time()
        for _ in range(count):
            told = environ.copy()
            told["wsgi.input"] = io.BytesIO()
            consume(app(told, ignore), null)
        return (time.process_time() - started) / count

    def calibrate(self) -> None:
        """Find how many times fill a batch."""
        self.run(20)
        self.count = max(10, int(BATCH / self.run(100)))

    @property
    def cost(self) -> float:
        """Microseconds of CPU for one request."""
        return median(self.times) * 1e6

    @property
    def spread(self) -> float:
        """How far the middle half of the rounds reaches, as a part of the median."""
        low, _, high = quantiles(self.times, n=4)
        return (high - low) / median(self.times)


def cases(site: Site) -> list[Case]:
    """What is asked for."""
    picture = {"HTTP_ACCEPT": "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"}
    return [
        Case("CSS, br", site.css, {}),
        Case("CSS, br, no file_wrapper", site.css, {}, sendfile=False),
        Case("CSS, 304", site.css, {}, revalidates=True),
        Case("CSS, range", site.css, {"HTTP_RANGE": f"bytes={KILO}-{2 * KILO - 1}"}),
        Case("picture, WebP", site.picture, picture, theirs=site.webp),
        Case("video, 1 MB", site.video, {"HTTP_ACCEPT": "*/*"}),
        Case("video, range", site.video, {"HTTP_ACCEPT": "*/*", "HTTP_RANGE": f"bytes=0-{64 * KILO - 1}"}),
        Case("the app's own page", "/", {"HTTP_ACCEPT": "text/html,*/*;q=0.8"}),
    ]


def in_process(site: Site, seconds: float) -> Iterator[str]:
    """CPU of the WSGI callable for one request, for all contenders by turns."""
    names = ["harness", "ours", *filter(is_there, ("whitenoise", "servestatic")), "flask"]
    yield from (f"{name} is not installed: `pip install {name}`" for name in ("whitenoise", "servestatic")
                if name not in names)  # fmt: skip
    rows, goals, told, spreads, rounds = [], [], [], [], 0
    null = os.open(os.devnull, os.O_WRONLY)
    for case in cases(site):
        callers = {name: Caller(name, wsgi_app(name, site), case, null) for name in names}
        for caller in callers.values():
            caller.calibrate()
        gc.collect()
        ends, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < ends or rounds < 5:
            for caller in callers.values():
                caller.times.append(caller.run(caller.count))
            rounds += 1
        raw = {name: caller.cost for name, caller in callers.items()}
        net = {name: cost - raw["harness"] for name, cost in raw.items()}
        spreads += [caller.spread for caller in callers.values()]
        answers = {name: f"{caller.status}, {caller.length:,} bytes" for name, caller in callers.items()}
        told.append(f"- {case.title}: " + "; ".join(f"{name} {answers[name]}" for name in names[1:]))
        ratios = [
            f"{raw['ours'] / raw[other]:.3f} ({net['ours'] / net[other]:.3f})" if other in raw else "–"
            for other in ("whitenoise", "flask")
        ]
        cells = [f"{raw[name]:.1f} ({net[name]:.1f})" for name in names[1:]]
        rows.append((case.title, f"{raw['harness']:.1f}", *cells, *ratios))
        if case.title == "CSS, br":
            for other, most in (("whitenoise", 1 / 3), ("flask", 1 / 40)):
                if other in raw:
                    for kind, cost in (("raw", raw), ("net", net)):
                        goal = f"- goal: at most 1/{1 / most:.0f} of {other}, {kind}"
                        goals.append(judged(goal, cost["ours"] / cost[other], most))
        elif case.path == "/":
            more = ", ".join(f"{name} {raw[name] - raw['flask']:+.1f} µs" for name in names[1:-1])
            goals.append(f"- on top of the app's own page ({raw['flask']:.0f} µs): {more}")
        say(f"process: {case.title}: {', '.join(f'{name} {cost:.1f} µs' for name, cost in raw.items())}")
    os.close(null)
    yield "µs of CPU for one request, and in brackets without the harness; ratios of ours."
    yield ""
    yield from aligned(("", "harness", *names[1:], "to whitenoise", "to flask"), rows)
    yield ""
    yield from goals
    noise = f"{median(spreads):.0%} of the median, at worst {max(spreads):.0%}"
    yield f"- noise: the middle half of a contender's rounds spans {noise}"
    yield ""
    yield from told


# The start


def large_site(folder: Path, count: int) -> str:
    """Lay out ``count`` assets with two older releases, a tenth of the files new in each; the URL of one."""
    dist = folder / "dist"
    (dist / RELEASES).mkdir(parents=True)
    for n in range(100):
        (dist / PUBLIC / "static" / f"d{n}").mkdir(parents=True)
    manifests = [large_release(count, generation) for generation in range(3)]
    for manifest in manifests:
        (dist / RELEASES / f"{manifest.release}.json").write_bytes(manifest.dump())
    retained = tuple(manifest.release for manifest in manifests[1::-1])
    current = msgspec.structs.replace(manifests[2], retained=retained)
    (dist / MANIFEST).write_bytes(current.dump())
    for manifest in manifests:
        for asset in manifest.assets.values():
            sized = {asset.url: asset.size}
            sized |= {asset.url + CODING_SUFFIXES[name]: one.size for name, one in asset.encodings.items()}
            sized |= {rendition.url: rendition.size for rendition in asset.renditions}
            for url, size in sized.items():
                with (dist / PUBLIC / url[1:]).open("wb") as file:
                    file.truncate(size)
    return next(iter(current.assets.values())).url


def large_release(count: int, generation: int) -> Manifest:
    """One release of the large site: three style sheets with two codings to a picture with a rendition."""
    assets = {}
    for n in range(count):
        digest = Digest.of(f"{n} {generation if n % 10 < generation else 0}".encode())
        folder = f"/static/d{n % 100}"
        if n % 4:
            encodings = {"br": Encoding(900, digest), "gzip": Encoding(1000, digest)}
            assets[f"{folder}/sheet{n}.css"] = Asset(
                url=f"{folder}/sheet{n}.{digest.tag}.css",
                type="text/css; charset=utf-8",
                size=5000,
                sha256=digest,
                encodings=encodings,
                refs=("/static/d0/picture0.png",),
            )
        else:
            webp = Rendition(
                url=f"{folder}/picture{n}.{digest.tag}.webp",
                type="image/webp",
                size=9000,
                sha256=digest,
                width=640,
                height=480,
                negotiated=True,
            )
            assets[f"{folder}/picture{n}.png"] = Asset(
                url=f"{folder}/picture{n}.{digest.tag}.png",
                type="image/png",
                size=20000,
                sha256=digest,
                renditions=(webp,),
                width=640,
                height=480,
            )
    return Manifest(format=1, release=f"release{generation}", prefixes=("/static/",), assets=assets)


def decode(dist: Path, url: str) -> object:
    """Read and decode the manifests, and no more."""
    files = [dist / MANIFEST, *sorted((dist / RELEASES).glob("release[01].json"))]
    return [msgspec.json.decode(file.read_bytes(), type=Manifest) for file in files]


def start_ours(dist: Path, url: str) -> object:
    """Start as our shells do, up to the first resource."""
    releases = Releases(dist)
    table = releases.table()
    assert table is not None
    assert table.lookup(url) is not None
    return releases


def start_front(name: str, dist: Path, url: str) -> object:
    """Start WhiteNoise or ServeStatic, up to the first file."""
    made = front(name, empty, dist / PUBLIC)
    assert url in made.files
    return made


def start(name: str, dist: str, url: str) -> None:
    """Start one contender in this process, which is a fresh one, and print what it took."""
    begin: Callable[[Path, str], object]
    if name == "decode":
        begin = decode
    elif name == "ours":
        begin = start_ours
    else:
        importlib.import_module(name)

        def begin(folder: Path, first: str) -> object:
            return start_front(name, folder, first)

    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = memory("VmRSS")
    exists = Path(MARK).exists()
    clock, cpu = time.perf_counter(), time.process_time()
    kept = begin(Path(dist), url)
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    exists |= Path(MARK).exists()
    started = Started(cpu, clock, memory("VmHWM") - before, memory("VmRSS") - before)
    assert kept
    assert not exists
    sys.stdout.buffer.write(msgspec.json.encode(started))


def memory(field: str) -> int:
    """Bytes of this process's memory."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def file_calls(command: list[str], log: Path) -> int:
    """How many calls that name a file a start makes."""
    subprocess.run(  # noqa: S603
        ["strace", "-f", "-e", "trace=%file", "-o", str(log), *command],  # noqa: S607
        check=True,
        stdout=subprocess.DEVNULL,
    )
    _, between, _ = log.read_text().split(MARK)
    return between.count("\n") - 1  # the line of the mark's own call


def at_start(folder: Path, count: int) -> Iterator[str]:
    """The start of each contender with many assets, in fresh processes by turns."""
    say(f"start: laying out {count:,} assets")
    url = large_site(folder, count)
    dist = folder / "dist"
    stored = sum(1 for file in (dist / PUBLIC).rglob("*") if file.is_file())
    names = ["decode", "ours", *filter(is_there, ("whitenoise", "servestatic"))]
    titles = {"decode": "reading and decoding alone", "ours": "ours, with the first lookup"}
    here = str(Path(__file__).parent)
    program = f"import sys; sys.path.insert(0, {here!r}); import serving; serving.start(*sys.argv[1:])"
    commands = {name: [sys.executable, "-c", program, name, str(dist), url] for name in names}
    runs: dict[str, list[Started]] = {name: [] for name in names}
    for n in range(STARTS):
        for name in names:
            if n >= 3 and runs[name][0].cpu > 1:
                continue
            done = subprocess.run(commands[name], check=True, stdout=subprocess.PIPE)  # noqa: S603
            runs[name].append(msgspec.json.decode(done.stdout, type=Started))
        say(f"start: {n + 1} of {STARTS}: {', '.join(f'{name} {runs[name][-1].cpu:.3f} s' for name in names)}")
    cpu = {name: median(run.cpu for run in runs[name]) for name in names}
    calls: dict[str, int] = {}
    if shutil.which("strace") is None:
        yield "strace is missing: `apt-get install strace`. Calls that name a file are not counted."
        yield ""
    else:
        calls = {name: file_calls(commands[name], folder / "strace") for name in names}
    rows = [
        (
            titles.get(name, name),
            f"{cpu[name] * 1000:,.0f}",
            f"{median(run.clock for run in runs[name]) * 1000:,.0f}",
            f"{cpu[name] / cpu['decode']:.2f}",
            f"{calls[name]:,}" if calls else "–",
            f"{median(run.peak for run in runs[name]) / 1e6:.0f}",
            f"{median(run.kept for run in runs[name]) / 1e6:.0f}",
        )
        for name in names
    ]
    size = sum((dist / file).stat().st_size for file in (MANIFEST, *(f"{RELEASES}/release{n}.json" for n in (0, 1))))
    yield f"{count:,} assets and two older releases: {size / 1e6:.1f} MB of JSON, {stored:,} files in `public`."
    yield ""
    yield from aligned(("", "CPU, ms", "clock, ms", "to decoding", "file calls", "peak, MB", "kept, MB"), rows)
    yield ""
    yield judged("- goal: at most 1.5 times the decoding", cpu["ours"] / cpu["decode"], 1.5)
    if calls:
        few = calls["ours"] < 100
        yield f"- goal: no stat per file: {'met' if few else 'missed'} ({calls['ours']:,} calls for {count:,} assets)"


# Over the socket


class Server(NamedTuple):
    """A server that is to be started: how it is called, and what speaks to it."""

    title: str
    package: str
    interface: str
    contenders: tuple[str, ...]
    command: Callable[[str, int], list[str]]


def module(*words: str) -> list[str]:
    """A command of this Python."""
    return [sys.executable, "-m", *words]


def gunicorn(app: str, port: int) -> list[str]:
    """One worker, four threads."""
    options = ("--worker-class=gthread", "--workers=1", "--threads=4", f"--bind=127.0.0.1:{port}")
    return module("gunicorn", *options, "--log-level=warning", app)


def granian(app: str, port: int, interface: str) -> list[str]:
    """One worker."""
    threads = ("--blocking-threads=4",) if interface == "wsgi" else ()
    options = (f"--interface={interface}", "--host=127.0.0.1", f"--port={port}", "--workers=1", *threads)
    return module("granian", *options, "--log-level=warning", app)


def waitress(app: str, port: int) -> list[str]:
    """Four threads."""
    return module("waitress", f"--listen=127.0.0.1:{port}", "--threads=4", app)


def uvicorn(app: str, port: int) -> list[str]:
    """One worker."""
    return module("uvicorn", "--host=127.0.0.1", f"--port={port}", "--no-access-log", "--log-level=warning", app)


WSGI = ("ours", "whitenoise", "flask")
ASGI = ("ours", "servestatic")
SERVERS = (
    Server("gunicorn gthread", "gunicorn", "wsgi", WSGI, gunicorn),
    Server("granian, WSGI", "granian", "wsgi", WSGI, lambda app, port: granian(app, port, "wsgi")),
    Server("waitress", "waitress", "wsgi", WSGI, waitress),
    Server("granian, ASGI", "granian", "asgi", ASGI, lambda app, port: granian(app, port, "asgi")),
    Server("uvicorn", "uvicorn", "asgi", ASGI, uvicorn),
)
NGINX = """
daemon off; worker_processes 1; error_log stderr error; pid {folder}/nginx.pid; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; root {root};
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  add_header Cache-Control "public, max-age=31536000, immutable";
  server {{
    listen 127.0.0.1:{port};
    location / {{ types {{ video/mp4 mp4; }} }}
    location ~ \\.css$ {{
      types {{ }} default_type text/css;
      add_header Cache-Control "public, max-age=31536000, immutable";
      add_header Content-Encoding br; add_header Vary Accept-Encoding;
      try_files $uri.br =404;
    }}
  }}
}}
"""


def nginx(site: Site) -> Callable[[str, int], list[str]]:
    """The limit: files, and nothing of Python. Debian's nginx knows no Brotli; it is told that the file is such."""

    def command(app: str, port: int) -> list[str]:
        folder = site.folder / "nginx"
        folder.mkdir(exist_ok=True)
        user = "user root;" if os.geteuid() == 0 else ""
        conf = folder / "nginx.conf"
        conf.write_text(NGINX.format(folder=folder, user=user, root=site.dist / PUBLIC, port=port))
        return ["nginx", "-p", str(folder), "-c", str(conf)]

    return command


def processes(pid: int) -> list[int]:
    """A process and all that came from it."""
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process and all that came from it have taken."""
    ticks = 0
    for one in processes(pid):
        with suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[int]:
    """A server as long as it is needed, from when it answers; its pid. Raises OSError where it does not start."""
    log_file = folder / f"{port}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)  # noqa: S603
    try:
        ends = time.monotonic() + 20
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > ends:
                raise OSError(f"{' '.join(command)}: {log_file.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        started = processes(process.pid)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in started[1:]:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def fetch(port: int, url: str) -> str:
    """What comes for a URL, in words: the status, the content-coding, and the length of the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", url, headers={"Accept-Encoding": "br"})
    response = connection.getresponse()
    length = len(response.read())
    connection.close()
    return f"{response.status}, {response.headers.get('Content-Encoding', 'identity')}, {length / 1000:,.0f} kB"


def load(pid: int, port: int, url: str, connections: int, seconds: float) -> Load:
    """Let wrk ask for a URL."""
    before = cpu_of(pid)
    done = subprocess.run(  # noqa: S603
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout=5s", "-H", "Accept-Encoding: br",  # noqa: S607
         f"http://127.0.0.1:{port}{url}"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    cpu = cpu_of(pid) - before
    told = done.stdout
    requests = int(found[1]) if (found := re.search(r"(\d+) requests in", told)) else 0
    rate = float(found[1]) if (found := re.search(r"Requests/sec:\s+([\d.]+)", told)) else 0.0
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", told)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    return Load(
        requests,
        rate,
        cpu,
        sum(map(int, errors.groups())) if errors else 0,
        int(failed[1]) if failed else 0,
    )


def write_apps(site: Site) -> None:
    """Write the modules that servers import, one for each contender and interface."""
    here = str(Path(__file__).parent)
    for interface, names in (("wsgi", WSGI), ("asgi", ASGI)):
        for name in names:
            (site.folder / f"{name}_{interface}.py").write_text(
                f"import sys\nsys.path.insert(0, {here!r})\nimport serving\n"
                f"app = serving.{interface}_app({name!r}, serving.at({str(site.folder)!r}))\n"
            )


def lacking() -> Iterator[str]:
    """What is not there, and how to get it."""
    for tool in ("wrk", "nginx"):
        if shutil.which(tool) is None:
            yield f"{tool} is missing: `apt-get install {tool}`"
    for package in sorted({server.package for server in SERVERS} | {"whitenoise", "servestatic"}):
        if not is_there(package):
            yield f"{package} is not installed: `pip install {package}`"


def over_socket(site: Site, seconds: float, connections: int) -> Iterator[str]:
    """Requests through real servers, the contenders by turns."""
    write_apps(site)
    yield from lacking()
    if shutil.which("wrk") is None:
        return
    rows: list[ROWS] = []
    total, wrong = 0, 0
    servers = [server for server in SERVERS if is_there(server.package)]
    if shutil.which("nginx"):
        servers.append(Server("nginx", "", "", ("the files",), nginx(site)))
    for server in servers:
        names = [n for n in server.contenders if n not in ("whitenoise", "servestatic") or is_there(n)]
        with ExitStack() as stack:
            ports, pids = {name: free_port() for name in names}, {}
            try:
                for name, port in ports.items():
                    command = server.command(f"{name}_{server.interface}:app", port)
                    pids[name] = stack.enter_context(running(command, site.folder, port))
            except OSError as error:
                yield f"{server.title}: did not answer: {error}"
                continue
            for title, url in (("CSS", site.css), ("1 MB", site.video)):
                runs: dict[str, list[Load]] = {name: [] for name in names}
                answers = {name: fetch(port, url) for name, port in ports.items()}
                for _ in range(TURNS):
                    for name, port in ports.items():
                        runs[name].append(load(pids[name], port, url, connections, math.ceil(seconds / TURNS)))
                costs = {name: cost(loads) for name, loads in runs.items()}
                for name, loads in runs.items():
                    errors, failed = sum(one.errors for one in loads), sum(one.failed for one in loads)
                    total, wrong = total + sum(one.requests for one in loads), wrong + errors + failed
                    row = (
                        f"{server.title}: {name}",
                        title,
                        answers[name],
                        f"{median(one.rate for one in loads):,.0f}",
                        f"{costs[name]:.3f}",
                        f"{costs[name] / costs['ours']:.2f}" if costs.get("ours") else "–",
                        f"{errors}",
                        f"{failed}",
                    )
                    rows.append(row)
                    say(f"socket: {' | '.join(row)}")
    head = ("", "file", "answer", "requests/s", "CPU s per 1,000", "to ours", "socket errors", "not 2xx")
    yield from aligned(head, rows)
    yield ""
    yield f"- goal: no error in {total:,} requests: {f'missed, by {wrong}' if wrong else 'met'}"


def cost(loads: Sequence[Load]) -> float:
    """Seconds of CPU for 1,000 requests."""
    requests = sum(one.requests for one in loads)
    return 1000 * sum(one.cpu for one in loads) / requests if requests else math.nan


def soak(site: Site, seconds: float, connections: int) -> Iterator[str]:
    """Ours in gunicorn for a longer time."""
    write_apps(site)
    if shutil.which("wrk") is None or not is_there("gunicorn"):
        yield from lacking()
        return
    port = free_port()
    with running(gunicorn("ours_wsgi:app", port), site.folder, port) as pid:
        got = load(pid, port, site.css, connections, seconds)
    yield (
        f"gunicorn gthread with ours, {connections} connections, {seconds:.0f} s, CSS: {got.requests:,} requests, "
        f"{got.rate:,.0f} a second, {cost([got]):.3f} s of CPU per 1,000, {got.errors} socket errors, "
        f"{got.failed} not 2xx."
    )
    yield ""
    yield f"- goal: no error: {'missed' if got.errors or got.failed else 'met'}"


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="for each request in process, and each run of wrk")
    parser.add_argument("--connections", type=int, default=64, help="of wrk")
    parser.add_argument("--assets", type=int, default=20_000, help="of the manifest at the start")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all without")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    parts = options.parts or PARTS
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="assetpipe-bench-") as name:
        folder = Path(name)
        site = make_site(folder / "site")
        show([f"CPython {platform.python_version()} on {os.cpu_count()} cores."])
        if "process" in parts:
            show(["### In process", "", *in_process(site, options.seconds)])
        if "start" in parts:
            show(["### Start", "", *at_start(folder / "large", options.assets)])
        if "socket" in parts:
            show(["### Over the socket", "", *over_socket(site, options.seconds, options.connections)])
        if "soak" in parts:
            show(["### For longer", "", *soak(site, 6 * options.seconds, options.connections)])
    say(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
