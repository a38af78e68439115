// Paint and Stop, and the paintings that are being painted.
import * as api from "/page/api.js";
import { job } from "/page/controls.js";
import { button, find, make, say, toast } from "/page/dom.js";
import * as guidance from "/page/guidance.js";
import * as painting from "/page/painting.js";
import { on, set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.paint;
const AGAIN = 2000; // ms until a lost painting is asked for again
const STAGES = {
  usual: {
    compile: [0, 0.02],
    guidance: [0.02, 0.06],
    plan: [0.06, 0.2],
    polish: [0.2, 0.95],
    export: [0.95, 1],
  },
  draft: {
    compile: [0, 0.02],
    guidance: [0.02, 0.1],
    plan: [0.1, 0.9],
    polish: [0.1, 0.9],
    export: [0.9, 1],
  },
};
const works = new Map(); // by id: record, handlers, close, canvas and strokes (the newest), lost, stopping
let watched = null; // id of the work that the stage shows
let asking = 0, offered = null;
let paint, cancel, progress, bar, told, said = "";

const OVER = new Set(["done", "stopped", "failed", "cancelled"]);
export const isOver = (record) => OVER.has(record.state);
export const isKept = (record) => record.state === "done" || record.state === "stopped";
export const running = () => [...works.values()].map(({ record }) => record);
export const watching = () => watched;

// How the stage follows a work; another one may follow it elsewhere, see versions.js.
const onStage = {
  canvas: (data, id) => watched === id && painting.begin(data),
  strokes: (data, id) => watched === id && painting.snapshot(data),
  end: (record) => record.id === watched && isKept(record) && set({ current: record.id }),
};

// Orders a painting; resolves to its record, or null if it could not be.
export async function start(extra = {}, handlers = onStage) {
  if (!state.picture) return null;
  const order = { picture: state.picture.id, job: job(), guidance: null, ...extra };
  asking += 1;
  refresh();
  try {
    order.guidance ??= (await guidance.forOrder?.()) ?? null;
    const record = await api.paint(order);
    attach(record, handlers);
    return record;
  } catch (error) {
    toast(error.message || words.noAnswer, { problem: true, closing: text.common.close });
    return null;
  } finally {
    asking -= 1;
    refresh();
  }
}

// Follows a painting that was ordered, also one from before the page was loaded again.
export function attach(record, handlers = onStage) {
  if (works.has(record.id)) return;
  if (isOver(record)) {
    if (isKept(record)) keep(record);
    return;
  }
  const work = {
    record,
    handlers,
    close: () => {},
    canvas: null,
    strokes: null,
    lost: false,
    stopping: false,
  };
  works.set(record.id, work);
  follow(work);
  if (handlers === onStage) watch(record.id);
  if (state.mode !== "paint") set({ mode: "paint" });
  tellWorks();
}

// Shows a work on the stage while it is being painted.
export function watch(id) {
  const work = works.get(id);
  if (!work) return;
  watched = id;
  work.handlers = onStage;
  if (work.canvas) {
    painting.begin(work.canvas);
    if (work.strokes) painting.snapshot(work.strokes);
  }
  tellWorks();
}

// Looks at a painting that is done, while others are being painted.
export function lookAt(id) {
  watched = null;
  set({ current: id });
  painting.show(id).catch(() => toast(words.noView, { problem: true, closing: text.common.close }));
  tellWorks();
}

function follow(work) {
  const { id } = work.record;
  const hears = (name) => (data) => {
    if (works.get(id) !== work) return;
    work.lost = false;
    work[name] = data;
    work.handlers[name]?.(data, id);
    refresh();
  };
  const state = (record) => {
    work.lost = false;
    Object.assign(work, { record });
    refresh();
  };
  work.close = api.follow(id, {
    state,
    canvas: hears("canvas"),
    strokes: hears("strokes"),
    end: (record) => finish(work, record),
    lost: (closed) => {
      if (works.get(id) !== work) return;
      work.lost = true;
      refresh();
      if (closed) setTimeout(() => works.get(id) === work && retry(work), AGAIN);
    },
  });
}

// The browser does not come back by itself when the server answered with an error.
async function retry(work) {
  try {
    const record = await api.painting(work.record.id);
    if (isOver(record)) finish(work, record);
    else follow(work);
  } catch (error) {
    if (error.status === 404) finish(work, { ...work.record, state: "failed", message: words.gone });
    else setTimeout(() => works.get(work.record.id) === work && retry(work), AGAIN);
  }
}

function keep(record) {
  const others = state.paintings.filter(({ id }) => id !== record.id);
  set({ paintings: [...others, record] });
}

function finish(work, record) {
  if (!works.delete(record.id)) return;
  work.close();
  if (isKept(record)) keep(record);
  work.handlers.end?.(record);
  if (record.id === watched) {
    watched = null;
    if (!isKept(record)) {
      painting.hide();
      if (state.current !== null) painting.show(state.current).catch(() => {});
    }
  }
  if (record.state === "failed") toast(complaint(record), { problem: true, closing: text.common.close });
  say(
    { done: words.ended, stopped: words.stopped, cancelled: words.cancelled }[record.state] ?? words.failed,
  );
  tellWorks();
}

// Why it failed, in words of this page rather than of the command line.
function complaint({ message }) {
  if (message.startsWith("background:")) return words.noObject;
  return message && !message.includes("--") ? message : words.failed;
}

// Ends what is being painted, and keeps what is there. Pressing it again asks again.
export function stopAll() {
  for (const work of works.values()) stop(work);
}

export async function stop(work) {
  work.stopping = true;
  refresh();
  try {
    const record = await api.stop(work.record.id);
    if (isOver(record)) setTimeout(() => finish(work, record), 150); // its end comes by itself before, mostly
  } catch (error) {
    if (error.status === 404) finish(work, { ...work.record, state: "cancelled" });
    else if (error.status === 409) retry(work);
    else {
      work.stopping = false;
      toast(error.message || words.noAnswer, { problem: true, closing: text.common.close });
      refresh();
    }
  }
}

// Ends a painting and keeps nothing of it.
export function drop(id) {
  works.get(id)?.close();
  works.delete(id);
  api.remove(id).catch(() => {});
  tellWorks();
}

// Another deed in place of Paint, such as painting a region: {words, press, cancel}; null for Paint again.
export function offer(deed) {
  offered = deed;
  refresh();
}

const listeners = new Set();

// Calls `listener()` when a work has begun or ended, or another one is watched.
export function onWorks(listener) {
  listeners.add(listener);
}

function tellWorks() {
  refresh();
  for (const listener of listeners) listener();
}

function sentence(works) {
  const first = works.find(({ record }) => record.id === watched) ?? works[0];
  const { record, lost } = first;
  if (works.every(({ stopping }) => stopping)) return words.stopping;
  if (lost) return words.lost;
  if (record.state === "queued") {
    const before = record.position ?? 0;
    return before > 1
      ? filled(words.waiting, { count: before })
      : before === 1
        ? words.waitingOne
        : words.waitingNext;
  }
  const many = works.length > 1 ? filled(words.several, { count: works.length }) : "";
  return `${words.stages[record.stage] ?? words.painting}${many}`;
}

// The share of all the work that is done, by what each stage takes of it; it never falls.
function share(works) {
  for (const work of works) {
    const { stage, share = 0, job } = work.record,
      [from, to] = STAGES[job?.preset === "draft" ? "draft" : "usual"][stage] ?? [0, 0];
    work.done = Math.max(work.done ?? 0, from + (to - from) * share);
  }
  return works.reduce((sum, { done }) => sum + done, 0) / Math.max(1, works.length);
}

function refresh() {
  if (!paint) return;
  const all = [...works.values()], busy = all.length > 0,
    stopping = busy && all.every((work) => work.stopping);
  document.body.toggleAttribute("data-painting", busy || asking > 0);
  document.body.toggleAttribute("data-waiting", busy && all.every(({ strokes }) => !strokes));
  const deed = offered && !busy ? offered : null;
  const name = stopping
    ? words.stopping
    : busy
      ? words.stop
      : asking
        ? words.asking
        : (deed?.words ?? words.paint);
  paint.querySelector("span").textContent = name;
  paint.classList.toggle("primary", !busy);
  paint.classList.toggle("stop", busy);
  paint.setAttribute("aria-keyshortcuts", busy ? "" : "Control+Enter");
  cancel.hidden = !deed;
  find("deed").hidden = state.mode === "keep" && !busy;
  progress.hidden = !busy && asking === 0;
  if (progress.hidden) {
    said = "";
    return;
  }
  const done = Math.round(100 * share(all)), line = busy ? sentence(all) : words.asking;
  bar.firstChild.style.transform = `scaleX(${done / 100})`;
  bar.setAttribute("aria-valuenow", done);
  bar.setAttribute("aria-valuetext", `${line} ${done} %`);
  bar.classList.toggle(
    "idle",
    !busy || all.every(({ record }) => record.state === "queued" || !record.stage),
  );
  told.textContent = line;
  const strokes = all.find(({ record }) => record.id === watched)?.strokes?.count;
  progress.lastChild.textContent = strokes
    ? filled(words.count, { count: strokes.toLocaleString("en") })
    : "";
  if (line !== said) say((said = line));
}

function press() {
  if (works.size) stopAll();
  else if (asking) return;
  else if (offered) offered.press();
  else start();
}

export function mount() {
  painting.mount();
  paint = button(words.paint, press, { kind: "primary wide", id: "paint", icon: "brush" });
  paint.append(make("kbd", { text: words.key, "aria-hidden": "true" }));
  cancel = button(text.common.cancel, () => offered?.cancel(), { hidden: true, id: "cancel" });
  find("deed").append(paint, cancel);
  bar = make(
    "div",
    {
      class: "bar",
      role: "progressbar",
      "aria-label": words.progress,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    },
    make("i"),
  );
  told = make("p", { class: "says" });
  progress = make("div", { id: "progress", hidden: true }, bar, told, make("p", { class: "count" }));
  find("under").prepend(progress);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || state.mode === "start" || works.size)
      return;
    event.preventDefault();
    press();
  });
  on("current", () => {
    if (watched !== null && state.current !== null && works.has(watched)) {
      watched = null; // another painting is looked at meanwhile
      tellWorks();
    }
  });
  on("picture", () => {
    for (const work of works.values()) {
      work.close();
      api.stop(work.record.id).catch(() => {});
    }
    works.clear();
    watched = null;
    tellWorks();
  });
  on("mode", refresh);
  refresh();
}
