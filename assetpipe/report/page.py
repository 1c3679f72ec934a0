"""A report as one HTML page that needs nothing else: no network, no server, no second file.

What it says stands in its HTML, so that it can be read without scripts, too, as where a continuous integration server
shows it in a sandbox. The script adds the treemap, and makes the tables sort and the dividers move. The page's own
policy (Content Security Policy level 3) lets that one script run by its digest, and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from assetpipe import units
from assetpipe.report import facts
from assetpipe.report.tables import spell, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assetpipe.report.facts import Report
    from assetpipe.report.pictures import Pair, Picture
    from assetpipe.report.tables import Cell, Kind, Table

# Of each table; the treemap and the list of all assets hold everything.
_ROWS = 200
# What the treemap tells apart, in the order of its legend: what people call it, and the media types that it is.
KINDS = {
    "script": ("Scripts", re.compile("text/javascript|application/wasm")),
    "style": ("Style sheets", re.compile("text/css")),
    "picture": ("Pictures", re.compile("image/")),
    "font": ("Fonts", re.compile("font/|application/vnd.ms-fontobject")),
    "media": ("Sound and film", re.compile("audio/|video/")),
    "data": ("Data", re.compile(r"application/(.*\+)?(json|xml|yaml)|text/(csv|calendar)|model/")),
    "text": ("Pages and text", re.compile("text/|application/pdf")),
    "other": ("Other", re.compile("")),
}
# What HTML text cannot hold (its parsers replace it, and validators complain).
_CONTROLS = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_UNSAFE = re.compile(f"<|{_CONTROLS.pattern}")


def page(report: Report, pairs: Sequence[Pair] = ()) -> str:
    """The page, with the pictures of ``pairs`` in it."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_text
    )
    environment.filters.update(size=units.size, share=units.share, difference=units.difference, count=units.count)
    environment.filters.update(duration=units.duration, data_url=_data_url, spell=_spelt, sorts=_sorts, part=_part)
    environment.filters.update(less=facts.less, image_format=facts.image_format)
    script, style = _asset("page.js"), _asset("page.css")
    build = report.build
    return environment.from_string(_asset("page.html")).render(
        report=report,
        tables={table.name: table for table in tables(report)},
        kinds=_kinds(report),
        pairs=pairs,
        built=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(build.at)) if build else "",
        rows=_ROWS,
        style=Markup(style),  # noqa: S704 -- files of this package
        script=Markup(script),  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=Markup(_data(report)),  # noqa: S704 -- escaped there
    )


def kind(media_type: str) -> str:
    """Which of KINDS a media type is."""
    return next(name for name, (_, pattern) in KINDS.items() if pattern.match(media_type))


def _asset(name: str) -> str:
    return files("assetpipe.report").joinpath(name).read_text(encoding="utf-8")


def _text(value: object) -> object:
    """A value for the template, without what HTML text cannot hold. Markup is ours already."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)
    return value


def _spelt(cell: Cell, kind: Kind) -> str:
    return spell(kind, cell)


def _sorts(cell: Cell, kind: Kind) -> str:
    """What a cell is sorted by, where that is not its text."""
    return "" if kind in ("words", "path") else "-1" if cell is None else f"{cell:g}" if cell else "0"


def _part(table: Table, column: int, cell: Cell) -> str:
    """How long the bar of a cell is, in percent of the longest of its column."""
    numbers = [row[column] for row in table.rows[:_ROWS]]
    longest = max((number for number in numbers if isinstance(number, int | float)), default=0)
    return f"{100 * cell / longest:.1f}" if longest and isinstance(cell, int | float) else "0"


def _kinds(report: Report) -> list[tuple[str, str, int, int]]:
    """Each kind that there is, what it is called, its bytes, and those that are sent."""
    sums: dict[str, list[int]] = {}
    for entry in report.assets:
        held = sums.setdefault(kind(entry.type), [0, 0])
        held[0] += entry.bytes
        held[1] += entry.sent
    return [(name, called, sums[name][0], sums[name][1]) for name, (called, _) in KINDS.items() if name in sums]


def _data_url(picture: Picture) -> Markup:
    # Media types are ours (``media.TYPES``), but a manifest is a file that anyone may have written.
    known = picture.type if re.fullmatch(r"image/[a-z0-9.+-]+", picture.type) else "application/octet-stream"
    return Markup("data:{};base64,{}").format(known, base64.b64encode(picture.data).decode())


def _data(report: Report) -> str:
    """What the script works on, as JSON that can stand in a ``script`` element (HTML section 4.12.1.3).

    ``folders`` are ``[parent, name]``, the first of them the root; ``files`` are ``[folder, name, type, bytes, bytes in
    each way (0: none), …, state (0: as before, 1: added, 2: changed), reason (0: none), private]``, without the zeros
    at the end. What is named by its place is counted from 0, and reasons from 1.
    """
    ways = [way.name for way in report.ways]
    types = {sizes.name: place for place, sizes in enumerate(report.types)}
    changes, why = report.changes, report.build.reasons if report.build else {}
    states = {one.path: 1 for one in changes.added} | {one.path: 2 for one in changes.changed} if changes else {}
    reasons = {reason: place for place, reason in enumerate(dict.fromkeys(why.values()), 1)}
    folders: dict[str, tuple[int, str]] = {"": (0, "")}
    places = {"": 0}
    listed = []
    for entry in sorted(report.assets, key=lambda entry: entry.path):
        *above, name = entry.path.split("/")
        path = ""
        for part in above[1:]:
            parent, path = places[path], f"{path}/{part}"
            if path not in folders:
                places[path] = len(folders)
                folders[path] = (parent, part)
        sizes = [entry.bytes, *(entry.ways.get(way, 0) for way in ways)]
        file = [places[path], name, types[entry.type], *sizes, states.get(entry.path, 0)]
        file += [reasons.get(why.get(entry.path, ""), 0), int(entry.private)]
        while not file[-1]:
            file.pop()
        listed.append(file)
    told = {
        "ways": ways,
        "types": [[name, kind(name)] for name in types],
        "kinds": {name: called for name, (called, _) in KINDS.items()},
        "reasons": list(reasons),
        "since": changes.since if changes else "",
        "folders": list(folders.values()),
        "files": listed,
    }
    # "<" can begin an end tag or a comment; in JSON it stands in strings alone, as do the others.
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", msgspec.json.encode(told).decode())
