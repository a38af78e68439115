// The tools by which a person corrects what was found, by pointer, pen, touch and keys.
import * as brush from "/page/brush.js";
import { button, find, make, say, slider } from "/page/dom.js";
import * as guidance from "/page/guide.js";
import { boxOnStage } from "/page/marks.js";
import * as stage from "/page/stage.js";
import { on, set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.guide;
const TOOLS = [
  ["click", "c", "click"],
  ["not", "n", "not"],
  ["in", "b", "brush"],
  ["out", "e", "eraser"],
  ["box", "x", "frame"],
];
const GRAB = 22,
  LEAST_BOX = 8,
  STEP = 0.02,
  FINE = 0.004;

let rail, options, sizing, heatButton, frame, cross;
let place = null,
  corner = null,
  held = null; // of the cross-hair, and of boxes

const shown = () => state.mode === "guide" && state.guided;
const brushing = () => state.tool === "in" || state.tool === "out";

// A mark where something is asked, until the answer comes.
async function pulse(px, py, asked) {
  const mark = stage.over(make("div", { class: "pulse", "aria-hidden": "true" }), 51);
  mark.style.left = `${px}px`;
  mark.style.top = `${py}px`;
  await asked;
  mark.remove();
}

function click(where, positive) {
  const there = state.guidance && guidance.at(where.x, where.y);
  if (!positive || !there) return pulse(where.px, where.py, guidance.click(where.x, where.y, positive));
  if (guidance.doubtful(there)) guidance.keepOne(there);
  else guidance.removeOne(there);
}

// What lies under the pointer is marked here and in the list.
function hover(where) {
  const there =
    where && state.guidance && (state.tool === "click" || state.tool === "not")
      ? guidance.at(where.x, where.y)
      : null;
  set({ lit: there?.id ?? null });
}

const clicker = {
  cursor: "crosshair",
  up: (where) => click(where, state.tool === "click" && !where.event.shiftKey),
  hover,
  left: () => hover(null),
};

function showFrame(one, other) {
  const [left, top] = [Math.min(one.px, other.px), Math.min(one.py, other.py)];
  frame.hidden = false;
  Object.assign(frame.style, {
    left: `${left}px`,
    top: `${top}px`,
    width: `${Math.abs(one.px - other.px)}px`,
    height: `${Math.abs(one.py - other.py)}px`,
  });
}

// The object and the opposite corner of the box whose corner is near.
function grabbed({ px, py }) {
  const { instances, width, height } = state.guidance ?? { instances: [] },
    { width: across, height: down } = stage.size();
  for (const each of instances.filter(({ kind }) => kind === "object")) {
    const [x, y, wide, high] = boxOnStage(each);
    for (const [cx, cy, ox, oy] of [
      [x, y, x + wide, y + high],
      [x + wide, y, x, y + high],
      [x + wide, y + high, x, y],
      [x, y + high, x + wide, y],
    ]) {
      if (Math.hypot(cx - px, cy - py) > GRAB) continue;
      return { each, from: { px: ox, py: oy, x: (ox * width) / across, y: (oy * height) / down } };
    }
  }
  return null;
}

function endBox(from, to, old) {
  if (Math.abs(from.px - to.px) < LEAST_BOX || Math.abs(from.py - to.py) < LEAST_BOX)
    return (frame.hidden = true);
  const { width, height } = state.picture,
    within = (value, most) => Math.max(0, Math.min(most, value));
  const [x0, x1] = [from.x, to.x].map((x) => within(x, width)).sort((a, b) => a - b);
  const [y0, y1] = [from.y, to.y].map((y) => within(y, height)).sort((a, b) => a - b);
  frame.classList.add("asking");
  guidance.look([x0, y0, x1 - x0, y1 - y0], old).finally(() => {
    frame.hidden = true;
    frame.classList.remove("asking");
  });
}

const boxer = {
  cursor: "crosshair",
  down: (where) => {
    held = grabbed(where) ?? { from: where, each: null };
    showFrame(held.from, where);
  },
  move: (where) => held && showFrame(held.from, where),
  up: (where) => {
    if (held) endBox(held.from, where, held.each);
    held = null;
  },
  cancel: () => boxer.left(),
  hover: (where) => {
    const near = where && grabbed(where);
    set({ lit: near?.each.id ?? null });
    find("stage").style.cursor = near ? "move" : "crosshair";
  },
  left: () => {
    held = null;
    frame.hidden = true;
    set({ lit: null });
  },
};

const DEEDS = { click: clicker, not: clicker, in: brush.brush, out: brush.brush, box: boxer };
let taken = null;

function show() {
  const now = shown(),
    tool = now ? DEEDS[state.tool] : null;
  if (now && !rail.isConnected) {
    find("tools").append(rail);
    find("under").append(options);
  } else if (!now) {
    rail.remove();
    options.remove();
    moveCross(null);
  }
  for (const [name] of TOOLS) {
    const radio = rail.querySelector(`[data-tool=${name}]`),
      checked = name === state.tool;
    radio.setAttribute("aria-checked", checked);
    radio.tabIndex = checked ? 0 : -1;
  }
  heatButton.setAttribute("aria-pressed", state.heat);
  options.firstElementChild.textContent = words.hints[state.tool];
  sizing.hidden = !brushing();
  const room = find("stage");
  room.tabIndex = now ? 0 : -1;
  for (const [name, value] of [
    ["role", "application"],
    ["aria-label", words.stage],
  ])
    now ? room.setAttribute(name, value) : room.removeAttribute(name);
  if (tool !== taken || now) stage.take(tool); // others may have had it
  taken = tool;
}

function pick(tool, focus = false) {
  set({ tool });
  if (focus) rail.querySelector(`[data-tool=${tool}]`).focus();
}

function resize(wanted) {
  brush.resize(wanted);
  sizing.set(brush.size());
  if (place && brushing()) brush.showRing(place);
}

function buildRail() {
  const group = make("div", { role: "radiogroup", class: "rail", "aria-label": words.tools.label });
  TOOLS.forEach(([name, key, shape], n) => {
    const radio = button(words.tools[name], () => pick(name), {
      icon: shape,
      bare: true,
      role: "radio",
      "data-tool": name,
      "aria-keyshortcuts": key.toUpperCase(),
    });
    radio.title = `${words.tools[name]} (${key.toUpperCase()})`;
    radio.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      pick(TOOLS[(n + step + TOOLS.length) % TOOLS.length][0], true);
    });
    group.append(radio);
  });
  heatButton = button(words.heat, () => set({ heat: !state.heat }), {
    icon: "heat",
    bare: true,
    "aria-keyshortcuts": "H",
  });
  heatButton.title = `${words.heat} (H)`;
  rail = make("div", { class: "rail" }, group, make("hr"), heatButton);
  sizing = slider(words.size, { ...brush.SIZES, value: brush.size(), input: resize });
  options = make("div", { class: "tool-options" }, make("p", { class: "hint" }), sizing);
}

