"""JSON lines: read unparsed, so that a line can be handed on byte for byte."""

import codecs
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from itertools import filterfalse
from operator import attrgetter
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from classifier.errors import RowError
from classifier.rows import blocks
from classifier.rows.blocks import UNIT, Added, Block, first_line, rows_with
from classifier.rows.documents import DOC, Row, together
from classifier.rows.values import as_text, dumps

BOM16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_REFUSALS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MOST_DIGITS: Final = 4300  # of a number that Python reads
_TOO_MANY_DIGITS: Final = re.compile(rb"[0-9]{%d}" % (_MOST_DIGITS + 1))


class JsonBlock(Block):
    """JSON lines, unread until asked for.

    msgspec reads them several times as fast as json does, but neither NaN nor half a surrogate pair; what it refuses,
    json reads or says what is wrong with it.
    """

    unit = "line"

    def __init__(self, name: str, numbers: Sequence[int], lines: list[bytes], share: float | None) -> None:
        super().__init__(name, numbers, share)
        self.lines = lines

    @cached_property
    def rows(self) -> list[Row]:
        try:
            return [*map(_decode, self.lines)]
        except _REFUSALS:
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

    def members(self, text: str, others: Sequence[str], absent: Sequence[str]) -> dict[str, list[Any]] | None:
        """The column ``text``, of strings, and others, None where a row has none, read without the rest of the rows;
        None where only reading them whole tells what is wrong: a text is missing, say, or a row has a member that is
        to be ``absent``.
        """
        names = dict.fromkeys([text, *others])
        if not names.keys().isdisjoint(absent):
            return None
        decode = msgspec.json.Decoder(_row_type(tuple(names), tuple(absent))).decode
        try:
            rows = [*map(decode, self.lines)]
            b"".join(self.lines).decode()  # msgspec does not look into the strings that it passes over
        except _REFUSALS:
            return None
        if any(len(line) > _MOST_DIGITS and _TOO_MANY_DIGITS.search(line) for line in self.lines):
            return None
        return {name: [*map(attrgetter(f"column{i}"), rows)] for i, name in enumerate(names)}

    def take(self, chosen: Sequence[int]) -> "JsonBlock":
        return JsonBlock(self.name, [self.numbers[i] for i in chosen], [self.lines[i] for i in chosen], self.share)

    def raw(self, i: int) -> str:
        return self.lines[i].decode(errors="backslashreplace").rstrip("\r\n")


@cache
def _row_type(names: tuple[str, ...], absent: tuple[str, ...]) -> type[msgspec.Struct]:
    """The first of the columns is a string, the others anything or missing."""
    kinds: list[tuple[Any, Any]] = [(str, msgspec.NODEFAULT), *[(Any, None)] * (len(names) - 1)]
    kinds += [(msgspec.UnsetType, msgspec.UNSET)] * len(absent)
    fields = [
        (f"column{i}", kind, msgspec.field(name=name, default=default))
        for i, (name, (kind, default)) in enumerate(zip((*names, *absent), kinds, strict=True))
    ]
    return msgspec.defstruct("Row", fields, gc=False)


def read(file: BinaryIO, name: str, share: Callable[[], float | None]) -> Iterator[JsonBlock]:
    """The blocks of an open file."""
    line = file.readline()
    if line.startswith(BOM16):
        raise RowError(f"{name} is UTF-16; JSON lines must be UTF-8")
    line = line.removeprefix(codecs.BOM_UTF8)
    number = 1
    while line:
        found = [line, *file.readlines(blocks.BLOCK_SIZE)]
        doc = _doc_of_line(next(filterfalse(bytes.isspace, reversed(found)), b""))
        while (line := file.readline()) and (line.isspace() or together(doc, _doc_of_line(line))):
            found.append(line)
        lines = [*filterfalse(bytes.isspace, found)]
        numbers: Sequence[int] = range(number, number + len(found))
        number += len(found)
        if len(lines) < len(found):
            numbers = [n for n, one in zip(numbers, found, strict=True) if not one.isspace()]
        if lines:
            yield JsonBlock(name, numbers, lines, share())


def _doc_of_line(line: bytes) -> Any:
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None  # whoever reads the block tells of it
    return row.get(DOC) if isinstance(row, dict) else None


_dumps_ascii = json.JSONEncoder(allow_nan=False, default=as_text).encode


def _without_nan(row: Row) -> Row:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


class JsonEncoder:
    def encode(self, block: Block, added: Added | None = None) -> bytes:
        if isinstance(block, JsonBlock) and added is not None:
            return _append(block.lines, added)
        return b"".join([self._line(block, i, row) for i, row in enumerate(rows_with(block, added))])

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


_THREE_DIGITS: Final = np.array([f"{i:03}" for i in range(1000)], "S3")


def _append(lines: Sequence[bytes], added: Added) -> bytes:
    """The lines as they stand, with members put before the last brace of each: faster than writing them anew, and no
    number or escape changes its spelling.
    """
    label, *names = (dumps(name) for name in added.names)
    heads = [f", {label}: {dumps(one)}".encode() for one in added.labels]
    # Behind them all lines have the same, but for the digits.
    fields: list[tuple[str, str]] = []
    for i, name in enumerate(names):
        fields += [(f"name{i}", f"S{len(f', {name}: '.encode())}"), (f"one{i}", "S1"), (f"point{i}", "S1")]
        fields += [(f"high{i}", "S3"), (f"low{i}", "S3")]
    tails = np.empty(len(lines), [*fields, ("end", "S2")])
    tails["end"] = b"}\n"
    for i, name in enumerate(names):
        ones, rest = np.divmod(added.millionths[:, i], UNIT)
        high, low = np.divmod(rest, 1000)
        tails[f"name{i}"] = f", {name}: ".encode()
        tails[f"one{i}"] = np.where(ones, b"1", b"0")
        tails[f"point{i}"] = b"."
        tails[f"high{i}"] = _THREE_DIGITS[high]
        tails[f"low{i}"] = _THREE_DIGITS[low]
    pieces = [b""] * (3 * len(lines))
    pieces[0::3] = [line.rstrip()[:-1] for line in lines]
    pieces[1::3] = [heads[k] for k in added.chosen.tolist()]
    pieces[2::3] = tails.view(f"S{tails.itemsize}").tolist()
    return b"".join(pieces)
