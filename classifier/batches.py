"""Things to be worked on together, taken a batch at a time."""

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

_Thing = TypeVar("_Thing", bound=Sized)


def batches(things: Iterable[_Thing], enough: int) -> Iterator[list[_Thing]]:
    """The things in order, in batches whose lengths add up to ``enough`` or a little more; the last may hold less."""
    batch: list[_Thing] = []
    held = 0
    for thing in things:
        batch.append(thing)
        held += len(thing)
        if held >= enough:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
