// Calls to the service. All addresses are relative, so that the page works behind a proxy's path too.

import { byId } from "./dom.js";

const KEY = "boilertag-key";
const RETRIES = 8;

/** An error that the service tells of (RFC 9457), or that it could not be reached. */
export class Problem extends Error {
  constructor(details) {
    super(details.detail ?? details.title);
    this.status = details.status;
    this.kind = (details.type ?? "").split(":").pop();
  }
}

let modelChanged = () => {};

/** Asks to be told the name of the model that answers, when it is another than before. */
export function onModel(listener) {
  modelChanged = listener;
}

/** What the service answers, as JSON. `body` is sent as JSON, a Blob as it is. */
export async function call(path, options = {}) {
  return (await request(path, options)).json();
}

/** What the service answers, as a file. */
export async function file(path) {
  return (await request(path, {})).blob();
}

async function request(path, { method, body, signal, other = false }) {
  for (let tries = 0; ; tries++) {
    const response = await send(path, method ?? (body === undefined ? "GET" : "POST"), body, signal);
    if (response.ok) {
      if (!other) modelChanged(response.headers.get("Boilertag-Model"));
      return response;
    }
    const details = await response.json().catch(() => ({ title: response.statusText, status: response.status }));
    if (response.status === 401) {
      await askForKey(sessionStorage.getItem(KEY) !== null);
    } else if (response.status !== 503 || tries === RETRIES) {
      throw new Problem(details);
    } else {
      await wait(150 * (tries + 1), signal);
    }
  }
}

async function send(path, method, body, signal) {
  const headers = { Accept: "application/json" };
  const key = sessionStorage.getItem(KEY);
  if (key !== null) headers.Authorization = `Bearer ${key}`;
  if (body instanceof Blob) headers["Content-Type"] = "application/octet-stream";
  else if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers,
      signal,
      body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "The service can't be reached." });
  }
}

function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

let asking = null;

/** Asks for the key, once for all requests that wait for it. */
function askForKey(wasWrong) {
  asking ??= new Promise((resolve) => {
    const dialog = byId("key-dialog");
    const input = byId("key");
    byId("key-wrong").textContent = wasWrong ? "That is none of this service's keys." : "";
    input.value = "";
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, input.value.trim());
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.showModal();
  });
  return asking;
}
