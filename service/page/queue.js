// A queue in work: one paragraph at a time, least certain first, answered by a click or a key.

import { call } from "./api.js";
import { announce, byId, count, element } from "./dom.js";
import { readable } from "./labels.js";

export class Queue {
  /** @param changed told when an item was answered or taken back. */
  constructor(teacher, changed) {
    this.teacher = teacher;
    this.changed = changed;
    byId("item").addEventListener("keydown", (event) => this.#keydown(event));
  }

  /** Opens a queue at what is to be labelled next. */
  async open(id, labels) {
    this.id = id;
    this.labels = labels;
    this.seen = [];
    this.place = -1;
    byId("work").hidden = false;
    if (!this.teacher.annotator) {
      byId("item").replaceChildren(element("p", { class: "empty" }, "Say who you are first: your labels are kept under your name."));
      byId("annotator").focus();
      this.teacher.addEventListener("change", () => this.#next().catch((error) => this.#say(error.message)), { once: true });
      return;
    }
    await this.#next();
  }

  /** Shows the next paragraph: one that was seen and passed by, or the first behind all that were. */
  async #next() {
    if (this.place + 1 < this.seen.length) {
      this.place++;
    } else {
      const last = this.seen.at(-1);
      const behind = last ? `&after=${last.rank}` : "";
      const { items, ...queue } = await call(
        `v1/queues/${this.id}?annotator=${encodeURIComponent(this.teacher.annotator)}&limit=1${behind}`,
      );
      this.queue = queue;
      if (!items.length) {
        this.#end();
        return;
      }
      this.seen.push(items[0]);
      this.place = this.seen.length - 1;
    }
    this.#draw();
  }

  #end() {
    this.place = this.seen.length;
    const { left } = this.queue;
    const again = element("button", { type: "button", onclick: () => this.open(this.id, this.labels) }, "Show them again");
    const back = element("button", { type: "button", onclick: () => this.#back() }, "Back");
    byId("item").replaceChildren(
      element("p", { class: "strong" }, left ? `The end. ${count(left)} passed by are left.` : "All done."),
      element("div", { class: "tools" }, left ? again : null, this.seen.length ? back : null),
    );
    this.#tellProgress();
    byId("item").focus();
  }

  #back() {
    if (this.place === 0) return;
    this.place--;
    this.#draw();
  }

  #draw() {
    const item = this.seen[this.place];
    const { labels } = this;
    const around = (one) =>
      element("p", { class: "around" }, labels.badge(one.label), " ", element("span", { dir: "auto" }, one.text));
    const score = element("span", { class: "score" }, item.score.toFixed(2));
    byId("item").replaceChildren(
      ...item.before.map(around),
      element(
        "div",
        { class: `asked ${labels.kind(item.label)}` },
        element("p", { class: "muted" }, item.given ? "you said " : "the model says ", labels.badge(item.given ?? item.label, item.given ? "" : score)),
        element("p", { class: "text", dir: "auto" }, item.text),
        element(
          "div",
          { class: "tools" },
          labels.names.map((label) =>
            element(
              "button",
              { type: "button", class: "chip", "aria-pressed": String(item.given === label), onclick: () => this.#answer(label) },
              labels.key(label) ? element("kbd", {}, labels.key(label)) : null,
              " ",
              labels.badge(label),
            ),
          ),
          element("span", { class: "spacer" }),
          element("button", { type: "button", disabled: this.place === 0, onclick: () => this.#back() }, element("kbd", {}, "k"), " Back"),
          element("button", { type: "button", onclick: () => this.#run(() => this.#next()) }, element("kbd", {}, "j"), " Pass by"),
          element("button", { type: "button", onclick: () => this.#run(() => this.#undo()) }, element("kbd", {}, "u"), " Undo"),
        ),
      ),
      ...item.after.map(around),
    );
    this.#tellProgress();
    byId("item").focus();
    announce(`${readable(item.label)}, ${item.score.toFixed(2)}: ${item.text.slice(0, 300)}`);
  }

  #tellProgress() {
    const { name, done, paragraphs } = this.queue;
    byId("work-title").textContent = name;
    byId("progress").max = paragraphs;
    byId("progress").value = done;
    byId("progress-says").textContent = `${count(done)} of ${count(paragraphs)} labelled`;
  }

  #answer(label) {
    return this.#run(async () => {
      const item = this.seen[this.place];
      await this.teacher.answer(item, label);
      if (!item.given) this.queue.done++;
      item.given = label;
      await this.#next();
      this.changed();
    });
  }

  async #undo() {
    const undone = await this.teacher.undo();
    if (!undone) {
      this.#say("There is nothing to undo.");
      return;
    }
    if (this.seen.includes(undone.item)) {
      undone.item.given = undefined;
      this.queue.done--;
      this.place = this.seen.indexOf(undone.item);
      this.#draw();
    }
    this.#say("Taken back.");
    this.changed();
  }

  async #run(work) {
    if (this.busy) return; // a second key before the first is kept is not for the next paragraph
    this.busy = true;
    try {
      this.#say("");
      await work();
    } catch (error) {
      this.#say(error.message);
    } finally {
      this.busy = false;
    }
  }

  #say(text) {
    byId("work-status").textContent = text;
  }

  #keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.labels) return;
    const label = this.labels.ofKey(event.key);
    if (label !== undefined && this.place < this.seen.length) this.#answer(label);
    else if (event.key === "j" && this.place < this.seen.length) this.#run(() => this.#next());
    else if (event.key === "k") this.#back();
    else if (event.key === "u") this.#run(() => this.#undo());
    else return;
    event.preventDefault();
  }
}
