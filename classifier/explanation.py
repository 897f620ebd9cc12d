"""Why a paragraph got its label: its own words and shape, and its neighbours, with weights."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from classifier import features, kernel
from classifier.folder import Model
from classifier.paragraphs import Paragraph

REACH: Final = 6  # neighbours looked at on each side
MAX_WORDS: Final = 8  # words taken away together, to see whether the label changes


@dataclass(frozen=True, slots=True)
class Reason:
    """A feature of the paragraph itself.

    Attributes:
        kind: ``"word"`` for one or two tokens, ``"char"`` for a run of characters, ``"shape"`` for a trait of it all.
        name: the n-gram or the trait; a space at an n-gram's end is the paragraph's or the word's edge.
        weight: what it adds to the label's log-odds, against the mean of all labels.
    """

    kind: Literal["word", "char", "shape"]
    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another paragraph of the document.

    Attributes:
        index: its place in the document.
        weight: what the label's log-odds lose when it is taken away.
        label: the label that is given when it is taken away.
    """

    index: int
    weight: float
    label: str


@dataclass(frozen=True, slots=True)
class Change:
    """A few words without which the paragraph gets another label: the strongest, less those that may as well stay.

    Attributes:
        words: the words, as the paragraph spells them first.
        label: the label given without them.
        score: its probability.
    """

    words: tuple[str, ...]
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a paragraph got its label.

    Attributes:
        label: the label given.
        score: its probability.
        alone: the probability of every label by the paragraph model, without the document around it.
        reasons: the paragraph's own features, strongest first.
        neighbours: the paragraphs around it, strongest first; empty without context.
        change: words that the label hangs on; None where no few do.
    """

    label: str
    score: float
    alone: dict[str, float]
    reasons: tuple[Reason, ...]
    neighbours: tuple[Neighbour, ...]
    change: Change | None


def explain(
    model: Model,
    vocabulary: dict[tuple[str, str], int],
    probabilities: Callable[[Sequence[Paragraph], bool], NDArray[np.float64]],
    paragraphs: Sequence[Paragraph],
    i: int,
    context: bool,
) -> Explanation:
    """Explains paragraph ``i`` of a document, given what computes the probabilities of a document's paragraphs."""
    if not 0 <= i < len(paragraphs):
        raise IndexError(f"no paragraph {i}: the document has {len(paragraphs)}")
    scores = probabilities(paragraphs, context)[i]
    label = int(scores.argmax())
    alone = probabilities([paragraphs[i]], False)[0]
    neighbours = []
    if context:
        for j in range(max(0, i - REACH), min(len(paragraphs), i + REACH + 1)):
            if j != i:
                without = [*paragraphs[:j], *paragraphs[j + 1 :]]
                other = probabilities(without, True)[i - (j < i)]
                weight = _log_odds(scores[label]) - _log_odds(other[label])
                neighbours.append(Neighbour(j, weight, model.labels[int(other.argmax())]))
    reasons = _by_weight(_reasons(model, vocabulary, paragraphs[i].text, label))

    def retagged(text: str) -> tuple[str, float]:
        """The label, and its probability, that the paragraph has with another text."""
        changed = [*paragraphs[:i], replace(paragraphs[i], text=text), *paragraphs[i + 1 :]]
        p = probabilities(changed, context)[i]
        return model.labels[int(p.argmax())], float(p.max())

    return Explanation(
        label=model.labels[label],
        score=float(scores[label]),
        alone=dict(zip(model.labels, alone.tolist(), strict=True)),
        reasons=reasons,
        neighbours=_by_weight(neighbours),
        change=_change(paragraphs[i].text, model.labels[label], reasons, retagged),
    )


_Weighed = TypeVar("_Weighed", Reason, Neighbour)


def _by_weight(found: list[_Weighed]) -> tuple[_Weighed, ...]:
    return tuple(sorted(found, key=lambda one: -abs(one.weight)))


def _log_odds(p: float) -> float:
    p = min(max(p, 1e-12), 1 - 1e-12)
    return math.log(p / (1 - p))


def vocabulary(model: Model) -> dict[tuple[str, str], int]:
    """Where each n-gram of each channel stands in the model."""
    w = model.paragraph
    return {("word" if i < w.n_words else "char", ngram): i for i, ngram in enumerate(w.ngrams)}


def _reasons(model: Model, places: dict[tuple[str, str], int], text: str, label: int) -> list[Reason]:
    w = model.paragraph
    reasons = []
    for channel in ("word", "char"):
        counts = Counter(ngram for ngram in features.NGRAMS[channel](text) if (channel, ngram) in places)
        values = {ngram: (1 + math.log(n)) * float(w.idf[places[channel, ngram]]) for ngram, n in counts.items()}
        norm = math.sqrt(sum(value * value for value in values.values()))
        length = features.pivoted(norm)
        for ngram, value in values.items():
            row = w.weights[places[channel, ngram]]
            reasons.append(Reason(channel, ngram, value / length * float(row[label] - row.mean())))
    for i in kernel.shape_bins([text])[0]:
        row = w.shape[i]
        reasons.append(Reason("shape", features.SHAPE_NAMES[i], float(row[label] - row.mean())))
    return reasons


def _change(
    text: str, label: str, reasons: Sequence[Reason], retagged: Callable[[str], tuple[str, float]]
) -> Change | None:
    """Finds the words by halving how many of the strongest are taken away, then putting back one after the other."""
    credit = _credit(text, reasons)
    words = sorted((word for word in credit if credit[word] > 0), key=lambda word: -credit[word])[:MAX_WORDS]

    def tips(chosen: Sequence[str]) -> bool:
        left = features.without_words(text, chosen)
        return bool(left) and retagged(left)[0] != label

    most = next((n for n in range(len(words), 0, -1) if features.without_words(text, words[:n])), 0)
    if not tips(words[:most]):
        return None
    needed = words[: 1 + bisect_left(range(1, most), True, key=lambda n: tips(words[:n]))]
    while fewer := next(filter(tips, _one_less(needed)), None):
        needed = fewer
    spelled = features.words(text)
    return Change(tuple(spelled[word] for word in needed), *retagged(features.without_words(text, needed)))


def _one_less(words: Sequence[str]) -> Iterator[list[str]]:
    """The words without the last, without the last but one, and so on; nothing where there is one word."""
    for i in reversed(range(len(words) if len(words) > 1 else 0)):
        yield [*words[:i], *words[i + 1 :]]


def _credit(text: str, reasons: Sequence[Reason]) -> dict[str, float]:
    """By word, the weights of the runs of characters in it, and of the words and pairs of words that it is in."""
    of_runs = {reason.name: reason.weight for reason in reasons if reason.kind == "char"}
    credit = {word: sum(of_runs.get(run, 0.0) for run in features.runs(word)) for word in features.words(text)}
    for reason in reasons:
        if reason.kind == "word":
            for word in reason.name.split():
                if word in credit:
                    credit[word] += reason.weight
    return credit
