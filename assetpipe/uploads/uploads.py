"""The store of uploads: what views call.

Adding: ``intake`` says what may be published, its renditions are made (by which it is decoded to its end), its files
are put into the storage, and last its record. Whatever fails before that leaves nothing that is served.

Making what is first asked for under a signed URL, once on this machine however many ask:

1. One thread of a process goes for it, the others wait for what it comes to (``Turns.once``).
2. It takes a place in the queue, or is told that there is none.
3. One process goes for it, by a lock that dies with its holder. A lock that was left by processes which died at it says
   how many: after the third, nobody tries again.
4. What came of it is put beside the upload's files, failures, too: the first to put it there is believed by all.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets as chance
import time
from typing import TYPE_CHECKING, Any, get_args

from assetpipe import locks
from assetpipe.config import ImageFormat, quality_of
from assetpipe.errors import ConfigError
from assetpipe.manifest import Rendition
from assetpipe.paths import Digest
from assetpipe.serve.bodies import MEMORY
from assetpipe.uploads import intake, kinds, names, records, serving
from assetpipe.uploads.errors import UploadError
from assetpipe.uploads.intake import Limits
from assetpipe.uploads.names import Signer, Variant
from assetpipe.uploads.records import Outcome, Record, Stored
from assetpipe.uploads.serving import Desk
from assetpipe.uploads.shells import AsgiUploads, WsgiUploads
from assetpipe.uploads.storage import Folder
from assetpipe.uploads.turns import Busy, Turns
from assetpipe.uploads.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication

    from assetpipe.config import Gravity, Quality
    from assetpipe.serve.counters import Snapshot
    from assetpipe.transforms.images import Order, Picture
    from assetpipe.uploads.intake import Taken
    from assetpipe.uploads.shells import ASGIApplication
    from assetpipe.uploads.storage import Storage

logger = logging.getLogger("assetpipe")
ALLOW = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/\Z", re.ASCII)
# Seconds that a request waits for a picture: less than servers give a worker, gunicorn thirty.
_PATIENCE = 20.0
_LIVES = 3


class Uploads:
    """Takes files of strangers, and serves what may be published of them below ``prefix``.

    ``storage`` is a folder, or ``Objects`` of ``assetpipe.uploads.objects``. ``base`` stands before every URL: the URL
    of a CDN, or the path that the application is mounted at. ``secret`` signs the URLs of renditions that are made when
    they are first asked for; of several the first signs, and all are taken. ``allow`` are media types: those of ALLOW,
    ``image/svg+xml`` and ``application/pdf``. Of each picture there are, from the
    beginning, ``widths`` (pixels) and its own in each of the ``formats``. Of one file at most ``max_bytes`` are read,
    and at most ``max_pixels`` decoded, over all frames of an animation. Each process works on as many pictures at once
    as ``conversions`` says, while at most ``waiting`` others wait; ``memory`` bounds the bytes of small files it holds.

    Raises ConfigError for what cannot be.
    """

    def __init__(
        self,
        storage: str | os.PathLike[str] | Storage,
        *,
        prefix: str = "/uploads/",
        base: str = "",
        secret: str | bytes | Sequence[str | bytes] | None = (),
        allow: Sequence[str] = ALLOW,
        widths: Sequence[int] = (),
        formats: Sequence[ImageFormat] = ("webp",),
        quality: Quality | dict[ImageFormat, Quality] | None = None,
        max_bytes: int = 20_000_000,
        max_pixels: int = 50_000_000,
        conversions: int = 2,
        waiting: int = 16,
        memory: int = MEMORY,
    ) -> None:
        if not _PREFIX.match(prefix):
            raise ConfigError(f'prefix={prefix!r}: name a path of the site, such as "/uploads/".')
        if not allow or (strange := set(allow) - kinds.SUFFIXES.keys()):
            told = f"{sorted(strange)} cannot be taken" if allow else "nothing is"
            raise ConfigError(f"allow: {told}. There are {', '.join(kinds.SUFFIXES)}.")
        if min(max_bytes, max_pixels, conversions) < 1 or waiting < 0:
            raise ConfigError("max_bytes, max_pixels and conversions must be 1 or more, and waiting not less than 0.")
        self.prefix = prefix
        self.base = base.rstrip("/")
        self._storage: Storage = Folder(storage) if isinstance(storage, str | os.PathLike) else storage
        self._limits = Limits(tuple(allow), max_bytes, max_pixels)
        self._quality = {name: quality_of(name, quality) for name in get_args(ImageFormat)}
        if isinstance(widths, int) or isinstance(formats, str):
            raise ConfigError(f"widths={widths!r}, formats={formats!r}: name several, as in widths=(480, 960).")
        self._wanted = [Variant(w, f, self._quality.get(f, 80)).checked() for f in formats for w in (0, *widths)]
        if any(isinstance(self._quality[one.format], str) for one in self._wanted):
            _check_quality(*(self._quality[one.format] for one in self._wanted))
        self._signer = Signer(secret, prefix)
        self._turns = Turns(conversions, waiting, _PATIENCE)
        self._desk = Desk(self._storage, prefix, self._signer, self._outcome, memory)

    # What views call

    def add(self, stream: Any, filename: str | None = None) -> Upload:
        """Take a file, and publish it: a form's file, anything to be read, bytes, or chunks of them.

        ``filename`` is what the sender calls it, and only has to agree with what it is. The same file is the same
        upload however often it is added. Raises UploadError for what is not taken, with a text for the sender; and
        OSError where it cannot be kept.
        """
        data = intake.receive(stream, self._limits)
        try:
            with self._turns.place():
                with self._turns.turn():
                    taken = intake.examine(data, filename, self._limits)
                    identity = Digest.of(taken.data)[: names.ID_LENGTH]
                    record = serving.find(self._storage, identity)
                    pictures = self._rendered(taken) if record is None else ()
                return self._told(record or self._publish(identity, taken, pictures))
        except Busy as error:
            raise UploadError(
                "busy", "Too many pictures are being worked on just now. Try again in a moment."
            ) from error

    def find(self, id: str | None) -> Upload | None:  # noqa: A002 (what it is called)
        """The upload of an id; None where there is none, or where it was deleted."""
        record = serving.find(self._storage, id) if id is not None and names.is_id(id) else None
        return None if record is None else self._told(record)

    def delete(self, id: str) -> bool:  # noqa: A002 (what it is called)
        """Delete an upload and all that was made of it: whether there was one.

        Within a second no process serves it any more; what browsers and a CDN hold stays there.
        """
        if not names.is_id(id):
            return False
        record = serving.find(self._storage, id)
        # Without its record it is none, and what is killed after this leaves waste alone.
        self._storage.delete(records.record_key(id))
        self._desk.forget(id)
        if record is None:
            return False
        for kept in list(self._storage.list(record.key("").rstrip("/"))):
            self._storage.delete(kept.key)
        return True

    def url(
        self,
        upload: Upload | str,
        *,
        width: int = 0,
        format: ImageFormat = "webp",  # noqa: A002 (what everybody calls it)
        quality: Quality | None = None,
        crop: str = "",
        gravity: Gravity = "center",
    ) -> str:
        """The signed URL of a rendition, which is made when it is first asked for.

        ``width`` is in pixels, and 0 the picture's own, which it never exceeds. ``crop`` are the proportions that it is
        cut to (``"1:1"``), ``gravity`` what is left then. Raises ConfigError without a secret, and for what cannot be.
        """
        identity = upload.id if isinstance(upload, Upload) else upload
        if not names.is_id(identity):
            raise ConfigError(f"{identity!r} is no upload's id.")
        if not self._signer.can_sign:
            raise ConfigError(
                "URLs of renditions need Uploads(…, secret=…): unsigned, anybody could have the server make any number."
            )
        wanted = Variant(width, format, self._quality.get(format, 80) if quality is None else quality, crop, gravity)
        wanted.checked()
        if isinstance(wanted.quality, str):
            _check_quality(wanted.quality)
        spec, suffix = wanted.spec, f".{format}"
        return f"{self.base}{self.prefix}{identity}.{spec}.{self._signer.sign(identity, spec, suffix)}{suffix}"

    def __iter__(self) -> Iterator[Upload]:
        """All uploads there are, in no order that means anything."""
        for kept in self._storage.list(records.RECORDS):
            identity = records.record_id(kept.key)
            record = serving.find(self._storage, identity) if identity else None
            if record is not None:
                yield self._told(record)

    def sweep(self, older_than: float = 3600) -> int:
        """Delete what killed processes have left, and forget which pictures could not be made: how many files it was.

        ``older_than`` is in seconds: nothing younger is touched, for somebody may be at work on it.
        """
        present = {records.record_id(kept.key) for kept in self._storage.list(records.RECORDS)}
        generations: dict[str, str] = {}
        swept = 0
        for folder in (records.FILES, records.RECORDS):
            for kept in self._storage.list(folder):
                if kept.age >= older_than and self._is_waste(kept.key, present, generations):
                    self._storage.delete(kept.key)
                    swept += 1
        return swept + self._sweep_locks(older_than)

    def snapshot(self) -> Snapshot:
        """Count what this process answered so far."""
        return self._desk.sender.snapshot()

    # How requests get here

    def init_app(self, app: Any) -> None:
        """Answer in front of a Flask app: no request context is made for an upload, and no hook of the app's called."""
        app.wsgi_app = self.wsgi(app.wsgi_app)

    def wsgi(self, app: WSGIApplication) -> WSGIApplication:
        """Answer in front of a WSGI application."""
        return WsgiUploads(app, self._desk)

    def asgi(self, app: ASGIApplication) -> ASGIApplication:
        """Answer in front of an ASGI application."""
        return AsgiUploads(app, self._desk)

    # Adding

    def _publish(self, identity: str, taken: Taken, pictures: tuple[Picture, ...]) -> Record:
        """Put an upload into the storage; or what was there sooner is the one."""
        generation = chance.token_hex(8)
        original = _stored("original" + kinds.SUFFIXES[taken.media_type], taken.data, taken.media_type, taken)
        files = {original: taken.data} | {_made(one): one.data for one in pictures}
        record = Record(
            records.FORMAT, identity, generation, original, tuple(one for one in files if one is not original)
        )
        try:
            for stored, data in files.items():
                self._storage.put(record.key(stored.name), data)
        except BaseException:
            self._discard(record)
            raise
        # From here on the record may lie there, whatever we are told: an object storage that did not answer in time is
        # asked again, and then says that there is one. Where nobody can say, the files are left, for ``sweep``.
        for _ in range(3):
            if self._storage.put(records.record_key(identity), records.dump(record)):
                return record
            other = serving.find(self._storage, identity)
            if other is not None:
                if other.generation != generation:
                    self._discard(record)
                return other
            # It was deleted, this very moment; or else
        self._discard(record)
        raise OSError(f"{records.record_key(identity)} is damaged: delete it, then add the file again")

    def _discard(self, record: Record) -> None:
        """Delete the files of a record that was not put in place."""
        # What cannot be deleted is waste.
        with contextlib.suppress(OSError):
            for stored in (record.original, *record.renditions):
                self._storage.delete(record.key(stored.name))

    def _rendered(self, taken: Taken) -> tuple[Picture, ...]:
        """What is wanted of a picture; it is decoded to its end, also where nothing is."""
        if taken.media_type not in kinds.RASTERS:
            return ()
        from assetpipe.transforms import images, rasters

        orders = [_order(one) for one in self._wanted]
        most = self._limits.max_pixels
        try:
            rendered = images.render(taken.data, taken.media_type, orders, most)
            if not images.plan(rendered.facts, orders):
                look = rasters.frames if rendered.facts.frames > 1 else rasters.decode
                look(taken.data, taken.media_type, most)
        except rasters.ImageError as error:
            raise intake.refused(error, most) from error
        return rendered.pictures

    def _told(self, record: Record) -> Upload:
        original, here = record.original, f"{self.prefix}{record.id}"
        renditions = tuple(
            Rendition(
                url=f"{here}.{serving.tag(one)}{kinds.SUFFIXES[one.type]}",
                type=one.type,
                size=one.size,
                sha256=one.sha256,
                width=one.width,
                height=one.height,
                negotiated=one.negotiated,
            )
            for one in record.renditions
        )
        path = here + kinds.SUFFIXES[original.type]
        return Upload(
            record.id, original.type, original.size, original.width, original.height, path, renditions, self.base
        )

    # Making what is first asked for

    def _outcome(self, record: Record, variant: Variant) -> Outcome:
        """What comes of a variant. Raises Busy, and OSError."""
        if not variant.crop and variant.width >= record.original.width:
            variant = Variant(0, variant.format, variant.quality)
        key = record.key(f"{variant.spec}.{variant.format}.json")
        known = self._known_outcome(key)
        return known or self._turns.once(key, lambda: self._make_once(record, variant, key))

    def _make_once(self, record: Record, variant: Variant, key: str) -> Outcome:
        until = time.monotonic() + self._turns.patience  # for both that it may wait for
        with self._turns.place(), self._alone(key, until) as lock:
            known = self._known_outcome(key)
            if known is not None:
                return known
            with self._turns.turn(until):
                deaths = _begun(lock)
                if deaths < _LIVES:
                    outcome = self._make(record, variant)
                else:
                    outcome = Outcome(failure=f"{deaths} processes died at it")
            logger.info("%s: made.", key)
            if outcome.failure:
                logger.error("%s: %s. It is not tried again before the next sweep.", key, outcome.failure)
            if not self._storage.put(key, records.dump(outcome)):
                # Another machine was faster.
                outcome = self._known_outcome(key) or outcome
            return outcome

    def _known_outcome(self, key: str) -> Outcome | None:
        try:
            with self._storage.open(key) as file:
                return records.load_outcome(file.read())
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def _alone(self, key: str, until: float) -> Iterator[Path | None]:
        """Keep the other processes of this machine from it, by a lock if there can be one. Raises Busy."""
        folder = self._storage.locks
        if folder is None:
            yield None
            return
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / Digest.of(key.encode())[: names.ID_LENGTH]
        with locks.holding(file, until - time.monotonic()) as mine:
            if not mine:
                raise Busy
            deaths = file.stat().st_size
            try:
                yield file
            except BaseException:
                # We live, and nothing came of it: who died at it before still counts.
                with contextlib.suppress(OSError):
                    os.truncate(file, deaths) if deaths else file.unlink()
                raise
            with contextlib.suppress(OSError):  # where what is open cannot be deleted
                file.unlink()

    def _make(self, record: Record, variant: Variant) -> Outcome:
        """Make a picture, and put it beside the others. Raises Busy and OSError for what may be otherwise next time."""
        from assetpipe.transforms import images

        original = record.original
        with self._storage.open(record.key(original.name)) as file:
            data = file.read()
        if Digest.of(data) != original.sha256:
            raise OSError(f"{record.key(original.name)} has not the bytes that were published")
        try:
            pictures = images.render(data, original.type, [_order(variant)], self._limits.max_pixels).pictures
        except MemoryError as error:
            raise Busy from error
        except OSError:
            raise
        except Exception as error:
            # Whatever it is, it would be the same the next time.
            return Outcome(failure=f"{type(error).__name__}: {error}")
        if not pictures:
            return Outcome()
        stored = _made(pictures[0])
        self._storage.put(record.key(stored.name), pictures[0].data)
        return Outcome(stored)

    # Cleaning up

    def _is_waste(self, key: str, present: set[str | None], generations: dict[str, str]) -> bool:
        """Whether nobody needs a file: it is half written, no record names its folder, or it tells of a failure."""
        if key.endswith(".new"):
            return True
        owner = records.owner(key)
        if owner is None:
            return False
        identity, generation = owner
        if identity not in generations:
            record = serving.find(self._storage, identity)
            if record is None and identity in present:
                generations[identity] = "*"  # damaged: whoever mends it wants its files
            else:
                generations[identity] = record.generation if record is not None else ""
        if generations[identity] not in (generation, "*"):
            return True
        if not key.endswith(".json"):
            return False
        outcome = self._known_outcome(key)
        return outcome is None or outcome.failure != ""

    def _sweep_locks(self, older_than: float) -> int:
        folder, swept = self._storage.locks, 0
        if folder is None or not folder.is_dir():
            return 0
        now = time.time()
        for file in folder.iterdir():
            with contextlib.suppress(OSError):
                if now - file.stat().st_mtime >= older_than and not locks.is_held(file):
                    file.unlink()
                    swept += 1
        return swept


def _begun(lock: Path | None) -> int:
    """Note in a lock that its holder begins with what may kill it: how many have died at it."""
    if lock is None:
        return 0
    with lock.open("ab") as handle:
        deaths = handle.tell()
        handle.write(b"\n")
    return deaths


def _check_quality(*qualities: Quality) -> None:
    from assetpipe.transforms import codecs

    for quality in qualities:
        codecs.check(quality)


def _order(variant: Variant) -> Order:
    from assetpipe.transforms.images import Order

    return Order(
        format=variant.format,
        quality=variant.quality,
        width=variant.width,
        # What is cut off is not what the original shows: that cannot stand in for it.
        thumbnail=bool(variant.crop),
        crop=variant.crop,
        gravity=variant.gravity,
    )


def _made(picture: Picture) -> Stored:
    order = picture.order
    name = f"{Digest.of(picture.data)[: names.ID_LENGTH]}.{order.format}"
    return _stored(name, picture.data, f"image/{order.format}", picture, negotiated=not order.width and not order.crop)


def _stored(name: str, data: bytes, media_type: str, size: Taken | Picture, *, negotiated: bool = False) -> Stored:
    return Stored(name, media_type, len(data), Digest.of(data), size.width, size.height, negotiated)
