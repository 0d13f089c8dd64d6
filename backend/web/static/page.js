// What the operators' and the doctors' page share: what happens around a swap of htmx, and plain words when something goes wrong.

/* global htmx */

import { tick } from "./clock.js";
import { _ } from "./words.js";

const TOAST_MS = 15_000;
const FREE_MS = 200;
const CLICK_MS = 350; // after a finger is lifted, until its click has come
const PRESS_MS_MAX = 5_000; // whose end was never told
const toast = document.getElementById("toast");
const DRAFT = `draft:${document.body.dataset.account}:`; // what was typed and not sent stays in this tab, through reloads, until it is sent
const drafts = new Map(); // id of a field -> what was typed or chosen and not sent, the newest last
const waiting = new Map(); // part of the page -> what is to be done to it when it is free
let hideToast = 0;
let isHeld = () => false;
let pressed = null; // what a finger, a mouse or a key is on
let pressedUntil = 0;

toast.querySelector("button").addEventListener("click", () => (toast.hidden = true));

/** Say something that must be read. */
export function say(text) {
  toast.querySelector("span").textContent = text;
  toast.hidden = false;
  clearTimeout(hideToast);
  hideToast = setTimeout(() => (toast.hidden = true), TOAST_MS);
}

/** True while a person types: keys and refreshes keep away. */
export function isTyping(within = document) {
  const field = document.activeElement;
  return Boolean(field?.matches("input, textarea, select, [contenteditable]") && within.contains(field));
}

/** Do something to a part of the page once nobody presses there, none of its forms is on its way and the page does not hold it: a click
 * whose button has been replaced is lost without a word, and so are words typed into a field that has gone. Of several for one part the last. */
export function whenFree(part, act) {
  const isFirst = !waiting.has(part);
  waiting.set(part, act);
  if (isFirst) proceed(part);
}

function proceed(part) {
  const now = part.isConnected ? part : document.getElementById(part.id);
  if (now && isBusy(now)) return setTimeout(proceed, FREE_MS, part);
  const act = waiting.get(part);
  waiting.delete(part);
  if (now) act();
}

// `data-with` names what else is replaced with a part.
function isBusy(part) {
  const whole = part.closest(part.dataset.with ?? "*");
  const isPressed = performance.now() < pressedUntil && whole.contains(pressed);
  return isPressed || whole.querySelector("form.htmx-request") !== null || isHeld(part);
}

function watchPresses() {
  const hold = (target, ms) => {
    pressed = target;
    pressedUntil = performance.now() + ms;
  };
  for (const begin of ["pointerdown", "keydown"]) document.addEventListener(begin, ({ target }) => hold(target, PRESS_MS_MAX), { capture: true });
  for (const end of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(end, () => hold(pressed, CLICK_MS), { capture: true });
}

/** A part that fetches itself anew, or has done so, waits until it is free and fetches then; but what is nobody's to see goes at once. */
function waitToRefresh(event) {
  const { target, requestConfig } = event.detail;
  const { elt, verb, triggeringEvent } = requestConfig;
  const why = triggeringEvent?.type; // none where it asks every few seconds anyhow
  if (verb !== "get" || elt !== target || why === "rights" || !isBusy(target)) return;
  event.preventDefault();
  if (why) whenFree(target, () => htmx.trigger(document.body, why));
}

/** Trigger an htmx event on the body, at most once per `gapMs`: a flood of messages is one refresh, the last one never lost. */
export function debounced(name, gapMs = 250) {
  let last = 0;
  let waiting = 0;
  return () => {
    if (waiting) return;
    waiting = setTimeout(() => {
      waiting = 0;
      last = performance.now();
      htmx.trigger(document.body, name);
    }, Math.max(0, last + gapMs - performance.now()));
  };
}

/** Wire the page: drafts, errors, ticking; `afterSwap` runs after every swap with what was swapped, `holds` says what else keeps a part as it is. */
export function wire(afterSwap, holds = isHeld) {
  isHeld = holds;
  watchPresses();
  for (const moment of ["htmx:beforeRequest", "htmx:beforeSwap"]) document.body.addEventListener(moment, waitToRefresh);
  document.body.addEventListener("input", (event) => keepDraft(event.target));
  document.querySelector('form[action="/sign-out"]')?.addEventListener("submit", forgetAll);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    restoreDrafts();
    tick();
    afterSwap(event.detail.target);
  });
  document.body.addEventListener("htmx:beforeSwap", ({ detail: { requestConfig, isError } }) => {
    if (!isError && requestConfig.elt.matches("form")) forget(requestConfig.elt);
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    const { responseText, status } = event.detail.xhr;
    if (event.detail.elt.matches("form")) say(status < 502 && responseText ? responseText : _("The server cannot do this at the moment."));
  });
  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    document.body.addEventListener(failure, (event) => event.detail.elt.matches("form") && say(_("No connection: nothing was sent, and what you typed is still here.")));
  }
  readDrafts();
  restoreDrafts();
  tick();
  setInterval(tick, 1000);
  afterSwap();
}

// Texts and choices are kept by the browser too; a PIN never is.
function keepDraft(field) {
  if (!field.id) return;
  drafts.delete(field.id);
  drafts.set(field.id, { value: field.value, checked: field.checked });
  if (field.matches("textarea, select")) sessionStorage.setItem(DRAFT + field.id, field.value);
}

function readDrafts() {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith(DRAFT)) drafts.set(key.slice(DRAFT.length), { value: sessionStorage.getItem(key) });
  }
}

function forgetAll() {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith("draft:")) sessionStorage.removeItem(key);
}

/** What is in the form has been sent, or is kept elsewhere. */
export function forget(form) {
  for (const field of form.elements) {
    drafts.delete(field.id);
    sessionStorage.removeItem(DRAFT + field.id);
  }
  if (!("reset" in form.dataset)) return;
  form.reset();
  form.closest("details").open = false;
  if (form.contains(document.activeElement)) document.activeElement.blur(); // and the keys are the page's again
}

function restoreDrafts() {
  for (const [id, { value, checked }] of drafts) {
    const field = document.getElementById(id);
    if (field?.matches("[type=checkbox], [type=radio]")) {
      if (field.checked === checked) continue;
      field.checked = checked;
      field.dispatchEvent(new Event("change", { bubbles: true })); // what it opens opens again
    } else if (field && field.value !== value) {
      field.value = value;
    }
  }
}
