"""The command line: ``assetpipe …``, and the same commands as ``flask assets …``."""

from __future__ import annotations

from importlib import import_module

import click

# Each in the module of its name, imported when it is asked for.
COMMANDS = (
    "build",
    "clean",
    "explain",
    "importmap",
    "prune",
    "releases",
    "report",
    "rollback",
    "stats",
    "verify",
    "watch",
)


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


def _tell_versions(ctx: click.Context, option: click.Parameter, asked: bool) -> None:
    """Print the versions that the bytes of a release depend on, and exit."""
    if asked and not ctx.resilient_parsing:
        from assetpipe.cli.versions import versions

        click.echo("\n".join(versions()))
        ctx.exit()


@click.group(cls=Commands)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_versions,
    help="Show the versions of assetpipe and of the codecs, and exit.",
)
def main() -> None:
    """Fingerprint, link, precompress and publish the static files of a Flask app."""


@click.group(name="assets", cls=Commands)
def commands() -> None:
    """Build the static files of this app and its blueprints."""
