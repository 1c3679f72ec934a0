"""How right and how fast the scanners are: every reference in real packages from npm, against npm's own parsers.

``python bench/links.py [--packages N]`` prints Markdown; README.md, beside this file, says what it means.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

sys.path.insert(0, str(Path(__file__).parent.parent))

from assetpipe import references
from assetpipe.paths import split_reference
from tests import npm
from tests.drafts import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PACKAGES = (
    "bootstrap@5.3.8",
    "@fortawesome/fontawesome-free@7.1.0",
    "katex@0.16.25",
    "@material/web@2.5.0",
    "lit@3.3.3",
    "@shoelace-style/shoelace@2.20.1",
    "three@0.187.0",
    "swagger-ui-dist@5.35.0",
    "pdfjs-dist@6.5.438",
    "monaco-editor@0.57.0",
    "tinymce@8.9.2",
    "video.js@8.24.1",
    "mathjax@4.1.3",
    "jquery-ui-dist@1.13.3",
    "leaflet@1.9.4",
    "fomantic-ui-css@2.9.4",
    "ace-builds@1.45.2",
    "codemirror@6.65.7",
    "d3@7.9.2",
    "htmx.org@4.0.1",
    "alpinejs@3.17.5",
    "swiper@14.4.0",
    "slick-carousel@2.0.0",
    "select2@4.1.0",
    "datatables.net-dt@3.1.2",
    "chart.js@4.6.1",
    "echarts@6.1.0",
    "jquery@4.0.0",
    "vue@3.5.45",
    "@patternfly/patternfly@6.6.1",
    "@tabler/core@1.6.1",
    "@ckeditor/ckeditor5-build-classic@44.3.0",
    "quill@2.0.3",
    "plyr@3.8.4",
    "flatpickr@4.6.13",
    "@highlightjs/cdn-assets@11.12.0",
    "prismjs@1.30.0",
    "reveal.js@6.0.2",
    "@awesome.me/webawesome@3.14.0",
    "@fullcalendar/core@7.1.4",
    "bootstrap-icons@1.13.2",
    "bulma@1.0.4",
    "dropzone@6.3.5",
    "preact@11.2.0",
    "svelte@5.57.3",
    "tailwindcss@4.3.5",
)
LANGUAGES = {".css": "CSS", ".js": "JavaScript", ".mjs": "JavaScript", ".svg": "SVG", ".html": "HTML"}
JUDGED = ("CSS", "JavaScript")

# What one would write in a minute: the yardstick for missing and inventing.
NAIVE = {
    "CSS": re.compile(
        rb"""url\(\s*["']?(.*?)["']?\s*\)|@import\s*["'](.*?)["']|[@#]\s*sourceMappingURL=([^\s'"*]+)""", re.IGNORECASE
    ),
    "JavaScript": re.compile(
        rb"""\b(?:import|export)\b[^"'`;()]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']"""
        rb"""|\bnew\s+URL\(\s*["']([^"']+)["']\s*,\s*import\.meta\.url|[@#]\s*sourceMappingURL=([^\s'"*]+)"""
    ),
}

Made = dict[str, "Callable[[int], bytes]"]


def repeated(unit: bytes, head: bytes = b"", tail: bytes = b"") -> Callable[[int], bytes]:
    """Make a text of a given size out of one unit."""
    return lambda size: head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


