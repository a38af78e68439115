// Guidance as it is seen on the photograph: a veil over the background, heat, outlines, boxes and numbers.
import { make } from "/page/dom.js";
import { doubtful, nameOf } from "/page/guide.js";
import { outline } from "/page/masks.js";
import * as stage from "/page/stage.js";
import { on, state } from "/page/store.js";
import { text } from "/page/text.js";

// A colour for each object, all of which bear white letters.
const COLOURS = ["#a34a21", "#20706f", "#6a4fa3", "#8a6410", "#b0375d", "#3d7438", "#2f62a8", "#8b4590"];
const VEIL = [22, 19, 15, 118],
  MOST_SCALE = 2.5;
// Heat: from nothing by amber to red; part, red, green, blue, opacity.
const HEAT = [
  [0, 255, 214, 120, 0],
  [0.12, 255, 214, 120, 0],
  [0.35, 255, 205, 90, 45],
  [0.65, 246, 133, 42, 95],
  [1, 205, 34, 20, 160],
];

let veil,
  heat,
  lines,
  busy,
  size = [0, 0];

export const colourOf = (instance) => {
  const { instances } = state.guidance,
    n = instances.indexOf(instance);
  return COLOURS[Math.max(0, n) % COLOURS.length];
};

const shows = () => state.mode === "guide" && state.guided && state.guidance !== null;

const LITTLE = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
const rgba = (red, green, blue, alpha) =>
  LITTLE
    ? (alpha << 24) | (blue << 16) | (green << 8) | red
    : (red << 24) | (green << 16) | (blue << 8) | alpha;

// Sets the pixels of a canvas one by one, as `rgba` has them.
function fill(canvas, w, h, colour) {
  const pen = canvas.getContext("2d"),
    image = pen.createImageData(w, h),
    pixels = new Uint32Array(image.data.buffer);
  for (let k = 0; k < pixels.length; k++) pixels[k] = colour(k);
  pen.putImageData(image, 0, 0);
}

function paintVeil() {
  const { w, h, instances } = state.guidance,
    masks = instances.filter((each) => !doubtful(each)).map(({ mask }) => mask);
  const [red, green, blue, alpha] = VEIL;
  veil.width = w;
  veil.height = h;
  if (!masks.length) return;
  const most = masks[0].slice();
  for (const mask of masks) for (let k = 0; k < most.length; k++) if (mask[k] > most[k]) most[k] = mask[k];
  fill(veil, w, h, (k) => rgba(red, green, blue, alpha * (1 - most[k] / 255)));
}

// The colour of each value of heat.
function ramp() {
  let n = 0;
  return Uint32Array.from({ length: 256 }, (_, v) => {
    while (v / 255 > HEAT[n + 1][0]) n++;
    const [low, high] = [HEAT[n], HEAT[n + 1]],
      part = (v / 255 - low[0]) / (high[0] - low[0]);
    return rgba(...[1, 2, 3, 4].map((c) => low[c] + part * (high[c] - low[c])));
  });
}

function paintHeat() {
  const { w, h, focus, elsewhere } = state.guidance,
    colours = ramp();
  heat.width = w;
  heat.height = h;
  if (focus) fill(heat, w, h, (k) => colours[Math.max(focus[k], elsewhere?.[k] ?? 0)]);
}

// A line that is seen on dark and on light.
function line(pen, path, wide, colour, dashes) {
  for (const [width, style] of [
    [wide + 2.4, "rgb(15 12 8 / .6)"],
    [wide, colour],
  ]) {
    pen.lineWidth = width;
    pen.strokeStyle = style;
    pen.setLineDash(dashes);
    pen.stroke(path);
  }
}

// The corners of a box, or all of it.
function boxPath(x, y, width, height, whole) {
  const path = new Path2D(),
    reach = Math.min(14, width / 3, height / 3);
  if (whole) path.rect(x, y, width, height);
  else
    for (const [cx, cy, sx, sy] of [
      [x, y, 1, 1],
      [x + width, y, -1, 1],
      [x + width, y + height, -1, -1],
      [x, y + height, 1, -1],
    ]) {
      path.moveTo(cx + sx * reach, cy);
      path.lineTo(cx, cy);
      path.lineTo(cx, cy + sy * reach);
    }
  return path;
}

// A box in CSS pixels of the stage, a little inside where it would lie on its edge.
export function boxOnStage({ box }) {
  const { w, h } = state.guidance,
    sx = size[0] / w,
    sy = size[1] / h;
  const left = Math.max(2, box[0] * sx),
    top = Math.max(2, box[1] * sy);
  return [
    left,
    top,
    Math.min(size[0] - 2, (box[0] + box[2]) * sx) - left,
    Math.min(size[1] - 2, (box[1] + box[3]) * sy) - top,
  ];
}

