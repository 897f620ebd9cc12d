"""The pages of an article benchmark, and extractors that find the article in a page's HTML."""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import justext
import trafilatura
from readability import Document
from resiliparse.extract.html2text import extract_plain_text

from classifier import split_html

Extractor = Callable[[str], str]


@dataclass(frozen=True)
class Article:
    """A page, in a file of that name, and the article that stands on it."""

    file: str
    url: str
    html: str
    body: str


def read_articles(folder: Path) -> list[Article]:
    """The pages in ``html/<name>.html.gz`` that ``ground-truth.json`` has the articles of."""
    truth = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))

    def article(file: str, entry: Mapping[str, str]) -> Article:
        html = gzip.decompress((folder / "html" / file).read_bytes()).decode("utf-8")
        return Article(file, entry["url"], html, entry["articleBody"])

    return [article(f"{name}.html.gz", entry) for name, entry in truth.items()]


# That benchmark asks trafilatura for no comments, and so do we: its articles have none.
def _trafilatura(html: str) -> str:
    return trafilatura.extract(html, include_comments=False) or ""


def _trafilatura_recall(html: str) -> str:
    return trafilatura.extract(html, include_comments=False, favor_recall=True) or ""


def _resiliparse(html: str) -> str:
    return str(extract_plain_text(html, main_content=True))


def _readability(html: str) -> str:
    """The paragraphs of the HTML that readability returns, a line each."""
    return "\n".join(paragraph.text for paragraph in split_html(Document(html).summary(html_partial=True)))


# The pages are in many languages, and jusText wants to be told which: the stop words of all.
_STOP_WORDS: Final = frozenset().union(*map(justext.get_stoplist, justext.get_stoplists()))


def _justext(html: str) -> str:
    return "\n".join(part.text for part in justext.justext(html, _STOP_WORDS) if not part.is_boilerplate)


JUSTEXT: Final = f"jusText {version('jusText')}"
TRAFILATURA: Final = f"trafilatura {version('trafilatura')}"
TRAFILATURA_RECALL: Final = "trafilatura, favour recall"
RESILIPARSE: Final = f"resiliparse {version('resiliparse')}, main content"
READABILITY: Final = f"readability-lxml {version('readability-lxml')}"

EXTRACTORS: Final[Mapping[str, Extractor]] = {
    JUSTEXT: _justext,
    TRAFILATURA: _trafilatura,
    TRAFILATURA_RECALL: _trafilatura_recall,
    RESILIPARSE: _resiliparse,
    READABILITY: _readability,
}
