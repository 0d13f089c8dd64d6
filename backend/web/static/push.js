// Ringing a doctor whose page is closed: the browser's own push service, switched on and off by the doctor, on each telephone for itself.

import { say } from "./page.js";
import { _ } from "./words.js";

const section = document.getElementById("push");
const on = document.getElementById("push-on");
const off = document.getElementById("push-off");
const state = document.getElementById("push-state");

if (!("serviceWorker" in navigator) || !("PushManager" in window)) {
  state.textContent = _("This browser cannot be rung. Use another channel below.");
} else {
  on.addEventListener("click", subscribe);
  off.addEventListener("click", unsubscribe);
  show();
}

async function ready() {
  await navigator.serviceWorker.register("/doctor/worker.js", { scope: "/" });
  return navigator.serviceWorker.ready;
}

async function show() {
  const subscription = await (await ready()).pushManager.getSubscription();
  on.hidden = subscription !== null;
  off.hidden = subscription === null;
  state.textContent = subscription ? _("This browser rings.") : "";
}

async function subscribe() {
  if ((await Notification.requestPermission()) !== "granted") {
    say(_("The browser does not allow it. Allow notifications in its settings, then try again."));
    return;
  }
  try {
    const { pushManager } = await ready();
    const subscription = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: section.dataset.key });
    if (!(await tell("/doctor/push", subscription))) await subscription.unsubscribe();
  } catch {
    say(_("The browser's push service cannot be reached. Use another channel below."));
  }
  show();
}

async function unsubscribe() {
  const subscription = await (await ready()).pushManager.getSubscription();
  if (subscription && (await tell("/doctor/push/off", subscription))) await subscription.unsubscribe();
  show();
}

async function tell(path, subscription) {
  const headers = { "HX-Request": "true" };
  const answer = await fetch(path, { method: "POST", headers, body: new URLSearchParams({ subscription: JSON.stringify(subscription) }) });
  if (!answer.ok) say(await answer.text());
  return answer.ok;
}
