"""What is known of one upload: a small JSON file, whose presence is what makes it one.

    records/<id>.json                       written last, and once
    files/<id>.<generation>/<name>          what it names, and what was made since

Each adding writes its files into a folder of its own, a *generation*, and then puts the record in place, unless there
is one: so whoever is killed leaves no upload or a whole one, two who add the same at once agree without a lock, and to
delete one cannot hurt another that comes in its stead. A folder that no record names is waste, for ``sweep`` to find.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

FORMAT = 1
RECORDS, FILES = "records", "files"
_RECORD = re.compile(rf"{RECORDS}/([0-9a-f]{{32}})\.json\Z")
_FILE = re.compile(rf"{FILES}/([0-9a-f]{{32}})\.([0-9a-f]{{16}})/")


class Stored(Struct, frozen=True, omit_defaults=True):
    """One file of an upload: its name in the generation's folder, its media type, bytes, digest, and size in pixels."""

    name: str
    type: str
    size: int
    sha256: str
    width: int = 0
    height: int = 0
    negotiated: bool = False


class Record(Struct, frozen=True, omit_defaults=True):
    """One upload: what is published, and what was made of it when it was added."""

    format: int
    id: str
    generation: str
    original: Stored
    renditions: tuple[Stored, ...] = ()

    def key(self, name: str) -> str:
        """Where a file of its generation lies."""
        return f"{FILES}/{self.id}.{self.generation}/{name}"


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What came of a variant: the picture that was made; or none, where the original does as well or nothing could be
    made, of which ``failure`` says why.
    """

    made: Stored | None = None
    failure: str = ""


def record_key(identity: str) -> str:
    """Where the record of an upload lies."""
    return f"{RECORDS}/{identity}.json"


def record_id(key: str) -> str | None:
    """Whose record lies there; None where none does."""
    match = _RECORD.match(key)
    return None if match is None else match[1]


def owner(key: str) -> tuple[str, str] | None:
    """The id and the generation that a file lies in the folder of."""
    match = _FILE.match(key)
    return None if match is None else (match[1], match[2])


def dump(value: Record | Outcome) -> bytes:
    """Encode as UTF-8 JSON."""
    return msgspec.json.encode(value, order="sorted", enc_hook=str) + b"\n"


def load_record(data: bytes) -> Record | None:
    """Decode a record; None for what is none that we know."""
    try:
        told = msgspec.json.decode(data, type=Record)
    except msgspec.DecodeError:
        return None
    return told if told.format == FORMAT else None


def load_outcome(data: bytes) -> Outcome | None:
    """Decode an outcome; None for what is none."""
    try:
        return msgspec.json.decode(data, type=Outcome)
    except msgspec.DecodeError:
        return None
