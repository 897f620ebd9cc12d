"""How likely a paragraph must be of the label to keep, so that no more than a share of that label's text is lost.

A model's manifest has a curve for each mode and label, measured on sites that were held out of fitting: which threshold
on the label's probability kept which share of its characters.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from classifier.errors import ModelError

# What a model goes by: each paragraph alone, the paragraphs around it too, or these and their HTML hints.
Mode = Literal["paragraph", "text", "html"]
MODES: Final[tuple[Mode, ...]] = ("paragraph", "text", "html")


def threshold(manifest: Mapping[str, Any], mode: Mode, label: str, recall: float) -> float:
    """The probability under which a paragraph may be removed: that of the curve's first point with so much recall.

    Between two points the stricter one holds, so that more is kept than was asked for, never less.

    Raises:
        ValueError: the recall is not between 0 and 1.
        ModelError: the manifest has no such curve.
    """
    if not 0 < recall < 1:
        raise ValueError(f"keep_recall is {recall}; it must be above 0 and below 1")
    try:
        curve = manifest["held_out"][mode]["thresholds"][label]
        points = zip(curve["recall"], curve["threshold"], strict=True)
        return float(next(at for kept, at in points if kept >= recall))
    except (KeyError, TypeError, ValueError, StopIteration):
        raise ModelError(
            f"the model's manifest has no curve of thresholds for {label!r} in the mode {mode!r}; "
            "train with figures on sites that have that label"
        ) from None
