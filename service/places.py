"""Bounds on what a process holds at once: requests, streams, bytes of bodies."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Gauge

from service.problems import OVERLOADED, Problem

RETRY_SECONDS: Final = "1"


class Places:
    """So many may be inside at once; the next is refused, not made to wait.

    Args:
        limit: how many.
        full: what the one that is refused is told.
        gauge: shows how many are inside.
    """

    def __init__(self, limit: int, full: str, gauge: Gauge) -> None:
        self._limit = limit
        self._full = full
        self._gauge = gauge
        self._taken = 0

    @contextmanager
    def hold(self) -> Iterator["Held"]:
        """What is taken inside the ``with`` block is given back at its end."""
        held = Held(self)
        try:
            yield held
        finally:
            self._change(-held.n)

    @contextmanager
    def one(self) -> Iterator[None]:
        """One place while the ``with`` block runs.

        Raises:
            Problem: there is none.
        """
        with self.hold() as held:
            held.take(1)
            yield

    def check(self, n: int = 1) -> None:
        """
        Raises:
            Problem: there are no ``n`` places.
        """
        if self._taken + n > self._limit:
            raise Problem(OVERLOADED, self._full, headers={"Retry-After": RETRY_SECONDS})

    def take(self, n: int) -> None:
        """
        Raises:
            Problem: there are no ``n`` places.
        """
        self.check(n)
        self._change(n)

    def _change(self, n: int) -> None:
        self._taken += n
        self._gauge.inc(n)


class Held:
    """The places that one ``with`` block has taken."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.n = 0

    def take(self, n: int) -> None:
        """
        Raises:
            Problem: there are no ``n`` places more.
        """
        self._places.take(n)
        self.n += n
