"""Files of paragraph rows: CSV, TSV, JSON lines and Parquet, read and written as streams.

A file is read in blocks of rows that end where a document ends, each in the form that its file holds it in, so that
whatever writes the same format can hand a row on as it stands: a JSON line byte for byte, an Arrow column with its
type. :func:`read_rows` and :class:`RowWriter` are the plain way in: rows as dictionaries.
"""

import codecs
import csv
import gzip
import io
import json
import math
import os
import re
import secrets
import sys
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, time
from decimal import Decimal
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self, TypeVar, cast

import zstandard

from classifier.errors import RowError

Row = dict[str, Any]

STANDARD: Final = "-"
TEXT: Final = "text"
DOC: Final = "doc"
_DELIMITERS: Final = {"csv": ",", "tsv": "\t"}
_FORMATS: Final = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_PACKINGS: Final = (".gz", ".zst")
_KNOWN: Final = ".csv, .tsv, .jsonl, .ndjson (each also .gz or .zst) or .parquet"

BLOCK_SIZE: Final = 400_000  # characters or bytes after which a block ends with its document
_ROW_SIZE: Final = 30  # what a row counts beside its fields, so that empty rows fill a block too
_WRITE_ROWS: Final = 1000  # rows encoded together
_MAX_FIELD: Final = 1 << 28  # characters of a CSV field: more is a quote left open
_PACKED_CHUNK: Final = 1 << 14
_ROW_GROUP_BYTES: Final = 1 << 26
_ROW_GROUP_ROWS: Final = 1 << 17
_SEAM: Final = f',"{secrets.token_hex(16)}",'.encode()
_BOM16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def split_name(path: str | Path) -> tuple[str, str]:
    """A row file's format, ``"csv"``, ``"tsv"``, ``"jsonl"`` or ``"parquet"``, and its packing, ``""``, ``".gz"`` or
    ``".zst"``, by its name.

    Raises:
        RowError: the name does not end like a row file's.
    """
    if str(path) == STANDARD:
        return "jsonl", ""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    packing = suffixes.pop() if suffixes and suffixes[-1] in _PACKINGS else ""
    kind = _FORMATS.get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise RowError(f"{path}: unknown format; the name must end in {_KNOWN}")
    if kind == "parquet" and packing:
        raise RowError(f"{path}: Parquet packs its columns itself; unpack the file to .parquet")
    return kind, packing


def documents(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows document by document.

    Rows that follow each other with the same ``doc`` are one document. A row whose ``doc`` is missing, null or empty is
    a document of its own.
    """
    document: list[Row] = []
    for row in rows:
        if document and not _together(document[-1].get(DOC), row.get(DOC)):
            yield document
            document = []
        document.append(row)
    if document:
        yield document


def _together(doc: Any, after: Any) -> bool:
    return doc is not None and doc != "" and bool(doc == after)


def document_sizes(docs: Sequence[Any]) -> list[int]:
    """How many rows each document has, given the rows' ``doc``, grouped as :func:`documents` does."""
    sizes: list[int] = []
    before = None
    for doc in docs:
        if sizes and _together(before, doc):
            sizes[-1] += 1
        else:
            sizes.append(1)
        before = doc
    return sizes


# -- Blocks ---------------------------------------------------------------------------------------------------------


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


class JsonBlock(Block):
    """JSON lines, unread until asked for."""

    def __init__(self, name: str, lines: list[tuple[int, bytes]], share: float | None) -> None:
        super().__init__(name, share)
        self._numbers = [number for number, _ in lines]
        self.lines = [line for _, line in lines]

    @cached_property
    def rows(self) -> list[Row]:
        # Read as one array, twice as fast as line by line. The seams, which no line can hold, show that each line is
        # one object of its own; where anything is wrong, reading line by line tells where.
        try:
            array = json.loads((b"[" + _SEAM.join(self.lines) + b"]").decode())
        except (ValueError, RecursionError):
            array = []
        rows: list[Row] = array[::2]
        seams = [json.loads(_SEAM.strip(b","))] * (len(self.lines) - 1)
        if len(rows) == len(self.lines) and array[1::2] == seams and all(type(row) is dict for row in rows):
            return rows
        return [self._row(i, line) for i, line in enumerate(self.lines)]

    def _row(self, i: int, line: bytes) -> Row:
        try:
            row = json.loads(line.decode())
        except UnicodeDecodeError as error:
            raise self.error(i, f"not UTF-8 (byte {error.object[error.start]:#04x} at {error.start + 1})") from None
        except json.JSONDecodeError as error:
            raise self.error(i, f"no valid JSON: {error.msg} at character {error.pos + 1}") from None
        except ValueError as error:  # an integer of thousands of digits
            raise self.error(i, f"no valid JSON: {error}") from None
        except RecursionError:
            raise self.error(i, "its JSON is nested too deeply") from None
        if not isinstance(row, dict):
            raise self.error(i, f"a row must be a JSON object, not {line.decode().strip():.60}")
        return row

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, i: int) -> str:
        return f"line {self._numbers[i]}"


