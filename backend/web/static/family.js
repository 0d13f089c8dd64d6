// The family's page: what has changed is asked for again; while somebody types it waits, unless the right to see has changed.

import { listen, watchStaleness } from "./live.js";
import { debounced, isTyping, wire } from "./page.js";

const REFRESH_MS = 20_000; // ages and newest values
const main = document.getElementById("family");
const refresh = debounced("family");
let isDue = false;

wire(() => {});
listen("/api/live?kinds=alert&kinds=visit", {
  hello: ask,
  family: (message) => (message.about === "rights" ? refresh() : ask()),
});
setInterval(watchStaleness, 1000);
setInterval(refreshWhenIdle, 500);
setInterval(ask, REFRESH_MS);

function ask() {
  isDue = true;
}

function refreshWhenIdle() {
  if (!isDue || isTyping(main)) return;
  isDue = false;
  refresh();
}
