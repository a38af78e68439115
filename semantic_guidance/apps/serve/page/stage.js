// Where the picture is shown: it fits itself into the room that there is, and turns pointers into its pixels.
import { find, make } from "/page/dom.js";
import { on, state } from "/page/store.js";

const stage = find("stage"), area = find("stage-area");
const layers = new Map();
let tool = null, shape = [4, 3];

// The room is measured, not guessed: whatever stands round the stage.
function fit() {
  const [width, height] = shape, style = getComputedStyle(area);
  const across = area.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const down = area.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  const scale = Math.max(0.01, Math.min(across / width, down / height));
  stage.style.width = `${Math.floor(width * scale)}px`;
  stage.style.height = `${Math.floor(height * scale)}px`;
  for (const { resized } of layers.values()) resized?.(stage.clientWidth, stage.clientHeight);
}

// A canvas over the whole picture, above those of lower order; `resized(width, height)` in CSS pixels.
export function layer(name, order, resized = null) {
  const canvas = make("canvas", { id: `layer-${name}`, class: "layer", "aria-hidden": "true" });
  canvas.style.zIndex = order;
  stage.append(canvas);
  layers.set(name, { canvas, resized });
  resized?.(stage.clientWidth, stage.clientHeight);
  return canvas;
}

// Any other element over the picture, such as a slider.
export function over(element, order) {
  element.style.zIndex = order;
  stage.append(element);
  return element;
}

// Who gets the pointer: an object with `down`, `move`, `up`, `cancel`, `hover`, each called with a place
// {x, y (pixels of the picture), px, py (CSS pixels of the stage), event}; null for nobody. `cursor` is CSS.
export function take(wanted) {
  tool?.left?.();
  tool = wanted;
  stage.style.cursor = tool?.cursor ?? "";
  stage.classList.toggle("tooled", tool !== null);
}

export const size = () => ({ width: stage.clientWidth, height: stage.clientHeight });

// The place under a pointer.
export function placeOf(event) {
  const { left, top, width, height } = stage.getBoundingClientRect();
  const px = event.clientX - left, py = event.clientY - top, [across, down] = shape;
  return { x: (px * across) / width, y: (py * down) / height, px, py, event };
}

function pointers() {
  let held = null;
  const mine = (event) => tool !== null && !event.target.closest("[data-own-pointer]");
  stage.addEventListener("pointerdown", (event) => {
    if (!mine(event) || event.button > 0 || held !== null) return;
    held = event.pointerId;
    stage.setPointerCapture(held);
    tool.down?.(placeOf(event));
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (held === event.pointerId) {
      for (const each of event.getCoalescedEvents?.() ?? [event]) tool?.move?.(placeOf(each));
    } else if (held === null && mine(event)) tool.hover?.(placeOf(event));
  });
  const end = (name) => (event) => {
    if (held !== event.pointerId) return;
    held = null;
    tool?.[name]?.(placeOf(event));
  };
  stage.addEventListener("pointerup", end("up"));
  stage.addEventListener("pointercancel", end("cancel"));
  stage.addEventListener("pointerleave", () => held === null && tool?.hover?.(null));
}

export function mount() {
  pointers();
  new ResizeObserver(fit).observe(area);
  on("picture", ({ picture }) => {
    const photo = find("photo");
    if (!picture) {
      photo.removeAttribute("src");
      return;
    }
    shape = [picture.width, picture.height];
    photo.src = picture.preview;
    photo.alt = picture.name;
    fit();
  });
  on("mode", () => requestAnimationFrame(fit));
  if (state.picture) fit();
}
