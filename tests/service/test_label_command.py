"""boilertag label: a queue from files, served."""

import io
import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import free_port
from classifier.rows import write_rows
from service.cli import main

ROWS = [
    {"doc": "1", "text": "Home", "tag": "li", "link_density": 1},
    {"doc": "1", "text": "The ferry left at dawn, the harbour master said on Friday.", "tag": "p", "link_density": 0},
    {"doc": "2", "text": "Subscribe for 2 euros a month", "tag": "p", "link_density": 0},
]


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=10) as response:
        return json.load(response)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl.gz", "rows.parquet"])
def test_serves_a_queue(tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / name, ROWS)
    (tmp_path / "page.html").write_text("<!doctype html><p>The tide turned at six.</p><p>Sign up</p>", "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "service.cli", "label", name, "page.html", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--corrections", "c.sqlite"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as started:
        try:
            assert started.stdout
            address, _, queue = started.stdout.readline().strip().partition("/?queue=")
            assert address == f"http://127.0.0.1:{port}"
            found: Any = None
            until = time.monotonic() + 60
            while found is None:
                assert time.monotonic() < until
                time.sleep(0.05)
                with suppress(OSError):
                    found = get(f"{address}/v1/queues/{queue}?annotator=ada")
        finally:
            started.terminate()
    assert (found["name"], found["documents"], found["left"]) == (f"{name} and 1 more", 3, 5)
    assert {item["name"] for item in found["items"]} == {f"{name}, 1", f"{name}, 2", "page.html"}
    margins = [item["margin"] for item in found["items"]]
    assert margins == sorted(margins)


@pytest.mark.parametrize(
    ("flags", "status", "says"),
    [
        (["none.csv"], 1, "none.csv: no such file"),
        (["none.txt"], 1, "none.txt: no such file"),
        (["bad.csv"], 1, "bad.csv: no column 'text'"),
        (["empty.txt"], 1, "there are no paragraphs"),
        (["page.html.gz"], 1, "page.html.gz: a packed page; unpack it first"),
        (["good.txt", "--corrections", "empty.txt/c.sqlite"], 1, "c.sqlite: file exists"),
        (["good.txt", "--corrections", "off"], 2, "set corrections to one"),
        (["good.txt", "--model", "none"], 1, "none"),
        (["good.txt", "--max-paragraphs", "1"], 1, "more than 1 paragraphs (max_paragraphs)"),
    ],
    ids=str,
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    status: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    Path("bad.csv").write_text("txt\nHome\n", "utf-8")
    Path("empty.txt").touch()
    Path("page.html.gz").touch()
    Path("good.txt").write_text("Home\nNews\n", "utf-8")
    assert main(["label", "--corrections", "c.sqlite", *flags]) == status
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert says in told
