"""Documents to measure with: the project's own labelled pages."""

import csv
import json
from pathlib import Path

_ROWS = Path(__file__).parents[1] / "datasets" / "paragraphs.csv"


def paragraphs(n: int) -> list[str]:
    """The first ``n`` paragraphs of the labelled pages."""
    with _ROWS.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row, _ in zip(csv.DictReader(file), range(n), strict=False)]


def document(n: int) -> bytes:
    """A body for /v1/tag of so many paragraphs."""
    return json.dumps({"paragraphs": paragraphs(n)}).encode()
