"""Pictures to test with, drawn on the spot."""

from __future__ import annotations

import io
import random
import struct
import zlib
from itertools import product
from statistics import NormalDist
from typing import Any

from PIL import Image


def photograph(width: int = 320, height: int = 200, seed: int = 1) -> Image.Image:
    """Soft blobs of colour with grain, as a camera would see them: what JPEG and WebP are made for."""
    dice = random.Random(seed)
    small = Image.new("RGB", (8, 5))
    small.putdata([tuple(dice.randrange(256) for _ in range(3)) for _ in range(40)])
    spread = [min(255, max(0, round(NormalDist(128, 12).inv_cdf((value + 0.5) / 256)))) for value in range(256)]
    grain = Image.frombytes("L", (width, height), dice.randbytes(width * height)).point(spread).convert("RGB")
    return Image.blend(small.resize((width, height), Image.Resampling.BICUBIC), grain, 0.15)


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def jpeg(width: int = 320, height: int = 200, **options: Any) -> bytes:
    return saved(photograph(width, height), "JPEG", **{"quality": 92, **options})


def png(width: int = 64, height: int = 64) -> bytes:
    """A drawing: flat colours and a transparent ground."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    for i in range(6):
        colour = (40 * i, 255 - 40 * i, 90, 255)
        image.paste(colour, (i * 5, i * 7, width - i * 3, height - i * 4))
    return saved(image, "PNG", compress_level=1)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def exif(orientation: int = 1, *, telling: bool = False) -> bytes:
    """An EXIF block with an orientation; a ``telling`` one has a position, a serial number and a camera as well."""
    block = Image.Exif()
    block[0x0112] = orientation
    if telling:
        block[0x010F], block[0x0110], block[0x013B] = "Tattler", "Model 7", "Jane Doe"
        block.get_ifd(0x8769)[0xA431] = "SERIAL-4711"
        block.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.3), 3: "E", 4: (13.0, 24.0, 36.5)})
    return block.tobytes()


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="52,31.2N" '
    b'exif:GPSLongitude="13,24.6E"/></rdf:RDF></x:xmpmeta>'
)


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def written_png(
    width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: bytes, behind: tuple[bytes, ...] = ()
) -> bytes:
    """A PNG of samples as they are, with ``chunks`` before its data and others ``behind`` it."""
    length = len(rows) // height
    filtered = b"".join(b"\0" + rows[y * length : (y + 1) * length] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(filtered)), *behind, chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    """A PNG with further chunks after its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def apng(width: int, height: int, colours: list[tuple[int, int, int]], delays: list[tuple[int, int]]) -> bytes:
    """An APNG of plain frames, each shown for a fraction of a second."""
    frames = [zlib.compress((b"\0" + bytes(colour) * width) * height) for colour in colours]
    parts = [chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    for at, (data, delay) in enumerate(zip(frames, delays, strict=True)):
        number = max(0, 2 * at - 1)
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, *delay, 0, 0)))
        parts.append(chunk(b"fdAT", struct.pack(">I", number + 1) + data) if at else chunk(b"IDAT", data))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(parts) + chunk(b"IEND", b"")


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def chromaticities(points: tuple[float, ...]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(point * 100_000) for point in points)))


