"""Scoring of paragraphs in one pass over their code points.

The features are those of :mod:`classifier.features`; here they are never built. Each n-gram is hashed as it goes by and
looked up in one open-addressing table; what is found adds its weight to the paragraph's scores and its TF-IDF value to
the channel's norm. With ``c`` the count of n-gram ``g`` in the paragraph, a channel gives label ``k``

    sum over g of v(g) · weight[g, k] / ((1 − SLOPE) · PIVOT + SLOPE · norm)
    with v(g) = (1 + ln c) · idf(g) and norm = sqrt(sum over g of v(g)²)

which is scikit-learn's ``TfidfTransformer(sublinear_tf=True, norm=None)``, pivoted length normalisation and a linear
model. Shape adds one weight a group.
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
_THREE: Final = np.uint32(3)
_STOP: Final = 1 + list(characters.SYMBOLS).index("stop")
_EXCLAMATION: Final = 1 + list(characters.SYMBOLS).index("exclamation")
_COMMA: Final = 1 + list(characters.SYMBOLS).index("comma")
_N_CHARS: Final = features.CHAR_NGRAM_LENGTH
_N_SCRIPTS: Final = len(characters.SCRIPTS)
_N_KINDS: Final = 8
_N_TALLIES: Final = _N_KINDS * _N_SCRIPTS + 16  # characters by class and script, then by symbol
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
_FACTORS: Final = 1.0 + np.log(np.maximum(np.arange(64), 1))  # of n-grams that stand there so many times
# The hash state of as many blanks as a character n-gram is long, and the factor of the state's oldest character.
_OLDEST: Final = np.uint64(pow(int(_MULTIPLIER), _N_CHARS, 1 << 64))
_BLANKS: Final = np.uint64(
    sum(ord(" ") * pow(int(_MULTIPLIER), i, 1 << 64) for i in range(1, _N_CHARS + 1)) % (1 << 64)
)
_LINE_FEED: Final = np.uint32(ord("\n"))

# An entry of the n-gram table: upper bits of the key, and the n-gram's place in the model, from 1. A free slot is 0.
_PLACE_BITS: Final = 24
_PLACE: Final = np.uint64((1 << _PLACE_BITS) - 1)
_TAG: Final = ~_PLACE

# Threshold tables of the shape groups, laid end to end; group g owns bins _FIRST_BIN[g] … _FIRST_BIN[g + 1] - 1.
_THRESHOLDS: Final = np.array([t for group in features.SHAPE_THRESHOLDS.values() for t in group], np.int64)
_N_THRESHOLDS: Final = np.array([len(group) for group in features.SHAPE_THRESHOLDS.values()], np.int64)
_COARSE: Final = np.array(features.COARSE_LENGTHS, np.int64)
N_GROUPS: Final = len(features.SHAPE_THRESHOLDS)


@njit
def add_code(state, code):
    """A hash state with one more code point in it; :func:`finish_key` spreads it over all bits."""
    return (state + np.uint64(code)) * _MULTIPLIER


@njit
def finish_key(state):
    state = (state ^ (state >> _32)) * _FINISH
    return state ^ (state >> _29)


@njit
def _pair(left, right):
    return finish_key((left * _PAIR) ^ right)


@njit
def _see(key, table, counts, touched, n):
    """Counts the n-gram if the model knows it; returns how many n-grams were seen in the channel so far."""
    mask = np.uint64(len(table) - 1)
    slot = key & mask
    while table[slot] != _0:
        entry = table[slot]
        if (entry ^ key) & _TAG == _0:
            feature = np.int64(entry & _PLACE) - 1
            touched[n] = feature
            n += counts[feature] == 0
            counts[feature] += 1
            return n
        slot = (slot + _1) & mask
    return n


@njit
def _bins(values, bins, row):
    """Writes the index of each group's bin that holds its value into the row of ``bins``."""
    first = 0
    start = 0
    for group in range(len(_N_THRESHOLDS)):
        n = _N_THRESHOLDS[group]
        i = 0
        while i < n and values[group] >= _THRESHOLDS[start + i]:
            i += 1
        bins[row, group] = first + i
        first += n + 1
        start += n


