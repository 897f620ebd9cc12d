"""Real servers in processes of their own: signals, crashes, slow clients."""

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.reload import put, tilted
from benchmarks.serving import Service, serving
from classifier import folder
from classifier.paragraphs import split_html
from classifier.tagger import DEFAULT_MODEL

HTML = "<nav><a href='/'>Home</a></nav><p>The harbour bridge will close for a week in May.</p>"
BODY = json.dumps({"html": HTML, "id": "x"}).encode()
HEAD = b"POST /v1/tag HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Path]]:
    """A service of two processes, and its model folder."""
    live = tmp_path_factory.mktemp("live") / "model"
    shutil.copytree(DEFAULT_MODEL, live)
    with serving("--workers", "2", "--model", str(live), "--max-body-bytes", "1000") as service:
        yield service, live


@pytest.fixture(scope="module")
def strict() -> Iterator[Service]:
    """A service with little patience."""
    flags = ("--max-idle-seconds", "1", "--max-receive-seconds", "1", "--max-send-seconds", "2")
    with serving(*flags, "--max-connections", "20") as service:
        yield service


class TestTwoProcesses:
    def test_serve(self, two: tuple[Service, Path]) -> None:
        service, _ = two
        status, _, raw = service.post("/v1/tag", BODY)
        answer = json.loads(raw)
        assert (status, answer["id"]) == (200, "x")
        assert [one["text"] for one in answer["paragraphs"]] == [one.text for one in split_html(HTML)]
        status, _, raw = service.post("/v1/tag", b"a" * 5_000)  # more than is read, less than is cut off
        assert (status, json.loads(raw)["title"]) == (413, "The body is too large")

    def test_are_counted_together(self, two: tuple[Service, Path]) -> None:
        service, _ = two
        name = 'boilertag_requests_total{endpoint="/v1/tag",status="200"}'
        before = service.counts().get(name, 0)
        for _ in range(20):
            assert service.post("/v1/tag", BODY)[0] == 200
        assert service.counts()[name] == before + 20

    def test_both_reload_on_sighup(self, two: tuple[Service, Path], tmp_path: Path) -> None:
        service, live = two
        folder.write(tilted(DEFAULT_MODEL, 0.5), tmp_path / "other")
        before = service.get("/healthz")[1]["boilertag-model"]
        loads = service.counts()['boilertag_model_loads_total{outcome="loaded"}']
        put(tmp_path / "other", live)
        service.signal(signal.SIGHUP)
        service.wait_for(lambda: service.counts()['boilertag_model_loads_total{outcome="loaded"}'] >= loads + 2)
        assert before not in {service.get("/healthz")[1]["boilertag-model"] for _ in range(20)}

    def test_killed_one_comes_back(self, two: tuple[Service, Path]) -> None:
        service, _ = two
        killed, other = service.workers()
        os.kill(killed, signal.SIGKILL)
        service.wait_for(lambda: killed not in service.workers())
        for _ in range(5):
            assert service.post("/v1/tag", BODY)[0] == 200
        service.wait_for(lambda: len(service.workers()) == 2)
        assert other in service.workers()
        service.wait_until_ready()
        assert all(service.post("/v1/tag", BODY)[0] == 200 for _ in range(20))


