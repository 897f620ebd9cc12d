"""Request bodies: read up to the limits and no further, unpacked, and parsed as JSON in UTF-8.

FastAPI reads a body whole before it looks at its size, and takes what is no JSON in several ways; here each refusal has
a problem of its own.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any, Final, NoReturn, TypeVar

import anyio
import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from service import problems
from service.places import Held, Places
from service.problems import BODY_TOO_LARGE, NOT_JSON, TOO_SLOW, WRONG_MEDIA_TYPE, Problem
from service.settings import Settings
from service.state import State
from service.unpacking import Unpacker

FILE: Final = "application/octet-stream"

# Most clients send the whole body before they look for an answer. What is over the limit is dropped as it comes, so
# that they see why they are refused; those that go on past so many times the limit are cut off.
_PATIENCE: Final = 8
_CLOSE: Final = {"Connection": "close"}  # for answers to bodies of which something may be unread

_Body = TypeVar("_Body", bound=BaseModel)


def media_type(request: Request) -> str:
    """The body's media type, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def unpacker_of(request: Request) -> Unpacker:
    """What unpacks the body.

    Raises:
        Problem: it is packed in a way that is not taken.
    """
    return Unpacker(request.headers.get("content-encoding", "identity").strip().lower())


class Receiver:
    """Takes in a body piece by piece, and gives the client so many seconds for each document of it."""

    def __init__(self, request: Request, seconds: int) -> None:
        self._pieces = request.stream()
        self._seconds = seconds
        self._left = float(seconds)

    def whole_document(self) -> None:
        """Says that a document is there whole, so that the time of the next one begins."""
        self._left = self._seconds

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes; only the time that it is waited for counts.

        Raises:
            Problem: the document in hand takes the client too long.
            ClientDisconnect: it left.
        """
        while True:
            began = anyio.current_time()
            try:
                with anyio.fail_after(self._left):
                    piece = await anext(self._pieces, None)
            except TimeoutError:
                detail = f"A document must be there within {self._seconds:,} seconds (max_receive_seconds)."
                raise Problem(TOO_SLOW, detail, headers=_CLOSE) from None
            if piece is None:
                return
            self._left -= anyio.current_time() - began
            yield piece


def check_json(request: Request) -> None:
    """
    Raises:
        Problem: the body is of another media type than JSON.
    """
    found = media_type(request)
    if not (found.startswith("application/") and found.endswith(("/json", "+json"))):
        raise Problem(WRONG_MEDIA_TYPE, "Send the body as JSON, with the header Content-Type: application/json.")


def check_file(request: Request) -> None:
    """
    Raises:
        Problem: the body is not sent as a file. No form of a page elsewhere can send this type.
    """
    if media_type(request) != FILE:
        raise Problem(WRONG_MEDIA_TYPE, f"Send the file's bytes, with the header Content-Type: {FILE}.")


@asynccontextmanager
async def received(
    request: Request, state: State, places: Places | None, check: Callable[[Request], None] = check_json
) -> AsyncIterator[bytes]:
    """The whole body of a request, unpacked. The request has one of ``places`` while the ``with`` block runs; ``check``
    looks at its media type.

    Raises:
        Problem: as ``read``, ``unpack`` and ``check``, or there is no place.
    """
    if places:
        places.check()  # who would be refused is told so before the body is read
    with state.buffers.hold() as held:
        unpacker = unpacker_of(request)
        check(request)
        raw = await read(request, state.settings, held)
        with places.one() if places else nullcontext():
            if unpacker.encoding != "identity":
                packed = raw
                raw = await state.pool.run(lambda: unpack(packed, unpacker, state.settings.max_body_bytes))
                held.take(len(raw))
            yield raw


async def read(request: Request, settings: Settings, held: Held) -> bytes:
    """The whole body of a request, as it was sent; ``held`` takes its bytes.

    Raises:
        Problem: the body is too large, too slow, or there is no memory for it.
        ClientDisconnect: the client left.
    """
    limit = settings.max_body_bytes
    length = request.headers.get("content-length", "0")
    announced = int(length) if length.isdecimal() else 0
    if announced > limit and "expect" in request.headers:  # the client waits for leave to send it
        raise _too_large(limit)
    body = bytearray()
    seen = 0
    async for piece in Receiver(request, settings.max_receive_seconds).pieces():
        seen += len(piece)
        if announced <= limit and seen <= limit:
            held.take(len(piece))
            body += piece
        elif seen > _PATIENCE * limit:
            raise _too_large(limit)
    if max(seen, announced) > limit:
        raise _too_large(limit)
    return bytes(body)


def unpack(packed: bytes, unpacker: Unpacker, limit: int) -> bytes:
    """The body unpacked.

    Raises:
        Problem: it is damaged, or unpacks to more than ``limit`` bytes.
    """
    raw = bytearray()
    for piece in unpacker.feed(packed):
        raw += piece
        if len(raw) > limit:
            raw.clear()  # the error's traceback would hold on to it
            raise _too_large(limit)
    unpacker.finish()
    return bytes(raw)


def parse(raw: bytes, kind: type[_Body]) -> _Body:
    """The body that JSON makes.

    Raises:
        Problem: it is empty, not UTF-8, not JSON, or not such a body.
    """
    if not raw:
        raise Problem(NOT_JSON, 'The body is empty; send a JSON object such as {"text": "..."}.')
    try:
        return kind.model_validate(_json(raw))
    except ValidationError as error:
        raise problems.invalid(error) from None


def _json(raw: bytes) -> Any:
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(raw)
    try:  # Python's own says what is wrong, and takes halves of surrogate pairs
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Problem(NOT_JSON, f"Byte {error.start} of the body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise Problem(NOT_JSON, f"The body stops being JSON at {at}: {error.msg}.") from None
    except RecursionError:
        raise Problem(NOT_JSON, "The body nests too deeply; a document nests two levels deep.") from None
    except ValueError:  # an integer of thousands of digits
        raise Problem(NOT_JSON, "The body holds a number that is too long.") from None


def _too_large(limit: int) -> Problem:
    return Problem(
        BODY_TOO_LARGE,
        f"The body has more than {limit:,} bytes, the limit of this service (max_body_bytes).",
        headers=_CLOSE,
    )


def _refuse_constant(name: str) -> NoReturn:
    raise Problem(NOT_JSON, f"The body holds {name}, which is not JSON.")
