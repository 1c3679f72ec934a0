"""Runs the stages of a build, each on no more than what has changed.

1. Find the sources (``sources``), and what each is to become (``plan``).
2. Read those that changed (``reading``): commands, digests, drafts. Convert images meanwhile.
3. Link: name what changed and what refers to it, fill every hole. So far goes a Trace.
4. Encode what compresses and has other bytes now; what holds no reference, already while others are drafted.
5. Fold all of it into a manifest, the blobs of its files, and the problems met on the way (``folding``).

Every result is looked up in the cache before it is made, and what is made is remembered there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from msgspec.structs import replace

from assetpipe import jobs, media, sources
from assetpipe.build.folding import Folder
from assetpipe.build.pictures import Pictures
from assetpipe.build.reading import Reader
from assetpipe.build.values import Build, Trace, Work
from assetpipe.errors import Problem, Severity, SourceError
from assetpipe.link import Linker, Node, Site
from assetpipe.manifest import FORMAT, Manifest
from assetpipe.missing import Policy
from assetpipe.paths import NAME_MAX, Digest
from assetpipe.plan import Plan, plan
from assetpipe.progress import Observer, Silence
from assetpipe.store import DamageError, Job, Store
from assetpipe.transforms import encodings
from assetpipe.workers import Task, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from assetpipe.build.reading import Read
    from assetpipe.config import Config
    from assetpipe.paths import LogicalPath
    from assetpipe.sources import Source, Walk
    from assetpipe.store import Blob, Result
    from assetpipe.workers import Output

T = TypeVar("T")


def build(config: Config, observer: Observer | None = None, workers: Workers | None = None) -> Build:
    """Build all that ``config`` names, once.

    What is wrong with sources is returned as problems. Raises ConfigError for a codec, package or program that is not
    installed, and AssetpipeError where the cache cannot be written.
    """
    with Builder(config, observer, workers) as builder:
        return builder.run()


def trace(config: Config, observer: Observer | None = None) -> Trace:
    """Link and name all that ``config`` names, and no more. Raises as ``build`` does."""
    with Builder(config, observer) as builder:
        return builder.trace()


class Builder:
    """Builds, and builds again: then only what has changed. To be closed, as a context manager."""

    def __init__(self, config: Config, observer: Observer | None = None, workers: Workers | None = None) -> None:
        self.config = config
        self.observer = observer or Silence()
        self.workers = workers or Workers(config.jobs, config.executor)
        self._state = _State(self, careful=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            # What a build that is broken off has made is not to be made again.
            self._state.store.close(self.config.cache_mb * 1_000_000)
        finally:
            self.workers.close(wait=kind is None)

    def run(self, hints: Collection[str] | None = None) -> Build:
        """Build. With ``hints``, only the folders that these files lie in are looked at; what lies elsewhere is taken
        to be as it was. Raises as ``build`` does.
        """
        try:
            try:
                built = self._state.run(hints)
            except DamageError:
                # Once more, and nothing in the cache is taken on trust.
                self.forget(careful=True)
                built = self._state.run(None)
            if self._state.has_lost:
                self._begin_anew()
            return built
        except SourceError as error:
            self._begin_anew()
            return Build(Manifest(format=FORMAT, release="none", assets={}), {}, (error.problem,), (), {}, _NOTHING)
        except BaseException:
            self.forget()
            raise

    def release(
        self, publish: Callable[[Manifest, Mapping[str, Blob]], T], hints: Collection[str] | None = None
    ) -> tuple[Build, T | None]:
        """Build, and have it published, unless it failed. What the cache has lost meanwhile is made again."""
        try:
            built = self.run(hints)
            try:
                return built, None if built.failed else publish(built.manifest, built.files)
            except DamageError:
                self.forget(careful=True)
                built = self.run()
                return built, None if built.failed else publish(built.manifest, built.files)
        except SourceError:
            self._begin_anew()
            raise

    def trace(self) -> Trace:
        """Link and name. Raises as ``build`` does."""
        try:
            return self._state.trace()
        except DamageError:
            self.forget(careful=True)
            return self._state.trace()

    def forget(self, *, careful: bool = False) -> None:
        """Forget what was built: the next build looks at everything; ``careful``, also into what the cache holds."""
        self.workers.close(wait=False)
        self._state.store.flush()
        self._state = _State(self, careful=careful)

    def _begin_anew(self) -> None:
        """Forget what was built, after a source that could not be read or had other bytes than expected: ``stat`` may
        say of it, now and later, that nothing has changed.
        """
        self._state.store.doubt_digests()
        self.forget()


_NOTHING = sources.Walk({}, (), {})


class _State:
    """What a builder knows from one build to the next. After an exception it is of no more use."""

    def __init__(self, builder: Builder, *, careful: bool) -> None:
        config = self.config = builder.config
        self.observer = builder.observer
        self.workers = builder.workers
        self.store = Store(config.cache_folder, careful=careful)
        self.walk: Walk | None = None
        self.planned = Plan({}, {}, {}, [])
        self.reader = Reader(config, self.store, self.workers, self.observer, self._has_read)
        self.pictures = Pictures(config, self.store, self.workers.add)
        self.texts = _Texts(self.store, self.reader)
        self.linker = Linker(self.texts)
        self.policy = Policy(config.missing)
        self.prefixes = tuple(sorted({root.prefix for root in config.folders() if not root.private}))
        self.folder = Folder(config, self.store, self.prefixes)
        self.nodes: dict[LogicalPath, Node] = {}
        self.finals: dict[LogicalPath, Blob] = {}
        # By coding and the digest of what is encoded; None where that is not worth it.
        self.encodings: dict[tuple[str, str], Blob | None] = {}
        self.pending: set[tuple[str, str]] = set()
        # The codings' versions; none where nothing is to be encoded.
        self.codings: dict[str, str] = {}
        self.work: list[Work] = []
        self.problems: list[Problem] = []

    def run(self, hints: Collection[str] | None) -> Build:
        self.codings = {coding: encodings.version(coding) for coding in sorted(self.config.compress.encodings)}
        anew = self._link(hints)
        found, linked = self.planned.sources, self.linker.linked
        for path in sorted(anew & linked.keys(), key=lambda path: (-linked[path].size, path)):
            self._encode(path, self.finals[path])
        self._finish([*self.codings], "compressing")
        for path in anew:
            if path in linked:
                final = self.finals[path]
                self.folder.put(found[path], linked[path], final, self._encoded(path), self.pictures.rendered.get(path))
            else:
                self.folder.remove(path)
        told = self.folder.manifest(found, self.planned.aliases)
        self._remember(hints)
        assert self.walk is not None
        return Build(told, self.folder.files, self._judged(), tuple(self.work), self._reasons(), self.walk)

    @property
    def has_lost(self) -> bool:
        """Whether a source could not be read, so that the next build cannot go on from this one."""
        return any(problem.kind != "command" for problem in (*self.problems, *self.reader.problems))

    def trace(self) -> Trace:
        self._link(None)
        self._remember(None)
        tools = {path: run.kit.tool.name for path, run in self.planned.runs.items()}
        planned = self.planned
        return Trace(planned.sources, self.nodes, self.linker.linked, planned.aliases, tools, self._judged())

    def _remember(self, hints: Collection[str] | None) -> None:
        self.store.flush()
        if hints is None:
            self.store.save_index()

    def _link(self, hints: Collection[str] | None) -> set[LogicalPath]:
        """Stages 1 to 3; the paths of what may be other than before, or gone."""
        self.work, self.problems = [], []
        self.pending.clear()
        before = self.planned
        self.walk = sources.find(self.config, self.walk, hints)
        self.planned = plan(self.config, self.walk.sources)
        found = self.planned.sources
        changed = {path for path, source in found.items() if before.sources.get(path) is not source}
        changed |= self.planned.runs.keys() | before.runs.keys()
        if found.keys() != before.sources.keys():
            changed |= (before.sources.keys() - found.keys()) | self.reader.mapped
        # The largest first: what is read of them can be worked on while the others are read.
        ordered = sorted(changed, key=lambda path: (-found[path].size if path in found else 0, path))
        self.reader.read(found, self.planned.runs, ordered)
        self._finish(("draft", "original"))
        self._finish(("image",), "converting images")
        self.work.extend(self.reader.work)
        site = Site(self.prefixes, self.config.imports, self.planned.aliases, self.policy)
        self.texts.filled.clear()
        renewed = {path for path in changed if self._renew(path)}
        anew = self.linker.link(self.nodes, site, renewed)
        anew |= changed
        for path in anew & self.nodes.keys():
            one = self.linker.linked[path]
            own = one.digest == self.nodes[path].digest
            self.finals[path] = self.reader.reads[path].blob if own else self.store.kept(one.digest, one.size)
        return anew

    def _renew(self, path: LogicalPath) -> bool:
        """Bring a source's node up to date; whether it is other than before, or gone."""
        read, old = self.reader.reads.get(path), self.nodes.get(path)
        if read is None:
            for held in (self.nodes, self.finals, self.pictures.rendered):
                held.pop(path, None)
            return old is not None
        source, rendered = self.planned.sources[path], self.pictures.rendered.get(path)
        covers = tuple(Digest(made.digest) for made in rendered.made if made.facts["negotiated"]) if rendered else ()
        node = Node(path, source.shown, read.blob.digest, read.blob.size, read.outline, covers, source.naming)
        self.nodes[path] = node
        return node != old

    # Jobs

    def _finish(self, kinds: Collection[str], stage: str = "") -> None:
        """Wait for the jobs of those kinds, and take what was made, of whatever kind."""
        if stage:
            done = sum(work.tool in kinds for work in self.work)
            self.observer.begin(stage, done + self.workers.left(kinds))
            for _ in range(done):
                self.observer.step()
        for ended in self.workers.run(kinds):
            if isinstance(ended.error, SourceError):
                self.problems.append(ended.error.problem)
            elif ended.error is not None:
                raise ended.error
            if ended.task.kind in ("draft", "original"):
                self.reader.take(ended)
                continue
            path, take = ended.task.about
            if ended.error is None:
                self.work.append(Work(ended.task.kind, path, ended.seconds))
                take(ended.output)
            if ended.task.kind in kinds:
                self.observer.step()

    def _has_read(self, source: Source, read: Read) -> None:
        """Begin what needs no more than the source's bytes: renditions, and encodings if these bytes stay."""
        self.pictures.begin(source, read.blob)
        if read.outline is None:
            self._encode(source.path, read.blob)

    def _encode(self, path: LogicalPath, blob: Blob) -> None:
        """Have the encodings made that are neither in the cache nor under way; equal bytes are encoded once."""
        for coding, version in self.codings.items() if self._is_encoded(path, blob) else ():
            key = (coding, blob.digest)
            if key in self.encodings or key in self.pending:
                continue
            job = Job("encoding", version, (coding,), (blob.digest,))
            if (result := self.store.recall(job)) is not None:
                self._encoding(key, result)
                continue

            def take(output: Output, key: tuple[str, str] = key, job: Job = job) -> None:
                self._encoding(key, self.store.remember(job, output))

            self.pending.add(key)
            weight = blob.size * jobs.WEIGHTS[coding]
            self.workers.add(Task(coding, (path, take), jobs.encode, job.options, blob, weight))

    def _encoding(self, key: tuple[str, str], result: Result) -> None:
        self.pending.discard(key)
        self.encodings[key] = self.store.blob(result.made[0]) if result.made else None

    def _is_encoded(self, path: LogicalPath, blob: Blob) -> bool:
        return blob.size > 0 and media.is_compressible(media.media_type(path.name))

    def _encoded(self, path: LogicalPath) -> dict[str, Blob]:
        """The encodings of an asset; a name that was given may be longer than ours, with no room for their suffixes."""
        final, file = self.finals[path], self.linker.linked[path].file
        if not self._is_encoded(path, final) or len(file.name.encode()) > NAME_MAX:
            return {}
        made = {coding: self.encodings.get((coding, final.digest)) for coding in self.codings}
        return {coding: blob for coding, blob in made.items() if blob is not None}

    # What is told

    def _reasons(self) -> dict[LogicalPath, str]:
        """Why of the assets that something was done for."""
        reasons = dict(self.reader.reasons)
        for path in self.texts.filled:
            refs = self.linker.linked[path].refs
            changed = next((f"{ref}, which changed" for ref in refs if ref in reasons), "what changed")
            reasons.setdefault(path, f"it refers to {changed}")
        for work in self.work:
            reasons.setdefault(work.path, f"the cache had no result of {work.tool} for it")
        return reasons

    def _judged(self) -> tuple[Problem, ...]:
        """The problems in order; with ``strict``, every warning as an error."""
        assert self.walk is not None
        told = [*self.walk.problems, *self.planned.problems, *self.reader.problems, *self.linker.problems]
        told += [*self.problems, *self.folder.problems]
        for read in self.reader.reads.values():
            told += read.problems
        told += self.pictures.problems(self.planned.sources)
        if not self.walk.sources and not any(problem.severity is Severity.ERROR for problem in told):
            folders = ", ".join(str(root.folder) for root in self.config.folders()) or "no folder at all"
            told.append(
                Problem(
                    kind="empty",
                    severity=Severity.NOTE,
                    text=f"there are no files to build in {folders}",
                    hint="Put some there, or name other folders under [tool.assetpipe.roots].",
                )
            )
        ordered = sorted(told, key=lambda p: (p.file, p.line, p.column, p.kind, p.text))
        if self.config.strict:
            ordered = [replace(p, severity=Severity.ERROR) if p.severity is Severity.WARNING else p for p in ordered]
        return tuple(ordered)


