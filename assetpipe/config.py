"""The configuration: ``[tool.assetpipe]`` in ``pyproject.toml``, or the same keys at the top of ``assetpipe.toml``."""

from __future__ import annotations

import difflib
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from assetpipe.errors import ConfigError
from assetpipe.paths import LogicalPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Coding = Literal["br", "gzip", "zstd"]
ImageFormat = Literal["webp", "avif"]
# A number is the codec's own; a name is what the eye is to see, as a score of SSIMULACRA2.
Quality = int | Literal["visually-lossless", "high", "medium"]
# To the eye, these two are about the same: bench/README.md has their scores.
_QUALITY: dict[ImageFormat, Quality] = {"webp": 80, "avif": 55}
# Pillow takes more for a bomb.
_MOST_PIXELS = 178_956_970
Placeholder = Literal["none", "color", "blur"]
Gravity = Literal[
    "center", "north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest", "detail"
]
Severe = Literal["error", "warn", "ignore"]
Profile = Literal["release", "dev"]
# What references are told apart by: the language that one is written in, or that it is to a source map.
Kind = Literal["css", "js", "html", "svg", "manifest", "map"]
REFERENCE_KINDS: tuple[str, ...] = get_args(Kind)

DEFAULT_ROOTS = {"/static/": ("static",)}
# Set by the reader of the file, never by the file.
_OURS = ("base", "origin")


class Root(Struct, frozen=True):
    """A folder of sources and the URL prefix (slash at both ends) that it is published under.

    No URL leads to the files of a ``private`` one: its prefix is what the application calls them by.
    """

    prefix: str
    folder: Path
    private: bool = False


class Folders(Struct, frozen=True, forbid_unknown_fields=True):
    """What a prefix stands for, written as a table."""

    folder: str | tuple[str, ...]
    private: bool = False


class Compress(Struct, frozen=True, forbid_unknown_fields=True):
    """Which content-codings are made."""

    encodings: tuple[Coding, ...] = ("br", "gzip")


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """What is made of the images that ``match`` names, where that is not what ``Images`` says.

    With ``thumbnail``, a set of renditions of that name beside the others, cut to the proportions ``crop``
    (``"16:9"``); ``gravity`` says what is left, ``detail`` being where there is most to see.
    """

    match: str | tuple[str, ...]
    thumbnail: str = ""
    formats: tuple[ImageFormat, ...] | None = None
    widths: tuple[int, ...] | None = None
    quality: Quality | dict[ImageFormat, Quality] | None = None
    placeholder: Placeholder | None = None
    crop: str = ""
    gravity: Gravity = "center"


class Images(Struct, frozen=True, forbid_unknown_fields=True):
    """What is made of images.

    ``widths`` are in pixels, never scaled up; ``quality`` is one for all formats or one for each; where a format has
    none, its own default. ``strip`` takes the metadata out of the originals, too; ``optimize`` makes them smaller
    without loss. Images of more than ``max_pixels`` are not decoded. Of the rules that match the last one counts, for
    each key by itself.
    """

    formats: tuple[ImageFormat, ...] = ("webp",)
    widths: tuple[int, ...] = ()
    quality: Quality | dict[ImageFormat, Quality] | None = None
    placeholder: Placeholder = "none"
    strip: bool = False
    optimize: bool = False
    max_pixels: int = 50_000_000
    rule: tuple[Rule, ...] = ()


class Keep(Struct, frozen=True, forbid_unknown_fields=True):
    """How many releases are kept at most, the current one included, and for how many days after they were replaced."""

    releases: int = 3
    days: int = 30


class Dev(Struct, frozen=True, forbid_unknown_fields=True):
    """What the profile ``dev`` makes of ``compress.encodings`` and ``images``: by default nothing, which is quick."""

    encodings: tuple[Coding, ...] = ()
    formats: tuple[ImageFormat, ...] = ()
    widths: tuple[int, ...] = ()


