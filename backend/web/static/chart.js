// Charts: the values of a quantity with the rules' bands and the alert's opening, and the acceleration around a fall.
// Drag across a chart to look closer, double-click to see all of it again.

/* global uPlot */

import { ZONE, clockText, dayText, serverNow } from "./clock.js";
import { _ } from "./words.js";

const REFRESH_MS = 10_000;
const REFRESH_LONG_MS = 30_000; // of six hours and more: a point there is half a minute and more
const LIVE_MS = 2_000;
const LIVE_HOURS = 5 / 60;
const REFRESH_HOURS_MAX = 7 * 24; // of a longer span the newest values are the last pixel
const DAY_S = 86_400;
const SECONDS_S = 20 * 60; // shorter spans are labelled to the second
const SPAN_MIN_S = 300;
const GAP_STEPS = 5; // a pause of more than five usual steps is drawn as a gap: no data is not a straight line
const SPAN = "jiahu-span"; // hours that this browser's charts show; a chart with data-keeps has its own
const COLOURS = [colour("--accent"), "#a06cc0", "#b08d2b", "#5f82c8"];
const charts = new Map(); // element -> uPlot
let isLive = false;
let loadedMs = performance.now();

/** Draw every chart of the page that is shown and not drawn yet, and forget those that are gone. */
export function drawCharts() {
  for (const [element, plot] of charts) {
    if (!element.isConnected) {
      plot?.destroy();
      charts.delete(element);
    }
  }
  for (const element of document.querySelectorAll(".chart")) if (!charts.has(element) && isShown(element)) begin(element);
  for (const element of document.querySelectorAll(".fall")) if (!charts.has(element)) drawFall(element);
}

/** Fetch the values of all charts again. */
export function refreshCharts() {
  loadedMs = performance.now();
  for (const element of charts.keys()) if (element.isConnected && element.matches(".chart") && isShown(element) && hoursOf(element) <= REFRESH_HOURS_MAX) load(element);
}

setInterval(refreshWhenDue, LIVE_MS);
new ResizeObserver(resize).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAnew);
document.addEventListener("toggle", drawCharts, true); // what was folded away is drawn when it is seen

// During a live view the charts follow it; when it is over they show what they showed before.
function refreshWhenDue() {
  const wasLive = isLive;
  isLive = Boolean(document.querySelector("[data-live]"));
  if (isLive !== wasLive) for (const element of charts.keys()) if (element.matches(".chart")) setSpan(element, isLive ? LIVE_HOURS : keptSpan(element));
  const isShort = [...charts.keys()].some((element) => element.matches(".chart") && hoursOf(element) < 6);
  const everyMs = isShort ? REFRESH_MS : REFRESH_LONG_MS;
  if (isLive || performance.now() - loadedMs > everyMs - LIVE_MS / 2) refreshCharts();
}

// In other colours.
function drawAnew() {
  for (const plot of charts.values()) plot?.destroy();
  charts.clear();
  drawCharts();
}

function isShown(element) {
  return element.offsetParent !== null;
}

function begin(element) {
  charts.set(element, null);
  element.querySelector("select").addEventListener("change", (event) => {
    element.dataset.quantity = event.target.value;
    load(element);
  });
  for (const button of element.querySelectorAll("[data-hours]")) {
    button.addEventListener("click", () => {
      if (Number(button.dataset.hours) >= 1) localStorage.setItem(element.dataset.keeps ?? SPAN, button.dataset.hours);
      setSpan(element, Number(button.dataset.hours));
    });
  }
  setSpan(element, isLive ? LIVE_HOURS : keptSpan(element));
}

function keptSpan(element) {
  return Number(localStorage.getItem(element.dataset.keeps ?? SPAN)) || 24;
}

function setSpan(element, hours) {
  const buttons = [...element.querySelectorAll("[data-hours]")];
  const chosen = buttons.find((button) => Math.abs(Number(button.dataset.hours) - hours) < 0.01) ?? buttons.at(-1);
  for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
  delete element.dataset.zoomed;
  load(element);
}

function hoursOf(element) {
  return Number(element.querySelector("[aria-pressed=true]").dataset.hours);
}

async function load(element) {
  const hours = hoursOf(element);
  const to = serverNow();
  const from = to - hours * 3600_000;
  const quantity = element.dataset.quantity;
  for (const limit of element.querySelectorAll(".limit")) limit.hidden = limit.dataset.of !== quantity;
  const query = new URLSearchParams({ quantity, from: new Date(from).toISOString(), to: new Date(to).toISOString() });
  try {
    const answer = await fetch(`/api/elders/${element.dataset.elder}/series?${query}`);
    const isWanted = () => element.isConnected && element.dataset.quantity === quantity && hoursOf(element) === hours;
    if (answer.ok && isWanted()) show(element, await answer.json(), from / 1000, to / 1000);
  } catch {
    // The server is away: the bar says so, and the next refresh tries again.
  }
}

