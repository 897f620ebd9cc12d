"""The shipped data is what its data card says."""

import csv
import re
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from training.corpus import read_labels

DATASETS = Path(__file__).parents[1] / "datasets"
LABELS = {"content", "appeal", "ad_notice", "navigation"}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (DATASETS / "paragraphs.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_whole(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert row["text"].strip() == row["text"] != ""
        assert row["label"] in LABELS
        assert row["tag"]
        assert 0 <= float(row["link_density"]) <= 1
        assert re.fullmatch("[a-z]{2}", row["lang"])


def test_documents_stand_together(rows: list[dict[str, str]]) -> None:
    runs = [doc for doc, _ in groupby(rows, key=lambda row: row["doc"])]
    assert len(runs) == len(set(runs))


def test_the_card_counts_what_is_there(rows: list[dict[str, str]]) -> None:
    card = (DATASETS / "README.md").read_text(encoding="utf-8")
    paragraphs = Counter(row["lang"] for row in rows)
    pages = Counter(lang for _, lang in {(row["doc"], row["lang"]) for row in rows})
    for lang, count in paragraphs.items():
        assert f"| {lang} | {pages[lang]} | {count} |" in card


def test_no_long_paragraph_is_used_twice(rows: list[dict[str, str]]) -> None:
    """A template would show as the same words with other names and numbers."""
    shapes = Counter(re.sub(r"\W+|\d+", " ", row["text"].lower()) for row in rows if len(row["text"]) > 60)
    assert [text for text, times in shapes.items() if times > 1] == []


def test_labels_of_web_pages_hold_no_text() -> None:
    for row in read_labels(DATASETS / "web-labels.tsv.gz"):
        assert re.fullmatch("[0-9a-f]{16}", row["hash"])
        assert row["label"] in LABELS
