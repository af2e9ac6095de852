"""What an `EvilProvider` does in place of its usual answer: functions that can be combined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen
class Turn:
    """The moment in which the server is to answer.

    :param session: the `EvilSession`.
    :param usual: what a good server says now; nothing when content, or TLS, begins.
    :param go_on: what it does then.
    """

    session: Any
    usual: bytes
    go_on: Callable[[], None]

    def answer(self, octets: bytes, *, as_usual: bool) -> None:
        """Say something, and go on with what the client says next.

        :param as_usual: it means what the usual answer means.
        """
        self.session.say(octets)
        if as_usual:
            self.go_on()
        self.session.read_on()


#: What is done in place of the usual answer.
Misdeed = Callable[[Turn], None]


def behave(turn: Turn) -> None:
    """Do no misdeed."""
    turn.answer(turn.usual, as_usual=True)


def hang(_: Turn) -> None:
    """Never answer."""


def stop_reading(turn: Turn) -> None:
    """Answer, and read nothing from then on."""
    turn.session.transport.pauseProducing()
    behave(turn)


def refuse(code: int, text: str = "not today") -> Misdeed:
    """Refuse."""
    return speak(f"{code} {text}\r\n".encode())


def speak(octets: bytes) -> Misdeed:
    """Say something else, which may be no SMTP at all."""
    return lambda turn: turn.answer(octets, as_usual=False)


def edit(change: Callable[[bytes], bytes]) -> Misdeed:
    """Change the words of the usual answer, but not what it means."""
    return lambda turn: turn.answer(change(turn.usual), as_usual=True)


def inject(octets: bytes) -> Misdeed:
    """Say more than the usual answer, in the same segment."""
    return edit(lambda usual: usual + octets)


def strip(keyword: str) -> Misdeed:
    """Leave a line out of the answer to EHLO, as one who sits between the two would."""

    def change(usual: bytes) -> bytes:
        lines = usual.splitlines(keepends=True)
        return b"".join(line for line in lines if line[4:].strip() != keyword.encode())

    return edit(change)


eight_bit = edit(lambda usual: usual and usual[:-2] + b" \xe4\xff\r\n")


def drop(after: int = 0, *, reset: bool = False) -> Misdeed:
    """Drop the connection.

    :param after: octets of the usual answer are said before.
    :param reset: by a reset, not in good order.
    """

    def misdeed(turn: Turn) -> None:
        if turn.usual and after >= len(turn.usual):
            behave(turn)
        else:
            turn.session.say(turn.usual[:after])
        turn.session.drop(reset=reset)

    return misdeed


def drop_at(octet: int) -> Misdeed:
    """Drop the connection when the content, final dot included, gets longer; for its phase only."""

    def misdeed(turn: Turn) -> None:
        turn.session.longest_content = octet
        behave(turn)

    return misdeed


def late(seconds: float, misdeed: Misdeed = behave) -> Misdeed:
    """Do it later."""
    return lambda turn: turn.session.later(seconds, misdeed, turn)


def drip(pause: float = 1.0) -> Misdeed:
    """Answer octet by octet."""

    def misdeed(turn: Turn) -> None:
        def say_from(position: int) -> None:
            if position + 1 >= len(turn.usual):
                turn.answer(turn.usual[position:], as_usual=True)
            else:
                turn.session.say(turn.usual[position : position + 1])
                turn.session.later(pause, say_from, position + 1)

        say_from(0)

    return misdeed


def endless(line: bytes = b"250-and more\r\n", pause: float = 1.0) -> Misdeed:
    """Say a line over and over, a thousand at a time."""

    def misdeed(turn: Turn) -> None:
        turn.session.say(line * 1000)
        turn.session.later(pause, misdeed, turn)

    return misdeed


def fake_tls(octets: bytes) -> Misdeed:
    """Answer the client's handshake with this instead of TLS; for the phase of TLS only."""

    def misdeed(turn: Turn) -> None:
        turn.session.instead_of_tls = octets
        turn.session.say(turn.usual)

    return misdeed


def after(count: int, misdeed: Misdeed) -> Misdeed:
    """Behave so many times, over all sessions, and do it from then on."""
    left = [behave] * count

    def do(turn: Turn) -> None:
        (left.pop() if left else misdeed)(turn)

    return do


def times(count: int, misdeed: Misdeed) -> Misdeed:
    """Do it so many times, over all sessions, and behave from then on."""
    left = [misdeed] * count
    return lambda turn: left.pop()(turn) if left else behave(turn)
