"""boilertag score as its users run it."""

import json
import sys
from pathlib import Path

import pytest

from classifier.rows import read_rows, write_rows
from service import progress
from service.cli import main
from service.progress import ProgressLine, duration

ROWS = [
    {"doc": "a", "text": "Home"},
    {"doc": "a", "text": "The mill wheel turns again after nine dry years, and the miller's niece has the key."},
    {"doc": "b", "text": "Advertisement"},
]


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    status = main(["score", *map(str, argv), "--workers", "1"])
    return status, *capsys.readouterr()


def test_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    status, out, err = run(capsys, tmp_path / "rows.jsonl", "-o", tmp_path / "scored.jsonl")
    assert (status, out) == (0, "")
    first, *labels, last = err.splitlines()
    assert first == f"3 paragraphs of 2 documents, {sum(len(row['text']) for row in ROWS)} characters"
    assert len(labels) == 4
    assert all("% of paragraphs" in line and "% of characters" in line for line in labels)
    assert last.startswith("  unsure (score below 0.6): ")


def test_bad_rows_end_the_run_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "Home"}\n{"text": 5}\n')
    status, _, err = run(capsys, tmp_path / "rows.jsonl", "-o", tmp_path / "scored.jsonl")
    assert status == 3
    assert err.splitlines()[-1] == f"1 bad rows left out: {tmp_path / 'scored.rejects.jsonl'}"
    (reject,) = [json.loads(line) for line in (tmp_path / "scored.rejects.jsonl").read_text().splitlines()]
    assert reject == {
        "file": str(tmp_path / "rows.jsonl"),
        "place": "line 2",
        "reason": "'text' holds 5, which is no string",
        "row": '{"text": 5}',
    }


def test_files_that_cannot_be_read_end_it_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "in.jsonl", ROWS)
    (tmp_path / "broken.parquet").write_text("none")
    status, _, err = run(capsys, tmp_path / "in.jsonl", tmp_path / "broken.parquet", "-o", f"{tmp_path}/out/")
    assert status == 1
    assert err.startswith(f"boilertag: {tmp_path}/broken.parquet can't be read")
    assert err.endswith("1 of 2 files could not be scored\n")
    assert len(list(read_rows(tmp_path / "out" / "in.jsonl"))) == 3


def test_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    argv = (tmp_path / "rows.jsonl", "-o", tmp_path / "clean.jsonl", "--clean")
    assert run(capsys, *argv, "--keep", "content", "navigation", "appeal", "ad_notice")[0] == 0
    texts = ["\n\n".join(row["text"] for row in ROWS[:2]), "Advertisement"]
    assert [row["text"] for row in read_rows(tmp_path / "clean.jsonl")] == texts
    assert run(capsys, *argv, "--keep", "zebra")[2].startswith("boilertag: --keep: no label 'zebra'")
    assert run(capsys, *argv[:-1], "--keep", "content")[2] == "boilertag: --keep goes with --clean\n"


def test_through_a_pipe(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_rows(tmp_path / "rows.jsonl", ROWS)
    assert main(["score", str(tmp_path / "rows.jsonl")]) == 0
    out, err = capfdbinary.readouterr()
    assert [json.loads(line)["text"] for line in out.splitlines()] == [row["text"] for row in ROWS]
    assert b"\r" not in err


def test_a_terminal_shows_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with ProgressLine() as line:
        now += 10
        line.rows(1000, 0.1)
    assert capsys.readouterr().err == ""  # no terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine() as line:
        for rows, share in ((50_000, 0.5), (51_000, 0.51), (52_000, 0.52), (53_000, 0.53), (54_000, 0.54)):
            now += 10
            line.rows(rows, share)
        line.rows(54_001, 0.54)  # too soon
    shown = capsys.readouterr().err.split("\r\x1b[K")
    assert shown[1] == "   10 s  50,000 rows, 5,000 a second, 50%, 0:10 left"
    assert shown[5] == "   50 s  54,000 rows, 100 a second, 54%, 7:40 left"  # not flattered by the fast start
    assert shown[6:] == [""]


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0, 61, 3599.6, 90_061)] == ["0:00", "1:01", "1:00:00", "25:01:01"]
