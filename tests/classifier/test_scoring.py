import io
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classifier import RowError, Tagger
from classifier.batch import score_file
from classifier.context import Pass, feature_names
from classifier.features import SHAPE_NAMES
from classifier.folder import Model
from classifier.kernel import Weights
from classifier.rows import blocks as blocks_module
from classifier.rows import documents, read_rows, write_rows
from classifier.scoring import UNSURE, Summary

LABELS = ("body", "100% ad", "menü")
FORMATS = (".csv", ".tsv.gz", ".jsonl", ".jsonl.zst", ".parquet")
WORDS = ("lighthouse", "subscribe", "menu", "harbour", "advertisement", "sea", "log in", "the keeper said")


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """A small model with weights by chance, in which the document around a paragraph and its HTML count."""
    chance = np.random.default_rng(7)
    k = len(LABELS)
    ngrams = ("lighthouse", "subscribe", "menu", "sea", " subs", "ghtho", "ement")

    def passes(with_hints: bool) -> tuple[Pass, ...]:
        sizes = [len(feature_names(LABELS, with_hints, n_pass)) for n_pass in (0, 1)]
        return tuple(Pass(chance.normal(0, 0.1, (size, k)), np.zeros(k)) for size in sizes)

    weights = Weights(
        ngrams=ngrams,
        n_words=4,
        idf=np.ones(len(ngrams), np.float32),
        weights=chance.normal(0, 1, (len(ngrams), k)).astype(np.float32),
        shape=chance.normal(0, 0.3, (len(SHAPE_NAMES), k)).astype(np.float32),
        intercept=np.zeros(k, np.float32),
    )
    return Tagger(Model(LABELS, weights, passes(False), passes(True), {}))


def _rows(n: int) -> Iterator[dict[str, Any]]:
    """Rows of documents of 1 to 9 paragraphs, every third with HTML hints."""
    chance = np.random.default_rng(n)
    i = 0
    for doc in range(n):
        for _ in range(int(chance.integers(1, 10))):
            text = " ".join(chance.choice(WORDS, int(chance.integers(1, 12)))) + chance.choice([".", "", "\n", '"'])
            hints = {"tag": "p", "link_density": 0.25} if doc % 3 == 0 else {"tag": "", "link_density": None}
            yield {"n": i, "doc": f"d{doc}", "text": str(text), **hints}
            i += 1


ROWS = list(islice(_rows(200), 500))


def _expected(tagger: Tagger, rows: list[dict[str, Any]], *, context: bool = True) -> list[dict[str, Any]]:
    tags = [tag for group in tagger.tag_documents(list(documents(rows)), context=context) for tag in group]
    return [
        {
            "label": tag.label,
            "score": round(tag.score, 6),
            **{f"p_{name}": round(p, 6) for name, p in tag.scores.items()},
        }
        for tag in tags
    ]


def _added(row: Mapping[str, Any], label: str = "label") -> dict[str, Any]:
    """What scoring added to a row, as numbers."""
    names = [label, "score", *(f"p_{name}" for name in LABELS)]
    assert list(row)[-len(names) :] == names
    return {"label": row[label], **{name: float(row[name]) for name in names[1:]}}


def _bare(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in list(row)[: -2 - len(LABELS)]}


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_row_comes_back_in_order_with_its_tags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tagger: Tagger, suffix: str, workers: int
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_SIZE", 2000)
    write_rows(tmp_path / f"rows{suffix}", ROWS)
    score_file(tmp_path / f"rows{suffix}", tmp_path / f"scored{suffix}", tagger, workers=workers)
    given = list(read_rows(tmp_path / f"rows{suffix}"))
    scored = list(read_rows(tmp_path / f"scored{suffix}"))
    assert [_bare(row) for row in scored] == given
    assert [_added(row) for row in scored] == _expected(tagger, ROWS)


