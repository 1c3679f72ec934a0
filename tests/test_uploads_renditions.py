"""Renditions that are made when they are first asked for: signed, once, in a bounded queue."""

from __future__ import annotations

import asyncio
import errno
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.errors import ConfigError
from assetpipe.uploads import Folder, Uploads
from assetpipe.uploads.names import Signer, Variant, parse, variant
from assetpipe.uploads.turns import Busy, Turns
from tests import pictures, servers
from tests.test_uploads import PDF, SECRET, SVG, Answer, Site

OTHER = "another secret, of some length"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "uploads", formats=(), allow=("image/jpeg", "image/png", "image/svg+xml", "application/pdf"))


def made(site: Site) -> list[str]:
    """The pictures that were made."""
    return [file for file in site.files() if file.endswith((".webp", ".avif"))]


# Signatures


def test_a_rendition_of_any_width_is_made_when_it_is_asked_for(site: Site) -> None:
    upload = site.store.add(pictures.jpeg(640, 400))
    assert made(site) == []
    told: list[tuple[dict[str, Any], tuple[int, int], str]] = [
        ({"width": 320}, (320, 200), "image/webp"),
        ({"width": 320, "format": "avif"}, (320, 200), "image/avif"),
        ({"width": 100, "quality": 30}, (100, 62), "image/webp"),
        ({"width": 90, "crop": "1:1", "gravity": "north"}, (90, 90), "image/webp"),
        ({"width": 9000, "crop": "1:1"}, (400, 400), "image/webp"),
        ({}, (640, 400), "image/webp"),
    ]
    for wanted, size, kind in told:
        answer = site.get(site.store.url(upload, **wanted))
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert abs(pictures.opened(answer.body).height - size[1]) <= 1
        assert pictures.opened(answer.body).width == size[0]
        assert site.get(site.store.url(upload.id, **wanted)) == answer
    assert len(made(site)) == 6


def test_nothing_is_scaled_up(site: Site) -> None:
    upload = site.store.add(pictures.jpeg(64, 40))
    own = site.get(site.store.url(upload))
    assert pictures.opened(own.body).size == (64, 40)
    for width in (64, 65, 640, 99_999):
        assert site.get(site.store.url(upload, width=width)).body == own.body
    assert len(made(site)) == 1


def test_where_the_original_has_fewer_bytes_it_is_the_answer(site: Site) -> None:
    """It has at least the pixels that were asked for, and costs the visitor less."""
    data = pictures.saved(pictures.photograph(64, 40), "JPEG", quality=5)
    upload = site.store.add(data)
    answer = site.get(site.store.url(upload, quality=100))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.body == site.get(upload.url).body
    assert made(site) == []


def test_only_what_the_site_has_signed_is_made(site: Site) -> None:
    upload, other = site.store.add(pictures.jpeg(64, 40)), site.store.add(pictures.png())
    url = site.store.url(upload, width=32, quality=50)
    head, spec, signature, suffix = url.split(".")
    wrong = [
        f"{head}.{spec}.{signature}.avif",
        f"{head}.33w_q50.{signature}.{suffix}",
        f"{head}.032w_q50.{signature}.{suffix}",
        f"{head}.32w_q51.{signature}.{suffix}",
        f"{head}.32w_q50_1x1_center.{signature}.{suffix}",
        f"{head}.{spec}.{signature[:-1]}.{suffix}",
        f"{head}.{spec}.{'A' * 22}.{suffix}",
        f"{head}.{spec}.{signature.swapcase()}.{suffix}",
        f"{head}.{spec}.{suffix}",
        url.replace(upload.id, other.id),
        Uploads(site.folder, secret=OTHER).url(upload, width=32, quality=50),
        Uploads(site.folder, secret=SECRET, prefix="/other/")
        .url(upload, width=32, quality=50)
        .replace("other", "uploads"),
    ]
    before = site.files()
    for one in wrong:
        answer = site.get(one)
        assert (answer.status, answer.headers["Cache-Control"], answer.body) == (404, "no-store", b""), one
    assert site.files() == before
    assert site.get(url).status == 200


