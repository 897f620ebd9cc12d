"""Scoring of paragraphs in one pass over their code points.

The features are those of :mod:`classifier.features`; here they are never built. Each n-gram is hashed as it goes by and
looked up in one open-addressing table; what is found adds its weight to the paragraph's scores and its TF-IDF value to
the channel's norm. With ``c`` the count of n-gram ``g`` in the paragraph, a channel gives label ``k``

    sum over g of v(g) · weight[g, k] / sqrt(sum over g of v(g)²)      with v(g) = (1 + ln c) · idf(g)

which is scikit-learn's ``TfidfTransformer(sublinear_tf=True)`` under a linear model. Shape adds one weight a group.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import local
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from classifier import characters, features

_SPACE: Final = np.uint32(characters.SPACE)
_SYMBOL: Final = np.uint32(characters.SYMBOL)
_LOWER: Final = np.uint32(characters.LOWER)
_UPPER: Final = np.uint32(characters.UPPER)
_DIGIT: Final = np.uint32(characters.DIGIT)
_JOINER: Final = np.uint32(characters.JOINER)
_IDEOGRAPH: Final = np.uint32(characters.IDEOGRAPH)
_CLASS_SHIFT: Final = np.uint32(characters.CLASS_SHIFT)
_SYMBOL_SHIFT: Final = np.uint32(characters.SYMBOL_SHIFT)
_SCRIPT_SHIFT: Final = np.uint32(characters.SCRIPT_SHIFT)
_FOLD_MASK: Final = np.uint32(characters.FOLD_MASK)
_MASK3: Final = np.uint32(7)
_MASK4: Final = np.uint32(15)
_STOP: Final = 1 + list(characters.SYMBOLS).index("stop")
_EXCLAMATION: Final = 1 + list(characters.SYMBOLS).index("exclamation")
_COMMA: Final = 1 + list(characters.SYMBOLS).index("comma")
_LOW: Final = features.CHAR_NGRAM_LENGTHS[0]
_HIGH: Final = features.CHAR_NGRAM_LENGTHS[1]
_N_SCRIPTS: Final = len(characters.SCRIPTS)
_N_END_KINDS: Final = features.N_END_KINDS

# Odd 64-bit constants, far apart, so that an n-gram of one channel never meets another's.
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_FINISH: Final = np.uint64(0xD6E8FEB86659FD93)
_PAIR: Final = np.uint64(0xA0761D6478BD642F)
_WORD_SEED: Final = np.uint64(0x8EBC6AF09C88C6E3)
_CHAR_SEED: Final = np.uint64(0x589965CC75374CC3)
_32: Final = np.uint64(32)
_29: Final = np.uint64(29)
_BLANK: Final = np.uint32(ord(" "))
_0: Final = np.uint64(0)
_1: Final = np.uint64(1)

# Threshold tables of the shape groups, laid end to end; group g owns bins _FIRST_BIN[g] … _FIRST_BIN[g + 1] - 1.
_THRESHOLDS: Final = np.array([t for group in features.SHAPE_THRESHOLDS.values() for t in group], np.int64)
_N_THRESHOLDS: Final = np.array([len(group) for group in features.SHAPE_THRESHOLDS.values()], np.int64)
_COARSE: Final = np.array(features.COARSE_LENGTHS, np.int64)
N_GROUPS: Final = len(features.SHAPE_THRESHOLDS)


@njit
def add_code(state, code):
    state = (state ^ np.uint64(code)) * _MULTIPLIER
    return state ^ (state >> _32)


@njit
def finish_key(state):
    state = state * _FINISH
    return (state ^ (state >> _29)) | _1  # 0 marks a free slot


@njit
def _pair(left, right):
    return finish_key((left * _PAIR) ^ right)


@njit
def _see(key, keys, slots, counts, touched, n):
    """Counts the n-gram if the model knows it; returns how many n-grams were seen in the channel so far."""
    mask = np.uint64(len(keys) - 1)
    slot = (key >> _32) & mask
    while keys[slot] != _0:
        if keys[slot] == key:
            feature = slots[slot]
            if counts[feature] == 0:
                touched[n] = feature
                n += 1
            counts[feature] += 1
            return n
        slot = (slot + _1) & mask
    return n


@njit
def _bin(group, value):
    """The index of the group's bin that holds the value."""
    first = 0
    start = 0
    for g in range(group):
        first += _N_THRESHOLDS[g] + 1
        start += _N_THRESHOLDS[g]
    i = 0
    while i < _N_THRESHOLDS[group] and value >= _THRESHOLDS[start + i]:
        i += 1
    return first + i


@njit
def _end_kind(entry):
    symbol = (entry >> _SYMBOL_SHIFT) & _MASK4
    if symbol:
        return 5 + np.int64(symbol)
    kind = (entry >> _CLASS_SHIFT) & _MASK3
    if kind == _LOWER:
        return 1
    if kind == _UPPER:
        return 2
    if kind == _DIGIT:
        return 3
    if kind == _IDEOGRAPH:
        return 4
    return 5


