// Shows each step of a test as soon as it has ended.  If anything is not as expected, the browser
// sends the form as it would without this.

import { token } from "./page.js";

const form = document.querySelector("form[data-test]");
const shown = document.getElementById("tested");

/**
 * Iterate over the lines of JSON of an answer, as they come.
 *
 * @param {Response} answer
 * @returns {AsyncGenerator<Object>}
 */
async function* lines(answer) {
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const parts = (rest + piece.value).split("\n");
    rest = parts.pop();
    for (const part of parts.filter(Boolean)) yield JSON.parse(part);
  }
}

/**
 * Add a row for a step.
 *
 * @param {{step: string, ok: boolean, address: string, seconds: number, result: string, advice: string}} step
 */
function showStep(step) {
  const row = document.createElement("tr");
  row.className = step.ok ? "ok" : "bad";
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = step.step;
  row.append(head);
  const texts = [step.ok ? "ok" : "failed", step.address, step.seconds.toFixed(2), step.result, step.advice];
  for (const text of texts) row.insertCell().textContent = text;
  row.cells[3].className = "number";
  shown.querySelector("[data-steps]").append(row);
}

/**
 * @param {string} text
 * @param {boolean} bad whether the account cannot send mail, or nobody knows.
 */
function showResult(text, bad) {
  const result = shown.querySelector("[data-result]");
  result.className = bad ? "told bad" : "told";
  result.textContent = text;
}

/** Show that a test goes on, and nothing of the one before. */
function begin() {
  shown.hidden = false;
  shown.querySelector("[data-steps]").replaceChildren();
  shown.querySelector("[data-transcript]").textContent = "";
  showResult("Testing …", false);
}

/** Have the account tested, and show what is told of it. */
async function test() {
  const asked = { connections: form.elements.connections.checked };
  for (const name of ["to", "from"]) {
    const text = form.elements[name].value.trim();
    if (text) asked[name] = text;
  }
  const answer = await fetch(form.dataset.test, {
    method: "POST",
    headers: { Accept: "application/jsonl", "Content-Type": "application/json", "X-Token": token },
    body: JSON.stringify(asked),
  });
  if (!answer.ok) {
    const said = await answer.json();
    showResult(said.error ?? "The test was refused.", true);
    return;
  }
  for await (const line of lines(answer)) {
    if ("step" in line) {
      showStep(line);
    } else if ("steps" in line) {
      showResult(line.ok ? "The account can send mail." : `The account cannot send mail. ${line.advice}`, !line.ok);
      shown.querySelector("[data-transcript]").textContent = line.transcript.join("\n");
      return;
    } else if ("error" in line) {
      showResult(line.error, true);
      return;
    }
  }
  showResult("The relay has ended the test before its result.", true);
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  begin();
  test()
    .catch(() => showResult("The relay does not answer any more.", true))
    .finally(() => {
      button.disabled = false;
    });
});
