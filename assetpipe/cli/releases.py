"""``assetpipe releases``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from assetpipe import units
from assetpipe.cli import context

if TYPE_CHECKING:
    from pathlib import Path

    from assetpipe.releases import Release


@click.command()
@context.dist_option
@context.app_option
@context.as_json
@context.ends_well
def releases(dist: Path | None, app: str | None, as_json: bool) -> int:
    """List the releases that are kept, the current one first.

    Tells since when each was the current one, its files and their bytes, and what changed against the one below it.
    """
    from assetpipe import releases as shelf

    config = context.find_config(None, dist, app)
    kept = shelf.kept(config.dist_folder)
    if as_json:
        click.echo(msgspec.json.encode(kept))
        return 0
    rows = [_row(release) for release in kept]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for release, row in zip(kept, rows, strict=True):
        mark, name, when, files, size, changes = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        name = click.style(name, bold=release.current)
        click.echo(f"{mark} {name}  {when}  {files:>{widths[3]}}  {size:>{widths[4]}}  {changes}".rstrip())
    if len(kept) > 1:
        click.echo(f"\n`{context.program()} rollback ID` makes another one current.")
    return 0


def _row(release: Release) -> tuple[str, ...]:
    when = f"{release.since.astimezone():%Y-%m-%d %H:%M}" if release.since else "time not kept"
    changes = ""
    if (diff := release.changes) is not None:
        words = (("added", diff.added), ("changed", diff.changed), ("gone", diff.removed))
        changes = ", ".join(f"{len(paths):,} {word}" for word, paths in words if paths) or "other codings or settings"
    if release.withdrawn:
        changes = f"{changes}  (rolled back from)"
    files = f"{release.files:,} file{'' if release.files == 1 else 's'}"
    return "*" if release.current else " ", release.release, when, files, units.size(release.bytes), changes
