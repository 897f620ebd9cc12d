"""How one model takes another's place: whole at any moment, and back again."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from classifier import BoilertagError, ModelError, folder
from classifier.folder import MANIFEST_FILE, MODEL_FILE, Model, model_name
from training import versions
from training.data import Dataset
from training.fit import Settings
from training.train import train

SETTINGS = Settings(min_count=(2, 2), inner_folds=3)


@pytest.fixture(scope="module")
def models(small: Dataset) -> list[Model]:
    one = train(small, SETTINGS, lambda text: None, figures=False)
    return [
        replace(one, paragraph=replace(one.paragraph, intercept=one.paragraph.intercept + i), manifest={"note": str(i)})
        for i in range(4)
    ]


def put(target: Path, model: Model, *, refused: bool = False) -> str:
    """Writes a version; puts it to use unless it is refused."""
    raw, manifest = folder.pack(model)
    manifest |= {versions.REFUSED: "worse"} if refused else {}
    with versions.locked(target):
        version = versions.keep(target, {MODEL_FILE: raw, MANIFEST_FILE: folder.manifest_file(manifest)})
        if not refused:
            versions.use(target, version.name)
    return version.name


def note(target: Path) -> object:
    return folder.read(target).manifest["note"]


def test_a_model_takes_the_place_of_another_which_is_kept(models: list[Model], tmp_path: Path) -> None:
    target = tmp_path / "deep" / "model"
    first, second = put(target, models[0]), put(target, models[1])
    assert note(target) == "1"
    assert {one.name: one.in_use for one in versions.versions(target)} == {first: False, second: True}
    assert note(target / "versions" / first) == "0"
    with versions.locked(target):
        versions.use(target, first)
    assert note(target) == "0"
    assert sorted(path.name for path in target.iterdir()) == ["model.joblib", "model.json", "versions"]
    assert sorted(path.name for path in (target / "versions").iterdir()) == sorted([first, second])


def test_a_plain_folder_becomes_the_first_version(models: list[Model], tmp_path: Path) -> None:
    folder.write(models[0], tmp_path)
    os.utime(tmp_path / MANIFEST_FILE, (1e9, 1e9))
    assert [one.in_use for one in versions.versions(tmp_path)] == [True]
    put(tmp_path, models[1])
    new, old = versions.versions(tmp_path)
    assert (new.in_use, old.in_use, old.written) == (True, False, 1e9)
    assert note(old.folder) == "0"


def test_only_so_many_versions_are_kept(models: list[Model], tmp_path: Path) -> None:
    refused = put(tmp_path, models[3], refused=True)
    names = [put(tmp_path, model) for model in models[:3]]
    for i, name in enumerate(names):
        os.utime(tmp_path / "versions" / name / MANIFEST_FILE, (i, i))
    versions.prune(tmp_path, 1)
    assert {one.name for one in versions.versions(tmp_path)} == {refused, *names[1:]}
    versions.prune(tmp_path, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.joblib", "model.json"]
    assert note(tmp_path) == "2"


def test_a_model_that_does_not_read_back_leaves_nothing(models: list[Model], tmp_path: Path) -> None:
    put(tmp_path, models[0])
    broken = replace(models[1], paragraph=replace(models[1].paragraph, idf=models[1].paragraph.idf[:-1]))
    with pytest.raises(ModelError, match="do not fit"):
        put(tmp_path, broken)
    assert note(tmp_path) == "0"
    assert len(list((tmp_path / "versions").iterdir())) == 1


def test_two_at_once_are_kept_apart(models: list[Model], tmp_path: Path) -> None:
    with versions.locked(tmp_path), pytest.raises(BoilertagError, match="another run"):
        put(tmp_path, models[0])
    put(tmp_path, models[0])


def test_a_folder_to_which_nothing_was_written_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken off"), versions.locked(tmp_path / "model"):
        raise ValueError("broken off")
    assert list(tmp_path.iterdir()) == []


def test_versions_that_are_not_there_or_not_whole_are_not_used(models: list[Model], tmp_path: Path) -> None:
    first, _ = put(tmp_path, models[0]), put(tmp_path, models[1])
    for name in ("", ".", "..", "../versions", "0" * 12):
        with pytest.raises(BoilertagError, match="no version"):
            versions.use(tmp_path, name)
    (tmp_path / "versions" / first / MODEL_FILE).write_bytes(b"")
    with pytest.raises(ModelError):
        versions.use(tmp_path, first)
    assert note(tmp_path) == "1"


def test_from_a_damaged_model_there_is_a_way_back(models: list[Model], tmp_path: Path) -> None:
    first, _ = put(tmp_path, models[0]), put(tmp_path, models[1])
    (tmp_path / MANIFEST_FILE).write_text("{")
    assert [one.in_use for one in versions.versions(tmp_path)] == [False, False]
    with versions.locked(tmp_path):
        versions.use(tmp_path, first)
    assert note(tmp_path) == "0"


class Crash(BaseException):
    """The end of the process, which asks nobody."""


@pytest.fixture
def at_each_change(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, BaseException], None]:
    """Lets a number of changes to the file system pass, then raises at every further one."""

    def arm(after: int, error: BaseException) -> None:
        left = [after]

        def wrap(of: object, name: str) -> None:
            real = getattr(of, name)

            def change(*args: object, **kwargs: object) -> object:
                if left[0] == 0:
                    raise error
                left[0] -= 1
                return real(*args, **kwargs)

            monkeypatch.setattr(of, name, change)

        for of, name in ((os, "fsync"), (os, "rename"), (os, "replace"), (os, "mkdir"), (os, "unlink"), (os, "rmdir")):
            wrap(of, name)

    return arm


@pytest.mark.parametrize("error", [Crash(), OSError(28, "No space left on device")], ids=["crash", "full disk"])
def test_whatever_ends_it_and_when_the_model_is_whole(
    models: list[Model],
    tmp_path: Path,
    error: BaseException,
    at_each_change: Callable[[int, BaseException], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = set()
    for after in range(40):
        target = tmp_path / str(after)
        folder.write(models[0], target)
        with monkeypatch.context():
            at_each_change(after, error)
            try:
                put(target, models[1])
                done = True
            except (Crash, OSError):
                done = False
            monkeypatch.undo()
        ended.add(note(target))
        if done:
            break
        assert note(target) in ("0", "1")
        put(target, models[2])  # the next run clears up
        assert note(target) == "2"
        assert sorted(path.name for path in target.iterdir()) == ["model.joblib", "model.json", "versions"]
        assert all(model_name(folder.read(path).manifest) == path.name for path in (target / "versions").iterdir())
    assert done
    assert after > 8
    assert ended == {"0", "1"}


def test_a_change_broken_off_between_the_two_files_is_read_whole_and_ended(models: list[Model], tmp_path: Path) -> None:
    first, second = put(tmp_path, models[0]), put(tmp_path, models[1])
    shutil.copy(tmp_path / "versions" / first / MANIFEST_FILE, tmp_path)
    assert note(tmp_path) == "0"
    with versions.locked(tmp_path):
        pass
    of_version = tmp_path / "versions" / first / MODEL_FILE
    assert (tmp_path / MODEL_FILE).read_bytes() == of_version.read_bytes()
    assert json.loads((tmp_path / MANIFEST_FILE).read_bytes())["sha256"][:12] == first != second


@pytest.mark.parametrize("kept", [0, 1])
def test_readers_meet_a_whole_model_while_others_take_its_place(models: list[Model], tmp_path: Path, kept: int) -> None:
    put(tmp_path, models[0])
    done = threading.Event()
    seen: set[object] = set()
    failed: list[Exception] = []

    def read() -> None:
        while not done.is_set() and not failed:
            try:
                seen.add(note(tmp_path))
            except ModelError as error:
                failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for i in range(30):
            put(tmp_path, models[i % len(models)])
            versions.prune(tmp_path, kept)
    finally:
        done.set()
        reader.join(30)
    assert failed == []
    assert len(seen) > 1
