"""From roots to sources: which files there are, under which logical paths.

1. Each root is walked with ``os.scandir``, folders in order of name.
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
from typing import TYPE_CHECKING, Literal
from unicodedata import normalize

from msgspec import Struct

from assetpipe import patterns
from assetpipe.errors import Problem, Severity, SourceError
from assetpipe.paths import LogicalPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


class Walk(Struct):
    """What a walk over all roots finds: sources by logical path, and the problems met."""

    sources: dict[LogicalPath, Source] = {}
    problems: list[Problem] = []


def find(config: Config) -> Walk:
    """Walk the roots of ``config``; never raises for what it meets on disk."""
    walk = Walk({}, [])
    roots = config.folders()
    rules = _Rules(config, roots)
    origin: dict[LogicalPath, Root] = {}
    for root in roots:
        if not root.folder.is_dir():
            where = f"{config.origin.name}: " if config.origin else ""
            what = "is not a folder" if root.folder.exists() else "does not exist"
            walk.problems.append(
                Problem(
                    kind="missing-root",
                    severity=Severity.ERROR,
                    text=f"{where}the root of {root.prefix} {what}: {rules.shown(str(root.folder))}",
                    hint="Make it, or name another: [tool.assetpipe.roots], --source DIR, or --app for an app's own.",
                )
            )
            continue
        if rules.is_ours(os.path.realpath(root.folder)):
            walk.problems.append(
                Problem(
                    kind="root-in-dist",
                    severity=Severity.ERROR,
                    text=f"the root of {root.prefix} lies where releases or results are written: "
                    f"{rules.shown(str(root.folder))}",
                    hint="Publish elsewhere: [tool.assetpipe] dist = …, or --dist DIR.",
                )
            )
            continue
        for source in _walk_root(root, rules, walk.problems):
            other = walk.sources.get(source.path)
            if other is None:
                walk.sources[source.path] = source
                origin[source.path] = root
            elif not _is_same(other.file, source.file):
                walk.problems.append(_clash(source, other, same_prefix=origin[source.path].prefix == root.prefix))
    walk.problems.extend(_case_clashes(walk.sources))
    return walk


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # whichever has vanished is told when it is read
        return False


def read(source: Source) -> bytes:
    """Read a source whole. Raises SourceError where it has vanished since the walk, or cannot be read."""
    try:
        with open(source.file, "rb") as file:
            return file.read()
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


def _walk_root(root: Root, rules: _Rules, problems: list[Problem]) -> Iterator[Source]:
    top = os.path.realpath(root.folder)
    # (folder, its path relative to the root, its real path, the real folders it lies in)
    pending = [(str(root.folder), "", top, frozenset({top}))]
    while pending:
        folder, prefix, real_folder, inside = pending.pop()
        if not root.private and rules.is_private(real_folder):
            problems.append(_exposed(f"{root.prefix}{prefix}", folder, rules))
            continue
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            problems.append(unreadable(rules.shown(folder), error).problem)
            continue
        folders = []
        for entry in entries:
            name = entry.name
            if name.startswith(".") and name != ".well-known":
                continue
            relative = prefix + name
            try:
                real: str | None = os.path.join(real_folder, name)
                # Both spellings: "/*" with "!/css/" ignores the link "css" but not the folder "css/" that it leads to.
                if entry.is_symlink() and not (rules.ignores_file(relative) and rules.ignores_folder(relative)):
                    real = _link_target(entry.path, top, inside, rules, problems)
                if real is None or rules.is_ours(real):
                    continue
                if entry.is_dir():
                    if not rules.ignores_folder(relative):
                        folders.append((entry.path, relative + "/", real, inside | {real}))
                    continue
                if rules.ignores_file(relative):
                    continue
                found = entry.stat()
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
            yield Source(
                path,
                entry.path,
                rules.shown(entry.path),
                found.st_size,
                found.st_mtime_ns,
                found.st_ino,
                relative,
                "private" if root.private else rules.naming(relative),
            )
        pending.extend(reversed(folders))


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
