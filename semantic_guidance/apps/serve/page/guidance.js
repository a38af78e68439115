// What is known of the picture, for the other modules; how it is found, shown and corrected (guide.js and what it
// needs) comes with the first picture.
import { on, state } from "/page/store.js";

let opened = null;

// The rest, which may be fetched before it is needed.
export const ready = () =>
  (opened ??= import("/page/guide.js").catch((error) => {
    opened = null;
    throw error;
  }));

export const fromDocument = async (document) => (await ready()).fromDocument(document);
export const toDocument = async (guidance) => (await ready()).toDocument(guidance);
export const forOrder = async () => (await ready()).forOrder();

export function mount() {
  let mounted = false;
  on("picture", async () => {
    if (!state.picture || mounted) return;
    mounted = true;
    (await ready()).mount();
  });
}
