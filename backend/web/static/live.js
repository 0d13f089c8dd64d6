// The live stream of the page: connects, says when it is blind, and comes back by itself. Text that somebody types is never touched.

import { clockText, serverNow, setServerTime } from "./clock.js";
import { _ } from "./words.js";

const BLIND_MS = 12_000; // two beats (5 s each) and some
const CUT_MS = 3_000; // a stream that was cut and is not back after so long
const RETRY_MS = 1_500; // to twice as much, so that not all consoles knock at once
const bar = document.getElementById("stale");
let heardMs = performance.now();
let heardAt = Date.now();
let cutMs = null; // since when the stream is cut
let isSignedOut = false;
let refusal = ""; // why the server gives no stream, in its own words

/** Listen to a stream; `on` has a function for each kind of message that matters, and `hello` for every new beginning. */
export function listen(stream, on) {
  const source = new EventSource(stream);
  source.addEventListener("hello", (event) => {
    heard(JSON.parse(event.data).at);
    on.hello();
  });
  source.addEventListener("beat", (event) => heard(JSON.parse(event.data).at));
  for (const [kind, act] of Object.entries(on)) {
    if (kind !== "hello") source.addEventListener(kind, (event) => act(JSON.parse(event.data)));
  }
  source.addEventListener("error", () => {
    const isRefused = source.readyState === EventSource.CLOSED; // answered, but not with a stream
    source.close();
    cutMs ??= performance.now();
    checkSession();
    refusal = "";
    if (isRefused) askWhy(stream);
    setTimeout(() => listen(stream, on), RETRY_MS * (1 + Math.random()));
  });
}

/** Show or hide the bar; to be called every second. */
export function watchStaleness() {
  const now = performance.now();
  const isBlind = now - heardMs > BLIND_MS || (cutMs !== null && now - cutMs > CUT_MS);
  bar.hidden = !isBlind && !isSignedOut;
  document.body.classList.toggle("is-blind", !bar.hidden);
  if (isSignedOut) {
    if (!bar.querySelector("a")) showSignIn();
  } else if (isBlind) {
    setBar([_("No data since %(at)s. The page comes back by itself; what you typed stays.", { at: clockText(heardAt) }), refusal].join(" ").trim());
  }
}

function heard(at) {
  setServerTime(at);
  heardMs = performance.now();
  heardAt = serverNow();
  cutMs = null;
  isSignedOut = false;
  refusal = "";
  watchStaleness();
}

async function askWhy(stream) {
  const asked = new AbortController(); // it may be a stream by now: not a second one
  try {
    const answer = await fetch(stream, { headers: { "hx-request": "true" }, signal: asked.signal });
    if (answer.status !== 503) return asked.abort();
    const said = await answer.text();
    refusal = stream.startsWith("/api/") ? JSON.parse(said).message : said;
  } catch {
    refusal = ""; // gone altogether: the bar says since when
  }
}

async function checkSession() {
  try {
    isSignedOut = (await fetch("/api/session")).status === 401;
  } catch {
    isSignedOut = false; // the server is away, which the bar says in its own words
  }
}

function showSignIn() {
  const link = document.createElement("a");
  link.href = "/sign-in";
  link.target = "_blank";
  link.textContent = _("Sign in again in a new tab");
  bar.replaceChildren(_("You are signed out; what you typed is still here."), " ", link);
}

function setBar(text) {
  if (bar.textContent !== text) bar.textContent = text;
}
