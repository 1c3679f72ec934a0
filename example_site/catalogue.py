"""What is on the shelf."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pot:
    """One pot: ``price`` in euros, ``size`` as one would say it."""

    slug: str
    name: str
    price: int
    size: str
    line: str
    story: str

    @property
    def picture(self) -> str:
        """Its photograph, as ``url_for('static', filename=…)`` wants it."""
        return f"img/{self.slug}.jpg"


POTS = (
    Pot(
        "half-past-mug",
        "Half-past mug",
        34,
        "9 cm, 320 ml",
        "For the coffee that was meant to be quick.",
        "Thrown a little wider than the hand expects, so that it has to be held with both. The glaze stops where the "
        "clay begins to be interesting.",
    ),
    Pot(
        "longshadow-vase",
        "Longshadow vase",
        118,
        "34 cm",
        "One stem is enough. None will do.",
        "The neck is pulled last, in one go, while the shoulder is still deciding. About one in three survives; the "
        "others are very good doorstops.",
    ),
    Pot(
        "meridian-bowl",
        "Meridian bowl",
        72,
        "26 cm",
        "Holds lemons, keys and the light of the afternoon.",
        "A yolk-yellow glaze over iron-rich clay, fired until the rim turns to toast. No two go brown alike.",
    ),
    Pot(
        "noonday-plate",
        "Noonday plate",
        46,
        "24 cm",
        "Flat as midday, and about as honest.",
        "Made for lunch on a wall outside. Turned thin, footed low, and glazed so that a knife does not sing on it.",
    ),
    Pot(
        "siesta-jar",
        "Siesta jar",
        96,
        "22 cm",
        "Round, quiet and closed to visitors.",
        "Chalk-white with flecks of the clay coming through like freckles. It stands on less than it looks, and has "
        "not fallen yet.",
    ),
    Pot(
        "small-hours-cups",
        "Small-hours cups",
        58,
        "7 cm, the pair",
        "Two, because nobody is up at three alone.",
        "Thumb-sized hollows instead of handles. Dishwasher, oven, windowsill: they have been through worse.",
    ),
)


def find(slug: str) -> Pot | None:
    """The pot of that slug."""
    return next((pot for pot in POTS if pot.slug == slug), None)
