import codecs
import gzip
import json
import time
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.paragraphs import SPLITS, Paragraph, decode, looks_like_html, split_html, split_text

SHARED = Path(__file__).parents[3] / "shared"
COLLECTION = "scrapinghub/article-extraction-benchmark"

CHARACTERS = (
    st.characters(codec="utf-8")
    | st.characters(categories=["Cs"])
    | st.sampled_from("\n\r \t\x00\x0b\x1c\x85\u2028\ufeff")
)
LINES = st.lists(st.text(CHARACTERS, max_size=20) | st.sampled_from(["\n", "\r\n", "\n\n", "\r\n\r\n", " \n \n"])).map(
    "".join
)

PIECES = st.sampled_from(
    """
    <p> </p> <div> </div> <br> <br/> <a> </a> <b> </b> <table> <td> </table> <svg> </svg> <template> <select> <option>
    <script> </script> <!-- --> <![CDATA[ <li> <ul> </ul> <h1> <body> </html> <frameset> <noframes> <plaintext> <math>
    <title> <textarea> </textarea> &amp; &#0; &#xd800; &bogus; <p/hidden> <p/style=display:none> < > = " '
    """.split()
)

WRAPPED = """\
The bakery on the corner opens at six, long before the first tram, and by seven
the queue reaches the chemist's. Nobody minds; people read, or talk about the
football, and the smell of the bread makes the wait seem shorter than it really
is on most days.

On Sundays it stays shut. The baker says that flour needs a day of rest as much
as people do, and that in thirty years he has never once regretted the money he
did not make on the seventh day of a week."""
WRAPPED_PARTS = WRAPPED.split("\n\n")


def texts(paragraphs: list[Paragraph]) -> list[str]:
    return [paragraph.text for paragraph in paragraphs]


def cut(html: str | bytes) -> list[tuple[str, str | None]]:
    """Each paragraph's text and element."""
    return [(paragraph.text, paragraph.tag) for paragraph in split_html(html)]


class TestText:
    def test_a_line_is_a_paragraph(self):
        text = "Fair weather\n\n  The sun shines.  \nRead  more\n"
        assert split_text(text, "line") == [
            Paragraph("Fair weather"),
            Paragraph("The sun shines."),
            Paragraph("Read  more"),
        ]
        assert split_text(text) == split_text(text, "line")

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_blank_lines_part_paragraphs(self, end: str):
        text = end.join(["One,", "still one.", "", "Two.", " \t", "", "Three,", "  still three.", ""])
        assert texts(split_text(text, "blank")) == [f"One,{end}still one.", "Two.", f"Three,{end}  still three."]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_lines_may_end_as_on_any_system(self, end: str):
        assert texts(split_text(end.join("abc"), "line")) == ["a", "b", "c"]

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_a_hard_wrapped_text_parts_at_blank_lines(self, end: str):
        parts = [part.replace("\n", end) for part in WRAPPED_PARTS]
        assert texts(split_text((end * 2).join(parts))) == parts

    def test_auto_leaves_unwrapped_texts_to_their_lines(self):
        pasted = "\n".join(part.replace("\n", " ") for part in WRAPPED_PARTS * 3)
        assert len(split_text(pasted)) == 6

    def test_auto_takes_a_menu_by_its_lines(self):
        menu = "Home\nNews\nSport\nWeather\nJobs and careers\nContact\nSend us your story\nPrivacy"
        assert len(split_text(menu)) == 8

    def test_auto_takes_verse_by_its_lines(self):
        verse = "\n".join(["The kettle sings, the clock has stopped,", "a spoon lies by the bread,"] * 4)
        assert len(split_text(verse)) == 8

    def test_a_byte_order_mark_is_no_text(self):
        assert texts(split_text("\ufeffHello\nWorld")) == ["Hello", "World"]

    @pytest.mark.parametrize("split", SPLITS)
    @pytest.mark.parametrize("text", ["", "\n", " \r\n\t \n", "\ufeff"])
    def test_nothing_gives_nothing(self, text: str, split):
        assert split_text(text, split) == []

    def test_an_unknown_split_is_refused(self):
        with pytest.raises(ValueError, match="line"):
            split_text("a", "word")

    @given(LINES, st.sampled_from(SPLITS))
    def test_only_white_space_is_lost(self, text: str, split):
        found = texts(split_text(text, split))
        place = 0
        for paragraph in found:
            assert paragraph == paragraph.strip() != ""
            place = text.index(paragraph, place) + len(paragraph)
        left = text.removeprefix("\ufeff")
        assert "".join("".join(found).split()) == "".join(left.split())

    @given(LINES)
    def test_text_paragraphs_have_no_hints(self, text: str):
        assert all(p.tag is None and p.link_density is None for p in split_text(text))

    @pytest.mark.parametrize(
        "text", ["\n" * 300_000, " \n" * 300_000 + "x", "\r\n \r\n" * 100_000, " " * 1_000_000, "a" * 10_000_000]
    )
    @pytest.mark.parametrize("split", SPLITS)
    def test_long_runs_are_fast(self, text: str, split):
        start = time.perf_counter()
        assert len(split_text(text, split)) <= 1
        assert time.perf_counter() - start < 3


