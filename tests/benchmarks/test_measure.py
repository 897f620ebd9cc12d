import sys
import time

import pytest

from benchmarks import measure
from benchmarks.measure import in_fresh_process, interleaved, peak_memory


def test_tasks_take_turns_after_a_round_without_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []

    def task(name: str, repeat: int) -> int:
        calls.append((name, repeat))
        return 12

    # Each task starts and ends three times: "a" takes 1, 4 and 2 seconds, "b" 3, 3 and 6.
    monkeypatch.setattr(time, "perf_counter", iter([0, 1, 1, 4, 5, 9, 9, 12, 20, 22, 22, 28]).__next__)
    rates = interleaved({"a": lambda i: task("a", i), "b": lambda i: task("b", i)}, 3)
    assert calls == [(name, repeat) for repeat in (0, 0, 1, 2) for name in "ab"]
    assert rates == {"a": 6, "b": 4}


def test_a_fresh_process_has_a_memory_of_its_own() -> None:
    held = bytearray(b"x" * 100_000_000)
    assert peak_memory() > len(held)
    assert 1_000_000 < in_fresh_process(peak_memory) < len(held)


def test_measuring_imports_no_library_of_ours() -> None:
    assert in_fresh_process(measure.peak_memory, environment={"PYTHONPATH": ""}) > 0
    source = measure.ROOT.joinpath("benchmarks", "measure.py").read_text(encoding="utf-8")
    top = [line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert set(top) <= sys.stdlib_module_names