class CsvBlock(Block):
    """Records of a CSV or TSV file."""

    def __init__(self, name: str, header: list[str], records: list[tuple[int, list[str]]], share: float | None) -> None:
        super().__init__(name, share)
        self.header = header
        self._numbers = [number for number, _ in records]
        self.records = [record for _, record in records]

    @cached_property
    def rows(self) -> list[Row]:
        return [dict(zip(self.header, record, strict=True)) for record in self.records]

    def __len__(self) -> int:
        return len(self.records)

    def columns(self) -> list[str]:
        return self.header

    def column(self, name: str) -> list[Any]:
        if name not in self.header:
            return [None] * len(self)
        at = self.header.index(name)
        return [record[at] for record in self.records]

    def place(self, i: int) -> str:
        return f"row {self._numbers[i]}"


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
                    raise self.error(i, f"{name!r} can't be read: {_line(reason)}") from None
            raise RowError(f"{self.name}: {name!r} can't be read: {_line(error)}") from None
        return found

    def place(self, i: int) -> str:
        return f"row {self._first + i}"


_Item = TypeVar("_Item")


def _cut(items: Iterable[_Item], size: Callable[[_Item], int], doc: Callable[[_Item], Any]) -> Iterator[list[_Item]]:
    """Lists of about ``BLOCK_SIZE``, none of which ends inside a document. ``doc`` is asked only near their ends."""
    block: list[_Item] = []
    held = 0
    for item in items:
        if held >= BLOCK_SIZE and not _together(doc(block[-1]), doc(item)):
            yield block
            block, held = [], 0
        block.append(item)
        held += size(item)
    if block:
        yield block


# -- Reading --------------------------------------------------------------------------------------------------------


def read_rows(path: str | Path, *, text_column: str = TEXT) -> Iterator[Row]:
    """The rows of a file, or of JSON lines on standard input where the path is ``-``, as they are read.

    CSV values are strings; JSON values are what JSON makes them; Parquet values are Python's counterpart of Arrow's.
    Messages count the lines of JSON, the rows of Parquet, and the rows of CSV as a spreadsheet does: from the header
    on, a row with line breaks counting once.

    Raises:
        RowError: the file can't be read, or one of its rows can't or has no text.
    """
    with RowReader(path, text_column=text_column) as reader:
        for block in reader.blocks():
            block.texts(text_column)
            yield from block.rows


