"""Watching: from hints of changes to releases, one after the other.

1. Hints (``hints``) that come close upon each other are one burst: a save, a checkout.
2. The builder looks at the files of the burst; at all files where the burst speaks of folders or links, and once more
   when things have been quiet for a second, so that a hint that never came does no harm.
3. What it built is published, unless it is the current release already. A failed build publishes nothing; if files
   have changed meanwhile, it is done again before it is told of: the last state counts.
4. Problems are told when they are new, and when they are gone; errors also to the application, by a file in dist.

Twice a second the configuration's files, the roots and the lock are looked at, by ``stat``: whatever came or went is
taken up.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from assetpipe import locks
from assetpipe import manifest as manifests
from assetpipe.build import Builder
from assetpipe.errors import AssetpipeError, Problem, Severity, SourceError
from assetpipe.hints import Clock, exhausted, listen
from assetpipe.plan import read_beside
from assetpipe.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from pathlib import Path

    from assetpipe.config import Config
    from assetpipe.hints import Hints
    from assetpipe.inotify import Event
    from assetpipe.manifest import Diff, Manifest
    from assetpipe.progress import Observer
    from assetpipe.publish import Published
    from assetpipe.store import Blob

# Seconds without an event that end a burst: of a save; where a file went or a folder came, since more will follow; and
# the more the more files there are.
_QUIET, _LARGER, _EACH, _MOST = 0.012, 0.05, 0.002, 0.15
_LONGEST = 0.5  # seconds after which a burst counts as ended all the same
_GLANCE = 0.5  # seconds between two looks at what no event tells of
_HEAL = 1.0  # seconds of quiet before all files are looked at
_RETRY = 30.0  # seconds between two attempts at what fails for other reasons than the sources, at most
_ATTEMPTS = 5
_TOLD = 50  # errors that the application is told of

Stamp = tuple[int, int, int, int] | None


class Look(Struct, frozen=True):
    """What came of one look at the sources.

    ``done`` is what was published, and ``diff`` what that changed; None where errors are in the way, or where the
    release before is what would be published. ``moved`` says that the sources are not as at the look before. ``new``
    are the problems that it did not have, ``mended`` those that are gone, ``errors`` all those that are in the way.
    """

    done: Published | None
    diff: Diff | None
    moved: bool
    new: tuple[Problem, ...]
    mended: tuple[Problem, ...]
    errors: tuple[Problem, ...]
    seconds: float


class Places(Struct, frozen=True):
    """Where that lies which a build reads: the folders, each with all below it if so said.

    ``roots`` are those of the roots, ``read`` the files that commands read beside their input.
    """

    folders: dict[Path, bool]
    roots: tuple[Path, ...]
    read: frozenset[str]


class Burst:
    """Events that come close upon each other."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.whole = False
        self._came: set[str] = set()
        self._went: set[str] = set()

    def add(self, events: Iterable[Event]) -> None:
        """Take in what has happened since."""
        for event in events:
            self.whole |= event.whole
            self.files.add(event.path)
            # What an editor writes beside the file and takes away again has not gone; nor has the file it replaces.
            if not event.gone:
                self._went.discard(event.path)
                self._came.add(event.path)
            elif event.path in self._came:
                self._came.discard(event.path)
            else:
                self._went.add(event.path)

    @property
    def quiet(self) -> float:
        """Seconds without an event that end it."""
        return min((_LARGER if self.whole or self._went else _QUIET) + _EACH * len(self.files), _MOST)


def everything() -> Burst:
    """A burst of which nothing is known, so that all files are looked at."""
    burst = Burst()
    burst.whole = True
    return burst


def gather(hints: Hints, timeout: float) -> Burst | None:
    """The next burst; None where none begins in ``timeout`` seconds. Raises OSError as ``Hints.read`` does."""
    events = hints.read(timeout)
    if not events:
        return None
    burst = Burst()
    deadline = time.monotonic() + _LONGEST
    while events:
        burst.add(events)
        left = deadline - time.monotonic()
        events = hints.read(min(burst.quiet, left)) if left > 0 else []
    return burst


