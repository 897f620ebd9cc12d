"""The API's description: OpenAPI, and the page that shows it, wholly from this server."""

from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.staticfiles import StaticFiles

from service import problems
from service.batch import MEDIA_TYPE as LINES
from service.bodies import FILE
from service.documents import Document, Page
from service.teaching.messages import Confirmation, Correction, KeptDocument

_ASSETS: Final = "/docs/assets"
_PAGE: Final = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>boilertag</title>
<link rel="stylesheet" href="{_ASSETS}/swagger-ui.css">
<link rel="icon" href="{_ASSETS}/favicon.png">
<main id="swagger-ui"></main>
<script src="{_ASSETS}/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
_START: Final = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true});\n'
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)

DESCRIPTION: Final = """
Says of each paragraph of a web document what it is for: `content`, `appeal`, `ad_notice` or `navigation`, or the labels
of the model that the service runs with.

Every error is a problem of RFC 9457 (`application/problem+json`): `type` tells programs which one, `detail` tells
people, and `errors` names the fields that are at fault. What is over a limit is refused, never cut. Bodies may come
packed, with `Content-Encoding: gzip` or `zstd`.

Every answer has the headers `Boilertag-Model`, the model that it is of, and `X-Request-ID`, which is the request's own
if it has one.
"""


def install(app: FastAPI, labels: Callable[[], Sequence[str]]) -> None:
    """Adds /docs and what it needs, and makes the app's OpenAPI schema whole. ``labels`` are those of the model now."""

    @app.get("/docs", include_in_schema=False)
    async def docs(_: Request) -> Response:
        return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _POLICY})

    @app.get("/docs/start.js", include_in_schema=False)
    async def start(_: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    assets = resources.files("fastapi_offline") / "static"
    app.mount(_ASSETS, StaticFiles(directory=str(assets)))
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        app.openapi_schema = None
        schema = _complete(generate())
        if labels():
            kinds = schema["components"]["schemas"]
            kinds["Page"]["properties"]["keep"]["items"]["enum"] = list(labels())
            kinds["Correction"]["properties"]["label"]["enum"] = list(labels())
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def body(kind: type[BaseModel]) -> dict[str, Any]:
    """What an endpoint that reads its body itself says of it."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _reference(kind)}}}}


FILE_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {FILE: {"schema": {"type": "string", "format": "binary", "minLength": 1}}},
    }
}

_EXAMPLE_LINES: Final = (
    '{"id": "1", "text": "The bridge opens on Monday.\\nADVERTISEMENT"}\n'
    '{"id": "2", "paragraphs": ["Home", "Sign up for our newsletter"]}\n'
)
_LINES_IN: Final = {
    "description": "JSON lines: a document a line, each as /v1/tag takes it.",
    "examples": [_EXAMPLE_LINES],
}
_LINES_OUT: Final = {
    "type": "string",
    "description": "JSON lines: an answer of /v1/tag a line, or a problem with its line's number.",
}
LINES_BODY: Final = {"requestBody": {"required": True, "content": {LINES: {"schema": _LINES_IN}}}}
LINES_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Answers", "content": {LINES: {"schema": _LINES_OUT}}}
}


def file_answer(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """What an endpoint that answers with a file says of it."""
    schema = {"type": "string", "description": description}
    return {200: {"description": "The file", "content": {media_type: {"schema": schema}}}}


def responses(*kinds: problems.Kind, answer: Any = None) -> dict[int | str, dict[str, Any]]:
    """The problems that an endpoint may answer with, and what it answers else."""
    told: dict[int, list[str]] = {}
    for kind in kinds:
        told.setdefault(kind.status, []).append(f"`{problems.TYPE_PREFIX}{kind.name}`")
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": problems.ProblemDetails, "description": ", ".join(types)} for status, types in told.items()
    }
    return {200: {"model": answer}, **errors} if answer else errors


def _reference(kind: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's schema, with the bodies that endpoints read themselves, and the media type that errors have."""
    schemas = schema["components"]["schemas"]
    for kind in (Document, Page, KeptDocument, Correction, Confirmation):
        own = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= own.pop("$defs", {})
        schemas[kind.__name__] = own
    for path in schema["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                response["headers"] = _HEADERS
                if int(status) >= 400:
                    response["content"] = {problems.MEDIA_TYPE: response["content"]["application/json"]}
                if int(status) in (429, 503):
                    response["headers"] = {**_HEADERS, "Retry-After": {"schema": {"type": "integer"}}}
    return schema


_HEADERS: Final = {
    "Boilertag-Model": {"description": "The model's short name.", "schema": {"type": "string"}},
    "X-Request-ID": {"description": "The request's id.", "schema": {"type": "string"}},
}
