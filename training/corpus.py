"""The labelled web pages, without their text: labels keyed by where each paragraph stands and a hash of it.

``datasets/web-labels.tsv.gz`` says for each paragraph of public test collections of web pages what it is. The pages
belong to their publishers; whoever has clones of the collections gets the labelled rows back from them.
"""

import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from classifier import Paragraph, split_html
from training.tables import read_table

COLUMNS: Final = ("collection", "path", "order", "hash", "label", "doc", "site", "lang")


def text_hash(text: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass
class Report:
    """What was found again, by collection, and what was not."""

    documents: Counter[str] = field(default_factory=Counter)
    missing_documents: list[str] = field(default_factory=list)
    paragraphs: Counter[str] = field(default_factory=Counter)
    missing_paragraphs: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        for collection in sorted({*self.documents, *self.missing_paragraphs}):
            found, lost = self.paragraphs[collection], self.missing_paragraphs[collection]
            yield f"{collection}: {self.documents[collection]} pages, {found} of {found + lost} paragraphs found"
        if self.missing_documents:
            yield f"{len(self.missing_documents)} pages not found:"
            yield from (f"  {path}" for path in self.missing_documents)


def read_labels(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a ``web-labels`` file.

    Raises:
        RowError: the file can't be read or lacks a column.
    """
    return read_table(path, COLUMNS)


def write_labels(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes the labels of full rows, as the labelled web pages have them, without their text."""
    # A fixed time in the header, so that the same labels give the same bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        lines = ["\t".join(COLUMNS)]
        for row in rows:
            values = {**row, "hash": text_hash(row["text"])}
            lines.append("\t".join(str(values[column]) for column in COLUMNS))
        packed.write(("\n".join(lines) + "\n").encode())


def rebuild(labels: Iterable[Mapping[str, str]], folder: Path, report: Report) -> Iterator[dict[str, Any]]:
    """The labelled rows of every page found at ``folder/<collection>/<path>``; what is not found goes to the report.

    A paragraph is taken at its place; where the page was cut differently around it, at the nearest place with its hash.
    """
    for (collection, path), group in groupby(labels, key=lambda row: (row["collection"], row["path"])):
        page = folder / collection / path
        rows = [*group]
        try:
            raw = gzip.decompress(page.read_bytes()) if page.suffix == ".gz" else page.read_bytes()
        except (OSError, EOFError, zlib.error):
            report.missing_documents.append(f"{collection}/{path}")
            report.missing_paragraphs[collection] += len(rows)
            continue
        report.documents[collection] += 1
        paragraphs = split_html(raw)
        places: dict[str, list[int]] = {}
        for i, paragraph in enumerate(paragraphs):
            places.setdefault(text_hash(paragraph.text), []).append(i)
        for row in rows:
            order = int(row["order"])
            found = min(places.get(row["hash"], ()), key=lambda i: abs(i - order), default=None)
            if found is None:
                report.missing_paragraphs[collection] += 1
            else:
                report.paragraphs[collection] += 1
                yield _row(row, paragraphs[found])


def _row(row: Mapping[str, str], paragraph: Paragraph) -> dict[str, Any]:
    return {
        "doc": row["doc"],
        "order": int(row["order"]),
        "site": row["site"],
        "lang": row["lang"],
        "collection": row["collection"],
        "path": row["path"],
        "tag": paragraph.tag,
        "link_density": paragraph.link_density,
        "text": paragraph.text,
        "label": row["label"],
    }
