"""Cleaning by a threshold from the manifest's curve, with a curve made by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import Keep, ModelError, Paragraph, Tag, Tagger, folder
from classifier.folder import Model

HINTED = [Paragraph("Home", "li", 1.0), Paragraph("The ferry left the harbour at dawn.", "p", 0.0)]
TEXTS = [paragraph.text for paragraph in HINTED]
THRESHOLDS = {"paragraph": 0.1, "text": 0.2, "html": 0.3}  # of recall 0.9; of 0.99 a tenth of it


def with_curves(model: Model, **manifest: Any) -> Model:
    curves = {
        mode: {"thresholds": {"content": {"recall": [0.9, 0.99, 1.0], "threshold": [at, at / 10, 0.0]}}}
        for mode, at in THRESHOLDS.items()
    }
    return replace(model, manifest={"held_out": curves, **manifest})


@pytest.fixture(scope="module")
def curved(small_model: Model) -> Tagger:
    return Tagger(with_curves(small_model))


def test_the_mode_in_use_chooses_the_curve(curved: Tagger, small_model: Model) -> None:
    assert curved.keep(HINTED, recall=0.9).threshold == 0.3
    assert curved.keep(TEXTS, recall=0.9).threshold == 0.2
    assert curved.keep([HINTED[0], TEXTS[1]], recall=0.9).threshold == 0.2
    assert curved.keep([], recall=0.9).threshold == 0.2
    assert curved.keep(HINTED, recall=0.9, context=False).threshold == 0.1
    without_hints = Tagger(with_curves(replace(small_model, html_passes=())))
    assert without_hints.keep(HINTED, recall=0.9).threshold == 0.2
    without_context = Tagger(with_curves(replace(small_model, text_passes=(), html_passes=())))
    assert without_context.keep(HINTED, recall=0.9).threshold == 0.1


@pytest.mark.parametrize(
    ("recall", "threshold"), [(0.1, 0.2), (0.9, 0.2), (0.9001, 0.02), (0.99, 0.02), (0.991, 0.0), (0.999999, 0.0)]
)
def test_between_two_points_the_stricter_one_holds(curved: Tagger, recall: float, threshold: float) -> None:
    assert curved.keep(TEXTS, recall=recall).threshold == threshold


def test_a_paragraph_goes_only_if_it_is_under_the_threshold() -> None:
    keep = Keep(frozenset(["content"]), 0.25)
    for p, kept in ((0.3, True), (0.25, True), (0.2499, False)):
        assert (Tag("appeal", 1 - p, {"content": p, "appeal": 1 - p}) in keep) == kept
    assert Tag("content", 0.6, {"content": 0.6, "appeal": 0.4}) not in Keep(frozenset(["content"]), 0.7)


@given(st.floats(0.001, 0.999), st.lists(st.sampled_from([*TEXTS, "Sport", "Please give", "50 kronor helps!"])))
def test_clean_keeps_what_reaches_the_threshold(curved: Tagger, recall: float, texts: list[str]) -> None:
    at = curved.keep(texts, recall=recall).threshold
    likely = [text for text, tag in zip(texts, curved.tag(texts), strict=True) if tag.scores["content"] >= at]
    assert curved.clean("\n".join(texts), keep_recall=recall) == "\n\n".join(likely)


def test_clean_goes_by_the_hints_of_html(curved: Tagger) -> None:
    page = "<p>The ferry left the harbour at dawn.</p><ul><li><a href='/'>Home</a></li></ul>"
    found = curved.tag_html(page)
    kept = [paragraph.text for paragraph, tag in found if tag.scores["content"] >= 0.3]
    assert curved.clean(page, keep_recall=0.5) == "\n\n".join(kept)


@pytest.mark.parametrize("recall", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_a_recall_must_be_a_share(curved: Tagger, recall: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        curved.clean("The ferry", keep_recall=recall)


@pytest.mark.parametrize("keep", [["content", "appeal"], []])
def test_the_share_is_of_one_label(curved: Tagger, keep: list[str]) -> None:
    with pytest.raises(ValueError, match="one label"):
        curved.clean("The ferry", keep=keep, keep_recall=0.9)


@pytest.mark.parametrize(
    "held_out",
    [
        None,
        {},
        {"text": {}},
        {"text": {"thresholds": {"appeal": {"recall": [1.0], "threshold": [0.1]}}}},
        {"text": {"thresholds": {"content": {"recall": [0.5], "threshold": [0.1]}}}},
        {"text": {"thresholds": {"content": {"recall": [0.95, 1.0], "threshold": []}}}},
        {"text": {"thresholds": {"content": {"recall": [1.0], "threshold": ["low"]}}}},
        {"text": {"thresholds": {"content": [[1.0, 0.1]]}}},
    ],
)
def test_a_manifest_without_the_curve_is_one_clear_line(small_model: Model, tmp_path: Path, held_out: Any) -> None:
    folder.write(replace(small_model, manifest={"held_out": held_out}), tmp_path)
    with pytest.raises(ModelError, match=r"no curve of thresholds for 'content' .* train with figures"):
        Tagger.load(tmp_path).clean("The ferry", keep_recall=0.9)


def test_the_default_model_keeps_more_the_more_is_asked_for(tagger: Tagger) -> None:
    if "thresholds" not in tagger.manifest.get("held_out", {}).get("text", {}):
        pytest.skip("the default model was fitted before manifests had curves of thresholds")
    for context in (True, False):
        found = [tagger.keep(TEXTS, recall=recall, context=context).threshold for recall in (0.9, 0.99, 0.999)]
        assert all(at is not None for at in found)
        assert found == sorted(found, reverse=True)
