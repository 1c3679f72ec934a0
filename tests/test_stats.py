"""What access logs tell of a release: lines as servers write them, hostile ones, and the whole command."""

from __future__ import annotations

import gzip
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assetpipe import manifest, stats
from assetpipe.errors import ConfigError, ManifestError
from assetpipe.stats import Asked, Page, Stats
from tests import pictures
from tests.conftest import Command, Project, write

AGENT = '"Mozilla/5.0 (X11; Linux x86_64)"'
Read = Callable[..., Stats]


def common(target: str, status: int = 200, size: str = "10") -> str:
    return f'203.0.113.7 - - [10/Oct/2026:13:55:36 +0200] "GET {target} HTTP/1.1" {status} {size}'


def combined(target: str, status: int = 200, referer: str = "-") -> str:
    return f'{common(target, status)} "{referer}" {AGENT}'


@pytest.fixture
def published(project: Project) -> Project:
    """A release with a kept one behind it: a.css, b.css and robots.txt, and p.jpg with its rendition."""
    project.configure(plain=("robots.txt",))
    project.write(
        {"a.css": "a{color:blue}" * 30, "b.css": "b{}", "p.jpg": pictures.jpeg(), "robots.txt": "", "é.css": ""}
    )
    project.publish()
    project.write({"a.css": "a{color:red}" * 30})
    project.publish()
    return project


@pytest.fixture
def read(published: Project, tmp_path: Path) -> Read:
    """Take the lines as a log."""

    def gather(*lines: str | bytes, mount: str = "") -> Stats:
        log = tmp_path / "access.log"
        log.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
        return stats.gather(published.dist, [str(log)], mount)

    return gather


@pytest.fixture
def url(published: Project) -> Callable[[str], str]:
    """The tagged URL of an asset."""
    assets = manifest.load(published.dist / "manifest.json").assets
    return lambda name: assets[f"/static/{name}"].url


@pytest.fixture
def old(published: Project) -> str:
    """The URL of a.css in the release before."""
    current = manifest.load(published.dist / "manifest.json")
    return manifest.load(published.dist / f"releases/{current.retained[0]}.json").assets["/static/a.css"].url


def asked(path: str, count: int = 1, **pages: int) -> Asked:
    return Asked(path, count, tuple(Page(f"http://h/{page}", times) for page, times in pages.items()))


PLAIN = "/static/a.css"
CADDY = (
    '{"level":"info","ts":1.5,"msg":"handled request","request":{"method":"GET","uri":"/static/a.css?v=1","headers":'
    '{"Referer":["http://h/\\"q"],"Accept":["*/*"]}},"size":10,"status":200,"resp_headers":{"Server":["Caddy"]}}'
)


