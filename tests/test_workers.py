"""Jobs run anywhere, and a worker that is lost costs a retry."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any

import pytest

from assetpipe import jobs
from assetpipe.paths import Digest
from assetpipe.store import Blob
from assetpipe.workers import Done, Output, Task, Workers
from tests.conftest import Command, Project

CSS = "a { color : red }\n" * 40


class Bytes:
    """A task's bytes, counted while they are held."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self) -> bytes:
        self.reads += 1
        return self.data


def upper(data: bytes, options: tuple[str, ...]) -> Output:
    return [(data.upper(), {"option": options[0]})], {}


def whose(data: bytes, options: tuple[str, ...]) -> Output:
    return [], {"pid": os.getpid()}


def tasks(count: int, *, pure: bool = False) -> list[Task]:
    return [Task("upper", n, upper, (str(n),), Bytes(b"x%d" % n), n, pure) for n in range(count)]


def made(done: list[Done]) -> dict[int, bytes]:
    return {one.task.about: one.output[0][0][0] for one in done}


@pytest.mark.parametrize("pure", [False, True])
@pytest.mark.parametrize("count", [0, 1, 500])
def test_every_task_is_done_once(count: int, pure: bool) -> None:
    with Workers(2) as workers:
        for task in tasks(count, pure=pure):
            workers.add(task)
        done = list(workers.run(("upper",)))
    assert made(done) == {n: b"X%d" % n for n in range(count)}
    assert len(done) == count


def test_the_heaviest_are_begun_first_and_only_what_is_under_way_is_read() -> None:
    waiting = [Task("upper", n, upper, ("",), Bytes(b"x" * 40_000), n) for n in range(100)]
    with Workers(1) as workers:
        for task in waiting:
            workers.add(task)
        first = next(workers.run(("upper",)))
        read = {task.about for task in waiting if task.blob.reads}  # type: ignore[attr-defined]
    assert first.task.about >= 97
    assert read <= set(range(95, 100))


def test_tasks_may_be_added_while_others_run_and_kinds_are_waited_for_on_their_own() -> None:
    with Workers(2) as workers:
        workers.add(Task("one", 0, upper, ("",), Bytes(b"a"), 1))
        seen = []
        for done in workers.run(("one",)):
            seen.append(done.task.kind)
            if len(seen) < 5:
                workers.add(Task("one", 0, upper, ("",), Bytes(b"a"), 1))
        assert seen == ["one"] * 5
        workers.add(Task("other", 0, upper, ("",), Bytes(b"a"), 1))
        assert list(workers.run(("one",))) == []
        assert workers.left(("other",)) == 1


