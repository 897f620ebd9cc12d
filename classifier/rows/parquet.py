"""Parquet, by pyarrow: rows stay Arrow tables, with their types, from file to file."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, BinaryIO, Final

from classifier.errors import RowError
from classifier.rows import blocks
from classifier.rows.blocks import NOTHING, Added, Block, check_columns, first_line
from classifier.rows.delimited import CsvBlock
from classifier.rows.documents import DOC, Row, together

_ROW_GROUP_BYTES: Final = 1 << 26
_ROW_GROUP_ROWS: Final = 1 << 17


def pyarrow_for(name: str) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RowError(f"{name}: Parquet needs pyarrow; pip install 'boilertag[parquet]'") from None
    return pyarrow, pyarrow.parquet


class ArrowBlock(Block):
    """Rows of a Parquet file as an Arrow table."""

    def __init__(self, name: str, table: Any, first: int, share: float | None) -> None:
        super().__init__(name, share)
        self.table = table
        self._first = first

    @cached_property
    def rows(self) -> list[Row]:
        names = self.columns()
        return [dict(zip(names, values, strict=True)) for values in zip(*map(self.column, names), strict=True)]

    def __len__(self) -> int:
        return int(self.table.num_rows)

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

    def place(self, i: int) -> str:
        return f"row {self._first + i}"


def read(file: BinaryIO, name: str) -> tuple[Any, Iterator[ArrowBlock]]:
    """The Arrow schema and the blocks of an open file."""
    arrow, parquet = pyarrow_for(name)
    opened = parquet.ParquetFile(file)
    schema = opened.schema_arrow
    meta = opened.metadata
    packed = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    n_rows = max(1, min(1 << 14, blocks.BLOCK_SIZE * meta.num_rows // max(packed, 1)))

    def found() -> Iterator[ArrowBlock]:
        first = 1
        for batches in _whole_batches(opened.iter_batches(n_rows), schema.names):
            table = arrow.Table.from_batches(batches, schema)
            if table.num_rows:
                yield ArrowBlock(name, table, first, (first - 1 + table.num_rows) / meta.num_rows)
                first += table.num_rows

    return schema, found()


def _whole_batches(batches: Iterable[Any], names: Sequence[str]) -> Iterator[list[Any]]:
    """Lists of Arrow batches, none of which ends inside a document."""
    if DOC not in names:
        yield from ([batch] for batch in batches)
        return
    at = names.index(DOC)
    held: list[Any] = []
    for batch in batches:
        docs = batch.column(at).to_pylist()
        # Where the last document begins: it may go on in the next batch.
        cut = len(docs) - 1
        while cut > 0 and together(docs[cut - 1], docs[cut]):
            cut -= 1
        if cut == 0 and held and together(held[-1].column(at)[-1].as_py(), docs[0]):
            held.append(batch)
        else:
            yield [*held, batch.slice(0, cut)]
            held = [batch.slice(cut)]
    yield held


class ParquetEncoder:
    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def encode(self, block: Block, added: Added = NOTHING) -> Any:
        arrow, _ = pyarrow_for(block.name)
        if isinstance(block, ArrowBlock):
            table = block.table
            for name, values in added.items():
                field = self.schema.field(name)
                table = table.append_column(field, [arrow.array(values, field.type)])
            return table
        check_columns(block, block.rows, self.schema.names)
        columns = [
            arrow.array(added[field.name], field.type)
            if field.name in added
            else _array(arrow, block, field.name, field.type)
            for field in self.schema
        ]
        return arrow.Table.from_arrays(columns, schema=self.schema)


def schema_of(first: Block, columns: Sequence[str]) -> Any:
    """The Arrow schema of columns, of a Parquet file's as they are, else of the values in the block."""
    arrow, _ = pyarrow_for(first.name)
    if isinstance(first, ArrowBlock):
        return first.table.schema
    fields = []
    for name in columns:
        if isinstance(first, CsvBlock):
            kind = arrow.string()
        elif name == "link_density":  # 0 and 1 at the start do not make it whole numbers
            kind = arrow.float64()
        else:
            kind = _array(arrow, first, name, None).type
        fields.append((name, arrow.string() if arrow.types.is_null(kind) else kind))
    return arrow.schema(fields)


def _array(arrow: Any, block: Block, name: str, kind: Any) -> Any:
    values = block.column(name)
    try:
        return arrow.array(values, kind)
    except (arrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        for i in range(len(values)):
            try:
                arrow.array(values[: i + 1] if kind is None else values[i : i + 1], kind)
            except (arrow.ArrowException, TypeError, ValueError, OverflowError) as reason:
                wanted = f"the column is of type {kind}" if kind is not None else first_line(reason)
                raise block.error(i, f"{name!r} holds {values[i]!r:.60}, which does not fit; {wanted}") from None
        raise RowError(f"{block.name}: {name!r} does not fit into Parquet: {first_line(error)}") from None


class RowGroups:
    """A Parquet file being written, in row groups larger than the tables that come."""

    def __init__(self, file: BinaryIO, schema: Any) -> None:
        self._arrow, parquet = pyarrow_for("")
        self._writer = parquet.ParquetWriter(file, schema)
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
