"""Live reload: in debug mode, while a watch runs, pages learn of new releases and of what is in the way of one.

1. Every HTML document of the application gets one script more, at its end, told which release it was made with.
2. The script listens to a stream of server-sent events (HTML section 9.2), which tells what has changed since then:
   style sheets and images are swapped, for anything else that the page uses it is loaded again (``live.js``).
3. Errors of the watch's builds are shown over the page, until they are mended.

Outside of debug mode nothing of this is there: the module is not even imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from assetpipe import manifest as manifests
from assetpipe.errors import ManifestError
from assetpipe.paths import LogicalPath, rooted
from assetpipe.serve.resource import NOSNIFF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from assetpipe.manifest import Manifest
    from assetpipe.serve.releases import Releases

STREAM = "/_assetpipe/live"
SCRIPT = "/_assetpipe/live.js"
# In the environ: the logical paths of the assets that the page has inlined, which no URL in it tells.
INLINED = "assetpipe.inlined"
_LOOK = 0.025  # seconds between two looks at what was published
_BEAT = 1.0  # seconds of silence after which something is sent, to learn whether anybody still listens
_AGAIN = 1000  # milliseconds after which a browser asks again
_STREAMS = 3  # that last; a server may have no more than four threads for all that it does
_HIDDEN = re.compile(r"\.|.*~\Z")
_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'")
_RELEASE = re.compile(r"[0-9A-Za-z_-]+\Z")


class LiveReload:
    """Stands before the application, and tells its pages of releases.

    ``cdn`` is the host where pages name their assets, if they do; ``templates`` are the folders of what pages are made
    of: a change there is one of the pages.
    """

    def __init__(self, app: WSGIApplication, releases: Releases, cdn: str, templates: Iterable[str]) -> None:
        self.app = app
        self.releases = releases
        self.cdn = cdn
        self._templates = tuple(templates)
        self._streams = threading.Semaphore(_STREAMS)
        self._code = ""
        self._next_code = 0.0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer what the script asks for, or pass the request on."""
        path = environ.get("PATH_INFO", "")
        if path in (STREAM, SCRIPT) and environ["REQUEST_METHOD"] != "GET":
            start_response("405 Method Not Allowed", [("Allow", "GET"), ("Content-Length", "0")])
            return ()
        if path == SCRIPT:
            return _script(start_response)
        if path == STREAM:
            return self._stream(environ, start_response)
        if not (self.releases.watched() and _is_document(environ)):
            return self.app(environ, start_response)
        return self._document(environ, start_response)

    # The document

    def _document(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        table = self.releases.fresh()
        release, code = table.manifest.release if table is not None else "", self._code_now()
        # What is kept elsewhere names an older release for ever, and a compressed page has no end to write to.
        for field in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_ACCEPT_ENCODING"):
            environ.pop(field, None)
        tags: list[bytes] = []

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            told = {name.lower(): value for name, value in headers}
            tags.clear()
            if _takes_script(status, told):
                tag = _tag(environ, told, release, code)
                tags.append(tag)
                if "content-length" in told:
                    headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
                    headers.append(("Content-Length", str(int(told["content-length"]) + len(tag))))
            return start_response(status, headers, *exc_info)

        return _Extended(self.app(environ, start), tags)

    # The stream

    def _stream(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        # Where the browser asks again by itself, what it has heard last counts.
        since = environ.get("HTTP_LAST_EVENT_ID") or query.get("since", [""])[0]
        since = since if _RELEASE.match(since) else ""
        mount = quote(environ.get("SCRIPT_NAME", "").encode("latin-1")).rstrip("/")
        headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), NOSNIFF]
        # nginx would wait for more.
        start_response("200 OK", [*headers, ("X-Accel-Buffering", "no")])
        return self._events(since, mount, lasting=bool(environ.get("wsgi.multithread")))

    def _events(self, since: str, mount: str, *, lasting: bool) -> Iterator[bytes]:
        """What the page should know, whenever that changes.

        Where there is no thread to spare the stream ends at once, and the browser asks again.
        """
        lasting = lasting and self._streams.acquire(blocking=False)
        try:
            yield f"retry: {_AGAIN}\n\n".encode()
            told: dict[str, object] = {}
            known = self._manifest(since)
            sent = time.monotonic()
            while True:
                state: dict[str, object] = {"code": self._code_lately(), "problems": [], "errors": 0}
                current = None
                if self.releases.watched():
                    state |= self._problems()
                    table = self.releases.fresh()
                    current = table.manifest if table is not None else None
                if current is not None:
                    state["release"] = since = current.release
                if state != told:
                    told = dict(state)
                    if current is not None and current is not known:
                        state["bases"] = [mount, *([self.cdn + mount] if self.cdn else [])]
                        state["changes"] = _changes(known, current) if known is not None else None
                        known = current
                    # Also the way of an event to say that nothing has changed: the browser learns its release's name.
                    yield f"id: {since}\ndata: {json.dumps(state)}\n\n".encode()
                    sent = time.monotonic()
                elif time.monotonic() - sent >= _BEAT:
                    yield b":\n\n"
                    sent = time.monotonic()
                if not lasting:
                    return
                time.sleep(_LOOK)
        finally:
            if lasting:
                self._streams.release()

    def _manifest(self, release: str) -> Manifest | None:
        """The manifest of a release that a page was made with; None where it is not kept any more."""
        table = self.releases.fresh()
        if table is not None and table.manifest.release == release:
            return table.manifest
        if not release:
            return None
        try:
            return manifests.load(self.releases.dist / manifests.RELEASES / f"{release}.json")
        except ManifestError:
            return None

    def _problems(self) -> dict[str, object]:
        """What is in the way of the next release, as the watch says."""
        try:
            told = json.loads((self.releases.dist / manifests.PROBLEMS).read_bytes())
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    # What pages are made of, beside the assets

    def _code_lately(self) -> str:
        if time.monotonic() >= self._next_code:
            self._code_now()
        return self._code

    def _code_now(self) -> str:
        """What tells the pages of this code and these templates from those of others."""
        # Werkzeug's reloader starts a new process when the code changes. Other servers may have several.
        process = os.getpid() if os.environ.get("WERKZEUG_RUN_MAIN") == "true" else 0
        found: list[tuple[str, int]] = []
        for top in self._templates:
            for folder, _, names in os.walk(top):
                for file in (Path(folder, name) for name in names if not _HIDDEN.match(name)):
                    with contextlib.suppress(OSError):  # gone meanwhile
                        found.append((str(file), file.stat().st_mtime_ns))
        self._code = hashlib.sha256(repr((process, sorted(found))).encode(errors="surrogateescape")).hexdigest()[:12]
        self._next_code = time.monotonic() + 0.5
        return self._code


