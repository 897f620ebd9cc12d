"""Every error of the service as RFC 9457 problem details; of the input they tell nothing but names of fields."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException as BareHTTPException

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:problem-type:boilertag:"
MAX_ERRORS: Final = 20  # field errors told in one answer
_MAX_NAME: Final = 64  # characters of a field's name that are repeated


@dataclass(frozen=True)
class Kind:
    """A type of problem: the end of its URI, its status and its title."""

    name: str
    status: int
    title: str


NOT_JSON: Final = Kind("not-json", 400, "The body is not JSON")
CANT_UNPACK: Final = Kind("cant-unpack", 400, "The body can't be unpacked")
UNAUTHORIZED: Final = Kind("unauthorized", 401, "A bearer key is needed")
NO_SUCH_MODEL: Final = Kind("no-such-model", 404, "The service has no such model")
TOO_SLOW: Final = Kind("too-slow", 408, "The body took too long to arrive")
BODY_TOO_LARGE: Final = Kind("body-too-large", 413, "The body is too large")
PARAGRAPH_TOO_LONG: Final = Kind("paragraph-too-long", 413, "A paragraph is too long")
TOO_MANY_PARAGRAPHS: Final = Kind("too-many-paragraphs", 413, "The document has too many paragraphs")
TOO_LONG_TO_EXPLAIN: Final = Kind("too-long-to-explain", 413, "The document is too long to be explained")
HTML_TOO_COMPLEX: Final = Kind("html-too-complex", 413, "The HTML is too complex")
WRONG_MEDIA_TYPE: Final = Kind("wrong-media-type", 415, "The body is of a type that is not taken here")
INVALID_FIELDS: Final = Kind("invalid-fields", 422, "The body is JSON but its fields are not as they must be")
INVALID_PARAMETERS: Final = Kind("invalid-parameters", 422, "A parameter of the address is not as it must be")
BAD_FILE: Final = Kind("bad-file", 422, "The file can't be read")
NOT_FOUND: Final = Kind("not-found", 404, "There is no such thing")
WRONG_HOST: Final = Kind("wrong-host", 421, "The service is not known by this name")
NOT_READY: Final = Kind("not-ready", 503, "The model is not loaded")
OVERLOADED: Final = Kind("overloaded", 503, "The service has all the work it can take")
STOPPING: Final = Kind("stopping", 503, "The service is stopping")
CANT_KEEP: Final = Kind("cant-keep", 507, "The service can't keep this")
DOCUMENT_KINDS: Final = (  # of what is sent a document
    NOT_JSON,
    CANT_UNPACK,
    TOO_SLOW,
    BODY_TOO_LARGE,
    PARAGRAPH_TOO_LONG,
    TOO_MANY_PARAGRAPHS,
    TOO_LONG_TO_EXPLAIN,
    HTML_TOO_COMPLEX,
    WRONG_MEDIA_TYPE,
    INVALID_FIELDS,
    NOT_READY,
    OVERLOADED,
)
KINDS: Final = (
    *DOCUMENT_KINDS,
    UNAUTHORIZED,
    STOPPING,
    INVALID_PARAMETERS,
    BAD_FILE,
    NOT_FOUND,
    WRONG_HOST,
    CANT_KEEP,
    NO_SUCH_MODEL,
)


class FieldError(BaseModel):
    """What is wrong with one field."""

    pointer: str = Field(description="The field's place in the body: a JSON pointer as a URI fragment.")
    detail: str


class ProblemDetails(BaseModel):
    """Problem details of RFC 9457."""

    type: str = Field(description="Which problem it is; about:blank where the status says all.")
    title: str
    status: int
    detail: str = Field(description="What was wrong this time, and what to do.")
    instance: str | None = Field(None, description="What the service's log calls this occurrence; only of status 500.")
    errors: list[FieldError] | None = Field(None, max_length=MAX_ERRORS, description="The fields at fault.")
    line: int | None = Field(None, description="The line of the body, from 1; only of /v1/batch.")


class Problem(HTTPException):
    """An error with its answer. Raised anywhere while a request is served, it becomes the response."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.status, detail, dict(headers or {}))
        self.kind = kind
        self.errors = tuple(errors)


