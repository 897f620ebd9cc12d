"""Several processes that write to one file, for several clients at once."""

import csv
import io
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.serving import Service, serving

N = 150  # corrections of each client
PAGE = [f"Ship {i} passed the lighthouse." for i in range(N)]


def post(service: Service, path: str, body: Any) -> Any:
    status, _, raw = service.post(path, json.dumps(body).encode())
    assert status == 200, raw
    return json.loads(raw)


def correct(service: Service, document: str, annotator: str, places: range) -> list[int]:
    body = {"annotator": annotator, "document": document, "label": "content"}
    return [post(service, "/v1/corrections", {**body, "index": place})["id"] for place in places]


def labelled(service: Service) -> list[dict[str, str]]:
    _, _, raw = service.get("/v1/corrections.csv")
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))


def test_two_clients_at_once_lose_nothing_and_a_restart_keeps_it(tmp_path: Path) -> None:
    flags = ("--workers", "2", "--max-queue", "8", "--corrections", str(tmp_path / "kept" / "c.sqlite"))
    with serving(*flags) as service, ThreadPoolExecutor(3) as clients:
        # The first documents of all come together, so that both processes would make the file.
        kept = list(clients.map(lambda _: post(service, "/v1/documents", {"paragraphs": PAGE})["id"], range(3)))
        assert len(set(kept)) == 1
        document = kept[0]
        done = [clients.submit(correct, service, document, name, range(N)) for name in ("ada", "bo")]
        exported = clients.submit(lambda: [len(labelled(service)) for _ in range(10)])
        ids = [id_ for one in done for id_ in one.result(120)]
        assert sorted(exported.result(120)) == exported.result()
        assert len(set(ids)) == 2 * N
        assert set(_processes(service)) == set(service.workers())
    with serving(*flags) as service:
        rows = labelled(service)
        assert [row["text"] for row in rows] == PAGE
        assert {row["annotators"] for row in rows} == {"ada, bo"}
        pair = json.loads(service.get("/v1/agreement")[2])["pairs"][0]
        assert (pair["paragraphs"], pair["agreed"]) == (N, N)


def _processes(service: Service) -> list[int]:
    return [line["process"] for line in service.log() if line.get("endpoint") == "/v1/corrections"]


def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    flags = ("--workers", "2", "--corrections", str(tmp_path / "c.sqlite"))
    with serving(*flags) as service, ThreadPoolExecutor(2) as clients:
        document = post(service, "/v1/documents", {"paragraphs": PAGE})["id"]
        answered: list[int] = []

        def go_on(annotator: str) -> None:
            for place in range(N):
                with suppress(OSError, AssertionError):  # of the process that was killed
                    answered.extend(correct(service, document, annotator, range(place, place + 1)))

        running = [clients.submit(go_on, name) for name in ("ada", "bo")]
        for _ in range(2):
            before = len(answered)
            service.wait_for(lambda: len(answered) > before + 20)  # noqa: B023
            os.kill(service.workers()[0], signal.SIGKILL)
        for one in running:
            one.result(120)
        assert len(answered) > N
        listed: set[int] = set()
        following = ""
        while following is not None:
            page = json.loads(service.get(f"/v1/corrections?limit=200{following and f'&before={following}'}")[2])
            listed |= {one["id"] for one in page["corrections"]}
            following = page["next"]
        assert set(answered) <= listed
