"""What pictures cost a page: the example site's hundred glazes in headless Chromium, before and after.

``python -m bench.gallery [--quick] [desktop] [phone]`` draws and builds them, and prints Markdown tables:

- *before*: ``<img src>`` of the originals, without sizes, from Flask's own static route;
- *served*: the same template, with assetpipe in the app: negotiation alone;
- *pictures*: the page as it is in the repository, with ``asset.picture``.

Each is visited twice, with an empty cache, over a throttled network (that of Lighthouse's defaults): once looking at
what one sees first, for the largest contentful paint, once scrolling to the end while the pictures come, for the bytes
and the layout shift (its worst window, as in Web Vitals).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

from example_site.glazes import BUCKETS
from tests.browser import chromium
from tests.servers import WSGI, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

REPOSITORY = Path(__file__).parent.parent
VARIANTS = ("before", "served", "pictures")
PATIENCE = 400.0  # seconds for one visit
CALM = 2.0  # seconds without any news of the network: then it is over
# The app of a variant: without assetpipe, with it behind templates as one writes them by hand, and as it is.
APP = """
from flask import Blueprint, url_for
from markupsafe import Markup
import example_site


class Plain:
    def picture(self, name, alt, class_="", **_):
        kind = Markup(' class="%s"') % class_ if class_ else ""
        return Markup('<img src="%s" alt="%s"%s>') % (url_for("static", filename=name), alt, kind)

    def stylesheet(self, name):
        return Markup('<link rel="stylesheet" href="%s">') % url_for("static", filename=name)

    def script(self, name, module=False):
        return Markup('<script type="module" src="%s"></script>') % url_for("static", filename=name)

    def preload(self, name):
        return Markup('<link rel="preload" as="font" href="%s" crossorigin>') % url_for("static", filename=name)


if {variant!r} == "before":
    example_site.AssetPipe = lambda: Blueprint("none", __name__)
app = example_site.create_app()
if {variant!r} != "pictures":
    app.jinja_env.globals["asset"] = Plain()
