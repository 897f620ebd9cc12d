// Pictures of a model's figures, as SVG.

import { element, svg } from "./dom.js";

const WIDTH = 460;

/** Values with intervals, a line each, from 0 to 1: rows of {name, value, low, high, note}. */
export function dots(title, rows) {
  const [left, right, step] = [150, 60, 26];
  const x = (share) => left + share * (WIDTH - left - right);
  const height = rows.length * step + 26;
  const marks = rows.flatMap(({ name, value, low, high }, i) => {
    const y = i * step + 16;
    return [
      svg("text", { x: left - 10, y: y + 4, "text-anchor": "end", class: "tick strong" }, name),
      svg("line", { x1: x(0), x2: x(1), y1: y, y2: y, class: "grid" }),
      ...(low != null && high != null ? [svg("line", { x1: x(low), x2: x(high), y1: y, y2: y, class: "whisker" })] : []),
      ...(value == null ? [] : [svg("circle", { cx: x(value), cy: y, r: 5, class: "dot" })]),
      svg("text", { x: WIDTH - right + 12, y: y + 4, class: "tick" }, value == null ? "–" : value.toFixed(3)),
    ];
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    svg("text", { x: x(share), y: height - 4, "text-anchor": "middle", class: "tick" }, String(share)),
  );
  return picture(title, height, [...marks, ...ticks]);
}

/** Lines through points: series of {name, points: [[x, y], …]}; `log` has the x axis by powers of ten. */
export function lines(title, series, { xTitle, yTitle, xRange = [0, 1], yRange = [0, 1], log = false, diagonal = false }) {
  const [left, top, right, bottom, height] = [52, 12, 20, 46, 300];
  const along = log ? Math.log10 : (value) => value;
  const [x0, x1] = xRange.map(along);
  const x = (value) => left + ((along(value) - x0) / (x1 - x0)) * (WIDTH - left - right);
  const y = (value) => height - bottom - ((value - yRange[0]) / (yRange[1] - yRange[0])) * (height - top - bottom);
  const xTicks = log
    ? Array.from({ length: Math.round(x1 - x0) + 1 }, (_, i) => 10 ** Math.round(x0 + i))
    : [0, 0.25, 0.5, 0.75, 1].map((share) => xRange[0] + share * (xRange[1] - xRange[0]));
  const yTicks = [0, 0.25, 0.5, 0.75, 1].map((share) => yRange[0] + share * (yRange[1] - yRange[0]));
  const parts = [
    ...yTicks.flatMap((value) => [
      svg("line", { x1: left, x2: WIDTH - right, y1: y(value), y2: y(value), class: "grid" }),
      svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end", class: "tick" }, short(value)),
    ]),
    ...xTicks.map((value) =>
      svg("text", { x: x(value), y: height - bottom + 18, "text-anchor": "middle", class: "tick" }, short(value)),
    ),
    svg("text", { x: (left + WIDTH - right) / 2, y: height - 6, "text-anchor": "middle", class: "tick" }, xTitle),
    svg("text", { x: -(height - bottom) / 2, y: 12, transform: "rotate(-90)", "text-anchor": "middle", class: "tick" }, yTitle),
  ];
  if (diagonal) parts.push(svg("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "whisker faint" }));
  series.forEach(({ points }, i) => {
    const path = points.map(([px, py], j) => `${j ? "L" : "M"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("");
    parts.push(svg("path", { d: path, class: `line s${i}` }));
    parts.push(...points.map(([px, py]) => svg("circle", { cx: x(px), cy: y(py), r: 3, class: `point s${i}` })));
  });
  const key = element(
    "p",
    { class: "key" },
    series.map(({ name }, i) =>
      element(
        "span",
        {},
        svg("svg", { width: 34, height: 10, "aria-hidden": "true" }, svg("line", { x1: 1, x2: 33, y1: 5, y2: 5, class: `line s${i}` })),
        ` ${name}`,
      ),
    ),
  );
  return element("div", {}, picture(title, height, parts), series.length > 1 ? key : "");
}

const short = (value) => String(Number(value.toPrecision(3)));

function picture(title, height, parts) {
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "chart", role: "img", "aria-label": title }, ...parts);
}
