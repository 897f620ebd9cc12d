"""JSON lines: read unparsed, so that a line can be handed on byte for byte."""

import codecs
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from io import BytesIO
from typing import Any, BinaryIO, Final, TypeVar

import msgspec
import numpy as np

from classifier.errors import RowError
from classifier.rows import blocks
from classifier.rows.blocks import UNIT, Added, Block, first_line, rows_with
from classifier.rows.documents import DOC, Row, together
from classifier.rows.values import as_text, dumps

BOM16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_Decoded = TypeVar("_Decoded")

_ASKED_FOR: Final = (DOC, "tag", "link_density")  # beside the text
_ROWS: Final = msgspec.json.Decoder(dict[str, Any])
_REFUSALS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MOST_DIGITS: Final = 4300  # of a number that Python reads
_TOO_MANY_DIGITS: Final = re.compile(rb"[0-9]{%d}" % (_MOST_DIGITS + 1))


class JsonBlock(Block):
    """JSON lines, unread until asked for.

    msgspec reads them several times as fast as json does, but neither NaN nor half a surrogate pair; what it refuses,
    json reads or says what is wrong with it.

    Attributes:
        raw_lines: the lines, each with its end, none of them blank.
        is_plain: whether every line begins with a brace and ends with one. No brace, line feed, brace stands inside an
            object, so that as many objects as lines are then an object a line.
        longest: bytes of the longest line.
    """

    unit = "line"

    def __init__(self, name: str, numbers: Sequence[int], raw_lines: bytes, share: float | None) -> None:
        super().__init__(name, numbers, share)
        self.raw_lines = raw_lines
        characters = np.frombuffer(raw_lines, np.uint8)
        ends = np.flatnonzero(characters == ord("\n"))
        closed = (characters[ends - 1] == ord("}")).all() and (characters[ends[:-1] + 1] == ord("{")).all()
        self.is_plain = raw_lines.startswith(b"{") and bool(closed)
        self.longest = int(np.diff(ends, prepend=-1).max(initial=0))

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines one by one."""
        return BytesIO(self.raw_lines).readlines()

    @cached_property
    def rows(self) -> list[Row]:
        try:
            return self._decoded(_ROWS)
        except _REFUSALS:
            return [self._row(i, line) for i, line in enumerate(self.lines)]

    def _decoded(self, decoder: "msgspec.json.Decoder[_Decoded]") -> list[_Decoded]:
        if self.is_plain:
            found = decoder.decode_lines(self.raw_lines)
            if len(found) == len(self):
                return found
        return [*map(decoder.decode, self.lines)]

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

    def paragraphs(self, text: str, absent: Sequence[str]) -> tuple[list[str], list[Any], list[Any], list[Any]] | None:
        """The columns ``text``, ``doc``, ``tag`` and ``link_density``, read without the rest of the rows; None where
        only reading them whole tells what is wrong: a text is missing, say, or a row has a member that is to be
        ``absent``.
        """
        if text in (*_ASKED_FOR, *absent):
            return None
        try:
            rows = self._decoded(_decoder(text, tuple(absent)))
            self.raw_lines.decode()  # msgspec does not look into the strings that it passes over,
        except _REFUSALS:
            return None
        if self.longest > _MOST_DIGITS and _TOO_MANY_DIGITS.search(self.raw_lines):  # nor does it count digits
            return None
        return (
            [row.text for row in rows],
            [row.doc for row in rows],
            [row.tag for row in rows],
            [row.link_density for row in rows],
        )

    def take(self, chosen: Sequence[int]) -> "JsonBlock":
        lines = b"".join([self.lines[i] for i in chosen])
        return JsonBlock(self.name, [self.numbers[i] for i in chosen], lines, self.share)

    def raw(self, i: int) -> str:
        return self.lines[i].decode(errors="backslashreplace").rstrip("\r\n")


@cache
def _decoder(text: str, absent: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    fields = [
        ("text", str, msgspec.field(name=text)),
        *((name, Any, None) for name in _ASKED_FOR),
        *(
            (f"absent{i}", msgspec.UnsetType, msgspec.field(name=name, default=msgspec.UNSET))
            for i, name in enumerate(absent)
        ),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Row", fields, gc=False))


def read(file: BinaryIO, name: str, share: Callable[[], float | None]) -> Iterator[JsonBlock]:
    """The blocks of an open file."""
    line = file.readline()
    if line.startswith(BOM16):
        raise RowError(f"{name} is UTF-16; JSON lines must be UTF-8")
    line = line.removeprefix(codecs.BOM_UTF8)
    number = 1
    while line:
        raw = line + file.read(blocks.BLOCK_SIZE) + file.readline()
        doc = _doc_of_line(_last_line(raw))
        rest = []
        while (line := file.readline()) and (line.isspace() or together(doc, _doc_of_line(line))):
            rest.append(line)
        if rest:
            raw = b"".join([raw, *rest])
        if not raw.endswith(b"\n"):
            raw += b"\n"
        numbers = range(number, number + raw.count(b"\n"))
        number = numbers.stop
        block = JsonBlock(name, numbers, raw, share())
        if not block.is_plain:
            block = block.take([i for i, one in enumerate(block.lines) if not one.isspace()])
        if len(block):
            yield block


def _last_line(raw: bytes) -> bytes:
    """The last line that is not blank."""
    end = len(raw)
    line = b""
    while end and not line.strip():
        start = raw.rfind(b"\n", 0, end - 1) + 1
        line = raw[start:end]
        end = start
    return line


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
        if isinstance(block, JsonBlock) and added is not None and len(block):
            return _append(block, added)
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


# The eight characters of a number of millionths: what its thousands stand for, and the rest in the last three.
_THOUSANDS: Final = np.array([f"{i / 1000:.3f}" for i in range(UNIT // 1000 + 1)], "S8").view(np.uint64)
_REST: Final = np.array([f"\0\0\0\0\0{i:03}" for i in range(1000)], "S8").view(np.uint64)


def _append(block: JsonBlock, added: Added) -> bytes:
    """The lines as they stand, with members put before the last brace of each: faster than writing them anew, and no
    number or escape changes its spelling.
    """
    label, *names = (dumps(name) for name in added.names)
    labels = [f", {label}: {dumps(one)}".encode() for one in added.labels]
    # What comes behind the label is of one length in all lines.
    members = [f", {name}: ".encode() for name in names]
    tails = np.full(len(block), b"".join(member + bytes(8) for member in members) + b"}\n")
    millionths = np.ascontiguousarray(added.millionths)
    thousands = millionths // 1000
    digits = _THOUSANDS[thousands] | _REST[millionths - 1000 * thousands]
    by_byte, digits_by_byte = (array.view(np.uint8).reshape(len(block), -1) for array in (tails, digits))
    at = 0
    for i, member in enumerate(members):
        at += len(member)
        by_byte[:, at : at + 8] = digits_by_byte[:, 8 * i : 8 * i + 8]
        at += 8
    pieces = [b""] * (3 * len(block))
    pieces[0::3] = (
        block.raw_lines.split(b"}\n")[:-1] if block.is_plain else [line.rstrip()[:-1] for line in block.lines]
    )
    pieces[1::3] = [labels[k] for k in added.chosen.tolist()]
    pieces[2::3] = tails.tolist()
    return b"".join(pieces)
