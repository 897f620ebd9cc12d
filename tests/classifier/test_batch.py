"""Files in, files out: what is read, what is written where, bad rows, and runs that are interrupted."""

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings

from classifier import RowError, Tagger
from classifier.batch import Job, Report, forget, plan, score_file, score_files
from classifier.folder import Model
from classifier.journal import Journal
from classifier.rows import blocks as blocks_module
from classifier.rows import read_rows, write_rows
from classifier.scoring import Settings

ROWS = [
    {"doc": f"d{i // 5}", "site": f"s{i // 20}", "n": i, "text": f"The ferry left the harbour {i} times."}
    for i in range(200)
]
FORMATS = ["jsonl", "jsonl.gz", "jsonl.zst", "csv", "tsv.gz", "parquet"]


@pytest.fixture(scope="module")
def tagger(small_model: Model) -> Tagger:
    return Tagger(small_model)


def run(tagger: Tagger, inputs: list[Path], output: Path | str, form: str | None = None, **given: Any) -> Report:
    jobs = plan([str(one) for one in inputs], str(output), form)
    report = score_files(jobs, tagger, given.pop("settings", Settings()), **given)
    if not report.failed:
        forget(jobs)
    return report


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# -- What goes where ------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for name in ("b.jsonl", "a.csv", "deep/c.jsonl.gz"):
        write_rows(source / name, ROWS[:10])
    for name in (".hidden.jsonl", "notes.txt", "a.rejects.jsonl"):
        (source / name).write_text("not rows")
    return source


def test_a_folder_has_a_file_each(tree: Path, tagger: Tagger, tmp_path: Path) -> None:
    report = run(tagger, [tree], tmp_path / "out")
    assert report.summary.rows == 30
    assert names(tmp_path / "out") == ["a.csv", "b.jsonl", "deep/c.jsonl.gz"]


def test_a_format_for_all(tree: Path, tagger: Tagger, tmp_path: Path) -> None:
    run(tagger, [tree], tmp_path / "out", "jsonl.zst")
    assert names(tmp_path / "out") == ["a.jsonl.zst", "b.jsonl.zst", "deep/c.jsonl.zst"]
    assert [row["n"] for row in read_rows(tmp_path / "out" / "a.jsonl.zst")] == [str(row["n"]) for row in ROWS[:10]]


def test_an_output_inside_the_input_is_no_input(tree: Path, tagger: Tagger) -> None:
    for _ in range(2):
        assert run(tagger, [tree], tree / "out").summary.rows == 30


@pytest.mark.parametrize("output", ["all.jsonl", "all.csv", "all.parquet"])
def test_one_file_for_all(tree: Path, tagger: Tagger, tmp_path: Path, output: str) -> None:
    write_rows(tree / "z.csv", [{"text": "one more", "lang": "en"}])
    run(tagger, [tree], tmp_path / output)
    rows = list(read_rows(tmp_path / output))
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS[:10] * 3] + ["one more"]
    assert rows[-1]["lang"] == "en"


def test_parquet_files_with_other_columns_become_one(tagger: Tagger, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "n": pa.array([1], pa.int8())}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"n": pa.array([2], pa.int64()), "text": ["b"], "x": ["y"]}), tmp_path / "2.parquet")
    run(tagger, [tmp_path / "[12].parquet"], tmp_path / "all.parquet")
    table = pq.read_table(tmp_path / "all.parquet").select(["text", "n", "x"])
    assert table.to_pylist() == [{"text": "a", "n": 1, "x": None}, {"text": "b", "n": 2, "x": "y"}]
    assert table.schema.field("n").type == pa.int8()


def test_patterns(tree: Path, tagger: Tagger, tmp_path: Path) -> None:
    run(tagger, [tree / "**" / "*.jsonl*"], tmp_path / "out")
    assert names(tmp_path / "out") == ["b.jsonl", "deep/c.jsonl.gz"]


