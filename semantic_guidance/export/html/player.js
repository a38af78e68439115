// The player: what is shown, when, and the controls.
const EASING = 1.5, BUDGET = 12, KEPT = 12; // exponent of the pace; ms of painting a frame; canvases to come back to
const SPEEDS = [0.5, 1, 2, 4];
const COLORS = ["#ffd91a", "#33d9ff", "#ff66cc", "#80ff4d"];
const ICONS = {
  play: "M8 5.2v13.6a.8.8 0 0 0 1.2.7l11-6.8a.8.8 0 0 0 0-1.4l-11-6.8A.8.8 0 0 0 8 5.2z",
  pause: "M7 5h3.4v14H7zM13.6 5H17v14h-3.4z",
  again: "M12 5a7 7 0 1 1-6.7 5h2.6A4.6 4.6 0 1 0 12 7.4V11L6.5 6.2 12 1.5z",
};
const find = (name) => document.getElementById(name);
const data = JSON.parse(find("data").textContent);
const vectors = new Float32Array(Uint8Array.from(atob(data.strokes), (c) => c.charCodeAt(0)).buffer);
const total = vectors.length / 13;
const layers = [];
for (const layer of data.layers) for (let n = 0; n < layer.count; n++) layers.push(layer);
const shown = { background: true, foreground: true, masks: false, boxes: false, brush: true, finish: true, photo: false };
const seconds = data.pace.reduce((sum, part) => sum + part[1], 0);
let picture, masks = [], veils = [], kept = new Map();
let drawn = 0, target = 0, elapsed = 0, speed = 1, playing = false, before = 0, waiting = false, brushAt = -1;

// Number of strokes on the canvas after some seconds, and the other way round.
function strokesAt(time) {
  let done = 0;
  for (const [count, duration] of data.pace) {
    if (time < duration) return done + Math.floor(count * Math.pow(Math.max(0, time) / duration, EASING) + 1e-9);
    done += count;
    time -= duration;
  }
  return total;
}

function timeOf(strokes) {
  let time = 0;
  for (const [count, duration] of data.pace) {
    if (strokes < count) return time + duration * Math.pow(strokes / count, 1 / EASING);
    strokes -= count;
    time += duration;
  }
  return seconds;
}

// Paint towards `target`, for some milliseconds at most; true when it is reached.
function advance() {
  if (drawn > target) {
    drawn = Math.max(0, ...[...kept.keys()].filter((n) => n <= target));
    if (drawn) picture.restore(kept.get(drawn));
    else picture.clear();
  }
  const stop = performance.now() + BUDGET, every = Math.max(1, Math.ceil(total / KEPT));
  while (drawn < target && performance.now() < stop) {
    const layer = layers[drawn];
    if (shown[layer.level]) {
      const mask = layer.mask === null ? null : masks[layer.mask];
      picture.paint(vectors, 13 * drawn, mask, layer.compositing === "seed", layer.ends);
    }
    drawn += 1;
    if (drawn % every === 0 && !kept.has(drawn)) kept.set(drawn, picture.copy());
  }
  return drawn === target;
}

function frame(now) {
  waiting = false;
  if (playing) {
    elapsed = Math.min(seconds, elapsed + (speed * Math.min(now - before, 100)) / 1000);
    before = now;
    target = strokesAt(elapsed);
    if (elapsed >= seconds) setPlaying(false);
  }
  const done = advance();
  picture.show(find("painting").getContext("2d"));
  const plain = !shown.background || !shown.foreground;
  find("finish").classList.toggle("on", shown.finish && drawn === total && !plain);
  drawOverlay();
  tell();
  if (playing || !done) wake();
}

function wake() {
  if (!waiting) {
    waiting = true;
    requestAnimationFrame(frame);
  }
}

function tell() {
  find("scrub").value = target;
  find("scrub").setAttribute("aria-valuetext", `${target} of ${total} strokes`);
  find("count").textContent = `${target} / ${total}`;
  document.body.dataset.drawn = drawn;
}

