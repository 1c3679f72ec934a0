"""From a configuration to a Build: a value that says what a release would be. Nothing is published here.

1. Find the sources (``sources``).
2. Draft those that hold references; digest the others (free for those that ``stat`` says have not moved).
3. Convert images, through the cache and the executor.
4. Link: name everything, fill every hole.
5. Encode what compresses, through the cache and the executor.
6. Fold all of it into a manifest, the blobs of its files, and the problems met on the way.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from assetpipe import manifest, media, references, sources
from assetpipe.errors import Problem, Severity, SourceError
from assetpipe.link import Linked, Node, link
from assetpipe.manifest import Asset, Encoding, Manifest, Rendition
from assetpipe.paths import NAME_MAX, Digest, LogicalPath, resolve
from assetpipe.progress import Observer, Silence
from assetpipe.store import Blob, Facts, Job, Result, Store
from assetpipe.transforms import encodings, images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor, Future

    from assetpipe.config import Config
    from assetpipe.references.draft import Draft
    from assetpipe.sources import Source


class Work(Struct, frozen=True):
    """Work that the cache could not spare: which tool, on which asset."""

    tool: str
    path: LogicalPath


class Build(Struct, frozen=True):
    """What a release would be.

    ``files`` are the blobs of the manifest's files, by their paths below ``dist/public``; ``work`` is what had to be
    done rather than recalled. Where ``problems`` hold an error, the manifest is not to be published.
    """

    manifest: Manifest
    files: Mapping[str, Blob]
    problems: tuple[Problem, ...]
    work: tuple[Work, ...]

    @property
    def failed(self) -> bool:
        """Whether any problem is an error."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)


def build(config: Config, observer: Observer | None = None, executor: Executor | None = None) -> Build:
    """Build all that ``config`` names.

    What is wrong with sources is returned as problems. Raises ConfigError for a codec or package that is not
    installed, and AssetpipeError where the cache cannot be written.
    """
    if executor is not None:
        return _Builder(config, observer or Silence(), executor).run()
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
        try:
            return _Builder(config, observer or Silence(), threads).run()
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
        self.problems: list[Problem] = []
        self.work: list[Work] = []
        self.files: dict[str, Blob] = {}
        self.versions = {coding: encodings.version(coding) for coding in config.compress.encodings}

    def run(self) -> Build:
        walk = sources.find(self.config)
        self.problems.extend(walk.problems)
        drafts, originals = self._read(walk.sources)
        renditions = self._convert(walk.sources, originals)
        nodes = {
            path: self._node(walk.sources[path], drafts.get(path), originals.get(path), renditions.get(path))
            for path in (*drafts, *originals)
        }
        prefixes = tuple(sorted({root.prefix for root in self.config.folders()}))
        linked, problems = link(nodes, prefixes)
        self.problems.extend(problems)
        finals = {
            path: originals[path] if one.data is None else self.store.put(one.data) for path, one in linked.items()
        }
        encoded = self._encode({path: blob for path, blob in finals.items() if _has_room(linked[path].file)})
        assets = {
            str(path): self._asset(
                walk.sources[path], linked[path], finals[path], encoded.get(path, {}), renditions.get(path)
            )
            for path in sorted(linked)
        }
        self.store.save_index()
        release = manifest.release_id(assets, prefixes)
        told = Manifest(format=manifest.FORMAT, release=release, prefixes=prefixes, assets=assets)
        for copy, file in manifest.plain_copies(told).items():
            if copy in self.files and self.files[copy].digest != self.files[file].digest:
                self._report_two_outputs(copy, copy)
        if not walk.sources and not any(problem.severity is Severity.ERROR for problem in self.problems):
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

    def _read(self, found: Mapping[LogicalPath, Source]) -> tuple[dict[LogicalPath, Draft], dict[LogicalPath, Blob]]:
        """Draft the sources that hold references, and digest the others."""
        self.observer.begin("reading", len(found))
        drafts: dict[LogicalPath, Draft] = {}
        originals: dict[LogicalPath, Blob] = {}
        for path, source in found.items():
            # What another bundler has named is kept as it is: its name stands for its bytes.
            scan = references.scanner(path.name) if source.naming != "kept" else None
            try:
                if scan is not None:
                    drafts[path] = self._draft(source, scan, found)
                else:
                    digest, size = self.store.known_digest(source), source.size
                    if digest is None:
                        data = sources.read(source)
                        digest, size = Digest.of(data), len(data)
                        self.store.learn_digest(source, digest)
                    originals[path] = Blob(digest, size, source.file, source.shown)
            except SourceError as error:
                self.problems.append(error.problem)
            self.observer.step()
        return drafts, originals

    def _draft(
        self, source: Source, scan: Callable[[bytes, bool], Draft], found: Mapping[LogicalPath, Source]
    ) -> Draft:
        text = sources.read(source)
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
        return draft

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

    def _node(self, source: Source, draft: Draft | None, blob: Blob | None, rendered: Result | None) -> Node:
        covers = [Digest(made.digest) for made in rendered.made if made.facts["negotiated"]] if rendered else []
        return Node(
            path=source.path,
            shown=source.shown,
            digest=blob.digest if blob else None,
            draft=draft,
            covers=tuple(covers),
            named=None if source.naming == "fingerprint" else source.path,
            movable=source.naming == "plain",
        )

    def _encode(self, finals: Mapping[LogicalPath, Blob]) -> dict[LogicalPath, dict[str, Blob]]:
        """Encode everything that compresses in every configured coding."""
        encoded: dict[LogicalPath, dict[str, Blob]] = {path: {} for path in finals}
        for coding in self.config.compress.encodings:
            results: dict[LogicalPath, Result] = {}
            jobs = []
            for path, blob in finals.items():
                if not blob.size or not media.is_compressible(media.media_type(path.name)):
                    continue
                job = Job("encoding", self.versions[coding], (coding,), (blob.digest,))
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

    def _asset(
        self, source: Source, linked: Linked, final: Blob, encoded: Mapping[str, Blob], rendered: Result | None
    ) -> Asset:
        """Tell one asset for the manifest, and its files for the publisher."""
        self._file(linked.file, final, source)
        for coding, blob in encoded.items():
            self._file(linked.file + manifest.CODING_SUFFIXES[coding], blob, source)
        renditions = []
        for made in rendered.made if rendered else ():
            url = source.path.tagged(Digest(made.digest).tag, suffix=f".{made.facts['format']}")
            self._file(url, self.store.blob(made), source)
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
        return Asset(
            url=linked.url,
            type=media.media_type(source.path.name),
            size=final.size,
            sha256=final.digest,
            encodings={coding: Encoding(blob.size, blob.digest) for coding, blob in encoded.items()},
            renditions=tuple(renditions),
            refs=linked.refs,
            width=int(rendered.facts.get("width", 0)) if rendered else 0,
            height=int(rendered.facts.get("height", 0)) if rendered else 0,
            immutable=source.naming == "kept",
            file="" if linked.file == linked.url else linked.file,
        )

    def _file(self, path: str, blob: Blob, source: Source) -> None:
        other = self.files.setdefault(path, blob)
        if other.digest != blob.digest:
            self._report_two_outputs(path, source.shown)

    def _report_two_outputs(self, path: str, file: str) -> None:
        self.problems.append(
            Problem(
                kind="two-outputs",
                severity=Severity.ERROR,
                text=f"two outputs at one path: {path}",
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
