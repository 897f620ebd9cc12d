"""Which rows are one document."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

Row = dict[str, Any]

TEXT: Final = "text"
DOC: Final = "doc"


def documents(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows document by document.

    Rows that follow each other with the same ``doc`` are one document. A row whose ``doc`` is missing, null or empty is
    a document of its own.
    """
    document: list[Row] = []
    for row in rows:
        if document and not together(document[-1].get(DOC), row.get(DOC)):
            yield document
            document = []
        document.append(row)
    if document:
        yield document


def together(doc: Any, after: Any) -> bool:
    return doc is not None and doc != "" and bool(doc == after)


def document_sizes(docs: Sequence[Any]) -> list[int]:
    """How many rows each document has, given the rows' ``doc``, grouped as :func:`documents` does."""
    sizes: list[int] = []
    for doc, same in groupby(docs):
        n = len([*same])
        sizes += [n] if together(doc, doc) else [1] * n
    return sizes
