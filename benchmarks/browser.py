"""A headless Chromium, for the benchmark of the page, its screenshots and its tests. It asks this machine only."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def find() -> str | None:
    """The path of a Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def running() -> Iterator[Browser]:
    """A browser, closed at the end.

    Raises:
        FileNotFoundError: there is no Chromium.
    """
    path = find()
    if path is None:
        raise FileNotFoundError(f"no Chromium: none of {', '.join(_NAMES)} is installed")
    flags = [*_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else list(_FLAGS)  # root can't have the sandbox
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def context(browser: Browser, *, scheme: str = "light", width: int = 1280, height: int = 900) -> BrowserContext:
    """A window of its own, with nothing kept from others, that gets nothing from other hosts."""
    found = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": height},
        locale="en-GB",
        permissions=["clipboard-read", "clipboard-write"],
    )
    found.route(lambda address: not address.startswith("http://127.0.0.1:"), _refuse)
    return found


def paste(page: Page, text: str) -> None:
    """Puts a text in place of what stands in the page's field, as people do."""
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.locator("#source").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+v")


def _refuse(route: Route) -> None:
    route.abort("internetdisconnected")
