"""What a careful person would look at before fitting on labelled rows.

Each check has a name that stays. Errors are what can't be read or would spoil a model without a word; warnings are what
may be meant. Short texts are not looked at for repetition: "Advertisement" stands on every page.
"""

import difflib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

from classifier.paragraphs import as_link_density
from training.labelled import SITE, LabelledFile, LabelledRow
from training.minhash import near_duplicates

Severity = Literal["error", "warning"]

MIN_ROWS: Final = 5  # of a label
MIN_GROUPS: Final = 3  # to hold folds out
LONG: Final = 60  # characters from which on a text stands on two pages for a reason
_CELL: Final = 32_767  # characters that a cell of Excel holds


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found.

    Attributes:
        file: the file, as messages call it.
        row: the row's number in it, or the line's, as messages count them; None for all of the file.
        unit: what ``row`` counts, "row" or "line".
        note: what is special about this row.
    """

    file: str
    row: int | None
    unit: str = "row"
    note: str = ""

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}, {self.unit} {self.row}"
        return f"{place}: {self.note}" if self.note else place


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with some rows. ``dataclasses.asdict`` makes JSON of it.

    Attributes:
        name: the check's.
        severity: "error" or "warning".
        message: what is wrong with each of the rows.
        advice: what to do.
        rows: where; one at least.
    """

    name: str
    severity: Severity
    message: str
    advice: str
    rows: tuple[Place, ...]

    def __str__(self) -> str:
        first, *others = self.rows
        more = f" ({len(self.rows):,} places)" if others else ""
        place = replace(first, note="")
        note = f" ({first.note})" if first.note else ""
        return f"{self.name}: {place}{more}: {self.message}{note}; {self.advice}"


@dataclass(frozen=True, slots=True)
class _Row:
    """A labelled row among those of all files.

    Attributes:
        document: its document's number among all documents.
        group: its document's.
        text: with white space collapsed.
        alone: whether its document has no other row.
    """

    file: LabelledFile
    row: LabelledRow
    document: int
    group: str
    text: str
    alone: bool

    @property
    def label(self) -> str:
        return self.row.label

    def place(self, note: str = "") -> Place:
        return Place(self.file.name, self.row.number, self.file.unit, note)

    def like(self, other: "_Row") -> str:
        """A note that points to another row."""
        return f"like {other.place()}" if self.file is not other.file else f"like {other.file.unit} {other.row.number}"


def check(files: Sequence[LabelledFile], *, alone: bool = True, strict: bool = False) -> list[Finding]:
    """Everything that is wrong with labelled files, errors first.

    Args:
        files: what was read.
        alone: whether a model is to be fitted on these files and no others; else they need not have all its labels, nor
            several sites.
        strict: whether warnings are errors.
    """
    findings = [*_unread(files)]
    rows = list(_rows(files))
    for one_check in _OF_ROWS:
        findings += one_check(rows)
    findings += _documents(files)
    if not any(finding.name in _NOT_ALL_READ for finding in findings):
        findings += _of_all(files, rows, alone)
    if strict:
        findings = [replace(finding, severity="error") for finding in findings]
    return sorted(findings, key=lambda finding: finding.severity)


_NOT_ALL_READ: Final = ("unreadable-file", "no-column")  # with these, labels and sites can't be counted


def _rows(files: Iterable[LabelledFile]) -> Iterator[_Row]:
    sizes = Counter(row.doc for file in files for row in file.rows if row.doc)
    document = 0
    for file in files:
        for group, rows in file.documents():
            for row in rows:
                text = " ".join(row.text.split())
                yield _Row(file, row, document, group, text, alone=not row.doc or sizes[row.doc] == 1)
            document += 1


# -- What could not be read ------------------------------------------------------------------------------------------


def _unread(files: Sequence[LabelledFile]) -> Iterator[Finding]:
    def places(kind: str) -> tuple[Place, ...]:
        return tuple(
            Place(file.name, fault.number, file.unit, fault.reason)
            for file in files
            for fault in file.faults
            if fault.kind == kind
        )

    yield from _no_column(files)
    empty = tuple(Place(file.name, number, file.unit) for file in files for number in file.empty)
    hollow = tuple(Place(file.name, None) for file in files if not (file.rows or file.faults or file.missing))
    first: dict[Path, LabelledFile] = {}
    again = tuple(
        Place(file.name, None) for file in files if first.setdefault(Path(file.name).resolve(), file) is not file
    )
    found: tuple[tuple[str, Severity, tuple[Place, ...], str, str], ...] = (
        ("unreadable-file", "error", places("file"), "the file can't be read", "mend it, or leave it out"),
        ("unreadable-row", "error", places("row"), "the row can't be read", "mend or remove it"),
        ("no-rows", "error", hollow, "no labelled rows", "leave the file out"),
        ("file-twice", "error", again, "the file is given twice", "give it once"),
        ("empty-row", "warning", empty, "the row is empty in every column", "it is left out"),
    )
    for name, severity, rows, message, advice in found:
        if rows:
            yield Finding(name, severity, message, advice, rows)


