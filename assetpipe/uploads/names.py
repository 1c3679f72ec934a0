"""The names that uploads have in URLs, and the signatures without which nothing is made.

    <id>.jpg                                the original, and by ``Accept`` its renditions of the same size
    <id>.<tag>.webp                         a rendition that was made when the upload was added
    <id>.640w_q80.<signature>.webp          one that is made when it is first asked for
    <id>.200w_q80_1x1_detail.<signature>.avif

All of them are immutable, and matched exactly: what is not such a name is nothing. Signed is all that says what is to
be made, so the number of pictures that can be asked for is the application's to choose, not the client's. The signature
is in the path, since many a CDN leaves the query out of its key.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import TYPE_CHECKING, cast, get_args

from msgspec import Struct

from assetpipe.config import Gravity, ImageFormat, Quality
from assetpipe.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

Secrets = "str | bytes | Sequence[str | bytes]"

ID_LENGTH, TAG_LENGTH = 32, 16  # hex digits
_SIGNATURE_BYTES = 16  # of 32: RFC 2104 section 5 lets half of them go
_LEAST_SECRET = 16  # bytes; the signatures are there for all to try guesses on
_MOST_WIDTH = 99_999
_WORDS = get_args(get_args(Quality)[1])
_CROP = re.compile(r"([1-9][0-9]{0,4}):([1-9][0-9]{0,4})\Z", re.ASCII)
_SPEC = re.compile(
    rf"([0-9]{{1,5}})w_(?:q([0-9]{{1,3}})|({'|'.join(_WORDS)}))"
    rf"(?:_([1-9][0-9]{{0,4}})x([1-9][0-9]{{0,4}})_({'|'.join(get_args(Gravity))}))?\Z",
    re.ASCII,
)
_NAME = re.compile(
    rf"([0-9a-f]{{{ID_LENGTH}}})(?:\.([0-9a-f]{{{TAG_LENGTH}}})|\.([0-9a-z_-]{{1,60}})\.([0-9A-Za-z_-]{{22}}))?"
    r"(\.[a-z]{3,4})\Z",
    re.ASCII,
)


class Variant(Struct, frozen=True):
    """What can be made of a picture: a width in pixels (0: its own), a format, a quality, and what is cut off."""

    width: int
    format: ImageFormat
    quality: Quality
    crop: str = ""
    gravity: Gravity = "center"

    @property
    def spec(self) -> str:
        """Spell it, but for the format, for the name that it has in a URL; equal ones are spelt alike."""
        quality = f"q{self.quality}" if isinstance(self.quality, int) else self.quality
        cut = f"_{self.crop.replace(':', 'x')}_{self.gravity}" if self.crop else ""
        return f"{self.width}w_{quality}{cut}"

    def checked(self) -> Variant:
        """Raise ConfigError for what cannot be made."""
        if not 0 <= self.width <= _MOST_WIDTH:
            raise ConfigError(f"width={self.width}: name a width in pixels, or 0 for the picture's own.")
        if self.format not in get_args(ImageFormat):
            raise ConfigError(f"format={self.format!r}: {' and '.join(get_args(ImageFormat))} can be made.")
        if self.quality not in _WORDS and not (type(self.quality) is int and 1 <= self.quality <= 100):
            raise ConfigError(f"quality={self.quality!r}: name a number from 1 to 100, or one of {', '.join(_WORDS)}.")
        if self.crop and not _CROP.match(self.crop):
            raise ConfigError(f'crop={self.crop!r}: name proportions, such as "1:1" or "16:9".')
        if self.gravity not in get_args(Gravity):
            raise ConfigError(f"gravity={self.gravity!r}: name one of {', '.join(get_args(Gravity))}.")
        return self


class Name(Struct, frozen=True):
    """What a name in a URL says: an upload's id, and a rendition's tag, or a variant's spec with its signature."""

    id: str
    tag: str
    spec: str
    signature: str
    suffix: str


def parse(text: str) -> Name | None:
    """Read the last segment of a URL; None for what is no such name."""
    match = _NAME.match(text)
    return None if match is None else Name(match[1], match[2] or "", match[3] or "", match[4] or "", match[5])


def is_id(text: str) -> bool:
    """Whether it can be the id of an upload."""
    return len(text) == ID_LENGTH and not set(text) - set("0123456789abcdef")


def variant(spec: str, suffix: str) -> Variant | None:
    """Read a spec; None for what is none."""
    match = _SPEC.match(spec)
    if match is None or suffix[1:] not in get_args(ImageFormat):
        return None
    quality = int(match[2]) if match[2] else match[3]
    crop, gravity = (f"{match[4]}:{match[5]}", match[6]) if match[4] else ("", "center")
    told = Variant(
        int(match[1]), cast("ImageFormat", suffix[1:]), cast("Quality", quality), crop, cast("Gravity", gravity)
    )
    return told if told.spec == spec else None


class Signer:
    """Signs names, with a key that was derived for nothing else; the first secret signs, all of them are taken.

    The prefix is part of the key's derivation, so that stores which share a secret share no signature.
    """

    def __init__(self, secret: str | bytes | Sequence[str | bytes] | None, prefix: str) -> None:
        listed = [secret] if isinstance(secret, str | bytes) else list(secret or ())
        raw = [one.encode() if isinstance(one, str) else one for one in listed]
        if any(len(one) < _LEAST_SECRET for one in raw):
            raise ConfigError(
                f"secret: at least {_LEAST_SECRET} bytes are needed, since every URL is there to try guesses on. "
                'Make one by `python -c "import secrets; print(secrets.token_hex())"`.'
            )
        purpose = b"assetpipe.uploads rendition 1 " + prefix.encode()
        self._keys = [hmac.digest(one, purpose, "sha256") for one in raw]

    @property
    def can_sign(self) -> bool:
        """Whether there is a secret."""
        return bool(self._keys)

    def sign(self, identity: str, spec: str, suffix: str) -> str:
        """The signature of a variant's name, in 22 characters of base64url."""
        return _signed(self._keys[0], identity, spec, suffix)

    def is_signed(self, name: Name) -> bool:
        """Whether one of the secrets signed it; in a time that does not tell how much of it is right."""
        good = False
        for key in self._keys:
            good |= hmac.compare_digest(_signed(key, name.id, name.spec, name.suffix), name.signature)
        return good


def _signed(key: bytes, identity: str, spec: str, suffix: str) -> str:
    # None of the three can hold a dot but the suffix, which begins with one: no two names are one text.
    code = hmac.digest(key, f"{identity}.{spec}{suffix}".encode(), "sha256")[:_SIGNATURE_BYTES]
    return base64.urlsafe_b64encode(code).rstrip(b"=").decode()
