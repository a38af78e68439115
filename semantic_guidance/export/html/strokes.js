// The stroke renderer: round cones along quadratic curves, as in renderer/backends/reference.py.
// A stroke is 13 numbers: points (6), radius (2), opacity (2), color (3), lengths in units of the longer side.
const DISCS = 100, FLATNESS = 0.1, MAX_SEGMENTS = 256, LEAST_LEADING = 1e-4, SOFTNESS = 1;
// Radii that ends reach beyond their points, and from these to their corners: see renderer/definition.py.
const SQUARE = Math.PI / 4, FILBERT = 0.8472130847939787;
const FARTHEST = { round: 1, square: Math.hypot(1, SQUARE), filbert: Math.pow(1 + FILBERT ** 4, 0.25) };

class Picture {
  constructor(width, height, background, start, cover, beyond) {
    this.width = width;
    this.height = height;
    this.background = background;
    this.start = start; // pixels of the empty canvas (RGBA), if it is not of one colour
    this.cover = cover; // how much is seen of the canvas (a Uint8Array), null for all
    this.beyond = beyond; // what is seen in its place: bytes of a colour, or pixels (RGBA)
    this.planes = background.map(() => new Float32Array(width * height));
    this.distance = new Float64Array(width);
    this.place = new Float64Array(width);
    this.last = new Float64Array(width);
    this.x = new Float64Array(MAX_SEGMENTS + 1);
    this.y = new Float64Array(MAX_SEGMENTS + 1);
    this.r = new Float64Array(MAX_SEGMENTS + 1);
    this.spans = new Int32Array(3 * MAX_SEGMENTS); // of a row: segments, and their first and end columns
    this.clear();
  }

  clear() {
    this.planes.forEach((plane, channel) => {
      plane.fill(this.background[channel]);
      if (this.start) for (let k = 0; k < plane.length; k++) plane[k] = this.start[4 * k + channel] / 255;
    });
    this.touch(0, 0, this.width, this.height);
  }

  // What is seen of a plane's pixel under the cover.
  seen(plane, channel, k) {
    if (!this.cover) return plane[k];
    const beyond = this.beyond[this.beyond.length > 3 ? 4 * k + channel : channel] / 255;
    return beyond + ((plane[k] - beyond) * this.cover[k]) / 255;
  }

  touch(left, top, right, bottom) {
    const d = this.dirty || [left, top, right, bottom];
    this.dirty = [Math.min(d[0], left), Math.min(d[1], top), Math.max(d[2], right), Math.max(d[3], bottom)];
  }

  // The canvas in 16 bits a channel, to come back to.
  copy() {
    return this.planes.map((plane) => Uint16Array.from(plane, (value) => value * 65535 + 0.5));
  }

  restore(copies) {
    copies.forEach((copy, channel) => {
      const plane = this.planes[channel];
      for (let i = 0; i < plane.length; i++) plane[i] = copy[i] / 65535;
    });
    this.touch(0, 0, this.width, this.height);
  }

  // Polyline of the stroke at `at` of `data`; returns its number of segments.
  flatten(data, at) {
    const s = Math.max(this.width, this.height);
    const [x0, y0, x1, y1, x2, y2, r0, r2] = Array.from(data.subarray(at, at + 8), (value) => value * s);
    const bend = Math.hypot(x0 - 2 * x1 + x2, y0 - 2 * y1 + y2);
    const count = Math.min(Math.max(Math.ceil(Math.sqrt(bend / (4 * FLATNESS))), 1), MAX_SEGMENTS);
    for (let j = 0; j <= count; j++) {
      const t = j / count, u = 1 - t;
      this.x[j] = u * u * x0 + 2 * t * u * x1 + t * t * x2;
      this.y[j] = u * u * y0 + 2 * t * u * y1 + t * t * y2;
      this.r[j] = u * r0 + t * r2;
    }
    return count;
  }

