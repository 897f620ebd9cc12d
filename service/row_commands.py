"""The commands on files of labelled rows, and on the models that come of them."""

import argparse
import json
import sys
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Final

from classifier.errors import BoilertagError
from service.arguments import number
from service.labelled_files import checked, fill_labelled, read, say_what_is_held, told
from service.progress import ProgressLine

WEB_LABELS: Final = Path("datasets/web-labels.tsv.gz")
_LEARNING_CURVE: Final = (
    "judge also by models that learnt from a half, a quarter and an eighth of the sites, and of the extra rows: slow"
)


def fill_check(parser: argparse.ArgumentParser) -> None:
    parser.description = "Says what is wrong with labelled rows; exit status 1 if there are errors."
    fill_labelled(parser)
    parser.add_argument("--json", action="store_true", help="print what the files hold and all findings as JSON")


def check(args: argparse.Namespace) -> int:
    from training.checks import check as check_files

    files = read(args, args.files)
    findings = check_files(files, strict=args.strict)
    if args.json:
        told_all = {"files": [file.summary() for file in files], "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(told_all))
    else:
        say_what_is_held(files)
        for finding in findings:
            print(*told(finding), sep="\n")
    return int(any(finding.severity == "error" for finding in findings))


def _fill_judged(parser: argparse.ArgumentParser) -> None:
    fill_labelled(parser)
    parser.add_argument(
        "--folds", metavar="N", type=number(int, at_least=3), default=5, help="folds to hold out in turn (default 5)"
    )


def fill_train(parser: argparse.ArgumentParser) -> None:
    _fill_judged(parser)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="the model folder to write")
    parser.add_argument(
        "--weights",
        metavar="W",
        nargs="+",
        type=number(float, above=0),
        help="how much the rows of each file count (default 1 each)",
    )
    parser.add_argument(
        "--corrections", metavar="FILE", type=Path, help="labels to put right, as in datasets/corrections.tsv"
    )
    parser.add_argument(
        "--base",
        metavar="MODEL",
        help='learn the rows on top of a model, "default" or a model folder, so that few rows help and little is '
        "forgotten; the labels are the base's, and --weights say how much the rows count against what it knows",
    )
    parser.add_argument(
        "--force", metavar="REASON", help="replace the model in use even by a worse one; the manifest will say why"
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="write the report here too, which lies beside each version: HTML, or JSON if FILE ends in .json",
    )
    parser.add_argument(
        "--keep-versions",
        metavar="N",
        type=number(int, at_least=0),
        default=10,
        help="versions to keep in DIR/versions beside the one in use (default 10)",
    )
    figures = parser.add_mutually_exclusive_group()
    figures.add_argument("--no-figures", action="store_true", help="do not judge held-out folds: several times faster")
    figures.add_argument("--learning-curve", action="store_true", help=f"{_LEARNING_CURVE}, for the manifest")


def train(args: argparse.Namespace) -> int:
    from classifier.folder import read_manifest
    from classifier.tagger import DEFAULT_MODEL
    from training import versions
    from training.corrections import NONE, read_corrections
    from training.data import dataset, documents
    from training.fit import Settings
    from training.report import HTML_FILE
    from training.train import retrain

    weights = args.weights or [1.0] * len(args.files)
    if len(weights) != len(args.files):
        raise BoilertagError(f"--weights: {len(args.files)} files need as many weights")
    if args.force is not None and not args.force.strip():
        raise BoilertagError("--force: say why")
    if args.report and not args.report.absolute().parent.is_dir():
        raise BoilertagError(f"--report: {args.report.parent}: no such folder")
    corrections = read_corrections(args.corrections) if args.corrections else NONE
    with versions.locked(args.output):
        base = (DEFAULT_MODEL if args.base == "default" else Path(args.base)) if args.base else None
        labels = read_manifest(base)["labels"] if base else None
        files = read(args, args.files, corrections)
        findings = checked(files, alone=base is None, strict=args.strict)
        data = dataset(chain.from_iterable(map(documents, files, weights)), labels)
        with ProgressLine() as line:
            outcome = retrain(
                args.output,
                data,
                Settings(inner_folds=args.folds),
                line.step,
                base=base,
                figures=not args.no_figures,
                with_curve=args.learning_curve,
                force=args.force,
                kept=args.keep_versions,
                files=[file.summary() for file in files],
                findings=[asdict(finding) for finding in findings],
            )
    if args.report:
        args.report.write_bytes(outcome.json if args.report.suffix == ".json" else outcome.html)
    model = outcome.model
    for mode, figures in model.manifest.get("held_out", {}).items():
        low, high = figures["macro_f1_interval"]
        print(f"{mode}: macro-F1 {figures['macro_f1']:.3f} on held-out {args.group}s ({low:.3f}–{high:.3f})")
    if outcome.refused:
        raise BoilertagError(
            f"the new model is worse: {outcome.refused}; {args.output} is as it was, the new one is in "
            f"{outcome.version.folder}; --force REASON replaces it all the same"
        )
    print(f"gate: {outcome.compared}")
    if outcome.version.folder.exists():
        print(f"report: {outcome.version.folder / HTML_FILE}")
    print(f"{args.output}: {len(model.labels)} labels, {len(model.paragraph.ngrams):,} n-grams")
    return 0


