"""What pictures cost at equal quality: photographs and drawings, beside 11ty image (sharp) and cwebp.

``python -m bench.images [--quick] [photographs] [drawings]`` prints Markdown; README.md, beside this file, says what it
means. The pictures come from Debian's packages, by ``apt-get download``, into ``.cache/debian``.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import chain
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image

# Beside this file, whether it is run as a file or as a module.
sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from serving import aligned, say, show
from ssimulacra2 import compute_ssimulacra2

from assetpipe.config import quality_of
from assetpipe.transforms import codecs, images
from assetpipe.transforms.likeness import Original
from tests import npm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from serving import ROWS

    from assetpipe.config import ImageFormat, Quality

PARTS = ("photographs", "drawings")
CACHE = Path(__file__).parent.parent / ".cache" / "debian"
ELEVENTY = "@11ty/eleventy-img@7.0.0"
LARGEST = 1000  # pixels, of the longer side
DAMAGED = 65  # the least score of the photographs at WebP 80, and so what a number promises
# Package, folder in it, and the pictures, in Debian 12. Of the photographs none is a painting or a rendering.
PHOTOGRAPHS = (
    ("lomiri-wallpapers-16.04", "usr/share/backgrounds", r"(?!analog|umang).*_by_.*\.jpg"),  # CC-BY-SA-3.0, -4.0
    ("lomiri-wallpapers-20.04", "usr/share/backgrounds", r"Kleiber.*\.jpg"),  # CC-BY-SA-4.0
    ("mate-backgrounds", "usr/share/backgrounds/mate/nature", r"[A-Z].*\.jpg"),  # CC-BY-SA-4.0, GPL-2+, CC0
    (
        "plasma-workspace-wallpapers",  # LGPL, CC-BY-SA
        "usr/share/wallpapers",
        r"(BytheWater|Co.*|Dark.*|Evening.*|FallenLeaf|Grey|Kite|One.*|Path|summer_1am)/contents/images/2560x1600\.jpg",
    ),
    ("palapeli-data", "usr/share/palapeli/collection", r".*\.jpg"),  # GPL-2+, CC-BY-SA
)
# And how many of them, evenly spread.
DRAWINGS = (
    (
        "gimp-help-en",  # GFDL-1.2+
        "usr/share/gimp/2.0/help/en/images",
        r"(dialogs|preferences|toolbox|menus)/.*\.png",
        50,
    ),
    ("oxygen-icon-theme", "usr/share/icons/oxygen/base/128x128", r".*\.png", 25),  # LGPL-3+
    ("tango-icon-theme", "usr/share/icons/Tango/32x32", r".*\.png", 15),  # public domain
    (
        "plasma-workspace-wallpapers",
        "usr/share/wallpapers",
        r"(Altai|C[al].*|Elarun|Flying.*|IceCold|Kay|Ko.*|Milky.*|Opal|Patak)/contents/images/(51|38|25)[0-9x]*\.png",
        11,
    ),
)
# Its own way, one picture after the other; what it makes is written to the folder.
SCRIPT = """
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { readFileSync, copyFileSync } from "node:fs";
const require = createRequire(process.argv[2] + "/");
const { default: Image } = await import(require.resolve("@11ty/eleventy-img"));
const jobs = JSON.parse(readFileSync(0, "utf8"));
const times = [];
for (const { input, output, folder, format, options } of jobs) {
  const began = performance.now();
  const made = await Image(input, { formats: [format], outputDir: folder, useCache: false, ...options });
  times.push((performance.now() - began) / 1000);
  copyFileSync(made[format][0].outputPath, output);
}
process.stdout.write(JSON.stringify(times));
"""


class Picture(NamedTuple):
    """A picture to be made smaller."""

    file: Path
    media_type: str

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.file.stat().st_size


class Made(NamedTuple):
    """What one made of a picture, and the seconds of the clock that it took."""

    data: bytes
    seconds: float


class Way(NamedTuple):
    """One way to make pictures: of one format, at a quality; None is the tool's own."""

    title: str
    make: Callable[[Sequence[Picture], Quality | None], list[Made]]


# The pictures


