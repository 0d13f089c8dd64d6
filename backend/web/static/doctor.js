// The doctor's page: offers at once, visits when no form is being filled in, and plain words when an offer has gone to somebody else.

import { drawCharts } from "./chart.js";
import { hasKept, keepSteps } from "./dead_spot.js";
import { listen, watchStaleness } from "./live.js";
import { debounced, isTyping, say, wire } from "./page.js";
import { drawRoute } from "./route.js";
import { ring } from "./sound.js";
import { _ } from "./words.js";

const own = document.getElementById("rounds").dataset.doctor;
const offered = new Set(); // ids of visits that are offered to this doctor
const refresh = debounced("visits");

keepFolds();
wire(draw, isHeld);
keepSteps(document.getElementById("rounds"), refresh);
openPickedForms();
leaveOutForms();
navigator.serviceWorker?.register("/doctor/worker.js", { scope: "/" }).catch(() => {}); // without it the page still works, while it is open
listen("/api/live?kinds=visit", { hello, visit: onVisit, gone: onGone });
setInterval(watchStaleness, 1000);

function draw() {
  drawCharts();
  drawRoute();
}

function hello() {
  offered.clear();
  refresh(); // the page may be the one that the telephone kept
}

function onVisit(visit) {
  const isOffered = visit.offers.some((offer) => offer.doctor_id === own);
  if (isOffered && !offered.has(visit.id)) ring();
  if (!isOffered && offered.has(visit.id) && visit.doctor_id && visit.doctor_id !== own) {
    say(_("%(who)s was faster and makes this visit.", { who: visit.doctor_name }));
  }
  if (isOffered) offered.add(visit.id);
  else offered.delete(visit.id);
  const card = cardOf(visit.id);
  if (visit.doctor_id !== own && visit.version > Number(card?.dataset.version)) card.remove();
  refresh();
}

function onGone(message) {
  if (message.kind === "visit") cardOf(message.id)?.remove(); // with whatever form is open on it
  if (message.kind === "visit" && offered.delete(message.id)) say(_("The offer has gone to somebody else or was called off."));
  refresh();
}

function cardOf(id) {
  return document.querySelector(`.visit-card[data-visit="${id}"]`);
}

/** Visits stay as they are while a form of one is being filled in, and while the server does not know yet what was done. */
function isHeld(part) {
  return part.id === "visits" && (hasKept() || isTyping(part) || part.querySelector("[data-state=at_home] .form[open]") !== null);
}

/** A form that is picked opens; what it needs must then be filled in. */
function openPickedForms() {
  document.addEventListener("change", (event) => {
    const opens = event.target.dataset?.opens;
    if (!opens) return;
    const form = document.getElementById(opens);
    form.open = event.target.checked;
    for (const field of form.querySelectorAll("[data-needed]")) field.required = event.target.checked;
  });
}

/** Who met nobody has no form to fill in. */
function leaveOutForms() {
  document.addEventListener("change", ({ target }) => {
    if (target.name !== "outcome" || target.value !== "not_met") return;
    for (const pick of target.form.querySelectorAll("[name=sheet]:checked")) pick.click();
  });
}

/** What was unfolded stays so when the list is shown anew. */
function keepFolds() {
  let open = [];
  document.addEventListener("htmx:beforeSwap", () => (open = [...document.querySelectorAll("#rounds details[open]")].map(({ id }) => id)));
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  });
}
