"""Secrets that sing: as whom they go to providers, in which forms they are looked for, and where.

The same password is that of every account with one.  Its providers, in a process of their own,
repeat it in each reply, in one of `SAID`, each session in another; beside it stands `PLAIN`, which
is no secret and so shows that a place is looked into.
"""

from __future__ import annotations

import html
import json
import re
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from urllib.parse import quote, quote_plus

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.testing import Authority, EvilProvider
from multisendcon_plugin.testing.misdeeds import edit

PASSWORD = 'c4nary-Pa"55 &w\\örd/%+<'
USERNAME = "m4rker-user"
PLAIN = "m4rker"
TOKEN = "c4nary-h00k"
#: Of logins by token: what the relay tells their provider, and what that gives out, with a number.
CLIENT_SECRET = 'c4nary-cl1ent "s&\\/%+<'
ACCESS, REFRESH = "c4nary-acc3ss/+tok3n~", "c4nary-r3fresh/+tok3n~"
CODE, DEVICE_CODE = "c4nary-auth/+c0de", "c4nary-d3vice/+c0de"
#: Letters of base64 at either end of a text that depend on what stands beside it.
_BLURRED = 4

_RESPONSE = f"\0{USERNAME}\0{PASSWORD}"


def _base64(text):
    return b64encode(text.encode()).decode()


#: How it is said, in one line or more.
SAID = (
    (PASSWORD,),
    (_base64(PASSWORD),),
    (_base64(_RESPONSE),),
    (json.dumps(PASSWORD)[1:-1],),
    (json.dumps(PASSWORD, ensure_ascii=False)[1:-1],),
    (quote(PASSWORD, safe=""),),
    (quote_plus(PASSWORD).lower(),),
    (html.escape(PASSWORD),),
    (PASSWORD[:12], PASSWORD[12:]),
    (_base64(PASSWORD)[:13], _base64(PASSWORD)[13:]),
    (PASSWORD.upper(),),
)


def _encodings(text):
    """Yield a text as the places that are looked into may write it."""
    yield text
    yield repr(text)[1:-1]
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield quote(text)
    yield html.escape(text)


#: What is looked for, in lower case.
FORMS = {
    form.encode().lower()
    for text in (*(piece for pieces in SAID for piece in pieces), TOKEN)
    for form in _encodings(text.strip())
}


def forms_of_token(secret):
    """Return in which forms a secret of a login by token is looked for."""
    shifted = (b64encode(bytes(before) + secret.encode()) for before in range(3))
    texts = (secret, quote(secret, safe=""), quote_plus(secret))
    return {
        *(form.encode().lower() for text in texts for form in _encodings(text)),
        *(form[_BLURRED:-_BLURRED].lower() for form in shifted),
    }


FORMS |= {
    form
    for secret in (CLIENT_SECRET, ACCESS, REFRESH, CODE, DEVICE_CODE)
    for form in forms_of_token(secret)
}


def found(octets, forms=frozenset(FORMS)):
    """Return the forms that are in some octets."""
    lowered = octets.lower()
    return [form for form in forms if form in lowered]


def say(code, enhanced=""):
    """Return a misdeed: another reply, with the password; an enhanced code of none is as usual."""

    def misdeed(turn):
        turn.answer(_reply(turn.session, code, enhanced), as_usual=False)

    return misdeed


def _reply(session, code, enhanced=""):
    number = session.provider.sessions.index(session) + session.provider.first
    pieces = SAID[number % len(SAID)]
    lines = [f"{PLAIN} {pieces[0]}", *pieces[1:]]
    texts = [f"{enhanced} {line}".strip().encode() for line in lines]
    *first, last = texts
    return b"".join([*(b"%d-%s\r\n" % (code, text) for text in first), b"%d %s\r\n" % (code, last)])


def usual(turn):
    """Do what is usual, with other words."""
    code = int(turn.usual[:3] or 0)
    if not code or code == 334:
        return turn.answer(turn.usual, as_usual=True)
    reply = _reply(turn.session, code, "2.0.0" if code == 250 else "")
    if turn.usual.count(b"\r\n") > 1:  # what EHLO offers
        offered = turn.usual.split(b"\r\n")[1:-1]
        said = [b"250-" + line[10:] for line in reply.splitlines()]
        reply = b"\r\n".join([b"250-mx", *said, *offered, b""])
    return turn.answer(reply, as_usual=True)


def garbage(turn):
    """Say it without a code."""
    turn.answer(f"{PLAIN} {PASSWORD}\r\n".encode(), as_usual=False)


def refuse_token(turn):
    """Refuse the first login of each account, with the words that have brought its token."""
    said = turn.session.lines[-1].split()[-1]
    user = re.search(rb"\w+@home", b64decode(said))[0]
    if user in turn.session.provider.met:
        return turn.answer(turn.usual, as_usual=True)
    turn.session.provider.met.add(user)
    reply = b"535-5.7.8 %b %b\r\n535 5.7.8 %b\r\n" % (PLAIN.encode(), said, b64decode(said)[:200])
    return turn.answer(reply, as_usual=False)


_USUAL = {phase: usual for phase in (*Phase,) if phase not in (Phase.CONTENT, Phase.TLS)}
#: What providers do, beside what is usual, by name.
ROLES = {
    "taken": {},
    "unknown": {Phase.RCPT: say(550, "5.1.1")},
    "later": {Phase.RCPT: say(450, "4.2.1")},
    "refused": {Phase.END: say(554, "5.6.0")},
    "login": {Phase.LOGIN: say(535, "5.7.8")},
    "greeting": {Phase.GREETING: say(554, "5.3.2")},
    "ehlo": {Phase.EHLO: say(550, "5.7.1")},
    "tls": {Phase.TLS: say(454, "4.7.0")},
    "mail": {Phase.MAIL: say(451, "4.3.0")},
    "garbage": {Phase.MAIL: garbage},
    "early": {Phase.DATA: edit(lambda usual: usual + f"250 {PASSWORD}\r\n".encode())},
}
#: Who takes tokens for logins, and no password.
TAKES_TOKENS = {
    "bearer": {
        Phase.EHLO: edit(lambda usual: usual.replace(b"AUTH PLAIN", b"AUTH XOAUTH2 OAUTHBEARER")),
        Phase.LOGIN: refuse_token,
    }
}


def main():
    """Be all of them, until the test ends this; tell their ports as JSON."""
    from twisted.internet import reactor

    authority = Authority()
    authority.write(Path(sys.argv[1]))
    ports = {}
    scripts = {name: {**_USUAL, **script} for name, script in ROLES.items()}
    for name, script in {**scripts, **TAKES_TOKENS}.items():
        tls = authority.server("127.0.0.1")
        provider = EvilProvider(reactor, script, tls=tls)
        #: Of the first session, in `SAID`.
        provider.first = 3 * len(ports)
        provider.met = set()
        ports[name] = provider.listen()
    print(json.dumps(ports), flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
