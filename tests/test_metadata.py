"""What is told beside a picture goes, and the picture stays as it is, to the bit."""

from __future__ import annotations

import io
import json
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assetpipe.transforms import metadata, rasters
from assetpipe.transforms.containers import profiles
from assetpipe.transforms.rasters import ImageError
from tests import pictures

EXIFTOOL = "apt-get install libimage-exiftool-perl"
JPEG, PNG, GIF, WEBP, TIFF, AVIF = (f"image/{name}" for name in ("jpeg", "png", "gif", "webp", "tiff", "avif"))
WIDE = profiles.made((0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060), (2.2,)) or b""
IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x12\x1c\x02\x50\0\x0dJane Doe, 4711"
GAIN_MAP_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>'
)
# As large as printers' profiles are, so that a JPEG has it in parts.
LARGE = (100_000).to_bytes(4, "big") + WIDE[4:] + bytes(100_000 - len(WIDE))
NAMESPACE = b"http://ns.adobe.com/xap/1.0/\0"


def telling_jpeg(orientation: int = 6) -> bytes:
    """A photograph with all that cameras and programs write: and a thumbnail in JFIF, in JFXX and in EXIF."""
    thumbnail = pictures.jpeg(16, 16)
    image = pictures.jpeg(
        160, 120, exif=pictures.exif(orientation, telling=True), icc_profile=LARGE, comment=b"by Jane Doe"
    )
    at = image.index(b"JFIF\0")
    image = image[: at - 2] + struct.pack(">H", 16 + 12) + image[at : at + 12] + b"\2\2" + bytes(12) + image[at + 14 :]
    return pictures.with_segments(
        image,
        (0xE1, NAMESPACE + pictures.XMP),
        (0xE0, b"JFXX\0\x10" + thumbnail),
        (0xED, IPTC),
        (0xEB, b"JP\0\1\0\0\0\1" + b"c2pa Jane Doe"),
        (0xEC, b"Ducky" + b"Jane Doe"),
    )


def ultra_hdr() -> bytes:
    """A photograph with a gain map behind it, as phones have it."""
    out = io.BytesIO()
    gain = pictures.photograph(40, 30, seed=2)
    pictures.photograph(160, 120).save(out, "MPO", save_all=True, append_images=[gain])
    iso = b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"
    return pictures.with_segments(out.getvalue(), (0xE1, NAMESPACE + GAIN_MAP_XMP), (0xE2, iso))


def phone() -> bytes:
    out = io.BytesIO()
    second = pictures.photograph(40, 30, seed=2)
    pictures.photograph(160, 120).save(
        out, "MPO", save_all=True, append_images=[second], exif=pictures.exif(8, telling=True)
    )
    return out.getvalue()


def telling_png(orientation: int = 6) -> bytes:
    data = pictures.saved(
        pictures.photograph(48, 32),
        "PNG",
        exif=pictures.exif(orientation, telling=True),
        icc_profile=WIDE,
        dpi=(96, 96),
    )
    return pictures.with_chunks(
        data,
        pictures.chunk(b"tEXt", b"Author\0Jane Doe"),
        pictures.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + pictures.XMP),
        pictures.chunk(b"tIME", bytes((7, 230, 1, 2, 3, 4, 5))),
        pictures.chunk(b"zTXt", b"Raw profile type exif\0\0" + b"x"),
        pictures.chunk(b"caBX", b"Jane Doe"),
        pictures.chunk(b"prVt", b"Jane Doe"),
    )


def telling_gif() -> bytes:
    comment = b"\x21\xfe\x08Jane Doe\0"
    xmp = b"\x21\xff\x0bXMP DataXMP" + pictures.XMP + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    private = b"\x21\xff\x0bJANEDOE4711\x08Jane Doe\0"
    frames = [(0, 0, 2, 2, [0, 1, 2, 3]), (1, 1, 1, 1, [0])]
    return pictures.gif(2, 2, frames, loop=3, extensions=comment + xmp + private) + b"Jane Doe"


def telling(name: str, mode: str = "RGB", **options: Any) -> bytes:
    image = pictures.photograph(48, 32).convert(mode)
    if mode == "RGBA":
        image.putalpha(image.convert("L"))
    if name != "TIFF":
        options["xmp"] = pictures.XMP
    return pictures.saved(image, name, exif=pictures.exif(6, telling=True), icc_profile=WIDE, **options)


