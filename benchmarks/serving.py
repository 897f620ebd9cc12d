"""A service in processes of its own, on loopback, for benchmarks and tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_PATIENCE = 120  # seconds


class Service:
    """A running ``boilertag serve``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self._log = log

    def log(self) -> list[dict[str, Any]]:
        """The lines that it has logged."""
        return [json.loads(line) for line in self._log.read_text("utf-8").splitlines() if line.startswith("{")]

    def workers(self) -> list[int]:
        """The ids of the processes that serve now."""
        started = [line["worker"] for line in self.log() if line["message"] == "worker started"]
        return [pid for pid in started if _state(pid) not in (None, "Z")]

    def memory(self) -> int:
        """Bytes that the processes that serve have in memory."""
        return sum(_resident(pid) for pid in self.workers())

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process that was started."""
        self.process.send_signal(number)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers by name in lower case, and body of an answer."""
        return self._send(urllib.request.Request(self.address + path, None, dict(headers or {})))

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """The same, of a body sent as JSON."""
        given = {"Content-Type": "application/json", **(headers or {})}
        return self._send(urllib.request.Request(self.address + path, body, given))

    def wait_until_ready(self) -> None:
        """Returns when each process has its model."""
        self.wait_for(lambda: self._all_loaded() and self._status("/readyz") == 200)

    def wait_for(self, found: Any, seconds: float = _PATIENCE) -> float:
        """Waits until ``found()`` is true; returns after how many seconds that was."""
        began = time.monotonic()
        while not found():
            assert self.process.poll() is None, self._log.read_text("utf-8")
            assert time.monotonic() < began + seconds, self._log.read_text("utf-8")[-3_000:]
            time.sleep(0.02)
        return time.monotonic() - began

    def counts(self) -> dict[str, float]:
        """The samples of /metrics by name and labels."""
        lines = self.get("/metrics")[2].decode().splitlines()
        return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines if not x.startswith("#"))}

    def _all_loaded(self) -> bool:
        loaded = {line["process"] for line in self.log() if line["message"] == "model loaded"}
        workers = self.workers()
        return bool(workers) and loaded.issuperset(workers)

    def _status(self, path: str) -> int:
        with suppress(OSError):
            return self.get(path)[0]
        return 0

    @staticmethod
    def _send(request: urllib.request.Request) -> tuple[int, Mapping[str, str], bytes]:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, _headers(response.headers), response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _headers(error.headers), error.read()


def _headers(found: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in found.items()}


@contextmanager
def serving(*flags: str, environment: Mapping[str, str] | None = None) -> Iterator[Service]:
    """A service with these flags, ready for requests; stopped at the end."""
    port = free_port()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("BOILERTAG_")}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        variables["BOILERTAG_CORRECTIONS"] = str(Path(folder, "corrections.sqlite"))
        command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port), *flags]
        with log.open("wb") as file:
            process = subprocess.Popen(command, env={**variables, **(environment or {})}, stderr=file)
        service = Service(process, port, log)
        try:
            service.wait_until_ready()
            yield service
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return None


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
