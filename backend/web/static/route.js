// The doctor's way through the day: the stops of the list on a plain grid, numbered as they stand there, the way between them as a line.

const WIDTH = 340, HEIGHT = 220, PAD = 20;
const KM_PER_DEGREE = 111.32; // of latitude
const OVER = ["done", "skipped", "elsewhere"];
const SVG = "http://www.w3.org/2000/svg";

/** Draw the way above its list, anew each time. */
export function drawRoute() {
  const box = document.querySelector("#round .route");
  const stops = [...document.querySelectorAll("#round li[data-latitude]")].map((item) => ({
    at: [Number(item.dataset.latitude), Number(item.dataset.longitude)], mark: item.dataset.mark, progress: item.className,
  }));
  if (!box || stops.length === 0) return;
  const [south, north] = span(stops.map(({ at }) => at[0]));
  const [west, east] = span(stops.map(({ at }) => at[1]));
  const perLongitude = KM_PER_DEGREE * Math.cos((((south + north) / 2) * Math.PI) / 180);
  const scale = Math.min((WIDTH - 2 * PAD) / ((east - west) * perLongitude), (HEIGHT - 2 * PAD) / ((north - south) * KM_PER_DEGREE));
  const place = ([latitude, longitude]) => [
    WIDTH / 2 + (longitude - (west + east) / 2) * perLongitude * scale, HEIGHT / 2 - (latitude - (south + north) / 2) * KM_PER_DEGREE * scale,
  ];
  const km = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((one) => one * scale > 40) ?? 100;
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}` });
  for (let x = (WIDTH / 2) % (km * scale); x < WIDTH; x += km * scale) svg.append(node("line", { x1: x, x2: x, y1: 0, y2: HEIGHT }));
  for (let y = (HEIGHT / 2) % (km * scale); y < HEIGHT; y += km * scale) svg.append(node("line", { x1: 0, x2: WIDTH, y1: y, y2: y }));
  svg.append(node("polyline", { points: stops.filter(({ progress }) => progress !== "skipped").map(({ at }) => place(at).join(",")).join(" ") }));
  for (const home of byHome(stops)) {
    const [cx, cy] = place(home[0].at), mark = marks(home.map((stop) => Number(stop.mark)));
    const width = 14 + 6 * mark.length, next = home.find(({ progress }) => !OVER.includes(progress)) ?? home[0];
    svg.append(
      node("rect", { x: cx - width / 2, y: cy - 10, width, height: 20, rx: 10, class: next.progress }), node("text", { x: cx, y: cy + 4 }, mark),
    );
  }
  svg.append(node("text", { x: 4, y: HEIGHT - 5, class: "scale" }, box.dataset.say.replace("%(km)s", String(km))));
  box.replaceChildren(svg);
}

/** The stops of each home, in order: one home may have several. */
function byHome(stops) {
  const homes = new Map();
  for (const stop of stops) homes.set(stop.at.join(), [...(homes.get(stop.at.join()) ?? []), stop]);
  return homes.values();
}

/** The numbers of one home's stops: 1–3 where they follow each other, else 1,5. */
function marks(numbers) {
  const first = numbers[0], last = numbers.at(-1);
  return numbers.length > 1 && last - first === numbers.length - 1 ? `${first}–${last}` : numbers.join();
}

function span(values) {
  const low = Math.min(...values), high = Math.max(...values);
  return high - low > 1e-3 ? [low, high] : [low - 0.005, high + 0.005];
}

function node(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}
