"""From a page to its paragraphs: plain text by lines or blank lines, HTML by its block elements.

The rules for HTML are those that the labelled web pages in ``datasets/`` were cut with; :func:`split_html` finds their
paragraphs again.
"""

import codecs
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import charset_normalizer
from selectolax.lexbor import LexborHTMLParser, LexborNode

Split = Literal["auto", "line", "blank"]
SPLITS: Final[tuple[Split, ...]] = ("auto", "line", "blank")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of a document, in the place where it stands.

    Attributes:
        text: the paragraph, never changed.
        tag: the HTML element that holds it, where it came from HTML.
        link_density: share of its characters (white space not counted) inside links, 0 to 1, where it came from HTML.
    """

    text: str
    tag: str | None = None
    link_density: float | None = None


def has_hints(paragraphs: Sequence[Paragraph]) -> bool:
    """Whether there are paragraphs and each has its element and link density, without which HTML can't be judged."""
    return bool(paragraphs) and all(p.tag and p.link_density is not None for p in paragraphs)


def split_text(text: str, split: Split = "auto") -> list[Paragraph]:
    """The paragraphs of a plain text, without those that are white space only.

    ``"line"`` takes each line as a paragraph, ``"blank"`` takes what stands between blank lines, and ``"auto"`` decides
    by whether the text is hard-wrapped. White space around a paragraph is left away; nothing inside it changes.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    text = text.removeprefix("\ufeff")
    if split == "blank" or (split == "auto" and _is_hard_wrapped(text)):
        pieces = _BLANK_LINE.split(text)
    else:
        pieces = text.splitlines()
    return [Paragraph(piece) for piece in map(str.strip, pieces) if piece]


_BLANK_LINE: Final = re.compile(r"(?:\r\n|\r(?!\n)|\n)[^\S\r\n]*(?:\r\n|\r(?!\n)|\n)\s*")
_WRAP_WIDTHS: Final = (40, 120)  # columns that people wrap prose at


def _is_hard_wrapped(text: str) -> bool:
    """Whether lines break because they are full.

    In wrapped prose most lines that are followed by another without a blank line between are nearly as long as the
    longest, and the next line's first word would not have fitted.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    followed = [(line, after.lstrip()) for line, after in pairwise(lines) if line and after.strip()]
    if len(followed) < 3:
        return False
    width = max(map(len, lines))
    low, high = _WRAP_WIDTHS
    if not low <= width <= high:
        return False
    full = sum(len(line) + 1 + len(after.split()[0]) > width for line, after in followed)
    return full >= 0.8 * len(followed)


def as_link_density(value: Any) -> float | None:
    """A link density as files hold it: a number, or its text, perhaps with a decimal comma. None where it is not known:
    null, empty, or NaN, which is pandas' null.

    Raises:
        ValueError: it is no number from 0 to 1.
    """
    if value is None or value == "":
        return None
    try:
        density = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        density = math.inf
    if math.isnan(density):
        return None
    if not 0 <= density <= 1:
        raise ValueError(f"'link_density' holds {value!r:.60}; it must be a number from 0 to 1")
    return density


_HTML: Final = re.compile(r"<!doctype html|<(?:html|head|body|div|p|article|section|main|meta)\b", re.IGNORECASE)


# What pages may declare (WHATWG Encoding, by Python's names); not UTF-8, which is tried anyway, nor UTF-16, in which
# the declaration could not be read.
_WEB_ENCODINGS: Final = frozenset(
    """
    ascii big5 big5hkscs cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp866 cp874 cp932 cp949 cp950
    euc_jp euc_kr gb18030 gb2312 gbk hz iso2022_jp iso8859-1 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6
    iso8859-7 iso8859-8 iso8859-9 iso8859-10 iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16 johab koi8-r
    koi8-u mac-cyrillic mac-roman shift_jis tis-620
    """.split()
)


def looks_like_html(page: str | bytes) -> bool:
    """Whether a page is HTML rather than plain text: it begins with a tag or holds one of a document's first ones."""
    start = page[:4096]
    text = start.decode("latin-1").replace("\x00", "") if isinstance(start, bytes) else start
    return text.lstrip("\ufeff\xef\xbb\xbf\xff\xfe \t\r\n").startswith("<") and _HTML.search(text) is not None


# -- HTML -----------------------------------------------------------------------------------------------------------

