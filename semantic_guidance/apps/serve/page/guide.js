// What is known of the picture: asked of the server, kept as a value that is never changed in place.
//
// A value: width, height (of the picture), w, h (of its masks, at most `SIDE`), source, instances, focus and
// elsewhere (bytes like a mask, or null), whole (whether the focus is that of these instances), rough (while
// more is being found). An instance:
// id (on this page alone), kind, confidence, salience, mask, box and area (in pixels of the mask), wanted
// (share of the strokes, or null) and share (as it would be of itself, or null).
import * as api from "/page/api.js";
import { say, toast } from "/page/dom.js";
import * as marks from "/page/marks.js";
import { boxOf, decoded, encoded, overlap } from "/page/masks.js";
import * as shares from "/page/shares.js";
import { change, on, set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";
import * as tools from "/page/tools.js";

const words = text.guide,
  FORMAT = "semantic-guidance/guidance";
const SIDE = 640,
  MOST = 64,
  DOUBT = 0.5,
  SOON = 350;
let ids = 0,
  first = null,
  last = Promise.resolve(),
  refreshing = null,
  soon = 0;

export const doubtful = ({ confidence, salience }) => confidence <= DOUBT || salience <= 0;
export const made = (mask, w, values = {}) => {
  const { box, area } = boxOf(mask, w) || { box: [0, 0, 0, 0], area: 0 };
  return {
    id: ++ids,
    kind: "object",
    confidence: 1,
    salience: 1,
    wanted: null,
    share: null,
    ...values,
    mask,
    box,
    area,
  };
};

// The name of an instance, by which of its kind it is.
export function nameOf({ id, kind }, { instances } = state.guidance) {
  return filled(words.names[kind], {
    n: instances.filter((each) => each.kind === kind).findIndex((each) => each.id === id) + 1,
  });
}

// The instance at a place of the picture, the smallest of them.
export function at(x, y, kinds = ["object"]) {
  const { w, h, width, height, instances } = state.guidance ?? { instances: [] };
  const k = Math.min(h - 1, Math.floor((y * h) / height)) * w + Math.min(w - 1, Math.floor((x * w) / width));
  const there = instances.filter((each) => kinds.includes(each.kind) && each.mask[k] > 127);
  return there.sort((one, other) => one.area - other.area)[0] ?? null;
}

// A document of the server as a value; what is as in `before` keeps its id, and its mask if that is the same.
export async function fromDocument(document, before = null) {
  const { width, height, source } = document,
    scale = Math.min(1, SIDE / Math.max(width, height));
  const w = before?.w ?? Math.max(1, Math.round(width * scale)),
    h = before?.h ?? Math.max(1, Math.round(height * scale));
  const plane = (url) => (url ? decoded(url, w, h) : null);
  const masks = await Promise.all(document.instances.map((each) => plane(each.mask)));
  const [focus, elsewhere] = await Promise.all([plane(document.focus), plane(document.focus_elsewhere)]);
  const left = new Set(before?.instances);
  const instances = document.instances
    .map(({ kind, confidence = 1, salience = 1, share = null, wanted_share }, n) => {
      const values = { kind: kind ?? "object", confidence, salience, share, wanted: wanted_share ?? null };
      const found = made(masks[n], w, values);
      let known = null,
        best = DOUBT;
      for (const each of left) {
        // Masks of very different sizes have little in common.
        const may =
          each.kind === found.kind &&
          Math.min(each.area, found.area) > best * Math.max(each.area, found.area);
        const alike = may ? overlap(each.mask, found.mask).union : 0;
        if (alike > best) [known, best] = [each, alike];
      }
      left.delete(known);
      return known
        ? {
            ...found,
            id: known.id,
            wanted: found.wanted ?? known.wanted,
            mask: best > 0.999 ? known.mask : found.mask,
          }
        : found;
    })
    .filter((each) => each.area);
  return { width, height, w, h, source, instances, focus, elsewhere, whole: focus !== null };
}

// As documents have them: objects, then faces.
const inOrder = (instances) =>
  [...instances].sort((one, other) => (one.kind === "face") - (other.kind === "face"));

// A value as a document for the server, and for files.
export async function toDocument({ width, height, w, h, source, instances, focus, elsewhere }) {
  const sx = width / w,
    sy = height / h,
    plane = (mask) => mask && encoded(mask, w, h);
  const kept = inOrder(instances).slice(0, MOST);
  const document = {
    format: FORMAT,
    version: 1,
    width,
    height,
    instances: await Promise.all(
      kept.map(async ({ kind, confidence, salience, mask, box, wanted }, n) => ({
        number: n + 1,
        kind,
        confidence,
        salience,
        box: [box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy],
        ...(wanted === null ? {} : { wanted_share: wanted }),
        mask: await plane(mask),
      })),
    ),
  };
  if (source) document.source = source;
  if (focus) document.focus = await plane(focus);
  if (elsewhere) document.focus_elsewhere = await plane(elsewhere);
  return document;
}

// What a painting is to know: null if the painter is to look itself, a document without instances if nothing.
export async function forOrder() {
  const { guided, guidance, picture } = state;
  if (!guided)
    return { format: FORMAT, version: 1, width: picture.width, height: picture.height, instances: [] };
  const untouched = guidance === first && guidance?.instances.every(({ wanted }) => wanted === null);
  return !guidance || (untouched && !guidance.whole) ? null : toDocument(guidance);
}

// Changes the instances, so that it can be undone; empty ones go.
export function correct(instances, series = null) {
  const { guidance } = state,
    left = instances.filter((each) => each.area > 0);
  if (left.length > MOST) return say(words.full);
  change({ guidance: { ...guidance, instances: left, whole: false, rough: false } }, series);
}

// What only says how much something matters leaves the focus as it is.
export function weigh(instances, series = null) {
  change({ guidance: { ...state.guidance, instances, rough: false } }, series);
}

export function without(gone) {
  // The faces of what goes go with it.
  const { instances } = state.guidance,
    others = instances.filter((each) => each.kind === "object" && each !== gone);
  const goes = (face) =>
    overlap(face.mask, gone.mask).within > 0.8 &&
    !others.some((each) => overlap(face.mask, each.mask).within > 0.8);
  return instances.filter(
    (each) => each !== gone && !(gone.kind === "object" && each.kind === "face" && goes(each)),
  );
}

export function removeOne(gone) {
  const name = nameOf(gone);
  correct(without(gone));
  say(filled(words.removed, { name }));
}

export function keepOne(kept) {
  const { instances } = state.guidance;
  correct(
    instances.map((each) =>
      each === kept ? { ...each, confidence: 1, salience: each.salience || 0.5 } : each,
    ),
  );
  say(filled(words.kept, { name: nameOf(kept) }));
}

// Says what a change did, to those who do not see it.
function tellOf(before, after) {
  const ids = (value) => new Set(value?.instances.map((each) => each.id));
  const [old, now] = [ids(before), ids(after)];
  const added = after.instances.find((each) => !old.has(each.id)),
    gone = before?.instances.find((each) => !now.has(each.id));
  const altered =
    before && after.instances.find((each) => !before.instances.some((other) => other.mask === each.mask));
  if (added) say(filled(words.added, { name: nameOf(added, after) }));
  else if (gone) say(filled(words.removed, { name: nameOf(gone, before) }));
  else if (altered) say(filled(words.changed, { name: nameOf(altered, after) }));
  else say(words.same);
  return Boolean(added || gone || altered);
}

function failed(error) {
  if (error?.name !== "AbortError") toast(error.message || words.failed, { problem: true });
}

// Questions go one after the other, so that each knows what those before it found.
function queue(deed) {
  const { picture } = state,
    mine = () => state.picture?.id === picture?.id;
  return (last = last
    .then(async () => {
      if (mine()) await deed(picture, mine);
    })
    .catch((error) => mine() && failed(error)));
}

// Asks, and takes the answer by `join(answer, before)` as the new value; if something was corrected meanwhile
// it asks again.
function ask(
  question,
  join,
  refused = (error) => {
    throw error;
  },
) {
  return queue(async (picture, mine) => {
    for (let turn = 0; turn < 3; turn++) {
      const before = state.guidance,
        known =
          question.points && before
            ? { guidance: await toDocument({ ...before, focus: null, elsewhere: null }) }
            : {};
      const document = await api.look(picture.id, { whole: false, ...question, ...known }).catch(refused);
      if (!mine() || !document) return;
      const answer = await fromDocument(document, before);
      if (state.guidance !== before) continue;
      const after = join(answer, before);
      if (after.instances.length > MOST) return say(words.full);
      if (tellOf(before, after) || !before) change({ guidance: { ...after, whole: false, rough: false }, guided: true });
      return;
    }
  });
}

const keepFocus = (answer, before) => ({
  ...answer,
  focus: before?.focus ?? null,
  elsewhere: before?.elsewhere ?? null,
});

// Quick answers tell of no faces: those that are known stay with their objects, unless they are clicked away.
export function click(x, y, positive) {
  return ask({ points: [[x, y, positive]] }, (answer, before) => {
    const objects = answer.instances.filter((each) => each.kind === "object"),
      inside = (face, some) => some.some((each) => overlap(face.mask, each.mask).within > 0.5);
    const known = before?.instances ?? [],
      gone = positive ? null : at(x, y, ["face"]);
    const stays = (each) =>
      each.kind === "face" &&
      each !== gone &&
      !answer.instances.some((other) => other.id === each.id) &&
      (inside(each, objects) ||
        !inside(
          each,
          known.filter((other) => other.kind === "object"),
        ));
    return keepFocus({ ...answer, instances: [...answer.instances, ...known.filter(stays)] }, before);
  });
}

// What is in a box joins the rest, or takes the place of `old` or of what is nearly the same.
export function look(box, old = null) {
  return ask({ boxes: [box] }, (answer, before) => {
    if (!before) return answer;
    const found = answer.instances
      .filter((each) => each.kind === "object")
      .sort((one, other) => other.area - one.area)[0];
    if (!found) {
      say(words.nothingIn);
      return before;
    }
    const same =
      before.instances.find((each) => each.id === (old?.id ?? found.id)) ??
      before.instances.find((each) => each.kind === "object" && overlap(each.mask, found.mask).union > 0.6);
    const fresh = {
      ...found,
      confidence: 1,
      salience: Math.max(found.salience, 0.5),
      id: same?.id ?? ++ids,
      wanted: same?.wanted ?? null,
    };
    const instances = same
      ? before.instances.map((each) => (each === same ? fresh : each))
      : [...before.instances, fresh];
    return { ...before, instances };
  });
}

export const search = (word) =>
  ask({ text: word }, keepFocus, (error) => {
    // What is not to be found is no failure.
    if (![400, 422].includes(error?.status)) throw error;
    toast(filled(words.notFound, { word }));
  });
export const again = () => ask({}, (answer) => answer);

// The first look at a picture: at once what one glance tells, then what is found, and then the focus.
function begin() {
  if (!state.picture || state.guidance) return;
  set({ looking: true });
  queue(async (picture, mine) => {
    try {
      if (state.guidance) return;
      const guess = await fromDocument(await api.look(picture.id, { rough: true }));
      if (!mine() || state.guidance) return;
      first = { ...guess, rough: true };
      set({ guidance: first });
      const found = await fromDocument(await api.look(picture.id, { whole: false }), guess);
      if (!mine() || state.guidance !== first) return;
      first = found;
      set({ guidance: found });
      say(shares.summary(found));
    } finally {
      if (mine()) set({ looking: false });
    }
  });
}

// The focus of what is there now; the newest request wins.
async function refresh() {
  const { picture, guidance: base } = state,
    mine = (refreshing = new AbortController());
  set({ focusing: true });
  try {
    const known =
      base === first ? {} : { guidance: await toDocument({ ...base, focus: null, elsewhere: null }) };
    const answer = await fromDocument(
      await api.look(picture.id, { whole: true, ...known }, mine.signal),
      base,
    );
    if (state.guidance !== base) return;
    const kept = (each) => base.instances.some((other) => other.mask === each.mask);
    const same = answer.instances.length === base.instances.length && answer.instances.every(kept);
    const share = (each) => answer.instances.find((other) => other.id === each.id)?.share ?? each.share;
    const instances =
      same || base !== first
        ? base.instances.map((each) => ({ ...each, share: share(each) }))
        : answer.instances;
    const value = { ...base, instances, focus: answer.focus, elsewhere: answer.elsewhere, whole: true };
    if (base === first) first = value;
    set({ guidance: value });
  } catch {
  } finally {
    // what was found is shown as it is, and the next change asks again
    if (refreshing === mine) set({ focusing: false });
  }
}

// What each really got of the newest painting's strokes is what the painter gives it by itself.
function learn({ paintings, guidance }) {
  const shares = paintings.at(-1)?.shares;
  if (!guidance || shares?.length !== guidance.instances.length) return;
  const known = inOrder(guidance.instances);
  const told = (each) => ({
    ...each,
    share: each.wanted === null ? shares[known.indexOf(each)] : each.share,
  });
  const value = { ...guidance, instances: guidance.instances.map(told) };
  if (guidance === first) first = value;
  set({ guidance: value });
}

export function mount() {
  const look = () => {
    first = null;
    refreshing?.abort();
    set({ looking: false, focusing: false, lit: null, chosen: null });
    queueMicrotask(begin); // what comes back with a picture is set with it
  };
  const complete = ({ guidance, guided }) => {
    clearTimeout(soon);
    refreshing?.abort();
    if (guidance && guided && !guidance.whole && !guidance.rough) soon = setTimeout(refresh, guidance === first ? 0 : SOON);
  };
  on("picture", look);
  on(["guidance", "guided"], complete);
  on("paintings", learn);
  set({ heat: true, tool: "click", lit: null, chosen: null, looking: false, focusing: false });
  marks.mount();
  tools.mount();
  shares.mount();
  look();
  complete(state);
}
