"""The command line: ``assetpipe …``, and the same commands as ``flask assets …``."""

from __future__ import annotations

from importlib import import_module

import click

from assetpipe import __version__

# Each in the module of its name, imported when it is asked for.
COMMANDS = ("build", "explain", "importmap", "stats", "verify", "watch")


class Commands(click.Group):
    """The commands, of which only the one that is asked for is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them, in order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one; None where there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"assetpipe.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="assetpipe")
def main() -> None:
    """Fingerprint, link, precompress and publish the static files of a Flask app."""


@click.group(name="assets", cls=Commands)
def commands() -> None:
    """Build the static files of this app and its blueprints."""
