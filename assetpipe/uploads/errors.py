"""Why an upload is refused."""

from __future__ import annotations

from typing import Literal

from assetpipe.errors import AssetpipeError

Kind = Literal[
    "empty", "too-large", "too-many-pixels", "not-allowed", "mismatch", "broken", "unsafe", "private", "busy"
]


class UploadError(AssetpipeError):
    """What was sent is not taken; the text is for the person who sent it, and says what to do.

    ``kind`` is a short stable word for machines, and for texts of your own: ``empty``, ``too-large`` (bytes),
    ``too-many-pixels``, ``not-allowed`` (its type), ``mismatch`` (its name says that it is something else), ``broken``
    (damaged, or cut off on the way), ``unsafe`` (what can run or fetch something), ``private`` (it says where it was
    taken, in a place that cannot be cleaned) and ``busy`` (nothing is wrong with it: try again in a moment).
    """

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
