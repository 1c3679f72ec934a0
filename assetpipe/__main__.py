"""``python -m assetpipe`` is ``assetpipe``."""

from __future__ import annotations

from assetpipe.cli import main

if __name__ == "__main__":
    main()
