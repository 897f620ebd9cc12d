"""Tables in Markdown, and where they are written to."""

from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(value: float) -> str:
    """A number to three significant digits."""
    return f"{float(f'{value:.3g}'):,.10g}"


def add_write_option(parser: ArgumentParser) -> None:
    parser.add_argument("--write", type=Path, metavar="DIR", help="write the tables and the plot to this folder too")


def publish(text: str, name: str, folder: Path | None) -> None:
    """Prints a report and, where there is a folder, writes it to ``name`` in it."""
    print(text)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
