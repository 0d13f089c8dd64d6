// Maps: every `.map` of the page shows the places of its own list, on the configured pictures or, without any, on a plain grid.
//
// The list is the truth and stays readable without this script. Each of its items with data-latitude and data-longitude becomes a marker
// that bears its data-mark as text, and is called so and by its data-name; choosing it by mouse, Enter or Space opens what the item says.

/* global L */

import { _ } from "./words.js";

const ZOOM_ALONE = 16; // one place: some streets around it
const GRID_ZOOM_MAX = 18;
const maps = new Map(); // element -> its map

/** Draw every map of the page that is not drawn yet, and forget those that are gone. */
export function drawMaps() {
  for (const [element, map] of maps) {
    if (element.isConnected) continue;
    map.remove();
    maps.delete(element);
  }
  for (const element of document.querySelectorAll(".map")) if (!maps.has(element)) draw(element);
}

function draw(element) {
  const places = [...element.querySelectorAll("[data-latitude]")];
  if (places.length === 0) return;
  const ground = document.createElement("div");
  ground.className = "ground";
  element.prepend(ground);
  const map = L.map(ground, { zoomControl: false, scrollWheelZoom: false });
  maps.set(element, map);
  map.attributionControl.setPrefix(false);
  L.control.zoom({ zoomInTitle: _("Closer"), zoomOutTitle: _("Farther") }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);
  under(element.dataset).addTo(map);
  const at = places.map((place) => [Number(place.dataset.latitude), Number(place.dataset.longitude)]);
  map.fitBounds(at, { padding: [48, 48], maxZoom: ZOOM_ALONE, animate: false });
  places.forEach((place, i) => mark(map, place, at[i]));
}

function under({ tiles, attribution, zoomMax, subdomains }) {
  if (!tiles) return new (L.GridLayer.extend({ createTile: square }))({ maxZoom: GRID_ZOOM_MAX });
  const text = document.createElement("span");
  text.textContent = attribution;
  return L.tileLayer(tiles, { attribution: text.innerHTML, maxZoom: Number(zoomMax), subdomains: (subdomains || "").split(" ") });
}

function square() {
  const tile = document.createElement("div");
  tile.className = "square";
  return tile;
}

// A marker is text on a pin; its foot stands on the place.
function mark(map, place, at) {
  const pin = document.createElement("span");
  pin.className = `pin ${place.dataset.kind ?? ""}`;
  pin.textContent = place.dataset.mark;
  const marker = L.marker(at, { icon: L.divIcon({ className: "mark", html: pin, iconSize: [0, 0] }), riseOnHover: true }).addTo(map);
  marker.getElement().setAttribute("aria-label", `${place.dataset.mark} ${place.dataset.name}`.trim());
  const said = document.createElement("div");
  said.append(...[...place.childNodes].map((node) => node.cloneNode(true)));
  for (const twin of said.querySelectorAll("[id]")) twin.removeAttribute("id");
  marker.bindPopup(said, { maxWidth: 280, minWidth: 180, autoPanPadding: [12, 12] });
  marker.on("popupopen", ({ popup }) => {
    const close = popup.getElement().querySelector(".leaflet-popup-close-button");
    close.setAttribute("aria-label", _("Close"));
    (said.querySelector("a, button") ?? close).focus({ preventScroll: true });
  });
  said.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return; // Leaflet hears it on the ground alone
    event.stopPropagation();
    marker.closePopup();
  });
  marker.on("popupclose", () => marker.getElement()?.focus({ preventScroll: true }));
}
