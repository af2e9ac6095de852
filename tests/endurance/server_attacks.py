"""Attacks by servers, to which mail is sent: silence, and replies that are more than text."""

from __future__ import annotations

import contextlib

from tests.endurance.hostile import refusing_server
from tests.endurance.scene import Attack
from tests.endurance.silent import silent_server
from tests.interop.programs import until
from tests.interop.relay import account

_SENDER = "boss@sales.example"
#: Colours and a title for a terminal, C1 controls, a text turned round, a line of its own.
_CONTROLS = "\x1b[2J\x1b]0;owned\x07 \x9b31m \u202egnp.exe \u200b \u2028fake: line \x85"


def silent_servers(scene):
    """Sixty accounts at a silent server have mail; that of others goes its way."""
    with scene.call() as caller:
        caller.ask("EHLO evil.example")
        for n in range(60):
            reply = caller.mail(_SENDER, [f"x@silent-{n}.example"], b"Subject: x\r\n\r\nhello")
            if not reply.startswith("250 "):
                yield f"a mail was answered by {reply!r}"
    for n in range(5):
        with scene.call() as caller:
            caller.ask("EHLO evil.example")
            caller.mail(_SENDER, [f"{n}@customer.example"], b"Subject: x\r\n\r\nhello")
        scene.taken.append(f"{n}@customer.example")
        until(lambda n=n: f"{n}@customer.example" in scene.sink.recipients(), "it arrives", 10)


def replies_for_terminals(scene):
    """A server, and a client, whose words are for the terminal on which the log is read."""
    with scene.call() as caller:
        caller.ask(f"EHLO {_CONTROLS}", "EHLO evil.example")
        caller.mail("", ["x@hostile.example"], b"Subject: x\r\n\r\nhello")
        caller.ask(f"MAIL FROM:<{_SENDER}> {_CONTROLS}", f"FOO{_CONTROLS}")
    text = until(lambda: "550 5.1.1" in scene.log() and scene.log(), "the refusal is in the log")
    found = {each for each in _CONTROLS if not each.isprintable() and each in text}
    if found:
        yield f"the log holds {found}"
    if longest := [line for line in text.splitlines() if len(line.encode()) > 8200]:
        yield f"a line of the log has {len(longest[0])} characters"


@contextlib.contextmanager
def _silent(_folder):
    address = "127.0.4.1"
    with silent_server(address) as port:
        yield "\n".join(
            account(
                f"silent {n}", address, port, recipients=f'"*@silent-{n}.example"', fallback="[]"
            )
            for n in range(60)
        )


@contextlib.contextmanager
def _hostile(_folder):
    with refusing_server(b"550 5.1.1 " + _CONTROLS.encode()) as (address, port):
        yield account("Hostile", address, port, recipients='"*@hostile.example"')


ATTACKS = (
    Attack(silent_servers, world=_silent),
    Attack(replies_for_terminals, told=r"\x1b[2J", world=_hostile),
)
