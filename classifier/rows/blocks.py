"""Rows on their way from a file to another: blocks that end where a document ends, and what writes them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

from classifier.errors import RowError
from classifier.rows.documents import TEXT, Row, together

BLOCK_SIZE: Final = 400_000  # characters or bytes after which a block ends with its document


class Block(ABC):
    """Rows that follow each other in a file; a document never reaches over two blocks.

    Attributes:
        name: the file, as messages call it.
        share: how much of the file was read when the block was, 0 to 1; None where that can't be known.
    """

    def __init__(self, name: str, share: float | None = None) -> None:
        self.name = name
        self.share = share

    @property
    @abstractmethod
    def rows(self) -> list[Row]:
        """The rows.

        Raises:
            RowError: one of them can't be read.
        """

    @abstractmethod
    def place(self, i: int) -> str:
        """Where row ``i`` stands, as messages call it."""

    def __len__(self) -> int:
        return len(self.rows)

    def columns(self) -> list[str]:
        """Every column that a row has, in the order they are met."""
        return list(dict.fromkeys(chain.from_iterable(self.rows)))

    def column(self, name: str) -> list[Any]:
        """The values of a column, None where a row has none.

        Raises:
            RowError: a row can't be read.
        """
        return [row.get(name) for row in self.rows]

    def texts(self, column: str = TEXT) -> list[str]:
        """The rows' texts.

        Raises:
            RowError: a row has no text, or something else in its place.
        """
        texts = self.column(column)
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                if text is None:
                    raise self.error(i, f"no {column!r}; it is missing or null")
                raise self.error(i, f"{column!r} holds {text!r:.60}, which is no string")
        return texts

    def error(self, i: int, message: str) -> RowError:
        """What to raise about row ``i``."""
        return RowError(f"{self.name}, {self.place(i)}: {message}")


class PlainBlock(Block):
    """Rows that come from no file."""

    def __init__(self, name: str, rows: list[Row], first: int = 1) -> None:
        super().__init__(name)
        self._rows = rows
        self._first = first

    @property
    def rows(self) -> list[Row]:
        return self._rows

    def place(self, i: int) -> str:
        return f"row {self._first + i}"


_Item = TypeVar("_Item")


def cut(items: Iterable[_Item], size: Callable[[_Item], int], doc: Callable[[_Item], Any]) -> Iterator[list[_Item]]:
    """Lists of about ``BLOCK_SIZE``, none of which ends inside a document. ``doc`` is asked only near their ends."""
    block: list[_Item] = []
    held = 0
    for item in items:
        if held >= BLOCK_SIZE and not together(doc(block[-1]), doc(item)):
            yield block
            block, held = [], 0
        block.append(item)
        held += size(item)
    if block:
        yield block


Added = Mapping[str, Sequence[Any]]  # columns that go behind a block's own
NOTHING: Final[Added] = MappingProxyType({})


class Encoder(Protocol):
    """Turns blocks into what a file of one format holds. Safe to use from several threads at once."""

    def encode(self, block: Block, added: Added = NOTHING) -> Any:
        """What :meth:`RowWriter.put` takes: the block's rows, with columns added.

        Raises:
            RowError: a row holds what the format can't.
        """


def values_of(block: Block, added: Added) -> Iterable[tuple[Any, ...]]:
    """The added values row by row."""
    return zip(*added.values(), strict=True) if added else [()] * len(block)


def rows_with(block: Block, added: Added) -> list[Row]:
    pairs = zip(block.rows, values_of(block, added), strict=True)
    return [{**row, **dict(zip(added, more, strict=True))} for row, more in pairs] if added else block.rows


def check_columns(block: Block, rows: Sequence[Row], columns: Sequence[str]) -> None:
    known = frozenset(columns)
    for i, row in enumerate(rows):
        if not known.issuperset(row):
            name = next(name for name in row if name not in known)
            raise block.error(i, f"column {name!r}, which no row at the start has; write .jsonl")


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