@pytest.mark.parametrize("target", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("source", [".csv", ".jsonl", ".parquet"])
def test_from_any_format_into_any_other(tmp_path: Path, tagger: Tagger, source: str, target: str) -> None:
    rows = ROWS[:40]
    write_rows(tmp_path / f"rows{source}", rows)
    score_file(tmp_path / f"rows{source}", tmp_path / f"scored{target}", tagger)
    scored = list(read_rows(tmp_path / f"scored{target}"))
    assert [str(row["n"]) for row in scored] == [str(row["n"]) for row in rows]
    assert [row["text"] for row in scored] == [row["text"] for row in rows]
    assert [_added(row) for row in scored] == _expected(tagger, rows)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_number_of_workers_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tagger: Tagger, suffix: str
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_SIZE", 3000)
    write_rows(tmp_path / f"rows{suffix}", ROWS)
    raw = set()
    for workers in (1, 3):
        score_file(tmp_path / f"rows{suffix}", tmp_path / f"scored{suffix}", tagger, workers=workers)
        raw.add((tmp_path / f"scored{suffix}").read_bytes())
    assert len(raw) == 1


def test_json_lines_stay_as_they_stand(tmp_path: Path, tagger: Tagger) -> None:
    lines = [
        rb'{"n": 1.10, "big": 123456789012345678901234567890, "text": "\u00e9t\u00e9 \ud83d", "x": {"a":[1e400]}}',
        b'  {"text":"' + "été".encode() + b'", "text": "twice", "n": NaN }  \r',
    ]
    (tmp_path / "rows.jsonl").write_bytes(b"\n\n".join(lines))
    score_file(tmp_path / "rows.jsonl", tmp_path / "scored.jsonl", tagger)
    scored = (tmp_path / "scored.jsonl").read_bytes().split(b"\n")
    assert scored.pop() == b""
    for line, old in zip(scored, lines, strict=True):
        assert line.startswith(old.rstrip()[:-1] + b', "label": ')
        assert list(json.loads(line))[-len(LABELS) - 2 :] == ["label", "score", *(f"p_{name}" for name in LABELS)]


def test_parquet_columns_keep_their_types(tmp_path: Path, tagger: Tagger) -> None:
    table = pa.table(
        {
            "at": pa.array([1, None], pa.timestamp("ns", "Europe/Oslo")),
            "text": pa.array(["sea", "menu"], pa.large_string()),
            "site": pa.array(["a", "a"]).dictionary_encode(),
            "n": pa.array([1, 2], pa.int8()),
            "links": pa.array([[{"to": "x"}], None]),
            "raw": pa.array([b"\xff", b""]),
        }
    ).replace_schema_metadata({"made by": "hand"})
    pq.write_table(table, tmp_path / "rows.parquet")
    score_file(tmp_path / "rows.parquet", tmp_path / "scored.parquet", tagger)
    scored = pq.read_table(tmp_path / "scored.parquet")
    assert scored.select(table.column_names).equals(pq.read_table(tmp_path / "rows.parquet"), check_metadata=True)
    assert scored.schema.types[6:] == [pa.string(), *[pa.float64()] * 4]
    assert not any(column.null_count for column in scored.columns[6:])


@pytest.mark.parametrize("suffix", FORMATS)
def test_beside_a_label_ours_is_called_predicted(tmp_path: Path, tagger: Tagger, suffix: str) -> None:
    rows = [row | {"label": "mine"} for row in ROWS[:20]]
    write_rows(tmp_path / f"rows{suffix}", rows)
    score_file(tmp_path / f"rows{suffix}", tmp_path / f"scored{suffix}", tagger)
    scored = list(read_rows(tmp_path / f"scored{suffix}"))
    assert {row["label"] for row in scored} == {"mine"}
    assert [_added(row, "predicted") for row in scored] == _expected(tagger, rows)


def test_without_context_each_row_is_judged_alone(tmp_path: Path, tagger: Tagger) -> None:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    score_file(tmp_path / "rows.jsonl", tmp_path / "scored.jsonl", tagger, context=False)
    scored = [_added(row) for row in read_rows(tmp_path / "scored.jsonl")]
    assert scored == _expected(tagger, ROWS, context=False)
    assert scored != _expected(tagger, ROWS)


def test_rows_without_doc_are_documents_of_their_own(tmp_path: Path, tagger: Tagger) -> None:
    rows = [{"text": row["text"]} for row in ROWS[:30]]
    write_rows(tmp_path / "rows.csv", rows)
    summary = score_file(tmp_path / "rows.csv", tmp_path / "scored.csv", tagger)
    assert summary.documents == 30
    scored = [_added(row) for row in read_rows(tmp_path / "scored.csv")]
    assert scored == [_added(_expected(tagger, [row])[0]) for row in rows]


def test_another_text_column(tmp_path: Path, tagger: Tagger) -> None:
    write_rows(tmp_path / "rows.csv", [{"body": row["text"], "text": "menu", "doc": row["doc"]} for row in ROWS[:30]])
    score_file(tmp_path / "rows.csv", tmp_path / "scored.csv", tagger, text_column="body")
    plain = [{"text": row["text"], "doc": row["doc"]} for row in ROWS[:30]]
    assert [_added(row) for row in read_rows(tmp_path / "scored.csv")] == _expected(tagger, plain)


@pytest.mark.parametrize("density", ["0.25", "0,25", "1", ".5"])
def test_hints_count_in_whatever_form_csv_has_them(tmp_path: Path, tagger: Tagger, density: str) -> None:
    (tmp_path / "rows.csv").write_text(f"text;tag;link_density\nsea;p;{density}\n")
    score_file(tmp_path / "rows.csv", tmp_path / "scored.jsonl", tagger)
    (scored,) = read_rows(tmp_path / "scored.jsonl")
    hinted = {"text": "sea", "tag": "p", "link_density": float(density.replace(",", "."))}
    assert _added(scored) == _expected(tagger, [hinted])[0] != _expected(tagger, [{"text": "sea"}])[0]


def test_nan_is_no_link_density(tmp_path: Path, tagger: Tagger) -> None:
    pq.write_table(pa.table({"text": ["sea"], "tag": ["p"], "link_density": [float("nan")]}), tmp_path / "rows.parquet")
    score_file(tmp_path / "rows.parquet", tmp_path / "scored.parquet", tagger)
    assert _added(next(read_rows(tmp_path / "scored.parquet"))) == _expected(tagger, [{"text": "sea"}])[0]


def test_the_summary_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tagger: Tagger) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_SIZE", 2000)
    write_rows(tmp_path / "rows.jsonl", ROWS)
    calls: list[tuple[int, float | None]] = []
    summary = score_file(
        tmp_path / "rows.jsonl",
        tmp_path / "scored.jsonl",
        tagger,
        workers=2,
        progress=lambda rows, share: calls.append((rows, share)),
    )
    expected = _expected(tagger, ROWS)
    assert summary == Summary(
        rows=500,
        documents=len(list(documents(ROWS))),
        characters=sum(len(row["text"]) for row in ROWS),
        labels={label: sum(row["label"] == label for row in expected) for label in LABELS},
        label_characters={
            label: sum(len(row["text"]) for row, scored in zip(ROWS, expected, strict=True) if scored["label"] == label)
            for label in LABELS
        },
        unsure=sum(row["score"] < UNSURE for row in expected),
    )
    assert summary.unsure_share == summary.unsure / 500
    assert len(calls) > 3
    assert calls == sorted(calls)
    assert calls[-1] == (500, 1.0)


