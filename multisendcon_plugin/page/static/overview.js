// The page Overview, as it is now: the board and the live flow.

import { listen } from "./live.js";

/** Rows of the flow that are kept. */
const MOST = 200;
const flow = document.getElementById("flow");
const pause = document.getElementById("pause");
const leftOut = document.getElementById("left-out");
const connection = document.getElementById("connection");
/** Rows that have come while it was paused, oldest first. */
let held = [];
let leftOutCount = 0;
let seen = 0;

/** @returns {boolean} whether the flow stands still. */
const paused = () => pause.getAttribute("aria-pressed") === "true";

/**
 * Put the board in the place of the one that is there; the focus stays where it was.
 *
 * @param {{html: string}} said
 */
function drawBoard(said) {
  const drawn = new DOMParser().parseFromString(said.html, "text/html");
  const focused = document.activeElement?.getAttribute("href");
  for (const name of ["relay-board", "account-board"]) {
    const old = document.getElementById(name);
    const fresh = drawn.getElementById(name);
    const left = old.querySelector(".wide")?.scrollLeft;
    const hadFocus = old.contains(document.activeElement);
    old.replaceWith(fresh);
    if (left) fresh.querySelector(".wide").scrollLeft = left;
    if (hadFocus) [...fresh.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  }
}

/**
 * Write the cells that have another text now.
 *
 * @param {Object<string, string>} cells by their names.
 */
function writeCells(cells) {
  for (const element of document.querySelectorAll("[data-cell]")) {
    const text = cells[element.dataset.cell];
    if (text === undefined) continue;
    if (element instanceof SVGPathElement) element.setAttribute("d", text);
    else element.textContent = text;
  }
}

/**
 * @param {Object<string, string>} row
 * @returns {HTMLTableRowElement}
 */
function rowOf(row) {
  const made = document.createElement("tr");
  made.dataset.event = row.event;
  for (const name of ["time", "event", "id", "sender", "recipients", "account", "reply"]) {
    const cell = made.insertCell();
    if (name === "id") {
      const link = document.createElement("a");
      link.href = `/mails/${encodeURIComponent(row.id)}`;
      link.textContent = row.id;
      cell.append(link);
    } else {
      cell.textContent = row[name];
    }
  }
  return made;
}

/** Show what has come, unless the flow is paused. */
function show() {
  held = held.slice(-MOST);
  const more = leftOutCount ? `${leftOutCount} more events are not shown` : "";
  leftOut.textContent = paused() && held.length ? `${held.length} rows wait. ${more}` : more;
  if (paused()) return;
  flow.prepend(...held.reverse().map(rowOf));
  held = [];
  while (flow.rows.length > MOST) flow.deleteRow(-1);
}

/**
 * @param {{rows: Object<string, string>[], left_out: number}} said oldest first.
 * @param {number} number
 */
function heardFlow(said, number) {
  // Who comes again may hear something twice.
  if (number <= seen) return;
  seen = number;
  held.push(...said.rows);
  leftOutCount += said.left_out;
  show();
}

/**
 * @param {string} text
 * @param {boolean} signIn
 */
function tellConnection(text, signIn) {
  connection.textContent = text;
  connection.hidden = !text;
  if (signIn) {
    const link = document.createElement("a");
    link.href = location.pathname + location.search;
    link.textContent = "Sign in";
    connection.append(" ", link);
  }
}

pause.hidden = false;
pause.addEventListener("click", () => {
  const now = !paused();
  pause.setAttribute("aria-pressed", String(now));
  show();
});
listen(`/live${location.search}`, { board: drawBoard, cells: writeCells, flow: heardFlow }, tellConnection);
