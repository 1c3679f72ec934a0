"""How the core says how far it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Hears of long work as it goes; called from one thread."""

    def begin(self, stage: str, total: int) -> None:
        """Begin ``stage``, a verb in its -ing form ("compressing"), of ``total`` steps."""

    def step(self) -> None:
        """Finish one step of the stage."""


class Silence:
    """The observer that says nothing."""

    def begin(self, stage: str, total: int) -> None:
        """Say nothing."""

    def step(self) -> None:
        """Say nothing."""