@njit
def _copy(codes, start, end, classes, entries):
    """Writes what each character is into ``entries``, from place ``_N_CHARS`` on, and a blank after the last; returns
    that blank's place.
    """
    shift = _N_CHARS - start
    for i in range(start, end):
        entry = classes[codes[i]]
        entries[i + shift] = _BLANK if (entry >> _CLASS_SHIFT) & _MASK3 == _SPACE else entry
    entries[end + shift] = _BLANK
    return end + shift


@njit
def _end_kind(entry):
    symbol = (entry >> _SYMBOL_SHIFT) & _MASK4
    kind = (entry >> _CLASS_SHIFT) & _MASK3
    if kind == _SPACE:
        return 0
    if symbol:
        return 5 + np.int64(symbol)
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
def _shape(entries, start, end, tally, values):
    """Writes the paragraph's value of each shape group into ``values``."""
    tally[:] = 0
    words = np.int64(0)
    capitalised = np.int64(0)
    in_word = False
    for i in range(start, end):
        entry = entries[i]
        kind = (entry >> _CLASS_SHIFT) & _MASK3
        tally[np.int64(kind | ((entry >> _SCRIPT_SHIFT) & _MASK3) << _THREE)] += 1
        tally[_N_KINDS * _N_SCRIPTS + np.int64((entry >> _SYMBOL_SHIFT) & _MASK4)] += 1
        of_word = kind >= _LOWER and kind <= _JOINER
        begins = of_word and not in_word
        words += begins
        capitalised += begins and kind == _UPPER
        in_word = of_word
    letters = np.int64(0)
    capitals = np.int64(0)
    digits = np.int64(0)
    symbols = np.int64(0)
    ideographs = np.int64(0)
    most = np.int64(0)
    script = np.int64(0)
    for i in range(_N_SCRIPTS):
        row = i * _N_KINDS
        ideographs += tally[row + _IDEOGRAPH]
        capitals += tally[row + _UPPER]
        digits += tally[row + _DIGIT]
        symbols += tally[row + _SYMBOL]
        of_script = tally[row + _LOWER] + tally[row + _UPPER] + tally[row + _IDEOGRAPH]
        letters += of_script
        if of_script > most:
            most = of_script
            script = i
    first = np.int64(0)
    last = np.int64(0)
    for i in range(start, end):
        first = _end_kind(entries[i])
        if first > 0:
            break
    for i in range(end - 1, start - 1, -1):
        last = _end_kind(entries[i])
        if last > 0:
            break
    length = end - start
    coarse = np.int64(0)
    while coarse < len(_COARSE) and length >= _COARSE[coarse]:
        coarse += 1
    by_symbol = _N_KINDS * _N_SCRIPTS
    values[0] = length
    values[1] = words + symbols + ideographs
    values[2] = 100 * capitals // max(letters, 1)
    values[3] = 100 * capitalised // max(words, 1)
    values[4] = (100 * digits + length - 1) // max(length, 1)
    values[5] = (100 * symbols + length - 1) // max(length, 1)
    values[6] = tally[by_symbol + _STOP] + tally[by_symbol + _EXCLAMATION]
    values[7] = tally[by_symbol + _COMMA]
    values[8] = script
    values[9] = first
    values[10] = last
    values[11] = coarse * _N_END_KINDS + last


