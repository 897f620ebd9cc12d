"""Texts that are nearly the same, found in time that grows with the number of texts and not of pairs.

Each text is the set of its runs of ``_RUN`` characters; how alike two texts are is the Jaccard index of their sets, the
share of runs that both have among those that either has. Minima of random hash functions over such sets agree with
that probability (A. Broder, "On the resemblance and containment of documents", 1997). Texts whose minima agree in a
whole band of ``_PER_BAND`` functions are compared run by run (J. Leskovec, A. Rajaraman, J. Ullman, "Mining of Massive
Datasets", section 3.4). Runs of characters, not of words, for Chinese and Japanese write no spaces.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier.batches import batches
from classifier.characters import code_points

_RUN: Final = 8
_BANDS: Final = 8
_PER_BAND: Final = 4  # with 8 bands: 98 % of pairs with a Jaccard index of 0.8 are compared, 99.98 % of those with 0.9
_BATCH: Final = 250_000  # characters hashed together: what the processor's cache holds
_SEED: Final = 0

_Runs = NDArray[np.uint64]  # hashes of a text's runs, each once


def near_duplicates(texts: Sequence[str], least: float = 0.8) -> Iterator[tuple[int, int]]:
    """Pairs of texts whose Jaccard index is ``least`` or more, the earlier text first.

    Not all pairs: of texts that agree in a band, each is compared with the one before it, so that of a hundred alike
    each is in some pair.
    """
    if len(texts) < 2:
        return
    minima = np.concatenate([_minima(batch) for batch in batches(texts, _BATCH)])
    compared: set[tuple[int, int]] = set()
    for band in np.split(minima, _BANDS, axis=1):
        _, bucket = np.unique(band, axis=0, return_inverse=True)
        order = np.argsort(bucket, kind="stable")
        together = np.flatnonzero(np.diff(bucket[order]) == 0)
        compared |= set(zip(order[together].tolist(), order[together + 1].tolist(), strict=True))
    for one, other in sorted(compared):
        if jaccard(texts[one], texts[other]) >= least:
            yield one, other


def jaccard(one: str, other: str) -> float:
    """The share of runs of characters that both texts have among those that either has."""
    a, b = (np.unique(_runs(_codes([text]))) for text in (one, other))
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / (len(a) + len(b) - both)


def _codes(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Code points of the texts end to end; a text shorter than a run is filled up."""
    return code_points("".join(text.ljust(_RUN, "\0") for text in texts))


def _runs(codes: NDArray[np.uint32]) -> _Runs:
    """A hash of every run of characters."""
    with np.errstate(over="ignore"):
        n = len(codes) - _RUN + 1
        runs = np.zeros(n, np.uint64)
        for i in range(_RUN):
            runs = runs * np.uint64(0x9E3779B97F4A7C15) + codes[i : i + n]
        runs ^= runs >> np.uint64(32)
        runs *= np.uint64(0xD6E8FEB86659FD93)
        return runs ^ (runs >> np.uint64(32))


def _minima(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The least hash of each text's runs by each function, shape (n_texts, n_functions)."""
    sizes = np.array([max(len(text), _RUN) for text in texts])
    runs = _runs(_codes(texts))
    starts = np.cumsum(sizes) - sizes
    # Runs that reach over from a text into the next belong to none.
    edges = np.column_stack([starts, starts + sizes - _RUN + 1]).ravel()[:-1]
    chance = np.random.default_rng(_SEED)
    minima = np.empty((len(texts), _BANDS * _PER_BAND), np.uint32)
    for k in range(minima.shape[1]):
        # Multiply and add, then the upper bits: Dietzfelbinger's family of hash functions.
        factor, term = chance.integers(0, 1 << 64, 2, np.uint64)
        hashed = ((runs * (factor | np.uint64(1)) + term) >> np.uint64(32)).astype(np.uint32)
        minima[:, k] = np.minimum.reduceat(hashed, edges)[::2]
    return minima
