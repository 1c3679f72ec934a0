"""From a configuration to a Build: a value that says what a release would be. Nothing is published here.

1. Find the sources (``sources``).
2. Run the user's commands on those that they match (``plan``), through the cache and the executor.
3. Draft those that hold references; digest the others (free for those that ``stat`` says have not moved).
4. Convert images, through the cache and the executor.
5. Link: name everything, fill every hole. So far goes a Trace.
6. Encode what compresses, through the cache and the executor.
7. Fold all of it into a manifest, the blobs of its files, and the problems met on the way.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from assetpipe import manifest, media, references, sources
from assetpipe.errors import Problem, Severity, SourceError
from assetpipe.link import Linked, Node, Site, link
from assetpipe.manifest import Asset, Encoding, Manifest, Rendition
from assetpipe.missing import Policy
from assetpipe.paths import NAME_MAX, Digest, LogicalPath, resolve
from assetpipe.plan import plan
from assetpipe.progress import Observer, Silence
from assetpipe.references.draft import Draft, Ref, Writer
from assetpipe.store import Blob, Facts, Job, Result, Store
from assetpipe.transforms import commands, encodings, images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor, Future

    from assetpipe.config import Config
    from assetpipe.plan import Run
    from assetpipe.sources import Source


T = TypeVar("T")


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
    to be done rather than recalled, and ``reasons`` say of the assets that are not as in the build before why. Where
    ``problems`` hold an error, the manifest is not to be published.
    """

    manifest: Manifest
    files: Mapping[str, Blob]
    problems: tuple[Problem, ...]
    work: tuple[Work, ...]
    reasons: Mapping[LogicalPath, str] = {}

    @property
    def failed(self) -> bool:
        """Whether any problem is an error."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)


def build(config: Config, observer: Observer | None = None, executor: Executor | None = None) -> Build:
    """Build all that ``config`` names.

    What is wrong with sources is returned as problems. Raises ConfigError for a codec, package or program that is not
    installed, and AssetpipeError where the cache cannot be written.
    """
    return _with_executor(executor, lambda running: _Builder(config, observer or Silence(), running).run())


def trace(config: Config, observer: Observer | None = None, executor: Executor | None = None) -> Trace:
    """Link and name all that ``config`` names, and no more. Raises as ``build`` does."""
    return _with_executor(executor, lambda running: _Builder(config, observer or Silence(), running).trace())


def _with_executor(executor: Executor | None, work: Callable[[Executor], T]) -> T:
    if executor is not None:
        return work(executor)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
        try:
            return work(threads)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


class _Builder:
    """The state of one build."""

    def __init__(self, config: Config, observer: Observer, executor: Executor) -> None:
        self.config = config
        self.observer = observer
        self.executor = executor
        self.store = Store(config.cache_folder)
        self.prefixes = tuple(sorted({root.prefix for root in config.folders() if not root.private}))
        self.problems: list[Problem] = []
        self.work: list[Work] = []
        self.files: dict[str, Blob] = {}
        # What commands made, by the logical path of the asset; None where one failed.
        self.outputs: dict[LogicalPath, Blob | None] = {}
        self.originals: dict[LogicalPath, Blob] = {}
        self.renditions: dict[LogicalPath, Result] = {}

    def trace(self) -> Trace:
        walk = sources.find(self.config)
        self.problems.extend(walk.problems)
        planned = plan(self.config, walk.sources)
        self.problems.extend(planned.problems)
        self._run_commands(planned.runs)
        found = planned.sources
        drafts = self._read(found)
        self.renditions = self._convert(found, self.originals)
        nodes = {path: self._node(found[path], drafts.get(path)) for path in (*drafts, *self.originals)}
        site = Site(self.prefixes, self.config.imports, planned.aliases, Policy(self.config.missing))
        linked, problems = link(nodes, site)
        self.problems.extend(problems)
        tools = {path: run.kit.tool.name for path, run in planned.runs.items()}
        return Trace(found, nodes, linked, planned.aliases, tools, self._judged())

    def run(self) -> Build:
        versions: dict[str, str] = {c: encodings.version(c) for c in self.config.compress.encodings}
        trace = self.trace()
        linked = trace.linked
        finals = {
            path: self.originals[path] if one.data is None else self.store.put(one.data) for path, one in linked.items()
        }
        compressed = {path: blob for path, blob in finals.items() if _has_room(linked[path].file)}
        encoded = self._encode(compressed, versions)
        assets: dict[str, Asset] = {}
        private: dict[str, Asset] = {}
        for path in sorted(linked):
            source = trace.sources[path]
            asset = self._asset(source, linked[path], finals[path], encoded.get(path, {}))
            (private if source.private else assets)[str(path)] = asset
        self.store.save_index()
        imports = self._imports(trace.aliases, assets)
        told = Manifest(
            format=manifest.FORMAT,
            release=manifest.release_id(assets, self.prefixes, imports, private),
            prefixes=self.prefixes,
            imports=imports,
            assets=assets,
            private=private,
        )
        for copy, file in manifest.plain_copies(told).items():
            if copy in self.files and self.files[copy].digest != self.files[file].digest:
                self._report_two_outputs(copy)
        if not trace.sources and not any(problem.severity is Severity.ERROR for problem in self.problems):
            folders = ", ".join(str(root.folder) for root in self.config.folders()) or "no folder at all"
            self.problems.append(
                Problem(
                    kind="empty",
                    severity=Severity.NOTE,
                    text=f"there are no files to build in {folders}",
                    hint="Put some there, or name other folders under [tool.assetpipe.roots].",
                )
            )
        return Build(told, self.files, self._judged(), tuple(self.work))

    def _imports(self, aliases: Mapping[LogicalPath, LogicalPath], assets: Iterable[str]) -> dict[str, str]:
        """The configured imports in logical paths of assets, or of folders; one that leads nowhere is a warning."""
        told = {}
        for specifier, path in self.config.imports.items():
            if path.endswith("/"):
                told[specifier] = (resolve(LogicalPath("/x"), path + "x") or path + "x")[:-1]
            else:
                meant = resolve(LogicalPath("/x"), path)
                told[specifier] = path if meant is None else aliases.get(meant, meant)
            path = told[specifier]
            if not any(asset.startswith(path) if path.endswith("/") else asset == path for asset in assets):
                self.problems.append(
                    Problem(
                        kind="missing-import",
                        severity=Severity.WARNING,
                        text=f'imports."{specifier}": there is no file {path}{"…" if path.endswith("/") else ""}',
                        file=self.config.origin.name if self.config.origin else "",
                        hint="Name a file of one of the public roots, or take the entry out.",
                    )
                )
        return told

    def _run_commands(self, runs: Mapping[LogicalPath, Run]) -> None:
        """Make what the commands make; where one fails, its output is None."""
        tasks: dict[LogicalPath, tuple[Callable[..., Result], tuple[object, ...]]] = {}
        for path, run in runs.items():
            self.outputs[path] = None
            try:
                data = sources.read(run.source)
            except SourceError as error:
                self.problems.append(error.problem)
                continue
            inputs = (Digest.of(data), run.kit.read)
            job = Job("command", run.kit.version, (*run.kit.tool.arguments, run.source.path, run.suffix), inputs)
            if (result := self.store.recall(job)) is None:
                tasks[path] = (run_command, (self.store, job, run))
            else:
                self.outputs[path] = self.store.blob(result.made[0])
        for path, result in self._execute("running commands", "command", tasks).items():
            self.outputs[path] = self.store.blob(result.made[0])

    def _read(self, found: Mapping[LogicalPath, Source]) -> dict[LogicalPath, Draft]:
        """Draft the sources that hold references, and digest the others."""
        self.observer.begin("reading", len(found))
        drafts: dict[LogicalPath, Draft] = {}
        for path, source in found.items():
            # What another bundler has named is kept as it is: its name stands for its bytes.
            scan = references.scanner(path.name) if source.naming != "kept" else None
            try:
                if scan is not None and self.outputs.get(path, True):
                    drafts[path] = self._draft(source, scan, found)
                elif (blob := self.outputs.get(path)) is not None:
                    self.originals[path] = blob
                else:
                    digest, size = self.store.known_digest(source), source.size
                    if digest is None:
                        data = sources.read(source)
                        digest, size = Digest.of(data), len(data)
                        self.store.learn_digest(source, digest)
                    self.originals[path] = Blob(digest, size, source.file, source.shown)
            except SourceError as error:
                self.problems.append(error.problem)
            self.observer.step()
        return drafts

    def _draft(
        self, source: Source, scan: Callable[[bytes, bool], Draft], found: Mapping[LogicalPath, Source]
    ) -> Draft:
        output = self.outputs.get(source.path)
        text = sources.read(source) if output is None else output.read()
        # Minified text is left alone, and so is one whose source map is in the build: its columns must stay.
        minify = self.config.minify and ".min." not in source.path.name
        draft = scan(text, minify)
        if minify and draft.not_utf8 is not None:
            # UTF-16, perhaps, where a byte that looks like a blank is half a character.
            draft = scan(text, False)
        elif minify and any(r.kind == "map" and resolve(source.path, r.path) in found for r in draft.refs):
            draft = scan(text, False)
        if draft.not_utf8 is not None:
            self.problems.append(
                Problem(
                    kind="not-utf8",
                    severity=Severity.WARNING,
                    text="not valid UTF-8, as which it is served",
                    file=source.shown,
                    line=draft.not_utf8[0],
                    column=draft.not_utf8[1],
                    hint="Save the file as UTF-8.",
                )
            )
        if draft.broken is not None:
            what, line, column = draft.broken
            self.problems.append(
                Problem(
                    kind="broken",
                    severity=Severity.WARNING,
                    text=what,
                    file=source.shown,
                    line=line,
                    column=column,
                    hint="Mend it: browsers ignore it whole, and what it refers to is not renamed in it.",
                )
            )
        return draft if output is None else self._compared(source, draft, found)

    def _compared(self, source: Source, draft: Draft, found: Mapping[LogicalPath, Source]) -> Draft:
        """The draft of a command's output, its references placed where its input has them.

        A reference of the input to another source that the output has not is a warning, where both are of one language.
        """
        text = sources.read(source)
        if (scan := references.scanner(source.file)) is not None and scan is references.scanner(source.path.name):
            told = {resolve(source.path, ref.path) for ref in draft.refs}
            self.problems.extend(
                Problem(
                    kind="lost-reference",
                    severity=Severity.WARNING,
                    text=f"the command's output does not refer to {ref.path} as its input does",
                    file=source.shown,
                    line=ref.line,
                    column=ref.column,
                    hint="If it takes that file in (a bundler does), all is well: leave it out by an ignore pattern.",
                )
                for ref in scan(text, False).refs
                if ref.kind != "map" and (sought := resolve(source.path, ref.path)) in found and sought not in told
            )
        places = {ref.written: text.find(ref.written) for ref in draft.refs}
        writer = Writer(text)
        located = {place: writer.locate(place) for place in sorted(set(places.values())) if place >= 0}
        pieces = []
        for piece in draft.pieces:
            if isinstance(piece, Ref):
                line, column = located.get(places[piece.written], (0, 0))
                piece = replace(piece, line=line, column=column)
            pieces.append(piece)
        return Draft(tuple(pieces), draft.not_utf8)

    def _convert(
        self, found: Mapping[LogicalPath, Source], originals: Mapping[LogicalPath, Blob]
    ) -> dict[LogicalPath, Result]:
        """Make the renditions of every image; a picture that cannot be read is a warning, and is published as it is."""
        # In order, and once each: how they are listed is not to change a name.
        formats = sorted(set(self.config.images.formats))
        widths = sorted(set(self.config.images.widths))
        if not formats:
            return {}
        version = images.version()
        done: dict[LogicalPath, Result] = {}
        jobs: list[tuple[LogicalPath, Job]] = []
        for path, blob in originals.items():
            media_type = media.media_type(path.name)
            if media_type in images.SOURCES:
                options = (media_type, ",".join(formats), ",".join(map(str, widths)))
                job = Job("image", version, options, (blob.digest,))
                if (result := self.store.recall(job)) is None:
                    jobs.append((path, job))
                else:
                    done[path] = result
        tasks = {path: (render, (self.store, job, originals[path])) for path, job in self._largest(jobs, originals)}
        done.update(self._execute("converting images", "image", tasks))
        for path, result in sorted(done.items()):
            if "problem" in result.facts:
                self.problems.append(
                    Problem(
                        kind=str(result.facts["problem"]),
                        severity=Severity.WARNING,
                        text=f"the image cannot be converted: {result.facts['text']}",
                        file=found[path].shown,
                        hint="It is published as it is. Export it again, or leave it out by an ignore pattern.",
                    )
                )
        return done

    def _node(self, source: Source, draft: Draft | None) -> Node:
        blob, rendered = self.originals.get(source.path), self.renditions.get(source.path)
        covers = [Digest(made.digest) for made in rendered.made if made.facts["negotiated"]] if rendered else []
        return Node(
            path=source.path,
            shown=source.shown,
            digest=blob.digest if blob else None,
            draft=draft,
            covers=tuple(covers),
            naming=source.naming,
        )

    def _encode(
        self, finals: Mapping[LogicalPath, Blob], versions: Mapping[str, str]
    ) -> dict[LogicalPath, dict[str, Blob]]:
        """Encode everything that compresses in every configured coding."""
        encoded: dict[LogicalPath, dict[str, Blob]] = {path: {} for path in finals}
        for coding, version in versions.items():
            results: dict[LogicalPath, Result] = {}
            jobs = []
            for path, blob in finals.items():
                if not blob.size or not media.is_compressible(media.media_type(path.name)):
                    continue
                job = Job("encoding", version, (coding,), (blob.digest,))
                if (result := self.store.recall(job)) is None:
                    jobs.append((path, job))
                else:
                    results[path] = result
            tasks = {path: (encode, (self.store, job, finals[path])) for path, job in self._largest(jobs, finals)}
            results.update(self._execute(f"compressing ({coding})", coding, tasks))
            for path, result in results.items():
                for made in result.made:
                    encoded[path][coding] = self.store.blob(made)
        return encoded

    def _largest(
        self, jobs: Iterable[tuple[LogicalPath, Job]], blobs: Mapping[LogicalPath, Blob]
    ) -> list[tuple[LogicalPath, Job]]:
        """The largest first, so that no worker is left alone with a long one at the end."""
        return sorted(jobs, key=lambda job: (-blobs[job[0]].size, job[0]))

    def _execute(
        self, stage: str, tool: str, tasks: Mapping[LogicalPath, tuple[Callable[..., Result], tuple[object, ...]]]
    ) -> dict[LogicalPath, Result]:
        """Run tasks on the executor; a source that has changed meanwhile ends its own task with a problem."""
        self.observer.begin(stage, len(tasks))
        futures: dict[Future[Result], LogicalPath] = {
            self.executor.submit(function, *arguments): path for path, (function, arguments) in tasks.items()
        }
        results: dict[LogicalPath, Result] = {}
        for future in as_completed(futures):
            path = futures[future]
            try:
                results[path] = future.result()
                self.work.append(Work(tool, path))
            except SourceError as error:
                self.problems.append(error.problem)
            self.observer.step()
        return results

    def _asset(self, source: Source, linked: Linked, final: Blob, encoded: Mapping[str, Blob]) -> Asset:
        """Tell one asset for the manifest, and its files for the publisher."""
        rendered = self.renditions.get(source.path)
        area = f"/{manifest.PRIVATE if source.private else manifest.PUBLIC}"
        self._file(area + linked.file, final, source)
        for coding, blob in encoded.items():
            self._file(area + linked.file + manifest.CODING_SUFFIXES[coding], blob, source)
        renditions = []
        for made in rendered.made if rendered else ():
            url = source.path.tagged(Digest(made.digest).tag, suffix=f".{made.facts['format']}")
            self._file(area + url, self.store.blob(made), source)
            renditions.append(
                Rendition(
                    url=url,
                    type=media.media_type(url),
                    size=made.size,
                    sha256=made.digest,
                    width=int(made.facts["width"]),
                    height=int(made.facts["height"]),
                    negotiated=bool(made.facts["negotiated"]),
                )
            )
        media_type = media.media_type(source.path.name)
        return Asset(
            url=linked.url,
            type=media_type,
            size=final.size,
            sha256=final.digest,
            encodings={coding: Encoding(blob.size, blob.digest) for coding, blob in encoded.items()},
            renditions=tuple(renditions),
            refs=linked.refs,
            imports=linked.imports if media_type.startswith(("text/css", "text/javascript")) else (),
            width=int(rendered.facts.get("width", 0)) if rendered else 0,
            height=int(rendered.facts.get("height", 0)) if rendered else 0,
            immutable=source.naming == "kept",
            file="" if linked.file == linked.url else linked.file,
        )

    def _file(self, path: str, blob: Blob, source: Source) -> None:
        other = self.files.setdefault(path, blob)
        if other.digest != blob.digest:
            self._report_two_outputs(path, source.shown)

    def _report_two_outputs(self, path: str, file: str = "") -> None:
        self.problems.append(
            Problem(
                kind="two-outputs",
                severity=Severity.ERROR,
                text=f"two outputs at one path: {path[path.index('/', 1) :]}",
                file=file,
                hint="Rename the file: it has the name that another file is published under.",
            )
        )

    def _judged(self) -> tuple[Problem, ...]:
        """The problems in order; with ``strict``, every warning as an error."""
        ordered = sorted(self.problems, key=lambda p: (p.file, p.line, p.column, p.kind, p.text))
        if self.config.strict:
            ordered = [replace(p, severity=Severity.ERROR) if p.severity is Severity.WARNING else p for p in ordered]
        return tuple(ordered)


def run_command(store: Store, job: Job, run: Run) -> Result:
    """Run a command on one source. Raises SourceError with the tool's own message where it fails."""
    try:
        made = run.kit.tool.run(run.source.file, run.suffix)
        if Digest.of(sources.read(run.source)) != job.inputs[0]:
            raise SourceError(
                Problem(
                    kind="changed",
                    severity=Severity.ERROR,
                    text=f"the file changed while {run.kit.tool.name} ran on it",
                    file=run.source.shown,
                    hint="Nothing was published. Run the build again, and let the command write to {output} alone.",
                )
            )
    except commands.CommandError as error:
        raise SourceError(
            Problem(
                kind="command",
                severity=Severity.ERROR,
                text=f"{run.kit.tool.name}: {error}",
                file=run.source.shown,
                hint="Nothing was published. Mend it, or the command under [[tool.assetpipe.command]].",
            )
        ) from error
    return store.remember(job, [(made, {})])


def _has_room(file: LogicalPath) -> bool:
    """Whether a file's name has room for the suffix of a coding; a name that was given may be longer than ours."""
    return len(file.name.encode()) <= NAME_MAX


def encode(store: Store, job: Job, blob: Blob) -> Result:
    """Encode one blob in the coding that ``job`` names. Raises SourceError where the blob has changed."""
    encoded = encodings.encode(job.options[0], blob.read())
    return store.remember(job, [] if encoded is None else [(encoded, {})])


def render(store: Store, job: Job, blob: Blob) -> Result:
    """Make the renditions that ``job`` names; a picture that cannot be read is remembered as such."""
    media_type, formats, widths = job.options
    data = blob.read()
    try:
        rendered = images.render(data, media_type, formats.split(","), [int(w) for w in widths.split(",") if w])
    except images.ImageError as error:
        return store.remember(job, [], problem=error.kind, text=str(error))
    made: list[tuple[bytes, Facts]] = []
    for picture in rendered.pictures:
        full = int(picture.width == rendered.width)
        facts: Facts = {"format": picture.format, "width": picture.width, "height": picture.height, "negotiated": full}
        made.append((picture.data, facts))
    return store.remember(job, made, width=rendered.width, height=rendered.height)
