"""The page for browsers at /: its files, all from this server, and what they may do."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Response
from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

_FOLDER: Final = Path(__file__).with_name("page")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASKS_EACH_TIME: Final = "no-cache"  # so that a new version comes at once, and an old one isn't sent again


def install(app: FastAPI) -> None:
    """Adds / and the files that it needs, which are for all: they hold nothing that a key would guard."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": _ASKS_EACH_TIME}
        return FileResponse(_FOLDER / "index.html", headers=headers)

    app.mount("/page", _Files(directory=_FOLDER))


class _Files(StaticFiles):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_to_be_kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Cache-Control"] = _ASKS_EACH_TIME
            await send(message)

        await super().__call__(scope, receive, send_to_be_kept)
