"""Scoring of paragraphs in one pass over their code points.

The features are those of :mod:`classifier.features`; here they are never built. Each n-gram is hashed as it goes by and
looked up in one open-addressing table; what is found adds its weight to the paragraph's scores and its TF-IDF value to
the channel's norm. With ``c`` the count of n-gram ``g`` in the paragraph, a channel gives label ``k``

    sum over g of v(g) · weight[g, k] / pivoted(norm)
    with v(g) = (1 + ln c) · idf(g) and norm = sqrt(sum over g of v(g)²)

which is scikit-learn's ``TfidfTransformer(sublinear_tf=True, norm=None)``, pivoted length normalisation and a linear
model. Shape adds one weight a group.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import local
from typing import Final, NamedTuple, Self

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from classifier import characters, features
from classifier.compiling import compiled, inner

_SPACE: Final = np.uint32(characters.SPACE)
_SYMBOL: Final = np.uint32(characters.SYMBOL)
_LOWER: Final = np.uint32(characters.LOWER)
_UPPER: Final = np.uint32(characters.UPPER)
_DIGIT: Final = np.uint32(characters.DIGIT)
_JOINER: Final = np.uint32(characters.JOINER)
_IDEOGRAPH: Final = np.uint32(characters.IDEOGRAPH)
_LATIN: Final = np.uint32(characters.SCRIPTS.index("LATIN"))
_CLASS_SHIFT: Final = np.uint32(characters.CLASS_SHIFT)
_SYMBOL_SHIFT: Final = np.uint32(characters.SYMBOL_SHIFT)
_SCRIPT_SHIFT: Final = np.uint32(characters.SCRIPT_SHIFT)
_FOLD_MASK: Final = np.uint32(characters.FOLD_MASK)
_MASK3: Final = np.uint32(7)
_MASK4: Final = np.uint32(15)
_THREE: Final = np.uint32(3)
_PLAIN: Final = _LOWER | _LATIN << (_SCRIPT_SHIFT - _CLASS_SHIFT)  # all but the fold of a small Latin letter's entry
_SPACE_ENTRY: Final = characters.TABLE[ord(" ")]
_STOP: Final = 1 + list(characters.SYMBOLS).index("stop")
_EXCLAMATION: Final = 1 + list(characters.SYMBOLS).index("exclamation")
_COMMA: Final = 1 + list(characters.SYMBOLS).index("comma")
_N_CHARS: Final = features.CHAR_NGRAM_LENGTH  # c1 … c5 in _score
_N_SCRIPTS: Final = len(characters.SCRIPTS)
_N_KINDS: Final = 8
_BY_SYMBOL: Final = _N_KINDS * _N_SCRIPTS  # where the tally goes on by symbol, after that by class and script
_N_END_KINDS: Final = features.N_END_KINDS
_PIECE: Final = 512  # characters of a paragraph that are read before their n-grams are looked up

# Odd 64-bit constants, far apart, so that an n-gram of one channel never meets another's.
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_FINISH: Final = np.uint64(0xD6E8FEB86659FD93)
_PAIR: Final = np.uint64(0xA0761D6478BD642F)
_WORD_SEED: Final = np.uint64(0x8EBC6AF09C88C6E3)
_CHAR_SEED: Final = np.uint64(0x589965CC75374CC3)
_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_2: Final = np.uint64(2)
_29: Final = np.uint64(29)
_32: Final = np.uint64(32)
_BLANK: Final = np.uint32(ord(" "))
_LINE_FEED: Final = np.uint32(ord("\n"))
# What an n-gram's sublinear count, and its square, grow by when it is seen once more.
_SUBLINEAR: Final = np.concatenate([[0.0], 1.0 + np.log(np.arange(1, 65))])
_GAINS: Final = np.diff(_SUBLINEAR)
_GAINS_OF_SQUARE: Final = np.diff(_SUBLINEAR**2)
# The hash state of as many blanks as a character n-gram is long, and the factor of the state's oldest character.
_OLDEST: Final = np.uint64(pow(int(_MULTIPLIER), _N_CHARS, 1 << 64))
_BLANKS: Final = np.uint64(
    sum(ord(" ") * pow(int(_MULTIPLIER), i, 1 << 64) for i in range(1, _N_CHARS + 1)) % (1 << 64)
)
_N_INNER: Final = np.uint64(_N_CHARS - 2)

# An entry of the n-gram table: upper bits of the key, and the n-gram's place among the records. A free slot is 0.
_PLACE_BITS: Final = 24
_PLACE: Final = np.uint64((1 << _PLACE_BITS) - 1)
_TAG: Final = ~_PLACE

# Threshold tables of the shape groups, laid end to end.
_THRESHOLDS: Final = np.array([t for group in features.SHAPE_THRESHOLDS.values() for t in group], np.int64)
_N_THRESHOLDS: Final = np.array([len(group) for group in features.SHAPE_THRESHOLDS.values()], np.int64)
_COARSE: Final = np.array(features.COARSE_LENGTHS, np.int64)
N_GROUPS: Final = len(features.SHAPE_THRESHOLDS)

_pivoted = inner(features.pivoted)


@inner
def add_code(state, code):
    """A hash state with one more code point in it; :func:`finish_key` spreads it over all bits."""
    return (state + np.uint64(code)) * _MULTIPLIER


@inner
def finish_key(state):
    state = (state ^ (state >> _32)) * _FINISH
    return state ^ (state >> _29)


@inner
def _pair_state(left, right):
    return (left * _PAIR) ^ right


@inner
def _pair(left, right):
    return finish_key(_pair_state(left, right))


@intrinsic
def _prefetch(context, array, row):
    """Asks for the memory of an array's row before it is needed: an n-gram's place in memory is as good as random."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0])
        start = builder.bitcast(data.data, cgutils.voidptr_t)
        stride = cgutils.unpack_tuple(builder, data.strides)[0]
        address = builder.gep(start, [builder.mul(stride, arguments[1])])
        integer = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, integer, integer, integer])
        call = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        to_read, soon_again, data_cache = integer(0), integer(3), integer(1)
        builder.call(call, [address, to_read, soon_again, data_cache])
        return context.get_dummy_value()

    return types.void(array, row), generate


