"""What an asset's URL has to answer, read slowly from RFC 9110 and the design: the measure of ``respond``.

Nothing here is fast, and nothing comes from ``assetpipe.serve``. Section numbers are those of RFC 9110. Where it leaves
a choice, the sentence that says what we chose begins with "Ours:".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from assetpipe.manifest import Asset, Manifest, Rendition

FOREVER = "public, max-age=31536000, immutable"
ALLOWED = "GET, HEAD, OPTIONS"
# Ours: codings that a later version made are not offered; these are, from files with these suffixes.
SUFFIXES = {"br": ".br", "gzip": ".gz", "zstd": ".zst"}
# Weights are in thousandths. This is below all that a client can name, and above "not at all".
UNNAMED = 0.5
LONGEST_RANGE, MOST_RANGES = 512, 16


class Fields(NamedTuple):
    """The fields of a request that may matter; None where absent."""

    accept: str | None = None
    accept_encoding: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None
    range: str | None = None


class Piece(NamedTuple):
    """Bytes of a file below ``dist``."""

    file: str
    start: int
    length: int


class Expected(NamedTuple):
    """A status, the header fields, and the body in pieces, each of a file or of bytes made up for the reply."""

    status: str
    headers: dict[str, str]
    body: list[bytes | Piece]


class Form(NamedTuple):
    """One representation (section 3.2)."""

    type: str
    coding: str
    file: str
    size: int
    etag: str

    @property
    def essence(self) -> str:
        """The media type without its parameters (section 8.3.1)."""
        return self.type.split(";")[0]


class Named(NamedTuple):
    """What a URL names: the original in identity first."""

    forms: list[Form]
    cache_control: str

    @property
    def vary(self) -> str:
        """Section 12.5.5: the fields that can have influenced which form was selected."""
        names = []
        if {form.essence for form in self.forms} != {self.forms[0].essence}:
            names.append("Accept")
        if {form.coding for form in self.forms} != {"identity"}:
            names.append("Accept-Encoding")
        return ", ".join(names)


def expect(
    current: Manifest, retained: Sequence[Manifest], method: str, path: str, fields: Fields, *, cors: bool = False
) -> Expected | None:
    """What is to be answered; None where the application answers. ``retained`` are the older releases, newest first."""
    named = resolve(current, retained, path)
    if named is None:
        # Ours: below a prefix of the current release nobody else answers; "/" is shared with the application.
        if any(prefix != "/" and path.startswith(prefix) for prefix in current.prefixes):
            return refusal("404 Not Found", method)
        return None
    # Section 9.1: methods are case-sensitive.
    if method == "OPTIONS":
        return Expected("204 No Content", {"Allow": ALLOWED, "X-Content-Type-Options": "nosniff"}, [])
    if method not in ("GET", "HEAD"):
        return refusal("405 Method Not Allowed", method, Allow=ALLOWED)  # section 15.5.6: Allow is a MUST
    form = selected(named, fields)
    if form is None:
        return refusal("406 Not Acceptable", method, Vary=named.vary or "Accept-Encoding")

    about = {"ETag": form.etag, "X-Content-Type-Options": "nosniff"}
    if named.vary:
        about["Vary"] = named.vary
    if cors or form.type.startswith("font/") or form.type == "application/vnd.ms-fontobject":
        about["Access-Control-Allow-Origin"] = "*"

    # Section 13.2.2. There is no Last-Modified, so the steps with dates fall out.
    if fields.if_match is not None and not if_match(fields.if_match, form.etag):
        # RFC 9111 section 3: with `max-age` or `public` it could be stored.
        return Expected("412 Precondition Failed", {**about, "Cache-Control": "no-store", "Content-Length": "0"}, [])
    if fields.if_none_match is not None and not if_none_match(fields.if_none_match, form.etag):
        # Section 15.4.5: Cache-Control, ETag and Vary as in the 200; no field of the content that is not there.
        return Expected("304 Not Modified", {**about, "Cache-Control": named.cache_control}, [])

    whole = {
        **about,
        "Cache-Control": named.cache_control,
        "Content-Type": form.type,
        "Accept-Ranges": "bytes",
        "Content-Length": str(form.size),
    }
    if form.coding != "identity":
        whole["Content-Encoding"] = form.coding
    if method == "HEAD":
        # Section 9.3.2: the same fields as GET. Section 14.2: Range is not defined for HEAD.
        return Expected("200 OK", whole, [])
    everything = Expected("200 OK", whole, [Piece(form.file, 0, form.size)])
    if fields.range is None or (fields.if_range is not None and not if_range(fields.if_range, form.etag)):
        return everything
    wanted = byte_ranges(fields.range, form.size)
    if wanted is None:
        return everything
    if not wanted:
        # Section 15.5.17: the length is told, so that the client can ask for what there is.
        unsatisfied = {"Cache-Control": "no-store", "Content-Range": f"bytes */{form.size}", "Content-Length": "0"}
        return Expected("416 Range Not Satisfiable", {**about, **unsatisfied}, [])
    if len(wanted) == 1:
        ((first, last),) = wanted
        length = last - first + 1
        part = {"Content-Range": f"bytes {first}-{last}/{form.size}", "Content-Length": str(length)}
        return Expected("206 Partial Content", {**whole, **part}, [Piece(form.file, first, length)])
    return parts(form, whole, wanted) or everything


# What a URL names


def resolve(current: Manifest, retained: Sequence[Manifest], path: str) -> Named | None:
    """What is at ``path``, by the design's sections on the manifest and on HTTP."""
    asset = current.assets.get(path)
    # "The current release decides what is plain", whatever an older one promised of this URL.
    if asset is not None and asset.url == path and not asset.immutable:
        return Named(forms_of(asset), "no-cache")
    # Tagged URLs, those that another bundler tagged, and renditions: of the newest release that has them.
    releases = (current, *retained)
    for place, release in enumerate(releases):
        for logical, other in release.assets.items():
            # What became private is so for older releases, too, until it is public again.
            if logical not in current.assets and any(logical in newer.private for newer in releases[: place + 1]):
                continue
            if other.url == path and (other.url != logical or other.immutable):
                return Named(forms_of(other), FOREVER)
            for rendition in other.renditions:
                if rendition.url == path:
                    return Named([form_of(rendition)], FOREVER)
    # The plain URL of an asset that pages name by its tagged one.
    if asset is not None:
        return Named(forms_of(asset), "no-cache")
    return None


