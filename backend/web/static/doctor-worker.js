// Keeps the last page of the doctor for dead spots: what the network answers is shown, and only when it does not, what it answered last.
// It is kept for whoever is signed in alone: signing out, an answer that the session is over, and its longest age end it.

const CACHE = "jiahu-doctor";
const ANSWER_MS = 4_000;
const AGE_MS_MAX = 12 * 3_600_000; // of a session
const SIGNED_OUT = 401;
let forgotten = 0; // how often: an answer that was asked for before comes too late to be kept

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(Promise.all([self.clients.claim(), forgetOld()])));
self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (origin !== self.location.origin) return;
  const isPage = mode === "navigate" && pathname === "/doctor";
  if (method === "POST" && pathname === "/sign-out") event.respondWith(signOut(event.request));
  else if (method !== "GET") return;
  else if (isPage || pathname.startsWith("/static/")) event.respondWith(newest(event.request, isPage));
  else if (pathname.startsWith("/doctor/")) event.respondWith(watched(event.request));
  else if (pathname === "/sign-in") event.waitUntil(forget());
});

async function newest(request, isPage) {
  const before = forgotten;
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.ok && !answer.redirected) await keep(request, answer.clone(), before);
    else if (isPage && answer.status < 500) await forget(); // sent to sign in, or no doctor any more
    return answer;
  } catch (error) {
    if (isPage) await forgetOld();
    const last = await caches.match(request, { cacheName: CACHE });
    if (last) return last;
    throw error;
  }
}

async function watched(request) {
  const answer = await fetch(request);
  if (answer.status === SIGNED_OUT) await forget();
  return answer;
}

async function signOut(request) {
  await forget();
  try {
    return await fetch(request);
  } finally {
    await forget(); // a page that was asked for meanwhile
  }
}

async function keep(request, answer, before) {
  const cache = await caches.open(CACHE);
  if (before === forgotten) await cache.put(request, answer);
}

function forget() {
  forgotten += 1;
  return caches.delete(CACHE);
}

async function forgetOld() {
  const page = await caches.match("/doctor", { cacheName: CACHE });
  if (page && !(Date.now() - Date.parse(page.headers.get("date")) < AGE_MS_MAX)) await forget();
}

// An offer rings while the page is closed. What is shown names nobody: it can be read on a locked telephone.
self.addEventListener("push", (event) => {
  const { key, title } = event.data.json();
  event.waitUntil(self.registration.showNotification(title, { tag: key, icon: "/static/icon.svg", requireInteraction: true, data: { url: "/doctor" } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openPage(event.notification.data.url));
});

async function openPage(path) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find(({ url }) => new URL(url).pathname === path);
  return page ? page.focus() : self.clients.openWindow(path);
}
