"""Rows on their way from a file to another: blocks that end where a document ends, and what writes them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from classifier.errors import BadRowError
from classifier.rows.documents import TEXT, Row, together

BLOCK_SIZE: Final = 800_000  # characters or bytes after which a block ends with its document
UNIT: Final = 1_000_000  # probabilities are counted in millionths: less than the arithmetic gets right, so that no run
# differs from another


class Block(ABC):
    """Rows that follow each other in a file; a document never reaches over two blocks.

    Attributes:
        name: the file, as messages call it.
        share: how much of the file was read when the block was, 0 to 1; None where that can't be known.
        unit: what messages call a row.
    """

    unit = "row"

    def __init__(self, name: str, numbers: Sequence[int], share: float | None = None) -> None:
        self.name = name
        self.share = share
        self.numbers = numbers

    @property
    @abstractmethod
    def rows(self) -> list[Row]:
        """The rows.

        Raises:
            BadRowError: one of them can't be read.
        """

    @abstractmethod
    def take(self, chosen: Sequence[int]) -> "Block":
        """The block without the rows that are not chosen."""

    def raw(self, i: int) -> Any:
        """Row ``i`` as the file has it, as far as JSON can hold that; None where it can't."""
        return None

    def place(self, i: int) -> str:
        """Where row ``i`` stands, as messages call it."""
        return f"{self.unit} {self.numbers[i]}"

    def __len__(self) -> int:
        return len(self.numbers)

    def columns(self) -> list[str]:
        """Every column that a row has, in the order they are met."""
        return list(dict.fromkeys(chain.from_iterable(self.rows)))

    def column(self, name: str) -> list[Any]:
        """The values of a column, None where a row has none.

        Raises:
            BadRowError: a row can't be read.
        """
        return [row.get(name) for row in self.rows]

    def texts(self, column: str = TEXT) -> list[str]:
        """The rows' texts.

        Raises:
            BadRowError: a row has no text, or something else in its place.
        """
        texts = self.column(column)
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                if text is None:
                    raise self.error(i, f"no {column!r}; it is missing or null")
                raise self.error(i, f"{column!r} holds {text!r:.60}, which is no string")
        return texts

    def error(self, i: int, reason: str) -> BadRowError:
        """What to raise about row ``i``."""
        return BadRowError(self.name, self.place(i), reason, self.numbers[i])


class PlainBlock(Block):
    """Rows that stand in no file of rows.

    Args:
        numbers: where each comes from; its own place where not given.
        unit: what ``numbers`` count.
    """

    def __init__(self, name: str, rows: list[Row], numbers: Sequence[int] | None = None, unit: str = "row") -> None:
        super().__init__(name, numbers if numbers is not None else range(1, len(rows) + 1))
        self._rows = rows
        self.unit = unit

    @property
    def rows(self) -> list[Row]:
        return self._rows

    def take(self, chosen: Sequence[int]) -> "PlainBlock":
        return PlainBlock(self.name, [self._rows[i] for i in chosen], [self.numbers[i] for i in chosen], self.unit)


_Item = TypeVar("_Item")


def cut(items: Iterable[_Item], size: Callable[[_Item], int], doc: Callable[[_Item], Any]) -> Iterator[list[_Item]]:
    """Lists of about ``BLOCK_SIZE``, none of which ends inside a document. ``doc`` is asked only near their ends."""
    block: list[_Item] = []
    held = 0
    try:
        for item in items:
            if held >= BLOCK_SIZE and not together(doc(block[-1]), doc(item)):
                yield block
                block, held = [], 0
            block.append(item)
            held += size(item)
    except Exception:  # the file is damaged from here on
        if block:
            yield block
        raise
    if block:
        yield block


@dataclass(frozen=True, slots=True)
class Added:
    """Columns that go behind a block's own: first one of labels, then those of probabilities.

    Attributes:
        names: of all these columns.
        labels: all that there are.
        chosen: the place of each row's label among them, shape (n_rows,).
        millionths: the probabilities, shape (n_rows, len(names) - 1), in parts of ``UNIT``.
    """

    names: Sequence[str]
    labels: Sequence[str]
    chosen: NDArray[np.int32]
    millionths: NDArray[np.int32]

    def rows(self) -> Iterable[tuple[Any, ...]]:
        """The values row by row."""
        labels = [self.labels[k] for k in self.chosen.tolist()]
        return zip(labels, *(self.millionths.T / UNIT).tolist(), strict=True)


class Encoder(Protocol):
    """Turns blocks into what a file of one format holds. Safe to use from several threads at once."""

    def encode(self, block: Block, added: Added | None = None) -> Any:
        """What :meth:`RowWriter.put` takes: the block's rows, with columns added.

        Raises:
            BadRowError: a row holds what the format can't.
        """


def rows_with(block: Block, added: Added | None) -> list[Row]:
    if added is None:
        return block.rows
    pairs = zip(block.rows, added.rows(), strict=True)
    return [{**row, **dict(zip(added.names, more, strict=True))} for row, more in pairs]


def check_columns(block: Block, rows: Sequence[Row], columns: Sequence[str]) -> None:
    known = frozenset(columns)
    for i, row in enumerate(rows):
        if not known.issuperset(row):
            name = next(name for name in row if name not in known)
            raise block.error(i, f"column {name!r}, which no row at the start has; write .jsonl")


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
