"""Whether a new model may take the place of the one in use: not where it is worse, beyond noise, on the same rows.

The new model is judged by cross-validation: of each group (site) by models that have not seen it. The model in use may
have been fitted on some of these rows and would be flattered there. So each version keeps a record of its rows and of
what was said of each while it was held out. On rows in the record, that is compared; on groups of which the model in
use has seen nothing, it is asked as it is; other rows, new ones of groups that it knows, are left out.
"""

import hashlib
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from classifier import Tagger
from training.data import Dataset
from training.evaluate import Judgements, as_used
from training.figures import f1_scores, macro_f1, middle, resamples

RECORD_FILE: Final = "judgements.npz"
_TELLING: Final = 40  # characters from which on a paragraph gives away that its site was seen
_UNJUDGED: Final = -1


@dataclass(frozen=True)
class Record:
    """The rows that a model was fitted on, by hash, and what was said of each while its group was held out."""

    keys: NDArray[np.uint64]  # sorted, none twice
    guesses: NDArray[np.int16]  # place among the model's labels, or -1

    @classmethod
    def of(cls, data: Dataset, judgements: Judgements) -> Self:
        probabilities = as_used(judgements)
        judged = ~np.isnan(probabilities[:, 0])
        guesses = np.where(judged, np.nan_to_num(probabilities).argmax(axis=1), _UNJUDGED)
        keys, first = np.unique(row_keys(data), return_index=True)
        return cls(keys, guesses[first].astype(np.int16))

    @classmethod
    def read(cls, version: Path) -> Self | None:
        """The record that lies in a version's folder, if there is one that can be read."""
        try:
            with np.load(version / RECORD_FILE, allow_pickle=False) as found:
                return cls(found["keys"], found["guesses"])
        except (OSError, ValueError, KeyError):
            return None

    def packed(self) -> bytes:
        """As a file."""
        file = io.BytesIO()
        np.savez_compressed(file, keys=self.keys, guesses=self.guesses)
        return file.getvalue()

    def look_up(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.int16]]:
        """Which of the rows are in the record, and their guesses."""
        if not len(self.keys):
            return np.zeros(len(keys), bool), np.full(len(keys), _UNJUDGED, np.int16)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[place] == keys
        return known, np.where(known, self.guesses[place], _UNJUDGED).astype(np.int16)

    def seen_groups(self, data: Dataset) -> NDArray[np.bool_]:
        """Which rows are of groups that the model was fitted on: one of their longer paragraphs is in the record, or
        half of all.
        """
        known, _ = self.look_up(row_keys(data))
        _, place = np.unique(groups_of_rows(data), return_inverse=True)
        telling = known & (np.array([len(text) for text in data.texts]) >= _TELLING)
        seen: NDArray[np.bool_] = (np.bincount(place, telling) > 0) | (
            np.bincount(place, known) * 2 >= np.bincount(place)
        )
        return seen[place]


def row_keys(data: Dataset) -> NDArray[np.uint64]:
    """A hash of each row's text and of those before and after it in its document."""
    first, last = set(data.starts[:-1].tolist()), set((data.starts[1:] - 1).tolist())
    keys = np.empty(data.n_rows, np.uint64)
    for i, text in enumerate(data.texts):
        around = (None if i in first else data.texts[i - 1], text, None if i in last else data.texts[i + 1])
        digest = hashlib.blake2b(repr(around).encode("utf-8", "surrogatepass"), digest_size=8)
        keys[i] = int.from_bytes(digest.digest(), "big")
    return keys


def groups_of_rows(data: Dataset) -> NDArray[np.str_]:
    return np.repeat([document.group for document in data.documents], np.diff(data.starts))


