// "More strokes here": its button and its key; the tool itself comes when it is asked for.
import { more } from "/page/controls.js";
import { button } from "/page/dom.js";
import * as live from "/page/live.js";
import { on, state } from "/page/store.js";
import { text } from "/page/text.js";

const tool = () => import("/page/region-tool.js");
const able = () => state.current !== null && live.running().length === 0;

async function toggle() {
  if (able()) (await tool()).toggle();
}

export function mount() {
  const open = button(text.paint.regionButton, toggle, {
    icon: "region",
    id: "region-open",
    "aria-keyshortcuts": "R",
  });
  more.prepend(open);
  const tell = () => (open.disabled = !able());
  on("current", () => {
    tell();
    if (state.current !== null) tool().catch(() => {}); // so that it is there at once
  });
  live.onWorks(tell);
  tell();
  document.addEventListener("keydown", (event) => {
    if (
      event.key.toLowerCase() !== "r" ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      state.mode !== "paint"
    )
      return;
    if (!event.target.closest("input:not([type=range], [type=radio], [type=checkbox]), textarea, select"))
      toggle();
  });
}