def telling_tiff() -> bytes:
    tags = {
        270: "Jane Doe",
        271: "Tattler",
        305: "Program",
        315: "Jane Doe",
        700: pictures.XMP,
        33723: IPTC,
        34377: IPTC,
    }
    block = Image.Exif()
    block.load(pictures.exif(6, telling=True))
    for tag, value in tags.items():
        block[tag] = value
    pages = {"save_all": True, "append_images": [pictures.photograph(9, 7)]}
    return pictures.saved(pictures.photograph(48, 32), "TIFF", exif=block, icc_profile=WIDE, **pages)


# Of each: the media type, the file, and what is said of it.
TELLING: dict[str, tuple[str, bytes, set[str]]] = {
    "jpeg": (
        JPEG,
        telling_jpeg(),
        {"position", "exif", "xmp", "iptc", "comment", "thumbnail", "credentials", "other"},
    ),
    "cmyk jpeg": (
        JPEG,
        pictures.saved(pictures.photograph(48, 32).convert("CMYK"), "JPEG", comment=b"Jane Doe"),
        {"comment"},
    ),
    "phone": (JPEG, phone(), {"position", "exif", "pictures"}),
    "ultra hdr": (JPEG, ultra_hdr(), {"xmp", "gain map", "pictures"}),
    "png": (PNG, telling_png(), {"position", "exif", "xmp", "comment", "time", "credentials", "other"}),
    "animated png": (
        PNG,
        pictures.with_chunks(pictures.animation("PNG"), pictures.chunk(b"tEXt", b"Author\0Jane Doe")),
        {"comment"},
    ),
    "gif": (GIF, telling_gif(), {"position", "xmp", "comment", "other"}),
    "webp": (WEBP, telling("WEBP", "RGBA") + b"Jane Doe", {"position", "exif", "xmp", "other"}),
    "lossless webp": (WEBP, telling("WEBP", lossless=True), {"position", "exif", "xmp"}),
    "animated webp": (
        WEBP,
        pictures.saved(
            pictures.photograph(48, 32),
            "WEBP",
            save_all=True,
            append_images=[pictures.photograph(48, 32, seed=2)],
            exif=pictures.exif(1, telling=True),
            xmp=pictures.XMP,
            icc_profile=WIDE,
        ),
        {"position", "exif", "xmp"},
    ),
    "avif": (AVIF, telling("AVIF", "RGBA"), {"position", "exif", "xmp"}),
    "tiff": (TIFF, telling_tiff(), {"position", "exif", "xmp", "iptc", "comment", "other"}),
    "tiff by LZW": (
        TIFF,
        pictures.saved(
            pictures.photograph(48, 32),
            "TIFF",
            compression="tiff_lzw",
            icc_profile=WIDE,
            tiffinfo={270: "Jane Doe", 271: "Tattler", 274: 3},
        ),
        {"comment", "other"},
    ),
}


def shown(data: bytes, media_type: str) -> list[Any]:
    """All that a picture shows, by Pillow alone: each frame, its duration, its profile, and how it is turned."""
    with Image.open(io.BytesIO(data)) as image:
        count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        seen: list[Any] = [image.info.get("loop"), image.info.get("icc_profile"), image.info.get("dpi")]
        # TIFF is turned while it is decoded, and WebP never (test_colours shows that browsers do not either).
        if media_type not in (TIFF, WEBP):
            seen.append(image.getexif().get(0x0112, 1))
        for number in range(count):
            image.seek(number)
            seen += [image.info.get("duration"), image.size, image.convert("RGBA").tobytes()]
    return seen


@pytest.mark.parametrize("kind", TELLING)
def test_the_picture_stays_and_what_is_told_of_it_goes(kind: str) -> None:
    media_type, data, told = TELLING[kind]
    stripped = metadata.strip(data, media_type)
    assert set(rasters.look(data, media_type).metadata) == told
    assert rasters.look(stripped, media_type).metadata == ()
    assert shown(stripped, media_type) == shown(data, media_type)
    assert rasters.decode(stripped, media_type) == rasters.decode(data, media_type)
    for secret in (b"Jane Doe", b"Tattler", b"4711", b"GPSLatitude", b"rdf:", b"hdrgm"):
        assert secret not in stripped
    assert len(stripped) <= len(data)


