"""How fast files are scored beside rows in memory, and in how much memory."""

import argparse
import gzip
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

from classifier import Paragraph, Tagger
from classifier.rows import RowWriter, documents, read_rows

COLUMNS = ("doc", "text")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", metavar="ROWS")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="how often each, in turn with rows in memory")
    parser.add_argument("--formats", nargs="+", default=["jsonl", "parquet"])
    args = parser.parse_args()
    rows = [{name: row[name] for name in COLUMNS} for row in islice(read_rows(args.source), args.rows)]
    with tempfile.TemporaryDirectory(prefix="boilertag-") as name:
        for form in args.formats:
            source = Path(name) / f"rows.{form}"
            n = repeat(rows, source, args.rows)
            scored = source.with_name(f"scored.{'jsonl' if 'wet' in form else form}")
            print(f"{form}: {n:,} rows, {source.stat().st_size / 1e6:,.0f} MB, by {args.workers} workers", flush=True)
            shares, most = [], dict.fromkeys(("pss", "rss", "one"), 0.0)
            # A machine's speed changes from minute to minute: each run stands between two of rows in memory.
            before = from_memory(rows, args.workers)
            for _ in range(args.rounds):
                seconds, cpu, held = command(source, scored, args.workers)
                after = from_memory(rows, args.workers)
                wall, core = ((before[i] + after[i]) / 2 for i in (0, 1))
                shares.append(n / seconds / wall)
                most = {name: max(most[name], held[name]) for name in most}
                print(
                    f"  {seconds:.1f} s: {n / seconds:,.0f} rows/s, {shares[-1]:.0%} of {wall:,.0f} from memory;"
                    f" of a core {n / cpu:,.0f}, {n / cpu / core:.0%} of {core:,.0f}",
                    flush=True,
                )
                before = after
            print(
                f"  median: {statistics.median(shares):.0%}; memory: {most['pss']:,.0f} MB for all processes,"
                f" {most['rss']:,.0f} MB where what they share counts for each, {most['one']:,.0f} MB for the largest",
                flush=True,
            )
            source.unlink()


def repeat(rows: list[dict[str, Any]], target: Path, n_rows: int) -> int:
    """Writes the rows over and over, each time with other documents."""
    if ".wet" in target.suffixes:
        return repeat_as_archive(rows, target, n_rows)
    written = 0
    with RowWriter(target) as writer:
        while written < n_rows:
            some = [{**row, "doc": f"{written}-{row['doc']}"} for row in rows[: n_rows - written]]
            writer.write(some)
            written += len(some)
    return written


def repeat_as_archive(rows: list[dict[str, Any]], target: Path, n_rows: int) -> int:
    """The same as a WET file: a record a document, a line a paragraph."""
    texts = [[" ".join(row["text"].split()) for row in document] for document in documents(rows)]
    written = 0
    with target.open("wb") as file:
        while written < n_rows:
            for paragraphs in texts:
                raw = "\n".join(paragraphs).encode()
                head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:{written}>\r\n"
                head += f"Content-Type: text/plain\r\nContent-Length: {len(raw)}\r\n\r\n"
                file.write(gzip.compress(head.encode() + raw + b"\r\n\r\n", 6))
                written += len(paragraphs)
    return written


def from_memory(rows: list[dict[str, Any]], workers: int) -> tuple[float, float]:
    """Rows that processes score which hold them: a second by all, and a second of a core."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Barrier(workers + 1), context.Barrier(workers + 1)
    times = context.Queue()
    processes = [context.Process(target=score_held, args=(rows, ready, go, times)) for _ in range(workers)]
    for process in processes:
        process.start()
    ready.wait()
    go.wait()
    speeds, by_core = zip(*[times.get() for _ in processes], strict=True)
    for process in processes:
        process.join()
    return sum(speeds), sum(by_core) / workers


def score_held(rows: list[dict[str, Any]], ready: Any, go: Any, times: Any) -> None:
    tagger = Tagger.load()
    held = [[Paragraph(row["text"]) for row in document] for document in documents(rows)]
    tagger.probabilities(held[:5])
    ready.wait()
    go.wait()
    since, used, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - since < 10:
        for i in range(0, len(held), 50):  # about as many rows at once as a file's blocks have
            tagger.probabilities(held[i : i + 50])
            done += sum(map(len, held[i : i + 50]))
    times.put((done / (time.perf_counter() - since), done / (time.process_time() - used)))


def command(source: Path, target: Path, workers: int) -> tuple[float, float, dict[str, float]]:
    """Seconds that the command takes, those of processors, and the most memory that it and its children hold, in MB."""
    argv = [sys.executable, "-m", "service.cli", "score", str(source), "-o", str(target), "--workers", str(workers)]
    most = {"pss": 0.0, "rss": 0.0, "one": 0.0}
    since = time.perf_counter()
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    ended = threading.Event()
    used: dict[int, float] = {}

    def watch() -> None:
        while not ended.wait(0.5):
            pids = family(process.pid)
            used.update({pid: seconds for pid in pids if (seconds := processor_time(pid))})
            held = [sizes for pid in pids if (sizes := memory(pid))]
            if held:
                most["pss"] = max(most["pss"], sum(one["Pss"] for one in held))
                most["rss"] = max(most["rss"], sum(one["Rss"] for one in held))
                most["one"] = max(most["one"], max(one["Rss"] for one in held))

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - since
    ended.set()
    watcher.join()
    if status:
        raise SystemExit(f"the command ended with {status}")
    target.unlink()
    return seconds, sum(used.values()), most


def family(pid: int) -> list[int]:
    try:
        children = [
            int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return [pid, *(other for child in children for other in family(child))]


def processor_time(pid: int) -> float:
    """Seconds that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> dict[str, float]:
    """Resident memory of a process in MB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1000 for line in lines}
    return sizes if "Pss" in sizes else {}


if __name__ == "__main__":
    main()
