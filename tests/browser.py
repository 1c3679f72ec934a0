"""A headless Chromium, and what it says of the requests it made."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

INSTALL = "apt-get install chromium chromium-driver"


class Loaded(Struct):
    """One thing that a page loaded, and how."""

    url: str
    kind: str
    status: int = 0
    headers: dict[str, str] = {}
    from_cache: bool = False
    failed: str = ""


class Browser:
    """One window with an empty cache of its own."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def visit(self, url: str) -> list[Loaded]:
        """Go to ``url``, scroll through the page, and wait until it has loaded all it wants."""
        self.driver.get_log("performance")  # type: ignore[no-untyped-call, unused-ignore]
        self.driver.get(url)
        self.driver.execute_script("window.scrollTo(0, document.body.scrollHeight)")  # type: ignore[no-untyped-call, unused-ignore]
        return self.settled()

    def settled(self) -> list[Loaded]:
        """What was loaded since the last question, once nothing more has come for a while."""
        loaded: dict[str, Loaded] = {}
        quiet = time.monotonic()
        deadline = quiet + 20
        while time.monotonic() < deadline and time.monotonic() - quiet < 0.7:
            entries: list[dict[str, Any]] = self.driver.get_log("performance")  # type: ignore[no-untyped-call, unused-ignore]
            for entry in entries:
                message = json.loads(entry["message"])["message"]
                if message["method"].startswith("Network.") and _note(loaded, message["method"], message["params"]):
                    quiet = time.monotonic()
            time.sleep(0.05)
        return list(loaded.values())

    def console(self) -> list[str]:
        """Whatever the console holds, and forget it."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call, unused-ignore]
        return [f"{entry['level']}: {entry['message']}" for entry in entries]


def _note(loaded: dict[str, Loaded], method: str, told: dict[str, Any]) -> bool:
    identity = told.get("requestId", "")
    if method == "Network.requestWillBeSent":
        if not told["request"]["url"].startswith("http"):
            return False
        loaded[identity] = Loaded(told["request"]["url"], told.get("type", ""))
    elif identity not in loaded:
        return False
    elif method == "Network.requestServedFromCache":
        loaded[identity].from_cache = True
    elif method == "Network.responseReceived":
        response = told["response"]
        one = loaded[identity]
        one.status = response["status"]
        one.headers = {name.lower(): value for name, value in response["headers"].items()}
        one.from_cache = one.from_cache or response.get("fromDiskCache", False)
    elif method == "Network.loadingFailed":
        loaded[identity].failed = told["errorText"]
    else:
        return False
    return True


@contextmanager
def chromium(profile: Path, *more: str) -> Iterator[Browser]:
    """Start Debian's Chromium, with ``more`` arguments; skips the test where there is none."""
    binary, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or chromedriver is None:
        pytest.skip(f"needs a browser: {INSTALL}")
    options = Options()
    options.binary_location = binary
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "disable-dev-shm-usage",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "window-size=1280,1600",
        f"user-data-dir={profile}",
        *more,
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
