"""Retrainings that are broken off, as their users break them off: the model in use stays whole."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from classifier import folder
from service.cli import main
from training import versions

from .test_row_commands import labelled


@pytest.fixture
def model(tmp_path: Path) -> Path:
    source = labelled(tmp_path / "rows.jsonl")
    assert main(["train", str(source), "-o", str(tmp_path / "model"), "--folds", "3"]) == 0
    return tmp_path / "model"


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def retrain(model: Path) -> Iterator[Start]:
    started = []

    def start(**options: object) -> "subprocess.Popen[str]":
        more = labelled(model.parent / "more.jsonl", 12)
        command = [sys.executable, "-m", "service.cli", "train", str(more), "-o", str(model), "--folds", "3"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def files(model: Path) -> dict[str, bytes]:
    return {str(path.relative_to(model)): path.read_bytes() for path in sorted(model.rglob("*")) if path.is_file()}


def test_ctrl_c_leaves_all_as_it_was(model: Path, retrain: Start) -> None:
    before = files(model)
    process = retrain()
    assert process.stderr
    assert "60 rows" in process.stderr.readline()  # it fits from now on
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "Traceback" not in process.stderr.read()
    assert files(model) == before


def test_a_full_disk_is_one_line_and_leaves_all_as_it_was(model: Path, retrain: Start) -> None:
    before = files(model)
    size = len(before["model.joblib"]) // 2
    process = retrain(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "file too large" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert files(model) == before


def test_killed_at_any_moment_the_model_is_whole(model: Path, retrain: Start) -> None:
    chance = random.Random(3)
    names = {folder.model_name(folder.read(model).manifest)}
    for at_writing in (True, True, True, False):
        process = retrain()
        until = time.monotonic() + (60 if at_writing else chance.uniform(1, 4))
        while process.poll() is None and time.monotonic() < until:
            if at_writing and list(model.glob("versions/.*")):
                until = min(until, time.monotonic() + chance.uniform(0, 0.05))
            names.add(folder.model_name(folder.read(model).manifest))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        names.add(folder.model_name(folder.read(model).manifest))
        assert all(folder.read(version.folder) for version in versions.versions(model))
    assert len(names) <= 2  # the old one, and the new one, which is the same each time
    process = retrain()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert not [*model.glob(".*"), *model.glob("versions/.*")]


def test_two_retrainings_at_once_do_not_meet(model: Path, retrain: Start) -> None:
    first = retrain()
    assert first.stderr
    first.stderr.readline()
    _, err = retrain().communicate(timeout=60)
    assert err.splitlines() == [f"boilertag: {model}: another run is writing to it; try again when that has ended"]
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
