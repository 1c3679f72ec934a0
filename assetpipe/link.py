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

Linked again, only what has changed is resolved anew, with what refers to it; of what may get another name by that, only
what refers to a file that did is filled again. The result is that of linking everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from assetpipe.errors import Problem, Severity
from assetpipe.media import media_type
from assetpipe.missing import Names, Policy
from assetpipe.paths import Digest, LogicalPath, relative, resolve, rooted, spell
from assetpipe.references.draft import is_bare

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from assetpipe.references.draft import Outline, Ref
    from assetpipe.sources import Naming

# What a reference that is spelt anew starts from: from where it did, from its own file, or from the site's root.
Way = Literal["written", "relative", "rooted"]


class Node(Struct, frozen=True):
    """One source on its way to be named.

    ``digest`` and ``size`` are of its bytes; a text with references has an ``outline``, of the text with those as they
    were written. ``covers`` are the digests of what its URL can answer beside that (negotiated renditions).
    """

    path: LogicalPath
    shown: str
    digest: Digest
    size: int
    outline: Outline | None = None
    covers: tuple[Digest, ...] = ()
    naming: Naming = "fingerprint"

    @property
    def private(self) -> bool:
        """Whether no URL leads to it."""
        return self.naming == "private"


class Texts(Protocol):
    """Where the texts are, whose holes are to be filled."""

    def fill(self, node: Node, holes: Sequence[bytes]) -> tuple[Digest, int]:
        """Keep the text with its holes filled; its digest and size."""

    def digest(self, node: Node, holes: Sequence[bytes]) -> Digest:
        """The digest of the text with its holes filled."""


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
    """A named source: its URL, where its bytes lie, their digest and size, and what it refers to.

    ``file`` is the URL, but for a plain or private file, whose bytes change under one name, it is the tagged name.
    In a ``cycle`` (its members in order) the tag comes from the ``isolated`` digests.
    """

    url: LogicalPath
    file: LogicalPath
    digest: Digest
    size: int
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


