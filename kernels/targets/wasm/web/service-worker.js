/* The page without a network: what was loaded once is kept. While there is a network its answer comes first, so that a newer
 * build is never hidden by an older one. */
const KEPT = "fastdepth";

addEventListener("install", (event) => event.waitUntil(keepAll().then(() => skipWaiting())));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const here = event.request.url.startsWith(registration.scope);
  if (here && event.request.method === "GET") event.respondWith(answer(event.request));
});

async function keepAll() {
  const manifest = await (await fetch("manifest.json")).json();
  const cache = await caches.open(KEPT);
  await cache.addAll(["./", "manifest.json", ...Object.keys(manifest.files)]);
}

async function answer(request) {
  const cache = await caches.open(KEPT);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
