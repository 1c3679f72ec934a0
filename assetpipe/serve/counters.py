"""What was answered, counted: a plain snapshot of it at any time."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.serve.resource import Span

if TYPE_CHECKING:
    from assetpipe.serve.bodies import Held
    from assetpipe.serve.resource import Form, Reply

_PENDING = 4096  # replies that may wait to be added up
_NAMES = 1000  # paths that nothing is at, and names of generated content, that are remembered: clients may choose them
_NAME = 500  # characters of such a name


class Snapshot(Struct, frozen=True):
    """Sums since the process began.

    ``replies`` are requests by what was sent (a content-coding, ``identity``, a picture's subtype such as ``webp``, or
    ``none`` where no asset was) and status. ``bytes`` are those of bodies, as promised; ``saved`` those that codings
    and renditions made of whole bodies less than the original. ``assets`` are requests by logical path and form:
    ``tagged``, ``plain``, ``stale`` (a URL of an older release), ``private`` or ``generated``. ``missing`` are the
    paths answered 404. Of these and of generated content the first thousand names are told, long ones cut.
    """

    replies: dict[tuple[str, int], int]
    bytes: int
    saved: int
    assets: dict[tuple[str, Form], int]
    missing: dict[str, int]
    memory: Held

    @property
    def stale(self) -> int:
        """Requests for URLs of older releases."""
        return sum(count for (_, form), count in self.assets.items() if form == "stale")

    @property
    def not_found(self) -> int:
        """Requests that were answered 404."""
        return sum(count for (_, status), count in self.replies.items() if status == 404)


class Counters:
    """Counts replies, from any thread.

    A reply is counted by putting it into a queue, which takes no lock; whoever finds the queue long, or asks for a
    snapshot, adds it up.
    """

    def __init__(self) -> None:
        self._pending: deque[Reply] = deque()
        self._lock = threading.Lock()
        self._replies: Counter[tuple[str, int]] = Counter()
        self._assets: Counter[tuple[str, Form]] = Counter()
        self._generated: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._bytes = self._saved = 0

    def add(self, reply: Reply, path: str) -> None:
        """Count a reply, to a request for ``path``."""
        self._pending.append(reply)
        if len(self._pending) > _PENDING:
            self._sum()
        if reply.chosen is None and reply.status.startswith("404"):
            with self._lock:
                _count_name(self._missing, path, 1)

    def snapshot(self, memory: Held) -> Snapshot:
        """Add up what was counted so far."""
        self._sum()
        with self._lock:
            generated: dict[tuple[str, Form], int] = {(name, "generated"): n for name, n in self._generated.items()}
            assets = {**self._assets, **generated}
            return Snapshot(dict(self._replies), self._bytes, self._saved, assets, dict(self._missing), memory)

    def _sum(self) -> None:
        with self._lock:
            # Those that are there now: others may come as fast as these go.
            pending = [self._pending.popleft() for _ in range(len(self._pending))]
            # Most are ready made, and so the same few objects again and again.
            times = Counter(map(id, pending))
            for reply in {id(reply): reply for reply in pending}.values():
                self._count(reply, times[id(reply)])

    def _count(self, reply: Reply, times: int) -> None:
        status, chosen = int(reply.status[:3]), reply.chosen
        kind = "none"
        if chosen is not None:
            if chosen.terms.form == "generated":
                _count_name(self._generated, chosen.terms.path, times)
            else:
                self._assets[chosen.terms.path, chosen.terms.form] += times
            kind = chosen.coding
            if kind == "identity" and chosen.terms.original != chosen.media_type:
                kind = chosen.media_type.partition("/")[2]
            if reply is chosen.whole:
                self._saved += times * chosen.saved
        self._replies[kind, status] += times
        self._bytes += times * _length(reply.body)


def _count_name(names: Counter[str], name: str, times: int) -> None:
    name = name[:_NAME]
    if name in names or len(names) < _NAMES:
        names[name] += times


def _length(body: bytes | Span | tuple[bytes | Span, ...]) -> int:
    if isinstance(body, Span):
        return body.length
    if isinstance(body, bytes):
        return len(body)
    return sum(_length(piece) for piece in body)