def pointer(path: Iterable[str | int]) -> str:
    """The JSON pointer, as a URI fragment, of the place that keys and indices lead to; long keys are shortened."""
    parts = [str(part) for part in path]
    short = [part if len(part) <= _MAX_NAME else part[: _MAX_NAME - 1] + "…" for part in parts]
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in short)


def install(app: FastAPI) -> None:
    """Makes every error that the app tells of a problem; bugs are the envelope's."""
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(BareHTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_parameters)


def told(problem: Problem) -> dict[str, Any]:
    """A problem as its details."""
    kind = problem.kind
    details = {"type": TYPE_PREFIX + kind.name, "title": kind.title, "status": kind.status, "detail": problem.detail}
    return {**details, "errors": [one.model_dump() for one in problem.errors]} if problem.errors else details


def bug(instance: str) -> dict[str, Any]:
    """The details of a bug, of which the log says more at ``instance``."""
    detail = "The service failed. This is a bug of the service, not of the request; its log says more at this instance."
    return {**blank(500, detail), "instance": instance}


def blank(status: int, detail: str) -> dict[str, Any]:
    """The details of a problem whose status says all."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}


def response(details: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The response that tells of a problem."""
    return Response(json.dumps(details), details["status"], headers, MEDIA_TYPE)


async def _answer_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return response(told(error), error.headers)


# Pydantic speaks of inputs and dictionaries where the reader has fields and JSON.
_WORDS: Final = {
    "extra_forbidden": "There is no such field",
    "missing": "This field is missing",
    "model_attributes_type": "Must be a JSON object",
    "model_type": "Must be a JSON object",
    "string_pattern_mismatch": "Must begin with a letter or digit, and not end in white space",
}


_PARAMETER_WORDS: Final = {
    "extra_forbidden": "There is no such parameter",
    "missing": "This parameter is missing",
}


def invalid(error: ValidationError) -> Problem:
    """Pydantic's findings; of each only its place and its message, which hold none of the input's values."""
    found = [
        FieldError(pointer=pointer(_path(one["loc"])), detail=_WORDS.get(one["type"], one["msg"]))
        for one in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_ERRORS]
    ]
    first = found[0]
    detail = f"{first.pointer}: {first.detail}" if first.pointer != "#" else first.detail
    return Problem(INVALID_FIELDS, detail, found)


def invalid_field(field: str, detail: str) -> Problem:
    """The problem that one field of the body is not as it must be."""
    place = pointer([field])
    return Problem(INVALID_FIELDS, f"{place}: {detail}", [FieldError(pointer=place, detail=detail)])


def _path(loc: tuple[str | int, ...]) -> list[str | int]:
    # Pydantic puts the kind that it chose of a paragraph, or of "explain", behind its place: no part of the body.
    return [part for i, part in enumerate(loc) if not (i and (isinstance(loc[i - 1], int) or loc[i - 1] == "explain"))]


async def _answer_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])[:_MAX_NAME]
    said = (_WORDS | _PARAMETER_WORDS).get(first["type"], first["msg"])
    return response(told(Problem(INVALID_PARAMETERS, f"{name}: {said}.")))


_BLANK_DETAILS: Final = {
    404: "There is nothing at this address; /docs lists what there is.",
    405: "This address does not answer this method; the Allow header names those that it does.",
}


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, BareHTTPException)
    status = error.status_code
    headers = error.headers
    path = getattr(request.scope.get("route"), "path", None)
    if status == 405 and (described := request.app.openapi()["paths"].get(path)):
        # The router names only the methods of the first of an address's endpoints.
        headers = {"Allow": ", ".join(sorted(map(str.upper, described)))}
    return response(blank(status, _BLANK_DETAILS.get(status, HTTPStatus(status).phrase)), headers)
