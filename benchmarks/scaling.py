"""Cost against work: files of ever more paragraphs, and documents and paragraphs of ever greater length.

Every size is measured in a process of its own, with the default model and one thread, on text of our own.
"""

import json
import random
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.measure import in_fresh_process, peak_memory
from benchmarks.report import add_write_option, figure, publish, table

FILE_SIZES: Final = tuple(10**k for k in range(7))  # paragraphs
DOCUMENT_SIZES: Final = tuple(10**k for k in range(6))  # paragraphs
PARAGRAPH_SIZES: Final = tuple(10**k for k in range(1, 7))  # characters
BRIEF: Final = 0.5  # seconds; what takes less is measured again until it adds up to this
LINEAR: Final = 1.5  # growth of a unit's cost over ten times the work that caches and noise may explain


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes: a median where it is brief."""
    found: list[float] = []
    while sum(found) < BRIEF:
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return median(found)


def score_file(rows: str) -> tuple[float, int]:
    """Seconds of scoring a row file into another, and peak bytes; to be run in a fresh process."""
    from classifier import Tagger
    from classifier.batch import score_file

    tagger = Tagger.load()
    tagger.tag(["The tide turned at six."])
    with tempfile.TemporaryDirectory() as folder:
        seconds = timed(lambda: score_file(rows, Path(folder, "scored.jsonl"), tagger))
    return seconds, peak_memory()


def tag_document(paragraphs: Sequence[str]) -> tuple[float, int]:
    """Seconds of judging one document, and peak bytes; to be run in a fresh process."""
    from classifier import Tagger

    tagger = Tagger.load()
    tagger.tag(["The tide turned at six."])
    return timed(lambda: tagger.probabilities([paragraphs])), peak_memory()


def pages() -> Iterator[list[str]]:
    """The paragraphs of our own pages, in random order, over and over."""
    from benchmarks.held_out import OWN_PAGES
    from training.data import load

    documents = [[paragraph.text for paragraph in page.paragraphs] for page in load(OWN_PAGES)]
    chance = random.Random(0)
    while True:
        chance.shuffle(documents)
        yield from documents


def paragraphs(n: int) -> list[str]:
    return list(islice(chain.from_iterable(pages()), n))


def write_rows(path: Path, n: int) -> None:
    rows: Iterator[Any] = ({"doc": doc, "text": text} for doc, page in zip(count(), pages()) for text in page)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in islice(rows, n))


@dataclass(frozen=True)
class Series:
    """Measurements at growing sizes."""

    name: str
    unit: str
    sizes: Sequence[int]
    seconds: Sequence[float]
    memory: Sequence[int]

    @property
    def costs(self) -> list[float]:
        """Microseconds a unit."""
        return [1e6 * seconds / size for seconds, size in zip(self.seconds, self.sizes, strict=True)]

    @property
    def growth(self) -> float:
        """Cost of a unit at the largest size, by that at the size before; 1 where cost is linear."""
        return self.costs[-1] / self.costs[-2]

    def report(self) -> str:
        header = (f"{self.unit}s", "seconds", f"µs a {self.unit}", "peak MB")
        cells = zip(self.sizes, self.seconds, self.costs, self.memory, strict=True)
        rows = [[f"{n:,}", figure(s), figure(cost), figure(memory / 1e6)] for n, s, cost, memory in cells]
        verdict = (
            f"From {self.sizes[-2]:,} to {self.sizes[-1]:,} {self.unit}s the cost of each changes by a factor of"
            f" {self.growth:.2f}: {'linear' if self.growth <= LINEAR else 'worse than linear'}."
        )
        return "\n\n".join((f"### {self.name}", table(header, rows), verdict))


def measure(name: str, unit: str, sizes: Sequence[int], one: Callable[[int], tuple[float, int]]) -> Series:
    found = [one(size) for size in sizes]
    return Series(name, unit, sizes, [seconds for seconds, _ in found], [memory for _, memory in found])


def measure_file(n: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        write_rows(path, n)
        seconds, memory = in_fresh_process(score_file, str(path))
    return seconds, memory


def measure_document(n: int) -> tuple[float, int]:
    seconds, memory = in_fresh_process(tag_document, paragraphs(n))
    return seconds, memory


def measure_paragraph(n: int) -> tuple[float, int]:
    seconds, memory = in_fresh_process(tag_document, [" ".join(paragraphs(n // 10))[:n]])
    return seconds, memory


def plot(all_series: Sequence[Series], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    fig, (above, below) = plt.subplots(2, len(all_series), figsize=(10, 5), sharex="col", layout="constrained")
    for series, cost, memory in zip(all_series, above, below, strict=True):
        cost.plot(series.sizes, series.costs, "o-", color="#c0392b")
        cost.set(title=series.name, ylabel=f"µs a {series.unit}", yscale="log")
        memory.plot(series.sizes, [peak / 1e6 for peak in series.memory], "o-", color="#34495e")
        memory.set(xlabel=f"{series.unit}s", ylabel="peak MB", xscale="log")
        cost.yaxis.set_minor_formatter("")
        memory.set_ylim(0, 1.2 * max(series.memory) / 1e6)
    fig.savefig(path, dpi=150)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=10**6, metavar="N", help="leave out sizes over N")
    add_write_option(parser)
    args = parser.parse_args()

    def upto(sizes: Sequence[int]) -> list[int]:
        return [size for size in sizes if size <= args.largest]

    all_series = [
        measure("Files of paragraphs", "paragraph", upto(FILE_SIZES), measure_file),
        measure("One document", "paragraph", upto(DOCUMENT_SIZES), measure_document),
        measure("One paragraph", "character", upto(PARAGRAPH_SIZES), measure_paragraph),
    ]
    lines = (
        "## Cost against work",
        "Default model, one thread. Files are read, scored and written again; a document and a paragraph are held in"
        " memory whole. Each size has a process of its own, with the model loaded before the clock starts.",
        *(series.report() for series in all_series),
    )
    publish("\n\n".join(lines), "scaling.md", args.write)
    if args.write:
        plot(all_series, args.write / "scaling.png")


if __name__ == "__main__":
    main()
