// The controls of a painting: each shows what is set, from wherever it was set.
import { ground, palette } from "/page/colours.js";
import { DIALS, TEXTURE, USUAL, fits, put, titled, usual, value } from "/page/controls.js";
import { button, find, make, section, slider } from "/page/dom.js";
import { change, on, settle, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.paint;
const FEWEST = 20, STEPS = 200; // strokes at the left end of the slider, and its steps
const SIZES = [512, 1024, 1536, 2048, 3072, 4096];
const LIGHTS = ["top", "right", "bottom", "left", "none"];
const LAST_SEED = 9999;
const COLOURS = ["palette", "palette_from", "pigments", "saturation", "warmth"];
const HAND = Object.keys(DIALS).filter((name) => !COLOURS.includes(name));

const syncs = [];
let asked = { options: [], styles: [], brushes: [], presets: [] }, numbers = 0;

// Calls `sync()` now and whenever settings are set, from here or elsewhere.
export function shows(sync) {
  syncs.push(sync);
  sync();
}

// Shows all settings again.
export function refresh() {
  for (const sync of syncs) sync();
}

// One of several, as radio buttons that look like cards or chips: [value, ...children] each.
export function choice(name, label, kind, items, chosen, choose) {
  const group = make("div", { class: kind, role: "radiogroup", "aria-label": label }),
    id = `${name}-${++numbers}`;
  for (const [item, ...children] of items) {
    const input = make("input", { type: "radio", name: id, value: item, onchange: () => choose(item) });
    group.append(make("label", { class: "choice" }, input, ...children));
  }
  shows(() => {
    for (const input of group.querySelectorAll("input")) input.checked = input.value === String(chosen());
  });
  return group;
}

// A slider that says nothing until it is moved: then its value stands, until it is given back.
function dial(name, [least, most, middle, factor = false]) {
  const forth = (given) => (factor ? Math.log2(given) : given),
    back = (given) => (factor ? 2 ** given : given);
  const rounded = (given) => Math.round(back(given) * 100) / 100;
  const field = slider(words.dials[name], {
    min: forth(least),
    max: forth(most),
    step: factor ? 0.1 : 0.05,
    value: forth(middle),
    shown: (given) =>
      state.settings[name] === undefined
        ? words.asStyle
        : factor
          ? `× ${rounded(given)}`
          : String(rounded(given)),
    hint: words.dialHints[name],
    input: (given) => put({ [name]: rounded(given) }, name),
    done: settle,
  });
  const reset = button(filled(words.resetOne, { name: words.dials[name] }), () => put({ [name]: null }), {
    icon: "undo",
    bare: true,
    class: "button bare reset",
  });
  field.querySelector(".field-head").append(reset);
  shows(() => {
    const given = state.settings[name];
    field.set(forth(given ?? middle));
    field.classList.toggle("unset", given === undefined);
    field.hidden = !fits(name);
    reset.hidden = given === undefined;
  });
  return field;
}

function styles() {
  const items = asked.styles.map(({ name, summary }) => [
    name,
    make("img", {
      src: `/page/style-${name}.webp`,
      alt: "",
      loading: "lazy",
      width: 96,
      height: 72,
      onerror: gone,
    }),
    make("b", { text: titled(name) }),
    make("span", { class: "hint", text: words.styles[name]?.[1] ?? summary }),
  ]);
  const chosen = () => state.settings.style ?? usual("style") ?? USUAL.style;
  return choice("style", words.style, "cards", items, chosen, (name) =>
    put({ style: name === USUAL.style ? null : name }),
  );
}

function gone() {
  this.remove();
}

// Strokes: from few to the server's limit, evenly in ratios, in round numbers.
function strokes() {
  const most = Math.min(
    asked.limits?.strokes ?? Infinity,
    asked.options.find(({ name }) => name === "strokes")?.max ?? 20000,
  );
  const ratio = Math.log(most / FEWEST),
    at = (count) => Math.round((STEPS * Math.log(count / FEWEST)) / ratio);
  const round = (count) => {
    const unit = 10 ** Math.max(0, Math.floor(Math.log10(count)) - 1);
    return Math.min(most, Math.round(count / unit) * unit);
  };
  const count = (place) => round(FEWEST * Math.exp((ratio * place) / STEPS));
  const exact = make("input", {
    type: "number",
    min: 1,
    max: most,
    step: 1,
    "aria-label": words.strokesExact,
    class: "exact",
    inputmode: "numeric",
    onchange: () =>
      put({ strokes: Math.min(most, Math.max(1, Math.round(Number(exact.value)) || usual("strokes"))) }),
  });
  const field = slider(words.strokes, {
    min: 0,
    max: STEPS,
    value: at(value("strokes")),
    shown: () => "",
    hint: "-",
    input: (place) => put({ strokes: count(place) }, "strokes"),
    done: settle,
  });
  field.querySelector(".field-head").append(exact);
  shows(() => {
    const given = value("strokes");
    if (count(Number(field.range.value)) !== given) field.range.value = at(given);
    field.range.setAttribute("aria-valuetext", filled(words.count, { count: given.toLocaleString("en") }));
    exact.value = given;
    field.querySelector(".hint").textContent = words.strokesMean.find(([bound]) => given < bound)[1];
  });
  return field;
}

function presets() {
  const names = asked.presets.length
    ? asked.presets.map((each) => each.name ?? each)
    : ["draft", "standard", "fine"];
  const items = names.map((name) => [name, make("span", { text: words.presets[name]?.[0] ?? name })]);
  const hint = make("p", { class: "hint" });
  shows(() => (hint.textContent = words.presets[value("preset")]?.[1] ?? ""));
  const group = choice(
    "preset",
    words.preset,
    "chips",
    items,
    () => value("preset"),
    (name) => put({ preset: name }),
  );
  return make(
    "div",
    { class: "field" },
    make("p", { class: "field-name", text: words.preset, "aria-hidden": "true" }),
    group,
    hint,
  );
}

// A choice from a list; the empty value is as usual.
function list(name, label, items, hint = null, of = String) {
  const id = `list-${++numbers}`;
  const select = make("select", {
    id,
    onchange: () => put({ [name]: select.value === "" ? null : of(select.value) }),
  });
  for (const [item, shown] of items) select.append(make("option", { value: item, text: shown }));
  const sync = () => {
    const given = String(state.settings[name] ?? "");
    if (given && ![...select.options].some((option) => option.value === given)) {
      select.append(make("option", { value: given, text: given }));
    }
    select.value = given;
    field.hidden = !fits(name);
  };
  const field = make(
    "div",
    { class: "field" },
    make("label", { for: id, text: label }),
    select,
    hint && make("p", { class: "hint", text: hint }),
  );
  shows(sync);
  return field;
}

function brushes() {
  const names = asked.brushes.map((each) => each.name ?? each);
  return [
    list(
      "brush",
      words.brush,
      [["", words.asStyle], ...names.map((name) => [name, words.brushes[name] ?? name])],
      words.brushHint,
    ),
    ...Object.entries(TEXTURE).map(([name, range]) => dial(name, range)),
    list("light", words.light, [
      ["", words.lights.usual],
      ...LIGHTS.map((name) => [name, words.lights[name]]),
    ]),
  ];
}

// Some styles have no hand that could be changed.
function handHint() {
  const hint = make("p", { class: "hint" });
  shows(() => (hint.textContent = fits("length") ? words.handHint : words.noHand));
  return hint;
}

function check(name, label, hint, on = true) {
  const input = make("input", {
    type: "checkbox",
    onchange: () => put({ [name]: input.checked ? on : null }),
  });
  shows(() => (input.checked = Boolean(state.settings[name])));
  return make(
    "div",
    { class: "field" },
    make("label", { class: "check" }, input, make("span", { text: label })),
    make("p", { class: "hint", text: hint }),
  );
}

function sizes() {
  const option = asked.options.find(({ name }) => name === "size"),
    most = Math.min(option?.max ?? 8192, asked.limits?.size ?? 8192);
  const items = SIZES.filter((size) => size <= most).map((size) => [size, filled(words.pixels, { size })]);
  return list("size", words.size, [["", words.sizeUsual], ...items], words.sizeHint, Number);
}

function seed() {
  const id = `seed-${++numbers}`;
  const input = make("input", {
    id,
    type: "number",
    min: 0,
    step: 1,
    inputmode: "numeric",
    onchange: () => put({ seed: Math.max(0, Math.round(Number(input.value)) || 0) }),
  });
  const dice = button(words.dice, () => put({ seed: 1 + Math.floor(Math.random() * LAST_SEED) }), {
    icon: "dice",
    bare: true,
  });
  shows(() => (input.value = value("seed")));
  const field = make("div", { class: "row seed" }, input, dice);
  return make(
    "div",
    { class: "field" },
    make("label", { for: id, text: words.seed }),
    field,
    make("p", { class: "hint", text: words.seedHint }),
  );
}

// A closed section tells how much in it is not as usual.
function closed(title, names, ...children) {
  const part = section(title, { open: false }, ...children), mark = make("span", { class: "mark" });
  part.querySelector("summary").append(mark);
  shows(() => {
    const count = names.filter((name) => state.settings[name] !== undefined && fits(name)).length;
    mark.textContent = count ? filled(words.changed, { count }) : "";
  });
  return part;
}

export function mount(options) {
  asked = { ...asked, ...options };
  const reset = button(words.reset, () => change({ settings: {} }), { icon: "undo", kind: "wide" });
  shows(() => (reset.disabled = Object.keys(state.settings).length === 0));
  find("panel-paint").append(
    section(words.style, {}, styles()),
    section(words.work, {}, strokes(), presets()),
    closed(
      words.colourTitle,
      COLOURS,
      ...palette(),
      dial("saturation", DIALS.saturation),
      dial("warmth", DIALS.warmth),
      check("pigments", words.pigments, words.pigmentsHint, "tubes"),
    ),
    closed(words.hand, HAND, handHint(), ...HAND.map((name) => dial(name, DIALS[name]))),
    closed(words.brushTitle, ["brush", "light", ...Object.keys(TEXTURE)], ...brushes()),
    closed(
      words.canvas,
      ["background", "start_canvas", "size", "opaque"],
      ground("background", words.background, words.backgroundHint),
      ground("start_canvas", words.start, words.startHint),
      sizes(),
      check("opaque", words.opaque, words.opaqueHint),
    ),
    closed(words.chance, ["seed"], seed()),
    reset,
  );
  on("settings", refresh);
}
