// The sound of an alarm: two groups of short tones, three and two. Browsers give no sound before a click, and the page says so loudly.

import { _ } from "./words.js";

const TONES = [0, 0.2, 0.4, 0.75, 0.95]; // seconds
const button = document.getElementById("sound");
let audio = null;

button.addEventListener("click", async () => {
  audio ??= new AudioContext();
  await (audio.state === "running" ? audio.suspend() : audio.resume());
  show();
  ring();
});

/** Play the alarm once, when sound is on. */
export function ring() {
  if (audio?.state !== "running") return;
  for (const after of TONES) tone(audio.currentTime + after);
}

function tone(at) {
  const oscillator = audio.createOscillator();
  const volume = audio.createGain();
  oscillator.frequency.value = 784;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.4, at + 0.02);
  volume.gain.linearRampToValueAtTime(0, at + 0.15);
  oscillator.connect(volume).connect(audio.destination);
  oscillator.start(at);
  oscillator.stop(at + 0.16);
}

function show() {
  const isOn = audio?.state === "running";
  button.classList.toggle("is-on", isOn);
  button.querySelector("use").setAttribute("href", `/static/icons.svg#${isOn ? "loud" : "muted"}`);
  button.querySelector("span").textContent = isOn ? _("Sound is on") : _("Sound is off: click to switch it on");
}