@pytest.mark.parametrize("target", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("source", [".csv", ".jsonl", ".parquet"])
def test_no_rows_are_scored_too(tmp_path: Path, tagger: Tagger, source: str, target: str) -> None:
    write_rows(tmp_path / f"rows{source}", [], columns=["doc", "text"])
    summary = score_file(tmp_path / f"rows{source}", tmp_path / f"scored{target}", tagger)
    assert summary == Summary.nothing(LABELS)
    assert summary.unsure_share == 0.0
    if source != ".jsonl" and target != ".jsonl":
        scored = tmp_path / f"scored{target}"
        header = scored.read_text().strip().split(",") if target == ".csv" else pq.read_schema(scored).names
        assert header == ["doc", "text", "label", "score", *(f"p_{name}" for name in LABELS)]


def test_from_standard_input_to_standard_output(monkeypatch: pytest.MonkeyPatch, tagger: Tagger) -> None:
    class Standard:
        def __init__(self, raw: bytes) -> None:
            self.buffer = io.BytesIO(raw)

    out = Standard(b"")
    monkeypatch.setattr(sys, "stdin", Standard(b'{"text": "sea", "n": 1}\n{"text": "menu"}\n'))
    monkeypatch.setattr(sys, "stdout", out)
    shares = []
    score_file("-", "-", tagger, progress=lambda _, share: shares.append(share))
    scored = [json.loads(line) for line in out.buffer.getvalue().splitlines()]
    assert [row["text"] for row in scored] == ["sea", "menu"]
    assert [_added(row) for row in scored] == [_expected(tagger, [{"text": t}])[0] for t in ("sea", "menu")]
    assert shares == [None]


# -- Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("rows.csv", "text,score\nsea,1\n", "rows.csv: has a column 'score' already, which scoring adds"),
        ("rows.csv", "text,p_body\nsea,1\n", "rows.csv: has a column 'p_body' already, which scoring adds"),
        ("rows.csv", "text,label,predicted\nsea,1,1\n", "rows.csv: has a column 'predicted' already"),
        ("rows.jsonl", '{"text": "sea", "score": 1}\n', "rows.jsonl: has a column 'score' already"),
        ("rows.csv", "text,link_density\nsea,1\nsea,much\n", "row 3: 'link_density' holds 'much'; it must be a number"),
        ("rows.csv", "text,link_density\nsea,1.5\n", "row 2: 'link_density' holds '1.5'"),
        ("rows.jsonl", '{"text": "sea", "link_density": [1]}\n', "line 1: 'link_density' holds [1]"),
        ("rows.jsonl", '{"text": "sea"}\n\n{"text": 7}\n', "line 3: 'text' holds 7, which is no string"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_row_is_named_and_nothing_is_written(
    tmp_path: Path, tagger: Tagger, name: str, raw: str, message: str, workers: int
) -> None:
    (tmp_path / name).write_text(raw)
    with pytest.raises(RowError) as error:
        score_file(tmp_path / name, tmp_path / "scored.jsonl", tagger, workers=workers)
    assert message in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("column", ["label", "score", "p_menü"])
def test_a_column_that_comes_late_and_that_scoring_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tagger: Tagger, column: str
) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_SIZE", 20)
    write_rows(tmp_path / "rows.jsonl", [{"text": "sea"}] * 5 + [{"text": "sea", column: "x"}])
    with pytest.raises(RowError, match=rf"line 6: has a column '{column}', which scoring adds"):
        score_file(tmp_path / "rows.jsonl", tmp_path / "scored.jsonl", tagger)


def test_a_label_on_some_of_the_first_rows_is_enough(tmp_path: Path, tagger: Tagger) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"text": "sea"}, {"text": "menu", "label": "mine"}])
    score_file(tmp_path / "rows.jsonl", tmp_path / "scored.jsonl", tagger)
    scored = list(read_rows(tmp_path / "scored.jsonl"))
    assert ["label" in row for row in scored] == [False, True]
    assert all(row["predicted"] in LABELS for row in scored)


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tagger: Tagger) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_SIZE", 1000)
    write_rows(tmp_path / "rows.jsonl", ROWS)

    def interrupt(rows: int, share: float | None) -> None:
        if rows > 200:
            raise KeyboardInterrupt

    for workers in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            score_file(tmp_path / "rows.jsonl", tmp_path / "out.jsonl", tagger, workers=workers, progress=interrupt)
        assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_workers_must_be_at_least_one(tmp_path: Path, tagger: Tagger) -> None:
    with pytest.raises(ValueError, match="workers is 0; it must be at least 1"):
        score_file(tmp_path / "rows.jsonl", tmp_path / "out.jsonl", tagger, workers=0)
