"""Values that a text format has no form of its own for, as JSON."""

import json
from datetime import date, time
from decimal import Decimal
from typing import Any


def as_text(value: Any) -> str:
    """Text for values of Parquet files that JSON has no form for."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__}")


dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=as_text).encode
_dumps_ascii = json.JSONEncoder(allow_nan=False, default=as_text).encode
