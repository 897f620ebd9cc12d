"""Which model may take another's place."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier import BoilertagError, Paragraph, Tagger, folder
from training import versions
from training.data import Document, dataset
from training.fit import Settings
from training.gate import Comparison, Record, row_keys
from training.train import Outcome, retrain

SETTINGS = Settings(min_count=(2, 2), inner_folds=3)


def into(target: Path, documents: list[Document], **options: object) -> Outcome:
    with versions.locked(target):
        return retrain(target, dataset(documents), SETTINGS, lambda text: None, kept=3, **options)


LABELS = ("content", "appeal", "navigation")
WORDS = {
    label: ["".join(random.Random(f"{label} {i}").choices("abcdefghijklmnopqrstuvwxyz", k=6)) for i in range(100)]
    for label in LABELS
}


def page(seed: int) -> Document:
    """A page of a site of its own. Each label has its own hundred words: who has read little knows few of them."""
    chance = random.Random(seed)
    labels = tuple(chance.choices(LABELS, k=9))
    texts = [" ".join(chance.choices(WORDS[label], k=10)) for label in labels]
    return Document(tuple(map(Paragraph, texts)), labels, f"site{seed}", 1.0, {})


@pytest.fixture(scope="module")
def pages() -> list[Document]:
    return [page(seed) for seed in range(40)]


@pytest.fixture(scope="module")
def few() -> list[Document]:
    """Pages of sites that no model has seen, too few to learn much from."""
    return [page(seed) for seed in range(1000, 1006)]


@pytest.fixture(scope="module")
def good(pages: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model fitted on all pages."""
    target = tmp_path_factory.mktemp("good") / "model"
    outcome = into(target, pages)
    assert outcome.refused is None
    assert outcome.compared == "there was no model in use to compare with"
    return target


@pytest.fixture
def target(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "model"))


def test_a_worse_model_is_kept_beside_and_changes_nothing(target: Path, few: list[Document]) -> None:
    before = {name: (target / name).read_bytes() for name in ("model.json", "model.joblib")}
    outcome = into(target, few)
    assert isinstance(outcome.compared, Comparison)
    assert outcome.compared.worse
    assert (outcome.compared.rows, outcome.compared.recorded) == (54, 0)
    assert "macro-F1" in str(outcome.refused)
    assert {name: (target / name).read_bytes() for name in before} == before
    assert Tagger.load(outcome.version.folder).manifest["refused"] == outcome.refused
    (refused,) = [one for one in versions.versions(target) if not one.in_use]
    assert refused.refused
    assert "refused: macro-F1" in refused.as_json()["note"]


def test_a_worse_model_is_forced_with_a_reason(target: Path, few: list[Document]) -> None:
    outcome = into(target, few, force="the old one has labels that we gave up")
    assert outcome.refused is None
    manifest = folder.read(target).manifest
    assert manifest["forced"] == "the old one has labels that we gave up"
    assert folder.model_name(manifest) == outcome.version.name
    assert len(versions.versions(target)) == 2


def test_a_reason_without_need_is_not_told(target: Path, pages: list[Document]) -> None:
    outcome = into(target, pages[:-1], force="to be sure")
    assert not outcome.compared.worse
    assert "forced" not in folder.read(target).manifest


def test_rows_that_the_model_in_use_was_fitted_on_do_not_flatter_it(
    target: Path, pages: list[Document], few: list[Document]
) -> None:
    outcome = into(target, [*pages, *few])
    compared = outcome.compared
    assert isinstance(compared, Comparison)
    assert (compared.recorded, compared.left_out) == (sum(len(page.labels) for page in pages), 0)
    assert compared.rows == sum(len(page.labels) for page in [*pages, *few])
    assert not compared.flattered
    assert outcome.refused is None


def test_new_pages_of_sites_that_it_knows_are_left_out(
    target: Path, pages: list[Document], few: list[Document]
) -> None:
    more = [replace(page, group=pages[0].group) for page in few]
    compared = into(target, [*pages, *more]).compared
    assert isinstance(compared, Comparison)
    assert compared.left_out == sum(len(page.labels) for page in more)


def test_without_a_record_it_is_asked_as_it_is_and_that_is_told(target: Path, pages: list[Document]) -> None:
    for file in target.glob("versions/*/judgements.npz"):
        file.unlink()
    compared = into(target, pages[:-1]).compared
    assert isinstance(compared, Comparison)
    assert compared.flattered
    assert compared.recorded == 0


def test_the_same_rows_again_are_the_same_model(target: Path, pages: list[Document]) -> None:
    before = (target / "model.json").read_bytes()
    outcome = into(target, pages)
    assert outcome.compared == "the model in use has the same weights"
    assert (target / "model.json").read_bytes() == before
    assert len(versions.versions(target)) == 1


def test_other_labels_are_not_compared(target: Path, pages: list[Document]) -> None:
    renamed = [replace(page, labels=tuple(f"my {label}" for label in page.labels)) for page in pages]
    outcome = into(target, renamed)
    assert "other labels" in str(outcome.compared)
    assert set(Tagger.load(target).labels) == {label for page in renamed for label in page.labels}


def test_unjudged_is_not_put_in_the_place_of_a_model_by_accident(target: Path, few: list[Document]) -> None:
    with pytest.raises(BoilertagError, match="--force"):
        into(target, few, figures=False)
    outcome = into(target, few, figures=False, force="a test of the page")
    assert outcome.refused is None
    assert json.loads((target / "model.json").read_text())["forced"] == "a test of the page"


def test_a_record_knows_rows_by_text_and_neighbours(pages: list[Document]) -> None:
    data = dataset(pages)
    keys = row_keys(data)
    record = Record(np.unique(keys), np.zeros(len(np.unique(keys)), np.int16))
    assert record.look_up(keys)[0].all()
    assert record.seen_groups(data).all()
    rows = [
        Document((one,), (label,), str(i), 1.0, {})
        for i, (one, label) in enumerate(zip(pages[0].paragraphs, LABELS, strict=False))
    ]
    assert not record.look_up(row_keys(dataset(rows)))[0].any()
