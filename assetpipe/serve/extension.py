"""The Flask blueprint: plain ``url_for('static', …)`` gives tagged URLs, and they are answered in front of the app."""

from __future__ import annotations

import difflib
import os
import re
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize
from urllib.parse import quote, urlsplit, urlunsplit

from flask import Blueprint, Flask, Response, after_this_request, current_app, has_request_context, request
from werkzeug.local import LocalProxy

from assetpipe import media
from assetpipe.config import Config
from assetpipe.errors import ConfigError, ManifestError, TagError
from assetpipe.manifest import MANIFEST
from assetpipe.serve import views
from assetpipe.serve.bodies import MEMORY
from assetpipe.serve.folders import is_static, project_config, static_folders, static_prefix
from assetpipe.serve.markup import Page, View
from assetpipe.serve.server import Server
from assetpipe.serve.unbuilt import Sources
from assetpipe.serve.views import Views
from assetpipe.serve.wsgi import AssetMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue

    from assetpipe.serve.counters import Snapshot
    from assetpipe.serve.resource import Representation
    from assetpipe.serve.table import Table

# Said by ``name_static`` to ``url_for`` around it: the name is one of the release, so a CDN has it.
_named: ContextVar[bool] = ContextVar("assetpipe_named", default=False)

# RFC 3986: http or https, a host (a name, or an address in brackets), a port, a path. No user, query or fragment.
_HOST_URL = re.compile(
    r"https?://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[\w.~!$&'()*+,;=:@%/-]*)?\Z", re.ASCII
)
_SAID = 1000  # warnings that are remembered; an application may make names of what clients send


class AssetPipe(Blueprint):
    """Serves what ``flask assets build`` published, and writes the tags for it.

    ``dist`` is the folder of the releases. Without it, ``app.config["ASSETPIPE_DIST"]`` counts as it is when the
    blueprint is registered, then the project's configuration file, then ``dist`` beside the app's module or package. A
    relative one is relative to the folder of the configuration file, or else to the one beside the app.

    Also read when it is registered: ``ASSETPIPE_CDN`` (``"https://cdn.example.com"``: assets are named there),
    ``ASSETPIPE_MEMORY`` (bytes of small files held by each process), ``ASSETPIPE_X_ACCEL_REDIRECT`` (the path of
    nginx's internal location for the dist folder: large files are left to it) and Flask's own ``USE_X_SENDFILE``.
    """

    def __init__(self, dist: str | os.PathLike[str] | None = None, name: str = "assetpipe") -> None:
        super().__init__(name, __name__)
        self._dist = dist

    def register(self, app: Flask, options: dict[str, Any]) -> None:  # type: ignore[override]
        """Put the assets in front of ``app``. Raises ConfigError for a configuration that is wrong."""
        if "assetpipe" in app.extensions:
            raise ConfigError(f"{app.name} has an AssetPipe already: one serves the assets of all blueprints.")
        super().register(app, options)
        dist = self._dist or app.config.get("ASSETPIPE_DIST")
        config = project_config(app)
        serving = Serving(app, config.with_dist(Path(dist)) if dist else config)
        app.extensions["assetpipe"] = serving
        app.wsgi_app = serving.front  # type: ignore[method-assign]
        app.url_default_functions.setdefault(None, []).append(serving.name_static)
        app.dispatch_request = serving.guarded(app.dispatch_request)  # type: ignore[method-assign]
        if serving.cdn:
            app.url_for = serving.on_cdn(app.url_for)  # type: ignore[method-assign]
        serving.add_to_templates()

    def send(
        self, path: str | os.PathLike[str], *, as_attachment: bool = False, download_name: str | None = None
    ) -> Response:
        """Answer the current request with a file of a private root, after your own check.

        ``path`` is the file's path below the site's root, as in ``"reports/2026.pdf"``; where there is none, 404.
        Negotiated, in ranges and with an ETag as every asset; ``Cache-Control: private, no-cache``.
        """
        serving, path = _serving(), os.fspath(path)
        extra = views.disposition(path, download_name, as_attachment=as_attachment)
        table = serving.table_in_use()
        if table is None:
            return views.private_source(views.logical(path), serving.sources, extra)
        return serving.views.private(views.logical(path), table, extra)

    def send_bytes(
        self, data: bytes, name: str, *, media_type: str | None = None, as_attachment: bool = False
    ) -> Response:
        """Answer the current request with bytes made in memory: compressed once, negotiated, in ranges, with an ETag.

        ``name`` says what they are called, and by its suffix their media type where none is given.
        """
        extra = views.disposition(name, None, as_attachment=as_attachment)
        return _serving().views.generated(data, name, media_type or media.media_type(name), extra)

    def page(self) -> Page:
        """What templates call ``asset``: the tags and URLs of the current request's page."""
        return _serving().page()

    def preload(self, response: Response, *names: str) -> Response:
        """Add a ``Link: rel=preload`` field (RFC 8288) for the assets to a response."""
        response.headers.add("Link", _serving().page().link_header(*names))
        return response

    def early_hints(self, *names: str) -> bool:
        """Send 103 Early Hints (RFC 8297) with preloads of the assets; False where the server has no way to."""
        hint = request.environ.get("wsgi.early_hints")
        if not callable(hint) or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            return False
        hint([("Link", _serving().page().link_header(*names))])
        return True

    def snapshot(self, app: Flask | None = None) -> Snapshot:
        """Count what this process answered so far, of the current app or of the one given."""
        return _serving(app).server.snapshot()


