"""``assetpipe rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from assetpipe.cli import context
from assetpipe.cli.progress import ProgressLine

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("release", metavar="[ID]", default="")
@context.dist_option
@context.app_option
@context.as_json
@context.ends_well
def rollback(release: str, dist: Path | None, app: str | None, as_json: bool) -> int:
    """Make an earlier release the current one again.

    Without an ID that is the one before, and used again the one before that. The beginning of an ID is enough. Nothing
    is deleted: `rollback ID` goes forward, too. Running servers follow within a second.
    """
    from assetpipe import releases

    config = context.find_config(None, dist, app)
    progress = ProgressLine()
    try:
        done = releases.rollback(config.dist_folder, release, progress)
    finally:
        progress.clear()
    now, before = done.manifest.release, done.previous.release
    if as_json:
        click.echo(msgspec.json.encode({"release": now, "previous": before}))
    elif now == before:
        click.echo(f"Release {click.style(now, bold=True)} is the current one already.")
    else:
        click.echo(f"Release {click.style(now, bold=True)} is the current one now.")
        click.echo(f"To undo this: {context.program()} rollback {before}")
    return 0
