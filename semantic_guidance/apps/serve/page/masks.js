// Masks as bytes, 255 where something is: to and from grey PNG pictures, their boxes and their outlines.
const HALF = 127.5,
  HEAD = "data:image/png;base64,";
const written = new WeakMap(),
  traced = new WeakMap();

// The bytes of a grey PNG picture at a size; null if it cannot be read.
export async function decoded(url, width, height) {
  const bytes = Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), {
    colorSpaceConversion: "none",
  });
  const paper = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  paper.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const pixels = paper.getImageData(0, 0, width, height).data,
    mask = new Uint8Array(width * height);
  for (let k = 0; k < mask.length; k++) mask[k] = pixels[4 * k];
  return mask;
}

let table = null;

function checksum(bytes) {
  table ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  let sum = -1;
  for (const byte of bytes) sum = table[(sum ^ byte) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}

function chunk(name, data) {
  const whole = new Uint8Array(12 + data.length),
    view = new DataView(whole.buffer);
  view.setUint32(0, data.length);
  whole.set(
    [...name].map((letter) => letter.charCodeAt(0)),
    4,
  );
  whole.set(data, 8);
  view.setUint32(8 + data.length, checksum(whole.subarray(4, 8 + data.length)));
  return whole;
}

// A grey PNG picture as a data URL. (A canvas writes colours alone.)
export async function encoded(mask, width, height) {
  if (written.has(mask)) return written.get(mask);
  const rows = new Uint8Array((width + 1) * height); // each row begins with its filter, which is none
  for (let y = 0; y < height; y++) rows.set(mask.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const head = new Uint8Array(13),
    view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head[8] = 8; // bits, and the rest zero: grey
  const data = new Uint8Array(await new Response(packed).arrayBuffer());
  const file = new Blob([
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    chunk("IHDR", head),
    chunk("IDAT", data),
    chunk("IEND", []),
  ]);
  const bytes = new Uint8Array(await file.arrayBuffer());
  let letters = "";
  for (let k = 0; k < bytes.length; k += 8192) letters += String.fromCharCode(...bytes.subarray(k, k + 8192));
  written.set(mask, HEAD + btoa(letters));
  return written.get(mask);
}

// The tight box [x, y, width, height] in pixels of the mask, and its area; null if it is empty.
export function boxOf(mask, width) {
  let left = width,
    top = -1,
    right = -1,
    bottom = 0,
    area = 0;
  for (let k = 0, x = 0, y = 0; k < mask.length; k++) {
    if (mask[k] > HALF) {
      if (top < 0) top = y;
      if (x < left) left = x;
      if (x > right) right = x;
      bottom = y;
      area++;
    }
    if (++x === width) ((x = 0), y++);
  }
  return area && { box: [left, top, right - left + 1, bottom - top + 1], area };
}

// Intersection by union, and by the smaller one.
export function overlap(one, other) {
  let both = 0,
    first = 0,
    second = 0;
  for (let k = 0; k < one.length; k++) {
    const a = one[k] > HALF,
      b = other[k] > HALF;
    if (a) first++;
    if (b) second++;
    if (a && b) both++;
  }
  return { union: both / (first + second - both || 1), within: both / (Math.min(first, second) || 1) };
}

// Segments of marching squares by the corners that are inside (1, 2, 4, 8 clockwise), inside on the right;
// 0 to 3 are the cell's edges from the top, clockwise.
const SEGMENTS = [
  [],
  [0, 3],
  [1, 0],
  [1, 3],
  [2, 1],
  [0, 3, 2, 1],
  [2, 0],
  [2, 3],
  [3, 2],
  [0, 2],
  [1, 0, 3, 2],
  [1, 2],
  [3, 1],
  [0, 1],
  [3, 0],
  [],
];

// Where the mask crosses one half, as a path in pixels of the mask. At the picture's edges it is open.
export function outline(mask, width) {
  if (traced.has(mask)) return traced.get(mask);
  const height = mask.length / width,
    next = new Map(),
    ends = new Set();
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0, k = y * width; x < width - 1; x++, k++) {
      const inside =
        (mask[k] > HALF) |
        ((mask[k + 1] > HALF) << 1) |
        ((mask[k + width + 1] > HALF) << 2) |
        ((mask[k + width] > HALF) << 3);
      if (inside === 0 || inside === 15) continue;
      const edges = [2 * k, 2 * (k + 1) + 1, 2 * (k + width), 2 * k + 1],
        segments = SEGMENTS[inside];
      for (let n = 0; n < segments.length; n += 2) {
        next.set(edges[segments[n]], edges[segments[n + 1]]);
        ends.add(edges[segments[n + 1]]);
      }
    }
  }
  // An edge is named by its first pixel, doubled; one more if it goes down.
  const place = (edge) => {
    const k = edge >> 1,
      down = edge & 1,
      other = k + (down ? width : 1);
    const part = (HALF - mask[k]) / (mask[other] - mask[k]),
      x = (k % width) + 0.5,
      y = Math.floor(k / width) + 0.5;
    return down ? [x, y + part] : [x + part, y];
  };
  const path = new Path2D();
  const follow = (start) => {
    let edge = start;
    path.moveTo(...place(edge));
    while (next.has(edge)) {
      const to = next.get(edge);
      next.delete(edge);
      edge = to;
      if (edge === start) return path.closePath();
      path.lineTo(...place(edge));
    }
  };
  for (const start of [...next.keys()]) if (!ends.has(start)) follow(start);
  for (const start of next.keys()) follow(start);
  traced.set(mask, path);
  return path;
}

// Strokes a round brush from one place to another, in pixels of the mask; `value` is 255 to fill, 0 to clear.
export function dab(mask, width, from, to, radius, value) {
  const height = mask.length / width,
    dx = to[0] - from[0],
    dy = to[1] - from[1],
    length = dx * dx + dy * dy;
  const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - radius - 1));
  const last = (a, b, most) => Math.min(most, Math.ceil(Math.max(a, b) + radius + 1));
  for (let y = first(from[1], to[1]); y < last(from[1], to[1], height); y++) {
    for (let x = first(from[0], to[0]); x < last(from[0], to[0], width); x++) {
      const px = x + 0.5 - from[0],
        py = y + 0.5 - from[1];
      const t = length ? Math.max(0, Math.min(1, (px * dx + py * dy) / length)) : 0;
      const cover = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(px - t * dx, py - t * dy))),
        k = y * width + x;
      mask[k] = value ? Math.max(mask[k], 255 * cover) : Math.min(mask[k], 255 * (1 - cover));
    }
  }
}
