"""What is said of paragraphs to programs: plain containers for JSON, whose types are the API's documentation too."""

from collections.abc import Iterable, Sequence
from typing import Final, NotRequired

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict  # Pydantic reads typing's own from Python 3.12 on

from classifier import Explanation, Keep, Tag

MAX_REASONS: Final = 20  # of a paragraph's own features, those that weigh most


class ReasonAnswer(TypedDict):
    """A word, run of characters or trait ("shape") of the paragraph; its weight is what it adds to the label's
    log-odds, against the mean of all labels.
    """

    kind: str
    name: str
    weight: float


class NeighbourAnswer(TypedDict):
    """A paragraph around it; its weight is what the label's log-odds lose without it, ``label`` what is given then."""

    index: int
    weight: float
    label: str


class ChangeAnswer(TypedDict):
    """A few words without which the paragraph gets another label."""

    words: list[str]
    label: str
    score: float


class Why(TypedDict):
    """What made the label, strongest first. ``alone`` has the probabilities without the document around it; ``change``
    is null where the label hangs on no few words.
    """

    alone: dict[str, float]
    reasons: list[ReasonAnswer]
    neighbours: list[NeighbourAnswer]
    change: ChangeAnswer | None


class Removed(TypedDict):
    """A paragraph that was not kept: its place in the document from 0, its text, label and the label's probability;
    ``why`` only with ``explain``.
    """

    index: int
    text: str
    label: str
    score: float
    why: NotRequired[Why]


class Tagged(Removed):
    """A paragraph and its tag; ``scores`` are the probabilities of all labels."""

    scores: dict[str, float]


class TagAnswer(TypedDict):
    """A document's paragraphs, in order. ``model`` is the first 12 hex digits of the model file's sha256."""

    id: str
    model: str
    paragraphs: list[Tagged]


class CleanAnswer(TypedDict):
    """What is left of a document: the kept paragraphs with a blank line between, and those removed."""

    id: str
    model: str
    text: str
    removed: list[Removed]


def removed(index: int, text: str, tag: Tag) -> Removed:
    """A paragraph as it is told of when it is not kept."""
    return {"index": index, "text": text, "label": tag.label, "score": tag.score}


def tagged(texts: Iterable[str], labels: Sequence[str], probabilities: NDArray[np.float64]) -> list[Tagged]:
    """A document's paragraphs as they are told of with their tags, from their probabilities: shape (n_paragraphs,
    n_labels).
    """
    rows = zip(texts, probabilities.argmax(axis=1).tolist(), probabilities.tolist(), strict=True)
    return [
        {"index": i, "text": text, "label": labels[best], "score": row[best], "scores": dict(zip(labels, row))}  # noqa: B905, which takes half as long again
        for i, (text, best, row) in enumerate(rows)
    ]


def why(explanation: Explanation) -> Why:
    """An explanation as it is told, its strongest reasons only."""
    change = explanation.change
    return {
        "alone": explanation.alone,
        "reasons": [
            {"kind": reason.kind, "name": reason.name, "weight": reason.weight}
            for reason in explanation.reasons[:MAX_REASONS]
        ],
        "neighbours": [
            {"index": one.index, "weight": one.weight, "label": one.label} for one in explanation.neighbours
        ],
        "change": {"words": list(change.words), "label": change.label, "score": change.score} if change else None,
    }


def cleaned(texts: Sequence[str], tags: Sequence[Tag], keep: Keep) -> str:
    """The text of the paragraphs that are kept, a blank line between."""
    return "\n\n".join(text for text, tag in zip(texts, tags, strict=True) if tag in keep)
