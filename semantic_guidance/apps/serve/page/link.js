// Settings as a link, without any picture: `#strokes=500&style=oil`.

// Options that name a picture, which a link does not carry; the last two may also be a colour.
const PICTURES = ["palette_from", "background", "start_canvas"];
const COLOR = /^(#([0-9a-f]{3}|[0-9a-f]{6})|[a-z]{3,20})$/i;
const LONGEST = 300; // characters of a value

const names = (things) => (things ?? []).map((thing) => thing.name ?? thing);

function carried(name, value) {
  if (value === null || value === undefined) return false;
  return !PICTURES.includes(name) || (name !== "palette_from" && COLOR.test(value));
}

// The address of a page with these settings, as far as they are among the options; `guided` is whether the
// painter may know what is in the picture.
export function toLink(settings, guided, options) {
  const query = new URLSearchParams(), declared = new Set(names(options.options));
  for (const [name, value] of Object.entries(settings)) {
    const word = Array.isArray(value) ? value.join(",") : value;
    if (declared.has(name) && carried(name, value)) query.append(name, word);
  }
  if (!guided) query.append("guided", "no");
  return `${location.origin}/#${query}`;
}

// The value that a word stands for, or null if it is none of the option's.
function valueOf(option, word, known) {
  const { kind, min, max } = option, choices = kind === "choice" ? option.choices : known;
  if (word.length > LONGEST) return null;
  if (kind === "bool") return { true: true, false: false, yes: true, no: false }[word] ?? null;
  if (kind === "int" || kind === "float") {
    const number = Number(word);
    const right = word.trim() !== "" && (kind === "float" ? Number.isFinite(number) : Number.isInteger(number));
    return right && number >= (min ?? -Infinity) && number <= (max ?? Infinity) ? number : null;
  }
  if (choices && !choices.includes(word)) return null;
  return carried(option.name, word) ? word : null;
}

// What the part of an address behind its `#` asks for: {settings, guided, unknown: names of no use}.
export function fromLink(hash, options) {
  const { styles, presets, brushes } = options;
  const known = { style: names(styles), preset: names(presets), brush: names(brushes) };
  const declared = new Map(options.options.map((option) => [option.name, option]));
  const asked = { settings: {}, guided: true, unknown: [] };
  for (const [name, word] of new URLSearchParams(hash)) {
    const option = declared.get(name), list = known[name]?.length ? known[name] : null;
    const value = option ? valueOf(option, word, list) : null;
    if (name === "guided") asked.guided = word !== "no";
    else if (value === null) asked.unknown.push(name.slice(0, 40));
    else if (value !== option.default) asked.settings[name] = value;
  }
  return asked;
}
