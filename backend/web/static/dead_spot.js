// Steps taken without a connection: kept on the phone in order, shown as done, sent by themselves, and never counted twice.
// One that the server refuses for good stays on the page with the reason, and what was typed with it, until the doctor discards it.

import { forget, say } from "./page.js";
import { _ } from "./words.js";

const STORE = `jiahu-steps-${document.getElementById("rounds").dataset.doctor}`; // another doctor on this phone neither sees nor sends them
const RETRY_MS = 5_000;
const STEP = /^(\/doctor\/(?:visits|stops)\/\d+)\/([a-z-]+)$/;
const WRONG_PIN = 403;
const GONE = [404, 409]; // somebody else makes the visit, or it has gone on
const box = document.getElementById("kept");
const pins = new Map(); // key of a step -> PIN: never written to the phone's memory
let isSending = false;
let refresh = () => {};

/** Wire the forms of `main`; `onSent` is called when something kept was sent or refused. */
export function keepSteps(main, onSent) {
  refresh = onSent;
  main.addEventListener("htmx:configRequest", (event) => {
    const form = event.target;
    if (!STEP.test(event.detail.path) || !form.matches("form")) return;
    form.dataset.key ??= newKey();
    form.dataset.said ??= new Date().toISOString();
    event.detail.headers["Idempotency-Key"] = form.dataset.key;
    event.detail.headers["Said-At"] = form.dataset.said;
  });
  main.addEventListener("htmx:responseError", (event) => {
    const form = event.target;
    const { xhr, pathInfo, requestConfig } = event.detail;
    if (!form.dataset.key) return;
    if (GONE.includes(xhr.status)) {
      if (form.querySelector("textarea")) keep(pathInfo.finalRequestPath, form, requestConfig.parameters, { refused: xhr.responseText, status: xhr.status });
      form.closest(".visit-card")?.remove();
      refresh();
    }
    for (const name of ["key", "said"]) delete form.dataset[name]; // refused: the next try is a new step
  });
  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    main.addEventListener(failure, (event) => {
      const form = event.target;
      if (!form.dataset?.next) return;
      event.stopPropagation();
      keep(event.detail.pathInfo.finalRequestPath, form, event.detail.requestConfig.parameters);
    });
  }
  main.addEventListener("htmx:afterSettle", show);
  box.addEventListener("submit", sign);
  box.addEventListener("click", act);
  addEventListener("online", send);
  setInterval(send, RETRY_MS);
  show();
  send();
}

/** True while steps wait: what the server shows of these visits is older than what the phone shows. */
export function hasKept() {
  const steps = kept();
  return steps.some((step) => !isStuck(step, steps));
}

/** True for a step that is the doctor's to decide: refused, or unsigned and behind a refused one of the same visit. */
function isStuck(step, steps) {
  const isUnsigned = step.pin && !pins.has(step.key);
  return Boolean(step.refused) || (isUnsigned && steps.some((one) => one.refused && subject(one) === subject(step)));
}

function keep(path, form, parameters, answer = {}) {
  const entries = parameters instanceof FormData ? [...parameters.entries()] : Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  const { key, said, next } = form.dataset;
  const { name = "", state: from } = form.closest(".visit-card")?.dataset ?? {};
  const labels = Object.fromEntries([...form.elements].filter((field) => field.name).map((field) => [field.name, labelOf(field)]));
  const chosen = Object.fromEntries([...form.querySelectorAll("select")].map((field) => [field.name, field.selectedOptions[0]?.textContent]));
  const pin = entries.find(([field]) => field === "pin");
  if (pin) pins.set(key, pin[1]);
  const fields = entries.filter(([field]) => field !== "pin");
  write([...kept().filter((step) => step.key !== key), { key, said, next, path, name, fields, labels, chosen, from, pin: Boolean(pin), ...answer }]);
  forget(form);
}

function kept() {
  return JSON.parse(localStorage.getItem(STORE) ?? "[]");
}

function write(steps) {
  localStorage.setItem(STORE, JSON.stringify(steps));
  show();
}

function change(key, values) {
  write(kept().map((step) => (step.key === key ? { ...step, ...values } : step)));
}

function drop(keys) {
  write(kept().filter((step) => !keys.includes(step.key)));
}

const cardOf = (step) => document.querySelector(`article.visit-card[data-steps="${subject(step)}"]`);
const subject = (step) => STEP.exec(step.path)[1];

/** Show each visit as it is after the steps that wait, and above the page what needs the doctor: a PIN, or a decision on what was refused. */
function show() {
  const steps = kept();
  for (const note of document.querySelectorAll(".visit-card .queued")) note.hidden = true;
  for (const step of steps.filter((one) => !isStuck(one, steps))) {
    const card = cardOf(step);
    if (!card) continue;
    card.dataset.state = step.next;
    card.querySelector(".queued").hidden = false;
  }
  const unsigned = steps.filter((step) => step.pin && !pins.has(step.key) && !isStuck(step, steps));
  const refused = new Map();
  for (const step of steps.filter((one) => isStuck(one, steps))) refused.set(subject(step), [...(refused.get(subject(step)) ?? []), step]);
  const news = JSON.stringify([unsigned.map(({ key, wrong }) => [key, wrong]), [...refused]]);
  if (box.dataset.shown === news) return; // nobody's half-typed PIN is taken away
  box.dataset.shown = news;
  box.replaceChildren(...unsigned.map(toSign), ...[...refused].map(([path, group]) => toDecide(path, group)));
  box.hidden = box.childElementCount === 0;
}

