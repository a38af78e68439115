// The panel Keep: files of the painting, the project, a link to the settings.
import * as api from "/page/api.js";
import { button, find, icon, make, say, section, toast } from "/page/dom.js";
import { toLink } from "/page/link.js";
import { fetched, handOver } from "/page/saving.js";
import { on, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.keep;
const FINISHED = ["done", "stopped"], LARGEST = 16384;
const PICTURES = ["png", "jpg", "webp"];
const FILMS = ["mp4", "webm", "gif", "anim.webp", "apng", "html", "mov", "mkv", "frames"];
const SHAPES = ["svg", "exact.svg"], REAL = ["plotter.svg", "plotter.json", "recipes.svg", "recipes.json"];
const PROGRAMS = ["json", "height.png"], DOUBLE = ["jpeg"];
const SIZES = { picture: [1024, 2048, 4096], film: [1280, 1920, 3840] }, FILM = 720;
const PAPERS = ["a5", "a4", "a3", "a2", "letter", "legal", "tabloid"];
let known = new Map(), limits = {}, busy = null, kept = null, offer = null;
const parts = {}; // elements that change

// A labelled control; `control` gets the label's id.
let fields = 0;
function field(label, control, hint = null) {
  control.id ||= `keep-${++fields}`;
  const told = hint && make("p", { class: "hint", id: `${control.id}-hint`, text: hint });
  if (told) control.setAttribute("aria-describedby", told.id);
  return make("div", { class: "field" }, make("label", { for: control.id, text: label }), control, told);
}

const hint = (words) => make("p", { class: "hint", text: words });
const listed = (pairs) => pairs.map(([value, name]) => make("option", { value, text: name }));
const choice = (pairs) => make("select", {}, ...listed(pairs));

function number(min, max, step, placeholder = words.usual) {
  const inputmode = step < 1 ? "decimal" : "numeric";
  return make("input", { type: "number", min, max, step, placeholder, inputmode });
}

// A number field's value: null if it is empty; throws a sentence if it cannot be.
function numberOf(control, name) {
  if (control.value === "" && control.validity.valid) return null;
  if (control.validity.valid) return Number(control.value);
  control.focus();
  throw new RangeError(filled(words.outOfRange, { name, min: control.min, max: control.max }));
}

// Sizes to choose from, told by both sides; the list is made new for each painting.
function sizes(kind) {
  const list = make("select"), [least, most] = limits[kind], own = number(least, most, 1, "");
  const box = field(words.pixels, own);
  box.hidden = true;
  list.addEventListener("change", () => {
    box.hidden = list.value !== "own";
    if (!box.hidden) own.focus();
  });
  const fill = () => {
    const film = kind === "film", name = film ? words.sizes.usual : words.sizes.painted;
    const chosen = list.value, first = film ? Math.min(FILM, paintedSize()) : paintedSize();
    const rest = SIZES[kind].filter((size) => size !== first && size <= most);
    const usual = ["", filled(words.sized, { name, sides: sides(first) })];
    list.replaceChildren(...listed([usual, ...rest.map((size) => [size, sides(size)]), ["own", words.sizes.own]]));
    list.value = [...list.options].some(({ value }) => value === chosen) ? chosen : "";
    box.hidden = list.value !== "own";
  };
  return { list, box, fill, value: () => (list.value === "own" ? numberOf(own, words.pixels) : list.value) };
}

const record = () => state.paintings.find(({ id }) => id === state.current) ?? null;

// The painting's longer side; before it is known, as apps/options.py says.
function paintedSize() {
  const { width = 1024, height = 1024 } = state.picture ?? {}, here = record();
  return Math.max(here?.width ?? 0, here?.height ?? 0) || Math.min(2048, Math.max(512, width, height));
}

// Both sides of the picture, in words, if the longer one is so long.
function sides(longest) {
  const { width = 1, height = 1 } = state.picture ?? {}, scale = longest / Math.max(width, height);
  return [width, height].map((side) => Math.max(1, Math.round(side * scale))).join(" × ");
}

// What is asked for with a format, as `render` has it; throws a sentence.
function optionsFor(format) {
  if (PICTURES.includes(format)) {
    const clear = known.get(format).transparent ? parts.clear.value : "";
    return { size: parts.pictureSize.value(), transparent: clear };
  }
  if (known.get(format)?.film) {
    const { filmSize, seconds, fps } = parts;
    const duration = numberOf(seconds, words.seconds);
    const clear = known.get(format).transparent && parts.clearFilm.checked ? "painting" : null;
    return { film_size: filmSize.value(), duration, fps: numberOf(fps, words.fps), transparent: clear };
  }
  if (SHAPES.includes(format)) return { transparent: parts.clearShapes.checked ? "painting" : null };
  if (format.startsWith("plotter")) {
    const { paper, margin, reload, longest, border } = parts;
    return {
      paper: paper.value, margin: numberOf(margin, words.margin), reload: numberOf(reload, words.reload),
      longest_stroke: numberOf(longest, words.longest), border: border.checked || null,
    };
  }
  return format === "height.png" ? { size: parts.pictureSize.value() } : {};
}

const stem = () => (state.picture?.name ?? "painting").replace(/\.[a-z0-9]{2,5}$/i, "");

function complain(error) {
  if (error.name === "AbortError") return;
  const gone = error.status === 404 ? words.lost : error.status === 0 ? text.common.offline : null;
  const told = error instanceof RangeError ? error.message : gone ?? (error.message || words.notSaved);
  toast(told, { problem: true, closing: text.common.close });
}

// Runs one download at a time; its button stands for cancelling it meanwhile. Resolves to what `work` does.
async function during(pressed, work) {
  if (busy) {
    if (busy.pressed === pressed) busy.control.abort();
    return null;
  }
  busy = { pressed, control: new AbortController() };
  const label = pressed.querySelector("[data-name]") ?? pressed.querySelector("span"), name = label.textContent;
  pressed.classList.add("working");
  label.textContent = words.cancel;
  say(words.busy);
  tell();
  try {
    return await work(busy.control.signal);
  } catch (error) {
    complain(error);
    return null;
  } finally {
    busy = null;
    pressed.classList.remove("working");
    label.textContent = name;
    tell();
  }
}

async function save(pressed, addressed, usual) {
  await during(pressed, async (signal) => {
    const address = addressed(), { blob, name } = await fetched(address, usual, signal);
    handOver(blob ?? address, name);
    say(filled(words.saved, { name }));
  });
}

const saveFormat = (pressed, format) =>
  save(pressed, () => api.file(state.current, format, optionsFor(format)), `${stem()}.${format}`);

// A format as a button over the whole width: its name, and what it is for.
function row(format) {
  const [name, about] = words.formats[format] ?? [format, known.get(format).summary];
  const label = filled(words.downloadNamed, { name, about });
  const told = [make("b", { "data-name": true, text: name }), make("span", { text: about })];
  const element = make(
    "button",
    { type: "button", class: "format", "data-format": format, "aria-label": label },
    make("span", { class: "words" }, ...told),
    icon("download"),
  );
  element.addEventListener("click", () => saveFormat(element, format));
  return element;
}

const offered = (formats) => formats.filter((name) => known.has(name));
const rows = (formats) => make("div", { class: "formats" }, ...offered(formats).map(row));

function buildPicture() {
  const formats = offered(PICTURES), { clears } = words;
  const kinds = formats.map((format) => {
    const input = make("input", { type: "radio", name: "kind", value: format, checked: format === formats[0] });
    input.addEventListener("change", tell);
    return make("label", {}, input, make("span", { text: words.formats[format][0] }));
  });
  const legend = make("legend", { class: "quiet-live", text: words.kind });
  parts.kinds = make("fieldset", { class: "kinds" }, legend, ...kinds);
  parts.kindHint = make("p", { class: "hint" });
  parts.clear = choice([["", clears.all], ["painting", clears.painting], ["object", clears.object]]);
  parts.clearField = field(words.clear, parts.clear);
  parts.pictureSize = sizes("picture");
  const { list, box } = parts.pictureSize;
  const { kinds: choose, kindHint, clearField } = parts;
  return section(words.picture, {}, choose, kindHint, field(words.size, list), box, clearField);
}

const kind = () => parts.kinds.querySelector("input:checked").value;

const pair = (...two) => make("div", { class: "pair" }, ...two);

const check = (label) => {
  const input = make("input", { type: "checkbox" });
  return [input, make("label", { class: "check" }, input, make("span", { text: label }))];
};

function buildFilm() {
  parts.filmSize = sizes("film");
  parts.seconds = number(0.5, limits.seconds, 0.5);
  parts.fps = number(1, 60, 0.001);
  const [input, label] = check(words.clearFilm);
  parts.clearFilm = input;
  const { list, box } = parts.filmSize;
  const length = pair(field(words.seconds, parts.seconds), field(words.fps, parts.fps));
  return section(words.film, { open: false }, rows(FILMS), field(words.size, list), box, length, label);
}

function buildShapes() {
  const [input, label] = check(words.clearShapes);
  parts.clearShapes = input;
  return section(words.vectors, { open: false }, rows(SHAPES), label);
}

function buildReal() {
  const named = (name) => (/^a\d$/.test(name) ? name.toUpperCase() : name[0].toUpperCase() + name.slice(1));
  parts.paper = choice(PAPERS.map((name) => [name, named(name)]));
  parts.paper.value = "a4";
  parts.margin = number(0, 500, 0.5);
  parts.reload = number(1, 100000, 1);
  parts.longest = number(1, 100000, 1);
  const [input, label] = check(words.border);
  parts.border = input;
  return section(
    words.real,
    { open: false },
    rows(REAL),
    pair(field(words.paper, parts.paper), field(words.margin, parts.margin)),
    pair(field(words.reload, parts.reload), field(words.longest, parts.longest)),
    hint(words.reloadHint),
    label,
  );
}

function buildPrograms() {
  const told = [PICTURES, FILMS, SHAPES, REAL, PROGRAMS, DOUBLE].flat();
  const others = [...known.keys()].filter((name) => !told.includes(name));
  const more = others.length ? [make("h3", { text: words.more }), rows(others)] : [];
  return section(words.programs, { open: false }, rows(PROGRAMS), ...more);
}

function buildProject() {
  const press = () => save(project, () => api.project(state.current), `${stem()}.painting`);
  const project = button(words.saveProject, press, { icon: "folder", kind: "wide", id: "save-project" });
  parts.versions = button("", saveVersions, { icon: "download", kind: "wide", id: "save-versions" });
  return section(words.project, {}, project, hint(words.projectHint), parts.versions);
}

const finished = () => state.paintings.filter((each) => FINISHED.includes(each.state));

function saveVersions() {
  during(parts.versions, async () => {
    handOver(await api.zip(finished().map(({ id }) => id), [kind()]), `${stem()}.zip`);
    say(filled(words.saved, { name: `${stem()}.zip` }));
  });
}

// Sharing needs a press of a moment ago: if making the picture took longer, it waits for a second one.
async function share() {
  if (kept?.of === state.current) {
    const { file } = kept;
    kept = null;
    tell();
    return navigator.share({ files: [file], title: stem() }).catch(() => {});
  }
  return during(parts.share, async (signal) => {
    const format = kind(), address = api.file(state.current, format, optionsFor(format));
    const { blob, name } = await fetched(address, `${stem()}.${format}`, signal);
    const file = new File([blob], name, { type: blob.type });
    try {
      await navigator.share({ files: [file], title: stem() });
    } catch (error) {
      if (error.name === "NotAllowedError") kept = { of: state.current, file };
    }
  });
}

function canShare() {
  const probe = new File([""], "a.png", { type: "image/png" });
  return Boolean(navigator.canShare?.({ files: [probe] }));
}

async function copyLink() {
  const link = toLink(state.settings, state.guided, offer);
  try {
    await navigator.clipboard.writeText(link);
    toast(words.linkCopied);
  } catch {
    parts.linkField.hidden = false; // a page that is not on this machine and not encrypted may not
    parts.linkText.value = link;
    parts.linkText.select();
  }
}

function buildShare() {
  parts.share = button(words.sharePicture, share, { icon: "share", kind: "wide", id: "share" });
  parts.share.hidden = !canShare();
  const copy = button(words.link, copyLink, { icon: "link", kind: "wide", id: "copy-link" });
  parts.linkText = make("input", { type: "text", readonly: true });
  parts.linkField = field(words.linkHere, parts.linkText);
  parts.linkField.hidden = true;
  return section(words.share, {}, parts.share, copy, hint(words.linkHint), parts.linkField);
}

function tell() {
  const here = record(), ready = here !== null && FINISHED.includes(here.state);
  parts.files.disabled = !ready;
  parts.later.hidden = ready;
  parts.deed.parentNode.hidden = state.mode !== "keep";
  parts.deed.disabled = !ready || (busy !== null && busy.pressed !== parts.deed);
  for (const element of [...parts.files.querySelectorAll("button"), parts.share]) {
    element.disabled = busy !== null && busy.pressed !== element;
  }
  const format = kind(), count = finished().length;
  const [name, about] = words.formats[format];
  parts.kindHint.textContent = `${name}: ${about}`;
  parts.clearField.hidden = !known.get(format).transparent;
  parts.versions.hidden = count < 2;
  rename(parts.versions, filled(words.allVersions, { count }));
  rename(parts.share, kept?.of === state.current ? words.shareNow : words.sharePicture);
}

function rename(pressed, words) {
  if (busy?.pressed !== pressed) pressed.querySelector("span").textContent = words;
}

function fillSizes() {
  parts.pictureSize.fill();
  parts.filmSize.fill();
}

export function mount(options) {
  offer = options;
  known = new Map(options.formats.map((format) => [format.name, format]));
  const bounds = (word, most) => {
    const option = (options.file_options ?? options.options).find(({ name }) => name === word);
    return [option?.min ?? 16, option?.max ?? most];
  };
  limits = { picture: bounds("size", LARGEST), film: bounds("film_size", 4096) };
  limits.seconds = options.limits?.film_seconds ?? 60;
  parts.later = hint(words.later);
  const real = [buildPicture(), buildFilm(), buildShapes(), buildReal(), buildPrograms(), buildProject()];
  parts.files = make("fieldset", { class: "bare-set", "aria-label": text.common.tabs.keep }, ...real);
  find("panel-keep").append(parts.later, parts.files, buildShare());
  const press = () => saveFormat(parts.deed, kind());
  parts.deed = button(words.download, press, { icon: "download", kind: "primary", id: "download" });
  find("deed").after(make("div", { class: "deed", hidden: true }, parts.deed));
  on(["mode", "current", "paintings"], tell);
  on(["picture", "current"], fillSizes);
  fillSizes();
  tell();
}
