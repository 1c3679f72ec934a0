"""``assetpipe verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from assetpipe.cli import context, printing
from assetpipe.cli.progress import ProgressLine

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@context.dist_option
@context.app_option
@context.as_json
@context.ends_well
def verify(dist: Path | None, app: str | None, as_json: bool) -> int:
    """Check that every file of every kept release is there and right.

    Each must have the size and SHA-256 that its manifest states, and each encoding decode to the file it encodes.
    Names every fault, and exits with 1 if there are any.
    """
    from assetpipe import verify as verifier

    config = context.find_config(None, dist, app)
    progress = ProgressLine()
    try:
        checked = verifier.verify(config.dist_folder, progress)
    finally:
        progress.clear()
    printing.print_problems(checked.faults)
    if as_json:
        click.echo(msgspec.json.encode(checked))
    elif not checked.faults:
        click.echo(f"All is as it should be. Files: {checked.files:,}. Releases kept: {checked.releases}.")
    else:
        click.echo(f"Faults: {len(checked.faults)}. Files: {checked.files:,}.", err=True)
    return context.FAILED if checked.failed else 0
