// A quick likeness of strokes by the browser's own paths, for frames that have to be there at once: each
// stroke is of one opacity. What stays is drawn by the player's `Picture`.
const NUMBERS = 13, FLAT = 0.35, MOST = 12; // numbers of a stroke; px off the curve; pieces of it
const SQUARE = Math.PI / 4, FILBERT = 0.8472130847939787; // how far ends reach, in radii: see strokes.js
const QUARTER = [0.2, 0.45, 0.7, 0.9].map((turn) => [
  Math.sqrt(Math.sin((turn * Math.PI) / 2)),
  Math.sqrt(Math.cos((turn * Math.PI) / 2)),
]);
const x = new Float64Array(MOST + 1), y = new Float64Array(MOST + 1), r = new Float64Array(MOST + 1);
const nx = new Float64Array(MOST + 1), ny = new Float64Array(MOST + 1);

// The curve as a polyline with its normals; returns its number of pieces.
function flatten(v, at, scale) {
  const x0 = v[at] * scale, y0 = v[at + 1] * scale, x1 = v[at + 2] * scale, y1 = v[at + 3] * scale;
  const x2 = v[at + 4] * scale, y2 = v[at + 5] * scale, r0 = v[at + 6] * scale, r2 = v[at + 7] * scale;
  const bend = Math.hypot(x0 - 2 * x1 + x2, y0 - 2 * y1 + y2);
  const count = Math.min(MOST, Math.max(1, Math.ceil(Math.sqrt(bend / (4 * FLAT)))));
  for (let j = 0; j <= count; j++) {
    const t = j / count, u = 1 - t;
    x[j] = u * u * x0 + 2 * t * u * x1 + t * t * x2;
    y[j] = u * u * y0 + 2 * t * u * y1 + t * t * y2;
    r[j] = Math.max(0.35, u * r0 + t * r2);
    let dx = u * (x1 - x0) + t * (x2 - x1), dy = u * (y1 - y0) + t * (y2 - y1), length = Math.hypot(dx, dy);
    if (length < 1e-6) [dx, dy, length] = [x2 - x0, y2 - y0, Math.hypot(x2 - x0, y2 - y0)];
    nx[j] = length < 1e-6 ? 0 : -dy / length;
    ny[j] = length < 1e-6 ? 1 : dx / length;
  }
  return count;
}

// All parts of a path turn the same way, so that it is filled wherever one of them is.
function disc(path, j) {
  path.moveTo(x[j] + r[j], y[j]);
  path.arc(x[j], y[j], r[j], 0, 2 * Math.PI, true);
}

// The end at a vertex, `way` 1 forwards, -1 backwards.
function tip(path, j, way, ends) {
  if (ends === "round") return disc(path, j);
  const ax = ny[j] * way * r[j], ay = -nx[j] * way * r[j], sx = nx[j] * r[j], sy = ny[j] * r[j];
  const place = (side, along, first = false) =>
    path[first ? "moveTo" : "lineTo"](x[j] + side * sx + along * ax, y[j] + side * sy + along * ay);
  place(way, 0, true);
  if (ends === "square") {
    place(way, SQUARE);
    place(-way, SQUARE);
  } else {
    for (let k = QUARTER.length - 1; k >= 0; k--) place(way * QUARTER[k][0], FILBERT * QUARTER[k][1]);
    place(0, FILBERT);
    for (const [side, along] of QUARTER) place(-way * side, FILBERT * along);
  }
  place(-way, 0);
  path.closePath();
}

// Fills the stroke at `at` of `vectors`; lengths are multiplied by `scale`.
export function fill(context, vectors, at, scale, ends) {
  const count = flatten(vectors, at, scale);
  context.beginPath();
  for (let j = 0; j < count; j++) {
    const k = j + 1, length = Math.hypot(x[k] - x[j], y[k] - y[j]);
    context.moveTo(x[j] + nx[j] * r[j], y[j] + ny[j] * r[j]);
    context.lineTo(x[k] + nx[k] * r[k], y[k] + ny[k] * r[k]);
    context.lineTo(x[k] - nx[k] * r[k], y[k] - ny[k] * r[k]);
    context.lineTo(x[j] - nx[j] * r[j], y[j] - ny[j] * r[j]);
    context.closePath();
    if (j > 0 && Math.hypot(nx[k] - nx[j], ny[k] - ny[j]) * r[j] > length) disc(context, j);
  }
  tip(context, 0, -1, ends);
  tip(context, count, 1, ends);
  const byte = (value) => Math.round(255 * Math.min(1, Math.max(0, value)));
  context.globalAlpha = Math.min(1, Math.max(0, (vectors[at + 8] + vectors[at + 9]) / 2));
  context.fillStyle = `rgb(${byte(vectors[at + 10])} ${byte(vectors[at + 11])} ${byte(vectors[at + 12])})`;
  context.fill();
  context.globalAlpha = 1;
}
