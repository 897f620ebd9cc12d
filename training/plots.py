"""The pictures of a model card. They need matplotlib, which is imported only here and only when they are drawn."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from classifier import BoilertagError
from classifier.thresholds import MODES
from training.card import MODE_NAMES
from training.figures import CONTENT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI: Final = 90


def draw(manifest: Mapping[str, Any], folder: Path) -> list[str]:
    """Draws what the manifest has figures for, each as a PNG file in the folder; returns the files' names.

    Raises:
        BoilertagError: matplotlib is not installed.
    """
    names = []
    for name, figure in _figures(manifest):
        names.append(f"{name}.png")
        figure.savefig(folder / names[-1], dpi=_DPI, metadata={"Software": None})
    return names


def _figures(manifest: Mapping[str, Any]) -> Iterator[tuple[str, "Figure"]]:
    found: Mapping[str, Any] = manifest.get("held_out", {})
    held_out = {str(mode): found[mode] for mode in MODES if mode in found}
    measured = {mode: one for mode, one in held_out.items() if "reliability" in one}
    if measured:
        figure, (axes,) = _new(1)
        _calibration(axes, measured)
        yield "calibration", figure
    if held_out:
        figure, many = _new(len(held_out))
        for axes, (mode, one) in zip(many, held_out.items(), strict=True):
            _confusion(axes, MODE_NAMES[mode], list(one["by_label"]), one["confusion"])
        yield "confusion", figure
    curves = {mode: one["thresholds"][CONTENT] for mode, one in measured.items() if CONTENT in one["thresholds"]}
    if curves:
        figure, (axes,) = _new(1)
        _thresholds(axes, curves)
        yield "thresholds", figure
    if curve := manifest.get("learning_curve"):
        with_extra = any(point["extra"] < 1 for point in curve)
        figure, many = _new(1 + with_extra)
        for axes, (what, other) in zip(many, (("sites", "extra"), ("extra", "sites")), strict=False):
            _learning_curve(axes, what, [point for point in curve if point[other] == 1])
        yield "learning_curve", figure


def _new(n: int) -> tuple["Figure", Sequence["Axes"]]:
    """A figure with so many axes side by side."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise BoilertagError("plots need matplotlib; pip install 'boilertag[plots]'") from None
    figure = Figure(figsize=(4.6 * n, 4), layout="constrained")
    return figure, figure.subplots(1, n, squeeze=False)[0]


def _calibration(axes: "Axes", held_out: Mapping[str, Mapping[str, Any]]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for mode, one in held_out.items():
        bins = one["reliability"]
        axes.plot(bins["score"], bins["right"], marker="o", markersize=3, label=MODE_NAMES[mode])
    axes.set(xlabel="score of the label given", ylabel="share that is right", title="Calibration")
    axes.legend()


def _confusion(axes: "Axes", title: str, labels: Sequence[str], table: Sequence[Sequence[int]]) -> None:
    counts = np.array(table, float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for (i, j), share in np.ndenumerate(shares):
        axes.text(j, i, f"{share:.2f}", ha="center", va="center", color="white" if share > 0.5 else "black")
    axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="taken for", ylabel="label", title=f"Confusion, {title}")


def _thresholds(axes: "Axes", curves: Mapping[str, Mapping[str, Any]]) -> None:
    for mode, curve in curves.items():
        points = [(1 - recall, gone) for recall, gone in zip(curve["recall"], curve["removed"], strict=True)]
        lost, removed = zip(*((x, y) for x, y in points if x > 0), strict=True)  # no place for 0 on the scale
        axes.plot(lost, removed, marker="o", markersize=3, label=MODE_NAMES[mode])
    axes.set_xscale("log")
    axes.set(xlabel=f"{CONTENT} lost, share of characters", ylabel="the rest removed, share of characters")
    axes.set(title="How much may be lost", ylim=(0, 1))
    axes.legend()


def _learning_curve(axes: "Axes", what: str, points: Sequence[Mapping[str, Any]]) -> None:
    points = sorted(points, key=lambda point: float(point[what]))
    for mode in MODES:
        found = [(point[what], point["macro_f1"][mode]) for point in points if mode in point["macro_f1"]]
        if found:
            axes.plot(*zip(*found, strict=True), marker="o", markersize=3, label=MODE_NAMES[mode])
    named = {"sites": "share of sites learnt from", "extra": "share of extra documents learnt from"}
    axes.set(xlabel=named[what], ylabel="macro-F1", title="Learning curve")
    axes.legend()
