"""Extractors that work from HTML, and boilertag from the same HTML: pages a second, and agreement with the article."""

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.extractors import EXTRACTORS, Article, Extractor, read_articles
from benchmarks.held_out import Corpus, add_cache_option, say
from benchmarks.measure import interleaved
from benchmarks.report import add_write_option, figure, publish, table
from benchmarks.shingles import average, compare_pages
from classifier import Tagger


def run(extract: Callable[[Article], str], articles: list[Article], repeat: int) -> int:
    """Extracts from every page; how many pages there were."""
    for article in articles:
        extract(article)
    return len(articles)


def from_html(extract: Extractor) -> Callable[[Article], str]:
    return lambda article: extract(article.html)


def from_tagger(taggers: Mapping[str, Tagger]) -> Callable[[Article], str]:
    return lambda article: taggers[article.file].clean(article.html)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("articles", type=Path, help="folder with html/*.html.gz and ground-truth.json")
    parser.add_argument("--corpus", type=Path, help="labelled web pages; with them, our models have not seen the sites")
    parser.add_argument("--repeats", type=int, default=5, help="of the timing (default: 5)")
    add_cache_option(parser)
    add_write_option(parser)
    args = parser.parse_args()

    articles = read_articles(args.articles)
    if args.corpus:
        ours = "boilertag, sites not seen"
        pages = [(article.file, article.url) for article in articles]
        taggers = Corpus.load(args.corpus).taggers(pages, args.cache)
    else:
        ours = "boilertag, default model, fitted on these pages too"
        taggers = [Tagger.load()] * len(articles)
    by_file = {article.file: tagger for article, tagger in zip(articles, taggers, strict=True)}
    extractors = {name: from_html(extract) for name, extract in EXTRACTORS.items()} | {ours: from_tagger(by_file)}

    say("timing")
    with threadpool_limits(limits=1):
        rates = interleaved(
            {name: partial(run, extract, articles) for name, extract in extractors.items()}, args.repeats
        )
    rows = []
    for name, extract in extractors.items():
        score = average(compare_pages(map(extract, articles), (article.body for article in articles)))
        rows.append([name, figure(rates[name]), *(f"{v:.3f}" for v in (score.precision, score.recall, score.f1))])
    lines = (
        "## From HTML",
        f"{len(articles)} pages, one thread, medians of {args.repeats} interleaved repeats; shingles of four words"
        " against the article's body, averaged over pages.",
        table(("extractor", "pages/s", "precision", "recall", "F1"), rows),
    )
    publish("\n\n".join(lines), "html_extractors.md", args.write)


if __name__ == "__main__":
    main()
