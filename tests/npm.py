"""Real packages from npm, fetched once into ``.cache/npm``, and what npm's own parsers see in a text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec import Struct

from assetpipe import references
from assetpipe.references.draft import Draft, Ref
from tests.drafts import whole

FOLDER = Path(__file__).parent.parent / ".cache" / "npm"
INSTALL = "apt-get install nodejs npm"
ORACLE = Path(__file__).parent / "oracle.mjs"
PARSERS = ("acorn@8.19.0", "css-tree@3.2.1", "es-module-lexer@3.0.5")
# Syntax trees take a hundred times the room of their text: so many bytes of sources for one process of node.
CHUNK = 16_000_000


class Verdict(Struct):
    """What the oracle says of one file, and what ours said and took.

    ``truth`` is what the oracle sees; ``missed`` and ``invented`` are references, with their offsets where the file is
    UTF-8. ``tree`` says of the minified text: ``kept`` (nothing was left out), the same ``tree``, the same ``tokens``
    (where css-tree keeps a part as raw text), or ``different``. Where ``parsed`` is false, acorn could not read the
    file, and at most es-module-lexer could. ``lexer`` says where that disagrees with acorn; ``doubts`` what css-tree is
    known to read otherwise than the specification. ``scanning`` and ``minifying`` are seconds of CPU.
    """

    file: Path
    size: int
    refs: int
    truth: list[str] = []
    missed: list[str] = []
    invented: list[str] = []
    identical: bool = True
    parsed: bool = True
    tree: str = ""
    lexer: str = ""
    doubts: list[str] = []
    scanning: float = 0.0
    minifying: float = 0.0

    @property
    def faults(self) -> list[str]:
        """All that is wrong of ours, in words."""
        return [
            *(f"missed {ref}" for ref in self.missed),
            *(f"invented {ref}" for ref in self.invented),
            *([] if self.identical else ["the pieces do not make the text again"]),
            *(["the minified text has another syntax tree"] if self.tree == "different" else []),
        ]


def node() -> str:
    """The ``node`` command; skips the test where there is none."""
    command = shutil.which("node")
    if command is None or shutil.which("npm") is None:
        pytest.skip(f"needs node and npm: {INSTALL}")
    return command


def package(spec: str, *, optional: bool = False) -> Path:
    """The folder of the package ``name@version``; fetched if it is not there yet, if need be with what is optional."""
    node()
    name, _, _ = spec.rpartition("@")
    prefix = FOLDER / spec.strip("@").replace("/", "-")
    folder = prefix / "node_modules" / name
    if not (prefix / "complete").exists():
        prefix.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]
        omitted = ["--omit=peer"] if optional else ["--omit=peer", "--omit=optional"]
        done = subprocess.run(
            [*command, *omitted, "--prefix", str(prefix), spec],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.fail(f"npm install {spec}: {done.stderr}")
        (prefix / "complete").touch()
    return folder


def oracle(files: Path, *options: str) -> Any:
    """What ``oracle.mjs`` answers to a JSON list of files."""
    for spec in PARSERS:
        package(spec)
    done = subprocess.run(
        [node(), str(ORACLE), str(FOLDER), str(files), *options],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def judge(files: Iterable[Path], seconds: dict[str, float] | None = None) -> Iterator[Verdict]:
    """Hold our tokenizers against the oracle on sheets and scripts; ``seconds`` collects what its parsers took."""
    with TemporaryDirectory() as scratch:
        for chunk in _chunks(files):
            drafts, listed, verdicts = [], [], []
            for n, file in enumerate(chunk):
                scan = references.scanner(file.name)
                assert scan is not None, file
                text = file.read_bytes()
                started = time.process_time()
                draft = scan(text, False)
                scanned = time.process_time()
                minified = whole(scan(text, True))
                verdict = Verdict(file, len(text), len(draft.refs))
                verdict.scanning, verdict.minifying = scanned - started, time.process_time() - scanned
                verdict.identical = whole(draft) == text
                if minified == text:
                    verdict.tree = "kept"
                into = Path(scratch, f"{n}.min")
                into.write_bytes(minified)
                drafts.append(draft)
                listed.append({"file": str(file), "minified": str(into)})
                verdicts.append(verdict)
            asked = Path(scratch, "files.json")
            asked.write_text(json.dumps(listed))
            answer = oracle(asked)
            if seconds is not None:
                for parser, took in answer["seconds"].items():
                    seconds[parser] = seconds.get(parser, 0) + took
            for verdict, draft, told in zip(verdicts, drafts, answer["files"], strict=True):
                _compare(verdict, draft, told)
                yield verdict


def _chunks(files: Iterable[Path]) -> Iterator[list[Path]]:
    chunk: list[Path] = []
    size = 0
    for file in files:
        chunk.append(file)
        size += file.stat().st_size
        if size > CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _compare(verdict: Verdict, draft: Draft, told: dict[str, Any]) -> None:
    """Fill in what the oracle told."""
    verdict.doubts = told.get("doubts", [])
    imports = told.get("imports")
    mine = list(_places(draft))
    if told["refs"] is None:
        verdict.parsed = False
        if imports is not None:
            # Only what is imported: the lexer tells of no other reference.
            named = Counter(_path(url) for url in imports)
            found = Counter(_path(ref.path) for _, ref in mine if ref.manner == "module")
            verdict.missed = [repr(path) for path in (named - found).elements()]
            verdict.invented = [repr(path) for path in (found - named).elements()]
        return
    if verdict.file.suffix != ".css" and not told["agreed"]:
        verdict.lexer = "cannot read the file" if imports is None else "sees other imports"
    theirs = [*told["refs"], *([told["map"]] if told["map"] else [])]
    exact = all(place is not None for place, _ in theirs)
    true = Counter((place if exact else None, _path(url)) for place, url in theirs)
    ours = Counter((place if exact else None, _path(ref.path)) for place, ref in mine)
    verdict.truth = [path for _, path in true.elements()]
    verdict.missed = [f"{path!r} at byte {place}" for place, path in (true - ours).elements()]
    verdict.invented = [f"{path!r} at byte {place}" for place, path in (ours - true).elements()]
    if verdict.tree != "kept":
        verdict.tree = told["same"]


def _path(url: str) -> str:
    """The path of a URL; of a bare specifier, which may begin with a hash, as much as would be one."""
    return re.split("(?<!^)[?#]", url, maxsplit=1)[0]


def _places(draft: Draft) -> Iterator[tuple[int, Ref]]:
    """Every hole with its offset in the text, behind the blanks that it may begin with."""
    place = 0
    for piece in draft.pieces:
        if isinstance(piece, bytes):
            place += len(piece)
        else:
            yield place + len(piece.written) - len(piece.written.lstrip(b" \t\r\n\f")), piece
            place += len(piece.written)
