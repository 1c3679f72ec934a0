"""``python -m assetpipe`` is ``assetpipe``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from assetpipe.cli import main as commands

    commands(prog_name="assetpipe")


if __name__ == "__main__":
    main()