@pytest.mark.parametrize(
    ("line", "bytes_", "referer"),
    [
        # As nginx, Apache, gunicorn, uvicorn, Flask's own server and Caddy wrote them.
        (common(PLAIN), 10, ""),
        (common(PLAIN, 304, "-"), 0, ""),
        (combined(PLAIN, referer="http://h/page"), 10, "http://h/page"),
        (combined(PLAIN, referer="http://h/page?secret=1#x"), 10, "http://h/page"),
        ("www.h.example:443 " + combined(PLAIN, referer="http://h/") + ' 0.002 "-" cache=HIT', 10, "http://h/"),
        ("Oct 10 13:55:36 host nginx: " + combined(PLAIN), 10, ""),
        ('INFO:     127.0.0.1:55612 - "GET /static/a.css HTTP/1.1" 404 Not Found', 0, ""),
        ('127.0.0.1 - - [10/Oct/2026 13:55:36] "\x1b[36mGET /static/a.css HTTP/1.1\x1b[0m" 304 -', 0, ""),
        ('h - "a \\"b" [x] "GET /static/a.css HTTP/2.0" 200 10', 10, ""),
        ('h - - [x] "GET /static/a.css" 200 10', 10, ""),
        ('{"request":"GET /static/a.css HTTP/1.1","status":"200","body_bytes_sent":"10","http_referer":"-"}', 10, ""),
        ('{"request_uri":"/static/a.css?x","uri":"/b","status":200,"http_referer":"http://h/"}', 0, "http://h/"),
        ('{"uri": "/static/a.css", "status": 200, "http_referer": "-"}', 0, ""),
        (CADDY, 10, 'http://h/"q'),
        ('{"request":{"uri":"/static/a.css"},"status":304,"size":0}', 0, ""),
        # The ways to write a target.
        (common("/static/a.css?v=1"), 10, ""),
        (common("/static/%61.css#top"), 10, ""),
        (common("http://h.example/static/a.css"), 10, ""),
        (common("HTTPS://u@h.example:8443/static/a.css?x=/y"), 10, ""),
        (common("/static/\\x61.css"), 10, ""),
        # What nginx, Apache and gunicorn make of a quote, a backslash and a control character in a field.
        (combined(PLAIN, referer="http://h/\\x22q\\x5C\\x1B"), 10, 'http://h/"q\\\x1b'),
        (combined(PLAIN, referer='http://h/\\"q\\\\\\t'), 10, 'http://h/"q\\\t'),
        (combined(PLAIN, referer="http://h/\\xC3\\xA9\\xFF"), 10, "http://h/é\ufffd"),
        (common(PLAIN) + ' "http://cut off', 10, ""),
    ],
)  # fmt: skip
def test_a_request_is_read_from_the_line_of_any_server(read: Read, line: str, bytes_: int, referer: str) -> None:
    told = read(line)
    assert [(one.path, one.count) for one in told.plain] == [(PLAIN, 1)]
    assert (told.requests, told.bytes) == (1, bytes_)
    assert [page.url for page in told.plain[0].referers] == ([referer] if referer else [])
    assert not [problem for problem in told.problems if problem.kind == "log-unread"]


@pytest.mark.parametrize(
    "line",
    [
        common("/"),
        common("/static"),
        common("/staticfiles/x", 404),
        common("/page?next=/static/a.css", 404),
        common("*"),
        'h - - [x] "\\x16\\x03\\x01\\x00garbage" 400 157 "-" "-"',
        'h - - [x] "-" 408 - "-" "-"',
        'h - - [x] "" 400 0',
        'h - - [x] "CONNECT h.example:443 HTTP/1.1" 405 0',
        '{"request":"\\u0016garbage","request_uri":"","status":"400","body_bytes_sent":157}',
        "",
        "# a comment",
    ],
)
def test_what_is_not_for_an_asset_is_left_out(read: Read, line: str) -> None:
    told = read(common(PLAIN), line)
    assert (told.requests, told.missing, told.unknown, told.problems) == (1, (), 0, ())


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"\xff\xfe\x00\x80",
        b'h - - [x] "GET /static/a.css HTTP/1.1" abc 10',
        b'h - - [x] "GET /static/a.css HTTP/1.1 200 10',
        b'h - - [x] "GET /static/a.css HTTP/1.1" 2000 10',
        b"{",
        b"{}",
        b'{"level":"info","msg":"serving initial configuration"}',
        b'{"request":"GET / HTTP/1.1","status":"ok"}',
        b'{"uri":"/static/a.css","status":200,"size":-1}',
        b'{"uri":"/static/a.css","status":200,"size":%s}' % (b"9" * 6000),
        b'{"uri":"/static/a.css","status":200,"x":%s' % (b"[" * 30_000),
        b"assetpipe_bytes_total NaN",
        b"assetpipe_bytes_total 1e999",
        b'assetpipe_replies_total{kind="br"} 1.0',
        b'assetpipe_replies_total{kind="br",status="?"} 1.0',
        b"x" * 100_000,
        b'"' * 100_000,
        b'"A \\"' * 30_000,
        b"\\" * 100_000,
        b'assetpipe_missing_total{path="a' * 10_000,
        b"a{" + b"} 1" * 9_000 + b"x",
    ],
)
def test_a_line_that_makes_no_sense_is_told_by_its_number(read: Read, line: bytes) -> None:
    told = read(common(PLAIN), line, line, common(PLAIN))
    assert (told.requests, told.lines) == (2, 4)
    [problem] = told.problems
    assert (problem.kind, problem.line) == ("log-unread", 2)
    assert problem.text.startswith("2 of 4 lines were not understood")


