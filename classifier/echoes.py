"""How far a paragraph's words return elsewhere in its document, and whether it stands there twice.

Subheads and captions share their rarer words with the body; the titles of other stories mostly do not.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifier import characters
from classifier.compiling import compiled, inner
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


@inner
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


@compiled
def _echoes(codes, ends, starts, classes, words, word_ends, texts, keys, holders, out):
    # words: of a document's paragraphs, by their keys; then by their slots. texts: likewise, of the batch's paragraphs.
    start = np.int64(0)
    for d in range(len(starts) - 1):
        first, last = starts[d], starts[d + 1]
        begin = start
        n = np.int64(0)
        for row in range(first, last):
            text = _TEXT
            word = _WORD
            letters = 0
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
                    words[n] = finish_key(add_code(ideograph, fold) if pair else word)
                    n += 1
                word = _WORD
                letters = 0
                ideograph = add_code(_WORD, fold) if kind == _IDEOGRAPH else _WORD
            word_ends[row] = n
            texts[row] = finish_key(text)
            start = ends[row]
        size = 16
        while size < 2 * (n + last - first):
            size *= 2
        table = keys[:size]
        table[:] = _0
        read = np.int64(0)
        n = np.int64(0)
        end = begin
        for row in range(first, last):
            is_long = ends[row] - end > _LONG
            end = ends[row]
            for i in range(read, word_ends[row] + 1):
                is_text = i == word_ends[row]
                slot = _hold(texts[row] if is_text else words[i], row, is_long, table, holders)
                if is_text:
                    texts[row] = np.uint64(slot)
                elif slot >= 0:
                    words[n] = np.uint64(slot)
                    n += 1
            read = word_ends[row]
            word_ends[row] = n
            out[row, 5] = holders[texts[row], 0] > 1
        n = np.int64(0)
        end = begin
        for row in range(first, last):
            is_long = ends[row] - end > _LONG
            end = ends[row]
            n_words = word_ends[row] - n
            elsewhere = 0
            in_long = 0
            for i in range(n, word_ends[row]):
                elsewhere += holders[words[i], 0] > 1
                in_long += holders[words[i], 1] > is_long
            n = word_ends[row]
            out[row, 0] = n_words == 0
            out[row, 1] = elsewhere / max(n_words, 1)
            out[row, 2] = in_long / max(n_words, 1)
            out[row, 3] = 0.0 if is_long else out[row, 2]
            out[row, 4] = holders[texts[row], 0] > 1


def echoes(codes: NDArray[np.uint32], ends: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The features named in ``ECHOES`` of every paragraph: an array of shape (n_paragraphs, len(ECHOES)).

    ``codes`` are the paragraphs' code points in a row, ``ends`` says where each ends, and document ``d`` is paragraphs
    ``starts[d]`` to ``starts[d + 1]``.
    """
    out = np.empty((len(ends), len(ECHOES)))
    # Memory for the longest document: code that makes arrays takes long to compile. No word is of one character.
    most_words = int(np.diff(np.append(0, ends)[starts]).max(initial=0))
    n_slots = 1 << (2 * (most_words + int(np.diff(starts).max(initial=0))) + 16).bit_length()
    _echoes(
        codes,
        ends,
        starts,
        characters.TABLE,
        np.empty(most_words, np.uint64),
        np.empty(len(ends), np.int64),
        np.empty(len(ends), np.uint64),
        np.empty(n_slots, np.uint64),
        np.empty((n_slots, 3), np.int32),
        out,
    )
    return out
