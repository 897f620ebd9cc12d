"""Blocks for datatrove pipelines: one that tags a document's paragraphs, one that drops some. Needs the extra
``datatrove``.
"""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Final

from datatrove.data import DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

from classifier.paragraphs import Split, split_text
from classifier.tagger import Tagger

LABELS: Final = "paragraph_labels"
SCORES: Final = "paragraph_scores"
_TOGETHER: Final = 100  # documents tagged at once


class ParagraphTagger(PipelineStep):  # type: ignore[misc]
    """Splits each document's text and puts its paragraphs' labels and their scores into its metadata, as
    ``paragraph_labels`` and ``paragraph_scores``.

    Args:
        model: a model folder; the default model where none is given.
        split: what ends a paragraph.
        context: whether the document around a paragraph counts.
    """

    name = "🏷 boilertag"
    type = "✂️ - PARAGRAPHS"

    def __init__(self, model: str | Path | None = None, split: Split = "auto", context: bool = True) -> None:
        super().__init__()
        self._model = model
        self._split = split
        self._context = context

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        tagger = Tagger.load(self._model)
        documents = iter(data)
        while some := list(islice(documents, _TOGETHER)):
            with self.track_time():
                split = [split_text(document.text, self._split) for document in some]
                tagged = tagger.tag_documents(split, context=self._context)
                for document, tags in zip(some, tagged, strict=True):
                    document.metadata[LABELS] = [tag.label for tag in tags]
                    document.metadata[SCORES] = [round(tag.score, 6) for tag in tags]
                    for tag in tags:
                        self.stat_update(tag.label)
            yield from some


class ParagraphFilter(PipelineStep):  # type: ignore[misc]
    """Leaves of each document's text the paragraphs whose label is in ``keep``, a blank line between, and of its
    documents those of which anything is left. Stands behind :class:`ParagraphTagger`.

    Args:
        keep: the labels.
        split: as the tagger's.
    """

    name = "🏷 boilertag"
    type = "🔻 - FILTER"

    def __init__(self, keep: Iterable[str] = ("content",), split: Split = "auto") -> None:
        super().__init__()
        self._keep = frozenset(keep)
        self._split = split

    def run(self, data: DocumentsPipeline, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        for document in data:
            with self.track_time():
                paragraphs = split_text(document.text, self._split)
                labels, scores = (document.metadata[name] for name in (LABELS, SCORES))
                kept = [i for i, label in enumerate(labels) if label in self._keep]
                document.text = "\n\n".join(paragraphs[i].text for i in kept)
                document.metadata[LABELS] = [labels[i] for i in kept]
                document.metadata[SCORES] = [scores[i] for i in kept]
                self.stat_update("paragraphs kept", value=len(kept))
                self.stat_update("paragraphs dropped", value=len(labels) - len(kept))
            if kept:
                yield document
            else:
                self.stat_update("documents dropped")
