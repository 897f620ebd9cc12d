"""What stands around a paragraph, as numbers: the features of the context model.

The paragraph model judges each paragraph alone. The context model is a multinomial logistic regression over what those
judgements say of the paragraph and of the document around it, run twice: the second pass sees the first one's
judgements as well. :func:`feature_names` says what each feature is; the code below writes them in that order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classifier.compiling import compiled
from classifier.echoes import ECHOES

TAGS: Final = tuple("p div li h1 h2 h3 h4 h5 h6 button label figcaption td dd dt blockquote pre".split())
N_PASSES: Final = 2
_REACH: Final = (4, 6)  # how many neighbours on each side the first and the second pass see one by one
_HINT_REACH: Final = 3
_DECAYS: Final = (0.5, 0.8, 0.95)
_FLOOR: Final = 3e-4  # probabilities below count as this
_SIDES: Final = ("before", "after")
_LONG: Final = 120  # characters that make a paragraph long
_H1: Final = TAGS.index("h1")
_N_HEADINGS: Final = 6


@dataclass(frozen=True)
class Hints:
    """What the HTML says of each paragraph of a batch."""

    tags: NDArray[np.int64]  # place in TAGS, or -1 for another element
    link_density: NDArray[np.float64]


_TAG_PLACES: Final = {tag: i for i, tag in enumerate(TAGS)}


def hints(tags: Iterable[str], link_density: Iterable[float]) -> Hints:
    """Hints from elements' names and link densities, one of each a paragraph."""
    return Hints(np.array([_TAG_PLACES.get(tag, -1) for tag in tags], np.int64), np.array([*link_density], np.float64))


def _signed(reach: int) -> list[str]:
    return [f"{sign}{offset}" for offset in range(1, reach + 1) for sign in "−+"]


def _judgement_names(labels: Sequence[str], reach: int) -> list[str]:
    names = [f"{label} here" for label in labels]
    names += [f"{label} at {at}" for at in _signed(reach) for label in labels]
    names += [f"{label} {side}, fading by {decay}" for decay in _DECAYS for side in _SIDES for label in labels]
    for name in ("share of {label} {side}", "much {label} {side}"):
        names += [name.format(label=label, side=side) for side in _SIDES for label in labels]
    names += [f"much {label} in all" for label in labels]
    names += [f"{side} long {label}" for side in ("since", "until") for label in labels]
    for name in ("most {}, by logarithm", "most {}", "mean {}", "paragraphs that may be {}"):
        names += [f"in stretch: {name.format(label)}" for label in labels]
    return names


@cache
def feature_names(labels: tuple[str, ...], with_hints: bool, n_pass: int) -> tuple[str, ...]:
    """The features of a pass (0 or 1), in order."""
    names = _judgement_names(labels, _REACH[0])
    names += ["length here"] + [f"length at {at}" for at in _signed(_REACH[0])]
    names += [f"length {side}, fading by {decay}" for decay in _DECAYS for side in _SIDES]
    names += ["place from start", "place from end", "paragraphs before", "paragraphs after", "paragraphs", "is first"]
    names += ECHOES
    if with_hints:
        one = [f"<{tag}>" for tag in TAGS] + ["link density", "all links", "no links", "few links"]
        names += [f"{name} here" for name in one]
        names += [f"{name} at {at}" for at in _signed(_HINT_REACH) for name in one]
        names += [f"{name} {side}, fading by {d}" for d in _DECAYS for side in _SIDES for name in one]
        names += ["element as before", "element as after", "run of element before", "run of element after"]
        names += ["has heading above", *(f"heading above is {label}" for label in labels)]
        names += [f"heading above is <h{level}>" for level in range(1, _N_HEADINGS + 1)]
        names += ["page has <h1>", "after first <h1>", "after last <h1>"]
    if n_pass == 1:
        names += [f"first pass: {name}" for name in _judgement_names(labels, _REACH[1])]
    return tuple(names)


# Inside this module features are rows and paragraphs columns, so that each feature is written and read in one run.


@compiled
def _write_window(values, starts, reach, out):
    """The rows of ``values`` at offsets 0, −1, +1 … ±reach, zero outside the document."""
    for offset in range(-reach, reach + 1):
        first = (2 * abs(offset) - (offset < 0)) * len(values)
        for k in range(len(values)):
            for d in range(len(starts) - 1):
                for i in range(starts[d], starts[d + 1]):
                    inside = starts[d] <= i + offset < starts[d + 1]
                    out[first + k, i] = values[k, i + offset] if inside else 0.0


