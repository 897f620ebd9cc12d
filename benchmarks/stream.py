"""Streams a batch through a service, both ways at once, and says what memory that takes.

    python -m benchmarks.stream [--megabytes 2048]

The lines have long ids, which come back, and little text: what is measured is the streaming. Exit status 1 where an
answer is missing or wrong, or memory at the end is more than 5 % over what it was after the first tenth.
"""

import argparse
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.serving import serving

_LINE = 1 << 17  # bytes
_GROWTH = 0.05


def lines(n: int) -> Iterator[bytes]:
    for i in range(n):
        yield json.dumps({"id": f"{i} ".ljust(_LINE, "x"), "text": "Advertisement"}).encode() + b"\n"


def send(client: socket.socket, n: int) -> None:
    head = "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
    client.sendall(f"{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
    for line in lines(n):
        client.sendall(b"%x\r\n%b\r\n" % (len(line), line))
    client.sendall(b"0\r\n\r\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=2_048)
    args = parser.parse_args()
    n = args.megabytes * (1 << 20) // _LINE
    with serving() as service, socket.create_connection(("127.0.0.1", service.port)) as client:
        began = time.monotonic()
        sender = threading.Thread(target=send, args=(client, n))
        sender.start()
        answered, received = 0, 0
        memory: list[int] = []
        with client.makefile("rb", 1 << 20) as answers:
            for line in answers:
                received += len(line)
                if line.startswith(b'{"id":"'):
                    assert line.startswith(b'{"id":"%d ' % answered), line[:100]
                    answered += 1
                    if answered % max(n // 100, 1) == 0:
                        memory.append(service.memory())
        sender.join()
        seconds = time.monotonic() - began
    first, most = memory[len(memory) // 10], max(memory[len(memory) // 10 :])
    print(
        f"{args.megabytes} MB in {n} lines, {received >> 20} MB back, in {seconds:.0f} s; {answered} answers in order"
    )
    print(
        f"memory: {first / 1e6:.0f} MB after a tenth, {most / 1e6:.0f} MB at most after that ({most / first - 1:+.1%})"
    )
    return 0 if answered == n and most < (1 + _GROWTH) * first else 1


if __name__ == "__main__":
    sys.exit(main())
