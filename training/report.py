"""What a training tells its user: one HTML file that needs nothing else, and the same as JSON.

It shows rows of the data, those that the model errs on most surely: unlike a manifest it is not for everybody's eyes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import islice
from typing import Any, Final

import numpy as np

from classifier.folder import Model
from training.card import MODE_NAMES, interval, modes_of, number
from training.data import Dataset
from training.evaluate import Judgements, as_used, mistakes
from training.fit import Learner
from training.gate import Comparison

HTML_FILE: Final = "report.html"
JSON_FILE: Final = "report.json"
_N_ERRORS: Final = 40
_N_TELLING: Final = 15  # of each kind, for each label
_SHOWN: Final = 300  # characters of a paragraph
_PLACES: Final = 5  # of a finding


def describe(
    model: Model,
    learner: Learner,
    *,
    name: str,
    files: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    judgements: Judgements | None,
    learning: Mapping[str, Any] | None,
    compared: Comparison | str,
    refused: str | None,
    forced: str | None,
) -> dict[str, Any]:
    """The report, as JSON has it.

    Args:
        model: as it was fitted and judged.
        learner: that fitted it.
        name: of the model.
        files: what was read: ``file``, ``rows``, ``documents``, ``groups`` and more of each.
        findings: of the checks: ``name``, ``severity``, ``message``, ``advice``, ``rows`` of each.
        judgements: of held-out rows.
        learning: what ``learning.outlook`` found.
        compared: with the model in use, or why not.
        refused: why it did not take that one's place.
        forced: why it did all the same.
    """
    data = learner.data
    errors = islice(mistakes(data, as_used(judgements)), _N_ERRORS) if judgements else ()
    manifest = model.manifest
    return {
        "model": name,
        "base": manifest.get("base"),
        "files": [*files],
        "data": {**manifest["data"], "by_lang": _languages(data)},
        "findings": [*findings],
        "context": manifest["context"],
        "held_out": manifest.get("held_out", {}),
        "learning": learning,
        "compared": compared if isinstance(compared, str) else compared.as_json(),
        "refused": refused,
        "forced": forced,
        "errors": [*errors],
        "telling": telling(model, learner),
        "settings": manifest["settings"],
        "versions": manifest["versions"],
    }


def _languages(data: Dataset) -> dict[str, int]:
    counts: dict[str, int] = {}
    for document in data.documents:
        lang = document.facets.get("lang", "")
        counts[lang] = counts.get(lang, 0) + len(document.labels)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def telling(model: Model, learner: Learner) -> dict[str, dict[str, list[list[Any]]]]:
    """For each label the words and characters that speak most for it: each with its weight in the label's log-odds
    against the mean of all labels, as it stands in a paragraph once. Those that stand in more rows come first.
    """
    paragraph = model.paragraph
    n = paragraph.n_words
    moves = (paragraph.weights - paragraph.weights.mean(axis=1, keepdims=True)) * paragraph.idf[:, None]
    out: dict[str, dict[str, list[list[Any]]]] = {label: {} for label in model.labels}
    for kind, ngrams, part in (("word", paragraph.ngrams[:n], moves[:n]), ("char", paragraph.ngrams[n:], moves[n:])):
        found = learner.rows_with(kind)
        often = np.sqrt([found.get(ngram, 0) for ngram in ngrams])
        for label, move in zip(model.labels, part.T, strict=True):
            first = np.argsort(-move * often, kind="stable")[:_N_TELLING]
            out[label][kind] = [[ngrams[i], round(float(move[i]), 2)] for i in first.tolist() if move[i] * often[i] > 0]
    return out


# -- HTML ------------------------------------------------------------------------------------------------------------

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --bar: #4a7ebb66; --bad: #c0392b; --soft: #888; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0.7rem 0; } td, th { padding: 0.2rem 0.6rem; text-align: left;
border-bottom: 1px solid var(--line); vertical-align: top; } td.n, th.n { text-align: right; white-space: nowrap; }
.soft { color: var(--soft); } .bad { color: var(--bad); font-weight: 600; } .wide { overflow-x: auto; }
.bar { background: linear-gradient(90deg, var(--bar) calc(var(--p) * 100%), transparent 0); }
.heat { background: rgb(74 126 187 / calc(var(--p) * 0.8)); } .text { max-width: 38rem; overflow-wrap: anywhere; }
.ngram { display: inline-block; border: 1px solid var(--line); border-radius: 0.3rem; padding: 0 0.35rem;
margin: 0.1rem; white-space: pre; font-family: ui-monospace, monospace; font-size: 13px; }
svg { max-width: 100%; height: auto; } svg text { font-size: 11px; fill: currentColor; }
"""


class _Html(str):
    """Markup, not text to escape."""

    __slots__ = ()