  // Paint the stroke at `at` of `data` under `mask` (a Uint8Array or null); `seedRule`: see Layer.compositing.
  paint(data, at, mask, seedRule, ends = "round") {
    const count = this.flatten(data, at), half = SOFTNESS / 2;
    this.fades = data[at + 8] !== data[at + 9]; // else it does not matter which place covers a pixel last
    this.measureEnds(count, ends);
    let top = Infinity, bottom = -Infinity, left = this.width, right = 0;
    for (let j = 0; j <= count; j++) {
      const reach = this.reach(j, count, ends, half);
      top = Math.min(top, this.y[j] - reach);
      bottom = Math.max(bottom, this.y[j] + reach);
    }
    top = Math.max(0, Math.floor(top - 0.5));
    bottom = Math.min(this.height, Math.ceil(bottom + 0.5));
    for (let row = top; row < bottom; row++) {
      const [first, end] = this.measureRow(row + 0.5, count, half, ends);
      if (first >= end) continue;
      this.blendRow(row, first, end, count, data, at, mask, seedRule);
      left = Math.min(left, first);
      right = Math.max(right, end);
    }
    if (left < right) this.touch(left, top, right, bottom);
  }

  // How far the disc or the end at a vertex reaches, with its soft edge.
  reach(j, count, ends, half) {
    return (j === 0 || j === count ? FARTHEST[ends] : 1) * (this.r[j] + half);
  }

  // The stroke's ends, if they are not round, and which segments are near them: see reference._Ends.
  measureEnds(count, ends) {
    this.ends = [];
    this.far = [0, count];
    if (ends === "round") return;
    const lengths = [];
    for (let s = 0; s < count; s++) lengths.push(Math.hypot(this.x[s + 1] - this.x[s], this.y[s + 1] - this.y[s]));
    for (let s = 0, arc = 0; s < count && arc <= this.r[0]; arc += lengths[s++]) this.far[0] = s + 1;
    for (let s = count - 1, arc = 0; s >= 0 && arc <= this.r[count]; arc += lengths[s--]) this.far[1] = s;
    for (const [tip, inner] of [[0, 1], [count, count - 1]]) {
      const dx = this.x[tip] - this.x[inner], dy = this.y[tip] - this.y[inner], length = Math.hypot(dx, dy);
      const falls = length > 0 ? (this.r[inner] - this.r[tip]) / length : 0;
      const narrowing = falls > 0 && falls < 1 ? falls : 0, dot = length === 0;
      const [ux, uy] = dot ? [1, 0] : [dx / length, dy / length];
      this.ends.push({ kind: ends, place: tip, ux, uy, dot, narrowing, slant: Math.sqrt(1 - narrowing * narrowing) });
    }
  }

  // Distance of a row's pixels in front of the ends that are nearest to them.
  shapeEnds(y, first, end) {
    const { distance, place } = this;
    for (const { kind, place: tip, ux, uy, dot, narrowing, slant } of this.ends) {
      const front = 1 / (SQUARE + (1 - SQUARE) * narrowing), py = y - this.y[tip];
      for (let i = first; i < end; i++) {
        if (place[i] !== tip) continue;
        const px = i + 0.5 - this.x[tip], along = px * ux + py * uy, x = dot ? Math.abs(along) : along;
        if (x <= 0) continue;
        const across = Math.abs(px * uy - py * ux), side = slant * across + narrowing * x;
        const beyond = Math.max(x * x - narrowing * narrowing * (x * x + across * across), 0) / (FILBERT * FILBERT);
        const norm = kind === "square" ? Math.max(side, x * front) : Math.sqrt(Math.sqrt(side ** 4 + beyond * beyond));
        distance[i] = norm - this.r[tip];
      }
    }
  }

  // Signed distance, nearest place and last covering place of a row's pixels, for the columns returned.
  measureRow(y, count, half, ends) {
    const { width, distance, place, last, spans } = this;
    let first = width, end = 0, filled = 0;
    for (let s = 0; s < count; s++) {
      const reach = Math.max(this.reach(s, count, ends, half), this.reach(s + 1, count, ends, half));
      const ax = this.x[s], ay = this.y[s], bx = this.x[s + 1], by = this.y[s + 1];
      if (y < Math.min(ay, by) - reach || y > Math.max(ay, by) + reach) continue;
      let u0 = 0, u1 = 1;
      if (Math.abs(by - ay) > 1e-3) {
        u0 = Math.min(Math.max((y - reach - ay) / (by - ay), 0), 1);
        u1 = Math.min(Math.max((y + reach - ay) / (by - ay), 0), 1);
      }
      const x0 = ax + u0 * (bx - ax), x1 = ax + u1 * (bx - ax);
      const low = Math.max(0, Math.ceil(Math.min(x0, x1) - reach - 0.5));
      const high = Math.min(width, Math.floor(Math.max(x0, x1) + reach - 0.5) + 1);
      if (low >= high) continue;
      spans[filled++] = s;
      spans[filled++] = low;
      spans[filled++] = high;
      first = Math.min(first, low);
      end = Math.max(end, high);
    }
    distance.fill(1e9, first, end);
    place.fill(0, first, end);
    if (this.fades) last.fill(-1, first, end);
    for (let n = 0; n < filled; n += 3) if (!this.isFar(spans[n])) this.measure(spans[n], y, spans[n + 1], spans[n + 2]);
    this.shapeEnds(y, first, end);
    for (let n = 0; n < filled; n += 3) if (this.isFar(spans[n])) this.measure(spans[n], y, spans[n + 1], spans[n + 2]);
    return [first, end];
  }

