import math

import numpy as np
import pytest

from benchmarks.shingles import average, compare, compare_pages, gain_interval, shingles


def test_a_text_has_a_shingle_for_every_run_of_four_words() -> None:
    assert shingles("The ferry, at last, came in.") == {
        ("The", "ferry", "at", "last"): 1,
        ("ferry", "at", "last", "came"): 1,
        ("at", "last", "came", "in"): 1,
    }


def test_runs_go_over_paragraphs_and_count_each_time() -> None:
    assert shingles("row the\nboat now row the boat now")["row", "the", "boat", "now"] == 2


@pytest.mark.parametrize(("text", "expected"), [("", {}), ("– …", {}), ("the ferry", {("the", "ferry"): 1})])
def test_short_texts(text: str, expected: dict[tuple[str, ...], int]) -> None:
    assert shingles(text) == expected


def test_precision_and_recall_by_hand() -> None:
    # Five words against seven: two shingles, both right, of four.
    assert compare("a b c d e", "a b c d e f g") == (1.0, 0.5)
    # Boilerplate behind the article: one of four shingles is right, and it is the only one wanted.
    assert compare("a b c d x y z", "a b c d") == (0.25, 1.0)
    # The same run twice is right once.
    assert compare("a a a a a", "a a a a") == (0.5, 1.0)
    assert compare("x", "a b c d") == (0.0, 0.0)


def test_no_output_counts_for_recall_alone() -> None:
    precision, recall = compare("", "a b c d")
    assert math.isnan(precision)
    assert recall == 0.0
    pages = compare_pages(["", "a b c d x y z"], ["a b c d", "a b c d"])
    score = average(pages)
    assert (score.precision, score.recall) == (0.25, 0.5)
    assert score.f1 == pytest.approx(1 / 3)


def test_f1_is_that_of_the_averages() -> None:
    score = average(np.array([[1.0, 0.5], [0.5, 1.0]]))
    assert (score.precision, score.recall, score.f1) == (0.75, 0.75, 0.75)
    assert average(np.zeros((2, 2))).f1 == 0.0


def test_the_interval_of_a_gain_holds_the_gain() -> None:
    chance = np.random.default_rng(1)
    before = chance.uniform(0.6, 0.9, (60, 2))
    after = before + chance.uniform(0.02, 0.06, (60, 2))
    low, high = gain_interval(before, after)
    assert low < average(after).f1 - average(before).f1 < high
    assert high - low < 0.01
    assert gain_interval(before, before) == (0.0, 0.0)
