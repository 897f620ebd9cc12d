// The list of a document's paragraphs: a listbox, of which one paragraph is chosen. Thousands are drawn bit by bit.

import { element } from "./dom.js";

const AT_ONCE = 400;
const A_FRAME = 800;

export class Paragraphs {
  /**
   * @param root the element with role "listbox".
   * @param chosen told of the place of the paragraph that is chosen, and whether by the user's own hand.
   * @param pressed told of keys that are not the list's own; returns whether it took them.
   */
  constructor(root, { chosen, pressed }) {
    this.root = root;
    this.rows = [];
    this.place = -1;
    this.chosen = chosen;
    this.pressed = pressed;
    root.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row && String(window.getSelection()) === "") this.choose(Number(row.dataset.place), { byHand: true });
    });
    root.addEventListener("keydown", (event) => this.#keydown(event));
  }

  /** Shows paragraphs in place of those before. The one chosen stays if its text still stands there. */
  show(paragraphs, labels) {
    cancelAnimationFrame(this.frame);
    const was = this.place >= 0 ? this.paragraphs[this.place]?.text : undefined;
    const hadFocus = this.root.contains(document.activeElement);
    this.paragraphs = paragraphs;
    this.labels = labels;
    this.rows = [];
    this.root.replaceChildren();
    this.#draw(Math.min(AT_ONCE, paragraphs.length));
    const stays = this.place >= 0 && paragraphs[this.place]?.text === was;
    const place = this.place;
    this.place = -1;
    if (stays) this.choose(place, { focus: hadFocus });
    else if (this.rows.length) this.rows[0].tabIndex = 0;
    const more = () => {
      this.#draw(Math.min(this.rows.length + A_FRAME, paragraphs.length));
      if (this.rows.length < paragraphs.length) this.frame = requestAnimationFrame(more);
    };
    if (this.rows.length < paragraphs.length) this.frame = requestAnimationFrame(more);
  }

  #draw(until) {
    const rows = [];
    for (let place = this.rows.length; place < until; place++) {
      const row = this.#row(this.paragraphs[place], place);
      this.rows.push(row);
      rows.push(row);
      this.decorate?.(place, row);
    }
    this.root.append(...rows);
  }

  #row(paragraph, place) {
    const { labels } = this;
    return element(
      "div",
      { role: "option", class: `row ${labels.kind(paragraph.label)}`, "data-place": place, tabindex: -1, "aria-selected": "false" },
      element(
        "span",
        { class: "tags" },
        labels.badge(paragraph.label, element("span", { class: "score" }, paragraph.score.toFixed(2))),
      ),
      element("span", { class: "text", dir: "auto" }, paragraph.text),
    );
  }

  row(place) {
    while (place >= this.rows.length && this.rows.length < this.paragraphs.length) {
      this.#draw(Math.min(this.rows.length + A_FRAME, this.paragraphs.length));
    }
    return this.rows[place];
  }

  /** Decorates every row there is, and those that are still to be drawn. */
  each(decorate) {
    this.decorate = decorate;
    this.rows.forEach((row, place) => decorate(place, row));
  }

  choose(place, { focus = true, byHand = false } = {}) {
    const row = this.row(place);
    if (!row) return;
    const before = this.rows[this.place] ?? this.root.querySelector("[tabindex='0']");
    if (before) {
      before.tabIndex = -1;
      before.setAttribute("aria-selected", "false");
    }
    this.place = place;
    row.tabIndex = 0;
    row.setAttribute("aria-selected", "true");
    if (focus) row.focus();
    row.scrollIntoView({ block: "nearest" });
    this.chosen(place, byHand);
  }

  /** Puts the focus on the paragraph that is chosen, or else on the first one. */
  focus() {
    if (this.place >= 0) this.rows[this.place].focus();
    else this.#step(1);
  }

  /** Chooses the next paragraph that is not hidden, forwards or backwards. */
  #step(by, from = this.place) {
    for (let place = from + by; place >= 0 && place < this.paragraphs.length; place += by) {
      if (!this.row(place).hidden) {
        this.choose(place, { byHand: true });
        return;
      }
    }
  }

  #keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
    if (event.key in steps) this.#step(steps[event.key], this.#focused());
    else if (event.key === "Home") this.#step(1, -1);
    else if (event.key === "End") this.#step(-1, this.paragraphs.length);
    else if (event.key === "Enter" || event.key === " ") this.choose(Math.max(this.#focused(), 0), { byHand: true });
    else if (!this.pressed(event)) return;
    event.preventDefault();
  }

  #focused() {
    return Number(document.activeElement?.dataset.place ?? this.place);
  }
}
