"""Fitting and judging on small pages: what holds of any fit, not how good it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classifier import Paragraph, RowError, Tagger, folder
from classifier.folder import Model
from training import fit
from training.data import Dataset, Document, dataset, folds
from training.evaluate import cross_validate, errors, figures, judge
from training.figures import report
from training.fit import VIEWS, Settings, view
from training.train import train

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
    judgements = cross_validate(data, fold_of, SETTINGS, quiet)
    rows = data.rows_of(fold_of >= 0)
    for views in judgements.values():
        assert list(views) == list(VIEWS)
        for kind, probabilities in views.items():
            judged = ~np.isnan(probabilities[:, 0])
            assert not judged[~rows].any()
            assert judged[rows].all() == (kind == "page")
            assert probabilities[judged].sum(axis=1) == pytest.approx(1.0)
    found = figures(data, judgements)["text"]
    assert found["rows"] == rows.sum() == found["by"]["view"]["page"]["rows"]
    assert found["by"]["view"]["line"]["rows"] == (fold_of >= 0).sum()
    assert found["macro_f1"] > 0.8
    assert all(row["label"] != row["taken_for"] for row in errors(data, judgements))


def test_cross_validation_learns_nothing_from_the_judged_fold(pages: list[Document]) -> None:
    """With labels shuffled inside documents there is nothing to learn, and a leak would show as skill."""
    rng = np.random.default_rng(0)
    shuffled = []
    for page in pages:
        order = rng.permutation(len(page.labels))
        texts = tuple(Paragraph(f"{rng.integers(1 << 40):x} {rng.integers(1 << 40):x}") for _ in order)
        shuffled.append(replace(page, paragraphs=texts, labels=tuple(page.labels[i] for i in order)))
    data = dataset(shuffled)
    judgements = cross_validate(data, folds(shuffled, 3), SETTINGS, quiet)
    commonest = np.bincount(data.y).max() / len(data.y)
    assert (judgements["text"]["page"].argmax(axis=1) == data.y).mean() < commonest + 0.08


def test_two_folds_are_too_few(pages: list[Document]) -> None:
    with pytest.raises(RowError, match="three or more"):
        cross_validate(dataset(pages), folds(pages, 2), SETTINGS, quiet)


def test_a_model_is_judged_as_it_is(model: Model, small: Dataset) -> None:
    tagger = Tagger(model)
    data = dataset(small.documents, model.labels)
    judgements = judge(tagger, data)
    for mode, kinds in figures(data, judgements).items():
        assert kinds["macro_f1"] > 0.9 or mode == "paragraph"
    first = slice(0, data.starts[1])
    for mode, given in (("html", data.documents[0].paragraphs), ("text", data.texts[first])):
        assert judgements[mode]["page"][first] == pytest.approx(tagger.probabilities([given]))
    (line,) = np.flatnonzero(~np.isnan(judgements["text"]["line"][first, 0]))
    assert judgements["text"]["line"][line] == pytest.approx(tagger.probabilities([[data.texts[line]]])[0])


def test_the_report_has_a_line_for_every_label_view_language_and_length(model: Model, small: Dataset) -> None:
    data = dataset(small.documents, model.labels)
    lines = list(report(figures(data, judge(Tagger(model), data))["text"]))
    starts = [line.split("  ")[0] for line in lines]
    for table, parts in (("view", VIEWS), ("lang", ("en", "nn")), ("characters", ("to 15", "to 60", "to 240"))):
        at = starts.index(f"by {table}")
        assert [line.split("  ")[1] for line in lines[at + 1 : at + 1 + len(parts)]] == list(parts)
    for label in data.labels:
        assert any(line.startswith(f"{label} ") for line in lines)
    assert any("(--keep-recall)" in line for line in lines)


def test_documents_without_hints_are_not_judged_by_them(model: Model, pages: list[Document]) -> None:
    bare = replace(pages[0], paragraphs=tuple(Paragraph(one.text) for one in pages[0].paragraphs))
    data = dataset([bare, pages[1]], model.labels)
    for probabilities in judge(Tagger(model), data)["html"].values():
        assert np.isnan(probabilities[: data.starts[1]]).all()
        assert not np.isnan(probabilities[data.starts[1] :]).all()
    assert set(figures(data, judge(Tagger(model), data))) == {"paragraph", "text", "html"}
    alone = dataset([bare], model.labels)
    assert set(figures(alone, judge(Tagger(model), alone))) == {"paragraph", "text"}


@pytest.fixture(scope="module")
def measured(small: Dataset) -> Model:
    return train(small, SETTINGS, quiet)


def test_the_manifest_tells_data_settings_and_figures(small: Dataset, measured: Model) -> None:
    manifest = measured.manifest
    assert manifest["data"]["fingerprint"] == small.fingerprint()
    assert manifest["data"]["paragraphs"] == small.n_rows
    assert manifest["settings"]["inner_folds"] == 3
    assert set(manifest["held_out"]) == {"paragraph", "text", "html"}
    for found in manifest["held_out"].values():
        assert set(found["by"]["view"]) == set(VIEWS)
        assert set(found["thresholds"]) == set(small.labels)
        assert sum(found["reliability"]["rows"]) == small.n_rows


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