@dataclass(frozen=True)
class Comparison:
    """A new model beside the one in use.

    Attributes:
        model: the name of the other, which is in use or, where none is, the base.
        role: which of these.
        rows: compared; of ``groups`` groups.
        recorded: of the rows, those by what was said of them when they were held out from the model in use.
        left_out: held-out rows that can't be compared fairly.
        flattered: whether the model in use may have been fitted on rows that are compared, because nothing is recorded.
        new, old: the macro-F1 of each.
        by_label: the F1 of each for each label that occurs or was guessed.
        interval: the middle 95 % of new − old over resamples of groups; None where there is one group only.
    """

    model: str
    role: str
    rows: int
    groups: int
    recorded: int
    left_out: int
    flattered: bool
    new: float
    old: float
    by_label: dict[str, tuple[float, float]]
    interval: tuple[float, float] | None

    @property
    def worse(self) -> bool:
        """Whether the new one is worse beyond noise."""
        return self.interval is not None and self.interval[1] < 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "difference": round(self.new - self.old, 4), "worse": self.worse}

    def __str__(self) -> str:
        told = f"macro-F1 {self.new:.3f} against {self.old:.3f} of {self.model}, {self.role}"
        told += f", on the same {self.rows:,} held-out rows of {self.groups:,} groups"
        if self.interval:
            told += f" (difference {self.new - self.old:+.3f}, 95 % {self.interval[0]:+.3f} to {self.interval[1]:+.3f})"
        return f"{told}; nothing is recorded of what it was fitted on, maybe these rows" if self.flattered else told


@dataclass(frozen=True)
class Rival:
    """What a new model is compared with.

    Attributes:
        name: of the model.
        role: what it is: in use, or the base.
        tagger: the model.
        record: of the rows that it was fitted on; None where it has none.
    """

    name: str
    role: str
    tagger: Tagger
    record: Record | None


def compare(data: Dataset, judgements: Judgements, rival: Rival) -> Comparison | str:
    """The new model, by its held-out judgements, beside another; or why they can't be compared.

    Args:
        data: what the new model was fitted on.
        judgements: of it, on held-out rows.
        rival: the other.
    """
    tagger, record = rival.tagger, rival.record
    if set(tagger.labels) != set(data.labels):
        return f"not compared with {rival.name}, {rival.role}: it has other labels, {', '.join(tagger.labels)}"
    probabilities = as_used(judgements)
    judged = ~np.isnan(probabilities[:, 0])
    recorded = np.zeros(data.n_rows, bool)
    guesses = np.full(data.n_rows, _UNJUDGED, np.int16)
    unseen = judged
    if record:
        _, guesses = record.look_up(row_keys(data))
        recorded = judged & (guesses != _UNJUDGED)
        unseen = judged & ~record.seen_groups(data)
    flattered = record is None
    if not (recorded | unseen).any():  # it was fitted on all of them and never judged
        unseen, flattered = judged, True
    old = guesses.astype(np.int64)
    asked = unseen & ~recorded
    old[asked] = _ask(tagger, data, asked)[asked]
    old = np.array([data.labels.index(label) for label in tagger.labels])[old]
    rows = recorded | asked
    new, y, k = probabilities[rows].argmax(axis=1), data.y[rows], len(data.labels)
    place, times = resamples(groups_of_rows(data)[rows])
    tables = np.stack([_by_group(place, times.shape[1], y, guess, k) for guess in (new, old[rows])])
    whole = tables.sum(axis=1).reshape(2, k, k)
    interval = None
    if times.shape[1] > 1:
        scores = np.nanmean(f1_scores((times @ tables).reshape(2, -1, k, k)), axis=-1)
        low, high = middle(scores[0] - scores[1])
        interval = round(float(low), 4), round(float(high), 4)
    return Comparison(
        model=rival.name,
        role=rival.role,
        rows=int(rows.sum()),
        groups=times.shape[1],
        recorded=int(recorded.sum()),
        left_out=int((judged & ~rows).sum()),
        flattered=flattered,
        new=round(macro_f1(whole[0]), 4),
        old=round(macro_f1(whole[1]), 4),
        by_label={
            label: (round(float(one), 4), round(float(other), 4))
            for label, one, other in zip(data.labels, *f1_scores(whole), strict=True)
            if not np.isnan([one, other]).any()
        },
        interval=interval,
    )


def _by_group(
    place: NDArray[np.int64], n: int, y: NDArray[np.int64], guess: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    """The confusion table of each group, as a row."""
    return np.bincount((place * k + y) * k + guess, minlength=n * k * k).reshape(n, k * k)


def _ask(tagger: Tagger, data: Dataset, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """What the model says of all rows of the documents that hold these; 0 elsewhere."""
    guesses = np.zeros(data.n_rows, np.int64)
    chosen = np.logical_or.reduceat(rows, data.starts[:-1])
    documents = [document.paragraphs for document, one in zip(data.documents, chosen, strict=True) if one]
    if documents:
        guesses[data.rows_of(chosen)] = tagger.probabilities(documents).argmax(axis=1)
    return guesses
