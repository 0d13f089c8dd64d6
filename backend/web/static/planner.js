// The planner's board: a map and bars of time drawn from the plan's data; a visit is moved by pointer or keys after its cost was shown.

import { say } from "./page.js";
import { _ } from "./words.js";

const COLOURS = ["#1f6f78", "#8a4b08", "#5b3f9e", "#2e7d4f", "#a1284f", "#2c5aa0", "#6b6b00", "#7a4069"];
const POLL_MS = 1000;
const SVG = "http://www.w3.org/2000/svg";
const searching = document.getElementById("searching");
const source = document.getElementById("plan-data");
const price = document.getElementById("price");

if (searching) setInterval(watch, POLL_MS);
if (source) draw(JSON.parse(source.textContent));

/** Follow the search, and show the plan when there is one. */
async function watch() {
  try {
    const { state, share } = await (await fetch(`/planner/plans/${searching.dataset.plan}/share`)).json();
    searching.querySelector("progress").value = share;
    if (state !== "asked") location.reload();
  } catch {
    // the next look may succeed
  }
}

function draw(plan) {
  const doctors = [...new Set(plan.tours.map((tour) => tour.doctor))];
  const colour = (doctor) => COLOURS[doctors.indexOf(doctor) % COLOURS.length];
  drawMap(plan, doctors, colour);
  drawBars(plan, doctors, colour);
}

/** A plain grid of kilometres, homes as dots, a line per tour. */
function drawMap(plan, doctors, colour) {
  const box = document.getElementById("map");
  const points = Object.values(plan.places);
  if (points.length === 0) return;
  const width = 480, height = 420, pad = 24;
  const [south, north] = span(points.map((point) => point[0]));
  const [west, east] = span(points.map((point) => point[1]));
  const kmPerLon = 111.32 * Math.cos(((south + north) / 2) * (Math.PI / 180)); // one degree of latitude is 111.32 km
  const scale = Math.min((width - 2 * pad) / ((east - west) * kmPerLon), (height - 2 * pad) / ((north - south) * 111.32));
  const at = ([lat, lon]) => [pad + (lon - west) * kmPerLon * scale, height - pad - (lat - south) * 111.32 * scale];
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const stepKm = [0.2, 0.5, 1, 2, 5, 10, 20, 50].find((km) => km * scale > 40) ?? 100;
  for (let x = pad; x <= width; x += stepKm * scale) svg.append(node("line", { class: "grid", x1: x, x2: x, y1: 0, y2: height }));
  for (let y = height - pad; y >= 0; y -= stepKm * scale) svg.append(node("line", { class: "grid", x1: 0, x2: width, y1: y, y2: y }));
  svg.append(label(_("one square is %(km)s km", { km: stepKm }), 6, height - 6));
  for (const tour of plan.tours) {
    const stops = plan.stops.filter((stop) => stop.tour === tour.id && plan.places[stop.due]);
    const line = stops.map((stop) => at(plan.places[stop.due]).join(",")).join(" ");
    svg.append(node("polyline", { class: "way", points: line, stroke: colour(tour.doctor) }));
    for (const stop of stops) svg.append(dot(at(plan.places[stop.due]), colour(tour.doctor), `${stop.clock} ${stop.name} ${stop.doctor}`));
  }
  for (const one of plan.left) {
    if (plan.places[one.due]) svg.append(dot(at(plan.places[one.due]), "", one.name));
  }
  doctors.forEach((doctor, row) => {
    svg.append(node("circle", { cx: 12, cy: 14 + 16 * row, r: 5, fill: colour(doctor) }), label(doctor, 22, 18 + 16 * row));
  });
  box.replaceChildren(svg);
}

function span(values) {
  const low = Math.min(...values), high = Math.max(...values);
  return high - low > 1e-4 ? [low, high] : [low - 0.005, high + 0.005];
}

