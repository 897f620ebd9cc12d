"""The model card: what a model's manifest tells, in Markdown for people."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from classifier.thresholds import MODES
from training.figures import CONTENT

MODE_NAMES: Final = {"paragraph": "alone", "text": "text", "html": "HTML"}
_PARTS: Final = {"view": "View", "lang": "Language", "collection": "Collection", "characters": "Characters"}
_LEAST_RECALL: Final = 0.9  # of the points of a curve that the card tells of
_Manifest = Mapping[str, Any]


def card(manifest: _Manifest, *, pictures: Collection[str] = (), known_failures: str = "") -> str:
    """The card as Markdown.

    Args:
        manifest: of the model.
        pictures: the files that lie beside the card, as ``plots.draw`` names them.
        known_failures: what figures do not say of where the model errs, as Markdown.
    """
    lines = [
        f"# Model card: boilertag {manifest['sha256'][:12]}",
        "",
        f"Says of each paragraph of a web document what it is: {_listed(manifest['labels'])}. TF-IDF of words and",
        "characters with logistic regression, and a second logistic regression over what the first says of the",
        "paragraphs around. `boilertag card` made this card from the model's manifest, `model.json`.",
        "",
        "## Use",
        "",
        "For tagging and cleaning text of web pages like those that it was fitted on, with their HTML or without. The",
        "project's README says what it is not for, its `datasets/LABELS.md` where each of the default model's labels",
        "begins and ends, and its `training/README.md` how models are fitted and judged.",
        "",
        *_data(manifest),
    ]
    if held_out := manifest.get("held_out"):
        lines += [*_figures(held_out), *_breakdowns(held_out)]
        lines += [*_confusion(held_out, pictures), *_calibration(pictures), *_thresholds(held_out, pictures)]
    else:
        lines += ["## Figures", "", "None: the model was fitted without.", ""]
    if curve := manifest.get("learning_curve"):
        lines += _learning_curve(curve, pictures)
    if known_failures.strip():
        lines += ["## Known failures", "", _without_title(known_failures), ""]
    return "\n".join(lines)


def _data(manifest: _Manifest) -> Iterator[str]:
    data = manifest.get("data")
    if not data:
        return
    yield from ("## Data", "")
    total = data["paragraphs"]
    yield from _table(
        ["label", "paragraphs", "share"],
        ([f"`{label}`", f"{n:,}", f"{n / total:.1%}"] for label, n in data["by_label"].items()),
    )
    yield f"{total:,} paragraphs of {data['documents']:,} documents; fingerprint `{data['fingerprint'][:16]}`."
    if base := manifest.get("base"):
        yield f"Learnt on top of `{base[:12]}`."
    if forced := manifest.get("forced"):
        yield f"Took another model's place without the gate's consent: {forced}"
    yield f"Settings: {_pairs(manifest.get('settings', {}))}. Versions: {_pairs(manifest.get('versions', {}))}."
    yield ""


def _figures(held_out: _Manifest) -> Iterator[str]:
    modes = modes_of(held_out)
    first = held_out[modes[0]]
    yield from ("## Figures", "")
    yield f"On {first['rows']:,} paragraphs of {first['groups']:,} sites, each judged by models that have not seen its"
    yield "site. “Alone” is each paragraph by itself; “text” has the paragraphs around it; “HTML” has elements and link"
    yield "densities too. In brackets: the middle 95 % of resamples of the sites."
    yield ""
    labels = list(first["by_label"])
    yield from _table(
        ["mode", "macro-F1", *(f"`{label}`" for label in labels), "calibration error"],
        (
            [
                MODE_NAMES[mode],
                interval(one["macro_f1"], one.get("macro_f1_interval")),
                *(interval(of["f1"], of.get("f1_interval")) for of in one["by_label"].values()),
                number(one["calibration_error"]),
            ]
            for mode, one in ((mode, held_out[mode]) for mode in modes)
        ),
    )
    yield from _table(
        ["label", "mode", "precision", "recall", "paragraphs"],
        (
            [f"`{label}`", MODE_NAMES[mode], number(of["precision"]), number(of["recall"]), f"{of['rows']:,}"]
            for label in labels
            for mode, of in ((mode, held_out[mode]["by_label"][label]) for mode in modes)
        ),
    )
    if CONTENT in first:
        yield from _table(
            ["cleaning", "by", "F1", "content kept", "boilerplate removed"],
            (
                [MODE_NAMES[mode], unit, *map(number, (of["f1"], of["content_kept"], of["boilerplate_removed"]))]
                for mode in modes
                for unit, of in ((unit, held_out[mode]["content"][f"by_{unit}"]) for unit in ("paragraph", "character"))
            ),
        )


def _breakdowns(held_out: _Manifest) -> Iterator[str]:
    """F1 by view, language and the like."""
    modes = modes_of(held_out)
    labels = held_out[modes[0]]["by_label"]
    for name, title in _PARTS.items():
        by = [held_out[mode].get("by", {}).get(name, {}) for mode in modes]
        if not any(by):
            continue
        yield from (f"### {title}", "", f"The F1s of a label are {', '.join(MODE_NAMES[mode] for mode in modes)}.", "")
        rows = []
        for which, first in by[0].items():
            parts = [parts.get(which, {}) for parts in by]
            macro = (interval(part.get("macro_f1"), part.get("macro_f1_interval")) for part in parts)
            f1 = (", ".join(number(part.get("f1", {}).get(label)) for part in parts) for label in labels)
            rows.append([which, f"{first['rows']:,}", *macro, *f1])
        head = (f"macro-F1, {MODE_NAMES[mode]}" for mode in modes)
        yield from _table([name, "paragraphs", *head, *(f"`{label}`" for label in labels)], rows)


def _confusion(held_out: _Manifest, pictures: Collection[str]) -> Iterator[str]:
    yield from ("### Confusion", "", "Down the labels, across what they were taken for.", "")
    yield from _picture("confusion", pictures)
    for mode in modes_of(held_out):
        one = held_out[mode]
        yield from _table(
            [MODE_NAMES[mode], *(f"`{label}`" for label in one["by_label"])],
            ([f"`{label}`", *map(str, row)] for label, row in zip(one["by_label"], one["confusion"], strict=True)),
        )


def _calibration(pictures: Collection[str]) -> list[str]:
    return ["### Calibration", "", *shown] if (shown := _picture("calibration", pictures)) else []


def _thresholds(held_out: _Manifest, pictures: Collection[str]) -> Iterator[str]:
    modes = [mode for mode in modes_of(held_out) if CONTENT in held_out[mode].get("thresholds", {})]
    if not modes:
        return
    yield from ("## How much may be lost", "")
    yield f"For `{CONTENT}` and `boilertag clean --keep-recall`: the share of its characters that is kept, the"
    yield "threshold on its probability, and the share of the other characters that is removed. In brackets: the share"
    yield "that is kept in all but the worst 2.5 % of resamples of the sites."
    yield ""
    curves = {mode: held_out[mode]["thresholds"][CONTENT] for mode in modes}
    yield from _table(
        ["kept", *(f"{MODE_NAMES[mode]}: {what}" for mode in modes for what in ("threshold", "removed"))],
        (
            [str(recall), *(cell for curve in curves.values() for cell in _threshold_cells(curve, recall))]
            for recall in curves[modes[0]]["recall"]
            if _LEAST_RECALL <= recall < 1
        ),
    )
    yield from _picture("thresholds", pictures)


def _threshold_cells(curve: Mapping[str, Any], recall: float) -> list[str]:
    i = curve["recall"].index(recall)
    low = curve["recall_low"][i]
    return [f"{curve['threshold'][i]:.3g}" + (f" ({low:.4f})" if low is not None else ""), number(curve["removed"][i])]


def _learning_curve(curve: Sequence[Mapping[str, Any]], pictures: Collection[str]) -> Iterator[str]:
    modes = [mode for mode in MODES if mode in curve[-1]["macro_f1"]]
    yield from ("## Learning curve", "", "Macro-F1 by the share of sites, and of extra documents, learnt from.", "")
    yield from _picture("learning_curve", pictures)
    yield from _table(
        ["sites", "extra", "documents", "paragraphs", *(MODE_NAMES[mode] for mode in modes)],
        (
            [
                f"{point['sites']:g}",
                f"{point['extra']:g}",
                f"{point['documents']:,}",
                f"{point['paragraphs']:,}",
                *(interval(point["macro_f1"].get(mode), point["macro_f1_interval"].get(mode)) for mode in modes),
            ]
            for point in curve
        ),
    )


def _picture(name: str, pictures: Collection[str]) -> list[str]:
    file = f"{name}.png"
    return [f"![{name.replace('_', ' ')}]({file})", ""] if file in pictures else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""


def modes_of(held_out: _Manifest) -> list[str]:
    """The modes that there are figures of."""
    return [mode for mode in MODES if mode in held_out]


def number(value: float | None) -> str:
    """A figure, for people."""
    return "–" if value is None else f"{value:.3f}"


def interval(value: float | None, bounds: Sequence[float | None] | None) -> str:
    """A figure with its interval, for people."""
    low, high = bounds or (None, None)
    return number(value) if low is None or high is None else f"{number(value)} ({low:.3f}–{high:.3f})"


def _listed(labels: Iterable[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _without_title(text: str) -> str:
    """Markdown without the heading at its start: it gets one here."""
    first, _, rest = text.strip().partition("\n")
    return rest.strip() if first.startswith("# ") else text.strip()
