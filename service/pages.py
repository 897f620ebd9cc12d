"""Splitting of HTML in processes of their own, with limits of time and memory.

By the rules of HTML a formatting element that stays open is opened anew in every paragraph after it, so that thirty
kilobytes made for it fill gigabytes; deep nesting and elements with thousands of attributes take a parser hours. No
look at the source tells such pages for sure, and a thread can't be stopped: a process can.
"""

import resource
from functools import cache
from pathlib import Path
from typing import Final

import anyio
import anyio.to_process
from selectolax.lexbor import SelectolaxError

from classifier import Paragraph, split_html
from service.problems import HTML_TOO_COMPLEX, FieldError, Problem
from service.settings import Settings, cores

_MEMORY: Final = 1 << 30  # bytes that a page may take in its process


class Splitter:
    """Splits pages, each in a process; as many at once as there are cores, the others wait in line."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.max_html_seconds
        self._turns = anyio.CapacityLimiter(cores())

    async def split(self, html: str) -> list[Paragraph]:
        """The paragraphs of a page.

        Raises:
            Problem: the page takes too long or too much memory.
        """
        async with self._turns:  # waiting for one's turn does not count
            try:
                with anyio.fail_after(self._seconds):
                    return await anyio.to_process.run_sync(
                        _split, html, cancellable=True, limiter=anyio.CapacityLimiter(1)
                    )
            except TimeoutError:
                detail = f"The page takes more than {self._seconds:,} seconds to read (max_html_seconds)"
            except (MemoryError, SelectolaxError, anyio.BrokenWorkerProcess):
                detail = "The page takes too much memory to read"
            raise Problem(HTML_TOO_COMPLEX, f"{detail}.", [FieldError(pointer="#/html", detail=detail)])


def _split(html: str) -> list[Paragraph]:
    _limit_memory()
    return split_html(html)


@cache
def _limit_memory() -> None:
    """Lets this process take so much more memory than it has now, once for all its pages."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + _MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
