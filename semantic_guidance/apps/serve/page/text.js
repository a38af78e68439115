// All that the page says, in English; nothing is said that does not stand here.
export const text = {
  common: {
    name: "Studio",
    skip: "Skip to the controls",
    undo: "Undo",
    redo: "Redo",
    newPicture: "New picture",
    close: "Close",
    cancel: "Cancel",
    offline: "The studio does not answer. It is tried again.",
    online: "The studio answers again.",
    failed: "That did not work.",
    tabs: { guide: "Guide", paint: "Paint", keep: "Keep" },
    tools: "Tools",
    stage: "Picture",
  },
  start: {
    title: "Turn a photograph into a painting",
    drop: "Drop it here",
  },
  guide: {},
  paint: {},
  keep: {},
};

// The text at a path such as "start.title".
export function textAt(path) {
  return path.split(".").reduce((part, name) => part[name], text);
}

// A text with its places such as {count} filled.
export function filled(words, values) {
  return words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