class RowReader:
    """An open row file; closed by ``with``.

    Attributes:
        name: the file, as messages call it.
        columns: its columns; None for JSON lines, where each row has its own.
        schema: the Arrow schema of a Parquet file, else None.
    """

    columns: list[str] | None = None
    schema: Any = None

    def __init__(self, path: str | Path, *, text_column: str = TEXT) -> None:
        """
        Raises:
            RowError: no such file, an unknown format, no text column, or a damaged start.
        """
        kind, packing = split_name(path)
        self.name = "standard input" if str(path) == STANDARD else str(path)
        self._size = 0
        with ExitStack() as stack, _reading(self.name):
            if str(path) == STANDARD:
                self._file: BinaryIO = sys.stdin.buffer
            else:
                self._file = stack.enter_context(Path(path).open("rb"))
                self._size = os.fstat(self._file.fileno()).st_size
            if kind == "jsonl":
                self._blocks = self._json_blocks(_unpacked(self._file, packing))
            elif kind == "parquet":
                self._blocks = self._arrow_blocks()
            else:
                self._blocks = self._csv_blocks(_unpacked(self._file, packing), _DELIMITERS[kind], text_column)
            if self.columns is not None:
                self._check_columns(self.columns, text_column)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def blocks(self) -> Iterator[Block]:
        """The file's rows in blocks, once.

        Raises:
            RowError: a row can't be read, or the file is damaged.
        """
        with _reading(self.name):
            yield from self._blocks

    def _check_columns(self, columns: list[str], text_column: str) -> None:
        if len(set(columns)) < len(columns):
            twice = next(name for name in columns if columns.count(name) > 1)
            raise RowError(f"{self.name}: two columns are called {twice!r}; rename one")
        if text_column not in columns:
            raise RowError(f"{self.name}: no column {text_column!r}; it has {', '.join(map(repr, columns)):.200}")

    def _share(self) -> float | None:
        return min(self._file.tell() / self._size, 1.0) if self._size else None

    # JSON lines

    def _json_blocks(self, file: BinaryIO) -> Iterator[Block]:
        for lines in _cut(self._lines(file), lambda line: len(line[1]), _doc_of_line):
            yield JsonBlock(self.name, lines, self._share())

    def _lines(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        first = file.readline()
        if first.startswith(_BOM16):
            raise RowError(f"{self.name} is UTF-16; JSON lines must be UTF-8")
        for number, line in enumerate(chain([first.removeprefix(codecs.BOM_UTF8)], file), 1):
            if not line.isspace() and line:
                yield number, line

    # CSV and TSV

    def _csv_blocks(self, file: BinaryIO, delimiter: str, text_column: str) -> Iterator[Block]:
        encoding = "utf-16" if _peek(file).startswith(_BOM16) else "utf-8-sig"
        # Kept, for a wrapper that goes closes the file.
        self._text = io.TextIOWrapper(file, encoding, newline="")
        records = self._records(self._text, encoding, delimiter, text_column)
        first = next(records, None)
        if first is None:
            raise RowError(f"{self.name} is empty; its first row must name the columns")
        header = self.columns = first[1]
        at = header.index(DOC) if DOC in header else None

        def blocks() -> Iterator[Block]:
            size = len(header) * 8 + _ROW_SIZE
            for rows in _cut(
                records,
                lambda record: size + sum(map(len, record[1])),
                lambda record: None if at is None else record[1][at],
            ):
                yield CsvBlock(self.name, header, rows, self._share())

        return _at_least(CsvBlock(self.name, header, [], 1.0), blocks())

    def _records(
        self, text: io.TextIOWrapper, encoding: str, delimiter: str, text_column: str
    ) -> Iterator[tuple[int, list[str]]]:
        """The records and their numbers, all as long as the first."""
        # The limit is the csv module's own and stands for the whole process, so it is only ever raised.
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))
        number = lines = 0
        try:
            head = text.readline()
            if delimiter == ",":
                delimiter = _delimiter(head, text_column)
            reader = csv.reader(chain([head], text), delimiter=delimiter, strict=True)
            width = 0
            for record in reader:
                lines = reader.line_num
                if not record:
                    continue
                number += 1
                width = width or len(record)
                if len(record) != width:
                    raise RowError(
                        f"{self.name}, row {number} (line {lines}): {len(record)} fields where the header has {width}"
                    )
                yield number, record
        except csv.Error as error:
            raise RowError(f"{self.name}, row {number + 1} (from line {lines + 1}): {_csv_reason(error)}") from None
        except UnicodeDecodeError as error:
            line = lines + 1 + bytes(error.object[: error.start]).count(b"\n")
            name = "UTF-16" if encoding == "utf-16" else "UTF-8"
            raise RowError(f"{self.name}, line {line}: not {name}; save the file as CSV UTF-8") from None

    # Parquet

    def _arrow_blocks(self) -> Iterator[Block]:
        arrow, parquet = _pyarrow(self.name)
        file = parquet.ParquetFile(self._file)
        self.schema = file.schema_arrow
        self.columns = list(self.schema.names)
        meta = file.metadata
        packed = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        n_rows = max(1, min(1 << 14, BLOCK_SIZE * meta.num_rows // max(packed, 1)))

        def blocks() -> Iterator[Block]:
            first = 1
            for batches in _whole_batches(file.iter_batches(n_rows), self.schema.names):
                table = arrow.Table.from_batches(batches, self.schema)
                if table.num_rows:
                    yield ArrowBlock(self.name, table, first, (first - 1 + table.num_rows) / meta.num_rows)
                    first += table.num_rows

        return _at_least(ArrowBlock(self.name, self.schema.empty_table(), 1, 1.0), blocks())


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
        while cut > 0 and _together(docs[cut - 1], docs[cut]):
            cut -= 1
        if cut == 0 and held and _together(held[-1].column(at)[-1].as_py(), docs[0]):
            held.append(batch)
        else:
            yield [*held, batch.slice(0, cut)]
            held = [batch.slice(cut)]
    yield held


def _at_least(empty: Block, blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks, or the empty one where there are none: a file without rows has columns all the same."""
    yield next(blocks, empty)
    yield from blocks


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Says of every error of reading a file what is wrong with it."""
    try:
        yield
    except RowError:
        raise
    except EOFError:
        raise RowError(f"{name} is cut off: its packed data ends too early") from None
    except (zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise RowError(f"{name} is damaged: {_line(error)}") from None
    except FileNotFoundError:
        raise RowError(f"{name}: no such file") from None
    except OSError as error:
        raise RowError(f"{name} can't be read: {error.strerror or _line(error)}") from None
    except Exception as error:
        if not type(error).__module__.startswith("pyarrow"):
            raise
        raise RowError(f"{name} can't be read: {_line(error)}") from None


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _pyarrow(name: str) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RowError(f"{name}: Parquet needs pyarrow; pip install 'boilertag[parquet]'") from None
    return pyarrow, pyarrow.parquet


def _unpacked(file: BinaryIO, packing: str) -> BinaryIO:
    if packing == ".gz":
        return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))
    if packing == ".zst":
        return io.BufferedReader(_Zstandard(file), 1 << 17)
    return file


class _Zstandard(io.RawIOBase):
    """What a .zst file of one or more frames holds; zstandard's own reader takes a file cut off for a whole one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._packed = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._plain:
            packed = self._packed or self._file.read(_PACKED_CHUNK)
            if not packed:
                if self._frame is not None:
                    raise EOFError
                return 0
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._plain = memoryview(self._frame.decompress(packed))
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        n = min(len(buffer), len(self._plain))
        buffer[:n] = self._plain[:n]
        self._plain = self._plain[n:]
        return n


def _peek(file: Any) -> bytes:
    start: bytes = file.peek(4)
    return start


def _doc_of_line(line: tuple[int, bytes]) -> Any:
    try:
        row = json.loads(line[1].decode())
    except (ValueError, RecursionError):
        return None  # whoever reads the block tells of it
    return row.get(DOC) if isinstance(row, dict) else None


def _delimiter(head: str, text_column: str) -> str:
    """The delimiter of a file that is called CSV, by which of them finds the text column; Excel writes semicolons
    where the comma is the decimal sign, and tabs into UTF-16.
    """
    for delimiter in ",;\t":
        try:
            if text_column in next(csv.reader([head], delimiter=delimiter), []):
                return delimiter
        except csv.Error:
            continue
    return ","


def _csv_reason(error: csv.Error) -> str:
    reason = str(error)
    if "unexpected end of data" in reason or "field larger than" in reason:
        return "a quoted field that does not end; is a quote missing?"
    if "expected after" in reason:
        return "a quote inside a quoted field; it must be doubled"
    return reason


# -- Encoding -------------------------------------------------------------------------------------------------------

Added = Mapping[str, Sequence[Any]]  # columns that go behind a block's own
_NOTHING: Final[Added] = MappingProxyType({})
_NO_TYPES: Final[Mapping[str, type]] = MappingProxyType({})


class Encoder(Protocol):
    """Turns blocks into what a file of one format holds. Safe to use from several threads at once."""

    def encode(self, block: Block, added: Added = _NOTHING) -> Any:
        """What :meth:`RowWriter.put` takes: the block's rows, with columns added.

        Raises:
            RowError: a row holds what the format can't.
        """


def _values(block: Block, added: Added) -> Iterable[tuple[Any, ...]]:
    """The added values row by row."""
    return zip(*added.values(), strict=True) if added else [()] * len(block)


def _rows_with(block: Block, added: Added) -> list[Row]:
    pairs = zip(block.rows, _values(block, added), strict=True)
    return [{**row, **dict(zip(added, more, strict=True))} for row, more in pairs] if added else block.rows


def _as_text(value: Any) -> str:
    """Text for values of Parquet files that JSON has no form for."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__}")


_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_as_text).encode
_dumps_ascii = json.JSONEncoder(allow_nan=False, default=_as_text).encode


