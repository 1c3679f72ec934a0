"""Where jobs run: on threads for what releases the interpreter's lock, on processes for what does not, or on any
``concurrent.futures.Executor``, that of a cluster, say.

A task is a function of a module over bytes, so that it can run anywhere. Tasks wait in order of their weight, the
heaviest first, and are read and handed over only when there is room: what is held are the bytes of those under way.
Light ones go together. Where a worker is lost, what it had is done again: elsewhere twice, and then here.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, ThreadPoolExecutor, wait
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from msgspec import Struct

from assetpipe.errors import AssetpipeError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from concurrent.futures import Executor

Facts = dict[str, str | int]
# What a job made: each thing's bytes, and what else there is to know of it; then the facts of its input.
Output = tuple[list[tuple[bytes, Facts]], Facts]
Function = Callable[[bytes, tuple[str, ...]], Output]

_BATCH_BYTES, _BATCH_TASKS = 32_768, 64
# A cluster takes milliseconds for each batch, and several processes take some for each byte.
_BATCH_BYTES_FAR = 262_144
_ATTEMPTS = 2
# Starting processes costs as much as scanning so many bytes does.
_WORTH_PROCESSES = 6_000_000


class Readable(Protocol):
    """What a task's bytes are read from, when its time has come."""

    @property
    def size(self) -> int:
        """How many bytes they are."""

    def read(self) -> bytes:
        """Read them. Raises AssetpipeError where that cannot be."""


class Task(Struct, frozen=True):
    """A job to run: ``function(blob.read(), options)``, of the given weight. ``pure`` holds the interpreter's lock.

    Its ``kind`` and ``about`` are the caller's.
    """

    kind: str
    about: Any
    function: Function
    options: tuple[str, ...]
    blob: Readable
    weight: float
    pure: bool = False


class Done(Struct, frozen=True):
    """A task with what became of it: its output and the seconds that it took, or the error that ended it."""

    task: Task
    output: Output
    seconds: float
    error: AssetpipeError | None = None


