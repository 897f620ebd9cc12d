"""The HTTP service: documents in, tags or clean text out."""

import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final
from uuid import uuid4

import anyio
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel

from classifier import Paragraph, Tagger
from service import answers, problems
from service.bodies import JsonRoute
from service.documents import Document, Page
from service.pool import Pool
from service.problems import INVALID_FIELDS, FieldError, Problem
from service.settings import Settings
from service.version import version

_DESCRIPTION: Final = """
Says of each paragraph of a web document what it is for: `content`, `appeal`, `ad_notice` or `navigation`, or the labels
of the model that the service runs with.

Every error is a problem of RFC 9457 (`application/problem+json`): `type` tells programs which one, `detail` tells
people, and `errors` names the fields that are at fault. What is over a limit is refused, never cut.
"""


def create_app(settings: Settings) -> FastAPI:
    """The service's app. It loads its model when it starts; until then /readyz and all that needs the model say 503."""
    app = FastAPI(
        title="boilertag",
        version=version(),
        description=_DESCRIPTION,
        lifespan=_lifespan,
        redoc_url=None,
        redirect_slashes=False,  # a redirected POST loses its body with many clients
    )
    app.state.settings = settings
    app.include_router(_router)
    problems.install(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def create_app_from_environment() -> FastAPI:
    """The app of a worker process, which gets its settings by the environment.

    Raises:
        SettingError: the environment's settings are of no use.
    """
    return create_app(Settings.read(os.environ))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = Pool(app.state.settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app.state.pool.load)
        yield
        tasks.cancel_scope.cancel()


async def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _tagger(request: Request) -> Tagger:
    return (await _pool(request)).tagger


_Tagger = Annotated[Tagger, Depends(_tagger)]
_Pool = Annotated[Pool, Depends(_pool)]
_Settings = Annotated[Settings, Depends(_settings)]


class Health(BaseModel):
    """That the service runs."""

    status: str


_router = APIRouter(route_class=JsonRoute)


def _documented(answer: Any, *kinds: problems.Kind) -> dict[int | str, dict[str, Any]]:
    """The responses of an endpoint for the API's documentation."""
    told: dict[int, list[str]] = {}
    for kind in kinds:
        told.setdefault(kind.status, []).append(f"`{problems.TYPE_PREFIX}{kind.name}`")
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": problems.ProblemDetails, "description": ", ".join(types)} for status, types in told.items()
    }
    return {200: {"model": answer}, **errors}


@_router.post("/v1/tag", summary="Tag a document", responses=_documented(answers.TagAnswer, *problems.KINDS))
async def tag(document: Document, tagger: _Tagger, pool: _Pool, limits: _Settings) -> Response:
    """The tag of each of the document's paragraphs, in order."""
    paragraphs = await document.split(pool, limits)

    def work() -> Response:
        tags = tagger.tag(paragraphs, context=document.context)
        told = [answers.tagged(i, *pair) for i, pair in enumerate(zip(paragraphs, tags, strict=True))]
        if document.explain:
            _add_reasons(told, tagger, paragraphs, document)
        return _json({**_head(document, tagger), "paragraphs": told})

    return await pool.run(work)


@_router.post("/v1/clean", summary="Clean a document", responses=_documented(answers.CleanAnswer, *problems.KINDS))
async def clean(page: Page, tagger: _Tagger, pool: _Pool, limits: _Settings) -> Response:
    """The text of the paragraphs to keep, and what was removed."""
    if not set(page.keep).issubset(tagger.labels):
        raise _invalid("keep", f"The labels of this model are {', '.join(tagger.labels)}")
    paragraphs = await page.split(pool, limits)

    def work() -> Response:
        try:
            keep = tagger.keep(paragraphs, page.keep, page.keep_recall, context=page.context)
        except ValueError as error:
            raise _invalid("keep_recall", str(error)) from None
        tags = tagger.tag(paragraphs, context=page.context)
        told = [
            answers.removed(i, paragraph, tag)
            for i, (paragraph, tag) in enumerate(zip(paragraphs, tags, strict=True))
            if tag not in keep
        ]
        if page.explain:
            _add_reasons(told, tagger, paragraphs, page)
        return _json({**_head(page, tagger), "text": answers.cleaned(paragraphs, tags, keep), "removed": told})

    return await pool.run(work)


@_router.get("/v1/model", summary="The model's manifest", responses=_documented(dict[str, Any], problems.NOT_READY))
async def model(tagger: _Tagger) -> Response:
    """What the model was fitted with, and its figures on held-out sites."""
    return _json(tagger.manifest)


@_router.get("/healthz", summary="Whether the service runs", responses=_documented(Health))
async def healthz() -> Response:
    """Says so as long as the process can answer at all."""
    return _json({"status": "ok"})


@_router.get("/readyz", summary="Whether the model is loaded", responses=_documented(Health, problems.NOT_READY))
async def readyz(_: _Tagger) -> Response:
    """Says 503 until documents can be tagged."""
    return _json({"status": "ready"})


def _head(document: Document, tagger: Tagger) -> dict[str, Any]:
    made_up = str(uuid4()) if document.id is None else document.id
    return {"id": made_up, "model": answers.model_name(tagger.manifest)}


def _invalid(field: str, detail: str) -> Problem:
    place = problems.pointer([field])
    return Problem(INVALID_FIELDS, f"{place}: {detail}", [FieldError(pointer=place, detail=detail)])


def _add_reasons(
    told: Sequence[answers.Removed], tagger: Tagger, paragraphs: Sequence[Paragraph], document: Document
) -> None:
    for one in told:
        one["why"] = answers.why(tagger.explain(paragraphs, one["index"], context=document.context))


def _json(answer: Mapping[str, Any]) -> Response:
    # All but ASCII is escaped: a lone surrogate of the input has no UTF-8, but it has an escape.
    return Response(json.dumps(answer, allow_nan=False, separators=(",", ":")), media_type="application/json")


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's schema, with the media type that errors have."""
    if app.openapi_schema is None:
        app.openapi_schema = FastAPI.openapi(app)
        for path in app.openapi_schema["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400:
                        response["content"] = {problems.MEDIA_TYPE: response["content"]["application/json"]}
    return app.openapi_schema
