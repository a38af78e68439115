// The first view: a photograph comes by dropping, choosing, pasting or taking it, or is one of the examples.
import * as api from "/page/api.js";
import * as batch from "/page/batch.js";
import { button, find, icon, make, say, toast } from "/page/dom.js";
import { ready } from "/page/guidance.js";
import { paintSample } from "/page/sample.js";
import { adopt } from "/page/session.js";
import { forget, on, set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.start;
const ASIDE = ["picture", "guided", "guidance", "paintings", "current"]; // what belongs to a picture
const RECENT = 12,
  LARGE = 16 << 20,
  SAMPLE = 1200;
let recent = [],
  coming = null,
  front,
  aside,
  arriving,
  limits = null,
  complaint = null;

const isProject = (name) => /\.(painting|zip)$/i.test(name);
const isPicture = (file) =>
  file.type.startsWith("image/") || /\.(jpe?g|png|webp|heic|heif|avif|tiff?|gif|bmp|jxl)$/i.test(file.name);

// Says what did not work, until it is tried again.
function complain(sentence) {
  complaint?.();
  complaint = toast(sentence, { problem: true });
}

function told(error, name) {
  if (error === null || error.name === "AbortError") return;
  const plain = error.status === 0 ? text.common.offline : filled(words.unread, { name });
  complain(error.message && error.status !== undefined ? error.message : plain);
}

// A message with a way back.
function offer(sentence, deed, press) {
  const gone = toast(sentence);
  find("toasts").lastElementChild.lastElementChild.before(
    button(
      deed,
      () => {
        gone();
        press();
      },
      { kind: "offer" },
    ),
  );
}

// Keeps what is there of the present picture, to come back to.
function putAside() {
  if (!state.picture) return null;
  const entry = Object.fromEntries(ASIDE.map((name) => [name, state[name]]));
  recent = [entry, ...recent.filter((other) => other.picture.id !== entry.picture.id)].slice(0, RECENT);
  return entry;
}

// Shows a picture in place of the present one; `values` of the state, `picture` at least.
function begin(values) {
  const before = state.picture?.id !== values.picture.id ? putAside() : null;
  // The picture first: who shows it forgets what was shown before.
  set({
    picture: null,
    guided: true,
    guidance: null,
    paintings: [],
    current: null,
    mode: "guide",
    ...values,
  });
  forget();
  arrived(before);
}

function arrived(before) {
  const { id, name, note } = state.picture;
  recent = recent.filter((entry) => entry.picture.id !== id);
  say(note || name);
  if (note) toast(note);
  if (before?.paintings.length)
    offer(filled(words.aside, { name: before.picture.name }), words.goBack, () => resume(before));
}

// Goes back to a picture that was put aside, if the server still has it.
export async function resume(entry) {
  try {
    await api.picture(entry.picture.id);
  } catch (error) {
    if (error.status !== 404) return told(error, entry.picture.name);
    recent = recent.filter((other) => other !== entry);
    showAside();
    return complain(filled(words.gone, { name: entry.picture.name }));
  }
  begin({ ...entry, mode: entry.current ? "paint" : "guide" });
}

export function startOver() {
  set({ mode: "start" });
  showFront();
  find("start").scrollTop = 0;
  front.querySelector("button").focus({ preventScroll: true });
}

export function showFront() {
  front.hidden = false;
  batch.hide();
  showAside();
}

// Whether a file may be sent at all; says why not.
async function fits(blob, name) {
  complaint?.();
  if (blob.size === 0) return complain(filled(words.empty, { name }));
  if (blob.size < LARGE) return true;
  limits ??= (await api.options().catch(() => ({}))).limits ?? null;
  const most = limits?.upload_bytes ?? Infinity,
    mega = (bytes) => Math.ceil(bytes / 2 ** 20);
  if (blob.size <= most) return true;
  complain(filled(words.tooLarge, { name, size: mega(blob.size), most: mega(most) }));
  return false;
}

// Runs `send(progress, signal)` while the canvas shows what comes; resolves to null if it did not work.
async function received(blob, name, send) {
  coming?.abort();
  const mine = (coming = new AbortController()),
    url = blob && URL.createObjectURL(blob);
  const from = state.mode;
  if (from !== "start") set({ mode: "start" });
  showFront();
  const note = make("p", { class: "arriving-note", text: filled(words.arriving, { name }) });
  const bar = make("progress", { "aria-label": note.textContent, max: 1 });
  const shown = url && make("img", { src: url, alt: "", onerror: () => shown.remove() });
  arriving.replaceChildren(...[shown, note, bar, button(words.cancel, () => mine.abort())].filter(Boolean));
  arriving.hidden = false;
  say(note.textContent);
  ready().catch(() => {}); // meanwhile
  try {
    return await send((share) => {
      bar.value = share;
      const percent = Math.round(share * 100);
      note.textContent = share < 1 ? filled(words.arrivingShare, { name, share: percent }) : words.looking;
      if (share === 1) bar.removeAttribute("value");
    }, mine.signal);
  } catch (error) {
    told(error, name);
    if (from !== "start" && coming === mine) set({ mode: from });
    return null;
  } finally {
    if (url) URL.revokeObjectURL(url);
    if (coming === mine) arriving.hidden = true;
  }
}

export async function open(blob, name) {
  if (!(await fits(blob, name))) return;
  const picture = await received(blob, name, (progress, signal) =>
    api.addPicture(blob, name, progress, signal),
  );
  if (picture) begin({ picture });
}

async function openExample({ name, title }) {
  const picture = await received(null, title, () => api.example(name));
  if (picture) begin({ picture: { ...picture, name: title } });
}

export async function openProject(blob, name) {
  if (!(await fits(blob, name))) return;
  const opened = await received(blob, name, (progress) => api.openProject(blob, name, progress));
  if (!opened) return;
  const before = putAside();
  await adopt(opened);
  arrived(before);
}

// What a person gave: a project, one picture, or several.
function given(files) {
  const project = files.find((file) => isProject(file.name)),
    found = files.filter(isPicture);
  if (files.length === 1 && !project) return open(files[0], files[0].name);
  if (project && !found.length) return openProject(project, project.name);
  if (!found.length) return complain(words.noPictures);
  return found.length === 1 ? open(found[0], found[0].name) : batch.add(found);
}

// All files of a drop, those in its folders, too.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const files = [];
  const walk = async (entry) => {
    if (files.length > 4 * batch.MOST) return;
    if (entry.isFile) files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    if (!entry.isDirectory) return;
    const reader = entry.createReader(); // it tells of a hundred at a time
    for (
      let some;
      (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length;
    ) {
      for (const inner of some) await walk(inner);
    }
  };
  for (const entry of entries) await walk(entry);
  return files
    .filter(isPicture)
    .sort((one, two) => one.name.localeCompare(two.name, undefined, { numeric: true }));
}

function listen() {
  const veil = find("drop"),
    files = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const over = (now) => {
    depth = now;
    veil.hidden = depth <= 0;
  };
  addEventListener("dragenter", (event) => files(event) && over(depth + 1));
  addEventListener("dragleave", (event) => files(event) && over(depth - 1));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", async (event) => {
    if (!files(event)) return;
    event.preventDefault();
    over(0);
    const all = await dropped(event.dataTransfer);
    given(all);
  });
  addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea")) return;
    const file = [...(event.clipboardData?.files ?? [])].find(isPicture);
    if (file) open(file, words.pasted);
    else if (state.mode === "start") toast(words.nothingPasted);
  });
}

