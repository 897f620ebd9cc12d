"""One client's connection: uvicorn's, with an end to those that are too slow and those that are too many."""

import asyncio
from typing import Any, Final

from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from service import problems
from service.envelope import Envelope, add_headers, request_id_of
from service.places import RETRY_SECONDS
from service.problems import OVERLOADED, Problem
from service.state import State

_TICK: Final = 1.0  # seconds
_SURPLUS: Final = 100  # connections past the limit that are still told why


class Connection(H11Protocol):
    """Closed when it has gone ``max_idle_seconds`` without a whole request head, and cut when its client takes in
    nothing for ``max_send_seconds``; what is sent in the time of a request's body is the request's own affair.
    """

    def __init__(self, state: State, config: Config, server_state: ServerState, *args: Any, **more: Any) -> None:
        super().__init__(config, server_state, *args, **more)
        self._state = state
        self._settings = state.settings
        self._idle_since = self._taken_since = self.loop.time()
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        surplus = len(self.connections) - self._settings.max_connections
        if surplus > _SURPLUS:
            transport.abort()
        elif surplus > 0:
            self.app = Envelope(_refuse, self._state)
        self._timer = self.loop.call_later(_TICK, self._tick)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self._send_last(problems.blank(400, "What was sent is not HTTP/1.1, or its head is too long."))

    def _tick(self) -> None:
        self._timer = self.loop.call_later(_TICK, self._tick)
        now = self.loop.time()
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent < self._unsent:
            self._taken_since = now
        elif now - self._taken_since > self._settings.max_send_seconds:
            self.transport.abort()
        self._unsent = unsent
        idle = self.cycle is None or self.cycle.response_complete
        if idle and now - self._idle_since > self._settings.max_idle_seconds and not self.transport.is_closing():
            if self.cycle is None and self.conn.trailing_data[0]:
                self._send_last(problems.blank(408, "The head of the request took too long to arrive."))
            else:
                self.transport.close()

    def _send_last(self, details: dict[str, Any]) -> None:
        response = problems.response(details, {"Connection": "close"})
        add_headers(response.headers, self._state, request_id_of())
        head = f"HTTP/1.1 {details['status']} {details['title']}\r\n".encode()
        headers = b"".join(b"%b: %b\r\n" % pair for pair in response.raw_headers)
        self.transport.write(b"%b%b\r\n%b" % (head, headers, bytes(response.body)))
        self.transport.close()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(OVERLOADED, "Too many connections are open (max_connections); try again.")
    headers = {"Retry-After": RETRY_SECONDS, "Connection": "close"}
    await problems.response(problems.told(problem), headers)(scope, receive, send)