def forms_of(asset: Asset) -> list[Form]:
    stored = "/public" + (asset.file or asset.url)
    forms = [Form(asset.type, "identity", stored, asset.size, etag(asset.sha256))]
    for coding, encoding in asset.encodings.items():
        if coding in SUFFIXES:
            file = stored + SUFFIXES[coding]
            forms.append(Form(asset.type, coding, file, encoding.size, etag(encoding.sha256)))
    forms += [form_of(rendition) for rendition in asset.renditions if rendition.negotiated]
    return forms


def form_of(rendition: Rendition) -> Form:
    file = f"/public{rendition.url}"
    return Form(rendition.type, "identity", file, rendition.size, etag(rendition.sha256))


def etag(sha256: str) -> str:
    return f'"{sha256[:32]}"'


# Which form is selected (section 12)


def selected(named: Named, fields: Fields) -> Form | None:
    """The form that the client wants most; None where it wants none of them."""
    original = named.forms[0]
    acceptable = []
    for place, form in enumerate(named.forms):
        kind = 1000.0
        if "Accept" in named.vary.split(", "):
            # Ours: where there is one type only, Accept is disregarded, as section 12.5.1 allows.
            kind = type_weight(form.essence, original.essence, fields.accept)
        coding = coding_weight(form.coding, fields.accept_encoding)
        if kind > 0 and coding > 0:
            # Ours: the type before the coding, then the smallest, then the order of the manifest.
            acceptable.append((-kind, -coding, form.size, place))
    return named.forms[min(acceptable)[3]] if acceptable else None


def coding_weight(coding: str, field: str | None) -> float:
    """Section 12.5.3, rule by rule."""
    # 1. "If no Accept-Encoding header field is in the request, any content coding is considered acceptable."
    # Ours: identity then, since old clients that send no such field know no other.
    if field is None:
        return 1000 if coding == "identity" else 0
    listed = codings(field)
    # 3. "If the representation's content coding is one of the content codings listed": acceptable unless weight 0.
    for name, weight in listed:
        if name == coding:
            return weight
    # "The asterisk symbol matches any available content coding not explicitly listed in the field."
    for name, weight in listed:
        if name == "*":
            return weight
    # 2. "If the representation has no content coding, then it is acceptable by default."
    return UNNAMED if coding == "identity" else 0


