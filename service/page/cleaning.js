// What is kept of a tagged document, by label or by how much may be lost, and the files it can be saved as.

/** The curve of a model's manifest for a label: which threshold kept which share of its characters; or undefined. */
export function curveOf(manifest, isHtml, label) {
  const held = manifest?.held_out ?? {};
  const mode = (isHtml && held.html) || held.text || held.paragraph;
  return mode?.thresholds?.[label];
}

/** The points of a curve that make sense on a slider, most lost first. */
export function stopsOf(curve) {
  return curve.recall
    .map((recall, i) => ({ recall, threshold: curve.threshold[i], removed: curve.removed[i] }))
    .filter(({ recall }) => recall >= 0.9);
}

/** By paragraph, whether it is kept. `labels` are those to keep; `threshold`, where given, is what they must reach. */
export function kept(paragraphs, labels, threshold) {
  return paragraphs.map(({ label, scores }) =>
    threshold === undefined ? labels.includes(label) : labels.reduce((sum, one) => sum + scores[one], 0) >= threshold,
  );
}

export const asText = (paragraphs, keeps) => paragraphs.filter((_, i) => keeps[i]).map(({ text }) => text).join("\n\n");

export function asJson(answer, keeps) {
  const paragraphs = answer.paragraphs.map(({ index, text, label, score, scores }, i) => ({
    ...{ index, text, label, score, scores },
    kept: keeps[i],
  }));
  return JSON.stringify({ model: answer.model, text: asText(answer.paragraphs, keeps), paragraphs }, null, 2);
}

/** The rows that `boilertag score` would write, and whether each is kept. */
export function asCsv(paragraphs, keeps, labels) {
  const head = ["text", "label", "score", ...labels.map((label) => `p_${label}`), "kept"];
  const rows = paragraphs.map(({ text, label, score, scores }, i) => [
    ...[text, label, score],
    ...labels.map((one) => scores[one]),
    keeps[i],
  ]);
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
