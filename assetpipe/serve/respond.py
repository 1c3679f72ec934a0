"""From a request to a reply, as one pure function (RFC 9110).

1. Look the path up; where it names nothing, 404 below a prefix of the table, and elsewhere None: the application's.
2. The method: OPTIONS tells which there are, any but GET and HEAD is a 405.
3. Select the representation (``negotiate``), or 406.
4. Preconditions in the order of section 13.2.2: If-Match (412), then If-None-Match (304). There is no Last-Modified, so
   the fields with dates are ignored, as section 13.1 wants it.
5. A range of the selected representation, if If-Range agrees (section 14): 206 or 416.
6. Otherwise the whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from assetpipe.serve.negotiate import select

if TYPE_CHECKING:
    from assetpipe.serve.table import Headers, Representation, Table

_ALLOW = ("Allow", "GET, HEAD, OPTIONS")
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_NO_STORE = ("Cache-Control", "no-store")
# Section 8.8.3: weak or not, and the opaque part with its quotes.
_ENTITY_TAG = re.compile(r'[ \t]*(W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*')
# Section 14.1.2.
_BYTE_RANGE = re.compile(r"[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*\Z", re.ASCII)


class Request(NamedTuple):
    """What of a request can matter: the method, the decoded path, and six header fields (None where absent)."""

    method: str
    path: str
    accept: str | None = None
    accept_encoding: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None
    range: str | None = None


class Span(NamedTuple):
    """A stretch of a file below ``dist/public``, in bytes. ``whole`` says that it is all of the file."""

    file: str
    start: int
    length: int
    whole: bool


class Reply(NamedTuple):
    """A status with its phrase, the header fields in order, and the body."""

    status: str
    headers: Headers
    body: bytes | Span = b""


def respond(table: Table, request: Request) -> Reply | None:
    """Answer a request from the table; None where it is the application's to answer. Never raises."""
    resource = table.lookup(request.path)
    if resource is None:
        return _refuse("404 Not Found", request, _NO_STORE) if table.covers(request.path) else None
    if request.method not in ("GET", "HEAD"):
        if request.method == "OPTIONS":
            return Reply("204 No Content", [_ALLOW, _NOSNIFF])
        return _refuse("405 Method Not Allowed", request, _ALLOW, _NO_STORE)
    chosen = select(resource, request.accept, request.accept_encoding)
    if chosen is None:
        vary = resource.vary or "Accept-Encoding"
        return _refuse("406 Not Acceptable", request, ("Vary", vary), _NO_STORE)
    if request.if_match is not None and not _matches(request.if_match, chosen.etag, weakly=False):
        return Reply("412 Precondition Failed", [*_unstored(chosen), ("Content-Length", "0")])
    if request.if_none_match is not None and _matches(request.if_none_match, chosen.etag, weakly=True):
        return Reply("304 Not Modified", chosen.validators)
    head = request.method == "HEAD"
    if request.range is not None and not head and _if_range(request.if_range, chosen.etag):
        reply = _range(chosen, request.range)
        if reply is not None:
            return reply
    return Reply("200 OK", chosen.headers, b"" if head else Span(chosen.file, 0, chosen.size, whole=True))


def _unstored(chosen: Representation) -> Headers:
    """The headers that tell what was selected, for a failure that no cache may keep (RFC 9111 section 3)."""
    return [_NO_STORE, *(h for h in chosen.validators if h[0] != "Cache-Control")]


def _skip(field: str, position: int) -> int:
    """Pass over blanks and empty members of a list (section 5.6.1.2)."""
    while position < len(field) and field[position] in ", \t":
        position += 1
    return position


def _refuse(status: str, request: Request, *headers: tuple[str, str]) -> Reply:
    body = f"{status}\n".encode()
    return Reply(
        status,
        [*headers, _NOSNIFF, ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))],
        b"" if request.method == "HEAD" else body,
    )


def _matches(field: str, etag: str, *, weakly: bool) -> bool:
    """Whether a list of entity-tags holds ours (sections 13.1.1, 13.1.2 and 8.8.3.2); what is malformed matches not."""
    if field.strip(" \t") == "*":
        return True
    position = _skip(field, 0)
    while match := _ENTITY_TAG.match(field, position):
        if match[2] == etag and (weakly or not match[1]):
            return True
        position = match.end()
        if field[position : position + 1] != ",":
            return False
        position = _skip(field, position)
    return False


def _if_range(field: str | None, etag: str) -> bool:
    """Whether a Range field counts: by a strong comparison, and no date can agree (section 13.1.5)."""
    return field is None or field.strip(" \t") == etag


def _range(chosen: Representation, field: str) -> Reply | None:
    """The part asked for; None where the field is to be ignored: malformed, another unit, or several ranges."""
    unit, equals, ranges = field.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return None
    # A longer one is nothing that a client means, and Python refuses to read numbers of thousands of digits.
    match = _BYTE_RANGE.match(ranges) if len(ranges) <= 64 else None
    if match is None:
        return None
    size = chosen.size
    if match[3] is not None:
        if not size and match[3].strip("0"):
            return None  # satisfiable, but there is no Content-Range for no bytes
        length = min(int(match[3]), size)
        start = size - length
    else:
        start = int(match[1])
        end = min(int(match[2]), size - 1) if match[2] else size - 1
        if match[2] and int(match[2]) < start:
            return None
        length = end - start + 1
    shared = [h for h in chosen.headers if h[0] != "Content-Length"]
    if length <= 0:
        return Reply(
            "416 Range Not Satisfiable",
            [*_unstored(chosen), ("Content-Range", f"bytes */{size}"), ("Content-Length", "0")],
        )
    shared += [("Content-Range", f"bytes {start}-{start + length - 1}/{size}"), ("Content-Length", str(length))]
    return Reply("206 Partial Content", shared, Span(chosen.file, start, length, whole=length == size))
