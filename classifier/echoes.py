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
_MIN_LETTERS: Final = 4  # of a word that counts; in scripts without spaces, pairs of characters count
_WORD: Final = np.uint64(1)
_TEXT: Final = np.uint64(0xE7037ED1A0B428DB)  # far from the other seed, so that no text meets a word
_0: Final = np.uint64(0)
_1: Final = np.uint64(1)
_BLANK: Final = np.uint32(ord(" "))
_LOWER: Final = np.uint32(characters.LOWER)
_JOINER: Final = np.uint32(characters.JOINER)
_IDEOGRAPH: Final = np.uint32(characters.IDEOGRAPH)
_CLASS_SHIFT: Final = np.uint32(characters.CLASS_SHIFT)
_FOLD_MASK: Final = np.uint32(characters.FOLD_MASK)


@njit
def _hold(key, row, is_long, keys, holders):
    """Counts a paragraph among the holders of a word, or of a text, in the open-addressing table ``keys``: all of them,
    the long ones, and which came last. Returns the word's slot, or −1 where the paragraph was counted already.
    """
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while keys[slot] != _0 and keys[slot] != key:
        slot = (slot + _1) & mask
    if keys[slot] == _0:
        keys[slot] = key
        holders[slot, 0] = 0
        holders[slot, 1] = 0
    elif holders[slot, 2] == row:
        return np.int64(-1)
    holders[slot, 0] += 1
    holders[slot, 1] += is_long
    holders[slot, 2] = row
    return np.int64(slot)


@njit(cache=True, nogil=True)
def _echoes(codes, ends, starts, classes, out):
    most = np.int64(0)  # words and texts in a document
    start = np.int64(0)
    for d in range(len(starts) - 1):
        end = ends[starts[d + 1] - 1] if starts[d + 1] > 0 else start
        most = max(most, end - start + starts[d + 1] - starts[d])
        start = end
    all_keys = np.empty(_table_size(most), np.uint64)
    holders = np.empty((len(all_keys), 3), np.int32)
    words = np.empty(most, np.uint64)  # a paragraph's words, by their keys, and the paragraph's text
    slots = np.empty(most, np.int64)  # of the words of all the document's paragraphs
    word_ends = np.empty(len(ends), np.int64)
    texts = np.empty(len(ends), np.int64)
    start = np.int64(0)
    for d in range(len(starts) - 1):
        first, last = starts[d], starts[d + 1]
        if first == last:
            continue
        keys = all_keys[: _table_size(ends[last - 1] - start + last - first)]
        keys[:] = _0
        n = np.int64(0)
        for row in range(first, last):
            is_long = ends[row] - start > _LONG
            text = _TEXT
            word = _WORD
            letters = 0
            n_words = 0
            ideograph = _WORD  # the state after the ideograph just before, if there is one
            for i in range(start, ends[row] + 1):
                code = codes[i] if i < ends[row] else _BLANK
                text = add_code(text, code)
                entry = classes[code]
                kind = (entry >> _CLASS_SHIFT) & np.uint32(7)
                fold = entry & _FOLD_MASK
                if kind >= _LOWER and kind <= _JOINER:
                    word = add_code(word, fold)
                    letters += 1
                    ideograph = _WORD
                    continue
                pair = kind == _IDEOGRAPH and ideograph != _WORD
                if letters >= _MIN_LETTERS or pair:
                    words[n_words] = finish_key(add_code(ideograph, fold) if pair else word)
                    n_words += 1
                word = _WORD
                letters = 0
                ideograph = add_code(_WORD, fold) if kind == _IDEOGRAPH else _WORD
            words[n_words] = finish_key(text)
            for i in range(n_words + 1):
                slots[n] = _hold(words[i], row, is_long, keys, holders)
                n += slots[n] >= 0
            n -= 1  # the text's slot
            texts[row] = slots[n]
            word_ends[row] = n
            out[row, 5] = holders[texts[row], 0] > 1
            start = ends[row]
        n = np.int64(0)
        for row in range(first, last):
            is_long = ends[row] - (ends[row - 1] if row > 0 else 0) > _LONG
            n_words = word_ends[row] - n
            elsewhere = 0
            in_long = 0
            for i in range(n, word_ends[row]):
                elsewhere += holders[slots[i], 0] > 1
                in_long += holders[slots[i], 1] > is_long
            n = word_ends[row]
            out[row, 0] = n_words == 0
            out[row, 1] = elsewhere / max(n_words, 1)
            out[row, 2] = in_long / max(n_words, 1)
            out[row, 3] = 0.0 if is_long else out[row, 2]
            out[row, 4] = holders[texts[row], 0] > 1


@njit
def _table_size(n):
    size = 16
    while size < 2 * n:
        size *= 2
    return size


def echoes(codes: NDArray[np.uint32], ends: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The features named in ``ECHOES`` of every paragraph: an array of shape (n_paragraphs, len(ECHOES)).

    ``codes`` are the paragraphs' code points in a row, ``ends`` says where each ends, and document ``d`` is paragraphs
    ``starts[d]`` to ``starts[d + 1]``.
    """
    out = np.empty((len(ends), len(ECHOES)))
    _echoes(codes, ends, starts, characters.TABLE, out)
    return out