def with_segments(data: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with further segments, each a marker's second byte and a body, at its beginning."""
    return (
        data[:2]
        + b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
        + data[2:]
    )


def gif(
    width: int,
    height: int,
    frames: list[tuple[int, int, int, int, list[int]]],
    *,
    after: int = 1,
    transparent: int | None = None,
    loop: int | None = None,
    delay: int = 10,
    palette: tuple[tuple[int, int, int], ...] = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)),
    local: tuple[tuple[int, int, int], ...] | None = None,
    extensions: bytes = b"",
) -> bytes:
    """A GIF of four colours: of each frame x, y, width, height, and an index for each pixel."""
    out = struct.pack("<6sHHBBB", b"GIF89a", width, height, 0x81, 0, 0) + b"".join(map(bytes, palette)) + extensions
    if loop is not None:
        out += b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", loop, 0)
    for x, y, w, h, pixels in frames:
        flags = after << 2 | (transparent is not None)
        out += struct.pack("<BBBBHBB", 0x21, 0xF9, 4, flags, delay, transparent or 0, 0)
        out += struct.pack("<BHHHHB", 0x2C, x, y, w, h, 0x81 if local else 0)
        out += b"".join(map(bytes, local or ()))
        # LZW with codes of three bits that never grow, since the table is cleared before it can (code 4; 5 ends it).
        codes = [code for at, pixel in enumerate(pixels) for code in ((4, pixel) if at % 2 == 0 else (pixel,))] + [5]
        bits = sum(code << 3 * at for at, code in enumerate(codes))
        coded = bits.to_bytes((3 * len(codes) + 7) // 8, "little")
        out += b"\x02"
        for at in range(0, len(coded), 255):
            out += bytes((len(coded[at : at + 255]),)) + coded[at : at + 255]
        out += b"\0"
    return out + b";"


def bmp(
    width: int,
    height: int,
    bits: int,
    rows: bytes,
    *,
    header: int = 40,
    compression: int = 0,
    masks: tuple[int, ...] = (0xFF0000, 0xFF00, 0xFF, 0),
    profile: bytes = b"",
) -> bytes:
    """A BMP with a header of 40 to 124 bytes; a negative height is top-down."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 2835, 2835, 0, 0)
    head += struct.pack("<4I", *masks)
    if profile:
        head += struct.pack("<I", 0x4D424544) + bytes(48) + struct.pack("<4I", 0, header + len(rows), len(profile), 0)
    head = struct.pack("<I", header) + head[4:].ljust(120, b"\0")[: header - 4]
    return (
        b"BM"
        + struct.pack("<IHHI", 14 + len(head) + len(rows) + len(profile), 0, 0, 14 + len(head))
        + head
        + rows
        + profile
    )


def tiff(
    fields: dict[int, tuple[int, ...] | bytes],
    strips: list[bytes],
    order: str = "<",
    places: tuple[int, int] = (273, 279),
) -> bytes:
    """A TIFF of one page: its fields (whole numbers, or bytes), and its strips or, at other ``places``, its tiles."""
    offsets, body = [], b""
    for strip in strips:
        offsets.append(8 + len(body))
        body += strip + bytes(len(strip) % 2)
    entries = b""
    fields = {**fields, places[0]: tuple(offsets), places[1]: tuple(map(len, strips))}
    for tag, value in sorted(fields.items()):
        if isinstance(value, bytes):
            kind, count, packed = 7, len(value), value
        else:
            kind = 4 if tag in places or max(value) > 65535 else 3
            count, packed = len(value), struct.pack(f"{order}{len(value)}{'I' if kind == 4 else 'H'}", *value)
        if len(packed) > 4:
            packed, body = struct.pack(order + "I", 8 + len(body)), body + packed + bytes(len(packed) % 2)
        entries += struct.pack(order + "HHI", tag, kind, count) + packed.ljust(4, b"\0")
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(body))
    return head + body + struct.pack(order + "H", len(fields)) + entries + bytes(4)


def grey_profile(curve: float) -> bytes:
    """An ICC profile of greys with one exponent."""
    return _profile(
        b"GRAY", b"XYZ ", {b"wtpt": _D50, b"kTRC": b"para" + struct.pack(">IHHi", 0, 0, 0, round(curve * 65536))}
    )


def table_profile(space: bytes) -> bytes:
    """An ICC profile of tables and no matrix: of inks that are not pure (CMYK), or of RGB with red and blue swapped."""
    inputs, points = {b"CMYK": (4, 7), b"RGB ": (3, 17)}[space]
    table = bytearray()
    for at in product(range(points), repeat=inputs):
        values = [value / (points - 1) for value in at]
        table += bytes(_lab(inked(*values) if inputs == 4 else (values[2], values[1], values[0])))
    identity = b"".join(struct.pack(">i", 65536 * (i % 4 == 0)) for i in range(9))
    ramp = bytes(range(256))
    lut = b"mft1" + struct.pack(">IBBBB", 0, inputs, 3, points, 0) + identity + ramp * inputs + bytes(table) + ramp * 3
    return _profile(space, b"Lab ", {b"wtpt": _D50, b"A2B0": lut})


_D50 = b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in (0.9642, 1.0, 0.8249))


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc" + struct.pack(">II", 0, 5) + b"test\0" + bytes(78), b"cprt": b"text\0\0\0\0none\0", **tags}
    start, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = struct.pack(">I4xI4s4s4s12s4s", start + len(body), 0x02400000, kind, space, connection, b"", b"acsp")
    return (head + bytes(28) + _D50[8:]).ljust(128, b"\0") + table + body


def inked(c: float, m: float, y: float, k: float) -> tuple[float, float, float]:
    """The red, green and blue that inks leave, each of which takes some of what it should not."""
    light = [1.0, 1.0, 1.0]
    for amount, taken in (
        (c, (0.95, 0.35, 0.10)),
        (m, (0.15, 0.90, 0.40)),
        (y, (0.03, 0.12, 0.85)),
        (k, (0.9, 0.9, 0.9)),
    ):
        light = [value * (1 - amount * part) for value, part in zip(light, taken, strict=True)]
    return light[0], light[1], light[2]


def _lab(rgb: tuple[float, ...]) -> tuple[int, int, int]:
    """sRGB to CIELAB with white D50, in eight bits as ICC's lut8Type has it."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in rgb]
    rows = ((0.4360, 0.3851, 0.1431), (0.2225, 0.7169, 0.0606), (0.0139, 0.0971, 0.7141))
    white = (0.9642, 1.0, 0.8249)
    scaled = [sum(a * b for a, b in zip(row, linear, strict=True)) / w for row, w in zip(rows, white, strict=True)]
    x, y, z = (value ** (1 / 3) if value > 216 / 24389 else (24389 / 27 * value + 16) / 116 for value in scaled)
    return round((116 * y - 16) * 2.55), round(500 * (x - y) + 128), round(200 * (y - z) + 128)


def animation(name: str, width: int = 24, height: int = 16) -> bytes:
    """Three frames of 40, 120 and 80 ms, played twice; a square moves over a still ground."""
    stills = []
    for at in range(3):
        still = photograph(width, height).convert("RGBA")
        still.paste((255, 0, 0, 255), (2 + 5 * at, 3, 8 + 5 * at, 9))
        stills.append(still)
    # GIF counts the rounds after the first.
    options = {"save_all": True, "append_images": stills[1:], "duration": [40, 120, 80], "loop": 2 - (name == "GIF")}
    return saved(stills[0], name, **options, **({"lossless": True} if name == "WEBP" else {}))


def everything() -> dict[str, tuple[str, bytes]]:
    """One small picture of each kind that is read, with its media type."""
    image = photograph(24, 16)
    clear = image.convert("RGBA")
    clear.putalpha(image.convert("L"))
    telling = exif(6, telling=True)
    return {
        "jpeg": ("image/jpeg", saved(image, "JPEG", exif=telling, icc_profile=grey_profile(2.0), comment=b"hello")),
        "progressive jpeg": ("image/jpeg", saved(image, "JPEG", progressive=True)),
        "grey jpeg": ("image/jpeg", saved(image.convert("L"), "JPEG")),
        "cmyk jpeg": ("image/jpeg", saved(image.convert("CMYK"), "JPEG")),
        "png": ("image/png", with_chunks(saved(clear, "PNG", exif=telling), chunk(b"tEXt", b"Comment\0hello"))),
        "palette png": ("image/png", saved(image.quantize(16), "PNG", transparency=b"\0\x80\xff", bits=4)),
        "grey png of sixteen bits": ("image/png", written_png(24, 16, 16, 0, deep(16), chunk(b"tRNS", b"\1\2"))),
        "animated png": ("image/png", animation("PNG")),
        "webp": ("image/webp", saved(clear, "WEBP", exif=telling, xmp=XMP, icc_profile=grey_profile(2.0))),
        "lossless webp": ("image/webp", saved(clear, "WEBP", lossless=True)),
        "animated webp": ("image/webp", animation("WEBP")),
        "gif": ("image/gif", saved(image.quantize(16), "GIF", comment=b"hello")),
        "animated gif": ("image/gif", animation("GIF")),
        "avif": ("image/avif", saved(clear, "AVIF", exif=telling, xmp=XMP)),
        "bmp": ("image/bmp", saved(image, "BMP")),
        "palette bmp": ("image/bmp", saved(image.quantize(16), "BMP")),
        "tiff": ("image/tiff", saved(clear, "TIFF", exif=telling)),
        "tiff by LZW": ("image/tiff", saved(image, "TIFF", compression="tiff_lzw")),
        "tiff by JPEG": ("image/tiff", saved(image, "TIFF", compression="jpeg")),
        "cmyk tiff": ("image/tiff", saved(image.convert("CMYK"), "TIFF", compression="tiff_adobe_deflate")),
    }


def deep(rows: int) -> bytes:
    """Samples of sixteen bits, 24 a row."""
    return b"".join((at * 997 % 65536).to_bytes(2, "big") for at in range(24 * rows))
