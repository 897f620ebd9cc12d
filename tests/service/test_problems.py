"""Problem details: pointers, kinds, and what becomes of errors that are raised anywhere."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service import problems
from service.problems import FieldError, Problem


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ([], "#"),
        (["text"], "#/text"),
        (["paragraphs", 3, "tag"], "#/paragraphs/3/tag"),
        (["a/b", "c~d", "~1"], "#/a~1b/c~0d/~01"),
        (["x" * 64], "#/" + "x" * 64),
        (["x" * 65], "#/" + "x" * 63 + "…"),
    ],
)
def test_pointer(path: list[str | int], pointer: str) -> None:
    assert problems.pointer(path) == pointer


def test_kinds_are_told_apart_by_name_and_have_real_statuses() -> None:
    assert len({kind.name for kind in problems.KINDS}) == len(problems.KINDS)
    for kind in problems.KINDS:
        assert HTTPStatus(kind.status) >= 400
    assert set(problems.KINDS) == {value for value in vars(problems).values() if isinstance(value, problems.Kind)}


def answer(error: Exception) -> Any:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    return TestClient(app, raise_server_exceptions=False).get("/")


def test_problem_raised_by_an_endpoint() -> None:
    wrong = FieldError(pointer="#/text", detail="Is \ud800")
    response = answer(Problem(problems.INVALID_FIELDS, "Wrong.", [wrong], {"Retry-After": "9"}))
    assert (response.status_code, response.headers["retry-after"]) == (422, "9")
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(response.content) == {
        "type": "urn:problem-type:boilertag:invalid-fields",
        "title": problems.INVALID_FIELDS.title,
        "status": 422,
        "detail": "Wrong.",
        "errors": [{"pointer": "#/text", "detail": "Is \ud800"}],
    }
