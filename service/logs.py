"""Logs: a JSON object a line on standard error, without any text of a request unless a setting asks for it."""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)  # of the request being answered


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object. ``extra={"fields": {...}}`` adds fields.

    Of an exception only its type and where it was raised are told: its message may hold what a request sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            entry["error"] = record.exc_info[0].__name__
            entry["traceback"] = _places(record.exc_info[2])
        return json.dumps(entry)


def _places(raised: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(raised)]


def configure() -> None:
    """Sends all logs of this process, from information up, to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
