// The page: which of its views is shown, and what all of them share.

import { call, onModel } from "./api.js";
import { byId } from "./dom.js";
import { Labels } from "./labels.js";
import { showModel } from "./model.js";
import { Teach } from "./teach.js";
import { Teacher } from "./teacher.js";
import { Try } from "./try.js";

const VIEWS = ["try", "teach", "model"];

let teaching = null;
const trying = new Try(); // at once, to miss nothing that is pasted or dropped
let name = null;

/** Shows the view that the address names. */
async function show() {
  const wanted = location.hash.slice(2);
  const view = VIEWS.includes(wanted) && (wanted !== "teach" || teaching) ? wanted : "try";
  for (const one of VIEWS) byId(one).hidden = one !== view;
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.hash === `#/${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = view === "try" ? "boilertag" : `${view[0].toUpperCase()}${view.slice(1)} – boilertag`;
  if (view === "model") await showModel();
  if (view === "teach") await teaching.show(new Labels((await call("v1/model")).labels), queue());
}

/** The queue that the address asks for, once. */
function queue() {
  const address = new URL(location.href);
  const id = address.searchParams.get("queue");
  address.searchParams.delete("queue");
  history.replaceState(null, "", address);
  return id;
}

/** Takes up another model as soon as it answers. */
async function modelChanged(now) {
  if (now === name || now === "none") return;
  name = now;
  byId("model-name").textContent = now;
  const { models } = await call("v1/models");
  await trying.setModels(models);
}

const look = () => call("v1/models").catch(tell);

function tell(error) {
  byId("try-status").textContent = error.message;
  byId("try-status").classList.add("wrong");
}

async function start() {
  await show();
  const teacher = await Teacher.find();
  trying.setTeacher(teacher);
  onModel((now) => modelChanged(now).catch(tell));
  if (teacher) {
    teaching = new Teach(teacher);
    byId("teach-link").hidden = false;
    if (new URL(location.href).searchParams.has("queue")) location.hash = "#/teach";
    await show();
  }
  await look();
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
window.addEventListener("hashchange", () => show().catch(tell));
document.addEventListener("visibilitychange", () => document.hidden || look()); // there may be a new model
start().catch(tell);
