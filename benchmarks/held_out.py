"""Models that have not seen a site: fitted on all folds of the labelled web pages but one, and on our own pages."""

import hashlib
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from classifier import Tagger, folder
from classifier.folder import MANIFEST_FILE, Model
from classifier.rows import Row, read_rows
from training import train
from training.data import Dataset, Document, dataset, folds, load
from training.fit import Settings

N_FOLDS: Final = 5
OWN_WEIGHT: Final = 0.5  # of a row of our own beside a row of the web

_ROOT: Final = Path(__file__).parents[1]
OWN_PAGES: Final = _ROOT / "datasets" / "paragraphs.csv"
_ARTICLES: Final = "scrapinghub/article-extraction-benchmark"

# What a fitted model depends on besides its rows: a cached one that another version of these made is not used.
_SOURCES: Final = (
    *("classifier/characters.py", "classifier/context.py", "classifier/echoes.py", "classifier/features.py"),
    *("classifier/kernel.py", "training/data.py", "training/fit.py", "training/train.py"),
)


def say(line: str) -> None:
    """Progress goes to standard error, so that standard output holds the report alone."""
    print(line, file=sys.stderr, flush=True)


def add_cache_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        default=Path(__file__).with_name("cache"),
        help="where fitted models are kept for the next run (default: benchmarks/cache)",
    )


def rows_of_articles(path: Path) -> Iterator[tuple[str, Row]]:
    """The labelled rows of the article benchmark's pages, each with the name of its page's file."""
    for row in read_rows(path):
        if row.get("collection") == _ARTICLES:
            yield Path(row["path"]).name, row


@dataclass(frozen=True)
class Corpus:
    """The labelled web pages dealt into folds by site, and our own pages, which are on the training side always."""

    web: tuple[Document, ...]
    own: tuple[Document, ...]
    fold_of: NDArray[np.int64]  # of each web page
    article_sites: Mapping[str, str]  # by file name, of the pages of the article benchmark

    @classmethod
    def load(cls, path: Path) -> "Corpus":
        web = tuple(load(path))
        return cls(
            web=web,
            own=tuple(load(OWN_PAGES, weight=OWN_WEIGHT)),
            fold_of=folds(web, N_FOLDS),
            article_sites={file: row["site"] for file, row in rows_of_articles(path)},
        )

    def fold(self, k: int) -> list[Document]:
        """The web pages of fold ``k``."""
        return [page for page, fold in zip(self.web, self.fold_of, strict=True) if fold == k]

    def without_fold(self, k: int) -> Dataset:
        """What is fitted on where fold ``k`` is held out."""
        return dataset([*(page for page, fold in zip(self.web, self.fold_of, strict=True) if fold != k), *self.own])

    def model_without_fold(self, k: int, cache: Path) -> Model:
        """The model that has not seen fold ``k``: from the cache if it is there, else fitted, which takes minutes."""
        data, settings = self.without_fold(k), Settings()
        digest = hashlib.sha256(f"{data.fingerprint()} {settings}".encode())
        for source in _SOURCES:
            digest.update((_ROOT / source).read_bytes())
        target = cache / f"without-{k + 1}-{digest.hexdigest()[:12]}"
        if not (target / MANIFEST_FILE).exists():
            say(f"fitting on all but fold {k + 1} of {N_FOLDS}: {data.n_rows} rows")
            cache.mkdir(parents=True, exist_ok=True)
            folder.write(train.train(data, settings, say, figures=False), target)
        return folder.read(target)

    @cached_property
    def _fold_of_site(self) -> dict[str, int]:
        return {page.group: int(fold) for page, fold in zip(self.web, self.fold_of, strict=True)}

    def fold_of_article(self, name: str, url: str) -> int | None:
        """The fold that holds the site of a page of the article benchmark; None where the site is in none.

        The site is the one that the corpus gives the page; for a page that is not there, the one its host belongs to.
        """
        site = self.article_sites.get(name)
        if site is None:
            host = f".{urlsplit(url).hostname}"
            site = next((known for known in self._fold_of_site if host.endswith(f".{known}")), "")
        return self._fold_of_site.get(site)

    def taggers(self, articles: Iterable[tuple[str, str]], cache: Path) -> list[Tagger]:
        """For each page, given by file name and address, a tagger that has not seen its site."""
        found = [self.fold_of_article(name, url) for name, url in articles]
        unknown = found.count(None)
        say(f"{len(found) - unknown} pages have a site in the corpus; {unknown} have none, so that any model will do")
        chosen = [fold or 0 for fold in found]
        taggers = {k: Tagger(self.model_without_fold(k, cache)) for k in sorted(set(chosen))}
        return [taggers[k] for k in chosen]