def _no_column(files: Sequence[LabelledFile]) -> Iterator[Finding]:
    """Text and label must be in each file, the column of groups in one of them if it was asked for."""
    lacking: dict[tuple[str, str], list[LabelledFile]] = defaultdict(list)
    for file in files:
        options = {file.columns.text: "--text-column", file.columns.label: "--label-column"}
        for column in file.missing:
            lacking[column, options[column]].append(file)
    for group in {file.columns.group for file in files} - {SITE}:
        if not any(group in file.known or file.faults for file in files):
            lacking[group, "--group"] += files
    for (column, option), those in lacking.items():
        places = tuple(Place(file.name, None, note=f"it has {', '.join(map(repr, file.known)):.200}") for file in those)
        yield Finding("no-column", "error", f"no column {column!r}", f"name it with {option}", places)


# -- Rows, each on its own -------------------------------------------------------------------------------------------

_Note = Callable[[LabelledRow], str | None]  # what is special about a row; None where nothing is wrong with it


def _empty_text(row: LabelledRow) -> str | None:
    return None if row.text.strip() else ""


def _missing_label(row: LabelledRow) -> str | None:
    return None if row.label else ""


def _bad_link_density(row: LabelledRow) -> str | None:
    try:
        as_link_density(row.link_density)
    except ValueError as error:
        return str(error).partition(";")[0]
    return None


def _label_space(row: LabelledRow) -> str | None:
    return None if row.label == row.spelling else repr(row.spelling)


_GARBLED: Final = re.compile("\ufffd|[ÃÂ][\x80-\xbf]|â€|Ð[\x80-\xbf‚-™]Ð")
_MARKUP: Final = re.compile(
    r"</?(?:p|div|span|a|br|li|ul|ol|b|i|em|strong|h[1-6]|img|td|tr)(?:\s[^<>]*)?/?>|&(?:amp|nbsp|quot|lt|gt|#\d+);"
)
_SPREADSHEET: Final = frozenset({"#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#N/A", "#NUM!", "#NULL!"})


def _garbled_text(row: LabelledRow) -> str | None:
    found = _GARBLED.search(row.text)
    return repr(row.text[max(0, found.start() - 10) : found.end() + 10]) if found else None


def _markup_in_text(row: LabelledRow) -> str | None:
    found = _MARKUP.search(row.text)
    return f"{found[0]:.40}" if found else None


def _spreadsheet_error(row: LabelledRow) -> str | None:
    return row.text.strip() if row.text.strip() in _SPREADSHEET else None


def _cut_text(row: LabelledRow) -> str | None:
    return "" if len(row.text) == _CELL else None


_OF_EACH: Final[tuple[tuple[str, Severity, _Note, str, str], ...]] = (
    ("empty-text", "error", _empty_text, "no text", "write it, or remove the row"),
    ("missing-label", "error", _missing_label, "no label", "label the row, or remove it"),
    (
        "bad-link-density",
        "error",
        _bad_link_density,
        "no share of letters inside links",
        "give a number from 0 to 1, or leave it empty",
    ),
    ("label-space", "warning", _label_space, "space around the label", "it is taken away"),
    (
        "spreadsheet-error",
        "warning",
        _spreadsheet_error,
        "a spreadsheet's error in place of a text",
        "import the column as text, so that = and - at the start make no formula",
    ),
    (
        "cut-text",
        "warning",
        _cut_text,
        f"{_CELL:,} characters, as many as a cell of Excel holds: the text may be cut off",
        "take it from where it came from",
    ),
    (
        "garbled-text",
        "warning",
        _garbled_text,
        "the text looks as if it was read in the wrong encoding",
        "open the file as UTF-8 and save it as CSV UTF-8",
    ),
    (
        "markup-in-text",
        "warning",
        _markup_in_text,
        "HTML in the text",
        "give the text that a reader sees; what is tagged later has no markup",
    ),
)


def _each(rows: Sequence[_Row]) -> Iterator[Finding]:
    for name, severity, note_of, message, advice in _OF_EACH:
        noted = [(row, note_of(row.row)) for row in rows]
        places = tuple(row.place(note) for row, note in noted if note is not None)
        if places:
            yield Finding(name, severity, message, advice, places)


# -- Labels ----------------------------------------------------------------------------------------------------------


