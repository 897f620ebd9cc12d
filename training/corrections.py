"""Labels of public pages that a second reading put right, applied when a model is fitted.

``datasets/corrections.tsv`` names each paragraph by its collection, path and order and a hash of its text, with the old
label, the new one and the reason. The labels that figures are held against stay as they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.corpus import text_hash
from training.tables import read_table

COLUMNS: Final = ("collection", "path", "order", "hash", "old", "new", "reason")


@dataclass(frozen=True)
class Corrections:
    """New labels by collection, path, order, hash of the text, and old label."""

    labels: Mapping[tuple[str, ...], str]

    def apply(self, rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """The rows with the new label where one is listed; all else is as it was."""
        for row in rows:
            place = tuple(str(row.get(name)) for name in COLUMNS[:3])
            new = self.labels.get((*place, text_hash(str(row.get("text"))), str(row.get("label"))))
            yield {**row, "label": new} if new else row


NONE: Final = Corrections({})


def read_corrections(path: Path) -> Corrections:
    """
    Raises:
        RowError: the file can't be read or lacks a column.
    """
    rows = read_table(path, COLUMNS)
    return Corrections({tuple(row[name] for name in COLUMNS[:5]): row["new"] for row in rows})
