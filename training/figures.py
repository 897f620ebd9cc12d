"""Figures of held-out judgements: precision, recall, F1, calibration, and what cleaning keeps and removes."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_DOWN, Context
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONTENT: Final = "content"  # the label that cleaning keeps, where a model has it
_LENGTHS: Final = (15, 60, 240)  # characters; bounds of the bins that figures are broken down by
_SCORE_BINS: Final = 10
_BOOTSTRAPS: Final = 500
_MIN_ROWS: Final = 100  # of a language or a collection that gets figures of its own
# Shares of a label's characters that the curve of thresholds has a point for.
_RECALLS: Final = np.array(
    [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 1.0]
)
_TOLD_RECALLS: Final = (0.98, 0.99, 0.995, 0.999)  # of them, those that the report tells of
_SHORT: Final = Context(prec=6, rounding=ROUND_DOWN)  # of thresholds: down, so that what they kept they keep still


def confusion(y: NDArray[np.int64], guess: NDArray[np.int64], n_labels: int) -> NDArray[np.int64]:
    """How often label ``i`` was taken for label ``j``, at ``[i, j]``."""
    return np.bincount(y * n_labels + guess, minlength=n_labels**2).reshape(n_labels, n_labels)


def _ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Elementwise part / whole, nan where the whole is zero."""
    part, whole = np.broadcast_arrays(part, whole)
    out = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=out, where=whole != 0, dtype=np.float64)
    return out


def f1_scores(table: NDArray[Any]) -> NDArray[np.float64]:
    """The F1 of each label, from a confusion table or a stack of them; nan where a label neither occurs nor was
    guessed.
    """
    right = table.diagonal(axis1=-2, axis2=-1)
    return _ratio(2.0 * right, table.sum(axis=-2) + table.sum(axis=-1))


def macro_f1(table: NDArray[Any]) -> float:
    """The mean F1 of the labels that occur or were guessed."""
    return float(np.nanmean(f1_scores(table)))