@compiled
def _write_running(values, starts, keep, add, out):
    """``keep`` · itself + ``add`` · value, run up to each paragraph from its document's start, then from its end."""
    for side in range(2):
        for k in range(len(values)):
            for d in range(len(starts) - 1):
                state = 0.0
                for step in range(starts[d + 1] - starts[d]):
                    i = starts[d] + step if side == 0 else starts[d + 1] - 1 - step
                    out[side * len(values) + k, i] = state
                    state = keep * state + add * values[k, i]


# Not BLAS: its threads fight with ours, and the sum must not depend on how many there are.
@compiled
def _apply(features, weights, bias, out):
    for k in range(len(bias)):
        for i in range(features.shape[1]):
            out[k, i] = bias[k]
    for f in range(len(features)):
        for k in range(len(bias)):
            weight = weights[f, k]
            for i in range(features.shape[1]):
                out[k, i] += weight * features[f, i]


@dataclass(frozen=True)
class Surroundings:
    """A batch of paragraphs as the context model sees it; document ``d`` is paragraphs ``starts[d]`` to
    ``starts[d + 1]``.
    """

    lengths: NDArray[np.float64]  # (n,) characters
    echoes: NDArray[np.float64]  # (n, len(ECHOES))
    starts: NDArray[np.int64]  # (n_documents + 1,)
    hints: Hints | None


