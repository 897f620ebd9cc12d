"""The table that says of every code point what it is and what it folds to.

One entry of ``TABLE`` a code point, a uint32 of four fields:

====== ========= ==========================================================================================
bits   field     holds
====== ========= ==========================================================================================
0–20   fold      the code point it folds to: a capital its small letter where that is one code point, a
                 decimal digit ``0``, anything else itself
21–23  class     ``SPACE`` … ``IDEOGRAPH`` below
24–27  symbol    1 + its place in ``SYMBOLS`` for the symbols named there, else 0
28–30  script    place in ``SCRIPTS`` for letters, else 0
====== ========= ==========================================================================================

The table is shipped, not computed at start, so that a model scores the same under every Python and its version of
Unicode; ``python -m classifier.characters`` makes it anew.
"""

import sys
import unicodedata
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

SPACE: Final = 0
SYMBOL: Final = 1
LOWER: Final = 2  # every letter that is no capital, of scripts without case too
UPPER: Final = 3
DIGIT: Final = 4
JOINER: Final = 5  # marks and underscores: part of a word, not letters
IDEOGRAPH: Final = 6  # scripts that put no space between words: each character stands as a word

SYMBOLS: Final = {
    "stop": ".。．",
    "exclamation": "!?！？؟¿¡",
    "ellipsis": "…‥",
    "colon": ":：",
    "comma": ",;，、；،",
    "quote": "\"'“”‘’«»„‚「」『』",
    "bracket": "()[]{}（）【】〔〕",
    "dash": "-–—―−",
    "arrow": ">›→▶►⟩←‹<",
    "at": "@#",
    "bullet": "•·*|/+✓✔★☆",
    "money": "$€£¥₽₹₩",
    "percent": "%％",
}
SCRIPTS: Final = ("other", "LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "HANGUL", "unspaced")

CLASS_SHIFT: Final = 21
SYMBOL_SHIFT: Final = 24
SCRIPT_SHIFT: Final = 28
FOLD_MASK: Final = (1 << CLASS_SHIFT) - 1
SIZE: Final = 0x110000

# Thai and Lao, Myanmar, Khmer, kana, Han and its extensions.
_UNSPACED: Final = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_FILE: Final = Path(__file__).with_name("characters.z")


def _entry(code: int) -> int:
    char = chr(code)
    category = unicodedata.category(char)
    fold = code
    script = 0
    if category[0] == "Z" or category == "Cc":
        kind = SPACE
    elif category == "Nd":
        kind, fold = DIGIT, ord("0")
    elif category[0] in "LMN" and any(low <= code <= high for low, high in _UNSPACED):
        kind, script = IDEOGRAPH, SCRIPTS.index("unspaced")
    elif category[0] == "N":
        kind = DIGIT
    elif category[0] == "M" or category == "Pc":
        kind = JOINER
    elif category[0] == "L":
        kind = UPPER if category in ("Lu", "Lt") else LOWER
        small = char.lower()
        fold = ord(small) if len(small) == 1 else code
        name = unicodedata.name(char, "").split(" ")[0]
        script = SCRIPTS.index(name) if name in SCRIPTS else 0
    else:
        kind = SYMBOL
    symbol = next((i for i, chars in enumerate(SYMBOLS.values(), 1) if char in chars), 0)
    return fold | kind << CLASS_SHIFT | symbol << SYMBOL_SHIFT | script << SCRIPT_SHIFT


def _build() -> NDArray[np.uint32]:
    return np.array([_entry(code) for code in range(SIZE)], np.uint32)


# Stored as differences from the code point itself, which compress to a few kilobytes.
def _read() -> NDArray[np.uint32]:
    packed = np.frombuffer(zlib.decompress(_FILE.read_bytes()), "<u4")
    table: NDArray[np.uint32] = np.bitwise_xor(packed, np.arange(SIZE, dtype=np.uint32))
    return table


def _write() -> None:
    packed = np.bitwise_xor(_build(), np.arange(SIZE, dtype=np.uint32)).astype("<u4")
    _FILE.write_bytes(zlib.compress(packed.tobytes(), 9))
    print(f"{_FILE.name}: Unicode {unicodedata.unidata_version}, {_FILE.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":  # pragma: no cover
    _write()
else:
    TABLE: Final = _read()


def code_points(text: str) -> NDArray[np.uint32]:
    """The text's code points, lone surrogates included."""
    return np.array([text], f"U{len(text)}").view(np.uint32)[: len(text)]  # NumPy has no type for the empty text
