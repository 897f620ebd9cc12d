"""Whether the model in use always loads and is whole while retrainings into its folder are killed."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from classifier import folder
from classifier.rows import read_rows, write_rows
from training import versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", metavar="ROWS")
    parser.add_argument("--rows", type=int, default=1_500)
    parser.add_argument("--kills", type=int, default=50, help="half anywhere, half while versions are written")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="boilertag-") as name:
        target = Path(name) / "model"
        rows = list(islice(read_rows(args.source), args.rows))
        sources = [Path(name) / "one.jsonl", Path(name) / "other.jsonl"]
        write_rows(sources[0], rows)
        write_rows(sources[1], rows[: 9 * len(rows) // 10])
        since = time.perf_counter()
        if train(sources[0], target).wait():
            raise SystemExit("the first training failed")
        alone = time.perf_counter() - since
        kills = starts = loads = 0
        seen = {loaded(target)}
        while kills < args.kills:
            process = train(sources[starts % 2], target)
            starts += 1
            # A retraining's last moments are the only ones that write; half of the kills are kept for them.
            waits = alone if kills % 2 else 0.0
            until = time.perf_counter() + chance.uniform(0, 1.0) * waits
            while process.poll() is None and (
                time.perf_counter() < until if waits else not list(target.glob("versions/.*"))
            ):
                seen.add(loaded(target))
                loads += 1
            until = time.perf_counter() + (0.0 if waits else chance.uniform(0, 0.3))
            while process.poll() is None and time.perf_counter() < until:
                seen.add(loaded(target))
                loads += 1
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
            seen.add(loaded(target))
            if any(
                version.manifest is None or not folder.read(version.folder) for version in versions.versions(target)
            ):
                raise SystemExit("a version is not whole")
        if train(sources[0], target).wait():
            raise SystemExit("the last training failed")
        left = [path.name for path in (*target.glob(".*"), *target.glob("versions/.*"))]
        if left:
            raise SystemExit(f"left behind {left}")
        print(
            f"{len(rows):,} rows, {kills} kills in {starts} retrainings: every one of {loads:,} loads meanwhile was"
            f" whole, of {len(seen)} models; nothing left behind ({alone:.1f} s alone)"
        )


def train(source: Path, target: Path) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "service.cli", "train", str(source), "-o", str(target), "--force", "to be killed"]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def loaded(target: Path) -> str:
    """The name of the model in use, which is read whole."""
    return folder.model_name(folder.read(target).manifest)


if __name__ == "__main__":
    main()
