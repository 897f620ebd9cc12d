"""Fitting on top of a model: a few rows teach it, and little is forgotten.

The data that the base was fitted on are not there any more, but its weights tell of them. So the new weights are those
most probable given the rows and a normal prior around the base's: logistic regression of which only the *difference*
from the base is fitted, and held near zero. What the rows do not speak of stays as it was. N-grams that the base does
not know come in with weight zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import log_softmax

from classifier import ModelError
from classifier.context import Pass
from classifier.folder import Model
from classifier.kernel import Weights
from training.data import Dataset
from training.fit import Calibration, Learner, Settings, Viewed, normalised


def fit_difference(
    features: Any, given: NDArray[np.float64], y: NDArray[np.int64], weights: NDArray[np.float64], c: float
) -> NDArray[np.float64]:
    """What to add to a linear model's weights.

    Minimises ``c`` · the sum of weighted log-losses of ``given`` + ``features`` @ difference, and half the squares of
    the difference.

    Args:
        features: of shape (n, n_features), dense or sparse.
        given: the model's logits, of shape (n, n_labels).
        y: the place of each row's label.
        weights: of the rows.
        c: inverse regularisation, scikit-learn's ``C``.

    Returns:
        An array of shape (n_features, n_labels).
    """
    shape = features.shape[1], given.shape[1]
    if not shape[0]:
        return np.zeros(shape)
    truth = np.arange(given.shape[1]) == y[:, None]
    pull = c * weights
    transposed = features.T.tocsr() if sparse.issparse(features) else features.T

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_p = log_softmax(given + features @ flat.reshape(shape), axis=1)
        wrong = (np.exp(log_p) - truth) * pull[:, None]
        return -(log_p[truth] @ pull) + flat @ flat / 2, (transposed @ wrong).ravel() + flat

    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 200, "ftol": 1e-7})
    return np.asarray(found.x).reshape(shape)


class OnBase(Learner):
    """Fits models to a data set on top of another, whose labels the data set must have, in its order.

    Raises:
        ModelError: the base's manifest does not say how many paragraphs it was fitted on.
    """

    def __init__(self, data: Dataset, settings: Settings, base: Model) -> None:
        super().__init__(data, settings)
        self._base = base
        try:
            self._n_rows = int(base.manifest["data"]["paragraphs"])
        except (KeyError, TypeError, ValueError):
            raise ModelError("the base's manifest does not say how many paragraphs it was fitted on") from None
        n, ngrams = base.paragraph.n_words, base.paragraph.ngrams
        places = ({ngram: i for i, ngram in enumerate(part)} for part in (ngrams[:n], ngrams[n:]))
        # Of each n-gram of the data: its place among the base's of its channel, or -1.
        self._places = [
            np.array([place.get(name, -1) for name in names.tolist()], np.int64)
            for place, names in zip(places, self.counts.names.values(), strict=True)
        ]

    def check(self, rows: NDArray[np.bool_]) -> None:
        """Any rows will do: the base knows all labels."""

    def paragraph_model(self, rows: NDArray[np.bool_]) -> Weights:
        base, settings = self._base.paragraph, self.settings
        channels = [
            self._channel(name, rows, place, least, idf)
            for name, place, least, idf in zip(
                self.counts.matrices, self._places, settings.min_count, np.split(base.idf, [base.n_words]), strict=True
            )
        ]
        features = sparse.hstack([channel.values for channel in channels], format="csr")
        old = np.split(base.weights, [base.n_words])
        blank = base.weights[:0]
        start = [
            np.vstack([part[channel.known], np.zeros((len(channel.new), *blank.shape[1:]))])
            for part, channel in zip(old, channels, strict=True)
        ]
        given = features @ np.vstack(start) + self.counts.shapes[rows] @ base.shape + base.intercept
        difference = fit_difference(features, given, self.data.y[rows], self.data.weights[rows], settings.update_c)
        learnt = []
        for part, channel, change in zip(old, channels, np.split(difference, [len(start[0])]), strict=True):
            whole = np.vstack([part, np.zeros((len(channel.new), *blank.shape[1:]))])
            whole[np.concatenate([channel.known, np.arange(len(part), len(whole))])] += change
            learnt.append(whole.astype(np.float32))
        n = base.n_words
        words, characters = channels
        return Weights(
            ngrams=(*base.ngrams[:n], *words.new, *base.ngrams[n:], *characters.new),
            n_words=n + len(words.new),
            idf=np.concatenate([base.idf[:n], words.idf, base.idf[n:], characters.idf]),
            weights=np.vstack(learnt),
            shape=base.shape,
            intercept=base.intercept,
        )

    def _channel(
        self, name: str, rows: NDArray[np.bool_], place: NDArray[np.int64], least: int, idf: NDArray[np.float32]
    ) -> "_Channel":
        counts = self.counts.matrices[name][rows]
        rows_with = np.bincount(counts.indices, minlength=counts.shape[1])
        known = np.flatnonzero((place >= 0) & (rows_with > 0))
        new = np.flatnonzero((place < 0) & (rows_with >= least))
        # As rare as it would be in the base's rows and these together, if the base had none of it.
        new_idf = (np.log((1 + self._n_rows + counts.shape[0]) / (1 + rows_with[new])) + 1).astype(np.float32)
        values = counts[:, np.concatenate([known, new])].astype(np.float64)
        values.data = 1 + np.log(values.data)
        values = values @ sparse.diags_array(np.concatenate([idf[place[known]], new_idf]).astype(np.float64))
        return _Channel(normalised(values), place[known], self.counts.names[name][new].tolist(), new_idf)

    def calibration(self, logits: NDArray[np.float64], rows: NDArray[np.int64]) -> Calibration:
        """None: a few rows would tell less of it than the base's did."""
        n_labels = logits.shape[1]
        return Calibration(scale=np.ones(n_labels), bias=np.zeros(n_labels))

    def can_teach_context(self, viewed: Viewed, with_hints: bool) -> bool:
        return bool(self.untaught(with_hints)) and super().can_teach_context(viewed, with_hints)

    def untaught(self, with_hints: bool) -> tuple[Pass, ...]:
        """The base's."""
        return self._base.html_passes if with_hints else self._base.text_passes

    def context_pass(
        self,
        n_pass: int,
        with_hints: bool,
        seen: NDArray[np.float64],
        y: NDArray[np.int64],
        weights: NDArray[np.float64],
    ) -> Pass:
        base = self.untaught(with_hints)[n_pass]
        mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
        standard = np.hstack([(seen - mean) / spread, np.ones((len(seen), 1))])
        difference = fit_difference(standard, base.apply(seen), y, weights, self.settings.update_context_c)
        coef = difference[:-1] / spread[:, None]
        return Pass(weights=base.weights + coef, bias=base.bias + difference[-1] - mean @ coef)

    def calibrated(self, passes: list[Pass], viewed: Viewed, given: NDArray[np.float64]) -> tuple[Pass, ...]:
        """As they are, as for :meth:`calibration`."""
        return tuple(passes)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "base": self._base.manifest["sha256"]}


@dataclass(frozen=True)
class _Channel:
    """The n-grams of a channel that rows are learnt from."""

    values: sparse.csr_matrix  # normalised TF-IDF; a column a known one, then a column a new one
    known: NDArray[np.int64]  # places among the base's
    new: Sequence[str]
    idf: NDArray[np.float32]  # of the new
