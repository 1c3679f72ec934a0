"""Who may work now: a bounded number at once, a bounded number that wait, and each thing once."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Waited
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Busy(Exception):  # noqa: N818 (nothing is wrong: it is what a 503 says)
    """There is more to do than there is room for: try again in a moment."""


class Turns:
    """Lets ``at_once`` threads of this process work, and ``waiting`` others wait, for ``patience`` seconds at most."""

    def __init__(self, at_once: int, waiting: int, patience: float) -> None:
        self.patience = patience
        self._places = threading.Semaphore(at_once + waiting)
        self._turns = threading.Semaphore(at_once)
        self._flights: dict[str, Future[object]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Have one of the places in the queue, or raise Busy at once."""
        with _taking(self._places, 0):
            yield

    @contextlib.contextmanager
    def turn(self, until: float | None = None) -> Iterator[None]:
        """Wait until it is our turn to work, or that instant of the monotonic clock. Raises Busy."""
        with _taking(self._turns, self.patience if until is None else max(0.0, until - time.monotonic())):
            yield

    def once(self, key: str, work: Callable[[], T]) -> T:
        """Do the work, or get what another thread's doing it now comes to; they need no place. Raises Busy."""
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not mine:
            try:
                return flight.result(self.patience)  # type: ignore[return-value]
            except Waited as error:
                raise Busy from error
        try:
            result = work()
        except BaseException as error:
            self._land(key)
            flight.set_exception(error)
            raise
        self._land(key)
        flight.set_result(result)
        return result

    def _land(self, key: str) -> None:
        with self._lock:
            del self._flights[key]


@contextlib.contextmanager
def _taking(semaphore: threading.Semaphore, patience: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=patience):
        raise Busy
    try:
        yield
    finally:
        semaphore.release()
