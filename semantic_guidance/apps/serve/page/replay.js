// The painting once more, stroke by stroke: a line under the picture, as the player's.
import { button, find, icon, make } from "/page/dom.js";
import * as painting from "/page/painting.js";
import { layer } from "/page/stage.js";
import { on, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const EASING = 1.5; // exponent of the pace, as in export/frames.py
const SPEEDS = [0.5, 1, 2, 4];
const FINISHED = ["done", "stopped"];
let view = null, vectors = null, total = 0, seconds = 0, of = null;
let target = 0, elapsed = 0, speed = 1, playing = false, before = 0, waiting = false;
let box, play, scrub, count, levels, ring, ringed = -1;

// Number of strokes on the canvas after some seconds, and the other way round.
function strokesAt(time) {
  let done = 0;
  for (const [strokes, duration] of view.pace) {
    const share = Math.pow(Math.max(0, time) / duration, EASING);
    if (time < duration) return done + Math.floor(strokes * share + 1e-9);
    done += strokes;
    time -= duration;
  }
  return total;
}

function timeOf(strokes) {
  let time = 0;
  for (const [part, duration] of view.pace) {
    if (strokes < part) return time + duration * Math.pow(strokes / part, 1 / EASING);
    strokes -= part;
    time += duration;
  }
  return seconds;
}

function frame(now) {
  waiting = false;
  if (!playing || view === null) return;
  elapsed = Math.min(seconds, elapsed + (speed * Math.min(now - before, 100)) / 1000);
  before = now;
  go(strokesAt(elapsed));
  if (elapsed >= seconds) setPlaying(false);
  else wake();
}

function wake() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(frame);
}

function go(strokes) {
  if (strokes !== target) painting.seek(strokes);
  target = strokes;
  tell();
}

function tell() {
  const places = { count: target, total };
  scrub.value = target;
  scrub.setAttribute("aria-valuetext", filled(text.keep.scrubbed, places));
  count.textContent = filled(text.keep.count, places);
  drawRing();
}

function setPlaying(wanted) {
  if (wanted && elapsed >= seconds) {
    elapsed = 0;
    go(0);
  }
  playing = wanted;
  before = performance.now();
  const name = wanted ? "pause" : elapsed >= seconds ? "again" : "play";
  if (play.dataset.shows !== name) {
    play.dataset.shows = name;
    play.title = text.keep[name];
    play.setAttribute("aria-label", text.keep[name]);
    play.replaceChildren(icon(name));
  }
  if (wanted) wake();
  else drawRing();
}

function seek(strokes) {
  const wanted = Math.min(total, Math.max(0, strokes));
  elapsed = timeOf(wanted);
  setPlaying(false);
  go(wanted);
}

// Where the brush is: a ring at the end of the last stroke.
function drawRing() {
  const shown = view !== null && !box.hidden && target > 0 && target < total ? target : 0;
  if (shown === ringed) return;
  ringed = shown;
  const context = ring.getContext("2d"), long = Math.max(ring.width, ring.height);
  context.clearRect(0, 0, ring.width, ring.height);
  if (!shown) return;
  const v = vectors.subarray(13 * (shown - 1)), fine = devicePixelRatio;
  context.beginPath();
  context.arc(v[4] * long, v[5] * long, Math.max(v[7] * long, 5 * fine), 0, 2 * Math.PI);
  for (const [color, wide] of [["rgb(0 0 0 / .45)", 3.5], ["#fff", 1.6]]) {
    context.strokeStyle = color;
    context.lineWidth = wide * fine;
    context.stroke();
  }
}

function drawLevels() {
  const parts = [];
  for (const { count: strokes, level } of view.layers) {
    if (parts.at(-1)?.level === level) parts.at(-1).strokes += strokes;
    else parts.push({ level, strokes });
  }
  levels.replaceChildren(...parts.map(({ level, strokes }) => {
    const part = make("i", { class: level });
    part.style.width = `${(100 * strokes) / Math.max(1, total)}%`;
    return part;
  }));
}

function build() {
  play = button(text.keep.play, () => setPlaying(!playing), { icon: "play", bare: true, id: "play" });
  levels = make("div", { class: "levels", "aria-hidden": "true" });
  scrub = make("input", { type: "range", id: "scrub", min: 0, max: 0, value: 0, "aria-label": text.keep.scrub });
  scrub.addEventListener("input", () => seek(Number(scrub.value)));
  count = make("output", { for: "scrub" });
  const rates = SPEEDS.map((value) => make("option", { value, text: value === 0.5 ? "½×" : `${value}×` }));
  const speeds = make("select", { id: "speed", "aria-label": text.keep.speed }, ...rates);
  speeds.value = 1;
  speeds.addEventListener("change", () => (speed = Number(speeds.value)));
  const line = make("div", { class: "line" }, levels, scrub);
  box = make("section", { id: "replay", "aria-label": text.keep.replay, hidden: true }, play, line, count, speeds);
  find("under").append(box);
  ring = layer("ring", 50, (width, height) => {
    if (!ring) return;
    ring.width = Math.round(width * devicePixelRatio);
    ring.height = Math.round(height * devicePixelRatio);
    ringed = -1;
    drawRing();
  });
}

// Space plays and pauses, arrows go stroke by stroke (with Shift ten), unless something else is in hand.
function pressed(event) {
  if (box.hidden || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const { target: where } = event, mine = box.contains(where);
  if (!mine && where !== document.body && !find("stage-area").contains(where)) return;
  const step = event.shiftKey ? 10 : 1;
  if (where.closest("select") || (event.key === " " && where.closest("button"))) return;
  if (event.key === " ") setPlaying(!playing);
  else if (event.key === "ArrowLeft" || event.key === "ArrowDown") seek(target - step);
  else if (event.key === "ArrowRight" || event.key === "ArrowUp") seek(target + step);
  else if (event.key === "Home") seek(0);
  else if (event.key === "End") seek(total);
  else return;
  event.preventDefault();
}

function take(found) {
  view = found;
  vectors = new Float32Array(Uint8Array.from(atob(view.strokes), (c) => c.charCodeAt(0)).buffer);
  total = vectors.length / 13;
  seconds = view.pace.reduce((sum, part) => sum + part[1], 0);
  scrub.max = target = total;
  elapsed = seconds;
  drawLevels();
  setPlaying(false);
  box.hidden = false;
  tell();
}

// A finished painting that is looked at is shown whole; it plays when it is asked to.
async function show() {
  const record = state.paintings.find(({ id }) => id === state.current);
  const seen = state.mode === "paint" || state.mode === "keep";
  const wanted = seen && record && FINISHED.includes(record.state) ? record.id : null;
  if (wanted === null) {
    box.hidden = true;
    if (view) setPlaying(false);
  } else if (wanted === of && view) {
    box.hidden = false;
    tell();
  }
  if (wanted === null || wanted === of) return;
  of = wanted;
  view = null;
  box.hidden = true;
  setPlaying(false);
  drawRing();
  try {
    const found = await painting.show(wanted);
    if (of === wanted && found) take(found);
  } catch {
    if (of === wanted) of = null;
  }
}

export function mount() {
  build();
  on(["current", "paintings", "mode"], show);
  document.addEventListener("keydown", pressed);
}
