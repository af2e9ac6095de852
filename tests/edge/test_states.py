"""The state table of a session: what each command is answered in each state, and what follows."""

from __future__ import annotations

import re

import pytest

from multisendcon_plugin.edge.order import ORDER, State
from tests.edge.clients import MAIL, Edge, chunk, offer_security

HELLO = b"EHLO client.example"
SENDER = b"MAIL FROM:<a@x.example>"
RECIPIENT = b"RCPT TO:<b@y.example>"
LOGIN = b"AUTH PLAIN AGpvZQBzZWNyZXQ="

#: How a client that has just connected gets to each state.
STATES = {
    "C": [],  # connected
    "G": [HELLO],  # greeted
    "S": [HELLO, SENDER],  # a sender
    "R": [HELLO, SENDER, RECIPIENT],  # recipients
    "B": [HELLO, SENDER, RECIPIENT, chunk(b"Subject: x\r\n")],  # BDAT has begun
    "F": [HELLO, SENDER, RECIPIENT, chunk(b"\0")],  # and failed
}

COMMANDS = {
    "HELO": b"HELO client.example",
    "EHLO": HELLO,
    "EHLO -": b"EHLO",
    "MAIL": SENDER,
    "MAIL -": b"MAIL FROM:<a",
    "RCPT": RECIPIENT,
    "RCPT -": b"RCPT TO:<>",
    "DATA": b"DATA",
    "DATA -": b"DATA now",
    "BDAT": chunk(b"a: b\r\n"),
    "BDAT LAST": chunk(b"a: b\r\n", last=True),
    "BDAT NUL": chunk(b"\0"),
    "BDAT 1 -": b"BDAT 1 or so\r\nx",
    "BDAT -": b"BDAT",
    "RSET": b"RSET",
    "RSET -": b"RSET now",
    "NOOP": b"NOOP",
    "VRFY": b"VRFY joe",
    "VRFY -": b"VRFY",
    "EXPN": b"EXPN all",
    "HELP": b"HELP",
    "QUIT": b"QUIT",
    "QUIT -": b"QUIT now",
    "none": b"ETRN x",
    "the web": b"GET / HTTP/1.1",
    "bare LF": b"NOOP\nNOOP",
    "STARTTLS": b"STARTTLS",
    "STARTTLS -": b"STARTTLS now",
    "AUTH": LOGIN,
    "AUTH -": b"AUTH",
    "AUTH x": b"AUTH GSSAPI",
    "AUTH no": b"AUTH PLAIN AGpvZQBubw==",
}

#: The reply, its enhanced code, and the next state: D takes content, X is over, . does not change.
TABLE = """
             C              G              S              R              B              F
HELO       | 250 -     G  | 250 -     G  | 250 -     G  | 250 -     G  | 250 -     G  | 250 -     G
EHLO       | 250 -     G  | 250 -     G  | 250 -     G  | 250 -     G  | 250 -     G  | 250 -     G
EHLO -     | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .
MAIL       | 503 5.5.1 .  | 250 2.1.0 S  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
MAIL -     | 503 5.5.1 .  | 501 5.1.7 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
RCPT       | 503 5.5.1 .  | 503 5.5.1 .  | 250 2.1.5 R  | 250 2.1.5 .  | 503 5.5.1 .  | 503 5.5.1 .
RCPT -     | 503 5.5.1 .  | 503 5.5.1 .  | 501 5.1.3 .  | 501 5.1.3 .  | 503 5.5.1 .  | 503 5.5.1 .
DATA       | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 354 -     D  | 503 5.5.1 .  | 503 5.5.1 .
DATA -     | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .
BDAT       | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 F  | 250 2.0.0 B  | 250 2.0.0 .  | 550 5.6.11 .
BDAT LAST  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 G  | 250 2.0.0 G  | 250 2.0.0 G  | 550 5.6.11 G
BDAT NUL   | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 F  | 550 5.6.11 F | 550 5.6.11 F | 550 5.6.11 .
BDAT 1 -   | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 F  | 501 5.5.4 F  | 501 5.5.4 F  | 550 5.6.11 .
BDAT -     | 554 5.5.4 X  | 554 5.5.4 X  | 554 5.5.4 X  | 554 5.5.4 X  | 554 5.5.4 X  | 554 5.5.4 X
RSET       | 250 2.0.0 .  | 250 2.0.0 .  | 250 2.0.0 G  | 250 2.0.0 G  | 250 2.0.0 G  | 250 2.0.0 G
RSET -     | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .
NOOP       | 250 2.0.0 .  | 250 2.0.0 .  | 250 2.0.0 .  | 250 2.0.0 .  | 250 2.0.0 .  | 250 2.0.0 .
VRFY       | 252 2.5.2 .  | 252 2.5.2 .  | 252 2.5.2 .  | 252 2.5.2 .  | 252 2.5.2 .  | 252 2.5.2 .
VRFY -     | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .
EXPN       | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .
HELP       | 214 2.0.0 .  | 214 2.0.0 .  | 214 2.0.0 .  | 214 2.0.0 .  | 214 2.0.0 .  | 214 2.0.0 .
QUIT       | 221 2.0.0 X  | 221 2.0.0 X  | 221 2.0.0 X  | 221 2.0.0 X  | 221 2.0.0 X  | 221 2.0.0 X
QUIT -     | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .
none       | 500 5.5.1 .  | 500 5.5.1 .  | 500 5.5.1 .  | 500 5.5.1 .  | 500 5.5.1 .  | 500 5.5.1 .
the web    | 421 4.7.0 X  | 421 4.7.0 X  | 421 4.7.0 X  | 421 4.7.0 X  | 421 4.7.0 X  | 421 4.7.0 X
bare LF    | 554 5.5.2 X  | 554 5.5.2 X  | 554 5.5.2 X  | 554 5.5.2 X  | 554 5.5.2 X  | 554 5.5.2 X
"""
#: What depends on whether TLS and logins are on offer, and on whether both are done.
NOT_OFFERED = """
             C              G              S              R              B              F
STARTTLS   | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .
STARTTLS - | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .
AUTH       | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .  | 502 5.5.1 .
"""
LOGINS = """
             C              G              S              R              B              F
AUTH       | 503 5.5.1 .  | 235 2.7.0 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
AUTH -     | 503 5.5.1 .  | 501 5.5.4 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
AUTH x     | 503 5.5.1 .  | 504 5.5.4 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
AUTH no    | 503 5.5.1 .  | 535 5.7.8 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
"""
OFFERED = """
             C              G              S              R              B              F
STARTTLS   | 220 2.0.0 .  | 220 2.0.0 C  | 220 2.0.0 C  | 220 2.0.0 C  | 503 5.5.1 .  | 503 5.5.1 .
STARTTLS - | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .
"""
DONE = """
             C              G              S              R              B              F
STARTTLS   | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
STARTTLS - | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .  | 501 5.5.4 .
"""
LOGGED_IN = """
             C              G              S              R              B              F
AUTH       | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
AUTH -     | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .  | 503 5.5.1 .
"""


