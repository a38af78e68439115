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