def codings(field: str) -> list[tuple[str, float]]:
    """The members of an Accept-Encoding field. Section 8.4.1.3: x-gzip is to be considered equivalent to gzip."""
    return [("gzip" if name == "x-gzip" else name, weight) for name, weight in members(field)]


def type_weight(essence: str, original: str, field: str | None) -> float:
    """Section 12.5.1.

    Ours: another type than the original's is sent where it is named in full, since clients that cannot show it send
    ``*/*`` and ``image/*``; the original is forbidden by a weight of 0 alone.
    """
    if field is None:
        return 1000 if essence == original else 0
    listed = members(field)
    spelled = [essence]
    if essence == original:
        # "Media ranges can be overridden by more specific media ranges."
        spelled += [essence.split("/")[0] + "/*", "*/*"]
    for spelling in spelled:
        for name, weight in listed:
            if name == spelling:
                return weight
    return UNNAMED if essence == original else 0


def members(field: str) -> list[tuple[str, float]]:
    """The members of a list with weights (sections 12.4.2, 12.5.1, 12.5.3), by name in lower case.

    A member with a parameter names something more specific, which nothing of ours is.
    Ours: Accept-Encoding, whose grammar is a part of Accept's, is read alike. What follows the weight is passed over
    (it was an ``accept-ext`` in RFC 7231 section 5.3.2). A member whose weight is malformed counts for nothing, and of
    two for one name the first counts.
    """
    listed: list[tuple[str, float]] = []
    for member in split(field, ","):
        name, *parameters = (part.strip(" \t") for part in split(member, ";"))
        weight: float | None = 1000
        for parameter in parameters:
            if parameter == "":
                continue  # section 5.6.6: parameters = *( OWS ";" OWS [ parameter ] )
            weight = qvalue(parameter)  # none, too, for another parameter: that names a more specific range
            break
        if name and weight is not None:
            listed.append((name.lower(), weight))
    return listed


def split(text: str, separator: str) -> list[str]:
    """Split where the separator is not within the quoted string (section 5.6.4) that is a parameter's value."""
    parts, part, position = [], "", 0
    while position < len(text):
        if text[position] == '"' and part.endswith("="):
            end = position + 1
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            if end < len(text):
                part += text[position : end + 1]
                position = end + 1
                continue
        if text[position] == separator:
            parts.append(part)
            part = ""
        else:
            part += text[position]
        position += 1
    return [*parts, part]


def qvalue(parameter: str) -> float | None:
    """The weight that a parameter states (section 12.4.2); None where it is none.

    weight = OWS ";" OWS "q=" qvalue
    qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
    """
    if parameter[:2] not in ("q=", "Q="):
        return None
    value = parameter[2:]
    if value in ("0", "1"):
        return 1000 * int(value)
    if value[:2] not in ("0.", "1.") or len(value) > len("0.123"):
        return None
    decimals = value[2:]
    if any(digit not in "0123456789" for digit in decimals):
        return None
    weight = 1000 * int(value[0]) + int(decimals.ljust(3, "0"))
    return weight if weight <= 1000 else None


# Preconditions (section 13)


def if_match(field: str, etag: str) -> bool:
    """Section 13.1.1: true for "*" (there is a representation), or where a tag is the same by strong comparison."""
    if field.strip(" \t") == "*":
        return True
    # Section 8.8.3.2: strong comparison, "both are not weak and their opaque-tags match".
    return etag in entity_tags(field)


def if_none_match(field: str, etag: str) -> bool:
    """Section 13.1.2: false for "*", or where a tag is the same by weak comparison."""
    if field.strip(" \t") == "*":
        return False
    # Section 8.8.3.2: weak comparison, "their opaque-tags match, regardless of either or both being tagged as weak".
    return etag not in [tag.removeprefix("W/") for tag in entity_tags(field)]


def if_range(field: str, etag: str) -> bool:
    """Section 13.1.5: by strong comparison of one tag; a date could only be that of a Last-Modified."""
    return field.strip(" \t") == etag


