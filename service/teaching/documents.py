"""Documents that are kept so that what people say of their paragraphs has something to point at."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from classifier import Paragraph, RowError, Tag, Tagger
from classifier.folder import model_name

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# No spreadsheet takes what these match for a formula. A name begins with no sign or white space and has no controls, of
# direction either; written so that Python, Pydantic and JavaScript read the same in it.
_TAG: Final = re.compile(r"[a-z][a-z0-9:._-]{0,39}")
_SPACES: Final = r"\x7f-\xa0\u2000-\u206f\u3000\ufeff"
NAME: Final = (
    rf"^[^\x00-/:-@\[-`{{-~{_SPACES}\uff0b\uff0d\uff1d\uff20]"
    rf"([^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*[^\x00-\x20{_SPACES}])?$"
)


@dataclass(frozen=True)
class Document:
    """Paragraphs in order, and where they came from. A tag that is no name of an HTML element counts as unknown.

    Raises:
        RowError: something of it could not be exported.
    """

    paragraphs: tuple[Paragraph, ...]
    name: str | None = None
    site: str | None = None
    lang: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "paragraphs", tuple(map(_with_known_tag, self.paragraphs)))
        for i, paragraph in enumerate(self.paragraphs):
            if _SURROGATE.search(paragraph.text):
                raise RowError(f"paragraph {i}: half a surrogate pair, which is no text")
        for column, value, longest in (("site", self.site, 200), ("lang", self.lang, 35)):
            if value is not None and not (len(value) <= longest and re.fullmatch(NAME, value)):
                raise RowError(f"{column} must begin with a letter or digit and have at most {longest} characters")

    @property
    def id(self) -> str:
        """The same for the same paragraphs."""
        paragraphs = [(one.text, one.tag, one.link_density) for one in self.paragraphs]
        return "d" + hashlib.sha256(json.dumps(paragraphs).encode()).hexdigest()[:16]


def _with_known_tag(paragraph: Paragraph) -> Paragraph:
    tag = (paragraph.tag or "").lower()
    return replace(paragraph, tag=tag if _TAG.fullmatch(tag) else None)


def now() -> str:
    """The time, as RFC 3339 has it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def margin(tag: Tag) -> float:
    """How much likelier the likeliest label is than the next: the less, the less sure."""
    first, second = sorted(tag.scores.values(), reverse=True)[:2]
    return first - second


def keep(db: sqlite3.Connection, document: Document, tags: Sequence[Tag], tagger: Tagger) -> str:
    """Keeps a document with its tags; one that is there already gets them in place of an older model's.

    Returns:
        Its id.
    """
    id_ = document.id
    model = model_name(tagger.manifest)
    found = db.execute("SELECT model FROM documents WHERE id = ?", (id_,)).fetchone()
    if found is None:
        db.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
            (id_, now(), document.name, document.site, document.lang, model),
        )
        rows = (
            (id_, i, one.text, one.tag, one.link_density, tag.label, tag.score, margin(tag))
            for i, (one, tag) in enumerate(zip(document.paragraphs, tags, strict=True))
        )
        db.executemany("INSERT INTO paragraphs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return id_
    db.execute(
        "UPDATE documents SET model = ?, name = coalesce(name, ?), site = coalesce(site, ?), lang = coalesce(lang, ?)"
        " WHERE id = ?",
        (model, document.name, document.site, document.lang, id_),
    )
    if found[0] != model:
        db.executemany(
            "UPDATE paragraphs SET label = ?, score = ?, margin = ? WHERE document = ? AND place = ?",
            ((tag.label, tag.score, margin(tag), id_, i) for i, tag in enumerate(tags)),
        )
    return id_


def find(db: sqlite3.Connection, id_: str, annotator: str | None) -> dict[str, Any] | None:
    """A document with its paragraphs, as it is told of; ``given`` is what the annotator says of each."""
    head = db.execute("SELECT id, name, site, lang, model FROM documents WHERE id = ?", (id_,)).fetchone()
    if head is None:
        return None
    given = dict(
        db.execute("SELECT place, label FROM given WHERE document = ? AND annotator = ?", (id_, annotator)).fetchall()
    )
    rows = db.execute(
        "SELECT place, text, tag, link_density, label, score FROM paragraphs WHERE document = ? ORDER BY place", (id_,)
    )
    names = ("index", "text", "tag", "link_density", "label", "score")
    paragraphs = [{**dict(zip(names, row, strict=True)), "given": given.get(row[0])} for row in rows]
    return {**dict(zip(("id", "name", "site", "lang", "model"), head, strict=True)), "paragraphs": paragraphs}
