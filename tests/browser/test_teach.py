"""Teaching: from a page to corrections, to a model that has learnt them."""

import csv
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks import browser as chromium
from benchmarks.browser import paste
from benchmarks.reload import put
from benchmarks.serving import Service, serving
from classifier.tagger import DEFAULT_MODEL
from service.cli import main
from tests.browser.conftest import Window

ODD = "Quayside lamps are lit by hand each night"
PAGES = [
    f"Harbour Letter\nHome\nThe {what} came in at dawn, and the harbour master wrote it down.\nAdvertisement\n"
    f"{ODD} {where}\nSupport the Harbour Letter with 3 crowns a month\nSubscribe"
    for what, where in (("ferry", "here"), ("pilot boat", "there"), ("trawler", "in May"), ("barge", "in June"))
]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Service, Path]]:
    """A service of its own, whose model can be replaced."""
    model = tmp_path / "live"
    shutil.copytree(DEFAULT_MODEL, model)
    with serving("--model", str(model), "--reload-seconds", "1", "--max-queue", "8") as service:
        yield service, model


def named(page: Page, name: str) -> None:
    page.get_by_label("Your name").last.fill(name)
    page.get_by_role("button", name="Keep my labels").click()


def give(page: Page, place: int, label: str) -> None:
    page.locator(".row").nth(place).click()
    page.locator(".correction").get_by_role("button", name=label).click()


def corrections(service: Service) -> list[Any]:
    return list(json.loads(service.get("/v1/corrections?limit=200")[2])["corrections"])


def test_from_paste_to_a_model_that_has_learnt(browser: Browser, live: tuple[Service, Path], tmp_path: Path) -> None:
    service, model = live
    context = chromium.context(browser)
    window = Window(context, service.address)
    page = window.open()
    for i, text in enumerate(PAGES):
        paste(page, text)
        expect(page.locator(".row .text").nth(4)).to_have_text(text.split("\n")[4])
        page.locator(".row").nth(4).click()
        expect(page.locator("#why h3").first).to_be_visible()
        page.keyboard.press("4")  # ad notice
        if i == 0:
            named(page, "ada")
        expect(page.locator(".row").nth(4).locator(".also")).to_have_text(re.compile("yours: ad notice"))
        page.get_by_role("button", name="All others are right").click()
        expect(page.locator(".row .also")).to_have_count(7)
    page.get_by_role("link", name="Teach").click()
    expect(page.locator("#corrections li")).to_have_count(8)
    with page.expect_download() as started:
        page.get_by_role("button", name="Export CSV").click()
    export = tmp_path / "corrections.csv"
    started.value.save_as(export)
    with export.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows if row["label"] == "ad_notice" and row["text"].startswith(ODD)] == [
        text.split("\n")[4] for text in PAGES
    ]
    assert len(rows) == 28
    assert main(["train", str(export), "-o", str(tmp_path / "learnt")]) == 0
    before = page.locator("#model-name").inner_text()
    page.get_by_role("link", name="Try").click()
    put(tmp_path / "learnt", model)
    service.wait_for(lambda: service.get("/healthz")[1]["boilertag-model"] != before)
    page.reload()
    expect(page.locator("#model-name")).not_to_have_text(before)
    paste(page, PAGES[0])
    expect(page.locator(".row .badge").nth(4)).to_have_text(re.compile("^ad notice"))
    assert window.wrong == []
    context.close()


def test_a_label_can_be_taken_back(page: Page, service: Service) -> None:
    before = corrections(service)
    paste(page, "The pier is closed.\nSubscribe to the pier letter")
    page.locator(".row").first.click()
    expect(page.locator("#why h3").first).to_be_visible()
    page.keyboard.press("2")
    page.get_by_role("button", name="Not now").click()
    assert corrections(service) == before  # without a name nothing is kept
    expect(page.locator(".row").first).to_be_focused()
    page.keyboard.press("2")
    named(page, "undoer")
    also = page.locator(".row .also")
    expect(also).to_have_text("yours: navigation")
    page.keyboard.press("3")
    expect(also).to_have_text("yours: appeal")
    for left in ("yours: navigation", None):
        page.keyboard.press("u")
        expect(also).to_have_text([left] if left else [])
    page.keyboard.press("u")
    expect(page.locator("#try-status")).to_have_text("There is nothing to undo.")
    assert corrections(service) == before


