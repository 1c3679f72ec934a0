"""What access logs say of a release: which assets nobody asks for, and which are asked for wrongly.

1. ``_Site`` knows by the manifests what each URL of the kept releases is.
2. Logs are read line by line, each line in the format that it turns out to be in; a long one is cut.
3. ``_Tally`` adds up. What it holds is bounded by the release, not by the log: names that clients choose (of missing
   paths, of pages) are cut, and of very many the rarest are forgotten.
4. What comes out is a ``Stats``.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import zlib
from collections import Counter
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from assetpipe import manifest as manifests
from assetpipe.errors import ConfigError, Problem, Severity
from assetpipe.manifest import MANIFEST, RELEASES, Asset, Manifest
from assetpipe.progress import Observer, Silence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STDIN = "-"
FORMATS = (
    "the Common and Combined Log Format (nginx, Apache, gunicorn, uvicorn), JSON lines (nginx, Caddy), "
    "and assetpipe's Prometheus metrics"
)
_LONGEST = 32 * 1024  # bytes of a line; what comes after is not looked at
_MB = 1024 * 1024
_OFTEN = 10_000  # lines between two looks at how far we are
_NAMES = 20_000  # names that clients choose are held up to twice as many
_NAME = 500  # characters of such a name

# The request, the status, the body's bytes and the Referer, wherever they are in a line. A quoted field begins at a
# quote that is not escaped and ends at the next such, so no stretch of a line is scanned more than twice.
_QUOTED = rb'"(?<!\\")([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_ACCESS = re.compile(_QUOTED + rb" (\d{3})(?: (\d{1,15}|-))?(?![^ \r\n])(?: " + _QUOTED + rb")?")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_AUTHORITY = re.compile(rb"\Ahttps?://[^/?#]*", re.IGNORECASE)
_SUFFIX = re.compile(rb"[?#]")
# A sample of the Prometheus text format: its name, its labels, its value, perhaps a timestamp.
_SAMPLE = re.compile(rb"([A-Za-z_:][\w:]*)(?:\{(.*)\})? ([-+]?\d[-+.\deE]*|NaN|[-+]?Inf)(?: -?\d+)?\s*")
_LABEL = re.compile(rb"\b(asset|form|path|kind|status)=" + _QUOTED)

# What a URL is: as pages should have it, plain though there is a tagged one, or one of an older release.
_Form = Literal["current", "plain", "stale"]


class Page(Struct, frozen=True):
    """Where requests came from, by their Referer (query left out), and how many."""

    url: str
    count: int


class Asked(Struct, frozen=True):
    """How often a path was asked for, and by which pages, the most frequent first."""

    path: str
    count: int
    referers: tuple[Page, ...]


class Stats(Struct, frozen=True, kw_only=True):
    """What was asked for below the prefixes of a release, the most frequent first.

    ``assets`` is how many the release has. ``never`` are the assets that nobody asked for; ``plain`` those asked for
    by their plain URL though they have a tagged one; ``missing`` the paths that were answered 404; ``stale`` the URLs
    of older releases (metrics name only the asset). ``unknown`` counts requests for what no kept release has, answered
    otherwise all the same.
    """

    lines: int
    requests: int
    bytes: int
    statuses: dict[int, int]
    assets: int
    never: tuple[str, ...]
    plain: tuple[Asked, ...]
    missing: tuple[Asked, ...]
    stale: tuple[Asked, ...]
    unknown: int
    problems: tuple[Problem, ...]


def gather(dist: Path, logs: Sequence[str], mount: str = "", observer: Observer | None = None) -> Stats:
    """Read access logs, or metrics (``-`` is the standard input), and hold them against the releases in ``dist``.

    ``mount`` is the SCRIPT_NAME that the URLs in the log begin with. Raises ManifestError where there is no release,
    ConfigError where a log cannot be read or has nothing in it that is known.
    """
    observer = observer or Silence()
    release = manifests.load(dist / MANIFEST)
    retained = [manifests.load(dist / RELEASES / f"{identity}.json") for identity in release.retained]
    tally = _Tally(_Site(release, retained, mount))
    observer.begin("reading (MB)", sum(_size(log) for log in logs) // _MB)
    lines, unread, first = 0, 0, ("", 0)
    for log in logs:
        for number, line in enumerate(_lines(log, observer), 1):
            lines += 1
            if not tally.add(line):
                first = first if unread else (_name(log), number)
                unread += 1
    if not tally.understood:
        raise ConfigError(
            f"{', '.join(map(_name, logs))}: no request was found. Lines: {lines:,}. What is known: {FORMATS}."
        )
    if tally.unnamed and not tally.asked:
        raise ConfigError(
            "the metrics do not say which assets were asked for. Make them with Collector(…, per_asset=True)."
        )
    return Stats(
        lines=lines,
        requests=tally.requests,
        bytes=tally.bytes,
        statuses=dict(sorted(tally.statuses.items())),
        assets=len(release.assets),
        never=tuple(sorted(release.assets.keys() - tally.asked)),
        plain=tally.plain.told(),
        missing=tally.missing.told(),
        stale=tally.stale.told(),
        unknown=tally.unknown,
        problems=tuple(_problems(tally, unread, lines, first)),
    )


def _problems(tally: _Tally, unread: int, lines: int, first: tuple[str, int]) -> Iterator[Problem]:
    if unread:
        yield Problem(
            kind="log-unread",
            severity=Severity.WARNING,
            text=f"{unread:,} of {lines:,} lines were not understood, this one first",
            file=first[0],
            line=first[1],
            hint=f"What is known: {FORMATS}.",
        )
    if tally.unknown:
        yield Problem(
            kind="log-unknown",
            severity=Severity.WARNING,
            text=f"{tally.unknown:,} requests were answered for URLs that no kept release has",
            hint="Some of the log is older than these releases, so assets may have been asked for that seem not to be.",
        )
    if not tally.requests:
        yield Problem(
            kind="log-elsewhere",
            severity=Severity.WARNING,
            text="no request was for an asset of this release",
            hint="Is it this site's log? Below a mount point, name that: --mount /app",
        )


class _Site:
    """What each URL path is: its form, and the logical path of the asset that it leads to."""

    def __init__(self, release: Manifest, retained: Iterable[Manifest], mount: str) -> None:
        self.release = release
        self.prefixes = release.prefixes
        # Below "/" there is the application, too: only what it answered 404 might have been an asset.
        self.owned = tuple(prefix for prefix in release.prefixes if prefix != "/")
        self.mount = "/" + mount.strip("/") if mount.strip("/") else ""
        self.urls: dict[str, tuple[_Form, str]] = {}
        for one in retained:
            for path, asset in one.assets.items():
                self._add(path, asset, "stale")
        for path, asset in release.assets.items():
            self._add(path, asset, "current")
        # What the current release calls plain is plain, whatever an older one promised.
        for path, asset in release.assets.items():
            self._add_coded(path, asset, (self.form(path), path))

    def form(self, path: str) -> _Form:
        """What the plain URL of an asset is: its only one, perhaps."""
        return "current" if self.release.assets[path].url == path else "plain"

    def _add(self, path: str, asset: Asset, form: _Form) -> None:
        if asset.url != path or asset.immutable:
            self._add_coded(asset.url, asset, (form, path))
        for rendition in asset.renditions:
            self.urls[rendition.url] = form, path

    def _add_coded(self, url: str, asset: Asset, meaning: tuple[_Form, str]) -> None:
        # A server that finds the encodings on disk may log their files.
        for suffix in ("", *manifests.suffixes(asset)):
            self.urls[url + suffix] = meaning


class _Asked:
    """Counts requests by path and page."""

    def __init__(self) -> None:
        self._paths: Counter[str] = Counter()
        self._pages: Counter[tuple[str, str]] = Counter()

    def add(self, path: str, page: str = "", count: int = 1) -> None:
        path = path[:_NAME]
        self._paths[path] += count
        if len(self._paths) > 2 * _NAMES:
            self._paths = Counter(dict(self._paths.most_common(_NAMES)))
        if page:
            self._pages[path, page] += count
            if len(self._pages) > 2 * _NAMES:
                self._pages = Counter(dict(self._pages.most_common(_NAMES)))

    def told(self) -> tuple[Asked, ...]:
        pages: dict[str, list[Page]] = {}
        for (path, page), count in sorted(self._pages.items(), key=_often):
            pages.setdefault(path, []).append(Page(page, count))
        return tuple(
            Asked(path, count, tuple(pages.get(path, ()))) for path, count in sorted(self._paths.items(), key=_often)
        )


class _Tally:
    """Adds up the lines of logs."""

    def __init__(self, site: _Site) -> None:
        self.site = site
        self.understood = self.requests = self.bytes = self.unknown = 0
        self.unnamed = 0  # replies that metrics count as those of some asset
        self.statuses: Counter[int] = Counter()
        self.asked: set[str] = set()
        self.plain, self.stale, self.missing = _Asked(), _Asked(), _Asked()

    def add(self, line: bytes) -> bool:
        """Count a line; whether it was understood."""
        if line[:1] == b"{":
            return self._entry(line)
        access = _ACCESS.search(line)
        if access is not None:
            request, status, size, referer = access.groups()
            size = int(size) if size and size != b"-" else 0
            self._request(_path(request), int(status), size, referer or b"")
            return True
        sample = _SAMPLE.fullmatch(line)
        if sample is not None:
            return self._sample(sample)
        return not line.strip() or line[:1] == b"#"

    def _entry(self, line: bytes) -> bool:
        """A line of JSON."""
        try:
            # nginx escapes no byte beyond ASCII, whether or not it is UTF-8.
            entry = _ENTRIES.decode(line.decode(errors="replace"))
        except (ValueError, RecursionError):
            return False
        target, referer = entry.request_uri or entry.uri, entry.http_referer
        if isinstance(entry.request, _Request):
            target, referer = entry.request.uri, "".join(entry.request.headers.referer[:1])
        elif entry.request:
            target = target or _target(entry.request)
        elif not target:
            return False
        path = _decoded(target.encode(errors="replace"))
        size = entry.size or entry.body_bytes_sent
        self._request(path, entry.status, size, referer.encode(errors="replace"))
        return True

    def _request(self, path: str, status: int, size: int, referer: bytes) -> None:
        self.understood += 1
        site = self.site
        if site.mount:
            if not path.startswith(site.mount + "/"):
                return
            path = path[len(site.mount) :]
        found = site.urls.get(path)
        if found is None and not path.startswith(site.prefixes if status == 404 else site.owned):
            return
        self.requests += 1
        self.bytes += size
        self.statuses[status] += 1
        if status == 404:
            self.missing.add(path, _page(referer))
        elif found is None:
            self.unknown += 1
        if found is not None:
            form, asset = found
            self.asked.add(asset)
            if form == "plain":
                self.plain.add(asset, _page(referer))
            elif form == "stale":
                self.stale.add(path, _page(referer))

    def _sample(self, sample: re.Match[bytes]) -> bool:
        """A line of metrics; those of others are nothing to us."""
        name, labels, value = sample.groups()
        if name.startswith(b"assetpipe_"):
            told = {label: _unescaped(text).decode(errors="replace") for label, text in _LABEL.findall(labels or b"")}
            try:
                self._count(name.removeprefix(b"assetpipe_"), told, int(float(value)))
            except (ValueError, OverflowError, KeyError):
                return False
            self.understood += 1
        return True

    def _count(self, name: bytes, labels: dict[bytes, str], count: int) -> None:
        if name == b"replies_total":
            self.statuses[int(labels[b"status"])] += count
            self.requests += count
            self.unnamed += count if labels[b"kind"] != "none" else 0
        elif name == b"bytes_total":
            self.bytes += count
        elif name == b"missing_total":
            self.missing.add(labels[b"path"], count=count)
        elif name == b"asset_replies_total":
            asset, form = labels[b"asset"], labels[b"form"]
            self.asked.add(asset)
            if form == "stale":
                self.stale.add(asset, count=count)
            elif form == "plain" and asset in self.site.release.assets and self.site.form(asset) == "plain":
                self.plain.add(asset, count=count)


class _Headers(Struct, frozen=True):
    """The header fields of a request, as Caddy logs them."""

    referer: tuple[str, ...] = msgspec.field(default=(), name="Referer")


class _Request(Struct, frozen=True):
    """A request, as Caddy logs it."""

    uri: str
    headers: _Headers = _Headers()


_Size = Annotated[int, msgspec.Meta(ge=0)]


class _Entry(Struct, frozen=True):
    """A line of JSON: Caddy's, or one with nginx's variables under their names."""

    status: Annotated[int, msgspec.Meta(ge=0, le=999)]
    request: _Request | str = ""
    request_uri: str = ""
    uri: str = ""
    size: _Size = 0
    body_bytes_sent: _Size = 0
    http_referer: str = ""


# nginx's variables may be written as strings, whatever they are.
_ENTRIES = msgspec.json.Decoder(_Entry, strict=False)


@lru_cache(maxsize=2048)
def _path(request: bytes) -> str:
    """The decoded path of a request line, as it stands in a log."""
    return _decoded(_target(_unescaped(request).decode(errors="surrogateescape")).encode(errors="surrogateescape"))


@lru_cache(maxsize=2048)
def _page(referer: bytes) -> str:
    """A page's URL without its query; nothing for ``-``."""
    url = _SUFFIX.split(_unescaped(referer), maxsplit=1)[0].decode(errors="replace")
    return "" if url == "-" else url[:_NAME]


