"""Parquet, by pyarrow: rows stay Arrow tables, with their types, from file to file."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from classifier.errors import RowError
from classifier.rows import blocks
from classifier.rows.blocks import UNIT, Added, Block, check_columns, first_line
from classifier.rows.delimited import CsvBlock
from classifier.rows.documents import DOC, Row, together
from classifier.rows.values import dumps

_ROW_GROUP_BYTES: Final = 1 << 24
_ROW_GROUP_ROWS: Final = 1 << 17
_BUFFER: Final = 1 << 20


def pyarrow_for(name: str) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RowError(f"{name}: Parquet needs pyarrow; pip install 'boilertag[parquet]'") from None
    return pyarrow, pyarrow.parquet


class ArrowBlock(Block):
    """Rows of a Parquet file as an Arrow table."""

    def __init__(self, name: str, table: Any, numbers: Sequence[int], share: float | None) -> None:
        super().__init__(name, numbers, share)
        self.table = table

    @cached_property
    def rows(self) -> list[Row]:
        names = self.columns()
        return [dict(zip(names, values, strict=True)) for values in zip(*map(self.column, names), strict=True)]

    def take(self, chosen: Sequence[int]) -> "ArrowBlock":
        return ArrowBlock(self.name, self.table.take(chosen), [self.numbers[i] for i in chosen], self.share)

    def columns(self) -> list[str]:
        return list(self.table.column_names)

    def column(self, name: str) -> list[Any]:
        if name not in self.table.column_names:
            return [None] * len(self)
        values = self.table.column(name)
        try:
            found: list[Any] = values.to_pylist()
        except ValueError as error:  # text that is not UTF-8, a time finer than Python's
            for i in range(len(self)):
                try:
                    values[i].as_py()
                except ValueError as reason:
                    raise self.error(i, f"{name!r} can't be read: {first_line(reason)}") from None
            raise RowError(f"{self.name}: {name!r} can't be read: {first_line(error)}") from None
        return found


def opened(path: Path, name: str) -> Any:
    """An open ``ParquetFile``, whose columns are read some pages at a time.

    Given a Python file or no buffer size, pyarrow holds whole row groups, and gives their memory back late; threads of
    its own, each with a heap, take more memory than time they save.
    """
    _, parquet = pyarrow_for(name)
    return parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)


def read(opened: Any, name: str) -> tuple[Any, Iterator[ArrowBlock]]:
    """The Arrow schema and the blocks of an open file."""
    arrow, _ = pyarrow_for(name)
    schema = opened.schema_arrow
    meta = opened.metadata
    packed = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    n_rows = max(1, min(1 << 14, blocks.BLOCK_SIZE * meta.num_rows // max(packed, 1)))

    def found() -> Iterator[ArrowBlock]:
        first = 1
        for batches in _whole_batches(opened.iter_batches(n_rows, use_threads=False), schema.names):
            table = arrow.Table.from_batches(batches, schema).combine_chunks()  # slices go whole to other processes
            if table.num_rows:
                after = first + table.num_rows
                yield ArrowBlock(name, table, range(first, after), (after - 1) / meta.num_rows)
                first = after

    return schema, found()


def _whole_batches(batches: Iterable[Any], names: Sequence[str]) -> Iterator[list[Any]]:
    """Lists of Arrow batches, none of which ends inside a document."""
    if DOC not in names:
        yield from ([batch] for batch in batches)
        return
    at = names.index(DOC)
    held: list[Any] = []
    for batch in batches:
        docs = batch.column(at)
        # Where the last document begins: it may go on in the next batch.
        cut = len(docs) - 1
        last = docs[cut].as_py()
        while cut > 0 and together(docs[cut - 1].as_py(), last):
            cut -= 1
        if cut == 0 and held and together(held[-1].column(at)[-1].as_py(), last):
            held.append(batch)
        else:
            yield [*held, batch.slice(0, cut)]
            held = [batch.slice(cut)]
    yield held


class ParquetEncoder:
    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def encode(self, block: Block, added: Added | None = None) -> Any:
        arrow, _ = pyarrow_for(block.name)
        if not isinstance(block, ArrowBlock):
            check_columns(block, block.rows, self.schema.names)
        more = _arrays(arrow, added) if added is not None else {}
        columns = [
            more[field.name] if field.name in more else self._column(arrow, block, field) for field in self.schema
        ]
        return arrow.Table.from_arrays(columns, schema=self.schema)

    @staticmethod
    def _column(arrow: Any, block: Block, field: Any) -> Any:
        if not isinstance(block, ArrowBlock):
            return _array(arrow, block, field.name, field.type)
        if field.name not in block.table.column_names:
            return arrow.nulls(len(block), field.type)
        column = block.table.column(field.name)
        try:
            return column if column.type == field.type else column.cast(field.type)
        except arrow.ArrowException as error:
            reason = f"{field.name!r} is of type {column.type} and does not fit into {field.type}"
            raise RowError(f"{block.name}: {reason}: {first_line(error)}") from None


def _arrays(arrow: Any, added: Added) -> dict[str, Any]:
    # Made of buffers, for arrow.array imports pandas where it finds it, in every process a third of a second.
    def made(kind: Any, *parts: Any) -> Any:
        return arrow.Array.from_buffers(kind, len(added.chosen), [None, *map(arrow.py_buffer, parts)])

    labels = [label.encode() for label in added.labels]
    lengths = np.array([*map(len, labels)])
    ends = np.append(0, np.cumsum(lengths[added.chosen])).astype(np.int32)
    text = made(arrow.string(), ends, b"".join([labels[k] for k in added.chosen.tolist()]))
    probabilities = np.ascontiguousarray(added.millionths.T) / UNIT
    return dict(zip(added.names, [text, *(made(arrow.float64(), column) for column in probabilities)], strict=True))


def schema_of(first: Block, columns: Sequence[str]) -> Any:
    """The Arrow schema of columns, of a Parquet file's as they are, else of the values in the block."""
    arrow, _ = pyarrow_for(first.name)
    given = first.table.schema if isinstance(first, ArrowBlock) else arrow.schema([])
    fields = []
    for name in columns:
        if name in given.names:
            fields.append(given.field(name))
            continue
        if isinstance(first, CsvBlock):
            kind = arrow.string()
        elif name == "link_density":  # 0 and 1 at the start do not make it whole numbers
            kind = arrow.float64()
        else:
            kind = _type(arrow, first.column(name))
        fields.append((name, arrow.string() if arrow.types.is_null(kind) else kind))
    return arrow.schema(fields, given.metadata)