def _without_nan(row: Row) -> Row:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


class _JsonEncoder:
    def encode(self, block: Block, added: Added = _NOTHING) -> bytes:
        if isinstance(block, JsonBlock) and added and len(block):
            return self._append(block, added)
        return b"".join([self._line(block, i, row) for i, row in enumerate(_rows_with(block, added))])

    def _append(self, block: JsonBlock, added: Added) -> bytes:
        """The lines as they stand, with members put before the last brace of each: faster than writing them anew, and
        no number or escape changes its spelling.
        """
        form = "".join(f", {_dumps(name).replace('%', '%%')}: %s" for name in added) + "}\n"
        columns = [map(_dumps, column) if isinstance(column[0], str) else column for column in added.values()]
        tails = map(form.__mod__, zip(*columns, strict=True))
        return b"".join([line.rstrip()[:-1] + tail.encode() for line, tail in zip(block.lines, tails, strict=True)])

    @staticmethod
    def _line(block: Block, i: int, row: Row) -> bytes:
        try:
            try:
                return _dumps(row).encode() + b"\n"
            except UnicodeEncodeError:  # lone surrogates, which JSON can escape
                return _dumps_ascii(row).encode() + b"\n"
            except ValueError:
                return _dumps_ascii(_without_nan(row)).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise block.error(i, f"JSON can't hold it: {_line(error)}") from None