class TestHtml:
    def test_a_page(self):
        page = """<!doctype html><html><head><title>Not seen</title><style>p {}</style></head><body>
            <nav><ul><li><a href=/>Home</a></li><li><a href=/news>News</a></li></ul></nav>
            <h1>New bridge</h1>
            <p>It took <em>seven</em> years, <a href=/b>he said</a>.</p>
            <footer>© A. Paper</footer></body></html>"""
        assert split_html(page) == [
            Paragraph("Home", "li", 1.0),
            Paragraph("News", "li", 1.0),
            Paragraph("New bridge", "h1", 0.0),
            Paragraph("It took seven years, he said.", "p", round(6 / 24, 3)),
            Paragraph("© A. Paper", "footer", 0.0),
        ]

    @pytest.mark.parametrize("element", "script style noscript template svg canvas select iframe".split())
    def test_invisible_elements_are_left_out(self, element: str):
        assert cut(f"<div>before<{element}>unseen words</{element}>after</div>") == [("beforeafter", "div")]

    def test_the_head_is_left_out(self):
        assert cut("<head><title>Title</title><style>p {}</style></head><body>Body</body>") == [("Body", "body")]

    @pytest.mark.parametrize(
        "attribute",
        [
            "hidden",
            "hidden=''",
            "HIDDEN=hidden",
            "style='display:none'",
            'style="color: red; DISPLAY :\tNone !important"',
        ],
    )
    def test_hidden_elements_are_left_out_with_what_they_hold(self, attribute: str):
        html = f"<p>a1</p><div {attribute}><p>b2 <b>c3</b></p></div><span {attribute}>d4</span><p>e5</p>"
        assert cut(html) == [("a1", "p"), ("e5", "p")]

    @pytest.mark.parametrize(
        "attribute", ["style='display:block'", "style", "class=hidden", "aria-hidden=true", "data-hidden"]
    )
    def test_other_elements_are_seen(self, attribute: str):
        assert cut(f"<p {attribute}>seen</p>") == [("seen", "p")]

    @pytest.mark.parametrize(
        "element",
        "address article aside blockquote button dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
        "header label li main nav ol p pre section summary ul".split(),
    )
    def test_block_elements_end_a_paragraph(self, element: str):
        html = f"<body>before<{element}>inside</{element}>after</body>"
        assert cut(html) == [("before", "body"), ("inside", element), ("after", "body")]

    @pytest.mark.parametrize("element", "a abbr b cite code em i mark q small span strong sub sup time u x-own".split())
    def test_inline_elements_do_not(self, element: str):
        assert cut(f"<p>be<{element}>for</{element}>e</p>") == [("before", "p")]

    def test_table_cells_are_paragraphs(self):
        html = "<table><caption>Prices</caption><tr><th>Bread</th><td>3</td></tr></table>"
        assert cut(html) == [("Prices", "caption"), ("Bread", "th"), ("3", "td")]

    def test_nested_inline_elements(self):
        html = "<p>One <b>two <i>three <a href=x>four <span>five</span></a></i></b> six</p>"
        assert split_html(html) == [Paragraph("One two three four five six", "p", round(8 / 22, 3))]

    def test_a_block_inside_inline_elements(self):
        assert cut("<p>a1</p><span>b2<div>c3</div>d4</span>") == [
            ("a1", "p"),
            ("b2", "body"),
            ("c3", "div"),
            ("d4", "body"),
        ]

    @pytest.mark.parametrize(
        ("html", "found"),
        [
            ("one<br>two", ["one two"]),
            ("one<br/>two<br>three", ["one two three"]),
            ("one<br><br>two", ["one", "two"]),
            ("one<br> \n <br>two", ["one", "two"]),
            ("one<br><!-- note --><br>two", ["one", "two"]),
            ("one<br><br><br><br>two", ["one", "two"]),
            ("<b>one<br></b><br>two", ["one", "two"]),
            ("<br><br>one<br>", ["one"]),
            ("one<br>two<br><br>three<br>four", ["one two", "three four"]),
        ],
    )
    def test_two_breaks_end_a_paragraph_and_one_is_a_space(self, html: str, found: list[str]):
        assert texts(split_html(f"<p>{html}</p>")) == found

    def test_white_space_collapses(self):
        assert texts(split_html("<p> \n one\t\ttwo &nbsp; three\u2003four </p>")) == ["one two three four"]

    def test_in_pre_too(self):
        assert cut("<pre>a1\n   b2</pre>") == [("a1 b2", "pre")]

    def test_entities_are_characters(self):
        assert texts(split_html("<p>A&amp;B &lt;b&gt; &eacute; &#128512; &copy</p>")) == ["A&B <b> é 😀 ©"]

    @pytest.mark.parametrize("text", ["", "–", "* * *", "|", "…", "»", "😀"])
    def test_without_a_letter_or_digit_it_is_dropped(self, text: str):
        assert texts(split_html(f"<p>one</p><p>{text}</p><p>two</p>")) == ["one", "two"]

    @pytest.mark.parametrize("text", ["1", "a", "語", "٣", "é!", "½"])
    def test_with_one_it_is_kept(self, text: str):
        assert texts(split_html(f"<p>{text}</p>")) == [text]

    def test_an_exact_repeat_of_the_one_before_is_dropped(self):
        html = "<p>Same</p><div>Same</div><p>–</p><p>Same</p><p>same</p><p>Same</p>"
        assert cut(html) == [("Same", "p"), ("same", "p"), ("Same", "p")]

    def test_the_tag_is_the_nearest_block(self):
        html = "<article><section>a1<ul><li><span>b2</span><div><em>c3</em></div>d4</li></ul></section></article>"
        assert cut(html) == [("a1", "section"), ("b2", "li"), ("c3", "div"), ("d4", "li")]

    @pytest.mark.parametrize(
        ("html", "density"),
        [
            ("no link", 0.0),
            ("<a href=x>all of it</a>", 1.0),
            ("<a href=x>ab</a> cd", 0.5),
            ("<a href=x> ab </a> <b><a href=y>c d</a></b> efgh", 0.5),
            ("one <a href=x></a>two", 0.0),
            ("a<a href=x>bc</a>", 0.667),
            ("12345 <a name=here>678</a>", 0.375),
        ],
    )
    def test_link_density_by_hand(self, html: str, density: float):
        assert [p.link_density for p in split_html(f"<p>{html}</p>")] == [density]

    def test_a_link_around_blocks_counts_in_each(self):
        html = "<a href=x><h3>Story</h3><p>Teaser</p></a><p>Text</p>"
        assert [p.link_density for p in split_html(html)] == [1.0, 1.0, 0.0]

    @pytest.mark.parametrize("element", ["div", "b", "a href=x", "ul><li", "table><tr><td", "span", "blockquote"])
    def test_deep_nesting(self, element: str):
        start = time.perf_counter()
        (paragraph,) = split_html(f"<{element}>" * 5000 + "the bottom")
        assert paragraph.text == "the bottom"
        assert time.perf_counter() - start < 5

    def test_deep_nesting_closed(self):
        html = "".join(f"<div>d{i}" for i in range(5000)) + "</div>" * 5000 + "<p>end</p>"
        found = cut(html)
        assert len(found) == 5001
        assert found[-1] == ("end", "p")

    @pytest.mark.parametrize(
        ("html", "found"),
        [
            ("", []),
            ("   ", []),
            ("\x00", []),
            ("<", []),
            ("<p", []),
            ("<p>one<p>two", [("one", "p"), ("two", "p")]),
            ("<p>one</div></span></p>two", [("one", "p"), ("two", "body")]),
            ("<b><p>one</b>two</p>", [("onetwo", "p")]),
            ("<ul><li>one<li>two</ul", [("one", "li"), ("two", "li")]),
            ("only text", [("only text", "body")]),
            ("<p>one</p></body></html>late", [("one", "p"), ("late", "body")]),
            ("<!-- <p>not</p> --><p>one", [("one", "p")]),
            ("<p>one</p><!-- never closed <p>two</p>", [("one", "p")]),
            ("<p class='>one</p>", []),
            ("<![CDATA[x]]><p>one</p>", [("one", "p")]),
            ("<p>a < b1</p>", [("a < b1", "p")]),
        ],
    )
    def test_malformed_pages(self, html: str, found: list[tuple[str, str]]):
        assert cut(html) == found

    @given(st.lists(PIECES | st.text(CHARACTERS, max_size=8)).map("".join))
    def test_no_text_is_too_odd(self, html: str):
        for paragraph in split_html(html):
            assert paragraph.text == " ".join(paragraph.text.split()) != ""
            assert paragraph.tag
            assert 0 <= paragraph.link_density <= 1

    @given(st.binary() | st.lists(PIECES | st.text(), max_size=20).map(lambda p: "".join(p).encode("utf-8", "ignore")))
    def test_no_bytes_are_too_odd(self, html: bytes):
        split_html(html)

    @given(st.lists(st.tuples(st.sampled_from(["p", "div", "li", "b", "span"]), st.text("ab1é語 .", max_size=6))))
    def test_no_letter_is_lost(self, parts: list[tuple[str, str]]):
        html = "".join(f"<{tag}>{i}{text}</{tag}>" for i, (tag, text) in enumerate(parts))
        expected = "".join("".join(f"{i}{text}" for i, (_, text) in enumerate(parts)).split())
        assert "".join("".join(texts(split_html(html))).split()) == expected


