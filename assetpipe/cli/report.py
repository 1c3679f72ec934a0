"""``assetpipe report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from assetpipe.cli import context, printing

if TYPE_CHECKING:
    from assetpipe.report.facts import Given, Report
    from assetpipe.report.tables import Table

_SHOWN = 10  # rows of each table


@click.command()
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write it as one page to this file.")
@click.option("--since", default="", metavar="RELEASE", help="Compare with this kept release, not the one before.")
@click.option("--all", "everything", is_flag=True, help="Do not cut the tables.")
@context.dist_option
@context.app_option
@context.as_json
@context.ends_well
def report(html: Path | None, since: str, everything: bool, dist: Path | None, app: str | None, as_json: bool) -> int:
    """Say what the current release weighs, and what made it so.

    Tells sizes by media type and coding, the largest assets, the worst compressed, duplicates, what changed since the
    release before, what the last build spent its time on and why it rebuilt each asset.
    """
    from assetpipe.report import facts

    config = context.find_config(None, dist, app)
    given = facts.read(config.dist_folder, config.cache_folder, since)
    told = facts.gather(given)
    if html is not None:
        _write(html, told, given, config.dist_folder)
    if as_json:
        click.echo(msgspec.json.encode(told))
    elif html is None:
        _print(told, None if everything else _SHOWN)
    return 0


def _write(file: Path, told: Report, given: Given, dist: Path) -> None:
    from assetpipe import units
    from assetpipe.errors import AssetpipeError
    from assetpipe.report import page, pictures

    data = page.page(told, pictures.choose(given.current, dist)).encode()
    try:
        file.write_bytes(data)
    except OSError as error:
        raise AssetpipeError(f"{file}: cannot be written: {error.strerror}. Name another file.") from error
    click.echo(f"{file}: {units.size(len(data))}. Open it in any browser.", err=True)


def _print(told: Report, most: int | None) -> None:
    from assetpipe import units
    from assetpipe.report import facts, tables

    files, saved = told.total.files, facts.less(told.total.bytes, told.total.sent)
    click.echo(f"Release {click.style(told.release, bold=True)}: {units.count(files, 'file')}, ", nl=False)
    click.echo(f"{units.size(told.total.bytes)}; {units.size(told.stored)} in dist with all encodings and renditions")
    if saved:
        click.echo(f"A browser downloads at most {units.size(told.total.sent)}: {units.share(saved)} less")
    for table in tables.tables(told):
        _print_table(table, most)
    for note in told.notes:
        click.echo(f"\n{printing.safe(note)}", err=True)


def _print_table(table: Table, most: int | None) -> None:
    from assetpipe.report.tables import spell

    click.echo(f"\n{click.style(table.title, bold=True)}" + ("" if table.rows else f": {_lowered(table.empty)}"))
    if not table.rows:
        return
    # Paths last: they are as long as they like.
    order = sorted(range(len(table.columns)), key=lambda i: table.columns[i].kind == "path")
    columns = [table.columns[i] for i in order]
    chosen = [*table.rows[:most], *([table.sum] if table.sum else [])]
    rows = [[printing.safe(spell(table.columns[i].kind, row[i])) for i in order] for row in chosen]
    titles = [column.title for column in columns]
    widths = [max(map(len, cells)) for cells in zip(titles, *rows, strict=True)]

    def line(cells: list[str]) -> str:
        aligned = [
            f"{cell:<{width}}" if column.kind in ("words", "path") else f"{cell:>{width}}"
            for cell, width, column in zip(cells, widths, columns, strict=True)
        ]
        return "  " + "  ".join(aligned).rstrip()

    click.secho(line(titles), dim=True)
    cut = len(table.rows) - len(table.rows[:most])
    for i, row in enumerate(rows):
        if cut and i == most:
            click.echo(f"  … and {cut:,} more: --all tells them")
        click.echo(line(row))
    if cut and not table.sum:
        click.echo(f"  … and {cut:,} more: --all tells them")


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
