// The server's time in the browser, and everything that ticks: ages, time left, the clock in the header.

import { _ } from "./words.js";

const OVERDUE_S = 60; // an alarm call is answered within 60 s (TSA code; 26 Tex. Admin. Code 279.79)
let offsetMs = 0;

/** Zone of all times on the page, whatever the zone of the browser: the one the server writes its own times in. */
export const ZONE = document.body.dataset.zone;
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" });

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

/** How long, in the two largest units; the same words as the server's. */
export function sinceText(ms) {
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
  for (const state of document.querySelectorAll("[data-overdue-from]")) tickOverdue(state, now - Date.parse(state.dataset.overdueFrom));
  const clock = document.getElementById("clock");
  if (clock) setText(clock, clockText(now));
}

function tickUntil(time, leftMs) {
  setText(time, leftMs > 0 ? _("%(s)s s left", { s: Math.ceil(leftMs / 1000) }) : _("time is up"));
  time.classList.toggle("soon", leftMs < 20_000);
}

function tickOverdue(state, ageMs) {
  if (ageMs < OVERDUE_S * 1000 || state.classList.contains("overdue")) return;
  state.classList.add("overdue");
  setText(state, _("Not taken for 60 s!"));
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
