"""Trying a page: what goes in, and what comes out."""

import csv
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Download, Page, Route, expect

from benchmarks.browser import paste
from benchmarks.serving import Service
from classifier.paragraphs import split_text

EXAMPLES = Path(__file__).parents[2] / "service" / "page" / "examples"
TEXT = (EXAMPLES / "newspaper.txt").read_text("utf-8")
HOSTILE = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "</textarea></div><svg onload='window.hacked = 1'>",
    "&lt;b&gt; &amp;amp; {{7*7}} ${7*7} %3Cscript%3E",
    "مرحبا بكم في الميناء القديم، اشتركوا الآن",
    "\u202eevas ot ereh kcilC\u202c",
    "👩‍👩‍👧‍👦 🏴‍☠️ e\u0301 ﷽",
    '=HYPERLINK("http://example.invalid")',
]


def tagged(service: Service, **body: Any) -> list[Any]:
    """What the service itself says of a page."""
    return list(json.loads(service.post("/v1/tag", json.dumps(body).encode())[2])["paragraphs"])


def texts(page: Page) -> list[str]:
    return page.locator(".row .text").all_text_contents()


def label(paragraph: Any) -> str:
    return str(paragraph["label"]).replace("_", " ")


def content(download: Download) -> str:
    return Path(download.path()).read_bytes().decode("utf-8")


def test_pasted_text_is_tagged(page: Page, service: Service) -> None:
    paste(page, TEXT)
    expected = tagged(service, text=TEXT)
    expect(page.locator(".row")).to_have_count(len(expected))
    assert texts(page) == [one["text"] for one in expected]
    badges = page.locator(".row .badge").all_text_contents()
    assert badges == [f"{label(one)}{one['score']:.2f}" for one in expected]
    kept = page.locator("#kept p").all_text_contents()
    assert kept == [one["text"] for one in expected if one["label"] == "content"]
    expect(page.locator("#try-status")).to_have_text(re.compile(rf"^{len(expected)} paragraphs in \d+ ms$"))


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_examples(page: Page, service: Service, path: Path) -> None:
    page.get_by_label("Example").select_option(path.name)
    source = path.read_text("utf-8")
    expected = tagged(service, **{"html" if path.suffix == ".html" else "text": source})
    expect(page.locator(".row")).to_have_count(len(expected))
    assert page.locator(".row .score").all_text_contents() == [f"{one['score']:.2f}" for one in expected]
    assert {label(one) for one in expected} == {"content", "appeal", "ad notice", "navigation"}


def test_how_it_is_read_can_be_chosen(page: Page) -> None:
    paste(page, "<p>The ferry left at dawn.<p>Subscribe")
    expect(page.locator(".row")).to_have_count(2)
    page.get_by_label("Read as").select_option("text")
    expect(page.locator(".row")).to_have_count(1)
    assert texts(page) == ["<p>The ferry left at dawn.<p>Subscribe"]


def test_the_newest_answer_wins(page: Page) -> None:
    """However late an answer to something older comes."""

    def late(route: Route) -> None:
        answer = route.fetch()
        if "slow" in (route.request.post_data or ""):
            time.sleep(0.5)
        route.fulfill(response=answer)

    page.route("**/v1/tag", late)
    paste(page, "A slow ferry left at dawn.")
    page.wait_for_timeout(200)
    paste(page, "The quick one overtook it.")
    expect(page.locator(".row .text")).to_have_text("The quick one overtook it.")
    page.wait_for_timeout(700)
    assert texts(page) == ["The quick one overtook it."]


def test_typing_is_followed(page: Page) -> None:
    field = page.get_by_label("Your page")
    field.press_sequentially("The ferry left at dawn.\nSubscribe", delay=5)
    expect(page.locator(".row .text")).to_have_text(["The ferry left at dawn.", "Subscribe"])
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#results")).to_be_hidden()
    expect(field).to_be_focused()


