import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier import RowError
from training.data import Document, dataset, folds, load


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_that_share_doc_are_one_document(tmp_path: Path) -> None:
    path = write(
        tmp_path / "rows.jsonl",
        {"doc": "a", "site": "a.example", "text": "Tides", "label": "content", "tag": "h1", "link_density": 0.5},
        {"doc": "a", "site": "a.example", "text": "Menu", "label": " navigation "},
        {"doc": "b", "text": "Help us", "label": "appeal", "lang": "en"},
    )
    first, second = load(path, weight=0.5)
    assert first.labels == ("content", "navigation")
    assert (first.paragraphs[0].tag, first.paragraphs[0].link_density) == ("h1", 0.5)
    assert (first.group, second.group, second.weight) == ("a.example", "b", 0.5)
    assert second.facets == {"lang": "en"}


def test_rows_without_doc_are_documents_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"text": "One", "label": "x"}, {"text": "Two", "label": "y"})
    assert [document.labels for document in load(path)] == [("x",), ("y",)]
    assert len({document.group for document in load(path)}) == 2


@pytest.mark.parametrize(
    ("row", "says"),
    [({"text": "No label"}, "no column 'label'"), ({"text": "Blank", "label": " "}, "line 1: no label")],
)
def test_a_row_without_a_label_is_named(tmp_path: Path, row: dict[str, object], says: str) -> None:
    with pytest.raises(RowError, match=says):
        load(write(tmp_path / "rows.jsonl", row))


def test_one_label_alone_is_refused(pages: list[Document]) -> None:
    same = [replace(page, labels=("content",) * len(page.labels)) for page in pages]
    with pytest.raises(RowError, match="two labels"):
        dataset(same)
    with pytest.raises(RowError, match="no labelled rows"):
        dataset([])


def test_labels_come_in_order_of_how_often_they_occur(pages: list[Document]) -> None:
    assert dataset(pages).labels == ("navigation", "content", "appeal", "ad_notice")


def test_fingerprint_tells_any_change(pages: list[Document]) -> None:
    before = dataset(pages).fingerprint()
    assert before == dataset(pages).fingerprint()
    relabelled = [replace(pages[0], labels=("appeal", *pages[0].labels[1:])), *pages[1:]]
    assert dataset(relabelled).fingerprint() != before


def test_folds_keep_groups_together_and_sizes_even(pages: list[Document]) -> None:
    doubled = [replace(page, group=f"site{i // 2}") for i, page in enumerate(pages)]
    fold_of = folds(doubled, 5)
    assert all(fold_of[i] == fold_of[i + 1] for i in range(0, len(doubled), 2))
    assert np.bincount(fold_of).tolist() == [6] * 5
    with pytest.raises(RowError, match="31 folds"):
        folds(pages, 31)
