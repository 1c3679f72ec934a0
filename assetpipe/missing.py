"""What a reference to nothing is: an error, a warning, or nothing worth saying (``[tool.assetpipe.missing]``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetpipe import patterns
from assetpipe.config import REFERENCE_KINDS
from assetpipe.errors import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assetpipe.patterns import Patterns

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