def test_lines_that_are_not_utf_8_are_read_all_the_same(read: Read) -> None:
    told = read(
        combined("/static/\xff.css", 404).encode("latin-1"),
        combined("/static/%ff.css", 404),
        b'{"request_uri":"/static/\xff.css","status":404,"http_referer":"http://h/\xff"}',
    )
    assert told.missing == (Asked("/static/\ufffd.css", 3, (Page("http://h/\ufffd", 1),)),)


def test_the_end_of_a_long_line_is_not_looked_at(read: Read) -> None:
    told = read(f'{common(PLAIN)} "-" "{"x" * 1_000_000} {common(PLAIN)}"', common(PLAIN))
    assert (told.lines, told.requests) == (2, 2)


def test_every_url_of_an_asset_counts_for_it(published: Project, read: Read, url: Callable[[str], str]) -> None:
    everything = ("/static/a.css", "/static/b.css", "/static/p.jpg", "/static/robots.txt", "/static/é.css")
    assert read(common("/static/none.css", 404)).never == everything
    told = read(common(url("a.css") + ".br"), common(url("b.css"), 304), common("/static/robots.txt"))
    assert told.never == ("/static/p.jpg", "/static/é.css")
    [rendition] = manifest.load(published.dist / "manifest.json").assets["/static/p.jpg"].renditions
    told = read(common(rendition.url), common("/static/%C3%A9.css"))
    assert told.never == ("/static/a.css", "/static/b.css", "/static/robots.txt")
    assert [one.path for one in told.plain] == ["/static/é.css"]


def test_plain_urls_are_told_by_how_often_and_from_where_they_are_asked_for(read: Read) -> None:
    told = read(
        *[combined("/static/b.css", referer="http://h/old")] * 2,
        *[combined("/static/a.css", referer="http://h/about?page=1")] * 3,
        combined("/static/a.css", referer="http://h/home"),
        combined("/static/a.css.br"),
        combined("/static/robots.txt", referer="http://h/home"),
    )
    assert told.plain == (asked("/static/a.css", 5, about=3, home=1), asked("/static/b.css", 2, old=2))


def test_missing_urls_are_told_the_most_frequent_first(read: Read) -> None:
    told = read(
        combined("/static/x.css", 404, "http://h/home"),
        *[combined("/static/y.css?v=1", 404, "http://h/home")] * 2,
        combined("/static/y.css?v=2", 404, "http://h/about"),
        combined("/favicon.ico", 404, "http://h/home"),
    )
    assert told.missing == (asked("/static/y.css", 3, home=2, about=1), asked("/static/x.css", home=1))
    assert told.statuses == {404: 4}


def test_urls_of_older_releases_are_told_and_count_for_their_asset(read: Read, old: str) -> None:
    told = read(combined(old, referer="http://h/cached"), common(old + ".gz"))
    assert told.stale == (asked(old, cached=1), asked(old + ".gz"))
    assert "/static/a.css" not in told.never


def test_urls_that_no_kept_release_has_are_a_warning(read: Read) -> None:
    told = read(common("/static/a.0123456789ab.css"), common(PLAIN))
    assert (told.requests, told.unknown, told.missing) == (2, 1, ())
    assert [(problem.kind, problem.text[:2]) for problem in told.problems] == [("log-unknown", "1 ")]


def test_at_the_root_only_what_got_404_may_have_been_an_asset(project: Project, tmp_path: Path) -> None:
    project.configure(roots={"/": "static"})
    project.write({"a.css": "a{}"})
    project.publish()
    log = write(tmp_path, {"log": "\n".join([common("/"), common("/a.css"), common("/x.css", 404)])}) / "log"
    told = stats.gather(project.dist, [str(log)])
    assert (told.requests, told.unknown, told.problems) == (2, 0, ())
    assert told.missing == (asked("/x.css"),)


