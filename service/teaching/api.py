"""The endpoints of teaching: documents, corrections, their export, agreement, queues."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse

from classifier import RowError
from classifier.folder import model_name
from classifier.paragraphs import decode
from classifier.rows.blocks import PlainBlock
from classifier.rows.delimited import CsvEncoder
from classifier.rows.json_lines import JsonEncoder
from classifier.tagger import as_paragraph
from service import bodies, documentation, problems
from service.batch import MEDIA_TYPE as LINES
from service.documents import TextOrParagraph
from service.problems import BAD_FILE, NOT_FOUND, Problem, invalid_field
from service.state import SharedState, State
from service.tagging import to_json
from service.teaching import agreement, corrections, documents, files, messages, queues
from service.teaching.documents import Document
from service.teaching.keeper import Keeper
from service.unpacking import Unpacker


async def _check_parameters(request: Request) -> None:
    """
    Raises:
        Problem: a parameter of the address stands there twice.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if len(set(names)) < len(names):
        raise Problem(problems.INVALID_PARAMETERS, "A parameter stands in the address more than once.")


router = APIRouter(dependencies=[Depends(_check_parameters)])

_CSV: Final = "text/csv"
_BOM: Final = b"\xef\xbb\xbf"  # without it Excel takes UTF-8 for something else
_EXPORTED: Final = 50  # documents read together

_SMALL_BODY: Final = tuple(
    kind
    for kind in problems.DOCUMENT_KINDS
    if kind
    not in (
        problems.PARAGRAPH_TOO_LONG,
        problems.TOO_MANY_PARAGRAPHS,
        problems.TOO_LONG_TO_EXPLAIN,
        problems.HTML_TOO_COMPLEX,
    )
)
_READ: Final = (problems.INVALID_PARAMETERS, problems.OVERLOADED, problems.CANT_KEEP, problems.WRONG_HOST)
_WRITE: Final = (*_SMALL_BODY, problems.CANT_KEEP, problems.WRONG_HOST)

DocumentId = Annotated[str, InPath(description="The id of a document that is kept.", examples=["d0123456789abcdef"])]
QueueId = Annotated[str, InPath(description="The id of a queue.", examples=["q0123456789abcdef"])]
CorrectionId = Annotated[int, InPath(ge=1, lt=2**63, description="The id of a correction.")]


@router.post(
    "/v1/documents",
    summary="Keep a document",
    responses=documentation.responses(
        *problems.DOCUMENT_KINDS, problems.CANT_KEEP, problems.WRONG_HOST, answer=messages.KeptAnswer
    ),
    openapi_extra=documentation.body(messages.KeptDocument),
)
async def keep_document(request: Request, state: SharedState) -> Response:
    """Keeps a document, so that its paragraphs can be corrected. The same paragraphs again get the same id."""
    tagger = state.model.tagger
    async with bodies.received(request, state, state.requests) as raw:
        body = await state.pool.run(lambda: bodies.parse(raw, messages.KeptDocument))
        found: Sequence[TextOrParagraph]
        if body.html is not None:
            found = await body.split_html(state.pool.splitter, state.settings)
        else:
            found = await state.pool.run(lambda: body.split(state.settings))
        try:
            document = Document(tuple(map(as_paragraph, found)), body.name, body.site, body.lang)
        except RowError as error:
            raise Problem(problems.INVALID_FIELDS, f"{error}.") from None
        tags = await state.pool.run(lambda: tagger.tag(document.paragraphs))
        id_ = await _keeper(state).write(lambda db: documents.keep(db, document, tags, tagger))
    return _answer({"id": id_, "model": model_name(tagger.manifest), "paragraphs": len(tags)})


@router.get(
    "/v1/documents/{document}",
    summary="A document that is kept",
    responses=documentation.responses(*_READ, NOT_FOUND, answer=messages.DocumentAnswer),
)
async def get_document(
    document: DocumentId, state: SharedState, of: Annotated[messages.ByAnnotator, Query()]
) -> Response:
    """Its paragraphs in order, with the model's labels and those that the annotator gives."""
    found = await _keeper(state).read(lambda db: documents.find(db, document, of.annotator))
    return _answer(_there(found, "document"))


