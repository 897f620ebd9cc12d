"""The command that writes a model's card: card."""

import argparse
from pathlib import Path


def fill_card(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes a model's card, what its manifest tells for people, as Markdown: into a folder with plots beside it "
        "(pip install 'boilertag[plots]'), or into a file that ends in .md without them."
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="the model folder")
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        type=Path,
        required=True,
        help="a folder, for card.md and its plots, or FILE.md",
    )
    parser.add_argument(
        "--known-failures", metavar="FILE", type=Path, help="Markdown to end the card with, on where the model errs"
    )


def card(args: argparse.Namespace) -> int:
    from classifier import folder
    from classifier.paragraphs import decode
    from training import card, plots

    manifest = folder.read(args.model).manifest
    failures = decode(args.known_failures.read_bytes()) if args.known_failures else ""
    file, pictures = args.output, []
    if args.output.suffix != ".md":
        args.output.mkdir(parents=True, exist_ok=True)
        file, pictures = args.output / "card.md", plots.draw(manifest, args.output)
    file.write_text(card.card(manifest, pictures=pictures, known_failures=failures), "utf-8")
    print(file, *(args.output / name for name in pictures), sep="\n")
    return 0