_INVISIBLE: Final = frozenset(
    "script style noscript template title svg canvas select iframe head object embed datalist".split()
)
_BLOCKS: Final = frozenset(
    """
    address article aside audio blockquote body button caption center dd details dialog dir div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html label legend li main menu nav ol optgroup
    option p pre section summary table tbody td textarea tfoot th thead tr ul video
    """.split()
)
_WORD: Final = re.compile(r"\w")
_DISPLAY_NONE: Final = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_DECLARED: Final = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What pages say and what they hold: browsers read these labels as their Windows supersets (WHATWG Encoding).
_SUPERSETS: Final = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}


def decode(raw: bytes, charset: str | None = None) -> str:
    """The text of a page or a file: by byte order mark, else by the charset that its HTTP header gives or else its
    first 4 KB declare, else UTF-8, else by detection. Never fails: bytes that fit no encoding become U+FFFD.
    """
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            return raw[len(bom) :].decode(encoding, "replace")
    if charset is None and (declared := _DECLARED.search(raw[:4096])):
        charset = (declared[1] or declared[2]).decode("ascii", "replace")
    if charset:
        try:
            name = codecs.lookup(charset).name
            if name in _WEB_ENCODINGS:
                return raw.decode(_SUPERSETS.get(name, name), "replace")
        except (LookupError, UnicodeError):
            pass
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        # UTF-8 with a few bytes spoilt holds more whole characters than broken ones; another encoding holds hardly any.
        text = raw.decode("utf-8", "replace")
        broken = text.count("\ufffd")
        if sum(not char.isascii() for char in text) > 2 * broken:
            return text
        best = charset_normalizer.from_bytes(raw[:65536]).best()
        return raw.decode(best.encoding if best else "cp1252", "replace")


def split_html(html: str | bytes) -> list[Paragraph]:
    """The paragraphs that a reader of the page sees, each with the block element that holds it and its link density.

    Scripts, styles, hidden elements and the like are left out; a block element or two ``<br>`` in a row end a
    paragraph, one ``<br>`` is a space; white space collapses; a paragraph without a letter or digit, or equal to the
    one before it, is dropped.
    """
    if isinstance(html, bytes):
        html = decode(html)
    paragraphs: list[Paragraph] = []
    for text, tag, in_links in _runs(html):
        if _WORD.search(text) and not (paragraphs and paragraphs[-1].text == text):
            visible = len(text) - text.count(" ")
            paragraphs.append(Paragraph(text, tag, round(in_links / visible, 3)))
    return paragraphs


def _runs(html: str) -> Iterator[tuple[str, str, int]]:
    """Each run of visible text between block boundaries: the text with white space collapsed, its block element, and
    how many of its characters (white space not counted) stand in links.
    """
    pieces: list[str] = []
    linked: list[str] = []
    tag = "body"
    has_text = False
    breaks = 0  # <br> in a row, only white space between

    def end() -> Iterator[tuple[str, str, int]]:
        nonlocal breaks, has_text
        text = " ".join("".join(pieces).split())
        if text:
            yield text, tag, sum(len(piece) for link in linked for piece in link.split())
        pieces.clear()
        linked.clear()
        breaks, has_text = 0, False

    # Walked with a stack of its own: pages nest deeper than Python may recurse.
    node = LexborHTMLParser(html).root
    blocks = ["html"]
    links = 0
    while node is not None:
        name = node.tag or ""
        descend = False
        if node.is_text_node:
            text = node.text_content or ""
            if text and not text.isspace():
                if not has_text:
                    tag, has_text = blocks[-1], True
                breaks = 0
                if links:
                    linked.append(text)
            pieces.append(text)
        elif name == "br":
            pieces.append(" ")
            breaks += 1
            if breaks == 2:
                yield from end()
        elif node.is_element_node and not _is_hidden(node, name):
            if name == "img":
                breaks = 0
            if name in _BLOCKS:
                yield from end()
                blocks.append(name)
            links += name == "a"
            descend = True
        if descend and node.child is not None:
            node = node.child
            continue
        # Leave the node, and every element that it is the last of.
        while True:
            if descend:
                if name in _BLOCKS:
                    yield from end()
                    blocks.pop()
                links -= name == "a"
            if node.next is not None:
                node = node.next
                break
            node = node.parent
            if node is None:
                break
            name = node.tag or ""
            descend = node.is_element_node


def _is_hidden(node: LexborNode, name: str) -> bool:
    if name in _INVISIBLE:
        return True
    attributes = node.attributes
    if "hidden" in attributes:
        return True
    style = attributes.get("style")
    return style is not None and _DISPLAY_NONE.search(style) is not None