@pytest.mark.parametrize("kind", TELLING)
def test_what_is_stripped_stays_as_it_is(kind: str) -> None:
    media_type, data, _ = TELLING[kind]
    stripped = metadata.strip(data, media_type)
    assert metadata.strip(stripped, media_type) == stripped


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("make", [telling_jpeg, telling_png])
def test_every_orientation_stays(make: Any, orientation: int) -> None:
    media_type = JPEG if make is telling_jpeg else PNG
    stripped = metadata.strip(make(orientation), media_type)
    with Image.open(io.BytesIO(stripped)) as image:
        assert image.getexif().get(0x0112, 1) == orientation
    assert (b"Exif" in stripped or b"eXIf" in stripped) == (orientation != 1)


@pytest.mark.parametrize("kind", TELLING)
def test_exiftool_finds_nothing_that_tells_of_anyone(kind: str, tmp_path: Path) -> None:
    media_type, data, told = TELLING[kind]
    before, after = (exiftool(tmp_path, one) for one in (data, metadata.strip(data, media_type)))
    if "position" in told:
        assert any("GPS" in name for name in before), "it can tell"
    for name, value in after.items():
        group = name.partition(":")[0]
        assert group not in ("GPS", "XMP", "IPTC", "Photoshop", "ExifIFD", "JFXX", "MPF0", "JUMBF"), name
        assert group != "IFD1" or media_type == TIFF, "a thumbnail, and not a further page"
        assert not {"ThumbnailImage", "SerialNumber", "Comment", "Author", "Warning"} & {name.partition(":")[2]}, value
        assert "Jane" not in str(value)
        assert "SERIAL" not in str(value)


def exiftool(folder: Path, data: bytes) -> dict[str, Any]:
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip(f"needs exiftool: {EXIFTOOL}")
    file = folder / "picture"
    file.write_bytes(data)
    told = subprocess.run([program, "-json", "-G1", "-a", "-u", file], capture_output=True, check=False).stdout
    found: dict[str, Any] = json.loads(told)[0]
    return found


def test_a_large_profile_in_many_parts_stays() -> None:
    stripped = metadata.strip(telling_jpeg(), JPEG)
    assert stripped.count(b"ICC_PROFILE\0") == 2
    assert pictures.opened(stripped).info["icc_profile"] == LARGE


def test_the_picture_without_its_gain_map_is_the_one_that_other_screens_show() -> None:
    stripped = metadata.strip(ultra_hdr(), JPEG)
    assert stripped.count(b"\xff\xd8\xff") == 1
    assert b"MPF" not in stripped
    assert pictures.opened(stripped).format == "JPEG"


def test_the_flags_of_a_webp_tell_what_is_left() -> None:
    stripped = metadata.strip(telling("WEBP", "RGBA"), WEBP)
    assert stripped[20] == 0x30, "a profile and alpha, no EXIF, no XMP"
    assert struct.unpack_from("<I", stripped, 4)[0] == len(stripped) - 8


def test_the_further_pages_of_a_tiff_stay_and_are_stripped_as_well() -> None:
    data = telling_tiff()
    stripped = metadata.strip(data, TIFF)
    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        pixels = image.tobytes()
    with Image.open(io.BytesIO(stripped)) as image:
        assert getattr(image, "n_frames", 0) == 2
        image.seek(1)
        assert pixels == image.tobytes()


def test_chunks_with_wrong_checksums_go_if_they_are_not_needed() -> None:
    damaged = pictures.chunk(b"gAMA", bytes(4))[:-1] + b"!"
    data = pictures.png()
    assert metadata.strip(pictures.with_chunks(data, damaged), PNG) == data
    at = data.index(b"IDAT") + 6
    with pytest.raises(ImageError, match="IDAT"):
        metadata.strip(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :], PNG)


@pytest.mark.parametrize("kind", pictures.everything())
def test_what_has_nothing_to_tell_shows_the_same(kind: str) -> None:
    media_type, data = pictures.everything()[kind]
    assert shown(metadata.strip(data, media_type), media_type) == shown(data, media_type)


