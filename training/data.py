"""Labelled documents: what models are fitted and judged on."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier import Paragraph, RowError
from classifier.rows import read_rows
from classifier.tagger import as_paragraph
from training.corrections import NONE, Corrections


@dataclass(frozen=True)
class Document:
    """Paragraphs in order, their labels, and where they came from.

    Attributes:
        group: the site; documents of one group are never on both sides of a fold.
        weight: how much each of its paragraphs counts in fitting.
        facets: what figures can be broken down by, such as ``lang`` and ``collection``.
    """

    paragraphs: tuple[Paragraph, ...]
    labels: tuple[str, ...]
    group: str
    weight: float
    facets: Mapping[str, str]


def load(path: Path, *, group: str = "site", weight: float = 1.0, corrections: Corrections = NONE) -> list[Document]:
    """Reads the documents of a file of labelled rows, with corrected labels.

    Consecutive rows with the same ``doc`` are a document; without that column each row is one. The group is the first
    row's ``group`` column, else its document.

    Raises:
        RowError: the file can't be read, or a row has no label.
    """
    documents: list[Document] = []
    rows: list[dict[str, Any]] = []
    current: Any = None
    for number, row in enumerate(corrections.apply(read_rows(path)), 1):
        label = row.get("label")
        if label is None:
            raise RowError(f"{path}: no column 'label'; labelled rows need one")
        if not isinstance(label, str) or not label.strip():
            raise RowError(f"{path}: row {number}: the label is empty")
        doc = row.get("doc")
        if rows and (doc is None or doc != current):
            documents.append(_document(rows, f"{path.name}:{len(documents)}", group, weight))
            rows = []
        current = doc
        rows.append(row)
    if rows:
        documents.append(_document(rows, f"{path.name}:{len(documents)}", group, weight))
    return documents


def _document(rows: Sequence[Mapping[str, Any]], place: str, group: str, weight: float) -> Document:
    first = rows[0]
    return Document(
        paragraphs=tuple(map(as_paragraph, rows)),
        labels=tuple(row["label"].strip() for row in rows),
        group=str(first.get(group) or first.get("doc") or place),
        weight=weight,
        facets={name: str(first[name]) for name in ("lang", "collection") if first.get(name)},
    )


@dataclass(frozen=True)
class Dataset:
    """Documents with their paragraphs laid end to end: document ``d`` is rows ``starts[d]`` to ``starts[d + 1]``."""

    documents: tuple[Document, ...]
    labels: tuple[str, ...]
    texts: list[str]
    y: NDArray[np.int64]
    weights: NDArray[np.float64]
    starts: NDArray[np.int64]

    @property
    def n_rows(self) -> int:
        return len(self.texts)

    def rows_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which rows belong to the chosen documents."""
        return np.repeat(chosen, np.diff(self.starts))

    def fingerprint(self) -> str:
        """A sha256 over every text, label and hint, in order."""
        digest = hashlib.sha256()
        for document in self.documents:
            for paragraph, label in zip(document.paragraphs, document.labels, strict=True):
                fields = (paragraph.text, label, paragraph.tag, paragraph.link_density)
                digest.update(repr(fields).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def dataset(documents: Iterable[Document], labels: Sequence[str] | None = None) -> Dataset:
    """Lays documents end to end. Labels are sorted by how often they occur where none are given.

    Raises:
        RowError: there are no rows, fewer than two labels, or a label that is not among those given.
    """
    kept = tuple(documents)
    flat = [label for document in kept for label in document.labels]
    if labels is None:
        counts = {label: flat.count(label) for label in set(flat)}
        labels = sorted(counts, key=lambda label: (-counts[label], label))
    if not flat:
        raise RowError("no labelled rows")
    if len(labels) < 2:
        raise RowError(f"every row has the label {labels[0]!r}; a classifier needs two labels or more")
    places = {label: i for i, label in enumerate(labels)}
    if unknown := set(flat).difference(places):
        raise RowError(f"rows have the label {sorted(unknown)[0]!r}, which the model has not: {', '.join(labels)}")
    return Dataset(
        documents=kept,
        labels=tuple(labels),
        texts=[paragraph.text for document in kept for paragraph in document.paragraphs],
        y=np.array([places[label] for label in flat], np.int64),
        weights=np.repeat([document.weight for document in kept], [len(d.labels) for d in kept]),
        starts=np.cumsum([0, *(len(document.labels) for document in kept)]),
    )


def folds(documents: Sequence[Document], n_folds: int, seed: int = 0) -> NDArray[np.int64]:
    """A fold for each document, the documents of a group together; groups are dealt out largest first.

    Raises:
        RowError: there are fewer groups than folds.
    """
    sizes: dict[str, int] = {}
    for document in documents:
        sizes[document.group] = sizes.get(document.group, 0) + len(document.labels)
    if len(sizes) < n_folds:
        raise RowError(f"{n_folds} folds need as many groups of documents (sites); there are {len(sizes)}")
    order = [*sizes]
    np.random.default_rng(seed).shuffle(order)
    order.sort(key=lambda group: -sizes[group])
    filled = [0] * n_folds
    fold_of: dict[str, int] = {}
    for group in order:
        fold_of[group] = filled.index(min(filled))
        filled[fold_of[group]] += sizes[group]
    return np.array([fold_of[document.group] for document in documents], np.int64)
