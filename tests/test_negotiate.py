"""Which representation a client gets: tables of Accept and Accept-Encoding (RFC 9110 section 12.5)."""

from __future__ import annotations

from itertools import permutations

import pytest

from assetpipe.manifest import Asset, Encoding, Manifest, Rendition
from assetpipe.paths import Digest
from assetpipe.serve.negotiate import select
from assetpipe.serve.resource import Resource
from assetpipe.serve.table import Table

CHROME_IMAGES = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
FIREFOX_IMAGES = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
OLD_SAFARI_IMAGES = "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"


def resource(asset: Asset) -> Resource:
    found = Table(Manifest(format=1, release="0" * 12, prefixes=("/s/",), assets={"/s/x": asset})).lookup(asset.url)
    assert found is not None
    return found


def text(identity: int = 1000, **encodings: int) -> Resource:
    """A text of which these encodings are kept, with their sizes."""
    made = {coding: Encoding(size, Digest.of(coding.encode())) for coding, size in encodings.items()}
    return resource(
        Asset(
            url="/s/x.0123456789ab.css",
            type="text/css; charset=utf-8",
            size=identity,
            sha256=Digest.of(b"identity"),
            encodings=made,
        )
    )


def picture(size: int = 1000, encodings: dict[str, Encoding] | None = None, **formats: int) -> Resource:
    """A JPEG with full-size renditions in these formats, and one narrower WebP that is not negotiated."""
    renditions = [
        Rendition(
            url=f"/s/x.aaaaaaaaaaaa.{name}",
            type=f"image/{name}",
            size=made,
            sha256=Digest.of(name.encode()),
            width=100,
            height=100,
            negotiated=True,
        )
        for name, made in formats.items()
    ]
    narrow = Rendition(
        url="/s/x.bbbbbbbbbbbb.webp", type="image/webp", size=1, sha256=Digest.of(b"narrow"), width=10, height=10
    )
    return resource(
        Asset(
            url="/s/x.0123456789ab.jpg",
            type="image/jpeg",
            size=size,
            sha256=Digest.of(b"jpeg"),
            encodings=encodings or {},
            renditions=(*renditions, narrow),
        )
    )


def coding(of: Resource, accept_encoding: str | None) -> str | None:
    chosen = select(of, None, accept_encoding)
    return None if chosen is None else chosen.coding


def kind(of: Resource, accept: str | None, accept_encoding: str | None = None) -> str | None:
    chosen = select(of, accept, accept_encoding)
    return None if chosen is None else chosen.media_type


