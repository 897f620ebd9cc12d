"""How fast paragraphs are scored, and how well: scikit-learn, fastText, boilertag and the floor side by side.

One process, one thread unless said, medians of interleaved repeats over the labelled web pages' paragraphs. All models
are fitted on four folds of the sites and our own pages; macro-F1 is that on the fold left out.
"""

import os
import platform
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, Final

import numba
import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from threadpoolctl import threadpool_limits

from benchmarks.held_out import OWN_WEIGHT, Corpus, add_cache_option, say
from benchmarks.measure import Task, first_tag, in_fresh_process, interleaved, memory_of_tagging
from benchmarks.report import add_write_option, figure, publish, table
from classifier import Tagger
from classifier.context import softmax
from classifier.features import NGRAMS
from classifier.kernel import Kernel, Weights, join
from classifier.tagger import BLOCK
from training.data import Dataset, dataset
from training.figures import confusion, macro_f1
from training.fit import normalised, shapes

HELD_OUT: Final = 0  # the fold that accuracy is measured on
PAGE: Final = 40  # paragraphs
STARTS: Final = 3  # fresh processes for each figure of starting

SKLEARN: Final = "scikit-learn, our features and weights"
SKLEARN_TOKENISERS: Final = "scikit-learn, its own tokenisers"
FASTTEXT: Final = "fastText, 16 dimensions"
FASTTEXT_100: Final = "fastText, 100 dimensions"
KERNEL: Final = "boilertag, single paragraphs"
THREADS: Final = "boilertag, single paragraphs, two threads"
CONTEXT: Final = "boilertag, documents with context"
FLOOR: Final = "floor: lower-casing and encoding"

Scores = Callable[[Sequence[str]], NDArray[Any]]


def sklearn_scores(weights: Weights) -> Scores:
    """Our paragraph model as scikit-learn computes it; the shape features alone come from our compiled code."""
    channels = []
    bounds = {"word": slice(0, weights.n_words), "char": slice(weights.n_words, None)}
    for name, part in bounds.items():
        counter = CountVectorizer(analyzer=NGRAMS[name], vocabulary=weights.ngrams[part])
        tfidf = TfidfTransformer(sublinear_tf=True, norm=None)
        tfidf.idf_ = weights.idf[part].astype(np.float64)
        channels.append((counter, tfidf))
    regression = LogisticRegression()
    regression.classes_ = np.arange(len(weights.intercept))
    regression.coef_ = np.vstack([weights.weights, weights.shape]).T.astype(np.float64)
    regression.intercept_ = weights.intercept.astype(np.float64)

    def scores(texts: Sequence[str]) -> NDArray[Any]:
        blocks = [normalised(tfidf.transform(counter.transform(texts))) for counter, tfidf in channels]
        found: NDArray[Any] = regression.decision_function(sparse.hstack([*blocks, shapes(texts)], format="csr"))
        return found

    return scores


