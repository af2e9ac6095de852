// Shows a question of the page in place: what a button with data-asks would load as a page of its
// own.  If anything is not as expected, the browser goes on as it would without this.

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || !button.matches("[data-asks]")) return;
  event.preventDefault();
  ask(event.target, button).catch(() => send(event.target, button));
});

/**
 * Send a form as the browser does.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 */
function send(form, button) {
  button.removeAttribute("data-asks");
  form.requestSubmit(button);
}

/**
 * Send a form, and show the question that comes.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 */
async function ask(form, button) {
  const answer = await fetch(button.getAttribute("formaction") ?? form.action, {
    method: "POST",
    body: new URLSearchParams(new FormData(form, button)),
    headers: { Accept: "text/html" },
    redirect: "manual",
  });
  // It was done without a question, or refused: the page tells.
  if (answer.type === "opaqueredirect") {
    location.reload();
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const question = page.querySelector("[role=dialog]");
  if (!question) throw new Error("no question");
  show(question, button);
}

/**
 * Show a question in a dialog.
 *
 * @param {Element} question
 * @param {HTMLElement} opener gets the focus back.
 */
function show(question, opener) {
  const dialog = document.createElement("dialog");
  dialog.className = question.className;
  dialog.setAttribute("aria-labelledby", question.getAttribute("aria-labelledby"));
  dialog.append(...question.childNodes);
  dialog.addEventListener("click", (event) => {
    if (!event.target.closest("[data-cancel]")) return;
    event.preventDefault();
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    opener.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}
