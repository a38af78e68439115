// Draws paintings with the player's own strokes: in a Worker, or in slices on the page where there is none.
//
// A drawing has two surfaces: a rough one, which draws all strokes within a frame's time and is as small as
// that needs, and a sharp one of the size that is seen. What cannot be drawn sharply at once is seen roughly
// first.
import { Picture } from "/page/strokes.js";
import { bytesOf, Rough, Scene, Sharp, Strokes } from "/page/surfaces.js";

const SLICE = 24; // ms of painting before others get their turn
const FRAME = 100; // ms that all strokes may take on the rough surface
const PACE = 50, BETWEEN = 3; // ms between frames, and their number, from one snapshot to the next
const EASY = 30; // ms that a frame may take for that
const CALM = 220; // ms without anything new, after which it gets sharp
const LEAST = 320, FIRST = 640; // longer side of the rough surface in pixels: the smallest, and the first one

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
    Object.assign(this, {
      scene,
      live,
      rough: null,
      sharp: null,
      shown: null,
      phase: null,
      glide: null,
      moved: 0,
    });
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
    const strokes = new Strokes(
      Float32Array.from(whole, (value) => (value / 65535) * 3 - 1),
      layers,
    );
    this.next = null;
    const same = strokes.same(this.strokes), before = this.strokes;
    // Strokes that have moved glide to where they are now, where there is time for that.
    const glides =
      this.easy && strokes.count === before.count && same < strokes.count / 2 && strokes.alike(before);
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
    this.tell({
      count,
      longest,
      ms,
      live: this.live,
      sharp: surface === this.sharp,
      total: this.strokes.count,
    });
  }
}

// The first strokes of a browser are slow, until it has compiled what draws them.
function warmUp() {
  const picture = new Picture(96, 96, [1, 1, 1], null, null, [255, 255, 255]),
    mask = new Uint8Array(96 * 96).fill(255);
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