@inner
def _note(key, keys, n, table, mask):
    """Notes an n-gram that is to be looked up."""
    keys[n] = key
    _prefetch(table, key & mask)


@inner
def _look_up(keys, n, table, records, known):
    """Writes the places of those of ``n`` n-grams that the model knows into ``known``; returns how many it knows."""
    mask = np.uint64(len(table) - 1)
    n_known = _0
    for i in range(n):
        key = keys[i]
        slot = key & mask
        entry = table[slot]
        while entry != _0 and (entry ^ key) & _TAG != _0:
            slot = (slot + _1) & mask
            entry = table[slot]
        place = entry & _PLACE
        _prefetch(records, place)
        known[n_known] = np.uint32(place)
        n_known += np.uint64(entry != _0)
    return n_known


@inner
def _add(known, n_known, records, counts, gains, touched, n_touched, sums):
    """Adds n-grams, by their places, to a channel's sums: the squared norm, then each label's score. Returns how many
    n-grams the paragraph has touched.

    What an n-gram adds when it is seen once more is how far its sublinear count grows.
    """
    squares = 0.0
    for i in range(n_known):
        place = np.uint64(known[i])
        seen = np.uint64(counts[place])
        counts[place] = np.uint32(seen + _1)
        touched[n_touched] = np.uint32(place)
        n_touched += np.uint64(seen == _0)
        if seen < len(_GAINS):
            gain = _GAINS[seen]
            gain_of_square = _GAINS_OF_SQUARE[seen]
        else:
            before = 1.0 + math.log(seen)
            now = 1.0 + math.log(seen + _1)
            gain = now - before
            gain_of_square = now * now - before * before
        gains[i] = gain
        idf = np.float64(records[place, 0])
        squares += gain_of_square * idf * idf
    sums[0] += squares
    for k in range(1, len(sums), 4):
        a = b = c = d = 0.0
        for i in range(n_known):
            place = np.uint64(known[i])
            gain = gains[i]
            a += gain * records[place, k]
            b += gain * records[place, k + 1]
            c += gain * records[place, k + 2]
            d += gain * records[place, k + 3]
        sums[k] += a
        sums[k + 1] += b
        sums[k + 2] += c
        sums[k + 3] += d
    return n_touched


@inner
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


