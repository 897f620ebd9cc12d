"""The file of corrections, as requests use it: off the event loop, and never so many at once that they pile up."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, TypeVar

import anyio
import anyio.to_thread
from prometheus_client import Gauge

from service.places import RETRY_SECONDS, Places
from service.problems import CANT_KEEP, OVERLOADED, Problem
from service.teaching.database import BusyError, Database, DatabaseError

_THREADS: Final = 4
_WAITING: Final = 200  # requests in each process

_log = logging.getLogger("boilertag")

_Found = TypeVar("_Found")


class Keeper:
    """Runs transactions for requests.

    Args:
        path: the file.
        max_bytes: how large it may become.
        gauge: shows how many requests are at it or wait for it.
    """

    def __init__(self, path: Path, max_bytes: int, gauge: Gauge) -> None:
        self._database = Database(path, max_bytes)
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._places = Places(_WAITING, "Too many requests wait for the file of corrections; try again.", gauge)

    async def read(self, work: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """What ``work`` finds.

        Raises:
            Problem: the file can't be read.
        """
        return await self._run(self._database.reading, work)

    async def write(self, work: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """What ``work`` returns; its changes are on the disk by then.

        Raises:
            Problem: the file can't be written.
        """
        return await self._run(self._database.writing, work)

    async def _run(
        self,
        begin: Callable[[], AbstractContextManager[sqlite3.Connection]],
        work: Callable[[sqlite3.Connection], _Found],
    ) -> _Found:
        def run() -> _Found:
            with begin() as db:
                return work(db)

        try:
            with self._places.one():
                return await anyio.to_thread.run_sync(run, limiter=self._threads)
        except BusyError:
            detail = "Others write to the file of corrections without a pause; try again."
            raise Problem(OVERLOADED, detail, headers={"Retry-After": RETRY_SECONDS}) from None
        except DatabaseError as error:
            _log.error("corrections can't be read or kept: %s", error)
            reason = str(error).rpartition(": ")[2]
            raise Problem(CANT_KEEP, f"The file of corrections can't be read or written: {reason}.") from None
