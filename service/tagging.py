"""From the bytes of a document to the bytes of its answer: parsed, split, tagged and told, off the event loop."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import uuid4

import orjson

from classifier import Tagger
from classifier.folder import model_name
from service import answers
from service.bodies import parse
from service.documents import Document, Page, TextOrParagraph, text_of
from service.logs import REQUEST_ID
from service.problems import invalid_field
from service.state import State

_Kind = TypeVar("_Kind", bound=Document)

_log = logging.getLogger("boilertag")


async def tag(raw: bytes, tagger: Tagger, state: State) -> bytes:
    """The answer of /v1/tag to a body.

    Raises:
        Problem: it is no document, or over a limit.
    """

    def tell(document: Document, paragraphs: Sequence[TextOrParagraph]) -> bytes:
        probabilities = tagger.probabilities([paragraphs], context=document.context)
        state.metrics.tagged(tagger.labels, probabilities)
        told = answers.tagged(map(text_of, paragraphs), tagger.labels, probabilities)
        if document.explain:
            _add_reasons(told, tagger, paragraphs, document)
        return to_json({**_head(document, tagger), "paragraphs": told})

    return await _answer(raw, Document, tell, state)


async def clean(raw: bytes, tagger: Tagger, state: State) -> bytes:
    """The answer of /v1/clean to a body.

    Raises:
        Problem: it is no page, over a limit, or to be cleaned by labels or a curve that the model does not have.
    """

    def tell(page: Page, paragraphs: Sequence[TextOrParagraph]) -> bytes:
        if not set(page.keep).issubset(tagger.labels):
            raise invalid_field("keep", f"The labels of this model are {', '.join(tagger.labels)}")
        try:
            keep = tagger.keep(paragraphs, page.keep, page.keep_recall, context=page.context)
        except ValueError as error:
            raise invalid_field("keep_recall", str(error)) from None
        probabilities = tagger.probabilities([paragraphs], context=page.context)
        state.metrics.tagged(tagger.labels, probabilities)
        texts, tags = [*map(text_of, paragraphs)], tagger.tags(probabilities)
        told = [
            answers.removed(i, text, tag)
            for i, (text, tag) in enumerate(zip(texts, tags, strict=True))
            if tag not in keep
        ]
        if page.explain:
            _add_reasons(told, tagger, paragraphs, page)
        return to_json({**_head(page, tagger), "text": answers.cleaned(texts, tags, keep), "removed": told})

    return await _answer(raw, Page, tell, state)


async def _answer(
    raw: bytes, kind: type[_Kind], tell: Callable[[_Kind, Sequence[TextOrParagraph]], bytes], state: State
) -> bytes:
    """What is told of a body's document. It waits in line once; only HTML leaves its thread for another process."""

    def tell_logged(document: _Kind, paragraphs: Sequence[TextOrParagraph]) -> bytes:
        if most := state.settings.max_logged_characters:
            text = "\n".join(map(text_of, paragraphs))[:most]
            _log.info("document", extra={"fields": {"request_id": REQUEST_ID.get(), "text": text}})
        return tell(document, paragraphs)

    def begin() -> bytes | _Kind:
        document = parse(raw, kind)
        return document if document.html is not None else tell_logged(document, document.split(state.settings))

    begun = await state.pool.run(begin)
    if isinstance(begun, bytes):
        return begun
    paragraphs = await begun.split_html(state.pool.splitter, state.settings)
    return await state.pool.run(lambda: tell_logged(begun, paragraphs))


def to_json(answer: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8."""
    try:
        return orjson.dumps(answer)
    except orjson.JSONEncodeError:  # a lone surrogate of the input has no UTF-8, but it has an escape
        return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode("ascii")


def _head(document: Document, tagger: Tagger) -> dict[str, Any]:
    made_up = str(uuid4()) if document.id is None else document.id
    return {"id": made_up, "model": model_name(tagger.manifest)}


def _add_reasons(
    told: Sequence[answers.Removed], tagger: Tagger, paragraphs: Sequence[TextOrParagraph], document: Document
) -> None:
    explained = range(len(paragraphs)) if document.explain is True else set(document.explain or ())
    for one in told:
        if one["index"] in explained:
            one["why"] = answers.why(tagger.explain(paragraphs, one["index"], context=document.context))
