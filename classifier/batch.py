"""Scoring of files: from row files and web archives, however many, to scored rows or cleaned documents."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

from classifier.errors import BadRowError, RowError
from classifier.journal import Journal
from classifier.rows import RowReader, RowWriter, split_name
from classifier.rows import blocks as row_blocks
from classifier.rows.blocks import Block, PlainBlock
from classifier.rows.documents import TEXT
from classifier.rows.names import STANDARD
from classifier.rows.writing import remove_parts
from classifier.scoring import Scored, Scoring, Settings, Summary, added_columns, sifted
from classifier.tagger import Tagger
from classifier.workers import in_order

REJECTS: Final = ".rejects.jsonl"

# Called with the rows written so far and the share of the input read, 0 to 1, or None where that can't be known.
Progress = Callable[[int, float | None], None]


@dataclass(frozen=True)
class Job:
    """An output file and what goes into it.

    Attributes:
        sources: files to read, in order; ``-`` is standard input.
        target: the file to write; ``-`` is standard output.
        rejects: where rows that can't be read or written go, as JSON lines; without it the first one is an error.
    """

    sources: tuple[str, ...]
    target: str
    rejects: Path | None = None

    def sizes(self) -> list[int]:
        """Bytes of the sources; 0 where that can't be known."""
        return [Path(one).stat().st_size if one != STANDARD and Path(one).exists() else 0 for one in self.sources]


@dataclass
class Report:
    """What became of jobs.

    Attributes:
        summary: of all that were done.
        rejects: the files of rejects that they have.
        failed: the others, and why.
    """

    summary: Summary
    rejects: list[Path] = field(default_factory=list)
    failed: list[tuple[Job, RowError]] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        self.summary += other.summary
        self.rejects += other.rejects
        self.failed += other.failed


# -- What is to be done ---------------------------------------------------------------------------------------------


def plan(inputs: Sequence[str], output: str, form: str | None = None) -> list[Job]:
    """The jobs that make an output of inputs.

    Args:
        inputs: files, folders (all row files and archives in them, at any depth), patterns, or ``-``.
        output: a file for all; or a folder, which ends with a slash, exists, or has no row file's name: then each input
            has its own file there, where it lay in its folder.
        form: how the names of files in that folder end, such as ``jsonl.zst``; else as the input's, archives as .jsonl.

    Raises:
        RowError: there is no such input, or an output would take the place of an input or of another output.
    """
    into_folder = output != STANDARD and (output.endswith("/") or Path(output).is_dir() or not _is_row_file(output))
    found = [place for one in inputs for place in _found(one, Path(output) if into_folder else None)]
    if not into_folder:
        jobs = [Job(tuple(str(path) for path, _ in found), output, _rejects(output))]
    else:
        jobs = []
        for path, inside in found:
            if str(path) == STANDARD:
                raise RowError(f"standard input can't go into a folder; name a file, not {output}")
            target = Path(output) / _renamed(inside, form)
            jobs.append(Job((str(path),), str(target), _rejects(str(target))))
    _check_apart(jobs)
    return jobs


def _found(given: str, output: Path | None) -> list[tuple[Path, Path]]:
    """The files of an input, each with its path inside it."""
    path = Path(given)
    if given == STANDARD or path.is_file():
        return [(path, Path(path.name))]
    if path.is_dir():
        folder, pattern = path, "**/*"
    elif parts := [i for i, part in enumerate(path.parts) if any(sign in part for sign in "*?[")]:
        folder, pattern = Path(*path.parts[: parts[0]]), str(Path(*path.parts[parts[0] :]))
    else:
        raise RowError(f"{given}: no such file")
    files = sorted(one for one in folder.glob(pattern) if _is_input(one) and output not in one.parents)
    if not files:
        raise RowError(f"{given}: no row files or archives there")
    return [(one, one.relative_to(folder)) for one in files]


