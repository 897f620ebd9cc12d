"""What extractors return, before and after boilertag has cleaned it, by models that have not seen the page's site."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.extractors import EXTRACTORS, JUSTEXT, Article, read_articles
from benchmarks.held_out import Corpus, add_cache_option, rows_of_articles, say
from benchmarks.report import add_write_option, publish, table
from benchmarks.shingles import average, compare_pages, gain_interval
from classifier import Paragraph, Tagger, split_text

CONTENT: Final = "content"
READER: Final = "where a reader says content"

# Given the probabilities of a page's paragraphs and content's column in them, which paragraphs stay.
Rule = Callable[[NDArray[np.float64], int], list[bool]]


def likeliest(probabilities: NDArray[np.float64], content: int) -> list[bool]:
    """What ``boilertag clean`` does: a paragraph stays where content is the likeliest label."""
    return [place == content for place in probabilities.argmax(axis=1).tolist()]


def likely_enough(threshold: float) -> Rule:
    """A paragraph goes only where content is less likely than the threshold."""
    return lambda probabilities, content: [p >= threshold for p in probabilities[:, content].tolist()]


def letters(text: str) -> str:
    """The text's letters and digits, by which a paragraph of the page is known again in what an extractor returns."""
    return "".join(filter(str.isalnum, text.casefold()))


def labels_of_articles(corpus: Path) -> dict[str, dict[str, str]]:
    """The labels of the corpus's paragraphs, by their letters, of each page of the article benchmark, by file name."""
    labels: dict[str, dict[str, str]] = {}
    for file, row in rows_of_articles(corpus):
        labels.setdefault(file, {})[letters(row["text"])] = row["label"]
    return labels


def cleaned(paragraphs: Sequence[Paragraph], kept: Sequence[bool]) -> str:
    """The paragraphs that stay."""
    return "\n\n".join(paragraph.text for paragraph, stays in zip(paragraphs, kept, strict=True) if stays)


def rows_of_extractor(
    name: str,
    outputs: Sequence[str],
    articles: Sequence[Article],
    taggers: Sequence[Tagger],
    rules: dict[str, Rule],
    labels: Mapping[str, Mapping[str, str]],
) -> list[list[str]]:
    """The table's rows: the extractor alone, then cleaned by each rule, then by the labels that a reader gave."""
    truths = [article.body for article in articles]
    before = compare_pages(outputs, truths)
    alone = average(before)
    rows = [[name, f"{alone.precision:.4f}", f"{alone.recall:.4f}", f"{alone.f1:.4f}", "", "", ""]]
    pages = [split_text(output) for output in outputs]
    judged = [tagger.probabilities([page]) for tagger, page in zip(taggers, pages, strict=True)]
    places = [tagger.labels.index(CONTENT) for tagger in taggers]
    stays = {
        rule_name: [rule(probabilities, place) for probabilities, place in zip(judged, places, strict=True)]
        for rule_name, rule in rules.items()
    }
    given = [labels.get(article.file, {}) for article in articles]
    stays[READER] = [
        [known.get(letters(paragraph.text), CONTENT) == CONTENT for paragraph in page]
        for known, page in zip(given, pages, strict=True)
    ]
    for rule_name, kept in stays.items():
        after = compare_pages(map(cleaned, pages, kept), truths)
        score = average(after)
        low, high = gain_interval(before, after)
        rows.append(
            [
                f"… {rule_name}",
                *(f"{value:.4f}" for value in (score.precision, score.recall, score.f1)),
                *(f"{score.precision - alone.precision:+.4f}", f"{score.recall - alone.recall:+.4f}"),
                f"{score.f1 - alone.f1:+.4f} ({low:+.4f} to {high:+.4f})",
            ]
        )
    return rows


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("articles", type=Path, help="folder with html/*.html.gz and ground-truth.json")
    parser.add_argument("corpus", type=Path, help="labelled web pages, as `boilertag corpus` writes them")
    parser.add_argument(
        "--keep-content-above",
        type=float,
        nargs="*",
        metavar="P",
        default=[0.4, 0.3, 0.2, 0.1, 0.05],
        help="also report what is left where a paragraph goes only if content is less likely than P",
    )
    add_cache_option(parser)
    add_write_option(parser)
    args = parser.parse_args()

    articles = read_articles(args.articles)
    corpus = Corpus.load(args.corpus)
    taggers = corpus.taggers([(article.file, article.url) for article in articles], args.cache)
    labels = labels_of_articles(args.corpus)
    rules: dict[str, Rule] = {"where content is likeliest": likeliest}
    rules |= {f"where p(content) ≥ {p:g}": likely_enough(p) for p in args.keep_content_above}
    rows: list[list[str]] = []
    for name, extract in EXTRACTORS.items():
        if name == JUSTEXT:
            continue  # works by paragraphs as we do; html_extractors.py has it
        say(f"extracting with {name}")
        outputs = [extract(article.html) for article in articles]
        rows += rows_of_extractor(name, outputs, articles, taggers, rules, labels)
    header = ("what stays", *"precision recall F1 Δprecision Δrecall".split(), "ΔF1 (95 % of resamples)")
    lines = (
        "## After extractors",
        f"{len(articles)} pages, shingles of four words against the article's body, averaged over pages. Text alone;"
        f" each page is cleaned by a model that has not seen its site. “{READER}” removes the"
        " paragraphs that the corpus labels otherwise, as a perfect model would.",
        table(header, rows),
    )
    publish("\n\n".join(lines), "after_extractors.md", args.write)


if __name__ == "__main__":
    main()
