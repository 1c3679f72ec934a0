"""Leaving out the blanks and comments between tokens as a text is gone over: what CSS and JavaScript share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetpipe.references.draft import is_kept

if TYPE_CHECKING:
    from assetpipe.references.draft import Writer

# What stands before or after a run of blanks, where that is no byte of code: a text's end, or a comment that stays.
EDGE, KEPT = -1, -2
# A token that a newline breaks off, behind which the newline stays.
BROKEN = -4


class Run:
    """A run of blanks and comments: where it starts, and what is in it."""

    __slots__ = ("blank", "comment_first", "newline", "start")

    def __init__(self, start: int, *, comment_first: bool) -> None:
        self.start = start
        self.comment_first = comment_first
        self.blank = self.newline = False


class Squeezer:
    """Told of a text's tokens in their order, replaces each run between them by the least that keeps them apart.

    What lies between the tokens that it is told of is code: tokens and blanks, without strings, comments or escapes.
    """

    blanks = b" \t\n\r\f\v"

    def __init__(self, text: bytes, writer: Writer) -> None:
        self.text = text
        self.writer = writer
        self.position = 0
        # The last byte of the token before, or what the language's rules tell apart from any byte.
        self.before = EDGE
        self.run: Run | None = None

    def least(self, run: Run, after: int) -> bytes:
        """The least that keeps ``self.before`` and the byte ``after`` (or KEPT) apart."""
        raise NotImplementedError

    def squeezed(self, code: bytes) -> bytes:
        """Code without the blanks that its tokens do not need."""
        raise NotImplementedError

    def token(self, start: int, end: int, before: int | None = None) -> None:
        """Go over a token that stays as it is; ``before`` is what the next run is told of it."""
        if start > self.position:
            self._code(start)
        if end > start:
            self._solid(start, end, before)
        self.position = end

    def comment(self, start: int, end: int) -> bool:
        """Go over a comment; say whether it stays."""
        if start > self.position:
            self._code(start)
        self.position = end
        comment = self.text[start:end]
        if is_kept(comment):
            if self.run is not None:
                self.writer.replace(self.run.start, start, self.least(self.run, KEPT))
                self.run = None
            self.before = KEPT
            return True
        if self.run is None:
            self.run = Run(start, comment_first=True)
        self.run.newline = self.run.newline or b"\n" in comment or b"\r" in comment
        return False

    def finish(self) -> None:
        """Go over the code that the text ends with."""
        end = len(self.text)
        self.token(end, end)
        if self.run is not None:
            self.writer.replace(self.run.start, end, b"\n" if self.before == BROKEN else b"")

    def _code(self, end: int) -> None:
        start = self.position
        code = self.text[start:end]
        core = code.lstrip(self.blanks)
        first = end - len(core)
        if first > start:
            self._blank(start, code[: first - start])
        if not core:
            return
        core = core.rstrip(self.blanks)
        last = first + len(core)
        self._solid(first, last, None)
        squeezed = self.squeezed(core)
        if len(squeezed) < len(core):
            self.writer.replace(first, last, squeezed)
        if last < end:
            self._blank(last, code[last - start :])

    def _solid(self, start: int, end: int, before: int | None) -> None:
        if self.run is not None:
            self.writer.replace(self.run.start, start, self.least(self.run, self.text[start]))
            self.run = None
        self.before = self.text[end - 1] if before is None else before

    def _blank(self, start: int, blank: bytes) -> None:
        if self.run is None:
            self.run = Run(start, comment_first=False)
        self.run.blank = True
        self.run.newline = self.run.newline or b"\n" in blank or b"\r" in blank