class Serving:
    """What one app has of assetpipe: its server, and the hooks that Flask calls."""

    def __init__(self, app: Flask, config: Config) -> None:
        self.app = app
        self.cdn = _cdn(app.config.get("ASSETPIPE_CDN"))
        self.server = Server(
            config.dist_folder, memory=_memory(app.config.get("ASSETPIPE_MEMORY", MEMORY)), cdn=self.cdn
        )
        self.releases = self.server.releases
        self.handover = _handover(app, config.dist_folder)
        self.front = AssetMiddleware(app.wsgi_app, self.server, self.is_active, self.handover)
        self._behind = app.wsgi_app
        self._is_live = False
        self._config = config
        self.sources = Sources(config)
        self.views = Views(self.server, config.compress.encodings, self.handover)
        self._prefixes: dict[str, str] = {}
        self._said: set[str] = set()

    def is_active(self) -> bool:
        """Whether the release is served: in debug mode only while a watch keeps it up to date with the sources."""
        if not self.app.debug:
            return True
        watched = self.releases.watched()
        if watched and not self._is_live:
            self._go_live()
        return watched

    def _go_live(self) -> None:
        """Let pages reload themselves: from the first request on that a watch is seen at, in debug mode alone."""
        from assetpipe.serve.live import LiveReload

        loaders = [self.app.jinja_loader, *(blueprint.jinja_loader for blueprint in self.app.blueprints.values())]
        templates = {folder: None for loader in loaders for folder in getattr(loader, "searchpath", ())}
        self.front.app = LiveReload(self._behind, self.releases, self.cdn, templates)
        self._is_live = True

    # Naming

    def name_static(self, endpoint: str, values: dict[str, Any]) -> None:
        """Put the tagged name into the values of ``url_for``; a name that the release does not hold stays as it is.

        Raises ManifestError where there is no release, outside of debug and testing.
        """
        filename = values.get("filename")
        if not filename or not is_static(endpoint):
            return
        prefix = self._prefix(endpoint)
        if prefix is None:
            return
        path = normalize("NFC", f"{prefix}{filename}")
        if not self.is_active():
            self._look_for(path)
            return
        table = self._table()
        if table is None:
            return
        url = table.url(path)
        if url is not None:
            values["filename"] = url[len(prefix) :]
            if self.cdn:
                _named.set(True)
        elif self.app.debug:
            self._say(f"{path} is not in the release, so its URL stays plain. If it is new, the watch builds it now.")

    def on_cdn(self, url_for: Callable[..., str]) -> Callable[..., str]:
        """Name what the release holds on the CDN's host; the CDN takes each path from here."""

        def url_for_asset(*args: Any, **values: Any) -> str:
            _named.set(False)
            url = url_for(*args, **values)
            if not _named.get():
                return url
            _named.set(False)
            parts = urlsplit(url)
            return self.cdn + urlunsplit(("", "", *parts[2:]))

        return url_for_asset

    def page(self) -> Page:
        """The tags for the page of the current request; without one, for a page that is made offline."""
        if not has_request_context():
            return self._new_page()
        # Not in ``g``, which two requests share where an app context is around both (in tests, say); and an app may
        # hand its environ on to another.
        pages: dict[Serving, Page] = request.environ.setdefault("assetpipe.pages", {})
        if self not in pages:
            pages[self] = self._new_page()
        return pages[self]

    def add_to_templates(self) -> None:
        """Give every template the name ``asset``, without making the app's Jinja environment before its time."""
        tags = LocalProxy(self.page)
        if "jinja_env" in self.app.__dict__:  # made by a template filter of the app's, say
            names = self.app.jinja_env.globals
            names["asset"] = tags
            if getattr(names.get("url_for"), "__self__", None) is self.app:
                names["url_for"] = self.app.url_for  # it has Flask's own, which knows of no CDN
            return
        create = self.app.create_jinja_environment

        def create_with_tags() -> Any:
            environment = create()
            environment.globals["asset"] = tags
            return environment

        self.app.create_jinja_environment = create_with_tags  # type: ignore[method-assign]

    def _new_page(self) -> Page:
        mount = (request.root_path if has_request_context() else self.app.config["APPLICATION_ROOT"]).rstrip("/")
        prefix = self._prefix("static") or "/static/"
        table = self.table_in_use()
        if table is None:
            sources = Sources(self._configured())

            def read_source(path: str) -> bytes:
                file = sources.find(path, private=False)
                if file is None:
                    raise TagError(f"there is no file {path}")
                return file.read_bytes()

            names = {rule.thumbnail for rule in self._config.images.rule}
            imports = self._config.imports
            return Page(View(None, quote(mount), "'self'", prefix, read_source, imports, self._look_for, names))
        page = self.server.tags(table, mount, prefix, partial(self._miss, table))
        if self._is_live and has_request_context():
            page.inline = self._noted(page.inline, prefix)  # type: ignore[method-assign]
        return page

    def _noted(self, inline: Callable[..., Any], prefix: str) -> Callable[..., Any]:
        """Note what a page holds itself: when that changes, it must be loaded again."""
        from assetpipe.serve.live import INLINED

        inlined: list[str] = request.environ.setdefault(INLINED, [])

        def inline_and_note(name: str, **attributes: Any) -> Any:
            inlined.append(normalize("NFC", name if name.startswith("/") else prefix + name))
            return inline(name, **attributes)

        return inline_and_note

    # Answering

    def guarded(self, dispatch: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
        """Guard what Flask dispatches: after every ``before_request``, which ``after_request`` may rely on."""

        def dispatch_request(*args: Any) -> ResponseReturnValue:
            response = self.guard_static()
            return dispatch(*args) if response is None else response

        return dispatch_request

    def guard_static(self) -> Response | None:
        """Answer what got past the table: in production no request path reaches the disk, so 404.

        In debug mode the sources: of folders of the configuration, which the app's own route knows nothing of, too.
        """
        if self.is_active():
            self._refuse_static()
            return None
        endpoint = request.endpoint
        if request.method not in ("GET", "HEAD") or (endpoint is not None and not is_static(endpoint)):
            return None
        file = self.sources.find(request.path, private=False) if self._config.has_public_roots else None
        if file is None:
            if endpoint is not None:
                after_this_request(_revalidated)
            return None
        self._say_what_needs_a_watch()
        return views.source(file)

    def _refuse_static(self) -> None:
        endpoint = request.endpoint
        if endpoint and is_static(endpoint):
            table = self._table()
            if table is not None and self._prefix(endpoint) in table.manifest.prefixes:
                views.refuse()

    def table_in_use(self) -> Table | None:
        """The table of the release, if it is what is served now."""
        return self._table() if self.is_active() else None

    def _table(self) -> Table | None:
        """The table of the release. Raises ManifestError where there is none, outside of debug and testing."""
        table = self.releases.table()
        if table is None and not (self.app.debug or self.app.testing):
            raise ManifestError(
                f"{self.releases.dist / MANIFEST}: there is no release to serve. "
                "Run `flask assets build` (or `assetpipe build --app MODULE`) before the app starts."
            )
        return table

    def _miss(self, table: Table, path: str) -> None:
        """Say, once, that a tag names what the release does not hold: production is where nobody looks for it."""
        if path in self._said or len(self._said) >= _SAID:
            return
        if table.private(path) is not None:
            self._say(f"a tag names {path}, which is private: no URL leads there.", path)
        else:
            close = difflib.get_close_matches(path, table.manifest.assets, n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            self._say(f"a tag names {path}, which is not in the release, so its URL stays plain.{meant}", path)

    # What is said in debug mode, once each

    def _look_for(self, path: str) -> None:
        if path in self._said or not self.app.debug:
            return
        config = self._configured()
        if Sources(config).find(path, private=False) is not None:
            pass
        elif Sources(Config().with_roots(static_folders(self.app))).find(path, private=False) is not None:
            self._say(
                f"{path}: the configuration's roots lack the folder of this file, so no release will have it.", path
            )
        else:
            made = " (a command may make it: that needs `flask assets watch`)" if config.command else ""
            self._say(f"{path}: there is no such file in any folder of that prefix{made}.", path)
        self._say_what_needs_a_watch()

    def _say_what_needs_a_watch(self) -> None:
        config = self._config
        needed = [word for word, there in (("commands", config.command), ("imports", config.imports)) if there]
        if needed:
            self._say(
                f"The configuration has {' and '.join(needed)}, which the sources as they are know nothing of. "
                "Run `flask assets watch` beside the app."
            )

    def _say(self, text: str, key: str = "") -> None:
        if (key or text) not in self._said:
            self._said.add(key or text)
            self.app.logger.warning(text)

    def _configured(self) -> Config:
        """The configuration with the app's folders; the file is not read again, and so no page fails by its faults."""
        return _with_folders(self._config, self.app)

    def _prefix(self, endpoint: str) -> str | None:
        """The URL prefix of a static endpoint; None where it has none of its own (a variable in it)."""
        prefix = self._prefixes.get(endpoint)
        if prefix is None:
            prefix = static_prefix(self.app, endpoint)
            if prefix is not None:
                self._prefixes[endpoint] = prefix
        return prefix


def app_config(app: Flask) -> Config:
    """The configuration to build ``app`` with: its own static folders are the roots where none are configured."""
    config = project_config(app)
    serving = app.extensions.get("assetpipe")
    if isinstance(serving, Serving):
        config = config.with_dist(serving.releases.dist)
    return _with_folders(config, app)


def _with_folders(config: Config, app: Flask) -> Config:
    return config if config.has_public_roots else config.with_roots(static_folders(app))


def _revalidated(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-cache"
    return response


def _serving(app: Flask | None = None) -> Serving:
    serving = (app or current_app).extensions.get("assetpipe")
    if not isinstance(serving, Serving):
        raise RuntimeError("this app has no AssetPipe: app.register_blueprint(assets) first.")
    return serving


def _cdn(value: object) -> str:
    if not value:
        return ""
    if not isinstance(value, str) or not _HOST_URL.match(value):
        raise ConfigError(f'ASSETPIPE_CDN: {value!r} must be the URL of a host, such as "https://cdn.example.com".')
    return value.rstrip("/")


def _memory(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ConfigError(f"ASSETPIPE_MEMORY: {value!r} must be a number of bytes; 0 holds nothing in memory.")
    return value


def _handover(app: Flask, dist: Path) -> Callable[[Representation], tuple[str, str]] | None:
    """The header field by which the server before us is told to send a file, where it is set up for that."""
    location = app.config.get("ASSETPIPE_X_ACCEL_REDIRECT")
    if location:
        if not isinstance(location, str) or not location.startswith("/"):
            raise ConfigError(f'ASSETPIPE_X_ACCEL_REDIRECT: {location!r} must be a path, such as "/_assets/".')
        internal = location.rstrip("/")
        return lambda of: ("X-Accel-Redirect", internal + quote(of.file))
    if app.config.get("USE_X_SENDFILE"):
        # Apache's mod_xsendfile and lighttpd decode it; and a field has no room for what is not Latin-1.
        return lambda of: ("X-Sendfile", quote(f"{dist.absolute()}{of.file}", safe="/:"))
    return None
