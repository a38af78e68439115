// What the page knows, who is told of changes, and undoing them.
//
// Values are never changed in place: a change is a new value, so that the old one can come back.
const listeners = new Map(), past = [], future = [];
const KEPT = 60; // changes that can be undone

export const state = {
  mode: "start", // start, guide, paint, keep: what the person is at
  picture: null, // as the server tells of it: id, name, width, height, note, preview
  guided: true, // whether the painter is to know what the picture is of
  guidance: null, // see guidance.js; null until it is known
  settings: {}, // what is asked for and is not as usual, as JSON of a job
  paintings: [], // records of this picture's paintings, oldest first
  current: null, // id of the painting that is shown; null shows the photograph
};

// Changes of these can be undone.
const UNDOABLE = ["guided", "guidance", "settings"];

// Calls `listener(state)` now and then: whenever one of these values has been set.
export function on(names, listener) {
  for (const name of [names].flat()) {
    if (!listeners.has(name)) listeners.set(name, []);
    listeners.get(name).push(listener);
  }
}

// Sets values, without a way back.
export function set(values) {
  const told = new Set();
  for (const [name, value] of Object.entries(values)) {
    if (state[name] === value) continue;
    state[name] = value;
    for (const listener of listeners.get(name) ?? []) told.add(listener);
  }
  for (const listener of told) listener(state);
}

// Sets values so that it can be undone. Changes with the same `series` (a slider that is dragged) that follow
// each other are one.
export function change(values, series = null) {
  const before = Object.fromEntries(UNDOABLE.map((name) => [name, state[name]]));
  const last = past.at(-1);
  if (!(series !== null && last?.series === series && !future.length)) past.push({ before, series });
  if (past.length > KEPT) past.shift();
  future.length = 0;
  set(values);
  tellHistory();
}

// Ends a series: the next change stands alone.
export function settle() {
  if (past.length) past.at(-1).series = null;
}

function step(from, to) {
  const entry = from.pop();
  if (!entry) return;
  to.push({ before: Object.fromEntries(UNDOABLE.map((name) => [name, state[name]])), series: null });
  set(entry.before);
  tellHistory();
}

export const undo = () => step(past, future);
export const redo = () => step(future, past);
export const canUndo = () => past.length > 0;
export const canRedo = () => future.length > 0;

// Forgets what could be undone, as a new picture does.
export function forget() {
  past.length = future.length = 0;
  tellHistory();
}

function tellHistory() {
  for (const listener of listeners.get("history") ?? []) listener(state);
}
