"""``assetpipe watch``."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, NoReturn

import click

from assetpipe.cli import context, printing
from assetpipe.cli.progress import ProgressLine

if TYPE_CHECKING:
    from pathlib import Path

    from assetpipe.config import Config, Profile
    from assetpipe.watch import Look

_SHOWN = 10  # mended problems at once


@click.command()
@context.source_option
@context.dist_option
@context.app_option
@context.profile_option("dev")
@click.option("--poll", is_flag=True, help="Look at all files once a second, rather than ask the system what changes.")
@context.ends_well
def watch(source: Path | None, dist: Path | None, app: str | None, profile: Profile, poll: bool) -> int:
    """Build, and build again whenever a source changes, until interrupted.

    A build with errors publishes nothing: the release before goes on being served. While this runs, a Flask app in
    debug mode serves the release in place of the sources, and its pages reload themselves.
    """
    from assetpipe.watch import Watch

    def configure() -> Config:
        return context.find_config(source, dist, app).for_profile(profile)

    signal.signal(signal.SIGTERM, _interrupt)
    progress = ProgressLine()
    try:
        for told in Watch(configure, progress, poll=poll).looks():
            progress.clear()
            if isinstance(told, str):
                click.echo(told)
            else:
                _print(told)
    except KeyboardInterrupt:
        click.echo("\nNo longer watching.")
    return 0


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """End in order, whoever asks."""
    raise KeyboardInterrupt


def _print(look: Look) -> None:
    """Print what there is to tell of one look."""
    now = time.strftime("%H:%M:%S")
    printing.print_problems(look.new)
    if look.done is not None and look.diff is not None:
        diff = look.diff
        told = f"{len(diff.added)} added, {len(diff.changed)} changed, {len(diff.removed)} gone"
        click.echo(f"{now}  release {look.done.manifest.release}: {told} ({look.seconds:.2f} s)")
    for problem in look.mended[:_SHOWN]:
        click.echo(f"{now}  mended: {problem.file and f'{problem.file}: '}{problem.text}")
    if len(look.mended) > _SHOWN:
        click.echo(f"{now}  mended: {len(look.mended) - _SHOWN:,} more")
    if look.errors and (look.new or look.mended or look.moved):
        first = look.errors[0]
        more = f" and {len(look.errors) - 1:,} more" if len(look.errors) > 1 else ""
        click.echo(f"{now}  nothing published; in the way: {first.place or first.text}{more}", err=True)
