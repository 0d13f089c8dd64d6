// The operators' board: keys, selection, the alarm's sound, and what to fetch again when something changes.

import { drawCharts, refreshCharts } from "./chart.js";
import { listen, watchStaleness } from "./live.js";
import { drawMaps } from "./map.js";
import "./picture.js";
import { debounced, isTyping, say, whenFree, wire } from "./page.js";
import { sound, toggleSound } from "./sound.js";
import { _ } from "./words.js";

/* global htmx */

const NARROW = "(max-width: 900px)"; // as in app.css: the panes stand below each other
const LIVE_MS = 2_000; // during a live view
const QUEUE_ROWS = "40"; // as in board.py: who asked for more fetches the queue, the others are sent it
let calls = []; // id and priority of each that nobody has taken, whether its row is on the page or not
const refreshQueue = debounced("cases");
const refreshStory = debounced("case");
const opened = new Set(); // ids of the details that are open: they stay so when they come anew
const sent = new WeakMap(); // part of the page -> as the server sent it
let isFirst = true;

const actions = {
  j: () => go(1),
  k: () => go(-1),
  u: nextCall,
  t: () => press("#take"),
  p: () => press('#plan [aria-keyshortcuts="P"]'),
  n: () => openAction("N"),
  d: () => openAction("D"),
  c: () => openAction("C"),
  r: () => openAction("R"),
  v: () => press("#live-view"),
  h: nextSpan,
  g: () => press("#type"),
  s: toggleSound,
  "?": help,
};

wire((target) => {
  markSelected();
  drawCharts();
  drawMaps();
  keepOpen();
  const centre = document.getElementById("centre");
  if (target?.id === "lines" && document.activeElement === document.body) centre.focus({ preventScroll: true }); // a form was sent and is gone
  if (target?.id !== "work") return;
  if (matchMedia(NARROW).matches) target.scrollIntoView();
  if (!isTyping()) centre.focus({ preventScroll: true }); // Tab goes on from the chosen case
});
openDraft();
document.addEventListener("keydown", onKey);
document.addEventListener("toggle", (event) => event.target.id && (event.target.open ? opened.add(event.target.id) : opened.delete(event.target.id)), { capture: true });
document.body.addEventListener("htmx:oobBeforeSwap", skipTheSame);
document.getElementById("queue").addEventListener("click", (event) => event.target.closest("#next-call") && nextCall());
document.getElementById("help-key").addEventListener("click", help);
listen("/operator/live", { hello, queue: onQueue, changed: onChanged, pulse: (message) => show("pulse", message.html) });
setInterval(watchStaleness, 1000);
setInterval(() => sound(waiting(), false), 1000);
setInterval(() => document.querySelector("[data-live]") && htmx.trigger(document.body, "vitals"), LIVE_MS);

// A new beginning of the stream brings the queue again; what else is on the page may have changed meanwhile.
function hello() {
  calls = [];
  if (!isFirst) {
    refreshStory();
    refreshCharts();
    htmx.trigger(document.body, "beside");
  }
  isFirst = false;
}

function onQueue({ html, calls: now }) {
  const before = new Set(calls.map((one) => one.id));
  calls = now;
  const fresh = calls.filter((one) => !before.has(one.id));
  if (fresh.length) sound(waiting(), fresh.some((one) => one.priority === loudest()));
  show("rows", html);
}

function onChanged({ cases }) {
  if (!cases.includes(selected())) return;
  refreshStory();
  htmx.trigger(document.body, "beside"); // it may be mine now, or no longer
}

// As htmx would after fetching it: links work, and what follows a swap follows.
function show(id, html) {
  const target = document.getElementById(id);
  whenFree(target, () => {
    if (id === "rows" && document.getElementById("queue-rows").value !== QUEUE_ROWS) return refreshQueue(); // asked for more meanwhile
    const focused = target.contains(document.activeElement) && document.activeElement.id;
    htmx.swap(target, html, { swapStyle: "innerHTML" });
    if (focused) document.getElementById(focused)?.focus();
  });
}

// Priorities of the calls that nobody has taken.
function waiting() {
  return new Set(calls.map((one) => one.priority));
}

function loudest() {
  return ["high", "medium", "low"].find((priority) => waiting().has(priority));
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
  const untaken = document.querySelectorAll("#queue .row.new:not(.technical)").length; // what is on the page, and calls are on top
  document.title = (untaken ? `(${untaken}) ` : "") + document.title.replace(/^\(\d+\) /, "");
}

// A part that comes anew as it was stays: an open list of doctors, a choice in it, and where the focus is.
function skipTheSame(event) {
  const { target, fragment } = event.detail;
  const fresh = fragment.firstElementChild;
  const text = fresh?.outerHTML;
  if (text && sent.get(target) === text) event.detail.shouldSwap = false;
  else if (fresh) sent.set(fresh, text);
}

function keepOpen() {
  for (const id of opened) {
    const details = document.getElementById(id);
    if (details && !details.open) details.open = true;
  }
}

// After a reload the form stands open in which somebody was writing.
function openDraft() {
  for (const field of document.querySelectorAll("#actions textarea")) if (field.value) field.closest("details").open = true;
}

function onKey(event) {
  if (event.key === "Escape") return escape();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return send(event);
  if (isTyping() || event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
  const digit = /^[1-9]$/.test(event.key) && (() => press(`#plan [aria-keyshortcuts="${event.key}"]`));
  const action = digit || actions[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

// Once, however long the key is held.
function send(event) {
  const { form } = event.target;
  if (form && !event.repeat && !form.classList.contains("htmx-request")) form.requestSubmit();
}

function escape() {
  if (document.getElementById("help").open) return;
  if (isTyping()) document.activeElement.blur();
  else if (location.pathname !== "/operator") document.querySelector(".brand").click();
}

function press(selector) {
  document.querySelector(selector)?.click();
}

// The charts of the card show the next longer time, after the longest the shortest.
function nextSpan() {
  for (const spans of document.querySelectorAll(".chart .spans")) (spans.querySelector("[aria-pressed=true] + button") ?? spans.firstElementChild).click();
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
  if (next) choose(next);
}

// To the next call that nobody has taken, the one that waits longest first: also to one that has no row.
function nextCall() {
  const ids = calls.map((one) => one.id);
  const id = ids[(ids.indexOf(selected()) + 1) % ids.length];
  if (!id) return say(_("There is no call that nobody has taken."));
  const row = document.getElementById(`row-${id}`);
  if (row) return choose(row);
  const path = `/operator/cases/${id}`;
  htmx.ajax("GET", path, { target: "#work" }).then(() => history.pushState({ htmx: true }, "", path));
}

function choose(row) {
  row.scrollIntoView({ block: "nearest" });
  row.click();
}

function help() {
  document.getElementById("help").showModal();
}