function toSign(step) {
  const form = element("form", "unsigned");
  form.dataset.key = step.key;
  const label = element("label", "", _("PIN, as your signature"));
  const field = element("input");
  Object.assign(field, { type: "password", inputMode: "numeric", autocomplete: "off", maxLength: 12, required: true });
  label.append(" ", field);
  form.append(element("b", "", step.name), element("p", "", step.wrong ?? _("What you wrote down is kept on this phone and waits for your signature.")), label, element("button", "main", _("Sign and send")));
  return form;
}

function toDecide(path, steps) {
  const article = element("article", "refused");
  article.dataset.path = path;
  const typed = element("dl");
  for (const [field, value] of steps.flatMap(typedIn)) typed.append(element("dt", "", field), element("dd", "", value));
  const buttons = element("p", "links");
  const last = steps.at(-1);
  if (typed.childElementCount) {
    if (last.refused && !GONE.includes(last.status) && formOf(path, last)) buttons.append(button("correct", _("Correct it")));
    buttons.append(button("copy", _("Copy")), button("note", _("Keep as a note")));
  }
  buttons.append(button("discard", _("Discard")));
  article.append(element("b", "", _("%(name)s: this was not taken", { name: steps[0].name })), element("p", "reason", steps.find((step) => step.refused).refused), typed, buttons);
  return article;
}

/** What the doctor typed or chose in a step, as [label, value]; which forms were picked says nothing by itself. */
function typedIn({ fields, labels, chosen }) {
  const said = fields.filter(([field, value]) => field !== "sheet" && value !== "");
  return said.map(([field, value]) => [labels[field] || field, chosen?.[field] || value]);
}

function labelOf(field) {
  const label = field.closest("label");
  return label ? [...label.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.textContent.trim()).join(" ").trim() : "";
}

function formOf(path, step) {
  return document.querySelector(`article.visit-card[data-steps="${path}"] form[hx-post="${step.path}"]`);
}

function sign(event) {
  event.preventDefault();
  pins.set(event.target.dataset.key, event.target.querySelector("input").value);
  change(event.target.dataset.key, { wrong: undefined });
  send();
}

async function act(event) {
  const chosen = event.target.closest("[data-act]");
  if (!chosen) return;
  const { path } = chosen.closest(".refused").dataset;
  const all = kept();
  const steps = all.filter((step) => isStuck(step, all) && subject(step) === path);
  const text = steps.flatMap(typedIn).map(([field, value]) => `${field}: ${value}`).join("\n");
  if (chosen.dataset.act === "copy") await copy(text);
  if (chosen.dataset.act === "note" && !(await sendNote(path, text, steps[0].key))) return;
  if (chosen.dataset.act === "correct") putBack(path, steps.at(-1));
  if (chosen.dataset.act !== "copy") drop(steps.map(({ key }) => key));
  refresh();
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(_("Copied."));
  } catch {
    say(text); // no clipboard without HTTPS: there it can be marked by hand
  }
}

/** Keep what was typed with the visit, whoever makes it now. The same key as the refused step: sent twice, it is one note. */
async function sendNote(path, text, key) {
  try {
    const headers = { "HX-Request": "true", "Idempotency-Key": key, "Said-At": new Date().toISOString() };
    const answer = await fetch(`${path}/note`, { method: "POST", headers, body: new URLSearchParams({ text: text.slice(0, 2000) }) });
    say(answer.ok ? _("Kept as a note with the visit.") : await answer.text());
    return answer.ok;
  } catch {
    say(_("There is no connection. It stays on this phone."));
    return false;
  }
}

function putBack(path, step) {
  const form = formOf(path, step);
  for (const field of form.elements) {
    if (field.name === "pin" || !field.name) continue;
    const values = step.fields.filter(([name]) => name === field.name).map(([, value]) => value);
    if (field.type === "checkbox") field.checked = values.includes(field.value);
    else field.value = values[0] ?? "";
    if (field.name === "sheet") field.dispatchEvent(new Event("change", { bubbles: true }));
    else field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  form.scrollIntoView();
}

async function send() {
  if (isSending) return;
  isSending = true;
  try {
    let step;
    while ((step = next()) && (await sendOne(step))) refresh();
  } finally {
    isSending = false;
  }
}

/** The oldest step that can go: a step waits for those before it of the same visit, and for its PIN. */
function next() {
  const held = new Set();
  const steps = kept();
  for (const step of steps) {
    if (isStuck(step, steps)) continue;
    if (!held.has(subject(step)) && (!step.pin || pins.has(step.key))) return step;
    held.add(subject(step));
  }
  return undefined;
}

/** Send a step. True when the server has spoken: it took it, refused it for good, or wants another PIN. */
async function sendOne(step) {
  const body = new URLSearchParams(step.fields);
  if (step.pin) body.set("pin", pins.get(step.key));
  const headers = { "HX-Request": "true", "Idempotency-Key": step.key, "Said-At": step.said };
  let answer;
  let words;
  try {
    answer = await fetch(step.path, { method: "POST", headers, body });
    words = answer.ok ? "" : await answer.text();
  } catch {
    return false;
  }
  if (answer.status >= 500 || answer.status === 401 || answer.status === 429) return false; // later, or after signing in again
  if (answer.ok) {
    drop([step.key]);
  } else if (answer.status === WRONG_PIN && step.pin) {
    pins.delete(step.key);
    change(step.key, { wrong: words });
  } else {
    const card = cardOf(step);
    if (GONE.includes(answer.status)) card?.remove();
    else if (card) card.dataset.state = step.from ?? card.dataset.state;
    change(step.key, { refused: words, status: answer.status });
  }
  return true;
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function button(act, text) {
  const made = element("button", "", text);
  made.type = "button";
  made.dataset.act = act;
  return made;
}

function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