def _cell(value: object) -> str:
    return value if isinstance(value, _Html) else escape(str(value))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], n_texts: int = 1) -> str:
    """A table; all but the first columns are numbers."""

    def line(tag: str, cells: Sequence[object]) -> str:
        marks = (
            value if isinstance(value, _Html) and value.startswith("<td") else
            f"<{tag}{' class=n' if i >= n_texts else ''}>{_cell(value)}</{tag}>"
            for i, value in enumerate(cells)
        )  # fmt: skip
        return f"<tr>{''.join(marks)}</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<div class=wide><table><thead>{line('th', head)}</thead><tbody>{body}</tbody></table></div>"


def _bar(share: float | None, text: str, kind: str = "bar") -> _Html:
    return _Html(f'<td class="n {kind}" style="--p:{share or 0:.3f}">{escape(text)}</td>')


def html(report: Mapping[str, Any]) -> str:
    """The report as a page. Whatever comes from the data is escaped, and nothing is loaded from anywhere."""
    parts = [
        *_verdict(report),
        *_data(report),
        *_findings(report["findings"]),
        *_figures(report["held_out"]),
        *_learning(report["learning"]),
        *_telling(report["telling"]),
        *_errors(report["errors"]),
        *_settings(report),
    ]
    title = f"Training of {escape(report['model'])}"
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name=viewport content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _verdict(report: Mapping[str, Any]) -> Iterator[str]:
    compared = report["compared"]
    if report["refused"]:
        yield "<p class=bad>It is worse than the model in use beyond noise, and did not take its place.</p>"
    elif report["forced"]:
        yield f"<p class=bad>Put to use without the gate's consent: {escape(report['forced'])}</p>"
    if isinstance(compared, str):
        yield f"<p>{escape(compared[:1].upper() + compared[1:])}.</p>"
        return
    low, high = compared["interval"] or (None, None)
    yield f"<p>Beside <code>{escape(compared['model'])}</code>, {escape(compared['role'])}, on the same"
    yield f"{compared['rows']:,} held-out rows of {compared['groups']:,} groups: macro-F1 {compared['new']:.3f} against"
    yield f"{compared['old']:.3f}, difference {compared['difference']:+.3f}"
    yield f"(95 % {low:+.3f} to {high:+.3f}).</p>" if low is not None else "(one group: no interval).</p>"
    f1 = ([label, *(number(value) for value in pair)] for label, pair in compared["by_label"].items())
    yield _table(["F1", "new", compared["model"]], f1)
    if compared["recorded"]:
        yield f"<p class=soft>On {compared['recorded']:,} of these rows the other was judged when they were held out"
        yield "from it.</p>"
    if compared["left_out"]:
        yield f"<p class=soft>{compared['left_out']:,} rows are left out: new ones of groups that the other knows.</p>"
    if compared["flattered"]:
        yield "<p class=soft>Nothing is recorded of what the other was fitted on: if it has seen these rows, it is"
        yield "flattered.</p>"


def _data(report: Mapping[str, Any]) -> Iterator[str]:
    data = report["data"]
    yield "<h2>Data</h2>"
    head = ("file", "rows", "documents", "groups")
    yield _table(head, ([_told(file.get(key)) for key in head] for file in report["files"]))
    total = data["paragraphs"]
    for name, by in (("label", "by_label"), ("language", "by_lang")):
        rows = ([which or "not given", f"{n:,}", _bar(n / total, f"{n / total:.1%}")] for which, n in data[by].items())
        yield _table([name, "rows", "share"], rows)
    context = ", ".join(f"{MODE_NAMES[mode]}: {told}" for mode, told in report["context"].items())
    yield f"<p>{total:,} rows in {data['documents']:,} documents. Context model: {escape(context)}.</p>"


def _told(value: object) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "<h2>Checks</h2>"
    if not findings:
        yield "<p>Nothing was found.</p>"
        return
    rows = []
    for one in findings:
        places = [
            " ".join(
                str(part)
                for part in (place.get("file"), place.get("unit"), place.get("row"), place.get("note"))
                if part
            )
            for place in one["rows"][:_PLACES]
        ]
        more = f" and {len(one['rows']) - _PLACES:,} more" if len(one["rows"]) > _PLACES else ""
        rows.append([one["severity"], one["name"], f"{one['message']}; {one['advice']}", "; ".join(places) + more])
    yield _table(["", "check", "what", "where"], rows, n_texts=4)


