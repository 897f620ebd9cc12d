"""Kills one of two workers under load, and says how long it takes to be back and what is lost meanwhile.

python -m benchmarks.crash [--kills 5]
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections import Counter

from benchmarks.client import Client
from benchmarks.serving import Service, serving
from benchmarks.texts import document

_BAR = 5.0  # seconds
_CONNECTIONS = 4


class Load:
    """Requests without a pause; a lost connection is opened again."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.stopped = False
        self.answers: Counter[str] = Counter()
        self.last_answer = 0.0
        self.longest_gap = 0.0

    async def run(self) -> None:
        """Sends until it is stopped."""
        self.last_answer = time.monotonic()
        await asyncio.gather(*(self._send() for _ in range(_CONNECTIONS)))

    async def _send(self) -> None:
        body = document(30)
        async with Client(self._service.port) as client:
            while not self.stopped:
                try:
                    status = str((await client.post("/v1/tag", body)).status)
                except (OSError, EOFError):
                    status = "connection lost"
                now = time.monotonic()
                if status == "200":
                    self.longest_gap = max(self.longest_gap, now - self.last_answer)
                    self.last_answer = now
                self.answers[status] += 1


async def back_after(service: Service) -> float:
    """Kills a worker; returns after how many seconds a new one has its model."""
    killed, before = service.workers()[0], set(service.workers())
    began = time.monotonic()
    os.kill(killed, signal.SIGKILL)
    while True:
        await asyncio.sleep(0.05)
        ready = {line["process"] for line in service.log() if line["message"] == "Application startup complete."}
        if ready.intersection(service.workers()) - before:
            return time.monotonic() - began
        assert time.monotonic() < began + 60, "no worker came back"


async def kills(service: Service, load: Load, n: int) -> list[float]:
    """Kills ``n`` workers, one after the other, while requests are sent."""
    sending = asyncio.create_task(load.run())
    found = []
    for _ in range(n):
        await asyncio.sleep(1.5)
        found.append(await back_after(service))
    load.stopped = True
    await sending
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5)
    args = parser.parse_args()
    with serving("--workers", "2", "--max-queue", "8") as service:
        load = Load(service)
        seconds = asyncio.run(kills(service, load, args.kills))
    print(
        "back after " + ", ".join(f"{one:.1f}" for one in seconds) + " s; the longest time without an answer was "
        f"{load.longest_gap:.2f} s; answers: {dict(load.answers)}"
    )
    # A kill loses what its worker had in hand: at most a request a connection.
    lost = load.answers["connection lost"] <= args.kills * _CONNECTIONS
    return 0 if max(seconds) < _BAR and lost and set(load.answers) <= {"200", "connection lost"} else 1


if __name__ == "__main__":
    sys.exit(main())
