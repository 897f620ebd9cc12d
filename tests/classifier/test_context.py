import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from classifier.context import TAGS, Features, Hints, Surroundings, feature_names, hints, run, softmax
from classifier.echoes import ECHOES
from classifier.folder import Model

LABELS = ("content", "menu")
LENGTHS = [200, 10, 50]
SHARES = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])


def around(lengths: list[float], starts: list[int], given: Hints | None = None, seed: int = 0) -> Surroundings:
    rng = np.random.default_rng(seed)
    returns = rng.random((len(lengths), len(ECHOES)))
    return Surroundings(np.array(lengths, float), returns, np.array(starts, np.int64), given)


def named(surroundings: Surroundings, *shares: NDArray[np.float64]) -> dict[str, list[float]]:
    """Each feature's values, by name, from the probabilities that the first pass and perhaps the second are given."""
    features = Features(surroundings, shares[0].shape[1])
    for n_pass, judged in enumerate(shares):
        values = features.write(n_pass, np.log(judged))
    names = feature_names(LABELS, surroundings.hints is not None, len(shares) - 1)
    return dict(zip(names, values.T.tolist(), strict=True))


@pytest.mark.parametrize("n_labels", [2, 4, 5])
@pytest.mark.parametrize("n_pass", [0, 1])
@pytest.mark.parametrize("with_hints", [False, True])
def test_there_are_as_many_names_as_columns(n_labels: int, n_pass: int, with_hints: bool):
    labels = tuple(f"label {i}" for i in range(n_labels))
    names = feature_names(labels, with_hints, n_pass)
    assert len(set(names)) == len(names)
    given = hints(["p", "li"], [0, 1]) if with_hints else None
    features = Features(around([1, 2], [0, 2], given), n_labels)
    for one in range(n_pass + 1):
        values = features.write(one, np.zeros((2, n_labels)))
    assert values.shape == (2, len(names))
    assert np.isfinite(values).all()
    assert feature_names(labels, with_hints, 1)[: len(names)] == names


def test_judgements_by_hand():
    values = named(around(LENGTHS, [0, 3]), SHARES)
    log = np.log(SHARES + 3e-4)
    assert values["content here"] == pytest.approx(log[:, 0])
    assert values["menu at −1"] == pytest.approx([0, log[0, 1], log[1, 1]])
    assert values["content at +2"] == pytest.approx([log[2, 0], 0, 0])
    assert values["content at −3"] == [0, 0, 0]
    assert values["content before, fading by 0.5"] == pytest.approx([0, 0.45, 0.325])
    assert values["menu after, fading by 0.5"] == pytest.approx([0.5 * 0.25 + 0.4, 0.25, 0])
    mass = 0.9 * 200 / 300, 0.2 * 10 / 300, 0.5 * 50 / 300
    assert values["share of content before"] == pytest.approx(
        [0, mass[0] / (sum(mass) + 1e-3), sum(mass[:2]) / (sum(mass) + 1e-3)]
    )
    assert values["share of content after"] == pytest.approx(
        [sum(mass[1:]) / (sum(mass) + 1e-3), mass[2] / (sum(mass) + 1e-3), 0], abs=1e-12
    )
    assert values["much content before"] == pytest.approx([0, math.log1p(mass[0]), math.log1p(sum(mass[:2]))])
    assert values["much content in all"] == pytest.approx([math.log1p(sum(mass))] * 3)
    assert values["since long content"] == pytest.approx([math.log1p(50), math.log1p(1), math.log1p(2)])
    assert values["until long content"] == pytest.approx([math.log1p(50)] * 3)


def test_stretches_by_hand():
    lengths = [10, 200, 20, 30, 200, 15, 10]  # the long ones are content, so that a menu's stretch ends there
    shares = np.array([[0.4, 0.6], [0.9, 0.1], [0.3, 0.7], [0.1, 0.9], [0.8, 0.2], [0.6, 0.4], [0.5, 0.5]])
    values = named(around(lengths, [0, 6, 7]), shares)
    assert values["in stretch: most menu"] == pytest.approx([0.6, 0.1, 0.9, 0.9, 0.2, 0.4, 0.5])
    assert values["in stretch: most menu, by logarithm"] == pytest.approx(
        [math.log(p + 3e-4) for p in (0.6, 0.1, 0.9, 0.9, 0.2, 0.4, 0.5)]
    )
    assert values["in stretch: mean menu"] == pytest.approx([0.6, 0.1, 0.8, 0.8, 0.2, 0.4, 0.5])
    assert values["in stretch: paragraphs that may be menu"] == pytest.approx([0, 0, math.log(2), math.log(2), 0, 0, 0])
    assert values["in stretch: most content"] == pytest.approx([0.9] * 6 + [0.5])
    assert values["in stretch: paragraphs that may be content"] == pytest.approx([math.log(6)] * 6 + [0])


