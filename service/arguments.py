"""Kinds of arguments that argparse has none for."""

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


def number(
    kind: type[_Number], *, at_least: float = -math.inf, above: float = -math.inf, below: float = math.inf
) -> Callable[[str], _Number]:
    """What reads an argument that is a finite number, whole where ``kind`` is int, within bounds."""
    bounds = {"at least": at_least, "above": above, "below": below}
    within = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))
    named = "a whole number" if kind is int else "a number"

    def read(raw: str) -> _Number:
        error = argparse.ArgumentTypeError(f"{raw!r} is not {named} {within}")
        try:
            value = kind(raw)
        except ValueError:
            raise error from None
        if not (value >= at_least and above < value < below):  # NaN is not either
            raise error
        return value

    return read
