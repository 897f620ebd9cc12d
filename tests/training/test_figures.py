import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.figures import Judged, calibration_error, confusion, f1_scores, macro_f1


def judged(y: list[int], guess: list[int], score: float = 0.8) -> Judged:
    """Rows of three labels that were guessed with one score."""
    probabilities = np.full((len(y), 3), (1 - score) / 2)
    probabilities[np.arange(len(y)), guess] = score
    return Judged(
        labels=("content", "appeal", "navigation"),
        y=np.array(y),
        probabilities=probabilities,
        lengths=np.array([100, 10, 20, 200] * (len(y) // 4)),
        groups=np.array([f"site{i % 2}" for i in range(len(y))]),
        facets={"lang": np.array(["en"] * len(y))},
    )


def test_confusion_and_f1_by_hand() -> None:
    table = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 4)
    assert table[0].tolist() == [1, 1, 0, 0]
    f1 = f1_scores(table)
    assert f1[:3] == pytest.approx([2 / 3, 0.5, 0.0])
    assert np.isnan(f1[3])
    assert macro_f1(table) == pytest.approx((2 / 3 + 0.5) / 3)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60))
def test_f1_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import f1_score

    y, guess = (np.array(side) for side in zip(*pairs, strict=True))
    present = np.unique(np.concatenate([y, guess]))
    ours = f1_scores(confusion(y, guess, 3))[present]
    assert ours == pytest.approx(f1_score(y, guess, labels=present, average=None))


def test_calibration_error_by_hand() -> None:
    right = np.array([True, True, False, False])
    assert calibration_error(right, np.full(4, 0.5)) == 0.0
    assert calibration_error(right, np.array([0.9, 0.9, 0.1, 0.1])) == pytest.approx(0.1)
    assert calibration_error(np.array([False]), np.array([1.0])) == 1.0


def test_content_by_paragraph_and_by_character() -> None:
    figures = judged([0, 0, 1, 2], [0, 2, 0, 2]).figures()
    assert figures["content"]["by_paragraph"] == {"f1": 0.5, "content_kept": 0.5, "boilerplate_removed": 0.5}
    kept, removed = 100 / 110, 200 / 220
    assert figures["content"]["by_character"]["content_kept"] == pytest.approx(kept, abs=1e-4)
    assert figures["content"]["by_character"]["boilerplate_removed"] == pytest.approx(removed, abs=1e-4)


def test_intervals_hold_the_figures_and_are_the_same_each_time() -> None:
    one = judged([0, 1, 2, 0] * 20, [0, 1, 2, 2] * 20)
    figures = one.figures()
    low, high = figures["macro_f1_interval"]
    assert low <= figures["macro_f1"] <= high
    for of_label in figures["by_label"].values():
        low, high = of_label["f1_interval"]
        assert low <= of_label["f1"] <= high
    assert one.figures() == figures


def test_a_label_that_is_not_there_has_no_figures() -> None:
    figures = judged([0, 2, 0, 2], [0, 2, 2, 2]).figures()
    assert figures["by_label"]["appeal"] == {
        "precision": None,
        "recall": None,
        "f1": None,
        "f1_interval": [None, None],
        "rows": 0,
    }
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2, abs=1e-4)


def test_reliability_is_what_the_calibration_error_is_made_of() -> None:
    one = judged([0, 1, 2, 0] * 5, [0, 1, 2, 2] * 5, score=0.875)
    assert one.reliability() == {"score": [0.875], "right": [0.75], "rows": [20]}
    assert one.figures()["calibration_error"] == 0.125


def curve_rows(p: list[float], y: list[int], lengths: list[int]) -> Judged:
    """Rows of two labels; ``p`` is the probability of the first, and every row is of a site of its own."""
    content = np.array(p)
    return Judged(
        labels=("content", "navigation"),
        y=np.array(y),
        probabilities=np.stack([content, 1 - content], axis=1),
        lengths=np.array(lengths),
        groups=np.array([f"site{i}" for i in range(len(y))]),
        facets={},
    )


def test_thresholds_by_hand() -> None:
    rows = curve_rows([0.875, 0.75, 0.25, 0.5, 0.125], [0, 0, 0, 1, 1], [90, 9, 1, 30, 10])
    curve = rows.thresholds()["content"]
    points = {
        recall: [curve[name][i] for name in ("threshold", "removed", "paragraphs_kept", "paragraphs_removed")]
        for i, recall in enumerate(curve["recall"])
    }
    assert points[0.9] == [0.875, 1.0, pytest.approx(1 / 3, abs=1e-4), 1.0]
    assert points[0.95] == points[0.99] == [0.75, 1.0, pytest.approx(2 / 3, abs=1e-4), 1.0]
    assert points[0.995] == points[1.0] == [0.25, 0.25, 1.0, 0.5]
    assert all(low is not None and 0 <= low <= 1 for low in curve["recall_low"])


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 1), st.integers(0, 500)),
        min_size=2,
        max_size=40,
    )
)
def test_a_threshold_keeps_what_it_says(rows: list[tuple[float, int, int]]) -> None:
    one = curve_rows(*(list(column) for column in zip(*rows, strict=True)))
    for label, curve in one.thresholds().items():
        i = one.labels.index(label)
        own = one.y == i
        for recall, at in zip(curve["recall"], curve["threshold"], strict=True):
            kept = one.lengths[own & (one.probabilities[:, i] >= at)].sum()
            assert kept >= recall * one.lengths[own].sum() - 1e-9
        assert curve["threshold"] == sorted(curve["threshold"], reverse=True)


def test_one_site_has_a_curve_but_no_interval() -> None:
    rows = curve_rows([0.9, 0.2], [0, 1], [5, 5])
    rows.groups = np.array(["site", "site"])
    assert set(rows.thresholds()["content"]["recall_low"]) == {None}
