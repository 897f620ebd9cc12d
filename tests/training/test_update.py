"""Rows learnt on top of a model: they help where they are from, and the rest is not forgotten."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from classifier import Paragraph, RowError, Tagger, folder
from classifier.folder import Model
from training import versions
from training.data import Dataset, Document, dataset
from training.fit import Settings
from training.train import Outcome, fit_and_judge, retrain, train
from training.update import fit_difference

SETTINGS = Settings(min_count=(2, 2), inner_folds=3)
CRIES = ("Schenk uns ein Brot", "Ein Brot für uns", "Brot her, Leute", "Wir brauchen Brot", "Brot hilft uns")


def quiet(text: str) -> None:
    pass


def strange(page: Document, i: int) -> Document:
    """The page with an ad notice in it as no other site has it."""
    own = tuple(replace(paragraph, text=f"{paragraph.text} {i}") for paragraph in page.paragraphs)
    paragraphs = (*own, Paragraph(f"{CRIES[i % len(CRIES)]}, bitte", "p", 0.0))
    return replace(page, paragraphs=paragraphs, labels=(*page.labels, "ad_notice"))


@pytest.fixture(scope="module")
def base(small: Dataset) -> Model:
    model = train(small, SETTINGS, quiet, figures=False)
    _, manifest = folder.pack(model)
    return replace(model, manifest=manifest)


@pytest.fixture(scope="module")
def rows(base: Model, unseen: list[Document]) -> Dataset:
    return dataset([strange(page, i) for i, page in enumerate(unseen)], base.labels)


@pytest.fixture(scope="module")
def taught(base: Model, rows: Dataset) -> Model:
    return fit_and_judge(rows, SETTINGS, quiet, base=base, figures=False).model


def test_what_is_learnt_is_known_and_the_rest_is_not_forgotten(base: Model, taught: Model, small: Dataset) -> None:
    def right(model: Model, pages: list[Document]) -> float:
        p = Tagger(model).probabilities([page.paragraphs for page in pages])
        truth = [base.labels.index(label) for page in pages for label in page.labels]
        return float((p.argmax(axis=1) == truth).mean())

    cry = Paragraph("Schenk uns ein Brot, Leute", "p", 0.0)
    before, after = (Tagger(model).tag([cry], context=False)[0].scores["ad_notice"] for model in (base, taught))
    assert after > before + 0.2
    pages = list(small.documents)
    assert right(taught, pages) >= right(base, pages) - 0.01


def test_what_the_rows_do_not_speak_of_stays_as_it_was(base: Model, rows: Dataset) -> None:
    rows = dataset(rows.documents[:3], base.labels)
    taught = fit_and_judge(rows, SETTINGS, quiet, base=base, figures=False).model
    old, new = base.paragraph, taught.paragraph
    assert np.array_equal(old.shape, new.shape)
    assert np.array_equal(old.intercept, new.intercept)
    weights = dict(zip(new.ngrams[: new.n_words], new.weights, strict=False))
    text = " ".join(rows.texts).lower()
    unspoken = [i for i, ngram in enumerate(old.ngrams[: old.n_words]) if ngram.isalpha() and ngram not in text]
    assert unspoken
    for i in unspoken:
        assert np.array_equal(weights[old.ngrams[i]], old.weights[i])
    assert set(old.ngrams) < set(new.ngrams)
    assert "brot" in new.ngrams[: new.n_words]


def test_the_manifest_names_the_base_and_what_became_of_the_context(base: Model, taught: Model, rows: Dataset) -> None:
    assert taught.manifest["base"] == base.manifest["sha256"]
    assert taught.manifest["context"] == {"text": "fitted", "html": "fitted"}
    alone = [
        Document((paragraph,), (label,), document.group, 1.0, {})
        for document in rows.documents
        for paragraph, label in zip(document.paragraphs, document.labels, strict=True)
    ]
    kept = fit_and_judge(dataset(alone, base.labels), SETTINGS, quiet, base=base, figures=False).model
    assert kept.manifest["context"] == {"text": "as in the base", "html": "as in the base"}
    assert kept.text_passes is base.text_passes
    without = train(dataset(alone), SETTINGS, quiet, figures=False)
    assert without.manifest["context"] == {"text": "left out", "html": "left out"}
    assert without.text_passes == ()


def test_the_same_base_and_rows_give_the_same_bytes(base: Model, taught: Model, rows: Dataset) -> None:
    again = fit_and_judge(rows, SETTINGS, quiet, base=base, figures=False).model
    assert folder.pack(again) == folder.pack(taught)


def test_rows_of_one_label_will_do(base: Model) -> None:
    cries = [Document((Paragraph(cry),), ("ad_notice",), cry, 1.0, {}) for cry in CRIES]
    fitted = fit_and_judge(dataset(cries, base.labels), SETTINGS, quiet, base=base)
    assert fitted.model.manifest["held_out"]["text"]["rows"] == len(CRIES)
    assert fitted.model.manifest["context"]["text"] == "as in the base"


def test_more_weight_moves_further(base: Model, taught: Model, rows: Dataset) -> None:
    heavy = fit_and_judge(replace(rows, weights=rows.weights * 10), SETTINGS, quiet, base=base, figures=False).model
    old = base.paragraph.weights[: base.paragraph.n_words]

    def moved(model: Model) -> float:
        return float(np.abs(model.paragraph.weights[: len(old)] - old).sum())

    assert moved(heavy) > moved(taught) > 0


def into(target: Path, data: Dataset, base: Path) -> Outcome:
    with versions.locked(target):
        return retrain(target, data, SETTINGS, quiet, kept=3, base=base)


def test_rows_that_the_base_has_seen_are_not_judged(small: Dataset, rows: Dataset, tmp_path: Path) -> None:
    base = tmp_path / "base"
    with versions.locked(base):
        retrain(base, small, SETTINGS, quiet, kept=3)
    labels = folder.read(base).labels
    both = dataset([*small.documents, *rows.documents], labels)
    outcome = into(tmp_path / "model", both, base)
    assert outcome.model.manifest["held_out"]["text"]["rows"] == rows.n_rows
    assert "the base, on the same" in str(outcome.compared)
    with pytest.raises(RowError, match="another base"):
        into(tmp_path / "model", dataset(small.documents, labels), base)


def test_a_difference_is_what_a_regression_would_find() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    none = np.zeros((60, 3))
    whole = fit_difference(x, none, y, np.ones(60), 1.0)
    known = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8).fit(x, y).coef_.T
    assert np.allclose(whole, known, atol=1e-3)
    # Around a model that fits the rows already, there is little to add.
    assert np.abs(fit_difference(x, x @ whole, y, np.ones(60), 0.01)).max() < 0.02