def test_a_secret_is_changed_without_a_picture_missing(site: Site) -> None:
    upload = site.store.add(pictures.jpeg(64, 40))
    old = site.store.url(upload, width=32)
    new = Uploads(site.folder, secret=[OTHER, SECRET]).url(upload, width=32)
    assert new != old
    assert new == Uploads(site.folder, secret=OTHER.encode()).url(upload, width=32)
    for secrets, urls in [([OTHER, SECRET], {old: 200, new: 200}), (OTHER, {old: 404, new: 200}), ((), {new: 404})]:
        rotated = Site(site.folder, secret=secrets)
        assert {url: rotated.get(url).status for url in urls} == urls


def test_urls_that_cannot_be_say_why(site: Site) -> None:
    upload = site.store.add(pictures.jpeg(64, 40))
    for wrong in (
        {"width": -1},
        {"width": 100_000},
        {"format": "jpeg"},
        {"quality": 0},
        {"quality": "best"},
        {"quality": True},
        {"crop": "1x1"},
        {"crop": "0:1"},
        {"gravity": "up"},
    ):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            site.store.url(upload, **wrong)
    with pytest.raises(ConfigError, match="secret"):
        Uploads(site.folder).url(upload, width=1)
    with pytest.raises(ConfigError, match="no upload's id"):
        site.store.url("../x", width=1)


def test_nothing_is_made_of_what_is_no_picture(site: Site) -> None:
    for data in (SVG, PDF):
        assert site.get(site.store.url(site.store.add(data), width=10)).status == 404
    assert site.get(site.store.url("f" * 32, width=10)).status == 404
    assert made(site) == []


@given(
    st.integers(0, 99_999),
    st.sampled_from(["webp", "avif"]),
    st.one_of(st.integers(1, 100), st.sampled_from(["visually-lossless", "high", "medium"])),
    st.one_of(
        st.just(("", "center")),
        st.tuples(st.sampled_from(["1:1", "16:9", "99999:1"]), st.sampled_from(["north", "detail"])),
    ),
)
def test_what_is_signed_is_what_is_made(width: int, name: Any, quality: Any, cut: Any) -> None:
    wanted = Variant(width, name, quality, *cut).checked()
    signer = Signer(SECRET, "/uploads/")
    read = parse(f"{'a' * 32}.{wanted.spec}.{signer.sign('a' * 32, wanted.spec, '.' + name)}.{name}")
    assert read is not None
    assert signer.is_signed(read)
    assert variant(read.spec, read.suffix) == wanted


# Once


def test_fifty_requests_at_once_over_several_processes_make_it_once(tmp_path: Path) -> None:
    """And answer all alike; counted by what the conversions themselves log, of all four workers."""
    (tmp_path / "shop.py").write_text(
        textwrap.dedent(
            f"""
            import logging, os
            from flask import Flask, request
            from assetpipe.uploads import Uploads, UploadError

            logging.basicConfig(filename="log", level=logging.INFO, format="%(process)d %(message)s")
            app = Flask(__name__)
            store = Uploads("uploads", secret={SECRET!r}, formats=())
            store.init_app(app)

            @app.post("/send")
            def send():
                return store.add(request.stream).id
            """
        )
    )
    gunicorn = "gunicorn --bind 127.0.0.1:{port} --worker-class gthread --workers 4 --threads 16 --keep-alive 60"
    with servers.serving(gunicorn, "shop:app", tmp_path) as process:
        here = f"http://127.0.0.1:{process.port}"
        identity = requests.post(f"{here}/send", data=pictures.jpeg(2000, 1500), timeout=60).text
        store = Uploads(tmp_path / "uploads", secret=SECRET)
        urls = [store.url(identity, width=width, format="avif") for width in (1200, 800)]
        ready = threading.Barrier(50)

        def ask(number: int) -> tuple[int, str, bytes]:
            ready.wait()
            answer = requests.get(here + urls[number % 2], timeout=60)
            return answer.status_code, answer.headers["ETag"], answer.content

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(ask, range(50)))
        assert {status for status, _, _ in answers} == {200}
        assert len(set(answers)) == 2
        # Sent at once, two adders of the same picture agree as well.
        data = pictures.jpeg(1000, 700)
        with ThreadPoolExecutor(8) as pool:
            ids = list(pool.map(lambda _: requests.post(f"{here}/send", data=data, timeout=60).text, range(8)))
        assert len(set(ids)) == 1
        served = requests.get(f"{here}/uploads/{ids[0]}.jpg", timeout=60)
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if line.endswith(": made.")]
    assert len(lines) == 2, lines
    assert len(served.content) > 1000
    assert len(list((tmp_path / "uploads" / "records").iterdir())) == 2
    assert len(list((tmp_path / "uploads" / "files").iterdir())) == 2
    assert list((tmp_path / "uploads" / "locks").iterdir()) == []


