"""Fitting: labelled documents to a model.

The paragraph model is scikit-learn's TF-IDF and multinomial logistic regression. The context model is fitted on what
the paragraph model says of documents whose site it has not seen, or it would learn to trust memorised text; its second
pass on what the first says, in-sample, since a model of a few hundred weights hardly memorises and out-of-fold
judgements would betray, next to the features they were made from, which fold they were left out of.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal, TypeVar

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from classifier import RowError, context, kernel
from classifier.context import N_PASSES, Features, Pass, Surroundings
from classifier.echoes import echoes
from classifier.features import NGRAMS, SHAPE_NAMES, pivoted
from classifier.folder import Model
from classifier.kernel import Weights
from classifier.paragraphs import has_hints
from training.data import Dataset

Progress = Callable[[str], None]
LeftOut = TypeVar("LeftOut", bound=Hashable)


@dataclass(frozen=True)
class Settings:
    """What can be chosen in fitting.

    Attributes:
        min_count: paragraphs that an n-gram of each channel must stand in to be kept.
        max_ngrams: how many n-grams of both channels together are kept, those that move scores most.
        paragraph_c: inverse regularisation of the paragraph model (scikit-learn's ``C``).
        shape_scale: size of a shape feature beside the unit length of each TF-IDF channel.
        context_c: inverse regularisation of the context model.
        context_weight: factor on the weight of documents of weight under 1 in fitting the context model.
        update_c: inverse regularisation of what a paragraph model learns on top of a base.
        update_context_c: the same, of the context model.
        inner_folds: folds of groups for the paragraph model's judgements that the context model is fitted on.
        seed: of everything random.
    """

    min_count: tuple[int, int] = (3, 5)
    max_ngrams: int = 200_000
    paragraph_c: float = 8.0
    shape_scale: float = 0.3
    context_c: float = 0.005
    context_weight: float = 0.5
    update_c: float = 2.0
    update_context_c: float = 3e-5
    inner_folds: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Counts:
    """How often each n-gram stands in each paragraph, for all n-grams there are, and the paragraphs' shapes."""

    matrices: dict[str, sparse.csr_matrix]
    names: dict[str, NDArray[np.str_]]
    shapes: sparse.csr_matrix


def count(texts: Sequence[str]) -> Counts:
    """Counts the n-grams of both channels; the vocabulary is chosen later, from each fold's training side."""

    def channel(name: str) -> tuple[sparse.csr_matrix, NDArray[np.str_]]:
        vectorizer = CountVectorizer(analyzer=NGRAMS[name], dtype=np.float32)
        try:
            matrix = vectorizer.fit_transform(texts)
        except ValueError:  # there is nothing to count
            return sparse.csr_matrix((len(texts), 0), dtype=np.float32), np.empty(0, np.str_)
        return matrix.tocsr(), vectorizer.get_feature_names_out()

    done = joblib.Parallel(n_jobs=2)(joblib.delayed(channel)(name) for name in NGRAMS)
    return Counts(
        matrices={name: matrix for name, (matrix, _) in zip(NGRAMS, done, strict=True)},
        names={name: names for name, (_, names) in zip(NGRAMS, done, strict=True)},
        shapes=shapes(texts),
    )


def shapes(texts: Sequence[str]) -> sparse.csr_matrix:
    """The texts' shapes, one-hot in each group: an array of shape (n_texts, len(SHAPE_NAMES))."""
    bins = kernel.shape_bins(texts)
    rows = np.repeat(np.arange(len(texts)), bins.shape[1])
    return sparse.csr_matrix((np.ones(bins.size, np.float32), (rows, bins.ravel())), (len(texts), len(SHAPE_NAMES)))


def tfidf(counts: sparse.csr_matrix) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """The values of a channel's n-grams, an array of shape (n_rows, n_ngrams), and each n-gram's idf."""
    if not counts.shape[1]:
        return counts, np.empty(0)
    transformer = TfidfTransformer(sublinear_tf=True, norm=None)
    return normalised(transformer.fit_transform(counts)), transformer.idf_


def normalised(values: sparse.csr_matrix) -> sparse.csr_matrix:
    """A channel's TF-IDF values, each row divided by its pivoted length."""
    norms = np.sqrt(np.asarray(values.multiply(values).sum(axis=1)).ravel())
    return sparse.diags_array(1 / pivoted(norms)) @ values


def fit_paragraph_model(counts: Counts, data: Dataset, rows: NDArray[np.bool_], settings: Settings) -> Weights:
    """Fits the paragraph model on the chosen rows: first on all n-grams, then on those that moved scores most.

    Raises:
        RowError: there are too few rows for any n-gram to be kept.
    """
    blocks, names, idfs = [], [], []
    for (channel, matrix), least in zip(counts.matrices.items(), settings.min_count, strict=True):
        chosen = matrix[rows]
        kept = np.flatnonzero(np.bincount(chosen.indices, minlength=chosen.shape[1]) >= least)
        blocks.append(chosen[:, kept])
        names.append(counts.names[channel][kept])
    shape = counts.shapes[rows] * np.float32(settings.shape_scale)
    y, weights = data.y[rows], data.weights[rows]
    regression = LogisticRegression(C=settings.paragraph_c, tol=3e-3, max_iter=300, warm_start=True)
    n = sum(map(len, names))
    if not n:
        raise RowError(f"no word or pair of words stands in {settings.min_count[0]} rows; label more rows")
    if n > settings.max_ngrams:
        scaled = [tfidf(block)[0] for block in blocks]
        regression.fit(sparse.hstack([*scaled, shape], format="csr", dtype=np.float32), y, weights)
        coef = regression.coef_ - regression.coef_.mean(axis=0)
        # How far the n-gram moves scores over the rows, as a root mean square.
        squares = np.concatenate([np.asarray(block.multiply(block).sum(axis=0)).ravel() for block in scaled])
        moved = np.abs(coef[:, :n]).max(axis=0) * np.sqrt(squares)
        best = np.sort(np.argpartition(-moved, settings.max_ngrams)[: settings.max_ngrams])
        regression.coef_ = regression.coef_[:, np.concatenate([best, np.arange(n, coef.shape[1])])]
        bounds = np.cumsum([0, *map(len, names)])
        for i, (low, high) in enumerate(pairwise(bounds)):
            kept = best[(best >= low) & (best < high)] - low
            blocks[i], names[i] = blocks[i][:, kept], names[i][kept]
        n = len(best)
    for i, block in enumerate(blocks):
        blocks[i], idf = tfidf(block)
        idfs.append(idf)
    regression.set_params(tol=1e-3)
    regression.fit(sparse.hstack([*blocks, shape], format="csr", dtype=np.float32), y, weights)
    coef, bias = _all_labels(regression, len(data.labels))
    return Weights(
        ngrams=tuple(str(name) for part in names for name in part),
        n_words=len(names[0]),
        idf=np.concatenate(idfs).astype(np.float32),
        weights=np.ascontiguousarray(coef[:n], np.float32),
        shape=np.ascontiguousarray(coef[n:] * settings.shape_scale, np.float32),
        intercept=bias.astype(np.float32),
    )


_NEVER_SEEN: Final = -20.0  # logit of a label that the rows fitted on do not have


def _all_labels(regression: LogisticRegression, n_labels: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights, of shape (n_features, n_labels), and intercepts for all labels, seen in fitting or not."""
    coef, bias = np.asarray(regression.coef_, np.float64), np.asarray(regression.intercept_, np.float64)
    if len(coef) == 1:  # two labels: scikit-learn keeps the second's log-odds alone
        coef, bias = np.vstack([-coef, coef]) / 2, np.concatenate([-bias, bias]) / 2
    weights = np.zeros((coef.shape[1], n_labels))
    intercept = np.full(n_labels, _NEVER_SEEN)
    weights[:, regression.classes_] = coef.T
    intercept[regression.classes_] = bias
    return weights, intercept


@dataclass(frozen=True)
class Calibration:
    """A factor and a bias for each label's logit, which fold into the weights that the logits came from."""

    scale: NDArray[np.float64]  # (n_labels,)
    bias: NDArray[np.float64]  # (n_labels,)

    def apply(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return logits * self.scale + self.bias

    def fold(self, weights: Weights) -> Weights:
        """The paragraph model whose logits are these logits mapped."""
        return replace(
            weights,
            weights=(weights.weights * self.scale).astype(np.float32),
            shape=(weights.shape * self.scale).astype(np.float32),
            intercept=self.apply(weights.intercept.astype(np.float64)).astype(np.float32),
        )

    def fold_pass(self, one: Pass) -> Pass:
        """The pass whose logits are these logits mapped."""
        return Pass(weights=one.weights * self.scale, bias=self.apply(one.bias))


_HOLD: Final = 1e-5  # on the squares of how far a calibration is from none, beside a mean log-loss


def calibrate(
    logits: NDArray[np.float64], y: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> Calibration:
    """Finds the factors and biases that make the labels likeliest, given held-out logits of shape (n, n_labels).

    This is vector scaling (Guo et al., 2017), held near 1 and 0 as far as the rows leave it open.
    """
    n_labels = logits.shape[1]
    share = np.ones(len(y)) if weights is None else weights
    share = share / share.sum()
    truth = np.arange(n_labels) == y[:, None]
    start = np.repeat([1.0, 0.0], n_labels)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_p = log_softmax(logits * parameters[:n_labels] + parameters[n_labels:], axis=1)
        wrong = (np.exp(log_p) - truth) * share[:, None]
        gradient = np.concatenate([(wrong * logits).sum(axis=0), wrong.sum(axis=0)])
        away = parameters - start
        return -(log_p[truth] @ share) + _HOLD * (away @ away), gradient + 2 * _HOLD * away

    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return Calibration(scale=found[:n_labels], bias=found[n_labels:])


def foremost(data: Dataset, rows: NDArray[np.bool_] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the chosen rows have the largest weight among them. What is weighed down has other shares of labels than
    real pages, so that probabilities are calibrated without it.
    """
    weights = data.weights[rows]
    chosen: NDArray[np.bool_] = weights == weights.max()
    return chosen


# -- Context ---------------------------------------------------------------------------------------------------------

View = Literal["page", "article", "window", "line"]
VIEWS: Final[tuple[View, ...]] = ("page", "article", "window", "line")
_VIEW_WEIGHTS: Final[dict[View, float]] = {"page": 1.0, "article": 0.5, "window": 1.0, "line": 0.1}


def view(data: Dataset, d: int, kind: View, rng: np.random.Generator) -> NDArray[np.int64]:
    """The rows of document ``d`` that reach a user in some form of it.

    A whole page; what an extractor leaves, most boilerplate gone and some content too; a stretch that someone pasted;
    one line. Which label is content is not known here: the commonest of the document's long paragraphs counts as such.
    """
    rows = np.arange(data.starts[d], data.starts[d + 1])
    if kind == "article":
        lengths = np.array([len(data.texts[i]) for i in rows])
        mass = np.bincount(data.y[rows], np.minimum(lengths, 300), len(data.labels))
        kept_share = np.where(np.arange(len(mass)) == mass.argmax(), 0.97, rng.choice([0.05, 0.2, 0.5]))
        kept = rows[rng.random(len(rows)) < kept_share[data.y[rows]]]
        return kept if len(kept) else rows[:1]
    if kind == "window":
        size = int(rng.integers(2, 26))
        first = int(rng.integers(0, max(1, len(rows) - size + 1)))
        return rows[first : first + size]
    if kind == "line":
        return rows[[int(rng.integers(0, len(rows)))]]
    return rows


@dataclass(frozen=True)
class Viewed:
    """Views of documents laid end to end, as the context model sees them; ``rows`` are rows of the data set."""

    rows: NDArray[np.int64]
    weights: NDArray[np.float64]
    surroundings: Surroundings


def look(data: Dataset, documents: NDArray[np.int64], views: Sequence[View], *, with_hints: bool, seed: int) -> Viewed:
    """The views of the chosen documents; with hints, of those documents alone that have them throughout."""
    rng = np.random.default_rng(seed)
    pieces, weights = [], []
    for d in documents:
        paragraphs = data.documents[d].paragraphs
        if with_hints and not has_hints(paragraphs):
            continue
        for kind in views:
            rows = view(data, int(d), kind, rng)
            pieces.append(rows)
            weights.append(np.full(len(rows), _VIEW_WEIGHTS[kind]))
    if not pieces:
        return Viewed(
            np.empty(0, np.int64), np.empty(0), Surroundings(np.empty(0), np.empty((0, 0)), np.zeros(1, np.int64), None)
        )
    rows = np.concatenate(pieces)
    starts = np.cumsum([0, *map(len, pieces)])
    texts = [data.texts[i] for i in rows]
    codes, ends = kernel.join(texts)
    hints = None
    if with_hints:
        flat = [paragraph for document in data.documents for paragraph in document.paragraphs]
        hints = context.hints((flat[i].tag or "" for i in rows), (flat[i].link_density or 0.0 for i in rows))
    return Viewed(
        rows=rows,
        weights=np.concatenate(weights),
        surroundings=Surroundings(
            lengths=kernel.lengths_of(ends).astype(np.float64),
            echoes=echoes(codes, ends, starts),
            starts=starts,
            hints=hints,
        ),
    )


class Learner:
    """Fits models to a data set, from its rows alone. Paragraph models differ in the documents left out; each is fitted
    once.
    """

    def __init__(self, data: Dataset, settings: Settings) -> None:
        self.data, self.settings = data, settings
        self.counts = count(data.texts)
        self._judged: dict[bytes, NDArray[np.float64]] = {}

    def check(self, rows: NDArray[np.bool_]) -> None:
        """
        Raises:
            RowError: nothing can be learnt from these rows.
        """
        if len(np.unique(self.data.y[rows])) < 2:
            raise RowError("with a fold or two held out, no two labels are left to learn from; label more sites")

    def paragraph_model(self, rows: NDArray[np.bool_]) -> Weights:
        """
        Raises:
            RowError: there are too few rows for any n-gram to be kept.
        """
        return fit_paragraph_model(self.counts, self.data, rows, self.settings)

    def logits(self, left_out: Mapping[LeftOut, NDArray[np.bool_]]) -> dict[LeftOut, NDArray[np.float64]]:
        """For each choice of documents left out, the paragraph model's logits of every row."""
        codes, ends = kernel.join(self.data.texts)

        def one(documents: NDArray[np.bool_]) -> NDArray[np.float64]:
            return kernel.Kernel(self.paragraph_model(~self.data.rows_of(documents))).score(codes, ends)

        keys = {name: documents.tobytes() for name, documents in left_out.items()}
        to_do = {keys[name]: documents for name, documents in left_out.items() if keys[name] not in self._judged}
        done = joblib.Parallel(n_jobs=2)(joblib.delayed(one)(documents) for documents in to_do.values())
        self._judged.update(zip(to_do, done, strict=True))
        return {name: self._judged[key] for name, key in keys.items()}

    def rows_with(self, channel: str) -> dict[str, int]:
        """In how many rows each n-gram of a channel stands."""
        counts = self.counts.matrices[channel]
        rows_with = np.bincount(counts.indices, minlength=counts.shape[1])
        return dict(zip(self.counts.names[channel].tolist(), rows_with.tolist(), strict=True))

    def calibration(self, logits: NDArray[np.float64], rows: NDArray[np.int64]) -> Calibration:
        """That of the paragraph model, from its held-out logits of every row; the foremost of the given rows count."""
        rows = rows[foremost(self.data, rows)]
        return calibrate(logits[rows], self.data.y[rows])

    def context_models(
        self, documents: NDArray[np.int64], logits: NDArray[np.float64]
    ) -> tuple[tuple[Pass, ...], tuple[Pass, ...]]:
        """The context model without and with HTML hints, from the paragraph model's held-out logits; either is empty
        where the documents can't teach it.
        """
        return self._context_model(documents, logits, False), self._context_model(documents, logits, True)

    def _context_model(
        self, documents: NDArray[np.int64], logits: NDArray[np.float64], with_hints: bool
    ) -> tuple[Pass, ...]:
        viewed = look(self.data, documents, VIEWS, with_hints=with_hints, seed=self.settings.seed)
        y = self.data.y[viewed.rows]
        if not self.can_teach_context(viewed, with_hints):
            return self.untaught(with_hints)
        own = self.data.weights[viewed.rows]
        weights = viewed.weights * np.where(own < 1, own * self.settings.context_weight, 1.0)
        features = Features(viewed.surroundings, len(self.data.labels))
        passes: list[Pass] = []
        given = logits[viewed.rows]
        for n_pass in range(N_PASSES):
            seen = features.write(n_pass, given)
            passes.append(self.context_pass(n_pass, with_hints, seen, y, weights))
            given = passes[-1].apply(seen)
        return self.calibrated(passes, viewed, given)

    def can_teach_context(self, viewed: Viewed, with_hints: bool) -> bool:
        """Whether there are two labels, and documents of more than one paragraph."""
        several = len(viewed.rows) > len(viewed.surroundings.starts) - 1
        return several and len(np.unique(self.data.y[viewed.rows])) > 1

    def untaught(self, with_hints: bool) -> tuple[Pass, ...]:
        """The context model where there is nothing to learn it from."""
        return ()

    def context_pass(
        self,
        n_pass: int,
        with_hints: bool,
        seen: NDArray[np.float64],
        y: NDArray[np.int64],
        weights: NDArray[np.float64],
    ) -> Pass:
        """A pass, from its features, of shape (n, n_features), and the labels and weights of what they are of."""
        mean, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
        regression = LogisticRegression(C=self.settings.context_c, tol=1e-3, max_iter=300)
        regression.fit(((seen - mean) / spread).astype(np.float32), y, weights)
        coef, bias = _all_labels(regression, len(self.data.labels))
        coef /= spread[:, None]
        return Pass(weights=coef, bias=bias - mean @ coef)

    def calibrated(self, passes: list[Pass], viewed: Viewed, given: NDArray[np.float64]) -> tuple[Pass, ...]:
        """The passes with what the last one says, ``given``, calibrated."""
        kept = foremost(self.data, viewed.rows)
        calibration = calibrate(given[kept], self.data.y[viewed.rows[kept]], viewed.weights[kept])
        return (*passes[:-1], calibration.fold_pass(passes[-1]))

    def describe(self) -> dict[str, Any]:
        """What a manifest says of the training."""
        return describe(self.data, self.settings)


def fit(learner: Learner, fold_of: NDArray[np.int64], say: Progress) -> Model:
    """Fits a model on all of the data; ``fold_of`` deals its documents, into two folds or more, for the held-out
    judgements.
    """
    data = learner.data
    say("fitting the paragraph model")
    paragraph = learner.paragraph_model(np.ones(data.n_rows, bool))
    say("judging held-out folds")
    row_folds = np.repeat(fold_of, np.diff(data.starts))
    logits = np.zeros((data.n_rows, len(data.labels)))
    left_out = {int(f): fold_of == f for f in np.unique(fold_of)}
    for fold, judged in learner.logits(left_out).items():
        logits[row_folds == fold] = judged[row_folds == fold]
    calibration = learner.calibration(logits, np.arange(data.n_rows))
    logits, paragraph = calibration.apply(logits), calibration.fold(paragraph)
    say("fitting the context model")
    text_passes, html_passes = learner.context_models(np.arange(len(data.documents)), logits)
    told = {
        mode: "left out" if not passes else "as in the base" if passes is learner.untaught(mode == "html") else "fitted"
        for mode, passes in (("text", text_passes), ("html", html_passes))
    }
    return Model(data.labels, paragraph, text_passes, html_passes, {**learner.describe(), "context": told})


def describe(data: Dataset, settings: Settings) -> dict[str, Any]:
    """What a manifest says of the training: versions, data and settings."""
    import numba
    import scipy
    import sklearn

    versions = {module.__name__: module.__version__ for module in (joblib, numba, np, scipy, sklearn)}
    return {
        "versions": versions,
        "data": {
            "fingerprint": data.fingerprint(),
            "documents": len(data.documents),
            "paragraphs": data.n_rows,
            "by_label": {label: int((data.y == i).sum()) for i, label in enumerate(data.labels)},
        },
        "settings": asdict(settings),
    }
