"""The loaded model, and the threads and processes that work for requests."""

import logging
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from classifier import ModelError, Paragraph, Tagger
from service.pages import Splitter
from service.problems import NOT_READY, Problem
from service.settings import Settings

_log = logging.getLogger("boilertag")
_Answer = TypeVar("_Answer")


class Pool:
    """Runs what needs the model off the event loop, ``settings.threads`` at once; the others wait in line."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limiter = anyio.CapacityLimiter(settings.threads)
        self.splitter = Splitter(settings)
        self._tagger: Tagger | None = None
        self._state = "It is being loaded; try again in a few seconds."

    async def load(self) -> None:
        """Loads the model. Where that fails, the reason is logged and the pool never becomes ready."""
        try:
            self._tagger = await anyio.to_thread.run_sync(self._load, abandon_on_cancel=True)
        except ModelError as error:
            _log.error("%s", error)
            self._state = "It could not be loaded; the service's log says why."
        except Exception:
            _log.exception("the model could not be loaded")
            self._state = "It could not be loaded; the service's log says why."

    def _load(self) -> Tagger:
        tagger = Tagger.load(self._settings.model)
        # Compiles what is not compiled yet, so that the first request does not wait for it.
        for tag, density in ((None, None), ("p", 0.0)):
            tagger.tag([Paragraph("The library opens at nine.", tag, density)])
        return tagger

    @property
    def tagger(self) -> Tagger:
        """
        Raises:
            Problem: the model is not loaded.
        """
        if self._tagger is None:
            raise Problem(NOT_READY, self._state, headers={"Retry-After": "5"})
        return self._tagger

    async def run(self, work: Callable[[], _Answer]) -> _Answer:
        """What ``work`` returns, run in a thread."""
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)
