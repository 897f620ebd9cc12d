"""CSV and TSV, as programs write them."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Any, BinaryIO, Final

from classifier.errors import BadRowError, RowError
from classifier.rows.blocks import Added, Block, check_columns, cut, first_line, rows_with
from classifier.rows.documents import DOC, Row
from classifier.rows.json_lines import BOM16
from classifier.rows.values import as_text, dumps

DELIMITERS: Final = {"csv": ",", "tsv": "\t"}
_ROW_SIZE: Final = 30  # what a row counts beside its fields, so that empty rows fill a block too
_MAX_FIELD: Final = 1 << 28  # characters of a CSV field: more is a quote left open

_EXCEL_HINT: Final = re.compile(r"sep=([^\w\s]|\t)\r?\n?")  # a first line that only Excel writes, and does not show

_Record = tuple[int, int, list[str]]  # its number, the line that it ends in, its fields


class CsvBlock(Block):
    """Records of a CSV or TSV file."""

    def __init__(self, name: str, header: list[str], found: Sequence[_Record], share: float | None) -> None:
        super().__init__(name, [number for number, _, _ in found], share)
        self.header = header
        self._found = found

    @cached_property
    def records(self) -> list[list[str]]:
        """The fields of each record, as many as the header has.

        Raises:
            BadRowError: one has more or fewer, or is no text.
        """
        records = [record for _, _, record in self._found]
        width = len(self.header)
        if any(len(record) != width for record in records):
            i = next(i for i, record in enumerate(records) if len(record) != width)
            raise self.error(i, f"{len(records[i])} fields where the header has {width}")
        if not "".join(chain.from_iterable(records)).isprintable():
            for i, record in enumerate(records):
                if _SURROGATE.search("".join(record)):
                    raise self.error(i, "not UTF-8; save the file as CSV UTF-8")
        return records

    @cached_property
    def rows(self) -> list[Row]:
        return [dict(zip(self.header, record, strict=True)) for record in self.records]

    def take(self, chosen: Sequence[int]) -> "CsvBlock":
        return CsvBlock(self.name, self.header, [self._found[i] for i in chosen], self.share)

    def raw(self, i: int) -> list[str]:
        return self._found[i][2]

    def columns(self) -> list[str]:
        return self.header

    def column(self, name: str) -> list[Any]:
        if name not in self.header:
            return [None] * len(self)
        at = self.header.index(name)
        return [record[at] for record in self.records]

    def place(self, i: int) -> str:
        number, line, _ = self._found[i]
        return f"row {number}" if number == line else f"row {number} (line {line})"


def decoded(file: BinaryIO) -> io.TextIOWrapper:
    """The text of an open file."""
    encoding = "utf-16" if _peek(file).startswith(BOM16) else "utf-8-sig"
    # What is not UTF-8 comes as half a surrogate pair, so that it spoils one record only.
    errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
    return io.TextIOWrapper(file, encoding, errors, newline="")


def read(
    text: io.TextIOWrapper, name: str, delimiter: str, text_column: str, share: Callable[[], float | None]
) -> tuple[list[str], Iterator[CsvBlock]]:
    """The columns and the blocks of an open file."""
    records = _records(text, name, delimiter, text_column)
    first = next(records, None)
    if first is None:
        raise RowError(f"{name} is empty; its first row must name the columns")
    header = first[2]
    if _SURROGATE.search("".join(header)):
        raise RowError(f"{name}, line 1: not UTF-8; save the file as CSV UTF-8")
    at = header.index(DOC) if DOC in header else None

    def blocks() -> Iterator[CsvBlock]:
        size = len(header) * 8 + _ROW_SIZE
        for rows in cut(
            records,
            lambda record: size + sum(map(len, record[2])),
            lambda record: record[2][at] if at is not None and at < len(record[2]) else None,
        ):
            yield CsvBlock(name, header, rows, share())

    return header, blocks()


def _records(text: io.TextIOWrapper, name: str, delimiter: str, text_column: str) -> Iterator[_Record]:
    # The limit is the csv module's own and stands for the whole process, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD))
    number = lines = hints = 0
    try:
        head = text.readline()
        if hint := _EXCEL_HINT.fullmatch(head):
            delimiter = hint[1]
            hints = lines = 1
            head = text.readline()
        elif delimiter == ",":
            delimiter = _delimiter(head, text_column)
        reader = csv.reader(chain([head], text), delimiter=delimiter, strict=True)
        for record in reader:
            lines = reader.line_num + hints
            number += 1  # an empty line too, which is a row to a spreadsheet
            if record:
                yield number, lines, record
    except csv.Error as error:
        place = f"row {number + 1} (from line {lines + 1})"
        raise BadRowError(name, place, _csv_reason(error), number + 1) from None
    except UnicodeDecodeError as error:
        line = lines + 1 + bytes(error.object[: error.start]).count(b"\n")
        raise RowError(f"{name}, line {line}: not UTF-16; save the file as CSV UTF-8") from None


def _peek(file: Any) -> bytes:
    start: bytes = file.peek(4)
    return start


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


class CsvEncoder:
    def __init__(self, columns: Sequence[str], delimiter: str) -> None:
        self._columns = columns
        self._delimiter = delimiter

    def header(self) -> bytes:
        return self._csv([self._columns]).encode()

    def encode(self, block: Block, added: Added | None = None) -> bytes:
        records: list[list[Any]]
        names = added.names if added is not None else []
        if isinstance(block, CsvBlock) and self._columns == [*block.header, *names]:
            more = added.rows() if added is not None else [()] * len(block)
            records = [[*record, *values] for record, values in zip(block.records, more, strict=True)]
        else:
            rows = rows_with(block, added)
            check_columns(block, rows, self._columns)
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
            return as_text(value) if isinstance(value, date | time | Decimal) else dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise block.error(i, f"CSV can't hold it: {first_line(error)}") from None


_SURROGATE: Final = re.compile("[\ud800-\udfff]")
