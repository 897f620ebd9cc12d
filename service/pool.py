"""The threads and processes that work for requests."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from service.pages import Splitter
from service.settings import Settings

_Answer = TypeVar("_Answer")


class Pool:
    """Runs work off the event loop, ``settings.threads`` at once; the others wait in line."""

    def __init__(self, settings: Settings) -> None:
        # A thread of an executor takes its next work itself. AnyIO's would wait for the event loop to hand it on, which
        # writes the last answer first.
        self._threads = ThreadPoolExecutor(settings.threads)
        self.splitter = Splitter(settings)

    async def run(self, work: Callable[[], _Answer]) -> _Answer:
        """What ``work`` returns, run in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, work)
