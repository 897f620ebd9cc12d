"""A model's work on many blocks, by processes that each have the model, in the order in which it was given.

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
from pathlib import Path
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
    pool = None
    if workers > 1 and _has_one_thread():
        # Before any task, and so before a file is opened that a fork would hold open and locked.
        pool = _pool("fork", workers, tagger)
        pool.submit(_nothing)
    else:
        some = list(islice(tasks, 2))
        tasks = chain(some, tasks)
        if workers > 1 and len(some) > 1:
            pool = _pool("spawn", workers, tagger)
    if pool is None:
        for key, task in tasks:
            yield key, task.run(tagger)
        return
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


def _has_one_thread() -> bool:
    """Whether this process can be forked. A fork has the model at once and shares its memory; of a process with
    threads it may hang.
    """
    try:
        return len([*Path("/proc/self/task").iterdir()]) == 1
    except OSError:  # no Linux
        return False


def _pool(method: str, workers: int, tagger: Tagger) -> ProcessPoolExecutor:
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(workers, context, initializer=_prepare, initargs=(tagger,))


def _nothing() -> None:
    """The first task, with which all forks are made."""


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