@pytest.mark.parametrize(
    ("inputs", "output", "says"),
    [
        (["in/gone.csv"], "out/", "gone.csv: no such file"),
        (["in/*.tsv"], "out/", "no row files or archives there"),
        (["in/b.jsonl"], "in", "would be written over"),
        (["in/a.csv", "in/b.jsonl"], "in/b.jsonl", "would be written over"),
        (["in/a.csv", "copy/a.csv"], "out/", "would both be written to"),
        (["-"], "out/", "standard input can't go into a folder"),
    ],
)
def test_plans_that_cannot_be(tree: Path, inputs: list[str], output: str, says: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(tree.parent)
    (tree.parent / "copy").mkdir()
    write_rows("copy/a.csv", ROWS[:1])
    with pytest.raises(RowError, match=says):
        plan(inputs, output)


# -- Bad rows -------------------------------------------------------------------------------------------------------


BAD = {
    "jsonl": (
        b'{"text": "one", "n": 1}\n{"text": \n{"n": 3}\n[4]\n{"text": "caf\xe9"}\n'
        b'{"text": "six", "link_density": 7}\n{"text": "seven"}\n',
        [0, 6],
        ["no valid JSON", "no 'text'", "JSON object", "not UTF-8", "'link_density' holds 7"],
    ),
    "csv": (
        b'text,link_density\none,\ntwo\n"three\n",much\ncaf\xe9,\nfive,0.5\n',
        [0, 4],
        ["1 fields where the header has 2", "'link_density' holds 'much'", "not UTF-8"],
    ),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("output", ["jsonl", "csv", "parquet"])
def test_bad_rows_are_left_out_and_told_of(tmp_path: Path, tagger: Tagger, kind: str, output: str) -> None:
    raw, good, reasons = BAD[kind]
    source = tmp_path / f"rows.{kind}"
    source.write_bytes(raw)
    report = run(tagger, [source], tmp_path / f"scored.{output}")
    rejects = lines(tmp_path / "scored.rejects.jsonl")
    assert report.rejects == [tmp_path / "scored.rejects.jsonl"]
    assert report.summary.rejected == len(rejects) == len(reasons)
    assert len(list(read_rows(tmp_path / f"scored.{output}"))) == report.summary.rows == len(good)
    for reject, reason in zip(rejects, reasons, strict=True):
        assert reject["file"] == str(source)
        assert reason in reject["reason"]
        assert reject["row"]
    assert rejects[0]["place"] == ("line 2" if kind == "jsonl" else "row 3")


ODD = [
    b'{"text": "a", "x": "caf\xe9"}',
    b'{"text": "a", "x\xff": 1}',
    b'{"text": "a\xed\xa0\x80"}',
    b'{"text": "a", "x": "\x01"}',
    b'{"text": "a", "x": "\\q"}',
    b'{"text": "a", "x": "\\ud83d"}',
    b'{"text": "\\ud83d"}',
    b'{"text": "a", "x": NaN}',
    b'{"text": "a", "x": 1e400}',
    b'{"text": "a", "doc": 123456789012345678901234567890}',
    b'{"text": "a", "x": ' + b"1" * 4300 + b"}",
    b'{"text": "a", "x": ' + b"1" * 4301 + b"}",
    b'{"text": "a", "x": "' + b"1" * 5000 + b'"}',
    b'{"text": "a", "x": 01}',
    b'{"text": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"text": "a"}{"text": "b"}',
    b'{"text": "a"},{"text": "b"}',
    b'{"text": "a",}',
    b'{"text": 1, "text": "a"}',
    b'{"text": "a", "text": 1}',
    b'{"te\\u0078t": "a"}',
    b'{"x": [{}',
    b"{}]}",
    b'  {"text": "a"}\t\r',
    b'{"text": "a"}\x0c',
    b'["text"]',
    b"null",
]


def _is_row(line: bytes) -> bool:
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and isinstance(row.get("text"), str)


@settings(max_examples=60)
@given(odd=st.lists(st.sampled_from([*ODD, b"", b" \r", b'{"text": "a"}']), max_size=6), size=st.integers(1, 6000))
@example(odd=ODD, size=1_000_000)
def test_what_a_line_is_depends_on_no_other(tagger: Tagger, odd: list[bytes], size: int) -> None:
    given_lines = [b'{"text": "first"}', *odd, b'{"text": "last"}']
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(blocks_module, "BLOCK_SIZE", size)
        (folder / "rows.jsonl").write_bytes(b"\n".join(given_lines))
        report = run(tagger, [folder / "rows.jsonl"], folder / "out.jsonl")
        scored = (folder / "out.jsonl").read_bytes().splitlines()
        rejects = lines(folder / "out.rejects.jsonl") if report.rejects else []
    kept = [line for line in given_lines if _is_row(line)]
    assert [line[: line.index(b', "label": ')] for line in scored] == [line.rstrip()[:-1] for line in kept]
    left = [f"line {i}" for i, line in enumerate(given_lines, 1) if line.strip() and not _is_row(line)]
    assert [reject["place"] for reject in rejects] == left


def test_a_row_that_the_output_cannot_hold_is_a_reject(tmp_path: Path, tagger: Tagger) -> None:
    rows = [{"text": "one", "n": 1}, {"text": "half \ud83d", "n": 2}, {"text": "three", "n": "three"}]
    write_rows(tmp_path / "rows.jsonl", rows)
    for output, kept in (("csv", [0, 2]), ("parquet", [0])):
        run(tagger, [tmp_path / "rows.jsonl"], tmp_path / f"scored.{output}")
        found = [row["text"] for row in read_rows(tmp_path / f"scored.{output}")]
        assert found == [rows[i]["text"] for i in kept]
        assert len(lines(tmp_path / "scored.rejects.jsonl")) == 3 - len(kept)


def test_a_run_without_bad_rows_removes_the_rejects_of_an_earlier_one(tmp_path: Path, tagger: Tagger) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n{\n')
    assert run(tagger, [tmp_path / "rows.jsonl"], tmp_path / "scored.jsonl").summary.rejected == 1
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n')
    run(tagger, [tmp_path / "rows.jsonl"], tmp_path / "scored.jsonl")
    assert names(tmp_path) == ["rows.jsonl", "scored.jsonl"]


@settings(max_examples=30)
@given(bad=st.sets(st.integers(0, 59), max_size=60), size=st.integers(1, 2000))
def test_every_row_comes_out_or_is_rejected(tagger: Tagger, bad: set[int], size: int) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(blocks_module, "BLOCK_SIZE", size)
        given_lines = [json.dumps(row)[: -1 if i in bad else None] for i, row in enumerate(ROWS[:60])]
        (folder / "rows.jsonl").write_text("\n".join(given_lines))
        run(tagger, [folder / "rows.jsonl"], folder / "out.jsonl")
        assert [row["n"] for row in lines(folder / "out.jsonl")] == [i for i in range(60) if i not in bad]
        rejects = lines(folder / "out.rejects.jsonl") if bad else []
        assert [int(row["place"].split()[1]) - 1 for row in rejects] == sorted(bad)
        assert [row["row"] for row in rejects] == [given_lines[i] for i in sorted(bad)]


def test_a_file_that_cannot_be_read_holds_up_no_other(tree: Path, tagger: Tagger, tmp_path: Path) -> None:
    (tree / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x"}\n' * 10_000)[:-20])
    (tree / "none.csv").write_text("a,b\n1,2\n")
    report = run(tagger, [tree], tmp_path / "out")
    assert [Path(job.target).name for job, _ in report.failed] == ["cut.jsonl.gz", "none.csv"]
    assert "is cut off" in str(report.failed[0][1])
    assert report.summary.rows == 30
    assert not (tmp_path / "out" / "cut.jsonl.gz").exists()


# -- Documents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_clean_documents(tmp_path: Path, tagger: Tagger, kind: str) -> None:
    write_rows(tmp_path / f"rows.{kind}", ROWS)
    keep = frozenset(tagger.labels[:1])
    summary = run(tagger, [tmp_path / f"rows.{kind}"], tmp_path / f"clean.{kind}", settings=Settings(keep=keep)).summary
    score_file(tmp_path / f"rows.{kind}", tmp_path / "scored.jsonl", tagger)
    documents: dict[str, list[Any]] = {}
    for row in lines(tmp_path / "scored.jsonl"):
        documents.setdefault(row["doc"], []).append(row)
    cleaned = [dict(row) for row in read_rows(tmp_path / f"clean.{kind}")]
    assert summary.documents == len(cleaned) == 40
    for row, rows in zip(cleaned, documents.values(), strict=True):
        kept = [one["text"] for one in rows if one["label"] in keep]
        assert row["text"] == "\n\n".join(kept)
        assert (row["doc"], row["site"]) == (rows[0]["doc"], rows[0]["site"])
        assert (int(row["paragraphs"]), int(row["kept"])) == (5, len(kept))
        assert row.get("n") in (None, "")  # its rows do not agree in it


# -- Interrupted and started again ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_an_interrupted_run_goes_on(tmp_path: Path, tagger: Tagger, kind: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(blocks_module, "BLOCK_SIZE", 1000)
    source, target = tmp_path / f"rows.{kind}", tmp_path / f"out.{kind}"
    write_rows(source, ROWS)
    score_file(source, tmp_path / f"whole.{kind}", tagger)

    def interrupt(rows: int, share: float | None) -> None:
        if rows > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tagger, [source], target, progress=interrupt)
    assert names(tmp_path) == [f".out.{kind}.journal", f"rows.{kind}", f"whole.{kind}"]

    scored: list[int] = []
    monkeypatch.setattr(Tagger, "probabilities", _counting(Tagger.probabilities, scored))
    summary = run(tagger, [source], target).summary
    assert 0 < sum(scored) < 100
    assert summary.rows == 200
    assert target.read_bytes() == (tmp_path / f"whole.{kind}").read_bytes()
    assert names(tmp_path) == [f"out.{kind}", f"rows.{kind}", f"whole.{kind}"]


def _counting(probabilities: Any, scored: list[int]) -> Any:
    def counted(self: Tagger, documents: Any, **given: Any) -> Any:
        scored.append(sum(map(len, documents)))
        return probabilities(self, documents, **given)

    return counted


@settings(max_examples=40)
@given(cut=st.floats(0, 1), garbage=st.binary(max_size=40), keep=st.booleans())
def test_whatever_is_left_of_a_journal_the_output_is_the_same(
    tagger: Tagger, cut: float, garbage: bytes, keep: bool
) -> None:
    wanted = Settings(keep=frozenset(tagger.labels[:2]) if keep else None)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        patch.setattr(blocks_module, "BLOCK_SIZE", 500)
        given_lines = [json.dumps(row)[: -1 if row["n"] in (50, 120) else None] for row in ROWS]
        (folder / "rows.jsonl").write_text("\n".join(given_lines))
        job = plan([str(folder / "rows.jsonl")], str(folder / "out.jsonl"))

        def stop(rows: int, share: float | None) -> None:
            if rows > 180:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            score_files(job, tagger, wanted, progress=stop)
        journal = Journal.path_of(folder / "out.jsonl")
        raw = journal.read_bytes()
        journal.write_bytes(raw[: round(cut * len(raw))] + garbage)
        first = score_files(job, tagger, wanted)
        again = (folder / "out.jsonl").read_bytes(), (folder / "out.rejects.jsonl").read_bytes()
        journal.unlink()
        assert score_files(job, tagger, wanted) == first
        assert ((folder / "out.jsonl").read_bytes(), (folder / "out.rejects.jsonl").read_bytes()) == again


def test_files_that_are_done_are_not_done_again(tree: Path, tagger: Tagger, tmp_path: Path) -> None:
    jobs = plan([str(tree)], str(tmp_path / "out"))
    first = score_files(jobs, tagger, Settings())
    times = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names(tmp_path / "out")}
    again = score_files(jobs, tagger, Settings())
    assert again == first
    assert times == {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names(tmp_path / "out")}
    write_rows(tree / "b.jsonl", ROWS[:20])
    assert score_files(jobs, tagger, Settings()).summary.rows == 40
    assert score_files(jobs, tagger, Settings(context=False)).summary.rows == 40


def test_two_runs_do_not_write_one_file(tmp_path: Path, tagger: Tagger) -> None:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    jobs = plan([str(tmp_path / "rows.jsonl")], str(tmp_path / "out.jsonl"))
    other: list[Report] = []

    def meanwhile(rows: int, share: float | None) -> None:
        other.append(score_files(jobs, tagger, Settings()))

    assert score_files(jobs, tagger, Settings(), progress=meanwhile).summary.rows == 200
    assert "is being written by another run" in str(other[0].failed[0][1])


def test_a_killed_run_leaves_no_worker_and_goes_on(tmp_path: Path) -> None:
    text = "The ferry company told councillors that the pontoon would cost more than the harbour fund has. "
    write_rows(tmp_path / "rows.jsonl", ({"doc": i // 9, "text": f"{text * 5}{i}"} for i in range(20_000)))
    command = [sys.executable, "-m", "service.cli", "score", str(tmp_path / "rows.jsonl"), "--workers", "2", "-o"]
    journal = Journal.path_of(tmp_path / "out.jsonl")
    process = subprocess.Popen([*command, str(tmp_path / "out.jsonl")], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size > 100_000) and time.monotonic() < until:
        time.sleep(0.01)
    children = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out.jsonl").exists()
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert time.monotonic() < until
    for name in ("out.jsonl", "whole.jsonl"):
        subprocess.run([*command, str(tmp_path / name)], check=True, stderr=subprocess.DEVNULL)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert names(tmp_path) == ["out.jsonl", "rows.jsonl", "whole.jsonl"]


def test_rows_too_large_for_memory_that_processes_share(tmp_path: Path) -> None:
    long = "The harbour master counted the boats again. " * 400_000
    write_rows(tmp_path / "rows.jsonl", [{"text": long if i == 3_000 else f"Berth {i} is free."} for i in range(6_000)])
    for workers in ("1", "2"):
        command = [sys.executable, "-m", "service.cli", "score", str(tmp_path / "rows.jsonl"), "--workers", workers]
        subprocess.run([*command, "-o", str(tmp_path / f"by-{workers}.jsonl")], check=True, stderr=subprocess.DEVNULL)
    assert (tmp_path / "by-1.jsonl").read_bytes() == (tmp_path / "by-2.jsonl").read_bytes()


def _children(pid: int) -> list[str]:
    tasks = Path(f"/proc/{pid}/task")
    return [child for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def test_a_job_is_one_of_a_single_output(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", ROWS[:1])
    assert plan([str(tmp_path / "a.jsonl")], "-") == [Job((str(tmp_path / "a.jsonl"),), "-")]
    assert os.sep not in Journal.path_of(Path("x.csv")).name
