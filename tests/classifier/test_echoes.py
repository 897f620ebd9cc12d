import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import characters
from classifier.characters import TABLE
from classifier.echoes import ECHOES, echoes
from classifier.kernel import join

LONG_STORY = (
    "The lighthouse keeper climbed the hundred steps each evening, trimmed the lamp and wrote the weather into a book "
    "that nobody but the harbour master ever opened."
)
CHARACTERS = (
    st.characters(codec="utf-8") | st.characters(categories=["Cs"]) | st.sampled_from("aaab  日本語 .7_")
)  # few letters, so that words return
PARAGRAPHS = (
    st.text(CHARACTERS, max_size=30)
    | st.text("ab日本 ", max_size=12)
    | st.lists(st.sampled_from("lamp Lamps book harbour 2024 日本 日本語 a, keeper".split()), max_size=40).map(" ".join)
    | st.just(LONG_STORY)
)


def written(*documents: list[str]) -> list[dict[str, float]]:
    """The echoes of all paragraphs of the documents, by name."""
    texts = [text for document in documents for text in document]
    starts = np.cumsum([0, *map(len, documents)])
    values = echoes(*join(texts), starts.astype(np.int64))
    assert values.shape == (len(texts), len(ECHOES))
    return [dict(zip(ECHOES, row, strict=True)) for row in values.tolist()]


def long_words(text: str) -> set[str]:
    """Words of four characters or more, and pairs of neighbouring ideographs."""
    folded = "".join(chr(int(TABLE[ord(c)]) & characters.FOLD_MASK) for c in text)
    classes = "".join(str(int(TABLE[ord(c)]) >> characters.CLASS_SHIFT & 7) for c in text)
    words = re.finditer("[2-5]{4,}", classes)
    pairs = re.finditer("(?=66)", classes)
    return {folded[m.start() : m.end()] for m in words} | {folded[m.start() : m.start() + 2] for m in pairs}


def expected(document: list[str]) -> list[dict[str, float]]:
    words = [long_words(text) for text in document]
    found = []
    for i, text in enumerate(document):
        others = [j for j in range(len(document)) if j != i]
        elsewhere = set().union(*(words[j] for j in others))
        in_long = set().union(*(words[j] for j in others if len(document[j]) > 100))
        n = max(len(words[i]), 1)
        share = len(words[i] & in_long) / n
        values = (
            not words[i],
            len(words[i] & elsewhere) / n,
            share,
            0.0 if len(text) > 100 else share,
            document.count(text) > 1,
            text in document[:i],
        )
        found.append(dict(zip(ECHOES, map(float, values), strict=True)))
    return found


def test_by_hand():
    head, story, ad, again = written(["The lamp and the lighthouse", LONG_STORY, "Ad", "The lamp and the lighthouse"])
    assert head["has no long words"] == 0
    assert head["words seen elsewhere"] == head["words seen in long paragraphs"] == 1
    assert head["words seen in long paragraphs, itself short"] == 1
    assert (head["repeats in document"], head["stood before"]) == (1, 0)
    assert (again["repeats in document"], again["stood before"]) == (1, 1)
    assert story["words seen in long paragraphs"] == 0  # it is the only long one
    assert story["words seen elsewhere"] == 2 / len(long_words(LONG_STORY))
    assert ad["has no long words"] == 1
    assert sum(ad.values()) == 1


def test_capitals_and_digits_fold():
    first, _ = written(["LAMPS 1999", f"Two lamps, 2024. {LONG_STORY}"])
    assert first["words seen elsewhere"] == 1


def test_documents_do_not_echo_each_other():
    one, two = written(["lighthouse keeper"], ["lighthouse keeper"])
    assert one == two
    assert one["words seen elsewhere"] == one["repeats in document"] == 0


@pytest.mark.parametrize(
    ("text", "other"), [("用lighthouse", "the lighthouse"), ("日x本", "日本"), ("日abcd本", "日abcd本。")]
)
def test_ideographs_and_words_that_touch_are_told_apart(text: str, other: str):
    assert written([text, other]) == expected([text, other])


@given(st.lists(st.lists(PARAGRAPHS, max_size=6), max_size=4))
def test_echoes_are_those_of_sets_of_words(documents: list[list[str]]):
    assert written(*documents) == [values for document in documents for values in expected(document)]
