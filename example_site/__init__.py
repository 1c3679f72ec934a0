"""The shop front of Noonmarl, a small pottery: the example site of assetpipe."""

from __future__ import annotations

from flask import Flask, abort, render_template

from assetpipe import AssetPipe
from example_site import catalogue, glazes, journal


def create_app() -> Flask:
    """Make the site; ``flask --app example_site run`` finds this by its name."""
    app = Flask(__name__)
    app.register_blueprint(AssetPipe())
    app.register_blueprint(journal.blueprint)

    @app.get("/")
    def home() -> str:
        return render_template("home.html", shelf=catalogue.SHELF, posts=journal.POSTS)

    @app.get("/pots/<slug>")
    def pot(slug: str) -> str:
        found = catalogue.find(slug)
        if found is None:
            abort(404)
        return render_template("pot.html", pot=found, beside=catalogue.beside(found))

    @app.get("/glazes")
    def glaze_room() -> str:
        return render_template("glazes.html", buckets=[bucket for bucket in glazes.BUCKETS if bucket.is_drawn])

    @app.errorhandler(404)
    def missing(_error: Exception) -> tuple[str, int]:
        return render_template("404.html"), 404

    return app