@router.post(
    "/v1/documents/{document}/confirm",
    summary="Confirm the rest of a document",
    responses=documentation.responses(*_WRITE, NOT_FOUND, answer=messages.ConfirmationAnswer),
    openapi_extra=documentation.body(messages.Confirmation),
)
async def confirm_document(request: Request, document: DocumentId, state: SharedState) -> Response:
    """Gives each paragraph that the annotator has not labelled the model's label. That is one correction."""
    async with bodies.received(request, state, None) as raw:
        body = await state.pool.run(lambda: bodies.parse(raw, messages.Confirmation))
    found = await _keeper(state).write(lambda db: corrections.confirm(db, body.annotator, document))
    return _answer(dict(zip(("id", "paragraphs"), _there(found, "document"), strict=True)))


@router.post(
    "/v1/corrections",
    summary="Correct a label",
    responses=documentation.responses(*_WRITE, NOT_FOUND, answer=messages.CorrectionAnswer),
    openapi_extra=documentation.body(messages.Correction),
)
async def correct(request: Request, state: SharedState) -> Response:
    """Writes down that an annotator gives a paragraph a label. Of what one annotator says of it, the newest counts."""
    labels = state.model.tagger.labels
    async with bodies.received(request, state, None) as raw:
        body = await state.pool.run(lambda: bodies.parse(raw, messages.Correction))
    if body.label not in labels:
        raise invalid_field("label", f"The labels of this model are {', '.join(labels)}")
    found = await _keeper(state).write(
        lambda db: corrections.correct(db, body.annotator, body.document, body.index, body.label)
    )
    return _answer(_there(found, "paragraph"))


@router.get(
    "/v1/corrections",
    summary="Corrections, newest first",
    responses=documentation.responses(*_READ, answer=messages.CorrectionsAnswer),
)
async def list_corrections(state: SharedState, which: Annotated[messages.Newest, Query()]) -> Response:
    """Those that are not undone, of one annotator or of all."""
    found = await _keeper(state).read(lambda db: corrections.newest(db, which.annotator, which.before, which.limit))
    following = found[-1]["id"] if len(found) == which.limit else None
    return _answer({"corrections": found, "next": following})


@router.delete(
    "/v1/corrections/{correction}",
    summary="Undo a correction",
    responses=documentation.responses(*_READ, NOT_FOUND, answer=messages.UndoneAnswer),
)
async def undo(correction: CorrectionId, state: SharedState, of: Annotated[messages.Mine, Query()]) -> Response:
    """Marks an annotator's correction as undone: what they said before counts again. Nothing is erased."""
    undone = await _keeper(state).write(lambda db: corrections.undo(db, correction, of.annotator))
    return _answer({"id": correction, "undone": _there(undone, "correction of this annotator")})


@router.get(
    "/v1/corrections.csv",
    summary="Labelled rows, as CSV",
    responses={
        **documentation.file_answer(_CSV, "A file of labelled rows, as boilertag train takes it."),
        **documentation.responses(*_READ),
    },
    response_class=Response,
)
async def export_csv(state: SharedState, of: Annotated[messages.ByAnnotator, Query()]) -> Response:
    """A row for each paragraph that someone has labelled; those of a document together, in order. Of several
    annotators' labels the one that most give counts, of equals the newest.
    """
    encoder = CsvEncoder(corrections.COLUMNS, ",")
    return await _export(
        state, of.annotator, encoder, _BOM + encoder.header(), "corrections.csv", f"{_CSV}; charset=utf-8"
    )


@router.get(
    "/v1/corrections.jsonl",
    summary="Labelled rows, as JSON lines",
    responses={
        **documentation.file_answer(LINES, "The same rows as those of the CSV file."),
        **documentation.responses(*_READ),
    },
    response_class=Response,
)
async def export_lines(state: SharedState, of: Annotated[messages.ByAnnotator, Query()]) -> Response:
    """The same rows as those of the CSV file."""
    return await _export(state, of.annotator, JsonEncoder(), b"", "corrections.jsonl", LINES)


async def _export(
    state: State, annotator: str | None, encoder: CsvEncoder | JsonEncoder, head: bytes, name: str, media_type: str
) -> Response:
    keeper = _keeper(state)
    ids = await keeper.read(lambda db: corrections.documents(db, annotator))

    def encoded(chosen: list[str], db: Any) -> bytes:
        rows = [row for id_ in chosen for row in corrections.labelled_rows(db, id_, annotator)]
        return encoder.encode(PlainBlock(name, rows))

    async def pieces() -> AsyncIterator[bytes]:
        yield head
        for start in range(0, len(ids), _EXPORTED):
            yield await keeper.read(partial(encoded, ids[start : start + _EXPORTED]))

    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces(), headers=headers, media_type=media_type)


