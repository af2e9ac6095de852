"""What moves mail to another account, as far as the masks of that one admit it."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..interfaces import IQueueControl
from ..mail.address import matching_form
from ..mail.message import Delivery
from ..routing.account import Account
from ..routing.registry import admits_sender
from .errors import RefusedError
from .values import Changed

#: Reasons why an account carries mail.
MOVED = "moved by an administrator"
OVERRIDDEN = "moved by an administrator, masks overridden"

#: Refused mails that are named at most.
NAMED = 20


@attrs.frozen(kw_only=True)
class RefusedMail:
    """A mail that the masks of an account do not admit.

    :param why: whom they do not, in words.
    """

    id: str
    why: tuple[str, ...]


@attrs.define
class Refusals:
    """What the masks of an account do not admit; if there is any, nothing is moved without force.

    :param count: deliveries.
    :param examples: the first of them.
    """

    count: int = 0
    examples: list[RefusedMail] = attrs.field(factory=list)

    def add(self, refused: RefusedMail) -> None:
        """Note one more."""
        self.count += 1
        if len(self.examples) < NAMED:
            self.examples.append(refused)


@attrs.frozen(kw_only=True)
class Outlook:
    """What would become of a move.

    :param account: to which it is.
    :param admitted: what its masks admit.
    """

    account: str
    admitted: Changed
    refused: Refusals


@attrs.frozen
class Mover:
    """Moves deliveries to an account.

    :param force: whatever its masks say.
    """

    _queue: IQueueControl
    _account: Account
    _force: bool

    def applies(self, delivery: Delivery) -> bool:
        """Tell whether a delivery is to be moved.

        :raise RefusedError: the masks do not admit it.
        """
        if delivery.account == self._account.name:
            return False
        refused = self._refused(delivery)
        if refused and not self._force:
            raise RefusedError(
                f"account {self._account.name} does not take {delivery.message.id}, by its masks:"
                f" {', '.join(refused)}; nothing is moved.  Choose another account, change its"
                " masks, or override them (--force)"
            )
        return True

    def admits(self, delivery: Delivery, refusals: Refusals) -> bool:
        """Tell whether a delivery would be moved without force; if masks refuse it, note that."""
        if delivery.account == self._account.name:
            return False
        why = self._refused(delivery)
        if why:
            refusals.add(RefusedMail(id=delivery.message.id, why=tuple(why)))
        return not why

    async def move(self, deliveries: Iterable[Delivery]) -> tuple[int, ...]:
        """Move deliveries; return the numbers of those that have been."""
        numbers: dict[str, list[int]] = {MOVED: [], OVERRIDDEN: []}
        for delivery in deliveries:
            numbers[OVERRIDDEN if self._refused(delivery) else MOVED].append(delivery.number)
        moved: list[int] = []
        for reason, some in numbers.items():
            if some:
                moved += await self._queue.move(some, self._account.name, reason)
        return tuple(moved)

    def _refused(self, delivery: Delivery) -> list[str]:
        """Return, in words, whom the masks of the account do not admit."""
        account, envelope = self._account, delivery.message.envelope
        sender = matching_form(envelope.reverse_path)
        refused = [
            f"recipient <{each.address}>"
            for each in delivery.recipients
            if account.recipients.match(matching_form(each.address)) is None
        ]
        if not admits_sender(account, sender, matching_form(envelope.author)):
            refused.insert(0, f"sender <{envelope.reverse_path}>")
        return refused