class Linker:
    """Names and fills; keeps what it did, for when some of it has changed.

    After an exception it is of no more use.
    """

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.site = Site()
        self.nodes: dict[LogicalPath, Node] = {}
        self.linked: dict[LogicalPath, Linked] = {}
        self.problems: list[Problem] = []
        self._holes: dict[LogicalPath, tuple[Hole, ...]] = {}
        # Who refers to a path as it is resolved, aliases not yet looked up; also where there is no such file.
        self._seekers: dict[LogicalPath, set[LogicalPath]] = {}
        self._urls: dict[LogicalPath, LogicalPath] = {}
        self._aliases: dict[LogicalPath, LogicalPath] = {}
        self._prefixes_of_imports: list[str] = []
        self._missing: dict[LogicalPath, tuple[Problem, ...]] = {}
        # What documents state of others' digests.
        self._stated: dict[LogicalPath, list[tuple[Hole, bytes]]] = {}

    def link(
        self, nodes: Mapping[LogicalPath, Node], site: Site, changed: Iterable[LogicalPath] | None = None
    ) -> set[LogicalPath]:
        """Name and fill ``nodes``; which of them are other than before. The result does not depend on their order.

        ``changed`` are the paths of those that were added, removed or replaced since the last time (None: any may be).
        """
        paths, linked = self.nodes.keys(), self.linked
        everything = changed is None or not self._is_like(site)
        if changed is None or everything or self._states_digests_of_kept(self._stated.keys()):
            everything, changed, self.linked = True, {*paths, *nodes}, {}
        self.nodes, self.site = dict(nodes), site
        changed = set(changed)
        moved = changed | self._realiased(site)
        self._prefixes_of_imports = sorted((key for key in site.imports if key.endswith("/")), key=len, reverse=True)
        anew = {path for path in changed if path in self.nodes}
        for path in moved:
            anew |= self._seekers.get(path, set()) & self.nodes.keys()
        self._forget(changed | anew)
        for path in anew:
            self._resolve(self.nodes[path])
        if not everything and self._states_digests_of_kept(anew & self._holes.keys()):
            return self.link(nodes, site)
        done = self._name_all(anew, self._leading_to(anew), linked)
        self._told(anew, everywhere=paths != self.nodes.keys() or moved != changed)
        return done

    def _is_like(self, site: Site) -> bool:
        own = self.site
        return (own.prefixes, own.imports) == (site.prefixes, site.imports) and own.policy is site.policy

    def _realiased(self, site: Site) -> set[LogicalPath]:
        """The paths that are not another's alias as they were before."""
        before, self._aliases = self._aliases, dict(site.aliases)
        return {path for path in {*before, *self._aliases} if before.get(path) != self._aliases.get(path)}

    def _states_digests_of_kept(self, paths: Iterable[LogicalPath]) -> bool:
        """Whether any text states the digest of a file that keeps its name: then the order matters to what is told."""
        return any(
            hole.ref.manner == "digest" and hole.target is not None and self._keeps_name(hole.target)
            for path in paths
            for hole in self._holes[path]
        )

    def _forget(self, paths: Iterable[LogicalPath]) -> None:
        for path in paths:
            for hole in self._holes.pop(path, ()):
                if hole.sought is not None:
                    self._seekers[hole.sought].discard(path)
            self._missing.pop(path, None)
            self._stated.pop(path, None)
            if path not in self.nodes:
                self.linked.pop(path, None)
                self._urls.pop(path, None)

    def _resolve(self, node: Node) -> None:
        if node.naming != "fingerprint":
            self._urls[node.path] = node.path
        if node.outline is not None:
            holes = self._holes[node.path] = tuple(self._hole(node, ref) for ref in node.outline.refs)
            for hole in holes:
                if hole.sought is not None:
                    self._seekers.setdefault(hole.sought, set()).add(node.path)

    def _leading_to(self, paths: Iterable[LogicalPath]) -> set[LogicalPath]:
        """``paths``, and all that may have to be named or filled again when their names or bytes change."""
        aliases: dict[LogicalPath, list[LogicalPath]] = {}
        for alias, path in self._aliases.items():
            aliases.setdefault(path, []).append(alias)
        found = set(paths)
        pending = list(found)
        while pending:
            path = pending.pop()
            for name in (path, *aliases.get(path, ())):
                for holder in self._seekers.get(name, ()):
                    if holder not in found and any(
                        hole.target == path and self._depends(hole) for hole in self._holes[holder]
                    ):
                        found.add(holder)
                        pending.append(holder)
        return found

    def _depends(self, hole: Hole) -> bool:
        """Whether what is written in a hole depends on its target's name or bytes."""
        return (
            hole.target is not None
            and not hole.page
            and (hole.ref.manner == "digest" or not self._keeps_name(hole.target))
        )

    def _keeps_name(self, path: LogicalPath) -> bool:
        return self.nodes[path].naming != "fingerprint"

    def _name_all(
        self, anew: set[LogicalPath], within: set[LogicalPath], linked: dict[LogicalPath, Linked]
    ) -> set[LogicalPath]:
        """Name those ``anew``, and of those ``within`` the ones that refer to what has become other than ``linked``."""
        edges = {
            path: sorted(
                {
                    hole.target
                    for hole in self._holes.get(path, ())
                    if hole.target in within and not hole.page and not self._keeps_name(hole.target)
                }
            )
            for path in sorted(within)
        }
        done: set[LogicalPath] = set()
        for component in components(edges):
            if not any(
                path in anew or any(hole.target in done and not hole.page for hole in self._holes.get(path, ()))
                for path in component
            ):
                continue
            before = [linked.get(path) for path in component]
            for path in component:
                self.linked.pop(path, None)
            self._name(component, edges)
            # What has the same name and bytes as before is no reason to do anything else again.
            done.update(path for path, old in zip(component, before, strict=True) if self.linked[path] != old)
        return done

    def _told(self, anew: set[LogicalPath], *, everywhere: bool) -> None:
        """Bring the problems up to date. ``everywhere``: there are other names now, for what was meant to be found."""
        names = Names(self.nodes)
        for path in anew | (self._missing.keys() if everywhere else set()):
            if told := tuple(self._missing_of(path, names)):
                self._missing[path] = told
            else:
                self._missing.pop(path, None)
        self.problems = [problem for told in self._missing.values() for problem in told]
        self.problems.extend(self._unresolved())
        self.problems.extend(self._refused())

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
        for prefix in self._prefixes_of_imports:
            if specifier.startswith(prefix):
                return self.site.imports[prefix] + specifier[len(prefix) :]
        return ""

    def _name(self, component: Sequence[LogicalPath], edges: Mapping[LogicalPath, Sequence[LogicalPath]]) -> None:
        cycle: tuple[LogicalPath, ...] = ()
        isolated: dict[LogicalPath, Digest] = {}
        named: set[LogicalPath] = set()
        if len(component) > 1 or component[0] in edges[component[0]]:
            cycle = tuple(sorted(component))
            places = {path: place for place, path in enumerate(cycle)}
            isolated = {path: self._isolated(path, places) for path in cycle}
            together = Digest.of(*(isolated[path].raw for path in cycle))
            for path in cycle:
                self._settle(self.nodes[path], Digest.of(isolated[path].raw, together.raw))
            named.update(cycle)
        # What states the digests of others comes after them.
        for path in sorted(component, key=lambda path: (self._states_digests(path), path)):
            node = self.nodes[path]
            holes = self._holes.get(path, ())
            digest, size = node.digest, node.size
            spelt = [self._spelt(path, hole) for hole in holes]
            if any(hole.ref.written != written for hole, written in zip(holes, spelt, strict=True)):
                digest, size = self.texts.fill(node, spelt)
            if node.naming == "fingerprint" and path not in named:
                self._settle(node, digest)
            url = self._urls[path]
            file = path.tagged(digest.tag) if node.naming in ("plain", "private") else url
            self.linked[path] = Linked(url, file, digest, size, holes, cycle, isolated.get(path))
            stated = [(h, w) for h, w in zip(holes, spelt, strict=True) if h.ref.manner == "digest" and h.target]
            if stated:
                self._stated[path] = stated

    def _states_digests(self, path: LogicalPath) -> bool:
        return any(hole.ref.manner == "digest" for hole in self._holes.get(path, ()))

    def _settle(self, node: Node, digest: Digest) -> None:
        if node.covers:
            digest = Digest.of(digest.raw, *(cover.raw for cover in node.covers))
        self._urls[node.path] = node.path.tagged(digest.tag)

    def _isolated(self, path: LogicalPath, places: Mapping[LogicalPath, int]) -> Digest:
        """Digest a member's bytes, with each hole within the cycle told by its place there and its spelling."""
        told: list[bytes] = []
        for hole in self._holes[path]:
            if hole.target in places and not hole.page:
                assert hole.target is not None
                spelt = f"{places[hole.target]} {self._spelling(path, hole, self._way(path, hole), hole.target)} "
                told.append(b"\0".join((b"", spelt.encode(errors="surrogateescape"), hole.ref.suffix, b"")))
            else:
                told.append(self._spelt(path, hole))
        return self.texts.digest(self.nodes[path], told)

    def _spelt(self, path: LogicalPath, hole: Hole) -> bytes:
        ref = hole.ref
        if hole.target is None:
            return ref.written
        if ref.manner == "digest":
            # That of a file that keeps its name may not be known yet.
            target = self.linked.get(hole.target)
            return ref.written if target is None else target.digest.integrity.encode()
        url = hole.target if hole.page else self._urls[hole.target]
        way = self._way(path, hole)
        if url == hole.sought and way == "written":
            # Nothing to rename: the reference stays as it was written.
            return ref.written
        return self._spelling(path, hole, way, url).encode() + ref.suffix

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

    def _missing_of(self, path: LogicalPath, names: Names) -> Iterator[Problem]:
        """References of one text to nothing, and to what is private."""
        for hole in self._holes.get(path, ()):
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
        if not self.site.imports:
            return
        reached = [p for p, holes in self._holes.items() if any(h.target and _is_bare(h.ref) for h in holes)]
        seen = set(reached)
        while reached:
            following = set(self.linked[reached.pop()].refs) - seen
            seen |= following
            reached.extend(following)
        hint = "Name it under [tool.assetpipe.imports], unless an import map in the page does."
        for path in sorted(seen & self._holes.keys()):
            for hole in self._holes[path]:
                ref = hole.ref
                if hole.sought is not None or not _is_bare(ref):
                    continue
                if severity := self.site.policy.severity(ref.kind, path, "/"):
                    text = f"a bare specifier that nothing resolves: {ref.path}"
                    yield self._problem("missing-import", severity, path, ref, text, hint)

    def _refused(self) -> Iterator[Problem]:
        """Digests in documents that could not be written, of files that have other bytes now."""
        hint = "Take the attribute out: the file keeps its name, and so its bytes may change."
        for path in sorted(self._stated):
            for hole, written in self._stated[path]:
                assert hole.target is not None
                target = self.linked[hole.target]
                if not target.size or self.nodes[hole.target].outline is None:
                    continue
                if target.digest.integrity.encode() not in written:
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
