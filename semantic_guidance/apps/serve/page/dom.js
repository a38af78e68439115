// Small helpers that build the page.
const SVG = "http://www.w3.org/2000/svg";

// Icons on 24 x 24, drawn by lines.
const ICONS = {
  undo: "M9 7 4 12l5 5M4.5 12H15a5 5 0 0 1 0 10h-3",
  redo: "m15 7 5 5-5 5M19.5 12H9a5 5 0 0 0 0 10h3",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  click: "M12 3v4M12 17v4M3 12h4M17 12h4M12 12h.01",
  brush: "M18.5 3.5a2.1 2.1 0 0 1 3 3L11 17l-4-4zM7 13c-3 0-4 2-4 4 0 1.5-.5 2.5-1 3 4 .5 8 0 9-3",
  eraser: "M4 15 14 5l6 6-9 9H7zM9 10l6 6M11 20h9",
  box: "M4 4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 8v8M8 4h8M20 8v8M8 20h8",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z",
  eyeOff: "M3 3l18 18M10 5.3A10 10 0 0 1 12 5c6 0 10 7 10 7a17 17 0 0 1-3 3.6M6.5 7A17 17 0 0 0 2 12s4 7 10 7a10 10 0 0 0 4-.9",
  play: "M7 4.5v15l13-7.5z",
  pause: "M7 5v14M17 5v14",
  stop: "M6 6h12v12H6z",
  compare: "M12 3v18M7 8l-4 4 4 4M17 8l4 4-4 4",
  download: "M12 3v12M7 11l5 5 5-5M4 20h16",
  link: "M10 14a4 4 0 0 0 6 0l4-4a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-4 4a4 4 0 0 0 6 6l1-1",
  dice: "M4 4h16v16H4zM8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01",
  region: "M5 4c4-2 10-1 13 2s3 9-1 12-9 2-12-1S1 6 5 4zM12 8v7M8.5 11.5h7",
  close: "M6 6l12 12M18 6 6 18",
  image: "M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 6M15.5 9h.01",
  camera: "M4 7h4l2-3h4l2 3h4v13H4zM12 10a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z",
  folder: "M3 6h6l2 2h10v11H3z",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  sliders: "M4 7h10M18 7h2M14 5v4M4 12h2M10 12h10M8 10v4M4 17h9M17 17h3M15 15v4",
  heat: "M12 3c1 4 5 5 5 10a5 5 0 0 1-10 0c0-2 1-3 2-4 0 2 1 3 2 3 1-3 0-6 1-9z",
  share: "M12 15V3M8 6.5 12 3l4 3.5M7 10H5v11h14V10h-2",
  paste: "M8 5H5v16h14V5h-3M8 3h8v4H8zM12 11v6M9.5 14.5 12 17l2.5-2.5",
  stack: "M8 4h12v10H8zM4 8v12h13",
  not: "M12 3a9 9 0 1 0 .01 0M5.7 5.7l12.6 12.6",
  frame: "M4 7V4h3M10.5 4h3M17 4h3v3M20 10.5v3M20 17v3h-3M13.5 20h-3M7 20H4v-3M4 13.5v-3",
  again: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3L20 9M20 4v5h-5",
};

export const find = (id) => document.getElementById(id);

// An element: `make("button", {class: "chip", "aria-label": "x", onclick: f, text: "y"}, ...children)`.
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

// A button with an icon, words beside it or as its name alone.
export function button(words, press, { icon: shown = null, kind = "", bare = false, ...attributes } = {}) {
  const names = bare ? { "aria-label": words, title: words } : {};
  return make(
    "button",
    { type: "button", class: `button ${kind}${bare ? " bare" : ""}`.trim(), onclick: press, ...names, ...attributes },
    shown && icon(shown),
    bare ? null : make("span", { text: words }),
  );
}

let numbers = 0;

// A slider with its name and its value; `shown(value)` are the words for the value.
export function slider(words, { min, max, step = 1, value, shown = String, hint = null, input, done = () => {} }) {
  const id = `slider-${++numbers}`, told = make("output", { for: id, text: shown(value) });
  const range = make("input", { id, type: "range", min, max, step, value });
  const tell = () => {
    told.textContent = shown(Number(range.value));
    range.setAttribute("aria-valuetext", told.textContent);
  };
  range.addEventListener("input", () => {
    tell();
    input(Number(range.value));
  });
  range.addEventListener("change", () => done(Number(range.value)));
  tell();
  const field = make(
    "div",
    { class: "field" },
    make("div", { class: "field-head" }, make("label", { for: id, text: words }), told),
    range,
    hint && make("p", { class: "hint", text: hint }),
  );
  field.set = (given) => {
    range.value = given;
    tell();
  };
  field.range = range;
  return field;
}

// A part of a panel; a closed one opens by its summary.
export function section(words, { open = null } = {}, ...children) {
  if (open === null) return make("section", { class: "part" }, make("h2", { text: words }), ...children);
  return make("details", { class: "part", open }, make("summary", {}, make("h2", { text: words })), ...children);
}

// Says something politely, to those who do not see it, too.
export function say(words) {
  find("status").textContent = words;
}

// Shows a message for a while; problems stay until they are closed.
export function toast(words, { problem = false, closing = "Close" } = {}) {
  const box = make("div", { class: `toast${problem ? " problem" : ""}` }, make("p", { text: words }));
  const gone = () => box.remove();
  box.append(button(closing, gone, { icon: "close", bare: true }));
  find("toasts").append(box);
  if (!problem) setTimeout(gone, 5000);
  return gone;
}
