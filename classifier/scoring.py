"""Scoring of blocks of paragraph rows: every row comes back with its label and probabilities, or with what is wrong
with it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from classifier.errors import BadRowError, RowError
from classifier.paragraphs import Paragraph, as_link_density
from classifier.rows.blocks import UNIT, Added, Block, Encoder, PlainBlock
from classifier.rows.documents import DOC, TEXT, Row, document_sizes
from classifier.rows.json_lines import JsonBlock
from classifier.tagger import Given, Tagger

UNSURE: Final = 0.6
_BREAK: Final = "\n\n"  # between the paragraphs of a document
_OF_PARAGRAPHS: Final = ("tag", "link_density")  # columns that say nothing of a document


class Reject(NamedTuple):
    """A row that could not be scored.

    Attributes:
        i: its place in its block.
        place: its place in its file, as messages call it.
        reason: what is wrong with it.
        row: the row as the file has it, where JSON can hold that.
    """

    i: int
    place: str
    reason: str
    row: Any


@dataclass(frozen=True, slots=True)
class Summary:
    """What was scored.

    Attributes:
        rows: paragraphs.
        documents: documents; a row without ``doc`` is one of its own.
        characters: characters of all texts.
        labels: how many rows got each label, in the model's order.
        label_characters: how many characters these rows have.
        unsure: rows whose score is below ``UNSURE``.
        rejected: rows that could not be read or written, and are counted nowhere else.
    """

    rows: int
    documents: int
    characters: int
    labels: Mapping[str, int]
    label_characters: Mapping[str, int]
    unsure: int
    rejected: int = 0

    @classmethod
    def nothing(cls, labels: Sequence[str]) -> Self:
        return cls(0, 0, 0, dict.fromkeys(labels, 0), dict.fromkeys(labels, 0), 0)

    @property
    def unsure_share(self) -> float:
        """The share of rows whose score is below ``UNSURE``."""
        return self.unsure / self.rows if self.rows else 0.0

    def __add__(self, other: "Summary") -> "Summary":
        return Summary(
            rows=self.rows + other.rows,
            documents=self.documents + other.documents,
            characters=self.characters + other.characters,
            labels={label: n + other.labels[label] for label, n in self.labels.items()},
            label_characters={label: n + other.label_characters[label] for label, n in self.label_characters.items()},
            unsure=self.unsure + other.unsure,
            rejected=self.rejected + other.rejected,
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the model says of a block, and what is wrong with some of its rows.

    Attributes:
        labels: the label of each row that is not rejected, by its place in the model.
        lengths: its characters.
        millionths: its probabilities, shape (n_rows, n_labels), in parts of ``UNIT``.
        documents: how many documents these rows are.
        rejects: the other rows, in order.
    """

    labels: NDArray[np.int32]
    lengths: NDArray[np.int32]
    millionths: NDArray[np.int32]
    documents: int
    rejects: Sequence[Reject]

    def of(self, rows: Sequence[int]) -> Self:
        """The same with some of its rows only."""
        return replace(self, labels=self.labels[rows], lengths=self.lengths[rows], millionths=self.millionths[rows])

    def kept(self, block: Block) -> Block:
        """The rows of the block that are not rejected."""
        if not self.rejects:
            return block
        gone = {reject.i for reject in self.rejects}
        return block.take([i for i in range(len(self.labels) + len(gone)) if i not in gone])

    def columns(self, names: Sequence[str], labels: Sequence[str]) -> Added:
        """Label, score and probabilities of the rows, under these names."""
        return Added(names, labels, self.labels, np.column_stack([self.millionths.max(axis=1), self.millionths]))

    def summary(self, labels: Sequence[str]) -> Summary:
        counts, characters = (
            np.bincount(self.labels, weights, len(labels)).astype(np.int64).tolist() for weights in (None, self.lengths)
        )
        return Summary(
            rows=len(self.labels),
            documents=self.documents,
            characters=sum(characters),
            labels=dict(zip(labels, counts, strict=True)),
            label_characters=dict(zip(labels, characters, strict=True)),
            unsure=int((self.millionths.max(axis=1, initial=0) < UNSURE * UNIT).sum()),
            rejected=len(self.rejects),
        )

    def pack(self) -> bytes:
        head = json.dumps([self.documents, self.millionths.shape[1], self.rejects]).encode()
        return head + b"\n" + np.column_stack([self.labels, self.lengths, self.millionths]).tobytes()

    @classmethod
    def unpack(cls, raw: bytes) -> Self:
        head, _, body = raw.partition(b"\n")
        documents, n_labels, rejects = json.loads(head)
        table = np.frombuffer(body, np.int32).reshape(-1, 2 + n_labels)
        return cls(table[:, 0], table[:, 1], table[:, 2:], documents, [Reject(*reject) for reject in rejects])


