// Which colours a painting has, what is behind its object, and on what it begins.
import * as api from "/page/api.js";
import { put } from "/page/controls.js";
import { choice, refresh, shows } from "/page/dials.js";
import { button, make, slider, toast } from "/page/dom.js";
import { settle, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.paint;

// Another picture is asked for, goes to the server, and `taken(id)` hears its name there.
function chooser(label, taken) {
  const input = make("input", { type: "file", accept: "image/*", hidden: true, tabindex: -1 });
  const press = button(label, () => input.click(), { icon: "image", kind: "wide" });
  input.addEventListener("change", async () => {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    press.disabled = true;
    press.querySelector("span").textContent = words.sending;
    try {
      taken((await api.addPicture(file, file.name)).id);
    } catch (error) {
      toast(error?.message || text.common.failed, { problem: true, closing: text.common.close });
    }
    press.disabled = false;
    press.querySelector("span").textContent = label;
  });
  return make("div", {}, press, input);
}

const isColor = (given) => /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(given ?? "");
const long = (color) =>
  (color.length === 4
    ? `#${[...color.slice(1)].map((digit) => digit + digit).join("")}`
    : color
  ).toLowerCase();

// Which colours: any, so many, those of a list, or those of another picture.
export function palette() {
  const kindOf = () => {
    if (state.settings.palette_from) return "picture";
    const given = state.settings.palette;
    return given === undefined ? "any" : /^\d+$/.test(String(given)) ? "few" : "own";
  };
  let wanted = null; // "picture" before one is chosen
  const kind = () => (kindOf() === "any" && wanted === "picture" ? wanted : kindOf());
  const start = {
    any: {},
    few: { palette: 8 },
    own: { palette: "#1f2d3d,#b5532a,#e8c26a,#f5efe2" },
    picture: {},
  };
  const choose = (name) => {
    wanted = name;
    put({ palette: null, palette_from: null, ...start[name] });
    refresh();
  };
  const items = Object.entries(words.palettes).map(([name, shown]) => [name, make("span", { text: shown })]);
  const group = choice("palette", words.palette, "chips", items, kind, choose);
  const few = slider(words.colours, {
    min: 2,
    max: 24,
    value: 8,
    input: (count) => put({ palette: count }, "palette"),
    done: settle,
  });
  const own = ownColours();
  const shown = make("img", { class: "source", alt: words.paletteFrom });
  const from = chooser(words.choosePicture, (id) => put({ palette: null, palette_from: id }));
  const picture = make("div", {}, shown, from, make("p", { class: "hint", text: words.palettePictureHint }));
  shows(() => {
    const now = kind();
    few.hidden = now !== "few";
    own.hidden = now !== "own";
    picture.hidden = now !== "picture";
    if (now === "few") few.set(Number(state.settings.palette));
    shown.hidden = !state.settings.palette_from;
    if (!shown.hidden) shown.src = api.preview(state.settings.palette_from);
  });
  return [group, few, own, picture];
}

function ownColours() {
  const box = make("div", { class: "field own" }), row = make("div", { class: "row swatches" });
  const colors = () =>
    String(state.settings.palette ?? "")
      .split(/[,\s]+/)
      .filter(isColor)
      .map(long);
  const set = (given, series = null) => put({ palette: given.join(",") }, series);
  const line = make("input", {
    type: "text",
    "aria-label": words.hexList,
    spellcheck: "false",
    autocomplete: "off",
    onchange: () => {
      const given = line.value
        .split(/[,\s]+/)
        .map((each) => (each.startsWith("#") ? each : `#${each}`))
        .filter(isColor);
      if (given.length) set(given.map(long));
      else line.value = colors().join(", ");
    },
  });
  const draw = () => {
    const given = colors();
    if (document.activeElement !== line) line.value = given.join(", ");
    if (row.childElementCount !== given.length + 1) {
      row.replaceChildren(
        ...given.map((_, n) => swatch(n)),
        button(words.addColour, () => set([...colors(), "#888888"]), { icon: "plus", bare: true }),
      );
    }
    given.forEach((color, n) => (row.children[n].firstChild.value = color));
  };
  const swatch = (n) => {
    const name = filled(words.colourNumber, { number: n + 1 });
    const input = make("input", { type: "color", "aria-label": name });
    input.addEventListener("input", () => set(colors().with(n, input.value), `colour ${n}`));
    input.addEventListener("change", settle);
    const away = button(
      filled(words.removeColour, { number: n + 1 }),
      () => {
        if (colors().length > 1) set(colors().filter((_, each) => each !== n));
      },
      { icon: "close", bare: true },
    );
    return make("div", { class: "swatch" }, input, away);
  };
  box.append(row, line, make("p", { class: "hint", text: words.ownHint }));
  shows(draw);
  return box;
}

// What is behind the object, or under the strokes: as usual, a colour, or another picture.
export function ground(name, label, hint) {
  let wanted = null;
  const given = () => state.settings[name];
  const kind = () =>
    given() === undefined
      ? wanted === "picture"
        ? wanted
        : "usual"
      : isColor(given())
        ? "colour"
        : "picture";
  const items = ["usual", "colour", "picture"].map((each) => [
    each,
    make("span", { text: words.grounds[each] }),
  ]);
  const group = choice(name, label, "chips", items, kind, (each) => {
    wanted = each;
    put({ [name]: each === "colour" ? "#e9dcc3" : null });
    refresh();
  });
  const color = make("input", { type: "color", "aria-label": filled(words.colourOf, { name: label }) });
  color.addEventListener("input", () => put({ [name]: color.value }, name));
  color.addEventListener("change", settle);
  const shown = make("img", { class: "source", alt: label });
  const picture = make(
    "div",
    {},
    shown,
    chooser(words.choosePicture, (id) => put({ [name]: id })),
  );
  shows(() => {
    const now = kind();
    color.hidden = now !== "colour";
    picture.hidden = now !== "picture";
    if (now === "colour") color.value = long(given());
    shown.hidden = now !== "picture" || !given();
    if (!shown.hidden) shown.src = api.preview(given());
  });
  return make(
    "div",
    { class: "field" },
    make("p", { class: "field-name", text: label }),
    group,
    color,
    picture,
    make("p", { class: "hint", text: hint }),
  );
}
