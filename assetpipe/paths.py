"""The two spellings everything else is keyed by: a file's plain URL path, and the SHA-256 of its bytes."""

from __future__ import annotations

import base64
import hashlib
import os.path
from typing import Self
from unicodedata import is_normalized, normalize
from urllib.parse import quote, unquote

TAG_LENGTH = 12
# Most file systems hold names of 255 bytes; the longest suffix of a coding ("." and three letters) must still fit.
NAME_MAX = 255 - len(".zst")
# What follows the last dot is no suffix if it is longer than this: it leaves no room for a tag.
_SUFFIX_MAX = 100
# What a reference may keep unquoted in CSS (also in an unquoted url()), JavaScript and HTML alike; no comma, since one
# at either end of a URL is none of it in a `srcset`.
_UNQUOTED = "-._~!$*+;=:@/"


class Digest(str):
    """A SHA-256 in its spellings; as a string it is 64 lower-case hex digits."""

    __slots__ = ()

    @classmethod
    def of(cls, *chunks: bytes) -> Digest:
        """Digest the concatenation of ``chunks``."""
        sha256 = hashlib.sha256()
        for chunk in chunks:
            sha256.update(chunk)
        return cls(sha256.hexdigest())

    @property
    def tag(self) -> str:
        """Spell the part that goes into file names: 12 hex digits."""
        return self[:TAG_LENGTH]

    @property
    def etag(self) -> str:
        """Spell a strong entity-tag (RFC 9110 section 8.8.3), quotes included."""
        return f'"{self[:32]}"'

    @property
    def raw(self) -> bytes:
        """Spell the 32 bytes, as RFC 9842 names a dictionary."""
        return bytes.fromhex(self)

    @property
    def integrity(self) -> str:
        """Spell it for the ``integrity`` attribute (Subresource Integrity)."""
        return "sha256-" + base64.b64encode(self.raw).decode()


class LogicalPath(str):
    """The plain URL path of a file, decoded: ``/static/css/app.css``. The one key of the whole system.

    It starts with a slash, is in Unicode's NFC, and has no empty, ``.`` or ``..`` segment, so that joined to a folder
    it cannot leave that folder. Raises ValueError for anything else.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check ``text`` and normalise it to NFC."""
        if not is_normalized("NFC", text):
            text = normalize("NFC", text)
        segments = text.split("/")
        if segments[0] or len(segments) < 2 or any(s in ("", ".", "..") for s in segments[1:]) or "\0" in text:
            raise ValueError(f"not a logical path: {text!r}")
        text.encode()  # half a surrogate pair, which stands for a byte that is not UTF-8, is a ValueError
        return str.__new__(cls, text)

    @property
    def folder(self) -> str:
        """The path up to and with its last slash."""
        return self[: self.rindex("/") + 1]

    @property
    def name(self) -> str:
        """The last segment."""
        return self[self.rindex("/") + 1 :]

    def tagged(self, tag: str, suffix: str | None = None) -> LogicalPath:
        """Put ``tag`` before the last suffix (or before ``suffix``, which then takes its place).

        A stem too long for a file name with its tag and a coding's suffix is cut: the tag still tells them apart.
        """
        stem, own_suffix = os.path.splitext(self.name)
        if len(own_suffix.encode()) > _SUFFIX_MAX:
            stem, own_suffix = self.name, ""
        ending = f".{tag}{own_suffix if suffix is None else suffix}"
        stem = stem.encode()[: max(1, NAME_MAX - len(ending.encode()))].decode(errors="ignore")
        return LogicalPath(f"{self.folder}{stem}{ending}")


def split_reference(reference: str) -> tuple[str, str] | None:
    """Split a URL reference into its path and the rest (query and fragment, RFC 3986 section 4.1).

    None where there is no path of this site to speak of: an empty reference, a query or fragment alone, an absolute
    URL (``https:``, ``data:``), or one with an authority (``//cdn.example/x``).
    """
    end = min((i for i in (reference.find("?"), reference.find("#")) if i >= 0), default=len(reference))
    path = reference[:end]
    if not path or path.startswith(("//", "\\\\", "/\\", "\\/")):
        return None
    scheme, colon, _ = path.partition(":")
    if colon and scheme[:1].isalpha() and scheme.isascii() and all(c.isalnum() or c in "+-." for c in scheme):
        return None
    return path, reference[end:]


def resolve(base: LogicalPath, path: str) -> LogicalPath | None:
    """Resolve the path of a reference written in ``base`` (RFC 3986 section 5.2, dot segments as in the URL standard).

    None where no file can have that path: it ends in a slash, has an empty segment or an encoded slash, or is no
    UTF-8.
    """
    segments: list[str] = []
    path = path.replace("\\", "/")
    parts = path[1:].split("/") if path.startswith("/") else [*base.folder[1:-1].split("/"), *path.split("/")]
    if not path.startswith("/") and base.folder == "/":
        parts = parts[1:]
    for part in parts:
        segment = unquote(part, errors="surrogateescape") if "%" in part else part
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            if not segment or "/" in segment:
                return None
            segments.append(segment)
    if not segments or parts[-1] in (".", ".."):
        return None
    try:
        return LogicalPath("/" + "/".join(segments))
    except ValueError:
        return None


def relative(base: LogicalPath, url: LogicalPath) -> str:
    """Spell ``url`` as a reference from ``base``, beginning with ``./`` or ``../`` as a module specifier must."""
    own, other = base.split("/")[:-1], url.split("/")[:-1]
    shared = 0
    while shared < min(len(own), len(other)) and own[shared] == other[shared]:
        shared += 1
    up = "../" * (len(own) - shared) or "./"
    return up + quote("/".join((*other[shared:], url.name)), safe=_UNQUOTED)


def rooted(url: LogicalPath) -> str:
    """Spell ``url`` as a reference from the site's root."""
    return quote(url, safe=_UNQUOTED)


def spell(written: str, url: LogicalPath) -> str:
    """Spell ``url`` in the manner of the reference ``written``: relative stays relative, so any mount point works.

    Only the last segment can differ between a logical path and its URL, so only that is replaced. The result is
    percent-encoded so that it needs no escapes in CSS, JavaScript or an HTML attribute.
    """
    folder = written.replace("\\", "/")
    folder = folder[: folder.rindex("/") + 1] if "/" in folder else ""
    name = quote(url.name, safe=_UNQUOTED)
    # "a:b.css" alone would read as a URL of scheme "a" (RFC 3986 section 4.2).
    if not folder and ":" in name:
        folder = "./"
    return quote(folder, safe=_UNQUOTED + ",%", errors="surrogateescape") + name