@router.get(
    "/v1/agreement",
    summary="How far annotators agree",
    responses=documentation.responses(*_READ, answer=messages.AgreementAnswer),
)
async def agree(state: SharedState, _: Annotated[messages.Nothing, Query()]) -> Response:
    """Of every two annotators, on the paragraphs that both have labelled."""
    return _answer(await _keeper(state).read(agreement.agreement))


@router.post(
    "/v1/queues",
    summary="Make a queue of a file",
    responses=documentation.responses(
        *_SMALL_BODY,
        problems.HTML_TOO_COMPLEX,
        *(problems.INVALID_PARAMETERS, BAD_FILE, problems.CANT_KEEP, problems.WRONG_HOST),
        answer=messages.QueueAnswer,
    ),
    openapi_extra=documentation.FILE_BODY,
)
async def make_queue(request: Request, state: SharedState, file: Annotated[messages.Upload, Query()]) -> Response:
    """The file's paragraphs, to be labelled. The same file again is the same queue, ordered by the model of now."""
    tagger = state.model.tagger
    async with bodies.received(request, state, state.requests, bodies.check_file) as raw:
        try:
            found = await _read_file(raw, file.name, state)
        except RowError as error:
            raise Problem(BAD_FILE, f"{error}.") from None
        tags = await state.pool.run(lambda: tagger.tag_documents([document.paragraphs for document in found]))

        def fill(db: Any) -> dict[str, Any]:
            id_ = queues.fill(db, file.name, found, tags, tagger)
            return queues.listed(db, None, id_)[0]

        return _answer(await _keeper(state).write(fill))


async def _read_file(raw: bytes, name: str, state: State) -> list[Document]:
    def unpacked() -> bytes:
        unpacker = Unpacker(files.PACKINGS.get(Path(name).suffix.lower(), "identity"))
        return bodies.unpack(raw, unpacker, state.settings.max_body_bytes)

    plain, plain_name = await state.pool.run(unpacked), files.unpacked_name(name)
    if files.holds_rows(name):
        return await state.pool.run(lambda: _read_rows(plain, plain_name, state))
    if files.is_html(plain_name, plain):
        found = await state.pool.splitter.split(decode(plain))
        return files.checked(iter([Document(tuple(found), name)]), state.settings)
    return await state.pool.run(lambda: files.of_text(plain, name, state.settings))


def _read_rows(raw: bytes, name: str, state: State) -> list[Document]:
    ending = Path(name).suffix.lower()
    if ending not in files.ROWS_OF_STRANGERS:
        raise RowError(f"{ending} files are not read from a request; boilertag label reads them")
    with tempfile.TemporaryDirectory(prefix="boilertag-") as folder:
        path = Path(folder, f"file{ending}")
        path.write_bytes(raw)
        return files.of_rows(path, name, state.settings)


@router.get(
    "/v1/queues",
    summary="Queues, newest first",
    responses=documentation.responses(*_READ, answer=messages.QueuesAnswer),
)
async def list_queues(state: SharedState, of: Annotated[messages.ByAnnotator, Query()]) -> Response:
    """All queues, and how far the annotator is with each."""
    return _answer({"queues": await _keeper(state).read(lambda db: queues.listed(db, of.annotator))})


@router.get(
    "/v1/queues/{queue}",
    summary="What to label next",
    responses=documentation.responses(*_READ, NOT_FOUND, answer=messages.UpcomingAnswer),
)
async def next_of_queue(queue: QueueId, state: SharedState, of: Annotated[messages.Upcoming, Query()]) -> Response:
    """The paragraphs of the queue that the annotator has not labelled, those first of which the model is least sure."""

    def find(db: Any) -> dict[str, Any] | None:
        for found in queues.listed(db, of.annotator, queue):
            items = queues.upcoming(db, queue, of.annotator, after=of.after, limit=of.limit, neighbours=of.neighbours)
            return {**found, "left": found["paragraphs"] - found["done"], "items": items}
        return None

    return _answer(_there(await _keeper(state).read(find), "queue"))


def _keeper(state: State) -> Keeper:
    assert state.keeper is not None  # without it there are no such endpoints
    return state.keeper


def _there(found: Any, what: str) -> Any:
    if found is None:
        raise Problem(NOT_FOUND, f"There is no such {what}.")
    return found


def _answer(told: dict[str, Any]) -> Response:
    return Response(to_json(told), media_type="application/json")
