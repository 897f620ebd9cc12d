// The model's card: its figures on held-out sites, as pictures and tables, drawn from the manifest.

import { call } from "./api.js";
import { dots, lines } from "./charts.js";
import { byId, count, element, percent, table } from "./dom.js";
import { Labels, readable } from "./labels.js";

const MODES = { paragraph: "each paragraph alone", text: "text with its surroundings", html: "HTML with its surroundings" };
const PARTS = { lang: "language", view: "part of the page seen", characters: "length in characters", collection: "collection" };

const FEW = 20; // paragraphs with about the same score, below which the share that is right says little

let shown = null; // name of the model whose card is shown
let mode = null;

/** Fills the view, with the first model or the one that is chosen. */
export async function showModel(name = shown) {
  const body = byId("model-body");
  const { models } = await call("v1/models");
  shown = models.includes(name) ? name : models[0];
  const manifest = await call(`v1/model?model=${shown}`, { other: true });
  draw(body, manifest, models);
}

function draw(body, manifest, models) {
  const held = manifest.held_out ?? {};
  const modes = Object.keys(MODES).filter((one) => one in held);
  if (!modes.includes(mode)) mode = modes.at(-1);
  const labels = new Labels(manifest.labels);
  const redraw = (change) => {
    change();
    draw(body, manifest, models);
  };
  const choices = element(
    "div",
    { class: "tools" },
    models.length > 1
      ? choice("Model", "model", models, shown, (one) => one, (one) => showModel(one))
      : element("p", {}, "Model ", element("code", {}, shown)),
    modes.length > 1
      ? choice("Judged on", "mode", modes, mode, (one) => MODES[one], (one) => redraw(() => (mode = one)))
      : null,
  );
  const focused = document.activeElement?.id;
  body.replaceChildren(choices, ...(mode ? figures(held, modes, labels) : [noFigures()]), ...learning(manifest), ...data(manifest, labels));
  if (focused) byId(focused)?.focus();
}

const noFigures = () =>
  element("p", { class: "card" }, "This model was fitted without figures: its data had too few sites to hold some out.");

function choice(title, id, values, value, name, chosen) {
  const select = element(
    "select",
    { id: `choose-${id}`, onchange: (event) => chosen(event.target.value) },
    values.map((one) => element("option", { value: one, selected: one === value }, name(one))),
  );
  return element("label", { class: "inline" }, `${title} `, select);
}

function figures(held, modes, labels) {
  const one = held[mode];
  const parts = [
    element(
      "dl",
      { class: "facts" },
      fact("macro-F1", number(one.macro_f1), interval(one.macro_f1_interval)),
      fact("right", one.accuracy == null ? "–" : percent(one.accuracy, 1), "of the paragraphs"),
      fact("calibration error", number(one.calibration_error), "0 is best"),
      ...(one.content ? [fact("content kept", percent(one.content.by_character.content_kept, 1), "of its characters")] : []),
      ...(one.content ? [fact("the rest removed", percent(one.content.by_character.boilerplate_removed, 1), "of its characters")] : []),
      fact("judged on", count(one.rows), `paragraphs of ${count(one.groups)} sites not learnt from`),
    ),
    card("F1 by label", byLabel(one, labels)),
    card("Confusion", confusion(one, labels)),
  ];
  if (one.reliability) parts.push(card("Calibration", calibration(held, modes)));
  const curves = modes.filter((each) => held[each].thresholds?.content);
  if (curves.length) parts.push(card("How much may be lost", thresholds(held, curves)));
  for (const [part, title] of Object.entries(PARTS)) {
    const by = one.by?.[part];
    if (by && Object.keys(by).length) parts.push(card(`By ${title}`, breakdown(part, by, labels)));
  }
  const [facts, ...cards] = parts;
  return [facts, element("div", { class: "cards" }, cards)];
}

const card = (title, content) => element("section", { class: "card" }, element("h2", {}, title), content);
const fact = (name, value, more) => element("div", {}, element("dt", {}, name), element("dd", {}, value, element("small", {}, more)));
const number = (value) => (value == null ? "–" : value.toFixed(3));
const interval = (found) => (found?.[0] != null ? `${found[0].toFixed(3)} to ${found[1].toFixed(3)}` : "");

function byLabel(one, labels) {
  const rows = Object.entries(one.by_label);
  return [
    dots(
      "F1 of each label with the middle 95 % of resampled sites",
      rows.map(([label, of]) => ({ name: readable(label), value: of.f1, low: of.f1_interval?.[0], high: of.f1_interval?.[1] })),
    ),
    more(
      table(
        "Figures by label",
        ["label", "precision", "recall", "F1", "paragraphs"],
        rows.map(([label, of]) => [labels.badge(label), number(of.precision), number(of.recall), number(of.f1), count(of.rows)]),
      ),
    ),
  ];
}

