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

function paintVeil() {
  const { w, h, instances } = state.guidance,
    kept = instances.filter((each) => !doubtful(each));
  veil.width = w;
  veil.height = h;
  if (!kept.length) return;
  const pen = veil.getContext("2d"),
    image = pen.createImageData(w, h),
    { data } = image;
  for (let k = 0; k < w * h; k++) {
    let most = 0;
    for (const { mask } of kept) if (mask[k] > most) most = mask[k];
    data.set(VEIL, 4 * k);
    data[4 * k + 3] = VEIL[3] * (1 - most / 255);
  }
  pen.putImageData(image, 0, 0);
}

function ramp() {
  const colours = new Uint8ClampedArray(1024);
  for (let v = 0, n = 0; v < 256; v++) {
    while (v / 255 > HEAT[n + 1][0]) n++;
    const [low, high] = [HEAT[n], HEAT[n + 1]],
      part = (v / 255 - low[0]) / (high[0] - low[0]);
    for (let c = 0; c < 4; c++) colours[4 * v + c] = low[c + 1] + part * (high[c + 1] - low[c + 1]);
  }
  return colours;
}

function paintHeat() {
  const { w, h, focus, elsewhere } = state.guidance;
  heat.width = w;
  heat.height = h;
  if (!focus) return;
  const pen = heat.getContext("2d"),
    image = pen.createImageData(w, h),
    colours = ramp();
  for (let k = 0; k < w * h; k++) {
    const v = Math.max(focus[k], elsewhere?.[k] ?? 0);
    for (let c = 0; c < 4; c++) image.data[4 * k + c] = colours[4 * v + c];
  }
  pen.putImageData(image, 0, 0);
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
    if (strong) {
      pen.fillStyle = `${colourOf(each)}55`;
      pen.fill(path, "evenodd");
    }
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
