"""JSON lines: read unparsed, so that a line can be handed on byte for byte."""

import codecs
import json
import math
import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, BinaryIO, Final

from classifier.errors import RowError
from classifier.rows.blocks import NOTHING, Added, Block, cut, first_line, rows_with
from classifier.rows.documents import DOC, Row
from classifier.rows.values import as_text, dumps

_SEAM: Final = f',"{secrets.token_hex(16)}",'.encode()
BOM16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class JsonBlock(Block):
    """JSON lines, unread until asked for."""

    unit = "line"

    def __init__(self, name: str, numbers: Sequence[int], lines: list[bytes], share: float | None) -> None:
        super().__init__(name, numbers, share)
        self.lines = lines

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

    def take(self, chosen: Sequence[int]) -> "JsonBlock":
        return JsonBlock(self.name, [self.numbers[i] for i in chosen], [self.lines[i] for i in chosen], self.share)

    def raw(self, i: int) -> str:
        return self.lines[i].decode(errors="backslashreplace").rstrip("\r\n")


def read(file: BinaryIO, name: str, share: Callable[[], float | None]) -> Iterator[JsonBlock]:
    """The blocks of an open file."""
    for lines in cut(_lines(file, name), lambda line: len(line[1]), _doc_of_line):
        numbers, raw = zip(*lines, strict=True)
        yield JsonBlock(name, numbers, list(raw), share())


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    first = file.readline()
    if first.startswith(BOM16):
        raise RowError(f"{name} is UTF-16; JSON lines must be UTF-8")
    for number, line in enumerate(chain([first.removeprefix(codecs.BOM_UTF8)], file), 1):
        if not line.isspace() and line:
            yield number, line


def _doc_of_line(line: tuple[int, bytes]) -> Any:
    try:
        row = json.loads(line[1].decode())
    except (ValueError, RecursionError):
        return None  # whoever reads the block tells of it
    return row.get(DOC) if isinstance(row, dict) else None


_dumps_ascii = json.JSONEncoder(allow_nan=False, default=as_text).encode


def _without_nan(row: Row) -> Row:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


class JsonEncoder:
    def encode(self, block: Block, added: Added = NOTHING) -> bytes:
        if isinstance(block, JsonBlock) and added and len(block):
            return self._append(block, added)
        return b"".join([self._line(block, i, row) for i, row in enumerate(rows_with(block, added))])

    def _append(self, block: JsonBlock, added: Added) -> bytes:
        """The lines as they stand, with members put before the last brace of each: faster than writing them anew, and
        no number or escape changes its spelling.
        """
        form = "".join(f", {dumps(name).replace('%', '%%')}: %s" for name in added) + "}\n"
        columns = [map(dumps, column) if isinstance(column[0], str) else column for column in added.values()]
        tails = map(form.__mod__, zip(*columns, strict=True))
        return b"".join([line.rstrip()[:-1] + tail.encode() for line, tail in zip(block.lines, tails, strict=True)])

    @staticmethod
    def _line(block: Block, i: int, row: Row) -> bytes:
        try:
            try:
                return dumps(row).encode() + b"\n"
            except UnicodeEncodeError:  # lone surrogates, which JSON can escape
                return _dumps_ascii(row).encode() + b"\n"
            except ValueError:
                return _dumps_ascii(_without_nan(row)).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise block.error(i, f"JSON can't hold it: {first_line(error)}") from None
