"""From sources to what the linker takes: each source's bytes as a blob, and of a text its references.

1. The user's commands run on the sources that they match.
2. A source that holds no references is digested, if ``stat`` does not spare that.
3. A text is drafted, by a job of its own: minified, unless it is not UTF-8 or its source map is in the build.
4. What a command made is drafted, too; its references are placed where its input has them.
5. An image loses its metadata, or becomes smaller without loss, where the configuration says so.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from assetpipe import jobs, media, references, sources
from assetpipe.build.values import Work
from assetpipe.errors import Problem, Severity, SourceError
from assetpipe.paths import Digest, resolve
from assetpipe.plan import is_as_before
from assetpipe.references.draft import Outline, Writer
from assetpipe.store import Blob, Job
from assetpipe.transforms import commands, optimize, rasters
from assetpipe.workers import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from assetpipe.config import Config
    from assetpipe.paths import LogicalPath
    from assetpipe.plan import Run
    from assetpipe.progress import Observer
    from assetpipe.references.draft import Ref
    from assetpipe.sources import Source
    from assetpipe.store import Result, Store
    from assetpipe.workers import Done, Workers


class Read(Struct, frozen=True):
    """What one source holds. A text's bytes are those to publish, but for its references, which are as written."""

    blob: Blob
    outline: Outline | None = None
    problems: tuple[Problem, ...] = ()


class _Drafting(Struct, frozen=True):
    """A text that is being drafted: where it lies, and whether its comments and blanks are left out."""

    source: Source
    text: Blob
    minify: bool


