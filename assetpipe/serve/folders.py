"""What an app has of its own: the configuration that holds for it, and its static folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assetpipe import config as configuration

if TYPE_CHECKING:
    from flask import Flask

_FILENAME = "<path:filename>"


def project_config(app: Flask) -> configuration.Config:
    """The configuration that holds for ``app``, found upward from its folder; the defaults beside it otherwise.

    Beside a package is its parent: that is where its ``pyproject.toml`` would be, as Flask's own instance folder is.
    """
    folder = Path(app.root_path)
    if (folder / "__init__.py").is_file():
        folder = folder.parent
    return configuration.load(folder)


def static_folders(app: Flask) -> dict[str, list[Path]]:
    """The static folders of an app and of all its blueprints that exist, by URL prefix, in the order they are asked."""
    folders: dict[str, list[Path]] = {}
    for rule in app.url_map.iter_rules():
        if not is_static(rule.endpoint):
            continue
        prefix = static_prefix(app, rule.endpoint)
        folder = _static_folder(app, rule.endpoint)
        if prefix is not None and folder is not None and folder.is_dir():
            found = folders.setdefault(prefix, [])
            if folder not in found:
                found.append(folder)
    return folders


def is_static(endpoint: str) -> bool:
    """Whether an endpoint is called as those of static folders are."""
    return endpoint == "static" or endpoint.endswith(".static")


def _static_folder(app: Flask, endpoint: str) -> Path | None:
    """The folder that Flask would serve the endpoint from; None for an endpoint that is only called like one."""
    owner = app if endpoint == "static" else app.blueprints.get(endpoint.removesuffix(".static"))
    return Path(owner.static_folder) if owner is not None and owner.static_folder is not None else None


def static_prefix(app: Flask, endpoint: str) -> str | None:
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
