"""One process that serves: uvicorn's server, which tells the app when it stops, and drains first."""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import socket
from types import FrameType
from typing import Any, Final

import uvicorn

from service import logs
from service.app import create_app
from service.connections import Connection
from service.settings import Settings
from service.state import State

# New objects between two looks for garbage. The answer to a thousand paragraphs makes some thousands, and counting
# references frees them all.
_GARBAGE_THRESHOLD: Final = 10_000
_TICKS_A_SECOND: Final = 10
# A thread waits so long for Python's lock before it asks for it. Each compiled loop of a document lets go of it, and by
# Python's own setting would then wait 5 ms for refusals to others.
_SWITCH_SECONDS: Final = 0.0005

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_log = logging.getLogger("boilertag")


class Server(uvicorn.Server):
    """Serves until it is told to stop, or the process that started it is gone."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state
        self._parent = os.getppid()
        self._drained_at = 0.0

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Starts, and listens to signals, which the starting process has held back until now."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        await super().startup(sockets)
        self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        """Takes what is there once the model is out of the search for garbage, which else stops all work for 80 ms at
        a time.
        """
        await self._state.model.wait()
        gc.collect()
        gc.freeze()

    def _reload(self) -> None:
        for model in self._state.models:
            model.reload()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Notes a signal to stop, for the next tick; before the first, there is only a model to wait for no longer."""
        super().handle_exit(sig, frame)
        if not self.started:
            self._loop.call_soon_threadsafe(self._state.stop)

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop now: not before the drain is over."""
        if self._settling.done() and counter % _TICKS_A_SECOND == 0:
            gc.collect()  # a millisecond, and what clients that were cut off leave behind is not kept
        if os.getppid() != self._parent:
            self.should_exit = True
        if self.should_exit:
            if not self._state.draining:
                self._state.draining = True
                self._drained_at = time.monotonic() + self._state.settings.drain_seconds
                _log.info("stopping")
            if time.monotonic() < self._drained_at and not self.force_exit:
                return False
            self._state.stop()
        return await super().on_tick(counter)


def serve(settings: Settings, listener: socket, *, wait_for_model: bool) -> None:
    """Serves in this process until a signal says to stop."""
    logs.configure()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    sys.setswitchinterval(_SWITCH_SECONDS)
    app = create_app(settings, wait_for_model=wait_for_model)
    state: State = app.state.service
    protocol: Callable[..., Any] = partial(Connection, state)
    config = uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.max_idle_seconds,
        timeout_graceful_shutdown=settings.max_stop_seconds,
    )
    with suppress(KeyboardInterrupt):
        Server(config, state).run([listener])