def fit_sklearn(data: Dataset) -> Pipeline:
    """The pipeline that one would write first: TF-IDF of words and of characters by scikit-learn's own tokenisers."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True, dtype=np.float32)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=5, sublinear_tf=True, dtype=np.float32)
    pipeline = make_pipeline(make_union(words, characters), LogisticRegression(C=8, tol=1e-3, max_iter=300))
    return pipeline.fit(data.texts, data.y, logisticregression__sample_weight=data.weights)


def fasttext_line(text: str) -> str:
    """Lower case and one line, as fastText is best given."""
    return " ".join(text.lower().split()).encode("utf-8", "replace").decode()


def fit_fasttext(data: Dataset, dimensions: int) -> Any:
    """A fastText model of word bigrams and subwords. It knows no weights: rows of weight 1 stand there twice."""
    import fasttext

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.txt")
        times = np.rint(data.weights / OWN_WEIGHT).astype(int)
        rows = np.repeat(np.arange(data.n_rows), times)
        np.random.default_rng(0).shuffle(rows)  # fastText takes them as they come
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"__label__{data.y[i]} {fasttext_line(data.texts[i])}\n" for i in rows)
        settings = {"wordNgrams": 2, "minn": 2, "maxn": 5, "epoch": 5, "lr": 0.5, "thread": 1, "verbose": 0}
        return fasttext.train_supervised(str(path), dim=dimensions, **settings)


def fasttext_guess(model: Any, lines: Sequence[str]) -> NDArray[np.int64]:
    labels, _ = model.predict(list(lines))
    return np.array([int(best.removeprefix("__label__")) for (best,) in labels], np.int64)


def blocks(texts: Sequence[str]) -> list[Sequence[str]]:
    """The texts in blocks of the size that the tagger scores at once."""
    return [texts[start : start + BLOCK] for start in range(0, len(texts), BLOCK)]


@dataclass(frozen=True)
class Contenders:
    """Everything that is timed, fitted on the same rows."""

    kernel: Kernel
    tagger: Tagger
    sklearn: Scores
    sklearn_tokenisers: Pipeline
    fasttext: Mapping[str, Any]  # empty where it is not installed

    @classmethod
    def fit(cls, corpus: Corpus, cache: Path) -> "Contenders":
        model = corpus.model_without_fold(HELD_OUT, cache)
        data = corpus.without_fold(HELD_OUT)
        say("fitting scikit-learn's pipeline")
        pipeline = fit_sklearn(data)
        sizes = {FASTTEXT_100: 100, FASTTEXT: 16} if find_spec("fasttext") else {}
        say("fitting fastText" if sizes else "fastText is not installed: left out")
        return cls(
            kernel=Kernel(model.paragraph),
            tagger=Tagger(model),
            sklearn=sklearn_scores(model.paragraph),
            sklearn_tokenisers=pipeline,
            fasttext={name: fit_fasttext(data, size) for name, size in sizes.items()},
        )

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.concatenate([self.score_block(block) for block in blocks(texts)])

    def score_block(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return self.kernel.score(*join(texts))

    def tasks(self, corpus: Corpus, repeats: int, pool: ThreadPoolExecutor) -> dict[str, Task]:
        """What is timed. scikit-learn is slow: in each repeat it gets another part of the paragraphs."""
        documents = [[paragraph.text for paragraph in page.paragraphs] for page in corpus.web]
        texts = list(chain.from_iterable(documents))
        order = np.random.default_rng(0).permutation(len(texts))
        parts = [[texts[i] for i in part] for part in np.array_split(order, repeats)]
        lines = [fasttext_line(text) for text in texts]

        def all_of(work: Callable[[], object]) -> Task:
            def task(_: int) -> int:
                work()
                return len(texts)

            return task

        def part_of(work: Callable[[Sequence[str]], object]) -> Task:
            def task(repeat: int) -> int:
                work(parts[repeat])
                return len(parts[repeat])

            return task

        return {
            SKLEARN: part_of(self.sklearn),
            SKLEARN_TOKENISERS: part_of(self.sklearn_tokenisers.decision_function),
            **{name: all_of(partial(model.predict, lines)) for name, model in self.fasttext.items()},
            KERNEL: all_of(lambda: self.score(texts)),
            THREADS: all_of(lambda: np.concatenate([*pool.map(self.score_block, blocks(texts))])),
            CONTEXT: all_of(lambda: self.tagger.probabilities(documents)),
            FLOOR: all_of(lambda: [text.lower().encode("utf-8", "surrogatepass") for text in texts]),
        }

    def accuracy(self, corpus: Corpus) -> dict[str, float]:
        """Macro-F1 on the fold that nothing was fitted on."""
        pages = corpus.fold(HELD_OUT)
        test = dataset(pages, self.tagger.labels)
        lines = [fasttext_line(text) for text in test.texts]
        documents = [[paragraph.text for paragraph in page.paragraphs] for page in pages]
        guesses = {
            SKLEARN: self.sklearn(test.texts).argmax(axis=1),
            SKLEARN_TOKENISERS: self.sklearn_tokenisers.predict(test.texts),
            **{name: fasttext_guess(model, lines) for name, model in self.fasttext.items()},
            KERNEL: self.score(test.texts).argmax(axis=1),
            CONTEXT: self.tagger.probabilities(documents).argmax(axis=1),
        }
        return {name: macro_f1(confusion(test.y, guess, len(test.labels))) for name, guess in guesses.items()}

    def largest_difference(self, texts: Sequence[str]) -> float:
        """The most that a probability of the kernel's is away from scikit-learn's."""
        parts = [texts[start : start + 5000] for start in range(0, len(texts), 5000)]
        return max(float(np.abs(softmax(self.sklearn(part)) - softmax(self.score(part))).max()) for part in parts)


def starting(corpus: Corpus, repeats: int) -> list[tuple[str, str]]:
    """What the default model costs to load, to start with and to hold."""
    texts = [[paragraph.text for paragraph in page.paragraphs] for page in corpus.own]
    pages = [page[:PAGE] for page in texts if len(page) >= PAGE]
    tagger = Tagger.load()

    def load(_: int) -> int:
        Tagger.load()
        return 1

    def tag(_: int) -> int:
        for page in pages:
            tagger.tag(page)
        return len(pages)

    # Not by turns: a model just read leaves nothing of the other in the processor's caches.
    load_rate = interleaved({"load": load}, max(repeats, 30))["load"]
    tag_rate = interleaved({"tag": tag}, repeats)["tag"]
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            for times in (cold, warm):
                times.append(in_fresh_process(first_tag, pages[0], environment={"NUMBA_CACHE_DIR": folder}))
    memory = in_fresh_process(memory_of_tagging, texts[:200])
    return [
        ("loading the default model", f"{1000 / load_rate:.0f} ms"),
        (f"tagging a page of {PAGE} paragraphs, one of {len(pages)} after the other", f"{1000 / tag_rate:.2f} ms"),
        ("import to first tag, compiled code cached", f"{median(warm):.2f} s"),
        ("import to first tag, nothing cached", f"{median(cold):.2f} s"),
        ("peak memory of a process that tags", f"{memory / 1e6:.0f} MB"),
    ]


def plot(rates: Mapping[str, float], accuracy: Mapping[str, float], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    fig, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for i, (name, f1) in enumerate(accuracy.items()):
        ours = name.startswith("boilertag")
        axes.scatter(rates[name], f1, s=50, color="#c0392b" if ours else "#34495e", zorder=3)
        place = (0, 8 if i % 2 else -15)  # by turns, so that neighbours' names don't meet
        axes.annotate(name, (rates[name], f1), xytext=place, textcoords="offset points", ha="center", fontsize=8)
    axes.axvline(rates[FLOOR], color="#999999", linestyle=":")
    axes.annotate(FLOOR, (rates[FLOOR], 0.5), xycoords=("data", "axes fraction"), rotation=90, ha="right", fontsize=8)
    axes.set(xscale="log", xlabel="paragraphs a second, one thread", ylabel="macro-F1 on sites not seen")
    axes.margins(0.25)
    axes.grid(which="both", color="#eeeeee")
    fig.savefig(path, dpi=150)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="labelled web pages, as `boilertag corpus` writes them")
    parser.add_argument("--repeats", type=int, default=7, help="interleaved repeats (default: 7)")
    add_cache_option(parser)
    add_write_option(parser)
    args = parser.parse_args()

    corpus = Corpus.load(args.corpus)
    texts = [paragraph.text for page in corpus.web for paragraph in page.paragraphs]
    contenders = Contenders.fit(corpus, args.cache)
    with threadpool_limits(limits=1), ThreadPoolExecutor(2) as pool:
        say(f"timing; load average {os.getloadavg()[0]:.1f}, and anything much over 0 spoils the figures")
        rates = interleaved(contenders.tasks(corpus, args.repeats, pool), args.repeats)
        say("judging")
        accuracy = contenders.accuracy(corpus)
        difference = contenders.largest_difference(texts)
        say("starting")
        starts = starting(corpus, args.repeats)

    rows = [
        [
            name,
            figure(rate),
            *(f"{rate / rates[other]:.2f}" if other in rates else "" for other in (SKLEARN, FASTTEXT)),
            f"{rates[FLOOR] / rate:.1f}",
            f"{accuracy[name]:.3f}" if name in accuracy else "",
        ]
        for name, rate in rates.items()
    ]
    lines = (
        "## Speed",
        f"{len(texts):,} paragraphs of {sum(map(len, texts)) / len(texts):.0f} characters on average; medians of"
        f" {args.repeats} interleaved repeats in one process, one thread unless said. scikit-learn gets another"
        f" {len(texts) // args.repeats:,} of the paragraphs in each repeat, the others all. “÷ floor” says how many"
        " times the floor's time one takes. Macro-F1 is of sites that were not seen.",
        f"Python {platform.python_version()}, scikit-learn {sklearn.__version__}, Numba {numba.__version__},"
        f" {os.cpu_count()} cores.",
        table(("", "paragraphs/s", "× scikit-learn", "× fastText", "÷ floor", "macro-F1"), rows),
        f"Two threads are {rates[THREADS] / rates[KERNEL]:.2f} times as fast as one; documents with context"
        f" {rates[CONTEXT] / rates[KERNEL]:.2f} times as fast as single paragraphs. No probability of any paragraph is"
        f" more than {difference:.1e} away from scikit-learn's with the same weights.",
        "fastText has word bigrams, subwords of 2 to 5 characters, 5 epochs at a rate of 0.5; its text is lower-cased"
        " and put on one line before the clock starts. It knows no weights, so that rows of the web were given twice"
        " and rows of our own, which the others weigh by a half, once.",
        table(("", "median"), starts),
    )
    publish("\n\n".join(lines), "speed.md", args.write)
    if args.write:
        plot(rates, accuracy, args.write / "speed.png")


if __name__ == "__main__":
    main()