function node(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function label(text, x, y) {
  const made = node("text", { x, y });
  made.textContent = text;
  return made;
}

function dot([cx, cy], fill, title) {
  const made = node("circle", fill ? { cx, cy, r: 6, fill } : { cx, cy, r: 5, class: "away" });
  const name = node("title", {});
  name.textContent = title;
  made.append(name);
  return made;
}

/** A lane per doctor; both half-days are tours in it. */
function drawBars(plan, doctors, colour) {
  const box = document.getElementById("bars");
  const first = Math.min(480, ...plan.tours.map((tour) => tour.ready)), last = Math.max(1050, ...plan.tours.map((tour) => tour.back));
  const share = (minute) => `${(100 * (minute - first)) / (last - first)}%`;
  const hours = element("div", "hours");
  for (let hour = Math.ceil(first / 60); hour <= last / 60; hour += 1) {
    const mark = element("span", "", String(hour));
    mark.style.left = share(60 * hour);
    hours.append(mark);
  }
  box.replaceChildren(hours);
  const lanes = new Map();
  for (const doctor of doctors) {
    const lane = element("div", "lane");
    lane.append(element("span", "who", doctor));
    for (const tour of plan.tours.filter((one) => one.doctor === doctor)) {
      const shift = element("div", "shift");
      shift.style.left = share(tour.ready);
      shift.style.width = `${(100 * (tour.back - tour.ready)) / (last - first)}%`;
      lane.append(shift);
    }
    lanes.set(doctor, lane);
    box.append(lane);
  }
  if (plan.now > first && plan.now < last) {
    for (const lane of lanes.values()) {
      const mark = element("div", "mark");
      mark.style.left = share(plan.now);
      lane.append(mark);
    }
  }
  for (const stop of plan.stops) {
    const bar = element("button", `stop ${stop.progress}${stop.pair ? " pair" : ""}`, stop.name);
    bar.type = "button";
    bar.title = `${stop.clock}–${stop.until} ${stop.name}, ${stop.kind}: ${[stop.said, stop.why].filter(Boolean).join("; ")}`;
    if (stop.said) bar.append(element("small", "said", stop.said));
    bar.setAttribute("aria-pressed", "false");
    bar.style.left = share(stop.starts);
    bar.style.width = `${(100 * (stop.ends - stop.starts)) / (last - first)}%`;
    bar.style.background = colour(stop.doctor);
    lanes.get(stop.doctor)?.append(bar);
    if (plan.isDraft && stop.stays) bar.addEventListener("click", () => show(_("This visit has begun or is next: it stays as it is."), true));
    else if (plan.isDraft) enable(plan, bar, stop, lanes, first, last);
  }
  if (plan.isDraft) for (const one of plan.left) enableLeft(plan, one);
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** How many stops of a tour, without this one, begin before the minute. */
function positionAt(plan, stop, tourId, minute) {
  return plan.stops.filter((one) => one.tour === tourId && !(one.due === stop.due && one.side === stop.side) && one.starts < minute).length;
}

function enable(plan, bar, stop, lanes, first, last) {
  let held = null; // where the pointer went down
  let target = null;
  bar.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX, y: event.clientY, isMoved: false };
    bar.setPointerCapture(event.pointerId);
  });
  bar.addEventListener("pointermove", (event) => {
    if (!held || Math.hypot(event.clientX - held.x, event.clientY - held.y) < 5) return;
    held.isMoved = true;
    bar.style.transform = `translate(${event.clientX - held.x}px, ${event.clientY - held.y}px)`;
    const found = under(plan, lanes, event, first, last);
    for (const lane of lanes.values()) lane.classList.toggle("target", lane === found?.lane);
    const next = found && { tour: found.tour, position: positionAt(plan, stop, found.tour, found.minute) };
    if (next && (next.tour !== target?.tour || next.position !== target?.position)) tell(plan, stop, next);
    target = next;
  });
  bar.addEventListener("pointerup", async () => {
    const isDropped = held?.isMoved && target;
    if (!isDropped || !(await drop(plan, stop, target))) release(bar, lanes);
    held = target = null;
  });
  bar.addEventListener("pointercancel", () => {
    held = target = null;
    release(bar, lanes);
  });
  bar.addEventListener("keydown", (event) => byKeys(plan, stop, bar, event));
}

function release(bar, lanes) {
  bar.style.transform = "";
  for (const lane of lanes.values()) lane.classList.remove("target");
}

/** The tour whose lane and hours are under the pointer. */
function under(plan, lanes, event, first, last) {
  for (const [doctor, lane] of lanes) {
    const box = lane.getBoundingClientRect();
    if (event.clientY < box.top || event.clientY > box.bottom) continue;
    const minute = first + ((event.clientX - box.left) / box.width) * (last - first);
    const tours = plan.tours.filter((tour) => tour.doctor === doctor);
    const away = (tour) => Math.max(tour.ready - minute, minute - tour.back, 0);
    tours.sort((one, other) => away(one) - away(other));
    return tours.length ? { lane, tour: tours[0].id, minute } : null;
  }
  return null;
}

