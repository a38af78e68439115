// Draws paintings with the player's own strokes: in a Worker, or in slices on the page where there is none.
//
// A drawing has two surfaces: a rough one, which draws all strokes within a frame's time and is as small as that
// needs, and a sharp one of the size that is seen. What cannot be drawn sharply at once is seen roughly first.
import { fill } from "/page/sketch.js";
import { Picture } from "/page/strokes.js";

const SLICE = 24; // ms of painting before others get their turn
const FRAME = 100; // ms that all strokes may take on the rough surface
const PACE = 50, BETWEEN = 3, EASY = 30; // ms between frames and their number from one snapshot to the next, if one takes so many ms at most
const CALM = 220; // ms without anything new, after which it gets sharp
const LEAST = 320, FIRST = 640; // longer side of the rough surface in pixels: the smallest, and the first one
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

  // Whether they lie in the same layers.
  alike(others) {
    return this.layers.every((layer, n) => layer === others.layers[n]);
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

// What both surfaces have in common: strokes are painted one by one, and canvases are kept to come back to.
class Surface {
  constructor(scene, longest) {
    const scale = longest / Math.max(scene.width, scene.height);
    this.width = Math.max(1, Math.round(scene.width * scale));
    this.height = Math.max(1, Math.round(scene.height * scale));
    this.longest = longest;
    this.scene = scene;
    this.kept = new Map();
    this.rate = null; // ms a stroke
    this.drawn = 0;
    this.behind = true; // whether it has gone back since it was shown
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
    if (this.drawn) this.restore(this.kept.get(this.drawn));
    else this.clear();
    this.behind = true;
  }

  // Expected ms until so many strokes are there.
  cost(target) {
    const more = target - this.nearest(target);
    return more === 0 ? 0 : this.rate === null ? Infinity : more * this.rate;
  }

  // Paints towards `target`, until some time at most; true when it is reached.
  advance(strokes, target, until, keep) {
    const near = this.nearest(target), first = performance.now();
    if (this.drawn > target || near > this.drawn) this.back(target);
    const most = Math.min(KEPT, Math.floor(ROOM / (this.bytes * this.width * this.height))), from = this.drawn;
    const every = keep && most > 0 ? Math.max(1, Math.ceil(strokes.count / (most + 1))) : Infinity;
    while (this.drawn < target && (this.drawn === from || performance.now() < until)) {
      const next = Math.min(target, every === Infinity ? target : every * (1 + Math.floor(this.drawn / every)));
      this.paint(strokes, next, until);
      if (this.drawn % every === 0 && !this.kept.has(this.drawn)) this.kept.set(this.drawn, this.copy());
    }
    if (this.drawn > from) {
      const rate = (performance.now() - first) / (this.drawn - from), weight = Math.min(1, (this.drawn - from) / 40);
      this.rate = this.rate === null ? rate : this.rate + weight * (rate - this.rate);
    }
    return this.drawn === target;
  }
}

// The player's own drawing, as the renderer has it.
class Sharp extends Surface {
  bytes = 6;

  constructor(scene, longest) {
    super(scene, longest);
    this.picture = scene.picture(this.width, this.height);
    this.masks = new Map();
  }

  clear() { this.picture.clear(); }
  copy() { return this.picture.copy(); }
  restore(kept) { this.picture.restore(kept); }

  mask(number) {
    if (number === null) return null;
    if (!this.masks.has(number)) {
      const bitmap = this.scene.masks[number];
      this.masks.set(number, bitmap ? greyOf(bitmap, this.width, this.height) : null);
    }
    return this.masks.get(number);
  }

  paint(strokes, target, until) {
    do {
      const { mask, seed, ends } = strokes.layers[this.drawn];
      this.picture.paint(strokes.vectors, NUMBERS * this.drawn, this.mask(mask), seed, ends);
      this.drawn += 1;
    } while (this.drawn < target && performance.now() < until);
  }

  show(context, whole) {
    if (whole) this.picture.touch(0, 0, this.width, this.height);
    this.picture.show(context);
  }
}

// The browser's paths; strokes under a mask are painted on a copy, of which what the mask shows is taken.
class Rough extends Surface {
  bytes = 4;

  constructor(scene, longest) {
    super(scene, longest);
    this.canvas = canvasOf(this.width, this.height);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.context.imageSmoothingQuality = "high";
    this.veils = new Map();
    this.clear();
  }

  get aside() {
    return (this.sheet ??= canvasOf(this.width, this.height).getContext("2d", { willReadFrequently: true }));
  }

  clear() {
    const { context, width, height, scene } = this;
    context.fillStyle = `rgb(${scene.background.map((value) => Math.round(255 * value)).join(" ")})`;
    context.fillRect(0, 0, width, height);
    if (scene.start) context.drawImage(scene.start, 0, 0, width, height);
  }

  copy() {
    const kept = canvasOf(this.width, this.height);
    kept.getContext("2d", { willReadFrequently: true }).drawImage(this.canvas, 0, 0);
    return kept;
  }

  restore(kept) { this.context.drawImage(kept, 0, 0); }

  // A canvas whose opacity is a mask's.
  veil(bitmap) {
    if (!this.veils.has(bitmap)) {
      const { width, height } = this, veil = canvasOf(width, height), context = veil.getContext("2d");
      const image = context.createImageData(width, height), grey = greyOf(bitmap, width, height);
      grey.forEach((value, k) => (image.data[4 * k + 3] = value));
      context.putImageData(image, 0, 0);
      this.veils.set(bitmap, veil);
    }
    return this.veils.get(bitmap);
  }

  // Paints the strokes up to `target` that lie under the same mask as the next one.
  paint(strokes, target, until) {
    const { width, height, context } = this, scale = Math.max(width, height), { mask } = strokes.layers[this.drawn];
    const bitmap = mask === null ? null : this.scene.masks[mask], on = bitmap ? this.aside : context;
    if (bitmap) {
      on.globalCompositeOperation = "copy";
      on.drawImage(this.canvas, 0, 0);
      on.globalCompositeOperation = "source-over";
    }
    do fill(on, strokes.vectors, NUMBERS * this.drawn, scale, strokes.layers[this.drawn++].ends);
    while (this.drawn < target && strokes.layers[this.drawn].mask === mask && performance.now() < until);
    if (!bitmap) return;
    on.globalCompositeOperation = "destination-in";
    on.drawImage(this.veil(bitmap), 0, 0);
    context.drawImage(on.canvas, 0, 0);
  }

  show(context) {
    const { width, height, scene, canvas } = this;
    if (!scene.cover) return context.drawImage(canvas, 0, 0);
    const on = this.aside;
    on.globalCompositeOperation = "copy";
    on.drawImage(canvas, 0, 0);
    on.globalCompositeOperation = "destination-in";
    on.drawImage(this.veil(scene.cover), 0, 0);
    if (Array.isArray(scene.beyond)) {
      context.fillStyle = `rgb(${scene.beyond.map(Math.round).join(" ")})`;
      context.fillRect(0, 0, width, height);
    } else context.drawImage(scene.beyond, 0, 0, width, height);
    context.drawImage(on.canvas, 0, 0);
  }
}

export class Drawer {
  // `tell` hears of every state that is shown.
  constructor(canvas, tell) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.tell = tell;
    this.longest = 1024; // of what is seen, in pixels
    this.roughly = FIRST;
    this.calm = CALM;
    this.era = 0;
    this.smooth = (navigator.hardwareConcurrency ?? 2) > 2; // else the painter needs the time more
  }

  receive(message) {
    const { kind } = message;
    if (kind === "size") this.resize(message.longest);
    else if (kind === "begin") this.begin(message.data, true);
    else if (kind === "view") this.begin(message.data, false);
    else if (kind === "strokes") this.next = message.data;
    else if (kind === "seek") this.seek(message.count);
    else if (kind === "still") this.smooth = false;
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
    Object.assign(this, { scene, live, rough: null, sharp: null, shown: null, phase: null, glide: null, moved: 0 });
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
    const same = strokes.same(this.strokes), before = this.strokes;
    // Strokes that have moved glide to where they are now, where there is time for that.
    const glides = this.easy && strokes.count === before.count && same < strokes.count / 2 && strokes.alike(before);
    this.glide = glides ? { from: before.vectors, to: strokes.vectors, frame: 0 } : null;
    this.strokes = strokes;
    this.target = strokes.count;
    for (const surface of [this.rough, this.sharp]) surface?.changed(same);
    this.phase = null;
    this.moved = performance.now();
  }

  // The next strokes on the way from one snapshot to the next; ms until then.
  slide() {
    const { from, to, frame } = this.glide, share = (frame + 1) / BETWEEN;
    const vectors = share < 1 ? to.map((value, k) => from[k] + share * (value - from[k])) : to;
    this.strokes = Object.assign(Object.create(Strokes.prototype), this.strokes, { vectors });
    this.glide = share < 1 ? { from, to, frame: frame + 1 } : null;
    for (const surface of [this.rough, this.sharp]) surface?.changed(0);
    this.phase = null;
    return frame === 0 ? 0 : Math.max(0, PACE - (performance.now() - this.begun));
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
    if (this.next && !(this.urgent && this.phase)) this.adopt(); // a frame is finished first
    this.sharp ??= new Sharp(this.scene, this.longest);
    if (this.glide?.frame === 0) this.slide();
    if (!this.phase) {
      this.phase = this.choose();
      this.urgent = true;
      this.begun = performance.now();
      this.whole = this[this.phase].nearest(this.target) === 0;
    }
    if (this.phase === "done") return null;
    if (this.phase === "calm") {
      const rest = this.moved + this.calm - performance.now();
      if (rest > 0) return Math.min(rest, 60);
      this.phase = "sharp";
    }
    const surface = this[this.phase];
    const done = surface.advance(this.strokes, this.target, performance.now() + SLICE, !this.live);
    if (done || (surface === this.shown && !surface.behind)) this.show(surface);
    if (!done) return 0;
    const crisp = surface === this.sharp || (this.finished && this.target === this.strokes.count);
    if (this.urgent && this.whole) this.fit(surface);
    this.urgent = false;
    if (this.glide) return this.slide();
    this.phase = crisp ? "done" : "calm";
    return crisp ? null : 0;
  }

  // Which surface can show what is wanted in time.
  choose() {
    const { sharp, rough, roughly } = this;
    if (sharp.cost(this.target) <= FRAME) return "sharp";
    if (!rough || (this.live && Math.abs(rough.longest - roughly) > 0.15 * roughly)) {
      this.rough = new Rough(this.scene, Math.min(roughly, this.longest));
    }
    return "rough";
  }

  // The size at which all strokes take a frame's time, by the last three frames: one may have been held up.
  fit({ longest }) {
    if (this.strokes.count < 20) return;
    this.frames = [...(this.frames ?? []), performance.now() - this.begun].slice(-3);
    this.easy = this.smooth && this.frames.length === 3 && Math.max(...this.frames) < EASY;
    const ms = this.frames.toSorted((a, b) => a - b)[this.frames.length >> 1];
    const wanted = longest * Math.sqrt(Math.min(2, Math.max(0.4, FRAME / ms)));
    this.roughly = Math.round(Math.min(this.longest, Math.max(LEAST, (longest + wanted) / 2)));
  }

  show(surface) {
    const { canvas, context } = this, { width, height } = surface;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    surface.show(context, surface !== this.shown);
    surface.behind = false;
    this.shown = surface;
    const ms = performance.now() - this.begun;
    const { drawn: count, longest } = surface;
    this.tell({ count, longest, ms, live: this.live, sharp: surface === this.sharp, total: this.strokes.count });
  }
}

// The first strokes of a browser are slow, until it has compiled what draws them.
function warmUp() {
  const picture = new Picture(96, 96, [1, 1, 1], null, null, [255, 255, 255]), mask = new Uint8Array(96 * 96).fill(255);
  for (let n = 0; n < 150; n++) {
    const place = (k) => ((n * (k + 3) * 7) % 97) / 97;
    const stroke = Float32Array.of(...[0, 1, 2, 3, 4, 5].map(place), 0.04, 0.02, 1, 0.8, 0.5, 0.4, 0.3);
    picture.paint(stroke, 0, n % 2 ? mask : null, false, n % 3 ? "round" : "filbert");
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
  warmUp();
}
