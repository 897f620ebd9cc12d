"""Queues of paragraphs to be labelled, those first of which the model is least sure."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from classifier import Tag, Tagger
from service.teaching import documents
from service.teaching.documents import Document, margin, now

_ANSWERED = """
    EXISTS (
        SELECT 1 FROM labels JOIN corrections ON corrections.id = labels.correction
        WHERE labels.document = items.document AND labels.place = items.place
        AND corrections.annotator = :annotator AND corrections.undone IS NULL
    )
"""


def fill(
    db: sqlite3.Connection, name: str, found: Sequence[Document], tags: Sequence[Sequence[Tag]], tagger: Tagger
) -> str:
    """Keeps documents as a queue; the same documents are the same queue, whose order is made anew.

    Returns:
        Its id.
    """
    ids = [documents.keep(db, document, of, tagger) for document, of in zip(found, tags, strict=True)]
    id_ = "q" + hashlib.sha256("".join(ids).encode()).hexdigest()[:16]
    number = db.execute("SELECT coalesce(max(number), 0) + 1 FROM queues").fetchone()[0]
    db.execute(
        "INSERT INTO queues VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (id_, number, now(), name, len(set(ids)))
    )
    db.execute("DELETE FROM items WHERE queue = ?", (id_,))
    order = enumerate(_least_sure_first(dict(zip(ids, zip(found, tags, strict=True), strict=True))))
    db.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", ((id_, rank, *item) for rank, item in order))
    return id_


def _least_sure_first(kept: dict[str, tuple[Document, Sequence[Tag]]]) -> Iterator[tuple[str, int]]:
    """Document and place of each paragraph: by margin, but each text once before any comes again."""
    paragraphs = sorted(
        (margin(tag), id_, place, paragraph.text)
        for id_, (document, tags) in kept.items()
        for place, (paragraph, tag) in enumerate(zip(document.paragraphs, tags, strict=True))
    )
    met: Counter[str] = Counter()
    ranked = []
    for unsure, id_, place, text in paragraphs:
        ranked.append((met[text], unsure, id_, place))
        met[text] += 1
    return ((id_, place) for _, _, id_, place in sorted(ranked))


def listed(db: sqlite3.Connection, annotator: str | None, id_: str | None = None) -> list[dict[str, Any]]:
    """The queues, newest first, or the one with this id, with how much of each the annotator has done."""
    found = db.execute(
        f"SELECT id, name, at, documents, (SELECT count(*) FROM items WHERE queue = queues.id) AS paragraphs,"
        f" iif(:annotator IS NULL, NULL, (SELECT count(*) FROM items WHERE queue = queues.id AND {_ANSWERED})) AS done"
        f" FROM queues WHERE id = coalesce(:id, id) ORDER BY number DESC",
        {"annotator": annotator, "id": id_},
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def upcoming(
    db: sqlite3.Connection, id_: str, annotator: str, *, after: int, limit: int, neighbours: int
) -> list[dict[str, Any]]:
    """What an annotator is to label next, as it is told of, with so many neighbours on each side."""
    rows = db.execute(
        "SELECT items.rank, p.document, d.name, p.place, p.text, p.tag, p.link_density, p.label, p.score, p.margin"
        " FROM items JOIN paragraphs AS p ON p.document = items.document AND p.place = items.place"
        " JOIN documents AS d ON d.id = p.document"
        f" WHERE queue = :queue AND rank > :after AND NOT {_ANSWERED} ORDER BY rank LIMIT :limit",
        {"queue": id_, "after": after, "annotator": annotator, "limit": limit},
    ).fetchall()
    names = ("rank", "document", "name", "index", "text", "tag", "link_density", "label", "score", "margin")
    items = [dict(zip(names, row, strict=True)) for row in rows]
    for item in items:
        document, place = item["document"], item["index"]
        item["before"] = _between(db, document, place - neighbours, place - 1)
        item["after"] = _between(db, document, place + 1, place + neighbours)
    return items


def _between(db: sqlite3.Connection, document: str, first: int, last: int) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT place, text, label, score FROM paragraphs WHERE document = ? AND place BETWEEN ? AND ? ORDER BY place",
        (document, first, last),
    )
    return [dict(zip(("index", "text", "label", "score"), row, strict=True)) for row in rows]