async function paste() {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((name) => name.startsWith("image/"));
      if (type) return open(await item.getType(type), words.pasted);
    }
  } catch {} // it was not allowed
  toast(words.nothingPasted);
}

// A button that opens a chooser of files.
export function chooser(name, take, { shown, kind = "", ...attributes }) {
  const input = make("input", {
    type: "file",
    hidden: true,
    ...attributes,
    onchange: () => {
      const files = [...input.files];
      input.value = ""; // so that the same can be chosen again
      if (files.length) take(files);
    },
  });
  const press = button(name, () => input.click(), { icon: shown, kind });
  return [press, input];
}

function card(source, title, press, quiet = false) {
  const image = make("img", { src: source, alt: "", loading: "lazy", decoding: "async" });
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", class: "card", onclick: press, title },
      image,
      make("span", { class: quiet ? "hint" : null, text: title }),
    ),
  );
}

function showAside() {
  const entries = [...recent];
  if (state.picture && !entries.some((entry) => entry.picture.id === state.picture.id))
    entries.unshift(state);
  aside.hidden = !entries.length;
  aside.lastElementChild.replaceChildren(
    ...entries.map(({ picture, current, ...entry }) => {
      const source = current ? api.thumbnail(current) : api.preview(picture.id);
      const back = () =>
        picture === state.picture
          ? set({ mode: current ? "paint" : "guide" })
          : resume({ picture, current, ...entry });
      return card(source, picture.name, back);
    }),
  );
}

async function showExamples(shelf) {
  const examples = await api.examples().catch(() => []);
  shelf.hidden = !examples.length;
  shelf.lastElementChild.append(
    ...examples.map((each) => card(each.thumbnail, each.title, () => openExample(each))),
  );
}

const shelf = (title) =>
  make("section", { class: "shelf", hidden: true }, make("h2", { text: title }), make("ul"));

export function mount() {
  const all = { accept: "image/*,.heic,.heif,.avif,.jxl,.tif,.tiff", multiple: true };
  const sample = make("canvas", { width: SAMPLE, "aria-hidden": "true" });
  arriving = make("div", { class: "arriving", hidden: true });
  aside = shelf(words.recent);
  const examples = shelf(words.examples),
    touch = matchMedia("(any-pointer: coarse)").matches;
  front = make(
    "div",
    { class: "front" },
    make(
      "div",
      { class: "hero" },
      make(
        "div",
        { class: "words" },
        make("h2", { id: "start-title", text: words.title }),
        make("p", { class: "lead", text: words.lead }),
        make(
          "div",
          { class: "ways" },
          ...chooser(words.choose, given, { shown: "image", kind: "primary", ...all }),
          ...(touch
            ? chooser(words.take, given, { shown: "camera", accept: "image/*", capture: "environment" })
            : []),
          navigator.clipboard?.read && button(words.paste, paste, { icon: "paste" }),
          ...chooser(words.project, ([file]) => openProject(file, file.name), {
            shown: "folder",
            accept: ".painting,.zip",
          }),
          button(words.several, batch.show, { icon: "stack" }),
        ),
      ),
      make(
        "div",
        { class: "easel" },
        sample,
        make("p", { class: "place" }, icon("image"), words.place),
        arriving,
      ),
    ),
    aside,
    examples,
  );
  find("start").append(front);
  listen();
  paintSample(sample);
  on(["paintings", "mode"], () => state.mode === "start" && showAside());
  showExamples(examples);
}
