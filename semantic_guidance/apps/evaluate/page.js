"use strict";
document.documentElement.classList.add("script");

const byValue = (read, sign) => (first, second) => {
  const [a, b] = [read(first), read(second)];
  if (typeof a === "string") return sign * a.localeCompare(b, undefined, { numeric: true });
  if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b); // what has no figure comes last
  return sign * (a - b);
};

const table = document.querySelector("#summary table");
if (table) {
  document.querySelector("#summary select").addEventListener("change", (event) => {
    [...table.tBodies].forEach((body, n) => { body.hidden = n !== event.target.selectedIndex; });
  });
  table.tHead.querySelectorAll("th").forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      table.tHead.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const read = (row) => column ? parseFloat(row.cells[column].dataset.value) : row.cells[0].textContent;
      for (const body of table.tBodies) body.append(...[...body.rows].sort(byValue(read, rising ? 1 : -1)));
    });
  });

  const pictures = document.querySelector("#pictures");
  const [key, method, reverse] = ["#key", "#method", "#reverse"].map((id) => pictures.querySelector(id));
  const sort = () => {
    const cell = `td[data-key="${key.value}:${method.value}"]`;
    const read = (article) =>
      key.value ? parseFloat(article.querySelector(cell).dataset.value) : article.dataset.name;
    pictures.append(...[...pictures.querySelectorAll("article")].sort(byValue(read, reverse.checked ? -1 : 1)));
  };
  [key, method, reverse].forEach((control) => control.addEventListener("change", sort));
}

// A painting that is clicked is shown large; another click or an arrow key shows the next one in its place.
const dialog = document.createElement("dialog");
dialog.append(document.createElement("img"), document.createElement("p"));
document.body.append(dialog);
let shown = [], at = 0;
const show = (number) => {
  at = (number + shown.length) % shown.length;
  dialog.querySelector("img").src = shown[at].href;
  const name = shown[at].parentElement.querySelector("span").textContent;
  dialog.querySelector("p").textContent = `${name} (${at + 1} of ${shown.length}, click for the next) × close`;
};
document.addEventListener("click", (event) => {
  const link = event.target.closest("article a");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    shown = [...link.closest("tr").querySelectorAll("a")];
    show(shown.indexOf(link));
    dialog.showModal();
  } else if (event.target.closest("dialog img")) show(at + 1);
  else if (event.target.closest("dialog")) dialog.close();
});
dialog.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) show(at + step);
});
