// The family's page: the stream says that something has changed, and it is asked for; while somebody types it waits, unless the right to see
// has changed. Without its stream the page asks by itself, until the stream is back.

import { listen, watchStaleness } from "./live.js";
import { debounced, isTyping, wire } from "./page.js";

const ALONE_MS = 20_000; // from asking to asking while there is no stream
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
setInterval(() => document.body.classList.contains("is-blind") && ask(), ALONE_MS);

function ask() {
  isDue = true;
}

function refreshWhenIdle() {
  if (!isDue || isTyping(main)) return;
  isDue = false;
  refresh();
}