class Watch:
    """Keeps ``dist`` up to date with the sources.

    ``configure`` reads the configuration; ``poll`` looks at everything once a second, whatever the system can tell.
    """

    def __init__(self, configure: Callable[[], Config], observer: Observer, *, poll: bool = False) -> None:
        self.config = configure()
        self._configure = configure
        self._observer = observer
        self._poll = poll
        self._builder = Builder(self.config, observer)
        self._hints: Hints | None = None
        self._notices: list[str] = []
        self._held = contextlib.ExitStack()
        self._problems: Counter[Problem] = Counter()
        self._told: tuple[Problem, ...] | None = None  # the errors that the application knows of
        self._misconfigured: tuple[Problem, ...] = ()
        self._release = ""  # what was built last
        self._published: Manifest | None = None  # what was published last, as it was built
        self._dist = self.config.dist_folder
        self._publisher = self._new_publisher()
        self._places = places(self.config)
        # What was seen when it was last looked at, of what no event tells.
        self._manifest: Stamp = None
        self._lock: Stamp = None
        self._configuration = self._configuration_now()
        self._identities: tuple[Stamp, ...] = ()
        self._heal: float | None = None
        self._retry = _HEAL

    @property
    def watching(self) -> str:
        """What is watched, in words."""
        return f"Watching {', '.join(map(str, self._places.folders))}. Ctrl-C ends it."

    def looks(self) -> Generator[Look | str, None, None]:
        """Look at the sources, and again whenever they change, for ever; a text is something else to be told.

        Raises ConfigError and AssetpipeError where it cannot begin.
        """
        with contextlib.ExitStack() as stack:
            stack.push(lambda *exc_info: self._builder.__exit__(*exc_info))
            stack.callback(self._listen_no_more)
            stack.callback(self._held.close)
            self._hold(self._dist)
            self._listen()
            self._notices.append(self.watching)
            yield self._look(None)
            # What is known of thousands of files stays: nobody should wait while garbage is looked for in it.
            gc.collect()
            gc.freeze()
            while True:
                yield from self._noticed()
                files = self._wait()
                yield from self._noticed()
                yield self._look(files)

    def _noticed(self) -> list[str]:
        """What is to be told, once."""
        notices, self._notices = self._notices, []
        return notices

    # Looking

    def _look(self, files: frozenset[str] | None) -> Look:
        began = time.monotonic()
        done, published, release = None, False, ""
        for attempt in range(_ATTEMPTS):
            raced = False
            try:
                built, done = self._builder.release(self._publish, files)
                problems, release, published = built.problems, built.manifest.release, not built.failed
            except SourceError as error:
                problems, raced = (error.problem,), True
            except AssetpipeError as error:
                problems = (Problem(kind="build", severity=Severity.ERROR, text=str(error)),)
                self._heal = time.monotonic() + self._retry
                self._retry = min(2 * self._retry, _RETRY)
            else:
                self._retry = _HEAL
                raced = any(problem.kind == "unreadable" for problem in problems)
            if published or attempt == _ATTEMPTS - 1:
                break
            # Of a state that is no more, nobody needs to know what is wrong with it.
            if (burst := self._gather(_LARGER if raced else 0.0)) is not None:
                files = None if files is None or raced else self._asked(burst, files)
            elif raced and attempt == 0:
                files = None
            else:
                break
        new, mended = self._compare((*self._misconfigured, *problems))
        errors = tuple(problem for problem in problems if problem.severity is Severity.ERROR)
        self._tell((*self._misconfigured, *errors))
        moved, self._release = release != self._release, release
        diff = manifests.diff(done.previous, done.manifest) if done is not None else None
        return Look(done, diff, moved, new, mended, errors, time.monotonic() - began)

    def _publish(self, release: Manifest, files: Mapping[str, Blob]) -> Published | None:
        """Publish what was built; None where that is the current release already."""
        file = self._dist / manifests.MANIFEST
        if release == self._published and _stamp(file) == self._manifest:
            return None
        done = self._publisher.publish(release, files)
        self._published, self._manifest = release, _stamp(file)
        return done if done.previous is None or done.previous.release != done.manifest.release else None

    def _compare(self, problems: Iterable[Problem]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        """The problems that are new, and those that are gone; one that only moved within its file is neither.

        One that is worse than before, as with ``strict`` set meanwhile, is new, but the one before is not mended.
        """
        known = self._problems
        self._problems = Counter()
        new = []
        for problem in problems:
            key = msgspec.structs.replace(problem, line=0, column=0)
            self._problems[key] += 1
            if self._problems[key] > known[key]:
                new.append(problem)
        gone = known - self._problems
        for problem in new:
            for severity in Severity:
                gone[msgspec.structs.replace(problem, line=0, column=0, severity=severity)] -= 1
        return tuple(new), tuple(gone.elements())

    def _new_publisher(self) -> Publisher:
        # Who develops has sources to build again from, and should not wait for the disk.
        return Publisher(self._dist, self.config.keep, self._observer, durable=False)

    def _tell(self, errors: tuple[Problem, ...]) -> None:
        """Tell the application, which may show it, what is in the way of the next release."""
        if errors == self._told:
            return
        self._told = errors
        file = self._dist / manifests.PROBLEMS
        with contextlib.suppress(OSError):  # no room, perhaps: then that is what is told on the terminal
            if not errors:
                file.unlink(missing_ok=True)
                return
            new = file.with_name(f"{file.name}.new")
            new.write_bytes(msgspec.json.encode({"errors": len(errors), "problems": errors[:_TOLD]}))
            new.replace(file)

    # Waiting

    def _wait(self) -> frozenset[str] | None:
        """The files that the next hints speak of; None where all are to be looked at."""
        while True:
            left = _GLANCE if self._heal is None else self._heal - time.monotonic()
            burst = self._gather(max(0.0, min(_GLANCE, left)))
            if self._glance():
                return None
            if burst is not None:
                files = self._asked(burst, frozenset())
                self._heal = None if files is None else time.monotonic() + _HEAL
                return files
            if self._heal is not None and time.monotonic() >= self._heal:
                self._heal = None
                return None

    def _gather(self, timeout: float) -> Burst | None:
        """The next burst; where the system can tell of no more, the clock does from now on."""
        assert self._hints is not None
        try:
            return gather(self._hints, timeout)
        except OSError as error:
            self._notices.append(exhausted(error))
            self._listen_no_more()
            self._hints = Clock()
            return everything()

    def _asked(self, burst: Burst, files: frozenset[str]) -> frozenset[str] | None:
        """The files to look at; None where the burst is of more than the files of roots."""
        roots = tuple(os.path.join(folder, "") for folder in self._places.roots)  # noqa: PTH118 (it keeps the slash)
        if burst.whole or not all(file.startswith(roots) for file in burst.files):
            return None
        return files | burst.files

    def _listen(self) -> None:
        """Listen to the folders as they are now."""
        ours = {os.path.realpath(folder) for folder in (self._dist, self.config.cache_folder)}
        names = {os.path.basename(folder) for folder in ours}  # noqa: PTH119
        read = self._places.read

        def skip(path: str) -> bool:
            name = os.path.basename(path)  # noqa: PTH119 (of every file that is met)
            if name.startswith(".") and name != ".well-known":
                return path not in read
            return name in names and os.path.realpath(path) in ours

        before = self._hints
        self._listen_no_more()
        self._identities = _identities(self._places.folders)
        self._hints, notice = listen(self._places.folders, skip, poll=self._poll)
        if notice and not isinstance(before, Clock):
            self._notices.append(notice)

    def _listen_no_more(self) -> None:
        hints, self._hints = self._hints, None
        if hints is not None:
            hints.close()

    # What no event tells of

    def _glance(self) -> bool:
        """Take up what came or went: a configuration, a folder, dist itself. Whether all is to be looked at for it."""
        changed = self._reconfigure()
        if self._manifest is not None and _stamp(self._dist / manifests.MANIFEST) is None:
            self._publisher, self._published, self._manifest = self._new_publisher(), None, None
            changed = True
        if _stamp(self._dist / manifests.WATCH) != self._lock:
            with contextlib.suppress(AssetpipeError):  # tried again at the next glance
                self._hold(self._dist)
                changed = True
        if changed or _identities(self._places.folders) != self._identities:
            self._listen()
            return True
        return False

    def _hold(self, dist: Path) -> None:
        """Hold the lock that says that dist is kept up to date, for as long as it is."""
        self._held.close()
        self._dist = dist
        self._lock = self._published = self._manifest = self._told = None
        self._publisher = self._new_publisher()
        try:
            dist.mkdir(parents=True, exist_ok=True)
            mine = self._held.enter_context(locks.holding(dist / manifests.WATCH))
        except OSError as error:
            raise AssetpipeError(
                f"{error.filename or dist}: {error.strerror}: releases cannot be published there. "
                "Make it writable for this user, or name another folder: [tool.assetpipe] dist = …, or --dist DIR."
            ) from error
        if not mine:
            self._held.close()
            raise AssetpipeError(f"{dist}: another watch is running there. End that one first.")
        self._held.callback(self._tell, ())
        self._tell(())
        self._lock = _stamp(dist / manifests.WATCH)

    def _reconfigure(self) -> bool:
        """Read the configuration where its files have changed; what is wrong leaves the one before in force."""
        now = self._configuration_now()
        if now == self._configuration:
            return False
        while (later := self._configuration_now(after=_LARGER)) != now:  # it is being written
            now = later
        before, wrong = self.config, self._misconfigured
        self._configuration, self._misconfigured = now, ()
        try:
            config = self._configure()
            if config != before:
                found, builder = places(config), Builder(config, self._observer)
                if config.dist_folder != self._dist:
                    self._hold(config.dist_folder)
                self.config, self._places = config, found
                self._builder.__exit__(None)
                self._builder, self._publisher = builder, self._new_publisher()
                self._notices.append(f"The configuration has changed. {self.watching}")
        except AssetpipeError as error:
            hint = "Until it is mended, the configuration before stays in force."
            self._misconfigured = (Problem(kind="configuration", severity=Severity.ERROR, text=str(error), hint=hint),)
            if self._dist != before.dist_folder:
                self._dist, self._lock = before.dist_folder, None  # to be held again
        return self.config != before or self._misconfigured != wrong

    def _configuration_now(self, after: float = 0.0) -> tuple[Stamp, ...]:
        time.sleep(after)
        base = self.config.base
        files = [base / "assetpipe.toml", base / "pyproject.toml"]
        if self.config.origin is not None:
            files.append(self.config.origin)
        return tuple(map(_stamp, files))


def places(config: Config) -> Places:
    """Where to watch. Raises ConfigError as a build does."""
    roots = tuple(root.folder for root in config.folders())
    folders = dict.fromkeys(roots, True)
    read: set[str] = set()
    for command in config.command:
        read.update(str(file) for file in read_beside(config, command))
        for glob in command.reads or ():
            folder, deep = _searched(config.base, glob)
            if not any(folder.is_relative_to(root) for root in roots):
                folders[folder] = folders.get(folder, False) or deep
    return Places(folders, roots, frozenset(read))


def _searched(base: Path, glob: str) -> tuple[Path, bool]:
    """The folder that holds whatever a glob may come to match, and whether that may lie deeper, too."""
    parts = glob.split("/")
    fixed = next((n for n, part in enumerate(parts[:-1]) if set(part) & set("*?[")), len(parts) - 1)
    return base.joinpath(*parts[:fixed]), fixed < len(parts) - 1


def _identities(folders: Iterable[Path]) -> tuple[Stamp, ...]:
    """Which folders these are: one that comes back is another."""
    return tuple(stamp and (0, 0, *stamp[2:]) for stamp in map(_stamp, folders))


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