def test_a_server_loads_no_image_library_before_it_converts(site: Site) -> None:
    upload = site.store.add(pictures.jpeg(64, 40))
    url = site.store.url(upload, width=32)
    site.get(url)
    script = """
        import sys
        from assetpipe.uploads import Uploads
        store = Uploads(sys.argv[1], secret=sys.argv[2])
        app, statuses = store.wsgi(None), []
        for path in sys.argv[3:]:
            body = app({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda *told: statuses.append(told[0]))
            assert b"".join(body)
        assert statuses == ["200 OK"] * 2 and store.find(sys.argv[3][9:41])
        print(*sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(site.folder), SECRET, upload.url, url]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "assetpipe.serve.respond" in loaded
    assert not [name for name in loaded if name.split(".")[0] in ("PIL", "flask", "obstore", "numpy", "brotli")]


# A bounded queue


class Gated(Folder):
    """A folder whose originals are handed out when we say so."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Semaphore(0)

    def open(self, key: str) -> BinaryIO:
        if "original" in key:
            self.asked.release()
            assert self.gate.wait(30)
        return super().open(key)


def test_whoever_comes_when_the_queue_is_full_is_told_to_come_again(tmp_path: Path) -> None:
    storage = Gated(tmp_path)
    site = Site(tmp_path, storage, conversions=1, waiting=1)
    upload = site.store.add(pictures.jpeg(64, 40))
    urls = [site.store.url(upload, width=width) for width in (10, 20, 30)]
    storage.gate.clear()
    answers: dict[str, Answer] = {}

    def ask(url: str) -> threading.Thread:
        thread = threading.Thread(target=lambda: answers.setdefault(url, site.get(url)))
        thread.start()
        return thread

    first = ask(urls[0])
    assert storage.asked.acquire(timeout=30)
    second = ask(urls[1])  # has the one place there is to wait in
    busy = None
    while busy is None or busy.status != 503:
        # Until the second has taken its place, this one might.
        busy = site.get(urls[2]) if second_waits(tmp_path) else None
    assert busy.headers["Cache-Control"] == "no-store"
    assert busy.headers["Retry-After"] == "1"
    with pytest.raises(Exception, match="Try again in a moment") as caught:
        site.store.add(pictures.png())
    assert caught.value.kind == "busy"  # type: ignore[attr-defined]
    storage.gate.set()
    first.join()
    second.join()
    assert [answers[url].status for url in urls[:2]] == [200, 200]
    assert site.get(urls[2]).status == 200


def second_waits(folder: Path) -> bool:
    """Whether two have begun: each holds the lock of what it makes."""
    return len(list((folder / "locks").iterdir())) == 2