def _labels_alike(rows: Sequence[_Row]) -> Iterator[Finding]:
    counts = Counter(row.label for row in rows if row.label)
    alike = defaultdict(list)
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        alike[_folded(label)].append(label)
    for most, *others in alike.values():
        if others:
            wrong = tuple(row.place(repr(row.label)) for row in rows if row.label in others)
            names = ", ".join(map(repr, others))
            yield Finding(
                "labels-alike",
                "error",
                f"{names} and {most!r} differ only by case or space",
                "spell them alike",
                wrong,
            )


def _folded(label: str) -> str:
    """The label without case, space, and what stands for a space between letters."""
    shown = "".join(c for c in unicodedata.normalize("NFKC", label) if unicodedata.category(c) != "Cf")
    return re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", "", " ".join(shown.casefold().split()))


def _few_rows(rows: Sequence[_Row], counts: Counter[str]) -> Iterator[Finding]:
    for label, n in sorted(counts.items()):
        if n < MIN_ROWS:
            others = [other for other in counts if counts[other] > n]
            meant = difflib.get_close_matches(label, others, 1, 0.8)
            advice = (
                f"if {meant[0]!r} is meant, say so; else label more" if meant else "label more, or give another label"
            )
            places = tuple(row.place() for row in rows if row.label == label)
            message = f"fewer than {MIN_ROWS} rows have the label {label!r}"
            yield Finding("few-rows", "warning", message, advice, places)


def _label_on_one_site(rows: Sequence[_Row], counts: Counter[str]) -> Iterator[Finding]:
    groups = defaultdict(set)
    for row in rows:
        groups[row.label].add(row.group)
    for label in sorted(counts):
        if counts[label] >= MIN_ROWS and len(groups[label]) == 1:
            places = tuple(row.place() for row in rows if row.label == label)
            message = f"all {len(places):,} rows with the label {label!r} are of {min(groups[label])!r}"
            advice = "no figure can say how well it is found elsewhere; label it on other sites too"
            yield Finding("label-on-one-site", "warning", message, advice, places)


# -- The same text again ---------------------------------------------------------------------------------------------


def _same_text(rows: Sequence[_Row]) -> Iterator[Finding]:
    by_text = defaultdict(list)
    for row in rows:
        if row.text and row.label:
            by_text[row.text].append(row)
    again = [found for found in by_text.values() if len(found) > 1]
    yield from _conflicting_labels(again)
    yield from _two_labels(again)
    yield from _duplicate_rows(again)
    yield from _repeated_text(again)


def _conflicting_labels(again: Iterable[Sequence[_Row]]) -> Iterator[Finding]:
    """Two labels, and neither a document nor hints that could tell the rows apart."""
    places: list[Place] = []
    for found in again:
        by_hints = defaultdict(list)
        for row in found:
            if row.alone:
                by_hints[row.row.tag, str(row.row.link_density)].append(row)
        for same in by_hints.values():
            if len({row.label for row in same}) > 1:
                places += [row.place(row.label) for row in same]
    if places:
        message = "the text has two labels, and no document around it that tells which holds"
        advice = "decide for one label, or add the column 'doc'"
        yield Finding("conflicting-labels", "error", message, advice, tuple(places))


def _two_labels(again: Iterable[Sequence[_Row]]) -> Iterator[Finding]:
    """A long text with one label in one document and another in another. In one document a text may well have two: the
    page's own title stands over it and in a list.
    """
    places: list[Place] = []
    for found in again:
        labels = defaultdict(set)
        for row in found:
            if not row.alone and len(row.text) >= LONG:
                labels[row.document].add(row.label)
        if any(one.isdisjoint(other) for one, other in pairwise(labels.values())):
            places += [row.place(row.label) for row in found]
    if places:
        message = "a long text has one label in one document and another in another"
        yield Finding("two-labels", "warning", message, "read both again", tuple(places))


def _duplicate_rows(again: Iterable[Sequence[_Row]]) -> Iterator[Finding]:
    places: list[Place] = []
    for found in again:
        by_label = defaultdict(list)
        for row in found:
            if row.alone:
                by_label[row.label].append(row)
        places += [row.place(row.like(first)) for first, *others in by_label.values() for row in others]
    if places:
        message = "the row repeats the text and label of another, without a document around it"
        advice = "remove it: it counts twice, and may be tested on what it taught"
        yield Finding("duplicate-row", "warning", message, advice, tuple(places))


_LEAK: Final = (
    "one may be held out and the other taught, and figures come out too good: give them one site, or remove one"
)


