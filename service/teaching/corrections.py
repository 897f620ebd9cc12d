"""What people say of paragraphs: written down for good, undone by a mark, exported as labelled rows."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from service.teaching.documents import now

COLUMNS: Final = ("text", "label", "doc", "site", "lang", "tag", "link_density", "annotators")
_TOLD: Final = """
    SELECT c.id, c.at, c.annotator, c.document, d.name, c.model, count(*) AS paragraphs,
           iif(c.confirms, NULL, l.place) AS "index", iif(c.confirms, NULL, p.text) AS text,
           iif(c.confirms, NULL, l.label) AS label, iif(c.confirms, NULL, l.old_label) AS old_label,
           iif(c.confirms, NULL, l.old_score) AS old_score,
           max(NOT EXISTS (
               SELECT 1 FROM labels AS m JOIN corrections AS n ON n.id = m.correction
               WHERE m.document = l.document AND m.place = l.place AND m.correction > c.id
               AND n.annotator = c.annotator AND n.undone IS NULL
           )) AS counts
    FROM corrections AS c
    JOIN documents AS d ON d.id = c.document
    JOIN labels AS l ON l.correction = c.id
    JOIN paragraphs AS p ON p.document = l.document AND p.place = l.place
"""


def correct(db: sqlite3.Connection, annotator: str, document: str, place: int, label: str) -> dict[str, Any] | None:
    """Writes down that an annotator gives a paragraph a label; None where there is no such paragraph."""
    row = db.execute(
        "SELECT label, score FROM paragraphs WHERE document = ? AND place = ?", (document, place)
    ).fetchone()
    if row is None:
        return None
    id_ = _begin(db, annotator, document, confirms=False)
    db.execute("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?)", (id_, document, place, label, *row))
    return next(_told(db, "WHERE c.id = ?", id_))


def confirm(db: sqlite3.Connection, annotator: str, document: str) -> tuple[int | None, int] | None:
    """Writes down that an annotator agrees with the model on all paragraphs of a document that they have not labelled.

    Returns:
        The correction's id, None where nothing was left, and how many there were; None where there is no such document.
    """
    if db.execute("SELECT 1 FROM documents WHERE id = ?", (document,)).fetchone() is None:
        return None
    left = db.execute(
        "SELECT place, label, score FROM paragraphs WHERE document = ?1 AND place NOT IN"
        " (SELECT place FROM given WHERE document = ?1 AND annotator = ?2)",
        (document, annotator),
    ).fetchall()
    if not left:
        return None, 0
    id_ = _begin(db, annotator, document, confirms=True)
    rows = ((id_, document, place, label, label, score) for place, label, score in left)
    db.executemany("INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?)", rows)
    return id_, len(left)


def _begin(db: sqlite3.Connection, annotator: str, document: str, *, confirms: bool) -> int:
    done = db.execute(
        "INSERT INTO corrections (at, annotator, document, model, confirms)"
        " SELECT ?, ?, id, model, ? FROM documents WHERE id = ?",
        (now(), annotator, confirms, document),
    )
    return int(done.lastrowid or 0)


def undo(db: sqlite3.Connection, id_: int, annotator: str) -> str | None:
    """Marks an annotator's correction as undone.

    Returns:
        When it was undone, now or before; None where the annotator has no such correction.
    """
    mine = (id_, annotator)
    db.execute("UPDATE corrections SET undone = ? WHERE id = ? AND annotator = ? AND undone IS NULL", (now(), *mine))
    row = db.execute("SELECT undone FROM corrections WHERE id = ? AND annotator = ?", mine).fetchone()
    return row and str(row[0])


def newest(db: sqlite3.Connection, annotator: str | None, before: int | None, limit: int) -> list[dict[str, Any]]:
    """The corrections that are not undone, newest first, as they are told of."""
    chosen = (
        "WHERE c.id IN (SELECT id FROM corrections WHERE undone IS NULL AND annotator = coalesce(?, annotator)"
        " AND id < coalesce(?, id + 1) ORDER BY id DESC LIMIT ?)"
    )
    return list(_told(db, chosen, annotator, before, limit))


def _told(db: sqlite3.Connection, where: str, *values: Any) -> Iterator[dict[str, Any]]:
    found = db.execute(f"{_TOLD} {where} GROUP BY c.id ORDER BY c.id DESC", values)
    names = [column[0] for column in found.description]
    for row in found:
        told = dict(zip(names, row, strict=True))
        yield {**told, "counts": bool(told["counts"])}


def documents(db: sqlite3.Connection, annotator: str | None) -> list[str]:
    """The documents of which something is labelled, in the order in which that began."""
    rows = db.execute(
        "SELECT document FROM corrections WHERE undone IS NULL AND annotator = coalesce(?, annotator)"
        " GROUP BY document ORDER BY min(id)",
        (annotator,),
    )
    return [str(row[0]) for row in rows]


def labelled_rows(db: sqlite3.Connection, document: str, annotator: str | None) -> list[dict[str, Any]]:
    """The paragraphs of a document that are labelled, in order, with ``COLUMNS``. Of what several annotators say, the
    label that most give counts; of equals, the one that was given last.
    """
    given: dict[int, list[tuple[str, str]]] = {}
    for place, label, who in db.execute(
        "SELECT place, label, annotator FROM given WHERE document = ? AND annotator = coalesce(?, annotator)"
        " ORDER BY place, correction DESC",
        (document, annotator),
    ):
        given.setdefault(place, []).append((label, who))
    rows = db.execute(
        "SELECT p.place, p.text, d.site, d.lang, p.tag, p.link_density FROM paragraphs AS p"
        " JOIN documents AS d ON d.id = p.document WHERE p.document = ? ORDER BY p.place",
        (document,),
    )
    found = []
    for place, text, site, lang, tag, density in rows:
        if place in given:
            # Counter keeps the order of what it meets, so of equals the newest comes first.
            label = Counter(label for label, _ in given[place]).most_common(1)[0][0]
            who = ", ".join(sorted(name for one, name in given[place] if one == label))
            found.append(dict(zip(COLUMNS, (text, label, document, site, lang, tag, density, who), strict=True)))
    return found