# What makes careless patterns and stacks quadratic. By suffix.
HOSTILE: dict[str, Made] = {
    ".css": {
        "`url(` again and again": repeated(b"url("),
        "`url(\"` unterminated": repeated(b'url("'),
        "`url( ` and blanks": repeated(b" ", b"a{b:url("),
        "`@import ` again and again": repeated(b"@import "),
        "`@import/**/` again and again": repeated(b"@import/**/"),
        "`@import` and comments": repeated(b"/**/", b"@import"),
        "`/*` again and again": repeated(b"/*"),
        "`/**/`": repeated(b"/**/"),
        "`*` in a comment": repeated(b"*", b"/*"),
        "`\"` and newlines": repeated(b'"\n'),
        "an unterminated string": repeated(b"a", b'a{b:"'),
        "escapes": repeated(b"\\61 "),
        "escapes before a parenthesis": repeated(b"\\75 r\\6c("),
        "a url of escapes": repeated(b"\\61 ", b"a{b:url(", b"?x)}"),
        "nested parentheses": lambda size: b"a{b:" + b"(" * (size // 2) + b")" * (size // 2),
        "nested `image-set(`": repeated(b"image-set("),
        "strings in an `image-set(`": repeated(b'"a.png" 1x,', b"a{b:image-set("),
        "nested braces": repeated(b"{"),
        "custom properties": repeated(b"--a:"),
        "one long custom property": repeated(b"url(a) ", b"a{--b:"),
        "brackets in a custom property": repeated(b"[(", b"a{--b:url(x)"),
        "`--`": repeated(b"-"),
        "`var(--a,`": repeated(b"var(--a,"),
        "`@namespace ` again and again": repeated(b"@namespace "),
        "`@` again and again": repeated(b"@"),
        "one long name": repeated(b"a"),
        "source maps": repeated(b"/*# sourceMappingURL=a.map */"),
        "backslashes": repeated(b"\\", b"url(x)"),
        "blanks and newlines": repeated(b" \n", b"a", b"{b:url(x)}"),
    },
    ".js": {
        "`import x ` again and again": repeated(b"import x "),
        "`import{` again and again": repeated(b"import{"),
        "`import(` again and again": repeated(b"import("),
        "`import ` and comments": repeated(b"/**/", b"import "),
        "`import/**/` again and again": repeated(b"import/**/"),
        "`import{a,` of one clause": repeated(b"a,", b"import{"),
        "`import * as ` again and again": repeated(b"import * as "),
        "`export * from ` again and again": repeated(b"export * from "),
        "`export{` again and again": repeated(b"export{a "),
        "`export ` again and again": repeated(b"export "),
        "`import.meta` again and again": repeated(b"import.meta."),
        "`import.meta.resolve(` again and again": repeated(b"import.meta.resolve("),
        "`new URL(` again and again": repeated(b"new URL("),
        "`new URL(\"a\", ` again and again": repeated(b'new URL("a", ', b"import.meta;"),
        "`new URL(\"a\"` and blanks": repeated(b" ", b'import.meta;new URL("a"'),
        "`importScripts(` again and again": repeated(b"importScripts("),
        "one `importScripts(` of many": repeated(b'"a.js",', b"importScripts("),
        "imports": repeated(b'import "a";'),
        "deep templates": repeated(b"`${", b"import 'a';"),
        "a deep template of braces": repeated(b"{", b"import 'a';`${"),
        "`${` outside of templates": repeated(b"${", b"import 'a';"),
        "`/*` again and again": repeated(b"/*", b"import 'a';"),
        "`/**/`": repeated(b"/**/", b"import 'a';"),
        "`[/` again and again": repeated(b"[/", b"import 'a';"),
        "`)/` again and again": repeated(b")/", b"import 'a';"),
        "`}/` again and again": repeated(b"}/", b"import 'a';"),
        "`/[` again and again": repeated(b"/[", b"import 'a';"),
        "`a/` again and again": repeated(b"a/", b"import 'a';"),
        "`=/a/g` again and again": repeated(b"=/a/g", b"import 'a';"),
        "`/` and newlines": repeated(b"/\n", b"import 'a';"),
        "`<!--` again and again": repeated(b"<!--", b"import 'a';"),
        "an unterminated regular expression": repeated(b"a", b"import 'a';x=/"),
        "a regular expression of backslashes": repeated(b"\\\\", b"import 'a';x=/"),
        "an unterminated string": repeated(b"a", b"import 'a';\""),
        "quotes and newlines": repeated(b"'\n", b"import 'a';"),
        "backslashes": repeated(b"\\", b"import 'a';"),
        "nested parentheses": lambda size: b"import 'a';" + b"(" * (size // 2) + b")" * (size // 2),
        "nested braces": lambda size: b"import 'a';" + b"{" * (size // 2) + b"}" * (size // 2),
        "blanks": repeated(b" ", b"import 'a'"),
        "newlines between names": repeated(b"a\n", b"import 'a';"),
        "one long name": repeated(b"a", b"import 'a';"),
        "source maps": repeated(b"//# sourceMappingURL=a.map\n"),
        "U+2028": repeated("\u2028".encode(), b"import 'a';//"),
        "bytes that are not UTF-8": repeated(b"\xe2", b"import 'a';//"),
    },
    ".html": {
        "`<a href='` again and again": repeated(b"<a href='<a href='"),
        "`<a href=x ` again and again": repeated(b"<a href=x "),
        "`<` again and again": repeated(b"<"),
        "`<a ` again and again": repeated(b"<a "),
        "attributes": repeated(b"a=b ", b"<a "),
        "attributes without a value": repeated(b"a ", b"<img src=x "),
        "`&amp;` in one attribute": repeated(b"&amp;", b"<a href='x?", b"'>"),
        "`&amp;` in many attributes": repeated(b"<a href='x?a&amp;b'>"),
        "`&` in one attribute": repeated(b"&", b"<a href='x", b"'>"),
        "`&#x26;` in one attribute": repeated(b"&#x26;", b"<a href='x", b"'>"),
        "one `srcset` of many": repeated(b"a.png 1x, ", b"<img srcset='", b"'>"),
        "a `srcset` of commas": repeated(b",", b"<img srcset='", b"'>"),
        "`<!--` again and again": repeated(b"<!--"),
        "`<!-->` again and again": repeated(b"<!-- -- "),
        "`<script>` again and again": repeated(b"<script>"),
        "`<script><!--<script>` again and again": repeated(b"<script><!--<script>"),
        "`<style>` again and again": repeated(b"<style>"),
        "`</script` again and again": repeated(b"</script", b"<script>"),
        "`<textarea>` again and again": repeated(b"<textarea>"),
        "style attributes": repeated(b"<p style='a:url(x)'>"),
        "one style attribute": repeated(b"a:url(x);", b"<p style='", b"'>"),
        "`<base href=x>` again and again": repeated(b"<base href=x>"),
        "`<link rel=stylesheet href=x>` again and again": repeated(b"<link rel=stylesheet href=x>"),
        "`{{` again and again": repeated(b"{{"),
        "`<![CDATA[` again and again": repeated(b"<![CDATA["),
        "one line of references": repeated(b"<img src=x>"),
        "import maps": repeated(b"<script type=importmap>{\"imports\":{\"a\":\"b\"}}</script>"),
    },
    ".svg": {
        "`<use href='` again and again": repeated(b"<use href='"),
        "`<image href='x'/>` again and again": repeated(b"<image href='x'/>"),
        "`<?xml-stylesheet ` again and again": repeated(b"<?xml-stylesheet "),
        "`<![CDATA[` again and again": repeated(b"<![CDATA["),
        "`<!ENTITY ` again and again": repeated(b"<!ENTITY a 'b'>", b"<!DOCTYPE svg ["),
        "`fill='url(x)'` again and again": repeated(b"<path fill='url(x)'/>"),
        "`xml:base` nested": repeated(b"<g xml:base='a/'>"),
    },
}  # fmt: skip


# At the end of each, so that the scanner has to get there.
LAST = {".css": b"a{b:url(x)}", ".js": b"\nimport 'a';", ".html": b"<img src=x>", ".svg": b"<image href='x'/>"}


class Tally(Struct):
    """What one language comes to."""

    files: int = 0
    size: int = 0
    refs: int = 0
    missed: int = 0
    invented: int = 0
    trees: Counter[str] = field(default_factory=Counter)
    altered: int = 0
    unread: int = 0
    doubted: int = 0
    lexer: int = 0
    bare: int = 0
    bare_size: int = 0
    bare_seconds: float = 0.0
    scanning: float = 0.0
    minifying: float = 0.0
    naive_missed: int = 0
    naive_invented: int = 0
    naive_seconds: float = 0.0

    def add(self, one: npm.Verdict) -> None:
        """Count one file."""
        self.files += 1
        self.size += one.size
        self.refs += one.refs
        self.scanning += one.scanning
        self.minifying += one.minifying
        self.altered += not one.identical
        if not one.refs:
            self.bare += 1
            self.bare_size += one.size
            self.bare_seconds += one.scanning
        self.doubted += bool(one.doubts)
        self.unread += not one.parsed
        self.lexer += bool(one.lexer)
        if one.parsed:
            self.trees[one.tree] += 1
        self.missed += len(one.missed)
        self.invented += len(one.invented)


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(text + "\n")


def rate(size: int, seconds: float) -> str:
    """Megabytes a second."""
    return f"{size / seconds / 1e6:.0f}" if seconds else "–"


def texts(specs: Iterable[str]) -> Iterator[Path]:
    """Every text of the packages that a scanner is for, each content once."""
    seen = set()
    for n, spec in enumerate(specs, 1):
        say(f"package {n}: {spec}")
        folder = npm.package(spec)
        for file in sorted(folder.rglob("*")):
            if file.suffix not in LANGUAGES or not file.is_file() or "node_modules" in file.relative_to(folder).parts:
                continue
            digest = hashlib.sha256(file.suffix.encode() + file.read_bytes()).digest()
            if digest not in seen and references.scanner(file.name):
                seen.add(digest)
                yield file


def naive(language: str, tally: Tally, one: npm.Verdict) -> None:
    """Count what the regular expressions miss and invent."""
    text = one.file.read_bytes()
    started = time.process_time()
    found = [next(filter(None, match), b"") for match in NAIVE[language].findall(text)]
    tally.naive_seconds += time.process_time() - started
    named = (split_reference(url.strip().decode(errors="replace")) for url in found)
    theirs = Counter(split[0] for split in named if split is not None)
    truth = Counter(one.truth)
    tally.naive_missed += (truth - theirs).total()
    tally.naive_invented += (theirs - truth).total()


def time_alone(file: Path, tally: Tally) -> None:
    """Scan what the oracle knows nothing of."""
    scan = references.scanner(file.name)
    assert scan is not None
    text = file.read_bytes()
    started = time.process_time()
    draft = scan(text, False)
    scanned = time.process_time()
    scan(text, True)
    one = npm.Verdict(file, len(text), len(draft.refs))
    one.scanning, one.minifying = scanned - started, time.process_time() - scanned
    one.identical = whole(draft) == text
    tally.add(one)


def cpu(scan: Callable[[bytes, bool], object], text: bytes, minify: bool) -> float:
    """Least CPU time of three."""
    least = float("inf")
    for _ in range(3):
        started = time.process_time()
        scan(text, minify)
        least = min(least, time.process_time() - started)
        if least > 2:
            break
    return least


def hostile() -> Iterator[str]:
    """Lines of the table of inputs that are made to be slow."""
    yield "| input | 50 kB, ms | 200 kB, ms | ratio | minified: 50 kB, ms | 200 kB, ms | ratio |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for suffix, made in HOSTILE.items():
        scan = references.scanner("x" + suffix)
        if scan is None:
            continue
        for name, make in made.items():
            cells = []
            for minify in (False, True):
                small, large = (cpu(scan, make(size) + LAST[suffix], minify) for size in (50_000, 200_000))
                ratio = f"{large / small:.1f}" if large > 0.001 else "–"
                cells += [f"{small * 1000:.1f}", f"{large * 1000:.1f}", ratio]
            say(f"hostile: {suffix} {name}: {', '.join(cells)}")
            yield f"| {suffix[1:]}: {name} | {' | '.join(cells)} |"


def table(tallies: dict[str, Tally]) -> Iterator[str]:
    """Lines of the table of languages."""
    yield (
        "| | files | MB | references | missed | invented | syntax tree differs | bytes differ | MB/s scanning | "
        "MB/s minifying | files without a reference | MB/s of those |"
    )
    yield "|---|" + "--:|" * 11
    for language, one in tallies.items():
        judged = language in JUDGED
        yield (
            f"| {language} | {one.files:,} | {one.size / 1e6:.1f} | {one.refs:,} | {one.missed if judged else '–'} | "
            f"{one.invented if judged else '–'} | {one.trees['different'] if judged else '–'} | {one.altered} | "
            f"{rate(one.size, one.scanning)} | {rate(one.size, one.minifying)} | {one.bare:,} | "
            f"{rate(one.bare_size, one.bare_seconds)} |"
        )


def peers(tallies: dict[str, Tally], seconds: dict[str, float]) -> Iterator[str]:
    """Lines of the table of others, in the same run on the same files."""
    yield "| on the same files | missed | invented | MB/s |"
    yield "|---|--:|--:|--:|"
    for language in JUDGED:
        one = tallies[language]
        yield (
            f"| {language}: a regular expression | {one.naive_missed:,} | {one.naive_invented:,} | "
            f"{rate(one.size, one.naive_seconds)} |"
        )
    yield f"| CSS: css-tree, parsing | – | – | {rate(tallies['CSS'].size, seconds['css-tree'])} |"
    size = tallies["JavaScript"].size
    yield f"| JavaScript: acorn, parsing | – | – | {rate(size, seconds['acorn'])} |"
    yield f"| JavaScript: es-module-lexer (WebAssembly) | – | – | {rate(size, seconds['es-module-lexer'])} |"


def run(specs: tuple[str, ...]) -> str:
    """Say what was run, where and when."""
    return (
        f"{datetime.now(UTC).date()}, CPython {platform.python_version()} on {os.cpu_count()} cores, "
        f"{len(specs)} packages, against {', '.join(npm.PARSERS)}."
    )


def details(tallies: dict[str, Tally]) -> Iterator[str]:
    """Lines on how the oracle came to its figures."""
    for language in JUDGED:
        one = tallies[language]
        yield (
            f"- {language}: minified, {one.trees['tree']:,} files have the same tree, {one.trees['tokens']:,} the same "
            f"tokens where css-tree keeps raw text, {one.trees['kept']:,} were left as they are. {one.unread} could "
            f"not be read by the oracle, {one.doubted} it is known to read otherwise than the specification."
        )
    yield f"- acorn and es-module-lexer see other imports in {tallies['JavaScript'].lexer} files."


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=len(PACKAGES), help="only the first N packages")
    options = parser.parse_args()
    specs = PACKAGES[: options.packages]
    started = time.monotonic()
    tallies = {language: Tally() for language in LANGUAGES.values()}
    judged = []
    for file in texts(specs):
        language = LANGUAGES[file.suffix]
        if language in JUDGED:
            judged.append(file)
        else:
            time_alone(file, tallies[language])
    seconds: dict[str, float] = {}
    remarks = []
    unread: Counter[str] = Counter()
    size, done = sum(file.stat().st_size for file in judged), 0
    for n, one in enumerate(npm.judge(judged, seconds), 1):
        language = LANGUAGES[one.file.suffix]
        tallies[language].add(one)
        if one.parsed:
            naive(language, tallies[language], one)
        name = os.path.relpath(one.file, npm.FOLDER)
        remarks += [f"- `{name}`: {fault}" for fault in one.faults]
        remarks += [f"- `{name}`: css-tree: {doubt}" for doubt in one.doubts]
        if not one.parsed:
            cause = "has Flow's types" if b"@flow" in one.file.read_bytes() else "is no whole program"
            unread[f"`{Path(name).parts[0]}`: acorn cannot read what {cause}"] += 1
        elif one.lexer:
            remarks.append(f"- `{name}`: es-module-lexer {one.lexer}")
        done += one.size
        if n % 200 == 0 or n == len(judged):
            say(f"judged {n} of {len(judged)} files, {done / size:.0%}, {time.monotonic() - started:.0f} s")
    lines = [
        run(specs),
        "",
        *table(tallies),
        "",
        *details(tallies),
        "",
        *peers(tallies, seconds),
        "",
        f"Disagreements: {len(remarks) + unread.total()}",
        "",
        *remarks,
        *(f"- {cause}: {count} files" for cause, count in unread.items()),
        "",
        *hostile(),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    say(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