def package(name: str) -> Path:
    """The files of a Debian package, fetched once."""
    folder = CACHE / name
    if not (folder / "complete").exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise SystemExit("the pictures are in Debian's packages: this needs apt-get and dpkg-deb")
        say(f"fetching {name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        done = subprocess.run(["apt-get", "download", name], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603, S607
        if done.returncode:
            raise SystemExit(f"apt-get download {name}: {done.stderr.strip()}\nRun apt-get update first.")
        for file in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", file, folder], check=True)  # noqa: S603, S607
            file.unlink()
        (folder / "complete").touch()
    return folder


def found(name: str, folder: str, pattern: str) -> list[Path]:
    """The files of a package in a folder that a pattern matches, aliases aside, in order."""
    top = package(name) / folder
    files = (file for file in top.rglob("*") if file.is_file() and not file.is_symlink())
    matching = [file for file in files if re.fullmatch(pattern, file.relative_to(top).as_posix())]
    if not matching:
        raise SystemExit(f"{name}: this version has no {folder}/{pattern}; Debian 12 has")
    return sorted(matching)


def reduced(file: Path) -> Image.Image:
    """A picture at the size of a page: reduced, so that what its coding did to it is gone."""
    with Image.open(file) as image:
        small = image.convert("RGB")
    small.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return small


def photographs(folder: Path, count: int) -> list[Picture]:
    """Photographs as a camera or a shop gives them: JPEG of quality 95, with all their colour."""
    files = [file for where in PHOTOGRAPHS for file in found(*where)]
    pictures = []
    for number, file in enumerate(spread(files, count)):
        into = folder / f"photograph{number:03}.jpg"
        reduced(file).save(into, "JPEG", quality=95, subsampling="4:4:4", optimize=True)
        pictures.append(Picture(into, "image/jpeg"))
    return pictures


def drawings(folder: Path, share: float) -> list[Picture]:
    """Windows, menus and icons as they are; and pictures that were painted or rendered, reduced."""
    pictures: list[Picture] = []
    for name, where, pattern, count in DRAWINGS:
        # Below that, there is nothing to win.
        files = [file for file in found(name, where, pattern) if file.stat().st_size > 600]
        for file in spread(files, max(1, round(count * share))):
            into = folder / f"drawing{len(pictures):03}.png"
            if name.endswith("wallpapers"):
                reduced(file).save(into, "PNG", optimize=True)
            else:
                shutil.copyfile(file, into)
            pictures.append(Picture(into, "image/png"))
    return pictures


def spread(files: Sequence[Path], count: int) -> list[Path]:
    """So many of the files, evenly spread."""
    count = min(count, len(files))
    return [files[number * len(files) // count] for number in range(count)]


# Those who make them


def ours(picture_format: ImageFormat, pictures: Sequence[Picture], quality: Quality | None) -> list[Made]:
    """What a build makes; where that is no smaller, the original is served."""
    order = images.Order(format=picture_format, quality=quality or quality_of(picture_format))
    found = []
    for one in pictures:
        data = one.file.read_bytes()
        began = time.perf_counter()
        made = images.render(data, one.media_type, [order]).pictures
        found.append(Made(made[0].data if made else data, time.perf_counter() - began))
    return found


def eleventy(
    picture_format: ImageFormat, pictures: Sequence[Picture], quality: Quality | None, *, lossless: bool = False
) -> list[Made]:
    """11ty image."""
    options: dict[str, object] = {}
    if quality is not None or lossless:
        inner = {"lossless": True} if lossless else {"quality": quality}
        options = {f"sharp{picture_format.title()}Options": inner}
    with tempfile.TemporaryDirectory(prefix="assetpipe-bench-") as folder:
        script = Path(folder, "run.mjs")
        script.write_text(SCRIPT)
        outputs = [Path(folder, f"{number}.{picture_format}") for number in range(len(pictures))]
        jobs = [
            {"input": str(one.file), "output": str(output), "folder": folder, "format": picture_format,
             "options": options}
            for one, output in zip(pictures, outputs, strict=True)
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603
            [npm.node(), script, npm.package(ELEVENTY, optional=True)],
            input=json.dumps(jobs).encode(), capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"11ty image: {done.stderr.decode()[-2000:]}")
        times = json.loads(done.stdout)
        return [Made(output.read_bytes(), took) for output, took in zip(outputs, times, strict=True)]


def cwebp(pictures: Sequence[Picture], quality: Quality | None, *, lossless: bool = False) -> list[Made]:
    """``cwebp``, of libwebp."""
    wanted = ["-lossless"] if lossless else [] if quality is None else ["-q", str(quality)]
    made = []
    with tempfile.NamedTemporaryFile(prefix="assetpipe-bench-", suffix=".webp") as out:
        for one in pictures:
            began = time.perf_counter()
            subprocess.run(["cwebp", "-quiet", *wanted, one.file, "-o", out.name], check=True)  # noqa: S603, S607
            took = time.perf_counter() - began
            made.append(Made(Path(out.name).read_bytes(), took))
    return made


def rivals(picture_format: ImageFormat) -> tuple[list[Way], list[str]]:
    """Those who are there, and what the others need."""
    there, lacking = [], []
    try:
        npm.package(ELEVENTY, optional=True)
        there.append(Way("11ty image", partial(eleventy, picture_format)))
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        lacking.append(f"- 11ty image: {error}")
    if picture_format == "webp":
        if shutil.which("cwebp"):
            there.append(Way("cwebp", cwebp))
        else:
            lacking.append("- cwebp: `apt-get install webp`")
    return there, lacking


# Those who judge them


def opened(data: bytes) -> Image.Image:
    """A picture as it is displayed, RGB or RGBA."""
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")


@cache
def original(file: Path) -> Original:
    """The picture that others are held against."""
    return Original(opened(file.read_bytes()))


def our_score(picture: Picture, data: bytes) -> float:
    """The score that our search goes by."""
    return original(picture.file).score(opened(data))


def their_score(picture: Picture, data: bytes) -> float:
    """The score of the package ssimulacra2, by others; over black and over white, the worse.

    With fewer than 256 pixels it weighs what it does not mean to; below that the picture is mirrored.
    """
    pair = [opened(picture.file.read_bytes()), opened(data)]
    if pair[0].mode != pair[1].mode:
        pair = [one.convert("RGBA") for one in pair]
    scores = []
    for ground in ("#000", "#fff") if pair[0].mode == "RGBA" else ("",):
        files = []
        for one in pair:
            seen = one
            if ground:
                seen = Image.new("RGBA", one.size, ground)
                seen.alpha_composite(one)
            missing = [max(0, 256 - side) for side in reversed(one.size)]
            pixels = np.pad(np.asarray(seen.convert("RGB")), ((0, missing[0]), (0, missing[1]), (0, 0)), "symmetric")
            files.append(io.BytesIO())
            Image.fromarray(pixels).save(files[-1], "PNG", compress_level=0)
        scores.append(float(compute_ssimulacra2(*files)))
    return min(scores)


def judged(judge: Callable[[Picture, bytes], float], pairs: Sequence[tuple[Picture, bytes]]) -> list[float]:
    """What a judge says of each pair, on all cores: nothing is timed meanwhile."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(judge, *zip(*pairs, strict=True)))


def distance(picture: Picture, data: bytes) -> float:
    """The distance of butteraugli (3-norm), libjxl's other measure, by its own program: 1 is hardly to be seen."""
    with tempfile.TemporaryDirectory(prefix="assetpipe-bench-") as folder:
        pair = [Path(folder, name) for name in ("a.png", "b.png")]
        for path, one in zip(pair, (picture.file.read_bytes(), data), strict=True):
            opened(one).convert("RGB").save(path, compress_level=1)
        command = ["butteraugli_main", *map(str, pair)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return float(re.search(r"3-norm: ([\d.]+)", done.stdout)[1])  # type: ignore[index]


# Photographs


def matching(way: Way, pictures: Sequence[Picture], target: float, low: int, high: int) -> int | None:
    """The least quality between the two at which the worst of the pictures reaches the target, by our score, if any.

    The hardest are tried first, so that most of what fails is one picture's work.
    """
    ordered = list(pictures)
    most = high
    while high - low > 1:
        number = (low + high) // 2
        reached = True
        for first in range(0, len(ordered), 6):
            some = ordered[first : first + 6]
            scores = [our_score(one, made.data) for one, made in zip(some, way.make(some, number), strict=True)]
            if min(scores) < target:
                reached = False
                worst = some[scores.index(min(scores))]
                ordered.remove(worst)
                ordered.insert(0, worst)
                break
        low, high = (low, number) if reached else (number, high)
        say(f"  {way.title}: {low} to {high}")
    return high if high < most else None


def row(title: str, pictures: Sequence[Picture], made: Sequence[Made], yardstick: int) -> ROWS:
    """What one made of photographs."""
    size = sum(len(one.data) for one in made)
    pairs = list(zip(pictures, (one.data for one in made), strict=True))
    ours_say = [our_score(*pair) for pair in pairs]
    they_say = judged(their_score, pairs)
    far = judged(distance, pairs) if shutil.which("butteraugli_main") else []
    say(f"  {title}: {size / 1000:,.0f} kB, worst {min(they_say):.1f}")
    return (
        title,
        f"{size / 1000:,.0f}",
        f"{size / (yardstick or size):.2f}",
        f"{min(ours_say):.1f}",
        f"{min(they_say):.1f}",
        f"{mean(they_say):.1f}",
        f"{max(far):.2f}" if far else "–",
        f"{mean(one.seconds for one in made):.2f}",
    )


# And between which numbers the one that reaches it with every picture will be.
GOALS: tuple[tuple[ImageFormat, Quality, int, int], ...] = (
    ("webp", "high", 69, 95),
    ("avif", "high", 44, 76),
    ("avif", "visually-lossless", 84, 101),
)
HEAD = ("", "kB", "to ours", "worst", "worst, by others", "mean, by others", "butteraugli, worst", "s each")


def with_photographs(pictures: Sequence[Picture]) -> Iterator[str]:
    """Bytes at a score that every picture reaches."""
    size = sum(one.size for one in pictures)
    yield f"{len(pictures)} photographs, {size / 1000:,.0f} kB of JPEG."
    for picture_format, name, low, high in GOALS:
        say(f"photographs, {picture_format}, {name}")
        assert isinstance(name, str)
        target = codecs.TARGETS[name]
        mine = Way("assetpipe", partial(ours, picture_format))
        there, lacking = rivals(picture_format)
        made = mine.make(pictures, name)
        yardstick = sum(len(one.data) for one in made)
        rows = [row(f'**assetpipe, "{name}"**', pictures, made, yardstick)]
        unable = []
        # At 90 the rivals would take more time than all that is before.
        for way in (mine, *there) if name == "high" else (mine,):
            number = matching(way, pictures, target, low, high)
            if number is None:
                unable.append(f"- {way.title}: its worst picture does not reach {target} at {high - 1}")
            else:
                rows.append(row(f"{way.title} at {number}", pictures, way.make(pictures, number), yardstick))
        if name == "high":
            rows += [
                row(f"{w.title}, as it comes", pictures, w.make(pictures, None), yardstick) for w in (mine, *there)
            ]
        yield ""
        yield f"{picture_format.upper().replace('WEBP', 'WebP')}, every photograph at {target} or more:"
        yield ""
        yield from aligned(HEAD, rows)
        if unable or lacking:
            yield ""
        yield from unable
        yield from lacking


# Drawings


def with_drawings(pictures: Sequence[Picture]) -> Iterator[str]:
    """Bytes and damage."""
    size = sum(one.size for one in pictures)
    yield f"{len(pictures)} drawings, {size / 1000:,.0f} kB of PNG."
    for picture_format in ("webp", "avif"):
        say(f"drawings, {picture_format}")
        kind: ImageFormat = picture_format
        there, lacking = rivals(kind)
        ways: list[tuple[str, list[Made]]] = [("**assetpipe, as it comes**", ours(kind, pictures, None))]
        ways.append(('assetpipe, "high"', ours(kind, pictures, "high")))
        ways.append(('assetpipe, "visually-lossless"', ours(kind, pictures, "visually-lossless")))
        ways += [(f"{way.title}, as it comes", way.make(pictures, None)) for way in there]
        if picture_format == "webp":
            exact = {"11ty image": partial(eleventy, "webp", lossless=True), "cwebp": partial(cwebp, lossless=True)}
            ways += [(f"{way.title}, lossless", exact[way.title](pictures, None)) for way in there]
        yardstick = sum(len(one.data) for one in ways[0][1])
        rows: list[ROWS] = []
        for title, made in ways:
            pairs = list(zip(pictures, (one.data for one in made), strict=True))
            scores = judged(their_score, pairs)
            total = sum(len(one.data) for one in made)
            say(f"  {title}: {total / 1000:,.0f} kB, worst {min(scores):.1f}")
            rows.append(
                (
                    title,
                    f"{total / 1000:,.0f}",
                    f"{total / yardstick:.2f}",
                    f"{sum(len(data) > one.size for one, data in pairs)}",
                    f"{sum(score < DAMAGED for score in scores)}",
                    f"{min(scores):.1f}",
                    f"{mean(scores):.1f}",
                    f"{mean(one.seconds for one in made):.2f}",
                )
            )
        yield ""
        yield f"{picture_format.upper().replace('WEBP', 'WebP')}:"
        yield ""
        head = ("", "kB", "to ours", "larger than the original", f"under {DAMAGED}", "worst", "mean", "s each")
        yield from aligned(head, rows)
        if lacking:
            yield ""
        yield from lacking


def print_lines(title: str, lines: Iterator[str]) -> None:
    """Print a part as far as it is."""
    for line in chain((title, ""), lines):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    sys.stdout.write("\n")


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few pictures: to see that it works")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all without")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="assetpipe-bench-") as name:
        folder = Path(name)
        told = ", ".join(f"{library} {number}" for library, number in codecs.libraries().items())
        show([f"CPython {platform.python_version()}, {told}; {ELEVENTY.strip('@')}, ssimulacra2 of PyPI."])
        if "photographs" in (options.parts or PARTS):
            print_lines("### Photographs", with_photographs(photographs(folder, 8 if options.quick else 1000)))
        if "drawings" in (options.parts or PARTS):
            print_lines("### Drawings", with_drawings(drawings(folder, 0.2 if options.quick else 1)))
    say(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
