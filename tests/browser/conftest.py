"""A real service, and a real browser that looks at its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="needs Playwright: pip install -e '.[test]'")

from benchmarks import browser as chromium
from benchmarks.serving import Service, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium.find() is None:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs Chromium: apt-get install chromium"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium.running() as found:
        yield found


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with the default model; its corrections are of these tests only."""
    with serving("--max-queue", "8") as found:
        yield found


class Window:
    """A page in a window of its own, and what went wrong in it."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "console",
            lambda line: line.type == "error" and "queues" not in line.location["url"] and self.wrong.append(line.text),
        )
        self.address = address

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.address + path)
        return self.page


@pytest.fixture
def window(browser: Browser, service: Service) -> Iterator[Window]:
    """A fresh window, in which nothing may go wrong."""
    context = chromium.context(browser)
    found = Window(context, service.address)
    yield found
    context.close()
    assert found.wrong == []


@pytest.fixture
def page(window: Window) -> Page:
    """The page at /."""
    return window.open()
