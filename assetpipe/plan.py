"""What each source becomes: itself, or by one of the user's commands the asset of another suffix."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from assetpipe import patterns
from assetpipe.errors import ConfigError, Problem, Severity
from assetpipe.paths import Digest, LogicalPath
from assetpipe.transforms import commands

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from assetpipe.config import Command, Config
    from assetpipe.sources import Source


class Kit(Struct, frozen=True):
    """A command's tool for inputs of a suffix, with its version, and the digest of all that it may read beside them."""

    command: Command
    suffix: str
    tool: commands.Tool
    version: str
    read: Digest


class Run(Struct, frozen=True):
    """A command's run on one source, for an asset of that suffix."""

    source: Source
    kit: Kit
    suffix: str


class Plan(Struct):
    """The sources by their assets' paths, and the runs for those that commands make.

    ``aliases`` are the paths that these were known by before: references to them lead to what they became.
    """

    sources: dict[LogicalPath, Source] = {}
    runs: dict[LogicalPath, Run] = {}
    aliases: dict[LogicalPath, LogicalPath] = {}
    problems: list[Problem] = []


def plan(config: Config, found: Mapping[LogicalPath, Source]) -> Plan:
    """Find for each source the first command that matches it.

    Raises ConfigError where a command cannot be: its pattern is none, or there is no such program.
    """
    rules = [
        (spec, command)
        for command in config.command
        if (spec := patterns.compiled("command.match", patterns.listed(command.match))) is not None
    ]
    if not rules:
        return Plan(dict(found), {}, {}, [])
    planned = Plan({}, {}, {}, [])
    kits: dict[tuple[int, str], Kit] = {}
    plain = patterns.compiled("plain", config.plain)
    for path, source in found.items():
        which = next((n for n, (spec, _) in enumerate(rules) if spec.match_file(source.relative)), None)
        if which is None or source.naming == "kept":
            _take(planned, path, source)
            continue
        command = rules[which][1]
        own = os.path.splitext(path.name)[1]
        suffix = commands.suffix_of(path.name, command.suffix)
        became = LogicalPath(path.removesuffix(own) + suffix)
        # A pattern for the asset's name is as good as one for its source's.
        if plain is not None and not source.private and plain.match_file(source.relative.removesuffix(own) + suffix):
            source = replace(source, naming="plain")
        if _take(planned, became, source):
            if became != path:
                planned.aliases[path] = became
            if (which, own) not in kits:
                kits[which, own] = _kit(config, command, own)
            planned.runs[became] = Run(source, kits[which, own], suffix)
    planned.aliases = {path: became for path, became in planned.aliases.items() if path not in planned.sources}
    return planned


def _take(planned: Plan, path: LogicalPath, source: Source) -> bool:
    """Take a source for the asset ``path``, unless another has it."""
    other = planned.sources.get(path)
    if other is None:
        planned.sources[path] = source if source.path == path else replace(source, path=path)
        return True
    planned.problems.append(
        Problem(
            kind="two-sources",
            severity=Severity.ERROR,
            text=f"two sources at one path: {path} is also made of {other.shown}",
            file=source.shown,
            hint="Rename or ignore one of them.",
        )
    )
    return False


def is_as_before(config: Config, kit: Kit) -> bool:
    """Whether a tool, and all that it may read beside its input, is what it was when the build was planned."""
    try:
        return (kit.tool.version(), _read(config, kit.command, kit.suffix)) == (kit.version, kit.read)
    except OSError:  # its program is gone
        return False


def _kit(config: Config, command: Command, suffix: str) -> Kit:
    tool = commands.Tool(command.run, config.base)
    return Kit(command, suffix, tool, tool.version(), _read(config, command, suffix))


def _read(config: Config, command: Command, suffix: str) -> Digest:
    """The digest of the other files that a command may read beside inputs of that suffix."""
    if command.reads is not None:
        files = read_beside(config, command)
    else:
        suffixes = commands.family(suffix)
        ours = {config.dist_folder, config.cache_folder}
        files = [
            file
            for root in config.folders()
            for file in root.folder.rglob("*")
            if file.suffix.lower() in suffixes and not ours & {*file.parents}
        ]
    told = [(os.path.relpath(file, config.base), file) for file in sorted(set(files)) if file.is_file()]
    return Digest.of(*(Digest.of(name.encode(errors="surrogateescape")).raw + _digest(file) for name, file in told))


def read_beside(config: Config, command: Command) -> list[Path]:
    """The files that the command says it reads beside its input. Raises ConfigError where a glob is none."""
    try:
        return [file for glob in command.reads or () for file in config.base.glob(glob)]
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(f"command.reads: {', '.join(command.reads or ())}: {error}") from error


def _digest(file: Path) -> bytes:
    try:
        return Digest.of(file.read_bytes()).raw
    except OSError:  # if it is an input, the tool will say so
        return b""
