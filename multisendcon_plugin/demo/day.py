"""What goes on after the dozen: mails now and then, and some that need somebody.

It makes the picture that the page shows.  Nothing of it is printed: on the terminal one follows the
mails of one's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import LoopingCall

from ..operations import Operations
from ..operations.values import Chosen, Filter
from .mails import DemoMail, plain

#: What the client calls itself that sends them.
CLIENT = "day.example.com"
#: Seconds between two mails.
PAUSE = 2.5
_HELD = "archive@branch.example.com"
_FLOW = (
    ("boss@sales.example.com", "customer{}@customer.example", "Offer {}"),
    ("info@example.com", "visitor{}@elsewhere.example", "Your question {}"),
    ("mueller@sales.example.com", "buyer{}@customer.example", "Invoice {}"),
    ("news@example.com", "reader{}@list.example", "News, issue {}"),
    ("info@example.com", "colleague{}@partner.example", "Minutes of meeting {}"),
)


def troubles() -> Iterator[DemoMail]:
    """Return mails that go on waiting: what is wrong with each is to be found out."""
    yield plain("support@help.example.com", "customer@home.example", "Your ticket 4711")
    yield plain("typist@example.com", "friend@gmial.example", "Lunch on Friday?")
    for number in range(1, 7):
        yield plain("orders@shop.example.com", f"buyer{number}@home.example", f"Order {number}")
    for number in range(1, 4):
        yield plain("till@branch.example.com", f"office{number}@head.example", f"Till {number}")
    yield plain(_HELD, "auditor@head.example", "All contracts of the year")


def flow() -> Iterator[DemoMail]:
    """Return mails of a usual day, without an end."""
    number = 1000
    while True:
        for sender, recipient, subject in _FLOW:
            number += 1
            yield plain(sender, recipient.format(number), subject.format(number))


class Day(Service):
    """Lets a day go by.

    :param send: sends mails; answers when the relay has them.
    :param clock: says when the next one is due.
    """

    def __init__(
        self,
        operations: Operations,
        send: Callable[[tuple[DemoMail, ...]], Deferred[None]],
        clock: Any,
    ) -> None:
        self._operations = operations
        self._send = send
        self._flow = flow()
        self._loop = LoopingCall(self._next)
        self._loop.clock = clock
        self._begun: Deferred[Any] | None = None

    def startService(self) -> None:
        """Begin the day with its troubles."""
        super().startService()
        self._begun = Deferred.fromCoroutine(self._begin())

    async def _begin(self) -> None:
        await self._send(tuple(troubles()))
        await self._operations.hold(Chosen(filter=Filter(sender=_HELD)))
        if self.running:
            await self._loop.start(PAUSE)

    def _next(self) -> Deferred[None]:
        return self._send((next(self._flow),))

    def stopService(self) -> Deferred[Any]:
        """Send nothing more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return maybeDeferred(lambda: self._begun)
