"""Row files, written whole or not at all."""

import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from glob import escape
from itertools import islice
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, BinaryIO, Final, Self

from classifier.errors import RowError
from classifier.rows.blocks import Block, Encoder, PlainBlock, first_line
from classifier.rows.delimited import DELIMITERS, CsvEncoder
from classifier.rows.documents import Row
from classifier.rows.json_lines import JsonEncoder
from classifier.rows.names import STANDARD, split_name
from classifier.rows.packing import packed
from classifier.rows.parquet import ParquetEncoder, RowGroups, pyarrow_for, schema_of, with_columns

_WRITE_ROWS: Final = 1000  # rows encoded together
_WRITE_BACK_BYTES: Final = 1 << 25
_NO_TYPES: Final[Mapping[str, type]] = MappingProxyType({})


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
            pyarrow_for(self.name)
        elif self._kind == "warc":
            raise RowError(f"{self.name}: archives are only read; write .jsonl, .csv or .parquet")
        self._columns = columns
        self._schema = schema
        self._encoder: Encoder | None = None
        self._sink: RowGroups | None = None
        self._n_rows = 0
        self._written_back = 0

    def __enter__(self) -> Self:
        with _writing(self.name), ExitStack() as stack:
            self._raw: BinaryIO = stack.enter_context(_whole(self._path)) if self._path else sys.stdout.buffer
            self._file = stack.enter_context(packed(self._raw, self._packing))
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
            block = PlainBlock(self.name, some, range(self._n_rows + 1, self._n_rows + len(some) + 1))
            encoder = self._encoder or self.begin(block)
            self.put(encoder.encode(block))
            self._n_rows += len(some)

    def begin(
        self, first: Block, added: Mapping[str, type] = _NO_TYPES, columns: Sequence[str] | None = None
    ) -> Encoder:
        """Fixes the file's columns: those given here or at the start, else the first block's; then ``added`` ones, of
        type str, int or float.

        Returns:
            What encodes blocks for :meth:`put`.

        Raises:
            RowError: the columns can't be in this format.
        """
        columns = columns if columns is not None else self._columns if self._columns is not None else first.columns()
        if self._kind == "jsonl":
            self._encoder = JsonEncoder()
        elif self._kind == "parquet":
            schema = with_columns(self._schema if self._schema is not None else schema_of(first, columns), added)
            with _writing(self.name):
                self._sink = RowGroups(self._file, schema)
            self._encoder = ParquetEncoder(schema)
        else:
            csv_encoder = self._encoder = CsvEncoder([*columns, *added], DELIMITERS[self._kind])
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
            if self._path is not None:
                self._begin_write_back()

    def _begin_write_back(self) -> None:
        """Has the disk take what was written, now and then, so that the end need not wait for all of it."""
        end = self._raw.tell()
        if end - self._written_back >= _WRITE_BACK_BYTES and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._raw.fileno(), self._written_back, end - self._written_back, os.POSIX_FADV_DONTNEED)
            self._written_back = end


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # whoever read standard output has enough
        raise
    except OSError as error:
        raise RowError(f"{name} can't be written: {error.strerror or first_line(error)}") from None


def remove_parts(path: Path) -> None:
    """Removes what writers of the file left that were killed."""
    for part in path.parent.glob(escape(f".{path.name}.") + "*.part"):
        part.unlink(missing_ok=True)


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
