"""/v1/batch: a document a line in, an answer a line out, in the same order, while more is still coming in.

Nothing is held but the lines in work. A client that does not take in its answers is not read from either, so a body of
any size needs the same memory; such a client must read while it sends.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Final
from uuid import uuid4

import anyio
import anyio.to_thread
from anyio.abc import ObjectReceiveStream, ObjectSendStream, TaskGroup
from fastapi import Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from classifier import Tagger
from service import problems, tagging
from service.bodies import Receiver, media_type, unpacker_of
from service.problems import BODY_TOO_LARGE, STOPPING, WRONG_MEDIA_TYPE, Problem
from service.state import State
from service.unpacking import Unpacker

MEDIA_TYPE: Final = "application/x-ndjson"
MEDIA_TYPES: Final = (MEDIA_TYPE, "application/ndjson", "application/jsonl", "application/x-jsonlines")

_FREE_BYTES: Final = 16 << 20  # a packed body may unpack to so much before the ratio counts
_BLANK: Final = b" \t\r"

_log = logging.getLogger("boilertag")


class _Line:
    """A line in work."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._answer = b""
        self._done = anyio.Event()

    async def work(self, raw: bytes | Problem, tagger: Tagger, state: State) -> None:
        """Finds the line's answer, which is a problem where it is no document; never raises."""
        status = 200
        try:
            if isinstance(raw, Problem):
                raise raw
            self._answer = await tagging.tag(raw, tagger, state)
        except Problem as problem:
            status = problem.status_code
            self._answer = tagging.to_json({**problems.told(problem), "line": self._number})
        except Exception:
            status = 500
            instance = uuid4().urn
            _log.exception("bug, %s", instance)
            self._answer = tagging.to_json({**problems.bug(instance), "line": self._number})
        state.metrics.lines.labels(str(status)).inc()
        self._done.set()

    async def answer(self) -> bytes:
        await self._done.wait()
        return self._answer + b"\n"


class Lines:
    """Cuts pieces of a body into lines, of which those over the limit are dropped as they come."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begun = bytearray()
        self._too_long = False
        self.number = 0

    def feed(self, piece: bytes) -> Iterator[bytes | Problem]:
        """The lines that the piece ends."""
        *ends, rest = piece.split(b"\n")
        for end in ends:
            self._add(end)
            yield from self.finish()
        self._add(rest)

    def finish(self) -> Iterator[bytes | Problem]:
        """The line begun, if there is one; blank lines are none, but they are counted."""
        self.number += 1
        if self._too_long:
            yield Problem(BODY_TOO_LARGE, f"The line has more than {self._limit:,} bytes (max_body_bytes).")
        elif line := bytes(self._begun.strip(_BLANK)):
            yield line
        self._begun.clear()
        self._too_long = False

    def _add(self, part: bytes) -> None:
        self._too_long = self._too_long or len(self._begun) + len(part) > self._limit
        if self._too_long:
            self._begun.clear()
        else:
            self._begun += part


class BatchResponse(Response):
    """The answers to a batch, wholly from one model. It reads the request itself, while it answers."""

    media_type = MEDIA_TYPE

    def __init__(self, request: Request, tagger: Tagger, state: State, headers: dict[str, str]) -> None:
        """
        Raises:
            Problem: the body is of another type, or packed in a way that is not taken.
        """
        super().__init__(headers=headers)
        del self.headers["content-length"]
        if media_type(request) not in MEDIA_TYPES:
            raise Problem(WRONG_MEDIA_TYPE, f"Send a document a line, with the header Content-Type: {MEDIA_TYPE}.")
        state.streams.check()
        self._unpacker = unpacker_of(request)
        self._request = request
        self._tagger = tagger
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._state.streams.one():
            into, out = anyio.create_memory_object_stream[_Line](self._state.settings.threads)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, out, send)
                async with into:
                    await self._read(tasks, into)

    async def _write(self, out: ObjectReceiveStream[_Line], send: Send) -> None:
        # Not before the first answer: a client that waits for "100 Continue" gets that by being read from.
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        started = False
        async with out:
            async for line in out:
                answer = await line.answer()
                if not started:
                    await send(start)
                    started = True
                await send({"type": "http.response.body", "body": answer, "more_body": True})
        if not started:
            await send(start)
        await send({"type": "http.response.body"})

    async def _read(self, tasks: TaskGroup, into: ObjectSendStream[_Line]) -> None:
        async for number, raw in self._lines():
            line = _Line(number)
            tasks.start_soon(line.work, raw, self._tagger, self._state)
            await into.send(line)  # waits while as many as there are threads are not written yet

    async def _lines(self) -> AsyncIterator[tuple[int, bytes | Problem]]:
        """The lines of the body, numbered; the last may be the problem that ended it."""
        settings = self._state.settings
        receiver = Receiver(self._request, settings.max_receive_seconds)
        lines = Lines(settings.max_body_bytes)
        pieces = receiver.pieces()
        try:
            while (packed := await self._next(pieces)) is not None:
                unpacked = self._unpacker.feed(packed)
                while (piece := await anyio.to_thread.run_sync(next, unpacked, None)) is not None:
                    _check_ratio(self._unpacker, settings.max_unpack_ratio)
                    for line in lines.feed(piece):
                        receiver.whole_document()
                        yield lines.number, line
            self._unpacker.finish()
        except Problem as problem:
            yield lines.number + 1, problem.with_traceback(None)  # which would hold on to the line begun
        except ClientDisconnect:
            _log.info("client left a batch")
        else:
            for line in lines.finish():
                yield lines.number, line

    async def _next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        with self._state.until_stop() as scope:
            return await anext(pieces, None)
        if scope.cancelled_caught:
            raise Problem(STOPPING, "The lines before this one were the last; send the others again.")
        return None


def _check_ratio(unpacker: Unpacker, ratio: int) -> None:
    if unpacker.unpacked > _FREE_BYTES + ratio * unpacker.packed:
        detail = f"The body unpacks to more than {ratio:,} times its size (max_unpack_ratio)."
        raise Problem(BODY_TOO_LARGE, detail)
