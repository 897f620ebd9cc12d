"""Two models in one service: the second answers requests that name it."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reload import put, tilted
from classifier import Tagger, folder
from classifier.tagger import DEFAULT_MODEL
from tests.service.conftest import LIMITS, Service, serving

BODY = {"paragraphs": ["Home", "The mill wheel turns again after nine dry years.", "Subscribe for 2 euros a month"]}


@pytest.fixture(scope="module")
def other(fitted: Path) -> Tagger:
    return Tagger.load(fitted)


@pytest.fixture(scope="module")
def both(fitted: Path) -> Iterator[Service]:
    with serving(replace(LIMITS, compare=fitted)) as running:
        wait_for_models(running, lambda names: len(names) == 2)
        yield running


def wait_for_models(service: Service, found: Callable[[list[str]], bool]) -> list[str]:
    until = time.monotonic() + 60
    while not found(names := service.get("/v1/models")[1]["models"]):
        assert time.monotonic() < until, names
        time.sleep(0.02)
    return list(names)


def name_of(tagger: Tagger) -> str:
    return str(tagger.manifest["sha256"][:12])


def test_one_model_is_listed_alone(service: Any, tagger: Tagger) -> None:
    assert service.get("/v1/models") == (200, {"models": [name_of(tagger)]})


def test_each_answers_to_its_name(both: Service, tagger: Tagger, other: Tagger) -> None:
    assert both.get("/v1/models")[1]["models"] == [name_of(tagger), name_of(other)]
    for model in (tagger, other):
        response = both.client.post(f"/v1/tag?model={name_of(model)}", json=BODY)
        answer = both.read(response)
        assert response.headers["boilertag-model"] == answer["model"] == name_of(model)
        expected = [tag.scores for tag in model.tag(BODY["paragraphs"])]
        assert [one["scores"] for one in answer["paragraphs"]] == [pytest.approx(scores) for scores in expected]
        assert both.get(f"/v1/model?model={name_of(model)}")[1]["sha256"] == model.manifest["sha256"]
        lines = both.client.post(
            f"/v1/batch?model={name_of(model)}",
            content=json.dumps(BODY),
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert json.loads(lines.text)["model"] == name_of(model)
        assert both.send(f"/v1/clean?model={name_of(model)}", BODY)[1]["model"] == name_of(model)


def test_the_first_answers_where_none_is_named(both: Service, tagger: Tagger) -> None:
    assert both.tag(BODY)["model"] == name_of(tagger)
    assert both.get("/v1/model")[1]["sha256"] == tagger.manifest["sha256"]


@pytest.mark.parametrize("name", ["", "compare", "0" * 12])
def test_no_such_model(both: Service, name: str) -> None:
    for status, answer in (both.send(f"/v1/tag?model={name}", BODY), both.get(f"/v1/model?model={name}")):
        assert (status, answer["type"].rpartition(":")[2]) == (404, "no-such-model")


def test_the_second_is_reloaded_too(tmp_path: Path, tagger: Tagger) -> None:
    for name, tilt in (("first", 0.5), ("next", 1.0)):
        folder.write(tilted(DEFAULT_MODEL, tilt), tmp_path / name)
    shutil.copytree(tmp_path / "first", tmp_path / "live")
    with serving(replace(LIMITS, compare=tmp_path / "live", reload_seconds=1)) as service:
        names = wait_for_models(service, lambda names: len(names) == 2)
        put(tmp_path / "next", tmp_path / "live")
        now = wait_for_models(service, lambda now: now != names)
        assert now == [name_of(tagger), name_of(Tagger.load(tmp_path / "next"))]
