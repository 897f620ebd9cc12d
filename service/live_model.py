"""The model in service: loaded beside the one that serves, checked, and swapped in; a broken one changes nothing."""

import logging
import math
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import numpy as np

from classifier import ModelError, Paragraph, Tagger
from classifier.folder import MANIFEST_FILE, MODEL_FILE, model_name
from classifier.tagger import DEFAULT_MODEL
from service.metrics import Metrics
from service.problems import NOT_READY, Problem

_log = logging.getLogger("boilertag")

_RETRY_SECONDS: Final = "5"

# What a file is known by: its inode, its size and when it was changed; None where there is none.
_Look = tuple[tuple[int, int, int] | None, ...]


class LiveModel:
    """The tagger that serves, and how the next one comes.

    Args:
        path: the model folder; the default model where there is none.
        every: seconds between looks at the folder; 0 looks only when asked.
        metrics: where loads are counted.
    """

    def __init__(self, path: Path | None, every: int, metrics: Metrics) -> None:
        self._path = path or DEFAULT_MODEL
        self._every = every or math.inf
        self._metrics = metrics
        self._tagger: Tagger | None = None
        self._asked = anyio.Event()
        self._loaded = anyio.Event()
        self._state = "It is being loaded; try again in a few seconds."

    @property
    def tagger(self) -> Tagger:
        """The tagger of now. Who answers with it takes it once, so that the answer is wholly from one model.

        Raises:
            Problem: no model is loaded yet.
        """
        if self._tagger is None:
            raise Problem(NOT_READY, self._state, headers={"Retry-After": _RETRY_SECONDS})
        return self._tagger

    @property
    def name(self) -> str:
        """The short name of the model that serves; "none" before there is one."""
        return model_name(self._tagger.manifest) if self._tagger else "none"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the model that serves; none before there is one."""
        return self._tagger.labels if self._tagger else ()

    def reload(self) -> None:
        """Asks for the folder to be loaded again, whether or not it has changed."""
        self._asked.set()

    async def wait(self) -> None:
        """Returns when there is a model."""
        await self._loaded.wait()

    async def run(self) -> None:
        """Loads the model, then again whenever that is asked for or the folder has changed. Never returns."""
        loaded = seen = await self._look()
        await self._load()
        while True:
            with anyio.move_on_after(self._every):
                await self._asked.wait()
            before, seen = seen, await self._look()
            # A folder that is still being written is left alone until two looks find it the same.
            if self._asked.is_set() or (seen != loaded and seen == before):
                self._asked = anyio.Event()
                loaded = seen
                await self._load()

    async def _look(self) -> _Look:
        return await anyio.to_thread.run_sync(_look, self._path)

    async def _load(self) -> None:
        try:
            tagger = await anyio.to_thread.run_sync(load, self._path, abandon_on_cancel=True)
        except Exception as error:
            reason = str(error) if isinstance(error, ModelError) else type(error).__name__
            stays = f"{self.name} stays" if self._tagger else "there is none to serve with"
            _log.error("model refused, %s: %s", stays, reason, exc_info=not isinstance(error, ModelError))
            self._state = "It could not be loaded; the service's log says why."
            self._metrics.model_refused()
        else:
            before, self._tagger = self.name, tagger
            self._loaded.set()
            self._metrics.model_loaded(before, self.name)
            _log.info("model loaded", extra={"fields": {"model": self.name, "before": before}})


def load(path: Path) -> Tagger:
    """Reads a model folder and tags with it, which compiles what is not compiled yet.

    Raises:
        ModelError: the folder is no model's, or what it gives is no probabilities.
    """
    tagger = Tagger.load(path)
    for tag, density in ((None, None), ("p", 0.0)):
        p = tagger.probabilities([[Paragraph("The library opens at nine.", tag, density)] * 2])
        if not (np.isfinite(p).all() and np.allclose(p.sum(axis=1), 1)):
            raise ModelError(f"{path}: its scores are no probabilities")
    return tagger


def _look(path: Path) -> _Look:
    return tuple(_look_at(path / name) for name in (MANIFEST_FILE, MODEL_FILE))


def _look_at(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