function setPlaying(on) {
  if (on && elapsed >= seconds) elapsed = target = 0;
  playing = on;
  before = performance.now();
  const ended = !on && elapsed >= seconds;
  find("icon").setAttribute("d", ICONS[on ? "pause" : ended ? "again" : "play"]);
  find("play").setAttribute("aria-label", on ? "Pause" : ended ? "Play again" : "Play");
  wake();
}

function seek(strokes) {
  target = Math.min(total, Math.max(0, strokes));
  elapsed = timeOf(target);
  setPlaying(false);
}

function toggle(name) {
  shown[name] = !shown[name];
  document.querySelector(`[data-layer=${name}]`).setAttribute("aria-pressed", shown[name]);
  if (name === "photo") find("photo").hidden = find("split").hidden = !shown.photo;
  if (name === "background" || name === "foreground") {
    kept.clear();
    drawn = 0;
    picture.clear();
  }
  brushAt = -1;
  wake();
}

function setSpeed(value) {
  speed = value;
  for (const chip of find("speeds").querySelectorAll("button")) {
    chip.setAttribute("aria-pressed", Number(chip.dataset.speed) === value);
  }
}

// What lies over the painting: objects in a veil, their boxes, and where the brush is.
function drawOverlay() {
  const brush = shown.brush && drawn > 0 && drawn < total ? drawn : 0;
  if (brush === brushAt) return;
  brushAt = brush;
  const canvas = find("overlay"), context = canvas.getContext("2d");
  const { width, height } = canvas, long = Math.max(width, height);
  context.clearRect(0, 0, width, height);
  context.globalCompositeOperation = "source-over";
  if (shown.masks) {
    context.fillStyle = "rgb(20 17 14 / .72)";
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "destination-out";
    for (const veil of veils) context.drawImage(veil, 0, 0, width, height);
    context.globalCompositeOperation = "source-over";
  }
  if (shown.boxes) {
    context.lineWidth = Math.max(2, long / 320);
    data.objects.forEach(({ box }, n) => {
      context.strokeStyle = COLORS[n % COLORS.length];
      context.strokeRect(...box);
    });
  }
  if (brush && shown[layers[brush - 1].level]) drawBrush(context, vectors.subarray(13 * (brush - 1)), long);
}

function drawBrush(context, v, long) {
  context.beginPath();
  context.arc(v[4] * long, v[5] * long, Math.max(v[7] * long, long / 160), 0, 2 * Math.PI);
  for (const [color, wide] of [["rgb(0 0 0 / .45)", 4], ["#fff", 2]]) {
    context.strokeStyle = color;
    context.lineWidth = (wide * long) / 900;
    context.stroke();
  }
}

function chip(parent, text, press, attributes) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.textContent = text;
  for (const [name, value] of Object.entries(attributes)) button.setAttribute(name, value);
  button.addEventListener("click", press);
  find(parent).append(button);
}

function buildControls() {
  const objects = layers.filter((layer) => layer.level === "foreground").length;
  const name = data.objects.length > 1 ? "objects" : "object";
  find("summary").textContent = `${total} stroke${total === 1 ? "" : "s"}` + (objects ? `, ${objects} of them on the ${name}` : "")
    + (data.finish ? `. They are drawn flat; the ${data.brush === "picture" ? "" : `${data.brush} `}brush's texture appears with the last one.` : "");
  for (const value of SPEEDS) {
    chip("speeds", value === 0.5 ? "½×" : `${value}×`, () => setSpeed(value), { "data-speed": value });
  }
  const chips = [["brush", "Brush"]];
  if (objects) chips.unshift(["background", "Background"], ["foreground", data.objects.length > 1 ? "Objects" : "Object"]);
  if (data.objects.length) chips.push(["masks", data.objects.length > 1 ? "Masks" : "Mask"], ["boxes", data.objects.length > 1 ? "Boxes" : "Box"]);
  if (data.finish) chips.push(["finish", "Texture"]);
  if (data.photo) chips.push(["photo", "Photograph"]);
  for (const [layer, text] of chips) {
    chip("layers", text, () => toggle(layer), { "data-layer": layer, "aria-pressed": shown[layer] });
  }
  for (const layer of data.layers) {
    const part = document.createElement("i");
    part.style.width = `${(100 * layer.count) / Math.max(1, total)}%`;
    if (layer.level === "foreground") part.style.background = "var(--object)";
    find("levels").append(part);
  }
  const scrub = find("scrub");
  scrub.max = total;
  scrub.addEventListener("input", () => seek(Number(scrub.value)));
  find("play").addEventListener("click", () => setPlaying(!playing));
  setSpeed(1);
}

