"""The public face: a fitted model that tags the paragraphs of documents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeGuard

import numpy as np
from numpy.typing import NDArray

from classifier import context as context_model
from classifier import folder
from classifier.batches import batches
from classifier.context import Surroundings
from classifier.echoes import echoes
from classifier.errors import ModelError
from classifier.explanation import Explanation, explain, vocabulary
from classifier.kernel import Kernel, join, lengths_of
from classifier.paragraphs import (
    Paragraph,
    Split,
    as_link_density,
    decode,
    has_hints,
    looks_like_html,
    split_html,
    split_text,
)
from classifier.thresholds import Mode, threshold

DEFAULT_MODEL: Final = Path(__file__).with_name("model")


class Tag(NamedTuple):
    """What a paragraph was found to be.

    Attributes:
        label: the likeliest label.
        score: its probability.
        scores: the probability of every label.
    """

    label: str
    score: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Keep:
    """Which paragraphs of a document cleaning keeps; ``tag in keep`` asks of one.

    Attributes:
        labels: the labels to keep.
        threshold: where there is one, what the probabilities of these labels must add up to; else a paragraph is kept
            if one of them is its likeliest label.
    """

    labels: frozenset[str]
    threshold: float | None = None

    def __contains__(self, tag: Tag) -> bool:
        if self.threshold is None:
            return tag.label in self.labels
        return sum(tag.scores[label] for label in self.labels) >= self.threshold


# A paragraph as callers have it: its text, a row with "text" and perhaps "tag" and "link_density", or a Paragraph.
Given = str | Mapping[str, Any] | Paragraph


def as_paragraph(given: Given) -> Paragraph:
    """The paragraph that is given; a link density that is empty or not a number counts as unknown.

    Raises:
        TypeError: it is nothing that holds a text.
        ValueError: its link density is no share from 0 to 1.
    """
    if isinstance(given, Paragraph):
        return given
    if isinstance(given, str):
        return Paragraph(given)
    if not isinstance(given, Mapping):
        raise TypeError(f"a paragraph is a text, a row or a Paragraph, not {type(given).__name__}")
    text, tag, density = given.get("text"), given.get("tag"), given.get("link_density")
    if not isinstance(text, str):
        raise TypeError(f"a paragraph's text must be a string, not {type(text).__name__}")
    return Paragraph(text, str(tag).lower() if tag else None, as_link_density(density))


def _are_texts(document: Sequence[Given]) -> TypeGuard[Sequence[str]]:
    """To build a Paragraph takes longer than to score its text."""
    return {*map(type, document)} == {str}


BLOCK: Final = 1000  # paragraphs that are judged together: enough to be fast, few enough for the processor's caches


def _hints(paragraphs: Sequence[Paragraph]) -> context_model.Hints:
    return context_model.hints((p.tag or "" for p in paragraphs), (p.link_density or 0.0 for p in paragraphs))


class Tagger:
    """Tags paragraphs with a fitted model. Safe to use from several threads at once."""

    def __init__(self, model: folder.Model) -> None:
        self._model = model
        self._kernel = Kernel(model.paragraph)
        self._vocabulary: dict[tuple[str, str], int] | None = None

    def __reduce__(self) -> tuple[type[Self], tuple[folder.Model]]:
        return type(self), (self._model,)  # for other processes, which lay out their own tables

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """Reads a model folder; the default model where none is given.

        Raises:
            ModelError: the folder is missing, damaged or not to be trusted.
        """
        chosen = Path(path) if path is not None else DEFAULT_MODEL
        model = folder.read(chosen)
        try:
            return cls(model)
        except ValueError as error:
            raise ModelError(f"{chosen}: {error}") from None

    @property
    def labels(self) -> tuple[str, ...]:
        return self._model.labels

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self._model.manifest

    def probabilities(self, documents: Iterable[Sequence[Given]], *, context: bool = True) -> NDArray[np.float64]:
        """The probabilities of all paragraphs of many documents: shape (n_paragraphs, n_labels), rows add up to 1.

        Faster than tagging one document at a time. HTML hints count in documents where every paragraph has them.
        """
        parts = [self._judged(block, context) for block in batches(documents, BLOCK)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.labels)))

    def _judged(self, documents: Sequence[Sequence[Given]], context: bool) -> NDArray[np.float64]:
        texts: list[str] = []
        in_html: list[bool] = []
        hinted: list[Paragraph] = []
        for document in documents:
            if _are_texts(document):
                texts += document
                in_html.append(False)
                continue
            paragraphs = [*map(as_paragraph, document)]
            texts += [paragraph.text for paragraph in paragraphs]
            in_html.append(self._mode(paragraphs, context) == "html")
            if in_html[-1]:
                hinted += paragraphs
        codes, ends = join(texts)
        logits = self._kernel.score(codes, ends)
        if context and self._model.text_passes:
            sizes = np.fromiter(map(len, documents), np.int64, len(documents))
            logits = self._in_context(logits, codes, ends, sizes, np.array(in_html), hinted)
        return context_model.softmax(logits)

    def _in_context(
        self,
        logits: NDArray[np.float64],
        codes: NDArray[np.uint32],
        ends: NDArray[np.int64],
        sizes: NDArray[np.int64],
        in_html: NDArray[np.bool_],
        hinted: Sequence[Paragraph],
    ) -> NDArray[np.float64]:
        lengths = lengths_of(ends).astype(np.float64)
        returns = echoes(codes, ends, np.cumsum([0, *sizes]))
        out = np.empty_like(logits)
        for html, passes in ((False, self._model.text_passes), (True, self._model.html_passes)):
            chosen = in_html == html
            if not chosen.any():
                continue
            rows = slice(None) if chosen.all() else np.repeat(chosen, sizes)
            part = Surroundings(
                lengths=lengths[rows],
                echoes=returns[rows],
                starts=np.cumsum([0, *sizes[chosen]]),
                hints=_hints(hinted) if html else None,
            )
            out[rows] = context_model.run(passes, part, logits[rows])
        return out

    def tag_documents(self, documents: Sequence[Sequence[Given]], *, context: bool = True) -> list[list[Tag]]:
        """The tags of many documents' paragraphs, in order."""
        tags = iter(self.tags(self.probabilities(documents, context=context)))
        return [[next(tags) for _ in document] for document in documents]

    def tag(self, paragraphs: Sequence[Given], *, context: bool = True) -> list[Tag]:
        """The tags of one document's paragraphs, in order; with ``context=False``, of each paragraph on its own."""
        return self.tags(self.probabilities([paragraphs], context=context))

    def tag_text(self, text: str, *, split: Split = "auto", context: bool = True) -> list[tuple[Paragraph, Tag]]:
        """Splits a plain text and tags its paragraphs."""
        paragraphs = split_text(text, split)
        return list(zip(paragraphs, self.tag(paragraphs, context=context), strict=True))

    def tag_html(self, html: str | bytes, *, context: bool = True) -> list[tuple[Paragraph, Tag]]:
        """Splits a page's HTML and tags its paragraphs."""
        paragraphs = split_html(html)
        return list(zip(paragraphs, self.tag(paragraphs, context=context), strict=True))

    def clean(self, page: str | bytes, *, keep: Iterable[str] = ("content",), keep_recall: float | None = None) -> str:
        """The paragraphs of a page, text or HTML, whose label is in ``keep``, with a blank line between.

        With ``keep_recall``, such as 0.999, a paragraph is removed only if it is so unlikely to be of the one label in
        ``keep`` that no more than the rest of that label's characters, 0.001, is lost, as measured on held-out sites.

        Raises:
            ValueError: ``keep`` names a label that the model does not have, or, with ``keep_recall``, more than one;
                ``keep_recall`` is not between 0 and 1.
            ModelError: the model's manifest has no curve to choose the threshold from.
        """
        if looks_like_html(page):
            paragraphs = split_html(page)
        else:
            paragraphs = split_text(page if isinstance(page, str) else decode(page))
        kept = self.keep(paragraphs, keep, keep_recall)
        return "\n\n".join(
            paragraph.text for paragraph, tag in zip(paragraphs, self.tag(paragraphs), strict=True) if tag in kept
        )

    def keep(
        self,
        paragraphs: Sequence[Given],
        labels: Iterable[str] = ("content",),
        recall: float | None = None,
        *,
        context: bool = True,
    ) -> Keep:
        """What ``clean`` keeps of a document: the labels, and the threshold of the mode that the document is judged in.

        Raises:
            ValueError, ModelError: as ``clean`` does.
        """
        chosen = self.check_labels(labels)
        if recall is None:
            return Keep(chosen)
        if len(chosen) != 1:
            raise ValueError(f"keep_recall needs one label to keep, whose text it is a share of, not {len(chosen)}")
        (label,) = chosen
        mode = self._mode([*map(as_paragraph, paragraphs)], context)
        return Keep(chosen, threshold(self.manifest, mode, label, recall))

    def _mode(self, paragraphs: Sequence[Paragraph], context: bool) -> Mode:
        """What the document's paragraphs are judged by."""
        if not context or not self._model.text_passes:
            return "paragraph"
        return "html" if self._model.html_passes and has_hints(paragraphs) else "text"

    def check_labels(self, labels: Iterable[str]) -> frozenset[str]:
        """
        Raises:
            ValueError: one of the labels is not the model's.
        """
        chosen = frozenset(labels)
        if unknown := chosen.difference(self.labels):
            raise ValueError(f"no label {sorted(unknown)[0]!r} in this model; it has {', '.join(self.labels)}")
        return chosen

    def explain(self, paragraphs: Sequence[Given], i: int, *, context: bool = True) -> Explanation:
        """What made the label of paragraph ``i`` of a document, with weights.

        Raises:
            IndexError: there is no paragraph ``i``.
        """
        if self._vocabulary is None:
            self._vocabulary = vocabulary(self._model)
        return explain(
            self._model,
            self._vocabulary,
            lambda document, in_context: self.probabilities([document], context=in_context),
            [as_paragraph(given) for given in paragraphs],
            i,
            context,
        )

    def tags(self, probabilities: NDArray[np.float64]) -> list[Tag]:
        """The tags that probabilities of paragraphs make."""
        labels = self.labels
        best = probabilities.argmax(axis=1)
        return [
            Tag(labels[k], row[k], dict(zip(labels, row)))  # noqa: B905, which takes half as long again
            for k, row in zip(best.tolist(), probabilities.tolist(), strict=True)
        ]
