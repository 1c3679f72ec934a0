"""What a build did, for a person and for a machine."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click
import msgspec

from assetpipe import manifest as manifests
from assetpipe.errors import Problem, Severity
from assetpipe.units import count, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from assetpipe.manifest import Asset, Diff, Manifest

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
_SHOWN = 10  # lines of each kind of change
_MOST_MILD = 100


def print_problems(problems: Iterable[Problem]) -> None:
    """Print problems to stderr, as ``told_problems`` has them."""
    click.echo(told_problems(problems), err=True, nl=False)


def told_problems(problems: Iterable[Problem]) -> str:
    """Lines of problems, each as ``file:line:column: severity: text``, with its hint below.

    A hint that the next problem has, too, is left to that. Of warnings and notes the first hundred are enough.
    """
    told: list[Problem] = []
    mild = 0
    for problem in problems:
        mild += problem.severity is not Severity.ERROR
        if problem.severity is Severity.ERROR or mild <= _MOST_MILD:
            told.append(problem)
    lines = []
    for problem, following in zip_longest(told, told[1:]):
        place = click.style(problem.place, bold=True) + ": " if problem.place else ""
        severity = click.style(problem.severity.value, fg=_COLOURS[problem.severity], bold=True)
        lines.append(f"{place}{severity}: {problem.text}")
        if problem.hint and (following is None or following.hint != problem.hint):
            lines.append(f"    {problem.hint}")
    if mild > _MOST_MILD:
        lines.append(f"… and {mild - _MOST_MILD:,} more warnings and notes: --json has them all")
    return "".join(f"{line}\n" for line in lines)


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


def told_release(manifest: Manifest, previous: Manifest | None, changed: int, dist: str, seconds: str) -> str:
    """Lines on the release that is published: its sizes, and what is new against the one before.

    ``changed`` are files of dist that were written or pruned.
    """
    release = click.style(manifest.release, bold=True)
    same = previous is not None and previous.release == manifest.release
    state = "is published to"
    if same:
        state = f"is the current one, and {count(changed, 'file')} changed, in" if changed else "is already in"
    lines = [f"Release {release} {state} {dist} ({seconds} s)", "", *_sizes(manifest)]
    if not same:
        lines += _news(previous, manifest)
    return "".join(f"{line}\n" for line in lines)


def told_plan(manifest: Manifest, previous: Manifest | None, dist: str) -> str:
    """Lines on what publishing would change."""
    release = click.style(manifest.release, bold=True)
    if previous is not None and previous.release == manifest.release:
        return f"Release {release} is already in {dist}: nothing would change.\n"
    files, total = len(_assets(manifest)), sum(asset.size for asset in _assets(manifest))
    lines = [f"Release {release} would be published to {dist}", "", f"  {count(files, 'file')}, {size(total)}"]
    return "".join(f"{line}\n" for line in (*lines, *_news(previous, manifest)))


def told_verdict(problems: Sequence[Problem]) -> str:
    """Lines on how many problems there were, if any."""
    counts = [(severity, sum(p.severity is severity for p in problems)) for severity in Severity]
    lines = []
    if told := [count(number, severity.value) for severity, number in counts if number]:
        lines += ["", f"  {', '.join(told)} (above)"]
    if sum(problem.kind.startswith("missing-") for problem in problems) >= _SHOWN:
        lines.append("  What is not yours to mend can be told so: [tool.assetpipe.missing]")
    return "".join(f"{line}\n" for line in lines)


def _sizes(manifest: Manifest) -> Iterator[str]:
    yield f"  {count(len(_assets(manifest)), 'file')}, {size(sum(asset.size for asset in _assets(manifest)))}"
    for name, files, before, after in _savings(manifest):
        share = f"{100 * (before - after) / before:.0f} % smaller" if before else ""
        yield f"    {name:<6} {count(files, 'file'):>11}   {size(before):>9} → {size(after):>9}   {share}"


def _news(previous: Manifest | None, manifest: Manifest) -> Iterator[str]:
    if previous is None:
        return
    diff = manifests.diff(previous, manifest)
    if diff.added or diff.changed or diff.removed:
        yield f"\n  Since release {previous.release}:"
    for sign, word, paths in (("+", "added", diff.added), ("~", "changed", diff.changed), ("-", "gone", diff.removed)):
        yield from (f"    {sign} {path}" for path in paths[:_SHOWN])
        if len(paths) > _SHOWN:
            yield f"    {sign} … and {len(paths) - _SHOWN} more {word}"


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


def safe(text: str) -> str:
    """A name that somebody else chose, with whatever could act on a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