"""
# In every page, before it begins: what it tells of itself, and a reader that goes through it a third of a window at a
# time. (Selenium's own commands would wait for the page to be loaded.)
OBSERVE = """
window.seen = {shifts: [], paint: 0, isThrough: !scrolling};
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) if (!e.hadRecentInput) window.seen.shifts.push([e.startTime, e.value]);
}).observe({type: "layout-shift", buffered: true});
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) window.seen.paint = e.startTime;
}).observe({type: "largest-contentful-paint", buffered: true});
if (scrolling) addEventListener("DOMContentLoaded", () => setInterval(() => {
  scrollBy({top: innerHeight / 3, behavior: "instant"});
  window.seen.isThrough = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
}, 200));
"""


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(text + "\n")


def show(lines: Iterable[str]) -> None:
    """Print a part."""
    sys.stdout.write("\n".join((*lines, "", "")))
    sys.stdout.flush()


class Device(NamedTuple):
    """A window in CSS pixels, its pixel ratio, and a network in bits a second and milliseconds."""

    width: int
    height: int
    ratio: float
    mobile: bool
    throughput: int
    latency: int


DEVICES = {
    "desktop": Device(1440, 900, 1, False, 10_240_000, 40),
    "phone": Device(390, 844, 3, True, 1_638_400, 150),
}


class Visit(NamedTuple):
    """What one visit loaded: requests and bytes over the wire; milliseconds; and how far things moved."""

    requests: int
    received: int
    paint: float
    moved: float


def prepared(folder: Path, buckets: Sequence[str]) -> None:
    """Draw the pictures, build the site, and write the variants of its app."""
    leave_out = shutil.ignore_patterns("dist", ".*", "glazes", "__pycache__")
    shutil.copytree(REPOSITORY / "example_site", folder / "example_site", ignore=leave_out)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    for arguments in (("example_site.draw_glazes", *buckets), ("flask", "--app", "example_site", "assets", "build")):
        command = [sys.executable, "-m", *arguments]
        began = time.monotonic()
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        say(f"{' '.join(arguments)}: {time.monotonic() - began:.0f} s")
    for variant in VARIANTS:
        (folder / f"app_{variant}.py").write_text(APP.format(variant=variant))


def visited(url: str, device: Device, profile: Path, *, scrolling: bool) -> Visit:
    """Go there with an empty cache, and wait until all has come that will."""
    with chromium(profile) as browser:
        run = browser.driver.execute_cdp_cmd
        screen = {"width": device.width, "height": device.height, "deviceScaleFactor": device.ratio}
        run("Emulation.setDeviceMetricsOverride", {**screen, "mobile": device.mobile})
        run("Network.enable", {})
        speed = {"downloadThroughput": device.throughput / 8, "uploadThroughput": device.throughput / 16}
        run("Network.emulateNetworkConditions", {"offline": False, "latency": device.latency, **speed})
        source = OBSERVE.replace("scrolling", str(scrolling).lower())
        run("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        browser.driver.set_page_load_timeout(PATIENCE)
        began = time.monotonic()
        browser.driver.get(url)
        received: dict[str, int] = {}
        asked: set[str] = set()
        seen: dict[str, Any] = {}
        quiet = last = time.monotonic()
        while quiet - last < CALM and quiet - began < PATIENCE:
            entries: Any = browser.driver.get_log("performance")  # type: ignore[no-untyped-call, unused-ignore]
            seen = browser.driver.execute_script("return window.seen")  # type: ignore[no-untyped-call, unused-ignore]
            for entry in entries:
                told = json.loads(entry["message"])["message"]
                parameters = told["params"]
                if told["method"] == "Network.responseReceived" and parameters["response"]["url"].startswith("http"):
                    asked.add(parameters["requestId"])
                elif told["method"] == "Network.loadingFinished" and parameters["requestId"] in asked:
                    received[parameters["requestId"]] = int(parameters["encodedDataLength"])
            quiet = time.monotonic()
            if not seen["isThrough"] or any("Network." in entry["message"] for entry in entries):
                last = quiet
            time.sleep(0.2)
    return Visit(len(asked), sum(received.values()), seen["paint"], worst_window(seen["shifts"]))


def worst_window(shifts: Sequence[tuple[float, float]]) -> float:
    """The cumulative layout shift of Web Vitals: the worst sum of shifts less than 1 s apart, within 5 s."""
    worst = total = first = last = 0.0
    for when, value in sorted(shifts):
        if when - last >= 1000 or when - first >= 5000:
            total, first = 0.0, when
        total, last = total + value, when
        worst = max(worst, total)
    return worst


def table(device: Device, folder: Path) -> Iterator[str]:
    """The lines of a device's table, and what the last column says."""
    head = ("", "requests", "at first, kB", "to the end, kB", "of before", "LCP, s", "CLS")
    rows = []
    whole = 0
    for variant in VARIANTS:
        with serving(WSGI["gunicorn"], f"app_{variant}:app", folder) as server:
            url = f"http://127.0.0.1:{server.port}/glazes"
            first = visited(url, device, folder / f"p{time.monotonic_ns()}", scrolling=False)
            scrolled = visited(url, device, folder / f"p{time.monotonic_ns()}", scrolling=True)
        whole = whole or scrolled.received
        row = (str(scrolled.requests), f"{first.received / 1000:,.0f}", f"{scrolled.received / 1000:,.0f}")
        share = f"{scrolled.received / whole:.1%}"
        rows.append((variant, *row, share, f"{first.paint / 1000:.2f}", f"{scrolled.moved:.3f}"))
        say(f"{variant}: {first} {scrolled}")
    yield from (f"| {' | '.join(row)} |" for row in (head, ("---", *["--:"] * (len(head) - 1)), *rows))


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two buckets of the ten")
    parser.add_argument("devices", nargs="*", help=f"of {', '.join(DEVICES)}; all without")
    options = parser.parse_args()
    if unknown := set(options.devices) - set(DEVICES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    buckets = [bucket.slug for bucket in BUCKETS][: 2 if options.quick else None]
    with tempfile.TemporaryDirectory(prefix="assetpipe-bench-") as name:
        folder = Path(name)
        prepared(folder, buckets)
        originals = [file for file in (folder / "example_site/static/glazes").rglob("*.*g") if file.is_file()]
        size = sum(file.stat().st_size for file in originals)
        show([f"CPython {platform.python_version()}; {len(originals)} pictures of {size / 1e6:.1f} MB together."])
        for device in options.devices or DEVICES:
            told = DEVICES[device]
            speed = f"{told.throughput / 1024 / 1000:.1f} Mbit/s, {told.latency} ms"
            title = f"### A {device}: {told.width} x {told.height} at {told.ratio:g} pixels each, {speed}"
            show([title, "", *table(told, folder)])


if __name__ == "__main__":
    main()
