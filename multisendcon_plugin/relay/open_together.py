"""Opens several sessions with a server at the same time, to see how many it allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from twisted.internet.defer import CancelledError, Deferred

from .broken import SessionBrokenError
from .budget import Slot
from .factory import AccountSenderFactory
from .sender import AccountSender


async def open_together(
    ways: Iterable[AccountSenderFactory],
    ready: Callable[[AccountSenderFactory, Slot], Awaitable[AccountSender]],
) -> tuple[int, SessionBrokenError | None]:
    """Open one session after the other, and then close them all.

    Mail has precedence: where it has a connection, or waits for one, none is taken.

    :param ways: for each session where to take it from.
    :param ready: opens it.
    :return: how many were open together, and why there was not one more; ``None``: there was no way
        left, or no free connection.
    """
    opened: list[AccountSender] = []
    try:
        for sessions in ways:
            slot = Deferred.fromCoroutine(sessions.take_slot())
            if not slot.called:
                slot.addErrback(lambda failure: failure.trap(CancelledError))
                slot.cancel()
                break
            opened.append(await ready(sessions, await slot))
    except SessionBrokenError as broken:
        return len(opened), broken
    finally:
        for session in opened:
            session.quit()
        for session in opened:
            await session.ended
    return len(opened), None