_SEGMENTS = st.lists(
    st.tuples(
        st.sampled_from([0xE0, 0xE1, 0xE2, 0xE5, 0xED, 0xEE, 0xEF, 0xFE]),
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([b"Exif\0\0", b"JFXX\0", b"MPF\0", b"ICC_PROFILE\0", NAMESPACE]).flatmap(
                lambda head: st.binary(max_size=40).map(lambda tail: head + tail)
            ),
        ),
    ),
    max_size=6,
)
_CHUNKS = st.lists(
    st.tuples(st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"abCd", b"caBX"]), st.binary(max_size=40)),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(_SEGMENTS)
def test_whatever_segments_a_jpeg_has_its_pixels_stay(segments: list[tuple[int, bytes]]) -> None:
    plain = pictures.jpeg(32, 24)
    data = pictures.with_segments(plain, *segments)
    stripped = metadata.strip(data, JPEG)
    assert pictures.opened(stripped).tobytes() == pictures.opened(plain).tobytes()
    assert metadata.strip(stripped, JPEG) == stripped
    assert len(stripped) <= len(data)


@settings(max_examples=150, deadline=None)
@given(_CHUNKS, st.booleans())
def test_whatever_chunks_a_png_has_its_pixels_stay(chunks: list[tuple[bytes, bytes]], behind: bool) -> None:
    rows = bytes(range(48))
    made = [pictures.chunk(name, body) for name, body in chunks]
    data = pictures.written_png(4, 4, 8, 2, rows, *(() if behind else made), behind=tuple(made) if behind else ())
    stripped = metadata.strip(data, PNG)
    assert pictures.opened(stripped).tobytes() == rows
    assert metadata.strip(stripped, PNG) == stripped
    assert set(names(stripped)) <= {b"IHDR", b"IDAT", b"IEND", b"eXIf"}


def names(data: bytes) -> list[bytes]:
    found, at = [], 8
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        found.append(name)
        at += 12 + length
    return found


@pytest.mark.parametrize("kind", TELLING)
def test_what_is_damaged_is_stripped_or_refused(kind: str) -> None:
    media_type, data, _ = TELLING[kind]
    dice = random.Random(kind)
    refused = 0
    for _ in range(200):
        harmed = bytearray(data)
        for _ in range(3):
            harmed[dice.randrange(len(harmed))] = dice.randrange(256)
        try:
            once = metadata.strip(bytes(harmed), media_type)
        except ImageError:
            refused += 1
            continue
        assert len(once) <= len(harmed)
        # Where parts of a TIFF run into each other, each pass may find other parts.
        assert media_type == TIFF or metadata.strip(once, media_type) == once
    assert refused < 200


def in_a_box(data: bytes) -> bytes:
    return data + struct.pack(">I4s", 8 + len(PAYLOAD), b"free") + PAYLOAD


def in_an_unknown_box(data: bytes) -> bytes:
    return data + struct.pack(">I4s", 8 + len(PAYLOAD), b"what") + PAYLOAD


def behind_the_picture_s_own_bytes(data: bytes) -> bytes:
    at = data.rindex(b"mdat") - 4
    (size,) = struct.unpack_from(">I", data, at)
    return data[:at] + struct.pack(">I", size + len(PAYLOAD)) + data[at + 4 :] + PAYLOAD


PAYLOAD = b"<script>alert(1)</script>"


@pytest.mark.parametrize("hide", [in_a_box, in_an_unknown_box, behind_the_picture_s_own_bytes])
def test_nothing_hides_in_an_avif_where_no_decoder_looks(hide: Callable[[bytes], bytes]) -> None:
    data = pictures.saved(pictures.photograph(), "AVIF")
    stripped = metadata.strip(hide(data), AVIF)
    assert PAYLOAD not in stripped
    assert pictures.opened(stripped).tobytes() == pictures.opened(data).tobytes()
    assert metadata.strip(stripped, AVIF) == stripped
    assert metadata.strip(data, AVIF) == data


def test_where_one_holds_the_other_both_go_for_good() -> None:
    """A writer that finds the XMP among the bytes of the EXIF need not keep it twice."""
    exif = Image.Exif()
    exif[0x010F] = "<x:xmpmeta/>"
    data = pictures.saved(pictures.photograph(), "AVIF", exif=exif, xmp=b"<x:xmpmeta/>")
    stripped = metadata.strip(data, AVIF)
    assert metadata.strip(stripped, AVIF) == stripped
    assert rasters.look(stripped, AVIF).metadata == ()
    assert pictures.opened(stripped).size == (320, 200)
