from dataclasses import replace

import pytest

from benchmarks.held_out import Corpus
from training.data import Document, folds


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    page = Document((), (), "", 1.0, {})
    web = tuple(replace(page, group=f"site{i}.org", labels=("content",) * (i + 1)) for i in range(10))
    return Corpus(web, (), folds(web, 5), {"a.html.gz": "site3.org"})


@pytest.mark.parametrize(
    ("name", "url", "site"),
    [
        ("a.html.gz", "https://elsewhere.net/a", "site3.org"),
        ("b.html.gz", "https://www.site4.org/b", "site4.org"),
        ("c.html.gz", "http://site5.org/c", "site5.org"),
        ("d.html.gz", "https://notsite5.org/d", None),
    ],
)
def test_a_page_is_cleaned_by_a_model_that_has_not_seen_its_site(
    corpus: Corpus, name: str, url: str, site: str | None
) -> None:
    fold = corpus.fold_of_article(name, url)
    if site is None:
        assert fold is None
    else:
        assert site in {page.group for page in corpus.fold(fold)}
