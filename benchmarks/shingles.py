"""Agreement of two texts by runs of four words, as scrapinghub's article-extraction-benchmark judges it."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WORD: Final = re.compile(r"\w+")
_SIZE: Final = 4


def shingles(text: str) -> Counter[tuple[str, ...]]:
    """How often each run of four words stands in the text; a shorter text is one run of all its words."""
    words = _WORD.findall(text)
    if not words:
        return Counter()
    return Counter(tuple(words[i : i + _SIZE]) for i in range(max(1, len(words) - _SIZE + 1)))


def compare(output: str, truth: str) -> tuple[float, float]:
    """Precision and recall of an output; nan where there is no output, or no truth, to take a share of."""
    found, wanted = shingles(output), shingles(truth)
    both = (found & wanted).total()
    precision = both / found.total() if found else np.nan
    recall = both / wanted.total() if wanted else np.nan
    return precision, recall


@dataclass(frozen=True)
class Score:
    """Precision and recall averaged over pages, and the F1 of these averages."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def average(pages: NDArray[np.float64]) -> Score:
    """The score of pages whose precision and recall are the columns of an array of shape (n_pages, 2).

    As in that benchmark, a page without output counts for recall alone.
    """
    precision, recall = np.nanmean(pages, axis=0)
    return Score(float(precision), float(recall))


def compare_pages(outputs: Iterable[str], truths: Iterable[str]) -> NDArray[np.float64]:
    """Precision and recall of each page's output, an array of shape (n_pages, 2)."""
    return np.array([compare(output, truth) for output, truth in zip(outputs, truths, strict=True)])


def gain_interval(before: NDArray[np.float64], after: NDArray[np.float64], n: int = 2000) -> tuple[float, float]:
    """The middle 95 % of what F1 gains, over resamples of the pages."""
    chance = np.random.default_rng(0)
    gains = []
    for _ in range(n):
        chosen = chance.integers(0, len(before), len(before))
        gains.append(average(after[chosen]).f1 - average(before[chosen]).f1)
    low, high = np.percentile(gains, [2.5, 97.5])
    return float(low), float(high)
