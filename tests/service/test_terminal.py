"""What the terminal shows."""

import pytest

from classifier import Change, Explanation, Neighbour, Paragraph, Reason, Tag
from service.terminal import Painter, printable, shorten

LABELS = ("content", "ad_notice")
TAG = Tag("content", 0.876, {"content": 0.876, "ad_notice": 0.124})


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("ferry", 5, "ferry"),
        ("ferry", 4, "fer…"),
        ("ferry", 1, "…"),
        ("", 1, ""),
        ("渡轮离开", 8, "渡轮离开"),
        ("渡轮离开", 7, "渡轮离…"),
        ("渡轮离开", 6, "渡轮…"),
        ("e\u0301" * 3, 3, "e\u0301" * 3),
        ("e\u0301" * 3, 2, "e\u0301…"),
    ],
)
def test_shorten(text: str, columns: int, shown: str) -> None:
    assert shorten(text, columns) == shown


def test_nothing_printed_steers_the_terminal() -> None:
    assert printable("a\x1b[31mb\x07\x9b2Jc\u202ed\ud800") == "a�[31mb��2Jc�d�"
    assert printable(" a\r\n\tb\u2028c ") == "a b c"


def test_line_of_a_paragraph() -> None:
    text = "The ferry left\nthe harbour at dawn."
    plain = Painter(LABELS, width=0, colour=False)
    assert plain.paragraph(3, Paragraph(text), TAG) == "   3  content    0.88  The ferry left the harbour at dawn."
    narrow = Painter(LABELS, width=30, colour=False)
    assert narrow.paragraph(3, Paragraph(text), TAG) == "   3  content    0.88  The fe…"
    assert len(Painter(LABELS, width=5, colour=False).paragraph(3, Paragraph(text), TAG)) == 24


def test_colour_takes_no_width() -> None:
    line = Painter(LABELS, width=30, colour=True).paragraph(3, Paragraph("The ferry left"), TAG)
    assert line == "   3  \x1b[32mcontent  \x1b[0m  0.88  The fe…"


def test_explanation() -> None:
    explanation = Explanation(
        label="content",
        score=0.9,
        alone={"content": 0.6, "ad_notice": 0.4},
        reasons=(Reason("word", "the\x1bferry", 1.5), Reason("char", "he ", -0.5), Reason("shape", "commas 0", 0.25)),
        neighbours=(Neighbour(2, -1.25, "content"), Neighbour(5, 1.5, "appeal")),
        change=Change(("Give", "the\x1bferry"), "ad_notice", 0.75),
    )
    lines = "\n".join(Painter(LABELS, width=80, colour=True).explanation(explanation))
    for part in ("content 0.60", "+1.50  word   “the�ferry”", "-0.50  char   “he ”", "+0.25", "-1.25  paragraph 2\n"):
        assert part in lines
    assert "+1.50  paragraph 5; without it appeal\n" in lines
    assert lines.endswith("without “Give”, “the�ferry”: ad_notice 0.75")