@dataclass(frozen=True, slots=True)
class Settings:
    """What is to be done with rows.

    Attributes:
        context: whether the document around a paragraph counts; without, each paragraph is judged alone.
        text_column: the column that holds the paragraph.
        keep: the labels whose paragraphs are kept, to write documents in place of rows; None writes rows.
    """

    context: bool = True
    text_column: str = TEXT
    keep: frozenset[str] | None = None

    def of_documents(self, columns: Sequence[str]) -> list[str]:
        """Those of the rows' columns that documents have too."""
        return [name for name in columns if name not in (self.text_column, *_OF_PARAGRAPHS)]


def added_columns(name: str, columns: Sequence[str], labels: Sequence[str], settings: Settings) -> dict[str, type]:
    """The columns that come behind those of a file, in order, and their types.

    Raises:
        RowError: the file has one of them already.
    """
    added: dict[str, type]
    if settings.keep is None:
        label = "predicted" if "label" in columns else "label"
        added = {label: str, "score": float, **{f"p_{label}": float for label in labels}}
    else:
        added = {settings.text_column: str, "paragraphs": int, "kept": int}
    if taken := [column for column in added if column in columns]:
        raise RowError(f"{name}: has a column {taken[0]!r} already, which scoring adds; rename or drop it")
    return added


@dataclass(frozen=True, slots=True)
class Scored:
    """A block's rows as the output file holds them, and what is to be counted and kept of them."""

    name: str  # the file that they come from
    encoded: Any
    summary: Summary
    rejects: Sequence[Reject]
    packed: bytes | None  # the judgement for the journal, unless it came from there


