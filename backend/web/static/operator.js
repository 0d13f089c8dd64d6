// The operators' board: keys, selection, the alarm's sound, and what to fetch again when something changes.

import { drawCharts, refreshCharts } from "./chart.js";
import { listen, watchStaleness } from "./live.js";
import { debounced, isTyping, say, wire } from "./page.js";
import { ring } from "./sound.js";
import { _ } from "./words.js";

/* global htmx */

const RING_AGAIN_MS = 8_000;
const NARROW = "(max-width: 900px)"; // as in app.css: the panes stand below each other
const QUEUE_ROWS = "40"; // as in board.py: who asked for more fetches the queue, the others are sent it
let states = new Map(); // id of a case at the head of the queue -> the case
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
listen("/operator/live", { hello, queue: onQueue, changed: onChanged, pulse: (message) => show("pulse", message.html) });
setInterval(watchStaleness, 1000);
setInterval(() => hasUntakenHigh() && ring(), RING_AGAIN_MS);

// A new beginning of the stream brings the queue again; what else is on the page may have changed meanwhile.
function hello() {
  states = new Map();
  if (!isFirst) {
    if (selected()) storyOf(selected())();
    refreshCharts();
    htmx.trigger(document.body, "beside");
  }
  isFirst = false;
}

function onQueue({ html, cases }) {
  const before = states;
  states = new Map(cases.map((one) => [one.id, one]));
  if (cases.some((one) => isCall(one) && !isCall(before.get(one.id)))) ring();
  if (document.getElementById("queue-rows").value === QUEUE_ROWS) show("rows", html);
  else refreshQueue();
}

function onChanged({ cases }) {
  if (cases.includes(selected())) storyOf(selected())();
}

// As htmx would after fetching it: links work, and what follows a swap follows.
function show(id, html) {
  const target = document.getElementById(id);
  const focused = target.contains(document.activeElement) && document.activeElement.id;
  htmx.swap(target, html, { swapStyle: "innerHTML" });
  if (focused) document.getElementById(focused)?.focus();
}

function isCall(one) {
  return one?.priority === "high" && one.state === "new" && one.condition !== "cancelled";
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
