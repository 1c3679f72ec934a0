"""Requests for the pure ``respond``, written short."""

from __future__ import annotations

from typing import NamedTuple

from assetpipe.serve.resource import Reply, Span
from assetpipe.serve.respond import respond as respond_to
from assetpipe.serve.table import Table


class Request(NamedTuple):
    """The method, the decoded path, and the header fields that can matter (None where absent)."""

    method: str
    path: str
    accept: str | None = None
    accept_encoding: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None
    range: str | None = None

    @property
    def variables(self) -> dict[str, str]:
        """As CGI spells it."""
        told = {f"HTTP_{name.upper()}": value for name, value in self._asdict().items() if value is not None}
        return {"REQUEST_METHOD": self.method, **told}


class Stretch(NamedTuple):
    """A stretch of a file below ``dist/public``."""

    file: str
    start: int
    length: int
    whole: bool


def respond(table: Table, request: Request) -> Reply | None:
    return respond_to(table, request.path, request.variables)


def stretch(reply: Reply) -> Stretch:
    """What of which file a reply sends; it must send one."""
    assert isinstance(reply.body, Span), reply
    file = reply.body.of.file
    assert file.startswith("/public/")
    return Stretch(file.removeprefix("/public"), reply.body.start, reply.body.length, reply.body.whole)


def told(reply: Reply) -> tuple[str, list[tuple[str, str]], list[bytes | Stretch]]:
    """All that a client gets of a reply, to be compared with that of another table."""
    pieces = (reply.body,) if isinstance(reply.body, bytes | Span) else reply.body
    body = [
        Stretch(piece.of.file, piece.start, piece.length, piece.whole) if isinstance(piece, Span) else piece
        for piece in pieces
    ]
    return reply.status, reply.headers, body
