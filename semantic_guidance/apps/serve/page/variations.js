// Four variations side by side, of which one is chosen to go on with.
import { take } from "/page/controls.js";
import { button, find, make, say } from "/page/dom.js";
import * as live from "/page/live.js";
import { Easel, viewOf } from "/page/painting.js";
import * as stage from "/page/stage.js";
import { set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";
import { draw, pick } from "/page/versions.js";

const words = text.paint, FOUR = 4;
let grid = null, line = null, tiles = null;
const room = new ResizeObserver(fitTiles);

export const isOpen = () => tiles !== null;

// Four paintings side by side, each in its own way.
export async function toggle() {
  if (tiles) return close();
  tiles = Array.from({ length: FOUR }, (_, number) => tile(number));
  grid = make("div", { class: "four", role: "group", "aria-label": words.four, "data-own-pointer": true });
  grid.append(...tiles.map(({ element }) => element));
  grid.addEventListener("keydown", gridKeys);
  line = make(
    "div",
    { class: "choosing" },
    make("p", { text: words.fourHint }),
    button(text.common.close, close, { icon: "close" }),
  );
  find("under").append(line);
  stage.over(grid, 15);
  room.observe(grid);
  document.body.toggleAttribute("data-four", true);
  if (state.mode !== "paint") set({ mode: "paint" });
  fitTiles();
  say(words.fourBegun);
  const mine = tiles;
  for (const each of mine) {
    if (tiles !== mine) return;
    each.record = await live.start({ variation: { number: each.number, count: FOUR } }, handlers(each));
    if (!each.record && tiles === mine && !mine.some(({ record }) => record)) return close();
    draw();
  }
}

function tile(number) {
  const canvas = make("canvas"), finish = make("img", { alt: "", draggable: "false" });
  const name = filled(words.variation, { number: number + 1 });
  const element = make(
    "button",
    { type: "button", class: "variation waits", "aria-label": filled(words.choose, { name }) },
    make("i"),
    canvas,
    finish,
    make("span", { class: "badge", text: number + 1 }),
  );
  const made = { number, element, canvas, finish, record: null, easel: new Easel(canvas), state: "" };
  element.addEventListener("click", () => chooseTile(made));
  return made;
}

// What a variation's painting does while it is shown among the others.
function handlers(each) {
  return {
    canvas: (data) => {
      each.easel.begin(data);
      each.element.classList.add("on");
      each.element.classList.remove("waits");
    },
    strokes: (data) => each.easel.strokes(data),
    end: async (record) => {
      each.record = record;
      each.element.classList.toggle("failed", !live.isKept(record));
      each.element.classList.remove("waits");
      if (!live.isKept(record) || !tiles?.includes(each)) return;
      const view = await viewOf(record.id).catch(() => null);
      if (!view || !tiles?.includes(each)) return;
      each.easel.view(view);
      each.element.classList.add("on", "done");
      if (!view.finish) return;
      each.finish.src = view.finish;
      each.finish.decode().then(
        () => each.finish.classList.add("on"),
        () => {},
      );
    },
  };
}

function gridKeys(event) {
  const at = tiles.findIndex(({ element }) => element === event.target);
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 2, ArrowUp: -2 }[event.key];
  if (step && tiles[at + step]) tiles[at + step].element.focus();
  else if (event.key !== "Escape") return;
  else close();
  event.preventDefault();
  event.stopPropagation();
}

function fitTiles() {
  const { width, height } = stage.size();
  for (const { easel } of tiles ?? []) easel.size(width / 2, height / 2);
}

// One is chosen: its settings are taken over. Those that are done stay among the versions, others are
// dropped.
function chooseTile(each) {
  const { record } = each;
  if (!record || record.state === "failed" || record.state === "cancelled") return;
  const works = new Set(live.running().map(({ id }) => id));
  for (const other of tiles)
    if (other !== each && other.record && works.has(other.record.id)) live.drop(other.record.id);
  close();
  if (record.job) take(record.job);
  pick(record.id);
  say(filled(words.chosen, { number: each.number + 1 }));
}

export function close() {
  if (!tiles) return;
  for (const { easel } of tiles) easel.close();
  tiles = null;
  room.disconnect();
  grid.remove();
  line.remove();
  document.body.toggleAttribute("data-four", false);
  const [first] = live.running();
  if (first && live.watching() === null) live.watch(first.id);
  else if (state.current === null && state.paintings.length) set({ current: state.paintings.at(-1).id });
  draw();
}
