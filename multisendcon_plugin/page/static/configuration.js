// Numbers the lines of the configuration's text, and leads from a fault to its line.

const text = document.getElementById("text");

const gutter = document.createElement("pre");
gutter.className = "gutter";
gutter.setAttribute("aria-hidden", "true");
text.before(gutter);

let shown = 0;

function number() {
  const count = text.value.split("\n").length;
  if (count === shown) return;
  shown = count;
  gutter.textContent = Array.from({ length: count }, (_, each) => each + 1).join("\n");
  follow();
}

function follow() {
  gutter.scrollTop = text.scrollTop;
}

number();
text.addEventListener("input", number);
text.addEventListener("scroll", follow);

/** Select a line, and show it. */
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
