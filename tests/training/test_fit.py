"""Fitting and judging on small pages: what holds of any fit, not how good it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier import Paragraph, RowError, Tagger, folder
from classifier.folder import Model
from training import fit
from training.data import Dataset, Document, dataset, folds
from training.evaluate import cross_validate, errors, judge, judged
from training.fit import VIEWS, Settings, view
from training.train import replace_folder, train

SETTINGS = Settings(min_count=(2, 2), inner_folds=3)


def quiet(text: str) -> None:
    pass


@pytest.fixture(scope="module")
def model(small: Dataset) -> Model:
    return train(small, SETTINGS, quiet, figures=False)


def test_a_fitted_model_tags_pages_of_unseen_sites(model: Model, unseen: list[Document]) -> None:
    right = 0
    for page in unseen:
        tags = Tagger(model).tag(page.paragraphs)
        right += sum(tag.label == label for tag, label in zip(tags, page.labels, strict=True))
    assert right > 0.85 * sum(len(page.labels) for page in unseen)


def test_the_same_data_and_settings_give_the_same_bytes(small: Dataset, model: Model, tmp_path: Path) -> None:
    folder.write(model, tmp_path / "one")
    folder.write(train(small, SETTINGS, quiet, figures=False), tmp_path / "two")
    for name in ("model.joblib", "model.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_fewer_ngrams_are_kept_where_told_to(small: Dataset) -> None:
    counts = fit.count(small.texts)
    every = np.ones(small.n_rows, bool)
    weights = fit.fit_paragraph_model(counts, small, every, replace(SETTINGS, max_ngrams=50))
    assert len(weights.ngrams) == 50 == len(weights.idf)


def test_any_labels_two_or_more_will_do(tmp_path: Path) -> None:
    texts = {"good": ("fine work", "lovely and fine"), "bad": ("poor work", "dull and poor")}
    documents = [
        Document((Paragraph(f"{text} {i}"),), (label,), f"{label}{text}{i}", 1.0, {})
        for i in range(6)
        for label, found in texts.items()
        for text in found
    ]
    model = train(dataset(documents), SETTINGS, quiet, figures=False)
    assert model.text_passes == ()  # single paragraphs teach no context
    assert [tag.label for tag in Tagger(model).tag(["fine and lovely", "poor and dull"])] == ["good", "bad"]


def test_every_view_is_rows_of_its_document_in_order(small: Dataset) -> None:
    rng = np.random.default_rng(1)
    for d in range(len(small.documents)):
        for kind in VIEWS:
            rows = view(small, d, kind, rng)
            assert len(rows)
            assert (np.diff(rows) > 0).all()
            assert small.starts[d] <= rows[0]
            assert rows[-1] < small.starts[d + 1]


def test_cross_validation_judges_every_row_and_never_the_training_side(pages: list[Document]) -> None:
    data = dataset(pages)
    fold_of = folds(pages, 3)
    fold_of[-4:] = -1
    by_mode = cross_validate(data, fold_of, SETTINGS, quiet)
    rows = data.rows_of(fold_of >= 0)
    for probabilities in by_mode.values():
        assert np.isnan(probabilities[~rows]).all()
        assert probabilities[rows].sum(axis=1) == pytest.approx(1.0)
    one = judged(data, by_mode["text"])
    assert len(one.y) == rows.sum()
    assert one.figures()["macro_f1"] > 0.8
    assert all(row["label"] != row["taken_for"] for row in errors(data, by_mode))


def test_cross_validation_learns_nothing_from_the_judged_fold(pages: list[Document]) -> None:
    """With labels shuffled inside documents there is nothing to learn, and a leak would show as skill."""
    rng = np.random.default_rng(0)
    shuffled = []
    for page in pages:
        order = rng.permutation(len(page.labels))
        texts = tuple(Paragraph(f"{rng.integers(1 << 40):x} {rng.integers(1 << 40):x}") for _ in order)
        shuffled.append(replace(page, paragraphs=texts, labels=tuple(page.labels[i] for i in order)))
    data = dataset(shuffled)
    by_mode = cross_validate(data, folds(shuffled, 3), SETTINGS, quiet)
    commonest = np.bincount(data.y).max() / len(data.y)
    assert (by_mode["text"].argmax(axis=1) == data.y).mean() < commonest + 0.08


def test_two_folds_are_too_few(pages: list[Document]) -> None:
    with pytest.raises(RowError, match="three or more"):
        cross_validate(dataset(pages), folds(pages, 2), SETTINGS, quiet)


def test_a_model_is_judged_as_it_is(model: Model, small: Dataset) -> None:
    by_mode = judge(Tagger(model), dataset(small.documents, model.labels))
    assert judged(small, by_mode["text"]).figures()["macro_f1"] > 0.9


@pytest.fixture(scope="module")
def measured(small: Dataset) -> Model:
    return train(small, SETTINGS, quiet)


def test_the_manifest_tells_data_settings_and_figures(small: Dataset, measured: Model) -> None:
    manifest = measured.manifest
    assert manifest["data"]["fingerprint"] == small.fingerprint()
    assert manifest["data"]["paragraphs"] == small.n_rows
    assert manifest["settings"]["inner_folds"] == 3
    assert set(manifest["held_out"]) == {"paragraph", "text", "html"}


def test_a_fitted_model_keeps_as_much_of_unseen_pages_as_asked_for(measured: Model, unseen: list[Document]) -> None:
    tagger = Tagger(measured)
    for given in (lambda page: page.paragraphs, lambda page: [one.text for one in page.paragraphs]):
        kept = total = 0
        for page in unseen:
            keep = tagger.keep(given(page), ["content"], 0.99)
            for one, label, tag in zip(page.paragraphs, page.labels, tagger.tag(given(page)), strict=True):
                total += len(one.text) * (label == "content")
                kept += len(one.text) * (label == "content" and tag in keep)
        assert kept >= 0.95 * total


def test_a_model_takes_the_place_of_another_whole(model: Model, tmp_path: Path) -> None:
    target = tmp_path / "model"
    replace_folder(model, target)
    replace_folder(replace(model, manifest={"note": "second"}), target)
    assert folder.read(target).manifest["note"] == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_that_does_not_read_back_leaves_the_old_in_place(model: Model, tmp_path: Path) -> None:
    target = tmp_path / "model"
    replace_folder(model, target)
    broken = replace(model, paragraph=replace(model.paragraph, idf=model.paragraph.idf[:-1]))
    with pytest.raises(ValueError, match="do not fit"):
        replace_folder(broken, target)
    assert folder.read(target).labels == model.labels
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
