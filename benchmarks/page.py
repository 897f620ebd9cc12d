"""How long the page takes from a paste to all paragraphs drawn, in headless Chromium with a service of its own.

    python -m benchmarks.page [--screenshots DIR]

With ``--screenshots`` it takes the pictures of the README instead: light, dark and phone, from our own example.
"""

import argparse
import statistics
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from benchmarks import browser as chromium
from benchmarks.serving import Service, serving

_PARAGRAPHS = 300
_ROUNDS = 7
_DRAWN = """n => new Promise(resolve => {
    const look = () => document.querySelectorAll(".row").length === n
        ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - window.pasted)))
        : requestAnimationFrame(look);
    look();
})"""
_PICTURES = {"light": ("light", 1280, 860), "dark": ("dark", 1280, 860), "phone": ("light", 360, 740)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--screenshots", metavar="DIR", type=Path)
    folder: Path | None = parser.parse_args().screenshots
    with serving() as service:
        if folder:
            shoot(service, folder)
        else:
            times = measure(service)
            print(f"{_PARAGRAPHS} paragraphs, paste to drawn: median {statistics.median(times):.0f} ms, ", end="")
            print(f"{min(times):.0f} to {max(times):.0f} ms over {len(times)} rounds")


def measure(service: Service) -> list[float]:
    """Milliseconds from the paste to the frame that shows all paragraphs, by round; the first is not counted."""
    times = []
    with chromium.running() as browser:
        page = _open(chromium.context(browser), service)
        page.evaluate("document.addEventListener('paste', () => { window.pasted = performance.now(); }, true)")
        for i in range(_ROUNDS + 1):
            chromium.paste(page, _text(i))
            times.append(float(page.evaluate(_DRAWN, _PARAGRAPHS + i)))  # one more each, to tell them apart
    return times[1:]


def _text(extra: int) -> str:
    kinds = (
        "The ferry left at dawn, with nobody on deck but the cook and a dog without ticket.",
        "Home",
        "Subscribe",
    )
    return "\n\n".join(f"{kinds[i % 3]} {i}" for i in range(_PARAGRAPHS + extra))


def shoot(service: Service, folder: Path) -> None:
    """Takes the pictures of the README."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium.running() as browser:
        for name, (scheme, width, height) in _PICTURES.items():
            page = _open(chromium.context(browser, scheme=scheme, width=width, height=height), service)
            page.locator("#examples").select_option("newspaper.txt")
            page.locator(".row").nth(14).click()
            page.locator("#why h3").first.wait_for()
            if width > 600:
                page.locator(".row").nth(14).evaluate("row => row.scrollIntoView({block: 'center'})")
            page.wait_for_timeout(300)
            page.screenshot(path=folder / f"{name}.png")
        page = _open(chromium.context(browser, height=860), service, "/#/model")
        page.locator("#model-body .card").first.wait_for()
        page.wait_for_timeout(300)
        page.screenshot(path=folder / "model.png")


def _open(context: BrowserContext, service: Service, path: str = "/") -> Page:
    page = context.new_page()
    page.goto(service.address + path)
    page.locator("#model-name:not(:empty)").wait_for(state="attached")
    return page


if __name__ == "__main__":
    main()
