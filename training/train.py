"""From files of labelled rows to a model folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from classifier import BoilertagError, RowError, Tagger, folder
from classifier.folder import MANIFEST_FILE, MODEL_FILE, Model, model_name
from training import evaluate, fit, report, versions
from training.data import Dataset, folds
from training.evaluate import Judgements
from training.fit import Learner, Progress, Settings
from training.gate import RECORD_FILE, Comparison, Record, Rival, compare
from training.learning import learning_curve, outlook
from training.update import OnBase
from training.versions import Version


def train(data: Dataset, settings: Settings, say: Progress, *, figures: bool = True, with_curve: bool = False) -> Model:
    """Fits a model and, unless told not to, judges its kind on held-out groups for the manifest; ``with_curve`` also by
    how much it has learnt from.

    Raises:
        RowError: there are too few groups to hold any out.
    """
    return fit_and_judge(data, settings, say, figures=figures, with_curve=with_curve).model


class Fitted(NamedTuple):
    """A model, what fitted it, and what was said of each row by models like it that had not seen its group; fold −1 was
    not judged.
    """

    model: Model
    learner: Learner
    fold_of: NDArray[np.int64]
    judgements: Judgements | None


def fit_and_judge(
    data: Dataset,
    settings: Settings,
    say: Progress,
    *,
    base: Model | None = None,
    seen: NDArray[np.bool_] | None = None,
    figures: bool = True,
    with_curve: bool = False,
) -> Fitted:
    """Does what ``train`` does, and gives the judgements too, where there are any.

    With a base, the data's labels must be its labels; rows that it has ``seen`` are learnt from, but not judged.
    """
    groups = [document.group for document in data.documents]
    n_groups = len(set(groups))
    if n_groups < evaluate.MIN_FOLDS:
        raise RowError(
            f"{n_groups} groups (sites); holding folds out needs {evaluate.MIN_FOLDS} or more: label more sites, or"
            " hold out documents with --group doc"
        )
    fold_of = folds(data.documents, min(settings.inner_folds, n_groups), settings.seed)
    with threadpool_limits(1):  # sums depend on how many threads share them, and so would the model's bytes
        say("counting n-grams")
        learner = OnBase(data, settings, base) if base else Learner(data, settings)
        model = fit.fit(learner, fold_of, say)
        if not figures:
            return Fitted(model, learner, fold_of, None)
        # What is weighed down teaches, but is not what the model is for.
        weights = np.array([document.weight for document in data.documents])
        judged = weights == weights.max()
        if seen is not None:
            judged &= ~seen[data.starts[:-1]]
            if len({group for group, one in zip(groups, judged, strict=True) if one}) < evaluate.MIN_FOLDS:
                raise RowError(
                    "the base was fitted on these rows, so that no figures would be honest; name another base"
                )
            chosen = [document for document, one in zip(data.documents, judged, strict=True) if one]
            fold_of[judged] = folds(chosen, min(settings.inner_folds, len({d.group for d in chosen})), settings.seed)
        fold_of = np.where(judged, fold_of, -1)
        judgements = evaluate.cross_validate(data, fold_of, settings, say, learner=learner)
        held_out = {mode: _in_brief(found) for mode, found in evaluate.figures(data, judgements).items()}
        manifest = {**model.manifest, "held_out": held_out}
        if with_curve:
            manifest["learning_curve"] = learning_curve(data, fold_of, settings, judgements, say, learner)
    return Fitted(replace(model, manifest=manifest), learner, fold_of, judgements)


def _in_brief(figures: Mapping[str, Any]) -> dict[str, Any]:
    """A mode's figures, with less of each language and the like: the manifest goes wherever the model goes."""
    kept = ("rows", "groups", "macro_f1", "macro_f1_interval", "calibration_error", "content")
    by = {
        name: {
            which: {key: part[key] for key in kept if key in part}
            | {"f1": {label: one["f1"] for label, one in part["by_label"].items()}}
            for which, part in parts.items()
        }
        for name, parts in figures["by"].items()
    }
    return {**figures, "by": by}


