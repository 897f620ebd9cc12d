"""Scoring of whole files of paragraph rows: every row comes back, in order, with its label and probabilities."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeVar

from classifier.errors import RowError
from classifier.paragraphs import Paragraph
from classifier.rows import RowReader, RowWriter, document_sizes
from classifier.rows.blocks import Block, Encoder, PlainBlock
from classifier.rows.documents import DOC, TEXT
from classifier.rows.json_lines import JsonBlock
from classifier.tagger import Tagger

UNSURE: Final = 0.6
_DIGITS: Final = 6  # of a probability: fewer than the arithmetic gets right, so that no run differs from another

# Called with the rows written so far and the share of the file read, 0 to 1, or None where that can't be known.
Progress = Callable[[int, float | None], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What was scored.

    Attributes:
        rows: paragraphs.
        documents: documents; a row without ``doc`` is one of its own.
        characters: characters of all texts.
        labels: how many rows got each label, in the model's order.
        unsure: rows whose score is below ``UNSURE``.
    """

    rows: int
    documents: int
    characters: int
    labels: Mapping[str, int]
    unsure: int

    @property
    def unsure_share(self) -> float:
        """The share of rows whose score is below ``UNSURE``."""
        return self.unsure / self.rows if self.rows else 0.0


def score_file(
    source: str | Path,
    target: str | Path,
    tagger: Tagger,
    *,
    context: bool = True,
    workers: int = 1,
    text_column: str = TEXT,
    progress: Progress | None = None,
) -> Summary:
    """Scores a row file into another, of the same format or another one.

    Behind the input's columns come ``label``, ``score``, its probability, and one ``p_<label>`` a label, rounded to six
    digits; where the input has a ``label``, ours is ``predicted``. The target appears when it is whole, and is the same
    for any number of workers.

    Args:
        source: the file to read, or ``-`` for JSON lines on standard input.
        target: the file to write, or ``-`` for JSON lines on standard output.
        tagger: the model.
        context: whether the document around a paragraph counts; without, each paragraph is judged alone.
        workers: how many threads score at once.
        text_column: the column that holds the paragraph.
        progress: called after each block of rows.

    Raises:
        RowError: the input or one of its rows can't be read, it has a column that scoring would add, or the output
            can't be written.
        ValueError: ``workers`` is less than one.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    labels: Counter[str] = Counter()
    rows = n_documents = characters = unsure = 0
    with RowReader(source, text_column=text_column) as reader, RowWriter(target) as writer:
        blocks = reader.blocks()
        first = next(blocks, PlainBlock(reader.name, []))
        added = _added_columns(first, tagger.labels)
        encoder = writer.begin(first, dict(zip(added, [str, *[float] * (len(added) - 1)], strict=True)))
        scorer = _Scorer(tagger, encoder, added, context, text_column)
        for scored in _in_order(scorer.score, chain([first], blocks), workers):
            writer.put(scored.encoded)
            labels.update(scored.labels)
            rows += scored.rows
            n_documents += scored.documents
            characters += scored.characters
            unsure += scored.unsure
            if progress is not None:
                progress(rows, scored.share)
    return Summary(rows, n_documents, characters, {label: labels[label] for label in tagger.labels}, unsure)


def _added_columns(first: Block, labels: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns that scoring adds: the label, its score, and each label's probability."""
    columns = first.columns()
    added = ("predicted" if "label" in columns else "label", "score", *(f"p_{label}" for label in labels))
    if taken := [name for name in added if name in columns]:
        raise RowError(f"{first.name}: has a column {taken[0]!r} already, which scoring adds; rename or drop it")
    return added


_In = TypeVar("_In")
_Out = TypeVar("_Out")


def _in_order(function: Callable[[_In], _Out], items: Iterable[_In], workers: int) -> Iterator[_Out]:
    """``map`` with threads, never far ahead of whoever takes the results."""
    if workers == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[_Out]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Scored:
    encoded: Any
    rows: int
    documents: int
    characters: int
    labels: Mapping[str, int]
    unsure: int
    share: float | None


@dataclass(frozen=True, slots=True)
class _Scorer:
    tagger: Tagger
    encoder: Encoder
    added: tuple[str, ...]
    context: bool
    text_column: str

    def score(self, block: Block) -> _Scored:
        texts = block.texts(self.text_column)
        sizes = document_sizes(block.column(DOC))
        if isinstance(block, JsonBlock):
            self._check_members(block)
        paragraphs = iter(_paragraphs(block, texts))
        documents = [list(islice(paragraphs, size)) for size in sizes]
        probabilities = self.tagger.probabilities(documents, context=self.context)
        labels = [self.tagger.labels[k] for k in probabilities.argmax(axis=1).tolist()]
        probabilities = probabilities.round(_DIGITS)
        score = probabilities.max(axis=1)
        columns = (labels, score.tolist(), *probabilities.T.tolist())
        return _Scored(
            encoded=self.encoder.encode(block, dict(zip(self.added, columns, strict=True))),
            rows=len(texts),
            documents=len(sizes),
            characters=sum(map(len, texts)),
            labels=Counter(labels),
            unsure=int((score < UNSURE).sum()),
            share=block.share,
        )

    def _check_members(self, block: Block) -> None:
        """JSON rows may each have other columns than the first ones."""
        taken = frozenset(["label", *self.added]).difference(["label"] if "predicted" in self.added else [])
        for i, row in enumerate(block.rows):
            if not taken.isdisjoint(row):
                name = next(name for name in row if name in taken)
                raise block.error(i, f"has a column {name!r}, which scoring adds and the rows at the start do not have")


def _paragraphs(block: Block, texts: Sequence[str]) -> list[Paragraph]:
    tags, densities = block.column("tag"), block.column("link_density")
    given = enumerate(zip(texts, tags, densities, strict=True))
    return [Paragraph(text, tag or None, _density(block, i, density)) for i, (text, tag, density) in given]


def _density(block: Block, i: int, value: Any) -> float | None:
    """A link density as files hold it: a number, or its text, perhaps with a decimal comma; NaN is pandas' null."""
    if value is None or value == "":
        return None
    try:
        density = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        density = math.inf
    if math.isnan(density):
        return None
    if not 0 <= density <= 1:
        raise block.error(i, f"'link_density' holds {value!r:.60}; it must be a number from 0 to 1")
    return density
