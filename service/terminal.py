"""What people see: a line a paragraph, in colour and cut to the width where standard output is a terminal."""

import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from classifier import Explanation, Paragraph, Tag

_COLOURS: Final = (32, 35, 33, 36, 34, 31)  # by the label's place in the model
_MAX_REASONS: Final = 12


class Painter:
    """Writes lines about paragraphs for one standard output.

    Args:
        labels: the model's labels, in order.
        width: columns to cut lines to; 0 cuts none.
        colour: whether to colour labels.
    """

    def __init__(self, labels: Sequence[str], *, width: int, colour: bool) -> None:
        self._colours: Mapping[str, int] = {label: _COLOURS[i % len(_COLOURS)] for i, label in enumerate(labels)}
        self._label_width = max(map(len, labels))
        self._width = width
        self._colour = colour

    @classmethod
    def for_stdout(cls, labels: Sequence[str]) -> "Painter":
        """For standard output as it is: colour only on a terminal, and not where NO_COLOR is set (no-color.org)."""
        if not sys.stdout.isatty():
            return cls(labels, width=0, colour=False)
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        return cls(labels, width=shutil.get_terminal_size().columns, colour=not plain)

    def paragraph(self, index: int, paragraph: Paragraph, tag: Tag) -> str:
        """Index, label, score and text, as much of it as fits."""
        head = f"{index:>4}  {tag.label:<{self._label_width}}  {tag.score:.2f}  "
        text = printable(paragraph.text)
        if self._width:
            text = shorten(text, max(self._width - len(head), 1))
        return f"{index:>4}  {self._label(tag.label)}  {tag.score:.2f}  {text}"

    def explanation(self, explanation: Explanation) -> list[str]:
        """What made the label, a line a reason."""
        label = explanation.label
        alone = "  ".join(f"{name} {p:.2f}" for name, p in explanation.alone.items())
        lines = [f"      alone: {alone}", f"      its own words and shape, for {label}:"]
        lines += [
            f"      {reason.weight:+8.2f}  {reason.kind:<5}  {_quoted(reason.name, reason.kind)}"
            for reason in explanation.reasons[:_MAX_REASONS]
        ]
        if explanation.neighbours:
            lines.append(f"      the paragraphs around it, for {label}:")
            lines += [
                f"      {one.weight:+8.2f}  paragraph {one.index}"
                + (f"; without it {one.label}" if one.label != label else "")
                for one in explanation.neighbours
            ]
        if change := explanation.change:
            words = ", ".join(f"“{printable(word)}”" for word in change.words)
            lines.append(f"      without {words}: {change.label} {change.score:.2f}")
        return lines

    def _label(self, label: str) -> str:
        padded = f"{label:<{self._label_width}}"
        return f"\x1b[{self._colours[label]}m{padded}\x1b[0m" if self._colour else padded


def _quoted(name: str, kind: str) -> str:
    return printable(name) if kind == "shape" else f"“{printable(name, collapse=False)}”"


def printable(text: str, *, collapse: bool = True) -> str:
    """The text on one line, white space collapsed, with � for what would steer the terminal or can't be shown."""
    if collapse:
        text = " ".join(text.split())
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def shorten(text: str, columns: int) -> str:
    """As much of the text as fits into so many columns; an ellipsis stands for the rest."""
    if len(text) * 2 <= columns:  # no character takes more than two
        return text
    used = 0
    fits = 0  # characters that leave a column for the ellipsis
    for i, char in enumerate(text):
        used += _columns(char)
        if used > columns:
            return text[:fits] + "…"
        if used < columns:
            fits = i + 1
    return text


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
