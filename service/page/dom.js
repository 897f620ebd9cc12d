// Elements, with text only ever as text.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, listeners ("onclick") and children: nodes, or strings that become text. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/** Says something to those who listen rather than look. */
export function announce(text) {
  byId("announce").textContent = text;
}

/** A table with a head. Cells are strings or nodes; the first of a row heads it. */
export function table(caption, head, rows, { numbers = true } = {}) {
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element(
      "table",
      { class: numbers ? "numbers" : "" },
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, head.map((cell) => element("th", { scope: "col" }, cell)))),
      element(
        "tbody",
        {},
        rows.map(([first, ...others]) =>
          element("tr", {}, element("th", { scope: "row" }, first), others.map((cell) => element("td", {}, cell))),
        ),
      ),
    ),
  );
}

/** Offers a file to be saved. */
export function save(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const address = URL.createObjectURL(blob);
  const link = element("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
export const count = (n) => n.toLocaleString("en");