def fill_models(parser: argparse.ArgumentParser) -> None:
    parser.description = "Lists the versions of a model folder, newest first; with --use, goes to one of them."
    parser.add_argument("folder", metavar="DIR", type=Path, help="the model folder")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--use", metavar="VERSION", help="put this version to use")
    chosen.add_argument("--json", action="store_true", help="print the list as JSON")


def models(args: argparse.Namespace) -> int:
    from training import versions

    if not args.folder.is_dir():
        raise BoilertagError(f"{args.folder}: no such folder")
    if args.use is not None:
        with versions.locked(args.folder):
            versions.use(args.folder, args.use)
        print(f"{args.folder}: {args.use} is in use")
        return 0
    listed = [version.as_json() for version in versions.versions(args.folder)]
    if not listed:
        raise BoilertagError(f"{args.folder} holds no model")
    if args.json:
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return 0
    print(f"{'':6}  {'version':12}  {'written':16}  {'rows':>9}  {'macro-F1':14}  note")
    for one in listed:
        f1 = f"{one['macro_f1']:.3f}, {one['mode']}" if one["macro_f1"] is not None else "–"
        rows = f"{one['rows']:,}" if one["rows"] is not None else "–"
        use = "in use" if one["in_use"] else ""
        line = f"{use:6}  {one['version']:12}  {one['written'][:16]:16}  {rows:>9}  {f1:14}  {one['note'] or ''}"
        print(line.rstrip())
    return 0


def fill_evaluate(parser: argparse.ArgumentParser) -> None:
    _fill_judged(parser)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--model", metavar="DIR", type=Path, help="judge this model as it is, without folds")
    chosen.add_argument("--learning-curve", action="store_true", help=_LEARNING_CURVE)
    parser.add_argument(
        "--extra", metavar="FILE", nargs="+", type=Path, default=[], help="labelled rows for the training side only"
    )
    parser.add_argument(
        "--extra-weight",
        metavar="W",
        type=number(float, above=0),
        default=0.5,
        help="how much they count (default 0.5)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--errors", metavar="FILE", type=Path, help="write the rows that were taken for another, as JSONL"
    )


def evaluate(args: argparse.Namespace) -> int:
    import numpy as np

    from classifier import Tagger
    from training.data import dataset, documents, folds
    from training.evaluate import cross_validate, errors, figures, judge
    from training.figures import report
    from training.fit import Settings
    from training.learning import learning_curve
    from training.learning import report as report_curve

    files, extra_files = read(args, args.files), read(args, [] if args.model else args.extra)
    checked([*files, *extra_files], alone=not args.model, strict=args.strict, quiet=args.json)
    judged = [document for file in files for document in documents(file)]
    curve = None
    with ProgressLine() as line:
        if args.model:
            tagger = Tagger.load(args.model)
            data = dataset(judged, tagger.labels)
            judgements = judge(tagger, data)
        else:
            extra = [document for file in extra_files for document in documents(file, args.extra_weight)]
            data = dataset([*judged, *extra])
            fold_of = np.concatenate([folds(judged, args.folds), np.full(len(extra), -1)])
            settings = Settings(inner_folds=args.folds)
            judgements = cross_validate(data, fold_of, settings, line.step)
            if args.learning_curve:
                curve = learning_curve(data, fold_of, settings, judgements, line.step)
    found = figures(data, judgements)
    if args.json:
        print(json.dumps({**found, "learning_curve": curve} if curve else found))
    else:
        for mode, one in found.items():
            print(f"\n== {mode}", *report(one), sep="\n")
        if curve:
            print("\n== learning curve", *report_curve(curve), sep="\n")
    if args.errors:
        from classifier.rows import write_rows

        write_rows(args.errors, errors(data, judgements))
    return 0


def fill_corpus(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Rebuilds the labelled rows of public web pages from clones of their collections, at DIR/<owner>/<name>/."
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder that holds the clones")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to write the rows (default -)")
    parser.add_argument(
        "--labels", metavar="FILE", type=Path, default=WEB_LABELS, help=f"the labels by hash (default {WEB_LABELS})"
    )


def corpus(args: argparse.Namespace) -> int:
    from classifier.rows import write_rows
    from training.corpus import Report, read_labels, rebuild

    if not args.folder.is_dir():
        raise BoilertagError(f"{args.folder}: no such folder")
    report = Report()
    write_rows(args.output, rebuild(read_labels(args.labels), args.folder, report))
    print(*report.lines(), sep="\n", file=sys.stderr)
    return 0 if report.documents else 1
