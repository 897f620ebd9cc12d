"""Progress of long work on a terminal: one line that is written over; nothing where standard error is no terminal."""

import sys
import time
from collections import deque
from types import TracebackType
from typing import Final, Self

_EVERY: Final = 0.2  # seconds
_WINDOW: Final = 30.0  # seconds over which speed is told, so that rows taken over from an earlier run do not flatter it


class ProgressLine:
    """A line on standard error while the ``with`` block runs, cleared at its end."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._since = time.monotonic()
        self._seen: deque[tuple[float, int, float]] = deque([(self._since, 0, 0.0)])

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
        if not self._shown or now - self._seen[-1][0] < _EVERY:
            return
        self._seen.append((now, rows, share or 0.0))
        while now - self._seen[1][0] > _WINDOW:
            self._seen.popleft()
        then, rows_then, share_then = self._seen[0]
        gone = now - then
        parts = [f"{rows:,} rows", f"{(rows - rows_then) / gone:,.0f} a second"]
        if share is not None and share > share_then:
            parts += [f"{share:.0%}", f"{duration((1 - share) * gone / (share - share_then))} left"]
        self.step(", ".join(parts))


def duration(seconds: float) -> str:
    """A time to wait, as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
