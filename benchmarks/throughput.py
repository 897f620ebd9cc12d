"""Compares the paragraphs a second that HTTP carries with what the same number of threads tags in memory.

    python -m benchmarks.throughput [--threads 1] [--paragraphs 1000]

Both are measured in turn, five times over, on the same document; each round is compared with its own. Over HTTP
one request more than threads is in the air, so that no thread waits for its next.
"""

import argparse
import asyncio
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.load import sustained, unloaded
from benchmarks.serving import serving
from benchmarks.texts import document, paragraphs
from classifier import Tagger

_BAR = 0.6
_ROUNDS = 5


def in_memory(tagger: Tagger, texts: list[str], threads: int, seconds: float) -> float:
    """Documents a second."""
    until = time.perf_counter() + seconds

    def work() -> int:
        done = 0
        while time.perf_counter() < until:
            tagger.tag(texts)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        return sum(one.result() for one in [pool.submit(work) for _ in range(threads)]) / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--paragraphs", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=3)
    args = parser.parse_args()
    texts, body = paragraphs(args.paragraphs), document(args.paragraphs)
    tagger = Tagger.load()
    tagger.tag(texts)
    shares = []
    with serving("--threads", str(args.threads)) as service:
        asyncio.run(unloaded(service.port, body, 20))
        for _ in range(_ROUNDS):
            memory = in_memory(tagger, texts, args.threads, args.seconds) * args.paragraphs
            http = asyncio.run(sustained(service.port, body, args.threads + 1, args.seconds)) * args.paragraphs
            shares.append(http / memory)
            print(f"in memory {memory:,.0f} paragraphs/s, over HTTP {http:,.0f}: {shares[-1]:.0%}")
    share = statistics.median(shares)
    print(f"{args.threads} threads, {args.paragraphs} paragraphs a request: median {share:.0%}")
    return 0 if share >= _BAR else 1


if __name__ == "__main__":
    sys.exit(main())
