import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier import characters
from classifier.characters import TABLE, code_points

CHARACTERS = st.characters(codec="utf-8") | st.characters(categories=["Cs"])


def kind(char: str) -> int:
    return int(TABLE[ord(char)]) >> characters.CLASS_SHIFT & 7


def fold(char: str) -> str:
    return chr(int(TABLE[ord(char)]) & characters.FOLD_MASK)


def symbol(char: str) -> str | None:
    place = int(TABLE[ord(char)]) >> characters.SYMBOL_SHIFT & 15
    return [None, *characters.SYMBOLS][place]


def script(char: str) -> str:
    return characters.SCRIPTS[int(TABLE[ord(char)]) >> characters.SCRIPT_SHIFT & 7]


def test_the_table_has_one_entry_a_code_point():
    assert TABLE.shape == (0x110000,)
    assert TABLE.dtype == np.uint32


# Code points that have had the same category since Unicode 3.2 (2002) are not going to change under a later Python.
def test_long_assigned_code_points_agree_with_unicodedata():
    old = unicodedata.ucd_3_2_0
    expected = {
        "Lu": characters.UPPER,
        "Lt": characters.UPPER,
        "Ll": characters.LOWER,
        "Lm": characters.LOWER,
        "Lo": characters.LOWER,
        "Nd": characters.DIGIT,
        "Nl": characters.DIGIT,
        "No": characters.DIGIT,
        "Mn": characters.JOINER,
        "Mc": characters.JOINER,
        "Me": characters.JOINER,
        "Pc": characters.JOINER,
        "Zs": characters.SPACE,
        "Zl": characters.SPACE,
        "Zp": characters.SPACE,
        "Cc": characters.SPACE,
    }
    seen = 0
    for code in range(0, 0x30000, 3):
        char = chr(code)
        category = unicodedata.category(char)
        if category == "Cn" or category != old.category(char):
            continue
        seen += 1
        if script(char) == "unspaced":
            assert kind(char) == characters.IDEOGRAPH, hex(code)
            assert category[0] in "LMN"
        else:
            assert kind(char) == expected.get(category, characters.SYMBOL), hex(code)
        small = char.lower()
        if category == "Nd":
            assert fold(char) == "0"
        elif category[0] == "L" and len(small) == 1 and small == old.normalize("NFC", small):
            assert fold(char) == small, hex(code)
    assert seen > 30_000


def test_what_white_space_is_for_python_is_space_here():
    assert [hex(c) for c in range(0x110000) if chr(c).isspace() and kind(chr(c)) != characters.SPACE] == []


def test_folding_is_idempotent():
    folded = TABLE & np.uint32(characters.FOLD_MASK)
    assert folded.max() < 0x110000
    assert np.array_equal(folded[folded], folded)


def test_folding_keeps_spaces_and_tokens_apart():
    classes = TABLE >> np.uint32(characters.CLASS_SHIFT) & np.uint32(7)
    folded = TABLE & np.uint32(characters.FOLD_MASK)
    in_word = (classes >= characters.LOWER) & (classes <= characters.JOINER)
    assert np.array_equal(in_word, in_word[folded] & in_word)
    assert np.array_equal(classes == characters.SPACE, classes[folded] == characters.SPACE)


def test_examples():
    assert [fold(c) for c in "AÉЖΩ7٣a日"] == list("aéжω00a日")
    assert fold("İ") == "İ"  # two code points in small letters
    assert [kind(c) for c in "aA7_日 "] == [
        characters.LOWER,
        characters.UPPER,
        characters.DIGIT,
        characters.JOINER,
        characters.IDEOGRAPH,
        characters.SPACE,
    ]
    assert kind("\u0301") == characters.JOINER
    assert kind("\x00") == characters.SPACE
    assert kind("\ud800") == characters.SYMBOL
    assert kind("😀") == characters.SYMBOL
    assert [script(c) for c in "aЖΩعא한ไ漢あ"] == [
        *("LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "HANGUL"),
        *("unspaced", "unspaced", "unspaced"),
    ]


def test_every_named_symbol_has_its_name():
    for name, chars in characters.SYMBOLS.items():
        assert {symbol(char) for char in chars} == {name}
    assert symbol("a") is None
    assert symbol("~") is None


def test_no_symbol_stands_under_two_names():
    every = "".join(characters.SYMBOLS.values())
    assert len(every) == len(set(every))


@given(st.text(CHARACTERS))
def test_code_points_are_those_of_the_text(text: str):
    assert code_points(text).tolist() == [ord(char) for char in text]
