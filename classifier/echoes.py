"""How far a paragraph's words return elsewhere in its document, and whether it stands there twice.

Subheads and captions share their rarer words with the body; the titles of other stories mostly do not.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from classifier import characters
from classifier.kernel import add_code, finish_key

ECHOES: Final = (
    "has no long words",
    "words seen elsewhere",
    "words seen in long paragraphs",
    "words seen in long paragraphs, itself short",
    "repeats in document",
    "stood before",
)
_LONG: Final = 100  # characters that make a paragraph long
_MIN_LETTERS: Final = 4  # of a word that counts; of scripts without spaces, pairs of characters count
_SEED: Final = np.uint64(1)
_SPACE: Final = np.uint32(characters.SPACE)
_LOWER: Final = np.uint32(characters.LOWER)
_JOINER: Final = np.uint32(characters.JOINER)
_IDEOGRAPH: Final = np.uint32(characters.IDEOGRAPH)
_CLASS_SHIFT: Final = np.uint32(characters.CLASS_SHIFT)
_FOLD_MASK: Final = np.uint32(characters.FOLD_MASK)


@njit
def _tokens(codes, start, end, table, tokens):
    """Writes the hashes of the paragraph's long words and ideograph pairs to ``tokens``; returns how many there are."""
    n = 0
    word = _SEED
    letters = 0
    ideograph = _SEED  # the state after the ideograph just before, if there is one
    for i in range(start, end + 1):
        entry = table[codes[i]] if i < end else _SPACE
        kind = (entry >> _CLASS_SHIFT) & np.uint32(7)
        if _LOWER <= kind <= _JOINER:
            word = add_code(word, entry & _FOLD_MASK)
            letters += 1
            ideograph = _SEED
            continue
        if letters >= _MIN_LETTERS:
            tokens[n] = finish_key(word)
            n += 1
        word = _SEED
        letters = 0
        if kind == _IDEOGRAPH:
            if ideograph != _SEED:
                tokens[n] = finish_key(add_code(ideograph, entry & _FOLD_MASK))
                n += 1
            ideograph = add_code(_SEED, entry & _FOLD_MASK)
        else:
            ideograph = _SEED
    return n


@njit
def _slot(key, keys):
    """Where the key stands in the table, or where it belongs."""
    mask = len(keys) - 1
    slot = np.int64(key >> np.uint64(40)) & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _write(codes, ends, starts, table, out):
    for d in range(len(starts) - 1):
        s, e = starts[d], starts[d + 1]
        first = ends[s - 1] if s else 0
        room = ends[e - 1] - first if e > s else 0
        tokens = np.empty(room + 1, np.uint64)
        until = np.empty(e - s, np.int64)
        n = 0
        size = 16
        start = first
        for i in range(s, e):
            n += _tokens(codes, start, ends[i], table, tokens[n:])
            until[i - s] = n
            start = ends[i]
        while size < 2 * (n + e - s):
            size *= 2
        keys = np.zeros(size, np.uint64)
        seen = np.zeros(size, np.int32)  # paragraphs that hold the token
        seen_long = np.zeros(size, np.int32)
        last = np.full(size, -1, np.int32)
        texts = np.zeros(size, np.uint64)
        times = np.zeros(size, np.int32)
        hashes = np.empty(e - s, np.uint64)
        start = first
        j = 0
        for i in range(s, e):
            is_long = ends[i] - start > _LONG
            state = np.uint64(7)
            for c in range(start, ends[i]):
                state = add_code(state, codes[c])
            hashes[i - s] = finish_key(state)
            slot = _slot(hashes[i - s], texts)
            out[i, 5] = times[slot] > 0
            texts[slot] = hashes[i - s]
            times[slot] += 1
            start = ends[i]
            while j < until[i - s]:
                slot = _slot(tokens[j], keys)
                keys[slot] = tokens[j]
                if last[slot] != i:
                    last[slot] = i
                    seen[slot] += 1
                    seen_long[slot] += is_long
                j += 1
        last[:] = -1
        start = first
        j = 0
        for i in range(s, e):
            is_long = ends[i] - start > _LONG
            start = ends[i]
            total = 0
            elsewhere = 0
            in_long = 0
            while j < until[i - s]:
                slot = _slot(tokens[j], keys)
                if last[slot] != i:
                    last[slot] = i
                    total += 1
                    elsewhere += seen[slot] > 1
                    in_long += seen_long[slot] > is_long
                j += 1
            out[i, 0] = total == 0
            out[i, 1] = elsewhere / max(total, 1)
            out[i, 2] = in_long / max(total, 1)
            out[i, 3] = 0.0 if is_long else out[i, 2]
            out[i, 4] = times[_slot(hashes[i - s], texts)] > 1
    return out


def echoes(codes: NDArray[np.uint32], ends: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The features named in ``ECHOES`` of every paragraph: an array of shape (n_paragraphs, len(ECHOES)).

    ``codes`` are the paragraphs' code points in a row, ``ends`` says where each ends, and document ``d`` is paragraphs
    ``starts[d]`` to ``starts[d + 1]``.
    """
    out = np.empty((len(ends), len(ECHOES)))
    _write(codes, ends, starts, characters.TABLE, out)
    return out