def _score_bins(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each score; bins are of equal width."""
    return np.minimum((score * _SCORE_BINS).astype(np.int64), _SCORE_BINS - 1)


def calibration_error(correct: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Expected calibration error: the mean gap between a score and how often it is right, over bins of scores
    (Naeini, Cooper and Hauskrecht, 2015).
    """
    gaps = np.bincount(_score_bins(score), score - correct)
    return float(np.abs(gaps).sum() / len(score))


def resamples(groups: NDArray[np.str_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each row's group, and how often each group is drawn: a row a resample, a column a group."""
    names, place = np.unique(groups, return_inverse=True)
    n = len(names)
    return place, np.random.default_rng(0).multinomial(n, np.full(n, 1 / max(n, 1)), _BOOTSTRAPS)


class Judged:
    """Rows with their labels and held-out probabilities, and what they can be broken down by."""

    def __init__(
        self,
        labels: Sequence[str],
        y: NDArray[np.int64],
        probabilities: NDArray[np.float64],
        lengths: NDArray[np.int64],
        groups: NDArray[np.str_],
        facets: dict[str, NDArray[np.str_]],
    ) -> None:
        self.labels = tuple(labels)
        self.y, self.probabilities, self.lengths, self.groups = y, probabilities, lengths, groups
        self.facets = facets
        self.guess, self.score = probabilities.argmax(axis=1), probabilities.max(axis=1)

    def take(self, rows: NDArray[np.bool_]) -> "Judged":
        facets = {name: values[rows] for name, values in self.facets.items()}
        return Judged(
            self.labels, self.y[rows], self.probabilities[rows], self.lengths[rows], self.groups[rows], facets
        )

    @property
    def table(self) -> NDArray[np.int64]:
        return confusion(self.y, self.guess, len(self.labels))

    def figures(self) -> dict[str, Any]:
        """The figures of these rows, as JSON has them."""
        table = self.table
        recall, precision = _ratio(table.diagonal(), table.sum(axis=1)), _ratio(table.diagonal(), table.sum(axis=0))
        macro_interval, f1_intervals = self._intervals()
        by_label = {
            label: {
                "precision": _rounded(precision[i]),
                "recall": _rounded(recall[i]),
                "f1": _rounded(f1),
                "f1_interval": _all_rounded(f1_intervals[i]),
                "rows": int(table[i].sum()),
            }
            for i, (label, f1) in enumerate(zip(self.labels, f1_scores(table), strict=True))
        }
        out: dict[str, Any] = {
            "rows": len(self.y),
            "groups": len(np.unique(self.groups)),
            "macro_f1": _rounded(macro_f1(table)),
            "macro_f1_interval": _all_rounded(macro_interval),
            "accuracy": _rounded(table.trace() / len(self.y)),
            "calibration_error": _rounded(calibration_error(self.guess == self.y, self.score)),
            "by_label": by_label,
            "confusion": table.tolist(),
        }
        if CONTENT in self.labels:
            out["content"] = {
                "by_paragraph": self._content(np.ones(len(self.y))),
                "by_character": self._content(self.lengths.astype(np.float64)),
            }
        return out

    def reliability(self) -> dict[str, list[float | None]]:
        """For each bin of scores that has any rows: their mean ``score``, the share of them that is ``right``, and how
        many ``rows`` they are.
        """
        place = _score_bins(self.score)
        rows = np.bincount(place, minlength=_SCORE_BINS)
        used = rows > 0
        score, right = (np.bincount(place, of, _SCORE_BINS)[used] for of in (self.score, self.guess == self.y))
        return {
            "score": _all_rounded(_ratio(score, rows[used])),
            "right": _all_rounded(_ratio(right, rows[used])),
            "rows": rows[used].tolist(),
        }

    def _content(self, mass: NDArray[np.float64]) -> dict[str, float | None]:
        place = self.labels.index(CONTENT)
        is_content, kept = self.y == place, self.guess == place
        both = mass[is_content & kept].sum()
        return {
            "f1": _rounded(_ratio(2 * both, mass[is_content].sum() + mass[kept].sum())),
            "content_kept": _rounded(_ratio(both, mass[is_content].sum())),
            "boilerplate_removed": _rounded(_ratio(mass[~is_content & ~kept].sum(), mass[~is_content].sum())),
        }

    def thresholds(self) -> dict[str, dict[str, list[float | None]]]:
        """For each label the curve from which cleaning takes its threshold, a list a column.

        ``recall``: the share of the label's characters that paragraphs with at least the ``threshold`` as the label's
        probability hold; ``recall_low``: what it is at least in 97.5 % of resamples of the groups; ``removed``: the
        share of the other labels' characters that is left out; ``paragraphs_kept``, ``paragraphs_removed``: the same
        shares by paragraphs.
        """
        out = {}
        for i, label in enumerate(self.labels):
            own, p = self.y == i, self.probabilities[:, i]
            if not self.lengths[own].any():
                continue
            at = _thresholds(p[own], self.lengths[own])
            kept = p[:, None] >= at
            gone, lengths = ~kept[~own], self.lengths[~own]
            out[label] = {
                "recall": _RECALLS.tolist(),
                "recall_low": _all_rounded(self._least_kept(own, kept), 5),
                "threshold": at.tolist(),
                "removed": _all_rounded(_ratio(lengths @ gone, lengths.sum())),
                "paragraphs_kept": _all_rounded(kept[own].mean(axis=0)),
                "paragraphs_removed": _all_rounded(_ratio(gone.sum(axis=0), len(gone))),
            }
        return out

    def _least_kept(self, own: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """For each column of ``kept`` the share of the own rows' characters that is kept in all but the worst 2.5 % of
        resamples of the groups.
        """
        place, times = resamples(self.groups)
        n = times.shape[1]
        if n < 2:
            return np.full(kept.shape[1], np.nan)
        mass = np.where(own, self.lengths, 0)
        of_groups = np.stack([np.bincount(place, mass * column, n) for column in kept.T], axis=1)
        shares = _ratio(times @ of_groups, (times @ np.bincount(place, mass, n))[:, None])
        return np.array([middle(column[~np.isnan(column)])[0] for column in shares.T])

    def _intervals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The middle 95 % of macro-F1, of shape (2,), and of each label's F1, (n_labels, 2), over resamples of whole
        groups; nan where there is one group only, or none of a label.
        """
        k = len(self.labels)
        place, times = resamples(self.groups)
        n = times.shape[1]
        if n < 2:
            return np.full(2, np.nan), np.full((k, 2), np.nan)
        tables = np.bincount(place * k * k + self.y * k + self.guess, minlength=n * k * k).reshape(n, k * k)
        scores = f1_scores((times @ tables).reshape(-1, k, k))
        of_labels = [middle(column[~np.isnan(column)]) for column in scores.T]
        return middle(np.nanmean(scores, axis=1)), np.stack(of_labels)

    def breakdowns(self) -> Iterator[tuple[str, str, "Judged"]]:
        """(what by, which, the rows of it): by each facet, largest first, and by length."""
        for name, values in self.facets.items():
            found, counts = np.unique(values, return_counts=True)
            for i in np.argsort(-counts, kind="stable"):
                if counts[i] >= _MIN_ROWS and found[i]:
                    yield name, str(found[i]), self.take(values == found[i])
        bins = np.searchsorted(_LENGTHS, self.lengths)
        names = [f"to {_LENGTHS[0]}", *(f"to {high}" for high in _LENGTHS[1:]), f"over {_LENGTHS[-1]}"]
        for i, name in enumerate(names):
            if (bins == i).any():
                yield "characters", name, self.take(bins == i)


def middle(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The bounds of the middle 95 %."""
    return np.percentile(values, [2.5, 97.5]) if len(values) else np.full(2, np.nan)


def _thresholds(p: NDArray[np.float64], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """For each of the recalls the highest threshold at which rows with these probabilities keep it, by characters."""
    order = np.argsort(-p, kind="stable")
    reached = np.cumsum(lengths[order])
    place = np.searchsorted(reached, _RECALLS * reached[-1])
    return np.array([float(_SHORT.create_decimal_from_float(value)) for value in p[order][place].tolist()])


def _rounded(value: Any, digits: int = 4) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)


def _all_rounded(values: NDArray[np.float64], digits: int = 4) -> list[float | None]:
    return [_rounded(value, digits) for value in values]


def report(figures: Mapping[str, Any]) -> Iterator[str]:
    """A mode's figures as lines for a terminal."""
    span = f" (95 % of resampled sites {_span(figures['macro_f1_interval'])})"
    yield f"macro-F1 {figures['macro_f1']:.4f}{span}, {figures['rows']} rows of {figures['groups']} sites"
    yield f"calibration error {figures['calibration_error']:.4f}, accuracy {figures['accuracy']:.4f}"
    by_label = figures["by_label"]
    width = max(map(len, by_label))
    yield f"{'':{width}}  precision  recall     f1         95 %    rows   taken for {', '.join(by_label)}"
    for (label, one), taken in zip(by_label.items(), figures["confusion"], strict=True):
        yield (
            f"{label:{width}}  {_cell(one['precision']):>9}  {_cell(one['recall']):>6}  {_cell(one['f1']):>5}"
            f"  {_span(one['f1_interval']):>11}  {one['rows']:>6}   {', '.join(map(str, taken))}"
        )
    for unit, one in figures.get("content", {}).items():
        yield (
            f"content {unit.replace('_', ' ')}: F1 {_cell(one['f1'])}, kept {_cell(one['content_kept'])},"
            f" boilerplate removed {_cell(one['boilerplate_removed'])}"
        )
    if curve := figures["thresholds"].get(CONTENT):
        points = dict(zip(curve["recall"], curve["removed"], strict=True))
        removed = ", ".join(f"{_cell(points[recall])} at {recall}" for recall in _TOLD_RECALLS)
        yield f"boilerplate removed by character, at a share of content kept (--keep-recall): {removed}"
    for name, parts in figures["by"].items():
        yield from _table(name, parts)


def _table(name: str, parts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line a part: a language, say."""
    labels = next(iter(parts.values()))["by_label"]
    width = max(len(name) + 3, *(len(which) + 2 for which in parts))
    head = f"{f'by {name}':{width}}    rows  macro-F1         95 %  calibration"
    yield head + "".join(f"  {label:>5}" for label in labels) + "   by character: content kept, boilerplate removed"
    for which, one in parts.items():
        head = f"{f'  {which}':{width}}  {one['rows']:>6}  {_cell(one['macro_f1']):>8}"
        head += f"  {_span(one['macro_f1_interval']):>11}  {_cell(one['calibration_error']):>11}"
        f1 = "".join(f"  {_cell(of['f1']):>{max(len(label), 5)}}" for label, of in one["by_label"].items())
        yield f"{head}{f1}   {_kept_and_removed(one)}"


def _kept_and_removed(figures: Mapping[str, Any]) -> str:
    one = figures.get("content", {}).get("by_character", {})
    return f"{_cell(one.get('content_kept')):>12}, {_cell(one.get('boilerplate_removed'))}"


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _span(interval: Sequence[float | None]) -> str:
    low, high = interval
    return "–" if low is None or high is None else f"{low:.3f}–{high:.3f}"
