"""The six pots on the shelf, each named after an hour of the day."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pot:
    """One thing for sale."""

    slug: str
    name: str
    hour: str
    price: int
    summary: str
    story: tuple[str, ...]
    size: str
    glaze: str
    clay: str
    alt: str

    @property
    def picture(self) -> str:
        """Return the name of its photograph among the static files."""
        return f"img/{self.slug}.jpg"


SHELF: tuple[Pot, ...] = (
    Pot(
        slug="small-hours-cups",
        name="Small Hours cups",
        hour="04:15",
        price=48,
        summary="A pair for whoever is up before the birds.",
        story=(
            (
                "Two low cups that fill the palm: one the pink of the first strip of sky, one the colour of "
                "everything under it. They hold a double espresso, or warm milk, or nothing at all while you look out "
                "of the window."
            ),
            (
                "They are thrown off the hump in one sitting and paired the next day, so the two in your box really "
                "did come from the same morning."
            ),
        ),
        size="8 cm tall, 140 ml each",
        glaze="Rose and manganese, chalk inside",
        clay="Iron-red stoneware",
        alt="Two small cups on a pale lilac table, one rose pink and one nearly black, both chalk white inside.",
    ),
    Pot(
        slug="half-past-mug",
        name="Half Past mug",
        hour="10:30",
        price=34,
        summary="Built for the second coffee, which is the one you taste.",
        story=(
            (
                "A broad foot, straight sides and a handle with room for three fingers. The sea-green glaze stops a "
                "third of the way up the wall, because bare clay is warm to hold and does not slip."
            ),
            (
                "Every handle is pulled, not cast. Yours will have a small thumb mark where it meets the wall: that "
                "is where we let go."
            ),
        ),
        size="11 cm tall, 380 ml",
        glaze="Sea green over bare clay",
        clay="Toasted stoneware",
        alt="A sea-green mug with dark speckles, its lower third left as bare brown clay.",
    ),
    Pot(
        slug="meridian-bowl",
        name="Meridian bowl",
        hour="12:00",
        price=88,
        summary="The wide yellow one. It stays out on the table.",
        story=(
            (
                "Wide enough for a salad for six, and steep enough that the dressing stays where you put it. We fire "
                "it on the top shelf of the kiln, where the yellow turns to honey at the lip."
            ),
            "It was the first pot we made in this studio, and the only one we have never changed.",
        ),
        size="31 cm across, 13 cm tall",
        glaze="Noon yellow, breaking to amber",
        clay="Buff stoneware",
        alt="A wide bowl in glossy yellow glaze on a pale blue table, a window mirrored inside it.",
    ),
    Pot(
        slug="noonday-plate",
        name="Noonday plate",
        hour="12:45",
        price=42,
        summary="One ring, one brush, one breath.",
        story=(
            (
                "A dinner plate with a low rim and a ring of cobalt, put on in a single turn of the wheel with a "
                "brush we should have thrown away years ago. No two rings close in the same place."
            ),
            "It stacks without a rattle, and it is as happy under a slice of toast as under a Sunday lunch.",
        ),
        size="27 cm across",
        glaze="Chalk white with cobalt",
        clay="Buff stoneware",
        alt="Two stacked chalk-white plates with a brushed ring of cobalt blue, on a peach-coloured table.",
    ),
    Pot(
        slug="siesta-jar",
        name="Siesta jar",
        hour="14:30",
        price=210,
        summary="Round, quiet, and in no hurry to hold anything.",
        story=(
            (
                "A jar in two halves, thrown apart and joined at the waist while both are soft. If you turn it in the "
                "light you can find the seam; we never sand it away."
            ),
            "The glaze is mostly chalk. The flecks are iron from the clay below, which rises to meet it in the fire.",
        ),
        size="28 cm tall, 29 cm across",
        glaze="Satin chalk, iron flecks",
        clay="Speckled stoneware",
        alt="A round chalk-white jar with brown flecks and a short neck, against a soft green wall.",
    ),
    Pot(
        slug="longshadow-vase",
        name="Long Shadow vase",
        hour="18:20",
        price=145,
        summary="For one good branch and the last of the sun.",
        story=(
            (
                "A bottle with a narrow throat, so that a single stem stands where you put it. The blue is laid on "
                "three times and pours a little at the foot; we let it, and stop it just in time."
            ),
            "Set it near a window. The pot is only half of it.",
        ),
        size="34 cm tall, 20 cm across",
        glaze="Deep cobalt, glossy",
        clay="Iron-red stoneware",
        alt="A tall cobalt-blue bottle vase with a window mirrored on its shoulder, against a pale pink wall.",
    ),
)


def find(slug: str) -> Pot | None:
    """Return the pot with this slug, if there is one."""
    return next((pot for pot in SHELF if pot.slug == slug), None)


def beside(pot: Pot) -> tuple[Pot, ...]:
    """Return the three pots that come after this one on the shelf, going round."""
    place = SHELF.index(pot)
    return tuple(SHELF[(place + step) % len(SHELF)] for step in (1, 2, 3))
