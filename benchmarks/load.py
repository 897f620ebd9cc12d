"""Sends a service twice what it can hold, from a process of its own over loopback, and says what becomes of it.

    python -m benchmarks.load [--seconds 60] [--paragraphs 1000] [--times 2]

First it finds the unloaded median of a request and the rate that the service holds. Then it sends requests at twice
that rate, each at its time whether or not earlier ones are answered. Exit status 1 where a bar is missed: a request
lost, the 99th percentile of the accepted not under 10 times the unloaded median, or memory not flat.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter

from benchmarks.client import Client
from benchmarks.serving import Service, serving
from benchmarks.texts import document
from service.settings import Settings

_MAX_OPEN = 500  # requests in the air; more would only measure this client
_TIMES_MEDIAN = 10
_MEMORY = 0.05


async def unloaded(port: int, body: bytes, n: int = 100) -> list[float]:
    """Seconds of ``n`` requests, one after the other."""
    seconds = []
    async with Client(port) as client:
        for _ in range(n):
            began = time.perf_counter()
            answer = await client.post("/v1/tag", body)
            assert answer.status == 200, answer
            seconds.append(time.perf_counter() - began)
    return seconds


async def sustained(port: int, body: bytes, connections: int, seconds: float) -> float:
    """Requests a second of so many connections, each sending its next request when the last is answered."""
    until = time.perf_counter() + seconds

    async def send() -> int:
        sent = 0
        async with Client(port) as client:
            while time.perf_counter() < until:
                sent += (await client.post("/v1/tag", body)).status == 200
        return sent

    return sum(await asyncio.gather(*(send() for _ in range(connections)))) / seconds


class Flood:
    """Requests at a fixed rate for a fixed time."""

    def __init__(self, service: Service, body: bytes, rate: float, seconds: float) -> None:
        self._service = service
        self._body = body
        self._rate = rate
        self._seconds = seconds
        self._idle: list[Client] = []
        self.answers: Counter[str] = Counter()
        self.accepted: list[float] = []
        self.without_retry = 0
        self.late = 0
        self.memory: list[int] = []

    async def run(self) -> None:
        """Sends them, and waits for the last answers."""
        watch = asyncio.create_task(self._watch())
        open_: set[asyncio.Task[None]] = set()
        began = time.perf_counter()
        for i in range(int(self._rate * self._seconds)):
            await asyncio.sleep(max(began + i / self._rate - time.perf_counter(), 0))
            if len(open_) >= _MAX_OPEN:
                self.late += 1
                await asyncio.wait(open_, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._send())
            open_.add(task)
            task.add_done_callback(open_.discard)
        if open_:
            await asyncio.wait(open_, timeout=60)
        self.answers["lost"] += len(open_)
        watch.cancel()

    async def _send(self) -> None:
        began = time.perf_counter()
        client = self._idle.pop() if self._idle else Client(self._service.port)
        try:
            answer = await client.post("/v1/tag", self._body)
        except (OSError, EOFError) as error:
            self.answers[f"lost: {type(error).__name__}"] += 1
            return
        self._idle.append(client)
        self.answers[str(answer.status)] += 1
        if answer.status == 200:
            self.accepted.append(time.perf_counter() - began)
        else:
            self.without_retry += "retry-after" not in answer.headers

    async def _watch(self) -> None:
        while True:
            self.memory.append(self._service.memory())
            await asyncio.sleep(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--paragraphs", type=int, default=1_000)
    parser.add_argument("--times", type=float, default=2, help="the rate, as a multiple of the one that it holds")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    body, defaults = document(args.paragraphs), Settings()
    with serving("--workers", str(args.workers)) as service:
        asyncio.run(unloaded(service.port, body))  # warms up
        median = statistics.median(asyncio.run(unloaded(service.port, body)))
        taken = defaults.threads + defaults.max_queue  # more would be refused, and what asks again at once costs
        rate = asyncio.run(sustained(service.port, body, taken * args.workers, 10))
        flood = Flood(service, body, args.times * rate, args.seconds)
        asyncio.run(flood.run())
    p99 = sorted(flood.accepted)[int(0.99 * len(flood.accepted))]
    first, last = statistics.mean(flood.memory[:10]), statistics.mean(flood.memory[-10:])
    print(f"{args.paragraphs} paragraphs a request: unloaded median {median * 1e3:.1f} ms, holds {rate:.1f} requests/s")
    print(f"{args.times * rate:.1f} requests/s for {args.seconds:.0f} s: {dict(flood.answers)}; {flood.late} sent late")
    print(f"accepted: median {statistics.median(flood.accepted) * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms", end="")
    print(f" = {p99 / median:.1f} × the unloaded median; {len(flood.accepted) / args.seconds:.1f} accepted/s")
    print(f"memory: {first / 1e6:.0f} MB in the first 10 s, {last / 1e6:.0f} MB in the last ({last / first - 1:+.1%})")
    kept = set(flood.answers) - {"200", "429", "503"} <= {"lost"} and not flood.answers["lost"]
    flat = abs(last / first - 1) <= _MEMORY
    return 0 if kept and not flood.without_retry and p99 < _TIMES_MEDIAN * median and flat else 1


if __name__ == "__main__":
    sys.exit(main())
