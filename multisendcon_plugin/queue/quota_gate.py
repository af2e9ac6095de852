"""The quotas of an account: whether its next mail has room in all their windows.

Unlike the other gates, it is asked for a certain mail: one with ten recipients may have to wait
where one with a single recipient has not.  A mail that fits no window is split, and each part takes
what room there is; one that fits, and has no room now, waits as a whole.  Each MAIL has a
reservation of its own, which is durable before it is said.  Pure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import ceil, inf
from typing import NamedTuple, Protocol

from ..mail.message import Delivery
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import AccountFault, Attempt
from ..outcome.condition import QuotaUse
from ..outcome.failure import Action
from ..routing.account import Account
from ..settings.quantities import HOUR
from ..settings.quota import OverQuota, Quota
from .quota import UNANSWERED, QuotaWindows, Reservation

#: Seconds: for so long mail waits for room, rather than to leave by a fallback.
A_MOMENT = 10.0
#: Of a quota: of a mail that is split, no part is smaller.
_SMALLEST_PART = 10


class Closed(NamedTuple):
    """A quota has no room.

    :param until: ``math.inf``: until something that is under way has ended.
    :param since: when a mail was first told so; ``None``: none has asked.
    """

    until: float
    quota: Quota
    since: float | None

    def for_long(self, now: float) -> bool:
        """It is for more than a moment; what is under way may end at any."""
        return now + A_MOMENT < self.until < inf

    def __str__(self) -> str:
        return f"its quota of {self.quota} is used up"

    @property
    def fault(self) -> AccountFault:
        """What keeps a mail waiting, as its sender is told."""
        reply = Reply(0, "4.4.5", f"the quota of {self.quota} of the account is used up")
        return AccountFault(phase=Phase.MAIL, reply=reply, action=Action.QUOTA)


class Keeper(Protocol):
    """Looks after all windows: see `quotas`."""

    def await_room(self, gate: QuotaGate, /) -> None:
        """Call `QuotaGate.opened` when there may be room."""

    def changed(self, windows: QuotaWindows, /) -> None:
        """The windows have something to write, and may have room."""

    def written(self) -> Awaitable[None]:
        """Return what fires when all that has changed is durable.

        Fails with `SpoolError`: it is not, and the queue begins nothing any more.
        """


class QuotaGate:
    """One account's part of its windows.

    :ivar windows: that it has in common with others, or has for itself.
    :ivar opened: is called when there may be room again that there was not when it was asked last.
    :ivar waits: see `Claimant`.
    :ivar closed_since: when it was first asked in vain, but for moments; ``None``: it was not.
    """

    name = "quota"

    def __init__(self, account: Account, windows: QuotaWindows, keeper: Keeper) -> None:
        self.account = account
        self.windows = windows
        self.keeper = keeper
        self.opened: Callable[[], None] = lambda: None
        self.waits: Callable[[], bool] = lambda: False
        self.closed_since: float | None = None
        self._closed_until = 0.0
        #: When it was told of each quota that it is used up.
        self._told: dict[Quota, float] = {}

    def is_same(self, other: QuotaGate) -> bool:
        """The other one is as good: it knows since when it has been closed."""
        return self.windows is other.windows and self.account == other.account

    @property
    def keeps(self) -> bool:
        """Mail waits while a quota is used up, also if another account could take it."""
        return self.account.over_quota is OverQuota.WAIT

    def part(self, delivery: Delivery, now: float) -> int:
        """Return to how many of its recipients a delivery may go at once."""
        recipients, quota = len(delivery.recipients), self.windows.most_recipients
        most = min(recipients, quota, self.account.max_recipients or inf)
        if recipients > quota:
            # In the next windows, the rest of these would be lost.
            room = self.windows.room_for_recipients(now)
            most = min(most, max(room, ceil(quota / _SMALLEST_PART)))
        return int(most)

    def closed(self, delivery: Delivery | None, now: float) -> Closed | None:
        """Tell why a delivery may not begin now.

        :param delivery: ``None``: one with a single recipient.
        """
        recipients = 1 if delivery is None else self.part(delivery, now)
        opens, quota = self.windows.opens_at(recipients, now)
        if quota is None or opens <= now:
            return None
        return Closed(opens, quota, self.closed_since)

    def closed_for(self, delivery: Delivery, now: float, *, ready: bool) -> Closed | None:
        """Tell why the next mail has to wait; `opened` is called when that may be over.

        :param ready: it waits for nothing else.  Then the others of a group, whose mails may have
            fewer recipients, leave it the room that it waits for.
        """
        closed = self.closed(delivery, now)
        if closed is not None and ready:
            self.windows.claim(self, closed.until, now)
        elif closed is None and self.windows.is_claimed(self, now):
            # Who waits for it may give it up without a word: its mail may be deleted.
            closed = Closed(now + A_MOMENT, self.account.quota[0], self.closed_since)
        if closed is None:
            self._closed_until = min(self._closed_until, now)
            return None
        # As mails leave a window, there is room for one more each time.
        if self.closed_since is None or now > self._closed_until + A_MOMENT:
            self.closed_since = now
        self._closed_until = closed.until
        self.keeper.await_room(self)
        return closed

    def is_news(self, closed: Closed, now: float) -> bool:
        """Tell whether it is to be told that a quota is used up: of long windows, once in each."""
        window = closed.quota.window
        last = self._told.get(closed.quota)
        if window < HOUR or closed.until == inf or (last is not None and now < last + window):
            return False
        self._told[closed.quota] = now
        return True

    def relief(self, closed: Closed, now: float) -> AccountFault | None:
        """Return why something else may be done for a mail than to wait; ``None``: it waits.

        It leaves by a fallback if that is wanted, and it would wait for more than a moment.
        """
        return closed.fault if self.keeps or closed.for_long(now) else None

    def reserve(self, recipients: int) -> Reservation:
        """A mail is about to begin: it has room."""
        self.windows.unclaim(self)
        reservation = self.windows.reserve(recipients)
        self.keeper.changed(self.windows)
        return reservation

    def conclude(self, reservation: Reservation, attempt: Attempt | None, now: float) -> None:
        """It has ended.

        :param attempt: ``None``: nobody knows what came of it.
        """
        at: float | None
        if attempt is None:
            at, said = now + UNANSWERED, None
        elif attempt.counted is not None:
            at, said = attempt.counted, attempt.said
        else:
            ended = attempt.mail_ended
            at, said = None if ended is None else ended + UNANSWERED, attempt.said
        recipients = reservation.recipients if said is None else said
        self.windows.conclude(reservation, at, recipients)
        self.keeper.changed(self.windows)

    def uses(self, now: float, ahead: float) -> tuple[QuotaUse, ...]:
        """Tell how much is used up of each quota.

        :param ahead: seconds by which the clock on the wall is ahead of this one.
        """
        uses = []
        for quota in self.account.quota:
            used, opens = self.windows.use(quota, now)
            later = opens is not None and opens > now
            left = max(0, quota.most - used)
            uses.append(QuotaUse(quota, used, left, opens + ahead if later and opens else None))
        return tuple(uses)