class _Texts:
    """Fills the holes of texts for the linker, through the cache; ``filled`` are those that were not there."""

    def __init__(self, store: Store, reader: Reader) -> None:
        self.filled: list[LogicalPath] = []
        self._store = store
        self._reader = reader

    def fill(self, node: Node, holes: Sequence[bytes]) -> tuple[Digest, int]:
        """Keep the text with its holes filled; its digest and size."""
        job = self._job("fill", node, holes)
        result = self._store.recall(job)
        if result is None:
            self.filled.append(node.path)
            result = self._store.remember(job, ([(b"".join(self._pieces(node, holes)), {})], {}))
        return Digest(result.made[0].digest), result.made[0].size

    def digest(self, node: Node, holes: Sequence[bytes]) -> Digest:
        """The digest of the text with its holes filled."""
        job = self._job("isolate", node, holes)
        result = self._store.recall(job)
        if result is None:
            result = self._store.remember(job, ([], {"sha256": str(Digest.of(*self._pieces(node, holes)))}))
        return Digest(result.facts["sha256"])

    def _job(self, tool: str, node: Node, holes: Sequence[bytes]) -> Job:
        assert node.outline is not None
        places = ",".join(
            f"{start}+{len(ref.written)}" for start, ref in zip(node.outline.starts, node.outline.refs, strict=True)
        )
        return Job(tool, "1", (places, *(hole.decode("latin-1") for hole in holes)), (node.digest,))

    def _pieces(self, node: Node, holes: Sequence[bytes]) -> Iterator[bytes]:
        assert node.outline is not None
        return node.outline.filled(self._reader.reads[node.path].blob.read(), holes)
