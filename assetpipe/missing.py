"""References to nothing: how bad one is (``[tool.assetpipe.missing]``), and what was probably meant."""

from __future__ import annotations

import difflib
import os.path
from collections import Counter
from typing import TYPE_CHECKING

from assetpipe import patterns
from assetpipe.config import REFERENCE_KINDS
from assetpipe.errors import Severity
from assetpipe.paths import LogicalPath, relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from assetpipe.patterns import Patterns

# What bundlers let a specifier leave out, and browsers do not.
_LEFT_OUT = (".js", ".mjs", "/index.js", ".css")
# Comparing names is slow: so many lookups are made, each of so many candidates; a piece of so many names tells nothing.
_MOST_LOOKUPS, _MOST_COMPARED, _COMMONEST = 200, 20, 500
_SEVERITIES = {"error": Severity.ERROR, "warn": Severity.WARNING, "ignore": None}


class Policy:
    """The table: by the kind of a reference, and by patterns for the file that holds it or the one that it names.

    Of the patterns that match the last counts, and counts more than the kind.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._kinds = {kind: _SEVERITIES[word] for kind, word in table.items() if kind in REFERENCE_KINDS}
        self._patterns: list[tuple[Patterns, Severity | None]] = []
        for pattern, word in table.items():
            if pattern not in REFERENCE_KINDS and (spec := patterns.compiled("missing", [pattern])) is not None:
                self._patterns.append((spec, _SEVERITIES[word]))

    def severity(self, kind: str, holder: str, sought: str) -> Severity | None:
        """How bad it is that ``holder`` refers to ``sought`` (logical paths); None where nobody wants to know."""
        for spec, severity in reversed(self._patterns):
            if spec.match_file(holder[1:]) or spec.match_file(sought[1:]):
                return severity
        return self._kinds.get(kind, Severity.WARNING)


class Names:
    """The names that there are, to find the one that was probably meant. Sorted when first asked."""

    def __init__(self, paths: Iterable[LogicalPath]) -> None:
        self._paths = paths
        self._by_name: dict[str, list[LogicalPath]] = {}
        self._by_fold: dict[str, LogicalPath] = {}
        self._by_folder: dict[str, list[LogicalPath]] = {}
        # Names by the two-letter pieces that they are made of; made when first asked for.
        self._pieces: dict[str, list[str]] = {}
        self._close: dict[LogicalPath, LogicalPath | None] = {}

    def hint(self, sought: LogicalPath) -> str:
        """What to do about a reference to ``sought``."""
        if not self._by_name:
            for path in sorted(self._paths):
                self._by_name.setdefault(path.name, []).append(path)
                self._by_fold.setdefault(path.casefold(), path)
                self._by_folder.setdefault(path.folder, []).append(path)
        if (near := self._by_fold.get(sought.casefold())) is not None:
            return f"{near} differs only in case. Write it as the file is named."
        for left_out in _LEFT_OUT:
            if (near := self._by_fold.get(f"{sought}{left_out}".casefold())) is not None:
                return f"Browsers add no suffix. Write it out: {near}"
        if (near := self._nearest(sought)) is not None:
            return f"The nearest there is: {near}"
        return "Add the file, or take the reference out."

    def _nearest(self, sought: LogicalPath) -> LogicalPath | None:
        """In the same folder a similar name, or elsewhere the same or a similar name with the same suffix."""
        if sought not in self._close and len(self._close) < _MOST_LOOKUPS:
            beside = [path.name for path in self._by_folder.get(sought.folder, ())[:_COMMONEST]]
            if close := difflib.get_close_matches(sought.name, beside, n=1, cutoff=0.75):
                self._close[sought] = LogicalPath(sought.folder + close[0])
            elif (name := sought.name if sought.name in self._by_name else self._close_to(sought.name)) is not None:
                self._close[sought] = self._closest(sought, self._by_name[name])
            else:
                self._close[sought] = None
        if sought not in self._close and sought.name in self._by_name:
            return self._closest(sought, self._by_name[sought.name])
        return self._close.get(sought)

    def _closest(self, sought: LogicalPath, paths: Iterable[LogicalPath]) -> LogicalPath:
        """Of ``paths`` the one with the fewest folders between."""
        return min(paths, key=lambda path: (relative(sought, path).count("/"), path))

    def _close_to(self, name: str) -> str | None:
        if not self._pieces:
            for other in self._by_name:
                for piece in _pieces(other):
                    self._pieces.setdefault(piece, []).append(other)
        shared: Counter[str] = Counter()
        for piece in sorted(_pieces(name)):
            if len(others := self._pieces.get(piece, ())) < _COMMONEST:
                shared.update(others)
        suffix = os.path.splitext(name)[1]
        likely = [other for other, _ in shared.most_common() if os.path.splitext(other)[1] == suffix]
        return next(iter(difflib.get_close_matches(name, likely[:_MOST_COMPARED], n=1, cutoff=0.75)), None)


def _pieces(name: str) -> set[str]:
    stem = f" {os.path.splitext(name)[0]} "
    return {stem[place : place + 2] for place in range(len(stem) - 1)}
