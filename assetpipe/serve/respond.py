"""From a request to a reply, as one pure function (RFC 9110).

1. Look the path up; where it names nothing, 404 below a prefix of the table, and elsewhere None: the application's.
2. The method: OPTIONS tells which there are, any but GET and HEAD is a 405.
3. Select the representation (``negotiate``), or 406.
4. Preconditions in the order of section 13.2.2: If-Match (412), then If-None-Match (304). There is no Last-Modified, so
   the fields with dates are ignored, as section 13.1 wants it.
5. Ranges of the selected representation, if If-Range agrees (section 14): 206 or 416.
6. Otherwise the whole.

A request is its path, decoded, and its meta-variables as CGI names them (RFC 3875 section 4.1): REQUEST_METHOD,
HTTP_ACCEPT and so on. A WSGI environ is that already; others say it so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assetpipe.serve.negotiate import select
from assetpipe.serve.resource import NOSNIFF, Reply, Span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from assetpipe.serve.resource import Headers, Representation, Resource
    from assetpipe.serve.table import Table

# The fields that count, for shells that must spell them anew.
FIELDS = ("ACCEPT", "ACCEPT_ENCODING", "IF_MATCH", "IF_NONE_MATCH", "IF_RANGE", "RANGE")
_ALLOW = ("Allow", "GET, HEAD, OPTIONS")
_NO_STORE = ("Cache-Control", "no-store")
# Section 8.8.3: weak or not, and the opaque part with its quotes.
_ENTITY_TAG = re.compile(r'[ \t]*(W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*')
# Section 14.1.2.
_BYTE_RANGE = re.compile(r"(?:([0-9]+)-([0-9]*)|-([0-9]+))\Z", re.ASCII)
# Longer fields, more ranges: nothing that a client means (section 14.2 lets us ignore them). Python refuses to read
# numbers of thousands of digits, too.
_RANGES_LENGTH, _RANGES = 512, 16


def respond(table: Table, path: str, request: Mapping[str, Any]) -> Reply | None:
    """Answer a request from the table; None where it is the application's to answer. Never raises."""
    resource = table.lookup(path)
    if resource is not None:
        return answer(resource, request)
    return _refuse("404 Not Found", request, _NO_STORE) if table.covers(path) else None


def answer(resource: Resource, request: Mapping[str, Any]) -> Reply:
    """Answer a request for a resource. Never raises."""
    method, field = request["REQUEST_METHOD"], request.get
    if method not in ("GET", "HEAD"):
        if method == "OPTIONS":
            return Reply("204 No Content", [_ALLOW, NOSNIFF])
        return _refuse("405 Method Not Allowed", request, _ALLOW, _NO_STORE)
    chosen = select(resource, field("HTTP_ACCEPT"), field("HTTP_ACCEPT_ENCODING"))
    if chosen is None:
        return _refuse("406 Not Acceptable", request, ("Vary", resource.vary or "Accept-Encoding"), _NO_STORE)
    if (tags := field("HTTP_IF_MATCH")) is not None and not _matches(tags, chosen.etag, weakly=False):
        headers = [*_unstored(chosen), ("Content-Length", "0")]
        return Reply("412 Precondition Failed", headers, b"", chosen)
    if (tags := field("HTTP_IF_NONE_MATCH")) is not None and _matches(tags, chosen.etag, weakly=True):
        return chosen.unmodified
    if method == "HEAD":
        return chosen.head
    ranges = field("HTTP_RANGE")
    if ranges is not None and _if_range(field("HTTP_IF_RANGE"), chosen.etag):
        return _part(chosen, ranges)
    return chosen.whole


def _unstored(chosen: Representation) -> Headers:
    """The headers that tell what was selected, for a failure that no cache may keep (RFC 9111 section 3)."""
    return [_NO_STORE, *(h for h in chosen.validators if h[0] != "Cache-Control")]