def with_columns(schema: Any, added: Mapping[str, type]) -> Any:
    """The schema with columns of type str, int or float behind its own."""
    arrow, _ = pyarrow_for("")
    types = {str: arrow.string(), int: arrow.int64(), float: arrow.float64()}
    for name, kind in added.items():
        schema = schema.append(arrow.field(name, types[kind]))
    return schema


def _type(arrow: Any, values: Sequence[Any]) -> Any:
    """The type of values, as far as they go together."""

    def differ(n: int) -> bool:
        try:
            arrow.array(values[:n])
        except _misfits(arrow):
            return True
        return False

    fit = len(values) if not differ(len(values)) else bisect_left(range(len(values)), True, key=differ) - 1
    return arrow.array(values[:fit]).type


def _array(arrow: Any, block: Block, name: str, kind: Any) -> Any:
    values = block.column(name)
    if arrow.types.is_string(kind) or arrow.types.is_large_string(kind):  # text in one file, a number in another
        values = [dumps(value) if isinstance(value, int | float | list | dict) else value for value in values]
    try:
        return arrow.array(values, kind)
    except _misfits(arrow) as error:
        for i, value in enumerate(values):
            try:
                arrow.array([value], kind)
            except _misfits(arrow):
                reason = f"{name!r} holds {value!r:.60}, which does not fit; the column is of type {kind}"
                raise block.error(i, reason) from None
        raise RowError(f"{block.name}: {name!r} does not fit into Parquet: {first_line(error)}") from None


def _misfits(arrow: Any) -> tuple[type[Exception], ...]:
    return arrow.ArrowException, TypeError, ValueError, OverflowError


class RowGroups:
    """A Parquet file being written, in row groups larger than the tables that come."""

    def __init__(self, file: BinaryIO, schema: Any) -> None:
        self._arrow, parquet = pyarrow_for("")
        # Numbers with a fraction are seldom the same, and to look for those that are takes time.
        repeated = [field.name for field in schema if not self._arrow.types.is_floating(field.type)]
        self._writer = parquet.ParquetWriter(file, schema, use_dictionary=repeated)
        self._held: list[Any] = []

    def write(self, table: Any) -> None:
        self._held.append(table)
        if (
            sum(held.num_rows for held in self._held) >= _ROW_GROUP_ROWS
            or sum(held.nbytes for held in self._held) >= _ROW_GROUP_BYTES
        ):
            self._flush()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(self._arrow.concat_tables(self._held))
            self._held = []

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._writer.close()