class _Extended:
    """The body of a reply, and what is to be said after it: known when the body begins, or later."""

    def __init__(self, body: Iterable[bytes], more: list[bytes]) -> None:
        self._body = body
        self._more = more

    def __iter__(self) -> Iterator[bytes]:
        yield from self._body
        yield from self._more

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _script(start_response: StartResponse) -> Iterable[bytes]:
    data = Path(__file__).with_name("live.js").read_bytes()
    headers = [("Content-Type", "text/javascript; charset=utf-8"), ("Content-Length", str(len(data)))]
    start_response("200 OK", [*headers, ("Cache-Control", "no-store"), NOSNIFF])
    return (data,)


def _is_document(environ: WSGIEnvironment) -> bool:
    """Whether a browser asks for a page to show, and no script for a part of one."""
    if environ["REQUEST_METHOD"] == "HEAD":
        return False
    destination = environ.get("HTTP_SEC_FETCH_DEST")
    if destination is not None:
        return destination in ("document", "iframe", "frame")
    # Browsers say it to origins that they trust (https, and this machine) alone.
    by_script = "HTTP_HX_REQUEST" in environ or "HTTP_X_REQUESTED_WITH" in environ
    return not by_script and "text/html" in environ.get("HTTP_ACCEPT", "")


def _takes_script(status: str, headers: dict[str, str]) -> bool:
    return (
        status[:3] not in ("204", "206", "304")
        and headers.get("content-type", "").partition(";")[0].strip().lower() == "text/html"
        and "content-encoding" not in headers
        and not headers.get("content-disposition", "").lower().startswith("attachment")
        and headers.get("content-length", "0").isdecimal()
    )


def _tag(environ: WSGIEnvironment, headers: dict[str, str], release: str, code: str) -> bytes:
    """The element of the script. A parser takes it after the end of the document, too (HTML section 13.2.6.4.20)."""
    told = {
        "src": quote(environ.get("SCRIPT_NAME", "").encode("latin-1")).rstrip("/") + SCRIPT,
        "data-release": release,
        "data-code": code,
    }
    if inlined := environ.get(INLINED):
        told["data-inlined"] = json.dumps(inlined)
    if environ["REQUEST_METHOD"] != "GET":
        told["data-method"] = environ["REQUEST_METHOD"]
    if nonce := _NONCE.search(headers.get("content-security-policy", "")):
        told["nonce"] = nonce[1]
    attributes = " ".join(f'{name}="{escape(value)}"' for name, value in told.items())
    return f"<script {attributes} async></script>".encode()


def _changes(old: Manifest, new: Manifest) -> dict[str, tuple[str | None, str]]:
    """What a page made with the release ``old`` has to replace, by the URL paths that it may have it from.

    Each is given the path of the new URL, as it is written in a page, and what it is. None is what is no more.
    """
    told: dict[str, tuple[str | None, str]] = {}
    diff = manifests.diff(old, new)
    for path in (*diff.added, *diff.changed, *diff.removed):
        before, after = old.assets.get(path), new.assets.get(path)
        asset = after or before
        if asset is None:
            continue  # private, before and after
        kind = "css" if asset.type.startswith("text/css") else asset.type.partition("/")[0]
        told[path] = (None, kind)
        if after is not None:
            url = rooted(LogicalPath(after.url))
            # Where the name stays, a page must be told to ask for other bytes.
            changed = before is not None and before.url == after.url
            told[path] = (f"{url}?{after.sha256[:12]}" if changed else url, kind)
        if before is not None:
            told[before.url] = told[path]
            for one in before.renditions:
                same = [r.url for r in after.renditions if (r.type, r.width) == (one.type, one.width)] if after else []
                told[one.url] = (rooted(LogicalPath(same[0])) if same else None, kind)
    return told
