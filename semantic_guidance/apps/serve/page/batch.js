// Several pictures; what shows and paints them (queue.js) comes when it is asked for.
export const MOST = 200;
let opened = null,
  rest = null;

function ready() {
  opened ??= import("/page/queue.js").then((module) => {
    rest = module;
    module.mount();
    return module;
  });
  return opened;
}

export const add = async (files) => (await ready()).add(files);
export const show = async () => (await ready()).show();
export const hide = () => rest?.hide();
export function mount() {}
