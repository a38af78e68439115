// What the page asks of the server.
export class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// An opaque word by which the queue is fair to visitors; it lives as long as the tab.
const visitor = (() => {
  const known = sessionStorage.getItem("visitor");
  if (known) return known;
  const fresh = Array.from(crypto.getRandomValues(new Uint8Array(12)), (n) => n.toString(16).padStart(2, "0")).join("");
  sessionStorage.setItem("visitor", fresh);
  return fresh;
})();

async function asked(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "omit", cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refusal(answer.status, typeof told.detail === "string" ? told.detail : "");
}

const json = async (path, options) => (await asked(path, options)).json();

const posted = (path, body, options = {}, headers = {}) =>
  json(path, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body), ...options });

export const options = () => json("/api/options");
export const examples = () => json("/api/examples");
export const picture = (id) => json(`/api/pictures/${id}`);
export const look = (id, question, signal) => posted(`/api/pictures/${id}/look`, question, { signal });
export const paint = (order) => posted("/api/paintings", { attended: true, ...order }, {}, { "X-Visitor": visitor });
export const painting = (id) => json(`/api/paintings/${id}`);
export const stop = (id) => posted(`/api/paintings/${id}/stop`, {});
export const remove = (id) => asked(`/api/paintings/${id}`, { method: "DELETE" });
export const view = (id) => json(`/api/paintings/${id}/view`);
export const example = (name) => json(`/api/pictures?example=${encodeURIComponent(name)}`, { method: "POST" });

export const preview = (id) => `/api/pictures/${id}/preview`;
export const thumbnail = (id) => `/api/paintings/${id}/thumbnail`;
export const project = (id) => `/api/paintings/${id}/project`;

// The address of a painting's file; `options` as `render` has them.
export function file(id, format, options = {}) {
  const query = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== null && value !== ""));
  return `/api/paintings/${id}/files/${format}${query.size ? `?${query}` : ""}`;
}

// Uploads a file or a blob; `progress(share)` while it goes up. Rejects with a Refusal, or null if aborted.
function uploaded(path, blob, name, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-Name", encodeURIComponent(name));
    request.upload.onprogress = (event) => event.lengthComputable && progress?.(event.loaded / event.total);
    request.onload = () =>
      request.status < 300 ? resolve(request.response) : reject(new Refusal(request.status, request.response?.detail ?? ""));
    request.onerror = () => reject(new Refusal(0, ""));
    request.onabort = () => reject(null);
    signal?.addEventListener("abort", () => request.abort());
    request.send(blob);
  });
}

export const addPicture = (blob, name, progress, signal) => uploaded("/api/pictures", blob, name, progress, signal);
export const openProject = (blob, name, progress) => uploaded("/api/projects", blob, name, progress);

// A zip of several paintings, as a blob.
export const zip = async (paintings, formats) => {
  const body = JSON.stringify({ paintings, formats });
  return (await asked("/api/zip", { method: "POST", headers: { "Content-Type": "application/json" }, body })).blob();
};

// Follows a painting: `handlers.state`, `canvas`, `strokes`, `end` get the data of events, `lost` a lost
// connection, which the browser takes up again. Returns a function that ends it.
export function follow(id, handlers) {
  const source = new EventSource(`/api/paintings/${id}/events`);
  for (const name of ["state", "canvas", "strokes", "end"]) {
    source.addEventListener(name, (event) => {
      if (name === "end") source.close();
      handlers[name]?.(JSON.parse(event.data));
    });
  }
  source.onerror = () => handlers.lost?.(source.readyState === EventSource.CLOSED);
  return () => source.close();
}
