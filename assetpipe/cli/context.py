"""What every command shares: where it works, and how it ends when something is wrong."""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import click

from assetpipe import config as configuration
from assetpipe.errors import AssetpipeError, ConfigError, SourceError
from assetpipe.manifest import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from assetpipe.config import Profile

P = ParamSpec("P")
FAILED, MISUSED, INTERRUPTED = 1, 2, 130
# The manifest's file, and its stamp when the command began.
_BEFORE = "assetpipe.before"

as_json = click.option("--json", "as_json", is_flag=True, help="Print a machine's answer, and nothing else, on stdout.")
dist_option = click.option(
    "--dist", type=click.Path(file_okay=False, path_type=Path), help="The folder of releases, whatever is configured."
)
source_option = click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Build this folder for /static/, whatever is configured.",
)
app_option = click.option(
    "--app", metavar="MODULE:APP", help="Take the static folders of this Flask app and its blueprints as the roots."
)


def profile_option(default: Profile) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """The option ``--profile``, of a command that builds in the profile ``default`` unless it is told otherwise."""
    return click.option(
        "--profile",
        type=click.Choice(["release", "dev"]),
        default=default,
        show_default=True,
        help="What is made: dev compresses and converts nothing, unless [tool.assetpipe.dev] says so.",
    )


def ends_well(command: Callable[P, int | None]) -> Callable[P, None]:
    """Turn what a command returns or raises into an exit code: 0 done, 1 failed, 2 misused, 130 interrupted."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs) or 0
        except SourceError as error:
            code = _say(str(error.problem), FAILED, bool(kwargs.get("as_json")))
        except ConfigError as error:
            code = _say(f"error: {error}", MISUSED, bool(kwargs.get("as_json")))
        except AssetpipeError as error:
            code = _say(f"error: {error}", FAILED, bool(kwargs.get("as_json")))
        except KeyboardInterrupt:
            click.echo(f"Interrupted. {_how_it_stands()}", err=True)
            if threading.active_count() > 1:
                # What they are at may take seconds, and nobody wants it any more.
                sys.stdout.flush()
                os._exit(INTERRUPTED)
            code = INTERRUPTED
        click.get_current_context().exit(code)

    return run


def _how_it_stands() -> str:
    """Whether anything was published since the command began. The disk knows: a signal comes between any two steps."""
    file, before = click.get_current_context().meta.get(_BEFORE, (None, None))
    if file is None or _stamp(file) == before:
        return "Nothing was published; the release before is as it was."
    return "But the release is published; the next build tidies up after it."


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def find_config(source: Path | None, dist: Path | None, app: str | None) -> configuration.Config:
    """The configuration to work with: the app's where there is one, or that of the working folder; then the options.

    Raises ConfigError.
    """
    try:
        here = Path.cwd()
    except OSError as error:
        raise ConfigError("the working folder is gone. Change to one that exists.") from error
    config = _app_config(app) or configuration.load(here)
    if source is not None:
        config = config.with_roots({"/static/": [source.absolute()]})
    if dist is not None:
        config = config.with_dist(dist.absolute())
    manifest = config.dist_folder / MANIFEST
    click.get_current_context().meta[_BEFORE] = (manifest, _stamp(manifest))
    return config


def program() -> str:
    """What was typed before the command's name: only under ``flask`` are the app's own folders known."""
    return "assetpipe" if click.get_current_context().obj is None else "flask assets"


def _app_config(app: str | None) -> configuration.Config | None:
    """The configuration by the Flask app of ``--app``, or of the ``flask`` command that this runs under."""
    info = click.get_current_context().obj
    if info is None and app is None:
        return None
    from flask.cli import NoAppException, ScriptInfo

    from assetpipe.serve.extension import app_config

    if app is not None:
        info = ScriptInfo(app_import_path=app)
    assert isinstance(info, ScriptInfo)
    try:
        return app_config(info.load_app())
    except NoAppException as error:
        raise ConfigError(error.format_message()) from error


def _say(text: str, code: int, as_json: bool) -> int:
    click.echo(text, err=True)
    if as_json:
        click.echo(json.dumps({"error": text}))
    return code
