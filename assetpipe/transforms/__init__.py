"""Pure functions from bytes to bytes, each with a name and a version; they know nothing of other files."""

from __future__ import annotations
