"""Teaches Schemathesis to send and read JSON lines."""

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A text as it is; of a list each element as a line."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return "\n".join(json.dumps(one) for one in (value if isinstance(value, list) else [value])).encode()


@schemathesis.deserializer("application/x-ndjson")
def text(_: schemathesis.DeserializationContext, response: schemathesis.Response) -> str:
    """And so is the answer."""
    return str(response.content, "utf-8")
