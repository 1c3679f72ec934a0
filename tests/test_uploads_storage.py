"""Where uploads lie: whole or not at all, whoever is killed, whoever is faster, in folders and in object storage."""

from __future__ import annotations

import errno
import io
import itertools
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from assetpipe.errors import ConfigError
from assetpipe.paths import Digest
from assetpipe.uploads import Folder, Storage, Uploads
from assetpipe.uploads.records import load_record
from tests import pictures, servers
from tests.kills import ended_at
from tests.test_uploads import PDF, SECRET, Site


def check(folder: Path) -> int:
    """Every upload there is is whole; how many there are."""
    count = 0
    for file in (folder / "records").glob("*.json"):
        record = load_record(file.read_bytes())
        assert record is not None, file
        for stored in (record.original, *record.renditions):
            assert Digest.of((folder / record.key(stored.name)).read_bytes()) == stored.sha256
        count += 1
    return count


# Crashes


def add(folder: Path, data: bytes) -> None:
    Uploads(folder, widths=[16]).add(data)


def delete(folder: Path, identity: str) -> None:
    Uploads(folder).delete(identity)


def test_whoever_is_killed_while_adding_leaves_a_whole_upload_or_none(tmp_path: Path) -> None:
    """Killed at each change of the disk in turn; what is left is waste at most, and the next one goes on."""
    data = pictures.jpeg(64, 40)
    seen = set()
    for at in itertools.count(1):
        folder = tmp_path / f"dist-{at}"
        code = ended_at(at, signal.SIGKILL, add, folder, data)
        seen.add(found := check(folder))
        site = Site(folder, widths=[16])
        upload = site.store.add(data)
        assert site.get(upload.url).status == 200
        if not found:
            site.store.sweep(0)
        site.store.sweep(0)
        assert len(site.files()) == 4, at
        assert check(folder) == 1
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert at > 8
    assert seen == {0, 1}


def test_whoever_is_killed_while_deleting_leaves_a_whole_upload_or_waste(tmp_path: Path) -> None:
    data = pictures.jpeg(64, 40)
    for at in itertools.count(1):
        folder = tmp_path / f"dist-{at}"
        site = Site(folder, widths=[16])
        upload = site.store.add(data)
        site.get(site.store.url(upload, width=20))
        code = ended_at(at, signal.SIGKILL, delete, folder, upload.id)
        left = check(folder)
        assert Site(folder).get(upload.url).status == (200 if left else 404)
        site.store.sweep(0)
        assert len(site.files()) == (6 if left else 0)
        if code == 0:
            break
    assert at > 4


def test_adding_killed_at_random_instants(tmp_path: Path) -> None:
    script = """
        import sys
        from assetpipe.uploads import Uploads
        from tests import pictures
        store = Uploads(sys.argv[1], widths=(16,))
        for n in range(10_000):
            store.add(pictures.jpeg(40 + n, 30 + int(sys.argv[2])))
            print(n, flush=True)
    """
    dice = random.Random(5)
    before = 0
    for run in range(12):
        command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), str(run)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
        assert process.stdout is not None
        for _ in range(dice.randrange(1, 5)):
            assert process.stdout.readline()
        time.sleep(dice.uniform(0, 0.03))
        process.kill()
        process.wait()
        process.stdout.close()
        now = check(tmp_path)
        assert now > before
        before = now
    store = Uploads(tmp_path)
    assert len(list(store)) == before
    store.sweep(0)
    assert check(tmp_path) == before
    assert len(list((tmp_path / "files").iterdir())) == before
    assert store.sweep(0) == 0


@pytest.mark.parametrize("asked_again", [True, False])
def test_a_record_whose_storing_was_not_confirmed_keeps_its_files(tmp_path: Path, asked_again: bool) -> None:
    class Silent(Folder):
        """A storage that keeps a record, and does not get to say so: asked again, it says that there is one."""

        def put(self, key: str, data: bytes) -> bool:
            kept = super().put(key, data)
            if not key.startswith("records/"):
                return kept
            if asked_again:
                return False
            raise OSError("no answer came in time")

    site, data = Site(tmp_path, Silent(tmp_path), widths=[16]), pictures.jpeg(64, 40)
    if asked_again:
        site.store.add(data)
    else:
        with pytest.raises(OSError, match="no answer"):
            site.store.add(data)
    assert check(tmp_path) == 1
    upload = Uploads(tmp_path).add(data)
    assert site.get(upload.url).status == 200
    assert site.store.sweep(0) == 0


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    class Full(Folder):
        """A folder with room for two files."""

        left = 2

        def put(self, key: str, data: bytes) -> bool:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().put(key, data)

    site = Site(tmp_path, Full(tmp_path), widths=[16])
    with pytest.raises(OSError, match="No space left"):
        site.store.add(pictures.jpeg(64, 40))
    assert site.files() == []


