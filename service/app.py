"""The HTTP service: documents in, tags or clean text out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from pydantic import BaseModel

from classifier import Tagger
from classifier.folder import model_name
from service import answers, bodies, browser_page, documentation, metrics, problems, tagging
from service.batch import BatchResponse
from service.documents import Document, Page
from service.envelope import MODEL, Envelope
from service.hosts import check_host
from service.keys import check_key
from service.settings import Settings
from service.state import SharedState, State
from service.teaching import api
from service.version import version

_KINDS: Final = (*problems.DOCUMENT_KINDS, problems.NO_SUCH_MODEL)
_BATCH_KINDS: Final = (problems.NO_SUCH_MODEL, problems.WRONG_MEDIA_TYPE, problems.NOT_READY, problems.OVERLOADED)


def create_app(settings: Settings, *, wait_for_model: bool = False) -> FastAPI:
    """The service's app. It loads its model when it starts; until then /readyz and all that needs the model say 503.

    Args:
        settings: what can be set.
        wait_for_model: whether the app counts as started only when it has a model.
    """
    state = State(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            for live in state.models:
                tasks.start_soon(live.run)
            if wait_for_model:
                with state.until_stop():
                    await state.model.wait()
            yield
            tasks.cancel_scope.cancel()

    app = FastAPI(
        title="boilertag",
        version=version(),
        description=documentation.DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirected POST loses its body with many clients
    )
    app.state.service = state
    guarded: dict[str, Any] = {}
    if settings.keys:
        guarded = {
            "dependencies": [Depends(check_key)],
            "responses": documentation.responses(problems.UNAUTHORIZED),
        }
    app.include_router(_documents, **guarded)
    if state.keeper:
        teaching = {**guarded, "dependencies": [*guarded.get("dependencies", ()), Depends(check_host)]}
        app.include_router(api.router, **teaching)
    app.include_router(_health)
    problems.install(app)
    documentation.install(app, lambda: state.model.labels)
    browser_page.install(app)
    app.add_middleware(Envelope, state=state)
    return app


class Health(BaseModel):
    """That the service runs."""

    status: str


class Models(BaseModel):
    """The short names of the models that serve; the one that answers requests that name none stands first."""

    models: list[str]


async def _tagger(
    state: SharedState,
    model: Annotated[
        str | None, Query(description="The short name of the model to answer with, one of those of /v1/models.")
    ] = None,
) -> Tagger:
    return state.tagger(model)


ChosenTagger = Annotated[Tagger, Depends(_tagger)]

_documents = APIRouter()
_health = APIRouter()


@_documents.post(
    "/v1/tag",
    summary="Tag a document",
    responses=documentation.responses(*_KINDS, answer=answers.TagAnswer),
    openapi_extra=documentation.body(Document),
)
async def tag(request: Request, tagger: ChosenTagger, state: SharedState) -> Response:
    """The tag of each of the document's paragraphs, in order."""
    return await _answer(request, tagger, state, tagging.tag)


@_documents.post(
    "/v1/clean",
    summary="Clean a document",
    responses=documentation.responses(*_KINDS, answer=answers.CleanAnswer),
    openapi_extra=documentation.body(Page),
)
async def clean(request: Request, tagger: ChosenTagger, state: SharedState) -> Response:
    """The text of the paragraphs to keep, and what was removed."""
    return await _answer(request, tagger, state, tagging.clean)


async def _answer(
    request: Request, tagger: Tagger, state: State, work: Callable[[bytes, Tagger, State], Awaitable[bytes]]
) -> Response:
    async with bodies.received(request, state, state.requests) as raw:
        answer = await work(raw, tagger, state)
    return Response(answer, media_type="application/json", headers=_model_header(tagger))


@_documents.post(
    "/v1/batch",
    summary="Tag a document a line",
    responses={**documentation.LINES_ANSWER, **documentation.responses(*_BATCH_KINDS)},
    openapi_extra=documentation.LINES_BODY,
    response_class=Response,
)
async def batch(request: Request, tagger: ChosenTagger, state: SharedState) -> Response:
    """An answer a line, in the order of the documents, while more are still coming in: read while you send.

    A line that is no document, or over a limit, is answered by a line of problem details with its `line`, and the
    batch goes on.
    """
    return BatchResponse(request, tagger, state, _model_header(tagger))


@_documents.get(
    "/v1/model",
    summary="The model's manifest",
    responses=documentation.responses(problems.NO_SUCH_MODEL, problems.NOT_READY, answer=dict[str, Any]),
)
async def model(request: Request, tagger: ChosenTagger) -> Response:
    """What the model was fitted with, and its figures on held-out sites."""
    tag = f'"{tagger.manifest["sha256"]}"'
    headers = {**_model_header(tagger), "ETag": tag, "Cache-Control": "no-cache"}
    if tag in (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(tagging.to_json(tagger.manifest), media_type="application/json", headers=headers)


@_documents.get("/v1/models", summary="The models' names", responses=documentation.responses(answer=Models))
async def models(state: SharedState) -> Response:
    """The short names of the models that serve: one, and a second one where the service was given it to compare."""
    names = [live.name for live in state.models if live.labels]
    return Response(tagging.to_json({"models": names}), media_type="application/json")


@_documents.get("/metrics", summary="Counts for Prometheus", response_class=Response)
async def counts(state: SharedState) -> Response:
    """Requests, latencies, queue, paragraphs by label, scores, model loads, over all processes."""
    return Response(await anyio.to_thread.run_sync(state.metrics.render), media_type=metrics.MEDIA_TYPE)


@_health.get("/healthz", summary="Whether the service runs", responses=documentation.responses(answer=Health))
async def healthz() -> Response:
    """Says so as long as the process can answer at all."""
    return Response(tagging.to_json({"status": "ok"}), media_type="application/json")


@_health.get(
    "/readyz",
    summary="Whether documents can be tagged",
    responses=documentation.responses(problems.NOT_READY, problems.STOPPING, answer=Health),
)
async def readyz(state: SharedState) -> Response:
    """Says 503 until the model is loaded, and when the service is about to stop."""
    state.check_ready()
    return Response(tagging.to_json({"status": "ready"}), media_type="application/json")


def _model_header(tagger: Tagger) -> dict[str, str]:
    return {MODEL: model_name(tagger.manifest)}
