"""What the requests of one process share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import anyio
from fastapi import Depends, Request

from classifier import Tagger
from service.live_model import LiveModel
from service.metrics import Metrics
from service.places import Places
from service.pool import Pool
from service.problems import NO_SUCH_MODEL, STOPPING, Problem
from service.settings import Settings
from service.teaching.keeper import Keeper


class State:
    """Settings, model, threads, counts, and whether the process is about to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.model = LiveModel(settings.model, settings.reload_seconds, self.metrics)
        self.models = [self.model]
        if settings.compare:
            self.models.append(LiveModel(settings.compare, settings.reload_seconds, self.metrics))
        self.pool = Pool(settings)
        self.requests = Places(
            settings.threads + settings.max_queue,
            f"{settings.max_queue:,} requests wait already (max_queue); try again.",
            self.metrics.queued,
        )
        self.streams = Places(
            settings.max_streams,
            f"{settings.max_streams:,} batches are open already (max_streams); try again.",
            self.metrics.streams,
        )
        self.buffers = Places(
            settings.max_buffered_bytes,
            "The bodies of other requests fill the memory (max_buffered_bytes); try again.",
            self.metrics.buffered,
        )
        self.keeper = (
            Keeper(settings.corrections, settings.max_corrections_bytes, self.metrics.corrections)
            if settings.corrections
            else None
        )
        self.draining = False
        self._stopped = False
        self._until_stop: set[anyio.CancelScope] = set()

    def check_ready(self) -> None:
        """
        Raises:
            Problem: the process takes no documents, not yet or no longer.
        """
        if self.draining:
            raise Problem(STOPPING, "It finishes what it has; ask another one.", headers={"Retry-After": "5"})
        _ = self.model.tagger

    def tagger(self, name: str | None) -> Tagger:
        """The tagger of the model with a short name; that of the first model where none is given.

        Raises:
            Problem: no model of that name serves, or none is loaded yet.
        """
        if name is None:
            return self.model.tagger
        for model in self.models:
            if model.name == name:
                return model.tagger
        raise Problem(NO_SUCH_MODEL, "No model of that name serves; /v1/models lists those that do.")

    def stop(self) -> None:
        """Ends what waits for more to come."""
        self._stopped = True
        for scope in self._until_stop:
            scope.cancel()

    @contextmanager
    def until_stop(self) -> Iterator[anyio.CancelScope]:
        """A scope to wait in that is cancelled when the process stops."""
        with anyio.CancelScope() as scope:
            self._until_stop.add(scope)
            try:
                if self._stopped:
                    scope.cancel()
                yield scope
            finally:
                self._until_stop.discard(scope)


async def _state(request: Request) -> State:
    state: State = request.app.state.service
    return state


SharedState = Annotated[State, Depends(_state)]
