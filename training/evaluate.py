"""How good a model is on sites that it has not seen."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final

import joblib
import numpy as np
from numpy.typing import NDArray

from classifier import RowError, Tagger, context
from classifier.thresholds import MODES, Mode
from training import fit
from training.data import Dataset
from training.figures import Judged
from training.fit import VIEWS, Learner, Progress, Settings, View

MIN_FOLDS: Final = 3

# Probabilities of every row in each mode, shape (n_rows, n_labels), when its document is seen whole and in other views.
# Rows that are not judged, or that a view leaves out, are nan.
Judgements = Mapping[Mode, Mapping[View, NDArray[np.float64]]]


def _unjudged(data: Dataset) -> dict[Mode, dict[View, NDArray[np.float64]]]:
    return {mode: {kind: np.full((data.n_rows, len(data.labels)), np.nan) for kind in VIEWS} for mode in MODES}


def cross_validate(
    data: Dataset,
    fold_of: NDArray[np.int64],
    settings: Settings,
    say: Progress,
    *,
    taught: NDArray[np.bool_] | None = None,
    learner: Learner | None = None,
) -> Judgements:
    """Judges every row by models that have not seen its site.

    Documents of fold −1 are on the training side always, and never judged. Where ``taught`` is given, only those of its
    documents are learnt from; all are judged. Honest throughout: the context model that judges fold ``k`` is fitted on
    judgements by paragraph models that saw neither fold ``k`` nor the document they judge. Leaving out folds ``j`` and
    ``k`` serves both ways round, so that ``n`` folds take n(n + 1)/2 fits; ``learner`` has those fitted already.

    Raises:
        RowError: there are fewer than three folds, or too little is left to learn from.
    """
    taught = np.ones(len(fold_of), bool) if taught is None else taught
    used = [int(f) for f in np.unique(fold_of) if f >= 0]
    if len(used) < MIN_FOLDS:
        raise RowError(f"{len(used)} folds; the context model needs three or more to be judged fairly")
    if learner is None:
        say("counting n-grams")
        learner = Learner(data, settings)
    # Always-training documents are dealt out too: pairs leave them out with a fold, for their own judgements.
    dealt = np.where(fold_of >= 0, fold_of, np.resize(used, len(fold_of)))
    left_out: dict[tuple[int, ...], NDArray[np.bool_]] = {(f,): ~taught | (fold_of == f) for f in used}
    left_out |= {pair: ~taught | np.isin(dealt, pair) for pair in itertools.combinations(used, 2)}
    for documents in left_out.values():
        learner.check(~data.rows_of(documents))
    say(f"fitting {len(left_out)} paragraph models")
    logits = learner.logits(left_out)
    row_fold = np.repeat(fold_of, np.diff(data.starts))
    row_dealt = np.repeat(dealt, np.diff(data.starts))
    out = _unjudged(data)

    def judge_fold(k: int) -> None:
        say(f"judging fold {used.index(k) + 1} of {len(used)}")
        held_out = np.zeros((data.n_rows, len(data.labels)))
        others = [j for j in used if j != k]
        for j in others:
            rows = (row_dealt == j) | ((row_dealt == k) & (row_fold < 0))
            held_out[rows] = logits[min(j, k), max(j, k)][rows]
        calibrating = data.rows_of(taught) & (row_fold >= 0) & (row_fold != k)
        learner.check(calibrating)
        calibration = learner.calibration(held_out, np.flatnonzero(calibrating))
        held_out = calibration.apply(held_out)
        passes = learner.context_models(np.flatnonzero(taught & (fold_of != k)), held_out)
        test = np.flatnonzero(fold_of == k)
        for mode, chosen in zip(MODES, ((), *passes), strict=True):
            if mode != "paragraph" and not chosen:
                continue  # the data could not teach it
            for kind in VIEWS:
                viewed = fit.look(data, test, (kind,), with_hints=mode == "html", seed=0)
                given = calibration.apply(logits[k,][viewed.rows])
                run = context.run(chosen, viewed.surroundings, given)
                out[mode][kind][viewed.rows] = context.softmax(run)

    joblib.Parallel(n_jobs=2, require="sharedmem")(map(joblib.delayed(judge_fold), used))
    return out


def judged(data: Dataset, probabilities: NDArray[np.float64]) -> Judged:
    """The rows that have probabilities, ready for figures."""
    rows = ~np.isnan(probabilities[:, 0])
    sizes = np.diff(data.starts)
    names = sorted({name for document in data.documents for name in document.facets})
    facets = {
        name: np.repeat([document.facets.get(name, "") for document in data.documents], sizes)[rows] for name in names
    }
    return Judged(
        labels=data.labels,
        y=data.y[rows],
        probabilities=probabilities[rows],
        lengths=np.array([len(text) for text in data.texts], np.int64)[rows],
        groups=np.repeat([document.group for document in data.documents], sizes)[rows],
        facets=facets,
    )


def figures(data: Dataset, judgements: Judgements) -> dict[str, dict[str, Any]]:
    """The figures of each mode that judged any rows: of whole pages, and ``by`` view, facet and length."""
    out: dict[str, dict[str, Any]] = {}
    for mode, views in judgements.items():
        page = judged(data, views["page"])
        if not len(page.y):
            continue
        by: dict[str, dict[str, Any]] = {"view": {kind: judged(data, p).figures() for kind, p in views.items()}}
        for name, which, part in page.breakdowns():
            by.setdefault(name, {})[which] = part.figures()
        out[mode] = {**page.figures(), "reliability": page.reliability(), "thresholds": page.thresholds(), "by": by}
    return out


def judge(tagger: Tagger, data: Dataset) -> Judgements:
    """Judges every row by a model as it is. The data's labels must be the model's.

    Rows of documents without HTML hints are nan in the mode that needs them.
    """
    out = _unjudged(data)
    documents = np.arange(len(data.documents))
    paragraphs = [paragraph for document in data.documents for paragraph in document.paragraphs]
    for mode, kind in itertools.product(MODES, VIEWS):
        viewed = fit.look(data, documents, (kind,), with_hints=mode == "html", seed=0)
        given = paragraphs if mode == "html" else data.texts
        seen = [[given[i] for i in rows] for rows in np.split(viewed.rows, viewed.surroundings.starts[1:-1])]
        out[mode][kind][viewed.rows] = tagger.probabilities(seen, context=mode != "paragraph")
    return out


def as_used(judgements: Judgements) -> NDArray[np.float64]:
    """Probabilities of the rows of whole pages, each in the mode that a tagger would choose: that which sees most."""
    out = judgements["paragraph"]["page"]
    for mode in MODES[1:]:
        found = judgements[mode]["page"]
        out = np.where(np.isnan(found), out, found)
    return out


def errors(data: Dataset, judgements: Judgements) -> Iterator[dict[str, Any]]:
    """The rows of whole pages that a mode took for another label, as :func:`mistakes` has them."""
    for mode, views in judgements.items():
        for mistake in mistakes(data, views["page"]):
            yield {"mode": mode, **mistake}


def mistakes(data: Dataset, probabilities: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
    """The rows that were taken for another label, surest first: the paragraph, its neighbours, and what it was taken
    for.
    """
    guess = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(~np.isnan(probabilities[:, 0]) & (guess != data.y))
    document_of = np.repeat(np.arange(len(data.documents)), np.diff(data.starts))
    for i in wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")].tolist():
        document = data.documents[document_of[i]]
        first, last = data.starts[document_of[i]], data.starts[document_of[i] + 1] - 1
        yield {
            "group": document.group,
            **document.facets,
            "before": data.texts[i - 1] if i > first else None,
            "text": data.texts[i],
            "after": data.texts[i + 1] if i < last else None,
            "label": data.labels[data.y[i]],
            "taken_for": data.labels[guess[i]],
            "score": round(float(probabilities[i, guess[i]]), 4),
        }
