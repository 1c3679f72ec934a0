"""The example site as its visitors get it: built, served by a real server, opened in a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from assetpipe import manifest, publish
from assetpipe.manifest import Manifest
from assetpipe.verify import verify
from tests.browser import Browser, Loaded, chromium

REPOSITORY = Path(__file__).parent.parent
PAGES = ["/", "/journal/"]
BUCKETS = ["noon", "quay"]  # of ten: enough to see by


class Site:
    """A copy of the example site, built and served."""

    def __init__(self, folder: Path, release: Manifest, url: str) -> None:
        self.folder, self.release, self.url = folder, release, url


def copy(folder: Path) -> None:
    """The example site and its configuration, as they are in the repository: without what was drawn or built."""
    leave_out = shutil.ignore_patterns("dist", ".*", "glazes")
    shutil.copytree(REPOSITORY / "example_site", folder / "example_site", ignore=leave_out)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    copy(folder)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    drawing = [sys.executable, "-W", "error", "-m", "example_site.draw_glazes", *BUCKETS]
    subprocess.run(drawing, cwd=folder, env=environment, capture_output=True, timeout=300, check=True)
    flask = [sys.executable, "-m", "flask", "--app", "example_site"]
    built = subprocess.run(
        [*flask, "assets", "build", "--strict"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    release = publish.current(folder / "dist")
    assert release is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*flask, "run", "--port", str(port), "--with-threads"],
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            urlopen(url).close()
            break
        except OSError:
            time.sleep(0.05)
    yield Site(folder, release, url)
    server.terminate()
    server.wait(timeout=20)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "profile") as one:
        yield one


def test_it_has_all_that_a_real_site_has(site: Site) -> None:
    assets = site.release.assets
    suffixes = {Path(path).suffix for path in assets}
    assert suffixes >= {".css", ".js", ".jpg", ".png", ".svg", ".woff2", ".webmanifest"}
    assert {path.rsplit("/", 2)[0] for path in assets} > {"/static", "/journal/static"} or any(
        path.startswith("/journal/") for path in assets
    )
    assert verify(site.folder / "dist").faults == ()
    assert sum(len(asset.refs) for asset in assets.values()) >= 8


def _is_tagged(site: Site, path: str) -> bool:
    return path in {url for a in site.release.assets.values() for url in (a.url, *(r.url for r in a.renditions))}


def _check(site: Site, loaded: list[Loaded]) -> None:
    for one in loaded:
        path = urlsplit(one.url).path
        assert not one.failed, one
        assert one.status in (200, 304), one
        assert one.url.startswith(site.url), one
        if one.kind in ("Document", "Manifest"):
            continue
        assert _is_tagged(site, path), one
        assert one.headers["cache-control"] == "public, max-age=31536000, immutable"
        for asset in site.release.assets.values():
            if asset.url == path and asset.encodings:
                assert one.headers["content-encoding"] == "br", one
            if asset.url == path and any(rendition.negotiated for rendition in asset.renditions):
                assert one.headers["content-type"] == "image/webp", one


def test_a_first_visit_gets_everything_named_compressed_and_converted(site: Site, browser: Browser) -> None:
    loaded = browser.visit(site.url)
    assert browser.console() == []
    _check(site, loaded)
    kinds = {one.kind for one in loaded}
    assert kinds >= {"Document", "Stylesheet", "Script", "Image", "Font"}
    assert any(one.headers.get("content-type") == "image/webp" for one in loaded)
    sheets = [one for one in loaded if one.kind == "Stylesheet"]
    assert len(sheets) >= 2, "the imported sheet, too"
    scripts = [one.url for one in loaded if one.kind == "Script"]
    dynamic = _dynamic_imports(site)
    assert any(urlsplit(url).path in dynamic for url in scripts), "the module that is imported dynamically, too"


def _dynamic_imports(site: Site) -> set[str]:
    """The URLs of the modules that ``app.js`` imports by ``import()``."""
    import re

    found = set()
    for path, asset in site.release.assets.items():
        if path.endswith(".js"):
            text = (site.folder / "dist" / manifest.PUBLIC / asset.url[1:]).read_text()
            for name in re.findall(r"import\(\s*[\"'`]\./([^\"'`]+)", text):
                found.add(asset.url.rpartition("/")[0] + "/" + name)
    return found


def test_a_second_visit_loads_nothing_but_the_page(site: Site, browser: Browser) -> None:
    first = browser.visit(site.url)
    assert len(first) > 10
    browser.driver.get("about:blank")
    second = browser.visit(site.url)
    assert [urlsplit(one.url).path for one in second if not one.from_cache] == ["/"]
    assert len(second) > 5
    assert browser.console() == []


def test_every_page_is_whole_and_the_console_silent(site: Site, browser: Browser) -> None:
    links = {"/"}
    for start in PAGES:
        _check(site, browser.visit(site.url + start))
        anchors = browser.driver.execute_script("return [...document.links].map((a) => a.href)")  # type: ignore[no-untyped-call, unused-ignore]
        links |= {urlsplit(link).path for link in anchors if link.startswith(site.url)}
    assert len(links) >= 8
    for link in sorted(links):
        _check(site, browser.visit(site.url + link))
        broken = browser.driver.execute_script(  # type: ignore[no-untyped-call, unused-ignore]
            "return [...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"
        )
        assert broken == []
    assert browser.console() == []


def test_a_click_loads_the_module_it_needs_and_shows_the_picture_large(site: Site, browser: Browser) -> None:
    browser.visit(f"{site.url}/pots/siesta-jar")
    browser.driver.find_element("css selector", "[data-lightbox]").click()
    loaded = browser.settled()
    _check(site, loaded)
    assert [urlsplit(one.url).path for one in loaded if one.kind == "Script"] == [
        site.release.assets["/static/js/lightbox.js"].url
    ]
    assert browser.driver.find_element("css selector", "dialog.lightbox img").is_displayed()
    browser.driver.find_element("css selector", "dialog.lightbox").click()
    browser.driver.find_element("css selector", "[data-add]").click()
    assert browser.driver.find_element("css selector", "[data-basket-count]").text == "1"
    assert browser.console() == []


def test_the_glaze_room_shows_its_pictures_small_and_nothing_moves_while_they_come(
    site: Site, browser: Browser
) -> None:
    driver = browser.driver
    driver.get("about:blank")
    # Slow enough for the text to be there long before the pictures are; and it counts what moves from the beginning.
    network = {"offline": False, "latency": 80, "downloadThroughput": 400_000, "uploadThroughput": 400_000}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", network)
    counting = """
        window.shifts = [];
        new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((e) => e.value)))
            .observe({type: "layout-shift", buffered: true});
    """
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": counting})
    loaded = browser.visit(f"{site.url}/glazes")
    _check(site, loaded)
    pictures: list[dict[str, Any]] = driver.execute_script(
        """
        return [...document.querySelectorAll("main img")].map((i) => ({
            source: new URL(i.currentSrc).pathname, natural: i.naturalWidth, shown: i.width, complete: i.complete,
            background: getComputedStyle(i).backgroundColor}));
        """
    )
    assert len(pictures) == 11 * len(BUCKETS)
    for one in pictures:
        assert one["complete"], one
        assert one["source"].endswith(".webp"), one
        # As many pixels as are shown, or the next more that were made.
        assert one["shown"] * 0.9 <= one["natural"] <= max(360, one["shown"] * 2), one
        assert one["background"] != "rgba(0, 0, 0, 0)", one
    assert sum(driver.execute_script("return window.shifts")) < 0.01
    assert browser.console() == []


def test_the_glaze_room_says_how_its_pictures_are_drawn_where_they_are_not(tmp_path: Path) -> None:
    copy(tmp_path)
    script = """
        from example_site import create_app
        app = create_app()
        app.testing = True
        print(app.test_client().get("/glazes").text)
    """
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    assert "python -m example_site.draw_glazes" in told
    assert "glazes/" not in told