def entity_tags(field: str) -> list[str]:
    """The entity tags of a list (sections 8.8.3 and 5.6.1.2), up to where it is none any more.

    entity-tag = [ weak ] opaque-tag ; weak = %s"W/" ; opaque-tag = DQUOTE *etagc DQUOTE
    """
    tags: list[str] = []
    rest = field
    while True:
        # Recipients "MUST parse and ignore a reasonable number of empty list elements".
        rest = rest.lstrip(", \t")
        opening = 2 if rest.startswith("W/") else 0
        if rest[opening : opening + 1] != '"':
            return tags
        closing = rest.find('"', opening + 1)
        if closing < 0 or not all(is_etagc(character) for character in rest[opening + 1 : closing]):
            return tags
        tags.append(rest[: closing + 1])
        rest = rest[closing + 1 :].lstrip(" \t")
        if not rest.startswith(","):
            return tags


def is_etagc(character: str) -> bool:
    """Section 8.8.3: etagc = %x21 / %x23-7E / obs-text."""
    code = ord(character)
    return code == 0x21 or 0x23 <= code <= 0x7E or 0x80 <= code <= 0xFF


# Ranges (section 14)


def byte_ranges(field: str, size: int) -> list[tuple[int, int]] | None:
    """The ranges to send, as first and last position; empty where none can be satisfied.

    None where the field is ignored, as section 14.2 allows for what is invalid, unknown or too much.
    """
    if len(field) > LONGEST_RANGE:
        return None
    field = field.strip(" \t")
    # Section 14.1: range units are case-insensitive. Section 14.1.1: ranges-specifier = range-unit "=" range-set
    if field[:6].lower() != "bytes=":
        return None
    members = [member.strip(" \t") for member in field[6:].split(",")]
    members = [member for member in members if member]
    if not members or len(members) > MOST_RANGES:
        return None
    satisfiable = []
    for member in members:
        first, dash, last = member.partition("-")
        if not dash or not all(digit in "0123456789" for digit in first + last):
            return None
        if first and last:
            # Section 14.1.1: "an int-range is invalid if the last-pos value is present and less than first-pos".
            if int(last) < int(first):
                return None
            found = int(first), min(int(last), size - 1)
        elif first:
            found = int(first), size - 1
        elif last:
            if size == 0 and int(last) > 0:
                # Section 14.1.2: satisfiable, but there is no way to say "no bytes" in Content-Range.
                return None
            found = max(0, size - int(last)), size - 1
        else:
            return None
        if found[0] <= found[1]:
            satisfiable.append(found)
    return merged(satisfiable)


def merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Section 15.3.7.2: ranges that overlap or touch may be made one.

    Ours: they are, at the place of the first of them that was asked for.
    """
    for i, (first, last) in enumerate(ranges):
        for j, (other_first, other_last) in enumerate(ranges):
            if i < j and other_first <= last + 1 and first <= other_last + 1:
                one = min(first, other_first), max(last, other_last)
                return merged([*ranges[:i], one, *ranges[i + 1 : j], *ranges[j + 1 :]])
    return ranges


def parts(form: Form, whole: dict[str, str], wanted: list[tuple[int, int]]) -> Expected | None:
    """Section 14.6 and 15.3.7.2: multipart/byteranges; None where the whole is to be sent instead.

    Ours: not of what is encoded, since Content-Encoding would then be said of the multipart body; and not where it is
    no shorter than the whole.
    """
    if form.coding != "identity":
        return None
    boundary = form.etag.strip('"')
    body: list[bytes | Piece] = []
    length = 0
    for number, (first, last) in enumerate(wanted):
        lines = [
            *([""] if number else []),
            f"--{boundary}",
            f"Content-Type: {form.type}",
            f"Content-Range: bytes {first}-{last}/{form.size}",
            "",
            "",
        ]
        head = "\r\n".join(lines).encode()
        body += [head, Piece(form.file, first, last - first + 1)]
        length += len(head) + last - first + 1
    end = f"\r\n--{boundary}--\r\n".encode()
    length += len(end)
    if length >= form.size:
        return None
    told = {"Content-Type": f"multipart/byteranges; boundary={boundary}", "Content-Length": str(length)}
    return Expected("206 Partial Content", {**whole, **told}, [*body, end])


def refusal(status: str, method: str, **more: str) -> Expected:
    """An error of which no representation is told; never stored."""
    text = f"{status}\n".encode()
    headers = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(text)),
    }
    return Expected(status, {**headers, **more}, [] if method == "HEAD" else [text])
