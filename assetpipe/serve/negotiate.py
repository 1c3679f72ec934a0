"""Which representation a client wants (RFC 9110 section 12), as a pure function of two header fields."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from assetpipe.serve.resource import Representation, Resource, Shape

# RFC 9110 section 12.4.2: a weight has at most three decimals. Nothing else is a weight.
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")
# What is between commas, or semicolons, that are not in a quoted string (section 5.6.4).
_MEMBER, _PARAMETER = (re.compile(rf'((?:="(?:[^"\\]|\\.)*+"|[^{mark}])*+)(?:{mark}|\Z)', re.DOTALL) for mark in ",;")
# Ranked below anything that a client names with a weight above 0: what it neither names nor forbids.
_UNNAMED = 0.0001
# A longer field than any browser sends is read all the same, but not remembered.
_MEMORABLE = 512


def select(resource: Resource, accept: str | None, accept_encoding: str | None) -> Representation | None:
    """The representation that the client ranks highest; among equals the smallest.

    None where the client forbids every one there is: a 406.
    """
    shape = resource.shape
    if not shape.typed:
        accept = None
    if len(accept or "") + len(accept_encoding or "") <= _MEMORABLE:
        place = _remembered_place(shape, accept, accept_encoding)
    else:
        place = _place(shape, accept, accept_encoding)
    return None if place is None else resource.representations[place]


def _place(shape: Shape, accept: str | None, accept_encoding: str | None) -> int | None:
    """The place of what is chosen among the members of a shape: the first, and so smallest, of the best.

    Codings are ranked within a type: that a client names one says nothing against a type that has none.
    """
    coded: dict[str, tuple[float, int]] = {}
    for place, (media_type, coding) in enumerate(shape.members):
        wanted = coding_weight(coding, accept_encoding)
        if wanted > coded.get(media_type, (0.0, 0))[0]:
            coded[media_type] = wanted, place
    best, best_kind = None, 0.0
    for media_type, (_, place) in sorted(coded.items(), key=lambda one: one[1][1]):
        kind = type_weight(media_type, accept, original=media_type == shape.original) if shape.typed else 1.0
        if kind > best_kind:
            best, best_kind = place, kind
    return best


# Both hold strings of bounded length, and no more of them than this.
_remembered_place = lru_cache(maxsize=4096)(_place)


def coding_weight(coding: str, accept_encoding: str | None) -> float:
    """How much a client wants a content-coding, 0 for not at all (RFC 9110 section 12.5.3).

    No field would allow any coding; we promise nothing to a client that promises nothing, and send identity.
    """
    if accept_encoding is None:
        return 1.0 if coding == "identity" else 0.0
    weights = parse(accept_encoding)
    weight = weights.get(coding)
    if weight is None:
        weight = weights.get("*")
    if weight is None:
        return _UNNAMED if coding == "identity" else 0.0
    return weight


def type_weight(media_type: str, accept: str | None, *, original: bool) -> float:
    """How much a client wants a media type, 0 for not at all (RFC 9110 section 12.5.1).

    A type other than the original's must be named in full: clients that cannot show WebP say ``*/*``, too. The original
    is what there is when nothing better is: only a weight of 0 forbids it.
    """
    if accept is None:
        return 1.0 if original else 0.0
    weights = parse(accept)
    essence = media_type.partition(";")[0]
    weight = weights.get(essence)
    if not original:
        return weight or 0.0
    if weight is None:
        weight = weights.get(essence.partition("/")[0] + "/*")
    if weight is None:
        weight = weights.get("*/*")
    return _UNNAMED if weight is None else weight


def parse(field: str) -> Mapping[str, float]:
    """Read a list of names with weights: lower-case name to weight, the first of a name counting.

    Parameters before the weight belong to the name: ``image/webp;v=1`` does not name ``image/webp``. A member whose
    weight is malformed is left out.
    """
    return _remembered(field) if len(field) <= _MEMORABLE else _parse(field)


def _parse(field: str) -> Mapping[str, float]:
    weights: dict[str, float] = {}
    for member in _split(_MEMBER, field):
        name: list[str] = []
        weight = 1.0
        for part in _split(_PARAMETER, member):
            key, _, value = part.partition("=")
            if name and key.rstrip(" \t").lower() == "q":
                # A malformed one leaves the member out.
                weight = float(value) if key in ("q", "Q") and _WEIGHT.match(value) else -1.0
                break
            if part or not name:
                name.append(part.lower())
        if name[0] and weight >= 0:
            # Section 8.4.1.3: the old name is the same coding.
            told = ";".join(name)
            weights.setdefault("gzip" if told == "x-gzip" else told, weight)
    return weights


def _split(pattern: re.Pattern[str], text: str) -> list[str]:
    return [part.strip(" \t") for part in pattern.findall(text)]


_remembered = lru_cache(maxsize=1024)(_parse)
