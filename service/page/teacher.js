// What people say of paragraphs: kept on the server under their name, and taken back again.

import { call, Problem } from "./api.js";
import { byId } from "./dom.js";

const NAME = "boilertag-annotator";

export class Teacher extends EventTarget {
  #documents = new Map(); // by the JSON of what was tagged: its id, and what was said of its paragraphs
  #done = []; // what can be taken back, oldest first

  /** The teacher, or null where the service keeps no corrections. */
  static async find() {
    try {
      await call("v1/queues");
      return new Teacher();
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    }
  }

  get annotator() {
    return localStorage.getItem(NAME) ?? "";
  }

  set annotator(name) {
    if (name === this.annotator) return;
    if (name) localStorage.setItem(NAME, name);
    else localStorage.removeItem(NAME);
    this.#documents.clear();
    this.#done = [];
    this.#changed();
  }

  /** What the annotator said of a document's paragraphs, by place; empty before anything was. */
  given(source) {
    return this.#documents.get(JSON.stringify(source))?.given ?? new Map();
  }

  /** Gives a paragraph of a tagged source a label; false where nobody gave a name to keep it under. */
  async give(source, name, place, label) {
    if (!(await this.#hasName())) return false;
    const document = await this.#keep(source, name);
    const before = document.given.get(place);
    const { id } = await this.#correct(document.id, place, label);
    document.given.set(place, label);
    this.#done.push({ id, label, source, place, undo: () => set(document.given, place, before) });
    this.#changed();
    return true;
  }

  /** Gives every paragraph that has none yet the model's label; how many there were, or false. */
  async confirm(source, name) {
    if (!(await this.#hasName())) return false;
    const document = await this.#keep(source, name);
    const { id, paragraphs } = await call(`v1/documents/${document.id}/confirm`, { body: { annotator: this.annotator } });
    if (id !== null) {
      await this.#load(document);
      this.#done.push({ id, source, undo: () => this.#load(document) });
      this.#changed();
    }
    return paragraphs;
  }

  /** Answers an item of a queue. */
  async answer(item, label) {
    const { id } = await this.#correct(item.document, item.index, label);
    this.#done.push({ id, label, item, undo: () => {} });
    this.#changed();
  }

  /** Takes back the last thing said here; what it was, or null where there is none. */
  async undo() {
    const last = this.#done.at(-1);
    if (!last) return null;
    await this.takeBack(last.id);
    return last;
  }

  /** Takes back a correction of the annotator's own. */
  async takeBack(id) {
    await call(`v1/corrections/${id}?annotator=${encodeURIComponent(this.annotator)}`, { method: "DELETE" });
    const at = this.#done.findIndex((one) => one.id === id);
    if (at >= 0) await this.#done.splice(at, 1)[0].undo();
    else this.#documents.clear();
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #correct(document, index, label) {
    return call("v1/corrections", { body: { annotator: this.annotator, document, index, label } });
  }

  async #keep(source, name) {
    const key = JSON.stringify(source);
    let document = this.#documents.get(key);
    if (!document) {
      // Known before it is kept: the next key may be pressed meanwhile.
      document = { given: new Map() };
      this.#documents.set(key, document);
      document.kept = this.#open(document, name ? { ...source, name: name.slice(0, 200) } : source);
      document.kept.catch(() => this.#documents.delete(key));
    }
    await document.kept;
    return document;
  }

  async #open(document, body) {
    ({ id: document.id } = await call("v1/documents", { body }));
    await this.#load(document);
  }

  async #load(document) {
    const { paragraphs } = await call(`v1/documents/${document.id}?annotator=${encodeURIComponent(this.annotator)}`);
    document.given.clear();
    for (const { index, given } of paragraphs) if (given !== null) document.given.set(index, given);
  }

  async #hasName() {
    if (!this.annotator) this.annotator = await askForName();
    return this.annotator !== "";
  }
}

function set(map, key, value) {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

/** The name that somebody types; empty where they would rather not. */
function askForName() {
  const dialog = byId("name-dialog");
  const input = byId("name");
  const back = document.activeElement;
  return new Promise((resolve) => {
    let name = "";
    byId("name-form").onsubmit = (event) => {
      event.preventDefault();
      name = input.value.trim();
      dialog.close();
    };
    byId("name-cancel").onclick = () => dialog.close();
    dialog.onclose = () => {
      back?.focus();
      resolve(name);
    };
    dialog.showModal();
  });
}
