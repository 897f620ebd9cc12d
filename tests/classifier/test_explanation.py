import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import Paragraph, Tagger, folder
from classifier.explanation import MAX_WORDS, REACH, Explanation
from classifier.features import SHAPE_NAMES, char_ngrams, word_ngrams
from classifier.folder import Model
from classifier.kernel import shape_bins
from classifier.tagger import DEFAULT_MODEL

PAGE = [
    "Home",
    "Sport",
    "The ferry left the harbour at dawn, with nobody on deck but the cook and a dog.",
    "The ferry company says that it will sail again on Monday.",
    "Advertisement",
    "Please give what you can: 50 kronor helps this paper!",
    "Read more",
    "Паром вышел из гавани.",
    "渡轮在黎明离开港口。",
    "",
    "!",
]
PARAGRAPHS = st.sampled_from(PAGE) | st.text(
    st.characters(codec="utf-8") | st.characters(categories=["Cs"]), max_size=40
)


@pytest.fixture(scope="module")
def small(small_model: Model) -> Tagger:
    return Tagger(small_model)


def log_odds(p: float) -> float:
    return math.log(p / (1 - p))


def assert_reasons_add_up(model: Model, why: Explanation) -> None:
    """The logit of the label less the mean of all logits is the same of their logarithms of probabilities: what a
    softmax takes away is the same for all labels. The intercept is no feature of the paragraph, so no reason holds it.
    """
    logs = np.log([why.alone[label] for label in model.labels])
    intercept = model.paragraph.intercept.astype(float)
    k = model.labels.index(why.label)
    expected = (logs[k] - logs.mean()) - (intercept[k] - intercept.mean())
    assert sum(reason.weight for reason in why.reasons) == pytest.approx(expected, abs=1e-4)


@given(st.lists(PARAGRAPHS, min_size=1, max_size=5), st.data(), st.booleans())
def test_reasons_add_up_to_the_paragraphs_own_log_odds(
    small: Tagger, small_model: Model, page: list[str], data: st.DataObject, context: bool
):
    i = data.draw(st.integers(0, len(page) - 1))
    assert_reasons_add_up(small_model, small.explain(page, i, context=context))


@pytest.mark.parametrize("i", range(len(PAGE)))
def test_so_they_do_in_the_default_model(tagger: Tagger, i: int):
    assert_reasons_add_up(folder.read(DEFAULT_MODEL), tagger.explain(PAGE, i))


@given(PARAGRAPHS)
def test_reasons_are_features_of_the_paragraph(small: Tagger, small_model: Model, text: str):
    w = small_model.paragraph
    known = {
        "word": set(word_ngrams(text)).intersection(w.ngrams[: w.n_words]),
        "char": set(char_ngrams(text)).intersection(w.ngrams[w.n_words :]),
        "shape": {SHAPE_NAMES[i] for i in shape_bins([text])[0]},
    }
    why = small.explain([text], 0)
    found: dict[str, set[str]] = {"word": set(), "char": set(), "shape": set()}
    for reason in why.reasons:
        assert reason.name not in found[reason.kind]
        found[reason.kind].add(reason.name)
    assert found == known


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("i", [0, 4, len(PAGE) - 1])
def test_an_explanation_is_of_the_tag_given(tagger: Tagger, i: int, context: bool):
    why = tagger.explain(PAGE, i, context=context)
    tag = tagger.tag(PAGE, context=context)[i]
    assert (why.label, why.score) == (tag.label, pytest.approx(tag.score))
    assert why.alone == pytest.approx(tagger.tag(PAGE, context=False)[i].scores)
    assert bool(why.neighbours) is context


def test_the_strongest_stand_first(tagger: Tagger):
    for i in range(len(PAGE)):
        why = tagger.explain(PAGE, i)
        for found in (why.reasons, why.neighbours):
            weights = [abs(one.weight) for one in found]
            assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize("n", [1, 2, 20])
def test_neighbours_are_within_reach(small: Tagger, n: int):
    page = [f"Paragraph number {i}" for i in range(n)]
    for i in range(n):
        found = sorted(neighbour.index for neighbour in small.explain(page, i).neighbours)
        assert found == [j for j in range(n) if 0 < abs(i - j) <= REACH]


def test_a_neighbours_weight_is_what_its_absence_costs(small: Tagger):
    page = [Paragraph(text, "p", 0.25) for text in PAGE]
    i = 3
    why = small.explain(page, i)
    for neighbour in why.neighbours:
        j = neighbour.index
        without = small.tag([*page[:j], *page[j + 1 :]])[i - (j < i)]
        expected = log_odds(why.score) - log_odds(without.scores[why.label])
        assert neighbour.weight == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("i", [-1, -len(PAGE), len(PAGE), 10**6])
def test_a_paragraph_that_is_not_there(small: Tagger, i: int):
    with pytest.raises(IndexError, match=str(len(PAGE))):
        small.explain(PAGE, i)


def test_nothing_to_explain(small: Tagger):
    with pytest.raises(IndexError):
        small.explain([], 0)


def test_words_that_ask_are_reasons_for_an_appeal(tagger: Tagger):
    why = tagger.explain(["Please donate today to support our independent journalism."], 0, context=False)
    assert why.label == "appeal"
    strong = {reason.name for reason in why.reasons[:25] if reason.weight > 0}
    assert any("donat" in name or "support" in name for name in strong)


def without(text: str, words: tuple[str, ...]) -> str:
    """The text less some of its words, which white space parts from the others."""
    gone = {word.lower() for word in words}
    return " ".join(word for word in text.split() if word.lower().strip(".,!") not in gone)


@pytest.mark.parametrize(
    "text",
    [
        "Please donate today to support our independent journalism",
        "Become a member of the choir",
        "Subscribe now and the ferry leaves at dawn",
        "Advertisement for a lost dog in the harbour",
    ],
)
def test_without_the_words_of_a_change_the_label_is_another(tagger: Tagger, text: str):
    page = ["The ferry left the harbour at dawn.", text, "It was back by noon."]
    why = tagger.explain(page, 1)
    if why.change is None:
        for word in text.split():
            assert tagger.tag([page[0], without(text, (word,)), page[2]])[1].label == why.label
        return
    assert set(why.change.words) < set(text.split())
    tag = tagger.tag([page[0], without(text, why.change.words), page[2]])[1]
    assert (why.change.label, why.change.score) == (tag.label, pytest.approx(tag.score))
    assert tag.label != why.label
    for word in why.change.words[1:]:  # none of them may as well stay
        fewer = tuple(one for one in why.change.words if one != word)
        assert tagger.tag([page[0], without(text, fewer), page[2]])[1].label == why.label


def test_a_label_can_hang_on_a_word(tagger: Tagger):
    why = tagger.explain(["Subscribe to the harbour"], 0, context=False)
    assert why.change is not None
    assert why.change.words == ("Subscribe",)


@given(PARAGRAPHS, st.lists(PARAGRAPHS, max_size=2))
def test_a_change_leaves_words(small: Tagger, text: str, after: list[str]):
    why = small.explain([text, *after], 0)
    if why.change:
        assert why.change.label != why.label
        assert all(word in text for word in why.change.words)
        assert len(why.change.words) <= MAX_WORDS


def test_the_label_without_a_neighbour(tagger: Tagger):
    for i in range(len(PAGE)):
        for neighbour in tagger.explain(PAGE, i).neighbours:
            j = neighbour.index
            assert neighbour.label == tagger.tag([*PAGE[:j], *PAGE[j + 1 :]])[i - (j < i)].label
