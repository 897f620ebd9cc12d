// A model's labels: each has a colour and a shape, by its place in the model, and the key that gives it.

import { element } from "./dom.js";

const KINDS = 8; // colours and shapes that page.css has

export class Labels {
  constructor(names) {
    this.names = names;
  }

  /** The CSS class with the label's colour and shape. */
  kind(label) {
    const place = this.names.indexOf(label);
    return place < 0 ? "k-none" : `k${place % KINDS}`;
  }

  /** The digit that gives the label; none after the ninth. */
  key(label) {
    const place = this.names.indexOf(label);
    return place >= 0 && place < 9 ? String(place + 1) : "";
  }

  ofKey(key) {
    return /^[1-9]$/.test(key) ? this.names[Number(key) - 1] : undefined;
  }

  /** The label with its shape and colour. */
  badge(label, ...more) {
    return element("span", { class: `badge ${this.kind(label)}` }, element("span", { class: "shape" }), readable(label), ...more);
  }
}

/** "ad_notice" as people write it. */
export const readable = (label) => label.replaceAll("_", " ");
