// The doctor's page: offers at once, visits when nobody types, and plain words when an offer has gone to somebody else.

import { drawCharts, refreshCharts } from "./chart.js";
import { listen, watchStaleness } from "./live.js";
import { debounced, isTyping, say, wire } from "./page.js";
import { ring } from "./sound.js";
import { _ } from "./words.js";

const own = document.getElementById("rounds").dataset.doctor;
const offered = new Set(); // ids of visits that are offered to this doctor
const refreshOffers = debounced("visits");
const refreshVisits = debounced("visits-idle");
let isDue = false;
let isFirst = true;

wire(drawCharts);
listen({ hello, visit: onVisit, gone: onGone });
setInterval(watchStaleness, 1000);
setInterval(refreshWhenIdle, 500);

function hello() {
  offered.clear();
  if (!isFirst) refresh();
  isFirst = false;
}

function onVisit(visit) {
  const isOffered = visit.offers.some((offer) => offer.doctor_id === own);
  if (isOffered && !offered.has(visit.id)) ring();
  if (!isOffered && offered.has(visit.id) && visit.doctor_id && visit.doctor_id !== own) {
    say(_("%(who)s was faster and makes this visit.", { who: visit.doctor_name }));
  }
  if (isOffered) offered.add(visit.id);
  else offered.delete(visit.id);
  refresh();
}

function onGone(message) {
  if (message.kind === "visit" && offered.delete(message.id)) say(_("The offer has gone to somebody else or was called off."));
  refresh();
}

function refresh() {
  refreshOffers();
  isDue = true;
  refreshWhenIdle();
}

function refreshWhenIdle() {
  if (!isDue || isTyping(document.getElementById("visits"))) return;
  isDue = false;
  refreshVisits();
  refreshCharts();
}
