// Try: a page in, its paragraphs with their labels, why, and what is left when it is cleaned.

import { call } from "./api.js";
import { asCsv, asJson, asText, curveOf, kept, stopsOf } from "./cleaning.js";
import { announce, byId, count, element, percent, save } from "./dom.js";
import { examples, load } from "./examples.js";
import { readText } from "./files.js";
import { Labels, readable } from "./labels.js";
import { Paragraphs } from "./paragraphs.js";
import { mark, showWhy } from "./why.js";

const PAUSE = 90; // milliseconds without a key before what is typed is tagged
const HTML = /<!doctype html|<(?:html|head|body|div|p|article|section|main|meta)\b/i;

export class Try {
  constructor() {
    this.hidden = new Set();
    this.keepLabels = new Set(["content"]);
    this.files = [];
    this.list = new Paragraphs(byId("paragraphs"), {
      chosen: (place, byHand) => this.#explain(place, byHand),
      pressed: (event) => this.#pressed(event),
    });
    this.list.each((place, row) => this.#decorate(place, row));
    this.#listen();
  }

  /** Takes what keeps corrections; null where the service keeps none. */
  setTeacher(teacher) {
    this.teacher = teacher;
    byId("confirm").hidden = teacher === null;
  }

  /** Takes the models that serve; what is shown is tagged anew. */
  async setModels(names) {
    this.other = names[1];
    this.manifest = await call("v1/model");
    this.labels = new Labels(this.manifest.labels);
    if (![...this.keepLabels].some((label) => this.labels.names.includes(label))) {
      this.keepLabels = new Set([this.labels.names[0]]);
    }
    this.#drawKeep();
    this.#drawKeys();
    byId("differences-label").hidden = !this.other;
    await this.#tag();
  }

  #listen() {
    const source = byId("source");
    source.addEventListener("input", (event) => this.#changed(event.inputType === "insertFromPaste" ? 0 : PAUSE));
    source.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.answer) this.list.focus();
    });
    byId("form").addEventListener("change", () => this.#changed(0));
    byId("clear").addEventListener("click", () => {
      this.#setSource("");
      source.focus();
    });
    byId("examples").append(...examples.map(({ name, file }) => element("option", { value: file }, name)));
    byId("examples").addEventListener("change", async (event) => {
      const file = event.target.value;
      event.target.value = "";
      if (file) this.#setSource(await load(file), file);
    });
    byId("open").addEventListener("click", () => byId("picker").click());
    byId("picker").addEventListener("change", (event) => this.#open([...event.target.files]));
    byId("files").addEventListener("change", (event) => this.#setFile(event.target.value));
    byId("confirm").addEventListener("click", () => this.#confirm());
    const drop = byId("try");
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      byId("drop").classList.add("over");
    });
    drop.addEventListener("dragleave", () => byId("drop").classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      byId("drop").classList.remove("over");
      if (!event.dataTransfer.files.length) return; // dropped text is the field's affair
      event.preventDefault();
      this.#open([...event.dataTransfer.files]);
    });
    byId("differences").addEventListener("change", () => this.#redecorate());
    for (const radio of document.getElementsByName("by")) radio.addEventListener("change", () => this.#redecorate());
    byId("loss").addEventListener("input", () => {
      byId("by-loss").checked = true;
      this.#redecorate();
    });
    byId("copy").addEventListener("click", () => this.#copy());
    for (const button of document.querySelectorAll("[data-save]")) {
      button.addEventListener("click", () => this.#save(button.dataset.save));
    }
    this.#listenToTabs();
  }

  #listenToTabs() {
    const tabs = [byId("tab-cleaned"), byId("tab-why")];
    tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => this.#showTab(tab));
      tab.addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        this.#showTab(tabs[1 - i]);
        tabs[1 - i].focus();
      });
    });
    byId("fold").addEventListener("click", () => this.#fold(byId("side").classList.toggle("folded")));
  }

  #fold(isFolded) {
    byId("side").classList.toggle("folded", isFolded);
    byId("fold").setAttribute("aria-expanded", String(!isFolded));
    byId("fold").textContent = isFolded ? "Unfold" : "Fold";
  }

  #showTab(chosen) {
    for (const tab of [byId("tab-cleaned"), byId("tab-why")]) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
    this.#fold(false);
  }

  // -- the page to tag

  async #open(files) {
    if (!files.length) return;
    this.files = await Promise.all(files.map(async (file) => ({ name: file.name, text: await readText(file) })));
    const select = byId("files");
    select.replaceChildren(...this.files.map(({ name }, i) => element("option", { value: i }, name)));
    byId("files-label").hidden = this.files.length < 2;
    byId("picker").value = "";
    this.#setFile(0);
  }

  #setFile(i) {
    this.#setSource(this.files[i].text, this.files[i].name);
  }

  #setSource(text, name) {
    this.name = name;
    byId("source").value = text;
    this.#changed(0);
  }

  #changed(pause) {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.timer = setTimeout(() => this.#tag(), pause);
  }

  #source() {
    const text = byId("source").value;
    const form = byId("form").value;
    const start = text.slice(0, 4096).trimStart();
    const isHtml = form === "html" || (form === "auto" && start.startsWith("<") && HTML.test(start));
    return { [isHtml ? "html" : "text"]: text };
  }

  /** Tags what stands in the field. An answer that is no longer the newest's is never shown. */
  async #tag() {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    if (!this.labels) return; // they are on their way, and what stands here by then is tagged
    if (!byId("source").value.trim()) {
      this.#empty();
      return;
    }
    const source = this.#source();
    const began = performance.now();
    try {
      const [answer, other] = await Promise.all([
        call("v1/tag", { body: source, signal: asking.signal }),
        this.other && call(`v1/tag?model=${this.other}`, { body: source, signal: asking.signal, other: true }),
      ]);
      if (this.asking === asking) this.#show(source, answer, other, performance.now() - began);
    } catch (error) {
      if (error.name !== "AbortError" && this.asking === asking) this.#say(error.message, true);
    }
  }

  #empty() {
    this.answer = null;
    byId("results").hidden = true;
    this.#say("");
  }

  #say(text, isWrong = false) {
    byId("try-status").textContent = text;
    byId("try-status").classList.toggle("wrong", isWrong);
  }

  #show(source, answer, other, milliseconds) {
    this.answer = answer;
    this.source = source;
    this.otherAnswer = other;
    this.given = this.teacher?.given(source) ?? new Map();
    const { paragraphs } = answer;
    byId("results").hidden = paragraphs.length === 0;
    const differing = other ? paragraphs.filter((one, i) => one.label !== other.paragraphs[i].label).length : 0;
    this.#say(
      paragraphs.length
        ? `${count(paragraphs.length)} ${paragraphs.length === 1 ? "paragraph" : "paragraphs"} in ${Math.round(milliseconds)} ms` +
            (other ? `; model ${other.model} differs in ${count(differing)}` : "")
        : "There is no paragraph in it.",
    );
    this.#prepareSlider();
    this.keeps = this.#kept();
    this.list.show(paragraphs, this.labels);
    this.#drawLegend();
    this.#drawKept();
    if (this.list.place < 0) this.#noWhy();
  }

  #drawLegend() {
    const counts = new Map(this.labels.names.map((label) => [label, 0]));
    for (const { label } of this.answer.paragraphs) counts.set(label, counts.get(label) + 1);
    byId("legend").replaceChildren(
      ...this.labels.names.map((label) =>
        element(
          "button",
          {
            type: "button",
            class: "chip",
            "aria-pressed": String(!this.hidden.has(label)),
            onclick: (event) => {
              if (!this.hidden.delete(label)) this.hidden.add(label);
              event.currentTarget.setAttribute("aria-pressed", String(!this.hidden.has(label)));
              this.#redecorate();
            },
          },
          this.labels.badge(label, element("span", { class: "score" }, count(counts.get(label)))),
        ),
      ),
    );
  }

  #drawKeys() {
    const keys = ["j", "k"].map((key) => element("kbd", {}, key));
    const parts = [keys[0], " ", keys[1], " next and last paragraph, ", element("kbd", {}, "Enter"), " why"];
    if (this.teacher) {
      const digits = this.labels.names.slice(0, 9).flatMap((label) => [", ", element("kbd", {}, this.labels.key(label)), ` ${readable(label)}`]);
      parts.push(...digits, ", ", element("kbd", {}, "u"), " undo");
    }
    byId("keys").replaceChildren(...parts);
  }

  // -- what is kept

  #drawKeep() {
    byId("keep-labels").replaceChildren(
      ...this.labels.names.map((label) =>
        element(
          "label",
          {},
          element("input", {
            type: "checkbox",
            checked: this.keepLabels.has(label),
            onchange: (event) => {
              this.keepLabels[event.target.checked ? "add" : "delete"](label);
              this.#prepareSlider();
              this.#redecorate();
            },
          }),
          this.labels.badge(label),
        ),
      ),
    );
  }

  #prepareSlider() {
    const kept = this.labels.names.filter((label) => this.keepLabels.has(label));
    const curve = kept.length === 1 ? curveOf(this.manifest, "html" in (this.source ?? {}), kept[0]) : undefined;
    const before = this.stops?.[byId("loss").value]?.recall ?? 0.99;
    this.stops = curve && stopsOf(curve);
    for (const id of ["loss", "by-loss"]) byId(id).disabled = !this.stops;
    if (!this.stops) {
      document.querySelector("[name=by][value=label]").checked = true;
      byId("loss-says").textContent = kept.length === 1 ? "The model has no figures for it." : "For one label at a time.";
      return;
    }
    byId("loss").max = this.stops.length - 1;
    byId("loss").value = Math.max(0, this.stops.findIndex(({ recall }) => recall >= before));
  }

  #stop() {
    return byId("by-loss").checked ? this.stops?.[byId("loss").value] : undefined;
  }

  #kept() {
    const labels = this.labels.names.filter((label) => this.keepLabels.has(label));
    return kept(this.answer.paragraphs, labels, this.#stop()?.threshold);
  }

  #redecorate() {
    if (!this.answer) return;
    this.keeps = this.#kept();
    this.list.each((place, row) => this.#decorate(place, row));
    this.#drawKept();
  }

  #drawKept() {
    const stop = this.stops?.[byId("loss").value];
    if (stop) {
      const lost = `${Number((100 * (1 - stop.recall)).toPrecision(2))} %`;
      const says = `At most ${lost} lost; of the rest about ${percent(stop.removed)} goes`;
      byId("loss-says").textContent = says;
      byId("loss").setAttribute("aria-valuetext", says);
    }
    const { paragraphs } = this.answer;
    const left = paragraphs.filter((_, i) => this.keeps[i]);
    byId("kept-says").textContent = `${count(left.length)} of ${count(paragraphs.length)} kept`;
    byId("kept").replaceChildren(
      ...(left.length ? left.map(({ text }) => element("p", { dir: "auto" }, text)) : [element("p", { class: "muted" }, "Nothing is left.")]),
    );
  }

  async #copy() {
    const text = asText(this.answer.paragraphs, this.keeps);
    try {
      await navigator.clipboard.writeText(text);
      this.#tell("Copied.");
    } catch {
      window.getSelection().selectAllChildren(byId("kept"));
      this.#tell("The browser does not let the page copy; the text is selected for you to copy.");
    }
  }

  #tell(text) {
    announce(text);
    this.#say(text);
  }

  #save(kind) {
    const { paragraphs } = this.answer;
    if (kind === "txt") save("cleaned.txt", `${asText(paragraphs, this.keeps)}\n`, "text/plain;charset=utf-8");
    else if (kind === "json") save("paragraphs.json", asJson(this.answer, this.keeps), "application/json");
    else save("paragraphs.csv", asCsv(paragraphs, this.keeps, this.labels.names), "text/csv;charset=utf-8");
  }

  // -- a paragraph

  #decorate(place, row) {
    const { label } = this.answer.paragraphs[place];
    const other = this.otherAnswer?.paragraphs[place];
    const differs = other !== undefined && other.label !== label;
    const given = this.given.get(place);
    row.classList.toggle("out", !this.keeps[place]);
    row.classList.toggle("differs", differs);
    row.hidden = this.hidden.has(label) || (other !== undefined && byId("differences").checked && !differs);
    const tags = row.firstChild;
    while (tags.children.length > 1) tags.lastChild.remove();
    if (other) {
      const score = element("span", { class: "score" }, other.score.toFixed(2));
      tags.append(element("span", { class: "also" }, "other model: ", this.labels.badge(other.label, score)));
    }
    if (given) tags.append(element("span", { class: "also" }, "yours: ", this.labels.badge(given)));
  }

  #noWhy() {
    byId("why").replaceChildren(element("p", { class: "empty" }, "Choose a paragraph to see what made its label."));
  }

  async #explain(place, byHand) {
    this.unmark?.();
    this.explaining?.abort();
    const explaining = (this.explaining = new AbortController());
    const { answer, source } = this;
    if (byHand) this.#showTab(byId("tab-why"));
    try {
      const found = await call("v1/tag", { body: { ...source, explain: [place] }, signal: explaining.signal });
      if (this.explaining !== explaining || this.answer !== answer || found.model !== answer.model) return;
      const paragraph = found.paragraphs[place];
      showWhy(byId("why"), {
        place,
        paragraphs: found.paragraphs,
        labels: this.labels,
        go: (index) => this.list.choose(index, { byHand: true }),
        correction: this.#correction(place),
      });
      const target = this.list.row(place).lastChild;
      mark(target, paragraph.text, paragraph.why);
      this.unmark = () => target.replaceChildren(paragraph.text);
    } catch (error) {
      if (error.name === "AbortError") return;
      byId("why").replaceChildren(element("p", { class: "wrong" }, error.message));
    }
  }

  #pressed(event) {
    const label = this.labels.ofKey(event.key);
    if (!this.teacher || (label === undefined && event.key !== "u")) return false;
    if (event.key === "u") this.#undo();
    else if (this.list.place >= 0) this.#correct(this.list.place, label);
    return true;
  }

  // -- teaching

  /** Buttons to say what the paragraph is. */
  #correction(place) {
    if (!this.teacher) return undefined;
    const given = this.given.get(place);
    return element(
      "div",
      { class: "correction", role: "group", "aria-label": "What it is, if you ask me" },
      element("span", { class: "muted" }, given ? "Your label" : "It is"),
      this.labels.names.map((label) =>
        element(
          "button",
          { type: "button", class: "chip", "aria-pressed": String(label === given), onclick: () => this.#correct(place, label) },
          this.labels.badge(label),
        ),
      ),
      given ? element("button", { type: "button", onclick: () => this.#undo() }, "Undo") : null,
    );
  }

  async #correct(place, label) {
    try {
      const { source } = this;
      const isKept = await this.teacher.give(source, this.name, place, label);
      if (isKept && this.source === source) this.#showGiven(`Paragraph ${place + 1} is ${readable(label)}. Kept.`);
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  async #undo() {
    try {
      const undone = await this.teacher.undo();
      if (!undone) this.#tell("There is nothing to undo.");
      else this.#showGiven("Taken back.");
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  async #confirm() {
    try {
      const { source } = this;
      const n = await this.teacher.confirm(source, this.name);
      if (n !== false && this.source === source) this.#showGiven(`${count(n)} more paragraphs are what the model says. Kept.`);
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  /** Shows what the annotator has said of the paragraphs by now. */
  #showGiven(says) {
    this.#takeGiven();
    const before = byId("why").querySelector(".correction");
    if (this.list.place >= 0 && before) {
      const hadFocus = before.contains(document.activeElement);
      const now = this.#correction(this.list.place);
      before.replaceWith(now);
      if (hadFocus) (now.querySelector("[aria-pressed=true]") ?? now.querySelector("button")).focus();
    }
    this.#tell(says);
  }

  #takeGiven() {
    this.given = this.teacher?.given(this.source) ?? new Map();
    this.list.each((place, row) => this.#decorate(place, row));
  }
}