def _is_input(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and not path.name.endswith(REJECTS) and _is_row_file(path)


def _is_row_file(path: str | Path) -> bool:
    try:
        split_name(path)
    except RowError:
        return False
    return True


def _renamed(path: Path, form: str | None) -> Path:
    kind, packing = split_name(path)
    if form is None and kind != "warc":
        return path
    form = form.removeprefix(".") if form is not None else f"jsonl{packing}"
    return path.with_name(f"{_stem(path)}.{form}")


def _stem(path: Path) -> str:
    _, packing = split_name(path)
    return Path(path.name[: len(path.name) - len(packing)]).stem


def _rejects(target: str) -> Path | None:
    return None if target == STANDARD else Path(target).with_name(_stem(Path(target)) + REJECTS)


def _check_apart(jobs: Sequence[Job]) -> None:
    sources = {Path(source).resolve(): source for job in jobs for source in job.sources if source != STANDARD}
    targets: dict[Path, Job] = {}
    for job in jobs:
        for target in (Path(job.target), job.rejects):
            if target is None or job.target == STANDARD:
                continue
            place = target.resolve()
            if place in sources:
                raise RowError(f"{sources[place]} would be written over; name another output")
            if place in targets:
                raise RowError(f"{targets[place].sources[0]} and {job.sources[0]} would both be written to {target}")
            targets[place] = job


# -- How it is done -------------------------------------------------------------------------------------------------


def score_file(
    source: str | Path,
    target: str | Path,
    tagger: Tagger,
    *,
    context: bool = True,
    workers: int = 1,
    text_column: str = TEXT,
    keep: Collection[str] | None = None,
    rejects: str | Path | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Scores a row file into another, of the same format or another one.

    Behind the input's columns come ``label``, ``score``, its probability, and one ``p_<label>`` a label, rounded to six
    digits; where the input has a ``label``, ours is ``predicted``. The target appears when it is whole, and is the same
    for any number of workers.

    Args:
        source: the file to read, or ``-`` for JSON lines on standard input.
        target: the file to write, or ``-`` for JSON lines on standard output.
        tagger: the model.
        context: whether the document around a paragraph counts; without, each paragraph is judged alone.
        workers: how many processes score at once; one scores in this process.
        text_column: the column that holds the paragraph.
        keep: where given, documents are written in place of rows: the paragraphs with these labels as one text, the
            columns in which all rows agree, how many ``paragraphs`` there were and how many were ``kept``.
        rejects: where rows that can't be read or written go; without it the first one is an error.
        progress: called after each block of rows.

    Raises:
        RowError: the input or one of its rows can't be read, it has a column that scoring would add, or the output
            can't be written.
        ValueError: ``workers`` is less than one, or ``keep`` names a label that the model does not have.
    """
    settings = Settings(context, text_column, None if keep is None else tagger.check_labels(keep))
    job = Job((str(source),), str(target), None if rejects is None else Path(rejects))
    report = score_files([job], tagger, settings, workers=workers, resume=False, progress=progress)
    if report.failed:
        raise report.failed[0][1]
    return report.summary


def score_files(
    jobs: Sequence[Job],
    tagger: Tagger,
    settings: Settings,
    *,
    workers: int = 1,
    resume: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Does jobs, as one stream of blocks through all workers. A job that fails leaves no output and holds up no other.

    Args:
        jobs: what to do.
        tagger: the model.
        settings: what to do with the rows.
        workers: how many processes score at once; one scores in this process.
        progress: called after each block of rows.
        resume: whether to keep a journal beside each output, and to go on where one of the same job ends. They stay
            until :func:`forget` is called, so that a run of many jobs knows which are done.

    Raises:
        ValueError: ``workers`` is less than one.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    report = Report(Summary.nothing(tagger.labels))
    total = sum(sum(job.sizes()) for job in jobs)
    under_way: list[_Run] = []

    def tasks() -> Iterator[tuple[tuple[_Run, float | None], Scoring | _End]]:
        done = 0
        for job in jobs:
            run = _Run(job, settings, tagger, resume)
            under_way.append(run)
            for task, read in run.tasks():
                yield (run, (done + read) / total if read is not None and total else None), task
            done += sum(job.sizes())
            yield (run, done / total if total else None), _End()

    try:
        for (run, share), scored in in_order(tasks(), tagger, workers):
            if scored is None:
                under_way.remove(run)
                report.add(run.finish())
                continue
            run.put(scored)
            if progress is not None:
                progress(report.summary.rows + run.summary.rows, share)
    finally:
        for run in under_way:
            run.abort()
    return report


def forget(jobs: Iterable[Job]) -> None:
    """Removes the journals of jobs."""
    for job in jobs:
        if job.target != STANDARD:
            Journal.path_of(Path(job.target)).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _End:
    """Stands behind a job's last block."""

    def run(self, tagger: Tagger) -> None:
        return None


class _Run:
    """A job under way. Its tasks are made ahead of what is put."""

    def __init__(self, job: Job, settings: Settings, tagger: Tagger, resume: bool) -> None:
        self._job = job
        self._settings = settings
        self._tagger = tagger
        self._resume = resume and STANDARD not in (job.target, *job.sources)
        self._journal: Journal | None = None
        self._files = ExitStack()
        self._rejects: RowWriter | None = None
        self._failure: RowError | None = None
        self.summary = Summary.nothing(tagger.labels)

    def tasks(self) -> Iterator[tuple[Scoring, float | None]]:
        """What is to be scored, each with the bytes of the sources read until then."""
        try:
            yield from self._tasks()
        except RowError as error:
            self._failure = error

    def _tasks(self) -> Iterator[tuple[Scoring, float | None]]:
        target = Path(self._job.target)
        if self._resume:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._journal = Journal(target, self._fingerprint())
            if self._journal.done is not None:
                self.summary = Summary(**self._journal.done)
                return
            remove_parts(target)
        blocks = self._blocks()
        held, first = self._first(blocks)
        added, columns = self._columns(first)
        self._writer = self._files.enter_context(RowWriter(self._job.target))
        encoder = self._writer.begin(first, added, columns)
        for block, read in chain(held, blocks):
            if self._failure is not None:
                return
            packed = self._journal.read() if self._journal is not None else None
            strict = self._job.rejects is None
            yield Scoring(self._settings, tuple(added), encoder, block, packed, strict), read

    def _fingerprint(self) -> dict[str, object]:
        """What makes the output what it is."""
        stats = [Path(source).stat() for source in self._job.sources if Path(source).exists()]
        return {
            "sources": self._job.sources,
            "state": [(stat.st_size, stat.st_mtime_ns) for stat in stats],
            "settings": [self._settings.context, self._settings.text_column, sorted(self._settings.keep or [])],
            "cleaned": self._settings.keep is not None,
            "model": dict(self._tagger.manifest),
            "block_size": row_blocks.BLOCK_SIZE,
        }

    def _blocks(self) -> Iterator[tuple[Block, float | None]]:
        before = 0
        for source, size in zip(self._job.sources, self._job.sizes(), strict=True):
            with RowReader(source, text_column=self._settings.text_column) as reader:
                for block in reader.blocks():
                    yield block, None if block.share is None else before + block.share * size
            before += size

    def _first(self, blocks: Iterator[tuple[Block, float | None]]) -> tuple[list[tuple[Block, float | None]], Block]:
        """The blocks until one has rows that can be read, and these rows, which say what columns there are."""
        held = []
        for block, read in blocks:
            held.append((block, read))
            try:
                block.columns()
            except BadRowError:
                if self._job.rejects is None:
                    raise
                block = block.take(sifted(block, lambda row: row.columns())[0])
            if block.columns():
                return held, block
        return held, PlainBlock(self._job.sources[0], [])

    def _columns(self, first: Block) -> tuple[dict[str, type], list[str]]:
        """The columns that are added, and those of the input."""
        columns = list(first.columns())
        if len(self._job.sources) > 1 and split_name(self._job.target)[0] != "jsonl":
            for source in self._job.sources:  # all of them, for such a file can't be given columns later
                with RowReader(source, text_column=self._settings.text_column) as reader:
                    columns += [name for name in reader.columns or () if name not in columns]
        if self._settings.keep is not None:
            columns = self._settings.of_documents(columns)
        return added_columns(first.name, columns, self._tagger.labels, self._settings), columns

    def put(self, scored: Scored | RowError) -> None:
        """Writes a block behind those written."""
        if self._failure is not None:
            return
        try:
            if isinstance(scored, RowError):
                raise scored
            self._writer.put(scored.encoded)
            for reject in scored.rejects:
                self._reject({"file": scored.name, "place": reject.place, "reason": reject.reason, "row": reject.row})
            if self._journal is not None and scored.packed is not None:
                self._journal.add(scored.packed)
        except RowError as error:
            self._failure = error
            return
        self.summary += scored.summary

    def _reject(self, row: dict[str, object]) -> None:
        if self._rejects is None:
            assert self._job.rejects is not None
            if self._resume:
                remove_parts(self._job.rejects)
            self._rejects = self._files.enter_context(RowWriter(self._job.rejects))
        self._rejects.write([row])

    def finish(self) -> Report:
        """Lets the output appear, unless the job failed."""
        report = Report(Summary.nothing(self._tagger.labels))
        if self._failure is None:
            try:
                self._files.close()
                if self._journal is not None and self._journal.done is None:
                    self._journal.finish(asdict(self.summary))
            except RowError as error:
                self._failure = error
        self.abort()
        if self._failure is not None:
            report.failed = [(self._job, self._failure)]
            return report
        report.summary = self.summary
        if self._job.rejects is not None:
            if self.summary.rejected:
                report.rejects = [self._job.rejects]
            else:
                self._job.rejects.unlink(missing_ok=True)
        return report

    def abort(self) -> None:
        """Drops what is not finished; the journal stays."""
        with suppress(_DroppedError), self._files:
            raise _DroppedError
        if self._journal is not None:
            self._journal.close()


class _DroppedError(Exception):
    """Why a file that is open is not to appear."""
