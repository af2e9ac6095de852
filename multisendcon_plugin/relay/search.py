"""Tries one address of a server after the other, until a session is ready for the login.

An address that answers badly, or not at all, must not hide the others (RFC 5321 section 5.1).  But
they are one server to us, which may mean what it says: the search has an end.  The login is no part
of it: it would be refused at the others too, and each refusal counts towards a lock-out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import attrs

from .broken import SessionBrokenError

T = TypeVar("T")

#: Addresses of one server that may answer badly for one session.
MOST_ADDRESSES = 3
#: Seconds after which no further address is begun with: two that are silent are enough.
LONGEST_SEARCH = 90.0


async def first_ready(
    session_at: Callable[[str | None], Awaitable[T]],
    other_addresses: Callable[[str], Awaitable[Sequence[str]]],
    *,
    is_final: Callable[[SessionBrokenError], bool],
    now: Callable[[], float],
) -> T:
    """Return a session with the first address that works.

    :param session_at: opens one at an address; ``None``: at whichever can be connected first.
    :param other_addresses: returns those that are left beside that one.
    :param is_final: tells whether the others are of no use, whatever they would say.
    :param now: tells the time, in seconds.
    :raise SessionBrokenError: none of them is; what it says was said by the last one that said
        anything.
    """
    until = now() + LONGEST_SEARCH
    try:
        return await session_at(None)
    except SessionBrokenError as broken:
        # Without an address, no server was reached.
        if not broken.address or is_final(broken):
            raise
        answers = [broken]
    for address in await other_addresses(answers[0].address):
        if len(answers) >= MOST_ADDRESSES or now() >= until:
            break
        try:
            return await session_at(address)
        except SessionBrokenError as broken:
            if broken.address:
                answers.append(broken)
            if is_final(broken):
                break
    raise _telling(answers)


def _telling(answers: Sequence[SessionBrokenError]) -> SessionBrokenError:
    """Return the error to report: the last one with a reply, or else the last one."""
    told = max(reversed(answers), key=lambda answer: answer.reply.code > 0)
    if len(answers) == 1:
        return told
    text = f"{told.reply.text} (from {told.address}; {len(answers)} addresses were tried)"
    reply = attrs.evolve(told.reply, text=text)
    return SessionBrokenError(told.phase, reply, address=told.address, scope=told.scope)