# Brotli is smallest, then zstd, then gzip: the usual order.
@pytest.mark.parametrize(
    ("field", "chosen"),
    [
        pytest.param(None, "identity", id="no field: nothing is promised"),
        pytest.param("", "identity", id="empty field: no coding is wanted"),
        pytest.param("   ", "identity", id="blank field"),
        pytest.param(",", "identity", id="a list of nothing"),
        pytest.param("br", "br", id="one"),
        pytest.param("gzip", "gzip", id="another"),
        pytest.param("zstd", "zstd", id="a third"),
        pytest.param("gzip, deflate, br, zstd", "br", id="what browsers send: the smallest"),
        pytest.param("gzip, deflate", "gzip", id="what browsers send without TLS"),
        pytest.param("gzip,deflate,br", "br", id="without blanks"),
        pytest.param("\tgzip\t,\tbr\t", "br", id="with tabs"),
        pytest.param("gzip,,br,", "br", id="empty members are skipped"),
        pytest.param("BR", "br", id="upper case"),
        pytest.param("GZip;Q=0.5", "gzip", id="mixed case, and the q too"),
        pytest.param("gzip;q=1.0, br;q=0.5", "gzip", id="q before size"),
        pytest.param("br;q=0.5, gzip;q=1.0", "gzip", id="the order in the field does not matter"),
        pytest.param("br;q=0.001, gzip;q=0.002", "gzip", id="the smallest weights there are"),
        pytest.param("br ; q=0.5 , gzip ; q=0.8", "gzip", id="blanks around the semicolon"),
        pytest.param("br;q=0, gzip;q=0.1", "gzip", id="q=0 forbids"),
        pytest.param("br;q=0.0, gzip;q=0.1", "gzip", id="q=0.0 forbids"),
        pytest.param("br;q=0.000", "identity", id="q=0.000 forbids"),
        pytest.param("br;q=0.", "identity", id="q=0. is a weight of nothing, as the grammar has it"),
        pytest.param("br;q=1., gzip;q=0.9", "br", id="q=1. is a weight of one"),
        pytest.param("br;q=1.000, gzip;q=0.999", "br", id="three decimals"),
        pytest.param("x-gzip", "gzip", id="the old name of gzip (section 8.4.1.3)"),
        pytest.param("X-GZIP;q=0.3", "gzip", id="the old name in upper case"),
        pytest.param("x-gzip;q=0, *", "br", id="the old name forbids, too: the star stands for the others"),
        pytest.param("x-br-foo", "identity", id="a longer name that contains one"),
        pytest.param("brotli", "identity", id="a longer name that begins with one"),
        pytest.param("x-br, xgzip, gzip2, zstdx", "identity", id="other names that look alike"),
        pytest.param("br gzip", "identity", id="two names without a comma are none"),
        pytest.param("compress, deflate", "identity", id="what we do not have"),
        pytest.param("*", "br", id="star: anything, the smallest"),
        pytest.param("*, br;q=0", "zstd", id="star without one"),
        pytest.param("*;q=0.5, gzip", "gzip", id="a name ranks by its own weight, not the star's"),
        pytest.param("*;q=0.5, gzip;q=0.2, identity;q=0.1", "br", id="the star's weight for the unnamed"),
        pytest.param("*;q=0, gzip", "gzip", id="*;q=0 forbids all but the named"),
        pytest.param("*;q=0, identity", "identity", id="*;q=0 with identity named"),
        pytest.param("identity", "identity", id="identity alone"),
        pytest.param("identity;q=0.5, gzip;q=0.4", "identity", id="identity preferred"),
        pytest.param("identity;q=0.5, gzip;q=0.6", "gzip", id="identity second"),
        pytest.param("identity, gzip", "gzip", id="identity as good as gzip: the smaller"),
        pytest.param("identity;q=0, gzip", "gzip", id="identity forbidden, a coding at hand"),
        pytest.param("identity;q=0, br;q=0.001", "br", id="identity forbidden, a coding barely wanted"),
        pytest.param("gzip;q=0.001", "gzip", id="named at all beats not named"),
        pytest.param("identity;q=0", None, id="identity forbidden, nothing else named"),
        pytest.param("*;q=0", None, id="*;q=0 forbids identity, too"),
        pytest.param("identity;q=0, *;q=0", None, id="all forbidden"),
        pytest.param("identity;q=0, deflate", None, id="identity forbidden, and what is wanted we do not have"),
        pytest.param("gzip;q=abc", "identity", id="a weight that is no number"),
        pytest.param("gzip;q=", "identity", id="a weight that is missing"),
        pytest.param("gzip;q=2", "identity", id="a weight above one"),
        pytest.param("gzip;q=1.001", "identity", id="a weight just above one"),
        pytest.param("gzip;q=-1", "identity", id="a negative weight"),
        pytest.param("gzip;q=0.1234", "identity", id="too many decimals"),
        pytest.param("gzip;q=.5", "identity", id="no digit before the point"),
        pytest.param("gzip;q=1e0", "identity", id="an exponent"),
        pytest.param("gzip;q=nan", "identity", id="not a number"),
        pytest.param("gzip;q=inf", "identity", id="infinity"),
        pytest.param("gzip;q=0_1", "identity", id="an underscore, which Python's float allows"),
        pytest.param("gzip;q=١", "identity", id="a digit of another script"),
        pytest.param("gzip;q=0.5\n, br;q=0.1", "br", id="a line feed is no blank"),
        pytest.param('gzip;q="0.5"', "identity", id="a quoted weight"),
        pytest.param("br;q=x, gzip;q=0.5", "gzip", id="one malformed member leaves the others"),
        pytest.param(";q=1, gzip", "gzip", id="a member without a name"),
        pytest.param("gzip;foo=bar;q=0", "identity", id="a parameter before the weight"),
        pytest.param("gzip;q=0.5;foo=bar", "gzip", id="a parameter after the weight"),
        pytest.param(", ".join(f"x{i}" for i in range(2000)) + ", gzip", "gzip", id="a long field is read to its end"),
    ],
)
def test_a_coding_is_chosen_as_section_12_5_3_says(field: str | None, chosen: str | None) -> None:
    assert coding(text(identity=1000, br=300, zstd=350, gzip=400), field) == chosen


