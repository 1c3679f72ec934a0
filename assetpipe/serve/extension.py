"""The Flask blueprint: plain ``url_for('static', …)`` gives tagged URLs, and they are answered in front of the app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from flask import Blueprint, Response, abort, after_this_request, request

from assetpipe import config as configuration
from assetpipe.errors import ManifestError
from assetpipe.manifest import MANIFEST
from assetpipe.serve.wsgi import AssetMiddleware, Releases

if TYPE_CHECKING:
    import os

    from flask import Flask

_FILENAME = "<path:filename>"


class AssetPipe(Blueprint):
    """Serves what ``flask assets build`` published.

    ``dist`` is the folder of the releases. Without it, ``app.config["ASSETPIPE_DIST"]`` counts as it is when the
    blueprint is registered, then the project's
    configuration file, then ``dist`` beside the app's module or package. A relative one is relative to the folder of
    the configuration file, or else to the one beside the app.
    """

    def __init__(self, dist: str | os.PathLike[str] | None = None, name: str = "assetpipe") -> None:
        super().__init__(name, __name__)
        self._dist = dist

    def register(self, app: Flask, options: dict[str, Any]) -> None:  # type: ignore[override]
        """Put the assets in front of ``app``. Raises ConfigError for a configuration file that is wrong."""
        super().register(app, options)
        dist = self._dist or app.config.get("ASSETPIPE_DIST")
        config = project_config(app)
        serving = Serving(app, Releases((config.with_dist(Path(dist)) if dist else config).dist_folder))
        app.extensions["assetpipe"] = serving
        app.wsgi_app = AssetMiddleware(app.wsgi_app, serving.releases, serving.is_active)  # type: ignore[method-assign]
        app.url_default_functions.setdefault(None, []).append(serving.name_static)
        app.before_request_funcs.setdefault(None, []).append(serving.guard_static)


class Serving:
    """What one app has of assetpipe: its releases, and the hooks that Flask calls."""

    def __init__(self, app: Flask, releases: Releases) -> None:
        self.app = app
        self.releases = releases
        self._prefixes: dict[str, str] = {}
        self._warned: set[str] = set()

    def is_active(self) -> bool:
        """Whether the release is served: in debug mode only while a watch keeps it up to date with the sources."""
        return not self.app.debug or self.releases.watched()

    def name_static(self, endpoint: str, values: dict[str, Any]) -> None:
        """Put the tagged name into the values of ``url_for``; a name that the release does not hold stays as it is.

        Raises ManifestError where there is no release, outside of debug and testing.
        """
        filename = values.get("filename")
        if not filename or not _is_static(endpoint):
            return
        prefix = self._prefix(endpoint)
        if prefix is None:
            return
        table = self.releases.table()
        if table is None:
            self._need_release()
            return
        path = normalize("NFC", f"{prefix}{filename}")
        url = table.url(path)
        if url is None:
            self._warn(path)
        elif self.is_active():
            values["filename"] = url[len(prefix) :]

    def guard_static(self) -> None:
        """Answer 404 for a static URL that got past the table: in production no request path reaches the disk."""
        if request.endpoint and _is_static(request.endpoint) and self.is_active():
            table = self.releases.table()
            if table is None:
                self._need_release()
            elif self._prefix(request.endpoint) in table.manifest.prefixes:
                after_this_request(_unstored)
                abort(404)

    def _need_release(self) -> None:
        if not (self.app.debug or self.app.testing):
            raise ManifestError(
                f"{self.releases.dist / MANIFEST}: there is no release to serve. "
                "Run `flask assets build` (or `assetpipe build --app MODULE`) before the app starts."
            )

    def _warn(self, path: str) -> None:
        if self.app.debug and path not in self._warned:
            self._warned.add(path)
            self.app.logger.warning(
                "%s is not in the release, so its URL stays plain. If the file is new, run `flask assets build`.", path
            )

    def _prefix(self, endpoint: str) -> str | None:
        """The URL prefix of a static endpoint; None where it has none of its own (a variable in it)."""
        prefix = self._prefixes.get(endpoint)
        if prefix is None:
            prefix = _static_prefix(self.app, endpoint)
            if prefix is not None:
                self._prefixes[endpoint] = prefix
        return prefix


def project_config(app: Flask) -> configuration.Config:
    """The configuration that holds for ``app``, found upward from its folder; the defaults beside it otherwise.

    Beside a package is its parent: that is where its ``pyproject.toml`` would be, as Flask's own instance folder is.
    """
    folder = Path(app.root_path)
    if (folder / "__init__.py").is_file():
        folder = folder.parent
    return configuration.load(folder)


def app_config(app: Flask) -> configuration.Config:
    """The configuration to build ``app`` with: its own static folders are the roots where none are configured."""
    config = project_config(app)
    serving = app.extensions.get("assetpipe")
    if isinstance(serving, Serving):
        config = config.with_dist(serving.releases.dist)
    return config if config.roots else config.with_roots(static_folders(app))


def static_folders(app: Flask) -> dict[str, list[Path]]:
    """The static folders of an app and of all its blueprints that exist, by URL prefix, in the order they are asked."""
    folders: dict[str, list[Path]] = {}
    for rule in app.url_map.iter_rules():
        if not _is_static(rule.endpoint):
            continue
        prefix = _static_prefix(app, rule.endpoint)
        folder = _static_folder(app, rule.endpoint)
        if prefix is not None and folder is not None and folder.is_dir():
            found = folders.setdefault(prefix, [])
            if folder not in found:
                found.append(folder)
    return folders


def _is_static(endpoint: str) -> bool:
    return endpoint == "static" or endpoint.endswith(".static")


def _static_folder(app: Flask, endpoint: str) -> Path | None:
    """The folder that Flask would serve the endpoint from; None for an endpoint that is only called like one."""
    owner = app if endpoint == "static" else app.blueprints.get(endpoint.removesuffix(".static"))
    return Path(owner.static_folder) if owner is not None and owner.static_folder is not None else None


def _static_prefix(app: Flask, endpoint: str) -> str | None:
    """What comes before the file name in the rule that Flask makes for a static folder."""
    if _static_folder(app, endpoint) is None:
        return None
    try:
        rules = list(app.url_map.iter_rules(endpoint))
    except KeyError:  # a folder that was given to the app after its rules were made
        return None
    for rule in rules:
        prefix = rule.rule.removesuffix(_FILENAME)
        if prefix != rule.rule and "<" not in prefix:
            return prefix
    return None


def _unstored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