@inner
def _shape(codes, start, end, classes, tally, words, capitalised, bins, row):
    """Writes the index of each shape group's bin that the paragraph is in into the row of ``bins``."""
    letters = np.int64(0)
    capitals = np.int64(0)
    digits = np.int64(0)
    symbols = np.int64(0)
    ideographs = np.int64(0)
    most = np.int64(0)
    script = np.int64(0)
    for i in range(_N_SCRIPTS):
        of_kind = i * _N_KINDS
        ideographs += tally[of_kind + _IDEOGRAPH]
        capitals += tally[of_kind + _UPPER]
        digits += tally[of_kind + _DIGIT]
        symbols += tally[of_kind + _SYMBOL]
        of_script = tally[of_kind + _LOWER] + tally[of_kind + _UPPER] + tally[of_kind + _IDEOGRAPH]
        letters += of_script
        if of_script > most:
            most = of_script
            script = i
    first = np.int64(0)
    last = np.int64(0)
    for i in range(start, end):
        first = _end_kind(classes[codes[i]])
        if first > 0:
            break
    for i in range(end - 1, start - 1, -1):
        last = _end_kind(classes[codes[i]])
        if last > 0:
            break
    length = end - start
    coarse = np.int64(0)
    while coarse < len(_COARSE) and length >= _COARSE[coarse]:
        coarse += 1
    values = (
        length,
        words + symbols + ideographs,
        100 * capitals // max(letters, 1),
        100 * capitalised // max(words, 1),
        (100 * digits + length - 1) // max(length, 1),
        (100 * symbols + length - 1) // max(length, 1),
        tally[_BY_SYMBOL + _STOP] + tally[_BY_SYMBOL + _EXCLAMATION],
        tally[_BY_SYMBOL + _COMMA],
        script,
        first,
        last,
        coarse * _N_END_KINDS + last,
    )
    group_start = 0
    threshold = 0
    for group in range(N_GROUPS):
        n = _N_THRESHOLDS[group]
        i = 0
        while i < n and values[group] >= _THRESHOLDS[threshold + i]:
            i += 1
        bins[row, group] = group_start + i
        group_start += n + 1
        threshold += n


class _Scratch(NamedTuple):
    """Memory of :func:`_score`: made for it, since code that makes arrays takes long to compile."""

    keys: NDArray[np.uint64]  # of a piece's n-grams, words and characters
    known: NDArray[np.uint32]  # places of those that the model knows
    n_keys: NDArray[np.uint64]
    gains: NDArray[np.float64]
    counts: NDArray[np.uint32]  # of each n-gram in the paragraph, zero in between
    touched: NDArray[np.uint32]
    tally: NDArray[np.int64]  # of characters, by class and script, and by symbol
    sums: NDArray[np.float64]

    @classmethod
    def of(cls, records: NDArray[np.float32], n_sums: int) -> Self:
        n_keys = 2 * _PIECE + 3
        return cls(
            keys=np.empty((2, n_keys), np.uint64),
            known=np.empty((2, n_keys), np.uint32),
            n_keys=np.empty(2, np.uint64),
            gains=np.empty(n_keys),
            counts=np.zeros(len(records), np.uint32),
            touched=np.empty(1 + len(records), np.uint32),
            tally=np.empty(_BY_SYMBOL + 16, np.int64),
            sums=np.empty((2, n_sums)),
        )


