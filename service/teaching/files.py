"""Files that queues are made of: labelled or unlabelled rows, text, HTML."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from classifier import Paragraph, RowError
from classifier.paragraphs import decode, looks_like_html, split_html, split_text
from classifier.rows import Row, read_rows
from classifier.rows.documents import documents
from classifier.rows.names import STANDARD
from classifier.tagger import as_paragraph
from service.settings import Settings
from service.teaching.documents import Document

_HTML: Final = (".html", ".htm", ".xhtml")
# Of the other kinds of row file a small one can unpack to any size, or hold HTML that takes a parser hours.
ROWS_OF_STRANGERS: Final = (".csv", ".tsv", ".jsonl", ".ndjson")
_ROWS: Final = (*ROWS_OF_STRANGERS, ".parquet", ".warc", ".wet")
PACKINGS: Final = {".gz": "gzip", ".zst": "zstd"}


def unpacked_name(name: str) -> str:
    """A file's name without the ending that says how it is packed."""
    return name[: name.rindex(".")] if Path(name).suffix.lower() in PACKINGS else name


def holds_rows(name: str) -> bool:
    """Whether a file of this name is one of rows; else it is a page."""
    return Path(unpacked_name(name)).suffix.lower() in _ROWS


def is_html(name: str, raw: bytes) -> bool:
    """Whether a page is HTML, by its name or its look."""
    return Path(name).suffix.lower() in _HTML or looks_like_html(raw)


def of_file(path: str, limits: Settings) -> list[Document]:
    """The documents of a file of this machine; ``-`` is JSON lines on standard input.

    Raises:
        OSError: it is a page that can't be read.
        RowError: as ``of_rows``.
    """
    if path == STANDARD or holds_rows(path):
        return of_rows(Path(path), Path(path).name, limits)
    raw = Path(path).read_bytes()
    if Path(path).suffix.lower() in PACKINGS:
        raise RowError(f"{path}: a packed page; unpack it first")
    name = Path(path).name
    if is_html(name, raw):
        return checked(iter([Document(tuple(split_html(decode(raw))), name)]), limits)
    return of_text(raw, name, limits)


def of_rows(path: Path, name: str, limits: Settings) -> list[Document]:
    """The documents of a file of rows, which messages call ``name``. A label that a row has is not looked at.

    Raises:
        RowError: a row can't be read or kept, or there are more paragraphs than a queue may have.
    """
    try:
        return checked(_documents(path, name), limits)
    except RowError as error:
        raise RowError(str(error).replace(str(path), name, 1)) from None


def of_text(raw: bytes, name: str, limits: Settings) -> list[Document]:
    """The document that a plain text is.

    Raises:
        RowError: as ``of_rows``.
    """
    return checked(iter([Document(tuple(split_text(decode(raw))), name)]), limits)


def checked(found: Iterator[Document], limits: Settings) -> list[Document]:
    """The documents that have paragraphs.

    Raises:
        RowError: there is none, or they are more or longer than a queue takes.
    """
    kept: list[Document] = []
    n_paragraphs = 0
    for document in found:
        n_paragraphs += len(document.paragraphs)
        if n_paragraphs > limits.max_paragraphs:
            raise RowError(f"more than {limits.max_paragraphs:,} paragraphs (max_paragraphs)")
        if max((len(one.text) for one in document.paragraphs), default=0) > limits.max_paragraph_characters:
            raise RowError(f"a paragraph of more than {limits.max_paragraph_characters:,} characters")
        if document.paragraphs:
            kept.append(document)
    if not kept:
        raise RowError("there are no paragraphs")
    return kept


def _documents(path: Path, name: str) -> Iterator[Document]:
    number = 0
    for n_documents, rows in enumerate(documents(read_rows(path)), 1):
        paragraphs: list[Paragraph] = []
        for row in rows:
            number += 1
            try:
                paragraphs.append(as_paragraph(row))
            except (ValueError, OverflowError) as error:
                raise RowError(f"row {number}: {error}") from None
        first = rows[0]
        yield Document(
            tuple(paragraphs),
            f"{name}, {_cell(first, 'doc') or n_documents}"[:200],
            _cell(first, "site"),
            _cell(first, "lang"),
        )


def _cell(row: Row, column: str) -> str | None:
    value = row.get(column)
    return None if value is None or value == "" else str(value)
