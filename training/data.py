"""Labelled documents: what models are fitted and judged on."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifier import Paragraph, RowError
from classifier.paragraphs import as_link_density
from training.checks import check
from training.corrections import NONE, Corrections
from training.labelled import SITE, Columns, LabelledFile, LabelledRow, read_labelled


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


def load(path: Path, *, group: str = SITE, weight: float = 1.0, corrections: Corrections = NONE) -> list[Document]:
    """Reads and checks the documents of a file of labelled rows, with corrected labels.

    Consecutive rows with the same ``doc`` are a document; without that column each row is one. The group is the first
    row's ``group`` column, else its document.

    Raises:
        RowError: the first error that a check finds.
    """
    file = read_labelled(path, Columns(group=group), corrections)
    for finding in check([file], alone=False):
        if finding.severity == "error":
            raise RowError(str(finding))
    return documents(file, weight)


def documents(file: LabelledFile, weight: float = 1.0) -> list[Document]:
    """The documents of a file that :func:`training.checks.check` found no error in."""
    return [_document(rows, group, weight) for group, rows in file.documents()]


def _document(rows: Sequence[LabelledRow], group: str, weight: float) -> Document:
    first = rows[0]
    facets = {"lang": first.lang, "collection": first.collection}
    return Document(
        paragraphs=tuple(
            Paragraph(row.text, row.tag.lower() if row.tag else None, as_link_density(row.link_density)) for row in rows
        ),
        labels=tuple(row.label for row in rows),
        group=group,
        weight=weight,
        facets={name: value for name, value in facets.items() if value},
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
