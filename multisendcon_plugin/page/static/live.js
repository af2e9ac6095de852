// The connection by which a page hears what happens: it comes again by itself, and says how it is.

/** Milliseconds after which it is looked whether the relay answers again. */
const AGAIN = 3000;

/**
 * Hears what happens for as long as the page is to be seen.
 *
 * @param {string} path of the stream.
 * @param {Object<string, function(Object, number): void>} heard by the name of a message: is given
 *     what it says, and its number (0: it has none).
 * @param {function(string, boolean): void} tell is told how the connection is, in words ("": well),
 *     and whether somebody has to sign in again.
 */
export function listen(path, heard, tell) {
  /** @type {EventSource | null} */
  let source = null;
  let waiting = 0;
  let lost = false;

  function open() {
    source = new EventSource(path);
    source.onopen = () => {
      lost = false;
      tell("", false);
    };
    source.onerror = () => {
      lose();
      // The browser comes again by itself unless it was refused.
      if (source && source.readyState === EventSource.CLOSED) ask();
    };
    for (const [name, call] of Object.entries(heard)) {
      source.addEventListener(name, (event) => call(JSON.parse(event.data), Number(event.lastEventId)));
    }
  }

  function close() {
    clearTimeout(waiting);
    if (source) source.close();
    source = null;
  }

  function lose() {
    if (lost) return;
    lost = true;
    const time = new Date().toISOString().slice(11, 19);
    tell(`The relay does not answer since ${time} UTC. What is shown is older; trying again.`, false);
  }

  /** Find out why it was refused. */
  async function ask() {
    close();
    let status = 0;
    try {
      status = (await fetch(path, { method: "HEAD", cache: "no-store" })).status;
    } catch {
      // It does not answer.
    }
    if (source || document.hidden) return;
    if (status === 401) {
      tell("The session has ended, and this is not live any more.", true);
    } else if (status === 503) {
      tell("This is not live: too many pages are open. Trying again.", false);
    }
    if (status === 200) open();
    else waiting = setTimeout(ask, AGAIN);
  }

  // A page that nobody sees costs nothing, and takes none of the few connections of a browser.
  document.addEventListener("visibilitychange", () => {
    close();
    if (!document.hidden) open();
  });
  open();
}
