// Several pictures: each is sent, painted as the settings are, and kept; three at a time.
import * as api from "/page/api.js";
import { MOST } from "/page/batch.js";
import * as controls from "/page/controls.js";
import { button, find, icon, make, say, toast } from "/page/dom.js";
import { chooser, resume, showFront } from "/page/pictures.js";
import { on, set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const words = text.start.batch;
const AT_A_TIME = 3,
  AGAIN = 4000;
// Parts of the bar.
const STAGES = { guidance: [0.02, 0.08], plan: [0.08, 0.3], polish: [0.3, 0.96], export: [0.96, 1] };
const BUSY = ["sending", "queued", "running"],
  OVER = ["done", "stopped"];

let items = [],
  view,
  grid,
  empty,
  told,
  chip,
  tools,
  held = false;

const count = (states) => items.filter((item) => states.includes(item.state)).length;

function tellAll() {
  const done = count(OVER),
    failures = count(["failed"]),
    busy = count(BUSY),
    waiting = count(["waiting"]);
  const sentence = items.length ? filled(words.told, { done, count: items.length }) : "";
  empty.hidden = items.length > 0;
  told.textContent = failures ? `${sentence}. ${filled(words.failed, { count: failures })}.` : sentence;
  tools.download.disabled = !done;
  tools.stop.hidden = !busy && (held || !waiting);
  tools.go.hidden = busy > 0 || !(count(["cancelled"]) || (held && waiting));
  tools.clear.hidden = !items.length || busy > 0;
  chip.hidden = !items.length || (!view.hidden && state.mode === "start");
  chip.querySelector("span").textContent = `${done} / ${items.length}`;
  chip.setAttribute("aria-label", `${words.title}: ${sentence}`);
}

function tell(item) {
  const { tile, state: now, share = 0, record } = item,
    percent = Math.round(share * 100);
  const place = now === "queued" && record?.position ? ` ${record.position}` : "";
  tile.state.textContent =
    item.message ||
    words.states[now] +
      place +
      ((now === "running" || now === "sending") && share > 0 && share < 1 ? ` ${percent} %` : "");
  tile.element.dataset.state = now;
  tile.bar.hidden = !BUSY.includes(now);
  if (now === "queued" || (now === "sending" && share === 1)) tile.bar.removeAttribute("value");
  else tile.bar.value = share;
  tile.retry.hidden = now !== "failed" && now !== "cancelled";
  tile.open.disabled = !item.picture || BUSY.includes(now);
  if (OVER.includes(now)) tile.image.src = api.thumbnail(record.id);
  tellAll();
}

function build(item) {
  const { name } = item,
    open = () =>
      resume({
        picture: item.picture,
        guided: true,
        guidance: null,
        paintings: item.record && OVER.includes(item.state) ? [item.record] : [],
        current: OVER.includes(item.state) ? item.record.id : null,
      });
  const image = make("img", {
    src: item.url,
    alt: "",
    loading: "lazy",
    decoding: "async",
    onerror: () => image.classList.add("none"),
    onload: () => image.classList.remove("none"),
  });
  const tile = {
    image,
    state: make("span", { class: "hint" }),
    bar: make("progress", { max: 1, "aria-label": name }),
    open: make(
      "button",
      { type: "button", class: "card", onclick: open, "aria-label": `${words.open}: ${name}` },
      image,
      icon("image"),
    ),
    retry: button(`${words.retry}: ${name}`, () => renew(item), { icon: "again", bare: true }),
  };
  const remove = button(`${words.remove}: ${name}`, () => drop(item), { icon: "close", bare: true });
  tile.element = make(
    "li",
    { class: "item" },
    tile.open,
    tile.bar,
    make(
      "div",
      { class: "label" },
      make("span", { class: "name", text: name, title: name }),
      tile.state,
      make("div", { class: "deeds" }, remove, tile.retry),
    ),
  );
  return tile;
}

function renew(item) {
  Object.assign(item, { state: "waiting", message: "", share: 0, record: null });
  tell(item);
  next();
}

function drop(item) {
  item.end?.();
  items = items.filter((other) => other !== item);
  URL.revokeObjectURL(item.url);
  item.tile.element.remove();
  tellAll();
  next();
}

export function add(files) {
  const room = MOST - items.length,
    some = [...files].slice(0, room);
  if (files.length > room) toast(filled(words.more, { most: MOST }));
  for (const file of some) {
    const item = { file, name: file.name, url: URL.createObjectURL(file), state: "waiting" };
    item.tile = build(item);
    items.push(item);
    grid.append(item.tile.element);
    tell(item);
  }
  held = false;
  show();
  next();
}

function next() {
  if (held) return;
  while (count(BUSY) < AT_A_TIME) {
    const item = items.find((each) => each.state === "waiting");
    if (!item) break;
    item.state = "sending";
    run(item);
  }
  tellAll();
}

async function run(item) {
  const cancel = new AbortController();
  item.end = () => cancel.abort();
  const update = (values) => {
    Object.assign(item, values);
    if (items.includes(item)) tell(item);
  };
  try {
    update({});
    item.picture ??= await api.addPicture(item.file, item.name, (share) => update({ share }), cancel.signal);
    if (cancel.signal.aborted) throw null;
    const record = await api.paint({ picture: item.picture.id, job: await controls.job(), guidance: null });
    await followed(item, record, update, cancel.signal);
  } catch (error) {
    if (error?.status === 429 || error?.status === 503) {
      // Others are before us: it is tried again.
      update({ state: "waiting", message: error.message });
      return setTimeout(next, AGAIN);
    }
    if (error?.status === 404) item.picture = null; // it was kept too long
    if (error) update({ state: "failed", message: error.message || text.common.failed });
    else update({ state: "cancelled", message: "" });
  }
  next();
  if (items.length && !count(["waiting", ...BUSY])) say(words.finished);
}

// Waits for a painting's end. Who goes is not followed any more, and the server stops it.
function followed(item, record, update, signal) {
  let share = 0;
  const known = (now) => {
    const [from, to] = STAGES[now.stage] ?? [0, 0];
    share = Math.max(share, from + (to - from) * (now.share ?? 0));
    update({ record: now, state: now.state, share, message: now.state === "failed" ? now.message : "" });
  };
  known(record);
  return new Promise((resolve, reject) => {
    const end = api.follow(record.id, {
      state: known,
      end: (now) => {
        known(now);
        resolve();
      },
      lost: (closed) =>
        closed &&
        api.painting(record.id).then((now) => {
          known(now);
          resolve();
        }, reject),
    });
    signal.addEventListener("abort", () => {
      end();
      api.stop(record.id).catch(() => {});
      reject(null);
    });
  });
}

function stopAll() {
  held = true;
  for (const item of items.filter((each) => BUSY.includes(each.state))) item.end?.();
  tellAll();
}

function goOn() {
  held = false;
  for (const item of items.filter((each) => each.state === "cancelled"))
    Object.assign(item, { state: "waiting", share: 0 });
  items.forEach(tell);
  next();
}

function clear() {
  for (const item of [...items]) drop(item);
}

async function download() {
  const { download: press } = tools,
    ids = items.filter((item) => OVER.includes(item.state)).map((item) => item.record.id);
  press.disabled = true;
  say(words.packing);
  try {
    const link = make("a", {
      href: URL.createObjectURL(await api.zip(ids, ["png"])),
      download: "paintings.zip",
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  } catch (error) {
    toast(error.message || text.common.failed, { problem: true });
  }
  press.disabled = false;
}

export function show() {
  set({ mode: "start" });
  find("start").querySelector(".front").hidden = true;
  view.hidden = false;
  find("start").scrollTop = 0;
  tellAll();
}

export function hide() {
  view.hidden = true;
  tellAll();
}

export function mount() {
  const pictures = { accept: "image/*,.heic,.heif,.avif,.tif,.tiff", multiple: true },
    isPicture = (file) => /^image\/|^$/.test(file.type);
  grid = make("ul", { class: "items" });
  empty = make("p", { class: "no-items" }, icon("stack"), words.none);
  told = make("p", { class: "telling", role: "status" });
  tools = {
    download: button(words.download, download, { icon: "download", kind: "primary" }),
    stop: button(words.stop, stopAll, { icon: "stop" }),
    go: button(words.go, goOn, { icon: "play" }),
    clear: button(words.clear, clear, { icon: "trash" }),
  };
  view = make(
    "div",
    { class: "several", hidden: true },
    make(
      "div",
      { class: "several-head" },
      make(
        "div",
        {},
        make("h2", { text: words.title }),
        told,
        make("p", { class: "hint", text: filled(words.hint, { most: MOST }) }),
      ),
      make(
        "div",
        { class: "row" },
        button(words.front, showFront, { icon: "undo" }),
        ...chooser(words.add, add, { shown: "plus", ...pictures }),
        ...chooser(words.folder, (files) => add(files.filter(isPicture)), {
          shown: "folder",
          webkitdirectory: true,
        }),
        tools.stop,
        tools.go,
        tools.clear,
        tools.download,
      ),
    ),
    empty,
    grid,
  );
  find("start").append(view);
  chip = button("0", show, { icon: "stack", kind: "chip", id: "several" });
  find("actions").prepend(chip);
  on("mode", tellAll);
  tellAll();
}
