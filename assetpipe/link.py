"""Name every asset and fill the holes of those that refer to others.

1. Resolve: every hole's path against its own file's logical path, as a browser would.
2. Fold the graph of references by strongly connected components (Tarjan 1972, without recursion), leaves first.
3. A file outside of cycles: fill its holes, and its final bytes give its tag.
4. A cycle: each member's bytes, with the holes out of the cycle filled and those within it left open, give an
   isolated digest; all of these together with its own give a member its tag. Then fill.

A file that keeps its name (``plain``, ``kept``) lends nobody's tag anything, so no edge leads to it: that is what lets
a service worker be registered by a name that never changes.
"""

from __future__ import annotations

import difflib
import os.path
from typing import TYPE_CHECKING

from msgspec import Struct

from assetpipe.errors import Problem, Severity
from assetpipe.paths import Digest, LogicalPath, resolve, spell
from assetpipe.references.draft import Draft, Ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


# What bundlers let a specifier leave out, and browsers do not.
_LEFT_OUT = (".js", ".mjs", "/index.js", ".css")


class Node(Struct, frozen=True):
    """One source on its way to be named.

    A text with references has a ``draft``; anything else the digest of its bytes. ``covers`` are the digests of what
    its URL can answer beside that (negotiated renditions). ``named`` is the URL of a file that keeps its name;
    ``movable`` says that its bytes may still change under it.
    """

    path: LogicalPath
    shown: str
    digest: Digest | None = None
    draft: Draft | None = None
    covers: tuple[Digest, ...] = ()
    named: LogicalPath | None = None
    movable: bool = False


class Linked(Struct, frozen=True):
    """A named source: its URL, where its bytes lie, its final bytes if it is a draft, and what it refers to.

    ``file`` is the URL, but for a plain file, whose bytes change under one name, it is the tagged name.
    """

    url: LogicalPath
    file: LogicalPath
    data: bytes | None
    refs: tuple[LogicalPath, ...]


def link(nodes: Mapping[LogicalPath, Node], prefixes: Sequence[str]) -> tuple[dict[LogicalPath, Linked], list[Problem]]:
    """Name and fill all ``nodes``; the result does not depend on their order."""
    return _Linker(nodes, prefixes).run()


