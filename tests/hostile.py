"""A text that would take over a terminal, forge lines or break a format: who says it, and to whom.

Its providers and the token endpoint, in a process of their own, say it wherever they say anything.
"""

from __future__ import annotations

import json
import sys
from unicodedata import category

from twisted.web.resource import Resource
from twisted.web.server import Site

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.testing import EvilProvider

#: Shows that a place was looked into, and that nothing was filled into a format.
MARK = "m4rker {0!r} {log_time} %s %(x)d"
#: What a line would look like that somebody forges.
FORGED = "2026-01-01T00:00:00+0000 [forged#error] alarm"
#: Sequences of a terminal (C0 and C1), what turns text round, what is not seen, what ends a line.
ACTS = "\x1b[2J\x1b]0;owned\x07\x9b31m\x08\x00\u202e\u2066\u200b\ufeff\u2028\u2029\x85"
HOSTILE = f'{MARK}{ACTS}<b onclick="x">&amp;\'$(id)`id`\\x1b'
#: The same with lines of its own.
IN_LINES = f"{HOSTILE}\r\n{FORGED}\n\n{FORGED}"
#: What an admin may call an account.
NAME = f"{MARK} <b>&amp;$(id)"

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def acting(text):
    """Return the characters of a text that act on a terminal or a reader, line ends apart."""
    return {each for each in text if each != "\n" and category(each) in _UNSEEN}


def _say(code, enhanced=""):
    def misdeed(turn):
        texts = [f"{enhanced} {line}".strip() for line in (HOSTILE, FORGED)]
        octets = [text.encode().replace(b"\n", b"") + b"\xff\xc3" for text in texts]
        first, last = octets
        turn.answer(b"%d-%s\r\n%d %s\r\n" % (code, first, code, last), as_usual=False)

    return misdeed


#: What providers do, by name.
ROLES = {
    "unknown": {Phase.RCPT: _say(550, "5.1.1")},
    "later": {Phase.RCPT: _say(450, "4.2.1")},
    "taken": {Phase.END: _say(250, "2.0.0")},
    "login": {Phase.LOGIN: _say(535, "5.7.8")},
    "quota": {Phase.MAIL: _say(550, "5.4.5")},
    "greeting": {Phase.GREETING: _say(554, "5.3.2")},
}


class Endpoint(Resource):
    """Gives no tokens out."""

    isLeaf = True

    def render_POST(self, request):  # noqa: N802
        request.setResponseCode(400)
        request.setHeader("Content-Type", "application/json")
        said = {"error": "invalid_grant", "error_description": IN_LINES, "error_uri": IN_LINES}
        return json.dumps(said).encode()


def main():
    """Be all of them, until the test ends this; tell their ports as JSON."""
    from twisted.internet import reactor

    ports = {role: EvilProvider(reactor, script).listen() for role, script in ROLES.items()}
    endpoint = reactor.listenTCP(0, Site(Endpoint()), interface="127.0.0.1")
    ports["endpoint"] = endpoint.getHost().port
    sys.stdout.write(f"{json.dumps(ports)}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
