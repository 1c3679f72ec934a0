"""From roots to sources: which files there are, under which logical paths.

1. Each root is walked with ``os.scandir``, folders in order of name. Of a walk before, the folders that nothing is said
   of are taken as they were, and so is a file whose ``stat`` says that it has not moved: it is the same object then.
2. Names that begin with a dot are left out (``.well-known`` is not), then what the ignore rules match; `dist` and the
   cache are never sources, wherever they lie.
3. A symbolic link counts as what it points to, if that lies in the same root; a link out of the root, a loop or a
   dangling link is reported and not followed.
4. What a private root holds is left to it: a file there that would be public as well is an error.
5. Where two sources have one logical path, the folder listed first under a prefix wins and the other is a note; any
   other such pair is an error, since nobody said which should win.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, Literal
from unicodedata import normalize

from msgspec import Struct

from assetpipe import files, patterns
from assetpipe.errors import Problem, Severity, SourceError
from assetpipe.paths import LogicalPath

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from assetpipe.config import Config, Root

# All but the first keep their name: configured as ``plain``, as ``tagged`` ("kept"), or of a private root.
Naming = Literal["fingerprint", "plain", "kept", "private"]


class Source(Struct, frozen=True):
    """One file to publish. ``shown`` is its path for people, ``relative`` that in its root, which patterns match; size,
    mtime and inode are what the walk saw.
    """

    path: LogicalPath
    file: str
    shown: str
    size: int
    mtime_ns: int
    inode: int
    relative: str
    naming: Naming

    @property
    def private(self) -> bool:
        """Whether no URL leads to it."""
        return self.naming == "private"


class _Place(Struct, frozen=True):
    """A folder that the walk comes to: its path, that relative to its root, its real path, the real ones around it."""

    folder: str
    relative: str
    real: str
    inside: frozenset[str]


class Folder(Struct, frozen=True):
    """What one folder held when it was looked at: sources by the names of their files, and the folders to go on to.

    ``mtime_ns`` and ``inode`` are the folder's own, -1 where they are not known; ``looked_ns`` is when.
    """

    sources: dict[str, Source]
    folders: tuple[_Place, ...]
    problems: tuple[Problem, ...]
    mtime_ns: int
    inode: int
    looked_ns: int


class Walk(Struct, frozen=True):
    """What a walk over all roots finds: sources by logical path, and the problems met.

    ``folders`` are all that it came to, by root and path, in order; ``clashes`` the problems with names alone.
    """

    sources: dict[LogicalPath, Source]
    problems: tuple[Problem, ...]
    folders: dict[tuple[int, str], Folder]
    clashes: tuple[Problem, ...] = ()


def find(config: Config, before: Walk | None = None, hints: Collection[str] | None = None) -> Walk:
    """Walk the roots of ``config``; never raises for what it meets on disk.

    ``before`` is an earlier walk by the same configuration. With ``hints``, only the folders that these paths lie in
    (or are) are looked at again, and those that are new.
    """
    problems: list[Problem] = []
    roots = config.folders()
    rules = _Rules(config, roots)
    folders: dict[tuple[int, str], Folder] = {}
    known = before.folders if before is not None else {}
    stale = None if hints is None else _stale(hints, {folder for _, folder in known})
    for number, root in enumerate(roots):
        if (problem := _unusable(root, rules, config)) is not None:
            problems.append(problem)
            continue
        top = os.path.realpath(root.folder)
        pending = [_Place(str(root.folder), "", top, frozenset({top}))]
        while pending:
            place = pending.pop()
            folder = known.get((number, place.folder))
            if folder is None or stale is None or place.folder in stale or place.real in stale:
                folder = _look(place, root, rules, folder, top)
            folders[number, place.folder] = folder
            pending.extend(reversed(folder.folders))
    if before is not None and _are_same(folders, known):
        return Walk(before.sources, before.problems, folders, before.clashes)
    found: dict[LogicalPath, Source] = {}
    origin: dict[LogicalPath, Root] = {}
    for (number, _), folder in folders.items():
        problems.extend(folder.problems)
        root = roots[number]
        for source in folder.sources.values():
            other = found.setdefault(source.path, source)
            if other is source:
                origin[source.path] = root
            elif not _is_same(other.file, source.file):
                problems.append(_clash(source, other, same_prefix=origin[source.path].prefix == root.prefix))
    same = before is not None and found.keys() == before.sources.keys()
    clashes = before.clashes if before is not None and same else tuple(_case_clashes(found))
    return Walk(found, (*problems, *clashes), folders, clashes)


def is_racy(mtime_ns: int, looked_ns: int) -> bool:
    """Whether what was changed at ``mtime_ns`` could have changed after we looked without its mtime moving.

    "Racily clean", as git calls it. Most file systems tick every few milliseconds; those with whole seconds, of two.
    """
    return looked_ns - mtime_ns <= (2_000_000_000 if mtime_ns % 1_000_000_000 == 0 else 50_000_000)


def _stale(hints: Collection[str], known: Collection[str]) -> set[str]:
    """The folders to look at: those of the hints, and around a folder that is not known those up to one that is."""
    stale = set(hints)
    for folder in map(os.path.dirname, hints):
        while folder not in stale:
            stale.add(folder)
            if folder in known:
                break
            folder = os.path.dirname(folder)
    return stale


def _are_same(folders: Mapping[tuple[int, str], Folder], others: Mapping[tuple[int, str], Folder]) -> bool:
    """Whether two walks have found the very same sources, and met the same problems."""
    return folders.keys() == others.keys() and all(
        folder is (other := others[key])
        or (
            folder.problems == other.problems
            and folder.sources.keys() == other.sources.keys()
            and all(source is other.sources[name] for name, source in folder.sources.items())
        )
        for key, folder in folders.items()
    )


def _unusable(root: Root, rules: _Rules, config: Config) -> Problem | None:
    """What is wrong with a root as a whole."""
    if not root.folder.is_dir():
        where = f"{config.origin.name}: " if config.origin else ""
        what = "is not a folder" if root.folder.exists() else "does not exist"
        return Problem(
            kind="missing-root",
            severity=Severity.ERROR,
            text=f"{where}the root of {root.prefix} {what}: {rules.shown(str(root.folder))}",
            hint="Make it, or name another: [tool.assetpipe.roots], --source DIR, or --app for an app's own.",
        )
    if rules.is_ours(os.path.realpath(root.folder)):
        return Problem(
            kind="root-in-dist",
            severity=Severity.ERROR,
            text=f"the root of {root.prefix} lies where releases or results are written: "
            f"{rules.shown(str(root.folder))}",
            hint="Publish elsewhere: [tool.assetpipe] dist = …, or --dist DIR.",
        )
    return None


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # whichever has vanished is told when it is read
        return False


def read(source: Source) -> bytes:
    """Read a source whole. Raises SourceError where it has vanished since the walk, or cannot be read."""
    try:
        return files.read(source.file)
    except OSError as error:
        raise unreadable(source.shown, error) from error


def unreadable(shown: str, error: OSError) -> SourceError:
    """Say why a source cannot be read, and what to do."""
    if isinstance(error, FileNotFoundError):
        what, hint = "the file vanished during the build", "Nothing was published. Run the build again."
    else:
        what = f"cannot be read: {error.strerror or error}"
        hint = "Make it readable for this user, or leave it out by an ignore pattern."
    return SourceError(Problem(kind="unreadable", severity=Severity.ERROR, text=what, file=shown, hint=hint))


class _Rules:
    """The configuration's patterns (gitignore's, matched against paths relative to a root) and what is not to be
    walked, ready to ask.
    """

    def __init__(self, config: Config, roots: Iterable[Root]) -> None:
        self._base = str(config.base)
        self._never = {os.path.realpath(config.dist_folder), os.path.realpath(config.cache_folder)}
        private = [root for root in roots if root.private]
        self.private_prefixes = tuple(normalize("NFC", root.prefix) for root in private)
        self._private_folders = tuple(os.path.join(os.path.realpath(root.folder), "") for root in private)
        self._ignore = patterns.compiled("ignore", config.ignore)
        self._plain = patterns.compiled("plain", config.plain)
        self._kept = patterns.compiled("tagged", config.tagged)

    def shown(self, file: str) -> str:
        """The path as a person would type it in the project's folder."""
        relative = os.path.relpath(file, self._base)
        shown = file if relative.startswith("..") else relative
        # Names that are not UTF-8 are shown as well as may be: neither a terminal nor JSON takes them as they are.
        return shown.encode(errors="surrogateescape").decode(errors="replace")

    def ignores_file(self, relative: str) -> bool:
        return self._ignore is not None and self._ignore.match_file(relative)

    def ignores_folder(self, relative: str) -> bool:
        """Whether the last pattern that matches the folder itself ignores it, as git decides whether to go in."""
        for pattern in reversed(self._ignore.patterns if self._ignore is not None else ()):
            if pattern.include is not None and pattern.match_file(relative + "/") is not None:
                return pattern.include
        return False

    def is_ours(self, real: str) -> bool:
        return real in self._never or any(real.startswith(folder + os.sep) for folder in self._never)

    def is_private(self, real: str) -> bool:
        """Whether it is, or lies in, the folder of a private root."""
        return (real + os.sep).startswith(self._private_folders)

    def naming(self, relative: str) -> Naming:
        if self._plain is not None and self._plain.match_file(relative):
            return "plain"
        if self._kept is not None and self._kept.match_file(relative):
            return "kept"
        return "fingerprint"


