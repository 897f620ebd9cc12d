"""How far people who label the same paragraphs agree."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Any


def agreement(db: sqlite3.Connection) -> dict[str, Any]:
    """The annotators, and for every two with paragraphs in common how far they agree, as it is told."""
    annotators = db.execute("SELECT annotator, count(*) FROM given GROUP BY annotator ORDER BY annotator").fetchall()
    tables: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for one, other, label, other_label, n in db.execute(
        "WITH said AS MATERIALIZED (SELECT * FROM given)"
        " SELECT a.annotator, b.annotator, a.label, b.label, count(*)"
        " FROM said AS a JOIN said AS b ON b.document = a.document AND b.place = a.place AND b.annotator > a.annotator"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"
    ):
        tables.setdefault((one, other), {})[label, other_label] = n
    return {
        "annotators": [{"annotator": name, "paragraphs": n} for name, n in annotators],
        "pairs": [{"annotators": [*pair], **of_table(table)} for pair, table in tables.items()],
    }


def of_table(table: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """The agreement of two annotators, from how often one gave the first label where the other gave the second.

    ``kappa`` is Cohen's (1960): the share by which they agree more than two would who give their labels as often but at
    random; None where these would always agree. The agreement of a label is the share of those who gave it with whom
    the other agreed.
    """
    n = sum(table.values())
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for (label, other), count in table.items():
        first[label] += count
        second[other] += count
    labels = sorted(first | second)
    both = {label: table.get((label, label), 0) for label in labels}
    agreed = sum(both.values())
    by_chance = sum(first[label] * second[label] for label in labels)  # times n²
    return {
        "paragraphs": n,
        "agreed": agreed,
        "agreement": agreed / n,
        "kappa": (agreed * n - by_chance) / (n * n - by_chance) if by_chance < n * n else None,
        "labels": [
            {
                "label": label,
                "counts": [first[label], second[label]],
                "both": both[label],
                "agreement": 2 * both[label] / (first[label] + second[label]),
            }
            for label in labels
        ],
    }
