"""The model in service: swapped for a new one, kept where the new one is broken."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from benchmarks.reload import break_folder, put, tilted
from classifier import ModelError, folder
from classifier.kernel import Weights
from classifier.tagger import DEFAULT_MODEL
from service import live_model
from service.app import create_app
from service.settings import Settings
from tests.service.conftest import wait_until_ready


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small models that differ."""
    paths = []
    for tilt in (0.0, 1.0):
        path = tmp_path_factory.mktemp("model")
        model = tilted(DEFAULT_MODEL, tilt)
        folder.write(replace(model, paragraph=_first(model.paragraph, 1_000)), path)
        paths.append(path)
    return paths


def _first(weights: Weights, n: int) -> Weights:
    """The weights of the first words only."""
    return replace(
        weights, ngrams=weights.ngrams[:n], n_words=n, idf=weights.idf[:n], weights=weights.weights[:n].copy()
    )


@pytest.fixture
def live(models: list[Path], tmp_path: Path) -> Path:
    """The folder that a service watches."""
    return Path(shutil.copytree(models[0], tmp_path / "live"))


@pytest.fixture
def client(live: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model=live, reload_seconds=1))) as client:
        wait_until_ready(client)
        yield client


def name(client: TestClient) -> str:
    """The model that serves, the same in header and body."""
    response = client.post("/v1/tag", json={"text": "The library opens at nine."})
    assert response.headers["boilertag-model"] == response.json()["model"]
    return str(response.json()["model"])


def wait_for(found: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not found():
        assert time.monotonic() < until
        time.sleep(0.02)


def counted(client: TestClient, outcome: str) -> int:
    (line,) = [x for x in client.get("/metrics").text.splitlines() if f'model_loads_total{{outcome="{outcome}"}}' in x]
    return int(float(line.rpartition(" ")[2]))


def test_changed_folder_is_loaded(client: TestClient, live: Path, models: list[Path]) -> None:
    before = name(client)
    put(models[1], live)
    wait_for(lambda: name(client) != before)
    assert counted(client, "loaded") == 2
    assert f'boilertag_model_info{{model="{before}"}} 0.0' in client.get("/metrics").text


def test_folder_that_stays_is_left_alone(client: TestClient) -> None:
    time.sleep(2.5)
    assert counted(client, "loaded") == 1


def test_asked_for(client: TestClient, live: Path, models: list[Path]) -> None:
    before = name(client)
    put(models[1], live)
    client.portal.call(client.app.state.service.model.reload)  # type: ignore[union-attr,attr-defined]
    wait_for(lambda: name(client) != before)


@pytest.mark.parametrize("how", range(4))
def test_broken_folder_is_refused(
    client: TestClient, live: Path, models: list[Path], how: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = name(client)
    break_folder(live, how)
    wait_for(lambda: counted(client, "refused") > 0)
    assert name(client) == before
    assert client.get("/readyz").status_code == 200
    assert f"model refused, {before} stays" in caplog.text
    put(models[1], live)
    wait_for(lambda: name(client) != before)


def test_scores_that_are_no_probabilities_are_refused(models: list[Path], tmp_path: Path) -> None:
    model = folder.read(models[0])
    nothing = np.full_like(model.paragraph.intercept, np.nan)
    folder.write(replace(model, paragraph=replace(model.paragraph, intercept=nothing)), tmp_path / "nan")
    with pytest.raises(ModelError, match="no probabilities"):
        live_model.load(tmp_path / "nan")
