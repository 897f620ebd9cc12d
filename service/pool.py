"""The threads and processes that work for requests."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from service.pages import Splitter
from service.settings import Settings

_Answer = TypeVar("_Answer")


class Pool:
    """Runs work off the event loop, ``settings.threads`` at once; the others wait in line."""

    def __init__(self, settings: Settings) -> None:
        self._threads = anyio.CapacityLimiter(settings.threads)
        self.splitter = Splitter(settings)

    async def run(self, work: Callable[[], _Answer]) -> _Answer:
        """What ``work`` returns, run in a thread."""
        return await anyio.to_thread.run_sync(work, limiter=self._threads)