@dataclass(frozen=True, slots=True)
class Scoring:
    """The scoring of a block, to be done anywhere.

    Attributes:
        added: the names of the columns that it adds: the label, its score, each label's probability.
        encoder: of the output file.
        block: the rows.
        packed: what an earlier run found, where there was one.
        strict: whether a bad row is an error rather than a reject.
    """

    settings: Settings
    added: tuple[str, ...]
    encoder: Encoder
    block: Block
    packed: bytes | None = None
    strict: bool = False

    def run(self, tagger: Tagger) -> Scored | RowError:
        """The rows scored, or why they can't be: a row is bad and ``strict`` is set, or worse."""
        try:
            return self._scored(tagger)
        except RowError as error:
            return error

    def _scored(self, tagger: Tagger) -> Scored:
        if self.packed is not None:
            judgement = Judgement.unpack(self.packed)
            encoded = self._encoded(judgement.kept(self.block), judgement, tagger.labels)
            return Scored(self.block.name, encoded, judgement.summary(tagger.labels), judgement.rejects, None)
        judgement = self._judged(tagger)
        rows = judgement.kept(self.block)
        try:
            encoded = self._encoded(rows, judgement, tagger.labels)
        except BadRowError:
            if self.strict:
                raise
            judgement = self._without_unwritable(rows, judgement, tagger.labels)
            encoded = self._encoded(judgement.kept(self.block), judgement, tagger.labels)
        summary = judgement.summary(tagger.labels)
        return Scored(self.block.name, encoded, summary, judgement.rejects, judgement.pack())

    def _judged(self, tagger: Tagger) -> Judgement:
        block = self.block
        rejects: list[Reject] = []
        try:
            texts, docs, paragraphs = self._read(block)
        except BadRowError:
            if self.strict:
                raise
            chosen, rejects = sifted(block, self._read)
            block = block.take(chosen)
            texts, docs, paragraphs = self._read(block)
        sizes = document_sizes(docs)
        documents = [paragraphs[start:end] for start, end in pairwise(accumulate(sizes, initial=0))]
        probabilities = tagger.probabilities(documents, context=self.settings.context)
        return Judgement(
            labels=probabilities.argmax(axis=1).astype(np.int32),
            lengths=np.fromiter(map(len, texts), np.int32, len(texts)),
            millionths=(probabilities * UNIT).round().astype(np.int32),
            documents=len(sizes),
            rejects=rejects,
        )

    def _read(self, block: Block) -> tuple[list[str], list[Any], Sequence[Given]]:
        """The rows' texts, what tells which of them are one document, and what is judged."""
        texts, docs, tags, densities = self._columns(block)
        if not any(tags) and densities.count(None) == len(densities):
            return texts, docs, texts  # building Paragraphs takes a tenth of the time that scoring takes
        given = enumerate(zip(texts, tags, densities, strict=True))
        return texts, docs, [Paragraph(text, tag or None, _density(block, i, value)) for i, (text, tag, value) in given]

    def _columns(self, block: Block) -> tuple[list[str], list[Any], list[Any], list[Any]]:
        """The rows' texts, and what they have as ``doc``, ``tag`` and ``link_density``."""
        text = self.settings.text_column
        if isinstance(block, JsonBlock):
            absent = self.added if self.settings.keep is None else ()
            if (columns := block.paragraphs(text, absent)) is not None:
                return columns
        texts = block.texts(text)
        if isinstance(block, JsonBlock):
            _check_absent(block, absent)
        return texts, block.column(DOC), block.column("tag"), block.column("link_density")

    def _encoded(self, rows: Block, judgement: Judgement, labels: Sequence[str]) -> Any:
        if self.settings.keep is None:
            return self.encoder.encode(rows, judgement.columns(self.added, labels))
        kept = [labels[k] in self.settings.keep for k in judgement.labels.tolist()]
        return self.encoder.encode(self._documents(rows, kept))

    def _documents(self, rows: Block, kept: Sequence[bool]) -> PlainBlock:
        """A row a document: what is left of its text, and the columns in which all its rows agree."""
        documents: list[Row] = []
        start = 0
        for size in document_sizes(rows.column(DOC)):
            end = start + size
            first, *others = rows.rows[start:end]
            row = {
                name: first[name]
                for name in self.settings.of_documents(list(first))
                if all(other.get(name) == first[name] for other in others)
            }
            texts = [rows.rows[i][self.settings.text_column] for i in range(start, end) if kept[i]]
            figures = (_BREAK.join(texts), size, len(texts))
            documents.append(row | dict(zip(self.added, figures, strict=True)))
            start = end
        return PlainBlock(rows.name, documents)

    def _without_unwritable(self, rows: Block, judgement: Judgement, labels: Sequence[str]) -> Judgement:
        """The judgement without rows that the output can't hold, whatever is said of them."""
        one = judgement.of([0])
        chosen, rejects = sifted(rows, lambda row: self._encoded(row, one, labels))
        gone = {reject.i for reject in judgement.rejects}
        places = [i for i in range(len(self.block)) if i not in gone]
        more = [reject._replace(i=places[reject.i]) for reject in rejects]
        return replace(
            judgement.of(chosen),
            documents=len(document_sizes(rows.take(chosen).column(DOC))),
            rejects=sorted([*judgement.rejects, *more], key=lambda reject: reject.i),
        )


def sifted(block: Block, check: Callable[[Block], object]) -> tuple[list[int], list[Reject]]:
    """Which rows of a block pass a check, each on its own, and which do not."""
    chosen: list[int] = []
    rejects: list[Reject] = []
    for i in range(len(block)):
        row = block.take([i])
        try:
            check(row)
        except BadRowError as error:
            rejects.append(Reject(i, error.place, error.reason, row.raw(0)))
        else:
            chosen.append(i)
    return chosen, rejects


def _check_absent(block: JsonBlock, names: Sequence[str]) -> None:
    """JSON rows may each have other columns than the first ones."""
    for i, row in enumerate(block.rows):
        for name in row:
            if name in names:
                raise block.error(i, f"has a column {name!r}, which scoring adds and the rows at the start do not have")


def _density(block: Block, i: int, value: Any) -> float | None:
    try:
        return as_link_density(value)
    except ValueError as error:
        raise block.error(i, str(error)) from None
