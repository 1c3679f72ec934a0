"""Debug mode: the sources as they are. The one place where the path of a request reaches the file system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetpipe import patterns
from assetpipe.errors import ConfigError
from assetpipe.paths import LogicalPath

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from assetpipe.config import Config, Root


class Sources:
    """Finds the source of a logical path in the roots of a configuration, in the order in which they win."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def find(self, path: str, *, private: bool) -> Path | None:
        """The file; None where there is none, or where it lies outside of its root."""
        try:
            logical = LogicalPath(path)
        except ValueError:
            return None
        if any(segment.startswith(".") and segment != ".well-known" for segment in logical.split("/")):
            return None
        roots = self._roots()
        # As the build refuses to publish what a private root holds.
        hidden = [] if private else [root for root in roots if root.private]
        if any(logical.startswith(root.prefix) for root in hidden):
            return None
        for root in roots:
            if root.private != private or not logical.startswith(root.prefix):
                continue
            folder = root.folder.resolve()
            file = (folder / logical[len(root.prefix) :]).resolve()
            if any(file.is_relative_to(one.folder.resolve()) for one in hidden):
                return None
            # As the build does not follow links that lead out.
            if file.is_relative_to(folder) and file.is_file() and not self._is_ignored(logical[len(root.prefix) :]):
                return file
        return None

    def _is_ignored(self, relative: str) -> bool:
        ignore = patterns.compiled("ignore", self.config.ignore)
        return ignore is not None and ignore.match_file(relative)

    def _roots(self) -> Sequence[Root]:
        try:
            return self.config.folders()
        except ConfigError:  # a package that is not installed is for the build to say
            return ()
