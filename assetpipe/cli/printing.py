"""What a build did, for a person and for a machine."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click
import msgspec

from assetpipe.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from assetpipe.manifest import Asset, Diff, Manifest
    from assetpipe.publish import Published

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
_SHOWN = 10  # lines of each kind of change
_MOST_MILD = 100


def print_problems(problems: Iterable[Problem]) -> None:
    """Print problems to stderr, each as ``file:line:column: severity: text``, with its hint below.

    A hint that the next problem has, too, is left to that. Of warnings and notes the first hundred are enough.
    """
    told: list[Problem] = []
    mild = 0
    for problem in problems:
        mild += problem.severity is not Severity.ERROR
        if problem.severity is Severity.ERROR or mild <= _MOST_MILD:
            told.append(problem)
    for problem, following in zip_longest(told, told[1:]):
        place = click.style(problem.place, bold=True) + ": " if problem.place else ""
        severity = click.style(problem.severity.value, fg=_COLOURS[problem.severity], bold=True)
        click.echo(f"{place}{severity}: {problem.text}", err=True)
        if problem.hint and (following is None or following.hint != problem.hint):
            click.echo(f"    {problem.hint}", err=True)
    if mild > _MOST_MILD:
        click.echo(f"… and {mild - _MOST_MILD:,} more warnings and notes: --json has them all", err=True)


def answer(manifest: Manifest, problems: Sequence[Problem], *, published: bool, diff: Diff, worked: int) -> bytes:
    """A machine's answer on a build, as JSON."""
    told: dict[str, Any] = {
        "release": manifest.release,
        "published": published,
        "files": len(_assets(manifest)),
        "bytes": sum(asset.size for asset in _assets(manifest)),
        "encodings": {
            coding: {"files": files, "before": before, "after": after}
            for coding, files, before, after in _savings(manifest)
        },
        "new": diff,
        "jobs": worked,
        "problems": problems,
    }
    return msgspec.json.encode(told)


def print_summary(published: Published, diff: Diff, dist: str, seconds: float) -> None:
    """Print what was published to stdout."""
    manifest, previous = published.manifest, published.previous
    total = sum(asset.size for asset in _assets(manifest))
    release = click.style(manifest.release, bold=True)
    same = previous is not None and previous.release == manifest.release
    state = "is published to"
    if same:
        changed = published.written + published.pruned
        state = f"is the current one, and {_count(changed, 'file')} changed, in" if changed else "is already in"
    click.echo(f"Release {release} {state} {dist} ({seconds:.1f} s)\n")
    click.echo(f"  {_count(len(_assets(manifest)), 'file')}, {size(total)}")
    for name, files, before, after in _savings(manifest):
        share = f"{100 * (before - after) / before:.0f} % smaller" if before else ""
        click.echo(f"    {name:<6} {_count(files, 'file'):>11}   {size(before):>9} → {size(after):>9}   {share}")
    if previous is not None and not same and (diff.added or diff.changed or diff.removed):
        click.echo(f"\n  Since release {previous.release}:")
        for sign, word, paths in (
            ("+", "added", diff.added),
            ("~", "changed", diff.changed),
            ("-", "gone", diff.removed),
        ):
            for path in paths[:_SHOWN]:
                click.echo(f"    {sign} {path}")
            if len(paths) > _SHOWN:
                click.echo(f"    {sign} … and {len(paths) - _SHOWN} more {word}")


def print_verdict(problems: Sequence[Problem]) -> None:
    """Print how many problems there were to stdout, if any."""
    counts = [(severity, sum(p.severity is severity for p in problems)) for severity in Severity]
    if told := [_count(count, severity.value) for severity, count in counts if count]:
        click.echo(f"\n  {', '.join(told)} (above)")
    if sum(problem.kind.startswith("missing-") for problem in problems) >= _SHOWN:
        click.echo("  What is not yours to mend can be told so: [tool.assetpipe.missing]")


def size(count: int) -> str:
    """Bytes in the unit that a person would use, with three digits: ``5 B``, ``1.24 kB``, ``18.2 MB``."""
    if count < 1000:
        return f"{count} B"
    value, units = count / 1000, ["kB", "MB", "GB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {units[0]}"


def _assets(manifest: Manifest) -> list[Asset]:
    return [asset for _, assets in manifest.areas for asset in assets.values()]


def _savings(manifest: Manifest) -> Iterator[tuple[str, int, int, int]]:
    """For each coding and each negotiated image format: how many files, and their bytes before and after."""
    rows: dict[str, list[int]] = {}
    for asset in _assets(manifest):
        smaller = [(coding, encoding.size) for coding, encoding in asset.encodings.items()]
        smaller += [(r.type.removeprefix("image/"), r.size) for r in asset.renditions if r.negotiated]
        for name, after in smaller:
            row = rows.setdefault(name, [0, 0, 0])
            row[0] += 1
            row[1] += asset.size
            row[2] += after
    for name, (files, before, after) in sorted(rows.items()):
        yield name, files, before, after


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