def test_pure_python_goes_to_processes_where_it_is_worth_it() -> None:
    def run(size: int, *, processes: bool) -> set[object]:
        with Workers(2, processes=processes) as workers:
            for n in range(20):
                workers.add(Task("whose", n, whose, (), Bytes(bytes(size)), 1, pure=True))
            return {done.output[1]["pid"] for done in workers.run(("whose",))}

    here = {os.getpid()}
    assert run(1000, processes=True) == here
    assert run(500_000, processes=False) == here
    elsewhere = run(500_000, processes=True)
    assert not elsewhere & here
    assert 1 <= len(elsewhere) <= 2


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """However it ends: they would wait for ever for the next task."""
    script = tmp_path / "script.py"
    script.write_text(
        """
import os, signal, sys
from assetpipe.workers import Task, Workers
from tests.test_workers import Bytes, whose
if __name__ == "__main__":
    workers = Workers(2, processes=True)
    for n in range(40):
        workers.add(Task("whose", n, whose, (), Bytes(bytes(500_000)), 1, pure=True))
    print(*{done.output[1]["pid"] for done in workers.run(("whose",))}, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    here = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": here},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in done.stdout.split()]
    assert pids
    for _ in range(100):
        if not any(Path(f"/proc/{pid}/cmdline").exists() and _alive(pid) for pid in pids):
            return
        time.sleep(0.1)
    pytest.fail(f"processes are left: {pids}")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Losing(Executor):
    """An executor that loses what it is given, as one does whose worker has died: ``losses`` times, or always."""

    losses = 0
    error: type[BaseException] = BrokenExecutor

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if Losing.losses:
            Losing.losses -= 1
            future.set_exception(Losing.error("lost"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


@pytest.mark.parametrize("losses", [0, 1, 3, 10_000])
@pytest.mark.parametrize("error", [BrokenExecutor, OSError])
def test_what_a_lost_worker_had_is_done_again(
    losses: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Losing, "losses", losses)
    monkeypatch.setattr(Losing, "error", error)
    with Workers(2, executor="tests.test_workers:Losing") as workers:
        for task in tasks(300):
            workers.add(task)
        assert made(list(workers.run(("upper",)))) == {n: b"X%d" % n for n in range(300)}


class Breaking(Executor):
    """An executor of which the first breaks with all that it has; those after it work, until they are shut down."""

    made = 0

    def __init__(self) -> None:
        Breaking.made += 1
        self.breaks = Breaking.made == 1

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.breaks:
            future.set_exception(BrokenExecutor("lost"))
        else:
            future.set_result(function(*args, **kwargs))
        return future


def test_all_that_a_broken_executor_had_goes_to_one_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Breaking, "made", 0)
    with Workers(2, executor="tests.test_workers:Breaking") as workers:
        for n in range(20):
            workers.add(Task("upper", n, upper, ("",), Bytes(b"x" * 300_000), 1))
        assert len(list(workers.run(("upper",)))) == 20
    assert Breaking.made == 2


def blocked(data: bytes, options: tuple[str, ...]) -> Output:
    time.sleep(0.05)
    held = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return [], {"pid": os.getpid(), "blocked": int(held)}


def test_no_process_speaks_of_ctrl_c() -> None:
    with Workers(3, processes=True) as workers:
        for n in range(30):
            workers.add(Task("blocked", n, blocked, (), Bytes(bytes(500_000)), 1, pure=True))
        told = [done.output[1] for done in workers.run(("blocked",))]
    assert len({one["pid"] for one in told}) > 1
    assert all(one["blocked"] for one in told)


def test_a_source_that_changed_before_its_turn_is_the_end_of_its_own_task_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"new")
    gone = Blob(Digest.of(b"old"), 3, str(file), "a.txt")
    with Workers(2) as workers:
        workers.add(Task("upper", "bad", upper, ("",), gone, 2))
        workers.add(Task("upper", "good", upper, ("",), Bytes(b"x"), 1))
        done = {one.task.about: one for one in workers.run(("upper",))}
    assert str(done["bad"].error).startswith("a.txt: error: the file changed during the build")
    assert done["good"].error is None


def test_the_functions_of_a_build_are_those_of_a_module() -> None:
    for function in (jobs.draft, jobs.encode, jobs.render):
        assert getattr(sys.modules[function.__module__], function.__name__) is function


@pytest.mark.parametrize(
    ("executor", "told"),
    [
        ("nowhere:make", "No module named"),
        ("os:nothing", "has no attribute"),
        ("os:getpid", "must make a concurrent.futures.Executor"),
        ("os:_exit", "made none"),
        ("os", 'must be "module:function"'),
    ],
)
def test_an_executor_that_cannot_be_had_is_wrong_configuration(
    project: Project, assetpipe: Command, executor: str, told: str
) -> None:
    project.write({"a.css": CSS})
    (project.folder / "assetpipe.toml").write_text(f'executor = "{executor}"\n')
    answer = assetpipe("build")
    assert (answer.code, told in answer.err) == (2, True)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[int, list[subprocess.Popen[bytes]]]]:
    """A scheduler's port, and its two workers."""
    pytest.importorskip("distributed", reason='needs Dask: pip install "assetpipe[dask]"')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (tmp_path / "cluster.log").open("wb")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *arguments]
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path)

    started = [
        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"),
        *(
            start(
                "distributed.cli.dask_worker",
                f"tcp://127.0.0.1:{port}",
                *("--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", f"w{n}"),
            )
            for n in range(2)
        ),
    ]
    try:
        yield port, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()
        log.close()


def test_a_dask_cluster_builds_the_same_and_one_worker_may_die_midway(
    project: Project, cluster: tuple[int, list[subprocess.Popen[bytes]]]
) -> None:
    port, workers = cluster
    words = [f"w{n * 7919 % 10007}" for n in range(3000)]
    project.write({f"{n}.css": " ".join(f".{w}{n}{{margin:{i}px}}" for i, w in enumerate(words)) for n in range(30)})
    project.write({f"{n}.js": f"import './{n + 1}.js'; /* {n} */ x = {n};" * 5 for n in range(40)})
    project.write({"40.js": ""})
    # Says on its way who did the work.
    (project.folder / "cluster.py").write_text(
        f"""
from distributed import Client

def executor():
    client = Client("tcp://127.0.0.1:{port}")
    client.wait_for_workers(2, timeout=60)
    return client.get_executor()
"""
    )
    (project.folder / "assetpipe.toml").write_text('executor = "cluster:executor"\ncache = "far"\n')
    command = [sys.executable, "-m", "assetpipe", "build"]
    log = project.folder / "build.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=project.folder, stdout=out, stderr=out)
    # Killed when the first results are there, that is in the midst of the work.
    results = project.folder / "far/results"
    while process.poll() is None and not (results.exists() and results.stat().st_size):
        time.sleep(0.01)
    assert process.poll() is None, log.read_text()
    workers[0].send_signal(signal.SIGKILL)
    assert process.wait(timeout=300) == 0, log.read_text()
    far = project.snapshot()
    (project.folder / "assetpipe.toml").write_text('cache = "near"\n')
    other = project.folder / "near-dist"
    subprocess.run([*command, "--dist", str(other)], cwd=project.folder, check=True, capture_output=True)
    near = {str(f.relative_to(other)): f.read_bytes() for f in other.rglob("*") if f.is_file() and f.name != ".lock"}
    assert far == near
    # What was left was done by the other worker, and not by the build itself.
    assert done_by_workers(port) > 0


def done_by_workers(port: int) -> int:
    """How many tasks the worker that is left has had."""
    script = (
        "from distributed import Client\n"
        f"client = Client('tcp://127.0.0.1:{port}')\n"
        "def count(dask_worker):\n"
        "    return dask_worker.state.transition_counter\n"
        "print(sum(client.run(count).values()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout.split()[-1])
