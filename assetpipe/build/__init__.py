"""From a configuration to a Build: a value that says what a release would be. Nothing is published here."""

from __future__ import annotations

from assetpipe.build.builder import Builder, build, trace
from assetpipe.build.values import Build, Trace, Work

__all__ = ["Build", "Builder", "Trace", "Work", "build", "trace"]
