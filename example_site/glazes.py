"""The glaze room: ten buckets, and what each of them does. The pictures are drawn by ``draw_glazes``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static" / "glazes"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One glaze: its colours as it is, where it is thin and where it pools, and what lies below it."""

    slug: str
    name: str
    note: str
    shade: str  # in a word or two, for those who do not see it
    body: str
    thin: str
    thick: str
    clay: str = "a9764f"
    table: str = "d9d2c6"
    gloss: float = 0.8
    runs: float = 0.0  # how much it flows in streaks, from 0 to 1
    spots: float = 0.3  # iron from below, from 0 to 1
    crackle: bool = False

    @property
    def lead(self) -> str:
        """Return the name of its large photograph among the static files."""
        return f"glazes/{self.slug}/shelf.jpg"

    @property
    def curve(self) -> str:
        """Return the name of the drawing of its firing."""
        return f"glazes/{self.slug}/firing.png"

    @property
    def tiles(self) -> tuple[tuple[str, str], ...]:
        """Return its test tiles: the name of the photograph, and what was done differently."""
        return tuple((f"glazes/{self.slug}/{change.slug}.jpg", change.name) for change in CHANGES)

    @property
    def is_drawn(self) -> bool:
        """Say whether its pictures are there."""
        return (FOLDER / self.slug).is_dir()


@dataclass(frozen=True, slots=True)
class Change:
    """What one tile of each bucket was done differently, and how that shows."""

    slug: str
    name: str
    shape: str  # disc, dish or square
    thickness: float = 0.0  # below 0 more of the thin colour, above it more of that where it pools
    spots: float = 0.0
    clay: str = ""
    runs: float = 0.0
    gloss: float = 0.0


CHANGES: tuple[Change, ...] = (
    Change("as-written", "As it is written", "disc"),
    Change("thin", "Thinned by a third", "square", thickness=-0.7),
    Change("twice", "Dipped twice", "dish", thickness=0.7, runs=0.3),
    Change("iron", "Two parts more iron", "square", spots=0.6, thickness=0.2),
    Change("red-clay", "On red clay", "disc", clay="7d4429", thickness=-0.2),
    Change("hot", "On the top shelf", "dish", runs=0.6, gloss=0.2, thickness=-0.35),
    Change("cool", "On the lowest shelf", "disc", gloss=-0.45, thickness=0.3),
    Change("slip", "Over white slip", "square", clay="e8e0d2", thickness=-0.1, spots=-0.3),
    Change("slow", "Cooled for two days", "dish", spots=0.35, gloss=-0.3, thickness=0.5),
)

BUCKETS: tuple[Bucket, ...] = (
    Bucket(
        "noon", "Noon", "The yellow one. Rutile and ochre, and it turns to honey wherever it is thin.", "warm yellow",
        "dfae52", "a0683a", "c98a2e", table="c9d3d6", spots=0.25,
    ),
    Bucket(
        "quay", "Quay", "Sea green from two parts of iron, if the kiln is short of air when it should be.", "sea green",
        "a3bda6", "c3a98a", "6f9484", table="d8cdbf", gloss=0.9, crackle=True,
    ),
    Bucket(
        "night-boat", "Night boat", "Cobalt, and more of it than is sensible.", "deep blue",
        "34488a", "8c7a63", "1c2858", table="dccfc6", gloss=0.95, runs=0.2, spots=0.1,
    ),
    Bucket(
        "lime-store", "Lime store", "Chalk and clay. What is below comes up through it like rain.", "chalk white",
        "ebe5d8", "c39b76", "d8cdb9", table="c3b5ab", gloss=0.4, spots=0.7,
    ),
    Bucket(
        "first-strip", "First strip", "Chrome and tin: green and white by themselves, and together this.",
        "rose", "cf9f96", "935c47", "b0746c", table="d3d6cf", spots=0.2,
    ),
    Bucket(
        "small-hours", "Small hours", "Manganese. It looks black until the sun is on it.", "nearly black violet",
        "3f3644", "8a5a3c", "1d1925", table="cfc6cd", gloss=0.85, spots=0.15, runs=0.15,
    ),
    Bucket(
        "bonfire", "Bonfire", "Ash of the November fire, sieved twice. It runs wherever it likes.", "mossy green",
        "8f8a55", "b58d54", "5c6238", table="dad4c9", runs=0.9, gloss=0.75, spots=0.3,
    ),
    Bucket(
        "ember", "Ember", "Thick white that blushes orange where the flame has touched it.", "white and orange",
        "e3cdb4", "c4683a", "efe6d8", table="b9bfbb", gloss=0.45, spots=0.4, crackle=True,
    ),
    Bucket(
        "tin-roof", "Tin roof", "Ten parts of iron. Black where it is thick, rust on every edge.", "black and rust",
        "33241f", "a1562a", "16110f", table="d6cbb8", gloss=0.9, runs=0.35, spots=0.5,
    ),
    Bucket(
        "harvest-moon", "Harvest moon", "Copper red, one firing in three. The other two are liver.", "dark red",
        "8e2f2b", "d8b9a0", "5e1a1e", table="d2d3cd", gloss=1.0, runs=0.45, spots=0.05,
    ),
)  # fmt: skip
