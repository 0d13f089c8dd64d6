// Keeps the last page of the doctor for dead spots: what the network answers is shown, and only when it does not, what it answered last.

const CACHE = "jiahu-doctor";
const ANSWER_MS = 4_000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (origin !== self.location.origin) return;
  if (method === "POST" && pathname === "/sign-out") event.waitUntil(caches.delete(CACHE)); // nobody's page is left on the phone
  const isPage = mode === "navigate" && pathname === "/doctor";
  if (method === "GET" && (isPage || pathname.startsWith("/static/"))) event.respondWith(newest(event.request));
});

async function newest(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.ok && !answer.redirected) await cache.put(request, answer.clone());
    return answer;
  } catch (error) {
    const last = await cache.match(request);
    if (last) return last;
    throw error;
  }
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
