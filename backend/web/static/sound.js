// The sound of alarms by priority, after IEC 60601-1-8 tables 3 and 4, as US patent 9 814 817 B2 and the data sheet of TI's DAC53401 (register
// "medical alarm") quote them: high ten tones of 75 to 200 ms with x, x, 2x + tone, x of silence between five of them (x 50 to 125 ms), 0.35 to
// 1.30 s between the fives, again after 2.5 to 15 s; medium three tones of 125 to 250 ms, y between them (125 to 250 ms), again after 2.5 to
// 30 s; low one or two, again after more than 15 s or never. Below: x = 100 ms, 0.5 s, 4.7 s; y = 200 ms, 19 s.
// Browsers give no sound before a key or a click, and the page says so loudly until there is some.

import { _ } from "./words.js";

const HARMONICS = new Float32Array([0, 1, 0.6, 0.4, 0.3, 0.2]); // at least four beside the fundamental, 300 to 4000 Hz
const C5 = 523; // Hz; fundamentals lie between 150 and 1000
const E5 = 659;
// Tones begin at `at` seconds and last `lasts`; a burst comes again after `again` seconds while its cause lasts (0: never).
const FIVE = [0, 0.25, 0.5, 1, 1.25];
const BURSTS = {
  high: { at: [...FIVE, ...FIVE.map((s) => s + 1.9)], lasts: 0.15, again: 8, volume: 0.5 },
  medium: { at: [0, 0.4, 0.8], lasts: 0.2, again: 20, volume: 0.4 },
  low: { at: [0, 0.4], lasts: 0.2, again: 0, volume: 0.3 },
};
const LOUDEST_FIRST = ["high", "medium", "low"];
const KEPT = "jiahu-sound"; // whether this browser is to sound: it goes on by itself at the first key after a reload
const button = document.getElementById("sound");
let audio = null;
let wave = null;
let isWanted = localStorage.getItem(KEPT) !== "off";
let nextAt = 0; // performance.now() from which the burst may come again

button.addEventListener("click", toggleSound);
// Not when a pointer goes down: the page must not move under a click.
for (const gesture of ["keydown", "click"]) document.addEventListener(gesture, (event) => event.target.closest?.("#sound") || begin(), { capture: true });
show();

/** Switch the sound on or off; this browser remembers it. */
export async function toggleSound() {
  isWanted = audio?.state !== "running";
  localStorage.setItem(KEPT, isWanted ? "on" : "off");
  if (isWanted) await begin();
  else await audio?.suspend();
  show();
  if (isWanted) play("low");
}

/** The burst of a priority, once. */
export function ring(priority = "high") {
  play(priority);
}

/** What waits, loudest first: its burst sounds now when it is new, else when its time has come. `priorities` may be empty. */
export function sound(priorities, isNew) {
  const priority = LOUDEST_FIRST.find((one) => priorities.has(one));
  document.body.classList.toggle("is-unheard", Boolean(priority) && audio?.state !== "running");
  const burst = BURSTS[priority];
  if (!burst || !(isNew || (burst.again && performance.now() >= nextAt))) return;
  nextAt = performance.now() + burst.again * 1000;
  play(priority);
}

async function begin() {
  if (!isWanted || audio?.state === "running") return;
  audio ??= new AudioContext();
  wave ??= audio.createPeriodicWave(new Float32Array(HARMONICS.length), HARMONICS);
  await audio.resume();
  show();
}

function play(priority) {
  if (audio?.state !== "running") return;
  const { at, lasts, volume } = BURSTS[priority];
  at.forEach((after, i) => tone(audio.currentTime + after, lasts, volume, priority === "low" && i === 0 ? E5 : C5));
}

function tone(at, lasts, volume, hertz) {
  const oscillator = audio.createOscillator();
  const gain = audio.createGain();
  oscillator.setPeriodicWave(wave);
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(volume, at + lasts * 0.15);
  gain.gain.setValueAtTime(volume, at + lasts * 0.85);
  gain.gain.linearRampToValueAtTime(0, at + lasts);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(at);
  oscillator.stop(at + lasts);
}

function show() {
  const isOn = audio?.state === "running";
  button.classList.toggle("is-on", isOn);
  button.querySelector("use").setAttribute("href", `/static/icons.svg#${isOn ? "loud" : "muted"}`);
  button.querySelector("span").textContent = isOn ? _("Sound is on") : isWanted ? _("Sound is off: press a key or click") : _("Sound is off");
}