class Reader:
    """Reads the sources that have changed, and remembers what it read."""

    def __init__(
        self,
        config: Config,
        store: Store,
        workers: Workers,
        observer: Observer,
        finished: Callable[[Source, Read], None],
    ) -> None:
        self.config = config
        self.store = store
        self.workers = workers
        self.observer = observer
        self.finished = finished
        self.reads: dict[LogicalPath, Read] = {}
        # Why of those that were read since the last time.
        self.reasons: dict[LogicalPath, str] = {}
        self.work: list[Work] = []
        self.problems: list[Problem] = []
        # What commands made, by the logical path of the asset; None where one failed.
        self._outputs: dict[LogicalPath, Blob | None] = {}
        self._found: Mapping[LogicalPath, Source] = {}
        # What sources were when they were last read here.
        self._digests: dict[LogicalPath, Digest] = {}
        # Texts that name a source map: whether it is in the build says how they are drafted.
        self.mapped: set[LogicalPath] = set()
        self._version = ""
        self._images_version = ""
        if config.images.optimize:
            optimize.check()

    def read(
        self, found: Mapping[LogicalPath, Source], runs: Mapping[LogicalPath, Run], changed: Collection[LogicalPath]
    ) -> None:
        """Read those that changed, or begin to: each draft that has to be made is told by the workers, for ``take``.

        What is read is in ``reads`` when all is done.
        """
        self._found = found
        self.reasons = {}
        self.work = []
        self.problems = []
        for path in changed:
            if path not in found:
                self.reads.pop(path, None)
                self.mapped.discard(path)
        self._run_commands(runs)
        self.observer.begin("reading", len(changed))
        for path in changed:
            if path in found:
                try:
                    self._begin(found[path])
                except SourceError as error:
                    self.problems.append(error.problem)
                    self._fail(path)

    def take(self, done: Done) -> None:
        """Take a draft that the workers made, or an image's bytes."""
        source, job, finish = done.task.about
        if done.error is not None:
            self._fail(source.path)
            return
        self.work.append(Work(done.task.kind, source.path, done.seconds))
        finish(self.store.remember(job, done.output))

    def _begin(self, source: Source) -> None:
        path = source.path
        output = self._outputs.get(path)
        text = output or self._original(source)
        failed = path in self._outputs and output is None
        # What another bundler has named is kept as it is: its name stands for its bytes.
        if source.naming != "kept" and not failed and (options := self._wishes(path)):
            self._publishable(source, text, options)
        elif references.scanner(path.name) is None or source.naming == "kept" or failed:
            self._finish(source, Read(text))
        else:
            # Minified text is left alone.
            self._draft(_Drafting(source, text, self.config.minify and ".min." not in path.name))

    def _fail(self, path: LogicalPath) -> None:
        self.reads.pop(path, None)
        self.observer.step()

    def _original(self, source: Source) -> Blob:
        """A source's bytes as they are; they are read only if ``stat`` says that they may have changed."""
        digest, size = self.store.known_digest(source), source.size
        if digest is None:
            began_ns = time.time_ns()
            data = sources.read(source)
            digest, size = Digest.of(data), len(data)
            before = self._digests.get(source.path) or self.store.digest_before(source)
            if before != digest:
                self.reasons[source.path] = "it is new" if before is None else "its bytes changed"
            self._digests[source.path] = digest
            self.store.learn_digest(source, digest, began_ns)
        return Blob(digest, size, source.file, source.shown)

    def _draft(self, drafting: _Drafting) -> None:
        self._version = self._version or jobs.draft_version()
        options = (jobs.suffix(drafting.source.path.name), "minify" if drafting.minify else "")
        job = Job("draft", self._version, options, (drafting.text.digest,))
        if (result := self.store.recall(job)) is not None:
            self._take(drafting, result)
            return
        weight = drafting.text.size * jobs.WEIGHTS["draft"]
        about = (drafting.source, job, partial(self._take, drafting))
        self.workers.add(Task("draft", about, jobs.draft, options, drafting.text, weight, pure=True))

    def _wishes(self, path: LogicalPath) -> tuple[str, ...]:
        """What is to be done to an image's own bytes: nothing, by default."""
        images = self.config.images
        if not (images.strip or images.optimize) or media.media_type(path.name) not in rasters.SOURCES:
            return ()
        return "strip" if images.strip else "", "optimize" if images.optimize else ""

    def _publishable(self, source: Source, text: Blob, options: tuple[str, ...]) -> None:
        images = self.config.images
        self._images_version = self._images_version or jobs.original_version(options[1])
        job = Job("original", self._images_version, options, (text.digest,))

        def finish(result: Result) -> None:
            made = self.store.blob(result.made[0]) if result.made else text
            is_told = images.strip and "text" in result.facts
            problems = (_unstripped(source, str(result.facts["text"])),) if is_told else ()
            self._finish(source, Read(made, problems=problems))

        if (result := self.store.recall(job)) is not None:
            finish(result)
            return
        weight = text.size * jobs.WEIGHTS["original"]
        self.workers.add(Task("original", (source, job, finish), jobs.original, options, text, weight))

    def _take(self, drafting: _Drafting, result: Result) -> None:
        source, text, outline = drafting.source, drafting.text, Outline()
        for made in result.made:
            if made.facts["is"] == "text":
                text = self.store.blob(made)
            else:
                outline = Outline.load(self.store.blob(made).read())
        if drafting.minify:
            # Not UTF-8: UTF-16, perhaps, where a byte that looks like a blank is half a character. And where there is a
            # source map, its columns must stay.
            maps = [ref for ref in outline.refs if ref.kind == "map"]
            (self.mapped.add if maps else self.mapped.discard)(source.path)
            if outline.not_utf8 is not None or any(resolve(source.path, ref.path) in self._found for ref in maps):
                self._draft(replace(drafting, minify=False))
                return
        problems = tuple(_problems(source, outline))
        if source.path in self._outputs:
            outline, lost = self._placed(source, outline)
            problems += lost
        self._finish(source, Read(text, outline if outline.refs else None, problems))

    def _finish(self, source: Source, read: Read) -> None:
        self.reads[source.path] = read
        self.finished(source, read)
        self.observer.step()

    def _placed(self, source: Source, outline: Outline) -> tuple[Outline, tuple[Problem, ...]]:
        """The outline of a command's output, its references placed where its input has them.

        A reference of the input to another source that the output has not is a warning, where both are of one language.
        """
        text = sources.read(source)
        lost: list[Problem] = []
        if (scan := references.scanner(source.file)) is not None and scan is references.scanner(source.path.name):
            told = {resolve(source.path, ref.path) for ref in outline.refs}
            lost.extend(
                Problem(
                    kind="lost-reference",
                    severity=Severity.WARNING,
                    text=f"the command's output does not refer to {ref.path} as its input does",
                    file=source.shown,
                    line=ref.line,
                    column=ref.column,
                    hint="If it takes that file in (a bundler does), all is well: leave it out by an ignore pattern.",
                )
                for ref in self._refs_of(text, source)
                if ref.kind != "map"
                and (sought := resolve(source.path, ref.path)) in self._found
                and sought not in told
            )
        places = {ref.written: text.find(ref.written) for ref in outline.refs}
        writer = Writer(text)
        located = {place: writer.locate(place) for place in sorted(set(places.values())) if place >= 0}
        refs = []
        for ref in outline.refs:
            line, column = located.get(places[ref.written], (0, 0))
            refs.append(replace(ref, line=line, column=column))
        return Outline(tuple(refs), outline.starts, outline.not_utf8), tuple(lost)

    def _refs_of(self, text: bytes, source: Source) -> Iterable[Ref]:
        """The references of a command's input, through the cache."""
        suffix = jobs.suffix(source.file)
        job = Job("draft", self._version, (suffix, ""), (Digest.of(text),))
        result = self.store.recall(job) or self.store.remember(job, jobs.draft(text, job.options))
        outlines = [self.store.blob(made) for made in result.made if made.facts["is"] == "outline"]
        return Outline.load(outlines[0].read()).refs if outlines else ()

    def _run_commands(self, runs: Mapping[LogicalPath, Run]) -> None:
        """Make what the commands make; where one fails, its output is None."""
        self._outputs = {}
        todo: list[tuple[Run, Job, LogicalPath]] = []
        for path, run in runs.items():
            self._outputs[path] = None
            try:
                original = self._original(replace(run.source, path=path))
            except SourceError as error:
                self.problems.append(error.problem)
                continue
            inputs = (original.digest, run.kit.read)
            job = Job("command", run.kit.version, (*run.kit.tool.arguments, run.source.path, run.suffix), inputs)
            if (result := self.store.recall(job)) is None:
                todo.append((run, job, path))
            else:
                self._outputs[path] = self.store.blob(result.made[0])
        if not todo:
            return
        self.observer.begin("running commands", len(todo))
        cancelled = threading.Event()
        made: list[tuple[Run, Job, LogicalPath, bytes]] = []
        with ThreadPoolExecutor(self.workers.jobs) as threads:
            futures = [threads.submit(_run_command, run, job.inputs[0], cancelled) for run, job, _ in todo]
            try:
                for (run, job, path), future in zip(todo, futures, strict=True):
                    try:
                        data, seconds = future.result()
                    except SourceError as error:
                        self.problems.append(error.problem)
                    else:
                        made.append((run, job, path, data))
                        self.work.append(Work("command", path, seconds))
                        self.reasons.setdefault(path, "what its command reads changed")
                    self.observer.step()
            except BaseException:
                cancelled.set()
                threads.shutdown(cancel_futures=True)
                raise
        # What it read beside its input may have been of either time where that has changed meanwhile.
        known = {kit for kit in {run.kit for run, *_ in made} if is_as_before(self.config, kit)}
        for run, job, path, data in made:
            self._outputs[path] = self.store.put(data)
            if run.kit in known:
                self.store.remember(job, ([(data, {})], {}))


