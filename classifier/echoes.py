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
_BLANK: Final = np.uint32(ord(" "))
_LOWER: Final = np.uint32(characters.LOWER)
_JOINER: Final = np.uint32(characters.JOINER)
_IDEOGRAPH: Final = np.uint32(characters.IDEOGRAPH)
_CLASS_SHIFT: Final = np.uint32(characters.CLASS_SHIFT)
_FOLD_MASK: Final = np.uint32(characters.FOLD_MASK)


@njit(cache=True, nogil=True)
def _hash(codes, ends, starts, table, tokens, owners, texts):
    """Writes the hash of each paragraph's text to ``texts``, and those of its long words and ideograph pairs to
    ``tokens``, with the paragraph's number in ``owners``; returns how many tokens there are.

    The hashes begin with the document's number, so that nothing is alike in two documents.
    """
    n = np.int64(0)
    start = np.int64(0)
    for d in range(len(starts) - 1):
        seed = add_code(_SEED, d)
        for row in range(starts[d], starts[d + 1]):
            text = seed
            word = seed
            letters = 0
            ideograph = seed  # the state after the ideograph just before, if there is one
            for i in range(start, ends[row] + 1):
                code = codes[i] if i < ends[row] else _BLANK
                text = add_code(text, code)
                entry = table[code]
                kind = (entry >> _CLASS_SHIFT) & np.uint32(7)
                if kind >= _LOWER and kind <= _JOINER:
                    word = add_code(word, entry & _FOLD_MASK)
                    letters += 1
                    ideograph = seed
                    continue
                if letters >= _MIN_LETTERS:
                    tokens[n] = finish_key(word)
                    owners[n] = row
                    n += 1
                word = seed
                letters = 0
                if kind == _IDEOGRAPH:
                    if ideograph != seed:
                        tokens[n] = finish_key(add_code(ideograph, entry & _FOLD_MASK))
                        owners[n] = row
                        n += 1
                    ideograph = add_code(seed, entry & _FOLD_MASK)
                else:
                    ideograph = seed
            texts[row] = finish_key(text)
            start = ends[row]
    return n


def _groups(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Numbers the runs of equal keys in a sorted array."""
    return np.cumsum(np.concatenate([[False], keys[1:] != keys[:-1]])[: len(keys)])


def echoes(codes: NDArray[np.uint32], ends: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The features named in ``ECHOES`` of every paragraph: an array of shape (n_paragraphs, len(ECHOES)).

    ``codes`` are the paragraphs' code points in a row, ``ends`` says where each ends, and document ``d`` is paragraphs
    ``starts[d]`` to ``starts[d + 1]``.
    """
    n = len(ends)
    tokens = np.empty(len(codes), np.uint64)
    owners = np.empty(len(codes), np.int64)
    texts = np.empty(n, np.uint64)
    n_tokens = _hash(codes, ends, starts, characters.TABLE, tokens, owners, texts)

    order = np.argsort(tokens[:n_tokens], kind="stable")  # the same token's paragraphs stay in order
    tokens, owners = tokens[order], owners[order]
    again = np.zeros(n_tokens, bool)
    again[1:] = (tokens[1:] == tokens[:-1]) & (owners[1:] == owners[:-1])
    tokens, owners = tokens[~again], owners[~again]
    token = _groups(tokens)
    is_long = np.diff(ends, prepend=0) > _LONG
    n_holders = np.bincount(token)[token]
    n_long_holders = np.bincount(token, is_long[owners])[token]

    def share(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(owners, chosen, n) / np.maximum(n_words, 1)

    n_words = np.bincount(owners, minlength=n)
    in_long = share(n_long_holders > is_long[owners])

    order = np.argsort(texts, kind="stable")
    text = _groups(texts[order])
    repeats = np.empty(n, bool)
    repeats[order] = np.bincount(text)[text] > 1
    stood_before = np.zeros(n, bool)
    stood_before[order[1:]] = text[1:] == text[:-1]

    elsewhere = share(n_holders > 1)
    return np.column_stack(
        [n_words == 0, elsewhere, in_long, np.where(is_long, 0.0, in_long), repeats, stood_before]
    ).astype(np.float64)
