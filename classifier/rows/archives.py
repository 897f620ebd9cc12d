"""Web archives, WARC and WET, by FastWARC: each page or text is a document, its paragraphs are rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, Final

from selectolax.lexbor import SelectolaxError

from classifier.errors import RowError
from classifier.paragraphs import decode, split_html, split_text
from classifier.rows.blocks import Block, PlainBlock, cut
from classifier.rows.documents import DOC, TEXT, Row

COLUMNS: Final = (DOC, "url", "date", "tag", "link_density", TEXT)
_HTML: Final = ("text/html", "application/xhtml+xml")
_PLAIN: Final = "text/plain"


@dataclass(frozen=True, slots=True)
class _Record:
    """A page or a text, not split yet."""

    number: int
    id: str
    url: str | None
    date: str | None
    charset: str | None
    is_html: bool
    payload: bytes

    def rows(self) -> list[Row]:
        text = decode(self.payload, self.charset)
        try:
            paragraphs = split_html(text) if self.is_html else split_text(text, "line")
        except (SelectolaxError, MemoryError):  # markup that grows without end when it is parsed
            return [{DOC: self.id, "url": self.url, TEXT: None}]
        page = {DOC: self.id, "url": self.url, "date": self.date}
        return [{**page, "tag": p.tag, "link_density": p.link_density, TEXT: p.text} for p in paragraphs]


class ArchiveBlock(Block):
    """Records of an archive, split into rows when asked for."""

    def __init__(self, name: str, records: Sequence[_Record], share: float | None) -> None:
        super().__init__(name, (), share)
        self._records = records

    @cached_property
    def _split(self) -> PlainBlock:
        found = [(row, record.number) for record in self._records for row in record.rows()]
        return PlainBlock(self.name, [row for row, _ in found], [number for _, number in found], unit="record")

    @property
    def rows(self) -> list[Row]:
        return self._split.rows

    def take(self, chosen: Sequence[int]) -> Block:
        return self._split.take(chosen)

    def raw(self, i: int) -> Any:
        return {"url": self.rows[i]["url"]}

    def place(self, i: int) -> str:
        return self._split.place(i)

    def __len__(self) -> int:
        return len(self.rows)

    def columns(self) -> list[str]:
        return list(COLUMNS)


def read(file: BinaryIO, name: str, share: Callable[[], float | None]) -> Iterator[ArchiveBlock]:
    """The blocks of an open archive, packed or not. Records that hold no page and no text are passed over."""
    for records in cut(_records(file, name), lambda record: len(record.payload), lambda record: None):
        yield ArchiveBlock(name, records, share())


def _records(file: BinaryIO, name: str) -> Iterator[_Record]:
    try:
        from fastwarc.warc import ArchiveIterator, WarcRecordType
    except ImportError:
        raise RowError(f"{name}: archives need FastWARC; pip install 'boilertag[warc]'") from None
    kinds = WarcRecordType.response | WarcRecordType.conversion | WarcRecordType.resource
    for number, record in enumerate(ArchiveIterator(file, record_types=kinds, auto_decode="all"), 1):
        headers = record.headers
        kind = record.http_content_type if record.is_http else headers.get("Content-Type")
        kind = (kind or "").partition(";")[0].strip().lower()
        if kind == _PLAIN or kind in _HTML:
            yield _Record(
                number=number,
                id=headers.get("WARC-Record-ID") or f"{name}#{number}",
                url=headers.get("WARC-Target-URI"),
                date=headers.get("WARC-Date"),
                charset=record.http_charset if record.is_http else None,
                is_html=kind != _PLAIN,
                payload=record.reader.read(),
            )
