import gzip
import json
from pathlib import Path

import pytest

from classifier import RowError
from training.corpus import Report, read_labels, rebuild, text_hash, write_labels

SHARED = Path(__file__).parents[3] / "shared"
LABELS = Path(__file__).parents[2] / "datasets" / "web-labels.tsv.gz"
PAGE = "<title>t</title><h1>Low tide</h1><ul><li><a href=x>Home</a></li></ul><p>The pier was <a>dry</a>.</p>"
ROWS = [
    {
        "doc": "d",
        "order": i,
        "site": "s",
        "lang": "en",
        "collection": "o/n",
        "path": "p.html",
        "text": text,
        "label": to,
    }
    for i, (text, to) in enumerate([("Low tide", "content"), ("Home", "navigation"), ("The pier was dry.", "content")])
]


def test_labels_and_pages_give_the_rows_back(tmp_path: Path) -> None:
    write_labels(ROWS, tmp_path / "labels.tsv.gz")
    assert b"tide" not in gzip.decompress((tmp_path / "labels.tsv.gz").read_bytes())
    page = tmp_path / "o" / "n" / "p.html"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE)
    report = Report()
    rows = list(rebuild(read_labels(tmp_path / "labels.tsv.gz"), tmp_path, report))
    assert [{key: row[key] for key in ROWS[0]} for row in rows] == ROWS
    assert [(row["tag"], row["link_density"]) for row in rows] == [("h1", 0.0), ("li", 1.0), ("p", 0.214)]
    assert list(report.lines()) == ["o/n: 1 pages, 3 of 3 paragraphs found"]


def test_what_is_not_found_is_reported(tmp_path: Path) -> None:
    moved = [{**ROWS[2], "order": 9}, {**ROWS[0], "text": "High tide"}, {**ROWS[1], "path": "gone.html"}]
    write_labels(moved, tmp_path / "labels.tsv.gz")
    (tmp_path / "o" / "n").mkdir(parents=True)
    (tmp_path / "o" / "n" / "p.html").write_text(PAGE)
    report = Report()
    rows = list(rebuild(read_labels(tmp_path / "labels.tsv.gz"), tmp_path, report))
    assert [row["text"] for row in rows] == ["The pier was dry."]
    assert list(report.lines()) == ["o/n: 1 pages, 1 of 3 paragraphs found", "1 pages not found:", "  o/n/gone.html"]


def test_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.tsv.gz", "two.tsv.gz"):
        write_labels(ROWS, tmp_path / name)
    assert (tmp_path / "one.tsv.gz").read_bytes() == (tmp_path / "two.tsv.gz").read_bytes()


@pytest.mark.parametrize("raw", [b"no gzip", gzip.compress(b"collection\tpath\n"), gzip.compress(b"x" * 5000)[:40]])
def test_a_broken_labels_file_is_one_clear_line(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "labels.tsv.gz"
    path.write_bytes(raw)
    with pytest.raises(RowError, match=r"labels\.tsv\.gz"):
        list(read_labels(path))


@pytest.mark.skipif(not (SHARED / "articles").exists(), reason="the raw pages are not on this machine")
def test_shipped_labels_find_their_paragraphs_in_raw_pages(tmp_path: Path) -> None:
    collection = "scrapinghub/article-extraction-benchmark"
    (tmp_path / collection).mkdir(parents=True)
    (tmp_path / collection / "html").symlink_to(SHARED / "articles" / "html")
    labels = [row for row in read_labels(LABELS) if row["collection"] == collection]
    report = Report()
    rows = list(rebuild(labels, tmp_path, report))
    assert not report.missing_documents
    assert len(rows) >= 0.999 * len(labels)
    with gzip.open(SHARED / "corpus" / "web.jsonl.gz", "rt", encoding="utf-8") as lines:
        known = {(row["path"], row["order"]): row for row in map(json.loads, lines) if row["collection"] == collection}
    same = sum(row == known[row["path"], row["order"]] for row in rows)
    assert same >= 0.999 * len(labels)
    assert all(text_hash(row["text"]) for row in rows)
