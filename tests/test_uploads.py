"""Files of strangers: what is taken and what is not, what is published of them, and how that is served."""

from __future__ import annotations

import io
import itertools
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from flask import Flask, request
from PIL import Image, PngImagePlugin
from werkzeug.datastructures import FileStorage

from assetpipe.errors import ConfigError, TagError
from assetpipe.uploads import Storage, UploadError, Uploads
from tests import pictures, servers

SECRET = "a secret that nobody guesses"
PAYLOAD = b"<script>alert('gotcha')</script><?php system('gotcha'); ?>"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10"><rect width="9" height="9"/></svg>'
ALL = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/avif",
    "image/svg+xml",
    "application/pdf",
)


class Answer(NamedTuple):
    """What a client gets."""

    status: int
    headers: dict[str, str]
    body: bytes


class Site:
    """A store of uploads, and requests to it."""

    def __init__(self, folder: Path, storage: Storage | None = None, **options: Any) -> None:
        self.folder = folder
        self.store = Uploads(storage or folder, **{"secret": SECRET, **options})
        self._app = self.store.wsgi(_elsewhere)

    def get(self, path: str, method: str = "GET", **fields: str) -> Answer:
        """Ask for a path, with header fields as CGI names them."""
        told: list[Any] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            **{f"HTTP_{key}": value for key, value in fields.items()},
        }
        chunks = self._app(environ, lambda *answer: told.append(answer))  # type: ignore[arg-type]
        body = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        return Answer(int(told[0][0][:3]), dict(told[0][1]), body)

    def files(self) -> list[str]:
        return sorted(str(file.relative_to(self.folder)) for file in self.folder.rglob("*") if file.is_file())


def _elsewhere(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("X-App", "yes")])
    return [b"the application"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "uploads", allow=ALL)


def kind_of(site: Site, data: object, name: str | None = None) -> str:
    with pytest.raises(UploadError) as caught:
        site.store.add(data, name)
    assert site.files() == []
    assert str(caught.value)[-1] == "."
    return caught.value.kind


# What is taken


@pytest.mark.parametrize(
    ("name", "media_type", "suffix"),
    [
        ("JPEG", "image/jpeg", ".jpg"),
        ("PNG", "image/png", ".png"),
        ("WEBP", "image/webp", ".webp"),
        ("GIF", "image/gif", ".gif"),
        ("AVIF", "image/avif", ".avif"),
    ],
)
def test_a_picture_is_published_under_its_real_type(site: Site, name: str, media_type: str, suffix: str) -> None:
    image = pictures.photograph(60, 40)
    upload = site.store.add(io.BytesIO(pictures.saved(image, name)), "x" + suffix)
    assert (upload.media_type, upload.width, upload.height) == (media_type, 60, 40)
    assert upload.url == f"/uploads/{upload.id}{suffix}"
    answer = site.get(upload.url)
    assert (answer.status, answer.headers["Content-Type"], len(answer.body)) == (200, media_type, upload.size)
    shown, original = pictures.opened(answer.body).convert("RGB"), pictures.opened(pictures.saved(image, name))
    assert shown.tobytes() == original.convert("RGB").tobytes()


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.PNG", "a.webp", "a", "", None, "blob", "a.jpg.tmp", "a.tif", "../../etc/passwd", "\0/"]
)
def test_a_picture_may_be_called_what_other_pictures_are_called(site: Site, name: str | None) -> None:
    """Phones send WebP as .jpg by the million; the published name and type are ours."""
    upload = site.store.add(pictures.png(), name)
    assert upload.url == f"/uploads/{upload.id}.png"
    assert all(re.fullmatch(r"(files/[0-9a-f.]+|records)/[\w.-]+", file) for file in site.files())


@pytest.mark.parametrize("name", ["a.html", "a.js", "a.svg", "a.pdf", "a.zip", "a.css", "a.JSON"])
def test_a_picture_under_the_name_of_something_else_is_a_lie(site: Site, name: str) -> None:
    assert kind_of(site, pictures.png(), name) == "mismatch"