class Command(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool that makes an asset of each source that ``match`` names: Sass, esbuild, or anything else.

    ``run`` names its files as ``{input}`` and ``{output}``; without these it reads and writes its standard streams.
    ``suffix`` is the asset's, if not the usual one. ``reads`` are globs, relative to the configuration, for the other
    files that the tool may read; by default those of the roots with the same suffix as its input.
    """

    match: str | tuple[str, ...]
    run: str | tuple[str, ...]
    suffix: str = ""
    reads: tuple[str, ...] | None = None


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be chosen. Relative folders are relative to ``base``, the folder of the file ``origin``.

    ``cache_mb`` is what the cache may grow to, in megabytes; ``jobs`` how many run at once (0: one for each processor);
    ``executor`` names a function that makes the ``concurrent.futures.Executor`` for them: ``"module:function"``.
    """

    dist: str = "dist"
    cache: str = ".assetpipe"
    roots: dict[str, str | tuple[str, ...] | Folders] = {}
    ignore: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    tagged: tuple[str, ...] = ()
    strict: bool = False
    minify: bool = True
    compress: Compress = Compress()
    images: Images = Images()
    keep: Keep = Keep()
    dev: Dev = Dev()
    cache_mb: int = 2000
    jobs: int = 0
    executor: str = ""
    imports: dict[str, str] = {}
    missing: dict[str, Severe] = {}
    command: tuple[Command, ...] = ()
    base: Path = Path()
    origin: Path | None = None

    @property
    def dist_folder(self) -> Path:
        """Where releases are published."""
        return self.base / self.dist

    @property
    def cache_folder(self) -> Path:
        """Where results are kept for the next build."""
        return self.base / self.cache

    @property
    def has_public_roots(self) -> bool:
        """Whether URLs lead to any configured root; where none does, the application's own or the default are taken."""
        return not all(map(_is_private, self.roots.values()))

    def folders(self) -> tuple[Root, ...]:
        """Every root, in the order in which they win.

        Raises ConfigError where a ``package:folder`` names no package, or private roots are not apart from the others.
        """
        named = self.roots
        # An application may have private files alone.
        if not self.roots or (not self.has_public_roots and (self.base / "static").is_dir()):
            named = self.with_roots(DEFAULT_ROOTS).roots
        return tuple(
            Root(prefix, _folder(self, prefix, name), _is_private(root))
            for prefix, root in named.items()
            for name in _names(root)
        )

    def with_roots(self, roots: Mapping[str, Iterable[Path | str]]) -> Config:
        """Take the given folders in place of the configured ones that are not private.

        Raises ConfigError where those that are lie among them.
        """
        private = {prefix: root for prefix, root in self.roots.items() if _is_private(root)}
        _check_apart(roots, private, self.origin)
        public = {prefix: tuple(map(str, folders)) for prefix, folders in roots.items()}
        return msgspec.structs.replace(self, roots=public | private)

    def for_profile(self, profile: Profile) -> Config:
        """This configuration in the profile ``release``, which is as configured, or ``dev``, for work in progress."""
        if profile == "release":
            return self
        # A page that shows thumbnails looks wrong without them.
        thumbnails = [
            msgspec.structs.replace(rule, formats=self.dev.formats or ("webp",), quality=None)
            for rule in self.images.rule
            if rule.thumbnail
        ]
        return msgspec.structs.replace(
            self,
            compress=Compress(self.dev.encodings),
            images=msgspec.structs.replace(
                self.images,
                formats=self.dev.formats,
                widths=self.dev.widths,
                quality=None,
                placeholder="none",
                optimize=False,
                rule=tuple(thumbnails),
            ),
        )

    def with_dist(self, dist: Path) -> Config:
        """Publish to ``dist`` in place of the configured folder."""
        return msgspec.structs.replace(self, dist=str(dist))


def quality_of(name: ImageFormat, *told: Quality | Mapping[ImageFormat, Quality] | None) -> Quality:
    """The last quality that is told for a format; its own default where none is."""
    chosen = _QUALITY[name]
    for one in told:
        given = one.get(name) if isinstance(one, dict) else one
        chosen = chosen if given is None else given  # type: ignore[assignment]
    return chosen


def load(start: Path) -> Config:
    """Find the configuration upward from the folder ``start``; the defaults, based on ``start``, where there is none.

    Raises ConfigError with the file, the key and the nearest right name.
    """
    start = start.absolute()
    for folder in (start, *start.parents):
        for name, keys in (("assetpipe.toml", ()), ("pyproject.toml", ("tool", "assetpipe"))):
            file = folder / name
            if file.is_file():
                table = _read(file, keys)
                if table is not None:
                    return _parse(table, file)
    return Config(base=start)


def _read(file: Path, keys: tuple[str, ...]) -> dict[str, Any] | None:
    """Read the table under ``keys``; None where the file has no such table."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not a TOML file: {error}") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    for key in keys:
        if key not in table:
            return None
        table = table[key]
        if not isinstance(table, dict):
            raise ConfigError(f"{file}: {'.'.join(keys)} must be a table, written [{'.'.join(keys)}]")
    return table


def _parse(table: dict[str, Any], file: Path) -> Config:
    try:
        for key in _OURS:
            if key in table:
                raise msgspec.ValidationError(f"Object contains unknown field `{key}`")
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {_explain(str(error))}") from error
    for prefix in config.roots:
        if not (prefix.startswith("/") and prefix.endswith("/")) or "//" in prefix:
            right = f"/{prefix.strip('/')}/".replace("//", "/")
            raise ConfigError(
                f'{file}: roots: the URL prefix "{prefix}" must begin and end with one slash. Write "{right}".'
            )
        _check_prefix(prefix, file)
    private = {prefix for prefix, root in config.roots.items() if _is_private(root)}
    _check_apart(config.roots.keys() - private, private, file)
    for specifier, path in config.imports.items():
        _check_import(specifier, path, file)
    for key in config.missing:
        if key.startswith("!"):
            raise ConfigError(f'{file}: missing."{key}": write the pattern without "!", and what it is: "warn", say.')
        if key not in REFERENCE_KINDS and not set(key) & set("*?[/.!"):
            raise ConfigError(f'{file}: missing: "{key}" is no kind of reference. {_nearest(key, REFERENCE_KINDS)}')
    for command in config.command:
        if not command.match or not command.run or (isinstance(command.run, str) and not command.run.strip()):
            raise ConfigError(f"{file}: command: `match` and `run` must not be empty.")
        if command.suffix and not re.fullmatch(r"\.[\w.-]+", command.suffix):
            raise ConfigError(f'{file}: command: the suffix "{command.suffix}" must begin with a dot, as ".css" does.')
        if any("\0" in word for word in (*command.run, *(command.reads or ()))):
            raise ConfigError(f"{file}: command: no argument or file name has a NUL in it.")
    if any("\0" in folder for folder in (config.dist, config.cache)):
        raise ConfigError(f"{file}: dist, cache: no folder has a NUL in its name.")
    if config.keep.releases < 1:
        raise ConfigError(f"{file}: keep.releases: {config.keep.releases} is too few: the current release counts, too.")
    if config.keep.days < 0:
        raise ConfigError(f"{file}: keep.days: {config.keep.days} is too few: 0 keeps the current release alone.")
    for key, number in (("cache_mb", config.cache_mb), ("jobs", config.jobs)):
        if number < 0:
            raise ConfigError(f"{file}: {key}: {number} is less than none.")
    if config.executor and not re.fullmatch(r"[\w.]+:[\w.]+", config.executor):
        raise ConfigError(f'{file}: executor: "{config.executor}" must be "module:function".')
    _check_images(config, file)
    return msgspec.structs.replace(config, base=file.parent, origin=file)


def _check_images(config: Config, file: Path) -> None:
    images = config.images
    if any(width < 1 for width in config.dev.widths):
        raise ConfigError(f"{file}: dev.widths: every width must be 1 pixel or more.")
    if images.max_pixels < 1:
        raise ConfigError(f"{file}: images.max_pixels: {images.max_pixels} leaves no picture at all.")
    if images.max_pixels > _MOST_PIXELS:
        raise ConfigError(f"{file}: images.max_pixels: more than {_MOST_PIXELS:,} are never decoded.")
    told: list[tuple[str, Images | Rule]] = [("images", images), *(("images.rule", rule) for rule in images.rule)]
    for key, held in told:
        if any(width < 1 for width in held.widths or ()):
            raise ConfigError(f"{file}: {key}.widths: every width must be 1 pixel or more.")
        for quality in held.quality.values() if isinstance(held.quality, dict) else (held.quality,):
            if isinstance(quality, int) and not 1 <= quality <= 100:
                raise ConfigError(f"{file}: {key}.quality: {quality} is not between 1 and 100.")
    for rule in images.rule:
        name = rule.thumbnail
        if not rule.match:
            raise ConfigError(f"{file}: images.rule: `match` must not be empty.")
        if (rule.crop or rule.gravity != "center") and not name:
            raise ConfigError(
                f"{file}: images.rule: what is cut off by `crop` would be missing wherever the picture is shown. "
                'Give the rule a name, as in thumbnail = "square", and ask for it: '
                'asset.picture("a.jpg", thumbnail="square", alt="…").'
            )
        if name and not rule.widths:
            raise ConfigError(f'{file}: images.rule: the thumbnail "{name}" has no `widths`: say how wide it is.')
        if name and rule.placeholder is not None:
            raise ConfigError(f'{file}: images.rule: the thumbnail "{name}" can have no placeholder of its own.')
        if rule.crop and not re.fullmatch(r"[1-9][0-9]{0,4}:[1-9][0-9]{0,4}", rule.crop):
            raise ConfigError(f'{file}: images.rule.crop: "{rule.crop}" is no proportion, such as "1:1" or "16:9".')


def _check_import(specifier: str, path: str, file: Path) -> None:
    if not specifier or specifier.startswith(("/", "./", "../")):
        raise ConfigError(
            f'{file}: imports: "{specifier}" is a path, which needs no entry. Name bare specifiers, such as "lit".'
        )
    if not path.startswith("/") or path.startswith("//") or set(path) & set("?#"):
        raise ConfigError(
            f'{file}: imports."{specifier}": "{path}" must be the path of a file from the site\'s root, '
            'such as "/static/vendor/lit/index.js".'
        )
    if specifier.endswith("/") != path.endswith("/"):
        raise ConfigError(
            f'{file}: imports."{specifier}": a prefix and what it stands for both end in a slash, or neither does.'
        )


def _check_prefix(prefix: str, file: Path) -> None:
    try:
        LogicalPath(f"{prefix}x")
    except ValueError as error:
        raise ConfigError(f'{file}: roots: the URL prefix "{prefix}" has a segment that no URL path keeps.') from error


def _check_apart(public: Iterable[str], private: Iterable[str], file: Path | None) -> None:
    """A name below two prefixes would be both; but "/" is shared with the application, private files included."""
    for prefix in sorted(public):
        for hidden in sorted(private):
            if prefix == hidden or (prefix != "/" and (prefix.startswith(hidden) or hidden.startswith(prefix))):
                raise ConfigError(
                    f'{file or "the configuration"}: roots: "{hidden}" is private and "{prefix}" is not, but one lies '
                    "within the other: a file there could be taken for both. Give the private one a prefix of its own."
                )


def _is_private(root: str | tuple[str, ...] | Folders) -> bool:
    return isinstance(root, Folders) and root.private


def _names(root: str | tuple[str, ...] | Folders) -> tuple[str, ...]:
    names = root.folder if isinstance(root, Folders) else root
    return (names,) if isinstance(names, str) else names


def _explain(message: str) -> str:
    """Say msgspec's message in the words of the file, with the nearest right name."""
    where = re.search(r" - at `(?:key` in `)?\$([^`]*)`$", message)
    what = message[: where.start()] if where else message
    keys = []
    holder: Any = Config
    for name, place in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", where[1] if where else ""):
        if name:
            keys.append(name)
            holder = get_type_hints(holder).get(name, holder) if hasattr(holder, "__annotations__") else holder
        else:
            # An item of a list, or a value in a table whose keys are free.
            of = get_args(holder) if get_origin(holder) in (Union, UnionType) else (holder,)
            held = [get_args(one) for one in of if get_origin(one) in (tuple, dict)]
            holder = held[-1][0 if place.isdigit() else -1] if held else holder
        # Of several types that a value may have, the table is what has keys.
        holder = next((one for one in get_args(holder) if hasattr(one, "__struct_fields__")), holder)
    if unknown := re.search(r"unknown field `(.*)`", what):
        names = [n for n in get_type_hints(holder) if n not in _OURS]
        for table in ("compress", "images", "keep", "dev") if holder is Config else ():
            if unknown[1] in get_type_hints(get_type_hints(Config)[table]):
                return f'unknown key "{unknown[1]}". Did you mean "{table}.{unknown[1]}"?'
        if unknown[1] == "tool" and holder is Config:
            return 'unknown key "tool". In assetpipe.toml the keys stand without [tool.assetpipe].'
        name = ".".join([*keys, unknown[1]])
        return f'unknown key "{name}". {_nearest(unknown[1], names)}'
    if wrong := re.search(r"Invalid enum value '(.*)'", what):
        choices = set(_literals(holder))
        return f'{".".join(keys)}: "{wrong[1]}" is not known. {_nearest(wrong[1], choices)}'
    if re.search(r"Expected `array[^,]*, got `object`", what) and keys[-1:] in (["rule"], ["command"]):
        table = ".".join(["tool", "assetpipe", *keys])
        return f"{'.'.join(keys)}: there may be several, so each is written with double brackets: [[{table}]]."
    words = {"`array | str`": "a string or a list", "`str | array`": "a string or a list", "`array`": "a list"}
    words |= {"`array | null`": "a list", "`str | object | array`": "a string, a list or a table"}
    quality = 'a number from 1 to 100, or "visually-lossless", "high" or "medium"'
    words |= {"`int | str | object | null`": quality, "`int | str`": quality}
    words |= {"`str`": "a string", "`bool`": "true or false", "`object`": "a table", "`int`": "a whole number"}
    for word, plain in words.items():
        what = what.replace(word, plain)
    return f"{'.'.join(keys)}: {what[:1].lower()}{what[1:]}"


def _literals(holder: Any) -> Iterator[str]:
    """The words that a value may be, or that a table's keys may be."""
    for part in get_args(holder):
        if isinstance(part, str):
            yield part
        else:
            yield from _literals(part)


def _nearest(name: str, names: Iterable[str]) -> str:
    """Say the name that was probably meant, or all there are."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f'Did you mean "{close[0]}"?' if close else f"Known are: {', '.join(names)}."


def _folder(config: Config, prefix: str, name: str) -> Path:
    package, colon, folder = name.partition(":")
    # A single letter before the colon is a drive, not a package; nor is what no package can be called.
    if not colon or len(package) == 1 or not all(part.isidentifier() for part in package.split(".")):
        return config.base / name
    # The project's own package first: a command need not have the project on its import path.
    own = config.base.joinpath(*package.split("."))
    if own.is_dir():
        return own / folder
    try:
        spec = find_spec(package)
    except Exception:  # a parent package is imported, and may raise anything
        spec = None
    if spec is None or not spec.submodule_search_locations:
        origin = config.origin or "the configuration"
        raise ConfigError(f'{origin}: roots."{prefix}": there is no package "{package}" to take "{folder}" from.')
    return Path(spec.submodule_search_locations[0]) / folder
