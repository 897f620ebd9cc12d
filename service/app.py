"""The HTTP service: documents in, tags or clean text out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel

from classifier import Tagger
from service import answers, bodies, documentation, metrics, problems, tagging
from service.batch import BatchResponse
from service.documents import Document, Page
from service.envelope import MODEL, Envelope
from service.keys import check_key
from service.settings import Settings
from service.state import SharedState, State
from service.version import version

_KINDS: Final = tuple(kind for kind in problems.KINDS if kind not in (problems.UNAUTHORIZED, problems.STOPPING))
_BATCH_KINDS: Final = (problems.WRONG_MEDIA_TYPE, problems.NOT_READY, problems.OVERLOADED)


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
            tasks.start_soon(state.model.run)
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
    app.include_router(_health)
    problems.install(app)
    documentation.install(app, lambda: state.model.labels)
    app.add_middleware(Envelope, state=state)
    return app


class Health(BaseModel):
    """That the service runs."""

    status: str


_documents = APIRouter()
_health = APIRouter()


@_documents.post(
    "/v1/tag",
    summary="Tag a document",
    responses=documentation.responses(*_KINDS, answer=answers.TagAnswer),
    openapi_extra=documentation.body(Document),
)
async def tag(request: Request, state: SharedState) -> Response:
    """The tag of each of the document's paragraphs, in order."""
    return await _answer(request, state, tagging.tag)


@_documents.post(
    "/v1/clean",
    summary="Clean a document",
    responses=documentation.responses(*_KINDS, answer=answers.CleanAnswer),
    openapi_extra=documentation.body(Page),
)
async def clean(request: Request, state: SharedState) -> Response:
    """The text of the paragraphs to keep, and what was removed."""
    return await _answer(request, state, tagging.clean)


async def _answer(request: Request, state: State, work: Callable[[bytes, Tagger, State], Awaitable[bytes]]) -> Response:
    tagger = state.model.tagger
    state.requests.check()  # who would be refused is told so before the body is read
    with state.buffers.hold() as held:
        unpacker = bodies.unpacker(request)
        raw = await bodies.read(request, state.settings, held)
        with state.requests.one():
            if unpacker.encoding != "identity":
                packed = raw
                raw = await state.pool.run(lambda: bodies.unpack(packed, unpacker, state.settings.max_body_bytes))
                held.take(len(raw))
            answer = await work(raw, tagger, state)
    return Response(answer, media_type="application/json", headers=_model_header(tagger))


@_documents.post(
    "/v1/batch",
    summary="Tag a document a line",
    responses={**documentation.LINES_ANSWER, **documentation.responses(*_BATCH_KINDS)},
    openapi_extra=documentation.LINES_BODY,
    response_class=Response,
)
async def batch(request: Request, state: SharedState) -> Response:
    """An answer a line, in the order of the documents, while more are still coming in: read while you send.

    A line that is no document, or over a limit, is answered by a line of problem details with its `line`, and the
    batch goes on.
    """
    tagger = state.model.tagger
    return BatchResponse(request, tagger, state, _model_header(tagger))


@_documents.get(
    "/v1/model",
    summary="The model's manifest",
    responses=documentation.responses(problems.NOT_READY, answer=dict[str, Any]),
)
async def model(request: Request, state: SharedState) -> Response:
    """What the model was fitted with, and its figures on held-out sites."""
    tagger = state.model.tagger
    tag = f'"{tagger.manifest["sha256"]}"'
    headers = {**_model_header(tagger), "ETag": tag, "Cache-Control": "no-cache"}
    if tag in (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(tagging.to_json(tagger.manifest), media_type="application/json", headers=headers)


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
    return {MODEL: answers.model_name(tagger.manifest)}
