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
from numpy.typing import NDArray

from classifier.compiling import compiled, inner
from classifier.errors import RowError
from classifier.rows import blocks
from classifier.rows.blocks import Added, Block, first_line, rows_with
from classifier.rows.documents import DOC, Row, together
from classifier.rows.values import as_text, dumps

BOM16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_Decoded = TypeVar("_Decoded")

_BRACE: Final = ord("}")
_LINE_FEED: Final = ord("\n")
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
        ends = np.flatnonzero(characters == _LINE_FEED)
        closed = (characters[ends - 1] == _BRACE).all() and (characters[ends[:-1] + 1] == ord("{")).all()
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
        raw = b"".join((line, file.read(blocks.BLOCK_SIZE), file.readline()))
        doc = _doc_of_line(_last_line(raw))
        rest = []
        while (line := file.readline()) and (line.isspace() or together(doc, _doc_of_line(line))):
            rest.append(line)
        if rest:
            raw = b"".join([raw, *rest])
        if not raw.endswith(b"\n"):
            raw += b"\n"
        numbers = range(number, number + np.count_nonzero(np.frombuffer(raw, np.uint8) == _LINE_FEED))
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


_ZERO: Final = ord("0")
_POINT: Final = ord(".")
_1: Final = np.uint64(1)
_N_DIGITS: Final = 6  # behind the point of a number of millionths


def _append(block: JsonBlock, added: Added) -> bytes:
    """The lines as they stand, with members put before the last brace of each: faster than writing them anew, and no
    number or escape changes its spelling.
    """
    label, *names = (dumps(name) for name in added.names)
    members, member_ends = _end_to_end([f", {label}: {dumps(one)}" for one in added.labels])
    heads, head_ends = _end_to_end([f", {name}: " for name in names])
    lines = np.frombuffer(block.raw_lines, np.uint8)
    numbers = len(heads) + len(names) * (2 + _N_DIGITS)
    out = np.empty(len(lines) + len(block) * (len(members) + numbers), np.uint8)
    line_feeds = np.flatnonzero(lines == _LINE_FEED).astype(np.uint64)
    n = _write(lines, line_feeds, members, member_ends, added.chosen, heads, head_ends, added.millionths, out)
    return out[:n].tobytes()


def _end_to_end(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Their bytes, and where each ends, behind a zero."""
    raw = [text.encode() for text in texts]
    return np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)], dtype=np.uint64)


@inner
def _copy(source: NDArray[np.uint8], start: np.uint64, end: np.uint64, out: NDArray[np.uint8], n: np.uint64) -> Any:
    for i in range(end - start):
        out[n + np.uint64(i)] = source[start + np.uint64(i)]
    return n + (end - start)


@compiled
def _write(
    lines: NDArray[np.uint8],
    line_feeds: NDArray[np.uint64],
    members: NDArray[np.uint8],
    member_ends: NDArray[np.uint64],
    chosen: NDArray[np.int32],
    heads: NDArray[np.uint8],
    head_ends: NDArray[np.uint64],
    millionths: NDArray[np.int32],
    out: NDArray[np.uint8],
) -> Any:
    # Unsigned numbers are no places counted from an end, which takes long to find out at each byte.
    start = n = np.uint64(0)
    for row in range(len(chosen)):
        brace = line_feeds[row] - _1
        while lines[brace] != _BRACE:
            brace -= _1
        n = _copy(lines, start, brace, out, n)
        start = line_feeds[row] + _1
        label = np.uint64(chosen[row])
        n = _copy(members, member_ends[label], member_ends[label + _1], out, n)
        for k in range(millionths.shape[1]):
            n = _copy(heads, head_ends[k], head_ends[k + 1], out, n)
            rest = np.uint32(millionths[row, k])
            for i in range(_N_DIGITS):
                out[n + np.uint64(1 + _N_DIGITS - i)] = _ZERO + rest % np.uint32(10)
                rest //= np.uint32(10)
            out[n] = _ZERO + rest
            out[n + _1] = _POINT
            n += np.uint64(2 + _N_DIGITS)
        out[n] = _BRACE
        out[n + _1] = _LINE_FEED
        n += np.uint64(2)
    return n
