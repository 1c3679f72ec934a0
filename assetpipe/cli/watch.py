"""``assetpipe watch``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from assetpipe.cli import context, printing
from assetpipe.cli.progress import ProgressLine

if TYPE_CHECKING:
    from pathlib import Path

    from assetpipe.config import Config


@click.command()
@context.source_option
@context.dist_option
@context.app_option
@context.ends_well
def watch(source: Path | None, dist: Path | None, app: str | None) -> int:
    """Build, and build again whenever a source changes, until interrupted.

    A build with errors publishes nothing: the release before goes on being served. While this runs, a Flask app in
    debug mode serves the release in place of the sources.
    """
    from assetpipe import locks
    from assetpipe.errors import AssetpipeError
    from assetpipe.manifest import WATCH
    from assetpipe.plan import read_beside
    from assetpipe.watch import changes

    config = context.find_config(source, dist, app)
    folders = [root.folder for root in config.folders()]
    # What commands read may lie elsewhere.
    read = [file for command in config.command for file in read_beside(config, command)]
    folders += sorted({file.parent for file in read if not any(file.is_relative_to(folder) for folder in folders)})
    if missing := [folder for folder in folders if not folder.is_dir()]:
        raise AssetpipeError(f"{missing[0]}: there is no such folder to watch. Make it, or name another root.")
    try:
        config.dist_folder.mkdir(parents=True, exist_ok=True)
        with locks.holding(config.dist_folder / WATCH) as mine:
            if not mine:
                raise AssetpipeError(f"{config.dist_folder}: another watch is running there. End that one first.")
            ours = (config.dist_folder, config.cache_folder)
            moments = changes(folders, ours, stop=lambda: False)
            whole = _release(config, mended=False)
            click.echo(f"Watching {', '.join(map(str, folders))}. Ctrl-C ends it.")
            for _ in moments:
                whole = _release(config, mended=not whole)
    except OSError as error:
        raise AssetpipeError(f"{error.filename or config.dist_folder}: cannot be watched: {error.strerror}") from error
    except KeyboardInterrupt:
        click.echo("\nNo longer watching.")
    return 0


def _release(config: Config, *, mended: bool) -> bool:
    """Build and publish once; say what goes wrong, or that it no longer does. Whether all went well."""
    from assetpipe import build as builder
    from assetpipe import manifest as manifests
    from assetpipe import publish
    from assetpipe.errors import AssetpipeError, SourceError

    began = time.monotonic()
    progress = ProgressLine()
    try:
        built = builder.build(config, progress)
        done = None
        if not built.failed:
            done = publish.publish(built.manifest, built.files, config.dist_folder, config.keep.releases, progress)
    except AssetpipeError as error:
        progress.clear()
        click.echo(str(error) if isinstance(error, SourceError) else f"error: {error}", err=True)
        return False
    progress.clear()
    printing.print_problems(built.problems)
    now = time.strftime("%H:%M:%S")
    if done is None:
        click.echo(f"{now}  nothing published: the problems above are in the way", err=True)
    elif done.previous is None or done.previous.release != done.manifest.release:
        diff = manifests.diff(done.previous, done.manifest)
        told = f"{len(diff.added)} added, {len(diff.changed)} changed, {len(diff.removed)} gone"
        click.echo(f"{now}  release {done.manifest.release}: {told} ({time.monotonic() - began:.2f} s)")
    elif mended:
        click.echo(f"{now}  mended: all is as in release {done.manifest.release}")
    return done is not None
