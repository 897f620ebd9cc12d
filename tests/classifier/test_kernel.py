from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from classifier.features import SHAPE_NAMES, char_ngrams, word_ngrams
from classifier.folder import Model
from classifier.kernel import Kernel, Weights, join, shape_bins

# Paragraphs of three kinds in several scripts, with what text from the web has in it by accident.
STORIES = (
    "The council voted on Tuesday to keep the swimming pool open, after a debate of nearly four hours.",
    "“Nobody had asked us,” said the baker, who has sold rolls on the square since 1987.",
    "Rain is expected from noon; the wind turns to the north-west in the evening.",
    "Вчера в городе открыли новый мост через реку, его строили семь лет.",
    "Η πόλη άνοιξε χθες τη νέα γέφυρα.",
    "市议会星期二决定保留游泳池。",
    "افتتحت المدينة أمس جسرا جديدا فوق النهر.",
    "העיר פתחה אתמול גשר חדש מעל הנהר.",
    "เมืองเปิดสะพานใหม่เมื่อวานนี้",
)
ASKS = (
    "Please give what you can: 5 € a month keeps this small newsroom going!",
    "Subscribe now and read everything for 1.99 a week.",
    "SUBSCRIBE! SUBSCRIBE! SUBSCRIBE!",
    "Support us – every gift counts ❤️ 👨‍👩‍👧",
    "Поддержите нас: 100 рублей в месяц.",
    "请支持我们的独立报道！",
)
MENUS = (
    "Home > News > Local",
    "Read more",
    "© 2024, all rights reserved_",
    "Sport | Weather | Jobs | Contact",
    "\x00\ud800 Share\u200b this\u00a0page \udfff",
    "cafe\u0301 İstanbul ǅ ß ٣٤",
    "Далее",
    "下一页",
)
TEXTS = (*STORIES, *ASKS, *MENUS)
KINDS = (*["story"] * len(STORIES), *["ask"] * len(ASKS), *["menu"] * len(MENUS))

CHARACTERS = (
    st.characters(codec="utf-8")
    | st.characters(categories=["Cs"])
    | st.characters(categories=["Mn", "Mc", "Me"])
    | st.characters(categories=["Zs", "Cc", "Cf"])
    | st.sampled_from("\x00 \n\r\u2028İßǅ٣²日本あไ한עأ😀🇫🇷\u200d\ufe0f\ufeff_")
)
PARAGRAPHS = st.lists(
    st.text(CHARACTERS, max_size=12)
    | st.sampled_from(TEXTS)
    | st.sampled_from(sorted({word for text in TEXTS for word in text.split()})).map(lambda word: f" {word} ")
    | st.builds(lambda char, n: char * n, CHARACTERS, st.integers(1, 3000)),
    max_size=12,
).map("".join)

Scores = Callable[[list[str]], NDArray[np.float64]]


def one_hot(texts: list[str]) -> sparse.csr_matrix:
    bins = shape_bins(texts)
    rows = np.repeat(np.arange(len(texts)), bins.shape[1])
    return sparse.csr_matrix((np.ones(bins.size), (rows, bins.ravel())), shape=(len(texts), len(SHAPE_NAMES)))


def pivoted(values: sparse.csr_matrix) -> sparse.csr_matrix:
    norms = np.sqrt(values.multiply(values).sum(axis=1)).A1
    return sparse.diags(1 / (0.5 * 20 + 0.5 * norms)) @ values


@pytest.fixture(scope="module")
def fitted() -> tuple[Kernel, Scores, Weights]:
    """A pipeline of scikit-learn's, and the kernel with the same weights, both rounded to 32 bits."""
    channels = [TfidfVectorizer(analyzer=ngrams, sublinear_tf=True, norm=None) for ngrams in (word_ngrams, char_ngrams)]
    blocks = [pivoted(channel.fit_transform(TEXTS)) for channel in channels]
    regression = LogisticRegression(C=10, max_iter=500)
    regression.fit(sparse.hstack([*blocks, one_hot(list(TEXTS))], format="csr"), KINDS)
    regression.coef_ = regression.coef_.astype(np.float32).astype(np.float64)
    regression.intercept_ = regression.intercept_.astype(np.float32).astype(np.float64)
    for channel in channels:
        channel.idf_ = channel.idf_.astype(np.float32).astype(np.float64)

    def scores(texts: list[str]) -> NDArray[np.float64]:
        matrices = [pivoted(channel.transform(texts)) for channel in channels]
        return regression.decision_function(sparse.hstack([*matrices, one_hot(texts)], format="csr"))

    names = [channel.get_feature_names_out().tolist() for channel in channels]
    n = sum(map(len, names))
    coef = np.ascontiguousarray(regression.coef_.T, np.float32)
    weights = Weights(
        ngrams=(*names[0], *names[1]),
        n_words=len(names[0]),
        idf=np.concatenate([channel.idf_ for channel in channels]).astype(np.float32),
        weights=np.ascontiguousarray(coef[:n]),
        shape=np.ascontiguousarray(coef[n:]),
        intercept=regression.intercept_.astype(np.float32),
    )
    return Kernel(weights), scores, weights


