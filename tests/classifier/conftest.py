"""A small model for what holds of any model, so that these tests do not hang on the default one."""

import numpy as np
import pytest

from classifier.context import Pass, feature_names
from classifier.features import SHAPE_NAMES, char_ngrams, word_ngrams
from classifier.folder import Model
from classifier.kernel import Weights

LABELS = ("content", "appeal", "navigation")
SENTENCES = (
    "The ferry left the harbour at dawn.",
    "Please give what you can, 50 kronor helps!",
    "Home | Sport | Weather",
    "Паром вышел из гавани.",
    "渡轮在黎明离开港口。",
)


@pytest.fixture(scope="session")
def small_model() -> Model:
    """A few n-grams and weights drawn at random from a fixed seed, with both context passes."""
    rng = np.random.default_rng(7)
    words = sorted({ngram for sentence in SENTENCES for ngram in word_ngrams(sentence)})
    chars = sorted({ngram for sentence in SENTENCES for ngram in char_ngrams(sentence)})
    n, k = len(words) + len(chars), len(LABELS)

    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    def passes(with_hints: bool) -> tuple[Pass, ...]:
        widths = [len(feature_names(LABELS, with_hints, n_pass)) for n_pass in (0, 1)]
        return tuple(Pass(rng.normal(scale=0.05, size=(width, k)), rng.normal(size=k)) for width in widths)

    return Model(
        labels=LABELS,
        paragraph=Weights(
            ngrams=(*words, *chars),
            n_words=len(words),
            idf=1 + np.abs(numbers(n)),
            weights=numbers(n, k),
            shape=numbers(len(SHAPE_NAMES), k) / 3,
            intercept=numbers(k),
        ),
        text_passes=passes(with_hints=False),
        html_passes=passes(with_hints=True),
        manifest={"made_for": "tests"},
    )
