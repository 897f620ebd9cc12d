"""Row files, read block by block or row by row."""

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import zstandard

from classifier.errors import MissingColumnError, RowError
from classifier.rows import archives, delimited, json_lines, parquet
from classifier.rows.blocks import Block, first_line
from classifier.rows.delimited import DELIMITERS, CsvBlock
from classifier.rows.documents import TEXT, Row
from classifier.rows.names import STANDARD, split_name
from classifier.rows.packing import unpacked
from classifier.rows.parquet import ArrowBlock


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

    def __init__(self, path: str | Path, *, text_column: str = TEXT) -> None:
        """
        Raises:
            RowError: no such file, an unknown format, no text column, or a damaged start.
        """
        kind, packing = split_name(path)
        self.name = "standard input" if str(path) == STANDARD else str(path)
        self._size = 0
        with ExitStack() as stack, reading(self.name):
            if str(path) == STANDARD:
                self._file: BinaryIO = sys.stdin.buffer
            else:
                self._file = stack.enter_context(Path(path).open("rb"))
                self._size = os.fstat(self._file.fileno()).st_size
            self._blocks: Iterator[Block]
            if kind == "warc":
                self.columns = list(archives.COLUMNS)
                self._blocks = archives.read(self._file, self.name, self._share)
            elif kind == "jsonl":
                self._blocks = json_lines.read(unpacked(self._file, packing), self.name, self._share)
            elif kind == "parquet":
                file = stack.enter_context(parquet.opened(Path(path), self.name))
                self.schema, found = parquet.read(file, self.name)
                self.columns = list(self.schema.names)
                self._blocks = _at_least(lambda: ArrowBlock(self.name, self.schema.empty_table(), [], 1.0), found)
            else:
                # Kept, for a wrapper that goes closes the file.
                self._text = delimited.decoded(unpacked(self._file, packing))
                columns, records = delimited.read(self._text, self.name, DELIMITERS[kind], text_column, self._share)
                self.columns = columns
                self._blocks = _at_least(lambda: CsvBlock(self.name, columns, [], 1.0), records)
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
        with reading(self.name):
            yield from self._blocks

    def _check_columns(self, columns: list[str], text_column: str) -> None:
        if len(set(columns)) < len(columns):
            twice = next(name for name in columns if columns.count(name) > 1)
            raise RowError(f"{self.name}: two columns are called {twice!r}; rename one")
        if text_column not in columns:
            raise MissingColumnError(self.name, text_column, columns)

    def _share(self) -> float | None:
        return min(self._file.tell() / self._size, 1.0) if self._size else None


def _at_least(empty: Callable[[], Block], blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks, or an empty one where there are none: a file without rows has columns all the same."""
    yield next(blocks, None) or empty()
    yield from blocks


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Says of every error of reading a file what is wrong with it."""
    try:
        yield
    except RowError:
        raise
    except EOFError:
        raise RowError(f"{name} is cut off: its packed data ends too early") from None
    except (zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise RowError(f"{name} is damaged: {first_line(error)}") from None
    except FileNotFoundError:
        raise RowError(f"{name}: no such file") from None
    except OSError as error:
        raise RowError(f"{name} can't be read: {error.strerror or first_line(error)}") from None
    except Exception as error:
        if not type(error).__module__.startswith("pyarrow"):
            raise
        raise RowError(f"{name} can't be read: {first_line(error)}") from None
