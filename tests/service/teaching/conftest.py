"""A service that takes corrections."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.conftest import LIMITS, Service, wait_until_ready

PARAGRAPHS = [
    "Home",
    "The lighthouse keeper has retired after forty winters, and her lamp will be lit by a clock.",
    "Advertisement",
    "She leaves behind two goats, a boat and a log of every ship that passed.",
    "Support our newsroom: give 5 euros a month.",
]


class Teaching(Service):
    """A client that corrects."""

    def put(self, paragraphs: Any = PARAGRAPHS, **more: Any) -> str:
        """The id of a document that is now kept."""
        status, answer = self.send("/v1/documents", {"paragraphs": paragraphs, **more})
        assert status == 200, answer
        assert answer["paragraphs"] == len(paragraphs)
        return str(answer["id"])

    def correct(self, annotator: str, document: str, index: int, label: str) -> Any:
        body = {"annotator": annotator, "document": document, "index": index, "label": label}
        status, answer = self.send("/v1/corrections", body)
        assert status == 200, answer
        return answer

    def confirm(self, annotator: str, document: str) -> Any:
        status, answer = self.send(f"/v1/documents/{document}/confirm", {"annotator": annotator})
        assert status == 200, answer
        return answer

    def undo(self, annotator: str, correction: int) -> tuple[int, Any]:
        response = self.client.delete(f"/v1/corrections/{correction}", params={"annotator": annotator})
        return response.status_code, self.read(response)

    def upload(self, name: str, raw: bytes | str, **headers: str) -> tuple[int, Any]:
        given = {"Content-Type": "application/octet-stream", **headers}
        response = self.client.post("/v1/queues", params={"name": name}, content=raw, headers=given)
        return response.status_code, self.read(response)

    def queue(self, name: str, raw: bytes | str) -> Any:
        status, answer = self.upload(name, raw)
        assert status == 200, answer
        return answer

    def found(self, path: str, **parameters: Any) -> Any:
        """What is answered to a GET, which must be no error."""
        response = self.client.get(path, params=parameters)
        assert response.status_code == 200, response.text
        return self.read(response)

    def export(self, folder: Path, ending: str = "csv", **parameters: str) -> Path:
        """The file that is exported."""
        response = self.client.get(f"/v1/corrections.{ending}", params=parameters)
        assert response.status_code == 200, response.text
        path = folder / f"export.{ending}"
        path.write_bytes(response.content)
        return path


@contextmanager
def teaching_with(settings: Settings) -> Iterator[Teaching]:
    """Such a service, ready."""
    app = create_app(settings)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        wait_until_ready(client)
        yield Teaching(client)


@pytest.fixture
def teaching(tmp_path: Path) -> Iterator[Teaching]:
    """Such a service, with a file of its own."""
    with teaching_with(replace(LIMITS, corrections=tmp_path / "kept" / "corrections.sqlite")) as running:
        yield running
