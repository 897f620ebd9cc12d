"""Figures of held-out judgements: precision, recall, F1, calibration, and what cleaning keeps and removes."""

from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, Context
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONTENT: Final = "content"  # the label that cleaning keeps, where a model has it
_LENGTHS: Final = (15, 60, 240)  # characters; bounds of the bins that figures are broken down by
_BOOTSTRAPS: Final = 500
_MIN_ROWS: Final = 100  # of a language or a collection that gets figures of its own
# Shares of a label's characters that the curve of thresholds has a point for.
_RECALLS: Final = np.array(
    [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 1.0]
)
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
    """The F1 of each label, from a confusion table; nan where a label neither occurs nor was guessed."""
    return _ratio(2.0 * table.diagonal(), table.sum(axis=0) + table.sum(axis=1))


def macro_f1(table: NDArray[Any]) -> float:
    """The mean F1 of the labels that occur or were guessed."""
    return float(np.nanmean(f1_scores(table)))


def calibration_error(correct: NDArray[np.bool_], score: NDArray[np.float64], bins: int = 10) -> float:
    """Expected calibration error: the mean gap between a score and how often it is right, over equal-width bins
    (Naeini, Cooper and Hauskrecht, 2015).
    """
    place = np.minimum((score * bins).astype(int), bins - 1)
    gaps = np.bincount(place, score - correct, bins)
    return float(np.abs(gaps).sum() / len(score))


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
        self.guess = probabilities.argmax(axis=1)

    def take(self, rows: NDArray[np.bool_]) -> "Judged":
        facets = {name: values[rows] for name, values in self.facets.items()}
        return Judged(
            self.labels, self.y[rows], self.probabilities[rows], self.lengths[rows], self.groups[rows], facets
        )

    @property
    def table(self) -> NDArray[np.int64]:
        return confusion(self.y, self.guess, len(self.labels))

    def figures(self) -> dict[str, Any]:
        """All figures, as JSON has them."""
        table = self.table
        recall, precision = _ratio(table.diagonal(), table.sum(axis=1)), _ratio(table.diagonal(), table.sum(axis=0))
        by_label = {
            label: {
                "precision": _rounded(precision[i]),
                "recall": _rounded(recall[i]),
                "f1": _rounded(f1),
                "rows": int(table[i].sum()),
            }
            for i, (label, f1) in enumerate(zip(self.labels, f1_scores(table), strict=True))
        }
        low, high = self._interval()
        out: dict[str, Any] = {
            "rows": len(self.y),
            "groups": len(np.unique(self.groups)),
            "macro_f1": _rounded(macro_f1(table)),
            "macro_f1_interval": [_rounded(low), _rounded(high)],
            "accuracy": _rounded(table.trace() / max(len(self.y), 1)),
            "calibration_error": _rounded(
                calibration_error(self.guess == self.y, self.probabilities.max(axis=1)) if len(self.y) else np.nan
            ),
            "by_label": by_label,
            "confusion": table.tolist(),
            "thresholds": self.thresholds(),
        }
        if CONTENT in self.labels:
            out["content"] = {
                "by_paragraph": self._content(np.ones(len(self.y))),
                "by_character": self._content(self.lengths.astype(np.float64)),
            }
        return out

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
        place, times = self._resamples()
        n = times.shape[1]
        if n < 2:
            return np.full(kept.shape[1], np.nan)
        mass = np.where(own, self.lengths, 0)
        of_groups = np.stack([np.bincount(place, mass * column, n) for column in kept.T], axis=1)
        shares = _ratio(times @ of_groups, (times @ np.bincount(place, mass, n))[:, None])
        low: NDArray[np.float64] = np.nanpercentile(shares, 2.5, axis=0)
        return low

    def _resamples(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The number of each row's group, and how often each group is drawn: a row a resample, a column a group."""
        names, place = np.unique(self.groups, return_inverse=True)
        n = len(names)
        return place, np.random.default_rng(0).multinomial(n, np.full(n, 1 / max(n, 1)), _BOOTSTRAPS)

    def _interval(self) -> tuple[float, float]:
        """The middle 95 % of macro-F1 over resamples of whole groups."""
        k = len(self.labels)
        place, times = self._resamples()
        n = times.shape[1]
        if n < 2:
            return np.nan, np.nan
        tables = np.bincount(place * k * k + self.y * k + self.guess, minlength=n * k * k).reshape(n, k * k)
        scores = [macro_f1(table.reshape(k, k)) for table in times @ tables]
        low, high = np.percentile(scores, [2.5, 97.5])
        return float(low), float(high)

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


def report(judged: Judged) -> Iterator[str]:
    """The figures as lines for a terminal."""
    figures = judged.figures()
    low, high = figures["macro_f1_interval"]
    span = f" (95 % of resampled sites {low:.3f}–{high:.3f})" if low is not None else ""
    yield f"macro-F1 {figures['macro_f1']:.4f}{span}, {figures['rows']} rows of {figures['groups']} sites"
    yield f"calibration error {figures['calibration_error']:.4f}, accuracy {figures['accuracy']:.4f}"
    width = max(map(len, judged.labels))
    yield f"{'':{width}}  precision  recall      f1    rows   taken for " + ", ".join(judged.labels)
    for (label, one), taken in zip(figures["by_label"].items(), figures["confusion"], strict=True):
        cells = "".join(f"{_cell(one[name]):>9}" for name in ("precision", "recall", "f1"))
        yield f"{label:{width}}  {cells} {one['rows']:>7}   " + ", ".join(map(str, taken))
    for unit, one in figures.get("content", {}).items():
        yield (
            f"content {unit.replace('_', ' ')}: F1 {_cell(one['f1'])}, kept {_cell(one['content_kept'])},"
            f" boilerplate removed {_cell(one['boilerplate_removed'])}"
        )
    before = None
    for by, which, part in judged.breakdowns():
        if by != before:
            yield f"by {by}:"
            before = by
        scores = ", ".join(
            f"{label} {_cell(f1)}" for label, f1 in zip(part.labels, map(float, f1_scores(part.table)), strict=True)
        )
        yield f"  {which}: macro-F1 {macro_f1(part.table):.3f}, {len(part.y)} rows; F1 {scores}"


def _cell(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.3f}"