def test_an_asgi_application_goes_on_while_pictures_are_waited_for(tmp_path: Path) -> None:
    storage = Gated(tmp_path)
    store = Uploads(storage, secret=SECRET)
    upload = store.add(pictures.jpeg(64, 40))
    storage.gate.clear()

    async def own(scope: Any, receive: Any, send: Any) -> None:
        status = await asyncio.to_thread(lambda: 200)  # as the application reads its own files
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def status(path: str) -> int:
        told: list[Any] = []

        async def send(message: Any) -> None:
            told.append(message)

        receive: Any = None
        await app({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)
        return int(told[0]["status"])

    async def visit() -> None:
        shown = [asyncio.create_task(status(store.url(upload, width=32))) for _ in range(40)]
        try:
            while not storage.asked.acquire(blocking=False):
                await asyncio.sleep(0.001)
            assert await asyncio.wait_for(status("/"), 15) == 200
        finally:
            storage.gate.set()
        assert set(await asyncio.gather(*shown)) == {200}

    app = store.asgi(own)
    asyncio.run(visit())


def test_turns_are_bounded_and_given_back() -> None:
    turns = Turns(at_once=1, waiting=0, patience=0.01)
    with turns.place(), turns.turn():
        with pytest.raises(Busy), turns.place():
            pass
        with pytest.raises(Busy), turns.turn():
            pass
        with pytest.raises(Busy), turns.turn(until=0.0):
            pass
    with turns.place(), turns.turn(until=0.0):
        pass


def test_what_many_ask_for_is_done_once_and_a_failure_is_everybodys() -> None:
    turns, calls, began = Turns(1, 0, 30), [], threading.Event()
    ends = threading.Event()

    def work() -> str:
        calls.append(1)
        began.set()
        assert ends.wait(30)
        if len(calls) == 1:
            raise OSError("the disk is full")
        return "done"

    def ask() -> str:
        try:
            return turns.once("x", work)
        except OSError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(ask)
        assert began.wait(30)
        others = [pool.submit(ask) for _ in range(7)]
        ends.set()
        told = {one.result() for one in (first, *others)}
    assert first.result() == "the disk is full"
    # Who came too late for the first did it again, together.
    assert told <= {"the disk is full", "done"}
    assert turns.once("x", work) == "done"


# Failures


def test_what_cannot_be_made_is_not_tried_for_each_request(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    upload = site.store.add(pictures.jpeg(640, 400))
    url = site.store.url(upload, width=320)
    # It was taken when more was allowed.
    with caplog.at_level(logging.INFO):
        answers = [Site(site.folder, max_pixels=1000).get(url) for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    # The original is better than a hole in the page; but nobody shall remember it for a year.
    assert {answer.headers["Content-Type"] for answer in answers} == {"image/jpeg"}
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-cache"}
    assert len([one for one in caplog.records if "not tried again" in one.getMessage()]) == 1
    assert site.store.sweep(0) == 1
    assert site.get(url).headers["Content-Type"] == "image/webp"


class Deadly(Folder):
    """A folder with an original that kills whoever works on it."""

    def open(self, key: str) -> BinaryIO:
        if "original" in key:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().open(key)


def die(folder: Path, url: str) -> None:
    Site(folder, Deadly(folder)).get(url)


def in_a_process(function: Callable[..., None], *arguments: Any) -> int | None:
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join(60)
    code = process.exitcode
    process.close()
    return code


def test_a_picture_that_kills_its_converter_does_so_three_times(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    upload = site.store.add(pictures.jpeg(64, 40))
    url = site.store.url(upload, width=32)
    for _ in range(3):
        assert in_a_process(die, site.folder, url) == -signal.SIGKILL
    assert site.get(url).headers["Content-Type"] == "image/jpeg"
    assert "3 processes died at it" in caplog.text
    # Whose fault it was is forgotten in time.
    site.store.sweep(0)
    assert site.get(url).headers["Content-Type"] == "image/webp"


def test_who_died_at_a_picture_counts_until_something_came_of_it(site: Site) -> None:
    class Reluctant(Folder):
        """A folder that cannot be read just now."""

        def open(self, key: str) -> BinaryIO:
            if "original" in key:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().open(key)

    upload = site.store.add(pictures.jpeg(64, 40))
    url = site.store.url(upload, width=32)
    for _ in range(2):
        assert in_a_process(die, site.folder, url) == -signal.SIGKILL
    assert Site(site.folder, Reluctant(site.folder)).get(url).status == 503
    assert in_a_process(die, site.folder, url) == -signal.SIGKILL
    assert site.get(url).headers["Content-Type"] == "image/jpeg"


def test_who_is_killed_while_waiting_has_not_died_at_the_picture(tmp_path: Path) -> None:
    storage = Gated(tmp_path)
    site = Site(tmp_path, storage, conversions=1)
    upload = site.store.add(pictures.jpeg(64, 40))
    storage.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(site.get, site.store.url(upload, width=10))
        assert storage.asked.acquire(timeout=30)
        second = pool.submit(site.get, site.store.url(upload, width=20))
        while not second_waits(tmp_path):
            pass
        marks = sorted(file.stat().st_size for file in (tmp_path / "locks").iterdir())
        storage.gate.set()
    assert marks == [0, 1]
    assert [first.result().status, second.result().status] == [200, 200]
