"""Request bodies: read up to the limit and no further, then parsed as JSON in UTF-8.

FastAPI reads a body whole before it looks at its size, and takes what is no JSON in several ways; here each refusal has
a problem of its own.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.problems import BODY_TOO_LARGE, NOT_JSON, WRONG_MEDIA_TYPE, Problem

# Most clients send the whole body before they look for an answer. What is over the limit is dropped as it comes, so
# that they see why they are refused; those that go on past so many times the limit are cut off.
_PATIENCE: Final = 8


class JsonRequest(Request):
    """A request whose body must be JSON; ``app.state.settings`` has the limit."""

    async def body(self) -> bytes:
        """
        Raises:
            Problem: the body is empty, too large, or of another media type.
        """
        if not hasattr(self, "_body"):
            self._body = await self._read()
        return self._body

    async def _read(self) -> bytes:
        limit: int = self.app.state.settings.max_body_bytes
        media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not (media_type.startswith("application/") and media_type.endswith(("/json", "+json"))):
            raise Problem(WRONG_MEDIA_TYPE, "Send the body as JSON, with the header Content-Type: application/json.")
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem(WRONG_MEDIA_TYPE, "Send the body uncompressed, without the header Content-Encoding.")
        length = self.headers.get("content-length", "0")
        announced = int(length) if length.isdecimal() else 0
        if announced > limit and "expect" in self.headers:  # the client waits for leave to send it
            raise _too_large(limit)
        body = bytearray()
        seen = 0
        async for chunk in self.stream():
            seen += len(chunk)
            if announced <= limit and seen <= limit:
                body += chunk
            elif seen > _PATIENCE * limit:
                raise _too_large(limit)
        if max(seen, announced) > limit:
            raise _too_large(limit)
        if not body:
            raise Problem(NOT_JSON, 'The body is empty; send a JSON object such as {"text": "..."}.')
        return bytes(body)

    async def json(self) -> Any:
        """
        Raises:
            Problem: the body is not UTF-8 or not JSON.
        """
        raw = await self.body()
        try:
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
        headers={"Connection": "close"},  # something of it may be unread
    )


def _refuse_constant(name: str) -> NoReturn:
    raise Problem(NOT_JSON, f"The body holds {name}, which is not JSON.")


class JsonRoute(APIRoute):
    """A route whose requests are :class:`JsonRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, given its requests as ``JsonRequest``."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json
