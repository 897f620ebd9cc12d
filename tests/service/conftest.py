"""The service under test: one app and one client for all tests."""

import json
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer Starlettes would rather have httpx2, older ones know httpx only
    from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings

LIMITS = Settings(
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


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with TestClient(create_app(LIMITS), raise_server_exceptions=False) as client:
        wait_until_ready(client)
        yield Service(client)


def wait_until_ready(client: TestClient) -> None:
    until = time.monotonic() + 120
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)
