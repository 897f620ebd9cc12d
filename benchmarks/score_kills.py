"""Whether a scoring run that is killed and started again writes the bytes of one that is left alone."""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from classifier.rows import read_rows, write_rows

FORMATS = ["jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", metavar="ROWS")
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--kills", type=int, default=50, help="over all formats")
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    rows = [{"doc": row["doc"], "text": row["text"]} for row in islice(read_rows(args.source), args.rows)]
    for form in args.formats:
        with tempfile.TemporaryDirectory(prefix="boilertag-") as name:
            source, whole, target = (Path(name) / f"{stem}.{form}" for stem in ("rows", "whole", "scored"))
            write_rows(source, rows)
            since = time.perf_counter()
            score(source, whole).wait()
            alone = time.perf_counter() - since
            kills = starts = early = 0
            while kills < args.kills // len(args.formats):
                process = score(source, target)
                starts += 1
                since = time.perf_counter()
                try:
                    process.wait(chance.uniform(0.3, 1.0) * alone)
                    early += 1
                    alone = min(alone, time.perf_counter() - since)  # other work on the machine comes and goes
                    check(whole, target)
                    target.unlink()
                except subprocess.TimeoutExpired:
                    if target.exists():
                        check(whole, target)  # whole, or not there
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    kills += 1
            score(source, target).wait()
            check(whole, target)
            left = sorted(path.name for path in Path(name).iterdir())
            if left != sorted(path.name for path in (source, whole, target)):
                raise SystemExit(f"{form}: left behind {left}")
            print(
                f"{form}: {len(rows):,} rows, {kills} kills in {starts} starts, {early} of which ended by themselves:"
                f" byte-equal, nothing left behind ({alone:.1f} s alone)",
                flush=True,
            )


def score(source: Path, target: Path) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "service.cli", "score", str(source), "-o", str(target), "--workers", "2"]
    return subprocess.Popen(argv, stderr=subprocess.DEVNULL)


def check(whole: Path, target: Path) -> None:
    if whole.read_bytes() != target.read_bytes():
        raise SystemExit(f"{target.name} differs")


if __name__ == "__main__":
    main()
