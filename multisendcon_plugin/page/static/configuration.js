// Numbers the lines of the configuration's text, and leads from a fault to its line.

const text = document.getElementById("text");

const gutter = document.createElement("pre");
gutter.className = "gutter";
gutter.setAttribute("aria-hidden", "true");
text.before(gutter);

const style = getComputedStyle(text);
const padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
let count = 0;

/** Count the lines, and number them. */
function measure() {
  count = text.value.split("\n").length;
  number();
}

/** Number the lines that can be seen: there may be many thousands. */
function number() {
  // Not the height that the style says: browsers round it, and over thousands of lines that counts.
  const scrolls = text.scrollHeight > text.clientHeight;
  const height = scrolls ? (text.scrollHeight - padding) / count : parseFloat(style.lineHeight);
  const first = Math.floor(text.scrollTop / height);
  const last = Math.min(first + Math.ceil(text.clientHeight / height) + 1, count);
  const numbers = Array.from({ length: Math.max(last - first, 0) }, (_, each) => first + each + 1);
  gutter.textContent = numbers.join("\n");
  gutter.scrollTop = text.scrollTop - first * height;
}

measure();
text.addEventListener("input", measure);
text.addEventListener("scroll", number);
new ResizeObserver(number).observe(text);

/**
 * Select a line, and show it.
 *
 * @param {number} line from 1 on.
 */
function goTo(line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  text.scrollTop = (text.scrollHeight / lines.length) * Math.max(line - 5, 0);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-line]");
  if (!link) return;
  event.preventDefault();
  goTo(Number(link.dataset.line));
});

// What was typed is not lost by a step to another page.
let sent = false;
document.addEventListener("submit", (event) => {
  sent = event.target === text.form;
});
window.addEventListener("beforeunload", (event) => {
  if (!sent && text.value !== text.defaultValue) event.preventDefault();
});
