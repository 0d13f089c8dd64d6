// The server's time in the browser, and everything that ticks: ages, time left, the clock in the header.

import { _ } from "./words.js";

const OVERDUE_S = 60; // an alarm call is answered within 60 s, and investigated when that took more than 180 (TSA code; as in backend/cases/escalation.py)
const FLAGGED_S = 180;
let offsetMs = 0;

/** Zone of all times on the page, whatever the zone of the browser: the one the server writes its own times in. */
export const ZONE = document.body.dataset.zone;
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit" });

/** Take the server's time from a live message. */
export function setServerTime(iso) {
  offsetMs = Date.parse(iso) - Date.now();
}

/** Milliseconds since 1970 by the server's clock. */
export function serverNow() {
  return Date.now() + offsetMs;
}

/** h:m:s in the browser's zone. */
export function clockText(ms) {
  return CLOCK.format(ms);
}

/** Year-month-day in the same zone. */
export function dayText(ms) {
  return DAY.format(ms);
}

/** How long, in the two largest units; the same words as the server's. */
function sinceText(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return _("%(s)s s", { s });
  if (s < 3600) return _("%(m)s min %(s)s s", { m: Math.floor(s / 60), s: s % 60 });
  if (s < 86400) return _("%(h)s h %(m)s min", { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
  return _("%(d)s d %(h)s h", { d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600) });
}

/** Bring all times of the page up to date. */
export function tick() {
  const now = serverNow();
  for (const time of document.querySelectorAll("time.age")) setText(time, sinceText(now - Date.parse(time.dateTime)));
  for (const time of document.querySelectorAll("time.until")) tickUntil(time, Date.parse(time.dateTime) - now);
  for (const state of document.querySelectorAll("[data-waiting-since]")) tickWaiting(state, Math.floor((now - Date.parse(state.dataset.waitingSince)) / 1000));
  const clock = document.getElementById("clock");
  if (clock) setText(clock, clockText(now));
}

function tickUntil(time, leftMs) {
  const s = Math.ceil(leftMs / 1000);
  setText(time, s <= 0 ? _("time is up") : s < 180 ? _("%(s)s s left", { s }) : _("%(m)s min left", { m: Math.ceil(s / 60) }));
  time.classList.toggle("soon", leftMs < 20_000);
}

// A call that waits: the same words as in parts.html.
function tickWaiting(state, s) {
  state.classList.toggle("overdue", s >= OVERDUE_S);
  if (s < OVERDUE_S) setText(state, _("take within %(s)s s", { s: OVERDUE_S - Math.max(s, 0) }));
  else if (s < FLAGGED_S) setText(state, _("Not taken for 60 s! Flag in %(s)s s", { s: FLAGGED_S - s }));
  else setText(state, _("Not taken for 180 s!"));
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