def _figures(held_out: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Figures on held-out groups</h2>"
    if not held_out:
        yield "<p>None: it was not judged.</p>"
        return
    yield "<p>Each row is judged by models that have not seen its group (site). In brackets: the middle 95 % of"
    yield "resamples of the groups. “Alone” is each paragraph by itself; “text” has the paragraphs around it;"
    yield "“HTML” has elements and link densities too.</p>"
    for mode in modes_of(held_out):
        one = held_out[mode]
        yield f"<h3>{MODE_NAMES[mode]}: macro-F1 {interval(one['macro_f1'], one['macro_f1_interval'])}</h3>"
        yield f"<p>{one['rows']:,} rows of {one['groups']:,} groups;"
        yield f"calibration error {number(one['calibration_error'])}.</p>"
        rows = (
            [label, number(of["precision"]), number(of["recall"]),
             _bar(of["f1"], interval(of["f1"], of["f1_interval"])), f"{of['rows']:,}"]
            for label, of in one["by_label"].items()
        )  # fmt: skip
        yield _table(["label", "precision", "recall", "F1", "rows"], rows)
        yield _confusion(one)
        yield _calibration(one["reliability"])


def _confusion(one: Mapping[str, Any]) -> str:
    rows = (
        [label, *(_bar(n / max(sum(counts), 1), f"{n:,}", "heat") for n in counts)]
        for label, counts in zip(one["by_label"], one["confusion"], strict=True)
    )
    return _table(["label ↓ taken for →", *one["by_label"]], rows)


def _calibration(bins: Mapping[str, Sequence[float]]) -> str:
    dots = [
        f'<circle cx="{40 + 180 * score:.1f}" cy="{190 - 180 * right:.1f}" r="{2 + min(n, 2000) ** 0.5 / 8:.1f}" />'
        for score, right, n in zip(bins["score"], bins["right"], bins["rows"], strict=True)
    ]
    return _axes(
        "score of the label given", "share right", '<path d="M40 190 L220 10" stroke-dasharray="4"/>' + "".join(dots)
    )


def _axes(x: str, y: str, inside: str) -> str:
    return (
        '<svg viewBox="0 0 240 225" width="300" role="img"><g fill="#4a7ebb" stroke="currentColor" stroke-width="0.6">'
        f'<path d="M40 10 V190 H220" fill="none"/>{inside}</g>'
        f'<text x="130" y="220" text-anchor="middle">{escape(x)}</text>'
        f'<text x="12" y="100" text-anchor="middle" transform="rotate(-90 12 100)">{escape(y)}</text>'
        '<text x="40" y="204" text-anchor="middle">0</text><text x="220" y="204" text-anchor="middle">1</text>'
        '<text x="34" y="193" text-anchor="end">0</text><text x="34" y="14" text-anchor="end">1</text></svg>'
    )


def _learning(learning: Mapping[str, Any] | None) -> Iterator[str]:
    yield "<h2>Learning curve</h2>"
    if not learning:
        yield "<p>None: there are too few rows to leave more of them away, or the model was not judged.</p>"
        return
    rows = ([f"{one['rows']:,}", _bar(one["macro_f1"], number(one["macro_f1"]))] for one in learning["points"])
    yield _table(["rows learnt from", "macro-F1"], rows, n_texts=0)
    yield f"<p>With twice the rows, {learning['twice']['rows']:,}, expect a macro-F1 of about"
    yield f"{number(learning['twice']['macro_f1'])}: what is missing to 1 has fallen as a power of the rows so far.</p>"


def _telling(found: Mapping[str, Mapping[str, Sequence[Sequence[Any]]]]) -> Iterator[str]:
    yield "<h2>Most telling n-grams</h2>"
    yield "<p>Words, then runs of characters.</p>"
    for label, kinds in found.items():
        yield f"<h3>{escape(label)}</h3>"
        for ngrams in kinds.values():
            marks = (f'<span class=ngram title="{weight:+.2f}">{escape(str(ngram))}</span>' for ngram, weight in ngrams)
            yield f"<p>{' '.join(marks) or '–'}</p>"


def _errors(errors: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not errors:
        return
    yield f"<h2>Worst errors</h2><p>The {len(errors)} held-out rows that were most surely taken for another label.</p>"
    rows = []
    for one in errors:
        around = [_cut(one[key]) for key in ("before", "text", "after")]
        text = f"<span class=soft>{around[0]}</span><br>{around[1]}<br><span class=soft>{around[2]}</span>"
        rows.append(
            [one["group"], one["label"], one["taken_for"], _Html(f"<td class=text>{text}</td>"), number(one["score"])]
        )
    yield _table(["group", "label", "taken for", "paragraph between its neighbours", "score"], rows, n_texts=4)


def _cut(text: str | None) -> str:
    return escape(text if text is None or len(text) <= _SHOWN else f"{text[:_SHOWN]}…") if text else ""


def _settings(report: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Settings</h2>"
    base = {"base": report["base"][:12]} if report["base"] else {}
    told = {
        **base,
        **report["settings"],
        **report["versions"],
        "fingerprint of the rows": report["data"]["fingerprint"][:16],
    }
    yield _table(["", ""], ([key, value] for key, value in told.items()), n_texts=2)