def test_places_and_lengths_by_hand():
    surroundings = around(LENGTHS, [0, 3])
    values = named(surroundings, SHARES)
    sizes = [math.log(n) / 8 for n in LENGTHS]
    assert values["length here"] == pytest.approx(sizes)
    assert values["length at −1"] == pytest.approx([0, *sizes[:2]])
    assert values["place from start"] == pytest.approx([0, 1 / 3, 2 / 3])
    assert values["place from end"] == pytest.approx([2 / 3, 1 / 3, 0])
    assert values["paragraphs before"] == pytest.approx([0, math.log(2), math.log(3)])
    assert values["paragraphs"] == pytest.approx([math.log(3)] * 3)
    assert values["is first"] == [1, 0, 0]
    for name, column in zip(ECHOES, surroundings.echoes.T.tolist(), strict=True):
        assert values[name] == column


def test_hints_by_hand():
    given = hints(["h1", "p", "marquee", "p", "p", "h2", "li"], [0, 0.2, 1, 0.5, 0, 1, 0.995])
    assert given.tags.tolist() == [TAGS.index("h1"), 0, -1, 0, 0, TAGS.index("h2"), TAGS.index("li")]
    shares = np.array([[0.7, 0.3]] + [[0.5, 0.5]] * 6)
    values = named(around([20] * 7, [0, 7], given), shares)
    assert values["<p> here"] == [0, 1, 0, 1, 1, 0, 0]
    assert values["<p> at −1"] == [0, 0, 1, 0, 1, 1, 0]
    assert values["<h2> at +3"] == [0, 0, 1, 0, 0, 0, 0]
    assert values["link density here"] == [0, 0.2, 1, 0.5, 0, 1, 0.995]
    assert values["all links here"] == [0, 0, 1, 0, 0, 1, 1]
    assert values["no links here"] == [1, 0, 0, 0, 1, 0, 0]
    assert values["few links here"] == [0, 1, 0, 0, 0, 0, 0]
    assert values["<p> before, fading by 0.5"][2] == pytest.approx(0.5)
    assert values["element as before"] == [0, 0, 0, 0, 1, 0, 0]
    assert values["element as after"] == [0, 0, 0, 1, 0, 0, 0]
    assert values["run of element before"] == pytest.approx([0, 0, 0, 0, math.log(2), 0, 0])
    assert values["has heading above"] == [0, 1, 1, 1, 1, 1, 1]
    assert values["heading above is content"] == pytest.approx([0, *[0.7] * 5, 0.5])
    assert values["heading above is <h1>"] == [0, 1, 1, 1, 1, 1, 0]
    assert values["heading above is <h2>"] == [0, 0, 0, 0, 0, 0, 1]
    assert values["page has <h1>"] == [1] * 7
    assert values["after first <h1>"] == values["after last <h1>"] == [1] * 7


def test_the_second_pass_sees_both_judgements():
    second = SHARES[::-1]
    values = named(around(LENGTHS, [0, 3]), SHARES, second)
    assert values["content here"] == pytest.approx(np.log(SHARES[:, 0] + 3e-4))
    assert values["first pass: content here"] == pytest.approx(np.log(second[:, 0] + 3e-4))
    assert values["first pass: content at +1"] == pytest.approx([*np.log(second[1:, 0] + 3e-4), 0])


DOCUMENTS = st.lists(st.integers(0, 9), min_size=1, max_size=5)


@given(sizes=DOCUMENTS, seed=st.integers(0, 1000), with_hints=st.booleans())
def test_documents_do_not_see_each_other(small_model: Model, sizes: list[int], seed: int, with_hints: bool):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    starts = np.cumsum([0, *sizes])
    lengths, returns, logits = (
        rng.integers(0, 400, n).astype(float),
        rng.random((n, len(ECHOES))),
        rng.normal(size=(n, 3)),
    )
    tags, density = rng.integers(-1, len(TAGS), n), rng.random(n)
    passes = small_model.html_passes if with_hints else small_model.text_passes
    all_hints = Hints(tags, density) if with_hints else None
    together = run(passes, Surroundings(lengths, returns, starts, all_hints), logits)
    assert together.shape == (n, 3)
    for s, e in pairwise(starts.tolist()):
        one_hints = Hints(tags[s:e], density[s:e]) if with_hints else None
        one = Surroundings(lengths[s:e], returns[s:e], np.array([0, e - s]), one_hints)
        np.testing.assert_allclose(run(passes, one, logits[s:e]), together[s:e], rtol=0, atol=1e-9)


def test_no_passes_leave_the_logits():
    logits = np.array([[1.0, 2.0]])
    assert run((), around([5], [0, 1]), logits) is logits


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=5))
def test_softmax_gives_probabilities(rows: list[list[float]]):
    logits = np.array(rows)
    shares = softmax(logits)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert (shares >= 0).all()
    likeliest = np.take_along_axis(shares, logits.argmax(axis=1)[:, None], axis=1)[:, 0]
    assert np.array_equal(likeliest, shares.max(axis=1))