function confusion(one, labels) {
  const names = Object.keys(one.by_label);
  const rows = one.confusion.map((row, i) => {
    const total = row.reduce((sum, n) => sum + n, 0) || 1;
    const cells = row.map((n, j) => {
      const cell = element("span", { class: "cell", title: count(n) }, percent(n / total, 1));
      cell.style.setProperty("--share", n / total);
      if (i === j) cell.classList.add("right");
      return cell;
    });
    return [labels.badge(names[i]), ...cells];
  });
  return table("Down: what it is. Across: what it was taken for, of 100 such paragraphs.", ["", ...names.map(readable)], rows);
}

function calibration(held, modes) {
  const series = modes.filter((each) => held[each].reliability).map((each) => {
    const { score, right, rows } = held[each].reliability;
    return { name: MODES[each], points: score.map((one, i) => [one, right[i]]).filter((_, i) => rows[i] >= FEW) };
  });
  return [
    lines("Share of labels that are right by their score", series, {
      xTitle: "score of the label",
      yTitle: "share that is right",
      diagonal: true,
    }),
    element("p", { class: "hint" }, "On the dashed line a score is just what it says: of paragraphs scored 0.9, nine in ten are right."),
  ];
}

function thresholds(held, modes) {
  const series = modes.map((each) => {
    const { recall, removed } = held[each].thresholds.content;
    return { name: MODES[each], points: recall.map((share, i) => [1 - share, removed[i]]).filter(([lost]) => lost > 1e-9) };
  });
  return [
    lines("Share of the other text that is removed by the share of content that is lost", series, {
      xTitle: "content lost, share of characters",
      yTitle: "the rest removed",
      xRange: [1e-4, 1],
      log: true,
    }),
    element("p", { class: "hint" }, "What the slider beside a cleaned text goes by."),
  ];
}

function breakdown(part, by, labels) {
  const name = (key) => (part === "lang" ? languageName(key) : key);
  const rows = Object.entries(by);
  return [
    dots(
      `Macro-F1 by ${PARTS[part]}`,
      rows.map(([key, of]) => ({ name: shorten(name(key)), value: of.macro_f1, low: of.macro_f1_interval?.[0], high: of.macro_f1_interval?.[1] })),
    ),
    more(
      table(
        `F1 by ${PARTS[part]}`,
        [PARTS[part], "paragraphs", "sites", "macro-F1", ...labels.names.map(readable)],
        rows.map(([key, of]) => [name(key), count(of.rows), count(of.groups), number(of.macro_f1), ...labels.names.map((label) => number(of.f1?.[label]))]),
      ),
    ),
  ];
}

function languageName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

const shorten = (name) => (name.length > 20 ? `…${name.slice(-19)}` : name);
const more = (content) => element("details", {}, element("summary", {}, "As a table"), content);

function learning(manifest) {
  const curve = manifest.learning_curve;
  if (!curve?.length) return [];
  const points = curve.filter((point) => point.extra === 1).sort((one, other) => one.sites - other.sites);
  const modes = Object.keys(MODES).filter((each) => points.some((point) => point.macro_f1[each] != null));
  const series = modes.map((each) => ({
    name: MODES[each],
    points: points.filter((point) => point.macro_f1[each] != null).map((point) => [point.sites, point.macro_f1[each]]),
  }));
  const values = series.flatMap((one) => one.points.map(([, value]) => value));
  const low = Math.max(0, Math.floor(Math.min(...values) * 10) / 10);
  const picture = lines("Macro-F1 by the share of sites learnt from", series, {
    xTitle: "share of the sites learnt from",
    yTitle: "macro-F1",
    yRange: [low, Math.max(...values, low) > 0.9 ? 1 : Math.ceil(Math.max(...values) * 10) / 10],
  });
  return [element("div", { class: "cards" }, card("Learning curve", picture))];
}

function data(manifest, labels) {
  const of = manifest.data;
  const parts = [];
  if (of) {
    parts.push(
      table(
        "What it learnt from",
        ["label", "paragraphs", "share"],
        Object.entries(of.by_label).map(([label, n]) => [labels.badge(label), count(n), percent(n / of.paragraphs, 1)]),
      ),
      element("p", {}, `${count(of.paragraphs)} paragraphs of ${count(of.documents)} documents; fingerprint `, element("code", {}, of.fingerprint.slice(0, 16)), "."),
    );
  }
  for (const [title, values] of [["Settings", manifest.settings], ["Versions", manifest.versions]]) {
    if (values) parts.push(element("p", { class: "muted" }, `${title}: ${Object.entries(values).map(([key, value]) => `${key} ${value}`).join(", ")}.`));
  }
  return parts.length ? [element("div", { class: "cards" }, card("Data and settings", parts))] : [];
}
