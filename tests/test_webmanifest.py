from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.references.webmanifest import scan
from tests.drafts import whole

MANIFEST = """{
  "name": "src", "start_url": "/src", "src": "no.png",
  "icons": [{"src": "a.png", "sizes": "1x1"}, {"type": "x", "src": "..\\/b%20c.png?v#f"}],
  "screenshots": [ { "src": "\\u0061.jpg" } ],
  "shortcuts": [{"name": "s", "url": "/s", "icons": [{"src": "d.png"}], "src": "no.png"}],
  "related": {"icons": {"src": "no.png"}, "list": [{"src": "no.png"}, ["src", "no.png"]]},
  "other": [true, null, 1.5e3, {}, [], {"icons": "no.png"}]
}
"""


@pytest.mark.parametrize("minify", [False, True])
def test_pictures_become_holes_and_other_urls_stay(minify: bool) -> None:
    draft = scan(MANIFEST.encode(), minify)
    assert [(ref.path, ref.suffix) for ref in draft.refs] == [
        ("a.png", b""),
        ("../b%20c.png", b"?v#f"),
        ("a.jpg", b""),
        ("d.png", b""),
    ]
    assert (draft.refs[0].line, draft.refs[0].column) == (3, 22)
    assert json.loads(whole(draft).decode()) == json.loads(MANIFEST)


def test_bytes_stay_unless_minifying_which_leaves_out_blanks() -> None:
    assert whole(scan(MANIFEST.encode(), False)).decode() == MANIFEST
    assert whole(scan(b' { "icons" : [ { "src" : "a  b" } ] } \n', True)).decode() == '{"icons":[{"src":"a  b"}]}'


@pytest.mark.parametrize(
    "source",
    [b"", b"{", '{"icons":[]}'.encode("utf-16"), b"[1,]", b'{"icons": [{"src": "a.png}]}', b"\xff", b"[" * 100_000],
)
def test_what_is_no_json_stays(source: bytes) -> None:
    draft = scan(source, True)
    assert (draft.pieces, draft.refs) == ((source,), [])
    assert draft.broken or draft.not_utf8 or source.startswith(b"[[")


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["icons", "screenshots", "src", "a"]), inner, max_size=3)
    ),
    max_leaves=15,
)


@given(_JSON, st.sampled_from([None, 1]))
def test_any_json_means_the_same_afterwards(value: object, indent: int | None) -> None:
    source = json.dumps(value, indent=indent)
    assert whole(scan(source.encode(), False)).decode() == source
    assert json.loads(whole(scan(source.encode(), True)).decode()) == value
