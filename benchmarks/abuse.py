"""Does to a service what hostile clients do, and says whether it is refused within limits and with memory flat.

    python -m benchmarks.abuse [--seconds 20]

Heads and bodies that come in drops on hundreds of connections, answers that nobody takes, bombs of gzip and zstd, JSON
ten thousand deep, a line of 100 MB; each while a good client's requests are timed.
"""

import argparse
import gzip
import json
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import zstandard

from benchmarks.serving import Service, serving

_HEAD = "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {type}\r\n{more}"
_GROWTH = 0.05  # of memory, against the warm service's
_GOOD = json.dumps({"text": "The library opens at nine.\nAdvertisement"}).encode()


def connect(service: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=60)


def send(service: Service, path: str, pieces: Iterator[bytes], kind: str = "json", more: str = "") -> bytes:
    """Sends a body in chunks, and returns what comes back until the connection ends or a second passes."""
    with connect(service) as client:
        head = _HEAD.format(path=path, type=f"application/{kind}", more=f"Transfer-Encoding: chunked\r\n{more}\r\n")
        with suppress(OSError):
            client.sendall(head.encode())
            for piece in pieces:
                client.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            client.sendall(b"0\r\n\r\n")
        return received(client)


def received(client: socket.socket) -> bytes:
    answer = b""
    client.settimeout(5)
    with suppress(OSError):
        while piece := client.recv(1 << 16):
            answer += piece
            client.settimeout(1)
    return answer


def drops(service: Service, head: str, seconds: float) -> bytes:
    """Keeps 300 connections open by a byte every half second; returns what the first is told at last."""
    clients = [connect(service) for _ in range(300)]
    for client in clients:
        client.sendall(head.encode())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for client in clients:
            with suppress(OSError):
                client.send(b" " if head.endswith("\r\n\r\n") else b"x")
        time.sleep(0.5)
    answer = received(clients[0])
    for client in clients:
        client.close()
    return answer


def untaken(service: Service, seconds: float) -> bytes:
    """Asks for large answers on 20 connections and reads none of them."""
    body = json.dumps({"paragraphs": ["\0" * 900_000]}).encode()
    head = _HEAD.format(path="/v1/tag", type="application/json", more=f"Content-Length: {len(body)}\r\n\r\n")
    clients = [connect(service) for _ in range(20)]
    for client in clients:
        client.sendall(head.encode() + body)
    time.sleep(seconds)
    for client in clients:
        client.close()
    return b"untaken"


def zstd_bomb(megabytes: int) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    bomb = gzip.compress(bytes(1 << 30))
    zstd = zstd_bomb(4_000)
    post = _HEAD.format(path="/v1/tag", type="application/json", more="Content-Length: 100000\r\n\r\n")
    attacks: dict[str, tuple[Callable[[Service], bytes], bytes]] = {
        "slow heads": (lambda s: drops(s, "GET /v1/model HTTP/1.1\r\nX-Slow: ", args.seconds), b" 408 "),
        "slow bodies": (lambda s: drops(s, post, args.seconds), b"too-slow"),
        "answers not taken": (lambda s: untaken(s, args.seconds), b"untaken"),
        f"gzip bomb, {len(bomb):,} bytes for 1 GiB": (
            lambda s: send(s, "/v1/tag", iter([bomb]), more="Content-Encoding: gzip\r\n"),
            b"body-too-large",
        ),
        f"zstd bomb, {len(zstd):,} bytes for 4 GB": (
            lambda s: send(s, "/v1/tag", iter([zstd]), more="Content-Encoding: zstd\r\n"),
            b"body-too-large",
        ),
        "gzip bomb in a batch": (
            lambda s: send(s, "/v1/batch", iter([bomb]), "x-ndjson", "Content-Encoding: gzip\r\n"),
            b"max_unpack_ratio",
        ),
        "zstd bomb in a batch": (
            lambda s: send(s, "/v1/batch", iter([zstd]), "x-ndjson", "Content-Encoding: zstd\r\n"),
            b"max_unpack_ratio",
        ),
        "JSON 10,000 deep": (lambda s: send(s, "/v1/tag", iter([b"[" * 10_000 + b"]" * 10_000])), b"not-json"),
        "JSON 10,000 deep in a batch": (
            lambda s: send(s, "/v1/batch", iter([b'{"a":' * 10_000 + b"\n", _GOOD]), "x-ndjson"),
            b"Advertisement",
        ),
        "line of 100 MB in a batch": (
            lambda s: send(s, "/v1/batch", (b"x" * 1_000_000 for _ in range(100)), "x-ndjson"),
            b"body-too-large",
        ),
        "body of 200 MB": (
            lambda s: send(s, "/v1/tag", (b"x" * 1_000_000 for _ in range(200))),
            b"body-too-large",
        ),
    }
    failed = False
    limits = ("--max-idle-seconds", "5", "--max-receive-seconds", "5", "--max-send-seconds", "5")
    with serving(*limits) as service:
        # What any full-size work leaves in the allocator is no leak: the warm service has done some.
        full = json.dumps({"paragraphs": ["The library opens at nine. " * 30_000] * 18}).encode()
        for _ in range(4):
            assert service.post("/v1/tag", full)[0] == 200
        warm = service.memory()
        for name, (attack, told) in attacks.items():
            began = time.monotonic()
            refused = told in attack(service)
            seconds = time.monotonic() - began
            began = time.monotonic()
            serves = service.post("/v1/tag", _GOOD)[0] == 200
            after = time.monotonic() - began
            growth = service.memory() / warm - 1
            good = refused and serves and growth < _GROWTH
            failed |= not good
            print(
                f"{'ok  ' if good else 'FAIL'} {name}: {'refused' if refused else 'NOT REFUSED'} in {seconds:.1f} s, "
                f"the next request answered in {after * 1e3:.0f} ms, memory {growth:+.1%}"
            )
        print(f"memory of the warm service: {warm / 1e6:.0f} MB")
    return failed


if __name__ == "__main__":
    sys.exit(main())
