"""The command that works on whole files: score."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

# OpenBLAS starts threads when it is imported, with which no process can be forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # others keep more memory than they need

from classifier.errors import BoilertagError
from service.arguments import number
from service.progress import ProgressLine
from service.settings import cores

if TYPE_CHECKING:
    from classifier.batch import Report

SOME_REJECTED: Final = 3  # exit status


def fill_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="row files, web archives (.warc, .wet), folders of them, patterns; - reads JSON lines from standard input",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        default="-",
        help="a file for all, or a folder for a file each (default: - prints JSON lines)",
    )
    parser.add_argument(
        "--format", metavar="EXT", help="what files in that folder are: jsonl.zst, parquet, … (default: what they were)"
    )
    parser.add_argument("--clean", action="store_true", help="write documents with the kept paragraphs, not rows")
    parser.add_argument(
        "--keep",
        metavar="LABEL",
        nargs="+",
        action="extend",
        help="labels whose paragraphs --clean keeps (default: content)",
    )
    parser.add_argument("--model", metavar="DIR", type=Path, help="model folder; without it the default model")
    parser.add_argument("--no-context", action="store_true", help="judge each paragraph without those around it")
    parser.add_argument(
        "--workers", metavar="N", type=number(int, at_least=1), help="processes that score (default: one a core)"
    )
    parser.add_argument("--text-column", metavar="NAME", default="text", help="the column of the paragraph")
    parser.add_argument(
        "--engine",
        choices=["local", "ray"],
        default="local",
        help="where files are scored: here, or on a Ray cluster that shares the folders, a file at a time",
    )


def score(args: argparse.Namespace) -> int:
    from classifier import Tagger
    from classifier.batch import forget, plan, score_files
    from classifier.scoring import Settings

    if args.keep and not args.clean:
        raise BoilertagError("--keep goes with --clean")
    jobs = plan(args.inputs, args.output, args.format)
    tagger = Tagger.load(args.model)
    try:
        keep = tagger.check_labels(args.keep or ["content"]) if args.clean else None
    except ValueError as error:
        raise BoilertagError(f"--keep: {error}") from None
    settings = Settings(not args.no_context, args.text_column, keep)
    with ProgressLine() as line:
        if args.engine == "ray":
            from classifier.on_ray import score_on_ray

            report = score_on_ray(jobs, tagger, settings, progress=line.rows)
        else:
            report = score_files(jobs, tagger, settings, workers=args.workers or cores(), progress=line.rows)
    for _, reason in report.failed:
        print(f"boilertag: {reason}", file=sys.stderr)
    if len(report.failed) < len(jobs):
        print(*_lines(report), sep="\n", file=sys.stderr)
    if report.failed:
        if len(jobs) > 1:
            print(f"{len(report.failed):,} of {len(jobs):,} files could not be scored", file=sys.stderr)
        return 1
    forget(jobs)
    return SOME_REJECTED if report.summary.rejected else 0


def _lines(report: "Report") -> list[str]:
    from classifier.scoring import UNSURE

    done = report.summary
    rows, characters = max(done.rows, 1), max(done.characters, 1)
    width = max(map(len, done.labels))
    lines = [f"{done.rows:,} paragraphs of {done.documents:,} documents, {done.characters:,} characters"]
    for label, n in done.labels.items():
        share = done.label_characters[label] / characters
        lines.append(f"  {label:<{width}}  {n / rows:6.1%} of paragraphs  {share:6.1%} of characters")
    lines.append(f"  unsure (score below {UNSURE}): {done.unsure_share:.1%} of paragraphs")
    if done.rejected:
        places = ", ".join(map(str, report.rejects[:3])) + (", …" if len(report.rejects) > 3 else "")
        lines.append(f"{done.rejected:,} bad rows left out: {places}")
    return lines
