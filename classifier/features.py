"""What the paragraph model counts in a paragraph: word n-grams, character n-grams and shape.

This is the definition that models are fitted with and explanations are given in; :mod:`classifier.kernel` computes the
same n-grams, hashed as they go by. A token is a run of letters, digits and marks, or one ideograph, or one symbol, all
folded by :mod:`classifier.characters`.
"""

import re
from collections.abc import Callable, Collection
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from classifier import characters

_Norm = TypeVar("_Norm", float, NDArray[np.float64])

CHAR_NGRAM_LENGTH: Final = 5

_PIVOT: Final = 20.0
_SLOPE: Final = 0.5


def pivoted(norm: _Norm) -> _Norm:
    """What a channel's TF-IDF values are divided by, given their Euclidean norm.

    This is pivoted length normalisation (Singhal, Buckley and Mitra, 1996). Dividing by the norm alone leaves the
    tell-tale words of a long paragraph next to nothing.
    """
    return (1 - _SLOPE) * _PIVOT + _SLOPE * norm


# Patterns over the classes of a text's characters, a digit each.
_TOKEN: Final = re.compile(
    f"[{characters.LOWER}{characters.UPPER}{characters.DIGIT}{characters.JOINER}]+"
    f"|[{characters.IDEOGRAPH}{characters.SYMBOL}]"
)
_WORD: Final = re.compile(
    f"[{characters.LOWER}{characters.UPPER}{characters.DIGIT}{characters.JOINER}]+|{characters.IDEOGRAPH}"
)
_CHUNK: Final = re.compile(f"[^{characters.SPACE}]+")


def _fold(text: str) -> tuple[str, str]:
    """The folded text, and the classes of its characters as a string of digits."""
    entries = characters.TABLE[characters.code_points(text)]
    folded = (entries & np.uint32(characters.FOLD_MASK)).tobytes().decode("utf-32-le", "surrogatepass")
    classes = (entries >> np.uint32(characters.CLASS_SHIFT) & np.uint32(7)).astype(np.uint8) + np.uint8(ord("0"))
    return folded, classes.tobytes().decode("ascii")


def word_ngrams(text: str) -> list[str]:
    """Tokens, and pairs of neighbouring tokens joined by a space.

    An empty token stands before the first and after the last, so that "subscribe" at the start of a paragraph is told
    from "subscribe" inside it.
    """
    folded, classes = _fold(text)
    tokens = [folded[match.start() : match.end()] for match in _TOKEN.finditer(classes)]
    return tokens + [f"{left} {right}" for left, right in zip(["", *tokens], [*tokens, ""], strict=True)]


def words(text: str) -> dict[str, str]:
    """The text's tokens that are words, folded; each with its first spelling."""
    folded, classes = _fold(text)
    found: dict[str, str] = {}
    for match in _WORD.finditer(classes):
        found.setdefault(folded[match.start() : match.end()], text[match.start() : match.end()])
    return found


def without_words(text: str, gone: Collection[str]) -> str:
    """The text less some of its words, given folded; empty where no word is left."""
    folded, classes = _fold(text)
    pieces, end, left = [], 0, False
    for match in _WORD.finditer(classes):
        is_gone = folded[match.start() : match.end()] in gone
        left = left or not is_gone
        if is_gone:
            pieces.append(text[end : match.start()])
            end = match.end()
    return " ".join("".join([*pieces, text[end:]]).split()) if left else ""


def char_ngrams(text: str) -> list[str]:
    """Runs of five characters inside each stretch without white space, a space on either side counted in."""
    folded, classes = _fold(text)
    ngrams = []
    for match in _CHUNK.finditer(classes):
        ngrams += runs(folded[match.start() : match.end()])
    return ngrams


def runs(chunk: str) -> list[str]:
    """Runs of five characters in a folded stretch without white space, a space on either side counted in."""
    padded = f" {chunk} "
    return [padded[i : i + CHAR_NGRAM_LENGTH] for i in range(len(padded) - CHAR_NGRAM_LENGTH + 1)]


NGRAMS: Final[dict[str, Callable[[str], list[str]]]] = {"word": word_ngrams, "char": char_ngrams}


# Shape: each group has one bin a paragraph. A bin's number is how many of its group's thresholds the value reaches.
_END_KINDS: Final = ("nothing", "lower-case letter", "capital", "digit", "ideograph", "symbol", *characters.SYMBOLS)
SHAPE_THRESHOLDS: Final[dict[str, tuple[int, ...]]] = {
    "characters": (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 50, 65, 80, 100, 130, 170, 220, 300, 400, 600),
    "tokens": (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30, 40, 60, 100),
    "capitals, % of letters": (1, 5, 15, 30, 60, 100),
    "capitalised, % of words": (1, 25, 50, 75, 100),
    "digits, % of characters": (1, 4, 10, 25, 50),
    "symbols, % of characters": (1, 2, 4, 8, 15, 30),
    "sentence ends": (1, 2, 3, 4, 6),
    "commas": (1, 2, 3, 5),
    "script": (1, 2, 3, 4, 5, 6, 7),
    "starts with": tuple(range(1, len(_END_KINDS))),
    "ends with": tuple(range(1, len(_END_KINDS))),
    # The length again, coarsely, crossed with what the paragraph ends with.
    "characters and end": tuple(range(1, 8 * len(_END_KINDS))),
}
COARSE_LENGTHS: Final = (4, 10, 20, 40, 80, 160, 320)
N_END_KINDS: Final = len(_END_KINDS)


def _bin_name(group: str, i: int) -> str:
    if group == "script":
        return f"script {characters.SCRIPTS[i].lower()}"
    if group in ("starts with", "ends with"):
        return f"{group} {_END_KINDS[i]}"
    if group == "characters and end":
        length, end = divmod(i, N_END_KINDS)
        return f"{_range_name('characters', COARSE_LENGTHS, length)}, ends with {_END_KINDS[end]}"
    return _range_name(group, SHAPE_THRESHOLDS[group], i)


def _range_name(group: str, thresholds: tuple[int, ...], i: int) -> str:
    if i == len(thresholds):
        return f"{group} ≥ {thresholds[-1]}"
    low, high = (thresholds[i - 1] if i else 0), thresholds[i] - 1
    return f"{group} {low}" if low == high else f"{group} {low}–{high}"


SHAPE_NAMES: Final = tuple(
    _bin_name(group, i) for group, thresholds in SHAPE_THRESHOLDS.items() for i in range(len(thresholds) + 1)
)
