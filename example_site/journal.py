"""The journal: a blueprint with its own templates, stylesheet and picture."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, render_template

blueprint = Blueprint(
    "journal", __name__, url_prefix="/journal", static_folder="journal_static", static_url_path="/static"
)


@dataclass(frozen=True, slots=True)
class Post:
    """One entry."""

    slug: str
    title: str
    date: str
    shown: str
    standfirst: str
    paragraphs: tuple[str, ...]
    pictured: bool = False


POSTS: tuple[Post, ...] = (
    Post(
        slug="fifteen-cups",
        title="Fifteen cups, one answer",
        date="2025-10-09",
        shown="9 October",
        standfirst="What a test firing looks like, and why fourteen of these cups will never be sold.",
        paragraphs=(
            (
                "A glaze is a recipe for something you cannot taste until it is too late. You weigh out chalk, ash, "
                "clay and a spoonful of metal, stir it to the thickness of cream, and dip a pot in it. What comes out "
                "of the bucket is always the same dull pink-grey. What comes out of the kiln is anybody's guess."
            ),
            (
                "So twice a year we throw fifteen small cups, all from one bag of clay, and give each of them a "
                "slightly different coat. A little more iron in this one. The sea green, but thinner. The old yellow, "
                "fired one shelf lower than usual, where the kiln runs cool."
            ),
            (
                "Then we wait a day and a half, which is the hard part, and line them up on the long table in the "
                "order they were dipped. Nobody says anything for the first minute. By the second, one of us has "
                "always picked one up and not put it down again. That is the answer, and that cup goes on the shelf "
                "by the wheel."
            ),
            "The other fourteen are for paintbrushes, seedlings, visitors and the cat.",
        ),
        pictured=True,
    ),
    Post(
        slug="no-lamp",
        title="The year we took down the lamp",
        date="2025-06-21",
        shown="21 June",
        standfirst="Throwing by daylight costs us four hours every winter afternoon. We would not have them back.",
        paragraphs=(
            (
                "There used to be a strip light over the wheel. It buzzed, and it flattened everything: under it, a "
                "bowl with a lovely belly and a bowl with a dent looked much the same, and we would find out which "
                "was which the next morning."
            ),
            (
                "One midsummer it gave out, and the hardware shop was shut. We worked by the window instead. With the "
                "sun coming in from one side, each pot on the wheel had a bright edge and a dark edge, and the line "
                "between them told us all we needed to know. If the line wobbled, so did the wall."
            ),
            (
                "We never put the lamp back. In December we stop at half past three, sweep the floor and go home. "
                "There are fewer pots in winter, and they are better. It is also the reason for our name: noon, when "
                "the light stands still for a moment, and marl, the chalky clay under the garden."
            ),
        ),
    ),
)


@blueprint.get("/")
def index() -> str:
    """List the posts."""
    return render_template("journal/index.html", posts=POSTS)


@blueprint.get("/<slug>")
def post(slug: str) -> str:
    """Show one post."""
    found = next((entry for entry in POSTS if entry.slug == slug), None)
    if found is None:
        abort(404)
    return render_template("journal/post.html", post=found, others=[entry for entry in POSTS if entry is not found])