@njit
def _add_channel(counts, touched, factors, n, records, scores, row):
    """Adds a channel's normalised TF-IDF dot its weights to the row's scores, and clears the counts."""
    squares = 0.0
    for i in range(n):
        feature = touched[i]
        factor = _FACTORS[counts[feature]] if counts[feature] < len(_FACTORS) else 1.0 + math.log(counts[feature])
        counts[feature] = 0
        factors[i] = factor
        value = factor * records[feature, 0]
        squares += value * value
    length = (1.0 - features.SLOPE) * features.PIVOT + features.SLOPE * math.sqrt(squares)
    for k in range(0, scores.shape[1], 4):
        a = b = c = d = 0.0
        for i in range(n):
            feature = touched[i]
            factor = factors[i]
            a += factor * records[feature, k + 1]
            b += factor * records[feature, k + 2]
            c += factor * records[feature, k + 3]
            d += factor * records[feature, k + 4]
        scores[row, k] += a / length
        scores[row, k + 1] += b / length
        scores[row, k + 2] += c / length
        scores[row, k + 3] += d / length


@njit
def _see_token(left, right, table, counts, touched, n):
    n = _see(right, table, counts, touched, n)
    return _see(_pair(left, right), table, counts, touched, n)


@njit
def _see_words(entries, start, end, table, counts, touched):
    n = np.int64(0)
    nothing = finish_key(_WORD_SEED)  # the empty token, before the first and after the last
    left = nothing
    state = _WORD_SEED
    in_word = False
    for i in range(start, end + 1):  # one past the end stands a space
        entry = entries[i]
        kind = (entry >> _CLASS_SHIFT) & _MASK3
        if kind >= _LOWER and kind <= _JOINER:
            state = add_code(state, entry & _FOLD_MASK)
            in_word = True
            continue
        if in_word:
            right = finish_key(state)
            n = _see_token(left, right, table, counts, touched, n)
            left = right
            state = _WORD_SEED
            in_word = False
        if kind != _SPACE:
            right = finish_key(add_code(_WORD_SEED, entry & _FOLD_MASK))
            n = _see_token(left, right, table, counts, touched, n)
            left = right
    return _see(_pair(left, nothing), table, counts, touched, n)


@njit
def _see_chars(entries, start, end, table, counts, touched):
    n = np.int64(0)
    run = np.int64(0)  # characters since the last white space
    state = _BLANKS  # of the last characters, as many as an n-gram has
    for i in range(start, end + 1):  # one past the end stands a space
        entry = entries[i]
        gone = np.uint64(entries[i - _N_CHARS] & _FOLD_MASK)
        state = add_code(state - gone * _OLDEST, entry & _FOLD_MASK)
        if run >= _N_CHARS - 2:  # all but the first and the last, which may be spaces
            n = _see(finish_key(state ^ _CHAR_SEED), table, counts, touched, n)
        run = 0 if (entry >> _CLASS_SHIFT) & _MASK3 == _SPACE else run + 1
    return n


@njit(cache=True, nogil=True)
def _score(codes, ends, longest, classes, table, records, shape_weights, counts, scores):
    entries = np.full(_N_CHARS + longest + 1, _BLANK)
    most = min(2 * longest + 3, len(counts)) + 1
    touched = np.empty(most, np.int32)
    factors = np.empty(most)
    tally = np.empty(_N_TALLIES, np.int64)
    values = np.empty(N_GROUPS, np.int64)
    bins = np.empty((1, N_GROUPS), np.int32)
    start = np.int64(0)
    for row in range(len(ends)):
        end = _copy(codes, start, ends[row], classes, entries)
        start = ends[row]
        _shape(entries, _N_CHARS, end, tally, values)
        _bins(values, bins, 0)
        for k in range(scores.shape[1]):
            score = np.float64(shape_weights[0, k])
            for group in range(N_GROUPS):
                score += shape_weights[1 + bins[0, group], k]
            scores[row, k] = score
        for channel in range(2):
            if channel == 0:
                n = _see_words(entries, _N_CHARS, end, table, counts, touched)
            else:
                n = _see_chars(entries, _N_CHARS, end, table, counts, touched)
            _add_channel(counts, touched, factors, n, records, scores, row)


