// Why a paragraph got its label: bars of weights, marks in its text, and what would change it.

import { element } from "./dom.js";
import { readable } from "./labels.js";
import { spans } from "./ngrams.js";

const SHOWN = 8; // reasons of a kind that are shown before the others are asked for
const LONGEST = 20_000; // characters of a text in which n-grams are looked for
const WORD = /(?:(?![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])[\p{L}\p{M}\p{N}])+/gu;
const KINDS = { word: "Words", shape: "Shape", char: "Runs of letters" };

/** Fills a panel with the reasons of a paragraph's label. `go` is told of the place of a neighbour to go to. */
export function showWhy(panel, { place, paragraphs, labels, go, correction }) {
  const paragraph = paragraphs[place];
  const { why } = paragraph;
  panel.replaceChildren(
    element("h2", {}, `Paragraph ${place + 1}: `, labels.badge(paragraph.label)),
    correction ?? "",
    probabilities(paragraph, labels),
    element("h3", {}, "What would change it"),
    change(why, paragraph, place, go),
    ...Object.keys(KINDS).map((kind) => reasons(kind, why, paragraph.label)),
    ...neighbours(why, paragraphs, labels, go),
    element(
      "p",
      { class: "hint" },
      "A bar is what speaks for the label (filled, to the right) or against it (striped, to the left), in log-odds.",
    ),
  );
}

function probabilities(paragraph, labels) {
  const alone = paragraph.why.alone;
  const rows = Object.entries(paragraph.scores)
    .sort(([, one], [, other]) => other - one)
    .map(([label, score]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, labels.badge(label)),
        element("td", {}, meter(score, labels.kind(label))),
        element("td", {}, score.toFixed(2)),
        element("td", { class: "muted" }, alone[label].toFixed(2)),
      ),
    );
  return element(
    "table",
    { class: "scores" },
    element("caption", { class: "unseen" }, "Probabilities of the labels"),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("th", { scope: "col", class: "unseen-text" }, "Label"),
        element("td"),
        element("th", { scope: "col" }, "in the page"),
        element("th", { scope: "col" }, "alone"),
      ),
    ),
    element("tbody", {}, rows),
  );
}

function meter(share, kind) {
  const fill = element("span", { class: `fill ${kind}` });
  fill.style.setProperty("--share", share);
  return element("span", { class: "meter", "aria-hidden": "true" }, fill);
}

function change(why, paragraph, place, go) {
  const found = [];
  if (why.change) {
    const words = why.change.words.map((word) => `“${word}”`).join(", ");
    found.push(
      element(
        "li",
        {},
        "Without ",
        element("bdi", { class: "strong" }, words),
        ` it would be ${readable(why.change.label)} (${why.change.score.toFixed(2)}).`,
      ),
    );
  }
  for (const { index, label } of why.neighbours) {
    if (label === paragraph.label) continue;
    const link = element("button", { type: "button", class: "link", onclick: () => go(index) }, `paragraph ${index + 1}`);
    found.push(element("li", {}, "Without ", link, ` it would be ${readable(label)}.`));
  }
  if (found.length) return element("ul", { class: "plain" }, found);
  return element("p", {}, "No few words of it, and none of the paragraphs around it by itself: the label stands firm.");
}

function reasons(kind, why) {
  const found = why.reasons.filter((reason) => reason.kind === kind);
  if (!found.length) return "";
  const strongest = strength(why);
  const lines = found.map((reason) =>
    bar(element("bdi", { class: kind === "char" ? "name letters" : "name" }, nameOf(reason)), reason.weight, strongest),
  );
  const parts = [element("h3", {}, KINDS[kind]), element("ul", { class: "bars" }, lines.slice(0, SHOWN))];
  if (lines.length > SHOWN) {
    const rest = element("ul", { class: "bars" }, lines.slice(SHOWN));
    parts.push(element("details", {}, element("summary", {}, `${lines.length - SHOWN} weaker ones`), rest));
  }
  return element("div", {}, parts);
}

const strength = (why) =>
  Math.max(...why.reasons.map((one) => Math.abs(one.weight)), ...why.neighbours.map((one) => Math.abs(one.weight)), 0.1);

/** An n-gram's name; the edges of words and of the paragraph, which are spaces, made visible. */
function nameOf({ kind, name }) {
  if (kind === "shape") return name;
  if (kind === "char") return name.replaceAll(" ", "␣");
  const where = (name.startsWith(" ") ? ", at the start" : "") + (name.endsWith(" ") ? ", at the end" : "");
  return `“${name.trim()}”${where}`;
}

function bar(name, weight, strongest) {
  const fill = element("span", { class: weight < 0 ? "fill against" : "fill for" });
  fill.style.setProperty("--share", Math.abs(weight) / strongest);
  return element(
    "li",
    {},
    name,
    element("span", { class: "weight", "aria-hidden": "true" }, fill),
    element("span", { class: "number" }, `${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(2)}`),
  );
}

function neighbours(why, paragraphs, labels, go) {
  if (!why.neighbours.length) return [];
  const strongest = strength(why);
  const lines = why.neighbours.map(({ index, weight }) => {
    const link = element(
      "button",
      { type: "button", class: "name link neighbour", onclick: () => go(index) },
      element("span", { class: `shape ${labels.kind(paragraphs[index].label)}` }),
      `${index + 1} `,
      element("bdi", {}, paragraphs[index].text.slice(0, 60)),
    );
    return bar(link, weight, strongest);
  });
  return [element("h3", {}, "The paragraphs around it"), element("ul", { class: "bars" }, lines)];
}

/** Marks in an element with a paragraph's text what speaks for and against its label. */
export function mark(target, text, why) {
  if (text.length > LONGEST) return;
  const weights = new Float64Array(text.length);
  for (const [reason, places] of spans(text, why.reasons)) {
    for (const [from, to] of places) for (let i = from; i < to; i++) weights[i] += reason.weight / places.length;
  }
  for (const { index, 0: word } of text.matchAll(WORD)) {
    // A word is marked whole, by the strongest of what stands in it.
    const found = weights.subarray(index, index + word.length);
    found.fill(found.reduce((most, weight) => (Math.abs(weight) > Math.abs(most) ? weight : most), 0));
  }
  const strongest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0.1);
  const pieces = [];
  for (let from = 0, to; from < text.length; from = to) {
    to = from + 1;
    while (to < text.length && weights[to] === weights[from]) to++;
    const piece = text.slice(from, to);
    const share = Math.abs(weights[from]) / strongest;
    if (share < 0.08) {
      pieces.push(piece);
    } else {
      const marked = element("mark", { class: weights[from] < 0 ? "against" : "for" }, piece);
      marked.style.setProperty("--share", share);
      pieces.push(marked);
    }
  }
  target.replaceChildren(...pieces);
}
