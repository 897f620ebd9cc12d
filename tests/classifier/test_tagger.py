import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import ModelError, Paragraph, Tag, Tagger, folder
from classifier.folder import Model

PAGE = """\
<!doctype html>
<html lang="en"><head><title>Lock keeper retires</title></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/news">News</a></li><li><a href="/sport">Sport</a></li>
<li><a href="/weather">Weather</a></li></ul></nav>
<main><h1>After forty years, the lock keeper hangs up his hat</h1>
<p>When Arne Holt first opened the gates at Millbrook lock, the barges still carried gravel and the towpath was mud. On
Friday he closed them for the last time, before some two hundred neighbours who had come with flasks and a cake.</p>
<p>“I never meant to stay,” he said on the balance beam, his dog asleep at his feet. “I came for a summer, and then the
river froze, and then there was always one more boat to let through.”</p>
<div class="ad"><span>Advertisement</span></div>
<p>The canal trust, which owns the lock, has not yet said who will follow him. A spokeswoman told reporters that the
house beside the gates would be repaired over the winter and let to the next keeper from April.</p>
<p>Mr Holt will not go far. He has bought a narrowboat, painted it green, and moored it a hundred yards downstream,
where he can hear the paddles rattle whenever somebody gets them wrong.</p>
<aside><h3>Support our independent journalism</h3><p>We have no owner and no paywall. Please donate today: your gift of
any size keeps our reporters at work.</p><button>Donate now</button></aside></main>
<footer><ul><li><a href="/about">About us</a></li><li><a href="/privacy">Privacy policy</a></li></ul></footer>
</body></html>
"""
STORY = ("When Arne Holt", "“I never meant", "The canal trust", "Mr Holt will")
ASKS = ("Support our", "We have no owner", "Donate now")
MENU = ("Home", "News", "Sport", "Weather", "About us", "Privacy policy")

CHARACTERS = st.characters(codec="utf-8") | st.characters(categories=["Cs"]) | st.sampled_from("\x00\n\u2028\ufeff")
TEXTS = st.text(CHARACTERS, max_size=60) | st.sampled_from(
    ["Read more", "Advertisement", "Donate now", "The boat sails."]
)
HINTED = st.builds(Paragraph, TEXTS, st.sampled_from("p div li h1 h2 x-own".split()), st.floats(0, 1))
GIVEN = TEXTS | HINTED | st.builds(lambda text: {"text": text, "tag": None}, TEXTS)
DOCUMENTS = st.lists(GIVEN, max_size=6) | st.lists(HINTED, max_size=6)


@pytest.fixture(scope="module")
def small(small_model: Model) -> Tagger:
    return Tagger(small_model)


def assert_close(one: list[Tag], other: list[Tag]) -> None:
    """The same up to the last bits, in which a product of matrices may differ by their size."""
    assert len(one) == len(other)
    for mine, theirs in zip(one, other, strict=True):
        assert mine.scores == pytest.approx(theirs.scores, abs=1e-9)
        assert mine.label == theirs.label or mine.score == pytest.approx(theirs.score, abs=1e-9)


def plain(given: str | dict[str, Any] | Paragraph) -> str:
    if isinstance(given, Paragraph):
        return given.text
    return given if isinstance(given, str) else given["text"]


class TestLoading:
    def test_from_a_folder(self, small_model: Model, small: Tagger, tmp_path: Path):
        folder.write(small_model, tmp_path)
        for path in (tmp_path, str(tmp_path)):
            assert Tagger.load(path).tag(["The ferry", "Sport"]) == small.tag(["The ferry", "Sport"])

    def test_from_nowhere(self, tmp_path: Path):
        with pytest.raises(ModelError):
            Tagger.load(tmp_path / "no" / "model")

    def test_the_default_model_has_the_four_labels(self, tagger: Tagger):
        assert set(tagger.labels) == {"content", "appeal", "ad_notice", "navigation"}
        assert tagger.manifest["labels"] == list(tagger.labels)

    def test_without_scikit_learn(self):
        code = (
            "import sys\n"
            "from classifier import Tagger\n"
            "tagger = Tagger.load()\n"
            "tagger.tag(['Read more', 'The boat sails at dawn.'])\n"
            "tagger.clean('<p>The boat <b>sails</b> at dawn.</p>')\n"
            "tagger.explain(['Read more'], 0)\n"
            "print([name for name in ('sklearn', 'pandas', 'pyarrow', 'fastapi') if name in sys.modules])\n"
        )
        root = str(Path(__file__).parents[2])
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
        assert run.stdout.strip() == "[]"