def test_a_queue(page: Page, window: Window, service: Service, tmp_path: Path) -> None:
    lines = ["A buoy was found on the north beach.", "Sign up", "By hand, of course", "<b>Bold</b> buoys", "Anzeige"]
    file = tmp_path / "buoys.csv"
    file.write_text("text,doc\n" + "".join(f'"{line}",{i // 3}\n' for i, line in enumerate(lines)), "utf-8")
    page.get_by_role("link", name="Teach").click()
    page.get_by_label("Your name").first.fill("quinn")
    page.get_by_label("Your name").first.press("Enter")
    page.set_input_files("#upload-picker", file)
    progress = page.locator("#progress-says")
    expect(progress).to_have_text("0 of 5 labelled")
    identifier = json.loads(service.get("/v1/queues?annotator=quinn")[2])["queues"][0]["id"]
    address = f"/v1/queues/{identifier}?annotator=quinn&limit=50"
    asked = [item["text"] for item in json.loads(service.get(address)[2])["items"]]
    text = page.locator(".asked .text")
    expect(text).to_have_text(asked[0])
    expect(page.locator("#item")).to_be_focused()
    page.keyboard.press("1")
    expect(text).to_have_text(asked[1])
    page.keyboard.press("j")  # passed by
    expect(text).to_have_text(asked[2])
    page.keyboard.press("k")
    expect(text).to_have_text(asked[1])
    page.keyboard.press("2")
    expect(progress).to_have_text("2 of 5 labelled")
    page.keyboard.press("u")
    expect(progress).to_have_text("1 of 5 labelled")
    expect(text).to_have_text(asked[1])
    for one in asked[1:]:
        expect(text).to_have_text(one)
        page.locator(".asked").get_by_role("button", name="navigation").click()
    expect(page.locator("#item")).to_contain_text("All done.")
    mine = [one for one in corrections(service) if one["annotator"] == "quinn"]
    assert [one["text"] for one in mine[::-1]] == asked
    assert [one["label"] for one in mine[::-1]] == ["content"] + ["navigation"] * 4
    window.open(f"/?queue={identifier}")
    expect(page.locator("#item")).to_contain_text("All done.")
    assert page.url == f"{service.address}/#/teach"


def test_two_at_once_lose_nothing_and_are_compared(browser: Browser, service: Service) -> None:
    text = "\n".join(f"Mooring {i} is free from noon." for i in range(8))
    windows = []
    for name in ("bo", "cy"):
        window = Window(chromium.context(browser), service.address)
        window.page.add_init_script(f"localStorage.setItem('boilertag-annotator', '{name}')")
        paste(window.open(), text)
        expect(window.page.locator(".row")).to_have_count(8)
        windows.append(window)
    for i in range(8):
        for window, key in zip(windows, ("1", "1" if i % 2 else "2"), strict=True):
            window.page.locator(".row").nth(i).click()
            window.page.keyboard.press(key)
    for window in windows:
        expect(window.page.locator(".row .also")).to_have_count(8)
    found = [one for one in corrections(service) if one["annotator"] in ("bo", "cy")]
    assert len(found) == 16
    page = windows[0].page
    page.get_by_role("link", name="Teach").click()
    expect(page.locator("#agreement")).to_contain_text("agree on 50 % of 8 paragraphs")
    for window in windows:
        assert window.wrong == []
        window.page.context.close()


def test_without_corrections_there_is_no_teaching(browser: Browser, service: Service) -> None:
    context = chromium.context(browser)
    context.route("**/v1/queues", lambda route: route.fulfill(status=404, json={"title": "Not Found", "status": 404}))
    page = Window(context, service.address).open("/#/teach")
    paste(page, "The pier is closed.")
    page.locator(".row").first.click()
    expect(page.locator("#why h3").first).to_be_visible()
    expect(page.get_by_role("link", name="Teach")).to_be_hidden()
    expect(page.locator(".correction")).to_have_count(0)
    context.close()