@pytest.mark.parametrize("mount", ["/app", "/app/", "app"])
def test_a_mount_point_is_taken_off(read: Read, mount: str) -> None:
    told = read(common("/app/static/a.css"), common(PLAIN), common("/application/static/a.css", 404), mount=mount)
    assert (told.requests, told.plain) == (1, (asked(PLAIN),))


def test_a_log_of_another_site_is_a_warning(read: Read) -> None:
    [problem] = read(common("/app/static/a.css")).problems
    assert (problem.kind, "--mount" in problem.hint) == ("log-elsewhere", True)


def test_the_most_frequent_of_very_many_names_are_kept(read: Read) -> None:
    frequent = combined("/static/frequent.css", 404, "http://h/page")
    many = [combined(f"/static/{n}.css", 404, f"http://h/{n}") for n in range(50_000)]
    told = read(*[frequent] * 9, *many, *[frequent] * 9)
    assert told.missing[0] == asked("/static/frequent.css", 18, page=18)
    assert len(told.missing) <= 40_000
    assert told.statuses == {404: 50_018}


def test_logs_that_were_rotated_and_packed_are_read_together(published: Project, tmp_path: Path) -> None:
    plain, packed = tmp_path / "access.log", tmp_path / "access.log.2.gz"
    plain.write_text(common(PLAIN) + "\n")
    # As logrotate and cat leave them: in several members.
    packed.write_bytes(gzip.compress(f"{common(PLAIN)}\n".encode()) + gzip.compress(common("/static/b.css").encode()))
    told = stats.gather(published.dist, [str(plain), str(packed)])
    assert told.plain == (asked("/static/a.css", 2), asked("/static/b.css"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no request was found. Lines: 0."),
        (
            b"Once upon a time\n\x00\x01\n",
            "no request was found. Lines: 2. What is known: the Common and Combined Log Format",
        ),
        (b"python_info 1.0\n", "no request was found. Lines: 1."),
        (gzip.compress(common(PLAIN).encode())[:-9], "cannot be read: Compressed file ended"),
        (gzip.compress(b"x")[:4] + b"\xff" * 30, "cannot be read: "),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_log_that_is_none_is_refused_with_a_reason(
    published: Project, tmp_path: Path, data: bytes | None, reason: str
) -> None:
    log = tmp_path / "log"
    if data is not None:
        log.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        stats.gather(published.dist, [str(log)])
    assert str(caught.value).startswith(f"{log}: ")
    assert reason in str(caught.value)


def test_without_a_release_there_is_nothing_to_hold_a_log_against(project: Project) -> None:
    with pytest.raises(ManifestError, match="there is no manifest"):
        stats.gather(project.dist, ["-"])


def test_the_command_prints_a_report(published: Project, assetpipe: Command, old: str) -> None:
    lines = [
        *[combined("/static/b.css", referer=f"http://h/{n}") for n in range(5)],
        *[combined(f"/static/missing{n:02}.css", 404) for n in range(25)],
        *[combined("/static/missing00.css", 404)] * 1000,
        combined(old, referer="http://h/cached"),
        combined("/page"),
    ]
    write(published.folder, {"assetpipe.toml": "plain = ['robots.txt']", "log": "\n".join(lines)})
    done = assetpipe("stats", "log")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        """\
1,031 requests for assets, 10.3 kB
  200      6
  404  1,025

Never asked for: 3
  /static/p.jpg
  /static/robots.txt
  /static/é.css

Asked for by the plain URL, though there is a tagged one: 1
  5  /static/b.css
       1 from http://h/0
       1 from http://h/1
       1 from http://h/2
       … and from 2 more

Answered 404: 25
  1,001  /static/missing00.css
      1  /static/missing01.css
"""
    )
    assert done.out.endswith(
        f"""\
      1  /static/missing19.css
  … and 5 more: --all names them

Asked for in older releases: 1
  1  {old}
       1 from http://h/cached
"""
    )
    everything = assetpipe("stats", "log", "--all").out
    assert "… and" not in everything
    assert "missing24" in everything
    assert "http://h/4" in everything


def test_json_is_all_that_stdout_holds(published: Project, assetpipe: Command, old: str) -> None:
    write(published.folder, {"log": f"{combined(old, referer='http://h/p')}\n{common(PLAIN)}\n?\n"})
    done = assetpipe("stats", "log", "--json")
    assert done.code == 0
    told: dict[str, Any] = done.json
    assert told.pop("problems")[0]["kind"] == "log-unread"
    assert told == {
        "lines": 3,
        "requests": 2,
        "bytes": 20,
        "statuses": {"200": 2},
        "assets": 5,
        "never": ["/static/b.css", "/static/p.jpg", "/static/robots.txt", "/static/é.css"],
        "plain": [{"path": PLAIN, "count": 1, "referers": []}],
        "missing": [],
        "stale": [{"path": old, "count": 1, "referers": [{"url": "http://h/p", "count": 1}]}],
        "unknown": 0,
    }


def test_what_clients_chose_cannot_act_on_the_terminal(published: Project, assetpipe: Command) -> None:
    hostile = "/static/%1b]0;owned%07%0a%E2%80%AEx%C2%9b.css"
    write(published.folder, {"log": combined(hostile, 404, "http://h/\\x1b[2J\\xe2\\x80\\xae")})
    out = assetpipe("stats", "log").out
    assert r"/static/\x1b]0;owned\x07\n\u202ex\x9b.css" in out
    assert r"from http://h/\x1b[2J\u202e" in out
    assert not set(out) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_standard_input_is_a_log_packed_or_not(published: Project, pack: Callable[[bytes], bytes]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "assetpipe", "stats", "-", "--json"],
        cwd=published.folder, input=pack(common(PLAIN).encode()), capture_output=True, check=True,
    )  # fmt: skip
    assert (b'"requests":1' in done.stdout, done.stderr) == (True, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["stats"], 2, "Missing argument 'FILE...'"),
        (["stats", "nowhere.log"], 2, "nowhere.log: cannot be read: No such file or directory"),
        (["stats", "static"], 2, "static: cannot be read: Is a directory"),
        (["stats", "assetpipe.toml"], 2, "assetpipe.toml: no request was found. Lines: 1. What is known: "),
        (["stats", "assetpipe.toml", "--dist", "nowhere"], 1, "there is no manifest"),
    ],
)
def test_wrong_usage_says_what_is_right(
    published: Project, assetpipe: Command, arguments: list[str], code: int, told: str
) -> None:
    write(published.folder, {"assetpipe.toml": "strict = true\n"})
    done = assetpipe(*arguments)
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    if len(arguments) > 1:
        assert told in assetpipe(*arguments, "--json").json["error"]


def test_flask_assets_stats_is_the_same(published: Project, assetpipe: Command) -> None:
    app = "from assetpipe import AssetPipe\nfrom flask import Flask\n"
    app += "app = Flask(__name__)\napp.register_blueprint(AssetPipe())\n"
    write(published.folder, {"app.py": app, "log": common(PLAIN)})
    told = assetpipe("assets", "stats", "log", "--json", module="flask").json
    assert told == assetpipe("stats", "log", "--json").json


def test_progress_is_drawn_on_a_terminal_and_wiped(published: Project) -> None:
    write(published.folder, {"log": (combined(PLAIN) + "\n") * 30_000})
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "assetpipe", "stats", "log"]
    with subprocess.Popen(command, cwd=published.folder, stdout=subprocess.DEVNULL, stderr=follower) as process:
        os.close(follower)
        seen = b""
        try:
            while data := os.read(leader, 65536):
                seen += data
        except OSError:
            pass
        os.close(leader)
    assert process.returncode == 0
    assert b"reading (MB)  0 of 3" in seen
    assert seen.endswith(b"\r\x1b[2K")
