"""``assetpipe importmap``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from assetpipe.cli import context

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@context.dist_option
@context.app_option
@context.ends_well
def importmap(dist: Path | None, app: str | None) -> int:
    """Print the current release's import map.

    It is JSON, made of [tool.assetpipe.imports]. Put it into a page's <script type="importmap"> if code that was not
    built imports by these names, too.
    """
    from assetpipe import manifest

    config = context.find_config(None, dist, app)
    told = manifest.import_map(manifest.load(config.dist_folder / manifest.MANIFEST))
    click.echo(json.dumps(told, indent=2))
    return 0
