"""What is learnt from less is judged on the same pages."""

import numpy as np

from training.data import Document, dataset, folds
from training.evaluate import cross_validate
from training.fit import Settings
from training.learning import learning_curve, report

SETTINGS = Settings(min_count=(2, 2), inner_folds=3)


def quiet(text: str) -> None:
    pass


def test_points_are_shares_of_sites_and_of_extra_documents(pages: list[Document], unseen: list[Document]) -> None:
    data = dataset([*pages, *unseen])
    fold_of = np.concatenate([folds(pages, 3), np.full(len(unseen), -1)])
    told: list[str] = []
    full = cross_validate(data, fold_of, SETTINGS, quiet)
    curve = learning_curve(data, fold_of, SETTINGS, full, told.append)
    assert [(point["sites"], point["extra"], point["documents"]) for point in curve] == [
        (0.125, 1.0, 6 + 10),
        (0.25, 1.0, 9 + 10),
        (0.5, 1.0, 15 + 10),
        (1.0, 0.0, 30),
        (1.0, 0.125, 30 + 2),
        (1.0, 0.25, 30 + 3),
        (1.0, 0.5, 30 + 5),
        (1.0, 1.0, 30 + 10),
    ]
    for point in curve:
        assert set(point["macro_f1"]) == {"paragraph", "text", "html"}
        low, high = point["macro_f1_interval"]["text"]
        assert low <= point["macro_f1"]["text"] <= high
    assert told[0].startswith("learning curve, 1 of 7: ")
    assert len(list(report(curve))) == 9


def test_only_what_is_taught_is_learnt(pages: list[Document]) -> None:
    """Of documents that are not taught the labels do not matter, not even in the calibration."""
    fold_of = folds(pages, 3)
    taught = np.array([d % 2 == 0 for d in range(len(pages))])
    other = [
        page if taught[d] else Document(page.paragraphs, page.labels[::-1], page.group, page.weight, page.facets)
        for d, page in enumerate(pages)
    ]
    data, changed = dataset(pages), dataset(other, dataset(pages).labels)
    one, two = (cross_validate(rows, fold_of, SETTINGS, quiet, taught=taught) for rows in (data, changed))
    for mode, views in one.items():
        assert np.array_equal(views["page"], two[mode]["page"])


def test_a_share_that_is_too_little_has_no_figures(pages: list[Document]) -> None:
    data = dataset(pages[:6])
    fold_of = folds(pages[:6], 3)
    full = cross_validate(data, fold_of, SETTINGS, quiet)
    settings = Settings(min_count=(16, 16), inner_folds=3)  # n-grams of so many paragraphs there are in more pages only
    curve = learning_curve(data, fold_of, settings, full, quiet)
    assert curve[0]["macro_f1"] == {}
    assert curve[-1]["macro_f1"]["text"] > 0.5
    assert "too little to fit a model" in list(report(curve))[1]


def test_without_extra_documents_there_are_shares_of_sites_only(pages: list[Document]) -> None:
    data, fold_of = dataset(pages), folds(pages, 3)
    curve = learning_curve(data, fold_of, SETTINGS, cross_validate(data, fold_of, SETTINGS, quiet), quiet)
    assert [point["sites"] for point in curve] == [0.125, 0.25, 0.5, 1.0]
    assert {point["extra"] for point in curve} == {1.0}