def _look(place: _Place, root: Root, rules: _Rules, before: Folder | None, top: str) -> Folder:
    """Look at one folder; what has not moved since ``before`` is taken from there."""
    looked_ns = time.time_ns()
    sources: dict[str, Source] = {}
    folders: list[_Place] = []
    problems: list[Problem] = []
    known = before.sources if before is not None else {}

    def done(mtime_ns: int = -1, inode: int = -1) -> Folder:
        return Folder(sources, tuple(folders), tuple(problems), mtime_ns, inode, looked_ns)

    if not root.private and rules.is_private(place.real):
        problems.append(_exposed(f"{root.prefix}{place.relative}", place.folder, rules))
        return done()
    try:
        own = os.stat(place.folder)
        with os.scandir(place.folder) as listing:
            entries = sorted(listing, key=_name)
    except OSError as error:
        problems.append(unreadable(rules.shown(place.folder), error).problem)
        return done()
    for entry in entries:
        name = entry.name
        if name.startswith(".") and name != ".well-known":
            continue
        relative = place.relative + name
        try:
            real: str | None = os.path.join(place.real, name)
            # Both spellings: "/*" with "!/css/" ignores the link "css" but not the folder "css/" that it leads to.
            if linked := entry.is_symlink():
                if not (rules.ignores_file(relative) and rules.ignores_folder(relative)):
                    real = _link_target(entry.path, top, place.inside, rules, problems)
            elif (same := known.get(name)) is not None and before is not None:
                found = entry.stat()
                if (
                    (found.st_mtime_ns, found.st_size, found.st_ino) == (same.mtime_ns, same.size, same.inode)
                    and stat.S_ISREG(found.st_mode)
                    and not is_racy(same.mtime_ns, before.looked_ns)
                ):
                    sources[name] = same
                    continue
            if real is None or rules.is_ours(real):
                continue
            if entry.is_dir():
                if not rules.ignores_folder(relative):
                    folders.append(_Place(entry.path, relative + "/", real, place.inside | {real}))
                continue
            if rules.ignores_file(relative):
                continue
            # What an entry says of a link's target is of when it was first asked.
            found = os.stat(entry.path) if linked else entry.stat()
        except OSError as error:
            problems.append(unreadable(rules.shown(entry.path), error).problem)
            continue
        if not stat.S_ISREG(found.st_mode):
            problems.append(
                _warning("special-file", rules.shown(entry.path), "not a regular file: left out", "Delete it.")
            )
            continue
        try:
            path = LogicalPath(root.prefix + relative)
        except ValueError:
            problems.append(
                Problem(
                    kind="bad-name",
                    severity=Severity.ERROR,
                    text="the name is not valid UTF-8, so no URL can spell it",
                    file=rules.shown(entry.path),
                    hint="Rename the file.",
                )
            )
            continue
        if not root.private and (rules.is_private(real) or path.startswith(rules.private_prefixes)):
            problems.append(_exposed(path, entry.path, rules))
            continue
        source = Source(
            path,
            entry.path,
            rules.shown(entry.path),
            found.st_size,
            found.st_mtime_ns,
            found.st_ino,
            relative,
            "private" if root.private else rules.naming(relative),
        )
        if before is not None and known.get(name) == source and not is_racy(source.mtime_ns, before.looked_ns):
            source = known[name]
        sources[name] = source
    return done(own.st_mtime_ns, own.st_ino)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _link_target(link: str, top: str, inside: frozenset[str], rules: _Rules, problems: list[Problem]) -> str | None:
    """The real path that a link leads to, or None where it must not be followed, with the reason as a problem."""
    shown = rules.shown(link)
    try:
        real = os.path.realpath(link, strict=True)
    except OSError as error:
        loops = not isinstance(error, FileNotFoundError)
        what = "a symbolic link that leads back to itself" if loops else "a symbolic link that leads nowhere"
        problems.append(_warning("bad-link", shown, f"{what}: not followed", "Delete or mend the link."))
        return None
    if os.path.commonpath([real, top]) != top:
        hint = "Copy the file into the root, or make its folder a root of its own."
        problems.append(_warning("link-out", shown, "a symbolic link out of its root: not followed", hint))
        return None
    if real in inside:
        hint = "Delete the link."
        problems.append(_warning("link-loop", shown, "a symbolic link to a folder that it lies in: not followed", hint))
        return None
    return real


