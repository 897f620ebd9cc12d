"""Labelled files on the command line: what their columns are called, what they hold, what is wrong with them."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from classifier.errors import BoilertagError

if TYPE_CHECKING:
    from training.checks import Finding
    from training.corrections import Corrections
    from training.labelled import LabelledFile

_ROWS_SHOWN: Final = 5  # of a finding
_VALUES_SHOWN: Final = 8  # labels or languages of a file


def fill_labelled(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="files of labelled rows")
    parser.add_argument(
        "--text-column", metavar="NAME", default="text", help="the column of the paragraph (default text)"
    )
    parser.add_argument(
        "--label-column", metavar="NAME", default="label", help="the column of the label (default label)"
    )
    parser.add_argument(
        "--group", metavar="COLUMN", default="site", help="rows alike in this column share a fold (default site)"
    )
    parser.add_argument("--strict", action="store_true", help="take warnings for errors")


def read(
    args: argparse.Namespace, paths: Sequence[Path], corrections: "Corrections | None" = None
) -> "list[LabelledFile]":
    """The labelled files, as far as they can be read; those that hold nothing too."""
    from training.corrections import NONE
    from training.labelled import Columns, read_labelled

    if args.text_column == args.label_column:
        raise BoilertagError(f"--label-column: {args.label_column!r} is the column of the text already")
    columns = Columns(args.text_column, args.label_column, args.group)
    return [read_labelled(path, columns, corrections or NONE) for path in paths]


def checked(files: "Sequence[LabelledFile]", *, alone: bool, strict: bool, quiet: bool = False) -> "list[Finding]":
    """Says on standard error what labelled files hold and what is wrong with them.

    Args:
        files: what was read.
        alone: as :func:`training.checks.check` has it.
        strict: likewise.
        quiet: say nothing but errors.

    Returns:
        The warnings.

    Raises:
        BoilertagError: there are errors.
    """
    from training.checks import check

    if not quiet:
        say_what_is_held(files)
    findings = check(files, alone=alone, strict=strict)
    errors = [finding for finding in findings if finding.severity == "error"]
    if len(errors) == 1 and len(errors[0].rows) == 1:
        if not quiet:
            _say(line for finding in findings[1:] for line in told(finding))
        raise BoilertagError(str(errors[0]))
    _say(line for finding in (errors if quiet else findings) for line in told(finding))
    if errors:
        names = ", ".join(finding.name for finding in errors)
        raise BoilertagError(f"errors in the labelled rows ({names}): nothing was fitted")
    return findings


def say_what_is_held(files: "Sequence[LabelledFile]") -> None:
    _say(line for file in files if file.rows for line in _held(file.summary()))


def _held(summary: Mapping[str, Any]) -> Iterator[str]:
    line = f"{summary['file']}: {summary['rows']:,} rows"
    if summary["documents"] is not None:
        line += f" in {summary['documents']:,} documents"
    if summary["groups"] is not None:
        line += f" of {summary['groups']:,} {summary['group']}s"
    yield line
    values = "; ".join(f"{what}: {_most(summary[what])}" for what in ("labels", "languages") if summary[what])
    if values:
        yield f"  {values}"


def _most(counts: Mapping[str, int]) -> str:
    shown = [f"{value:.40} {n:,}" for value, n in [*counts.items()][:_VALUES_SHOWN]]
    return ", ".join(shown) + (f" and {len(counts) - len(shown):,} more" if len(counts) > len(shown) else "")


def told(finding: "Finding") -> Iterator[str]:
    """A finding and some of its rows, a line each."""
    if len(finding.rows) == 1:
        yield f"{finding.severity}: {finding}"
        return
    yield f"{finding.severity}: {finding.name} ({len(finding.rows):,} times): {finding.message}; {finding.advice}"
    yield from (f"  {place}" for place in finding.rows[:_ROWS_SHOWN])
    if len(finding.rows) > _ROWS_SHOWN:
        yield f"  and {len(finding.rows) - _ROWS_SHOWN:,} more"


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr)