class _CsvEncoder:
    def __init__(self, columns: Sequence[str], delimiter: str) -> None:
        self._columns = columns
        self._delimiter = delimiter

    def header(self) -> bytes:
        return self._csv([self._columns]).encode()

    def encode(self, block: Block, added: Added = _NOTHING) -> bytes:
        records: list[list[Any]]
        if isinstance(block, CsvBlock) and self._columns == [*block.header, *added]:
            records = [[*record, *more] for record, more in zip(block.records, _values(block, added), strict=True)]
        else:
            rows = _rows_with(block, added)
            _check_columns(block, rows, self._columns)
            records = [[self._field(block, i, row.get(name)) for name in self._columns] for i, row in enumerate(rows)]
        try:
            return self._csv(records).encode()
        except UnicodeEncodeError:
            i = next(i for i, record in enumerate(records) if _SURROGATE.search(self._csv([record])))
            raise block.error(i, "half a surrogate pair, which only JSON can hold; write .jsonl") from None

    def _csv(self, records: Iterable[Sequence[Any]]) -> str:
        text = io.StringIO()
        # Without \r in the line's end, the csv module may leave a \r inside a field unquoted.
        csv.writer(text, delimiter=self._delimiter, lineterminator="\r\n").writerows(records)
        return text.getvalue()

    @staticmethod
    def _field(block: Block, i: int, value: Any) -> Any:
        if value is None or type(value) in (str, int, float):
            return value
        try:
            return _as_text(value) if isinstance(value, date | time | Decimal) else _dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise block.error(i, f"CSV can't hold it: {_line(error)}") from None


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _check_columns(block: Block, rows: Sequence[Row], columns: Sequence[str]) -> None:
    known = frozenset(columns)
    for i, row in enumerate(rows):
        if not known.issuperset(row):
            name = next(name for name in row if name not in known)
            raise block.error(i, f"column {name!r}, which no row at the start has; write .jsonl")


class _ParquetEncoder:
    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def encode(self, block: Block, added: Added = _NOTHING) -> Any:
        arrow, _ = _pyarrow(block.name)
        if isinstance(block, ArrowBlock):
            table = block.table
            for name, values in added.items():
                field = self.schema.field(name)
                table = table.append_column(field, [arrow.array(values, field.type)])
            return table
        _check_columns(block, block.rows, self.schema.names)
        columns = [
            arrow.array(added[field.name], field.type)
            if field.name in added
            else _array(arrow, block, field.name, field.type)
            for field in self.schema
        ]
        return arrow.Table.from_arrays(columns, schema=self.schema)


def _schema(first: Block, columns: Sequence[str]) -> Any:
    """The Arrow schema of columns, of a Parquet file's as they are, else of the values in the block."""
    arrow, _ = _pyarrow(first.name)
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
                wanted = f"the column is of type {kind}" if kind is not None else _line(reason)
                raise block.error(i, f"{name!r} holds {values[i]!r:.60}, which does not fit; {wanted}") from None
        raise RowError(f"{block.name}: {name!r} does not fit into Parquet: {_line(error)}") from None


# -- Writing --------------------------------------------------------------------------------------------------------


def write_rows(path: str | Path, rows: Iterable[Row], *, columns: Sequence[str] | None = None) -> None:
    """Writes a row file, whole or not at all; see :class:`RowWriter`.

    Raises:
        RowError: the file can't be written, or a row can't be in its format.
    """
    with RowWriter(path, columns=columns) as writer:
        writer.write(rows)


