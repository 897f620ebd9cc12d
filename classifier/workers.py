"""A model's work on many blocks, by processes that each hold the model, in the order in which it was given.

Processes, not threads: reading and writing JSON holds Python's lock for a fifth of the time that a block takes, so that
threads, however many, are never five times as fast as one.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from typing import Any, Final, Protocol, TypeVar

from classifier.errors import BoilertagError
from classifier.tagger import Tagger

_Key = TypeVar("_Key")
_Result = TypeVar("_Result", covariant=True)

_AHEAD: Final = 2  # tasks under way for each process


class Task(Protocol[_Result]):
    """Work on a block; it goes to another process and its result comes back."""

    def run(self, tagger: Tagger) -> _Result:
        """What comes of it."""


def in_order(
    tasks: Iterable[tuple[_Key, Task[_Result]]], tagger: Tagger, workers: int
) -> Iterator[tuple[_Key, _Result]]:
    """The tasks' results in their order, never far ahead of whoever takes them; each with the key it came with.

    Raises:
        BoilertagError: a process died.
    """
    tasks = iter(tasks)
    some = list(islice(tasks, 2))
    tasks = chain(some, tasks)
    if workers == 1 or len(some) < 2:
        for key, task in tasks:
            yield key, task.run(tagger)
        return
    # Spawned: a fork of a process that has threads may hang, and a server to fork from costs memory and saves none.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_prepare, initargs=(tagger,))
    try:
        waiting: deque[tuple[_Key, Future[_Result]]] = deque()
        for key, task in tasks:
            waiting.append((key, pool.submit(_run, task)))
            if len(waiting) > _AHEAD * workers:
                yield _taken(waiting)
        while waiting:
            yield _taken(waiting)
    except BrokenProcessPool:
        raise BoilertagError("a worker process died; was there too little memory? Fewer --workers take less") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _taken(waiting: deque[tuple[_Key, Future[_Result]]]) -> tuple[_Key, _Result]:
    key, future = waiting.popleft()
    return key, future.result()


_tagger: Tagger


def _prepare(tagger: Tagger) -> None:
    global _tagger
    _tagger = tagger
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(task: Task[Any]) -> Any:
    return task.run(_tagger)
