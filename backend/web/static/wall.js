// The wall screen: fetched again at every change, and every five seconds; without its stream it says since when.

import { tick } from "./clock.js";
import { listen, watchStaleness } from "./live.js";
import { debounced } from "./page.js";

const refresh = debounced("wall", 1_000);

listen("/operator/live", { hello: refresh, queue: refresh, changed: refresh });
document.body.addEventListener("htmx:afterSettle", tick);
tick();
setInterval(() => {
  tick();
  watchStaleness();
}, 1000);