  isFar(s) {
    return s >= this.far[0] && s < this.far[1];
  }

  measure(s, y, low, high) {
    const { distance, place, last, fades } = this;
    const r = this.r[s], growth = this.r[s + 1] - r;
    const dx = this.x[s + 1] - this.x[s], dy = this.y[s + 1] - this.y[s], py = y - this.y[s];
    const length = Math.hypot(dx, dy), ux = length > 0 ? dx / length : 1, uy = length > 0 ? dy / length : 0;
    let a = length * length - growth * growth;
    const cone = a > 0; // else one of the end discs contains the other
    const lean = growth / Math.sqrt(Math.max(a, 1e-12));
    a = cone ? Math.max(a, LEAST_LEADING) : Math.min(a, -LEAST_LEADING);
    for (let i = low; i < high; i++) {
      const px = i + 0.5 - this.x[s], x = px * ux + py * uy, across = Math.abs(px * uy - py * ux);
      let t = cone ? Math.min(Math.max((x + across * lean) / length, 0), 1) : growth > 0 ? 1 : 0;
      const rest = x - t * length, d = Math.sqrt(rest * rest + across * across) - r - t * growth;
      if (d < distance[i]) {
        distance[i] = d;
        place[i] = s + t;
      }
      if (!fades) continue;
      const b = x * length + r * growth, c = x * x + across * across - r * r;
      if (a - 2 * b + c <= 0) {
        last[i] = Math.max(last[i], s + 1);
        continue;
      }
      const discriminant = b * b - a * c;
      if (discriminant < 0 || !(cone || b < 0)) continue;
      t = (b + Math.sqrt(discriminant)) / a;
      if (t >= 0 && t <= 1) last[i] = Math.max(last[i], s + t);
    }
  }

  blendRow(row, first, end, count, data, at, mask, seedRule) {
    const { distance, place, last } = this, [red, green, blue] = this.planes, base = row * this.width;
    const start = data[at + 8], growth = data[at + 9] - start;
    const r = data[at + 10], g = data[at + 11], b = data[at + 12];
    for (let i = first, k = base + first; i < end; i++, k++) {
      const coverage = Math.min(Math.max(0.5 - distance[i] / SOFTNESS, 0), 1);
      if (coverage === 0) continue;
      const t = !this.fades ? 0 : Math.floor(((last[i] >= 0 ? last[i] : place[i]) / count) * (DISCS - 1)) / (DISCS - 1);
      const full = coverage * (start + t * growth), alpha = mask ? (full * mask[k]) / 255 : full;
      const lost = seedRule ? full : alpha;
      red[k] += alpha * r - lost * red[k];
      green[k] += alpha * g - lost * green[k];
      blue[k] += alpha * b - lost * blue[k];
    }
  }

  // Bring what has changed since the last call to a 2D context.
  show(context) {
    if (!this.dirty) return;
    const [left, top, right, bottom] = this.dirty, image = context.createImageData(right - left, bottom - top);
    let to = 0;
    for (let row = top; row < bottom; row++) {
      for (let k = row * this.width + left, stop = row * this.width + right; k < stop; k++) {
        for (let channel = 0; channel < 3; channel++) image.data[to++] = 255 * this.seen(this.planes[channel], channel, k);
        image.data[to++] = 255;
      }
    }
    context.putImageData(image, left, top);
    this.dirty = null;
  }
}
