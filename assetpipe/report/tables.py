"""A report as tables, which the terminal and the page show each in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from assetpipe import units
from assetpipe.report import facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from assetpipe.report.facts import Change, Report, Sizes

Cell = str | int | float | None
# What a column holds: words, paths, bytes, a difference in bytes, a number, a part of one, seconds.
Kind = Literal["words", "path", "bytes", "difference", "number", "share", "seconds"]


class Column(Struct, frozen=True):
    """What stands atop a column, and how its cells are spelt. In one with ``bar``, the page draws how large each is."""

    title: str
    kind: Kind
    bar: bool = False


class Table(Struct, frozen=True):
    """One table. ``name`` is a short word for it; ``about`` says how to read it, ``empty`` what it means to be empty.

    The first column names the row. ``sum`` is a last row with the sums, which is never cut off.
    """

    name: str
    title: str
    about: str
    empty: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sum: tuple[Cell, ...] | None = None


def spell(kind: Kind, value: Cell) -> str:
    """A cell as text."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if kind == "seconds":
        return units.duration(value)
    if kind == "share":
        return units.share(value)
    return {"bytes": units.size, "difference": units.difference}.get(kind, "{:,}".format)(int(value))


def tables(report: Report) -> list[Table]:
    """All tables of a report, in the order in which they are told. What is not known has none."""
    told = [_types(report), _ways(report), _assets(report), _weak(report), _duplicates(report), _telling(report)]
    if report.changes is not None:
        told.append(_changes(report))
    if report.build is not None:
        told += [_tools(report), _jobs(report), _reasons(report)]
    return told


def _types(report: Report) -> Table:
    ways = [way.name for way in report.ways]

    def row(sizes: Sizes) -> tuple[Cell, ...]:
        sent = (*(sizes.ways[way] for way in ways), sizes.sent)
        return (sizes.name, sizes.files, sizes.bytes, *sent, facts.less(sizes.bytes, sizes.sent))

    return Table(
        name="types",
        title="By media type",
        about="What all files weigh for a client that takes them only as they are, one that takes a coding or image "
        "format alone (its column), and one that takes everything (sent).",
        empty="There are no files.",
        columns=(
            Column("type", "words"),
            Column("files", "number"),
            Column("as they are", "bytes"),
            *(Column(way, "bytes") for way in ways),
            Column("sent", "bytes", bar=True),
            Column("less", "share"),
        ),
        rows=tuple(map(row, report.types)),
        sum=row(report.total),
    )


def _ways(report: Report) -> Table:
    return Table(
        name="codings",
        title="By coding and image format",
        about="The files that there are in it, and their bytes before and after.",
        empty="Everything is published as it is, in no other way.",
        columns=(
            Column("coding", "words"),
            Column("files", "number"),
            Column("before", "bytes"),
            Column("after", "bytes", bar=True),
            Column("less", "share"),
        ),
        rows=tuple((w.name, w.files, w.before, w.after, facts.less(w.before, w.after)) for w in report.ways),
    )


def _assets(report: Report) -> Table:
    return Table(
        name="largest",
        title="Largest assets",
        about="Those that most bytes are sent of, to a client that takes every coding and image format.",
        empty="There are no files.",
        columns=(
            Column("path", "path"),
            Column("type", "words"),
            Column("as it is", "bytes"),
            Column("sent", "bytes", bar=True),
            Column("less", "share"),
            Column("sent as", "words"),
        ),
        rows=tuple((e.path, e.type, e.bytes, e.sent, e.less, e.way or "it is") for e in report.assets),
    )


def _weak(report: Report) -> Table:
    return Table(
        name="weak",
        title="Worst compressed",
        about="What is larger than one packet and hardly gets smaller, though its type should, or is not known: "
        f"less than {units.share(facts.LITTLE)} is saved, or nothing.",
        empty="All that can get smaller does.",
        columns=(
            Column("path", "path"),
            Column("as it is", "bytes"),
            Column("sent", "bytes", bar=True),
            Column("why", "words"),
        ),
        rows=tuple((one.path, one.bytes, one.sent, one.why) for one in report.weak),
    )


