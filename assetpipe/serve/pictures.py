"""What a page names of a picture: which of its files, in which order, for a browser to choose from (HTML 4.8.4).

1. Of each format the files of the wanted set, and of the image's own set the original, too: whatever was not kept of a
   format, its widest file is as wide as the picture, which would be blurred on a large screen otherwise.
2. A file that has no fewer bytes than a wider one is left out: drawings get larger when they are scaled down.
3. For each width that is asked for, the narrowest file that is as wide.
4. A format that fewer browsers know is named where it has fewer bytes, and then before the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from assetpipe.errors import TagError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from assetpipe.manifest import Asset, Rendition

# Whoever knows one of these knows those before it, and the older ones that are not here.
_YOUNGEST = ("image/webp", "image/avif")
# What a manifest may have a page show before a picture is there: a color, or a picture that is a URL of its own.
_PLACEHOLDER = re.compile(r"(#[0-9A-Fa-f]{6})|data:image/[a-z]+;base64,[A-Za-z0-9+/]+={0,2}")


class Candidate(NamedTuple):
    """One file that a browser may take: its URL as the manifest has it, its pixels, and its bytes."""

    url: str
    width: int
    height: int
    size: int


class Picture(NamedTuple):
    """The files of one picture to be named, by media type, narrowest first; the type that most browsers know first."""

    formats: dict[str, tuple[Candidate, ...]]

    @property
    def fallback(self) -> tuple[Candidate, ...]:
        """What is for browsers that know no other format."""
        return next(iter(self.formats.values()))

    @property
    def sources(self) -> list[tuple[str, tuple[Candidate, ...]]]:
        """The formats that are worth a source of their own, the fewest bytes first, as browsers take the first."""
        widths = {one.width for candidates in self.formats.values() for one in candidates}
        worth: list[tuple[str, tuple[Candidate, ...]]] = []
        fewest = 0
        for kind, candidates in self.formats.items():
            needed = sum(_as_wide(candidates, width).size for width in widths)
            if not fewest or needed < fewest:
                fewest = needed
                worth.append((kind, candidates))
        return worth[:0:-1]


def unbuilt(path: str) -> Picture:
    """What there is of a source that nothing was made of yet, not even a measurement."""
    return Picture({"": (Candidate(path, 0, 0, 0),)})


def choose(path: str, asset: Asset, release: Iterable[Asset], widths: Sequence[int], thumbnail: str) -> Picture:
    """Choose what to name of the image at a logical path: the image itself, where nothing else was made of it.

    Without ``widths`` all that were made. Raises TagError for a width or ``thumbnail`` that no picture of the release
    has: a width that only this one lacks was no smaller than the image, or is wider than it.
    """
    if isinstance(widths, int) or not all(type(width) is int and width > 0 for width in widths):
        raise TagError(f"{path}: widths={widths!r} are no widths in pixels. Write a list, as in widths=[480, 960].")
    original = Candidate(asset.url, asset.width, asset.height, asset.size)
    made = sorted((one for one in asset.renditions if one.thumbnail == thumbnail), key=_age)
    if not made:
        if thumbnail:
            _check_thumbnail(path, asset, release, thumbnail)
        return Picture({asset.type: (original,)})
    formats: dict[str, list[Candidate]] = {} if thumbnail else {asset.type: []}
    for one in made:
        formats.setdefault(one.type, []).append(Candidate(one.url, one.width, one.height, one.size))
    if not thumbnail:
        for candidates in formats.values():
            candidates.append(original)
    known = {one.width for candidates in formats.values() for one in candidates}
    for width in widths:
        if width not in known and width < max(known):
            _check_width(path, known, release, width, thumbnail)
    return Picture({kind: _asked(_worth(each), widths or known) for kind, each in formats.items()})


def dimensions(width: int, height: int, told: Mapping[str, object]) -> dict[str, int]:
    """The attributes that say how large an image is, but for those that are ``told`` already.

    Of two sides of which one is told, the other is in proportion: what else would it be?
    """
    if not (width and height) or ("width" in told and "height" in told):
        return {}
    if "width" in told:
        wide = str(told["width"])
        return {"height": round(int(wide) * height / width)} if wide.isdecimal() else {}
    if "height" in told:
        high = str(told["height"])
        return {"width": round(int(high) * width / height)} if high.isdecimal() else {}
    return {"width": width, "height": height}


def shown_width(path: str, sizes: str, told: Mapping[str, object]) -> str:
    """The ``sizes`` of an image with the attributes ``told``, where it has several widths: all the window's by default.

    ``auto`` is for lazy images alone (HTML section 4.8.4.2.2); what follows it is for browsers that do not know it. No
    default, for it takes the natural size away from an image, which a style sheet may rely on. Raises TagError where it
    cannot work.
    """
    first, _, rest = sizes.partition(",")
    if first.strip().lower() != "auto":
        return sizes or "100vw"
    if str(told.get("loading")).lower() != "lazy":
        raise TagError(
            f'{path}: sizes="auto" needs loading="lazy", or else a width is chosen before the browser knows how wide '
            'the picture is shown. Say it, as in sizes="(min-width: 60rem) 50vw, 100vw".'
        )
    return f"auto, {rest.strip() or '100vw'}"


def placeholder_style(placeholder: str, style: str) -> str:
    """The style attribute of an image with a placeholder behind it; the ``style`` of the page comes after it, and wins.

    It is only where the picture will be, so what a style sheet shows behind a border or padding stays as it is. Empty
    for what is no placeholder.
    """
    held = _PLACEHOLDER.fullmatch(placeholder)
    if held is None:
        return ""
    background = held[0] if held[1] else f"url({held[0]}) center/cover no-repeat"
    return f"background:{background} content-box{';' if style else ''}{style}"


def check_format(path: str, release: Iterable[Asset], name: str) -> None:
    """Raise TagError for a format that no picture of the release has, though others were made."""
    made = {one.type.removeprefix("image/") for asset in release for one in asset.renditions}
    if made and name not in made:
        raise TagError(
            f'{path} was not made in format="{name}": there is {_listed(sorted(made))}. Name that, or have another '
            'made by [tool.assetpipe.images] formats = ["webp", "avif"].'
        )


def _age(rendition: Rendition) -> int:
    return _YOUNGEST.index(rendition.type) if rendition.type in _YOUNGEST else len(_YOUNGEST)


def _worth(candidates: list[Candidate]) -> list[Candidate]:
    """Leave out what has no fewer bytes than a wider one; narrowest first."""
    kept: list[Candidate] = []
    for one in sorted(candidates, key=lambda one: (-one.width, one.size)):
        if not kept or one.size < kept[-1].size:
            kept.append(one)
    return kept[::-1]


def _asked(candidates: Sequence[Candidate], widths: Iterable[int]) -> tuple[Candidate, ...]:
    return tuple(dict.fromkeys(_as_wide(candidates, width) for width in sorted(widths)))


def _as_wide(candidates: Sequence[Candidate], width: int) -> Candidate:
    """The narrowest that is at least as wide, or the widest there is."""
    return next((one for one in candidates if one.width >= width), candidates[-1])


def _check_width(path: str, known: Iterable[int], release: Iterable[Asset], width: int, thumbnail: str) -> None:
    alike = (one for asset in release for one in asset.renditions if one.thumbnail == thumbnail and not one.negotiated)
    if not any(one.width == width for one in alike):
        where = f'the rule of the thumbnail "{thumbnail}"' if thumbnail else "the rule that counts for it"
        raise TagError(
            f"{path} was not made {width} pixels wide: there are {_listed(sorted(known))}. Name some of these, or add "
            f"{width} to `widths` in {where} and build again."
        )


def _check_thumbnail(path: str, asset: Asset, release: Iterable[Asset], thumbnail: str) -> None:
    if not asset.renditions and any(one.thumbnail == thumbnail for other in release for one in other.renditions):
        return  # an animation, a drawing in SVG: it is shown as it is
    _refuse_thumbnail(path, thumbnail, sorted({one.thumbnail for one in asset.renditions} - {""}))


def check_name(path: str, thumbnail: str, known: Collection[str]) -> None:
    """Raise TagError for a thumbnail that no rule of the configuration makes."""
    if thumbnail not in known:
        _refuse_thumbnail(path, thumbnail, sorted(known))


def _refuse_thumbnail(path: str, thumbnail: str, known: Sequence[str]) -> NoReturn:
    there = f"there {'is' if len(known) < 2 else 'are'} {_listed(known)}. Name that, or make" if known else "make"
    raise TagError(
        f'{path} has no thumbnail "{thumbnail}": {there} one by a rule: [[tool.assetpipe.images.rule]] with a `match` '
        f'for it, thumbnail = "{thumbnail}", widths = [400] and crop = "1:1".'
    )


def _listed(values: Sequence[object]) -> str:
    *others, last = map(str, values or ("",))
    return f"{', '.join(others)} and {last}" if others else last
