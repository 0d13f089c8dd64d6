// The live stream of the page: connects, says when it is blind, and comes back by itself. Text that somebody types is never touched.

import { clockText, serverNow, setServerTime } from "./clock.js";
import { _ } from "./words.js";

const BLIND_MS = 12_000; // two beats (5 s each) and some
const RETRY_MS = 2_000;
const bar = document.getElementById("stale");
let heardMs = performance.now();
let heardAt = Date.now();
let isSignedOut = false;

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
    source.close();
    checkSession();
    setTimeout(() => listen(stream, on), RETRY_MS);
  });
}

/** Show or hide the bar; to be called every second. */
export function watchStaleness() {
  const isBlind = performance.now() - heardMs > BLIND_MS;
  bar.hidden = !isBlind && !isSignedOut;
  if (isSignedOut) {
    if (!bar.querySelector("a")) showSignIn();
  } else if (isBlind) {
    setBar(_("No connection: nothing on this page is newer than %(at)s", { at: clockText(heardAt) }));
  }
}

function heard(at) {
  setServerTime(at);
  heardMs = performance.now();
  heardAt = serverNow();
  isSignedOut = false;
  watchStaleness();
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