@pytest.mark.parametrize("data", [PDF, SVG])
def test_a_document_under_the_name_of_a_picture_is_a_lie(site: Site, data: bytes) -> None:
    assert kind_of(site, data, "a.png") == "mismatch"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"<!doctype html><script>alert(1)</script>", "a web page"),
        (b"\xef\xbb\xbf \n<HTML>", "a web page"),
        (b"<?php system($_GET[0]);", "a program"),
        (b"#!/bin/sh\n", "a program"),
        (b"MZ\x90\0", "a program"),
        (b"PK\x03\x04", "an archive"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a film"),
        (pictures.saved(pictures.photograph(9, 9), "BMP"), "a BMP picture"),
        (pictures.saved(pictures.photograph(9, 9), "TIFF"), "a TIFF picture"),
        (b"BM this is a text, not a picture", "This kind of file"),
        (b"<rss><svg/></rss>", "This kind of file"),
        (b" \x89PNG\r\n\x1a\n", "This kind of file"),
        (b"\r\n%PDF-1.4 %%EOF", "This kind of file"),
        (b"x", "This kind of file"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_bytes_whatever_its_name(site: Site, data: bytes, told: str) -> None:
    with pytest.raises(UploadError) as caught:
        site.store.add(data, "holiday.jpg")
    assert caught.value.kind == "not-allowed"
    assert told in str(caught.value)
    assert "Send JPEG, PNG, WebP" in str(caught.value)


def test_only_what_is_allowed_is_taken(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for data in (SVG, PDF):
        assert kind_of(site, data) == "not-allowed"
    assert kind_of(Site(tmp_path, allow=["application/pdf"]), pictures.png()) == "not-allowed"


# How much is taken


class Endless:
    """Gives bytes for ever, and counts them."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int) -> bytes:
        self.given += size
        return b"\xff" * size


def test_no_more_is_read_than_is_taken_whatever_its_length_is_said_to_be(tmp_path: Path) -> None:
    site, endless = Site(tmp_path, max_bytes=100_000), Endless()
    assert kind_of(site, endless) == "too-large"
    assert endless.given == 100_001
    drawn = itertools.count()
    assert kind_of(site, (b"x" * 999 for _ in drawn)) == "too-large"
    assert next(drawn) < 102
    assert kind_of(site, b"x" * 100_001) == "too-large"
    file = FileStorage(io.BytesIO(b"x" * 100_001), "a.jpg", content_type="image/jpeg", content_length=3)
    assert kind_of(site, file, file.filename) == "too-large"


@pytest.mark.parametrize("data", [b"", io.BytesIO(), (), FileStorage()])
def test_nothing_is_not_taken(site: Site, data: Any) -> None:
    assert kind_of(site, data) == "empty"


class Slow:
    """A network: a few bytes at a time, and at its end perhaps a failure."""

    def __init__(self, data: bytes, *, breaks: bool = False) -> None:
        self.chunks = [data[at : at + 97] for at in range(0, len(data), 97)]
        self.breaks = breaks

    def read(self, size: int) -> bytes:
        if self.breaks and len(self.chunks) < 9:
            raise ConnectionResetError("gone")
        return self.chunks.pop(0) if self.chunks else b""


def test_a_file_comes_by_any_stream(site: Site, tmp_path: Path) -> None:
    data = pictures.jpeg()
    (tmp_path / "a.jpg").write_bytes(data)
    with (tmp_path / "a.jpg").open("rb") as file:
        sent = FileStorage(io.BytesIO(data), "a.jpg", content_type="text/html")
        chunks = (data[at : at + 1000] for at in range(0, len(data), 1000))
        uploads = {site.store.add(one).id for one in (data, bytearray(data), file, sent, chunks, Slow(data))}
    assert len(uploads) == 1


def test_a_stream_that_breaks_off_leaves_nothing(site: Site) -> None:
    with pytest.raises(ConnectionResetError):
        site.store.add(Slow(pictures.jpeg(), breaks=True))
    assert site.files() == []


def test_a_file_that_is_open_for_text_is_the_developers_mistake(site: Site) -> None:
    with pytest.raises(TypeError, match="not bytes"):
        site.store.add(io.StringIO("x"))


# Damage and bombs


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_too_many_pixels_are_refused_before_any_is_decoded(site: Site) -> None:
    assert kind_of(site, bomb(30_000, 30_000)) == "too-many-pixels"
    jpeg = bytearray(pictures.jpeg(16, 16))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65_000, 65_000)
    assert kind_of(site, bytes(jpeg)) == "too-many-pixels"
    frames = [Image.new("P", (2000, 2000), n) for n in range(20)]
    gif = pictures.saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert len(gif) < 1_000_000
    assert kind_of(site, gif) == "too-many-pixels"


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
def test_what_was_cut_off_is_refused(site: Site, name: str) -> None:
    data = pictures.saved(pictures.photograph(200, 150), name)
    for share in (0.3, 0.6, 0.9):
        assert kind_of(site, data[: int(len(data) * share)]) == "broken"


def test_a_picture_without_renditions_is_decoded_to_its_end_as_well(tmp_path: Path) -> None:
    data = pictures.saved(pictures.photograph(200, 150), "PNG")
    assert kind_of(Site(tmp_path, formats=()), data[: len(data) // 2]) == "broken"


def test_a_picture_that_lies_about_its_size_is_refused(site: Site) -> None:
    assert kind_of(site, bomb(4000, 4000)) == "broken"


@pytest.mark.parametrize("data", [b"%PDF-1.7\n1 0 obj", PDF + b"x" * 2000])
def test_a_document_that_was_cut_off_is_refused(site: Site, data: bytes) -> None:
    assert kind_of(site, data) == "broken"


def test_bytes_turned_at_random_are_taken_or_refused_and_nothing_else(site: Site) -> None:
    dice = random.Random(3)
    for name in ("JPEG", "PNG", "WEBP", "GIF", "AVIF"):
        data = pictures.saved(pictures.photograph(40, 30), name)
        for _ in range(40):
            wrong = bytearray(data)
            for _ in range(dice.randrange(1, 5)):
                wrong[dice.randrange(len(wrong))] = dice.randrange(256)
            try:
                upload = site.store.add(bytes(wrong))
            except UploadError:
                continue
            assert site.get(upload.url).status == 200


# What is left out


def gps() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = PAYLOAD.decode()
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return exif


def polyglots() -> Iterator[tuple[str, bytes]]:
    """Pictures that are something else, too."""
    photograph = pictures.photograph(80, 60)
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", PAYLOAD.decode())
    info.add_itxt("XML:com.adobe.xmp", PAYLOAD.decode())
    hold = io.BytesIO()
    with zipfile.ZipFile(hold, "w") as archive:
        archive.writestr("index.html", PAYLOAD)
    archived = hold.getvalue()
    gif = pictures.saved(photograph, "GIF")
    # The image's bytes say how wide a screen would have to be: /* of JavaScript begins there, for those who look.
    script = gif[:13] + gif[13:-1] + b"\x21\xfe" + bytes([len(PAYLOAD)]) + PAYLOAD + b"\0;"
    yield "HTML in a PNG's text", pictures.saved(photograph, "PNG", pnginfo=info)
    yield "PHP in a JPEG's comment", pictures.saved(photograph, "JPEG", comment=PAYLOAD)
    yield "PHP and a place in a JPEG's EXIF", pictures.saved(photograph, "JPEG", exif=gps())
    yield "HTML in a WebP's XMP", pictures.saved(photograph, "WEBP", xmp=PAYLOAD, exif=gps())
    yield "HTML in an AVIF's XMP", pictures.saved(photograph, "AVIF", xmp=b"<x:xmpmeta/>" + PAYLOAD, exif=gps())
    yield "a script in a GIF's comment", script
    for name in ("JPEG", "PNG", "GIF", "WEBP"):
        yield f"an archive behind a {name}", pictures.saved(photograph, name) + archived
        yield f"a page behind a {name}", pictures.saved(photograph, name) + PAYLOAD


@pytest.mark.parametrize(("name", "data"), [pytest.param(*one, id=one[0]) for one in polyglots()])
def test_of_a_picture_that_is_something_else_too_the_picture_is_published_alone(
    tmp_path: Path, name: str, data: bytes
) -> None:
    site = Site(tmp_path, widths=[20], allow=ALL)
    upload = site.store.add(data)
    urls = [upload.url, *(one.url for one in upload.renditions), site.store.url(upload, width=30)]
    for url in urls:
        answer = site.get(url)
        assert answer.status == 200
        for telling in (b"gotcha", b"script", b"php", b"PK\x03\x04", b"index.html"):
            assert telling not in answer.body
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        exif = pictures.opened(answer.body).getexif()
        assert 0x8825 not in exif
        assert 0x010E not in exif


@pytest.mark.parametrize("payload", [PAYLOAD, b"PK\x03\x04" + bytes(99), b"%PDF-1.7 %%EOF"])
def test_what_comes_behind_an_avif_is_no_part_of_it_and_so_it_is_refused(site: Site, payload: bytes) -> None:
    data = pictures.saved(pictures.photograph(80, 60), "AVIF")
    assert kind_of(site, data + payload) == "broken"


def test_a_turned_photograph_stays_upright_without_its_metadata(tmp_path: Path) -> None:
    site = Site(tmp_path, widths=[20])
    image = Image.new("RGB", (80, 40), "white")
    image.paste("red", (0, 0, 20, 40))
    upload = site.store.add(pictures.saved(image, "JPEG", exif=gps(), quality=95))
    assert (upload.width, upload.height) == (40, 80)
    original = pictures.opened(site.get(upload.url).body)
    assert original.getexif().get(0x0112) == 6
    assert dict(original.getexif().get_ifd(0x8825)) == {}
    small = pictures.opened(site.get(next(one.url for one in upload.renditions if one.width == 20)).body)
    assert small.size == (20, 40)
    # Turned clockwise, what was left is above.
    assert small.convert("RGB").getpixel((10, 3))[1] < 60  # type: ignore[index]
    assert small.convert("RGB").getpixel((10, 36))[1] > 200  # type: ignore[index]


# What is served


def test_the_original_answers_in_the_format_that_the_client_names(tmp_path: Path) -> None:
    site = Site(tmp_path, widths=[100, 5000], formats=["webp", "avif"])
    upload = site.store.add(pictures.jpeg(320, 200))
    plain = site.get(upload.url)
    assert plain.headers["Content-Type"] == "image/jpeg"
    assert plain.headers["Vary"] == "Accept"
    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.headers["ETag"] == f'"{upload.id}"'
    for accept, kind in [("image/webp,*/*", "image/webp"), ("image/avif", "image/avif"), ("image/*", "image/jpeg")]:
        answer = site.get(upload.url, ACCEPT=accept)
        assert (answer.headers["Content-Type"], answer.headers["Vary"]) == (kind, "Accept")
        assert pictures.opened(answer.body).size == (320, 200)
    for rendition in upload.renditions:
        answer = site.get(rendition.url)
        assert (answer.headers["Content-Type"], len(answer.body)) == (rendition.type, rendition.size)
        assert "Vary" not in answer.headers
        assert pictures.opened(answer.body).size == (rendition.width, rendition.height)
    assert {one.width for one in upload.renditions} == {100, 320}


def test_uploads_are_answered_as_assets_are(site: Site) -> None:
    upload = site.store.add(pictures.saved(pictures.photograph(1000, 700), "PNG"))
    whole = site.get(upload.url)
    assert len(whole.body) > 600_000  # more than is kept in memory
    assert site.get(upload.url, "HEAD")._replace(body=whole.body) == whole
    assert site.get(upload.url, IF_NONE_MATCH=whole.headers["ETag"]).status == 304
    part = site.get(upload.url, RANGE="bytes=500000-500009")
    assert (part.status, part.body) == (206, whole.body[500_000:500_010])
    assert part.headers["Content-Range"] == f"bytes 500000-500009/{upload.size}"
    assert site.get(upload.url, RANGE="bytes=-7").body == whole.body[-7:]
    assert site.get(upload.url, RANGE=f"bytes={upload.size}-").status == 416
    assert site.get(upload.url, "POST").status == 405
    assert site.get(upload.url, "OPTIONS").status == 204


def test_a_drawing_and_a_document_cannot_act_in_the_sites_name(site: Site) -> None:
    drawing, document = site.get(site.store.add(SVG).url), site.get(site.store.add(PDF, "a.pdf").url)
    for answer in (drawing, document):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert "allow-" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert drawing.headers["Content-Type"] == "image/svg+xml"
    assert document.headers["Content-Type"] == "application/pdf"
    assert document.headers["Content-Disposition"] == "attachment"
    assert document.body == PDF


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/",
        "x",
        "{id}",
        "{id}.",
        "{id}.jpg",
        "{id}.PNG",
        "{id}.png/",
        "{id}.png\n",
        "{id}.png.png",
        "{ID}.png",
        "{id}.0123456789abcdef.webp",
        "{id}.original.png",
        "../records/{id}.json",
        "..%2frecords/{id}.json",
        "records/{id}.json",
        "files/",
        "{id}/../{id}.png",
        "\0.png",
        "{id}.{id}.png",
        "ffffffffffffffffffffffffffffffff.png",
        "１２３４５６７８９０１２３４５６７８９０１２３４５６７８９０１２.png",
    ],
)
def test_what_is_no_name_of_an_upload_is_nothing(site: Site, rest: str) -> None:
    upload = site.store.add(pictures.png())
    answer = site.get("/uploads/" + rest.format(id=upload.id, ID=upload.id.upper()))
    assert (answer.status, answer.body, answer.headers["Cache-Control"]) == (404, b"", "no-store")


def test_everything_else_is_the_applications(site: Site) -> None:
    for path in ("/", "/uploads", "/uploadsx/", "/other/uploads/x.png"):
        assert site.get(path).headers == {"X-App": "yes"}


# What there is


def test_the_same_file_is_one_upload(site: Site) -> None:
    data = pictures.jpeg()
    first = site.store.add(data, "a.jpg")
    files = site.files()
    assert site.store.add(io.BytesIO(data), "b.jpeg") == first
    assert site.files() == files
    # What differs in what is not published is the same, too.
    image = pictures.photograph(30, 20)
    assert len({site.store.add(pictures.saved(image, "JPEG", comment=text)).id for text in (b"a", b"b")}) == 1


def test_uploads_are_found_listed_and_deleted(site: Site) -> None:
    uploads = [site.store.add(pictures.jpeg(40 + n, 30)) for n in range(5)]
    assert sorted(site.store, key=lambda one: one.width) == uploads
    assert [site.store.find(one.id) for one in uploads] == uploads
    site.get(site.store.url(uploads[0], width=10))
    assert site.get(uploads[0].url).status == 200
    assert site.store.delete(uploads[0].id)
    assert not site.store.delete(uploads[0].id)
    assert site.store.find(uploads[0].id) is None
    for url in (uploads[0].url, uploads[0].renditions[0].url, site.store.url(uploads[0], width=10)):
        assert site.get(url).status == 404
    assert sorted(site.store, key=lambda one: one.width) == uploads[1:]
    assert not [file for file in site.files() if uploads[0].id in file]


@pytest.mark.parametrize("identity", ["", "x", "../x", "0" * 31, "0" * 33, "G" * 32, "0" * 31 + "\n", "*"])
def test_what_is_no_id_is_none(site: Site, identity: str) -> None:
    site.store.add(pictures.png())
    before = site.files()
    assert site.store.find(identity) is None
    assert not site.store.delete(identity)
    assert site.files() == before


def test_a_product_without_a_picture_has_none(site: Site) -> None:
    assert site.store.find(None) is None
    assert Uploads(site.folder, secret=None).add(pictures.png()).url


def test_what_was_deleted_can_be_added_again(site: Site) -> None:
    data = pictures.jpeg()
    upload = site.store.add(data)
    site.store.delete(upload.id)
    assert site.store.add(data) == upload
    assert site.get(upload.url).status == 200


def test_a_damaged_file_is_not_served(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    upload = site.store.add(pictures.png())
    file = next(site.folder.glob("files/*/original.png"))
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(data)
    answer = site.get(upload.url)
    assert (answer.status, answer.headers["Cache-Control"], answer.body) == (503, "no-store", b"")
    assert "has not the bytes that were published" in caplog.text


# In pages


def test_a_picture_is_written_as_assets_are(tmp_path: Path) -> None:
    site = Site(tmp_path, widths=[100, 200], base="https://cdn.example.com/")
    upload = site.store.add(pictures.jpeg(640, 400))
    html = upload.picture(alt='A "red" boat', sizes="50vw", class_="hero", loading="lazy")
    here = rf"https://cdn\.example\.com/uploads/{upload.id}"
    assert re.fullmatch(
        rf'<picture><source type="image/webp" srcset="({here}\.[0-9a-f]{{16}}\.webp \d+w(, )?){{3}}" sizes="50vw">'
        rf'<img src="{here}\.jpg" '
        r'alt="A &#34;red&#34; boat" width="640" height="400" decoding="async" class="hero" loading="lazy"></picture>',
        html,
    )
    assert [one.rpartition(" ")[2] for one in upload.srcset("webp", widths=[100, 640]).split(", ")] == ["100w", "640w"]


def test_a_picture_needs_a_text_and_a_document_is_none(site: Site) -> None:
    with pytest.raises(TagError, match="`alt`"):
        site.store.add(pictures.png()).picture()
    with pytest.raises(TagError, match="no picture"):
        site.store.add(PDF).picture(alt="x")


def test_a_drawing_is_a_picture_as_it_is(site: Site) -> None:
    upload = site.store.add(SVG)
    assert upload.picture(alt="") == f'<img src="{upload.url}" alt="" width="20" height="10" decoding="async">'


def test_a_flask_shop_takes_and_shows_pictures(tmp_path: Path) -> None:
    app = Flask(__name__)
    store = Uploads(tmp_path / "uploads")
    store.init_app(app)

    @app.post("/send")
    def send() -> tuple[str, int]:
        file = request.files["picture"]
        try:
            return store.add(file, file.filename).picture(alt="Yours"), 201
        except UploadError as error:
            return str(error), 400

    client = app.test_client()
    sent = client.post("/send", data={"picture": (io.BytesIO(pictures.jpeg()), "a.jpg")})
    assert sent.status_code == 201
    answer = client.get(re.findall(r'src="([^"]+)"', sent.text)[0])
    assert (answer.status_code, answer.mimetype) == (200, "image/jpeg")
    refused = client.post("/send", data={"picture": (io.BytesIO(b"<script>"), "a.jpg", "image/jpeg")})
    assert (refused.status_code, refused.text[:21]) == (400, "This is a web page, w")


def test_any_other_framework_is_served_by_asgi(tmp_path: Path) -> None:
    site = Site(tmp_path / "uploads", allow=ALL)
    small, large = site.store.add(SVG), site.store.add(pictures.saved(pictures.photograph(1000, 700), "PNG"))
    (tmp_path / "shop.py").write_text(
        f"""
from assetpipe.uploads import Uploads

store = Uploads("uploads", secret={SECRET!r})

async def own(scope, receive, send):
    assert scope["type"] in ("http", "lifespan")
    if scope["type"] == "http":
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": b"the application"}})

app = store.asgi(own)
"""
    )
    with servers.serving(servers.ASGI["uvicorn"], "shop:app", tmp_path) as process:
        here = f"http://127.0.0.1:{process.port}"
        for url in (small.url, large.url, site.store.url(large, width=64), small.url[:-1]):
            answer, expected = requests.get(here + url, timeout=60), site.get(url)
            assert (answer.status_code, answer.content) == (expected.status, expected.body)
            assert {key: answer.headers[key] for key in expected.headers} == expected.headers
        part = requests.get(here + large.url, headers={"Range": "bytes=-9"}, timeout=60)
        assert (part.status_code, part.content) == (206, site.get(large.url).body[-9:])
        assert requests.get(f"{here}/", timeout=60).text == "the application"


@pytest.mark.parametrize(
    "options",
    [
        {"prefix": "/"},
        {"prefix": "uploads/"},
        {"prefix": "/up loads/"},
        {"prefix": "/uploads"},
        {"allow": ["image/jpg"]},
        {"allow": []},
        {"widths": [-3]},
        {"formats": ["jpeg"]},
        {"quality": 101},
        {"quality": {"webp": "best"}},
        {"secret": "short"},
        {"secret": [SECRET, "short"]},
        {"max_bytes": 0},
        {"conversions": 0},
    ],
)
def test_a_store_that_cannot_be_says_why(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Uploads(tmp_path, **options)
    assert next(iter(options)).rstrip("s") in str(caught.value)
