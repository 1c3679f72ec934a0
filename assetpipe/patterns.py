"""gitignore's patterns, as the configuration uses them to name files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetpipe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from pathspec import GitIgnoreSpec

    Patterns: TypeAlias = GitIgnoreSpec


def listed(match: str | tuple[str, ...]) -> tuple[str, ...]:
    """The patterns of a key that takes one or several."""
    return (match,) if isinstance(match, str) else match


def compiled(key: str, lines: Iterable[str]) -> Patterns | None:
    """The patterns that the configuration's ``key`` lists; None where there are none.

    Raises ConfigError where one of them is none of gitignore's.
    """
    lines = list(lines)
    if not lines:
        return None
    # Imported where it is needed: most projects have no patterns.
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise ConfigError(f"{key}: one of these patterns is none of gitignore's: {', '.join(lines)}") from error
