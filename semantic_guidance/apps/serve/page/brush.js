// The brush that adds to what was found, or takes away from it.
import { make, say } from "/page/dom.js";
import * as guidance from "/page/guide.js";
import { colourOf } from "/page/marks.js";
import { boxOf, dab, overlap } from "/page/masks.js";
import * as stage from "/page/stage.js";
import { state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.guide;
export const SIZES = { min: 4, max: 90 }; // its radius in CSS pixels
const LEAST = 0.0002; // of the picture: less of an object is nothing

let radius = 20,
  ring,
  wet,
  held = null;

const byId = (id) => state.guidance?.instances.find((each) => each.id === id) ?? null;
const toMask = ({ x, y }) => [
  (x * state.guidance.w) / state.guidance.width,
  (y * state.guidance.h) / state.guidance.height,
];

export const size = () => radius;
export const resize = (wanted) => (radius = Math.max(SIZES.min, Math.min(SIZES.max, wanted)));

// Where it would paint; null hides it.
export function showRing(where, wide = radius) {
  ring.hidden = !where;
  if (!where) return;
  ring.style.width = ring.style.height = `${2 * wide}px`;
  ring.style.transform = `translate(${where.px - wide}px, ${where.py - wide}px)`;
}

const width = (event) =>
  event?.pointerType === "pen" && event.pressure ? radius * (0.3 + 1.2 * event.pressure) : radius;

// A stroke is seen while it is made, on a canvas of the mask's size.
function beginStroke(where) {
  const { w, h } = state.guidance,
    pen = wet.getContext("2d");
  wet.width = w;
  wet.height = h;
  wet.classList.toggle("out", state.tool === "out");
  pen.lineCap = "round";
  pen.strokeStyle =
    state.tool === "out" ? "#15110c" : byId(state.chosen) ? colourOf(byId(state.chosen)) : "#e07a3f";
  held = { mask: new Uint8Array(w * h), pen, from: toMask(where), w };
  goOn(where);
}

function goOn(where) {
  if (!held) return;
  const { mask, pen, from, w } = held,
    to = toMask(where),
    wide = (width(where.event) * w) / stage.size().width;
  dab(mask, w, from, to, wide, 255);
  pen.lineWidth = 2 * wide;
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(to[0], to[1] + 0.01);
  pen.stroke();
  held.from = to;
  showRing(where, width(where.event));
}

function endStroke() {
  const stroke = held;
  dropStroke();
  if (!stroke || stroke.w !== state.guidance?.w) return;
  (state.tool === "out" ? takeAway : addTo)(stroke.mask, stroke.w);
}

function dropStroke() {
  held = null;
  wet.width = wet.height = 1;
}

// The stroke belongs to the object that is chosen, or the one that it touches most, or it is one of its own.
function addTo(mask, w) {
  const { instances } = state.guidance;
  const touched = instances
    .filter((each) => each.kind === "object")
    .map((each) => [overlap(each.mask, mask).within, each])
    .filter(([much]) => much > 0)
    .sort((one, other) => other[0] - one[0])[0]?.[1];
  const owner = byId(state.chosen) ?? touched;
  if (!owner) {
    const fresh = guidance.made(mask, w);
    guidance.correct([...instances, fresh]);
    return say(filled(words.added, { name: guidance.nameOf(fresh) }));
  }
  const joined = owner.mask.map((value, k) => Math.max(value, mask[k]));
  const { box, area } = boxOf(joined, w);
  const values = { mask: joined, box, area, confidence: 1, salience: owner.salience || 0.5 };
  guidance.correct(instances.map((each) => (each === owner ? { ...each, ...values } : each)));
  say(filled(words.changed, { name: guidance.nameOf(owner) }));
}

function takeAway(mask, w) {
  const { instances } = state.guidance,
    chosen = byId(state.chosen),
    changed = [];
  const left = instances.map((each) => {
    if ((chosen && each !== chosen) || overlap(each.mask, mask).within === 0) return each;
    changed.push(guidance.nameOf(each));
    const rest = each.mask.map((value, k) => Math.min(value, 255 - mask[k])),
      { box, area } = boxOf(rest, w) || { box: each.box, area: 0 };
    return { ...each, mask: rest, box, area: area < LEAST * mask.length ? 0 : area };
  });
  if (!changed.length) return say(words.same);
  guidance.correct(left);
  say(filled(words.changed, { name: changed.join(", ") }));
}

export const brush = {
  cursor: "none",
  down: (where) => state.guidance && beginStroke(where),
  move: goOn,
  up: (where) => {
    endStroke();
    if (where.event.pointerType === "touch") showRing(null);
  },
  cancel: dropStroke,
  hover: (where) => showRing(where),
  left: () => {
    dropStroke();
    showRing(null);
  },
};

// One dab, for those who use keys.
export function stamp(where) {
  if (!state.guidance) return;
  beginStroke(where);
  endStroke();
}

export function mount() {
  wet = stage.layer("wet", 34);
  ring = stage.over(make("div", { class: "ring", hidden: true, "aria-hidden": "true" }), 50);
}