// The cross-hair for those who use keys: `at` in pixels of the picture.
function moveCross(at) {
  place = at && {
    ...at,
    px: (at.x * stage.size().width) / state.picture.width,
    py: (at.y * stage.size().height) / state.picture.height,
    event: null,
  };
  cross.hidden = !place;
  if (!place) return (corner = null);
  cross.style.transform = `translate(${place.px}px, ${place.py}px)`;
  if (brushing()) brush.showRing(place);
  if (corner) showFrame(corner, place);
}

function use(positive) {
  if (state.tool === "click" || state.tool === "not") click(place, positive && state.tool === "click");
  else if (brushing()) brush.stamp(place);
  else if (corner) {
    endBox(corner, place, null);
    corner = null;
  } else if (state.tool === "box") {
    corner = place;
    say(words.corner);
  }
}

function steer(event) {
  if (!shown() || event.ctrlKey || event.metaKey || event.altKey || event.target !== find("stage")) return;
  const { width, height } = state.picture,
    step = Math.max(width, height) * (event.shiftKey ? FINE : STEP);
  const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[
    event.key
  ];
  if (!way && event.key !== "Enter") return;
  event.preventDefault();
  if (!way) return place && use(!event.shiftKey);
  const within = (value, most) => Math.max(0.5, Math.min(most - 0.5, value)),
    { x, y } = place ?? { x: width / 2, y: height / 2 };
  moveCross({ x: within(x + way[0], width), y: within(y + way[1], height) });
  const there = state.guidance && guidance.at(place.x, place.y),
    percent = (part) => Math.round(part * 100);
  set({ lit: there?.id ?? null });
  say(
    filled(words.here, {
      name: there ? guidance.nameOf(there) : words.background,
      x: percent(place.x / width),
      y: percent(place.y / height),
    }),
  );
}

function keys(event) {
  if (
    !shown() ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    event.target.closest("input:not([type=range], [type=checkbox]), textarea, select")
  )
    return;
  const key = event.key.toLowerCase(),
    tool = TOOLS.find(([, own]) => own === key)?.[0];
  if (tool) pick(tool);
  else if (key === "h") set({ heat: !state.heat });
  else if (brushing() && (key === "[" || key === "]"))
    resize(Math.round(brush.size() * (key === "]" ? 1.2 : 1 / 1.2)));
  else if (key === "escape") {
    corner = null;
    frame.hidden = true;
    set({ tool: "click", chosen: null });
  } else return;
  event.preventDefault();
}

export function mount() {
  buildRail();
  brush.mount();
  const over = (name, order) =>
    stage.over(make("div", { class: name, hidden: true, "aria-hidden": "true" }), order);
  [frame, cross] = [over("frame", 50), over("cross", 52)];
  const room = find("stage");
  room.addEventListener(
    "focus",
    () =>
      room.matches(":focus-visible") &&
      shown() &&
      !place &&
      moveCross({ x: state.picture.width / 2, y: state.picture.height / 2 }),
  );
  room.addEventListener("blur", () => {
    moveCross(null);
    brush.showRing(null);
  });
  room.addEventListener("keydown", steer);
  document.addEventListener("keydown", keys);
  on(["mode", "guided", "tool", "picture"], show);
  on("heat", () => heatButton.setAttribute("aria-pressed", state.heat));
  show();
}