def _duplicates(report: Report) -> Table:
    rows = tuple((", ".join(one.paths), len(one.paths), one.bytes, one.wasted) for one in report.duplicates)
    return Table(
        name="duplicates",
        title="Duplicates",
        about="Equal bytes under several paths: a browser that needs two of them downloads both.",
        empty="No two files are equal.",
        columns=(
            Column("paths", "path"),
            Column("times", "number"),
            Column("each", "bytes"),
            Column("wasted", "bytes", bar=True),
        ),
        rows=rows,
        sum=("all", sum(len(one.paths) for one in report.duplicates), None, wasted(report)) if len(rows) > 1 else None,
    )


def wasted(report: Report) -> int:
    """The bytes that duplicates waste."""
    return sum(one.wasted for one in report.duplicates)


def _telling(report: Report) -> Table:
    return Table(
        name="metadata",
        title="Images that tell more than the picture",
        about="Their originals are published as they are, with what a camera or a program wrote into them; a position "
        "is where a photograph was taken. [tool.assetpipe.images] strip = true takes it out. Renditions have none.",
        empty="No original has metadata in it.",
        columns=(Column("path", "path"), Column("type", "words"), Column("tells", "words")),
        rows=tuple((one.path, one.type, ", ".join(one.metadata)) for one in report.telling),
    )


def _changes(report: Report) -> Table:
    changes = report.changes
    assert changes is not None

    def rows(what: str, held: Sequence[Change]) -> Iterable[tuple[Cell, ...]]:
        for one in held:
            before, after = (None if what == gone else size for gone, size in _sides(one))
            yield (one.path, what, before, after, one.sent_after - one.sent_before)

    def _sides(one: Change) -> tuple[tuple[str, int], tuple[str, int]]:
        return ("added", one.sent_before), ("removed", one.sent_after)

    found = [*rows("added", changes.added), *rows("changed", changes.changed), *rows("removed", changes.removed)]
    before, after = changes.before.sent, report.total.sent
    return Table(
        name="changes",
        title=f"Changed since release {changes.since}",
        about="In bytes that are sent. The totals are of all assets.",
        empty="The same assets, with the same bytes.",
        columns=(
            Column("path", "path"),
            Column("what", "words"),
            Column("before", "bytes"),
            Column("after", "bytes"),
            Column("difference", "difference"),
        ),
        rows=tuple(sorted(found, key=lambda row: -abs(row[4] if isinstance(row[4], int) else 0))),
        sum=("all assets", f"{len(found):,} of them", before, after, after - before),
    )


def _tools(report: Report) -> Table:
    whole = sum(one.seconds for one in report.tools)
    clock = report.build.seconds if report.build else 0
    took = f"It took {units.duration(clock)} by the clock, in which several jobs can run at once." if clock else ""
    return Table(
        name="tools",
        title="Time by tool",
        about=f"Of the last build that had something to do. {took}".strip(),
        empty="The cache spared all work.",
        columns=(
            Column("tool", "words"),
            Column("jobs", "number"),
            Column("time", "seconds", bar=True),
            Column("of all", "share"),
        ),
        rows=tuple((one.tool, one.jobs, one.seconds, one.seconds / whole if whole else 0) for one in report.tools),
        sum=("all", sum(one.jobs for one in report.tools), whole, 1.0 if whole else 0.0),
    )


def _jobs(report: Report) -> Table:
    assert report.build is not None
    return Table(
        name="slowest",
        title="Slowest jobs",
        about="What the cache spares the next time, unless the file changes.",
        empty="The cache spared all work.",
        columns=(Column("path", "path"), Column("tool", "words"), Column("time", "seconds", bar=True)),
        rows=tuple((job.path, job.tool, job.seconds) for job in report.build.work),
    )


def _reasons(report: Report) -> Table:
    assert report.build is not None
    by_reason: dict[str, list[str]] = {}
    for path, why in sorted(report.build.reasons.items()):
        by_reason.setdefault(why, []).append(path)
    found = sorted(by_reason.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return Table(
        name="reasons",
        title="Why assets were rebuilt",
        about="Those that are not as they were in the build before, by the reason.",
        empty="None was: all are as they were in the build before.",
        columns=(Column("reason", "words"), Column("assets", "number", bar=True), Column("such as", "path")),
        rows=tuple((why, len(paths), paths[0]) for why, paths in found),
    )
