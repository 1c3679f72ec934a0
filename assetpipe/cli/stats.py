"""``assetpipe stats FILE…``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from assetpipe.cli import context, printing
from assetpipe.cli.progress import ProgressLine
from assetpipe.units import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from assetpipe.stats import Asked, Stats

_SHOWN = 20  # entries of each list
_PAGES = 3  # of each entry


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--mount", default="", metavar="PATH", help="Where the app is mounted: what its URLs in the log begin with."
)
@click.option("--all", "everything", is_flag=True, help="Do not cut the lists.")
@context.dist_option
@context.app_option
@context.as_json
@context.ends_well
def stats(
    files: tuple[str, ...], mount: str, everything: bool, dist: Path | None, app: str | None, as_json: bool
) -> int:
    """Say what access logs tell of the release.

    Tells which assets nobody asks for, which are asked for by their plain URL and where from, what is missing, and how
    often URLs of older releases are asked for.

    Each FILE is an access log in the Common or Combined Log Format (nginx, Apache, gunicorn, uvicorn) or of JSON lines
    (nginx, Caddy), or the Prometheus metrics of the app, with those of each asset; packed with gzip or not. - is stdin.
    """
    from assetpipe import stats as statistics

    config = context.find_config(None, dist, app)
    progress = ProgressLine()
    try:
        told = statistics.gather(config.dist_folder, files, mount, progress)
    finally:
        progress.clear()
    printing.print_problems(told.problems)
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        _print(told, everything=everything)
    return 0


def _print(told: Stats, *, everything: bool) -> None:
    click.echo(f"{told.requests:,} request{'' if told.requests == 1 else 's'} for assets, {size(told.bytes)}")
    width = max((len(f"{count:,}") for count in told.statuses.values()), default=0)
    for status, count in told.statuses.items():
        click.echo(f"  {status}  {count:>{width},}")
    rows, pages = (None, None) if everything else (_SHOWN, _PAGES)
    _print_list("Never asked for", len(told.never), (f"  {printing.safe(path)}" for path in told.never[:rows]), rows)
    _print_asked("Asked for by the plain URL, though there is a tagged one", told.plain, rows, pages)
    _print_asked("Answered 404", told.missing, rows, pages)
    _print_asked("Asked for in older releases", told.stale, rows, pages)


def _print_asked(title: str, asked: Sequence[Asked], rows: int | None, pages: int | None) -> None:
    width = max((len(f"{one.count:,}") for one in asked[:rows]), default=0)

    def lines() -> Iterator[str]:
        for one in asked[:rows]:
            yield f"  {one.count:>{width},}  {printing.safe(one.path)}"
            inner = max((len(f"{page.count:,}") for page in one.referers[:pages]), default=0)
            for page in one.referers[:pages]:
                yield f"  {'':{width}}    {page.count:>{inner},} from {printing.safe(page.url)}"
            if pages is not None and len(one.referers) > pages:
                yield f"  {'':{width}}    … and from {len(one.referers) - pages:,} more"

    _print_list(title, len(asked), lines(), rows)


def _print_list(title: str, count: int, lines: Iterable[str], rows: int | None) -> None:
    click.echo(f"\n{click.style(title, bold=True)}: {count or 'none'}")
    for line in lines:
        click.echo(line)
    if rows is not None and count > rows:
        click.echo(f"  … and {count - rows:,} more: --all names them")