@njit(cache=True, nogil=True)
def _shapes(codes, ends, longest, classes, bins):
    entries = np.empty(_N_CHARS + longest + 1, np.uint32)
    tally = np.empty(_N_TALLIES, np.int64)
    values = np.empty(N_GROUPS, np.int64)
    start = np.int64(0)
    for row in range(len(ends)):
        end = _copy(codes, start, ends[row], classes, entries)
        start = ends[row]
        _shape(entries, _N_CHARS, end, tally, values)
        _bins(values, bins, row)


@njit(cache=True)
def _fill(codes, n_words, table):
    """Fills the table with n-grams, each followed by a line feed; returns the first that meets another, else −1."""
    mask = np.uint64(len(table) - 1)
    row = np.int64(0)
    left = _0
    pair = False
    state = _WORD_SEED if n_words > 0 else _0
    for i in range(len(codes)):
        if codes[i] != _LINE_FEED:
            if codes[i] == _BLANK and row < n_words:
                left = finish_key(state)
                state = _WORD_SEED
                pair = True
            else:
                state = add_code(state, codes[i])
            continue
        if row >= n_words:
            key = finish_key(state ^ _CHAR_SEED)
        elif pair:
            key = _pair(left, finish_key(state))
        else:
            key = finish_key(state)
        slot = key & mask
        while table[slot] != _0:
            if (table[slot] ^ key) & _TAG == _0:
                return row
            slot = (slot + _1) & mask
        row += 1
        table[slot] = (key & _TAG) | np.uint64(row)
        pair = False
        state = _WORD_SEED if row < n_words else _0
    return np.int64(-1)


def join(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """All code points of the texts in a row, and where each text ends."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    return characters.code_points("".join(texts)), ends


def _longest(ends: NDArray[np.int64]) -> int:
    return int(np.diff(ends, prepend=0).max(initial=0))


def shape_bins(texts: Sequence[str]) -> NDArray[np.int32]:
    """The shape of each text: an array of shape (n_texts, N_GROUPS) of indices into ``features.SHAPE_NAMES``."""
    codes, ends = join(texts)
    bins = np.empty((len(texts), N_GROUPS), np.int32)
    _shapes(codes, ends, _longest(ends), characters.TABLE, bins)
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
        n = len(weights.ngrams)
        if n >= 1 << _PLACE_BITS:
            raise ValueError(f"{n} n-grams; a model has fewer than {1 << _PLACE_BITS}")
        self._table = np.zeros(1 << max(4, (2 * n).bit_length()), np.uint64)
        codes = characters.code_points("".join(f"{ngram}\n" for ngram in weights.ngrams))
        met = _fill(codes, weights.n_words, self._table)
        if met >= 0:
            raise ValueError(f"the n-gram {weights.ngrams[met]!r} stands in the model twice or meets another's hash")
        # Labels in fours, for the loop that adds them up. Weights have their n-gram's idf in them; the intercept
        # stands above the shape weights.
        self._n_labels = len(weights.intercept)
        width = -(-self._n_labels // 4) * 4
        self._records = np.zeros((n, 1 + width), np.float32)
        self._records[:, 0] = weights.idf
        self._records[:, 1 : 1 + self._n_labels] = weights.weights * weights.idf[:, None]
        self._shape = np.zeros((1 + len(weights.shape), width), np.float32)
        self._shape[:, : self._n_labels] = np.vstack([weights.intercept, weights.shape])
        self._scratch = local()

    def score(self, codes: NDArray[np.uint32], ends: NDArray[np.int64]) -> NDArray[np.float64]:
        """The logits of paragraphs given by :func:`join`: an array of shape (n_paragraphs, n_labels)."""
        if not hasattr(self._scratch, "counts"):
            self._scratch.counts = np.zeros(len(self._records), np.int32)
        scores = np.empty((len(ends), self._shape.shape[1]))
        _score(
            codes,
            ends,
            _longest(ends),
            characters.TABLE,
            self._table,
            self._records,
            self._shape,
            self._scratch.counts,
            scores,
        )
        return scores[:, : self._n_labels]
