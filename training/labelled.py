"""Files of labelled rows, as people have them: what is in them, and what in them can't be read."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from classifier.errors import BadRowError, MissingColumnError, RowError
from classifier.rows import Row, RowReader, document_sizes
from classifier.rows.blocks import Block
from classifier.scoring import sifted
from training.corrections import NONE, Corrections

SITE: Final = "site"


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns are called.

    Attributes:
        text: the paragraph.
        label: what it is.
        group: where it comes from; rows alike in it are never on both sides of a fold.
    """

    text: str = "text"
    label: str = "label"
    group: str = SITE


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """A row as its file has it. What is missing is None, or empty where it is a string.

    Attributes:
        number: the row's, or the line's, as messages count them.
        spelling: the label, with the space around it.
        link_density: as the file has it.
    """

    number: int
    text: str
    spelling: str
    doc: str | None
    group: str | None
    tag: str | None
    link_density: Any
    lang: str | None
    collection: str | None

    @property
    def label(self) -> str:
        return self.spelling.strip()


class Fault(NamedTuple):
    """What could not be read.

    Attributes:
        kind: a row, or the file from there on.
        number: the row's; None where it is no row.
        reason: what is wrong.
    """

    kind: Literal["row", "file"]
    number: int | None
    reason: str


@dataclass
class LabelledFile:
    """What a file of labelled rows holds.

    Attributes:
        name: the file, as messages call it.
        columns: what its columns are called.
        unit: what messages call a row.
        known: the columns that it has.
        missing: those of text and label that it has not; it has no rows then.
        rows: those that could be read.
        empty: the numbers of the rows that hold nothing at all, as spreadsheets leave them.
        faults: what could not be read.
    """

    name: str
    columns: Columns
    unit: str = "row"
    known: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    rows: list[LabelledRow] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def documents(self) -> Iterator[tuple[str, list[LabelledRow]]]:
        """The rows document by document, each with its group: the first row's, else its document, else itself."""
        rows = iter(self.rows)
        for n, size in enumerate(document_sizes([row.doc for row in self.rows])):
            document = list(islice(rows, size))
            yield document[0].group or document[0].doc or f"{self.name}:{n}", document

    def summary(self) -> dict[str, Any]:
        """What it holds, ready for JSON: ``file``, ``rows``, ``documents``, ``groups`` (these two None where no column
        says which row is of which), the column of groups, and rows by value, most first, as ``labels`` and
        ``languages``.
        """
        documents = list(self.documents())
        return {
            "file": self.name,
            "rows": len(self.rows),
            "documents": len(documents) if "doc" in self.known else None,
            "group": self.columns.group,
            "groups": len({group for group, _ in documents}) if self.columns.group in self.known else None,
            "labels": _counts(row.label for row in self.rows),
            "languages": _counts(row.lang for row in self.rows),
        }


def _counts(values: Iterable[str | None]) -> dict[str, int]:
    counts = Counter(value for value in values if value)
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def read_labelled(path: Path, columns: Columns | None = None, corrections: Corrections = NONE) -> LabelledFile:
    """Reads a file of labelled rows, with corrected labels. Raises nothing: what can't be read is among its faults."""
    columns = columns or Columns()
    file = LabelledFile(str(path), columns)
    try:
        with RowReader(path, text_column=columns.text) as reader:
            file.name = reader.name
            file.known = list(reader.columns or ())
            for block in reader.blocks():
                _add(file, block, corrections)
    except MissingColumnError as error:
        file.known = list(error.columns)
    except BadRowError as error:
        file.faults.append(Fault("file", error.number, error.reason))
    except RowError as error:
        file.faults.append(Fault("file", None, str(error).removeprefix(file.name).lstrip(":, ")))
    if file.known:
        file.missing = [column for column in (columns.text, columns.label) if column not in file.known]
    if file.missing:
        file.rows.clear()
    return file


def _add(file: LabelledFile, block: Block, corrections: Corrections) -> None:
    file.unit = block.unit
    columns = file.columns
    try:
        rows = block.rows
    except BadRowError:
        chosen, rejects = sifted(block, lambda row: row.rows)
        file.faults += [Fault("row", block.numbers[reject.i], reject.reason) for reject in rejects]
        block = block.take(chosen)
        rows = block.rows
    file.known += [name for name in block.columns() if name not in file.known]
    named = ({**row, "text": row.get(columns.text), "label": row.get(columns.label)} for row in rows)
    for number, row in zip(block.numbers, corrections.apply(named), strict=True):
        if all(_is_missing(value) for value in row.values()):
            file.empty.append(number)
        elif not _is_missing(row["text"]) and not isinstance(row["text"], str):
            file.faults.append(Fault("row", number, f"{columns.text!r} holds {row['text']!r:.60}, which is no string"))
        elif isinstance(row["label"], list | dict):
            file.faults.append(Fault("row", number, f"{columns.label!r} holds {row['label']!r:.60}, which is no label"))
        else:
            file.rows.append(_row(number, row, columns.group))


def _row(number: int, row: Row, group: str) -> LabelledRow:
    return LabelledRow(
        number=number,
        text=_string(row["text"]) or "",
        spelling=_string(row["label"]) or "",
        doc=_string(row.get("doc")),
        group=_string(row.get(group)),
        tag=_string(row.get("tag")),
        link_density=row.get("link_density"),
        lang=_string(row.get("lang")),
        collection=_string(row.get("collection")),
    )


def _is_missing(value: Any) -> bool:
    """Whether a value is null, empty, or NaN, which is pandas' null."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _string(value: Any) -> str | None:
    """A value as text; pandas makes floats of whole numbers where a column has gaps."""
    if _is_missing(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
