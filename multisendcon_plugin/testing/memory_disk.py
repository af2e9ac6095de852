"""What a spool in memory leaves to the next one, as a disk does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from ..errors import SpoolError, SpoolFullError
from ..mail.message import Delivery
from ..outcome.settlement import AccountState
from ..outcome.usage import Usage, UsageClock


@attrs.define(eq=False, kw_only=True)
class MemoryDisk:
    """What a `MemorySpool` leaves to the next one that is opened on it.

    :param capacity: octets of content at which new mail is refused; ``None``: no limit.
    :param fault: while it is set, whatever is written or read fails with it.
    """

    capacity: int | None = None
    fault: SpoolError | None = None
    clean: bool = True
    locked: bool = False
    contents: dict[int, bytes] = attrs.field(factory=dict)
    deliveries: dict[int, Delivery] = attrs.field(factory=dict)
    account_states: dict[str, AccountState] = attrs.field(factory=dict)
    pauses: dict[str, float] = attrs.field(factory=dict)
    usages: dict[tuple[str, int], Usage] = attrs.field(factory=dict)
    usage_clock: UsageClock | None = None

    def crash(self) -> None:
        """Let go as a process does that is killed."""
        self.locked = False

    def check(self) -> None:
        """Raise the fault, if there is one."""
        if self.fault is not None:
            raise self.fault
        if not self.locked:
            raise SpoolError("the spool is closed")

    def check_room(self, size: int) -> None:
        """Raise `SpoolFullError` when so many octets more are too many."""
        if self.capacity is not None and self.octets() + size > self.capacity:
            raise SpoolFullError("the spool is full")

    def octets(self) -> int:
        """Return what its contents take."""
        return sum(map(len, self.contents.values()))

    def store(self, content: bytes, deliveries: tuple[Delivery, ...]) -> None:
        """Add a message.

        :raise SpoolError: there is one with its number.
        """
        if any(delivery.message.number in self.contents for delivery in deliveries):
            raise SpoolError("the number is in use")
        for delivery in deliveries:
            self.contents[delivery.message.number] = content
            self.deliveries[delivery.number] = delivery

    def change(
        self, numbers: Sequence[int], changed: Callable[[Delivery], Delivery | None]
    ) -> tuple[Delivery, ...]:
        """Change deliveries that are there, unless `changed` returns ``None``; return those."""
        those = []
        for number in numbers:
            delivery = self.deliveries.get(number)
            if delivery is not None and (other := changed(delivery)) is not None:
                self.deliveries[number] = other
                those.append(other)
        return tuple(those)

    def end(self, delivery: Delivery) -> None:
        """Remove a delivery and, when it was the last, its message."""
        del self.deliveries[delivery.number]
        number = delivery.message.number
        if all(each.message.number != number for each in self.deliveries.values()):
            del self.contents[number]