@pytest.mark.parametrize("sizes", list(permutations((100, 200, 300))), ids=str)
def test_among_equals_the_smallest_body_is_sent(sizes: tuple[int, int, int]) -> None:
    by_coding = dict(zip(("br", "zstd", "gzip"), sizes, strict=True))
    smallest = min(by_coding, key=lambda coding: by_coding[coding])
    for field in ("br, zstd, gzip", "gzip;q=0.7, zstd;q=0.7, br;q=0.7", "*"):
        assert coding(text(identity=1000, **by_coding), field) == smallest


def test_a_coding_that_was_not_kept_is_not_promised() -> None:
    assert coding(text(gzip=400), "br, gzip;q=0.1") == "gzip"
    assert coding(text(gzip=400), "br") == "identity"


@pytest.mark.parametrize(
    ("field", "chosen"),
    [
        (None, "identity"),
        ("", "identity"),
        ("br, gzip", "identity"),
        ("*", "identity"),
        ("identity;q=0.001", "identity"),
    ],
)
def test_what_has_no_encodings_is_sent_as_it_is(field: str | None, chosen: str) -> None:
    assert coding(text(), field) == chosen


@pytest.mark.parametrize("field", ["identity;q=0", "*;q=0", "gzip, identity;q=0", "gzip, *;q=0"])
def test_what_has_no_encodings_is_not_acceptable_where_identity_is_forbidden(field: str) -> None:
    assert coding(text(), field) is None


# The sizes are in the order of AVIF, WebP, JPEG.
@pytest.mark.parametrize(
    ("field", "chosen"),
    [
        pytest.param(None, "image/jpeg", id="no field: nothing is promised"),
        pytest.param("", "image/jpeg", id="empty field"),
        pytest.param("*/*", "image/jpeg", id="*/* promises nothing"),
        pytest.param("image/*", "image/jpeg", id="image/* promises nothing"),
        pytest.param("image/*, */*;q=0.1", "image/jpeg", id="both promise nothing"),
        pytest.param("image/webp", "image/webp", id="named in full"),
        pytest.param("IMAGE/WebP", "image/webp", id="named in another case"),
        pytest.param("image/webp, */*;q=0.5", "image/webp", id="named beside a range"),
        pytest.param("image/webp, image/jpeg", "image/webp", id="equal: the smaller"),
        pytest.param("image/avif, image/webp", "image/avif", id="two named: the smaller"),
        pytest.param("image/avif;q=0.5, image/webp", "image/webp", id="q before size"),
        pytest.param("image/avif;q=0.5, image/webp;q=0.6, image/jpeg;q=0.7", "image/jpeg", id="the original preferred"),
        pytest.param("image/webp;q=0.3, image/*;q=0.7", "image/jpeg", id="a range ranks the original"),
        pytest.param("image/webp;q=0.3, */*;q=0.7", "image/jpeg", id="*/* ranks the original"),
        pytest.param("image/webp;q=0.5, image/*;q=0.4, */*;q=0.9", "image/webp", id="the nearer range counts"),
        pytest.param(
            "image/jpeg;q=0.2, image/*, image/webp;q=0.5", "image/webp", id="the full name counts over a range"
        ),
        pytest.param("image/webp;q=0.001", "image/webp", id="named at all beats not named"),
        pytest.param("image/webp;q=0", "image/jpeg", id="q=0 forbids the rendition"),
        pytest.param("image/webp;q=0, image/avif;q=0, */*", "image/jpeg", id="q=0 forbids all renditions"),
        pytest.param("image/jpeg;q=0, image/webp", "image/webp", id="q=0 forbids the original"),
        pytest.param("image/*;q=0, image/webp", "image/webp", id="a range at q=0, but one named"),
        pytest.param("text/html", "image/jpeg", id="nothing fits: the original all the same"),
        pytest.param("image/jpeg;q=0", None, id="the original forbidden, nothing else named"),
        pytest.param("image/*;q=0", None, id="all images forbidden"),
        pytest.param("*/*;q=0", None, id="all forbidden"),
        pytest.param("image/webp;q=oops", "image/jpeg", id="a malformed weight"),
        pytest.param("image/webp2, image/web, webp, x-image/webp", "image/jpeg", id="names that look alike"),
        pytest.param("image/webp;q=0.9;level=1, image/jpeg;q=0.8", "image/webp", id="a parameter after the weight"),
        pytest.param(CHROME_IMAGES, "image/avif", id="Chrome"),
        pytest.param(FIREFOX_IMAGES, "image/avif", id="Firefox"),
        pytest.param(OLD_SAFARI_IMAGES, "image/jpeg", id="an old Safari"),
        pytest.param("text/html,application/xhtml+xml,*/*;q=0.8", "image/jpeg", id="an image opened in a tab"),
    ],
)
def test_a_rendition_is_chosen_only_where_it_is_named(field: str | None, chosen: str | None) -> None:
    assert kind(picture(1000, avif=300, webp=400), field) == chosen


