// Files from the server to the person.
import { Refusal } from "/page/api.js";
import { make } from "/page/dom.js";

const LARGE = 300_000_000; // bytes that a page does not hold: the browser fetches them itself

// The name that the server gives a file, or `usual`.
function nameOf(answer, usual) {
  const told = answer.headers.get("Content-Disposition") ?? "";
  const coded = /filename\*=UTF-8''([^;]+)/i.exec(told)?.[1], plain = /filename="([^"]+)"/.exec(told)?.[1];
  try {
    return coded ? decodeURIComponent(coded) : plain ?? usual;
  } catch {
    return usual;
  }
}

// Has the browser save what stands at an address or in a blob.
export function handOver(source, name) {
  const address = typeof source === "string" ? source : URL.createObjectURL(source);
  const link = make("a", { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  if (address !== source) setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// The file at an address as {blob, name}; the blob is null if it is too large for a page. Throws a Refusal,
// or an AbortError.
export async function fetched(address, usual, signal) {
  let answer;
  try {
    answer = await fetch(address, { credentials: "omit", cache: "no-store", signal });
    if (answer.ok) {
      const name = nameOf(answer, usual);
      if (Number(answer.headers.get("Content-Length")) > LARGE) {
        await answer.body.cancel();
        return { blob: null, name };
      }
      return { blob: await answer.blob(), name };
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "");
  }
  const told = await answer.json().catch(() => ({}));
  throw new Refusal(answer.status, typeof told.detail === "string" ? told.detail : "");
}
