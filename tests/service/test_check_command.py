"""check as its users run it: on files as people have them, and on broken ones."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.cli import main

LONG = "The harbour master counted forty boats at dusk and wrote each name into the green book by the stove."
HEADER = ("doc", "site", "tag", "link_density", "text", "label")
Table = list[list[str]]


def table() -> Table:
    """A header and thirty whole rows: six pages of three sites; row 2 is the first."""
    rows = [list(HEADER)]
    for page in range(6):
        for i, label in enumerate(["navigation", "content", "content", "appeal", "navigation"]):
            text = f"Words {label} of page {page}, number {i}"
            rows.append([f"page{page}", f"site{page % 3}", "p", "0.5", text, label])
    return rows


def put(row: int, column: str, value: str) -> Callable[[Table], None]:
    """Changes a cell; rows are counted as a spreadsheet does."""

    def change(rows: Table) -> None:
        rows[row - 1][HEADER.index(column)] = value

    return change


def both(*changes: Callable[[Table], None]) -> Callable[[Table], None]:
    def change_all(rows: Table) -> None:
        for change in changes:
            change(rows)

    return change_all


def all_rows(column: str, value: str) -> Callable[[Table], None]:
    return both(*(put(row, column, value) for row in range(2, len(table()) + 1)))


def of_its_own(row: int, text: str, label: str) -> Callable[[Table], None]:
    """Makes a row a document of its own."""
    return both(put(row, "text", text), put(row, "label", label), put(row, "doc", ""))


def move(row: int, to: int) -> Callable[[Table], None]:
    return lambda rows: rows.insert(to - 1, rows.pop(row - 1))


def copy_page(rows: Table) -> None:
    rows.extend([["page9", "site1", *row[2:]] for row in rows[1:6]])


BROKEN: dict[str, tuple[Callable[[Table], None], str, str, list[int | None]]] = {
    "no text": (put(4, "text", ""), "empty-text", "error", [4]),
    "spaces for a text": (put(4, "text", " \u00a0 "), "empty-text", "error", [4]),
    "no label": (put(7, "label", " "), "missing-label", "error", [7]),
    "two rows without a label": (both(put(7, "label", ""), put(9, "label", "")), "missing-label", "error", [7, 9]),
    "a label in capitals": (put(5, "label", "Appeal"), "labels-alike", "error", [5]),
    "a label with a space inside": (put(5, "label", "app eal"), "labels-alike", "error", [5]),
    "a label with space around it": (put(5, "label", "appeal "), "label-space", "warning", [5]),
    "a label misspelt": (put(5, "label", "apeal"), "few-rows", "warning", [5]),
    "one label": (all_rows("label", "content"), "one-label", "error", [None]),
    "one site": (all_rows("site", "a.example"), "one-site", "error", [None]),
    "a field too many": (lambda rows: rows[7].append("x"), "unreadable-row", "error", [8]),
    "a field too few": (lambda rows: rows[7].pop() and None, "unreadable-row", "error", [8]),
    "a link density of 7": (put(3, "link_density", "7"), "bad-link-density", "error", [3]),
    "a link density in words": (put(3, "link_density", "much"), "bad-link-density", "error", [3]),
    "a row moved out of its page": (move(8, 20), "scattered-document", "error", [20, 21]),
    "a page twice": (copy_page, "duplicate-document", "warning", [32]),
    "a page of two sites": (put(9, "site", "b.example"), "document-on-two-sites", "warning", [9, 10]),
    "one text, two labels": (
        both(of_its_own(6, "Same", "content"), of_its_own(11, "Same", "appeal")),
        "conflicting-labels",
        "error",
        [6, 11],
    ),
    "a row twice": (
        both(of_its_own(6, "Same", "content"), of_its_own(11, "Same", "content")),
        "duplicate-row",
        "warning",
        [11],
    ),
    "a long text, two labels": (
        both(put(3, "text", LONG), put(10, "text", LONG), put(10, "label", "appeal")),
        "two-labels",
        "warning",
        [3, 10],
    ),
    "a long text on two sites": (both(put(3, "text", LONG), put(8, "text", LONG)), "repeated-text", "warning", [8]),
    "nearly the same on two sites": (
        both(put(3, "text", LONG), put(8, "text", LONG.replace("forty", "fifty"))),
        "near-duplicate",
        "warning",
        [8],
    ),
    "an empty row": (lambda rows: rows.insert(6, [""] * len(HEADER)), "empty-row", "warning", [7]),
    "a formula": (put(4, "text", "#NAME?"), "spreadsheet-error", "warning", [4]),
    "a full cell": (put(4, "text", "word " * 6553 + "ab"), "cut-text", "warning", [4]),
    "the wrong encoding": (put(4, "text", "The cafÃ© on the quay"), "garbled-text", "warning", [4]),
    "markup": (put(4, "text", "The <b>last</b> boat &amp; more"), "markup-in-text", "warning", [4]),
    "no label column": (put(1, "label", "class"), "no-column", "error", [None]),
    "a header alone": (lambda rows: rows.__delitem__(slice(1, None)), "no-rows", "error", [None]),
}


def text_of(rows: Table, delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


def checked(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status and the findings by name."""
    status = main(["check", *map(str, argv), "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert len({finding["name"] for finding in findings}) == len(findings)
    return status, {finding["name"]: finding for finding in findings}


@pytest.mark.parametrize("what", BROKEN)
def test_each_broken_csv_has_its_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    breaks, name, severity, numbers = BROKEN[what]
    rows = table()
    breaks(rows)
    path = tmp_path / "mine.csv"
    path.write_text(text_of(rows), encoding="utf-8")
    status, findings = checked(capsys, path)
    assert findings[name]["severity"] == severity
    assert [place["row"] for place in findings[name]["rows"]] == numbers
    assert {place["file"] for place in findings[name]["rows"]} == {str(path)}
    assert status == (severity == "error")
    assert main(["check", str(path), "--strict"]) == 1
    assert f"error: {name}" in capsys.readouterr().out
    if severity == "error":
        assert main(["train", str(path), "-o", str(tmp_path / "model")]) == 1
        assert name in capsys.readouterr().err.splitlines()[-1]
        assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("raw", "name", "numbers"),
    [
        (b"", "unreadable-file", [None]),
        (b'text,label\none,x\n"two,y\nthree,x\n', "unreadable-file", [3]),
        (b"text,label\none,x\n\ncaf\xe9,y\n", "unreadable-row", [4]),
        (b"text,text,label\na,b,c\n", "unreadable-file", [None]),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes, name: str, numbers: list[int | None]
) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(raw)
    status, findings = checked(capsys, path)
    assert status == 1
    assert [place["row"] for place in findings[name]["rows"]] == numbers


def test_all_findings_come_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = table()
    for what in ("no text", "two rows without a label", "a label in capitals", "a link density of 7"):
        BROKEN[what][0](rows)
    path = tmp_path / "mine.csv"
    path.write_text(text_of(rows) + '"open', encoding="utf-8")
    _, findings = checked(capsys, path)
    assert {"empty-text", "missing-label", "labels-alike", "bad-link-density", "unreadable-file"} <= set(findings)


@pytest.mark.parametrize(
    ("delimiter", "encoding", "first"),
    [
        (",", "utf-8", ""),
        (";", "utf-8-sig", ""),
        (";", "utf-8-sig", "sep=;\r\n"),
        ("\t", "utf-16", ""),
        ("\t", "utf-8", ""),
    ],
)
def test_a_whole_file_as_excel_saves_it_has_no_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], delimiter: str, encoding: str, first: str
) -> None:
    rows = table()
    if delimiter == ";":
        all_rows("link_density", "0,5")(rows)
    path = tmp_path / "mine.csv"
    path.write_text(first + text_of(rows, delimiter), encoding=encoding, newline="")
    assert main(["check", str(path), "--strict"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "30 rows in 6 documents of 3 sites" in err
    assert "labels: content 12, navigation 12, appeal 6" in err


def test_columns_of_other_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = table()
    rows[0] = ["doc", "host", "tag", "link_density", "Paragraph", "Class"]
    path = tmp_path / "mine.csv"
    path.write_text(text_of(rows), encoding="utf-8")
    named = ["--text-column", "Paragraph", "--label-column", "Class", "--group", "host", "--strict"]
    assert checked(capsys, path, *named) == (0, {})
    assert main(["evaluate", str(path), *named[:2], "--label-column", "gone"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no column 'gone'" in line
    assert "'Paragraph', 'Class'" in line
    status, findings = checked(capsys, path, *named[:4], "--group", "gone")
    assert (status, list(findings)) == (1, ["no-column"])


def test_several_files_and_what_only_several_can_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = table()
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text(text_of([header, *rows[:13]]), encoding="utf-8")
    other.write_text(text_of([header, *rows[13:]]), encoding="utf-8")
    status, findings = checked(capsys, one, other)
    assert (status, list(findings)) == (0, ["split-document"])
    assert findings["split-document"]["rows"][0]["row"] == 2
    status, findings = checked(capsys, one, one)
    assert status == 1
    assert findings["file-twice"]["severity"] == "error"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    broken=st.lists(st.sampled_from(["no text", "no label", "a label in capitals", "a link density of 7", "markup"])),
    order=st.permutations(range(len(HEADER))),
)
def test_the_order_of_columns_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: list[str], order: list[int]
) -> None:
    rows = table()
    for what in broken:
        BROKEN[what][0](rows)
    path = tmp_path / "mine.csv"
    path.write_text(text_of(rows), encoding="utf-8")
    before = checked(capsys, path)
    path.write_text(text_of([[row[i] for i in order] for row in rows]), encoding="utf-8")
    assert checked(capsys, path) == before


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    broken=st.lists(
        st.sampled_from(["no text", "two rows without a label", "one text, two labels", "a page of two sites"])
    ),
    pages=st.integers(1, 5),
)
def test_two_files_have_the_findings_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: list[str], pages: int
) -> None:
    header, *_ = whole = table()
    for what in broken:
        BROKEN[what][0](whole)
    cut = 1 + 5 * pages
    paths = [tmp_path / "one.csv", tmp_path / "two.csv", tmp_path / "whole.csv"]
    for path, part in zip(paths, [whole[:cut], [header, *whole[cut:]], whole], strict=True):
        path.write_text(text_of(part), encoding="utf-8")
    status, expected = checked(capsys, paths[2])
    parts_status, found = checked(capsys, *paths[:2])
    shift = {str(paths[0]): 0, str(paths[1]): cut - 1}

    def places(findings: dict[str, dict[str, Any]], by: dict[str, int]) -> dict[str, list[int]]:
        return {name: [p["row"] + by.get(p["file"], 0) for p in one["rows"]] for name, one in findings.items()}

    found.pop("split-document", None)
    assert places(found, shift) == places(expected, {})
    assert parts_status == status
