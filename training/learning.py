"""How macro-F1 grows with what is learnt from: whether more labelled pages would help, and which."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier import RowError
from training.data import Dataset, folds
from training.evaluate import Judgements, as_used, cross_validate, judged
from training.figures import confusion, macro_f1
from training.fit import Learner, Progress, Settings

_SHARES: Final = (0.125, 0.25, 0.5)


def learning_curve(
    data: Dataset,
    fold_of: NDArray[np.int64],
    settings: Settings,
    full: Judgements,
    say: Progress,
    learner: Learner | None = None,
) -> list[dict[str, Any]]:
    """The macro-F1 of whole pages, by how much the models that judge them have learnt from.

    Each point takes a share of the ``sites`` of every fold's training side, or of the ``extra`` documents, those of
    fold −1, and all of the other; smaller shares are parts of larger ones. Every point judges the same documents. Where
    a share is too little to fit a model, its point has no figures.

    Args:
        data: the documents.
        fold_of: the fold of each, as for ``cross_validate``.
        settings: of fitting.
        full: what ``cross_validate`` judged with all of them.
        say: told of the progress.
        learner: of these data and settings, where there is one.
    """
    points = [(share, 1.0) for share in _SHARES]
    if (fold_of < 0).any():
        points += [(1.0, share) for share in (0.0, *_SHARES)]
    curve = []
    for i, (sites, extra) in enumerate(points, 1):
        taught = _taught(data, fold_of, sites, extra, settings.seed)
        try:
            telling = _prefixed(say, f"learning curve, {i} of {len(points)}: ")
            judgements = cross_validate(data, fold_of, settings, telling, taught=taught, learner=learner)
        except RowError:
            judgements = {}
        curve.append(_point(data, taught, sites, extra, judgements))
    every = np.ones(len(data.documents), bool)
    return [*curve, _point(data, every, 1.0, 1.0, full)]


def _prefixed(say: Progress, prefix: str) -> Progress:
    return lambda text: say(prefix + text)


def _taught(data: Dataset, fold_of: NDArray[np.int64], sites: float, extra: float, seed: int) -> NDArray[np.bool_]:
    """Which documents are learnt from: a share of the groups of each fold."""
    groups = np.array([document.group for document in data.documents])
    rng = np.random.default_rng(seed)
    taught = np.zeros(len(groups), bool)
    for fold in np.unique(fold_of):
        order = rng.permutation(np.unique(groups[fold_of == fold]))
        n = math.ceil(len(order) * (extra if fold < 0 else sites))
        taught |= (fold_of == fold) & np.isin(groups, order[:n])
    return taught


def _point(
    data: Dataset, taught: NDArray[np.bool_], sites: float, extra: float, judgements: Judgements
) -> dict[str, Any]:
    found = {mode: judged(data, views["page"]) for mode, views in judgements.items()}
    figures = {mode: one.figures() for mode, one in found.items() if len(one.y)}
    return {
        "sites": sites,
        "extra": extra,
        "documents": int(taught.sum()),
        "paragraphs": int(data.rows_of(taught).sum()),
        "macro_f1": {mode: one["macro_f1"] for mode, one in figures.items()},
        "macro_f1_interval": {mode: one["macro_f1_interval"] for mode, one in figures.items()},
    }


def report(curve: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The curve as lines for a terminal."""
    modes = list(curve[-1]["macro_f1"])
    yield "sites  extra  documents  paragraphs  macro-F1: " + "  ".join(f"{mode:>9}" for mode in modes)
    for point in curve:
        f1 = "  ".join(f"{point['macro_f1'][mode]:>9.4f}" for mode in modes if mode in point["macro_f1"])
        head = f"{point['sites']:>5}  {point['extra']:>5}  {point['documents']:>9}  {point['paragraphs']:>10}"
        yield f"{head}            {f1 or 'too little to fit a model'}"


def outlook(
    learner: Learner, fold_of: NDArray[np.int64], judgements: Judgements, say: Progress
) -> dict[str, Any] | None:
    """What more rows may bring: macro-F1 by how many were learnt from, and what to expect with twice as many.

    Cheaper than a whole curve: a quarter and a half of the groups, in three folds. What is missing to a macro-F1 of 1
    is taken to fall as a power of the rows. None where the rows are too few to leave more of them away.

    Args:
        learner: of the data.
        fold_of: the fold of each document; −1 is learnt from always.
        judgements: what was judged when all the rows were learnt from.
        say: told of the progress.
    """
    data, seed = learner.data, learner.settings.seed
    judged = fold_of >= 0
    three = np.full(len(fold_of), -1)
    three[judged] = folds([document for document, one in zip(data.documents, judged, strict=True) if one], 3, seed)
    points: list[tuple[float, float]] = []
    for share in (0.25, 0.5):
        taught = _taught(data, three, share, 1.0, seed)
        n_rows = _learnt_from(data, three, taught)
        try:
            telling = _prefixed(say, f"a share of {share} of the rows: ")
            found = cross_validate(data, three, learner.settings, telling, taught=taught, learner=learner)
        except RowError:
            continue
        if not points or n_rows > points[-1][0]:
            points.append((n_rows, _macro_f1(data, as_used(found))))
    points.append((_learnt_from(data, fold_of, np.ones(len(fold_of), bool)), _macro_f1(data, as_used(judgements))))
    if len(points) == 1:
        return None
    rows, f1 = np.array(points).T
    missing = np.log(np.maximum(1 - f1, 1e-4))
    power = min(float(np.polyfit(np.log(rows), missing, 1)[0]), 0.0)
    expected = 1 - math.exp(missing[-1]) * (2 * data.n_rows / rows[-1]) ** power
    return {
        "points": [{"rows": round(n), "macro_f1": round(one, 4)} for n, one in points],
        "power": round(power, 4),
        "twice": {"rows": 2 * data.n_rows, "macro_f1": round(expected, 4)},
    }


def _learnt_from(data: Dataset, fold_of: NDArray[np.int64], taught: NDArray[np.bool_]) -> float:
    """How many rows a fold's models learn from, on average."""
    n_folds = len(np.unique(fold_of[fold_of >= 0]))
    return float(data.rows_of(taught).sum() - data.rows_of(taught & (fold_of >= 0)).sum() / n_folds)


def _macro_f1(data: Dataset, probabilities: NDArray[np.float64]) -> float:
    rows = ~np.isnan(probabilities[:, 0])
    return macro_f1(confusion(data.y[rows], probabilities[rows].argmax(axis=1), len(data.labels)))