@njit
def _shape(entries, length, bins):
    """Writes the paragraph's bin of each shape group into ``bins``."""
    letters = 0
    capitals = 0
    digits = 0
    symbols = 0
    tokens = 0
    words = 0
    capitalised = 0
    sentences = 0
    commas = 0
    scripts = np.zeros(_N_SCRIPTS, np.int64)
    first = 0
    last = 0
    in_word = False
    for i in range(length):
        entry = entries[i]
        kind = (entry >> _CLASS_SHIFT) & _MASK3
        if kind == _SPACE:
            in_word = False
            continue
        last = _end_kind(entry)
        if first == 0:
            first = last
        if kind == _SYMBOL:
            symbols += 1
            tokens += 1
            in_word = False
            symbol = (entry >> _SYMBOL_SHIFT) & _MASK4
            if symbol in (_STOP, _EXCLAMATION):
                sentences += 1
            elif symbol == _COMMA:
                commas += 1
        elif kind == _IDEOGRAPH:
            letters += 1
            tokens += 1
            in_word = False
            scripts[(entry >> _SCRIPT_SHIFT) & _MASK3] += 1
        else:
            if not in_word:
                tokens += 1
                words += 1
                capitalised += kind == _UPPER
                in_word = True
            if kind in (_UPPER, _LOWER):
                letters += 1
                capitals += kind == _UPPER
                scripts[(entry >> _SCRIPT_SHIFT) & _MASK3] += 1
            elif kind == _DIGIT:
                digits += 1
    script = 0
    for i in range(1, _N_SCRIPTS):
        if scripts[i] > scripts[script]:
            script = i
    coarse = 0
    while coarse < len(_COARSE) and length >= _COARSE[coarse]:
        coarse += 1
    bins[0] = _bin(0, length)
    bins[1] = _bin(1, tokens)
    bins[2] = _bin(2, 100 * capitals // max(letters, 1))
    bins[3] = _bin(3, 100 * capitalised // max(words, 1))
    bins[4] = _bin(4, (100 * digits + length - 1) // max(length, 1))
    bins[5] = _bin(5, (100 * symbols + length - 1) // max(length, 1))
    bins[6] = _bin(6, sentences)
    bins[7] = _bin(7, commas)
    bins[8] = _bin(8, script)
    bins[9] = _bin(9, first)
    bins[10] = _bin(10, last)
    bins[11] = _bin(11, coarse * _N_END_KINDS + last)


@njit
def _add_channel(counts, touched, n, idf, weights, scores):
    """Adds a channel's normed TF-IDF dot its weights to the paragraph's scores, and clears the counts."""
    norm = 0.0
    for i in range(n):
        feature = touched[i]
        value = np.float64(idf[feature])
        if counts[feature] > 1:
            value *= 1.0 + math.log(np.float64(counts[feature]))
        norm += value * value
    scale = 1.0 / math.sqrt(norm) if n else 0.0
    for i in range(n):
        feature = touched[i]
        value = np.float64(idf[feature]) * scale
        if counts[feature] > 1:
            value *= 1.0 + math.log(np.float64(counts[feature]))
        counts[feature] = 0
        for k in range(len(scores)):
            scores[k] += value * weights[feature, k]


@njit
def _add_words(entries, length, keys, slots, idf, weights, counts, touched, scores):
    n = 0
    nothing = finish_key(_WORD_SEED)  # the empty token, before the first and after the last
    left = nothing
    state = _WORD_SEED
    in_word = False
    for i in range(length + 1):
        entry = entries[i]  # one past the end stands a space
        kind = (entry >> _CLASS_SHIFT) & _MASK3
        if kind >= _LOWER and kind <= _JOINER:
            state = add_code(state, entry & _FOLD_MASK)
            in_word = True
            continue
        if in_word:
            right = finish_key(state)
            n = _see(right, keys, slots, counts, touched, n)
            n = _see(_pair(left, right), keys, slots, counts, touched, n)
            left = right
            state = _WORD_SEED
            in_word = False
        if kind != _SPACE:
            right = finish_key(add_code(_WORD_SEED, entry & _FOLD_MASK))
            n = _see(right, keys, slots, counts, touched, n)
            n = _see(_pair(left, right), keys, slots, counts, touched, n)
            left = right
    n = _see(_pair(left, nothing), keys, slots, counts, touched, n)
    _add_channel(counts, touched, n, idf, weights, scores)


@njit
def _add_chars(entries, length, keys, slots, idf, weights, counts, touched, scores):
    n = 0
    start = 0
    while start < length:
        if (entries[start] >> _CLASS_SHIFT) & _MASK3 == _SPACE:
            start += 1
            continue
        end = start + 1
        while (entries[end] >> _CLASS_SHIFT) & _MASK3 != _SPACE:
            end += 1
        for first in range(start - 1, end):
            state = _CHAR_SEED
            for i in range(first, min(first + _HIGH, end + 1)):
                state = add_code(state, entries[i] & _FOLD_MASK if start <= i < end else _BLANK)
                if i > first + _LOW - 2:
                    n = _see(finish_key(state), keys, slots, counts, touched, n)
        start = end
    _add_channel(counts, touched, n, idf, weights, scores)


@njit(cache=True, nogil=True)
def _score(codes, ends, table, keys, slots, idf, weights, shape_weights, intercept, counts, touched, bins, scores):
    start = 0
    longest = 0
    for end in ends:
        longest = max(longest, end - start)
        start = end
    entries = np.empty(longest + 1, np.uint32)
    start = 0
    for row in range(len(ends)):
        length = ends[row] - start
        for i in range(length):
            entries[i] = table[codes[start + i]]
        entries[length] = _BLANK
        start = ends[row]
        scores[row] = intercept
        _shape(entries, length, bins[0])
        for group in range(bins.shape[1]):
            for k in range(scores.shape[1]):
                scores[row, k] += shape_weights[bins[0, group], k]
        _add_words(entries, length, keys, slots, idf, weights, counts, touched, scores[row])
        _add_chars(entries, length, keys, slots, idf, weights, counts, touched, scores[row])


@njit(cache=True, nogil=True)
def _shapes(codes, ends, table, bins):
    start = 0
    for row in range(len(ends)):
        _shape(table[codes[start : ends[row]]], ends[row] - start, bins[row])
        start = ends[row]


@njit(cache=True)
def _hash(codes, ends, words, keys, slots):
    """Fills the table with the n-grams; returns the index of the first that meets another, else -1."""
    mask = np.uint64(len(keys) - 1)
    start = 0
    for row in range(len(ends)):
        if words[row]:
            left = _0
            pair = False
            state = _WORD_SEED
            for i in range(start, ends[row]):
                if codes[i] == _BLANK:
                    left = finish_key(state)
                    state = _WORD_SEED
                    pair = True
                else:
                    state = add_code(state, codes[i])
            key = _pair(left, finish_key(state)) if pair else finish_key(state)
        else:
            state = _CHAR_SEED
            for i in range(start, ends[row]):
                state = add_code(state, codes[i])
            key = finish_key(state)
        start = ends[row]
        slot = (key >> _32) & mask
        while keys[slot] != _0:
            if keys[slot] == key:
                return row
            slot = (slot + _1) & mask
        keys[slot] = key
        slots[slot] = row
    return -1


def join(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """All code points of the texts in a row, and where each text ends."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    return characters.code_points("".join(texts)), ends


def shape_bins(texts: Sequence[str]) -> NDArray[np.int32]:
    """The shape of each text: an array of shape (n_texts, N_GROUPS) of indices into ``features.SHAPE_NAMES``."""
    codes, ends = join(texts)
    bins = np.empty((len(texts), N_GROUPS), np.int32)
    _shapes(codes, ends, characters.TABLE, bins)
    return bins


@dataclass(frozen=True)
class Weights:
    """A fitted paragraph model as plain arrays, for ``n`` n-grams and ``k`` labels."""

    ngrams: tuple[str, ...]
    n_words: int  # the first n_words n-grams are of the word channel, the others of the char channel
    idf: NDArray[np.float32]  # (n,)
    weights: NDArray[np.float32]  # (n, k)
    shape: NDArray[np.float32]  # (len(features.SHAPE_NAMES), k)
    intercept: NDArray[np.float32]  # (k,)


class Kernel:
    """The weights laid out for scoring. Safe to use from several threads at once."""

    def __init__(self, weights: Weights) -> None:
        """
        Raises:
            ValueError: two n-grams have the same hash, or an n-gram stands there twice.
        """
        self._weights = weights
        codes, ends = join(weights.ngrams)
        size = 1 << max(4, (2 * len(weights.ngrams)).bit_length())
        self._keys = np.zeros(size, np.uint64)
        self._slots = np.zeros(size, np.int32)
        met = _hash(codes, ends, np.arange(len(ends)) < weights.n_words, self._keys, self._slots)
        if met >= 0:
            raise ValueError(f"the n-gram {weights.ngrams[met]!r} stands in the model twice or meets another's hash")
        self._scratch = local()

    def score(self, codes: NDArray[np.uint32], ends: NDArray[np.int64]) -> NDArray[np.float64]:
        """The logits of paragraphs given by :func:`join`: an array of shape (n_paragraphs, n_labels)."""
        w = self._weights
        if not hasattr(self._scratch, "counts"):
            self._scratch.counts = np.zeros(len(w.idf), np.int32)
            self._scratch.touched = np.empty(len(w.idf) + 1, np.int32)
        scores = np.empty((len(ends), len(w.intercept)))
        bins = np.empty((1, N_GROUPS), np.int32)
        _score(
            codes,
            ends,
            characters.TABLE,
            self._keys,
            self._slots,
            w.idf,
            w.weights,
            w.shape,
            w.intercept,
            self._scratch.counts,
            self._scratch.touched,
            bins,
            scores,
        )
        return scores
