"""``assetpipe clean``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from assetpipe.cli import context

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--cache", is_flag=True, help="The results that were not of use for longest.")
@click.option(
    "--to", metavar="MB", type=click.IntRange(0), help="How much may stay: by default `cache_mb`; 0 is nothing."
)
@context.dist_option
@context.app_option
@context.as_json
@context.ends_well
def clean(cache: bool, to: int | None, dist: Path | None, app: str | None, as_json: bool) -> int:
    """Throw away what can be made again: of the cache, what goes beyond its limit.

    It is done at the end of every build, too. Releases that are not kept are `assetpipe prune`'s.
    """
    import msgspec

    from assetpipe.store import Store
    from assetpipe.units import count, size

    if not cache:
        raise click.UsageError(f"Say what: --cache. (Releases that are not kept: `{context.program()} prune`.)")
    config = context.find_config(None, dist, app)
    gone = Store(config.cache_folder).evict((config.cache_mb if to is None else to) * 1_000_000)
    if as_json:
        click.echo(msgspec.json.encode(gone))
    else:
        freed = f"{count(gone.results, 'result')} and {count(gone.blobs, 'file')} deleted, {size(gone.bytes)}"
        click.echo(f"{freed}. {size(gone.left)} stay in {config.cache_folder}.")
    return 0
