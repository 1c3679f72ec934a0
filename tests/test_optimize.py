"""Originals are packed better, and show and tell what they did before."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from assetpipe.errors import ConfigError
from assetpipe.transforms import optimize, rasters
from assetpipe.transforms.containers import profiles
from tests import pictures

pytest.importorskip("oxipng", reason='needs the extra: pip install "assetpipe[optimize]"')
pytest.importorskip("mozjpeg_lossless_optimization", reason='needs the extra: pip install "assetpipe[optimize]"')
JPEG, PNG = "image/jpeg", "image/png"
WIDE = profiles.made((0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060), (2.2,))


def drawn(mode: str) -> Image.Image:
    """A drawing, with colours under what is transparent."""
    image = Image.new("RGBA", (120, 80), (200, 10, 10, 0))
    image.paste((10, 90, 200, 255), (20, 20, 90, 60))
    image.paste((250, 250, 250, 128), (40, 30, 50, 50))
    return image.convert(mode)


SMALLER: dict[str, tuple[str, bytes]] = {
    "jpeg": (JPEG, pictures.jpeg(160, 120, exif=pictures.exif(6, telling=True), icc_profile=WIDE, comment=b"hello")),
    "grey jpeg": (JPEG, pictures.saved(pictures.photograph(160, 120).convert("L"), "JPEG", quality=90)),
    "cmyk jpeg": (JPEG, pictures.saved(pictures.photograph(160, 120).convert("CMYK"), "JPEG", quality=90)),
    "png": (PNG, pictures.saved(drawn("RGBA"), "PNG", compress_level=1)),
    "png with a profile": (PNG, pictures.saved(drawn("L").convert("RGB"), "PNG", compress_level=1, icc_profile=WIDE)),
    "png with metadata": (
        PNG,
        pictures.with_chunks(
            pictures.saved(drawn("RGB"), "PNG", compress_level=1, exif=pictures.exif(6, telling=True), dpi=(96, 96)),
            pictures.chunk(b"tEXt", b"Author\0Jane Doe"),
        ),
    ),
    "png of sixteen bits": (PNG, pictures.written_png(24, 16, 16, 0, bytes(24) + pictures.deep(15) + bytes(24))),
    "palette png": (PNG, pictures.saved(drawn("RGB").quantize(8), "PNG", compress_level=0)),
}


def shown(data: bytes) -> list[Any]:
    with Image.open(io.BytesIO(data)) as image:
        told = [image.info.get(name) for name in ("icc_profile", "dpi", "comment", "exif", "Author")]
        return [image.size, *told, image.convert("RGBA" if image.mode != "I;16" else "I;16").tobytes()]


@pytest.mark.parametrize("kind", SMALLER)
def test_a_picture_becomes_smaller_and_stays_the_same(kind: str) -> None:
    media_type, data = SMALLER[kind]
    packed = optimize.optimize(data, media_type)
    assert len(packed) < len(data)
    assert rasters.decode(packed, media_type).image.tobytes() == rasters.decode(data, media_type).image.tobytes()
    assert rasters.look(packed, media_type) == rasters.look(data, media_type)
    if kind != "png of sixteen bits":  # of which some may need no more than eight
        assert shown(packed) == shown(data)


@pytest.mark.parametrize("kind", SMALLER)
def test_what_is_packed_is_packed_the_same_every_time_and_never_larger(kind: str) -> None:
    media_type, data = SMALLER[kind]
    packed = optimize.optimize(data, media_type)
    assert {optimize.optimize(data, media_type) for _ in range(3)} == {packed}
    assert len(optimize.optimize(packed, media_type)) <= len(packed)


def signed(data: bytes) -> bytes:
    return pictures.with_segments(data, (0xEB, b"JP\0\1\0\0\0\1c2pa"))


def mpo() -> bytes:
    out = io.BytesIO()
    pictures.photograph(160, 120).save(out, "MPO", save_all=True, append_images=[pictures.photograph(40, 30, seed=2)])
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (pictures.animation("PNG"), PNG),
        (mpo(), JPEG),
        (signed(pictures.jpeg()), JPEG),
        (pictures.jpeg()[:-300], JPEG),
        (pictures.jpeg()[:-1], JPEG),
        (pictures.jpeg() + b"and more", JPEG),
        (pictures.png()[:-20], PNG),
        (pictures.png(), JPEG),
        (b"", PNG),
        (pictures.animation("GIF"), "image/gif"),
        (pictures.saved(pictures.photograph(), "WEBP"), "image/webp"),
    ],
)
def test_what_cannot_be_packed_rightly_comes_back_as_it_is(data: bytes, media_type: str) -> None:
    assert optimize.optimize(data, media_type) == data


def test_what_claims_to_be_huge_is_left_alone() -> None:
    png = pictures.written_png(60_000, 60_000, 8, 0, bytes(60_000))
    jpeg = bytearray(pictures.jpeg())
    at = jpeg.index(b"\xff\xc0") + 5
    struct.pack_into(">HH", jpeg, at, 65_000, 65_000)
    assert optimize.optimize(png, PNG) == png
    assert optimize.optimize(bytes(jpeg), JPEG) == bytes(jpeg)


@pytest.mark.parametrize("kind", ["grey jpeg", "png", "palette png"])
def test_what_is_damaged_does_no_harm(kind: str) -> None:
    media_type, data = SMALLER[kind]
    dice = random.Random(kind)
    for _ in range(12 if media_type == JPEG else 100):
        harmed = bytearray(data)
        for _ in range(dice.choice((1, 8))):
            harmed[dice.randrange(len(harmed) // 2, len(harmed) - 20)] = dice.randrange(256)
        assert len(optimize.optimize(bytes(harmed), media_type)) <= len(harmed)


def test_a_damaged_jpeg_that_ends_its_library_s_process_ends_no_other() -> None:
    """Over a coefficient that is out of range, mozjpeg exits."""
    dice = random.Random(1)
    data = pictures.jpeg(160, 120, quality=100)
    start = data.index(b"\xff\xda") + 14
    ended = 0
    for _ in range(40):
        harmed = bytearray(data)
        for _ in range(40):
            harmed[dice.randrange(start, len(data) - 2)] = dice.randrange(254)
        ended += optimize.optimize(bytes(harmed), JPEG) == harmed
    assert ended


def test_a_module_of_the_working_folder_takes_no_library_s_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mozjpeg_lossless_optimization.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    data = pictures.jpeg()
    assert len(optimize.optimize(data, JPEG)) < len(data)


def test_check_says_which_extra_is_missing() -> None:
    optimize.check()
    script = """
        import sys
        sys.modules["oxipng"] = None
        from assetpipe.transforms import optimize
        try:
            optimize.check()
        except Exception as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(ConfigError.__name__)
    assert 'pip install "assetpipe[optimize]"' in done.stdout


def test_the_version_names_both_libraries() -> None:
    assert "mozjpeg-lossless-optimization 1." in optimize.version()
    assert "oxipng-pybind 1" in optimize.version()
