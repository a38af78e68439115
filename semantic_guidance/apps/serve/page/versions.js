// The versions of a painting, to go back to any of them; and four variations to choose from.
import * as api from "/page/api.js";
import { job, more, styleName, take } from "/page/controls.js";
import { button, find, make, toast } from "/page/dom.js";
import * as live from "/page/live.js";
import { on, set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.paint;
const PATIENCE = 8000; // ms in which a version that was removed can be taken back
const numbers = new Map(); // of versions, by id; a version keeps its number
let list, about, told, use, remove, four = null;

const numberOf = (id) => numbers.get(id) ?? numbers.set(id, numbers.size + 1).get(id);

// What a version is, in words.
function described(record) {
  const parts = [filled(words.version, { number: numberOf(record.id) })];
  if (record.of) parts.push(words.ofRegion);
  const strokes = record.strokes ?? record.job?.strokes;
  if (strokes) parts.push(filled(words.count, { count: Number(strokes).toLocaleString("en") }));
  parts.push(styleName(record.job?.style));
  if (record.state === "stopped") parts.push(words.endedEarly);
  return parts;
}

function thumb(record) {
  const chosen = record.id === state.current && live.watching() === null;
  const shown = make("button", {
    type: "button",
    role: "option",
    class: "thumb",
    "aria-selected": chosen,
    tabindex: chosen ? 0 : -1,
    "data-id": record.id,
    "aria-label": described(record).join(", "),
    onclick: () => pick(record.id),
  });
  const image = make("img", { src: api.thumbnail(record.id), alt: "", draggable: "false", loading: "lazy" });
  let tries = 0;
  image.addEventListener(
    "error",
    () => tries++ < 3 && setTimeout(() => (image.src = `${api.thumbnail(record.id)}?${tries}`), 700),
  );
  shown.append(image, make("span", { text: numberOf(record.id) }));
  return shown;
}

function workThumb(record) {
  const chosen = record.id === live.watching();
  return make(
    "button",
    {
      type: "button",
      role: "option",
      class: "thumb busy",
      "aria-selected": chosen,
      tabindex: chosen ? 0 : -1,
      "data-id": record.id,
      "aria-label": words.beingPainted,
      onclick: () => pick(record.id),
    },
    make("i"),
  );
}

export function pick(id, focus = false) {
  if (live.running().some((record) => record.id === id)) live.watch(id);
  else live.lookAt(id);
  if (focus) list.querySelector(`[data-id="${id}"]`)?.focus();
}

function arrows(event) {
  const all = [...list.children], at = all.indexOf(event.target.closest(".thumb"));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (event.key === "Delete" && at >= 0) away(all[at].dataset.id);
  else if (to === undefined) return;
  else if (all[to]) pick(all[to].dataset.id, true);
  event.preventDefault();
}

// Removes a version: here at once, on the server when it can no longer be taken back.
function away(id) {
  const { paintings, current } = state, at = paintings.findIndex((record) => record.id === id);
  if (at < 0) return;
  const others = paintings.filter((record) => record.id !== id);
  const next = current === id ? (others[Math.min(at, others.length - 1)]?.id ?? null) : current;
  set({ paintings: others, current: next, mode: next === null ? "paint" : state.mode });
  const line = filled(words.removed, { number: numberOf(id) });
  const box = make("div", { class: "toast" }, make("p", { text: line }));
  const gone = setTimeout(() => {
    box.remove();
    api.remove(id).catch(() => {});
  }, PATIENCE);
  box.append(
    button(words.takeBack, () => {
      clearTimeout(gone);
      box.remove();
      if (state.picture?.id === paintings[at].picture)
        set({ paintings: state.paintings.toSpliced(at, 0, paintings[at]), current: id });
    }),
  );
  find("toasts").append(box);
  (list.querySelector('[tabindex="0"]') ?? find("paint")).focus();
}

export function draw() {
  const { paintings, current, mode } = state, works = four?.isOpen() ? [] : live.running();
  find("strip").hidden = mode === "guide" || mode === "start" || paintings.length + works.length === 0;
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  const before = new Map([...list.children].map((child) => [child.dataset.id, child]));
  const all = [...paintings.map((record) => reused(before, record)), ...works.map(workThumb)];
  list.replaceChildren(...all);
  if (!list.querySelector('[tabindex="0"]')) list.lastChild?.setAttribute("tabindex", 0);
  if (focused) list.querySelector(`[data-id="${focused}"]`)?.focus();
  list.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  const record = live.watching() === null ? paintings.find(({ id }) => id === current) : null;
  about.hidden = !record;
  if (record) {
    const [title, ...rest] = described(record);
    told.replaceChildren(make("b", { text: title }), make("span", { text: rest.join(" · ") }));
    use.hidden = sameSettings(record);
  }
  more.hidden = current === null && paintings.length === 0;
}

// A thumbnail that is there already stays, so that it does not flicker.
function reused(before, record) {
  const old = before.get(record.id);
  if (!old || old.classList.contains("busy")) return thumb(record);
  const chosen = record.id === state.current && live.watching() === null;
  old.setAttribute("aria-selected", chosen);
  old.tabIndex = chosen ? 0 : -1;
  return old;
}

const sorted = (given) =>
  JSON.stringify(
    Object.entries(given ?? {})
      .filter(([, value]) => value !== null)
      .sort(),
  );
const sameSettings = (record) => record.of || sorted(record.job) === sorted(job());

// The module of the variations comes when it is asked for.
async function begin() {
  four ??= await import("/page/variations.js");
  four.toggle();
}

export function mount() {
  list = make("div", {
    class: "thumbs",
    role: "listbox",
    "aria-label": words.versions,
    "aria-orientation": "horizontal",
  });
  list.addEventListener("keydown", arrows);
  told = make("p", { class: "says" });
  use = button(
    words.useSettings,
    () => {
      take(state.paintings.find(({ id }) => id === state.current)?.job ?? {});
      toast(words.settingsTaken, { closing: text.common.close });
      draw();
    },
    { icon: "sliders" },
  );
  remove = button(words.removeVersion, () => away(state.current), { icon: "trash", bare: true });
  about = make("div", { class: "about" }, told, use, remove);
  find("strip").append(list, about);
  more.append(button(words.fourButton, begin, { icon: "dice" }));
  on(["paintings", "current", "mode", "settings"], draw);
  on("picture", () => {
    numbers.clear();
    four?.close();
  });
  live.onWorks(draw);
}