def _unescaped(field: bytes) -> bytes:
    r"""Undo what servers write for what cannot stand in a quoted field: ``\"``, ``\\``, ``\n``, nginx's ``\x22``."""
    if b"\\" not in field:
        return field
    return _ESCAPE.sub(lambda m: bytes.fromhex(m[1].decode()) if m[1] else _LETTERS.get(m[2], m[2]), field)


def _target(request: str) -> str:
    """The target of a request line (RFC 9112 section 3); nothing where it has none."""
    rest = request.partition(" ")[2]
    target, version, _ = rest.rpartition(" HTTP/")
    return target if version else rest


def _decoded(target: bytes) -> str:
    """The path of a request's target, which may be a whole URL (RFC 9112 section 3.2.2)."""
    path = _SUFFIX.split(_AUTHORITY.sub(b"", target), maxsplit=1)[0]
    return unquote_to_bytes(path).decode(errors="replace")


def _often(entry: tuple[object, int]) -> tuple[int, object]:
    return -entry[1], entry[0]


def _name(log: str) -> str:
    """The log's name, whatever bytes it is made of."""
    return os.fsencode(log).decode(errors="replace")


def _size(log: str) -> int:
    """The bytes of a log as far as they are known: none of a pipe."""
    try:
        return Path(log).stat().st_size if log != STDIN else 0
    except OSError:
        return 0


@contextmanager
def _opened(log: str) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A log as it lies there, and as what it says: unpacked, if it is packed.

    Raises ConfigError, also where reading fails later.
    """
    try:
        with open(log if log != STDIN else sys.stdin.fileno(), "rb", closefd=log != STDIN) as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            yield file, io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ConfigError(f"{_name(log)}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _lines(log: str, observer: Observer) -> Iterator[bytes]:
    """The lines of a log, long ones cut."""
    with _opened(log) as (raw, file):
        number = done = 0
        while line := file.readline(_LONGEST):
            yield line
            while len(line) == _LONGEST and line[-1:] != b"\n":
                line = file.readline(_LONGEST)
            number += 1
            if not number % _OFTEN and raw.seekable():
                for _ in range(raw.tell() // _MB - done):
                    observer.step()
                    done += 1