function buildSplit() {
  const split = find("split"), box = find("frame");
  const move = (share) => {
    const at = Math.min(100, Math.max(0, share));
    box.style.setProperty("--at", `${at}%`);
    split.setAttribute("aria-valuenow", Math.round(at));
  };
  const follow = (event) => {
    const { left, width } = box.getBoundingClientRect();
    move((100 * (event.clientX - left)) / width);
  };
  split.addEventListener("pointerdown", (event) => {
    split.setPointerCapture(event.pointerId);
    follow(event);
  });
  split.addEventListener("pointermove", (event) => split.hasPointerCapture(event.pointerId) && follow(event));
  split.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };
    if (!(event.key in steps)) return;
    move(Number(split.getAttribute("aria-valuenow")) + steps[event.key]);
    event.preventDefault();
    event.stopPropagation();
  });
  move(50);
}

// Space plays and pauses, arrows go stroke by stroke (with Shift ten), wherever the focus is.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const pressed = event.target.closest("button"), step = event.shiftKey ? 10 : 1;
  if (event.key === " " && !pressed) setPlaying(!playing);
  else if (event.key === "ArrowLeft") seek(target - step);
  else if (event.key === "ArrowRight") seek(target + step);
  else if (event.key === "Home") seek(0);
  else if (event.key === "End") seek(total);
  else return;
  event.preventDefault();
});

async function decoded(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: data.width, height: data.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, data.width, data.height);
}

// A mask as values 0 to 255, and as a canvas whose opacity it is.
async function readMask(source) {
  const image = await decoded(source), values = new Uint8Array(data.width * data.height);
  for (let k = 0; k < values.length; k++) {
    values[k] = image.data[4 * k];
    image.data[4 * k + 3] = values[k];
  }
  const veil = Object.assign(document.createElement("canvas"), { width: data.width, height: data.height });
  veil.getContext("2d").putImageData(image, 0, 0);
  return [values, veil];
}

async function begin() {
  for (const name of ["painting", "overlay"]) Object.assign(find(name), { width: data.width, height: data.height });
  const style = document.documentElement.style;
  style.setProperty("--aspect", data.width / data.height);
  style.setProperty("--width", `${Math.max(data.width, 320)}px`);
  if (data.photo) find("photo").src = data.photo;
  if (data.finish) Object.assign(find("finish"), { src: data.finish, hidden: false });
  const read = await Promise.all(data.masks.map(readMask));
  masks = read.map(([values]) => values);
  veils = data.objects.map(({ mask }) => read[mask][1]);
  const start = data.start ? (await decoded(data.start)).data : null;
  const cover = data.cover ? (await readMask(data.cover))[0] : null;
  const beyond = typeof data.beyond === "string" ? (await decoded(data.beyond)).data : data.beyond.map((value) => 255 * value);
  picture = new Picture(data.width, data.height, data.background, start, cover, beyond);
  buildControls();
  buildSplit();
  document.body.dataset.ready = "";
  if (matchMedia("(prefers-reduced-motion: reduce)").matches || !total) seek(total);
  else setPlaying(true);
}

begin();
