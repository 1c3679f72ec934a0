"""``respond`` against the slow reference: releases and requests that hypothesis makes up, most of them nearly valid."""

from __future__ import annotations

import email
import os
from collections.abc import Sequence
from email.message import Message
from functools import cache
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assetpipe.manifest import Asset, Encoding, Manifest, Rendition, release_id
from assetpipe.paths import Digest, LogicalPath
from assetpipe.serve.resource import Reply
from assetpipe.serve.table import Table
from tests import reference
from tests.reference import Expected, Fields, Form, Piece
from tests.requests import Request, Stretch, respond, told

# For a longer look: REFERENCE_EXAMPLES=50000 pytest tests/test_reference.py
EXAMPLES = int(os.environ.get("REFERENCE_EXAMPLES", "1000"))
thorough = settings(max_examples=EXAMPLES, deadline=None)
fewer = settings(max_examples=EXAMPLES // 5, deadline=None)


# Releases

TYPES = {
    "/static/app.css": "text/css; charset=utf-8",
    "/static/lib-1a2b3c4d.js": "text/javascript; charset=utf-8",
    "/static/hero.jpg": "image/jpeg",
    "/static/icon.png": "image/png",
    "/static/a.woff2": "font/woff2",
    "/static/a.eot": "application/vnd.ms-fontobject",
    "/blog/static/é #?%.txt": "text/plain; charset=utf-8",
    "/robots.txt": "text/plain; charset=utf-8",
}
CODINGS = ("br", "gzip", "zstd", "dcz")
PREFIXES = [("/static/",), ("/static/", "/blog/static/"), ("/", "/static/"), ("/",), ()]
UNKNOWN = ["/static/nothing", "/static/app.css.br", "/static", "/blog/static/", "/x", "", "*", "/static//app.css"]


class World(NamedTuple):
    """A current release with those that it retains, newest first, and the bytes of every file."""

    current: Manifest
    retained: tuple[Manifest, ...]
    cors: bool
    table: Table
    files: dict[str, bytes]

    @property
    def paths(self) -> list[str]:
        """Every path that some release has heard of; what several have heard of comes more often."""
        known = []
        for release in (self.current, *self.retained):
            for path, asset in (*release.assets.items(), *release.private.items()):
                known += [path, asset.url, *(rendition.url for rendition in asset.renditions)]
        return known + [path for path in known if known.count(path) > 1] + UNKNOWN


class Maker:
    """Makes releases from a seed. A path in a version is always the same bytes, so that releases share URLs."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.seed = seed
        self.files: dict[str, bytes] = {}
        self.originals: dict[tuple[str, int], bytes] = {}

    def world(self) -> World:
        current, *retained = (self.release() for _ in range(self.chance.choice((1, 2, 3, 3))))
        cors = self.chance.random() < 0.2
        table = Table(current, retained, cors=cors)
        return World(current, tuple(retained), cors, table, self.files)

    def release(self) -> Manifest:
        """A release in which no two assets claim one URL: what builds see to."""
        types = dict(TYPES)
        if self.chance.random() < 0.3:
            # A source that is called like the tagged URL of another one.
            like = LogicalPath("/static/app.css").tagged(Digest.of(self.original("/static/app.css", 0)).tag)
            types[like] = TYPES["/static/app.css"]
        assets: dict[str, Asset] = {}
        claimed: set[str] = set()
        for path, media_type in types.items():
            if self.chance.random() < 0.35:
                continue
            asset = self.asset(path, media_type)
            urls = {asset.url, *(rendition.url for rendition in asset.renditions)}
            if not urls & claimed:
                claimed |= urls
                assets[path] = asset
        prefixes = self.chance.choice(PREFIXES)
        private = {path: assets.pop(path) for path in list(assets) if self.chance.random() < 0.07}
        identity = release_id(assets, prefixes, private=private)
        return Manifest(format=1, release=identity, prefixes=prefixes, assets=assets, private=private)

    def asset(self, path: str, media_type: str) -> Asset:
        version = self.chance.choice((0, 0, 1, 2))
        data = self.original(path, version)
        tagged = LogicalPath(path).tagged(Digest.of(data).tag)
        manner = self.chance.choice(("tagged", "tagged", "tagged", "plain", "kept"))
        url = tagged if manner == "tagged" else path
        # Kept files of two releases may differ though they should not; their bytes lie where the URL says.
        file = tagged if manner == "plain" else ""
        self.files[f"/public{file or url}"] = data
        # Another build of a codec may code equal bytes otherwise.
        encodings = {}
        for coding in self.chance.sample(CODINGS, self.chance.choice((0, 0, 1, 2, 3, 4))):
            coded = self.made(f"{path} {version} {coding} {self.chance.randrange(2)}", self.size(len(data)))
            encodings[coding] = Encoding(len(coded), Digest.of(coded))
        renditions = []
        if media_type.startswith("image/"):
            for suffix in self.chance.sample((".webp", ".avif", ".webp "), self.chance.choice((0, 1, 2, 3))):
                made = self.made(f"{path} {version} {suffix}", self.size(len(data)))
                rendition = Rendition(
                    url=LogicalPath(path).tagged(Digest.of(made).tag, suffix.strip()),
                    type=f"image/{suffix.strip()[1:]}",
                    size=len(made),
                    sha256=Digest.of(made),
                    width=1,
                    height=1,
                    negotiated=suffix != ".webp ",
                )
                self.files[f"/public{rendition.url}"] = made
                renditions.append(rendition)
        return Asset(
            url=url,
            file=file,
            type=media_type,
            size=len(data),
            sha256=Digest.of(data),
            encodings=encodings,
            renditions=tuple(renditions),
            immutable=manner == "kept",
        )

    def original(self, path: str, version: int) -> bytes:
        if (path, version) not in self.originals:
            size = self.chance.choice((0, 1, 2, 10, 100, 1000, 3000, self.chance.randrange(3001)))
            self.originals[path, version] = self.made(f"{path} {version}", size)
        return self.originals[path, version]

    def size(self, of: int) -> int:
        """A size that is often that of the original, or one that others have, too."""
        return self.chance.choice((of, of, max(0, of - 1), 10, 100, of // 2))

    def made(self, name: str, size: int) -> bytes:
        return Random(f"{self.seed} {name}").randbytes(size)


@cache
def world(seed: int) -> World:
    """One of a thousand worlds: each is asked many things, as a table in a server is."""
    return Maker(seed).world()


# Requests. Hypothesis chooses in these lists what is right, what is nearly right, and what is neither.

BLANKS = ["", "", "", " ", "\t", " \t "]
COMMAS = [",", ", ", ", ", "\t,\t", ",,", ", ,", " ,\t, , "]
WEIGHTS = [
    *["", "", ";q=1", "; q=0", ";q=0.5", ";q=0.8", ";q=0.001", ";q=0.000", ";Q=0.3", " ;\tq=1.000", ";q=0.", ";q=1."]
    * 3,
    *[";q=0.999", ";q=.5", ";q=0.0001", ";q=1.001", ";q=2", ";q=-1", ";q=00", ";q=01", ";q=1e0", ";q=0_1", ";q=0.5555"],
    *[";q=nan", ";q", ";q=", ";q =0.5", ";q= 0.5", ';q="0.5"', ";q=0.5 0.5", ";q=\xbd", ";q=0.5;q=1", ";q=0;q=1"],
    *[";q=x;q=1", ";q=0.5;v=1", ";v=1", ";v=1;q=0.5", ";v=1;q=0", ";qq=0", ";q=0.5;", ";", ";;q=0", "; ;q=0.5"],
    *[';v="a, image/webp, br, b"', ';v="a;q=0";q=0.5', ';v="\\",image/webp;q=0.7,"', ';v="a'],
]
CODING_NAMES = [
    *["br", "br", "gzip", "gzip", "zstd", "identity", "*", "BR", "GZip", "x-gzip", "X-GZIP", "Identity"] * 3,
    *["dcz", "deflate", "x-br", "br2", "b r", "br\xa0", "\xfcbr", "", "* *", "q=1"],
]
TYPE_NAMES = [
    *["image/webp", "image/avif", "image/jpeg", "image/png", "image/*", "*/*", "IMAGE/WebP", "Image/Png"] * 3,
    *["image/", "image", "*", "*/webp", "image/webp2", "image /webp", "text/html", "image/webp\xa0", "", "/"],
]
# What is known only when the path and the form are: the tag of a form and what is nearly that, and positions about the
# end of a form. A character of Unicode's private area stands for each until then.
FORMS = range(3)
OWN, UPPER, CUT, BARE, SIZE = ([chr(start + place) for place in FORMS] for start in range(0xE000, 0xE050, 0x10))
NEAR = [chr(0xE100 + place) for place in range(4)]
TAGS = [
    *[*OWN * 5, *[f"W/{own}" for own in OWN], f"w/{OWN[0]}", f"W/ {OWN[0]}", *UPPER, *CUT, *BARE, '"x"', '""', '"a,b"'],
    *['"\xe9"', '"a b"', '"unclosed', "bare", "*", "*", '"\x7f"', "W/", 'W/ "x"', "", '"', "W/*"],
]
NUMBERS = ["0", "1", "2", "9", "10", "00", "007", "2999", "3000", "18446744073709551616", "9" * 200, *NEAR, *SIZE]
MALFORMED = ["", "-", "5", "a-b", "1-b", "0x1-2", "+1-2", "--1", "1--2", "1-2-3", "1 - 2", "1_0-", "1-2x", "\xb2-", "*"]
UNITS = ["bytes="] * 12 + ["Bytes=", "BYTES=", "byte=", "bytes", "bytes =", "bytes= ", "items=", "="]
VALIDATORS = [
    *[
        OWN[0],
        OWN[0],
        f" {OWN[0]} ",
        f"W/{OWN[0]}",
        f"w/{OWN[0]}",
        f"{OWN[0]}, {OWN[0]}",
        f"{OWN[0]},",
        OWN[1],
        UPPER[0],
    ],
    *["*", "", '"x"', "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "0"],
]

anything = st.text(st.characters(max_codepoint=255), max_size=40)
blanks = st.sampled_from(BLANKS)


def lists(members: st.SearchStrategy[str], max_size: int = 5) -> st.SearchStrategy[str]:
    """Lists of members with all that may stand between them, around them, and instead of them."""
    commas = st.sampled_from(COMMAS)
    return st.builds(
        lambda pairs, before, after: before + "".join(part for pair in pairs for part in pair)[:-1] + after,
        st.lists(st.tuples(members, commas), max_size=max_size),
        st.sampled_from([*BLANKS, ",", ", "]),
        st.sampled_from([*BLANKS, ",", " ,"]),
    )


def long(fields: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Fields longer than those that are remembered, or read as ranges."""
    return st.builds(lambda field, before: f"{before * 300}, {field}", fields, st.sampled_from(["x,", ",", " ", "br,"]))


def weighted(names: list[str]) -> st.SearchStrategy[str]:
    listed = lists(st.builds(lambda *parts: "".join(parts), st.sampled_from(names), blanks, st.sampled_from(WEIGHTS)))
    return often(listed, listed, listed, long(listed), anything)


def often(*choices: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of the choices, each as likely: ``one_of`` takes those apart that are made of several."""
    return st.integers(0, len(choices) - 1).flatmap(choices.__getitem__)


def maybe(present: st.SearchStrategy[str], absent: int = 1) -> st.SearchStrategy[str | None]:
    return often(present, *[st.none()] * absent)


listed_tags = lists(st.sampled_from(TAGS))
tags = often(
    listed_tags,
    listed_tags,
    st.sampled_from(["*", " * ", "*,", "* , *", *OWN, f" {OWN[0]}\t", f"{OWN[0]}junk", f"{OWN[1]} {OWN[0]}"]),
    long(listed_tags),
    anything,
)
numbers = often(st.sampled_from(NUMBERS), st.integers(0, 3100).map(str))
ordered = st.builds(lambda first, more: f"{first}-{first + more}", st.integers(0, 3100), st.integers(0, 40))
member = often(
    *[ordered] * 3,
    numbers.map("{}-".format),
    numbers.map("-{}".format),
    st.builds("{}-{}".format, numbers, numbers),
)
right = st.builds(
    "{0}{1}{2}{0}".format, st.sampled_from([""] * 8 + [" ", "\t"]), st.sampled_from(UNITS), lists(member, max_size=4)
)
# Two or three small ones of what may be large: the way to a multipart body.
several = st.lists(ordered, min_size=2, max_size=3).map(lambda two: "bytes=" + ",".join(two))


@st.composite
def chains(draw: st.DrawFn) -> str:
    """Ranges that overlap, touch, or leave a gap of one byte or more, in any order."""
    first, members = draw(st.integers(0, 60)), []
    for length, gap in draw(st.lists(st.tuples(st.integers(1, 9), st.integers(-3, 3)), min_size=2, max_size=4)):
        members.append(f"{first}-{first + length - 1}")
        first = max(0, first + length + gap)
    return "bytes=" + ",".join(draw(st.permutations(members)))


ranges = often(
    *[right, right, several, chains(), chains(), long(right), anything],
    lists(often(member, member, st.sampled_from(MALFORMED)), max_size=4).map("bytes={}".format),
    st.builds(lambda one, count: "bytes=" + ",".join([one] * count), member, st.integers(14, 18)),
    st.integers(510, 514).map("bytes=0-".ljust),
)
accepts, accept_encodings = weighted(TYPE_NAMES), weighted(CODING_NAMES)
conditions = {"if_match": maybe(tags, absent=3), "if_none_match": maybe(tags, absent=3)}
validators = often(st.sampled_from(VALIDATORS), tags)


def only(**given: st.SearchStrategy[Any]) -> st.SearchStrategy[Fields]:
    """Requests with no other fields. (``builds`` would make up those that are not given.)"""
    return st.fixed_dictionaries(given).map(lambda told: Fields(**told))


# Everything at once, and what only shows where nothing else comes before it.
fields = often(
    only(
        accept=maybe(accepts),
        accept_encoding=maybe(accept_encodings),
        **conditions,
        if_range=maybe(validators, absent=2),
        range=maybe(ranges),
    ),
    only(accept=maybe(accepts), accept_encoding=accept_encodings),
    only(accept=accepts, accept_encoding=maybe(accept_encodings)),
    only(**conditions, accept_encoding=st.sampled_from([None, "*", "br;q=0.5, gzip"])),
    only(range=ranges, accept_encoding=st.sampled_from([None, None, "*"])),
    only(range=often(right, several, chains()), if_range=st.sampled_from(VALIDATORS)),
)


def filled(field: str | None, forms: list[Form]) -> str | None:
    """The field with what stands for a tag or a position replaced."""
    if field is None or field.isascii():
        return field
    for place in FORMS:
        form = forms[place % len(forms)] if forms else Form("", "", "", 0, '""')
        field = field.replace(OWN[place], form.etag).replace(UPPER[place], form.etag.upper())
        field = field.replace(CUT[place], form.etag[:-1]).replace(BARE[place], form.etag.strip('"'))
        field = field.replace(SIZE[place], str(form.size))
    for more, character in enumerate(NEAR, -2):
        field = field.replace(character, str(max(0, forms[0].size + more) if forms else 0))
    return field


class Asked(NamedTuple):
    """A request, with the world that it is asked of."""

    seed: int
    method: str
    path: str
    fields: Fields

    @property
    def world(self) -> World:
        return world(self.seed)

    def expected(self) -> Expected | None:
        there = self.world
        return reference.expect(there.current, there.retained, self.method, self.path, self.fields, cors=there.cors)

    def reply(self) -> Reply | None:
        return respond(self.world.table, Request(self.method, self.path, *self.fields))

    @property
    def etag(self) -> str:
        """The tag of the original that is there."""
        named = reference.resolve(self.world.current, self.world.retained, self.path)
        assert named is not None
        return named.forms[0].etag

    def but(self, method: str | None = None, **fields: str | None) -> Asked:
        return self._replace(method=method or self.method, fields=self.fields._replace(**fields))


METHODS = ["GET"] * 20 + ["HEAD", "HEAD", "OPTIONS", "POST", "get", "TRACE", ""]
seeds = st.integers(0, 999)


def asking(seed: int, method: str, path: str, template: Fields) -> Asked:
    """The request of a template for a path: tags and positions are of what is there."""
    there = world(seed)
    named = reference.resolve(there.current, there.retained, path)
    forms: list[Form] = []
    if named is not None:
        # The one that they are compared with comes first.
        chosen = reference.selected(named, template)
        forms = [*([chosen] if chosen else []), *named.forms]
    return Asked(seed, method, path, Fields(*(filled(field, forms) for field in template)))


@st.composite
def asked(draw: st.DrawFn, methods: Sequence[str] = ("GET",)) -> Asked:
    """A request for something that is there."""
    seed = draw(seeds)
    path = draw(st.sampled_from(world(seed).paths))
    return asking(seed, draw(st.sampled_from(methods)), path, draw(fields))


def headers(reply: Reply) -> dict[str, str]:
    """The header fields by name, none of which may be there twice."""
    assert len({name.lower() for name, _ in reply.headers}) == len(reply.headers), reply.headers
    return dict(reply.headers)


def pieces(reply: Reply) -> list[bytes | Piece]:
    """The body, without the pieces of no bytes that are not of a file."""
    _, _, body = told(reply)
    return [Piece(*piece[:3]) if isinstance(piece, Stretch) else piece for piece in body if piece != b""]


def checked(one: Asked) -> Reply | None:
    """The reply, after it was compared with the reference."""
    reply, expected = one.reply(), one.expected()
    if reply is None or expected is None:
        assert reply is None, one
        assert expected is None, one
        return None
    assert reply.status == expected.status, one
    assert headers(reply) == expected.headers, one
    assert pieces(reply) == expected.body, one
    return reply


def there_is(path: str, forms: int) -> int:
    """The first world where a path names something of so many forms."""
    for seed in range(1000):
        named = reference.resolve(world(seed).current, world(seed).retained, path)
        if named is not None and len(named.forms) >= forms and named.forms[0].size > 400:
            return seed
    raise LookupError(path)


CSS, JPEG = Asked(there_is("/static/app.css", 4), "GET", "/static/app.css", Fields()), "/static/hero.jpg"
PICTURE = Asked(there_is(JPEG, 6), "GET", JPEG, Fields())


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(CSS.but(accept_encoding="x-gzip, gzip;q=0"), id="x-gzip is gzip: the first counts"),
        pytest.param(CSS.but(accept_encoding="x-gzip;q=0, gzip"), id="x-gzip is gzip: the first forbids"),
        pytest.param(CSS.but(range="bytes =0-1"), id="a blank after the unit (section 14.1.1)"),
        pytest.param(CSS.but(range="bytes=0-0".ljust(512)), id="the longest Range that counts"),
        pytest.param(CSS.but(range="bytes=0-0".ljust(513)), id="a Range that is too long"),
        pytest.param(CSS.but(range="bytes=" + ",".join(["0-0"] * 16)), id="the most ranges that count"),
        pytest.param(CSS.but(range="bytes=" + ",".join(["0-0"] * 17)), id="too many ranges"),
        pytest.param(CSS.but(range="bytes=0-0,5-4"), id="one reversed range takes the others with it"),
        pytest.param(CSS.but(accept_encoding="br;q=0.001"), id="the least weight is more than none"),
        pytest.param(CSS.but(if_none_match=f'"a b", {CSS.etag}'), id="a blank is in no tag: the rest does not count"),
        pytest.param(CSS.but(if_none_match=f'"\xe9", {CSS.etag}'), id="a tag may have other characters than ASCII"),
        pytest.param(CSS.but(range="bytes=0-0", if_range=f"W/{CSS.etag}"), id="a weak tag in If-Range"),
        pytest.param(CSS.but(range="bytes=0-0", if_range=CSS.etag), id="a strong tag in If-Range"),
        pytest.param(PICTURE.but(accept="image/webp;, image/*;q=0.1"), id="an empty parameter (section 5.6.6)"),
        pytest.param(PICTURE.but(accept="image/jpeg; ;q=0"), id="an empty parameter before the weight"),
        pytest.param(
            PICTURE.but(accept='text/x;v="a, image/webp, b"'), id="a comma in a quoted string (section 5.6.4)"
        ),
        pytest.param(
            PICTURE.but(accept='text/x;v="a, image/webp;q=0, b", image/webp'), id="a weight in a quoted string"
        ),
    ],
)
def test_a_corner_that_few_requests_turn(one: Asked) -> None:
    checked(one)


def test_parts_are_sent_where_they_are_shorter_than_the_whole_and_not_a_byte_later() -> None:
    statuses = set()
    for last in range(2, 3000):
        reply = checked(CSS.but(range=f"bytes=0-0,2-{last}"))
        assert reply is not None
        statuses.add(reply.status)
    assert statuses == {"200 OK", "206 Partial Content"}


@thorough
@given(seeds, st.sampled_from(METHODS), fields, anything)
def test_every_reply_is_the_references(seed: int, method: str, template: Fields, path: str) -> None:
    for known in dict.fromkeys([*world(seed).paths, path]):
        checked(asking(seed, method, known, template))


@fewer
@given(asked())
def test_head_is_answered_as_get_is_without_a_range(one: Asked) -> None:
    """RFC 9110 section 9.3.2: the same header fields, also of errors; section 14.2: without regard to Range."""
    head, get = one.but(method="HEAD").reply(), one.but(range=None).reply()
    if head is None or get is None:
        assert head is get
        return
    assert (head.status, headers(head)) == (get.status, headers(get))
    assert pieces(head) == []


@fewer
@given(asked(methods=["GET", "HEAD"]), st.sampled_from(["*", "{}", 'W/{}, "x"', ', "x",, {}']))
def test_a_304_has_the_fields_of_the_200_and_none_of_its_contents(one: Asked, field: str) -> None:
    """RFC 9110 section 15.4.5: Cache-Control, Content-Location, Date, ETag, Expires and Vary, as in a 200."""
    found = one.but(if_match=None, if_none_match=None, range=None).reply()
    assume(found is not None and found.status == "200 OK")
    assert found is not None
    etag = headers(found)["ETag"]
    again = one.but(if_match=None, if_none_match=field.format(etag)).reply()
    assert again is not None
    assert again.status == "304 Not Modified"
    assert pieces(again) == []
    contents = {"Content-Type", "Content-Length", "Content-Encoding", "Accept-Ranges"}
    assert headers(again) == {name: value for name, value in headers(found).items() if name not in contents}


@fewer
@given(asked(), st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 60)), min_size=2, max_size=5))
def test_a_partial_reply_holds_the_bytes_that_it_speaks_of(one: Asked, wanted: list[tuple[int, int]]) -> None:
    """Section 15.3.7: what is put together of real bytes and read by Python's ``email`` is what was asked for."""
    there = one.world
    field = "bytes=" + ", ".join(f"{first}-{first + more}" for first, more in wanted)
    one = one.but(accept_encoding=None, accept=None, if_match=None, if_none_match=None, if_range=None, range=field)
    named = reference.resolve(there.current, there.retained, one.path)
    if named is None:
        return
    # The bytes of plain files and of renditions, and of kept ones where no two releases differ in them.
    data = there.files[named.forms[0].file]
    assume(Digest.of(data).etag == named.forms[0].etag)
    reply = one.reply()
    assert reply is not None
    sent = b""
    for piece in pieces(reply):
        sent += data[piece.start : piece.start + piece.length] if isinstance(piece, Piece) else piece
    found = headers(reply)
    assert found["Content-Length"] == str(len(sent))
    asked_for = {at for first, more in wanted for at in range(first, first + more + 1) if at < len(data)}
    if reply.status == "200 OK":
        assert sent == data
    elif reply.status == "416 Range Not Satisfiable":
        assert (asked_for, sent) == (set(), b"")
    elif "Content-Range" in found:
        assert covers(found["Content-Range"], sent, data) == asked_for
    else:
        message = parsed(found["Content-Type"], sent)
        assert message.is_multipart()
        assert not message.defects
        covered: set[int] = set()
        for part in message.walk():
            if part is not message:
                assert part["Content-Type"] == named.forms[0].type
                body = part.get_payload(decode=True)
                assert isinstance(body, bytes)
                of_part = covers(part["Content-Range"], body, data)
                assert not of_part & covered
                covered |= of_part
        assert covered == asked_for
        assert len(sent) < len(data)


def covers(content_range: str, sent: bytes, data: bytes) -> set[int]:
    """The positions that a part says it has, once its bytes are those (section 14.4)."""
    told_range, _, size = content_range.removeprefix("bytes ").partition("/")
    first, _, last = told_range.partition("-")
    assert size == str(len(data))
    assert sent == data[int(first) : int(last) + 1]
    assert len(sent) == int(last) - int(first) + 1 > 0
    return set(range(int(first), int(last) + 1))


def parsed(content_type: str, body: bytes) -> Message:
    """A multipart body, read by the standard library."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n".encode()
    return email.message_from_bytes(head + body)
