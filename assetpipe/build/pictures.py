"""Which renditions each image is to have, by the configuration's rules, and what came of it.

Each is a result of its own, so that one more width makes no other anew; but all that the cache lacks of one image are
made by one job, which decodes it once.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, get_args

from msgspec import Struct
from msgspec.structs import replace

from assetpipe import jobs, media, patterns
from assetpipe.config import ImageFormat, quality_of
from assetpipe.errors import Problem, Severity
from assetpipe.store import Job, Made, Result
from assetpipe.transforms import codecs, images, rasters
from assetpipe.transforms.images import Order
from assetpipe.workers import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from assetpipe.config import Config, Images, Rule
    from assetpipe.paths import LogicalPath
    from assetpipe.patterns import Patterns
    from assetpipe.sources import Source
    from assetpipe.store import Blob, Store
    from assetpipe.workers import Facts, Output


# What a job says of an image that it could not make everything of.
_DAMAGE = ("problem", "text", "spoiled")


class Wanted(Struct, frozen=True):
    """What is to be made of one image: the orders, each with the thumbnails it is for ("" is the image's own set)."""

    orders: dict[Order, list[str]]
    placeholder: str


class Pictures:
    """The renditions of all images, as far as they have been made. Raises ConfigError for rules that cannot be met."""

    def __init__(self, config: Config, store: Store, add: Callable[[Task], None]) -> None:
        self.rendered: dict[LogicalPath, Result] = {}
        self._config = config.images
        self._store = store
        self._add = add
        self._rules: list[tuple[Patterns, Rule]] = []
        for rule in self._config.rule:
            if (spec := patterns.compiled("images.rule.match", patterns.listed(rule.match))) is not None:
                self._rules.append((spec, rule))
        self._versions: dict[Order | None, str] = {}
        # The rules that no image is known for, and the topmost folders that images lie in, by their roots.
        self._idle = {id(rule) for _, rule in self._rules}
        self._folders: set[str] = set()
        # The images that wait for the same results, each with those that the cache had.
        self._under_way: dict[tuple[Job, ...], list[tuple[LogicalPath, Wanted, dict[Order | None, Result]]]] = {}
        for held in (self._config.quality, *(rule.quality for rule in self._config.rule)):
            for name in get_args(ImageFormat):
                codecs.check(quality_of(name, held))

    def begin(self, source: Source, blob: Blob) -> None:
        """Have made what the cache does not hold of the renditions of an image."""
        media_type = media.media_type(source.path.name)
        if media_type not in rasters.SOURCES:
            return
        wanted = self._wanted(source.relative)
        if self._idle:
            self._folders.add(source.relative.partition("/")[0])
        key = (media_type, str(self._config.max_pixels))
        kept: dict[Order | None, Result] = {}
        missing: dict[Order | None, Job] = {}
        for order in (None, *wanted.orders):
            told = wanted.placeholder if order is None else jobs.spelled(order)
            job = Job("image", self._version(order), (*key, told), (blob.digest,))
            result = self._store.recall(job)
            if result is None:
                missing[order] = job
            else:
                kept[order] = result

        asked = tuple(missing.values())

        def take(output: Output) -> None:
            made, facts = output
            results: dict[Order | None, Result] = {}
            for order, job in missing.items():
                own = [one for one in made if order is not None and one[1]["order"] == jobs.spelled(order)]
                # What was not to be made is none the worse for the damage that kept the others from being made.
                is_spoiled = job.options[-1] in str(facts.get("spoiled", "")).split("\n")
                told = {key: value for key, value in facts.items() if is_spoiled or key not in _DAMAGE}
                results[order] = self._store.remember(job, (own, told))
            for path, its_wanted, its_kept in self._under_way.pop(asked):
                self._finish(path, its_wanted, {**its_kept, **results})

        if not missing:
            self._finish(source.path, wanted, kept)
            return
        # Equal images are converted once.
        alike = self._under_way.setdefault(asked, [])
        alike.append((source.path, wanted, kept))
        if len(alike) > 1:
            return
        orders = [jobs.spelled(order) for order in missing if order is not None]
        # What is asked for by what is seen is encoded several times over, to be looked at.
        effort = sum(8 if order is not None and isinstance(order.quality, str) else 1 for order in missing)
        weight = blob.size * jobs.WEIGHTS["image"] * effort
        placeholder = wanted.placeholder if None in missing else "none"
        self._add(Task("image", (source.path, take), jobs.render, (*key, placeholder, *orders), blob, weight))

    def problems(self, sources: Mapping[LogicalPath, Source]) -> Iterator[Problem]:
        """What is wrong with images, and what they tell beside the picture."""
        telling: list[str] = []
        for path, rendered in self.rendered.items():
            shown = sources[path].shown
            if "problem" in rendered.facts:
                yield _unconverted(sources[path], rendered.facts)
            elif "beyond" in rendered.facts:
                yield _beyond(sources[path], rendered.facts)
            if "position" in str(rendered.facts.get("metadata", "")).split():
                telling.append(shown)
        yield from self._misspelt()
        if telling:
            telling.sort()
            count = len(telling) - 1
            others = f" (and {count:,} more image{'s' * (count > 1)})" if count else ""
            yield Problem(
                kind="position",
                severity=Severity.WARNING,
                text=f"the image{others} tells where it was taken, and is published so",
                file=telling[0],
                hint="Set [tool.assetpipe.images] strip = true, which takes it out. `assetpipe report` lists them.",
            )

    def _misspelt(self) -> Iterator[Problem]:
        """The rules that match no image, and were probably meant to: by their first folder."""
        idle = [rule for _, rule in self._rules if id(rule) in self._idle]
        for rule in idle:
            for match in patterns.listed(rule.match):
                first, slash, rest = match.lstrip("!/").partition("/")
                close = difflib.get_close_matches(first, self._folders, n=1, cutoff=0.75)
                if slash and rest.partition("/")[0] in self._folders:
                    hint = f'Patterns are relative to the root: write "{rest}".'
                elif close and first not in self._folders:
                    hint = f'Did you mean "{close[0]}/{rest}"?'
                else:
                    continue
                yield Problem(
                    kind="idle-rule",
                    severity=Severity.WARNING,
                    text=f'images.rule: match = "{match}" matches no image',
                    hint=hint,
                )

    def _wanted(self, relative: str) -> Wanted:
        own: Images = self._config
        formats, widths, placeholder = own.formats, own.widths, own.placeholder
        qualities = [own.quality]
        thumbnails: dict[str, Rule] = {}
        for spec, rule in self._rules:
            if not spec.match_file(relative):
                continue
            self._idle.discard(id(rule))
            if rule.thumbnail:
                thumbnails[rule.thumbnail] = rule
                continue
            formats = formats if rule.formats is None else rule.formats
            widths = widths if rule.widths is None else rule.widths
            placeholder = rule.placeholder or placeholder
            qualities.append(rule.quality)
        orders: dict[Order, list[str]] = {}
        # In order, and once each: how they are listed is not to change a name.
        for width in (0, *sorted(set(widths), reverse=True)):
            for name in sorted(set(formats)):
                orders.setdefault(Order(name, quality_of(name, *qualities), width), []).append("")
        for thumbnail, rule in sorted(thumbnails.items()):
            for width in sorted(set(rule.widths or ()), reverse=True):
                for name in sorted(set(formats if rule.formats is None else rule.formats)):
                    quality = quality_of(name, *qualities, rule.quality)
                    order = Order(name, quality, width, thumbnail=True, crop=rule.crop, gravity=rule.gravity)
                    orders.setdefault(order, []).append(thumbnail)
        return Wanted(orders, placeholder)

    def _finish(self, path: LogicalPath, wanted: Wanted, kept: Mapping[Order | None, Result]) -> None:
        made: list[Made] = []
        facts: Facts = {}
        for order, result in kept.items():
            # Headers may be well where the rest is not, and then only those who decode it know.
            if order is None or "problem" in result.facts:
                facts = {**result.facts, **facts}
            for one in result.made:
                assert order is not None
                # What it is called is no matter of the cache's.
                made += [
                    replace(one, facts={**one.facts, "format": order.format, "thumbnail": name})
                    for name in wanted.orders[order]
                ]
        if not wanted.orders and wanted.placeholder == "none":
            # Nobody wanted anything made of it: what kept that from being made is nobody's problem.
            facts = {key: value for key, value in facts.items() if key not in _DAMAGE}
        side = max(int(facts.get("width", 0)), int(facts.get("height", 0)))
        own = (order.format for order in wanted.orders if not order.width and not order.thumbnail)
        if beyond := [name for name in own if side > images.MAX_SIDE[name]]:
            facts = {**facts, "beyond": beyond[-1]}
        self.rendered[path] = Result(tuple(_worthwhile(made)), facts)

    def _version(self, order: Order | None) -> str:
        known = None if order is None else Order(order.format, order.quality)
        if known not in self._versions:
            self._versions[known] = images.version(known)
        return self._versions[known]


def _worthwhile(made: Iterable[Made]) -> Iterator[Made]:
    """Leave out what has more bytes than a wider one of its set, and what has its size and format twice."""
    least: dict[tuple[object, object], int] = {}

    def order(one: Made) -> tuple[str, int, str]:
        return str(one.facts["thumbnail"]), -int(one.facts["width"]), str(one.facts["format"])

    for one in sorted(made, key=order):
        kin = (one.facts["thumbnail"], one.facts["format"])
        if kin not in least or one.size < least[kin]:
            least[kin] = one.size
            yield one


def _beyond(source: Source, facts: Facts) -> Problem:
    name = str(facts["beyond"])
    most = images.MAX_SIDE[name]
    return Problem(
        kind="long-image",
        severity=Severity.NOTE,
        text=f"{facts['width']} x {facts['height']} pixels: {name} has room for {most:,} a side, and is not made",
        file=source.shown,
        hint="Narrower ones are made by `widths`; AVIF has room for more than WebP.",
    )


def _unconverted(source: Source, facts: Facts) -> Problem:
    kind = str(facts["problem"])
    advice = {
        "huge-image": "Scale it down, or set `max_pixels` of the images in the configuration",
        "misnamed-image": "Rename it",
    }.get(kind, "Export it again")
    return Problem(
        kind=kind,
        severity=Severity.WARNING,
        text=f"the image cannot be converted: {facts['text']}",
        file=source.shown,
        hint=f'It is published as it is. {advice}, or leave it out: ignore = ["{source.relative}"].',
    )
