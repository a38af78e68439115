// A page that is loaded again is as it was: what it needs for that lives as long as its tab.
import * as api from "/page/api.js";
import { toast } from "/page/dom.js";
import { fromDocument, toDocument } from "/page/guidance.js";
import { fromLink } from "/page/link.js";
import * as live from "/page/live.js";
import { forget, on, set, state } from "/page/store.js";
import { filled, text } from "/page/text.js";

const KEY = "studio", GUIDANCE = "studio-guidance";
const LARGEST = 3_000_000; // characters of guidance that are kept
const PATIENCE = 400; // ms after a change
const KEPT = ["picture", "guided", "settings", "paintings", "current", "mode"];
const FINISHED = ["done", "stopped"];
let options = null, waiting = null, kept = null;

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

// A browser may refuse to keep so much: then less comes back.
function write(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    sessionStorage.removeItem(key);
  }
}

function remember() {
  const { picture, guided, settings, paintings, current, mode } = state;
  const ids = (records) => records.map(({ id }) => id);
  const here = { picture: picture?.id ?? null, guided, settings, current, mode };
  write(KEY, JSON.stringify({ ...here, paintings: ids(paintings), running: ids(live.running()) }));
}

async function rememberGuidance() {
  const guidance = state.guidance;
  if (guidance === kept) return;
  kept = guidance;
  const document = guidance === null ? null : JSON.stringify(await toDocument(guidance));
  if (state.guidance === guidance) write(GUIDANCE, document?.length < LARGEST ? document : null);
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(rememberGuidance, PATIENCE);
}

// What the server still has; null if it has forgotten it.
async function known(asking) {
  try {
    return await asking;
  } catch (refusal) {
    if (refusal.status === 404 || refusal.status === 410) return null;
    throw refusal;
  }
}

async function readGuidance(document) {
  try {
    return document ? await fromDocument(document) : null;
  } catch {
    return null;
  }
}

async function restore() {
  const was = read(KEY);
  if (!was) return;
  const { guided = true, settings = {} } = was;
  if (!was.picture) return set({ guided, settings });
  const [picture, guidance, ...found] = await Promise.all([
    known(api.picture(was.picture)),
    readGuidance(read(GUIDANCE)),
    ...[...(was.paintings ?? []), ...(was.running ?? [])].map((id) => known(api.painting(id))),
  ]);
  if (!picture) {
    toast(text.keep.forgotten);
    return set({ guided, settings });
  }
  if (found.some((record) => record === null)) toast(text.keep.someForgotten);
  const paintings = found.filter((record) => record && FINISHED.includes(record.state));
  const ended = paintings.find(({ id }) => (was.running ?? []).includes(id)) ?? null;
  const there = ended ?? paintings.find(({ id }) => id === was.current) ?? (was.current && paintings.at(-1));
  const current = there?.id ?? null;
  const mode = current === null && was.mode === "keep" ? "paint" : was.mode;
  kept = guidance;
  set({ picture, guided, guidance, settings, paintings, current, mode });
  for (const record of found) if (record && !FINISHED.includes(record.state)) live.attach(record);
}

// The settings of a link replace those that were; then the address is plain again.
function useLink() {
  const hash = location.hash.slice(1);
  if (!hash.includes("=")) return;
  const { settings, guided, unknown } = fromLink(hash, options);
  history.replaceState(null, "", location.pathname + location.search);
  set({ settings, guided });
  toast(unknown.length ? filled(text.keep.linkUnknown, { names: unknown.join(", ") }) : text.keep.linked);
}

// Fills the page with an opened project: its picture, guidance, settings and painting.
export async function adopt({ picture, guidance, job, painting }) {
  const usual = new Map((options?.options ?? []).map((option) => [option.name, option.default]));
  const asked = Object.entries(job ?? {}).filter(
    ([name, value]) => usual.has(name) && JSON.stringify(usual.get(name)) !== JSON.stringify(value),
  );
  const own = guidance ? await readGuidance(guidance) : null;
  set({
    picture,
    guidance: own,
    guided: !(guidance && guidance.instances?.length === 0),
    settings: Object.fromEntries(asked),
    paintings: painting ? [painting] : [],
    current: painting?.id ?? null,
    mode: painting ? "paint" : "guide",
  });
  forget();
}

export async function mount(given) {
  options = given;
  await restore();
  on(KEPT, remember);
  on("guidance", soon);
  live.onWorks(remember);
  addEventListener("pagehide", remember);
  addEventListener("hashchange", useLink);
  useLink();
}
