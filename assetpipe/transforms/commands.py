"""The user's own tools, Sass or esbuild or any other: one source in, the bytes of one asset out."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from assetpipe.errors import AssetpipeError, ConfigError
from assetpipe.paths import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What a browser is sent in place of what it cannot read.
SUFFIXES = {
    **dict.fromkeys((".scss", ".sass", ".less", ".styl", ".stylus", ".pcss"), ".css"),
    **dict.fromkeys((".ts", ".tsx", ".jsx", ".coffee"), ".js"),
    ".mts": ".mjs",
}
# A tool's message is shown up to here.
_LONGEST_MESSAGE = 4000
_ESCAPE_SEQUENCES = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_PLACEHOLDER = re.compile(r"\{(?:in|out)put\}")


class CommandError(AssetpipeError):
    """A tool failed; the text is the tool's own."""


class Tool:
    """A command line, ready to run in the folder ``base``. Raises ConfigError where there is no such program."""

    def __init__(self, run: str | Sequence[str], base: Path) -> None:
        try:
            self.arguments = tuple(shlex.split(run)) if isinstance(run, str) else tuple(run)
        except ValueError as error:
            raise ConfigError(f"command: {run}: {error}") from error
        for word in re.findall(r"\{(\w+)\}", " ".join(self.arguments)):
            if word not in ("input", "output") and (near := get_close_matches(word, ("input", "output"), 1, 0.75)):
                raise ConfigError(f"command: {{{word}}} is no placeholder. Did you mean {{{near[0]}}}?")
        self._base = base
        # The project's own tools come first, as in its npm scripts.
        self._path = os.pathsep.join((str(base / "node_modules" / ".bin"), os.environ.get("PATH", os.defpath)))
        self.name = Path(self.arguments[0]).name
        program = self.arguments[0]
        if os.sep in program:
            program = str(base / program)
        found = shutil.which(program, path=self._path)
        if found is None:
            raise ConfigError(
                f"command: there is no program `{self.arguments[0]}`, neither in node_modules/.bin nor on the PATH. "
                f"Install it, for example by `npm install --save-dev {self.name}`, or write its path."
            )
        self._program = found

    def version(self) -> str:
        """What tells one version of the tool from another: its program, the npm package that this belongs to, and files
        that its command line names (a script that the program runs, the tool's own configuration).
        """
        program = Path(self._program).resolve()
        package = next((f / "package.json" for f in program.parents if (f / "package.json").is_file()), None)
        files = [program] if package is None or "node_modules" not in program.parts else [program, package]
        named = [
            self._base / part for word in self.arguments[1:] for part in dict.fromkeys((word, word.rpartition("=")[2]))
        ]
        files += [file for file in named if os.path.isfile(file)]  # noqa: PTH113 - what is too long for a name is none
        return Digest.of(*(Digest.of(file.read_bytes()).raw for file in files)).tag

    def run(self, source: str, suffix: str, cancelled: Callable[[], bool]) -> tuple[bytes, float]:
        """Run on the file ``source``, and read what it wrote, and in how many seconds.

        It is ended when ``cancelled()`` says so, asked ten times a second. Raises CommandError with the tool's own
        message.
        """
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="assetpipe-") as folder:
            # Of the asset's name, since a tool may write that into its output (for a source map).
            output = Path(folder) / (Path(source).stem + suffix)
            files = {"{input}": source, "{output}": str(output)}
            filled = [_PLACEHOLDER.sub(lambda match: files[match[0]], argument) for argument in self.arguments[1:]]
            reads = any("{input}" in argument for argument in self.arguments)
            writes = any("{output}" in argument for argument in self.arguments)
            given = b"" if reads else Path(source).read_bytes()
            try:
                process = subprocess.Popen(
                    [self._program, *filled],
                    cwd=self._base,
                    env={**os.environ, "PATH": self._path},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            except OSError as error:
                raise CommandError(f"cannot be run: {error.strerror or error}") from error
            with process:
                said, told = _ended(process, given, cancelled)
            if process.returncode < 0:
                raise CommandError(f"ended by signal {-process.returncode}. {_message(told)}".rstrip())
            if process.returncode:
                raise CommandError(_message(told) or _message(said) or f"exit code {process.returncode}")
            if not writes:
                return said, time.perf_counter() - began
            try:
                return output.read_bytes(), time.perf_counter() - began
            except OSError as error:
                raise CommandError(_message(told) or "it ended well, but wrote no {output}") from error


def _ended(process: subprocess.Popen[bytes], given: bytes, cancelled: Callable[[], bool]) -> tuple[bytes, bytes]:
    """What a process wrote to its standard streams, by its end."""
    rest: bytes | None = given
    while True:
        try:
            return process.communicate(rest, timeout=0.1)
        except subprocess.TimeoutExpired:
            rest = None
            if cancelled():
                process.kill()


def family(suffix: str) -> frozenset[str]:
    """The suffixes of what is written in place of the same thing (``.scss``, ``.sass``, ``.css``), in lower case."""
    own = suffix.lower()
    become = SUFFIXES.get(own, own)
    return frozenset((own, become, *(one for one, other in SUFFIXES.items() if other == become)))


def suffix_of(name: str, suffix: str) -> str:
    """The suffix of the asset that a source of that name becomes: ``suffix``, or else the usual one."""
    own = os.path.splitext(name)[1]
    return suffix or SUFFIXES.get(own.lower(), own)


def _message(output: bytes) -> str:
    text = _ESCAPE_SEQUENCES.sub("", output.decode(errors="replace")).strip()
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " …"
