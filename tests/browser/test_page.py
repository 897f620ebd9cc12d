"""Why, the model, keys, keyboard, and what those who can't see or hold a mouse meet."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from benchmarks import browser as chromium
from benchmarks.browser import paste
from benchmarks.reload import tilted
from benchmarks.serving import Service, serving
from classifier import Tagger, folder
from classifier.tagger import DEFAULT_MODEL
from tests.browser.conftest import Window

FILES = Path(__file__).parents[2] / "service" / "page"
KEY = "a long and random key"
TEXTS = [
    "Subscribe to the harbour",
    "The FERRY left at 7.20 am, again: ferry, Ferry!",
    "Паром вышел из гавани в 10 часов.",
    "渡轮在黎明离开港口。请订阅我们的报纸",
    "Ürün İstanbul’da, ﬁnal — e\u0301té 👩‍👩‍👧 12٣",
    "one  two\tthree\u00a0four",
]


def why(page: Page) -> None:
    expect(page.locator("#why h3").first).to_be_visible()


def test_why(page: Page, tagger: Tagger) -> None:
    paste(page, "\n".join(TEXTS[:3]))
    page.locator(".row").first.click()
    why(page)
    panel = page.locator("#why")
    explanation = tagger.explain(TEXTS[:3], 0)
    shown = panel.locator(".bars .number").all_text_contents()
    expected = [*explanation.reasons[:20], *explanation.neighbours]
    assert sorted(shown) == sorted(f"{'−' if one.weight < 0 else '+'}{abs(one.weight):.2f}" for one in expected)
    assert page.locator(".row mark.for").count() > 0
    assert "subscribe" in " ".join(page.locator(".row mark").all_text_contents()).lower()
    panel.locator(".neighbour").first.click()
    expect(page.locator(".row[aria-selected=true] .text")).to_have_text(TEXTS[explanation.neighbours[0].index])
    expect(page.locator(".row").first.locator("mark")).to_have_count(0)


def test_what_would_change_it(page: Page, tagger: Tagger) -> None:
    page_of = ["The ferry left at dawn.", "Become a member of the choir", "It was back by noon.", "Not today"]
    changes = [tagger.explain(page_of, i).change for i in range(4)]
    assert any(changes)
    paste(page, "\n".join(page_of))
    for i, change in enumerate(changes):
        page.locator(".row").nth(i).click()
        expect(page.locator("#why h2")).to_contain_text(f"Paragraph {i + 1}")
        if change:
            expect(page.locator("#why")).to_contain_text(f"“{change.words[0]}”")
            expect(page.locator("#why")).to_contain_text(
                f"it would be {change.label.replace('_', ' ')} ({change.score:.2f})"
            )


@pytest.mark.parametrize("text", TEXTS)
def test_ngrams_are_found_in_the_text(page: Page, tagger: Tagger, text: str) -> None:
    reasons = [one for one in tagger.explain([text], 0).reasons if one.kind != "shape"]
    found = page.evaluate(
        """async ([text, reasons]) => {
            const {spans} = await import("/page/ngrams.js");
            return [...spans(text, reasons)].map(([{kind, name}, places]) => [kind, name, places.length]);
        }""",
        [text, [{"kind": one.kind, "name": one.name} for one in reasons]],
    )
    assert {(kind, name) for kind, name, _ in found} == {(one.kind, one.name) for one in reasons}


def test_the_model(page: Page, service: Service) -> None:
    page.get_by_role("link", name="Model").click()
    held = json.loads(service.get("/v1/model")[2])["held_out"]
    facts = page.locator(".facts")
    expect(facts).to_contain_text(f"{held['html']['macro_f1']:.3f}")
    page.get_by_label("Judged on").focus()
    page.get_by_label("Judged on").select_option("text")
    expect(facts).to_contain_text(f"{held['text']['macro_f1']:.3f}")
    expect(page.get_by_label("Judged on")).to_be_focused()
    for title in (
        "F1 by label",
        "Confusion",
        "Calibration",
        "How much may be lost",
        "By language",
        "Data and settings",
    ):
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert page.locator("#model-body svg.chart").count() >= 6
    expect(page.locator("#model-body")).to_contain_text("German")


def test_two_models_on_the_same_text(browser: Browser, tmp_path: Path) -> None:
    folder.write(tilted(DEFAULT_MODEL, 1.5), tmp_path / "other")
    other = Tagger.load(tmp_path / "other")
    lines = (FILES / "examples" / "newspaper.txt").read_text("utf-8").splitlines()
    with serving("--compare", str(tmp_path / "other")) as service:
        service.wait_for(lambda: len(json.loads(service.get("/v1/models")[2])["models"]) == 2)
        context = chromium.context(browser)
        page = Window(context, service.address).open()
        paste(page, "\n".join(lines))
        expect(page.locator(".row .also .score")).to_have_text([f"{tag.score:.2f}" for tag in other.tag(lines)])
        differing = [
            one.label != two.label for one, two in zip(Tagger.load().tag(lines), other.tag(lines), strict=True)
        ]
        assert 0 < sum(differing) < 4
        page.get_by_label("only where the models differ").check()
        expect(page.locator(".row:visible")).to_have_count(sum(differing))
        page.get_by_role("link", name="Model").click()
        page.locator("#choose-model").select_option(other.manifest["sha256"][:12])
        context.close()


def test_a_key_is_asked_for_and_kept_for_the_tab_only(browser: Browser) -> None:
    with serving("--keys", hashlib.sha256(KEY.encode()).hexdigest(), environment=None) as service:
        context = chromium.context(browser)
        page = Window(context, service.address).open()
        field = page.get_by_label("Key", exact=True)
        field.fill("wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#key-wrong")).to_have_text("That is none of this service's keys.")
        field.fill(KEY)
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#key-dialog")).to_be_hidden()
        paste(page, "The ferry left at dawn.")
        expect(page.locator(".row")).to_have_count(1)
        assert page.evaluate("JSON.stringify(localStorage)") == "{}"
        page.reload()
        expect(page.locator("#model-name")).not_to_be_empty()
        expect(page.locator("#key-dialog")).to_be_hidden()
        context.close()


def test_keyboard_alone(page: Page) -> None:
    def tab_to(found: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("found => document.activeElement.matches(found)", found):
                return
        raise AssertionError(f"Tab never comes to {found}")

    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to("#source")
    page.keyboard.type("1234 jkku\nThe ferry left at dawn.\nSubscribe")  # no shortcut while one types
    expect(page.locator(".row")).to_have_count(3)
    expect(page.locator(".row .also")).to_have_count(0)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".row").nth(0)).to_be_focused()
    for key, place in (("j", 1), ("ArrowDown", 2), ("j", 2), ("k", 1), ("Home", 0), ("End", 2)):
        page.keyboard.press(key)
        expect(page.locator(".row").nth(place)).to_be_focused()
    page.keyboard.press("Enter")
    why(page)
    page.keyboard.press("4")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("keys")
    page.keyboard.press("Enter")
    expect(page.locator(".row").nth(2).locator(".also")).to_contain_text("ad notice")
    expect(page.locator(".row").nth(2)).to_be_focused()
    page.keyboard.press("u")
    expect(page.locator(".row .also")).to_have_count(0)
    tab_to("#tab-why")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#cleaned")).to_be_visible()
    tab_to("[data-save=csv]")
    tab_to("#kept")
    for _ in range(20):  # and out again: the page holds nobody
        page.keyboard.press("Tab")
    tab_to(".top nav a")


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)], ids=str)
def looks(request: pytest.FixtureRequest, browser: Browser, service: Service) -> Iterator[Page]:
    scheme, width = request.param
    context = chromium.context(browser, scheme=scheme, width=width, height=800)
    yield Window(context, service.address).open()
    context.close()


def serious(page: Page) -> list[Any]:
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in ("serious", "critical")]


def test_axe_finds_nothing_serious_and_nothing_sticks_out(looks: Page, tmp_path: Path) -> None:
    page = looks
    problems = {}

    def check(name: str) -> None:
        page.wait_for_timeout(150)  # for what moves to stand still
        problems[name] = serious(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    check("empty")
    page.get_by_label("Example").select_option("newspaper.txt")
    expect(page.locator(".row")).to_have_count(31)
    check("tagged")
    page.locator(".row").nth(14).click()
    why(page)
    check("why")
    page.keyboard.press("1")
    check("name asked")
    page.get_by_label("Your name").last.fill("axel")
    page.keyboard.press("Enter")
    expect(page.locator(".row .also")).to_have_count(1)
    page.goto(page.url.split("#")[0] + "#/teach")
    (tmp_path / "queue.txt").write_text("A buoy was found.\nSign up\nHome\n")
    page.set_input_files("#upload-picker", tmp_path / "queue.txt")
    expect(page.locator(".asked")).to_be_visible()
    expect(page.locator("#corrections li").first).to_be_visible()
    check("teach")
    page.goto(page.url.split("#")[0] + "#/model")
    expect(page.locator("#model-body .card").first).to_be_visible()
    check("model")
    assert {name: found for name, found in problems.items() if found} == {}


def test_a_page_of_300_paragraphs_is_there_soon(page: Page) -> None:
    """The benchmark page.py measures it; here is only guarded that nothing has gone badly wrong."""
    text = "\n\n".join(f"Paragraph {i}: the ferry left at dawn, with nobody on deck but the cook." for i in range(300))
    paste(page, "Warm up")
    expect(page.locator(".row")).to_have_count(1)
    began = time.monotonic()
    paste(page, text)
    expect(page.locator(".row")).to_have_count(300)
    assert time.monotonic() - began < 10
