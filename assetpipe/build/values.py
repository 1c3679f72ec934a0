"""What a build comes to, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.errors import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assetpipe.errors import Problem
    from assetpipe.link import Linked, Node
    from assetpipe.manifest import Manifest
    from assetpipe.paths import LogicalPath
    from assetpipe.sources import Source, Walk
    from assetpipe.store import Blob


class Work(Struct, frozen=True):
    """Work that the cache could not spare: which tool, on which asset, and for how many seconds."""

    tool: str
    path: LogicalPath
    seconds: float = 0.0


class Trace(Struct, frozen=True):
    """How every source of a build is linked and named, with the problems met so far. Nothing is encoded yet.

    ``tools`` are the names of the commands' tools, by the assets that they make.
    """

    sources: Mapping[LogicalPath, Source]
    nodes: Mapping[LogicalPath, Node]
    linked: Mapping[LogicalPath, Linked]
    aliases: Mapping[LogicalPath, LogicalPath]
    tools: Mapping[LogicalPath, str]
    problems: tuple[Problem, ...]


class Build(Struct, frozen=True):
    """What a release would be.

    ``files`` are the blobs of the manifest's files, by their paths below ``dist`` ("/public/…"); ``work`` is what had
    to be done rather than recalled, and ``reasons`` say why of the assets that it was done for. ``walk`` is what the
    sources were. Where ``problems`` hold an error, the manifest is not to be published.
    """

    manifest: Manifest
    files: Mapping[str, Blob]
    problems: tuple[Problem, ...]
    work: tuple[Work, ...]
    reasons: Mapping[LogicalPath, str]
    walk: Walk

    @property
    def failed(self) -> bool:
        """Whether any problem is an error."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)
