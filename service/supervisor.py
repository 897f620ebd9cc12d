"""The process that starts the serving ones: it starts anew those that die, hands on signals, and ends when told to."""

import logging
import os
import signal
import socket
import tempfile
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Final, Self

from service import logs
from service.metrics import FOLDER_VARIABLE, forget_process
from service.server import SIGNALS, serve
from service.settings import LOOPBACK, Settings

_LOOK_SECONDS: Final = 0.5  # between looks for dead processes, which also wake it
_RESTART_SECONDS: Final = 1.0  # at least so long between two starts of a worker that dies again and again
_KILL_SECONDS: Final = 5.0  # what a worker may take on top of the time that a stop may

# glibc else keeps what large bodies took: they get memory of their own, given back when it is freed. What scoring a
# document needs is less, and kept, since new memory for each request costs a third of the rate.
_ALLOCATOR: Final = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 21),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 24),
}
_STOPS: Final = {signal.SIGTERM, signal.SIGINT}

_log = logging.getLogger("boilertag")


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    started: float  # by the monotonic clock


class Supervisor:
    """Keeps ``settings.workers`` processes serving at one address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._workers: list[_Worker] = []

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT; SIGHUP lets each process load the model folder again.

        Raises:
            OSError: the address can't be listened at.
        """
        logs.configure()
        settings = self._settings
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        if settings.host not in LOOPBACK and not settings.keys:
            _log.warning("no keys are set: whoever reaches %s may call", settings.host)
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
        # Connections inherit it. Else an answer in two writes waits for the client's delayed acknowledgement, 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with _Signals() as signals, tempfile.TemporaryDirectory(prefix="boilertag-") as counts:
            os.environ.update({**_ALLOCATOR, **os.environ, FOLDER_VARIABLE: counts})
            try:
                with listener:
                    self._workers = [self._start(listener, wait_for_model=False) for _ in range(settings.workers)]
                    self._wait(listener, signals)
                self._stop(signals)
            finally:
                for worker in self._workers:
                    worker.process.kill()
                del os.environ[FOLDER_VARIABLE]

    def _start(self, listener: socket.socket, *, wait_for_model: bool) -> "_Worker":
        process = get_context("spawn").Process(
            target=serve, args=(self._settings, listener), kwargs={"wait_for_model": wait_for_model}
        )
        # A signal that comes too early waits until the process has its handlers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _log.info("worker started", extra={"fields": {"worker": process.pid}})
        return _Worker(process, time.monotonic())

    def _wait(self, listener: socket.socket, signals: "_Signals") -> None:
        while not _STOPS.intersection(found := signals.wait(_LOOK_SECONDS)):
            if signal.SIGHUP in found:
                self._tell(signal.SIGHUP)
            self._workers = [self._alive(worker, listener) for worker in self._workers]

    def _alive(self, worker: "_Worker", listener: socket.socket) -> "_Worker":
        process = worker.process
        if process.is_alive() or time.monotonic() - worker.started < _RESTART_SECONDS:
            return worker
        _log.error("worker died", extra={"fields": {"worker": process.pid, "exit": process.exitcode}})
        forget_process(process.pid or 0)
        # Others serve meanwhile: the new one takes no requests before it can answer them.
        return self._start(listener, wait_for_model=len(self._workers) > 1)

    def _stop(self, signals: "_Signals") -> None:
        self._tell(signal.SIGTERM)
        until = time.monotonic() + self._settings.drain_seconds + self._settings.max_stop_seconds + _KILL_SECONDS
        while any(worker.process.is_alive() for worker in self._workers) and time.monotonic() < until:
            if _STOPS.intersection(signals.wait(_LOOK_SECONDS)):  # asked twice
                break

    def _tell(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.process.is_alive() and worker.process.pid:
                os.kill(worker.process.pid, number)


class _Signals:
    """The signals that have come, for a loop to wait for."""

    def __enter__(self) -> Self:
        self._out, self._into = socket.socketpair()
        self._into.setblocking(False)
        self._before = {number: signal.signal(number, _ignore) for number in (*SIGNALS, signal.SIGCHLD)}
        self._fd_before = signal.set_wakeup_fd(self._into.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._fd_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._out.close()
        self._into.close()

    def wait(self, seconds: float) -> set[int]:
        """Those that have come since the last call; waits at most so long for one."""
        self._out.settimeout(seconds)
        try:
            return set(self._out.recv(4096))
        except TimeoutError:
            return set()


def _ignore(number: int, frame: object) -> None:
    """Python writes the signal's number to the wakeup descriptor only where there is a handler."""
