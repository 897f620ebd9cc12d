"""What happens to the file of corrections, and what is answered when it can't be used."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.teaching import database
from tests.service.conftest import LIMITS
from tests.service.teaching.conftest import Teaching, teaching_with

FILE = "corrections.sqlite"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture
def teaching(file: Path) -> Iterator[Teaching]:
    with teaching_with(replace(LIMITS, corrections=file)) as running:
        yield running


def refused(teaching: Teaching, says: str) -> None:
    for status, answer in (
        teaching.send("/v1/documents", {"text": "Home"}),
        teaching.upload("a.txt", "Home"),
    ):
        assert (status, answer["type"]) == (507, "urn:problem-type:boilertag:cant-keep")
        assert says in answer["detail"]
        assert FILE not in answer["detail"]
    assert teaching.tag({"text": "Home"})["paragraphs"]


def test_is_made_by_the_first_that_writes(teaching: Teaching, file: Path) -> None:
    for path in ("corrections", "agreement", "queues", "corrections.csv"):
        assert teaching.client.get(f"/v1/{path}").status_code == 200
    assert not file.exists()
    teaching.put()
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_empty_one_is_as_none(teaching: Teaching, file: Path) -> None:
    file.touch()
    assert teaching.found("/v1/queues") == {"queues": []}
    assert file.stat().st_size == 0
    teaching.put()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_read_only_folder(teaching: Teaching, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        refused(teaching, "permission denied")
        assert teaching.found("/v1/queues") == {"queues": []}
    finally:
        tmp_path.chmod(0o700)


def test_no_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with teaching_with(replace(LIMITS, corrections=tmp_path / "file" / FILE)) as teaching:
        refused(teaching, "file exists")


def test_a_folder_in_its_place(teaching: Teaching, file: Path) -> None:
    file.mkdir()
    refused(teaching, "it can't be opened")


def test_what_is_no_database(teaching: Teaching, file: Path) -> None:
    file.write_bytes(b"A log of ships, not a database. " * 100)
    refused(teaching, "it is no SQLite file")
    assert teaching.get("/v1/corrections")[0] == 507
    assert file.read_bytes().startswith(b"A log of ships")


@pytest.mark.parametrize("statement", ["CREATE TABLE ships (name)", "PRAGMA user_version = 99"])
def test_of_another_program_or_version(teaching: Teaching, file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute(statement)
    refused(teaching, "it is not of this version of boilertag")


def test_full(file: Path) -> None:
    with teaching_with(replace(LIMITS, corrections=file, max_corrections_bytes=1 << 17)) as teaching:
        kept = teaching.put(["Home"])
        teaching.correct("ada", kept, 0, "navigation")
        before = teaching.found("/v1/corrections")
        status, answer = teaching.send("/v1/documents", {"paragraphs": ["x" * 200_000]})
        assert (status, answer["type"]) == (507, "urn:problem-type:boilertag:cant-keep")
        assert "full" in answer["detail"]
        assert teaching.found("/v1/corrections") == before
        teaching.correct("ada", kept, 0, "appeal")
        assert file.stat().st_size <= 1 << 17


def test_kept_busy_by_another(teaching: Teaching, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teaching.put()
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        status, answer = teaching.send("/v1/documents", {"text": "Home"})
        assert (status, answer["type"]) == (503, "urn:problem-type:boilertag:overloaded")
        assert teaching.found("/v1/corrections")  # who reads does not wait
        other.execute("ROLLBACK")
    assert teaching.send("/v1/documents", {"text": "Home"})[0] == 200


def test_waits_for_another(teaching: Teaching, file: Path) -> None:
    teaching.put()
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.execute, ["COMMIT"])
        timer.start()
        assert teaching.send("/v1/documents", {"text": "Home"})[0] == 200
        timer.join()


def test_moved_away_while_it_serves(teaching: Teaching, file: Path, tmp_path: Path) -> None:
    id_ = teaching.put()
    teaching.correct("ada", id_, 0, "appeal")
    file.rename(tmp_path / "away.sqlite")
    assert teaching.found("/v1/corrections")["corrections"] == []
    assert teaching.put() == id_
    (tmp_path / "away.sqlite").rename(file)
    assert len(teaching.found("/v1/corrections")["corrections"]) == 1


def test_an_undone_correction_stays_in_it(teaching: Teaching, file: Path) -> None:
    made: Any = teaching.correct("ada", teaching.put(), 0, "appeal")
    teaching.undo("ada", made["id"])
    with closing(sqlite3.connect(file)) as db:
        ((annotator, undone),) = db.execute("SELECT annotator, undone FROM corrections").fetchall()
        ((label,),) = db.execute("SELECT label FROM labels").fetchall()
    assert (annotator, label) == ("ada", "appeal")
    assert undone