def test_what_is_young_is_not_swept_since_somebody_may_be_at_work_on_it(tmp_path: Path) -> None:
    storage = Folder(tmp_path)
    storage.put(f"files/{'a' * 32}.{'b' * 16}/original.jpg", b"x")
    store = Uploads(storage)
    assert store.sweep() == 0
    assert store.sweep(0) == 1
    assert list((tmp_path / "files").iterdir()) == []


def test_the_files_of_a_damaged_record_are_kept_for_whoever_mends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path)
    upload = site.store.add(pictures.png())
    record = tmp_path / "records" / f"{upload.id}.json"
    whole = record.read_bytes()
    record.write_bytes(whole[:-9])
    time.sleep(1.1)
    assert site.get(upload.url).status == 404
    assert "damaged" in caplog.text
    assert site.store.sweep(0) == 0
    with pytest.raises(OSError, match="damaged: delete it"):
        site.store.add(pictures.png())
    record.write_bytes(whole)
    assert site.get(upload.url).status == 200
    record.write_bytes(b"")
    site.store.delete(upload.id)
    assert site.store.add(pictures.png()) == upload


def test_what_another_process_deletes_is_gone_within_a_second(tmp_path: Path) -> None:
    site = Site(tmp_path)
    upload = site.store.add(pictures.png())
    assert site.get(upload.url).status == 200
    Uploads(tmp_path).delete(upload.id)
    time.sleep(1.1)
    assert site.get(upload.url).status == 404


# Any storage


class Bucket:
    """An S3 of our own, on loopback."""

    def __init__(self, process: servers.Process) -> None:
        self.url = f"http://127.0.0.1:{process.port}"
        assert requests.put(f"{self.url}/uploads", timeout=30).status_code == 200

    def storage(self, locks: Path | None) -> Storage:
        from obstore.store import S3Store

        from assetpipe.uploads.objects import Objects

        store = S3Store(
            "uploads",
            endpoint=self.url,
            access_key_id="x",
            secret_access_key="x",
            region="us-east-1",
            client_options={"allow_http": True},
        )
        return Objects(store, locks)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    servers.needs("moto", "obstore")
    program = str(Path(sys.executable).parent / "moto_server")
    with servers.listening(
        lambda port: [program, "-H", "127.0.0.1", "-p", str(port)], tmp_path_factory.mktemp("moto")
    ) as process:
        yield Bucket(process)


@pytest.fixture(params=["folder", "memory", "local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "folder":
        yield Folder(tmp_path / "kept")
        return
    servers.needs("obstore")
    from obstore.store import LocalStore, MemoryStore

    from assetpipe.uploads.objects import Objects

    locks = tmp_path / "locks"
    if request.param == "memory":
        yield Objects(MemoryStore(), locks)
    elif request.param == "local":
        (tmp_path / "kept").mkdir()
        yield Objects(LocalStore(tmp_path / "kept"), locks)
    else:
        bucket: Bucket = request.getfixturevalue("bucket")
        kept = bucket.storage(locks)
        for one in [*kept.list("records"), *kept.list("files")]:
            kept.delete(one.key)
        yield kept


def test_a_storage_keeps_what_is_first_put_there(storage: Storage) -> None:
    assert storage.put("files/a/b", b"first")
    assert not storage.put("files/a/b", b"second")
    with storage.open("files/a/b") as file:
        assert file.read() == b"first"
        file.seek(1)
        assert file.read(2) == b"ir"
        assert file.seek(0, 2) == 5
        assert file.read() == b""
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda n: storage.put("files/a/c", b"%d" % n), range(16)))
    assert kept.count(True) == 1
    with storage.open("files/a/c") as file:
        assert file.read() == b"%d" % kept.index(True)


def test_a_storage_lists_by_whole_segments_and_lets_go(storage: Storage) -> None:
    for key in ("files/a.b/x", "files/a.b/y", "files/a.bc/x", "records/a.json"):
        assert storage.put(key, b"xyz")
    assert sorted(one.key for one in storage.list("files/a.b")) == ["files/a.b/x", "files/a.b/y"]
    assert sorted(one.key for one in storage.list("files"))[2:] == ["files/a.bc/x"]
    assert all(one.size == 3 and abs(one.age) < 60 for one in storage.list("files"))
    assert list(storage.list("nothing")) == []
    storage.delete("files/a.b/x")
    storage.delete("files/a.b/x")
    storage.delete("files/nothing/x")
    with pytest.raises(FileNotFoundError):
        storage.open("files/a.b/x")
    assert [one.key for one in storage.list("files/a.b")] == ["files/a.b/y"]


