"""``assetpipe build``."""

from __future__ import annotations

import time
from pathlib import Path

import click

from assetpipe.cli import context, printing
from assetpipe.cli.progress import ProgressLine


@click.command()
@context.source_option
@context.dist_option
@context.app_option
@context.as_json
@click.option("--strict", is_flag=True, help="Take every warning as an error.")
@context.ends_well
def build(source: Path | None, dist: Path | None, app: str | None, as_json: bool, strict: bool) -> int:
    """Build the static files and publish them as a release.

    Exits with 1 if there are errors; then nothing was published.
    """
    from msgspec.structs import replace

    from assetpipe import build as builder
    from assetpipe import manifest as manifests
    from assetpipe import publish

    began = time.monotonic()
    config = context.find_config(source, dist, app)
    if strict:
        config = replace(config, strict=True)
    progress = ProgressLine()
    try:
        built = builder.build(config, progress)
        if built.failed:
            previous = publish.current(config.dist_folder)
            told, published = built.manifest, False
        else:
            done = publish.publish(built.manifest, built.files, config.dist_folder, config.keep.releases, progress)
            previous, told, published = done.previous, done.manifest, True
    finally:
        progress.clear()
    diff = manifests.diff(previous, told)
    printing.print_problems(built.problems)
    if as_json:
        click.echo(printing.answer(told, built.problems, published=published, diff=diff, worked=len(built.work)))
    elif published:
        shown = _shown(config.dist_folder)
        printing.print_summary(done, diff, shown, time.monotonic() - began)
        printing.print_verdict(built.problems)
    else:
        click.echo("Nothing was published." + (" The release before is as it was." if previous else ""), err=True)
    return 0 if published else context.FAILED


def _shown(folder: Path) -> str:
    """The folder as a person would type it here."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
