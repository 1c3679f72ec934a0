"""What can go wrong, as values (problems, collected) and as exceptions (which end the command)."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """How bad a problem is: an error publishes nothing, a warning is an error under ``strict``, a note is just said."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing a person should know: what, where (``file:line:column``, both counted from 1), why, and what to do.

    ``kind`` is a short stable word for machines. ``file`` is relative to the project's folder where that is possible.
    """

    kind: str
    severity: Severity
    text: str
    file: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""

    @property
    def place(self) -> str:
        """``file:line:column``, as far as it is known."""
        return ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)]) if self.file else ""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{place}{self.severity.value}: {self.text}{hint}"


class AssetpipeError(Exception):
    """Base of what assetpipe raises on purpose; its text is for people and complete."""


class ConfigError(AssetpipeError):
    """The configuration or the command line is wrong: exit code 2."""


class ManifestError(AssetpipeError):
    """There is no manifest, or it cannot be read."""


class PublishError(AssetpipeError):
    """The release could not be published; the one before is untouched."""


class TagError(AssetpipeError, ValueError):
    """A template asks for a tag that cannot be written."""


class SourceError(AssetpipeError):
    """A source could not be read, or is no longer what was read before.

    Carries the problem to report, so that one bad file ends its own work and not the others'.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem
