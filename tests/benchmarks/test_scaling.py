import json
from itertools import groupby
from pathlib import Path

import pytest

from benchmarks import scaling
from benchmarks.scaling import Series, paragraphs, timed, write_rows


def test_a_series_says_what_each_unit_costs() -> None:
    series = Series("Files", "paragraph", (10, 100, 1000), (0.001, 0.002, 0.04), (1_000_000, 2_000_000, 3_000_000))
    assert series.costs == pytest.approx([100, 20, 40])
    assert series.growth == pytest.approx(2)
    report = series.report()
    assert "| 1,000 | 0.04 | 40 | 3 |" in report
    assert "From 100 to 1,000 paragraphs the cost of each changes by a factor of 2.00: worse than linear." in report


def test_rows_are_documents_of_our_own(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, 250)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == paragraphs(250)
    documents = [doc for doc, _ in groupby(row["doc"] for row in rows)]
    assert documents == list(range(len(documents)))
    assert len(documents) > 3


def test_brief_work_is_measured_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "BRIEF", 0.01)
    calls: list[int] = []
    assert timed(lambda: calls.append(1)) < 0.01
    assert len(calls) > 10