def test_filter_by_label(page: Page, service: Service) -> None:
    paste(page, TEXT)
    expected = tagged(service, text=TEXT)
    chips = page.locator("#legend button")
    expect(chips).to_have_count(4)
    for chip in chips.all():
        name = chip.inner_text().split("\n")[0].strip()
        n = sum(label(one) == name for one in expected)
        assert chip.inner_text().endswith(str(n))
        chip.click()
        expect(chip).to_have_attribute("aria-pressed", "false")
        expect(page.locator(".row:visible")).to_have_count(len(expected) - n)
        chip.click()
        expect(page.locator(".row:visible")).to_have_count(len(expected))


@pytest.mark.parametrize("name", ["newspaper.txt", "magazine.html"])
def test_the_slider_keeps_what_clean_keeps(page: Page, service: Service, name: str) -> None:
    source = (EXAMPLES / name).read_text("utf-8")
    page.get_by_label("Example").select_option(name)
    expect(page.locator("#results")).to_be_visible()
    slider = page.get_by_label("How much of it may be lost")
    mode = "html" if name.endswith("html") else "text"
    curve = json.loads(service.get("/v1/model")[2])["held_out"][mode]["thresholds"]["content"]
    recalls = [recall for recall in curve["recall"] if recall >= 0.9]
    assert slider.get_attribute("max") == str(len(recalls) - 1)
    sizes = []
    for i, recall in list(enumerate(recalls))[:-1]:  # the last, which loses nothing, is no keep_recall
        slider.fill(str(i))
        body = {mode: source, "keep_recall": recall}
        clean = json.loads(service.post("/v1/clean", json.dumps(body).encode())[2])["text"]
        assert page.locator("#kept p").all_text_contents() == clean.split("\n\n")
        sizes.append(len(clean))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    page.get_by_label("where it is the likeliest label").check()
    body = {mode: source}
    clean = json.loads(service.post("/v1/clean", json.dumps(body).encode())[2])["text"]
    assert page.locator("#kept p").all_text_contents() == clean.split("\n\n")


def test_other_labels_can_be_kept(page: Page, service: Service) -> None:
    paste(page, TEXT)
    expect(page.locator("#results")).to_be_visible()
    page.locator("#keep-labels label", has_text="appeal").click()
    expected = [one["text"] for one in tagged(service, text=TEXT) if one["label"] in ("content", "appeal")]
    assert page.locator("#kept p").all_text_contents() == expected
    expect(page.get_by_label("How much of it may be lost")).to_be_disabled()


def test_what_is_saved(page: Page, service: Service) -> None:
    text = f'{TEXT}\nHe said "no, thanks", and left\n' + "\n".join(HOSTILE)
    paste(page, text)
    expected = tagged(service, text=text)
    expect(page.locator(".row")).to_have_count(len(expected))
    files = {}
    for name in ("Text", "JSON", "CSV"):
        with page.expect_download() as started:
            page.get_by_role("button", name=name, exact=True).click()
        files[name] = content(started.value)
    kept = [one["text"] for one in expected if one["label"] == "content"]
    assert files["Text"] == "\n\n".join(kept) + "\n"
    saved = json.loads(files["JSON"])
    assert saved["text"] == "\n\n".join(kept)
    assert [{k: v for k, v in one.items() if k != "kept"} for one in saved["paragraphs"]] == expected
    rows = list(csv.DictReader(files["CSV"].splitlines(keepends=True)))
    assert [row["text"] for row in rows] == [one["text"] for one in expected]
    assert [row["text"] for row in rows if row["kept"] == "true"] == kept
    for row, one in zip(rows, expected, strict=True):
        assert row["label"] == one["label"]
        assert {name: float(row[f"p_{name}"]) for name in one["scores"]} == one["scores"]


def test_copy(page: Page) -> None:
    paste(page, TEXT)
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#announce")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split("\n\n") == page.locator("#kept p").all_text_contents()


