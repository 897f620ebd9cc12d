"""A model's work on many blocks, by processes that each have the model, in the order in which it was given.

Processes, not threads: reading and writing JSON holds Python's lock for a fifth of the time that a block takes, so that
threads, however many, are never five times as fast as one.
"""

import gc
import mmap
import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from classifier.errors import BoilertagError
from classifier.tagger import Tagger

_Key = TypeVar("_Key")
_Result = TypeVar("_Result", covariant=True)
_Thing = TypeVar("_Thing")

_AHEAD: Final = 2  # tasks under way for each process
_MAILBOX_BYTES: Final = 1 << 24  # what is never written to takes no memory


class Task(Protocol[_Result]):
    """Work on a block; it goes to another process and its result comes back."""

    def run(self, tagger: Tagger) -> _Result:
        """What comes of it."""


class _Mail(NamedTuple):
    """What lies in a mailbox."""

    box: int
    size: int  # bytes


class _Mailbox:
    """Memory that a process shares with its forks, for a task on its way to one of them and then for what comes of it.
    Pipes take ten times as long, an eighth of all the time that a block takes.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._memory = mmap.mmap(-1, _MAILBOX_BYTES)

    def put(self, thing: _Thing) -> "_Mail | _Thing":
        """What to send in its place: the thing itself where it is too large for the box."""
        self._memory.seek(0)
        try:
            pickle.dump(thing, self._memory, pickle.HIGHEST_PROTOCOL)
        except ValueError:  # out of the memory's range
            return thing
        return _Mail(self._number, self._memory.tell())

    def get(self, size: int) -> Any:
        """What was put there."""
        with memoryview(self._memory) as memory, memory[:size] as used:
            return pickle.loads(used)


def in_order(
    tasks: Iterable[tuple[_Key, Task[_Result]]], tagger: Tagger, workers: int
) -> Iterator[tuple[_Key, _Result]]:
    """The tasks' results in their order, never far ahead of whoever takes them; each with the key it came with.

    Raises:
        BoilertagError: a process died.
    """
    tasks = iter(tasks)
    pool = None
    mailboxes: list[_Mailbox] = []
    if workers > 1 and _has_one_thread():
        # Before any task, and so before a file is opened that a fork would hold open and locked.
        mailboxes = [_Mailbox(i) for i in range(_AHEAD * workers + 1)]
        pool = _pool("fork", workers, tagger, mailboxes)
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
        waiting: deque[tuple[_Key, Future[_Result | _Mail]]] = deque()
        for n, (key, task) in enumerate(tasks):
            sent = mailboxes[n % len(mailboxes)].put(task) if mailboxes else task
            waiting.append((key, pool.submit(_run, sent)))
            if len(waiting) > _AHEAD * workers:
                yield _taken(waiting, mailboxes)
        while waiting:
            yield _taken(waiting, mailboxes)
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


def _pool(method: str, workers: int, tagger: Tagger, mailboxes: Sequence[_Mailbox] = ()) -> ProcessPoolExecutor:
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(workers, context, initializer=_prepare, initargs=(tagger, mailboxes))


def _nothing() -> None:
    """The first task, with which all forks are made."""


def _taken(
    waiting: deque[tuple[_Key, "Future[_Result | _Mail]"]], mailboxes: Sequence[_Mailbox]
) -> tuple[_Key, _Result]:
    key, future = waiting.popleft()
    return key, _opened(future.result(), mailboxes)


def _opened(sent: Any, mailboxes: Sequence[_Mailbox]) -> Any:
    return mailboxes[sent.box].get(sent.size) if isinstance(sent, _Mail) else sent


_tagger: Tagger
_mailboxes: Sequence[_Mailbox]


def _prepare(tagger: Tagger, mailboxes: Sequence[_Mailbox]) -> None:
    global _tagger, _mailboxes
    _tagger, _mailboxes = tagger, mailboxes
    gc.freeze()  # what is there by now stays, and need not be looked through for garbage
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(sent: Any) -> Any:
    result = _opened(sent, _mailboxes).run(_tagger)
    return _mailboxes[sent.box].put(result) if isinstance(sent, _Mail) else result
