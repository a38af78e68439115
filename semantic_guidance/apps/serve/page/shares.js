// The panel that says what was found, and how much of it matters.
import { button, find, make, say, section, slider } from "/page/dom.js";
import * as guidance from "/page/guide.js";
import { colourOf } from "/page/marks.js";
import { overlap } from "/page/masks.js";
import { change, on, set, settle, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.guide,
  THUMB = 96,
  ROUND = 100;
let list,
  told,
  bar,
  all,
  rows = new Map(),
  drag = null;

const percent = (share) => `${Math.round(share * 100)} %`;
const counted = (some, n) => filled(some[n] ?? some.n, { count: n });

// What was found, in words.
export function summary({ instances }) {
  const faces = instances.filter(({ kind }) => kind === "face").length,
    objects = instances.length - faces;
  if (!instances.length) return words.none;
  const one = counted(words.objects, objects);
  const both = faces
    ? filled(words.and, { one, other: counted({ n: words.faces.n, 1: words.faces[1] }, faces) })
    : one;
  return filled(words.found, { objects: both }).replace(/^./, (letter) => letter.toUpperCase());
}

// The object cut out of the photograph.
function cutOut(canvas, { mask, box }) {
  const { w, h } = state.guidance,
    photo = find("photo"),
    pen = canvas.getContext("2d");
  if (!photo.naturalWidth) return;
  const side = Math.max(box[2], box[3], 8) * 1.12,
    left = box[0] + (box[2] - side) / 2,
    top = box[1] + (box[3] - side) / 2;
  const place = [-left, -top, w, h].map((value) => (value * THUMB) / side);
  const shape = new OffscreenCanvas(w, h),
    image = new ImageData(w, h);
  for (let k = 0; k < mask.length; k++) image.data[4 * k + 3] = mask[k];
  shape.getContext("2d").putImageData(image, 0, 0);
  canvas.width = canvas.height = THUMB;
  pen.drawImage(shape, ...place);
  pen.globalCompositeOperation = "source-in";
  pen.drawImage(photo, ...place);
}

// About what the painter gives by itself: so many times as many strokes an area as the background has.
const DENSITY = { object: 5, face: 25 };

function guessed(kept) {
  const { w, h } = state.guidance,
    faces = kept.filter(({ kind }) => kind === "face");
  const own = (each) =>
    each.area -
    (each.kind === "face"
      ? 0
      : faces
          .filter((face) => overlap(face.mask, each.mask).within > 0.8)
          .reduce((sum, face) => sum + face.area, 0));
  const weights = kept.map((each) => DENSITY[each.kind] * Math.max(0, own(each)));
  const free = Math.max(0, w * h - kept.reduce((sum, each) => sum + Math.max(0, own(each)), 0));
  const sum = weights.reduce((total, weight) => total + weight, free);
  return new Map(kept.map((each, n) => [each, weights[n] / sum]));
}

const parts = () => {
  const { instances } = state.guidance,
    all = instances.filter((each) => !guidance.doubtful(each)),
    guess = guessed(all);
  const kept = all.map((each) => ({ ...each, self: each, share: each.share ?? guess.get(each) }));
  const wanted = kept.reduce((sum, each) => sum + (each.wanted ?? 0), 0);
  const free = kept.reduce((sum, each) => sum + (each.wanted === null ? each.share : 0), 0);
  // What is automatic has what is left by what is asked for, as much as of itself at most.
  const scale = free > 0 ? Math.min(1, Math.max(0, 1 - wanted) / free) : 0;
  const shares = kept.map((each) => [each.self, each.wanted ?? each.share * scale]);
  return { shares, rest: Math.max(0, 1 - shares.reduce((sum, [, share]) => sum + share, 0)) };
};

// Gives an object a share; others that were given one give way.
function give(id, share) {
  const base = (drag ??= state.guidance.instances),
    others = base.filter((each) => each.id !== id && each.wanted !== null);
  const sum = others.reduce((total, each) => total + each.wanted, 0),
    scale = sum > 0 ? Math.min(1, (1 - share) / sum) : 1;
  const wanted = (each) =>
    each.id === id ? share : each.wanted === null ? null : Math.floor(each.wanted * scale * ROUND) / ROUND;
  guidance.weigh(
    base.map((each) => ({ ...each, wanted: wanted(each) })),
    `share-${id}`,
  );
}

function free(instance, name) {
  guidance.weigh(
    state.guidance.instances.map((each) => (each.id === instance.id ? { ...each, wanted: null } : each)),
  );
  say(`${name}: ${words.automatic}`);
}

function row(instance) {
  const id = instance.id,
    now = () => state.guidance.instances.find((each) => each.id === id);
  const name = make("span", { class: "name" }),
    note = make("p", { class: "hint" }),
    thumb = make("canvas", { "aria-hidden": "true" });
  const choose = make(
    "button",
    { type: "button", class: "cutout", onclick: () => set({ chosen: state.chosen === id ? null : id }) },
    thumb,
    make("span", { class: "dot" }),
  );
  const keep = button(words.keep, () => guidance.keepOne(now()), { kind: "small" });
  const reset = button("", () => free(now(), name.textContent), { icon: "again", bare: true });
  const remove = button("", () => guidance.removeOne(now()), { icon: "close", bare: true });
  const field = slider("", {
    min: 0,
    max: ROUND,
    value: 0,
    shown: () => (now()?.wanted == null ? words.automatic : percent(now().wanted)),
    input: (value) => give(id, value / ROUND),
    done: () => {
      drag = null;
      settle();
    },
  });
  const element = make(
    "li",
    {
      class: "found",
      onpointerenter: () => set({ lit: id }),
      onpointerleave: () => set({ lit: null }),
      onfocusin: () => set({ lit: id }),
      onfocusout: () => set({ lit: null }),
    },
    choose,
    make("div", { class: "facts" }, make("div", { class: "naming" }, name, keep, reset, remove), note, field),
  );
  let cut = null;
  const show = (each, share) => {
    const title = guidance.nameOf(each),
      unsure = guidance.doubtful(each),
      named = (sentence) => filled(sentence, { name: title });
    name.textContent = title;
    element.style.setProperty("--own", unsure ? "" : colourOf(each));
    for (const [part, sentence] of [
      [choose, words.choose],
      [reset, words.backTo],
      [remove, words.remove],
    ]) {
      part.setAttribute("aria-label", named(sentence));
      part.title = named(sentence);
    }
    field.range.setAttribute("aria-label", named(words.share));
    note.textContent = unsure ? words.doubtful : "";
    note.hidden = keep.hidden = !unsure;
    field.hidden = unsure;
    reset.hidden = each.wanted === null;
    element.classList.toggle("unsure", unsure);
    element.classList.toggle("automatic", each.wanted === null);
    if (document.activeElement !== field.range || drag === null || each.wanted === null)
      field.set(Math.round((share ?? 0) * ROUND));
    else field.set(Math.round(each.wanted * ROUND));
    if (cut !== each.mask) cutOut(thumb, each);
    cut = find("photo").naturalWidth ? each.mask : null;
  };
  const mark = () => {
    element.classList.toggle("lit", state.lit === id);
    choose.setAttribute("aria-pressed", state.chosen === id);
  };
  return { element, show, mark };
}

function showList() {
  const known = state.guidance;
  all.on.querySelector("input").checked = state.guided;
  all.hint.textContent = state.guided ? words.onHint : words.offHint;
  all.more.hidden = !state.guided;
  told.textContent = state.looking && !known ? words.looking : known ? summary(known) : words.failed;
  told.classList.toggle("busy", Boolean(state.looking || state.focusing));
  if (!known) {
    list.replaceChildren();
    bar.hidden = true;
    return;
  }
  const { shares, rest } = parts(),
    sure = shares.every(([each]) => each.wanted !== null),
    fresh = new Map();
  for (const each of known.instances) {
    const one = rows.get(each.id) ?? row(each);
    fresh.set(each.id, one);
    one.show(each, shares.find(([other]) => other === each)?.[1]);
    one.mark();
  }
  rows = fresh;
  const wanted = [...fresh.values()].map(({ element }) => element);
  if (wanted.some((element, n) => list.children[n] !== element) || list.children.length !== wanted.length)
    list.replaceChildren(...wanted);
  bar.hidden = !shares.length;
  const [line, name] = bar.children;
  line.replaceChildren(
    ...shares.map(([each, share]) => {
      const piece = make("span", { title: `${guidance.nameOf(each)}: ${percent(share)}` });
      piece.style.flexGrow = share;
      piece.style.setProperty("--own", colourOf(each));
      return piece;
    }),
  );
  const last = make("span", { class: "rest" });
  last.style.flexGrow = rest;
  line.append(last);
  name.textContent = sure ? filled(words.restShare, { share: percent(rest) }) : words.restAutomatic;
}

function buildWord() {
  const id = "look-for",
    input = make("input", {
      id,
      type: "text",
      placeholder: words.wordHint,
      autocomplete: "off",
      maxlength: 60,
      enterkeyhint: "search",
    });
  const look = async (event) => {
    event.preventDefault();
    const word = input.value.trim();
    if (word) await guidance.search(word);
  };
  return make(
    "form",
    { class: "word", onsubmit: look },
    make("label", { for: id, text: words.word }),
    make(
      "div",
      { class: "row" },
      input,
      make("button", { class: "button", type: "submit", text: words.search }),
    ),
  );
}

export function mount() {
  const check = make("input", {
    type: "checkbox",
    role: "switch",
    checked: true,
    onchange: () => change({ guided: check.checked }),
  });
  all = {
    on: make("label", { class: "check switch" }, make("span", { text: words.on }), check),
    hint: make("p", { class: "hint" }),
  };
  told = make("p", { class: "telling" });
  list = make("ul", { class: "all-found" });
  bar = make(
    "div",
    { class: "shared", hidden: true },
    make("div", { class: "line", "aria-hidden": "true" }),
    make("p", { class: "hint" }),
  );
  const again = button(words.again, guidance.again, { icon: "again", title: words.againHint });
  all.more = make(
    "div",
    {},
    section(words.title, {}, told, bar, list),
    buildWord(),
    make("div", { class: "row" }, again),
  );
  find("panel-guide").append(make("div", { class: "part" }, all.on, all.hint), all.more);
  on(["guidance", "guided", "looking", "focusing", "picture"], showList);
  on(["lit", "chosen"], () => rows.forEach((one) => one.mark()));
  find("photo").addEventListener("load", () => state.guidance && showList());
  showList();
}
