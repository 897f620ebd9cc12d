"""What the service counts of itself, for Prometheus, over all its processes."""

import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from classifier.scoring import UNSURE

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"  # where processes share their counts; the client's own name
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counts of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._counter("requests", "Requests answered.", "endpoint", "status")
        self.seconds = Histogram(
            "boilertag_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.queued = self._gauge("queued_requests", "Requests that are worked for or wait for a thread.")
        self.streams = self._gauge("open_streams", "Requests to /v1/batch that are open.")
        self.buffered = self._gauge("buffered_bytes", "Bytes of bodies that are held.")
        self.corrections = self._gauge("open_corrections", "Requests that are at the file of corrections.")
        self.lines = self._counter("batch_lines", "Lines of /v1/batch answered.", "status")
        self._paragraphs = self._counter("paragraphs", "Paragraphs tagged.", "label")
        self._scores = self._counter("paragraph_score", "Sum of the scores of all paragraphs tagged.")
        self._unsure = self._counter("unsure_paragraphs", f"Paragraphs tagged with a score below {UNSURE}.")
        self._loads = self._counter("model_loads", "Model folders loaded or refused.", "outcome")
        self._model = self._gauge("model_info", "1 for the model that serves.", "model", mode="livemax")
        for outcome in ("loaded", "refused"):
            self._loads.labels(outcome)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(f"boilertag_{name}", says, labels, registry=self._registry)

    def _gauge(self, name: str, says: str, *labels: str, mode: str = "livesum") -> Gauge:
        return Gauge(f"boilertag_{name}", says, labels, registry=self._registry, multiprocess_mode=mode)  # type: ignore[arg-type]

    def tagged(self, labels: Sequence[str], probabilities: NDArray[np.float64]) -> None:
        """Counts paragraphs that were tagged, by their probabilities: shape (n_paragraphs, n_labels)."""
        counts = np.bincount(probabilities.argmax(axis=1), minlength=len(labels))
        for label, n in zip(labels, counts.tolist(), strict=True):
            self._paragraphs.labels(label).inc(n)
        scores = probabilities.max(axis=1)
        self._scores.inc(float(scores.sum()))
        self._unsure.inc(int((scores < UNSURE).sum()))

    def model_loaded(self, before: str, now: str) -> None:
        """Counts a model that was swapped in."""
        self._loads.labels("loaded").inc()
        self._model.labels(before).set(0)
        self._model.labels(now).set(1)

    def model_refused(self) -> None:
        """Counts a folder that was not taken."""
        self._loads.labels("refused").inc()

    def render(self) -> bytes:
        """The counts of all processes, in Prometheus' text format."""
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def forget_process(pid: int) -> None:
    """Takes what a dead process held out of the gauges; what it counted stays."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]
