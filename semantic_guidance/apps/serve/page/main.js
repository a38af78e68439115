// The page: its modes, tabs and keys; everything else is a module of its own.
import * as api from "/page/api.js";
import * as batch from "/page/batch.js";
import * as compare from "/page/compare.js";
import * as controls from "/page/controls.js";
import { button, find, make, say } from "/page/dom.js";
import * as guidance from "/page/guidance.js";
import * as keep from "/page/keep.js";
import * as live from "/page/live.js";
import * as pictures from "/page/pictures.js";
import * as region from "/page/region.js";
import * as replay from "/page/replay.js";
import * as session from "/page/session.js";
import * as stage from "/page/stage.js";
import { canRedo, canUndo, on, redo, set, state, undo } from "/page/store.js";
import { text, textAt } from "/page/text.js";
import * as versions from "/page/versions.js";

const MODES = ["guide", "paint", "keep"];

function buildTop() {
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = textAt(element.dataset.text);
  document.title = find("home").textContent = text.common.name;
  find("home").addEventListener("click", pictures.startOver);
  for (const [id, words] of Object.entries({ tools: text.common.tools, actions: text.common.actions, tabs: text.common.parts })) {
    find(id).setAttribute("aria-label", words);
  }
  const back = button(text.common.undo, undo, { icon: "undo", bare: true, id: "undo" });
  const forth = button(text.common.redo, redo, { icon: "redo", bare: true, id: "redo" });
  const tell = () => {
    back.disabled = !canUndo();
    forth.disabled = !canRedo();
  };
  on("history", tell);
  tell();
  find("actions").append(back, forth, button(text.common.newPicture, pictures.startOver, { icon: "plus", id: "new", "aria-label": text.common.newPicture }));
}

// Tabs as the ARIA pattern has them: one tab stop, arrows choose.
function buildTabs() {
  for (const mode of MODES) {
    const tab = make("button", {
      type: "button", role: "tab", id: `tab-${mode}`, "aria-controls": `panel-${mode}`, text: text.common.tabs[mode],
      onclick: () => set({ mode }),
    });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const open = MODES.filter((name) => !find(`tab-${name}`).disabled);
      const next = step && open[(open.indexOf(mode) + step + open.length) % open.length];
      if (!next) return;
      set({ mode: next });
      find(`tab-${next}`).focus();
      event.preventDefault();
    });
    find("tabs").append(tab);
  }
  on(["mode", "current", "paintings"], showMode);
  showMode();
}

function showMode() {
  const { mode, picture, current } = state, begun = mode !== "start" && picture !== null;
  document.body.dataset.mode = mode;
  find("start").hidden = begun;
  find("work").hidden = find("panel").hidden = !begun;
  find("new").hidden = !begun;
  find("title").textContent = begun ? picture.name : "";
  for (const name of MODES) {
    const tab = find(`tab-${name}`), chosen = name === mode;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    find(`panel-${name}`).hidden = !chosen;
    if (name === "keep") tab.disabled = current === null;
  }
}

// Keys that work everywhere but where one writes.
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input:not([type=range], [type=checkbox], [type=radio], [type=color]), textarea, select")) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") (event.shiftKey ? redo : undo)();
  else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "y") redo();
  else return;
  event.preventDefault();
});

async function begin() {
  buildTop();
  stage.mount();
  buildTabs();
  for (const module of [pictures, batch, guidance, live, compare, replay, versions, region]) module.mount();
  try {
    const options = await api.options();
    controls.mount(options);
    keep.mount(options);
    await session.mount(options);
  } catch {
    say(text.common.offline);
    setTimeout(() => location.reload(), 2000);
    return;
  }
  document.body.dataset.ready = "";
}

begin();
