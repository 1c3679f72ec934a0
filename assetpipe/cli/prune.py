"""``assetpipe prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from assetpipe import units
from assetpipe.cli import context
from assetpipe.cli.progress import ProgressLine

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN = 10


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@context.dist_option
@context.app_option
@context.as_json
@context.ends_well
def prune(dry_run: bool, dist: Path | None, app: str | None, as_json: bool) -> int:
    """Delete the releases that are kept no longer, and their files.

    How many are kept, and for how long after they were replaced, says [tool.assetpipe.keep]. Only what a release once
    named is deleted, and what no kept one names: files that somebody else put there stay, and are listed.
    """
    from assetpipe import releases

    config = context.find_config(None, dist, app)
    progress = ProgressLine()
    try:
        done = releases.prune(config.dist_folder, config.keep, progress, dry_run=dry_run)
    finally:
        progress.clear()
    if as_json:
        told = msgspec.to_builtins(done)
        click.echo(msgspec.json.encode({"dry_run": dry_run, **told}))
        return 0
    for name in done.releases:
        click.echo(f"  - release {name}")
    _print_files("-", done.files)
    state = "would be deleted" if dry_run else "deleted"
    files = f"{len(done.files):,} file{'' if len(done.files) == 1 else 's'}"
    if done.releases or done.files:
        click.echo(f"{files}, {units.size(done.bytes)}, {state}.")
    else:
        click.echo("There is nothing to prune.")
    if done.foreign:
        click.echo(f"\nNot of any release ({len(done.foreign):,}), and left alone:", err=True)
        for path in done.foreign[:_SHOWN]:
            click.echo(f"  {path}", err=True)
        if len(done.foreign) > _SHOWN:
            click.echo(f"  … and {len(done.foreign) - _SHOWN:,} more: --json has them all", err=True)
        click.echo("    Delete by hand what nobody needs; what should be published belongs into a root.", err=True)
    return 0


def _print_files(sign: str, paths: tuple[str, ...]) -> None:
    for path in paths[:_SHOWN]:
        click.echo(f"  {sign} {path}")
    if len(paths) > _SHOWN:
        click.echo(f"  {sign} … and {len(paths) - _SHOWN:,} more")
