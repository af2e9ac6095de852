// Loads the page of a sign-in anew when somebody has signed in, or nobody has in time.

/** Milliseconds between two looks. */
const PAUSE = 3000;
const waiting = document.querySelector("[data-waits]");

/** Load the page anew unless the sign-in still waits. */
async function look() {
  try {
    const answer = await fetch(waiting.dataset.waits, { headers: { Accept: "application/json" } });
    if (answer.ok && (await answer.json()).state !== "waiting") {
      location.reload();
      return;
    }
  } catch {
    // It does not answer now; perhaps later.
  }
  setTimeout(look, PAUSE);
}

if (waiting) setTimeout(look, PAUSE);
