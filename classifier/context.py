"""What stands around a paragraph, as numbers: the features of the context model.

The paragraph model judges each paragraph alone. The context model is a multinomial logistic regression over what those
judgements say of the paragraph and of the document around it, run twice: the second pass sees the first one's
judgements as well. :func:`feature_names` says what each feature is; the code below writes them in that order.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from classifier.echoes import ECHOES

TAGS: Final = tuple("p div li h1 h2 h3 h4 h5 h6 button label figcaption td dd dt blockquote pre".split())
N_PASSES: Final = 2
_REACH: Final = (4, 6)  # how many neighbours on each side the first and the second pass see one by one
_HINT_REACH: Final = 3
_DECAYS: Final = np.array([0.5, 0.8, 0.95])
_FLOOR: Final = 3e-4  # probabilities below count as this
_LONG: Final = 120  # characters that make a paragraph long
_N_TAGS: Final = len(TAGS)
_N_HINTS: Final = _N_TAGS + 4
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
    for decay in _DECAYS:
        for side in ("before", "after"):
            names += [f"{label} {side}, fading by {decay}" for label in labels]
    for label in labels:
        names += [f"share of {label} before", f"share of {label} after", f"much {label} before", f"much {label} after"]
        names += [f"much {label} in all"]
        names += [f"since long {label}", f"until long {label}"]
    return names


def feature_names(labels: Sequence[str], with_hints: bool, n_pass: int) -> list[str]:
    """The features of a pass (0 or 1), in order."""
    names = _judgement_names(labels, _REACH[0])
    names += ["length here"] + [f"length at {at}" for at in _signed(_REACH[0])]
    names += [f"length {side}, fading by {decay}" for decay in _DECAYS for side in ("before", "after")]
    names += ["place from start", "place from end", "paragraphs before", "paragraphs after", "paragraphs", "is first"]
    names += ECHOES
    if with_hints:
        one = [f"<{tag}>" for tag in TAGS] + ["link density", "all links", "no links", "few links"]
        names += [f"{name} here" for name in one]
        names += [f"{name} at {at}" for at in _signed(_HINT_REACH) for name in one]
        names += [f"{name} {side}, fading by {d}" for d in _DECAYS for side in ("before", "after") for name in one]
        names += ["element as before", "element as after", "run of element before", "run of element after"]
        names += ["has heading above", *(f"heading above is {label}" for label in labels)]
        names += [f"heading above is <h{level}>" for level in range(1, _N_HEADINGS + 1)]
        names += ["page has <h1>", "after first <h1>", "after last <h1>"]
    if n_pass == 1:
        names += [f"first pass: {name}" for name in _judgement_names(labels, _REACH[1])]
    return names


@njit
def _write_window(values, s, e, reach, out, j):
    """Columns ``j`` on: the rows of ``values`` at offsets 0, −1, +1 … ±reach, zero outside the document."""
    width = values.shape[1]
    for i in range(s, e):
        for k in range(width):
            out[i, j + k] = values[i, k]
            for r in range(1, reach + 1):
                out[i, j + (2 * r - 1) * width + k] = values[i - r, k] if i - r >= s else 0.0
                out[i, j + 2 * r * width + k] = values[i + r, k] if i + r < e else 0.0
    return j + (2 * reach + 1) * width


@njit
def _write_fading(values, s, e, out, j):
    """Exponentially fading means of the rows before and after, for each decay."""
    width = values.shape[1]
    for decay in _DECAYS:
        for k in range(width):
            mean = 0.0
            for i in range(s, e):
                out[i, j + k] = mean
                mean += (1.0 - decay) * (values[i, k] - mean)
            mean = 0.0
            for i in range(e - 1, s - 1, -1):
                out[i, j + width + k] = mean
                mean += (1.0 - decay) * (values[i, k] - mean)
        j += 2 * width
    return j


@njit
def _write_judgements(p, log_p, lengths, s, e, reach, out, j):
    j = _write_window(log_p, s, e, reach, out, j)
    j = _write_fading(p, s, e, out, j)
    for k in range(p.shape[1]):
        total = 0.0
        for i in range(s, e):
            total += p[i, k] * min(lengths[i], 300.0) / 300.0
        before = 0.0
        last = s - 50
        for i in range(s, e):
            mass = p[i, k] * min(lengths[i], 300.0) / 300.0
            out[i, j] = before / (total + 1e-3)
            out[i, j + 1] = (total - before - mass) / (total + 1e-3)
            out[i, j + 2] = math.log1p(before)
            out[i, j + 3] = math.log1p(max(total - before - mass, 0.0))
            out[i, j + 4] = math.log1p(total)
            out[i, j + 5] = math.log1p(min(i - last, 50))
            before += mass
            if lengths[i] > _LONG and p[i, k] > 0.5:
                last = i
        last = e + 50
        for i in range(e - 1, s - 1, -1):
            out[i, j + 6] = math.log1p(min(last - i, 50))
            if lengths[i] > _LONG and p[i, k] > 0.5:
                last = i
        j += 7
    return j


@njit
def _write_hints(p, tags, link_density, s, e, out, j):
    values = np.zeros((e, _N_HINTS))
    for i in range(s, e):
        if tags[i] >= 0:
            values[i, tags[i]] = 1.0
        density = link_density[i]
        values[i, _N_TAGS] = density
        values[i, _N_TAGS + 1] = density >= 0.99
        values[i, _N_TAGS + 2] = density == 0.0
        values[i, _N_TAGS + 3] = 0.0 < density < 0.3
    j = _write_window(values, s, e, _HINT_REACH, out, j)
    j = _write_fading(values, s, e, out, j)
    run = 0
    for i in range(s, e):
        run = run + 1 if i > s and tags[i] == tags[i - 1] else 0
        out[i, j] = run > 0
        out[i, j + 2] = math.log1p(run)
    run = 0
    for i in range(e - 1, s - 1, -1):
        run = run + 1 if i < e - 1 and tags[i] == tags[i + 1] else 0
        out[i, j + 1] = run > 0
        out[i, j + 3] = math.log1p(run)
    j += 4
    n_labels = p.shape[1]
    heading = -1
    first = -1
    last = -1
    for i in range(s, e):
        for k in range(n_labels + 7):
            out[i, j + k] = 0.0
        if heading >= 0:
            out[i, j] = 1.0
            for k in range(n_labels):
                out[i, j + 1 + k] = p[heading, k]
            out[i, j + 1 + n_labels + tags[heading] - _H1] = 1.0
        if _H1 <= tags[i] < _H1 + _N_HEADINGS:
            heading = i
        if tags[i] == _H1:
            last = i
            if first < 0:
                first = i
    j += n_labels + 7
    for i in range(s, e):
        out[i, j] = first >= 0
        out[i, j + 1] = 0 <= first <= i
        out[i, j + 2] = 0 <= last <= i
    return j + 3


@njit
def _softmax(logits, p, log_p):
    for i in range(len(logits)):
        top = logits[i, 0]
        for k in range(1, logits.shape[1]):
            top = max(top, logits[i, k])
        total = 0.0
        for k in range(logits.shape[1]):
            p[i, k] = math.exp(logits[i, k] - top)
            total += p[i, k]
        for k in range(logits.shape[1]):
            p[i, k] /= total
            log_p[i, k] = math.log(p[i, k] + _FLOOR)


@njit
def _write_first(p, log_p, lengths, echoes, tags, link_density, starts, out):
    sizes = np.empty((len(lengths), 1))
    for i in range(len(lengths)):
        sizes[i, 0] = math.log(max(lengths[i], 1.0)) / 8.0
    j = 0
    for d in range(len(starts) - 1):
        s, e = starts[d], starts[d + 1]
        j = _write_judgements(p, log_p, lengths, s, e, _REACH[0], out, 0)
        j = _write_window(sizes, s, e, _REACH[0], out, j)
        j = _write_fading(sizes, s, e, out, j)
        n = e - s
        for i in range(s, e):
            out[i, j] = (i - s) / n
            out[i, j + 1] = (e - 1 - i) / n
            out[i, j + 2] = math.log1p(i - s)
            out[i, j + 3] = math.log1p(e - 1 - i)
            out[i, j + 4] = math.log(n)
            out[i, j + 5] = i == s
            for k in range(echoes.shape[1]):
                out[i, j + 6 + k] = echoes[i, k]
        j += 6 + echoes.shape[1]
        if len(tags):
            j = _write_hints(p, tags, link_density, s, e, out, j)
    return j


@njit(cache=True, nogil=True)
def _write_pass(logits, lengths, echoes, tags, link_density, starts, j, out):
    p = np.empty(logits.shape)
    log_p = np.empty(logits.shape)
    _softmax(logits, p, log_p)
    if j == 0:
        _write_first(p, log_p, lengths, echoes, tags, link_density, starts, out)
    else:
        for d in range(len(starts) - 1):
            _write_judgements(p, log_p, lengths, starts[d], starts[d + 1], _REACH[1], out, j)


# Not BLAS: its threads fight with ours, and the sum must not depend on how many there are.
@njit(cache=True, nogil=True)
def _apply(features, weights, bias, out):
    for i in range(len(features)):
        out[i] = bias
        for f in range(len(weights)):
            value = features[i, f]
            for k in range(len(bias)):
                out[i, k] += value * weights[f, k]


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
        out = np.empty((len(features), len(self.bias)))
        _apply(features, self.weights, self.bias, out)
        return out


_NO_TAGS: Final = np.empty(0, np.int64)
_NO_DENSITY: Final = np.empty(0)


class Features:
    """The features of a batch, written pass by pass: an array of shape (n, n_features)."""

    def __init__(self, surroundings: Surroundings, n_labels: int) -> None:
        self._around = surroundings
        labels = [""] * n_labels
        with_hints = surroundings.hints is not None
        self._widths = [len(feature_names(labels, with_hints, n_pass)) for n_pass in range(N_PASSES)]
        self._all = np.empty((len(surroundings.lengths), self._widths[1]))

    def write(self, n_pass: int, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fills in what pass ``n_pass`` adds, from the logits of the model before it, and returns all it sees."""
        around = self._around
        _write_pass(
            logits,
            around.lengths,
            around.echoes,
            around.hints.tags if around.hints else _NO_TAGS,
            around.hints.link_density if around.hints else _NO_DENSITY,
            around.starts,
            self._widths[0] if n_pass else 0,
            self._all,
        )
        return self._all[:, : self._widths[n_pass]]


def run(passes: Sequence[Pass], surroundings: Surroundings, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The context model's logits, from the paragraph model's."""
    features = Features(surroundings, logits.shape[1])
    for n_pass, weights in enumerate(passes):
        logits = weights.apply(features.write(n_pass, logits))
    return logits


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of each row's logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
