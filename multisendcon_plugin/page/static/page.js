// What every page has: nothing yet but the token, for scripts that change something.

/** The token of the session, which has to come with each change. */
export const token = document.body.dataset.token ?? "";