def _exposed(path: str, file: str, rules: _Rules) -> Problem:
    return Problem(
        kind="private-source",
        severity=Severity.ERROR,
        text=f"{path} would be public, but a private root has this place",
        file=rules.shown(file),
        hint="Move it, ignore it, or give the private root a folder and a prefix of its own.",
    )


def _warning(kind: str, file: str, text: str, hint: str) -> Problem:
    return Problem(kind=kind, severity=Severity.WARNING, text=text, file=file, hint=hint)


def _clash(source: Source, other: Source, *, same_prefix: bool) -> Problem:
    if same_prefix and source.path == other.path and os.path.basename(source.file) == os.path.basename(other.file):
        return Problem(
            kind="shadowed",
            severity=Severity.NOTE,
            text=f"{source.path} is taken from {other.shown}, which comes first",
            file=source.shown,
        )
    return Problem(
        kind="two-sources",
        severity=Severity.ERROR,
        text=f"two sources at one path: {source.path} is also {other.shown}",
        file=source.shown,
        hint="Rename or ignore one of them, or give the folders different prefixes.",
    )


def _case_clashes(sources: dict[LogicalPath, Source]) -> Iterator[Problem]:
    # Private files lie elsewhere than the others.
    folded: dict[tuple[str, bool], Source] = {}
    for path, source in sources.items():
        other = folded.setdefault((path.casefold(), source.private), source)
        if other is not source:
            yield Problem(
                kind="case-clash",
                severity=Severity.WARNING,
                text=f"{path} and {other.path} differ only in case",
                file=source.shown,
                hint="On macOS and Windows they are one file. Rename one of them.",
            )
