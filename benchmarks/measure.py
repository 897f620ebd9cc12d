"""How time and memory are measured.

Only the standard library is imported here, so that what is measured in a process of its own is measured alone.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]

# Does its work and returns how many units of it there were.
Task = Callable[[int], int]


def interleaved(tasks: Mapping[str, Task], repeats: int) -> dict[str, float]:
    """Units a second of each task: the median over repeats.

    Every repeat runs each task once, so that what else the machine does meets all of them. Tasks are given the number
    of the repeat. Each runs once before the clock starts.
    """
    rates: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task(0)
    for repeat in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            n = task(repeat)
            rates[name].append(n / (time.perf_counter() - start))
    return {name: median(found) for name, found in rates.items()}


def in_fresh_process(function: Callable[..., Any], *args: Any, environment: Mapping[str, str] | None = None) -> Any:
    """What a function of a module returns when a new Python process calls it; all by JSON."""
    module = f"benchmarks.{Path(sys.modules[function.__module__].__file__ or '').stem}"
    code = (
        "import json, sys; from importlib import import_module; sys.path.insert(0, sys.argv[1]);"
        " print(json.dumps(getattr(import_module(sys.argv[2]), sys.argv[3])(*json.load(sys.stdin))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), module, function.__name__],
        input=json.dumps(args),
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory() -> int:
    """The most bytes that this process has had in memory."""
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage, which on Linux starts from the parent's peak
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def first_tag(paragraphs: Sequence[str]) -> float:
    """Seconds from ``import classifier`` to the tags of a first page; to be run in a fresh process."""
    start = time.perf_counter()
    from classifier import Tagger

    Tagger.load().tag(paragraphs)
    return time.perf_counter() - start


def memory_of_tagging(pages: Sequence[Sequence[str]]) -> int:
    """Peak bytes of a process that loads the default model and tags pages one by one; to be run in a fresh process."""
    from classifier import Tagger

    tagger = Tagger.load()
    for page in pages:
        tagger.tag(page)
    return peak_memory()
