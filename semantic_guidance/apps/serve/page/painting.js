// What is seen of a painting on the stage: it is drawn elsewhere (canvas-worker.js), at the size that fits.
import * as api from "/page/api.js";
import { make } from "/page/dom.js";
import * as stage from "/page/stage.js";
import { on, state } from "/page/store.js";

const LARGEST = 2048; // px of a canvas' longer side
const VIEWS = 4; // of paintings, that are kept
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const easels = new Map(), views = new Map(), watchers = new Set();
let worker = null, opened = null;
let easel, finish, canvas;
let seen = null; // id of the painting that is on the easel
let live = false, count = 0, awaited = null, heard = 0, held = null, ended = false, fresh = false;

// The Worker, once it works; null where there cannot be one.
function openWorker() {
  return new Promise((resolve) => {
    if (!HTMLCanvasElement.prototype.transferControlToOffscreen || typeof OffscreenCanvas === "undefined")
      resolve(null);
    try {
      const made = new Worker("/page/canvas-worker.js", { type: "module" });
      made.onerror = () => resolve(null);
      made.onmessage = ({ data }) => {
        if (data.ready) resolve((worker = made));
        else easels.get(data.key)?.shown(data);
      };
    } catch {
      resolve(null);
    }
  });
}

// A canvas on which strokes are drawn; `shown({count, total, longest, sharp, live, ms})` hears what is seen.
export class Easel {
  static keys = 0;

  constructor(element, shown = () => {}) {
    this.key = ++Easel.keys;
    this.shown = shown;
    this.element = element;
    easels.set(this.key, this);
  }

  // The Worker is opened when it is needed, not for the first view of the page.
  attach() {
    const { element } = this;
    opened ??= openWorker();
    return opened.then(async (there) => {
      if (there) {
        const offscreen = element.transferControlToOffscreen();
        there.postMessage({ key: this.key, canvas: offscreen }, [offscreen]);
      } else {
        const { Drawer } = await import("/page/canvas-worker.js");
        this.drawer = new Drawer(element, (told) => this.shown(told));
      }
      if (calm.matches) this.tell("still");
      if (this.longest) this.tell("size", { longest: Math.min(LARGEST, this.longest) });
    });
  }

  async post(kind, message = {}) {
    await (this.ready ??= this.attach());
    this.tell(kind, message);
  }

  tell(kind, message) {
    if (this.drawer) this.drawer.receive({ kind, ...message });
    else worker.postMessage({ key: this.key, kind, ...message });
  }

  size(width, height) {
    const longest = Math.round(Math.max(width, height) * Math.min(devicePixelRatio || 1, 3));
    if (longest < 2 || longest === this.longest) return;
    this.longest = longest;
    if (this.ready) this.post("size", { longest: Math.min(LARGEST, longest) });
  }

  begin(data) {
    this.post("begin", { data });
  }
  strokes(data) {
    this.post("strokes", { data });
  }
  view(data) {
    this.post("view", { data });
  }
  seek(wanted) {
    this.post("seek", { count: wanted });
  }

  close() {
    if (this.ready) this.post("end");
    easels.delete(this.key);
  }
}

// The page data of a painting, which does not change.
export function viewOf(id) {
  if (!views.has(id)) {
    const asked = api.view(id);
    asked.catch(() => views.delete(id));
    views.set(id, asked);
    if (views.size > VIEWS) views.delete(views.keys().next().value);
  }
  return views.get(id);
}

// Draws a painting whole, with what its brush makes of it faded in.
export async function show(id) {
  if (seen === id && !live) return viewOf(id);
  seen = awaited = id;
  live = false;
  clearTimeout(held);
  const view = await viewOf(id).catch((error) => {
    if (seen === id) seen = null;
    throw error;
  });
  if (awaited !== id || live) return view;
  count = view.layers.reduce((sum, layer) => sum + layer.count, 0);
  ended = true;
  easel.view(view);
  reveal();
  return view;
}

// Shows so many strokes of the painting.
export function seek(wanted) {
  ended = wanted >= count;
  if (!ended) finish.classList.remove("on");
  easel.seek(wanted);
}

// A painting that is being painted: its empty canvas, then its strokes, again and again.
export function begin(data) {
  seen = awaited = null;
  live = true;
  heard = 0;
  clearTimeout(held);
  finish.classList.remove("on");
  easel.begin(data);
  reveal();
}

export function snapshot(data) {
  if (!live) return;
  clearTimeout(held);
  const wait = calm.matches ? heard + 1000 - performance.now() : 0;
  const give = () => {
    heard = performance.now();
    easel.strokes(data);
  };
  if (wait > 0) held = setTimeout(give, wait);
  else give();
}

export function hide() {
  seen = awaited = null;
  live = fresh = false;
  finish.classList.remove("on");
  canvas.classList.remove("on");
}

// Calls `listener({count, total, longest, sharp, live, ms})` whenever the stage shows another state.
export function watch(listener) {
  watchers.add(listener);
  return () => watchers.delete(listener);
}

// The painting lies over the photograph, unless its guidance is looked at.
function reveal() {
  const wanted = (state.mode === "paint" || state.mode === "keep") && (live || state.current !== null);
  canvas.classList.toggle("on", wanted && fresh && (live || seen !== null));
  finish.classList.toggle("away", !wanted);
}

async function fadeIn(id) {
  const view = await viewOf(id).catch(() => null);
  if (!view?.finish || seen !== id || !ended) return;
  if (finish.dataset.of !== id) {
    const image = new Image();
    image.src = view.finish;
    await image.decode().catch(() => {});
    if (seen !== id || !ended) return;
    finish.src = view.finish;
    finish.dataset.of = id;
  }
  finish.classList.add("on");
}

function shown(told) {
  Object.assign(canvas.dataset, {
    drawn: told.count,
    total: told.total,
    side: told.longest,
    ms: Math.round(told.ms),
  });
  if (!fresh && (live || seen !== null)) {
    fresh = true;
    reveal();
  }
  if (!told.live && !live && seen !== null) {
    if (finish.dataset.of !== seen) finish.classList.remove("on");
    if (told.count === told.total && ended) fadeIn(seen);
  }
  for (const watcher of watchers) watcher(told);
}

export function mount() {
  if (canvas) return;
  canvas = stage.layer("painting", 10, (width, height) => easel?.size(width, height));
  finish = stage.over(
    make("img", { id: "finish", class: "layer", alt: "", "aria-hidden": "true", draggable: "false" }),
    11,
  );
  easel = new Easel(canvas, shown);
  const { width, height } = stage.size();
  easel.size(width, height);
  on(["mode", "current"], () => {
    if (state.current === null && !live) hide();
    else if (state.current !== null && !live && seen !== state.current) show(state.current).catch(() => {});
    reveal();
  });
  on("picture", () => {
    hide();
    if (state.picture) easel.ready ??= easel.attach();
  });
}
