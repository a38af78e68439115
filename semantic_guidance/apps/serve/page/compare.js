// The photograph over the left part of the painting, by a handle.
import * as api from "/page/api.js";
import { button, find, make } from "/page/dom.js";
import { over } from "/page/stage.js";
import { on, state } from "/page/store.js";
import { text } from "/page/text.js";

const STEPS = {
  ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100,
};
let box, image, split, toggle;
let shown = false, at = 50;

function move(share) {
  at = Math.min(100, Math.max(0, share));
  image.style.clipPath = `inset(0 ${100 - at}% 0 0)`;
  split.style.left = `${at}%`;
  split.setAttribute("aria-valuenow", Math.round(at));
}

function follow(event) {
  const { left, width } = box.getBoundingClientRect();
  move((100 * (event.clientX - left)) / width);
}

function build() {
  image = make("img", { alt: "", draggable: "false" });
  split = make(
    "div",
    {
      class: "split", role: "slider", tabindex: 0, "data-own-pointer": true,
      "aria-label": text.keep.split, "aria-valuemin": 0, "aria-valuemax": 100,
    },
    make("span"),
  );
  split.addEventListener("pointerdown", (event) => {
    split.setPointerCapture(event.pointerId);
    follow(event);
  });
  split.addEventListener("pointermove", (event) => split.hasPointerCapture(event.pointerId) && follow(event));
  split.addEventListener("keydown", (event) => {
    if (!(event.key in STEPS) || event.ctrlKey || event.metaKey || event.altKey) return;
    move(at + STEPS[event.key]);
    event.preventDefault();
    event.stopPropagation();
  });
  const tag = (name) => make("p", { class: `tag ${name}`, "aria-hidden": "true", text: text.keep[name] });
  box = over(make("div", { id: "compare" }, image, tag("photograph"), tag("painting"), split), 20);
  toggle = button(text.keep.compare, () => show(!shown), { icon: "compare", bare: true, id: "compare-toggle" });
  toggle.dataset.ownPointer = "";
  toggle.setAttribute("aria-keyshortcuts", "V");
  over(toggle, 45);
}

const possible = () => state.mode !== "start" && state.mode !== "guide" && state.current !== null;

function show(wanted) {
  shown = wanted;
  tell();
}

function tell() {
  const seen = possible();
  toggle.hidden = !seen;
  toggle.setAttribute("aria-pressed", shown);
  box.hidden = !(seen && shown);
  if (box.hidden || image.dataset.of === state.picture.id) return;
  image.dataset.of = state.picture.id;
  image.src = api.preview(state.picture.id);
}

export function mount() {
  build();
  move(50);
  tell();
  on(["mode", "current", "picture"], tell);
  on("picture", () => show(false));
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "v" || event.ctrlKey || event.metaKey || event.altKey || !possible()) return;
    if (event.target.closest("input:not([type=range], [type=checkbox], [type=radio]), textarea, select")) return;
    show(!shown);
    if (shown) split.focus();
    else if (document.activeElement === document.body) find("compare-toggle").focus();
    event.preventDefault();
  });
}
