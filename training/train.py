"""From files of labelled rows to a model folder."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from classifier import RowError, folder
from classifier.folder import Model
from training import evaluate, fit
from training.data import Dataset, folds
from training.fit import Progress, Settings
from training.learning import learning_curve


def train(data: Dataset, settings: Settings, say: Progress, *, figures: bool = True, with_curve: bool = False) -> Model:
    """Fits a model and, unless told not to, judges its kind on held-out groups for the manifest; ``with_curve`` also by
    how much it has learnt from.

    Raises:
        RowError: there are too few groups to hold any out.
    """
    n_groups = len({document.group for document in data.documents})
    if n_groups < evaluate.MIN_FOLDS:
        raise RowError(
            f"{n_groups} groups (sites); holding folds out needs {evaluate.MIN_FOLDS} or more: label more sites"
        )
    fold_of = folds(data.documents, min(settings.inner_folds, n_groups), settings.seed)
    model = fit.fit(data, fold_of, settings, say)
    if not figures:
        return model
    # What is weighed down teaches, but is not what the model is for.
    weights = np.array([document.weight for document in data.documents])
    fold_of = np.where(weights == weights.max(), fold_of, -1)
    judgements = evaluate.cross_validate(data, fold_of, settings, say)
    held_out = {mode: _in_brief(found) for mode, found in evaluate.figures(data, judgements).items()}
    manifest = {**model.manifest, "held_out": held_out}
    if with_curve:
        manifest["learning_curve"] = learning_curve(data, fold_of, settings, judgements, say)
    return replace(model, manifest=manifest)


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


def replace_folder(model: Model, target: Path) -> None:
    """Writes the model beside the target, reads it back, then puts it in the target's place; an old model stays in
    place until then.
    """
    draft = target.with_name(f".{target.name}.new.{os.getpid()}")
    old = target.with_name(f".{target.name}.old.{os.getpid()}")
    try:
        folder.write(model, draft)
        folder.read(draft)
        if target.exists():
            target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