function show(element, series, from, to) {
  const isEmpty = series.devices.length === 0;
  element.querySelector(".empty").hidden = !isEmpty;
  element.querySelector(".plot").hidden = isEmpty;
  const kind = [series.quantity, ...series.devices.map((device) => device.device_id)].join(" ");
  const data = isEmpty ? [] : uPlot.join(series.devices.map((device) => columns(device, series.step_s)));
  const known = charts.get(element);
  element.dataset.from = beginning(series, from, to);
  element.dataset.to = to;
  if (known && known.kind === kind) {
    known.setData(data, false);
    if (!element.dataset.zoomed) known.setScale("x", { min: Number(element.dataset.from), max: to });
    else known.redraw();
  } else {
    known?.destroy();
    charts.set(element, isEmpty ? null : new uPlot(options(element, series), data, element.querySelector(".plot")));
    if (!isEmpty) charts.get(element).kind = kind;
  }
  if (!isEmpty) describe(element, series);
}

// Name and decimals of what is shown. A page that was put back from a cache may have nothing selected.
function shown(element) {
  const chosen = element.querySelector("select").selectedOptions[0];
  return { name: chosen?.textContent.trim() ?? element.dataset.quantity, decimals: Number(chosen?.dataset.decimals ?? 1) };
}

// For those who do not see the curve.
function describe(element, series) {
  const { name, decimals } = shown(element);
  const round = (value) => value.toFixed(decimals);
  const means = series.devices.flatMap((device) => device.mean.filter((value) => value != null));
  if (means.length === 0) return;
  const low = Math.min(...series.devices.flatMap((device) => device.min)), high = Math.max(...series.devices.flatMap((device) => device.max));
  const text = _("%(name)s: newest %(last)s, lowest %(low)s, highest %(high)s", { name, last: round(means.at(-1)), low: round(low), high: round(high) });
  element.querySelector(".plot").setAttribute("aria-label", text);
}

// Three columns per device (mean, min, max), with an empty bucket where a device paused.
function columns(device, step) {
  const out = [[], [], [], []];
  const gap = GAP_STEPS * Math.max(step, usualStep(device.at));
  device.at.forEach((at, i) => {
    if (i > 0 && at - device.at[i - 1] > gap) [at - step, null, null, null].forEach((value, c) => out[c].push(value));
    [at, device.mean[i], device.min[i], device.max[i]].forEach((value, c) => out[c].push(value));
  });
  return out;
}

// Median of the distances between neighbours.
function usualStep(at) {
  const steps = at.slice(1).map((value, i) => value - at[i]).sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? 0;
}

function options(element, series) {
  const { decimals } = shown(element);
  const value = (v) => (v == null ? "—" : v.toFixed(decimals));
  const lines = [{}];
  const bands = [];
  series.devices.forEach((device, i) => {
    const stroke = COLOURS[i % COLOURS.length];
    lines.push({ label: device.device_id, stroke, width: 1.5, points: { size: 4 } });
    for (const name of ["min", "max"]) lines.push({ label: name, stroke: stroke + "55", width: 1, points: { show: false } });
    bands.push({ series: [3 * i + 3, 3 * i + 2], fill: stroke + "22" });
  });
  const limits = limitsOf(element);
  const opened = Number(element.dataset.opened) || null;
  return {
    ...frame(element),
    cursor: { drag: { x: true, y: false }, bind: { dblclick: (u) => () => showAll(element, u) } },
    series: lines,
    bands,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), ZONE),
    scales: { x: { min: Number(element.dataset.from), max: Number(element.dataset.to) }, y: { range: (u, low, high) => span(low, high, limits) } },
    axes: axes(),
    hooks: {
      drawAxes: [(u) => drawBands(u, limits)],
      draw: [(u) => drawMarks(u, limits, opened, element.dataset.openedWord)],
      setCursor: [(u) => readOut(element, u, value)],
      setSelect: [(u) => u.select.width > 0 && (element.dataset.zoomed = "1")],
    },
  };
}

function limitsOf(element) {
  return [...element.querySelectorAll(".limit")]
    .filter((limit) => !limit.dataset.of || limit.dataset.of === element.dataset.quantity)
    .map((limit) => ({ at: Number(limit.dataset.value), label: limit.dataset.label, isUpper: limit.dataset.side === "above" }));
}

function showAll(element, u) {
  delete element.dataset.zoomed;
  u.setScale("x", { min: Number(element.dataset.from), max: Number(element.dataset.to) });
}

// A time of the chart in words: the second of a day, or the day and minute.
function whenText(element, at) {
  const clock = clockText(at * 1000);
  return hoursOf(element) > 24 ? `${dayText(at * 1000)} ${clock.slice(0, 5)}` : clock;
}

// The values under the pointer in words; nothing where it is not over the chart.
function readOut(element, u, value) {
  const i = u.cursor.idx;
  const found = i == null ? [] : u.data.slice(1).map((column) => column[i]);
  const first = found.findIndex((v, c) => c % 3 === 0 && v != null);
  element.querySelector(".readout").textContent =
    first < 0 ? "" : `${whenText(element, u.data[0][i])}  ${value(found[first])}` + (found[first + 1] === found[first + 2] ? "" : ` (${value(found[first + 1])} – ${value(found[first + 2])})`);
}

