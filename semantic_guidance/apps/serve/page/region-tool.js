// More strokes here: a region of the painting is marked, and painted over.
import { DIAL_NAMES, job } from "/page/controls.js";
import { button, find, make, say, slider } from "/page/dom.js";
import * as guidance from "/page/guidance.js";
import * as live from "/page/live.js";
import * as stage from "/page/stage.js";
import { on, set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.paint;
const LONGEST = 640; // px of the mask's longer side
const FEWEST = 10, MOST = 2000, USUAL = 80; // strokes
const STEP = 0.02; // of the picture, by which an arrow key moves
const MARCH = 110; // ms between two steps of the outline
const ALIKE = ["style", "preset", "seed", "brush", "palette", "palette_from", "pigments", ...DIAL_NAMES];
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let canvas, form, things, mask = null, kind = "brush", radius = 0.05, strokes = USUAL, erase = false;
let path = null, pointer = null, filledNow = false, ring = null, march = 0, timer = null, keyed = null;

const context = () => mask.getContext("2d", { willReadFrequently: true });

function begin() {
  if (mask || state.current === null || live.running().length || !state.picture) return;
  const { width, height } = state.picture, scale = LONGEST / Math.max(width, height);
  mask = make("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
  filledNow = false;
  if (state.mode !== "paint") set({ mode: "paint" });
  document.body.toggleAttribute("data-region", true);
  form.hidden = false;
  stage.take({ down, move, up, cancel: up, hover, left: null, cursor: "crosshair" });
  live.offer({ words: words.regionPaint, press: order, cancel: end });
  listThings();
  say(words.regionBegun);
  form.querySelector("input").focus({ preventScroll: true });
  find("panel-paint").scrollTop = 0;
  draw();
}

function end() {
  if (!mask) return;
  const inside = form.contains(document.activeElement) || keyed !== null;
  mask = path = pointer = ring = null;
  endKeyed();
  clearTimeout(timer);
  document.body.toggleAttribute("data-region", false);
  form.hidden = true;
  stage.take(null);
  live.offer(null);
  draw();
  if (inside) find("region-open").focus();
}

async function order() {
  if (!filledNow) {
    say(words.regionEmpty);
    form.querySelector(".empty").classList.add("asked");
    return;
  }
  const settings = job(),
    alike = Object.fromEntries(
      ALIKE.filter((name) => name in settings).map((name) => [name, settings[name]]),
    );
  const record = await live.start({
    of: state.current,
    region: mask.toDataURL("image/png"),
    erase,
    job: { ...alike, strokes },
  });
  if (record) end();
}

// Pointers: a brush that marks or takes away, or a lasso.
function down(place) {
  path = [place];
  if (kind !== "lasso") dab(place, place);
  draw();
}

function move(place) {
  if (!path) return;
  if (kind !== "lasso") dab(path.at(-1), place);
  path.push(place);
  pointer = place;
  draw();
}

function up() {
  if (path && kind === "lasso" && path.length > 2) {
    const scale = mask.width / state.picture.width, paint = context();
    paint.beginPath();
    for (const { x, y } of path) paint.lineTo(x * scale, y * scale);
    paint.fillStyle = "#fff";
    paint.fill();
  }
  path = null;
  changed();
}

function hover(place) {
  pointer = place;
  draw();
}

function dab(from, to) {
  const scale = mask.width / state.picture.width, paint = context();
  paint.globalCompositeOperation = kind === "away" ? "destination-out" : "source-over";
  paint.strokeStyle = "#fff";
  paint.lineCap = paint.lineJoin = "round";
  paint.lineWidth = 2 * radius * Math.max(mask.width, mask.height);
  paint.beginPath();
  paint.moveTo(from.x * scale, from.y * scale);
  paint.lineTo(to.x * scale + 0.01, to.y * scale);
  paint.stroke();
  paint.globalCompositeOperation = "source-over";
  filledNow = true;
  ring = null;
}

// The mask is another one: is there anything in it, and where does its outline run?
function changed() {
  const { data } = context().getImageData(0, 0, mask.width, mask.height);
  let marked = 0;
  for (let k = 3; k < data.length; k += 4) if (data[k] > 127) marked += 1;
  filledNow = marked > 0;
  const share = (100 * marked) / (mask.width * mask.height);
  const empty = form.querySelector(".empty");
  empty.textContent = filledNow
    ? filled(words.regionShare, { share: share < 1 ? "<1" : Math.round(share) })
    : words.regionEmpty;
  empty.classList.toggle("asked", false);
  ring = null;
  draw();
}

// A veil over all but the region, and its outline, which marches.
function draw() {
  const paint = canvas.getContext("2d"), { width, height } = canvas;
  paint.clearRect(0, 0, width, height);
  clearTimeout(timer);
  if (!mask) return;
  const unit = width / Math.max(1, stage.size().width);
  if (filledNow) {
    paint.fillStyle = "rgb(20 17 14 / .5)";
    paint.fillRect(0, 0, width, height);
    paint.globalCompositeOperation = "destination-out";
    paint.drawImage(mask, 0, 0, width, height);
    paint.globalCompositeOperation = "source-over";
    if (!path) {
      paint.drawImage(stripes(unit), 0, 0);
      if (!calm.matches)
        timer = setTimeout(() => {
          march += 1;
          draw();
        }, MARCH);
    }
  }
  paint.lineWidth = 1.5 * unit;
  if (path && kind === "lasso") line(paint, unit);
  if (pointer && kind !== "lasso" && !keyed) ringAt(paint, unit);
}

function line(paint, unit) {
  for (const [color, dash] of [
    ["#000", []],
    ["#fff", [5 * unit, 5 * unit]],
  ]) {
    paint.beginPath();
    for (const { px, py } of path) paint.lineTo(px * unit, py * unit);
    paint.strokeStyle = color;
    paint.setLineDash(dash);
    paint.stroke();
  }
  paint.setLineDash([]);
}

function ringAt(paint, unit) {
  for (const [color, more] of [
    ["rgb(0 0 0 / .6)", 1],
    ["#fff", 0],
  ]) {
    paint.beginPath();
    paint.arc(
      pointer.px * unit,
      pointer.py * unit,
      radius * Math.max(canvas.width, canvas.height) + more * unit,
      0,
      7,
    );
    paint.strokeStyle = color;
    paint.stroke();
  }
}

// The outline: the mask grown by its width, less the mask, in stripes.
function stripes(unit) {
  const { width, height } = canvas;
  if (!ring) {
    ring = make("canvas", { width, height });
    const paint = ring.getContext("2d"), wide = 1.6 * unit;
    for (let n = 0; n < 8; n++) {
      paint.drawImage(
        mask,
        wide * Math.cos((n * Math.PI) / 4),
        wide * Math.sin((n * Math.PI) / 4),
        width,
        height,
      );
    }
    paint.globalCompositeOperation = "destination-out";
    paint.drawImage(mask, 0, 0, width, height);
  }
  const made = make("canvas", { width, height }), paint = made.getContext("2d"), long = 5 * unit;
  paint.drawImage(ring, 0, 0);
  paint.globalCompositeOperation = "source-atop";
  paint.strokeStyle = "#111";
  paint.lineWidth = long / Math.SQRT2;
  paint.beginPath();
  for (let x = ((march % 8) / 4) * long - height - 2 * long; x < width + long; x += 2 * long) {
    paint.moveTo(x, 0);
    paint.lineTo(x + height, height);
  }
  paint.stroke();
  return made;
}

// Whole objects as the region, as far as they are known.
async function listThings() {
  things.replaceChildren();
  const known =
    state.guidance && (await Promise.resolve(guidance.toDocument?.(state.guidance)).catch(() => null));
  if (!mask || !known?.instances) return;
  known.instances.forEach((each, n) => {
    if (typeof each.mask !== "string") return;
    const press = button(filled(words.object, { number: n + 1 }), () => toggleThing(press, each.mask), {
      "aria-pressed": "false",
    });
    things.append(press);
  });
}

async function toggleThing(press, source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  if (!mask) return;
  const { width, height } = mask, each = make("canvas", { width, height }), paint = each.getContext("2d");
  paint.drawImage(image, 0, 0, width, height);
  const pixels = paint.getImageData(0, 0, width, height);
  for (let k = 0; k < pixels.data.length; k += 4) {
    pixels.data[k + 3] = pixels.data[k];
    pixels.data.fill(255, k, k + 3);
  }
  paint.putImageData(pixels, 0, 0);
  const taken = press.getAttribute("aria-pressed") === "true";
  press.setAttribute("aria-pressed", !taken);
  const into = context();
  into.globalCompositeOperation = taken ? "destination-out" : "source-over";
  into.drawImage(each, 0, 0);
  into.globalCompositeOperation = "source-over";
  changed();
}

// A rectangle that arrow keys move, with Shift make larger and smaller; Enter marks what is in it.
function beginKeyed() {
  endKeyed();
  const box = { x: 0.35, y: 0.35, w: 0.3, h: 0.3 };
  const element = make("div", {
    class: "keyed",
    tabindex: 0,
    role: "application",
    "aria-label": words.rectangleKeys,
    "data-own-pointer": true,
  });
  const place = () => {
    box.w = Math.min(1, Math.max(STEP, box.w));
    box.h = Math.min(1, Math.max(STEP, box.h));
    box.x = Math.min(1 - box.w, Math.max(0, box.x));
    box.y = Math.min(1 - box.h, Math.max(0, box.y));
    for (const [side, share] of [
      ["left", box.x],
      ["top", box.y],
      ["width", box.w],
      ["height", box.h],
    ]) {
      element.style[side] = `${100 * share}%`;
    }
  };
  element.addEventListener("keydown", (event) => {
    const [dx, dy] =
      { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (dx !== undefined) {
      box[event.shiftKey ? "w" : "x"] += dx * STEP;
      box[event.shiftKey ? "h" : "y"] += dy * STEP;
      place();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      const paint = context();
      paint.fillStyle = "#fff";
      paint.fillRect(box.x * mask.width, box.y * mask.height, box.w * mask.width, box.h * mask.height);
      endKeyed();
      changed();
      find("region-rectangle").focus();
      say(words.regionMarked);
    } else if (event.key === "Escape") {
      endKeyed();
      find("region-rectangle").focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  keyed = stage.over(element, 41);
  place();
  element.focus();
}

function endKeyed() {
  keyed?.remove();
  keyed = null;
}

function build() {
  const kinds = make("div", { class: "chips", role: "radiogroup", "aria-label": words.regionTool });
  for (const name of ["brush", "lasso", "away"]) {
    const input = make("input", {
      type: "radio",
      name: "region-tool",
      value: name,
      checked: name === kind,
      onchange: () => (kind = name),
    });
    kinds.append(make("label", { class: "choice" }, input, make("span", { text: words.regionTools[name] })));
  }
  const wide = slider(words.regionWidth, {
    min: 1,
    max: 20,
    value: Math.round(100 * radius),
    shown: (given) => `${given} %`,
    input: (given) => (radius = given / 100),
  });
  const ratio = Math.log(MOST / FEWEST) / 100,
    count = (place) => {
      const exact = FEWEST * Math.exp(ratio * place),
        unit = exact < 100 ? 5 : 10 ** Math.floor(Math.log10(exact) - 1);
      return Math.round(exact / unit) * unit;
    };
  const many = slider(words.regionStrokes, {
    min: 0,
    max: 100,
    value: Math.log(USUAL / FEWEST) / ratio,
    step: "any",
    shown: (place) => count(place).toLocaleString("en"),
    input: (place) => (strokes = count(place)),
  });
  const before = make("input", { type: "checkbox", onchange: () => (erase = before.checked) });
  things = make("div", { class: "row" });
  const clear = () => {
    context().clearRect(0, 0, mask.width, mask.height);
    for (const press of things.children) press.setAttribute("aria-pressed", false);
    changed();
  };
  return make(
    "section",
    { id: "region-form", class: "part", hidden: true, "aria-label": words.regionTitle },
    make("h2", { text: words.regionTitle }),
    make("p", { class: "hint", text: words.regionHint }),
    kinds,
    wide,
    things,
    make(
      "div",
      { class: "row" },
      button(words.rectangle, beginKeyed, { icon: "box", id: "region-rectangle" }),
      button(words.clear, clear, { icon: "close" }),
    ),
    make("p", { class: "hint empty", role: "status", text: words.regionEmpty }),
    many,
    make("label", { class: "check" }, before, make("span", { text: words.regionErase })),
  );
}

// Begins to mark a region, or leaves that.
export function toggle() {
  if (!form) mount();
  if (mask) end();
  else begin();
}

function mount() {
  canvas = stage.layer("region", 40, (width, height) => {
    if (canvas) fit(width, height);
  });
  const { width, height } = stage.size();
  fit(width, height);
  form = build();
  find("panel-paint").append(form);
  on(["mode", "current", "picture"], ({ mode }) => (mode !== "paint" || state.current === null) && end());
  document.addEventListener("keydown", (event) => event.key === "Escape" && end());
}

function fit(width, height) {
  const unit = Math.min(2, devicePixelRatio || 1);
  Object.assign(canvas, { width: Math.round(width * unit), height: Math.round(height * unit) });
  ring = null;
  if (mask) draw();
}
