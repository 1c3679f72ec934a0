from __future__ import annotations

import contextlib
import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetpipe.transforms import encodings

TEXT = b"a{color:red;background:url(x.png)}\n" * 40


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
def test_an_encoding_decodes_to_its_input(coding: str) -> None:
    encoded = encodings.encode(coding, TEXT)
    assert encoded is not None
    assert len(encoded) < len(TEXT)
    assert encodings.decode(coding, encoded) == TEXT


def test_the_codings_are_what_others_read() -> None:
    assert brotli.decompress(encodings.encode("br", TEXT)) == TEXT
    encoded = encodings.encode("gzip", TEXT)
    assert encoded is not None
    assert gzip.decompress(encoded) == TEXT
    assert encoded[4:8] == bytes(4), "no time in the header"


@given(st.binary(max_size=2000))
def test_an_encoding_that_saves_less_than_a_twentieth_is_not_made(data: bytes) -> None:
    for coding in ("br", "gzip", "zstd"):
        encoded = encodings.encode(coding, data)
        if encoded is None:
            assert coding != "gzip" or len(zlib.compress(data, 9)) + 6 > 0.95 * len(data)
        else:
            assert len(encoded) <= 0.95 * len(data)
            assert encodings.decode(coding, encoded) == data


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
@pytest.mark.parametrize("harm", ["cut", "changed", "longer", "empty"])
def test_damage_is_noticed(coding: str, harm: str) -> None:
    encoded = encodings.encode(coding, TEXT)
    assert encoded is not None
    harmed = {
        "cut": encoded[:-5],
        "changed": encoded[:12] + bytes((encoded[12] ^ 0xFF,)) + encoded[13:],
        "longer": encoded + b"tail",
        "empty": b"",
    }[harm]
    with contextlib.suppress(ValueError):
        assert encodings.decode(coding, harmed) != TEXT