class RowWriter:
    """A row file being written, or JSON lines on standard output where the path is ``-``.

    Used by ``with``: the file appears, or takes an older one's place, when the block ends without an error; else
    nothing is left of it. CSV is UTF-8 with commas and quotes as in RFC 4180; None is an empty field there, and lists
    and the like are JSON. NaN becomes null in JSON, which has no other word for it.

    CSV and Parquet have fixed columns: those given, else those of the first rows (a thousand, or the first block).
    Parquet's types come from ``schema``, an Arrow schema, else from the values of these rows.
    """

    def __init__(self, path: str | Path, *, columns: Sequence[str] | None = None, schema: Any = None) -> None:
        """
        Raises:
            RowError: an unknown format, or Parquet without pyarrow.
        """
        self._kind, self._packing = split_name(path)
        self._path = None if str(path) == STANDARD else Path(path)
        self.name = str(path) if self._path else "standard output"
        if self._kind == "parquet":
            _pyarrow(self.name)
        self._columns = columns
        self._schema = schema
        self._encoder: Encoder | None = None
        self._sink: _RowGroups | None = None
        self._n_rows = 0

    def __enter__(self) -> Self:
        with _writing(self.name), ExitStack() as stack:
            file: BinaryIO = stack.enter_context(_whole(self._path)) if self._path else sys.stdout.buffer
            self._file = stack.enter_context(_packed(file, self._packing))
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _writing(self.name):
            self._stack.__exit__(kind, error, trace)

    def _finish(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._encoder is None:
            self.begin(PlainBlock(self.name, []))
        if self._sink is not None:
            try:
                self._sink.close()
            except Exception:
                if kind is None:  # else the first error is the one to tell of
                    raise
        if self._path is None:
            self._file.flush()

    def write(self, rows: Iterable[Row]) -> None:
        """Writes rows behind those written.

        Raises:
            RowError: a row has a value or a column that the file can't hold, or writing failed.
        """
        rows = iter(rows)
        while some := list(islice(rows, _WRITE_ROWS)):
            block = PlainBlock(self.name, some, self._n_rows + 1)
            encoder = self._encoder or self.begin(block)
            self.put(encoder.encode(block))
            self._n_rows += len(some)

    def begin(self, first: Block, added: Mapping[str, type] = _NO_TYPES) -> Encoder:
        """Fixes the file's columns: the first block's, or those given, then ``added`` ones, of type str or float.

        Returns:
            What encodes blocks for :meth:`put`.

        Raises:
            RowError: the columns can't be in this format.
        """
        columns = self._columns if self._columns is not None else first.columns()
        if self._kind == "jsonl":
            self._encoder = _JsonEncoder()
        elif self._kind == "parquet":
            arrow, _ = _pyarrow(self.name)
            schema = self._schema if self._schema is not None else _schema(first, columns)
            for name, kind in added.items():
                schema = schema.append(arrow.field(name, arrow.string() if kind is str else arrow.float64()))
            with _writing(self.name):
                self._sink = _RowGroups(self._file, schema)
            self._encoder = _ParquetEncoder(schema)
        else:
            csv_encoder = self._encoder = _CsvEncoder([*columns, *added], _DELIMITERS[self._kind])
            self.put(csv_encoder.header())
        return self._encoder

    def put(self, encoded: Any) -> None:
        """Writes an encoded block behind those written.

        Raises:
            RowError: the disk is full or the like.
        """
        with _writing(self.name):
            if self._sink is not None:
                self._sink.write(encoded)
            else:
                self._file.write(encoded)
                if self._path is None:
                    self._file.flush()


class _RowGroups:
    """A Parquet file being written, in row groups larger than the tables that come."""

    def __init__(self, file: BinaryIO, schema: Any) -> None:
        self._arrow, parquet = _pyarrow("")
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


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # whoever read standard output has enough
        raise
    except OSError as error:
        raise RowError(f"{name} can't be written: {error.strerror or _line(error)}") from None


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its place when all of it is on the disk."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _packed(file: BinaryIO, packing: str) -> Iterator[BinaryIO]:
    if packing == ".gz":
        # No time and no name inside: the same rows make the same bytes.
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            yield cast("BinaryIO", packed)
    elif packing == ".zst":
        with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
            yield cast("BinaryIO", packed)
    else:
        yield file