// A number on a round label, beside those that are there already.
function label(pen, instance, taken) {
  const [left, top, width] = boxOnStage(instance),
    radius = Math.min(...size) < 420 ? 9 : 11;
  let x = instance.kind === "face" ? left + width : left,
    y = top;
  x = Math.max(radius + 3, Math.min(size[0] - radius - 3, x));
  y = Math.max(radius + 3, Math.min(size[1] - radius - 3, y));
  for (let turn = 0; turn < 40 && taken.some(([a, b]) => Math.hypot(a - x, b - y) < 2 * radius + 3); turn++) {
    y += radius;
    if (y > size[1] - radius) ((y = radius + 3), (x = Math.min(size[0] - radius, x + 2 * radius + 4)));
  }
  taken.push([x, y]);
  const number = nameOf(instance).replace(/\D/g, "");
  pen.setLineDash([]);
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = doubtful(instance) ? "#5d574f" : colourOf(instance);
  pen.fill();
  pen.lineWidth = 1.5;
  pen.strokeStyle = "#fff";
  pen.stroke();
  pen.fillStyle = "#fff";
  pen.font = `600 ${instance.kind === "face" ? 10 : 12}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(instance.kind === "face" ? `☺\uFE0E${number}` : number, x, y + 0.5);
}

// A mask in a colour. (Its outline is open at the picture's edges, and cannot be filled.)
function tinted(mask, w, h, colour) {
  const canvas = new OffscreenCanvas(w, h),
    [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  fill(canvas, w, h, (k) => rgba(red, green, blue, mask[k] / 3));
  return canvas;
}

function paintLines() {
  const scale = Math.min(MOST_SCALE, devicePixelRatio || 1),
    pen = lines.getContext("2d");
  lines.width = Math.round(size[0] * scale);
  lines.height = Math.round(size[1] * scale);
  if (!shows() || !size[0]) return;
  const { w, h, instances } = state.guidance,
    marked = (each) => [state.lit, state.chosen].includes(each.id),
    taken = [];
  pen.lineJoin = pen.lineCap = "round";
  pen.scale(scale, scale);
  // Those that are marked last, so that nothing covers them.
  for (const each of [...instances].sort((one, other) => marked(one) - marked(other))) {
    const path = new Path2D(),
      strong = marked(each),
      whole = strong || state.tool === "box";
    path.addPath(outline(each.mask, w), new DOMMatrix([size[0] / w, 0, 0, size[1] / h, 0, 0]));
    if (strong) pen.drawImage(tinted(each.mask, w, h, colourOf(each)), 0, 0, ...size);
    line(
      pen,
      path,
      strong ? 3 : 1.7,
      strong ? "#fff" : doubtful(each) ? "rgb(255 255 255 / .75)" : "#fff",
      doubtful(each) ? [1, 6] : [],
    );
    if (each.kind === "object")
      line(
        pen,
        boxPath(...boxOnStage(each), whole),
        whole ? 1.2 : 1.7,
        "rgb(255 255 255 / .85)",
        doubtful(each) ? [3, 5] : [],
      );
  }
  for (const each of instances) label(pen, each, taken);
}

function show() {
  const seen = shows(),
    known = state.guidance;
  for (const canvas of [veil, lines]) canvas.classList.toggle("shown", seen);
  heat.classList.toggle("shown", Boolean(seen && state.heat && known.focus));
  busy.hidden = !(
    state.mode === "guide" &&
    state.guided &&
    (state.looking || (state.focusing && !known?.focus))
  );
  busy.classList.toggle("sweeping", Boolean(state.looking));
}

export function mount() {
  veil = stage.layer("veil", 30);
  heat = stage.layer("heat", 31);
  lines = stage.layer("marks", 32, (width, height) => {
    size = [width, height];
    if (lines) paintLines();
  });
  for (const canvas of [veil, heat, lines]) canvas.classList.add("guiding");
  busy = stage.over(
    make(
      "div",
      { class: "looking", hidden: true, "aria-hidden": "true" },
      make("span", { text: text.guide.looking }),
    ),
    33,
  );
  size = [stage.size().width, stage.size().height];
  const paint = ({ guidance }) => {
    if (!guidance) return;
    paintVeil();
    paintHeat();
  };
  on("guidance", paint);
  on(["guidance", "guided", "mode", "lit", "chosen", "tool"], paintLines);
  on(["guidance", "guided", "mode", "heat", "looking", "focusing"], show);
  paint(state);
  paintLines();
  show();
}