class Workers:
    """Runs tasks, ``jobs`` at once (0: as many as there are processors).

    ``executor`` names a function that makes the Executor to use, ``"module:function"``. ``processes`` says that
    starting some of our own is welcome.
    """

    def __init__(self, jobs: int = 0, executor: str = "", *, processes: bool = False) -> None:
        self.jobs = jobs or processors()
        self._factory = _factory(executor) if executor else None
        self._processes = processes and self.jobs > 1
        self._left: dict[str, int] = {}
        self._done: list[Done] = []
        self._lanes: dict[str, _Lane] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(wait=kind is None)

    def add(self, task: Task) -> None:
        """Let a task wait for its turn."""
        self._left[task.kind] = self._left.get(task.kind, 0) + 1
        self._lane(task).add(task)

    def run(self, kinds: Collection[str]) -> Iterator[Done]:
        """Run until no task of those kinds is left. What is done is told, of whatever kind; more may come meanwhile."""
        while True:
            for lane in self._lanes.values():
                self._done.extend(lane.step())
            while self._done:
                done = self._done.pop()
                self._left[done.task.kind] -= 1
                yield done
            if not self.left(kinds):
                return
            here = self._lanes.get("here")
            if here is not None and (ended := here.run_one()) is not None:
                self._done.append(ended)
                continue
            if not self._done:
                wait([f for lane in self._lanes.values() for f in lane.futures], return_when=FIRST_COMPLETED)

    def left(self, kinds: Collection[str]) -> int:
        """How many tasks of those kinds are not done."""
        return sum(self._left.get(kind, 0) for kind in kinds)

    def close(self, *, wait: bool = True) -> None:
        """End the executors; what is under way is waited for, or left to end by itself."""
        for lane in self._lanes.values():
            lane.close(wait=wait)
        self._lanes.clear()
        self._left.clear()
        self._done.clear()

    def _lane(self, task: Task) -> _Lane:
        if self._factory is not None:
            name = "far"
            lane = self._lanes.get(name) or _Lane(self._factory, self.jobs * 4, _BATCH_BYTES_FAR)
        elif not task.pure:
            name = "threads"
            lane = self._lanes.get(name) or _Lane(lambda: ThreadPoolExecutor(self.jobs), self.jobs * 2, _BATCH_BYTES)
        elif self._processes:
            name = "processes"
            lane = self._lanes.get(name) or _Lane(
                self._start_processes, self.jobs * 2, _BATCH_BYTES_FAR, least=_WORTH_PROCESSES
            )
        else:
            name = "here"
            lane = self._lanes.get(name) or _Lane(None, 0, 0)
        return self._lanes.setdefault(name, lane)

    def _start_processes(self) -> Executor:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        _quiet_tracker()
        pool = ProcessPoolExecutor(self.jobs, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
        # Ctrl-C reaches every process of the terminal, and these are not to speak of it: they inherit what is blocked.
        with _interrupts_blocked():
            for _ in range(self.jobs):  # each task that finds all of them busy starts one more
                pool.submit(_nothing)
        return pool


class _Lane:
    """Tasks that wait for one executor, and those that it has. Without one, they are run one by one, here."""

    def __init__(self, start: Callable[[], Executor] | None, room: int, batch: int, least: int = 0) -> None:
        # What was handed over, for which time, and to which executor.
        self.futures: dict[Future[list[tuple[Output, float]]], tuple[list[tuple[Task, bytes]], int, Executor]] = {}
        self._start = start
        self._room = room
        self._batch = batch
        self._least = least
        self._waiting: list[tuple[float, int, Task]] = []
        self._bytes = 0
        self._count = 0
        self._executor: Executor | None = None

    def add(self, task: Task) -> None:
        self._count += 1
        self._bytes += task.blob.size
        heapq.heappush(self._waiting, (-task.weight, self._count, task))

    def step(self) -> Iterator[Done]:
        """Take what has ended, and hand over what there is room for."""
        for future in [future for future in self.futures if future.done()]:
            yield from self._ended(future)
        if self._start is None:
            return
        if self._least and self._executor is None and self._bytes < self._least:
            # Not worth an executor.
            if (done := self.run_one()) is not None:
                yield done
            return
        while self._waiting and len(self.futures) < self._room:
            batch: list[tuple[Task, bytes]] = []
            size = 0
            while self._waiting and size < self._batch and len(batch) < _BATCH_TASKS:
                task = self._next()
                try:
                    data = task.blob.read()
                except AssetpipeError as error:
                    yield Done(task, ([], {}), 0, error)
                    continue
                batch.append((task, data))
                size += len(data)
            if batch:
                self._submit(batch, 1)

    def run_one(self) -> Done | None:
        """Run the first that waits, here."""
        if not self._waiting or (self._start is not None and self._executor is not None):
            return None
        task = self._next()
        try:
            data = task.blob.read()
        except AssetpipeError as error:
            return Done(task, ([], {}), 0, error)
        ((output, seconds),) = run_batch([(task.function, task.options, data)])
        return Done(task, output, seconds)

    def _next(self) -> Task:
        task = heapq.heappop(self._waiting)[2]
        self._bytes -= task.blob.size
        return task

    def close(self, *, wait: bool) -> None:
        self._waiting.clear()
        self.futures.clear()
        if self._executor is not None:
            _shut_down(self._executor, wait=wait)
            self._executor = None

    def _submit(self, batch: list[tuple[Task, bytes]], attempt: int) -> None:
        work = [(task.function, task.options, data) for task, data in batch]
        if self._executor is None:
            assert self._start is not None
            self._executor = self._start()
        try:
            future = self._executor.submit(run_batch, work)
        except (BrokenExecutor, RuntimeError):
            # It broke between two looks.
            future = Future()
            future.set_exception(BrokenExecutor())
        self.futures[future] = batch, attempt, self._executor

    def _ended(self, future: Future[list[tuple[Output, float]]]) -> Iterator[Done]:
        batch, attempt, executor = self.futures.pop(future)
        try:
            outputs = future.result()
        except (Exception, CancelledError) as error:
            # All that a broken one had comes back; the first of that is the end of it, and not of the one after it.
            if isinstance(error, BrokenExecutor) and self._executor is executor:
                _shut_down(executor, wait=False)
                self._executor = None
            if attempt <= _ATTEMPTS:
                self._submit(batch, attempt + 1)
                return
            outputs = run_batch([(task.function, task.options, data) for task, data in batch])
        for (task, _), (output, seconds) in zip(batch, outputs, strict=True):
            yield Done(task, output, seconds)


def run_batch(
    batch: Sequence[tuple[Function, tuple[str, ...], bytes]],
) -> list[tuple[Output, float]]:
    """Run some tasks one after the other: each one's output, and the seconds that it took."""
    done = []
    for function, options, data in batch:
        began = time.perf_counter()
        output = function(data, options)
        done.append((output, time.perf_counter() - began))
    return done


def processors() -> int:
    """How many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS, not on Windows
        return os.cpu_count() or 1


def _factory(name: str) -> Callable[[], Executor]:
    module, _, function = name.partition(":")
    # The project's own modules lie in the working folder.
    here = str(Path.cwd())
    if not {"", here} & {*sys.path}:
        sys.path.insert(0, here)
    try:
        made: Any = import_module(module)
        for part in function.split("."):
            made = getattr(made, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f'executor: "{name}" cannot be had: {error}') from error

    def start() -> Executor:
        try:
            executor = made()
        except Exception as error:  # whatever a cluster may raise
            raise ConfigError(f'executor: "{name}" made none: {type(error).__name__}: {error}') from error
        if not callable(getattr(executor, "submit", None)):
            raise ConfigError(f'executor: "{name}" must make a concurrent.futures.Executor, not {executor!r}.')
        return executor  # type: ignore[no-any-return]

    return start


def _shut_down(executor: Executor, *, wait: bool) -> None:
    with contextlib.suppress(Exception):  # a cluster that is gone cannot be ended
        executor.shutdown(wait=wait, cancel_futures=not wait)


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _quiet_tracker() -> None:
    """Start the process that deletes semaphores after us, and keep it from saying so where we were ended in a hurry."""
    if os.name != "posix":
        return
    from multiprocessing import resource_tracker

    sys.warnoptions.append("ignore:resource_tracker:UserWarning")  # that process gets these
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.pop()


def _end_with_parent() -> None:
    """End this process when the one that started it does, however that ends."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is not None:

        def watch() -> None:
            connection.wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _nothing() -> None:
    """Do nothing: for the processes to be started."""
