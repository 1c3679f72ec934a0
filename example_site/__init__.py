"""A pottery's shop front: the example site of assetpipe."""

from __future__ import annotations

from flask import Flask, abort, render_template

from assetpipe import AssetPipe
from example_site.catalogue import POTS, find
from example_site.journal import journal


def create_app() -> Flask:
    """Make the app; ``flask --app example_site`` calls this."""
    app = Flask(__name__)
    app.register_blueprint(AssetPipe())
    app.register_blueprint(journal)

    @app.get("/")
    def home() -> str:
        return render_template("home.html", pots=POTS)

    @app.get("/pots/<slug>")
    def pot(slug: str) -> str:
        found = find(slug) or abort(404)
        others = [other for other in POTS if other is not found][:3]
        return render_template("pot.html", pot=found, others=others)

    @app.errorhandler(404)
    def not_found(_error: Exception) -> tuple[str, int]:
        return render_template("404.html"), 404

    return app