def _skip(field: str, position: int) -> int:
    """Pass over blanks and empty members of a list (section 5.6.1.2)."""
    while position < len(field) and field[position] in ", \t":
        position += 1
    return position


def _refuse(status: str, request: Mapping[str, Any], *headers: tuple[str, str]) -> Reply:
    body = f"{status}\n".encode()
    return Reply(
        status,
        [*headers, NOSNIFF, ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))],
        b"" if request["REQUEST_METHOD"] == "HEAD" else body,
    )


def _matches(field: str, etag: str, *, weakly: bool) -> bool:
    """Whether a list of entity-tags holds ours (sections 13.1.1, 13.1.2 and 8.8.3.2); what is malformed matches not."""
    if field == etag:
        return True  # what browsers send
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


def _part(chosen: Representation, field: str) -> Reply:
    """The ranges asked for, or the whole where the field is to be ignored."""
    asked = _ranges(field, chosen.size)
    if asked is None:
        return chosen.whole
    size = chosen.size
    if not asked:
        headers = [*_unstored(chosen), ("Content-Range", f"bytes */{size}"), ("Content-Length", "0")]
        return Reply("416 Range Not Satisfiable", headers, b"", chosen)
    shared = [h for h in chosen.headers if h[0] != "Content-Length"]
    if len(asked) == 1:
        start, end = asked[0]
        told = [("Content-Range", f"bytes {start}-{end - 1}/{size}"), ("Content-Length", str(end - start))]
        return Reply("206 Partial Content", shared + told, Span(chosen, start, end - start), chosen)
    if chosen.coding != "identity":
        # The coding would be said of the multipart body, which has none.
        return chosen.whole
    # A digest of the bytes is not to be found in them.
    boundary = chosen.etag.strip('"')
    head = f"--{boundary}\r\nContent-Type: {chosen.media_type}\r\nContent-Range: bytes "
    pieces: list[bytes | Span] = []
    length = 0
    for start, end in asked:
        before = f"{chr(13) + chr(10) if pieces else ''}{head}{start}-{end - 1}/{size}\r\n\r\n".encode("latin-1")
        pieces += (before, Span(chosen, start, end - start))
        length += len(before) + end - start
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    length += len(boundary) + 8
    if length >= size:
        return chosen.whole
    shared = [h for h in shared if h[0] != "Content-Type"]
    shared += [("Content-Type", f"multipart/byteranges; boundary={boundary}"), ("Content-Length", str(length))]
    return Reply("206 Partial Content", shared, tuple(pieces), chosen)


def _ranges(field: str, size: int) -> list[tuple[int, int]] | None:
    """The satisfiable ranges (first byte, byte after the last) in the order asked, those that touch made one.

    None where the field is to be ignored: malformed, another unit, or too much of it (section 14.2).
    """
    unit, equals, listed = field.partition("=")
    if not equals or unit.lstrip(" \t").lower() != "bytes" or len(field) > _RANGES_LENGTH:
        return None
    members = [member for part in listed.split(",") if (member := part.strip(" \t"))]
    if not 0 < len(members) <= _RANGES:
        return None
    found: list[tuple[int, int]] = []
    for member in members:
        match = _BYTE_RANGE.match(member)
        if match is None:
            return None
        if match[3] is not None:
            length = min(int(match[3]), size)
            if not size and match[3].strip("0"):
                return None  # satisfiable, but there is no Content-Range for no bytes
            start, end = size - length, size
        else:
            start = int(match[1])
            end = min(int(match[2]) + 1, size) if match[2] else size
            if match[2] and int(match[2]) < start:
                return None
        if start < end:
            _add(found, start, end)
    return found


def _add(found: list[tuple[int, int]], start: int, end: int) -> None:
    """Add a range; where it touches others, the earliest of these takes them all in."""
    place = len(found)
    for index in range(len(found) - 1, -1, -1):
        other = found[index]
        if other[0] <= end and start <= other[1]:
            start, end = min(start, other[0]), max(end, other[1])
            del found[index]
            place = index
    found.insert(place, (start, end))
