from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import characters
from classifier.features import SHAPE_NAMES, SHAPE_THRESHOLDS, char_ngrams, word_ngrams
from classifier.kernel import N_GROUPS, shape_bins

CHARACTERS = st.characters(codec="utf-8") | st.characters(categories=["Cs"]) | st.sampled_from(" .,!?aA1_日\n\x00-")
TEXTS = st.text(CHARACTERS)


def shape(text: str) -> list[str]:
    return [SHAPE_NAMES[i] for i in shape_bins([text])[0]]


def reached(group: str, value: int) -> int:
    """How many of the group's thresholds the value reaches."""
    return sum(value >= threshold for threshold in SHAPE_THRESHOLDS[group])


@pytest.mark.parametrize(
    ("text", "tokens", "pairs"),
    [
        ("", [], [" "]),
        (" \n\t\x00", [], [" "]),
        ("Subscribe", ["subscribe"], [" subscribe", "subscribe "]),
        ("Save 50% now", ["save", "00", "%", "now"], [" save", "save 00", "00 %", "% now", "now "]),
        ("well-known", ["well", "-", "known"], [" well", "well -", "- known", "known "]),
        ("snake_case", ["snake_case"], [" snake_case", "snake_case "]),
        ("日本 go", ["日", "本", "go"], [" 日", "日 本", "本 go", "go "]),
        ("go日", ["go", "日"], [" go", "go 日", "日 "]),
        ("٣٤ km²", ["00", "km²"], [" 00", "00 km²", "km² "]),
        ("!!", ["!", "!"], [" !", "! !", "! "]),
        ("cafe\u0301", ["cafe\u0301"], [" cafe\u0301", "cafe\u0301 "]),
        ("a\ud800", ["a", "\ud800"], [" a", "a \ud800", "\ud800 "]),
    ],
)
def test_word_ngrams_by_hand(text: str, tokens: list[str], pairs: list[str]):
    assert word_ngrams(text) == tokens + pairs


@pytest.mark.parametrize(
    ("text", "ngrams"),
    [
        ("", []),
        ("  ", []),
        ("To 7", []),
        ("The", [" the "]),
        ("Read", [" read", "read "]),
        ("a\x00bcd, 日本語です。", [" bcd,", "bcd, ", " 日本語で", "日本語です", "本語です。", "語です。 "]),
    ],
)
def test_char_ngrams_by_hand(text: str, ngrams: list[str]):
    assert char_ngrams(text) == ngrams


@given(TEXTS)
def test_one_pair_more_than_tokens(text: str):
    ngrams = word_ngrams(text)
    assert len(ngrams) % 2 == 1
    tokens, pairs = ngrams[: len(ngrams) // 2], ngrams[len(ngrams) // 2 :]
    assert all(" " not in token and token for token in tokens)
    assert pairs == [f"{left} {right}" for left, right in pairwise(["", *tokens, ""])]


@given(TEXTS)
def test_char_ngrams_stay_inside_words(text: str):
    for ngram in char_ngrams(text):
        assert len(ngram) == 5
        assert " " not in ngram[1:-1]


@given(TEXTS)
def test_capitals_and_white_space_do_not_count_in_ngrams(text: str):
    plain = "".join(chr(int(characters.TABLE[ord(c)]) & characters.FOLD_MASK) for c in text)
    for ngrams in (word_ngrams, char_ngrams):
        assert ngrams(f"\n {text}\t ") == ngrams(text) == ngrams(plain)


def test_there_are_as_many_names_as_bins():
    assert len(SHAPE_NAMES) == sum(len(thresholds) + 1 for thresholds in SHAPE_THRESHOLDS.values())
    assert len(set(SHAPE_NAMES)) == len(SHAPE_NAMES)
    assert len(SHAPE_THRESHOLDS) == N_GROUPS


@given(TEXTS)
def test_every_paragraph_has_one_bin_a_group(text: str):
    firsts = list(accumulate((len(t) + 1 for t in SHAPE_THRESHOLDS.values()), initial=0))
    bins = shape_bins([text])
    assert bins.shape == (1, N_GROUPS)
    for i, (first, after) in zip(bins[0].tolist(), pairwise(firsts), strict=True):
        assert first <= i < after


@given(TEXTS)
def test_counted_shapes(text: str):
    bins = dict(zip(SHAPE_THRESHOLDS, shape_bins([text])[0].tolist(), strict=True))
    firsts = accumulate((len(t) + 1 for t in SHAPE_THRESHOLDS.values()), initial=0)
    places = {group: bins[group] - first for group, first in zip(SHAPE_THRESHOLDS, firsts, strict=False)}
    sentence_ends = sum(c in characters.SYMBOLS["stop"] + characters.SYMBOLS["exclamation"] for c in text)
    digits = sum(int(characters.TABLE[ord(c)]) >> characters.CLASS_SHIFT & 7 == characters.DIGIT for c in text)
    assert places["characters"] == reached("characters", len(text))
    assert places["tokens"] == reached("tokens", len(word_ngrams(text)) // 2)
    assert places["sentence ends"] == reached("sentence ends", sentence_ends)
    assert places["commas"] == reached("commas", sum(c in characters.SYMBOLS["comma"] for c in text))
    assert places["digits, % of characters"] == reached(
        "digits, % of characters", -(-100 * digits // max(len(text), 1))
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "Subscribe now!",
            [
                "characters 12–14",
                "tokens 3",
                "capitals, % of letters 5–14",
                "capitalised, % of words 50–74",
                "digits, % of characters 0",
                "symbols, % of characters 8–14",
                "sentence ends 1",
                "commas 0",
                "script latin",
                "starts with capital",
                "ends with exclamation",
                "characters 10–19, ends with exclamation",
            ],
        ),
        (
            "",
            [
                "characters 0",
                "tokens 0",
                "capitals, % of letters 0",
                "capitalised, % of words 0",
                "digits, % of characters 0",
                "symbols, % of characters 0",
                "sentence ends 0",
                "commas 0",
                "script other",
                "starts with nothing",
                "ends with nothing",
                "characters 0–3, ends with nothing",
            ],
        ),
        (
            " 日本, 2024 ",
            [
                "characters 10–11",
                "tokens 4",
                "capitals, % of letters 0",
                "capitalised, % of words 0",
                "digits, % of characters 25–49",
                "symbols, % of characters 8–14",
                "sentence ends 0",
                "commas 1",
                "script unspaced",
                "starts with ideograph",
                "ends with digit",
                "characters 10–19, ends with digit",
            ],
        ),
    ],
)
def test_shape_by_hand(text: str, names: list[str]):
    assert shape(text) == names