class _Linker:
    """The state of one link: targets by hole, and the URLs that are settled so far."""

    def __init__(self, nodes: Mapping[LogicalPath, Node], prefixes: Sequence[str]) -> None:
        self.nodes = nodes
        self.prefixes = prefixes
        self.urls = {path: node.named for path, node in nodes.items() if node.named is not None}
        self.targets = {path: self._targets(node) for path, node in nodes.items() if node.draft is not None}
        self.linked: dict[LogicalPath, Linked] = {}
        self.problems: list[Problem] = []

    def run(self) -> tuple[dict[LogicalPath, Linked], list[Problem]]:
        edges = {
            path: sorted({t for t in targets if t is not None and self.nodes[t].named is None})
            for path, targets in self.targets.items()
        }
        for component in components({path: edges.get(path, []) for path in sorted(self.nodes)}):
            self._name(component, edges)
        self.problems.extend(self._missing())
        return self.linked, self.problems

    def _targets(self, node: Node) -> list[LogicalPath | None]:
        """What each hole names, in order; None where that is no source."""
        assert node.draft is not None
        resolved = (resolve(node.path, ref.path) for ref in node.draft.refs)
        return [target if target in self.nodes else None for target in resolved]

    def _name(self, component: Sequence[LogicalPath], edges: Mapping[LogicalPath, Sequence[LogicalPath]]) -> None:
        if len(component) > 1 or component[0] in edges.get(component[0], ()):
            members = sorted(component)
            places = {path: place for place, path in enumerate(members)}
            isolated = {path: self._isolated(path, places) for path in members}
            together = Digest.of(*(isolated[path].raw for path in members))
            for path in members:
                self._settle(self.nodes[path], Digest.of(isolated[path].raw, together.raw))
        for path in sorted(component):
            node = self.nodes[path]
            if node.draft is None:
                assert node.digest is not None
                data, digest = None, node.digest
            else:
                data = self._fill(path)
                digest = Digest.of(data)
            if path not in self.urls:
                self._settle(node, digest)
            url = self.urls[path]
            file = path.tagged(digest.tag) if node.movable else url
            refs = tuple(sorted({t for t in self.targets.get(path, ()) if t is not None}))
            self.linked[path] = Linked(url, file, data, refs)

    def _settle(self, node: Node, digest: Digest) -> None:
        if node.covers:
            digest = Digest.of(digest.raw, *(cover.raw for cover in node.covers))
        self.urls[node.path] = node.path.tagged(digest.tag)

    def _isolated(self, path: LogicalPath, places: Mapping[LogicalPath, int]) -> Digest:
        """Digest a member's bytes, with each hole within the cycle told by its place in the cycle."""
        chunks: list[bytes] = []
        for piece, target in self._pieces(path):
            if isinstance(piece, Ref) and target is not None and target in places:
                spelt = (f"{places[target]} {piece.path} ".encode(errors="surrogateescape"), piece.suffix)
                chunks.append(b"\0".join((b"", *spelt, b"")))
            else:
                chunks.append(self._spelt(piece, target))
        return Digest.of(*chunks)

    def _fill(self, path: LogicalPath) -> bytes:
        return b"".join(self._spelt(piece, target) for piece, target in self._pieces(path))

    def _pieces(self, path: LogicalPath) -> Iterator[tuple[bytes | Ref, LogicalPath | None]]:
        draft = self.nodes[path].draft
        assert draft is not None
        targets = iter(self.targets[path])
        for piece in draft.pieces:
            yield piece, next(targets) if isinstance(piece, Ref) else None

    def _spelt(self, piece: bytes | Ref, target: LogicalPath | None) -> bytes:
        if not isinstance(piece, Ref):
            return piece
        if target is None:
            return piece.written
        if self.urls[target] == target:
            # Nothing to rename: the reference stays as it was written.
            return piece.written
        return spell(piece.path, self.urls[target]).encode() + piece.suffix

    def _missing(self) -> Iterator[Problem]:
        by_name: dict[str, list[LogicalPath]] = {}
        by_fold: dict[str, LogicalPath] = {}
        for path in sorted(self.nodes):
            by_name.setdefault(path.name, []).append(path)
            by_fold.setdefault(path.casefold(), path)
        for path in sorted(self.targets):
            node = self.nodes[path]
            assert node.draft is not None
            for ref, target in zip(node.draft.refs, self.targets[path], strict=True):
                if target is None and (problem := self._explain(node, ref, by_name, by_fold)):
                    yield problem

    def _explain(
        self,
        node: Node,
        ref: Ref,
        by_name: Mapping[str, Sequence[LogicalPath]],
        by_fold: Mapping[str, LogicalPath],
    ) -> Problem | None:
        sought = resolve(node.path, ref.path)
        if sought is None and ref.path.startswith("/"):
            return None
        if sought is None:
            looked, hint = "which can be no file", "Write the path of a file, without an empty segment or a last slash."
        elif ref.path.startswith("/") and not any(p != "/" and sought.startswith(p) for p in self.prefixes):
            # A path of the application's own, as far as anyone can tell.
            return None
        else:
            looked = f"looked for {sought}"
            if (near := by_fold.get(sought.casefold())) is not None:
                hint = f"{near} differs only in case. Write it as the file is named."
            elif (
                near := next((n for s in _LEFT_OUT if (n := by_fold.get(f"{sought}{s}".casefold()))), None)
            ) is not None:
                hint = f"Browsers add no suffix. Write it out: {near}"
            elif (near := _nearest(sought, by_name)) is not None:
                hint = f"The nearest there is: {near}"
            else:
                hint = "Add the file, or take the reference out."
        return Problem(
            kind=f"missing-{ref.kind}",
            severity=Severity.WARNING,
            text=f"a reference to nothing: {ref.written.decode(errors='replace')} ({looked})",
            file=node.shown,
            line=ref.line,
            column=ref.column,
            hint=hint,
        )


def _nearest(sought: LogicalPath, by_name: Mapping[str, Sequence[LogicalPath]]) -> LogicalPath | None:
    """The file that was probably meant: of the same name elsewhere, or of a similar name with the same suffix."""
    if sought.name in by_name:
        return min(by_name[sought.name], key=lambda path: (abs(path.count("/") - sought.count("/")), path))
    suffix = os.path.splitext(sought.name)[1]
    names = [name for name in by_name if os.path.splitext(name)[1] == suffix and abs(len(name) - len(sought.name)) < 8]
    close = difflib.get_close_matches(sought.name, names[:2000], n=1, cutoff=0.75)
    return by_name[close[0]][0] if close else None


def components(edges: Mapping[LogicalPath, Sequence[LogicalPath]]) -> Iterator[list[LogicalPath]]:
    """The strongly connected components of a graph, each after all that it leads to."""
    index: dict[LogicalPath, int] = {}
    low: dict[LogicalPath, int] = {}
    stack: list[LogicalPath] = []
    on_stack: set[LogicalPath] = set()
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        while work:
            node, successors = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                stack.append(node)
                on_stack.add(node)
            for successor in successors:
                if successor not in index:
                    work.append((successor, iter(edges[successor])))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    yield component
