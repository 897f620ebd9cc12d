from pathlib import Path

import pytest

from classifier import RowError
from classifier.rows import write_rows
from training.corpus import text_hash
from training.corrections import COLUMNS, read_corrections
from training.data import load

ROWS = [
    {
        "doc": "a",
        "collection": "some/pages",
        "path": "a.html",
        "order": 1,
        "text": "The quay reopens",
        "label": "content",
    },
    {
        "doc": "a",
        "collection": "some/pages",
        "path": "a.html",
        "order": 9,
        "text": "The quay reopens",
        "label": "content",
    },
    {"doc": "b", "text": "The quay reopens", "label": "content"},
]


def listed(path: Path, *rows: tuple[str, ...]) -> Path:
    path.write_text("\n".join("\t".join(row) for row in [COLUMNS, *rows]) + "\n")
    return path


def labels(tmp_path: Path, *rows: tuple[str, ...]) -> list[str]:
    write_rows(tmp_path / "rows.jsonl", iter(ROWS))
    found = load(tmp_path / "rows.jsonl", corrections=read_corrections(listed(tmp_path / "c.tsv", *rows)))
    return [label for document in found for label in document.labels]


def test_only_the_paragraph_named_is_put_right(tmp_path: Path) -> None:
    place = ("some/pages", "a.html", "9", text_hash("The quay reopens"))
    assert labels(tmp_path, (*place, "content", "navigation", "own title in a list")) == [
        "content",
        "navigation",
        "content",
    ]


@pytest.mark.parametrize(
    ("order", "text", "old"), [("9", "Another text", "content"), ("9", "The quay reopens", "appeal"), ("2", "x", "x")]
)
def test_what_does_not_fit_changes_nothing(tmp_path: Path, order: str, text: str, old: str) -> None:
    assert set(labels(tmp_path, ("some/pages", "a.html", order, text_hash(text), old, "navigation", ""))) == {"content"}


def test_a_file_without_a_column(tmp_path: Path) -> None:
    path = tmp_path / "c.tsv"
    path.write_text("hash\told\tnew\n")
    with pytest.raises(RowError, match="column 'collection'"):
        read_corrections(path)
    with pytest.raises(RowError, match=r"missing\.tsv"):
        read_corrections(tmp_path / "missing.tsv")
