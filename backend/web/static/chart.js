// Charts: the newest values of a quantity with the rule's limits and the alert's opening, and the acceleration around a fall.

/* global uPlot */

import { ZONE, clockText, serverNow } from "./clock.js";

const REFRESH_MS = 10_000;
const SPAN_MIN_S = 300;
const GAP_STEPS = 5; // a pause of more than five usual steps is drawn as a gap: no data is not a straight line
const COLOURS = [getComputedStyle(document.documentElement).getPropertyValue("--accent").trim(), "#a06cc0", "#b08d2b", "#5f82c8"];
const charts = new Map(); // element -> uPlot

/** Draw every chart of the page that is not drawn yet, and forget those that are gone. */
export function drawCharts() {
  for (const [element, plot] of charts) {
    if (!element.isConnected) {
      plot?.destroy();
      charts.delete(element);
    }
  }
  for (const element of document.querySelectorAll(".chart")) if (!charts.has(element) && !element.closest("details:not([open])")) begin(element);
  for (const element of document.querySelectorAll(".fall")) if (!charts.has(element)) drawFall(element);
}

/** Fetch the values of all charts again. */
export function refreshCharts() {
  for (const element of charts.keys()) if (element.isConnected && element.matches(".chart")) load(element);
}

setInterval(refreshCharts, REFRESH_MS);
new ResizeObserver(resize).observe(document.body);
document.addEventListener("toggle", drawCharts, true); // what was folded away is drawn when it is seen

function begin(element) {
  charts.set(element, null);
  element.querySelector("select").addEventListener("change", (event) => {
    element.dataset.quantity = event.target.value;
    load(element);
  });
  for (const button of element.querySelectorAll("[data-hours]")) {
    button.addEventListener("click", () => {
      for (const other of element.querySelectorAll("[data-hours]")) other.setAttribute("aria-pressed", String(other === button));
      load(element);
    });
  }
  load(element);
}

async function load(element) {
  const hours = Number(element.querySelector("[aria-pressed=true]").dataset.hours);
  const to = serverNow();
  const from = to - hours * 3600_000;
  const quantity = element.dataset.quantity;
  const query = new URLSearchParams({ quantity, from: new Date(from).toISOString(), to: new Date(to).toISOString() });
  try {
    const answer = await fetch(`/api/elders/${element.dataset.elder}/series?${query}`);
    if (answer.ok && element.isConnected && element.dataset.quantity === quantity) show(element, await answer.json(), from / 1000, to / 1000);
  } catch {
    // The server is away: the bar says so, and the next refresh tries again.
  }
}

function show(element, series, from, to) {
  const isEmpty = series.devices.length === 0;
  element.querySelector(".empty").hidden = !isEmpty;
  element.querySelector(".plot").hidden = isEmpty;
  charts.get(element)?.destroy();
  charts.set(element, null);
  if (isEmpty) return;
  const data = uPlot.join(series.devices.map((device) => columns(device, series.step_s)));
  charts.set(element, new uPlot(options(element, series, from, to), data, element.querySelector(".plot")));
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

function options(element, series, from, to) {
  const chosen = element.querySelector("select").selectedOptions[0];
  const decimals = Number(chosen.dataset.decimals);
  const lines = [{ value: (u, at) => (at == null ? "—" : clockText(at * 1000)) }];
  const bands = [];
  series.devices.forEach((device, i) => {
    const stroke = COLOURS[i % COLOURS.length];
    const value = (u, v) => (v == null ? "—" : v.toFixed(decimals));
    lines.push({ label: device.device_id, stroke, width: 1.5, value, points: { size: 4 } });
    lines.push({ label: "min", stroke: stroke + "55", width: 1, value, points: { show: false } });
    lines.push({ label: "max", stroke: stroke + "55", width: 1, value, points: { show: false } });
    bands.push({ series: [3 * i + 3, 3 * i + 2], fill: stroke + "22" });
  });
  const isOwn = element.dataset.quantity === element.dataset.own;
  const limits = isOwn ? [...element.querySelectorAll(".limit")].map((limit) => ({ at: Number(limit.dataset.value), label: limit.dataset.label })) : [];
  return {
    ...frame(element),
    series: lines,
    bands,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), ZONE),
    scales: { x: { min: beginning(series, from, to), max: to }, y: { range: (u, low, high) => span(low, high, limits) } },
    axes: axes(),
    hooks: { draw: [(u) => drawMarks(u, limits, Number(element.dataset.opened) || null)] },
  };
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

function axes() {
  const stroke = getComputedStyle(document.body).color;
  const grid = { stroke: "#8884", width: 1 };
  const hours = (u, ticks) => ticks.map((at) => clockText(at * 1000).slice(0, ticks[1] - ticks[0] < 60 ? 8 : 5));
  return [{ stroke, grid, values: hours, size: 28 }, { stroke, grid, size: 42 }];
}

function span(low, high, limits) {
  const all = [low, high, ...limits.map((limit) => limit.at)].filter((value) => value != null);
  const pad = Math.max(1, (Math.max(...all) - Math.min(...all)) * 0.08);
  return [Math.min(...all) - pad, Math.max(...all) + pad];
}

// Limits as dashed red lines with their words, the opening of the alert, or the impact, as an upright line.
function drawMarks(u, limits, opened) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px sans-serif`;
  ctx.lineWidth = devicePixelRatio;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.strokeStyle = ctx.fillStyle = "#c62828";
  ctx.setLineDash([6, 4]);
  for (const limit of limits) {
    const y = u.valToPos(limit.at, "y", true);
    line(ctx, left, y, left + width, y);
    ctx.fillText(limit.label, left + 4 * devicePixelRatio, y - 3 * devicePixelRatio);
  }
  ctx.setLineDash([]);
  if (opened != null && opened >= u.scales.x.min && opened <= u.scales.x.max) {
    const x = u.valToPos(opened, "x", true);
    line(ctx, x, top, x, top + height);
    ctx.fillText("▼", x - 5 * devicePixelRatio, top + 9 * devicePixelRatio);
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
  const limits = [...element.querySelectorAll(".limit")].map((limit) => ({ at: Number(limit.dataset.value), label: limit.dataset.label }));
  const hooks = { draw: [(u) => drawMarks(u, limits, 0)] };
  const plot = new uPlot(
    { ...frame(element), series, axes: [seconds, force], scales: { x: { time: false } }, hooks },
    [at, length, inG(x), inG(y), inG(z)],
    element.querySelector(".plot"),
  );
  charts.set(element, plot);
}

function resize() {
  for (const [element, plot] of charts) plot?.setSize(frame(element));
}
