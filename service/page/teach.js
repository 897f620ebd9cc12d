// Teach: a queue of the paragraphs that the model is least certain of, what was corrected, and who agrees with whom.

import { call, file } from "./api.js";
import { announce, byId, count, element, percent, save, table } from "./dom.js";
import { readable } from "./labels.js";
import { Queue } from "./queue.js";

const PAGE = 20; // corrections listed at a time

export class Teach {
  constructor(teacher) {
    this.teacher = teacher;
    this.queue = new Queue(teacher, () => this.#drawQueues());
    const name = byId("annotator");
    name.value = teacher.annotator;
    name.addEventListener("change", () => (teacher.annotator = name.value.trim()));
    teacher.addEventListener("change", () => {
      name.value = teacher.annotator;
      if (!byId("teach").hidden) this.#run(() => this.#drawRest());
    });
    byId("upload").addEventListener("click", () => byId("upload-picker").click());
    byId("upload-picker").addEventListener("change", (event) => this.#upload([...event.target.files]));
    byId("teach").addEventListener("dragover", (event) => event.preventDefault());
    byId("teach").addEventListener("drop", (event) => {
      event.preventDefault();
      this.#upload([...event.dataTransfer.files]);
    });
    for (const button of document.querySelectorAll("[data-export]")) {
      button.addEventListener("click", () => this.#export(button.dataset.export));
    }
    byId("only-mine").addEventListener("change", () => this.#run(() => this.#drawCorrections()));
    byId("more-corrections").addEventListener("click", () => this.#run(() => this.#moreCorrections()));
  }

  /** Shows how things stand; with the id of a queue, that queue. */
  async show(labels, queue) {
    this.labels = labels;
    await this.#run(async () => {
      if (queue) await this.queue.open(queue, labels);
      await Promise.all([this.#drawQueues(), this.#drawRest()]);
    });
  }

  async #run(work) {
    try {
      byId("teach-wrong").textContent = "";
      await work();
    } catch (error) {
      byId("teach-wrong").textContent = error.message;
    }
  }

  #drawRest() {
    return Promise.all([this.#drawCorrections(), this.#drawAgreement()]);
  }

  // -- queues

  #upload(files) {
    byId("upload-picker").value = "";
    return this.#run(async () => {
      let last;
      for (const one of files) last = await call(`v1/queues?name=${encodeURIComponent(one.name)}`, { body: one });
      if (!last) return;
      announce(`${last.name}: ${count(last.paragraphs)} paragraphs to label.`);
      await this.#drawQueues();
      if (files.length === 1) await this.queue.open(last.id, this.labels);
    });
  }

  async #drawQueues() {
    const { queues } = await call(`v1/queues${this.#asAnnotator("?")}`);
    byId("queues").replaceChildren(
      queues.length
        ? table(
            "Files to label",
            ["file", "documents", "paragraphs", "labelled by you", ""],
            queues.map(({ id, name, documents, paragraphs, done }) => [
              element("bdi", {}, name),
              count(documents),
              count(paragraphs),
              done === null ? "–" : count(done),
              element(
                "button",
                { type: "button", onclick: () => this.#run(() => this.queue.open(id, this.labels)), "aria-label": `Label ${name}` },
                "Label",
              ),
            ]),
          )
        : element(
            "p",
            { class: "muted" },
            "None yet. Rows (CSV, TSV, JSON lines, Parquet), HTML and plain text will do; ",
            "the paragraphs that the model is least certain of come first.",
          ),
    );
  }

  // -- corrections

  #asAnnotator(sign) {
    return this.teacher.annotator ? `${sign}annotator=${encodeURIComponent(this.teacher.annotator)}` : "";
  }

  #mine(sign) {
    return byId("only-mine").checked ? this.#asAnnotator(sign) : "";
  }

  async #drawCorrections() {
    byId("corrections").replaceChildren();
    this.next = undefined;
    await this.#moreCorrections();
  }

  async #moreCorrections() {
    const before = this.next ? `&before=${this.next}` : "";
    const { corrections, next } = await call(`v1/corrections?limit=${PAGE}${before}${this.#mine("&")}`);
    this.next = next;
    byId("more-corrections").hidden = next === null;
    const list = byId("corrections");
    list.append(...corrections.map((one) => this.#correction(one)));
    byId("no-corrections").hidden = list.children.length > 0;
  }

  #correction(one) {
    const { labels } = this;
    const what =
      one.label === null
        ? element("span", {}, `${count(one.paragraphs)} paragraphs confirmed`)
        : element(
            "span",
            {},
            ...(one.label === one.old_label ? [] : [labels.badge(one.old_label), " → "]),
            labels.badge(one.label),
            one.counts ? "" : element("span", { class: "muted" }, " (said otherwise since)"),
          );
    const undo =
      one.annotator === this.teacher.annotator
        ? element("button", { type: "button", onclick: () => this.#run(() => this.teacher.takeBack(one.id)) }, "Undo")
        : null;
    return element(
      "li",
      {},
      element("div", { class: "what" }, what, element("bdi", { class: "excerpt" }, one.text ?? one.name ?? one.document)),
      element("small", { class: "muted" }, element("bdi", {}, one.annotator), ", ", element("time", { datetime: one.at }, when(one.at))),
      undo,
    );
  }

  #export(kind) {
    return this.#run(async () => {
      const blob = await file(`v1/corrections.${kind}${this.#mine("?")}`);
      save(`corrections.${kind}`, blob);
    });
  }

  // -- agreement

  async #drawAgreement() {
    const { annotators, pairs } = await call("v1/agreement");
    const parts = [
      annotators.length
        ? element("p", {}, annotators.map(({ annotator, paragraphs }) => `${annotator}: ${count(paragraphs)}`).join(", "))
        : null,
      ...pairs.map(({ annotators: [one, other], paragraphs, agreement, kappa, labels }) =>
        element(
          "div",
          {},
          element("h3", {}, element("bdi", {}, one), " and ", element("bdi", {}, other)),
          element(
            "p",
            {},
            `agree on ${percent(agreement)} of ${count(paragraphs)} paragraphs that both labelled`,
            kappa === null ? "." : `; Cohen's kappa ${kappa.toFixed(2)}.`,
          ),
          table(
            `Labels of ${one} and ${other}`,
            ["label", one, other, "both", "agreement"],
            labels.map(({ label, counts, both, agreement: of }) => [this.labels.badge(label), count(counts[0]), count(counts[1]), count(both), percent(of)]),
          ),
        ),
      ),
    ].filter(Boolean);
    byId("agreement").replaceChildren(
      ...(pairs.length ? parts : [...parts, element("p", { class: "muted" }, "Figures come where two people label the same paragraphs.")]),
    );
  }
}

const when = (at) => new Date(at).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
