// Draws paintings with the player's own strokes: in a Worker, or in slices on the page where there is none.
//
// A drawing has two surfaces: a rough one, so small that all strokes are drawn within a frame's time, and a
// sharp one of the size that is seen. What cannot be drawn sharply at once is seen roughly first.
import { Picture } from "/page/strokes.js";

const SLICE = 24; // ms of painting before others get their turn
const FRAME = 100; // ms that all strokes may take on the rough surface
const CALM = 220; // ms without anything new, after which it gets sharp
const LEAST = 128, FIRST = 288; // longer side of the rough surface in pixels: the smallest, and the first one
const KEPT = 12, ROOM = 72e6; // canvases to come back to, and their bytes at most
const NUMBERS = 13; // of a stroke

const canvasOf = (width, height) =>
  typeof OffscreenCanvas === "undefined"
    ? Object.assign(document.createElement("canvas"), { width, height })
    : new OffscreenCanvas(width, height);

const bytesOf = (packed) => Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));

// A data URL as a bitmap; fetching it is more than the page's policy allows.
async function bitmapOf(source) {
  const [head, packed] = source.split(",", 2);
  const blob = new Blob([bytesOf(packed)], { type: head.slice(5).split(";")[0] });
  return createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
}

function pixelsOf(bitmap, width, height) {
  const context = canvasOf(width, height).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

function greyOf(bitmap, width, height) {
  const pixels = pixelsOf(bitmap, width, height);
  return Uint8Array.from({ length: width * height }, (_, k) => pixels[4 * k]);
}

// What strokes are painted on: its bitmaps fit surfaces of any size.
class Scene {
  static async from(data) {
    const scene = new Scene(), pictures = (value) => (typeof value === "string" ? bitmapOf(value) : null);
    Object.assign(scene, { width: data.width, height: data.height, background: data.background ?? [1, 1, 1] });
    scene.masks = await Promise.all((data.masks ?? []).map(bitmapOf));
    scene.start = await pictures(data.start);
    scene.cover = await pictures(data.cover);
    scene.beyond = (await pictures(data.beyond)) ?? (data.beyond ?? [1, 1, 1]).map((value) => 255 * value);
    return scene;
  }

  picture(width, height) {
    const start = this.start && pixelsOf(this.start, width, height);
    const cover = this.cover && greyOf(this.cover, width, height);
    const beyond = Array.isArray(this.beyond) ? this.beyond : pixelsOf(this.beyond, width, height);
    return new Picture(width, height, this.background, start, cover, beyond);
  }
}

// Strokes with the layer of each; equal layers are the same object.
class Strokes {
  static kinds = new Map();

  constructor(vectors, layers) {
    this.vectors = vectors;
    this.count = Math.floor(vectors.length / NUMBERS);
    this.layers = [];
    for (const { count, mask = null, compositing = "over", ends = "round" } of layers) {
      const name = `${mask} ${compositing} ${ends}`, { kinds } = Strokes;
      if (!kinds.has(name)) kinds.set(name, { mask, seed: compositing === "seed", ends });
      for (let n = 0; n < count; n++) this.layers.push(kinds.get(name));
    }
    this.count = Math.min(this.count, this.layers.length);
  }

  // How many strokes are the same as those of others, from the first one on.
  same(others) {
    const { vectors, layers } = this, most = Math.min(this.count, others.count);
    for (let n = 0; n < most; n++) {
      if (layers[n] !== others.layers[n]) return n;
      for (let k = n * NUMBERS; k < (n + 1) * NUMBERS; k++) if (vectors[k] !== others.vectors[k]) return n;
    }
    return most;
  }
}

class Surface {
  constructor(scene, longest) {
    const scale = longest / Math.max(scene.width, scene.height);
    this.width = Math.max(1, Math.round(scene.width * scale));
    this.height = Math.max(1, Math.round(scene.height * scale));
    this.longest = longest;
    this.scene = scene;
    this.picture = scene.picture(this.width, this.height);
    this.masks = new Map();
    this.kept = new Map();
    this.rate = null; // ms a stroke
    this.forget();
  }

  forget() {
    this.drawn = 0;
    this.behind = true; // whether it has gone back since it was shown
    this.kept.clear();
    this.picture.clear();
  }

  mask(number) {
    if (number === null) return null;
    if (!this.masks.has(number)) {
      const bitmap = this.scene.masks[number];
      this.masks.set(number, bitmap ? greyOf(bitmap, this.width, this.height) : null);
    }
    return this.masks.get(number);
  }

  // Other strokes, of which the first `same` ones are as before.
  changed(same) {
    for (const count of this.kept.keys()) if (count > same) this.kept.delete(count);
    if (this.drawn > same) this.back(same);
  }

  nearest(target) {
    return Math.max(0, this.drawn <= target ? this.drawn : 0, ...[...this.kept.keys()].filter((n) => n <= target));
  }

  back(target) {
    this.drawn = Math.max(0, ...[...this.kept.keys()].filter((n) => n <= target));
    if (this.drawn) this.picture.restore(this.kept.get(this.drawn));
    else this.picture.clear();
    this.behind = true;
  }

  // Expected ms until so many strokes are there.
  cost(target, rate = this.rate) {
    const more = target - this.nearest(target);
    return more === 0 ? 0 : rate === null ? Infinity : more * rate;
  }

  // Paints towards `target`, until some time at most; true when it is reached.
  advance(strokes, target, until, keep) {
    const near = this.nearest(target), first = performance.now();
    if (this.drawn > target || near > this.drawn) this.back(target);
    const most = Math.min(KEPT, Math.floor(ROOM / (6 * this.width * this.height)));
    const every = keep && most > 0 ? Math.max(1, Math.ceil(strokes.count / (most + 1))) : Infinity, from = this.drawn;
    while (this.drawn < target && performance.now() < until) {
      const { mask, seed, ends } = strokes.layers[this.drawn];
      this.picture.paint(strokes.vectors, NUMBERS * this.drawn, this.mask(mask), seed, ends);
      this.drawn += 1;
      if (this.drawn % every === 0 && !this.kept.has(this.drawn)) this.kept.set(this.drawn, this.picture.copy());
    }
    if (this.drawn > from) {
      const rate = (performance.now() - first) / (this.drawn - from), weight = Math.min(1, (this.drawn - from) / 40);
      this.rate = this.rate === null ? rate : this.rate + weight * (rate - this.rate);
    }
    return this.drawn === target;
  }
}

export class Drawer {
  // `tell` hears of every state that is shown.
  constructor(canvas, tell) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.tell = tell;
    this.longest = 1024; // of what is seen, in pixels
    this.roughly = FIRST;
    this.calm = CALM;
    this.era = 0;
  }

  receive(message) {
    const { kind } = message;
    if (kind === "size") this.resize(message.longest);
    else if (kind === "begin") this.begin(message.data, true);
    else if (kind === "view") this.begin(message.data, false);
    else if (kind === "strokes") this.next = message.data;
    else if (kind === "seek") this.seek(message.count);
    this.wake();
  }

  resize(longest) {
    this.longest = longest;
    if (this.sharp && this.sharp.longest !== longest) this.sharp = null;
    this.phase = null;
    this.moved = performance.now();
  }

  // A new painting; what was seen stays until something of it can be shown.
  async begin(data, live) {
    const era = ++this.era;
    this.scene = this.next = null;
    const scene = await Scene.from(data).catch(() => null);
    if (era !== this.era || !scene) return;
    Object.assign(this, { scene, live, rough: null, sharp: null, shown: null, phase: null, moved: 0 });
    this.finished = Boolean(data.finish);
    this.strokes = new Strokes(new Float32Array(0), []);
    if (!live) this.strokes = new Strokes(new Float32Array(bytesOf(data.strokes).buffer), data.layers);
    this.target = this.strokes.count;
    this.wake();
  }

  // The newest strokes take the place of those before; both surfaces keep what is still true.
  adopt() {
    const { data, layers } = this.next, packed = bytesOf(data);
    const whole = new Uint16Array(packed.buffer, 0, packed.length >> 1);
    const strokes = new Strokes(Float32Array.from(whole, (value) => (value / 65535) * 3 - 1), layers);
    this.next = null;
    const same = strokes.same(this.strokes);
    this.strokes = strokes;
    this.target = strokes.count;
    for (const surface of [this.rough, this.sharp]) surface?.changed(same);
    this.phase = null;
    this.moved = performance.now();
  }

  seek(count) {
    if (!this.scene || this.live) return;
    this.target = Math.max(0, Math.min(this.strokes.count, count));
    this.phase = null;
    this.moved = performance.now();
  }

  wake() {
    if (this.running) return;
    this.running = true;
    this.run();
  }

  async run() {
    let pause = 0;
    while ((pause = this.step()) !== null) await new Promise((done) => setTimeout(done, pause));
    this.running = false;
  }

  // One slice of work; ms until the next one, null if there is none.
  step() {
    if (!this.scene) return null;
    if (this.next) this.adopt();
    this.sharp ??= new Surface(this.scene, this.longest);
    this.phase ??= this.choose();
    if (this.phase === "done") return null;
    if (this.phase === "calm") {
      const rest = this.moved + this.calm - performance.now();
      if (rest > 0) return Math.min(rest, 60);
      this.phase = "sharp";
    }
    const surface = this[this.phase];
    if (surface.drawn === 0) surface.begun = performance.now();
    const done = surface.advance(this.strokes, this.target, performance.now() + SLICE, !this.live);
    if (done || (surface === this.shown && !surface.behind)) this.show(surface);
    if (!done) return 0;
    const crisp = surface === this.sharp || (this.finished && this.target === this.strokes.count);
    if (surface === this.rough) this.fit();
    this.phase = crisp ? "done" : "calm";
    return crisp ? null : 0;
  }

  // Which surface can show what is wanted in time.
  choose() {
    const { sharp, longest, roughly } = this;
    const rate = sharp.rate ?? (this.rough?.rate ? this.rough.rate * (longest / this.rough.longest) ** 2 : null);
    if (roughly >= longest || sharp.cost(this.target, rate) <= FRAME) return "sharp";
    if (!this.rough || (this.live && Math.abs(this.rough.longest - roughly) > 0.15 * roughly)) {
      const before = this.rough?.rate;
      this.rough = new Surface(this.scene, roughly);
      if (before) this.rough.rate = before;
    }
    return "rough";
  }

  // The size at which all strokes take a frame's time.
  fit() {
    const { rate, longest } = this.rough, all = rate * this.strokes.count;
    if (!(all > 0) || this.strokes.count < 20) return;
    const wanted = longest * Math.sqrt(Math.min(4, Math.max(0.25, FRAME / all)));
    this.roughly = Math.round(Math.min(this.longest, Math.max(LEAST, (longest + wanted) / 2)));
  }

  show(surface) {
    const { canvas, context } = this, { width, height, picture } = surface;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    if (surface !== this.shown) picture.touch(0, 0, width, height);
    picture.show(context);
    surface.behind = false;
    this.shown = surface;
    const ms = performance.now() - (surface.begun ?? performance.now());
    const { drawn: count, longest } = surface;
    this.tell({ count, longest, ms, live: this.live, sharp: surface === this.sharp, total: this.strokes.count });
  }
}

// In a Worker, each canvas has a key.
if (typeof WorkerGlobalScope !== "undefined") {
  const drawers = new Map();
  self.onmessage = ({ data: { key, canvas, ...message } }) => {
    if (canvas) drawers.set(key, new Drawer(canvas, (told) => self.postMessage({ key, ...told })));
    else if (message.kind === "end") drawers.delete(key);
    else drawers.get(key)?.receive(message);
  };
  self.postMessage({ ready: true });
}
