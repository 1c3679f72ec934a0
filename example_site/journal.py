"""The journal: a blueprint with a static folder of its own."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, abort, render_template

journal = Blueprint(
    "journal", __name__, url_prefix="/journal", static_folder="journal_static", static_url_path="/static"
)


@dataclass(frozen=True, slots=True)
class Post:
    """One entry, its text as paragraphs."""

    slug: str
    title: str
    date: str
    lead: str
    text: tuple[str, ...]


POSTS = (
    Post(
        "the-kiln-shelf",
        "The shelf nearest the fire",
        "October",
        "Every kiln has a shelf where things go wrong. Ours is the one we open first.",
        (
            (
                "The top shelf runs thirty degrees hotter than the rest. For years we kept it empty and called that "
                "experience. Then a tray of cups ended up there by mistake, and came out the colour of toast, with "
                "the glaze pulled back from the rim as if it had seen something."
            ),
            (
                "Now we load it on purpose, with pots that can afford to be surprised. A third of them are lost. The "
                "rest are the ones that people turn over in their hands for a long time before they ask what they cost."
            ),
        ),
    ),
    Post(
        "a-window-to-the-west",
        "A window to the west",
        "August",
        "We moved the wheel to the other side of the room, and all our pots changed shape.",
        (
            (
                "For nine years the light came from behind. You throw by feel then, and by the sound of the sponge. "
                "With the window in front, the wall of a pot shows every doubt as a shadow. Shadows are honest."
            ),
            (
                "The shoulders have become rounder since. Nobody decided that. It is just harder to leave a flat place "
                "alone when the sun lies on it until seven in the evening."
            ),
        ),
    ),
)


@journal.get("/")
def index() -> str:
    """List the posts."""
    return render_template("journal/index.html", posts=POSTS)


@journal.get("/<slug>")
def post(slug: str) -> str:
    """Show one post."""
    found = next((post for post in POSTS if post.slug == slug), None) or abort(404)
    return render_template("journal/post.html", post=found)
