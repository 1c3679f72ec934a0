"""Why an asset is named as it is: what it refers to, what refers to it, and the graph around it, also as a drawing."""

from __future__ import annotations

import difflib
import os
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from assetpipe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from assetpipe.build import Trace
    from assetpipe.link import Hole
    from assetpipe.paths import LogicalPath

# A drawing of more files than this is none to look at; those nearest to the asset are drawn.
_MOST_DRAWN = 60
_WIDTH, _HEIGHT, _COLUMN_GAP, _ROW_GAP, _MARGIN = 220, 26, 70, 12, 20
_CONTROLS = re.compile(r"[^\t\n -\ufffd\U00010000-\U0010ffff]")
_STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #222 }
rect { fill: #f6f6f4; stroke: #bbb; rx: 4px }
path { fill: none; stroke: #999; marker-end: url(#to) }
.centre rect { fill: #e8f0fe; stroke: #1a56c4; stroke-width: 2px }
.cycle rect, path.cycle { stroke: #b3261e }
</style>
<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<polygon points="0 0 8 4 0 8" fill="#777"/></marker></defs>"""


class Mention(Struct, frozen=True, omit_defaults=True):
    """One reference: where it stands, as it is written, the logical path that it names and the URL it became.

    ``url`` is empty where there is no such source. ``path`` is empty where it can name no file.
    """

    file: str
    line: int
    column: int
    kind: str
    written: str
    path: str
    url: str = ""


class Ingredient(Struct, frozen=True):
    """One of the digests that a name is made of."""

    what: str
    sha256: str


class Explanation(Struct, frozen=True):
    """One asset. ``naming`` is ``fingerprint``, or why it keeps its name: ``plain``, ``kept``, or ``private``, to which
    no ``url`` leads.

    ``tool`` is the program that makes it of its file, if a command does.
    """

    path: str
    url: str
    file: str
    tool: str
    naming: str
    named_by: tuple[Ingredient, ...]
    cycle: tuple[str, ...]
    refers_to: tuple[Mention, ...]
    referred_to_by: tuple[Mention, ...]


class Graph(Struct, frozen=True):
    """The files around one, by their distance along references: below 0 what leads to it. ``left_out`` are too many."""

    centre: str
    columns: Mapping[str, int]
    edges: tuple[tuple[str, str], ...]
    cycle: frozenset[str]
    left_out: int


def find(trace: Trace, name: str, folder: str) -> LogicalPath:
    """The asset that ``name`` means: a logical path, a URL, a file (relative to ``folder``), or the end of a path.

    Raises ConfigError where that is none, or several.
    """
    url = unquote(urlsplit(name).path)
    for path, linked in trace.linked.items():
        if path == name or url in (path, linked.url):
            return path
    names = {**{path: path for path in trace.linked}, **{a: p for a, p in trace.aliases.items() if p in trace.linked}}
    file = os.path.realpath(Path(folder) / name)
    ends: list[LogicalPath] = []
    for called, path in names.items():
        if called == name or os.path.realpath(trace.sources[path].file) == file:
            return path
        if called.endswith("/" + name.lstrip("/")) and path not in ends:
            ends.append(path)
    if len(ends) == 1:
        return ends[0]
    if ends:
        told = ", ".join(sorted(ends, key=lambda path: (path.count("/"), path))[:5])
        more = f" and {len(ends) - 5} more" if len(ends) > 5 else ""
        raise ConfigError(f"{name}: that may be any of {told}{more}. Write more of the path.")
    near = difflib.get_close_matches(name, trace.linked, n=1, cutoff=0.3)
    raise ConfigError(f"{name}: there is no such asset." + (f" Did you mean {near[0]}?" if near else ""))


def explain(trace: Trace, path: LogicalPath) -> Explanation:
    """Tell all there is to know of the asset ``path``."""
    linked = trace.linked[path]
    by = (
        _mention(trace, other, hole)
        for other, one in sorted(trace.linked.items())
        for hole in one.holes
        if hole.target == path and hole.ref.manner != "digest"
    )
    return Explanation(
        path=path,
        url="" if trace.sources[path].private else linked.url,
        file=trace.sources[path].shown,
        tool=trace.tools.get(path, ""),
        naming=trace.sources[path].naming,
        named_by=tuple(_ingredients(trace, path)),
        cycle=linked.cycle,
        refers_to=tuple(_mention(trace, path, hole) for hole in linked.holes if hole.ref.manner != "digest"),
        referred_to_by=tuple(by),
    )


def _mention(trace: Trace, holder: LogicalPath, hole: Hole) -> Mention:
    url = "" if hole.target is None else hole.target if hole.page else trace.linked[hole.target].url
    ref = hole.ref
    return Mention(
        file=trace.sources[holder].shown,
        line=ref.line,
        column=ref.column,
        kind=ref.kind,
        written=ref.written.decode(errors="replace"),
        path=hole.target or hole.sought or "",
        url=url,
    )


def _ingredients(trace: Trace, path: LogicalPath) -> Iterable[Ingredient]:
    source, linked = trace.sources[path], trace.linked[path]
    if source.naming != "fingerprint":
        return
    renamed = [t for t in linked.refs if trace.linked[t].url != t]
    if linked.isolated is not None:
        yield Ingredient("its bytes, with what refers into its cycle left open", linked.isolated)
        for other in linked.cycle:
            isolated = trace.linked[other].isolated
            if other != path and isolated is not None:
                yield Ingredient(f"those of {other}, the same way", isolated)
    elif renamed:
        names = "the name of another file" if len(renamed) == 1 else f"the names of {len(renamed)} files"
        yield Ingredient(f"its final bytes, which hold {names}", linked.digest)
    else:
        yield Ingredient("its final bytes", linked.digest)
    for cover in trace.nodes[path].covers:
        yield Ingredient("a picture that its URL also answers with", cover)


def graph(trace: Trace, path: LogicalPath) -> Graph:
    """The graph of all that ``path`` leads to and all that leads there."""
    forward = {p: one.refs for p, one in trace.linked.items()}
    backward: dict[LogicalPath, list[LogicalPath]] = {}
    for p, refs in forward.items():
        for target in refs:
            backward.setdefault(target, []).append(p)
    columns: dict[LogicalPath, int] = {path: 0}
    for edges, step in ((forward, 1), (backward, -1)):
        level, distance = [path], 0
        while level:
            distance += step
            level = sorted({q for p in level for q in edges.get(p, ()) if q not in columns})
            columns.update(dict.fromkeys(level, distance))
    drawn = dict(sorted(columns.items(), key=lambda entry: (abs(entry[1]), entry[0]))[:_MOST_DRAWN])
    return Graph(
        centre=path,
        columns={str(p): column for p, column in drawn.items()},
        edges=tuple((p, q) for p in sorted(drawn) for q in forward.get(p, ()) if q in drawn),
        cycle=frozenset(map(str, trace.linked[path].cycle)),
        left_out=len(columns) - len(drawn),
    )


def dot(graph: Graph) -> str:
    """The graph in Graphviz's language."""

    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph assets {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for path in sorted(graph.columns):
        style = "bold" if path == graph.centre else "solid"
        colour = "firebrick" if path in graph.cycle else "black"
        lines.append(f"  {quoted(path)} [style={style}, color={colour}];")
    lines.extend(f"  {quoted(one)} -> {quoted(other)};" for one, other in graph.edges)
    if graph.left_out:
        lines.append(f"  {quoted(f'… and {graph.left_out} more')} [shape=plaintext];")
    return "\n".join([*lines, "}", ""])


def svg(graph: Graph) -> str:
    """The graph as a drawing: what leads to the asset on its left, what it leads to on its right."""
    by_column: dict[int, list[str]] = {}
    for path, column in graph.columns.items():
        by_column.setdefault(column, []).append(path)
    tallest = max(map(len, by_column.values()))
    first = min(by_column)
    height = 2 * _MARGIN + tallest * (_HEIGHT + _ROW_GAP) + (24 if graph.left_out else 0)
    places: dict[str, tuple[float, float]] = {}
    for column, paths in by_column.items():
        top = _MARGIN + (tallest - len(paths)) * (_HEIGHT + _ROW_GAP) / 2
        for row, path in enumerate(sorted(paths)):
            places[path] = (_MARGIN + (column - first) * (_WIDTH + _COLUMN_GAP), top + row * (_HEIGHT + _ROW_GAP))
    width = 2 * _MARGIN + (max(by_column) - first) * (_WIDTH + _COLUMN_GAP) + _WIDTH
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}">',
        f"<title>{_escaped(graph.centre)}</title>",
        _STYLE,
    ]
    for one, other in graph.edges:
        lines.append(_edge(places[one], places[other], in_cycle={one, other} <= graph.cycle))
    for path, (x, y) in places.items():
        names = " ".join(
            name for name, holds in (("centre", path == graph.centre), ("cycle", path in graph.cycle)) if holds
        )
        lines.append(
            f'<g class="{names}"><title>{_escaped(path)}</title><rect x="{x:g}" y="{y:g}" width="{_WIDTH}" '
            f'height="{_HEIGHT}"/><text x="{x + 8:g}" y="{y + 17:g}">{_escaped(_shortened(path))}</text></g>'
        )
    if graph.left_out:
        lines.append(f'<text x="{_MARGIN}" y="{height - 12:g}">… and {graph.left_out} more files</text>')
    return "\n".join([*lines, "</svg>", ""])


def _edge(one: tuple[float, float], other: tuple[float, float], *, in_cycle: bool) -> str:
    """An arrow between the sides of two boxes that face each other; within a column, between their right sides."""
    side = -1 if other[0] < one[0] else 1
    x1, y1 = one[0] + (_WIDTH if side > 0 else 0), one[1] + _HEIGHT / 2
    x2, y2 = other[0] + (0 if other[0] > one[0] else _WIDTH), other[1] + _HEIGHT / 2
    # A little above where arrows the other way go.
    y2 -= 5 if other[0] <= one[0] else 0
    bend = side * (abs(x2 - x1) / 2 if other[0] != one[0] else _COLUMN_GAP / 2)
    ahead = bend if other[0] == one[0] else -bend
    name = ' class="cycle"' if in_cycle else ""
    return f'<path{name} d="M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 + ahead:g} {y2:g} {x2:g} {y2:g}"/>'


def _escaped(text: str) -> str:
    """Text as XML holds it, which has no control characters."""
    return escape(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text))


def _shortened(path: str) -> str:
    """The end of a path, as long as its box."""
    return path if len(path) <= 33 else "…" + path[-32:]
