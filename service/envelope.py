"""What every request and answer gets: an id, the model's name, security headers, a line in the log, its counts; and an
answer where there was a bug.
"""

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any, Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs, problems
from service.state import State

REQUEST_ID: Final = "X-Request-ID"
MODEL: Final = "Boilertag-Model"

_SAFE_ID: Final = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")
_LEFT: Final = 499  # what logs call a request whose client left before its answer
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_log = logging.getLogger("boilertag")


def request_id_of(given: str = "") -> str:
    """A request's id: the client's own where it has one that may be repeated, else one made up."""
    return given if _SAFE_ID.fullmatch(given) else uuid4().hex


def add_headers(headers: MutableHeaders, state: State, request_id: str) -> None:
    """Adds to an answer's headers those that every answer has."""
    headers[REQUEST_ID] = request_id
    for name, value in {MODEL: state.model.name, **_HEADERS}.items():
        headers.setdefault(name, value)


class Envelope:
    """The outermost layer of the app."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = request_id_of(Headers(scope=scope).get(REQUEST_ID, ""))
        logs.REQUEST_ID.set(request_id)
        status = 0

        async def send_in_envelope(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                add_headers(MutableHeaders(scope=message), self._state, request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_in_envelope)
        except ClientDisconnect:
            status = status or _LEFT
        except Exception:
            instance = uuid4().urn
            _log.exception("bug, %s", instance, extra={"fields": {"request_id": request_id}})
            if status:  # the answer has begun, and is cut off for the client to see
                raise
            await problems.response(problems.bug(instance))(scope, receive, send_in_envelope)
        finally:
            self._count(scope, request_id, status or _LEFT, time.perf_counter() - began)

    def _count(self, scope: MutableMapping[str, Any], request_id: str, status: int, seconds: float) -> None:
        endpoint = getattr(scope.get("route"), "path", "none")
        self._state.metrics.requests.labels(endpoint, str(status)).inc()
        self._state.metrics.seconds.labels(endpoint).observe(seconds)
        fields = {
            "request_id": request_id,
            "method": scope["method"],
            "endpoint": endpoint,
            "status": status,
            "seconds": round(seconds, 6),
            "client": scope["client"][0] if scope.get("client") else None,
        }
        _log.info("request", extra={"fields": fields})