def test_scores_of_the_fitted_texts(fitted: tuple[Kernel, Scores, Weights]):
    kernel, scores, _ = fitted
    np.testing.assert_allclose(kernel.score(*join(TEXTS)), scores(list(TEXTS)), rtol=0, atol=1e-6)


@settings(max_examples=400)
@example("")
@example(" ")
@example("\x00")
@example("\ud800")
@example("a" * 100_000)
@example("subscribe! " * 20_000)
@example("日" * 50_000)
@example("e" + "\u0301" * 10_000)
@example("\u202eolleh \u2066x\u2069")
@example("😀👨‍👩‍👧🇫🇷")
@given(PARAGRAPHS)
def test_scores_are_scikit_learns(fitted: tuple[Kernel, Scores, Weights], text: str):
    kernel, scores, _ = fitted
    np.testing.assert_allclose(kernel.score(*join([text])), scores([text]), rtol=0, atol=1e-6)


@given(st.lists(PARAGRAPHS, max_size=8))
def test_a_batch_scores_each_as_if_alone(fitted: tuple[Kernel, Scores, Weights], texts: list[str]):
    kernel, _, _ = fitted
    together = kernel.score(*join(texts))
    assert together.shape == (len(texts), 3)
    for row, text in zip(together, texts, strict=True):
        assert np.array_equal(row, kernel.score(*join([text]))[0])


@given(st.lists(PARAGRAPHS, max_size=8))
def test_a_batchs_shapes_are_each_ones_own(texts: list[str]):
    for row, text in zip(shape_bins(texts), texts, strict=True):
        assert np.array_equal(row, shape_bins([text])[0])


def test_threads_do_not_disturb_each_other(fitted: tuple[Kernel, Scores, Weights]):
    kernel, _, _ = fitted
    batches = [join([*TEXTS[i:], *TEXTS[:i]] * 40) for i in range(len(TEXTS))]
    alone = [kernel.score(*batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for one, other in zip(pool.map(lambda batch: kernel.score(*batch), batches), alone, strict=True):
                assert np.array_equal(one, other)


def test_without_known_ngrams_only_shape_and_intercept_count(small_model: Model):
    w = small_model.paragraph
    text = "ѮѮѮ"
    expected = w.intercept.astype(np.float64) + w.shape[shape_bins([text])[0]].astype(np.float64).sum(axis=0)
    known = set(w.ngrams)
    assert not known.intersection([*word_ngrams(text), *char_ngrams(text)])
    np.testing.assert_allclose(Kernel(w).score(*join([text]))[0], expected, atol=1e-9)


def test_a_repeated_ngram_is_refused(fitted: tuple[Kernel, Scores, Weights]):
    _, _, weights = fitted
    for i, j in ((0, 1), (weights.n_words, weights.n_words + 1)):
        ngrams = list(weights.ngrams)
        ngrams[j] = ngrams[i]
        with pytest.raises(ValueError, match="twice"):
            Kernel(replace(weights, ngrams=tuple(ngrams)))


def test_a_word_and_a_run_of_characters_may_read_the_same():
    numbers = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    weights = Weights(
        ngrams=("towns", "towns"),
        n_words=1,
        idf=np.ones(2, np.float32),
        weights=numbers,
        shape=np.zeros((len(SHAPE_NAMES), 2), np.float32),
        intercept=np.zeros(2, np.float32),
    )
    one = 1 / (0.5 * 20 + 0.5 * 1)  # pivoted length normalisation of a single value of 1
    expected = [[one, one], [0, one], [0, 0]]
    np.testing.assert_allclose(Kernel(weights).score(*join(["towns", "town towns2", "a"])), expected)


def test_a_model_without_ngrams_scores():
    weights = Weights(
        ngrams=(),
        n_words=0,
        idf=np.zeros(0, np.float32),
        weights=np.zeros((0, 2), np.float32),
        shape=np.zeros((len(SHAPE_NAMES), 2), np.float32),
        intercept=np.array([1, 2], np.float32),
    )
    assert Kernel(weights).score(*join(["anything", ""])).tolist() == [[1, 2], [1, 2]]


@given(st.lists(st.text(CHARACTERS), max_size=8))
def test_join_keeps_every_code_point(texts: list[str]):
    codes, ends = join(texts)
    assert codes.tolist() == [ord(char) for text in texts for char in text]
    assert np.diff(ends, prepend=0).tolist() == [len(text) for text in texts]
