"""The commands that work on one page: tag, clean."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from classifier import BoilertagError, Paragraph, Tagger
from classifier.paragraphs import SPLITS, decode, looks_like_html, split_html, split_text
from service import answers
from service.arguments import number
from service.terminal import Painter


def _fill_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a page, text or HTML; - reads standard input")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--html", action="store_const", const=True, dest="is_html", help="the file is HTML")
    form.add_argument("--text", action="store_const", const=False, dest="is_html", help="the file is plain text")
    parser.add_argument(
        "--split",
        choices=SPLITS,
        help="what ends a paragraph of a plain text: each line, blank lines, or by the look of it (auto, the default); "
        "a file to be split so is not taken for HTML",
    )
    parser.add_argument("--model", metavar="DIR", type=Path, help="model folder; without it the default model")
    parser.add_argument("--no-context", action="store_true", help="judge each paragraph without those around it")


def fill_tag(parser: argparse.ArgumentParser) -> None:
    _fill_page(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object a paragraph, its text in full")
    parser.add_argument(
        "--explain", metavar="N", type=number(int, at_least=0), help="print paragraph N (from 0) only, and why"
    )


def tag(args: argparse.Namespace) -> int:
    paragraphs = _read(args)
    tagger = Tagger.load(args.model)
    in_context = not args.no_context
    probabilities = tagger.probabilities([paragraphs], context=in_context)
    tags = tagger.tags(probabilities)
    told = answers.tagged((paragraph.text for paragraph in paragraphs), tagger.labels, probabilities)
    chosen: Sequence[int] = range(len(paragraphs))
    if args.explain is not None:
        if args.explain >= len(paragraphs):
            there = f"they are 0 to {len(paragraphs) - 1}" if paragraphs else "there are none"
            raise BoilertagError(f"{_name(args.file)}: no paragraph {args.explain}: {there}")
        chosen = [args.explain]
    painter = Painter.for_stdout(tagger.labels)
    for i in chosen:
        explanation = tagger.explain(paragraphs, i, context=in_context) if args.explain is not None else None
        if args.json:
            if explanation:
                told[i]["why"] = answers.why(explanation)
            print(json.dumps(told[i]))
        else:
            print(painter.paragraph(i, paragraphs[i], tags[i]))
            if explanation:
                print(*painter.explanation(explanation), sep="\n")
    return 0


def fill_clean(parser: argparse.ArgumentParser) -> None:
    _fill_page(parser)
    parser.add_argument(
        "--keep",
        metavar="LABEL",
        nargs="+",
        action="extend",
        help="labels whose paragraphs are kept (default: content)",
    )
    parser.add_argument(
        "--keep-recall",
        metavar="SHARE",
        type=number(float, above=0, below=1),
        help="lose no more of the kept label's characters than this leaves, such as 0.999: a paragraph is removed only "
        "if it is less likely to be of that label than the threshold that kept this share on sites held out of fitting",
    )


def clean(args: argparse.Namespace) -> int:
    paragraphs = _read(args)
    tagger = Tagger.load(args.model)
    in_context = not args.no_context
    try:
        labels = tagger.check_labels(args.keep or ["content"])
    except ValueError as error:
        raise BoilertagError(f"--keep: {error}") from None
    try:
        keep = tagger.keep(paragraphs, labels, args.keep_recall, context=in_context)
    except ValueError as error:
        raise BoilertagError(f"--keep-recall: {error}") from None
    text = answers.cleaned([one.text for one in paragraphs], tagger.tag(paragraphs, context=in_context), keep)
    if text:
        print(text)
    return 0


def _read(args: argparse.Namespace) -> list[Paragraph]:
    raw = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
    is_html = args.is_html
    if is_html is None:
        is_html = args.split is None and looks_like_html(raw)
    page = decode(raw)
    return split_html(page) if is_html else split_text(page, args.split or "auto")


def _name(file: str) -> str:
    return "standard input" if file == "-" else file