class TestTags:
    @given(DOCUMENTS, st.booleans())
    def test_one_tag_a_paragraph_with_probabilities(self, small: Tagger, page: list[Any], context: bool):
        tags = small.tag(page, context=context)
        assert len(tags) == len(page)
        for tag in tags:
            assert tuple(tag.scores) == small.labels
            assert sum(tag.scores.values()) == pytest.approx(1)
            assert all(0 <= p <= 1 for p in tag.scores.values())
            assert tag.score == tag.scores[tag.label] == max(tag.scores.values())

    @given(st.lists(TEXTS, min_size=1, max_size=6))
    def test_so_it_is_in_the_default_model(self, tagger: Tagger, page: list[str]):
        for tag in tagger.tag(page):
            assert sum(tag.scores.values()) == pytest.approx(1)
            assert tag.score == tag.scores[tag.label] == max(tag.scores.values())

    @given(DOCUMENTS, st.randoms())
    def test_without_context_company_does_not_matter(self, small: Tagger, page: list[Any], random: Any):
        tags = small.tag(page, context=False)
        assert tags == [small.tag([given], context=False)[0] for given in page]
        order = list(range(len(page)))
        random.shuffle(order)
        assert small.tag([page[i] for i in order], context=False) == [tags[i] for i in order]

    def test_with_context_it_does(self, tagger: Tagger):
        alone, company = tagger.tag(["More"])[0], tagger.tag(["Home", "News", "More"])[2]
        assert alone.scores != company.scores

    @given(st.lists(DOCUMENTS, max_size=5), st.booleans())
    def test_many_documents_are_as_one_by_one(self, small: Tagger, pages: list[list[Any]], context: bool):
        together = small.tag_documents(pages, context=context)
        assert len(together) == len(pages)
        for tags, page in zip(together, pages, strict=True):
            assert_close(tags, small.tag(page, context=context))

    @given(DOCUMENTS, st.booleans())
    def test_probabilities_are_the_tags_scores(self, small: Tagger, page: list[Any], context: bool):
        shares = small.probabilities([page], context=context)
        assert shares.shape == (len(page), len(small.labels))
        assert shares.tolist() == [list(tag.scores.values()) for tag in small.tag(page, context=context)]

    def test_nothing(self, small: Tagger):
        assert small.tag([]) == small.tag([], context=False) == []
        assert small.tag_documents([]) == []
        assert small.tag_documents([[], []]) == [[], []]
        assert small.tag_text("") == small.tag_html("") == small.tag_html(b"") == []
        assert small.probabilities([]).shape == (0, len(small.labels))

    @pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "*", "\n\n"])
    def test_next_to_nothing(self, tagger: Tagger, text: str):
        (tag,) = tagger.tag([text])
        assert sum(tag.scores.values()) == pytest.approx(1)

    def test_a_paragraph_of_ten_megabytes(self, tagger: Tagger):
        (tag,) = tagger.tag(["The boat sails at dawn. " * (10_000_000 // 24)])
        assert sum(tag.scores.values()) == pytest.approx(1)

    def test_ten_thousand_paragraphs(self, tagger: Tagger):
        assert len(tagger.tag(["Read more", "The boat sails at dawn."] * 5_000)) == 10_000

    def test_threads_do_not_disturb_each_other(self, tagger: Tagger):
        pages = [[f"Story {i}", "The boat sails at dawn. " * (i % 5), "Read more"] * (i + 1) for i in range(16)]
        alone = [tagger.tag(page) for page in pages]
        with ThreadPoolExecutor(4) as pool:
            for one, other in zip(pool.map(tagger.tag, pages * 3), alone * 3, strict=True):
                assert_close(one, other)

    def test_tagging_again_gives_the_same(self, tagger: Tagger):
        assert tagger.tag_html(PAGE) == tagger.tag_html(PAGE)

    def test_a_model_without_context(self, small_model: Model):
        alone = Tagger(replace(small_model, text_passes=(), html_passes=()))
        page = [Paragraph("Home", "li", 1.0), Paragraph("The ferry left.", "p", 0.0)]
        assert alone.tag(page) == alone.tag(page, context=False)


class TestGiven:
    def test_strings_rows_and_paragraphs_are_the_same(self, small: Tagger):
        texts = ["Home", "The ferry left the harbour at dawn.", "Sport"]
        rows = [{"text": text, "doc": 7, "label": "content", "other": None} for text in texts]
        assert small.tag(texts) == small.tag(rows) == small.tag([Paragraph(text) for text in texts])
        assert small.tag(tuple(texts)) == small.tag([texts[0], rows[1], Paragraph(texts[2])])

    def test_hints_in_rows_and_paragraphs_are_the_same(self, small: Tagger):
        rows = [
            {"text": "Home", "tag": "li", "link_density": 1},
            {"text": "The ferry left.", "tag": "p", "link_density": "0.25"},
        ]
        paragraphs = [Paragraph("Home", "li", 1.0), Paragraph("The ferry left.", "p", 0.25)]
        assert small.tag(rows) == small.tag(paragraphs)
        assert small.tag(rows) != small.tag(["Home", "The ferry left."])

    @given(st.lists(HINTED, min_size=1, max_size=6), st.data())
    def test_hints_count_only_where_every_paragraph_has_them(
        self, small: Tagger, page: list[Paragraph], data: st.DataObject
    ):
        i = data.draw(st.integers(0, len(page) - 1))
        texts = [paragraph.text for paragraph in page]
        for tag, density in ((None, 0.5), ("p", None), (None, None), ("", 0.5)):
            partly = [*page[:i], Paragraph(page[i].text, tag, density), *page[i + 1 :]]
            assert_close(small.tag(partly), small.tag(texts))

    @given(st.lists(HINTED, min_size=1, max_size=6))
    def test_hints_do_not_count_without_context(self, small: Tagger, page: list[Paragraph]):
        assert small.tag(page, context=False) == small.tag([paragraph.text for paragraph in page], context=False)

    def test_hints_of_one_document_leave_the_next_alone(self, small: Tagger):
        hinted, bare = [Paragraph("Home", "li", 1.0)], ["Home"]
        together = small.tag_documents([hinted, bare, hinted])
        for tags, page in zip(together, (hinted, bare, hinted), strict=True):
            assert_close(tags, small.tag(page))

    @pytest.mark.parametrize(
        "wrong",
        [1, None, b"bytes", ["text"], 1.5, {}, {"text": None}, {"text": 5}, {"text": b"a"}, {"txt": "a"}, object()],
    )
    @pytest.mark.parametrize("context", [True, False])
    def test_what_holds_no_text_is_a_type_error(self, small: Tagger, wrong: Any, context: bool):
        with pytest.raises(TypeError):
            small.tag(["fine", wrong], context=context)

    @pytest.mark.parametrize("density", [float("nan"), float("inf"), -float("inf"), "nan"])
    def test_a_density_that_is_no_number_never_makes_scores_that_are_none(self, small: Tagger, density: Any):
        try:
            tags = small.tag([{"text": "Home", "tag": "li", "link_density": density}])
        except ValueError:
            return
        assert sum(tags[0].scores.values()) == pytest.approx(1)

    @given(DOCUMENTS)
    def test_what_was_given_is_not_changed(self, small: Tagger, page: list[Any]):
        before = [dict(given) if isinstance(given, dict) else given for given in page]
        small.tag(page)
        assert page == before


class TestSplitting:
    def test_text_is_never_changed(self, tagger: Tagger):
        text = "  Headline \n\nThe  boat\tsails — at dawn.  \nRead more…\n"
        found = tagger.tag_text(text)
        assert [paragraph.text for paragraph, _ in found] == ["Headline", "The  boat\tsails — at dawn.", "Read more…"]
        assert_close([tag for _, tag in found], tagger.tag(["Headline", "The  boat\tsails — at dawn.", "Read more…"]))

    def test_text_can_be_split_by_hand(self, tagger: Tagger):
        text = "The boat sails\nat dawn.\n\nRead more"
        assert [p.text for p, _ in tagger.tag_text(text, split="blank")] == ["The boat sails\nat dawn.", "Read more"]
        assert len(tagger.tag_text(text, split="line")) == 3

    def test_bytes_are_as_text(self, tagger: Tagger):
        assert tagger.tag_html(PAGE.encode()) == tagger.tag_html(PAGE)
        assert tagger.tag_html(PAGE.encode("utf-16")) == tagger.tag_html(PAGE)

    def test_context_can_be_left_away(self, tagger: Tagger):
        found = tagger.tag_html(PAGE, context=False)
        assert [tag for _, tag in found] == tagger.tag([paragraph for paragraph, _ in found], context=False)


class TestCleaning:
    @pytest.mark.parametrize("labels", [("content",), ("appeal", "navigation"), ()])
    def test_only_chosen_labels_are_kept(self, tagger: Tagger, labels: tuple[str, ...]):
        kept = [paragraph.text for paragraph, tag in tagger.tag_html(PAGE) if tag.label in labels]
        assert tagger.clean(PAGE, keep=labels) == "\n\n".join(kept)
        assert tagger.clean(PAGE.encode(), keep=iter(labels)) == "\n\n".join(kept)

    @given(st.lists(st.sampled_from(["The boat sails at dawn.", "Read more", "Sport", "x"]), max_size=6).map("\n".join))
    def test_keeping_all_keeps_every_paragraph(self, tagger: Tagger, text: str):
        kept = tagger.clean(text, keep=tagger.labels)
        assert kept == "\n\n".join(paragraph.text for paragraph, _ in tagger.tag_text(text))

    def test_the_order_is_the_pages(self, tagger: Tagger):
        kept = tagger.clean(PAGE)
        places = [kept.find(start) for start in STORY]
        assert places == sorted(places)
        assert places[0] >= 0

    @pytest.mark.parametrize("page", ["Plain text", "", PAGE])
    def test_an_unknown_label_is_refused(self, tagger: Tagger, page: str):
        with pytest.raises(ValueError, match="'advert'"):
            tagger.clean(page, keep=["content", "advert"])

    @pytest.mark.parametrize("page", ["", b"", " \n", "<p></p>", "\ufeff"])
    def test_nothing_is_left_of_nothing(self, tagger: Tagger, page: str | bytes):
        assert tagger.clean(page) == ""

    def test_plain_bytes(self, tagger: Tagger):
        text = "Café Noir öffnet.\nRead more"
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            assert tagger.clean(text.encode(encoding), keep=tagger.labels) == text.replace("\n", "\n\n")


def labels_of(tagged: list[tuple[Paragraph, Tag]]) -> dict[str, str]:
    return {paragraph.text: tag.label for paragraph, tag in tagged}


class TestSense:
    """A page that any sane model gets right, with its HTML and without."""

    def check(self, found: dict[str, str]) -> None:
        for starts, label in (
            (STORY, "content"),
            (ASKS, "appeal"),
            (MENU, "navigation"),
            (("Advertisement",), "ad_notice"),
        ):
            for start in starts:
                assert {label for text, label in found.items() if text.startswith(start)} == {label}, start

    def test_with_html(self, tagger: Tagger):
        self.check(labels_of(tagger.tag_html(PAGE)))

    def test_as_pasted_text(self, tagger: Tagger):
        """Without HTML the paragraph that touches the appeal box may be taken for a part of it; nothing else."""
        text = "\n".join(paragraph.text for paragraph, _ in tagger.tag_html(PAGE))
        found = labels_of(tagger.tag_text(text))
        last = next(text for text in found if text.startswith(STORY[-1]))
        assert found[last] in ("content", "appeal")
        self.check({**found, last: "content"})

    def test_clean_leaves_the_story(self, tagger: Tagger):
        kept = tagger.clean(PAGE)
        assert all(start in kept for start in STORY)
        assert not any(start in kept for start in (*ASKS, "Advertisement", "Privacy policy"))

    def test_a_story_about_donations_is_a_story(self, tagger: Tagger):
        text = (
            "The museum said on Monday that donations had fallen by a third since the war began, and that it would "
            "close two galleries to visitors unless the ministry paid what it had promised in the spring."
        )
        assert tagger.tag([text], context=False)[0].label == "content"