def test_uploads_live_in_any_storage(tmp_path: Path, storage: Storage) -> None:
    site = Site(tmp_path / "kept", storage, widths=[100], allow=("image/jpeg", "image/png", "application/pdf"))
    data = pictures.saved(pictures.photograph(1000, 700), "PNG")
    upload, document = site.store.add(io.BytesIO(data), "a.png"), site.store.add(PDF)
    assert len(data) > 600_000  # more than is kept in memory: it is fetched in pieces
    assert site.store.add(data) == upload
    fresh = Site(tmp_path / "kept", storage)
    assert fresh.get(upload.url).body == data
    assert fresh.get(upload.url, RANGE="bytes=300000-599999").body == data[300_000:600_000]
    assert fresh.get(upload.url, ACCEPT="image/webp").headers["Content-Type"] == "image/webp"
    assert fresh.get(document.url).body == PDF
    for rendition in upload.renditions:
        assert len(fresh.get(rendition.url).body) == rendition.size
    url = site.store.url(upload, width=50)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(fresh.get, [url] * 8))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert {one.id for one in fresh.store} == {upload.id, document.id}
    storage.put(f"files/{'a' * 32}.{'b' * 16}/original.jpg", b"waste")
    assert site.store.sweep(-60) == 1  # its clock may not be ours
    assert fresh.store.delete(upload.id)
    assert fresh.get(upload.url).status == 404
    assert len([*storage.list("files"), *storage.list("records")]) == 2


@pytest.mark.parametrize("server", servers.WSGI)
def test_servers_send_in_pieces_what_lies_in_no_file(tmp_path: Path, server: str) -> None:
    servers.needs("obstore")
    (tmp_path / "kept").mkdir()
    (tmp_path / "shop.py").write_text(
        """
from obstore.store import LocalStore
from assetpipe.uploads import Uploads
from assetpipe.uploads.objects import Objects

store = Uploads(Objects(LocalStore("kept")))
app = store.wsgi(lambda environ, start_response: [])
"""
    )
    data = pictures.saved(pictures.photograph(1000, 700), "PNG")
    upload = Uploads(tmp_path / "kept").add(data)
    with servers.serving(servers.WSGI[server], "shop:app", tmp_path) as process:
        url = f"http://127.0.0.1:{process.port}{upload.url}"
        assert requests.get(url, timeout=60).content == data
        assert requests.get(url, headers={"Range": "bytes=9-500000"}, timeout=60).content == data[9:500_001]


def test_two_who_delete_and_add_the_same_at_once_leave_a_whole_upload_or_none(tmp_path: Path, storage: Storage) -> None:
    site = Site(tmp_path, storage, formats=())
    data = pictures.png()
    identity = site.store.add(data).id
    for _ in range(10):
        with ThreadPoolExecutor(6) as pool:
            added = [pool.submit(site.store.add, data) for _ in range(3)]
            deleted = [pool.submit(site.store.delete, identity) for _ in range(3)]
        assert {task.result().id for task in added} == {identity}
        assert {task.result() for task in deleted} <= {True, False}
        fresh = Site(tmp_path, storage)
        answer = fresh.get(f"/uploads/{identity}.png")
        assert answer.status == (200 if fresh.store.find(identity) else 404)
    site.store.sweep(-60)
    assert len(list(storage.list("files"))) == len(list(storage.list("records")))


def test_a_storage_that_does_not_answer_is_no_reason_to_forget(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Flaky(Folder):
        """A folder on a network drive."""

        is_down = False

        def open(self, key: str) -> io.BufferedReader:
            if self.is_down:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().open(key)  # type: ignore[return-value]

    storage = Flaky(tmp_path)
    site = Site(tmp_path, storage)
    known, unknown = site.store.add(pictures.png()), site.store.add(pictures.jpeg())
    body = site.get(known.url).body
    storage.is_down = True
    time.sleep(1.1)
    assert site.get(known.url).body == body
    answer = site.get(unknown.url)
    assert (answer.status, answer.headers["Cache-Control"], answer.body) == (503, "no-store", b"")
    assert "Input/output error" in caplog.text
    storage.is_down = False
    assert site.get(unknown.url).status == 200


def test_an_object_storage_that_does_not_answer_says_so(tmp_path: Path) -> None:
    servers.needs("obstore")
    from obstore.store import S3Store

    from assetpipe.uploads.objects import Objects

    store = S3Store(
        "uploads",
        endpoint="http://127.0.0.1:9",
        access_key_id="x",
        secret_access_key="x",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    site = Site(tmp_path, Objects(store))
    for call in (lambda: site.store.add(pictures.png()), lambda: site.store.find("a" * 32), site.store.sweep):
        with pytest.raises(OSError, match="the object storage says"):
            call()
    assert site.get(f"/uploads/{'a' * 32}.png").status == 503


def test_without_obstore_one_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from assetpipe.uploads.objects import Objects

    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ConfigError, match=r'pip install "assetpipe\[obstore\]"'):
        Objects(None)  # type: ignore[arg-type]


def test_secrets_of_uploads_are_not_in_their_storage(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.get(site.store.url(site.store.add(pictures.jpeg()), width=9))
    assert not [file for file in site.files() if SECRET.encode() in (tmp_path / file).read_bytes()]