def _repeated_text(again: Iterable[Sequence[_Row]]) -> Iterator[Finding]:
    places: list[Place] = []
    for found in again:
        first, *others = found
        if len(first.text) >= LONG:
            places += [row.place(row.like(first)) for row in others if row.group != first.group and not row.alone]
    if places:
        message = "a long text is the same on another site or page"
        advice = _LEAK
        yield Finding("repeated-text", "warning", message, advice, tuple(places))


def _near_duplicates(rows: Sequence[_Row]) -> Iterator[Finding]:
    first: dict[str, _Row] = {}
    for row in rows:
        if len(row.text) >= LONG:
            first.setdefault(row.text.casefold(), row)
    found = list(first.values())
    pairs = [(found[i], found[j]) for i, j in near_duplicates(list(first)) if found[i].group != found[j].group]
    if pairs:
        message = "a long text is nearly the same as one of another site or page"
        places = tuple(other.place(other.like(one)) for one, other in pairs)
        yield Finding("near-duplicate", "warning", message, _LEAK, places)


def _duplicate_documents(rows: Sequence[_Row]) -> Iterator[Finding]:
    documents = defaultdict(list)
    for row in rows:
        documents[row.document].append(row)
    first: dict[tuple[str, ...], _Row] = {}
    places: list[Place] = []
    for document in documents.values():
        if len(document) > 1:
            before = first.setdefault(tuple(row.text for row in document), document[0])
            if before is not document[0]:
                places.append(document[0].place(f"{len(document)} rows {document[0].like(before)}"))
    if places:
        message = "the document has the texts of another"
        yield Finding("duplicate-document", "warning", message, "remove it: it counts twice", tuple(places))


# -- Documents and sites ---------------------------------------------------------------------------------------------


def _documents(files: Sequence[LabelledFile]) -> Iterator[Finding]:
    """Documents in pieces."""
    scattered: list[Place] = []
    split: list[Place] = []
    seen: dict[str, LabelledFile] = {}  # the file in which a document was met first
    for file in files:
        last: dict[str, LabelledRow] = {}
        for _, (first, *others) in file.documents():
            doc = first.doc
            if doc is None:
                continue
            place = Place(file.name, first.number, file.unit)
            if doc in last:
                note = f"doc {doc!r:.60} goes on, which was left at {file.unit} {last[doc].number}"
                scattered.append(replace(place, note=note))
            elif seen.setdefault(doc, file) is not file:
                split.append(replace(place, note=f"doc {doc!r:.60} is in {seen[doc].name} too"))
            last[doc] = others[-1] if others else first
    if scattered:
        message = "a row does not follow the others of its document"
        advice = "sort the rows by document, in the order of the page: the model learns from the rows around each"
        yield Finding("scattered-document", "error", message, advice, tuple(scattered))
    if split:
        message = "the document is in two files"
        advice = "put all rows of a document into one file; where they are two documents, give them two names"
        yield Finding("split-document", "warning", message, advice, tuple(split))


def _document_on_two_sites(rows: Sequence[_Row]) -> Iterator[Finding]:
    places: list[Place] = []
    for before, row in pairwise(rows):
        if row.document == before.document and row.row.group != before.row.group:
            places.append(row.place(f"{row.row.group!r} after {before.row.group!r}"))
    if places:
        message = "the site changes inside a document"
        yield Finding("document-on-two-sites", "warning", message, "the first row's site is taken", tuple(places))


def _of_all(files: Sequence[LabelledFile], rows: Sequence[_Row], alone: bool) -> Iterator[Finding]:
    """What concerns labels and sites as a whole."""
    counts = Counter(row.label for row in rows if row.label)
    groups = {row.group for row in rows}
    everywhere = tuple(Place(file.name, None, file.unit) for file in files)
    severity: Severity = "error" if alone else "warning"
    if len(counts) == 1:
        message = f"every row has the label {min(counts)!r}"
        yield Finding("one-label", severity, message, "a classifier needs two labels or more", everywhere)
    column = files[0].columns.group if files else SITE
    if len(groups) == 1:
        message = f"all {len(rows):,} rows are of one {column}, {min(groups)!r}"
        advice = f"label {MIN_GROUPS} {column}s or more, so that one can be held out"
        yield Finding("one-site", severity, message, advice, everywhere)
    elif alone and 0 < len(groups) < MIN_GROUPS:
        message = f"there are {len(groups)} {column}s only; a document without one counts as its own"
        advice = f"label {MIN_GROUPS} or more, so that one can be held out"
        yield Finding("few-sites", "error", message, advice, everywhere)
    yield from _few_rows(rows, counts)
    if len(groups) > 1:
        yield from _label_on_one_site(rows, counts)


_OF_ROWS: Final = (
    _each,
    _labels_alike,
    _same_text,
    _near_duplicates,
    _duplicate_documents,
    _document_on_two_sites,
)
