// The family's page: the stream says that something has changed, and it is asked for; while somebody types it waits, unless the right to see
// has changed. Without its stream the page asks by itself, until the stream is back.

/* global htmx */

import { listen, watchStaleness } from "./live.js";
import { debounced, isTyping, wire } from "./page.js";

const ALONE_MS = 20_000; // from asking to asking while there is no stream
const refresh = debounced("family");

wire(() => {}, isTyping);
listen("/api/live?kinds=alert&kinds=visit", {
  hello: refresh,
  family: (message) => (message.about === "rights" ? htmx.trigger(document.body, "rights") : refresh()),
});
setInterval(watchStaleness, 1000);
setInterval(() => document.body.classList.contains("is-blind") && refresh(), ALONE_MS);
