// Rows of the list of accounts can be dragged to another place: the same as "Move up" and "Move
// down", and asked for as those are.

const table = document.querySelector("table[data-sortable]");
const form = document.getElementById("drop");
/** @type {HTMLTableRowElement | null} */
let dragged = null;

/**
 * @param {HTMLTableRowElement} row
 * @returns {HTMLTableRowElement | null} the account that stands below.
 */
const below = (row) => (row.nextElementSibling?.dataset.account === undefined ? null : row.nextElementSibling);

/**
 * Ask whether an account is to have the place of another one.
 *
 * @param {HTMLTableRowElement | null} row
 * @param {HTMLTableRowElement} target
 */
function drop(row, target) {
  if (!row || row === target) return;
  // Who is dragged down comes behind the row on which it is dropped.
  const down = row.rowIndex < target.rowIndex;
  const next = down ? below(target) : target;
  // On a page that others follow, nobody knows here who comes next.
  if (!next && document.querySelector("a[rel=next]")) return;
  form.action = row.dataset.order;
  form.elements.before.value = next ? next.dataset.account : "";
  form.elements.place.value = next ? "" : "last";
  form.requestSubmit(form.querySelector("button"));
}

if (table && form) {
  for (const row of table.querySelectorAll("tr[data-account]")) {
    row.draggable = true;
    row.addEventListener("dragstart", (event) => {
      dragged = row;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", row.dataset.account);
    });
    row.addEventListener("dragend", () => {
      dragged = null;
      row.classList.remove("over");
    });
    row.addEventListener("dragover", (event) => {
      if (!dragged) return;
      event.preventDefault();
      row.classList.add("over");
    });
    row.addEventListener("dragleave", () => row.classList.remove("over"));
    row.addEventListener("drop", (event) => {
      event.preventDefault();
      row.classList.remove("over");
      drop(dragged, row);
    });
  }
}
