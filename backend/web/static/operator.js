// The operators' board: keys, selection, the alarm's sound, and what to fetch again when something changes.

import { drawCharts, refreshCharts } from "./chart.js";
import { listen, watchStaleness } from "./live.js";
import { debounced, isTyping, say, wire } from "./page.js";
import { ring } from "./sound.js";
import { _ } from "./words.js";

/* global htmx */

const RING_AGAIN_MS = 8_000;
const NARROW = "(max-width: 900px)"; // as in app.css: the panes stand below each other
const states = new Map(); // id of an open case -> the case
const refreshQueue = debounced("cases");
const refreshStory = new Map(); // id of a case -> its debounced trigger
let isFirst = true;

const actions = { t: take, p: call, n: () => openAction("N"), d: () => openAction("D"), c: () => openAction("C"), j: () => go(1), k: () => go(-1), "?": help };

wire((target) => {
  markSelected();
  drawCharts();
  if (target?.id === "work" && matchMedia(NARROW).matches) target.scrollIntoView();
});
document.addEventListener("keydown", onKey);
document.getElementById("help-key").addEventListener("click", help);
listen({ hello, case: onCase, alert: onAlert, visit: onVisit, gone: (message) => message.kind === "case" && states.delete(message.id) });
setInterval(watchStaleness, 1000);
setInterval(() => hasUntakenHigh() && ring(), RING_AGAIN_MS);

// A new beginning of the stream sends everything open again: what is not among it has ended meanwhile.
function hello() {
  states.clear();
  if (!isFirst) {
    refreshQueue();
    if (selected()) storyOf(selected())();
    refreshCharts();
  }
  isFirst = false;
}

function onCase(one) {
  const before = states.get(one.id);
  if (one.state === "closed") states.delete(one.id);
  else states.set(one.id, one);
  if (isCall(one) && !isCall(before)) ring();
  refreshQueue();
  storyOf(one.id)();
}

function isCall(one) {
  return one?.priority === "high" && one.state === "new" && !one.is_muted && one.condition !== "cancelled";
}

function onAlert(alert) {
  refreshQueue();
  if (alert.case_id) storyOf(alert.case_id)();
}

// Which case a visit belongs to is the server's knowledge: the one that is shown looks again.
function onVisit() {
  refreshQueue();
  if (selected()) storyOf(selected())();
}

function storyOf(id) {
  if (!refreshStory.has(id)) refreshStory.set(id, debounced(`case-${id}`));
  return refreshStory.get(id);
}

function hasUntakenHigh() {
  return [...states.values()].some(isCall);
}

function selected() {
  return Number(document.getElementById("side")?.dataset.case) || null;
}

function markSelected() {
  const id = selected();
  for (const row of document.querySelectorAll("#queue .row")) {
    if (Number(row.dataset.id) === id) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  const untaken = document.querySelectorAll("#queue .row.new").length;
  document.title = (untaken ? `(${untaken}) ` : "") + document.title.replace(/^\(\d+\) /, "");
}

function onKey(event) {
  if (event.key === "Escape") return escape();
  if (isTyping() || event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
  const action = actions[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

function escape() {
  if (document.getElementById("help").open) return;
  if (isTyping()) document.activeElement.blur();
  else if (location.pathname !== "/operator") document.querySelector(".brand").click();
}

function take() {
  document.getElementById("take")?.click();
}

function call() {
  document.querySelector('#plan [aria-keyshortcuts="P"]')?.click();
}

function openAction(key) {
  const summary = document.querySelector(`#actions summary[aria-keyshortcuts="${key}"]`);
  if (!summary) return say(_("Choose a case first: J and K move through the queue."));
  summary.parentElement.open = true;
  summary.parentElement.querySelector("[data-first]").focus();
}

function go(step) {
  const rows = [...document.querySelectorAll("#queue .row")];
  const current = rows.findIndex((row) => row.hasAttribute("aria-current"));
  const next = rows[current < 0 ? (step > 0 ? 0 : rows.length - 1) : current + step];
  if (!next) return;
  next.scrollIntoView({ block: "nearest" });
  next.click();
}

function help() {
  document.getElementById("help").showModal();
}