// A home that has sent for a short time only is not drawn as a thin line at the right edge.
function beginning(series, from, to) {
  const first = Math.min(...series.devices.map((device) => device.at[0]));
  return Math.max(from, Math.min(first, to - SPAN_MIN_S));
}

function frame(element) {
  const plot = element.querySelector(".plot");
  return { width: plot.clientWidth || 300, height: plot.clientHeight || 150, legend: { show: false }, cursor: { drag: { x: false } } };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axes() {
  const stroke = getComputedStyle(document.body).color;
  const grid = { stroke: "#8884", width: 1 };
  const times = (u, ticks) => ticks.map((at) => timeText(at, ticks[1] - ticks[0]));
  const space = (u, axis, from, to) => (to - from < SECONDS_S ? 80 : 50); // px from label to label: one with seconds is wider
  return [{ stroke, grid, values: times, size: 28, space }, { stroke, grid, size: 42 }];
}

// Months of a year, days of a month, hours of a day with the day at its midnight, seconds of a minute.
function timeText(at, step) {
  if (step >= 27 * DAY_S) return dayText(at * 1000).slice(0, 7);
  const clock = clockText(at * 1000);
  if (step >= DAY_S || (step >= 3600 && clock.startsWith("00:00"))) return dayText(at * 1000).slice(5);
  return clock.slice(0, step < 60 ? 8 : 5);
}

function span(low, high, limits) {
  const all = [low, high, ...limits.map((limit) => limit.at)].filter((value) => value != null);
  const pad = Math.max(1, (Math.max(...all) - Math.min(...all)) * 0.08);
  return [Math.min(...all) - pad, Math.max(...all) + pad];
}

// Where a rule calls: the side of a limit that is beyond it. Two limits of a rule lie over each other, so the graver one is darker.
function drawBands(u, limits) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.fillStyle = colour("--high");
  ctx.globalAlpha = 0.09;
  for (const limit of limits) {
    const y = Math.min(Math.max(u.valToPos(limit.at, "y", true), top), top + height);
    if (limit.isUpper) ctx.fillRect(left, top, width, y - top);
    else ctx.fillRect(left, y, width, top + height - y);
  }
  ctx.restore();
}

// Limits as dashed lines with their words, the opening of the case, or the impact, as an upright line with its word.
function drawMarks(u, limits, opened, word) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px sans-serif`;
  ctx.lineWidth = devicePixelRatio;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.strokeStyle = ctx.fillStyle = colour("--high");
  ctx.setLineDash([6, 4]);
  for (const limit of limits) {
    const y = u.valToPos(limit.at, "y", true);
    line(ctx, left, y, left + width, y);
    ctx.fillText(limit.label, left + 4 * devicePixelRatio, y - 3 * devicePixelRatio);
  }
  ctx.setLineDash([]);
  if (opened != null && opened >= u.scales.x.min && opened <= u.scales.x.max) {
    const x = u.valToPos(opened, "x", true);
    ctx.lineWidth = 2 * devicePixelRatio;
    line(ctx, x, top, x, top + height);
    ctx.textAlign = x > left + width / 2 ? "right" : "left";
    ctx.fillText(word ? (ctx.textAlign === "right" ? `${word} ▼` : `▼ ${word}`) : "▼", x + 5 * devicePixelRatio * (word ? (ctx.textAlign === "right" ? 1 : -1) : 0), top + 10 * devicePixelRatio);
  }
  ctx.restore();
}

function line(ctx, x0, y0, x1, y1) {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

// Length of the acceleration in g and its three parts, seconds from the strongest sample.
function drawFall(element) {
  const { rate_hz, x, y, z } = JSON.parse(element.querySelector(".samples").textContent);
  const length = x.map((_value, i) => Math.hypot(x[i], y[i], z[i]) / 1000);
  const peak = length.indexOf(Math.max(...length));
  const at = x.map((_value, i) => (i - peak) / rate_hz);
  const inG = (column) => column.map((value) => value / 1000);
  const thin = (label, stroke) => ({ label, stroke, width: 1, points: { show: false } });
  const series = [{}, { label: "|a|", stroke: "#c62828", width: 2, points: { show: false } }, thin("x", COLOURS[0] + "99"), thin("y", COLOURS[1] + "99"), thin("z", COLOURS[2] + "99")];
  const [time, force] = axes();
  const seconds = { ...time, values: (u, ticks) => ticks.map((tick) => `${tick} s`) };
  const limits = limitsOf(element);
  const hooks = { draw: [(u) => drawMarks(u, limits, 0)] };
  const plot = new uPlot(
    { ...frame(element), series, axes: [seconds, force], scales: { x: { time: false } }, hooks },
    [at, length, inG(x), inG(y), inG(z)],
    element.querySelector(".plot"),
  );
  charts.set(element, plot);
}

function resize() {
  for (const [element, plot] of charts) if (isShown(element)) plot?.setSize(frame(element));
  drawCharts();
}
