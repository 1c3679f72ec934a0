"""From a request to an upload's bytes, by the same HTTP core as the assets.

1. What is not a name of ours is a 404. A name with a signature is one only if that is right: until here, no disk.
2. The upload's record, remembered for a second, so that what is deleted is gone everywhere within that time.
3. The resource that the name means. A variant that nobody has asked for yet is made now, once.
4. ``respond.answer``: negotiation, preconditions, ranges.
5. The body: out of memory, or from the storage in chunks.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from assetpipe.paths import Digest
from assetpipe.serve import resource
from assetpipe.serve.bodies import Bodies
from assetpipe.serve.resource import Reply, Resource, Source, Terms
from assetpipe.serve.respond import answer
from assetpipe.serve.server import BUSY, GONE, Opened, Sender
from assetpipe.uploads import kinds, names, records
from assetpipe.uploads.turns import Busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from assetpipe.serve.resource import Headers
    from assetpipe.uploads.names import Name, Signer, Variant
    from assetpipe.uploads.records import Outcome, Record, Stored
    from assetpipe.uploads.storage import Storage

    Make = Callable[[Record, Variant], Outcome]

logger = logging.getLogger("assetpipe")
_TRUSTED = 1.0  # seconds
_MOST = 4096  # uploads that are remembered, and variants of each
# Nothing that a stranger sent may run or fetch anything in the site's name, however it comes to be opened. The inline
# styles are a drawing's own (CSP level 3, HTML section 7.6).
_SANDBOX = ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
# Without a name: that of the sender is nobody else's business, and `download` of the page's link may give one.
_ATTACHMENT = ("Content-Disposition", "attachment")


class _Bodies(Bodies):
    """The bytes of uploads: small ones in memory, the others from the storage."""

    def __init__(self, storage: Storage, limit: int) -> None:
        super().__init__(Path(), limit)
        self._storage = storage

    def open(self, of: resource.Representation) -> BinaryIO:
        """What the storage has. Raises OSError where it is not of the size that was published."""
        file = self._storage.open(of.file)
        if file.seek(0, 2) != of.size:
            file.close()
            raise OSError(f"{of.file} is not of the size that was published")
        file.seek(0)
        return file


class _Known:
    """An upload that was asked for: its record, the resources of its names, and when it was last looked for."""

    __slots__ = ("looked", "record", "resources")

    def __init__(self, record: Record, looked: float) -> None:
        self.record = record
        self.looked = looked
        self.resources: dict[str, Resource] = {}


class Desk:
    """Answers for the uploads below a prefix; ``make`` makes what was not made yet, or raises Busy."""

    def __init__(self, storage: Storage, prefix: str, signer: Signer, make: Make, memory: int) -> None:
        self._storage = storage
        self._prefix = prefix
        self._signer = signer
        self._make = make
        self.sender = Sender(_Bodies(storage, memory))
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def covers(self, path: str) -> bool:
        """Whether the path is below the prefix."""
        return path.startswith(self._prefix)

    def answer(self, path: str, request: Mapping[str, Any]) -> tuple[Reply, bytes | Opened] | None:
        """Answer a request; None where the path is not below the prefix. Never raises."""
        if not self.covers(path):
            return None
        try:
            reply, body = self._answer(path, request)
        except Busy:
            reply, body = BUSY, b""
        except FileNotFoundError:
            reply, body = GONE, b""  # deleted this very moment
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                logger.error("%s: this process may open no more files.", error)
            else:
                logger.error("%s%s: %s.", self._prefix, path.removeprefix(self._prefix), error)
            reply, body = BUSY, b""
        self.sender.counters.add(reply, path)
        if reply.status[0] == "2" and reply.chosen is not None:
            reply = reply._replace(headers=[*reply.headers, *_extra(reply.chosen.terms.original)])
        return reply, body

    def forget(self, identity: str) -> None:
        """Look for an upload anew."""
        with self._lock:
            self._known.pop(identity, None)

    def _answer(self, path: str, request: Mapping[str, Any]) -> tuple[Reply, bytes | Opened]:
        name = names.parse(path.removeprefix(self._prefix))
        if name is None or (name.spec and not self._signer.is_signed(name)):
            return GONE, b""
        known = self._find(name.id)
        found = None if known is None else self._resource(known, name)
        if found is None:
            return GONE, b""
        reply = answer(found, request)
        body = self.sender.recall(reply)
        return reply, self.sender.read(reply) if body is None else body

    def _find(self, identity: str) -> _Known | None:
        known, now = self._known.get(identity), time.monotonic()
        if known is not None and now - known.looked < _TRUSTED:
            return known
        try:
            record = find(self._storage, identity)
        except OSError:
            if known is None:
                raise
            return known  # while nobody can say that it is gone, it is there
        if record is None:
            self.forget(identity)
            return None
        if known is None or known.record != record:
            known = _Known(record, now)
            with self._lock:
                if len(self._known) >= _MOST:
                    del self._known[next(iter(self._known))]
                self._known[identity] = known
        known.looked = now
        return known

    def _resource(self, known: _Known, name: Name) -> Resource | None:
        key = f"{name.tag}{name.spec}{name.suffix}"
        found = known.resources.get(key)
        if found is None:
            found = self._new_resource(known.record, name)
            # What stands in for a picture that could not be made is looked for again.
            if found is not None and found.original.terms.cache_control == resource.IMMUTABLE:
                if len(known.resources) >= _MOST:
                    known.resources.clear()
                known.resources[key] = found
        return found

    def _new_resource(self, record: Record, name: Name) -> Resource | None:
        original = record.original
        if name.spec:
            variant = names.variant(name.spec, name.suffix)
            if variant is None or original.type not in kinds.RASTERS:
                return None
            outcome = self._make(record, variant)
            lasting = resource.REVALIDATE if outcome.failure else resource.IMMUTABLE
            return self._of(record, [outcome.made or original], lasting)
        if name.tag:
            return next((self._of(record, [one]) for one in record.renditions if _is_named(one, name)), None)
        if name.suffix != kinds.SUFFIXES[original.type]:
            return None
        return self._of(record, [original, *(one for one in record.renditions if one.negotiated)])

    def _of(self, record: Record, stored: Iterable[Stored], lasting: str = resource.IMMUTABLE) -> Resource:
        told = [
            (Source(one.size, Digest(one.sha256).etag, record.key(one.name)), one.type, "identity") for one in stored
        ]
        # All are counted as one: there are more of them than anybody wants to read.
        return Resource(told, Terms(self._prefix, record.original.type, "tagged", lasting))


def find(storage: Storage, identity: str) -> Record | None:
    """The record of an upload; None where there is none. Raises OSError where the storage does not answer."""
    try:
        with storage.open(records.record_key(identity)) as file:
            data = file.read()
    except FileNotFoundError:
        return None
    record = records.load_record(data)
    if record is None:
        logger.error("%s is damaged: the upload is not served.", records.record_key(identity))
    return record


def tag(stored: Stored) -> str:
    """The tag in the name of a rendition."""
    return stored.sha256[: names.TAG_LENGTH]


def _is_named(stored: Stored, name: Name) -> bool:
    return tag(stored) == name.tag and kinds.SUFFIXES[stored.type] == name.suffix


def _extra(media_type: str) -> Headers:
    return [_SANDBOX, _ATTACHMENT] if media_type == kinds.PDF else [_SANDBOX]