class TestStop:
    def test_of_a_process_that_waits_for_its_model(self, tmp_path: Path) -> None:
        live = Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "live"))
        with serving("--workers", "2", "--model", str(live), "--reload-seconds", "0") as service:
            (live / "model.json").unlink()
            killed, _ = service.workers()
            os.kill(killed, signal.SIGKILL)
            refused = "model refused, there is none to serve with"
            service.wait_for(lambda: any(line["message"].startswith(refused) for line in service.log()))
            assert all(service.post("/v1/tag", BODY)[0] == 200 for _ in range(5))
            service.signal(signal.SIGTERM)
            assert service.process.wait(10) == 0

    def test_finishes_what_it_took_and_refuses_the_rest(self) -> None:
        with serving("--drain-seconds", "1") as service:
            with connect(service) as batch, connect(service) as slow:
                batch.sendall(
                    b"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                    b'Content-Length: 1000\r\n\r\n{"text": "a"}\n{"te'
                )
                assert b"paragraphs" in until(batch, b"}\n\r\n")
                slow.sendall(HEAD + b"Content-Length: 13\r\n\r\n{")
                time.sleep(0.2)
                service.signal(signal.SIGTERM)
                service.wait_for(lambda: service.get("/readyz")[0] == 503)
                assert service.post("/v1/tag", BODY)[0] == 200
                time.sleep(1.2)
                assert b"problem-type:boilertag:stopping" in rest(batch)
                slow.sendall(b'"text": "a"}')
                assert b"200 OK" in rest(slow)
            assert service.process.wait(20) == 0
            with pytest.raises(OSError, match="refused"):
                connect(service)

    def test_leaves_no_process(self) -> None:
        with serving("--workers", "2") as service:
            workers = service.workers()
            service.process.kill()  # it can't tell them
            until_gone = time.monotonic() + 20
            while any(Path(f"/proc/{pid}").exists() for pid in workers):
                assert time.monotonic() < until_gone
                time.sleep(0.05)


class TestSlowClients:
    def test_half_a_head(self, strict: Service) -> None:
        with connect(strict) as client:
            client.sendall(b"POST /v1/tag HT")
            assert b"408 Request Timeout" in rest(client)

    def test_silence(self, strict: Service) -> None:
        with connect(strict) as client:
            assert rest(client) == b""

    def test_half_a_body(self, strict: Service) -> None:
        for path in (b"tag", b"clean"):
            with connect(strict) as client:
                client.sendall(HEAD.replace(b"tag", path) + b'Content-Length: 100\r\n\r\n{"text": ')
                answer = rest(client)
                assert b"408 Request Timeout" in answer
                assert b"problem-type:boilertag:too-slow" in answer

    def test_body_in_drops(self, strict: Service) -> None:
        with connect(strict) as client:
            client.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
            client.setblocking(False)
            answer = b""
            for _ in range(50):
                client.send(b" ")
                time.sleep(0.1)
                with suppress(BlockingIOError):
                    answer += client.recv(10_000)
                    break
            assert b"408 Request Timeout" in answer

    def test_half_a_line_of_a_batch(self, strict: Service) -> None:
        with connect(strict) as client:
            client.sendall(HEAD.replace(b"v1/tag", b"v1/batch").replace(b"/json", b"/x-ndjson"))
            client.sendall(b'Content-Length: 100\r\n\r\n{"text": "a"}\n{"text": ')
            answer = rest(client)
            assert b'"paragraphs"' in answer
            assert b"problem-type:boilertag:too-slow" in answer

    def test_answer_not_taken(self, strict: Service) -> None:
        with connect(strict) as client:
            body = json.dumps({"paragraphs": ["\0" * 900_000] * 3}).encode()
            client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            client.recv(1_000)
            time.sleep(5)
            assert len(rest(client)) < len(body)  # the answer would be longer; some of it is with the kernel

    def test_no_http(self, strict: Service) -> None:
        for nonsense in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
            b"GET /nowhere HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000,
        ):
            with connect(strict) as client:
                client.sendall(nonsense + b"\r\n\r\n")
                answer = client.recv(10_000)
                assert b"application/problem+json" in answer
                assert b"boilertag-model: " in answer

    def test_too_many_connections(self, strict: Service) -> None:
        clients = [connect(strict) for _ in range(25)]
        try:
            clients[-1].sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = rest(clients[-1])
            assert b"max_connections" in answer
            assert b"boilertag-model: " in answer
        finally:
            for client in clients:
                client.close()


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def until(client: socket.socket, end: bytes) -> bytes:
    """What is sent, up to an end."""
    found = b""
    while not found.endswith(end):
        piece = client.recv(100_000)
        assert piece, found
        found += piece
    return found


def rest(client: socket.socket) -> bytes:
    """What is sent until the connection is closed."""
    found = b""
    while piece := client.recv(100_000):
        found += piece
    return found