/** Arrow keys choose a place and show its cost, Enter moves, Delete leaves out, Esc cancels. */
function byKeys(plan, stop, bar, event) {
  const places = (tourId) => plan.stops.filter((one) => one.tour === tourId && !(one.due === stop.due && one.side === stop.side)).length;
  const chosen = (stop.chosen ??= { tour: stop.tour, position: positionAt(plan, stop, stop.tour, stop.starts) });
  const number = plan.tours.findIndex((tour) => tour.id === chosen.tour);
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (step) {
    const tour = plan.tours[(number + step[0] + plan.tours.length) % plan.tours.length].id;
    const position = step[0] ? positionAt(plan, stop, tour, stop.starts) : Math.min(places(tour), Math.max(0, chosen.position + step[1]));
    stop.chosen = { tour, position };
    bar.setAttribute("aria-pressed", "true");
    tell(plan, stop, stop.chosen);
  } else if (event.key === "Enter" && bar.getAttribute("aria-pressed") === "true") {
    drop(plan, stop, chosen);
  } else if (event.key === "Delete") {
    drop(plan, stop, { tour: null, position: 0 });
  } else if (event.key === "Escape") {
    stop.chosen = undefined;
    bar.setAttribute("aria-pressed", "false");
    show("", false);
  } else {
    return;
  }
  event.preventDefault();
}

/** A visit that was left out: a list of tours to put it into by hand. */
function enableLeft(plan, one) {
  const item = document.querySelector(`#left [data-due="${one.due}"]`);
  if (!item || one.sides > 1 || !plan.places[one.due]) return;
  const choice = element("select", "");
  choice.setAttribute("aria-label", _("Put it into a tour"));
  choice.append(new Option(_("Put it into a tour"), ""));
  for (const tour of plan.tours) choice.append(new Option(`${tour.doctor} ${tour.half === "morning" ? _("Morning") : _("Afternoon")}`, tour.id));
  choice.addEventListener("change", () => choice.value && best(plan, { due: one.due, side: 0 }, choice.value));
  item.append(choice);
}

/** Try every position of the tour and keep the cheapest that breaks nothing. */
async function best(plan, stop, tour) {
  let found = null;
  const count = plan.stops.filter((one) => one.tour === tour).length;
  for (let position = 0; position <= count; position += 1) {
    const answer = await ask(plan, stop, { tour, position }, true);
    if (answer && answer.breaks.length === 0 && (!found || answer.adds < found.adds)) found = { ...answer, position };
    else if (answer && !found) show(answer.breaks.join(", "), true);
  }
  if (found) await drop(plan, stop, { tour, position: found.position });
}

/** Show what a move would cost. */
async function tell(plan, stop, target) {
  const answer = await ask(plan, stop, target, true);
  if (!answer) return;
  const where = plan.tours.find((tour) => tour.id === target.tour);
  const name = `${where.doctor} ${where.half === "morning" ? _("Morning") : _("Afternoon")} #${target.position + 1}`;
  if (answer.breaks.length) show(`${name}: ${answer.breaks.join(", ")}`, true);
  else show(`${name}: ${_("cost %(adds)s, on the way %(travel)s min", { adds: signed(answer.adds), travel: signed(answer.travel) })}`, false);
}

function signed(value) {
  return value > 0 ? `+${value}` : String(value);
}

function show(text, isBad) {
  price.textContent = text;
  price.classList.toggle("bad", isBad);
}

/** Move it. True when the page loads anew with the changed plan. */
async function drop(plan, stop, target) {
  const answer = await ask(plan, stop, target, false);
  if (!answer) return false;
  if (answer.breaks.length) {
    show(answer.breaks.join(", "), true);
    return false;
  }
  location.reload();
  return true;
}

async function ask(plan, stop, target, isTrial) {
  const body = { due: stop.due, side: stop.side, tour: target.tour, position: target.position, version: plan.version, is_trial: isTrial };
  try {
    const answer = await fetch(`/planner/plans/${plan.id}/move`, {
      method: "POST", headers: { "content-type": "application/json", accept: "text/plain, application/json" }, body: JSON.stringify(body),
    });
    if (answer.ok) return await answer.json();
    say(await answer.text());
  } catch {
    say(_("No connection: nothing was moved."));
  }
  return null;
}
