// What can be asked of the painter. Only what is not as usual stands in `state.settings`.
import { find, make, toast } from "/page/dom.js";
import { change, on, state } from "/page/store.js";
import { text } from "/page/text.js";

const words = text.paint;
export const USUAL = { strokes: 300, preset: "standard", style: "alla-prima", seed: 0 };

// Dials: the least and most that the slider gives, where it stands if the style decides, and whether it is a
// factor, for which the slider is logarithmic.
export const DIALS = {
  length: [0.25, 4, 1, true],
  width: [0.25, 4, 1, true],
  curvature: [0, 1, 0.5],
  opacity: [0.05, 1, 0.9],
  flow: [0, 1, 0.6],
  looseness: [0, 1, 0.2],
  edges: [0, 1, 0.8],
  economy: [0, 1, 0.5],
  variety: [0, 3, 1],
  saturation: [0, 2, 1],
  warmth: [-1, 1, 0],
};
export const TEXTURE = { relief: [0, 1, 0.5], bristle: [0, 1, 0.5], dry: [0, 1, 0.3] };

// What changes anything in a style or with a brush, where it is not everything: the painter refuses the rest.
const DRAWN = ["length", "width", "opacity"], GRAINY = ["relief", "bristle", "dry", "light"];
const TURNED = {
  likeness: [],
  lines: [],
  ink: DRAWN,
  pencil: DRAWN,
  "colored-pencil": [...DRAWN, "saturation"],
};
const BRUSHES = {
  "colored-pencil": "pencil",
  pencil: "pencil",
  ink: "ink",
  gouache: "gouache",
  pointillist: "gouache",
  "palette-knife": "knife",
  watercolor: "watercolor",
  likeness: "flat",
  lines: "flat",
};
const GRAINS = { flat: [], knife: ["relief", "dry", "light"], ink: ["bristle", "dry"] };
const NOT_OURS = new Set([
  ..."image out output overwrite formats export frame device".split(" "),
  ..."mask invert_mask box point not_point text guidance guide baseline show_guidance".split(" "),
]);
export const DIAL_NAMES = Object.keys(DIALS);

// The buttons of what else can be done with a painting; other modules add theirs.
export const more = make("div", { class: "row more", hidden: true });

let asked = { options: [] };

// The settings as a job's JSON, without those that change nothing in this style.
export const job = () => Object.fromEntries(Object.entries(state.settings).filter(([name]) => fits(name)));

export function fits(name) {
  const { brush, relief, style = USUAL.style } = state.settings;
  if (name in DIALS) return TURNED[style]?.includes(name) ?? true;
  if (!GRAINY.includes(name)) return true;
  return (
    (GRAINS[brush ?? BRUSHES[style] ?? "oil"] ?? GRAINY).includes(name) && !(name === "light" && relief === 0)
  );
}

export const usual = (name) =>
  asked.options.find((option) => option.name === name)?.default ?? USUAL[name] ?? null;
export const value = (name) => state.settings[name] ?? usual(name);

// Sets some settings; what is as usual, or null, is not kept.
export function put(values, series = null) {
  const settings = { ...state.settings };
  for (const [name, given] of Object.entries(values)) {
    if (given === null || given === usual(name)) delete settings[name];
    else settings[name] = given;
  }
  if (JSON.stringify(settings) !== JSON.stringify(state.settings)) change({ settings }, series);
}

// The settings of a painting, as its job tells them.
export function take(told) {
  const kept = Object.entries(told).filter(
    ([name, given]) => !NOT_OURS.has(name) && given !== null && given !== usual(name),
  );
  change({ settings: Object.fromEntries(kept) });
}

export const titled = (name) =>
  (words.styles[name] ?? [name[0].toUpperCase() + name.slice(1).replaceAll("-", " ")])[0];
export const styleName = (name) => titled(name ?? usual("style") ?? USUAL.style);

// The controls themselves come with the first picture.
export function mount(options) {
  asked = options;
  let begun = false;
  const begin = async () => {
    if (begun || !state.picture) return;
    begun = true;
    try {
      (await import("/page/dials.js")).mount(options);
    } catch {
      begun = false;
      toast(words.noAnswer, { problem: true, closing: text.common.close });
    }
  };
  find("panel-paint").prepend(more);
  on("picture", begin);
  begin();
}