@compiled
def _score(codes, ends, classes, table, records, shape_weights, scratch, bins, scores):
    keys, known, n_keys, gains, counts, touched, tally, sums = scratch
    word_keys, char_keys = keys[0], keys[1]
    mask = np.uint64(len(table) - 1)
    nothing = finish_key(_WORD_SEED)  # the empty token, before the first and after the last
    start = np.int64(0)
    for row in range(len(ends)):
        end = ends[row]
        tally[:] = 0
        sums[:] = 0.0
        plain = np.int64(0)  # small Latin letters, which most characters are
        words = np.int64(0)
        capitalised = np.int64(0)
        in_word = False
        word = _WORD_SEED
        left = nothing
        run = _0  # characters since the last white space
        chars = _BLANKS  # hash state of the last characters, as many as an n-gram has
        c1 = c2 = c3 = c4 = c5 = np.uint64(_BLANK)  # these characters, the last first
        n_touched = _0
        for piece in range(start, end + 1, _PIECE):
            n_words = _0
            n_chars = _0
            stop = min(piece + _PIECE, end + 1)
            for i in range(piece, stop):
                entry = classes[codes[i]] if i < end else _SPACE_ENTRY
                traits = entry >> _CLASS_SHIFT
                kind = traits & _MASK3
                fold = np.uint64(entry & _FOLD_MASK)
                if traits == _PLAIN:
                    plain += 1
                    in_word = True
                    word = add_code(word, fold)
                else:
                    tally[np.uint64(kind | ((entry >> _SCRIPT_SHIFT) & _MASK3) << _THREE)] += 1
                    tally[_BY_SYMBOL + np.uint64((entry >> _SYMBOL_SHIFT) & _MASK4)] += 1
                    if kind >= _LOWER and kind <= _JOINER:
                        capitalised += kind == _UPPER and not in_word
                        in_word = True
                        word = add_code(word, fold)
                    else:
                        if in_word:
                            words += 1
                            right = finish_key(word)
                            _note(right, word_keys, n_words, table, mask)
                            _note(_pair(left, right), word_keys, n_words + _1, table, mask)
                            n_words += _2
                            left = right
                            in_word = False
                            word = _WORD_SEED
                        if kind == _SPACE:
                            fold = np.uint64(_BLANK)
                        else:
                            right = finish_key(add_code(_WORD_SEED, fold))
                            _note(right, word_keys, n_words, table, mask)
                            _note(_pair(left, right), word_keys, n_words + _1, table, mask)
                            n_words += _2
                            left = right
                chars = add_code(chars - c5 * _OLDEST, fold)
                c5, c4, c3, c2, c1 = c4, c3, c2, c1, fold
                _note(finish_key(chars ^ _CHAR_SEED), char_keys, n_chars, table, mask)
                n_chars += np.uint64(run >= _N_INNER)  # all but the first and the last, which may be spaces
                run = _0 if kind == _SPACE else run + _1
            if stop > end:
                _note(_pair(left, nothing), word_keys, n_words, table, mask)
                n_words += _1
            n_keys[0] = n_words
            n_keys[1] = n_chars
            for channel in range(2):
                n_keys[channel] = _look_up(keys[channel], n_keys[channel], table, records, known[channel])
            for channel in range(2):
                n_touched = _add(
                    known[channel], n_keys[channel], records, counts, gains, touched, n_touched, sums[channel]
                )
        for i in range(n_touched):
            counts[np.uint64(touched[i])] = np.uint32(0)
        tally[_LOWER | _LATIN << _THREE] += plain
        _shape(codes, start, end, classes, tally, words, capitalised, bins, row)
        for k in range(scores.shape[1]):
            score = np.float64(shape_weights[0, k])
            for group in range(N_GROUPS):
                score += shape_weights[1 + bins[row, group], k]
            for channel in range(2):
                score += sums[channel, 1 + k] / _pivoted(math.sqrt(sums[channel, 0]))
            scores[row, k] = score
        start = end


