"""The command line: ``assetpipe …``, and the same commands as ``flask assets …``."""

from __future__ import annotations

import click

from assetpipe import __version__
from assetpipe.cli.build import build
from assetpipe.cli.explain import explain
from assetpipe.cli.importmap import importmap
from assetpipe.cli.stats import stats
from assetpipe.cli.verify import verify
from assetpipe.cli.watch import watch


@click.group()
@click.version_option(__version__, prog_name="assetpipe")
def main() -> None:
    """Fingerprint, link, precompress and publish the static files of a Flask app."""


@click.group(name="assets")
def commands() -> None:
    """Build the static files of this app and its blueprints."""


for _command in (build, watch, verify, explain, importmap, stats):
    main.add_command(_command)
    commands.add_command(_command)
