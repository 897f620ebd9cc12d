"""The service under test: one app and one client for all tests."""

import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer Starlettes would rather have httpx2, older ones know httpx only
    from fastapi.testclient import TestClient

from service.app import create_app
from service.cli import main
from service.settings import Settings

LIMITS = Settings(
    corrections=None,
    threads=2,
    max_body_bytes=12_000_000,
    max_paragraphs=1_000,
    max_paragraph_characters=11_000_000,
    max_html_seconds=3,
    max_explained_paragraphs=5,
    max_explained_characters=500,
)


class Service:
    """A client that checks of every answer that it is what it says it is."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def send(self, path: str, body: bytes | Any, **headers: str) -> tuple[int, Any]:
        """Posts bytes as they are and anything else as JSON; returns status and answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        response = self.client.post(path, content=raw, headers=headers)
        return response.status_code, self.read(response)

    def get(self, path: str) -> tuple[int, Any]:
        response = self.client.get(path)
        return response.status_code, self.read(response)

    @staticmethod
    def read(response: Any) -> Any:
        """The answer; if it is an error, a whole problem."""
        answer = json.loads(response.content.decode("utf-8"))
        if response.status_code < 400:
            assert response.headers["content-type"] == "application/json"
            return answer
        assert response.headers["content-type"] == "application/problem+json"
        assert (
            {"type", "title", "status", "detail"}
            <= set(answer)
            <= {
                "type",
                "title",
                "status",
                "detail",
                "instance",
                "errors",
                "line",
            }
        )
        assert answer["status"] == response.status_code
        assert answer["type"] == "about:blank" or answer["type"].startswith("urn:problem-type:boilertag:")
        assert "Traceback" not in response.text
        for error in answer.get("errors", []):
            assert set(error) == {"pointer", "detail"}
            assert error["pointer"].startswith("#")
        return answer

    def tag(self, body: Any) -> Any:
        """The answer of /v1/tag, which must be no error."""
        status, answer = self.send("/v1/tag", body)
        assert status == 200, answer
        return answer


PAGE = [
    ("navigation", "Home", "li", 1.0),
    ("content", "The mill wheel turns again after nine dry years, and the miller's niece has the key.", "p", 0.0),
    ("ad_notice", "Advertisement", "div", 0.0),
    ("content", "Water came over the weir on Monday night.", "p", 0.0),
    ("appeal", "Subscribe for 2 euros a month", "p", 0.2),
]


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model, fitted and judged on held-out sites."""
    folder = tmp_path_factory.mktemp("fitted")
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for page in range(8):
            for label, text, tag, density in PAGE:
                row = {"doc": page, "site": f"s{page}", "text": f"{text} {page}", "tag": tag, "link_density": density}
                file.write(json.dumps({**row, "label": label}) + "\n")
    assert main(["train", str(folder / "rows.jsonl"), "-o", str(folder / "model"), "--folds", "3"]) == 0
    return folder / "model"


@pytest.fixture(scope="session")
def unmeasured(fitted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model without its figures."""
    folder = tmp_path_factory.mktemp("unmeasured")
    manifest = json.loads((fitted / "model.json").read_text("utf-8"))
    del manifest["held_out"]
    (folder / "model.json").write_text(json.dumps(manifest), "utf-8")
    (folder / "model.joblib").write_bytes((fitted / "model.joblib").read_bytes())
    return folder


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """The service with the default model."""
    with serving(LIMITS) as running:
        yield running


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    """A service that is ready."""
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        wait_until_ready(client)
        yield Service(client)


@pytest.fixture(scope="session")
def fitted_service(fitted: Path) -> Iterator[Service]:
    """The service with the small model."""
    with serving(replace(LIMITS, model=fitted)) as running:
        yield running


@pytest.fixture(scope="session")
def unmeasured_service(unmeasured: Path) -> Iterator[Service]:
    """The service with the small model without figures."""
    with serving(replace(LIMITS, model=unmeasured)) as running:
        yield running


def wait_until_ready(client: TestClient) -> None:
    until = time.monotonic() + 120
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)
