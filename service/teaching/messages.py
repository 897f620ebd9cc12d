"""What the teaching part of the API takes and answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # Pydantic reads typing's own from Python 3.12 on

from service.documents import AS_IN_JSON, Source, Strict, schema
from service.teaching.documents import NAME

Annotator = Annotated[
    str,
    Field(
        min_length=1, max_length=40, pattern=NAME, description="The name of who labels.", examples=["ada"], strict=True
    ),
]


class KeptDocument(Source):
    """A document to keep: exactly one of ``text``, ``html`` and ``paragraphs``, and where it came from."""

    model_config = schema(
        {"paragraphs": ["Home", "The bridge opens on Monday.", "Subscribe"], "name": "bridge.html"},
        {"html": "<h1>The bridge opens</h1><p>It took two years to build.</p>", "site": "bridge.example", "lang": "en"},
    )

    name: str | None = Field(None, min_length=1, max_length=200, description="What people call it.")
    site: str | None = Field(
        None, min_length=1, max_length=200, pattern=NAME, description="Its site; models are judged on unseen ones."
    )
    lang: str | None = Field(None, min_length=1, max_length=35, pattern=NAME, description="Its language.")


class Correction(Strict):
    """A label that an annotator gives a paragraph; the model's own where it is right."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"annotator": "ada", "document": "d0123456789abcdef", "index": 2, "label": "appeal"}]
        }
    )

    annotator: Annotator
    document: str = Field(max_length=40, description="The id of a document that is kept.")
    index: Annotated[int, AS_IN_JSON] = Field(
        ge=0, le=2**31, description="The paragraph's place in the document, from 0."
    )
    label: str = Field(max_length=200, description="One of the model's labels.")


class Confirmation(Strict):
    """Who agrees with the model."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"annotator": "ada"}]})

    annotator: Annotator


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Nothing(_Parameters):
    """There are no parameters."""


class ByAnnotator(_Parameters):
    """Whose: everybody's where there is no name."""

    annotator: Annotator | None = None


class Mine(_Parameters):
    """Whose."""

    annotator: Annotator


class Newest(ByAnnotator):
    """Which corrections."""

    limit: int = Field(50, ge=1, le=200, description="How many at most.")
    before: int | None = Field(None, ge=1, lt=2**63, description="Only those older than the one with this id.")


class Upload(_Parameters):
    """What is uploaded."""

    name: str = Field(
        min_length=1,
        max_length=200,
        description="The file's name, whose ending says what it holds: rows (.csv, .tsv, .jsonl; each also .gz or "
        ".zst), HTML (.html), else text.",
        examples=["page.txt"],
    )


class Upcoming(Mine):
    """Who labels, and how much is handed out."""

    limit: int = Field(10, ge=1, le=50, description="How many paragraphs at most.")
    after: int = Field(-1, ge=-1, lt=2**63, description="Only paragraphs behind this rank, to pass over some.")
    neighbours: int = Field(3, ge=0, le=10, description="How many paragraphs around each come with it, on each side.")


class KeptAnswer(TypedDict):
    """The document's id, the same for the same paragraphs, and the model whose labels are kept with it."""

    id: str
    model: str
    paragraphs: int


class DocumentParagraph(TypedDict):
    """A paragraph, the model's label with its probability, and the label that the annotator gives it now."""

    index: int
    text: str
    tag: str | None
    link_density: float | None
    label: str
    score: float
    given: str | None


class DocumentAnswer(TypedDict):
    """A document as it is kept."""

    id: str
    name: str | None
    site: str | None
    lang: str | None
    model: str
    paragraphs: list[DocumentParagraph]


class ConfirmationAnswer(TypedDict):
    """The correction that holds all confirmed paragraphs, none where nothing was left to confirm."""

    id: int | None
    paragraphs: int


class CorrectionAnswer(TypedDict):
    """A correction. Where it confirms the rest of a document, ``index`` to ``old_score`` are null. ``counts`` is false
    where the annotator has said something newer of all its paragraphs.
    """

    id: int
    at: str
    annotator: str
    document: str
    name: str | None
    model: str
    paragraphs: int
    index: int | None
    text: str | None
    label: str | None
    old_label: str | None
    old_score: float | None
    counts: bool


class CorrectionsAnswer(TypedDict):
    """Corrections, newest first; ``next`` is what ``before`` must be for those behind them."""

    corrections: list[CorrectionAnswer]
    next: int | None


class UndoneAnswer(TypedDict):
    """The correction, and when it was undone."""

    id: int
    undone: str


class AnnotatorAnswer(TypedDict):
    """How many paragraphs an annotator has labelled."""

    annotator: str
    paragraphs: int


class LabelAgreement(TypedDict):
    """How often each of two gave a label, how often both did, and the share in which the other one agreed."""

    label: str
    counts: list[int]
    both: int
    agreement: float


class PairAnswer(TypedDict):
    """Two annotators, and how far they agree on the paragraphs that both have labelled. ``kappa`` is Cohen's; null
    where it is not defined, as both gave one and the same label only.
    """

    annotators: list[str]
    paragraphs: int
    agreed: int
    agreement: float
    kappa: float | None
    labels: list[LabelAgreement]


class AgreementAnswer(TypedDict):
    """All annotators, and every two of them that have labelled a paragraph in common."""

    annotators: list[AnnotatorAnswer]
    pairs: list[PairAnswer]


class QueueAnswer(TypedDict):
    """A queue; ``done`` is how many of its paragraphs the annotator has labelled."""

    id: str
    name: str
    at: str
    documents: int
    paragraphs: int
    done: int | None


class QueuesAnswer(TypedDict):
    """The queues, newest first."""

    queues: list[QueueAnswer]


class Neighbour(TypedDict):
    """A paragraph around one that is to be labelled, with the model's label."""

    index: int
    text: str
    label: str
    score: float


class Item(TypedDict):
    """A paragraph to label, with the model's label. ``margin`` is how much likelier it is than the next."""

    rank: int
    document: str
    name: str | None
    index: int
    text: str
    tag: str | None
    link_density: float | None
    label: str
    score: float
    margin: float
    before: list[Neighbour]
    after: list[Neighbour]


class UpcomingAnswer(QueueAnswer):
    """A queue, and what an annotator is to label next of it: the paragraphs of which the model is least sure."""

    left: int
    items: list[Item]
