// Steps taken without a connection: kept on the phone in order, shown as done, sent by themselves, and never counted twice.

/* global htmx */

import { say } from "./page.js";
import { _ } from "./words.js";

const STORE = `jiahu-steps-${document.getElementById("rounds").dataset.doctor}`; // another doctor on this phone neither sees nor sends them
const RETRY_MS = 5_000;
const STEP = /^\/doctor\/visits\/(\d+)\//;
const pins = new Map(); // key of a step -> PIN: never written to the phone's memory
let isSending = false;

/** Wire the forms of `main`; `refresh` is called when something kept was sent. */
export function keepSteps(main, refresh) {
  main.addEventListener("htmx:configRequest", (event) => {
    const form = event.detail.elt;
    if (!STEP.test(event.detail.path) || !form.matches("form")) return;
    form.dataset.key ??= newKey();
    form.dataset.said ??= new Date().toISOString();
    event.detail.headers["Idempotency-Key"] = form.dataset.key;
    event.detail.headers["Said-At"] = form.dataset.said;
  });
  main.addEventListener("htmx:responseError", (event) => {
    const { key } = event.detail.elt.dataset;
    if (key) for (const name of ["key", "said"]) delete event.detail.elt.dataset[name]; // refused: the next try is a new step
  });
  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    main.addEventListener(failure, (event) => {
      const form = event.detail.elt;
      if (!form.dataset?.next) return;
      event.stopPropagation();
      keep(event.detail.pathInfo.finalRequestPath, form, event.detail.requestConfig.parameters);
    });
  }
  main.addEventListener("htmx:afterSettle", show);
  addEventListener("online", () => send(refresh));
  setInterval(() => send(refresh), RETRY_MS);
  show();
  send(refresh);
}

/** True while steps wait: what the server shows of these visits is older than what the phone shows. */
export function hasKept() {
  return kept().length > 0;
}

function keep(path, form, parameters) {
  const entries = parameters instanceof FormData ? [...parameters.entries()] : Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const { key, said, next } = form.dataset;
  const pin = entries.find(([name]) => name === "pin");
  if (pin) pins.set(key, pin[1]);
  const steps = kept().filter((step) => step.key !== key);
  steps.push({ key, said, next, path, fields: entries.filter(([name]) => name !== "pin"), pin: Boolean(pin) });
  localStorage.setItem(STORE, JSON.stringify(steps));
  show();
}

function kept() {
  return JSON.parse(localStorage.getItem(STORE) ?? "[]");
}

/** Show each visit as it is after the steps that wait. */
function show() {
  for (const { path, next } of kept()) {
    const card = document.querySelector(`article.visit-card[data-visit="${STEP.exec(path)[1]}"]`);
    if (!card) continue;
    card.dataset.state = next;
    card.querySelector(".queued").hidden = false;
  }
}

async function send(refresh) {
  if (isSending || !hasKept()) return;
  isSending = true;
  try {
    while (hasKept() && (await sendOne(kept()[0]))) refresh();
  } finally {
    isSending = false;
  }
}

/** Send the oldest step. True when it is off the list: taken by the server, or refused by it for good. */
async function sendOne(step) {
  const body = new URLSearchParams(step.fields);
  if (step.pin) {
    const pin = pins.get(step.key) ?? prompt(_("There is a connection again. Please sign with your PIN."));
    if (pin === null) return false;
    body.set("pin", pin);
  }
  const headers = { "HX-Request": "true", "Idempotency-Key": step.key, "Said-At": step.said };
  let answer;
  try {
    answer = await fetch(step.path, { method: "POST", headers, body });
  } catch {
    return false;
  }
  if (answer.status >= 500 || answer.status === 401) return false;
  if (!answer.ok) say(await answer.text());
  if (answer.status === 422 && step.pin) {
    pins.delete(step.key); // a wrong PIN loses nothing: it is asked for again
    return false;
  }
  localStorage.setItem(STORE, JSON.stringify(kept().filter(({ key }) => key !== step.key)));
  return true;
}

function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
