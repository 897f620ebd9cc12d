"""Ray and datatrove give the labels that the command line gives, row for row."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from classifier import Tagger
from classifier.batch import score_file
from classifier.rows import documents, write_rows
from service.cli import main

pytestmark = pytest.mark.filterwarnings("ignore")  # other people's

TEXTS = [
    "Home",
    "The mill wheel turns again after nine dry years",
    "By Inge Halloran",
    "The mill wheel at Corran turned on Monday for the first time in nine years, and the miller's niece has the key.",
    "Advertisement",
    "Water came over the weir on Monday night, said the warden, who had waited for it since the spring of 2015.",
    "“We heard it before we saw it,” she said. “It sounded like rain on a tin roof, and then the wheel moved.”",
    "Subscribe for 2 euros a month",
]
ROWS = [{"doc": f"d{i // 8}", "n": i, "text": TEXTS[i % 8]} for i in range(96)]


@pytest.fixture(scope="module")
def scored(tagger: Tagger, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder / "rows.jsonl", ROWS)
    score_file(folder / "rows.jsonl", folder / "scored.jsonl", tagger)
    return [json.loads(line) for line in (folder / "scored.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def test_ray_data(cluster: Any, scored: list[Any]) -> None:
    from classifier.on_ray import RowScorer

    ds = cluster.data.from_items(ROWS[::-1])
    found = ds.groupby("doc").map_groups(
        RowScorer, fn_constructor_kwargs={"order": "n"}, batch_format="pyarrow", concurrency=1
    )
    assert sorted(found.take_all(), key=lambda row: row["n"]) == scored


def test_the_ray_engine(cluster: Any, scored: list[Any], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(3):
        write_rows(tmp_path / "in" / f"{i}.jsonl", ROWS[i * 32 : i * 32 + 32])
    assert main(["score", str(tmp_path / "in"), "-o", f"{tmp_path}/out/", "--engine", "ray"]) == 0
    found = [json.loads(line) for i in range(3) for line in (tmp_path / "out" / f"{i}.jsonl").read_text().splitlines()]
    assert found == scored
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.jsonl", "1.jsonl", "2.jsonl"]


def test_datatrove(scored: list[Any], tmp_path: Path) -> None:
    pytest.importorskip("datatrove")
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    from classifier.in_datatrove import ParagraphFilter, ParagraphTagger

    (tmp_path / "in").mkdir()
    pages = [{"id": rows[0]["doc"], "text": "\n".join(row["text"] for row in rows)} for rows in documents(ROWS)]
    (tmp_path / "in" / "pages.jsonl").write_text("\n".join(map(json.dumps, pages)))
    LocalPipelineExecutor(
        [
            JsonlReader(str(tmp_path / "in")),
            ParagraphTagger(split="line"),
            JsonlWriter(str(tmp_path / "tagged"), compression=None),
            ParagraphFilter(split="line"),
            JsonlWriter(str(tmp_path / "cleaned"), compression=None),
        ],
        logging_dir=str(tmp_path / "logs"),
    ).run()
    tagged = _lines(tmp_path / "tagged")
    assert [label for page in tagged for label in page["metadata"]["paragraph_labels"]] == [r["label"] for r in scored]
    assert [score for page in tagged for score in page["metadata"]["paragraph_scores"]] == [r["score"] for r in scored]
    assert {row["label"] for row in scored} == {"content", "appeal", "ad_notice", "navigation"}
    kept = {}
    for rows in documents(scored):
        if texts := [row["text"] for row in rows if row["label"] == "content"]:
            kept[rows[0]["doc"]] = "\n\n".join(texts)
    assert {page["id"]: page["text"] for page in _lines(tmp_path / "cleaned")} == kept


def _lines(folder: Path) -> list[Any]:
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text("utf-8").splitlines()]


def test_scoring_imports_none_of_them() -> None:
    code = (
        "import sys; import classifier.batch, service.score_command\n"
        "found = {'ray', 'datatrove', 'fastwarc', 'pyarrow', 'sklearn'}.intersection(sys.modules)\n"
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