def test_files_are_opened(page: Page, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("The ferry left at dawn.\nSubscribe\n", "utf-8")
    (tmp_path / "old.html").write_bytes("<p>Der Müller öffnet um acht.</p><p>Anzeige</p>".encode("cp1252"))
    (tmp_path / "wide.txt").write_text("Fähre", "utf-16")
    page.set_input_files("#picker", sorted(tmp_path.iterdir(), reverse=True))
    for name, found in (("wide.txt", ["Fähre"]), ("old.html", ["Der Müller öffnet um acht.", "Anzeige"])):
        page.locator("#files").select_option(label=name)
        expect(page.locator(".row .text")).to_have_text(found)


def test_files_are_dropped(page: Page) -> None:
    given = page.evaluate_handle(
        """() => {
            const given = new DataTransfer();
            given.items.add(new File(["<p>Dropped by the ferry.</p>"], "page.html", {type: "text/html"}));
            return given;
        }"""
    )
    page.dispatch_event("#source", "drop", {"dataTransfer": given})
    expect(page.locator(".row .text")).to_have_text("Dropped by the ferry.")


@pytest.mark.parametrize("form", ["text", "html"])
def test_hostile_text_is_text(page: Page, form: str) -> None:
    source = "\n".join(HOSTILE)
    if form == "html":
        escaped = [one.replace("&", "&amp;").replace("<", "&lt;") for one in HOSTILE]
        source = "".join(f"<p>{one}</p>" for one in escaped)
    paste(page, source)
    expect(page.locator(".row")).to_have_count(len(HOSTILE))
    assert texts(page) == [" ".join(one.split()) for one in HOSTILE]
    page.get_by_text("unless surely something else").click()
    page.get_by_label("How much of it may be lost").fill("11")
    for row in page.locator(".row").all():
        row.click()
        expect(page.locator("#why h3").first).to_be_visible()
    assert texts(page) == [" ".join(one.split()) for one in HOSTILE]  # with its marks it is the same text
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main img, .row svg, #kept svg").count() == 0
    direction = page.locator(".row .text").nth(4).evaluate("node => getComputedStyle(node).direction")
    assert direction == "rtl"


def test_a_megabyte(page: Page) -> None:
    text = "\n".join(f"{i}: {HOSTILE[i % len(HOSTILE)]} and the ferry left at dawn." for i in range(15_000))
    assert len(text.encode()) > 1_000_000
    paste(page, text)
    expect(page.locator(".row")).to_have_count(15_000, timeout=60_000)
    assert texts(page) == [one.text for one in split_text(text)]
    assert page.evaluate("window.hacked") is None


def test_what_the_service_refuses_is_told(page: Page, window: Any) -> None:
    paste(page, "\n".join(f"Paragraph {i}" for i in range(20_001)))
    status = page.locator("#try-status")
    expect(status).to_have_text(re.compile("the limit is 20,000"), timeout=60_000)
    paste(page, "The ferry left at dawn.")
    expect(page.locator(".row")).to_have_count(1)
    page.route("**/v1/tag", lambda route: route.abort())
    paste(page, "The ferry came back.")
    expect(status).to_have_text("The service can't be reached.")
    window.wrong.clear()  # the browser's own lines about both


def test_busy_is_tried_again(page: Page, window: Any) -> None:
    answers = [503, 503, 200]

    def busy(route: Route) -> None:
        if answers.pop(0) == 200:
            route.continue_()
        else:
            route.fulfill(status=503, json={"title": "busy", "status": 503}, headers={"Retry-After": "1"})

    page.route("**/v1/tag", busy)
    paste(page, "The ferry left at dawn.")
    expect(page.locator(".row")).to_have_count(1)
    assert answers == []
    window.wrong.clear()


def test_only_this_server_is_asked(page: Page, service: Service) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.get_by_label("Example").select_option("magazine.html")
    page.locator(".row").first.click()
    expect(page.locator("#why h3").first).to_be_visible()
    page.goto(f"{service.address}/#/model")
    expect(page.locator("#model-body .card").first).to_be_visible()
    assert {url for url in asked if not url.startswith((service.address, "blob:"))} == set()
    headers = service.get("/")[1]
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
