"""What a row file's name says of its format and packing."""

from pathlib import Path
from typing import Final

from classifier.errors import RowError

STANDARD: Final = "-"
_FORMATS: Final = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_PACKINGS: Final = (".gz", ".zst")
_ARCHIVES: Final = {".warc": "warc", ".wet": "warc"}  # only read
_KNOWN: Final = ".csv, .tsv, .jsonl, .ndjson (each also .gz or .zst) or .parquet"


def split_name(path: str | Path) -> tuple[str, str]:
    """A row file's format, ``"csv"``, ``"tsv"``, ``"jsonl"``, ``"parquet"`` or ``"warc"``, and its packing, ``""``,
    ``".gz"`` or ``".zst"``, by its name.

    Raises:
        RowError: the name does not end like a row file's.
    """
    if str(path) == STANDARD:
        return "jsonl", ""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    packing = suffixes.pop() if suffixes and suffixes[-1] in _PACKINGS else ""
    kind = (_FORMATS | _ARCHIVES).get(suffixes[-1]) if suffixes else None
    if kind is None:
        raise RowError(f"{path}: unknown format; the name must end in {_KNOWN}; archives in .warc or .wet")
    if kind == "parquet" and packing:
        raise RowError(f"{path}: Parquet packs its columns itself; unpack the file to .parquet")
    return kind, packing