class TestDecode:
    TEXT = "Café – naïve"

    @pytest.mark.parametrize(
        ("bom", "encoding"),
        [
            (codecs.BOM_UTF8, "utf-8"),
            (codecs.BOM_UTF16_LE, "utf-16-le"),
            (codecs.BOM_UTF16_BE, "utf-16-be"),
            (codecs.BOM_UTF32_LE, "utf-32-le"),
            (codecs.BOM_UTF32_BE, "utf-32-be"),
        ],
    )
    def test_byte_order_marks(self, bom: bytes, encoding: str):
        page = f"<meta charset=koi8-r><p>{self.TEXT}</p>"
        assert decode(bom + page.encode(encoding)) == page

    @pytest.mark.parametrize(
        "declaration",
        [
            "<meta charset=windows-1251>",
            '<meta charset="windows-1251">',
            "<META  CharSet = 'Windows-1251' />",
            '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
            "<meta content='text/html;charset=CP1251' http-equiv=content-type>",
            "<?xml version='1.0' encoding='windows-1251'?>",
        ],
    )
    def test_declared_charsets(self, declaration: str):
        page = f"{declaration}<p>Мост открыт</p>"
        assert decode(page.encode("cp1251")) == page

    @pytest.mark.parametrize("name", ["iso-8859-1", "latin1", "ISO_8859-1", "us-ascii", "windows-1252"])
    def test_latin_1_is_windows_1252(self, name: str):
        page = f"<meta charset={name}><p>“Café” – 5 €…</p>"
        assert decode(page.encode("cp1252")) == page

    @pytest.mark.parametrize(
        ("name", "encoding", "text"),
        [
            ("gb2312", "gb18030", "市议会决定保留游泳池，朱镕基"),
            ("shift_jis", "shift_jis", "橋が開通した"),
            ("euc-kr", "euc-kr", "다리가 열렸다"),
            ("big5", "big5", "大橋開通"),
            ("iso-8859-2", "iso-8859-2", "Zażółć gęślą jaźń"),
            ("iso-8859-9", "cp1254", "“İstanbul’da köprü açıldı”"),
            ("koi8-r", "koi8-r", "Мост открыт"),
        ],
    )
    def test_declared_charsets_of_other_scripts(self, name: str, encoding: str, text: str):
        page = f"<meta charset={name}><p>{text}</p>"
        assert decode(page.encode(encoding)) == page

    @pytest.mark.parametrize(
        "name", ["nonsense", "utf-16", "UTF-16LE", "utf-32", "utf-8", "base64", "rot13", "undefined", "x" * 90]
    )
    def test_utf_8_under_any_declaration_that_cannot_be(self, name: str):
        page = f"<meta charset={name}><p>{self.TEXT}</p>"
        assert decode(page.encode()) == page

    @pytest.mark.parametrize("name", ["unicode_escape", "raw_unicode_escape", "idna", "punycode"])
    def test_codecs_of_python_alone_are_no_charsets(self, name: str):
        page = f"<meta charset={name}><p>{self.TEXT} \\x41 \\z</p>"
        assert decode(page.encode()) == page

    def test_a_declaration_past_the_start_does_not_count(self):
        page = f"<p>{self.TEXT}</p>{' ' * 5000}<meta charset=koi8-r>"
        assert decode(page.encode()) == page

    def test_undeclared_utf_8(self):
        assert decode(self.TEXT.encode()) == self.TEXT
        assert decode(b"") == ""

    @pytest.mark.parametrize(
        ("encoding", "text"),
        [
            ("cp1252", "“Le café est fermé”, a déclaré l’élève à côté de la fenêtre. " * 8),
            ("cp1251", "Вчера в городе открыли новый мост через реку, его строили семь лет. " * 8),
            ("shift_jis", "昨日、町で新しい橋が開通しました。七年かかりました。" * 8),
            ("gb18030", "昨天，这座城市开通了一座新桥，建造历时七年。" * 8),
        ],
    )
    def test_undeclared_legacy_bytes_are_detected(self, encoding: str, text: str):
        assert decode(text.encode(encoding)) == text

    @pytest.mark.parametrize("declaration", ["", "<meta charset=utf-8>"])
    @pytest.mark.parametrize("bad", [b"\xff", b"\xe2\x82", b"\x80", b"\xed\xa0\x80"])
    def test_a_stray_byte_does_not_spoil_a_utf_8_page(self, declaration: str, bad: bytes):
        before = f"{declaration}<p>{'Le café où l’élève a déjà dîné rouvre à Noël. ' * 20}</p><p>"
        text = decode(before.encode() + bad + "olé</p>".encode())
        assert text.startswith(before)
        assert text.endswith("olé</p>")
        assert "\ufffd" in text

    def test_a_utf_8_page_cut_inside_a_character(self):
        page = f"<meta charset=utf-8><p>{'Le café est fermé. ' * 20}é"
        assert decode(page.encode()[:-1]).startswith(page[:-1])

    @given(st.binary())
    def test_no_bytes_fail(self, raw: bytes):
        decode(raw).encode("utf-8")

    @given(st.text())
    def test_utf_8_is_read_as_it_is(self, text: str):
        assert decode(b"<meta charset=utf-8>" + text.encode()) == f"<meta charset=utf-8>{text}"

    def test_bytes_are_decoded_before_they_are_cut(self):
        page = "<?xml version='1.0' encoding='iso-8859-1'?><p>“Ça va”</p>"
        assert texts(split_html(page.encode("cp1252"))) == ["“Ça va”"]


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html><title>x</title>",
        "  \n<html lang=en>",
        "\ufeff<html>",
        "<p>One paragraph</p>",
        "<div class=a>x</div>",
        "<!-- saved --><body>x",
        "<?xml version='1.0'?>\n<html>",
    ],
)
@pytest.mark.parametrize("encoding", [None, "utf-8", "utf-8-sig", "utf-16"])
def test_looks_like_html(page: str, encoding: str | None):
    if encoding and page.startswith("\ufeff"):
        page = page[1:]
    assert looks_like_html(page.encode(encoding) if encoding else page)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "Plain words.",
        "a < b and b > c",
        "<3 this song",
        "<jane@example.org> wrote:",
        "Use the <p> element.",
        "<- back",
    ],
)
def test_looks_like_text(page: str):
    assert not looks_like_html(page)
    assert not looks_like_html(page.encode())


@pytest.mark.skipif(not (SHARED / "articles").is_dir(), reason="needs the raw pages in ../shared/articles")
def test_the_labelled_paragraphs_are_found_again():
    pages = defaultdict(list)
    with gzip.open(SHARED / "corpus" / "web.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            if COLLECTION in line:
                row = json.loads(line)
                pages[row["path"]].append(row)
    found = total = 0
    for path in sorted(pages)[::10]:
        with gzip.open(SHARED / "articles" / path) as file:
            paragraphs = dict(enumerate(split_html(file.read())))
        rows = pages[path]
        total += len(rows)
        found += sum(
            paragraphs.get(row["order"]) == Paragraph(row["text"], row["tag"], row["link_density"]) for row in rows
        )
    assert total > 500
    assert found >= 0.97 * total
