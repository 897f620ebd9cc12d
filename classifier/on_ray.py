"""Scoring on a Ray cluster: files as tasks, and a stage for Ray Data. Needs the extra ``ray``."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from classifier.batch import Job, Progress, Report, score_files
from classifier.errors import BoilertagError, RowError
from classifier.rows.parquet import ArrowBlock, ParquetEncoder, with_columns
from classifier.scoring import Scoring, Settings, Summary, added_columns
from classifier.tagger import Tagger


def score_on_ray(
    jobs: Sequence[Job], tagger: Tagger, settings: Settings, *, progress: Progress | None = None
) -> Report:
    """Does jobs as :func:`classifier.batch.score_files` does, each as a task of a Ray cluster whose nodes share the
    files: the one that Ray is connected to or that ``RAY_ADDRESS`` names, else one of this machine.

    Raises:
        BoilertagError: Ray is not installed, or a job is not one from file to file.
    """
    try:
        import ray
    except ImportError:
        raise BoilertagError("scoring on Ray needs Ray; pip install 'boilertag[ray]'") from None
    if any("-" in (job.target, *job.sources) for job in jobs):
        raise BoilertagError("scoring on Ray goes from files to files, not through standard input or output")
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    do = ray.remote(num_cpus=1)(_do)
    model = ray.put(tagger)
    waiting = {do.remote(_absolute(job), model, settings): job for job in jobs}
    report = Report(Summary.nothing(tagger.labels))
    total = sum(sum(job.sizes()) for job in jobs)
    read = 0
    while waiting:
        (ready,), _ = ray.wait(list(waiting), num_returns=1)
        report.add(ray.get(ready))
        read += sum(waiting.pop(ready).sizes())
        if progress is not None:
            progress(report.summary.rows, read / total if total else None)
    return report


def _do(job: Job, tagger: Tagger, settings: Settings) -> Report:
    return score_files([job], tagger, settings)


def _absolute(job: Job) -> Job:
    return replace(
        job,
        sources=tuple(str(Path(source).absolute()) for source in job.sources),
        target=str(Path(job.target).absolute()),
        rejects=job.rejects and job.rejects.absolute(),
    )


class RowScorer:
    """Adds label, score and probabilities to the paragraph rows of Arrow tables: a stage for Ray Data.

    For rows whose neighbours count, a document must not be cut::

        ds.groupby("doc").map_groups(RowScorer, fn_constructor_kwargs={"order": "n"}, batch_format="pyarrow")

    and for rows that are judged alone::

        ds.map_batches(RowScorer, fn_constructor_kwargs={"context": False}, batch_format="pyarrow", concurrency=8)

    Args:
        model: a model folder; the default model where none is given.
        order: the column that tells the order of a document's rows, which grouping may lose.
        context: whether the document around a paragraph counts.
        text_column: the column that holds the paragraph.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        order: str | None = None,
        context: bool = True,
        text_column: str = "text",
    ) -> None:
        self._tagger = Tagger.load(model)
        self._order = order
        self._settings = Settings(context, text_column)

    def __call__(self, table: Any) -> Any:
        """
        Raises:
            RowError: a row has no text, or the table has a column that scoring adds.
        """
        if self._order is not None:
            table = table.sort_by(self._order)
        block = ArrowBlock("the batch", table, range(1, table.num_rows + 1), None)
        added = added_columns(block.name, block.columns(), self._tagger.labels, self._settings)
        encoder = ParquetEncoder(with_columns(table.schema, added))
        scored = Scoring(self._settings, tuple(added), encoder, block, strict=True).run(self._tagger)
        if isinstance(scored, RowError):
            raise scored
        return scored.encoded