@dataclass(frozen=True)
class Outcome:
    """What became of a training.

    Attributes:
        model: as it was fitted and judged.
        version: where it lies.
        compared: with the model in use; or why not.
        refused: why it did not take that one's place; None where it did.
        html, json: the report.
    """

    model: Model
    version: Version
    compared: Comparison | str
    refused: str | None
    html: bytes
    json: bytes


def retrain(
    target: Path,
    data: Dataset,
    settings: Settings,
    say: Progress,
    *,
    kept: int,
    base: Path | None = None,
    figures: bool = True,
    with_curve: bool = False,
    force: str | None = None,
    files: Sequence[Mapping[str, Any]] = (),
    findings: Sequence[Mapping[str, Any]] = (),
) -> Outcome:
    """Fits a model, which takes the place of the one in a folder unless it is worse. The folder must be locked.

    Args:
        target: the model folder.
        data: what to fit it on.
        settings: of fitting.
        say: told of the progress.
        kept: how many versions are kept beside the one in use.
        base: the folder of a model to fit on top of, whose labels the data have, in its order.
        figures: whether to judge it on held-out groups.
        with_curve: whether to judge by how much it has learnt from too.
        force: why it should take the place even if it is worse, or not judged.
        files: what was read, for the report.
        findings: of the checks, for the report.

    Raises:
        RowError: the data can't be learnt from.
        ModelError: the folder holds a model that can't be read.
        BoilertagError: there is a model in use, and without figures nothing to compare it by.
        OSError: the model can't be written; the one in use is as it was.
    """
    on_top_of = folder.read(base) if base else None
    rival = _rival(target, "which is in use") or (_rival(base, "the base") if base else None)
    in_use = versions.current(target)
    if in_use and not figures and force is None:
        raise BoilertagError(
            f"{target} has a model in use, and without figures the new one can't be compared with it: "
            "leave --no-figures away, or say why with --force"
        )
    below = versions.current(base) if base else None
    record = Record.read(below.folder) if below else None
    model, learner, fold_of, judgements = fit_and_judge(
        data,
        settings,
        say,
        base=on_top_of,
        seen=record.seen_groups(data) if record else None,
        figures=figures,
        with_curve=with_curve,
    )
    raw, manifest = folder.pack(model)
    compared: Comparison | str = "there was no model in use to compare with"
    if rival and rival.name == model_name(manifest):
        compared = "the model in use has the same weights"
    elif rival:
        compared = compare(data, judgements, rival) if judgements else f"not compared with {rival.name}: not judged"
    worse = isinstance(compared, Comparison) and compared.worse
    refused = str(compared) if worse and force is None else None
    forced = force if worse or (in_use and not judgements) else None
    manifest |= {versions.REFUSED: refused} if refused else {versions.FORCED: forced} if forced else {}
    with threadpool_limits(1):
        learning = outlook(learner, fold_of, judgements, say) if judgements else None
    say("writing the report")
    told = report.describe(
        model,
        learner,
        name=model_name(manifest),
        files=files,
        findings=findings,
        judgements=judgements,
        learning=learning,
        compared=compared,
        refused=refused,
        forced=forced,
    )
    written = {
        MODEL_FILE: raw,
        MANIFEST_FILE: folder.manifest_file(manifest),
        report.JSON_FILE: (json.dumps(told, indent=2) + "\n").encode(),
        report.HTML_FILE: report.html(told).encode("utf-8", "replace"),
    }
    if judgements:
        written[RECORD_FILE] = Record.of(data, judgements).packed()
    version = versions.keep(target, written)
    if refused:
        versions.prune(target, max(kept, 1))
    else:
        versions.use(target, version.name)
        versions.prune(target, kept)
    return Outcome(model, version, compared, refused, written[report.HTML_FILE], written[report.JSON_FILE])


def _rival(path: Path, role: str) -> Rival | None:
    """The model in a folder, to compare another with; None where there is none."""
    version = versions.current(path)
    return Rival(version.name, role, Tagger.load(path), Record.read(version.folder)) if version else None
