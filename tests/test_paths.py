from __future__ import annotations

import hashlib
import unicodedata
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.paths import Digest, LogicalPath, resolve, spell, split_reference


def test_a_digest_has_one_hash_in_four_spellings() -> None:
    digest = Digest.of(b"he", b"llo")
    assert digest == hashlib.sha256(b"hello").hexdigest()
    assert digest.raw == hashlib.sha256(b"hello").digest()
    assert digest.tag == digest[:12]
    assert digest.etag.startswith('"')
    assert digest.integrity == "sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


@pytest.mark.parametrize("text", ["", "a", "a/b", "//a", "/a//b", "/a/../b", "/./a", "/..", "/a/", "/a\0b", "/"])
def test_what_could_leave_a_folder_is_no_logical_path(text: str) -> None:
    with pytest.raises(ValueError, match="not a logical path"):
        LogicalPath(text)


def test_logical_paths_are_in_nfc() -> None:
    decomposed = unicodedata.normalize("NFD", "/söß.css")
    assert LogicalPath(decomposed) == "/söß.css"


@pytest.mark.parametrize(
    ("path", "tagged"),
    [
        ("/static/css/app.css", "/static/css/app.TAG.css"),
        ("/a.tar.gz", "/a.tar.TAG.gz"),
        ("/LICENSE", "/LICENSE.TAG"),
        ("/.well-known/.x", "/.well-known/.x.TAG"),
        ("/a b#?%.js", "/a b#?%.TAG.js"),
    ],
)
def test_the_tag_goes_before_the_last_suffix(path: str, tagged: str) -> None:
    assert LogicalPath(path).tagged("TAG") == tagged


@given(st.text(alphabet=st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=255))
def test_a_tagged_name_with_a_coding_fits_a_file_system(name: str) -> None:
    if unicodedata.normalize("NFC", name) in (".", ".."):
        return
    tagged = LogicalPath("/" + name).tagged("0123456789ab")
    assert "0123456789ab" in tagged
    suffix = tagged.name.rpartition(".")[2]
    if len(suffix.encode()) < 200:
        assert len(tagged.name.encode()) + len(".zst") <= 255


@pytest.mark.parametrize(
    ("reference", "split"),
    [
        ("a.png", ("a.png", "")),
        ("../f.eot?#iefix", ("../f.eot", "?#iefix")),
        ("/s.svg#icon", ("/s.svg", "#icon")),
        ("a.js?v=1#x?y", ("a.js", "?v=1#x?y")),
        ("a:b", None),
        ("./a:b", ("./a:b", "")),
        ("1a:b.css", ("1a:b.css", "")),
        ("", None),
        ("#icon", None),
        ("?x", None),
        ("//cdn.example/a.css", None),
        ("\\\\cdn.example\\a.css", None),
        ("https://a.example/b.css", None),
        ("DATA:image/png;base64,AA", None),
    ],
)
def test_references_of_this_site_are_told_from_others(reference: str, split: tuple[str, str] | None) -> None:
    assert split_reference(reference) == split


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("b.css", "/static/css/b.css"),
        ("./b.css", "/static/css/b.css"),
        ("../img/a%20b.png", "/static/img/a b.png"),
        ("%2e%2e/x.css", "/static/x.css"),
        ("..\\img\\a.png", "/static/img/a.png"),
        ("/admin/x.js", "/admin/x.js"),
        ("../../../../x.css", "/x.css"),
        ("100%.png", "/static/css/100%.png"),
        ("s%C3%BC.css", "/static/css/sü.css"),
        ("su\u0308.css", "/static/css/sü.css"),
        ("a//b.css", None),
        ("img/", None),
        ("..", None),
        ("a%2Fb.css", None),
        ("a%00.css", None),
        ("%ff.css", None),
    ],
)
def test_references_resolve_as_in_a_browser(path: str, resolved: str | None) -> None:
    assert resolve(LogicalPath("/static/css/app.css"), path) == resolved


def test_references_resolve_below_the_root_of_the_site() -> None:
    assert resolve(LogicalPath("/app.css"), "img/a.png") == "/img/a.png"
    assert resolve(LogicalPath("/app.css"), "../a.png") == "/a.png"


_SEGMENT = st.sampled_from(["a", "b.css", "..", ".", "c d"])


@given(st.lists(_SEGMENT, min_size=1, max_size=6), st.sampled_from(["/x.css", "/s/x.css", "/s/t/x.css"]))
def test_resolving_agrees_with_the_standard_library(segments: list[str], base: str) -> None:
    reference = "/".join(segments)
    resolved = resolve(LogicalPath(base), reference)
    expected = urlsplit(urljoin(f"http://h{base}", reference)).path
    if resolved is not None:
        assert resolved == expected.rstrip("/")


@pytest.mark.parametrize(
    ("written", "url", "spelt"),
    [
        ("../img/a.png", "/static/img/a.TAG.png", "../img/a.TAG.png"),
        ("/static/a.png", "/static/a.TAG.png", "/static/a.TAG.png"),
        ("a b.png", "/static/a b.TAG.png", "a%20b.TAG.png"),
        ("s%C3%BC/a.png", "/static/sü/a.TAG.png", "s%C3%BC/a.TAG.png"),
        ("it's (1).png", "/it's (1).TAG.png", "it%27s%20%281%29.TAG.png"),
        ('q".png', '/q".TAG.png', "q%22.TAG.png"),
        ("./a:b.css", "/a:b.TAG.css", "./a:b.TAG.css"),
        ("a%3Ab.css", "/a:b.TAG.css", "./a:b.TAG.css"),
        ("..\\a.png", "/a.TAG.png", "../a.TAG.png"),
    ],
)
def test_a_new_name_is_spelt_in_the_manner_of_the_old(written: str, url: str, spelt: str) -> None:
    assert spell(written, LogicalPath(url)) == spelt
