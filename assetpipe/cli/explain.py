"""``assetpipe explain PATH``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from assetpipe.cli import context, printing
from assetpipe.cli.progress import ProgressLine

if TYPE_CHECKING:
    from assetpipe.explain import Explanation, Mention


@click.command()
@click.argument("path")
@context.source_option
@context.app_option
@context.as_json
@click.option("--dot", is_flag=True, help="Print the graph around it in Graphviz's language.")
@click.option("--svg", is_flag=True, help="Print a drawing of the graph around it.")
@context.ends_well
def explain(path: str, source: Path | None, app: str | None, as_json: bool, dot: bool, svg: bool) -> int:
    """Say why an asset has its name, and what it refers to.

    Tells each reference with its place, what refers to the asset, its cycle, and the digests that its name is made of,
    as a build would have it now.

    PATH is its file, its logical path (/static/app.css), its URL, or the end of one of these. Nothing is published.
    """
    from assetpipe import build as builder
    from assetpipe import explain as explainer

    if as_json + dot + svg > 1:
        raise click.UsageError("Choose one of --json, --dot and --svg.")
    config = context.find_config(source, None, app)
    progress = ProgressLine()
    try:
        trace = builder.trace(config, progress)
    finally:
        progress.clear()
    asset = explainer.find(trace, path, str(Path.cwd()))
    explanation = explainer.explain(trace, asset)
    if dot or svg:
        graph = explainer.graph(trace, asset)
        click.echo(explainer.dot(graph) if dot else explainer.svg(graph), nl=False)
    elif as_json:
        click.echo(msgspec.json.encode(explanation, enc_hook=str))
    else:
        _print(explanation)
        printing.print_problems(problem for problem in trace.problems if problem.file == explanation.file)
    return 0


def _print(explanation: Explanation) -> None:
    made = f", through {explanation.tool}" if explanation.tool else ""
    click.echo(f"{click.style(explanation.path, bold=True)}\n  file  {explanation.file}{made}")
    click.echo(f"  url   {explanation.url or 'none: an application hands it out'}")
    click.echo("\nNamed by")
    if explanation.naming != "fingerprint":
        click.echo(f"  nothing: it keeps its name ({explanation.naming})")
    for ingredient in explanation.named_by:
        click.echo(f"  {ingredient.sha256[:12]}…  {ingredient.what}")
    if len(explanation.cycle) > 1:
        click.echo("\nIn a cycle of")
        for path in explanation.cycle:
            click.echo(f"  {path}")
    _print_mentions("Refers to", explanation.refers_to, own=True)
    _print_mentions("Referred to by", explanation.referred_to_by, own=False)


def _print_mentions(title: str, mentions: tuple[Mention, ...], *, own: bool) -> None:
    click.echo(f"\n{title}")
    if not mentions:
        click.echo("  nothing" if own else "  no other asset (templates are not looked at)")
    rows: list[tuple[str, ...]] = []
    for mention in mentions:
        place = f"{mention.line}:{mention.column}" if mention.line else ""
        target = mention.url or (f"left as it is: no asset {mention.path}" if mention.path else "left as it is")
        if own:
            rows.append((place, mention.kind, mention.written, f"→  {target}"))
        else:
            rows.append((f"{mention.file}:{place}".rstrip(":"), mention.kind, mention.written))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