def _problems(source: Source, outline: Outline) -> Iterable[Problem]:
    if outline.not_utf8 is not None:
        yield Problem(
            kind="not-utf8",
            severity=Severity.WARNING,
            text="not valid UTF-8, as which it is served",
            file=source.shown,
            line=outline.not_utf8[0],
            column=outline.not_utf8[1],
            hint="Save the file as UTF-8.",
        )
    if outline.broken is not None:
        what, line, column = outline.broken
        yield Problem(
            kind="broken",
            severity=Severity.WARNING,
            text=what,
            file=source.shown,
            line=line,
            column=column,
            hint="Mend it: browsers ignore it whole, and what it refers to is not renamed in it.",
        )


def _unstripped(source: Source, text: str) -> Problem:
    return Problem(
        kind="broken-image",
        severity=Severity.ERROR,
        text=f"the image's metadata cannot be taken out: {text}",
        file=source.shown,
        hint=f'Nothing was published. Export it again, or leave it out: ignore = ["{source.relative}"].',
    )


def _run_command(run: Run, digest: str, cancelled: threading.Event) -> tuple[bytes, float]:
    """Run a command on one source. Raises SourceError with the tool's own message where it fails."""
    try:
        made, seconds = run.kit.tool.run(run.source.file, run.suffix, cancelled.is_set)
        if Digest.of(sources.read(run.source)) != digest:
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
    return made, seconds