@dataclass(frozen=True)
class Pass:
    """One logistic regression, standardisation folded in."""

    weights: NDArray[np.float64]  # (n_features, n_labels)
    bias: NDArray[np.float64]  # (n_labels,)

    def apply(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The logits of features of shape (n, n_features): an array of shape (n, n_labels)."""
        out = np.empty((len(self.bias), len(features)))
        _apply(features.T, self.weights, self.bias, out)
        return out.T


class Features:
    """The features of a batch, written pass by pass: an array of shape (n, n_features)."""

    def __init__(self, surroundings: Surroundings, n_labels: int) -> None:
        self._around = surroundings
        labels = ("",) * n_labels
        with_hints = surroundings.hints is not None
        self._widths = [len(feature_names(labels, with_hints, n_pass)) for n_pass in range(N_PASSES)]
        sizes = np.diff(surroundings.starts)
        self._all = np.empty((self._widths[-1], len(surroundings.lengths)))
        self._at = np.arange(len(surroundings.lengths))
        self._start = np.repeat(surroundings.starts[:-1], sizes)  # of each paragraph's document
        self._end = np.repeat(surroundings.starts[1:], sizes)
        self._filled = 0

    def write(self, n_pass: int, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fills in what pass ``n_pass`` adds, from the logits of the model before it, and returns all it sees."""
        self._filled = self._widths[n_pass - 1] if n_pass else 0
        p = np.ascontiguousarray(softmax(logits).T)
        self._add_judgements(p, _REACH[n_pass])
        if n_pass == 0:
            self._add_lengths_and_places()
            if self._around.hints is not None:
                self._add_hints(p, self._around.hints)
        return self._all[: self._filled].T

    def _more(self, n: int) -> NDArray[np.float64]:
        """The next ``n`` rows, to be filled in."""
        self._filled += n
        return self._all[self._filled - n : self._filled]

    def _add(self, *blocks: NDArray[Any]) -> None:
        """Each of shape (n,) or (width, n)."""
        for block in blocks:
            self._more(len(block) if block.ndim == 2 else 1)[:] = block

    def _add_window(self, values: NDArray[np.float64], reach: int) -> None:
        _write_window(values, self._around.starts, reach, self._more((2 * reach + 1) * len(values)))

    def _add_fading(self, values: NDArray[np.float64]) -> None:
        for decay in _DECAYS:
            _write_running(values, self._around.starts, decay, 1.0 - decay, self._more(2 * len(values)))

    def _add_judgements(self, p: NDArray[np.float64], reach: int) -> None:
        self._add_window(np.log(p + _FLOOR), reach)
        self._add_fading(p)
        lengths = self._around.lengths
        mass = p * (np.minimum(lengths, 300.0) / 300.0)
        sums = np.empty((2 * len(p), p.shape[1]))
        _write_running(mass, self._around.starts, 1.0, 1.0, sums)
        total = sums[: len(p)] + mass + sums[len(p) :]
        shares = sums.reshape(2, *p.shape) / (total + 1e-3)
        self._add(shares.reshape(sums.shape), np.log1p(sums), np.log1p(total))
        is_long = (lengths > _LONG) & (p > 0.5)
        last, following = self._last(is_long), self._next(is_long)
        self._add(
            np.log1p(np.where(last >= 0, np.minimum(self._at - last, 50), 50)),
            np.log1p(np.where(following >= 0, np.minimum(following - self._at, 50), 50)),
        )
        self._add_stretches(p)

    def _add_stretches(self, p: NDArray[np.float64]) -> None:
        """What stands in the same box, perhaps: a label's stretch reaches to the next long paragraph of another label,
        which is a stretch by itself.
        """
        wall = (self._around.lengths > _LONG) & (p.argmax(axis=0) != np.arange(len(p))[:, None])
        begins = wall | (self._at == self._start)
        begins[:, 1:] |= wall[:, :-1]
        # Of all labels in a row: each label's first paragraph begins a stretch.
        first = np.flatnonzero(begins)
        sizes = np.append(first[1:], begins.size) - first
        most, total = np.maximum.reduceat(p.ravel(), first), np.add.reduceat(p.ravel(), first)
        of_stretch = np.stack([np.log(most + _FLOOR), most, total / sizes, np.log(sizes)])
        self._add(np.repeat(of_stretch, sizes, axis=1).reshape(len(of_stretch) * len(p), len(self._at)))

    def _last(self, found: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Before each paragraph, in its document: the last one where ``found`` is true, or −1."""
        last = np.full(found.shape, -1)
        last[..., 1:] = np.maximum.accumulate(np.where(found, self._at, -1), axis=-1)[..., :-1]
        return np.where(last >= self._start, last, -1)

    def _next(self, found: NDArray[np.bool_]) -> NDArray[np.int64]:
        """After each paragraph, in its document: the first one where ``found`` is true, or −1."""
        n = len(self._at)
        following = np.full(found.shape, n)
        at = np.where(found, self._at, n)[..., ::-1]
        following[..., :-1] = np.minimum.accumulate(at, axis=-1)[..., ::-1][..., 1:]
        return np.where(following < self._end, following, -1)

    def _add_lengths_and_places(self) -> None:
        sizes = np.log(np.maximum(self._around.lengths, 1.0))[None] / 8.0
        self._add_window(sizes, _REACH[0])
        self._add_fading(sizes)
        before, after, n = self._at - self._start, self._end - 1 - self._at, self._end - self._start
        self._add(before / n, after / n, np.log1p(before), np.log1p(after), np.log(n), before == 0)
        self._add(self._around.echoes.T)

    def _add_hints(self, p: NDArray[np.float64], given: Hints) -> None:
        tags, density = given.tags, given.link_density
        few = (density > 0) & (density < 0.3)
        elements = np.arange(len(TAGS))[:, None] == tags
        values = np.vstack([elements, density, density >= 0.99, density == 0, few])
        self._add_window(values, _HINT_REACH)
        self._add_fading(values)
        # A run ends where the element changes, or the document.
        as_before = np.zeros(len(tags), bool)
        as_before[1:] = (tags[1:] == tags[:-1]) & (self._start[1:] == self._start[:-1])
        as_after = np.append(as_before[1:], False)[: len(tags)]
        run_start = np.maximum.accumulate(np.where(as_before, -1, self._at))
        run_end = np.minimum.accumulate(np.where(as_after, len(tags), self._at)[::-1])[::-1]
        self._add(as_before, as_after, np.log1p(self._at - run_start), np.log1p(run_end - self._at))
        is_heading = (tags >= _H1) & (tags < _H1 + _N_HEADINGS)
        heading = self._last(is_heading)
        has_heading = heading >= 0
        levels = _H1 + np.arange(_N_HEADINGS)[:, None]
        self._add(has_heading, p[:, heading] * has_heading, (tags[heading] == levels) & has_heading)
        is_h1 = tags == _H1
        reached = (self._last(is_h1) >= 0) | is_h1
        to_come = self._next(is_h1) >= 0
        self._add(reached | to_come, reached, reached & ~to_come)


def run(passes: Sequence[Pass], surroundings: Surroundings, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The context model's logits, from the paragraph model's."""
    features = Features(surroundings, logits.shape[1])
    for n_pass, weights in enumerate(passes):
        logits = weights.apply(features.write(n_pass, logits))
    return logits


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of each row's logits."""
    by_label = np.ascontiguousarray(logits.T)  # five times faster than along rows of four
    powers = np.exp(by_label - by_label.max(axis=0))
    probabilities: NDArray[np.float64] = (powers / powers.sum(axis=0)).T
    return probabilities