def join(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """All code points of the texts in a row, and where each text ends."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    return characters.code_points("".join(texts)), ends


def lengths_of(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lengths of texts in a row, given where each ends."""
    lengths = ends.copy()  # np.diff with a first value takes ten times as long, which tells for a single page
    lengths[1:] -= ends[:-1]
    return lengths


@dataclass(frozen=True)
class Weights:
    """A fitted paragraph model as plain arrays, for ``n`` n-grams and ``k`` labels."""

    ngrams: tuple[str, ...]
    n_words: int  # the first n_words n-grams are of the word channel, the others of the char channel
    idf: NDArray[np.float32]  # (n,)
    weights: NDArray[np.float32]  # (n, k)
    shape: NDArray[np.float32]  # (len(features.SHAPE_NAMES), k)
    intercept: NDArray[np.float32]  # (k,)


def _keys(weights: Weights) -> NDArray[np.uint64]:
    """The hash of each n-gram: what :func:`_score` comes to character by character, here for all n-grams at once."""
    codes = characters.code_points("\n".join([*weights.ngrams, ""]))
    at = np.arange(len(codes))
    is_end = codes == _LINE_FEED
    ends = np.flatnonzero(is_end)
    first_char = ends[weights.n_words - 1] + 1 if weights.n_words else 0
    # A part is a word of a word n-gram, which a blank may end, or a character n-gram, in which blanks are characters.
    part_ends = np.flatnonzero(is_end | ((codes == _BLANK) & (at < first_char)))
    lengths = np.diff(part_ends, prepend=-1) - 1
    powers = np.full(lengths.max(initial=0) + 1, _MULTIPLIER)
    powers[0] = _1
    powers = np.cumprod(powers)
    sums = np.append(_0, np.cumsum(codes * powers[np.repeat(part_ends, lengths + 1) - at]))
    states = sums[part_ends] - sums[part_ends - lengths]
    is_word = part_ends < first_char
    states += np.where(is_word, _WORD_SEED * powers[lengths], _0)
    finish = finish_key.py_func
    keys = finish(np.where(is_word, states, states ^ _CHAR_SEED))
    last = np.flatnonzero(is_end[part_ends])  # part of each n-gram
    is_pair = np.diff(last, prepend=-1) > 1
    pairs: NDArray[np.uint64] = finish(_pair_state.py_func(keys[last - 1], keys[last]))
    return np.where(is_pair, pairs, keys[last])


def _table(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], int | None]:
    """The open-addressing table of the keys, whose places begin at 1, and the first key found to meet another."""
    table = np.zeros(1 << max(4, (4 * len(keys)).bit_length()), np.uint64)
    entries = (keys & _TAG) | np.arange(1, 1 + len(keys), dtype=np.uint64)
    slots = keys & np.uint64(len(table) - 1)
    left = np.arange(len(keys))  # to be put into the table, all one slot further in each round
    while len(left):
        free = left[table[slots[left]] == _0]
        table[slots[free[::-1]]] = entries[free[::-1]]  # of several the first gets the slot, which is written last
        there = table[slots[left]]
        met = (there != entries[left]) & ((there ^ entries[left]) & _TAG == _0)
        if met.any():
            return table, int(left[met][0])
        left = left[there != entries[left]]
        slots[left] = (slots[left] + _1) & np.uint64(len(table) - 1)
    return table, None


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
        # The commonest n-grams come first, so that they stand close together in the processor's caches.
        order = np.argsort(weights.idf, kind="stable")
        self._table, met = _table(_keys(weights)[order])
        if met is not None:
            ngram = weights.ngrams[order[met]]
            raise ValueError(f"the n-gram {ngram!r} stands in the model twice or meets another's hash")
        # An n-gram's idf, then its weights with the idf in them; labels in fours, for the loop that adds them up, and a
        # power of two in all, so that a record shares cache lines with few others. Places begin at 1. The intercept
        # stands above the shape weights.
        self._n_labels = len(weights.intercept)
        width = -(-self._n_labels // 4) * 4
        self._records = np.zeros((1 + n, 1 << width.bit_length()), np.float32)
        self._records[1:, 0] = weights.idf[order]
        self._records[1:, 1 : 1 + self._n_labels] = (weights.weights * weights.idf[:, None])[order]
        self._shape = np.zeros((1 + len(weights.shape), width), np.float32)
        self._shape[:, : self._n_labels] = np.vstack([weights.intercept, weights.shape])
        self._of_thread = local()

    def score(self, codes: NDArray[np.uint32], ends: NDArray[np.int64]) -> NDArray[np.float64]:
        """The logits of paragraphs given by :func:`join`: an array of shape (n_paragraphs, n_labels)."""
        return self._run(codes, ends)[0]

    def shape_bins(self, codes: NDArray[np.uint32], ends: NDArray[np.int64]) -> NDArray[np.int32]:
        """The shapes of paragraphs given by :func:`join`: indices of shape (n_paragraphs, N_GROUPS)."""
        return self._run(codes, ends)[1]

    def _run(self, codes: NDArray[np.uint32], ends: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        width = self._shape.shape[1]
        if not hasattr(self._of_thread, "scratch"):
            self._of_thread.scratch = _Scratch.of(self._records, 1 + width)
        scores = np.empty((len(ends), width))
        bins = np.empty((len(ends), N_GROUPS), np.int32)
        _score(
            codes,
            ends,
            characters.TABLE,
            self._table,
            self._records,
            self._shape,
            self._of_thread.scratch,
            bins,
            scores,
        )
        return scores[:, : self._n_labels], bins


@cache
def _without_ngrams() -> Kernel:
    nothing = np.empty(0, np.float32)
    shape = np.zeros((len(features.SHAPE_NAMES), 0), np.float32)
    return Kernel(Weights((), 0, nothing, np.empty((0, 0), np.float32), shape, nothing))


def shape_bins(texts: Sequence[str]) -> NDArray[np.int32]:
    """The shape of each text: an array of shape (n_texts, N_GROUPS) of indices into ``features.SHAPE_NAMES``."""
    return _without_ngrams().shape_bins(*join(texts))
