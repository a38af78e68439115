// What paintings are drawn on: a sharp surface by the player's own strokes, and a rough one by the browser's.
import { fill } from "/page/sketch.js";
import { Picture } from "/page/strokes.js";

const KEPT = 12, ROOM = 72e6; // canvases to come back to, and their bytes at most
const NUMBERS = 13; // of a stroke

const canvasOf = (width, height) =>
  typeof OffscreenCanvas === "undefined"
    ? Object.assign(document.createElement("canvas"), { width, height })
    : new OffscreenCanvas(width, height);

export const bytesOf = (packed) => Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));

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
export class Scene {
  static async from(data) {
    const scene = new Scene(), pictures = (value) => (typeof value === "string" ? bitmapOf(value) : null);
    Object.assign(scene, {
      width: data.width,
      height: data.height,
      background: data.background ?? [1, 1, 1],
    });
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
export class Strokes {
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
    return Math.max(
      0,
      this.drawn <= target ? this.drawn : 0,
      ...[...this.kept.keys()].filter((n) => n <= target),
    );
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
    const most = Math.min(KEPT, Math.floor(ROOM / (this.bytes * this.width * this.height))),
      from = this.drawn;
    const every = keep && most > 0 ? Math.max(1, Math.ceil(strokes.count / (most + 1))) : Infinity;
    while (this.drawn < target && (this.drawn === from || performance.now() < until)) {
      const next = Math.min(
        target,
        every === Infinity ? target : every * (1 + Math.floor(this.drawn / every)),
      );
      this.paint(strokes, next, until);
      if (this.drawn % every === 0 && !this.kept.has(this.drawn)) this.kept.set(this.drawn, this.copy());
    }
    if (this.drawn > from) {
      const rate = (performance.now() - first) / (this.drawn - from),
        weight = Math.min(1, (this.drawn - from) / 40);
      this.rate = this.rate === null ? rate : this.rate + weight * (rate - this.rate);
    }
    return this.drawn === target;
  }
}

// The player's own drawing, as the renderer has it.
export class Sharp extends Surface {
  bytes = 6;

  constructor(scene, longest) {
    super(scene, longest);
    this.picture = scene.picture(this.width, this.height);
    this.masks = new Map();
  }

  clear() {
    this.picture.clear();
  }
  copy() {
    return this.picture.copy();
  }
  restore(kept) {
    this.picture.restore(kept);
  }

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
export class Rough extends Surface {
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

  restore(kept) {
    this.context.drawImage(kept, 0, 0);
  }

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
    const { width, height, context } = this, scale = Math.max(width, height),
      { mask } = strokes.layers[this.drawn];
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