def cells(*tables):
    """Read tables: state, command, reply with its enhanced code, next state."""
    for table in tables:
        states, *rows = table.strip("\n").splitlines()
        for row in rows:
            command, *answers = row.split("|")
            for state, answer in zip(states.split(), answers, strict=True):
                code, enhanced, following = answer.split()
                reply = code if enhanced == "-" else f"{code} {enhanced}"
                yield state, command.strip(), reply, state if following == "." else following


#: What is on offer, or done already, and the tables that hold then.
WORLDS = {
    "nothing on offer": (TABLE, NOT_OFFERED),
    "in the clear": (TABLE, OFFERED, LOGINS),
    "TLS": (TABLE, DONE, LOGINS),
    "login": (TABLE, DONE, LOGGED_IN),
    "TLS and login": (TABLE, DONE, LOGGED_IN),
}
ALL = [
    (world, *cell)
    for world, tables in WORLDS.items()
    for cell in cells(*tables)
    # Once logged in, a client cannot be unknown again.
    if not (cell[0] == "C" and "login" in world)
]


def client_in(world):
    client = Edge().client(hello=None)
    if world == "nothing on offer":
        return client
    offer_security(client)
    if "TLS" in world:
        assert client.ask(b"STARTTLS")[0].startswith("220")
    if "login" in world:
        assert client.ask(HELLO, LOGIN)[-1].startswith("235")
    return client


def say(client, octets):
    if octets.startswith(b"BDAT "):
        return client.send_chunks(octets)
    return client.ask(octets)


def state_of(client):
    """Find out by commands which state the session is in, without asking it."""
    if client.closed:
        return "X"
    if not client.ask(b"NOOP"):
        return "D"
    (reply,) = client.ask(b"RCPT TO:<>")
    if reply.endswith("say MAIL first"):
        (reply,) = client.ask(b"MAIL FROM:<a")
        return "C" if reply.endswith("say EHLO first") else "G"
    if reply.endswith("only BDAT may follow BDAT, or RSET"):
        (reply,) = client.send_chunks(chunk(b""))
        return "B" if reply.startswith("250") else "F"
    (reply,) = client.ask(b"DATA")
    return "R" if reply.startswith("354") else "S"


def said(reply):
    """Return a line's code and enhanced code."""
    return re.match(r"\d{3}(?:[ -][245]\.\d+\.\d+(?= ))?", reply)[0].replace("-", " ")


@pytest.mark.parametrize(("world", "state", "command", "reply", "following"), ALL)
def test_state_table(world, state, command, reply, following):
    client = client_in(world)
    for octets in STATES[state]:
        say(client, octets)
    replies = say(client, COMMANDS[command])
    assert {said(line) for line in replies} == {reply}
    assert state_of(client) == following


@pytest.mark.parametrize("state", STATES)
def test_states_are_told_apart(state):
    client = client_in("nothing on offer")
    for octets in STATES[state]:
        say(client, octets)
    assert state_of(client) == state


def test_content_leads_back_to_the_beginning():
    for content in (MAIL, b"\0\r\n"):
        client = client_in("nothing on offer")
        client.ask(HELLO)
        client.begin()
        client.ask(content + b".")
        assert state_of(client) == "G"


def test_every_refusal_of_the_order_is_in_the_table():
    letters = dict(zip(State, "CGSRB", strict=True))
    table = {cell[:2]: cell[2] for cell in cells(*WORLDS["in the clear"])}
    for verb, refusals in ORDER.items():
        for state, refusal in zip(State, refusals, strict=True):
            if refusal:
                expected = f"{refusal.code} {refusal.enhanced}"
                assert table[letters[state], verb.decode()] == expected
