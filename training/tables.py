"""Tables of tab-separated values that the project keeps about labelled pages."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from classifier import RowError


def read_table(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a TSV file, packed where its name ends in ``.gz``.

    Raises:
        RowError: the file can't be read, or lacks one of the columns.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            if lacking := set(columns).difference(rows.fieldnames or ()):
                raise RowError(f"{path}: no column {sorted(lacking)[0]!r}")
            yield from rows
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise RowError(f"{path}: {error}") from None
