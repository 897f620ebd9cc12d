"""Progress of long work on a terminal: one line that is written over; nothing where standard error is no terminal."""

import sys
import time
from types import TracebackType
from typing import Self

_EVERY = 0.2  # seconds


class ProgressLine:
    """A line on standard error while the ``with`` block runs, cleared at its end."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._since = time.monotonic()
        self._last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def step(self, text: str) -> None:
        """Says what is being done, with the seconds since the start."""
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{time.monotonic() - self._since:5.0f} s  {text}")
            sys.stderr.flush()

    def rows(self, rows: int, share: float | None) -> None:
        """Says how many rows are done, how fast, and how long the rest will take where that can be known."""
        now = time.monotonic()
        if not self._shown or now - self._last < _EVERY:
            return
        self._last = now
        gone = now - self._since
        left = f", {gone / share - gone:.0f} s left" if share else ""
        self.step(f"{rows:,} rows, {rows / max(gone, 1e-9):,.0f} a second{left}")