def test_a_smaller_original_wins_among_equals() -> None:
    assert kind(picture(200, avif=300, webp=400), CHROME_IMAGES) == "image/jpeg"


def test_a_narrower_rendition_is_never_negotiated() -> None:
    chosen = select(picture(1000), CHROME_IMAGES, None)
    assert chosen is not None
    assert (chosen.media_type, chosen.size) == ("image/jpeg", 1000)


def test_accept_is_of_no_account_where_there_is_nothing_to_choose() -> None:
    assert kind(text(), "image/webp, text/*;q=0, */*;q=0") == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "accept_encoding", "chosen"),
    [
        pytest.param(None, "br", ("image/jpeg", "br"), id="the original, coded"),
        pytest.param("image/webp", "br", ("image/webp", "identity"), id="a rendition has no coding"),
        pytest.param("image/webp", None, ("image/webp", "identity"), id="a rendition without a coding asked for"),
        pytest.param("image/webp;q=0.5, image/jpeg", "br", ("image/jpeg", "br"), id="type first, then coding"),
        pytest.param(
            "image/webp", "identity;q=0, br", ("image/jpeg", "br"), id="identity forbidden: the rendition, too"
        ),
        pytest.param("image/webp, */*;q=0", "identity;q=0, br", None, id="type and coding shut each other out"),
    ],
)
def test_type_and_coding_are_weighed_together(
    accept: str | None, accept_encoding: str | None, chosen: tuple[str, str] | None
) -> None:
    coded = picture(1000, encodings={"br": Encoding(900, Digest.of(b"br"))}, webp=400)
    found = select(coded, accept, accept_encoding)
    assert (found and (found.media_type, found.coding)) == chosen


@pytest.mark.parametrize("accept_encoding", ["identity;q=0", "*;q=0"])
def test_renditions_are_not_acceptable_where_identity_is_forbidden(accept_encoding: str) -> None:
    assert kind(picture(1000, webp=400), "image/webp", accept_encoding) is None


def test_a_media_range_with_a_parameter_names_another_type() -> None:
    # Section 12.5.1: `image/webp;profile=x` is a more specific range, which what we have does not match.
    assert kind(picture(1000, webp=400), "image/webp;profile=x;q=1, */*;q=0.5") == "image/jpeg"


def test_a_weight_with_a_blank_in_it_is_malformed_and_not_a_wish() -> None:
    # Section 12.4.2: `weight = OWS ";" OWS "q=" qvalue`, with no blank around the equals sign.
    assert coding(text(gzip=400), "gzip;q =0") == "identity"
    assert coding(text(gzip=400), "gzip;q= 0") == "identity"
