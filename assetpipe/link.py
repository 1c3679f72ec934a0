"""Name every asset and fill the holes of those that refer to others.

1. Resolve: every hole's path against its own file's logical path, as a browser would.
2. Fold the graph of references by strongly connected components (Tarjan 1972, without recursion), leaves first.
3. A file outside of cycles: fill its holes, and its final bytes give its tag.
4. A cycle: each member's bytes, with the holes out of the cycle filled and those within it left open, give an
   isolated digest; all of these together with its own give a member its tag. Then fill.

A file that keeps its name (``plain``, ``kept``) lends nobody's tag anything, so no edge leads to it: that is what lets
a service worker be registered by a name that never changes.

A reference is resolved as what wrote it would: a bare module specifier through the import map (HTML section 8.1.5.2),
the others as URLs. It is spelt anew in its own manner, so that a build works under any mount point and host; a bare
specifier becomes relative, and so does what starts from the root in a sheet, which is loaded from nowhere but its own
URL; what would be resolved elsewhere (a URL in a custom property, or in a private file) starts from the root.

No URL leads to a private file: only others of its kind refer to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from assetpipe.errors import Problem, Severity
from assetpipe.media import media_type
from assetpipe.missing import Names, Policy
from assetpipe.paths import Digest, LogicalPath, relative, resolve, rooted, spell
from assetpipe.references.draft import Draft, Ref, is_bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from assetpipe.sources import Naming

# What a reference that is spelt anew starts from: from where it did, from its own file, or from the site's root.
Way = Literal["written", "relative", "rooted"]


class Node(Struct, frozen=True):
    """One source on its way to be named.

    A text with references has a ``draft``; anything else the digest of its bytes. ``covers`` are the digests of what
    its URL can answer beside that (negotiated renditions).
    """

    path: LogicalPath
    shown: str
    digest: Digest | None = None
    draft: Draft | None = None
    covers: tuple[Digest, ...] = ()
    naming: Naming = "fingerprint"

    @property
    def private(self) -> bool:
        """Whether no URL leads to it."""
        return self.naming == "private"


class Site(Struct, frozen=True):
    """What references are resolved by, beside the sources.

    ``prefixes`` are the URL prefixes of the public roots, ``imports`` the import map, ``aliases`` the logical paths
    under which an asset is known beside its own (``app.ts`` became ``app.js``), ``policy`` what a reference to nothing
    is.
    """

    prefixes: Sequence[str] = ()
    imports: Mapping[str, str] = {}
    aliases: Mapping[LogicalPath, LogicalPath] = {}
    policy: Policy = Policy({})


class Hole(Struct, frozen=True):
    """A reference resolved: the logical path that it names (None where it can name no file), and the source there.

    ``page`` says that it is followed to a page, for people, who keep its address: that does not change.
    """

    ref: Ref
    sought: LogicalPath | None
    target: LogicalPath | None
    page: bool = False


class Linked(Struct, frozen=True):
    """A named source: its URL, where its bytes lie, its final bytes if it is a draft, and what it refers to.

    ``file`` is the URL, but for a plain or private file, whose bytes change under one name, it is the tagged name.
    ``digest`` is that of the final bytes; in a ``cycle`` (its members in order) the tag comes from the ``isolated``
    digests.
    """

    url: LogicalPath
    file: LogicalPath
    data: bytes | None
    digest: Digest
    holes: tuple[Hole, ...] = ()
    cycle: tuple[LogicalPath, ...] = ()
    isolated: Digest | None = None

    @property
    def refs(self) -> tuple[LogicalPath, ...]:
        """The logical paths of the sources that it refers to, in order, each once."""
        return tuple(sorted({hole.target for hole in self.holes if hole.target is not None and not hole.page}))

    @property
    def imports(self) -> tuple[LogicalPath, ...]:
        """The logical paths of the sources that it needs before it can run, in the order of its text."""
        needed = (hole.target for hole in self.holes if hole.ref.eager)
        return tuple(dict.fromkeys(target for target in needed if target is not None))


def link(nodes: Mapping[LogicalPath, Node], site: Site) -> tuple[dict[LogicalPath, Linked], list[Problem]]:
    """Name and fill all ``nodes``; the result does not depend on their order."""
    return _Linker(nodes, site).run()


class _Linker:
    """The state of one link: what each hole names, and the URLs that are settled so far."""

    def __init__(self, nodes: Mapping[LogicalPath, Node], site: Site) -> None:
        self.nodes = nodes
        self.site = site
        self.prefixes_of_imports = sorted((key for key in site.imports if key.endswith("/")), key=len, reverse=True)
        self.urls = {path: path for path, node in nodes.items() if node.naming != "fingerprint"}
        self.holes = {
            path: tuple(self._hole(node, ref) for ref in node.draft.refs)
            for path, node in nodes.items()
            if node.draft is not None
        }
        self.isolated: dict[LogicalPath, Digest] = {}
        self.linked: dict[LogicalPath, Linked] = {}
        self.problems: list[Problem] = []

    def run(self) -> tuple[dict[LogicalPath, Linked], list[Problem]]:
        edges = {
            path: sorted(
                {
                    hole.target
                    for hole in holes
                    if hole.target is not None and not hole.page and hole.target not in self.urls
                }
            )
            for path, holes in self.holes.items()
        }
        for component in components({path: edges.get(path, []) for path in sorted(self.nodes)}):
            self._name(component, edges)
        self.problems.extend(self._missing())
        self.problems.extend(self._unresolved())
        self.problems.extend(self._refused())
        return self.linked, self.problems

    def _hole(self, node: Node, ref: Ref) -> Hole:
        sought = self._sought(node, ref)
        if sought is None:
            return Hole(ref, None, None)
        target = self.site.aliases.get(sought, sought)
        named = self.nodes.get(target)
        # A private file is reached from beside it alone, and by no name that stands for a URL.
        if named is None or (named.private and (not node.private or _is_bare(ref))):
            return Hole(ref, sought, None)
        return Hole(ref, sought, target, ref.manner == "page" and media_type(target.name).startswith("text/html"))

    def _sought(self, node: Node, ref: Ref) -> LogicalPath | None:
        path = ref.path
        if _is_bare(ref):
            path = self._imported(path)
            if not path:
                return None
        return resolve(node.path, path if path.startswith("/") else ref.base + path)

    def _imported(self, specifier: str) -> str:
        """What the import map says of a bare specifier: the longest prefix counts; empty where it says nothing."""
        if (path := self.site.imports.get(specifier)) is not None:
            return path
        for prefix in self.prefixes_of_imports:
            if specifier.startswith(prefix):
                return self.site.imports[prefix] + specifier[len(prefix) :]
        return ""

    def _name(self, component: Sequence[LogicalPath], edges: Mapping[LogicalPath, Sequence[LogicalPath]]) -> None:
        cycle: tuple[LogicalPath, ...] = ()
        if len(component) > 1 or component[0] in edges.get(component[0], ()):
            cycle = tuple(sorted(component))
            places = {path: place for place, path in enumerate(cycle)}
            self.isolated.update((path, self._isolated(path, places)) for path in cycle)
            together = Digest.of(*(self.isolated[path].raw for path in cycle))
            for path in cycle:
                self._settle(self.nodes[path], Digest.of(self.isolated[path].raw, together.raw))
        # What states the digests of others comes after them.
        for path in sorted(component, key=lambda path: (self._states_digests(path), path)):
            node = self.nodes[path]
            if node.draft is None:
                assert node.digest is not None
                data, digest = None, node.digest
            else:
                data = b"".join(self._spelt(path, piece, hole) for piece, hole in self._pieces(path))
                digest = Digest.of(data)
            if path not in self.urls:
                self._settle(node, digest)
            url = self.urls[path]
            file = path.tagged(digest.tag) if node.naming in ("plain", "private") else url
            holes = self.holes.get(path, ())
            self.linked[path] = Linked(url, file, data, digest, holes, cycle, self.isolated.get(path))

    def _states_digests(self, path: LogicalPath) -> bool:
        return any(hole.ref.manner == "digest" for hole in self.holes.get(path, ()))

    def _settle(self, node: Node, digest: Digest) -> None:
        if node.covers:
            digest = Digest.of(digest.raw, *(cover.raw for cover in node.covers))
        self.urls[node.path] = node.path.tagged(digest.tag)

    def _isolated(self, path: LogicalPath, places: Mapping[LogicalPath, int]) -> Digest:
        """Digest a member's bytes, with each hole within the cycle told by its place there and its spelling."""
        chunks: list[bytes] = []
        for piece, hole in self._pieces(path):
            if hole is not None and hole.target in places and not hole.page:
                assert hole.target is not None
                spelt = f"{places[hole.target]} {self._spelling(path, hole, self._way(path, hole), hole.target)} "
                chunks.append(b"\0".join((b"", spelt.encode(errors="surrogateescape"), hole.ref.suffix, b"")))
            else:
                chunks.append(self._spelt(path, piece, hole))
        return Digest.of(*chunks)

    def _pieces(self, path: LogicalPath) -> Iterator[tuple[bytes | Ref, Hole | None]]:
        draft = self.nodes[path].draft
        assert draft is not None
        holes = iter(self.holes[path])
        for piece in draft.pieces:
            yield piece, next(holes) if isinstance(piece, Ref) else None

    def _spelt(self, path: LogicalPath, piece: bytes | Ref, hole: Hole | None) -> bytes:
        if not isinstance(piece, Ref):
            return piece
        assert hole is not None
        if hole.target is None:
            return piece.written
        if piece.manner == "digest":
            # That of a file that keeps its name may not be known yet.
            target = self.linked.get(hole.target)
            return piece.written if target is None else target.digest.integrity.encode()
        url = hole.target if hole.page else self.urls[hole.target]
        way = self._way(path, hole)
        if url == hole.sought and way == "written":
            # Nothing to rename: the reference stays as it was written.
            return piece.written
        return self._spelling(path, hole, way, url).encode() + piece.suffix

    def _way(self, path: LogicalPath, hole: Hole) -> Way:
        """Where a reference in ``path`` starts from when it is spelt anew: where it was written to, or elsewhere."""
        node, ref = self.nodes[path], hole.ref
        if node.private:
            assert hole.target is not None
            return "written" if self.nodes[hole.target].private else "rooted"
        if ref.manner == "rooted" or (_is_bare(ref) and ref.base):
            return "rooted"
        if _is_bare(ref) or (ref.manner == "url" and ref.path.startswith("/") and _is_tagged_sheet(node)):
            return "relative"
        return "written"

    def _spelling(self, path: LogicalPath, hole: Hole, way: Way, url: LogicalPath) -> str:
        """Spell ``url`` in a hole of ``path``."""
        if way == "rooted":
            return rooted(url)
        return relative(path, url) if way == "relative" else spell(hole.ref.path, url)

    def _missing(self) -> Iterator[Problem]:
        """References to nothing, and to what is private."""
        names = Names(self.nodes)
        for path in sorted(self.holes):
            for hole in self.holes[path]:
                ref, sought = hole.ref, hole.sought
                if hole.target is not None:
                    continue
                hidden = self._is_private(sought) and ref.manner not in ("page", "digest")
                if not hidden and not self._is_ours(ref, sought):
                    continue
                severity = self.site.policy.severity(ref.kind, path, sought or "/")
                if severity and hidden:
                    text = f"no URL leads to {sought}, which is private: {ref.written.decode(errors='replace')}"
                    hint = "Put it into a public root, or refer to the application's view that hands it out."
                    yield self._problem("private-reference", severity, path, ref, text, hint)
                elif severity:
                    looked = f"looked for {sought}" if sought else "which can be no file"
                    text = f"a reference to nothing: {ref.written.decode(errors='replace')} ({looked})"
                    yield self._problem(f"missing-{ref.kind}", severity, path, ref, text, _hint(ref, sought, names))

    def _unresolved(self) -> Iterator[Problem]:
        """Bare specifiers that nothing resolves, in the modules that browsers get to by way of the imports."""
        reached = [p for p, holes in self.holes.items() if any(h.target and _is_bare(h.ref) for h in holes)]
        seen = set(reached)
        while reached:
            following = set(self.linked[reached.pop()].refs) - seen
            seen |= following
            reached.extend(following)
        hint = "Name it under [tool.assetpipe.imports], unless an import map in the page does."
        for path in sorted(seen & self.holes.keys()):
            for hole in self.holes[path]:
                ref = hole.ref
                if hole.sought is not None or not _is_bare(ref):
                    continue
                if severity := self.site.policy.severity(ref.kind, path, "/"):
                    text = f"a bare specifier that nothing resolves: {ref.path}"
                    yield self._problem("missing-import", severity, path, ref, text, hint)

    def _refused(self) -> Iterator[Problem]:
        """Digests in documents that could not be written, of files that have other bytes now."""
        hint = "Take the attribute out: the file keeps its name, and so its bytes may change."
        for path in sorted(self.holes):
            for hole in self.holes[path]:
                if hole.ref.manner != "digest" or hole.target is None:
                    continue
                target, written = self.linked[hole.target], self.linked[path].data or b""
                if target.data and target.digest.integrity.encode() not in written:
                    text = f"browsers may refuse {hole.target}: its integrity could not be written here"
                    yield self._problem("integrity", Severity.WARNING, path, hole.ref, text, hint)

    def _problem(self, kind: str, severity: Severity, path: LogicalPath, ref: Ref, text: str, hint: str) -> Problem:
        shown = self.nodes[path].shown
        return Problem(kind=kind, severity=severity, text=text, file=shown, line=ref.line, column=ref.column, hint=hint)

    def _is_private(self, sought: LogicalPath | None) -> bool:
        node = None if sought is None else self.nodes.get(self.site.aliases.get(sought, sought))
        return node is not None and node.private

    def _is_ours(self, ref: Ref, sought: LogicalPath | None) -> bool:
        """Whether a reference can only mean one of our files, and not a page or path of the application's."""
        if ref.manner in ("page", "digest"):
            return False
        if _is_bare(ref):
            return sought is not None
        if ref.kind == "js" and ref.path.rpartition("/")[2] in ("", ".", ".."):
            # The folder that a script takes names to from there.
            return False
        if ref.path.startswith("/"):
            return any(p != "/" and (sought or ref.path).startswith(p) for p in self.site.prefixes)
        return True


def _hint(ref: Ref, sought: LogicalPath | None, names: Names) -> str:
    if b"{{" in ref.written or b"{%" in ref.written:
        return "Files here are no templates: nothing fills this in. Write the path, or serve the page from a template."
    if sought is None:
        return "Write the path of a file in UTF-8, without an empty segment or a last slash."
    return names.hint(sought)


def _is_tagged_sheet(node: Node) -> bool:
    return node.naming == "fingerprint" and media_type(node.path.name).startswith("text/css")


def _is_bare(ref: Ref) -> bool:
    return is_bare(ref.path, ref.manner)


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
